/*-------------------------------------------------------------------------
 *
 * node_shared.c
 *	  Shared memory: what backends tell the worker, what the worker tells them.
 *
 * The dirty set holds (transaction, table) pairs.  A backend adds a pair
 * before it stores the transaction's first row in the table; the worker
 * removes it after it has looked there.  So the worker knows where new rows
 * can be without asking every table.  It is a hint that may only err on the
 * side of too much: when the set is full the slot's `overflow` is raised and
 * the worker asks every table once.
 *
 * News go the same way: a session that has committed ledger rows, or waits for
 * some, sets bits in the slot.  It sets the worker's latch only if the worker
 * sleeps for such news, so that a busy ledger costs a commit no system call and
 * the worker no waking up.
 *
 * Locks, in this order, none held across anything that can wait or fail:
 *		nodes	the slots, but their condition variables
 *		dirty	the dirty set
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/twophase.h"
#include "lib/ilist.h"
#include "miscadmin.h"
#include "pgstat.h"
#include "storage/ipc.h"
#include "storage/latch.h"
#include "storage/proc.h"
#include "storage/shmem.h"
#include "utils/hsearch.h"
#include "utils/timestamp.h"

#include "node_shared.h"

#define TRANCHE_NAME	"telco_ledger"

typedef struct SharedHead
{
	LWLock	   *nodes;
	LWLock	   *dirty;
	dlist_head	written;		/* the dirty set, oldest first: to go through the table asks all its buckets */
	struct Latch *launcher;
} SharedHead;

/* Of the dirty set. */
typedef struct DirtyEntry
{
	TlDirtyKey	key;
	dlist_node	link;
} DirtyEntry;

static SharedHead *head = NULL;
static char *slots = NULL;
static HTAB *dirty = NULL;		/* of DirtyEntry */

static shmem_request_hook_type previous_request_hook = NULL;
static shmem_startup_hook_type previous_startup_hook = NULL;

static void shared_request(void);
static void shared_startup(void);
static Size slot_size(void);
static Size shared_size(void);
static bool copy_dirty(TlDirtyKey *list, int capacity, Oid database, int *count);
static void announce(TlNodeSlot *slot);
static bool slot_covers(const TlNodeSlot *slot, uint64_t xid);

void
tl_node_shared_init(void)
{
	previous_request_hook = shmem_request_hook;
	shmem_request_hook = shared_request;
	previous_startup_hook = shmem_startup_hook;
	shmem_startup_hook = shared_startup;
}

/* Top-level transactions that can be in progress at once. */
int
tl_node_shared_in_progress_max(void)
{
	return MaxBackends + max_prepared_xacts + NUM_AUXILIARY_PROCS;
}

static Size
slot_size(void)
{
	return MAXALIGN(offsetof(TlNodeSlot, seen_in_progress) +
					sizeof(uint64_t) * tl_node_shared_in_progress_max());
}

static Size
shared_size(void)
{
	return add_size(MAXALIGN(sizeof(SharedHead)),
					mul_size(slot_size(), TL_NODE_DATABASES_MAX));
}

static void
shared_request(void)
{
	if (previous_request_hook)
		previous_request_hook();
	RequestAddinShmemSpace(shared_size());
	RequestAddinShmemSpace(hash_estimate_size(TL_NODE_DIRTY_MAX,
											  sizeof(DirtyEntry)));
	RequestNamedLWLockTranche(TRANCHE_NAME, 2);
}

static void
shared_startup(void)
{
	HASHCTL		control;
	bool		found;

	if (previous_startup_hook)
		previous_startup_hook();
	LWLockAcquire(AddinShmemInitLock, LW_EXCLUSIVE);
	head = ShmemInitStruct("telco_ledger", shared_size(), &found);
	slots = (char *) head + MAXALIGN(sizeof(SharedHead));
	if (!found)
	{
		LWLockPadded *locks = GetNamedLWLockTranche(TRANCHE_NAME);

		memset(head, 0, shared_size());
		head->nodes = &locks[0].lock;
		head->dirty = &locks[1].lock;
		dlist_init(&head->written);
		for (int i = 0; i < TL_NODE_DATABASES_MAX; i++)
		{
			TlNodeSlot *slot = tl_node_shared_slot(i);

			ConditionVariableInit(&slot->advanced);
			pg_atomic_init_u64(&slot->advances, 0);
			pg_atomic_init_u32(&slot->news, 0);
			pg_atomic_init_u32(&slot->wakers, 0);
		}
	}
	memset(&control, 0, sizeof(control));
	control.keysize = sizeof(TlDirtyKey);
	control.entrysize = sizeof(DirtyEntry);
	dirty = ShmemInitHash("telco_ledger dirty tables", TL_NODE_DIRTY_MAX,
						  TL_NODE_DIRTY_MAX, &control, HASH_ELEM | HASH_BLOBS);
	LWLockRelease(AddinShmemInitLock);
}

