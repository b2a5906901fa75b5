/*-------------------------------------------------------------------------
 *
 * table_guard.c
 *	  Statements that a ledger table does not allow, or that it completes.
 *
 * The ProcessUtility hook has three turns with a statement: it refuses what is
 * wrong by its words alone; it rewrites what needs more or other words (USING
 * on a partitioned table, a default in ADD COLUMN, COPY without columns); and
 * when the statement has ended it completes new ledger tables, checks those
 * that were touched (table_create.c) and appends their definitions
 * (table_definition.c).
 *
 * Statements that this file does not list go through after one switch.
 * Statements that commit in their middle (VACUUM, REINDEX, CALL ...) are never
 * followed to their end.
 *
 * Nothing here depends on who asks: owner and superuser are told the same.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/table.h"
#include "access/tableam.h"
#include "access/xact.h"
#include "catalog/index.h"
#include "catalog/namespace.h"
#include "catalog/pg_am.h"
#include "catalog/pg_class.h"
#include "catalog/pg_inherits.h"
#include "catalog/pg_proc.h"
#include "catalog/pg_type.h"
#include "commands/defrem.h"
#include "commands/extension.h"
#include "miscadmin.h"
#include "nodes/makefuncs.h"
#include "parser/parse_func.h"
#include "parser/parse_type.h"
#include "storage/lmgr.h"
#include "tcop/utility.h"
#include "utils/acl.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/rel.h"
#include "utils/syscache.h"

#include "table_access.h"
#include "table_am.h"
#include "table_catalog.h"
#include "table_create.h"
#include "table_definition.h"
#include "table_guard.h"
#include "table_issue.h"
#include "table_requirement.h"
#include "table_scan.h"
#include "table_written.h"
#include "tl_compat.h"
#include "tl_error.h"

/* What is left to do for a statement besides what its frame gathers. */
typedef struct GuardTask
{
	bool		all_definitions;	/* a type or schema changed its name */
	Oid			attached;		/* the relation of ATTACH PARTITION */
	Oid			triggered;		/* the relation of CREATE TRIGGER */
} GuardTask;

static ProcessUtility_hook_type previous_hook = NULL;
static int	suspend_depth = 0;

static void guard_utility(PlannedStmt *statement, const char *query,
						  bool read_only_tree, ProcessUtilityContext context,
						  ParamListInfo params, QueryEnvironment *environment,
						  DestReceiver *destination, QueryCompletion *completion);
static void guard_statement(PlannedStmt *statement, const char *query,
							ProcessUtilityContext context, ParamListInfo params,
							QueryEnvironment *environment,
							DestReceiver *destination,
							QueryCompletion *completion);
static void pass_on(PlannedStmt *statement, const char *query,
					bool read_only_tree, ProcessUtilityContext context,
					ParamListInfo params, QueryEnvironment *environment,
					DestReceiver *destination, QueryCompletion *completion);
static bool is_of_interest(Node *statement);
static bool is_followed(Node *statement);
static void before(Node *statement, TlAccessFrame *frame, GuardTask *task);
static void after(TlAccessFrame *frame, const GuardTask *task);
static void after_triggers(TlAccessFrame *frame, const GuardTask *task);
static void before_create(CreateStmt *statement, TlAccessFrame *frame);
static void before_create_partition(CreateStmt *statement, Oid parent,
									TlAccessFrame *frame);
static bool in_dump(const CreateStmt *statement);
static bool wants_ledger(const char *method);
static bool is_ledger_or_parent(Oid relation);
static void before_alter(AlterTableStmt *statement, TlAccessFrame *frame,
						 GuardTask *task);
static bool is_trigger_switch(const AlterTableStmt *statement);
static void before_alter_type(Oid relation);
static List *before_alter_command(Oid relation, AlterTableCmd *command,
								  GuardTask *task);
static List *split_added_column(Oid relation, AlterTableCmd *command);
static void refuse_added_column(Oid relation, ColumnDef *column,
								const char *what);
