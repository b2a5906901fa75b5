/*-------------------------------------------------------------------------
 *
 * chain_foreign.c
 *	  Rows of shared tables as blocks have them: other members' sections, refusals.
 *
 * What ledger_internal.section is for the own batches, foreign_section is for
 * those of other members that have a body, so that their rows can be verified and
 * proved here; and for own ones that came back after a restore, whose sections are
 * not in this database.  Where a row is, foreign_rows tells: runs of neighbouring refs,
 * which never overlap, since a ref is in one batch.  A ref that comes once more is
 * refused and keeps its first place.
 *
 * A row that was refused stays in its section, as the block has it; refused_row
 * says so, with the batch, since the same ref may stand in other batches of its
 * member: what became of one says nothing about the other.  TL003 there means that
 * the ref is another row's, which is not refused.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/genam.h"
#include "access/htup_details.h"
#include "access/stratnum.h"
#include "access/table.h"
#include "access/xact.h"
#include "catalog/pg_type.h"
#include "utils/builtins.h"
#include "utils/rel.h"
#include "utils/uuid.h"

#include "chain_foreign.h"
#include "chain_statement.h"
#include "chain_stored.h"
#include "tl_compat.h"
#include "tl_error.h"
#include "tl_limits.h"

/* ledger_internal.foreign_rows */
#define Natts_foreign_rows				6
#define Anum_foreign_rows_first_ref		1
#define Anum_foreign_rows_last_ref		2
#define Anum_foreign_rows_height		3
#define Anum_foreign_rows_incarnation	4
#define Anum_foreign_rows_batch			5
#define Anum_foreign_rows_section		6

static TlStatement insert_section = {
	"INSERT INTO ledger_internal.foreign_section (height, member, incarnation, batch,"
	" section, leaf_hash, table_id, table_version, row_count, row_key, root, nodes, manifest)"
	" VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13)",
	13, {INT8OID, INT8OID, INT4OID, INT8OID, INT4OID, BYTEAOID, UUIDOID, INT4OID,
	INT4OID, BYTEAOID, BYTEAOID, BYTEAOID, BYTEAOID}
};
static TlStatement insert_refused = {
	"INSERT INTO ledger_internal.refused_row (ref, table_id, height, batch, sqlstate, reason, bytes)"
	" VALUES ($1, $2, $3, $4, $5, $6, $7)",
	7, {TL_STATEMENT_REF, UUIDOID, INT8OID, INT8OID, TEXTOID, TEXTOID, BYTEAOID}
};
static TlStatement delete_sections = {
	"DELETE FROM ledger_internal.foreign_section"
	" WHERE member = $1 AND incarnation = $2 AND batch = $3",
	3, {INT8OID, INT4OID, INT8OID}
};
static TlStatement delete_rows = {
	"DELETE FROM ledger_internal.foreign_rows"
	" WHERE first_ref BETWEEN $1 AND $2 AND incarnation = $3 AND batch = $4",
	4, {TL_STATEMENT_REF, TL_STATEMENT_REF, INT4OID, INT8OID}
};
typedef bool (*RefusedRow) (HeapTuple row, TupleDesc description, const TlPlace *place);

static void forget_rows(const TlBatchHeader *header);
static void store_run(TlForeignRuns *runs);
static bool is_taken_from(const TlRef *first);
static bool is_taken(const TlRef *first, const TlRef *last);
static bool find_run(const TlRefBytes *lowest, const TlRefBytes *highest,
					 TlForeignPlace *out);
static bool find_refused(const TlRefBytes *ref, const TlPlace *place, RefusedRow accept,
						 TlSpan *out);
static bool is_refusal(HeapTuple row, TupleDesc description, const TlPlace *place);
static bool is_at(HeapTuple row, TupleDesc description, const TlPlace *place);

