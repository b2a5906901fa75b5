/*-------------------------------------------------------------------------
 *
 * table_catalog.c
 *	  Which relations are ledger tables: two small tables of our own.
 *
 * ledger_internal.ledger_table gives each ledger table its table id, for ever;
 * ledger_internal.ledger_parent names the partitioned tables that were created
 * USING ledger, since pg_class has no place for that before version 17, and
 * gives them an id as well, for signatures.  That a relation is a ledger table
 * follows from pg_class.relam alone.
 *
 * Both are written as catalogs are, past privileges, by whoever runs the DDL.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/genam.h"
#include "access/htup_details.h"
#include "access/table.h"
#include "access/tableam.h"
#include "access/xact.h"
#include "catalog/indexing.h"
#include "catalog/namespace.h"
#include "catalog/pg_class.h"
#include "catalog/pg_inherits.h"
#include "commands/defrem.h"
#include "miscadmin.h"
#include "utils/fmgroids.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"
#include "utils/snapmgr.h"
#include "utils/syscache.h"
#include "utils/uuid.h"

#include "table_am.h"
#include "table_catalog.h"
#include "table_scan.h"

PG_FUNCTION_INFO_V1(tl_relation_of);

#define LEDGER_SCHEMA		"ledger_internal"
#define LEDGER_TABLE		"ledger_table"
#define LEDGER_TABLE_INDEX	"ledger_table_pkey"
#define LEDGER_PARENT		"ledger_parent"
#define LEDGER_PARENT_INDEX	"ledger_parent_pkey"

static HeapTuple find_row(Relation catalog, const char *index_name,
						  Oid relation);
static bool read_id(uint8_t table_id[TL_TABLE_ID_SIZE], const char *name,
					const char *index_name, AttrNumber attribute, Oid relation);
static void add_row(const char *name, Oid relation,
					const uint8_t table_id[TL_TABLE_ID_SIZE]);
static bool holds_ref(Oid relation, const TlRefBytes *ref);
static void remove_row(const char *name, const char *index_name, Oid relation);

/* The OID of access method `ledger`, or InvalidOid without the extension. */
Oid
tl_table_catalog_access_method(void)
{
	return get_am_oid("ledger", true);
}

/* A table with rows of its own, stored by our access method. */
bool
tl_table_catalog_is_ledger(Oid relation)
{
	Oid			method = tl_table_catalog_access_method();
	HeapTuple	tuple;
	Form_pg_class form;
	bool		result;

	if (!OidIsValid(method))
		return false;
	tuple = SearchSysCache1(RELOID, ObjectIdGetDatum(relation));
	if (!HeapTupleIsValid(tuple))
		return false;
	form = (Form_pg_class) GETSTRUCT(tuple);
	result = form->relam == method && form->relkind != RELKIND_PARTITIONED_TABLE;
	ReleaseSysCache(tuple);
	return result;
}

/* A partitioned table whose partitions become ledger tables. */
bool
tl_table_catalog_is_parent(Oid relation)
{
	Oid			catalog_oid = tl_table_catalog_own(LEDGER_PARENT);
	Relation	catalog;
	HeapTuple	tuple;

	if (!OidIsValid(catalog_oid) ||
		get_rel_relkind(relation) != RELKIND_PARTITIONED_TABLE)
		return false;
	catalog = table_open(catalog_oid, AccessShareLock);
	tuple = find_row(catalog, LEDGER_PARENT_INDEX, relation);
	table_close(catalog, AccessShareLock);
	return HeapTupleIsValid(tuple);
}

/* A ledger table, or a partitioned table of such. */
bool
tl_table_catalog_is_bound(Oid relation)
{
	return OidIsValid(relation) && (tl_table_catalog_is_ledger(relation) ||
									tl_table_catalog_is_parent(relation));
}

/* Does USING method, or the default without it, mean our access method? */
bool
tl_table_catalog_is_chosen(const char *method)
{
	if (method == NULL)
		method = default_table_access_method;
	return strcmp(method, "ledger") == 0 &&
		OidIsValid(tl_table_catalog_access_method());
}