static void before_attach(Oid parent, AlterTableCmd *command, GuardTask *task);
static void before_attach_heap(Oid parent, Oid child);
static void before_rename(RenameStmt *statement, GuardTask *task);
static void before_set_schema(AlterObjectSchemaStmt *statement, GuardTask *task);
static void before_alter_enum(AlterEnumStmt *statement, TlAccessFrame *frame);
static void before_index(IndexStmt *statement);
static void before_drop(DropStmt *statement);
static void before_copy(CopyStmt *statement);
static void before_trigger(CreateTrigStmt *statement, GuardTask *task);
static void before_rule(RuleStmt *statement);
static void before_access_method(CreateAmStmt *statement);
static void before_extension(AlterExtensionContentsStmt *statement);
tl_noreturn static void refuse(Oid relation, const char *what, const char *hint);

/* Install the floor's hooks; called once, from _PG_init. */
void
tl_table_init(void)
{
	tl_table_am_enable();
	tl_table_issue_init();
	tl_table_written_init();
	tl_table_access_init();
	previous_hook = ProcessUtility_hook;
	ProcessUtility_hook = guard_utility;
}

/* pg_upgrade replays a dump in pieces, and ledger.dispose ends everything. */
bool
tl_table_guard_active(void)
{
	return suspend_depth == 0 && !IsBinaryUpgrade && IsTransactionState();
}

/* Let the statements of ledger.dispose() pass, until resume. */
void
tl_table_guard_suspend(void)
{
	suspend_depth++;
}

void
tl_table_guard_resume(void)
{
	Assert(suspend_depth > 0);
	suspend_depth--;
}

/*
 * May the table lose its storage?  In restore mode an empty one may: a parallel
 * pg_restore truncates each table before it fills it.
 */
bool
tl_table_guard_allows_truncate(Oid relation)
{
	TlIdentity	identity;

	if (tl_table_is_test_ledger())
		return true;
	tl_table_identity(&identity);
	return tl_table_identity_is_restoring(&identity) &&
		!tl_table_access_has_rows(relation);
}

/* Fixed in the genesis header: here DROP and TRUNCATE work. */
bool
tl_table_is_test_ledger(void)
{
	TlIdentity	identity;

	if (suspend_depth > 0)
		return true;
	tl_table_identity(&identity);
	return identity.exists && identity.test && !identity.copied;
}

static void
pass_on(PlannedStmt *statement, const char *query, bool read_only_tree,
		ProcessUtilityContext context, ParamListInfo params,
		QueryEnvironment *environment, DestReceiver *destination,
		QueryCompletion *completion)
{
	if (previous_hook != NULL)
		previous_hook(statement, query, read_only_tree, context, params,
					  environment, destination, completion);
	else
		standard_ProcessUtility(statement, query, read_only_tree, context,
								params, environment, destination, completion);
}

static void
guard_utility(PlannedStmt *statement, const char *query, bool read_only_tree,
			  ProcessUtilityContext context, ParamListInfo params,
			  QueryEnvironment *environment, DestReceiver *destination,
			  QueryCompletion *completion)
{
	if (!is_of_interest(statement->utilityStmt) || !tl_table_guard_active() ||
		tl_table_create_internal())
		pass_on(statement, query, read_only_tree, context, params, environment,
				destination, completion);
	else
		guard_statement(read_only_tree ? copyObject(statement) : statement,
						query, context, params, environment, destination,
						completion);
}

/* The three turns; the tree is ours to change. */
static void
guard_statement(PlannedStmt *statement, const char *query,
				ProcessUtilityContext context, ParamListInfo params,
				QueryEnvironment *environment, DestReceiver *destination,
				QueryCompletion *completion)
{
	TlAccessFrame frame;
	GuardTask	task;
	volatile bool followed = is_followed(statement->utilityStmt);

	memset(&frame, 0, sizeof(frame));
	memset(&task, 0, sizeof(task));
	tl_table_access_push(&frame);
	PG_TRY();
	{
		before(statement->utilityStmt, &frame, &task);
		if (followed)
		{
			pass_on(statement, query, false, context, params, environment,
					destination, completion);
			after(&frame, &task);
		}
	}
	PG_FINALLY();
	{
		tl_table_access_pop(&frame);
	}
	PG_END_TRY();
	if (!followed)
		pass_on(statement, query, false, context, params, environment,
				destination, completion);
}

