/*-------------------------------------------------------------------------
 *
 * clients.c
 *	  Sessions of several servers at once, for the benchmark of members.
 *
 *	  clients hop COUNT CONNINFO...
 *		COUNT times: one full hop between databases of these servers, then one
 *		row of a ledger table at one of them in turn.  A line for each:
 *		microseconds of the hop, from the row's commit to its block at the last
 *		of the members, and of the client that waited for finality.
 *	  clients load SECONDS CONNINFO...
 *		One session at each, which inserts a row and waits until it is final,
 *		again and again.  A line for each row: the session, when it was final
 *		and how long that took, in microseconds.  SECONDS 0: until the standard
 *		input ends.
 *
 * A full hop is what a row of a member's log has to do at least: committed in
 * one database of the first server (hop), inserted into another one there
 * (hop_wire) over a client connection, replicated to hop_wire of all the others,
 * and read there by a client that was notified.
 *
 * Commit times of blocks are the servers' own (track_commit_timestamp): all of
 * them are on this machine, and have one clock.
 *
 *-------------------------------------------------------------------------
 */
#include <libpq-fe.h>
#include <poll.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define MEMBERS_MAX		16
#define PATIENCE_US		30000000
#define REST_US			20000	/* between rows, so that all have come to rest */

typedef struct Session
{
	PGconn	   *conn;
	int64_t		begun_us;
	int			open;
} Session;

static const char insert_row[] = "INSERT INTO cdr VALUES (0, repeat('x', 100)) RETURNING ledger_ref";

static int	run_hops(int count, int members, char **conninfo);
static int64_t hop(PGconn *source, PGconn *wire, Session *others, int count);
static int	take_arrival(PGconn *conn);
static int64_t commit_to_final(PGconn *writer, Session *members, int count, int64_t *client_us);
static int64_t block_at(PGconn *conn, const char *height);
static int	run_load(int seconds, int count, char **conninfo);
static void begin_row(Session *session);
static void on_answer(Session *session, int number);
static PGconn *connect_to(const char *conninfo, const char *database);
static PGresult *query(PGconn *conn, const char *text, const char *parameter);
static void command(PGconn *conn, const char *text);
static void fail(const char *what, PGconn *conn);
static int64_t now_us(void);

int
main(int argc, char **argv)
{
	if (argc < 4 || argc - 3 > MEMBERS_MAX ||
		(strcmp(argv[1], "hop") != 0 && strcmp(argv[1], "load") != 0))
	{
		fprintf(stderr, "usage: clients hop COUNT CONNINFO... | clients load SECONDS CONNINFO...\n");
		return 2;
	}
	if (argv[1][0] == 'h')
		return run_hops(atoi(argv[2]), argc - 3, argv + 3);
	return run_load(atoi(argv[2]), argc - 3, argv + 3);
}

static int
run_hops(int count, int members, char **conninfo)
{
	Session		ledgers[MEMBERS_MAX];
	Session		others[MEMBERS_MAX];
	PGconn	   *source = connect_to(conninfo[0], "hop");
	PGconn	   *wire = connect_to(conninfo[0], "hop_wire");

	for (int i = 0; i < members; i++)
	{
		ledgers[i].conn = connect_to(conninfo[i], NULL);
		command(ledgers[i].conn, "SET telco_ledger.commit_wait = final");
		if (i == 0)
			continue;
		others[i - 1].conn = connect_to(conninfo[i], "hop_wire");
		command(others[i - 1].conn, "LISTEN hop");
	}
	for (int i = 0; i < count; i++)
	{
		int64_t		client_us;
		int64_t		hop_us = hop(source, wire, others, members - 1);
		int64_t		final_us = commit_to_final(ledgers[i % members].conn, ledgers,
											   members, &client_us);

		printf("%lld %lld %lld\n", (long long) hop_us, (long long) final_us,
			   (long long) client_us);
	}
	return 0;
}

/* Until the last of the others has read it. */
static int64_t
hop(PGconn *source, PGconn *wire, Session *others, int count)
{
	struct pollfd waiting[MEMBERS_MAX];
	int			left = count;
	int64_t		begin = now_us();

	command(source, "INSERT INTO hop (content) VALUES (repeat('x', 300))");
	command(wire, "INSERT INTO hop (content) VALUES (repeat('x', 300))");
	for (int i = 0; i < count; i++)
	{
		waiting[i].fd = PQsocket(others[i].conn);
		waiting[i].events = POLLIN;
	}
	while (left > 0)
	{
		if (poll(waiting, count, PATIENCE_US / 1000) <= 0)
			fail("a row did not arrive", others[0].conn);
		for (int i = 0; i < count; i++)
		{
			if (waiting[i].fd < 0 || waiting[i].revents == 0 ||
				!take_arrival(others[i].conn))
				continue;
			waiting[i].fd = -1;
			left--;
		}
	}
	return now_us() - begin;
}

/* Has a row come?  Then it is read, as whoever was notified would. */
static int
take_arrival(PGconn *conn)
{
	PGnotify   *notify;
	int			came = 0;

	if (!PQconsumeInput(conn))
		fail("lost a subscriber", conn);
	while ((notify = PQnotifies(conn)) != NULL)
	{
		PQfreemem(notify);
		came = 1;
	}
	if (came)
		PQclear(query(conn, "SELECT content FROM hop ORDER BY id DESC LIMIT 1", NULL));
	return came;
}