/* One section of a batch that is being applied; SPI is connected. */
void
tl_chain_foreign_store(const TlBatchHeader *header, int64_t height, uint16_t index,
					   const TlBuiltSection *section)
{
	bool		is_private = section->leaf.kind == TL_SECTION_PRIVATE;
	pg_uuid_t	table_id;
	Datum		values[] = {
		Int64GetDatum(height),
		Int64GetDatum((int64) header->member),
		Int32GetDatum(header->incarnation),
		Int64GetDatum((int64) header->batch),
		Int32GetDatum(index),
		tl_chain_bytes(section->leaf_hash.bytes, TL_HASH_SIZE),
		UUIDPGetDatum(&table_id),
		Int32GetDatum((int32) section->leaf.table_version),
		Int32GetDatum((int32) section->leaf.row_count),
		(Datum) 0, (Datum) 0, (Datum) 0, (Datum) 0
	};

	memcpy(table_id.data, section->leaf.table_id, UUID_LEN);
	if (!is_private)
	{
		values[9] = tl_chain_bytes(section->row_key, TL_ROW_KEY_SIZE);
		values[10] = tl_chain_bytes(section->leaf.root.bytes, TL_HASH_SIZE);
		values[11] = tl_chain_bytes(section->nodes.data, section->nodes.len);
		values[12] = tl_chain_bytes(section->manifest.data, section->manifest.len);
	}
	tl_chain_execute(&insert_section, values, is_private ? "      nnnnnnn" : NULL, false);
}

/*
 * The rows of a section, from here on in order of ref.  Those of a batch that this
 * database has made are in ledger_internal.section: it is only asked whether they are
 * here as well, and only if any own row is.
 */
void
tl_chain_foreign_runs_begin(TlForeignRuns *runs, const TlBatchHeader *header,
							int64_t height, uint16_t index, bool only_asks)
{
	memset(runs, 0, sizeof(*runs));
	runs->asks = true;
	if (only_asks)
	{
		runs->asks = tl_chain_foreign_has_member(header->member);
		return;
	}
	runs->rows = tl_chain_rows_open("foreign_rows");
	runs->height = height;
	runs->incarnation = header->incarnation;
	runs->batch = header->batch;
	runs->section = index;
}

void
tl_chain_foreign_runs_add(TlForeignRuns *runs, const TlRef *ref)
{
	if (!runs->asks)
		return;
	if (runs->open && ref->incarnation == runs->last.incarnation &&
		ref->transaction == runs->last.transaction && ref->row == runs->last.row + 1)
	{
		runs->last = *ref;
		return;
	}
	if (runs->open)
		store_run(runs);
	runs->first = runs->last = *ref;
	runs->open = true;
}

void
tl_chain_foreign_runs_end(TlForeignRuns *runs)
{
	if (runs->open)
		store_run(runs);
	if (runs->rows != NULL)
		tl_chain_rows_close(runs->rows);
}

static void
store_run(TlForeignRuns *runs)
{
	bool		nulls[Natts_foreign_rows] = {false};
	Datum		values[Natts_foreign_rows];
	TlRefBytes	first;
	TlRefBytes	last;

	if (!runs->any)
		runs->is_beyond = !is_taken_from(&runs->first);
	runs->any = true;
	if (!runs->is_beyond && is_taken(&runs->first, &runs->last))
		ereport(ERROR,
				errcode(TL_ERRCODE(TL_BAD_REF)),
				errmsg("an earlier row has one of the refs from %s on",
					   tl_table_ref_text(&runs->first)));
	if (runs->rows == NULL)
		return;
	tl_table_ref_pack(&first, &runs->first);
	tl_table_ref_pack(&last, &runs->last);
	values[Anum_foreign_rows_first_ref - 1] = TlRefBytesGetDatum(&first);
	values[Anum_foreign_rows_last_ref - 1] = TlRefBytesGetDatum(&last);
	values[Anum_foreign_rows_height - 1] = Int64GetDatum(runs->height);
	values[Anum_foreign_rows_incarnation - 1] = Int32GetDatum(runs->incarnation);
	values[Anum_foreign_rows_batch - 1] = Int64GetDatum((int64) runs->batch);
	values[Anum_foreign_rows_section - 1] = Int32GetDatum(runs->section);
	tl_chain_rows_add(runs->rows, values, nulls, lengthof(values));
}

/*
 * Has an applied row here a ref of that member from this one on?  Mostly not, and then
 * no run of the section has to ask: they are in order.
 */
static bool
is_taken_from(const TlRef *first)
{
	TlRef		highest = {
		.member = first->member,.incarnation = UINT16_MAX,
		.transaction = TL_TRANSACTION_MAX,.row = UINT32_MAX
	};

	return is_taken(first, &highest);
}

