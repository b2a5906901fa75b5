/*-------------------------------------------------------------------------
 *
 * contract_join.c
 *	  Is what a statement joins bounded by keys?
 *
 * What a statement reads cannot be counted while it runs: that follows from its plan, and
 * members may have different releases of PostgreSQL.  So it is judged when the contract is
 * deployed.  A join has no more rows than one of its tables, and a subquery that runs
 * for each row of a query reads one row each time, or all in all each row of its table once.
 *
 * A table is found by a key if all columns of a primary or unique key are compared by =
 * with constants, arguments, values of subqueries that run once, or columns of tables
 * before it.  Then:
 *
 * - Of the tables of a query all are found by keys but one, which is read as a whole.
 *   Rows of a subquery in FROM, of WITH or of VALUES are such a table without a key,
 *   unless it has one row at most.
 * - A subquery that names columns of the query around it runs for each row of that.
 *   So all its tables are found by keys; or one is by the first columns of an index,
 *   where each row of it leads back, by keys from these columns, to one row of the
 *   tables around it.  Around it is one row at most: it is a query as any other.
 * - Other subqueries run once, those behind IN too.  Where the query around them runs often, IN
 *   is a comparison with the columns of its tables; and where ALL, or ANY with another
 *   operator than =, looks for a value the subquery is read for each row.
 *
 * Arms of a UNION and subqueries beside each other are judged each by itself: what they
 * read adds up.  So do the statements of a call, which are counted (contract_meter.c,
 * contract_work.c).
 *
 * That the tables are joined in that way is for the planner, which is told of so many
 * rows that nothing else seems better (contract_planner.c).
 *
 * An index that is not unique is asked for in a first version, and in later ones of a
 * contract that has never made one: a member may drop such indexes, and members judge
 * alike.
 *
 * Invariants
 *	  J1  the rows of a join are at most as many as those of one of its tables
 *	  J2  what the subqueries of a query read grows with the sum of the rows of its
 *		  tables, and not with a product
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/genam.h"
#include "access/stratnum.h"
#include "access/table.h"
#include "catalog/pg_am.h"
#include "nodes/nodeFuncs.h"
#include "optimizer/optimizer.h"
#include "rewrite/rewriteManip.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"

#include "contract_change.h"
#include "contract_join.h"

/* What a query joins. */
typedef struct Source
{
	int			level;			/* from the outermost query that counts, which has 0 */
	int			place;			/* in its rtable */
	Oid			relation;		/* InvalidOid: rows of a query, or VALUES */
	bool		is_single;		/* it has one row at most */
	const char *name;
} Source;

typedef struct Column
{
	int			source;
	AttrNumber	number;
} Column;

/* A column that equals what is computed from others. */
typedef struct Equality
{
	Column		column;
	Oid			operator;		/* column operator value */
	Oid			collation;
	List	   *others;			/* of Column */
} Equality;

/* A query, with those around it for each row of which it runs. */
typedef struct Group
{
	List	   *queries;		/* the outermost first */
	List	   *sources;
	List	   *equalities;
} Group;

typedef struct Look
{
	TlRefusals *refusals;
	const TlQueryScope *scope;
	Group	   *group;			/* around the subqueries that are looked for */
} Look;

/* The columns in a value. */
typedef struct Others
{
	const Group *group;
	List	   *columns;
} Others;

/* What is known of a table of which not all columns are. */
typedef struct Part
{
	int			source;			/* -1: there is none */
	const Bitmapset *columns;
} Part;

static const Part none = {-1, NULL};

static void look_at_query(Look *outer, const Query *query, const Group *around, const List *equal);
static void look_at_part(Look *look, const Query *part, const Group *around);
static void add_sources(Group *group, const Query *query, const Node *from);
static bool is_single(const Group *group, const RangeTblEntry *entry);
static void add_equalities(Group *group, const Query *query, const Node *from);
static void add_condition(Group *group, const Node *condition, const Bitmapset *targets);
static void add_equality(Group *group, const Node *column, const Node *value, Oid operator, Oid collation,
						 const Bitmapset *targets);
