/*-------------------------------------------------------------------------
 *
 * test_consensus_kind.c
 *	  What a member's kind decides: who acknowledges, who is waited for before
 *	  rows are pruned, and who has a log at all.
 *
 * One core, member 1 of two; member 2's rows are made here.  Both are what each
 * case says.
 *
 *-------------------------------------------------------------------------
 */
#include "consensus_state.h"

#include "chain_batch.h"
#include "consensus_payload.h"
#include "unit.h"
#include "unit_actions.h"
#include "unit_consensus.h"

#include <stdlib.h>
#include <string.h>

#define HEIGHT		64
#define VIEW		70

typedef enum Kind
{
	NOBODY,
	VALIDATOR,
	PARTICIPANT,
	OBSERVER
} Kind;

static TlActions actions;
static TlConsensusConfig config;
static TlConsensus *core;
static void *memory;
static uint64_t sequence;		/* of member 2 */
static int64_t now_us;

static void
put_member(uint32_t number, Kind kind)
{
	TlConsensusMember *member = &config.members[config.member_count];

	if (kind == NOBODY)
		return;
	config.member_count++;
	member->number = number;
	member->row_key[0] = (uint8_t) number;
	member->validator = (kind == VALIDATOR);
	member->observer = (kind == OBSERVER);
}

/* A core whose last block is final at height 64; it is started. */
static void
open_core(Kind own, Kind other)
{
	TlInput		input = {.kind = TL_INPUT_START};
	TlConsensusBlock *base = &config.base;

	free(memory);
	unit_consensus_config(&config, 0);
	sequence = 0;
	put_member(1, own);
	put_member(2, other);
	config.checkpoint_interval = 32;
	config.pace.start_wait_us = 1000000;
	base->header.proposer = 1;
	base->header.height = HEIGHT;
	base->header.view = VIEW;
	base->header.chain_id.bytes[0] = 7;
	base->hash.bytes[0] = 9;
	config.founding = base->hash;
	config.chain_id = base->header.chain_id;
	core = unit_consensus_open(&config, &memory);
	input.now_us = now_us = 1000000;
	UNIT_CHECK(tl_consensus_step(core, &actions, &input) == TL_OK);
}

/* Is that height what the ACK of this step says? */
static bool
acknowledged(uint64_t height)
{
	const TlLogRow *row = unit_appended(&actions, TL_LOG_ACK);
	TlAck		ack;

	return row != NULL &&
		tl_consensus_ack_decode(&ack, row->payload.data,
								row->payload.size) == TL_OK &&
		ack.final_height == height;
}

/* Member 2 has that block. */
static void
acknowledge(uint64_t height)
{
	uint8_t		bytes[TL_ACK_SIZE_MAX];
	TlAck		ack = {.final_height = height};
	TlInput		input = {.kind = TL_INPUT_ROW,.now_us = ++now_us,
	.certificates_valid = true};
	TlWriter	writer;

	tl_writer_init(&writer, bytes, sizeof(bytes));
	UNIT_CHECK(tl_consensus_ack_encode(&writer, &ack) == TL_OK);
	input.row.member = 2;
	input.row.sequence = ++sequence;
	input.row.kind = TL_LOG_ACK;
	input.row.view = VIEW;
	input.row.payload.data = bytes;
	input.row.payload.size = writer.size;
	UNIT_CHECK(tl_consensus_step(core, &actions, &input) == TL_OK);
}

/* The state of that block is known here; the STATE row comes back, durable. */
static void
apply(uint64_t height)
{
	uint8_t		bytes[TL_STATE_SIZE];
	TlInput		input = {.kind = TL_INPUT_STATE,.now_us = ++now_us,
	.view = height + 6};

	input.state.height = height;
	input.state.block.bytes[0] = 8;
	UNIT_CHECK(tl_consensus_step(core, &actions, &input) == TL_OK);
	UNIT_CHECK(unit_appended(&actions, TL_LOG_STATE) != NULL);
	input.kind = TL_INPUT_ROW;
	input.certificates_valid = true;
	input.row = *unit_appended(&actions, TL_LOG_STATE);
	memcpy(bytes, input.row.payload.data, sizeof(bytes));
	input.row.payload.data = bytes;
	UNIT_CHECK(tl_consensus_step(core, &actions, &input) == TL_OK);
}

/* Whoever has a reader says what is final, however few vote. */
static void
who_acknowledges(void)
{
	open_core(VALIDATOR, VALIDATOR);
	UNIT_CHECK(acknowledged(HEIGHT));
	open_core(VALIDATOR, PARTICIPANT);
	UNIT_CHECK(acknowledged(HEIGHT));
	open_core(PARTICIPANT, VALIDATOR);
	UNIT_CHECK(acknowledged(HEIGHT));
	open_core(VALIDATOR, NOBODY);
	UNIT_CHECK(unit_appended(&actions, TL_LOG_ACK) == NULL);
}

