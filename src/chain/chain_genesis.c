/*-------------------------------------------------------------------------
 *
 * chain_genesis.c
 *	  The block that a ledger starts with: purpose, parameters, founders.
 *
 * Body, integers big-endian:
 *
 *		offset	size	field
 *		0		1		leaf kind, 0x05
 *		1		1		format, 1
 *		2		1		entry, 0: genesis (other entries are log rows and carry
 *						their kind, which is never 0)
 *		3		1		purpose: 0 production, 1 test
 *		4		4		checkpoint interval, blocks, from 1
 *		8		4		clock drift, ms
 *		12		1		quorum of three validators, 2 or 3
 *		13		2		member count, from 1
 *		15		...		per member: size u16, member leaf (chain_member.c)
 *
 * Header: height, epoch, view and the newest checkpoint 0, chain id and parent
 * zeros, proposer the founder; the entries root stands over the one entry, the
 * body; all other roots are those of nothing.
 * Chain id = hash of that header.
 *
 * Invariants
 *	  G1  the chain id binds every byte of the body
 *	  G2  body, founder and time leave no freedom in the header
 *
 * Pure code: no PostgreSQL, no allocation, no clock.
 * Used by create_node (writes), proof (checks) and contrib/verifier.
 *
 *-------------------------------------------------------------------------
 */
#include "chain_genesis.h"

#include "merkle_hash.h"

#include <string.h>

#define LEAF_ENTRY				0x05
#define GENESIS_FORMAT			1
#define ENTRY_GENESIS			0

#define CHECKPOINT_INTERVAL		32
#define CLOCK_DRIFT_MS			2000
#define QUORUM_OF_THREE			3

static TlStatus put_members(TlWriter *writer, const TlGenesis *genesis);
static TlStatus get_members(TlGenesis *out, TlReader *reader);
static TlStatus check_genesis(const TlGenesis *genesis);
static TlStatus hash_body(TlHash *out, const TlGenesis *genesis);

void
tl_chain_genesis_init(TlGenesis *genesis, TlPurpose purpose)
{
	memset(genesis, 0, sizeof(*genesis));
	genesis->purpose = (uint8_t) purpose;
	genesis->checkpoint_interval = CHECKPOINT_INTERVAL;
	genesis->clock_drift_ms = CLOCK_DRIFT_MS;
	genesis->quorum_of_three = QUORUM_OF_THREE;
}

TlStatus
tl_chain_genesis_encode(TlWriter *writer, const TlGenesis *genesis)
{
	TlStatus	status = check_genesis(genesis);

	if (status != TL_OK)
		return status;
	tl_put_u8(writer, LEAF_ENTRY);
	tl_put_u8(writer, GENESIS_FORMAT);
	tl_put_u8(writer, ENTRY_GENESIS);
	tl_put_u8(writer, genesis->purpose);
	tl_put_u32(writer, genesis->checkpoint_interval);
	tl_put_u32(writer, genesis->clock_drift_ms);
	tl_put_u8(writer, genesis->quorum_of_three);
	tl_put_u16(writer, genesis->member_count);
	status = put_members(writer, genesis);
	if (status != TL_OK)
		return status;
	return tl_writer_finish(writer);
}

TlStatus
tl_chain_genesis_decode(TlGenesis *out, const void *data, size_t size)
{
	TlReader	reader;
	TlStatus	status;

	memset(out, 0, sizeof(*out));
	tl_reader_init(&reader, data, size);
	if (tl_get_u8(&reader) != LEAF_ENTRY)
		return reader.truncated ? TL_TRUNCATED : TL_BAD_FORMAT;
	if (tl_get_u8(&reader) != GENESIS_FORMAT)
		return reader.truncated ? TL_TRUNCATED : TL_BAD_VERSION;
	if (tl_get_u8(&reader) != ENTRY_GENESIS)
		return reader.truncated ? TL_TRUNCATED : TL_BAD_FORMAT;
	out->purpose = tl_get_u8(&reader);
	out->checkpoint_interval = tl_get_u32(&reader);
	out->clock_drift_ms = tl_get_u32(&reader);
	out->quorum_of_three = tl_get_u8(&reader);
	out->member_count = tl_get_u16(&reader);
	status = get_members(out, &reader);
	if (status == TL_OK)
		status = tl_reader_finish(&reader);
	if (status == TL_OK)
		status = check_genesis(out);
	return status;
}

