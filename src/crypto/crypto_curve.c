/*-------------------------------------------------------------------------
 *
 * crypto_curve.c
 *	  Signatures on secp256k1 (ECDSA, BIP-340) and on P-256 (ES256).
 *
 *		signature	r 32, s 32, both big-endian (BIP-340: x of R, s)
 *		key			33 bytes compressed, first byte 2 or 3
 *					65 bytes uncompressed, first byte 4
 *					32 bytes for BIP-340: x of the point whose y is even
 *		secret		32 bytes, 1 .. order - 1
 *
 * secp256k1 is libsecp256k1's.  Verifying needs nothing but the library's
 * static context.  Signing needs a context of its own; since release 0.2 that
 * is a few hundred bytes, so each signature builds one on the stack, blinded
 * against side channels by a seed that only the holder of the secret can
 * compute.  So this file keeps no global and draws no randomness.  Who signs often
 * keeps one in a TlSigner, which is blinded anew now and then.
 *
 * P-256 is OpenSSL's, through its high level.  This is the one place of the
 * pure floors where a library allocates; everything is freed before return and
 * OpenSSL's error queue, which PostgreSQL's TLS code reads, is left as found.
 *
 * Invariants
 *	  V1  ECDSA on secp256k1: 0 < r < order, 0 < s <= order / 2
 *	  V2  a DER signature is strict: shortest lengths, no byte after the end
 *	  V3  no secret, and nothing computed from one alone, stays on the stack
 *
 * Pure code: no PostgreSQL.
 *
 *-------------------------------------------------------------------------
 */
#include "crypto_curve.h"

#include "crypto_hash.h"

#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/params.h>
#include <secp256k1.h>
#include <secp256k1_extrakeys.h>
#include <secp256k1_preallocated.h>
#include <secp256k1_schnorrsig.h>
#include <stdalign.h>
#include <string.h>

#define CONTEXT_SIZE_MAX		1024
#define BLINDED_COUNT			64	/* signatures that a signer makes before it is blinded anew */
#define DER_SIGNATURE_SIZE_MAX	72	/* two integers of 33 bytes and headers */

/* A signing context on the stack. */
typedef struct SigningContext
{
	alignas(16) uint8_t memory[CONTEXT_SIZE_MAX];
	secp256k1_context *library;
} SigningContext;

/* What a TlSigner holds. */
typedef struct Signer
{
	SigningContext context;
	secp256k1_keypair pair;
	TlHash		seed;			/* of the blinding */
	unsigned	count;			/* of signatures since then */
} Signer;

static bool key_shape_valid(const uint8_t *key, size_t key_size);
static bool key_parse(secp256k1_pubkey *out, const uint8_t *key,
					  size_t key_size);
static TlStatus signing_open(SigningContext *context, TlHash *seed,
							 const uint8_t secret[32],
							 const void *message, size_t message_size);
static bool blind(SigningContext *context, TlHash *seed, const void *secret, const void *message,
				  size_t message_size);
static void signing_close(SigningContext *context);
static EVP_PKEY *es256_key_open(const uint8_t *key, size_t key_size);
static size_t es256_signature_encode(uint8_t out[DER_SIGNATURE_SIZE_MAX],
									 const uint8_t signature[64]);

TlStatus
tl_crypto_key_check(const uint8_t *key, size_t key_size)
{
	secp256k1_pubkey parsed;

	return key_parse(&parsed, key, key_size) ? TL_OK : TL_BAD_KEY;
}

TlStatus
tl_crypto_xonly_key_check(const uint8_t key[32])
{
	secp256k1_xonly_pubkey parsed;

	if (!secp256k1_xonly_pubkey_parse(secp256k1_context_static, &parsed, key))
		return TL_BAD_KEY;
	return TL_OK;
}

TlStatus
tl_crypto_es256_key_check(const uint8_t *key, size_t key_size)
{
	EVP_PKEY   *parsed;
	TlStatus	status;

	ERR_set_mark();
	parsed = es256_key_open(key, key_size);
	status = (parsed != NULL) ? TL_OK : TL_BAD_KEY;
	EVP_PKEY_free(parsed);
	ERR_pop_to_mark();
	return status;
}

