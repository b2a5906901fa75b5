/*-------------------------------------------------------------------------
 *
 * test_consensus_checkpoint.c
 *	  STATE: its bytes, when it is written, stable checkpoints, splits, and what
 *	  may be pruned.
 *
 * One core, member 1 of four; the rows of the others are made here.  Of seven
 * where a step has more to ask for than it can.
 *
 *-------------------------------------------------------------------------
 */
#include "consensus_state.h"

#include "chain_batch.h"
#include "consensus_payload.h"
#include "merkle_hash.h"
#include "unit.h"
#include "unit_actions.h"
#include "unit_consensus.h"

#include <stdlib.h>
#include <string.h>

#define MEMBERS		4
#define MEMBERS_MAX	7
#define LENGTH		64			/* of a lane, where all are full */
#define HEIGHT		64

static TlActions actions;
static TlConsensusConfig config;
static TlConsensus * core;
static void *memory;
static uint64_t sequences[MEMBERS_MAX + 1];
static int64_t now_us;
static bool more;			/* rows come in the same step */

static void open_members(unsigned count, unsigned lane_length);

static void
open_core(void)
{
	open_members(MEMBERS, 4);
}

/* A core whose last block is final at height 64, in view 70. */
static void
open_members(unsigned count, unsigned lane_length)
{
	TlInput		input = {.kind = TL_INPUT_START};
	TlConsensusBlock *base = &config.base;

	memset(sequences, 0, sizeof(sequences));
	unit_consensus_config(&config, count);
	config.checkpoint_interval = 32;
	config.lane_length = lane_length;
	config.pace.active_us = 100000;
	config.pace.timer_us = config.pace.fetch_us = 1000;
	base->header.proposer = 1;
	base->header.height = HEIGHT;
	base->header.view = 70;
	base->header.checkpoint_height = 20;
	base->header.chain_id.bytes[0] = 7;
	base->hash.bytes[0] = 9;
	config.founding = base->hash;
	config.chain_id = base->header.chain_id;
	core = unit_consensus_open(&config, &memory);
	now_us = input.now_us = 1000;
	UNIT_CHECK(tl_consensus_step(core, &actions, &input) == TL_OK);
	UNIT_CHECK(actions.count == 0 || actions.list[0].kind == TL_ACT_APPEND);
}

static const TlAction *
find_alarm(TlAlarm alarm)
{
	const TlAction *action = unit_action(&actions, TL_ACT_ALARM);

	return (action != NULL && action->alarm == alarm) ? action : NULL;
}

static TlState
state_at(uint64_t height, uint8_t root)
{
	TlState		state;

	memset(&state, 0, sizeof(state));
	state.height = height;
	state.block.bytes[0] = (height == HEIGHT) ? 9 : 8;
	state.state_root.bytes[0] = root;
	state.outcome_root.bytes[0] = 3;
	return state;
}

static TlStatus
apply(uint64_t height, uint8_t root, uint64_t view)
{
	TlInput		input = {.kind = TL_INPUT_STATE,.now_us = ++now_us};

	input.state = state_at(height, root);
	input.view = view;
	return tl_consensus_step(core, &actions, &input);
}

/* A row of that member; the core believes what it is told of signatures. */
static void
give(uint32_t member, uint8_t kind, uint64_t view, const uint8_t *payload,
	 size_t size)
{
	TlInput		input = {.kind = TL_INPUT_ROW,.now_us = ++now_us,
	.certificates_valid = true,.more = more};

	input.row.member = member;
	input.row.sequence = ++sequences[member];
	input.row.kind = kind;
	input.row.view = view;
	input.row.payload.data = payload;
	input.row.payload.size = size;
	UNIT_CHECK(tl_consensus_step(core, &actions, &input) == TL_OK);
}

