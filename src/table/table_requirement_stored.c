/*-------------------------------------------------------------------------
 *
 * table_requirement_stored.c
 *	  What must be signed in ledger tables, as it is kept.
 *
 * One row of ledger_internal.signature_requirement for each demand of a table,
 * or of a leaf of a partitioned one; numbered from 1 in each table.  The rows
 * are read past privileges, by trigger, worker and verification alike, and are
 * not believed: what is null or does not fit together is an error.
 *
 * A demand counts from when it is stored.  Whoever stores one excludes writers
 * of the table (Q3 in table_requirement.c).
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/genam.h"
#include "access/htup_details.h"
#include "access/table.h"
#include "access/transam.h"
#include "access/xact.h"
#include "catalog/indexing.h"
#include "catalog/pg_type.h"
#include "storage/bufmgr.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/datum.h"
#include "utils/fmgroids.h"
#include "utils/rel.h"
#include "utils/snapmgr.h"
#include "utils/uuid.h"

#include "table_catalog.h"
#include "table_issue.h"
#include "table_requirement.h"
#include "tl_compat.h"
#include "tl_error.h"

#define REQUIREMENT			"signature_requirement"
#define REQUIREMENT_INDEX	"signature_requirement_pkey"

static TlRequirement *read_requirement(HeapTuple tuple, TupleDesc descriptor);
tl_noreturn static void does_not_fit(void);
static int64 *read_numbers(Datum value, Oid type, int *count);
static Datum number_array(const TlRequirement *requirement, AttrNumber column);

/* Does any ledger table have one?  Without a scan, for those who ask often. */
bool
tl_table_requirement_any(void)
{
	Oid			catalog_oid = tl_table_catalog_own(REQUIREMENT);
	Relation	catalog;
	bool		result;

	if (!OidIsValid(catalog_oid))
		return false;
	catalog = table_open(catalog_oid, AccessShareLock);
	result = RelationGetNumberOfBlocks(catalog) > 0;
	table_close(catalog, AccessShareLock);
	return result;
}

/* The requirements of a ledger table, in order of number. */
List *
tl_table_requirement_load(Oid relation)
{
	Oid			catalog_oid = tl_table_catalog_own(REQUIREMENT);
	Relation	catalog,
				index;
	pg_uuid_t	uuid;
	ScanKeyData key;
	SysScanDesc scan;
	HeapTuple	tuple;
	List	   *list = NIL;

	if (!OidIsValid(catalog_oid) || !tl_table_catalog_id(uuid.data, relation))
		return NIL;
	catalog = table_open(catalog_oid, AccessShareLock);
	index = index_open(tl_table_catalog_own(REQUIREMENT_INDEX), AccessShareLock);
	ScanKeyInit(&key, Anum_signature_requirement_table_id,
				BTEqualStrategyNumber, F_UUID_EQ, UUIDPGetDatum(&uuid));
	scan = systable_beginscan_ordered(catalog, index, NULL, 1, &key);
	while ((tuple = systable_getnext_ordered(scan, ForwardScanDirection)) != NULL)
		list = lappend(list, read_requirement(tuple, RelationGetDescr(catalog)));
	systable_endscan_ordered(scan);
	index_close(index, AccessShareLock);
	table_close(catalog, AccessShareLock);
	return list;
}

