/*-------------------------------------------------------------------------
 *
 * table_guard.c
 *	  Statements that a ledger table does not allow, or that it completes.
 *
 * The ProcessUtility hook has three turns with a statement: it refuses what is
 * wrong by its words alone; it rewrites what needs more or other words (USING
 * on a partitioned table, a default in ADD COLUMN, COPY without columns; ALTER
 * TABLE has table_alter.c); and
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
#include "commands/extension.h"
#include "miscadmin.h"
#include "nodes/makefuncs.h"
#include "parser/parse_func.h"
#include "parser/parse_type.h"
#include "tcop/utility.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/rel.h"
#include "utils/syscache.h"

#include "table_access.h"
#include "table_alter.h"
#include "table_am.h"
#include "table_catalog.h"
#include "table_create.h"
#include "table_definition.h"
#include "table_filter.h"
#include "table_guard.h"
#include "table_issue.h"
#include "table_requirement.h"
#include "table_scan.h"
#include "table_state.h"
#include "table_written.h"
#include "tl_compat.h"
#include "tl_error.h"

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
static void before(Node *statement, TlAccessFrame *frame, TlGuardTask *task);
static void after(TlAccessFrame *frame, const TlGuardTask *task);
static void after_triggers(TlAccessFrame *frame, const TlGuardTask *task);
static void before_create(CreateStmt *statement, TlAccessFrame *frame);
static void before_create_partition(CreateStmt *statement, Oid parent,
									TlAccessFrame *frame);
static bool in_dump(const CreateStmt *statement);
static void before_rename(RenameStmt *statement, TlGuardTask *task);
static void before_set_schema(AlterObjectSchemaStmt *statement, TlGuardTask *task);
static void before_alter_enum(AlterEnumStmt *statement, TlAccessFrame *frame);
static void before_index(IndexStmt *statement);
static void before_drop(DropStmt *statement);
static void before_copy(CopyStmt *statement);
static void before_trigger(CreateTrigStmt *statement, TlGuardTask *task);
static void before_rule(RuleStmt *statement);
static void before_access_method(CreateAmStmt *statement);
static void before_extension(AlterExtensionContentsStmt *statement);

/* Install the floor's hooks; called once, from _PG_init. */
void
tl_table_init(void)
{
	tl_table_am_enable();
	tl_table_state_init();
	tl_table_filter_init();
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
	TlGuardTask	task;
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
before(Node *statement, TlAccessFrame *frame, TlGuardTask *task)
{
	switch (nodeTag(statement))
	{
		case T_CreateStmt:
		case T_CreateForeignTableStmt:
			before_create((CreateStmt *) statement, frame);
			break;
		case T_AlterTableStmt:
			tl_table_alter_before((AlterTableStmt *) statement, frame, task);
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
after(TlAccessFrame *frame, const TlGuardTask *task)
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
after_triggers(TlAccessFrame *frame, const TlGuardTask *task)
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
void
tl_table_guard_refuse(Oid relation, const char *what, const char *hint)
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

		if (tl_table_catalog_is_chosen(statement->accessMethod) || tl_table_catalog_is_bound(parent))
			ereport(ERROR,
					errcode(TL_ERRCODE(TL_APPEND_ONLY)),
					errmsg("a ledger table cannot take part in inheritance"),
					errhint("Use a partitioned table, or a view with UNION ALL."));
	}
	if (IsA(statement, CreateForeignTableStmt) ||
		!tl_table_catalog_is_chosen(statement->accessMethod))
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
			 !tl_table_catalog_is_chosen(statement->accessMethod)))
			tl_table_guard_refuse(parent, "partitions of \"%s\" must be ledger tables",
				   "Leave out USING: the partition becomes a ledger table.");
		frame->wants_parent = (statement->partspec != NULL);
		statement->accessMethod = frame->wants_parent ? NULL : pstrdup("ledger");
		return;
	}
	if (IsA(statement, CreateForeignTableStmt) ||
		!tl_table_catalog_is_chosen(statement->accessMethod) || statement->partspec != NULL)
		return;
	if (get_attnum(parent, TL_REF_COLUMN) == InvalidAttrNumber)
		tl_table_guard_refuse(parent, "partitions of \"%s\" cannot be ledger tables",
			   "Create the partitioned table itself with USING ledger, or add USING heap to its partitions.");
}

static void
before_rename(RenameStmt *statement, TlGuardTask *task)
{
	Oid			relation = InvalidOid;
	Oid			table;
	char	   *column;

	if (!OidIsValid(tl_table_catalog_access_method()))
		return;
	if (statement->relation != NULL)
		relation = RangeVarGetRelid(statement->relation, NoLock, true);
	if (OidIsValid(relation) && relation == tl_table_definition_relation())
		tl_table_guard_refuse(relation, "cannot rename \"%s\"",
			   "Its definition is fixed by the library.");
	switch (statement->renameType)
	{
		case OBJECT_COLUMN:
			if (OidIsValid(relation) &&
				strcmp(statement->subname, TL_REF_COLUMN) == 0 &&
				tl_table_catalog_touches_ledger(relation))
				tl_table_guard_refuse(relation, "cannot rename column ledger_ref of ledger table \"%s\"",
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
before_set_schema(AlterObjectSchemaStmt *statement, TlGuardTask *task)
{
	if (!OidIsValid(tl_table_catalog_access_method()))
		return;
	if (statement->relation != NULL)
	{
		Oid			relation = RangeVarGetRelid(statement->relation, NoLock, true);

		if (OidIsValid(relation) && relation == tl_table_definition_relation())
			tl_table_guard_refuse(relation, "cannot move \"%s\" to another schema",
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
			tl_table_guard_refuse(table, "cannot drop the unique index on ledger_ref of ledger table \"%s\"",
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
	if (!OidIsValid(relation_oid) || !tl_table_catalog_is_bound(relation_oid))
		return;
	relation = table_open(relation_oid, AccessShareLock);
	if (OidIsValid(relation->rd_rel->relrewrite))
		tl_table_guard_refuse(relation_oid, "cannot copy into \"%s\"",
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
		tl_table_guard_refuse(relation, "ledger table \"%s\" cannot have rules",
			   "Use a view with rules over the table, or a trigger.");
}

/* It may be a signature trigger, or put another in the place of one. */
static void
before_trigger(CreateTrigStmt *statement, TlGuardTask *task)
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
