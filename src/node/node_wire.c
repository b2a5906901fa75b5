/*-------------------------------------------------------------------------
 *
 * node_wire.c
 *	  The background process that carries log rows to and from other members.
 *
 * The worker of a database starts it when ledger_internal.peer names another
 * member, or where consensus orders, and not before: an ordinary ledger of one
 * member has no such process, no connection, no wire.  The worker wakes it when it has committed log rows.
 *
 * The process is a loop around tl_replication_wire_poll (src/replication):
 * latch, sockets and a time, whichever is first.  It ends by ERROR when
 * something does not fit, and the worker starts another one, in five seconds not
 * more than one; all that it knows is in tables or in the wire.
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

#include "node_identity.h"
#include "node_order.h"
#include "node_process.h"
#include "node_settle.h"
#include "node_shared.h"
#include "node_show.h"
#include "node_take.h"
#include "node_wire.h"
#include "replication_setting.h"
#include "replication_wire.h"
#include "tl_compat.h"

/* How often it is looked whether own rows are to be sent that nobody told of. */
#define LOOK_MS			1000

/* From the start of a process to that of the next: one that has run for longer is followed at once. */
#define RETRY_MS		5000

PG_FUNCTION_INFO_V1(tl_wire_changed);

/* In the worker's process. */
static BackgroundWorkerHandle *handle = NULL;
static TimestampTz due = 0;

/* In a session: ledger_internal.peer has changed in this transaction. */
static bool changed = false;

static void at_end(XactEvent event, void *arg);
static bool has_peers(void);
static bool take_doubt(void);
static void look_again(void);
static bool start(TimestampTz now);
static bool take_slot(void);
static void leave_slot(int code, Datum argument);
static TlWire *make_wire(TlOrder **order);
static void take_all_news(TlWire *wire, TlOrder *order);
static void raise_doubt(void);
static TimestampTz poll_all(TlWire *wire, TlOrder *order);
static bool take_news(void);
static bool take_batch_news(void);
static void wait(TlWire *wire, TimestampTz wake);
static WaitEventSet *wait_set(TlWire *wire);

void
tl_node_wire_init(void)
{
	RegisterXactCallback(at_end, NULL);
}

/* ledger_internal.wire_changed() */
Datum
tl_wire_changed(PG_FUNCTION_ARGS)
{
	changed = true;
	PG_RETURN_VOID();
}

static void
at_end(XactEvent event, void *arg)
{
	TlNodeSlot *slot;

	if (!changed || (event != XACT_EVENT_COMMIT && event != XACT_EVENT_ABORT))
		return;
	changed = false;
	if (event == XACT_EVENT_ABORT)
		return;
	LWLockAcquire(tl_node_shared_lock(), LW_EXCLUSIVE);
	slot = tl_node_shared_find(MyDatabaseId, true);
	if (slot != NULL)
	{
		slot->wire_unsure = true;
		slot->wire_news = true;
		if (slot->wire_latch != NULL)
			SetLatch(slot->wire_latch);
	}
	LWLockRelease(tl_node_shared_lock());
	tl_node_shared_tell_worker(MyDatabaseId, TL_NEWS_COMMITTED);
}

/* In the worker, in a transaction with SPI: are there peers to talk to? */
void
tl_node_wire_look(void)
{
	TlNodeSlot *slot;
	bool		wanted = has_peers();

	LWLockAcquire(tl_node_shared_lock(), LW_EXCLUSIVE);
	slot = tl_node_shared_find(MyDatabaseId, false);
	if (slot != NULL)
		slot->wire_wanted = wanted;
	LWLockRelease(tl_node_shared_lock());
}

static bool
has_peers(void)
{
	if (SPI_execute("SELECT FROM ledger_internal.peer"
					" WHERE member <> (SELECT member FROM ledger_internal.node)"
					" UNION ALL SELECT FROM ledger_internal.order_mode LIMIT 1",
					true, 1) != SPI_OK_SELECT)
		elog(ERROR, "could not read ledger_internal.peer");
	return SPI_processed > 0;
}

/*
 * In the worker, outside of transactions: start the process if it is wanted.
 * Returns for how many ms there is nothing to do, -1 for ever.
 */
long
tl_node_wire_tend(void)
{
	TlNodeSlot *slot;
	TimestampTz now;
	bool		wanted;

	if (take_doubt())
		look_again();
	LWLockAcquire(tl_node_shared_lock(), LW_SHARED);
	slot = tl_node_shared_find(MyDatabaseId, false);
	wanted = slot != NULL && slot->wire_wanted;
	LWLockRelease(tl_node_shared_lock());
	if (handle == NULL && !wanted)
		return -1;
	if (handle != NULL && !tl_node_process_has_ended(&handle))
		return -1;				/* its end sets our latch */
	now = GetCurrentTimestamp();
	if (wanted && due <= now && start(now))
		return -1;
	return wanted ? Max(TimestampDifferenceMilliseconds(now, due), 1) : -1;
}