static TlRequirement *
read_requirement(HeapTuple tuple, TupleDesc descriptor)
{
	TlRequirement *out = palloc0(sizeof(TlRequirement));
	Datum		values[Natts_signature_requirement];
	bool		nulls[Natts_signature_requirement];
	int64	   *attributes,
			   *numbers,
			   *tags;
	int			counts[2];
	char	   *algorithm;

	heap_deform_tuple(tuple, descriptor, values, nulls);
	for (int i = 0; i < Natts_signature_requirement; i++)
		if (nulls[i])
			does_not_fit();
	out->number = DatumGetInt32(values[Anum_signature_requirement_number - 1]);
	memcpy(out->signing_id,
		   DatumGetUUIDP(values[Anum_signature_requirement_signing_id - 1])->data,
		   TL_TABLE_ID_SIZE);
	algorithm = TextDatumGetCString(values[Anum_signature_requirement_algorithm - 1]);
	out->per_statement = DatumGetBool(values[Anum_signature_requirement_per_statement - 1]);
	out->key_attribute = (AttrNumber)
		DatumGetInt32(values[Anum_signature_requirement_key_attribute - 1]);
	out->signature_attribute = (AttrNumber)
		DatumGetInt32(values[Anum_signature_requirement_signature_attribute - 1]);
	attributes = read_numbers(values[Anum_signature_requirement_attributes - 1],
							  INT4OID, &out->column_count);
	numbers = read_numbers(values[Anum_signature_requirement_numbers - 1],
						   INT4OID, &counts[0]);
	tags = read_numbers(values[Anum_signature_requirement_type_tags - 1],
						INT8OID, &counts[1]);
	if (!tl_table_signature_parse(&out->algorithm, algorithm) ||
		counts[0] != out->column_count || counts[1] != out->column_count ||
		out->column_count == 0)
		does_not_fit();
	out->attributes = palloc(sizeof(AttrNumber) * out->column_count);
	out->numbers = palloc(sizeof(AttrNumber) * out->column_count);
	out->type_tags = palloc(sizeof(uint32_t) * out->column_count);
	for (int i = 0; i < out->column_count; i++)
	{
		out->attributes[i] = (AttrNumber) attributes[i];
		out->numbers[i] = (AttrNumber) numbers[i];
		out->type_tags[i] = (uint32_t) tags[i];
	}
	out->since = datumCopy(values[Anum_signature_requirement_since - 1], false, -1);
	out->since_ref = *DatumGetTlRefBytes(values[Anum_signature_requirement_since_ref - 1]);
	return out;
}

/* Somebody may have taken the constraints away. */
static void
does_not_fit(void)
{
	ereport(ERROR,
			errcode(TL_ERRCODE(TL_CHAIN_DAMAGED)),
			errmsg("a row of ledger_internal.signature_requirement does not fit together"),
			tl_error_hint_damaged());
}

static int64 *
read_numbers(Datum value, Oid type, int *count)
{
	Datum	   *items;
	bool	   *nulls;
	int64	   *numbers;

	if (type == INT4OID)
		deconstruct_array(DatumGetArrayTypeP(value), INT4OID, sizeof(int32),
						  true, TYPALIGN_INT, &items, &nulls, count);
	else
		deconstruct_array(DatumGetArrayTypeP(value), INT8OID, sizeof(int64),
						  FLOAT8PASSBYVAL, TYPALIGN_DOUBLE, &items, &nulls, count);
	numbers = palloc(sizeof(int64) * Max(*count, 1));
	for (int i = 0; i < *count; i++)
		numbers[i] = type == INT4OID ? DatumGetInt32(items[i]) :
			DatumGetInt64(items[i]);
	return numbers;
}

