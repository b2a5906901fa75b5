/*-------------------------------------------------------------------------
 *
 * contract_query.c
 *	  Do the queries of a contract's function give the same at every member?
 *
 * Members store the same rows in different orders, plan queries by releases of
 * their own, and apply a block at different times.  So a query of a contract says
 * nothing that depends on the order of rows, on the clock or on the server:
 *
 * - It reads and changes state tables of its own contract, reads its ledger tables,
 *   of which it is shown the rows that are final everywhere, and nothing else.
 * - Expressions are judged as those of CHECK constraints are
 *   (contract_expression.c); no floats, whose sums depend on the order.
 * - What takes some row of several is refused: LIMIT, DISTINCT ON, windows, a
 *   query of several rows for one value, arrays and text out of rows; and groups
 *   of values that can be equal and not the same (1.0 and 1.00).
 * - What succeeds or fails by the order in which rows are changed is refused:
 *   changing columns of a key, ON CONFLICT for rows of a query, UPDATE ... FROM.
 * - Functions of the contract that change state, ledger.require() and what sets
 *   timers or tells events are called by a statement that does nothing else: so it is certain in
 *   which order they run, and which of two errors is met.
 *
 * Invariants
 *	  Q1  the set of rows in state tables after a query follows from the set before
 *		  it and the arguments
 *	  Q2  so does whether it ends with an error (contract_raise.c)
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/genam.h"
#include "access/htup_details.h"
#include "access/sysattr.h"
#include "access/table.h"
#include "catalog/namespace.h"
#include "catalog/pg_collation.h"
#include "catalog/pg_namespace.h"
#include "catalog/pg_proc.h"
#include "catalog/pg_type.h"
#include "nodes/nodeFuncs.h"
#include "optimizer/optimizer.h"
#include "rewrite/rewriteManip.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"
#include "utils/syscache.h"

#include "contract_expression.h"
#include "contract_join.h"
#include "contract_plpgsql.h"
#include "contract_query.h"
#include "contract_raise.h"
#include "contract_timer.h"
#include "table_am.h"
#include "table_catalog.h"
#include "table_ref.h"
#include "table_state.h"

/* One function. */
typedef struct Look
{
	TlRefusals *refusals;
	const TlQueryScope *scope;
	const Node *statement_call; /* a call that is a statement by itself */
} Look;

/* They make much out of little. */
static const char *const growing[] = {"repeat", "lpad", "rpad", "factorial", "array_fill"};

/* In the schema ledger: they change state, or end a call. */
static const char *const statements[] = {"require", "set_timer", "cancel_timer", "emit"};

/* Over sets of rows, in whatever order. */
static const char *const aggregates[] = {
	"count", "sum", "avg", "min", "max", "bool_and", "bool_or", "every", "bit_and", "bit_or"
};

static bool walker(Node *node, void *context);
static void look_at_query(Look *look, const Query *query);
static void look_at_relations(Look *look, const Query *query);
static bool is_readable(const Look *look, Oid relation);
static void look_at_form(Look *look, const Query *query);
static void look_at_change(Look *look, const Query *query);
static void look_at_keys(Look *look, Oid relation_oid, const List *targets);
static void look_at_groups(Look *look, const Query *query);
static void look_at_set_operation(Look *look, const Node *node);
static void look_at_group_list(Look *look, const Query *query, const List *clauses);
static void look_at_expression(Look *look, Node *node);
static bool is_known(const Node *node);
static bool check_growth(Oid function, void *context);
static void look_at_aggregate(Look *look, const Aggref *aggregate);
static void look_at_sum(Look *look, const Aggref *aggregate, const char *name);
static void look_at_sublink(Look *look, const SubLink *sublink);
static void look_at_call(Look *look, const Node *node);
static bool is_wrapper(Oid function);
static const Node *statement_call(const Look *look, const Query *query);
static void look_at_timer(Look *look, const Node *node);
static const Node *before_conversion(const Node *node);
static const Node *sort_value(const Query *query, const SortGroupClause *clause);
static bool is_sorted_source(const Query *query, const Node *from, const List *sorted);
static bool is_sorted_key(Oid relation_oid, int place, const List *sorted);
static bool is_whole_key(const Query *query, Oid relation_oid, int place);
static bool has_key(Oid relation_oid, const Bitmapset *columns);
static AttrNumber column_of(const Node *value, int place, bool collated);
static void key_columns(const Node *condition, int place, Bitmapset **columns);
static void key_column(const Node *condition, int place, Bitmapset **columns);
static bool is_exact(Oid type);
static void refuse(Look *look, const char *what, const char *why, const char *instead);

