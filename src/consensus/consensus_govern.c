/*-------------------------------------------------------------------------
 *
 * consensus_govern.c
 *	  What members decide about their ledger: motions, and approvals of them.
 *
 * Payload of GOVERN, integers big-endian:
 *
 *		offset	size	field
 *		0		1		format, 1
 *		1		4		number of the approval, from 1: one more than that of the
 *						same member's approval before it in this epoch
 *		5		64		approval: BIP-340 by the member's governance key
 *		69		4 + n	motion
 *
 * Motion:
 *
 *		0		1		format, 1
 *		1		1		kind: 1 change, 2 deploy, 3 skip
 *		2		8		epoch in which it may be decided
 *		10		2 + n	text, UTF-8, at most 4,096 bytes
 *	change:
 *				1		quorum of three validators, 2 or 3
 *				4		clock drift allowed to a block's time, ms
 *				4		checkpoint interval, blocks, 0: none
 *				2		protocol version
 *				1		number of removed members r
 *				4 * r	their numbers, ascending
 *				1		number of leaves that are set
 *				...		per leaf, ascending by number: size u16, member leaf
 *	deploy, skip:
 *				32		digest of what it is about
 *
 * motion digest   = Hash("telco_ledger/1/motion" || motion)
 * approval digest = Hash("telco_ledger/1/govern" || chain id || member ||
 *					 epoch || number || motion digest)
 *
 * No kind of a row is the letter m or g, so these tags meet no other.
 *
 * Invariants
 *	  G1  one motion has one encoding
 *	  G2  an approval is worth nothing in another epoch, on another chain or
 *		  from another member
 *
 * Pure code: no PostgreSQL, no allocation.
 * Used by the core, and by whoever writes motions.
 *
 *-------------------------------------------------------------------------
 */
#include "consensus_govern.h"

#include "crypto_hash.h"

#include <string.h>

#define GOVERN_FORMAT	1
#define MOTION_FORMAT	1
#define MOTION_TAG		"telco_ledger/1/motion"
#define APPROVAL_TAG	"telco_ledger/1/govern"

static TlStatus check_motion(const TlMotion *motion);
static TlStatus check_change(const TlMotion *motion);
static void put_change(TlWriter *writer, const TlMotion *motion);
static void get_change(TlReader *reader, TlMotion *motion);

TlStatus
tl_consensus_motion_encode(TlWriter *writer, const TlMotion *motion)
{
	TlStatus	status = check_motion(motion);

	if (status != TL_OK)
		return status;
	tl_put_u8(writer, MOTION_FORMAT);
	tl_put_u8(writer, motion->kind);
	tl_put_u64(writer, motion->epoch);
	tl_put_u16(writer, (uint16_t) motion->text.size);
	tl_put_bytes(writer, motion->text.data, motion->text.size);
	if (motion->kind == TL_MOTION_CHANGE)
		put_change(writer, motion);
	else
		tl_put_hash(writer, &motion->subject);
	return tl_writer_finish(writer);
}

TlStatus
tl_consensus_motion_decode(TlMotion *out, const void *data, size_t size)
{
	TlReader	reader;
	TlStatus	status;

	memset(out, 0, sizeof(*out));
	if (size > TL_MOTION_SIZE_MAX)
		return TL_TOO_LARGE;
	tl_reader_init(&reader, data, size);
	if (tl_get_u8(&reader) != MOTION_FORMAT)
		return reader.truncated ? TL_TRUNCATED : TL_BAD_VERSION;
	out->kind = tl_get_u8(&reader);
	out->epoch = tl_get_u64(&reader);
	out->text = tl_get_span(&reader, tl_get_u16(&reader));
	if (out->kind == TL_MOTION_CHANGE)
		get_change(&reader, out);
	else
		tl_get_hash(&reader, &out->subject);
	status = tl_reader_finish(&reader);
	if (status != TL_OK)
		return status;
	return check_motion(out);
}

TlStatus
tl_consensus_govern_encode(TlWriter *writer, const TlGovern *govern)
{
	if (govern->number == 0)
		return TL_BAD_FORMAT;
	if (govern->motion.size > TL_MOTION_SIZE_MAX)
		return TL_TOO_LARGE;
	tl_put_u8(writer, GOVERN_FORMAT);
	tl_put_u32(writer, govern->number);
	tl_put_bytes(writer, govern->approval, TL_SIGNATURE_SIZE);
	tl_put_u32(writer, (uint32_t) govern->motion.size);
	tl_put_bytes(writer, govern->motion.data, govern->motion.size);
	return tl_writer_finish(writer);
}