/* The one switch that every statement pays for. */
static bool
is_of_interest(Node *statement)
{
	switch (nodeTag(statement))
	{
		case T_CreateStmt:
		case T_CreateForeignTableStmt:
		case T_CreateTableAsStmt:
		case T_AlterTableStmt:
		case T_RenameStmt:
		case T_AlterObjectSchemaStmt:
		case T_AlterEnumStmt:
		case T_IndexStmt:
		case T_DropStmt:
		case T_DropOwnedStmt:
		case T_TruncateStmt:
		case T_CopyStmt:
		case T_RuleStmt:
		case T_CreateTrigStmt:
		case T_CreateAmStmt:
		case T_AlterExtensionContentsStmt:
			return true;
		default:
			return false;
	}
}

/* Not those that may commit in their middle, nor those that change nothing. */
static bool
is_followed(Node *statement)
{
	switch (nodeTag(statement))
	{
		case T_CopyStmt:
		case T_RuleStmt:
		case T_CreateAmStmt:
		case T_AlterExtensionContentsStmt:
			return false;
		case T_IndexStmt:
			return !((IndexStmt *) statement)->concurrent;
		case T_DropStmt:
			return !((DropStmt *) statement)->concurrent;
		case T_AlterTableStmt:
			{
				ListCell   *cell;

				foreach(cell, ((AlterTableStmt *) statement)->cmds)
				{
					AlterTableCmd *command = lfirst(cell);

					if (command->subtype == AT_DetachPartition ||
						command->subtype == AT_DetachPartitionFinalize)
						return false;
				}
				return true;
			}
		default:
			return true;
	}
}

static void
before(Node *statement, TlAccessFrame *frame, GuardTask *task)
{
	switch (nodeTag(statement))
	{
		case T_CreateStmt:
		case T_CreateForeignTableStmt:
			before_create((CreateStmt *) statement, frame);
			break;
		case T_AlterTableStmt:
			before_alter((AlterTableStmt *) statement, frame, task);
			break;
		case T_RenameStmt:
			before_rename((RenameStmt *) statement, task);
			break;
		case T_AlterObjectSchemaStmt:
			before_set_schema((AlterObjectSchemaStmt *) statement, task);
			break;
		case T_AlterEnumStmt:
			before_alter_enum((AlterEnumStmt *) statement, frame);
			break;
		case T_IndexStmt:
			before_index((IndexStmt *) statement);
			break;
		case T_DropStmt:
			before_drop((DropStmt *) statement);
			break;
		case T_CopyStmt:
			before_copy((CopyStmt *) statement);
			break;
		case T_RuleStmt:
			before_rule((RuleStmt *) statement);
			break;
		case T_CreateTrigStmt:
			before_trigger((CreateTrigStmt *) statement, task);
			break;
		case T_CreateAmStmt:
			before_access_method((CreateAmStmt *) statement);
			break;
		case T_AlterExtensionContentsStmt:
			before_extension((AlterExtensionContentsStmt *) statement);
			break;
		default:
			break;				/* the object access hook says what there is */
	}
}

/* Work off what the statement did. */
static void
after(TlAccessFrame *frame, const GuardTask *task)
{
	ListCell   *cell;

	foreach(cell, frame->parents)
		tl_table_create_complete_parent(lfirst_oid(cell));
	foreach(cell, frame->created)
	{
		CommandCounterIncrement();
		if (tl_table_create_is_restored(lfirst_oid(cell)))
			tl_table_create_check(lfirst_oid(cell));
		else
			tl_table_create_complete(lfirst_oid(cell));
		tl_table_definition_write(lfirst_oid(cell), "create", false);
		tl_table_requirement_publish(lfirst_oid(cell));
	}
	if (frame->touched != NIL || frame->released != NIL ||
		task->all_definitions || OidIsValid(task->attached) ||
		OidIsValid(task->triggered))
		CommandCounterIncrement();
	after_triggers(frame, task);
	foreach(cell, frame->touched)
	{
		if (!tl_table_catalog_is_ledger(lfirst_oid(cell)) ||
			tl_table_access_is_unfinished(lfirst_oid(cell)))
			continue;			/* dropped meanwhile, or completed later */
		tl_table_create_check(lfirst_oid(cell));
		tl_table_requirement_check(lfirst_oid(cell));
		tl_table_definition_write(lfirst_oid(cell), "alter", false);
		tl_table_requirement_publish(lfirst_oid(cell));
	}
	if (OidIsValid(task->attached))
	{
		foreach(cell, find_all_inheritors(task->attached, NoLock, NULL))
		{
			if (tl_table_catalog_is_ledger(lfirst_oid(cell)))
				tl_table_definition_write(lfirst_oid(cell), "attach", true);
		}
	}
	if (task->all_definitions)
		tl_table_definition_write_missing();
	foreach(cell, frame->ended)
	{
		TlAccessEnd *end = lfirst(cell);

		tl_table_definition_write_end(end->last, end->action);
	}
}

