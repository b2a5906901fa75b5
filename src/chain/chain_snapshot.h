/*-------------------------------------------------------------------------
 *
 * chain_snapshot.h
 *	  Snapshots as values: which transactions a batch has seen.
 *
 *-------------------------------------------------------------------------
 */
#ifndef CHAIN_SNAPSHOT_H
#define CHAIN_SNAPSHOT_H

#include "utils/palloc.h"
#include "utils/snapshot.h"

#include "tl_types.h"

/*
 * Transactions below xmax are finished, except those in progress (ascending).
 * Top-level transactions only, 64 bits, prepared ones included: what
 * pg_current_snapshot() shows, each as the word of a ref (tl_table_ref_word):
 * with the incarnation on top.  So a snapshot sees everything that earlier
 * incarnations have left, whatever its numbers were there.
 */
typedef struct TlSnapshot
{
	uint64_t	xmax;
	int			in_progress_count;
	uint64_t   *in_progress;
} TlSnapshot;

extern bool tl_chain_snapshot_sees(const TlSnapshot *snapshot, uint64_t xid);
extern bool tl_chain_snapshot_equal(const TlSnapshot *left,
									const TlSnapshot *right);
extern uint64_t tl_chain_snapshot_xmin(const TlSnapshot *snapshot);
extern void tl_chain_snapshot_take(TlSnapshot *out, Snapshot mvcc,
								   uint16_t incarnation);
extern void tl_chain_snapshot_copy(TlSnapshot *out, const TlSnapshot *source,
								   MemoryContext context);
extern char *tl_chain_snapshot_text(const TlSnapshot *snapshot);
extern void tl_chain_snapshot_parse(TlSnapshot *out, const char *text);

#endif							/* CHAIN_SNAPSHOT_H */
