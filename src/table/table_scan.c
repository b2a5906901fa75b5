/*-------------------------------------------------------------------------
 *
 * table_scan.c
 *	  Scans of one ledger table along its ref index.
 *
 * The ref index is the unique btree index on ledger_ref alone that the library
 * made with the column; nobody can drop it.  Used by the worker, receipts and
 * verification.  The caller holds a lock on the table.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/genam.h"
#include "access/stratnum.h"
#include "access/tableam.h"
#include "catalog/namespace.h"
#include "catalog/pg_am.h"
#include "catalog/pg_index.h"
#include "catalog/pg_opfamily.h"
#include "nodes/pg_list.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"
#include "utils/syscache.h"

#include "table_am.h"
#include "table_scan.h"
#include "tl_compat.h"
#include "tl_error.h"

struct TlRefScan
{
	Relation	relation;
	Relation	index;
	Snapshot	snapshot;
	AttrNumber	ref_attribute;
	TupleTableSlot *slot;
	IndexScanDesc scan;
	Oid			at_least;		/* functions of the index's operators */
	Oid			at_most;
	TlRefBytes	low;
	TlRefBytes	high;
};

static bool is_ref_index(Relation index, AttrNumber ref_attribute);
static bool has_ref_order(Relation index);
static Oid	operator_function(Relation index, StrategyNumber strategy);
static bool scan_move(TlRefScan *scan, TlRefBytes *ref, ScanDirection direction);

/* OID of the ref index, or InvalidOid. */
Oid
tl_table_scan_ref_index(Relation relation, bool missing_ok)
{
	AttrNumber	ref_attribute = tl_table_am_ref_attribute(relation);
	List	   *indexes = RelationGetIndexList(relation);
	ListCell   *cell;
	Oid			found = InvalidOid;

	foreach(cell, indexes)
	{
		Relation	index = index_open(lfirst_oid(cell), AccessShareLock);

		if (is_ref_index(index, ref_attribute))
			found = lfirst_oid(cell);
		index_close(index, AccessShareLock);
		if (OidIsValid(found))
			break;
	}
	list_free(indexes);
	if (!OidIsValid(found) && !missing_ok)
		ereport(ERROR,
				errcode(TL_ERRCODE(TL_CHAIN_DAMAGED)),
				errmsg("ledger table \"%s\" has no index on ledger_ref",
					   RelationGetRelationName(relation)),
				errhint("Run CREATE UNIQUE INDEX ON %s (ledger_ref).",
						RelationGetRelationName(relation)));
	return found;
}

static bool
is_ref_index(Relation index, AttrNumber ref_attribute)
{
	Form_pg_index form = index->rd_index;

	return index->rd_rel->relam == BTREE_AM_OID &&
		form->indisunique && form->indisvalid && form->indnkeyatts == 1 &&
		ref_attribute != InvalidAttrNumber &&
		form->indkey.values[0] == ref_attribute &&
		RelationGetIndexPredicate(index) == NIL && has_ref_order(index);
}

/*
 * An operator class of somebody else could hide rows, and a descending index
 * would give them from the end.
 */
static bool
has_ref_order(Relation index)
{
	HeapTuple	tuple;
	Form_pg_opfamily form;
	bool		result;

	if (index->rd_indoption[0] & INDOPTION_DESC)
		return false;
	tuple = SearchSysCache1(OPFAMILYOID, ObjectIdGetDatum(index->rd_opfamily[0]));
	if (!HeapTupleIsValid(tuple))
		return false;
	form = (Form_pg_opfamily) GETSTRUCT(tuple);
	result = strcmp(NameStr(form->opfname), "ref_btree_ops") == 0 &&
		form->opfnamespace == get_namespace_oid("ledger", true);
	ReleaseSysCache(tuple);
	return result;
}

TlRefScan *
tl_table_scan_open(Relation relation, Snapshot snapshot)
{
	TlRefScan  *scan = palloc0(sizeof(TlRefScan));

	scan->relation = relation;
	scan->index = index_open(tl_table_scan_ref_index(relation, false),
							 AccessShareLock);
	scan->snapshot = snapshot;
	scan->ref_attribute = tl_table_am_ref_attribute(relation);
	scan->slot = table_slot_create(relation, NULL);
	scan->scan = tl_index_beginscan(relation, scan->index, snapshot, 2);
	scan->at_least = operator_function(scan->index, BTGreaterEqualStrategyNumber);
	scan->at_most = operator_function(scan->index, BTLessEqualStrategyNumber);
	return scan;
}

static Oid
operator_function(Relation index, StrategyNumber strategy)
{
	Oid			type = index->rd_opcintype[0];

	return get_opcode(get_opfamily_member(index->rd_opfamily[0], type, type,
										  strategy));
}

/* From now on, the refs from low to high, both included. */
void
tl_table_scan_start(TlRefScan *scan, const TlRefBytes *low,
					const TlRefBytes *high)
{
	ScanKeyData keys[2];

	scan->low = *low;
	scan->high = *high;
	ScanKeyInit(&keys[0], 1, BTGreaterEqualStrategyNumber, scan->at_least,
				TlRefBytesGetDatum(&scan->low));
	ScanKeyInit(&keys[1], 1, BTLessEqualStrategyNumber, scan->at_most,
				TlRefBytesGetDatum(&scan->high));
	index_rescan(scan->scan, keys, 2, NULL, 0);
}

/* The next row in order of ref, its ref beside; false at the end. */
bool
tl_table_scan_next(TlRefScan *scan, TlRefBytes *ref)
{
	return scan_move(scan, ref, ForwardScanDirection);
}

/* After tl_table_scan_start the last row, then the one before. */
bool
tl_table_scan_previous(TlRefScan *scan, TlRefBytes *ref)
{
	return scan_move(scan, ref, BackwardScanDirection);
}

static bool
scan_move(TlRefScan *scan, TlRefBytes *ref, ScanDirection direction)
{
	Datum		value;
	bool		is_null;

	if (!index_getnext_slot(scan->scan, direction, scan->slot))
		return false;
	value = slot_getattr(scan->slot, scan->ref_attribute, &is_null);
	if (is_null)
		elog(ERROR, "ledger_ref of an indexed row of \"%s\" is null",
			 RelationGetRelationName(scan->relation));
	*ref = *DatumGetTlRefBytes(value);
	return true;
}

/* The slot of the row that was found last. */
TupleTableSlot *
tl_table_scan_slot(TlRefScan *scan)
{
	return scan->slot;
}

void
tl_table_scan_close(TlRefScan *scan)
{
	index_endscan(scan->scan);
	ExecDropSingleTupleTableSlot(scan->slot);
	index_close(scan->index, AccessShareLock);
	pfree(scan);
}
