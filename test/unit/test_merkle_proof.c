/*-------------------------------------------------------------------------
 *
 * test_merkle_proof.c
 *	  Proofs of all trees up to 64 leaves, and of trees near 2^64.
 *
 * Beside every path stands the recursive definition of RFC 6962 (sections
 * 2.1.1 and 2.1.2).  Small trees: every single bit of leaf, path and roots is
 * turned and must be noticed.  Huge trees have equal leaves, so that each
 * perfect subtree of a level has the same root and any tree can be computed.
 *
 *-------------------------------------------------------------------------
 */
#include "merkle_proof.h"

#include "merkle_hash.h"
#include "merkle_range.h"
#include "unit.h"

#include <stdlib.h>
#include <string.h>

#define TREE_MAX		64
#define BITWISE_MAX		32

static TlHash leaves[TREE_MAX];
static TlHash equal_nodes[64];
static size_t reader_size;		/* of the tree that count_reader may read */
static unsigned reader_failure; /* 0, or the call from here on that fails */

static bool
same(const TlHash *left, const TlHash *right)
{
	return memcmp(left, right, TL_HASH_SIZE) == 0;
}

static void
flip(TlHash *hash, int bit)
{
	hash->bytes[bit / 8] ^= (uint8_t) (1 << (bit % 8));
}

static size_t
reference_split(size_t size)
{
	size_t		split = 1;

	while (split * 2 < size)
		split *= 2;
	return split;
}

/* MTH */
static void
reference_root(TlHash *out, const TlHash *leaf, size_t size)
{
	size_t		split = reference_split(size);
	TlHash		left;
	TlHash		right;

	if (size == 1)
	{
		*out = leaf[0];
		return;
	}
	reference_root(&left, leaf, split);
	reference_root(&right, leaf + split, size - split);
	tl_merkle_node_hash(out, &left, &right);
}

/* PATH(m, D[n]) */
static unsigned
reference_path(TlHash *path, size_t index, const TlHash *leaf, size_t size)
{
	size_t		split = reference_split(size);
	unsigned	count;

	if (size == 1)
		return 0;
	if (index < split)
	{
		count = reference_path(path, index, leaf, split);
		reference_root(&path[count], leaf + split, size - split);
	}
	else
	{
		count = reference_path(path, index - split, leaf + split,
							   size - split);
		reference_root(&path[count], leaf, split);
	}
	return count + 1;
}

/* SUBPROOF(m, D[n], b) */
static unsigned
reference_subproof(TlHash *path, size_t old_size, const TlHash *leaf,
				   size_t size, bool whole)
{
	size_t		split = reference_split(size);
	unsigned	count;

	if (old_size == size)
	{
		if (whole)
			return 0;
		reference_root(&path[0], leaf, size);
		return 1;
	}
	if (old_size <= split)
	{
		count = reference_subproof(path, old_size, leaf, split, whole);
		reference_root(&path[count], leaf + split, size - split);
	}
	else
	{
		count = reference_subproof(path, old_size - split, leaf + split,
								   size - split, false);
		reference_root(&path[count], leaf, split);
	}
	return count + 1;
}

/* Reads from leaves[] and insists that only complete subtrees are asked for. */
static TlStatus
strict_reader(void *context, TlHash *out, unsigned level, uint64_t index)
{
	size_t		count = (size_t) 1 << level;

	UNIT_CHECK(context == leaves);
	UNIT_CHECK(level < 7 && (index + 1) * count <= reader_size);
	if (reader_failure > 0 && --reader_failure == 0)
		return TL_CHAIN_DAMAGED;
	reference_root(out, leaves + index * count, count);
	return TL_OK;
}

static TlStatus
equal_reader(void *context, TlHash *out, unsigned level, uint64_t index)
{
	uint64_t	size = *(uint64_t *) context;

	/* The subtree ends at or before size. */
	UNIT_CHECK(level < 64 && index < size >> level);
	*out = equal_nodes[level];
	return TL_OK;
}

