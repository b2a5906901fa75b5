/*-------------------------------------------------------------------------
 *
 * bench.c
 *	  What the core costs, with real signatures, against what the signatures
 *	  alone cost; how many hops a batch takes; and what keeping up the set hash
 *	  of a shared table costs a row, against hashing the row once.
 *
 * Nodes work in rounds: in each, everybody takes in the rows of the round
 * before, so a round is one hop (delay and commit).  Every member makes a batch
 * in every round.  Measured is the processor time of one member: judging,
 * stepping, signing.  The yardstick is the rows that it has to check and to
 * sign, times the time of one such operation.
 *
 *-------------------------------------------------------------------------
 */
#include "consensus_core.h"

#include "chain_batch.h"
#include "consensus_payload.h"
#include "crypto_hash.h"
#include "crypto_set_hash.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define NODES_MAX		31
#define ROUND_US		3000
#define ROWS_MAX		64		/* of one member in one round */

typedef struct BenchRow
{
	TlLogRow	row;
	uint8_t    *payload;
} BenchRow;

typedef struct BenchNode
{
	TlConsensus *core;
	void	   *memory;
	uint8_t		secret[TL_SECRET_SIZE];
	BenchRow	sent[2][ROWS_MAX];	/* this round and the one before */
	unsigned	sent_count[2];
	uint64_t	lane_head;
	TlHash		lane_digest;
	uint64_t	final_cut[NODES_MAX];	/* by member */
	uint64_t	blocks;
} BenchNode;

static BenchNode nodes[NODES_MAX];
static TlConsensusConfig config;
static TlActions actions;
static unsigned node_count;
static uint64_t checks;			/* by node 0 */
static uint64_t signatures;
static double busy;
static unsigned current;		/* which of sent[] is being filled */

static double processor_time(void);
static void operations(double *check, double *sign);
static void set_hash(void);
static void set_up(unsigned count, unsigned lane_length);
static void tear_down(void);
static void round_of(unsigned node, uint64_t round, bool batch);
static void obey(unsigned node);
static void cost(unsigned count, unsigned rounds, double check, double sign);
static void hops(void);
static void dead_leader(void);
static void backlog(void);
static void wait_for_order(uint64_t number, TlHash *digest);

int
main(void)
{
	double		check;
	double		sign;

	operations(&check, &sign);
	cost(4, 400, check, sign);
	cost(7, 200, check, sign);
	cost(16, 80, check, sign);
	cost(31, 40, check, sign);
	hops();
	dead_leader();
	backlog();
	set_hash();
	return 0;
}

static double
processor_time(void)
{
	struct timespec now;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
	return (double) now.tv_sec * 1e6 + (double) now.tv_nsec / 1e3;
}

/* Microseconds of one signature check and of one signature. */
static void
operations(double *check, double *sign)
{
	uint8_t		secret[TL_SECRET_SIZE] = {[31] = 1};
	uint8_t		key[TL_XONLY_KEY_SIZE];
	TlLogRow	row;
	TlHash		digest = {{9}};
	double		begin;

	memset(&row, 0, sizeof(row));
	(void) tl_crypto_xonly_key(key, secret);
	begin = processor_time();
	for (int i = 0; i < 1000; i++)
		(void) tl_crypto_schnorr_sign(row.signature, digest.bytes, TL_HASH_SIZE,
									  secret, NULL);
	*sign = (processor_time() - begin) / 1000;
	begin = processor_time();
	for (int i = 0; i < 1000; i++)
	{
		if (!tl_crypto_schnorr_verify(row.signature, digest.bytes, TL_HASH_SIZE, key))
			exit(1);
	}
	*check = (processor_time() - begin) / 1000;
}

