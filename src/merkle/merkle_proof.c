/*-------------------------------------------------------------------------
 *
 * merkle_proof.c
 *	  That a leaf is in a tree; that a tree continues an older one.
 *
 * The paths are those of RFC 6962 sections 2.1.1 and 2.1.2, the checks those
 * of RFC 9162 sections 2.1.3.2 and 2.1.4.2.  Nodes are numbered by level, 0
 * for leaves, and by index within the level:
 *
 *		level 2		        0
 *		level 1		    0       1       2
 *		level 0		  0   1   2   3   4   5   6		seven leaves
 *
 * Node (1, 1) joins leaves 2 and 3.  A node is perfect if all its leaves are
 * below size.  Of all nodes that a path needs, only the last of a level can be
 * imperfect; its root is folded from the perfect ones inside it.
 *
 * Invariants
 *	  P1  a path has at most TL_MERKLE_PATH_MAX hashes
 *	  P2  every loop ends after 64 turns, whatever sizes and count say
 *
 * Pure code: no PostgreSQL, no allocation.
 *
 *-------------------------------------------------------------------------
 */
#include "merkle_proof.h"

#include "merkle_hash.h"

#include <string.h>

/* A path that is being written, and where its nodes come from. */
typedef struct PathWriter
{
	TlHash	   *path;
	unsigned	count;
	unsigned	capacity;
	TlMerkleNodeReader reader;
	void	   *context;
} PathWriter;

static TlStatus path_above(PathWriter *writer, unsigned level, uint64_t index,
						   uint64_t size);
static TlStatus path_put_node(PathWriter *writer, unsigned level,
							  uint64_t index, uint64_t size);
static TlStatus fold_leaves(const PathWriter *writer, TlHash *out,
							uint64_t end, uint64_t leaf_count);
static unsigned trailing_ones(uint64_t value);
static bool hash_equal(const TlHash *left, const TlHash *right);

TlStatus
tl_merkle_inclusion_path(TlHash *path, unsigned *count,
						 uint64_t index, uint64_t size,
						 TlMerkleNodeReader reader, void *context)
{
	PathWriter	writer = {path, 0, *count, reader, context};
	TlStatus	status;

	if (index >= size)
		return TL_BUG;
	status = path_above(&writer, 0, index, size);
	if (status == TL_OK)
		*count = writer.count;
	return status;
}

/*
 * Start at the largest perfect node that ends where the old tree ends: it is
 * in both trees.  Unless it is the whole old tree, whose root the verifier
 * has, it opens the path; what lies beside its way up follows.
 */
TlStatus
tl_merkle_consistency_path(TlHash *path, unsigned *count,
						   uint64_t old_size, uint64_t new_size,
						   TlMerkleNodeReader reader, void *context)
{
	PathWriter	writer = {path, 0, *count, reader, context};
	TlStatus	status = TL_OK;

	if (old_size == 0 || old_size > new_size)
		return TL_BUG;
	if (old_size < new_size)
	{
		unsigned	level = trailing_ones(old_size - 1);
		uint64_t	index = (old_size - 1) >> level;

		if (index > 0)
			status = path_put_node(&writer, level, index, new_size);
		if (status == TL_OK)
			status = path_above(&writer, level, index, new_size);
	}
	if (status == TL_OK)
		*count = writer.count;
	return status;
}

bool
tl_merkle_inclusion_verify(const TlHash *leaf, uint64_t index, uint64_t size,
						   const TlHash *path, unsigned count,
						   const TlHash *root)
{
	TlHash		hash = *leaf;
	uint64_t	last;

	if (index >= size)
		return false;
	last = size - 1;
	for (unsigned i = 0; i < count; i++)
	{
		if (last == 0)
			return false;
		if ((index & 1) || index == last)
		{
			tl_merkle_node_hash(&hash, &path[i], &hash);

			/* The last node of a level rises until it has a left sibling. */
			while (!(index & 1) && index > 0)
			{
				index >>= 1;
				last >>= 1;
			}
		}
		else
			tl_merkle_node_hash(&hash, &hash, &path[i]);
		index >>= 1;
		last >>= 1;
	}
	return last == 0 && hash_equal(&hash, root);
}

