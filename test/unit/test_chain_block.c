/*-------------------------------------------------------------------------
 *
 * test_chain_block.c
 *	  Block headers and cuts: bytes, hashes, and each linking rule broken.
 *
 *-------------------------------------------------------------------------
 */
#include "chain_block.h"

#include "merkle_range.h"
#include "unit.h"

#include <string.h>

static TlBlockHeader previous;
static TlMerkleRange history;
static int	vectors_used;
static int	lists_used;

/* Entries in the order of their digests, and the root over them. */
static void
use_list(const UnitRecord *record)
{
	uint8_t		bytes[4 * TL_BLOCK_ENTRY_SIZE];
	uint8_t		again[4 * TL_BLOCK_ENTRY_SIZE];
	TlBlockEntry entries[4];
	unsigned	count;
	TlWriter	writer;
	TlHash		wanted;
	TlHash		root;
	size_t		size;

	if (strcmp(unit_text(record, "kind"), "entries") != 0)
		return;
	size = unit_bytes(bytes, sizeof(bytes), record, "list");
	unit_bytes(wanted.bytes, sizeof(wanted), record, "root");
	UNIT_CHECK(tl_chain_entries_decode(entries, &count, 4, bytes, size) == TL_OK);
	UNIT_CHECK(count == size / TL_BLOCK_ENTRY_SIZE);
	tl_writer_init(&writer, again, sizeof(again));
	UNIT_CHECK(tl_chain_entries_encode(&writer, entries, count) == TL_OK);
	UNIT_CHECK(writer.size == size && memcmp(bytes, again, size) == 0);
	UNIT_CHECK(tl_chain_entries_root(&root, entries, count) == TL_OK);
	UNIT_CHECK(memcmp(&root, &wanted, sizeof(root)) == 0);
	lists_used++;
}

/* The vectors are a chain: genesis first, then block after block. */
static void
use_vector(const UnitRecord *record)
{
	bool		genesis = strcmp(unit_text(record, "kind"), "genesis") == 0;
	uint8_t		bytes[TL_BLOCK_HEADER_SIZE];
	uint8_t		again[TL_BLOCK_HEADER_SIZE];
	uint8_t		cut[1024];
	uint8_t		cut_again[1024];
	TlLane		lanes[2];
	unsigned	lane_count;
	TlBlockHeader header;
	TlHash		wanted;
	TlHash		hash;
	TlHash		root;
	TlWriter	writer;
	size_t		size;

	if (!genesis && strcmp(unit_text(record, "kind"), "block") != 0)
		return;
	UNIT_CHECK(unit_bytes(bytes, sizeof(bytes), record, "header") == TL_BLOCK_HEADER_SIZE);
	unit_bytes(wanted.bytes, sizeof(wanted), record, genesis ? "chain_id" : "hash");
	UNIT_CHECK(tl_chain_block_decode(&header, bytes, sizeof(bytes)) == TL_OK);
	UNIT_CHECK(header.height == vectors_used);
	tl_writer_init(&writer, again, sizeof(again));
	UNIT_CHECK(tl_chain_block_encode(&writer, &header) == TL_OK);
	UNIT_CHECK(memcmp(bytes, again, sizeof(bytes)) == 0);
	tl_chain_block_hash(&hash, &header);
	UNIT_CHECK(memcmp(&hash, &wanted, sizeof(hash)) == 0);
	tl_merkle_range_root(&history, &root);
	UNIT_CHECK(memcmp(&header.history_root, &root, sizeof(root)) == 0);
	UNIT_CHECK(tl_merkle_range_append(&history, &hash) == TL_OK);
	if (!genesis)
	{
		UNIT_CHECK(tl_chain_block_follows(&previous, &header) == TL_OK);
		UNIT_CHECK(tl_chain_block_follows(&header, &header) != TL_OK);
		size = unit_bytes(cut, sizeof(cut), record, "cut");
		UNIT_CHECK(tl_chain_cut_decode(lanes, &lane_count, 2, cut, size) == TL_OK);
		UNIT_CHECK(lane_count == 1 && lanes[0].member == 2);
		tl_writer_init(&writer, cut_again, sizeof(cut_again));
		UNIT_CHECK(tl_chain_cut_encode(&writer, lanes, lane_count) == TL_OK);
		UNIT_CHECK(writer.size == size && memcmp(cut, cut_again, size) == 0);
		UNIT_CHECK(tl_chain_cut_hash(&hash, lanes, lane_count) == TL_OK);
		UNIT_CHECK(memcmp(&hash, &header.cut_hash, sizeof(hash)) == 0);
	}
	previous = header;
	vectors_used++;
}

