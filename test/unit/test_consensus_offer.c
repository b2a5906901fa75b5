/*-------------------------------------------------------------------------
 *
 * test_consensus_offer.c
 *	  Final blocks that somebody shows: what is taken and what is refused (P17).
 *
 * Four members; signatures are checked.
 *
 *-------------------------------------------------------------------------
 */
#include "consensus_offer.h"
#include "consensus_payload.h"
#include "consensus_state.h"

#include "crypto_curve.h"
#include "merkle_hash.h"
#include "unit.h"
#include "unit_actions.h"
#include "unit_consensus.h"

#include <stdlib.h>
#include <string.h>

#define MEMBERS		4
#define BLOCKS		12
#define VIEWS		8

static TlActions actions;
static TlConsensusConfig config;
static uint8_t secrets[MEMBERS][TL_SECRET_SIZE];
static TlConsensus *core;
static void *memory;
static TlConsensusBlock blocks[BLOCKS + 1]; /* of views 1 and on; 0 is genesis */
static uint8_t parts[BLOCKS + 1][3][TL_OFFER_SIZE_MAX / 64];
static uint8_t bytes[2 * TL_OFFER_SIZE_MAX];

static void
open_core(void)
{
	TlInput		input = {.kind = TL_INPUT_START, .now_us = 1};

	unit_consensus_config(&config, MEMBERS);
	unit_consensus_keys(&config, secrets);
	config.view_count = VIEWS;
	unit_consensus_genesis(&config);
	free(memory);
	core = unit_consensus_open(&config, &memory);
	UNIT_CHECK(tl_consensus_step(core, &actions, &input) == TL_OK);
	blocks[0] = config.base;
}

/* Blocks that order nothing, one a view. */
static void
make_blocks(void)
{
	for (unsigned i = 1; i <= BLOCKS; i++)
	{
		const TlConsensusBlock *parent = &blocks[i - 1];
		TlConsensusBlock *block = &blocks[i];
		TlBlockHeader *header = &block->header;

		memset(block, 0, sizeof(*block));
		header->chain_id = config.chain_id;
		header->height = i;
		header->view = i;
		header->parent = parent->hash;
		header->parent_view = parent->header.view;
		header->proposer = 2;
		header->time = (int64_t) i;
		header->members_hash = config.members_hash;
		tl_merkle_empty_root(&header->batch_root);
		tl_merkle_empty_root(&header->entries_root);
		header->cut_hash = config.base.header.cut_hash;
		tl_merkle_range_root(&parent->history, &header->history_root);
		tl_chain_block_hash(&block->hash, header);
		block->history = parent->history;
		UNIT_CHECK(tl_merkle_range_append(&block->history, &block->hash) == TL_OK);
	}
}

/* From that block on headers name the state after block 1. */
static void
move_checkpoint(unsigned number, uint32_t proposer)
{
	for (unsigned i = number; i <= BLOCKS; i++)
	{
		const TlConsensusBlock *parent = &blocks[i - 1];
		TlConsensusBlock *block = &blocks[i];

		block->header.proposer = proposer;
		block->header.checkpoint_height = 1;
		block->header.checkpoint_state_root.bytes[0] = 5;
		block->header.parent = parent->hash;
		tl_merkle_range_root(&parent->history, &block->header.history_root);
		tl_chain_block_hash(&block->hash, &block->header);
		block->history = parent->history;
		UNIT_CHECK(tl_merkle_range_append(&block->history, &block->hash) == TL_OK);
	}
}

/* By the last three members, or as many of them; wrong: one has signed another block. */
static TlSpan
finalization(unsigned number, unsigned voters, bool wrong)
{
	uint8_t		votes[MEMBERS * TL_CERTIFICATE_VOTE_SIZE];
	TlCertificate certificate = {.kind = TL_LOG_FINALIZE, .view = blocks[number].header.view,
	.block = blocks[number].hash, .vote_count = (uint16_t) voters};
	TlWriter	writer;
	TlWriter	all;

	tl_writer_init(&all, votes, sizeof(votes));
	for (unsigned i = MEMBERS - voters; i < MEMBERS; i++)
	{
		TlHash		voted = blocks[wrong && i == 2 ? number - 1 : number].hash;
		TlLogRow	row = {.member = i + 1, .sequence = 1, .kind = TL_LOG_FINALIZE,
		.view = certificate.view, .payload = {voted.bytes, TL_HASH_SIZE}};
		TlVote		vote;

		UNIT_CHECK(tl_consensus_row_sign(&row, &config.chain_id, secrets[i], NULL) == TL_OK);
		tl_consensus_certificate_row_vote(&vote, &row);
		tl_consensus_certificate_put_vote(&all, &vote);
	}
	certificate.votes = (TlSpan) {votes, all.size};
	tl_writer_init(&writer, parts[number][2], sizeof(parts[number][2]));
	UNIT_CHECK(tl_consensus_certificate_encode(&writer, &certificate) == TL_OK);
	return (TlSpan) {writer.data, writer.size};
}

