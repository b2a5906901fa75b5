/*-------------------------------------------------------------------------
 *
 * merkle_cover.c
 *	  One proof for many leaves of a tree.
 *
 * The leaves between two proved ones, before the first and after the last are
 * covered by perfect subtrees, each the largest that starts there and is not
 * too long.  Their roots, in order, are the proof:
 *
 *		leaves		0 1 2 3 4 5 6 7 8 9 10		proved: 2 and 7
 *		nodes		0-1, 3, 4-5, 6, 8-9, 10
 *
 * Whoever has the proved leaves appends both in turn to a compact range, in
 * 2 KB of memory, and compares the root.  So k leaves of n need about
 * k log(n / k) hashes rather than k log n, and each is hashed once.
 *
 * Invariants
 *	  C1  the nodes follow from the places of the leaves and the size alone, so
 *		  that one set of leaves has one proof
 *
 * Pure code: no PostgreSQL, no allocation.
 * Used by receipts of many rows and by whoever checks them.
 *
 *-------------------------------------------------------------------------
 */
#include "merkle_cover.h"

static unsigned cover_level(uint64_t from, uint64_t to);

TlStatus
tl_merkle_cover_write(TlWriter *nodes, uint64_t from, uint64_t to,
					  TlMerkleNodeReader reader, void *context)
{
	while (from < to)
	{
		unsigned	level = cover_level(from, to);
		TlHash		node;
		TlStatus	status = reader(context, &node, level, from >> level);

		if (status != TL_OK)
			return status;
		tl_put_hash(nodes, &node);
		from += UINT64_C(1) << level;
	}
	return TL_OK;
}

TlStatus
tl_merkle_cover_read(TlMerkleRange *range, uint64_t to, TlReader *nodes)
{
	if (range->size > to)
		return TL_BAD_PROOF;
	while (range->size < to)
	{
		TlHash		node;
		TlStatus	status;

		tl_get_hash(nodes, &node);
		if (nodes->truncated)
			return TL_BAD_PROOF;
		status = tl_merkle_range_append_node(range,
											 cover_level(range->size, to), &node);
		if (status != TL_OK)
			return status;
	}
	return TL_OK;
}

/* Of the largest perfect subtree that starts at `from` and ends by `to`. */
static unsigned
cover_level(uint64_t from, uint64_t to)
{
	unsigned	level = 0;

	while (level < TL_MERKLE_DEPTH_MAX - 1 && !((from >> level) & 1) &&
		   to - from >= UINT64_C(2) << level)
		level++;
	return level;
}
