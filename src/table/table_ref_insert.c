/*-------------------------------------------------------------------------
 *
 * table_ref_insert.c
 *	  Entries of the ref index for many rows at a time.
 *
 * A btree takes one entry at a time and writes a record of WAL for each, and
 * every sender of a wire in the same server reads each of them (src/node/README.md,
 * "What a block costs").  Rows of another member come in order of ref, so what
 * belongs into one leaf is put there at once, with one generic record, which is
 * replayed without this library.
 *
 * Only the plain case is done here: an entry that goes between two others of its
 * leaf and has room there.  All else is left to the btree, entry by entry: it
 * splits pages, waits for who is inserting the same ref, and refuses one that is
 * taken.
 *
 * Hints on a leaf are not masked when a server checks generic records: with
 * wal_consistency_checking = generic, a setting for developers, a standby that has
 * hints of its own may stop.
 *
 * Invariants
 *	  F1  a ref that stands on the leaf is not put there again, be its entry dead
 *		  or alive; below the leaf's high key it can stand nowhere else
 *	  F2  the leaf is locked from the search to the record, as in the btree
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/genam.h"
#include "access/generic_xlog.h"
#include "access/itup.h"
#include "access/nbtree.h"
#include "miscadmin.h"
#include "storage/bufmgr.h"
#include "storage/predicate.h"

#include "table_ref.h"
#include "table_ref_insert.h"
#include "tl_compat.h"

static IndexTuple form_entry(Relation index, const IndexInfo *info, TupleTableSlot *slot);
static int	insert_run(Relation table, Relation index, IndexTuple *entries, int count);
static int	fill_leaf(Page page, Relation index, IndexTuple *entries, int count);
static OffsetNumber first_from(Page page, Relation index, OffsetNumber low,
							   const TlRefBytes *ref);
static int	compare(Page page, Relation index, OffsetNumber offset, const TlRefBytes *ref);
static const TlRefBytes *ref_of(Relation index, IndexTuple entry);
static void insert_alone(Relation table, Relation index, IndexInfo *info, IndexTuple entry);

/* Is it one of ref alone, that is asked at once whether a ref is taken? */
bool
tl_table_ref_insert_fits(Relation index)
{
	return index->rd_index->indnatts == 1 && index->rd_index->indimmediate &&
		index->rd_index->indisready;
}

/* Rows that are in the table, in order of ref. */
void
tl_table_ref_insert(Relation table, Relation index, IndexInfo *info,
					TupleTableSlot **slots, int count)
{
	IndexTuple *entries = palloc(sizeof(IndexTuple) * count);
	int			done = 0;

	for (int i = 0; i < count; i++)
	{
		entries[i] = form_entry(index, info, slots[i]);
		if (i > 0 && tl_table_ref_compare(ref_of(index, entries[i - 1]), ref_of(index, entries[i])) >= 0)
			elog(ERROR, "rows for \"%s\" are not in order of ref", RelationGetRelationName(table));
	}
	while (done < count)
	{
		CHECK_FOR_INTERRUPTS();
		done += insert_run(table, index, &entries[done], count - done);
		if (done < count)
			insert_alone(table, index, info, entries[done++]);
	}
}

static IndexTuple
form_entry(Relation index, const IndexInfo *info, TupleTableSlot *slot)
{
	bool		is_null;
	Datum		value = slot_getattr(slot, info->ii_IndexAttrNumbers[0], &is_null);
	IndexTuple	entry = index_form_tuple(RelationGetDescr(index), &value, &is_null);

	if (is_null)
		elog(ERROR, "ledger_ref of a row for \"%s\" is null", RelationGetRelationName(index));
	entry->t_tid = slot->tts_tid;
	return entry;
}

/* As many as go into the leaf of the first one; how many those are. */
static int
insert_run(Relation table, Relation index, IndexTuple *entries, int count)
{
	BTScanInsert key = _bt_mkscankey(index, entries[0]);
	GenericXLogState *state;
	Buffer		buffer;
	int			taken;

	if (!key->heapkeyspace)
		return 0;				/* from before PostgreSQL 12, by pg_upgrade */
	key->scantid = NULL;		/* the first leaf on which the ref could be */
	_bt_freestack(tl_btree_search_leaf(index, table, key, &buffer));
	CheckForSerializableConflictIn(index, NULL, BufferGetBlockNumber(buffer));
	state = GenericXLogStart(index);
	taken = fill_leaf(GenericXLogRegisterBuffer(state, buffer, 0), index, entries, count);
	if (taken > 0)
		(void) GenericXLogFinish(state);
	else
		GenericXLogAbort(state);
	_bt_relbuf(index, buffer);
	return taken;
}

/* The page is a copy, until the record is written. */
static int
fill_leaf(Page page, Relation index, IndexTuple *entries, int count)
{
	BTPageOpaque opaque = BTPageGetOpaque(page);
	OffsetNumber place = P_FIRSTDATAKEY(opaque);

	for (int i = 0; i < count; i++)
	{
		const TlRefBytes *ref = ref_of(index, entries[i]);
		Size		size = IndexTupleSize(entries[i]);

		if (!P_RIGHTMOST(opaque) && compare(page, index, P_HIKEY, ref) <= 0)
			return i;
		place = first_from(page, index, place, ref);
		if (place <= PageGetMaxOffsetNumber(page) && compare(page, index, place, ref) == 0)
			return i;
		if (PageGetFreeSpace(page) < MAXALIGN(size))
			return i;
		if (PageAddItem(page, (Item) entries[i], size, place, false, false) != place)
			elog(ERROR, "could not add an entry to a leaf of \"%s\"",
				 RelationGetRelationName(index));
	}
	return count;
}

/* Where the first entry stands whose ref is not below that one, from low on. */
static OffsetNumber
first_from(Page page, Relation index, OffsetNumber low, const TlRefBytes *ref)
{
	OffsetNumber high = PageGetMaxOffsetNumber(page) + 1;

	while (low < high)
	{
		OffsetNumber middle = low + (high - low) / 2;

		if (compare(page, index, middle, ref) < 0)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

/* The ref there with that one. */
static int
compare(Page page, Relation index, OffsetNumber offset, const TlRefBytes *ref)
{
	ItemId		item = PageGetItemId(page, offset);

	return tl_table_ref_compare(ref_of(index, (IndexTuple) PageGetItem(page, item)), ref);
}

static const TlRefBytes *
ref_of(Relation index, IndexTuple entry)
{
	bool		is_null;
	Datum		value = index_getattr(entry, 1, RelationGetDescr(index), &is_null);

	if (is_null)
		elog(ERROR, "ledger_ref of an entry of \"%s\" is null", RelationGetRelationName(index));
	return DatumGetTlRefBytes(value);
}

static void
insert_alone(Relation table, Relation index, IndexInfo *info, IndexTuple entry)
{
	Datum		value = TlRefBytesGetDatum(ref_of(index, entry));
	bool		is_null = false;

	(void) index_insert(index, &value, &is_null, &entry->t_tid, table, UNIQUE_CHECK_YES,
						false, info);
}
