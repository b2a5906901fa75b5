/*-------------------------------------------------------------------------
 *
 * contract_planner.c
 *	  What the planner is told of a contract's tables.
 *
 * What a call does follows from the state and its arguments, whatever its plans are.
 * How long it takes does not: with other statistics, or another index, the same
 * statement reads ten rows at one member and a million at the next, and blocks wait
 * there.  So plans for calls follow from the schema alone.  While they are made, ledger and
 * state tables have no statistics, neither of columns nor extended ones, and no
 * indexes that this member has made; each has ROWS rows, one on a page, however many
 * there are.  So whatever can be found by an index is, in a table that is empty as in one
 * that is full, and tables are joined by their keys.
 *
 * The settings by which costs are counted are pinned with the others
 * (contract_execute.c), all but the memory for a sort or a table of hashes.  That is the
 * server's while a statement runs, and without a bound where it is planned: otherwise
 * NOT IN (SELECT ...) of a table that is too large by this count would read it once
 * for each row.  Joins by hash are off there, since they are laid out by how many
 * rows are expected.
 *
 * The library's own statements are on other tables: those that are planned first while a block's
 * calls run have the pinned settings too, and go by the indexes of these tables all the same.
 *
 * Invariants
 *	  A1  a plan for a call follows from the schema of its contract and the release of
 *		  PostgreSQL, but for indexes of the contract that this member has dropped, or
 *		  that PostgreSQL leaves alone for a while, since they were made when rows had just changed
 *	  A2  no plan for a call uses an index that this member has made
 *
 * All plans of a contract's statements are made here: in the worker's process nothing else
 * runs them, and one that is kept and has become invalid is made anew when it is
 * used.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "catalog/index.h"
#include "optimizer/plancat.h"
#include "optimizer/planner.h"
#include "utils/guc.h"
#include "utils/lsyscache.h"
#include "utils/selfuncs.h"

#include "contract_change.h"
#include "contract_planner.h"
#include "contract_setting.h"
#include "table_catalog.h"
#include "table_contract.h"
#include "table_filter.h"
#include "table_state.h"

/*
 * So many that three columns which equal constants, each said to have 200 values,
 * leave more than one row: a join by a key is better than one without.
 */
#define ROWS			10000000
#define PAGES			ROWS
#define INDEX_PAGES		(ROWS / 100)
#define INDEX_HEIGHT	3

/* There is none, so it has no costs of its own. */
#define NO_TABLESPACE	((Oid) 1)

static const TlSetting settings[] = {
	{"hash_mem_multiplier", "1"},
	{"work_mem", "1TB"}
};

static planner_hook_type next_planner = NULL;
static get_relation_info_hook_type next_relation_info = NULL;
static get_relation_stats_hook_type next_relation_stats = NULL;
static get_index_stats_hook_type next_index_stats = NULL;
static get_attavgwidth_hook_type next_width = NULL;

static PlannedStmt *on_plan(Query *query, const char *text, int options, ParamListInfo parameters);
static void on_relation_info(PlannerInfo *root, Oid relation, bool is_parent, RelOptInfo *out);
static bool on_relation_stats(PlannerInfo *root, RangeTblEntry *entry, AttrNumber column, VariableStatData *out);
static bool on_index_stats(PlannerInfo *root, Oid index, AttrNumber column, VariableStatData *out);
static int32 on_width(Oid relation, AttrNumber column);
static bool is_ours(Oid relation);
static bool is_own(const IndexOptInfo *index, Oid schema);

void
tl_contract_planner_init(void)
{
	next_planner = planner_hook;
	planner_hook = on_plan;
	next_relation_info = get_relation_info_hook;
	get_relation_info_hook = on_relation_info;
	next_relation_stats = get_relation_stats_hook;
	get_relation_stats_hook = on_relation_stats;
	next_index_stats = get_index_stats_hook;
	get_index_stats_hook = on_index_stats;
	next_width = get_attavgwidth_hook;
	get_attavgwidth_hook = on_width;
}

/* After an error the settings go with the subtransaction. */
static PlannedStmt *
on_plan(Query *query, const char *text, int options, ParamListInfo parameters)
{
	planner_hook_type planner_here = next_planner != NULL ? next_planner : standard_planner;
	PlannedStmt *result;
	int			level;

	if (!tl_table_filter_planning())
		return planner_here(query, text, options, parameters);
	level = NewGUCNestLevel();
	tl_contract_setting_pin(settings, lengthof(settings));
	result = planner_here(query, text, options, parameters);
	AtEOXact_GUC(true, level);
	return result;
}

/* A1, A2 */
static void
on_relation_info(PlannerInfo *root, Oid relation, bool is_parent, RelOptInfo *out)
{
	Oid			schema = get_rel_namespace(relation);
	ListCell   *cell;

	if (next_relation_info != NULL)
		next_relation_info(root, relation, is_parent, out);
	if (!is_ours(relation))
		return;
	out->pages = PAGES;
	out->tuples = ROWS;
	out->allvisfrac = 0;
	out->statlist = NIL;
	out->reltablespace = NO_TABLESPACE;
	foreach(cell, out->indexlist)
	{
		IndexOptInfo *index = lfirst_node(IndexOptInfo, cell);

		index->pages = INDEX_PAGES;
		index->tuples = ROWS;
		index->tree_height = INDEX_HEIGHT;
		index->reltablespace = NO_TABLESPACE;
		if (is_own(index, schema))
			out->indexlist = foreach_delete_current(out->indexlist, cell);
	}
}

/* Of a column, there are none. */
static bool
on_relation_stats(PlannerInfo *root, RangeTblEntry *entry, AttrNumber column, VariableStatData *out)
{
	if (entry->rtekind == RTE_RELATION && is_ours(entry->relid))
	{
		out->statsTuple = NULL;
		return true;
	}
	return next_relation_stats != NULL && next_relation_stats(root, entry, column, out);
}

/* Nor of an expression in an index, nor how far an index goes along with its table. */
static bool
on_index_stats(PlannerInfo *root, Oid index, AttrNumber column, VariableStatData *out)
{
	if (is_ours(IndexGetRelation(index, true)))
	{
		out->statsTuple = NULL;
		return true;
	}
	return next_index_stats != NULL && next_index_stats(root, index, column, out);
}

/* As wide as its type says. */
static int32
on_width(Oid relation, AttrNumber column)
{
	Oid			type;
	int32		modifier;
	Oid			collation;

	if (!is_ours(relation))
		return next_width != NULL ? next_width(relation, column) : 0;
	get_atttypetypmodcoll(relation, column, &type, &modifier, &collation);
	return get_typavgwidth(type, modifier);
}

static bool
is_ours(Oid relation)
{
	return tl_table_filter_planning() &&
		(tl_table_state_is_state(relation) || tl_table_catalog_is_ledger(relation));
}

/* Has this member made it?  While a script runs it has another name (contract_names.c). */
static bool
is_own(const IndexOptInfo *index, Oid schema)
{
	if (index->unique || !tl_table_contract_owns(schema))
		return false;
	if (tl_table_contract_running() != NULL)
		return tl_contract_names_own(index->indexoid) != NULL;
	return !tl_table_contract_has_index(schema, get_rel_name(index->indexoid));
}