/* Would an ALTER of this relation that recurses reach a ledger table? */
bool
tl_table_catalog_touches_ledger(Oid relation)
{
	ListCell   *cell;

	if (!OidIsValid(tl_table_catalog_access_method()))
		return false;
	if (tl_table_catalog_is_bound(relation))
		return true;
	if (!has_subclass(relation))
		return false;
	foreach(cell, find_all_inheritors(relation, NoLock, NULL))
	{
		if (tl_table_catalog_is_ledger(lfirst_oid(cell)))
			return true;
	}
	return false;
}

/* A relation of schema ledger_internal, or InvalidOid. */
Oid
tl_table_catalog_own(const char *name)
{
	Oid			schema = get_namespace_oid(LEDGER_SCHEMA, true);

	return OidIsValid(schema) ? get_relname_relid(name, schema) : InvalidOid;
}

/* A copy of the row of one relation, or NULL. */
static HeapTuple
find_row(Relation catalog, const char *index_name, Oid relation)
{
	ScanKeyData key;
	SysScanDesc scan;
	HeapTuple	tuple;
	Oid			index = get_relname_relid(index_name,
										  RelationGetNamespace(catalog));

	ScanKeyInit(&key, 1, BTEqualStrategyNumber, F_OIDEQ,
				ObjectIdGetDatum(relation));
	scan = systable_beginscan(catalog, index, OidIsValid(index), NULL, 1, &key);
	tuple = systable_getnext(scan);
	if (HeapTupleIsValid(tuple))
		tuple = heap_copytuple(tuple);
	systable_endscan(scan);
	return tuple;
}

/* The table id of a ledger table; false if it has none. */
bool
tl_table_catalog_id(uint8_t table_id[TL_TABLE_ID_SIZE], Oid relation)
{
	return read_id(table_id, LEDGER_TABLE, LEDGER_TABLE_INDEX,
				   Anum_ledger_table_table_id, relation);
}

/* That of a partitioned one: it stands in messages that are signed. */
bool
tl_table_catalog_parent_id(uint8_t table_id[TL_TABLE_ID_SIZE], Oid relation)
{
	return read_id(table_id, LEDGER_PARENT, LEDGER_PARENT_INDEX,
				   Anum_ledger_parent_table_id, relation);
}

static bool
read_id(uint8_t table_id[TL_TABLE_ID_SIZE], const char *name,
		const char *index_name, AttrNumber attribute, Oid relation)
{
	Oid			catalog_oid = tl_table_catalog_own(name);
	Relation	catalog;
	HeapTuple	tuple;
	bool		is_null;

	if (!OidIsValid(catalog_oid))
		return false;
	catalog = table_open(catalog_oid, AccessShareLock);
	tuple = find_row(catalog, index_name, relation);
	if (HeapTupleIsValid(tuple))
	{
		Datum		value = heap_getattr(tuple, attribute,
										 RelationGetDescr(catalog), &is_null);

		memcpy(table_id, DatumGetUUIDP(value)->data, TL_TABLE_ID_SIZE);
	}
	table_close(catalog, AccessShareLock);
	return HeapTupleIsValid(tuple);
}

/* The OIDs of all ledger tables, ledger.table_version among them. */
List *
tl_table_catalog_tables(void)
{
	Oid			catalog_oid = tl_table_catalog_own(LEDGER_TABLE);
	List	   *tables = NIL;
	Relation	catalog;
	SysScanDesc scan;
	HeapTuple	tuple;
	bool		is_null;

	if (!OidIsValid(catalog_oid))
		return NIL;
	catalog = table_open(catalog_oid, AccessShareLock);
	scan = systable_beginscan(catalog, InvalidOid, false, NULL, 0, NULL);
	while (HeapTupleIsValid(tuple = systable_getnext(scan)))
	{
		Datum		value = heap_getattr(tuple, Anum_ledger_table_relation,
										 RelationGetDescr(catalog), &is_null);

		tables = lappend_oid(tables, DatumGetObjectId(value));
	}
	systable_endscan(scan);
	table_close(catalog, AccessShareLock);
	return tables;
}

