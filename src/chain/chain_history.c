/*-------------------------------------------------------------------------
 *
 * chain_history.c
 *	  The history tree over block hashes, kept with the blocks.
 *
 * The leaf of height h completes a subtree of 2^l leaves for each l up to the
 * number of trailing one bits of h.  Each block stores these roots, lowest
 * level first; so every perfect subtree is stored exactly once, two hashes a
 * block on average, and no path needs more than one block per node.
 *
 * Pure code: no PostgreSQL, no allocation.
 * Used by the worker (appends) and by receipts (paths).
 *
 *-------------------------------------------------------------------------
 */
#include "chain_history.h"

#include "merkle_hash.h"

TlStatus
tl_chain_history_append(TlMerkleRange *history,
						TlHash nodes[TL_MERKLE_DEPTH_MAX],
						unsigned *count, const TlHash *block_hash)
{
	unsigned	level = 0;

	nodes[0] = *block_hash;
	while (level < 63 && ((history->size >> level) & 1) != 0)
	{
		tl_merkle_node_hash(&nodes[level + 1], &history->nodes[level],
							&nodes[level]);
		level++;
	}
	*count = level + 1;
	return tl_merkle_range_append(history, block_hash);
}

TlStatus
tl_chain_history_locate(uint64_t *height, unsigned level, uint64_t index)
{
	if (level > 63 || index >= (UINT64_MAX >> level))
		return TL_BUG;
	*height = ((index + 1) << level) - 1;
	return TL_OK;
}
