/*-------------------------------------------------------------------------
 *
 * proof_verify_gather.c
 *	  What manifests, heap and index say of a table's refs.
 *
 * The first part of proof_verify_rows.c: fills the sort by_ref.
 *
 * A manifest is this node's own memory, outside every hash.  If it cannot be
 * read, or does not hold as many rows as its section, it is reported and left
 * out, and rows in the range of its refs are not called added.
 *
 * The index is read as a user's index scan reads it (entries marked dead are
 * skipped), but the ref is taken from the entry, not from the row it leads to.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/genam.h"
#include "access/itup.h"
#include "access/stratnum.h"
#include "access/tableam.h"
#include "catalog/pg_type.h"
#include "miscadmin.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/uuid.h"

#include "chain_lookup.h"
#include "proof_verify_cursor.h"
#include "proof_verify_rows.h"
#include "table_am.h"
#include "table_scan.h"
#include "tl_compat.h"
#include "tl_wire.h"

/* Columns of the cursor over sections. */
enum
{
	SECTION_BATCH,
	SECTION_NUMBER,
	SECTION_ROW_COUNT,
	SECTION_FIRST_REF,
	SECTION_LAST_REF,
	SECTION_MANIFEST,
	SECTION_SNAPSHOT,
	SECTION_LATE
};

/* The snapshots between which a batch's rows were committed. */
typedef struct Bounds
{
	MemoryContext context;
	int64_t		number;
	bool		known;
	TlSnapshot	after;
	bool		has_before;
	TlSnapshot	before;
	int64_t		reported_batch;
} Bounds;

static void gather_manifests(TlRowsPass *pass);
static void gather_manifest(TlRowsPass *pass, const TlCursor *cursor,
							Bounds *bounds);
static const char *check_manifest(TlRowsPass *pass, const TlCursor *cursor,
								  TlSpan manifest);
static void load_bounds(Bounds *bounds, int64_t number);
static void check_bounds(TlRowsPass *pass, Bounds *bounds, int64_t batch,
						 bool late, const TlRef *ref);
static bool leads_to_batch(const TlRefBytes *ref, int64_t batch);
static void gather_heap(TlRowsPass *pass, AttrNumber ref_attribute);
static void gather_index(TlRowsPass *pass);
static void set_keys(const TlRowsPass *pass, Relation index, ScanKeyData keys[2]);
static void put_place(TlRowsPass *pass, const TlRefBytes *ref, uint8_t witness,
					  const ItemPointerData *place);

void
tl_proof_rows_gather(TlRowsPass *pass)
{
	AttrNumber	ref_attribute = tl_table_am_ref_attribute(pass->relation);

	if (ref_attribute == InvalidAttrNumber ||
		TupleDescAttr(RelationGetDescr(pass->relation), ref_attribute - 1)->atttypid !=
		tl_table_ref_type())
	{
		tl_proof_rows_report(pass, "definition_changed", NULL, 0, TL_REF_COLUMN, NULL,
							 "The table has no column ledger_ref, so its rows cannot be verified.");
		return;
	}
	gather_manifests(pass);
	gather_heap(pass, ref_attribute);
	gather_index(pass);
}