LWLock *
tl_node_shared_lock(void)
{
	return head->nodes;
}

TlNodeSlot *
tl_node_shared_slot(int index)
{
	return (TlNodeSlot *) (slots + slot_size() * index);
}

/*
 * The slot of a database, or NULL.  Caller holds `nodes`, exclusively if
 * create is true.
 */
TlNodeSlot *
tl_node_shared_find(Oid database, bool create)
{
	TlNodeSlot *unused = NULL;

	for (int i = 0; i < TL_NODE_DATABASES_MAX; i++)
	{
		TlNodeSlot *slot = tl_node_shared_slot(i);

		if (slot->database == database)
			return slot;
		if (unused == NULL && slot->database == InvalidOid)
			unused = slot;
	}
	if (!create || unused == NULL)
		return NULL;
	unused->database = database;
	unused->pid = 0;
	unused->latch = NULL;
	pg_atomic_write_u32(&unused->news, 0);
	pg_atomic_write_u32(&unused->wakers, 0);
	unused->scrub_pid = 0;
	unused->wire_pid = 0;
	unused->wire_latch = NULL;
	unused->wire_wanted = false;
	unused->wire_unsure = false;
	unused->wire_news = false;
	unused->batch_news = false;
	unused->at_work = false;
	unused->overflow = false;
	unused->forgotten_xid = 0;
	unused->not_before = 0;
	unused->at_once = false;
	memset(&unused->executed, 0, sizeof(unused->executed));
	memset(&unused->stand, 0, sizeof(unused->stand));
	unused->height = 0;
	unused->seen_at = 0;
	unused->seen_xmax = 0;
	unused->seen_count = 0;
	unused->lagging_count = 0;
	return unused;
}

/* A database that is no more: its slot is for others, unless a worker has it. */
void
tl_node_shared_free(Oid database)
{
	TlNodeSlot *slot;

	LWLockAcquire(head->nodes, LW_EXCLUSIVE);
	slot = tl_node_shared_find(database, false);
	if (slot != NULL && slot->pid == 0)
		slot->database = InvalidOid;
	LWLockRelease(head->nodes);
}

/* Remember that this transaction writes this table. */
void
tl_node_dirty_note(Oid database, Oid relation, uint64_t xid)
{
	TlDirtyKey	key;
	DirtyEntry *entry = NULL;
	bool		found;

	memset(&key, 0, sizeof(key));
	key.xid = xid;
	key.database = database;
	key.relation = relation;
	LWLockAcquire(head->dirty, LW_EXCLUSIVE);
	if (hash_get_num_entries(dirty) < TL_NODE_DIRTY_MAX)
		entry = hash_search(dirty, &key, HASH_ENTER_NULL, &found);
	if (entry != NULL && !found)
		dlist_push_tail(&head->written, &entry->link);
	LWLockRelease(head->dirty);
	if (entry == NULL)
	{
		TlNodeSlot *slot;

		LWLockAcquire(head->nodes, LW_EXCLUSIVE);
		slot = tl_node_shared_find(database, true);
		if (slot != NULL)
		{
			slot->overflow = true;
			slot->forgotten_xid = Max(slot->forgotten_xid, xid);
		}
		LWLockRelease(head->nodes);
		if (slot == NULL)
			ereport(ERROR,
					errcode(ERRCODE_CONFIGURATION_LIMIT_EXCEEDED),
					errmsg("more than %d databases of this server are ledger nodes",
						   TL_NODE_DATABASES_MAX));
	}
}

