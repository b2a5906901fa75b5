/*-------------------------------------------------------------------------
 *
 * contract_change.c
 *	  What a new version of a contract changes of what is there.
 *
 * Its script makes what a first version may make, and replaces functions and
 * views.  Beyond that it has the statements of this file: ALTER TABLE of state
 * tables in a few forms, DROP of state tables, views and functions, and statements
 * that change rows of state (contract_migrate.c).
 *
 * Rows of ledger tables are on the ledger, and others may be on their way there
 * under the definition that they have, so nothing changes ledger tables.  An entry
 * point that is dropped leaves its table, and a function that refuses: calls which
 * were committed before are ordered afterwards, and have an outcome.  A handler of
 * timers takes its timers with it.
 *
 * What ALTER TABLE or DROP TABLE does to rows of a state table is noted for its
 * set hash as if all of them went and came (table_state.c).
 *
 * A member may have views, functions and indexes of its own that depend on what goes,
 * and columns of its own that store rows of a table which gets a column.  They are an
 * error of this server, and no refusal: the block waits until they are gone.
 *
 * Invariants
 *	  G1  what a statement does here follows from the contract alone
 *	  G2  every row of state that comes, goes or becomes another one is noted
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/genam.h"
#include "access/table.h"
#include "access/xact.h"
#include "catalog/dependency.h"
#include "catalog/indexing.h"
#include "catalog/pg_class.h"
#include "catalog/pg_constraint.h"
#include "catalog/pg_depend.h"
#include "catalog/pg_proc.h"
#include "catalog/pg_type.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/fmgroids.h"
#include "utils/lsyscache.h"

#include "chain_state.h"
#include "contract_change.h"
#include "contract_entry.h"
#include "contract_function.h"
#include "contract_made.h"
#include "contract_run.h"
#include "contract_timer.h"
#include "contract_words.h"
#include "table_contract.h"
#include "table_state.h"
#include "tl_compat.h"

static void words_alter(TlRefusals *refusals, const AlterTableStmt *statement);
static void words_command(TlRefusals *refusals, const AlterTableCmd *command);
static void words_constraint(TlRefusals *refusals, const Constraint *constraint);
static void words_drop(TlRefusals *refusals, const DropStmt *statement);
static void words_dropped_function(TlRefusals *refusals, const ObjectWithArgs *function);
static void words_behavior(TlRefusals *refusals, DropBehavior behavior, bool missing_ok);
static void run_alter(TlRefusals *refusals, const RawStmt *raw, const char *text);
static void check_command(const TlRefusals *refusals, Oid table, const AlterTableCmd *command);
static bool changes_columns(const AlterTableStmt *statement);
static void run_drop(TlRefusals *refusals, const DropStmt *statement, const char *text);
static bool check_relation(TlRefusals *refusals, ObjectType kind, const char *name);
static bool check_state_table(TlRefusals *refusals, const char *name, const char *construct);
static void drop_function(TlRefusals *refusals, const char *name);
static void check_relation_outside(const TlRefusals *refusals, Oid relation);
static void check_outside(const TlRefusals *refusals, Oid class_id, Oid object, int sub_id);
static void check_stored(const TlRefusals *refusals, Oid type);
static List *dependents_of(Oid class_id, Oid object);
static bool is_own(const TlRefusals *refusals, Oid class_id, Oid object);
tl_noreturn static void report_own(const TlRefusals *refusals, const char *verb, const FormData_pg_depend *dependency,
								   int sub_id);
static char *describe(const TlRefusals *refusals, Oid class_id, Oid object, int sub_id);

/* Is it a form that only new versions have?  What it may not say is refused then. */
bool
tl_contract_change_words(TlRefusals *refusals, Node *statement)
{
	switch (nodeTag(statement))
	{
		case T_AlterTableStmt:
			words_alter(refusals, (AlterTableStmt *) statement);
			return true;
		case T_DropStmt:
			words_drop(refusals, (DropStmt *) statement);
			return true;
		case T_InsertStmt:
		case T_UpdateStmt:
		case T_DeleteStmt:
		case T_SelectStmt:
			tl_contract_words_expression(refusals, statement);
			return true;
		case T_RenameStmt:
			tl_contract_refuse(refusals, -1, "RENAME", "rows in the state, calls and functions go by the names that there are",
							   "a new table, column or function, and DROP of the old one");
			return true;
		default:
			return false;
	}
}

