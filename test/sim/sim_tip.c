/*-------------------------------------------------------------------------
 *
 * sim_tip.c
 *	  Members are asked for the finalization of their last block, and answer from
 *	  their disks (P16).  One member may be deaf: nobody's log comes to it.
 *
 * V26  it learns all the same that it is behind, and follows.
 *
 *-------------------------------------------------------------------------
 */
#include "sim.h"

#define BEHIND_MAX		60		/* blocks */

void
sim_tip_ask(SimWorld *world, SimNode *node)
{
	for (unsigned i = 0; i < world->node_count; i++)
	{
		SimNode    *peer = &world->nodes[i];

		if (peer->number == node->number || !peer->up ||
			peer->role == SIM_SILENT || peer->certificate_size == 0 ||
			!sim_wire_linked(world, i, node->id) ||
			!sim_wire_linked(world, node->id, i) ||
			sim_chance(world, world->plan.loss_percent))
			continue;
		sim_later(world, 2 * sim_wire_delay(world, i, node->id),
				  (SimEvent) {.kind = SIM_TIP, .node = node->id, .peer = i,
				  .life = node->life});
	}
}

/* An answer is here; the core takes it in its next turn. */
void
sim_tip_deliver(SimWorld *world, SimNode *node, unsigned peer)
{
	node->tips |= UINT64_C(1) << peer;
	sim_node_ask(world, node);
}

/* What they keep now, which is as good. */
void
sim_tip_read(SimWorld *world, SimNode *node)
{
	for (unsigned i = 0; i < world->node_count; i++)
	{
		const SimNode *peer = &world->nodes[i];
		TlInput		input = {.kind = TL_INPUT_TIP, .member = peer->number};

		if ((node->tips >> i & 1) == 0 || peer->certificate_size == 0)
			continue;
		input.payload.data = peer->certificate;
		input.payload.size = peer->certificate_size;
		input.certificates_valid = tl_consensus_judge_tip(node->core, input.payload,
														  sim_check_signature, NULL);
		sim_node_step(world, node, &input, true);
	}
	node->tips = 0;
}

/* Does nobody's log come to it? */
bool
sim_tip_is_deaf(const SimWorld *world, const SimNode *node)
{
	return world->plan.deaf && !world->calm && node->number == world->founder_count;
}

/* V26, when the faults stop. */
void
sim_tip_check(SimWorld *world)
{
	unsigned	blocks = 0;

	if (!world->plan.deaf)
		return;
	for (unsigned i = 0; i < world->node_count; i++)
	{
		if (world->nodes[i].chain_count > blocks)
			blocks = world->nodes[i].chain_count;
	}
	for (unsigned i = 0; i < world->node_count; i++)
	{
		const SimNode *node = &world->nodes[i];

		if (sim_tip_is_deaf(world, node) && node->chain_count + BEHIND_MAX < blocks)
			sim_fail(world, "V26: node %u has %u blocks of %u, and does not learn that there are more",
					 i, node->chain_count, blocks);
	}
}
