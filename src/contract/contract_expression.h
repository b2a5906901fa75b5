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

/* One node of a function's query, without what is in it. */
extern void tl_contract_expression_node(TlRefusals *refusals, const char *where, Oid schema,
										Node *node);
extern void tl_contract_expression_function(TlRefusals *refusals, const char *where, Oid function);
extern bool tl_contract_expression_is_sorted_alike(Oid type);

/* Wherever it lies: min and max of refs are beside PostgreSQL's. */
extern bool tl_contract_expression_is_of_library(Oid function);

#endif							/* CONTRACT_EXPRESSION_H */
