/*-------------------------------------------------------------------------
 *
 * replication_wire.h
 *	  The wire of one ledger database: what the worker's loop calls.
 *
 * Use: init; then, whenever the latch is set, a socket of the list is ready,
 * or the returned time is over: tl_replication_wire_poll.  Nothing in it waits.
 *
 *-------------------------------------------------------------------------
 */
#ifndef REPLICATION_WIRE_H
#define REPLICATION_WIRE_H

#include "replication_peer.h"
#include "replication_status.h"
#include "replication_store.h"
#include "tl_limits.h"

/* Connections: three to four to the own wire, one to each peer's. */
#define TL_WIRE_CONNECTIONS_MAX		(TL_MEMBER_COUNT_MAX + 4)

typedef struct TlWire TlWire;

/* Which of this member's tables is sent, and how far. */
typedef struct TlSender
{
	TlWire	   *wire;
	bool		bodies;			/* or the log */
	TlConnection connection;
	bool		prepared;		/* its INSERT, in this connection */
	bool		positioned;		/* what the wire has is known */
	int			incarnation;	/* the log's place: last row that is there */
	int64_t		position;		/* its sequence, or the body's position */
	int			sending_incarnation;
	int64_t		sending_position;
	bool		caught_up;		/* nothing to send when last asked */
} TlSender;

/* Fetched chunks that go to the own wire at one time. */
#define TL_COPY_BODIES_MAX			16
#define TL_SHOWN_MINUTES			10	/* that a body made again can be read */

/* Where going through the logs is, before the first of them. */
#define TL_TRIM_RESTS				(-2)
#define TL_TRIM_MARKS				(-1)

/* What ledger_wire.row_key makes of a row. */
#define TL_PLACE_SIZE				(TL_NONCE_SIZE + 8)
#define TL_WIRE_PLACE_OFFSET		5	/* in a row */

/*
 * Rows or chunks that one query brings: so many, and no further one once so
 * many bytes are together.  Part of SQL texts, so no parentheses.
 */
#define TL_WIRE_ROWS_MAX			256
#define TL_WIRE_BYTES_MAX			4194304

/* Rows that are asked for by digest at one time. */
#define TL_WANTS_MAX				64

/* Who was asked: what the answer's callback gets, and frees. */
typedef struct TlAsked
{
	TlWire	   *wire;
	int			source;			/* index of a peer, -1: the own wire */
} TlAsked;

typedef struct TlWant
{
	bool		used;
	TlWantKind	kind;
	TlHash		digest;
	int			source;			/* whom to ask next, as in TlPeerLog */
	TimestampTz due;
	int			pause_ms;
	int			rounds;			/* of all sources, in vain */
} TlWant;

/* A link as the wire database tells it. */
typedef struct TlLink
{
	TlLinkState state;
	bool		seen;			/* in the answer that is being read */
	TimestampTz due;			/* when something is done about it */
	int			pause_ms;
	bool		wrong;			/* it is not as the library makes it */
	bool		advanced;		/* the slot is past what stopped it */

	/* of a peer's first one, for both */
	bool		has_slots;		/* the peer said so */
	bool		wants_slots;	/* it is to be asked */
} TlLink;

typedef enum TlWireStep
{
	TL_WIRE_MAKE_DATABASE,
	TL_WIRE_REPAIR,
	TL_WIRE_SLOTS,
	TL_WIRE_LOOK,				/* at the links */
	TL_WIRE_LINK,				/* one of them */
	TL_WIRE_REST
} TlWireStep;

struct TlWire
{
	Oid			database;
	uint32_t	member;
	TlHash		chain_id;
	TlRowKeys	keys;			/* own ones */
	uint64_t	epoch;			/* in which this node is */
	TlSink		sink;

