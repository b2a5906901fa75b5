/*-------------------------------------------------------------------------
 *
 * table_recheck.c
 *	  Refusals by OID, for statements whose names came to mean something else.
 *
 * The guards of table_guard.c look at a statement before it runs and before it
 * has a lock.  Until it has one, another session, or an event trigger at
 * ddl_command_start, can rename objects: ALTER TABLE x then reaches a ledger
 * table although x was none when it was looked at.  What must not happen even
 * then is refused here, where the object access hook tells OIDs.
 *
 * Invariants
 *	  X1  a ledger table is rewritten only by a statement that was looked at as
 *		  one on a ledger table, and never into another access method; nothing
 *		  else is rewritten into ours
 *	  X2  a partition of a ledger parent is a ledger table, and stays attached
 *	  X3  a label of an enum in use is not renamed, no attribute of a composite
 *		  type in use is changed
 *	  X4  the library's functions are not replaced, and no function and no
 *		  access method outside it stands over its handler
 *
 * Called by table_access.c.  Rows just written are read with SnapshotSelf,
 * since the caches do not have them yet.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/genam.h"
#include "access/htup_details.h"
#include "access/table.h"
#include "catalog/dependency.h"
#include "catalog/pg_am.h"
#include "catalog/pg_class.h"
#include "catalog/pg_inherits.h"
#include "catalog/pg_proc.h"
#include "catalog/pg_type.h"
#include "commands/extension.h"
#include "utils/builtins.h"
#include "utils/fmgroids.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"
#include "utils/snapmgr.h"
#include "utils/syscache.h"

#include "table_catalog.h"
#include "table_create.h"
#include "table_guard.h"
#include "table_recheck.h"
#include "tl_error.h"

static bool is_own_script(void);
static void recheck_rewrite(Oid relation, const TlAccessFrame *frame);
static void recheck_partition(Oid child, Oid parent);
static bool is_child(Oid child, Oid parent);
static void recheck_type(Oid type);
static void recheck_function(Oid function);
static void recheck_access_method(Oid method);
static Oid	handler_of(Oid method);

void
tl_table_recheck(ObjectAccessType access, Oid class_id, Oid object_id,
				 int sub_id, void *argument, const TlAccessFrame *frame)
{
	if (!OidIsValid(tl_table_catalog_access_method()) || is_own_script())
		return;
	switch (class_id)
	{
		case RelationRelationId:
			if (sub_id != 0)
			{
				if (get_rel_relkind(object_id) == RELKIND_COMPOSITE_TYPE)
					recheck_type(get_rel_type_id(object_id));
			}
			else if (access == OAT_POST_CREATE &&
					 ((ObjectAccessPostCreate *) argument)->is_internal)
				recheck_rewrite(object_id, frame);
			break;
		case InheritsRelationId:
			if (access == OAT_POST_ALTER)
				recheck_partition(object_id,
								  ((ObjectAccessPostAlter *) argument)->auxiliary_id);
			break;
		case TypeRelationId:
			if (access == OAT_POST_ALTER && frame != NULL && frame->renames_label)
				recheck_type(object_id);
			break;
		case ProcedureRelationId:
			if (access == OAT_POST_CREATE)
				recheck_function(object_id);
			break;
		case AccessMethodRelationId:
			if (access == OAT_POST_CREATE)
				recheck_access_method(object_id);
			break;
		default:
			break;
	}
}

/* CREATE or ALTER EXTENSION telco_ledger runs. */
static bool
is_own_script(void)
{
	return creating_extension &&
		CurrentExtensionObject == get_extension_oid("telco_ledger", true);
}

/* X1: a transient table has been made, into which its original goes. */
static void
recheck_rewrite(Oid relation, const TlAccessFrame *frame)
{
	Relation	catalog = table_open(RelationRelationId, AccessShareLock);
	ScanKeyData key;
	SysScanDesc scan;
	HeapTuple	tuple;
	Oid			original = InvalidOid;
	Oid			method = InvalidOid;

	ScanKeyInit(&key, Anum_pg_class_oid, BTEqualStrategyNumber, F_OIDEQ,
				ObjectIdGetDatum(relation));
	scan = systable_beginscan(catalog, ClassOidIndexId, true, SnapshotSelf, 1,
							  &key);
	tuple = systable_getnext(scan);
	if (HeapTupleIsValid(tuple))
	{
		original = ((Form_pg_class) GETSTRUCT(tuple))->relrewrite;
		method = ((Form_pg_class) GETSTRUCT(tuple))->relam;
	}
	systable_endscan(scan);
	table_close(catalog, AccessShareLock);
	if (!OidIsValid(original))
		return;
	if (tl_table_catalog_is_ledger(original) ?
		(method != tl_table_catalog_access_method() ||
		 (frame != NULL && frame->outside)) :
		(method == tl_table_catalog_access_method() && !tl_table_create_internal()))
		ereport(ERROR,
				errcode(TL_ERRCODE(TL_DEFINITION_FIXED)),
				errmsg("cannot rewrite table \"%s\"", get_rel_name(original)),
				errdetail("Its name meant another table when the statement began."),
				errhint("Run the statement again."));
}

