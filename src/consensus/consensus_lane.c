/*-------------------------------------------------------------------------
 *
 * consensus_lane.c
 *	  Lanes: BATCH rows that come, those that this node makes, and what has to
 *	  be asked for.
 *
 * A lane is the chain of one member's batches; consensus_batch.c has those that
 * are remembered, consensus_cut.c what a block orders of them.
 *
 * Pure code: no PostgreSQL, no allocation, no clock.
 *
 *-------------------------------------------------------------------------
 */
#include "consensus_state.h"

#include "chain_batch.h"

#include <string.h>

static uint64_t body_size(const TlBatchHeader *header);

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
	TlKnownBatch batch;

	if (tl_chain_batch_decode(&header, row->payload.data,
							  row->payload.size) != TL_OK ||
		header.member != row->member ||
		!tl_consensus_same(&header.chain_id, &core->config.chain_id))
	{
		tl_consensus_alarm(core, TL_ALARM_ILLEGAL_ROW, row->member);
		return;
	}
	memset(&batch, 0, sizeof(batch));
	tl_chain_batch_digest(&batch.digest, row->payload.data, row->payload.size);
	if (cut != NULL && (header.incarnation < cut->incarnation ||
						(header.incarnation == cut->incarnation &&
						 header.batch <= cut->batch)))
		return;
	if (!TL_RULE(39, header.incarnation <= core->standing.members[lane].incarnation))
	{
		core->peers[lane].early = true;
		return;
	}
	if (tl_consensus_batch_find(core, lane, &batch.digest) != NULL)
		return;
	batch.loose = loose;
	batch.wanted = tl_consensus_same(&batch.digest, &core->lanes[lane].missing);
	batch.incarnation = header.incarnation;
	batch.batch = header.batch;
	batch.previous = header.previous;
	batch.body_size = body_size(&header);
	batch.held = (header.chunk_count == 0);
	batch.asked_us = core->now_us;
	core->lanes[lane].came |= batch.wanted;
	(void) tl_consensus_batch_add(core, lane, &batch);
}

void
tl_consensus_lane_held(TlConsensus *core, const TlLane *lane)
{
	unsigned	index = tl_consensus_index(core, lane->member);
	TlKnownBatch *batch;

	if (index >= core->config.member_count)
		return;
	batch = tl_consensus_batch_find(core, index, &lane->digest);
	if (batch != NULL)
		tl_consensus_batch_held(core, index, batch);
	tl_consensus_cut_came(core, index);
}

/* Append the own next batch, if it is that. */
bool
tl_consensus_lane_make(TlConsensus *core, TlSpan payload)
{
	const TlLane *cut = tl_consensus_lane_find(&core->base, core->config.member);
	TlBatchHeader header;
	TlKnownBatch *head;
	TlLogRow	row;
	TlLane		made = {.member = core->config.member};
	uint16_t	number;
	uint64_t	covered = 0;
	uint64_t	before;

	if (!core->own.has_log ||
		tl_chain_batch_decode(&header, payload.data, payload.size) != TL_OK ||
		header.member != core->config.member)
		return false;
	/* Its number is known once the block that orders the REJOIN is final. */
	if (!tl_consensus_entry_number(core, &number) ||
		header.incarnation != number)
		return false;
	if (cut != NULL && cut->incarnation == number)
		covered = cut->batch;
	head = tl_consensus_batch_head(core, core->own.index, false);
	before = (head != NULL && head->incarnation == number) ?
		head->batch : covered;
	if (header.batch != before + 1)
		return false;
	if (before - covered + 2 > core->config.lane_length)
		return false;
	if (!tl_consensus_append(core, TL_LOG_BATCH, core->own.view, payload))
		return false;
	/* Known at once: a proposal in the same transaction may order it. */
	memset(&row, 0, sizeof(row));
	row.member = core->config.member;
	row.payload = payload;
	tl_consensus_lane_batch(core, &row, false);
	tl_chain_batch_digest(&made.digest, payload.data, payload.size);
	tl_consensus_lane_held(core, &made);
	return true;
}

/* Is there a batch that a leader could order and no final block has? */
bool
tl_consensus_lane_work(TlConsensus *core)
{
	for (unsigned i = 0; i < core->config.member_count; i++)
	{
		const TlLane *cut = tl_consensus_lane_find(&core->base,
												   core->config.members[i].number);

		if (tl_consensus_cut_head(core, i, cut) != NULL)
			return true;
	}
	return false;
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
		if (core->lanes[lane].unheld == 0)
			continue;
		for (unsigned i = 0; i < core->lanes[lane].count; i++)
		{
			TlKnownBatch *batch = &core->lanes[lane].batches[i];
			unsigned	doublings = (batch->asked_count < 8) ? batch->asked_count : 8;
			int64_t		pause = core->config.pace.fetch_us << doublings;
			TlAction   *action;

			if (batch->held || TL_FORGOTTEN(108))
				continue;
			/* Not doubled: what took seconds once would be minutes, then an hour. */
			if (pause < tl_consensus_hop_fetch(core))
				pause = tl_consensus_hop_fetch(core);
			if (core->now_us < batch->asked_us + pause)
			{
				tl_consensus_pace_wake(core, batch->asked_us + pause);
				continue;
			}
			action = tl_consensus_act(core, TL_ACT_FETCH_BATCH);
			if (action == NULL)
				return;
			action->lane = tl_consensus_batch_place(core, lane, batch);
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

		if (!core->lanes[lane].dropped)
			continue;
		if (core->lanes[lane].count == core->config.lane_length ||
			(action = tl_consensus_act(core, TL_ACT_READ_LANE)) == NULL)
			continue;
		core->lanes[lane].dropped = false;
		head = tl_consensus_batch_head(core, lane, false);
		action->lane.member = core->config.members[lane].number;
		if (cut != NULL)
			action->lane = *cut;
		if (head != NULL)
			action->lane = tl_consensus_batch_place(core, lane, head);
	}
}

/* The final cut has moved: forget what it covers.  Of how many bytes are the bodies? */
uint64_t
tl_consensus_lane_prune(TlConsensus *core)
{
	uint64_t	size = 0;

	for (unsigned lane = 0; lane < core->config.member_count; lane++)
	{
		core->lanes[lane].bound = false;
		size += tl_consensus_batch_prune(core, lane);
	}
	return size;
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
