/*-------------------------------------------------------------------------
 *
 * table_create.c
 *	  Completes a new ledger table, and checks one that was changed.
 *
 * After the statement that created it, a ledger table gets what it still lacks:
 * the column ledger_ref with its default, a unique index on it, a table id.
 * One path for CREATE TABLE, LIKE, PARTITION OF, the elements of CREATE SCHEMA,
 * default_table_access_method and the output of pg_dump, which brings the
 * column and the default itself.
 *
 * The column is added without a default, which is set by itself afterwards:
 * ADD COLUMN with a default would call next_ref once, for rows that are not
 * there.
 *
 * Invariants, checked after each statement that touched a ledger table
 *	  C1  ledger_ref is there, of type ledger.ref, NOT NULL, with its default
 *	  C2  a unique index on ledger_ref alone is there
 *	  C3  every column is stored and has a type with a ledger encoding
 *	  C4  the table is permanent, without rules, inherits from nobody and is
 *		  inherited by nobody
 *	  C5  no foreign key of the table would delete or change its rows
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/genam.h"
#include "access/htup_details.h"
#include "access/table.h"
#include "access/xact.h"
#include "catalog/pg_constraint.h"
#include "catalog/pg_inherits.h"
#include "catalog/pg_type.h"
#include "miscadmin.h"
#include "parser/parse_func.h"
#include "parser/parser.h"
#include "rewrite/rewriteHandler.h"
#include "tcop/dest.h"
#include "tcop/utility.h"
#include "utils/builtins.h"
#include "utils/fmgroids.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"

#include "table_am.h"
#include "table_catalog.h"
#include "table_contract.h"
#include "table_create.h"
#include "table_definition.h"
#include "table_issue.h"
#include "table_ref.h"
#include "table_requirement.h"
#include "table_scan.h"
#include "table_shared.h"
#include "table_type.h"
#include "tl_compat.h"
#include "tl_error.h"

static int	internal_depth = 0;

static void run_internally(const char *command);
static char *quoted_name(Oid relation);
static bool has_ref_default(Relation relation);
static void complete_column(Oid relation_oid);
static void complete_index(Oid relation_oid);
static void complete_id(Oid relation_oid);
static void random_id(uint8_t table_id[TL_TABLE_ID_SIZE]);
static void check_ref_column(Relation relation);
static void check_ref_index(Relation relation);
static void check_columns(Relation relation);
static void check_kind(Relation relation);
static void check_foreign_keys(Relation relation);

/* Is a statement of our own running, which the guards let pass? */
bool
tl_table_create_internal(void)
{
	return internal_depth > 0;
}

/*
 * Restore mode, and the table has brought its column: then id and index come
 * from the dump too, and what does not is added when the node resumes or
 * begins (tl_table_create_complete_all).
 */
bool
tl_table_create_is_restored(Oid relation_oid)
{
	TlIdentity	identity;

	tl_table_identity(&identity);
	return tl_table_identity_is_restoring(&identity) &&
		get_attnum(relation_oid, TL_REF_COLUMN) != InvalidAttrNumber;
}

/* Give every ledger table what it lacks. */
void
tl_table_create_complete_all(void)
{
	ListCell   *cell;

	foreach(cell, tl_table_catalog_all())
	{
		CHECK_FOR_INTERRUPTS();
		tl_table_create_complete(lfirst_oid(cell));
	}
}

/* Give a new ledger table what it lacks. */
void
tl_table_create_complete(Oid relation)
{
	CommandCounterIncrement();
	complete_column(relation);
	complete_index(relation);
	complete_id(relation);
	tl_table_create_check(relation);
	tl_table_requirement_complete(relation);
}

/* A partitioned table USING ledger: the column, and that it is one. */
void
tl_table_create_complete_parent(Oid relation)
{
	uint8_t		table_id[TL_TABLE_ID_SIZE];
	Relation	parent;

	CommandCounterIncrement();
	random_id(table_id);
	tl_table_catalog_add_parent(relation, table_id);
	complete_column(relation);
	CommandCounterIncrement();
	parent = table_open(relation, AccessShareLock);
	check_ref_column(parent);
	check_columns(parent);
	check_foreign_keys(parent);
	table_close(parent, NoLock);
}

/* Make an empty heap table a ledger table; the caller holds its lock. */
void
tl_table_create_convert(Oid relation)
{
	run_internally(psprintf("ALTER TABLE %s SET ACCESS METHOD ledger",
							quoted_name(relation)));
	tl_table_create_complete(relation);
}

/* Run one statement of ours as part of the user's, with his privileges. */
static void
run_internally(const char *command)
{
	List	   *parsed = raw_parser(command, RAW_PARSE_DEFAULT);
	PlannedStmt *wrapper = makeNode(PlannedStmt);

	wrapper->commandType = CMD_UTILITY;
	wrapper->canSetTag = false;
	wrapper->utilityStmt = linitial_node(RawStmt, parsed)->stmt;
	wrapper->stmt_location = -1;
	wrapper->stmt_len = 0;
	internal_depth++;
	PG_TRY();
	{
		ProcessUtility(wrapper, command, false, PROCESS_UTILITY_SUBCOMMAND,
					   NULL, NULL, None_Receiver, NULL);
	}
	PG_FINALLY();
	{
		internal_depth--;
	}
	PG_END_TRY();
	CommandCounterIncrement();
}