static void
gather_manifests(TlRowsPass *pass)
{
	Oid			types[] = {UUIDOID, InvalidOid, InvalidOid};
	pg_uuid_t	table_id;
	Datum		values[3];
	TlCursor	cursor;
	Bounds		bounds;
	MemoryContext context = AllocSetContextCreate(CurrentMemoryContext,
												  "ledger.verify manifest",
												  ALLOCSET_DEFAULT_SIZES);
	MemoryContext caller = CurrentMemoryContext;

	memset(&bounds, 0, sizeof(bounds));
	bounds.number = -1;
	bounds.context = AllocSetContextCreate(caller, "ledger.verify bounds",
										   ALLOCSET_DEFAULT_SIZES);
	types[1] = types[2] = tl_table_ref_type();
	memcpy(table_id.data, pass->table_id, UUID_LEN);
	values[0] = UUIDPGetDatum(&table_id);
	values[1] = TlRefBytesGetDatum(&pass->low);
	values[2] = TlRefBytesGetDatum(&pass->high);
	tl_proof_cursor_open(&cursor, "SELECT s.batch, s.section, s.row_count, s.first_ref,"
						 " s.last_ref, s.manifest, b.snapshot, b.late"
						 " FROM ledger_internal.section s"
						 " LEFT JOIN ledger_internal.batch b ON b.batch = s.batch"
						 " WHERE s.table_id = $1 AND s.last_ref >= $2 AND s.first_ref <= $3"
						 " ORDER BY s.batch, s.section", 3, types, values, 16);
	for (; tl_proof_cursor_row(&cursor); tl_proof_cursor_advance(&cursor))
	{
		MemoryContextSwitchTo(context);
		gather_manifest(pass, &cursor, &bounds);
		MemoryContextSwitchTo(caller);
		MemoryContextReset(context);
	}
	tl_proof_cursor_close(&cursor);
	MemoryContextDelete(bounds.context);
	MemoryContextDelete(context);
}

/* One section: is its manifest sound?  Then take its entries. */
static void
gather_manifest(TlRowsPass *pass, const TlCursor *cursor, Bounds *bounds)
{
	TlSpan		bytes = tl_proof_cursor_bytes(cursor, SECTION_MANIFEST);
	const char *detail = check_manifest(pass, cursor, bytes);
	int64_t		batch = tl_proof_cursor_number(cursor, SECTION_BATCH);
	bool		late = tl_proof_cursor_flag(cursor, SECTION_LATE);
	bool		wanted = batch > pass->run->from_batch;
	TlManifestReader manifest;
	TlRefBytes	first,
				last;

	if (detail != NULL)
	{
		tl_proof_cursor_ref(cursor, SECTION_FIRST_REF, &first);
		tl_proof_cursor_ref(cursor, SECTION_LAST_REF, &last);
		tl_proof_rows_report(pass, "batch_changed", NULL, batch, NULL, NULL, detail);
		tl_proof_verify_doubt(pass->run, batch, &first, &last);
		return;
	}
	if (pass->run->progress_known)
		load_bounds(bounds, tl_proof_cursor_number(cursor, SECTION_SNAPSHOT));
	tl_chain_manifest_open(&manifest, bytes.data, bytes.size,
						   pass->run->identity.member);
	for (;;)
	{
		uint8_t		entry[64];
		uint8_t		fingerprint[TL_FINGERPRINT_SIZE];
		TlWriter	writer;
		TlRef		ref;
		bool		found;

		(void) tl_chain_manifest_next(&manifest, &found, &ref, fingerprint);
		if (!found)
			break;
		check_bounds(pass, bounds, batch, late, &ref);
		tl_writer_init(&writer, entry, sizeof(entry));
		tl_put_ref(&writer, &ref);
		tl_put_u8(&writer, TL_WITNESS_MANIFEST);
		tl_put_u64(&writer, (uint64_t) batch);
		tl_put_u32(&writer, (uint32_t) tl_proof_cursor_number(cursor, SECTION_NUMBER));
		tl_put_u32(&writer, manifest.count - 1);
		tl_put_bytes(&writer, fingerprint, TL_FINGERPRINT_SIZE);
		tl_put_u8(&writer, wanted);
		tl_proof_sort_put(pass->by_ref, entry, writer.size);
	}
}

