/*-------------------------------------------------------------------------
 *
 * chain_block.c
 *	  Block headers, the cut they reach, and the rules that link them.
 *
 * Integers big-endian:
 *
 *		offset	size	field
 *		0		1		leaf kind, 0x04
 *		1		1		format, 1
 *		2		32		chain id: hash of the genesis header, zeros in genesis
 *		34		8		height, 0 for genesis
 *		42		8		epoch
 *		50		8		view
 *		58		32		hash of the parent, zeros at height 0
 *		90		8		epoch of the parent
 *		98		8		view of the parent
 *		106		4		proposer, member
 *		110		8		time, us since 1970 UTC
 *		118		32		batch root
 *		150		32		entries root
 *		182		32		hash of the cut
 *		214		32		members' hash
 *		246		8		height of the newest stable checkpoint
 *		254		32		state root of that checkpoint
 *		286		32		history root
 *		318
 *
 * Block hash = Hash(0x00 || header).  The batch root stands over the batch
 * digests in order of member and batch.
 *
 * A cut is, per lane ascending by member, without anything around it: member
 * u32, incarnation u16, batch u64, digest of that batch 32.
 *
 * Entries are, ascending by digest, without anything around them: kind of the
 * log row u8, its digest 32.  The entries root stands over their leaves, in the
 * same order: 0x05, format 1, kind, digest.
 *
 * Invariants
 *	  B1  the hash covers every byte above, nothing else
 *	  B2  the chain id is the hash of the genesis header
 *	  B3  height grows by one
 *	  B4  a block names its parent's hash, epoch and view
 *	  B5  (epoch, view) grows
 *	  B6  time grows
 *	  B7  in one epoch the members stay the same
 *	  B8  the newest stable checkpoint does not move back, and lies below
 *	  B9  the history root stands over the hashes of all earlier blocks
 *
 * Pure code: no PostgreSQL, no allocation, no clock.
 * Used by the worker (writes), proof (checks) and contrib/verifier.
 *
 *-------------------------------------------------------------------------
 */
#include "chain_block.h"

#include "crypto_hash.h"
#include "merkle_hash.h"
#include "merkle_range.h"

#include <string.h>

#define LEAF_BLOCK		0x04
#define BLOCK_FORMAT	1
#define LEAF_ENTRY		0x05
#define ENTRY_FORMAT	1

static void put_header(TlWriter *writer, const TlBlockHeader *header);
static TlStatus check_header(const TlBlockHeader *header);
static TlStatus check_lanes(const TlLane *lanes, unsigned count);
static TlStatus check_entries(const TlBlockEntry *entries, unsigned count);
static bool same_hash(const TlHash *left, const TlHash *right);

TlStatus
tl_chain_block_encode(TlWriter *writer, const TlBlockHeader *header)
{
	TlStatus	status = check_header(header);

	if (status != TL_OK)
		return status;
	put_header(writer, header);
	return tl_writer_finish(writer);
}

TlStatus
tl_chain_block_decode(TlBlockHeader *out, const void *data, size_t size)
{
	TlReader	reader;
	TlStatus	status;

	memset(out, 0, sizeof(*out));
	tl_reader_init(&reader, data, size);
	if (tl_get_u8(&reader) != LEAF_BLOCK)
		return reader.truncated ? TL_TRUNCATED : TL_BAD_FORMAT;
	if (tl_get_u8(&reader) != BLOCK_FORMAT)
		return reader.truncated ? TL_TRUNCATED : TL_BAD_VERSION;
	tl_get_hash(&reader, &out->chain_id);
	out->height = tl_get_u64(&reader);
	out->epoch = tl_get_u64(&reader);
	out->view = tl_get_u64(&reader);
	tl_get_hash(&reader, &out->parent);
	out->parent_epoch = tl_get_u64(&reader);
	out->parent_view = tl_get_u64(&reader);
	out->proposer = tl_get_u32(&reader);
	out->time = tl_get_i64(&reader);
	tl_get_hash(&reader, &out->batch_root);
	tl_get_hash(&reader, &out->entries_root);
	tl_get_hash(&reader, &out->cut_hash);
	tl_get_hash(&reader, &out->members_hash);
	out->checkpoint_height = tl_get_u64(&reader);
	tl_get_hash(&reader, &out->checkpoint_state_root);
	tl_get_hash(&reader, &out->history_root);
	status = tl_reader_finish(&reader);
	if (status != TL_OK)
		return status;
	return check_header(out);
}

void
tl_chain_block_hash(TlHash *out, const TlBlockHeader *header)
{
	uint8_t		bytes[TL_BLOCK_HEADER_SIZE];
	TlWriter	writer;

	tl_writer_init(&writer, bytes, sizeof(bytes));
	put_header(&writer, header);
	tl_merkle_leaf_hash(out, bytes, writer.size);
}

