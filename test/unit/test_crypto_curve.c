/*-------------------------------------------------------------------------
 *
 * test_crypto_curve.c
 *	  Signatures: the world's vectors, and every way to be told no.
 *
 *-------------------------------------------------------------------------
 */
#include "crypto_curve.h"

#include "crypto_hash.h"
#include "unit.h"

#include <openssl/err.h>
#include <string.h>

#define SIZE_MAX_OF_VECTOR	4096

/* The orders of the two groups. */
#define ORDER_SECP256K1 \
	"fffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364141"
#define ORDER_P256 \
	"ffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551"

static int	valid_count;
static int	invalid_count;

static const uint8_t zero[TL_KEY_UNCOMPRESSED_SIZE];

/* What the record expects, counted so that neither answer is never asked. */
static bool
expected_result(const UnitRecord *record)
{
	bool		valid = strcmp(unit_text(record, "result"), "valid") == 0;

	if (valid)
		valid_count++;
	else
		invalid_count++;
	return valid;
}

static void
vectors_with_both_results(const char *name, void (*use) (const UnitRecord *),
						  int valid, int invalid)
{
	valid_count = 0;
	invalid_count = 0;
	unit_vectors(name, use);
	unit_context("%s: %d valid, %d invalid", name, valid_count, invalid_count);
	UNIT_CHECK(valid_count == valid && invalid_count == invalid);
}

static void
digest_of_message(TlHash *digest, const UnitRecord *record)
{
	uint8_t		message[SIZE_MAX_OF_VECTOR];
	size_t		size = unit_bytes(message, sizeof(message), record, "message");

	tl_crypto_sha256(digest, message, size);
}

/* order - number, 32 bytes big-endian; the other s of a signature. */
static void
negate(uint8_t number[32], const char *order)
{
	uint8_t		minuend[32];
	int			borrow = 0;

	unit_hex(minuend, sizeof(minuend), order);
	for (int i = 31; i >= 0; i--)
	{
		int			difference = minuend[i] - number[i] - borrow;

		borrow = difference < 0;
		number[i] = (uint8_t) (difference & 0xff);
	}
}

/* The compressed form of an uncompressed key, of either curve. */
static void
compress(uint8_t out[TL_KEY_SIZE], const uint8_t key[TL_KEY_UNCOMPRESSED_SIZE])
{
	out[0] = (key[TL_KEY_UNCOMPRESSED_SIZE - 1] & 1) ? 3 : 2;
	memcpy(out + 1, key + 1, 32);
}

static void
ecdsa_der_vector(const UnitRecord *record)
{
	uint8_t		key[TL_KEY_UNCOMPRESSED_SIZE];
	uint8_t		short_key[TL_KEY_SIZE];
	uint8_t		signature[SIZE_MAX_OF_VECTOR];
	size_t		size = unit_bytes(signature, sizeof(signature), record,
								  "signature");
	bool		expected = expected_result(record);
	TlHash		digest;

	digest_of_message(&digest, record);
	UNIT_CHECK(unit_bytes(key, sizeof(key), record, "key") == sizeof(key));
	compress(short_key, key);
	UNIT_CHECK(tl_crypto_ecdsa_verify_der(signature, size, digest.bytes, key,
										  sizeof(key)) == expected);
	UNIT_CHECK(tl_crypto_ecdsa_verify_der(signature, size, digest.bytes,
										  short_key,
										  sizeof(short_key)) == expected);
	if (!expected)
		return;

	/* Strict: no byte more, no byte less. */
	signature[size] = 0;
	UNIT_CHECK(!tl_crypto_ecdsa_verify_der(signature, size + 1, digest.bytes,
										   key, sizeof(key)));
	for (size_t cut = 0; cut < size; cut++)
		UNIT_CHECK(!tl_crypto_ecdsa_verify_der(signature, cut, digest.bytes,
											   key, sizeof(key)));
	digest.bytes[0] ^= 1;
	UNIT_CHECK(!tl_crypto_ecdsa_verify_der(signature, size, digest.bytes, key,
										   sizeof(key)));
}

static void
ecdsa_der_vectors(void)
{
	vectors_with_both_results("ecdsa_der.txt", ecdsa_der_vector, 94, 132);
}

