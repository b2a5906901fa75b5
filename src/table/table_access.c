/*-------------------------------------------------------------------------
 *
 * table_access.c
 *	  What happens to ledger tables by any path: the object access hook.
 *
 * A statement can reach a table without naming it: DROP SCHEMA, DROP OWNED,
 * DROP TYPE ... CASCADE, TRUNCATE through a foreign key.  The hook is called
 * for each object concerned, whatever the statement was, so the refusals that
 * protect rows stand here.  Refusals that depend on the words of a statement,
 * and what can wait until it has ended, stand in table_guard.c.
 *
 * Invariants
 *	  A1  a ledger table that has rows is not dropped
 *	  A2  a ledger table is not truncated
 *	  A3  no column of a ledger table, and no attribute of a composite type in
 *		  use, is dropped
 *	  A4  only CREATE TABLE makes ledger tables
 *	  A5  the extension stays while there is something to protect
 *	  A6  a signature trigger goes only while its table has no rows
 *
 * On a test ledger A1 and A2 give way, and the statement appends a last version
 * to ledger.table_version.
 *
 * Locks: the caller of the hook holds AccessExclusiveLock on what it drops.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/genam.h"
#include "access/htup_details.h"
#include "access/table.h"
#include "access/tableam.h"
#include "catalog/dependency.h"
#include "catalog/index.h"
#include "catalog/objectaccess.h"
#include "catalog/pg_attrdef.h"
#include "catalog/pg_class.h"
#include "catalog/pg_extension.h"
#include "catalog/pg_trigger.h"
#include "catalog/pg_type.h"
#include "commands/extension.h"
#include "executor/tuptable.h"
#include "utils/fmgroids.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/rel.h"
#include "utils/snapmgr.h"
#include "utils/syscache.h"

#include "table_access.h"
#include "table_catalog.h"
#include "table_contract.h"
#include "table_definition.h"
#include "table_guard.h"
#include "table_issue.h"
#include "table_recheck.h"
#include "table_requirement.h"
#include "table_type.h"
#include "tl_error.h"

static object_access_hook_type previous_hook = NULL;
static TlAccessFrame *frame = NULL;

static void access_hook(ObjectAccessType access, Oid class_id, Oid object_id,
						int sub_id, void *argument);
static void on_create(Oid relation, bool is_internal);
static void on_drop(Oid class_id, Oid object_id, int sub_id, int flags);
static void on_drop_relation(Oid relation, int flags);
static void on_drop_column(Oid relation, AttrNumber attribute);
static void on_drop_default(Oid default_oid);
static void on_drop_trigger(Oid trigger_oid);
static void on_truncate(Oid relation);
static void note_end(Oid relation, const char *action);
static bool is_transient(Oid relation);

void
tl_table_access_init(void)
{
	previous_hook = object_access_hook;
	object_access_hook = access_hook;
}

/* A statement begins that is worked off when it has ended. */
void
tl_table_access_push(TlAccessFrame *new_frame)
{
	new_frame->outer = frame;
	frame = new_frame;
}

void
tl_table_access_pop(TlAccessFrame *old_frame)
{
	frame = old_frame->outer;
}

/* Look at this table again when the statement has ended. */
void
tl_table_access_touch(Oid relation)
{
	MemoryContext caller;

	if (frame == NULL)
		return;
	caller = MemoryContextSwitchTo(TopTransactionContext);
	frame->touched = list_append_unique_oid(frame->touched, relation);
	MemoryContextSwitchTo(caller);
}

/* A signature trigger of this table goes with the statement, perhaps. */
void
tl_table_access_release(Oid relation)
{
	MemoryContext caller;

	if (frame == NULL)
		return;
	caller = MemoryContextSwitchTo(TopTransactionContext);
	frame->released = list_append_unique_oid(frame->released, relation);
	MemoryContextSwitchTo(caller);
}

/*
 * Is the table still being made by a statement around this one?  CREATE TABLE
 * runs its foreign keys and copied indexes as statements of their own.
 */
bool
tl_table_access_is_unfinished(Oid relation)
{
	for (TlAccessFrame *f = frame->outer; f != NULL; f = f->outer)
	{
		if (list_member_oid(f->created, relation))
			return true;
	}
	return false;
}