/* A participant is waited for, and no longer than until his ACK. */
static void
who_is_waited_for(void)
{
	open_core(VALIDATOR, PARTICIPANT);
	acknowledge(10);
	apply(32);
	UNIT_CHECK(unit_action(&actions, TL_ACT_CHECKPOINT) != NULL && unit_action(&actions, TL_ACT_PRUNE) == NULL);
	acknowledge(HEIGHT);
	UNIT_CHECK(unit_action(&actions, TL_ACT_PRUNE) != NULL && unit_action(&actions, TL_ACT_PRUNE)->state.height == 32);
	open_core(VALIDATOR, NOBODY);
	apply(32);
	UNIT_CHECK(unit_action(&actions, TL_ACT_PRUNE) != NULL);
}

/* Member 2 has signed two rows for one place of his log. */
static void
contradict(void)
{
	TlInput		input = {.kind = TL_INPUT_CONTRADICTION,.now_us = ++now_us};
	static const uint8_t block[TL_HASH_SIZE] = {5};

	input.row.member = 2;
	input.row.sequence = 9;
	input.row.previous.bytes[0] = 3;
	input.row.kind = TL_LOG_NULLIFY;
	input.row.view = VIEW + 1;
	input.other = input.row;
	input.other.kind = TL_LOG_FINALIZE;
	input.other.payload = (TlSpan) {block, sizeof(block)};
	UNIT_CHECK(tl_consensus_step(core, &actions, &input) == TL_OK);
}

static TlStatus
make_batch(void)
{
	TlBatchHeader header = {.chain_id = config.chain_id, .member = 1,
		.batch = 1, .section_count = 1, .chunk_count = 1};
	TlBatchChunk chunk = {.size = 1};
	TlInput		input = {.kind = TL_INPUT_MAKE_BATCH,.now_us = ++now_us};
	uint8_t		chunk_bytes[TL_BATCH_CHUNK_SIZE];
	uint8_t		bytes[TL_BATCH_SIZE_FIXED + TL_BATCH_CHUNK_SIZE];
	TlWriter	writer;

	tl_writer_init(&writer, chunk_bytes, sizeof(chunk_bytes));
	tl_chain_batch_put_chunk(&writer, &chunk);
	header.chunks = (TlSpan) {chunk_bytes, writer.size};
	tl_writer_init(&writer, bytes, sizeof(bytes));
	UNIT_CHECK(tl_chain_batch_encode(&writer, &header) == TL_OK);
	input.payload = (TlSpan) {bytes, writer.size};
	return tl_consensus_step(core, &actions, &input);
}

/* Started anew by a server that has just started. */
static void
start_fresh(void)
{
	TlInput		input = {.kind = TL_INPUT_START,.fresh = true};

	core = tl_consensus_init(memory, tl_consensus_size(&config), &config);
	UNIT_CHECK(core != NULL);
	input.now_us = ++now_us;
	UNIT_CHECK(tl_consensus_step(core, &actions, &input) == TL_OK);
}

static TlStatus
rejoin(void)
{
	TlInput		input = {.kind = TL_INPUT_REJOIN,.now_us = ++now_us};

	input.rejoin.nonce[0] = 1;
	return tl_consensus_step(core, &actions, &input);
}

/* Nobody takes an observer's rows: it signs none, whatever happens. */
static void
who_has_a_log(void)
{
	open_core(PARTICIPANT, VALIDATOR);
	contradict();
	UNIT_CHECK(unit_appended(&actions, TL_LOG_EVIDENCE) != NULL);
	UNIT_CHECK(make_batch() == TL_OK && unit_appended(&actions, TL_LOG_BATCH) != NULL);
	start_fresh();
	UNIT_CHECK(unit_action(&actions, TL_ACT_ASK_LAST_SEEN) != NULL);
	UNIT_CHECK(rejoin() == TL_OK);

	open_core(OBSERVER, VALIDATOR);
	UNIT_CHECK(unit_action(&actions, TL_ACT_APPEND) == NULL);
	contradict();
	UNIT_CHECK(unit_action(&actions, TL_ACT_APPEND) == NULL);
	UNIT_CHECK(make_batch() == TL_BAD_ORDER && unit_action(&actions, TL_ACT_APPEND) == NULL);
	acknowledge(HEIGHT);
	UNIT_CHECK(unit_action(&actions, TL_ACT_APPEND) == NULL);
	start_fresh();
	UNIT_CHECK(unit_action(&actions, TL_ACT_ASK_LAST_SEEN) == NULL && unit_action(&actions, TL_ACT_APPEND) == NULL);
	UNIT_CHECK(rejoin() == TL_BAD_FORMAT);
}

UNIT_MAIN(UNIT_CASE(who_acknowledges), UNIT_CASE(who_is_waited_for),
		  UNIT_CASE(who_has_a_log))
