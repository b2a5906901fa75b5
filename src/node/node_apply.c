/*-------------------------------------------------------------------------
 *
 * node_apply.c
 *	  Final blocks are applied: what is shared takes effect, block by block.
 *
 * Ordering makes blocks final, in the process of the wire; the worker applies
 * them beside it, in order of height, each in one transaction.  So votes wait
 * for no row, and a crash leaves all of a block or nothing: how far it was is
 * committed with it (ledger_internal.applied).
 *
 * A block that has neither bodies nor entries, and by whose time no timer is due,
 * changes nothing here.  If all before it are applied, who stores it notes it as applied at the same time, so
 * that private rows are final at once; no hook is called for it.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/xact.h"
#include "catalog/pg_type.h"
#include "executor/spi.h"
#include "miscadmin.h"
#include "storage/lmgr.h"
#include "utils/snapmgr.h"
#include "utils/timestamp.h"

#include "chain_applied.h"
#include "chain_state_store.h"
#include "chain_statement.h"
#include "chain_stored.h"
#include "contract_deploy.h"
#include "contract_timer.h"
#include "node_apply.h"
#include "node_apply_batch.h"
#include "node_body.h"
#include "node_call.h"
#include "node_prune.h"
#include "node_replace.h"
#include "node_shared.h"
#include "node_skip.h"
#include "node_stand.h"

#define HOOKS_MAX		4

/* A body that has not come after that may have been dropped here. */
#define WAIT_MS			2000

/*
 * The chunk count stands at byte 130 of a header, member, incarnation and number
 * from byte 34 on.
 */
static TlStatement select_batches = {
	"SELECT header, own, built FROM ("
	"SELECT header, true AS own, true AS built FROM ledger_internal.batch WHERE height = $1"
	" UNION ALL SELECT header, member = (SELECT n.member FROM ledger_internal.node AS n), false"
	" FROM ledger_internal.foreign_batch WHERE height = $1"
	") AS b WHERE substring(header FROM 131 FOR 4) <> '\\x00000000'"
	" ORDER BY substring(header FROM 35 FOR 14)",
	1, {INT8OID}
};

/* A batch that has a body. */
typedef struct StoredBatch
{
	TlBatchHeader header;
	TlHash		digest;
	bool		own;			/* its rows are in their tables */
	bool		built;			/* from these, in this database: not lost with a backup */
} StoredBatch;

static const TlApplyHook *hooks[HOOKS_MAX];
static int	hook_count = 0;

static TlApplyResult try_block(int64_t height, bool is_taken);
static TlApplyResult try_taken(int64_t height);
static bool apply_block(int64_t height);
static bool wait_for(const StoredBatch *batch, int64_t height);
static StoredBatch *load_batches(int64_t height, int *count);

/* From _PG_init; called in the order in which they were added. */
void
tl_node_apply_add_hook(const TlApplyHook *hook)
{
	if (hook_count == HOOKS_MAX)
		elog(ERROR, "too many hooks of applying");
	hooks[hook_count++] = hook;
}

/* The worker: apply the next final block, if there is one. */
TlApplyResult
tl_node_apply_next(void)
{
	TlApplyResult result = TL_APPLY_IDLE;
	int64_t		height;

	SetCurrentStatementStartTimestamp();
	StartTransactionCommand();
	XactIsoLevel = XACT_READ_COMMITTED;
	SPI_connect();
	PushActiveSnapshot(GetTransactionSnapshot());
	height = tl_chain_applied_height() + 1;
	if (tl_chain_state_is_stopped())
		result = try_taken(height);
	else if (tl_chain_stored_has_height("block", "block_pkey", height))
		result = try_block(height, false);
	SPI_finish();
	PopActiveSnapshot();
	CommitTransactionCommand();
	if (result == TL_APPLY_MORE)
	{
		tl_node_stand_leave();
		tl_node_shared_advance(MyDatabaseId);
	}
	return result;
}

/*
 * No block is applied, unless the state of one is being taken from the others: those up
 * to it are, without what they run of contracts, and then the state takes its place.
 */
static TlApplyResult
try_taken(int64_t height)
{
	int64_t		last;
	int64_t		executed;

	if (!tl_node_replace_is_due(&last, &executed))
		return TL_APPLY_IDLE;
	LockRelationOid(tl_chain_stored_oid("skip"), ShareUpdateExclusiveLock);
	if (!tl_node_replace_is_due(&last, &executed))
		return TL_APPLY_IDLE;	/* cancelled meanwhile */
	if (height <= executed)
		return try_block(height, true);
	if (height > last)
		return tl_node_replace(height - 1) ? TL_APPLY_MORE : TL_APPLY_IDLE;
	if (!tl_chain_stored_has_height("block", "block_pkey", height))
		return TL_APPLY_IDLE;
	tl_node_call_run(false);
	/* calls are not executed, and contracts deployed: of these it matters which are passed over */
	if ((tl_contract_is_decided(height) && tl_node_skip_look(height) == TL_SKIP_OPEN) || !apply_block(height))
		return TL_APPLY_WAITS;
	tl_node_replace_pass();
	return TL_APPLY_MORE;
}