static void
vectors(void)
{
	tl_merkle_range_init(&history);
	unit_vectors("chain.txt", use_vector);
	UNIT_CHECK(vectors_used == 8);
	unit_vectors("chain.txt", use_list);
	UNIT_CHECK(lists_used == 4);
}

static TlBlockHeader
some_parent(void)
{
	TlBlockHeader parent = {.height = 7,.epoch = 2,.view = 9,.parent_epoch = 2,
	.parent_view = 8,.proposer = 1,.time = 1000,.checkpoint_height = 3};

	parent.chain_id.bytes[0] = 1;
	parent.parent.bytes[0] = 2;
	return parent;
}

static TlBlockHeader
child_of(const TlBlockHeader *parent)
{
	TlBlockHeader child = *parent;

	child.height++;
	child.view++;
	child.parent_epoch = parent->epoch;
	child.parent_view = parent->view;
	child.time++;
	tl_chain_block_hash(&child.parent, parent);
	return child;
}

/* Break one rule at a time. */
static void
linking(void)
{
	TlBlockHeader parent = some_parent();
	TlBlockHeader child = child_of(&parent);

#define REFUSED(change) \
	do { \
		child = child_of(&parent); \
		UNIT_CHECK(tl_chain_block_follows(&parent, &child) == TL_OK); \
		change; \
		UNIT_CHECK(tl_chain_block_follows(&parent, &child) == TL_CHAIN_DAMAGED); \
	} while (0)

	REFUSED(child.chain_id.bytes[31] ^= 1); /* B2 */
	REFUSED(child.height++);	/* B3 */
	REFUSED(child.height--);
	REFUSED(child.parent.bytes[31] ^= 1);	/* B4 */
	REFUSED(child.parent_epoch++);
	REFUSED(child.parent_view--);
	REFUSED(child.view = parent.view);	/* B5 */
	REFUSED(child.view = parent.view - 1);
	REFUSED(child.epoch--);
	REFUSED(child.time = parent.time);	/* B6 */
	REFUSED(child.time = INT64_MIN);
	REFUSED(child.members_hash.bytes[0] ^= 1);	/* B7 */
	REFUSED(child.checkpoint_height--); /* B8 */
	REFUSED(child.checkpoint_height = 8);
	REFUSED(child.checkpoint_state_root.bytes[0] ^= 1);

	/* what may change */
	child = child_of(&parent);
	child.epoch++;
	child.view = 0;
	child.members_hash.bytes[0] ^= 1;
	UNIT_CHECK(tl_chain_block_follows(&parent, &child) == TL_OK);
	child = child_of(&parent);
	child.checkpoint_height = parent.height;
	child.checkpoint_state_root.bytes[0] ^= 1;
	UNIT_CHECK(tl_chain_block_follows(&parent, &child) == TL_OK);
	parent.height = UINT64_MAX;
	child = child_of(&parent);
	UNIT_CHECK(tl_chain_block_follows(&parent, &child) == TL_CHAIN_DAMAGED);
}

static TlStatus
encode(const TlBlockHeader *header)
{
	uint8_t		bytes[TL_BLOCK_HEADER_SIZE];
	TlWriter	writer;

	tl_writer_init(&writer, bytes, sizeof(bytes));
	return tl_chain_block_encode(&writer, header);
}

static void
headers_that_are_none(void)
{
	uint8_t		bytes[TL_BLOCK_HEADER_SIZE + 1] = {0};
	TlBlockHeader header = some_parent();
	TlWriter	writer;

	tl_writer_init(&writer, bytes, sizeof(bytes));
	UNIT_CHECK(tl_chain_block_encode(&writer, &header) == TL_OK);
	for (size_t size = 0; size < writer.size; size++)
		UNIT_CHECK(tl_chain_block_decode(&header, bytes, size) == TL_TRUNCATED);
	UNIT_CHECK(tl_chain_block_decode(&header, bytes, sizeof(bytes)) == TL_TRAILING_BYTES);
	bytes[0] = 3;
	UNIT_CHECK(tl_chain_block_decode(&header, bytes, writer.size) == TL_BAD_FORMAT);
	bytes[0] = 4;
	bytes[1] = 2;
	UNIT_CHECK(tl_chain_block_decode(&header, bytes, writer.size) == TL_BAD_VERSION);

	header = some_parent();
	header.proposer = 0;
	UNIT_CHECK(encode(&header) == TL_BAD_FORMAT);
	header = some_parent();
	header.checkpoint_height = 7;
	UNIT_CHECK(encode(&header) == TL_BAD_FORMAT);
	header = some_parent();
	memset(&header.chain_id, 0, sizeof(header.chain_id));
	UNIT_CHECK(encode(&header) == TL_BAD_FORMAT);
	header = some_parent();
	memset(&header.parent, 0, sizeof(header.parent));
	UNIT_CHECK(encode(&header) == TL_BAD_FORMAT);
	header = (TlBlockHeader)
	{
		.proposer = 1
	};
	UNIT_CHECK(encode(&header) == TL_OK);
	header.view = 1;
	UNIT_CHECK(encode(&header) == TL_BAD_FORMAT);
	header.view = 0;
	header.parent.bytes[0] = 1;
	UNIT_CHECK(encode(&header) == TL_BAD_FORMAT);
}

