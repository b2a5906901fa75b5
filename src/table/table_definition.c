/*-------------------------------------------------------------------------
 *
 * table_definition.c
 *	  Definitions of ledger tables as rows of ledger.table_version.
 *
 * What a row's bytes mean, the names of its columns and their types, must be
 * on the ledger too: otherwise a superuser could swap the names of two columns
 * and every hash would still fit.  So each CREATE, ALTER, RENAME and ATTACH of
 * a ledger table that changes its definition appends a version, in the same
 * transaction.  Encoder and verifier read definitions here.
 *
 * Invariants
 *	  D1  versions of a table count from 1 without gaps
 *	  D2  the newest version of a table is what the catalogs say, once the
 *		  statement that changed them has ended
 *	  D3  ledger.table_version takes rows only while
 *		  tl_table_definition_writing is set, which only this file does
 *
 * ledger.table_version itself has one definition for ever, given by code: table
 * id = first 16 bytes of SHA-256('telco_ledger/1/table_version'), version 1.
 *
 * Before the database is a node nothing is written; create_node calls
 * tl_table_definition_write_missing.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/genam.h"
#include "access/htup_details.h"
#include "access/table.h"
#include "access/tableam.h"
#include "access/xact.h"
#include "catalog/namespace.h"
#include "catalog/pg_type.h"
#include "executor/executor.h"
#include "miscadmin.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/fmgroids.h"
#include "utils/lsyscache.h"
#include "utils/snapmgr.h"
#include "utils/uuid.h"

#include "crypto_hash.h"
#include "table_am.h"
#include "table_catalog.h"
#include "table_contract.h"
#include "table_definition.h"
#include "table_issue.h"
#include "table_requirement.h"
#include "table_type.h"
#include "tl_error.h"

#define DEFINITION_INDEX	"table_version_by_table"
#define DEFINITION_SEED		"telco_ledger/1/table_version"

bool		tl_table_definition_writing = false;

static const struct
{
	const char *name;
	const char *type_name;
	Oid			type;
}			fixed_columns[] = {
	{"table_id", "uuid", UUIDOID},
	{"version", "integer", INT4OID},
	{"action", "text", TEXTOID},
	{"schema_name", "text", TEXTOID},
	{"table_name", "text", TEXTOID},
	{"attribute_numbers", "integer[]", INT4ARRAYOID},
	{"column_names", "text[]", TEXTARRAYOID},
	{"type_names", "text[]", TEXTARRAYOID},
	{"type_tags", "bigint[]", INT8ARRAYOID},
};

static void definition_fixed(TlTableVersion *out);
static void allocate_columns(TlTableVersion *out, int count);
static bool find_version(TlTableVersion *out,
						 const uint8_t table_id[TL_TABLE_ID_SIZE],
						 uint32_t version, TlRefAccept accept,
						 void *accept_context, Snapshot snapshot);
static void check_no_nulls(const bool nulls[Natts_table_version]);
static void read_version(TlTableVersion *out, const Datum *values);
static char *read_text(Datum value);
static Datum *read_array(Datum value, Oid element_type, int expected);
static void refuse_lost_columns(const TlTableVersion *old,
								const TlTableVersion *new);
static void write_version(const TlTableVersion *version);
static Datum build_array(const TlTableVersion *version, AttrNumber attribute);
static void insert_version(Relation table, Datum *values);

/* The OID of ledger.table_version. */
Oid
tl_table_definition_relation(void)
{
	Oid			schema = get_namespace_oid("ledger", true);

	return OidIsValid(schema) ? get_relname_relid("table_version", schema) : InvalidOid;
}

/* The definition of ledger.table_version. */
static void
definition_fixed(TlTableVersion *out)
{
	TlHash		hash;

	tl_crypto_sha256(&hash, DEFINITION_SEED, strlen(DEFINITION_SEED));
	memcpy(out->table_id, hash.bytes, TL_TABLE_ID_SIZE);
	out->version = 1;
	out->action = pstrdup("create");
	out->schema_name = pstrdup("ledger");
	out->table_name = pstrdup("table_version");
	allocate_columns(out, lengthof(fixed_columns));
	for (int i = 0; i < out->column_count; i++)
	{
		out->attribute_numbers[i] = (AttrNumber) (i + 1);
		out->column_names[i] = pstrdup(fixed_columns[i].name);
		out->type_names[i] = pstrdup(fixed_columns[i].type_name);
		out->type_tags[i] = fixed_columns[i].type;
	}
}

