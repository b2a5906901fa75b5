/*-------------------------------------------------------------------------
 *
 * test_consensus_entry.c
 *	  Rows that blocks order: kept within bounds, ordered once.
 *
 * One validator and three participants: a block is final at once.  How many
 * validators agree about entries is for the simulator (test/sim).
 *
 *-------------------------------------------------------------------------
 */
#include "consensus_core.h"
#include "consensus_evidence.h"
#include "consensus_rejoin.h"
#include "consensus_reply.h"

#include "unit.h"
#include "unit_consensus.h"

#include <stdlib.h>
#include <string.h>

#define MEMBERS		4

static TlActions actions;
static TlConsensusConfig config;
static uint8_t secrets[MEMBERS][TL_SECRET_SIZE];
static TlConsensusBlock final_block;
static TlStanding final_standing;

static void
configure(void)
{
	unit_consensus_config(&config, MEMBERS);
	unit_consensus_keys(&config, secrets);
	for (unsigned i = 1; i < MEMBERS; i++)
		config.members[i].validator = false;
	unit_consensus_genesis(&config);
}

static TlConsensus *
start(void **memory)
{
	TlInput		input = {.kind = TL_INPUT_START, .now_us = 1};
	TlConsensus *core = unit_consensus_open(&config, memory);

	UNIT_CHECK(tl_consensus_step(core, &actions, &input) == TL_OK);
	return core;
}

static unsigned
waiting(const TlConsensus *core)
{
	TlConsensusStatus status;

	tl_consensus_status(core, &status);
	return status.entries;
}

static unsigned
alarms(void)
{
	unsigned	count = 0;

	for (unsigned i = 0; i < actions.count; i++)
		count += (actions.list[i].kind == TL_ACT_ALARM);
	return count;
}

/* A row of a member, signed; salt makes several of one kind differ. */
static TlLogRow
row_of(uint32_t member, uint8_t kind, uint64_t sequence, TlSpan payload)
{
	TlLogRow	row = {.member = member, .kind = kind, .sequence = sequence,
	.payload = payload};

	row.previous.bytes[0] = (sequence > 1);
	UNIT_CHECK(tl_consensus_row_sign(&row, &config.chain_id,
									 secrets[member - 1], NULL) == TL_OK);
	return row;
}

/* Evidence that the accused signed two rows at one place; in bytes. */
static TlSpan
accusation(uint32_t accused, uint8_t salt, uint8_t *bytes)
{
	uint8_t		blocks[2][TL_HASH_SIZE] = {{1, salt}, {2, salt}};
	TlLogRow	rows[2];
	TlEvidenceRow kept[2];
	TlEvidence	evidence;
	TlWriter	writer;

	for (int i = 0; i < 2; i++)
	{
		rows[i] = row_of(accused, TL_LOG_NOTARIZE, 1, (TlSpan) {blocks[i], TL_HASH_SIZE});
		tl_consensus_evidence_row(&kept[i], &rows[i]);
	}
	UNIT_CHECK(tl_consensus_evidence_make(&evidence, &config.chain_id, &kept[0],
										  &kept[1]) == TL_EVIDENCE_FORK);
	tl_writer_init(&writer, bytes, TL_EVIDENCE_SIZE);
	UNIT_CHECK(tl_consensus_evidence_encode(&writer, &evidence) == TL_OK);
	return (TlSpan) {bytes, writer.size};
}

/* Judge a row and give it to the core; the actions are of that step. */
static void
give(TlConsensus *core, TlInputKind kind, const TlLogRow *row, bool valid)
{
	TlInput		input = {.kind = kind, .now_us = 3, .clock_us = 3, .row = *row};

	UNIT_CHECK(tl_consensus_judge(core, row, tl_consensus_check_signature, NULL,
								  &input.certificates_valid) == TL_OK);
	UNIT_CHECK(input.certificates_valid == valid);
	UNIT_CHECK(tl_consensus_step(core, &actions, &input) == TL_OK);
}

/* Sign what the core asked for and give it back, until it asks for nothing. */
static unsigned
finish(TlConsensus *core)
{
	static uint8_t payloads[TL_CONSENSUS_ACTIONS_MAX][4096];
	TlLogRow	rows[TL_CONSENSUS_ACTIONS_MAX];
	unsigned	finals = 0;
	unsigned	count = 1;

	while (count > 0)
	{
		count = 0;
		for (unsigned i = 0; i < actions.count; i++)
		{
			if (actions.list[i].kind == TL_ACT_FINAL)
			{
				final_block = *actions.list[i].block;
				final_standing = *actions.standing;
				finals++;
			}
			if (actions.list[i].kind != TL_ACT_APPEND)
				continue;
			rows[count] = actions.list[i].row;
			UNIT_CHECK(rows[count].payload.size <= sizeof(payloads[0]));
			if (rows[count].payload.size > 0)
				memcpy(payloads[count], rows[count].payload.data,
					   rows[count].payload.size);
			rows[count].payload.data = payloads[count];
			UNIT_CHECK(tl_consensus_row_sign(&rows[count], &config.chain_id,
											 secrets[0], NULL) == TL_OK);
			count++;
		}
		for (unsigned i = 0; i < count; i++)
		{
			TlInput		input = {.kind = TL_INPUT_ROW, .now_us = 4, .clock_us = 4,
				.row = rows[i], .certificates_valid = true, .more = (i + 1 < count)};

			UNIT_CHECK(tl_consensus_step(core, &actions, &input) == TL_OK);
		}
	}
	return finals;
}

