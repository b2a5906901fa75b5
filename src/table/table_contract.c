/*-------------------------------------------------------------------------
 *
 * table_contract.c
 *	  What a contract has made, which nobody changes afterwards.
 *
 * A contract's script (src/contract) makes tables, types and views in a schema
 * that has the contract's name.  They are the same at all members, and their
 * definition is the contract's source, so after the script nobody changes them,
 * owner and superuser included.  A member adds privileges, and indexes that are
 * not unique: neither can decide whether a row goes in.
 *
 * ledger_internal.contract_schema names these schemas, and the indexes that the
 * scripts made, since a member's own indexes lie in the same schema.
 *
 * While a script runs, its tables get their ids as shared tables at once
 * (table_shared.c), and no definition is written before the script has ended.
 *
 * Invariants
 *	  F1  what lies in a contract's schema is made by its script
 *	  F2  and is neither altered, renamed, moved, dropped nor truncated, but that
 *		  an index which is not unique can be dropped
 *	  F3  a local index there is not unique, and on a state table computes nothing and
 *		  has room for every value (table_index.c)
 *	  F4  nothing outside depends on rows of a state table
 *	  F5  a local index has no name that a script has ever given to one
 *
 * The refusals stand in the object access hook, by OID, so that no path leads
 * around them; ALTER TABLE is refused by its words as well, since some of its
 * forms call no hook.  They rest while a dump is restored, as the others do.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/genam.h"
#include "access/htup_details.h"
#include "access/table.h"
#include "catalog/dependency.h"
#include "catalog/namespace.h"
#include "catalog/pg_attrdef.h"
#include "catalog/pg_class.h"
#include "catalog/pg_constraint.h"
#include "catalog/pg_index.h"
#include "catalog/pg_inherits.h"
#include "catalog/pg_namespace.h"
#include "catalog/pg_policy.h"
#include "catalog/pg_proc.h"
#include "catalog/pg_rewrite.h"
#include "catalog/pg_trigger.h"
#include "catalog/pg_type.h"
#include "commands/extension.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/fmgroids.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"
#include "utils/snapmgr.h"

#include "table_catalog.h"
#include "table_contract.h"
#include "table_index.h"
#include "table_issue.h"
#include "table_state.h"
#include "tl_error.h"

#define CONTRACT_SCHEMA			"contract_schema"
#define CONTRACT_SCHEMA_INDEX	"contract_schema_pkey"

/* Where the relation or schema of a catalog's object stands. */
typedef struct Place
{
	Oid			catalog;
	Oid			index;
	AttrNumber	key;
	AttrNumber	relation;		/* or 0 */
	AttrNumber	schema;			/* or 0 */
} Place;

static const Place places[] = {
	{RelationRelationId, ClassOidIndexId, Anum_pg_class_oid, 0, Anum_pg_class_relnamespace},
	{TypeRelationId, TypeOidIndexId, Anum_pg_type_oid, 0, Anum_pg_type_typnamespace},
	{ProcedureRelationId, ProcedureOidIndexId, Anum_pg_proc_oid, 0, Anum_pg_proc_pronamespace},
	{ConstraintRelationId, ConstraintOidIndexId, Anum_pg_constraint_oid, Anum_pg_constraint_conrelid, 0},
	{TriggerRelationId, TriggerOidIndexId, Anum_pg_trigger_oid, Anum_pg_trigger_tgrelid, 0},
	{AttrDefaultRelationId, AttrDefaultOidIndexId, Anum_pg_attrdef_oid, Anum_pg_attrdef_adrelid, 0},
	{PolicyRelationId, PolicyOidIndexId, Anum_pg_policy_oid, Anum_pg_policy_polrelid, 0},
	{RewriteRelationId, RewriteOidIndexId, Anum_pg_rewrite_oid, Anum_pg_rewrite_ev_class, 0}
};

/* The contract whose script runs in this process, or NULL. */
static const char *running = NULL;

