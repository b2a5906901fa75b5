/*-------------------------------------------------------------------------
 *
 * table_shared.c
 *	  Shared tables: ledger tables whose rows go to all members.
 *
 * A contract makes them, on every member in the same block, so that they have
 * the same attribute numbers, the same rules and the same table id everywhere.
 * The id follows from the names of contract and table:
 *
 *		the first 16 bytes of Hash('telco_ledger/1/table' ||
 *			u16 length, instance || u16 length, table)
 *
 * A table is made with a random id, as any other, and takes the shared one when
 * it is marked: what ledger.table_version says under the old id ends there, and
 * version 1 under the new one is the definition by which all members encode.
 *
 * Invariants
 *	  S1  a table has no rows when it becomes shared, and stays shared
 *	  S2  its definition has one version
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/genam.h"
#include "access/htup_details.h"
#include "access/table.h"
#include "access/xact.h"
#include "catalog/indexing.h"
#include "fmgr.h"
#include "miscadmin.h"
#include "storage/lmgr.h"
#include "utils/builtins.h"
#include "utils/fmgroids.h"
#include "utils/inval.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"
#include "utils/snapmgr.h"
#include "utils/uuid.h"

#include "crypto_hash.h"
#include "table_access.h"
#include "table_catalog.h"
#include "table_definition.h"
#include "table_issue.h"
#include "table_requirement.h"
#include "table_shared.h"
#include "tl_error.h"
#include "tl_limits.h"

PG_FUNCTION_INFO_V1(tl_share_table);

#define SHARED_TABLE			"shared_table"
#define SHARED_TABLE_INDEX		"shared_table_pkey"
#define SHARED_TABLE_ID_INDEX	"shared_table_table_id_key"
#define ID_LABEL				"telco_ledger/1/table"

static bool find_row(Oid *relation, const char *index_name, AttrNumber attribute,
					 RegProcedure equal, Datum value);
static void put_name(TlWriter *writer, const char *name);
static void check_markable(Oid relation, const uint8_t table_id[TL_TABLE_ID_SIZE]);
static bool has_generated_column(Oid relation_oid);
static void add_row(Oid relation, const uint8_t table_id[TL_TABLE_ID_SIZE],
					const char *contract, int64_t height);

/* Do the rows of this table go to all members? */
bool
tl_table_is_shared(Oid relation)
{
	return find_row(NULL, SHARED_TABLE_INDEX, Anum_shared_table_relation, F_OIDEQ,
					ObjectIdGetDatum(relation));
}

/* The shared table with this id, or InvalidOid. */
Oid
tl_table_shared_relation(const uint8_t table_id[TL_TABLE_ID_SIZE])
{
	Oid			relation = InvalidOid;
	pg_uuid_t	uuid;

	memcpy(uuid.data, table_id, TL_TABLE_ID_SIZE);
	(void) find_row(&relation, SHARED_TABLE_ID_INDEX, Anum_shared_table_table_id,
					F_UUID_EQ, UUIDPGetDatum(&uuid));
	return relation;
}

static bool
find_row(Oid *relation, const char *index_name, AttrNumber attribute,
		 RegProcedure equal, Datum value)
{
	Oid			catalog_oid = tl_table_catalog_own(SHARED_TABLE);
	Relation	catalog;
	ScanKeyData key;
	SysScanDesc scan;
	HeapTuple	tuple;
	bool		found;
	bool		is_null;

	if (!OidIsValid(catalog_oid))
		return false;
	catalog = table_open(catalog_oid, AccessShareLock);
	ScanKeyInit(&key, attribute, BTEqualStrategyNumber, equal, value);
	scan = systable_beginscan(catalog,
							  get_relname_relid(index_name, RelationGetNamespace(catalog)),
							  true, NULL, 1, &key);
	tuple = systable_getnext(scan);
	found = HeapTupleIsValid(tuple);
	if (found && relation != NULL)
		*relation = DatumGetObjectId(heap_getattr(tuple, Anum_shared_table_relation,
												  RelationGetDescr(catalog), &is_null));
	systable_endscan(scan);
	table_close(catalog, AccessShareLock);
	return found;
}

/* The id of a contract's table: the same on all members. */
void
tl_table_shared_id(uint8_t table_id[TL_TABLE_ID_SIZE], const char *instance,
				   const char *table)
{
	uint8_t		bytes[sizeof(ID_LABEL) + 2 * (sizeof(uint16_t) + 2 * TL_NAME_SIZE_MAX + 1)];
	TlWriter	writer;
	TlHash		hash;

	tl_writer_init(&writer, bytes, sizeof(bytes));
	tl_put_bytes(&writer, ID_LABEL, strlen(ID_LABEL));
	put_name(&writer, instance);
	put_name(&writer, table);
	tl_error_check(tl_writer_finish(&writer), "id of a shared table");
	tl_crypto_sha256(&hash, bytes, writer.size);
	memcpy(table_id, hash.bytes, TL_TABLE_ID_SIZE);
}

static void
put_name(TlWriter *writer, const char *name)
{
	tl_put_u16(writer, (uint16_t) strlen(name));
	tl_put_bytes(writer, name, strlen(name));
}

