/*-------------------------------------------------------------------------
 *
 * consensus_lane.c
 *	  Lanes: which batches are here, which are acknowledged, and cuts.
 *
 * A lane is the chain of one member's batches.  Known are those above the last
 * final cut, on every branch that was seen; a batch is complete if its bodies
 * and those of all before it, down to that cut, are held.
 *
 * Invariants
 *	  B1  complete implies held, and a known predecessor or the final cut
 *	  B2  a cut chosen here descends from the parent's, lane by lane
 *
 * Pure code: no PostgreSQL, no allocation, no clock.
 *
 *-------------------------------------------------------------------------
 */
#include "consensus_state.h"

#include "chain_batch.h"
#include "consensus_payload.h"
#include "merkle_range.h"

#include <string.h>

static TlKnownBatch *find_batch(TlConsensus *core, unsigned lane,
								const TlHash *digest);
static TlKnownBatch *add_batch(TlConsensus *core, unsigned lane,
							   uint64_t number, bool wanted);
static void complete(TlConsensus *core, unsigned lane);
static bool starts_at(const TlLane *cut, const TlKnownBatch *batch);
static bool reaches(TlConsensus *core, unsigned lane, const TlLane *cut,
					const TlKnownBatch *batch);
static TlKnownBatch *newest(TlConsensus *core, unsigned lane,
							const TlLane *cut, bool acked);
static bool is_acked(TlConsensus *core, unsigned lane,
					 const TlKnownBatch *batch);
static uint64_t body_size(const TlBatchHeader *header);
static void set_lane(TlConsensusBlock *block, const TlLane *lane);
static void fetch_lane(TlConsensus *core, unsigned lane, const TlLane *from,
					   const TlLane *to, bool final);
static TlKnownBatch *step_from(TlConsensus *core, unsigned lane,
							   const TlLane *from, TlKnownBatch *target);

const TlLane *
tl_consensus_lane_find(const TlConsensusBlock *block, uint32_t member)
{
	for (unsigned i = 0; i < block->lane_count; i++)
	{
		if (block->cut[i].member == member)
			return &block->cut[i];
	}
	return NULL;
}

/* A BATCH row, of its log in order or fetched for a cut that names it. */
void
tl_consensus_lane_batch(TlConsensus *core, const TlLogRow *row, bool loose)
{
	unsigned	lane = tl_consensus_index(core, row->member);
	const TlLane *cut = tl_consensus_lane_find(&core->base, row->member);
	TlBatchHeader header;
	TlKnownBatch *batch;
	TlHash		digest;
	bool		wanted;

	if (tl_chain_batch_decode(&header, row->payload.data,
							  row->payload.size) != TL_OK ||
		header.member != row->member ||
		!tl_consensus_same(&header.chain_id, &core->config.chain_id))
	{
		tl_consensus_alarm(core, TL_ALARM_ILLEGAL_ROW, row->member);
		return;
	}
	tl_chain_batch_digest(&digest, row->payload.data, row->payload.size);
	if (cut != NULL && (header.incarnation < cut->incarnation ||
						(header.incarnation == cut->incarnation &&
						 header.batch <= cut->batch)))
		return;
	batch = find_batch(core, lane, &digest);
	if (batch != NULL)
		return;
	wanted = tl_consensus_same(&digest, &core->lanes[lane].missing);
	batch = add_batch(core, lane, header.batch, wanted);
	if (batch == NULL)
		return;
	batch->present = true;
	batch->loose = loose;
	batch->wanted = wanted;
	batch->incarnation = header.incarnation;
	batch->batch = header.batch;
	batch->digest = digest;
	batch->previous = header.previous;
	batch->body_size = body_size(&header);
	/* What this node signed it built, and without chunks nothing is missing. */
	batch->held = (lane == core->own.index || header.chunk_count == 0);
	batch->asked_us = core->now_us;
	complete(core, lane);
}

