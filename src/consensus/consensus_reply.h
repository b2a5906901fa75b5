/*-------------------------------------------------------------------------
 *
 * consensus_reply.h
 *	  Payloads of REQUEST and REPLY: what a member asks who has lost memory.
 *
 *-------------------------------------------------------------------------
 */
#ifndef CONSENSUS_REPLY_H
#define CONSENSUS_REPLY_H

#include "consensus_evidence.h"
#include "consensus_message.h"

#define TL_REQUEST_SIZE			21
#define TL_REPLY_SIZE_FIXED		40	/* without row and certificate */

/* What proves that the replier's view is not made up. */
typedef enum TlReplyReason
{
	TL_REPLY_FIRST = 0,			/* it is the first view of the epoch */
	TL_REPLY_CERTIFIED = 1,		/* a certificate of the view before */
	TL_REPLY_REJOINED = 2		/* the REJOIN that opened his incarnation */
} TlReplyReason;

typedef struct TlRequest
{
	uint8_t		before[TL_NONCE_SIZE];	/* of the incarnation that ends */
	uint32_t	ticket;			/* replies to this member before, as shown */
} TlRequest;

typedef struct TlReply
{
	uint32_t	asker;
	uint8_t		request[TL_NONCE_SIZE]; /* nonce of the REQUEST row */
	uint32_t	ticket;			/* of that REQUEST */
	uint64_t	final_height;	/* of the last block handed over */
	bool		changing;		/* a block that changes the members is notarized
								 * and not final */
	uint8_t		reason;			/* a TlReplyReason */
	bool		seen;			/* a row of the asker is stored */
	TlEvidenceRow last;			/* the newest of them */
	TlSpan		certificate;	/* _CERTIFIED */
} TlReply;

extern TlStatus tl_consensus_request_encode(TlWriter *writer,
											const TlRequest *request);
extern TlStatus tl_consensus_request_decode(TlRequest *out,
											const void *data, size_t size);

extern TlStatus tl_consensus_reply_encode(TlWriter *writer,
										  const TlReply *reply);

/* out->certificate points into data afterwards. */
extern TlStatus tl_consensus_reply_decode(TlReply *out,
										  const void *data, size_t size);

#endif							/* CONSENSUS_REPLY_H */
