/*-------------------------------------------------------------------------
 *
 * contract_raise.h
 *	  Where in a query may an expression be that can end with an error?
 *
 *-------------------------------------------------------------------------
 */
#ifndef CONTRACT_RAISE_H
#define CONTRACT_RAISE_H

#include "nodes/parsenodes.h"

#include "contract_query.h"

extern void tl_contract_raise(TlRefusals *refusals, const TlQueryScope *scope, const Query *query);

#endif							/* CONTRACT_RAISE_H */
