/*-------------------------------------------------------------------------
 *
 * crypto_set_hash.h
 *	  A hash of a set that is kept up as elements come and go.
 *
 * Pure code: no PostgreSQL; only the hasher allocates.
 *
 *-------------------------------------------------------------------------
 */
#ifndef CRYPTO_SET_HASH_H
#define CRYPTO_SET_HASH_H

#include "tl_types.h"

#define TL_SET_HASH_LANES	1024
#define TL_SET_HASH_SIZE	(2 * TL_SET_HASH_LANES)

typedef struct TlSetHash
{
	uint16_t	lanes[TL_SET_HASH_LANES];
} TlSetHash;

/* The cipher, set up once for many elements: the library's context, not ours. */
typedef struct evp_cipher_ctx_st TlSetHasher;

extern TlSetHasher *tl_crypto_set_hasher_open(void);	/* NULL: no memory */
extern void tl_crypto_set_hasher_close(TlSetHasher *hasher);

/* What stands for an element: the hash of its parts, one behind the other. */
extern void tl_crypto_set_hash_element(TlHash *out, const TlSpan *parts,
									   unsigned count);

extern void tl_crypto_set_hash_init(TlSetHash *set);
extern bool tl_crypto_set_hash_is_empty(const TlSetHash *set);

/* False if the library fails; the set is then unchanged. */
extern bool tl_crypto_set_hash_add(TlSetHash *set, TlSetHasher *hasher,
								   const TlHash *element);
extern bool tl_crypto_set_hash_remove(TlSetHash *set, TlSetHasher *hasher,
									  const TlHash *element);

/* All that is in the other set, at once; set may be other. */
extern void tl_crypto_set_hash_combine(TlSetHash *set, const TlSetHash *other);
extern void tl_crypto_set_hash_subtract(TlSetHash *set,
										const TlSetHash *other);

extern void tl_crypto_set_hash_encode(uint8_t out[TL_SET_HASH_SIZE],
									  const TlSetHash *set);
extern void tl_crypto_set_hash_decode(TlSetHash *out,
									  const uint8_t data[TL_SET_HASH_SIZE]);
extern void tl_crypto_set_hash_digest(TlHash *out, const TlSetHash *set);

#endif							/* CRYPTO_SET_HASH_H */
