/*-------------------------------------------------------------------------
 *
 * dialogue_row.c
 *	  From the words of a script to signed rows of a log.
 *
 *-------------------------------------------------------------------------
 */
#include "dialogue.h"

#include "chain_batch.h"
#include "consensus_payload.h"
#include "merkle_hash.h"

#include <stdlib.h>
#include <string.h>

static TlSpan ack(Dialogue *dialogue, const Line *line);
static TlSpan propose(Dialogue *dialogue, uint32_t member, const Line *line,
					  uint64_t *view);
static void make_cut(Dialogue *dialogue, const Line *line, unsigned *at,
					 TlConsensusBlock *block);
static void add_lane(TlConsensusBlock *block, const TlLane *lane);
static void batch_root(Dialogue *dialogue, const TlConsensusBlock *parent,
					   const TlConsensusBlock *block, TlHash *out);
static void spoil(TlBlockHeader *header, const char *what);
static TlSpan certificate(Dialogue *dialogue, uint8_t kind, uint64_t view,
						  const TlHash *block, const char *voters);
static TlSpan cert(Dialogue *dialogue, const Line *line);
static uint8_t vote_kind(const char *word);

/* MEMBER WHAT ...; false if this is no row. */
bool
dialogue_row(Dialogue *dialogue, const Line *line, TlLogRow *row)
{
	const char *what = (line->count > 1) ? line->words[1] : "";
	NamedBlock *block;

	memset(row, 0, sizeof(*row));
	if (strlen(line->words[0]) != 1 || line->words[0][0] < 'A' ||
		line->words[0][0] >= 'A' + (int) dialogue->config.member_count)
		return false;
	row->member = (uint32_t) (line->words[0][0] - 'A' + 1);
	if (strcmp(what, "batch") == 0)
	{
		row->kind = TL_LOG_BATCH;
		row->payload = dialogue_batch(dialogue, row->member, line, 2);
	}
	else if (strcmp(what, "ack") == 0)
	{
		row->kind = TL_LOG_ACK;
		row->payload = ack(dialogue, line);
	}
	else if (strcmp(what, "propose") == 0)
	{
		row->kind = TL_LOG_PROPOSE;
		row->payload = propose(dialogue, row->member, line, &row->view);
	}
	else if (strcmp(what, "cert") == 0)
	{
		row->kind = TL_LOG_CERT;
		row->payload = cert(dialogue, line);
	}
	else if (strcmp(what, "nullify") == 0)
	{
		row->kind = TL_LOG_NULLIFY;
		row->view = strtoull(line->words[2], NULL, 10);
	}
	else if (strcmp(what, "notarize") == 0 || strcmp(what, "finalize") == 0)
	{
		block = dialogue_block(dialogue, line->words[2]);
		row->kind = vote_kind(what);
		row->view = block->block.header.view;
		row->payload = dialogue_keep(block->block.hash.bytes, TL_HASH_SIZE);
	}
	else
		fail("no such row: %s", what);
	dialogue_sign(dialogue, row);
	if (strcmp(line->words[line->count - 1], "forged") == 0)
		row->signature[0] ^= 1;
	return true;
}

/* The next of its author's log. */
void
dialogue_sign(Dialogue *dialogue, TlLogRow *row)
{
	unsigned	index = row->member - 1;
	TlHash		digest;

	row->sequence = ++dialogue->sequence[index];
	if (row->sequence > 1)
		row->previous = dialogue->previous[index];
	tl_consensus_row_digest(&digest, &dialogue->config.chain_id, row);
	memcpy(row->signature, digest.bytes, TL_HASH_SIZE);
	memcpy(row->signature + TL_HASH_SIZE,
		   dialogue->config.members[index].row_key, TL_XONLY_KEY_SIZE);
	dialogue->previous[index] = digest;
}

bool
dialogue_check(void *context, const uint8_t *signature,
			   const TlHash *digest, const uint8_t *row_key)
{
	return memcmp(signature, digest->bytes, TL_HASH_SIZE) == 0 &&
		memcmp(signature + TL_HASH_SIZE, row_key, TL_XONLY_KEY_SIZE) == 0;
}

