/*-------------------------------------------------------------------------
 *
 * contract_work.h
 *	  How much work a contract's function may ask for.
 *
 *-------------------------------------------------------------------------
 */
#ifndef CONTRACT_WORK_H
#define CONTRACT_WORK_H

#include "contract_query.h"

extern void tl_contract_work(TlRefusals *refusals, const TlQueryScope *scope, Oid function, const List *queries);

#endif							/* CONTRACT_WORK_H */
