/*-------------------------------------------------------------------------
 *
 * test_consensus_core.c
 *	  The core at its edges: memory, configuration, one member, own log.
 *
 * What many members do is for the simulator (test/sim).
 *
 *-------------------------------------------------------------------------
 */
#include "consensus_arena.h"
#include "consensus_payload.h"
#include "consensus_state.h"

#include "chain_batch.h"
#include "unit.h"
#include "unit_consensus.h"

#include <stdlib.h>
#include <string.h>

static TlActions actions;
static uint8_t secrets[4][TL_SECRET_SIZE];

static void
configure(TlConsensusConfig *config, unsigned members)
{
	unit_consensus_config(config, members);
	unit_consensus_keys(config, secrets);
	config->quorum_of_three = 3;
	unit_consensus_genesis(config);
}

static TlConsensus *
make(const TlConsensusConfig *config, void **memory)
{
	size_t		size = tl_consensus_size(config);
	TlConsensus *core;

	*memory = malloc(size);
	UNIT_CHECK(tl_consensus_init(*memory, size - 1, config) == NULL);
	core = tl_consensus_init(*memory, size, config);
	UNIT_CHECK(core != NULL);
	return core;
}

static void
start(TlConsensus *core)
{
	TlInput		input = {.kind = TL_INPUT_START, .now_us = 1};

	UNIT_CHECK(tl_consensus_step(core, &actions, &input) == TL_OK);
}

/* Ask for a batch without chunks; the size of its header, which is in bytes. */
static TlStatus
make_batch(TlConsensus *core, const TlConsensusConfig *config, uint64_t number)
{
	static uint8_t bytes[TL_BATCH_SIZE_FIXED];
	TlBatchHeader header = {.chain_id = config->chain_id, .member = 1,
	.batch = number, .section_count = 1};
	TlInput		input = {.kind = TL_INPUT_MAKE_BATCH, .now_us = 2};
	TlWriter	writer;

	header.previous.bytes[0] = (number > 1);
	tl_writer_init(&writer, bytes, sizeof(bytes));
	UNIT_CHECK(tl_chain_batch_encode(&writer, &header) == TL_OK);
	input.payload.data = bytes;
	input.payload.size = writer.size;
	return tl_consensus_step(core, &actions, &input);
}

/* Sign what was asked for and give it back; rows are copied before. */
static void
give_back(TlConsensus *core, const TlConsensusConfig *config)
{
	static uint8_t payloads[8][4096];
	TlLogRow	rows[8];
	unsigned	count = 0;

	for (unsigned i = 0; i < actions.count; i++)
	{
		if (actions.list[i].kind != TL_ACT_APPEND)
			continue;
		rows[count] = actions.list[i].row;
		if (rows[count].payload.size > 0)
			memcpy(payloads[count], rows[count].payload.data,
				   rows[count].payload.size);
		rows[count].payload.data = payloads[count];
		UNIT_CHECK(tl_consensus_row_sign(&rows[count], &config->chain_id,
										 secrets[0], NULL) == TL_OK);
		count++;
	}
	for (unsigned i = 0; i < count; i++)
	{
		TlInput		input = {.kind = TL_INPUT_ROW, .now_us = 3, .row = rows[i]};

		UNIT_CHECK(tl_consensus_judge(core, &rows[i],
									  tl_consensus_check_signature, NULL,
									  &input.certificates_valid) == TL_OK);
		UNIT_CHECK(input.certificates_valid);
		rows[i].signature[5] ^= 1;
		UNIT_CHECK(tl_consensus_judge(core, &rows[i],
									  tl_consensus_check_signature, NULL,
									  &input.certificates_valid) == TL_BAD_SIGNATURE);
		UNIT_CHECK(!input.certificates_valid);
		input.certificates_valid = true;
		input.more = (i + 1 < count);
		UNIT_CHECK(tl_consensus_step(core, &actions, &input) == TL_OK);
	}
}

static unsigned
count_actions(TlActionKind kind)
{
	unsigned	count = 0;

	for (unsigned i = 0; i < actions.count; i++)
		count += (actions.list[i].kind == kind);
	return count;
}

static void
arena(void)
{
	uint8_t		memory[64] __attribute__((aligned(16)));
	TlArena		bounded;

	memset(memory, 0xff, sizeof(memory));
	tl_consensus_arena_init(&bounded, memory, sizeof(memory));
	UNIT_CHECK(tl_consensus_arena_take(&bounded, 17) == memory);
	UNIT_CHECK(memory[16] == 0 && memory[31] == 0 && memory[32] == 0xff);
	UNIT_CHECK(tl_consensus_arena_take(&bounded, 33) == NULL);
	UNIT_CHECK(tl_consensus_arena_take(&bounded, SIZE_MAX) == NULL);
	UNIT_CHECK(tl_consensus_arena_take(&bounded, 32) == memory + 32);
	UNIT_CHECK(tl_consensus_arena_take(&bounded, 1) == NULL);
	tl_consensus_arena_init(&bounded, NULL, 0);
	UNIT_CHECK(tl_consensus_arena_take(&bounded, 17) == NULL);
	UNIT_CHECK(bounded.used == 32);
}