static const Place *find_place(Oid catalog);
static bool is_internal(ObjectAccessType access, void *argument);
static HeapTuple read_object(const Place *place, Oid object, Snapshot snapshot);
static Oid	schema_of(Oid class_id, Oid object_id, Snapshot snapshot);
static bool is_companion(Form_pg_type type);
static Oid	read_oid(const Place *place, HeapTuple tuple, AttrNumber attribute);
static Oid	schema_of_contract(HeapTuple contract);
static HeapTuple find_contract(ObjectAccessType access, Oid class_id, Oid object_id);
static HeapTuple find_schema(Oid schema);
static HeapTuple read_relation(ObjectAccessType access, Oid relation);
static void guard_index(ObjectAccessType access, Oid index, Form_pg_class form, HeapTuple contract);
static bool is_unique(Oid index);
static void guard_name(const char *name, Oid schema, HeapTuple contract);
static void guard_state(ObjectAccessType access, Oid class_id, Oid object_id, void *argument);
static bool has_index(HeapTuple contract, const char *name);
tl_noreturn static void refuse(const char *object, Oid schema);

/* From now on this process runs the script of that contract. */
void
tl_table_contract_begin(const char *contract)
{
	running = contract;
}

void
tl_table_contract_end(void)
{
	running = NULL;
}

/* Its name, or NULL. */
const char *
tl_table_contract_running(void)
{
	return running;
}

/* Is it the schema of a contract? */
bool
tl_table_contract_owns(Oid schema)
{
	return HeapTupleIsValid(find_schema(schema));
}

/* Has a script made an index of that name there? */
bool
tl_table_contract_has_index(Oid schema, const char *name)
{
	HeapTuple	contract = find_schema(schema);

	return HeapTupleIsValid(contract) && has_index(contract, name);
}

/* F1 to F3, as far as the object access hook tells. */
void
tl_table_contract_guard(ObjectAccessType access, Oid class_id, Oid object_id,
						int sub_id, void *argument)
{
	HeapTuple	contract;
	Oid			schema;
	TlIdentity	identity;

	if (running != NULL || creating_extension)
		return;
	guard_state(access, class_id, object_id, argument);
	if ((access != OAT_POST_CREATE && access != OAT_POST_ALTER &&
		 access != OAT_DROP && access != OAT_TRUNCATE) ||
		(class_id != NamespaceRelationId && find_place(class_id) == NULL) ||
		is_internal(access, argument))
		return;
	contract = find_contract(access, class_id, object_id);
	if (!HeapTupleIsValid(contract))
		return;
	tl_table_identity(&identity);
	if (tl_table_identity_is_restoring(&identity))
		return;
	schema = schema_of_contract(contract);
	if (class_id == RelationRelationId)
	{
		HeapTuple	tuple = read_relation(access, object_id);
		Form_pg_class form;

		if (!HeapTupleIsValid(tuple))
			refuse(NULL, schema);
		form = (Form_pg_class) GETSTRUCT(tuple);
		if (form->relkind != RELKIND_INDEX)
			refuse(NameStr(form->relname), schema);
		guard_index(access, object_id, form, contract);
		return;
	}
	refuse(NULL, schema);
}

/*
 * The contract in whose schema the object lies, will lie, or lay before this
 * statement; NULL if there is none.
 */
static HeapTuple
find_contract(ObjectAccessType access, Oid class_id, Oid object_id)
{
	HeapTuple	contract = NULL;

	if (!OidIsValid(tl_table_catalog_own(CONTRACT_SCHEMA)))
		return NULL;
	if (class_id == NamespaceRelationId)
		return find_schema(object_id);
	if (access != OAT_POST_CREATE)
		contract = find_schema(schema_of(class_id, object_id, NULL));
	if (!HeapTupleIsValid(contract) && access != OAT_DROP)
		contract = find_schema(schema_of(class_id, object_id, SnapshotSelf));
	return contract;
}

