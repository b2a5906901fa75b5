/*-------------------------------------------------------------------------
 *
 * contract_join.h
 *	  Is what a statement joins bounded by keys?
 *
 *-------------------------------------------------------------------------
 */
#ifndef CONTRACT_JOIN_H
#define CONTRACT_JOIN_H

#include "contract_query.h"

extern void tl_contract_join(TlRefusals *refusals, const TlQueryScope *scope, const Query *query);

#endif							/* CONTRACT_JOIN_H */
