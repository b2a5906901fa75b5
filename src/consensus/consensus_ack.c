/*-------------------------------------------------------------------------
 *
 * consensus_ack.c
 *	  ACK: which batches somebody holds, which block he knows to be final, and
 *	  which running copy of him says so.
 *
 * A copy has an instance, a random number that it renews when the server under
 * it has changed; the first ACK with a new one names the one before.  Two that
 * do not succeed each other are two copies that live, a clone or an old primary:
 * the alarm is given, and their member counts in no local tally (R45) until a
 * REJOIN or a successor shows that one of them has gone.
 *
 * Pure code: no PostgreSQL, no allocation, no clock.
 *
 *-------------------------------------------------------------------------
 */
#include "consensus_state.h"

#include "consensus_payload.h"

#include <string.h>

static bool what_is_due(TlConsensus *core, TlLane *lanes, unsigned *count);
static bool may_wait(TlConsensus *core, unsigned lane, TlKnownBatch *head);
static bool is_over(TlConsensus *core, int64_t *since_us, int64_t time);
static void see_instance(TlConsensus *core, unsigned index,
						 const TlLogRow *row, const TlAck *ack);
static bool same_nonce(const uint8_t *left, const uint8_t *right);

void
tl_consensus_ack_row(TlConsensus *core, const TlLogRow *row,
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
	see_instance(core, index, row, &ack);
	for (unsigned i = 0; i < count; i++)
	{
		unsigned	lane = tl_consensus_index(core, lanes[i].member);

		if (lane >= core->config.member_count)
			continue;
		core->acks[index * core->config.member_count + lane] = lanes[i];
		tl_consensus_hop_acked(core, index, &lanes[i]);
		core->lanes[lane].stale = true;
	}
	if (ack.final_height > core->peers[index].final_height)
	{
		core->peers[index].final_height = ack.final_height;
		tl_consensus_pace_acked(core, index);
	}
}

/* Say what moved since the last ACK, and what is final, as soon as it is due. */
void
tl_consensus_ack_write(TlConsensus *core)
{
	TlLane		lanes[TL_MEMBER_COUNT_MAX];
	unsigned	count;
	uint8_t		bytes[TL_ACK_SIZE_MAX];
	uint8_t		cut_bytes[TL_MEMBER_COUNT_MAX * TL_BLOCK_LANE_SIZE];
	TlWriter	writer;
	TlWriter	cut_writer;
	TlAck		ack;
	TlSpan		payload;

	if (!core->own.has_log || core->config.member_count == 1)
		return;
	if (!what_is_due(core, lanes, &count))
		return;
	tl_writer_init(&cut_writer, cut_bytes, sizeof(cut_bytes));
	memset(&ack, 0, sizeof(ack));
	ack.final_height = core->base.header.height;
	ack.final_block = core->base.hash;
	memcpy(ack.instance, core->config.instance, TL_NONCE_SIZE);
	if (!same_nonce(core->own.instance, core->config.instance))
		memcpy(ack.replaced, core->own.instance, TL_NONCE_SIZE);
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
	{
		TlLaneState *lane = &core->lanes[tl_consensus_index(core, lanes[i].member)];

		lane->acked = lanes[i];
		lane->moved_us = 0;
	}
	core->own.final_acked = core->base.header.height;
	core->own.final_us = 0;
	memcpy(core->own.instance, core->config.instance, TL_NONCE_SIZE);
}

/*
 * The lanes that moved since the last ACK.  False if there is nothing to say, or all of
 * it can wait: lanes for a final block that makes it needless, and what is final for the
 * end of work, or for more of it where ACKs wait (P22).
 */
static bool
what_is_due(TlConsensus *core, TlLane *lanes, unsigned *count)
{
	bool		due = false;

	*count = 0;
	for (unsigned i = 0; i < core->config.member_count; i++)
	{
		TlLaneState *lane = &core->lanes[i];
		TlKnownBatch *head = (i == core->own.index) ? NULL :
			tl_consensus_batch_head(core, i, false);

		if (head == NULL || tl_consensus_same(&head->digest, &lane->acked.digest))
		{
			lane->moved_us = 0;
			continue;
		}
		lanes[(*count)++] = tl_consensus_batch_place(core, i, head);
		due |= !may_wait(core, i, head) ||
			is_over(core, &lane->moved_us, tl_consensus_hop_ack(core));
	}
	if (core->own.final_acked >= core->base.header.height)
		core->own.final_us = 0;
	else if (core->config.pace.ack_wait_us == 0)
		due |= (core->pace.work_us == 0 && *count == 0);
	else
		due |= is_over(core, &core->own.final_us, tl_consensus_hop_shown(core));
	return due;
}

