/*-------------------------------------------------------------------------
 *
 * contract_raise.c
 *	  Where in a query may an expression be that can end with an error?
 *
 * For which rows a condition is evaluated depends on the plan and on the order
 * of rows: the cheaper of two conditions comes first, an index leaves rows out,
 * EXISTS stops at the first row that it finds.  A division in a condition would
 * make a call fail at one member and not at another.  So expressions that can
 * raise an error stand only where they are computed for the rows of the result
 * and for no others: in the target list of a statement, in SET and VALUES, and in
 * the arguments of aggregates there.  In conditions and subqueries there is only
 * what cannot raise one; CASE and COALESCE are no guard.
 *
 * A function of one expression may be inlined, and then an argument that it does
 * not always look at is not always computed.  So its arguments cannot raise
 * either.
 *
 * Invariants
 *	  E1  an expression that can raise an error is computed for a set of rows that
 *		  follows from the state and the arguments
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "catalog/pg_operator.h"
#include "catalog/pg_type.h"
#include "nodes/nodeFuncs.h"
#include "utils/fmgroids.h"
#include "utils/lsyscache.h"

#include "contract_function.h"
#include "contract_raise.h"
#include "table_ref.h"
#include "tl_compat.h"

/* A part of a query. */
typedef struct Look
{
	TlRefusals *refusals;
	const TlQueryScope *scope;
	bool		strict;			/* nothing in it may raise an error */
	bool		filtered;		/* HAVING may keep rows from its aggregates */
} Look;

static void look_at_query(Look *look, const Query *query, bool whole);
static void look_at_relation(Look *look, const Query *query, const RangeTblEntry *entry, bool whole);
static bool is_source(const Query *query, const RangeTblEntry *entry);
static void look_at_targets(Look *look, const Query *query, bool whole);
static bool is_grouped(const Query *query, const TargetEntry *target);
static void look_at(Look *look, const void *node, bool strict);
static bool walker(Node *node, void *context);
static void look_at_sublink(Look *look, const SubLink *sublink);
static bool is_inlined(const Look *look, const Node *node);
static bool is_safe(Node *node);
static bool is_comparison(Oid operator);
static bool are_comparisons(const List *operators);
static bool is_comparable(Oid type);
static bool is_safe_function(Oid function);
static bool is_safe_aggregate(const Aggref *aggregate);
static bool is_bounded(const Node *node);
static const char *name_of(const Node *node);

/* A statement of a function. */
void
tl_contract_raise(TlRefusals *refusals, const TlQueryScope *scope, const Query *query)
{
	Look		look = {.refusals = refusals, .scope = scope};

	look_at_query(&look, query, !scope->partly);
}

/* Whole: all of its rows are taken. */
static void
look_at_query(Look *look, const Query *query, bool whole)
{
	ListCell   *cell;

	foreach(cell, query->rtable)
		look_at_relation(look, query, lfirst_node(RangeTblEntry, cell), whole);
	foreach(cell, query->cteList)
	{
		const Node *inner = lfirst_node(CommonTableExpr, cell)->ctequery;

		if (IsA(inner, Query))
			look_at_query(look, (const Query *) inner, false);
	}
	look_at(look, query->jointree, true);
	look_at(look, query->havingQual, true);
	look_at(look, query->limitCount, true);
	look_at(look, query->limitOffset, true);
	look_at(look, query->returningList, true);
	look_at_targets(look, query, whole);
	if (query->onConflict == NULL)
		return;
	look_at(look, query->onConflict->arbiterElems, true);
	look_at(look, query->onConflict->arbiterWhere, true);
	look_at(look, query->onConflict->onConflictSet, !whole);
	look_at(look, query->onConflict->onConflictWhere, true);
}

static void
look_at_relation(Look *look, const Query *query, const RangeTblEntry *entry, bool whole)
{
	if (entry->rtekind == RTE_SUBQUERY)
		look_at_query(look, entry->subquery, whole && is_source(query, entry));
	else if (entry->rtekind == RTE_VALUES)
		look_at(look, entry->values_lists, !whole || query->commandType != CMD_INSERT);
	else if (entry->rtekind == RTE_JOIN)
		look_at(look, entry->joinaliasvars, true);
}

