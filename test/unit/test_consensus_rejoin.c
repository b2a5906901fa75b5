/*-------------------------------------------------------------------------
 *
 * test_consensus_rejoin.c
 *	  Payload of REJOIN: vectors, offsets, round trip, and what is refused.
 *
 *-------------------------------------------------------------------------
 */
#include "chain_block.h"
#include "consensus_rejoin.h"
#include "consensus_reply.h"

#include "unit.h"

#include <string.h>

static int	vectors_used;

static void
fill(TlRejoin *rejoin)
{
	static const char reason[] = "disk failed";

	memset(rejoin, 0, sizeof(*rejoin));
	rejoin->cause = TL_REJOIN_ROLLED_BACK;
	rejoin->incarnation = 3;
	memset(rejoin->nonce, 0xa1, TL_NONCE_SIZE);
	rejoin->before = 1;
	memset(rejoin->nonce_before, 0xb2, TL_NONCE_SIZE);
	rejoin->sequence = 41;
	memset(rejoin->digest.bytes, 0xc3, TL_HASH_SIZE);
	rejoin->last.height = 20;
	rejoin->last.view = 22;
	memset(rejoin->last.hash.bytes, 0xd4, TL_HASH_SIZE);
	rejoin->lost.height = 30;
	rejoin->lost.view = 35;
	memset(rejoin->lost.hash.bytes, 0xe5, TL_HASH_SIZE);
	rejoin->lost_incarnation = 2;
	rejoin->problem_count = 7;
	rejoin->unbatched_rows = 9;
	rejoin->reason.data = (const uint8_t *) reason;
	rejoin->reason.size = strlen(reason);
}

static TlStatus
encode(const TlRejoin *rejoin, uint8_t *bytes, size_t *size)
{
	TlWriter	writer;
	TlStatus	status;

	tl_writer_init(&writer, bytes, TL_REJOIN_SIZE_MAX);
	status = tl_consensus_rejoin_encode(&writer, rejoin);
	*size = writer.size;
	return status;
}

static void
check_refused(const TlRejoin *rejoin, TlStatus wanted)
{
	uint8_t		bytes[TL_REJOIN_SIZE_MAX];
	size_t		size;

	UNIT_CHECK(encode(rejoin, bytes, &size) == wanted);
}

static void
bytes_of_rejoin(void)
{
	uint8_t		bytes[TL_REJOIN_SIZE_MAX + 1];
	uint8_t		again[TL_REJOIN_SIZE_MAX];
	TlRejoin	rejoin;
	TlRejoin	back;
	size_t		size;
	size_t		again_size;

	fill(&rejoin);
	UNIT_CHECK(encode(&rejoin, bytes, &size) == TL_OK);
	UNIT_CHECK(size == TL_REJOIN_SIZE_FIXED + rejoin.reason.size);

	/* offsets are those of the table in consensus_rejoin.c */
	UNIT_CHECK(bytes[0] == 1 && bytes[1] == 2 && bytes[3] == 3);
	UNIT_CHECK(bytes[4] == 0xa1 && bytes[19] == 0xa1 && bytes[21] == 1);
	UNIT_CHECK(bytes[22] == 0xb2 && bytes[37] == 0xb2 && bytes[45] == 41);
	UNIT_CHECK(bytes[46] == 0xc3 && bytes[77] == 0xc3);
	UNIT_CHECK(bytes[85] == 20 && bytes[93] == 22 && bytes[94] == 0xd4);
	UNIT_CHECK(bytes[133] == 30 && bytes[141] == 35 && bytes[142] == 0xe5);
	UNIT_CHECK(bytes[175] == 2 && bytes[179] == 7 && bytes[187] == 9);
	UNIT_CHECK(bytes[223] == 11 && memcmp(bytes + 224, "disk failed", 11) == 0);

	UNIT_CHECK(tl_consensus_rejoin_decode(&back, bytes, size) == TL_OK);
	UNIT_CHECK(encode(&back, again, &again_size) == TL_OK);
	UNIT_CHECK(again_size == size && memcmp(bytes, again, size) == 0);
	for (size_t cut = 0; cut < size; cut++)
		UNIT_CHECK(tl_consensus_rejoin_decode(&back, bytes, cut) != TL_OK);
	UNIT_CHECK(tl_consensus_rejoin_decode(&back, bytes, size + 1) == TL_TRAILING_BYTES);
	bytes[0] = 3;
	UNIT_CHECK(tl_consensus_rejoin_decode(&back, bytes, size) == TL_BAD_VERSION);
	bytes[0] = 2;				/* which has replies */
	UNIT_CHECK(tl_consensus_rejoin_decode(&back, bytes, size) == TL_TRUNCATED);
	bytes[0] = 1;
	bytes[200] ^= 1;			/* replies, which one member cannot have */
	UNIT_CHECK(tl_consensus_rejoin_decode(&back, bytes, size) == TL_BAD_FORMAT);

}