static void
access_hook(ObjectAccessType access, Oid class_id, Oid object_id, int sub_id,
			void *argument)
{
	if (previous_hook != NULL)
		previous_hook(access, class_id, object_id, sub_id, argument);
	if (!tl_table_guard_active())
		return;
	tl_table_contract_guard(access, class_id, object_id, sub_id, argument);
	if (access == OAT_POST_CREATE || access == OAT_POST_ALTER)
		tl_table_recheck(access, class_id, object_id, sub_id, argument, frame);
	switch (access)
	{
		case OAT_POST_CREATE:
			if (class_id == RelationRelationId && sub_id == 0)
				on_create(object_id,
						  ((ObjectAccessPostCreate *) argument)->is_internal);
			break;
		case OAT_POST_ALTER:
			if (class_id == RelationRelationId && frame != NULL &&
				tl_table_catalog_is_ledger(object_id))
				tl_table_access_touch(object_id);
			break;
		case OAT_DROP:
			on_drop(class_id, object_id, sub_id,
					((ObjectAccessDrop *) argument)->dropflags);
			break;
		case OAT_TRUNCATE:
			if (tl_table_catalog_is_ledger(object_id))
				on_truncate(object_id);
			break;
		default:
			break;
	}
}

/* A4; the new row of pg_class is not visible to the syscache yet. */
static void
on_create(Oid relation, bool is_internal)
{
	Oid			method = tl_table_catalog_access_method();
	Relation	catalog;
	ScanKeyData key;
	SysScanDesc scan;
	HeapTuple	tuple;
	Form_pg_class form;
	MemoryContext caller;

	if (!OidIsValid(method) || is_internal)
		return;
	catalog = table_open(RelationRelationId, AccessShareLock);
	ScanKeyInit(&key, Anum_pg_class_oid, BTEqualStrategyNumber, F_OIDEQ,
				ObjectIdGetDatum(relation));
	scan = systable_beginscan(catalog, ClassOidIndexId, true, SnapshotSelf, 1,
							  &key);
	tuple = systable_getnext(scan);
	if (!HeapTupleIsValid(tuple))
		elog(ERROR, "no row of pg_class for new relation %u", relation);
	form = (Form_pg_class) GETSTRUCT(tuple);
	caller = MemoryContextSwitchTo(TopTransactionContext);
	if (form->relkind == RELKIND_PARTITIONED_TABLE)
	{
		if (frame != NULL && frame->wants_parent)
			frame->parents = lappend_oid(frame->parents, relation);
	}
	else if (form->relam == method && !OidIsValid(form->relrewrite))
	{
		if (form->relkind == RELKIND_MATVIEW)
			ereport(ERROR,
					errcode(TL_ERRCODE(TL_APPEND_ONLY)),
					errmsg("materialized view \"%s\" cannot use access method \"ledger\"",
						   NameStr(form->relname)),
					errdetail("A materialized view is replaced as a whole when it is refreshed."),
					errhint("Add USING heap."));
		if (frame == NULL || !frame->may_create)
			ereport(ERROR,
					errcode(TL_ERRCODE(TL_APPEND_ONLY)),
					errmsg("cannot create ledger table \"%s\" from a query",
						   NameStr(form->relname)),
					errhint("Use CREATE TABLE ... USING ledger and then INSERT ... SELECT, or add USING heap."));
		frame->created = lappend_oid(frame->created, relation);
	}
	MemoryContextSwitchTo(caller);
	systable_endscan(scan);
	table_close(catalog, AccessShareLock);
}

static void
on_drop(Oid class_id, Oid object_id, int sub_id, int flags)
{
	switch (class_id)
	{
		case RelationRelationId:
			if (sub_id == 0)
				on_drop_relation(object_id, flags);
			else
				on_drop_column(object_id, (AttrNumber) sub_id);
			break;
		case AttrDefaultRelationId:
			on_drop_default(object_id);
			break;
		case TriggerRelationId:
			on_drop_trigger(object_id);
			break;
		case ExtensionRelationId:
			if (object_id == get_extension_oid("telco_ledger", true))
				tl_table_access_refuse_extension_drop();
			break;
		default:
			break;
	}
}

