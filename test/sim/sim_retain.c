/*-------------------------------------------------------------------------
 *
 * sim_retain.c
 *	  For whom pruning waits, and for how long (P18, P19).
 *
 * V27  who prunes what a member has not acknowledged has been owed a row by it, and heard
 *		none, for as long as the limit says, or sees it too many blocks behind; and pruning
 *		goes on beside a member that is silent for good.
 *
 *-------------------------------------------------------------------------
 */
#include "sim.h"

#include <string.h>

/* From a stream of chance of its own, so that older seeds keep their story. */
void
sim_retain_plan(SimWorld *world)
{
	world->plan.retain_us = (world->seed % 3 == 1) ? 60 * 1000 * SIM_MS : 0;
	world->plan.retain_count = (world->seed % 5 == 2) ? 16 : 0;
	world->plan.drops = world->seed % 7 < 4;
	/* Where rows are dropped they have to wait: what lies between may be gone. */
	world->plan.waits = world->plan.drops || world->seed / 7 % 5 < 3;
	world->plan.sums = world->seed / 35 % 3 > 0;
}

/* A core that is made anew has heard nothing yet, and blames nobody (sim_careful.c). */
void
sim_retain_open(const SimWorld *world, SimNode *node)
{
	memset(node->acked, 0, sizeof(node->acked));
	memset(node->owes_us, 0, sizeof(node->owes_us));
	memset(&node->careful, 0, sizeof(node->careful));
	for (unsigned i = 0; i < world->member_count; i++)
		node->heard_us[i] = world->now_us;
}

/* The core has taken a row of another member's log. */
void
sim_retain_row(const SimWorld *world, SimNode *node, const TlLogRow *row)
{
	TlAck		ack;

	node->heard_us[row->member - 1] = world->now_us;
	node->owes_us[row->member - 1] = 0; /* anew, if it goes on */
	if (row->kind == TL_LOG_ACK &&
		tl_consensus_ack_decode(&ack, row->payload.data,
								row->payload.size) == TL_OK &&
		ack.final_height > node->acked[row->member - 1])
		node->acked[row->member - 1] = ack.final_height;
}

/* Who owes this node a row: an ACK of what is final, a vote where there is work. */
void
sim_retain_step(const SimWorld *world, SimNode *node)
{
	const TlConsensusConfig *config = &world->epochs[node->epoch];
	uint64_t	final = node->chain_count + node->final_pending - 1;
	TlConsensusStatus status;

	tl_consensus_status(node->core, &status);
	for (unsigned i = 0; i < config->member_count; i++)
	{
		unsigned	member = config->members[i].number - 1;

		if (node->acked[member] >= final &&
			!(status.works && config->members[i].validator))
			node->owes_us[member] = 0;
		else if (node->owes_us[member] == 0)
			node->owes_us[member] = world->now_us;
	}
}

/* V27, as the core says that rows up to that block may go. */
void
sim_retain_prune(SimWorld *world, SimNode *node, uint64_t height)
{
	const TlConsensusConfig *config = &world->epochs[node->epoch];
	const TlConsensusPace *pace = &world->config.pace;
	uint64_t	final = node->chain_count + node->final_pending - 1;
	int64_t		limit = (pace->retain_us > pace->active_us) ? pace->retain_us : pace->active_us;

	for (unsigned i = 0; i < config->member_count; i++)
	{
		uint32_t	member = config->members[i].number;

		if (member == node->number || node->acked[member - 1] >= height)
			continue;
		world->seen[SIM_SEEN_PASSED]++;
		if (pace->retain_count > 0 &&
			final - node->acked[member - 1] > pace->retain_count)
			continue;
		if (node->owes_us[member - 1] == 0 || world->now_us < node->owes_us[member - 1] + limit)
			sim_fail(world, "V27: node %u would prune at %llu, and member %u, who was there %lld ms ago and owes a row for %lld ms, has %llu",
					 node->id, (unsigned long long) height, member,
					 (long long) ((world->now_us - node->heard_us[member - 1]) / SIM_MS),
					 (long long) (node->owes_us[member - 1] == 0 ? 0 :
								  (world->now_us - node->owes_us[member - 1]) / SIM_MS),
					 (unsigned long long) node->acked[member - 1]);
	}
	node->pruned = height;
	if (world->plan.drops)
		node->to_drop = height;
}

/* V27, when the faults stop: of what is final at least half has been passed. */
void
sim_retain_check(SimWorld *world)
{
	if (world->scenario == NULL || !(world->scenario->expect & SIM_EXPECT_PRUNED))
		return;
	for (unsigned i = 0; i < world->node_count; i++)
	{
		const SimNode *node = &world->nodes[i];

		if (sim_is_honest(node) && 2 * node->pruned + 2 < node->chain_count)
			sim_fail(world, "V27: node %u has %u blocks and pruned to %llu only", i,
					 node->chain_count, (unsigned long long) node->pruned);
	}
}