static void
use_vector(const UnitRecord *record)
{
	uint8_t		bytes[TL_REJOIN_SIZE_MAX];
	uint8_t		again[TL_REJOIN_SIZE_MAX];
	uint8_t		nonce[TL_NONCE_SIZE];
	TlHash		digest;
	TlHash		wanted;
	TlHash		entry;
	TlRejoin	rejoin;
	size_t		size;
	size_t		again_size;

	if (strcmp(unit_text(record, "kind"), "rejoin") != 0)
		return;
	vectors_used++;
	size = unit_bytes(bytes, sizeof(bytes), record, "payload");
	UNIT_CHECK(tl_consensus_rejoin_decode(&rejoin, bytes, size) == TL_OK);
	UNIT_CHECK(encode(&rejoin, again, &again_size) == TL_OK);
	UNIT_CHECK(again_size == size && memcmp(bytes, again, size) == 0);
	unit_bytes(nonce, sizeof(nonce), record, "nonce");
	UNIT_CHECK(memcmp(rejoin.nonce, nonce, sizeof(nonce)) == 0);
	UNIT_CHECK(rejoin.incarnation == 3 && rejoin.before == 1 && rejoin.lost_incarnation == 2);
	unit_bytes(digest.bytes, sizeof(digest), record, "digest");
	unit_bytes(wanted.bytes, sizeof(wanted), record, "entries_root");
	tl_chain_entry_leaf_hash(&entry, TL_LOG_REJOIN, &digest);
	UNIT_CHECK(memcmp(&entry, &wanted, sizeof(entry)) == 0);
	tl_chain_entry_leaf_hash(&entry, TL_LOG_GOVERN, &digest);
	UNIT_CHECK(memcmp(&entry, &wanted, sizeof(entry)) != 0);
}