/* A1.  Indexes are looked at when the statement has ended: see C2. */
static void
on_drop_relation(Oid relation, int flags)
{
	switch (get_rel_relkind(relation))
	{
		case RELKIND_PARTITIONED_TABLE:
			if (OidIsValid(tl_table_catalog_access_method()))
				tl_table_catalog_remove_parent(relation);
			return;
		case RELKIND_INDEX:
			{
				Oid			table = IndexGetRelation(relation, true);

				if (OidIsValid(table) && tl_table_catalog_is_ledger(table))
					tl_table_access_touch(table);
				return;
			}
		case RELKIND_RELATION:
			break;
		default:
			return;
	}
	if (!tl_table_catalog_is_ledger(relation) ||
		((flags & PERFORM_DELETION_INTERNAL) && is_transient(relation)))
		return;
	if (!tl_table_is_test_ledger() && tl_table_access_has_rows(relation))
		ereport(ERROR,
				errcode(TL_ERRCODE(TL_APPEND_ONLY)),
				errmsg("cannot drop ledger table \"%s\" because it has rows",
					   get_rel_name(relation)),
				errdetail("Rows of a ledger table are there for ever."),
				errhint("Rename the table, move it to another schema or tablespace, or revoke privileges on it."));
	note_end(relation, "drop");
	tl_table_requirement_forget(relation);
	tl_table_catalog_remove(relation);
}

/* The table into which ALTER TABLE or VACUUM FULL rewrites. */
static bool
is_transient(Oid relation)
{
	HeapTuple	tuple = SearchSysCache1(RELOID, ObjectIdGetDatum(relation));
	bool		result;

	if (!HeapTupleIsValid(tuple))
		return false;
	result = OidIsValid(((Form_pg_class) GETSTRUCT(tuple))->relrewrite);
	ReleaseSysCache(tuple);
	return result;
}

/* Does the table have a row that anybody can see, ourselves included? */
bool
tl_table_access_has_rows(Oid relation)
{
	Relation	table = table_open(relation, AccessShareLock);
	Snapshot	snapshot = RegisterSnapshot(GetLatestSnapshot());
	TupleTableSlot *slot = table_slot_create(table, NULL);
	TableScanDesc scan = table_beginscan(table, snapshot, 0, NULL);
	bool		found = table_scan_getnextslot(scan, ForwardScanDirection, slot);

	table_endscan(scan);
	ExecDropSingleTupleTableSlot(slot);
	UnregisterSnapshot(snapshot);
	table_close(table, NoLock);
	return found;
}

/* A3 */
static void
on_drop_column(Oid relation, AttrNumber attribute)
{
	Oid			table;
	char	   *column;

	if (tl_table_catalog_is_bound(relation))
		ereport(ERROR,
				errcode(TL_ERRCODE(TL_DEFINITION_FIXED)),
				errmsg("cannot drop column \"%s\" of ledger table \"%s\"",
					   get_attname(relation, attribute, false),
					   get_rel_name(relation)),
				errdetail("Its values are part of rows on the ledger."),
				errhint("Leave the column and let new rows have NULL in it, or give users a view without it."));
	if (get_rel_relkind(relation) == RELKIND_COMPOSITE_TYPE &&
		tl_table_access_type_in_use(get_rel_type_id(relation), &table, &column))
		tl_table_guard_refuse_type(get_rel_type_id(relation), table, column);
}

/* A default that goes may have been that of ledger_ref: see C1. */
static void
on_drop_default(Oid default_oid)
{
	Relation	catalog;
	ScanKeyData key;
	SysScanDesc scan;
	HeapTuple	tuple;
	Oid			table = InvalidOid;

	if (frame == NULL || !OidIsValid(tl_table_catalog_access_method()))
		return;
	catalog = table_open(AttrDefaultRelationId, AccessShareLock);
	ScanKeyInit(&key, Anum_pg_attrdef_oid, BTEqualStrategyNumber, F_OIDEQ,
				ObjectIdGetDatum(default_oid));
	scan = systable_beginscan(catalog, AttrDefaultOidIndexId, true, NULL, 1,
							  &key);
	tuple = systable_getnext(scan);
	if (HeapTupleIsValid(tuple))
		table = ((Form_pg_attrdef) GETSTRUCT(tuple))->adrelid;
	systable_endscan(scan);
	table_close(catalog, AccessShareLock);
	if (OidIsValid(table) && tl_table_catalog_is_ledger(table))
		tl_table_access_touch(table);
}