static void
words_alter(TlRefusals *refusals, const AlterTableStmt *statement)
{
	ListCell   *cell;

	tl_contract_words_new_name(refusals, statement->relation->schemaname, statement->relation->location);
	if (statement->objtype != OBJECT_TABLE || statement->missing_ok || !statement->relation->inh)
	{
		tl_contract_refuse(refusals, -1, statement->objtype != OBJECT_TABLE ? "ALTER" : statement->missing_ok ? "IF EXISTS" : "ONLY",
						   statement->objtype != OBJECT_TABLE ? "what is there is used under the definition that it has" :
						   "a script changes what is there for certain",
						   statement->objtype != OBJECT_TABLE ? "a new type, view or index" : "leave it out");
		return;
	}
	foreach(cell, statement->cmds)
		words_command(refusals, lfirst_node(AlterTableCmd, cell));
}

static void
words_command(TlRefusals *refusals, const AlterTableCmd *command)
{
	switch (command->subtype)
	{
		case AT_AddColumn:
			if (command->missing_ok)
				tl_contract_refuse(refusals, -1, "IF NOT EXISTS", "a script makes each object once", "leave it out");
			tl_contract_words_column(refusals, castNode(ColumnDef, command->def), true);
			break;
		case AT_AddConstraint:
			words_constraint(refusals, castNode(Constraint, command->def));
			break;
		case AT_DropColumn:
		case AT_DropConstraint:
			words_behavior(refusals, command->behavior, command->missing_ok);
			break;
		case AT_ColumnDefault:
			if (command->def != NULL)
				tl_contract_words_expression(refusals, command->def);
			break;
		case AT_SetNotNull:
		case AT_DropNotNull:
			break;
		default:
			tl_contract_refuse(refusals, -1, "ALTER TABLE",
							   "columns and constraints of state tables come and go, and nothing else changes",
							   "ADD or DROP COLUMN or CONSTRAINT; ALTER COLUMN ... SET or DROP DEFAULT or NOT NULL");
	}
}

static void
words_constraint(TlRefusals *refusals, const Constraint *constraint)
{
	if (constraint->skip_validation)
		tl_contract_refuse(refusals, constraint->location, "NOT VALID", "a constraint holds for all rows", "leave it out");
	if (constraint->indexname != NULL)
		tl_contract_refuse(refusals, constraint->location, "USING INDEX", "no index of a contract is unique by itself",
						   "the columns of the constraint");
	tl_contract_words_constraint(refusals, constraint, true);
}

static void
words_drop(TlRefusals *refusals, const DropStmt *statement)
{
	ListCell   *cell;

	words_behavior(refusals, statement->behavior, statement->missing_ok);
	if (statement->removeType != OBJECT_TABLE && statement->removeType != OBJECT_VIEW &&
		statement->removeType != OBJECT_FUNCTION)
	{
		tl_contract_refuse(refusals, -1, "DROP",
						   statement->removeType == OBJECT_INDEX ? "a member drops the indexes that it does not want" :
						   "what is there may be used by rows on the ledger",
						   "DROP TABLE of state tables, DROP VIEW, DROP FUNCTION; leave the rest as it is");
		return;
	}
	foreach(cell, statement->objects)
	{
		if (statement->removeType == OBJECT_FUNCTION)
			words_dropped_function(refusals, lfirst_node(ObjectWithArgs, cell));
		else
			tl_contract_words_alone(refusals, lfirst_node(List, cell), -1);
	}
}

static void
words_dropped_function(TlRefusals *refusals, const ObjectWithArgs *function)
{
	tl_contract_words_alone(refusals, function->objname, -1);
	if (!function->args_unspecified)
		tl_contract_refuse(refusals, -1, "arguments of DROP FUNCTION", "a contract has one function of a name",
						   "the name alone");
}

static void
words_behavior(TlRefusals *refusals, DropBehavior behavior, bool missing_ok)
{
	if (behavior == DROP_CASCADE)
		tl_contract_refuse(refusals, -1, "CASCADE", "the source has to say all that goes", "a DROP of each");
	if (missing_ok)
		tl_contract_refuse(refusals, -1, "IF EXISTS", "a script changes what is there for certain", "leave it out");
}

/* Its words are allowed.  It is run, and what came out is judged. */
bool
tl_contract_change_run(TlRefusals *refusals, const RawStmt *statement, const char *text)
{
	switch (nodeTag(statement->stmt))
	{
		case T_AlterTableStmt:
			tl_contract_again_needed(refusals);
			run_alter(refusals, statement, text);
			return true;
		case T_DropStmt:
			tl_contract_again_needed(refusals);
			run_drop(refusals, (DropStmt *) statement->stmt, text);
			return true;
		case T_InsertStmt:
		case T_UpdateStmt:
		case T_DeleteStmt:
		case T_SelectStmt:
			tl_contract_migrate(refusals, statement, text);
			return true;
		default:
			return false;
	}
}

