/*-------------------------------------------------------------------------
 *
 * node_worker.c
 *	  The worker of one ledger database: a loop of rounds.
 *
 * It connects as the bootstrap superuser, takes its database's slot, reads the
 * chain's tip and the key, and then makes rounds: at once when somebody
 * commits ledger rows and no block was made just before, a little later when a
 * table is locked, otherwise not at all.  An idle ledger costs nothing and
 * writes nothing.
 *
 * After a block the worker pauses, so that the next one is worth what it costs:
 * telco_ledger.batch_delay says how long.  By default PAUSE_FACTOR times as long
 * as the block took, and not longer than PAUSE_MAX_MS: on a busy ledger small
 * blocks take a twentieth of one processor and of the log's flushes, however
 * many sessions commit, and there are still some twenty in a second.  A session
 * that waits for finality ends that pause.
 *
 * It exits with status 0 where there is nothing to do for good (no extension,
 * no node, a copied or older database, told to stop), and by ERROR otherwise; the
 * launcher then starts another one.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include <math.h>

#include "access/xact.h"
#include "access/xlog.h"
#include "commands/dbcommands.h"
#include "executor/spi.h"
#include "miscadmin.h"
#include "pgstat.h"
#include "portability/instr_time.h"
#include "postmaster/bgworker.h"
#include "postmaster/interrupt.h"
#include "storage/ipc.h"
#include "storage/latch.h"
#include "storage/lwlock.h"
#include "storage/proc.h"
#include "tcop/tcopprot.h"
#include "utils/guc.h"
#include "utils/inval.h"
#include "utils/memutils.h"
#include "utils/ps_status.h"
#include "utils/snapmgr.h"
#include "utils/timestamp.h"

#include "node_apply.h"
#include "node_event.h"
#include "node_identity.h"
#include "node_image.h"
#include "node_key.h"
#include "node_order.h"
#include "node_process.h"
#include "node_prune.h"
#include "node_round.h"
#include "node_scrub.h"
#include "node_settings.h"
#include "node_shared.h"
#include "node_stand.h"
#include "node_wire.h"
#include "node_worker.h"
#include "tl_error.h"

/* How soon a table that was locked is tried again. */
#define BLOCKED_RETRY_MS	100

/* And a block of which a body is not here. */
#define BODY_RETRY_MS		100

/* The pause after a block, as a multiple of the time it took, and its limit. */
#define PAUSE_FACTOR		19
#define PAUSE_MAX_MS		50

static void settle_settings(void);
static void take_slot(void);
static void report_at_work(void);
static void leave_slot(int code, Datum arg);
static bool load_state(TlRoundState *state);
static bool load_key(TlRoundState *state, const TlNodeIdentity *identity);
static void drop_stale_batches(const TlNodeIdentity *identity);
static bool is_wanted(const TlNodeIdentity *identity);
static bool may_sign(const TlRoundState *state, bool test);
static TlRoundResult wait_for_key(const TlRoundState *state);
static void run(TlRoundState *state, bool test);
static TlApplyResult apply(TlRoundState *state);
static void wait_for_work(TlRoundResult result, TlApplyResult applied);
static void let_rows_gather(bool awaited, double block_ms);
static void flush_before_publishing(void);

static TlNodeSlot *own_slot = NULL;
static bool is_test_ledger = false;
static bool not_needed = false; /* the launcher need not start another one */

void
tl_node_worker_main(Datum database)
{
	TlRoundState *state;

	pqsignal(SIGTERM, die);
	pqsignal(SIGHUP, SignalHandlerForConfigReload);
	tl_node_process_keep_memory();
	BackgroundWorkerUnblockSignals();
	BackgroundWorkerInitializeConnectionByOid(DatumGetObjectId(database),
											  InvalidOid, 0);
	take_slot();
	settle_settings();
	flush_before_publishing();

	state = MemoryContextAllocZero(TopMemoryContext, sizeof(TlRoundState));
	if (!load_state(state))
	{
		not_needed = true;
		proc_exit(0);
	}
	report_at_work();
	tl_node_wire_wake();		/* batches of before may have become its to place */
	run(state, is_test_ledger);
}

/* The launcher may look into further databases now. */
static void
report_at_work(void)
{
	LWLockAcquire(tl_node_shared_lock(), LW_EXCLUSIVE);
	tl_node_shared_find(MyDatabaseId, false)->at_work = true;
	LWLockRelease(tl_node_shared_lock());
	tl_node_shared_wake_launcher();
}

