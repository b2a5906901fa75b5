/*-------------------------------------------------------------------------
 *
 * contract_again.c
 *	  All functions of a contract, judged as they are after a new version.
 *
 * A new version may take away what made a function of an older one certain: a
 * primary key, a constraint, a column, the function that it calls.  Names in
 * PL/pgSQL may have come to mean something else.  So when the script has run, and
 * before one of its statements calls a function, every function of the contract is
 * judged as it is then, the old ones too; those that others call come first, since
 * how much work is below a function is counted (contract_work.c).
 *
 * PL/pgSQL keeps what it has compiled as long as a server process lives, and looks
 * only whether the function is another one by then, not at the columns whose types
 * its variables have (%TYPE).  So after a statement that changed definitions, and
 * before anything is judged or called, these functions are stored anew: every
 * process compiles them again.
 *
 * What is refused of a function that the script does not have names its first line.
 *
 * A call that leads back to its function is refused where the script makes it, if it
 * is one of functions in SQL, which nobody could plan.  One through PL/pgSQL, whose
 * names are looked up later, is found here.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/genam.h"
#include "access/htup_details.h"
#include "access/table.h"
#include "access/xact.h"
#include "catalog/indexing.h"
#include "catalog/pg_proc.h"
#include "commands/proclang.h"
#include "miscadmin.h"
#include "nodes/nodeFuncs.h"
#include "utils/builtins.h"
#include "utils/fmgroids.h"
#include "utils/lsyscache.h"
#include "utils/syscache.h"

#include "contract_change.h"
#include "contract_function.h"
#include "contract_run.h"

typedef struct Walk
{
	TlRefusals *refusals;
	List	   *done;			/* of Oid: judged, or about to be */
	List	   *path;			/* of Oid: those that call each other, to the one looked at */
} Walk;

typedef struct One
{
	Oid			function;
	List	   *callees;		/* of Oid */
} One;

/* Functions of the contract that queries call. */
typedef struct Look
{
	Oid			schema;
	List	   *callees;
} Look;

static void store_anew(Relation catalog, Oid function, Oid language);
static List *functions_of(Oid schema);
static int	compare_names(const ListCell *left, const ListCell *right);
static void judge(Walk *walk, Oid function);
static int	place_of(const TlRefusals *refusals, Oid function);
static void find_callees(TlRefusals *refusals, void *argument);
static void judge_one(TlRefusals *refusals, void *argument);
static List *callees_of(List *queries, Oid schema);
static bool walker(Node *node, void *context);
static bool leads_to(Oid function, Oid target, Oid schema, List **seen);

/* A statement changes definitions. */
void
tl_contract_again_needed(TlRefusals *refusals)
{
	refusals->is_stale = true;
	refusals->is_judged = false;
}

void
tl_contract_again(TlRefusals *refusals)
{
	Walk		walk = {.refusals = refusals};
	int			statement = refusals->statement;
	int			before = tl_contract_count(refusals);
	ListCell   *cell;

	if (refusals->is_judged)
		return;
	tl_contract_again_compile(refusals);
	refusals->work = NULL;
	foreach(cell, functions_of(refusals->schema))
		judge(&walk, lfirst_oid(cell));
	refusals->statement = statement;
	refusals->is_judged = tl_contract_count(refusals) == before;
}

/* What was compiled before definitions changed is not used any more. */
void
tl_contract_again_compile(TlRefusals *refusals)
{
	Relation	catalog;
	Oid			language;
	ListCell   *cell;

	if (!refusals->is_stale)
		return;
	catalog = table_open(ProcedureRelationId, RowExclusiveLock);
	language = get_language_oid("plpgsql", false);
	foreach(cell, functions_of(refusals->schema))
		store_anew(catalog, lfirst_oid(cell), language);
	table_close(catalog, RowExclusiveLock);
	CommandCounterIncrement();
	refusals->is_stale = false;
}

static void
store_anew(Relation catalog, Oid function, Oid language)
{
	HeapTuple	tuple = SearchSysCacheCopy1(PROCOID, ObjectIdGetDatum(function));

	if (!HeapTupleIsValid(tuple))
		elog(ERROR, "cache lookup failed for function %u", function);
	if (((Form_pg_proc) GETSTRUCT(tuple))->prolang == language)
		CatalogTupleUpdate(catalog, &tuple->t_self, tuple);
	heap_freetuple(tuple);
}

