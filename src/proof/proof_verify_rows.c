/*-------------------------------------------------------------------------
 *
 * proof_verify_rows.c
 *	  The rows of one table against the sections: none missing, none added.
 *
 * Three witnesses speak of refs: the manifests of the table's sections, a
 * sequential scan of the table, a scan of the ref index that reads the ref from
 * the index entry itself (proof_verify_gather.c).  They meet in one sort by ref,
 * so that neither the index nor the heap can hide a row:
 *
 *		manifest	heap	index
 *		yes			yes		same place		goes to its section
 *		yes			yes		no, elsewhere	index_mismatch; goes to its section
 *		yes			no						row_missing
 *		no			yes						row_added, unless it is not batched yet or
 *											was rejected, and rightly so
 *		no			no		yes				nothing: rolled back, not vacuumed yet
 *
 * Rows that go to their section are sorted once more, by section, and hashed
 * there (proof_verify_section.c).
 *
 * Not batched yet is what the stored progress says, for all tables or for one
 * that lags.  An incremental run takes the sections of new batches, the refs
 * from the smallest to the greatest of theirs, and the manifests of older
 * sections only as far as they reach into that range.
 *
 * Memory: work_mem for each of two sorts, and one manifest.
 *
 *		entry of by_ref: ref 16, witness u8; manifest: batch u64, section u32,
 *		index u32, fingerprint 4, to be hashed u8; heap and index: block u32,
 *		offset u16
 *		entry of by_place: batch u64, section u32, index u32, ref 16, block u32,
 *		offset u16, fingerprint 4
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/table.h"
#include "access/tableam.h"
#include "access/transam.h"
#include "catalog/pg_type.h"
#include "utils/memutils.h"
#include "utils/uuid.h"

#include "chain_foreign.h"
#include "chain_lookup.h"
#include "chain_statement.h"
#include "proof_progress.h"
#include "proof_verify_foreign.h"
#include "proof_verify_rows.h"
#include "proof_verify_sweep.h"
#include "table_catalog.h"
#include "table_requirement.h"
#include "table_shared.h"
#include "tl_wire.h"

static TlStatement select_range = {
	"SELECT min(first_ref), max(last_ref) FROM ledger_internal.section"
	" WHERE table_id = $1 AND batch > $2",
	2, {UUIDOID, INT8OID}
};
static TlStatement select_height = {
	"SELECT height FROM ledger_internal.batch WHERE batch = $1",
	1, {INT8OID}
};
static TlStatement select_truncated = {
	"SELECT ledger_ref FROM ledger.table_version WHERE table_id = $1 AND action = 'truncate'"
	" ORDER BY version DESC LIMIT 1",
	1, {UUIDOID}
};

/* What the witnesses say of one ref. */
typedef struct RefGroup
{
	TlRefBytes	ref;
	bool		in_manifest;
	bool		wanted;			/* to be hashed */
	TlPlacedRow placed;
	int			heap_count;
	int			heap_capacity;
	ItemPointerData *heap;
	int			index_count;
	int			index_capacity;
	ItemPointerData *index;
} RefGroup;

static bool open_pass(TlRowsPass *pass, TlVerification *run, Oid relation);
static void verify_exactly(TlRowsPass *pass);
static void report_disposed(TlRowsPass *pass);
static bool choose_range(TlRowsPass *pass);
static void choose_own(TlRowsPass *pass);
static void find_disposed(TlRowsPass *pass);
static void merge(TlRowsPass *pass);
static void group_add(TlRowsPass *pass, RefGroup *group, TlReader *reader);
static void add_place(ItemPointerData **places, int *count, int *capacity,
					  TlReader *reader);
static void judge(TlRowsPass *pass, RefGroup *group);
static void judge_index(TlRowsPass *pass, const RefGroup *group);
static void judge_missing(TlRowsPass *pass, const RefGroup *group);
static void judge_added(TlRowsPass *pass, const RefGroup *group);
static bool is_of_returned(const TlRowsPass *pass, const RefGroup *group);
static bool is_rightly_rejected(TlRowsPass *pass, const RefGroup *group);
static bool leads_to(TlRowsPass *pass, const ItemPointerData *entry,
					 const ItemPointerData *place);
static char *place_text(const ItemPointerData *place);