static TlOfferedBlock
offered(unsigned number)
{
	TlOfferedBlock out = {{NULL, 0}};
	TlWriter	writer;

	tl_writer_init(&writer, parts[number][0], sizeof(parts[number][0]));
	UNIT_CHECK(tl_chain_block_encode(&writer, &blocks[number].header) == TL_OK);
	out.header = (TlSpan) {writer.data, writer.size};
	tl_writer_init(&writer, parts[number][1], sizeof(parts[number][1]));
	UNIT_CHECK(tl_chain_cut_encode(&writer, blocks[number].cut, blocks[number].lane_count) == TL_OK);
	out.cut = (TlSpan) {writer.data, writer.size};
	return out;
}

/* Blocks first to last, of which those are final by themselves that say so. */
static TlOffer
offer_of(unsigned first, unsigned last)
{
	TlOffer		out = {.count = 0};

	for (unsigned i = first; i <= last; i++)
		out.blocks[out.count++] = offered(i);
	return out;
}

static TlSpan
encode(const TlOffer *offer)
{
	TlWriter	writer;

	tl_writer_init(&writer, bytes, sizeof(bytes));
	UNIT_CHECK(tl_consensus_offer_encode(&writer, offer) == TL_OK);
	return (TlSpan) {bytes, writer.size};
}

static TlStatus
judge(TlSpan offer)
{
	return tl_consensus_judge_offer(core, offer, tl_consensus_check_signature, NULL);
}

/* How many blocks become final by that. */
static unsigned
give(TlSpan offer)
{
	TlInput		input = {.kind = TL_INPUT_OFFER, .now_us = 2, .member = 2, .payload = offer};
	unsigned	count = 0;

	input.certificates_valid = judge(offer) == TL_OK;
	do
	{
		UNIT_CHECK(tl_consensus_step(core, &actions, &input) == TL_OK);
		for (unsigned i = 0; i < actions.count; i++)
			count += (actions.list[i].kind == TL_ACT_FINAL);
		input.kind = TL_INPUT_TIME;
	} while (actions.more);
	return count;
}

static void
taken(void)
{
	TlOffer		offer;

	open_core();
	make_blocks();
	offer = offer_of(1, 5);
	offer.blocks[2].certificate = finalization(3, 3, false);
	UNIT_CHECK(judge(encode(&offer)) == TL_OK);
	UNIT_CHECK(give(encode(&offer)) == 3);	/* the rest nothing proves */
	UNIT_CHECK(judge(encode(&offer)) == TL_BAD_ORDER);	/* it is not the next */
	UNIT_CHECK(give(encode(&offer)) == 0);
	/* of one that lies beyond the memory what is within it is taken */
	offer = offer_of(4, BLOCKS);
	offer.blocks[1].certificate = finalization(5, 4, false);
	offer.blocks[BLOCKS - 4].certificate = finalization(BLOCKS, 3, false);
	UNIT_CHECK(give(encode(&offer)) == 2);
	offer = offer_of(6, BLOCKS);
	offer.blocks[BLOCKS - 6].certificate = finalization(BLOCKS, 3, false);
	UNIT_CHECK(give(encode(&offer)) == BLOCKS - 5);
}

static void
refused(void)
{
	TlOffer		offer;
	TlSpan		span;

	open_core();
	make_blocks();
	offer = offer_of(1, 3);
	UNIT_CHECK(judge(encode(&offer)) == TL_NOT_FINAL && give(encode(&offer)) == 0);
	offer.blocks[2].certificate = finalization(3, 2, false);
	UNIT_CHECK(judge(encode(&offer)) == TL_BAD_CERTIFICATE && give(encode(&offer)) == 0);
	offer.blocks[2].certificate = finalization(3, 3, true);
	UNIT_CHECK(judge(encode(&offer)) == TL_BAD_CERTIFICATE && give(encode(&offer)) == 0);
	offer.blocks[2].certificate = finalization(2, 3, false);	/* another block's */
	UNIT_CHECK(judge(encode(&offer)) == TL_NOT_FINAL && give(encode(&offer)) == 0);
	offer = offer_of(1, BLOCKS);	/* nothing within the memory */
	offer.blocks[BLOCKS - 1].certificate = finalization(BLOCKS, 3, false);
	UNIT_CHECK(judge(encode(&offer)) == TL_NOT_FINAL && give(encode(&offer)) == 0);
	offer = offer_of(2, 3);
	offer.blocks[1].certificate = finalization(3, 3, false);
	UNIT_CHECK(judge(encode(&offer)) == TL_BAD_ORDER && give(encode(&offer)) == 0);
	offer = offer_of(1, 3);
	offer.blocks[2].certificate = finalization(3, 3, false);
	offer.blocks[1] = offer.blocks[2];	/* one is left out */
	UNIT_CHECK(judge(encode(&offer)) == TL_BAD_ORDER && give(encode(&offer)) == 0);
	/* a cut, and entries, that are not the header's */
	blocks[2].lane_count = 1;
	blocks[2].cut[0].member = 1;
	blocks[2].cut[0].batch = 1;
	offer = offer_of(1, 3);
	offer.blocks[2].certificate = finalization(3, 3, false);
	UNIT_CHECK(judge(encode(&offer)) == TL_BAD_PROOF && give(encode(&offer)) == 0);
	blocks[2].lane_count = 0;
	offer = offer_of(1, 3);
	offer.blocks[2].certificate = finalization(3, 3, false);
	offer.blocks[0].entries = (TlSpan) {(const uint8_t *) "\11" "01234567890123456789012345678901", 33};
	UNIT_CHECK(judge(encode(&offer)) == TL_BAD_PROOF && give(encode(&offer)) == 0);
	/* bytes */
	offer = offer_of(1, 3);
	offer.blocks[2].certificate = finalization(3, 3, false);
	span = encode(&offer);
	for (size_t size = 0; size < span.size; size += 97)
		UNIT_CHECK(judge((TlSpan) {span.data, size}) != TL_OK);
	UNIT_CHECK(judge((TlSpan) {span.data, span.size + 1}) == TL_TRAILING_BYTES);
	UNIT_CHECK(judge((TlSpan) {span.data, TL_OFFER_SIZE_MAX + 1}) == TL_TOO_LARGE);
	bytes[0] = 2;
	UNIT_CHECK(judge(span) == TL_BAD_FORMAT);
	bytes[0] = 1;
	for (unsigned i = 0; i < 64; i++)
	{
		size_t		place = unit_random() % span.size;

		bytes[place] ^= 1;
		unit_context("byte %zu", place);
		UNIT_CHECK(judge(span) != TL_OK);
		bytes[place] ^= 1;
	}
	UNIT_CHECK(give(span) == 3);
}

