/*-------------------------------------------------------------------------
 *
 * chain_progress.c
 *	  How far the rows of a table, or of all, are in batches.
 *
 * A row belongs to the batch whose target snapshot sees its transaction while
 * the progress before it does not.  Where to look is a set of probes: ranges
 * of transactions in the ref index.  Probes may cover too much (rows are
 * filtered by the rule above), never too little.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "chain_progress.h"

/* Two probes so close that one index scan is cheaper than two descents. */
#define PROBE_GAP_MAX	64

static int	compare_probes(const void *left, const void *right);

/* Is this row in a batch already? */
bool
tl_chain_progress_done(const TlProgress *progress, const TlRefBytes *ref,
					   uint64_t xid)
{
	if (tl_chain_snapshot_sees(&progress->base, xid))
		return true;
	return progress->partial &&
		tl_chain_snapshot_sees(&progress->next, xid) &&
		tl_table_ref_compare(ref, &progress->position) <= 0;
}

/*
 * Everything that target sees and base does not: one range from xmax to xmax,
 * and one for each transaction that base saw in progress and target does not.
 */
TlProbe *
tl_chain_progress_probes(const TlSnapshot *base, const TlSnapshot *target,
						 Oid relation, int *count)
{
	TlProbe    *probes = palloc(sizeof(TlProbe) * (base->in_progress_count + 1));

	*count = 0;
	for (int i = 0; i < base->in_progress_count; i++)
	{
		uint64_t	xid = base->in_progress[i];

		if (!tl_chain_snapshot_sees(target, xid))
			continue;
		probes[*count].relation = relation;
		probes[*count].first_xid = xid;
		probes[*count].last_xid = xid;
		(*count)++;
	}
	if (target->xmax > base->xmax)
	{
		probes[*count].relation = relation;
		probes[*count].first_xid = base->xmax;
		probes[*count].last_xid = target->xmax - 1;
		(*count)++;
	}
	return probes;
}

static int
compare_probes(const void *left, const void *right)
{
	const TlProbe *a = left;
	const TlProbe *b = right;

	if (a->relation != b->relation)
		return a->relation < b->relation ? -1 : 1;
	return (a->first_xid > b->first_xid) - (a->first_xid < b->first_xid);
}

/* Sort by table and transaction, join what overlaps or nearly does. */
int
tl_chain_probes_normalize(TlProbe *probes, int count)
{
	int			kept = 0;

	if (count == 0)
		return 0;
	qsort(probes, count, sizeof(TlProbe), compare_probes);
	for (int i = 1; i < count; i++)
	{
		TlProbe    *last = &probes[kept];

		if (probes[i].relation == last->relation &&
			probes[i].first_xid <= last->last_xid + PROBE_GAP_MAX)
			last->last_xid = Max(last->last_xid, probes[i].last_xid);
		else
			probes[++kept] = probes[i];
	}
	return kept + 1;
}
