/*-------------------------------------------------------------------------
 *
 * test_consensus_instance.c
 *	  R45: two live copies of one member, and what still counts.  P10: a lane
 *	  that cost a view.
 *
 * The core follows four validators without being one, so that nothing but their
 * rows moves it; for ACKs of its own and for P10 it is member 1.
 *
 *-------------------------------------------------------------------------
 */
#include "consensus_state.h"

#include "chain_batch.h"
#include "consensus_payload.h"
#include "consensus_rejoin.h"
#include "consensus_reply.h"
#include "unit.h"
#include "unit_consensus.h"

#include <stdlib.h>
#include <string.h>

#define MEMBERS		4

static TlActions actions;
static TlConsensusConfig config;
static TlConsensus *core;
static void *memory;
static uint64_t sequences[MEMBERS + 1];
static uint8_t nonces[MEMBERS + 1];
static TlHash batch_digest;

static void
configure(uint32_t member)
{
	unit_consensus_config(&config, MEMBERS);
	config.member = member;
	config.pace.timer_us = 1000000;
	config.pace.timer_max_us = 10000000;
	unit_consensus_genesis(&config);
	memset(sequences, 0, sizeof(sequences));
	memset(nonces, 0, sizeof(nonces));
}

static void
open_core(void)
{
	TlInput		input = {.kind = TL_INPUT_START, .now_us = 1};

	core = unit_consensus_open(&config, &memory);
	UNIT_CHECK(tl_consensus_step(core, &actions, &input) == TL_OK);
}

static TlLogRow
make_row(uint32_t member, uint8_t kind, const void *payload, size_t size)
{
	TlLogRow	row;

	memset(&row, 0, sizeof(row));
	row.member = member;
	row.nonce[0] = nonces[member];
	row.sequence = ++sequences[member];
	row.kind = kind;
	row.view = 1;
	row.payload.data = payload;
	row.payload.size = size;
	return row;
}

static void
give(TlInputKind kind, TlLogRow row)
{
	TlInput		input = {.kind = kind, .now_us = 2, .certificates_valid = true};

	input.row = input.other = row;
	if (kind == TL_INPUT_CONTRADICTION)
		input.row.signature[0] ^= 1;
	UNIT_CHECK(tl_consensus_step(core, &actions, &input) == TL_OK);
}

/* Member 4 opens the log of that nonce; the others are in view 1. */
static void
rejoin(uint8_t nonce)
{
	static uint8_t bytes[1024];
	uint8_t		replies[1024];
	uint8_t		payload[TL_REPLY_SIZE_FIXED];
	TlRejoin	opened = {.cause = TL_REJOIN_COPIED, .nonce = {nonce},
		.sequence = sequences[4], .digest = {{1}}, .reply_count = 3};
	TlReply		reply = {.asker = 4, .request = {nonce}};
	TlWriter	writer;
	TlWriter	list;
	TlLogRow	row;

	tl_writer_init(&list, replies, sizeof(replies));
	for (uint32_t member = 1; member <= 3; member++)
	{
		tl_writer_init(&writer, payload, sizeof(payload));
		UNIT_CHECK(tl_consensus_reply_encode(&writer, &reply) == TL_OK);
		row = (TlLogRow) {.member = member, .kind = TL_LOG_REPLY, .view = 1,
		.payload = {payload, writer.size}};
		tl_put_u32(&list, (uint32_t) (TL_LOG_ROW_SIZE_FIXED + writer.size));
		UNIT_CHECK(tl_consensus_row_encode(&list, &row) == TL_OK);
	}
	opened.replies = (TlSpan) {replies, list.size};
	tl_writer_init(&writer, bytes, sizeof(bytes));
	UNIT_CHECK(tl_consensus_rejoin_encode(&writer, &opened) == TL_OK);
	nonces[4] = nonce;
	sequences[4] = 0;
	row = make_row(4, TL_LOG_REJOIN, bytes, writer.size);
	row.view = 3;
	give(TL_INPUT_ROW, row);
}

