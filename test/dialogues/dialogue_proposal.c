/*-------------------------------------------------------------------------
 *
 * dialogue_proposal.c
 *	  From the words of a script to blocks and the rows that propose them.
 *
 *-------------------------------------------------------------------------
 */
#include "dialogue.h"

#include "merkle_hash.h"

#include <stdlib.h>
#include <string.h>

static void drop_lane(TlConsensusBlock *block, uint32_t member);
static void read_words(Dialogue *dialogue, const Line *line, NamedBlock *named,
					   TlProposal *proposal, TlWriter *gaps);
static TlSpan skipped(Dialogue *dialogue, const char *view, const char *voters);
static TlSpan notarization(Dialogue *dialogue, const TlBlockHeader *header,
						   const char *voters);
static TlSpan checkpoint(Dialogue *dialogue, TlBlockHeader *header, char **words);
static void order(Dialogue *dialogue, const Line *line, unsigned *at,
				  TlConsensusBlock *block);
static void batch_root(Dialogue *dialogue, const TlConsensusBlock *parent,
					   const TlConsensusBlock *block, TlHash *out);
static const TlHash *digest_at(Dialogue *dialogue, const TlLane *lane,
							   uint64_t number);
static void spoil(TlBlockHeader *header, const char *what);
static TlSpan encode(const NamedBlock *named, TlProposal *proposal);

/*
 * propose BLOCK view N on BLOCK [drops LANE] [cut BATCH...] [by VOTERS] [skips N VOTERS]...
 * [orders ROW...] [set MOTION] [checkpoint BLOCK STATE VOTERS] [time +MS]
 * [wrong WHAT]
 */
TlSpan
dialogue_propose(Dialogue *dialogue, uint32_t member, const Line *line,
				 uint64_t *view)
{
	NamedBlock *parent = dialogue_block(dialogue, line->words[6]);
	NamedBlock *named = dialogue_add_block(dialogue, line->words[2], &parent->block);
	TlConsensusBlock *block = &named->block;
	TlBlockHeader *header = &block->header;
	uint8_t		gaps[4096];
	TlProposal	proposal;
	TlWriter	writer;

	if (strcmp(line->words[3], "view") != 0 || strcmp(line->words[5], "on") != 0)
		fail("propose BLOCK view N on BLOCK");
	memset(&proposal, 0, sizeof(proposal));
	tl_writer_init(&writer, gaps, sizeof(gaps));
	*view = header->view = strtoull(line->words[4], NULL, 10);
	header->proposer = member;
	read_words(dialogue, line, named, &proposal, &writer);
	proposal.gaps.data = gaps;
	proposal.gaps.size = writer.size;
	batch_root(dialogue, &parent->block, block, &header->batch_root);
	(void) tl_chain_cut_hash(&header->cut_hash, block->cut, block->lane_count);
	(void) tl_chain_entries_root(&header->entries_root, block->entries,
								 block->entry_count);
	if (line_has(line, "wrong"))
		spoil(header, line_after(line, "wrong"));
	tl_chain_block_hash(&block->hash, header);
	block->history = parent->block.history;
	(void) tl_merkle_range_append(&block->history, &block->hash);
	return encode(named, &proposal);
}

static void
read_words(Dialogue *dialogue, const Line *line, NamedBlock *named,
		   TlProposal *proposal, TlWriter *gaps)
{
	TlConsensusBlock *block = &named->block;

	for (unsigned i = 7; i < line->count; i++)
	{
		const char *word = line->words[i];
		char	  **next = (char **) &line->words[i + 1];
		unsigned	left = line->count - i - 1;

		if (strcmp(word, "cut") == 0)
			dialogue_cut(dialogue, line, &i, block);
		else if (strcmp(word, "drops") == 0 && left > 0)
			drop_lane(block, line_member(dialogue, next[0]));
		else if (strcmp(word, "orders") == 0)
			order(dialogue, line, &i, block);
		else if (strcmp(word, "by") == 0 && left > 0)
			proposal->parent_certificate = notarization(dialogue, &block->header, next[0]);
		else if (strcmp(word, "set") == 0 && left > 0)
			tl_consensus_block_add_entry(block, TL_ENTRY_MEMBERS,
					  &dialogue_find_motion(dialogue, next[0])->next_members);
		else if (strcmp(word, "time") == 0 && left > 0)
			block->header.time += atoi(next[0]) * MS;
		else if (strcmp(word, "checkpoint") == 0 && left > 2)
			proposal->checkpoint = checkpoint(dialogue, &block->header, next);
		else if (strcmp(word, "skips") == 0 && left > 1)
		{
			TlSpan		span = skipped(dialogue, next[0], next[1]);

			tl_put_u32(gaps, (uint32_t) span.size);
			tl_put_bytes(gaps, span.data, span.size);
			proposal->gap_count++;
		}
	}
}