static void
cost(unsigned count, unsigned rounds, double check, double sign)
{
	double		bare;

	set_up(count, 64);
	for (uint64_t round = 1; round <= rounds; round++)
	{
		for (unsigned i = 0; i < count; i++)
			round_of(i, round, true);
		current = !current;
	}
	if (nodes[0].blocks == 0)
	{
		fprintf(stderr, "nothing became final\n");
		exit(1);
	}
	bare = (double) checks * check + (double) signatures * sign;
	printf("consensus, %2u members, us a block %22.0f %12.0f %7.2f\n", count,
		   busy / (double) nodes[0].blocks, bare / (double) nodes[0].blocks,
		   busy / bare);
	if (count == 4)
		printf("consensus, hops a block under load %22.2f %12u %7.2f\n",
			   (double) rounds / (double) nodes[0].blocks, 2,
			   (double) rounds / (double) nodes[0].blocks / 2);
	tear_down();
}

/* One batch into an idle chain: hops until everybody has it final. */
static void
hops(void)
{
	unsigned	least = UINT32_MAX;
	unsigned	most = 0;

	for (unsigned owner = 0; owner < 4; owner++)
	{
		uint64_t	round = 1;

		set_up(4, 64);
		for (; round < 100; round++)
		{
			bool		done = true;

			for (unsigned i = 0; i < 4; i++)
				round_of(i, round, round == 5 && i == owner);
			current = !current;
			for (unsigned i = 0; i < 4; i++)
				done &= (nodes[i].final_cut[owner] == 1);
			if (done)
				break;
		}
		if (round - 5 < least)
			least = (unsigned) (round - 5);
		if (round - 5 > most)
			most = (unsigned) (round - 5);
		tear_down();
	}
	printf("consensus, hops to final, leader's own batch %12u %12u %7.2f\n",
		   least, 3, least / 3.0);
	printf("consensus, hops to final, a follower's batch %12u %12u %7.2f\n",
		   most, 4, most / 4.0);
}

/*
 * One of four is dead, and the others know: what does his turn cost, over the
 * two hops that a block takes?
 */
static void
dead_leader(void)
{
	uint64_t	before = 0;
	uint64_t	turns;
	double		lost;

	set_up(4, 64);
	for (uint64_t round = 1; round <= 600; round++)
	{
		if (round == 200)
			before = nodes[0].blocks;
		for (unsigned i = 0; i < 3; i++)
			round_of(i, round, true);
		current = !current;
	}
	/* Each third block is followed by his turn. */
	turns = (nodes[0].blocks - before) / 3;
	if (turns == 0)
	{
		fprintf(stderr, "nothing became final with a dead leader\n");
		exit(1);
	}
	lost = (400.0 - 2.0 * (double) (nodes[0].blocks - before)) / (double) turns;
	printf("consensus, hops lost to a leader known dead %14.2f %12u %7.2f\n",
		   lost, 1, lost);
	tear_down();
}

/*
 * What a batch costs a member while nobody orders anything: with few waiting in
 * its lane, and with as many as a lane may have.
 */
static void
backlog(void)
{
	TlHash		digest = {{0}};
	double		few;
	double		many;
	double		begin;

	set_up(4, TL_CONSENSUS_LANE_MAX);
	begin = processor_time();
	for (uint64_t number = 1; number <= 64; number++)
		wait_for_order(number, &digest);
	few = (processor_time() - begin) / 64;
	for (uint64_t number = 65; number <= 960; number++)
		wait_for_order(number, &digest);
	begin = processor_time();
	for (uint64_t number = 961; number <= 1024; number++)
		wait_for_order(number, &digest);
	many = (processor_time() - begin) / 64;
	printf("consensus, us a batch with 1000 waiting %18.1f %12.1f %7.2f\n",
		   many, few, many / few);
	tear_down();
}

