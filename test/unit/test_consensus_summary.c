/*-------------------------------------------------------------------------
 *
 * test_consensus_summary.c
 *	  A core that is given the summary of a log knows what one knows that was given
 *	  all of its ACKs.
 *
 * The core follows four validators without being one.  Member 4's lane has two
 * batches; members 2 and 3 acknowledge.
 *
 *-------------------------------------------------------------------------
 */
#include "consensus_state.h"

#include "chain_batch.h"
#include "consensus_payload.h"
#include "consensus_summary.h"
#include "unit.h"
#include "unit_consensus.h"

#include <stdlib.h>
#include <string.h>

#define MEMBERS		4

static TlActions actions;
static TlConsensusConfig config;
static TlConsensus *core;
static void *memory;
static TlLane lanes[2];			/* of member 4, after each batch */
static uint8_t batches[2][TL_BATCH_SIZE_FIXED];
static uint8_t payloads[16][TL_ACK_SIZE_MAX];
static unsigned payload_count;

static void
configure(void)
{
	unit_consensus_config(&config, MEMBERS);
	config.member = 0;
	unit_consensus_genesis(&config);
	payload_count = 0;
}

static void
open_core(void)
{
	free(memory);
	core = unit_consensus_open(&config, &memory);
}

static void
give(uint32_t member, uint64_t sequence, uint8_t kind, TlSpan payload)
{
	TlInput		input = {.kind = TL_INPUT_ROW, .now_us = 2, .certificates_valid = true};

	input.row.member = member;
	input.row.sequence = sequence;
	input.row.kind = kind;
	input.row.view = 1;
	input.row.payload = payload;
	UNIT_CHECK(tl_consensus_step(core, &actions, &input) == TL_OK);
}

static TlStatus
give_summary(const TlLogSummary *summary)
{
	TlInput		input = {.kind = TL_INPUT_SUMMARY, .now_us = 2, .summary = summary};

	return tl_consensus_step(core, &actions, &input);
}

/* Two batches of member 4, whose bodies are nothing. */
static void
give_batches(void)
{
	for (unsigned i = 0; i < 2; i++)
	{
		TlBatchHeader header = {.chain_id = config.chain_id, .member = 4, .batch = i + 1,
		.section_count = 1};
		TlWriter	writer;

		if (i > 0)
			header.previous = lanes[0].digest;
		tl_writer_init(&writer, batches[i], sizeof(batches[i]));
		UNIT_CHECK(tl_chain_batch_encode(&writer, &header) == TL_OK);
		lanes[i] = (TlLane) {.member = 4, .batch = i + 1};
		tl_chain_batch_digest(&lanes[i].digest, batches[i], writer.size);
		give(4, i + 1, TL_LOG_BATCH, (TlSpan) {batches[i], writer.size});
	}
}

/* Of that lane, or of none; by that copy of the member. */
static TlSpan
ack(const TlLane *lane, uint64_t height, uint8_t instance, uint8_t replaced)
{
	uint8_t    *bytes = payloads[payload_count++];
	uint8_t		cut[TL_BLOCK_LANE_SIZE];
	TlAck		said = {.instance = {instance}, .replaced = {replaced}, .final_height = height};
	TlWriter	writer;

	tl_writer_init(&writer, cut, sizeof(cut));
	UNIT_CHECK(tl_chain_cut_encode(&writer, lane, lane != NULL ? 1 : 0) == TL_OK);
	said.lanes = (TlSpan) {cut, writer.size};
	tl_writer_init(&writer, bytes, TL_ACK_SIZE_MAX);
	UNIT_CHECK(tl_consensus_ack_encode(&writer, &said) == TL_OK);
	return (TlSpan) {bytes, writer.size};
}

static unsigned
alarms(TlAlarm alarm)
{
	unsigned	count = 0;

	for (unsigned i = 0; i < actions.count; i++)
		count += actions.list[i].kind == TL_ACT_ALARM && actions.list[i].alarm == alarm;
	return count;
}