static char *
quoted_name(Oid relation)
{
	return quote_qualified_identifier(get_namespace_name(get_rel_namespace(relation)),
									  get_rel_name(relation));
}

/* Is the default of ledger_ref ledger.next_ref() and nothing else? */
static bool
has_ref_default(Relation relation)
{
	AttrNumber	attribute = tl_table_am_ref_attribute(relation);
	Node	   *expression = build_column_default(relation, attribute);
	Oid			next_ref = LookupFuncName(list_make2(makeString(pstrdup("ledger")),
													 makeString(pstrdup("next_ref"))),
										  0, NULL, true);

	return expression != NULL && IsA(expression, FuncExpr) &&
		((FuncExpr *) expression)->funcid == next_ref;
}

/* Add the column, or only what it lacks. */
static void
complete_column(Oid relation_oid)
{
	Relation	relation = table_open(relation_oid, AccessShareLock);
	AttrNumber	attribute = tl_table_am_ref_attribute(relation);
	const char *add = "";
	const char *set_default = "";

	if (attribute == InvalidAttrNumber)
		add = "ADD COLUMN ledger_ref ledger.ref NOT NULL";
	else if (!TupleDescAttr(RelationGetDescr(relation), attribute - 1)->attnotnull)
		add = "ALTER COLUMN ledger_ref SET NOT NULL";
	if (attribute == InvalidAttrNumber || !has_ref_default(relation))
		set_default = "ALTER COLUMN ledger_ref SET DEFAULT ledger.next_ref()";
	table_close(relation, NoLock);
	if (*add != '\0' || *set_default != '\0')
		run_internally(psprintf("ALTER TABLE %s %s%s%s", quoted_name(relation_oid),
								add,
								*add != '\0' && *set_default != '\0' ? ", " : "",
								set_default));
}

static void
complete_index(Oid relation_oid)
{
	Relation	relation = table_open(relation_oid, AccessShareLock);
	bool		exists = OidIsValid(tl_table_scan_ref_index(relation, true));

	table_close(relation, NoLock);
	if (!exists)
		run_internally(psprintf("CREATE UNIQUE INDEX ON %s (ledger_ref)",
								quoted_name(relation_oid)));
}

/*
 * The table id, for ever: random; that of ledger.table_version is fixed, those of
 * a contract's tables follow from names.
 */
static void
complete_id(Oid relation_oid)
{
	uint8_t		table_id[TL_TABLE_ID_SIZE];
	TlTableVersion fixed;

	if (tl_table_catalog_id(table_id, relation_oid))
		return;
	if (relation_oid == tl_table_definition_relation())
	{
		if (tl_table_definition_load(&fixed, relation_oid, NULL, NULL,
									 CurrentMemoryContext))
			memcpy(table_id, fixed.table_id, TL_TABLE_ID_SIZE);
	}
	else if (tl_table_contract_running() != NULL)
		tl_table_shared_id(table_id, tl_table_contract_running(), get_rel_name(relation_oid));
	else
		random_id(table_id);
	tl_table_catalog_add(relation_oid, table_id);
}

static void
random_id(uint8_t table_id[TL_TABLE_ID_SIZE])
{
	if (!pg_strong_random(table_id, TL_TABLE_ID_SIZE))
		ereport(ERROR,
				errcode(ERRCODE_INTERNAL_ERROR),
				errmsg("could not generate a random table id"));
}

/* C1 to C5; ERROR with the first that does not hold. */
void
tl_table_create_check(Oid relation_oid)
{
	Relation	relation;

	CommandCounterIncrement();
	relation = table_open(relation_oid, AccessShareLock);
	check_ref_column(relation);
	check_kind(relation);
	check_columns(relation);
	check_foreign_keys(relation);
	if (!tl_table_create_is_restored(relation_oid))
		check_ref_index(relation);
	table_close(relation, NoLock);
}

static void
check_ref_column(Relation relation)
{
	AttrNumber	attribute = tl_table_am_ref_attribute(relation);
	Form_pg_attribute form;

	if (attribute == InvalidAttrNumber)
		ereport(ERROR,
				errcode(TL_ERRCODE(TL_DEFINITION_FIXED)),
				errmsg("cannot take column ledger_ref from ledger table \"%s\"",
					   RelationGetRelationName(relation)),
				errhint("Leave the column alone: it is the address of each row."));
	form = TupleDescAttr(RelationGetDescr(relation), attribute - 1);
	if (form->atttypid != tl_table_ref_type())
		ereport(ERROR,
				errcode(TL_ERRCODE(TL_DEFINITION_FIXED)),
				errmsg("column ledger_ref of ledger table \"%s\" must have type ledger.ref",
					   RelationGetRelationName(relation)),
				errhint("Leave the column out: CREATE TABLE ... USING ledger adds it."));
	if (!form->attnotnull || form->attgenerated != '\0' ||
		form->attidentity != '\0' || !has_ref_default(relation))
		ereport(ERROR,
				errcode(TL_ERRCODE(TL_DEFINITION_FIXED)),
				errmsg("column ledger_ref of ledger table \"%s\" must be NOT NULL DEFAULT ledger.next_ref()",
					   RelationGetRelationName(relation)),
				errhint("Leave the column and its default alone."));
}