void
tl_proof_verify_rows(TlVerification *run, Oid relation)
{
	MemoryContext context = AllocSetContextCreate(CurrentMemoryContext,
												  "ledger.verify table",
												  ALLOCSET_DEFAULT_SIZES);
	MemoryContext caller = MemoryContextSwitchTo(context);
	TlRowsPass *pass = palloc0(sizeof(TlRowsPass));
	char	   *expected,
			   *found;

	if (open_pass(pass, run, relation))
	{
		if (tl_table_requirement_differs(pass->relation, &expected, &found))
			tl_proof_rows_report(pass, "definition_changed", NULL, 0, expected, found,
								 "What must be signed in the table, by ledger_internal.signature_requirement, is not what the ledger says.");
		if (choose_range(pass) && !tl_proof_verify_sweep(pass))
			verify_exactly(pass);
		report_disposed(pass);
		if (run->quorum && tl_table_is_shared(relation))
			tl_proof_foreign_rows(pass);
	}
	table_close(pass->relation, NoLock);
	MemoryContextSwitchTo(caller);
	MemoryContextDelete(context);
}

/*
 * Some sections of the table after this batch, which moves on; when there are
 * no more of them, its rows are counted.  False if that was the last step: all
 * is done, or something is not right, and the table was read as a whole.
 */
bool
tl_proof_rows_step(TlVerification *run, Oid relation, int64_t *batch,
				   int64_t to_batch)
{
	TlRowsPass *pass = palloc0(sizeof(TlRowsPass));
	char	   *expected,
			   *found;
	bool		last;
	bool		clean;

	clean = open_pass(pass, run, relation) && choose_range(pass) &&
		!tl_table_requirement_differs(pass->relation, &expected, &found);
	pass->part = TL_SWEEP_SECTIONS;
	pass->after_batch = pass->swept_batch = *batch;
	pass->to_batch = to_batch;
	clean = clean && tl_proof_verify_sweep(pass);
	last = pass->swept_batch == *batch;
	if (clean && last)
	{
		pass->part = TL_SWEEP_COUNT;
		clean = tl_proof_verify_sweep(pass);
		report_disposed(pass);
		if (clean && run->quorum && tl_table_is_shared(relation))
			tl_proof_foreign_rows(pass);
	}
	table_close(pass->relation, NoLock);
	if (!clean)
		tl_proof_verify_table(run, relation);
	if (!clean || last)
		return false;
	*batch = pass->swept_batch;
	return true;
}

/* Open the relation; false if nobody knows which table it is. */
static bool
open_pass(TlRowsPass *pass, TlVerification *run, Oid relation)
{
	pass->relation = table_open(relation, AccessShareLock);
	if (!tl_proof_rows_begin(pass, run))
		return false;
	if (tl_chain_any_rejected())
	{
		pass->check = tl_chain_check_create(CurrentMemoryContext);
		tl_chain_check_begin(pass->check, run->snapshot, CurrentMemoryContext);
	}
	find_disposed(pass);
	return true;
}

/* Of the open relation: which table it is, and how far it is batched. */
bool
tl_proof_rows_begin(TlRowsPass *pass, TlVerification *run)
{
	Oid			relation = RelationGetRelid(pass->relation);

	pass->run = run;
	pass->progress = run->progress_known ? &run->progress : NULL;
	for (int i = 0; i < run->lagging_count; i++)
		if (run->lagging[i].relation == relation && pass->progress != NULL)
			pass->progress = &run->lagging[i].progress;
	return tl_table_catalog_id(pass->table_id, relation);
}

/* Bring all witnesses together, and name what does not fit. */
static void
verify_exactly(TlRowsPass *pass)
{
	tl_proof_progress_phase(TL_PHASE_ROWS_EXACTLY, RelationGetRelid(pass->relation),
							pass->row_count);
	pass->by_ref = tl_proof_sort_begin();
	pass->by_place = tl_proof_sort_begin();
	tl_proof_rows_gather(pass);
	merge(pass);
	tl_proof_sort_end(pass->by_ref);
	tl_proof_rows_sections(pass);
	tl_proof_sort_end(pass->by_place);
}

static void
report_disposed(TlRowsPass *pass)
{
	if (pass->disposed_rows > 0)
		tl_proof_rows_report(pass, "disposed", NULL, 0,
							 psprintf("%lld rows", (long long) pass->disposed_rows),
							 "no rows",
							 "The table of this test ledger was truncated.");
}

/* Which refs to look at; false if there is nothing new. */
static bool
choose_range(TlRowsPass *pass)
{
	pg_uuid_t	table_id;
	Datum		values[2];
	bool		nothing;
	Datum		low;

	memset(&pass->low, 0, TL_REF_SIZE);
	memset(&pass->high, 0xff, TL_REF_SIZE);
	if (tl_table_is_shared(RelationGetRelid(pass->relation)))
		choose_own(pass);
	if (pass->run->from_batch == 0)
		return true;
	memcpy(table_id.data, pass->table_id, UUID_LEN);
	values[0] = UUIDPGetDatum(&table_id);
	values[1] = Int64GetDatum(pass->run->from_batch);
	tl_chain_execute(&select_range, values, NULL, true);
	low = tl_chain_result(0, 0, &nothing);
	if (nothing)
		return false;
	pass->low = *DatumGetTlRefBytes(low);
	pass->high = *DatumGetTlRefBytes(tl_chain_result(0, 1, NULL));
	return true;
}