static void
say(uint32_t member, uint64_t height, uint8_t root)
{
	uint8_t		bytes[TL_STATE_SIZE];
	TlState		state = state_at(height, root);
	TlWriter	writer;

	tl_writer_init(&writer, bytes, sizeof(bytes));
	UNIT_CHECK(tl_consensus_state_encode(&writer, &state) == TL_OK);
	give(member, TL_LOG_STATE, height + 6, bytes, writer.size);
}

static void
acknowledge(uint32_t member, uint64_t height)
{
	uint8_t		bytes[TL_ACK_SIZE_MAX];
	TlAck		ack = {.final_height = height};
	TlWriter	writer;

	tl_writer_init(&writer, bytes, sizeof(bytes));
	UNIT_CHECK(tl_consensus_ack_encode(&writer, &ack) == TL_OK);
	give(member, TL_LOG_ACK, 70, bytes, writer.size);
}

static void
wait_for(int64_t us)
{
	TlInput		input = {.kind = TL_INPUT_TIME};

	now_us += us;
	input.now_us = now_us;
	UNIT_CHECK(tl_consensus_step(core, &actions, &input) == TL_OK);
}

static void
bytes_decide(void)
{
	uint8_t		bytes[TL_STATE_SIZE + 1] = {0};
	TlState		state = state_at(7, 1);
	TlState		again;
	TlWriter	writer;

	tl_writer_init(&writer, bytes, sizeof(bytes));
	UNIT_CHECK(tl_consensus_state_encode(&writer, &state) == TL_OK);
	UNIT_CHECK(writer.size == TL_STATE_SIZE);
	UNIT_CHECK(tl_consensus_state_decode(&again, bytes, TL_STATE_SIZE) == TL_OK);
	UNIT_CHECK(memcmp(&state, &again, sizeof(state)) == 0);
	for (size_t cut = 0; cut < TL_STATE_SIZE; cut++)
		UNIT_CHECK(tl_consensus_state_decode(&again, bytes, cut) == TL_TRUNCATED);
	UNIT_CHECK(tl_consensus_state_decode(&again, bytes, TL_STATE_SIZE + 1) == TL_TRAILING_BYTES);
	bytes[0] = 2;
	UNIT_CHECK(tl_consensus_state_decode(&again, bytes, TL_STATE_SIZE) == TL_BAD_VERSION);
	bytes[0] = 1;
	bytes[8] = 0;
	UNIT_CHECK(tl_consensus_state_decode(&again, bytes, TL_STATE_SIZE) == TL_BAD_FORMAT);
	state.height = 0;
	UNIT_CHECK(tl_consensus_state_encode(&writer, &state) == TL_BAD_FORMAT);
}

/* R42: at an interval at once, at the tip when it stays the tip, each once. */
static void
when_it_is_written(void)
{
	const TlLogRow *row;

	open_core();
	UNIT_CHECK(apply(0, 1, 0) == TL_BAD_ORDER);
	UNIT_CHECK(apply(HEIGHT + 1, 1, 71) == TL_BAD_ORDER);	/* not final */
	UNIT_CHECK(apply(HEIGHT, 1, 71) == TL_BAD_ORDER);
	UNIT_CHECK(apply(31, 1, 37) == TL_OK);
	UNIT_CHECK(unit_appended(&actions, TL_LOG_STATE) == NULL);
	UNIT_CHECK(apply(32, 1, 38) == TL_OK);
	row = unit_appended(&actions, TL_LOG_STATE);
	UNIT_CHECK(row != NULL && row->view == 38 && row->payload.size == TL_STATE_SIZE);
	UNIT_CHECK(apply(32, 2, 38) == TL_OK);
	UNIT_CHECK(unit_appended(&actions, TL_LOG_STATE) == NULL);
	UNIT_CHECK(apply(HEIGHT, 1, 70) == TL_OK);	/* 64, the second interval */
	UNIT_CHECK(unit_appended(&actions, TL_LOG_STATE) != NULL);
	free(memory);
}

