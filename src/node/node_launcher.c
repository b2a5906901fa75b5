/*-------------------------------------------------------------------------
 *
 * node_launcher.c
 *	  The launcher: sees to it that every ledger database has its worker.
 *
 * A background worker cannot see from outside in which databases the extension
 * is, so after a start of the server the launcher sends a worker into each, one
 * after the other, since there may be more databases than background workers;
 * those without a node leave at once.  Afterwards it starts workers for
 * databases that have asked (create_node) or whose worker failed, the latter
 * after a pause that grows to half a minute.  The pause ends when there is reason
 * to hope: the configuration was reloaded, or the members have passed over the
 * call at which applying stands (node_stand.c).
 *
 * It connects to no database, so it stands in nobody's way.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/heapam.h"
#include "access/htup_details.h"
#include "access/table.h"
#include "access/xact.h"
#include "catalog/pg_database.h"
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
#include "utils/syscache.h"
#include "utils/timestamp.h"

#include "node_shared.h"
#include "node_worker.h"

/* Pause before a failed worker's successor: doubles up to the maximum. */
#define RETRY_MS_MIN	1000
#define RETRY_MS_MAX	30000

/* Workers that may look at one time whether their database is a node. */
#define VISITORS_MAX	1

/* Databases that the launcher watches. */
typedef struct Watched
{
	Oid			database;
	BackgroundWorkerHandle *handle; /* of its worker, NULL: none started */
	TimestampTz started;		/* 0: never */
	TimestampTz next_start;
	int			pause_ms;
} Watched;

static Watched *watched = NULL;
static int	watched_count = 0;
static int	watched_capacity = 0;
static bool request_pending = false;
static bool end_pending = false;

static List *all_databases(void);
static void watch(Oid database);
static void watch_requests(void);
static void read_settings(void);
static long start_missing(void);
static bool is_running(const Watched *entry);
static bool has_slot(Oid database);
static bool is_at_work(Oid database);
static void after_exit(Watched *entry, TimestampTz now);
static long time_left_ms(const Watched *entry, TimestampTz now);
static bool database_exists(Oid database);
static void forget_at_once(Oid database);
static void start_worker(Watched *entry, TimestampTz now);
static void request_at_end(XactEvent event, void *arg);

/* Register the launcher; from _PG_init. */
void
tl_node_launcher_init(void)
{
	BackgroundWorker worker;

	memset(&worker, 0, sizeof(worker));
	worker.bgw_flags = BGWORKER_SHMEM_ACCESS | BGWORKER_BACKEND_DATABASE_CONNECTION;
	worker.bgw_start_time = BgWorkerStart_RecoveryFinished;
	worker.bgw_restart_time = 1;	/* second */
	strlcpy(worker.bgw_library_name, "telco_ledger", sizeof(worker.bgw_library_name));
	strlcpy(worker.bgw_function_name, TL_NODE_LAUNCHER_FUNCTION,
			sizeof(worker.bgw_function_name));
	strlcpy(worker.bgw_name, "telco_ledger launcher", sizeof(worker.bgw_name));
	strlcpy(worker.bgw_type, "telco_ledger launcher", sizeof(worker.bgw_type));
	RegisterBackgroundWorker(&worker);
	RegisterXactCallback(request_at_end, NULL);
}

/* Have a worker started for this database when the transaction commits. */
void
tl_node_worker_request_at_commit(void)
{
	request_pending = true;
}

/* This database is no node any more: its processes end when the transaction
 * commits. */
void
tl_node_worker_end_at_commit(void)
{
	end_pending = true;
}