void
tl_consensus_lane_held(TlConsensus *core, const TlLane *lane)
{
	unsigned	index = tl_consensus_index(core, lane->member);
	TlKnownBatch *batch;

	if (index >= core->config.member_count)
		return;
	batch = find_batch(core, index, &lane->digest);
	if (batch == NULL || batch->held)
		return;
	batch->held = true;
	complete(core, index);
}

void
tl_consensus_lane_ack_row(TlConsensus *core, const TlLogRow *row,
						  unsigned index)
{
	TlAck		ack;
	TlLane		lanes[TL_MEMBER_COUNT_MAX];
	unsigned	count;

	if (tl_consensus_ack_decode(&ack, row->payload.data,
								row->payload.size) != TL_OK ||
		tl_chain_cut_decode(lanes, &count, TL_MEMBER_COUNT_MAX,
							ack.lanes.data, ack.lanes.size) != TL_OK)
	{
		tl_consensus_alarm(core, TL_ALARM_ILLEGAL_ROW, row->member);
		return;
	}
	for (unsigned i = 0; i < count; i++)
	{
		unsigned	lane = tl_consensus_index(core, lanes[i].member);

		if (lane < core->config.member_count)
			core->acks[index * core->config.member_count + lane] = lanes[i];
	}
	if (ack.final_height > core->peers[index].final_height)
	{
		core->peers[index].final_height = ack.final_height;
		tl_consensus_pace_acked(core, index);
	}
}

/* Append the own next batch, if it is that. */
bool
tl_consensus_lane_make(TlConsensus *core, TlSpan payload)
{
	const TlLane *cut = tl_consensus_lane_find(&core->base, core->config.member);
	TlBatchHeader header;
	TlKnownBatch *head;
	TlLogRow	row;
	uint64_t	before;

	if (core->own.index >= core->config.member_count ||
		tl_chain_batch_decode(&header, payload.data, payload.size) != TL_OK ||
		header.member != core->config.member)
		return false;
	head = newest(core, core->own.index, cut, false);
	before = (head != NULL) ? head->batch : (cut != NULL) ? cut->batch : 0;
	if (header.batch != before + 1)
		return false;
	if (before - (cut != NULL ? cut->batch : 0) + 2 > core->config.lane_length)
		return false;
	if (!tl_consensus_append(core, TL_LOG_BATCH, core->own.view, payload))
		return false;
	/* Known at once: a proposal in the same transaction may order it. */
	memset(&row, 0, sizeof(row));
	row.member = core->config.member;
	row.payload = payload;
	tl_consensus_lane_batch(core, &row, false);
	return true;
}

/* Say what moved since the last ACK, and once what is final when idle. */
void
tl_consensus_lane_acknowledge(TlConsensus *core)
{
	unsigned	own = core->own.index;
	TlLane		lanes[TL_MEMBER_COUNT_MAX];
	unsigned	count = 0;
	uint8_t		bytes[TL_ACK_SIZE_MAX];
	uint8_t		cut_bytes[TL_MEMBER_COUNT_MAX * TL_BLOCK_LANE_SIZE];
	TlWriter	writer;
	TlWriter	cut_writer;
	TlAck		ack;
	TlSpan		payload;

	if (own >= core->config.member_count || core->validator_count == 1)
		return;
	for (unsigned i = 0; i < core->config.member_count; i++)
	{
		const TlKnownBatch *head;
		TlLane	   *acked = &core->lanes[i].acked;

		if (i == own)
			continue;
		head = newest(core, i, tl_consensus_lane_find(&core->base,
													  core->config.members[i].number), false);
		if (head == NULL || tl_consensus_same(&head->digest, &acked->digest))
			continue;
		lanes[count].member = core->config.members[i].number;
		lanes[count].incarnation = head->incarnation;
		lanes[count].batch = head->batch;
		lanes[count].digest = head->digest;
		count++;
	}
	if (count == 0 && (core->own.final_acked >= core->base.header.height ||
					   core->pace.work_us != 0))
		return;
	tl_writer_init(&cut_writer, cut_bytes, sizeof(cut_bytes));
	memset(&ack, 0, sizeof(ack));
	ack.final_height = core->base.header.height;
	ack.final_block = core->base.hash;
	if (tl_chain_cut_encode(&cut_writer, lanes, count) != TL_OK)
		return;
	ack.lanes.data = cut_bytes;
	ack.lanes.size = cut_writer.size;
	tl_writer_init(&writer, bytes, sizeof(bytes));
	if (tl_consensus_ack_encode(&writer, &ack) != TL_OK)
		return;
	payload = tl_consensus_keep(core, bytes, writer.size);
	if (payload.size == 0 ||
		!tl_consensus_append(core, TL_LOG_ACK, core->own.view, payload))
		return;
	for (unsigned i = 0; i < count; i++)
		core->lanes[tl_consensus_index(core, lanes[i].member)].acked = lanes[i];
	core->own.final_acked = core->base.header.height;
}