static void
ecdsa_compact_vector(const UnitRecord *record)
{
	uint8_t		key[TL_KEY_UNCOMPRESSED_SIZE];
	uint8_t		short_key[TL_KEY_SIZE];
	uint8_t		signature[SIZE_MAX_OF_VECTOR];
	size_t		size = unit_bytes(signature, sizeof(signature), record,
								  "signature");
	bool		expected = expected_result(record);
	TlHash		digest;

	digest_of_message(&digest, record);
	unit_bytes(key, sizeof(key), record, "key");
	compress(short_key, key);

	/* Another size never reaches this function: its callers check. */
	if (size != TL_SIGNATURE_SIZE)
	{
		UNIT_CHECK(!expected);
		return;
	}
	UNIT_CHECK(tl_crypto_ecdsa_verify(signature, digest.bytes, key,
									  sizeof(key)) == expected);
	UNIT_CHECK(tl_crypto_ecdsa_verify(signature, digest.bytes, short_key,
									  sizeof(short_key)) == expected);

	/* The other s turns every valid one into an invalid one and back. */
	negate(signature + 32, ORDER_SECP256K1);
	if (expected)
		UNIT_CHECK(!tl_crypto_ecdsa_verify(signature, digest.bytes, key,
										   sizeof(key)));
	if (strstr(unit_text(record, "flags"), "UpperS") != NULL)
		UNIT_CHECK(tl_crypto_ecdsa_verify(signature, digest.bytes, key,
										  sizeof(key)));
}

static void
ecdsa_compact_vectors(void)
{
	vectors_with_both_results("ecdsa_compact.txt", ecdsa_compact_vector, 60, 106);
}

static void
es256_vector(const UnitRecord *record)
{
	uint8_t		key[TL_KEY_UNCOMPRESSED_SIZE];
	uint8_t		short_key[TL_KEY_SIZE];
	uint8_t		signature[SIZE_MAX_OF_VECTOR];
	size_t		size = unit_bytes(signature, sizeof(signature), record,
								  "signature");
	bool		expected = expected_result(record);
	TlHash		digest;

	digest_of_message(&digest, record);
	unit_bytes(key, sizeof(key), record, "key");
	compress(short_key, key);
	UNIT_CHECK(tl_crypto_es256_key_check(key, sizeof(key)) == TL_OK);
	if (size != TL_SIGNATURE_SIZE)
	{
		UNIT_CHECK(!expected);
		return;
	}
	UNIT_CHECK(tl_crypto_es256_verify(signature, digest.bytes, key,
									  sizeof(key)) == expected);
	UNIT_CHECK(tl_crypto_es256_verify(signature, digest.bytes, short_key,
									  sizeof(short_key)) == expected);
	if (!expected)
		return;

	/* Both s are valid; another digest or another key is not. */
	negate(signature + 32, ORDER_P256);
	UNIT_CHECK(tl_crypto_es256_verify(signature, digest.bytes, key,
									  sizeof(key)));
	short_key[0] ^= 1;
	UNIT_CHECK(!tl_crypto_es256_verify(signature, digest.bytes, short_key,
									   sizeof(short_key)));
	digest.bytes[31] ^= 0x80;
	UNIT_CHECK(!tl_crypto_es256_verify(signature, digest.bytes, key,
									   sizeof(key)));
}

static void
es256_vectors(void)
{
	vectors_with_both_results("es256_rfc6979.txt", es256_vector, 2, 0);
	vectors_with_both_results("es256_wycheproof.txt", es256_vector, 82, 56);
}

/* Every bit of signature, digest and key counts. */
static void
es256_bit_by_bit(void)
{
	uint8_t		bytes[TL_SIGNATURE_SIZE + TL_DIGEST_SIZE +
					  TL_KEY_UNCOMPRESSED_SIZE];
	uint8_t    *digest = bytes + TL_SIGNATURE_SIZE;
	uint8_t    *key = digest + TL_DIGEST_SIZE;
	TlHash		hash;

	/* RFC 6979 appendix A.2.5, message "sample" */
	unit_hex(bytes, TL_SIGNATURE_SIZE,
			 "efd48b2aacb6a8fd1140dd9cd45e81d69d2c877b56aaf991c34d0ea84eaf3716"
			 "f7cb1c942d657c41d436c7a1b6e29f65f3e900dbb9aff4064dc4ab2f843acda8");
	tl_crypto_sha256(&hash, "sample", 6);
	memcpy(digest, &hash, TL_DIGEST_SIZE);
	unit_hex(key, TL_KEY_UNCOMPRESSED_SIZE,
			 "0460fed4ba255a9d31c961eb74c6356d68c049b8923b61fa6ce669622e60f29fb6"
			 "7903fe1008b8bc99a41ae9e95628bc64f2f1b20c2d7e9f5177a3c294d4462299");
	for (size_t bit = 0; bit < 8 * sizeof(bytes); bit++)
	{
		unit_context("bit %zu", bit);
		bytes[bit / 8] ^= (uint8_t) (1 << (bit % 8));
		UNIT_CHECK(!tl_crypto_es256_verify(bytes, digest, key,
										   TL_KEY_UNCOMPRESSED_SIZE));
		bytes[bit / 8] ^= (uint8_t) (1 << (bit % 8));
	}
	UNIT_CHECK(tl_crypto_es256_verify(bytes, digest, key,
									  TL_KEY_UNCOMPRESSED_SIZE));
}