static void
equal_root(TlHash *out, uint64_t size)
{
	TlMerkleRange range;

	memcpy(range.nodes, equal_nodes, sizeof(equal_nodes));
	range.size = size;
	tl_merkle_range_root(&range, out);
}

static void
equal_prepare(void)
{
	unit_random_bytes(&equal_nodes[0], TL_HASH_SIZE);
	for (int level = 1; level < 64; level++)
		tl_merkle_node_hash(&equal_nodes[level], &equal_nodes[level - 1],
							&equal_nodes[level - 1]);
}

static void
inclusion_exhaustive(void)
{
	unit_random_bytes(leaves, sizeof(leaves));
	for (size_t size = 1; size <= TREE_MAX; size++)
	{
		TlHash		root;

		reference_root(&root, leaves, size);
		reader_size = size;
		for (size_t index = 0; index < size; index++)
		{
			TlHash		path[TL_MERKLE_PATH_MAX + 1];
			TlHash		expected[TL_MERKLE_PATH_MAX];
			unsigned	count = TL_MERKLE_PATH_MAX;
			unsigned	expected_count = reference_path(expected, index,
														leaves, size);

			unit_context("index %zu of %zu", index, size);
			UNIT_CHECK(tl_merkle_inclusion_path(path, &count, index, size,
												strict_reader,
												leaves) == TL_OK);
			UNIT_CHECK(count == expected_count);
			UNIT_CHECK(memcmp(path, expected, count * TL_HASH_SIZE) == 0);
			for (size_t other = 0; other <= size; other++)
				UNIT_CHECK(tl_merkle_inclusion_verify(&leaves[index], other,
													  size, path, count,
													  &root) == (other == index));
			path[count] = root;
			UNIT_CHECK(!tl_merkle_inclusion_verify(&leaves[index], index, size,
												   path, count + 1, &root));
			for (unsigned cut = 0; cut < count; cut++)
				UNIT_CHECK(!tl_merkle_inclusion_verify(&leaves[index], index,
													   size, path, cut, &root));
		}
	}
}

static void
inclusion_bit_by_bit(void)
{
	unit_random_bytes(leaves, sizeof(leaves));
	for (size_t size = 1; size <= BITWISE_MAX; size++)
	{
		TlHash		root;

		reference_root(&root, leaves, size);
		for (size_t index = 0; index < size; index++)
		{
			TlHash		path[TL_MERKLE_PATH_MAX];
			unsigned	count = reference_path(path, index, leaves, size);
			TlHash		leaf = leaves[index];

			for (int bit = 0; bit < 256; bit++)
			{
				unit_context("index %zu of %zu, bit %d", index, size, bit);
				flip(&leaf, bit);
				UNIT_CHECK(!tl_merkle_inclusion_verify(&leaf, index, size, path,
													   count, &root));
				flip(&leaf, bit);
				flip(&root, bit);
				UNIT_CHECK(!tl_merkle_inclusion_verify(&leaf, index, size, path,
													   count, &root));
				flip(&root, bit);
				for (unsigned i = 0; i < count; i++)
				{
					flip(&path[i], bit);
					UNIT_CHECK(!tl_merkle_inclusion_verify(&leaf, index, size,
														   path, count, &root));
					flip(&path[i], bit);
				}
			}
			UNIT_CHECK(tl_merkle_inclusion_verify(&leaf, index, size, path,
												  count, &root));
		}
	}
}