static void
run_alter(TlRefusals *refusals, const RawStmt *raw, const char *text)
{
	const AlterTableStmt *statement = (AlterTableStmt *) raw->stmt;
	Oid			table = get_relname_relid(statement->relation->relname, refusals->schema);
	bool		of_rows = changes_columns(statement);
	int			before = tl_contract_count(refusals);
	ListCell   *cell;

	if (!check_state_table(refusals, statement->relation->relname, "ALTER TABLE"))
		return;
	foreach(cell, statement->cmds)
		check_command(refusals, table, lfirst_node(AlterTableCmd, cell));
	if (of_rows)
		tl_table_state_note_all(table, tl_chain_state_row_element, -1);
	tl_contract_run_statement(text);
	tl_table_state_forget();
	tl_contract_made(refusals, raw, refusals->schema);
	/* it has a key: that is judged first */
	if (of_rows && tl_contract_count(refusals) == before)
		tl_table_state_note_all(table, tl_chain_state_row_element, 1);
}

/* What depends here alone on what it drops, or stores rows of the table as they are. */
static void
check_command(const TlRefusals *refusals, Oid table, const AlterTableCmd *command)
{
	AttrNumber	column;
	Oid			constraint;

	if (command->subtype == AT_AddColumn)
		check_stored(refusals, get_rel_type_id(table));
	else if (command->subtype == AT_DropColumn)
	{
		column = get_attnum(table, command->name);
		if (column != InvalidAttrNumber)
			check_outside(refusals, RelationRelationId, table, column);
	}
	else if (command->subtype == AT_DropConstraint)
	{
		constraint = get_relation_constraint_oid(table, command->name, true);
		if (OidIsValid(constraint))
			check_outside(refusals, ConstraintRelationId, constraint, 0);
	}
}

static bool
changes_columns(const AlterTableStmt *statement)
{
	ListCell   *cell;

	foreach(cell, statement->cmds)
		if (lfirst_node(AlterTableCmd, cell)->subtype == AT_AddColumn ||
			lfirst_node(AlterTableCmd, cell)->subtype == AT_DropColumn)
			return true;
	return false;
}

static void
run_drop(TlRefusals *refusals, const DropStmt *statement, const char *text)
{
	ListCell   *cell;

	foreach(cell, statement->objects)
	{
		const char *name;

		if (statement->removeType == OBJECT_FUNCTION)
		{
			drop_function(refusals, strVal(llast(lfirst_node(ObjectWithArgs, cell)->objname)));
			continue;
		}
		name = strVal(llast(lfirst_node(List, cell)));
		if (!check_relation(refusals, statement->removeType, name))
			return;
		if (statement->removeType == OBJECT_TABLE)
			tl_table_state_note_all(get_relname_relid(name, refusals->schema), tl_chain_state_row_element, -1);
	}
	if (statement->removeType != OBJECT_FUNCTION)
		tl_contract_run_statement(text);
}

static bool
check_relation(TlRefusals *refusals, ObjectType kind, const char *name)
{
	Oid			relation = get_relname_relid(name, refusals->schema);

	if (kind == OBJECT_TABLE && !check_state_table(refusals, name, "DROP TABLE"))
		return false;
	if (!OidIsValid(relation))
	{
		tl_contract_refuse(refusals, -1, name, "the contract has no view of that name", "its own views");
		return false;
	}
	check_relation_outside(refusals, relation);
	return true;
}

/* Is it a table whose rows calls change, and nobody else? */
static bool
check_state_table(TlRefusals *refusals, const char *name, const char *construct)
{
	Oid			relation = get_relname_relid(name, refusals->schema);

	if (!OidIsValid(relation))
		tl_contract_refuse(refusals, -1, name, "the contract has no table of that name", "its own state tables");
	else if (!tl_table_state_is_state(relation))
		tl_contract_refuse(refusals, -1, psprintf("%s %s", construct, name),
						   "its rows are on the ledger, or on their way there, as they are",
						   "a new table, and a view with UNION ALL of both; only state tables are changed");
	else if (tl_contract_timer_is_table(relation))
		tl_contract_refuse(refusals, -1, psprintf("%s %s", construct, name), "it goes with the handler of its timers",
						   "DROP FUNCTION of the handler");
	else
		return true;
	return false;
}

static void
drop_function(TlRefusals *refusals, const char *name)
{
	Oid			function = tl_contract_function_find(name, refusals->schema);
	ListCell   *cell;
	Oid			timers;

	if (!OidIsValid(function))
	{
		tl_contract_refuse(refusals, -1, name, "the contract has no function of that name", "its own functions");
		return;
	}
	check_outside(refusals, ProcedureRelationId, function, 0);
	if (tl_contract_timer_is_handler(function))
	{
		timers = tl_contract_timer_table(refusals->schema, name);
		check_relation_outside(refusals, timers);
		tl_table_state_note_all(timers, tl_chain_state_row_element, -1);
	}
	else if (OidIsValid(tl_contract_entry_wrapper(function)))
		check_outside(refusals, ProcedureRelationId, tl_contract_entry_wrapper(function), 0);
	foreach(cell, tl_contract_entry_drop_statements(function))
		tl_contract_run_statement(lfirst(cell));
}

