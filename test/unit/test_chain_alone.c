/*-------------------------------------------------------------------------
 *
 * test_chain_alone.c
 *	  Blocks that one member made alone, read from its log; and a core of
 *	  consensus that goes on behind them.
 *
 * The history is built here field by field, with restores in it: after each the
 * views run ahead, and lanes begin anew.
 *
 *-------------------------------------------------------------------------
 */
#include "chain_alone.h"

#include "chain_batch.h"
#include "chain_genesis.h"
#include "consensus_certificate.h"
#include "consensus_core.h"
#include "consensus_rejoin.h"
#include "merkle_hash.h"
#include "unit.h"

#include <stdlib.h>
#include <string.h>

#define BLOCKS		40
#define ROWS_MAX	(2 * BLOCKS + 1)

static TlGenesis genesis;
static TlBlockHeader genesis_header;
static TlHash chain_id;
static TlLogRow rows[ROWS_MAX];
static unsigned row_count;
static uint8_t payloads[ROWS_MAX][512];
static TlHash hashes[BLOCKS + 1];
static int64_t times[BLOCKS + 2];
static uint16_t incarnation;
static uint8_t nonce[TL_NONCE_SIZE];
static TlLane lane;
static TlActions actions;

static TlLogRow *
add_row(uint8_t kind, uint64_t view, size_t size)
{
	TlLogRow   *row = &rows[row_count];

	memset(row, 0, sizeof(*row));
	row->member = 1;
	memcpy(row->nonce, nonce, TL_NONCE_SIZE);
	row->sequence = 1;
	if (row_count > 0 && memcmp(rows[row_count - 1].nonce, nonce, TL_NONCE_SIZE) == 0)
	{
		row->sequence = rows[row_count - 1].sequence + 1;
		tl_consensus_row_digest(&row->previous, &chain_id, &rows[row_count - 1]);
	}
	row->kind = kind;
	row->view = view;
	row->payload.data = payloads[row_count++];
	row->payload.size = size;
	return row;
}

static void
add_finalize(uint64_t view, const TlHash *hash)
{
	memcpy(payloads[row_count], hash->bytes, TL_HASH_SIZE);
	(void) add_row(TL_LOG_FINALIZE, view, TL_HASH_SIZE);
}

static size_t
put_batch(uint8_t *out, size_t size, uint64_t number, const TlHash *previous)
{
	TlBatchHeader header;
	TlWriter	writer;

	memset(&header, 0, sizeof(header));
	header.chain_id = chain_id;
	header.member = 1;
	header.incarnation = incarnation;
	header.batch = number;
	if (number > 1)
		header.previous = *previous;
	header.section_count = 1;
	header.root.bytes[0] = (uint8_t) number;
	tl_writer_init(&writer, out, size);
	UNIT_CHECK(tl_chain_batch_encode(&writer, &header) == TL_OK);
	return writer.size;
}

static TlHash
add_batch(uint64_t view)
{
	bool		goes_on = lane.batch > 0 && lane.incarnation == incarnation;
	size_t		size = put_batch(payloads[row_count], sizeof(payloads[0]),
								 goes_on ? lane.batch + 1 : 1, &lane.digest);
	TlLogRow   *row = add_row(TL_LOG_BATCH, view, size);

	lane.member = 1;
	lane.batch = goes_on ? lane.batch + 1 : 1;
	lane.incarnation = incarnation;
	tl_chain_batch_digest(&lane.digest, row->payload.data, row->payload.size);
	return lane.digest;
}

static TlHash
add_rejoin(uint64_t view)
{
	TlRejoin	rejoin;
	TlWriter	writer;
	TlHash		digest;
	TlLogRow   *row;

	memset(&rejoin, 0, sizeof(rejoin));
	rejoin.cause = TL_REJOIN_ROLLED_BACK;
	rejoin.before = incarnation;
	memcpy(rejoin.nonce_before, nonce, TL_NONCE_SIZE);
	rejoin.sequence = rows[row_count - 1].sequence;
	tl_consensus_row_digest(&rejoin.digest, &chain_id, &rows[row_count - 1]);
	incarnation += 2;			/* numbers may be left out */
	unit_random_bytes(nonce, sizeof(nonce));
	rejoin.incarnation = incarnation;
	memcpy(rejoin.nonce, nonce, TL_NONCE_SIZE);
	rejoin.reason = (TlSpan) {(const uint8_t *) "disk", 4};
	tl_writer_init(&writer, payloads[row_count], sizeof(payloads[0]));
	UNIT_CHECK(tl_consensus_rejoin_encode(&writer, &rejoin) == TL_OK);
	row = add_row(TL_LOG_REJOIN, view, writer.size);
	tl_consensus_row_digest(&digest, &chain_id, row);
	return digest;
}

