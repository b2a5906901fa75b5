/*-------------------------------------------------------------------------
 *
 * proof_progress.h
 *	  How far the verifications are that run now, for ledger.progress.
 *
 *-------------------------------------------------------------------------
 */
#ifndef PROOF_PROGRESS_H
#define PROOF_PROGRESS_H

#include "postgres_ext.h"

#include "tl_types.h"

/* What a verification is at, in this order; the names are in the .c file. */
typedef enum TlProofPhase
{
	TL_PHASE_SNAPSHOTS,
	TL_PHASE_BLOCKS,
	TL_PHASE_DEFINITIONS,
	TL_PHASE_ROWS,
	TL_PHASE_ROWS_EXACTLY
} TlProofPhase;

extern void tl_proof_progress_init(void);
extern void tl_proof_progress_begin(const char *mode, int table_count);
extern void tl_proof_progress_end(void);
extern int	tl_proof_progress_slot(void);
extern void tl_proof_progress_join(int slot);
extern void tl_proof_progress_phase(TlProofPhase phase, Oid relation,
									int64_t total);
extern void tl_proof_progress_add(int64_t done);
extern void tl_proof_progress_table_done(void);

#endif							/* PROOF_PROGRESS_H */
