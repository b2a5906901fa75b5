/*-------------------------------------------------------------------------
 *
 * replication_send.c
 *	  From the own log and the own bodies to the own wire.
 *
 * What the wire already has is asked of the wire, each time that a connection
 * to it begins, and kept nowhere: it may have been lost and made anew, and an
 * answer may have been lost after the rows were there.  So a row is sent at
 * least once, in order, and always the bytes that own_log has (W5 below).
 *
 * Invariants
 *	  W5  what is sent was committed, and flushed, in own_log or own_body before
 *	  W6  log rows leave in order of incarnation and sequence; none that own_log
 *		  has is left out
 *	  W7  a wire that shows a row of this member, validly signed, which own_log
 *		  lacks and has not dropped stops the sending: this database was rolled back,
 *		  or a copy signs
 *
 * Votes and bodies have a connection each, so that votes do not wait.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/detoast.h"
#include "access/xlog.h"
#include "catalog/pg_type.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/fmgroids.h"
#include "utils/timestamp.h"

#include "chain_statement.h"
#include "replication_forget.h"
#include "replication_wire.h"
#include "tl_compat.h"

/* How many of the wire's newest rows are compared with the own log. */
#define COMPARED_MAX		16

#define SEND_TIMEOUT_MS		60000

/* The name of what puts rows into the wire. */
#define SEND				"send_rows"

static TlStatement select_place = {
	"SELECT l.incarnation, l.seq FROM generate_series(0, (SELECT max(incarnation) FROM ledger_internal.own_log)) AS i"
	" JOIN ledger_internal.own_log AS l ON l.incarnation = i AND l.seq = $1 WHERE l.message = $2",
	2, {INT8OID, BYTEAOID}
};
static TlStatement select_ended = {
	"SELECT FROM ledger_internal.own_log WHERE seq = 1 AND substring(message FROM 6 FOR 16) = $1"
	" AND incarnation IN (SELECT generate_series(0, (SELECT max(incarnation) - 1 FROM ledger_internal.own_log)))",
	1, {BYTEAOID}
};
static TlStatement select_body_place = {
	"SELECT 0, position FROM ledger_internal.own_body WHERE digest = $1",
	1, {BYTEAOID}
};

/* Of both, which have no more than TL_WIRE_BYTES_MAX in one read. */
#define CONTENT_COLUMN		2
#define AUDIENCE_COLUMN		3

static TlStatement select_rows = {
	"SELECT incarnation, seq, message, NULL::text FROM ledger_internal.own_log"
	" WHERE (incarnation, seq) > ($1, $2) ORDER BY incarnation, seq LIMIT " CppAsString2(TL_WIRE_ROWS_MAX),
	2, {INT4OID, INT8OID}
};
static TlStatement select_bodies = {
	"SELECT 0, position, chunk, audience::text FROM ledger_internal.own_body"
	" WHERE $1 = 0 AND position > $2 ORDER BY position LIMIT " CppAsString2(TL_WIRE_ROWS_MAX),
	2, {INT4OID, INT8OID}
};

static void prepare(TlSender *sender);
static void on_planning_set(void *context, PGresult *result);
static void on_prepared(void *context, PGresult *result);
static void ask_place(TlSender *sender);
static void on_place(void *context, PGresult *result);
static bool find_place(TlSender *sender, const void *data, int size);
static bool find_dropped(TlSender *sender, const TlLogRow *row);
static bool is_own_row(const TlWire *wire, const void *data, int size, TlLogRow *out);
static bool is_ended(const TlLogRow *row);
static void send_next(TlSender *sender);
static void on_sent(void *context, PGresult *result);
static void fail(TlSender *sender, const PGresult *result);

void
tl_replication_send_init(TlSender *sender, TlWire *wire, bool bodies)
{
	memset(sender, 0, sizeof(*sender));
	sender->wire = wire;
	sender->bodies = bodies;
	tl_replication_connection_init(&sender->connection,
								   bodies ? "wire for bodies" : "wire for the log",
								   true, 64 * 1024 * 1024);
}

void
tl_replication_send_poll(TlSender *sender, TimestampTz now)
{
	TlConnection *connection = &sender->connection;

	tl_replication_connection_poll(connection, now);
	if (tl_replication_connection_take_fresh(connection))
		sender->positioned = sender->prepared = false;
	if (connection->state != TL_CONNECTION_IDLE)
		return;
	if (!sender->prepared)
		prepare(sender);
	else if (!sender->positioned)
		ask_place(sender);
	else if (!sender->caught_up && (sender->bodies || !sender->wire->holds))
		send_next(sender);
}