/* After a while without anything new; the tip only, and once. */
static void
when_idle(void)
{
	TlInput		start = {.kind = TL_INPUT_START};
	TlInput		input = {.kind = TL_INPUT_STATE,.view = 70};

	open_core();
	config.base.header.height = HEIGHT + 1;
	core = tl_consensus_init(memory, tl_consensus_size(&config), &config);
	UNIT_CHECK(core != NULL);
	start.now_us = input.now_us = now_us;
	UNIT_CHECK(tl_consensus_step(core, &actions, &start) == TL_OK);
	input.state = state_at(HEIGHT + 1, 1);
	input.state.block = config.base.hash;
	UNIT_CHECK(tl_consensus_step(core, &actions, &input) == TL_OK);
	wait_for(5000);
	UNIT_CHECK(unit_appended(&actions, TL_LOG_STATE) != NULL);
	wait_for(5000);
	UNIT_CHECK(unit_appended(&actions, TL_LOG_STATE) == NULL);
	free(memory);
}

/* R41: q rows equal in everything, and who differs. */
static void
stable(void)
{
	TlConsensusStatus status;
	TlCertificate certificate;
	const TlAction *action;

	open_core();
	say(2, 32, 1);
	say(2, 32, 1);				/* twice is once */
	say(3, 32, 2);				/* another root */
	say(1, 32, 1);
	UNIT_CHECK(unit_action(&actions, TL_ACT_CHECKPOINT) == NULL);
	say(4, 32, 1);
	action = unit_action(&actions, TL_ACT_CHECKPOINT);
	UNIT_CHECK(action != NULL && action->state.height == 32 && action->view == 38 &&
			   action->state.state_root.bytes[0] == 1);
	UNIT_CHECK(tl_consensus_certificate_decode(&certificate, action->certificate.data,
											   action->certificate.size) == TL_OK);
	UNIT_CHECK(certificate.kind == TL_LOG_STATE && certificate.vote_count == 3 &&
			   certificate.height == 32);
	action = find_alarm(TL_ALARM_DIVERGED);
	UNIT_CHECK(action != NULL && action->member == 3);
	tl_consensus_status(core, &status);
	UNIT_CHECK(status.checkpoint_height == 32 && !status.diverged);
	wait_for(1);
	UNIT_CHECK(unit_action(&actions, TL_ACT_CHECKPOINT) == NULL);	/* told once */
	free(memory);
}

/* R43: the own state is not the certified one. */
static void
diverged(void)
{
	TlConsensusStatus status;

	open_core();
	UNIT_CHECK(apply(32, 7, 38) == TL_OK);
	UNIT_CHECK(unit_appended(&actions, TL_LOG_STATE) != NULL);
	for (uint32_t member = 2; member <= 4; member++)
		say(member, 32, 1);
	UNIT_CHECK(unit_action(&actions, TL_ACT_CHECKPOINT) != NULL);
	UNIT_CHECK(find_alarm(TL_ALARM_DIVERGED) != NULL &&
			   find_alarm(TL_ALARM_DIVERGED)->member == 1);
	tl_consensus_status(core, &status);
	UNIT_CHECK(status.diverged && !status.stopped);
	UNIT_CHECK(apply(HEIGHT, 7, 70) == TL_OK);
	UNIT_CHECK(unit_appended(&actions, TL_LOG_STATE) == NULL);
	free(memory);
}

/* R43: the alarm names where that was seen first, though a later one is stable by the end of the step. */
static void
diverged_where(void)
{
	const TlAction *action;
	TlConsensusStatus status;

	open_core();
	UNIT_CHECK(apply(32, 7, 38) == TL_OK);
	UNIT_CHECK(apply(HEIGHT, 7, 70) == TL_OK);
	more = true;
	for (uint32_t member = 2; member <= 4; member++)
		say(member, 32, 1);
	for (uint32_t member = 2; member <= 4; member++)
	{
		UNIT_CHECK(find_alarm(TL_ALARM_DIVERGED) == NULL);
		more = member < 4;
		say(member, HEIGHT, 1);
	}
	action = find_alarm(TL_ALARM_DIVERGED);
	UNIT_CHECK(action != NULL && action->member == 1 && action->state.height == 32);
	tl_consensus_status(core, &status);
	UNIT_CHECK(status.diverged && status.checkpoint_height == HEIGHT);
	free(memory);
}