void
tl_chain_block_chain_id(TlHash *out, const TlBlockHeader *header)
{
	if (header->height == 0)
		tl_chain_block_hash(out, header);
	else
		*out = header->chain_id;
}

TlStatus
tl_chain_block_follows(const TlBlockHeader *parent, const TlBlockHeader *child)
{
	TlHash		parent_hash;
	TlHash		chain_id;
	bool		later;

	tl_chain_block_chain_id(&chain_id, parent);
	if (!same_hash(&child->chain_id, &chain_id))
		return TL_CHAIN_DAMAGED;
	if (parent->height == UINT64_MAX || child->height != parent->height + 1)
		return TL_CHAIN_DAMAGED;
	tl_chain_block_hash(&parent_hash, parent);
	if (!same_hash(&child->parent, &parent_hash) ||
		child->parent_epoch != parent->epoch ||
		child->parent_view != parent->view)
		return TL_CHAIN_DAMAGED;
	later = (child->epoch > parent->epoch ||
			 (child->epoch == parent->epoch && child->view > parent->view));
	if (!later || child->time <= parent->time)
		return TL_CHAIN_DAMAGED;
	if (child->epoch == parent->epoch &&
		!same_hash(&child->members_hash, &parent->members_hash))
		return TL_CHAIN_DAMAGED;
	if (child->checkpoint_height < parent->checkpoint_height ||
		child->checkpoint_height > parent->height)
		return TL_CHAIN_DAMAGED;
	if (child->checkpoint_height == parent->checkpoint_height &&
		!same_hash(&child->checkpoint_state_root,
				   &parent->checkpoint_state_root))
		return TL_CHAIN_DAMAGED;
	return TL_OK;
}

TlStatus
tl_chain_cut_encode(TlWriter *writer, const TlLane *lanes, unsigned count)
{
	TlStatus	status = check_lanes(lanes, count);

	if (status != TL_OK)
		return status;
	for (unsigned i = 0; i < count; i++)
	{
		tl_put_u32(writer, lanes[i].member);
		tl_put_u16(writer, lanes[i].incarnation);
		tl_put_u64(writer, lanes[i].batch);
		tl_put_hash(writer, &lanes[i].digest);
	}
	return tl_writer_finish(writer);
}

TlStatus
tl_chain_cut_decode(TlLane *out, unsigned *count, unsigned count_max,
					const void *data, size_t size)
{
	size_t		lane_count = size / TL_BLOCK_LANE_SIZE;
	TlReader	reader;
	TlStatus	status;

	*count = 0;
	if (size % TL_BLOCK_LANE_SIZE != 0)
		return TL_TRUNCATED;
	if (lane_count > count_max)
		return TL_TOO_LARGE;
	tl_reader_init(&reader, data, size);
	for (unsigned i = 0; i < lane_count; i++)
	{
		out[i].member = tl_get_u32(&reader);
		out[i].incarnation = tl_get_u16(&reader);
		out[i].batch = tl_get_u64(&reader);
		tl_get_hash(&reader, &out[i].digest);
	}
	status = tl_reader_finish(&reader);
	if (status == TL_OK)
		status = check_lanes(out, (unsigned) lane_count);
	if (status == TL_OK)
		*count = (unsigned) lane_count;
	return status;
}

void
tl_chain_entry_leaf_hash(TlHash *out, uint8_t kind, const TlHash *row_digest)
{
	uint8_t		leaf[3 + TL_HASH_SIZE];

	leaf[0] = LEAF_ENTRY;
	leaf[1] = ENTRY_FORMAT;
	leaf[2] = kind;
	memcpy(leaf + 3, row_digest->bytes, TL_HASH_SIZE);
	tl_merkle_leaf_hash(out, leaf, sizeof(leaf));
}

TlStatus
tl_chain_cut_hash(TlHash *out, const TlLane *lanes, unsigned count)
{
	uint8_t		bytes[TL_MEMBER_COUNT_MAX * TL_BLOCK_LANE_SIZE];
	TlWriter	writer;
	TlStatus	status;

	tl_writer_init(&writer, bytes, sizeof(bytes));
	status = tl_chain_cut_encode(&writer, lanes, count);
	if (status == TL_OK)
		tl_crypto_sha256(out, bytes, writer.size);
	return status;
}

TlStatus
tl_chain_entries_encode(TlWriter *writer, const TlBlockEntry *entries,
						unsigned count)
{
	TlStatus	status = check_entries(entries, count);

	if (status != TL_OK)
		return status;
	for (unsigned i = 0; i < count; i++)
	{
		tl_put_u8(writer, entries[i].kind);
		tl_put_hash(writer, &entries[i].digest);
	}
	return tl_writer_finish(writer);
}