	int			peer_count;
	TlPeer	   *peers;			/* TL_MEMBER_COUNT_MAX places */
	TlLink		links[TL_MEMBER_COUNT_MAX][2];	/* log, body */
	TlLinkStatus status[TL_MEMBER_COUNT_MAX];
	TlLinkStatus own_status;

	/* the own wire */
	char	   *conninfo;
	char	   *maintenance;	/* conninfo of the database postgres there */
	TlConnection admin;			/* repair, slots, links */
	TlWireStep	step;
	bool		ready;			/* tables and slots are there */
	TimestampTz look_due;
	TimestampTz repair_due;
	int			asked_peer;		/* of TL_WIRE_LINK */
	int			asked_kind;
	char		failure[TL_CONNECTION_ERROR_SIZE];	/* of the last repair */
	TlSender	log_sender;
	TlSender	body_sender;

	/* arrivals */
	TlConnection reader;
	bool		identified;
	uint8_t		wire_id[16];
	int			reading;		/* index of the peer that is being read */
	bool		own_arrived;

	/* bodies that are wanted */
	bool		wants_chunks;
	TimestampTz chunks_due;
	int			chunk_source;	/* -1: the own wire */
	int			chunk_pause_ms;
	bool		chunks_shuffled;	/* the first ones cannot be had */
	uint32_t	chunk_member;	/* whose were asked for last */
	bool		asks_rebuilt;	/* no wire has them: members make them again */
	bool		body_requests;	/* a member is to be asked for that */
	int			body_tries;		/* looks at what he shows, in vain */
	bool		bodies_rebuilt; /* the worker may have made some for others */
	TimestampTz shows_until;	/* since somebody has asked for some */

	/* bodies that leave the own wire (replication_prune.c) */
	TimestampTz prune_due;
	TimestampTz rebuilt_due;	/* when what was shown is looked through; never,
								 * if nothing is left of it */
	int			prune_member;	/* whose table is next: a peer's index, the count of
								 * them for the own one; -1: none */
	int64_t		prune_arrival;	/* looked at up to here */
	int64_t		prune_mark;		/* what arrived later is too young */
	int64_t		prune_height;	/* of bodies dropped, when that was looked at */

	/* rows of logs that leave it (replication_trim.c) */
	TimestampTz trim_due;
	int			trim_member;	/* as prune_member; or what comes before */
	int64_t		trim_mark;		/* what arrived later is too young */
	int64_t		trim_next;		/* rows up to here are judged, once those that go are gone */
	bool		trim_more;		/* and there are more of that log */
	int64_t		own_trimmed;	/* as of a peer */

	TlWant		wants[TL_WANTS_MAX];
	uint8_t		own_nonce[TL_NONCE_SIZE];	/* of the log that is asked about */

	/* rows on their way from peer_log to the own wire */
	TimestampTz copy_due;
	uint32_t	copy_member;
	uint8_t		copy_nonce[TL_NONCE_SIZE];
	uint64_t	copy_last;
	int			copy_count;		/* or chunks */
	TlHash		copy_bodies[TL_COPY_BODIES_MAX];

	/* going on after a restore (replication_request.c) */
	bool		holds;			/* nothing of the own log is shown now */
	bool		requests_arrived;
	bool		replies_due;	/* to be put into the own wire */
	bool		takes_back;		/* the own log is read from all wires */
	TimestampTz own_due;		/* from the own one */
	uint8_t		back_nonce[TL_NONCE_SIZE];	/* newest row of the own log */
	uint64_t	back_sequence;
	uint64_t	own_asked;		/* as of a peer */
	TlGap	   *own_gap;		/* rows of it that wires have dropped */

	/* the members of the epoch, and how many of those who vote may lie, or be away */
	bool		belongs;		/* this one is among them */
	unsigned	member_count;
	uint32_t	members[TL_MEMBER_COUNT_MAX];
	bool		votes[TL_MEMBER_COUNT_MAX];
	unsigned	faults;
	unsigned	absent;			/* while the ledger goes on */