TlStatus
tl_crypto_secret_check(const uint8_t secret[32])
{
	if (!secp256k1_ec_seckey_verify(secp256k1_context_static, secret))
		return TL_BAD_KEY;
	return TL_OK;
}

bool
tl_crypto_ecdsa_verify(const uint8_t signature[64], const uint8_t digest[32],
					   const uint8_t *key, size_t key_size)
{
	const secp256k1_context *library = secp256k1_context_static;
	secp256k1_pubkey parsed_key;
	secp256k1_ecdsa_signature parsed;

	/* The library's verify is what refuses the upper s. */
	return key_parse(&parsed_key, key, key_size) &&
		secp256k1_ecdsa_signature_parse_compact(library, &parsed, signature) &&
		secp256k1_ecdsa_verify(library, &parsed, digest, &parsed_key) == 1;
}

bool
tl_crypto_ecdsa_verify_der(const uint8_t *signature, size_t signature_size,
						   const uint8_t digest[32],
						   const uint8_t *key, size_t key_size)
{
	const secp256k1_context *library = secp256k1_context_static;
	secp256k1_pubkey parsed_key;
	secp256k1_ecdsa_signature parsed;

	if (signature == NULL || signature_size > DER_SIGNATURE_SIZE_MAX)
		return false;

	/* Numbers out of range parse as zero, which then does not verify. */
	return key_parse(&parsed_key, key, key_size) &&
		secp256k1_ecdsa_signature_parse_der(library, &parsed, signature,
											signature_size) &&
		secp256k1_ecdsa_verify(library, &parsed, digest, &parsed_key) == 1;
}

bool
tl_crypto_schnorr_verify(const uint8_t signature[64],
						 const void *message, size_t message_size,
						 const uint8_t xonly_key[32])
{
	const secp256k1_context *library = secp256k1_context_static;
	secp256k1_xonly_pubkey parsed_key;

	if (message == NULL && message_size > 0)
		return false;
	return secp256k1_xonly_pubkey_parse(library, &parsed_key, xonly_key) &&
		secp256k1_schnorrsig_verify(library, signature, message, message_size,
									&parsed_key) == 1;
}

bool
tl_crypto_es256_verify(const uint8_t signature[64], const uint8_t digest[32],
					   const uint8_t *key, size_t key_size)
{
	uint8_t		der[DER_SIGNATURE_SIZE_MAX];
	size_t		der_size;
	EVP_PKEY   *parsed_key;
	EVP_PKEY_CTX *verification = NULL;
	bool		valid = false;

	ERR_set_mark();
	der_size = es256_signature_encode(der, signature);
	parsed_key = es256_key_open(key, key_size);
	if (parsed_key != NULL)
		verification = EVP_PKEY_CTX_new(parsed_key, NULL);
	if (verification != NULL && EVP_PKEY_verify_init(verification) == 1)
		valid = (EVP_PKEY_verify(verification, der, der_size,
								 digest, TL_DIGEST_SIZE) == 1);
	EVP_PKEY_CTX_free(verification);
	EVP_PKEY_free(parsed_key);
	ERR_pop_to_mark();
	return valid;
}

TlStatus
tl_crypto_ecdsa_sign(uint8_t signature[64], const uint8_t digest[32],
					 const uint8_t secret[32])
{
	SigningContext context;
	TlHash		seed;
	secp256k1_ecdsa_signature made;
	TlStatus	status;

	memset(signature, 0, TL_SIGNATURE_SIZE);
	status = signing_open(&context, &seed, secret, digest, TL_DIGEST_SIZE);
	if (status != TL_OK)
		return status;

	/* The default nonce is RFC 6979's; the library makes the lower s. */
	if (secp256k1_ecdsa_sign(context.library, &made, digest, secret, NULL,
							 NULL) != 1 ||
		secp256k1_ecdsa_signature_serialize_compact(context.library, signature,
													&made) != 1)
		status = TL_BUG;
	OPENSSL_cleanse(&seed, sizeof(seed));
	signing_close(&context);
	return status;
}