/* Blocks 11 and 30 are those of restores. */
static void
build(void)
{
	TlBlockHeader parent;
	TlMerkleRange history;
	uint64_t	view = 0;

	row_count = incarnation = 0;
	memset(nonce, 0, sizeof(nonce));
	memset(&lane, 0, sizeof(lane));
	tl_chain_genesis_init(&genesis, TL_PURPOSE_PRODUCTION);
	genesis.member_count = 1;
	genesis.members[0].number = 1;
	genesis.members[0].kind = TL_MEMBER_VALIDATOR;
	genesis.members[0].name = (TlSpan) {(const uint8_t *) "FRAF1", 5};
	UNIT_CHECK(tl_chain_genesis_header(&genesis_header, &genesis, 1, 1000) == TL_OK);
	tl_chain_block_chain_id(&chain_id, &genesis_header);
	hashes[0] = chain_id;
	add_finalize(0, &chain_id);
	tl_merkle_range_init(&history);
	parent = genesis_header;
	for (unsigned height = 1; height <= BLOCKS; height++)
	{
		bool		restored = height == 11 || height == 30;
		TlBlockHeader header;
		TlHash		what;

		UNIT_CHECK(tl_merkle_range_append(&history, &hashes[height - 1]) == TL_OK);
		view += restored ? 3 : 1;
		times[height] = 1000 + 7 * (int64_t) height + (int64_t) (unit_random() % 5);
		what = restored ? add_rejoin(view) : add_batch(view);
		memset(&header, 0, sizeof(header));
		header.chain_id = chain_id;
		header.height = height;
		header.view = view;
		header.parent = hashes[height - 1];
		header.parent_view = parent.view;
		header.proposer = 1;
		header.time = times[height];
		tl_merkle_empty_root(&header.batch_root);
		tl_merkle_empty_root(&header.entries_root);
		if (restored)
			tl_chain_entry_leaf_hash(&header.entries_root, TL_LOG_REJOIN, &what);
		else
			header.batch_root = what;
		UNIT_CHECK(tl_chain_cut_hash(&header.cut_hash, &lane, 1) == TL_OK);
		header.members_hash = parent.members_hash;
		header.checkpoint_state_root = parent.checkpoint_state_root;
		tl_merkle_range_root(&history, &header.history_root);
		tl_chain_block_hash(&hashes[height], &header);
		add_finalize(view, &hashes[height]);
		parent = header;
	}
	times[BLOCKS + 1] = times[BLOCKS] + 1;
}

/* Rows from there on; false as soon as one is refused. */
static bool
walk(TlAlone *alone, unsigned first, unsigned end)
{
	for (unsigned i = first; i < end; i++)
	{
		bool		complete;

		if (tl_chain_alone_row(alone, &rows[i], times[alone->block.header.height + 1],
							   &complete) != TL_OK)
			return false;
		if (complete && memcmp(&alone->block.hash, &hashes[alone->block.header.height],
							   TL_HASH_SIZE) != 0)
			return false;
	}
	return true;
}

static void
every_block(void)
{
	TlAlone		alone;

	build();
	tl_chain_alone_init(&alone, &chain_id, &genesis_header, 1);
	UNIT_CHECK(walk(&alone, 0, row_count));
	UNIT_CHECK(alone.block.header.height == BLOCKS);
	UNIT_CHECK(alone.block.header.view == BLOCKS + 4);
	UNIT_CHECK(alone.block.history.size == BLOCKS + 1);
	UNIT_CHECK(alone.block.lane_count == 1 && alone.block.cut[0].batch == BLOCKS - 30);
	UNIT_CHECK(alone.standing.incarnation == 4 && alone.standing.view == 34);
	UNIT_CHECK(memcmp(alone.standing.nonce, nonce, TL_NONCE_SIZE) == 0);
	UNIT_CHECK(memcmp(alone.standing.older[1], alone.standing.older[2], TL_NONCE_SIZE) == 0);
	UNIT_CHECK(memcmp(alone.standing.older[0], alone.standing.older[1], TL_NONCE_SIZE) != 0);
}

