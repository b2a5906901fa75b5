/*-------------------------------------------------------------------------
 *
 * contract_work.c
 *	  How much work a contract's function may ask for.
 *
 * A function calls those that were made before it, so there is no recursion; but
 * thirty that call the one before twice would call the first a thousand million
 * times.  So the calls below each function are counted when it is made: what
 * those that it calls need is known by then.  Relations of a statement are
 * counted as well, since a join of n relations may have as many rows as the
 * product of theirs.
 *
 * Functions in PL/pgSQL look up names when they run, and are judged once more when
 * all of the script is there.  They could call themselves, or each other.
 *
 * A new version replaces functions by others that call new ones.  So there it is
 * asked whether a call leads back, and functions are judged once more in the order
 * in which they call each other (contract_again.c).
 *
 * Invariants
 *	  K1  below a call are at most CALLS_MAX others, at most CALL_DEPTH_MAX deep
 *	  K2  a statement names at most RELATIONS_MAX relations, in all of its parts
 *	  K3  a function calls none that was made after it, nor itself; in a new
 *		  version: no calls lead from it to itself
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "nodes/nodeFuncs.h"
#include "utils/hsearch.h"
#include "utils/lsyscache.h"

#include "contract_work.h"

#define CALLS_MAX		1000
#define CALL_DEPTH_MAX	32
#define RELATIONS_MAX	8

/* Of one function, itself not counted. */
typedef struct Work
{
	Oid			function;
	int			number;			/* in the order in which they were made */
	int			calls;			/* CALLS_MAX + 1 stands for any number above */
	int			depth;
} Work;

typedef struct Look
{
	HTAB	   *known;
	Oid			schema;
	Work		work;
	int			relations;
	bool		recursive;
} Look;

static HTAB *table_of(TlRefusals *refusals);
static bool walker(Node *node, void *context);
static void add_call(Look *look, Oid function);

void
tl_contract_work(TlRefusals *refusals, const TlQueryScope *scope, Oid function, const List *queries)
{
	Look		look = {.known = table_of(refusals), .schema = scope->schema};
	const Work *before = hash_search(look.known, &function, HASH_FIND, NULL);
	int			relations = 0;
	ListCell   *cell;

	look.work.function = function;
	look.work.number = before != NULL ? before->number : (int) hash_get_num_entries(look.known);
	foreach(cell, queries)
	{
		look.relations = 0;
		(void) walker(lfirst(cell), &look);
		relations = Max(relations, look.relations);
	}
	memcpy(hash_search(look.known, &function, HASH_ENTER, NULL), &look.work, sizeof(look.work));
	if (look.work.calls > CALLS_MAX || look.work.depth > CALL_DEPTH_MAX)
		tl_contract_refuse(refusals, -1, psprintf("%s with calls", scope->where),
						   psprintf("below it are more than %d calls, or they are more than %d deep", CALLS_MAX, CALL_DEPTH_MAX),
						   "fewer calls of other functions");
	if (look.recursive && !refusals->is_change)
		tl_contract_refuse(refusals, -1, psprintf("%s with a call of itself, or of a later function", scope->where),
						   "it may have no end", "a loop; functions in the order in which they call each other");
	if (relations > RELATIONS_MAX)
		tl_contract_refuse(refusals, -1, psprintf("%s with %d tables in a statement", scope->where, relations),
						   psprintf("more than %d may have more rows than a server can join", RELATIONS_MAX),
						   "several statements");
}

/* Of the functions that the script has made so far. */
static HTAB *
table_of(TlRefusals *refusals)
{
	HASHCTL		control = {.keysize = sizeof(Oid), .entrysize = sizeof(Work), .hcxt = refusals->context};

	if (refusals->work == NULL)
		refusals->work = hash_create("telco_ledger contract work", 64, &control, HASH_ELEM | HASH_BLOBS | HASH_CONTEXT);
	return refusals->work;
}

static bool
walker(Node *node, void *context)
{
	Look	   *look = context;

	if (node == NULL)
		return false;
	if (IsA(node, Query))
		return query_tree_walker((Query *) node, walker, context, QTW_EXAMINE_RTES_BEFORE);
	if (IsA(node, RangeTblEntry))
	{
		look->relations += ((RangeTblEntry *) node)->rtekind == RTE_RELATION;
		return false;			/* what is in it comes next */
	}
	if (IsA(node, FuncExpr) && get_func_namespace(((FuncExpr *) node)->funcid) == look->schema)
		add_call(look, ((FuncExpr *) node)->funcid);
	return expression_tree_walker(node, walker, context);
}

static void
add_call(Look *look, Oid function)
{
	const Work *callee = hash_search(look->known, &function, HASH_FIND, NULL);

	look->recursive |= function == look->work.function ||
		(callee != NULL && callee->number >= look->work.number);
	look->work.calls = Min(CALLS_MAX + 1, look->work.calls + 1 + (callee != NULL ? callee->calls : 0));
	look->work.depth = Max(look->work.depth, 1 + (callee != NULL ? callee->depth : 0));
}
