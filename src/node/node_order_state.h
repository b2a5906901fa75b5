/*-------------------------------------------------------------------------
 *
 * node_order_state.h
 *	  What the files node_order* share; nobody else includes this.
 *
 *-------------------------------------------------------------------------
 */
#ifndef NODE_ORDER_STATE_H
#define NODE_ORDER_STATE_H

#include "nodes/pg_list.h"
#include "utils/palloc.h"

#include "chain_state_store.h"
#include "consensus_core.h"
#include "consensus_reply.h"
#include "node_order.h"
#include "replication_own_log.h"

#define TL_BUSY_BLOCKS		16		/* who is further behind is not busy, but away */
#define TL_ALONE_LOGS_MAX	4	/* incarnations of a member that was alone */

/*
 * Up to where the founder made the blocks alone (node_order_alone.c): the last of
 * them, and where its log was then, incarnation by incarnation; count 0: never.
 */
typedef struct TlAloneLogs
{
	uint32_t	member;
	uint64_t	height;
	TlHash		hash;
	unsigned	count;
	uint8_t		nonces[TL_ALONE_LOGS_MAX][TL_NONCE_SIZE];
	uint64_t	sequences[TL_ALONE_LOGS_MAX];
} TlAloneLogs;

/* One incarnation's log of another member, and how much the core was given. */
typedef struct TlGivenLog
{
	uint8_t		nonce[TL_NONCE_SIZE];
	uint64_t	sequence;
	bool		more;			/* there may be rows beyond */
	bool		waits;			/* the next one is for later */
	bool		over;			/* the core takes no more of it */
	uint64_t	first;			/* of the rows before it few kinds are given */
	TlLogSummary *summary;		/* to be given behind its row; NULL: none */
} TlGivenLog;

typedef struct TlGiven
{
	uint32_t	member;
	unsigned	log_count;		/* of an own log none is listed */
	TlGivenLog	logs[TL_PEER_LOGS_MAX];

	/* memory that he has lost, or this member (node_order_rejoin.c) */
	bool		closed;			/* R34: no row of that incarnation beyond that
								 * sequence counts any more */
	uint8_t		closed_nonce[TL_NONCE_SIZE];
	uint64_t	closed_sequence;
	uint32_t	ticket;			/* for the next REQUEST to him */
	uint8_t		request[TL_REQUEST_SIZE];	/* the last one */
	int64_t		requested_us;
} TlGiven;

/* What a member has seen of the own log. */
typedef struct TlLastSeen
{
	uint32_t	member;
	TlLogRow   *row;			/* NULL: nothing */
} TlLastSeen;

struct TlOrder
{
	TlWire	   *wire;
	TlOwnLog	log;
	uint8_t		secret[TL_SECRET_SIZE];
	uint8_t		row_key[TL_XONLY_KEY_SIZE]; /* that signs in this epoch */
	bool		has_key;		/* its secret is there; if not: follows, signs nothing */
	bool		later;			/* somebody has shown an own row that could not be
								 * checked in this epoch */
	TlConsensusConfig *config;
	TlConsensus *core;			/* NULL: blocks from before are not here yet */
	TlActions  *actions;
	MemoryContext memory;		/* of configuration, core and actions */
	uint8_t		instance[TL_NONCE_SIZE];	/* of this running copy */
	bool		started;
	bool		fresh;			/* what others have seen is to be asked for */
	bool		anew;			/* begin another core after this turn */
	int64_t		wake_us;		/* monotonic, 0: no wish */
	TlLane		lane;			/* the own one's head */
	uint64_t	height;			/* of the last block stored */
	uint64_t	base_view;		/* its view */
	uint64_t	body_sizes[TL_BUSY_BLOCKS];	/* of the last blocks, by height */
	bool		busy;			/* the core was told so (node_order_busy.c) */
	uint64_t	stated;			/* the core was told the state up to here */
	uint64_t	due_told;		/* and what is due after that block; 0: of none */
	int64_t		due_us;			/* monotonic: that is asked again; 0: it was not locked */
	TlOutcomes	outcomes;		/* that such a state was last computed from */
	bool		stopped;		/* no block is applied here */
	bool		unsure;			/* or that may be so: it is to be read */
	uint64_t	silent;			/* the core says nothing of states, since it knows an own one, up
								 * to that block, that was wrong; 0: it does */
	uint64_t	renewed;		/* when the chain named that checkpoint it was made anew therefore */
	uint64_t	checkpoint_named;	/* by the last block's header */
	bool		checkpoint_told;	/* and that after the last header's checkpoint */
	bool		asked;			/* this turn appended or stored something */
	bool		signed_now;		/* it appended a row */
	bool		bodied;			/* or stored bodies */
	bool		submitted;		/* somebody says that there is something to be ordered */
	bool		offers;			/* there may be: batches, approvals or bodies wait */
	bool		ordered;		/* this turn stored a final block */
	bool		skips;			/* and one that passes over a call */
	bool		checkpoint;		/* a checkpoint became stable in this turn */
	bool		governed;		/* a GOVERN row has come, perhaps with an address */

