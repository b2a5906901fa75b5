/*-------------------------------------------------------------------------
 *
 * merkle_hash.h
 *	  The three hashes of a Merkle tree (RFC 6962 section 2.1).
 *
 * Pure code: no PostgreSQL, no allocation.
 *
 *-------------------------------------------------------------------------
 */
#ifndef MERKLE_HASH_H
#define MERKLE_HASH_H

#include "tl_types.h"

extern void tl_merkle_empty_root(TlHash *out);
extern void tl_merkle_leaf_hash(TlHash *out, const void *data, size_t size);

/* out may be left or right. */
extern void tl_merkle_node_hash(TlHash *out, const TlHash *left,
								const TlHash *right);

#endif							/* MERKLE_HASH_H */
