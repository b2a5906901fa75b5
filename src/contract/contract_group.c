/*-------------------------------------------------------------------------
 *
 * contract_group.c
 *	  Queries in the form in which all releases of PostgreSQL can be judged alike.
 *
 * Since 18 a query with GROUP BY has what it groups by in an entry of its range table, and
 * whatever else in it says the same is a column of that entry.  So a division would hide
 * behind a column, and a key of a table would be none.  Before a query is judged
 * the expressions are put back to where they were said, as the planner does.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "nodes/nodeFuncs.h"
#include "optimizer/optimizer.h"

#include "contract_group.h"
#include "tl_compat.h"

static bool walker(Node *node, void *context);
static void put_back(Query *query);

/* With all queries in it. */
void
tl_contract_group(Query *query)
{
	(void) walker((Node *) query, NULL);
}

static bool
walker(Node *node, void *context)
{
	if (node == NULL)
		return false;
	if (!IsA(node, Query))
		return expression_tree_walker(node, walker, context);
	if (tl_query_has_groups((Query *) node))
		put_back((Query *) node);
	return query_tree_walker((Query *) node, walker, context, 0);
}

static void
put_back(Query *query)
{
	ListCell   *cell;

	query->targetList = (List *) tl_query_without_groups(query, (Node *) query->targetList);
	query->havingQual = tl_query_without_groups(query, query->havingQual);
	foreach(cell, query->rtable)
		tl_entry_drop_groups(lfirst_node(RangeTblEntry, cell));
}
