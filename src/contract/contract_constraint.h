/*-------------------------------------------------------------------------
 *
 * contract_constraint.h
 *	  CHECK constraints of state tables, read once and prepared once for all calls of a block.
 *
 *-------------------------------------------------------------------------
 */
#ifndef CONTRACT_CONSTRAINT_H
#define CONTRACT_CONSTRAINT_H

extern void tl_contract_constraint_init(void);

/* Around the calls of a block. */
extern void tl_contract_constraint_begin(void);
extern void tl_contract_constraint_end(void);

#endif							/* CONTRACT_CONSTRAINT_H */
