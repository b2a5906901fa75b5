/*-------------------------------------------------------------------------
 *
 * node_shared.h
 *	  Shared memory: what backends tell the worker, what the worker tells them.
 *
 *-------------------------------------------------------------------------
 */
#ifndef NODE_SHARED_H
#define NODE_SHARED_H

#include "datatype/timestamp.h"
#include "port/atomics.h"
#include "storage/condition_variable.h"
#include "storage/lwlock.h"

#include "chain_snapshot.h"
#include "table_ref.h"

/* Databases of one server that can be nodes at the same time. */
#define TL_NODE_DATABASES_MAX	32

/* Written tables of unbatched transactions, over all databases. */
#define TL_NODE_DIRTY_MAX		32768

/* Lagging tables that commit_wait can tell apart. */
#define TL_NODE_LAGGING_MAX		64

/*
 * "Transaction xid has written, or was about to write, this table."  Here and
 * below transactions are words of refs (tl_table_ref_word).
 */
typedef struct TlDirtyKey
{
	uint64_t	xid;			/* top-level */
	Oid			database;
	Oid			relation;
} TlDirtyKey;

/* What the worker has not heard of yet: bits of TlNodeSlot.news. */
#define TL_NEWS_COMMITTED	1	/* ledger rows were committed */
#define TL_NEWS_AWAITED		2	/* and somebody waits until they are final */
#define TL_NEWS_ORDERED		4	/* the members have ordered a batch of ours */
#define TL_NEWS_PRUNE		8	/* a checkpoint is stable, or a body or a state is asked for */

/* The call that is executed (node_stand.c). */
typedef struct TlExecuted
{
	int64_t		height;			/* of its block */
	TlRefBytes	ref;
	TimestampTz since;
	bool		runs;			/* it is executed now */
} TlExecuted;

/* The call at which applying could not go on. */
typedef struct TlStand
{
	int64_t		height;			/* of its block; 0: at none */
	TlRefBytes	ref;
	TimestampTz since;			/* of the first attempt that failed */
	uint32_t	failures;		/* attempts that have ended with an error */
	char		sqlstate[6];	/* of the last one */
	char		message[256];
} TlStand;

/*
 * One database that is a node.  All fields under the lock `nodes`, but
 * `advanced`, which has its own, and the atomic ones.
 */
typedef struct TlNodeSlot
{
	Oid			database;		/* InvalidOid: the slot is free */
	int			pid;			/* of its worker, 0 while there is none */
	struct Latch *latch;		/* of its worker */
	pg_atomic_uint32 news;		/* TL_NEWS_*, until the worker takes them */
	pg_atomic_uint32 wakers;	/* news that its worker sleeps for */
	int			scrub_pid;		/* of the process that scrubs, or 0 */
	int			wire_pid;		/* of the process of the wire, or 0 */
	struct Latch *wire_latch;	/* of that process */
	bool		wire_wanted;	/* there are peers */
	bool		wire_unsure;	/* there may be, or be none any more */
	bool		wire_news;		/* it has to read them anew */
	bool		batch_news;		/* the worker has made a batch for it */
	bool		at_work;		/* the worker has found a node here */
	bool		overflow;		/* a backend found no room in the dirty set */
	uint64_t	forgotten_xid;	/* newest transaction that found none */
	TimestampTz not_before;		/* no new worker earlier (DROP DATABASE) */
	bool		at_once;		/* but then the next one, without a pause */
	TlExecuted	executed;
	TlStand		stand;

	/* what is final: all rows that `seen` sees, but those of lagging tables */
	uint64_t	height;
	TimestampTz seen_at;		/* when `seen` was published */
	uint64_t	seen_xmax;
	int			seen_count;
	int			lagging_count;	/* -1: more than can be listed */
	Oid			lagging[TL_NODE_LAGGING_MAX];
	ConditionVariable advanced; /* after each change of the above */
	pg_atomic_uint64 advances;	/* how many there were */
	uint64_t	seen_in_progress[FLEXIBLE_ARRAY_MEMBER];
} TlNodeSlot;

extern void tl_node_shared_init(void);
extern LWLock *tl_node_shared_lock(void);
extern TlNodeSlot *tl_node_shared_slot(int index);
extern TlNodeSlot *tl_node_shared_find(Oid database, bool create);
extern void tl_node_shared_free(Oid database);
extern int	tl_node_shared_in_progress_max(void);

/* the dirty set */
extern void tl_node_dirty_note(Oid database, Oid relation, uint64_t xid);
extern void tl_node_dirty_forget(const TlDirtyKey *key);
extern Oid *tl_node_dirty_relations(Oid database, uint64_t xid, int *count);
extern TlDirtyKey *tl_node_dirty_list(Oid database, int *count);
extern bool tl_node_dirty_take_overflow(Oid database);

/* worker and launcher */
extern void tl_node_shared_tell_worker(Oid database, uint32 news);
extern uint32 tl_node_shared_take_news(TlNodeSlot *slot);
extern bool tl_node_shared_has_news(TlNodeSlot *slot, uint32 news);
extern void tl_node_shared_sleep(TlNodeSlot *slot, uint32 wakers, long timeout_ms);
extern void tl_node_shared_wake_launcher(void);
extern void tl_node_shared_set_launcher(struct Latch *latch);

/* finality, as the worker publishes it */
extern void tl_node_shared_publish(Oid database, uint64_t height,
								   const TlSnapshot *seen,
								   const Oid *lagging, int lagging_count);
extern void tl_node_shared_advance(Oid database);
extern bool tl_node_shared_is_final(Oid database, uint64_t xid,
									const Oid *relations, int relation_count);

#endif							/* NODE_SHARED_H */
