/*-------------------------------------------------------------------------
 *
 * table_filter.c
 *	  What a call of a contract sees of ledger tables.
 *
 * An own row of a shared table is in it from its commit on, long before its block
 * is applied, and stays there when all members refuse it.  Rows of others come
 * with their block.  So while a call runs, scans of shared tables leave out own
 * rows that are not in a block up to this one, and refused ones: what is left
 * all members have.  A floor above knows which these are (TlRowSeen).
 *
 * It is done where rows come out of the access method, whatever asks for them: no
 * query can forget it.  Two ways lead around it, since the executor asks the
 * visibility map and not the access method: index-only scans, and bitmap scans
 * that only count.  The first are off by a setting, which is asked for when a
 * query is planned; for the second the planner is told that the table's indexes
 * make no bitmaps.  If one begins all the same it is an error, as are samples.
 *
 * Invariants
 *	  L1  while a call runs, a row of a shared table is given to the executor only
 *		  if all members have it
 *	  L2  while a call runs, nothing is inserted into a ledger table
 *		  (table_am.c asks for that)
 *
 * A state of this process, as that of table_state.c; it ends with the call, and
 * with the transaction at the latest.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/heapam.h"
#include "access/xact.h"
#include "optimizer/cost.h"
#include "optimizer/plancat.h"
#include "utils/rel.h"

#include "table_am.h"
#include "table_catalog.h"
#include "table_filter.h"
#include "table_issue.h"

static TlRowSeen seen = NULL;	/* NULL: no call runs */
static bool plans = false;		/* those made now are for calls */
static uint32_t own_member = 0;
static get_relation_info_hook_type previous_hook = NULL;

static void on_transaction(XactEvent event, void *argument);
static void on_relation_info(PlannerInfo *root, Oid relation, bool is_parent, RelOptInfo *out);
static bool hides(Relation relation, TupleTableSlot *slot);

void
tl_table_filter_init(void)
{
	RegisterXactCallback(on_transaction, NULL);
	previous_hook = get_relation_info_hook;
	get_relation_info_hook = on_relation_info;
}

static void
on_transaction(XactEvent event, void *argument)
{
	if (event == XACT_EVENT_COMMIT || event == XACT_EVENT_ABORT || event == XACT_EVENT_PREPARE)
	{
		seen = NULL;
		plans = false;
	}
}

void
tl_table_filter_plans(bool are_made)
{
	plans = are_made;
}

bool
tl_table_filter_planning(void)
{
	return plans;
}

/* A call begins. */
void
tl_table_filter_begin(TlRowSeen is_seen)
{
	TlIdentity	identity;

	tl_table_identity(&identity);
	own_member = identity.member;
	seen = is_seen;
}

void
tl_table_filter_end(void)
{
	seen = NULL;
}

bool
tl_table_filter_active(void)
{
	return seen != NULL;
}

/* No plan asks the visibility map. */
static void
on_relation_info(PlannerInfo *root, Oid relation, bool is_parent, RelOptInfo *out)
{
	ListCell   *cell;

	if (previous_hook != NULL)
		previous_hook(root, relation, is_parent, out);
	if (!plans || !tl_table_catalog_is_ledger(relation))
		return;
	if (enable_indexonlyscan)
		elog(ERROR, "a call of a contract is planned with index-only scans");
	foreach(cell, out->indexlist)
		lfirst_node(IndexOptInfo, cell)->amhasgetbitmap = false;
}

/* L1 */
static bool
hides(Relation relation, TupleTableSlot *slot)
{
	AttrNumber	attribute;
	const TlRefBytes *bytes;
	TlRef		ref;
	bool		is_null;

	if (seen == NULL || (attribute = tl_table_am_shared_ref(relation)) == InvalidAttrNumber)
		return false;
	bytes = DatumGetTlRefBytes(slot_getattr(slot, attribute, &is_null));
	if (is_null)
		elog(ERROR, "a row of ledger table \"%s\" has no ledger_ref", RelationGetRelationName(relation));
	tl_table_ref_unpack(&ref, bytes);
	if (ref.member != own_member || seen(bytes))
		return false;
	ExecClearTuple(slot);
	return true;
}

static TableScanDesc
filtered_scan_begin(Relation relation, Snapshot snapshot, int key_count, ScanKeyData *keys,
					ParallelTableScanDesc parallel, uint32 flags)
{
	if (seen != NULL && (flags & (SO_TYPE_BITMAPSCAN | SO_TYPE_SAMPLESCAN)) != 0)
		elog(ERROR, "a call of a contract scans ledger table \"%s\" by a bitmap or a sample",
			 RelationGetRelationName(relation));
	return GetHeapamTableAmRoutine()->scan_begin(relation, snapshot, key_count, keys, parallel, flags);
}

static bool
filtered_scan_getnextslot(TableScanDesc scan, ScanDirection direction, TupleTableSlot *slot)
{
	do
	{
		if (!GetHeapamTableAmRoutine()->scan_getnextslot(scan, direction, slot))
			return false;
	} while (hides(scan->rs_rd, slot));
	return true;
}

static bool
filtered_scan_getnextslot_tidrange(TableScanDesc scan, ScanDirection direction, TupleTableSlot *slot)
{
	do
	{
		if (!GetHeapamTableAmRoutine()->scan_getnextslot_tidrange(scan, direction, slot))
			return false;
	} while (hides(scan->rs_rd, slot));
	return true;
}

/* Rows are not changed, so one index entry leads to one row. */
static bool
filtered_index_fetch_tuple(IndexFetchTableData *scan, ItemPointer tid, Snapshot snapshot,
						   TupleTableSlot *slot, bool *call_again, bool *all_dead)
{
	return GetHeapamTableAmRoutine()->index_fetch_tuple(scan, tid, snapshot, slot, call_again, all_dead) &&
		!hides(scan->rel, slot);
}

static bool
filtered_fetch_row_version(Relation relation, ItemPointer tid, Snapshot snapshot, TupleTableSlot *slot)
{
	return GetHeapamTableAmRoutine()->tuple_fetch_row_version(relation, tid, snapshot, slot) &&
		!hides(relation, slot);
}

/* Into the routine table of access method `ledger`. */
void
tl_table_filter_install(TableAmRoutine *routine)
{
	routine->scan_begin = filtered_scan_begin;
	routine->scan_getnextslot = filtered_scan_getnextslot;
	routine->scan_getnextslot_tidrange = filtered_scan_getnextslot_tidrange;
	routine->index_fetch_tuple = filtered_index_fetch_tuple;
	routine->tuple_fetch_row_version = filtered_fetch_row_version;
}