static bool find_column(const Group *group, const Node *node, Column *out);
static int	find_source(const Group *group, int level, int place);
static bool others_walker(Node *node, void *context);
static bool is_of_target(const Group *group, const Var *column);
static Bitmapset *places_of(const Node *from);
static bool subquery_walker(Node *node, void *context);
static void look_at_sublink(Look *look, const SubLink *sublink);
static List *comparisons_of(const SubLink *sublink);
static void add_comparisons(Group *group, const Query *query, const List *comparisons);
static bool is_outward(const Query *query, const Group *group);
static void check(Look *look, const Group *group, int around);
static bool is_bounded(const Group *group, int around);
static bool leads_back(const Group *group, int around, int source);
static bool finds_rows(Relation index);
static Bitmapset *reach(const Group *group, Bitmapset *known, Part part);
static bool is_found(const Group *group, int source, const Bitmapset *known, Part part);
static bool has_equality(const Group *group, int source, Relation index, int place, const Bitmapset *known, Part part);
static bool is_known(const Equality *equality, const Bitmapset *known, Part part);
static Bitmapset *equal_columns(const Group *group, int source, Relation index, const Bitmapset *known);
static Bitmapset *all_equal_columns(const Group *group, int source, const Bitmapset *known);
static void refuse(Look *look, const Group *group, int around);
static char *names_of(const Group *group, int first, int end);

/* A statement. */
void
tl_contract_join(TlRefusals *refusals, const TlQueryScope *scope, const Query *query)
{
	Look		look = {.refusals = refusals,.scope = scope};

	look_at_query(&look, query, NULL, NIL);
}

/* With what it is compared to, if it stands behind IN. */
static void
look_at_query(Look *outer, const Query *query, const Group *around, const List *equal)
{
	Group		group = {NIL, NIL, NIL};
	Look		look = {outer->refusals, outer->scope, &group};
	int			before = 0;
	ListCell   *cell;

	if (around != NULL)
	{
		group.queries = list_copy(around->queries);
		group.sources = list_copy(around->sources);
		group.equalities = list_copy(around->equalities);
		before = list_length(group.sources);
	}
	group.queries = lappend(group.queries, unconstify(Query *, query));
	if (query->setOperations == NULL)
	{
		add_sources(&group, query, (const Node *) query->jointree);
		add_equalities(&group, query, (const Node *) query->jointree);
		add_comparisons(&group, query, equal);
	}
	check(&look, &group, before);
	foreach(cell, query->rtable)
	{
		const RangeTblEntry *entry = lfirst_node(RangeTblEntry, cell);

		if (entry->rtekind == RTE_SUBQUERY)
			look_at_part(&look, entry->subquery, around);
	}
	foreach(cell, query->cteList)
		look_at_part(&look, (const Query *) lfirst_node(CommonTableExpr, cell)->ctequery, around);
	(void) query_tree_walker(unconstify(Query *, query), subquery_walker, &look,
							 QTW_IGNORE_RT_SUBQUERIES | QTW_IGNORE_CTE_SUBQUERIES);
}

/* In FROM, WITH or a UNION: it runs as often as the query whose part it is, if not more often. */
static void
look_at_part(Look *look, const Query *part, const Group *around)
{
	look_at_query(look, part, around != NULL || is_outward(part, look->group) ? look->group : NULL, NIL);
}

static void
add_sources(Group *group, const Query *query, const Node *from)
{
	const RangeTblEntry *entry;
	Source	   *source;
	ListCell   *cell;

	if (from == NULL)
		return;
	if (IsA(from, FromExpr))
	{
		foreach(cell, ((const FromExpr *) from)->fromlist)
			add_sources(group, query, lfirst(cell));
		return;
	}
	if (IsA(from, JoinExpr))
	{
		add_sources(group, query, ((const JoinExpr *) from)->larg);
		add_sources(group, query, ((const JoinExpr *) from)->rarg);
		return;
	}
	source = palloc(sizeof(Source));
	source->level = list_length(group->queries) - 1;
	source->place = ((const RangeTblRef *) from)->rtindex;
	entry = list_nth_node(RangeTblEntry, query->rtable, source->place - 1);
	source->relation = entry->rtekind == RTE_RELATION ? entry->relid : InvalidOid;
	source->is_single = is_single(group, entry);
	source->name = entry->eref->aliasname;
	group->sources = lappend(group->sources, source);
}