static void
allocate_columns(TlTableVersion *out, int count)
{
	out->column_count = count;
	out->attribute_numbers = palloc0((count + 1) * sizeof(AttrNumber));
	out->column_names = palloc0((count + 1) * sizeof(char *));
	out->type_names = palloc0((count + 1) * sizeof(char *));
	out->type_tags = palloc0((count + 1) * sizeof(uint32_t));
}

/*
 * The newest version of the relation's definition that the active snapshot
 * sees and accept (if given) agrees to.  False if there is none.
 */
bool
tl_table_definition_load(TlTableVersion *out, Oid relation, TlRefAccept accept,
						 void *accept_context, MemoryContext context)
{
	MemoryContext caller = MemoryContextSwitchTo(context);
	uint8_t		table_id[TL_TABLE_ID_SIZE];
	bool		found;

	memset(out, 0, sizeof(*out));
	if (relation == tl_table_definition_relation())
	{
		definition_fixed(out);
		found = true;
	}
	else
		found = tl_table_catalog_id(table_id, relation) &&
			find_version(out, table_id, 0, accept, accept_context,
						 GetActiveSnapshot());
	MemoryContextSwitchTo(caller);
	return found;
}

/* One version by its number, seen by the active snapshot. */
bool
tl_table_definition_load_exact(TlTableVersion *out,
							   const uint8_t table_id[TL_TABLE_ID_SIZE],
							   uint32_t version, MemoryContext context)
{
	MemoryContext caller = MemoryContextSwitchTo(context);
	TlTableVersion fixed;
	bool		found;

	memset(out, 0, sizeof(*out));
	memset(&fixed, 0, sizeof(fixed));
	definition_fixed(&fixed);
	if (memcmp(table_id, fixed.table_id, TL_TABLE_ID_SIZE) == 0)
	{
		*out = fixed;
		found = (version == fixed.version);
	}
	else
		found = find_version(out, table_id, version, NULL, NULL,
							 GetActiveSnapshot());
	MemoryContextSwitchTo(caller);
	return found;
}

/* Version 0 means: the newest. */
static bool
find_version(TlTableVersion *out, const uint8_t table_id[TL_TABLE_ID_SIZE],
			 uint32_t version, TlRefAccept accept, void *accept_context,
			 Snapshot snapshot)
{
	Oid			table_oid = tl_table_definition_relation();
	Relation	table,
				index;
	SysScanDesc scan;
	ScanKeyData key[2];
	HeapTuple	tuple;
	pg_uuid_t	uuid;
	bool		found = false;

	if (!OidIsValid(table_oid))
		return false;
	table = table_open(table_oid, AccessShareLock);
	index = index_open(get_relname_relid(DEFINITION_INDEX,
										 RelationGetNamespace(table)),
					   AccessShareLock);
	memcpy(uuid.data, table_id, TL_TABLE_ID_SIZE);
	ScanKeyInit(&key[0], Anum_table_version_table_id, BTEqualStrategyNumber,
				F_UUID_EQ, UUIDPGetDatum(&uuid));
	ScanKeyInit(&key[1], Anum_table_version_version, BTEqualStrategyNumber,
				F_INT4EQ, Int32GetDatum((int32) version));
	scan = systable_beginscan_ordered(table, index, snapshot,
									  version == 0 ? 1 : 2, key);
	while (!found &&
		   HeapTupleIsValid(tuple = systable_getnext_ordered(scan, BackwardScanDirection)))
	{
		Datum		values[Natts_table_version];
		bool		nulls[Natts_table_version];
		TlRef		ref;

		heap_deform_tuple(tuple, RelationGetDescr(table), values, nulls);
		check_no_nulls(nulls);
		tl_table_ref_unpack(&ref, DatumGetTlRefBytes(values[Anum_table_version_ledger_ref - 1]));
		if (accept != NULL && !accept(accept_context, &ref))
			continue;
		read_version(out, values);
		found = true;
	}
	systable_endscan_ordered(scan);
	index_close(index, AccessShareLock);
	table_close(table, AccessShareLock);
	return found;
}

/* Somebody may have taken the constraints away. */
static void
check_no_nulls(const bool nulls[Natts_table_version])
{
	for (int i = 0; i < Natts_table_version; i++)
		if (nulls[i])
			ereport(ERROR,
					errcode(TL_ERRCODE(TL_CHAIN_DAMAGED)),
					errmsg("a row of ledger.table_version is damaged"),
					errdetail("Its column %d is null.", i + 1),
					tl_error_hint_damaged());
}

