/*-------------------------------------------------------------------------
 *
 * test_crypto_set_hash.c
 *	  Set hashes: vectors, a slow reference, and what makes them sets.
 *
 *-------------------------------------------------------------------------
 */
#define OPENSSL_SUPPRESS_DEPRECATED

#include "crypto_hash.h"
#include "crypto_set_hash.h"
#include "unit.h"

#include <openssl/aes.h>
#include <string.h>

#define DATA_SIZE_MAX	1024
#define ELEMENTS		40

static TlSetHasher *hasher;
static TlSetHash so_far;		/* of the vectors, which add up */

static void
vector(const UnitRecord *record)
{
	uint8_t		data[DATA_SIZE_MAX];
	uint8_t		bytes[TL_SET_HASH_SIZE];
	uint8_t		some[8];
	size_t		size = unit_bytes(data, sizeof(data), record, "bytes");
	TlSpan		parts[2] = {{data, size / 2}, {data + size / 2, size - size / 2}};
	TlHash		expected,
				element;

	unit_bytes(expected.bytes, TL_HASH_SIZE, record, "element");
	tl_crypto_set_hash_element(&element, parts, 2);
	UNIT_CHECK(memcmp(&element, &expected, TL_HASH_SIZE) == 0);
	UNIT_CHECK(tl_crypto_set_hash_add(&so_far, hasher, &element));

	tl_crypto_set_hash_encode(bytes, &so_far);
	unit_bytes(some, sizeof(some), record, "first_lanes");
	UNIT_CHECK(memcmp(bytes, some, sizeof(some)) == 0);
	unit_bytes(some, sizeof(some), record, "last_lanes");
	UNIT_CHECK(memcmp(bytes + sizeof(bytes) - sizeof(some), some, sizeof(some)) == 0);
	unit_bytes(expected.bytes, TL_HASH_SIZE, record, "digest");
	tl_crypto_set_hash_digest(&element, &so_far);
	UNIT_CHECK(memcmp(&element, &expected, TL_HASH_SIZE) == 0);
}

static void
vectors(void)
{
	hasher = tl_crypto_set_hasher_open();
	tl_crypto_set_hash_init(&so_far);
	UNIT_CHECK(unit_vectors("set_hash.txt", vector) == 5);
	tl_crypto_set_hasher_close(hasher);
}

/* Block by block, number by number, without the cipher's streaming face. */
static void
naive_add(TlSetHash *set, const TlHash *element)
{
	AES_KEY		key;

	AES_set_encrypt_key(element->bytes, 256, &key);
	for (int i = 0; i < TL_SET_HASH_LANES; i += 8)
	{
		uint8_t		counter[16] = {0};
		uint8_t		block[16];

		counter[15] = (uint8_t) (i / 8);
		AES_encrypt(counter, block, &key);
		for (int j = 0; j < 8; j++)
			set->lanes[i + j] = (uint16_t) (set->lanes[i + j] + block[2 * j] * 256 + block[2 * j + 1]);
	}
}

static void
like_the_naive_one(void)
{
	TlSetHash	set,
				naive;

	hasher = tl_crypto_set_hasher_open();
	tl_crypto_set_hash_init(&set);
	tl_crypto_set_hash_init(&naive);
	for (int i = 0; i < ELEMENTS; i++)
	{
		TlHash		element;

		unit_random_bytes(&element, sizeof(element));
		UNIT_CHECK(tl_crypto_set_hash_add(&set, hasher, &element));
		naive_add(&naive, &element);
		UNIT_CHECK(memcmp(&set, &naive, sizeof(set)) == 0);
	}
	tl_crypto_set_hasher_close(hasher);
}