static bool
is_single(const Group *group, const RangeTblEntry *entry)
{
	int			level = list_length(group->queries) - 1 - (int) entry->ctelevelsup;
	ListCell   *cell;

	if (entry->rtekind == RTE_SUBQUERY)
		return tl_contract_query_has_one_row(entry->subquery);
	if (entry->rtekind == RTE_VALUES)
		return list_length(entry->values_lists) == 1;
	if (entry->rtekind != RTE_CTE || level < 0)
		return false;
	foreach(cell, list_nth_node(Query, group->queries, level)->cteList)
	{
		const CommonTableExpr *expression = lfirst_node(CommonTableExpr, cell);

		if (strcmp(expression->ctename, entry->ctename) == 0)
			return tl_contract_query_has_one_row((const Query *) expression->ctequery);
	}
	return false;
}

/*
 * The condition of an outer join says which rows of the other side there are, and leaves out none of the one.
 * Of the queries around, WHERE alone leaves out rows.
 */
static void
add_equalities(Group *group, const Query *query, const Node *from)
{
	const JoinExpr *join = (const JoinExpr *) from;
	ListCell   *cell;

	if (from == NULL)
		return;
	if (IsA(from, FromExpr))
	{
		foreach(cell, ((const FromExpr *) from)->fromlist)
			add_equalities(group, query, lfirst(cell));
		add_condition(group, ((const FromExpr *) from)->quals, NULL);
	}
	if (!IsA(from, JoinExpr))
		return;
	add_equalities(group, query, join->larg);
	add_equalities(group, query, join->rarg);
	if (join->jointype == JOIN_INNER)
		add_condition(group, join->quals, bms_union(places_of(join->larg), places_of(join->rarg)));
	else if (join->jointype == JOIN_LEFT)
		add_condition(group, join->quals, places_of(join->rarg));
	else if (join->jointype == JOIN_RIGHT)
		add_condition(group, join->quals, places_of(join->larg));
}

static Bitmapset *
places_of(const Node *from)
{
	if (IsA(from, JoinExpr))
		return bms_union(places_of(((const JoinExpr *) from)->larg), places_of(((const JoinExpr *) from)->rarg));
	return bms_make_singleton(((const RangeTblRef *) from)->rtindex);
}

/* Of columns of the targets in this query alone, if there are any. */
static void
add_condition(Group *group, const Node *condition, const Bitmapset *targets)
{
	ListCell   *cell;

	foreach(cell, tl_contract_query_conjuncts(condition))
	{
		const OpExpr *operation = lfirst(cell);

		if (!IsA(operation, OpExpr) || list_length(operation->args) != 2)
			continue;
		add_equality(group, linitial(operation->args), lsecond(operation->args), operation->opno,
					 operation->inputcollid, targets);
		add_equality(group, lsecond(operation->args), linitial(operation->args), get_commutator(operation->opno),
					 operation->inputcollid, targets);
	}
}

/* Whether it is one is for the index to say. */
static void
add_equality(Group *group, const Node *column, const Node *value, Oid operator, Oid collation,
			 const Bitmapset *targets)
{
	Equality   *equality = palloc0(sizeof(Equality));
	Others		others = {.group = group};
	const Source *source;

	if (!find_column(group, column, &equality->column))
		return;
	source = list_nth(group->sources, equality->column.source);
	if (targets != NULL &&
		(source->level != list_length(group->queries) - 1 || !bms_is_member(source->place, targets)))
		return;
	if (others_walker(unconstify(Node *, value), &others))
		return;
	equality->others = others.columns;
	equality->operator = operator;
	equality->collation = collation;
	group->equalities = lappend(group->equalities, equality);
}

