/*-------------------------------------------------------------------------
 *
 * test_chain_genesis.c
 *	  Genesis and members: vectors, every bit, and what is refused.
 *
 *-------------------------------------------------------------------------
 */
#include "chain_genesis.h"

#include "unit.h"

#include <string.h>

static int	vectors_used;
static uint8_t body[TL_GENESIS_BODY_SIZE_MAX];
static uint8_t again[TL_GENESIS_BODY_SIZE_MAX];
static TlGenesis genesis;

static void
use_vector(const UnitRecord *record)
{
	uint8_t		header[TL_BLOCK_HEADER_SIZE];
	TlHash		chain_id;
	TlHash		wanted;
	TlHash		hash;
	TlWriter	writer;
	size_t		size;

	if (strcmp(unit_text(record, "kind"), "genesis") != 0)
		return;
	vectors_used++;
	size = unit_bytes(body, sizeof(body), record, "body");
	unit_bytes(header, sizeof(header), record, "header");
	unit_bytes(chain_id.bytes, sizeof(chain_id), record, "chain_id");
	unit_bytes(wanted.bytes, sizeof(wanted), record, "members_hash");
	UNIT_CHECK(tl_chain_genesis_check(&genesis, &chain_id, header, sizeof(header),
									  body, size) == TL_OK);
	UNIT_CHECK(genesis.purpose == TL_PURPOSE_TEST && genesis.member_count == 4);
	UNIT_CHECK(tl_chain_members_hash(&hash, genesis.members, 4) == TL_OK);
	UNIT_CHECK(memcmp(&hash, &wanted, sizeof(hash)) == 0);
	UNIT_CHECK(tl_chain_member_find(genesis.members, 4, 2)->role_count == 1);
	UNIT_CHECK(tl_chain_member_find(genesis.members, 4, 5) == NULL);
	tl_writer_init(&writer, again, sizeof(again));
	UNIT_CHECK(tl_chain_genesis_encode(&writer, &genesis) == TL_OK);
	UNIT_CHECK(writer.size == size && memcmp(again, body, size) == 0);

	/* G1, G2: every bit of body, header and chain id counts */
	for (size_t bit = 0; bit < size * 8; bit++)
	{
		body[bit / 8] ^= (uint8_t) (1 << bit % 8);
		UNIT_CHECK(tl_chain_genesis_check(&genesis, &chain_id, header,
										  sizeof(header), body, size) != TL_OK);
		body[bit / 8] ^= (uint8_t) (1 << bit % 8);
	}
	for (size_t bit = 0; bit < sizeof(header) * 8; bit++)
	{
		header[bit / 8] ^= (uint8_t) (1 << bit % 8);
		UNIT_CHECK(tl_chain_genesis_check(&genesis, &chain_id, header,
										  sizeof(header), body, size) != TL_OK);
		header[bit / 8] ^= (uint8_t) (1 << bit % 8);
	}
	chain_id.bytes[0] ^= 1;
	UNIT_CHECK(tl_chain_genesis_check(&genesis, &chain_id, header, sizeof(header),
									  body, size) == TL_CHAIN_DAMAGED);
	for (size_t cut = 0; cut < size; cut++)
		UNIT_CHECK(tl_chain_genesis_decode(&genesis, body, cut) != TL_OK);
}

static void
vectors(void)
{
	unit_vectors("chain.txt", use_vector);
	UNIT_CHECK(vectors_used == 1);
}

static TlMember
some_member(uint32_t number)
{
	TlMember	member = {.number = number,.kind = TL_MEMBER_VALIDATOR,
	.name = {(const uint8_t *) "alpha", 5}};

	member.row_key[0] = (uint8_t) number;
	return member;
}

static TlStatus
encode(const TlMember *member)
{
	uint8_t		bytes[TL_MEMBER_LEAF_SIZE_MAX];
	TlWriter	writer;

	tl_writer_init(&writer, bytes, sizeof(bytes));
	return tl_chain_member_encode(&writer, member);
}

static TlStatus
encode_roles(uint8_t count, const char *roles, size_t size)
{
	TlMember	member = some_member(1);

	member.role_count = count;
	member.roles.data = (const uint8_t *) roles;
	member.roles.size = size;
	return encode(&member);
}

