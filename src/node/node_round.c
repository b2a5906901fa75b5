/*-------------------------------------------------------------------------
 *
 * node_round.c
 *	  One round of the worker: what is new becomes a final block.
 *
 * A round is one transaction.  It takes a snapshot, gathers probes (where new
 * rows can be), collects the rows of the difference in order of ref, and if
 * there are any makes one batch and one block of them.  A difference that is
 * too large for one batch goes on in the next rounds, against the same target
 * snapshot, kept as a value.
 *
 * Probes come from the dirty set: pairs of transaction and table, written
 * before the first row.  After a start, and when the set was full, every
 * ledger table is asked once for the whole difference; transactions that were
 * in progress then are remembered (untracked), and every table is asked for
 * each of them when it ends.  So a round costs what is new, not the number of
 * tables nor the age of the oldest transaction.
 *
 * A row that is not signed as its table demands is passed over and listed as
 * rejected, in the same transaction (chain_reject.c).  If there is nothing else,
 * no block is made and the base stays where it is: what is listed is passed over
 * again whenever it is met.
 *
 * A table that cannot be locked at once keeps its own, older progress in
 * ledger_internal.lagging and follows in batches of its own (late).
 *
 * Where several members order, a round makes a batch and no block, and what it
 * tells to be final is what the block's of the members have reached: all that is
 * older than the first batch that waits.  It makes no more than PENDING_MAX batches
 * ahead of them, so that rows then gather in few large ones.
 *
 * After a restore there may be rows that this member has batched already, in a
 * batch that is final and of which only the header came back.  Before it makes
 * batches of its own a round builds the difference under the time of each such
 * header, and compares roots where a batch can have ended: what fits is that batch.
 * It waits for this until such batches with bodies are applied, which puts rows of
 * shared tables back.
 * What does not, since rows of it are lost, is batched once more.
 *
 * Invariants
 *	  R1  state changes only after the transaction that stored it committed
 *	  R2  an error leaves the state as it was; the worker starts anew from the
 *		  tables, looking everywhere
 *	  R3  published as final is only what is flushed
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/table.h"
#include "access/xact.h"
#include "executor/spi.h"
#include "miscadmin.h"
#include "pgstat.h"
#include "storage/lmgr.h"
#include "utils/memutils.h"
#include "utils/snapmgr.h"
#include "utils/timestamp.h"

#include "chain_applied.h"
#include "chain_lookup.h"
#include "chain_state_store.h"
#include "node_identity.h"
#include "node_round.h"
#include "node_shared.h"
#include "table_catalog.h"
#include "tl_error.h"
#include "tl_limits.h"

/* Batches that wait for a block before no more are made. */
#define PENDING_MAX		8

/* Batches of before a restore that a round compares with. */
#define RETURNED_MAX	16

/* What one round found out, in the round's context. */
typedef struct Round
{
	TlRoundState *state;
	Snapshot	snapshot;		/* what rows are read with */
	TlSnapshot	now;			/* its value */
	TlProbe    *ready;			/* probes of tables that we hold a lock on */
	int			ready_count;
	Oid		   *blocked;		/* tables with probes that we could not lock */
	int			blocked_count;
	uint32_t	rejected_count; /* rows passed over */
	TlRefBytes	last_ref;		/* of all rows looked at */
	bool		has_seen;		/* while batches wait: what is final by now */
	int64_t		seen_number;
	TlSnapshot	seen;
} Round;

static bool waits_to_compare(const TlRoundState *state);
static bool begin_round(Round *round, TlRoundState *state);
static void look_at_pending(Round *round);
static void append(const Round *round, TlNodeHead *head, const TlBuiltBatch *batch,
				   const TlBatchPlace *place);
static void take_over(TlRoundState *state, TlNodeHead *head,
					  const TlBuiltBatch *batch, const TlBatchPlace *place);
static void commit_round(Round *round);
static bool still_this_node(const TlRoundState *state);
static void gather_probes(Round *round);
static void gather_everywhere(Round *round, const TlSnapshot *base,
							  const TlSnapshot *target);
static bool has_rows(const Round *round, const TlProbe *probes, int count,
					 const TlSnapshot *target);