/* The SELECT of an INSERT. */
static bool
is_source(const Query *query, const RangeTblEntry *entry)
{
	const Node *from;

	if (query->commandType != CMD_INSERT || list_length(query->jointree->fromlist) != 1 ||
		entry->subquery->setOperations != NULL)
		return false;
	from = linitial(query->jointree->fromlist);
	return IsA(from, RangeTblRef) &&
		list_nth(query->rtable, ((const RangeTblRef *) from)->rtindex - 1) == entry;
}

/*
 * A condition of HAVING without aggregates is one of WHERE.  A target may hold
 * a query, with targets of its own, and an aggregate after that.
 */
static void
look_at_targets(Look *look, const Query *query, bool whole)
{
	bool		outer = look->filtered;
	ListCell   *cell;

	look->filtered = query->havingQual != NULL;
	foreach(cell, query->targetList)
	{
		const TargetEntry *target = lfirst_node(TargetEntry, cell);

		look_at(look, target->expr, !whole || (query->havingQual != NULL && is_grouped(query, target)));
	}
	look->filtered = outer;
}

static bool
is_grouped(const Query *query, const TargetEntry *target)
{
	ListCell   *cell;

	foreach(cell, query->groupClause)
		if (lfirst_node(SortGroupClause, cell)->tleSortGroupRef == target->ressortgroupref)
			return true;
	return false;
}

static void
look_at(Look *look, const void *node, bool strict)
{
	bool		outer = look->strict;

	look->strict = strict;
	(void) walker(unconstify(void *, node), look);
	look->strict = outer;
}

static bool
walker(Node *node, void *context)
{
	Look	   *look = context;

	if (node == NULL)
		return false;
	if (IsA(node, SubLink))
	{
		look_at_sublink(look, (SubLink *) node);
		return false;
	}
	if (!look->strict && IsA(node, Aggref))
	{
		look_at(look, ((Aggref *) node)->aggfilter, true);
		look_at(look, ((Aggref *) node)->args, look->filtered);
		return false;
	}
	if (!look->strict && is_inlined(look, node))
	{
		look_at(look, ((FuncExpr *) node)->args, true);
		return false;
	}
	if (look->strict && !is_safe(node))
	{
		tl_contract_refuse_within(look->refusals, look->scope->where, name_of(node),
								  "whether it is computed, and fails, depends on a server's plan",
								  "comparisons of columns, arguments and constants; compute in SET or SELECT, or in the call of another function");
		return false;
	}
	return expression_tree_walker(node, walker, context);
}

static void
look_at_sublink(Look *look, const SubLink *sublink)
{
	const Query *query = castNode(Query, sublink->subselect);

	look_at(look, sublink->testexpr, true);
	if (look->strict && sublink->subLinkType == EXPR_SUBLINK && !tl_contract_query_has_one_row(query))
		tl_contract_refuse_within(look->refusals, look->scope->where, "a subquery of several rows",
								  "whether it is computed, and fails, depends on a server's plan",
								  "an aggregate (min, max, count), or a condition on each column of the primary key");
	look_at_query(look, query, false);
}

/* May the planner put its expression into the place of the call? */
static bool
is_inlined(const Look *look, const Node *node)
{
	const List *queries;
	const Query *query;

	if (!IsA(node, FuncExpr) ||
		get_func_namespace(((const FuncExpr *) node)->funcid) != look->scope->schema)
		return false;
	queries = tl_contract_function_queries(((const FuncExpr *) node)->funcid);
	if (list_length(queries) != 1)
		return false;
	query = linitial_node(Query, queries);
	return query->commandType == CMD_SELECT && query->jointree->fromlist == NIL && !query->hasSubLinks;
}

/* By itself; what is in it is looked at too. */
static bool
is_safe(Node *node)
{
	switch (nodeTag(node))
	{
		case T_List:
		case T_TargetEntry:
		case T_FromExpr:
		case T_JoinExpr:
		case T_RangeTblRef:
		case T_InferenceElem:
		case T_Var:
		case T_Const:
		case T_Param:
		case T_FieldSelect:
		case T_RelabelType:
		case T_CollateExpr:
		case T_NamedArgExpr:
		case T_BoolExpr:
		case T_NullTest:
		case T_BooleanTest:
		case T_CaseExpr:
		case T_CaseWhen:
		case T_CaseTestExpr:
		case T_CoalesceExpr:
		case T_RowExpr:
		case T_SetToDefault:
			return true;
		case T_OpExpr:
		case T_DistinctExpr:
		case T_NullIfExpr:
			return is_comparison(((OpExpr *) node)->opno);
		case T_ScalarArrayOpExpr:
			return is_comparison(((ScalarArrayOpExpr *) node)->opno);
		case T_RowCompareExpr:
			return are_comparisons(((RowCompareExpr *) node)->opnos);
		case T_MinMaxExpr:
			return is_comparable(((MinMaxExpr *) node)->minmaxtype);
		case T_ArrayExpr:
			return !((ArrayExpr *) node)->multidims;
		case T_FuncExpr:
			return is_safe_function(((FuncExpr *) node)->funcid);
		case T_Aggref:
			return is_safe_aggregate((Aggref *) node);
		default:
			return false;
	}
}

