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
 * What is hashed most is short: rows, nodes of trees, refs.  Such a message is
 * put into whole blocks here, padding included, so that the library gets it in
 * one call and keeps nothing of it (FIPS 180-4, 5.1.1).
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

/* Behind the message at least: one byte and its length in bits. */
#define PADDING_SIZE	9

/* What is hashed in whole blocks at once, with its padding. */
#define SHORT_SIZE		(8 * BLOCK_SIZE)

static void hash_blocks(TlHash *out, SHA256_CTX *context, uint8_t *blocks,
						size_t size, size_t size_before);
static void hmac_short(TlHash *out, const TlHmacKey *prepared, const void *data,
					   size_t size);
static SHA256_CTX *library_context(TlSha256 *hash);

void
tl_crypto_sha256(TlHash *out, const void *data, size_t size)
{
	TlSha256	hash;

	tl_crypto_sha256_init(&hash);
	tl_crypto_sha256_update(&hash, data, size);
	tl_crypto_sha256_final(&hash, out);
}

/*
 * One byte, and data behind it.  For what is no secret: the stack is not
 * cleared.
 */
void
tl_crypto_sha256_prefixed(TlHash *out, uint8_t prefix, const void *data,
						  size_t size)
{
	uint8_t		blocks[SHORT_SIZE];
	SHA256_CTX	context;

	SHA256_Init(&context);
	if (size <= SHORT_SIZE - PADDING_SIZE - 1)
	{
		blocks[0] = prefix;
		if (size > 0)
			memcpy(blocks + 1, data, size);
		hash_blocks(out, &context, blocks, 1 + size, 0);
		return;
	}
	SHA256_Update(&context, &prefix, 1);
	SHA256_Update(&context, data, size);
	SHA256_Final(out->bytes, &context);
}

/*
 * The last bytes of a message, in blocks with room for the padding.  Whole
 * blocks went before.
 */
static void
hash_blocks(TlHash *out, SHA256_CTX *context, uint8_t *blocks, size_t size,
			size_t size_before)
{
	size_t		padded = (size + PADDING_SIZE + BLOCK_SIZE - 1) / BLOCK_SIZE * BLOCK_SIZE;
	uint64_t	bits = ((uint64_t) size_before + size) * 8;

	blocks[size] = 0x80;
	memset(blocks + size + 1, 0, padded - size - PADDING_SIZE);
	for (int i = 0; i < 8; i++)
		blocks[padded - 8 + i] = (uint8_t) (bits >> (56 - 8 * i));
	SHA256_Update(context, blocks, padded);
	for (int i = 0; i < 8; i++)
	{
		SHA_LONG	word = context->h[i];

		out->bytes[4 * i] = (uint8_t) (word >> 24);
		out->bytes[4 * i + 1] = (uint8_t) (word >> 16);
		out->bytes[4 * i + 2] = (uint8_t) (word >> 8);
		out->bytes[4 * i + 3] = (uint8_t) word;
	}
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

	if (size <= BLOCK_SIZE - PADDING_SIZE)
	{
		hmac_short(out, prepared, data, size);
		return;
	}
	tl_crypto_sha256_update(&hash, data, size);
	tl_crypto_sha256_final(&hash, &inner);
	hash = prepared->outer;
	tl_crypto_sha256_update(&hash, inner.bytes, TL_HASH_SIZE);
	tl_crypto_sha256_final(&hash, out);
	OPENSSL_cleanse(&inner, sizeof(inner));
}

/* The data in one block, its padding included. */
static void
hmac_short(TlHash *out, const TlHmacKey *prepared, const void *data, size_t size)
{
	struct
	{
		TlSha256	hash;
		uint8_t		block[BLOCK_SIZE];
	}			work;

	work.hash = prepared->inner;
	if (size > 0)
		memcpy(work.block, data, size);
	hash_blocks(out, library_context(&work.hash), work.block, size, BLOCK_SIZE);
	work.hash = prepared->outer;
	memcpy(work.block, out->bytes, TL_HASH_SIZE);
	hash_blocks(out, library_context(&work.hash), work.block, TL_HASH_SIZE, BLOCK_SIZE);
	OPENSSL_cleanse(&work, sizeof(work));
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