/* Has ledger_internal.peer changed since it was read? */
static bool
take_doubt(void)
{
	TlNodeSlot *slot;
	bool		unsure;

	LWLockAcquire(tl_node_shared_lock(), LW_EXCLUSIVE);
	slot = tl_node_shared_find(MyDatabaseId, false);
	unsure = slot != NULL && slot->wire_unsure;
	if (unsure)
		slot->wire_unsure = false;
	LWLockRelease(tl_node_shared_lock());
	return unsure;
}

static void
look_again(void)
{
	SetCurrentStatementStartTimestamp();
	StartTransactionCommand();
	SPI_connect();
	PushActiveSnapshot(GetTransactionSnapshot());
	tl_node_wire_look();
	SPI_finish();
	PopActiveSnapshot();
	CommitTransactionCommand();
}

/* The worker has committed log rows, or a batch that waits for a block. */
void
tl_node_wire_wake(void)
{
	TlNodeSlot *slot;

	LWLockAcquire(tl_node_shared_lock(), LW_EXCLUSIVE);
	slot = tl_node_shared_find(MyDatabaseId, false);
	if (slot != NULL && slot->wire_latch != NULL)
	{
		slot->batch_news = true;
		SetLatch(slot->wire_latch);
	}
	LWLockRelease(tl_node_shared_lock());
}

static bool
start(TimestampTz now)
{
	handle = tl_node_process_start("wire", TL_NODE_WIRE_FUNCTION);
	due = TimestampTzPlusMilliseconds(now, RETRY_MS);
	return handle != NULL;
}

void
tl_node_wire_main(Datum database)
{
	TlWire	   *wire;
	TlOrder    *order = NULL;
	TimestampTz look = 0;

	pqsignal(SIGTERM, die);
	pqsignal(SIGHUP, SignalHandlerForConfigReload);
	tl_node_process_keep_memory();
	BackgroundWorkerUnblockSignals();
	BackgroundWorkerInitializeConnectionByOid(DatumGetObjectId(database), InvalidOid, 0);
	tl_node_settle("telco_ledger wire");
	SetConfigOption("synchronous_commit", "local", PGC_USERSET, PGC_S_OVERRIDE);
	if (!take_slot())
		proc_exit(0);
	wire = make_wire(&order);
	if (wire == NULL || (tl_replication_wire_reload(wire) == 0 && order == NULL))
	{
		raise_doubt();			/* the worker thought that there are peers */
		proc_exit(0);
	}
	if (order != NULL)
		tl_node_order_open(order);
	for (;;)
	{
		ResetLatch(MyLatch);
		CHECK_FOR_INTERRUPTS();
		if (ConfigReloadPending)
		{
			ConfigReloadPending = false;
			ProcessConfigFile(PGC_SIGHUP);
			wire->repair_due = 0;	/* a way to have it looked at now */
		}
		take_all_news(wire, order);
		if (GetCurrentTimestamp() >= look)
		{
			tl_replication_wire_wake(wire);
			wire->wants_chunks = true;	/* the worker may miss some */
			look = TimestampTzPlusMilliseconds(GetCurrentTimestamp(), LOOK_MS);
		}
		wait(wire, poll_all(wire, order));
	}
}

/* From the worker and from sessions: there is something to send, or to order. */
static void
take_all_news(TlWire *wire, TlOrder *order)
{
	bool		news = take_news();
	bool		batch_news = take_batch_news();

	if (news)
	{
		(void) tl_replication_wire_reload(wire);
		tl_node_take_wake();
		if (order != NULL)
			tl_node_order_doubt(order);
	}
	if (!news && !batch_news)
		return;
	if (order != NULL)
		tl_node_order_wake(order);
	tl_replication_wire_wake(wire);
}

static void
raise_doubt(void)
{
	TlNodeSlot *slot;

	LWLockAcquire(tl_node_shared_lock(), LW_EXCLUSIVE);
	slot = tl_node_shared_find(MyDatabaseId, false);
	if (slot != NULL)
		slot->wire_unsure = true;
	LWLockRelease(tl_node_shared_lock());
}

/* What comes is ordered, and what that makes is sent at once. */
static TimestampTz
poll_all(TlWire *wire, TlOrder *order)
{
	TimestampTz now = GetCurrentTimestamp();
	TimestampTz wake;
	TimestampTz order_wake;

	if (order == NULL)
		return tl_replication_wire_poll(wire, now);
	tl_node_take_poll(wire, now);
	wake = tl_replication_wire_poll(wire, now);
	order_wake = tl_node_order_poll(order, now);
	wake = Min(wake, tl_replication_want_poll(wire, now));	/* it may want some now */
	if (!wire->log_sender.caught_up)
	{
		wake = tl_replication_wire_poll(wire, GetCurrentTimestamp());
		if (order_wake <= now)
			order_wake = tl_node_order_poll(order, now);
	}
	tl_node_show_tell();
	return Min(Min(wake, order_wake), tl_node_take_due(wire));
}