TlStatus
tl_chain_genesis_header(TlBlockHeader *out, const TlGenesis *genesis,
						uint32_t founder, int64_t time)
{
	TlStatus	status;

	if (tl_chain_member_find(genesis->members, genesis->member_count,
							 founder) == NULL)
		return TL_BAD_FORMAT;
	memset(out, 0, sizeof(*out));
	out->proposer = founder;
	out->time = time;
	tl_merkle_empty_root(&out->batch_root);
	tl_merkle_empty_root(&out->checkpoint_state_root);
	tl_merkle_empty_root(&out->history_root);
	status = hash_body(&out->entries_root, genesis);
	if (status == TL_OK)
		status = tl_chain_cut_hash(&out->cut_hash, NULL, 0);
	if (status == TL_OK)
		status = tl_chain_members_hash(&out->members_hash, genesis->members,
									   genesis->member_count);
	return status;
}

TlStatus
tl_chain_genesis_check(TlGenesis *out, const TlHash *chain_id,
					   const void *header, size_t header_size,
					   const void *body, size_t body_size)
{
	TlBlockHeader given;
	TlBlockHeader wanted;
	TlHash		wanted_hash;
	TlHash		hash;
	TlStatus	status;

	status = tl_chain_genesis_decode(out, body, body_size);
	if (status == TL_OK)
		status = tl_chain_block_decode(&given, header, header_size);
	if (status == TL_OK)
		status = tl_chain_genesis_header(&wanted, out, given.proposer,
										 given.time);
	if (status != TL_OK)
		return status;
	tl_chain_block_hash(&wanted_hash, &wanted);
	tl_chain_block_hash(&hash, &given);
	if (memcmp(&wanted_hash, &hash, sizeof(hash)) != 0 ||
		memcmp(chain_id, &hash, sizeof(hash)) != 0)
		return TL_CHAIN_DAMAGED;
	return TL_OK;
}

static TlStatus
put_members(TlWriter *writer, const TlGenesis *genesis)
{
	for (int i = 0; i < genesis->member_count; i++)
	{
		uint8_t		leaf[TL_MEMBER_LEAF_SIZE_MAX];
		TlWriter	member;
		TlStatus	status;

		tl_writer_init(&member, leaf, sizeof(leaf));
		status = tl_chain_member_encode(&member, &genesis->members[i]);
		if (status != TL_OK)
			return status;
		tl_put_u16(writer, (uint16_t) member.size);
		tl_put_bytes(writer, leaf, member.size);
	}
	return TL_OK;
}

static TlStatus
get_members(TlGenesis *out, TlReader *reader)
{
	if (out->member_count > TL_MEMBER_COUNT_MAX)
		return TL_TOO_LARGE;
	for (int i = 0; i < out->member_count; i++)
	{
		TlSpan		leaf = tl_get_span(reader, tl_get_u16(reader));
		TlStatus	status;

		if (reader->truncated)
			return TL_TRUNCATED;
		status = tl_chain_member_decode(&out->members[i], leaf.data, leaf.size);
		if (status != TL_OK)
			return status;
	}
	return TL_OK;
}

static TlStatus
check_genesis(const TlGenesis *genesis)
{
	TlHash		members_hash;

	if (genesis->purpose > TL_PURPOSE_TEST)
		return TL_BAD_FORMAT;
	if (genesis->checkpoint_interval == 0 ||
		genesis->quorum_of_three < 2 || genesis->quorum_of_three > 3)
		return TL_BAD_FORMAT;
	if (genesis->member_count == 0)
		return TL_BAD_FORMAT;
	/* computing the hash checks order and keys of the set */
	return tl_chain_members_hash(&members_hash, genesis->members,
								 genesis->member_count);
}

static TlStatus
hash_body(TlHash *out, const TlGenesis *genesis)
{
	uint8_t		body[TL_GENESIS_BODY_SIZE_MAX];
	TlWriter	writer;
	TlStatus	status;

	tl_writer_init(&writer, body, sizeof(body));
	status = tl_chain_genesis_encode(&writer, genesis);
	if (status == TL_OK)
		tl_merkle_leaf_hash(out, body, writer.size);
	return status;
}
