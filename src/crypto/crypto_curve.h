/*-------------------------------------------------------------------------
 *
 * crypto_curve.h
 *	  Signatures on secp256k1 (ECDSA, BIP-340) and on P-256 (ES256).
 *
 * A *_verify function answers false for whatever is not a valid signature of
 * this key, a key that is no key included; a *_check function tells whether
 * the key is one, for callers that want to say so.
 *
 * Pure code: no PostgreSQL.
 *
 *-------------------------------------------------------------------------
 */
#ifndef CRYPTO_CURVE_H
#define CRYPTO_CURVE_H

#include <stdalign.h>

#include "tl_status.h"
#include "tl_types.h"

#define TL_SECRET_SIZE				32
#define TL_DIGEST_SIZE				32
#define TL_KEY_SIZE					33	/* compressed */
#define TL_KEY_UNCOMPRESSED_SIZE	65
#define TL_XONLY_KEY_SIZE			32
#define TL_SCHNORR_AUX_SIZE			32
#define TL_SIGNER_SIZE				1280

/* TL_OK or TL_BAD_KEY.  Hybrid encodings (first byte 6 or 7) are refused. */
extern TlStatus tl_crypto_key_check(const uint8_t *key, size_t key_size);
extern TlStatus tl_crypto_xonly_key_check(const uint8_t key[32]);
extern TlStatus tl_crypto_es256_key_check(const uint8_t *key, size_t key_size);
extern TlStatus tl_crypto_secret_check(const uint8_t secret[32]);

/*
 * ECDSA on secp256k1 over a digest.  Only the lower of the two possible s is
 * valid, so that a stranger cannot make a second signature from a first.
 */
extern bool tl_crypto_ecdsa_verify(const uint8_t signature[64],
								   const uint8_t digest[32],
								   const uint8_t *key, size_t key_size);
extern bool tl_crypto_ecdsa_verify_der(const uint8_t *signature,
									   size_t signature_size,
									   const uint8_t digest[32],
									   const uint8_t *key, size_t key_size);

/* BIP-340 over a message of any length. */
extern bool tl_crypto_schnorr_verify(const uint8_t signature[64],
									 const void *message, size_t message_size,
									 const uint8_t xonly_key[32]);

/*
 * ECDSA on P-256 over a digest, signature r || s as in RFC 7518 section 3.4.
 * Both s are valid: the standard allows them and secure elements produce them.
 */
extern bool tl_crypto_es256_verify(const uint8_t signature[64],
								   const uint8_t digest[32],
								   const uint8_t *key, size_t key_size);

/*
 * Signing is deterministic (RFC 6979; BIP-340 with aux or, if NULL, with 32
 * zero bytes).  TL_OK, or TL_BAD_KEY if secret is zero or beyond the order;
 * the output is then zero.
 */
extern TlStatus tl_crypto_ecdsa_sign(uint8_t signature[64],
									 const uint8_t digest[32],
									 const uint8_t secret[32]);
extern TlStatus tl_crypto_schnorr_sign(uint8_t signature[64],
									   const void *message,
									   size_t message_size,
									   const uint8_t secret[32],
									   const uint8_t *aux);

/*
 * Who signs one message after the other with one secret: two thirds of what a
 * signature takes are computed when it is opened.  It holds the secret, so close it,
 * and is not to be moved.  Some random bytes blind it.
 */
typedef struct TlSigner
{
	alignas(16) uint8_t state[TL_SIGNER_SIZE];
} TlSigner;

extern TlStatus tl_crypto_signer_open(TlSigner *signer, const uint8_t secret[32],
									  const void *random, size_t random_size);
extern TlStatus tl_crypto_signer_sign(TlSigner *signer, uint8_t signature[64],
									  const void *message, size_t message_size,
									  const uint8_t *aux);
extern void tl_crypto_signer_close(TlSigner *signer);

extern TlStatus tl_crypto_public_key(uint8_t key[33], const uint8_t secret[32]);
extern TlStatus tl_crypto_xonly_key(uint8_t key[32], const uint8_t secret[32]);

#endif							/* CRYPTO_CURVE_H */