static void gather_untracked(Round *round);
static void gather_dirty(Round *round);
static void add_probe(TlRoundState *state, Oid relation, uint64_t first,
					  uint64_t last);
static void lock_tables(Round *round);
static bool is_lagging(const TlRoundState *state, Oid relation);
static TlRoundResult common_round(Round *round);
static TlRoundResult lagging_round(Round *round, int index);
static void build_common(TlBuiltBatch *batch, Round *round, const TlSnapshot *target,
						 TlBatchPlace *place);
static bool build(TlBuiltBatch *batch, Round *round,
				  const TlProbe *probes, int probe_count,
				  const TlProgress *progress, const TlSnapshot *target,
				  TlBatchPlace *place);
static bool must_reject(Round *round, const TlCollectedRow *row);
static TlRoundResult rejecting_round(Round *round, bool completes);
static void store_new_lagging(Round *round);
static void advance(TlProgress *progress, MemoryContext context,
					int64_t target_number, const TlSnapshot *target,
					const TlRefBytes *position);
static void drop_ready_probes(Round *round);
static void reload_lagging(TlRoundState *state);
static void publish(Round *round, bool all_seen);
static uint32_t waiting_age(const Round *round);

/* Read everything from the tables.  Caller is in a transaction with SPI. */
void
tl_node_round_init(TlRoundState *state, MemoryContext context)
{
	MemoryContext old = MemoryContextSwitchTo(context);
	TlProgress	progress;

	if (!tl_chain_store_load_tip(&state->head.tip) ||
		!tl_chain_store_load_progress(&progress))
		ereport(ERROR,
				errcode(TL_ERRCODE(TL_CHAIN_DAMAGED)),
				errmsg("the stored chain has no beginning"),
				tl_error_hint_damaged());
	state->progress = progress;
	tl_chain_snapshot_copy(&state->progress.base, &progress.base, context);
	if (progress.partial)
		tl_chain_snapshot_copy(&state->progress.next, &progress.next, context);
	tl_replication_own_log_load(&state->head.log);
	state->context = context;
	state->round_context = AllocSetContextCreate(context, "telco_ledger round",
												 ALLOCSET_DEFAULT_SIZES);
	state->probe_capacity = 64;
	state->probes = palloc(sizeof(TlProbe) * state->probe_capacity);
	state->check = tl_chain_check_create(context);
	state->look_everywhere = true;
	state->recognises = true;
	state->untracked = palloc(sizeof(uint64_t) * tl_node_shared_in_progress_max());
	reload_lagging(state);
	MemoryContextSwitchTo(old);
}

/* One round, in a transaction of its own. */
TlRoundResult
tl_node_round(TlRoundState *state)
{
	Round		round;
	TlRoundResult result = TL_ROUND_IDLE;
	MemoryContext old = CurrentMemoryContext;	/* outlives the transaction */

	if (!begin_round(&round, state))
		return TL_ROUND_NOT_A_NODE;
	MemoryContextSwitchTo(state->round_context);
	if (state->pending.count >= PENDING_MAX || waits_to_compare(state))
	{
		publish(&round, false);
		result = TL_ROUND_FULL;
	}
	for (int i = 0; i < state->lagging_count && result == TL_ROUND_IDLE; i++)
		if (!state->progress.partial)
			result = lagging_round(&round, i);
	if (result == TL_ROUND_IDLE)
	{
		gather_probes(&round);
		lock_tables(&round);
		result = common_round(&round);
	}
	if (IsTransactionState())
	{
		/* nothing was stored */
		SPI_finish();
		PopActiveSnapshot();
		CommitTransactionCommand();
	}
	MemoryContextSwitchTo(old);
	MemoryContextReset(state->round_context);
	pgstat_report_stat(false);
	return result;
}

/*
 * Are there batches of before a restore to compare with, and others that have to
 * be in blocks first?  What is made before that would have their rows.  So has what
 * is made before they are applied: rows of shared tables that are lost come back then.
 */
