/*-------------------------------------------------------------------------
 *
 * chain_block.h
 *	  Block headers, the cut they reach, and the rules that link them.
 *
 *-------------------------------------------------------------------------
 */
#ifndef CHAIN_BLOCK_H
#define CHAIN_BLOCK_H

#include "tl_limits.h"
#include "tl_status.h"
#include "tl_types.h"
#include "tl_wire.h"

#define TL_BLOCK_HEADER_SIZE	318
#define TL_BLOCK_LANE_SIZE		46	/* of one lane in an encoded cut */
#define TL_BLOCK_ENTRY_SIZE		33	/* of one entry in an encoded list */
#define TL_ENTRY_MEMBERS		255 /* kind of the entry that is no row but the
									 * hash of the next set of members */

typedef struct TlBlockHeader
{
	TlHash		chain_id;		/* zeros in the genesis header */
	uint64_t	height;			/* 0 for genesis */
	uint64_t	epoch;
	uint64_t	view;
	TlHash		parent;			/* block hash, zeros at height 0 */
	uint64_t	parent_epoch;
	uint64_t	parent_view;
	uint32_t	proposer;
	int64_t		time;			/* us since 1970 UTC */
	TlHash		batch_root;		/* over the digests of the cut's batches */
	TlHash		entries_root;	/* over GOVERN, REJOIN, EVIDENCE entries */
	TlHash		cut_hash;
	TlHash		members_hash;	/* of the set that certifies this block */
	uint64_t	checkpoint_height;	/* newest stable checkpoint */
	TlHash		checkpoint_state_root;
	TlHash		history_root;	/* over the block hashes 0 .. height - 1 */
} TlBlockHeader;

/* How far a block reaches into one member's batches. */
typedef struct TlLane
{
	uint32_t	member;
	uint16_t	incarnation;
	uint64_t	batch;
	TlHash		digest;			/* of that batch */
} TlLane;

/* A log row (GOVERN, REJOIN, EVIDENCE) that a block orders. */
typedef struct TlBlockEntry
{
	uint8_t		kind;			/* of the row */
	TlHash		digest;			/* of the row */
} TlBlockEntry;

extern TlStatus tl_chain_block_encode(TlWriter *writer,
									  const TlBlockHeader *header);
extern TlStatus tl_chain_block_decode(TlBlockHeader *out,
									  const void *data, size_t size);

/* The block's hash, which is its leaf hash in the history tree. */
extern void tl_chain_block_hash(TlHash *out, const TlBlockHeader *header);

/* The id of the chain that starts with this genesis header. */
extern void tl_chain_block_chain_id(TlHash *out, const TlBlockHeader *header);

/*
 * TL_OK if child may come right after parent: rules B2 to B8.  That its
 * history root is the one over all earlier blocks is for the caller to check,
 * who has the tree.
 */
extern TlStatus tl_chain_block_follows(const TlBlockHeader *parent,
									   const TlBlockHeader *child);

/* Lanes ascend by member; at most TL_MEMBER_COUNT_MAX. */
extern TlStatus tl_chain_cut_encode(TlWriter *writer, const TlLane *lanes,
									unsigned count);
extern TlStatus tl_chain_cut_decode(TlLane *out, unsigned *count,
									unsigned count_max,
									const void *data, size_t size);

/* What stands for a log row (GOVERN, REJOIN, EVIDENCE) under the entries root. */
extern void tl_chain_entry_leaf_hash(TlHash *out, uint8_t kind,
									 const TlHash *row_digest);
extern TlStatus tl_chain_cut_hash(TlHash *out, const TlLane *lanes,
								  unsigned count);

/* Entries ascend by digest. */
extern TlStatus tl_chain_entries_encode(TlWriter *writer,
										const TlBlockEntry *entries,
										unsigned count);
extern TlStatus tl_chain_entries_decode(TlBlockEntry *out, unsigned *count,
										unsigned count_max,
										const void *data, size_t size);

/* The entries root of a header. */
extern TlStatus tl_chain_entries_root(TlHash *out, const TlBlockEntry *entries,
									  unsigned count);

#endif							/* CHAIN_BLOCK_H */
