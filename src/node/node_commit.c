/*-------------------------------------------------------------------------
 *
 * node_commit.c
 *	  What a session does for its ledger rows when it commits.
 *
 * Before the first row of a transaction in a table: an entry in the dirty set.
 * At commit: the worker is woken.  With telco_ledger.commit_wait = final the
 * session then waits until everything it wrote is final.
 *
 * Where it waits matters.  At XACT_EVENT_COMMIT the transaction is visible to
 * others but still holds its locks, and an error there would bring the server
 * down.  So the callback only notes what to wait for, and the wait happens when
 * the resource owner is released, after the locks: no error is raised there, a
 * cancel or the timeout ends in a WARNING, and no catalog is read.
 *
 * COMMIT PREPARED runs no commit callback for the prepared transaction: the
 * utility hook takes its number and wakes or waits likewise, for whatever
 * tables it wrote.
 *
 * Uses shared memory only (node_shared.h); holds no lock while it waits.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/transam.h"
#include "access/twophase.h"
#include "access/xact.h"
#include "catalog/pg_database.h"
#include "catalog/pg_type.h"
#include "commands/dbcommands.h"
#include "executor/spi.h"
#include "miscadmin.h"
#include "nodes/parsenodes.h"
#include "pgstat.h"
#include "storage/lwlock.h"
#include "tcop/utility.h"
#include "utils/acl.h"
#include "utils/builtins.h"
#include "utils/memutils.h"
#include "utils/resowner.h"
#include "utils/snapmgr.h"
#include "utils/timestamp.h"

#include "node_commit.h"
#include "node_identity.h"
#include "node_settings.h"
#include "node_shared.h"
#include "node_worker.h"
#include "table_written.h"
#include "tl_compat.h"

/* A wait looks up at least this often, in case a wake-up was lost. */
#define WAIT_STEP_MS	1000

/* Tables written by this transaction; in TopTransactionContext. */
static Oid *written = NULL;
static int	written_count = 0;
static int	written_capacity = 0;

/* What the release of the transaction's resources must wait for. */
static uint64_t waiting_xid = 0;
static bool waiting_prepared = false;

static ProcessUtility_hook_type previous_utility = NULL;

static void note_written(Oid relation);
static void at_transaction_end(XactEvent event, void *arg);
static void at_release(ResourceReleasePhase phase, bool is_commit,
					   bool is_top_level, void *arg);
static void utility(PlannedStmt *statement, const char *text, bool read_only_tree,
					ProcessUtilityContext context, ParamListInfo parameters,
					QueryEnvironment *environment, DestReceiver *receiver,
					QueryCompletion *completion);
static uint64_t prepared_xid(const char *gid);

void
tl_node_commit_init(void)
{
	tl_table_written_hook = note_written;
	RegisterXactCallback(at_transaction_end, NULL);
	RegisterResourceReleaseCallback(at_release, NULL);
	previous_utility = ProcessUtility_hook;
	ProcessUtility_hook = utility;
}

/* Before the first row goes into a table. */
static void
note_written(Oid relation)
{
	const TlNodeIdentity *identity = tl_node_identity();

	if (!identity->table.exists || identity->table.copied)
		return;
	if (written_count == written_capacity)
	{
		int			capacity = Max(8, written_capacity * 2);
		Oid		   *larger = MemoryContextAlloc(TopTransactionContext,
												sizeof(Oid) * capacity);

		if (written_count > 0)
			memcpy(larger, written, sizeof(Oid) * written_count);
		written = larger;
		written_capacity = capacity;
	}
	tl_node_dirty_note(MyDatabaseId, relation,
					   U64FromFullTransactionId(GetTopFullTransactionId()));
	written[written_count++] = relation;
}

static void
at_transaction_end(XactEvent event, void *arg)
{
	switch (event)
	{
		case XACT_EVENT_COMMIT:
			if (written_count > 0)
			{
				tl_node_shared_wake_worker(MyDatabaseId);
				if (tl_setting_commit_wait == TL_COMMIT_WAIT_FINAL &&
					MyBackendType != B_BG_WORKER)
				{
					waiting_xid = U64FromFullTransactionId(GetTopFullTransactionIdIfAny());
					waiting_prepared = false;
					return;		/* at_release still needs the list */
				}
			}
			break;
		case XACT_EVENT_ABORT:
			waiting_xid = 0;
			break;
		case XACT_EVENT_PREPARE:
			break;
		default:
			return;
	}
	written = NULL;
	written_count = written_capacity = 0;
}

