/*-------------------------------------------------------------------------
 *
 * merkle_range.c
 *	  A growing Merkle tree in 2 KB: the roots of its perfect subtrees.
 *
 * A tree of size leaves is, from left to right, one perfect subtree for each
 * set bit of size, the largest first.  Eleven leaves (binary 1011):
 *
 *		level 3		      [ 0 .. 7 ]
 *		level 1		                  [ 8 9 ]
 *		level 0		                          [ 10 ]
 *
 * Appending a leaf is adding one to size: each carry joins two subtrees of one
 * level into one of the next.
 *
 * Invariants
 *	  M1  nodes[level] is the root of the subtree for bit level of size
 *	  M2  an append costs one hash per carry, two steps on average
 *
 * Pure code: no PostgreSQL, no allocation.
 *
 *-------------------------------------------------------------------------
 */
#include "merkle_range.h"

#include "merkle_hash.h"

#include <string.h>

void
tl_merkle_range_init(TlMerkleRange *range)
{
	memset(range, 0, sizeof(*range));
}

TlStatus
tl_merkle_range_append(TlMerkleRange *range, const TlHash *leaf_hash)
{
	return tl_merkle_range_append_node(range, 0, leaf_hash);
}

TlStatus
tl_merkle_range_append_node(TlMerkleRange *range, unsigned level,
							const TlHash *node)
{
	TlHash		carry = *node;
	uint64_t	leaf_count;

	if (level >= TL_MERKLE_DEPTH_MAX)
		return TL_TOO_LARGE;
	leaf_count = UINT64_C(1) << level;
	if (range->size & (leaf_count - 1))
		return TL_BAD_ORDER;
	if (range->size > UINT64_MAX - leaf_count)
		return TL_TOO_LARGE;
	while ((range->size >> level) & 1)
	{
		tl_merkle_node_hash(&carry, &range->nodes[level], &carry);
		level++;
	}
	range->nodes[level] = carry;
	range->size += leaf_count;
	return TL_OK;
}

/* Fold from the right: the smallest subtrees are deepest in the tree. */
void
tl_merkle_range_root(const TlMerkleRange *range, TlHash *out)
{
	bool		started = false;

	for (unsigned level = 0; level < TL_MERKLE_DEPTH_MAX; level++)
	{
		if (!((range->size >> level) & 1))
			continue;
		if (started)
			tl_merkle_node_hash(out, &range->nodes[level], out);
		else
			*out = range->nodes[level];
		started = true;
	}
	if (!started)
		tl_merkle_empty_root(out);
}
