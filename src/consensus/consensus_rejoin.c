/*-------------------------------------------------------------------------
 *
 * consensus_rejoin.c
 *	  Payload of REJOIN: a member goes on after it has lost memory.
 *
 * A database that was restored does not know what its member signed after the
 * state that it has.  Its next row opens a new incarnation and says so: what it
 * knows, what is known to be lost, and why somebody let it go on.
 *
 *		offset	size	field
 *		0		1		format, 1, or 2 with replies of other members
 *		1		1		cause: 1 copied, 2 rolled back
 *		2		2		incarnation that begins
 *		4		16		its nonce
 *		20		2		incarnation that ends
 *		22		16		its nonce
 *		38		8		sequence of its last log row that is known here
 *		46		32		digest of that row
 *		78		8		height of the last block that is known here
 *		86		8		its view
 *		94		32		its hash
 *		126		8		height of the last block that is known to be lost, or 0
 *		134		8		its view
 *		142		32		its hash
 *		174		2		incarnation that signed it
 *		176		4		problems that were found, and accepted
 *		180		8		rows with older refs that were in no batch yet
 *		188		32		root over the replies of other members: of nothing, in
 *						a ledger of one member
 *		220		4		size n of the reason
 *		224		n		the reason, UTF-8
 *	format 2 only, with several members:
 *		224 + n	2		reply count, from 1
 *		226 + n			per reply: size u32, REPLY row (consensus_reply.c)
 *
 * Invariants
 *	  J1  an incarnation's number is greater than that of the one before
 *	  J2  what is not known to be lost is zeros
 *	  J3  (node_rejoin.c, consensus_recover.c) the row takes a view at least two
 *		  beyond all that its author may have voted in
 *	  J4  with replies, both numbers are 0: the block that orders the row gives
 *		  them; without a row of the author that anybody has, sequence and
 *		  digest are zeros
 *	  J5  the root stands over the replies, each whole row a leaf
 *	  J6  replies ascend by member; none is the author's, all answer this nonce
 *
 * Pure code: no PostgreSQL, no allocation.
 *
 *-------------------------------------------------------------------------
 */
#include "consensus_rejoin.h"

#include "consensus_reply.h"
#include "merkle_hash.h"
#include "merkle_range.h"

#include <string.h>

#define REJOIN_FORMAT			1
#define REJOIN_FORMAT_REPLIES	2

static void put_block(TlWriter *writer, const TlRejoinBlock *block);
static void get_block(TlReader *reader, TlRejoinBlock *block);
static TlStatus check_rejoin(const TlRejoin *rejoin);
static TlStatus check_replies(const TlRejoin *rejoin);
static void replies_root(TlHash *out, const TlRejoin *rejoin);

TlStatus
tl_consensus_rejoin_encode(TlWriter *writer, const TlRejoin *rejoin)
{
	TlStatus	status = check_rejoin(rejoin);
	TlHash		root;

	if (status != TL_OK)
		return status;
	replies_root(&root, rejoin);
	tl_put_u8(writer, (rejoin->reply_count > 0) ?
			  REJOIN_FORMAT_REPLIES : REJOIN_FORMAT);
	tl_put_u8(writer, rejoin->cause);
	tl_put_u16(writer, rejoin->incarnation);
	tl_put_bytes(writer, rejoin->nonce, TL_NONCE_SIZE);
	tl_put_u16(writer, rejoin->before);
	tl_put_bytes(writer, rejoin->nonce_before, TL_NONCE_SIZE);
	tl_put_u64(writer, rejoin->sequence);
	tl_put_hash(writer, &rejoin->digest);
	put_block(writer, &rejoin->last);
	put_block(writer, &rejoin->lost);
	tl_put_u16(writer, rejoin->lost_incarnation);
	tl_put_u32(writer, rejoin->problem_count);
	tl_put_u64(writer, rejoin->unbatched_rows);
	tl_put_hash(writer, &root);
	tl_put_u32(writer, (uint32_t) rejoin->reason.size);
	tl_put_bytes(writer, rejoin->reason.data, rejoin->reason.size);
	if (rejoin->reply_count > 0)
	{
		tl_put_u16(writer, rejoin->reply_count);
		tl_put_bytes(writer, rejoin->replies.data, rejoin->replies.size);
	}
	return tl_writer_finish(writer);
}