/* What the versions of a table say was done, in order; a list of char *. */
List *
tl_table_definition_actions(const uint8_t table_id[TL_TABLE_ID_SIZE])
{
	Oid			table_oid = tl_table_definition_relation();
	Relation	table = table_open(table_oid, AccessShareLock);
	Relation	index = index_open(get_relname_relid(DEFINITION_INDEX,
													 RelationGetNamespace(table)),
								   AccessShareLock);
	Snapshot	snapshot = RegisterSnapshot(GetLatestSnapshot());
	SysScanDesc scan;
	ScanKeyData key;
	HeapTuple	tuple;
	pg_uuid_t	uuid;
	List	   *actions = NIL;

	memcpy(uuid.data, table_id, TL_TABLE_ID_SIZE);
	ScanKeyInit(&key, Anum_table_version_table_id, BTEqualStrategyNumber,
				F_UUID_EQ, UUIDPGetDatum(&uuid));
	scan = systable_beginscan_ordered(table, index, snapshot, 1, &key);
	while ((tuple = systable_getnext_ordered(scan, ForwardScanDirection)) != NULL)
	{
		bool		is_null;
		Datum		action = heap_getattr(tuple, Anum_table_version_action,
										  RelationGetDescr(table), &is_null);

		if (!is_null)
			actions = lappend(actions, TextDatumGetCString(action));
	}
	systable_endscan_ordered(scan);
	UnregisterSnapshot(snapshot);
	index_close(index, AccessShareLock);
	table_close(table, AccessShareLock);
	return actions;
}

/* From the row's values, all of them not null. */
static void
read_version(TlTableVersion *out, const Datum *values)
{
	Datum	   *numbers,
			   *names,
			   *types,
			   *tags;
	Datum		array = values[Anum_table_version_attribute_numbers - 1];
	int			count = ArrayGetNItems(ARR_NDIM(DatumGetArrayTypeP(array)),
									   ARR_DIMS(DatumGetArrayTypeP(array)));

	memcpy(out->table_id,
		   DatumGetUUIDP(values[Anum_table_version_table_id - 1])->data,
		   TL_TABLE_ID_SIZE);
	out->version = DatumGetInt32(values[Anum_table_version_version - 1]);
	tl_table_ref_unpack(&out->ref,
						DatumGetTlRefBytes(values[Anum_table_version_ledger_ref - 1]));
	out->action = read_text(values[Anum_table_version_action - 1]);
	out->schema_name = read_text(values[Anum_table_version_schema_name - 1]);
	out->table_name = read_text(values[Anum_table_version_table_name - 1]);
	allocate_columns(out, count);
	numbers = read_array(array, INT4OID, count);
	names = read_array(values[Anum_table_version_column_names - 1], TEXTOID, count);
	types = read_array(values[Anum_table_version_type_names - 1], TEXTOID, count);
	tags = read_array(values[Anum_table_version_type_tags - 1], INT8OID, count);
	for (int i = 0; i < count; i++)
	{
		out->attribute_numbers[i] = (AttrNumber) DatumGetInt32(numbers[i]);
		out->column_names[i] = read_text(names[i]);
		out->type_names[i] = read_text(types[i]);
		out->type_tags[i] = (uint32_t) DatumGetInt64(tags[i]);
	}
}

static char *
read_text(Datum value)
{
	return TextDatumGetCString(value);
}

static Datum *
read_array(Datum value, Oid element_type, int expected)
{
	Datum	   *items;
	bool	   *nulls;
	int			count;
	int16		length;
	bool		by_value;
	char		alignment;

	get_typlenbyvalalign(element_type, &length, &by_value, &alignment);
	deconstruct_array(DatumGetArrayTypePCopy(value), element_type, length,
					  by_value, alignment, &items, &nulls, &count);
	for (int i = 0; i < count; i++)
	{
		if (nulls[i])
			count = -1;
	}
	if (count != expected)
		ereport(ERROR,
				errcode(TL_ERRCODE(TL_CHAIN_DAMAGED)),
				errmsg("a row of ledger.table_version is damaged"),
				errdetail("Its arrays do not have the same length."),
				tl_error_hint_damaged());
	return items;
}

/* What the catalogs say now; without id and version. */
void
tl_table_definition_current(TlTableVersion *out, Relation relation)
{
	TupleDesc	descriptor = RelationGetDescr(relation);
	AttrNumber	ref_attribute = tl_table_am_ref_attribute(relation);
	int			count = 0;

	memset(out, 0, sizeof(*out));
	allocate_columns(out, descriptor->natts);
	out->schema_name = get_namespace_name(RelationGetNamespace(relation));
	out->table_name = pstrdup(RelationGetRelationName(relation));
	for (int i = 0; i < descriptor->natts; i++)
	{
		Form_pg_attribute attribute = TupleDescAttr(descriptor, i);

		if (attribute->attisdropped || attribute->attnum == ref_attribute)
			continue;
		out->attribute_numbers[count] = attribute->attnum;
		out->column_names[count] = pstrdup(NameStr(attribute->attname));
		out->type_names[count] = tl_table_type_name(attribute->atttypid,
													attribute->atttypmod);
		out->type_tags[count] = tl_table_type_tag(attribute->atttypid);
		count++;
	}
	out->column_count = count;
}

