/*-------------------------------------------------------------------------
 *
 * consensus_offer.h
 *	  Final blocks that a member shows another one who asks for them (P17).
 *
 *-------------------------------------------------------------------------
 */
#ifndef CONSENSUS_OFFER_H
#define CONSENSUS_OFFER_H

#include "consensus_types.h"

#define TL_OFFER_BLOCKS_MAX		1024
#define TL_OFFER_SIZE_MAX		1048576
#define TL_OFFER_SIZE_FIXED		3	/* without blocks */

/* One block, in the encodings of chain_block.h. */
typedef struct TlOfferedBlock
{
	TlSpan		header;
	TlSpan		cut;
	TlSpan		entries;
	TlSpan		certificate;	/* a finalization of this block; may be empty */
} TlOfferedBlock;

typedef struct TlOffer
{
	unsigned	count;
	TlOfferedBlock blocks[TL_OFFER_BLOCKS_MAX];
} TlOffer;

/* How many bytes a block takes in an offer. */
extern size_t tl_consensus_offered_size(const TlOfferedBlock *block);

extern TlStatus tl_consensus_offer_encode(TlWriter *writer, const TlOffer *offer);

/* The spans point into data afterwards. */
extern TlStatus tl_consensus_offer_decode(TlOffer *out, const void *data, size_t size);

/* The block itself; TL_OK if cut and entries are those of the header. */
extern TlStatus tl_consensus_offered_read(TlConsensusBlock *out,
										  const TlOfferedBlock *block);

#endif							/* CONSENSUS_OFFER_H */