static bool
waits_to_compare(const TlRoundState *state)
{
	TlReturned *list;
	int			count;
	int64_t		applied;

	if (!state->recognises || !state->ordered)
		return false;
	list = palloc(sizeof(TlReturned) * RETURNED_MAX);
	count = tl_chain_pending_returned(list, RETURNED_MAX, state->head.log.member);
	applied = tl_chain_state_is_stopped() ? PG_INT64_MAX : tl_chain_applied_height();
	for (int i = 0; i < count; i++)
		if (state->pending.count > 0 ||
			(list[i].header.chunk_count > 0 && list[i].height > applied))
			return true;
	return false;
}

/* Start the transaction.  False if the ledger is no more. */
static bool
begin_round(Round *round, TlRoundState *state)
{
	MemoryContext old;

	memset(round, 0, sizeof(*round));
	round->state = state;

	/* before the snapshot: a lost entry is in it, or in progress, or later */
	if (tl_node_dirty_take_overflow(MyDatabaseId))
		state->look_everywhere = true;
	SetCurrentStatementStartTimestamp();
	StartTransactionCommand();
	XactIsoLevel = XACT_REPEATABLE_READ;
	if (!still_this_node(state))
	{
		CommitTransactionCommand();
		return false;
	}
	round->snapshot = GetTransactionSnapshot();
	PushActiveSnapshot(round->snapshot);
	SPI_connect();
	old = MemoryContextSwitchTo(state->round_context);
	tl_chain_snapshot_take(&round->now, round->snapshot, state->head.incarnation);
	tl_chain_check_begin(state->check, round->snapshot, state->round_context);
	if (state->ordered)
		look_at_pending(round);
	MemoryContextSwitchTo(old);
	return true;
}

/* Which batches wait for a block, and what is final already. */
static void
look_at_pending(Round *round)
{
	TlRoundState *state = round->state;
	TlPending  *pending = &state->pending;

	tl_chain_pending_look(pending);
	if (state->tip_moved)
		(void) tl_chain_store_load_head(&state->head.tip);	/* others make the blocks */
	state->tip_moved = false;
	round->seen_number = pending->snapshot - 1;
	if (pending->count == 0 || pending->late ||
		round->seen_number <= state->published)
		return;
	tl_chain_store_load_snapshot(&round->seen, round->seen_number);
	round->has_seen = true;
}

/*
 * ledger.dispose(), resume(), accept_restore() and the first ledger.invite() hold
 * a stronger lock until they have ended the ledger, its incarnation, or the time
 * in which this member makes its blocks alone.
 */
static bool
still_this_node(const TlRoundState *state)
{
	const TlNodeIdentity *identity;

	LockRelationOid(tl_node_relation("node", false), AccessShareLock);
	identity = tl_node_identity();
	return identity->table.exists && identity->ordered == state->ordered &&
		identity->table.incarnation == state->head.incarnation &&
		memcmp(identity->public_key, state->public_key, TL_XONLY_KEY_SIZE) == 0 &&
		memcmp(&identity->chain_id, &state->head.log.chain_id, TL_HASH_SIZE) == 0;
}

/* A block, where this member is alone; a batch for one, where it is not. */
static void
append(const Round *round, TlNodeHead *head, const TlBuiltBatch *batch,
	   const TlBatchPlace *place)
{
	if (place->returned != NULL)
		tl_node_block_take_back(head, batch, place);
	else if (round->state->ordered)
		tl_node_block_leave(head, batch, place);
	else
		tl_node_block_append(head, batch, place);
}

/* What was appended is committed. */
static void
take_over(TlRoundState *state, TlNodeHead *head, const TlBuiltBatch *batch,
		  const TlBatchPlace *place)
{
	TlPending  *pending = &state->pending;

	state->head = *head;
	explicit_bzero(head->secret, sizeof(head->secret));
	tl_replication_own_log_forget_secret();
	if (!state->ordered)
	{
		tl_node_round_mark(state);
		return;
	}
	if (batch->row_count == 0 || place->returned != NULL)
		return;
	if (pending->count == 0 || place->snapshot_number < pending->snapshot)
		pending->snapshot = place->snapshot_number;
	pending->late |= place->late;
	pending->count++;
}