/* An ACK of the batch by that instance, which replaced that one. */
static void
acknowledge(TlInputKind kind, uint32_t member, uint8_t instance, uint8_t replaced)
{
	static uint8_t bytes[TL_ACK_SIZE_MAX];
	uint8_t		cut[TL_BLOCK_LANE_SIZE];
	TlLane		lane = {.member = 2, .batch = 1, .digest = batch_digest};
	TlAck		ack;
	TlWriter	writer;

	memset(&ack, 0, sizeof(ack));
	ack.instance[0] = instance;
	ack.replaced[0] = replaced;
	tl_writer_init(&writer, cut, sizeof(cut));
	UNIT_CHECK(tl_chain_cut_encode(&writer, &lane, 1) == TL_OK);
	ack.lanes.data = cut;
	ack.lanes.size = writer.size;
	tl_writer_init(&writer, bytes, sizeof(bytes));
	UNIT_CHECK(tl_consensus_ack_encode(&writer, &ack) == TL_OK);
	give(kind, make_row(member, TL_LOG_ACK, bytes, writer.size));
}

/* Batch 1 of member 2; with a chunk its bodies are not here. */
static void
bring_batch(unsigned chunks)
{
	static uint8_t bytes[TL_BATCH_SIZE_FIXED + TL_BATCH_CHUNK_SIZE];
	uint8_t		chunk_bytes[TL_BATCH_CHUNK_SIZE];
	TlBatchChunk chunk = {.size = 1};
	TlBatchHeader header = {.chain_id = config.chain_id, .member = 2,
	.batch = 1, .section_count = 1};
	TlWriter	writer;

	tl_writer_init(&writer, chunk_bytes, sizeof(chunk_bytes));
	tl_chain_batch_put_chunk(&writer, &chunk);
	header.chunk_count = chunks;
	header.chunks.data = chunk_bytes;
	header.chunks.size = chunks * writer.size;
	tl_writer_init(&writer, bytes, sizeof(bytes));
	UNIT_CHECK(tl_chain_batch_encode(&writer, &header) == TL_OK);
	tl_chain_batch_digest(&batch_digest, bytes, writer.size);
	give(TL_INPUT_ROW, make_row(2, TL_LOG_BATCH, bytes, writer.size));
}

static bool
alarmed(uint32_t member)
{
	for (unsigned i = 0; i < actions.count; i++)
	{
		if (actions.list[i].kind == TL_ACT_ALARM &&
			actions.list[i].alarm == TL_ALARM_INSTANCES)
			return actions.list[i].member == member;
	}
	return false;
}

static uint64_t
view(void)
{
	TlConsensusStatus status;

	tl_consensus_status(core, &status);
	return status.view;
}

static bool
works(void)
{
	TlConsensusStatus status;

	tl_consensus_status(core, &status);
	return status.works;
}

static void
nullify(uint32_t member)
{
	give(TL_INPUT_ROW, make_row(member, TL_LOG_NULLIFY, NULL, 0));
}

/* Servers restart, members rejoin: nothing is doubled by that. */
static void
one_after_the_other(void)
{
	configure(0);
	open_core();
	bring_batch(0);
	acknowledge(TL_INPUT_ROW, 4, 1, 0);
	acknowledge(TL_INPUT_ROW, 4, 1, 0);
	acknowledge(TL_INPUT_ROW, 4, 2, 1);
	acknowledge(TL_INPUT_ROW, 4, 2, 0);
	UNIT_CHECK(!alarmed(4));
	rejoin(7);					/* on a copy that knows none of this */
	acknowledge(TL_INPUT_ROW, 4, 9, 0);
	UNIT_CHECK(!alarmed(4));
	acknowledge(TL_INPUT_ROW, 3, 0, 0); /* not told */
	acknowledge(TL_INPUT_ROW, 3, 5, 0);
	UNIT_CHECK(!alarmed(3));
	UNIT_CHECK(works());
	free(memory);
}

