/*-------------------------------------------------------------------------
 *
 * replication_request.c
 *	  What goes to one member, and the own log as others have it.
 *
 * A REQUEST is put into the wire of the member who is asked.  He leaves his REPLY
 * in his own, in ledger_wire.reply, one row for each asker; it is read with what
 * he has seen last of the own log (replication_want.c).  REPLY rows come from
 * ledger_internal.reply_given, and are put there anew whenever a connection to
 * the own wire begins.
 *
 * Questions for blocks (replication_offer.c) and for a state (replication_piece.c) go the
 * same way; their answers stand in tables that have one for each asker.
 *
 * Requests are taken out of the own wire and handed on; one that is lost then is
 * asked again.  Only what is signed by a member counts.
 *
 * While a rejoin is under way all wires are asked for rows of the own log beyond
 * the newest one here, and for the REJOIN rows in it.  What they have dropped of it is
 * passed over as in the logs of others (replication_gap.c).
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/fmgroids.h"
#include "utils/memutils.h"
#include "utils/timestamp.h"

#include "chain_statement.h"
#include "replication_wire.h"
#include "tl_compat.h"

#define REQUEST_TIMEOUT_MS	30000
#define REQUESTS_MAX		16		/* taken at once */
#define OWN_PAUSE_MS		500
#define OWN_PAUSE_POOR_MS	10000	/* for one without credit */

/* What one answer has of the own log behind the row that it was asked from. */
typedef struct OwnPage
{
	uint64_t	next;			/* the last row of those that follow without a gap, */
	size_t		next_size;		/* and how large these are */
	uint64_t	shown;			/* the highest one */
	int64_t		useful;			/* rows that are not there twice */
	size_t		useful_size;
} OwnPage;

static TlStatement select_replies = {
	"SELECT array_agg(member ORDER BY member), array_agg(message ORDER BY member)"
	" FROM ledger_internal.reply_given"
};

static void on_shown(void *context, PGresult *result);
static void on_put(void *context, PGresult *result);
static bool take_requests(TlWire *wire);
static void on_requests(void *context, PGresult *result);
static void take_request(TlWire *wire, const void *data, size_t size);
static bool put_replies(TlWire *wire);
static TlParameter array_parameter(Datum array);
static void on_replies(void *context, PGresult *result);
static bool ask_own(TlWire *wire, int source, TimestampTz now);
static uint64_t *own_asked(TlWire *wire, int source);
static void on_own(void *context, PGresult *result);
static void miss_own(TlWire *wire);
static void take_own(TlWire *wire, int source, const PGresult *result);
static void note_own(OwnPage *page, uint64_t sequence, int size);
static bool read_own(const TlWire *wire, const PGresult *result, int place, TlLogRow *out);

/* Put a row into that member's wire; it takes the place of one that waits. */
void
tl_replication_request_send(TlWire *wire, uint32_t member, const void *data, size_t size)
{
	for (int i = 0; i < wire->peer_count; i++)
	{
		TlPeer	   *peer = &wire->peers[i];

		if (peer->member != member)
			continue;
		if (peer->request != NULL)
			pfree(peer->request);
		peer->request = MemoryContextAlloc(TopMemoryContext, size);
		memcpy(peer->request, data, size);
		peer->request_size = size;
		peer->request_sent = false;
	}
}

/* A row of ledger_internal.reply_given has been committed. */
void
tl_replication_request_replied(TlWire *wire)
{
	wire->replies_due = true;
}

/* Ask all wires for the own log beyond that row. */
void
tl_replication_request_take_back(TlWire *wire, const uint8_t nonce[TL_NONCE_SIZE],
								 uint64_t sequence)
{
	wire->takes_back = true;
	if (memcmp(wire->back_nonce, nonce, TL_NONCE_SIZE) != 0 && wire->own_gap != NULL)
		memset(wire->own_gap, 0, sizeof(*wire->own_gap));
	memcpy(wire->back_nonce, nonce, TL_NONCE_SIZE);
	wire->back_sequence = sequence;
	tl_replication_gap_moved(wire->own_gap, sequence);
	wire->own_asked = 0;
	for (int i = 0; i < wire->peer_count; i++)
		wire->peers[i].own_asked = 0;
}

/* When there is something to do. */
TimestampTz
tl_replication_request_due(const TlWire *wire)
{
	TimestampTz due = wire->takes_back ? wire->own_due : DT_NOEND;

	for (int i = 0; i < wire->peer_count && wire->takes_back; i++)
		if (wire->peers[i].wire.state == TL_CONNECTION_IDLE)
			due = Min(due, wire->peers[i].own_due);
	return due;
}