	/* blocks that the founder made alone (node_order_alone.c) */
	TlAloneLogs alone;
	struct TlAloneWalk *walk;	/* as far as they are here */
	bool		alone_news;		/* there may be more */

	/* how much of the stored logs the core was given (node_order_log.c) */
	TlGiven		given[TL_MEMBER_COUNT_MAX]; /* as in config->members */
	uint16_t	own_incarnation;	/* of the last own row, */
	uint64_t	own_sequence;	/* and its place there */
	bool		own_waits;		/* the next own row lies beyond what the core remembers */
	bool		own_more;
	uint64_t	rows_read;		/* stored ones, before it was started */

	/* rows that it need not be given (node_order_summary.c) */
	uint64_t	summary_height; /* of the newest summaries; 0: there are none */
	uint16_t	own_first_incarnation;	/* of the own rows before that one */
	uint64_t	own_first_sequence; /* few kinds are given; 0: all are */
	uint8_t		own_instance[TL_NONCE_SIZE];	/* that wrote the last ACK up to
												 * there */

	/* blocks that the logs do not bring (node_order_offer.c) */
	int64_t		stuck_us;		/* monotonic: when to ask, as blocks do not come; 0: never */
	int64_t		stuck_pause_us;
	bool		took;			/* somebody has shown some */
	uint64_t	stuck_height;	/* since the block at that height is final */
	unsigned	stuck_turn;		/* whom to ask next */

	/* what the sink was told since the last turn; in the context news */
	MemoryContext news;
	List	   *held;			/* TlLane */
	List	   *loose;			/* TlLogRow, payload copied */
	List	   *seen;			/* TlLastSeen */
	List	   *again;			/* TlLogRow, for TL_ACT_READ_LANE */
	List	   *contradictions; /* two TlLogRow each */
	List	   *offered;		/* final blocks that members show */
	List	   *requests;		/* TlLogRow, as the next ones */
	List	   *replies;
	List	   *returned;		/* of the own log */

	/* going on after a restore (node_order_rejoin.c) */
	bool		rejoins;		/* is under way */
	bool		rejoin_given;	/* the core was told */
	uint64_t	passed_from;	/* own rows from this place on, of epochs before */
	uint64_t	passed_epoch;	/* that one, are a branch that was given up */
	bool		rejoin_opened;	/* its REJOIN is in the own log */
	bool		own_returned;	/* all of the own log was dropped, to come back */
	int64_t		own_taken_us;	/* when the last own row came back */
	uint8_t		rejoin_nonce[TL_NONCE_SIZE];
	uint8_t		request_before[TL_NONCE_SIZE];	/* that the REQUEST given now names */
	bool		replied;		/* this turn stored a REPLY */
	bool		cuts;			/* this turn cut the own log */
	bool		numbered;		/* the incarnation has its number */
	uint16_t	number;
};

/* node_order.c */
extern TlStatus tl_node_order_step(TlOrder *order, TlInput *input);
extern TlStatus tl_node_order_give(TlOrder *order, TlInputKind kind,
								   const TlLogRow *row);
