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
 * A block that has neither bodies nor entries changes nothing here.  If all
 * before it are applied, who stores it notes it as applied at the same time, so
 * that private rows are final at once; no hook is called for it.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/xact.h"
#include "catalog/pg_type.h"
#include "executor/spi.h"
#include "miscadmin.h"
#include "utils/snapmgr.h"

#include "chain_applied.h"
#include "chain_state_store.h"
#include "chain_statement.h"
#include "node_apply.h"
#include "node_shared.h"

#define HOOKS_MAX		4

static TlStatement select_block = {
	"SELECT FROM ledger_internal.block WHERE height = $1", 1, {INT8OID}
};
/* The chunk count stands at byte 130 of a header. */
static TlStatement select_body = {
	"SELECT FROM ledger_internal.batch WHERE height = $1"
	" AND substring(header FROM 131 FOR 4) <> '\\x00000000'"
	" UNION ALL SELECT FROM ledger_internal.foreign_batch WHERE height = $1"
	" AND substring(header FROM 131 FOR 4) <> '\\x00000000' LIMIT 1",
	1, {INT8OID}
};

static const TlApplyHook *hooks[HOOKS_MAX];
static int	hook_count = 0;

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
	Datum		value;

	SetCurrentStatementStartTimestamp();
	StartTransactionCommand();
	SPI_connect();
	PushActiveSnapshot(GetTransactionSnapshot());
	height = tl_chain_applied_height() + 1;
	value = Int64GetDatum(height);
	if (!tl_chain_state_is_stopped() && tl_chain_execute(&select_block, &value, NULL, true) > 0)
		result = tl_node_apply_block(height) ? TL_APPLY_MORE : TL_APPLY_WAITS;
	SPI_finish();
	PopActiveSnapshot();
	CommitTransactionCommand();
	if (result == TL_APPLY_MORE)
		tl_node_shared_advance(MyDatabaseId);
	return result;
}

/* In the caller's transaction; false if a body is not here yet. */
bool
tl_node_apply_block(int64_t height)
{
	for (int i = 0; i < hook_count; i++)
		if (hooks[i]->begin != NULL)
			hooks[i]->begin(height);
	for (int i = 0; i < hook_count; i++)
		if (hooks[i]->end != NULL)
			hooks[i]->end(height);
	tl_chain_applied_store(height);
	return true;
}

/*
 * The block is being stored: note it as applied if nothing has to be done for
 * it nor for those before.  Nobody else applies then, so no lock is waited for.
 */
void
tl_node_apply_at_once(int64_t height, bool has_entries)
{
	Datum		value = Int64GetDatum(height);

	if (has_entries || tl_chain_applied_height() != height - 1 || tl_chain_state_is_stopped() ||
		tl_chain_execute(&select_body, &value, NULL, false) > 0)
		return;
	tl_chain_applied_store(height);
}