/* The next core is told first what the state was after the header's checkpoint. */
static void
diverged_before(void)
{
	for (uint8_t root = 1; root <= 7; root += 6)
	{
		TlInput		input = {.kind = TL_INPUT_START,.now_us = ++now_us};

		open_core();
		config.base.header.checkpoint_height = 32;
		config.base.header.checkpoint_state_root = state_at(32, 1).state_root;
		core = tl_consensus_init(memory, tl_consensus_size(&config), &config);
		UNIT_CHECK(core != NULL && apply(32, root, 38) == TL_OK);
		UNIT_CHECK(tl_consensus_step(core, &actions, &input) == TL_OK);
		UNIT_CHECK((find_alarm(TL_ALARM_DIVERGED) != NULL) == (root == 7));
		UNIT_CHECK(apply(HEIGHT, root, 70) == TL_OK);
		UNIT_CHECK((unit_appended(&actions, TL_LOG_STATE) == NULL) == (root == 7));
		free(memory);
	}
}

/* Two against two is certain; two against one, and one silent, takes time. */
static void
split(void)
{
	open_core();
	say(1, 32, 1);
	say(2, 32, 1);
	say(3, 32, 2);
	UNIT_CHECK(find_alarm(TL_ALARM_SPLIT) == NULL);
	say(4, 32, 2);
	UNIT_CHECK(find_alarm(TL_ALARM_SPLIT) != NULL &&
			   find_alarm(TL_ALARM_SPLIT)->state.height == 32);
	wait_for(1);
	UNIT_CHECK(find_alarm(TL_ALARM_SPLIT) == NULL);
	free(memory);

	open_core();
	say(1, 32, 1);
	say(2, 32, 1);
	say(3, 32, 2);
	wait_for(99000);
	UNIT_CHECK(find_alarm(TL_ALARM_SPLIT) == NULL);
	wait_for(2000);
	UNIT_CHECK(find_alarm(TL_ALARM_SPLIT) != NULL);
	say(4, 32, 1);				/* late, and a quorum after all */
	UNIT_CHECK(unit_action(&actions, TL_ACT_CHECKPOINT) != NULL);
	free(memory);

	open_core();				/* two are fewer than n - f */
	say(1, 32, 1);
	say(2, 32, 2);
	wait_for(500000);
	UNIT_CHECK(find_alarm(TL_ALARM_SPLIT) == NULL);
	free(memory);
}

/* R44: not before active members have passed it, nor beyond the own base. */
static void
prunable(void)
{
	open_core();
	acknowledge(2, 40);
	acknowledge(3, 10);			/* active, and behind */
	for (uint32_t member = 2; member <= 4; member++)
		say(member, 32, 1);
	UNIT_CHECK(unit_action(&actions, TL_ACT_CHECKPOINT) != NULL && unit_action(&actions, TL_ACT_PRUNE) == NULL);
	acknowledge(4, 64);
	UNIT_CHECK(unit_action(&actions, TL_ACT_PRUNE) == NULL);
	acknowledge(3, 32);
	UNIT_CHECK(unit_action(&actions, TL_ACT_PRUNE) != NULL && unit_action(&actions, TL_ACT_PRUNE)->state.height == 32 &&
			   unit_action(&actions, TL_ACT_PRUNE)->view == 38);
	for (uint32_t member = 2; member <= 4; member++)
		say(member, 96, 1);		/* beyond what is final here */
	UNIT_CHECK(unit_action(&actions, TL_ACT_CHECKPOINT) != NULL && unit_action(&actions, TL_ACT_PRUNE) == NULL);
	free(memory);

	open_core();
	acknowledge(3, 10);
	for (uint32_t member = 2; member <= 4; member++)
		say(member, 32, 1);
	UNIT_CHECK(unit_action(&actions, TL_ACT_PRUNE) == NULL);
	wait_for(200000);			/* nobody is waited for who is silent */
	UNIT_CHECK(unit_action(&actions, TL_ACT_PRUNE) != NULL);
	free(memory);
}

