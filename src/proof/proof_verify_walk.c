/*-------------------------------------------------------------------------
 *
 * proof_verify_walk.c
 *	  A walk along the ref index of a ledger table, from ref to ref.
 *
 * The quick pass asks for refs in ascending order, mostly for neighbours, so
 * one scan goes along the leaves of the index and is only descended anew where
 * the next ref is far.  The ref is read from the index entry itself and compared
 * with the row that it leads to.
 *
 * An entry that leads nowhere is not marked dead: what is verified is evidence.
 *
 * Used by proof_verify_sweep.c, in its processes.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/genam.h"
#include "access/itup.h"
#include "access/relscan.h"
#include "access/stratnum.h"
#include "access/tableam.h"
#include "utils/lsyscache.h"

#include "proof_verify_walk.h"
#include "table_scan.h"
#include "tl_compat.h"

/* Entries that are passed before the index is descended anew. */
#define SKIP_ENTRIES_MAX	16

struct TlRefWalk
{
	MemoryContext context;		/* the scan allocates when it likes */
	AttrNumber	ref_attribute;
	Relation	relation;		/* the index */
	IndexScanDesc scan;
	ScanKeyData key;
	TlRefBytes	low;			/* what the key points to */
	TupleTableSlot *slot;
	bool		valid;			/* is there a current entry? */
	TlRefBytes	ref;			/* its */
};

static bool find(TlRefWalk *walk, const TlRefBytes *ref);
static bool fetch(TlRefWalk *walk);
static void next(TlRefWalk *walk);
static void descend(TlRefWalk *walk, const TlRefBytes *ref);

/* In the current memory context, which must live as long as the walk. */
TlRefWalk *
tl_proof_walk_open(Relation relation, AttrNumber ref_attribute, Snapshot snapshot)
{
	TlRefWalk  *walk = palloc0(sizeof(TlRefWalk));
	Oid			family;
	Oid			type;

	walk->context = CurrentMemoryContext;
	walk->ref_attribute = ref_attribute;
	walk->relation = index_open(tl_table_scan_ref_index(relation, false),
								AccessShareLock);
	walk->slot = table_slot_create(relation, NULL);
	walk->scan = tl_index_beginscan(relation, walk->relation, snapshot, 1);
	walk->scan->xs_want_itup = true;
	family = walk->relation->rd_opfamily[0];
	type = walk->relation->rd_opcintype[0];
	ScanKeyInit(&walk->key, 1, BTGreaterEqualStrategyNumber,
				get_opcode(get_opfamily_member(family, type, type,
											   BTGreaterEqualStrategyNumber)),
				TlRefBytesGetDatum(&walk->low));
	return walk;
}

void
tl_proof_walk_close(TlRefWalk *walk)
{
	index_endscan(walk->scan);
	ExecDropSingleTupleTableSlot(walk->slot);
	index_close(walk->relation, AccessShareLock);
	pfree(walk);
}

/* The row with this ref, until the walk goes on; NULL if the index has none. */
TupleTableSlot *
tl_proof_walk_find(TlRefWalk *walk, const TlRefBytes *ref)
{
	MemoryContext caller = MemoryContextSwitchTo(walk->context);
	bool		found = find(walk, ref);

	MemoryContextSwitchTo(caller);
	return found ? walk->slot : NULL;
}

static bool
find(TlRefWalk *walk, const TlRefBytes *ref)
{
	int			skipped = 0;

	while (walk->valid && skipped < SKIP_ENTRIES_MAX &&
		   tl_table_ref_compare(&walk->ref, ref) < 0)
	{
		next(walk);
		skipped++;
	}
	if (!walk->valid || tl_table_ref_compare(&walk->ref, ref) != 0)
		descend(walk, ref);
	while (walk->valid && tl_table_ref_compare(&walk->ref, ref) == 0)
	{
		bool		is_null;
		Datum		value;

		if (!fetch(walk))
		{
			next(walk);
			continue;
		}
		value = slot_getattr(walk->slot, walk->ref_attribute, &is_null);
		return !is_null &&
			tl_table_ref_compare(DatumGetTlRefBytes(value), ref) == 0;
	}
	return false;
}

/* Go on behind the row that was found; false if the ref has a second one. */
bool
tl_proof_walk_alone(TlRefWalk *walk, const TlRefBytes *ref)
{
	MemoryContext caller = MemoryContextSwitchTo(walk->context);
	bool		second = false;

	next(walk);
	while (!second && walk->valid && tl_table_ref_compare(&walk->ref, ref) == 0)
	{
		second = fetch(walk);
		if (!second)
			next(walk);
	}
	MemoryContextSwitchTo(caller);
	return !second;
}

/* The row that the current entry leads to. */
static bool
fetch(TlRefWalk *walk)
{
	bool		found = index_fetch_heap(walk->scan, walk->slot);

	walk->scan->kill_prior_tuple = false;
	return found;
}

static void
next(TlRefWalk *walk)
{
	IndexScanDesc scan = walk->scan;
	bool		is_null = true;
	Datum		value = 0;

	walk->valid = false;
	while (is_null && index_getnext_tid(scan, ForwardScanDirection) != NULL)
		value = index_getattr(scan->xs_itup, 1, scan->xs_itupdesc, &is_null);
	if (is_null)
		return;
	walk->ref = *DatumGetTlRefBytes(value);
	walk->valid = true;
}

static void
descend(TlRefWalk *walk, const TlRefBytes *ref)
{
	walk->low = *ref;
	index_rescan(walk->scan, &walk->key, 1, NULL, 0);
	next(walk);
}