/* Behind the lock for which the look waits applying may have been stopped. */
static TlApplyResult
try_block(int64_t height, bool is_taken)
{
	tl_node_call_run(true);
	switch (tl_node_skip_look(height))
	{
		case TL_SKIP_OPEN:
			return TL_APPLY_WAITS;
		case TL_SKIP_LATE:
			return TL_APPLY_IDLE;
		default:
			if (!is_taken && tl_chain_state_is_stopped())
				return TL_APPLY_IDLE;
			return apply_block(height) ? TL_APPLY_MORE : TL_APPLY_WAITS;
	}
}

/* In the caller's transaction; false if a body is not here yet. */
static bool
apply_block(int64_t height)
{
	int			count;
	StoredBatch *batches = load_batches(height, &count);

	for (int i = 0; i < count; i++)
		if (!tl_node_body_is_here(&batches[i].header))
			return wait_for(&batches[i], height);
	for (int i = 0; i < hook_count; i++)
		if (hooks[i]->begin != NULL)
			hooks[i]->begin(height);
	CommandCounterIncrement();
	for (int i = 0; i < count; i++)
		if (!tl_chain_batch_is_submitted(&batches[i].header))
			tl_node_apply_batch(&batches[i].header, &batches[i].digest, height,
								batches[i].own, batches[i].built);
	for (int i = 0; i < hook_count; i++)
		if (hooks[i]->end != NULL)
			hooks[i]->end(height);
	tl_chain_applied_store(height);
	return true;
}

/*
 * A chunk is missing.  It is asked for since its BATCH row came, unless it was here
 * then, as an older batch has it too, and has gone with that one's body.
 */
static bool
wait_for(const StoredBatch *batch, int64_t height)
{
	static int64_t waiting = 0;
	static TimestampTz since = 0;
	TimestampTz now = GetCurrentTimestamp();

	if (waiting != height)
	{
		waiting = height;
		since = now;
	}
	else if (TimestampDifferenceExceeds(since, now, WAIT_MS))
	{
		tl_node_prune_want(&batch->header, &batch->digest);
		since = now;
	}
	return false;
}

/* Those that have a body, in the order in which the block has them. */
static StoredBatch *
load_batches(int64_t height, int *count)
{
	Datum		value = Int64GetDatum(height);
	uint64		found = tl_chain_execute(&select_batches, &value, NULL, false);
	StoredBatch *batches = palloc0(sizeof(StoredBatch) * (found + 1));

	for (uint64 i = 0; i < found; i++)
	{
		tl_node_body_batch(&batches[i].header, &batches[i].digest, i);
		batches[i].own = DatumGetBool(tl_chain_result(i, 1, NULL));
		batches[i].built = DatumGetBool(tl_chain_result(i, 2, NULL));
	}
	*count = (int) found;
	return batches;
}

void
tl_node_apply_rows_end(bool count)
{
	for (int i = 0; i < hook_count; i++)
		if (hooks[i]->rows_end != NULL)
			hooks[i]->rows_end(count);
}

void
tl_node_apply_tell(int64_t height, const uint8_t table_id[TL_TABLE_ID_SIZE],
				   const TlRefBytes *ref, TlSpan bytes)
{
	for (int i = 0; i < hook_count; i++)
		if (hooks[i]->row != NULL)
			hooks[i]->row(height, table_id, ref, bytes);
}

void
tl_node_apply_tell_rejected(int64_t height, const TlHash *batch, const TlRefBytes *ref,
							const char *sqlstate, TlSpan bytes)
{
	for (int i = 0; i < hook_count; i++)
		if (hooks[i]->rejected != NULL)
			hooks[i]->rejected(height, batch, ref, sqlstate, bytes);
}

/*
 * The block is being stored: note it as applied if nothing has to be done for
 * it nor for those before.  Nobody else applies then, so no lock is waited for; where
 * a session has locked timers the worker looks whether one is due.
 */
void
tl_node_apply_at_once(int64_t height, bool has_entries)
{
	Datum		value = Int64GetDatum(height);

	if (has_entries || tl_chain_applied_height() != height - 1 || tl_chain_state_is_stopped() ||
		tl_chain_execute(&select_batches, &value, NULL, false) > 0 || !tl_contract_timer_lock() ||
		tl_node_call_is_due(height))
		return;
	tl_chain_applied_store(height);
}