/* True: a value may be something else than a column of a table as it is, or a constant. */
static bool
others_walker(Node *node, void *context)
{
	Others	   *others = context;
	Column	   *column;

	if (node == NULL)
		return false;
	if (IsA(node, SubLink))
		return ((SubLink *) node)->subLinkType != EXPR_SUBLINK ||
			is_outward((const Query *) ((SubLink *) node)->subselect, others->group);
	if (IsA(node, Var))
	{
		column = palloc(sizeof(Column));
		if (!find_column(others->group, node, column))
			return !is_of_target(others->group, (const Var *) node);
		others->columns = lappend(others->columns, column);
		return false;
	}
	return expression_tree_walker(node, others_walker, context);
}

/* Is it of what is inserted, or of the row that is there already?  That is one row (contract_query.c). */
static bool
is_of_target(const Group *group, const Var *column)
{
	int			level = list_length(group->queries) - 1 - (int) column->varlevelsup;
	const Query *query = list_nth_node(Query, group->queries, level);

	return query->commandType == CMD_INSERT && find_source(group, level, column->varno) < 0 &&
		list_nth_node(RangeTblEntry, query->rtable, column->varno - 1)->rtekind == RTE_RELATION;
}

/* A column of a table, as it is. */
static bool
find_column(const Group *group, const Node *node, Column *out)
{
	const Var  *column;

	while (IsA(node, RelabelType))
		node = (const Node *) ((const RelabelType *) node)->arg;
	column = (const Var *) node;
	if (!IsA(node, Var) || column->varattno <= 0)
		return false;
	out->source = find_source(group, list_length(group->queries) - 1 - (int) column->varlevelsup, column->varno);
	out->number = column->varattno;
	return out->source >= 0;
}

/* -1: there is none. */
static int
find_source(const Group *group, int level, int place)
{
	ListCell   *cell;

	foreach(cell, group->sources)
	{
		const Source *source = lfirst(cell);

		if (source->level == level && source->place == place)
			return foreach_current_index(cell);
	}
	return -1;
}

static bool
subquery_walker(Node *node, void *context)
{
	if (node == NULL)
		return false;
	if (IsA(node, SubLink))
	{
		look_at_sublink(context, (const SubLink *) node);
		return subquery_walker(((SubLink *) node)->testexpr, context);
	}
	return expression_tree_walker(node, subquery_walker, context);
}

static void
look_at_sublink(Look *look, const SubLink *sublink)
{
	const Query *query = (const Query *) sublink->subselect;
	List	   *comparisons = comparisons_of(sublink);

	if (is_outward(query, look->group) || sublink->subLinkType == ALL_SUBLINK ||
		(sublink->subLinkType == ANY_SUBLINK && comparisons == NIL))
		look_at_query(look, query, look->group, NIL);
	else if (sublink->subLinkType == ANY_SUBLINK && list_length(look->group->queries) > 1)
		look_at_query(look, query, look->group, comparisons);
	else
		look_at_query(look, query, NULL, NIL);
}

/* IN: what is compared with each column.  NIL if that is not by =. */
static List *
comparisons_of(const SubLink *sublink)
{
	List	   *all = NIL;
	ListCell   *cell;

	if (sublink->subLinkType != ANY_SUBLINK || sublink->testexpr == NULL)
		return NIL;
	all = IsA(sublink->testexpr, BoolExpr) ? ((BoolExpr *) sublink->testexpr)->args : list_make1(sublink->testexpr);
	foreach(cell, all)
	{
		const OpExpr *operation = lfirst(cell);

		if (!IsA(operation, OpExpr) || !op_hashjoinable(operation->opno, exprType(linitial(operation->args))))
			return NIL;
	}
	return all;
}

