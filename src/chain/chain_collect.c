/*-------------------------------------------------------------------------
 *
 * chain_collect.c
 *	  The rows of a snapshot difference, over all tables, in order of ref.
 *
 * One source per table walks its probes in the ref index; a heap of sources
 * merges them.  Rows are read with the caller's MVCC snapshot, which is as new
 * as the target or newer, and kept if the target sees their transaction and
 * the progress does not have them yet.
 *
 * The caller holds the locks of tl_chain_collect_lock on every table named by a
 * probe.  A table that has been dropped since is left out.  Memory: one slot
 * and one scan per table.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/relation.h"
#include "access/tableam.h"
#include "lib/binaryheap.h"
#include "miscadmin.h"
#include "nodes/pg_list.h"
#include "storage/lmgr.h"
#include "utils/rel.h"

#include "chain_collect.h"
#include "table_am.h"
#include "table_scan.h"
#include "tl_limits.h"

typedef struct Source
{
	TlCollector *collector;
	Relation	relation;
	TlRefScan  *scan;
	const TlProbe *probe;		/* the one that is being scanned */
	const TlProbe *probes_end;
	TlRefBytes	ref;			/* of the row in the slot */
	uint64_t	xid;
} Source;

struct TlCollector
{
	const TlProgress *progress;
	const TlSnapshot *target;
	uint32_t	member;
	Snapshot	snapshot;
	Source	   *sources;
	int			source_count;
	Source	   *current;		/* its row was handed out last */
	binaryheap *heap;
};

static bool can_read(Oid relation_oid);
static bool lock_indexes(Oid relation);
static List *indexes_of(Oid relation, Oid *toast);
static void source_open(TlCollector *collector, const TlProbe *probes, int count);
static void source_start_probe(Source *source);
static bool source_advance(Source *source);
static bool source_wants_row(Source *source);
static void bound_ref(TlRefBytes *out, const TlCollector *collector,
					  uint64_t xid, uint32_t row);
static int	compare_sources(Datum left, Datum right, void *context);

/*
 * Lock all that reading a table opens: the table, its indexes, its TOAST table
 * and that one's.  False if somebody else has locked any of them (ALTER,
 * REINDEX); nobody is ever waited for.  What was locked before the refusal
 * stays locked to the transaction's end, which hinders no reader or writer.
 */
bool
tl_chain_collect_lock(Oid relation)
{
	return ConditionalLockRelationOid(relation, AccessShareLock) &&
		can_read(relation) && lock_indexes(relation);
}

/*
 * A table whose access method is not ours any more (a superuser has changed a
 * catalog) waits like a locked one, so that its rows are not passed over and
 * ledger.status names it.  One that was dropped has no rows to wait for.
 */
static bool
can_read(Oid relation_oid)
{
	Relation	relation = try_relation_open(relation_oid, NoLock);
	bool		ours;

	if (relation == NULL)
		return true;
	ours = tl_table_am_is_ours(relation);
	relation_close(relation, NoLock);
	return ours;
}

static bool
lock_indexes(Oid relation)
{
	Oid			toast;
	List	   *indexes = indexes_of(relation, &toast);
	ListCell   *cell;

	foreach(cell, indexes)
		if (!ConditionalLockRelationOid(lfirst_oid(cell), AccessShareLock))
			return false;
	return !OidIsValid(toast) ||
		(ConditionalLockRelationOid(toast, AccessShareLock) && lock_indexes(toast));
}

/* What tl_chain_collect_lock has locked, where there was nothing to read. */
void
tl_chain_collect_unlock(Oid relation)
{
	Oid			toast;
	List	   *indexes = indexes_of(relation, &toast);
	ListCell   *cell;

	if (OidIsValid(toast))
		tl_chain_collect_unlock(toast);
	foreach(cell, indexes)
		UnlockRelationOid(lfirst_oid(cell), AccessShareLock);
	UnlockRelationOid(relation, AccessShareLock);
}

/* The indexes and the TOAST table of a locked table; none if it is gone. */
static List *
indexes_of(Oid relation_oid, Oid *toast)
{
	Relation	relation = try_relation_open(relation_oid, NoLock);
	List	   *indexes;

	*toast = InvalidOid;
	if (relation == NULL)
		return NIL;
	indexes = RelationGetIndexList(relation);
	*toast = relation->rd_rel->reltoastrelid;
	relation_close(relation, NoLock);
	return indexes;
}

