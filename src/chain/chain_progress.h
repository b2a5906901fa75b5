/*-------------------------------------------------------------------------
 *
 * chain_progress.h
 *	  How far the rows of a table, or of all, are in batches.
 *
 *-------------------------------------------------------------------------
 */
#ifndef CHAIN_PROGRESS_H
#define CHAIN_PROGRESS_H

#include "chain_snapshot.h"
#include "table_ref.h"

/*
 * Batched are the rows that snapshot `base` sees, and while a snapshot
 * difference is too large for one batch (partial) those that the next snapshot
 * sees up to `position`.
 */
typedef struct TlProgress
{
	int64_t		base_number;
	TlSnapshot	base;
	bool		partial;
	int64_t		next_number;
	TlSnapshot	next;
	TlRefBytes	position;
} TlProgress;

/* A range of transactions in which new rows of a table can be. */
typedef struct TlProbe
{
	Oid			relation;
	uint64_t	first_xid;
	uint64_t	last_xid;		/* inclusive */
} TlProbe;

extern bool tl_chain_progress_done(const TlProgress *progress,
								   const TlRefBytes *ref, uint64_t xid);
extern TlProbe *tl_chain_progress_probes(const TlSnapshot *base,
										 const TlSnapshot *target,
										 Oid relation, int *count);
extern int	tl_chain_probes_normalize(TlProbe *probes, int count);

#endif							/* CHAIN_PROGRESS_H */