/* A row is ordered, the accused stands convicted, and that is that. */
static void
ordered_once(void)
{
	uint8_t		bytes[TL_EVIDENCE_SIZE];
	uint8_t		other_bytes[TL_EVIDENCE_SIZE];
	TlLogRow	row;
	TlLogRow	other;
	TlHash		digest;
	TlConsensus *core;
	void	   *memory;

	configure();
	core = start(&memory);
	row = row_of(2, TL_LOG_EVIDENCE, 1, accusation(3, 0, bytes));
	other = row_of(4, TL_LOG_EVIDENCE, 1, accusation(3, 1, other_bytes));
	give(core, TL_INPUT_ROW, &row, true);
	UNIT_CHECK(waiting(core) == 1 && actions.standing->members[2].convicted == 0);
	UNIT_CHECK(finish(core) == 1);
	tl_consensus_row_digest(&digest, &config.chain_id, &row);
	UNIT_CHECK(final_block.entry_count == 1 &&
			   final_block.entries[0].kind == TL_LOG_EVIDENCE &&
			   memcmp(&final_block.entries[0].digest, &digest, sizeof(digest)) == 0);
	UNIT_CHECK(final_standing.members[2].convicted == 1);
	UNIT_CHECK(final_standing.members[1].convicted == 0);
	UNIT_CHECK(waiting(core) == 0);
	/* Neither that row nor another accusation of the same member. */
	give(core, TL_INPUT_LOOSE_ROW, &row, true);
	give(core, TL_INPUT_ROW, &other, true);
	UNIT_CHECK(waiting(core) == 0 && finish(core) == 0);
	free(memory);
	/* Nor after a restart, with what was kept beside the base. */
	config.base = final_block;
	config.standing = final_standing;
	core = start(&memory);
	give(core, TL_INPUT_ROW, &row, true);
	UNIT_CHECK(waiting(core) == 0 && finish(core) == 0);
	free(memory);
}

/* One block orders one row of an author, and one about a member. */
static void
one_at_a_time(void)
{
	uint8_t		bytes[4][TL_EVIDENCE_SIZE];
	TlLogRow	rows[4];
	TlConsensus *core;
	void	   *memory;

	configure();
	core = start(&memory);
	rows[0] = row_of(2, TL_LOG_EVIDENCE, 1, accusation(3, 0, bytes[0]));
	rows[1] = row_of(2, TL_LOG_EVIDENCE, 2, accusation(4, 0, bytes[1]));
	rows[2] = row_of(3, TL_LOG_EVIDENCE, 1, accusation(4, 1, bytes[2]));
	rows[3] = row_of(4, TL_LOG_EVIDENCE, 1, accusation(3, 1, bytes[3]));
	for (int i = 0; i < 4; i++)
	{
		TlInput		input = {.kind = TL_INPUT_ROW, .now_us = 3, .more = (i < 3),
		.row = rows[i], .certificates_valid = true};

		UNIT_CHECK(tl_consensus_step(core, &actions, &input) == TL_OK);
	}
	UNIT_CHECK(waiting(core) == 4);
	UNIT_CHECK(finish(core) == 1);
	UNIT_CHECK(final_block.entry_count == 2);
	UNIT_CHECK(final_standing.members[2].convicted == 1 &&
			   final_standing.members[3].convicted == 1);
	free(memory);
}

/* A flood takes the author's own places and nobody else's. */
static void
flood(void)
{
	uint8_t		bytes[TL_EVIDENCE_SIZE];
	TlConsensus *core;
	void	   *memory;
	TlLogRow	row;

	configure();
	config.member = 0;			/* follows: nothing is ordered */
	core = start(&memory);
	for (int i = 0; i < 200; i++)
	{
		row = row_of(2, TL_LOG_EVIDENCE, i + 1,
					 accusation(3 + i % 2, (uint8_t) i, bytes));
		give(core, TL_INPUT_ROW, &row, true);
		UNIT_CHECK(waiting(core) <= 2 && alarms() == 0);
	}
	row = row_of(4, TL_LOG_EVIDENCE, 1, accusation(3, 0, bytes));
	give(core, TL_INPUT_ROW, &row, true);
	UNIT_CHECK(waiting(core) == 3);
	free(memory);
}

