/*-------------------------------------------------------------------------
 *
 * chain_stored.c
 *	  The tables of the stored chain, read directly.
 *
 * Without SPI and without the caller's privileges, for functions that are
 * called for each of many rows: which block a row is in is no secret.  Each
 * read sees what is committed by then.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/genam.h"
#include "access/htup_details.h"
#include "access/table.h"
#include "catalog/namespace.h"
#include "storage/bufmgr.h"
#include "utils/fmgroids.h"
#include "utils/lsyscache.h"
#include "utils/snapmgr.h"

#include "chain_stored.h"
#include "tl_error.h"

Oid
tl_chain_stored_oid(const char *name)
{
	return get_relname_relid(name, get_namespace_oid("ledger_internal", false));
}

Relation
tl_chain_stored_open(const char *name)
{
	return table_open(tl_chain_stored_oid(name), AccessShareLock);
}

void
tl_chain_stored_close(Relation relation)
{
	table_close(relation, AccessShareLock);
}

/* The first row of an ordered scan, copied, or NULL. */
HeapTuple
tl_chain_stored_fetch(Relation relation, const char *index_name, ScanKey keys,
					  int key_count, ScanDirection direction)
{
	Relation	index = index_open(tl_chain_stored_oid(index_name), AccessShareLock);
	SysScanDesc scan = systable_beginscan_ordered(relation, index, NULL,
												  key_count, keys);
	HeapTuple	row = systable_getnext_ordered(scan, direction);

	if (row != NULL)
		row = heap_copytuple(row);
	systable_endscan_ordered(scan);
	index_close(index, AccessShareLock);
	return row;
}

AttrNumber
tl_chain_stored_attribute(Relation relation, const char *column)
{
	AttrNumber	number = get_attnum(RelationGetRelid(relation), column);

	if (number == InvalidAttrNumber)
		elog(ERROR, "column %s of \"%s\" is missing", column,
			 RelationGetRelationName(relation));
	return number;
}

Datum
tl_chain_stored_value(HeapTuple row, TupleDesc description, const char *column)
{
	for (int i = 0; i < description->natts; i++)
	{
		bool		is_null;
		Datum		value;

		if (strcmp(NameStr(TupleDescAttr(description, i)->attname), column) != 0)
			continue;
		value = heap_getattr(row, i + 1, description, &is_null);
		if (!is_null)
			return value;
		break;
	}
	ereport(ERROR,
			errcode(TL_ERRCODE(TL_CHAIN_DAMAGED)),
			errmsg("a row of the stored chain has no value in column %s", column),
			tl_error_hint_damaged());
}

bool
tl_chain_stored_is_null(HeapTuple row, Relation relation, const char *column)
{
	return heap_attisnull(row, tl_chain_stored_attribute(relation, column),
						  RelationGetDescr(relation));
}

/* May this table of exceptions have any row?  Asked by its size alone. */
bool
tl_chain_stored_any(const char *name)
{
	Relation	relation = tl_chain_stored_open(name);
	bool		result = RelationGetNumberOfBlocks(relation) > 0;

	tl_chain_stored_close(relation);
	return result;
}

/*
 * Has it any row?  With an index: of those that the index has, which may be some of them.
 * A statement that asks the same takes ten times as long to begin.
 */
bool
tl_chain_stored_has(const char *name, const char *index_name)
{
	Relation	relation = tl_chain_stored_open(name);
	SysScanDesc scan;
	bool		result;

	if (index_name != NULL)
		result = tl_chain_stored_fetch(relation, index_name, NULL, 0, ForwardScanDirection) != NULL;
	else
	{
		scan = systable_beginscan(relation, InvalidOid, false, NULL, 0, NULL);
		result = HeapTupleIsValid(systable_getnext(scan));
		systable_endscan(scan);
	}
	tl_chain_stored_close(relation);
	return result;
}

/* Has it a row of that height, its first column and the key of that index? */
bool
tl_chain_stored_has_height(const char *name, const char *index_name, int64_t height)
{
	Relation	relation = tl_chain_stored_open(name);
	ScanKeyData key;
	HeapTuple	row;

	ScanKeyInit(&key, 1, BTEqualStrategyNumber, F_INT8EQ, Int64GetDatum(height));
	row = tl_chain_stored_fetch(relation, index_name, &key, 1, ForwardScanDirection);
	tl_chain_stored_close(relation);
	return row != NULL;
}

/* How many rows it has for a statement that would begin now. */
int64_t
tl_chain_stored_count(const char *name)
{
	Relation	relation = tl_chain_stored_open(name);
	Snapshot	snapshot = RegisterSnapshot(GetTransactionSnapshot());
	SysScanDesc scan = systable_beginscan(relation, InvalidOid, false, snapshot, 0, NULL);
	int64_t		count = 0;

	while (HeapTupleIsValid(systable_getnext(scan)))
		count++;
	systable_endscan(scan);
	UnregisterSnapshot(snapshot);
	tl_chain_stored_close(relation);
	return count;
}
