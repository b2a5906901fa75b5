/*-------------------------------------------------------------------------
 *
 * consensus_restart.h
 *	  RESTART: a ledger goes on after more than f members are lost.
 *
 *-------------------------------------------------------------------------
 */
#ifndef CONSENSUS_RESTART_H
#define CONSENSUS_RESTART_H

#include "consensus_core.h"

#define TL_RESTART_REASON_SIZE_MAX	1024
#define TL_RESTART_SIGNATURE_SIZE	68	/* of one in the list */

typedef struct TlRestart
{
	TlHash		chain_id;		/* of the ledger that ends */
	TlSpan		last;			/* header of its last final block */
	TlSpan		genesis;		/* body of the ledger that begins */
	uint32_t	founder;		/* of it, a member */
	int64_t		time;			/* of its genesis, us since 1970 UTC */
	TlSpan		reason;			/* UTF-8 */
	uint16_t	signature_count;
	TlSpan		signatures;		/* per signer, ascending: member u32, 64 bytes */
} TlRestart;

/* A member of the last set, and the key that he keeps offline. */
typedef struct TlRecoveryMember
{
	uint32_t	member;
	uint8_t		recovery_key[TL_XONLY_KEY_SIZE];
} TlRecoveryMember;

extern TlStatus tl_consensus_restart_encode(TlWriter *writer,
											const TlRestart *restart);

/* The spans point into data afterwards. */
extern TlStatus tl_consensus_restart_decode(TlRestart *out,
											const void *data, size_t size);

/* What is signed, and what the new genesis holds: all but the signatures. */
extern TlStatus tl_consensus_restart_digest(TlHash *out,
											const TlRestart *restart);

/* One entry of the list that restart.signatures holds. */
extern void tl_consensus_restart_put_signature(TlWriter *writer,
											   uint32_t member,
											   const uint8_t signature[TL_SIGNATURE_SIZE]);
extern TlStatus tl_consensus_restart_get_signature(uint32_t *member,
												   uint8_t signature[TL_SIGNATURE_SIZE],
												   const TlRestart *restart,
												   unsigned index);

/* How many of a set of n have to sign: q, of two the one who stays. */
extern unsigned tl_consensus_restart_quorum(unsigned validator_count,
											unsigned quorum_of_three);

/*
 * TL_OK if it ends that ledger, whose last set were these validators: X1 to X3.
 * Otherwise TL_CHAIN_DAMAGED (another ledger, or not this set's block),
 * TL_BAD_ORDER (a signer who may not, or too few) or TL_BAD_SIGNATURE.  That
 * its last block is final is for those to know who sign.
 */
extern TlStatus tl_consensus_restart_judge(const TlRestart *restart,
										   const TlHash *chain_id,
										   const TlHash *members_hash,
										   const TlRecoveryMember *validators,
										   unsigned validator_count,
										   unsigned quorum_of_three,
										   TlSignatureCheck check,
										   void *context);

#endif							/* CONSENSUS_RESTART_H */