/* Signature triggers that went, and one that came on a table of any kind. */
static void
after_triggers(TlAccessFrame *frame, const GuardTask *task)
{
	ListCell   *cell;

	foreach(cell, frame->released)
	{
		if (tl_table_catalog_is_ledger(lfirst_oid(cell)) &&
			!tl_table_access_is_unfinished(lfirst_oid(cell)))
			tl_table_requirement_release(lfirst_oid(cell));
	}
	if (OidIsValid(task->triggered) &&
		!tl_table_catalog_is_ledger(task->triggered) &&
		get_rel_relkind(task->triggered) != '\0')
		tl_table_requirement_check(task->triggered);
}

/* Append-only or fixed: one sentence, and what to do instead. */
static void
refuse(Oid relation, const char *what, const char *hint)
{
	ereport(ERROR,
			errcode(TL_ERRCODE(TL_DEFINITION_FIXED)),
			errmsg(what, get_rel_name(relation)),
			errhint("%s", hint));
}

void
tl_table_guard_refuse_type(Oid type, Oid table, const char *column)
{
	ereport(ERROR,
			errcode(TL_ERRCODE(TL_DEFINITION_FIXED)),
			errmsg("cannot change type %s because column \"%s\" of ledger table \"%s\" uses it",
				   format_type_be(type), column, get_rel_name(table)),
			errdetail("Rows on the ledger would read differently."),
			errhint("Create a new type, and add a column that has it."));
}

static bool
wants_ledger(const char *method)
{
	if (method == NULL)
		method = default_table_access_method;
	return strcmp(method, "ledger") == 0 &&
		OidIsValid(tl_table_catalog_access_method());
}

static bool
is_ledger_or_parent(Oid relation)
{
	return OidIsValid(relation) && (tl_table_catalog_is_ledger(relation) ||
									tl_table_catalog_is_parent(relation));
}

static void
before_create(CreateStmt *statement, TlAccessFrame *frame)
{
	ListCell   *cell;

	if (!OidIsValid(tl_table_catalog_access_method()))
		return;
	frame->may_create = true;
	if (statement->partbound != NULL)
	{
		before_create_partition(statement,
								RangeVarGetRelid(linitial(statement->inhRelations),
												 NoLock, true), frame);
		return;
	}
	foreach(cell, statement->inhRelations)
	{
		Oid			parent = RangeVarGetRelid(lfirst(cell), NoLock, true);

		if (wants_ledger(statement->accessMethod) || is_ledger_or_parent(parent))
			ereport(ERROR,
					errcode(TL_ERRCODE(TL_APPEND_ONLY)),
					errmsg("a ledger table cannot take part in inheritance"),
					errhint("Use a partitioned table, or a view with UNION ALL."));
	}
	if (IsA(statement, CreateForeignTableStmt) ||
		!wants_ledger(statement->accessMethod))
		return;
	if (statement->ofTypename != NULL)
		ereport(ERROR,
				errcode(TL_ERRCODE(TL_DEFINITION_FIXED)),
				errmsg("ledger table \"%s\" cannot be a typed table",
					   statement->relation->relname),
				errhint("List the columns in CREATE TABLE."));
	if (statement->partspec != NULL)
	{
		frame->wants_parent = statement->accessMethod != NULL || !in_dump(statement);
		statement->accessMethod = NULL; /* an error before version 17 */
	}
}