TlStatus
tl_crypto_schnorr_sign(uint8_t signature[64],
					   const void *message, size_t message_size,
					   const uint8_t secret[32], const uint8_t *aux)
{
	TlSigner	signer;
	TlStatus	status = tl_crypto_signer_open(&signer, secret, message, message_size);

	memset(signature, 0, TL_SIGNATURE_SIZE);
	if (status != TL_OK)
		return status;
	status = tl_crypto_signer_sign(&signer, signature, message, message_size, aux);
	tl_crypto_signer_close(&signer);
	return status;
}

TlStatus
tl_crypto_signer_open(TlSigner *signer, const uint8_t secret[32],
					  const void *random, size_t random_size)
{
	Signer	   *own = (Signer *) signer->state;
	TlStatus	status;

	_Static_assert(sizeof(Signer) <= TL_SIGNER_SIZE, "a signer has room");
	status = signing_open(&own->context, &own->seed, secret, random, random_size);
	if (status != TL_OK)
		return status;
	own->count = 0;
	if (secp256k1_keypair_create(own->context.library, &own->pair, secret) == 1)
		return TL_OK;
	tl_crypto_signer_close(signer);
	return TL_BUG;
}

TlStatus
tl_crypto_signer_sign(TlSigner *signer, uint8_t signature[64], const void *message,
					  size_t message_size, const uint8_t *aux)
{
	Signer	   *own = (Signer *) signer->state;
	secp256k1_schnorrsig_extraparams extra = SECP256K1_SCHNORRSIG_EXTRAPARAMS_INIT;

	memset(signature, 0, TL_SIGNATURE_SIZE);
	if (message == NULL && message_size > 0)
		return TL_BUG;
	if (own->count == BLINDED_COUNT)
	{
		own->count = 0;
		if (!blind(&own->context, &own->seed, own->seed.bytes, message, message_size))
			return TL_BUG;
	}
	own->count++;
	extra.ndata = (void *) aux;
	return secp256k1_schnorrsig_sign_custom(own->context.library, signature, message,
											message_size, &own->pair, &extra) == 1 ? TL_OK : TL_BUG;
}

void
tl_crypto_signer_close(TlSigner *signer)
{
	signing_close(&((Signer *) signer->state)->context);
	OPENSSL_cleanse(signer, sizeof(*signer));
}

TlStatus
tl_crypto_public_key(uint8_t key[33], const uint8_t secret[32])
{
	SigningContext context;
	TlHash		seed;
	secp256k1_pubkey made;
	size_t		size = TL_KEY_SIZE;
	TlStatus	status;

	memset(key, 0, TL_KEY_SIZE);
	status = signing_open(&context, &seed, secret, NULL, 0);
	if (status != TL_OK)
		return status;
	if (secp256k1_ec_pubkey_create(context.library, &made, secret) != 1 ||
		secp256k1_ec_pubkey_serialize(context.library, key, &size, &made,
									  SECP256K1_EC_COMPRESSED) != 1 ||
		size != TL_KEY_SIZE)
		status = TL_BUG;
	OPENSSL_cleanse(&seed, sizeof(seed));
	signing_close(&context);
	return status;
}

/* The compressed key without its first byte: x does not depend on the sign. */
TlStatus
tl_crypto_xonly_key(uint8_t key[32], const uint8_t secret[32])
{
	uint8_t		compressed[TL_KEY_SIZE];
	TlStatus	status = tl_crypto_public_key(compressed, secret);

	memcpy(key, compressed + 1, TL_XONLY_KEY_SIZE);
	return status;
}

/* Size and first byte only; the hybrid forms 6 and 7 would be second names. */
static bool
key_shape_valid(const uint8_t *key, size_t key_size)
{
	if (key == NULL)
		return false;
	if (key_size == TL_KEY_SIZE)
		return key[0] == 2 || key[0] == 3;
	return key_size == TL_KEY_UNCOMPRESSED_SIZE && key[0] == 4;
}

static bool
key_parse(secp256k1_pubkey *out, const uint8_t *key, size_t key_size)
{
	return key_shape_valid(key, key_size) &&
		secp256k1_ec_pubkey_parse(secp256k1_context_static, out, key,
								  key_size) == 1;
}

