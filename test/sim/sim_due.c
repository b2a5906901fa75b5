/*-------------------------------------------------------------------------
 *
 * sim_due.c
 *	  Timers of a contract, as the final chain sets them, and their blocks.
 *
 * Every due_every-th block sets a timer if it orders anything; so a timer's own
 * block, which may order nothing, sets no other one, and a ledger without
 * batches falls idle.  A timer runs in the first block whose time has reached
 * it.  All of this is a function of the final chain.
 *
 * V22  a timer whose time has come gets its block (as V9), and on an idle
 *		ledger without faults soon.
 *
 *-------------------------------------------------------------------------
 */
#include "sim.h"

#include <string.h>

#define LATE_US_MAX		(1000 * SIM_MS)

static int64_t due_after(const SimWorld *world, const SimNode *node,
						 unsigned height);
static int64_t set_by(const SimWorld *world, const SimNode *node,
					  unsigned height);

/* From a stream of chance of its own, so that older seeds keep their story. */
void
sim_due_plan(SimWorld *world)
{
	uint64_t	random = world->random;
	SimPlan    *plan = &world->plan;

	world->random = world->seed * UINT64_C(0xc2b2ae3d27d4eb4f) + 11;
	if (sim_chance(world, 30))
		plan->due_every = 1 + (unsigned) sim_random(world, 8);
	plan->due_us = (1 + (int64_t) sim_random(world, 15000)) * SIM_MS;
	world->random = random;
}

/* What was applied last has something due, or nothing: tell the core. */
void
sim_due_give(SimWorld *world, SimNode *node)
{
	TlInput		input = {.kind = TL_INPUT_DUE};

	if (world->plan.due_every == 0 || node->due_told == node->chain_count)
		return;
	node->due_told = node->chain_count;
	input.height = node->chain_count - 1;
	input.due_us = due_after(world, node, node->chain_count - 1);
	sim_node_step(world, node, &input, true);
}

/* A block is durable: which timers does it run, and how late? */
void
sim_due_final(SimWorld *world, const SimNode *node, unsigned height)
{
	const TlBlockHeader *header = &node->chain[height].header;
	int64_t		due;

	if (world->plan.due_every == 0 || height == 0 || !sim_is_honest(node))
		return;
	due = due_after(world, node, height - 1);
	if (due == 0 || header->time < due || !sim_due_orders_nothing(node, height))
		return;
	world->seen[SIM_SEEN_DUE]++;
	if (world->scenario != NULL && (world->scenario->expect & SIM_EXPECT_DUE) &&
		!world->calm && header->time > due + LATE_US_MAX)
		sim_fail(world, "V22: node %u: what is due in block %u runs %lld ms late",
				 node->id, height, (long long) (header->time - due) / SIM_MS);
}

/* Has a block of that time something to run, on the one of that height? */
bool
sim_due_by(const SimWorld *world, const SimNode *node, unsigned height,
		   int64_t time)
{
	int64_t		due;

	if (world->plan.due_every == 0)
		return false;
	due = due_after(world, node, height);
	return due != 0 && time >= due;
}

/* V22: is there a timer that has had no block? */
const char *
sim_due_unfinished(const SimWorld *world, const SimNode *node)
{
	if (world->plan.due_every == 0 ||
		due_after(world, node, node->chain_count - 1) == 0)
		return NULL;
	return "has a timer without a block (V22)";
}

/* The earliest that is set up to that block and has not run in it, or 0. */
static int64_t
due_after(const SimWorld *world, const SimNode *node, unsigned height)
{
	int64_t		now = node->chain[height].header.time;
	int64_t		earliest = 0;

	for (unsigned i = height; i > 0; i--)
	{
		int64_t		due = set_by(world, node, i);

		if (due > now && (earliest == 0 || due < earliest))
			earliest = due;
		if (node->chain[i].header.time + world->plan.due_us < now)
			break;				/* what earlier ones have set has run */
	}
	return earliest;
}

/* For when block height sets a timer, 0 if it sets none. */
static int64_t
set_by(const SimWorld *world, const SimNode *node, unsigned height)
{
	const TlConsensusBlock *block = &node->chain[height];
	uint64_t	wait;

	if (height % world->plan.due_every != 0 || sim_due_orders_nothing(node, height))
		return 0;
	memcpy(&wait, block->hash.bytes, sizeof(wait));
	return block->header.time + 1 +
		(int64_t) (wait % (uint64_t) world->plan.due_us);
}

bool
sim_due_orders_nothing(const SimNode *node, unsigned height)
{
	const TlConsensusBlock *block = &node->chain[height];

	return block->entry_count == 0 &&
		sim_same(&block->header.cut_hash, &node->chain[height - 1].header.cut_hash);
}