static void
consistency_exhaustive(void)
{
	unit_random_bytes(leaves, sizeof(leaves));
	for (size_t new_size = 1; new_size <= TREE_MAX; new_size++)
	{
		TlHash		new_root;

		reference_root(&new_root, leaves, new_size);
		reader_size = new_size;
		for (size_t old_size = 1; old_size <= new_size; old_size++)
		{
			TlHash		path[TL_MERKLE_PATH_MAX + 1];
			TlHash		expected[TL_MERKLE_PATH_MAX];
			unsigned	count = TL_MERKLE_PATH_MAX;
			unsigned	expected_count = reference_subproof(expected, old_size,
															leaves, new_size,
															true);
			TlHash		old_root;

			unit_context("%zu to %zu", old_size, new_size);
			reference_root(&old_root, leaves, old_size);
			UNIT_CHECK(tl_merkle_consistency_path(path, &count, old_size,
												  new_size, strict_reader,
												  leaves) == TL_OK);
			UNIT_CHECK(count == expected_count);
			UNIT_CHECK(memcmp(path, expected, count * TL_HASH_SIZE) == 0);
			for (size_t other = 0; other <= new_size; other++)
			{
				TlHash		other_root = old_root;

				/* Another old tree is not proved by this path. */
				if (other > 0)
					reference_root(&other_root, leaves, other);
				UNIT_CHECK(tl_merkle_consistency_verify(other, new_size, path,
														count, &other_root,
														&new_root) == (other == old_size));
			}
			path[count] = new_root;
			UNIT_CHECK(!tl_merkle_consistency_verify(old_size, new_size, path,
													 count + 1, &old_root,
													 &new_root));
			for (unsigned cut = 0; cut < count; cut++)
				UNIT_CHECK(!tl_merkle_consistency_verify(old_size, new_size,
														 path, cut, &old_root,
														 &new_root));
			if (old_size < new_size)
				UNIT_CHECK(!tl_merkle_consistency_verify(old_size, new_size,
														 path, count, &new_root,
														 &old_root));
		}
	}
}

static void
consistency_bit_by_bit(void)
{
	unit_random_bytes(leaves, sizeof(leaves));
	for (size_t new_size = 1; new_size <= BITWISE_MAX; new_size++)
	{
		for (size_t old_size = 1; old_size <= new_size; old_size++)
		{
			TlHash		path[TL_MERKLE_PATH_MAX];
			unsigned	count = reference_subproof(path, old_size, leaves,
												   new_size, true);
			TlHash		old_root;
			TlHash		new_root;

			reference_root(&old_root, leaves, old_size);
			reference_root(&new_root, leaves, new_size);
			for (int bit = 0; bit < 256; bit++)
			{
				unit_context("%zu to %zu, bit %d", old_size, new_size, bit);
				flip(&old_root, bit);
				UNIT_CHECK(!tl_merkle_consistency_verify(old_size, new_size,
														 path, count, &old_root,
														 &new_root));
				flip(&old_root, bit);
				flip(&new_root, bit);
				UNIT_CHECK(!tl_merkle_consistency_verify(old_size, new_size,
														 path, count, &old_root,
														 &new_root));
				flip(&new_root, bit);
				for (unsigned i = 0; i < count; i++)
				{
					flip(&path[i], bit);
					UNIT_CHECK(!tl_merkle_consistency_verify(old_size, new_size,
															 path, count,
															 &old_root,
															 &new_root));
					flip(&path[i], bit);
				}
			}
			UNIT_CHECK(tl_merkle_consistency_verify(old_size, new_size, path,
													count, &old_root,
													&new_root));
		}
	}
}

/* A changed, removed or swapped leaf gives a tree that no path joins. */
static void
rewritten_history_is_refused(void)
{
	unit_random_bytes(leaves, sizeof(leaves));
	for (size_t old_size = 1; old_size < TREE_MAX; old_size++)
	{
		TlHash		old_root;

		reference_root(&old_root, leaves, old_size);
		for (size_t changed = 0; changed < old_size; changed++)
		{
			TlHash		path[TL_MERKLE_PATH_MAX];
			TlHash		new_root;
			unsigned	count;

			unit_context("leaf %zu of %zu changed", changed, old_size);
			flip(&leaves[changed], 7);
			reference_root(&new_root, leaves, TREE_MAX);
			count = reference_subproof(path, old_size, leaves, TREE_MAX, true);
			UNIT_CHECK(!tl_merkle_consistency_verify(old_size, TREE_MAX, path,
													 count, &old_root,
													 &new_root));
			flip(&leaves[changed], 7);
		}
	}
}