/*
 * ALTER DATABASE and ALTER ROLE set them for sessions, not for us.  Those that say
 * how values are read and written are the same at all members, since here CHECK
 * constraints of shared tables judge the rows of others.
 */
static void
settle_settings(void)
{
	static const char *const settings[][2] = {
		{"application_name", "telco_ledger worker"},
		{"array_nulls", "on"},
		{"bytea_output", "hex"},
		{"DateStyle", "ISO, MDY"},
		{"default_transaction_deferrable", "off"},
		{"default_transaction_read_only", "off"},
		/* few statements, each by an index: not to be planned again and again,
		 * nor for tables that were empty at the time; calls pin their own.  What
		 * cannot do without a scan has a cost then for which it would be compiled */
		{"enable_seqscan", "off"},
		{"extra_float_digits", "1"},
		{"IntervalStyle", "postgres"},
		{"jit", "off"},
		{"lock_timeout", "0"},
		{"plan_cache_mode", "force_generic_plan"},
		{"role", "none"},
		{"search_path", "pg_catalog, pg_temp"},
		{"TimeZone", "UTC"},
		{"timezone_abbreviations", "Default"},
		{"transform_null_equals", "off"},
		{"xmloption", "content"},
	};

	for (int i = 0; i < lengthof(settings); i++)
		SetConfigOption(settings[i][0], settings[i][1], PGC_SUSET,
						PGC_S_OVERRIDE);
}

/* One worker per database: a second one leaves. */
static void
take_slot(void)
{
	TlNodeSlot *slot;
	bool		taken = false;

	LWLockAcquire(tl_node_shared_lock(), LW_EXCLUSIVE);
	slot = tl_node_shared_find(MyDatabaseId, true);
	if (slot != NULL && slot->pid == 0)
	{
		slot->pid = MyProcPid;
		slot->latch = MyLatch;
		taken = true;
	}
	LWLockRelease(tl_node_shared_lock());
	if (!taken)
		proc_exit(0);
	own_slot = slot;
	before_shmem_exit(leave_slot, (Datum) 0);
}

static void
leave_slot(int code, Datum arg)
{
	TlNodeSlot *slot;

	LWLockAcquire(tl_node_shared_lock(), LW_EXCLUSIVE);
	slot = tl_node_shared_find(MyDatabaseId, false);
	if (slot != NULL && slot->pid == MyProcPid)
	{
		slot->pid = 0;
		slot->latch = NULL;
		slot->at_work = false;
		if (not_needed)
			slot->database = InvalidOid;
	}
	LWLockRelease(tl_node_shared_lock());
}

/* Identity, key, tip.  False if this database needs no worker. */
static bool
load_state(TlRoundState *state)
{
	const TlNodeIdentity *identity;
	MemoryContext context;
	bool		wanted;

	StartTransactionCommand();
	PushActiveSnapshot(GetTransactionSnapshot());
	identity = tl_node_identity();
	wanted = is_wanted(identity);
	if (wanted)
	{
		/* whoever held the lock before may have signed: look again */
		tl_node_mark_open(identity->public_key);
		identity = tl_node_identity_reload();
		wanted = is_wanted(identity);
	}
	if (wanted)
	{
		is_test_ledger = identity->table.test;
		state->head.incarnation = identity->table.incarnation;
		state->head.log.member = identity->table.member;
		state->head.log.incarnation = identity->table.incarnation;
		state->head.log.chain_id = identity->chain_id;
		memcpy(state->head.log.nonce, identity->nonce, TL_NONCE_SIZE);
		memcpy(state->public_key, identity->public_key, TL_XONLY_KEY_SIZE);
		/* others may give the member another key meanwhile: what they order is followed */
		state->has_key = load_key(state, identity);
		drop_stale_batches(identity);
		SPI_connect();
		context = AllocSetContextCreate(TopMemoryContext, "telco_ledger worker",
										ALLOCSET_DEFAULT_SIZES);
		tl_node_round_init(state, context);
		tl_node_wire_look();
		state->ordered = tl_node_order_is_on();
		state->tip_moved = state->ordered;
		SPI_finish();
		tl_node_round_mark(state);
	}
	PopActiveSnapshot();
	CommitTransactionCommand();
	return wanted;
}

