/*-------------------------------------------------------------------------
 *
 * replication_peer.h
 *	  The other members: their keys, addresses and logs as far as kept here.
 *
 *-------------------------------------------------------------------------
 */
#ifndef REPLICATION_PEER_H
#define REPLICATION_PEER_H

#include "consensus_message.h"
#include "replication_connection.h"
#include "replication_gap.h"
#include "replication_key.h"

/* Incarnations of one member that are followed. */
#define TL_PEER_LOGS_MAX		8

#define TL_PEER_ADDRESS_SIZE_MAX	255

/* One incarnation's log: how far it is kept, how far it is known to reach. */
typedef struct TlPeerLog
{
	uint8_t		nonce[TL_NONCE_SIZE];
	uint64_t	sequence;		/* of the last row kept, 0 before the first */
	uint64_t	epoch;			/* of that row */
	TlHash		digest;			/* of that row */
	uint64_t	known;			/* somebody has shown or claimed this one */
	uint64_t	end;			/* last row, as the REJOIN that ended it says; 0:
								 * none has */
	uint64_t	copied;			/* the own wire has what is kept up to here */
	TimestampTz due;			/* when the gap is asked for */
	int			pause_ms;		/* until it is asked for again */
	int			source;			/* whom to ask next: index of a peer, or -1 for
								 * the own wire */
	uint64_t	until;			/* and it was asked for rows up to this one */
	TlGap	   *gap;			/* rows that were dropped from wires, or NULL */
	int64_t		taken;			/* rows of it that the answer has brought which is read, */
	size_t		taken_size;		/* and bytes */

	TimestampTz behind_since;	/* the row behind this one was shown or claimed: */
	uint64_t	behind;

	/* rows of that source that were no use, up to this place and arrival */
	int			passed_count;	/* so many times; 0: none */
	uint64_t	passed_base;	/* behind that row */
	int			passed_size;
	uint8_t		passed[TL_NONCE_SIZE + 8];
	int64_t		passed_arrival;
} TlPeerLog;

/* What tells a question for final blocks: height u64, and eight random bytes. */
#define TL_OFFER_QUESTION_SIZE	16

/* What tells one for a piece of a state: height u64, number u32, and eight random bytes. */
#define TL_PIECE_QUESTION_SIZE	20

/* Where it is on its way. */
typedef enum TlTakeState
{
	TL_TAKE_NOTHING,
	TL_TAKE_ASK,				/* it is to be put into his wire */
	TL_TAKE_ASKED,				/* it is on its way there */
	TL_TAKE_READ				/* he may have answered */
} TlTakeState;

typedef struct TlPeer
{
	uint32_t	member;
	TlRowKeys	keys;
	char		address[TL_PEER_ADDRESS_SIZE_MAX + 1];	/* may be empty */

	/* arrivals in the own wire */
	int64_t		arrival;		/* all up to here have been read */
	int			unnoted;		/* rows read since that was committed last */
	bool		arrived;		/* there may be more */
	bool		many;			/* or large ones: they are counted */
	bool		prepared;		/* questions for them and for chunks, in this connection */
	int64_t		trimmed;		/* rows up to here were judged (replication_trim.c) */
	int			log_count;
	TlPeerLog	logs[TL_PEER_LOGS_MAX];

	bool		bodies_fetched; /* there may be some for the own wire */

	/* chunks that are wanted (replication_chunk.c) */
	bool		bodies_arrived; /* the own wire may have some of them */
	TimestampTz bodies_brought; /* the link brought a chunk */
	bool		bodies_silent;	/* it has not for a while in which some were wanted */
	uint16_t	coming_incarnation; /* the oldest batch that it may bring */
	uint64_t	coming_batch;
	TimestampTz coming_since;

	/* the peer's own wire, read for what is missing */
	TlConnection wire;
	char		label[32];
	TimestampTz heads_due;
	bool		heads_prepared; /* the question for them, in this connection */
	bool		ask_last_seen;	/* what it has of the own log */
	TimestampTz last_seen_due;
	uint8_t    *request;		/* a row to be put into its wire, or NULL */
	size_t		request_size;
	bool		request_sent;	/* it is on its way there */
	TimestampTz own_due;		/* when its wire is asked for the own log */
	uint64_t	own_asked;		/* behind that row; 0: the answer is of use no more */

	/* its account of time (replication_gap.c) */
	int64_t		charged_ms;
	TimestampTz charged_at;		/* up to here */
	TimestampTz regained_at;

	/* final blocks (replication_offer.c): that he asks for, */
	bool		offer_wanted;
	uint8_t		offer_question[TL_OFFER_QUESTION_SIZE];
	TimestampTz offer_due;

	/* and that he is asked for */
	TlTakeState take_state;
	uint64_t	take_after;		/* beyond that height */
	uint8_t		take_question[TL_OFFER_QUESTION_SIZE];
	TimestampTz take_due;
	int			take_tries;		/* looks in vain */
	int			take_pause_ms;	/* after what was refused */
	/* a piece of a state that he asks for (replication_piece.c) */
	bool		piece_wanted;
	uint8_t		piece_question[TL_PIECE_QUESTION_SIZE];
	TimestampTz piece_due;
	TimestampTz piece_until;	/* he looks for it no longer */
	TimestampTz silent_until;	/* rows came by fetch that the link did not bring */
} TlPeer;

extern char *tl_replication_address_check(const char *address);
extern char *tl_replication_address_hosts(const char *address);
extern char *tl_replication_address_conninfo(const char *address,
											 const char *role);

#endif							/* REPLICATION_PEER_H */