/* The next batch of member 2, and that member 3 has it, to member 1. */
static void
wait_for_order(uint64_t number, TlHash *digest)
{
	uint8_t		bytes[TL_BATCH_SIZE_FIXED];
	uint8_t		ack_bytes[TL_ACK_SIZE_MAX];
	uint8_t		cut[TL_BLOCK_LANE_SIZE];
	TlBatchHeader header = {.chain_id = config.chain_id, .member = 2,
	.batch = number, .section_count = 1, .previous = *digest};
	TlInput		input = {.kind = TL_INPUT_ROW, .certificates_valid = true};
	TlLane		lane = {.member = 2, .batch = number};
	TlAck		ack = {.final_height = 0};
	TlWriter	writer;

	input.now_us = input.clock_us = (int64_t) number;
	input.row.member = 2;
	input.row.sequence = number;
	input.row.kind = TL_LOG_BATCH;
	tl_writer_init(&writer, bytes, sizeof(bytes));
	(void) tl_chain_batch_encode(&writer, &header);
	input.row.payload.data = bytes;
	input.row.payload.size = writer.size;
	tl_chain_batch_digest(digest, bytes, writer.size);
	(void) tl_consensus_step(nodes[0].core, &actions, &input);
	lane.digest = *digest;
	tl_writer_init(&writer, cut, sizeof(cut));
	(void) tl_chain_cut_encode(&writer, &lane, 1);
	ack.lanes.data = cut;
	ack.lanes.size = writer.size;
	tl_writer_init(&writer, ack_bytes, sizeof(ack_bytes));
	(void) tl_consensus_ack_encode(&writer, &ack);
	input.row.member = 3;
	input.row.kind = TL_LOG_ACK;
	input.row.payload.data = ack_bytes;
	input.row.payload.size = writer.size;
	(void) tl_consensus_step(nodes[0].core, &actions, &input);
}

static void
set_up(unsigned count, unsigned lane_length)
{
	TlConsensusBlock *genesis = &config.base;

	memset(&config, 0, sizeof(config));
	node_count = count;
	checks = signatures = 0;
	busy = 0;
	config.member_count = count;
	for (unsigned i = 0; i < count; i++)
	{
		memset(nodes[i].secret, 0, TL_SECRET_SIZE);
		nodes[i].secret[31] = (uint8_t) (i + 1);
		config.members[i].number = i + 1;
		config.members[i].validator = true;
		(void) tl_crypto_xonly_key(config.members[i].row_key, nodes[i].secret);
	}
	config.quorum_of_three = 3;
	config.drift_us = 1000000;
	config.view_count = 64;
	config.lane_length = lane_length;
	config.pace.timer_us = 40 * ROUND_US;
	config.pace.timer_max_us = 10000000;
	config.pace.ack_wait_us = 8 * ROUND_US;
	config.pace.dead_us = 20 * ROUND_US;
	config.pace.active_us = 10000000;
	config.pace.fetch_us = 40 * ROUND_US;
	genesis->header.proposer = 1;
	(void) tl_chain_cut_hash(&genesis->header.cut_hash, NULL, 0);
	tl_chain_block_hash(&genesis->hash, &genesis->header);
	tl_merkle_range_init(&genesis->history);
	(void) tl_merkle_range_append(&genesis->history, &genesis->hash);
	config.chain_id = config.founding = genesis->hash;
	for (unsigned i = 0; i < count; i++)
	{
		TlInput		input = {.kind = TL_INPUT_START, .now_us = 1};
		size_t		size;

		config.member = i + 1;
		size = tl_consensus_size(&config);
		nodes[i].memory = malloc(size);
		nodes[i].core = tl_consensus_init(nodes[i].memory, size, &config);
		(void) tl_consensus_step(nodes[i].core, &actions, &input);
	}
}

static void
tear_down(void)
{
	for (unsigned i = 0; i < node_count; i++)
	{
		for (int half = 0; half < 2; half++)
		{
			for (unsigned j = 0; j < nodes[i].sent_count[half]; j++)
				free(nodes[i].sent[half][j].payload);
		}
		free(nodes[i].memory);
		memset(&nodes[i], 0, sizeof(nodes[i]));
	}
}

