/*-------------------------------------------------------------------------
 *
 * contract_plan.h
 *	  Functions in SQL, planned once for many calls.
 *
 *-------------------------------------------------------------------------
 */
#ifndef CONTRACT_PLAN_H
#define CONTRACT_PLAN_H

/* Around the calls of a block. */
extern void tl_contract_plan_begin(void);
extern void tl_contract_plan_end(void);

/*
 * Plan a function, and those that its statements call, or lock the tables of the plans
 * that are kept; before the subtransaction of a call, unless it is known in this block.  If the planner raises an error of values, which
 * is one of the call, tl_contract_plan_give_up() is to be called: nothing of that
 * attempt is kept, and the function runs as any other.
 */
extern bool tl_contract_plan_is_known(Oid function);
extern void tl_contract_plan_prepare(Oid function);
extern void tl_contract_plan_give_up(Oid function);

/* Run it; false if it was not planned, and nothing was done. */
extern bool tl_contract_plan_run(Oid function, const NullableDatum *arguments);

#endif							/* CONTRACT_PLAN_H */