/*
 * Check the secret and build a context in context->memory.
 *
 * Blinding makes the power trace of a signature independent of its secret.
 * The seed is a hash of the secret and the message: as good as random to
 * everyone who does not hold the secret already.
 */
static TlStatus
signing_open(SigningContext *context, TlHash *seed, const uint8_t secret[32],
			 const void *message, size_t message_size)
{
	if (message == NULL && message_size > 0)
		return TL_BUG;
	if (tl_crypto_secret_check(secret) != TL_OK)
		return TL_BAD_KEY;
	if (secp256k1_context_preallocated_size(SECP256K1_CONTEXT_NONE) >
		sizeof(context->memory))
		return TL_BUG;
	context->library = secp256k1_context_preallocated_create(context->memory,
															 SECP256K1_CONTEXT_NONE);
	if (blind(context, seed, secret, message, message_size))
		return TL_OK;
	signing_close(context);
	return TL_BUG;
}

/* By 32 bytes that nobody else has: the secret, or a seed before. */
static bool
blind(SigningContext *context, TlHash *seed, const void *secret, const void *message,
	  size_t message_size)
{
	static const char tag[] = "telco_ledger/1/blind";
	TlSha256	hash;

	tl_crypto_sha256_init(&hash);
	tl_crypto_sha256_update(&hash, tag, sizeof(tag) - 1);
	tl_crypto_sha256_update(&hash, secret, TL_SECRET_SIZE);
	tl_crypto_sha256_update(&hash, message, message_size);
	tl_crypto_sha256_final(&hash, seed);
	return secp256k1_context_randomize(context->library, seed->bytes) == 1;
}

static void
signing_close(SigningContext *context)
{
	secp256k1_context_preallocated_destroy(context->library);
	OPENSSL_cleanse(context, sizeof(*context));
}

/* OpenSSL's form of a P-256 key, to be freed; NULL if it is not one. */
static EVP_PKEY *
es256_key_open(const uint8_t *key, size_t key_size)
{
	char		group[] = "prime256v1";
	OSSL_PARAM	parameters[3];
	EVP_PKEY_CTX *builder;
	EVP_PKEY   *parsed = NULL;

	if (!key_shape_valid(key, key_size))
		return NULL;
	parameters[0] = OSSL_PARAM_construct_utf8_string(OSSL_PKEY_PARAM_GROUP_NAME,
													 group, 0);
	parameters[1] = OSSL_PARAM_construct_octet_string(OSSL_PKEY_PARAM_PUB_KEY,
													  (void *) key, key_size);
	parameters[2] = OSSL_PARAM_construct_end();

	/* Decoding the point refuses what is not on the curve. */
	builder = EVP_PKEY_CTX_new_from_name(NULL, "EC", NULL);
	if (builder == NULL || EVP_PKEY_fromdata_init(builder) != 1 ||
		EVP_PKEY_fromdata(builder, &parsed, EVP_PKEY_PUBLIC_KEY,
						  parameters) != 1)
		parsed = NULL;
	EVP_PKEY_CTX_free(builder);
	return parsed;
}

/*
 * r || s as the DER that OpenSSL verifies: SEQUENCE of two INTEGERs, each
 * without leading zero bytes but with one where the top bit is set.
 */
static size_t
es256_signature_encode(uint8_t out[DER_SIGNATURE_SIZE_MAX],
					   const uint8_t signature[64])
{
	size_t		size = 2;

	for (int half = 0; half < 2; half++)
	{
		const uint8_t *number = signature + 32 * half;
		size_t		number_size = 32;
		size_t		pad;

		while (number_size > 1 && number[0] == 0)
		{
			number++;
			number_size--;
		}
		pad = (number[0] & 0x80) ? 1 : 0;
		out[size++] = 0x02;
		out[size++] = (uint8_t) (number_size + pad);
		if (pad > 0)
			out[size++] = 0;
		memcpy(out + size, number, number_size);
		size += number_size;
	}
	out[0] = 0x30;
	out[1] = (uint8_t) (size - 2);
	return size;
}
