/*-------------------------------------------------------------------------
 *
 * replication_connection.h
 *	  A client connection that never blocks the loop that owns it.
 *
 *-------------------------------------------------------------------------
 */
#ifndef REPLICATION_CONNECTION_H
#define REPLICATION_CONNECTION_H

#include "datatype/timestamp.h"
#include "libpq-fe.h"

#define TL_CONNECTION_ERROR_SIZE	256
#define TL_CONNECTION_PARAMETERS_MAX	8

typedef enum TlConnectionState
{
	TL_CONNECTION_CLOSED,
	TL_CONNECTION_STARTING,
	TL_CONNECTION_IDLE,
	TL_CONNECTION_BUSY
} TlConnectionState;

/*
 * Called once for each query, with its result or with NULL when the connection
 * was lost.  The result is freed afterwards.
 */
typedef void (*TlConnectionDone) (void *context, PGresult *result);

typedef struct TlConnection
{
	const char *label;			/* for messages */
	bool		trusted;		/* its notices go to the server's log */
	size_t		received_max;	/* bytes of one answer */

	TlConnectionState state;
	char	   *conninfo;		/* NULL: do not connect */
	PGconn	   *conn;
	int			events;			/* WL_SOCKET_* to wait for */
	uint64		number;			/* of this attempt to connect, among all */
	bool		fresh;			/* connected since the owner looked */
	TimestampTz asked_at;		/* the last query was sent */
	TimestampTz deadline;		/* of what is going on */
	TimestampTz retry_at;
	int			pause_ms;
	int			failures;		/* attempts in vain, since the last success */
	size_t		received;
	int			notices;		/* that were told, since the query was sent */
	char		error[TL_CONNECTION_ERROR_SIZE];	/* why it is closed */

	PGresult   *result;
	TlConnectionDone done;
	void	   *context;
} TlConnection;

/* One parameter of a query, in text or binary form. */
typedef struct TlParameter
{
	const void *data;
	int			size;
	bool		binary;
} TlParameter;

extern void tl_replication_connection_init(TlConnection *connection,
										   const char *label, bool trusted,
										   size_t received_max);
extern void tl_replication_connection_to(TlConnection *connection,
										 const char *conninfo);
extern void tl_replication_connection_poll(TlConnection *connection,
										   TimestampTz now);
extern bool tl_replication_connection_ask(TlConnection *connection,
										  const char *query,
										  const TlParameter *parameters,
										  int count, int timeout_ms,
										  TlConnectionDone done, void *context);
extern bool tl_replication_connection_execute(TlConnection *connection,
											  const char *name,
											  const TlParameter *parameters,
											  int count, int timeout_ms,
											  TlConnectionDone done, void *context);
extern bool tl_replication_connection_plan_once(TlConnection *connection, int timeout_ms,
												TlConnectionDone done, void *context);
extern void tl_replication_connection_close(TlConnection *connection,
											const char *why);
extern bool tl_replication_connection_take_fresh(TlConnection *connection);
extern void tl_replication_connection_text(char *out, size_t size,
										   const char *message);
extern bool tl_replication_result_ok(const PGresult *result);

#endif							/* REPLICATION_CONNECTION_H */
