/*-------------------------------------------------------------------------
 *
 * consensus_evidence.h
 *	  Signed rows that contradict each other, or the rules.
 *
 *-------------------------------------------------------------------------
 */
#ifndef CONSENSUS_EVIDENCE_H
#define CONSENSUS_EVIDENCE_H

#include "consensus_message.h"

#define TL_EVIDENCE_SIZE	348		/* of two rows */
#define TL_EVIDENCE_ROW_SIZE	173
#define TL_EVIDENCE_ILLEGAL_SIZE_FIXED	14	/* beside row, header and cut */

/* In which way.  The numbers are part of the format (README.md). */
typedef enum TlEvidenceKind
{
	TL_EVIDENCE_NONE = 0,
	TL_EVIDENCE_FORK = 1,		/* E1: two rows at one place of a log */
	TL_EVIDENCE_PROPOSE = 2,	/* E2: two PROPOSE in one view */
	TL_EVIDENCE_NOTARIZE = 3,	/* E3: NOTARIZE for two blocks in one view */
	TL_EVIDENCE_PHASE = 4,		/* E4: FINALIZE and NULLIFY in one view */
	TL_EVIDENCE_FINALIZE = 5,	/* E5: FINALIZE for two blocks in one view */
	TL_EVIDENCE_ILLEGAL = 6,	/* E6: a row that its bytes convict, or a
								 * PROPOSE with its parent (consensus_legal.c) */
	TL_EVIDENCE_FLOOR = 7		/* E7: a vote below the view of the REJOIN that
								 * opened its incarnation */
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
	TlEvidenceRow rows[2];		/* ascending by row digest; _ILLEGAL: the first
								 * is the row, the second nothing */
	TlSpan		row;			/* _ILLEGAL: encoded, with its payload */
	TlSpan		parent_header;	/* of the parent of the block that it proposes; */
	TlSpan		parent_cut;		/* both empty if the row convicts itself */
} TlEvidence;

/* What of a row evidence keeps. */
extern void tl_consensus_evidence_row(TlEvidenceRow *out, const TlLogRow *row);

/* Those bytes of one row, in EVIDENCE and in REPLY. */
extern void tl_consensus_evidence_put_row(TlWriter *writer,
										  const TlEvidenceRow *row);
extern void tl_consensus_evidence_get_row(TlReader *reader, TlEvidenceRow *row);

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

/*
 * Also checks that the rows contradict each other in the way that it says.  The
 * spans of _ILLEGAL point into data afterwards; whether that row is against the
 * rules tells tl_consensus_judge.
 */
extern TlStatus tl_consensus_evidence_decode(TlEvidence *out,
											 const TlHash *chain_id,
											 const void *data, size_t size);

#endif							/* CONSENSUS_EVIDENCE_H */