static void
check_ref_index(Relation relation)
{
	if (!OidIsValid(tl_table_scan_ref_index(relation, true)))
		ereport(ERROR,
				errcode(TL_ERRCODE(TL_DEFINITION_FIXED)),
				errmsg("cannot drop the unique index on ledger_ref of ledger table \"%s\"",
					   RelationGetRelationName(relation)),
				errhint("Use REINDEX to rebuild it."));
}

static void
check_columns(Relation relation)
{
	TupleDesc	descriptor = RelationGetDescr(relation);

	for (int i = 0; i < descriptor->natts; i++)
	{
		Form_pg_attribute attribute = TupleDescAttr(descriptor, i);
		char	   *reason;

		if (attribute->attisdropped)
			continue;
		if (tl_attribute_is_virtual(attribute))
			ereport(ERROR,
					errcode(TL_ERRCODE(TL_UNSUPPORTED_TYPE)),
					errmsg("column \"%s\" of ledger table \"%s\" cannot be virtual",
						   NameStr(attribute->attname),
						   RelationGetRelationName(relation)),
					errdetail("No row stores its value, so no row could prove it."),
					errhint("Add STORED, or compute the value in a view."));
		if (!tl_table_type_supported(attribute->atttypid, &reason))
			ereport(ERROR,
					errcode(TL_ERRCODE(TL_UNSUPPORTED_TYPE)),
					errmsg("column \"%s\" of ledger table \"%s\" cannot have type %s",
						   NameStr(attribute->attname),
						   RelationGetRelationName(relation),
						   format_type_be(attribute->atttypid)),
					errdetail_internal("%s", reason),
					errhint("Use text, numeric, integer, float, boolean, bytea, uuid, date and time, inet, json, jsonb or bit types, or ranges, arrays, composites, domains and enums over these."));
	}
}

static void
check_kind(Relation relation)
{
	const char *name = RelationGetRelationName(relation);
	Oid			oid = RelationGetRelid(relation);

	if (relation->rd_rel->relpersistence != RELPERSISTENCE_PERMANENT)
		ereport(ERROR,
				errcode(TL_ERRCODE(TL_APPEND_ONLY)),
				errmsg("ledger table \"%s\" must be permanent and logged", name),
				errhint("Leave out TEMPORARY and UNLOGGED, or add USING heap."));
	if (relation->rd_rules != NULL)
		ereport(ERROR,
				errcode(TL_ERRCODE(TL_APPEND_ONLY)),
				errmsg("ledger table \"%s\" cannot have rules", name),
				errhint("Use a view with rules over the table, or a trigger."));
	if ((!relation->rd_rel->relispartition && has_superclass(oid)) ||
		has_subclass(oid))
		ereport(ERROR,
				errcode(TL_ERRCODE(TL_APPEND_ONLY)),
				errmsg("ledger table \"%s\" cannot take part in inheritance", name),
				errhint("Use a partitioned table, or a view with UNION ALL."));
}

/* C5: what a deleted or changed row elsewhere would do to rows here. */
static void
check_foreign_keys(Relation relation)
{
	Relation	catalog = table_open(ConstraintRelationId, AccessShareLock);
	ScanKeyData key;
	SysScanDesc scan;
	HeapTuple	tuple;

	ScanKeyInit(&key, Anum_pg_constraint_conrelid, BTEqualStrategyNumber,
				F_OIDEQ, ObjectIdGetDatum(RelationGetRelid(relation)));
	scan = systable_beginscan(catalog, ConstraintRelidTypidNameIndexId, true,
							  NULL, 1, &key);
	while (HeapTupleIsValid(tuple = systable_getnext(scan)))
	{
		Form_pg_constraint form = (Form_pg_constraint) GETSTRUCT(tuple);

		if (form->contype != CONSTRAINT_FOREIGN)
			continue;
		if (strchr("ar", form->confdeltype) == NULL ||
			strchr("ar", form->confupdtype) == NULL)
			ereport(ERROR,
					errcode(TL_ERRCODE(TL_APPEND_ONLY)),
					errmsg("foreign key \"%s\" of ledger table \"%s\" would delete or change rows",
						   NameStr(form->conname),
						   RelationGetRelationName(relation)),
					errhint("Use ON DELETE RESTRICT or NO ACTION, and ON UPDATE RESTRICT or NO ACTION."));
	}
	systable_endscan(scan);
	table_close(catalog, AccessShareLock);
}