/* NULL, or a sentence about what is wrong. */
static const char *
check_manifest(TlRowsPass *pass, const TlCursor *cursor, TlSpan bytes)
{
	TlManifestReader manifest;
	TlRefBytes	packed,
				last;
	uint8_t		fingerprint[TL_FINGERPRINT_SIZE];
	TlStatus	status;
	TlRef		ref;
	bool		found = true;

	memset(&packed, 0, sizeof(packed));
	tl_proof_cursor_ref(cursor, SECTION_FIRST_REF, &last);
	tl_chain_manifest_open(&manifest, bytes.data, bytes.size,
						   pass->run->identity.member);
	for (;;)
	{
		status = tl_chain_manifest_next(&manifest, &found, &ref, fingerprint);
		if (status != TL_OK || !found)
			break;
		tl_table_ref_pack(&packed, &ref);
		if (manifest.count == 1 && tl_table_ref_compare(&packed, &last) != 0)
			return "Column first_ref of a section is not the first of its manifest.";
	}
	tl_proof_cursor_ref(cursor, SECTION_LAST_REF, &last);
	if (status != TL_OK)
		return psprintf("The manifest of section %lld cannot be read: %s.",
						(long long) tl_proof_cursor_number(cursor, SECTION_NUMBER),
						tl_status_text(status));
	if (tl_table_ref_compare(&packed, &last) != 0)
		return "Column last_ref of a section is not the last of its manifest.";
	if (manifest.count != tl_proof_cursor_number(cursor, SECTION_ROW_COUNT))
		return psprintf("The manifest of section %lld holds %u rows, the section %lld.",
						(long long) tl_proof_cursor_number(cursor, SECTION_NUMBER),
						manifest.count,
						(long long) tl_proof_cursor_number(cursor, SECTION_ROW_COUNT));
	return NULL;
}

/* The snapshot of the batch and the one before; kept for the next section. */
static void
load_bounds(Bounds *bounds, int64_t number)
{
	MemoryContext caller;

	if (bounds->number == number)
		return;
	MemoryContextReset(bounds->context);
	caller = MemoryContextSwitchTo(bounds->context);
	bounds->number = number;
	bounds->known = tl_proof_verify_load_snapshot(&bounds->after, number);
	bounds->has_before = bounds->known &&
		tl_proof_verify_load_snapshot(&bounds->before, number - 1);
	MemoryContextSwitchTo(caller);
}

/* A batch holds what its snapshot sees and the one before does not. */
static void
check_bounds(TlRowsPass *pass, Bounds *bounds, int64_t batch, bool late,
			 const TlRef *ref)
{
	TlRefBytes	packed;
	uint64_t	xid = tl_table_ref_word(ref->incarnation, ref->transaction);

	if (bounds->number < 0 || bounds->reported_batch == batch)
		return;
	tl_table_ref_pack(&packed, ref);
	if (late && !leads_to_batch(&packed, batch))
	{
		bounds->reported_batch = batch;
		tl_proof_rows_report(pass, "snapshot_changed", &packed, batch, NULL, NULL,
							 "ledger_internal.late_rows does not lead to the row's batch, so ledger.height() is wrong about it.");
		return;
	}
	if (bounds->known && tl_chain_snapshot_sees(&bounds->after, xid) &&
		(late || (bounds->has_before &&
				  !tl_chain_snapshot_sees(&bounds->before, xid))))
		return;
	bounds->reported_batch = batch;
	tl_proof_rows_report(pass, "snapshot_changed", &packed, batch,
						 psprintf("snapshot %lld", (long long) bounds->number), NULL,
						 "The row is in a batch whose snapshot does not see it, or sees it not for the first time: ledger_internal.snapshot or column snapshot of the batch was changed.");
}

/* Rows that came late are found by a list of their own. */
static bool
leads_to_batch(const TlRefBytes *ref, int64_t batch)
{
	TlPlace		place;

	return tl_chain_lookup(ref, &place) && place.batch == batch;
}