/* In a shared table: the own rows are those whose refs begin with this member. */
static void
choose_own(TlRowsPass *pass)
{
	TlRef		bound = {.member = pass->run->identity.member};
	size_t		member_size = sizeof(uint32_t);

	tl_table_ref_pack(&pass->low, &bound);
	memcpy(&pass->high, &pass->low, member_size);
}

/* On a test ledger: up to which batch were the rows truncated? */
static void
find_disposed(TlRowsPass *pass)
{
	pg_uuid_t	table_id;
	Datum		value = UUIDPGetDatum(&table_id);
	TlRefBytes	ref;
	TlPlace		place;

	if (!pass->run->identity.test)
		return;
	memcpy(table_id.data, pass->table_id, UUID_LEN);
	if (tl_chain_execute(&select_truncated, &value, NULL, true) == 0)
		return;
	ref = *DatumGetTlRefBytes(tl_chain_result(0, 0, NULL));
	pass->disposed_batch = tl_chain_lookup(&ref, &place) ? place.batch : PG_INT64_MAX;
}

/* Bring the witnesses together, ref by ref. */
static void
merge(TlRowsPass *pass)
{
	MemoryContext context = AllocSetContextCreate(CurrentMemoryContext,
												  "ledger.verify ref",
												  ALLOCSET_DEFAULT_SIZES);
	MemoryContext caller = CurrentMemoryContext;
	RefGroup		group;
	TlSpan		entry;
	bool		open = false;

	memset(&group, 0, sizeof(group));
	tl_proof_sort_perform(pass->by_ref);
	while (tl_proof_sort_next(pass->by_ref, &entry))
	{
		TlReader	reader;
		TlRefBytes	ref;

		tl_reader_init(&reader, entry.data, entry.size);
		tl_get_bytes(&reader, ref.bytes, TL_REF_SIZE);
		if (open && tl_table_ref_compare(&ref, &group.ref) != 0)
		{
			MemoryContextSwitchTo(context);
			judge(pass, &group);
			MemoryContextSwitchTo(caller);
			MemoryContextReset(context);
			group.in_manifest = false;
			group.heap_count = group.index_count = 0;
		}
		open = true;
		group.ref = ref;
		group_add(pass, &group, &reader);
	}
	if (open)
		judge(pass, &group);
	MemoryContextDelete(context);
}

static void
group_add(TlRowsPass *pass, RefGroup *group, TlReader *reader)
{
	switch (tl_get_u8(reader))
	{
		case TL_WITNESS_MANIFEST:
			if (group->in_manifest)
			{
				tl_proof_rows_report(pass, "batch_changed", &group->ref,
									 group->placed.batch, NULL, NULL,
									 "Two sections claim the row.");
				return;
			}
			group->in_manifest = true;
			group->placed.batch = (int64_t) tl_get_u64(reader);
			group->placed.section = tl_get_u32(reader);
			group->placed.index = tl_get_u32(reader);
			tl_get_bytes(reader, group->placed.fingerprint, TL_FINGERPRINT_SIZE);
			group->wanted = tl_get_u8(reader);
			break;
		case TL_WITNESS_HEAP:
			add_place(&group->heap, &group->heap_count, &group->heap_capacity, reader);
			break;
		default:
			add_place(&group->index, &group->index_count, &group->index_capacity, reader);
			break;
	}
}

static void
add_place(ItemPointerData **places, int *count, int *capacity, TlReader *reader)
{
	uint32_t	block = tl_get_u32(reader);
	uint16_t	offset = tl_get_u16(reader);

	if (*count == *capacity)
	{
		*capacity = Max(4, 2 * *capacity);
		*places = *places == NULL ? palloc(sizeof(ItemPointerData) * *capacity) :
			repalloc_huge(*places, sizeof(ItemPointerData) * *capacity);
	}
	ItemPointerSet(&(*places)[*count], block, offset);
	(*count)++;
}