/* Is there a batch that a leader could order and no final block has? */
bool
tl_consensus_lane_work(TlConsensus *core)
{
	for (unsigned i = 0; i < core->config.member_count; i++)
	{
		const TlLane *cut = tl_consensus_lane_find(&core->base,
												   core->config.members[i].number);

		if (newest(core, i, cut, true) != NULL)
			return true;
	}
	return false;
}

/*
 * The cut of a block on that parent: of each lane as far as q hold it, of the
 * own lane all, in turns of one batch a lane until the block is full.  The
 * first turn starts at a lane that the parent's hash chooses.
 */
void
tl_consensus_lane_choose(TlConsensus *core, const TlConsensusBlock *parent,
						 TlConsensusBlock *out)
{
	unsigned	count = core->config.member_count;
	TlKnownBatch *targets[TL_MEMBER_COUNT_MAX];
	uint64_t	size = 0;
	unsigned	batches = 0;
	bool		moved = true;

	out->lane_count = parent->lane_count;
	memcpy(out->cut, parent->cut, sizeof(parent->cut));
	for (unsigned i = 0; i < count; i++)
		targets[i] = newest(core, i, tl_consensus_lane_find(parent,
															core->config.members[i].number),
							i != core->own.index);
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
			next = step_from(core, lane, tl_consensus_lane_find(out, member),
							 targets[lane]);
			if (next == NULL)
				continue;
			if (batches > 0 && (size + next->body_size > TL_BLOCK_BODY_SIZE_MAX ||
								batches >= TL_BLOCK_BATCHES_MAX))
				return;
			place.member = member;
			place.incarnation = next->incarnation;
			place.batch = next->batch;
			place.digest = next->digest;
			set_lane(out, &place);
			size += next->body_size;
			batches++;
			moved = true;
		}
	}
}

/*
 * Root over the digests of the batches between two cuts, and their size.
 * TL_NOT_FINAL if one of them is not held, TL_BAD_ORDER if the cut goes back
 * or leaves the parent's branch.
 */
TlStatus
tl_consensus_lane_root(TlConsensus *core, const TlConsensusBlock *parent,
					   const TlConsensusBlock *block, TlHash *root,
					   uint64_t *size)
{
	TlMerkleRange range;

	tl_merkle_range_init(&range);
	*size = 0;
	for (unsigned i = 0; i < parent->lane_count; i++)
	{
		const TlLane *from = &parent->cut[i];
		const TlLane *to = tl_consensus_lane_find(block, from->member);

		if (!TL_RULE(11, to != NULL && to->incarnation >= from->incarnation &&
					 (to->incarnation > from->incarnation ||
					  to->batch > from->batch ||
					  (to->batch == from->batch &&
					   tl_consensus_same(&to->digest, &from->digest)))))
			return TL_BAD_ORDER;
	}
	for (unsigned i = 0; i < block->lane_count; i++)
	{
		const TlLane *to = &block->cut[i];
		const TlLane *from = tl_consensus_lane_find(parent, to->member);
		unsigned	lane = tl_consensus_index(core, to->member);
		TlKnownBatch *target;
		TlKnownBatch *next;
		const TlLane *place;
		TlLane		at;

		if (lane >= core->config.member_count)
			return TL_BAD_ORDER;
		if (from != NULL && tl_consensus_same(&from->digest, &to->digest))
			continue;
		target = find_batch(core, lane, &to->digest);
		if (!TL_RULE(12, target != NULL && target->complete))
			return TL_NOT_FINAL;
		if (target == NULL)
			continue;
		if (target->batch != to->batch || target->incarnation != to->incarnation)
			return TL_BAD_ORDER;
		if (!reaches(core, lane, from, target))
			return TL_BAD_ORDER;
		place = from;
		while ((next = step_from(core, lane, place, target)) != NULL)
		{
			*size += next->body_size;
			if (tl_merkle_range_append(&range, &next->digest) != TL_OK)
				return TL_BUG;
			at.member = to->member;
			at.incarnation = next->incarnation;
			at.batch = next->batch;
			at.digest = next->digest;
			place = &at;
		}
	}
	if (range.size > TL_BLOCK_BATCHES_MAX && range.size > 1)
		return TL_TOO_LARGE;
	if (*size > TL_BLOCK_BODY_SIZE_MAX && range.size > 1)
		return TL_TOO_LARGE;
	tl_merkle_range_root(&range, root);
	return TL_OK;
}