/* The leader's row, which proves no checkpoint, whatever the header says. */
static void
propose(unsigned number)
{
	TlOfferedBlock block = offered(number);
	TlInput		input = {.kind = TL_INPUT_ROW, .now_us = 2, .certificates_valid = true};
	TlProposal	proposal = {.header = block.header, .cut = block.cut};
	uint8_t		payload[4096];
	TlWriter	writer;

	proposal.parent_certificate = finalization(number - 1, 3, false);
	tl_writer_init(&writer, payload, sizeof(payload));
	UNIT_CHECK(tl_consensus_proposal_encode(&writer, &proposal) == TL_OK);
	input.row.member = blocks[number].header.proposer;
	input.row.sequence = 1;
	input.row.kind = TL_LOG_PROPOSE;
	input.row.view = number;
	input.row.payload = (TlSpan) {payload, writer.size};
	UNIT_CHECK(tl_consensus_step(core, &actions, &input) == TL_OK);
}

/* R40: a leader showed the block here with a row for which nobody votes, and elsewhere with a right one. */
static void
shown_wrongly(void)
{
	unsigned	number = 2;
	TlOffer		offer;

	open_core();
	make_blocks();
	while (tl_consensus_leader(core, number) == core->own.index)
		number++;
	move_checkpoint(number, config.members[tl_consensus_leader(core, number)].number);
	propose(number);
	UNIT_CHECK(tl_consensus_proposal_find(core, number, &blocks[number].hash) != NULL);
	offer = offer_of(1, number + 1);
	offer.blocks[number].certificate = finalization(number + 1, 3, false);
	UNIT_CHECK(give(encode(&offer)) == number + 1);
	UNIT_CHECK(!core->forked);
}

/* As many as an offer may have, and one more. */
static void
limits(void)
{
	static TlOffer offer;
	TlWriter	writer;
	static uint8_t part[UINT16_MAX + 1];

	open_core();
	make_blocks();
	offer.count = TL_OFFER_BLOCKS_MAX;
	for (unsigned i = 0; i < TL_OFFER_BLOCKS_MAX; i++)
		offer.blocks[i] = offered(1);
	UNIT_CHECK(judge(encode(&offer)) == TL_BAD_ORDER);
	offer.blocks[0].certificate = (TlSpan) {part, UINT16_MAX};
	UNIT_CHECK(judge(encode(&offer)) == TL_BAD_ORDER);
	for (unsigned i = 0; i < 20; i++)
		offer.blocks[i].certificate = offer.blocks[0].certificate;
	tl_writer_init(&writer, bytes, sizeof(bytes));
	UNIT_CHECK(tl_consensus_offer_encode(&writer, &offer) == TL_TOO_LARGE);
	offer.count = 1;
	offer.blocks[0].certificate.size++;
	UNIT_CHECK(tl_consensus_offer_encode(&writer, &offer) == TL_TOO_LARGE);
	offer.count = TL_OFFER_BLOCKS_MAX + 1;
	UNIT_CHECK(tl_consensus_offer_encode(&writer, &offer) == TL_BAD_FORMAT);
	memset(bytes, 0, 3);
	bytes[0] = 1;
	UNIT_CHECK(judge((TlSpan) {bytes, 3}) == TL_BAD_FORMAT);	/* none */
	bytes[1] = 4;
	bytes[2] = 1;				/* 1,025 of them */
	UNIT_CHECK(judge((TlSpan) {bytes, TL_OFFER_SIZE_MAX}) == TL_TOO_LARGE);
}

UNIT_MAIN(UNIT_CASE(taken), UNIT_CASE(refused), UNIT_CASE(shown_wrongly), UNIT_CASE(limits))