static TlSpan
skipped(Dialogue *dialogue, const char *view, const char *voters)
{
	TlCertificate out = {.kind = TL_LOG_NULLIFY, .view = strtoull(view, NULL, 10)};

	return dialogue_certificate(dialogue, &out, voters);
}

static TlSpan
notarization(Dialogue *dialogue, const TlBlockHeader *header, const char *voters)
{
	TlCertificate out = {.kind = TL_LOG_NOTARIZE, .view = header->parent_view,
	.block = header->parent};

	return dialogue_certificate(dialogue, &out, voters);
}

/* BLOCK STATE VOTERS */
static TlSpan
checkpoint(Dialogue *dialogue, TlBlockHeader *header, char **words)
{
	const TlConsensusBlock *block = &dialogue_block(dialogue, words[0])->block;
	TlCertificate out = {.kind = TL_LOG_STATE, .view = block->header.view,
	.block = block->hash, .height = block->header.height};
	TlState		state;

	dialogue_state(&state, block, words[1]);
	out.state_root = state.state_root;
	header->checkpoint_height = state.height;
	header->checkpoint_state_root = state.state_root;
	return dialogue_certificate(dialogue, &out, words[2]);
}

/* The rows after the word at which *at stands; *at then is the last one. */
static void
order(Dialogue *dialogue, const Line *line, unsigned *at, TlConsensusBlock *block)
{
	NamedRow   *named;

	while (*at + 1 < line->count &&
		   (named = dialogue_find_row(dialogue, line->words[*at + 1])) != NULL)
	{
		tl_consensus_block_add_entry(block, named->row.kind, &named->digest);
		(*at)++;
	}
}

NamedBlock *
dialogue_block(Dialogue *dialogue, const char *name)
{
	for (unsigned i = 0; i < dialogue->block_count; i++)
	{
		if (strcmp(dialogue->blocks[i].name, name) == 0)
			return &dialogue->blocks[i];
	}
	fail("no block %s", name);
}

/* A block on that parent, with nothing in its header but what follows from it. */
NamedBlock *
dialogue_add_block(Dialogue *dialogue, const char *name,
				   const TlConsensusBlock *parent)
{
	NamedBlock *named = &dialogue->blocks[dialogue->block_count++];
	TlBlockHeader *header = &named->block.header;

	if (dialogue->block_count == THINGS_MAX)
		fail("too many blocks");
	memset(named, 0, sizeof(*named));
	strncpy(named->name, name, NAME_SIZE - 1);
	header->chain_id = dialogue->config.chain_id;
	header->height = parent->header.height + 1;
	header->epoch = dialogue->config.epoch;
	header->parent = parent->hash;
	header->parent_epoch = parent->header.epoch;
	header->parent_view = parent->header.view;
	header->time = parent->header.time + 1;
	if (header->time < CLOCK_US + dialogue->now_us)
		header->time = CLOCK_US + dialogue->now_us;
	header->members_hash = dialogue->config.members_hash;
	header->checkpoint_height = parent->header.checkpoint_height;
	header->checkpoint_state_root = parent->header.checkpoint_state_root;
	tl_merkle_empty_root(&header->entries_root);
	tl_merkle_range_root(&parent->history, &header->history_root);
	named->block.lane_count = parent->lane_count;
	memcpy(named->block.cut, parent->cut, sizeof(parent->cut));
	return named;
}

/* The batches after the word at which *at stands; *at then is the last one. */
void
dialogue_cut(Dialogue *dialogue, const Line *line, unsigned *at,
			 TlConsensusBlock *block)
{
	while (*at + 1 < line->count && strchr(line->words[*at + 1], ':') != NULL)
		tl_consensus_block_set_lane(block, &dialogue_find_batch(dialogue, line->words[++*at])->lane);
}

