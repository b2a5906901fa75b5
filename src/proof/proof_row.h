/*-------------------------------------------------------------------------
 *
 * proof_row.h
 *	  One row of the ledger, found with the caller's rights.
 *
 *-------------------------------------------------------------------------
 */
#ifndef PROOF_ROW_H
#define PROOF_ROW_H

#include "table_ref.h"

extern Oid	tl_proof_row_find(Oid relation, const TlRefBytes *ref);
extern void tl_proof_row_find_all(Oid *out, Oid relation,
								  const TlRefBytes *refs, int count);

#endif							/* PROOF_ROW_H */