/* Encoded anew it is the same, and no shorter one is any. */
static void
use_other_vector(const UnitRecord *record)
{
	const char *kind = unit_text(record, "kind");
	uint8_t		bytes[4096];
	uint8_t		row_bytes[4096];
	uint8_t		again[4096];
	size_t		size;
	size_t		row_size;
	TlWriter	writer;
	TlLogRow	row;
	TlRequest	request;
	TlReply		reply;
	TlRejoin	rejoin;
	TlStatus	status;

	if (strcmp(kind, "request") != 0 && strcmp(kind, "reply") != 0 &&
		strcmp(kind, "rejoin_replies") != 0)
		return;
	vectors_used++;
	size = unit_bytes(bytes, sizeof(bytes), record, "payload");
	row_size = unit_bytes(row_bytes, sizeof(row_bytes), record, "row");
	UNIT_CHECK(tl_consensus_row_decode(&row, row_bytes, row_size) == TL_OK);
	UNIT_CHECK(row.payload.size == size &&
			   memcmp(row.payload.data, bytes, size) == 0);
	UNIT_CHECK((row.sequence == 0) == (row.kind != TL_LOG_REJOIN));
	tl_writer_init(&writer, again, sizeof(again));
	if (row.kind == TL_LOG_REQUEST)
	{
		UNIT_CHECK(tl_consensus_request_decode(&request, bytes, size) == TL_OK);
		status = tl_consensus_request_encode(&writer, &request);
	}
	else if (row.kind == TL_LOG_REPLY)
	{
		UNIT_CHECK(tl_consensus_reply_decode(&reply, bytes, size) == TL_OK);
		status = tl_consensus_reply_encode(&writer, &reply);
	}
	else
	{
		UNIT_CHECK(tl_consensus_rejoin_decode(&rejoin, bytes, size) == TL_OK);
		UNIT_CHECK(rejoin.reply_count == 2 && rejoin.incarnation == 0);
		status = tl_consensus_rejoin_encode(&writer, &rejoin);
	}
	UNIT_CHECK(status == TL_OK && writer.size == size &&
			   memcmp(again, bytes, size) == 0);
	for (size_t cut = 0; cut < size; cut++)
	{
		if (row.kind == TL_LOG_REQUEST)
			status = tl_consensus_request_decode(&request, bytes, cut);
		else if (row.kind == TL_LOG_REPLY)
			status = tl_consensus_reply_decode(&reply, bytes, cut);
		else
			status = tl_consensus_rejoin_decode(&rejoin, bytes, cut);
		UNIT_CHECK(status != TL_OK);
	}
}

static void
vectors(void)
{
	unit_vectors("chain.txt", use_vector);
	UNIT_CHECK(vectors_used == 1);
	unit_vectors("chain.txt", use_other_vector);
	UNIT_CHECK(vectors_used == 5);
}

static void
rejoins_that_are_none(void)
{
	static char long_reason[TL_REJOIN_REASON_SIZE_MAX + 1];
	TlRejoin	rejoin;

	fill(&rejoin);
	rejoin.cause = 3;
	check_refused(&rejoin, TL_BAD_FORMAT);
	fill(&rejoin);
	rejoin.incarnation = rejoin.before;	/* J1 */
	check_refused(&rejoin, TL_BAD_FORMAT);
	fill(&rejoin);
	rejoin.sequence = 0;
	check_refused(&rejoin, TL_BAD_FORMAT);
	fill(&rejoin);
	memset(&rejoin.lost, 0, sizeof(rejoin.lost));	/* J2 */
	check_refused(&rejoin, TL_BAD_FORMAT);
	rejoin.lost_incarnation = 0;
	check_refused(&rejoin, TL_OK);
	rejoin.reason.data = (const uint8_t *) long_reason;
	rejoin.reason.size = sizeof(long_reason);
	check_refused(&rejoin, TL_TOO_LARGE);
}

/* A row of a REPLY of that member to that nonce, after its size. */
static size_t
reply_row(uint8_t *bytes, size_t room, uint32_t member, uint8_t nonce)
{
	uint8_t		payload[TL_REPLY_SIZE_FIXED];
	TlReply		reply = {.asker = 3, .request = {nonce}};
	TlLogRow	row = {.member = member, .kind = TL_LOG_REPLY, .view = 1};
	TlWriter	writer;

	tl_writer_init(&writer, payload, sizeof(payload));
	UNIT_CHECK(tl_consensus_reply_encode(&writer, &reply) == TL_OK);
	row.payload = (TlSpan) {payload, writer.size};
	tl_writer_init(&writer, bytes, room);
	tl_put_u32(&writer, (uint32_t) (TL_LOG_ROW_SIZE_FIXED + row.payload.size));
	UNIT_CHECK(tl_consensus_row_encode(&writer, &row) == TL_OK);
	return writer.size;
}