/* The table itself, page by page. */
static void
gather_heap(TlRowsPass *pass, AttrNumber ref_attribute)
{
	TupleTableSlot *slot = table_slot_create(pass->relation, NULL);
	TableScanDesc scan = table_beginscan_strat(pass->relation, pass->run->snapshot,
											   0, NULL, true, false);

	while (table_scan_getnextslot(scan, ForwardScanDirection, slot))
	{
		bool		is_null;
		Datum		value = slot_getattr(slot, ref_attribute, &is_null);

		CHECK_FOR_INTERRUPTS();
		if (is_null)
			tl_proof_rows_report(pass, "row_added", NULL, 0, NULL,
								 psprintf("(%u,%u)",
										  ItemPointerGetBlockNumberNoCheck(&slot->tts_tid),
										  ItemPointerGetOffsetNumberNoCheck(&slot->tts_tid)),
								 "The row has no ledger_ref, so nothing ever issued it one.");
		else
			put_place(pass, DatumGetTlRefBytes(value), TL_WITNESS_HEAP, &slot->tts_tid);
	}
	table_endscan(scan);
	ExecDropSingleTupleTableSlot(slot);
}

static void
gather_index(TlRowsPass *pass)
{
	Oid			index_oid = tl_table_scan_ref_index(pass->relation, true);
	bool		all = pass->run->from_batch == 0;
	ScanKeyData keys[2];
	Relation	index;
	IndexScanDesc scan;
	ItemPointer place;

	pass->has_index = OidIsValid(index_oid);
	if (!pass->has_index)
	{
		tl_proof_rows_report(pass, "index_mismatch", NULL, 0, "a valid unique index",
							 NULL, "The index on ledger_ref is gone or not valid.");
		return;
	}
	index = index_open(index_oid, AccessShareLock);
	scan = tl_index_beginscan(pass->relation, index, pass->run->snapshot, all ? 0 : 2);
	scan->xs_want_itup = true;
	if (!all)
		set_keys(pass, index, keys);
	index_rescan(scan, all ? NULL : keys, all ? 0 : 2, NULL, 0);
	while ((place = index_getnext_tid(scan, ForwardScanDirection)) != NULL)
	{
		bool		is_null;
		Datum		value = index_getattr(scan->xs_itup, 1, scan->xs_itupdesc, &is_null);

		CHECK_FOR_INTERRUPTS();
		if (!is_null)
			put_place(pass, DatumGetTlRefBytes(value), TL_WITNESS_INDEX, place);
	}
	index_endscan(scan);
	index_close(index, AccessShareLock);
}

/* From low to high. */
static void
set_keys(const TlRowsPass *pass, Relation index, ScanKeyData keys[2])
{
	Oid			family = index->rd_opfamily[0];
	Oid			type = index->rd_opcintype[0];

	ScanKeyInit(&keys[0], 1, BTGreaterEqualStrategyNumber,
				get_opcode(get_opfamily_member(family, type, type,
											   BTGreaterEqualStrategyNumber)),
				TlRefBytesGetDatum(&pass->low));
	ScanKeyInit(&keys[1], 1, BTLessEqualStrategyNumber,
				get_opcode(get_opfamily_member(family, type, type,
											   BTLessEqualStrategyNumber)),
				TlRefBytesGetDatum(&pass->high));
}

static void
put_place(TlRowsPass *pass, const TlRefBytes *ref, uint8_t witness,
		  const ItemPointerData *place)
{
	uint8_t		entry[32];
	TlWriter	writer;

	if (tl_table_ref_compare(ref, &pass->low) < 0 ||
		tl_table_ref_compare(ref, &pass->high) > 0)
		return;
	tl_writer_init(&writer, entry, sizeof(entry));
	tl_put_bytes(&writer, ref->bytes, TL_REF_SIZE);
	tl_put_u8(&writer, witness);
	tl_put_u32(&writer, ItemPointerGetBlockNumberNoCheck(place));
	tl_put_u16(&writer, ItemPointerGetOffsetNumberNoCheck(place));
	tl_proof_sort_put(pass->by_ref, entry, writer.size);
}