/* Commit what was stored.  From here on the state may change (R1). */
static void
commit_round(Round *round)
{
	SPI_finish();
	PopActiveSnapshot();
	CommitTransactionCommand();
	MemoryContextSwitchTo(round->state->round_context);
}

/*
 * Where to look.  A difference that is under way keeps its probes; after a
 * restart they are found again by looking everywhere.
 */
static void
gather_probes(Round *round)
{
	TlRoundState *state = round->state;

	if (state->progress.partial)
	{
		if (state->probe_count == 0)
			gather_everywhere(round, &state->progress.base, &state->progress.next);
		return;
	}
	if (state->look_everywhere)
	{
		gather_everywhere(round, &state->progress.base, &round->now);
		state->untracked_count = round->now.in_progress_count;
		memcpy(state->untracked, round->now.in_progress,
			   sizeof(uint64_t) * state->untracked_count);
		state->look_everywhere = false;
	}
	else
		gather_untracked(round);
	gather_dirty(round);
	state->probe_count = tl_chain_probes_normalize(state->probes,
												   state->probe_count);
}

/*
 * Every table may have rows, few will: those without are let go at once, so
 * that a ledger of thousands of partitions does not fill the lock table.
 */
static void
gather_everywhere(Round *round, const TlSnapshot *base, const TlSnapshot *target)
{
	List	   *relations = tl_table_catalog_tables();
	ListCell   *cell;

	foreach(cell, relations)
	{
		int			count;
		Oid			relation = lfirst_oid(cell);
		TlProbe    *probes = tl_chain_progress_probes(base, target, relation,
													  &count);
		bool		wanted = true;

		count = tl_chain_probes_normalize(probes, count);
		if (!is_lagging(round->state, relation) && tl_chain_collect_lock(relation))
		{
			wanted = has_rows(round, probes, count, target);
			if (!wanted)
				tl_chain_collect_unlock(relation);
		}
		for (int i = 0; wanted && i < count; i++)
			add_probe(round->state, relation, probes[i].first_xid,
					  probes[i].last_xid);
		pfree(probes);
	}
}

/* Does a locked table have a row that is not batched yet? */
static bool
has_rows(const Round *round, const TlProbe *probes, int count,
		 const TlSnapshot *target)
{
	const TlNodeHead *head = &round->state->head;
	TlCollector *collector;
	TlCollectedRow row;
	bool		found;

	collector = tl_chain_collect_begin(probes, count, &round->state->progress,
									   target, head->log.member, round->snapshot);
	found = tl_chain_collect_next(collector, &row);
	tl_chain_collect_end(collector);
	return found;
}

/* Ask every table for the old transactions that have ended since. */
static void
gather_untracked(Round *round)
{
	TlRoundState *state = round->state;
	List	   *relations = NIL;
	int			kept = 0;

	for (int i = 0; i < state->untracked_count; i++)
	{
		uint64_t	xid = state->untracked[i];
		ListCell   *cell;

		if (!tl_chain_snapshot_sees(&round->now, xid))
		{
			state->untracked[kept++] = xid;
			continue;
		}
		if (relations == NIL)
			relations = tl_table_catalog_tables();
		foreach(cell, relations)
			add_probe(state, lfirst_oid(cell), xid, xid);
	}
	state->untracked_count = kept;
}

/* Take over the entries of transactions that have ended. */
static void
gather_dirty(Round *round)
{
	int			count;
	TlDirtyKey *entries = tl_node_dirty_list(MyDatabaseId, &count);

	for (int i = 0; i < count; i++)
	{
		if (!tl_chain_snapshot_sees(&round->now, entries[i].xid))
			continue;
		add_probe(round->state, entries[i].relation, entries[i].xid,
				  entries[i].xid);
		tl_node_dirty_forget(&entries[i]);
	}
}

static void
add_probe(TlRoundState *state, Oid relation, uint64_t first, uint64_t last)
{
	if (state->probe_count == state->probe_capacity)
	{
		state->probe_capacity *= 2;
		state->probes = repalloc_huge(state->probes,
									  sizeof(TlProbe) * state->probe_capacity);
	}
	state->probes[state->probe_count].relation = relation;
	state->probes[state->probe_count].first_xid = first;
	state->probes[state->probe_count].last_xid = last;
	state->probe_count++;
}