/* The schema in which an object lies, by itself or with its relation; InvalidOid where none can be told. */
Oid
tl_table_contract_schema_of(Oid class_id, Oid object_id)
{
	return find_place(class_id) == NULL ? InvalidOid : schema_of(class_id, object_id, NULL);
}

/* Some forms of ALTER TABLE call no hook. */
void
tl_table_contract_guard_alter(Oid relation)
{
	TlIdentity	identity;

	if (running != NULL || !OidIsValid(relation) || !tl_table_contract_owns(get_rel_namespace(relation)) ||
		get_rel_relkind(relation) == RELKIND_INDEX)
		return;
	tl_table_identity(&identity);
	if (!tl_table_identity_is_restoring(&identity))
		refuse(get_rel_name(relation), get_rel_namespace(relation));
}

static const Place *
find_place(Oid catalog)
{
	for (size_t i = 0; i < lengthof(places); i++)
		if (places[i].catalog == catalog)
			return &places[i];
	return NULL;
}

/*
 * Done by the server for a statement that concerns something else: VACUUM FULL
 * drops the table into which it wrote.
 */
static bool
is_internal(ObjectAccessType access, void *argument)
{
	return argument != NULL &&
		((access == OAT_POST_CREATE && ((ObjectAccessPostCreate *) argument)->is_internal) ||
		 (access == OAT_POST_ALTER && ((ObjectAccessPostAlter *) argument)->is_internal) ||
		 (access == OAT_DROP && (((ObjectAccessDrop *) argument)->dropflags & PERFORM_DELETION_INTERNAL)));
}

/* A copy of its row, or NULL; with SnapshotSelf as this statement has left it. */
static HeapTuple
read_object(const Place *place, Oid object, Snapshot snapshot)
{
	Relation	catalog = table_open(place->catalog, AccessShareLock);
	ScanKeyData key;
	SysScanDesc scan;
	HeapTuple	tuple;

	ScanKeyInit(&key, place->key, BTEqualStrategyNumber, F_OIDEQ, ObjectIdGetDatum(object));
	scan = systable_beginscan(catalog, place->index, true, snapshot, 1, &key);
	tuple = systable_getnext(scan);
	if (HeapTupleIsValid(tuple))
		tuple = heap_copytuple(tuple);
	systable_endscan(scan);
	table_close(catalog, AccessShareLock);
	return tuple;
}

/* As it was before this statement, unless the statement has made it. */
static HeapTuple
read_relation(ObjectAccessType access, Oid relation)
{
	const Place *place = find_place(RelationRelationId);
	HeapTuple	tuple = access == OAT_POST_CREATE ? NULL : read_object(place, relation, NULL);

	return HeapTupleIsValid(tuple) ? tuple : read_object(place, relation, SnapshotSelf);
}

/*
 * The schema in which it lies, by itself or with its relation or type; invalid
 * if that is nothing to look at: triggers of foreign keys from local tables, and
 * types that go with a relation or another type.
 */
static Oid
schema_of(Oid class_id, Oid object_id, Snapshot snapshot)
{
	const Place *place = find_place(class_id);
	HeapTuple	tuple = read_object(place, object_id, snapshot);
	Oid			relation;

	if (!HeapTupleIsValid(tuple) ||
		(class_id == TriggerRelationId && ((Form_pg_trigger) GETSTRUCT(tuple))->tgisinternal) ||
		(class_id == TypeRelationId && is_companion((Form_pg_type) GETSTRUCT(tuple))))
		return InvalidOid;
	if (place->schema != 0)
		return read_oid(place, tuple, place->schema);
	relation = read_oid(place, tuple, place->relation);
	if (OidIsValid(relation))
		return schema_of(RelationRelationId, relation, snapshot);
	return class_id == ConstraintRelationId ?
		schema_of(TypeRelationId, ((Form_pg_constraint) GETSTRUCT(tuple))->contypid, snapshot) :
		InvalidOid;
}

