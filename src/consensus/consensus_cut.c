/*-------------------------------------------------------------------------
 *
 * consensus_cut.c
 *	  How far a block reaches into the lanes: chosen, checked, asked for.
 *
 * Invariants
 *	  N12 a cut chosen here descends from the parent's, lane by lane
 *
 * Pure code: no PostgreSQL, no allocation, no clock.
 *
 *-------------------------------------------------------------------------
 */
#include "consensus_state.h"

#include "merkle_range.h"

#include <string.h>

static TlKnownBatch *reach(TlConsensus *core, unsigned lane, const TlLane *cut);
static void be_wary(TlConsensus *core, TlLaneState *lane);
static TlStatus check_targets(TlConsensus *core, const TlConsensusBlock *parent,
							  const TlConsensusBlock *block);
static void fetch_lane(TlConsensus *core, unsigned lane, const TlLane *from,
					   const TlLane *to, bool mark, bool again);

/*
 * The cut of a block on that parent: of each lane as far as q hold it, and small
 * batches beyond (P22); of the own lane all, in turns of one batch a lane until the
 * block is full.  The first turn starts at a lane that the parent's hash chooses.
 */
void
tl_consensus_cut_choose(TlConsensus *core, const TlConsensusBlock *parent,
						TlConsensusBlock *out)
{
	unsigned	count = core->config.member_count;
	TlKnownBatch *targets[TL_MEMBER_COUNT_MAX];
	uint64_t	size = 0;
	unsigned	batches = 0;
	bool		moved = true;

	/* Lanes of members that left have ended where the last epoch did. */
	for (unsigned i = 0; i < parent->lane_count; i++)
	{
		if (tl_consensus_index(core, parent->cut[i].member) < count)
			tl_consensus_block_set_lane(out, &parent->cut[i]);
	}
	for (unsigned i = 0; i < count; i++)
	{
		const TlLane *from = tl_consensus_lane_find(parent,
													core->config.members[i].number);

		targets[i] = (i == core->own.index) ?
			tl_consensus_batch_head_after(core, i, from, false) :
			reach(core, i, from);
	}
	while (moved)
	{
		moved = false;
		for (unsigned turn = 0; turn < count; turn++)
		{
			unsigned	lane = (parent->hash.bytes[0] + turn) % count;
			uint32_t	member = core->config.members[lane].number;
			TlKnownBatch *next;
			TlLane		place;

			if (targets[lane] == NULL)
				continue;
			next = tl_consensus_batch_step(core, lane, tl_consensus_lane_find(out, member),
										   targets[lane]);
			if (next == NULL)
				continue;
			if (!TL_RULE(14, batches == 0 ||
						 (size + next->body_size <= TL_BLOCK_BODY_SIZE_MAX &&
						  batches < TL_BLOCK_BATCHES_MAX)))
				return;
			place = tl_consensus_batch_place(core, lane, next);
			tl_consensus_block_set_lane(out, &place);
			size += next->body_size;
			batches++;
			moved = true;
		}
	}
}

/*
 * P22: another one's lane as far as q hold it, and beyond that what this node holds, up
 * to the first large batch: the others have it, or ask for it when they see the block.
 * Not of a lane of which they lacked something of late.
 */
static TlKnownBatch *
reach(TlConsensus *core, unsigned lane, const TlLane *cut)
{
	const TlLaneState *state = &core->lanes[lane];
	TlKnownBatch *known = tl_consensus_cut_head(core, lane, cut);
	const TlHash *from = (cut != NULL) ? &cut->digest : NULL;
	TlKnownBatch *head;

	if (core->config.pace.ack_wait_us == 0 || core->now_us < state->strict_us ||
		core->now_us < state->wary_us)
		return known;
	head = tl_consensus_batch_head_after(core, lane, cut, false);
	if (known != NULL)
		from = &known->digest;
	if (head != NULL)
		head = tl_consensus_batch_all_small(core, lane, from, head);
	if (head == NULL || tl_consensus_batch_step(core, lane, cut, head) == NULL)
		return known;
	return head;
}

/*
 * How far another one's lane may be ordered beyond that cut: as far as q hold it
 * or, for a time after a view was lost to a missing body (P10), every validator who is
 * active.
 */
TlKnownBatch *
tl_consensus_cut_head(TlConsensus *core, unsigned lane, const TlLane *cut)
{
	TlKnownBatch *head = tl_consensus_batch_head_after(core, lane, cut, true);
	unsigned	steps = 0;

	if (head == NULL || core->now_us >= core->lanes[lane].strict_us)
		return head;
	tl_consensus_pace_wake(core, core->lanes[lane].strict_us);
	while (head != NULL && steps++ < core->config.lane_length &&
		   !tl_consensus_batch_all_hold(core, lane, head))
		head = tl_consensus_batch_starts_at(cut, head) ? NULL :
			tl_consensus_batch_find(core, lane, &head->previous);
	return head;
}