/* Once for each connection: to plan it costs as much as to run it. */
static void
prepare(TlSender *sender)
{
	sender->prepared = true;	/* or the connection is closed */
	tl_replication_connection_plan_once(&sender->connection, SEND_TIMEOUT_MS, on_planning_set, sender);
}

/*
 * A function in the list of SELECT gives its rows one by one, in their order; in FROM
 * they would go through a file first.
 */
static void
on_planning_set(void *context, PGresult *result)
{
	TlSender   *sender = context;
	uint32_t	member = sender->wire->member;

	if (result == NULL || !tl_replication_result_ok(result))
		fail(sender, result);
	else
		tl_replication_connection_ask(&sender->connection, sender->bodies ?
									  psprintf("PREPARE " SEND " (bytea[], text[]) AS INSERT INTO ledger_wire.body_%u (chunk, audience)"
											   " SELECT c, a::bigint[] FROM (SELECT unnest($1), unnest($2)) AS u (c, a)", member) :
									  psprintf("PREPARE " SEND " (bytea[]) AS INSERT INTO ledger_wire.log_%u (message)"
											   " SELECT unnest($1)", member),
									  NULL, 0, SEND_TIMEOUT_MS, on_prepared, sender);
}

static void
on_prepared(void *context, PGresult *result)
{
	if (result == NULL || !tl_replication_result_ok(result))
		fail(context, result);
}

static void
ask_place(TlSender *sender)
{
	const char *kind = sender->bodies ? "body" : "log";
	const char *content = sender->bodies ? "sha256(chunk)" : "message";

	tl_replication_connection_ask(&sender->connection,
								  psprintf("SELECT %s FROM ledger_wire.%s_%u ORDER BY arrival DESC LIMIT %d",
										   content, kind, sender->wire->member, COMPARED_MAX),
								  NULL, 0, SEND_TIMEOUT_MS, on_place, sender);
}

/* The newest row of the wire that is ours is where it goes on. */
static void
on_place(void *context, PGresult *result)
{
	TlSender   *sender = context;
	TlWire	   *wire = sender->wire;

	if (result == NULL || !tl_replication_result_ok(result))
	{
		fail(sender, result);
		return;
	}
	sender->incarnation = 0;
	sender->position = 0;
	sender->positioned = true;
	sender->caught_up = false;
	tl_replication_wire_begin(wire);
	for (int i = 0; i < PQntuples(result); i++)
	{
		const char *data = PQgetvalue(result, i, 0);
		int			size = PQgetlength(result, i, 0);
		TlLogRow	row;

		if (find_place(sender, data, size))
			break;
		if (sender->bodies || !is_own_row(wire, data, size, &row))
			continue;
		if (find_dropped(sender, &row))
			break;
		if (!is_ended(&row))
		{
			sender->positioned = false; /* W7 */
			snprintf(wire->own_status.reason, sizeof(wire->own_status.reason),
					 "the wire has row %llu of this member, which its own log lacks",
					 (unsigned long long) row.sequence);
			ereport(WARNING,
					errmsg("this database lacks row %llu that its member has signed",
						   (unsigned long long) row.sequence),
					errdetail("Its wire shows the row. Nothing is sent any more."),
					errhint("The database was restored to an older point, or a copy of it signs."));
			break;
		}
	}
	tl_replication_wire_end(wire);
	if (!sender->positioned)
		tl_replication_connection_close(&sender->connection, "rolled back");
}

static bool
find_place(TlSender *sender, const void *data, int size)
{
	TlLogRow	row;
	Datum		values[2];
	TlStatement *statement = &select_body_place;

	if (sender->bodies)
		values[0] = tl_chain_bytes(data, size);
	else
	{
		if (tl_consensus_row_decode(&row, data, size) != TL_OK ||
			row.sequence > PG_INT64_MAX)
			return false;
		statement = &select_place;
		values[0] = Int64GetDatum((int64) row.sequence);
		values[1] = tl_chain_bytes(data, size);
	}
	if (tl_chain_execute(statement, values, NULL, true) == 0)
		return false;
	sender->incarnation = DatumGetInt32(tl_chain_result(0, 0, NULL));
	sender->position = DatumGetInt64(tl_chain_result(0, 1, NULL));
	return true;
}

