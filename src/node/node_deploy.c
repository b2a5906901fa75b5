/*-------------------------------------------------------------------------
 *
 * node_deploy.c
 *	  Contracts and new versions of them, which blocks decide on.
 *
 * A hook of node_apply.c, behind the one that executes calls: what a block calls
 * runs by the version that was there before.  What a new version does to rows of
 * state goes into the set hashes of the block (node_state.c), as changes of calls do.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "contract_deploy.h"
#include "node_apply.h"
#include "node_deploy.h"
#include "node_state.h"
#include "table_state.h"

static void on_end(int64_t height);

static const TlApplyHook hook = {.end = on_end};

void
tl_node_deploy_init(void)
{
	tl_node_apply_add_hook(&hook);
}

static void
on_end(int64_t height)
{
	const TlStateChange *changes;
	int			count;

	tl_contract_deploy(height);
	changes = tl_table_state_take(&count);
	for (int i = 0; i < count; i++)
		tl_node_state_change(changes[i].table_id, &changes[i].element, changes[i].sign);
}