/* P18: silence counts from when something is owed, and until something comes. */
static void
active(void)
{
	open_core();				/* all owe an ACK of the base */
	acknowledge(2, HEIGHT);
	acknowledge(3, 10);
	wait_for(50000);
	UNIT_CHECK(tl_consensus_active_is(core, 2) && tl_consensus_active_is(core, 3));
	wait_for(3600 * INT64_C(1000000));
	UNIT_CHECK(tl_consensus_active_is(core, 1));	/* owes nothing, after an hour */
	UNIT_CHECK(!tl_consensus_active_is(core, 2) && !tl_consensus_active_is(core, 3));
	acknowledge(3, 10);			/* nothing new, but he is there */
	UNIT_CHECK(tl_consensus_active_is(core, 2));
	tl_consensus_pace_answered(core, 3);
	UNIT_CHECK(tl_consensus_active_is(core, 3));
	core->base.header.height++;	/* from now on 2 owes again */
	tl_consensus_pace_handed(core);
	core->now_us += config.pace.active_us;
	UNIT_CHECK(tl_consensus_active_is(core, 1));
	core->now_us++;
	UNIT_CHECK(!tl_consensus_active_is(core, 1));
	now_us = core->now_us;
	acknowledge(2, HEIGHT + 1);
	UNIT_CHECK(core->peers[1].silent_us == 0);
	/* Work asks for everybody's votes, until it is done. */
	core->pace.work_us = core->now_us;
	tl_consensus_active_owe(core);
	UNIT_CHECK(core->peers[1].silent_us == core->now_us && tl_consensus_active_is(core, 1));
	core->pace.work_us = 0;
	tl_consensus_active_owe(core);
	UNIT_CHECK(core->peers[1].silent_us == 0);
	free(memory);
}

/* P19: who is silent is waited for up to a limit; who is far behind, never. */
static void
prunable_within_limits(void)
{
	open_core();
	core->config.pace.retain_us = 1000000;
	core->config.pace.retain_count = 54;
	acknowledge(2, 40);
	acknowledge(4, 40);
	acknowledge(3, 10);			/* 54 behind */
	for (uint32_t member = 2; member <= 4; member++)
		say(member, 32, 1);
	UNIT_CHECK(unit_action(&actions, TL_ACT_CHECKPOINT) != NULL && unit_action(&actions, TL_ACT_PRUNE) == NULL);
	wait_for(200000);			/* not active, but not away for long */
	UNIT_CHECK(!tl_consensus_active_is(core, 2) && unit_action(&actions, TL_ACT_PRUNE) == NULL);
	acknowledge(3, 10);
	wait_for(900000);
	UNIT_CHECK(unit_action(&actions, TL_ACT_PRUNE) == NULL);
	wait_for(200000);
	UNIT_CHECK(unit_action(&actions, TL_ACT_PRUNE) != NULL && unit_action(&actions, TL_ACT_PRUNE)->state.height == 32);
	free(memory);

	open_core();
	core->config.pace.retain_us = 1000000;
	core->config.pace.retain_count = 53;
	acknowledge(2, 40);
	acknowledge(4, 40);
	acknowledge(3, 10);			/* says much, and acknowledges nothing */
	for (uint32_t member = 2; member <= 4; member++)
		say(member, 32, 1);
	UNIT_CHECK(unit_action(&actions, TL_ACT_PRUNE) != NULL);
	free(memory);

	open_core();				/* who has no log owes none, and is not waited for */
	core->config.members[2].observer = true;
	acknowledge(2, 40);
	acknowledge(4, 40);
	say(2, 32, 1);
	say(4, 32, 1);
	UNIT_CHECK(apply(32, 1, 38) == TL_OK);
	UNIT_CHECK(core->peers[2].final_height == 0 && !tl_consensus_active_delays(core, 2, 32));
	free(memory);
}

