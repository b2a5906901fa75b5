/*-------------------------------------------------------------------------
 *
 * test_merkle_range.c
 *	  Growing trees beside the recursive definition of RFC 6962.
 *
 *-------------------------------------------------------------------------
 */
#include "merkle_range.h"

#include "merkle_hash.h"
#include "unit.h"

#include <string.h>

#define LEAVES_MAX	300

static TlHash leaves[LEAVES_MAX];
static TlMerkleRange vector_range;

static bool
same(const TlHash *left, const TlHash *right)
{
	return memcmp(left, right, TL_HASH_SIZE) == 0;
}

/* MTH of RFC 6962 section 2.1, word for word. */
static void
reference_root(TlHash *out, const TlHash *leaf, size_t size)
{
	size_t		split = 1;
	TlHash		left;
	TlHash		right;

	if (size == 0)
	{
		tl_merkle_empty_root(out);
		return;
	}
	if (size == 1)
	{
		*out = leaf[0];
		return;
	}
	while (split * 2 < size)
		split *= 2;
	reference_root(&left, leaf, split);
	reference_root(&right, leaf + split, size - split);
	tl_merkle_node_hash(out, &left, &right);
}

static void
roots_of_all_sizes(void)
{
	TlMerkleRange range;

	unit_random_bytes(leaves, sizeof(leaves));
	tl_merkle_range_init(&range);
	for (size_t size = 0;; size++)
	{
		TlHash		root;
		TlHash		expected;

		unit_context("%zu leaves", size);
		UNIT_CHECK(range.size == size);
		reference_root(&expected, leaves, size);
		tl_merkle_range_root(&range, &root);
		UNIT_CHECK(same(&root, &expected));
		if (size == LEAVES_MAX)
			break;
		UNIT_CHECK(tl_merkle_range_append(&range, &leaves[size]) == TL_OK);
	}
}

/* M1: each node is the root of its own leaves. */
static void
nodes_are_perfect_subtrees(void)
{
	TlMerkleRange range;

	unit_random_bytes(leaves, sizeof(leaves));
	tl_merkle_range_init(&range);
	for (size_t size = 1; size <= LEAVES_MAX; size++)
	{
		size_t		start = 0;

		UNIT_CHECK(tl_merkle_range_append(&range, &leaves[size - 1]) == TL_OK);
		for (int level = 63; level >= 0; level--)
		{
			size_t		count = (size_t) 1 << level;
			TlHash		expected;

			if (!(size & count))
				continue;
			unit_context("%zu leaves, level %d", size, level);
			reference_root(&expected, leaves + start, count);
			UNIT_CHECK(same(&range.nodes[level], &expected));
			start += count;
		}
	}
}

/* Beyond 2^64 - 1 there is no level left to carry into. */
static void
full_range_refuses(void)
{
	TlMerkleRange range;
	TlMerkleRange before;
	TlHash		root;

	unit_random_bytes(&range, sizeof(range));
	range.size = UINT64_MAX;
	before = range;
	UNIT_CHECK(tl_merkle_range_append(&range, &leaves[0]) == TL_TOO_LARGE);
	UNIT_CHECK(memcmp(&range, &before, sizeof(range)) == 0);
	tl_merkle_range_root(&range, &root);

	range.size = UINT64_MAX - 1;
	UNIT_CHECK(tl_merkle_range_append(&range, &leaves[0]) == TL_OK);
	UNIT_CHECK(range.size == UINT64_MAX);
	range.size = UINT64_C(1) << 63;
	UNIT_CHECK(tl_merkle_range_append(&range, &leaves[0]) == TL_OK);
	range.size = (UINT64_C(1) << 63) - 1;
	UNIT_CHECK(tl_merkle_range_append(&range, &leaves[0]) == TL_OK);
	tl_merkle_range_root(&range, &root);
	UNIT_CHECK(same(&root, &range.nodes[63]));
}

static void
tree_vector(const UnitRecord *record)
{
	uint8_t		data[64];
	size_t		size = unit_bytes(data, sizeof(data), record, "leaf");
	TlHash		leaf;
	TlHash		root;
	TlHash		expected;

	unit_bytes(expected.bytes, TL_HASH_SIZE, record, "root");
	tl_merkle_leaf_hash(&leaf, data, size);
	UNIT_CHECK(tl_merkle_range_append(&vector_range, &leaf) == TL_OK);
	tl_merkle_range_root(&vector_range, &root);
	UNIT_CHECK(same(&root, &expected));
}

static void
tree_vectors(void)
{
	tl_merkle_range_init(&vector_range);
	UNIT_CHECK(unit_vectors("merkle_tree.txt", tree_vector) == 8);
}

UNIT_MAIN(UNIT_CASE(roots_of_all_sizes),
		  UNIT_CASE(nodes_are_perfect_subtrees),
		  UNIT_CASE(full_range_refuses),
		  UNIT_CASE(tree_vectors))
