/*-------------------------------------------------------------------------
 *
 * dialogue_row.c
 *	  From the words of a script to signed rows of a log.
 *
 *-------------------------------------------------------------------------
 */
#include "dialogue.h"

#include "chain_batch.h"
#include "consensus_epoch.h"
#include "consensus_payload.h"

#include <stdlib.h>
#include <string.h>

#define CHUNK_SIZE	(1024 * 1024)
#define SMALL_SIZE	1024		/* of a body that is not here */
#define CHUNKS_MAX	64

static TlSpan ack(Dialogue *dialogue, const Line *line);
static TlSpan vote(Dialogue *dialogue, const Line *line, TlLogRow *row);
static TlSpan cert(Dialogue *dialogue, const Line *line);
static TlSpan state(Dialogue *dialogue, const Line *line, TlLogRow *row);
static uint8_t vote_kind(const char *word);
static TlSpan put_chunks(uint32_t count, uint32_t size);

/* MEMBER WHAT ...; false if this is no row. */
bool
dialogue_row(Dialogue *dialogue, const Line *line, TlLogRow *row)
{
	static const struct
	{
		const char *word;
		uint8_t		kind;
		unsigned	words;
	}			kinds[] = {
		{"batch", TL_LOG_BATCH, 3}, {"ack", TL_LOG_ACK, 2},
		{"propose", TL_LOG_PROPOSE, 7}, {"notarize", TL_LOG_NOTARIZE, 3},
		{"finalize", TL_LOG_FINALIZE, 3}, {"nullify", TL_LOG_NULLIFY, 3},
		{"cert", TL_LOG_CERT, 5}, {"state", TL_LOG_STATE, 4},
		{"approves", TL_LOG_GOVERN, 3}, {"accuses", TL_LOG_EVIDENCE, 3},
		{"rejoins", TL_LOG_REJOIN, 5}
	};

	memset(row, 0, sizeof(*row));
	row->member = line_member(dialogue, line->words[0]);
	for (unsigned i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++)
	{
		if (strcmp(line->words[1], kinds[i].word) == 0 &&
			line->count >= kinds[i].words)
			row->kind = kinds[i].kind;
	}
	if (row->member == 0 || row->kind == 0)
		return false;
	row->epoch = dialogue->config.epoch;
	if (row->kind == TL_LOG_BATCH)
		row->payload = dialogue_batch(dialogue, row->member, line, 2);
	else if (row->kind == TL_LOG_ACK)
		row->payload = ack(dialogue, line);
	else if (row->kind == TL_LOG_PROPOSE)
		row->payload = dialogue_propose(dialogue, row->member, line, &row->view);
	else if (row->kind == TL_LOG_CERT)
		row->payload = cert(dialogue, line);
	else if (row->kind == TL_LOG_STATE)
		row->payload = state(dialogue, line, row);
	else if (row->kind == TL_LOG_GOVERN)
		row->payload = dialogue_approve(dialogue, row->member, line->words[2], line);
	else if (row->kind == TL_LOG_EVIDENCE)
		row->payload = dialogue_accuse(dialogue, line);
	else if (row->kind == TL_LOG_REJOIN)
		row->payload = dialogue_rejoin(dialogue, row->member, line, &row->view);
	else
		row->payload = vote(dialogue, line, row);
	if (line_has(line, "old-key"))
		row->epoch--;
	dialogue_sign(dialogue, row);
	if (line_has(line, "forged"))
		row->signature[0] ^= 1;
	return true;
}

/* The next of its author's log. */
void
dialogue_sign(Dialogue *dialogue, TlLogRow *row)
{
	Author	   *author = &dialogue->authors[row->member - 1];
	TlHash		digest;

	if (row->kind == TL_LOG_REJOIN && row->member == dialogue->config.member)
	{
		author->nonce = row->nonce[0];
		author->sequence = 0;
		author->incarnation++;
		dialogue->rejoin = 0;
	}
	memset(row->nonce, 0, sizeof(row->nonce));
	memset(&row->previous, 0, sizeof(row->previous));
	row->nonce[0] = author->nonce;
	row->sequence = ++author->sequence;
	if (row->sequence > 1)
		row->previous = author->previous;
	tl_consensus_row_digest(&digest, &dialogue->config.chain_id, row);
	dialogue_stamp(&digest,
				   tl_consensus_epoch_key(dialogue_member(dialogue, row->member), row->epoch),
				   row->signature);
	author->previous = digest;
}

void
dialogue_stamp(const TlHash *digest, const uint8_t *key,
			   uint8_t signature[TL_SIGNATURE_SIZE])
{
	memcpy(signature, digest->bytes, TL_HASH_SIZE);
	memcpy(signature + TL_HASH_SIZE, key, TL_XONLY_KEY_SIZE);
}

bool
dialogue_check(void *context, const uint8_t *signature,
			   const TlHash *digest, const uint8_t *row_key)
{
	return memcmp(signature, digest->bytes, TL_HASH_SIZE) == 0 &&
		memcmp(signature + TL_HASH_SIZE, row_key, TL_XONLY_KEY_SIZE) == 0;
}

