/*-------------------------------------------------------------------------
 *
 * replication_connection.c
 *	  A client connection that never blocks the loop that owns it.
 *
 * libpq without its blocking calls: the owner polls, waits for the socket
 * together with its latch, and is called back with each answer.  One query is
 * under way at a time.  A connection that fails is tried again after a pause
 * that doubles; one that does not answer in time, or with more bytes than its
 * owner wants, is closed.
 *
 * What is on the other side may be an adversary.  So answers are bounded in
 * time and size (libpq itself would take a gigabyte), texts of errors are cut
 * to one line of printable characters, and notices of those who are not
 * trusted are dropped.
 *
 * A host name is looked up by the blocking call that libpq has for it, as in
 * the server's own replication.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include <sys/ioctl.h>

#include "mb/pg_wchar.h"
#include "storage/fd.h"
#include "storage/latch.h"
#include "utils/memutils.h"
#include "utils/timestamp.h"

#include "replication_connection.h"

#define PAUSE_MS_MIN		500
#define PAUSE_MS_MAX		30000
#define CONNECT_TIMEOUT_MS	10000

static uint64 attempts = 0;

static bool send_text(TlConnection *connection, const char *text, bool is_name,
					  const TlParameter *parameters, int count, int timeout_ms,
					  TlConnectionDone done, void *context);
static void start(TlConnection *connection, TimestampTz now);
static void go_on_starting(TlConnection *connection);
static void go_on_asking(TlConnection *connection);
static void take_answers(TlConnection *connection);
static void finish_query(TlConnection *connection);
static void on_notice(void *context, const PGresult *result);

void
tl_replication_connection_init(TlConnection *connection, const char *label,
							   bool trusted, size_t received_max)
{
	memset(connection, 0, sizeof(*connection));
	connection->label = label;
	connection->trusted = trusted;
	connection->received_max = received_max;
	connection->pause_ms = PAUSE_MS_MIN;
}

/*
 * Where to connect from now on; NULL for nowhere.  The string is copied.  After
 * a failure the pause is kept, wherever it goes next; who leaves a connection that
 * stands goes at once.
 */
void
tl_replication_connection_to(TlConnection *connection, const char *conninfo)
{
	MemoryContext caller;
	bool		stands = connection->conn != NULL && connection->state != TL_CONNECTION_STARTING;

	if (conninfo != NULL && connection->conninfo != NULL &&
		strcmp(conninfo, connection->conninfo) == 0)
		return;
	if (connection->conn != NULL)
		tl_replication_connection_close(connection, "");
	if (stands)
		connection->retry_at = 0;
	if (connection->conninfo != NULL)
		pfree(connection->conninfo);
	else
	{
		connection->retry_at = 0;
		connection->pause_ms = PAUSE_MS_MIN;
	}
	caller = MemoryContextSwitchTo(TopMemoryContext);
	connection->conninfo = conninfo == NULL ? NULL : pstrdup(conninfo);
	MemoryContextSwitchTo(caller);
}

/* Do what can be done without waiting. */
void
tl_replication_connection_poll(TlConnection *connection, TimestampTz now)
{
	if (connection->state == TL_CONNECTION_CLOSED)
	{
		if (connection->conninfo == NULL || now < connection->retry_at)
			return;
		start(connection, now);
	}
	if (connection->state == TL_CONNECTION_STARTING)
		go_on_starting(connection);
	else if (connection->state != TL_CONNECTION_CLOSED)
		go_on_asking(connection);
	if ((connection->state == TL_CONNECTION_STARTING ||
		 connection->state == TL_CONNECTION_BUSY) && now >= connection->deadline)
		tl_replication_connection_close(connection, "no answer in time");
}

/*
 * Send a query; its answer is in binary form.  False if the connection is not
 * idle, or is lost by this; done is not called then.
 */
bool
tl_replication_connection_ask(TlConnection *connection, const char *query,
							  const TlParameter *parameters, int count,
							  int timeout_ms, TlConnectionDone done,
							  void *context)
{
	return send_text(connection, query, false, parameters, count, timeout_ms, done, context);
}

/* The same of what PREPARE has given that name in this connection. */
bool
tl_replication_connection_execute(TlConnection *connection, const char *name,
								  const TlParameter *parameters, int count,
								  int timeout_ms, TlConnectionDone done,
								  void *context)
{
	return send_text(connection, name, true, parameters, count, timeout_ms, done, context);
}