/* False if the key is not there, and others may have given it up. */
static bool
load_key(TlRoundState *state, const TlNodeIdentity *identity)
{
	if (identity->ordered)
		return tl_node_key_try(state->head.secret, identity->public_key) == NULL;
	tl_node_key_load(state->head.secret, identity->public_key);
	return true;
}

/* What follows reads what this has changed. */
static void
drop_stale_batches(const TlNodeIdentity *identity)
{
	SPI_connect();
	tl_chain_pending_begin(identity->table.incarnation);
	SPI_finish();
	PopActiveSnapshot();
	CommandCounterIncrement();
	PushActiveSnapshot(GetTransactionSnapshot());
}

/* Is this database a node that may sign?  If not, say why. */
static bool
is_wanted(const TlNodeIdentity *identity)
{
	if (identity->table.copied)
		ereport(LOG,
				errmsg("database \"%s\" is a copy of a ledger node and signs nothing",
					   get_database_name(MyDatabaseId)),
				errdetail("Its own state names another server or database."),
				errhint("If it shall take the member's place, run SELECT ledger.resume()."));
	if (identity->table.rolled_back && !identity->rejoining)
	{
		/* sessions may have seen it as it was before */
		CacheInvalidateRelcacheByRelid(tl_node_relation("node", false));
		ereport(LOG,
				errmsg("database \"%s\" was restored to an older point and signs nothing",
					   get_database_name(MyDatabaseId)),
				errdetail("This member has signed blocks that are not stored here."),
				errhint("Restore the newest state, or run SELECT ledger.accept_restore('reason')."));
	}
	if (identity->table.ended)
		ereport(LOG,
				errmsg("the ledger of database \"%s\" has ended, and this node signs nothing",
					   get_database_name(MyDatabaseId)),
				errhint("SELECT * FROM ledger.restart shows as what it goes on."));
	return tl_table_identity_is_live(&identity->table) ||
		(identity->rejoining && !identity->table.copied && !identity->table.ended);
}

/* The reason why not is told once. */
static bool
may_sign(const TlRoundState *state, bool test)
{
	static bool complained = false;

	if (tl_node_key_may_sign(test, complained ? DEBUG2 : WARNING))
		return true;
	complained = true;
	return false;
}

static void
run(TlRoundState *state, bool test)
{
	tl_node_event_notify();
	for (;;)
	{
		TlRoundResult result = TL_ROUND_IDLE;
		TlApplyResult applied;
		uint32		news;
		instr_time	start;
		instr_time	took;

		ResetLatch(MyLatch);
		CHECK_FOR_INTERRUPTS();
		if (ConfigReloadPending)
		{
			ConfigReloadPending = false;
			ProcessConfigFile(PGC_SIGHUP);
			flush_before_publishing();
			tl_node_prune_wake();
			tl_node_image_wake();
		}
		news = tl_node_shared_take_news(own_slot);
		state->awaited |= (news & TL_NEWS_AWAITED) != 0;
		state->tip_moved |= (news & TL_NEWS_ORDERED) != 0;
		if (news & TL_NEWS_PRUNE)
			tl_node_prune_wake();
		applied = apply(state);
		if (applied == TL_APPLY_MORE)
		{
			tl_node_event_notify();
			tl_node_prune_applied();
			tl_node_wire_wake();	/* the core is told the state */
		}
		INSTR_TIME_SET_CURRENT(start);
		if (!state->has_key)
			result = wait_for_key(state);
		else if (may_sign(state, test))
			result = tl_node_round(state);
		if (result == TL_ROUND_MORE)
			tl_node_wire_wake();
		if (result == TL_ROUND_NOT_A_NODE)
			proc_exit(0);		/* a successor sees what there is now */
		INSTR_TIME_SET_CURRENT(took);
		INSTR_TIME_SUBTRACT(took, start);
		if (result != TL_ROUND_MORE)
		{
			if (applied != TL_APPLY_MORE)
				wait_for_work(result, applied);
			continue;
		}
		/* also where there is always more to do */
		(void) tl_node_scrub_tend();
		(void) tl_node_wire_tend();
		(void) tl_node_prune_tend();
		(void) tl_node_image_tend();
		if (!state->progress.partial && applied != TL_APPLY_MORE)
			let_rows_gather(state->awaited, INSTR_TIME_GET_MILLISEC(took));
	}
}