	/* a piece of a state that one member is asked for (replication_piece.c) */
	TlTakeState piece_state;
	uint32_t	piece_member;
	uint8_t		piece_question[TL_PIECE_QUESTION_SIZE];
	TimestampTz piece_due;
	TimestampTz piece_until;	/* then it has not come */

	/* when it was called too late, as this process stood still */
	TimestampTz wake_at;		/* when it is to be called */
	TimestampTz stalled_from;
	TimestampTz stalled_until;

	/* for one transaction */
	MemoryContext context;
};

/* from replication_wire.c */
extern void tl_replication_wire_init(TlWire *wire, Oid database, uint32_t member,
									 const TlHash *chain_id,
									 const uint8_t row_key[TL_XONLY_KEY_SIZE],
									 const char *conninfo,
									 const TlSink *sink);
extern int	tl_replication_wire_reload(TlWire *wire);
extern TlPeer *tl_replication_wire_peer(TlWire *wire, uint32_t member);
extern TimestampTz tl_replication_wire_poll(TlWire *wire, TimestampTz now);
extern int	tl_replication_wire_connections(TlWire *wire, TlConnection **out);
extern void tl_replication_wire_wake(TlWire *wire);
extern void tl_replication_wire_wake_log(TlWire *wire);
extern void tl_replication_wire_begin(TlWire *wire);
extern void tl_replication_wire_end(TlWire *wire);
extern char *tl_replication_wire_text(TlWire *wire, const char *query, const Datum *values,
									  const Oid *types, int count);

/* from replication_link.c */
extern void tl_replication_link_look(TlWire *wire);
extern bool tl_replication_link_tend(TlWire *wire, TimestampTz now);
extern bool tl_replication_link_ask(TlWire *wire, int peer);

/* from replication_send.c */
extern void tl_replication_send_init(TlSender *sender, TlWire *wire, bool bodies);
extern void tl_replication_send_poll(TlSender *sender, TimestampTz now);
extern TlParameter tl_replication_send_array(Datum *elements, bool *nulls, int count, Oid type);

/* from replication_arrival.c; by digest, chunks of that member's batches in the own wire */
#define TL_OWN_WIRE_CHUNKS		"chunks_%u"

/* Of a query of chunks, whatever a header says of their sizes. */
#define TL_BOUNDED_CHUNKS(query) \
	"SELECT chunk, audience FROM (SELECT chunk, audience," \
	" sum(octet_length(chunk)) OVER (ROWS UNBOUNDED PRECEDING) AS total FROM (" query ") AS c) AS s" \
	" WHERE total - octet_length(chunk) < " CppAsString2(TL_WIRE_BYTES_MAX)
extern void tl_replication_arrival_poll(TlWire *wire, TimestampTz now);
extern void tl_replication_arrival_take(TlWire *wire, TlPeer *peer,
										PGresult *result, bool fetched, bool in_own_wire);

/* from replication_copy.c */
extern void tl_replication_copy_poll(TlWire *wire, TimestampTz now);
extern void tl_replication_copy_later(TlWire *wire, uint32_t member, const void *chunk,
									  int size, const char *audience);

/* from replication_body.c */
extern bool tl_replication_body_is_asked(const void *data, size_t size);
extern void tl_replication_body_asked(TlWire *wire, const void *data, size_t size);
extern bool tl_replication_body_request(TlWire *wire, int source, uint32_t member);
extern void tl_replication_body_poll(TlWire *wire, TimestampTz now);

/* from replication_offer.c */
extern bool tl_replication_offer_is_asked(const void *data, size_t size);
extern void tl_replication_offer_asked(TlWire *wire, const char *role, const void *data);
extern void tl_replication_offer_ask(TlWire *wire, uint32_t member, uint64_t after);
extern TimestampTz tl_replication_offer_due(const TlWire *wire);
extern bool tl_replication_offer_show(TlWire *wire, TimestampTz now);
extern bool tl_replication_offer_take(TlWire *wire, int source, TimestampTz now);

