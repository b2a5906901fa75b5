/*-------------------------------------------------------------------------
 *
 * merkle_proof.h
 *	  That a leaf is in a tree; that a tree continues an older one.
 *
 * Pure code: no PostgreSQL, no allocation.
 *
 *-------------------------------------------------------------------------
 */
#ifndef MERKLE_PROOF_H
#define MERKLE_PROOF_H

#include "tl_limits.h"
#include "tl_status.h"
#include "tl_types.h"

/* Enough room for every path that these functions write. */
#define TL_MERKLE_PATH_MAX	(TL_MERKLE_DEPTH_MAX + 1)

/*
 * Reads the root of the perfect subtree number index (from 0) of 2^level
 * leaves.  Only subtrees that are complete in the tree are asked for; an error
 * ends the path and is handed to its caller.
 */
typedef TlStatus (*TlMerkleNodeReader) (void *context, TlHash *out,
										unsigned level, uint64_t index);

/*
 * Write the path that *_verify takes.  *count is the capacity of path when
 * called and the hashes in it when TL_OK is returned.
 *
 * Requires index < size, or 0 < old_size <= new_size; otherwise TL_BUG.
 * TL_TOO_LARGE if the capacity is too small.
 */
extern TlStatus tl_merkle_inclusion_path(TlHash *path, unsigned *count,
										 uint64_t index, uint64_t size,
										 TlMerkleNodeReader reader,
										 void *context);
extern TlStatus tl_merkle_consistency_path(TlHash *path, unsigned *count,
										   uint64_t old_size,
										   uint64_t new_size,
										   TlMerkleNodeReader reader,
										   void *context);

/*
 * True if path proves that leaf is number index of the tree of size leaves
 * under root.  Any input is allowed; what cannot be is false.
 */
extern bool tl_merkle_inclusion_verify(const TlHash *leaf, uint64_t index,
									   uint64_t size, const TlHash *path,
									   unsigned count, const TlHash *root);

/*
 * True if path proves that the first old_size leaves of the new tree are those
 * of the old one.  An empty old tree proves nothing and is false.
 */
extern bool tl_merkle_consistency_verify(uint64_t old_size, uint64_t new_size,
										 const TlHash *path, unsigned count,
										 const TlHash *old_root,
										 const TlHash *new_root);

#endif							/* MERKLE_PROOF_H */
