/*-------------------------------------------------------------------------
 *
 * table_build.c
 *	  Index builds over a ledger table: heap's own code on a private Relation.
 *
 * Heap's two index callbacks scan with heap_getnext, which refuses a relation
 * whose access method is not heap.  Lending heap's routine to the cached
 * relation would be the short way and a hole: an index expression is user
 * code, and its UPDATE or DELETE on the same table would go straight to heap.
 * So heap gets a private copy of the Relation, which nobody else can reach.
 *
 * Invariants
 *	  B1  the cached relation's rd_tableam never changes
 *	  B2  while a build runs in this backend, ledger tables take no rows
 *		  (tl_table_build_active, asked by the access method)
 *	  B3  the copy owns its smgr reference and lets go of it on every path,
 *		  because the reference points into the copy
 *	  B4  the copy counts nothing in the statistics, since a counter keeps a
 *		  pointer to the Relation that it belongs to, beyond the transaction
 *
 * The copy lives in TopTransactionContext: the resource owner may still drop a
 * scan's reference to it while an error unwinds.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/relscan.h"
#include "catalog/index.h"
#include "utils/memutils.h"
#include "utils/rel.h"

#include "table_build.h"

static int	build_depth = 0;

static Relation private_copy(Relation table);
static void adopt_scan(TableScanDesc scan, Relation copy);

/* B2: is user code of an index expression possibly running? */
bool
tl_table_build_active(void)
{
	return build_depth > 0;
}

/* A Relation like the cached one, but with heap's access method. */
static Relation
private_copy(Relation table)
{
	MemoryContext caller = MemoryContextSwitchTo(TopTransactionContext);
	Relation	copy = palloc(sizeof(RelationData));

	memcpy(copy, table, sizeof(RelationData));
	copy->rd_tableam = GetHeapamTableAmRoutine();
	copy->rd_refcnt = 1;
	copy->rd_smgr = NULL;		/* B3 */
	copy->rd_amcache = NULL;
	copy->rd_options = NULL;	/* an invalidation would free the original's */
	copy->pgstat_enabled = false;	/* B4 */
	copy->pgstat_info = NULL;
	MemoryContextSwitchTo(caller);
	return copy;
}

/* A parallel build brings its scan: make it read through the copy. */
static void
adopt_scan(TableScanDesc scan, Relation copy)
{
	Relation	original = scan->rs_rd;

	RelationIncrementReferenceCount(copy);
	scan->rs_rd = copy;
	RelationDecrementReferenceCount(original);
}

double
tl_table_build_range_scan(Relation table, Relation index,
						  struct IndexInfo *index_info, bool allow_sync,
						  bool any_visible, bool progress,
						  BlockNumber start_block, BlockNumber block_count,
						  IndexBuildCallback callback, void *callback_state,
						  TableScanDesc scan)
{
	const TableAmRoutine *heap = GetHeapamTableAmRoutine();
	Relation	copy = private_copy(table);
	double		tuples = 0;

	if (scan != NULL)
		adopt_scan(scan, copy);
	build_depth++;
	PG_TRY();
	{
		tuples = heap->index_build_range_scan(copy, index, index_info,
											  allow_sync, any_visible, progress,
											  start_block, block_count,
											  callback, callback_state, scan);
	}
	PG_FINALLY();
	{
		build_depth--;
		RelationCloseSmgr(copy);
	}
	PG_END_TRY();
	return tuples;
}

void
tl_table_build_validate_scan(Relation table, Relation index,
							 struct IndexInfo *index_info, Snapshot snapshot,
							 struct ValidateIndexState *state)
{
	const TableAmRoutine *heap = GetHeapamTableAmRoutine();
	Relation	copy = private_copy(table);

	build_depth++;
	PG_TRY();
	{
		heap->index_validate_scan(copy, index, index_info, snapshot, state);
	}
	PG_FINALLY();
	{
		build_depth--;
		RelationCloseSmgr(copy);
	}
	PG_END_TRY();
}