/* The queries of its body, in order. */
void
tl_contract_query(TlRefusals *refusals, const TlQueryScope *scope, List *queries)
{
	Look		look = {.refusals = refusals, .scope = scope};
	ListCell   *cell;

	foreach(cell, queries)
	{
		Query	   *query = lfirst_node(Query, cell);

		look.statement_call = statement_call(&look, query);
		look_at_timer(&look, look.statement_call);
		look_at_call(&look, look.statement_call);
		(void) walker((Node *) query, &look);
		tl_contract_raise(refusals, scope, query);
		tl_contract_join(refusals, scope, query);
	}
	if (scope->gives_value && queries != NIL && !tl_contract_query_has_one_row(llast_node(Query, queries)))
		refuse(&look, "SELECT", "it is not certain which row gives the value",
			   "an aggregate (min, max, count), or a condition on each column of the primary key");
}

/* An expression outside of a query. */
void
tl_contract_query_node(TlRefusals *refusals, const TlQueryScope *scope, Node *node)
{
	Look		look = {.refusals = refusals, .scope = scope};

	(void) walker(node, &look);
}

static bool
walker(Node *node, void *context)
{
	Look	   *look = context;

	if (node == NULL)
		return false;
	if (IsA(node, Query))
	{
		look_at_query(look, (Query *) node);
		return query_tree_walker((Query *) node, walker, context, 0);
	}
	if (IsA(node, OnConflictExpr))
	{
		const OnConflictExpr *conflict = (OnConflictExpr *) node;

		/* not what "excluded" could name: system columns, the whole row */
		return walker((Node *) conflict->arbiterElems, context) || walker(conflict->arbiterWhere, context) ||
			walker((Node *) conflict->onConflictSet, context) || walker(conflict->onConflictWhere, context);
	}
	look_at_expression(look, node);
	return expression_tree_walker(node, walker, context);
}

static void
look_at_query(Look *look, const Query *query)
{
	look_at_relations(look, query);
	look_at_form(look, query);
	look_at_groups(look, query);
	if (query->commandType == CMD_MERGE || query->commandType == CMD_UTILITY)
		refuse(look, query->commandType == CMD_MERGE ? "MERGE" : "statement",
			   "contracts have no such statements", "SELECT, INSERT, UPDATE, DELETE");
	else if (query->commandType != CMD_SELECT)
		look_at_change(look, query);
}

static void
look_at_relations(Look *look, const Query *query)
{
	ListCell   *cell;

	foreach(cell, query->rtable)
	{
		const RangeTblEntry *entry = lfirst_node(RangeTblEntry, cell);

		if (entry->tablesample != NULL)
			refuse(look, "TABLESAMPLE", "a function decides which rows there are", "WHERE");
		if (entry->rtekind == RTE_RELATION && look->scope->pure)
			refuse(look, get_rel_name(entry->relid), "what is IMMUTABLE computes with its arguments alone",
				   "leave out IMMUTABLE, and call it by a statement of its own");
		else if (entry->rtekind == RTE_RELATION && !is_readable(look, entry->relid))
			refuse(look, get_rel_name(entry->relid),
				   "functions of contracts read tables of their own, and change state tables among them",
				   "a table that this script makes USING ledger_state");
		else if (entry->rtekind == RTE_RELATION && foreach_current_index(cell) == query->resultRelation - 1 &&
				 !tl_table_state_is_state(entry->relid))
			refuse(look, get_rel_name(entry->relid), "rows of ledger tables are statements of members, and not of contracts",
				   "a table that this script makes USING ledger_state");
		else if (entry->rtekind == RTE_FUNCTION || entry->rtekind == RTE_TABLEFUNC)
			refuse(look, "function in FROM", "it makes rows without a limit", "a state table");
	}
	foreach(cell, query->cteList)
	{
		const CommonTableExpr *expression = lfirst_node(CommonTableExpr, cell);

		if (IsA(expression->ctequery, Query) &&
			((Query *) expression->ctequery)->commandType != CMD_SELECT)
			refuse(look, "WITH", "a query that changes rows is a statement by itself",
				   "a statement of its own");
	}
}

