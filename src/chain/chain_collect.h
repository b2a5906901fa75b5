/*-------------------------------------------------------------------------
 *
 * chain_collect.h
 *	  The rows of a snapshot difference, over all tables, in order of ref.
 *
 *-------------------------------------------------------------------------
 */
#ifndef CHAIN_COLLECT_H
#define CHAIN_COLLECT_H

#include "executor/tuptable.h"
#include "utils/rel.h"
#include "utils/snapshot.h"

#include "chain_progress.h"

typedef struct TlCollector TlCollector;

typedef struct TlCollectedRow
{
	Relation	relation;
	TupleTableSlot *slot;		/* valid until the next call */
	TlRefBytes	ref;
	uint64_t	xid;
} TlCollectedRow;

extern bool tl_chain_collect_lock(Oid relation);
extern void tl_chain_collect_unlock(Oid relation);
extern TlCollector *tl_chain_collect_begin(const TlProbe *probes, int probe_count,
										   const TlProgress *progress,
										   const TlSnapshot *target,
										   uint32_t member, Snapshot snapshot);
extern bool tl_chain_collect_next(TlCollector *collector, TlCollectedRow *out);
extern void tl_chain_collect_end(TlCollector *collector);

#endif							/* CHAIN_COLLECT_H */
