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

typedef void (*TlContractPart) (TlRefusals *refusals, void *argument);

extern void tl_contract_try(TlRefusals *refusals);
extern void tl_contract_try_change(TlRefusals *refusals, const char *contract, int64 height, bool keep);
extern Oid	tl_contract_run(const char *contract, const char *source);

/* While one of these runs. */
extern bool tl_contract_run_part(TlRefusals *refusals, TlContractPart part, void *argument);
extern void tl_contract_run_statement(const char *statement);

#endif							/* CONTRACT_RUN_H */