static void
members_that_are_none(void)
{
	char		name[TL_MEMBER_NAME_SIZE_MAX + 1];
	TlMember	member = some_member(1);

	UNIT_CHECK(encode(&member) == TL_OK);
	member.number = 0;
	UNIT_CHECK(encode(&member) == TL_BAD_FORMAT);
	member = some_member(1);
	member.kind = 0;
	UNIT_CHECK(encode(&member) == TL_BAD_FORMAT);
	member.kind = 4;
	UNIT_CHECK(encode(&member) == TL_BAD_FORMAT);
	memset(name, 'a', sizeof(name));
	member = some_member(1);
	member.name.data = (const uint8_t *) name;
	member.name.size = TL_MEMBER_NAME_SIZE_MAX;
	UNIT_CHECK(encode(&member) == TL_OK);
	member.name.size++;
	UNIT_CHECK(encode(&member) == TL_BAD_FORMAT);
	member.name.size = 0;
	UNIT_CHECK(encode(&member) == TL_BAD_FORMAT);
	member.name.size = 5;
	name[2] = '\x1b';
	UNIT_CHECK(encode(&member) == TL_BAD_FORMAT);
	name[2] = '\x7f';
	UNIT_CHECK(encode(&member) == TL_BAD_FORMAT);

	UNIT_CHECK(encode_roles(2, "\1a\1b", 4) == TL_OK);
	UNIT_CHECK(encode_roles(2, "\1a\2aa", 5) == TL_OK);
	UNIT_CHECK(encode_roles(2, "\1b\1a", 4) == TL_BAD_ORDER);
	UNIT_CHECK(encode_roles(2, "\2aa\1a", 5) == TL_BAD_ORDER);
	UNIT_CHECK(encode_roles(2, "\1a\1a", 4) == TL_BAD_ORDER);
	UNIT_CHECK(encode_roles(2, "\1a\2b", 4) == TL_TRUNCATED);
	UNIT_CHECK(encode_roles(1, "\1a\1b", 4) == TL_TRAILING_BYTES);
	UNIT_CHECK(encode_roles(1, "\0", 1) == TL_BAD_FORMAT);
	UNIT_CHECK(encode_roles(TL_MEMBER_ROLE_COUNT_MAX + 1, "", 0) == TL_TOO_LARGE);
}

/* M2, and the limits of the set. */
static void
sets_that_are_none(void)
{
	static TlMember members[TL_MEMBER_COUNT_MAX + 1];
	TlHash		hash;

	for (uint32_t i = 0; i <= TL_MEMBER_COUNT_MAX; i++)
		members[i] = some_member(i + 1);
	UNIT_CHECK(tl_chain_members_hash(&hash, members, TL_MEMBER_COUNT_MAX) == TL_OK);
	UNIT_CHECK(tl_chain_members_hash(&hash, members, TL_MEMBER_COUNT_MAX + 1) == TL_TOO_LARGE);
	members[1].number = 1;
	UNIT_CHECK(tl_chain_members_hash(&hash, members, 2) == TL_BAD_ORDER);
	members[1] = some_member(2);
	members[1].row_key[0] = 1;
	UNIT_CHECK(tl_chain_members_hash(&hash, members, 2) == TL_BAD_KEY);
}

static TlStatus
encode_genesis(void)
{
	TlWriter	writer;

	tl_writer_init(&writer, again, sizeof(again));
	return tl_chain_genesis_encode(&writer, &genesis);
}

static void
bodies_that_are_none(void)
{
	TlBlockHeader header;

	tl_chain_genesis_init(&genesis, TL_PURPOSE_PRODUCTION);
	UNIT_CHECK(encode_genesis() == TL_BAD_FORMAT);	/* nobody */
	genesis.member_count = 1;
	genesis.members[0] = some_member(1);
	UNIT_CHECK(encode_genesis() == TL_OK);
	UNIT_CHECK(tl_chain_genesis_header(&header, &genesis, 2, 5) == TL_BAD_FORMAT);
	genesis.purpose = 2;
	UNIT_CHECK(encode_genesis() == TL_BAD_FORMAT);
	genesis.purpose = 0;
	genesis.quorum_of_three = 1;
	UNIT_CHECK(encode_genesis() == TL_BAD_FORMAT);
	genesis.quorum_of_three = 4;
	UNIT_CHECK(encode_genesis() == TL_BAD_FORMAT);
	genesis.quorum_of_three = 2;
	genesis.checkpoint_interval = 0;
	UNIT_CHECK(encode_genesis() == TL_BAD_FORMAT);
}

UNIT_MAIN(UNIT_CASE(vectors), UNIT_CASE(members_that_are_none),
		  UNIT_CASE(sets_that_are_none), UNIT_CASE(bodies_that_are_none))