/* from replication_piece.c */
extern bool tl_replication_piece_is_asked(const void *data, size_t size);
extern void tl_replication_piece_asked(TlWire *wire, const char *role, const void *data);
extern void tl_replication_piece_ask(TlWire *wire, uint32_t member, uint64_t height,
									 uint32_t number);
extern bool tl_replication_piece_is_idle(const TlWire *wire);
extern TimestampTz tl_replication_piece_poll(TlWire *wire, TimestampTz now);
extern bool tl_replication_piece_show(TlWire *wire, TimestampTz now);
extern bool tl_replication_piece_take(TlWire *wire, int source, TimestampTz now);

/* from replication_prune.c */
extern void tl_replication_prune_poll(TlWire *wire, TimestampTz now);

/* from replication_trim.c */
extern void tl_replication_trim_poll(TlWire *wire, TimestampTz now);

/* from replication_chunk.c */
extern TimestampTz tl_replication_chunk_poll(TlWire *wire, TimestampTz now);
extern void tl_replication_chunk_arrived(TlPeer *peer);
extern bool tl_replication_chunk_ask(TlWire *wire, int source, TimestampTz now);

/* from replication_fetch.c */
#define TL_FETCH_TIMEOUT_MS		30000
#define TL_FETCH_PAUSE_MS_MIN	200 /* after a round in vain */
#define TL_FETCH_GRACE_MS		1000	/* for what a link that works will bring */
extern TimestampTz tl_replication_fetch_poll(TlWire *wire, TimestampTz now);
extern bool tl_replication_fetch_watch(TlWire *wire, TimestampTz now);
extern void tl_replication_fetch_from(TlWire *wire, int source);
extern void tl_replication_fetch_place(uint8_t *out, const uint8_t nonce[TL_NONCE_SIZE],
									   uint64_t sequence);
extern TimestampTz tl_replication_fetch_wake(TlWire *wire, int source, TimestampTz due);
extern bool tl_replication_fetch_usable(TlWire *wire, int source);
extern TlConnection *tl_replication_fetch_connection(TlWire *wire, int source);
extern bool tl_replication_fetch_next(TlWire *wire, int *source, TimestampTz *due,
									  int *pause_ms);

/* from replication_want.c */
extern void tl_replication_want(TlWire *wire, TlWantKind kind, const TlHash *digest);
extern void tl_replication_want_last_seen(TlWire *wire, const uint8_t nonce[TL_NONCE_SIZE]);
extern TimestampTz tl_replication_want_poll(TlWire *wire, TimestampTz now);
extern bool tl_replication_want_ask(TlWire *wire, int source, TimestampTz now);

/* from replication_request.c */
extern bool tl_replication_request_question(TlWire *wire, int source, TlConnectionDone done,
											const char *query, const TlParameter *parameters,
											int count);
extern bool tl_replication_request_put(TlWire *wire, int source, TlConnectionDone done,
									   const void *message, size_t size);
extern bool tl_replication_request_show(TlWire *wire, const char *table, uint32_t member,
										const uint8_t *question, size_t question_size, TlSpan answer);
extern bool tl_replication_request_look(TlWire *wire, int source, TlConnectionDone done, const char *table,
										const uint8_t *question, size_t question_size, size_t size_max);
extern void tl_replication_request_send(TlWire *wire, uint32_t member,
										const void *data, size_t size);
extern void tl_replication_request_replied(TlWire *wire);
extern void tl_replication_request_take_back(TlWire *wire, const uint8_t nonce[TL_NONCE_SIZE],
											 uint64_t sequence);
extern TimestampTz tl_replication_request_due(const TlWire *wire);
extern bool tl_replication_request_ask(TlWire *wire, int source, TimestampTz now);

#endif							/* REPLICATION_WIRE_H */