static void
bip340_vector(const UnitRecord *record)
{
	uint8_t		key[TL_XONLY_KEY_SIZE];
	uint8_t		message[SIZE_MAX_OF_VECTOR];
	uint8_t		signature[TL_SIGNATURE_SIZE];
	size_t		size = unit_bytes(message, sizeof(message), record, "message");
	bool		expected = expected_result(record);

	unit_bytes(key, sizeof(key), record, "key");
	UNIT_CHECK(unit_bytes(signature, sizeof(signature), record,
						  "signature") == sizeof(signature));
	UNIT_CHECK(tl_crypto_schnorr_verify(signature, message, size, key) ==
			   expected);
	if (unit_has(record, "secret"))
	{
		uint8_t		secret[TL_SECRET_SIZE];
		uint8_t		aux[TL_SCHNORR_AUX_SIZE];
		uint8_t		made[TL_SIGNATURE_SIZE];
		uint8_t		made_key[TL_XONLY_KEY_SIZE];

		unit_bytes(secret, sizeof(secret), record, "secret");
		unit_bytes(aux, sizeof(aux), record, "aux");
		UNIT_CHECK(tl_crypto_xonly_key(made_key, secret) == TL_OK);
		UNIT_CHECK(memcmp(made_key, key, sizeof(key)) == 0);
		UNIT_CHECK(tl_crypto_schnorr_sign(made, message, size, secret,
										  aux) == TL_OK);
		UNIT_CHECK(memcmp(made, signature, sizeof(made)) == 0);

		/* No aux is an aux of zeros. */
		if (memcmp(aux, zero, sizeof(aux)) == 0)
		{
			UNIT_CHECK(tl_crypto_schnorr_sign(made, message, size, secret,
											  NULL) == TL_OK);
			UNIT_CHECK(memcmp(made, signature, sizeof(made)) == 0);
		}
	}
}

static void
bip340_vectors(void)
{
	vectors_with_both_results("bip340.txt", bip340_vector, 9, 10);
}

/* One signer's are those that are made one by one, however often it is blinded. */
static void
schnorr_signer(void)
{
	TlSigner	signer;
	uint8_t		secret[TL_SECRET_SIZE];
	uint8_t		random[TL_SECRET_SIZE];
	uint8_t		aux[TL_SCHNORR_AUX_SIZE];
	uint8_t		message[40];
	uint8_t		made[TL_SIGNATURE_SIZE];
	uint8_t		expected[TL_SIGNATURE_SIZE];

	unit_random_bytes(secret, sizeof(secret));
	unit_random_bytes(random, sizeof(random));
	UNIT_CHECK(tl_crypto_signer_open(&signer, secret, random, sizeof(random)) == TL_OK);
	for (size_t i = 0; i < 200; i++)
	{
		unit_context("signature %zu", i);
		unit_random_bytes(message, sizeof(message));
		unit_random_bytes(aux, sizeof(aux));
		UNIT_CHECK(tl_crypto_signer_sign(&signer, made, message, i % sizeof(message), aux) == TL_OK);
		UNIT_CHECK(tl_crypto_schnorr_sign(expected, message, i % sizeof(message), secret, aux) == TL_OK);
		UNIT_CHECK(memcmp(made, expected, sizeof(made)) == 0);
	}
	UNIT_CHECK(tl_crypto_signer_sign(&signer, made, NULL, 1, aux) == TL_BUG);
	tl_crypto_signer_close(&signer);
	memset(random, 0, sizeof(random));
	for (size_t i = 0; i < sizeof(signer); i++)
		UNIT_CHECK(signer.state[i] == 0);
	UNIT_CHECK(tl_crypto_signer_open(&signer, zero, random, sizeof(random)) == TL_BAD_KEY);
}

