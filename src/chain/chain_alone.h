/*-------------------------------------------------------------------------
 *
 * chain_alone.h
 *	  Blocks that one member made alone: linked, and read from its log.
 *
 *-------------------------------------------------------------------------
 */
#ifndef CHAIN_ALONE_H
#define CHAIN_ALONE_H

#include "consensus_types.h"

#define TL_ALONE_TIMES_MAX			131000	/* in one chunk */
#define TL_ALONE_TIMES_SIZE_FIXED	33
#define TL_ALONE_CERTIFICATE_SIZE	(TL_CERTIFICATE_SIZE_FIXED + TL_CERTIFICATE_VOTE_SIZE)

/* The last block that the log gives, and what it has said since. */
typedef struct TlAlone
{
	TlHash		chain_id;
	uint32_t	member;
	TlConsensusBlock block;		/* genesis at first */
	TlMemberStanding standing;	/* after it */
	uint8_t		certificate[TL_ALONE_CERTIFICATE_SIZE]; /* of it, not of genesis */
	bool		has_batch;
	TlLane		lane;			/* the batch that the next block adds */
	bool		has_rejoin;
	TlHash		rejoin;			/* or the REJOIN that it orders */
	TlMemberStanding next;
} TlAlone;

/* Times of consecutive blocks; the span points into the chunk. */
typedef struct TlAloneTimes
{
	uint64_t	first;			/* height */
	uint32_t	count;
	TlSpan		times;
} TlAloneTimes;

/*
 * The header of a block behind that one, in the next view, which orders nothing
 * yet; lane: how far the cut reaches, NULL if there is no batch.
 */
extern TlStatus tl_chain_alone_link(TlBlockHeader *out, const TlBlockHeader *parent,
									const TlHash *parent_hash,
									const TlMerkleRange *history, const TlLane *lane,
									uint32_t proposer, int64_t time);

/* On genesis, whose only validator is that member. */
extern void tl_chain_alone_init(TlAlone *alone, const TlHash *chain_id,
								const TlBlockHeader *genesis, uint32_t member);

/*
 * The next row of the log, all incarnations one after the other; time: of the
 * block that comes next.  *complete: the row has made alone->block.
 * TL_BAD_PROOF: the block of that time is not the one that was signed.
 */
extern TlStatus tl_chain_alone_row(TlAlone *alone, const TlLogRow *row,
								   int64_t time, bool *complete);

extern TlStatus tl_chain_alone_times_encode(TlWriter *writer, uint64_t first,
											const int64_t *times, uint32_t count);
extern TlStatus tl_chain_alone_times_decode(TlAloneTimes *out,
											const void *data, size_t size);

/* False if that height is not among them. */
extern bool tl_chain_alone_time(int64_t *out, const TlAloneTimes *times,
								uint64_t height);

#endif							/* CHAIN_ALONE_H */