/*
 * A dump says default_table_access_method for the table before and nothing for
 * a partitioned one, which is no ledger table then unless it has the column;
 * the rows of ledger_internal.ledger_parent follow.
 */
static bool
in_dump(const CreateStmt *statement)
{
	TlIdentity	identity;
	ListCell   *cell;

	tl_table_identity(&identity);
	if (!tl_table_identity_is_restoring(&identity))
		return false;
	foreach(cell, statement->tableElts)
	{
		if (IsA(lfirst(cell), ColumnDef) &&
			strcmp(((ColumnDef *) lfirst(cell))->colname, TL_REF_COLUMN) == 0)
			return false;
	}
	return true;
}

/* PARTITION OF: a ledger parent has ledger partitions, and only such. */
static void
before_create_partition(CreateStmt *statement, Oid parent,
						TlAccessFrame *frame)
{
	if (!OidIsValid(parent))
		return;
	if (tl_table_catalog_is_parent(parent))
	{
		if (IsA(statement, CreateForeignTableStmt) ||
			(statement->accessMethod != NULL &&
			 !wants_ledger(statement->accessMethod)))
			refuse(parent, "partitions of \"%s\" must be ledger tables",
				   "Leave out USING: the partition becomes a ledger table.");
		frame->wants_parent = (statement->partspec != NULL);
		statement->accessMethod = frame->wants_parent ? NULL : pstrdup("ledger");
		return;
	}
	if (IsA(statement, CreateForeignTableStmt) ||
		!wants_ledger(statement->accessMethod) || statement->partspec != NULL)
		return;
	if (get_attnum(parent, TL_REF_COLUMN) == InvalidAttrNumber)
		refuse(parent, "partitions of \"%s\" cannot be ledger tables",
			   "Create the partitioned table itself with USING ledger, or add USING heap to its partitions.");
}

static void
before_alter(AlterTableStmt *statement, TlAccessFrame *frame, GuardTask *task)
{
	Oid			relation;
	List	   *commands = NIL;
	ListCell   *cell;

	if (!OidIsValid(tl_table_catalog_access_method()))
		return;
	relation = RangeVarGetRelid(statement->relation, NoLock, true);
	if (!OidIsValid(relation))
		return;
	if (statement->objtype == OBJECT_TYPE)
	{
		before_alter_type(relation);
		return;
	}
	foreach(cell, statement->cmds)
	{
		AlterTableCmd *command = lfirst(cell);

		if (command->subtype == AT_SetAccessMethod &&
			wants_ledger(command->name) && !is_ledger_or_parent(relation))
			refuse(relation, "cannot make table \"%s\" a ledger table",
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
				 is_ledger_or_parent(RangeVarGetRelid((RangeVar *) command->def,
													  NoLock, true))))
				refuse(relation, "table \"%s\" cannot inherit from a ledger table",
					   "Use a partitioned table, or a view with UNION ALL.");
			if (command->subtype == AT_AttachPartition)
				before_attach(relation, command, task);
		}
		return;
	}
	if (relation == tl_table_definition_relation() &&
		!is_trigger_switch(statement))
		refuse(relation, "cannot alter \"%s\"",
			   "Its definition is fixed by the library.");
	foreach(cell, find_all_inheritors(relation, NoLock, NULL))
	{
		if (tl_table_catalog_is_ledger(lfirst_oid(cell)))
			tl_table_access_touch(lfirst_oid(cell));
	}
	foreach(cell, statement->cmds)
		commands = list_concat(commands,
							   before_alter_command(relation, lfirst(cell), task));
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
before_alter_type(Oid relation)
{
	Oid			type = get_rel_type_id(relation);
	Oid			table;
	char	   *column;

	if (OidIsValid(type) && tl_table_access_type_in_use(type, &table, &column))
		tl_table_guard_refuse_type(type, table, column);
}

