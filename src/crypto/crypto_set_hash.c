/*-------------------------------------------------------------------------
 *
 * crypto_set_hash.c
 *	  A hash of a set that is kept up as elements come and go.
 *
 * LtHash (Bellare and Micciancio, 1997; Lewi and others, 2019): every element
 * becomes 1,024 numbers of 16 bits, and the set's hash is their sums, lane by
 * lane, modulo 2^16.  So the order in which elements come makes no difference,
 * one that leaves is subtracted, and sets that were summed up apart are added.
 * To find two sets with one hash is to find a short vector in a lattice; with
 * fewer or larger lanes it is not that hard, so do not shorten this.
 *
 *		element	SHA-256("telco_ledger/1/set" || its bytes), 32
 *		lanes	2,048 bytes of AES-256-CTR under that key, counter from 0,
 *				as 1,024 numbers of two bytes, big-endian
 *		digest	SHA-256 of the sums, 1,024 numbers of two bytes, big-endian
 *
 * Invariants
 *	  T1  the empty set has zeros in all lanes
 *	  T2  add and remove of one element undo each other, in any order
 *
 * A set in this sense counts: an element that is added twice is there twice.  It does so
 * modulo 2^16, and whoever may repeat elements finds other sets with the same hash by
 * linear algebra.  So a caller has to make sure that each element is there at most once;
 * where others choose the elements, by keys that are there and unique.
 *
 * Pure code: no PostgreSQL.  The cipher allocates in tl_crypto_set_hasher_open
 * only; the low level of the library, which would not, is eight times as slow.
 *
 *-------------------------------------------------------------------------
 */
#include "crypto_set_hash.h"

#include "crypto_hash.h"

#include <openssl/err.h>
#include <openssl/evp.h>
#include <string.h>

#define TAG			"telco_ledger/1/set"
#define IV_SIZE		16

static bool lanes_of(uint16_t lanes[TL_SET_HASH_LANES], TlSetHasher *hasher,
					 const TlHash *element);
static void read_lanes(uint16_t lanes[TL_SET_HASH_LANES],
					   const uint8_t data[TL_SET_HASH_SIZE]);

TlSetHasher *
tl_crypto_set_hasher_open(void)
{
	TlSetHasher *hasher;

	ERR_set_mark();
	hasher = EVP_CIPHER_CTX_new();
	if (hasher != NULL &&
		EVP_EncryptInit_ex(hasher, EVP_aes_256_ctr(), NULL, NULL, NULL) != 1)
	{
		EVP_CIPHER_CTX_free(hasher);
		hasher = NULL;
	}
	ERR_pop_to_mark();			/* the queue is left as it was found */
	return hasher;
}

void
tl_crypto_set_hasher_close(TlSetHasher *hasher)
{
	EVP_CIPHER_CTX_free(hasher);
}

void
tl_crypto_set_hash_element(TlHash *out, const TlSpan *parts, unsigned count)
{
	TlSha256	hash;

	tl_crypto_sha256_init(&hash);
	tl_crypto_sha256_update(&hash, TAG, sizeof(TAG) - 1);
	for (unsigned i = 0; i < count; i++)
		tl_crypto_sha256_update(&hash, parts[i].data, parts[i].size);
	tl_crypto_sha256_final(&hash, out);
}

void
tl_crypto_set_hash_init(TlSetHash *set)
{
	memset(set, 0, sizeof(*set));
}

bool
tl_crypto_set_hash_is_empty(const TlSetHash *set)
{
	for (int i = 0; i < TL_SET_HASH_LANES; i++)
	{
		if (set->lanes[i] != 0)
			return false;
	}
	return true;
}

bool
tl_crypto_set_hash_add(TlSetHash *set, TlSetHasher *hasher,
					   const TlHash *element)
{
	TlSetHash	one;

	if (!lanes_of(one.lanes, hasher, element))
		return false;
	tl_crypto_set_hash_combine(set, &one);
	return true;
}

bool
tl_crypto_set_hash_remove(TlSetHash *set, TlSetHasher *hasher,
						  const TlHash *element)
{
	TlSetHash	one;

	if (!lanes_of(one.lanes, hasher, element))
		return false;
	tl_crypto_set_hash_subtract(set, &one);
	return true;
}

static bool
lanes_of(uint16_t lanes[TL_SET_HASH_LANES], TlSetHasher *hasher,
		 const TlHash *element)
{
	static const uint8_t zeros[TL_SET_HASH_SIZE];
	static const uint8_t iv[IV_SIZE];
	uint8_t		stream[TL_SET_HASH_SIZE];
	int			size = 0;
	bool		made;

	ERR_set_mark();
	made = EVP_EncryptInit_ex(hasher, NULL, NULL, element->bytes, iv) == 1 &&
		EVP_EncryptUpdate(hasher, stream, &size, zeros, sizeof(zeros)) == 1 &&
		size == TL_SET_HASH_SIZE;
	ERR_pop_to_mark();
	if (made)
		read_lanes(lanes, stream);
	return made;
}

static void
read_lanes(uint16_t lanes[TL_SET_HASH_LANES],
		   const uint8_t data[TL_SET_HASH_SIZE])
{
	for (int i = 0; i < TL_SET_HASH_LANES; i++)
		lanes[i] = (uint16_t) (data[2 * i] << 8 | data[2 * i + 1]);
}

void
tl_crypto_set_hash_combine(TlSetHash *set, const TlSetHash *other)
{
	for (int i = 0; i < TL_SET_HASH_LANES; i++)
		set->lanes[i] = (uint16_t) (set->lanes[i] + other->lanes[i]);
}

void
tl_crypto_set_hash_subtract(TlSetHash *set, const TlSetHash *other)
{
	for (int i = 0; i < TL_SET_HASH_LANES; i++)
		set->lanes[i] = (uint16_t) (set->lanes[i] - other->lanes[i]);
}

void
tl_crypto_set_hash_encode(uint8_t out[TL_SET_HASH_SIZE], const TlSetHash *set)
{
	for (int i = 0; i < TL_SET_HASH_LANES; i++)
	{
		out[2 * i] = (uint8_t) (set->lanes[i] >> 8);
		out[2 * i + 1] = (uint8_t) set->lanes[i];
	}
}

void
tl_crypto_set_hash_decode(TlSetHash *out, const uint8_t data[TL_SET_HASH_SIZE])
{
	read_lanes(out->lanes, data);
}

void
tl_crypto_set_hash_digest(TlHash *out, const TlSetHash *set)
{
	uint8_t		bytes[TL_SET_HASH_SIZE];

	tl_crypto_set_hash_encode(bytes, set);
	tl_crypto_sha256(out, bytes, sizeof(bytes));
}