/* The full lane of a member, of which no body is here; *end is its last place. */
static void
fill_lane(uint32_t member, TlLane *end)
{
	TlBatchHeader header = {.chain_id = config.chain_id, .member = member,
		.section_count = 1, .chunk_count = 1};
	TlBatchChunk chunk = {.size = 1};
	uint8_t		chunk_bytes[64];
	uint8_t		bytes[TL_BATCH_SIZE_FIXED + 64];
	TlWriter	writer;

	tl_writer_init(&writer, chunk_bytes, sizeof(chunk_bytes));
	tl_chain_batch_put_chunk(&writer, &chunk);
	header.chunks = (TlSpan) {chunk_bytes, writer.size};
	memset(end, 0, sizeof(*end));
	end->member = member;
	for (end->batch = 0; end->batch < LENGTH;)
	{
		header.batch = ++end->batch;
		header.previous = end->digest;
		tl_writer_init(&writer, bytes, sizeof(bytes));
		UNIT_CHECK(tl_chain_batch_encode(&writer, &header) == TL_OK);
		give(member, TL_LOG_BATCH, 71, bytes, writer.size);
		tl_chain_batch_digest(&end->digest, bytes, writer.size);
	}
}

/* A block of view 71 that orders these lanes, proposed by its leader. */
static void
propose(const TlLane *lanes, unsigned count)
{
	uint32_t	leader = config.members[tl_consensus_leader(core, 71)].number;
	const TlConsensusBlock *base = &config.base;
	TlBlockHeader header = {.chain_id = config.chain_id, .height = HEIGHT + 1,
		.view = 71, .parent = base->hash, .parent_view = 70,
	.proposer = leader, .time = 1};
	uint8_t		header_bytes[TL_BLOCK_HEADER_SIZE];
	uint8_t		cut[MEMBERS_MAX * TL_BLOCK_LANE_SIZE];
	uint8_t		bytes[1024];
	TlProposal	proposal;
	TlWriter	writer;

	header.checkpoint_height = base->header.checkpoint_height;
	tl_merkle_empty_root(&header.entries_root);
	tl_merkle_range_root(&base->history, &header.history_root);
	UNIT_CHECK(tl_chain_cut_hash(&header.cut_hash, lanes, count) == TL_OK);
	memset(&proposal, 0, sizeof(proposal));
	tl_writer_init(&writer, header_bytes, sizeof(header_bytes));
	UNIT_CHECK(tl_chain_block_encode(&writer, &header) == TL_OK);
	proposal.header = (TlSpan) {header_bytes, writer.size};
	tl_writer_init(&writer, cut, sizeof(cut));
	UNIT_CHECK(tl_chain_cut_encode(&writer, lanes, count) == TL_OK);
	proposal.cut = (TlSpan) {cut, writer.size};
	tl_writer_init(&writer, bytes, sizeof(bytes));
	UNIT_CHECK(tl_consensus_proposal_encode(&writer, &proposal) == TL_OK);
	give(leader, TL_LOG_PROPOSE, 71, bytes, writer.size);
}

/* Each step from now on asks for all that it can, if time has passed. */
static void
fill_steps(void)
{
	TlLane		lanes[MEMBERS_MAX - 1];
	TlConsensusBlock *base = &config.base;

	open_members(MEMBERS_MAX, LENGTH);
	/* A base that a header can name, after which another one leads. */
	do
	{
		TlInput		input = {.kind = TL_INPUT_START,.now_us = now_us};

		base->header.parent.bytes[0]++;
		tl_chain_block_hash(&base->hash, &base->header);
		tl_merkle_range_init(&base->history);
		UNIT_CHECK(tl_merkle_range_append(&base->history, &base->hash) == TL_OK);
		config.founding = base->hash;
		core = tl_consensus_init(memory, tl_consensus_size(&config), &config);
		UNIT_CHECK(core != NULL);
		UNIT_CHECK(tl_consensus_step(core, &actions, &input) == TL_OK);
	} while (tl_consensus_leader(core, 71) == core->own.index);
	for (uint32_t member = 2; member <= MEMBERS_MAX; member++)
		fill_lane(member, &lanes[member - 2]);
	propose(lanes, MEMBERS_MAX - 1);
	now_us += 2000;
}