/* This source's connection is idle.  False if it is asked for nothing. */
bool
tl_replication_request_ask(TlWire *wire, int source, TimestampTz now)
{
	if (source >= 0 && wire->peers[source].request != NULL)
	{
		TlPeer	   *peer = &wire->peers[source];

		peer->request_sent = tl_replication_request_put(wire, source, on_put, peer->request, peer->request_size);
		return peer->request_sent;
	}
	if (source < 0 && wire->requests_arrived)
		return take_requests(wire);
	if (source < 0 && wire->replies_due)
		return put_replies(wire);
	if (source < 0 ? tl_replication_offer_show(wire, now) : tl_replication_offer_take(wire, source, now))
		return true;
	if (source < 0 ? tl_replication_piece_show(wire, now) : tl_replication_piece_take(wire, source, now))
		return true;
	return wire->takes_back && ask_own(wire, source, now);
}

/* A message for that peer, whose connection is idle; false if it cannot be sent now. */
bool
tl_replication_request_put(TlWire *wire, int source, TlConnectionDone done,
						   const void *message, size_t size)
{
	TlParameter parameter = {message, (int) size, true};

	return tl_replication_request_question(wire, source, done,
										   "INSERT INTO ledger_wire.request (message) VALUES ($1::bytea)",
										   &parameter, 1);
}

/* The callback is handed a TlAsked, and frees it. */
bool
tl_replication_request_question(TlWire *wire, int source, TlConnectionDone done,
								const char *query, const TlParameter *parameters, int count)
{
	TlAsked    *asked = MemoryContextAlloc(TopMemoryContext, sizeof(TlAsked));

	asked->wire = wire;
	asked->source = source;
	if (tl_replication_connection_ask(tl_replication_fetch_connection(wire, source), query,
									  parameters, count, REQUEST_TIMEOUT_MS, done, asked))
		return true;
	pfree(asked);
	return false;
}

/* The answer to a question, in a table of answers of the own wire, whose connection is idle. */
bool
tl_replication_request_show(TlWire *wire, const char *table, uint32_t member, const uint8_t *question,
							size_t question_size, TlSpan answer)
{
	uint64_t	number = pg_hton64(member);
	TlParameter parameters[] = {
		{&number, sizeof(number), true}, {question, (int) question_size, true}, {answer.data, (int) answer.size, true}
	};

	return tl_replication_connection_ask(&wire->reader,
										 psprintf("WITH old AS (DELETE FROM ledger_wire.%1$s WHERE member <> $1::bigint"
												  " AND made_at < now() - interval '%2$d minutes')"
												  " INSERT INTO ledger_wire.%1$s (member, question, message) VALUES ($1::bigint, $2::bytea, $3::bytea)"
												  " ON CONFLICT (member) DO UPDATE SET question = excluded.question,"
												  " message = excluded.message, made_at = excluded.made_at",
												  table, TL_SHOWN_MINUTES),
										 parameters, lengthof(parameters), REQUEST_TIMEOUT_MS, on_shown, wire);
}

/* If it failed, who asks will ask again. */
static void
on_shown(void *context, PGresult *result)
{
	TlWire	   *wire = context;

	if (result == NULL || !tl_replication_result_ok(result))
		wire->repair_due = 0;
}

/* Has that peer answered, in at most so many bytes? */
bool
tl_replication_request_look(TlWire *wire, int source, TlConnectionDone done, const char *table,
							const uint8_t *question, size_t question_size, size_t size_max)
{
	uint64_t	number = pg_hton64(wire->member);
	TlParameter parameters[] = {{&number, sizeof(number), true}, {question, (int) question_size, true}};

	return tl_replication_request_question(wire, source, done,
										   psprintf("SELECT message FROM ledger_wire.%s WHERE member = $1::bigint AND question = $2::bytea"
													" AND octet_length(message) <= %zu", table, size_max),
										   parameters, lengthof(parameters));
}

/* One that was refused is forgotten: the core asks again.  One whose connection was lost is put again. */
static void
on_put(void *context, PGresult *result)
{
	TlAsked    *asked = context;
	TlPeer	   *peer = &asked->wire->peers[asked->source];

	pfree(asked);
	if (!peer->request_sent)
		return;					/* another one has taken its place */
	peer->request_sent = false;
	if (result == NULL)
		return;
	pfree(peer->request);
	peer->request = NULL;
}