/* In any order, in any groups, with any detours. */
static void
order_makes_no_difference(void)
{
	TlHash		elements[ELEMENTS];
	TlSetHash	first,
				second,
				part;

	hasher = tl_crypto_set_hasher_open();
	unit_random_bytes(elements, sizeof(elements));
	tl_crypto_set_hash_init(&first);
	tl_crypto_set_hash_init(&second);
	tl_crypto_set_hash_init(&part);
	for (int i = 0; i < ELEMENTS; i++)
		UNIT_CHECK(tl_crypto_set_hash_add(&first, hasher, &elements[i]));
	for (int i = ELEMENTS - 1; i >= 0; i--)
		UNIT_CHECK(tl_crypto_set_hash_add(i % 3 == 0 ? &part : &second, hasher, &elements[i]));
	UNIT_CHECK(memcmp(&first, &second, sizeof(first)) != 0);
	tl_crypto_set_hash_combine(&second, &part);
	UNIT_CHECK(memcmp(&first, &second, sizeof(first)) == 0);

	/* out and in again; two out, one of them in again: the other is missed */
	UNIT_CHECK(tl_crypto_set_hash_remove(&second, hasher, &elements[3]));
	UNIT_CHECK(memcmp(&first, &second, sizeof(first)) != 0);
	UNIT_CHECK(tl_crypto_set_hash_remove(&second, hasher, &elements[4]));
	UNIT_CHECK(tl_crypto_set_hash_add(&second, hasher, &elements[3]));
	UNIT_CHECK(memcmp(&first, &second, sizeof(first)) != 0);
	UNIT_CHECK(tl_crypto_set_hash_add(&second, hasher, &elements[4]));
	UNIT_CHECK(memcmp(&first, &second, sizeof(first)) == 0);

	/* twice is not once */
	UNIT_CHECK(tl_crypto_set_hash_add(&second, hasher, &elements[0]));
	UNIT_CHECK(memcmp(&first, &second, sizeof(first)) != 0);
	tl_crypto_set_hasher_close(hasher);
}

/* T1: what has gone leaves nothing behind. */
static void
empty_again(void)
{
	TlHash		elements[ELEMENTS];
	TlSetHash	set,
				other;

	hasher = tl_crypto_set_hasher_open();
	unit_random_bytes(elements, sizeof(elements));
	tl_crypto_set_hash_init(&set);
	UNIT_CHECK(tl_crypto_set_hash_is_empty(&set));
	for (int i = 0; i < ELEMENTS; i++)
	{
		/* sums that pass 2^16 in both directions */
		UNIT_CHECK(i % 2 == 0 ? tl_crypto_set_hash_add(&set, hasher, &elements[i]) :
				   tl_crypto_set_hash_remove(&set, hasher, &elements[i]));
		UNIT_CHECK(!tl_crypto_set_hash_is_empty(&set));
	}
	other = set;
	for (int i = 0; i < ELEMENTS; i++)
		UNIT_CHECK(i % 2 == 0 ? tl_crypto_set_hash_remove(&set, hasher, &elements[i]) :
				   tl_crypto_set_hash_add(&set, hasher, &elements[i]));
	UNIT_CHECK(tl_crypto_set_hash_is_empty(&set));
	tl_crypto_set_hash_subtract(&other, &other);
	UNIT_CHECK(tl_crypto_set_hash_is_empty(&other));
	other.lanes[TL_SET_HASH_LANES - 1] = 1;
	UNIT_CHECK(!tl_crypto_set_hash_is_empty(&other));
	tl_crypto_set_hasher_close(hasher);
}

static void
bytes_and_back(void)
{
	uint8_t		bytes[TL_SET_HASH_SIZE];
	uint8_t		again[TL_SET_HASH_SIZE];
	TlSetHash	set;
	TlHash		digest,
				expected;

	unit_random_bytes(bytes, sizeof(bytes));
	tl_crypto_set_hash_decode(&set, bytes);
	UNIT_CHECK(set.lanes[1] == bytes[2] * 256 + bytes[3]);
	tl_crypto_set_hash_encode(again, &set);
	UNIT_CHECK(memcmp(bytes, again, sizeof(bytes)) == 0);
	tl_crypto_sha256(&expected, bytes, sizeof(bytes));
	tl_crypto_set_hash_digest(&digest, &set);
	UNIT_CHECK(memcmp(&digest, &expected, sizeof(digest)) == 0);
}

UNIT_MAIN(UNIT_CASE(vectors),
		  UNIT_CASE(like_the_naive_one),
		  UNIT_CASE(order_makes_no_difference),
		  UNIT_CASE(empty_again),
		  UNIT_CASE(bytes_and_back))