/*
 * Ask for what is missing of a block: per lane the batch nearest to its cut,
 * then the one before.  What a final block orders keeps its place against what
 * a proposal does.  True if nothing is missing.
 */
bool
tl_consensus_lane_fetch(TlConsensus *core, const TlConsensusBlock *parent,
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

		if (lane >= core->config.member_count ||
			(from != NULL && tl_consensus_same(&from->digest, &to->digest)))
			continue;
		batch = find_batch(core, lane, &to->digest);
		if (batch != NULL && batch->complete)
			continue;
		if (all)
			may = tl_consensus_pace_may_fetch(core, asked_us);
		all = false;
		if (may)
			fetch_lane(core, lane, from, to, final);
	}
	return all;
}

/* Walk down to what is missing; ask for everything on the way. */
static void
fetch_lane(TlConsensus *core, unsigned lane, const TlLane *from,
		   const TlLane *to, bool final)
{
	TlLaneState *state = &core->lanes[lane];
	bool		mark = final || !state->bound;
	TlLane		wanted = *to;

	for (unsigned i = 0; mark && i < core->config.lane_length; i++)
		state->batches[i].wanted = false;
	state->bound |= final;
	for (unsigned steps = 0; steps < core->config.lane_length; steps++)
	{
		TlKnownBatch *batch = find_batch(core, lane, &wanted.digest);
		TlAction   *action;

		if (batch != NULL && mark)
			batch->wanted = true;
		if (batch == NULL && mark)
			state->missing = wanted.digest;
		if (batch == NULL || !batch->held)
		{
			action = tl_consensus_act(core, TL_ACT_FETCH_BATCH);
			if (action == NULL)
				return;
			action->lane = wanted;
		}
		if (batch == NULL || batch->batch == 1 || starts_at(from, batch))
			return;
		wanted.batch = batch->batch - 1;
		wanted.digest = batch->previous;
	}
}

/* The final cut has moved: forget what it covers. */
void
tl_consensus_lane_prune(TlConsensus *core)
{
	for (unsigned lane = 0; lane < core->config.member_count; lane++)
	{
		const TlLane *cut = tl_consensus_lane_find(&core->base,
												   core->config.members[lane].number);

		core->lanes[lane].bound = false;
		if (cut == NULL)
			continue;
		for (unsigned i = 0; i < core->config.lane_length; i++)
		{
			TlKnownBatch *batch = &core->lanes[lane].batches[i];

			if (batch->present && (batch->incarnation < cut->incarnation ||
								   (batch->incarnation == cut->incarnation &&
									batch->batch <= cut->batch)))
				batch->present = false;
		}
		complete(core, lane);
	}
}

static TlKnownBatch *
find_batch(TlConsensus *core, unsigned lane, const TlHash *digest)
{
	for (unsigned i = 0; i < core->config.lane_length; i++)
	{
		TlKnownBatch *batch = &core->lanes[lane].batches[i];

		if (batch->present && tl_consensus_same(&batch->digest, digest))
			return batch;
	}
	return NULL;
}