/* Store a new requirement, in force from now on. */
void
tl_table_requirement_store(Relation relation, const TlRequirement *requirement,
						   int number)
{
	Relation	catalog = table_open(tl_table_catalog_own(REQUIREMENT), RowExclusiveLock);
	Datum		values[Natts_signature_requirement];
	bool		nulls[Natts_signature_requirement] = {false};
	pg_uuid_t	table_id,
				signing;
	TlIdentity	identity;
	TlRef		ref;
	TlRefBytes	since_ref;

	tl_table_identity(&identity);
	ref.member = identity.member;
	ref.incarnation = identity.incarnation;
	ref.transaction = U64FromFullTransactionId(GetTopFullTransactionId());
	ref.row = tl_table_issue_last();
	tl_table_ref_pack(&since_ref, &ref);
	if (!tl_table_catalog_id(table_id.data, RelationGetRelid(relation)))
		elog(ERROR, "ledger table \"%s\" has no table id",
			 RelationGetRelationName(relation));
	memcpy(signing.data, requirement->signing_id, TL_TABLE_ID_SIZE);
	values[Anum_signature_requirement_table_id - 1] = UUIDPGetDatum(&table_id);
	values[Anum_signature_requirement_number - 1] = Int32GetDatum(number);
	values[Anum_signature_requirement_signing_id - 1] = UUIDPGetDatum(&signing);
	values[Anum_signature_requirement_algorithm - 1] =
		CStringGetTextDatum(tl_table_signature_name(requirement->algorithm));
	values[Anum_signature_requirement_per_statement - 1] =
		BoolGetDatum(requirement->per_statement);
	values[Anum_signature_requirement_key_attribute - 1] =
		Int32GetDatum(requirement->key_attribute);
	values[Anum_signature_requirement_signature_attribute - 1] =
		Int32GetDatum(requirement->signature_attribute);
	for (AttrNumber i = Anum_signature_requirement_attributes;
		 i <= Anum_signature_requirement_type_tags; i++)
		values[i - 1] = number_array(requirement, i);
	/* not the statement's snapshot, which is older than its lock */
	PushActiveSnapshot(GetLatestSnapshot());
	values[Anum_signature_requirement_since - 1] =
		OidFunctionCall0(F_PG_CURRENT_SNAPSHOT);
	PopActiveSnapshot();
	values[Anum_signature_requirement_since_ref - 1] = TlRefBytesGetDatum(&since_ref);
	CatalogTupleInsert(catalog,
					   heap_form_tuple(RelationGetDescr(catalog), values, nulls));
	table_close(catalog, NoLock);
	CommandCounterIncrement();
}

/* One of the three arrays, told by the column that it is for. */
static Datum
number_array(const TlRequirement *requirement, AttrNumber column)
{
	int			count = requirement->column_count;
	Datum	   *items = palloc(sizeof(Datum) * count);

	for (int i = 0; i < count; i++)
	{
		if (column == Anum_signature_requirement_attributes)
			items[i] = Int32GetDatum(requirement->attributes[i]);
		else if (column == Anum_signature_requirement_numbers)
			items[i] = Int32GetDatum(requirement->numbers[i]);
		else
			items[i] = Int64GetDatum((int64) requirement->type_tags[i]);
	}
	if (column == Anum_signature_requirement_type_tags)
		return PointerGetDatum(construct_array(items, count, INT8OID, sizeof(int64),
											   FLOAT8PASSBYVAL, TYPALIGN_DOUBLE));
	return PointerGetDatum(construct_array(items, count, INT4OID, sizeof(int32),
										   true, TYPALIGN_INT));
}

/* The table is dropped. */
void
tl_table_requirement_forget(Oid relation)
{
	tl_table_requirement_remove(relation, 0);
}

/* One requirement of a table, or with number 0 all of them. */
void
tl_table_requirement_remove(Oid relation, int number)
{
	Oid			catalog_oid = tl_table_catalog_own(REQUIREMENT);
	Relation	catalog;
	pg_uuid_t	uuid;
	ScanKeyData keys[2];
	SysScanDesc scan;
	HeapTuple	tuple;

	if (!OidIsValid(catalog_oid) || !tl_table_catalog_id(uuid.data, relation))
		return;
	catalog = table_open(catalog_oid, RowExclusiveLock);
	ScanKeyInit(&keys[0], Anum_signature_requirement_table_id,
				BTEqualStrategyNumber, F_UUID_EQ, UUIDPGetDatum(&uuid));
	ScanKeyInit(&keys[1], Anum_signature_requirement_number,
				BTEqualStrategyNumber, F_INT4EQ, Int32GetDatum(number));
	scan = systable_beginscan(catalog, tl_table_catalog_own(REQUIREMENT_INDEX),
							  true, NULL, number == 0 ? 1 : 2, keys);
	while (HeapTupleIsValid(tuple = systable_getnext(scan)))
		CatalogTupleDelete(catalog, &tuple->t_self);
	systable_endscan(scan);
	table_close(catalog, NoLock);
	CommandCounterIncrement();
}