extern TlLogRow *tl_node_order_copy(const TlLogRow *row);
extern bool tl_node_order_has_log(const TlOrder *order);
extern const TlConsensusMember *tl_node_order_own_member(const TlOrder *order,
														 const TlConsensusConfig *config);
extern void tl_node_order_note_vote(const TlLogRow *row, bool again);
extern int64_t tl_node_order_now_us(void);

/* node_order_alone.c */
extern void tl_node_order_alone_load(TlAloneLogs *alone);
extern int	tl_node_order_alone_find(const TlAloneLogs *alone, uint32_t member,
									 const uint8_t nonce[TL_NONCE_SIZE]);
extern bool tl_node_order_alone_wait(TlOrder *order);
extern bool tl_node_order_alone_follow(TlOrder *order);
extern void tl_node_order_alone_give_own(TlOrder *order);

/* node_order_checkpoint.c */
extern void tl_node_order_checkpoint_open(TlOrder *order);
extern void tl_node_order_checkpoint_tell(TlOrder *order);
extern void tl_node_order_checkpoint_tell_due(TlOrder *order);
extern bool tl_node_order_checkpoint_store(const TlAction *action);

/* node_order_busy.c */
extern void tl_node_order_busy_open(TlOrder *order);
extern void tl_node_order_busy_more(TlOrder *order, const TlAction *action);
extern void tl_node_order_busy_tell(TlOrder *order);

/* node_order_log.c */
extern void tl_node_order_log_open(TlOrder *order);
extern bool tl_node_order_log_give(TlOrder *order);
extern void tl_node_order_log_arrived(TlOrder *order, const TlLogRow *row);
extern void tl_node_order_log_moved(TlOrder *order);
extern void tl_node_order_log_give_own(TlOrder *order);
extern bool tl_node_order_own_is_before(const TlOrder *order);
extern bool tl_node_order_log_waits(const TlOrder *order);

/* node_order_offer.c */
extern TlSpan tl_node_order_offer_make(void *context, uint64_t after);
extern const char *tl_node_order_offer_on(void *context, uint32_t member, uint64_t after,
										  const void *data, size_t size);
extern void tl_node_order_offer_give(TlOrder *order);
extern void tl_node_order_offer_ask(TlOrder *order, uint32_t member);
extern void tl_node_order_offer_ask_all(TlOrder *order);
extern int64_t tl_node_order_offer_look(TlOrder *order);

/* node_order_submit.c */
extern void tl_node_order_submit(TlOrder *order);

/* node_order_summary.c */
extern void tl_node_order_summary_open(TlOrder *order);
extern void tl_node_order_summary_store(TlOrder *order);

/* node_order_rejoin.c */
extern void tl_node_order_rejoin_load(TlOrder *order);
extern void tl_node_order_rejoin_load_closed(TlOrder *order);
extern void tl_node_order_rejoin_begin(TlOrder *order);
extern void tl_node_order_rejoin_look(TlOrder *order);
extern void tl_node_order_rejoin_on_request(void *context, const TlLogRow *row);
extern void tl_node_order_rejoin_on_reply(void *context, const TlLogRow *row);
extern void tl_node_order_rejoin_on_own(void *context, const TlLogRow *row);
extern bool tl_node_order_rejoin_waits(const TlOrder *order);
extern void tl_node_order_rejoin_give(TlOrder *order);
extern void tl_node_order_rejoin_seen(TlOrder *order, const TlLogRow *row);
extern void tl_node_order_rejoin_cut(TlOrder *order, const TlHash *after);
extern void tl_node_order_rejoin_request(TlOrder *order, const TlAction *action);
extern void tl_node_order_rejoin_reply(TlOrder *order, const TlAction *action);
extern void tl_node_order_rejoin_opened(TlOrder *order, const TlLogRow *row);
extern void tl_node_order_rejoin_settle(TlOrder *order);

#endif							/* NODE_ORDER_STATE_H */