void
tl_node_dirty_forget(const TlDirtyKey *key)
{
	DirtyEntry *entry;

	LWLockAcquire(head->dirty, LW_EXCLUSIVE);
	entry = hash_search(dirty, key, HASH_FIND, NULL);
	if (entry != NULL)
	{
		dlist_delete(&entry->link);
		(void) hash_search(dirty, key, HASH_REMOVE, NULL);
	}
	LWLockRelease(head->dirty);
}

/*
 * All entries of a database, in the current memory context.  Allocates without
 * the lock, and again if more came in between: none may be missing.
 */
TlDirtyKey *
tl_node_dirty_list(Oid database, int *count)
{
	int			capacity = 64;

	for (;;)
	{
		TlDirtyKey *list = palloc(sizeof(TlDirtyKey) * capacity);

		if (copy_dirty(list, capacity, database, count))
			return list;
		pfree(list);
		capacity *= 4;
	}
}

/* False if the list has no room for all of them. */
static bool
copy_dirty(TlDirtyKey *list, int capacity, Oid database, int *count)
{
	dlist_iter	cursor;
	bool		complete = true;

	*count = 0;
	LWLockAcquire(head->dirty, LW_SHARED);
	dlist_foreach(cursor, &head->written)
	{
		const DirtyEntry *entry = dlist_container(DirtyEntry, link, cursor.cur);

		if (entry->key.database != database)
			continue;
		if (*count == capacity)
		{
			complete = false;
			break;
		}
		list[(*count)++] = entry->key;
	}
	LWLockRelease(head->dirty);
	return complete;
}

/*
 * The tables that a transaction has written, in the current memory context.
 * NULL if nobody knows: it is older than the server's start, or found no room.
 */
Oid *
tl_node_dirty_relations(Oid database, uint64_t xid, int *count)
{
	int			entry_count;
	TlDirtyKey *entries = tl_node_dirty_list(database, &entry_count);
	Oid		   *relations = palloc(sizeof(Oid) * (entry_count + 1));
	TlNodeSlot *slot;
	bool		complete;

	*count = 0;
	for (int i = 0; i < entry_count; i++)
		if (entries[i].xid == xid)
			relations[(*count)++] = entries[i].relation;
	LWLockAcquire(head->nodes, LW_SHARED);
	slot = tl_node_shared_find(database, false);
	complete = *count > 0 && slot != NULL && slot->forgotten_xid < xid;
	LWLockRelease(head->nodes);
	if (complete)
		return relations;
	*count = 0;
	return NULL;
}

/* Was an entry lost?  The caller must look everywhere if so. */
bool
tl_node_dirty_take_overflow(Oid database)
{
	TlNodeSlot *slot;
	bool		overflow = false;

	LWLockAcquire(head->nodes, LW_EXCLUSIVE);
	slot = tl_node_shared_find(database, false);
	if (slot != NULL)
	{
		overflow = slot->overflow;
		slot->overflow = false;
	}
	LWLockRelease(head->nodes);
	return overflow;
}

/*
 * Something was committed or is waited for: TL_NEWS_*.  Where there is no
 * worker, have one started.
 *
 * Bits that are still set have not been taken, so the snapshot that follows
 * their taking will see what the caller has committed: no need to write, and
 * no reason to take the cache line from other sessions.
 */
void
tl_node_shared_tell_worker(Oid database, uint32 news)
{
	TlNodeSlot *slot;
	bool		missing;

	LWLockAcquire(head->nodes, LW_SHARED);
	slot = tl_node_shared_find(database, false);
	missing = slot == NULL || slot->latch == NULL;
	if (!missing)
	{
		pg_memory_barrier();
		if ((pg_atomic_read_u32(&slot->news) & news) != news)
			pg_atomic_fetch_or_u32(&slot->news, news);
		if (pg_atomic_read_u32(&slot->wakers) & news)
			SetLatch(slot->latch);
	}
	LWLockRelease(head->nodes);
	if (missing)
	{
		LWLockAcquire(head->nodes, LW_EXCLUSIVE);
		(void) tl_node_shared_find(database, true);
		LWLockRelease(head->nodes);
		tl_node_shared_wake_launcher();
	}
}

/* The worker: what was told since the last time.  Before its snapshot. */
uint32
tl_node_shared_take_news(TlNodeSlot *slot)
{
	return pg_atomic_exchange_u32(&slot->news, 0);
}