/*
 * A view was nullified.  If this node could not vote for its block because bodies
 * are missing, their lanes are ordered more carefully: twice as long each time.
 */
void
tl_consensus_cut_blame(TlConsensus *core, const TlView *view)
{
	const TlConsensusBlock *block = &view->first.block;
	const TlConsensusBlock *parent;

	if (!core->started || !view->first.present || !view->first.linked ||
		view->first.bad || view->own_notarize || TL_FORGOTTEN(110))
		return;
	parent = tl_consensus_proposal_parent(core, block);
	for (unsigned i = 0; parent != NULL && i < block->lane_count; i++)
	{
		const TlLane *to = &block->cut[i];
		const TlLane *from = tl_consensus_lane_find(parent, to->member);
		unsigned	lane = tl_consensus_index(core, to->member);
		TlLaneState *state;
		const TlKnownBatch *batch;
		int64_t		time = core->config.pace.timer_us;

		if (lane >= core->config.member_count ||
			(from != NULL && tl_consensus_same(&from->digest, &to->digest)))
			continue;
		batch = tl_consensus_batch_find(core, lane, &to->digest);
		if (batch != NULL && batch->complete)
			continue;
		state = &core->lanes[lane];
		time <<= (state->strikes < 16) ? state->strikes : 16;
		if (time > core->config.pace.timer_max_us)
			time = core->config.pace.timer_max_us;
		state->strikes++;
		state->strict_us = core->now_us + time;
		be_wary(core, state);
	}
}

/* A body of that lane is here: has a proposal waited for it for more than its time? */
void
tl_consensus_cut_came(TlConsensus *core, unsigned lane)
{
	TlLaneState *state = &core->lanes[lane];

	if (state->lacking_us != 0 && core->hop.quorum_us != 0 &&
		core->now_us > state->lacking_us + core->hop.quorum_us)
		be_wary(core, state);
	state->lacking_us = 0;
}

/* P22: for the longest timer, twice as long each time. */
static void
be_wary(TlConsensus *core, TlLaneState *lane)
{
	unsigned	doublings = (lane->lapses < 8) ? lane->lapses : 8;

	lane->wary_us = core->now_us + (core->config.pace.timer_max_us << doublings);
	lane->lapses++;
}

/*
 * R11, as far as two cuts say it: is a lane gone, lower, or elsewhere?  Lanes
 * of those who left with the last epoch are gone.
 */
bool
tl_consensus_cut_goes_back(const TlConsensus *core,
						   const TlConsensusBlock *parent,
						   const TlConsensusBlock *block)
{
	for (unsigned i = 0; i < parent->lane_count; i++)
	{
		const TlLane *from = &parent->cut[i];
		const TlLane *to = tl_consensus_lane_find(block, from->member);

		if (tl_consensus_index(core, from->member) >= core->config.member_count)
			continue;
		if (to == NULL || to->incarnation < from->incarnation ||
			(to->incarnation == from->incarnation &&
			 (to->batch < from->batch ||
			  (to->batch == from->batch &&
			   !tl_consensus_same(&to->digest, &from->digest)))))
			return true;
	}
	return false;
}

/*
 * Root over the digests of the batches between two cuts, and their size.
 * TL_NOT_FINAL if one of them is not held, TL_BAD_ORDER if the cut goes back
 * or leaves the parent's branch.
 */
TlStatus
tl_consensus_cut_root(TlConsensus *core, const TlConsensusBlock *parent,
					  const TlConsensusBlock *block, TlHash *root,
					  uint64_t *size)
{
	TlMerkleRange range;
	TlStatus	status;

	*size = 0;
	if (!TL_RULE(11, !tl_consensus_cut_goes_back(core, parent, block)))
		return TL_BAD_ORDER;
	/* This is asked again with each row that comes: hash once all is there. */
	status = check_targets(core, parent, block);
	if (status != TL_OK)
		return status;
	tl_merkle_range_init(&range);
	for (unsigned i = 0; i < block->lane_count; i++)
	{
		const TlLane *to = &block->cut[i];
		const TlLane *from = tl_consensus_lane_find(parent, to->member);
		unsigned	lane = tl_consensus_index(core, to->member);
		TlKnownBatch *target;
		TlKnownBatch *next;
		const TlLane *place;
		TlLane		at;

		if (from != NULL && tl_consensus_same(&from->digest, &to->digest))
			continue;
		target = tl_consensus_batch_find(core, lane, &to->digest);
		if (target == NULL)
			continue;
		if (tl_consensus_batch_step(core, lane, from, target) == NULL)
			return TL_BAD_ORDER;
		place = from;
		while ((next = tl_consensus_batch_step(core, lane, place, target)) != NULL)
		{
			*size += next->body_size;
			if (tl_merkle_range_append(&range, &next->digest) != TL_OK)
				return TL_BUG;
			at = tl_consensus_batch_place(core, lane, next);
			place = &at;
		}
	}
	if (!TL_RULE(14, range.size <= 1 || range.size <= TL_BLOCK_BATCHES_MAX))
		return TL_TOO_LARGE;
	if (!TL_RULE(14, range.size <= 1 || *size <= TL_BLOCK_BODY_SIZE_MAX))
		return TL_TOO_LARGE;
	tl_merkle_range_root(&range, root);
	return TL_OK;
}