/* J4 to J6 */
static void
replies_that_are_none(void)
{
	uint8_t		list[1024];
	uint8_t		bytes[2048];
	TlRejoin	rejoin = {.cause = TL_REJOIN_COPIED, .nonce = {7}, .reply_count = 2};
	TlRejoin	back;
	TlWriter	writer;
	size_t		one;
	size_t		size;

	one = reply_row(list, sizeof(list), 1, 7);
	size = one + reply_row(list + one, sizeof(list) - one, 2, 7);
	rejoin.replies = (TlSpan) {list, size};
	tl_writer_init(&writer, bytes, sizeof(bytes));
	UNIT_CHECK(tl_consensus_rejoin_encode(&writer, &rejoin) == TL_OK);
	bytes[188] ^= 1;			/* J5 */
	UNIT_CHECK(tl_consensus_rejoin_decode(&back, bytes, writer.size) == TL_BAD_FORMAT);
	bytes[188] ^= 1;
	bytes[0] = 1;
	UNIT_CHECK(tl_consensus_rejoin_decode(&back, bytes, writer.size) == TL_TRAILING_BYTES);

	rejoin.incarnation = 1;		/* J4 */
	UNIT_CHECK(tl_consensus_rejoin_encode(&writer, &rejoin) == TL_BAD_FORMAT);
	rejoin.incarnation = 0;
	rejoin.sequence = 1;
	UNIT_CHECK(tl_consensus_rejoin_encode(&writer, &rejoin) == TL_BAD_FORMAT);
	rejoin.sequence = 0;
	rejoin.reply_count = 1;		/* there are two */
	UNIT_CHECK(tl_consensus_rejoin_encode(&writer, &rejoin) == TL_TRAILING_BYTES);
	rejoin.reply_count = 2;
	(void) reply_row(list + one, sizeof(list) - one, 1, 7); /* J6 */
	UNIT_CHECK(tl_consensus_rejoin_encode(&writer, &rejoin) == TL_BAD_ORDER);
	(void) reply_row(list + one, sizeof(list) - one, 2, 8);
	UNIT_CHECK(tl_consensus_rejoin_encode(&writer, &rejoin) == TL_BAD_FORMAT);
}

/* What a REPLY cannot say. */
static void
refused_replies(void)
{
	TlSpan		proof = {(const uint8_t *) "x", 1};
	TlReply		replies[] = {
		{.asker = 0},
		{.asker = 1, .reason = 3},
		{.asker = 1, .reason = TL_REPLY_CERTIFIED},
		{.asker = 1, .reason = TL_REPLY_FIRST, .certificate = proof},
		{.asker = 1, .seen = true, .last = {.row = {.member = 2, .sequence = 1}}},
		{.asker = 1, .seen = true, .last = {.row = {.member = 1}}},
		{.asker = 1, .ticket = UINT32_MAX},
	};
	uint8_t		bytes[TL_REPLY_SIZE_FIXED + TL_EVIDENCE_ROW_SIZE + 1];
	TlReply		back;
	TlWriter	writer;

	for (unsigned i = 0; i < sizeof(replies) / sizeof(replies[0]); i++)
	{
		tl_writer_init(&writer, bytes, sizeof(bytes));
		UNIT_CHECK(tl_consensus_reply_encode(&writer, &replies[i]) == TL_BAD_FORMAT);
	}
	replies[0].asker = 1;
	tl_writer_init(&writer, bytes, sizeof(bytes));
	UNIT_CHECK(tl_consensus_reply_encode(&writer, &replies[0]) == TL_OK);
	UNIT_CHECK(tl_consensus_reply_decode(&back, bytes, writer.size) == TL_OK);
	UNIT_CHECK(tl_consensus_reply_decode(&back, bytes, writer.size + 1) == TL_TRAILING_BYTES);
	bytes[33] = 2;				/* neither changes nor not */
	UNIT_CHECK(tl_consensus_reply_decode(&back, bytes, writer.size) == TL_BAD_FORMAT);
	bytes[33] = 0;
	bytes[0] = 2;
	UNIT_CHECK(tl_consensus_reply_decode(&back, bytes, writer.size) == TL_BAD_VERSION);
}

UNIT_MAIN(UNIT_CASE(vectors), UNIT_CASE(bytes_of_rejoin), UNIT_CASE(rejoins_that_are_none),
		  UNIT_CASE(replies_that_are_none), UNIT_CASE(refused_replies))