bool
tl_merkle_consistency_verify(uint64_t old_size, uint64_t new_size,
							 const TlHash *path, unsigned count,
							 const TlHash *old_root, const TlHash *new_root)
{
	TlHash		old_hash;
	TlHash		new_hash;
	uint64_t	index;
	uint64_t	last;
	unsigned	level;
	unsigned	next = 0;

	if (old_size == 0 || old_size > new_size)
		return false;
	if (old_size == new_size)
		return count == 0 && hash_equal(old_root, new_root);
	if (count == 0)
		return false;

	level = trailing_ones(old_size - 1);
	index = (old_size - 1) >> level;
	last = (new_size - 1) >> level;
	old_hash = (index == 0) ? *old_root : path[next++];
	new_hash = old_hash;
	for (; next < count; next++)
	{
		if (last == 0)
			return false;
		if ((index & 1) || index == last)
		{
			tl_merkle_node_hash(&old_hash, &path[next], &old_hash);
			tl_merkle_node_hash(&new_hash, &path[next], &new_hash);
			while (!(index & 1) && index > 0)
			{
				index >>= 1;
				last >>= 1;
			}
		}
		else
			tl_merkle_node_hash(&new_hash, &new_hash, &path[next]);
		index >>= 1;
		last >>= 1;
	}
	return last == 0 && hash_equal(&old_hash, old_root) &&
		hash_equal(&new_hash, new_root);
}

/* The siblings on the way from node (level, index) to the root. */
static TlStatus
path_above(PathWriter *writer, unsigned level, uint64_t index, uint64_t size)
{
	uint64_t	last = (size - 1) >> level;

	for (; last > 0; level++)
	{
		TlStatus	status = TL_OK;

		if (index & 1)
			status = path_put_node(writer, level, index - 1, size);
		else if (index < last)
			status = path_put_node(writer, level, index + 1, size);
		if (status != TL_OK)
			return status;
		index >>= 1;
		last >>= 1;
	}
	return TL_OK;
}

/* One node: read, or folded if it is the last and may be imperfect. */
static TlStatus
path_put_node(PathWriter *writer, unsigned level, uint64_t index,
			  uint64_t size)
{
	uint64_t	first;			/* leaf of the node */
	TlHash	   *out;

	if (level >= TL_MERKLE_DEPTH_MAX || index > (size - 1) >> level)
		return TL_BUG;
	if (writer->count >= writer->capacity)
		return TL_TOO_LARGE;
	out = &writer->path[writer->count++];

	if (index < (size - 1) >> level)
		return writer->reader(writer->context, out, level, index);

	/* The last node of its level, which may have lost its right part. */
	first = index << level;
	return fold_leaves(writer, out, size, size - first);
}

/* The root over the last leaf_count leaves before end, smallest part first. */
static TlStatus
fold_leaves(const PathWriter *writer, TlHash *out, uint64_t end,
			uint64_t leaf_count)
{
	bool		started = false;

	for (unsigned level = 0; level < TL_MERKLE_DEPTH_MAX; level++)
	{
		TlHash		node;
		TlStatus	status;

		if (!((leaf_count >> level) & 1))
			continue;
		end -= UINT64_C(1) << level;
		status = writer->reader(writer->context, &node, level, end >> level);
		if (status != TL_OK)
			return status;
		if (started)
			tl_merkle_node_hash(out, &node, out);
		else
			*out = node;
		started = true;
	}
	return started ? TL_OK : TL_BUG;
}

/* How many bits from the lowest on are set; at most 64. */
static unsigned
trailing_ones(uint64_t value)
{
	unsigned	count = 0;

	while (value & 1)
	{
		value >>= 1;
		count++;
	}
	return count;
}

static bool
hash_equal(const TlHash *left, const TlHash *right)
{
	return memcmp(left->bytes, right->bytes, TL_HASH_SIZE) == 0;
}