static void
configurations(void)
{
	TlConsensusConfig config;

	configure(&config, 2);
	UNIT_CHECK(tl_consensus_size(&config) > 0);
	config.members[1].number = 1;
	UNIT_CHECK(tl_consensus_size(&config) == 0);
	configure(&config, 2);
	config.members[0].validator = config.members[1].validator = false;
	UNIT_CHECK(tl_consensus_size(&config) == 0);
	configure(&config, 2);
	config.view_count = 7;
	UNIT_CHECK(tl_consensus_size(&config) == 0);
	config.view_count = TL_CONSENSUS_VIEWS_MAX + 1;
	UNIT_CHECK(tl_consensus_size(&config) == 0);
	configure(&config, 2);
	config.lane_length = 1;
	UNIT_CHECK(tl_consensus_size(&config) == 0);
	configure(&config, 2);
	config.member_count = 0;
	UNIT_CHECK(tl_consensus_size(&config) == 0);
	config.member_count = TL_MEMBER_COUNT_MAX + 1;
	UNIT_CHECK(tl_consensus_size(&config) == 0);
}

/* n = 1: BATCH, PROPOSE, NOTARIZE and FINALIZE in one transaction, then final. */
static void
alone(void)
{
	TlConsensusConfig config;
	TlConsensusStatus status;
	TlConsensus *core;
	void	   *memory;

	configure(&config, 1);
	core = make(&config, &memory);
	UNIT_CHECK(make_batch(core, &config, 1) == TL_BAD_ORDER);	/* not started */
	start(core);
	UNIT_CHECK(count_actions(TL_ACT_APPEND) == 0);
	UNIT_CHECK(make_batch(core, &config, 2) == TL_BAD_ORDER);
	UNIT_CHECK(count_actions(TL_ACT_APPEND) == 0);
	UNIT_CHECK(make_batch(core, &config, 1) == TL_OK);
	UNIT_CHECK(count_actions(TL_ACT_APPEND) == 4);
	UNIT_CHECK(count_actions(TL_ACT_FINAL) == 0);	/* not durable yet */
	UNIT_CHECK(actions.list[0].row.kind == TL_LOG_BATCH);
	UNIT_CHECK(actions.list[1].row.kind == TL_LOG_PROPOSE);
	UNIT_CHECK(actions.list[2].row.kind == TL_LOG_NOTARIZE);
	UNIT_CHECK(actions.list[3].row.kind == TL_LOG_FINALIZE);
	UNIT_CHECK(actions.list[3].row.sequence == 4);
	give_back(core, &config);
	UNIT_CHECK(count_actions(TL_ACT_FINAL) == 1);
	UNIT_CHECK(count_actions(TL_ACT_APPEND) == 0);
	tl_consensus_status(core, &status);
	UNIT_CHECK(status.final_height == 1 && status.view == 2 && !status.works);
	free(memory);
}

/* R5: an own row that this core did not ask for stops it. */
static void
own_log(void)
{
	TlConsensusConfig config;
	TlConsensusStatus status;
	TlConsensus *core;
	TlInput		input = {.kind = TL_INPUT_ROW, .now_us = 2,
	.certificates_valid = true};
	void	   *memory;

	configure(&config, 1);
	core = make(&config, &memory);
	start(core);
	input.row.member = 1;
	input.row.sequence = 1;
	input.row.kind = TL_LOG_NULLIFY;
	input.row.view = 1;
	UNIT_CHECK(tl_consensus_step(core, &actions, &input) == TL_OK);
	UNIT_CHECK(count_actions(TL_ACT_ALARM) == 1);
	UNIT_CHECK(actions.list[0].alarm == TL_ALARM_OWN_LOG);
	tl_consensus_status(core, &status);
	UNIT_CHECK(status.stopped);
	UNIT_CHECK(make_batch(core, &config, 1) == TL_BAD_ORDER);
	free(memory);
}