static void
impossible_arguments(void)
{
	TlHash		path[TL_MERKLE_PATH_MAX];
	unsigned	count = TL_MERKLE_PATH_MAX;
	TlHash		root;

	unit_random_bytes(leaves, sizeof(leaves));
	unit_random_bytes(path, sizeof(path));
	reference_root(&root, leaves, TREE_MAX);
	reader_size = TREE_MAX;
	UNIT_CHECK(tl_merkle_inclusion_path(path, &count, 0, 0, strict_reader,
										leaves) == TL_BUG);
	UNIT_CHECK(tl_merkle_inclusion_path(path, &count, TREE_MAX, TREE_MAX,
										strict_reader, leaves) == TL_BUG);
	UNIT_CHECK(tl_merkle_consistency_path(path, &count, 0, TREE_MAX,
										  strict_reader, leaves) == TL_BUG);
	UNIT_CHECK(tl_merkle_consistency_path(path, &count, TREE_MAX + 1, TREE_MAX,
										  strict_reader, leaves) == TL_BUG);
	UNIT_CHECK(count == TL_MERKLE_PATH_MAX);

	UNIT_CHECK(!tl_merkle_inclusion_verify(&root, 0, 0, path, 0, &root));
	/* A path of nothing is not looked at; an endless one not for long. */
	UNIT_CHECK(!tl_merkle_inclusion_verify(&root, 1, 8, NULL, 0, &root));
	UNIT_CHECK(!tl_merkle_consistency_verify(3, 8, NULL, 0, &root, &root));
	UNIT_CHECK(!tl_merkle_inclusion_verify(&root, UINT64_MAX - 1, UINT64_MAX,
										   path, UINT32_MAX, &root));
	UNIT_CHECK(!tl_merkle_consistency_verify(UINT64_MAX - 1, UINT64_MAX, path,
											 UINT32_MAX, &root, &root));
	UNIT_CHECK(!tl_merkle_inclusion_verify(&root, 0, 1, path,
										   TL_MERKLE_PATH_MAX + 1, &root));
	UNIT_CHECK(!tl_merkle_inclusion_verify(&root, 0, 1, path, UINT32_MAX,
										   &root));
	UNIT_CHECK(!tl_merkle_consistency_verify(0, 0, path, 0, &root, &root));
	UNIT_CHECK(!tl_merkle_consistency_verify(0, 5, path, 0, &root, &root));
	UNIT_CHECK(!tl_merkle_consistency_verify(5, 4, path, 0, &root, &root));
	UNIT_CHECK(!tl_merkle_consistency_verify(5, 5, path, 1, &root, &root));
	UNIT_CHECK(!tl_merkle_consistency_verify(4, 8, path, 0, &root, &root));
	UNIT_CHECK(!tl_merkle_consistency_verify(3, 8, path, UINT32_MAX, &root,
											 &root));
	UNIT_CHECK(!tl_merkle_consistency_verify(UINT64_MAX, UINT64_MAX, path, 1,
											 &root, &root));
	UNIT_CHECK(tl_merkle_consistency_verify(UINT64_MAX, UINT64_MAX, path, 0,
											&root, &root));
}

