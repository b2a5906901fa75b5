/*-------------------------------------------------------------------------
 *
 * contract_made.h
 *	  What a contract's statement has made, looked at.
 *
 *-------------------------------------------------------------------------
 */
#ifndef CONTRACT_MADE_H
#define CONTRACT_MADE_H

#include "nodes/parsenodes.h"

#include "contract_refusal.h"

extern void tl_contract_made(TlRefusals *refusals, const RawStmt *statement, Oid schema);

#endif							/* CONTRACT_MADE_H */
