/*-------------------------------------------------------------------------
 *
 * table_alter.c
 *	  ALTER TABLE of a ledger table: what is refused, and what is rewritten.
 *
 * Called by the utility hook (table_guard.c) before the statement runs.  Each
 * action is judged by its words; ADD COLUMN with a default becomes two actions.
 * What a name turns out to mean when the statement has its lock is judged
 * again, by OID, in table_recheck.c.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "catalog/namespace.h"
#include "catalog/pg_class.h"
#include "catalog/pg_inherits.h"
#include "catalog/pg_type.h"
#include "miscadmin.h"
#include "parser/parse_type.h"
#include "storage/lmgr.h"
#include "utils/acl.h"
#include "utils/lsyscache.h"

#include "table_access.h"
#include "table_alter.h"
#include "table_am.h"
#include "table_catalog.h"
#include "table_contract.h"
#include "table_create.h"
#include "table_definition.h"
#include "tl_compat.h"
#include "tl_error.h"

static bool is_trigger_switch(const AlterTableStmt *statement);
static void composite(Oid relation);
static List *one_command(Oid relation, AlterTableCmd *command,
						 TlGuardTask *task);
static List *split_added_column(Oid relation, AlterTableCmd *command);
static void refuse_added_column(Oid relation, ColumnDef *column,
								const char *what);
static void attach(Oid parent, AlterTableCmd *command, TlGuardTask *task);
static void attach_heap(Oid parent, Oid child);

/* Before ALTER TABLE, and ALTER TYPE of a composite, which parses alike. */
void
tl_table_alter_before(AlterTableStmt *statement, TlAccessFrame *frame,
					  TlGuardTask *task)
{
	Oid			relation;
	List	   *commands = NIL;
	ListCell   *cell;

	if (!OidIsValid(tl_table_catalog_access_method()))
		return;
	relation = RangeVarGetRelid(statement->relation, NoLock, true);
	if (!OidIsValid(relation))
		return;
	tl_table_contract_guard_alter(relation);
	if (statement->objtype == OBJECT_TYPE)
	{
		composite(relation);
		return;
	}
	foreach(cell, statement->cmds)
	{
		AlterTableCmd *command = lfirst(cell);

		if (command->subtype == AT_SetAccessMethod &&
			tl_table_catalog_is_chosen(command->name) && !tl_table_catalog_is_bound(relation))
			tl_table_guard_refuse(relation, "cannot make table \"%s\" a ledger table",
				   "Use CREATE TABLE ... USING ledger, and INSERT ... SELECT for the rows.");
	}
	if (!tl_table_catalog_touches_ledger(relation))
	{
		frame->outside = true;
		/* INHERIT the other way round, a heap partition tree: by its words */
		foreach(cell, statement->cmds)
		{
			AlterTableCmd *command = lfirst(cell);

			if ((command->subtype == AT_AddInherit &&
				 tl_table_catalog_is_bound(RangeVarGetRelid((RangeVar *) command->def,
													  NoLock, true))))
				tl_table_guard_refuse(relation, "table \"%s\" cannot inherit from a ledger table",
					   "Use a partitioned table, or a view with UNION ALL.");
			if (command->subtype == AT_AttachPartition)
				attach(relation, command, task);
		}
		return;
	}
	if (relation == tl_table_definition_relation() &&
		!is_trigger_switch(statement))
		tl_table_guard_refuse(relation, "cannot alter \"%s\"",
			   "Its definition is fixed by the library.");
	foreach(cell, find_all_inheritors(relation, NoLock, NULL))
	{
		if (tl_table_catalog_is_ledger(lfirst_oid(cell)))
			tl_table_access_touch(lfirst_oid(cell));
	}
	foreach(cell, statement->cmds)
		commands = list_concat(commands,
							   one_command(relation, lfirst(cell), task));
	statement->cmds = commands;
}

/* pg_restore --disable-triggers does so to every table that it fills. */
static bool
is_trigger_switch(const AlterTableStmt *statement)
{
	ListCell   *cell;

	foreach(cell, statement->cmds)
	{
		AlterTableType subtype = ((AlterTableCmd *) lfirst(cell))->subtype;

		if (subtype != AT_DisableTrigAll && subtype != AT_EnableTrigAll)
			return false;
	}
	return true;
}

/* ADD, DROP and ALTER ATTRIBUTE. */
static void
composite(Oid relation)
{
	Oid			type = get_rel_type_id(relation);
	Oid			table;
	char	   *column;

	if (OidIsValid(type) && tl_table_access_type_in_use(type, &table, &column))
		tl_table_guard_refuse_type(type, table, column);
}