TlStatus
tl_consensus_govern_decode(TlGovern *out, const void *data, size_t size)
{
	TlReader	reader;
	TlStatus	status;

	memset(out, 0, sizeof(*out));
	tl_reader_init(&reader, data, size);
	if (tl_get_u8(&reader) != GOVERN_FORMAT)
		return reader.truncated ? TL_TRUNCATED : TL_BAD_VERSION;
	out->number = tl_get_u32(&reader);
	tl_get_bytes(&reader, out->approval, TL_SIGNATURE_SIZE);
	out->motion = tl_get_span(&reader, tl_get_u32(&reader));
	status = tl_reader_finish(&reader);
	if (status != TL_OK)
		return status;
	if (out->number == 0)
		return TL_BAD_FORMAT;
	return (out->motion.size > TL_MOTION_SIZE_MAX) ? TL_TOO_LARGE : TL_OK;
}

void
tl_consensus_motion_digest(TlHash *out, TlSpan motion)
{
	TlSha256	hash;

	tl_crypto_sha256_init(&hash);
	tl_crypto_sha256_update(&hash, MOTION_TAG, strlen(MOTION_TAG));
	tl_crypto_sha256_update(&hash, motion.data, motion.size);
	tl_crypto_sha256_final(&hash, out);
}

void
tl_consensus_approval_digest(TlHash *out, const TlHash *chain_id,
							 uint32_t member, uint64_t epoch, uint32_t number,
							 const TlHash *motion)
{
	uint8_t		bytes[128];
	TlWriter	writer;

	tl_writer_init(&writer, bytes, sizeof(bytes));
	tl_put_bytes(&writer, APPROVAL_TAG, strlen(APPROVAL_TAG));
	tl_put_hash(&writer, chain_id);
	tl_put_u32(&writer, member);
	tl_put_u64(&writer, epoch);
	tl_put_u32(&writer, number);
	tl_put_hash(&writer, motion);
	tl_crypto_sha256(out, bytes, writer.size);
}

static TlStatus
check_motion(const TlMotion *motion)
{
	if (motion->kind < TL_MOTION_CHANGE || motion->kind > TL_MOTION_SKIP)
		return TL_BAD_FORMAT;
	if (motion->text.size > TL_MOTION_TEXT_SIZE_MAX)
		return TL_TOO_LARGE;
	return (motion->kind == TL_MOTION_CHANGE) ? check_change(motion) : TL_OK;
}

/* What can be said of a change without knowing the members. */
static TlStatus
check_change(const TlMotion *motion)
{
	TlReader	reader;
	uint32_t	before = 0;

	if (motion->quorum_of_three < 2 || motion->quorum_of_three > 3 ||
		motion->drift_ms == 0 || motion->protocol == 0)
		return TL_BAD_FORMAT;
	if (motion->drift_ms > TL_MOTION_DRIFT_MS_MAX ||
		motion->removed_count > TL_MEMBER_COUNT_MAX ||
		motion->set_count > TL_MEMBER_COUNT_MAX)
		return TL_TOO_LARGE;
	tl_reader_init(&reader, motion->removed.data, motion->removed.size);
	for (unsigned i = 0; i < motion->removed_count && !reader.truncated; i++)
	{
		uint32_t	number = tl_get_u32(&reader);

		if (number <= before)
			return reader.truncated ? TL_TRUNCATED : TL_BAD_ORDER;
		before = number;
	}
	if (tl_reader_finish(&reader) != TL_OK)
		return TL_BAD_FORMAT;
	before = 0;
	tl_reader_init(&reader, motion->set.data, motion->set.size);
	for (unsigned i = 0; i < motion->set_count && !reader.truncated; i++)
	{
		TlSpan		leaf = tl_get_span(&reader, tl_get_u16(&reader));
		TlMember	member;
		TlStatus	status = tl_chain_member_decode(&member, leaf.data, leaf.size);

		if (status != TL_OK)
			return status;
		if (member.number <= before)
			return TL_BAD_ORDER;
		before = member.number;
	}
	return (tl_reader_finish(&reader) == TL_OK) ? TL_OK : TL_BAD_FORMAT;
}

static void
put_change(TlWriter *writer, const TlMotion *motion)
{
	tl_put_u8(writer, motion->quorum_of_three);
	tl_put_u32(writer, motion->drift_ms);
	tl_put_u32(writer, motion->checkpoint_interval);
	tl_put_u16(writer, motion->protocol);
	tl_put_u8(writer, motion->removed_count);
	tl_put_bytes(writer, motion->removed.data, motion->removed.size);
	tl_put_u8(writer, motion->set_count);
	tl_put_bytes(writer, motion->set.data, motion->set.size);
}

static void
get_change(TlReader *reader, TlMotion *motion)
{
	size_t		start;

	motion->quorum_of_three = tl_get_u8(reader);
	motion->drift_ms = tl_get_u32(reader);
	motion->checkpoint_interval = tl_get_u32(reader);
	motion->protocol = tl_get_u16(reader);
	motion->removed_count = tl_get_u8(reader);
	motion->removed = tl_get_span(reader, 4 * (size_t) motion->removed_count);
	motion->set_count = tl_get_u8(reader);
	start = reader->offset;
	for (unsigned i = 0; i < motion->set_count && !reader->truncated; i++)
		(void) tl_get_span(reader, tl_get_u16(reader));
	motion->set.data = reader->data + start;
	motion->set.size = reader->offset - start;
}
