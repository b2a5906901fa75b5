/*-------------------------------------------------------------------------
 *
 * proof_verify_chain.h
 *	  The walk along the chain, height by height.
 *
 *-------------------------------------------------------------------------
 */
#ifndef PROOF_VERIFY_CHAIN_H
#define PROOF_VERIFY_CHAIN_H

#include "chain_batch.h"
#include "consensus_rejoin.h"
#include "merkle_range.h"
#include "proof_verify.h"
#include "proof_verify_cursor.h"

/* The REJOIN that says why what somebody else keeps is not here. */
typedef struct TlLoss
{
	bool		given;
	uint16_t	incarnation;	/* that it opens */
	uint64_t	height;			/* last block before the gap */
	char		reason[TL_REJOIN_REASON_SIZE_MAX + 1];
} TlLoss;

/* Numbers in rows that are never dropped: of batches in an incarnation, of approvals in an epoch. */
typedef struct TlNumbered
{
	bool		dropped;		/* rows may be missing behind this one */
	uint64_t	of;
	uint64_t	number;
} TlNumbered;

/*
 * A hash that is "effective" is the one to go on with: what was signed, if
 * there is a valid signature, else what the stored bytes give.  So one changed
 * row is one problem, and what follows it is still checked.
 */
typedef struct TlWalk
{
	TlVerification *run;
	TlCursor	log;
	TlCursor	blocks;
	TlCursor	batches;
	TlCursor	sections;
	TlCursor	orders;			/* of several members: block_order */
	TlCursor	foreign;		/* and foreign_batch */
	int64_t		height;			/* where the walk is */

	/* the log */
	uint16_t	incarnation;	/* of the last row */
	bool		opens;			/* the row is the first of another one */
	uint8_t		nonce[TL_NONCE_SIZE];	/* of that incarnation */
	uint64_t	sequence;
	TlHash		log_digest;		/* effective, of that row */
	bool		sparse_known;	/* the next two were read */
	uint8_t		sparse_nonce[TL_NONCE_SIZE];
	uint64_t	sparse_end;		/* of that incarnation old rows up to here may be gone */
	TlNumbered	own_batch;
	TlNumbered	own_approval;
	bool		gap_reported;	/* a missing row was named as what it was */
	TlLoss		loss;

	/* blocks */
	TlMerkleRange history;		/* over the effective hashes below height */
	TlHash		parent_hash;	/* effective */
	TlBlockHeader parent;
	bool		parent_sound;

	/* batches */
	uint64_t	batch;			/* running number */
	TlLane		lane;			/* where it brought the cut */
	TlHash		batch_digest;	/* effective, of that batch */
	int64_t		snapshot;		/* of the last batch that was not late */
	bool		completes;		/* and whether it said to complete it */

	/* where the lanes of several members are */
	unsigned	lane_count;
	TlLane		lanes[TL_MEMBER_COUNT_MAX];

	/* what the log, or a certificate of several members, says of this height */
	bool		certified;
	bool		by_descendant;	/* the certificate is of a block above */
	TlHash		certified_hash;
	uint64_t	certified_epoch;
	uint64_t	certified_view;
	bool		rejoined;		/* it opens an incarnation here, with this row */
	TlHash		rejoin_digest;
	int			signed_count;
	TlHash		signed_digests[TL_BLOCK_BATCHES_MAX];
	TlLane		signed_lanes[TL_BLOCK_BATCHES_MAX];
	bool		signed_found[TL_BLOCK_BATCHES_MAX];
	bool		log_reported;
} TlWalk;

extern void tl_proof_walk_log(TlWalk *walk);
extern void tl_proof_walk_quorum_open(TlWalk *walk, int64_t first);
extern void tl_proof_walk_quorum_close(TlWalk *walk);
extern void tl_proof_walk_certificate(TlWalk *walk);
extern void tl_proof_walk_lanes(TlWalk *walk, const TlBlockHeader *header);
extern void tl_proof_walk_pending(TlWalk *walk);
extern void tl_proof_walk_batch(TlWalk *walk, TlMerkleRange *digests);
extern void tl_proof_walk_waiting(TlWalk *walk);
extern void tl_proof_walk_batches(TlWalk *walk, const TlBlockHeader *header);
extern void tl_proof_walk_rest(TlWalk *walk);
extern bool tl_proof_walk_hash_is(const TlHash *hash, TlSpan bytes);

#endif							/* PROOF_VERIFY_CHAIN_H */