/* One action of ALTER TABLE; returns what shall stand in its place. */
static List *
one_command(Oid relation, AlterTableCmd *command, TlGuardTask *task)
{
	if (command->name != NULL && strcmp(command->name, TL_REF_COLUMN) == 0 &&
		command->subtype != AT_SetStatistics && command->subtype != AT_SetOptions)
		tl_table_guard_refuse(relation, "cannot alter column ledger_ref of ledger table \"%s\"",
			   "Leave the column alone: it is the address of each row.");
	if (tl_alter_sets_expression(command->subtype))
		tl_table_guard_refuse(relation, "cannot change the expression of a generated column of ledger table \"%s\"",
			   "Add a column, or compute the value in a view.");
	switch (command->subtype)
	{
		case AT_AddColumn:
			return split_added_column(relation, command);
		case AT_DropColumn:
			tl_table_guard_refuse(relation, "cannot drop a column of ledger table \"%s\"",
				   "Leave the column and let new rows have NULL in it, or give users a view without it.");
		case AT_AlterColumnType:
			tl_table_guard_refuse(relation, "cannot change the type of a column of ledger table \"%s\"",
				   "Add a column of the new type, or drop and create the table again while it has no rows.");
		case AT_SetAccessMethod:
			tl_table_guard_refuse(relation, "cannot change the access method of ledger table \"%s\"",
				   "Copy its rows into a new table with CREATE TABLE ... USING heap AS SELECT ...");
		case AT_SetUnLogged:
			tl_table_guard_refuse(relation, "ledger table \"%s\" must be permanent and logged",
				   "Leave the table as it is; rows that are not logged do not survive a crash.");
		case AT_AddInherit:
		case AT_DropInherit:
			tl_table_guard_refuse(relation, "ledger table \"%s\" cannot take part in inheritance",
				   "Use a partitioned table, or a view with UNION ALL.");
		case AT_AddOf:
			tl_table_guard_refuse(relation, "ledger table \"%s\" cannot be a typed table",
				   "Leave the table as it is.");
		case AT_DetachPartition:
		case AT_DetachPartitionFinalize:
			tl_table_guard_refuse(relation, "cannot detach a partition of ledger table \"%s\"",
				   "Leave it attached; its rows can also be queried under its own name.");
		case AT_AttachPartition:
			attach(relation, command, task);
			break;
		default:
			break;
	}
	return list_make1(command);
}

/*
 * ADD COLUMN: rows on the ledger have no value in the new column and never get
 * one, so it must take NULL, and a default counts for new rows only.
 */
static List *
split_added_column(Oid relation, AlterTableCmd *command)
{
	ColumnDef  *column = castNode(ColumnDef, command->def);
	List	   *kept = NIL;
	Node	   *expression = NULL;
	ListCell   *cell;
	AlterTableCmd *set_default;

	if (tl_table_alter_is_serial(column->typeName))
		refuse_added_column(relation, column, "serial");
	foreach(cell, column->constraints)
	{
		Constraint *constraint = lfirst(cell);

		switch (constraint->contype)
		{
			case CONSTR_NOTNULL:
				refuse_added_column(relation, column, "NOT NULL");
				break;
			case CONSTR_PRIMARY:
				refuse_added_column(relation, column, "PRIMARY KEY");
				break;
			case CONSTR_GENERATED:
				refuse_added_column(relation, column, "GENERATED");
				break;
			case CONSTR_IDENTITY:
				refuse_added_column(relation, column, "an identity");
				break;
			case CONSTR_DEFAULT:
				expression = constraint->raw_expr;
				break;
			default:
				kept = lappend(kept, constraint);
		}
	}
	{
		Oid			type = typenameTypeId(NULL, column->typeName);

		if (get_typtype(type) == TYPTYPE_DOMAIN && get_typdefault(type) != NULL)
			refuse_added_column(relation, column, "a domain with a default");
	}
	column->constraints = kept;
	if (expression == NULL)
		return list_make1(command);
	set_default = makeNode(AlterTableCmd);
	set_default->subtype = AT_ColumnDefault;
	set_default->name = pstrdup(column->colname);
	set_default->def = expression;
	return list_make2(command, set_default);
}

/* One of the words that the parser takes for a sequence, whatever types there are. */
bool
tl_table_alter_is_serial(const TypeName *type)
{
	static const char *const words[] = {
		"smallserial", "serial2", "serial", "serial4", "bigserial", "serial8"
	};

	if (list_length(type->names) != 1 || type->pct_type)
		return false;
	for (size_t i = 0; i < lengthof(words); i++)
		if (strcmp(strVal(linitial(type->names)), words[i]) == 0)
			return true;
	return false;
}

static void
refuse_added_column(Oid relation, ColumnDef *column, const char *what)
{
	ereport(ERROR,
			errcode(TL_ERRCODE(TL_DEFINITION_FIXED)),
			errmsg("cannot add column \"%s\" with %s to ledger table \"%s\"",
				   column->colname, what, get_rel_name(relation)),
			errdetail("Rows that are on the ledger have no value in a new column and never get one."),
			errhint("Add the column without it, so that older rows read NULL; a DEFAULT or a CHECK constraint NOT VALID can bind new rows."));
}

static void
attach(Oid parent, AlterTableCmd *command, TlGuardTask *task)
{
	PartitionCmd *partition = castNode(PartitionCmd, command->def);
	Oid			child = RangeVarGetRelid(partition->name, NoLock, true);

	if (!OidIsValid(child))
		return;
	if (tl_table_catalog_is_parent(parent) && !tl_table_catalog_is_bound(child) &&
		tl_relation_is_owned(parent, GetUserId()) &&
		tl_relation_is_owned(child, GetUserId()))
	{
		LockRelationOid(child, AccessExclusiveLock);
		attach_heap(parent, child);
	}
	if (tl_table_catalog_is_bound(child))
		task->attached = child;
}

/* A plain empty table becomes a ledger table with the attaching. */
static void
attach_heap(Oid parent, Oid child)
{
	if (get_rel_relkind(child) != RELKIND_RELATION)
		ereport(ERROR,
				errcode(TL_ERRCODE(TL_APPEND_ONLY)),
				errmsg("cannot attach \"%s\" to ledger table \"%s\"",
					   get_rel_name(child), get_rel_name(parent)),
				errhint("Create the partition with CREATE TABLE ... PARTITION OF."));
	if (tl_table_access_has_rows(child))
		ereport(ERROR,
				errcode(TL_ERRCODE(TL_APPEND_ONLY)),
				errmsg("cannot attach \"%s\" to ledger table \"%s\" because it has rows",
					   get_rel_name(child), get_rel_name(parent)),
				errdetail("Rows enter a ledger by INSERT or COPY only."),
				errhint("Attach an empty table, then INSERT ... SELECT the rows."));
	tl_table_create_convert(child);
}
