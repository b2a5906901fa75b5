/*-------------------------------------------------------------------------
 *
 * sim_check_careful.c
 *	  Whoever lost a view to a missing body orders of that lane with care (P10).
 *
 * V29  A node leaves a view that was nullified, has not voted for its block, which an
 *		honest member proposed on the last final block, and lacks a body that the block
 *		adds to a lane.  For one timer from then on, or until a block is final, it proposes
 *		of that lane only what every active validator has acknowledged.
 *
 * What is missing, what was acknowledged and who is active is looked up in this world.
 * The core may know more reasons to be careful; these it has to know.
 *
 *-------------------------------------------------------------------------
 */
#include "sim.h"

#include <string.h>

static void blame(SimWorld *world, SimNode *node, uint64_t view);
static const SimRow *proposal_of(SimWorld *world, const SimNode *node, uint64_t view);
static bool is_nullified(const SimWorld *world, const SimNode *node, uint64_t view);
static bool has_notarized(const SimNode *node, uint64_t view);
static unsigned read_cut(const SimRow *row, TlLane lanes[TL_MEMBER_COUNT_MAX],
						 TlBlockHeader *header);
static const TlLane *lane_of(const TlLane *lanes, unsigned count, uint32_t member);
static bool all_hold(const SimWorld *world, const SimNode *node, const TlLane *lane);
static bool has_acked(const SimNode *node, uint32_t member, const TlLane *lane);

/* The core has taken a step: has it left a view? */
void
sim_check_careful_step(SimWorld *world, SimNode *node)
{
	TlConsensusStatus status;

	if (world->plan.body_us == 0 || !sim_is_honest(node))
		return;
	tl_consensus_status(node->core, &status);
	if (status.epoch == node->careful_epoch && status.view > node->careful_view)
		blame(world, node, node->careful_view);
	node->careful_epoch = status.epoch;
	node->careful_view = status.view;
}

/* A block is handed over, or the core is made anew: nothing is to be seen any more. */
void
sim_check_careful_end(SimNode *node)
{
	memset(node->careful_us, 0, sizeof(node->careful_us));
}

static void
blame(SimWorld *world, SimNode *node, uint64_t view)
{
	const TlConsensusBlock *tip = &node->chain[node->chain_count + node->final_pending - 1];
	const SimRow *row = proposal_of(world, node, view);
	TlLane		lanes[TL_MEMBER_COUNT_MAX];
	TlBlockHeader header;
	unsigned	count;

	if (row == NULL || has_notarized(node, view) || !is_nullified(world, node, view))
		return;
	count = read_cut(row, lanes, &header);
	if (!sim_same(&header.parent, &tip->hash))
		return;
	for (unsigned i = 0; i < count; i++)
	{
		const TlLane *from = lane_of(tip->cut, tip->lane_count, lanes[i].member);

		if ((from == NULL || !sim_same(&from->digest, &lanes[i].digest)) &&
			!sim_disk_has_body(node, &lanes[i].digest))
			node->careful_us[lanes[i].member - 1] = world->now_us + world->config.pace.timer_us;
	}
}

/* What an honest leader has proposed, if the core has read it. */
static const SimRow *
proposal_of(SimWorld *world, const SimNode *node, uint64_t view)
{
	uint32_t	leader = sim_check_leader(world, node->epoch, view);
	const SimLog *log = &node->logs[leader - 1];

	for (unsigned i = node->read[leader - 1]; sim_is_honest(&world->nodes[leader - 1]) && i-- > 0;)
	{
		if (log->rows[i]->row.kind == TL_LOG_PROPOSE && log->rows[i]->row.view == view &&
			log->rows[i]->row.epoch == node->epoch)
			return log->rows[i];
	}
	return NULL;
}

/* Has it read the votes of a quorum, its own among them? */
static bool
is_nullified(const SimWorld *world, const SimNode *node, uint64_t view)
{
	const TlConsensusConfig *config = &world->epochs[node->epoch];
	unsigned	votes = 0;

	for (unsigned i = 0; i < config->member_count; i++)
	{
		unsigned	member = config->members[i].number - 1;
		const SimLog *log = &node->logs[member];
		bool		found = false;

		for (unsigned j = node->read[member]; !found && j-- > 0;)
			found = log->rows[j]->row.kind == TL_LOG_NULLIFY &&
				log->rows[j]->row.view == view && log->rows[j]->row.epoch == node->epoch;
		votes += found && config->members[i].validator;
	}
	return votes >= tl_consensus_quorum(sim_govern_validators(world, node->epoch),
										config->quorum_of_three);
}

