/*-------------------------------------------------------------------------
 *
 * dialogue_memory.c
 *	  Disks that forget, what the others then say, and new cores.
 *
 *-------------------------------------------------------------------------
 */
#include "dialogue.h"

#include "consensus_epoch.h"
#include "consensus_offer.h"
#include "consensus_reply.h"
#include "crypto_hash.h"

#include <stdlib.h>
#include <string.h>

static TlSpan encode_reply(Dialogue *dialogue, uint32_t member, TlReply *reply,
						   const Line *line, uint64_t *view);
static TlSpan certify(Dialogue *dialogue, uint64_t view);
static void put_reply(Dialogue *dialogue, TlWriter *writer, uint32_t member,
					  uint32_t asker, uint8_t nonce, const Line *line);
static void sign_outside(Dialogue *dialogue, TlLogRow *row, uint8_t nonce);
static unsigned newest(const Dialogue *dialogue, const char *kind);
static void lose(Dialogue *dialogue, const char *kind);
static bool is_member(const Dialogue *dialogue, uint32_t number);
static void read_again(Dialogue *dialogue);
static char leader(const TlConsensusConfig *config, uint64_t view);

/*
 * MEMBER saw nothing, MEMBER saw KIND: the newest row of that kind that the
 * core's member has signed, whether or not its disk still has it.
 */
void
dialogue_saw(Dialogue *dialogue, const Line *line)
{
	TlInput		input = {.kind = TL_INPUT_LAST_SEEN};
	Author	   *author;

	input.member = line_member(dialogue, line->words[0]);
	author = &dialogue->authors[input.member - 1];
	author->saw = 0;
	if (line->count < 3)
		fail("saw what?");
	if (strcmp(line->words[2], "nothing") != 0)
	{
		const NamedRow *named;

		author->saw = newest(dialogue, line->words[2]) + 1;
		named = &dialogue->rows[author->saw - 1];
		input.row = named->row;
		input.held = (named->place != ROW_LOST);
	}
	(void) dialogue_give(dialogue, &input);
}

/* MEMBER requests NONCE [before NONCE] [ticket N] */
void
dialogue_request(Dialogue *dialogue, const Line *line)
{
	TlInput		input = {.kind = TL_INPUT_REQUEST};
	uint32_t	member = line_member(dialogue, line->words[0]);
	const Author *author = &dialogue->authors[member - 1];
	const char *before = line_after(line, "before");
	const char *ticket = line_after(line, "ticket");
	TlRequest	request = {.before = {author->nonce}, .ticket = author->replies};
	uint8_t		bytes[TL_REQUEST_SIZE];
	TlWriter	writer;

	if (line->count < 3)
		fail("requests NONCE");
	if (before != NULL)
		request.before[0] = (uint8_t) atoi(before);
	if (ticket != NULL)
		request.ticket = (uint32_t) atoi(ticket);
	tl_writer_init(&writer, bytes, sizeof(bytes));
	if (tl_consensus_request_encode(&writer, &request) != TL_OK)
		fail("no request");
	input.row.member = member;
	input.row.kind = TL_LOG_REQUEST;
	input.row.payload = dialogue_keep(bytes, writer.size);
	sign_outside(dialogue, &input.row, (uint8_t) atoi(line->words[2]));
	(void) dialogue_give(dialogue, &input);
}

/* MEMBER replies [in view N] [height N] [changing] [unproved] [to NONCE] */
void
dialogue_reply(Dialogue *dialogue, const Line *line)
{
	TlInput		input = {.kind = TL_INPUT_REPLY};
	const char *to = line_after(line, "to");
	TlReply		reply = {.asker = dialogue->config.member,
	.request = {to != NULL ? (uint8_t) atoi(to) : dialogue->rejoin}};

	input.row.member = line_member(dialogue, line->words[0]);
	input.row.kind = TL_LOG_REPLY;
	input.row.payload = encode_reply(dialogue, input.row.member, &reply, line,
									 &input.row.view);
	sign_outside(dialogue, &input.row,
				 dialogue->authors[input.row.member - 1].nonce);
	if (tl_consensus_judge(dialogue->core, &input.row, dialogue_check, NULL,
						   &input.certificates_valid) != TL_OK)
		fail("no reply");
	(void) dialogue_give(dialogue, &input);
}