static void
request_at_end(XactEvent event, void *arg)
{
	TlNodeSlot *slot;
	bool		request = request_pending || end_pending;
	bool		end = end_pending;

	if (!request || (event != XACT_EVENT_COMMIT && event != XACT_EVENT_ABORT))
		return;
	request_pending = end_pending = false;
	if (event == XACT_EVENT_ABORT)
		return;
	if (end)
		tl_node_worker_stop(MyDatabaseId);
	LWLockAcquire(tl_node_shared_lock(), LW_EXCLUSIVE);
	slot = tl_node_shared_find(MyDatabaseId, true);
	if (slot != NULL)
		slot->not_before = 0;
	LWLockRelease(tl_node_shared_lock());
	tl_node_shared_wake_launcher();
}

/*
 * Somebody needs the database alone (DROP, a copy of it, RENAME): let go of it,
 * and keep away until the statement has ended, or for a while.
 */
void
tl_node_worker_stop(Oid database)
{
	TlNodeSlot *slot;
	int			pid = 0;
	int			scrub_pid = 0;
	int			wire_pid = 0;

	LWLockAcquire(tl_node_shared_lock(), LW_EXCLUSIVE);
	slot = tl_node_shared_find(database, false);
	if (slot != NULL)
	{
		pid = slot->pid;
		scrub_pid = slot->scrub_pid;
		wire_pid = slot->wire_pid;
		slot->wire_unsure = true;
		slot->not_before = TimestampTzPlusMilliseconds(GetCurrentTimestamp(),
													   TL_NODE_DROP_PAUSE_S * 1000);
	}
	LWLockRelease(tl_node_shared_lock());
	if (pid != 0)
		kill(pid, SIGTERM);
	if (scrub_pid != 0)
		kill(scrub_pid, SIGTERM);
	if (wire_pid != 0)
		kill(wire_pid, SIGTERM);
}

/* The statement has ended.  A database that is gone gives its slot back. */
void
tl_node_worker_return(Oid database, bool dropped)
{
	TlNodeSlot *slot;

	LWLockAcquire(tl_node_shared_lock(), LW_EXCLUSIVE);
	slot = tl_node_shared_find(database, false);
	if (slot != NULL)
		slot->not_before = 0;
	if (slot != NULL && dropped && slot->pid == 0)
		slot->database = InvalidOid;
	LWLockRelease(tl_node_shared_lock());
	if (slot != NULL)
		tl_node_shared_wake_launcher();
}

void
tl_node_launcher_main(Datum argument)
{
	ListCell   *cell;

	pqsignal(SIGTERM, die);
	pqsignal(SIGHUP, SignalHandlerForConfigReload);
	BackgroundWorkerUnblockSignals();
	BackgroundWorkerInitializeConnection(NULL, NULL, 0);
	tl_node_shared_set_launcher(MyLatch);
	foreach(cell, all_databases())
		watch(lfirst_oid(cell));
	for (;;)
	{
		long		pause_ms;

		ResetLatch(MyLatch);
		CHECK_FOR_INTERRUPTS();
		read_settings();
		watch_requests();
		pause_ms = start_missing();
		(void) WaitLatch(MyLatch,
						 WL_LATCH_SET | WL_EXIT_ON_PM_DEATH |
						 (pause_ms >= 0 ? WL_TIMEOUT : 0),
						 pause_ms, PG_WAIT_EXTENSION);
	}
}

/* Databases that accept connections, in TopMemoryContext. */
static List *
all_databases(void)
{
	List	   *databases = NIL;
	Relation	relation;
	TableScanDesc scan;
	HeapTuple	row;

	StartTransactionCommand();
	(void) GetTransactionSnapshot();
	relation = table_open(DatabaseRelationId, AccessShareLock);
	scan = table_beginscan_catalog(relation, 0, NULL);
	while ((row = heap_getnext(scan, ForwardScanDirection)) != NULL)
	{
		Form_pg_database form = (Form_pg_database) GETSTRUCT(row);

		if (form->datallowconn)
		{
			MemoryContext old = MemoryContextSwitchTo(TopMemoryContext);

			databases = lappend_oid(databases, form->oid);
			MemoryContextSwitchTo(old);
		}
	}
	table_endscan(scan);
	table_close(relation, AccessShareLock);
	CommitTransactionCommand();
	return databases;
}