static bool
is_readable(const Look *look, Oid relation)
{
	return get_rel_namespace(relation) == look->scope->schema &&
		(tl_table_state_is_state(relation) || tl_table_catalog_is_ledger(relation));
}

/* What takes some rows of several, or has no end. */
static void
look_at_form(Look *look, const Query *query)
{
	if (query->limitCount != NULL || query->limitOffset != NULL)
		refuse(look, "LIMIT", "members store rows in different orders",
			   "an aggregate (min, max), or a condition on each column of the primary key");
	if (query->hasDistinctOn)
		refuse(look, "DISTINCT ON", "members store rows in different orders", "GROUP BY");
	if (query->windowClause != NIL || query->hasWindowFuncs)
		refuse(look, "OVER", "members store rows in different orders", "aggregates");
	if (query->hasTargetSRFs)
		refuse(look, "function that returns rows", "it makes rows without a limit", "a state table");
	if (query->hasRecursive)
		refuse(look, "WITH RECURSIVE", "it may have no end", "a path of a fixed length");
	if (query->hasForUpdate || query->rowMarks != NIL)
		refuse(look, "FOR UPDATE", "nobody else changes rows while a contract runs", "leave it out");
	if (query->returningList != NIL)
		refuse(look, "RETURNING", "rows are changed in different orders", "a SELECT behind it");
}

static void
look_at_change(Look *look, const Query *query)
{
	const RangeTblEntry *target = list_nth_node(RangeTblEntry, query->rtable, query->resultRelation - 1);

	if (tl_contract_timer_is_table(target->relid))
		refuse(look, psprintf("a change of %s", get_rel_name(target->relid)),
			   "timers are set and cancelled by functions of the library",
			   "SELECT ledger.set_timer(handler, key, at), SELECT ledger.cancel_timer(handler, key)");
	if (query->commandType != CMD_INSERT && list_length(query->jointree->fromlist) > 1)
		refuse(look, query->commandType == CMD_UPDATE ? "UPDATE ... FROM" : "DELETE ... USING",
			   "which of several rows that match is taken depends on their order",
			   "a subquery in SET or WHERE");
	if (query->commandType == CMD_UPDATE)
		look_at_keys(look, target->relid, query->targetList);
	if (query->onConflict == NULL)
		return;
	if (query->jointree->fromlist != NIL)
		refuse(look, "ON CONFLICT", "which of several new rows comes first depends on their order",
			   "INSERT ... VALUES with one row");
	look_at_keys(look, target->relid, query->onConflict->onConflictSet);
}

/* Whether two rows are in each other's way while one statement changes them. */
static void
look_at_keys(Look *look, Oid relation_oid, const List *targets)
{
	Relation	relation = table_open(relation_oid, AccessShareLock);
	Bitmapset  *keys = RelationGetIndexAttrBitmap(relation, INDEX_ATTR_BITMAP_KEY);
	List	   *indexes = RelationGetIndexList(relation);
	ListCell   *cell;
	ListCell   *column;

	foreach(cell, indexes)
	{
		Relation	index = index_open(lfirst_oid(cell), AccessShareLock);

		for (int i = 0; index->rd_index->indisunique && i < index->rd_index->indnkeyatts; i++)
			keys = bms_add_member(keys, index->rd_index->indkey.values[i] - FirstLowInvalidHeapAttributeNumber);
		index_close(index, AccessShareLock);
	}
	foreach(column, targets)
	{
		const TargetEntry *target = lfirst_node(TargetEntry, column);

		if (!target->resjunk &&
			bms_is_member(target->resno - FirstLowInvalidHeapAttributeNumber, keys))
			refuse(look, psprintf("UPDATE of %s", target->resname),
				   "whether a key is free depends on the order in which rows are changed",
				   "DELETE and INSERT");
	}
	table_close(relation, AccessShareLock);
}