/* What must be refused. */
static void
refusals(void)
{
	TlAlone		alone;
	TlLogRow	row;
	TlHash		other = {{0}};
	bool		complete;

	build();
	for (unsigned height = 1; height <= BLOCKS; height++)
	{
		tl_chain_alone_init(&alone, &chain_id, &genesis_header, 1);
		times[height]++;
		UNIT_CHECK(!walk(&alone, 0, row_count));
		UNIT_CHECK(alone.block.header.height == height - 1);
		times[height]--;
	}
	for (unsigned left = 0; left < row_count; left++)
	{
		tl_chain_alone_init(&alone, &chain_id, &genesis_header, 1);
		UNIT_CHECK(walk(&alone, 0, left));
		/* genesis need not be signed; any other row is missed, but for the last */
		UNIT_CHECK(walk(&alone, left + 1, row_count) ==
				   (left == 0 || left == row_count - 1));
	}
	tl_chain_alone_init(&alone, &chain_id, &genesis_header, 1);
	UNIT_CHECK(walk(&alone, 0, 2));
	UNIT_CHECK(tl_chain_alone_row(&alone, &rows[1], times[1], &complete) == TL_BAD_ORDER);
	row = rows[2];
	row.member = 2;
	UNIT_CHECK(tl_chain_alone_row(&alone, &row, times[1], &complete) == TL_BAD_ORDER);
	row = rows[2];
	row.epoch = 1;
	UNIT_CHECK(tl_chain_alone_row(&alone, &row, times[1], &complete) == TL_BAD_ORDER);
	row = rows[2];
	row.kind = TL_LOG_ACK;
	UNIT_CHECK(tl_chain_alone_row(&alone, &row, times[1], &complete) == TL_BAD_ORDER);
	row = rows[2];
	row.view++;
	UNIT_CHECK(tl_chain_alone_row(&alone, &row, times[1], &complete) == TL_BAD_PROOF);
	row = rows[2];
	row.payload = (TlSpan) {other.bytes, TL_HASH_SIZE};
	UNIT_CHECK(tl_chain_alone_row(&alone, &row, times[1], &complete) == TL_BAD_PROOF);
	UNIT_CHECK(!complete && alone.block.header.height == 0);
	UNIT_CHECK(tl_chain_alone_row(&alone, &rows[2], times[1], &complete) == TL_OK && complete);
	tl_chain_alone_init(&alone, &chain_id, &genesis_header, 1);
	row = rows[0];
	row.payload = (TlSpan) {other.bytes, TL_HASH_SIZE};
	UNIT_CHECK(tl_chain_alone_row(&alone, &row, 0, &complete) == TL_BAD_PROOF);
}

static void
times_chunk(void)
{
	uint8_t		bytes[TL_ALONE_TIMES_SIZE_FIXED + 8 * BLOCKS];
	TlAloneTimes decoded;
	TlWriter	writer;
	int64_t		time;

	build();
	tl_writer_init(&writer, bytes, sizeof(bytes));
	UNIT_CHECK(tl_chain_alone_times_encode(&writer, 5, &times[5], BLOCKS - 4) == TL_OK);
	UNIT_CHECK(writer.size == TL_ALONE_TIMES_SIZE_FIXED + 8 * (BLOCKS - 4));
	UNIT_CHECK(tl_chain_alone_times_decode(&decoded, bytes, writer.size) == TL_OK);
	for (uint64_t height = 0; height <= BLOCKS + 2; height++)
		UNIT_CHECK(tl_chain_alone_time(&time, &decoded, height) ==
				   (height >= 5 && height <= BLOCKS) &&
				   (height < 5 || height > BLOCKS || time == times[height]));
	for (size_t size = 0; size < writer.size; size++)
		UNIT_CHECK(tl_chain_alone_times_decode(&decoded, bytes, size) != TL_OK);
	for (size_t i = 0; i < 21; i++)
	{
		bytes[i] ^= 1;
		UNIT_CHECK(tl_chain_alone_times_decode(&decoded, bytes, writer.size) == TL_BAD_FORMAT);
		bytes[i] ^= 1;
	}
	bytes[29] = 0xff;
	UNIT_CHECK(tl_chain_alone_times_decode(&decoded, bytes, writer.size) == TL_TOO_LARGE);
	UNIT_CHECK(tl_chain_alone_times_encode(&writer, 1, times, 0) == TL_TOO_LARGE);
	UNIT_CHECK(tl_chain_alone_times_encode(&writer, 1, times, TL_ALONE_TIMES_MAX + 1) == TL_TOO_LARGE);
}

