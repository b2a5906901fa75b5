/*-------------------------------------------------------------------------
 *
 * node_status.c
 *	  What this node is doing, for the view ledger.status.
 *
 * Pending rows are counted from the tables (what a snapshot sees now and the
 * stored progress does not), not from shared memory, so that the figure is
 * right also while no worker runs.  Counting stops at PENDING_MAX.  A table
 * that is locked is not counted but named.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/relation.h"
#include "catalog/pg_type.h"
#include "executor/spi.h"
#include "fmgr.h"
#include "funcapi.h"
#include "miscadmin.h"
#include "storage/lwlock.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/snapmgr.h"

#include "chain_lookup.h"
#include "chain_pending.h"
#include "chain_store.h"
#include "node_identity.h"
#include "node_shared.h"
#include "node_status.h"
#include "table_catalog.h"
#include "tl_error.h"

PG_FUNCTION_INFO_V1(tl_node_status);

#define PENDING_MAX		1000000

/* Copied out of the slot, so that no lock is held while rows are counted. */
typedef struct Published
{
	int			pid;
	TimestampTz seen_at;
	int			waiting_count;
	Datum		waiting[TL_NODE_LAGGING_MAX];
} Published;

static void read_published(Published *out);
static TlProgress *load_lagging_progress(TlLagging *lagging);
static int64 count_table(Oid relation, const TlNodeIdentity *identity,
						 const TlProgress *progress, const TlSnapshot *now,
						 Snapshot snapshot, int64 maximum);

/* ledger_internal.status(): one row, or none where there is no node */
Datum
tl_node_status(PG_FUNCTION_ARGS)
{
	const TlNodeIdentity *identity = tl_node_identity();
	char		chain[2 * TL_HASH_SIZE + 1] = "";
	Published  *published = palloc0(sizeof(Published));
	ReturnSetInfo *result = (ReturnSetInfo *) fcinfo->resultinfo;
	Datum		values[10];
	bool		nulls[10] = {false};
	TlPending	waiting;
	int64		pending;

	InitMaterializedSRF(fcinfo, 0);
	if (!identity->table.exists)
		return (Datum) 0;
	read_published(published);
	SPI_connect();
	/* a copy's transactions have numbers of their own */
	pending = tl_node_status_pending(identity, identity->table.incarnation +
									 (identity->table.copied ? 1 : 0));
	tl_chain_pending_look(&waiting);
	pending += waiting.rows;
	if (pending > 0 || published->waiting_count > 0)
	{
		/* no worker has published anything since the server's start */
		if (published->seen_at == 0)
			published->seen_at = tl_chain_store_last_snapshot_time();
		published->seen_at = Min(published->seen_at, tl_chain_store_oldest_lagging());
	}
	SPI_finish();
	hex_encode((const char *) identity->chain_id.bytes, TL_HASH_SIZE, chain);
	values[0] = CStringGetTextDatum(identity->name);
	values[1] = Int64GetDatum((int64) identity->table.member);
	values[2] = Int32GetDatum(identity->table.incarnation);
	values[3] = CStringGetTextDatum(identity->table.test ? "test" : "production");
	values[4] = CStringGetTextDatum(chain);
	values[5] = Int32GetDatum(published->pid);
	nulls[5] = published->pid == 0;
	values[6] = Int64GetDatum(pending);
	values[7] = TimestampTzGetDatum(published->seen_at);
	nulls[7] = pending == 0 && published->waiting_count == 0;
	values[8] = PointerGetDatum(construct_array(published->waiting,
												published->waiting_count,
												REGCLASSOID, sizeof(Oid), true,
												TYPALIGN_INT));
	nulls[8] = published->waiting_count == 0;
	values[9] = CStringGetTextDatum(identity->table.copied ? "copied" :
									identity->table.ended ? "ended" :
									identity->rejoining ? "rejoining" :
									identity->table.rolled_back ? "rolled back" : "live");
	tuplestore_putvalues(result->setResult, result->setDesc, values, nulls);
	return (Datum) 0;
}

static void
read_published(Published *out)
{
	TlNodeSlot *slot;

	LWLockAcquire(tl_node_shared_lock(), LW_SHARED);
	slot = tl_node_shared_find(MyDatabaseId, false);
	if (slot != NULL)
	{
		out->pid = slot->pid;
		out->seen_at = slot->seen_at;
		out->waiting_count = Max(slot->lagging_count, 0);
		for (int i = 0; i < out->waiting_count; i++)
			out->waiting[i] = ObjectIdGetDatum(slot->lagging[i]);
	}
	LWLockRelease(tl_node_shared_lock());
}

/*
 * Rows that are committed and in no batch, PENDING_MAX at most; as the worker
 * of this incarnation would find them.
 */
int64_t
tl_node_status_pending(const TlNodeIdentity *identity, uint16_t incarnation)
{
	Snapshot	snapshot = RegisterSnapshot(GetLatestSnapshot());
	TlProgress	progress;
	TlSnapshot	now;
	TlLagging  *lagging;
	int			lagging_count;
	ListCell   *cell;
	int64		count = 0;

	if (!tl_chain_store_load_progress(&progress))
		ereport(ERROR,
				errcode(TL_ERRCODE(TL_CHAIN_DAMAGED)),
				errmsg("the stored chain has no beginning"),
				tl_error_hint_damaged());
	lagging = tl_chain_store_load_lagging(&lagging_count);
	tl_chain_snapshot_take(&now, snapshot, incarnation);
	foreach(cell, tl_table_catalog_tables())
	{
		Oid			relation = lfirst_oid(cell);
		TlProgress *own = &progress;

		for (int i = 0; i < lagging_count; i++)
			if (lagging[i].relation == relation)
				own = load_lagging_progress(&lagging[i]);
		if (count < PENDING_MAX && tl_chain_collect_lock(relation))
		{
			count += count_table(relation, identity, own, &now, snapshot,
								 PENDING_MAX - count);
			tl_chain_collect_unlock(relation);
		}
	}
	UnregisterSnapshot(snapshot);
	return count;
}

/* How far a table that waits, or waited until just now, is batched. */
static TlProgress *
load_lagging_progress(TlLagging *lagging)
{
	TlProgress *progress = &lagging->progress;

	tl_chain_store_load_snapshot(&progress->base, progress->base_number);
	if (progress->partial)
		tl_chain_store_load_snapshot(&progress->next, progress->next_number);
	return progress;
}

static int64
count_table(Oid relation, const TlNodeIdentity *identity,
			const TlProgress *progress, const TlSnapshot *now,
			Snapshot snapshot, int64 maximum)
{
	TlCollector *collector;
	TlCollectedRow row;
	int			probe_count;
	TlProbe    *probes = tl_chain_progress_probes(&progress->base, now, relation,
												  &probe_count);
	int64		count = 0;

	probe_count = tl_chain_probes_normalize(probes, probe_count);
	collector = tl_chain_collect_begin(probes, probe_count, progress, now,
									   identity->table.member, snapshot);
	while (count < maximum && tl_chain_collect_next(collector, &row))
		if (!tl_chain_is_rejected(&row.ref))
			count++;
	tl_chain_collect_end(collector);
	pfree(probes);
	return count;
}
