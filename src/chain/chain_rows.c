/*-------------------------------------------------------------------------
 *
 * chain_rows.c
 *	  Rows of one of the library's own tables, inserted many at a time.
 *
 * Past SPI, straight to heap and its indexes, for what a block has many of: a tenth
 * of the time, and one record of WAL for a page of rows.  The caller answers for NOT
 * NULL and CHECK, which nobody asks here; unique keys are asked as ever.  A row is in
 * its table when others have been added, or after the close, and not before.
 *
 * What is opened belongs to the current resource owner: an ERROR is cleaned up by
 * the end of the (sub)transaction.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/table.h"
#include "access/xact.h"
#include "catalog/indexing.h"
#include "executor/tuptable.h"
#include "miscadmin.h"
#include "utils/memutils.h"
#include "utils/rel.h"

#include "chain_rows.h"
#include "chain_stored.h"

#define GATHER_MAX		128

struct TlChainRows
{
	MemoryContext context;
	MemoryContext scratch;		/* of one flush */
	Relation	relation;
	CatalogIndexState indexes;
	int			slot_count;		/* made so far */
	int			row_count;
	TupleTableSlot *slots[GATHER_MAX];
};

static void flush(TlChainRows *rows);

TlChainRows *
tl_chain_rows_open(const char *table)
{
	TlChainRows *rows = palloc0(sizeof(TlChainRows));

	rows->context = CurrentMemoryContext;
	rows->scratch = AllocSetContextCreate(CurrentMemoryContext, "telco_ledger rows inserted",
										  ALLOCSET_DEFAULT_SIZES);
	rows->relation = table_open(tl_chain_stored_oid(table), RowExclusiveLock);
	rows->indexes = CatalogOpenIndexes(rows->relation);
	return rows;
}

void
tl_chain_rows_add(TlChainRows *rows, const Datum *values, const bool *nulls)
{
	int			column_count = RelationGetNumberOfAttributes(rows->relation);
	MemoryContext caller = MemoryContextSwitchTo(rows->context);
	TupleTableSlot *slot;

	if (rows->row_count == GATHER_MAX)
		flush(rows);
	if (rows->row_count == rows->slot_count)
		rows->slots[rows->slot_count++] = MakeSingleTupleTableSlot(RelationGetDescr(rows->relation), &TTSOpsHeapTuple);
	slot = rows->slots[rows->row_count++];
	memcpy(slot->tts_values, values, column_count * sizeof(Datum));
	memcpy(slot->tts_isnull, nulls, column_count * sizeof(bool));
	ExecStoreVirtualTuple(slot);
	ExecMaterializeSlot(slot);
	MemoryContextSwitchTo(caller);
}

static void
flush(TlChainRows *rows)
{
	MemoryContext caller = MemoryContextSwitchTo(rows->scratch);

	CHECK_FOR_INTERRUPTS();
	CatalogTuplesMultiInsertWithInfo(rows->relation, rows->slots, rows->row_count, rows->indexes);
	MemoryContextSwitchTo(caller);
	MemoryContextReset(rows->scratch);
	for (int i = 0; i < rows->row_count; i++)
		ExecClearTuple(rows->slots[i]);
	rows->row_count = 0;
}

void
tl_chain_rows_close(TlChainRows *rows)
{
	flush(rows);
	for (int i = 0; i < rows->slot_count; i++)
		ExecDropSingleTupleTableSlot(rows->slots[i]);
	CatalogCloseIndexes(rows->indexes);
	table_close(rows->relation, NoLock);
	MemoryContextDelete(rows->scratch);
	pfree(rows);
	CommandCounterIncrement();
}