/* BATCH [after BATCH] [body]: A:1, or A:1' for another one at that place. */
TlSpan
dialogue_batch(Dialogue *dialogue, uint32_t member, const Line *line,
			   unsigned at)
{
	NamedBatch *batch = &dialogue->batches[dialogue->batch_count++];
	TlBatchHeader header = {.chain_id = dialogue->config.chain_id,
	.member = member, .section_count = 1};
	TlBatchChunk chunk = {.size = 1};
	uint8_t		chunk_bytes[TL_BATCH_CHUNK_SIZE];
	uint8_t		bytes[TL_BATCH_SIZE_FIXED + TL_BATCH_CHUNK_SIZE];
	TlWriter	writer;

	if (dialogue->batch_count == THINGS_MAX)
		fail("too many batches");
	strncpy(batch->name, line->words[at], NAME_SIZE - 1);
	header.batch = strtoull(batch->name + 2, NULL, 10);
	header.attempt = (strchr(batch->name, '\'') != NULL);
	if (header.batch > 1)
		snprintf(batch->before, NAME_SIZE, "%c:%d", batch->name[0],
				 (int) header.batch - 1);
	for (unsigned i = at + 1; i < line->count; i++)
	{
		if (strcmp(line->words[i], "after") == 0)
			strncpy(batch->before, line->words[i + 1], NAME_SIZE - 1);
		header.chunk_count |= (strcmp(line->words[i], "body") == 0);
	}
	if (batch->before[0] != '\0')
		header.previous = dialogue_find_batch(dialogue, batch->before)->lane.digest;
	tl_writer_init(&writer, chunk_bytes, sizeof(chunk_bytes));
	tl_chain_batch_put_chunk(&writer, &chunk);
	header.chunks.data = chunk_bytes;
	header.chunks.size = header.chunk_count * writer.size;
	tl_writer_init(&writer, bytes, sizeof(bytes));
	if (tl_chain_batch_encode(&writer, &header) != TL_OK)
		fail("no batch: %s", batch->name);
	batch->lane.member = member;
	batch->lane.batch = header.batch;
	tl_chain_batch_digest(&batch->lane.digest, bytes, writer.size);
	return dialogue_keep(bytes, writer.size);
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

NamedBatch *
dialogue_find_batch(Dialogue *dialogue, const char *name)
{
	for (unsigned i = 0; i < dialogue->batch_count; i++)
	{
		if (strcmp(dialogue->batches[i].name, name) == 0)
			return &dialogue->batches[i];
	}
	fail("no batch %s", name);
}

/* Until the program ends. */
TlSpan
dialogue_keep(const void *data, size_t size)
{
	uint8_t    *copy = malloc(size + 1);
	TlSpan		span = {copy, size};

	if (size > 0)
		memcpy(copy, data, size);
	return span;
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
	header->parent = parent->hash;
	header->parent_view = parent->header.view;
	header->time = parent->header.time + 1;
	if (header->time < CLOCK_US + dialogue->now_us)
		header->time = CLOCK_US + dialogue->now_us;
	header->members_hash = dialogue->config.members_hash;
	tl_merkle_empty_root(&header->entries_root);
	tl_merkle_range_root(&parent->history, &header->history_root);
	named->block.lane_count = parent->lane_count;
	memcpy(named->block.cut, parent->cut, sizeof(parent->cut));
	return named;
}

/* ack BATCH... */
static TlSpan
ack(Dialogue *dialogue, const Line *line)
{
	TlConsensusBlock cut;
	uint8_t		lanes[TL_MEMBER_COUNT_MAX * TL_BLOCK_LANE_SIZE];
	uint8_t		bytes[TL_ACK_SIZE_MAX];
	unsigned	at = 1;
	TlAck		out;
	TlWriter	writer;

	memset(&out, 0, sizeof(out));
	memset(&cut, 0, sizeof(cut));
	make_cut(dialogue, line, &at, &cut);
	tl_writer_init(&writer, lanes, sizeof(lanes));
	if (tl_chain_cut_encode(&writer, cut.cut, cut.lane_count) != TL_OK)
		fail("no cut");
	out.lanes.data = lanes;
	out.lanes.size = writer.size;
	for (unsigned i = 2; i + 1 < line->count; i++)
	{
		if (strcmp(line->words[i], "instance") == 0)
			out.instance[0] = (uint8_t) atoi(line->words[i + 1]);
		if (strcmp(line->words[i], "replaces") == 0)
			out.replaced[0] = (uint8_t) atoi(line->words[i + 1]);
	}
	tl_writer_init(&writer, bytes, sizeof(bytes));
	if (tl_consensus_ack_encode(&writer, &out) != TL_OK)
		fail("no ack");
	return dialogue_keep(bytes, writer.size);
}

/*
 * propose BLOCK view N on BLOCK [cut BATCH...] [by VOTERS] [skips N VOTERS]...
 * [time +MS] [wrong WHAT]
 */
static TlSpan
propose(Dialogue *dialogue, uint32_t member, const Line *line, uint64_t *view)
{
	NamedBlock *parent = dialogue_block(dialogue, line->words[6]);
	NamedBlock *named = dialogue_add_block(dialogue, line->words[2], &parent->block);
	TlBlockHeader *header = &named->block.header;
	uint8_t		bytes[8192];
	uint8_t		gaps[4096];
	uint8_t		header_bytes[TL_BLOCK_HEADER_SIZE];
	uint8_t		cut[TL_MEMBER_COUNT_MAX * TL_BLOCK_LANE_SIZE];
	TlProposal	proposal;
	TlWriter	writer;
	TlWriter	gap_writer;

	memset(&proposal, 0, sizeof(proposal));
	tl_writer_init(&gap_writer, gaps, sizeof(gaps));
	*view = header->view = strtoull(line->words[4], NULL, 10);
	header->proposer = member;
	for (unsigned i = 7; i < line->count; i++)
	{
		if (strcmp(line->words[i], "cut") == 0)
			make_cut(dialogue, line, &i, &named->block);
		else if (strcmp(line->words[i], "by") == 0)
			proposal.parent_certificate = certificate(dialogue, TL_LOG_NOTARIZE,
													  header->parent_view,
													  &header->parent,
													  line->words[++i]);
		else if (strcmp(line->words[i], "skips") == 0)
		{
			TlSpan		skipped = certificate(dialogue, TL_LOG_NULLIFY,
											  strtoull(line->words[i + 1], NULL, 10),
											  NULL, line->words[i + 2]);

			tl_put_u32(&gap_writer, (uint32_t) skipped.size);
			tl_put_bytes(&gap_writer, skipped.data, skipped.size);
			proposal.gap_count++;
			i += 2;
		}
		else if (strcmp(line->words[i], "time") == 0)
			header->time += atoi(line->words[++i]) * MS;
	}
	batch_root(dialogue, &parent->block, &named->block, &header->batch_root);
	(void) tl_chain_cut_hash(&header->cut_hash, named->block.cut,
							 named->block.lane_count);
	if (strcmp(line->words[line->count - 2], "wrong") == 0)
		spoil(header, line->words[line->count - 1]);
	tl_chain_block_hash(&named->block.hash, header);
	named->block.history = parent->block.history;
	(void) tl_merkle_range_append(&named->block.history, &named->block.hash);
	tl_writer_init(&writer, header_bytes, sizeof(header_bytes));
	(void) tl_chain_block_encode(&writer, header);
	proposal.header.data = header_bytes;
	proposal.header.size = writer.size;
	tl_writer_init(&writer, cut, sizeof(cut));
	(void) tl_chain_cut_encode(&writer, named->block.cut, named->block.lane_count);
	proposal.cut.data = cut;
	proposal.cut.size = writer.size;
	proposal.gaps.data = gaps;
	proposal.gaps.size = gap_writer.size;
	tl_writer_init(&writer, bytes, sizeof(bytes));
	if (tl_consensus_proposal_encode(&writer, &proposal) != TL_OK)
		fail("no proposal: %s", named->name);
	return dialogue_keep(bytes, writer.size);
}

/* The batches after the word at which *at stands; *at then is the last one. */
static void
make_cut(Dialogue *dialogue, const Line *line, unsigned *at,
		 TlConsensusBlock *block)
{
	while (*at + 1 < line->count && strchr(line->words[*at + 1], ':') != NULL)
		add_lane(block, &dialogue_find_batch(dialogue, line->words[++*at])->lane);
}

static void
add_lane(TlConsensusBlock *block, const TlLane *lane)
{
	unsigned	i = 0;

	while (i < block->lane_count && block->cut[i].member < lane->member)
		i++;
	if (i == block->lane_count || block->cut[i].member != lane->member)
	{
		memmove(&block->cut[i + 1], &block->cut[i],
				(block->lane_count - i) * sizeof(TlLane));
		block->lane_count++;
	}
	block->cut[i] = *lane;
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
			if (parent->cut[j].member == lane->member)
				from = parent->cut[j].batch;
		}
		for (uint64_t number = from + 1; number <= lane->batch; number++)
		{
			for (unsigned j = 0; j < dialogue->batch_count; j++)
			{
				const TlLane *other = &dialogue->batches[j].lane;

				if (other->member == lane->member && other->batch == number)
				{
					(void) tl_merkle_range_append(&range, number == lane->batch ?
												  &lane->digest : &other->digest);
					break;
				}
			}
		}
	}
	tl_merkle_range_root(&range, out);
}

