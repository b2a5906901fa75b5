/*-------------------------------------------------------------------------
 *
 * proof_outcome.h
 *	  What became of a row that a block has: taken, rejected, not certified yet.
 *
 *-------------------------------------------------------------------------
 */
#ifndef PROOF_OUTCOME_H
#define PROOF_OUTCOME_H

#include "proof_step.h"

/* Room for what a receipt shows of it. */
#define TL_OUTCOME_TEXT_SIZE	64

/*
 * NULL, or a sentence about what is wrong: a quorum has signed these leaves for
 * blocks of which the one at that height is one, up to a block under the head.
 */
extern const char *tl_proof_outcome_check(const TlProofChain *chain,
										  const TlReceiptOutcome *given,
										  uint64_t height);

/* The root over leaves that stand one behind the other, as many as a receipt may have. */
extern TlStatus tl_proof_outcome_root(TlHash *out, TlSpan leaves);

/*
 * What the leaves say of a row in a section of that kind, in the batch with that
 * digest, in the block at that height; they were checked, or are one's own.  That the
 * batch names the section's body is for tl_proof_step_body to say.  sqlstate is set if
 * it was rejected.
 */
extern TlOutcome tl_proof_outcome_of(char sqlstate[TL_OUTCOME_SQLSTATE_SIZE],
									 const TlReceiptOutcome *given, uint8_t section_kind,
									 const TlRef *ref, const TlHash *batch,
									 const TlHash *leaf, uint64_t height);

/* As it is shown; empty of a row in a private section. */
extern void tl_proof_outcome_text(char out[TL_OUTCOME_TEXT_SIZE], TlOutcome outcome,
								  const char *sqlstate);

/* NULL if that is shown, and nothing is given that says nothing. */
extern const char *tl_proof_outcome_shown(TlOutcome outcome, const char *sqlstate,
										  TlSpan shown);

#endif							/* PROOF_OUTCOME_H */