static TlSpan
encode_reply(Dialogue *dialogue, uint32_t member, TlReply *reply,
			 const Line *line, uint64_t *view)
{
	const char *in_view = line_after(line, "in");
	const char *height = line_after(line, "height");
	unsigned	saw = dialogue->authors[member - 1].saw;
	uint8_t		bytes[4096];
	TlWriter	writer;

	*view = dialogue->config.founding_view + 1;
	if (in_view != NULL)
		*view = strtoull(line_after(line, "view"), NULL, 10);
	if (*view > dialogue->config.founding_view + 1 && !line_has(line, "unproved"))
	{
		reply->reason = TL_REPLY_CERTIFIED;
		reply->certificate = certify(dialogue, *view - 1);
	}
	if (height != NULL)
		reply->final_height = strtoull(height, NULL, 10);
	reply->changing = line_has(line, "changing");
	if (saw > 0 && reply->asker == dialogue->config.member)
	{
		reply->seen = true;
		tl_consensus_evidence_row(&reply->last, &dialogue->rows[saw - 1].row);
	}
	tl_writer_init(&writer, bytes, sizeof(bytes));
	if (tl_consensus_reply_encode(&writer, reply) != TL_OK)
		fail("no reply");
	return dialogue_keep(bytes, writer.size);
}

/* That q have nullified that view. */
static TlSpan
certify(Dialogue *dialogue, uint64_t view)
{
	TlCertificate out = {.kind = TL_LOG_NULLIFY, .view = view};
	char		voters[TL_MEMBER_COUNT_MAX + 1] = "";
	unsigned	quorum = tl_consensus_quorum(dialogue->config.member_count, 3);

	for (unsigned i = 0; i < quorum; i++)
		voters[i] = (char) ('A' + i);
	return dialogue_certificate(dialogue, &out, voters);
}

/*
 * MEMBER rejoins NONCE view N by REPLIERS [in-view N]: in which they say they
 * are; the first view if nothing is said.
 */
TlSpan
dialogue_rejoin(Dialogue *dialogue, uint32_t member, const Line *line,
				uint64_t *view)
{
	Author	   *author = &dialogue->authors[member - 1];
	TlRejoin	rejoin = {.cause = TL_REJOIN_ROLLED_BACK,
		.nonce_before = {author->nonce}, .sequence = author->sequence,
	.digest = author->previous};
	const char *repliers = line_after(line, "by");
	const char *in_view = line_after(line, "in-view");
	Line		said = {.count = 1, .words = {"", "in", "view", (char *) in_view}};
	uint8_t		list[16384];
	uint8_t		bytes[20000];
	TlWriter	writer;

	if (repliers == NULL || line_after(line, "view") == NULL)
		fail("rejoins NONCE view N by REPLIERS");
	if (in_view != NULL)
		said.count = 4;
	*view = strtoull(line_after(line, "view"), NULL, 10);
	rejoin.nonce[0] = (uint8_t) atoi(line->words[2]);
	tl_writer_init(&writer, list, sizeof(list));
	for (; *repliers != '\0'; repliers++)
	{
		put_reply(dialogue, &writer, (uint32_t) (*repliers - 'A' + 1), member,
				  rejoin.nonce[0], &said);
		rejoin.reply_count++;
	}
	rejoin.replies = (TlSpan) {list, writer.size};
	tl_writer_init(&writer, bytes, sizeof(bytes));
	if (tl_consensus_rejoin_encode(&writer, &rejoin) != TL_OK)
		fail("no REJOIN");
	author->nonce = rejoin.nonce[0];
	author->sequence = 0;
	author->incarnation++;
	return dialogue_keep(bytes, writer.size);
}

static void
put_reply(Dialogue *dialogue, TlWriter *writer, uint32_t member, uint32_t asker,
		  uint8_t nonce, const Line *line)
{
	TlReply		reply = {.asker = asker, .request = {nonce}};
	TlLogRow	row = {.member = member, .kind = TL_LOG_REPLY};

	row.payload = encode_reply(dialogue, member, &reply, line, &row.view);
	sign_outside(dialogue, &row, dialogue->authors[member - 1].nonce);
	tl_put_u32(writer, (uint32_t) (TL_LOG_ROW_SIZE_FIXED + row.payload.size));
	if (tl_consensus_row_encode(writer, &row) != TL_OK)
		fail("no room for a reply");
}

/* A row that is no part of its author's log. */
static void
sign_outside(Dialogue *dialogue, TlLogRow *row, uint8_t nonce)
{
	TlHash		digest;

	row->nonce[0] = nonce;
	row->epoch = dialogue->config.epoch;
	tl_consensus_row_digest(&digest, &dialogue->config.chain_id, row);
	dialogue_stamp(&digest, dialogue_member(dialogue, row->member)->row_key,
				   row->signature);
}

/* The place of the newest own row of that kind. */
static unsigned
newest(const Dialogue *dialogue, const char *kind)
{
	for (unsigned i = dialogue->row_count; i-- > 0;)
	{
		const NamedRow *named = &dialogue->rows[i];

		if (named->row.member == dialogue->config.member &&
			strcmp(dialogue_kind_name(named->row.kind), kind) == 0)
			return i;
	}
	fail("no own %s", kind);
}