/* Any length is signed, and every bit of what was signed counts. */
static void
schnorr_round_trip(void)
{
	uint8_t		secret[TL_SECRET_SIZE];
	uint8_t		key[TL_XONLY_KEY_SIZE];
	uint8_t		message[300];

	unit_random_bytes(message, sizeof(message));
	unit_random_bytes(secret, sizeof(secret));
	UNIT_CHECK(tl_crypto_xonly_key(key, secret) == TL_OK);
	for (size_t size = 0; size <= sizeof(message); size += 1 + size / 3)
	{
		uint8_t		signature[TL_SIGNATURE_SIZE];

		unit_context("message of %zu bytes", size);
		UNIT_CHECK(tl_crypto_schnorr_sign(signature, message, size, secret,
										  NULL) == TL_OK);
		UNIT_CHECK(tl_crypto_schnorr_verify(signature, message, size, key));
		if (size > 0)
		{
			UNIT_CHECK(!tl_crypto_schnorr_verify(signature, message, size - 1,
												 key));
			message[size - 1] ^= 1;
			UNIT_CHECK(!tl_crypto_schnorr_verify(signature, message, size, key));
			message[size - 1] ^= 1;
		}
		for (int bit = 0; bit < 512; bit++)
		{
			signature[bit / 8] ^= (uint8_t) (1 << (bit % 8));
			UNIT_CHECK(!tl_crypto_schnorr_verify(signature, message, size, key));
			signature[bit / 8] ^= (uint8_t) (1 << (bit % 8));
		}
	}
	UNIT_CHECK(!tl_crypto_schnorr_verify(zero, NULL, 1, key));
}

static void
ecdsa_sign_vector(const UnitRecord *record)
{
	uint8_t		secret[TL_SECRET_SIZE];
	uint8_t		signature[TL_SIGNATURE_SIZE];
	uint8_t		expected[TL_SIGNATURE_SIZE];
	TlHash		digest;

	unit_bytes(secret, sizeof(secret), record, "secret");
	unit_bytes(expected, sizeof(expected), record, "signature");
	digest_of_message(&digest, record);
	UNIT_CHECK(tl_crypto_ecdsa_sign(signature, digest.bytes, secret) == TL_OK);
	UNIT_CHECK(memcmp(signature, expected, sizeof(signature)) == 0);
}

static void
ecdsa_sign_vectors(void)
{
	UNIT_CHECK(unit_vectors("ecdsa_sign.txt", ecdsa_sign_vector) == 4);
}

static void
ecdsa_round_trip(void)
{
	for (int i = 0; i < 20; i++)
	{
		uint8_t		secret[TL_SECRET_SIZE];
		uint8_t		digest[TL_DIGEST_SIZE];
		uint8_t		key[TL_KEY_SIZE];
		uint8_t		signature[TL_SIGNATURE_SIZE];

		unit_context("round %d", i);
		unit_random_bytes(secret, sizeof(secret));
		unit_random_bytes(digest, sizeof(digest));
		UNIT_CHECK(tl_crypto_public_key(key, secret) == TL_OK);
		UNIT_CHECK(tl_crypto_ecdsa_sign(signature, digest, secret) == TL_OK);
		UNIT_CHECK(tl_crypto_ecdsa_verify(signature, digest, key, sizeof(key)));

		negate(signature + 32, ORDER_SECP256K1);
		UNIT_CHECK(!tl_crypto_ecdsa_verify(signature, digest, key, sizeof(key)));
		negate(signature + 32, ORDER_SECP256K1);
		key[0] ^= 1;
		UNIT_CHECK(!tl_crypto_ecdsa_verify(signature, digest, key, sizeof(key)));
		key[0] ^= 1;
		for (int bit = 0; bit < 512; bit += 3)
		{
			signature[bit / 8] ^= (uint8_t) (1 << (bit % 8));
			UNIT_CHECK(!tl_crypto_ecdsa_verify(signature, digest, key,
											   sizeof(key)));
			signature[bit / 8] ^= (uint8_t) (1 << (bit % 8));
		}
	}
}