TlStatus
tl_chain_entries_decode(TlBlockEntry *out, unsigned *count, unsigned count_max,
						const void *data, size_t size)
{
	size_t		entry_count = size / TL_BLOCK_ENTRY_SIZE;
	TlReader	reader;
	TlStatus	status;

	*count = 0;
	if (size % TL_BLOCK_ENTRY_SIZE != 0)
		return TL_TRUNCATED;
	if (entry_count > count_max)
		return TL_TOO_LARGE;
	tl_reader_init(&reader, data, size);
	for (unsigned i = 0; i < entry_count; i++)
	{
		out[i].kind = tl_get_u8(&reader);
		tl_get_hash(&reader, &out[i].digest);
	}
	status = tl_reader_finish(&reader);
	if (status == TL_OK)
		status = check_entries(out, (unsigned) entry_count);
	if (status == TL_OK)
		*count = (unsigned) entry_count;
	return status;
}

TlStatus
tl_chain_entries_root(TlHash *out, const TlBlockEntry *entries, unsigned count)
{
	TlMerkleRange range;
	TlStatus	status = check_entries(entries, count);

	tl_merkle_range_init(&range);
	for (unsigned i = 0; status == TL_OK && i < count; i++)
	{
		TlHash		leaf;

		tl_chain_entry_leaf_hash(&leaf, entries[i].kind, &entries[i].digest);
		status = tl_merkle_range_append(&range, &leaf);
	}
	tl_merkle_range_root(&range, out);
	return status;
}

static void
put_header(TlWriter *writer, const TlBlockHeader *header)
{
	tl_put_u8(writer, LEAF_BLOCK);
	tl_put_u8(writer, BLOCK_FORMAT);
	tl_put_hash(writer, &header->chain_id);
	tl_put_u64(writer, header->height);
	tl_put_u64(writer, header->epoch);
	tl_put_u64(writer, header->view);
	tl_put_hash(writer, &header->parent);
	tl_put_u64(writer, header->parent_epoch);
	tl_put_u64(writer, header->parent_view);
	tl_put_u32(writer, header->proposer);
	tl_put_i64(writer, header->time);
	tl_put_hash(writer, &header->batch_root);
	tl_put_hash(writer, &header->entries_root);
	tl_put_hash(writer, &header->cut_hash);
	tl_put_hash(writer, &header->members_hash);
	tl_put_u64(writer, header->checkpoint_height);
	tl_put_hash(writer, &header->checkpoint_state_root);
	tl_put_hash(writer, &header->history_root);
}

/* What can be said of one header alone. */
static TlStatus
check_header(const TlBlockHeader *header)
{
	static const TlHash zeros;
	bool		genesis = (header->height == 0);

	if (header->proposer == 0)
		return TL_BAD_FORMAT;
	if (genesis != same_hash(&header->chain_id, &zeros) ||
		genesis != same_hash(&header->parent, &zeros))
		return TL_BAD_FORMAT;
	if (genesis && (header->epoch != 0 || header->view != 0 ||
					header->parent_epoch != 0 || header->parent_view != 0))
		return TL_BAD_FORMAT;
	if (header->checkpoint_height > header->height ||
		(!genesis && header->checkpoint_height == header->height))
		return TL_BAD_FORMAT;
	return TL_OK;
}

static TlStatus
check_lanes(const TlLane *lanes, unsigned count)
{
	if (count > TL_MEMBER_COUNT_MAX)
		return TL_TOO_LARGE;
	for (unsigned i = 0; i < count; i++)
	{
		if (lanes[i].member == 0 || lanes[i].batch == 0)
			return TL_BAD_FORMAT;
		if (i > 0 && lanes[i].member <= lanes[i - 1].member)
			return TL_BAD_ORDER;
	}
	return TL_OK;
}

/* Kind 0 is the body of genesis, which is no log row. */
static TlStatus
check_entries(const TlBlockEntry *entries, unsigned count)
{
	for (unsigned i = 0; i < count; i++)
	{
		if (entries[i].kind == 0)
			return TL_BAD_FORMAT;
		if (i > 0 && memcmp(entries[i - 1].digest.bytes,
							entries[i].digest.bytes, TL_HASH_SIZE) >= 0)
			return TL_BAD_ORDER;
	}
	return TL_OK;
}

static bool
same_hash(const TlHash *left, const TlHash *right)
{
	return memcmp(left->bytes, right->bytes, TL_HASH_SIZE) == 0;
}