/* Of values that are equal and not the same one would stand for all. */
static void
look_at_groups(Look *look, const Query *query)
{
	look_at_group_list(look, query, query->groupClause);
	look_at_group_list(look, query, query->distinctClause);
	if (query->groupingSets != NIL)
		refuse(look, "GROUPING SETS", "contracts have none yet", "several queries");
	look_at_set_operation(look, query->setOperations);
}

/* UNION ALL takes all rows; INTERSECT ALL and EXCEPT ALL take some of those that are equal. */
static void
look_at_set_operation(Look *look, const Node *node)
{
	const SetOperationStmt *operation = (const SetOperationStmt *) node;
	ListCell   *cell;

	if (node == NULL || !IsA(node, SetOperationStmt))
		return;
	look_at_set_operation(look, operation->larg);
	look_at_set_operation(look, operation->rarg);
	if (operation->op == SETOP_UNION && operation->all)
		return;
	foreach(cell, operation->colTypes)
		if (!is_exact(lfirst_oid(cell)))
			refuse(look, psprintf("UNION, INTERSECT or EXCEPT of %s", format_type_be(lfirst_oid(cell))),
				   "values of this type can be equal and not the same", "UNION ALL");
}

static void
look_at_group_list(Look *look, const Query *query, const List *clauses)
{
	ListCell   *cell;

	foreach(cell, clauses)
	{
		const SortGroupClause *clause = lfirst_node(SortGroupClause, cell);
		Oid			type = InvalidOid;
		ListCell   *target;

		foreach(target, query->targetList)
			if (lfirst_node(TargetEntry, target)->ressortgroupref == clause->tleSortGroupRef)
				type = exprType((Node *) lfirst_node(TargetEntry, target)->expr);
		if (!is_exact(type))
			refuse(look, psprintf("GROUP BY or DISTINCT of %s", format_type_be(type)),
				   "values of this type can be equal and not the same",
				   "integers, text, dates and times, uuid");
	}
}

static void
look_at_expression(Look *look, Node *node)
{
	Oid			type = InvalidOid;

	if (!is_known(node))
		refuse(look, "expression", "it is of a kind that cannot be judged", "operators and functions");
	if (node != look->statement_call)
		tl_contract_expression_node(look->refusals, look->scope->where, look->scope->schema, node);
	(void) check_functions_in_node(node, check_growth, look);
	switch (nodeTag(node))
	{
		case T_Aggref:
			look_at_aggregate(look, (Aggref *) node);
			type = exprType(node);
			break;
		case T_SubLink:
			look_at_sublink(look, (SubLink *) node);
			break;
		case T_SubscriptingRef:
			if (((SubscriptingRef *) node)->refassgnexpr != NULL)
				refuse(look, "assignment to an element", "a server may not be able to hold what it makes",
					   "the whole value");
			break;
		case T_Var:
		case T_Const:
		case T_Param:
		case T_FuncExpr:
		case T_OpExpr:
		case T_RelabelType:
		case T_CoerceViaIO:
		case T_ArrayCoerceExpr:
		case T_FieldSelect:
			type = exprType(node);
			break;
		default:
			break;
	}
	if (OidIsValid(type) && tl_contract_query_is_xml(type))
		refuse(look, format_type_be(type), "XML depends on how a server was built", "text, json or jsonb");
	if (OidIsValid(type) && tl_contract_query_is_float(type))
		refuse(look, format_type_be(type), "sums of it depend on the order of rows, results on the machine",
			   "numeric, or an integer in the smallest unit");
}