/* What convicts nobody, or a stranger, or was not signed, is no entry. */
static void
illegal(void)
{
	uint8_t		bytes[TL_EVIDENCE_SIZE];
	TlConsensus *core;
	void	   *memory;
	TlLogRow	row;

	configure();
	core = start(&memory);
	row = row_of(2, TL_LOG_EVIDENCE, 1, (TlSpan) {bytes, 0});
	give(core, TL_INPUT_ROW, &row, false);
	UNIT_CHECK(alarms() == 1 && waiting(core) == 0);
	row.payload = accusation(3, 0, bytes);
	bytes[TL_EVIDENCE_SIZE - 1] ^= 1;
	row = row_of(2, TL_LOG_EVIDENCE, 1, row.payload);
	give(core, TL_INPUT_ROW, &row, false);
	UNIT_CHECK(alarms() == 1 && waiting(core) == 0);
	config.member_count = 3;
	free(memory);
	core = start(&memory);
	row = row_of(2, TL_LOG_EVIDENCE, 1, accusation(4, 0, bytes));
	give(core, TL_INPUT_ROW, &row, false);
	UNIT_CHECK(alarms() == 1 && waiting(core) == 0);
	free(memory);
}

/* The REPLY of the only validator to that request; in bytes, after its size. */
static TlSpan
reply_to(const uint8_t *nonce, uint8_t *bytes, size_t room)
{
	uint8_t		payload[TL_REPLY_SIZE_FIXED];
	TlReply		reply = {.asker = 2, .reason = TL_REPLY_FIRST};
	TlLogRow	row = {.member = 1, .kind = TL_LOG_REPLY, .view = 1};
	TlWriter	writer;

	memcpy(reply.request, nonce, TL_NONCE_SIZE);
	tl_writer_init(&writer, payload, sizeof(payload));
	UNIT_CHECK(tl_consensus_reply_encode(&writer, &reply) == TL_OK);
	row.payload = (TlSpan) {payload, writer.size};
	UNIT_CHECK(tl_consensus_row_sign(&row, &config.chain_id, secrets[0],
									 NULL) == TL_OK);
	tl_writer_init(&writer, bytes, room);
	tl_put_u32(&writer, (uint32_t) (TL_LOG_ROW_SIZE_FIXED + row.payload.size));
	UNIT_CHECK(tl_consensus_row_encode(&writer, &row) == TL_OK);
	return (TlSpan) {bytes, writer.size};
}

/* A REJOIN is ordered if it is not older than the one before, and only once. */
static void
rejoins(void)
{
	uint8_t		bytes[1024];
	uint8_t		replies[512];
	TlRejoin	rejoin = {.cause = TL_REJOIN_COPIED, .nonce = {7},
		.sequence = 1, .digest = {{1}}, .reply_count = 1};
	TlConsensus *core;
	void	   *memory;
	TlWriter	writer;
	TlLogRow	row = {.member = 2, .kind = TL_LOG_REJOIN, .sequence = 1,
	.nonce = {7}, .view = 3};

	configure();
	core = start(&memory);
	for (int i = 0; i < 3; i++)
	{
		rejoin.replies = reply_to(rejoin.nonce, replies, sizeof(replies));
		tl_writer_init(&writer, bytes, sizeof(bytes));
		UNIT_CHECK(tl_consensus_rejoin_encode(&writer, &rejoin) == TL_OK);
		row.payload = (TlSpan) {bytes, writer.size};
		UNIT_CHECK(tl_consensus_row_sign(&row, &config.chain_id, secrets[1],
										 NULL) == TL_OK);
		give(core, (i == 1) ? TL_INPUT_LOOSE_ROW : TL_INPUT_ROW, &row, true);
		/* 0 to 1; then one of an earlier view, which is over; then 1 to 2 */
		UNIT_CHECK(finish(core) == (i != 1) && alarms() == 0);
		UNIT_CHECK(waiting(core) == 0);
		UNIT_CHECK(final_standing.members[1].incarnation == (i == 2 ? 2 : 1));
		give(core, TL_INPUT_LOOSE_ROW, &row, true);
		UNIT_CHECK(!finish(core) && alarms() == 0);
		if (i != 1)
			memcpy(rejoin.nonce_before, rejoin.nonce, TL_NONCE_SIZE);
		row.view = (i == 0) ? 2 : 3;
		row.nonce[0]++;
		rejoin.nonce[0]++;
	}
	/* Its own nonce, and its place at the head of a log. */
	row.nonce[0]++;
	UNIT_CHECK(tl_consensus_row_sign(&row, &config.chain_id, secrets[1],
									 NULL) == TL_OK);
	give(core, TL_INPUT_ROW, &row, true);
	UNIT_CHECK(alarms() == 1 && waiting(core) == 0);
	free(memory);
}

UNIT_MAIN(UNIT_CASE(ordered_once), UNIT_CASE(one_at_a_time), UNIT_CASE(flood),
		  UNIT_CASE(illegal), UNIT_CASE(rejoins))