/*
 * A free place, or that of the batch furthest from the cut that no block is
 * known to order.  What finds no place is read again when the cut has moved.
 */
static TlKnownBatch *
add_batch(TlConsensus *core, unsigned lane, uint64_t number, bool wanted)
{
	TlKnownBatch *last = NULL;

	for (unsigned i = 0; i < core->config.lane_length; i++)
	{
		TlKnownBatch *batch = &core->lanes[lane].batches[i];

		if (!batch->present)
		{
			memset(batch, 0, sizeof(*batch));
			return batch;
		}
		if (!batch->wanted && (last == NULL || batch->batch > last->batch))
			last = batch;
	}
	core->lanes[lane].dropped = true;
	if (last == NULL || (!wanted && last->batch <= number))
		return NULL;
	memset(last, 0, sizeof(*last));
	return last;
}

/*
 * P8: a row came and its bodies did not: ask, and ask less often each time.
 * Without this a batch whose bodies were lost would never be acknowledged, and
 * nobody would have work because of it.
 */
void
tl_consensus_lane_want(TlConsensus *core)
{
	for (unsigned lane = 0; lane < core->config.member_count; lane++)
	{
		for (unsigned i = 0; i < core->config.lane_length; i++)
		{
			TlKnownBatch *batch = &core->lanes[lane].batches[i];
			int64_t		pause = core->config.pace.fetch_us;
			TlAction   *action;

			if (!batch->present || batch->held || TL_FORGOTTEN(108))
				continue;
			pause <<= (batch->asked_count < 8) ? batch->asked_count : 8;
			if (core->now_us < batch->asked_us + pause)
			{
				tl_consensus_pace_wake(core, batch->asked_us + pause);
				continue;
			}
			action = tl_consensus_act(core, TL_ACT_FETCH_BATCH);
			if (action == NULL)
				return;
			action->lane.member = core->config.members[lane].number;
			action->lane.incarnation = batch->incarnation;
			action->lane.batch = batch->batch;
			action->lane.digest = batch->digest;
			batch->asked_us = core->now_us;
			batch->asked_count++;
			tl_consensus_pace_wake(core, core->now_us + 2 * pause);
		}
	}
}

/* Ask for what found no place, once there is one again. */
void
tl_consensus_lane_read_again(TlConsensus *core)
{
	for (unsigned lane = 0; lane < core->config.member_count; lane++)
	{
		const TlLane *cut = tl_consensus_lane_find(&core->base,
												   core->config.members[lane].number);
		const TlKnownBatch *head;
		TlAction   *action;
		bool		room = false;

		if (!core->lanes[lane].dropped)
			continue;
		for (unsigned i = 0; i < core->config.lane_length; i++)
			room |= !core->lanes[lane].batches[i].present;
		if (!room || (action = tl_consensus_act(core, TL_ACT_READ_LANE)) == NULL)
			continue;
		core->lanes[lane].dropped = false;
		head = newest(core, lane, cut, false);
		action->lane.member = core->config.members[lane].number;
		if (cut != NULL)
			action->lane = *cut;
		if (head != NULL)
		{
			action->lane.incarnation = head->incarnation;
			action->lane.batch = head->batch;
			action->lane.digest = head->digest;
		}
	}
}

/* Mark what has become complete. */
static void
complete(TlConsensus *core, unsigned lane)
{
	const TlLane *cut = tl_consensus_lane_find(&core->base,
											   core->config.members[lane].number);
	bool		changed = true;

	while (changed)
	{
		changed = false;
		for (unsigned i = 0; i < core->config.lane_length; i++)
		{
			TlKnownBatch *batch = &core->lanes[lane].batches[i];
			const TlKnownBatch *before;

			if (!batch->present || batch->complete || !batch->held)
				continue;
			if (!starts_at(cut, batch))
			{
				before = find_batch(core, lane, &batch->previous);
				if (before == NULL || !before->complete ||
					before->batch + 1 != batch->batch ||
					before->incarnation != batch->incarnation)
					continue;
			}
			batch->complete = true;
			changed = true;
		}
	}
}

