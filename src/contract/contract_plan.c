/*-------------------------------------------------------------------------
 *
 * contract_plan.c
 *	  Functions in SQL, planned once for many calls.
 *
 * PostgreSQL plans the statements of a function in SQL anew whenever it is called,
 * which takes ten times as long as to run them.  Here they are planned when the
 * first call needs them, as PostgreSQL does it: without regard to the values of
 * arguments.
 *
 * The plans are kept from block to block, in this process.  The first call of a block
 * that needs one locks its tables, as PostgreSQL does for the plans that it keeps, and
 * looks whether it has heard of a change of what they rest on (contract_stale.c).  If
 * so it is planned anew, and all plans of before go when the next block begins; so they do
 * behind a block that could not be applied, and if one of them is good for one block
 * alone: where the planner has left out an index that is too new, for the role that asks, or
 * raised an error.  Within a block nobody can make them invalid: its transaction has
 * the locks of their tables.
 *
 * What they are planned by beside that is the same in each block: the settings that are
 * pinned (contract_execute.c), and what the planner is told (contract_planner.c).
 * Expressions are prepared anew in each block, since that is when PostgreSQL looks whether their
 * functions may be called.
 *
 * A statement that calls a function of the contract and does nothing else, as
 * functions that change state are called (contract_query.c), is planned as a query
 * of the arguments, and what it calls runs in the same way.
 *
 * Invariants
 *	  N1  statements run in their order, each sees what those before have done
 *	  N2  a plan is used only while the transaction has the locks of its tables, and if
 *		  nothing that it rests on has changed from when it was made until they were there
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "access/xact.h"
#include "catalog/pg_language.h"
#include "catalog/pg_proc.h"
#include "catalog/pg_type.h"
#include "executor/executor.h"
#include "miscadmin.h"
#include "nodes/makefuncs.h"
#include "nodes/nodeFuncs.h"
#include "optimizer/optimizer.h"
#include "rewrite/rewriteHandler.h"
#include "storage/lmgr.h"
#include "tcop/dest.h"
#include "tcop/tcopprot.h"
#include "utils/datum.h"
#include "utils/hsearch.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/snapmgr.h"
#include "utils/syscache.h"

#include "contract_function.h"
#include "contract_plan.h"
#include "contract_query.h"
#include "contract_stale.h"
#include "tl_compat.h"

/* A column of a query that reads no table: it is computed, and not executed. */
typedef struct Value
{
	ExprState  *expression;
	bool		by_value;
	int16		length;
} Value;

typedef struct Step
{
	PlannedStmt *plan;			/* of arguments, where a function is called; NULL: there is none */
	bool		computes;		/* one row of expressions: it is not executed */
	Value	   *values;			/* these, in this block */
	int			value_count;
	Oid			callee;			/* InvalidOid: none */
} Step;

typedef struct Body
{
	Oid			function;
	bool		is_planned;		/* otherwise PostgreSQL runs it */
	bool		is_locked;		/* in this block, with all that it calls */
	bool		is_settled;		/* the attempt to do so has ended well */
	bool		is_strict;
	int			argument_count;
	Oid		   *types;
	int			step_count;
	Step	   *steps;
} Body;

/* Takes the arguments of a call, for as long as the call runs. */
typedef struct ArgumentReceiver
{
	DestReceiver base;
	MemoryContext context;
	int			count;
	NullableDatum *arguments;
} ArgumentReceiver;

/* From block to block. */
static TlContractKept kept = {.name = "telco_ledger planned functions",.entry_size = sizeof(Body)};
static bool for_one_block = false;	/* then all of them go */

/* Of the block that is being applied. */
static MemoryContext context = NULL;
static ExprContext *computing = NULL;

static const Body *prepare(Oid function);
static bool lock(Body *body);
static void lock_tables(const PlannedStmt *plan);
static const Body *make(Oid function);
static bool is_plannable(Body *body, HeapTuple tuple);
static bool plan_steps(Body *body, const List *queries);
static void plan_step(Step *out, const Query *query);
static bool computes_only(const PlannedStmt *plan);
static void make_values(Step *out);
static const FuncExpr *called_by(const Query *query);
static Query *query_of_arguments(const Query *query, const FuncExpr *call);
static void run_body(const Body *body, const NullableDatum *arguments);
static void run_step(const Step *step, ParamListInfo parameters);
static void compute(const Step *step, ParamListInfo parameters, NullableDatum *out);
static void run_plan(PlannedStmt *plan, ParamListInfo parameters, DestReceiver *receiver);
static const Body *body_of(Oid function);
static bool take_arguments(TupleTableSlot *slot, DestReceiver *receiver);
static void on_receiver_start(DestReceiver *receiver, int operation, TupleDesc descriptor);
static void on_receiver_end(DestReceiver *receiver);