/* 0 and the order and more are no secrets; 1 and order - 1 are. */
static void
secrets_have_bounds(void)
{
	uint8_t		secret[TL_SECRET_SIZE] = {0};
	uint8_t		key[TL_KEY_SIZE];
	uint8_t		xonly[TL_XONLY_KEY_SIZE];
	uint8_t		signature[TL_SIGNATURE_SIZE];

	for (int i = 0; i < 3; i++)
	{
		unit_context("bad secret %d", i);
		if (i == 1)
			unit_hex(secret, sizeof(secret), ORDER_SECP256K1);
		if (i == 2)
			memset(secret, 0xff, sizeof(secret));
		memset(key, 1, sizeof(key));
		memset(xonly, 1, sizeof(xonly));
		UNIT_CHECK(tl_crypto_secret_check(secret) == TL_BAD_KEY);
		UNIT_CHECK(tl_crypto_public_key(key, secret) == TL_BAD_KEY);
		UNIT_CHECK(memcmp(key, zero, sizeof(key)) == 0);
		UNIT_CHECK(tl_crypto_xonly_key(xonly, secret) == TL_BAD_KEY);
		UNIT_CHECK(memcmp(xonly, zero, sizeof(xonly)) == 0);
		memset(signature, 1, sizeof(signature));
		UNIT_CHECK(tl_crypto_ecdsa_sign(signature, zero, secret) == TL_BAD_KEY);
		UNIT_CHECK(memcmp(signature, zero, sizeof(signature)) == 0);
		memset(signature, 1, sizeof(signature));
		UNIT_CHECK(tl_crypto_schnorr_sign(signature, zero, 3, secret,
										  NULL) == TL_BAD_KEY);
		UNIT_CHECK(memcmp(signature, zero, sizeof(signature)) == 0);
	}

	/* Secret 1 is the generator, order - 1 its negative. */
	unit_hex(secret, sizeof(secret), ORDER_SECP256K1);
	secret[31]--;
	UNIT_CHECK(tl_crypto_public_key(key, secret) == TL_OK && key[0] == 3);
	memset(secret, 0, sizeof(secret));
	secret[31] = 1;
	UNIT_CHECK(tl_crypto_public_key(key, secret) == TL_OK && key[0] == 2);
	unit_hex(xonly, sizeof(xonly),
			 "79be667ef9dcbbac55a06295ce870b07029bfcdb2dce28d959f2815b16f81798");
	UNIT_CHECK(memcmp(key + 1, xonly, sizeof(xonly)) == 0);
	UNIT_CHECK(tl_crypto_schnorr_sign(signature, NULL, 1, secret,
									  NULL) == TL_BUG);
}

/* Only the three forms of a point; not hybrid, not infinity, not off-curve. */
static void
check_key_forms(const char *text,
				TlStatus (*check) (const uint8_t *, size_t))
{
	uint8_t		key[TL_KEY_UNCOMPRESSED_SIZE + 1] = {0};

	unit_hex(key, TL_KEY_UNCOMPRESSED_SIZE, text);
	for (int first = 0; first < 256; first++)
	{
		unit_context("key %.8s, first byte %d", text, first);
		key[0] = (uint8_t) first;
		UNIT_CHECK((check(key, TL_KEY_UNCOMPRESSED_SIZE) == TL_OK) ==
				   (first == 4));
		UNIT_CHECK((check(key, TL_KEY_SIZE) == TL_OK) ==
				   (first == 2 || first == 3));
	}
	for (size_t size = 0; size <= sizeof(key); size++)
	{
		unit_context("key %.8s, size %zu", text, size);
		key[0] = 4;
		UNIT_CHECK((check(key, size) == TL_OK) ==
				   (size == TL_KEY_UNCOMPRESSED_SIZE));
		key[0] = 2;
		UNIT_CHECK((check(key, size) == TL_OK) == (size == TL_KEY_SIZE));
		key[0] = 0;
		UNIT_CHECK(check(key, size) == TL_BAD_KEY);
	}
	UNIT_CHECK(check(NULL, TL_KEY_SIZE) == TL_BAD_KEY);

	/* Off the curve, and x not below the field's prime. */
	key[0] = 4;
	key[40] ^= 1;
	UNIT_CHECK(check(key, TL_KEY_UNCOMPRESSED_SIZE) == TL_BAD_KEY);
	memset(key + 1, 0xff, sizeof(key) - 1);
	UNIT_CHECK(check(key, TL_KEY_UNCOMPRESSED_SIZE) == TL_BAD_KEY);
	key[0] = 2;
	UNIT_CHECK(check(key, TL_KEY_SIZE) == TL_BAD_KEY);
}