/* A row that own_log has dropped: what it has behind that place goes next. */
static bool
find_dropped(TlSender *sender, const TlLogRow *row)
{
	if (!tl_replication_forget_lacks_own(row, &sender->incarnation))
		return false;
	sender->position = (int64_t) row->sequence;
	return true;
}

static bool
is_own_row(const TlWire *wire, const void *data, int size, TlLogRow *out)
{
	/* of a later epoch the key may not be known; nobody else writes into this wire */
	return tl_consensus_row_decode(out, data, size) == TL_OK && out->member == wire->member &&
		out->sequence <= PG_INT64_MAX &&
		(out->epoch > wire->epoch ||
		 tl_replication_key_verify(&wire->keys, &wire->chain_id, out));
}

/*
 * Of an incarnation that a REJOIN of the own log has ended: what is lost of it stays so.
 * That goes for rows of a later epoch than the REJOIN's, too: or it could never leave (R31).
 */
static bool
is_ended(const TlLogRow *row)
{
	Datum		value = tl_chain_bytes(row->nonce, TL_NONCE_SIZE);

	return tl_chain_execute(&select_ended, &value, NULL, true) > 0;
}

static void
send_next(TlSender *sender)
{
	TlWire	   *wire = sender->wire;
	Datum		values[] = {
		Int32GetDatum(sender->incarnation), Int64GetDatum(sender->position)
	};
	TlParameter parameters[2];
	uint64		count;

	tl_replication_wire_begin(wire);
	count = tl_chain_execute_until(sender->bodies ? &select_bodies : &select_rows, values, true,
								   CONTENT_COLUMN, TL_WIRE_BYTES_MAX);
	sender->caught_up = count < TL_WIRE_ROWS_MAX;	/* until it is told of more */
	if (count > 0)
	{
		Datum	   *contents = palloc(sizeof(Datum) * count);
		Datum	   *audiences = palloc(sizeof(Datum) * count);
		bool	   *nulls = palloc(sizeof(bool) * count);
		size_t		size = 0;

		for (uint64 i = 0; i < count; i++)
		{
			contents[i] = tl_chain_result(i, CONTENT_COLUMN, NULL);
			audiences[i] = tl_chain_result(i, AUDIENCE_COLUMN, &nulls[i]);
			size += toast_raw_datum_size(contents[i]) - VARHDRSZ;
		}
		sender->caught_up &= size < TL_WIRE_BYTES_MAX;
		sender->sending_incarnation = DatumGetInt32(tl_chain_result(count - 1, 0, NULL));
		sender->sending_position = DatumGetInt64(tl_chain_result(count - 1, 1, NULL));
		parameters[0] = tl_replication_send_array(contents, NULL, (int) count, BYTEAOID);
		parameters[1] = tl_replication_send_array(audiences, nulls, (int) count, TEXTOID);
		tl_replication_connection_execute(&sender->connection, SEND, parameters,
										  sender->bodies ? 2 : 1,
										  SEND_TIMEOUT_MS, on_sent, sender);
	}
	tl_replication_wire_end(wire);
}

/* An array, to be sent. */
TlParameter
tl_replication_send_array(Datum *elements, bool *nulls, int count, Oid type)
{
	int			lower = 1;
	ArrayType  *array = construct_md_array(elements, nulls, 1, &count, &lower,
										   type, -1, false, TYPALIGN_INT);
	bytea	   *bytes = OidSendFunctionCall(F_ARRAY_SEND, PointerGetDatum(array));
	TlParameter parameter = {VARDATA(bytes), VARSIZE(bytes) - VARHDRSZ, true};

	return parameter;
}

static void
on_sent(void *context, PGresult *result)
{
	TlSender   *sender = context;

	if (result == NULL || !tl_replication_result_ok(result))
	{
		fail(sender, result);
		return;
	}
	if (!sender->positioned)
		return;					/* the wire is asked again */
	sender->incarnation = sender->sending_incarnation;
	sender->position = sender->sending_position;
}

/* Ask again where the wire stands, after a pause. */
static void
fail(TlSender *sender, const PGresult *result)
{
	sender->positioned = false;
	sender->wire->repair_due = 0;
	if (result != NULL)
		tl_replication_connection_close(&sender->connection,
										PQresultErrorField(result, PG_DIAG_MESSAGE_PRIMARY));
}