/* Of a block before that failed the context is gone. */
void
tl_contract_plan_begin(void)
{
	HASH_SEQ_STATUS all;
	Body	   *body;

	if (context != NULL || for_one_block || !tl_contract_stale_is_good(&kept))
		tl_contract_stale_empty(&kept);
	for_one_block = false;
	context = AllocSetContextCreate(CurrentMemoryContext, "telco_ledger plans of a block", ALLOCSET_DEFAULT_SIZES);
	computing = NULL;
	hash_seq_init(&all, kept.entries);
	while ((body = hash_seq_search(&all)) != NULL)
		body->is_locked = body->is_settled = false;
}

void
tl_contract_plan_end(void)
{
	MemoryContextDelete(context);
	context = NULL;
	computing = NULL;
}

bool
tl_contract_plan_is_known(Oid function)
{
	const Body *body = body_of(function);

	return body != NULL && body->is_settled;
}

void
tl_contract_plan_prepare(Oid function)
{
	HASH_SEQ_STATUS all;
	Body	   *body;

	(void) prepare(function);
	hash_seq_init(&all, kept.entries);
	while ((body = hash_seq_search(&all)) != NULL)
		body->is_settled = body->is_locked;
}

/* What the attempt has planned or locked goes with its locks. */
void
tl_contract_plan_give_up(Oid function)
{
	HASH_SEQ_STATUS all;
	Body	   *body;

	hash_seq_init(&all, kept.entries);
	while ((body = hash_seq_search(&all)) != NULL)
		if (body->is_locked && !body->is_settled)
			(void) hash_search(kept.entries, &body->function, HASH_REMOVE, NULL);
	body = hash_search(kept.entries, &function, HASH_ENTER, NULL);
	*body = (Body) {.function = function,.is_locked = true,.is_settled = true};
	for_one_block = true;
}

bool
tl_contract_plan_run(Oid function, const NullableDatum *arguments)
{
	const Body *body = body_of(function);

	if (body == NULL || !body->is_planned)
		return false;
	run_body(body, arguments);
	return true;
}

/* It has no recursion (contract_work.c). */
static const Body *
prepare(Oid function)
{
	Body	   *body = hash_search(kept.entries, &function, HASH_FIND, NULL);

	return body != NULL && (body->is_locked || lock(body)) ? body : make(function);
}

/* N2: can what was planned in an earlier block be used in this one? */
static bool
lock(Body *body)
{
	for (int i = 0; i < body->step_count; i++)
	{
		Step	   *step = &body->steps[i];

		if (step->plan != NULL)
			lock_tables(step->plan);
		if (OidIsValid(step->callee) && !prepare(step->callee)->is_planned)
			return false;
	}
	if (!tl_contract_stale_is_good(&kept))
		return false;
	for (int i = 0; i < body->step_count; i++)
		if (body->steps[i].computes)
			make_values(&body->steps[i]);
	body->is_locked = true;
	return true;
}

/* As plancache.c does; a view is a subquery that has a table. */
static void
lock_tables(const PlannedStmt *plan)
{
	ListCell   *cell;

	foreach(cell, plan->rtable)
	{
		const RangeTblEntry *entry = lfirst_node(RangeTblEntry, cell);

		if (entry->rtekind == RTE_RELATION || (entry->rtekind == RTE_SUBQUERY && OidIsValid(entry->relid)))
			LockRelationOid(entry->relid, entry->rellockmode);
	}
}

/* Of what is heard while it is planned nobody knows whether the plan goes by it. */
static const Body *
make(Oid function)
{
	uint64		heard = tl_contract_stale_heard();
	HeapTuple	tuple = SearchSysCache1(PROCOID, ObjectIdGetDatum(function));
	Body		body = {.function = function};
	Body	   *stored;

	if (!HeapTupleIsValid(tuple))
		elog(ERROR, "cache lookup failed for function %u", function);
	body.is_planned = is_plannable(&body, tuple);
	ReleaseSysCache(tuple);
	if (body.is_planned)
		body.is_planned = plan_steps(&body, tl_contract_function_queries(function));
	body.is_locked = true;
	for_one_block |= heard != tl_contract_stale_heard();
	stored = hash_search(kept.entries, &function, HASH_ENTER, NULL);
	*stored = body;
	return stored;
}

