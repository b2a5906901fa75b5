/*-------------------------------------------------------------------------
 *
 * consensus_epoch.h
 *	  From one set of members to the next, and the proof that it was decided.
 *
 *-------------------------------------------------------------------------
 */
#ifndef CONSENSUS_EPOCH_H
#define CONSENSUS_EPOCH_H

#include "consensus_govern.h"
#include "consensus_types.h"

/*
 * That a block founds an epoch, and with which members: the block's header and
 * entries, and a finalization of it or of a carrier above it.
 */
typedef struct TlEpochCertificate
{
	TlSpan		founding;		/* header of the block */
	uint16_t	entry_count;
	TlSpan		entries;		/* its list */
	uint16_t	carrier_count;
	TlSpan		carriers;		/* headers, from its child to the final one */
	TlSpan		certificate;	/* finalization of the last of them */
} TlEpochCertificate;

/* A member of a configuration, from his leaf. */
extern TlStatus tl_consensus_epoch_member(TlConsensusMember *out, TlSpan leaf);

/* The row key with which a member signs rows of that epoch. */
extern const uint8_t *tl_consensus_epoch_key(const TlConsensusMember *member,
											 uint64_t epoch);

/* TL_OK if this change can be made to these members; the hash of the next set. */
extern TlStatus tl_consensus_epoch_check(const TlConsensusConfig *config,
										 const TlMotion *motion,
										 TlHash *members_hash);

/*
 * Make the configuration that of the next epoch.  standing is that of the
 * founding block; motion is what it decided, encoded.
 */
extern TlStatus tl_consensus_epoch_next(TlConsensusConfig *config,
										const TlConsensusBlock *founding,
										const TlStanding *standing,
										TlSpan motion);

extern TlStatus tl_consensus_epoch_encode(TlWriter *writer,
										  const TlEpochCertificate *epoch);
extern TlStatus tl_consensus_epoch_decode(TlEpochCertificate *out,
										  const void *data, size_t size);

/*
 * TL_OK if the parts belong together: then a valid certificate of the epoch
 * that ends makes founding final, and says that members_hash is of the next
 * set.  The certificate itself is for the caller to verify.
 */
extern TlStatus tl_consensus_epoch_read(const TlEpochCertificate *epoch,
										TlHash *founding,
										TlHash *members_hash,
										TlCertificate *certificate);

#endif							/* CONSENSUS_EPOCH_H */
