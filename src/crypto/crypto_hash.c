/*-------------------------------------------------------------------------
 *
 * crypto_hash.c
 *	  SHA-256, at once or in pieces, and HMAC-SHA-256.
 *
 * The hash is OpenSSL's, through the functions of its low level, because those
 * work in the caller's memory: a row is hashed in a commit, where nothing may
 * allocate and nothing may fail.  OpenSSL 3 calls these functions deprecated
 * but keeps them; its high level allocates a context and looks up a provider
 * for each hash, which costs more than hashing a short row.  HMAC (RFC 2104)
 * is built here from the hash for the same reason.
 *
 * Invariants
 *	  H1  a TlSha256 is used init, update*, final; final clears it
 *	  H2  bytes of a key do not stay on the stack
 *
 * Pure code: no PostgreSQL, no allocation.
 *
 *-------------------------------------------------------------------------
 */
#define OPENSSL_SUPPRESS_DEPRECATED

#include "crypto_hash.h"

#include <openssl/crypto.h>
#include <openssl/sha.h>
#include <stdalign.h>
#include <string.h>

#define BLOCK_SIZE	64			/* of SHA-256 */

static SHA256_CTX *library_context(TlSha256 *hash);

void
tl_crypto_sha256(TlHash *out, const void *data, size_t size)
{
	TlSha256	hash;

	tl_crypto_sha256_init(&hash);
	tl_crypto_sha256_update(&hash, data, size);
	tl_crypto_sha256_final(&hash, out);
}

void
tl_crypto_sha256_init(TlSha256 *hash)
{
	SHA256_Init(library_context(hash));
}

/* data may be NULL when size is 0. */
void
tl_crypto_sha256_update(TlSha256 *hash, const void *data, size_t size)
{
	if (size > 0)
		SHA256_Update(library_context(hash), data, size);
}

void
tl_crypto_sha256_final(TlSha256 *hash, TlHash *out)
{
	SHA256_Final(out->bytes, library_context(hash));
	OPENSSL_cleanse(hash, sizeof(*hash));
}

/* RFC 2104 with SHA-256; out may be the same memory as key or data. */
void
tl_crypto_hmac_sha256(TlHash *out, const void *key, size_t key_size,
					  const void *data, size_t size)
{
	TlHmacKey	prepared;

	tl_crypto_hmac_prepare(&prepared, key, key_size);
	tl_crypto_hmac_prepared(out, &prepared, data, size);
	OPENSSL_cleanse(&prepared, sizeof(prepared));
}

/* The two hashes after their first block, which is the key's alone. */
void
tl_crypto_hmac_prepare(TlHmacKey *prepared, const void *key, size_t key_size)
{
	uint8_t		block[BLOCK_SIZE] = {0};

	if (key_size > BLOCK_SIZE)
	{
		TlHash		hashed;

		tl_crypto_sha256(&hashed, key, key_size);
		memcpy(block, hashed.bytes, TL_HASH_SIZE);
		OPENSSL_cleanse(&hashed, sizeof(hashed));
	}
	else if (key_size > 0)
		memcpy(block, key, key_size);

	for (int i = 0; i < BLOCK_SIZE; i++)
		block[i] ^= 0x36;
	tl_crypto_sha256_init(&prepared->inner);
	tl_crypto_sha256_update(&prepared->inner, block, BLOCK_SIZE);
	for (int i = 0; i < BLOCK_SIZE; i++)
		block[i] ^= 0x36 ^ 0x5c;
	tl_crypto_sha256_init(&prepared->outer);
	tl_crypto_sha256_update(&prepared->outer, block, BLOCK_SIZE);
	OPENSSL_cleanse(block, sizeof(block));
}

void
tl_crypto_hmac_prepared(TlHash *out, const TlHmacKey *prepared,
						const void *data, size_t size)
{
	TlHash		inner;
	TlSha256	hash = prepared->inner;

	tl_crypto_sha256_update(&hash, data, size);
	tl_crypto_sha256_final(&hash, &inner);
	hash = prepared->outer;
	tl_crypto_sha256_update(&hash, inner.bytes, TL_HASH_SIZE);
	tl_crypto_sha256_final(&hash, out);
	OPENSSL_cleanse(&inner, sizeof(inner));
}

/* Our opaque words as the library's struct, which must fit in them. */
static SHA256_CTX *
library_context(TlSha256 *hash)
{
	_Static_assert(sizeof(SHA256_CTX) <= sizeof(TlSha256),
				   "TlSha256 is too small for the library's context");
	_Static_assert(alignof(SHA256_CTX) <= alignof(TlSha256),
				   "TlSha256 is not aligned for the library's context");
	return (SHA256_CTX *) (void *) hash;
}