/* Are there such news that were not taken? */
bool
tl_node_shared_has_news(TlNodeSlot *slot, uint32 news)
{
	return (pg_atomic_read_u32(&slot->news) & news) != 0;
}

/*
 * The worker sleeps until such news come, its latch is set for another reason,
 * or the time (negative: no limit) is over.  News are looked for after it is
 * known what it sleeps for, so none can slip through in between.
 */
void
tl_node_shared_sleep(TlNodeSlot *slot, uint32 wakers, long timeout_ms)
{
	int			events = WL_LATCH_SET | WL_EXIT_ON_PM_DEATH;

	(void) pg_atomic_exchange_u32(&slot->wakers, wakers);
	if (!tl_node_shared_has_news(slot, wakers))
		(void) WaitLatch(MyLatch, timeout_ms >= 0 ? events | WL_TIMEOUT : events,
						 timeout_ms, PG_WAIT_EXTENSION);
	(void) pg_atomic_exchange_u32(&slot->wakers, 0);
}

void
tl_node_shared_wake_launcher(void)
{
	LWLockAcquire(head->nodes, LW_SHARED);
	if (head->launcher != NULL)
		SetLatch(head->launcher);
	LWLockRelease(head->nodes);
}

void
tl_node_shared_set_launcher(struct Latch *latch)
{
	LWLockAcquire(head->nodes, LW_EXCLUSIVE);
	head->launcher = latch;
	LWLockRelease(head->nodes);
}

/* Tell everybody what is final now. */
void
tl_node_shared_publish(Oid database, uint64_t height, const TlSnapshot *seen,
					   const Oid *lagging, int lagging_count)
{
	TlNodeSlot *slot;

	LWLockAcquire(head->nodes, LW_EXCLUSIVE);
	slot = tl_node_shared_find(database, false);
	if (slot != NULL)
	{
		slot->height = height;
		slot->seen_at = GetCurrentTimestamp();
		slot->seen_xmax = seen->xmax;
		slot->seen_count = Min(seen->in_progress_count,
							   tl_node_shared_in_progress_max());
		memcpy(slot->seen_in_progress, seen->in_progress,
			   sizeof(uint64_t) * slot->seen_count);
		slot->lagging_count = lagging_count > TL_NODE_LAGGING_MAX ? -1 : lagging_count;
		if (slot->lagging_count > 0)
			memcpy(slot->lagging, lagging, sizeof(Oid) * lagging_count);
	}
	LWLockRelease(head->nodes);
	if (slot != NULL)
		announce(slot);
}

/* Counted first: who is about to sleep compares (node_commit.c). */
static void
announce(TlNodeSlot *slot)
{
	pg_atomic_fetch_add_u64(&slot->advances, 1);
	ConditionVariableBroadcast(&slot->advanced);
}

/* Something is final: who waits for a row may look again. */
void
tl_node_shared_advance(Oid database)
{
	TlNodeSlot *slot;

	LWLockAcquire(head->nodes, LW_SHARED);
	slot = tl_node_shared_find(database, false);
	LWLockRelease(head->nodes);
	if (slot != NULL)
		announce(slot);
}

static bool
slot_covers(const TlNodeSlot *slot, uint64_t xid)
{
	TlSnapshot	seen;

	seen.xmax = slot->seen_xmax;
	seen.in_progress_count = slot->seen_count;
	seen.in_progress = (uint64_t *) slot->seen_in_progress;
	return tl_chain_snapshot_sees(&seen, xid);
}

/*
 * Are all rows of this finished transaction in these tables final?  With no
 * relations given: whatever tables it wrote.
 */
bool
tl_node_shared_is_final(Oid database, uint64_t xid, const Oid *relations,
						int relation_count)
{
	TlNodeSlot *slot;
	bool		result = false;

	LWLockAcquire(head->nodes, LW_SHARED);
	slot = tl_node_shared_find(database, false);
	if (slot != NULL && slot_covers(slot, xid))
	{
		result = slot->lagging_count == 0 ||
			(slot->lagging_count > 0 && relation_count > 0);
		for (int i = 0; result && i < slot->lagging_count; i++)
			for (int j = 0; result && j < relation_count; j++)
				result = slot->lagging[i] != relations[j];
	}
	LWLockRelease(head->nodes);
	return result;
}
