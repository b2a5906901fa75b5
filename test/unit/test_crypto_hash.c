/*-------------------------------------------------------------------------
 *
 * test_crypto_hash.c
 *	  SHA-256 and HMAC against the standards' examples, and in any pieces.
 *
 *-------------------------------------------------------------------------
 */
#include "crypto_hash.h"
#include "unit.h"

#include <string.h>

#define DATA_SIZE_MAX	512

static void
sha256_vector(const UnitRecord *record)
{
	uint8_t		message[DATA_SIZE_MAX];
	size_t		size = unit_bytes(message, sizeof(message), record, "message");
	TlHash		expected;
	TlHash		hash;

	unit_bytes(expected.bytes, TL_HASH_SIZE, record, "digest");
	tl_crypto_sha256(&hash, message, size);
	UNIT_CHECK(memcmp(&hash, &expected, TL_HASH_SIZE) == 0);
}

static void
sha256_vectors(void)
{
	UNIT_CHECK(unit_vectors("sha256.txt", sha256_vector) == 3);
}

/* Every cut of every message up to three blocks gives the same hash. */
static void
sha256_in_pieces(void)
{
	uint8_t		message[3 * 64];

	unit_random_bytes(message, sizeof(message));
	for (size_t size = 0; size <= sizeof(message); size++)
	{
		TlHash		whole;

		tl_crypto_sha256(&whole, message, size);
		for (size_t cut = 0; cut <= size; cut++)
		{
			TlSha256	hash;
			TlHash		joined;

			unit_context("size %zu, cut %zu", size, cut);
			tl_crypto_sha256_init(&hash);
			tl_crypto_sha256_update(&hash, message, cut);
			tl_crypto_sha256_update(&hash, NULL, 0);
			tl_crypto_sha256_update(&hash, message + cut, size - cut);
			tl_crypto_sha256_final(&hash, &joined);
			UNIT_CHECK(memcmp(&whole, &joined, TL_HASH_SIZE) == 0);
		}
	}
}

/* Each size of a message that is padded here, and of some that are not. */
static void
sha256_with_a_prefix(void)
{
	uint8_t		data[1 + 600];

	unit_random_bytes(data, sizeof(data));
	for (size_t size = 0; size < sizeof(data); size++)
	{
		TlHash		expected;
		TlHash		hash;

		unit_context("%zu bytes behind the prefix", size);
		tl_crypto_sha256(&expected, data, 1 + size);
		tl_crypto_sha256_prefixed(&hash, data[0], data + 1, size);
		UNIT_CHECK(memcmp(&hash, &expected, TL_HASH_SIZE) == 0);
		tl_crypto_sha256_prefixed(&hash, data[0] ^ 1, data + 1, size);
		UNIT_CHECK(memcmp(&hash, &expected, TL_HASH_SIZE) != 0);
	}
}

static void
final_clears_the_state(void)
{
	static const TlSha256 zero;
	TlSha256	hash;
	TlHash		out;

	memset(&hash, 0xff, sizeof(hash));
	tl_crypto_sha256_init(&hash);
	tl_crypto_sha256_update(&hash, "secret", 6);
	tl_crypto_sha256_final(&hash, &out);
	UNIT_CHECK(memcmp(&hash, &zero, sizeof(hash)) == 0);
}

static void
hmac_vector(const UnitRecord *record)
{
	uint8_t		key[DATA_SIZE_MAX];
	uint8_t		data[DATA_SIZE_MAX];
	uint8_t		expected[TL_HASH_SIZE];
	size_t		key_size = unit_bytes(key, sizeof(key), record, "key");
	size_t		data_size = unit_bytes(data, sizeof(data), record, "data");
	size_t		mac_size = unit_bytes(expected, sizeof(expected), record,
									  "mac");
	TlHash		mac;

	tl_crypto_hmac_sha256(&mac, key, key_size, data, data_size);
	UNIT_CHECK(mac_size >= 16);
	UNIT_CHECK(memcmp(mac.bytes, expected, mac_size) == 0);

	/* And it must depend on every byte of the key. */
	for (size_t i = 0; i < key_size; i++)
	{
		key[i] ^= 1;
		tl_crypto_hmac_sha256(&mac, key, key_size, data, data_size);
		UNIT_CHECK(memcmp(mac.bytes, expected, mac_size) != 0);
		key[i] ^= 1;
	}
}

static void
hmac_vectors(void)
{
	UNIT_CHECK(unit_vectors("hmac_sha256.txt", hmac_vector) == 7);
}

/* Sizes of key and data around the block, against the definition written out. */
static void
hmac_by_definition(void)
{
	uint8_t		key[130];
	uint8_t		data[130];

	unit_random_bytes(key, sizeof(key));
	unit_random_bytes(data, sizeof(data));
	for (size_t key_size = 0; key_size <= sizeof(key); key_size++)
	{
		size_t		data_size = (key_size * 37) % (sizeof(data) + 1);
		uint8_t		inner[64 + sizeof(data)] = {0};
		uint8_t		outer[64 + TL_HASH_SIZE] = {0};
		TlHash		hash;
		TlHash		mac;

		unit_context("key of %zu bytes, data of %zu", key_size, data_size);
		if (key_size > 64)
		{
			tl_crypto_sha256(&hash, key, key_size);
			memcpy(inner, &hash, TL_HASH_SIZE);
		}
		else
			memcpy(inner, key, key_size);
		memcpy(outer, inner, 64);
		for (int i = 0; i < 64; i++)
		{
			inner[i] ^= 0x36;
			outer[i] ^= 0x5c;
		}
		memcpy(inner + 64, data, data_size);
		tl_crypto_sha256(&hash, inner, 64 + data_size);
		memcpy(outer + 64, &hash, TL_HASH_SIZE);
		tl_crypto_sha256(&hash, outer, sizeof(outer));

		tl_crypto_hmac_sha256(&mac, key, key_size, data, data_size);
		UNIT_CHECK(memcmp(&mac, &hash, TL_HASH_SIZE) == 0);
	}
}

UNIT_MAIN(UNIT_CASE(sha256_vectors),
		  UNIT_CASE(sha256_in_pieces),
		  UNIT_CASE(sha256_with_a_prefix),
		  UNIT_CASE(final_clears_the_state),
		  UNIT_CASE(hmac_vectors),
		  UNIT_CASE(hmac_by_definition))
