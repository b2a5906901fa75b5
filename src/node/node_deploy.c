/*-------------------------------------------------------------------------
 *
 * node_deploy.c
 *	  Contracts and new versions of them, which blocks decide on.
 *
 * A hook of node_apply.c, behind the one that executes calls: what a block calls
 * runs by the version that was there before.  What a new version does to rows of
 * state goes into the set hashes of the block (node_state.c), as changes of calls do.
 *
 * A deployment has the ref 0.0.height.0: that of no row, and of none of the timers of
 * the block (node_call.c).  By it applying stands there (node_stand.c), and the members
 * pass over it (node_skip.c).  Then it has an outcome, as a call that they pass over: a
 * leaf of the outcome root, so that who has run the script signs another one.  What else
 * becomes of it follows from the chain, and has none.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "utils/builtins.h"

#include "chain_state.h"
#include "chain_statement.h"
#include "contract_deploy.h"
#include "merkle_hash.h"
#include "node_apply.h"
#include "node_deploy.h"
#include "node_skip.h"
#include "node_stand.h"
#include "node_state.h"
#include "table_state.h"
#include "tl_error.h"

static TlStatement insert_outcome = {
	"INSERT INTO ledger_internal.call_outcome (ref, height, sqlstate, error_message)"
	" VALUES (ledger_internal.deployment_ref($1), $1, $2, $3)",
	3, {INT8OID, TEXTOID, TEXTOID}
};

static void on_end(int64_t height);
static void deploy(int64_t height, const TlRefBytes *ref);
static void pass_over(int64_t height, const TlRefBytes *ref);

static const TlApplyHook hook = {.end = on_end};

void
tl_node_deploy_init(void)
{
	tl_node_apply_add_hook(&hook);
}

static void
on_end(int64_t height)
{
	TlRef		unpacked = {.transaction = (uint64_t) height};
	TlRefBytes	ref;

	if (!tl_contract_is_decided(height))
		return;
	tl_table_ref_pack(&ref, &unpacked);
	if (tl_node_skip_has(&ref))
		pass_over(height, &ref);
	else
		deploy(height, &ref);
}

static void
deploy(int64_t height, const TlRefBytes *ref)
{
	const TlStateChange *changes;
	int			count;

	tl_node_stand_begin(height, ref);
	tl_contract_deploy(height);
	tl_node_stand_end();
	changes = tl_table_state_take(&count);
	for (int i = 0; i < count; i++)
		tl_node_state_change(changes[i].table_id, &changes[i].element, changes[i].sign);
}

static void
pass_over(int64_t height, const TlRefBytes *ref)
{
	TlCallOutcome outcome = {.height = (uint64_t) height};
	uint8_t		leaf[TL_OUTCOME_LEAF_SIZE];
	Datum		values[] = {
		Int64GetDatum(height),
		CStringGetTextDatum(tl_status_sqlstate(TL_SKIPPED)),
		CStringGetTextDatum("the members have passed over the deployment")
	};

	tl_contract_pass_over(height);
	memcpy(outcome.ref, ref->bytes, TL_REF_SIZE);
	memcpy(outcome.sqlstate, tl_status_sqlstate(TL_SKIPPED), TL_SQLSTATE_SIZE);
	tl_merkle_leaf_hash(&outcome.words, "", 0);
	tl_error_check(tl_chain_state_outcome(leaf, &outcome), "outcome of a deployment");
	tl_node_state_outcome(height, leaf);
	tl_chain_execute(&insert_outcome, values, NULL, false);
}