static int64_t
commit_to_final(PGconn *writer, Session *members, int count, int64_t *client_us)
{
	const struct timespec rest = {.tv_nsec = REST_US * INT64_C(1000)};
	int64_t		begin = now_us();
	int64_t		committed;
	int64_t		last = 0;
	char		height[32];
	PGresult   *row = query(writer, insert_row, NULL);
	PGresult   *place;

	*client_us = now_us() - begin;
	place = query(writer, "SELECT ledger.height(ledger_ref), (extract(epoch FROM pg_xact_commit_timestamp(xmin)) * 1000000)::bigint"
				  " FROM cdr WHERE ledger_ref = $1::ledger.ref", PQgetvalue(row, 0, 0));
	snprintf(height, sizeof(height), "%s", PQgetvalue(place, 0, 0));
	committed = atoll(PQgetvalue(place, 0, 1));
	PQclear(row);
	PQclear(place);
	for (int i = 0; i < count; i++)
	{
		int64_t		there = block_at(members[i].conn, height);

		last = there > last ? there : last;
	}
	nanosleep(&rest, NULL);
	return last - committed;
}

/* When this member stored that block; waits until it has. */
static int64_t
block_at(PGconn *conn, const char *height)
{
	const struct timespec pause = {.tv_nsec = 2000000};
	int64_t		begin = now_us();

	while (now_us() < begin + PATIENCE_US)
	{
		PGresult   *result = query(conn, "SELECT (extract(epoch FROM pg_xact_commit_timestamp(xmin)) * 1000000)::bigint"
								   " FROM ledger_internal.block WHERE height = $1::bigint", height);
		int64_t		at = PQntuples(result) == 1 ? atoll(PQgetvalue(result, 0, 0)) : 0;

		PQclear(result);
		if (at > 0)
			return at;
		nanosleep(&pause, NULL);
	}
	fail("a block did not come", conn);
	return 0;
}

static int
run_load(int seconds, int count, char **conninfo)
{
	Session		sessions[MEMBERS_MAX];
	struct pollfd waiting[MEMBERS_MAX + 1];
	int64_t		end;

	for (int i = 0; i < count; i++)
	{
		sessions[i].conn = connect_to(conninfo[i], NULL);
		command(sessions[i].conn, "SET telco_ledger.commit_wait = final");
		sessions[i].open = 1;
		waiting[i].events = POLLIN;
	}
	waiting[count].fd = seconds == 0 ? STDIN_FILENO : -1;
	waiting[count].events = POLLIN;
	end = now_us() + seconds * INT64_C(1000000);
	for (int i = 0; i < count; i++)
		begin_row(&sessions[i]);
	do
	{
		for (int i = 0; i < count; i++)
			waiting[i].fd = sessions[i].open ? PQsocket(sessions[i].conn) : -1;
		if (poll(waiting, count + 1, 100) < 0)
			continue;
		for (int i = 0; i < count; i++)
			if (waiting[i].fd >= 0 && waiting[i].revents != 0)
				on_answer(&sessions[i], i + 1);
	} while (seconds == 0 ? waiting[count].revents == 0 : now_us() < end);
	return 0;
}

static void
begin_row(Session *session)
{
	session->begun_us = now_us();
	if (!PQsendQuery(session->conn, insert_row))
		session->open = 0;
}

/* A session whose server goes away is out. */
static void
on_answer(Session *session, int number)
{
	PGresult   *result;
	int			inserted = 0;

	if (!PQconsumeInput(session->conn))
	{
		session->open = 0;
		return;
	}
	while (!PQisBusy(session->conn))
	{
		result = PQgetResult(session->conn);
		if (result == NULL)
			break;
		inserted |= PQresultStatus(result) == PGRES_TUPLES_OK;
		PQclear(result);
	}
	if (PQstatus(session->conn) != CONNECTION_OK)
		session->open = 0;
	else if (inserted)
	{
		int64_t		now = now_us();

		printf("%d %lld %lld\n", number, (long long) now, (long long) (now - session->begun_us));
		begin_row(session);
	}
}

/* To the database that the string names, or to this other one. */
static PGconn *
connect_to(const char *conninfo, const char *database)
{
	char		text[1024];
	PGconn	   *conn;

	snprintf(text, sizeof(text), "%s%s%s", conninfo, database ? " dbname=" : "",
			 database ? database : "");
	conn = PQconnectdb(text);
	if (PQstatus(conn) != CONNECTION_OK)
		fail("could not connect", conn);
	return conn;
}

static PGresult *
query(PGconn *conn, const char *text, const char *parameter)
{
	PGresult   *result = PQexecParams(conn, text, parameter ? 1 : 0, NULL, &parameter,
									  NULL, NULL, 0);

	if (PQresultStatus(result) != PGRES_TUPLES_OK)
		fail(text, conn);
	return result;
}

static void
command(PGconn *conn, const char *text)
{
	PGresult   *result = PQexec(conn, text);

	if (PQresultStatus(result) != PGRES_COMMAND_OK)
		fail(text, conn);
	PQclear(result);
}

static void
fail(const char *what, PGconn *conn)
{
	fprintf(stderr, "clients: %s: %s\n", what, PQerrorMessage(conn));
	exit(1);
}

static int64_t
now_us(void)
{
	struct timespec now;

	clock_gettime(CLOCK_REALTIME, &now);
	return now.tv_sec * INT64_C(1000000) + now.tv_nsec / 1000;
}
