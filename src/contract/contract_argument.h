/*-------------------------------------------------------------------------
 *
 * contract_argument.h
 *	  The rows that call, read one after the other.
 *
 *-------------------------------------------------------------------------
 */
#ifndef CONTRACT_ARGUMENT_H
#define CONTRACT_ARGUMENT_H

#include "table_ref.h"

/* Around the calls of a block, whose rows are all there. */
extern void tl_contract_argument_begin(void);
extern void tl_contract_argument_end(void);

/*
 * Columns of that row, which this transaction has inserted, or which is an own one, but
 * the last, which is the ref: how many.  The key by which the row is signed is NULL if
 * its table demands no signature.
 */
extern int	tl_contract_argument_row(NullableDatum *columns, NullableDatum *signer, Oid table,
									 const TlRefBytes *ref);

#endif							/* CONTRACT_ARGUMENT_H */
