/*-------------------------------------------------------------------------
 *
 * sim_careful.c
 *	  Lanes that cost a view are ordered with care (P10).
 *
 * V34	a view was nullified, and a member could not vote for its block as bodies of a
 *		lane were missing: for one timer, twice as long each time, it proposes of that lane
 *		only what every active validator has acknowledged, until a block of the lane is final
 *
 * The core decides when the nullification is counted, this check when the step is over.
 * So it looks only at what is certain at both ends of the step: blocks of honest leaders
 * whose ancestors were here before, bodies that are missing before and after, votes of a
 * quorum that were read, lanes that no block of the same step ends; and not where a disk
 * has forgotten what its core may know.
 * It does not find care that ends too late, or never, and of an ACK beyond the batch not
 * on which branch that lies: test_consensus_instance.c.
 *
 *-------------------------------------------------------------------------
 */
#include "sim.h"

#include "consensus_summary.h"

#include <string.h>

static uint64_t missing(SimWorld *world, const SimNode *node);
static const SimRow *find_proposal(SimWorld *world, const SimNode *node);
static bool has_voted(const SimNode *node);
static bool is_linked(SimWorld *world, const SimNode *node, const TlHash *block);
static unsigned read_cut(const TlLogRow *row, TlBlockHeader *header, TlLane *lanes);
static unsigned cut_of(SimWorld *world, const TlHash *block, TlLane *lanes);
static bool was_nullified(const SimWorld *world, const SimNode *node, uint64_t view);
static void blame(SimWorld *world, SimNode *node, uint64_t lanes);
static TlHash final_place(const SimNode *node, unsigned blocks, unsigned lane);
static void check_lane(SimWorld *world, SimNode *node, const TlLane *to);

/* The core has settled. */
void
sim_careful_step(SimWorld *world, SimNode *node)
{
	SimCareful *careful = &node->careful;
	TlConsensusStatus status;

	if (!sim_is_honest(node) || world->forgotten)
		return;
	tl_consensus_status(node->core, &status);
	if (status.view == careful->view + 1 && careful->missing != 0)
	{
		uint64_t	still = careful->missing & missing(world, node);

		if (still != 0 && was_nullified(world, node, careful->view))
			blame(world, node, still);
	}
	if (careful->view != status.view)
		careful->leader = sim_check_leader(world, node->epoch, status.view);
	careful->view = status.view;
	careful->blocks = node->chain_count + node->final_pending;
	/* Who may not vote in it lacks no body for that. */
	careful->missing = (status.view > status.floor && !status.asking && !status.lost) ?
		missing(world, node) : 0;
}

/* Lanes of the view's block whose bodies are not here, by bit. */
static uint64_t
missing(SimWorld *world, const SimNode *node)
{
	const SimRow *row = find_proposal(world, node);
	TlLane		to[TL_MEMBER_COUNT_MAX];
	TlLane		from[TL_MEMBER_COUNT_MAX];
	TlBlockHeader header;
	unsigned	count;
	unsigned	from_count;
	uint64_t	lanes = 0;

	if (row == NULL)
		return 0;
	count = read_cut(&row->row, &header, to);
	if (!is_linked(world, node, &header.parent))
		return 0;
	from_count = cut_of(world, &header.parent, from);
	for (unsigned i = 0; i < count; i++)
	{
		const TlLane *parent = sim_lane(from, from_count, to[i].member);

		if ((parent == NULL || !sim_same(&parent->digest, &to[i].digest)) &&
			!sim_disk_has_body(node, &to[i].digest))
			lanes |= UINT64_C(1) << (to[i].member - 1);
	}
	return (lanes != 0 && has_voted(node)) ? 0 : lanes;
}

/* Of an honest leader, who makes but one, and read from his log. */
static const SimRow *
find_proposal(SimWorld *world, const SimNode *node)
{
	uint32_t	leader = node->careful.leader;
	uint64_t	view = node->careful.view;
	const SimLog *log = &node->logs[leader - 1];

	if (!sim_is_honest(&world->nodes[leader - 1]) || leader == node->number)
		return NULL;
	for (unsigned i = node->read[leader - 1]; i-- > 0;)
	{
		const TlLogRow *row = &log->rows[i]->row;

		if (row->kind == TL_LOG_PROPOSE && row->epoch == node->epoch && row->view == view)
			return log->rows[i];
		if (row->epoch < node->epoch || row->view + 2 < view)
			break;
	}
	return NULL;
}

/* Before its disk lost the bodies, or a crash the core. */
static bool
has_voted(const SimNode *node)
{
	const SimLog *log = &node->logs[node->number - 1];

	for (unsigned i = log->count; i-- > 0;)
	{
		const TlLogRow *row = &log->rows[i]->row;

		if (row->kind == TL_LOG_NOTARIZE && row->epoch == node->epoch &&
			row->view == node->careful.view)
			return true;
	}
	return false;
}

/* From the block down to the last final one: has the core all of them? */
static bool
is_linked(SimWorld *world, const SimNode *node, const TlHash *block)
{
	const TlConsensusBlock *tip = &node->chain[node->chain_count + node->final_pending - 1];
	TlHash		hash = *block;

	while (!sim_same(&hash, &tip->hash))
	{
		const SimRow *row = sim_find(world, &hash);
		TlLane		lanes[TL_MEMBER_COUNT_MAX];
		TlBlockHeader header;

		/* In its log: whether its disk has it says nothing of the core. */
		if (row == NULL || !sim_log_has(&node->logs[row->row.member - 1],
										node->read[row->row.member - 1], row))
			return false;
		(void) read_cut(&row->row, &header, lanes);
		if (header.height <= tip->header.height)
			return false;
		hash = header.parent;
	}
	return true;
}