/* After the locks are gone: wait, and never raise an error. */
static void
at_release(ResourceReleasePhase phase, bool is_commit, bool is_top_level, void *arg)
{
	uint64_t	xid = waiting_xid;
	long		timeout_ms = tl_setting_commit_wait_timeout_ms;

	if (phase != RESOURCE_RELEASE_AFTER_LOCKS || !is_top_level || xid == 0)
		return;
	waiting_xid = 0;
	if (is_commit &&
		!tl_node_commit_wait(xid, waiting_prepared ? NULL : written,
							 waiting_prepared ? 0 : written_count,
							 timeout_ms, false))
		ereport(WARNING,
				errmsg("the transaction is committed, but its ledger rows are not known to be final"),
				errdetail("The wait was canceled, or telco_ledger.commit_wait_timeout is over."),
				errhint("ledger.wait_final(ledger_ref) waits on; ledger.status shows what the node waits for."));
	written = NULL;
	written_count = written_capacity = 0;
}

/*
 * Wait until a transaction's rows in these tables (none given: in all) are
 * final.  False if the time ran out or, when not interruptible, if the user
 * cancelled; an interruptible wait raises the usual error.
 */
bool
tl_node_commit_wait(uint64_t xid, const Oid *relations, int relation_count,
					long timeout_ms, bool interruptible)
{
	TimestampTz start = GetCurrentTimestamp();
	TlNodeSlot *slot;
	bool		result;

	LWLockAcquire(tl_node_shared_lock(), LW_SHARED);
	slot = tl_node_shared_find(MyDatabaseId, false);
	LWLockRelease(tl_node_shared_lock());
	if (slot == NULL)
		return false;
	ConditionVariablePrepareToSleep(&slot->advanced);
	for (;;)
	{
		long		step_ms = WAIT_STEP_MS;

		result = tl_node_shared_is_final(MyDatabaseId, xid, relations, relation_count);
		if (result)
			break;
		if (interruptible)
			CHECK_FOR_INTERRUPTS();
		else if (QueryCancelPending || ProcDiePending)
		{
			QueryCancelPending = false;
			break;
		}
		if (timeout_ms > 0)
		{
			step_ms = timeout_ms -
				TimestampDifferenceMilliseconds(start, GetCurrentTimestamp());
			if (step_ms <= 0)
				break;
			step_ms = Min(step_ms, WAIT_STEP_MS);
		}
		(void) ConditionVariableTimedSleep(&slot->advanced, step_ms,
										   PG_WAIT_EXTENSION);
	}
	ConditionVariableCancelSleep();
	return result;
}

static void
utility(PlannedStmt *statement, const char *text, bool read_only_tree,
		ProcessUtilityContext context, ParamListInfo parameters,
		QueryEnvironment *environment, DestReceiver *receiver,
		QueryCompletion *completion)
{
	Node	   *node = statement->utilityStmt;
	uint64_t	xid = 0;

	if (IsA(node, TransactionStmt) &&
		((TransactionStmt *) node)->kind == TRANS_STMT_COMMIT_PREPARED &&
		tl_node_identity()->table.exists)
		xid = prepared_xid(((TransactionStmt *) node)->gid);
	if (IsA(node, DropdbStmt))
	{
		Oid			database = get_database_oid(((DropdbStmt *) node)->dbname, true);

		if (OidIsValid(database) &&
			tl_database_is_owned(database, GetUserId()))
			tl_node_worker_stop(database);
	}
	if (previous_utility)
		previous_utility(statement, text, read_only_tree, context, parameters,
						 environment, receiver, completion);
	else
		standard_ProcessUtility(statement, text, read_only_tree, context,
								parameters, environment, receiver, completion);
	if (xid != 0)
	{
		tl_node_shared_wake_worker(MyDatabaseId);
		if (tl_setting_commit_wait == TL_COMMIT_WAIT_FINAL)
		{
			waiting_xid = xid;
			waiting_prepared = true;
		}
	}
}

/* Number of a prepared transaction, 0 if there is none of that name. */
static uint64_t
prepared_xid(const char *gid)
{
	Oid			types[1] = {TEXTOID};
	Datum		values[1] = {CStringGetTextDatum(gid)};
	uint64_t	xid = 0;
	bool		is_null;

	PushActiveSnapshot(GetTransactionSnapshot());
	SPI_connect();
	if (SPI_execute_with_args("SELECT transaction FROM pg_catalog.pg_prepared_xacts"
							  " WHERE gid OPERATOR(pg_catalog.=) $1",
							  1, types, values, NULL, true, 1) == SPI_OK_SELECT &&
		SPI_processed == 1)
	{
		TransactionId short_xid =
			DatumGetTransactionId(SPI_getbinval(SPI_tuptable->vals[0],
												SPI_tuptable->tupdesc, 1, &is_null));
		FullTransactionId next = ReadNextFullTransactionId();
		uint32		epoch = EpochFromFullTransactionId(next);

		if (short_xid > XidFromFullTransactionId(next))
			epoch--;
		xid = U64FromFullTransactionId(FullTransactionIdFromEpochAndXid(epoch, short_xid));
	}
	SPI_finish();
	PopActiveSnapshot();
	return xid;
}