/*
 * The file of the key is not there, or of no use.  Nothing is batched until it is, or until the
 * members have given this one another key: a successor begins with it.
 */
static TlRoundResult
wait_for_key(const TlRoundState *state)
{
	bool		same;

	StartTransactionCommand();
	PushActiveSnapshot(GetTransactionSnapshot());
	same = memcmp(tl_node_identity()->public_key, state->public_key, TL_XONLY_KEY_SIZE) == 0;
	PopActiveSnapshot();
	CommitTransactionCommand();
	return same && !tl_node_key_is_usable(state->public_key) ? TL_ROUND_BLOCKED : TL_ROUND_NOT_A_NODE;
}

/* The next final block, if any may be there that is not applied. */
static TlApplyResult
apply(TlRoundState *state)
{
	static bool look = true;
	TlApplyResult result;

	look |= state->tip_moved;
	if (!state->ordered || !look)
		return TL_APPLY_IDLE;
	PG_TRY();
	{
		result = tl_node_apply_next();
	}
	PG_CATCH();
	{
		tl_node_stand_failed();
		PG_RE_THROW();
	}
	PG_END_TRY();
	look = result != TL_APPLY_IDLE;
	return result;
}

/* R3 of node_round.c: what is published as final must survive a crash. */
static void
flush_before_publishing(void)
{
	if (synchronous_commit < SYNCHRONOUS_COMMIT_LOCAL_FLUSH)
		SetConfigOption("synchronous_commit", "local", PGC_USERSET, PGC_S_OVERRIDE);
}

/*
 * The pause after a block.  Commits do not end it; a signal or a new
 * configuration does, and unless somebody has asked for a fixed one, a session
 * that waits; so does a block that the members have made of earlier batches.
 */
static void
let_rows_gather(bool awaited, double block_ms)
{
	bool		fixed = tl_setting_batch_delay_ms >= 0;
	uint32		wakers = TL_NEWS_ORDERED | (fixed ? 0 : TL_NEWS_AWAITED);
	TimestampTz end;
	long		left_ms;

	left_ms = fixed ? tl_setting_batch_delay_ms :
		(long) Min(ceil(block_ms * PAUSE_FACTOR), PAUSE_MAX_MS);
	if (left_ms == 0 || (awaited && !fixed))
		return;
	end = TimestampTzPlusMilliseconds(GetCurrentTimestamp(), left_ms);
	pgstat_report_activity(STATE_IDLE, NULL);
	while (left_ms > 0 && !ConfigReloadPending &&
		   !tl_node_shared_has_news(own_slot, wakers))
	{
		tl_node_shared_sleep(own_slot, wakers, left_ms);
		ResetLatch(MyLatch);
		CHECK_FOR_INTERRUPTS();
		left_ms = TimestampDifferenceMilliseconds(GetCurrentTimestamp(), end);
	}
}

static void
wait_for_work(TlRoundResult result, TlApplyResult applied)
{
	bool		blocked = result == TL_ROUND_BLOCKED;
	uint32		wakers = TL_NEWS_COMMITTED | TL_NEWS_AWAITED | TL_NEWS_ORDERED | TL_NEWS_PRUNE;
	long		wait_ms = tl_node_scrub_tend();
	long		wire_ms = tl_node_wire_tend();
	long		prune_ms = tl_node_prune_tend();
	long		image_ms = tl_node_image_tend();

	if (wire_ms >= 0 && (wait_ms < 0 || wait_ms > wire_ms))
		wait_ms = wire_ms;
	if (prune_ms >= 0 && (wait_ms < 0 || wait_ms > prune_ms))
		wait_ms = prune_ms;
	if (image_ms >= 0 && (wait_ms < 0 || wait_ms > image_ms))
		wait_ms = image_ms;
	if (blocked && (wait_ms < 0 || wait_ms > BLOCKED_RETRY_MS))
		wait_ms = BLOCKED_RETRY_MS;
	if (applied == TL_APPLY_WAITS && (wait_ms < 0 || wait_ms > BODY_RETRY_MS))
		wait_ms = BODY_RETRY_MS;
	pgstat_report_activity(STATE_IDLE, NULL);
	pgstat_report_stat(true);
	if (result == TL_ROUND_FULL)
		wakers = TL_NEWS_ORDERED | TL_NEWS_PRUNE;
	tl_node_shared_sleep(own_slot, wakers, wait_ms);
}