/* Has an applied row here a ref from first to last? */
static bool
is_taken(const TlRef *first, const TlRef *last)
{
	TlRefBytes	lowest;
	TlRefBytes	highest;
	TlForeignPlace unused;

	tl_table_ref_pack(&lowest, first);
	tl_table_ref_pack(&highest, last);
	return find_run(&lowest, &highest, &unused);
}

/* Any row of this member? */
bool
tl_chain_foreign_has_member(uint32_t member)
{
	TlRef		lowest = {.member = member};

	return tl_chain_stored_any("foreign_rows") && is_taken_from(&lowest);
}

/* Which section of a foreign batch has this row?  False if none that is applied. */
bool
tl_chain_foreign_find(const TlRefBytes *ref, TlForeignPlace *out)
{
	return tl_chain_stored_any("foreign_rows") && find_run(ref, ref, out);
}

/* Runs do not overlap: only the last one that begins in time can reach that far. */
static bool
find_run(const TlRefBytes *lowest, const TlRefBytes *highest, TlForeignPlace *out)
{
	Relation	relation = tl_chain_stored_open("foreign_rows");
	ScanKeyData key;
	HeapTuple	row;
	bool		found = false;

	ScanKeyInit(&key, Anum_foreign_rows_first_ref, BTLessEqualStrategyNumber,
				tl_chain_lookup_ref_function("ref_le"), TlRefBytesGetDatum(highest));
	row = tl_chain_stored_fetch(relation, "foreign_rows_pkey", &key, 1,
								BackwardScanDirection);
	if (row != NULL)
	{
		TupleDesc	description = RelationGetDescr(relation);
		const TlRefBytes *last = DatumGetTlRefBytes(tl_chain_stored_value(row, description,
																		  "last_ref"));
		TlRef		unpacked;

		tl_table_ref_unpack(&unpacked, last);
		out->height = DatumGetInt64(tl_chain_stored_value(row, description, "height"));
		out->member = unpacked.member;
		out->incarnation = (uint16_t)
			DatumGetInt32(tl_chain_stored_value(row, description, "incarnation"));
		out->batch = DatumGetInt64(tl_chain_stored_value(row, description, "batch"));
		out->section = DatumGetInt32(tl_chain_stored_value(row, description, "section"));
		out->first = *DatumGetTlRefBytes(tl_chain_stored_value(row, description, "first_ref"));
		out->last = *last;
		found = tl_table_ref_compare(lowest, last) <= 0;
	}
	tl_chain_stored_close(relation);
	return found;
}

/* Which block has this row of a foreign section?  False if none that is applied. */
bool
tl_chain_foreign_lookup(const TlRefBytes *ref, TlPlace *out)
{
	TlForeignPlace place;

	if (!tl_chain_foreign_find(ref, &place))
		return false;
	out->height = place.height;
	out->batch = place.batch;
	return tl_chain_lookup_time(&out->time, out->height);
}

/*
 * The first place of a row, as all members have it: an own one that came back after a
 * restore and was batched once more is in a foreign section before that.  The batch
 * of an own place is 0, since it has another number in the log.
 */
bool
tl_chain_foreign_first(const TlRefBytes *ref, TlPlace *out)
{
	bool		found = tl_chain_lookup(ref, out);
	TlPlace		place;

	if (found)
		out->batch = 0;
	if (tl_chain_foreign_lookup(ref, &place) && (!found || place.height < out->height))
	{
		*out = place;
		found = true;
	}
	return found;
}

/* An own batch that came back is in ledger_internal.section now; SPI is connected. */
void
tl_chain_foreign_forget(const TlBatchHeader *header)
{
	Datum		values[] = {
		Int64GetDatum((int64) header->member), Int32GetDatum(header->incarnation),
		Int64GetDatum((int64) header->batch)
	};

	if (tl_chain_execute(&delete_sections, values, NULL, false) > 0)
		forget_rows(header);
}