static bool
is_plannable(Body *body, HeapTuple tuple)
{
	Form_pg_proc form = (Form_pg_proc) GETSTRUCT(tuple);

	body->is_strict = form->proisstrict;
	body->argument_count = form->pronargs;
	body->types = MemoryContextAlloc(kept.context, sizeof(Oid) * Max(1, form->pronargs));
	memcpy(body->types, form->proargtypes.values, sizeof(Oid) * form->pronargs);
	return form->prolang == SQLlanguageId && form->prorettype == VOIDOID && !form->proretset &&
		!form->prosecdef && form->provolatile == PROVOLATILE_VOLATILE &&
		heap_attisnull(tuple, Anum_pg_proc_proconfig, NULL) && !heap_attisnull(tuple, Anum_pg_proc_prosqlbody, NULL);
}

static bool
plan_steps(Body *body, const List *queries)
{
	ListCell   *cell;

	body->steps = MemoryContextAllocZero(kept.context, sizeof(Step) * Max(1, list_length(queries)));
	foreach(cell, queries)
	{
		Query	   *query = lfirst_node(Query, cell);
		List	   *rewritten;

		if (query->commandType == CMD_UTILITY)
			return false;
		AcquireRewriteLocks(query, true, false);
		rewritten = pg_rewrite_query(query);
		if (list_length(rewritten) != 1)
		{
			for_one_block = true;	/* by a rule, and nobody watches its table */
			return false;
		}
		plan_step(&body->steps[body->step_count++], linitial_node(Query, rewritten));
	}
	return true;
}

static void
plan_step(Step *out, const Query *query)
{
	const FuncExpr *call = called_by(query);
	Query	   *planned = copyObject(unconstify(Query *, query));
	MemoryContext caller;
	PlannedStmt *plan;
	ListCell   *cell;

	if (call != NULL)
	{
		out->callee = call->funcid;
		planned = query_of_arguments(query, call);
		if (planned->targetList == NIL)
			return;
	}
	plan = pg_plan_query(planned, "", 0, NULL);
	foreach(cell, plan->relationOids)
		tl_contract_stale_watch(lfirst_oid(cell));
	for_one_block |= plan->transientPlan || plan->dependsOnRole;
	caller = MemoryContextSwitchTo(kept.context);
	out->plan = copyObject(plan);
	MemoryContextSwitchTo(caller);
	out->computes = computes_only(plan);
	if (out->computes)
		make_values(out);
}

/* One row, of expressions of the arguments; run_step() has room for so many. */
static bool
computes_only(const PlannedStmt *plan)
{
	const Plan *top = plan->planTree;

	return plan->commandType == CMD_SELECT && IsA(top, Result) && plan->subplans == NIL &&
		top->lefttree == NULL && top->qual == NIL && top->initPlan == NIL &&
		((const Result *) top)->resconstantqual == NULL && list_length(top->targetlist) <= FUNC_MAX_ARGS;
}

/* For this block. */
static void
make_values(Step *out)
{
	const List *targets = out->plan->planTree->targetlist;
	MemoryContext caller = MemoryContextSwitchTo(context);
	ListCell   *cell;

	if (computing == NULL)
		computing = CreateStandaloneExprContext();
	out->values = palloc(list_length(targets) * sizeof(Value));
	out->value_count = 0;
	foreach(cell, targets)
	{
		Expr	   *expression = lfirst_node(TargetEntry, cell)->expr;
		Value	   *value = &out->values[out->value_count++];

		value->expression = ExecInitExpr(expression, NULL);
		get_typlenbyval(exprType((Node *) expression), &value->length, &value->by_value);
	}
	MemoryContextSwitchTo(caller);
}

/* The call that is all of a statement, of a function that can be planned too. */
static const FuncExpr *
called_by(const Query *query)
{
	const FuncExpr *call = (const FuncExpr *) tl_contract_query_expression(query);
	const Body *body;

	if (call == NULL || query->hasAggs || query->cteList != NIL || query->hasTargetSRFs ||
		query->limitCount != NULL || query->limitOffset != NULL)
		return NULL;
	if (!IsA(call, FuncExpr) || tl_contract_function_queries(call->funcid) == NIL)
		return NULL;
	body = prepare(call->funcid);
	return body->is_planned ? call : NULL;
}

