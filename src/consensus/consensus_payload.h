/*-------------------------------------------------------------------------
 *
 * consensus_payload.h
 *	  Payloads of log rows beyond votes and proposals.
 *
 *-------------------------------------------------------------------------
 */
#ifndef CONSENSUS_PAYLOAD_H
#define CONSENSUS_PAYLOAD_H

#include "consensus_message.h"

#define TL_STATE_SIZE		105
#define TL_ACK_SIZE_FIXED	77		/* without lanes */
#define TL_ACK_SIZE_MAX		(TL_ACK_SIZE_FIXED + TL_MEMBER_COUNT_MAX * 46)

/* What this member holds and knows to be final. */
typedef struct TlAck
{
	uint8_t		instance[TL_NONCE_SIZE];	/* of the running copy */
	uint8_t		replaced[TL_NONCE_SIZE];	/* the one before, zeros if same */
	uint64_t	final_height;
	TlHash		final_block;
	TlSpan		lanes;			/* that moved, as in a cut */
} TlAck;

extern TlStatus tl_consensus_ack_encode(TlWriter *writer, const TlAck *ack);

/* out->lanes points into data afterwards; tl_chain_cut_decode reads it. */
extern TlStatus tl_consensus_ack_decode(TlAck *out,
										const void *data, size_t size);

/* Payload of STATE, and what a certificate of that kind says. */
extern TlStatus tl_consensus_state_encode(TlWriter *writer,
										  const TlState *state);
extern TlStatus tl_consensus_state_decode(TlState *out,
										  const void *data, size_t size);

#endif							/* CONSENSUS_PAYLOAD_H */