/* Those of the contract, by name: so what is refused first is the same everywhere. */
static List *
functions_of(Oid schema)
{
	Relation	catalog = table_open(ProcedureRelationId, AccessShareLock);
	ScanKeyData key;
	SysScanDesc scan;
	HeapTuple	tuple;
	List	   *functions = NIL;

	ScanKeyInit(&key, Anum_pg_proc_pronamespace, BTEqualStrategyNumber, F_OIDEQ, ObjectIdGetDatum(schema));
	scan = systable_beginscan(catalog, InvalidOid, false, NULL, 1, &key);
	while (HeapTupleIsValid(tuple = systable_getnext(scan)))
	{
		Form_pg_proc form = (Form_pg_proc) GETSTRUCT(tuple);

		if (!form->prosecdef && strcmp(NameStr(form->proname), TL_MIGRATION) != 0)
			functions = lappend_oid(functions, form->oid);
	}
	systable_endscan(scan);
	table_close(catalog, AccessShareLock);
	list_sort(functions, compare_names);
	return functions;
}

static int
compare_names(const ListCell *left, const ListCell *right)
{
	return strcmp(get_func_name(lfirst_oid(left)), get_func_name(lfirst_oid(right)));
}

static void
judge(Walk *walk, Oid function)
{
	TlRefusals *refusals = walk->refusals;
	One			one = {.function = function};
	bool		leads_back = false;
	ListCell   *cell;

	CHECK_FOR_INTERRUPTS();
	check_stack_depth();
	if (list_member_oid(walk->done, function))
		return;
	walk->done = lappend_oid(walk->done, function);
	walk->path = lappend_oid(walk->path, function);
	refusals->statement = place_of(refusals, function);
	if (tl_contract_run_part(refusals, find_callees, &one))
	{
		foreach(cell, one.callees)
		{
			if (list_member_oid(walk->path, lfirst_oid(cell)))
				leads_back = true;
			else
				judge(walk, lfirst_oid(cell));
		}
		refusals->statement = place_of(refusals, function);
		if (leads_back)
			tl_contract_again_refuse_cycle(refusals, function);
		else
			(void) tl_contract_run_part(refusals, judge_one, &one);
	}
	walk->path = list_delete_last(walk->path);
}

/* Where the script makes it; its first line if it does not. */
static int
place_of(const TlRefusals *refusals, Oid function)
{
	int			place = 0;
	ListCell   *cell;

	foreach(cell, refusals->bodies)
		if (((const TlLateBody *) lfirst(cell))->function == function)
			place = ((const TlLateBody *) lfirst(cell))->statement;
	return place;
}

static void
find_callees(TlRefusals *refusals, void *argument)
{
	One		   *one = argument;

	one->callees = callees_of(tl_contract_function_all_queries(refusals, one->function), refusals->schema);
}

static void
judge_one(TlRefusals *refusals, void *argument)
{
	const One  *one = argument;

	tl_contract_function_again(refusals, one->function, refusals->schema);
}

static List *
callees_of(List *queries, Oid schema)
{
	Look		look = {.schema = schema};

	(void) walker((Node *) queries, &look);
	return look.callees;
}

static bool
walker(Node *node, void *context)
{
	Look	   *look = context;

	if (node == NULL)
		return false;
	if (IsA(node, Query))
		return query_tree_walker((Query *) node, walker, context, 0);
	if (IsA(node, FuncExpr) && get_func_namespace(((FuncExpr *) node)->funcid) == look->schema)
		look->callees = list_append_unique_oid(look->callees, ((FuncExpr *) node)->funcid);
	return expression_tree_walker(node, walker, context);
}

void
tl_contract_again_refuse_cycle(TlRefusals *refusals, Oid function)
{
	tl_contract_refuse(refusals, -1, psprintf("FUNCTION %s with a call that leads back to it", get_func_name(function)),
					   "it may have no end", "a loop");
}

/* Does it call itself, through functions in SQL?  PostgreSQL may run these to plan it. */
bool
tl_contract_again_is_cyclic(Oid function, Oid schema)
{
	List	   *seen = NIL;

	return leads_to(function, function, schema, &seen);
}

static bool
leads_to(Oid function, Oid target, Oid schema, List **seen)
{
	ListCell   *cell;

	check_stack_depth();
	foreach(cell, callees_of(tl_contract_function_queries(function), schema))
	{
		Oid			callee = lfirst_oid(cell);

		if (callee == target)
			return true;
		if (list_member_oid(*seen, callee))
			continue;
		*seen = lappend_oid(*seen, callee);
		if (leads_to(callee, target, schema, seen))
			return true;
	}
	return false;
}
