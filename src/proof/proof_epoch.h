/*-------------------------------------------------------------------------
 *
 * proof_epoch.h
 *	  From the members in genesis to those who signed a later block.
 *
 *-------------------------------------------------------------------------
 */
#ifndef PROOF_EPOCH_H
#define PROOF_EPOCH_H

#include "chain_genesis.h"

#define TL_PROOF_LEFT_MAX	256 /* members who left, whose rows are receipted */

/* The members of an epoch, and those before who are none any more. */
typedef struct TlProofMembers
{
	uint64_t	epoch;
	TlGenesis	set;			/* members and quorum; the rest is as in genesis */
	uint32_t	number_max;		/* that was ever given */
	uint64_t	height;			/* of the block that founds the epoch */
	unsigned	left_count;
	TlMember	left[TL_PROOF_LEFT_MAX];
} TlProofMembers;

/* Those in genesis. */
extern void tl_proof_epoch_begin(TlProofMembers *out, const TlGenesis *genesis);

/*
 * Each change of the members, in order: per epoch its certificate
 * (consensus_epoch.c) and, for each GOVERN entry of the block that founds the
 * next one, in their order, that row.  Each of them after its size u32.  NULL,
 * or a sentence that says what is wrong.  Names point into changes afterwards.
 */
extern const char *tl_proof_epoch_follow(TlProofMembers *members,
										 const TlHash *chain_id, TlSpan changes);

/* The same up to the change that founds that epoch; those after it are not read. */
extern const char *tl_proof_epoch_follow_to(TlProofMembers *members,
											const TlHash *chain_id, TlSpan changes,
											uint64_t epoch);

/* Somebody who is a member, or was one; NULL if nobody has that number. */
extern const TlMember *tl_proof_epoch_find(const TlProofMembers *members,
										   uint32_t number);

#endif							/* PROOF_EPOCH_H */