/* NULL if both say the same, else a sentence on the first difference. */
char *
tl_table_definition_difference(const TlTableVersion *old,
							   const TlTableVersion *new)
{
	if (strcmp(old->schema_name, new->schema_name) != 0 ||
		strcmp(old->table_name, new->table_name) != 0)
		return psprintf("The table is \"%s.%s\", not \"%s.%s\".",
						new->schema_name, new->table_name,
						old->schema_name, old->table_name);
	if (old->column_count != new->column_count)
		return psprintf("There are %d columns, not %d.", new->column_count,
						old->column_count);
	for (int i = 0; i < old->column_count; i++)
	{
		if (old->attribute_numbers[i] != new->attribute_numbers[i])
			return psprintf("Column \"%s\" is attribute %d, not %d.",
							new->column_names[i], new->attribute_numbers[i],
							old->attribute_numbers[i]);
		if (strcmp(old->column_names[i], new->column_names[i]) != 0)
			return psprintf("Attribute %d is named \"%s\", not \"%s\".",
							old->attribute_numbers[i], new->column_names[i],
							old->column_names[i]);
		if (strcmp(old->type_names[i], new->type_names[i]) != 0 ||
			old->type_tags[i] != new->type_tags[i])
			return psprintf("Column \"%s\" has type %s (tag %u), not %s (tag %u).",
							new->column_names[i], new->type_names[i],
							new->type_tags[i], old->type_names[i],
							old->type_tags[i]);
	}
	return NULL;
}

/*
 * D2: append a version if the catalogs say something new, or always.  A
 * contract's tables get theirs when its script has ended (table_shared.c).
 */
void
tl_table_definition_write(Oid relation, const char *action, bool always)
{
	TlIdentity	identity;
	TlTableVersion newest,
				now;
	uint8_t		table_id[TL_TABLE_ID_SIZE];
	Relation	table;
	Snapshot	snapshot;
	bool		found;

	tl_table_identity(&identity);
	if (tl_table_identity_is_restoring(&identity) ||
		relation == tl_table_definition_relation() ||
		tl_table_contract_running() != NULL ||
		!tl_table_catalog_id(table_id, relation))
		return;
	table = table_open(relation, AccessShareLock);
	tl_table_definition_current(&now, table);
	table_close(table, NoLock);
	memset(&newest, 0, sizeof(newest));
	snapshot = RegisterSnapshot(GetLatestSnapshot());
	found = find_version(&newest, table_id, 0, NULL, NULL, snapshot);
	UnregisterSnapshot(snapshot);
	if (found)
		refuse_lost_columns(&newest, &now);
	if (found && !always &&
		tl_table_definition_difference(&newest, &now) == NULL)
		return;
	memcpy(now.table_id, table_id, TL_TABLE_ID_SIZE);
	now.version = newest.version + 1;
	now.action = pstrdup(found ? action : "create");
	write_version(&now);
}

/*
 * Columns may be added and renamed.  What is on the ledger under an attribute
 * number keeps that number and its type; the guards refuse sooner and by name,
 * this is the net below them.
 */
static void
refuse_lost_columns(const TlTableVersion *old, const TlTableVersion *new)
{
	int			j = 0;

	for (int i = 0; i < old->column_count; i++)
	{
		while (j < new->column_count &&
			   new->attribute_numbers[j] < old->attribute_numbers[i])
			j++;
		if (j < new->column_count &&
			new->attribute_numbers[j] == old->attribute_numbers[i] &&
			(new->type_tags[j] == old->type_tags[i] ||
			 (new->type_tags[j] & old->type_tags[i] & TL_TYPE_TAG_NAMED)))
			continue;
		ereport(ERROR,
				errcode(TL_ERRCODE(TL_DEFINITION_FIXED)),
				errmsg("cannot drop column \"%s\" of ledger table \"%s\" or change its type",
					   old->column_names[i], old->table_name),
				errhint("Add a column instead, and leave the old one as it is."));
	}
}

