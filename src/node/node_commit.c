/*-------------------------------------------------------------------------
 *
 * node_commit.c
 *	  What a session does for its ledger rows when it commits.
 *
 * Before the first row of a transaction in a table: an entry in the dirty set.
 * At commit: the worker is told.  With telco_ledger.commit_wait = final the
 * session then waits until everything it wrote is final.
 *
 * Where it waits matters.  At XACT_EVENT_COMMIT the transaction is visible to
 * others but still holds its locks, and an error there would bring the server
 * down.  So the callback only notes what to wait for, and the wait happens when
 * the resource owner is released, after the locks: no error is raised there, a
 * cancel or the timeout ends in a WARNING, and no catalog is read.
 *
 * COMMIT PREPARED runs no commit callback for the prepared transaction: the
 * utility hook takes its number and tells or waits likewise, for the tables
 * that the dirty set names, or for all where it may have forgotten some.
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
#include "commands/defrem.h"
#include "executor/spi.h"
#include "miscadmin.h"
#include "nodes/parsenodes.h"
#include "pgstat.h"
#include "storage/latch.h"
#include "storage/lwlock.h"
#include "tcop/dest.h"
#include "tcop/tcopprot.h"
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
static uint64_t written_xid = 0;	/* as tl_table_ref_word */

/* What the release of the transaction's resources must wait for. */
typedef struct Awaited
{
	uint64_t	xid;			/* 0: for nothing */
	const Oid  *relations;		/* in TopTransactionContext */
	int			relation_count;
} Awaited;

static Awaited awaited;

static ProcessUtility_hook_type previous_utility = NULL;

static void note_written(Oid relation);
static void at_transaction_end(XactEvent event, void *arg);
static bool awaited_is_final(void *context);
static void at_release(ResourceReleasePhase phase, bool is_commit,
					   bool is_top_level, void *arg);
static void utility(PlannedStmt *statement, const char *text, bool read_only_tree,
					ProcessUtilityContext context, ParamListInfo parameters,
					QueryEnvironment *environment, DestReceiver *receiver,
					QueryCompletion *completion);
static Oid	database_needed(Node *node);
static const char *string_option(List *options, const char *name);
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

	if (!tl_table_identity_is_live(&identity->table))
		return;
	written_xid = tl_table_ref_word(identity->table.incarnation,
									U64FromFullTransactionId(GetTopFullTransactionId()));
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
	tl_node_dirty_note(MyDatabaseId, relation, written_xid);
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
				bool		waits = tl_setting_commit_wait == TL_COMMIT_WAIT_FINAL &&
					MyBackendType != B_BG_WORKER;

				tl_node_shared_tell_worker(MyDatabaseId, waits ?
										   TL_NEWS_COMMITTED | TL_NEWS_AWAITED :
										   TL_NEWS_COMMITTED);
				if (waits)
				{
					awaited.xid = written_xid;
					awaited.relations = written;
					awaited.relation_count = written_count;
				}
			}
			break;
		case XACT_EVENT_ABORT:
			memset(&awaited, 0, sizeof(awaited));
			break;
		case XACT_EVENT_PREPARE:
			break;
		default:
			return;
	}
	written = NULL;
	written_count = written_capacity = 0;
}

static bool
awaited_is_final(void *context)
{
	const Awaited *wanted = context;

	return tl_node_shared_is_final(MyDatabaseId, wanted->xid, wanted->relations,
								   wanted->relation_count);
}

/* After the locks are gone: wait, and never raise an error. */
static void
at_release(ResourceReleasePhase phase, bool is_commit, bool is_top_level, void *arg)
{
	Awaited		wanted = awaited;

	if (phase != RESOURCE_RELEASE_AFTER_LOCKS || !is_top_level || wanted.xid == 0)
		return;
	memset(&awaited, 0, sizeof(awaited));
	if (is_commit &&
		!tl_node_commit_wait(awaited_is_final, &wanted,
							 tl_setting_commit_wait_timeout_ms, false))
		ereport(WARNING,
				errmsg("the transaction is committed, but its ledger rows are not known to be final"),
				errdetail("The wait was canceled, or telco_ledger.commit_wait_timeout is over."),
				errhint("ledger.wait_final(ledger_ref) waits on; ledger.status shows what the node waits for."));
}

/*
 * Wait until done() says so.  False if the time (0: no limit) ran out or, when
 * not interruptible, if the user cancelled; an interruptible wait raises the
 * usual error.
 *
 * Not ConditionVariableTimedSleep, which goes back to sleep when the latch is
 * set for a cancel: being on the variable's list makes a broadcast set our
 * latch, and more is not needed.  We get on it last: reading a page in done()
 * would take us off again, as each backend can be on one list only.
 */