/* On the last block of the history. */
static void
configure(TlConsensusConfig *config, const TlAlone *alone)
{
	memset(config, 0, sizeof(*config));
	config->chain_id = config->founding = chain_id;
	config->member = config->member_count = 1;
	config->members[0].number = 1;
	config->members[0].validator = true;
	config->members_hash = genesis_header.members_hash;
	config->drift_us = 1000000;
	config->view_count = 8;
	config->lane_length = 4;
	config->pace = (TlConsensusPace) {
		.timer_us = 1000000, .timer_max_us = 10000000, .dead_us = 500000,
		.active_us = 1000000, .fetch_us = 1000000, .start_wait_us = 1000000
	};
	config->base = alone->block;
	config->certificate = (TlSpan) {alone->certificate, sizeof(alone->certificate)};
	config->standing.members[0] = alone->standing;
}

/* Of the log the REJOIN rows and the last one are enough. */
static void
give_log(TlConsensus *core)
{
	for (unsigned i = 0; i < row_count; i++)
	{
		TlInput		stored = {.kind = TL_INPUT_ROW, .now_us = 1, .row = rows[i],
		.certificates_valid = true, .more = true};

		if (rows[i].kind == TL_LOG_REJOIN || i == row_count - 1)
			UNIT_CHECK(tl_consensus_step(core, &actions, &stored) == TL_OK &&
					   actions.count == 0);
	}
}

/* What it appends comes back to it.  True if a block was handed over. */
static bool
obey(TlConsensus *core, int64_t now)
{
	static TlActions taken;
	bool		final = false;

	taken = actions;
	for (unsigned i = 0; i < taken.count && !final; i++)
	{
		TlInput		own = {.kind = TL_INPUT_ROW, .now_us = now, .clock_us = 2000,
		.certificates_valid = true, .row = taken.list[i].row};

		final = taken.list[i].kind == TL_ACT_FINAL;
		if (taken.list[i].kind != TL_ACT_APPEND)
			continue;
		UNIT_CHECK(own.row.epoch == 0 && own.row.view > BLOCKS + 4);
		UNIT_CHECK(own.row.sequence > rows[row_count - 1].sequence);
		UNIT_CHECK(tl_consensus_step(core, &actions, &own) == TL_OK);
		for (unsigned j = 0; j < actions.count; j++)
			final |= actions.list[j].kind == TL_ACT_FINAL;
	}
	return final;
}

/* A core behind the history orders what comes, with a quorum of one. */
static void
core_goes_on(void)
{
	static TlConsensusConfig config;
	static TlAlone alone;
	static uint8_t batch[512];
	TlInput		held = {.kind = TL_INPUT_HELD, .clock_us = 2000};
	TlInput		input = {.kind = TL_INPUT_START, .now_us = 1, .clock_us = 2000, .fresh = true};
	TlConsensusStatus status;
	TlConsensus *core;
	void	   *memory;
	bool		final = false;

	build();
	tl_chain_alone_init(&alone, &chain_id, &genesis_header, 1);
	UNIT_CHECK(walk(&alone, 0, row_count));
	configure(&config, &alone);
	memory = malloc(tl_consensus_size(&config));
	core = tl_consensus_init(memory, tl_consensus_size(&config), &config);
	if (!UNIT_CHECK(core != NULL))
		return;
	give_log(core);
	UNIT_CHECK(tl_consensus_step(core, &actions, &input) == TL_OK);
	tl_consensus_status(core, &status);
	UNIT_CHECK(!status.stopped && !status.asking && !status.lost && status.numbered);
	UNIT_CHECK(status.incarnation == 4 && status.sequence == rows[row_count - 1].sequence);
	UNIT_CHECK(status.final_height == BLOCKS && status.view == BLOCKS + 5);
	input.kind = TL_INPUT_MAKE_BATCH;
	input.payload = (TlSpan) {batch, put_batch(batch, sizeof(batch), lane.batch + 1, &lane.digest)};
	input.more = false;
	UNIT_CHECK(tl_consensus_step(core, &actions, &input) == TL_OK);
	held.lane = (TlLane) {.member = 1, .incarnation = incarnation, .batch = lane.batch + 1};
	tl_chain_batch_digest(&held.lane.digest, input.payload.data, input.payload.size);
	for (unsigned step = 0; step < 20 && !final; step++)
	{
		final = obey(core, 2 + step);
		held.now_us = 2 + step;
		if (!final)
			UNIT_CHECK(tl_consensus_step(core, &actions, &held) == TL_OK);
	}
	UNIT_CHECK(final);
	tl_consensus_status(core, &status);
	UNIT_CHECK(status.final_height == BLOCKS + 1 && !status.stopped);
	free(memory);
}

UNIT_MAIN(UNIT_CASE(every_block), UNIT_CASE(refusals), UNIT_CASE(times_chunk),
		  UNIT_CASE(core_goes_on))