/* Its name, if it has one, is for blocks that order it and for fetches. */
NamedRow *
dialogue_store(Dialogue *dialogue, const TlLogRow *row, const char *name,
			   RowPlace place)
{
	NamedRow   *named = &dialogue->rows[dialogue->row_count++];

	if (dialogue->row_count == ROWS_MAX)
		fail("too many rows");
	memset(named, 0, sizeof(*named));
	if (name != NULL)
		strncpy(named->name, name, NAME_SIZE - 1);
	named->row = *row;
	named->place = place;
	tl_consensus_row_digest(&named->digest, &dialogue->config.chain_id, row);
	return named;
}

/*
 * BATCH [after BATCH] [size MB] [without body]: A:1, A:1' for another one at
 * that place, A+1:1 after a REJOIN.
 */
TlSpan
dialogue_batch(Dialogue *dialogue, uint32_t member, const Line *line,
			   unsigned at)
{
	NamedBatch *batch = &dialogue->batches[dialogue->batch_count++];
	const char *number = strchr(line->words[at], ':');
	const char *after = line_after(line, "after");
	const char *size = line_after(line, "size");
	TlBatchHeader header = {.chain_id = dialogue->config.chain_id,
	.member = member, .section_count = 1};
	uint8_t		bytes[TL_BATCH_SIZE_FIXED + CHUNKS_MAX * TL_BATCH_CHUNK_SIZE];
	TlWriter	writer;

	if (dialogue->batch_count == THINGS_MAX || number == NULL)
		fail("no batch, or too many of them: %s", line->words[at]);
	strncpy(batch->name, line->words[at], NAME_SIZE - 1);
	header.batch = strtoull(number + 1, NULL, 10);
	header.attempt = (strchr(number, '\'') != NULL);
	if (batch->name[1] == '+')
		header.incarnation = (uint16_t) atoi(batch->name + 2);
	if (header.batch > 1)
		snprintf(batch->before, NAME_SIZE, "%.*s:%d",
				 (int) (number - line->words[at]), line->words[at],
				 (int) header.batch - 1);
	if (after != NULL)
		strncpy(batch->before, after, NAME_SIZE - 1);
	if (batch->before[0] != '\0')
		header.previous = dialogue_find_batch(dialogue, batch->before)->lane.digest;
	header.chunk_count = (size != NULL) ? (uint32_t) atoi(size) :
		line_has(line, "without");
	header.chunks = put_chunks(header.chunk_count, (size != NULL) ? CHUNK_SIZE : SMALL_SIZE);
	tl_writer_init(&writer, bytes, sizeof(bytes));
	if (tl_chain_batch_encode(&writer, &header) != TL_OK)
		fail("no batch: %s", batch->name);
	batch->lane.member = member;
	batch->lane.incarnation = header.incarnation;
	batch->lane.batch = header.batch;
	tl_chain_batch_digest(&batch->lane.digest, bytes, writer.size);
	return dialogue_keep(bytes, writer.size);
}