static bool
is_lagging(const TlRoundState *state, Oid relation)
{
	for (int i = 0; i < state->lagging_count; i++)
		if (state->lagging[i].relation == relation)
			return true;
	return false;
}

/* Split the probes: tables that we can read now, and tables that we cannot. */
static void
lock_tables(Round *round)
{
	const TlRoundState *state = round->state;
	bool		locked = false;

	round->ready = palloc(sizeof(TlProbe) * Max(state->probe_count, 1));
	round->blocked = palloc(sizeof(Oid) * Max(state->probe_count, 1));
	for (int i = 0; i < state->probe_count; i++)
	{
		const TlProbe *probe = &state->probes[i];

		if (i == 0 || probe->relation != state->probes[i - 1].relation)
		{
			locked = !is_lagging(state, probe->relation) &&
				tl_chain_collect_lock(probe->relation);
			if (!locked)
				round->blocked[round->blocked_count++] = probe->relation;
		}
		if (locked)
			round->ready[round->ready_count++] = *probe;
	}
}

/* The rows of all tables that could be locked. */
static TlRoundResult
common_round(Round *round)
{
	TlRoundState *state = round->state;
	bool		resumed = state->progress.partial;
	TlSnapshot *target = resumed ? &state->progress.next : &round->now;
	int64_t		number = resumed ? state->progress.next_number :
		state->progress.base_number + 1;
	TlBuiltBatch batch;
	TlBatchPlace place;
	TlNodeHead	head = state->head;

	if (!resumed)
		state->awaited = false; /* this round's snapshot sees what was awaited */
	memset(&place, 0, sizeof(place));
	place.snapshot_number = number;
	build_common(&batch, round, target, &place);
	place.waiting_age_s = waiting_age(round);
	if (batch.row_count == 0 && round->rejected_count > 0 &&
		(!resumed || !place.completes))
		return rejecting_round(round, place.completes);
	if (batch.row_count == 0 && !resumed)
	{
		drop_ready_probes(round);
		publish(round, true);
		return round->blocked_count > 0 || state->lagging_count > 0 ?
			TL_ROUND_BLOCKED : TL_ROUND_IDLE;
	}
	if (!resumed)
		tl_chain_store_snapshot(number, target, GetCurrentTimestamp());
	store_new_lagging(round);
	if (batch.row_count > 0)
		append(round, &head, &batch, &place);
	else
		tl_chain_store_complete(number);
	commit_round(round);

	take_over(state, &head, &batch, &place);
	if (place.completes)
		drop_ready_probes(round);
	advance(&state->progress, state->context, number, target,
			place.completes ? NULL : &round->last_ref);
	publish(round, place.completes && !resumed);
	return TL_ROUND_MORE;
}

/* Nothing but rows to be rejected: they are listed, and nothing is batched. */
static TlRoundResult
rejecting_round(Round *round, bool completes)
{
	commit_round(round);
	if (completes)
	{
		drop_ready_probes(round);
		publish(round, true);
	}
	return TL_ROUND_MORE;
}

/*
 * A table that lags: bring it up to the base of all others.  Its later rows
 * are found by the probes that wait for it.
 */
static TlRoundResult
lagging_round(Round *round, int index)
{
	TlRoundState *state = round->state;
	TlLagging	lagging = state->lagging[index];
	TlProgress *progress = &lagging.progress;
	TlSnapshot	target = state->progress.base;
	int64_t		number = state->progress.base_number;
	TlBuiltBatch batch;
	TlBatchPlace place;
	TlNodeHead	head = state->head;
	TlProbe    *probes;
	int			probe_count;

	if (!tl_chain_collect_lock(lagging.relation))
		return TL_ROUND_IDLE;
	tl_chain_store_load_snapshot(&progress->base, progress->base_number);
	if (progress->partial)
	{
		number = progress->next_number;
		tl_chain_store_load_snapshot(&progress->next, number);
		target = progress->next;
	}
	probes = tl_chain_progress_probes(&progress->base, &target, lagging.relation,
									  &probe_count);
	probe_count = tl_chain_probes_normalize(probes, probe_count);
	memset(&place, 0, sizeof(place));
	place.snapshot_number = number;
	place.late = true;
	place.waiting_age_s = waiting_age(round);
	(void) build(&batch, round, probes, probe_count, progress, &target, &place);
	if (batch.row_count > 0)
		append(round, &head, &batch, &place);
	advance(progress, CurrentMemoryContext, number, &target,
			place.completes ? NULL : &round->last_ref);
	if (progress->partial || progress->base_number < state->progress.base_number)
		tl_chain_store_lagging(&lagging);
	else
		tl_chain_store_forget_lagging(lagging.relation);
	reload_lagging(state);
	commit_round(round);

	take_over(state, &head, &batch, &place);
	publish(round, false);
	return TL_ROUND_MORE;
}

