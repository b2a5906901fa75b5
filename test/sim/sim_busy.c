/*-------------------------------------------------------------------------
 *
 * sim_busy.c
 *	  Members take their time to apply final blocks, and tell the core (P23).
 *
 * A block that orders anything takes apply_us, one after the other; who has more
 * than one of them left is busy.  What the state is and what is due is told at
 * once all the same, which changes nothing here.
 *
 * That a leader's turn is not lost by it is V9 in the scenario busy_members.
 *
 *-------------------------------------------------------------------------
 */
#include "sim.h"

#define BUSY_US		(400 * SIM_MS)

/* From a stream of chance of its own, so that older seeds keep their story. */
void
sim_busy_plan(SimWorld *world)
{
	uint64_t	random = world->random;

	world->random = world->seed * UINT64_C(0x9fb21c651e98df25) + 23;
	if (sim_chance(world, 25))
		world->plan.apply_us = (1 + (int64_t) sim_random(world, 600)) * SIM_MS;
	world->plan.one_slow = sim_chance(world, 50);
	world->random = random;
}

/* What a block takes at that member. */
static int64_t
apply_us(const SimWorld *world, const SimNode *node)
{
	bool		slow = world->plan.one_slow && node->id + 1 == world->plan.nodes;

	return slow ? 2 * world->plan.apply_us : world->plan.apply_us;
}

/* How long a view waits for who is busy. */
int64_t
sim_busy_us(const SimWorld *world)
{
	return world->plan.apply_us > 0 ? BUSY_US : 0;
}

/* A block is durable, and is to be applied. */
void
sim_busy_final(SimWorld *world, SimNode *node, unsigned height)
{
	if (height == 0 || sim_due_orders_nothing(node, height))
		return;
	if (node->applied_us < world->now_us)
		node->applied_us = world->now_us;
	node->applied_us += apply_us(world, node);
}

/* Tell the core, and come again when it is over. */
void
sim_busy_give(SimWorld *world, SimNode *node)
{
	TlInput		input = {.kind = TL_INPUT_BUSY};
	int64_t		left_us = node->applied_us - apply_us(world, node) - world->now_us;

	input.busy = left_us > 0;
	if (input.busy && node->rests_us != world->now_us + left_us)
	{
		node->rests_us = world->now_us + left_us;
		sim_later(world, left_us, (SimEvent) {.kind = SIM_RUN, .node = node->id,
				  .life = node->life});
	}
	if (input.busy == node->told_busy)
		return;
	node->told_busy = input.busy;
	world->seen[SIM_SEEN_BUSY] += input.busy;
	sim_node_step(world, node, &input, true);
}