static bool
is_comparison(Oid operator)
{
	Oid			left;
	Oid			right;

	op_input_types(operator, &left, &right);
	return is_comparable(left) && is_comparable(right) && tl_operator_meanings(operator) != NIL;
}

static bool
are_comparisons(const List *operators)
{
	ListCell   *cell;

	foreach(cell, operators)
		if (!is_comparison(lfirst_oid(cell)))
			return false;
	return true;
}

/* Any two values of it, without an error. */
static bool
is_comparable(Oid type)
{
	static const Oid types[] = {
		BOOLOID, CHAROID, INT2OID, INT4OID, INT8OID, NUMERICOID, TEXTOID, VARCHAROID, BPCHAROID, BYTEAOID,
		UUIDOID, DATEOID, TIMEOID, TIMETZOID, TIMESTAMPOID, TIMESTAMPTZOID, INTERVALOID, ANYENUMOID
	};

	type = getBaseType(type);
	for (size_t i = 0; i < lengthof(types); i++)
		if (types[i] == type)
			return true;
	return type == tl_table_ref_type() || get_typtype(type) == TYPTYPE_ENUM;
}

/* What a comparison of two types puts around one of them. */
static bool
is_safe_function(Oid function)
{
	static const Oid functions[] = {
		F_INT4_INT2, F_INT8_INT2, F_INT8_INT4, F_NUMERIC_INT2, F_NUMERIC_INT4, F_NUMERIC_INT8, F_TEXT_BPCHAR
	};

	for (size_t i = 0; i < lengthof(functions); i++)
		if (functions[i] == function)
			return true;
	return false;
}

/* Sums of what is bounded have room for any number of rows. */
static bool
is_safe_aggregate(const Aggref *aggregate)
{
	static const char *const of_any[] = {"count", "bool_and", "bool_or", "every"};
	static const char *const of_numbers[] = {"sum", "avg", "bit_and", "bit_or"};
	static const char *const extremes[] = {"min", "max"};
	const char *name = get_func_name(aggregate->aggfnoid);
	Oid			type;

	if (tl_contract_is_listed(of_any, lengthof(of_any), name))
		return true;
	if (list_length(aggregate->aggargtypes) != 1)
		return false;
	type = linitial_oid(aggregate->aggargtypes);
	if (tl_contract_is_listed(extremes, lengthof(extremes), name))
		return is_comparable(type);
	return tl_contract_is_listed(of_numbers, lengthof(of_numbers), name) &&
		(type == INT2OID || type == INT4OID || type == INT8OID ||
		 is_bounded((const Node *) linitial_node(TargetEntry, aggregate->args)->expr));
}

/* A column of numeric(p, s). */
static bool
is_bounded(const Node *node)
{
	int32		modifier;

	while (IsA(node, RelabelType))
		node = (const Node *) ((const RelabelType *) node)->arg;
	if (!IsA(node, Var))
		return false;
	modifier = ((const Var *) node)->vartypmod;
	return getBaseTypeAndTypmod(((const Var *) node)->vartype, &modifier) == NUMERICOID && modifier > (int32) VARHDRSZ;
}

static const char *
name_of(const Node *node)
{
	switch (nodeTag(node))
	{
		case T_OpExpr:
		case T_DistinctExpr:
		case T_NullIfExpr:
			return get_func_name(get_opcode(((const OpExpr *) node)->opno));
		case T_ScalarArrayOpExpr:
			return get_func_name(get_opcode(((const ScalarArrayOpExpr *) node)->opno));
		case T_FuncExpr:
			return get_func_name(((const FuncExpr *) node)->funcid);
		case T_Aggref:
			return get_func_name(((const Aggref *) node)->aggfnoid);
		case T_CoerceToDomain:
		case T_CoerceViaIO:
		case T_ArrayCoerceExpr:
			return "CAST";
		default:
			return "an expression";
	}
}
