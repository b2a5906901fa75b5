/*-------------------------------------------------------------------------
 *
 * chain_store.h
 *	  The stored chain: its tip, and appending to it.
 *
 *-------------------------------------------------------------------------
 */
#ifndef CHAIN_STORE_H
#define CHAIN_STORE_H

#include "utils/timestamp.h"

#include "chain_block.h"
#include "chain_build.h"
#include "merkle_range.h"

/*
 * What the next batch and block link to.  A value: the worker works on a copy
 * and takes it over when its transaction has committed.
 */
typedef struct TlTip
{
	TlBlockHeader header;		/* of the last block */
	TlHash		hash;			/* its hash */
	TlMerkleRange history;		/* over all block hashes, the last included */
	uint64_t	batch;			/* running number of the last batch */
	TlLane		lane;			/* what the cut reaches; batch 0: nothing yet */
} TlTip;

/* A table whose rows could not be batched with the others. */
typedef struct TlLagging
{
	Oid			relation;
	TlProgress	progress;
} TlLagging;

extern bool tl_chain_store_load_tip(TlTip *tip);
extern bool tl_chain_store_load_head(TlTip *tip);
extern void tl_chain_store_load_history(TlMerkleRange *range, uint64_t size);
extern void tl_chain_store_batch(const TlBuiltBatch *batch, uint64_t number,
								 uint32_t member, uint16_t incarnation,
								 uint64_t height, int64_t snapshot_number,
								 bool completes, bool late,
								 const uint8_t *header, size_t header_size,
								 const TlHash *digest);
extern void tl_chain_store_late_rows(const TlBuiltBatch *batch, uint64_t number,
									 uint32_t member);
extern void tl_chain_store_block(TlTip *tip, const TlBlockHeader *header);
extern void tl_chain_store_snapshot(int64_t number, const TlSnapshot *snapshot,
									TimestampTz taken_at);
extern bool tl_chain_store_load_progress(TlProgress *progress);
extern void tl_chain_store_load_snapshot(TlSnapshot *out, int64_t number);
extern TimestampTz tl_chain_store_oldest_lagging(void);
extern TimestampTz tl_chain_store_last_snapshot_time(void);
extern void tl_chain_store_complete(int64_t snapshot_number);
extern TlLagging *tl_chain_store_load_lagging(int *count);
extern void tl_chain_store_lagging(const TlLagging *lagging);
extern void tl_chain_store_forget_lagging(Oid relation);
extern TimestampTz tl_chain_time_from_unix(int64_t time);
extern int64_t tl_chain_time_to_unix(TimestampTz time);

#endif							/* CHAIN_STORE_H */