/* The caller asks the core to open another incarnation. */
void
dialogue_open_incarnation(Dialogue *dialogue)
{
	TlInput		input = {.kind = TL_INPUT_REJOIN,
	.rejoin = {.cause = TL_REJOIN_ROLLED_BACK, .nonce = {dialogue->rejoin}}};

	(void) dialogue_give(dialogue, &input);
}

/* restart [fresh] [without KIND]: own rows from the newest of that kind on go. */
void
dialogue_restart(Dialogue *dialogue, const Line *line)
{
	TlInput		input = {.kind = TL_INPUT_START, .fresh = line_has(line, "fresh")};

	if (line_after(line, "without") != NULL)
		lose(dialogue, line_after(line, "without"));
	dialogue_open(dialogue);
	read_again(dialogue);
	(void) dialogue_give(dialogue, &input);
}

/* takes BLOCK by VOTERS: final blocks of somebody else, and a new core on the last. */
void
dialogue_takes(Dialogue *dialogue, const Line *line)
{
	const TlConsensusBlock *block = &dialogue_block(dialogue, line->words[1])->block;
	TlCertificate certificate = {.kind = TL_LOG_FINALIZE, .view = block->header.view,
	.block = block->hash};

	dialogue->config.base = *block;
	dialogue->config.certificate = dialogue_certificate(dialogue, &certificate,
														line_after(line, "by"));
	dialogue_restart(dialogue, line);
}

/* MEMBER tells BLOCK by VOTERS: that is his last final block. */
void
dialogue_tells(Dialogue *dialogue, const Line *line)
{
	const TlConsensusBlock *block = &dialogue_block(dialogue, line->words[2])->block;
	TlCertificate certificate = {.kind = TL_LOG_FINALIZE, .view = block->header.view,
	.block = block->hash};
	TlInput		input = {.kind = TL_INPUT_TIP, .member = line_member(dialogue, line->words[0])};

	input.payload = dialogue_certificate(dialogue, &certificate, line_after(line, "by"));
	input.certificates_valid = tl_consensus_judge_tip(dialogue->core, input.payload,
													  dialogue_check, NULL);
	(void) dialogue_give(dialogue, &input);
}

/* MEMBER shows BLOCK... by VOTERS: final blocks that he keeps, the last with its certificate. */
void
dialogue_shows(Dialogue *dialogue, const Line *line)
{
	TlInput		input = {.kind = TL_INPUT_OFFER, .member = line_member(dialogue, line->words[0])};
	TlCertificate certificate = {.kind = TL_LOG_FINALIZE};
	TlOffer		offer = {.count = 0};
	uint8_t		bytes[8192];
	TlWriter	writer;

	for (unsigned i = 2; i < line->count && strcmp(line->words[i], "by") != 0; i++)
	{
		const TlConsensusBlock *block = &dialogue_block(dialogue, line->words[i])->block;
		TlOfferedBlock *out = &offer.blocks[offer.count++];

		tl_writer_init(&writer, bytes, sizeof(bytes));
		(void) tl_chain_block_encode(&writer, &block->header);
		out->header = dialogue_keep(bytes, writer.size);
		tl_writer_init(&writer, bytes, sizeof(bytes));
		(void) tl_chain_cut_encode(&writer, block->cut, block->lane_count);
		out->cut = dialogue_keep(bytes, writer.size);
		tl_writer_init(&writer, bytes, sizeof(bytes));
		(void) tl_chain_entries_encode(&writer, block->entries, block->entry_count);
		out->entries = dialogue_keep(bytes, writer.size);
		certificate.view = block->header.view;
		certificate.block = block->hash;
	}
	offer.blocks[offer.count - 1].certificate = dialogue_certificate(dialogue, &certificate,
																	 line_after(line, "by"));
	tl_writer_init(&writer, bytes, sizeof(bytes));
	if (tl_consensus_offer_encode(&writer, &offer) != TL_OK)
		fail("too many blocks to show");
	input.payload = dialogue_keep(bytes, writer.size);
	input.certificates_valid = tl_consensus_judge_offer(dialogue->core, input.payload,
														dialogue_check, NULL) == TL_OK;
	(void) dialogue_give(dialogue, &input);
}

/* An own row that the disk had forgotten comes back from somebody who has it. */
void
dialogue_returned(Dialogue *dialogue, const Line *line)
{
	NamedRow   *named = &dialogue->rows[newest(dialogue, line->words[1])];
	Author	   *own = &dialogue->authors[dialogue->config.member - 1];

	own->sequence = named->row.sequence;
	own->previous = named->digest;
	dialogue_give_row(dialogue, named);
}