/* A list, since later releases have others; some of these are refused by what they are. */
static bool
is_known(const Node *node)
{
	switch (nodeTag(node))
	{
		case T_List:
		case T_TargetEntry:
		case T_FromExpr:
		case T_JoinExpr:
		case T_RangeTblRef:
		case T_RangeTblFunction:
		case T_TableSampleClause:
		case T_TableFunc:
		case T_SetOperationStmt:
		case T_CommonTableExpr:
		case T_InferenceElem:
		case T_SortGroupClause:
		case T_GroupingSet:
		case T_WindowClause:
		case T_WindowFunc:
		case T_SetToDefault:
		case T_Var:
		case T_Const:
		case T_Param:
		case T_Aggref:
		case T_FuncExpr:
		case T_NamedArgExpr:
		case T_OpExpr:
		case T_DistinctExpr:
		case T_NullIfExpr:
		case T_ScalarArrayOpExpr:
		case T_BoolExpr:
		case T_SubLink:
		case T_FieldSelect:
		case T_RelabelType:
		case T_CoerceViaIO:
		case T_ArrayCoerceExpr:
		case T_CollateExpr:
		case T_CaseExpr:
		case T_CaseWhen:
		case T_CaseTestExpr:
		case T_ArrayExpr:
		case T_RowExpr:
		case T_RowCompareExpr:
		case T_CoalesceExpr:
		case T_MinMaxExpr:
		case T_NullTest:
		case T_BooleanTest:
		case T_CoerceToDomain:
		case T_SubscriptingRef:
		case T_SQLValueFunction:
		case T_NextValueExpr:
		case T_XmlExpr:
			return true;
		default:
			return false;
	}
}

static bool
check_growth(Oid function, void *context)
{
	char	   *name = get_func_name(function);

	if (name != NULL && tl_contract_is_listed(growing, lengthof(growing), name) &&
		get_func_namespace(function) == PG_CATALOG_NAMESPACE)
		refuse(context, name, "a server may not be able to hold what it makes",
			   "let the application give the value");
	return false;
}

static void
look_at_aggregate(Look *look, const Aggref *aggregate)
{
	const char *name = get_func_name(aggregate->aggfnoid);
	bool		extreme = strcmp(name, "min") == 0 || strcmp(name, "max") == 0;
	ListCell   *cell;

	if (!tl_contract_is_listed(aggregates, lengthof(aggregates), name))
		refuse(look, name, "what it gives depends on the order of rows",
			   "count, sum, avg, min, max, bool_and, bool_or");
	if (strcmp(name, "sum") == 0 || strcmp(name, "avg") == 0)
		look_at_sum(look, aggregate, name);
	if (!extreme && aggregate->aggdistinct == NIL)
		return;
	foreach(cell, aggregate->args)
	{
		Oid			type = exprType((Node *) lfirst_node(TargetEntry, cell)->expr);

		if (!is_exact(type))
			refuse(look, psprintf("%s of %s", extreme ? name : "DISTINCT", format_type_be(type)),
				   "values of this type can be equal and not the same",
				   "integers, text, dates and times, uuid");
	}
}

/* An interval's parts carry over at a point that depends on the order. */
static void
look_at_sum(Look *look, const Aggref *aggregate, const char *name)
{
	static const Oid types[] = {INT2OID, INT4OID, INT8OID, NUMERICOID};
	Oid			type = aggregate->aggargtypes != NIL ? linitial_oid(aggregate->aggargtypes) : InvalidOid;

	for (size_t i = 0; i < lengthof(types); i++)
		if (types[i] == type)
			return;
	refuse(look, psprintf("%s of %s", name, format_type_be(type)),
		   "what it gives may depend on the order of rows", "smallint, integer, bigint or numeric");
}

static void
look_at_sublink(Look *look, const SubLink *sublink)
{
	if (sublink->subLinkType == ARRAY_SUBLINK)
		refuse(look, "ARRAY (SELECT ...)", "members store rows in different orders", "aggregates");
	else if (sublink->subLinkType == MULTIEXPR_SUBLINK || sublink->subLinkType == ROWCOMPARE_SUBLINK)
		refuse(look, "row of a subquery", "contracts have none yet", "a subquery for each column");
}

