/*-------------------------------------------------------------------------
 *
 * proof_row.c
 *	  One row of the ledger: its bytes and its leaf hash, as they were batched.
 *
 * With them anybody can write a second implementation.  The row is looked for
 * with the caller's own rights, all columns of it, row level security
 * included; only then its section is read with the library's.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "executor/spi.h"
#include "fmgr.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"

#include "merkle_hash.h"
#include "proof_row.h"
#include "proof_source.h"
#include "table_catalog.h"
#include "tl_compat.h"
#include "tl_error.h"

PG_FUNCTION_INFO_V1(tl_encode_row);
PG_FUNCTION_INFO_V1(tl_leaf_hash);

static TlSpan row_bytes(Oid relation, const TlRefBytes *ref);
static Datum bytea_of(const void *data, size_t size);

/* ledger.encode_row(relation, ref) -> bytea */
Datum
tl_encode_row(PG_FUNCTION_ARGS)
{
	TlSpan		bytes = row_bytes(PG_GETARG_OID(0), PG_GETARG_TLREF(1));

	return bytea_of(bytes.data, bytes.size);
}

/* ledger.leaf_hash(relation, ref) -> bytea */
Datum
tl_leaf_hash(PG_FUNCTION_ARGS)
{
	TlSpan		bytes = row_bytes(PG_GETARG_OID(0), PG_GETARG_TLREF(1));
	TlHash		hash;

	tl_merkle_leaf_hash(&hash, bytes.data, bytes.size);
	return bytea_of(hash.bytes, TL_HASH_SIZE);
}

static TlSpan
row_bytes(Oid relation, const TlRefBytes *ref)
{
	TlProofSource source;
	TlReceiptRow row;
	TlRef		definition;
	uint64_t	height;
	Oid			table = tl_proof_row_find(relation, ref);

	tl_proof_source_begin(&source);
	tl_proof_source_row(&row, &height, &definition, table, ref);
	tl_proof_source_end(&source);
	return row.bytes;
}

static Datum
bytea_of(const void *data, size_t size)
{
	bytea	   *value = palloc(VARHDRSZ + size);

	SET_VARSIZE(value, VARHDRSZ + size);
	memcpy(VARDATA(value), data, size);
	return PointerGetDatum(value);
}

/*
 * The table that holds the row: the relation itself or a partition.  Runs as
 * the caller, who needs SELECT on every column.
 */
Oid
tl_proof_row_find(Oid relation, const TlRefBytes *ref)
{
	MemoryContext context = CurrentMemoryContext;
	Oid			types[1] = {tl_table_ref_type()};
	Datum		values[1] = {TlRefBytesGetDatum(ref)};
	char	   *name;
	char	   *statement;
	TlRef		unpacked;
	Oid			found = InvalidOid;
	bool		is_null;

	if (!tl_table_catalog_is_ledger(relation) && !tl_table_catalog_is_parent(relation))
		ereport(ERROR,
				errcode(ERRCODE_WRONG_OBJECT_TYPE),
				errmsg("\"%s\" is not a ledger table",
					   get_rel_name(relation) ? get_rel_name(relation) : "?"));
	name = quote_qualified_identifier(get_namespace_name(get_rel_namespace(relation)),
									  get_rel_name(relation));
	statement = psprintf("SELECT r.tableoid, r.* FROM %s AS r"
						 " WHERE r.ledger_ref OPERATOR(pg_catalog.=) $1", name);
	if (SPI_connect() != SPI_OK_CONNECT)
		elog(ERROR, "could not connect to SPI");
	if (SPI_execute_with_args(statement, 1, types, values, NULL, true, 2) != SPI_OK_SELECT)
		elog(ERROR, "could not read \"%s\"", name);
	if (SPI_processed == 1)
		found = DatumGetObjectId(SPI_getbinval(SPI_tuptable->vals[0],
											   SPI_tuptable->tupdesc, 1, &is_null));
	SPI_finish();
	MemoryContextSwitchTo(context);
	if (OidIsValid(found))
		return found;
	tl_table_ref_unpack(&unpacked, ref);
	ereport(ERROR,
			errcode(TL_ERRCODE(TL_UNKNOWN_REF)),
			errmsg("no row of %s has the ledger_ref %s", name,
				   tl_table_ref_text(&unpacked)),
			errdetail("There is none, or you may not see it."));
	return InvalidOid;			/* keep the compiler quiet */
}