/* Rows may be of an earlier incarnation than the batch. */
static void
forget_rows(const TlBatchHeader *header)
{
	TlRefBytes	first;
	TlRefBytes	last;
	Datum		values[] = {
		TlRefBytesGetDatum(&first), TlRefBytesGetDatum(&last),
		Int32GetDatum(header->incarnation), Int64GetDatum((int64) header->batch)
	};

	tl_table_ref_pack(&first, &(TlRef) {.member = header->member});
	memset(&last, 0xff, sizeof(last));
	memcpy(&last, &first, sizeof(header->member));	/* it stands first */
	tl_chain_execute(&delete_rows, values, NULL, false);
}

/* The row breaks a rule, and all members say so; SPI is connected. */
void
tl_chain_foreign_refuse(const uint8_t table_id[TL_TABLE_ID_SIZE], const TlRefBytes *ref,
						const TlPlace *place, const char *sqlstate, const char *reason,
						TlSpan bytes)
{
	pg_uuid_t	uuid;
	TlRefBytes	copy = *ref;
	Datum		values[] = {
		TlRefBytesGetDatum(&copy),
		UUIDPGetDatum(&uuid),
		Int64GetDatum(place->height),
		Int64GetDatum(place->batch),
		CStringGetTextDatum(sqlstate),
		CStringGetTextDatum(reason),
		tl_chain_bytes(bytes.data, bytes.size)
	};

	memcpy(uuid.data, table_id, TL_TABLE_ID_SIZE);
	tl_chain_execute(&insert_refused, values, NULL, false);
	pfree(DatumGetPointer(values[4]));
	pfree(DatumGetPointer(values[5]));
	pfree(DatumGetPointer(values[6]));
}

/* Was any row, of whoever? */
bool
tl_chain_foreign_any_refused(void)
{
	return tl_chain_stored_any("refused_row");
}

/*
 * Was the row with this ref refused by all members?  In that place, whose batch is
 * 0 if it does not matter, or (NULL) in any.
 */
bool
tl_chain_foreign_is_refused(const TlRefBytes *ref, const TlPlace *place)
{
	return find_refused(ref, place, is_refusal, NULL);
}

/*
 * The bytes of a row that was refused in that place, for whatever reason; in the
 * current memory context.  False if it was not.
 */
bool
tl_chain_foreign_refused_bytes(const TlRefBytes *ref, const TlPlace *place, TlSpan *out)
{
	return find_refused(ref, place, is_at, out);
}

static bool
find_refused(const TlRefBytes *ref, const TlPlace *place, RefusedRow accept, TlSpan *out)
{
	Relation	relation;
	ScanKeyData key;
	SysScanDesc scan;
	Relation	index;
	HeapTuple	row;
	bool		found = false;

	if (!tl_chain_stored_any("refused_row"))
		return false;
	relation = tl_chain_stored_open("refused_row");
	index = index_open(tl_chain_stored_oid("refused_row_by_ref"), AccessShareLock);
	ScanKeyInit(&key, 1, BTEqualStrategyNumber, tl_chain_lookup_ref_function("ref_eq"),
				TlRefBytesGetDatum(ref));
	scan = systable_beginscan_ordered(relation, index, NULL, 1, &key);
	while (!found &&
		   (row = systable_getnext_ordered(scan, ForwardScanDirection)) != NULL)
	{
		found = accept(row, RelationGetDescr(relation), place);
		if (found && out != NULL)
		{
			bytea	   *bytes = DatumGetByteaPCopy(tl_chain_stored_value(row, RelationGetDescr(relation),
																		 "bytes"));

			out->data = (const uint8_t *) VARDATA_ANY(bytes);
			out->size = VARSIZE_ANY_EXHDR(bytes);
		}
	}
	systable_endscan_ordered(scan);
	index_close(index, AccessShareLock);
	tl_chain_stored_close(relation);
	return found;
}

static bool
is_refusal(HeapTuple row, TupleDesc description, const TlPlace *place)
{
	const char *sqlstate =
		TextDatumGetCString(tl_chain_stored_value(row, description, "sqlstate"));

	return strcmp(sqlstate, tl_status_sqlstate(TL_BAD_REF)) != 0 &&
		(place == NULL || is_at(row, description, place));
}

static bool
is_at(HeapTuple row, TupleDesc description, const TlPlace *place)
{
	return DatumGetInt64(tl_chain_stored_value(row, description, "height")) == place->height &&
		(place->batch == 0 ||
		 DatumGetInt64(tl_chain_stored_value(row, description, "batch")) == place->batch);
}