/* X2: a row of pg_inherits has been written or deleted. */
static void
recheck_partition(Oid child, Oid parent)
{
	bool		is_ledger = tl_table_catalog_is_ledger(child);

	if (!tl_table_catalog_is_parent(parent) && !is_ledger)
		return;
	if (!is_child(child, parent))
		ereport(ERROR,
				errcode(TL_ERRCODE(TL_DEFINITION_FIXED)),
				errmsg("cannot detach a partition of ledger table \"%s\"",
					   get_rel_name(parent)),
				errhint("Leave it attached; its rows can also be queried under its own name."));
	if (!is_ledger && get_rel_relkind(child) != RELKIND_PARTITIONED_TABLE)
		ereport(ERROR,
				errcode(TL_ERRCODE(TL_APPEND_ONLY)),
				errmsg("partitions of \"%s\" must be ledger tables",
					   get_rel_name(parent)),
				errhint("Create the partition with CREATE TABLE ... PARTITION OF."));
}

static bool
is_child(Oid child, Oid parent)
{
	Relation	catalog = table_open(InheritsRelationId, AccessShareLock);
	ScanKeyData key;
	SysScanDesc scan;
	HeapTuple	tuple;
	bool		found = false;

	ScanKeyInit(&key, Anum_pg_inherits_inhrelid, BTEqualStrategyNumber, F_OIDEQ,
				ObjectIdGetDatum(child));
	scan = systable_beginscan(catalog, InheritsRelidSeqnoIndexId, true,
							  SnapshotSelf, 1, &key);
	while (!found && HeapTupleIsValid(tuple = systable_getnext(scan)))
		found = ((Form_pg_inherits) GETSTRUCT(tuple))->inhparent == parent;
	systable_endscan(scan);
	table_close(catalog, AccessShareLock);
	return found;
}

/* X3 */
static void
recheck_type(Oid type)
{
	Oid			table;
	char	   *column;

	if (tl_table_access_type_in_use(type, &table, &column))
		tl_table_guard_refuse_type(type, table, column);
}

/* X4: a function has been created or replaced. */
static void
recheck_function(Oid function)
{
	Relation	catalog;
	ScanKeyData key;
	SysScanDesc scan;
	HeapTuple	tuple;
	bool		is_handler = false;
	Oid			ledger = get_extension_oid("telco_ledger", true);

	if (function == handler_of(tl_table_catalog_access_method()) ||
		(OidIsValid(ledger) &&
		 getExtensionOfObject(ProcedureRelationId, function) == ledger))
		ereport(ERROR,
				errcode(TL_ERRCODE(TL_APPEND_ONLY)),
				errmsg("cannot replace function \"%s\" of the ledger",
					   get_func_name(function)),
				errhint("Use ALTER EXTENSION telco_ledger UPDATE for a new release."));
	catalog = table_open(ProcedureRelationId, AccessShareLock);
	ScanKeyInit(&key, Anum_pg_proc_oid, BTEqualStrategyNumber, F_OIDEQ,
				ObjectIdGetDatum(function));
	scan = systable_beginscan(catalog, ProcedureOidIndexId, true, SnapshotSelf,
							  1, &key);
	while (HeapTupleIsValid(tuple = systable_getnext(scan)))
	{
		bool		is_null;
		Datum		source = heap_getattr(tuple, Anum_pg_proc_prosrc,
										  RelationGetDescr(catalog), &is_null);

		is_handler = !is_null &&
			strcmp(TextDatumGetCString(source), "tl_table_am_handler") == 0;
	}
	systable_endscan(scan);
	table_close(catalog, AccessShareLock);
	if (is_handler)
		ereport(ERROR,
				errcode(TL_ERRCODE(TL_APPEND_ONLY)),
				errmsg("cannot create a second handler of access method \"ledger\""),
				errhint("Use access method ledger itself."));
}

/* X4: a new access method must not stand over our handler. */
static void
recheck_access_method(Oid method)
{
	Relation	catalog = table_open(AccessMethodRelationId, AccessShareLock);
	ScanKeyData key;
	SysScanDesc scan;
	HeapTuple	tuple;
	Oid			handler = InvalidOid;

	ScanKeyInit(&key, Anum_pg_am_oid, BTEqualStrategyNumber, F_OIDEQ,
				ObjectIdGetDatum(method));
	scan = systable_beginscan(catalog, AmOidIndexId, true, SnapshotSelf, 1,
							  &key);
	tuple = systable_getnext(scan);
	if (HeapTupleIsValid(tuple))
		handler = ((Form_pg_am) GETSTRUCT(tuple))->amhandler;
	systable_endscan(scan);
	table_close(catalog, AccessShareLock);
	if (method != tl_table_catalog_access_method() &&
		handler == handler_of(tl_table_catalog_access_method()))
		ereport(ERROR,
				errcode(TL_ERRCODE(TL_APPEND_ONLY)),
				errmsg("cannot create a second access method over the handler of \"ledger\""),
				errhint("Use access method ledger itself."));
}

static Oid
handler_of(Oid method)
{
	HeapTuple	tuple = SearchSysCache1(AMOID, ObjectIdGetDatum(method));
	Oid			handler = InvalidOid;

	if (HeapTupleIsValid(tuple))
	{
		handler = ((Form_pg_am) GETSTRUCT(tuple))->amhandler;
		ReleaseSysCache(tuple);
	}
	return handler;
}