/* Is the batch at which the cut ends in each lane complete, and the one it says? */
static TlStatus
check_targets(TlConsensus *core, const TlConsensusBlock *parent,
			  const TlConsensusBlock *block)
{
	TlStatus	status = TL_OK;

	for (unsigned i = 0; i < block->lane_count; i++)
	{
		const TlLane *to = &block->cut[i];
		const TlLane *from = tl_consensus_lane_find(parent, to->member);
		unsigned	lane = tl_consensus_index(core, to->member);
		const TlKnownBatch *target;

		if (lane >= core->config.member_count)
			return TL_BAD_ORDER;
		if (from != NULL && tl_consensus_same(&from->digest, &to->digest))
			continue;
		target = tl_consensus_batch_find(core, lane, &to->digest);
		if (!TL_RULE(12, target != NULL && target->complete))
			status = TL_NOT_FINAL;
		else if (target != NULL && (target->batch != to->batch ||
									target->incarnation != to->incarnation))
			return TL_BAD_ORDER;
	}
	return status;
}

/*
 * Ask for what is missing of a block: per lane the batch nearest to its cut,
 * then the one before as soon as that has come.  What a final block orders keeps
 * its place against what a proposal does.  True if nothing is missing.
 */
bool
tl_consensus_cut_fetch(TlConsensus *core, const TlConsensusBlock *parent,
					   const TlConsensusBlock *block, bool final,
					   int64_t *asked_us)
{
	bool		all = true;
	bool		may = false;

	for (unsigned i = 0; i < block->lane_count; i++)
	{
		const TlLane *to = &block->cut[i];
		const TlLane *from = tl_consensus_lane_find(parent, to->member);
		unsigned	lane = tl_consensus_index(core, to->member);
		TlKnownBatch *batch;
		bool		mark;

		if (lane >= core->config.member_count ||
			(from != NULL && tl_consensus_same(&from->digest, &to->digest)))
			continue;
		batch = tl_consensus_batch_find(core, lane, &to->digest);
		if (batch != NULL && batch->complete)
			continue;
		if (!final && core->lanes[lane].lacking_us == 0 &&
			(batch == NULL || batch->body_size <= TL_CONSENSUS_SMALL_BODY))
			core->lanes[lane].lacking_us = core->now_us;
		if (all)
			may = tl_consensus_pace_may_fetch(core, asked_us);
		all = false;
		mark = final || !core->lanes[lane].bound;
		if (!may && !(mark && core->lanes[lane].came))
			continue;
		fetch_lane(core, lane, from, to, mark, may);
		core->lanes[lane].bound |= final;
	}
	return all;
}

/*
 * Walk down to what is missing; ask for it, and once more for all bodies on the
 * way that are not here.
 */
static void
fetch_lane(TlConsensus *core, unsigned lane, const TlLane *from,
		   const TlLane *to, bool mark, bool again)
{
	TlLaneState *state = &core->lanes[lane];
	TlLane		wanted = *to;

	for (unsigned i = 0; mark && i < state->count; i++)
		state->batches[i].wanted = false;
	if (mark)
		state->came = false;
	for (unsigned steps = 0; steps < core->config.lane_length; steps++)
	{
		TlKnownBatch *batch = tl_consensus_batch_find(core, lane, &wanted.digest);
		TlAction   *action;

		if (batch != NULL && mark)
			batch->wanted = true;
		if (batch == NULL && mark)
			state->missing = wanted.digest;
		if (batch == NULL || (again && !batch->held))
		{
			action = tl_consensus_act(core, TL_ACT_FETCH_BATCH);
			if (action == NULL)
				return;
			action->lane = wanted;
			if (batch != NULL)
				batch->asked_us = core->now_us; /* not once more, P8 */
		}
		if (batch == NULL || batch->batch == 1 || tl_consensus_batch_starts_at(from, batch))
			return;
		wanted.batch = batch->batch - 1;
		wanted.digest = batch->previous;
	}
}

/* Put a lane into the cut, in order of member. */
void
tl_consensus_block_set_lane(TlConsensusBlock *block, const TlLane *lane)
{
	unsigned	i = 0;

	while (i < block->lane_count && block->cut[i].member < lane->member)
		i++;
	if (i == block->lane_count || block->cut[i].member != lane->member)
	{
		memmove(&block->cut[i + 1], &block->cut[i],
				(block->lane_count - i) * sizeof(TlLane));
		block->lane_count++;
	}
	block->cut[i] = *lane;
}
