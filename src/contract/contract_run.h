/*-------------------------------------------------------------------------
 *
 * contract_run.h
 *	  Running a contract's script, on trial or for good.
 *
 *-------------------------------------------------------------------------
 */
#ifndef CONTRACT_RUN_H
#define CONTRACT_RUN_H

#include "contract_refusal.h"

#define TL_CONTRACT_ROLE		"ledger_contract"

extern void tl_contract_try(TlRefusals *refusals);
extern Oid	tl_contract_run(const char *contract, const char *source);

#endif							/* CONTRACT_RUN_H */
