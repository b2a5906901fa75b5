/*-------------------------------------------------------------------------
 *
 * contract_made.c
 *	  What a contract's statement has made, looked at.
 *
 * contract_words.c judges words.  What the names in them mean is known once the
 * statement has run, so types, expressions and queries are judged here, in the
 * catalogs.
 *
 * Invariants
 *	  M1  a column has a type of PostgreSQL, of the library or of the contract
 *	  M2  an expression that decides what a row is, or whether it goes in, calls
 *		  only functions of PostgreSQL that give the same result everywhere and
 *		  always, and does not sort text by a locale
 *	  M3  a shared table has no unique index but that on ledger_ref
 *	  M4  every row fits: into a page of the heap, when all that can be stored
 *		  apart is, and into each index of the contract
 *	  M5  a state table has a primary key, columns that can be encoded, no floats,
 *		  foreign keys to state tables of the contract alone, and no triggers
 *
 * What a view reads and calls: contract_view.c.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/genam.h"
#include "access/htup_details.h"
#include "access/relation.h"
#include "access/table.h"
#include "catalog/indexing.h"
#include "catalog/namespace.h"
#include "catalog/pg_am.h"
#include "catalog/pg_class.h"
#include "catalog/pg_constraint.h"
#include "catalog/pg_namespace.h"
#include "catalog/pg_type.h"
#include "rewrite/rewriteHandler.h"
#include "utils/builtins.h"
#include "utils/fmgroids.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"
#include "utils/syscache.h"
#include "utils/typcache.h"

#include "contract_change.h"
#include "contract_expression.h"
#include "contract_function.h"
#include "contract_made.h"
#include "contract_query.h"
#include "contract_timer.h"
#include "contract_view.h"
#include "table_am.h"
#include "table_catalog.h"
#include "table_index.h"
#include "table_scan.h"
#include "table_shared.h"
#include "table_state.h"
#include "table_type.h"

/*
 * Of a page's 8160 bytes, less the head of a tuple and its NULLs; and what a
 * value takes that is too short to be stored apart, or is.
 */
#define ROW_WIDTH_MAX		7680
#define STORED_APART_SIZE	32

/* One statement's work. */
typedef struct Look
{
	TlRefusals *refusals;
	Oid			schema;			/* of the contract */
} Look;

static void look_at_altered(Look *look, const AlterTableStmt *statement);
static void look_at_table(Look *look, const CreateStmt *statement, Relation relation);
static void look_at_columns(Look *look, const List *elements, Relation relation);
static void look_at_type(Look *look, int location, Oid type);
static void look_at_constraints(Look *look, AttrNumber key, Oid index, Oid object);
static void look_at_indexes(Look *look, Relation relation);
static void look_at_index_width(Look *look, Relation relation, Relation index);
static void look_at_state(Look *look, const CreateStmt *statement, Relation relation);
static void look_at_trigger(Look *look, const CreateTrigStmt *statement);
static bool has_wide_column(Relation relation, Relation index);
static void look_at_width(Look *look, const CreateStmt *statement, Relation relation);
static void look_at_domain(Look *look, const CreateDomainStmt *statement);
static void look_at_range(Look *look, const CreateRangeStmt *statement);
static int	location_of(const List *elements, const char *column);

void
tl_contract_made(TlRefusals *refusals, const RawStmt *statement, Oid schema)
{
	Look		look = {.refusals = refusals, .schema = schema};
	Node	   *node = statement->stmt;
	Relation	relation;

	switch (nodeTag(node))
	{
		case T_CreateStmt:
			relation = table_open(get_relname_relid(((CreateStmt *) node)->relation->relname, schema),
								  AccessShareLock);
			look_at_table(&look, (CreateStmt *) node, relation);
			table_close(relation, NoLock);
			break;
		case T_AlterTableStmt:
			look_at_altered(&look, (AlterTableStmt *) node);
			break;
		case T_CompositeTypeStmt:
			relation = relation_open(get_relname_relid(((CompositeTypeStmt *) node)->typevar->relname, schema),
									 AccessShareLock);
			look_at_columns(&look, ((CompositeTypeStmt *) node)->coldeflist, relation);
			relation_close(relation, NoLock);
			break;
		case T_IndexStmt:
			relation = table_open(get_relname_relid(((IndexStmt *) node)->relation->relname, schema),
								  AccessShareLock);
			look_at_indexes(&look, relation);
			table_close(relation, NoLock);
			break;
		case T_CreateDomainStmt:
			look_at_domain(&look, (CreateDomainStmt *) node);
			break;
		case T_CreateRangeStmt:
			look_at_range(&look, (CreateRangeStmt *) node);
			break;
		case T_CreateFunctionStmt:
			tl_contract_function(refusals, (CreateFunctionStmt *) node, schema);
			break;
		case T_CreateTrigStmt:
			look_at_trigger(&look, (CreateTrigStmt *) node);
			break;
		case T_ViewStmt:
			tl_contract_view(refusals, get_relname_relid(((ViewStmt *) node)->view->relname, schema), schema);
			break;
		default:
			break;				/* nothing that its words did not say */
	}
}