/*
 * P22: is a block with it on its way?  Only small batches are ordered before q hold them,
 * and a leader who let his last turn pass (P4) has to be left, for which there has to be
 * work.
 */
static bool
may_wait(TlConsensus *core, unsigned lane, TlKnownBatch *head)
{
	const TlHash *acked = &core->lanes[lane].acked.digest;

	if (core->config.pace.ack_wait_us == 0 || core->own.asking || core->own.lost ||
		core->peers[tl_consensus_leader(core, core->own.view)].skip)
		return false;
	if (tl_consensus_batch_find(core, lane, acked) == NULL)
		acked = NULL;
	return tl_consensus_batch_all_small(core, lane, acked, head) == head;
}

/* Have so many microseconds passed since this was first asked? */
static bool
is_over(TlConsensus *core, int64_t *since_us, int64_t time)
{
	if (*since_us == 0)
		*since_us = core->now_us;
	if (core->now_us >= *since_us + time)
		return !TL_FORGOTTEN(122);
	tl_consensus_pace_wake(core, *since_us + time);
	return false;
}

/* At the start: which instance wrote the own log last. */
void
tl_consensus_ack_own_row(TlConsensus *core, const TlLogRow *row)
{
	TlAck		ack;

	if (tl_consensus_ack_decode(&ack, row->payload.data,
								row->payload.size) == TL_OK)
		memcpy(core->own.instance, ack.instance, TL_NONCE_SIZE);
}

/* A row of another branch of somebody's log: who wrote it? */
void
tl_consensus_ack_other(TlConsensus *core, const TlLogRow *row)
{
	unsigned	index = tl_consensus_index(core, row->member);
	TlAck		ack;

	if (row->kind == TL_LOG_ACK && index < core->config.member_count &&
		index != core->own.index &&
		tl_consensus_ack_decode(&ack, row->payload.data,
								row->payload.size) == TL_OK)
		see_instance(core, index, row, &ack);
}

/*
 * A row that comes late, after the log went on without it: it says nothing but that one
 * copy has gone, and which is its successor.
 */
void
tl_consensus_ack_late(TlConsensus *core, const TlLogRow *row, unsigned index)
{
	TlPeer	   *peer = &core->peers[index];
	TlAck		ack;

	if (tl_consensus_ack_decode(&ack, row->payload.data, row->payload.size) != TL_OK ||
		!peer->known || !same_nonce(peer->incarnation, row->nonce) ||
		!same_nonce(ack.replaced, peer->instance))
		return;
	if (same_nonce(ack.instance, peer->other))
		peer->doubled = false;
	memcpy(peer->instance, ack.instance, TL_NONCE_SIZE);
	for (unsigned lane = 0; lane < core->config.member_count; lane++)
		core->lanes[lane].stale = true;
}

static void
see_instance(TlConsensus *core, unsigned index, const TlLogRow *row,
			 const TlAck *ack)
{
	static const uint8_t zeros[TL_NONCE_SIZE];
	TlPeer	   *peer = &core->peers[index];
	bool		succeeds;

	if (same_nonce(ack->instance, zeros))
		return;
	succeeds = !peer->known || !same_nonce(peer->incarnation, row->nonce) ||
		same_nonce(ack->replaced, peer->instance) ||
		(peer->doubled && same_nonce(ack->replaced, peer->other));
	if (same_nonce(ack->instance, peer->instance) ||
		(peer->doubled && same_nonce(ack->instance, peer->other)))
		return;
	if (succeeds)
	{
		peer->known = true;
		peer->doubled = false;
		memcpy(peer->incarnation, row->nonce, TL_NONCE_SIZE);
		memcpy(peer->instance, ack->instance, TL_NONCE_SIZE);
	}
	else if (!peer->doubled)
	{
		peer->doubled = true;
		memcpy(peer->other, ack->instance, TL_NONCE_SIZE);
		tl_consensus_alarm(core, TL_ALARM_INSTANCES, row->member);
	}
	for (unsigned lane = 0; lane < core->config.member_count; lane++)
		core->lanes[lane].stale = true;
}

static bool
same_nonce(const uint8_t *left, const uint8_t *right)
{
	return memcmp(left, right, TL_NONCE_SIZE) == 0;
}
