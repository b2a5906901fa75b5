/*-------------------------------------------------------------------------
 *
 * contract_stale.h
 *	  When what was made of definitions has to be made anew.
 *
 *-------------------------------------------------------------------------
 */
#ifndef CONTRACT_STALE_H
#define CONTRACT_STALE_H

extern void tl_contract_stale_init(void);

/* What is kept rests on this table, too; its lock is held. */
extern void tl_contract_stale_watch(Oid relation);

/* How many changes were heard of: what was made at another number is not used any more. */
extern uint64 tl_contract_stale_changes(void);

/* The same of all tables, watched or not. */
extern uint64 tl_contract_stale_heard(void);

#endif							/* CONTRACT_STALE_H */