/* Defaults are filled in, and named arguments in their places. */
static Query *
query_of_arguments(const Query *query, const FuncExpr *call)
{
	Query	   *result = copyObject(unconstify(Query *, query));
	HeapTuple	tuple = SearchSysCache1(PROCOID, ObjectIdGetDatum(call->funcid));
	List	   *arguments = expand_function_arguments(copyObject(call->args), false, call->funcresulttype, tuple);
	AttrNumber	number = 0;
	ListCell   *cell;

	ReleaseSysCache(tuple);
	result->targetList = NIL;
	foreach(cell, arguments)
		result->targetList = lappend(result->targetList, makeTargetEntry(lfirst(cell), ++number, NULL, false));
	return result;
}

/* N1 */
static void
run_body(const Body *body, const NullableDatum *arguments)
{
	ParamListInfo parameters = makeParamList(body->argument_count);

	check_stack_depth();
	for (int i = 0; i < body->argument_count; i++)
	{
		if (body->is_strict && arguments[i].isnull)
			return;
		parameters->params[i].value = arguments[i].value;
		parameters->params[i].isnull = arguments[i].isnull;
		parameters->params[i].pflags = 0;
		parameters->params[i].ptype = body->types[i];
	}
	for (int i = 0; i < body->step_count; i++)
		run_step(&body->steps[i], parameters);
}

static void
run_step(const Step *step, ParamListInfo parameters)
{
	NullableDatum arguments[FUNC_MAX_ARGS];
	ArgumentReceiver receiver = {
		.base = {take_arguments, on_receiver_start, on_receiver_end, on_receiver_end, DestNone},
		.context = CurrentMemoryContext,.arguments = arguments
	};

	if (step->computes)
		compute(step, parameters, arguments);
	else if (step->plan != NULL)
	{
		run_plan(step->plan, parameters, OidIsValid(step->callee) ? &receiver.base : None_Receiver);
		if (OidIsValid(step->callee) && receiver.count != 1)
			elog(ERROR, "the arguments of a call are %d rows", receiver.count);
	}
	if (OidIsValid(step->callee))
		run_body(body_of(step->callee), arguments);
}

/* Into the current memory context, as long as the call runs. */
static void
compute(const Step *step, ParamListInfo parameters, NullableDatum *out)
{
	CommandCounterIncrement();
	UpdateActiveSnapshotCommandId();
	computing->ecxt_param_list_info = parameters;
	for (int i = 0; i < step->value_count; i++)
	{
		const Value *value = &step->values[i];

		out[i].value = ExecEvalExprSwitchContext(value->expression, computing, &out[i].isnull);
		if (!out[i].isnull)
			out[i].value = datumCopy(out[i].value, value->by_value, value->length);
	}
	ResetExprContext(computing);
}

static void
run_plan(PlannedStmt *plan, ParamListInfo parameters, DestReceiver *receiver)
{
	QueryDesc  *description;

	CommandCounterIncrement();
	UpdateActiveSnapshotCommandId();
	description = CreateQueryDesc(plan, "", GetActiveSnapshot(), InvalidSnapshot, receiver, parameters, NULL, 0);
	ExecutorStart(description, 0);
	tl_executor_run(description);
	ExecutorFinish(description);
	ExecutorEnd(description);
	FreeQueryDesc(description);
}

static const Body *
body_of(Oid function)
{
	return hash_search(kept.entries, &function, HASH_FIND, NULL);
}

static bool
take_arguments(TupleTableSlot *slot, DestReceiver *receiver)
{
	ArgumentReceiver *taken = (ArgumentReceiver *) receiver;
	MemoryContext caller = MemoryContextSwitchTo(taken->context);

	slot_getallattrs(slot);
	for (int i = 0; i < slot->tts_nvalid; i++)
	{
		Form_pg_attribute attribute = TupleDescAttr(slot->tts_tupleDescriptor, i);

		taken->arguments[i].isnull = slot->tts_isnull[i];
		taken->arguments[i].value = slot->tts_isnull[i] ? (Datum) 0 :
			datumCopy(slot->tts_values[i], attribute->attbyval, attribute->attlen);
	}
	taken->count++;
	MemoryContextSwitchTo(caller);
	return true;
}

static void
on_receiver_start(DestReceiver *receiver, int operation, TupleDesc descriptor)
{
}

static void
on_receiver_end(DestReceiver *receiver)
{
}