/* All witnesses of one ref have been heard. */
static void
judge(TlRowsPass *pass, RefGroup *group)
{
	if (pass->has_index)
		judge_index(pass, group);
	if (!group->in_manifest)
	{
		if (group->heap_count > 0)
			judge_added(pass, group);
		return;
	}
	if (group->heap_count == 0)
	{
		judge_missing(pass, group);
		return;
	}
	if (!group->wanted)
		return;
	if (pass->check != NULL && tl_chain_is_rejected(&group->ref))
		tl_proof_rows_report(pass, "rejection_changed", &group->ref,
							 group->placed.batch, NULL, NULL,
							 "The row is in a batch, but ledger_internal.rejected lists it.");
	group->placed.ref = group->ref;
	for (int i = 0; i < group->heap_count; i++)
	{
		group->placed.place = group->heap[i];
		tl_proof_rows_put_placed(pass->by_place, &group->placed);
	}
}

/* Every row of the heap is under its ref in the index. */
static void
judge_index(TlRowsPass *pass, const RefGroup *group)
{
	for (int i = 0; i < group->heap_count; i++)
	{
		int			j = 0;

		while (j < group->index_count &&
			   !leads_to(pass, &group->index[j], &group->heap[i]))
			j++;
		if (j < group->index_count)
			continue;
		tl_proof_rows_report(pass, "index_mismatch", &group->ref,
							 group->in_manifest ? group->placed.batch : 0,
							 place_text(&group->heap[i]),
							 group->index_count > 0 ? place_text(&group->index[0]) : NULL,
							 "The index on ledger_ref does not lead to the row. REINDEX repairs it; what was read through it meanwhile was incomplete.");
	}
}

/*
 * Does an index entry lead to that row?  An update by way of heap (somebody
 * changed pg_class.relam) may have left a chain behind the entry.
 */
static bool
leads_to(TlRowsPass *pass, const ItemPointerData *entry,
		 const ItemPointerData *place)
{
	ItemPointerData here = *entry;
	IndexFetchTableData *fetch;
	TupleTableSlot *slot;
	bool		again = false;
	bool		all_dead = false;
	bool		found;

	if (ItemPointerEquals(&here, unconstify(ItemPointerData *, place)))
		return true;
	if (ItemPointerGetBlockNumberNoCheck(entry) != ItemPointerGetBlockNumberNoCheck(place))
		return false;
	slot = table_slot_create(pass->relation, NULL);
	fetch = table_index_fetch_begin(pass->relation);
	found = table_index_fetch_tuple(fetch, &here, pass->run->snapshot, slot,
									&again, &all_dead) &&
		ItemPointerEquals(&slot->tts_tid, unconstify(ItemPointerData *, place));
	table_index_fetch_end(fetch);
	ExecDropSingleTupleTableSlot(slot);
	return found;
}

static void
judge_missing(TlRowsPass *pass, const RefGroup *group)
{
	if (group->placed.batch <= pass->disposed_batch)
	{
		pass->disposed_rows++;
		return;
	}
	if (!group->wanted)
		return;
	tl_proof_rows_report(pass, "row_missing", &group->ref, group->placed.batch,
						 tl_proof_verify_hex(group->placed.fingerprint,
											 TL_FINGERPRINT_SIZE), NULL,
						 group->index_count == 0 ?
						 "The row was batched and is not in the table any more." :
						 psprintf("The row was batched and is not in the table any more; the index on ledger_ref still says %s.",
								  place_text(&group->index[0])));
}

/* A row that no section has: is it just not batched yet? */
static void
judge_added(TlRowsPass *pass, const RefGroup *group)
{
	const TlVerification *run = pass->run;
	const char *detail = "The row is older than the newest batch, but no batch holds it.";
	TlRef		ref;
	uint64_t	xid;
	int			first = 0;

	tl_table_ref_unpack(&ref, &group->ref);
	xid = tl_table_ref_word(ref.incarnation, ref.transaction);
	if (pass->check != NULL && tl_chain_is_rejected(&group->ref))
	{
		detail = "The row is listed as rejected, but lacks no signature that its table demands.";
		if (is_rightly_rejected(pass, group))
		{
			detail = "A second row has the ref of a row that was rejected.";
			first = 1;
		}
	}
	else if (ref.member != run->identity.member ||
		ref.incarnation > run->identity.incarnation)
		detail = "The ref of the row was never issued: it names another member or incarnation.";
	else if (!run->identity.copied &&
			 ref.incarnation == run->identity.incarnation &&
			 ref.transaction >= U64FromFullTransactionId(ReadNextFullTransactionId()))
		detail = "The ref of the row was never issued: there was no such transaction yet.";
	else if (pass->progress == NULL ||
			 !tl_chain_progress_done(pass->progress, &group->ref, xid) ||
			 tl_proof_verify_doubts_ref(run, &group->ref) || is_of_returned(pass, group))
		return;
	for (int i = first; i < group->heap_count; i++)
		tl_proof_rows_report(pass, "row_added", &group->ref, 0, NULL,
							 place_text(&group->heap[i]), detail);
}

