/*-------------------------------------------------------------------------
 *
 * proof_verify_foreign.h
 *	  Rows of shared tables that other members wrote, against their sections.
 *
 *-------------------------------------------------------------------------
 */
#ifndef PROOF_VERIFY_FOREIGN_H
#define PROOF_VERIFY_FOREIGN_H

#include "proof_verify_rows.h"

/* The rows of the pass's table; it is a shared one. */
extern void tl_proof_foreign_rows(TlRowsPass *pass);

#endif							/* PROOF_VERIFY_FOREIGN_H */
