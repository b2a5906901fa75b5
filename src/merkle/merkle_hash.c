/*-------------------------------------------------------------------------
 *
 * merkle_hash.c
 *	  The three hashes of a Merkle tree (RFC 6962 section 2.1).
 *
 *		empty tree	SHA-256()
 *		leaf		SHA-256(0x00 || data)
 *		inner node	SHA-256(0x01 || left 32 || right 32)
 *
 * The first byte keeps a leaf from being passed off as an inner node.
 *
 * Pure code: no PostgreSQL, no allocation.
 *
 *-------------------------------------------------------------------------
 */
#include "merkle_hash.h"

#include "crypto_hash.h"

#include <string.h>

#define LEAF_PREFIX		0x00
#define NODE_PREFIX		0x01

void
tl_merkle_empty_root(TlHash *out)
{
	tl_crypto_sha256(out, NULL, 0);
}

void
tl_merkle_leaf_hash(TlHash *out, const void *data, size_t size)
{
	tl_crypto_sha256_prefixed(out, LEAF_PREFIX, data, size);
}

void
tl_merkle_node_hash(TlHash *out, const TlHash *left, const TlHash *right)
{
	uint8_t		children[2 * TL_HASH_SIZE];

	memcpy(children, left->bytes, TL_HASH_SIZE);
	memcpy(children + TL_HASH_SIZE, right->bytes, TL_HASH_SIZE);
	tl_crypto_sha256_prefixed(out, NODE_PREFIX, children, sizeof(children));
}
