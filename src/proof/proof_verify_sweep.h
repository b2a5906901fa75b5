/*-------------------------------------------------------------------------
 *
 * proof_verify_sweep.h
 *	  The quick pass over one table: is all of it as it was signed?
 *
 *-------------------------------------------------------------------------
 */
#ifndef PROOF_VERIFY_SWEEP_H
#define PROOF_VERIFY_SWEEP_H

#include "proof_verify_rows.h"

/* Background workers that help, telco_ledger.verify_workers. */
extern int	tl_proof_verify_workers;

extern bool tl_proof_verify_sweep(TlRowsPass *pass);

#endif							/* PROOF_VERIFY_SWEEP_H */
