/*-------------------------------------------------------------------------
 *
 * node_scrub.c
 *	  The background process that reads a whole ledger again and again.
 *
 * telco_ledger.scrub_period says how often.  The worker of the database knows
 * when the next scrub is due and starts the process, which ends when it has
 * read everything (proof_scrub.c); between two scrubs there is none.  One that
 * was interrupted, by whatever, goes on as soon as there is a worker again.
 *
 * Priority: after each step, which takes some tens of milliseconds, the process
 * sleeps four times as long, unless half of the period is over.  It uses no
 * parallel workers.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/xact.h"
#include "executor/spi.h"
#include "miscadmin.h"
#include "pgstat.h"
#include "postmaster/bgworker.h"
#include "postmaster/interrupt.h"
#include "storage/ipc.h"
#include "storage/latch.h"
#include "storage/lwlock.h"
#include "storage/proc.h"
#include "tcop/tcopprot.h"
#include "utils/guc.h"
#include "utils/memutils.h"
#include "utils/snapmgr.h"
#include "utils/timestamp.h"

#include "node_process.h"
#include "node_scrub.h"
#include "node_settings.h"
#include "node_shared.h"
#include "proof_scrub.h"
#include "proof_verify_sweep.h"
#include "table_issue.h"

/* In ledger.verification and ledger.progress. */
#define MODE				"scrub"

/* Before a scrub that has failed is tried again. */
#define RETRY_MS			30000

/* How much longer than a step the pause behind it is. */
#define PAUSE_FACTOR		4
#define PAUSE_MS_MAX		10000

/* In the worker's process. */
static BackgroundWorkerHandle *handle = NULL;
static int	known_period_s = 0;
static TimestampTz due = 0;

static void schedule(TimestampTz not_before);
static bool start(void);
static void begin_transaction(void);
static void end_transaction(void);
static bool take_slot(void);
static void leave_slot(int code, Datum argument);
static void rest(TimestampTz began, TimestampTz started_at);

/*
 * Start what is due.  Returns for how many ms there is nothing to do, -1 for
 * ever.  Called by the worker, outside of transactions.
 */
long
tl_node_scrub_tend(void)
{
	TimestampTz now;

	if (tl_setting_scrub_period_s == 0 && handle == NULL)
	{
		known_period_s = 0;
		return -1;
	}
	now = GetCurrentTimestamp();
	if (handle != NULL)
	{
		if (!tl_node_process_has_ended(&handle))
			return -1;			/* its end sets our latch */
		if (tl_setting_scrub_period_s == 0)
			return -1;
		schedule(now);
	}
	else if (known_period_s != tl_setting_scrub_period_s)
		schedule(0);
	if (due <= now && start())
		return -1;
	return Max(TimestampDifferenceMilliseconds(now, due), 1);
}

/* Ask the database when the next one is due; after a failure, a pause. */
static void
schedule(TimestampTz ended)
{
	TimestampTz wanted;

	begin_transaction();
	wanted = tl_proof_scrub_due(tl_setting_scrub_period_s);
	end_transaction();
	known_period_s = tl_setting_scrub_period_s;
	due = wanted;
	if (ended != 0 && wanted == DT_NOBEGIN)
		due = TimestampTzPlusMilliseconds(ended, RETRY_MS);
}

static bool
start(void)
{
	handle = tl_node_process_start("scrub", TL_NODE_SCRUB_FUNCTION);
	if (handle == NULL)
		due = TimestampTzPlusMilliseconds(GetCurrentTimestamp(), RETRY_MS);
	return handle != NULL;
}

void
tl_node_scrub_main(Datum database)
{
	TimestampTz started_at;
	bool		more = true;

	pqsignal(SIGTERM, die);
	pqsignal(SIGHUP, SignalHandlerForConfigReload);
	BackgroundWorkerUnblockSignals();
	BackgroundWorkerInitializeConnectionByOid(DatumGetObjectId(database),
											  InvalidOid, 0);
	if (!take_slot())
		proc_exit(0);
	SetConfigOption("search_path", "pg_catalog, pg_temp", PGC_SUSET, PGC_S_OVERRIDE);
	SetConfigOption("application_name", "telco_ledger scrub", PGC_USERSET,
					PGC_S_OVERRIDE);
	SetConfigOption("telco_ledger.verify_workers", "0", PGC_USERSET, PGC_S_OVERRIDE);

	begin_transaction();
	tl_proof_scrub_begin(MODE, false);
	started_at = tl_proof_scrub_started_at(MODE);
	end_transaction();
	while (more)
	{
		TimestampTz began = GetCurrentTimestamp();

		begin_transaction();
		more = tl_proof_scrub_step(MODE, 1, NULL);
		end_transaction();
		if (more)
			rest(began, started_at);
	}
	proc_exit(0);
}

/* Leaves where there is no ledger any more. */
static void
begin_transaction(void)
{
	TlIdentity	identity;

	SetCurrentStatementStartTimestamp();
	StartTransactionCommand();
	PushActiveSnapshot(GetTransactionSnapshot());
	SPI_connect();
	pgstat_report_activity(STATE_RUNNING, "scrub of the ledger");
	tl_table_identity(&identity);
	if (!identity.exists)
		proc_exit(0);
}

static void
end_transaction(void)
{
	SPI_finish();
	PopActiveSnapshot();
	CommitTransactionCommand();
	pgstat_report_stat(true);
	pgstat_report_activity(STATE_IDLE, NULL);
}

/* One scrub for a database; a second one leaves. */
static bool
take_slot(void)
{
	TlNodeSlot *slot;
	bool		taken = false;

	LWLockAcquire(tl_node_shared_lock(), LW_EXCLUSIVE);
	slot = tl_node_shared_find(MyDatabaseId, false);
	if (slot != NULL && slot->scrub_pid == 0)
	{
		slot->scrub_pid = MyProcPid;
		taken = true;
	}
	LWLockRelease(tl_node_shared_lock());
	if (taken)
		before_shmem_exit(leave_slot, (Datum) 0);
	return taken;
}

static void
leave_slot(int code, Datum argument)
{
	TlNodeSlot *slot;

	LWLockAcquire(tl_node_shared_lock(), LW_EXCLUSIVE);
	slot = tl_node_shared_find(MyDatabaseId, false);
	if (slot != NULL && slot->scrub_pid == MyProcPid)
		slot->scrub_pid = 0;
	LWLockRelease(tl_node_shared_lock());
}

/* Between two steps; ends the process when the setting is turned off. */
static void
rest(TimestampTz began, TimestampTz started_at)
{
	TimestampTz now = GetCurrentTimestamp();
	long		pause_ms = Min(PAUSE_FACTOR * TimestampDifferenceMilliseconds(began, now),
							   PAUSE_MS_MAX);

	if (TimestampDifferenceMilliseconds(started_at, now) / 500 < tl_setting_scrub_period_s &&
		pause_ms > 0)
		(void) WaitLatch(MyLatch, WL_LATCH_SET | WL_TIMEOUT | WL_EXIT_ON_PM_DEATH,
						 pause_ms, PG_WAIT_EXTENSION);
	ResetLatch(MyLatch);
	CHECK_FOR_INTERRUPTS();
	if (!ConfigReloadPending)
		return;
	ConfigReloadPending = false;
	ProcessConfigFile(PGC_SIGHUP);
	if (tl_setting_scrub_period_s == 0)
		proc_exit(0);
}
