/*-------------------------------------------------------------------------
 *
 * crypto_hash.h
 *	  SHA-256, at once or in pieces, and HMAC-SHA-256.
 *
 * Pure code: no PostgreSQL, no allocation.
 *
 *-------------------------------------------------------------------------
 */
#ifndef CRYPTO_HASH_H
#define CRYPTO_HASH_H

#include "tl_types.h"

/*
 * A hash that is being fed.  Lives wherever the caller puts it and needs no
 * release; the words inside are the library's, not ours.
 */
typedef struct TlSha256
{
	uint64_t	state[16];
} TlSha256;

extern void tl_crypto_sha256(TlHash *out, const void *data, size_t size);

extern void tl_crypto_sha256_prefixed(TlHash *out, uint8_t prefix,
									  const void *data, size_t size);

extern void tl_crypto_sha256_init(TlSha256 *hash);
extern void tl_crypto_sha256_update(TlSha256 *hash, const void *data,
									size_t size);
extern void tl_crypto_sha256_final(TlSha256 *hash, TlHash *out);

extern void tl_crypto_hmac_sha256(TlHash *out, const void *key,
								  size_t key_size, const void *data,
								  size_t size);

/*
 * HMAC under one key again and again: what the key alone decides is computed
 * once.  Holds what is as secret as the key.
 */
typedef struct TlHmacKey
{
	TlSha256	inner;
	TlSha256	outer;
} TlHmacKey;

extern void tl_crypto_hmac_prepare(TlHmacKey *prepared, const void *key,
								   size_t key_size);
extern void tl_crypto_hmac_prepared(TlHash *out, const TlHmacKey *prepared,
									const void *data, size_t size);

#endif							/* CRYPTO_HASH_H */
