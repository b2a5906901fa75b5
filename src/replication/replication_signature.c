/*-------------------------------------------------------------------------
 *
 * replication_signature.c
 *	  Signatures of rows, each checked once.
 *
 * A row's signature is asked for when the row is stored, by the core of consensus
 * before it counts, and again where a certificate or evidence has it.  To check one
 * takes longer than all else that is done about a vote.  So those that were found
 * valid are remembered, key, digest and signature byte for byte: 128 kB, in which
 * one pushes out another.  What is not valid is never remembered.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "crypto_curve.h"
#include "replication_signature.h"

#define KNOWN_COUNT		1024

typedef struct KnownSignature
{
	bool		valid;
	uint8_t		signature[TL_SIGNATURE_SIZE];
	TlHash		digest;
	uint8_t		row_key[TL_XONLY_KEY_SIZE];
} KnownSignature;

static KnownSignature known[KNOWN_COUNT];

/* A TlSignatureCheck of src/consensus; context is not used. */
bool
tl_replication_signature_check(void *context, const uint8_t signature[TL_SIGNATURE_SIZE],
							   const TlHash *digest, const uint8_t row_key[TL_XONLY_KEY_SIZE])
{
	uint32_t	place;
	KnownSignature *entry;

	memcpy(&place, digest->bytes, sizeof(place));
	entry = &known[place % KNOWN_COUNT];
	if (entry->valid && memcmp(entry->signature, signature, TL_SIGNATURE_SIZE) == 0 &&
		memcmp(&entry->digest, digest, sizeof(*digest)) == 0 &&
		memcmp(entry->row_key, row_key, TL_XONLY_KEY_SIZE) == 0)
		return true;
	if (!tl_crypto_schnorr_verify(signature, digest->bytes, TL_HASH_SIZE, row_key))
		return false;
	entry->valid = true;
	memcpy(entry->signature, signature, TL_SIGNATURE_SIZE);
	entry->digest = *digest;
	memcpy(entry->row_key, row_key, TL_XONLY_KEY_SIZE);
	return true;
}