static void
drop_lane(TlConsensusBlock *block, uint32_t member)
{
	unsigned	kept = 0;

	for (unsigned i = 0; i < block->lane_count; i++)
	{
		if (block->cut[i].member != member)
			block->cut[kept++] = block->cut[i];
	}
	block->lane_count = kept;
}

/* Over what each lane of the cut has beyond the parent's. */
static void
batch_root(Dialogue *dialogue, const TlConsensusBlock *parent,
		   const TlConsensusBlock *block, TlHash *out)
{
	TlMerkleRange range;

	tl_merkle_range_init(&range);
	for (unsigned i = 0; i < block->lane_count; i++)
	{
		const TlLane *lane = &block->cut[i];
		uint64_t	from = 0;

		for (unsigned j = 0; j < parent->lane_count; j++)
		{
			if (parent->cut[j].member == lane->member &&
				parent->cut[j].incarnation == lane->incarnation)
				from = parent->cut[j].batch;
		}
		for (uint64_t number = from + 1; number <= lane->batch; number++)
			(void) tl_merkle_range_append(&range, digest_at(dialogue, lane, number));
	}
	tl_merkle_range_root(&range, out);
}

/* Of the first batch that has that number; of the last one the lane tells. */
static const TlHash *
digest_at(Dialogue *dialogue, const TlLane *lane, uint64_t number)
{
	if (number == lane->batch)
		return &lane->digest;
	for (unsigned i = 0; i < dialogue->batch_count; i++)
	{
		const TlLane *other = &dialogue->batches[i].lane;

		if (other->member == lane->member && other->batch == number &&
			other->incarnation == lane->incarnation)
			return &other->digest;
	}
	fail("no batch %d in that lane", (int) number);
}

static void
spoil(TlBlockHeader *header, const char *what)
{
	if (what == NULL)
		fail("what is wrong?");
	if (strcmp(what, "height") == 0)
		header->height++;
	else if (strcmp(what, "history") == 0)
		header->history_root.bytes[0] ^= 1;
	else if (strcmp(what, "batch-root") == 0)
		header->batch_root.bytes[0] ^= 1;
	else if (strcmp(what, "cut-hash") == 0)
		header->cut_hash.bytes[0] ^= 1;
	else if (strcmp(what, "entries-root") == 0)
		header->entries_root.bytes[0] ^= 1;
	else if (strcmp(what, "members") == 0)
		header->members_hash.bytes[0] ^= 1;
	else if (strcmp(what, "checkpoint") == 0)
		header->checkpoint_height++;
	else
		fail("nothing to make wrong: %s", what);
}

/* The payload of PROPOSE; certificates are in the proposal already. */
static TlSpan
encode(const NamedBlock *named, TlProposal *proposal)
{
	const TlConsensusBlock *block = &named->block;
	uint8_t		bytes[8192];
	uint8_t		header[TL_BLOCK_HEADER_SIZE];
	uint8_t		cut[TL_MEMBER_COUNT_MAX * TL_BLOCK_LANE_SIZE];
	uint8_t		entries[TL_CONSENSUS_ENTRIES_MAX * TL_BLOCK_ENTRY_SIZE];
	TlWriter	writer;

	tl_writer_init(&writer, header, sizeof(header));
	(void) tl_chain_block_encode(&writer, &block->header);
	proposal->header = (TlSpan) {header, writer.size};
	tl_writer_init(&writer, cut, sizeof(cut));
	(void) tl_chain_cut_encode(&writer, block->cut, block->lane_count);
	proposal->cut = (TlSpan) {cut, writer.size};
	tl_writer_init(&writer, entries, sizeof(entries));
	(void) tl_chain_entries_encode(&writer, block->entries, block->entry_count);
	proposal->entry_count = block->entry_count;
	proposal->entries = (TlSpan) {entries, writer.size};
	tl_writer_init(&writer, bytes, sizeof(bytes));
	if (tl_consensus_proposal_encode(&writer, proposal) != TL_OK)
		fail("no proposal: %s", named->name);
	return dialogue_keep(bytes, writer.size);
}