/* SELECT f(...), and nothing else: a function of the contract, or one of `statements`. */
static const Node *
statement_call(const Look *look, const Query *query)
{
	const Node *node = tl_contract_query_expression(query);
	const FuncExpr *call;

	if (node == NULL || look->scope->pure)
		return NULL;
	node = before_conversion(node);
	if (!IsA(node, FuncExpr))
		return NULL;
	call = (const FuncExpr *) node;
	if ((get_func_namespace(call->funcid) == look->scope->schema && !is_wrapper(call->funcid)) ||
		tl_contract_query_is_statement(call->funcid))
		return (const Node *) call;
	return NULL;
}

/* SELECT expression, of no table: the expression; NULL if it is another query. */
const Node *
tl_contract_query_expression(const Query *query)
{
	if (query->commandType != CMD_SELECT || query->jointree->fromlist != NIL ||
		query->jointree->quals != NULL || list_length(query->targetList) != 1 ||
		query->setOperations != NULL || query->groupClause != NIL || query->havingQual != NULL)
		return NULL;
	return (const Node *) linitial_node(TargetEntry, query->targetList)->expr;
}

bool
tl_contract_query_is_statement(Oid function)
{
	return get_func_namespace(function) == get_namespace_oid("ledger", false) &&
		tl_contract_is_listed(statements, lengthof(statements), get_func_name(function));
}

/* Its first argument names a handler that the script has made before. */
static void
look_at_timer(Look *look, const Node *node)
{
	const FuncExpr *call = (const FuncExpr *) node;
	const Const *handler;
	const char *name;

	if (node == NULL || !tl_contract_query_is_statement(call->funcid))
		return;
	name = get_func_name(call->funcid);
	if (strcmp(name, "set_timer") != 0 && strcmp(name, "cancel_timer") != 0)
		return;
	handler = linitial(call->args);
	if (!IsA(handler, Const) || handler->constisnull ||
		!OidIsValid(tl_contract_timer_handler(look->scope->schema, TextDatumGetCString(handler->constvalue))))
		refuse(look, name, "it does not name a handler of this contract",
			   "the name, as a constant, of a function made before whose one argument is a ledger.timer");
}

/* What an assignment converts to the type of its variable. */
static const Node *
before_conversion(const Node *node)
{
	if (IsA(node, RelabelType) && ((const RelabelType *) node)->relabelformat == COERCE_IMPLICIT_CAST)
		return before_conversion((const Node *) ((const RelabelType *) node)->arg);
	if (IsA(node, FuncExpr) && ((const FuncExpr *) node)->funcformat == COERCE_IMPLICIT_CAST)
		return before_conversion(linitial(((const FuncExpr *) node)->args));
	return node;
}

/* PL/pgSQL compares by the collation of the call, and is judged with that of the database. */
static void
look_at_call(Look *look, const Node *node)
{
	const FuncExpr *call = (const FuncExpr *) node;

	if (call != NULL && OidIsValid(call->inputcollid) && call->inputcollid != DEFAULT_COLLATION_OID &&
		tl_contract_plpgsql_is(call->funcid))
		refuse(look, psprintf("%s with a collation", get_func_name(call->funcid)),
			   "it would compare text otherwise than it was judged", "arguments without COLLATE");
}

/* That by which an entry point is called, and which writes to the ledger. */
static bool
is_wrapper(Oid function)
{
	HeapTuple	tuple = SearchSysCache1(PROCOID, ObjectIdGetDatum(function));
	bool		result = HeapTupleIsValid(tuple) && ((Form_pg_proc) GETSTRUCT(tuple))->prosecdef;

	if (HeapTupleIsValid(tuple))
		ReleaseSysCache(tuple);
	return result;
}

