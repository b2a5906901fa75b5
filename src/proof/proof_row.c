/*-------------------------------------------------------------------------
 *
 * proof_row.c
 *	  One row of the ledger: its bytes and its leaf hash, as they were batched.
 *
 * With them anybody can write a second implementation.  The row is looked for
 * with the caller's own rights, all columns of it, row level security
 * included; only then its section is read with the library's.  What all members
 * rejected is in the table of its author only: elsewhere it is found by whoever
 * may read the whole table.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "executor/spi.h"
#include "fmgr.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/rls.h"

#include "chain_foreign.h"
#include "merkle_hash.h"
#include "proof_row.h"
#include "proof_source.h"
#include "table_catalog.h"
#include "table_shared.h"
#include "tl_compat.h"
#include "tl_error.h"

PG_FUNCTION_INFO_V1(tl_encode_row);
PG_FUNCTION_INFO_V1(tl_leaf_hash);

static TlSpan row_bytes(Oid relation, const TlRefBytes *ref);
static Datum bytea_of(const void *data, size_t size);
static bool was_refused(Oid relation, const TlRefBytes *ref);
static void check_ledger_table(Oid relation);
static ArrayType *ref_array(const TlRefBytes *refs, int count);
static void note_found(Oid *out, const TlRefBytes *refs, int count, uint64 row);
tl_noreturn static void not_found(const char *name, const TlRefBytes *ref);

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
	TlBlockHeader header;
	TlReceiptRow row;
	TlSpan		head;
	uint64_t	newest;
	TlRef		definition;
	uint64_t	height;
	Oid			table = tl_proof_row_find(relation, ref);

	tl_proof_source_begin(&source);
	tl_proof_source_head(&head, &header, &newest, TL_SIZE_NEWEST);
	tl_proof_source_row(&row, &height, &definition, table, ref, newest);
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
	Oid			found;

	tl_proof_row_find_all(&found, relation, ref, 1);
	return found;
}

/* The same of many rows; refs ascend and are distinct. */
void
tl_proof_row_find_all(Oid *out, Oid relation, const TlRefBytes *refs, int count)
{
	MemoryContext context = CurrentMemoryContext;
	Datum		values[2];
	Oid			types[2];
	char	   *name;
	char	   *statement;

	check_ledger_table(relation);
	types[0] = get_array_type(tl_table_ref_type());
	values[0] = PointerGetDatum(ref_array(refs, count));
	types[1] = OIDOID;
	values[1] = ObjectIdGetDatum(relation);
	memset(out, 0, sizeof(Oid) * count);
	name = quote_qualified_identifier(get_namespace_name(get_rel_namespace(relation)),
									  get_rel_name(relation));

	/*
	 * That all columns are named asks for the right to read them, no more.
	 * tableoid has a right of its own, which nobody gives: only a parent asks.
	 */
	statement = psprintf("SELECT s.relation, s.ref FROM"
						 " (SELECT %s AS relation, r.ledger_ref AS ref,"
						 " ROW(r.*) AS all_columns FROM %s AS r"
						 " WHERE r.ledger_ref OPERATOR(pg_catalog.=) ANY ($1)) AS s",
						 tl_table_catalog_is_parent(relation) ? "r.tableoid" : "$2",
						 name);
	if (SPI_connect() != SPI_OK_CONNECT)
		elog(ERROR, "could not connect to SPI");
	if (SPI_execute_with_args(statement, 2, types, values, NULL, true, 0) != SPI_OK_SELECT)
		elog(ERROR, "could not read \"%s\"", name);
	for (uint64 i = 0; i < SPI_processed; i++)
		note_found(out, refs, count, i);
	SPI_finish();
	MemoryContextSwitchTo(context);
	for (int i = 0; i < count; i++)
	{
		if (!OidIsValid(out[i]) && was_refused(relation, &refs[i]))
			out[i] = relation;
		if (!OidIsValid(out[i]))
			not_found(name, &refs[i]);
	}
}

/* Is it a row of this table that all members rejected?  The caller may SELECT. */
static bool
was_refused(Oid relation, const TlRefBytes *ref)
{
	uint8_t		table_id[TL_TABLE_ID_SIZE];
	TlForeignPlace found;
	TlPlace		place;
	TlSpan		bytes;

	if (check_enable_rls(relation, InvalidOid, true) == RLS_ENABLED ||
		!tl_table_is_shared(relation) || !tl_table_catalog_id(table_id, relation) ||
		!tl_chain_foreign_find(ref, &found))
		return false;
	place.height = found.height;
	place.batch = found.batch;
	return tl_chain_foreign_refused_bytes(ref, &place, &bytes) &&
		bytes.size >= TL_ROW_HEADER_SIZE &&
		memcmp(bytes.data + TL_ROW_TABLE_ID_OFFSET, table_id, TL_TABLE_ID_SIZE) == 0;
}

static void
check_ledger_table(Oid relation)
{
	if (!tl_table_catalog_is_bound(relation))
		ereport(ERROR,
				errcode(ERRCODE_WRONG_OBJECT_TYPE),
				errmsg("\"%s\" is not a ledger table",
					   get_rel_name(relation) ? get_rel_name(relation) : "?"),
				errhint("Name the table that the row was inserted into, or its partition; ledger.relation_of(ref) tells."));
}

static ArrayType *
ref_array(const TlRefBytes *refs, int count)
{
	Datum	   *values = palloc(sizeof(Datum) * count);
	Oid			type = tl_table_ref_type();
	int16		type_size;
	bool		by_value;
	char		alignment;

	get_typlenbyvalalign(type, &type_size, &by_value, &alignment);
	for (int i = 0; i < count; i++)
		values[i] = TlRefBytesGetDatum(unconstify(TlRefBytes *, &refs[i]));
	return construct_array(values, count, type, type_size, by_value, alignment);
}

/* A row of the result: remember its table beside its ref. */
static void
note_found(Oid *out, const TlRefBytes *refs, int count, uint64 row)
{
	HeapTuple	tuple = SPI_tuptable->vals[row];
	TupleDesc	description = SPI_tuptable->tupdesc;
	bool		is_null;
	Datum		relation = SPI_getbinval(tuple, description, 1, &is_null);
	Datum		ref = SPI_getbinval(tuple, description, 2, &is_null);
	int			low = 0;
	int			high = count - 1;

	if (is_null)
		return;
	while (low < high)
	{
		int			middle = (low + high) / 2;

		if (tl_table_ref_compare(&refs[middle], DatumGetTlRefBytes(ref)) < 0)
			low = middle + 1;
		else
			high = middle;
	}
	if (tl_table_ref_compare(&refs[low], DatumGetTlRefBytes(ref)) == 0)
		out[low] = DatumGetObjectId(relation);
}

static void
not_found(const char *name, const TlRefBytes *ref)
{
	TlRef		unpacked;

	tl_table_ref_unpack(&unpacked, ref);
	ereport(ERROR,
			errcode(TL_ERRCODE(TL_UNKNOWN_REF)),
			errmsg("no row of %s has the ledger_ref %s", name,
				   tl_table_ref_text(&unpacked)),
			errdetail("There is none, or you may not see it."),
			errhint("ledger.relation_of(ref) tells which table holds a row."));
}