/* Take in what was sent in the round before, the own rows first. */
static void
round_of(unsigned node, uint64_t round, bool batch)
{
	TlInput		input = {.now_us = (int64_t) round * ROUND_US};
	double		begin = processor_time();

	input.clock_us = input.now_us;
	for (unsigned j = 0; j < nodes[node].sent_count[current]; j++)
		free(nodes[node].sent[current][j].payload);
	nodes[node].sent_count[current] = 0;
	for (unsigned i = 0; i < node_count; i++)
	{
		unsigned	from = (node + i) % node_count;

		for (unsigned j = 0; j < nodes[from].sent_count[!current]; j++)
		{
			input.kind = TL_INPUT_ROW;
			input.row = nodes[from].sent[!current][j].row;
			input.more = true;
			input.certificates_valid = true;
			if (from != node)
			{
				if (tl_consensus_judge(nodes[node].core, &input.row,
									   tl_consensus_check_signature, NULL,
									   &input.certificates_valid) != TL_OK)
					exit(1);
				checks += (node == 0);
			}
			(void) tl_consensus_step(nodes[node].core, &actions, &input);
			obey(node);
		}
	}
	input.kind = TL_INPUT_TIME;
	input.more = false;
	(void) tl_consensus_step(nodes[node].core, &actions, &input);
	obey(node);
	if (batch)
	{
		uint8_t		bytes[TL_BATCH_SIZE_FIXED];
		TlBatchHeader header = {.chain_id = config.chain_id,
			.member = node + 1, .batch = nodes[node].lane_head + 1,
		.section_count = 1, .previous = nodes[node].lane_digest};
		TlWriter	writer;

		tl_writer_init(&writer, bytes, sizeof(bytes));
		(void) tl_chain_batch_encode(&writer, &header);
		input.kind = TL_INPUT_MAKE_BATCH;
		input.payload.data = bytes;
		input.payload.size = writer.size;
		if (tl_consensus_step(nodes[node].core, &actions, &input) == TL_OK)
		{
			nodes[node].lane_head++;
			tl_chain_batch_digest(&nodes[node].lane_digest, bytes, writer.size);
		}
		obey(node);
	}
	if (node == 0)
		busy += processor_time() - begin;
}

static void
obey(unsigned node)
{
	BenchNode  *self = &nodes[node];

	for (unsigned i = 0; i < actions.count; i++)
	{
		const TlAction *action = &actions.list[i];
		BenchRow   *made;

		if (action->kind == TL_ACT_FINAL)
		{
			self->blocks++;
			for (unsigned j = 0; j < action->block->lane_count; j++)
				self->final_cut[action->block->cut[j].member - 1] =
					action->block->cut[j].batch;
		}
		if (action->kind != TL_ACT_APPEND)
			continue;
		if (self->sent_count[current] == ROWS_MAX)
			exit(1);
		made = &self->sent[current][self->sent_count[current]++];
		made->row = action->row;
		made->payload = malloc(action->row.payload.size + 1);
		if (action->row.payload.size > 0)
			memcpy(made->payload, action->row.payload.data,
				   action->row.payload.size);
		made->row.payload.data = made->payload;
		(void) tl_consensus_row_sign(&made->row, &config.chain_id, self->secret,
									 NULL);
		signatures += (node == 0);
	}
	actions.count = 0;
}

/* Of rows of 200 bytes, each another one. */
static void
set_hash(void)
{
	static TlSetHash set;
	TlSetHasher *hasher = tl_crypto_set_hasher_open();
	uint8_t		row[200] = {0};
	TlSpan		part = {row, sizeof(row)};
	TlHash		hash;
	const int	rows = 200000;
	double		hashed;
	double		summed;

	hashed = processor_time();
	for (int i = 0; i < rows; i++)
	{
		memcpy(row, &i, sizeof(i));
		tl_crypto_sha256_prefixed(&hash, 0, row, sizeof(row));
	}
	hashed = processor_time() - hashed;
	summed = processor_time();
	for (int i = 0; i < rows; i++)
	{
		memcpy(row, &i, sizeof(i));
		tl_crypto_set_hash_element(&hash, &part, 1);
		if (hasher == NULL || !tl_crypto_set_hash_add(&set, hasher, &hash))
			exit(1);
	}
	summed = processor_time() - summed;
	tl_crypto_set_hasher_close(hasher);
	printf("set hash of a row of 200 bytes, ns %21.0f %12.0f %7.2f\n", summed * 1e3 / rows,
		   hashed * 1e3 / rows, summed / hashed);
}