/* The same by access method: those too that have no table id yet. */
List *
tl_table_catalog_all(void)
{
	Oid			method = tl_table_catalog_access_method();
	List	   *tables = NIL;
	Relation	catalog = table_open(RelationRelationId, AccessShareLock);
	SysScanDesc scan = systable_beginscan(catalog, InvalidOid, false, NULL, 0, NULL);
	HeapTuple	tuple;

	while (HeapTupleIsValid(tuple = systable_getnext(scan)))
	{
		Form_pg_class form = (Form_pg_class) GETSTRUCT(tuple);

		if (form->relam == method && form->relkind == RELKIND_RELATION)
			tables = lappend_oid(tables, form->oid);
	}
	systable_endscan(scan);
	table_close(catalog, AccessShareLock);
	return tables;
}

void
tl_table_catalog_add(Oid relation, const uint8_t table_id[TL_TABLE_ID_SIZE])
{
	add_row(LEDGER_TABLE, relation, table_id);
}

void
tl_table_catalog_add_parent(Oid relation,
							const uint8_t table_id[TL_TABLE_ID_SIZE])
{
	add_row(LEDGER_PARENT, relation, table_id);
}

/* Both tables have the same two columns. */
static void
add_row(const char *name, Oid relation, const uint8_t table_id[TL_TABLE_ID_SIZE])
{
	Relation	catalog = table_open(tl_table_catalog_own(name), RowExclusiveLock);
	Datum		values[Natts_ledger_table];
	bool		nulls[Natts_ledger_table] = {false, false};
	pg_uuid_t	uuid;

	StaticAssertStmt(Natts_ledger_table == Natts_ledger_parent,
					 "two tables, one row");
	memcpy(uuid.data, table_id, TL_TABLE_ID_SIZE);
	values[Anum_ledger_table_relation - 1] = ObjectIdGetDatum(relation);
	values[Anum_ledger_table_table_id - 1] = UUIDPGetDatum(&uuid);
	CatalogTupleInsert(catalog,
					   heap_form_tuple(RelationGetDescr(catalog), values, nulls));
	table_close(catalog, NoLock);
	CommandCounterIncrement();
}

static void
remove_row(const char *name, const char *index_name, Oid relation)
{
	Oid			catalog_oid = tl_table_catalog_own(name);
	Relation	catalog;
	HeapTuple	tuple;

	if (!OidIsValid(catalog_oid))
		return;
	catalog = table_open(catalog_oid, RowExclusiveLock);
	tuple = find_row(catalog, index_name, relation);
	if (HeapTupleIsValid(tuple))
		CatalogTupleDelete(catalog, &tuple->t_self);
	table_close(catalog, NoLock);
}

void
tl_table_catalog_remove(Oid relation)
{
	remove_row(LEDGER_TABLE, LEDGER_TABLE_INDEX, relation);
}

void
tl_table_catalog_remove_parent(Oid relation)
{
	remove_row(LEDGER_PARENT, LEDGER_PARENT_INDEX, relation);
}

/*
 * ledger.relation_of(ref): which ledger table, or partition, holds the row.
 * One probe per ledger table, since a ref does not say where its row is.
 */
Datum
tl_relation_of(PG_FUNCTION_ARGS)
{
	TlRefBytes *ref = PG_GETARG_TLREF(0);
	ListCell   *cell;

	foreach(cell, tl_table_catalog_tables())
	{
		CHECK_FOR_INTERRUPTS();
		if (holds_ref(lfirst_oid(cell), ref))
			PG_RETURN_OID(lfirst_oid(cell));
	}
	PG_RETURN_NULL();
}

static bool
holds_ref(Oid relation_oid, const TlRefBytes *ref)
{
	Relation	relation = try_table_open(relation_oid, AccessShareLock);
	bool		found = false;
	TlRefBytes	row_ref;

	if (relation == NULL)
		return false;
	if (tl_table_am_is_ours(relation) &&
		OidIsValid(tl_table_scan_ref_index(relation, true)))
	{
		TlRefScan  *scan = tl_table_scan_open(relation, GetActiveSnapshot());

		tl_table_scan_start(scan, ref, ref);
		found = tl_table_scan_next(scan, &row_ref);
		tl_table_scan_close(scan);
	}
	table_close(relation, AccessShareLock);
	return found;
}