/*
 * For what PREPARE will plan in this connection: once, perhaps while a wire is empty, and
 * never for the parameters themselves, of which the plan would have copies.
 */
bool
tl_replication_connection_plan_once(TlConnection *connection, int timeout_ms,
									TlConnectionDone done, void *context)
{
	return send_text(connection, "SELECT pg_catalog.set_config('plan_cache_mode', 'force_generic_plan', false),"
					 " pg_catalog.set_config('enable_seqscan', 'off', false)", false, NULL, 0,
					 timeout_ms, done, context);
}

static bool
send_text(TlConnection *connection, const char *text, bool is_name,
		  const TlParameter *parameters, int count, int timeout_ms,
		  TlConnectionDone done, void *context)
{
	const char *values[TL_CONNECTION_PARAMETERS_MAX];
	int			sizes[TL_CONNECTION_PARAMETERS_MAX];
	int			formats[TL_CONNECTION_PARAMETERS_MAX];
	int			flushed;

	Assert(count <= TL_CONNECTION_PARAMETERS_MAX);
	if (connection->state != TL_CONNECTION_IDLE)
		return false;
	for (int i = 0; i < count; i++)
	{
		values[i] = parameters[i].data;
		sizes[i] = parameters[i].size;
		formats[i] = parameters[i].binary;
	}
	if (!(is_name ?
		  PQsendQueryPrepared(connection->conn, text, count, values, sizes, formats, 1) :
		  PQsendQueryParams(connection->conn, text, count, NULL, values, sizes, formats, 1)) ||
		(flushed = PQflush(connection->conn)) < 0)
	{
		tl_replication_connection_close(connection, NULL);
		return false;
	}
	connection->state = TL_CONNECTION_BUSY;
	connection->events = WL_SOCKET_READABLE | (flushed > 0 ? WL_SOCKET_WRITEABLE : 0);
	connection->received = 0;
	connection->notices = 0;
	connection->asked_at = GetCurrentTimestamp();
	connection->deadline = TimestampTzPlusMilliseconds(connection->asked_at, timeout_ms);
	connection->done = done;
	connection->context = context;
	return true;
}

/* Close it, with a reason or, for NULL, with libpq's. */
void
tl_replication_connection_close(TlConnection *connection, const char *why)
{
	TlConnectionDone done = connection->done;

	if (connection->conn != NULL)
	{
		tl_replication_connection_text(connection->error,
									   sizeof(connection->error),
									   why != NULL ? why : PQerrorMessage(connection->conn));
		PQclear(connection->result);
		PQfinish(connection->conn);
		ReleaseExternalFD();
	}
	if (connection->state == TL_CONNECTION_STARTING)
		connection->failures++;
	connection->conn = NULL;
	connection->result = NULL;
	connection->done = NULL;
	connection->fresh = false;
	connection->state = TL_CONNECTION_CLOSED;
	connection->retry_at = TimestampTzPlusMilliseconds(GetCurrentTimestamp(),
													   connection->pause_ms);
	connection->pause_ms = Min(connection->pause_ms * 2, PAUSE_MS_MAX);
	if (done != NULL)
		done(connection->context, NULL);
}

/* Has it been connected anew since this was asked? */
bool
tl_replication_connection_take_fresh(TlConnection *connection)
{
	bool		fresh = connection->fresh;

	connection->fresh = false;
	return fresh;
}

/* One line of printable characters. */
void
tl_replication_connection_text(char *out, size_t size, const char *message)
{
	size_t		length = 0;

	while (message[length] != '\0' && message[length] != '\n' && length < size - 1)
	{
		unsigned char byte = message[length];

		out[length++] = byte >= 32 && byte < 127 ? byte : '?';
	}
	out[length] = '\0';
}

bool
tl_replication_result_ok(const PGresult *result)
{
	ExecStatusType status = PQresultStatus(result);

	return status == PGRES_TUPLES_OK || status == PGRES_COMMAND_OK;
}

static void
start(TlConnection *connection, TimestampTz now)
{
	if (!AcquireExternalFD())
	{
		strlcpy(connection->error, "too many open files", sizeof(connection->error));
		connection->retry_at = TimestampTzPlusMilliseconds(now, PAUSE_MS_MAX);
		return;
	}
	connection->conn = PQconnectStart(connection->conninfo);
	if (connection->conn == NULL)
	{
		ReleaseExternalFD();
		ereport(ERROR,
				errcode(ERRCODE_OUT_OF_MEMORY),
				errmsg("out of memory"));
	}
	connection->number = ++attempts;
	connection->state = TL_CONNECTION_STARTING;
	connection->events = WL_SOCKET_WRITEABLE;
	connection->deadline = TimestampTzPlusMilliseconds(now, CONNECT_TIMEOUT_MS);
	if (PQstatus(connection->conn) == CONNECTION_BAD)
		tl_replication_connection_close(connection, NULL);
	else
		PQsetNoticeReceiver(connection->conn, on_notice, connection);
}