/* They are made for the query around it. */
static void
add_comparisons(Group *group, const Query *query, const List *comparisons)
{
	ListCell   *cell;

	if (query->groupClause != NIL || query->distinctClause != NIL || query->hasAggs)
		return;
	foreach(cell, comparisons)
	{
		const OpExpr *operation = lfirst(cell);
		Node	   *value = copyObject(linitial(operation->args));
		const Node *side = lsecond(operation->args);
		const Param *parameter;

		while (IsA(side, RelabelType))
			side = (const Node *) ((const RelabelType *) side)->arg;
		parameter = (const Param *) side;
		if (!IsA(side, Param) || parameter->paramkind != PARAM_SUBLINK)
			continue;
		IncrementVarSublevelsUp(value, 1, 0);
		side = (const Node *) list_nth_node(TargetEntry, query->targetList, parameter->paramid - 1)->expr;
		add_equality(group, value, side, operation->opno, operation->inputcollid, NULL);
		add_equality(group, side, value, get_commutator(operation->opno), operation->inputcollid, NULL);
	}
}

/* Does a query in one of this group name columns of these? */
static bool
is_outward(const Query *query, const Group *group)
{
	for (int i = 1; i <= list_length(group->queries); i++)
		if (contain_vars_of_level((Node *) query, i))
			return true;
	return false;
}

/* J1, J2 */
static void
check(Look *look, const Group *group, int around)
{
	if (!is_bounded(group, around))
		refuse(look, group, around);
}

static bool
is_bounded(const Group *group, int around)
{
	int			count = list_length(group->sources);
	Bitmapset  *outer = around > 0 ? bms_add_range(NULL, 0, around - 1) : NULL;
	Bitmapset  *all = count > 0 ? bms_add_range(NULL, 0, count - 1) : NULL;
	bool		once = bms_is_subset(outer, reach(group, NULL, none));

	if (bms_is_subset(all, reach(group, bms_copy(outer), none)))
		return true;
	for (int i = around; i < count; i++)
		if (bms_is_subset(all, reach(group, bms_add_member(bms_copy(outer), i), none)) &&
			(once || leads_back(group, around, i)))
			return true;
	return false;
}

/* From the columns by which an index finds it. */
static bool
leads_back(const Group *group, int around, int number)
{
	const Source *source = list_nth(group->sources, number);
	Bitmapset  *outer = bms_add_range(NULL, 0, around - 1);
	Relation	relation;
	ListCell   *cell;
	bool		result = false;

	if (!OidIsValid(source->relation))
		return false;
	relation = table_open(source->relation, AccessShareLock);
	foreach(cell, RelationGetIndexList(relation))
	{
		Relation	index = index_open(lfirst_oid(cell), AccessShareLock);
		Part		part = {number, equal_columns(group, number, index, outer)};

		if (finds_rows(index) && tl_contract_names_own(lfirst_oid(cell)) == NULL && !bms_is_empty(part.columns))
			result |= bms_is_subset(outer, reach(group, NULL, part));
		index_close(index, AccessShareLock);
	}
	table_close(relation, AccessShareLock);
	if (!result && tl_contract_names_lost())
	{
		Part		part = {number, all_equal_columns(group, number, outer)};

		result = !bms_is_empty(part.columns) && bms_is_subset(outer, reach(group, NULL, part));
	}
	return result;
}

/* By what they equal: others read all of their pages, or take the strategy's number for something else. */
static bool
finds_rows(Relation index)
{
	return index->rd_rel->relam == BTREE_AM_OID || index->rd_rel->relam == HASH_AM_OID;
}

/* Those that are known when the known ones are, and of the part its columns. */
static Bitmapset *
reach(const Group *group, Bitmapset *known, Part part)
{
	bool		again = true;

	while (again)
	{
		again = false;
		for (int i = 0; i < list_length(group->sources); i++)
			if (!bms_is_member(i, known) && is_found(group, i, known, part))
			{
				known = bms_add_member(known, i);
				again = true;
			}
	}
	return known;
}

