/*-------------------------------------------------------------------------
 *
 * consensus_evidence.h
 *	  Two signed rows that contradict each other.
 *
 *-------------------------------------------------------------------------
 */
#ifndef CONSENSUS_EVIDENCE_H
#define CONSENSUS_EVIDENCE_H

#include "consensus_message.h"

#define TL_EVIDENCE_SIZE	348

/* In which way.  The numbers are part of the format (README.md). */
typedef enum TlEvidenceKind
{
	TL_EVIDENCE_NONE = 0,
	TL_EVIDENCE_FORK = 1,		/* E1: two rows at one place of a log */
	TL_EVIDENCE_PROPOSE = 2,	/* E2: two PROPOSE in one view */
	TL_EVIDENCE_NOTARIZE = 3,	/* E3: NOTARIZE for two blocks in one view */
	TL_EVIDENCE_PHASE = 4,		/* E4: FINALIZE and NULLIFY in one view */
	TL_EVIDENCE_FINALIZE = 5	/* E5: FINALIZE for two blocks in one view */
} TlEvidenceKind;

/* A row without its payload; row.payload is not used. */
typedef struct TlEvidenceRow
{
	TlLogRow	row;
	TlHash		payload_digest;
} TlEvidenceRow;

typedef struct TlEvidence
{
	uint8_t		kind;			/* a TlEvidenceKind */
	TlEvidenceRow rows[2];		/* ascending by row digest */
} TlEvidence;

/* What of a row evidence keeps. */
extern void tl_consensus_evidence_row(TlEvidenceRow *out, const TlLogRow *row);

/*
 * How two rows contradict each other, TL_EVIDENCE_NONE if they do not; out
 * then holds them in order.  Signatures are not looked at.
 */
extern TlEvidenceKind tl_consensus_evidence_make(TlEvidence *out,
												 const TlHash *chain_id,
												 const TlEvidenceRow *left,
												 const TlEvidenceRow *right);

extern TlStatus tl_consensus_evidence_encode(TlWriter *writer,
											 const TlEvidence *evidence);

/* Also checks that the rows contradict each other in the way that it says. */
extern TlStatus tl_consensus_evidence_decode(TlEvidence *out,
											 const TlHash *chain_id,
											 const void *data, size_t size);

#endif							/* CONSENSUS_EVIDENCE_H */
