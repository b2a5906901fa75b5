/*-------------------------------------------------------------------------
 *
 * replication_status.h
 *	  Shared memory: what the wire's process knows of each peer's link.
 *
 *-------------------------------------------------------------------------
 */
#ifndef REPLICATION_STATUS_H
#define REPLICATION_STATUS_H

#include "datatype/timestamp.h"
#include "storage/lwlock.h"

#include "replication_connection.h"
#include "tl_limits.h"

/* Peers of all ledger databases of one server. */
#define TL_LINK_STATUS_MAX		1024

typedef enum TlLinkState
{
	TL_LINK_NONE,				/* not looked at yet */
	TL_LINK_NO_ADDRESS,
	TL_LINK_NO_WIRE,			/* the own wire is not there */
	TL_LINK_NO_SLOT,			/* the peer does not know this member yet */
	TL_LINK_REFUSED,			/* could not be made: reason */
	TL_LINK_STOPPED,			/* the server stopped it: reason */
	TL_LINK_CONNECTING,
	TL_LINK_STREAMING
} TlLinkState;

/* One peer of one database; member is this node's own for the own wire. */
typedef struct TlLinkStatus
{
	Oid			database;		/* InvalidOid: free */
	uint32_t	member;
	TlLinkState log_state;
	TlLinkState body_state;
	char		reason[TL_CONNECTION_ERROR_SIZE];
	int64_t		lag_bytes;		/* of WAL, as the own slots tell; -1: unknown */
	uint64_t	stored;			/* sequence of the last row kept */
	uint64_t	known;			/* and of the last that is known */
	TimestampTz behind_since;	/* 0: nothing is missing */
	TimestampTz last_row_at;
	TimestampTz last_answer_at;
	int64_t		rows;			/* kept since the start of the process */
	int64_t		duplicates;
	int64_t		quarantined;
	int64_t		fetched;
	int64_t		stops;			/* times that the server stopped a link */
} TlLinkStatus;

extern void tl_replication_status_init(void);

/* Copies all of a database's; the count. */
extern int	tl_replication_status_list(Oid database, TlLinkStatus *out, int count_max);
extern void tl_replication_status_put(const TlLinkStatus *status);
extern void tl_replication_status_free(Oid database);
extern const char *tl_replication_link_state_name(TlLinkState state);

#endif							/* REPLICATION_STATUS_H */