/* By a key. */
static bool
is_found(const Group *group, int number, const Bitmapset *known, Part part)
{
	const Source *source = list_nth(group->sources, number);
	Relation	relation;
	ListCell   *cell;
	bool		result = source->is_single;

	if (result || !OidIsValid(source->relation))
		return result;
	relation = table_open(source->relation, AccessShareLock);
	foreach(cell, RelationGetIndexList(relation))
	{
		Relation	index = index_open(lfirst_oid(cell), AccessShareLock);
		bool		has_all = index->rd_index->indisunique && finds_rows(index);

		for (int i = 0; has_all && i < index->rd_index->indnkeyatts; i++)
			has_all = has_equality(group, number, index, i, known, part);
		result |= has_all;
		index_close(index, AccessShareLock);
	}
	table_close(relation, AccessShareLock);
	return result;
}

/* Does that column of the index equal what is known? */
static bool
has_equality(const Group *group, int number, Relation index, int place, const Bitmapset *known, Part part)
{
	ListCell   *cell;

	foreach(cell, group->equalities)
	{
		const Equality *equality = lfirst(cell);
		Oid			collation = index->rd_indcollation[place];
		int			strategy = index->rd_rel->relam == HASH_AM_OID ? HTEqualStrategyNumber : BTEqualStrategyNumber;

		if (equality->column.source == number &&
			equality->column.number == index->rd_index->indkey.values[place] &&
			get_op_opfamily_strategy(equality->operator, index->rd_opfamily[place]) == strategy &&
			(!OidIsValid(collation) || collation == equality->collation) &&
			is_known(equality, known, part))
			return true;
	}
	return false;
}

static bool
is_known(const Equality *equality, const Bitmapset *known, Part part)
{
	ListCell   *cell;

	foreach(cell, equality->others)
	{
		const Column *column = lfirst(cell);

		if (!bms_is_member(column->source, known) &&
			(column->source != part.source || !bms_is_member(column->number, part.columns)))
			return false;
	}
	return true;
}

/* The first ones of an index. */
static Bitmapset *
equal_columns(const Group *group, int number, Relation index, const Bitmapset *known)
{
	Bitmapset  *result = NULL;

	for (int i = 0; i < index->rd_index->indnkeyatts && has_equality(group, number, index, i, known, none); i++)
		result = bms_add_member(result, index->rd_index->indkey.values[i]);
	return result;
}

/* As if there were an index on them. */
static Bitmapset *
all_equal_columns(const Group *group, int number, const Bitmapset *known)
{
	Bitmapset  *result = NULL;
	ListCell   *cell;

	foreach(cell, group->equalities)
	{
		const Equality *equality = lfirst(cell);
		const Source *source = list_nth(group->sources, number);

		if (equality->column.source == number && is_known(equality, known, none) &&
			op_hashjoinable(equality->operator, get_atttype(source->relation, equality->column.number)))
			result = bms_add_member(result, equality->column.number);
	}
	return result;
}

static void
refuse(Look *look, const Group *group, int around)
{
	int			count = list_length(group->sources);

	if (around == 0)
		tl_contract_refuse_within(look->refusals, look->scope->where, psprintf("a join of %s", names_of(group, 0, count)),
								  "no key bounds it, so it may have as many rows as the product of theirs",
								  "in all tables but one each column of a key = columns of the others, arguments or constants");
	else
		tl_contract_refuse_within(look->refusals, look->scope->where, psprintf("a subquery of %s", names_of(group, around, count)),
								  psprintf("no key bounds what it reads for each row of %s", names_of(group, 0, around)),
								  "each column of a key in it, or the first columns of an index = a key there; or a statement of its own");
}

static char *
names_of(const Group *group, int first, int end)
{
	char	   *names = NULL;

	for (int i = first; i < end; i++)
		names = names == NULL ? pstrdup(((const Source *) list_nth(group->sources, i))->name) :
			psprintf("%s%s%s", names, i == end - 1 ? " and " : ", ", ((const Source *) list_nth(group->sources, i))->name);
	return names;
}
