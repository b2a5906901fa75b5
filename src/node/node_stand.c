/*-------------------------------------------------------------------------
 *
 * node_stand.c
 *	  At which call applying stands: executed for long, or in vain.
 *
 * The worker says in shared memory which call of which block it executes, and what
 * the error was if that could be no result.  The next worker comes to the same call,
 * so what is known of it is kept until the block is applied, or the server starts
 * anew.  Other sessions are shown it once the call has failed, or has run for
 * RUNS_LONG_MS: behind ledger.status, ledger.explain_wait() and ledger.skip().
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

static TlNodeSlot *lock_slot(LWLockMode mode);

/* The worker begins to execute this call. */
void
tl_node_stand_begin(int64_t height, const TlRefBytes *ref)
{
	TlNodeSlot *slot = lock_slot(LW_EXCLUSIVE);

	if (slot != NULL)
	{
		TlStand    *stand = &slot->stand;

		if (stand->height != height || tl_table_ref_compare(&stand->ref, ref) != 0)
		{
			memset(stand, 0, sizeof(*stand));
			stand->height = height;
			stand->ref = *ref;
			stand->since = GetCurrentTimestamp();
		}
		stand->runs = true;
	}
	LWLockRelease(tl_node_shared_lock());
}

/* It has an outcome. */
void
tl_node_stand_end(void)
{
	TlNodeSlot *slot = lock_slot(LW_EXCLUSIVE);

	if (slot != NULL)
		slot->stand.runs = false;
	LWLockRelease(tl_node_shared_lock());
}

/* An error that is no result has ended the attempt; it is still in place. */
void
tl_node_stand_failed(void)
{
	MemoryContext caller = MemoryContextSwitchTo(TopMemoryContext);
	ErrorData  *error = CopyErrorData();
	TlNodeSlot *slot = lock_slot(LW_EXCLUSIVE);

	if (slot != NULL && slot->stand.runs)
	{
		slot->stand.runs = false;
		slot->stand.failures++;
		strlcpy(slot->stand.sqlstate, unpack_sql_state(error->sqlerrcode), sizeof(slot->stand.sqlstate));
		strlcpy(slot->stand.message, error->message == NULL ? "" : error->message, sizeof(slot->stand.message));
	}
	LWLockRelease(tl_node_shared_lock());
	FreeErrorData(error);
	MemoryContextSwitchTo(caller);
}

/* The block is applied. */
void
tl_node_stand_leave(void)
{
	TlNodeSlot *slot = lock_slot(LW_EXCLUSIVE);

	if (slot != NULL)
		memset(&slot->stand, 0, sizeof(slot->stand));
	LWLockRelease(tl_node_shared_lock());
}

/* What is decided of the call that runs is committed: the next attempt knows it. */
void
tl_node_stand_interrupt(void)
{
	TlNodeSlot *slot = lock_slot(LW_SHARED);

	if (slot != NULL && slot->stand.runs && slot->pid != 0)
		(void) kill(slot->pid, SIGINT);
	LWLockRelease(tl_node_shared_lock());
}

static TlNodeSlot *
lock_slot(LWLockMode mode)
{
	LWLockAcquire(tl_node_shared_lock(), mode);
	return tl_node_shared_find(MyDatabaseId, false);
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
		stand = slot->stand;
		pid = slot->pid;
	}
	LWLockRelease(tl_node_shared_lock());
	if (stand.height == 0 ||
		(stand.failures == 0 &&
		 !(stand.runs && TimestampDifferenceExceeds(stand.since, GetCurrentTimestamp(), RUNS_LONG_MS))))
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