/* The last version of a table of a test ledger that ends: drop, truncate. */
void
tl_table_definition_write_end(const TlTableVersion *last, const char *action)
{
	TlTableVersion version = *last;
	TlTableVersion newest;
	Snapshot	snapshot;
	TlIdentity	identity;

	tl_table_identity(&identity);
	if (tl_table_identity_is_restoring(&identity))
		return;
	memset(&newest, 0, sizeof(newest));
	snapshot = RegisterSnapshot(GetLatestSnapshot());
	(void) find_version(&newest, version.table_id, 0, NULL, NULL, snapshot);
	UnregisterSnapshot(snapshot);
	version.version = newest.version + 1;
	version.action = pstrdup(action);
	write_version(&version);
}

/* Versions for all tables that were created before there was a node. */
void
tl_table_definition_write_missing(void)
{
	ListCell   *cell;

	foreach(cell, tl_table_catalog_tables())
	{
		Oid			relation = lfirst_oid(cell);

		CHECK_FOR_INTERRUPTS();
		if (tl_table_catalog_is_ledger(relation))
		{
			tl_table_definition_write(relation, "alter", false);
			tl_table_requirement_publish(relation);
		}
	}
}

static void
write_version(const TlTableVersion *version)
{
	Datum		values[Natts_table_version];
	pg_uuid_t	uuid;
	TlRefBytes	ref;
	Relation	table = table_open(tl_table_definition_relation(),
								   RowExclusiveLock);

	memcpy(uuid.data, version->table_id, TL_TABLE_ID_SIZE);
	values[Anum_table_version_table_id - 1] = UUIDPGetDatum(&uuid);
	values[Anum_table_version_version - 1] = Int32GetDatum((int32) version->version);
	values[Anum_table_version_action - 1] = CStringGetTextDatum(version->action);
	values[Anum_table_version_schema_name - 1] = CStringGetTextDatum(version->schema_name);
	values[Anum_table_version_table_name - 1] = CStringGetTextDatum(version->table_name);
	for (AttrNumber i = Anum_table_version_attribute_numbers;
		 i <= Anum_table_version_type_tags; i++)
		values[i - 1] = build_array(version, i);
	tl_table_issue_next(&ref);
	values[Anum_table_version_ledger_ref - 1] = TlRefBytesGetDatum(&ref);
	insert_version(table, values);
	table_close(table, NoLock);
	CommandCounterIncrement();
}

/* One of the four arrays, told by the attribute that it is for. */
static Datum
build_array(const TlTableVersion *version, AttrNumber attribute)
{
	int			count = version->column_count;
	Datum	   *items = palloc((count + 1) * sizeof(Datum));
	Oid			type = attribute == Anum_table_version_attribute_numbers ? INT4OID :
		attribute == Anum_table_version_type_tags ? INT8OID : TEXTOID;
	int16		length;
	bool		by_value;
	char		alignment;

	for (int i = 0; i < count; i++)
	{
		if (attribute == Anum_table_version_attribute_numbers)
			items[i] = Int32GetDatum(version->attribute_numbers[i]);
		else if (attribute == Anum_table_version_column_names)
			items[i] = CStringGetTextDatum(version->column_names[i]);
		else if (attribute == Anum_table_version_type_names)
			items[i] = CStringGetTextDatum(version->type_names[i]);
		else
			items[i] = Int64GetDatum((int64) version->type_tags[i]);
	}
	get_typlenbyvalalign(type, &length, &by_value, &alignment);
	return PointerGetDatum(construct_array(items, count, type, length, by_value,
										   alignment));
}

/* Store the row past privileges, rules and triggers; D3. */
static void
insert_version(Relation table, Datum *values)
{
	EState	   *estate = CreateExecutorState();
	ResultRelInfo *target = makeNode(ResultRelInfo);
	TupleTableSlot *slot = MakeSingleTupleTableSlot(RelationGetDescr(table),
													&TTSOpsVirtual);

	InitResultRelInfo(target, table, 0, NULL, 0);
	target->ri_TrigDesc = NULL;
	ExecOpenIndices(target, false);
	ExecClearTuple(slot);
	for (int i = 0; i < Natts_table_version; i++)
	{
		slot->tts_values[i] = values[i];
		slot->tts_isnull[i] = false;
	}
	ExecStoreVirtualTuple(slot);
	PushActiveSnapshot(GetTransactionSnapshot());
	tl_table_definition_writing = true;
	PG_TRY();
	{
		ExecSimpleRelationInsert(target, estate, slot);
	}
	PG_FINALLY();
	{
		tl_table_definition_writing = false;
	}
	PG_END_TRY();
	PopActiveSnapshot();
	ExecCloseIndices(target);
	ExecDropSingleTupleTableSlot(slot);
	FreeExecutorState(estate);
}