/* At most. */
bool
tl_contract_query_has_one_row(const Query *query)
{
	const RangeTblRef *reference;
	const RangeTblEntry *entry;

	if (query->commandType != CMD_SELECT || query->setOperations != NULL)
		return false;
	if (query->jointree->fromlist == NIL ||
		(query->hasAggs && query->groupClause == NIL && query->groupingSets == NIL))
		return true;
	if (list_length(query->jointree->fromlist) != 1 ||
		!IsA(linitial(query->jointree->fromlist), RangeTblRef))
		return false;
	reference = linitial_node(RangeTblRef, query->jointree->fromlist);
	entry = list_nth_node(RangeTblEntry, query->rtable, reference->rtindex - 1);
	return entry->rtekind == RTE_RELATION &&
		is_whole_key(query, entry->relid, reference->rtindex);
}

/*
 * Is there one order of its rows?  They are told apart by the primary keys of all
 * tables that it joins, or by what it groups.
 */
bool
tl_contract_query_is_ordered(const Query *query)
{
	List	   *sorted = NIL;
	List	   *groups = query->groupClause != NIL ? query->groupClause : query->distinctClause;
	ListCell   *cell;

	if (tl_contract_query_has_one_row(query))
		return true;
	if (query->setOperations != NULL)
		return false;
	foreach(cell, query->sortClause)
	{
		const Node *value = sort_value(query, lfirst_node(SortGroupClause, cell));
		Oid			type = exprType(value);

		if (!tl_contract_expression_is_sorted_alike(type) &&
			(OidIsValid(get_element_type(getBaseType(type))) || exprCollation(value) != C_COLLATION_OID))
			return false;
		sorted = lappend(sorted, unconstify(Node *, value));
	}
	foreach(cell, groups)
		if (!list_member(sorted, sort_value(query, lfirst_node(SortGroupClause, cell))))
			return false;
	if (groups != NIL)
		return true;
	foreach(cell, query->jointree->fromlist)
		if (!is_sorted_source(query, lfirst(cell), sorted))
			return false;
	return true;
}

static const Node *
sort_value(const Query *query, const SortGroupClause *clause)
{
	ListCell   *cell;

	foreach(cell, query->targetList)
		if (lfirst_node(TargetEntry, cell)->ressortgroupref == clause->tleSortGroupRef)
			return (const Node *) lfirst_node(TargetEntry, cell)->expr;
	elog(ERROR, "a query sorts by what it does not have");
	return NULL;				/* not reached */
}

static bool
is_sorted_source(const Query *query, const Node *from, const List *sorted)
{
	const RangeTblEntry *entry;

	if (IsA(from, JoinExpr))
		return is_sorted_source(query, ((const JoinExpr *) from)->larg, sorted) &&
			is_sorted_source(query, ((const JoinExpr *) from)->rarg, sorted);
	entry = list_nth_node(RangeTblEntry, query->rtable, ((const RangeTblRef *) from)->rtindex - 1);
	return entry->rtekind == RTE_RELATION && is_sorted_key(entry->relid, ((const RangeTblRef *) from)->rtindex, sorted);
}

static bool
is_sorted_key(Oid relation_oid, int place, const List *sorted)
{
	Bitmapset  *found = NULL;
	ListCell   *cell;

	foreach(cell, sorted)
		found = bms_add_member(found, column_of(lfirst(cell), place, true) - FirstLowInvalidHeapAttributeNumber);
	return has_key(relation_oid, found);
}

/* Does its condition fix each column of the primary key, or ledger_ref? */
static bool
is_whole_key(const Query *query, Oid relation_oid, int place)
{
	Bitmapset  *found = NULL;

	key_columns(query->jointree->quals, place, &found);
	return has_key(relation_oid, found);
}

/* Are all columns among these by which the table's rows are told apart? */
static bool
has_key(Oid relation_oid, const Bitmapset *columns)
{
	Relation	relation = table_open(relation_oid, AccessShareLock);
	Bitmapset  *key = tl_table_catalog_is_ledger(relation_oid) ?
		bms_make_singleton(tl_table_am_ref_attribute(relation) - FirstLowInvalidHeapAttributeNumber) :
		RelationGetIndexAttrBitmap(relation, INDEX_ATTR_BITMAP_PRIMARY_KEY);

	table_close(relation, AccessShareLock);
	return !bms_is_empty(key) && bms_is_subset(key, columns);
}