/* From now on the table is shared (S1); in the caller's transaction. */
void
tl_table_shared_mark(Oid relation, const uint8_t table_id[TL_TABLE_ID_SIZE],
					 const char *contract, int64_t height)
{
	TlTableVersion last;
	bool		defined;

	LockRelationOid(relation, AccessExclusiveLock);
	check_markable(relation, table_id);
	PushActiveSnapshot(GetLatestSnapshot());
	defined = tl_table_definition_load(&last, relation, NULL, NULL, CurrentMemoryContext);
	PopActiveSnapshot();
	if (defined)
		tl_table_definition_write_end(&last, "drop");
	tl_table_catalog_remove(relation);
	CommandCounterIncrement();
	tl_table_catalog_add(relation, table_id);
	add_row(relation, table_id, contract, height);
	tl_table_definition_write(relation, "create", true);
	CacheInvalidateRelcacheByRelid(relation);
	CommandCounterIncrement();
}

/* Messages that are signed name the table by its id, which a contract's has from the start. */
static void
check_markable(Oid relation, const uint8_t table_id[TL_TABLE_ID_SIZE])
{
	const char *reason = NULL;
	const char *hint = "Create a new table for it.";
	uint8_t		current[TL_TABLE_ID_SIZE];
	bool		same = tl_table_catalog_id(current, relation) &&
		memcmp(current, table_id, TL_TABLE_ID_SIZE) == 0;
	TlIdentity	identity;

	tl_table_identity(&identity);
	if (!tl_table_identity_is_live(&identity))
		tl_error_not_a_node();
	if (!tl_table_catalog_is_ledger(relation))
	{
		reason = "It is no ledger table.";
		hint = "Create it USING ledger.";
	}
	else if (tl_table_is_shared(relation))
	{
		reason = "It is shared already.";
		hint = "Nothing is left to do for it: ledger_internal.shared_table shows its id.";
	}
	else if (get_rel_relispartition(relation))
		reason = "It is a partition.";
	else if (tl_table_access_has_rows(relation))
		reason = "It has rows.";
	else if (!same && tl_table_requirement_load(relation) != NIL)
	{
		reason = "Its rows have to be signed already, under the id that it has now.";
		hint = "Create the trigger when the table is shared.";
	}
	else if (has_generated_column(relation))
	{
		reason = "It has a generated column, which nobody could check in the row of another member.";
		hint = "Let a view compute the column.";
	}
	if (reason != NULL)
		ereport(ERROR,
				errcode(TL_ERRCODE(TL_DEFINITION_FIXED)),
				errmsg("table \"%s\" cannot become a shared table", get_rel_name(relation)),
				errdetail_internal("%s", reason),
				errhint("%s", hint));
}

static bool
has_generated_column(Oid relation_oid)
{
	Relation	relation = table_open(relation_oid, AccessShareLock);
	TupleDesc	descriptor = RelationGetDescr(relation);
	bool		found = false;

	for (int i = 0; i < descriptor->natts; i++)
		found |= TupleDescAttr(descriptor, i)->attgenerated != '\0';
	table_close(relation, NoLock);
	return found;
}

static void
add_row(Oid relation, const uint8_t table_id[TL_TABLE_ID_SIZE], const char *contract,
		int64_t height)
{
	Relation	catalog = table_open(tl_table_catalog_own(SHARED_TABLE), RowExclusiveLock);
	Datum		values[Natts_shared_table];
	bool		nulls[Natts_shared_table] = {false};
	pg_uuid_t	uuid;

	memcpy(uuid.data, table_id, TL_TABLE_ID_SIZE);
	values[Anum_shared_table_relation - 1] = ObjectIdGetDatum(relation);
	values[Anum_shared_table_table_id - 1] = UUIDPGetDatum(&uuid);
	values[Anum_shared_table_contract - 1] = CStringGetTextDatum(contract);
	values[Anum_shared_table_height - 1] = Int64GetDatum(height);
	CatalogTupleInsert(catalog, heap_form_tuple(RelationGetDescr(catalog), values, nulls));
	table_close(catalog, NoLock);
	CommandCounterIncrement();
}

/* ledger_internal.share_table(relation, table_id, contract, height) */
Datum
tl_share_table(PG_FUNCTION_ARGS)
{
	TlIdentity	identity;

	if (!superuser())
		ereport(ERROR,
				errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
				errmsg("only a superuser makes a table shared by hand"),
				errhint("Deploy a contract that creates it: ledger.deploy(name, source)."));
	tl_table_identity(&identity);
	if (identity.exists && !identity.test)
		ereport(ERROR,
				errcode(TL_ERRCODE(TL_DEFINITION_FIXED)),
				errmsg("tables of a production ledger are not shared by hand"),
				errdetail("All members have to make the same table in the same block."),
				errhint("Deploy a contract that creates it: ledger.deploy(name, source)."));
	tl_table_shared_mark(PG_GETARG_OID(0), PG_GETARG_UUID_P(1)->data,
						 text_to_cstring(PG_GETARG_TEXT_PP(2)), PG_GETARG_INT64(3));
	PG_RETURN_VOID();
}