static void
watch(Oid database)
{
	for (int i = 0; i < watched_count; i++)
		if (watched[i].database == database)
			return;
	if (watched_count == watched_capacity)
	{
		watched_capacity = Max(32, watched_capacity * 2);
		watched = watched == NULL ?
			MemoryContextAlloc(TopMemoryContext, sizeof(Watched) * watched_capacity) :
			repalloc(watched, sizeof(Watched) * watched_capacity);
	}
	watched[watched_count].database = database;
	watched[watched_count].handle = NULL;
	watched[watched_count].started = 0;
	watched[watched_count].next_start = 0;
	watched[watched_count].pause_ms = RETRY_MS_MIN;
	watched_count++;
}

/* Databases with a slot: create_node made one, or a backend that wrote. */
static void
watch_requests(void)
{
	Oid			databases[TL_NODE_DATABASES_MAX];
	int			count = 0;

	LWLockAcquire(tl_node_shared_lock(), LW_SHARED);
	for (int i = 0; i < TL_NODE_DATABASES_MAX; i++)
	{
		TlNodeSlot *slot = tl_node_shared_slot(i);

		if (slot->database != InvalidOid && slot->pid == 0)
			databases[count++] = slot->database;
	}
	LWLockRelease(tl_node_shared_lock());
	for (int i = 0; i < count; i++)
		watch(databases[i]);
}

/* What made a worker fail may be mended by that. */
static void
read_settings(void)
{
	if (!ConfigReloadPending)
		return;
	ConfigReloadPending = false;
	ProcessConfigFile(PGC_SIGHUP);
	for (int i = 0; i < watched_count; i++)
	{
		watched[i].next_start = 0;
		watched[i].pause_ms = RETRY_MS_MIN;
	}
}

/*
 * Start what should run and does not.  Returns the time in ms until the next
 * start is due, -1 if none is.
 */
static long
start_missing(void)
{
	TimestampTz now = GetCurrentTimestamp();
	long		pause_ms = -1;
	int			visitors = 0;
	int			i = 0;

	for (int j = 0; j < watched_count; j++)
		visitors += is_running(&watched[j]) && !is_at_work(watched[j].database);
	while (i < watched_count)
	{
		Watched    *entry = &watched[i];
		long		left_ms;

		if (is_running(entry))
		{
			i++;
			continue;
		}
		if (entry->handle != NULL)
			after_exit(entry, now);
		if (entry->started != 0 && !has_slot(entry->database))
		{
			*entry = watched[--watched_count];
			continue;
		}
		left_ms = time_left_ms(entry, now);
		if (left_ms == 0 && !database_exists(entry->database))
		{
			tl_node_shared_free(entry->database);
			*entry = watched[--watched_count];
			continue;
		}
		if (left_ms == 0 && visitors < VISITORS_MAX)
		{
			start_worker(entry, now);
			visitors += entry->handle != NULL;
			left_ms = time_left_ms(entry, now);
		}
		if (left_ms > 0 && (pause_ms < 0 || left_ms < pause_ms))
			pause_ms = left_ms;
		i++;
	}
	return pause_ms;
}

static bool
is_running(const Watched *entry)
{
	BgwHandleStatus status;
	pid_t		pid;

	if (entry->handle == NULL)
		return false;
	status = GetBackgroundWorkerPid(entry->handle, &pid);
	return status == BGWH_STARTED || status == BGWH_NOT_YET_STARTED;
}

/* Does the database need a worker, as far as anybody knows? */
static bool
has_slot(Oid database)
{
	bool		found;

	LWLockAcquire(tl_node_shared_lock(), LW_SHARED);
	found = tl_node_shared_find(database, false) != NULL;
	LWLockRelease(tl_node_shared_lock());
	return found;
}