/* The whole table, as if it were made now. */
static void
look_at_altered(Look *look, const AlterTableStmt *statement)
{
	CreateStmt *made = makeNode(CreateStmt);
	Relation	relation = table_open(get_relname_relid(statement->relation->relname, look->schema),
									  AccessShareLock);
	ListCell   *cell;

	made->relation = statement->relation;
	foreach(cell, statement->cmds)
		if (lfirst_node(AlterTableCmd, cell)->subtype == AT_AddColumn)
			made->tableElts = lappend(made->tableElts, lfirst_node(AlterTableCmd, cell)->def);
	look_at_table(look, made, relation);
	table_close(relation, NoLock);
}

static void
look_at_table(Look *look, const CreateStmt *statement, Relation relation)
{
	TupleDesc	descriptor = RelationGetDescr(relation);

	look_at_columns(look, statement->tableElts, relation);
	look_at_constraints(look, Anum_pg_constraint_conrelid, ConstraintRelidTypidNameIndexId,
						RelationGetRelid(relation));
	look_at_indexes(look, relation);
	look_at_width(look, statement, relation);
	if (tl_table_state_is_ours(relation))
		look_at_state(look, statement, relation);
	for (int i = 0; i < descriptor->natts; i++)
	{
		Form_pg_attribute attribute = TupleDescAttr(descriptor, i);
		const char *name = NameStr(attribute->attname);

		if (!attribute->atthasdef || attribute->attisdropped ||
			strcmp(name, TL_REF_COLUMN) == 0)
			continue;
		tl_contract_expression(look->refusals, location_of(statement->tableElts, name),
							   attribute->attgenerated != '\0' ? "GENERATED" : "DEFAULT",
							   build_column_default(relation, attribute->attnum));
	}
}

/* M1 */
static void
look_at_columns(Look *look, const List *elements, Relation relation)
{
	TupleDesc	descriptor = RelationGetDescr(relation);

	for (int i = 0; i < descriptor->natts; i++)
	{
		Form_pg_attribute attribute = TupleDescAttr(descriptor, i);

		if (!attribute->attisdropped)
			look_at_type(look, location_of(elements, NameStr(attribute->attname)),
						 attribute->atttypid);
	}
}

/* Words refuse what is qualified, so another schema's type gets here by search_path only. */
static void
look_at_type(Look *look, int location, Oid type)
{
	Oid			element = get_element_type(type);
	HeapTuple	tuple = SearchSysCache1(TYPEOID, ObjectIdGetDatum(OidIsValid(element) ? element : type));
	Oid			schema;

	if (!HeapTupleIsValid(tuple))
		elog(ERROR, "cache lookup failed for type %u", type);
	schema = ((Form_pg_type) GETSTRUCT(tuple))->typnamespace;
	ReleaseSysCache(tuple);
	if (tl_contract_query_is_xml(type))
		tl_contract_refuse(look->refusals, location, format_type_be(type),
						   "XML depends on how a server was built", "text, json or jsonb");
	if (schema == look->schema || schema == PG_CATALOG_NAMESPACE ||
		schema == get_namespace_oid("ledger", false))
		return;
	tl_contract_refuse(look->refusals, location, format_type_be(type),
					   "other members may have another type of that name, or none",
					   "a type of PostgreSQL, or one made in this script");
}

