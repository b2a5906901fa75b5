/*-------------------------------------------------------------------------
 *
 * crypto_sql.c
 *	  Signatures in SQL (sql/10_crypto.sql).
 *
 * What comes from the signer, the signature, may be anything: if it is not
 * valid, for whatever reason, the answer is false.  What the caller must have
 * in order before it asks, key and digest, is an ERROR when malformed, so that
 * a typing mistake is not read as a forgery.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "fmgr.h"

#include "crypto_curve.h"
#include "tl_compat.h"
#include "tl_error.h"

PG_FUNCTION_INFO_V1(tl_crypto_sql_ecdsa_verify);
PG_FUNCTION_INFO_V1(tl_crypto_sql_ecdsa_verify_der);
PG_FUNCTION_INFO_V1(tl_crypto_sql_ecdsa_sign);
PG_FUNCTION_INFO_V1(tl_crypto_sql_schnorr_verify);
PG_FUNCTION_INFO_V1(tl_crypto_sql_schnorr_sign);
PG_FUNCTION_INFO_V1(tl_crypto_sql_es256_verify);
PG_FUNCTION_INFO_V1(tl_crypto_sql_public_key);

static TlSpan bytes_argument(FunctionCallInfo fcinfo, int argument);
static TlSpan digest_argument(FunctionCallInfo fcinfo, int argument);
static TlSpan point_argument(FunctionCallInfo fcinfo, int argument,
							 const char *curve,
							 TlStatus (*check) (const uint8_t *, size_t));
static TlSpan xonly_argument(FunctionCallInfo fcinfo, int argument);
static TlSpan secret_argument(FunctionCallInfo fcinfo, int argument);
static bytea *bytea_make(const uint8_t *data, size_t size);

Datum
tl_crypto_sql_ecdsa_verify(PG_FUNCTION_ARGS)
{
	TlSpan		digest = digest_argument(fcinfo, 0);
	TlSpan		signature = bytes_argument(fcinfo, 1);
	TlSpan		key = point_argument(fcinfo, 2, "secp256k1",
									 tl_crypto_key_check);

	PG_RETURN_BOOL(signature.size == TL_SIGNATURE_SIZE &&
				   tl_crypto_ecdsa_verify(signature.data, digest.data,
										  key.data, key.size));
}

Datum
tl_crypto_sql_ecdsa_verify_der(PG_FUNCTION_ARGS)
{
	TlSpan		digest = digest_argument(fcinfo, 0);
	TlSpan		signature = bytes_argument(fcinfo, 1);
	TlSpan		key = point_argument(fcinfo, 2, "secp256k1",
									 tl_crypto_key_check);

	PG_RETURN_BOOL(tl_crypto_ecdsa_verify_der(signature.data, signature.size,
											  digest.data,
											  key.data, key.size));
}

Datum
tl_crypto_sql_ecdsa_sign(PG_FUNCTION_ARGS)
{
	TlSpan		digest = digest_argument(fcinfo, 0);
	TlSpan		secret = secret_argument(fcinfo, 1);
	uint8_t		signature[TL_SIGNATURE_SIZE];

	tl_error_check(tl_crypto_ecdsa_sign(signature, digest.data, secret.data),
				   "could not sign");
	PG_RETURN_BYTEA_P(bytea_make(signature, sizeof(signature)));
}

Datum
tl_crypto_sql_schnorr_verify(PG_FUNCTION_ARGS)
{
	TlSpan		message = bytes_argument(fcinfo, 0);
	TlSpan		signature = bytes_argument(fcinfo, 1);
	TlSpan		key = xonly_argument(fcinfo, 2);

	PG_RETURN_BOOL(signature.size == TL_SIGNATURE_SIZE &&
				   tl_crypto_schnorr_verify(signature.data,
											message.data, message.size,
											key.data));
}

/* Not STRICT: aux may be NULL, the others make the result NULL. */
Datum
tl_crypto_sql_schnorr_sign(PG_FUNCTION_ARGS)
{
	TlSpan		message;
	TlSpan		secret;
	TlSpan		aux = {NULL, 0};
	uint8_t		signature[TL_SIGNATURE_SIZE];

	if (PG_ARGISNULL(0) || PG_ARGISNULL(1))
		PG_RETURN_NULL();
	message = bytes_argument(fcinfo, 0);
	secret = secret_argument(fcinfo, 1);
	if (!PG_ARGISNULL(2))
	{
		aux = bytes_argument(fcinfo, 2);
		if (aux.size != TL_SCHNORR_AUX_SIZE)
			ereport(ERROR,
					errcode(ERRCODE_INVALID_PARAMETER_VALUE),
					errmsg("invalid length of the auxiliary random data"),
					errdetail("BIP-340 takes %d bytes, not %zu.",
							  TL_SCHNORR_AUX_SIZE, aux.size),
					errhint("Leave the argument out for a deterministic signature."));
	}
	tl_error_check(tl_crypto_schnorr_sign(signature, message.data, message.size,
										  secret.data, aux.data),
				   "could not sign");
	PG_RETURN_BYTEA_P(bytea_make(signature, sizeof(signature)));
}