/* The probes are normalized: by table, ascending, disjoint. */
TlCollector *
tl_chain_collect_begin(const TlProbe *probes, int probe_count,
					   const TlProgress *progress, const TlSnapshot *target,
					   uint32_t member, Snapshot snapshot)
{
	TlCollector *collector = palloc0(sizeof(TlCollector));
	int			table_count = 0;

	for (int i = 0; i < probe_count; i++)
		table_count += i == 0 || probes[i].relation != probes[i - 1].relation;
	collector->progress = progress;
	collector->target = target;
	collector->member = member;
	collector->snapshot = snapshot;
	collector->sources = palloc0(sizeof(Source) * Max(table_count, 1));
	collector->heap = binaryheap_allocate(Max(table_count, 1), compare_sources, NULL);
	for (int start = 0, end; start < probe_count; start = end)
	{
		for (end = start + 1; end < probe_count; end++)
			if (probes[end].relation != probes[start].relation)
				break;
		source_open(collector, &probes[start], end - start);
	}
	return collector;
}

/* Put a table's first row, if it has one, on the heap. */
static void
source_open(TlCollector *collector, const TlProbe *probes, int count)
{
	Source	   *source = &collector->sources[collector->source_count];

	source->relation = try_relation_open(probes->relation, NoLock);
	if (source->relation == NULL)
		return;
	if (!tl_table_am_is_ours(source->relation))
		elog(ERROR, "\"%s\" is not a ledger table",
			 RelationGetRelationName(source->relation));
	collector->source_count++;
	source->collector = collector;
	source->probe = probes;
	source->probes_end = probes + count;
	source->scan = tl_table_scan_open(source->relation, collector->snapshot);
	source_start_probe(source);
	if (source_advance(source))
		binaryheap_add(collector->heap, PointerGetDatum(source));
}

/* Begin the index scan of the current probe, behind the position. */
static void
source_start_probe(Source *source)
{
	const TlCollector *collector = source->collector;
	TlRefBytes	low;
	TlRefBytes	high;

	bound_ref(&low, collector, source->probe->first_xid, 0);
	bound_ref(&high, collector, source->probe->last_xid, PG_UINT32_MAX);
	if (collector->progress->partial &&
		tl_table_ref_compare(&low, &collector->progress->position) < 0 &&
		tl_chain_snapshot_equal(collector->target, &collector->progress->next))
		low = collector->progress->position;
	tl_table_scan_start(source->scan, &low, &high);
}

static void
bound_ref(TlRefBytes *out, const TlCollector *collector, uint64_t xid,
		  uint32_t row)
{
	TlRef		ref;

	ref.member = collector->member;
	ref.incarnation = (uint16_t) (xid >> 48);
	ref.transaction = xid & TL_TRANSACTION_MAX;
	ref.row = row;
	tl_table_ref_pack(out, &ref);
}

/* Go to the source's next row that belongs to the difference. */
static bool
source_advance(Source *source)
{
	for (;;)
	{
		CHECK_FOR_INTERRUPTS();
		if (tl_table_scan_next(source->scan, &source->ref))
		{
			if (source_wants_row(source))
				return true;
			continue;
		}
		if (++source->probe == source->probes_end)
			return false;
		source_start_probe(source);
	}
}

static bool
source_wants_row(Source *source)
{
	const TlCollector *collector = source->collector;
	TlRef		ref;

	tl_table_ref_unpack(&ref, &source->ref);
	source->xid = tl_table_ref_word(ref.incarnation, ref.transaction);
	return tl_chain_snapshot_sees(collector->target, source->xid) &&
		!tl_chain_progress_done(collector->progress, &source->ref, source->xid);
}

/* binaryheap keeps the greatest on top: turn the order round. */
static int
compare_sources(Datum left, Datum right, void *context)
{
	const Source *a = (const Source *) DatumGetPointer(left);
	const Source *b = (const Source *) DatumGetPointer(right);

	return tl_table_ref_compare(&b->ref, &a->ref);
}

/* The next row, or false at the end. */
bool
tl_chain_collect_next(TlCollector *collector, TlCollectedRow *out)
{
	Source	   *source;

	/* the slot of the row handed out last may be reused only now */
	if (collector->current != NULL)
	{
		if (source_advance(collector->current))
			binaryheap_replace_first(collector->heap,
									 PointerGetDatum(collector->current));
		else
			binaryheap_remove_first(collector->heap);
		collector->current = NULL;
	}
	if (binaryheap_empty(collector->heap))
		return false;
	source = (Source *) DatumGetPointer(binaryheap_first(collector->heap));
	out->relation = source->relation;
	out->slot = tl_table_scan_slot(source->scan);
	out->ref = source->ref;
	out->xid = source->xid;
	collector->current = source;
	return true;
}

void
tl_chain_collect_end(TlCollector *collector)
{
	for (int i = 0; i < collector->source_count; i++)
	{
		tl_table_scan_close(collector->sources[i].scan);
		relation_close(collector->sources[i].relation, NoLock);
	}
	binaryheap_free(collector->heap);
}