/* Is it in an own batch that came back after a restore?  proof_verify_foreign.c reads those. */
static bool
is_of_returned(const TlRowsPass *pass, const RefGroup *group)
{
	TlForeignPlace place;

	return pass->run->quorum && group->heap_count == 1 &&
		tl_chain_foreign_find(&group->ref, &place);
}

/* Is what stands in the table not signed as the table demands? */
static bool
is_rightly_rejected(TlRowsPass *pass, const RefGroup *group)
{
	TupleTableSlot *slot = table_slot_create(pass->relation, NULL);
	bool		result = true;

	for (int i = 0; i < group->heap_count && result; i++)
	{
		ItemPointerData place = group->heap[i];
		TlCollectedRow row;
		TlStatus	status;

		row.relation = pass->relation;
		row.slot = slot;
		row.ref = group->ref;
		row.xid = 0;
		result = table_tuple_fetch_row_version(pass->relation, &place,
											   pass->run->snapshot, slot) &&
			tl_chain_check_row(pass->check, &row, &status) != NULL;
		pass->run->rejected += result;
	}
	ExecDropSingleTupleTableSlot(slot);
	return result;
}

static char *
place_text(const ItemPointerData *place)
{
	return psprintf("(%u,%u)", ItemPointerGetBlockNumberNoCheck(place),
					ItemPointerGetOffsetNumberNoCheck(place));
}

/* Report about a row, or without a ref about the table. */
void
tl_proof_rows_report(TlRowsPass *pass, const char *kind, const TlRefBytes *ref,
					 int64_t batch, const char *expected, const char *found,
					 const char *detail)
{
	TlProblem	problem;
	TlRef		unpacked;

	memset(&problem, 0, sizeof(problem));
	if (ref != NULL)
		tl_table_ref_unpack(&unpacked, ref);
	problem.kind = kind;
	problem.relation = RelationGetRelid(pass->relation);
	problem.ref = ref == NULL ? NULL : &unpacked;
	problem.height = batch > 0 ? tl_proof_rows_height(pass, batch) : -1;
	problem.has_height = problem.height >= 0;
	problem.expected = expected;
	problem.found = found;
	problem.detail = detail;
	tl_proof_verify_report(pass->run, &problem);
}

/* The height of a batch, -1 if it is not there. */
int64_t
tl_proof_rows_height(TlRowsPass *pass, int64_t batch)
{
	Datum		value = Int64GetDatum(batch);

	if (pass->cached_batch == batch)
		return pass->cached_height;
	pass->cached_height = -1;
	if (tl_chain_execute(&select_height, &value, NULL, true) == 1)
		pass->cached_height = DatumGetInt64(tl_chain_result(0, 0, NULL));
	SPI_freetuptable(SPI_tuptable);
	pass->cached_batch = batch;
	return pass->cached_height;
}

void
tl_proof_rows_put_placed(TlSort *sort, const TlPlacedRow *row)
{
	uint8_t		entry[64];
	TlWriter	writer;

	tl_writer_init(&writer, entry, sizeof(entry));
	tl_put_u64(&writer, (uint64_t) row->batch);
	tl_put_u32(&writer, row->section);
	tl_put_u32(&writer, row->index);
	tl_put_bytes(&writer, row->ref.bytes, TL_REF_SIZE);
	tl_put_u32(&writer, ItemPointerGetBlockNumberNoCheck(&row->place));
	tl_put_u16(&writer, ItemPointerGetOffsetNumberNoCheck(&row->place));
	tl_put_bytes(&writer, row->fingerprint, TL_FINGERPRINT_SIZE);
	tl_proof_sort_put(sort, entry, writer.size);
}

bool
tl_proof_rows_next_placed(TlSort *sort, TlPlacedRow *row)
{
	TlReader	reader;
	TlSpan		entry;
	uint32_t	block;
	uint16_t	offset;

	if (!tl_proof_sort_next(sort, &entry))
		return false;
	tl_reader_init(&reader, entry.data, entry.size);
	row->batch = (int64_t) tl_get_u64(&reader);
	row->section = tl_get_u32(&reader);
	row->index = tl_get_u32(&reader);
	tl_get_bytes(&reader, row->ref.bytes, TL_REF_SIZE);
	block = tl_get_u32(&reader);
	offset = tl_get_u16(&reader);
	ItemPointerSet(&row->place, block, offset);
	tl_get_bytes(&reader, row->fingerprint, TL_FINGERPRINT_SIZE);
	return true;
}