/* A6: whether it was a signature trigger is seen when it is gone. */
static void
on_drop_trigger(Oid trigger_oid)
{
	Relation	catalog;
	ScanKeyData key;
	SysScanDesc scan;
	HeapTuple	tuple;
	Oid			table = InvalidOid;

	if (frame == NULL || !OidIsValid(tl_table_catalog_access_method()))
		return;
	catalog = table_open(TriggerRelationId, AccessShareLock);
	ScanKeyInit(&key, Anum_pg_trigger_oid, BTEqualStrategyNumber, F_OIDEQ,
				ObjectIdGetDatum(trigger_oid));
	scan = systable_beginscan(catalog, TriggerOidIndexId, true, NULL, 1, &key);
	tuple = systable_getnext(scan);
	if (HeapTupleIsValid(tuple))
		table = ((Form_pg_trigger) GETSTRUCT(tuple))->tgrelid;
	systable_endscan(scan);
	table_close(catalog, AccessShareLock);
	if (OidIsValid(table) && tl_table_catalog_is_ledger(table))
		tl_table_access_release(table);
}

/* A2 */
static void
on_truncate(Oid relation)
{
	if (!tl_table_guard_allows_truncate(relation) ||
		relation == tl_table_definition_relation())
		ereport(ERROR,
				errcode(TL_ERRCODE(TL_APPEND_ONLY)),
				errmsg("cannot truncate ledger table \"%s\"",
					   get_rel_name(relation)),
				errdetail("Rows of a ledger table are there for ever."),
				errhint("Append correcting rows that refer to the old ones by their ledger_ref."));
	note_end(relation, "truncate");
}

/* Remember, or at once append, the last version of a table's definition. */
static void
note_end(Oid relation, const char *action)
{
	MemoryContext caller = MemoryContextSwitchTo(TopTransactionContext);
	TlTableVersion *last = palloc0(sizeof(TlTableVersion));
	Relation	table = table_open(relation, AccessShareLock);
	TlAccessEnd *end;

	tl_table_definition_current(last, table);
	table_close(table, AccessShareLock);	/* TRUNCATE asks before it locks */
	if (!tl_table_catalog_id(last->table_id, relation))
	{
		MemoryContextSwitchTo(caller);
		return;					/* created in this statement or half made */
	}
	if (frame == NULL)
	{
		MemoryContextSwitchTo(caller);
		tl_table_definition_write_end(last, action);
		return;
	}
	end = palloc(sizeof(TlAccessEnd));
	end->last = last;
	end->action = action;
	frame->ended = lappend(frame->ended, end);
	MemoryContextSwitchTo(caller);
}

/* A5 */
void
tl_table_access_refuse_extension_drop(void)
{
	TlIdentity	identity;
	ListCell   *cell;

	tl_table_identity(&identity);
	if (identity.exists)
		ereport(ERROR,
				errcode(TL_ERRCODE(TL_APPEND_ONLY)),
				errmsg("cannot drop extension telco_ledger while this database is a node of a ledger"),
				errhint("On a test ledger run SELECT ledger.dispose() first; otherwise drop the database."));
	foreach(cell, tl_table_catalog_tables())
	{
		if (lfirst_oid(cell) != tl_table_definition_relation() &&
			tl_table_catalog_is_ledger(lfirst_oid(cell)))
			ereport(ERROR,
					errcode(TL_ERRCODE(TL_APPEND_ONLY)),
					errmsg("cannot drop extension telco_ledger because ledger table \"%s\" needs it",
						   get_rel_name(lfirst_oid(cell))),
					errhint("Drop the ledger tables first, as far as they have no rows."));
	}
}

/* Does a ledger table have a column that holds values of this type? */
bool
tl_table_access_type_in_use(Oid type, Oid *table, char **column)
{
	ListCell   *cell;

	foreach(cell, tl_table_catalog_tables())
	{
		Oid			relation_oid = lfirst_oid(cell);
		Relation	relation = try_table_open(relation_oid, AccessShareLock);

		if (relation == NULL)
			continue;
		for (int i = 0; i < RelationGetDescr(relation)->natts; i++)
		{
			Form_pg_attribute attribute = TupleDescAttr(RelationGetDescr(relation), i);

			if (attribute->attisdropped ||
				!tl_table_type_contains(attribute->atttypid, type))
				continue;
			*table = relation_oid;
			*column = pstrdup(NameStr(attribute->attname));
			table_close(relation, AccessShareLock);
			return true;
		}
		table_close(relation, AccessShareLock);
	}
	return false;
}