/* A row type, an array type. */
static bool
is_companion(Form_pg_type type)
{
	return OidIsValid(type->typrelid) || type->typcategory == TYPCATEGORY_ARRAY;
}

static Oid
read_oid(const Place *place, HeapTuple tuple, AttrNumber attribute)
{
	Relation	catalog = table_open(place->catalog, AccessShareLock);
	bool		is_null;
	Datum		value = heap_getattr(tuple, attribute, RelationGetDescr(catalog), &is_null);

	table_close(catalog, AccessShareLock);
	return is_null ? InvalidOid : DatumGetObjectId(value);
}

static Oid
schema_of_contract(HeapTuple contract)
{
	Relation	catalog = table_open(tl_table_catalog_own(CONTRACT_SCHEMA), AccessShareLock);
	bool		is_null;
	Datum		value = heap_getattr(contract, Anum_contract_schema_schema,
									 RelationGetDescr(catalog), &is_null);

	table_close(catalog, AccessShareLock);
	return get_namespace_oid(NameStr(*DatumGetName(value)), true);
}

/* A copy of the row of ledger_internal.contract_schema, or NULL. */
static HeapTuple
find_schema(Oid schema)
{
	Oid			catalog_oid = tl_table_catalog_own(CONTRACT_SCHEMA);
	char	   *text = OidIsValid(catalog_oid) ? get_namespace_name(schema) : NULL;
	NameData	name;
	Relation	catalog;
	Oid			index;
	ScanKeyData key;
	SysScanDesc scan;
	HeapTuple	tuple;

	if (text == NULL)
		return NULL;
	namestrcpy(&name, text);
	catalog = table_open(catalog_oid, AccessShareLock);
	index = get_relname_relid(CONTRACT_SCHEMA_INDEX, RelationGetNamespace(catalog));
	ScanKeyInit(&key, Anum_contract_schema_schema, BTEqualStrategyNumber, F_NAMEEQ,
				NameGetDatum(&name));
	scan = systable_beginscan(catalog, index, OidIsValid(index), NULL, 1, &key);
	tuple = systable_getnext(scan);
	if (HeapTupleIsValid(tuple))
		tuple = heap_copytuple(tuple);
	systable_endscan(scan);
	table_close(catalog, AccessShareLock);
	return tuple;
}

/*
 * F3, F5.  The contract's own indexes are not altered.  Any index that is not unique
 * may go: it decides about no row, and one that is damaged must not stop rows.
 */
static void
guard_index(ObjectAccessType access, Oid index, Form_pg_class form, HeapTuple contract)
{
	bool		decides = is_unique(index);

	if (access != OAT_POST_CREATE)
	{
		if ((access != OAT_DROP || decides) && has_index(contract, NameStr(form->relname)))
			refuse(NameStr(form->relname), form->relnamespace);
		if (access == OAT_POST_ALTER)
		{
			HeapTuple	altered = read_object(find_place(RelationRelationId), index, SnapshotSelf);

			if (HeapTupleIsValid(altered))
				guard_name(NameStr(((Form_pg_class) GETSTRUCT(altered))->relname), form->relnamespace, contract);
		}
		return;
	}
	guard_name(NameStr(form->relname), form->relnamespace, contract);
	if (decides)
		ereport(ERROR,
				errcode(TL_ERRCODE(TL_DEFINITION_FIXED)),
				errmsg("index \"%s\" on a shared table cannot be unique", NameStr(form->relname)),
				errdetail("A row that is final for all members could not be stored here."),
				errhint("Leave out UNIQUE."));
	tl_table_index_guard(index, form);
}

/* F5 */
static void
guard_name(const char *name, Oid schema, HeapTuple contract)
{
	if (has_index(contract, name))
		ereport(ERROR,
				errcode(TL_ERRCODE(TL_DEFINITION_FIXED)),
				errmsg("index name \"%s\" belongs to contract \"%s\"", name, get_namespace_name(schema)),
				errdetail("A version of the contract has given it to an index of its own, which may be gone, and the next version would take one of this name for that."),
				errhint("Use another name."));
}

