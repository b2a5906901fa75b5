/*-------------------------------------------------------------------------
 *
 * chain_member.c
 *	  Who belongs to a ledger: the leaf of one member, the root over all.
 *
 * Integers big-endian:
 *
 *		offset	size	field
 *		0		1		leaf kind, 0x08
 *		1		1		format, 1 or 2
 *		2		4		number, from 1
 *		6		1		kind: 1 validator, 2 participant, 3 observer
 *		7		1		size n of the name, 1 to 63
 *		8		n		name, UTF-8 without control characters
 *		8 + n	32		row key, BIP-340
 *		40 + n	1		role count
 *		41 + n	...		per role: size u8 (1 to 63), name; ascending bytewise
 *		then	96		format 2 only: governance key, sealing key, recovery
 *						key, 32 each
 *
 * Members' hash = RFC 6962 root over the leaves, ascending by number.
 *
 * Invariants
 *	  M1  one set of members has one hash
 *	  M2  no two members share a row key: a quorum counts keys
 *
 * Pure code: no PostgreSQL, no allocation.
 * Used by genesis, by the worker and by proof.
 *
 *-------------------------------------------------------------------------
 */
#include "chain_member.h"

#include "merkle_hash.h"
#include "merkle_range.h"

#include <string.h>

#define LEAF_MEMBER		0x08
#define MEMBER_FORMAT	1
#define KEYS_FORMAT		2		/* with keys */

static TlStatus check_member(const TlMember *member);
static TlStatus check_roles(const TlMember *member);
static TlStatus check_set(const TlMember *members, unsigned count);
static bool is_name(TlSpan name, size_t size_max);

TlStatus
tl_chain_member_encode(TlWriter *writer, const TlMember *member)
{
	TlStatus	status = check_member(member);

	if (status != TL_OK)
		return status;
	tl_put_u8(writer, LEAF_MEMBER);
	tl_put_u8(writer, member->has_keys ? KEYS_FORMAT : MEMBER_FORMAT);
	tl_put_u32(writer, member->number);
	tl_put_u8(writer, member->kind);
	tl_put_u8(writer, (uint8_t) member->name.size);
	tl_put_bytes(writer, member->name.data, member->name.size);
	tl_put_bytes(writer, member->row_key, TL_XONLY_KEY_SIZE);
	tl_put_u8(writer, member->role_count);
	tl_put_bytes(writer, member->roles.data, member->roles.size);
	if (member->has_keys)
	{
		tl_put_bytes(writer, member->governance_key, TL_XONLY_KEY_SIZE);
		tl_put_bytes(writer, member->sealing_key, TL_XONLY_KEY_SIZE);
		tl_put_bytes(writer, member->recovery_key, TL_XONLY_KEY_SIZE);
	}
	return tl_writer_finish(writer);
}

TlStatus
tl_chain_member_decode(TlMember *out, const void *data, size_t size)
{
	TlReader	reader;
	TlStatus	status;
	uint8_t		format;
	size_t		left;
	size_t		keys;

	memset(out, 0, sizeof(*out));
	tl_reader_init(&reader, data, size);
	if (tl_get_u8(&reader) != LEAF_MEMBER)
		return reader.truncated ? TL_TRUNCATED : TL_BAD_FORMAT;
	format = tl_get_u8(&reader);
	if (format != MEMBER_FORMAT && format != KEYS_FORMAT)
		return reader.truncated ? TL_TRUNCATED : TL_BAD_VERSION;
	out->has_keys = (format == KEYS_FORMAT);
	out->number = tl_get_u32(&reader);
	out->kind = tl_get_u8(&reader);
	out->name = tl_get_span(&reader, tl_get_u8(&reader));
	tl_get_bytes(&reader, out->row_key, TL_XONLY_KEY_SIZE);
	out->role_count = tl_get_u8(&reader);
	left = tl_reader_left(&reader);
	keys = out->has_keys ? 3 * TL_XONLY_KEY_SIZE : 0;
	if (left < keys)
		return TL_TRUNCATED;
	out->roles = tl_get_span(&reader, left - keys);
	if (out->has_keys)
	{
		tl_get_bytes(&reader, out->governance_key, TL_XONLY_KEY_SIZE);
		tl_get_bytes(&reader, out->sealing_key, TL_XONLY_KEY_SIZE);
		tl_get_bytes(&reader, out->recovery_key, TL_XONLY_KEY_SIZE);
	}
	status = tl_reader_finish(&reader);
	if (status != TL_OK)
		return status;
	return check_member(out);
}