/* The column of that table which is the value, if need be under another collation; 0: it is none. */
static AttrNumber
column_of(const Node *value, int place, bool collated)
{
	bool		is_padded = getBaseType(exprType(value)) == BPCHAROID;
	const Var  *column;

	while (IsA(value, RelabelType) || (collated && IsA(value, CollateExpr)))
		value = IsA(value, RelabelType) ? (const Node *) ((const RelabelType *) value)->arg :
			(const Node *) ((const CollateExpr *) value)->arg;
	column = (const Var *) value;
	/* as char(n), 'a' and 'a ' are equal */
	if (!IsA(value, Var) || is_padded != (getBaseType(exprType(value)) == BPCHAROID) ||
		column->varno != place || column->varlevelsup != 0)
		return InvalidAttrNumber;
	return column->varattno;
}

/* What a condition joins by AND, however deep. */
List *
tl_contract_query_conjuncts(const Node *condition)
{
	List	   *all = NIL;
	ListCell   *cell;

	if (condition == NULL)
		return NIL;
	if (!IsA(condition, BoolExpr) || ((const BoolExpr *) condition)->boolop != AND_EXPR)
		return list_make1(unconstify(Node *, condition));
	foreach(cell, ((const BoolExpr *) condition)->args)
		all = list_concat(all, tl_contract_query_conjuncts(lfirst(cell)));
	return all;
}

/* column = what is no column of this query, joined by AND. */
static void
key_columns(const Node *condition, int place, Bitmapset **columns)
{
	ListCell   *cell;

	foreach(cell, tl_contract_query_conjuncts(condition))
		key_column(lfirst(cell), place, columns);
}

static void
key_column(const Node *condition, int place, Bitmapset **columns)
{
	const OpExpr *operation = (const OpExpr *) condition;
	ListCell   *cell;

	if (!IsA(condition, OpExpr) || list_length(operation->args) != 2 ||
		strcmp(get_opname(operation->opno), "=") != 0)
		return;
	foreach(cell, operation->args)
	{
		const Node *side = lfirst(cell);
		const Node *other = cell == list_head(operation->args) ? lsecond(operation->args) : linitial(operation->args);
		AttrNumber	number = column_of(side, place, false);

		if (number != InvalidAttrNumber && !contain_var_clause((Node *) other) && !checkExprHasSubLink((Node *) other))
			*columns = bms_add_member(*columns, number - FirstLowInvalidHeapAttributeNumber);
	}
}

/* Is a value that equals another one the same? */
static bool
is_exact(Oid type)
{
	static const Oid types[] = {
		BOOLOID, INT2OID, INT4OID, INT8OID, TEXTOID, VARCHAROID, BYTEAOID, UUIDOID, DATEOID,
		TIMEOID, TIMESTAMPOID, TIMESTAMPTZOID
	};

	type = getBaseType(type);
	for (size_t i = 0; i < lengthof(types); i++)
		if (types[i] == type)
			return true;
	return type == tl_table_ref_type() || get_typtype(type) == TYPTYPE_ENUM;
}

/* Or an array of it. */
bool
tl_contract_query_is_xml(Oid type)
{
	Oid			element;

	type = getBaseType(type);
	element = get_element_type(type);
	return type == XMLOID || (OidIsValid(element) && getBaseType(element) == XMLOID);
}

/* Or made of such. */
bool
tl_contract_query_is_float(Oid type)
{
	static const Oid types[] = {
		FLOAT4OID, FLOAT8OID, POINTOID, LSEGOID, PATHOID, BOXOID, POLYGONOID, LINEOID, CIRCLEOID
	};
	Oid			element;

	type = getBaseType(type);
	element = get_element_type(type);
	for (size_t i = 0; i < lengthof(types); i++)
		if (types[i] == type)
			return true;
	return OidIsValid(element) && tl_contract_query_is_float(element);
}

static void
refuse(Look *look, const char *what, const char *why, const char *instead)
{
	tl_contract_refuse_within(look->refusals, look->scope->where, what, why, instead);
}
