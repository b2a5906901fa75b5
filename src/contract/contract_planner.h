/*-------------------------------------------------------------------------
 *
 * contract_planner.h
 *	  What the planner is told of a contract's tables.
 *
 *-------------------------------------------------------------------------
 */
#ifndef CONTRACT_PLANNER_H
#define CONTRACT_PLANNER_H

/* Works while plans are made for calls (tl_table_filter_plans). */
extern void tl_contract_planner_init(void);

#endif							/* CONTRACT_PLANNER_H */
