/*-------------------------------------------------------------------------
 *
 * crypto_set_sql.c
 *	  The aggregate ledger.set_hash (sql/10_crypto.sql).
 *
 * Its running value is a bytea: no byte for the empty set, else the lanes as
 * this machine has them.  It is changed in place, which only an aggregate may
 * do, so the functions refuse other callers; the result is the digest.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "fmgr.h"

#include "crypto_set_sql.h"
#include "tl_compat.h"

PG_FUNCTION_INFO_V1(tl_crypto_sql_set_add);
PG_FUNCTION_INFO_V1(tl_crypto_sql_set_combine);
PG_FUNCTION_INFO_V1(tl_crypto_sql_set_digest);

static bytea *running_value(FunctionCallInfo fcinfo, TlSetHash *out);
static void read_value(TlSetHash *out, bytea *value);
static void write_value(bytea *value, const TlSetHash *set);

Datum
tl_crypto_sql_set_add(PG_FUNCTION_ARGS)
{
	TlSetHash	set;
	bytea	   *value = running_value(fcinfo, &set);
	bytea	   *bytes = PG_GETARG_BYTEA_PP(1);
	TlSpan		part = {(const uint8_t *) VARDATA_ANY(bytes), VARSIZE_ANY_EXHDR(bytes)};
	TlHash		element;

	tl_crypto_set_hash_element(&element, &part, 1);
	if (!tl_crypto_set_hash_add(&set, tl_crypto_set_hasher(), &element))
		elog(ERROR, "could not encrypt with AES-256-CTR");
	write_value(value, &set);
	PG_RETURN_BYTEA_P(value);
}

Datum
tl_crypto_sql_set_combine(PG_FUNCTION_ARGS)
{
	TlSetHash	set;
	TlSetHash	other;
	bytea	   *value = running_value(fcinfo, &set);

	read_value(&other, PG_GETARG_BYTEA_PP(1));
	tl_crypto_set_hash_combine(&set, &other);
	write_value(value, &set);
	PG_RETURN_BYTEA_P(value);
}

Datum
tl_crypto_sql_set_digest(PG_FUNCTION_ARGS)
{
	bytea	   *result = palloc(VARHDRSZ + TL_HASH_SIZE);
	TlSetHash	set;
	TlHash		digest;

	(void) running_value(fcinfo, &set);
	tl_crypto_set_hash_digest(&digest, &set);
	SET_VARSIZE(result, VARHDRSZ + TL_HASH_SIZE);
	memcpy(VARDATA(result), digest.bytes, TL_HASH_SIZE);
	PG_RETURN_BYTEA_P(result);
}

/* The first argument, and what the new value is to be written into. */
static bytea *
running_value(FunctionCallInfo fcinfo, TlSetHash *out)
{
	bytea	   *value = PG_GETARG_BYTEA_PP(0);

	if (AggCheckCallContext(fcinfo, NULL) == 0)
		ereport(ERROR,
				errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
				errmsg("the function works in the aggregate ledger.set_hash only"));
	read_value(out, value);
	if (VARSIZE_ANY_EXHDR(value) == 0)
	{
		value = palloc(VARHDRSZ + sizeof(TlSetHash));
		SET_VARSIZE(value, VARHDRSZ + sizeof(TlSetHash));
	}
	return value;
}

static void
read_value(TlSetHash *out, bytea *value)
{
	if (VARSIZE_ANY_EXHDR(value) == 0)
		tl_crypto_set_hash_init(out);
	else if (VARSIZE_ANY_EXHDR(value) == sizeof(*out))
		memcpy(out, VARDATA_ANY(value), sizeof(*out));
	else
		elog(ERROR, "a set hash of %zu bytes", VARSIZE_ANY_EXHDR(value));
}

static void
write_value(bytea *value, const TlSetHash *set)
{
	memcpy(VARDATA_ANY(value), set, sizeof(*set));
}

/* The process keeps it. */
TlSetHasher *
tl_crypto_set_hasher(void)
{
	static TlSetHasher *hasher = NULL;

	if (hasher == NULL)
		hasher = tl_crypto_set_hasher_open();
	if (hasher == NULL)
		ereport(ERROR,
				errcode(ERRCODE_OUT_OF_MEMORY),
				errmsg("out of memory"),
				errdetail("OpenSSL could not set up AES-256-CTR."));
	return hasher;
}
