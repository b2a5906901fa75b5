/*-------------------------------------------------------------------------
 *
 * contract_constraint.c
 *	  CHECK constraints of state tables, read once and prepared once for all calls of a block.
 *
 * PostgreSQL reads and plans the constraints of a table for each statement that
 * changes it, which takes longer than a statement that changes one row.  Here they
 * are prepared when the first statement of a block changes the table, and given to
 * each later one when it begins, before it would do so itself.  They are the same
 * expressions, asked by PostgreSQL in the same place, with the same words.
 *
 * It is done where statements begin, whoever runs them: functions in SQL, in
 * PL/pgSQL, and what sets timers.
 *
 * They are read and planned once for many blocks: until this process hears of a change
 * of what they rest on (contract_stale.c).  In each block they are prepared anew, since that
 * is when PostgreSQL looks whether their functions may be called.
 *
 * Nobody changes the constraints of a table within a block: a statement that changes rows has locked
 * the table, a call's locks stay with the transaction that applies the block or go
 * with the call, and what a contract has made nobody alters (table_contract.c).
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "executor/executor.h"
#include "nodes/execnodes.h"
#include "optimizer/optimizer.h"
#include "utils/hsearch.h"
#include "utils/memutils.h"
#include "utils/rel.h"

#include "contract_constraint.h"
#include "contract_stale.h"
#include "table_state.h"
#include "tl_compat.h"

/* Each has as many as the table. */
typedef struct Prepared
{
	Oid			relation;
	ExprState **checks;
} Prepared;

typedef struct Kept
{
	Oid			relation;
	Expr	  **checks;			/* NULL: not enforced */
	uint64		changes;		/* of which was heard before they were read */
} Kept;

static ExecutorStart_hook_type next_start = NULL;

/* From block to block. */
static TlContractKept kept = {.name = "telco_ledger constraints kept",.entry_size = sizeof(Kept)};

/* Of the block that is being applied. */
static MemoryContext context = NULL;
static HTAB *tables = NULL;

static void on_start(QueryDesc *description, int flags);
static void give(ResultRelInfo *target);
static ExprState **prepare(Relation relation);
static Expr **look(Relation relation);
static Expr **read_all(const TupleConstr *constraints);

void
tl_contract_constraint_init(void)
{
	next_start = ExecutorStart_hook;
	ExecutorStart_hook = on_start;
}

/* Of a block before that failed nothing is left. */
void
tl_contract_constraint_begin(void)
{
	HASHCTL		control = {.keysize = sizeof(Oid),.entrysize = sizeof(Prepared)};

	if (!tl_contract_stale_is_good(&kept))
		tl_contract_stale_empty(&kept);
	context = AllocSetContextCreate(CurrentMemoryContext, "telco_ledger constraints of a block",
									ALLOCSET_DEFAULT_SIZES);
	control.hcxt = context;
	tables = hash_create("telco_ledger constraints", 16, &control, HASH_ELEM | HASH_BLOBS | HASH_CONTEXT);
}

void
tl_contract_constraint_end(void)
{
	MemoryContextDelete(context);
	context = NULL;
	tables = NULL;
}

static void
on_start(QueryDesc *description, int flags)
{
	if (next_start != NULL)
		next_start(description, flags);
	else
		standard_ExecutorStart(description, flags);
	if (OidIsValid(tl_table_state_executing()) && description->planstate != NULL &&
		IsA(description->planstate, ModifyTableState))
		give(castNode(ModifyTableState, description->planstate)->resultRelInfo);
}

/* A contract has no partitioned tables, so a statement changes one. */
static void
give(ResultRelInfo *target)
{
	Oid			relation = RelationGetRelid(target->ri_RelationDesc);
	Prepared   *known;

	if (!tl_table_state_is_ours(target->ri_RelationDesc) ||
		target->ri_RelationDesc->rd_att->constr == NULL ||
		target->ri_RelationDesc->rd_att->constr->num_check == 0)
		return;
	known = hash_search(tables, &relation, HASH_FIND, NULL);
	if (known == NULL)
	{
		ExprState **checks = prepare(target->ri_RelationDesc);

		known = hash_search(tables, &relation, HASH_ENTER, NULL);
		known->checks = checks;
	}
	target->tl_check_states = known->checks;
}

/* As ExecRelCheck() does it. */
static ExprState **
prepare(Relation relation)
{
	int			count = relation->rd_att->constr->num_check;
	Expr	  **expressions = look(relation);
	MemoryContext caller = MemoryContextSwitchTo(context);
	ExprState **checks = palloc0(count * sizeof(ExprState *));

	for (int i = 0; i < count; i++)
		if (expressions[i] != NULL)
			checks[i] = ExecInitExpr(expressions[i], NULL);
	MemoryContextSwitchTo(caller);
	return checks;
}

/* The statement has locked the table, so it has heard of all its changes. */
static Expr **
look(Relation relation)
{
	Oid			key = RelationGetRelid(relation);
	Kept	   *known = hash_search(kept.entries, &key, HASH_FIND, NULL);
	uint64		changes = tl_contract_stale_changes();
	Expr	  **checks;

	if (known != NULL && known->changes == changes)
		return known->checks;
	tl_contract_stale_watch(key);
	checks = read_all(relation->rd_att->constr);
	known = hash_search(kept.entries, &key, HASH_ENTER, NULL);
	known->checks = checks;
	known->changes = changes;
	return checks;
}

/* Nothing of one that cannot be planned is left: each call would leave some. */
static Expr **
read_all(const TupleConstr *constraints)
{
	List	   *planned = NIL;
	ListCell   *cell;
	MemoryContext caller;
	Expr	  **checks;
	int			count = 0;

	for (int i = 0; i < constraints->num_check; i++)
		planned = lappend(planned, tl_check_is_enforced(&constraints->check[i]) ?
						  expression_planner(stringToNode(constraints->check[i].ccbin)) : NULL);
	caller = MemoryContextSwitchTo(kept.context);
	checks = palloc0(constraints->num_check * sizeof(Expr *));
	foreach(cell, planned)
		checks[count++] = copyObject(lfirst(cell));
	MemoryContextSwitchTo(caller);
	return checks;
}
