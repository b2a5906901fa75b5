/*-------------------------------------------------------------------------
 *
 * consensus_certificate.h
 *	  A quorum of equal votes, judged by its own bytes; what a quorum is.
 *
 *-------------------------------------------------------------------------
 */
#ifndef CONSENSUS_CERTIFICATE_H
#define CONSENSUS_CERTIFICATE_H

#include "consensus_message.h"

#define TL_CERTIFICATE_SIZE_FIXED	52	/* without votes */
#define TL_CERTIFICATE_STATE_SIZE	72	/* that one of STATE has besides */
#define TL_CERTIFICATE_VOTE_SIZE	124
#define TL_CERTIFICATE_PAYLOAD_SIZE_MAX	105 /* of a vote in it */

/* Who may vote in an epoch, and with which key. */
typedef struct TlValidator
{
	uint32_t	member;
	uint8_t		row_key[TL_XONLY_KEY_SIZE];
} TlValidator;

/* What of a vote's row the certificate's own fields do not say. */
typedef struct TlVote
{
	uint32_t	member;
	uint8_t		nonce[TL_NONCE_SIZE];
	uint64_t	sequence;
	TlHash		previous;
	uint8_t		signature[TL_SIGNATURE_SIZE];
} TlVote;

typedef struct TlCertificate
{
	uint8_t		kind;			/* TL_LOG_NOTARIZE, _FINALIZE, _NULLIFY or
								 * _STATE */
	uint64_t	epoch;
	uint64_t	view;
	TlHash		block;			/* zeros for TL_LOG_NULLIFY */
	uint64_t	height;			/* these three for TL_LOG_STATE only */
	TlHash		state_root;
	TlHash		outcome_root;
	uint16_t	vote_count;
	TlSpan		votes;			/* encoded, ascending by member */
} TlCertificate;

/* floor((n - 1) / 3): how many of n may lie. */
extern unsigned tl_consensus_faults(unsigned validator_count);

/*
 * How many of n must agree: floor((n + f) / 2) + 1.  quorum_of_three is the
 * parameter of the set, 2 or 3, and counts only when n is 3.
 */
extern unsigned tl_consensus_quorum(unsigned validator_count,
									unsigned quorum_of_three);

extern TlStatus tl_consensus_certificate_encode(TlWriter *writer,
												const TlCertificate *certificate);
extern TlStatus tl_consensus_certificate_decode(TlCertificate *out,
												const void *data, size_t size);

/* One entry of the list that certificate.votes holds encoded. */
extern void tl_consensus_certificate_put_vote(TlWriter *writer,
											  const TlVote *vote);
extern TlStatus tl_consensus_certificate_get_vote(TlVote *out,
												  const TlCertificate *certificate,
												  unsigned index);

/* What the rows of its votes have as payload; at most _PAYLOAD_SIZE_MAX. */
extern TlStatus tl_consensus_certificate_payload(TlWriter *writer,
												 const TlCertificate *certificate);

/* The vote that a signed NOTARIZE, FINALIZE, NULLIFY or STATE row is. */
extern void tl_consensus_certificate_row_vote(TlVote *out,
											  const TlLogRow *row);

/*
 * The row that a vote in it is; payload is where the bytes of the row's payload
 * go.  Of a certificate kind, epoch, view and what was voted for are looked at.
 */
extern TlStatus tl_consensus_certificate_vote_row(TlLogRow *out,
												  const TlCertificate *certificate,
												  const TlVote *vote,
												  uint8_t payload[TL_CERTIFICATE_PAYLOAD_SIZE_MAX]);

/*
 * True if every vote is a valid row of a validator and they are a quorum.
 * Validators are distinct in number and in key.
 */
extern bool tl_consensus_certificate_verify(const TlCertificate *certificate,
											const TlHash *chain_id,
											const TlValidator *validators,
											unsigned validator_count,
											unsigned quorum_of_three);

#endif							/* CONSENSUS_CERTIFICATE_H */