static bool
take_slot(void)
{
	TlNodeSlot *slot;
	bool		taken = false;

	LWLockAcquire(tl_node_shared_lock(), LW_EXCLUSIVE);
	slot = tl_node_shared_find(MyDatabaseId, false);
	if (slot != NULL && slot->wire_pid == 0)
	{
		slot->wire_pid = MyProcPid;
		slot->wire_latch = MyLatch;
		slot->wire_news = false;
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
	if (slot != NULL && slot->wire_pid == MyProcPid)
	{
		slot->wire_pid = 0;
		slot->wire_latch = NULL;
	}
	LWLockRelease(tl_node_shared_lock());
	tl_replication_status_free(MyDatabaseId);
}

/* NULL if this database is no node, or one that signs nothing. */
static TlWire *
make_wire(TlOrder **order)
{
	TlSink		sink = {NULL};	/* nobody, but where members order together */
	const TlNodeIdentity *identity;
	TlWire	   *wire = NULL;
	char	   *conninfo;
	bool		is_default;

	StartTransactionCommand();
	PushActiveSnapshot(GetTransactionSnapshot());
	identity = tl_node_identity();
	if (tl_table_identity_is_live(&identity->table) ||
		(identity->rejoining && !identity->table.copied && !identity->table.ended))
	{
		conninfo = tl_replication_setting_conninfo(&is_default);
		if (is_default)
			ereport(WARNING,
					errmsg("the wire of this ledger lies in the ledger's own server"),
					errdetail("A role that replicates from it can read the whole server."),
					errhint("Set telco_ledger.wire_conninfo to a database of a server of its own."));
		wire = MemoryContextAlloc(TopMemoryContext, sizeof(TlWire));
		SPI_connect();
		if (tl_node_order_is_on())
			*order = tl_node_order_make(identity, wire, &sink);
		SPI_finish();
		tl_replication_wire_init(wire, MyDatabaseId, identity->table.member,
								 &identity->chain_id, identity->public_key,
								 conninfo, &sink);
	}
	PopActiveSnapshot();
	CommitTransactionCommand();
	return wire;
}

/* Has ledger_internal.peer changed? */
static bool
take_news(void)
{
	TlNodeSlot *slot;
	bool		news;

	LWLockAcquire(tl_node_shared_lock(), LW_EXCLUSIVE);
	slot = tl_node_shared_find(MyDatabaseId, false);
	news = slot != NULL && slot->wire_news;
	if (news)
		slot->wire_news = false;
	LWLockRelease(tl_node_shared_lock());
	return news;
}

/* Has the worker made a batch? */
static bool
take_batch_news(void)
{
	TlNodeSlot *slot;
	bool		news;

	LWLockAcquire(tl_node_shared_lock(), LW_EXCLUSIVE);
	slot = tl_node_shared_find(MyDatabaseId, false);
	news = slot != NULL && slot->batch_news;
	if (news)
		slot->batch_news = false;
	LWLockRelease(tl_node_shared_lock());
	return news;
}

/* For the latch, a socket or the time. */
static void
wait(TlWire *wire, TimestampTz wake)
{
	WaitEvent	event;
	WaitEventSet *set = wait_set(wire);
	long		wait_ms = TimestampDifferenceMilliseconds(GetCurrentTimestamp(), wake);

	pgstat_report_activity(STATE_IDLE, NULL);
	pgstat_report_stat(false);	/* not more than once a second */
	(void) WaitEventSetWait(set, Max(wait_ms, 1), &event, 1, PG_WAIT_EXTENSION);
}

/*
 * Made anew only when a connection has come or gone: that is a dozen system calls.
 * While one is being made its socket may change.
 */
static WaitEventSet *
wait_set(TlWire *wire)
{
	static WaitEventSet *set = NULL;
	static uint64 numbers[TL_WIRE_CONNECTIONS_MAX];
	static int	places[TL_WIRE_CONNECTIONS_MAX];
	static int	set_count;
	TlConnection *connections[TL_WIRE_CONNECTIONS_MAX];
	int			count = tl_replication_wire_connections(wire, connections);
	bool		same = set != NULL && count == set_count;
	MemoryContext caller;

	for (int i = 0; same && i < count; i++)
		same = connections[i]->number == numbers[i] &&
			connections[i]->state != TL_CONNECTION_STARTING;
	for (int i = 0; same && i < count; i++)
		ModifyWaitEvent(set, places[i], connections[i]->events, NULL);
	if (same)
		return set;
	if (set != NULL)
		FreeWaitEventSet(set);
	caller = MemoryContextSwitchTo(TopMemoryContext);
	set = tl_wait_set_create(count + 2);
	MemoryContextSwitchTo(caller);
	AddWaitEventToSet(set, WL_LATCH_SET, PGINVALID_SOCKET, MyLatch, NULL);
	AddWaitEventToSet(set, WL_EXIT_ON_PM_DEATH, PGINVALID_SOCKET, NULL, NULL);
	for (int i = 0; i < count; i++)
	{
		places[i] = AddWaitEventToSet(set, connections[i]->events,
									  PQsocket(connections[i]->conn), NULL, NULL);
		/* one that is being made is no part of what can stay */
		numbers[i] = connections[i]->state == TL_CONNECTION_STARTING ? 0 : connections[i]->number;
	}
	set_count = count;
	return set;
}