TlStatus
tl_chain_members_hash(TlHash *out, const TlMember *members, unsigned count)
{
	TlMerkleRange range;
	TlStatus	status = check_set(members, count);

	if (status != TL_OK)
		return status;
	tl_merkle_range_init(&range);
	for (unsigned i = 0; i < count; i++)
	{
		uint8_t		leaf[TL_MEMBER_LEAF_SIZE_MAX];
		TlWriter	writer;
		TlHash		leaf_hash;

		tl_writer_init(&writer, leaf, sizeof(leaf));
		status = tl_chain_member_encode(&writer, &members[i]);
		if (status != TL_OK)
			return status;
		tl_merkle_leaf_hash(&leaf_hash, leaf, writer.size);
		status = tl_merkle_range_append(&range, &leaf_hash);
		if (status != TL_OK)
			return status;
	}
	tl_merkle_range_root(&range, out);
	return TL_OK;
}

const TlMember *
tl_chain_member_find(const TlMember *members, unsigned count, uint32_t number)
{
	for (unsigned i = 0; i < count; i++)
	{
		if (members[i].number == number)
			return &members[i];
	}
	return NULL;
}

static TlStatus
check_member(const TlMember *member)
{
	if (member->number == 0)
		return TL_BAD_FORMAT;
	if (member->kind < TL_MEMBER_VALIDATOR || member->kind > TL_MEMBER_OBSERVER)
		return TL_BAD_FORMAT;
	if (!is_name(member->name, TL_MEMBER_NAME_SIZE_MAX))
		return TL_BAD_FORMAT;
	return check_roles(member);
}

static TlStatus
check_roles(const TlMember *member)
{
	TlReader	reader;
	TlSpan		previous = {NULL, 0};

	if (member->role_count > TL_MEMBER_ROLE_COUNT_MAX)
		return TL_TOO_LARGE;
	tl_reader_init(&reader, member->roles.data, member->roles.size);
	for (int i = 0; i < member->role_count; i++)
	{
		TlSpan		role = tl_get_span(&reader, tl_get_u8(&reader));
		size_t		shared = (role.size < previous.size) ? role.size : previous.size;
		int			order;

		if (reader.truncated)
			return TL_TRUNCATED;
		if (!is_name(role, TL_NAME_SIZE_MAX))
			return TL_BAD_FORMAT;
		order = (shared == 0) ? 0 : memcmp(previous.data, role.data, shared);
		if (order > 0 || (order == 0 && previous.size >= role.size))
			return TL_BAD_ORDER;
		previous = role;
	}
	return tl_reader_finish(&reader);
}

static TlStatus
check_set(const TlMember *members, unsigned count)
{
	if (count > TL_MEMBER_COUNT_MAX)
		return TL_TOO_LARGE;
	for (unsigned i = 0; i < count; i++)
	{
		if (i > 0 && members[i].number <= members[i - 1].number)
			return TL_BAD_ORDER;
		for (unsigned j = 0; j < i; j++)
		{
			if (memcmp(members[i].row_key, members[j].row_key,
					   TL_XONLY_KEY_SIZE) == 0)
				return TL_BAD_KEY;
		}
	}
	return TL_OK;
}

/* Not empty, and nothing in it that could move a terminal's cursor. */
static bool
is_name(TlSpan name, size_t size_max)
{
	if (name.size == 0 || name.size > size_max)
		return false;
	for (size_t i = 0; i < name.size; i++)
	{
		if (name.data[i] < 0x20 || name.data[i] == 0x7f)
			return false;
	}
	return true;
}