/* One action of ALTER TABLE; returns what shall stand in its place. */
static List *
before_alter_command(Oid relation, AlterTableCmd *command, GuardTask *task)
{
	if (command->name != NULL && strcmp(command->name, TL_REF_COLUMN) == 0 &&
		command->subtype != AT_SetStatistics && command->subtype != AT_SetOptions)
		refuse(relation, "cannot alter column ledger_ref of ledger table \"%s\"",
			   "Leave the column alone: it is the address of each row.");
	if (tl_alter_sets_expression(command->subtype))
		refuse(relation, "cannot change the expression of a generated column of ledger table \"%s\"",
			   "Add a column, or compute the value in a view.");
	switch (command->subtype)
	{
		case AT_AddColumn:
			return split_added_column(relation, command);
		case AT_DropColumn:
			refuse(relation, "cannot drop a column of ledger table \"%s\"",
				   "Leave the column and let new rows have NULL in it, or give users a view without it.");
		case AT_AlterColumnType:
			refuse(relation, "cannot change the type of a column of ledger table \"%s\"",
				   "Add a column of the new type, or drop and create the table again while it has no rows.");
		case AT_SetAccessMethod:
			refuse(relation, "cannot change the access method of ledger table \"%s\"",
				   "Copy its rows into a new table with CREATE TABLE ... USING heap AS SELECT ...");
		case AT_SetUnLogged:
			refuse(relation, "ledger table \"%s\" must be permanent and logged",
				   "Leave the table as it is; rows that are not logged do not survive a crash.");
		case AT_AddInherit:
		case AT_DropInherit:
			refuse(relation, "ledger table \"%s\" cannot take part in inheritance",
				   "Use a partitioned table, or a view with UNION ALL.");
		case AT_AddOf:
			refuse(relation, "ledger table \"%s\" cannot be a typed table",
				   "Leave the table as it is.");
		case AT_DetachPartition:
		case AT_DetachPartitionFinalize:
			refuse(relation, "cannot detach a partition of ledger table \"%s\"",
				   "Leave it attached; its rows can also be queried under its own name.");
		case AT_AttachPartition:
			before_attach(relation, command, task);
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

	if (list_length(column->typeName->names) == 1 &&
		strstr(strVal(linitial(column->typeName->names)), "serial") != NULL)
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
before_attach(Oid parent, AlterTableCmd *command, GuardTask *task)
{
	PartitionCmd *partition = castNode(PartitionCmd, command->def);
	Oid			child = RangeVarGetRelid(partition->name, NoLock, true);

	if (!OidIsValid(child))
		return;
	if (tl_table_catalog_is_parent(parent) && !is_ledger_or_parent(child) &&
		tl_relation_is_owned(parent, GetUserId()) &&
		tl_relation_is_owned(child, GetUserId()))
	{
		LockRelationOid(child, AccessExclusiveLock);
		before_attach_heap(parent, child);
	}
	if (is_ledger_or_parent(child))
		task->attached = child;
}

/* A plain empty table becomes a ledger table with the attaching. */
static void
before_attach_heap(Oid parent, Oid child)
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

static void
before_rename(RenameStmt *statement, GuardTask *task)
{
	Oid			relation = InvalidOid;
	Oid			table;
	char	   *column;

	if (!OidIsValid(tl_table_catalog_access_method()))
		return;
	if (statement->relation != NULL)
		relation = RangeVarGetRelid(statement->relation, NoLock, true);
	if (OidIsValid(relation) && relation == tl_table_definition_relation())
		refuse(relation, "cannot rename \"%s\"",
			   "Its definition is fixed by the library.");
	switch (statement->renameType)
	{
		case OBJECT_COLUMN:
			if (OidIsValid(relation) &&
				strcmp(statement->subname, TL_REF_COLUMN) == 0 &&
				tl_table_catalog_touches_ledger(relation))
				refuse(relation, "cannot rename column ledger_ref of ledger table \"%s\"",
					   "Give it another name in a view.");
			break;
		case OBJECT_ATTRIBUTE:
			if (OidIsValid(relation) &&
				tl_table_access_type_in_use(get_rel_type_id(relation), &table,
											&column))
				tl_table_guard_refuse_type(get_rel_type_id(relation), table, column);
			break;
		case OBJECT_SCHEMA:
			if (strcmp(statement->subname, "ledger") == 0 ||
				strcmp(statement->subname, "ledger_internal") == 0)
				ereport(ERROR,
						errcode(TL_ERRCODE(TL_DEFINITION_FIXED)),
						errmsg("cannot rename schema \"%s\"", statement->subname),
						errhint("The library finds its own objects by this name."));
			task->all_definitions = true;
			break;
		case OBJECT_TYPE:
		case OBJECT_DOMAIN:
			task->all_definitions = true;
			break;
		default:
			break;
	}
}

static void
before_set_schema(AlterObjectSchemaStmt *statement, GuardTask *task)
{
	if (!OidIsValid(tl_table_catalog_access_method()))
		return;
	if (statement->relation != NULL)
	{
		Oid			relation = RangeVarGetRelid(statement->relation, NoLock, true);

		if (OidIsValid(relation) && relation == tl_table_definition_relation())
			refuse(relation, "cannot move \"%s\" to another schema",
				   "The library finds its own objects by this name.");
	}
	if (statement->objectType == OBJECT_TYPE ||
		statement->objectType == OBJECT_DOMAIN ||
		statement->objectType == OBJECT_EXTENSION)
		task->all_definitions = true;
}

/* Rows hold labels: a renamed label would change them. */
static void
before_alter_enum(AlterEnumStmt *statement, TlAccessFrame *frame)
{
	Oid			table,
				type;
	char	   *column;

	if (statement->oldVal == NULL || !OidIsValid(tl_table_catalog_access_method()))
		return;
	frame->renames_label = true;
	type = typenameTypeId(NULL, makeTypeNameFromNameList(statement->typeName));
	if (tl_table_access_type_in_use(type, &table, &column))
		tl_table_guard_refuse_type(type, table, column);
}

/*
 * A dump creates the table, where we make the ref index, and later the index
 * itself under the same name: then it is there already.
 */
static void
before_index(IndexStmt *statement)
{
	Oid			relation,
				index;
	IndexElem  *element;

	if (!statement->unique || statement->idxname == NULL ||
		statement->relation == NULL || list_length(statement->indexParams) != 1 ||
		statement->whereClause != NULL ||
		!OidIsValid(tl_table_catalog_access_method()))
		return;
	element = linitial(statement->indexParams);
	if (element->name == NULL || strcmp(element->name, TL_REF_COLUMN) != 0)
		return;
	relation = RangeVarGetRelid(statement->relation, NoLock, true);
	if (!OidIsValid(relation) || !tl_table_catalog_is_ledger(relation))
		return;
	index = get_relname_relid(statement->idxname, get_rel_namespace(relation));
	if (OidIsValid(index) && get_rel_relkind(index) == RELKIND_INDEX &&
		IndexGetRelation(index, true) == relation)
		statement->if_not_exists = true;
}

static void
before_drop(DropStmt *statement)
{
	ListCell   *cell;

	if (!OidIsValid(tl_table_catalog_access_method()))
		return;
	if (statement->removeType == OBJECT_EXTENSION)
	{
		foreach(cell, statement->objects)
		{
			if (strcmp(strVal(lfirst(cell)), "telco_ledger") == 0)
				tl_table_access_refuse_extension_drop();
		}
	}
	if (statement->removeType != OBJECT_INDEX || !statement->concurrent)
		return;					/* the object access hook sees all others */
	foreach(cell, statement->objects)
	{
		Oid			index = RangeVarGetRelid(makeRangeVarFromNameList(lfirst(cell)),
											 NoLock, true);
		Oid			table = OidIsValid(index) ? IndexGetRelation(index, true) : InvalidOid;
		Relation	relation;
		bool		is_ref_index;

		if (!OidIsValid(table) || !tl_table_catalog_is_ledger(table))
			continue;
		relation = table_open(table, AccessShareLock);
		is_ref_index = (tl_table_scan_ref_index(relation, true) == index);
		table_close(relation, AccessShareLock);
		if (is_ref_index)
			refuse(table, "cannot drop the unique index on ledger_ref of ledger table \"%s\"",
				   "Use REINDEX to rebuild it.");
	}
}

/* COPY FROM without columns: all but ledger_ref and those that are computed. */
static void
before_copy(CopyStmt *statement)
{
	Oid			relation_oid;
	Relation	relation;
	TupleDesc	descriptor;

	if (!statement->is_from || statement->relation == NULL ||
		!OidIsValid(tl_table_catalog_access_method()))
		return;
	relation_oid = RangeVarGetRelid(statement->relation, NoLock, true);
	if (!OidIsValid(relation_oid) || !is_ledger_or_parent(relation_oid))
		return;
	relation = table_open(relation_oid, AccessShareLock);
	if (OidIsValid(relation->rd_rel->relrewrite))
		refuse(relation_oid, "cannot copy into \"%s\"",
			   "Copy into the ledger table itself; this one takes its rows while ALTER TABLE runs.");
	descriptor = RelationGetDescr(relation);
	if (statement->attlist != NIL)
		descriptor = NULL;		/* he knows what he wants */
	for (int i = 0; descriptor != NULL && i < descriptor->natts; i++)
	{
		Form_pg_attribute attribute = TupleDescAttr(descriptor, i);

		if (!attribute->attisdropped && attribute->attgenerated == '\0' &&
			strcmp(NameStr(attribute->attname), TL_REF_COLUMN) != 0)
			statement->attlist = lappend(statement->attlist,
										 makeString(pstrdup(NameStr(attribute->attname))));
	}
	table_close(relation, NoLock);
}

static void
before_rule(RuleStmt *statement)
{
	Oid			relation = RangeVarGetRelid(statement->relation, NoLock, true);

	if (OidIsValid(relation) && tl_table_catalog_touches_ledger(relation))
		refuse(relation, "ledger table \"%s\" cannot have rules",
			   "Use a view with rules over the table, or a trigger.");
}

/* It may be a signature trigger, or put another in the place of one. */
static void
before_trigger(CreateTrigStmt *statement, GuardTask *task)
{
	Oid			relation;
	ListCell   *cell;

	if (!OidIsValid(tl_table_catalog_access_method()))
		return;
	relation = RangeVarGetRelid(statement->relation, NoLock, true);
	if (!OidIsValid(relation))
		return;
	task->triggered = relation;
	if (!tl_table_catalog_touches_ledger(relation))
		return;
	foreach(cell, find_all_inheritors(relation, NoLock, NULL))
	{
		if (!tl_table_catalog_is_ledger(lfirst_oid(cell)))
			continue;
		tl_table_access_touch(lfirst_oid(cell));
		if (statement->replace)
			tl_table_access_release(lfirst_oid(cell));
	}
}

/* A second access method over our handler would escape the guards. */
static void
before_access_method(CreateAmStmt *statement)
{
	Oid			argument = INTERNALOID;
	Oid			handler;
	HeapTuple	tuple;
	Datum		source;
	bool		is_null,
				is_ours;

	if (statement->amtype != AMTYPE_TABLE || creating_extension)
		return;
	handler = LookupFuncName(statement->handler_name, 1, &argument, true);
	tuple = SearchSysCache1(PROCOID, ObjectIdGetDatum(handler));
	if (!HeapTupleIsValid(tuple))
		return;
	source = SysCacheGetAttr(PROCOID, tuple, Anum_pg_proc_prosrc, &is_null);
	is_ours = !is_null &&
		strcmp(TextDatumGetCString(source), "tl_table_am_handler") == 0;
	ReleaseSysCache(tuple);
	if (is_ours)
		ereport(ERROR,
				errcode(TL_ERRCODE(TL_APPEND_ONLY)),
				errmsg("cannot create a second access method over the handler of \"ledger\""),
				errhint("Use access method ledger itself."));
}

/*
 * On a node, what belongs to the extension cannot be taken out and dropped on
 * its own; scripts of a new release may do so.
 */
static void
before_extension(AlterExtensionContentsStmt *statement)
{
	TlIdentity	identity;

	if (strcmp(statement->extname, "telco_ledger") != 0 ||
		(creating_extension &&
		 CurrentExtensionObject == get_extension_oid("telco_ledger", true)))
		return;
	tl_table_identity(&identity);
	if (identity.exists)
		ereport(ERROR,
				errcode(TL_ERRCODE(TL_APPEND_ONLY)),
				errmsg("cannot change what belongs to extension telco_ledger"),
				errhint("Use ALTER EXTENSION telco_ledger UPDATE for a new release."));
}
