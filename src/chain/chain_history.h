/*-------------------------------------------------------------------------
 *
 * chain_history.h
 *	  The history tree over block hashes, kept with the blocks.
 *
 *-------------------------------------------------------------------------
 */
#ifndef CHAIN_HISTORY_H
#define CHAIN_HISTORY_H

#include "merkle_range.h"
#include "tl_status.h"
#include "tl_types.h"

/*
 * Append a block's hash.  nodes gets the roots of all perfect subtrees that
 * this leaf completes: of 1, 2, 4, ... leaves, *count of them.  They are what
 * is stored with the block.
 */
extern TlStatus tl_chain_history_append(TlMerkleRange *history,
										TlHash nodes[TL_MERKLE_DEPTH_MAX],
										unsigned *count,
										const TlHash *block_hash);

/* Height of the block whose stored nodes hold that subtree's root. */
extern TlStatus tl_chain_history_locate(uint64_t *height, unsigned level,
										uint64_t index);

#endif							/* CHAIN_HISTORY_H */