static bool
take_requests(TlWire *wire)
{
	wire->requests_arrived = false;
	return tl_replication_connection_ask(&wire->reader,
										 psprintf("DELETE FROM ledger_wire.request WHERE arrival IN"
												  " (SELECT arrival FROM ledger_wire.request ORDER BY arrival LIMIT %d)"
												  " RETURNING message, sender", REQUESTS_MAX),
										 NULL, 0, REQUEST_TIMEOUT_MS, on_requests, wire);
}

static void
on_requests(void *context, PGresult *result)
{
	TlWire	   *wire = context;

	if (result == NULL || PQresultStatus(result) != PGRES_TUPLES_OK ||
		PQnfields(result) != 2)
		return;
	for (int i = 0; i < PQntuples(result); i++)
	{
		const char *data = PQgetvalue(result, i, 0);
		int			size = PQgetlength(result, i, 0);

		if (tl_replication_body_is_asked(data, size))
			tl_replication_body_asked(wire, data, size);
		else if (tl_replication_offer_is_asked(data, size))
			tl_replication_offer_asked(wire, PQgetvalue(result, i, 1), data);
		else if (tl_replication_piece_is_asked(data, size))
			tl_replication_piece_asked(wire, PQgetvalue(result, i, 1), data);
		else
			take_request(wire, data, size);
	}
	wire->requests_arrived = PQntuples(result) == REQUESTS_MAX;
}

static void
take_request(TlWire *wire, const void *data, size_t size)
{
	TlLogRow	row;

	if (wire->sink.request == NULL ||
		tl_consensus_row_decode(&row, data, size) != TL_OK ||
		row.kind != TL_LOG_REQUEST)
		return;
	for (int i = 0; i < wire->peer_count; i++)
		if (wire->peers[i].member == row.member &&
			tl_replication_key_verify(&wire->peers[i].keys, &wire->chain_id, &row))
			wire->sink.request(wire->sink.context, &row);
}

static bool
put_replies(TlWire *wire)
{
	TlParameter parameters[2];
	bool		is_null;
	bool		sent = false;

	wire->replies_due = false;
	tl_replication_wire_begin(wire);
	tl_chain_execute(&select_replies, NULL, NULL, true);
	(void) tl_chain_result(0, 0, &is_null);
	if (!is_null)
	{
		parameters[0] = array_parameter(tl_chain_result(0, 0, NULL));
		parameters[1] = array_parameter(tl_chain_result(0, 1, NULL));
		sent = tl_replication_connection_ask(&wire->reader,
											 "INSERT INTO ledger_wire.reply AS r (member, message)"
											 " SELECT * FROM unnest($1::bigint[], $2::bytea[])"
											 " ON CONFLICT (member) DO UPDATE SET message = excluded.message"
											 " WHERE r.message <> excluded.message",
											 parameters, 2, REQUEST_TIMEOUT_MS, on_replies, wire);
	}
	tl_replication_wire_end(wire);
	return sent;
}

static TlParameter
array_parameter(Datum array)
{
	bytea	   *bytes = OidSendFunctionCall(F_ARRAY_SEND, array);
	TlParameter parameter = {VARDATA(bytes), VARSIZE(bytes) - VARHDRSZ, true};

	return parameter;
}

static void
on_replies(void *context, PGresult *result)
{
	TlWire	   *wire = context;

	if (result != NULL && tl_replication_result_ok(result))
		return;
	wire->replies_due = true;
	wire->repair_due = 0;
	if (result != NULL)
		tl_replication_connection_close(&wire->reader, PQresultErrorField(result, PG_DIAG_MESSAGE_PRIMARY));
}

/* Behind which row that source was asked; 0: its answer is of use no more. */
static uint64_t *
own_asked(TlWire *wire, int source)
{
	return source < 0 ? &wire->own_asked : &wire->peers[source].own_asked;
}