static void
go_on_starting(TlConnection *connection)
{
	switch (PQconnectPoll(connection->conn))
	{
		case PGRES_POLLING_READING:
			connection->events = WL_SOCKET_READABLE;
			break;
		case PGRES_POLLING_WRITING:
			connection->events = WL_SOCKET_WRITEABLE;
			break;
		case PGRES_POLLING_OK:
			PQsetnonblocking(connection->conn, 1);
			connection->state = TL_CONNECTION_IDLE;
			connection->events = WL_SOCKET_READABLE;
			connection->fresh = true;
			connection->failures = 0;
			connection->error[0] = '\0';
			break;
		default:
			tl_replication_connection_close(connection, NULL);
			break;
	}
}

/* An idle one is read as well: it may have been closed, or notify. */
static void
go_on_asking(TlConnection *connection)
{
	int			waiting = 0;
	int			flushed = PQflush(connection->conn);

	if (ioctl(PQsocket(connection->conn), FIONREAD, &waiting) == 0)
		connection->received += waiting;
	if (connection->received > connection->received_max)
	{
		tl_replication_connection_close(connection, "the answer is too large");
		return;
	}
	if (flushed < 0 || !PQconsumeInput(connection->conn))
	{
		tl_replication_connection_close(connection, NULL);
		return;
	}
	connection->events = WL_SOCKET_READABLE | (flushed > 0 ? WL_SOCKET_WRITEABLE : 0);
	if (connection->state == TL_CONNECTION_BUSY)
		take_answers(connection);
	else
		connection->received = 0;
}

/* The first result counts, or the error that follows it. */
static void
take_answers(TlConnection *connection)
{
	while (!PQisBusy(connection->conn))
	{
		PGresult   *result = PQgetResult(connection->conn);
		ExecStatusType status = PQresultStatus(result);

		if (result == NULL)
		{
			finish_query(connection);
			return;
		}
		if (status == PGRES_COPY_IN || status == PGRES_COPY_OUT ||
			status == PGRES_COPY_BOTH)
		{
			PQclear(result);
			tl_replication_connection_close(connection, "an answer that nobody asked for");
			return;
		}
		if (connection->result == NULL || !tl_replication_result_ok(result))
		{
			PQclear(connection->result);
			connection->result = result;
		}
		else
			PQclear(result);
		if (PQstatus(connection->conn) == CONNECTION_BAD)
		{
			tl_replication_connection_close(connection, NULL);
			return;
		}
	}
}

static void
finish_query(TlConnection *connection)
{
	TlConnectionDone done = connection->done;
	PGresult   *result = connection->result;

	connection->state = TL_CONNECTION_IDLE;
	connection->done = NULL;
	connection->result = NULL;
	connection->received = 0;
	if (result == NULL)
	{
		/* PQgetResult had nothing: can only be a broken connection */
		connection->done = done;
		tl_replication_connection_close(connection, NULL);
		return;
	}
	if (tl_replication_result_ok(result))
		connection->pause_ms = PAUSE_MS_MIN;
	PG_TRY();
	{
		if (done != NULL)
			done(connection->context, result);
	}
	PG_FINALLY();
	{
		PQclear(result);
	}
	PG_END_TRY();
}

/* What the library's own scripts have repaired they tell by RAISE INFO. */
static void
on_notice(void *context, const PGresult *result)
{
	TlConnection *connection = context;
	const char *severity = PQresultErrorField(result, PG_DIAG_SEVERITY_NONLOCALIZED);
	const char *message = PQresultErrorField(result, PG_DIAG_MESSAGE_PRIMARY);
	char		text[TL_CONNECTION_ERROR_SIZE];

	if (!connection->trusted || severity == NULL || message == NULL ||
		(strcmp(severity, "INFO") != 0 && strcmp(severity, "WARNING") != 0))
		return;
	connection->notices++;
	tl_replication_connection_text(text, sizeof(text), message);
	ereport(strcmp(severity, "WARNING") == 0 ? WARNING : LOG,
			errmsg("%s: %s", connection->label, text));
}
