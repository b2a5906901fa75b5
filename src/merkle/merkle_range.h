/*-------------------------------------------------------------------------
 *
 * merkle_range.h
 *	  A growing Merkle tree in 2 KB: the roots of its perfect subtrees.
 *
 * Pure code: no PostgreSQL, no allocation.
 *
 *-------------------------------------------------------------------------
 */
#ifndef MERKLE_RANGE_H
#define MERKLE_RANGE_H

#include "tl_limits.h"
#include "tl_status.h"
#include "tl_types.h"

/* nodes[level] counts only while bit level of size is set. */
typedef struct TlMerkleRange
{
	uint64_t	size;			/* leaves so far */
	TlHash		nodes[TL_MERKLE_DEPTH_MAX];
} TlMerkleRange;

extern void tl_merkle_range_init(TlMerkleRange *range);

/* TL_OK, or TL_TOO_LARGE after 2^64 - 1 leaves; the range is then unchanged. */
extern TlStatus tl_merkle_range_append(TlMerkleRange *range,
									   const TlHash *leaf_hash);

/*
 * Append a perfect subtree of 2^level leaves by its root.  TL_BAD_ORDER if none
 * of that size can start here: size must be a multiple of 2^level.
 */
extern TlStatus tl_merkle_range_append_node(TlMerkleRange *range,
											unsigned level,
											const TlHash *node);

/* The root over all leaves so far; the range can still grow. */
extern void tl_merkle_range_root(const TlMerkleRange *range, TlHash *out);

#endif							/* MERKLE_RANGE_H */