/* An own log that holds FINALIZE and NULLIFY of one view is not continued. */
static void
own_log_at_start(void)
{
	TlConsensusConfig config;
	TlConsensusStatus status;
	TlConsensus *core;
	TlInput		input = {.kind = TL_INPUT_ROW, .now_us = 2, .more = true,
	.certificates_valid = true};
	uint8_t		block[TL_HASH_SIZE] = {1};
	void	   *memory;

	configure(&config, 2);
	core = make(&config, &memory);
	input.row.member = 1;
	input.row.sequence = 1;
	input.row.kind = TL_LOG_FINALIZE;
	input.row.view = 1;
	input.row.payload.data = block;
	input.row.payload.size = sizeof(block);
	UNIT_CHECK(tl_consensus_step(core, &actions, &input) == TL_OK);
	UNIT_CHECK(actions.count == 0);
	input.row.sequence = 2;
	input.row.kind = TL_LOG_NULLIFY;
	input.row.payload.size = 0;
	UNIT_CHECK(tl_consensus_step(core, &actions, &input) == TL_OK);
	UNIT_CHECK(count_actions(TL_ACT_ALARM) == 1);
	tl_consensus_status(core, &status);
	UNIT_CHECK(status.stopped);
	free(memory);
}

/* The next row of a log. */
static void
give_row(TlConsensus *core, uint32_t member, uint64_t sequence, uint8_t kind,
		 uint64_t view, TlSpan payload)
{
	TlInput		input = {.kind = TL_INPUT_ROW, .now_us = 2, .clock_us = 2,
	.certificates_valid = true};

	input.row.member = member;
	input.row.sequence = sequence;
	input.row.kind = kind;
	input.row.view = view;
	input.row.payload = payload;
	UNIT_CHECK(tl_consensus_step(core, &actions, &input) == TL_OK);
}

/*
 * The own log goes on in views that the memory does not reach (P9), where others go on
 * without this member.  (Where they do not: test_consensus_recover.c.)
 */
static void
own_log_beyond(void)
{
	TlConsensusConfig config;
	TlConsensusStatus status;
	TlConsensus *core;
	TlInput		later = {.kind = TL_INPUT_TIME};
	void	   *memory;

	configure(&config, 4);
	core = make(&config, &memory);
	give_row(core, 1, 1, TL_LOG_NULLIFY, 20, (TlSpan) {NULL, 0});
	start(core);
	give_row(core, 2, 1, TL_LOG_NULLIFY, 20, (TlSpan) {NULL, 0});
	give_row(core, 3, 1, TL_LOG_NULLIFY, 20, (TlSpan) {NULL, 0});
	for (later.now_us = 3; later.now_us < 3000000; later.now_us += 10000)
	{
		UNIT_CHECK(tl_consensus_step(core, &actions, &later) == TL_OK);
		UNIT_CHECK(count_actions(TL_ACT_APPEND) == 0);
	}
	tl_consensus_status(core, &status);
	UNIT_CHECK(status.view == 20 && status.works && !status.stopped);
	free(memory);
}

/* P9: a certificate from beyond; only who has shown one is asked for blocks. */
static void
beyond(void)
{
	uint8_t		votes[2 * TL_CERTIFICATE_VOTE_SIZE];
	uint8_t		bytes[TL_CERTIFICATE_SIZE_FIXED + sizeof(votes)];
	TlCertificate certificate = {.kind = TL_LOG_NULLIFY, .view = 20,
	.vote_count = 2};
	TlConsensusConfig config;
	TlConsensus *core;
	TlWriter	writer;
	TlSpan		payload;
	void	   *memory;

	tl_writer_init(&writer, votes, sizeof(votes));
	for (uint32_t member = 1; member <= 2; member++)
		tl_consensus_certificate_put_vote(&writer, &(TlVote) {.member = member});
	certificate.votes = (TlSpan) {votes, writer.size};
	tl_writer_init(&writer, bytes, sizeof(bytes));
	UNIT_CHECK(tl_consensus_certificate_encode(&writer, &certificate) == TL_OK);
	payload = (TlSpan) {bytes, writer.size};
	configure(&config, 2);
	core = make(&config, &memory);
	give_row(core, 1, 1, TL_LOG_CERT, 1, payload);
	start(core);
	UNIT_CHECK(count_actions(TL_ACT_CATCH_UP) == 0);	/* nobody but itself */
	give_row(core, 2, 1, TL_LOG_CERT, 1, payload);
	UNIT_CHECK(count_actions(TL_ACT_CATCH_UP) == 1);	/* and at once */
	for (unsigned i = 0; i < actions.count; i++)
		UNIT_CHECK(actions.list[i].kind != TL_ACT_CATCH_UP ||
				   (actions.list[i].member == 2 && actions.list[i].view == 20));
	free(memory);
}