static void
spoil(TlBlockHeader *header, const char *what)
{
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

/* VOTERS are letters; a small one stands for a signature that is not valid. */
static TlSpan
certificate(Dialogue *dialogue, uint8_t kind, uint64_t view,
			const TlHash *block, const char *voters)
{
	uint8_t		votes[TL_MEMBER_COUNT_MAX * TL_CERTIFICATE_VOTE_SIZE];
	uint8_t		bytes[sizeof(votes) + TL_CERTIFICATE_SIZE_FIXED];
	TlCertificate out;
	TlWriter	writer;

	memset(&out, 0, sizeof(out));
	out.kind = kind;
	out.view = view;
	if (block != NULL)
		out.block = *block;
	tl_writer_init(&writer, votes, sizeof(votes));
	for (; *voters != '\0'; voters++)
	{
		bool		forged = (*voters >= 'a');
		uint32_t	member = (uint32_t) (*voters - (forged ? 'a' : 'A') + 1);
		TlLogRow	row = {.member = member, .sequence = 1000 + view,
			.kind = kind, .view = view};
		TlVote		vote;
		TlHash		digest;

		row.previous.bytes[0] = 1;
		if (block != NULL)
			row.payload = dialogue_keep(block->bytes, TL_HASH_SIZE);
		tl_consensus_row_digest(&digest, &dialogue->config.chain_id, &row);
		memcpy(row.signature, digest.bytes, TL_HASH_SIZE);
		memcpy(row.signature + TL_HASH_SIZE,
			   dialogue->config.members[member - 1].row_key, TL_XONLY_KEY_SIZE);
		row.signature[0] ^= forged;
		tl_consensus_certificate_row_vote(&vote, &row);
		tl_consensus_certificate_put_vote(&writer, &vote);
		out.vote_count++;
	}
	out.votes.data = votes;
	out.votes.size = writer.size;
	tl_writer_init(&writer, bytes, sizeof(bytes));
	if (tl_consensus_certificate_encode(&writer, &out) != TL_OK)
		fail("no certificate");
	return dialogue_keep(bytes, writer.size);
}

/* cert notarize|finalize BLOCK VOTERS, cert nullify VIEW VOTERS */
static TlSpan
cert(Dialogue *dialogue, const Line *line)
{
	const TlConsensusBlock *block;

	if (line->count < 5)
		fail("cert KIND BLOCK VOTERS");
	if (vote_kind(line->words[2]) == TL_LOG_NULLIFY)
		return certificate(dialogue, TL_LOG_NULLIFY,
						   strtoull(line->words[3], NULL, 10), NULL,
						   line->words[4]);
	block = &dialogue_block(dialogue, line->words[3])->block;
	return certificate(dialogue, vote_kind(line->words[2]), block->header.view,
					   &block->hash, line->words[4]);
}

static uint8_t
vote_kind(const char *word)
{
	if (strcmp(word, "notarize") == 0)
		return TL_LOG_NOTARIZE;
	if (strcmp(word, "finalize") == 0)
		return TL_LOG_FINALIZE;
	if (strcmp(word, "nullify") == 0)
		return TL_LOG_NULLIFY;
	fail("no vote: %s", word);
}
