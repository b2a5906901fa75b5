/*-------------------------------------------------------------------------
 *
 * consensus_rejoin.h
 *	  Payload of REJOIN: a member goes on after it has lost memory.
 *
 *-------------------------------------------------------------------------
 */
#ifndef CONSENSUS_REJOIN_H
#define CONSENSUS_REJOIN_H

#include "consensus_message.h"
#include "tl_limits.h"

#define TL_REJOIN_REASON_SIZE_MAX	1024
#define TL_REJOIN_SIZE_FIXED		224 /* without reason */
#define TL_REJOIN_SIZE_MAX			(TL_REJOIN_SIZE_FIXED + TL_REJOIN_REASON_SIZE_MAX)	/* with one member */
#define TL_REJOIN_REPLIES_MAX		(TL_MEMBER_COUNT_MAX - 1)

typedef enum TlRejoinCause
{
	TL_REJOIN_COPIED = 1,		/* ledger.resume(): a dump, an upgrade, a copy */
	TL_REJOIN_ROLLED_BACK = 2	/* ledger.accept_restore(): an older state */
} TlRejoinCause;

/* A block of this member's ledger, as far as somebody knows it. */
typedef struct TlRejoinBlock
{
	uint64_t	height;
	uint64_t	view;
	TlHash		hash;
} TlRejoinBlock;

typedef struct TlRejoin
{
	uint8_t		cause;			/* a TlRejoinCause */
	uint16_t	incarnation;	/* that begins, from 1 */
	uint8_t		nonce[TL_NONCE_SIZE];	/* of it */
	uint16_t	before;			/* the incarnation that ends */
	uint8_t		nonce_before[TL_NONCE_SIZE];
	uint64_t	sequence;		/* last log row of it that is known here */
	TlHash		digest;
	TlRejoinBlock last;			/* last block that is known here */
	TlRejoinBlock lost;			/* last one that is known to be lost, zeros if
								 * none is */
	uint16_t	lost_incarnation;	/* that signed it */
	uint32_t	problem_count;	/* that were found, and accepted */
	uint64_t	unbatched_rows; /* with older refs, in no batch yet */
	TlSpan		reason;			/* UTF-8 */
	uint16_t	reply_count;	/* 0 in a ledger of one member */
	TlSpan		replies;		/* per reply: size u32, REPLY row */
} TlRejoin;

extern TlStatus tl_consensus_rejoin_encode(TlWriter *writer,
										   const TlRejoin *rejoin);

/* The spans point into data afterwards. */
extern TlStatus tl_consensus_rejoin_decode(TlRejoin *out,
										   const void *data, size_t size);

/* The next of rejoin.replies; the reader starts on that span. */
extern TlStatus tl_consensus_rejoin_next_reply(TlLogRow *out,
											   TlReader *reader);

#endif							/* CONSENSUS_REJOIN_H */
