/*-------------------------------------------------------------------------
 *
 * node_stand.c
 *	  At which call applying stands: executed for long, or in vain.  The deployment of
 *	  a contract is one here (node_deploy.c).
 *
 * The worker says in shared memory which call of which block it executes, and at
 * which one the last attempt has ended with an error that could be no result.  The
 * next attempt, also of another worker, executes the calls before that one again,
 * so what is known of it is kept until it has an outcome, the block is applied, or
 * the server starts anew.  Other sessions are shown the call that has failed, or else
 * one that has run for RUNS_LONG_MS: behind ledger.status, ledger.explain_wait() and
 * ledger.skip().
 *
 * All fields of the slot under the lock of node_shared.c.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include <signal.h>

#include "fmgr.h"
#include "funcapi.h"
#include "mb/pg_wchar.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/memutils.h"
#include "utils/timestamp.h"

#include "node_shared.h"
#include "node_stand.h"
#include "tl_compat.h"

PG_FUNCTION_INFO_V1(tl_stand);

#define RUNS_LONG_MS	5000

/* height, ref, since, failures, pid, SQLSTATE, message */
#define STAND_COLUMNS	7

static void note_failure(TlStand *stand, const TlExecuted *executed, const ErrorData *error);
static bool is_there(const TlStand *stand, const TlExecuted *executed);
static TlNodeSlot *lock_slot(LWLockMode mode);
static TlStand what_stands(const TlNodeSlot *slot);

/* The worker begins to execute this call. */
void
tl_node_stand_begin(int64_t height, const TlRefBytes *ref)
{
	TlNodeSlot *slot = lock_slot(LW_EXCLUSIVE);

	if (slot != NULL)
	{
		slot->executed.height = height;
		slot->executed.ref = *ref;
		slot->executed.since = GetCurrentTimestamp();
		slot->executed.runs = true;
	}
	LWLockRelease(tl_node_shared_lock());
}

/* It has an outcome. */
void
tl_node_stand_end(void)
{
	TlNodeSlot *slot = lock_slot(LW_EXCLUSIVE);

	if (slot != NULL)
	{
		slot->executed.runs = false;
		if (is_there(&slot->stand, &slot->executed))
			memset(&slot->stand, 0, sizeof(slot->stand));
	}
	LWLockRelease(tl_node_shared_lock());
}

/* An error that is no result has ended the attempt; it is still in place. */
void
tl_node_stand_failed(void)
{
	MemoryContext caller = MemoryContextSwitchTo(TopMemoryContext);
	ErrorData  *error = CopyErrorData();
	TlNodeSlot *slot = lock_slot(LW_EXCLUSIVE);

	if (slot != NULL && slot->executed.runs)
	{
		slot->executed.runs = false;
		note_failure(&slot->stand, &slot->executed, error);
	}
	LWLockRelease(tl_node_shared_lock());
	FreeErrorData(error);
	MemoryContextSwitchTo(caller);
}

static void
note_failure(TlStand *stand, const TlExecuted *executed, const ErrorData *error)
{
	if (!is_there(stand, executed))
	{
		memset(stand, 0, sizeof(*stand));
		stand->height = executed->height;
		stand->ref = executed->ref;
		stand->since = executed->since;
	}
	stand->failures++;
	strlcpy(stand->sqlstate, unpack_sql_state(error->sqlerrcode), sizeof(stand->sqlstate));
	strlcpy(stand->message, error->message == NULL ? "" : error->message, sizeof(stand->message));
}

/* Does applying stand at the call that is executed? */
static bool
is_there(const TlStand *stand, const TlExecuted *executed)
{
	return stand->height == executed->height && tl_table_ref_compare(&stand->ref, &executed->ref) == 0;
}

/* The block is applied. */
void
tl_node_stand_leave(void)
{
	TlNodeSlot *slot = lock_slot(LW_EXCLUSIVE);

	if (slot != NULL)
	{
		slot->executed.runs = false;
		memset(&slot->stand, 0, sizeof(slot->stand));
		/* what was decided is known: another failure is none of its own */
		slot->at_once = false;
	}
	LWLockRelease(tl_node_shared_lock());
}

/*
 * What is decided of the call that runs, or at which applying stands, is committed:
 * the next attempt knows it.
 */
void
tl_node_stand_interrupt(void)
{
	TlNodeSlot *slot = lock_slot(LW_EXCLUSIVE);
	bool		stands = slot != NULL && (slot->executed.runs || slot->stand.height != 0);

	if (stands)
	{
		slot->at_once = true;
		if (slot->executed.runs && slot->pid != 0)
			(void) kill(slot->pid, SIGINT);
	}
	LWLockRelease(tl_node_shared_lock());
	if (stands)
		tl_node_shared_wake_launcher();
}

static TlNodeSlot *
lock_slot(LWLockMode mode)
{
	LWLockAcquire(tl_node_shared_lock(), mode);
	return tl_node_shared_find(MyDatabaseId, false);
}

/* The call that has failed, or one that has run for long; height 0: neither. */
static TlStand
what_stands(const TlNodeSlot *slot)
{
	TlStand		out = slot->stand;

	if (out.height == 0 && slot->executed.runs &&
		TimestampDifferenceExceeds(slot->executed.since, GetCurrentTimestamp(), RUNS_LONG_MS))
	{
		out.height = slot->executed.height;
		out.ref = slot->executed.ref;
		out.since = slot->executed.since;
	}
	return out;
}

/* ledger_internal.stand(): one row, or none */
Datum
tl_stand(PG_FUNCTION_ARGS)
{
	ReturnSetInfo *result = (ReturnSetInfo *) fcinfo->resultinfo;
	TlNodeSlot *slot;
	TlStand		stand = {0};
	int			pid = 0;
	Datum		values[STAND_COLUMNS];
	bool		nulls[STAND_COLUMNS] = {false};

	InitMaterializedSRF(fcinfo, 0);
	slot = lock_slot(LW_SHARED);
	if (slot != NULL)
	{
		stand = what_stands(slot);
		pid = slot->pid;
	}
	LWLockRelease(tl_node_shared_lock());
	if (stand.height == 0)
		return (Datum) 0;
	stand.message[pg_mbcliplen(stand.message, (int) strlen(stand.message), sizeof(stand.message) - 1)] = '\0';
	values[0] = Int64GetDatum(stand.height);
	values[1] = TlRefBytesGetDatum(&stand.ref);
	values[2] = TimestampTzGetDatum(stand.since);
	values[3] = Int32GetDatum((int32) stand.failures);
	values[4] = Int32GetDatum(pid);
	nulls[4] = pid == 0;
	values[5] = CStringGetTextDatum(stand.sqlstate);
	values[6] = CStringGetTextDatum(stand.message);
	nulls[5] = nulls[6] = stand.failures == 0;
	tuplestore_putvalues(result->setResult, result->setDesc, values, nulls);
	return (Datum) 0;
}
