/*-------------------------------------------------------------------------
 *
 * contract_expression.h
 *	  Does an expression give the same result at every member?
 *
 *-------------------------------------------------------------------------
 */
#ifndef CONTRACT_EXPRESSION_H
#define CONTRACT_EXPRESSION_H

#include "contract_refusal.h"

extern void tl_contract_expression(TlRefusals *refusals, int location, const char *where,
								   Node *expression);

#endif							/* CONTRACT_EXPRESSION_H */