/* A path that does not fit is refused, and nothing behind it is touched. */
static void
capacity_is_kept(void)
{
	unit_random_bytes(leaves, sizeof(leaves));
	for (size_t size = 1; size <= TREE_MAX; size++)
	{
		TlHash		expected[TL_MERKLE_PATH_MAX];
		unsigned	inclusion = reference_path(expected, size / 2, leaves, size);
		unsigned	consistency = reference_subproof(expected, (size + 1) / 2,
													 leaves, size, true);

		reader_size = size;
		for (unsigned capacity = 0; capacity <= 8; capacity++)
		{
			TlHash	   *path = malloc(capacity * sizeof(TlHash) + 1);
			unsigned	count = capacity;
			TlStatus	status;

			unit_context("%zu leaves, capacity %u", size, capacity);
			status = tl_merkle_inclusion_path(path, &count, size / 2, size,
											  strict_reader, leaves);
			UNIT_CHECK(status == (inclusion <= capacity ? TL_OK : TL_TOO_LARGE));
			count = capacity;
			status = tl_merkle_consistency_path(path, &count, (size + 1) / 2,
												size, strict_reader, leaves);
			UNIT_CHECK(status == (consistency <= capacity ? TL_OK : TL_TOO_LARGE));
			free(path);
		}
	}
}

/* Whichever read fails, its status arrives. */
static void
reader_failures_arrive(void)
{
	TlHash		path[TL_MERKLE_PATH_MAX];

	unit_random_bytes(leaves, sizeof(leaves));
	reader_size = 55;
	for (unsigned failure = 1; failure <= 6; failure++)
	{
		unsigned	count = TL_MERKLE_PATH_MAX;

		unit_context("read %u fails", failure);
		reader_failure = failure;
		UNIT_CHECK(tl_merkle_inclusion_path(path, &count, 17, 55, strict_reader,
											leaves) == TL_CHAIN_DAMAGED);
		reader_failure = failure;
		UNIT_CHECK(tl_merkle_consistency_path(path, &count, 19, 55,
											  strict_reader,
											  leaves) == TL_CHAIN_DAMAGED);
	}
	reader_failure = 0;
}

/* One tree of equal leaves: prove, verify, and refuse what was turned. */
static void
check_huge(uint64_t index, uint64_t old_size, uint64_t size)
{
	TlHash		path[TL_MERKLE_PATH_MAX];
	unsigned	count = TL_MERKLE_PATH_MAX;
	TlHash		old_root;
	TlHash		root;

	unit_context("index %llu, old size %llu, size %llu",
				 (unsigned long long) index, (unsigned long long) old_size,
				 (unsigned long long) size);
	equal_root(&root, size);
	equal_root(&old_root, old_size);
	UNIT_CHECK(tl_merkle_inclusion_path(path, &count, index, size,
										equal_reader, &size) == TL_OK);
	UNIT_CHECK(count <= 64);
	UNIT_CHECK(tl_merkle_inclusion_verify(&equal_nodes[0], index, size, path,
										  count, &root));
	for (unsigned i = 0; i < count; i++)
	{
		flip(&path[i], 100);
		UNIT_CHECK(!tl_merkle_inclusion_verify(&equal_nodes[0], index, size,
											   path, count, &root));
		flip(&path[i], 100);
	}

	count = TL_MERKLE_PATH_MAX;
	UNIT_CHECK(tl_merkle_consistency_path(path, &count, old_size, size,
										  equal_reader, &size) == TL_OK);
	UNIT_CHECK(tl_merkle_consistency_verify(old_size, size, path, count,
											&old_root, &root));
	for (unsigned i = 0; i < count; i++)
	{
		flip(&path[i], 100);
		UNIT_CHECK(!tl_merkle_consistency_verify(old_size, size, path, count,
												 &old_root, &root));
		flip(&path[i], 100);
	}
}

static void
huge_trees(void)
{
	static const uint64_t corners[] = {
		1, 2, 3,
		(UINT64_C(1) << 32) - 1, UINT64_C(1) << 32, (UINT64_C(1) << 32) + 1,
		(UINT64_C(1) << 63) - 1, UINT64_C(1) << 63, (UINT64_C(1) << 63) + 1,
		UINT64_C(0xaaaaaaaaaaaaaaaa), UINT64_MAX - 1, UINT64_MAX
	};
	size_t		count = sizeof(corners) / sizeof(corners[0]);

	equal_prepare();
	for (size_t i = 0; i < count; i++)
	{
		for (size_t j = 0; j <= i; j++)
			check_huge(corners[j] - 1, corners[j], corners[i]);
	}
	for (int i = 0; i < 500; i++)
	{
		uint64_t	size = (unit_random() >> (unit_random() % 64)) | 1;
		uint64_t	old_size = unit_random() % size + 1;

		check_huge(unit_random() % size, old_size, size);
	}
}