TlStatus
tl_consensus_rejoin_decode(TlRejoin *out, const void *data, size_t size)
{
	TlReader	reader;
	TlHash		root;
	TlHash		replies;
	uint8_t		format;
	TlStatus	status;

	memset(out, 0, sizeof(*out));
	if (size > TL_LOG_PAYLOAD_SIZE_MAX)
		return TL_TOO_LARGE;
	tl_reader_init(&reader, data, size);
	format = tl_get_u8(&reader);
	if (format != REJOIN_FORMAT && format != REJOIN_FORMAT_REPLIES)
		return reader.truncated ? TL_TRUNCATED : TL_BAD_VERSION;
	out->cause = tl_get_u8(&reader);
	out->incarnation = tl_get_u16(&reader);
	tl_get_bytes(&reader, out->nonce, TL_NONCE_SIZE);
	out->before = tl_get_u16(&reader);
	tl_get_bytes(&reader, out->nonce_before, TL_NONCE_SIZE);
	out->sequence = tl_get_u64(&reader);
	tl_get_hash(&reader, &out->digest);
	get_block(&reader, &out->last);
	get_block(&reader, &out->lost);
	out->lost_incarnation = tl_get_u16(&reader);
	out->problem_count = tl_get_u32(&reader);
	out->unbatched_rows = tl_get_u64(&reader);
	tl_get_hash(&reader, &replies);
	out->reason = tl_get_span(&reader, tl_get_u32(&reader));
	if (format == REJOIN_FORMAT_REPLIES)
	{
		out->reply_count = tl_get_u16(&reader);
		out->replies = tl_get_span(&reader, tl_reader_left(&reader));
	}
	status = tl_reader_finish(&reader);
	if (status != TL_OK)
		return status;
	if ((format == REJOIN_FORMAT_REPLIES) != (out->reply_count > 0))
		return TL_BAD_FORMAT;
	status = check_rejoin(out);
	if (status != TL_OK)
		return status;
	replies_root(&root, out);
	return memcmp(&replies, &root, sizeof(replies)) == 0 ? TL_OK : TL_BAD_FORMAT;
}

TlStatus
tl_consensus_rejoin_next_reply(TlLogRow *out, TlReader *reader)
{
	TlSpan		span = tl_get_span(reader, tl_get_u32(reader));

	if (reader->truncated)
		return TL_TRUNCATED;
	return tl_consensus_row_decode(out, span.data, span.size);
}

static void
put_block(TlWriter *writer, const TlRejoinBlock *block)
{
	tl_put_u64(writer, block->height);
	tl_put_u64(writer, block->view);
	tl_put_hash(writer, &block->hash);
}

static void
get_block(TlReader *reader, TlRejoinBlock *block)
{
	block->height = tl_get_u64(reader);
	block->view = tl_get_u64(reader);
	tl_get_hash(reader, &block->hash);
}

static TlStatus
check_rejoin(const TlRejoin *rejoin)
{
	static const TlRejoinBlock none;
	bool		lost = (memcmp(&rejoin->lost, &none, sizeof(none)) != 0);

	if (rejoin->cause != TL_REJOIN_COPIED &&
		rejoin->cause != TL_REJOIN_ROLLED_BACK)
		return TL_BAD_FORMAT;
	if (rejoin->reply_count > 0)
	{
		TlStatus	status = check_replies(rejoin);

		if (status != TL_OK)
			return status;
	}
	else if (rejoin->incarnation <= rejoin->before || rejoin->sequence == 0)
		return TL_BAD_FORMAT;
	if (!lost && rejoin->lost_incarnation != 0)
		return TL_BAD_FORMAT;
	if (rejoin->reason.size > TL_REJOIN_REASON_SIZE_MAX)
		return TL_TOO_LARGE;
	return TL_OK;
}

/* J4 and J6.  Whether they are signed is for the judge. */
static TlStatus
check_replies(const TlRejoin *rejoin)
{
	static const TlHash zeros;
	bool		no_digest = memcmp(&rejoin->digest, &zeros, sizeof(zeros)) == 0;
	TlReader	reader;
	uint32_t	before = 0;

	if (rejoin->incarnation != 0 || rejoin->before != 0 ||
		(rejoin->sequence == 0) != no_digest ||
		rejoin->reply_count > TL_REJOIN_REPLIES_MAX)
		return TL_BAD_FORMAT;
	tl_reader_init(&reader, rejoin->replies.data, rejoin->replies.size);
	for (unsigned i = 0; i < rejoin->reply_count; i++)
	{
		TlLogRow	row;
		TlReply		reply;
		TlStatus	status = tl_consensus_rejoin_next_reply(&row, &reader);

		if (status != TL_OK)
			return status;
		if (row.kind != TL_LOG_REPLY || row.member <= before)
			return TL_BAD_ORDER;
		before = row.member;
		status = tl_consensus_reply_decode(&reply, row.payload.data,
										   row.payload.size);
		if (status != TL_OK)
			return status;
		if (memcmp(reply.request, rejoin->nonce, TL_NONCE_SIZE) != 0)
			return TL_BAD_FORMAT;
	}
	return tl_reader_finish(&reader);
}

/* J5 */
static void
replies_root(TlHash *out, const TlRejoin *rejoin)
{
	TlMerkleRange range;
	TlReader	reader;

	tl_merkle_range_init(&range);
	tl_reader_init(&reader, rejoin->replies.data, rejoin->replies.size);
	for (unsigned i = 0; i < rejoin->reply_count; i++)
	{
		TlSpan		span = tl_get_span(&reader, tl_get_u32(&reader));
		TlHash		leaf;

		tl_merkle_leaf_hash(&leaf, span.data, span.size);
		(void) tl_merkle_range_append(&range, &leaf);
	}
	tl_merkle_range_root(&range, out);
}