/* The next batch of all tables: one of before a restore, if it is one, or a new one. */
static void
build_common(TlBuiltBatch *batch, Round *round, const TlSnapshot *target,
			 TlBatchPlace *place)
{
	TlRoundState *state = round->state;
	TlReturned *list = palloc(sizeof(TlReturned) * RETURNED_MAX);
	int			count = 0;

	/* batches that wait were made before, and have their rows */
	if (state->recognises && state->ordered && state->pending.count == 0)
		count = tl_chain_pending_returned(list, RETURNED_MAX, state->head.log.member);
	for (int i = 0; i < count; i++)
	{
		place->returned = &list[i];
		if (build(batch, round, round->ready, round->ready_count, &state->progress,
				  target, place))
			return;
	}
	state->recognises = false;
	place->returned = NULL;
	(void) build(batch, round, round->ready, round->ready_count, &state->progress,
				 target, place);
}

/*
 * Collect and build; place says whether a row of the difference is left.  False
 * if it was to be a batch that has returned, and is not.
 */
static bool
build(TlBuiltBatch *batch, Round *round, const TlProbe *probes,
	  int probe_count, const TlProgress *progress, const TlSnapshot *target,
	  TlBatchPlace *place)
{
	const TlNodeHead *head = &round->state->head;
	const TlReturned *returned = place->returned;
	TlBuilder  *builder;
	TlCollector *collector;
	TlCollectedRow row;
	TlHash		seed;
	uint64_t	last_xid = 0;
	bool		is_returned = false;

	place->time = returned != NULL ? returned->header.snapshot_time :
		tl_chain_time_to_unix(GetCurrentTimestamp());
	tl_node_block_seed(&seed, head, place->time);
	builder = tl_chain_build_begin(target, &seed, round->state->ordered);
	explicit_bzero(&seed, sizeof(seed));
	place->completes = true;
	collector = tl_chain_collect_begin(probes, probe_count, progress, target,
									   head->log.member, round->snapshot);
	while (tl_chain_collect_next(collector, &row))
	{
		bool		full = tl_chain_build_is_full(builder, row.xid) ||
			round->rejected_count == TL_BATCH_ROWS_MAX;

		if (returned != NULL && (full || row.xid != last_xid))
			is_returned = tl_chain_build_gives(builder, &returned->header);
		if (full || is_returned)
		{
			place->completes = false;
			break;
		}
		round->last_ref = row.ref;
		if (must_reject(round, &row))
			continue;
		tl_chain_build_add(builder, &row);
		last_xid = row.xid;
	}
	tl_chain_collect_end(collector);
	if (returned != NULL && place->completes)
		is_returned = tl_chain_build_gives(builder, &returned->header);
	tl_chain_build_finish(builder, batch);
	return returned == NULL || is_returned;
}

/* Is the row not signed as it must be?  Then list it, unless it is listed. */
static bool
must_reject(Round *round, const TlCollectedRow *row)
{
	TlRowCheck *check = round->state->check;
	const char *reason;
	TlStatus	status;

	if (!tl_chain_check_applies(check, row))
		return false;
	if (tl_chain_is_rejected(&row->ref))
		return true;
	reason = tl_chain_check_row(check, row, &status);
	if (reason == NULL)
		return false;
	tl_chain_reject(row, status, reason);
	round->rejected_count++;
	return true;
}