/* Also what depends on the type of its rows. */
static void
check_relation_outside(const TlRefusals *refusals, Oid relation)
{
	Oid			type = get_rel_type_id(relation);

	check_outside(refusals, RelationRelationId, relation, 0);
	check_outside(refusals, TypeRelationId, type, 0);
	check_outside(refusals, TypeRelationId, get_array_type(type), 0);
}

/* G1: sub_id 0 stands for the whole of it. */
static void
check_outside(const TlRefusals *refusals, Oid class_id, Oid object, int sub_id)
{
	ListCell   *cell;

	foreach(cell, dependents_of(class_id, object))
	{
		const FormData_pg_depend *dependency = lfirst(cell);

		if (dependency->deptype == DEPENDENCY_NORMAL && (sub_id == 0 || dependency->refobjsubid == sub_id) &&
			is_own(refusals, dependency->classid, dependency->objid))
			report_own(refusals, "drops", dependency, sub_id);
	}
}

/* G1: PostgreSQL changes no columns of a table whose row type is that of a stored column. */
static void
check_stored(const TlRefusals *refusals, Oid type)
{
	ListCell   *cell;

	check_stack_depth();
	foreach(cell, dependents_of(TypeRelationId, type))
	{
		const FormData_pg_depend *dependency = lfirst(cell);
		char		kind = dependency->classid == RelationRelationId ? get_rel_relkind(dependency->objid) : '\0';

		if (dependency->classid == TypeRelationId)
			check_stored(refusals, dependency->objid);
		else if (kind == RELKIND_VIEW || kind == RELKIND_COMPOSITE_TYPE || kind == RELKIND_FOREIGN_TABLE)
			check_stored(refusals, get_rel_type_id(dependency->objid));
		else if (kind != '\0' && is_own(refusals, dependency->classid, dependency->objid))
			report_own(refusals, "changes", dependency, 0);
	}
}

/* Of FormData_pg_depend. */
static List *
dependents_of(Oid class_id, Oid object)
{
	Relation	catalog = table_open(DependRelationId, AccessShareLock);
	ScanKeyData keys[2];
	SysScanDesc scan;
	HeapTuple	tuple;
	List	   *dependents = NIL;

	ScanKeyInit(&keys[0], Anum_pg_depend_refclassid, BTEqualStrategyNumber, F_OIDEQ, ObjectIdGetDatum(class_id));
	ScanKeyInit(&keys[1], Anum_pg_depend_refobjid, BTEqualStrategyNumber, F_OIDEQ, ObjectIdGetDatum(object));
	scan = systable_beginscan(catalog, DependReferenceIndexId, true, NULL, lengthof(keys), keys);
	while (HeapTupleIsValid(tuple = systable_getnext(scan)))
	{
		FormData_pg_depend *dependency = palloc(sizeof(FormData_pg_depend));

		*dependency = *(Form_pg_depend) GETSTRUCT(tuple);
		dependents = lappend(dependents, dependency);
	}
	systable_endscan(scan);
	table_close(catalog, AccessShareLock);
	return dependents;
}

/* Does this member alone have it?  Its indexes lie in the contract's schema. */
static bool
is_own(const TlRefusals *refusals, Oid class_id, Oid object)
{
	return tl_table_contract_schema_of(class_id, object) != refusals->schema ||
		(class_id == RelationRelationId && tl_contract_names_own(object) != NULL);
}

static void
report_own(const TlRefusals *refusals, const char *verb, const FormData_pg_depend *dependency, int sub_id)
{
	ereport(ERROR,
			errcode(ERRCODE_OBJECT_IN_USE),
			errmsg("a new version of contract \"%s\" %s something that is used here",
				   get_namespace_name(refusals->schema), verb),
			errdetail("%s depends on %s, and other members do not have it.",
					  describe(refusals, dependency->classid, dependency->objid, dependency->objsubid),
					  describe(refusals, dependency->refclassid, dependency->refobjid, sub_id)),
			errhint("Drop it, or have it do without."));
}

/* An own index has another name meanwhile. */
static char *
describe(const TlRefusals *refusals, Oid class_id, Oid object, int sub_id)
{
	const char *name = class_id == RelationRelationId ? tl_contract_names_own(object) : NULL;
	ObjectAddress address = {.classId = class_id,.objectId = object,.objectSubId = sub_id};

	return name == NULL ? getObjectDescription(&address, false) :
		psprintf("index %s", quote_qualified_identifier(get_namespace_name(refusals->schema), name));
}
