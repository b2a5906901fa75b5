/*-------------------------------------------------------------------------
 *
 * contract_view.h
 *	  What a contract's view reads and calls.
 *
 *-------------------------------------------------------------------------
 */
#ifndef CONTRACT_VIEW_H
#define CONTRACT_VIEW_H

#include "contract_refusal.h"

extern void tl_contract_view(TlRefusals *refusals, Oid view, Oid schema);

#endif							/* CONTRACT_VIEW_H */