/* So many bodies. */
static TlSpan
put_chunks(uint32_t count, uint32_t size)
{
	uint8_t		bytes[CHUNKS_MAX * TL_BATCH_CHUNK_SIZE];
	TlBatchChunk chunk = {.size = size};
	TlWriter	writer;

	if (count > CHUNKS_MAX)
		fail("too large");
	tl_writer_init(&writer, bytes, sizeof(bytes));
	for (uint32_t i = 0; i < count; i++)
		tl_chain_batch_put_chunk(&writer, &chunk);
	return dialogue_keep(bytes, writer.size);
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

/* ack BATCH... [final BLOCK] [instance N [replaces N]] */
static TlSpan
ack(Dialogue *dialogue, const Line *line)
{
	const char *final = line_after(line, "final");
	const char *instance = line_after(line, "instance");
	const char *replaced = line_after(line, "replaces");
	TlConsensusBlock cut;
	uint8_t		lanes[TL_MEMBER_COUNT_MAX * TL_BLOCK_LANE_SIZE];
	uint8_t		bytes[TL_ACK_SIZE_MAX];
	unsigned	at = 1;
	TlAck		out;
	TlWriter	writer;

	memset(&out, 0, sizeof(out));
	memset(&cut, 0, sizeof(cut));
	dialogue_cut(dialogue, line, &at, &cut);
	tl_writer_init(&writer, lanes, sizeof(lanes));
	if (tl_chain_cut_encode(&writer, cut.cut, cut.lane_count) != TL_OK)
		fail("no cut");
	out.lanes.data = lanes;
	out.lanes.size = writer.size;
	if (final != NULL)
	{
		out.final_height = dialogue_block(dialogue, final)->block.header.height;
		out.final_block = dialogue_block(dialogue, final)->block.hash;
	}
	if (instance != NULL)
		out.instance[0] = (uint8_t) atoi(instance);
	if (replaced != NULL)
		out.replaced[0] = (uint8_t) atoi(replaced);
	tl_writer_init(&writer, bytes, sizeof(bytes));
	if (tl_consensus_ack_encode(&writer, &out) != TL_OK)
		fail("no ack");
	return dialogue_keep(bytes, writer.size);
}

/* notarize BLOCK, finalize BLOCK, nullify VIEW */
static TlSpan
vote(Dialogue *dialogue, const Line *line, TlLogRow *row)
{
	const TlConsensusBlock *block;

	if (row->kind == TL_LOG_NULLIFY)
	{
		row->view = strtoull(line->words[2], NULL, 10);
		return row->payload;
	}
	block = &dialogue_block(dialogue, line->words[2])->block;
	row->view = block->header.view;
	return dialogue_keep(block->hash.bytes, TL_HASH_SIZE);
}

/* cert notarize|finalize BLOCK VOTERS, cert nullify VIEW VOTERS */
static TlSpan
cert(Dialogue *dialogue, const Line *line)
{
	TlCertificate out;
	const TlConsensusBlock *block;

	memset(&out, 0, sizeof(out));
	out.kind = vote_kind(line->words[2]);
	if (out.kind == TL_LOG_NULLIFY)
		out.view = strtoull(line->words[3], NULL, 10);
	else
	{
		block = &dialogue_block(dialogue, line->words[3])->block;
		out.view = block->header.view;
		out.block = block->hash;
	}
	return dialogue_certificate(dialogue, &out, line->words[4]);
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

/* state BLOCK STATE */
static TlSpan
state(Dialogue *dialogue, const Line *line, TlLogRow *row)
{
	const TlConsensusBlock *block = &dialogue_block(dialogue, line->words[2])->block;
	uint8_t		bytes[TL_STATE_SIZE];
	TlState		out;
	TlWriter	writer;

	row->view = block->header.view;
	dialogue_state(&out, block, line->words[3]);
	tl_writer_init(&writer, bytes, sizeof(bytes));
	if (tl_consensus_state_encode(&writer, &out) != TL_OK)
		fail("no state");
	return dialogue_keep(bytes, writer.size);
}

/* The root of a state of that name shows the name. */
void
dialogue_state(TlState *out, const TlConsensusBlock *block, const char *name)
{
	memset(out, 0, sizeof(*out));
	out->height = block->header.height;
	out->block = block->hash;
	strncpy((char *) out->state_root.bytes, name, NAME_SIZE - 1);
}

/*
 * Of out the kind, the view and what was voted for are given.  Voters are
 * letters; a small one stands for a signature that is not valid.  Twice the same
 * one after the other: that vote stands there twice.
 */
TlSpan
dialogue_certificate(Dialogue *dialogue, TlCertificate *out, const char *voters)
{
	uint8_t		votes[TL_MEMBER_COUNT_MAX * TL_CERTIFICATE_VOTE_SIZE];
	uint8_t		bytes[sizeof(votes) + TL_CERTIFICATE_SIZE_FIXED + 72];
	uint8_t		payload[TL_CERTIFICATE_PAYLOAD_SIZE_MAX];
	TlWriter	writer;
	TlStatus	status;
	bool		repeated = false;

	out->epoch = dialogue->config.epoch;
	tl_writer_init(&writer, votes, sizeof(votes));
	for (; *voters != '\0'; voters++)
	{
		bool		forged = (*voters >= 'a');
		uint32_t	member = (uint32_t) (*voters - (forged ? 'a' : 'A') + 1);
		TlVote		voted = {.member = member, .sequence = 1000 + out->view,
		.previous = {{1}}};
		TlLogRow	row;
		TlHash		digest;

		voted.nonce[0] = dialogue->authors[member - 1].nonce;
		if (tl_consensus_certificate_vote_row(&row, out, &voted, payload) != TL_OK)
			fail("no vote");
		tl_consensus_row_digest(&digest, &dialogue->config.chain_id, &row);
		dialogue_stamp(&digest, dialogue_member(dialogue, member)->row_key,
					   voted.signature);
		voted.signature[0] ^= forged;
		tl_consensus_certificate_put_vote(&writer, &voted);
		out->vote_count++;
		repeated |= (voters[0] == voters[1]);
	}
	out->votes.data = votes;
	out->votes.size = writer.size;
	tl_writer_init(&writer, bytes, sizeof(bytes));
	if (repeated)
	{
		/* No encoder writes it: the one of a single vote, and all votes after that. */
		uint16_t	count = out->vote_count;

		out->vote_count = 1;
		out->votes.size = TL_CERTIFICATE_VOTE_SIZE;
		status = tl_consensus_certificate_encode(&writer, out);
		out->vote_count = count;
		out->votes.size = count * TL_CERTIFICATE_VOTE_SIZE;
		writer.size -= TL_CERTIFICATE_VOTE_SIZE;
		bytes[writer.size - 1] = (uint8_t) count;
		tl_put_bytes(&writer, votes, out->votes.size);
	}
	else
		status = tl_consensus_certificate_encode(&writer, out);
	if (status != TL_OK)
		fail("no certificate");
	return dialogue_keep(bytes, writer.size);
}