/* M2, of the CHECK constraints of a table or domain. */
static void
look_at_constraints(Look *look, AttrNumber key_attribute, Oid index, Oid object)
{
	Relation	catalog = table_open(ConstraintRelationId, AccessShareLock);
	ScanKeyData key;
	SysScanDesc scan;
	HeapTuple	tuple;

	ScanKeyInit(&key, key_attribute, BTEqualStrategyNumber, F_OIDEQ, ObjectIdGetDatum(object));
	scan = systable_beginscan(catalog, index, true, NULL, 1, &key);
	while (HeapTupleIsValid(tuple = systable_getnext(scan)))
	{
		Form_pg_constraint form = (Form_pg_constraint) GETSTRUCT(tuple);
		bool		is_null;
		Datum		expression = heap_getattr(tuple, Anum_pg_constraint_conbin,
											  RelationGetDescr(catalog), &is_null);

		if (form->contype == CONSTRAINT_FOREIGN && !tl_table_state_is_state(form->confrelid))
			tl_contract_refuse(look->refusals, -1, "FOREIGN KEY", "rows of a ledger table are at their origin first",
							   "a state table that this script makes");

		if (form->contype == CONSTRAINT_FOREIGN && tl_contract_timer_is_table(form->confrelid))
			tl_contract_refuse(look->refusals, -1, "FOREIGN KEY to timers", "a timer goes when it runs",
							   "no foreign key");
		if (form->contype == CONSTRAINT_CHECK && !is_null)
			tl_contract_expression(look->refusals, -1, "CHECK",
								   stringToNode(TextDatumGetCString(expression)));
	}
	systable_endscan(scan);
	table_close(catalog, AccessShareLock);
}

/* M3, M4, of the contract's own indexes. */
static void
look_at_indexes(Look *look, Relation relation)
{
	List	   *indexes = RelationGetIndexList(relation);
	ListCell   *cell;

	foreach(cell, indexes)
	{
		Relation	index;

		if (tl_contract_names_own(lfirst_oid(cell)) != NULL)
			continue;
		index = index_open(lfirst_oid(cell), AccessShareLock);
		if (index->rd_index->indisunique && tl_table_am_is_ours(relation) &&
			lfirst_oid(cell) != tl_table_scan_ref_index(relation, true))
			tl_contract_refuse(look->refusals, -1, "UNIQUE",
							   "whether a row goes in may not depend on rows of other members",
							   "an index that is not unique; claim keys in contract state");
		if (RelationGetIndexExpressions(index) != NIL || RelationGetIndexPredicate(index) != NIL)
			tl_contract_refuse(look->refusals, -1, "INDEX with an expression",
							   "a row for which it fails could not be stored",
							   "an index on columns; each member can make others");
		else if (tl_table_state_is_ours(relation) && index->rd_rel->relam != HASH_AM_OID)
			look_at_index_width(look, relation, index);
		else if (index->rd_rel->relam != HASH_AM_OID && has_wide_column(relation, index))
			tl_contract_refuse(look->refusals, -1, "INDEX on a column without a fixed length",
							   "a row with a long value could not be stored",
							   "USING hash, or a column of a fixed length; each member can make others");
		index_close(index, AccessShareLock);
	}
	list_free(indexes);
}

static bool
has_wide_column(Relation relation, Relation index)
{
	for (int i = 0; i < index->rd_index->indnatts; i++)
	{
		AttrNumber	column = index->rd_index->indkey.values[i];

		if (column > 0 && TupleDescAttr(RelationGetDescr(relation), column - 1)->attlen <= 0)
			return true;
	}
	return false;
}

/* M4: unique ones are needed, so of values that are bounded. */
static void
look_at_index_width(Look *look, Relation relation, Relation index)
{
	int			size = 0;

	for (int i = 0; i < index->rd_index->indnatts; i++)
	{
		AttrNumber	column = index->rd_index->indkey.values[i];
		Form_pg_attribute attribute = TupleDescAttr(RelationGetDescr(relation), column - 1);
		int			value_size = tl_table_index_value_size(attribute->atttypid, attribute->atttypmod);

		if (value_size < 0)
			tl_contract_refuse(look->refusals, -1, psprintf("key or INDEX on %s", NameStr(attribute->attname)),
							   "a row with a long value could not be stored",
							   "a type of a bounded length: varchar(n), numeric(p, s), uuid");
		else
			size += value_size;
	}
	if (size > TL_INDEX_WIDTH_MAX)
		tl_contract_refuse(look->refusals, -1, "key or INDEX",
						   psprintf("its entries may have %d bytes, %d at most can be stored", size, TL_INDEX_WIDTH_MAX),
						   "fewer columns, or shorter ones");
}

