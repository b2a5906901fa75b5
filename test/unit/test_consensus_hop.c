/*-------------------------------------------------------------------------
 *
 * test_consensus_hop.c
 *	  P15: what is measured, what is not, and the bounds of the times.
 *
 * The core is member 4 of four.
 *
 *-------------------------------------------------------------------------
 */
#include "consensus_state.h"

#include "chain_batch.h"
#include "unit.h"
#include "unit_consensus.h"

#include <stdlib.h>
#include <string.h>

#define MEMBERS		4
#define OWN			3			/* index of the core's member */
#define MS			INT64_C(1000)

static TlActions actions;
static TlConsensusConfig config;
static TlConsensus *core;
static void *memory;
static uint64_t batches;

static void
open_core(int64_t timer_min_us)
{
	TlInput		input = {.kind = TL_INPUT_START, .now_us = 1};

	unit_consensus_config(&config, MEMBERS);
	config.member = OWN + 1;
	config.lane_length = 64;
	config.pace.timer_us = 1000 * MS;
	config.pace.timer_min_us = timer_min_us;
	config.pace.timer_max_us = 10000 * MS;
	config.pace.dead_us = 400 * MS;
	config.pace.fetch_us = 200 * MS;
	unit_consensus_genesis(&config);
	core = unit_consensus_open(&config, &memory);
	UNIT_CHECK(tl_consensus_step(core, &actions, &input) == TL_OK);
	batches = 0;
}

/* An own batch with a body of that size is durable. */
static void
make(uint64_t size)
{
	static uint8_t bytes[1024];
	uint8_t		chunks[TL_BATCH_CHUNK_SIZE];
	TlBatchChunk chunk = {.size = (uint32_t) size};
	TlBatchHeader header = {.member = OWN + 1, .batch = ++batches, .section_count = 1,
	.chunk_count = 1};
	TlKnownBatch batch = {.held = true, .batch = batches, .body_size = size};
	TlLogRow	row = {.member = OWN + 1, .kind = TL_LOG_BATCH};
	TlWriter	writer;

	tl_writer_init(&writer, chunks, sizeof(chunks));
	tl_chain_batch_put_chunk(&writer, &chunk);
	header.chunks = (TlSpan) {chunks, writer.size};
	header.previous.bytes[0] = (batches > 1);
	tl_writer_init(&writer, bytes, sizeof(bytes));
	UNIT_CHECK(tl_chain_batch_encode(&writer, &header) == TL_OK);
	row.payload = (TlSpan) {bytes, writer.size};
	tl_chain_batch_digest(&batch.digest, bytes, writer.size);
	UNIT_CHECK(tl_consensus_batch_add(core, OWN, &batch) != NULL);
	tl_consensus_hop_own_row(core, &row);
}

/* So much later that member acknowledges all of them. */
static void
answer(uint32_t member, int64_t after_us)
{
	TlLane		lane = {.member = OWN + 1, .batch = batches};

	core->now_us += after_us;
	tl_consensus_hop_acked(core, member - 1, &lane);
}

static void
follows_the_quorum(void)
{
	open_core(50 * MS);
	UNIT_CHECK(tl_consensus_hop_timer(core, 0) == 1000 * MS);	/* not known yet */
	UNIT_CHECK(tl_consensus_hop_dead(core, 0) == 400 * MS);
	make(1);
	answer(1, 40 * MS);
	UNIT_CHECK(core->hop.quorum_us == 0);
	answer(2, 20 * MS);
	UNIT_CHECK(core->hop.quorum_us == 60 * MS);
	answer(3, 5000 * MS);
	UNIT_CHECK(core->hop.quorum_us == 60 * MS);
	UNIT_CHECK(tl_consensus_hop_timer(core, 0) == 240 * MS);
	UNIT_CHECK(tl_consensus_hop_dead(core, 0) == 180 * MS);
	/* A leader who is far away has more time, but not as much as he likes. */
	UNIT_CHECK(tl_consensus_hop_timer(core, 2) == 4 * 240 * MS);
	UNIT_CHECK(tl_consensus_hop_fetch(core) == 200 * MS);
	free(memory);
}

static void
stays_within_bounds(void)
{
	open_core(50 * MS);
	make(1);
	for (uint32_t member = 1; member <= 3; member++)
		answer(member, 1 * MS);
	UNIT_CHECK(tl_consensus_hop_timer(core, 0) == 50 * MS);
	UNIT_CHECK(tl_consensus_hop_dead(core, 0) == 50 * MS);
	make(1);
	answer(1, 3600 * 1000 * MS);
	answer(2, 0);
	UNIT_CHECK(tl_consensus_hop_timer(core, 0) == 10000 * MS);
	UNIT_CHECK(tl_consensus_hop_dead(core, 0) == 10000 * MS);
	UNIT_CHECK(tl_consensus_hop_fetch(core) == 10000 * MS);
	/* And comes back. */
	for (int i = 0; i < 200; i++)
	{
		core->lanes[OWN].count = 0;
		memset(core->lanes[OWN].by_digest, 0, config.lane_length * sizeof(uint16_t));
		memset(core->lanes[OWN].by_previous, 0, config.lane_length * sizeof(uint16_t));
		make(1);
		for (uint32_t member = 1; member <= 3; member++)
			answer(member, 10 * MS);
	}
	UNIT_CHECK(core->hop.quorum_us >= 20 * MS && core->hop.quorum_us < 30 * MS);
	free(memory);
}

/* Bodies that take their own time, and answers to what was not asked. */
static void
measures_small_rows(void)
{
	open_core(50 * MS);
	answer(1, 10 * MS);
	make(64 * 1024 + 1);
	answer(1, 10 * MS);
	UNIT_CHECK(core->peers[0].round_us == 0);
	make(64 * 1024);
	answer(1, 10 * MS);
	UNIT_CHECK(core->peers[0].round_us == 10 * MS);
	answer(1, 500 * MS);		/* once */
	UNIT_CHECK(core->peers[0].round_us == 10 * MS);
	/* The others have owed in silence for long: it is measured anew without them. */
	core->peers[1].silent_us = core->peers[2].silent_us = core->now_us;
	core->now_us += config.pace.active_us + 1;
	make(1);
	answer(1, 20 * MS);
	UNIT_CHECK(core->peers[0].round_us == 20 * MS);
	/* One of them is active: he is waited for, until timer_max is over. */
	make(1);
	core->peers[1].silent_us = core->now_us;
	answer(1, 30 * MS);
	make(1);
	answer(1, 40 * MS);
	UNIT_CHECK(core->peers[0].round_us == 30 * MS);
	free(memory);
}

static void
stands_still(void)
{
	open_core(0);
	make(1);
	for (uint32_t member = 1; member <= 3; member++)
		answer(member, 1 * MS);
	UNIT_CHECK(core->hop.quorum_us == 0);
	UNIT_CHECK(tl_consensus_hop_timer(core, 0) == 1000 * MS);
	free(memory);
}

UNIT_MAIN(UNIT_CASE(follows_the_quorum), UNIT_CASE(stays_within_bounds),
		  UNIT_CASE(measures_small_rows), UNIT_CASE(stands_still))