/* The own log as this wire has it: what follows the newest own row, and REJOIN rows. */
static bool
ask_own(TlWire *wire, int source, TimestampTz now)
{
	TimestampTz *due = source < 0 ? &wire->own_due : &wire->peers[source].own_due;
	uint8_t		after[TL_PLACE_SIZE];
	uint8_t		last[TL_PLACE_SIZE];
	TlParameter parameters[] = {
		{after, sizeof(after), true}, {last, sizeof(last), true}
	};

	if (now < *due)
		return false;
	*due = TimestampTzPlusMilliseconds(now, tl_replication_gap_has_credit(wire, source) ?
									   OWN_PAUSE_MS : OWN_PAUSE_POOR_MS);
	*own_asked(wire, source) = wire->back_sequence;
	tl_replication_fetch_place(after, wire->back_nonce, wire->back_sequence);
	tl_replication_fetch_place(last, wire->back_nonce, PG_UINT64_MAX);
	return tl_replication_request_question(wire, source, on_own,
										   psprintf("SELECT message, (SELECT f.seq FROM ledger_wire.forgotten AS f"
													" WHERE f.member = %1$u AND f.nonce = substring($1::bytea FOR 16))"
													" FROM (SELECT message, sum(octet_length(message))"
													" OVER (ORDER BY ledger_wire.row_key(message), arrival) AS total"
													" FROM (SELECT message, arrival FROM ledger_wire.log_%1$u"
													" WHERE ledger_wire.row_key(message) > $1::bytea AND ledger_wire.row_key(message) <= $2::bytea"
													" ORDER BY ledger_wire.row_key(message), arrival LIMIT " CppAsString2(TL_WIRE_ROWS_MAX) ") AS next) AS counted"
													" WHERE total - octet_length(message) < " CppAsString2(TL_WIRE_BYTES_MAX)
													" UNION ALL (SELECT message, NULL FROM ledger_wire.log_%1$u"
													" WHERE get_byte(message, 61) BETWEEN 9 AND 12 AND get_byte(message, 61) = 11"
													" ORDER BY arrival LIMIT 64)", wire->member),
										   parameters, 2);
}

static void
on_own(void *context, PGresult *result)
{
	TlAsked    *asked = context;
	TlWire	   *wire = asked->wire;
	int			source = asked->source;

	pfree(asked);
	tl_replication_gap_charge(wire, source, true);
	if (wire->sink.own == NULL || !wire->takes_back)
		return;
	if (result != NULL && tl_replication_result_ok(result) && PQnfields(result) == 2)
		take_own(wire, source, result);
	else
		(void) tl_replication_gap_answer(wire, wire->own_gap, wire->back_sequence, source, NULL);
	if (source < 0)
		miss_own(wire);
}

/* Those that cannot be asked, each time that the own wire was. */
static void
miss_own(TlWire *wire)
{
	for (int i = 0; i < wire->peer_count; i++)
		if (!tl_replication_fetch_usable(wire, i))
			(void) tl_replication_gap_answer(wire, wire->own_gap, wire->back_sequence, i, NULL);
}

/*
 * What stands behind an answer that was cut is asked for once the log has got there.  Such a
 * page lets one go on no further than it shows, and if that is little, it costs.  So does a
 * page of which few rows are next, if others have dropped them: they begin the round anew.
 */
static void
take_own(TlWire *wire, int source, const PGresult *result)
{
	TlGapAnswer answer = {.until = PG_UINT64_MAX};
	uint64_t	base = *own_asked(wire, source);
	OwnPage		page = {.next = base,.shown = base};
	TlLogRow	row;

	if (base > 0)
		tl_replication_gap_begin(&wire->own_gap, -1, base);
	for (int i = 0; i < PQntuples(result); i++)
	{
		if (!read_own(wire, result, i, &row))
			continue;
		if (memcmp(row.nonce, wire->back_nonce, TL_NONCE_SIZE) == 0 && row.sequence > base)
		{
			note_own(&page, row.sequence, PQgetlength(result, i, 0));
			tl_replication_gap_show(wire->own_gap, base, row.sequence);
		}
		wire->sink.own(wire->sink.context, &row);
	}
	if (base == 0)
		return;
	if (page.next > base && tl_replication_gap_is_few((int64_t) (page.next - base), page.next_size) &&
		tl_replication_gap_is_gone(wire->own_gap, page.next))
		tl_replication_gap_charge_few(wire, source);
	answer.dropped = tl_replication_gap_dropped(result, 1);
	if (tl_replication_gap_is_cut(result))
	{
		if (tl_replication_gap_is_few(page.useful, page.useful_size))
			tl_replication_gap_charge_page(wire, source);
		if (tl_replication_gap_has_credit(wire, source))
			answer.until = page.shown;
	}
	(void) tl_replication_gap_answer(wire, wire->own_gap, base, source, &answer);
}

static void
note_own(OwnPage *page, uint64_t sequence, int size)
{
	if (sequence == page->next + 1)
	{
		page->next++;
		page->next_size += size;
	}
	if (sequence > page->shown)
	{
		page->useful++;
		page->useful_size += size;
		page->shown = sequence;
	}
}

static bool
read_own(const TlWire *wire, const PGresult *result, int place, TlLogRow *out)
{
	return tl_consensus_row_decode(out, (const uint8_t *) PQgetvalue(result, place, 0),
								   PQgetlength(result, place, 0)) == TL_OK &&
		out->member == wire->member &&
		tl_replication_key_verify(&wire->keys, &wire->chain_id, out);
}