/*
 * F4.  What is outside a contract's schema cannot depend on rows of state tables,
 * nor add rows to what queries of them read.
 */
static void
guard_state(ObjectAccessType access, Oid class_id, Oid object_id, void *argument)
{
	Oid			table = InvalidOid;
	TlIdentity	identity;

	if (class_id == ConstraintRelationId && access == OAT_POST_CREATE)
	{
		HeapTuple	tuple = read_object(find_place(class_id), object_id, SnapshotSelf);

		if (HeapTupleIsValid(tuple) && ((Form_pg_constraint) GETSTRUCT(tuple))->contype == CONSTRAINT_FOREIGN)
			table = ((Form_pg_constraint) GETSTRUCT(tuple))->confrelid;
	}
	else if (class_id == InheritsRelationId && access == OAT_POST_ALTER && argument != NULL)
		table = tl_table_state_is_state(object_id) ? object_id :
			((ObjectAccessPostAlter *) argument)->auxiliary_id;
	if (!OidIsValid(table) || !tl_table_state_is_state(table))
		return;
	tl_table_identity(&identity);
	if (!tl_table_identity_is_restoring(&identity))
		ereport(ERROR,
				errcode(TL_ERRCODE(TL_DEFINITION_FIXED)),
				errmsg("no other table can depend on state table \"%s\"", get_rel_name(table)),
				errdetail("Its rows come and go as its contract says, at all members alike."),
				errhint("Keep its key without a foreign key, or read it in a view."));
}

/* A new one is not in the syscache yet. */
static bool
is_unique(Oid index)
{
	Relation	catalog = table_open(IndexRelationId, AccessShareLock);
	ScanKeyData key;
	SysScanDesc scan;
	HeapTuple	tuple;
	bool		result;

	ScanKeyInit(&key, Anum_pg_index_indexrelid, BTEqualStrategyNumber, F_OIDEQ,
				ObjectIdGetDatum(index));
	scan = systable_beginscan(catalog, IndexRelidIndexId, true, SnapshotSelf, 1, &key);
	tuple = systable_getnext(scan);
	result = HeapTupleIsValid(tuple) &&
		(((Form_pg_index) GETSTRUCT(tuple))->indisunique ||
		 ((Form_pg_index) GETSTRUCT(tuple))->indisexclusion);
	systable_endscan(scan);
	table_close(catalog, AccessShareLock);
	return result;
}

/* Did the contract's script make an index of that name? */
static bool
has_index(HeapTuple contract, const char *name)
{
	Relation	catalog = table_open(tl_table_catalog_own(CONTRACT_SCHEMA), AccessShareLock);
	bool		is_null;
	bool		found = false;
	Datum		value = heap_getattr(contract, Anum_contract_schema_indexes,
									 RelationGetDescr(catalog), &is_null);
	Datum	   *names = NULL;
	bool	   *nulls;
	int			count = 0;

	if (!is_null)
		deconstruct_array(DatumGetArrayTypeP(value), NAMEOID, NAMEDATALEN, false, TYPALIGN_CHAR,
						  &names, &nulls, &count);
	for (int i = 0; i < count && !found; i++)
		found = strcmp(NameStr(*DatumGetName(names[i])), name) == 0;
	table_close(catalog, AccessShareLock);
	return found;
}

static void
refuse(const char *object, Oid schema)
{
	char	   *contract = get_namespace_name(schema);

	ereport(ERROR,
			errcode(TL_ERRCODE(TL_DEFINITION_FIXED)),
			object != NULL ?
			errmsg("cannot change \"%s.%s\"", contract, object) :
			errmsg("cannot change what contract \"%s\" has made", contract),
			errdetail("Schema \"%s\" belongs to the contract, and is the same at all members.", contract),
			errhint("Indexes on its tables that are not unique, and privileges, can be added. Put everything else into a schema of your own."));
}