static void
key_forms(void)
{
	uint8_t		xonly[TL_XONLY_KEY_SIZE] = {0};

	check_key_forms("0479be667ef9dcbbac55a06295ce870b07029bfcdb2dce28d959f2815b16f81798"
					"483ada7726a3c4655da4fbfc0e1108a8fd17b448a68554199c47d08ffb10d4b8",
					tl_crypto_key_check);
	check_key_forms("046b17d1f2e12c4247f8bce6e563a440f277037d812deb33a0f4a13945d898c296"
					"4fe342e2fe1a7f9b8ee7eb4a7c0f9e162bce33576b315ececbb6406837bf51f5",
					tl_crypto_es256_key_check);

	/* No point of secp256k1 has x = 0; x = 1 has one. */
	UNIT_CHECK(tl_crypto_xonly_key_check(xonly) == TL_BAD_KEY);
	xonly[31] = 1;
	UNIT_CHECK(tl_crypto_xonly_key_check(xonly) == TL_OK);
	memset(xonly, 0xff, sizeof(xonly));
	UNIT_CHECK(tl_crypto_xonly_key_check(xonly) == TL_BAD_KEY);
}

/* A bad key makes a signature false, not an accident. */
static void
bad_keys_verify_nothing(void)
{
	uint8_t		secret[TL_SECRET_SIZE] = {1};
	uint8_t		key[TL_KEY_SIZE];
	uint8_t		der[8] = {0x30, 0x06, 0x02, 0x01, 0x01, 0x02, 0x01, 0x01};
	uint8_t		signature[TL_SIGNATURE_SIZE];
	uint8_t		digest[TL_DIGEST_SIZE] = {7};

	UNIT_CHECK(tl_crypto_public_key(key, secret) == TL_OK);
	UNIT_CHECK(tl_crypto_ecdsa_sign(signature, digest, secret) == TL_OK);
	UNIT_CHECK(tl_crypto_ecdsa_verify(signature, digest, key, sizeof(key)));
	UNIT_CHECK(!tl_crypto_ecdsa_verify(signature, digest, NULL, sizeof(key)));
	UNIT_CHECK(!tl_crypto_ecdsa_verify(signature, digest, key, sizeof(key) - 1));
	UNIT_CHECK(!tl_crypto_ecdsa_verify(signature, digest, zero, sizeof(key)));
	UNIT_CHECK(!tl_crypto_ecdsa_verify_der(der, sizeof(der), digest, key,
										   sizeof(key)));
	UNIT_CHECK(!tl_crypto_ecdsa_verify_der(NULL, 0, digest, key, sizeof(key)));
	UNIT_CHECK(!tl_crypto_es256_verify(signature, digest, key, sizeof(key)));
	UNIT_CHECK(!tl_crypto_es256_verify(signature, digest, NULL, sizeof(key)));
	UNIT_CHECK(!tl_crypto_schnorr_verify(signature, digest, 1, zero));
}

/* The server's TLS reads the same queue. */
static void
openssl_errors_are_left_as_found(void)
{
	uint8_t		digest[TL_DIGEST_SIZE] = {0};
	uint8_t		key[TL_KEY_UNCOMPRESSED_SIZE] = {4};

	ERR_clear_error();
	UNIT_CHECK(!tl_crypto_es256_verify(zero, digest, key, sizeof(key)));
	UNIT_CHECK(tl_crypto_es256_key_check(key, sizeof(key)) == TL_BAD_KEY);
	UNIT_CHECK(ERR_peek_error() == 0);

	ERR_raise(ERR_LIB_USER, 42);
	UNIT_CHECK(!tl_crypto_es256_verify(zero, digest, key, sizeof(key)));
	UNIT_CHECK(tl_crypto_es256_key_check(key, sizeof(key)) == TL_BAD_KEY);
	UNIT_CHECK(ERR_GET_REASON(ERR_get_error()) == 42);
	UNIT_CHECK(ERR_get_error() == 0);
}

UNIT_MAIN(UNIT_CASE(ecdsa_der_vectors),
		  UNIT_CASE(ecdsa_compact_vectors),
		  UNIT_CASE(ecdsa_sign_vectors),
		  UNIT_CASE(ecdsa_round_trip),
		  UNIT_CASE(bip340_vectors),
		  UNIT_CASE(schnorr_signer),
		  UNIT_CASE(schnorr_round_trip),
		  UNIT_CASE(es256_vectors),
		  UNIT_CASE(es256_bit_by_bit),
		  UNIT_CASE(secrets_have_bounds),
		  UNIT_CASE(key_forms),
		  UNIT_CASE(bad_keys_verify_nothing),
		  UNIT_CASE(openssl_errors_are_left_as_found))