/* The hashes of a proof, separated by blanks. */
static unsigned
vector_path(TlHash path[TL_MERKLE_PATH_MAX], const UnitRecord *record)
{
	char	   *text = strdup(unit_text(record, "proof"));
	unsigned	count = 0;

	for (char *word = strtok(text, " "); word != NULL; word = strtok(NULL, " "))
	{
		UNIT_CHECK(count < TL_MERKLE_PATH_MAX);
		UNIT_CHECK(unit_hex(&path[count++], TL_HASH_SIZE, word) == TL_HASH_SIZE);
	}
	free(text);
	return count;
}

static void
inclusion_vector(const UnitRecord *record)
{
	TlHash		path[TL_MERKLE_PATH_MAX];
	unsigned	count = vector_path(path, record);
	uint64_t	index = strtoull(unit_text(record, "index"), NULL, 10);
	uint64_t	size = strtoull(unit_text(record, "size"), NULL, 10);
	TlHash		leaf;
	TlHash		root;

	unit_bytes(&leaf, TL_HASH_SIZE, record, "leaf");
	unit_bytes(&root, TL_HASH_SIZE, record, "root");
	UNIT_CHECK(tl_merkle_inclusion_verify(&leaf, index, size, path, count,
										  &root) ==
			   (strcmp(unit_text(record, "result"), "valid") == 0));
}

static void
consistency_vector(const UnitRecord *record)
{
	TlHash		path[TL_MERKLE_PATH_MAX];
	unsigned	count = vector_path(path, record);
	uint64_t	old_size = strtoull(unit_text(record, "old_size"), NULL, 10);
	uint64_t	new_size = strtoull(unit_text(record, "new_size"), NULL, 10);
	TlHash		old_root;
	TlHash		new_root;

	unit_bytes(&old_root, TL_HASH_SIZE, record, "old_root");
	unit_bytes(&new_root, TL_HASH_SIZE, record, "new_root");
	UNIT_CHECK(tl_merkle_consistency_verify(old_size, new_size, path, count,
											&old_root, &new_root) ==
			   (strcmp(unit_text(record, "result"), "valid") == 0));
}

static void
proof_vectors(void)
{
	UNIT_CHECK(unit_vectors("merkle_inclusion.txt", inclusion_vector) == 72);
	UNIT_CHECK(unit_vectors("merkle_consistency.txt", consistency_vector) == 71);
}

/* The two ways to compute a root that the cases below rely on. */
static void
reference_agrees_with_itself(void)
{
	TlHash		root;
	TlHash		equal;

	equal_prepare();
	for (int i = 0; i < TREE_MAX; i++)
		leaves[i] = equal_nodes[0];
	for (size_t size = 1; size <= TREE_MAX; size++)
	{
		unit_context("%zu equal leaves", size);
		reference_root(&root, leaves, size);
		equal_root(&equal, size);
		UNIT_CHECK(same(&root, &equal));
	}
}

UNIT_MAIN(UNIT_CASE(reference_agrees_with_itself),
		  UNIT_CASE(inclusion_exhaustive),
		  UNIT_CASE(inclusion_bit_by_bit),
		  UNIT_CASE(consistency_exhaustive),
		  UNIT_CASE(consistency_bit_by_bit),
		  UNIT_CASE(rewritten_history_is_refused),
		  UNIT_CASE(impossible_arguments),
		  UNIT_CASE(capacity_is_kept),
		  UNIT_CASE(reader_failures_arrive),
		  UNIT_CASE(huge_trees),
		  UNIT_CASE(proof_vectors))