/* The batch that q hold, 0: none. */
static uint64_t
acknowledged(void)
{
	const TlKnownBatch *head = tl_consensus_batch_head(core, 3, true);

	return head == NULL ? 0 : head->batch;
}

/* What three ACKs say, two of them long ago, the last row and the summary say as well. */
static void
sum_of_acks(void)
{
	TlLogSummary summary;
	TlLogSummary again;
	TlSpan		last;

	configure();
	open_core();
	give_batches();
	UNIT_CHECK(!tl_consensus_summary(core, 2, &summary));
	give(2, 1, TL_LOG_ACK, ack(&lanes[0], 0, 9, 0));
	give(2, 2, TL_LOG_ACK, ack(&lanes[1], 7, 9, 0));
	last = ack(NULL, 5, 9, 0);
	give(2, 3, TL_LOG_ACK, last);
	give(3, 1, TL_LOG_ACK, ack(&lanes[1], 0, 8, 0));
	UNIT_CHECK(acknowledged() == 2);
	UNIT_CHECK(tl_consensus_summary(core, 2, &summary));
	UNIT_CHECK(summary.sequence == 3 && summary.final_height == 7 && summary.lane_count == 1);
	UNIT_CHECK(!tl_consensus_summary(core, 5, &again));

	open_core();
	give_batches();
	give(2, 3, TL_LOG_ACK, last);
	give(3, 1, TL_LOG_ACK, ack(&lanes[1], 0, 8, 0));
	UNIT_CHECK(acknowledged() == 0);	/* q are three, of which the author is one */
	UNIT_CHECK(give_summary(&summary) == TL_OK);
	UNIT_CHECK(acknowledged() == 2);
	UNIT_CHECK(tl_consensus_summary(core, 2, &again));
	UNIT_CHECK(again.final_height == 7 && again.lane_count == 1 && again.lanes[0].batch == 2 &&
			   tl_consensus_same(&again.lanes[0].digest, &lanes[1].digest));
}

/* Only behind the row that it is of, and of nobody else. */
static void
refused(void)
{
	TlLogSummary summary;
	TlLogSummary other;

	configure();
	open_core();
	give_batches();
	give(2, 1, TL_LOG_ACK, ack(&lanes[1], 7, 9, 0));
	UNIT_CHECK(tl_consensus_summary(core, 2, &summary));
	open_core();
	give_batches();
	UNIT_CHECK(give_summary(&summary) == TL_BAD_ORDER); /* no row yet */
	give(2, 1, TL_LOG_ACK, ack(NULL, 0, 9, 0));
	UNIT_CHECK(give_summary(&summary) == TL_BAD_ORDER); /* another row */
	other = summary;
	other.member = 5;
	UNIT_CHECK(give_summary(&other) == TL_BAD_ORDER);
	UNIT_CHECK(core->peers[1].final_height == 0);
	config.member = 2;			/* of the own log there is none */
	open_core();
	give(2, 1, TL_LOG_ACK, ack(&lanes[1], 7, 9, 0));
	UNIT_CHECK(!tl_consensus_summary(core, 2, &other));
	UNIT_CHECK(give_summary(&summary) == TL_BAD_ORDER);
}

/* Of a lane whose owner has left nothing is kept, in no other's place either. */
static void
lane_of_nobody(void)
{
	TlLogSummary summary;
	TlLogSummary others;

	configure();
	open_core();
	give_batches();
	give(2, 1, TL_LOG_ACK, ack(&lanes[1], 0, 9, 0));
	UNIT_CHECK(tl_consensus_summary(core, 2, &summary));
	config.member_count = MEMBERS - 1;
	open_core();
	give(2, 1, TL_LOG_ACK, ack(&lanes[1], 0, 9, 0));
	give(3, 1, TL_LOG_ACK, ack(NULL, 0, 8, 0));
	UNIT_CHECK(summary.lane_count == 1 && give_summary(&summary) == TL_OK);
	UNIT_CHECK(tl_consensus_summary(core, 2, &summary) && summary.lane_count == 0);
	UNIT_CHECK(tl_consensus_summary(core, 3, &others) && others.lane_count == 0);
}