/* Has its worker found a node there? */
static bool
is_at_work(Oid database)
{
	TlNodeSlot *slot;
	bool		result;

	LWLockAcquire(tl_node_shared_lock(), LW_SHARED);
	slot = tl_node_shared_find(database, false);
	result = slot != NULL && slot->at_work;
	LWLockRelease(tl_node_shared_lock());
	return result;
}

/* A worker has ended: its successor, if any, starts after a pause. */
static void
after_exit(Watched *entry, TimestampTz now)
{
	pfree(entry->handle);
	entry->handle = NULL;
	/* one that lived longer than it was waited for is no failing start */
	if (TimestampDifferenceExceeds(entry->started, now, entry->pause_ms))
		entry->pause_ms = RETRY_MS_MIN;
	entry->next_start = TimestampTzPlusMilliseconds(now, entry->pause_ms);
	entry->pause_ms = Min(entry->pause_ms * 2, RETRY_MS_MAX);
}

/* How long this database must still do without a worker. */
static long
time_left_ms(const Watched *entry, TimestampTz now)
{
	TimestampTz start = entry->next_start;
	TlNodeSlot *slot;

	LWLockAcquire(tl_node_shared_lock(), LW_SHARED);
	slot = tl_node_shared_find(entry->database, false);
	if (slot != NULL)
		start = slot->at_once ? slot->not_before : Max(start, slot->not_before);
	LWLockRelease(tl_node_shared_lock());
	return start > now ? TimestampDifferenceMilliseconds(now, start) : 0;
}

/* DROP DATABASE leaves a slot behind. */
static bool
database_exists(Oid database)
{
	bool		exists;

	StartTransactionCommand();
	(void) GetTransactionSnapshot();
	exists = SearchSysCacheExists1(DATABASEOID, ObjectIdGetDatum(database));
	CommitTransactionCommand();
	return exists;
}

static void
forget_at_once(Oid database)
{
	TlNodeSlot *slot;

	LWLockAcquire(tl_node_shared_lock(), LW_EXCLUSIVE);
	slot = tl_node_shared_find(database, false);
	if (slot != NULL)
		slot->at_once = false;
	LWLockRelease(tl_node_shared_lock());
}

static void
start_worker(Watched *entry, TimestampTz now)
{
	BackgroundWorker worker;
	MemoryContext old = MemoryContextSwitchTo(TopMemoryContext);

	forget_at_once(entry->database);
	memset(&worker, 0, sizeof(worker));
	worker.bgw_flags = BGWORKER_SHMEM_ACCESS | BGWORKER_BACKEND_DATABASE_CONNECTION;
	worker.bgw_start_time = BgWorkerStart_RecoveryFinished;
	worker.bgw_restart_time = BGW_NEVER_RESTART;
	worker.bgw_main_arg = ObjectIdGetDatum(entry->database);
	worker.bgw_notify_pid = MyProcPid;
	strlcpy(worker.bgw_library_name, "telco_ledger", sizeof(worker.bgw_library_name));
	strlcpy(worker.bgw_function_name, TL_NODE_WORKER_FUNCTION,
			sizeof(worker.bgw_function_name));
	snprintf(worker.bgw_name, sizeof(worker.bgw_name),
			 "telco_ledger worker for database %u", entry->database);
	strlcpy(worker.bgw_type, "telco_ledger worker", sizeof(worker.bgw_type));
	if (!RegisterDynamicBackgroundWorker(&worker, &entry->handle))
	{
		entry->handle = NULL;
		entry->next_start = TimestampTzPlusMilliseconds(now, RETRY_MS_MAX);
		ereport(WARNING,
				errmsg("no background worker slot is free for telco_ledger"),
				errdetail("Rows of ledger tables are committed and wait."),
				errhint("Increase max_worker_processes and restart the server."));
	}
	else
		entry->started = now;
	MemoryContextSwitchTo(old);
}