/* An alarm that is given once is given, whatever else the step asks for. */
static void
full_steps(void)
{
	const TlAction *action;

	fill_steps();
	UNIT_CHECK(apply(20, 9, 26) == TL_OK);	/* the chain says otherwise */
	UNIT_CHECK(unit_action(&actions, TL_ACT_FETCH_BATCH) != NULL && actions.more);
	action = find_alarm(TL_ALARM_DIVERGED);
	UNIT_CHECK(action != NULL && action->member == 1 && action->state.height == 20);
	UNIT_CHECK(unit_action(&actions, TL_ACT_WAKE) != NULL);
	now_us += 2000;
	UNIT_CHECK(apply(HEIGHT, 9, 70) == TL_BAD_ORDER);	/* another block */
	UNIT_CHECK(unit_action(&actions, TL_ACT_FETCH_BATCH) != NULL && unit_action(&actions, TL_ACT_ALARM) == NULL);
	free(memory);

	fill_steps();
	for (uint32_t member = 2; member < MEMBERS_MAX; member++)
		say(member, 32, member % 2);
	now_us += 2000;
	say(MEMBERS_MAX, 32, MEMBERS_MAX % 2);	/* three against three */
	UNIT_CHECK(unit_action(&actions, TL_ACT_FETCH_BATCH) != NULL && actions.more);
	action = find_alarm(TL_ALARM_SPLIT);
	UNIT_CHECK(action != NULL && action->state.height == 32);
	free(memory);
}

/* What no place is left for is not taken for given; a fork stops it all the same. */
static void
no_place(void)
{
	fill_steps();
	core->actions = &actions;
	memset(&actions, 0, sizeof(actions));
	while (tl_consensus_act(core, TL_ACT_FETCH_ROW) != NULL)
		continue;
	UNIT_CHECK(actions.more);
	for (unsigned i = actions.count; i < TL_CONSENSUS_ACTIONS_MAX - 1; i++)
		UNIT_CHECK(tl_consensus_act(core, TL_ACT_ALARM) != NULL);
	tl_consensus_alarm(core, TL_ALARM_FORK, 0);
	UNIT_CHECK(find_alarm(TL_ALARM_FORK) == NULL && core->forked);
	UNIT_CHECK(tl_consensus_act(core, TL_ACT_WAKE) != NULL);
	UNIT_CHECK(actions.count == TL_CONSENSUS_ACTIONS_MAX &&
			   tl_consensus_act(core, TL_ACT_WAKE) == NULL);
	actions.count = 0;
	tl_consensus_alarm(core, TL_ALARM_FORK, 0);
	UNIT_CHECK(find_alarm(TL_ALARM_FORK) != NULL && core->forked);
	actions.count = 0;
	tl_consensus_alarm(core, TL_ALARM_FORK, 0);
	UNIT_CHECK(actions.count == 0);
	free(memory);
}

UNIT_MAIN(UNIT_CASE(bytes_decide), UNIT_CASE(when_it_is_written),
		  UNIT_CASE(when_idle),
		  UNIT_CASE(stable), UNIT_CASE(diverged), UNIT_CASE(diverged_where), UNIT_CASE(diverged_before),
		  UNIT_CASE(split),
		  UNIT_CASE(prunable), UNIT_CASE(active), UNIT_CASE(prunable_within_limits), UNIT_CASE(full_steps), UNIT_CASE(no_place))