/* R45: a copy that was seen long ago is known, and no copy is doubted without reason. */
static void
copies(void)
{
	TlLogSummary summary;

	configure();
	open_core();
	give_batches();
	give(2, 1, TL_LOG_ACK, ack(NULL, 0, 9, 0));
	give(2, 2, TL_LOG_ACK, ack(NULL, 0, 10, 0));
	UNIT_CHECK(alarms(TL_ALARM_INSTANCES) == 1);
	give(2, 3, TL_LOG_ACK, ack(NULL, 1, 10, 0));
	UNIT_CHECK(tl_consensus_summary(core, 2, &summary) && summary.doubled);

	open_core();
	give(2, 3, TL_LOG_ACK, ack(NULL, 1, 10, 0));
	UNIT_CHECK(!core->peers[1].doubled);
	UNIT_CHECK(give_summary(&summary) == TL_OK && core->peers[1].doubled);
	give(2, 4, TL_LOG_ACK, ack(NULL, 1, 11, 9));	/* one of the two has gone */
	UNIT_CHECK(!core->peers[1].doubled && alarms(TL_ALARM_INSTANCES) == 0);
}

static void
encoding(void)
{
	TlLogSummary summary = {.member = 2, .sequence = 3, .final_height = 7, .doubled = true,
	.lane_count = 2};
	TlLogSummary again;
	uint8_t		bytes[TL_SUMMARY_SIZE_MAX];
	TlWriter	writer;

	for (unsigned i = 0; i < 2; i++)
		summary.lanes[i] = (TlLane) {.member = i + 1, .batch = 5};
	unit_random_bytes(summary.other, sizeof(summary.other));
	unit_random_bytes(summary.digest.bytes, TL_HASH_SIZE);
	tl_writer_init(&writer, bytes, sizeof(bytes));
	UNIT_CHECK(tl_consensus_summary_encode(&writer, &summary) == TL_OK);
	UNIT_CHECK(writer.size == TL_SUMMARY_SIZE_FIXED + 2 * TL_BLOCK_LANE_SIZE);
	UNIT_CHECK(tl_consensus_summary_decode(&again, bytes, writer.size) == TL_OK);
	UNIT_CHECK(again.member == 2 && again.sequence == 3 && again.final_height == 7 &&
			   again.doubled && !again.known && again.lane_count == 2 && again.lanes[1].batch == 5 &&
			   memcmp(again.other, summary.other, sizeof(again.other)) == 0 &&
			   memcmp(&again.digest, &summary.digest, sizeof(again.digest)) == 0);
	for (size_t cut = 0; cut < writer.size; cut++)
		UNIT_CHECK(tl_consensus_summary_decode(&again, bytes, cut) != TL_OK);
	UNIT_CHECK(tl_consensus_summary_decode(&again, bytes, writer.size + 1) == TL_TRAILING_BYTES);
	bytes[69] |= 4;				/* a flag that is none */
	UNIT_CHECK(tl_consensus_summary_decode(&again, bytes, writer.size) == TL_BAD_FORMAT);
	bytes[69] = 1;				/* another copy, and only one lives */
	UNIT_CHECK(tl_consensus_summary_decode(&again, bytes, writer.size) == TL_BAD_FORMAT);
	bytes[0] = 2;
	UNIT_CHECK(tl_consensus_summary_decode(&again, bytes, writer.size) == TL_BAD_VERSION);
}

UNIT_MAIN(UNIT_CASE(sum_of_acks), UNIT_CASE(refused), UNIT_CASE(lane_of_nobody),
		  UNIT_CASE(copies), UNIT_CASE(encoding))