static void
cuts(void)
{
	TlLane		lanes[TL_MEMBER_COUNT_MAX + 1];
	uint8_t		bytes[(TL_MEMBER_COUNT_MAX + 1) * TL_BLOCK_LANE_SIZE];
	unsigned	count;
	TlWriter	writer;
	TlHash		hash;

	memset(lanes, 0, sizeof(lanes));
	for (unsigned i = 0; i <= TL_MEMBER_COUNT_MAX; i++)
	{
		lanes[i].member = i + 1;
		lanes[i].batch = 1;
	}
	UNIT_CHECK(tl_chain_cut_hash(&hash, lanes, TL_MEMBER_COUNT_MAX) == TL_OK);
	UNIT_CHECK(tl_chain_cut_hash(&hash, lanes, TL_MEMBER_COUNT_MAX + 1) == TL_TOO_LARGE);
	tl_writer_init(&writer, bytes, sizeof(bytes));
	UNIT_CHECK(tl_chain_cut_encode(&writer, lanes, 3) == TL_OK);
	UNIT_CHECK(tl_chain_cut_decode(lanes, &count, 2, bytes, writer.size) == TL_TOO_LARGE);
	UNIT_CHECK(tl_chain_cut_decode(lanes, &count, 3, bytes, writer.size - 1) == TL_TRUNCATED);
	UNIT_CHECK(tl_chain_cut_decode(lanes, &count, 3, bytes, writer.size) == TL_OK && count == 3);
	UNIT_CHECK(tl_chain_cut_decode(lanes, &count, 3, bytes, 0) == TL_OK && count == 0);
	lanes[1].member = 1;
	UNIT_CHECK(tl_chain_cut_hash(&hash, lanes, 2) == TL_BAD_ORDER);
	lanes[0].member = 0;
	UNIT_CHECK(tl_chain_cut_hash(&hash, lanes, 1) == TL_BAD_FORMAT);
	lanes[0].member = 1;
	lanes[0].batch = 0;
	UNIT_CHECK(tl_chain_cut_hash(&hash, lanes, 1) == TL_BAD_FORMAT);
}

static void
entries(void)
{
	TlBlockEntry list[3] = {{10, {{1}}}, {11, {{2}}}, {10, {{3}}}};
	uint8_t		bytes[sizeof(list)];
	unsigned	count;
	TlWriter	writer;
	TlHash		root;
	TlHash		other;

	tl_writer_init(&writer, bytes, sizeof(bytes));
	UNIT_CHECK(tl_chain_entries_encode(&writer, list, 3) == TL_OK);
	UNIT_CHECK(tl_chain_entries_decode(list, &count, 2, bytes, writer.size) == TL_TOO_LARGE);
	UNIT_CHECK(tl_chain_entries_decode(list, &count, 3, bytes, writer.size - 1) == TL_TRUNCATED);
	UNIT_CHECK(tl_chain_entries_decode(list, &count, 3, bytes, writer.size) == TL_OK);
	UNIT_CHECK(count == 3 && list[1].kind == 11);
	UNIT_CHECK(tl_chain_entries_root(&root, list, 3) == TL_OK);
	list[2].kind = 11;
	UNIT_CHECK(tl_chain_entries_root(&other, list, 3) == TL_OK);
	UNIT_CHECK(memcmp(&root, &other, sizeof(root)) != 0);
	list[2].digest = list[1].digest;
	UNIT_CHECK(tl_chain_entries_root(&root, list, 3) == TL_BAD_ORDER);
	list[0].kind = 0;
	UNIT_CHECK(tl_chain_entries_root(&root, list, 1) == TL_BAD_FORMAT);
	bytes[0] = 0;
	UNIT_CHECK(tl_chain_entries_decode(list, &count, 3, bytes, writer.size) == TL_BAD_FORMAT);
	UNIT_CHECK(count == 0);
}

UNIT_MAIN(UNIT_CASE(vectors), UNIT_CASE(linking),
		  UNIT_CASE(headers_that_are_none), UNIT_CASE(cuts),
		  UNIT_CASE(entries))