/* Rows of nobody, of an epoch to come, and with a wrong payload. */
static void
refused_rows(void)
{
	TlConsensusConfig config;
	TlConsensus *core;
	TlInput		input = {.kind = TL_INPUT_ROW, .now_us = 2,
	.certificates_valid = true};
	uint8_t		byte = 7;
	void	   *memory;

	configure(&config, 2);
	core = make(&config, &memory);
	start(core);
	input.row.member = 3;
	input.row.sequence = 1;
	input.row.kind = TL_LOG_NULLIFY;
	input.row.view = 1;
	UNIT_CHECK(tl_consensus_step(core, &actions, &input) == TL_BAD_FORMAT);
	input.row.member = 2;
	input.row.epoch = 1;
	UNIT_CHECK(tl_consensus_step(core, &actions, &input) == TL_NOT_FINAL);
	input.row.epoch = 0;
	input.row.payload.data = &byte;
	input.row.payload.size = 1;
	for (int kind = TL_LOG_BATCH; kind <= TL_LOG_NULLIFY; kind++)
	{
		input.row.kind = (uint8_t) kind;
		UNIT_CHECK(tl_consensus_step(core, &actions, &input) == TL_OK);
		UNIT_CHECK(count_actions(TL_ACT_ALARM) == 1);
		UNIT_CHECK(actions.list[0].alarm == TL_ALARM_ILLEGAL_ROW &&
				   actions.list[0].member == 2);
	}
	input.row.kind = TL_LOG_CERT;
	input.certificates_valid = false;
	UNIT_CHECK(tl_consensus_step(core, &actions, &input) == TL_OK);
	UNIT_CHECK(count_actions(TL_ACT_ALARM) == 1);
	free(memory);
}

static void
acks(void)
{
	uint8_t		bytes[TL_ACK_SIZE_MAX];
	uint8_t		lanes[2 * TL_BLOCK_LANE_SIZE];
	TlAck		ack;
	TlAck		again;
	TlWriter	writer;

	memset(&ack, 0, sizeof(ack));
	unit_random_bytes(lanes, sizeof(lanes));
	unit_random_bytes(ack.instance, sizeof(ack.instance));
	ack.final_height = 7;
	ack.lanes.data = lanes;
	ack.lanes.size = sizeof(lanes);
	tl_writer_init(&writer, bytes, sizeof(bytes));
	UNIT_CHECK(tl_consensus_ack_encode(&writer, &ack) == TL_OK);
	UNIT_CHECK(writer.size == TL_ACK_SIZE_FIXED + sizeof(lanes));
	UNIT_CHECK(tl_consensus_ack_decode(&again, bytes, writer.size) == TL_OK);
	UNIT_CHECK(again.final_height == 7 && again.lanes.size == sizeof(lanes) &&
			   memcmp(again.lanes.data, lanes, sizeof(lanes)) == 0 &&
			   memcmp(again.instance, ack.instance, sizeof(ack.instance)) == 0);
	for (size_t cut = 0; cut < writer.size; cut++)
		UNIT_CHECK(tl_consensus_ack_decode(&again, bytes, cut) == TL_TRUNCATED);
	UNIT_CHECK(tl_consensus_ack_decode(&again, bytes, writer.size + 1) == TL_TRAILING_BYTES);
	bytes[0] = 2;
	UNIT_CHECK(tl_consensus_ack_decode(&again, bytes, writer.size) == TL_BAD_VERSION);
}

/* A step that has no room for the alarm: the node stops at once, and says so in the next. */
static void
fork_without_room(void)
{
	TlConsensusConfig config;
	TlConsensusStatus status;
	TlInput		input = {.kind = TL_INPUT_TIME, .now_us = 2};
	void	   *memory;
	TlConsensus *core;

	configure(&config, 1);
	core = make(&config, &memory);
	start(core);
	actions.count = TL_CONSENSUS_ACTIONS_MAX;
	actions.more = false;
	core->actions = &actions;
	tl_consensus_alarm(core, TL_ALARM_FORK, 0);
	UNIT_CHECK(actions.count == TL_CONSENSUS_ACTIONS_MAX && actions.more);
	tl_consensus_status(core, &status);
	UNIT_CHECK(status.stopped);
	UNIT_CHECK(make_batch(core, &config, 1) == TL_OK);
	UNIT_CHECK(count_actions(TL_ACT_ALARM) == 1);
	for (unsigned i = 0; i < actions.count; i++)
		UNIT_CHECK(actions.list[i].kind != TL_ACT_APPEND ||
				   actions.list[i].row.kind == TL_LOG_BATCH);
	UNIT_CHECK(tl_consensus_step(core, &actions, &input) == TL_OK);
	UNIT_CHECK(count_actions(TL_ACT_ALARM) == 0);	/* once */
	free(memory);
}

UNIT_MAIN(UNIT_CASE(arena), UNIT_CASE(configurations), UNIT_CASE(alone),
		  UNIT_CASE(own_log), UNIT_CASE(own_log_at_start),
		  UNIT_CASE(own_log_beyond), UNIT_CASE(beyond),
		  UNIT_CASE(refused_rows), UNIT_CASE(acks),
		  UNIT_CASE(fork_without_room))