/* M5 */
static void
look_at_state(Look *look, const CreateStmt *statement, Relation relation)
{
	TupleDesc	descriptor = RelationGetDescr(relation);

	if (bms_is_empty(RelationGetIndexAttrBitmap(relation, INDEX_ATTR_BITMAP_PRIMARY_KEY)))
		tl_contract_refuse(look->refusals, statement->relation->location, "CREATE TABLE ... USING ledger_state",
						   "each row of it has to be the only one of its kind", "PRIMARY KEY");
	for (int i = 0; i < descriptor->natts; i++)
	{
		Form_pg_attribute attribute = TupleDescAttr(descriptor, i);
		int			place = location_of(statement->tableElts, NameStr(attribute->attname));
		char	   *reason;

		if (attribute->attisdropped)
			continue;
		if (!tl_table_type_supported(attribute->atttypid, &reason))
			tl_contract_refuse(look->refusals, place, format_type_be(attribute->atttypid), reason, "another type");
		else if (tl_contract_query_is_float(attribute->atttypid))
			tl_contract_refuse(look->refusals, place, format_type_be(attribute->atttypid),
							   "sums of it depend on the order of rows, results on the machine",
							   "numeric, or an integer in the smallest unit");
	}
}

static void
look_at_trigger(Look *look, const CreateTrigStmt *statement)
{
	if (tl_table_is_shared(get_relname_relid(statement->relation->relname, look->schema)))
		tl_contract_refuse(look->refusals, -1, "TRIGGER on a table that is there",
						   "rows of it may be on their way without a signature", "a new table");
	if (tl_table_state_is_state(get_relname_relid(statement->relation->relname, look->schema)))
		tl_contract_refuse(look->refusals, -1, "TRIGGER on a state table",
						   "its rows are changed by functions of the contract alone", "do it in the function");
}

/* M4, of the heap. */
static void
look_at_width(Look *look, const CreateStmt *statement, Relation relation)
{
	TupleDesc	descriptor = RelationGetDescr(relation);
	int			size = 0;

	for (int i = 0; i < descriptor->natts; i++)
	{
		Form_pg_attribute attribute = TupleDescAttr(descriptor, i);

		if (attribute->attisdropped)
			continue;
		if (attribute->attlen == -1 && attribute->attstorage == TYPSTORAGE_PLAIN)
			tl_contract_refuse(look->refusals, location_of(statement->tableElts, NameStr(attribute->attname)),
							   format_type_be(attribute->atttypid),
							   "a long value of this type cannot be stored", "another type");
		size += attribute->attlen > 0 ? TYPEALIGN(8, attribute->attlen) : STORED_APART_SIZE;
	}
	if (size > ROW_WIDTH_MAX)
		tl_contract_refuse(look->refusals, statement->relation->location, "CREATE TABLE",
						   psprintf("a row may be too wide to be stored: %d bytes when long values are stored apart, %d at most", size, ROW_WIDTH_MAX),
						   "fewer columns, or some of them as jsonb");
}

static void
look_at_domain(Look *look, const CreateDomainStmt *statement)
{
	Oid			type = GetSysCacheOid2(TYPENAMENSP, Anum_pg_type_oid,
									   PointerGetDatum(strVal(llast(statement->domainname))),
									   ObjectIdGetDatum(look->schema));
	Node	   *expression = get_typdefault(type);

	look_at_type(look, statement->typeName->location, getBaseType(type));
	look_at_constraints(look, Anum_pg_constraint_contypid, ConstraintTypidIndexId, type);
	if (expression != NULL)
		tl_contract_expression(look->refusals, -1, "DEFAULT", expression);
}

static void
look_at_range(Look *look, const CreateRangeStmt *statement)
{
	Oid			type = GetSysCacheOid2(TYPENAMENSP, Anum_pg_type_oid,
									   PointerGetDatum(strVal(llast(statement->typeName))),
									   ObjectIdGetDatum(look->schema));

	look_at_type(look, -1, get_range_subtype(type));
	if (!tl_contract_expression_is_sorted_alike(get_range_subtype(type)))
		tl_contract_refuse(look->refusals, -1, format_type_be(get_range_subtype(type)),
						   "a range of it depends on the locale of the database", "a range of numbers or times");
}

/* Where the column stands in the source; -1 if nowhere. */
static int
location_of(const List *elements, const char *column)
{
	ListCell   *cell;

	foreach(cell, elements)
	{
		if (IsA(lfirst(cell), ColumnDef) &&
			strcmp(((ColumnDef *) lfirst(cell))->colname, column) == 0)
			return ((ColumnDef *) lfirst(cell))->location;
	}
	return -1;
}