static void
lose(Dialogue *dialogue, const char *kind)
{
	Author	   *own = &dialogue->authors[dialogue->config.member - 1];
	unsigned	first = newest(dialogue, kind);

	memset(own, 0, sizeof(*own));
	for (unsigned i = 0; i < dialogue->row_count; i++)
	{
		NamedRow   *named = &dialogue->rows[i];

		if (named->row.member != dialogue->config.member)
			continue;
		if (i >= first || named->place == ROW_LOST)
		{
			named->place = ROW_LOST;
			continue;
		}
		own->incarnation += (named->row.kind == TL_LOG_REJOIN);
		own->approvals += (named->row.kind == TL_LOG_GOVERN);
		own->nonce = named->row.nonce[0];
		own->sequence = named->row.sequence;
		own->previous = named->digest;
	}
}

/* What the disk has: rows, bodies, replies, and the wish to rejoin. */
static void
read_again(Dialogue *dialogue)
{
	unsigned	count = dialogue->row_count;

	for (unsigned i = 0; i < count; i++)
	{
		NamedRow   *named = &dialogue->rows[i];

		/* What is there of those who left is not read any more. */
		if ((named->place == ROW_STORED || named->place == ROW_LOOSE) &&
			is_member(dialogue, named->row.member))
			dialogue_give_row(dialogue, named);
	}
	for (unsigned i = 0; i < dialogue->batch_count; i++)
	{
		TlInput		input = {.kind = TL_INPUT_HELD, .lane = dialogue->batches[i].lane};

		if (dialogue->batches[i].held)
			(void) dialogue_give(dialogue, &input);
	}
	for (unsigned i = 0; i < dialogue->reply_count; i++)
	{
		TlInput		input = {.kind = TL_INPUT_REPLIED, .row = dialogue->replies[i]};

		(void) dialogue_give(dialogue, &input);
	}
	if (dialogue->rejoin != 0)
		dialogue_open_incarnation(dialogue);
}

static bool
is_member(const Dialogue *dialogue, uint32_t number)
{
	char		letter[2] = {(char) ('A' + number - 1), 0};

	return line_member(dialogue, letter) == number;
}

/* The validators lead in the order of the hash of founding block and key. */
static char
leader(const TlConsensusConfig *config, uint64_t view)
{
	TlHash		hashes[TL_MEMBER_COUNT_MAX];
	unsigned	validators = 0;

	for (unsigned i = 0; i < config->member_count; i++)
	{
		TlSha256	state;

		tl_crypto_sha256_init(&state);
		tl_crypto_sha256_update(&state, config->founding.bytes, TL_HASH_SIZE);
		tl_crypto_sha256_update(&state, config->members[i].row_key,
								TL_XONLY_KEY_SIZE);
		tl_crypto_sha256_final(&state, &hashes[i]);
		validators += config->members[i].validator;
	}
	for (unsigned i = 0; i < config->member_count; i++)
	{
		unsigned	before = 0;

		for (unsigned j = 0; j < config->member_count; j++)
			before += (config->members[j].validator &&
					   memcmp(hashes[j].bytes, hashes[i].bytes, TL_HASH_SIZE) < 0);
		if (config->members[i].validator && before == view % validators)
			return (char) ('A' + config->members[i].number - 1);
	}
	return '?';
}

/* The core of the epoch that the last block founds, on what is stored. */
void
dialogue_next_epoch(Dialogue *dialogue)
{
	TlConsensusConfig *config = &dialogue->config;
	TlConsensusBlock founding = config->base;
	TlStanding	standing = config->standing;
	TlInput		input = {.kind = TL_INPUT_START};
	TlGovern	govern;

	for (unsigned i = 0; i < dialogue->row_count; i++)
	{
		const TlLogRow *row = &dialogue->rows[i].row;

		if (memcmp(dialogue->rows[i].digest.bytes, dialogue->change_row.bytes,
				   TL_HASH_SIZE) != 0)
			continue;
		if (tl_consensus_govern_decode(&govern, row->payload.data,
									   row->payload.size) != TL_OK ||
			tl_consensus_epoch_next(config, &founding, &standing,
									govern.motion) != TL_OK)
			fail("the epoch cannot begin");
		for (unsigned j = 0; j < TL_MEMBER_COUNT_MAX; j++)
			dialogue->authors[j].approvals = 0;
		printf("    epoch %d, of", (int) config->epoch);
		for (unsigned j = 0; j < config->member_count; j++)
			printf(" %c", 'A' + (int) config->members[j].number - 1);
		for (uint64_t view = config->founding_view + 1;
			 view <= config->founding_view + 3; view++)
			printf("; %c leads view %d", leader(config, view), (int) view);
		printf("\n");
		dialogue_open(dialogue);
		read_again(dialogue);
		(void) dialogue_give(dialogue, &input);
		return;
	}
	fail("the epoch has not ended");
}
