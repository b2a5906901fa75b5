/*-------------------------------------------------------------------------
 *
 * chain_rows.c
 *	  Rows of one of the library's own tables, inserted past SPI, many at a time.
 *
 * Straight to heap and its indexes.  For what a block has many of: a tenth of the
 * time, and one record of WAL for a page of rows.  A single row of a log saves as much
 * as its statement needs to begin.  The caller answers for NOT
 * NULL and CHECK, which nobody asks here; unique keys are asked as ever.  A row is in
 * its table when others have been added, or after the close, and not before.  A table
 * that has other columns than its caller knows is an error: library and extension are
 * not of one release, or a superuser has altered it.
 *
 * A table may have indexes that its owner has made, also on expressions or for some
 * of the rows: they are filled as an INSERT fills them.
 *
 * What is opened belongs to the current resource owner: an ERROR is cleaned up by
 * the end of the (sub)transaction.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/heapam.h"
#include "access/table.h"
#include "access/xact.h"
#include "executor/executor.h"
#include "miscadmin.h"
#include "utils/memutils.h"
#include "utils/rel.h"

#include "chain_rows.h"
#include "chain_stored.h"
#include "tl_compat.h"

#define GATHER_MAX		128

struct TlChainRows
{
	MemoryContext context;		/* of all this */
	MemoryContext scratch;		/* of one flush */
	Relation	relation;
	ResultRelInfo *target;		/* with its indexes open */
	EState	   *estate;			/* for expressions of indexes */
	int			slot_count;		/* made so far */
	int			row_count;
	TupleTableSlot *slots[GATHER_MAX];
};

static void check_columns(Relation relation, int count);
static void flush(TlChainRows *rows);

TlChainRows *
tl_chain_rows_open(const char *table)
{
	MemoryContext context = AllocSetContextCreate(CurrentMemoryContext, "telco_ledger rows",
												  ALLOCSET_DEFAULT_SIZES);
	MemoryContext caller = MemoryContextSwitchTo(context);
	TlChainRows *rows = palloc0(sizeof(TlChainRows));

	rows->context = context;
	rows->scratch = AllocSetContextCreate(context, "telco_ledger rows inserted",
										  ALLOCSET_DEFAULT_SIZES);
	rows->relation = table_open(tl_chain_stored_oid(table), RowExclusiveLock);
	rows->estate = CreateExecutorState();
	rows->target = makeNode(ResultRelInfo);
	rows->target->ri_RelationDesc = rows->relation;
	ExecOpenIndices(rows->target, false);
	MemoryContextSwitchTo(caller);
	return rows;
}

void
tl_chain_rows_add(TlChainRows *rows, const Datum *values, const bool *nulls, int count)
{
	MemoryContext caller = MemoryContextSwitchTo(rows->context);
	TupleTableSlot *slot;

	check_columns(rows->relation, count);
	if (rows->row_count == GATHER_MAX)
		flush(rows);
	if (rows->row_count == rows->slot_count)
		rows->slots[rows->slot_count++] = MakeSingleTupleTableSlot(RelationGetDescr(rows->relation), &TTSOpsHeapTuple);
	slot = rows->slots[rows->row_count++];
	memcpy(slot->tts_values, values, count * sizeof(Datum));
	memcpy(slot->tts_isnull, nulls, count * sizeof(bool));
	memset(slot->tts_isnull + count, true, RelationGetNumberOfAttributes(rows->relation) - count);
	ExecStoreVirtualTuple(slot);
	ExecMaterializeSlot(slot);
	MemoryContextSwitchTo(caller);
}

/* Behind those that the caller knows there is nothing but what was dropped. */
static void
check_columns(Relation relation, int count)
{
	TupleDesc	descriptor = RelationGetDescr(relation);

	if (descriptor->natts < count)
		elog(ERROR, "table %s has %d columns, %d are stored", RelationGetRelationName(relation), descriptor->natts, count);
	for (int i = count; i < descriptor->natts; i++)
		if (!TupleDescAttr(descriptor, i)->attisdropped)
			elog(ERROR, "table %s has a column %s, which is not known", RelationGetRelationName(relation),
				 NameStr(TupleDescAttr(descriptor, i)->attname));
}

static void
flush(TlChainRows *rows)
{
	MemoryContext caller = MemoryContextSwitchTo(rows->scratch);

	CHECK_FOR_INTERRUPTS();
	heap_multi_insert(rows->relation, rows->slots, rows->row_count, GetCurrentCommandId(true), 0, NULL);
	for (int i = 0; i < rows->row_count; i++)
	{
		list_free(tl_insert_index_tuples(rows->target, rows->slots[i], rows->estate));
		ResetPerTupleExprContext(rows->estate);
	}
	MemoryContextSwitchTo(caller);
	MemoryContextReset(rows->scratch);
	for (int i = 0; i < rows->row_count; i++)
		ExecClearTuple(rows->slots[i]);
	rows->row_count = 0;
}

void
tl_chain_rows_close(TlChainRows *rows)
{
	if (rows->row_count > 0)
		flush(rows);
	for (int i = 0; i < rows->slot_count; i++)
		ExecDropSingleTupleTableSlot(rows->slots[i]);
	ExecCloseIndices(rows->target);
	FreeExecutorState(rows->estate);
	table_close(rows->relation, NoLock);
	MemoryContextDelete(rows->context);
	CommandCounterIncrement();
}