static bool
has_notarized(const SimNode *node, uint64_t view)
{
	const SimLog *logs[2] = {&node->logs[node->number - 1], &node->pending};

	for (unsigned which = 0; which < 2; which++)
	{
		for (unsigned i = logs[which]->count; i-- > 0;)
		{
			const TlLogRow *row = &logs[which]->rows[i]->row;

			if (row->kind == TL_LOG_NOTARIZE && row->view == view && row->epoch == node->epoch)
				return true;
		}
	}
	return false;
}

/* The core proposes. */
void
sim_check_careful_propose(SimWorld *world, const SimNode *node, const TlLogRow *row)
{
	SimRow		proposed = {.row = *row};
	TlLane		lanes[TL_MEMBER_COUNT_MAX];
	TlLane		before[TL_MEMBER_COUNT_MAX];
	TlBlockHeader header;
	TlBlockHeader parent;
	unsigned	count;
	unsigned	before_count;

	if (world->plan.body_us == 0 || row->kind != TL_LOG_PROPOSE || !sim_is_honest(node))
		return;
	count = read_cut(&proposed, lanes, &header);
	before_count = read_cut(sim_find(world, &header.parent), before, &parent);
	for (unsigned i = 0; i < count; i++)
	{
		const TlLane *from = lane_of(before, before_count, lanes[i].member);

		if (world->now_us >= node->careful_us[lanes[i].member - 1] ||
			lanes[i].member == node->number)
			continue;
		world->seen[SIM_SEEN_CAREFUL]++;
		if ((from == NULL || !sim_same(&from->digest, &lanes[i].digest)) &&
			!all_hold(world, node, &lanes[i]))
			sim_fail(world, "V29: node %u lost a view to a missing body of member %u, and proposes in view %llu what some active member has not acknowledged",
					 node->id, lanes[i].member, (unsigned long long) row->view);
	}
}

/* Of a PROPOSE row; 0 if there is none. */
static unsigned
read_cut(const SimRow *row, TlLane lanes[TL_MEMBER_COUNT_MAX], TlBlockHeader *header)
{
	TlProposal	proposal;
	unsigned	count = 0;

	memset(header, 0, sizeof(*header));
	if (row == NULL || row->row.kind != TL_LOG_PROPOSE ||
		tl_consensus_proposal_decode(&proposal, row->row.payload.data,
									 row->row.payload.size) != TL_OK ||
		tl_chain_block_decode(header, proposal.header.data, proposal.header.size) != TL_OK ||
		tl_chain_cut_decode(lanes, &count, TL_MEMBER_COUNT_MAX,
							proposal.cut.data, proposal.cut.size) != TL_OK)
		return 0;
	return count;
}

static const TlLane *
lane_of(const TlLane *lanes, unsigned count, uint32_t member)
{
	for (unsigned i = 0; i < count; i++)
	{
		if (lanes[i].member == member)
			return &lanes[i];
	}
	return NULL;
}

/* Every validator who owes nothing, or has not been silent for long, has acknowledged it. */
static bool
all_hold(const SimWorld *world, const SimNode *node, const TlLane *lane)
{
	const TlConsensusConfig *config = &world->epochs[node->epoch];

	for (unsigned i = 0; i < config->member_count; i++)
	{
		uint32_t	member = config->members[i].number;
		int64_t		owes_us = node->owes_us[member - 1];

		if (!config->members[i].validator || member == node->number || member == lane->member ||
			(owes_us != 0 && world->now_us >= owes_us + config->pace.active_us))
			continue;
		if (!has_acked(node, member, lane))
			return false;
	}
	return true;
}

static bool
has_acked(const SimNode *node, uint32_t member, const TlLane *lane)
{
	const SimLog *log = &node->logs[member - 1];

	for (unsigned i = node->read[member - 1]; i-- > 0;)
	{
		const TlLogRow *row = &log->rows[i]->row;
		TlLane		lanes[TL_MEMBER_COUNT_MAX];
		const TlLane *acked;
		unsigned	count;
		TlAck		ack;

		if (row->kind != TL_LOG_ACK ||
			tl_consensus_ack_decode(&ack, row->payload.data, row->payload.size) != TL_OK ||
			tl_chain_cut_decode(lanes, &count, TL_MEMBER_COUNT_MAX,
								ack.lanes.data, ack.lanes.size) != TL_OK)
			continue;
		acked = lane_of(lanes, count, lane->member);
		if (acked != NULL)
			return acked->incarnation == lane->incarnation && acked->batch >= lane->batch;
	}
	return false;
}