/* Is this the batch that comes right after that cut (NULL: the first)? */
static bool
starts_at(const TlLane *cut, const TlKnownBatch *batch)
{
	if (cut == NULL)
		return batch->batch == 1;
	if (batch->incarnation > cut->incarnation)
		return batch->batch == 1;
	return (batch->incarnation == cut->incarnation &&
			batch->batch == cut->batch + 1 &&
			tl_consensus_same(&batch->previous, &cut->digest));
}

/* Does the branch that ends in this batch come from that cut? */
static bool
reaches(TlConsensus *core, unsigned lane, const TlLane *cut,
		const TlKnownBatch *batch)
{
	unsigned	steps = 0;

	while (batch != NULL && steps++ < core->config.lane_length)
	{
		if (starts_at(cut, batch))
			return true;
		if (batch->batch == 1)
			return false;
		batch = find_batch(core, lane, &batch->previous);
	}
	return false;
}

/* The next batch after from on the way to target, NULL if target is reached. */
static TlKnownBatch *
step_from(TlConsensus *core, unsigned lane, const TlLane *from,
		  TlKnownBatch *target)
{
	TlKnownBatch *batch = target;
	unsigned	steps = 0;

	if (from != NULL && tl_consensus_same(&from->digest, &target->digest))
		return NULL;
	while (batch != NULL && steps++ < core->config.lane_length)
	{
		if (starts_at(from, batch))
			return batch;
		if (batch->batch == 1)
			return NULL;
		batch = find_batch(core, lane, &batch->previous);
	}
	return NULL;
}

/*
 * The furthest complete batch beyond that cut and from it, of a branch read
 * from the log if there are several; only of those that q hold if acked.
 */
static TlKnownBatch *
newest(TlConsensus *core, unsigned lane, const TlLane *cut, bool acked)
{
	TlKnownBatch *best = NULL;

	for (unsigned i = 0; i < core->config.lane_length; i++)
	{
		TlKnownBatch *batch = &core->lanes[lane].batches[i];
		bool		better;

		if (!batch->present || !batch->complete)
			continue;
		better = (best == NULL || batch->incarnation > best->incarnation ||
				  (batch->incarnation == best->incarnation &&
				   (batch->batch > best->batch ||
					(batch->batch == best->batch && best->loose &&
					 !batch->loose))));
		if (better && reaches(core, lane, cut, batch) &&
			(!acked || is_acked(core, lane, batch)))
			best = batch;
	}
	return best;
}

/* Do q validators, the author among them, hold it or a descendant? */
static bool
is_acked(TlConsensus *core, unsigned lane, const TlKnownBatch *batch)
{
	unsigned	count = 0;

	for (unsigned i = 0; i < core->config.member_count; i++)
	{
		const TlLane *ack = &core->acks[i * core->config.member_count + lane];
		const TlKnownBatch *held;
		unsigned	steps = 0;

		if (!core->config.members[i].validator)
			continue;
		if (i == lane || i == core->own.index)
		{
			count++;
			continue;
		}
		if (ack->batch < batch->batch || ack->incarnation != batch->incarnation)
			continue;
		held = find_batch(core, lane, &ack->digest);
		while (held != NULL && held->batch > batch->batch &&
			   steps++ < core->config.lane_length)
			held = find_batch(core, lane, &held->previous);
		if (held == batch)
			count++;
	}
	return count >= core->quorum;
}

static uint64_t
body_size(const TlBatchHeader *header)
{
	uint64_t	size = 0;

	for (uint32_t i = 0; i < header->chunk_count; i++)
	{
		TlBatchChunk chunk;

		if (tl_chain_batch_get_chunk(&chunk, header, i) == TL_OK)
			size += chunk.size;
	}
	return size;
}

/* Put a lane into the cut, in order of member. */
static void
set_lane(TlConsensusBlock *block, const TlLane *lane)
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