Datum
tl_crypto_sql_es256_verify(PG_FUNCTION_ARGS)
{
	TlSpan		digest = digest_argument(fcinfo, 0);
	TlSpan		signature = bytes_argument(fcinfo, 1);
	TlSpan		key = point_argument(fcinfo, 2, "P-256",
									 tl_crypto_es256_key_check);

	PG_RETURN_BOOL(signature.size == TL_SIGNATURE_SIZE &&
				   tl_crypto_es256_verify(signature.data, digest.data,
										  key.data, key.size));
}

Datum
tl_crypto_sql_public_key(PG_FUNCTION_ARGS)
{
	TlSpan		secret = secret_argument(fcinfo, 0);
	uint8_t		key[TL_KEY_SIZE];

	tl_error_check(tl_crypto_public_key(key, secret.data),
				   "could not compute the public key");
	PG_RETURN_BYTEA_P(bytea_make(key, sizeof(key)));
}

static TlSpan
bytes_argument(FunctionCallInfo fcinfo, int argument)
{
	bytea	   *value = PG_GETARG_BYTEA_PP(argument);
	TlSpan		span;

	span.data = (const uint8_t *) VARDATA_ANY(value);
	span.size = VARSIZE_ANY_EXHDR(value);
	return span;
}

static TlSpan
digest_argument(FunctionCallInfo fcinfo, int argument)
{
	TlSpan		digest = bytes_argument(fcinfo, argument);

	if (digest.size != TL_DIGEST_SIZE)
		ereport(ERROR,
				errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				errmsg("invalid length of the digest"),
				errdetail("A digest has %d bytes, not %zu.",
						  TL_DIGEST_SIZE, digest.size),
				errhint("Hash the message first: sha256(message)."));
	return digest;
}

/* A point in SEC 1's form. */
static TlSpan
point_argument(FunctionCallInfo fcinfo, int argument, const char *curve,
			   TlStatus (*check) (const uint8_t *, size_t))
{
	TlSpan		key = bytes_argument(fcinfo, argument);

	if (key.size != TL_KEY_SIZE && key.size != TL_KEY_UNCOMPRESSED_SIZE)
		ereport(ERROR,
				errcode(TL_ERRCODE(TL_BAD_KEY)),
				errmsg("invalid length of the public key"),
				errdetail("A public key has %d bytes compressed or %d uncompressed, not %zu.",
						  TL_KEY_SIZE, TL_KEY_UNCOMPRESSED_SIZE, key.size),
				errhint("Give the bare point, without an ASN.1 or PEM envelope."));
	if (check(key.data, key.size) != TL_OK)
		ereport(ERROR,
				errcode(TL_ERRCODE(TL_BAD_KEY)),
				errmsg("invalid public key"),
				errdetail("The %zu bytes are not a point of %s.",
						  key.size, curve),
				errhint("The first byte is 2 or 3 for a compressed point and 4 for an uncompressed one; check also that the key is of this curve."));
	return key;
}

static TlSpan
xonly_argument(FunctionCallInfo fcinfo, int argument)
{
	TlSpan		key = bytes_argument(fcinfo, argument);

	if (key.size != TL_XONLY_KEY_SIZE)
		ereport(ERROR,
				errcode(TL_ERRCODE(TL_BAD_KEY)),
				errmsg("invalid length of the public key"),
				errdetail("A BIP-340 public key has %d bytes, not %zu.",
						  TL_XONLY_KEY_SIZE, key.size),
				errhint("It is a compressed key without its first byte: substring(key FROM 2)."));
	if (tl_crypto_xonly_key_check(key.data) != TL_OK)
		ereport(ERROR,
				errcode(TL_ERRCODE(TL_BAD_KEY)),
				errmsg("invalid public key"),
				errdetail("The %d bytes are not the x coordinate of a point of secp256k1.",
						  TL_XONLY_KEY_SIZE),
				errhint("Check that the key is complete and of this curve."));
	return key;
}

/* The messages never show bytes of a secret. */
static TlSpan
secret_argument(FunctionCallInfo fcinfo, int argument)
{
	TlSpan		secret = bytes_argument(fcinfo, argument);

	if (secret.size != TL_SECRET_SIZE)
		ereport(ERROR,
				errcode(TL_ERRCODE(TL_BAD_KEY)),
				errmsg("invalid length of the secret key"),
				errdetail("A secret key has %d bytes, not %zu.",
						  TL_SECRET_SIZE, secret.size),
				errhint("Give the bare number, big-endian, padded with zero bytes in front."));
	if (tl_crypto_secret_check(secret.data) != TL_OK)
		ereport(ERROR,
				errcode(TL_ERRCODE(TL_BAD_KEY)),
				errmsg("invalid secret key"),
				errdetail("A secret key is a number from 1 to the order of secp256k1 less 1."),
				errhint("Draw another one: gen_random_bytes(32)."));
	return secret;
}

static bytea *
bytea_make(const uint8_t *data, size_t size)
{
	bytea	   *value = palloc(VARHDRSZ + size);

	SET_VARSIZE(value, VARHDRSZ + size);
	memcpy(VARDATA(value), data, size);
	return value;
}
