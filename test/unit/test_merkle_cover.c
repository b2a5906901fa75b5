/*-------------------------------------------------------------------------
 *
 * test_merkle_cover.c
 *	  One proof for many leaves: every set of leaves of every small tree.
 *
 *-------------------------------------------------------------------------
 */
#include "merkle_cover.h"

#include "merkle_hash.h"
#include "unit.h"

#include <string.h>

#define TREE_MAX	10
#define LARGE		1000

static TlHash leaves[LARGE];

static TlStatus
read_node(void *context, TlHash *out, unsigned level, uint64_t index)
{
	TlMerkleRange range;
	TlStatus	status = TL_OK;

	tl_merkle_range_init(&range);
	for (uint64_t i = index << level; status == TL_OK && i < (index + 1) << level; i++)
		status = i < *(uint64_t *) context ?
			tl_merkle_range_append(&range, &leaves[i]) : TL_BUG;
	tl_merkle_range_root(&range, out);
	return status;
}

static void
root_of(TlHash *out, uint64_t size)
{
	TlMerkleRange range;

	tl_merkle_range_init(&range);
	for (uint64_t i = 0; i < size; i++)
		UNIT_CHECK(tl_merkle_range_append(&range, &leaves[i]) == TL_OK);
	tl_merkle_range_root(&range, out);
}

/* The nodes for the leaves whose bit is set. */
static size_t
prove(uint8_t *nodes, size_t capacity, uint64_t set, uint64_t size)
{
	TlWriter	writer;
	uint64_t	from = 0;

	tl_writer_init(&writer, nodes, capacity);
	for (uint64_t i = 0; i <= size; i++)
	{
		if (i < size && !((set >> i) & 1))
			continue;
		UNIT_CHECK(tl_merkle_cover_write(&writer, from, i, read_node, &size) == TL_OK);
		from = i + 1;
	}
	UNIT_CHECK(tl_writer_finish(&writer) == TL_OK);
	return writer.size;
}

static bool
verify(const uint8_t *nodes, size_t node_size, uint64_t set, uint64_t size,
	   const TlHash *root)
{
	TlMerkleRange range;
	TlReader	reader;
	TlHash		found;

	tl_merkle_range_init(&range);
	tl_reader_init(&reader, nodes, node_size);
	for (uint64_t i = 0; i < size; i++)
	{
		if (!((set >> i) & 1))
			continue;
		if (tl_merkle_cover_read(&range, i, &reader) != TL_OK ||
			tl_merkle_range_append(&range, &leaves[i]) != TL_OK)
			return false;
	}
	if (tl_merkle_cover_read(&range, size, &reader) != TL_OK ||
		tl_reader_finish(&reader) != TL_OK)
		return false;
	tl_merkle_range_root(&range, &found);
	return memcmp(&found, root, sizeof(found)) == 0;
}

/* Every set proves itself and no other. */
static void
all_sets(void)
{
	uint8_t		nodes[TREE_MAX * TL_HASH_SIZE];
	TlHash		root;

	unit_random_bytes(leaves, sizeof(leaves));
	for (uint64_t size = 1; size <= TREE_MAX; size++)
	{
		root_of(&root, size);
		for (uint64_t set = 1; set < UINT64_C(1) << size; set++)
		{
			size_t		node_size = prove(nodes, sizeof(nodes), set, size);

			unit_context("set %llx of %llu", (unsigned long long) set,
						 (unsigned long long) size);
			UNIT_CHECK(verify(nodes, node_size, set, size, &root));
			UNIT_CHECK(!verify(nodes, node_size, set ^ (UINT64_C(1) << size / 2), size,
							   &root));
		}
	}
}

static void
every_bit(void)
{
	uint8_t		nodes[TREE_MAX * TL_HASH_SIZE];
	TlHash		root;
	size_t		node_size = prove(nodes, sizeof(nodes), 0x42, TREE_MAX);

	root_of(&root, TREE_MAX);
	UNIT_CHECK(node_size == 5 * TL_HASH_SIZE);
	UNIT_CHECK(verify(nodes, node_size, 0x42, TREE_MAX, &root));
	for (size_t bit = 0; bit < node_size * 8; bit++)
	{
		nodes[bit / 8] ^= (uint8_t) (1 << bit % 8);
		UNIT_CHECK(!verify(nodes, node_size, 0x42, TREE_MAX, &root));
		nodes[bit / 8] ^= (uint8_t) (1 << bit % 8);
	}
	for (size_t cut = 0; cut < node_size; cut++)
		UNIT_CHECK(!verify(nodes, cut, 0x42, TREE_MAX, &root));
}

/* Out of order, and beyond all trees. */
static void
edges(void)
{
	uint64_t	size = LARGE;
	TlMerkleRange range;
	TlReader	reader;
	uint8_t		nodes[2 * TL_MERKLE_DEPTH_MAX * TL_HASH_SIZE];
	TlWriter	writer;

	memset(nodes, 0, sizeof(nodes));
	tl_merkle_range_init(&range);
	tl_reader_init(&reader, nodes, sizeof(nodes));
	UNIT_CHECK(tl_merkle_cover_read(&range, 7, &reader) == TL_OK);
	UNIT_CHECK(range.size == 7);
	UNIT_CHECK(tl_merkle_cover_read(&range, 6, &reader) == TL_BAD_PROOF);
	UNIT_CHECK(tl_merkle_range_append_node(&range, 1, &leaves[0]) == TL_BAD_ORDER);
	UNIT_CHECK(tl_merkle_range_append_node(&range, 64, &leaves[0]) == TL_TOO_LARGE);
	UNIT_CHECK(tl_merkle_cover_read(&range, UINT64_MAX, &reader) == TL_OK);
	UNIT_CHECK(range.size == UINT64_MAX);
	UNIT_CHECK(tl_merkle_range_append(&range, &leaves[0]) == TL_TOO_LARGE);
	tl_writer_init(&writer, nodes, sizeof(nodes));
	UNIT_CHECK(tl_merkle_cover_write(&writer, 1, 999, read_node, &size) == TL_OK);
	UNIT_CHECK(writer.size <= 2 * 10 * TL_HASH_SIZE);
	UNIT_CHECK(tl_merkle_cover_write(&writer, 5, 5, read_node, &size) == TL_OK);
	UNIT_CHECK(tl_merkle_cover_write(&writer, 900, 1100, read_node, &size) == TL_BUG);
}

UNIT_MAIN(UNIT_CASE(all_sets),
		  UNIT_CASE(every_bit),
		  UNIT_CASE(edges))