/* Nothing of genesis, which nobody has proposed. */
static unsigned
cut_of(SimWorld *world, const TlHash *block, TlLane *lanes)
{
	const SimRow *row = sim_find(world, block);
	TlBlockHeader header;

	return (row != NULL) ? read_cut(&row->row, &header, lanes) : 0;
}

/* Of a PROPOSE row. */
static unsigned
read_cut(const TlLogRow *row, TlBlockHeader *header, TlLane *lanes)
{
	TlProposal	proposal;
	unsigned	count = 0;

	memset(header, 0, sizeof(*header));
	if (tl_consensus_proposal_decode(&proposal, row->payload.data,
									 row->payload.size) != TL_OK ||
		tl_chain_block_decode(header, proposal.header.data, proposal.header.size) != TL_OK ||
		tl_chain_cut_decode(lanes, &count, TL_MEMBER_COUNT_MAX,
							proposal.cut.data, proposal.cut.size) != TL_OK)
		return 0;
	return count;
}

/* By q whose logs were read, and of whom the core counts votes (R45). */
static bool
was_nullified(const SimWorld *world, const SimNode *node, uint64_t view)
{
	const TlConsensusConfig *config = &world->epochs[node->epoch];
	unsigned	validators = sim_govern_validators(world, node->epoch);
	unsigned	count = 0;

	for (unsigned i = 0; i < config->member_count; i++)
	{
		unsigned	log = config->members[i].number - 1;
		TlLogSummary summary;

		if (!config->members[i].validator ||
			(tl_consensus_summary(node->core, log + 1, &summary) && summary.doubled))
			continue;
		for (unsigned j = node->read[log]; j-- > 0;)
		{
			const TlLogRow *row = &node->logs[log].rows[j]->row;

			if (row->kind != TL_LOG_NULLIFY || row->epoch != node->epoch || row->view != view)
				continue;
			count++;
			break;
		}
	}
	return count >= tl_consensus_quorum(validators, config->quorum_of_three);
}

static void
blame(SimWorld *world, SimNode *node, uint64_t lanes)
{
	const TlConsensusPace *pace = &world->config.pace;

	for (unsigned i = 0; i < world->member_count; i++)
	{
		SimCareful *careful = &node->careful;
		TlHash		before = final_place(node, careful->blocks, i);
		TlHash		place = final_place(node, node->chain_count + node->final_pending, i);
		int64_t		time;

		/* A block of the lane that became final in this step has ended it, if it came last. */
		if ((lanes >> i & 1) == 0 || !sim_same(&before, &place))
			continue;
		if (!sim_same(&place, &careful->final[i]))
			careful->strikes[i] = 0;
		careful->final[i] = place;
		time = pace->timer_us << (careful->strikes[i] < 16 ? careful->strikes[i] : 16);
		careful->strikes[i]++;
		careful->until_us[i] = world->now_us + (time < pace->timer_max_us ? time : pace->timer_max_us);
	}
}

/* How far the last of so many final blocks reaches into that lane. */
static TlHash
final_place(const SimNode *node, unsigned blocks, unsigned lane)
{
	const TlConsensusBlock *tip = &node->chain[blocks - 1];
	const TlLane *place = sim_lane(tip->cut, tip->lane_count, lane + 1);
	TlHash		none = {{0}};

	return (place != NULL) ? place->digest : none;
}

/* V34, of a block that an honest node proposes. */
void
sim_careful_propose(SimWorld *world, SimNode *node, const TlLogRow *row)
{
	TlLane		to[TL_MEMBER_COUNT_MAX];
	TlLane		from[TL_MEMBER_COUNT_MAX];
	TlBlockHeader header;
	unsigned	from_count;
	unsigned	count;

	if (row->kind != TL_LOG_PROPOSE || !sim_is_honest(node))
		return;
	count = read_cut(row, &header, to);
	from_count = cut_of(world, &header.parent, from);
	for (unsigned i = 0; i < count; i++)
	{
		const TlLane *parent = sim_lane(from, from_count, to[i].member);

		if (to[i].member != node->number &&
			(parent == NULL || !sim_same(&parent->digest, &to[i].digest)))
			check_lane(world, node, &to[i]);
	}
}

static void
check_lane(SimWorld *world, SimNode *node, const TlLane *to)
{
	const TlConsensusConfig *config = &world->epochs[node->epoch];
	const SimCareful *careful = &node->careful;
	unsigned	lane = to->member - 1;
	TlHash		place = final_place(node, node->chain_count + node->final_pending, lane);

	if (world->now_us >= careful->until_us[lane] || !sim_same(&place, &careful->final[lane]))
		return;
	world->seen[SIM_SEEN_CAREFUL]++;
	for (unsigned i = 0; i < config->member_count; i++)
	{
		uint32_t	member = config->members[i].number;
		int64_t		owes_us = node->owes_us[member - 1];
		TlLogSummary summary;
		const TlLane *ack;

		if (!config->members[i].validator || member == to->member || member == node->number ||
			(owes_us != 0 && world->now_us >= owes_us + config->pace.active_us))
			continue;
		ack = tl_consensus_summary(node->core, member, &summary) ?
			sim_lane(summary.lanes, summary.lane_count, to->member) : NULL;
		if (ack == NULL || ack->incarnation < to->incarnation ||
			(ack->incarnation == to->incarnation &&
			 (ack->batch < to->batch ||
			  (ack->batch == to->batch && !sim_same(&ack->digest, &to->digest)))))
			sim_fail(world, "V34: node %u orders batch %llu of member %u, "
					 "which has cost %u views, and member %u has not acknowledged it",
					 node->id, (unsigned long long) to->batch, to->member,
					 careful->strikes[lane], member);
	}
}