bool
tl_node_commit_wait(TlNodeDone done, void *context, long timeout_ms,
					bool interruptible)
{
	TimestampTz start = GetCurrentTimestamp();
	TlNodeSlot *slot;
	bool		result = false;

	LWLockAcquire(tl_node_shared_lock(), LW_SHARED);
	slot = tl_node_shared_find(MyDatabaseId, false);
	LWLockRelease(tl_node_shared_lock());
	if (slot == NULL)
		return done(context);
	for (;;)
	{
		uint64		advances = pg_atomic_read_u64(&slot->advances);
		long		step_ms = WAIT_STEP_MS;
		int			events;

		result = done(context);
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
		ConditionVariablePrepareToSleep(&slot->advanced);
		if (pg_atomic_read_u64(&slot->advances) != advances)
			continue;
		/* a transaction that is half committed cannot exit just so */
		events = WaitLatch(MyLatch, WL_LATCH_SET | WL_TIMEOUT |
						   (interruptible ? WL_EXIT_ON_PM_DEATH : WL_POSTMASTER_DEATH),
						   step_ms, PG_WAIT_EXTENSION);
		ResetLatch(MyLatch);
		if (events & WL_POSTMASTER_DEATH)
		{
			ProcDiePending = true;
			whereToSendOutput = DestNone;
		}
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
	Awaited		prepared = {0};
	Oid			database;

	if (IsA(node, TransactionStmt) &&
		((TransactionStmt *) node)->kind == TRANS_STMT_COMMIT_PREPARED &&
		tl_node_identity()->table.exists)
	{
		MemoryContext old = MemoryContextSwitchTo(TopTransactionContext);

		prepared.xid = prepared_xid(((TransactionStmt *) node)->gid);
		prepared.relations = tl_node_dirty_relations(MyDatabaseId, prepared.xid,
													 &prepared.relation_count);
		MemoryContextSwitchTo(old);
	}
	database = database_needed(node);
	if (OidIsValid(database))
		tl_node_worker_stop(database);
	PG_TRY();
	{
		if (previous_utility)
			previous_utility(statement, text, read_only_tree, context, parameters,
							 environment, receiver, completion);
		else
			standard_ProcessUtility(statement, text, read_only_tree, context,
									parameters, environment, receiver, completion);
	}
	PG_CATCH();
	{
		if (OidIsValid(database))
			tl_node_worker_return(database, false);
		PG_RE_THROW();
	}
	PG_END_TRY();
	if (OidIsValid(database))
		tl_node_worker_return(database, IsA(node, DropdbStmt));
	if (prepared.xid != 0)
	{
		bool		waits = tl_setting_commit_wait == TL_COMMIT_WAIT_FINAL;

		tl_node_shared_tell_worker(MyDatabaseId, waits ?
								   TL_NEWS_COMMITTED | TL_NEWS_AWAITED :
								   TL_NEWS_COMMITTED);
		if (waits)
			awaited = prepared;
	}
}

/*
 * The database of ours that a statement needs without any session in it, its
 * worker included.  Inlined, its variables would be among those that a jump of
 * PG_TRY might change, to a compiler that does not see that they are done with.
 */
static pg_noinline Oid
database_needed(Node *node)
{
	const char *name = NULL;
	Oid			database;

	if (IsA(node, DropdbStmt))
		name = ((DropdbStmt *) node)->dbname;
	else if (IsA(node, CreatedbStmt))
		name = string_option(((CreatedbStmt *) node)->options, "template");
	else if (IsA(node, AlterDatabaseStmt) &&
			 string_option(((AlterDatabaseStmt *) node)->options, "tablespace") != NULL)
		name = ((AlterDatabaseStmt *) node)->dbname;
	else if (IsA(node, RenameStmt) &&
			 ((RenameStmt *) node)->renameType == OBJECT_DATABASE)
		name = ((RenameStmt *) node)->subname;
	database = name == NULL ? InvalidOid : get_database_oid(name, true);
	return OidIsValid(database) && database != MyDatabaseId &&
		tl_database_is_owned(database, GetUserId()) ? database : InvalidOid;
}

static const char *
string_option(List *options, const char *name)
{
	ListCell   *cell;

	foreach(cell, options)
	{
		DefElem    *option = lfirst_node(DefElem, cell);

		if (strcmp(option->defname, name) == 0 && option->arg != NULL)
			return defGetString(option);
	}
	return NULL;
}

/* Word of a prepared transaction, 0 if there is none of that name. */
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
		xid = tl_table_ref_word(tl_node_identity()->table.incarnation,
								U64FromFullTransactionId(FullTransactionIdFromEpochAndXid(epoch, short_xid)));
	}
	SPI_finish();
	PopActiveSnapshot();
	return xid;
}