/* Blocked tables fall behind when the others advance. */
static void
store_new_lagging(Round *round)
{
	TlRoundState *state = round->state;

	for (int i = 0; i < round->blocked_count; i++)
	{
		TlLagging	lagging;

		if (is_lagging(state, round->blocked[i]))
			continue;
		lagging.relation = round->blocked[i];
		lagging.progress = state->progress;
		tl_chain_store_lagging(&lagging);
	}
	if (round->blocked_count > 0)
		reload_lagging(state);
}

/* The progress after a batch: complete, or up to a position. */
static void
advance(TlProgress *progress, MemoryContext context, int64_t target_number,
		const TlSnapshot *target, const TlRefBytes *position)
{
	TlSnapshot	copy;

	tl_chain_snapshot_copy(&copy, target, context);
	if (position != NULL)
	{
		if (progress->partial)
			pfree(progress->next.in_progress);
		progress->partial = true;
		progress->next_number = target_number;
		progress->next = copy;
		progress->position = *position;
		return;
	}
	pfree(progress->base.in_progress);
	if (progress->partial)
		pfree(progress->next.in_progress);
	progress->partial = false;
	progress->base_number = target_number;
	progress->base = copy;
}

/* Keep the probes of tables that we could not read. */
static void
drop_ready_probes(Round *round)
{
	TlRoundState *state = round->state;
	int			kept = 0;

	for (int i = 0; i < state->probe_count; i++)
		for (int j = 0; j < round->blocked_count; j++)
			if (state->probes[i].relation == round->blocked[j])
			{
				state->probes[kept++] = state->probes[i];
				break;
			}
	state->probe_count = kept;
}

/* The tip is flushed: note it beside the key. */
void
tl_node_round_mark(const TlRoundState *state)
{
	const TlTip *tip = &state->head.tip;
	TlMark		mark;

	mark.ordered = state->ordered;
	mark.incarnation = state->head.incarnation;
	mark.height = tip->header.height;
	mark.view = tip->header.view;
	mark.hash = tip->hash;
	tl_node_mark_write(&mark);
}

/* Lagging tables as stored; inside the transaction. */
static void
reload_lagging(TlRoundState *state)
{
	MemoryContext old = MemoryContextSwitchTo(state->context);

	if (state->lagging != NULL)
		pfree(state->lagging);
	state->lagging = NULL;
	state->lagging = tl_chain_store_load_lagging(&state->lagging_count);
	MemoryContextSwitchTo(old);
}

/*
 * Tell waiting sessions (R3).  all_seen: every row that this round's snapshot
 * sees is final, but those of blocked tables; otherwise what the base sees.
 */
static void
publish(Round *round, bool all_seen)
{
	TlRoundState *state = round->state;
	const TlSnapshot *seen = all_seen ? &round->now : &state->progress.base;
	Oid		   *waiting = palloc(sizeof(Oid) * (round->blocked_count +
												state->lagging_count + 1));
	int			count = 0;

	if (state->pending.count > 0)
	{
		if (!round->has_seen)
			return;
		seen = &round->seen;
		state->published = round->seen_number;
	}
	else
		state->published = state->progress.base_number;
	for (int i = 0; i < round->blocked_count; i++)
		waiting[count++] = round->blocked[i];
	for (int i = 0; i < state->lagging_count; i++)
	{
		bool		listed = false;

		for (int j = 0; j < round->blocked_count && !listed; j++)
			listed = round->blocked[j] == state->lagging[i].relation;
		if (!listed)
			waiting[count++] = state->lagging[i].relation;
	}
	tl_node_shared_publish(MyDatabaseId, state->head.tip.header.height,
						   seen, waiting, count);
}

/* Age of the oldest rows that are not in this batch or an earlier one. */
static uint32_t
waiting_age(const Round *round)
{
	TimestampTz oldest;

	if (round->state->lagging_count == 0)
		return 0;
	oldest = tl_chain_store_oldest_lagging();
	return (uint32_t) Min(Max(GetCurrentTimestamp() - oldest, 0) / USECS_PER_SEC,
						  PG_UINT32_MAX);
}