/* Two that do not succeed each other count as neither. */
static void
instance_counts(void)
{
	configure(0);
	open_core();
	bring_batch(0);
	acknowledge(TL_INPUT_ROW, 4, 1, 0);
	UNIT_CHECK(!works());		/* member 2 and 4 */
	acknowledge(TL_INPUT_ROW, 4, 2, 0);
	UNIT_CHECK(alarmed(4));
	acknowledge(TL_INPUT_ROW, 4, 1, 0);
	UNIT_CHECK(!alarmed(4));	/* once */
	acknowledge(TL_INPUT_ROW, 3, 1, 0);
	UNIT_CHECK(!works());		/* q would be 2, 3 and 4 */
	nullify(2);
	nullify(3);
	nullify(4);
	UNIT_CHECK(view() == 1);
	/* One of the two has gone: its successor is one. */
	acknowledge(TL_INPUT_ROW, 4, 3, 2);
	UNIT_CHECK(!alarmed(4) && works());
	nullify(1);
	UNIT_CHECK(view() == 2);
	free(memory);
}

/* The row that says so comes after the log went on without it; others tell nothing new. */
static void
successor_is_late(void)
{
	configure(0);
	open_core();
	bring_batch(0);
	acknowledge(TL_INPUT_ROW, 3, 1, 0);
	acknowledge(TL_INPUT_ROW, 4, 1, 0);
	acknowledge(TL_INPUT_ROW, 4, 3, 0);
	UNIT_CHECK(alarmed(4));
	acknowledge(TL_INPUT_LOOSE_ROW, 4, 3, 2);
	acknowledge(TL_INPUT_ROW, 3, 1, 0);
	UNIT_CHECK(!works());
	acknowledge(TL_INPUT_LOOSE_ROW, 4, 2, 1);
	UNIT_CHECK(!works());		/* of that one the successor is still to come */
	acknowledge(TL_INPUT_LOOSE_ROW, 4, 3, 2);
	UNIT_CHECK(!alarmed(4) && works());
	acknowledge(TL_INPUT_LOOSE_ROW, 4, 2, 1);
	UNIT_CHECK(!alarmed(4) && works());
	acknowledge(TL_INPUT_ROW, 4, 3, 0);
	UNIT_CHECK(!alarmed(4) && works());
	free(memory);
}

/* The other branch of a log tells as well. */
static void
other_branch(void)
{
	configure(0);
	open_core();
	bring_batch(0);
	acknowledge(TL_INPUT_ROW, 4, 1, 0);
	acknowledge(TL_INPUT_CONTRADICTION, 4, 1, 0);
	UNIT_CHECK(!alarmed(4));
	acknowledge(TL_INPUT_CONTRADICTION, 4, 2, 0);
	UNIT_CHECK(alarmed(4));
	free(memory);
}

/* C3: a certificate is what it is, whoever is in it. */
static void
certificates_are_bytes(void)
{
	uint8_t		votes[3 * TL_CERTIFICATE_VOTE_SIZE];
	uint8_t		bytes[TL_CERTIFICATE_SIZE_FIXED + sizeof(votes)];
	TlCertificate certificate = {.kind = TL_LOG_NULLIFY, .view = 1, .vote_count = 3};
	TlWriter	writer;

	configure(0);
	open_core();
	bring_batch(0);
	acknowledge(TL_INPUT_ROW, 4, 1, 0);
	acknowledge(TL_INPUT_ROW, 4, 2, 0);
	UNIT_CHECK(alarmed(4));
	tl_writer_init(&writer, votes, sizeof(votes));
	for (uint32_t member = 2; member <= 4; member++)
	{
		TlVote		vote = {.member = member, .sequence = 1};

		tl_consensus_certificate_put_vote(&writer, &vote);
	}
	certificate.votes.data = votes;
	certificate.votes.size = writer.size;
	tl_writer_init(&writer, bytes, sizeof(bytes));
	UNIT_CHECK(tl_consensus_certificate_encode(&writer, &certificate) == TL_OK);
	give(TL_INPUT_ROW, make_row(2, TL_LOG_CERT, bytes, writer.size));
	UNIT_CHECK(view() == 2);
	free(memory);
}

/* The first own ACK of a new instance names the one before, the next does not. */
static void
own_instance(void)
{
	for (int stored = 0; stored < 2; stored++)
	{
		TlAck		ack;
		TlInput		start = {.kind = TL_INPUT_START, .now_us = 1};

		configure(1);
		config.instance[0] = 8;
		config.replaced[0] = 7;
		core = unit_consensus_open(&config, &memory);
		if (stored)				/* the own log knows better */
			acknowledge(TL_INPUT_ROW, 1, 6, 0);
		UNIT_CHECK(tl_consensus_step(core, &actions, &start) == TL_OK);
		bring_batch(0);
		UNIT_CHECK(actions.count > 0 && actions.list[0].kind == TL_ACT_APPEND &&
				   actions.list[0].row.kind == TL_LOG_ACK);
		UNIT_CHECK(tl_consensus_ack_decode(&ack, actions.list[0].row.payload.data,
										   actions.list[0].row.payload.size) == TL_OK);
		UNIT_CHECK(ack.instance[0] == 8 && ack.replaced[0] == (stored ? 6 : 7));
		free(memory);
	}
}

/* P10: whose body was missing is ordered when everybody active has it. */
static void
careful_lane(void)
{
	TlView		lost;
	TlConsensusBlock *block = &lost.first.block;
	unsigned	lane = 1;

	configure(1);
	open_core();
	memset(&lost, 0, sizeof(lost));
	bring_batch(1);
	block->header.parent = config.base.hash;
	block->lane_count = 1;
	block->cut[0].member = 2;
	block->cut[0].batch = 1;
	block->cut[0].digest = batch_digest;
	lost.first.present = lost.first.linked = true;
	tl_consensus_cut_blame(core, &lost);
	UNIT_CHECK(core->lanes[lane].strikes == 1 &&
			   core->lanes[lane].strict_us == core->now_us + 1000000);
	tl_consensus_cut_blame(core, &lost);
	UNIT_CHECK(core->lanes[lane].strict_us == core->now_us + 2000000);
	for (int i = 0; i < 40; i++)
		tl_consensus_cut_blame(core, &lost);
	UNIT_CHECK(core->lanes[lane].strict_us == core->now_us + 10000000);

	give(TL_INPUT_HELD, make_row(2, TL_LOG_BATCH, NULL, 0));
	tl_consensus_lane_held(core, &block->cut[0]);
	acknowledge(TL_INPUT_ROW, 3, 0, 0);
	UNIT_CHECK(tl_consensus_batch_head(core, lane, true) != NULL);	/* 1, 2 and 3 */
	/* 4 owes nothing; then it does, and is silent for too long (P18). */
	UNIT_CHECK(tl_consensus_cut_head(core, lane, NULL) == NULL);
	core->peers[3].silent_us = core->now_us;
	core->now_us += config.pace.active_us;
	UNIT_CHECK(tl_consensus_cut_head(core, lane, NULL) == NULL);
	core->now_us++;
	UNIT_CHECK(tl_consensus_cut_head(core, lane, NULL) != NULL);
	nullify(4);
	UNIT_CHECK(tl_consensus_cut_head(core, lane, NULL) == NULL);
	acknowledge(TL_INPUT_ROW, 4, 0, 0);
	UNIT_CHECK(tl_consensus_cut_head(core, lane, NULL) != NULL);
	/* Nobody is to blame for what this node has. */
	core->lanes[lane].strikes = 0;
	tl_consensus_cut_blame(core, &lost);
	UNIT_CHECK(core->lanes[lane].strikes == 0);
	free(memory);
}

/* P10: a final block of the lane ends it, and no other; the first after a start neither. */
static void
care_ends(void)
{
	TlLaneState *lane;

	configure(1);
	config.base.lane_count = 1;
	config.base.cut[0].member = 2;
	config.base.cut[0].batch = 1;
	config.base.cut[0].digest.bytes[0] = 7;
	open_core();
	lane = &core->lanes[1];
	lane->strict_us = 5;
	lane->strikes = 1;
	tl_consensus_batch_prune(core, 1);
	UNIT_CHECK(lane->strict_us == 5 && lane->strikes == 1);
	core->base.cut[0].batch = 2;
	core->base.cut[0].digest.bytes[0] = 8;
	tl_consensus_batch_prune(core, 1);
	UNIT_CHECK(lane->strict_us == 0 && lane->strikes == 0);
	free(memory);
}

UNIT_MAIN(UNIT_CASE(one_after_the_other), UNIT_CASE(instance_counts),
		  UNIT_CASE(successor_is_late), UNIT_CASE(other_branch), UNIT_CASE(certificates_are_bytes),
		  UNIT_CASE(own_instance), UNIT_CASE(careful_lane),
		  UNIT_CASE(care_ends))
