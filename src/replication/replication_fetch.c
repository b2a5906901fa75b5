/*-------------------------------------------------------------------------
 *
 * replication_fetch.c
 *	  What is missing is read from any wire that has it.
 *
 * Replication may lose, delay and withhold; this does not trust it to do
 * anything else.  A gap in a log, the lost end of one, a body that a batch
 * names (replication_chunk.c): each is asked for by plain SELECT, first in the own
 * wire, where it may have arrived out of order, then in each peer's in turn.  After a
 * round of all sources in vain there is a pause that doubles.
 *
 * Nothing that comes is believed: it takes the way of every arrival
 * (replication_store.c), and its size and time are bounded by the connection.
 * That somebody has more of a log is a claim, and forgotten after a round in
 * vain; who tells the truth will say it again.
 *
 * Wires drop old rows: where no wire has the next one of a log any more, it goes on
 * with a later one (replication_gap.c).
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "port/pg_bswap.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/fmgroids.h"
#include "utils/memutils.h"
#include "utils/timestamp.h"

#include "chain_statement.h"
#include "replication_wire.h"
#include "tl_compat.h"

#define HEADS_PERIOD_MS		2000	/* while the link to a peer works */
#define HEADS_PERIOD_FETCH_MS	100	/* while there is nothing but fetch */
#define SILENT_MS			30000	/* after rows that the link did not bring */
#define PAUSE_MS_MAX		60000
#define PAUSE_GAP_MS_MAX	15000	/* while a gap waits for answers */
#define BEHIND_MS			2000	/* that a row may be on its way */
#define PASSED_MAX			256 /* answers of one wire without a row to keep */
#define HEADS_MAX			1024	/* of one wire, part of a SQL text */

/* What a connection is asked for. */
typedef struct TlQuestion
{
	TlWire	   *wire;
	int			source;
	int			peer;			/* whose log */
	uint8_t		nonce[TL_NONCE_SIZE];
} TlQuestion;

static TimestampTz poll_logs(TlWire *wire, TlPeer *peer, TimestampTz now);
static int	heads_period_ms(const TlWire *wire, int source);
static bool link_brings(const TlWire *wire, int peer);
static void prepare_heads(TlWire *wire, int source);
static void on_heads_prepared(void *context, PGresult *result);
static void ask_heads(TlWire *wire, int source);
static void on_heads(void *context, PGresult *result);
static void learn_head(TlWire *wire, int source, uint32_t member, const uint8_t *place);
static bool ask_gap(TlWire *wire, int source, TimestampTz now);
static bool ask_rows(TlWire *wire, int source, int peer, TlPeerLog *log, const uint8_t *last);
static bool pass_over(TlWire *wire, TlPeerLog *log, PGresult *result);
static bool next_source(TlWire *wire, TlPeerLog *log, const TlGapAnswer *answer);
static bool next_turn(TlWire *wire, TlPeerLog *log);
static void read_rows(const TlQuestion *asked, PGresult *result, TlGapAnswer *answer);
static void go_on(const TlQuestion *asked, TlPeerLog *log);
static void on_gap(void *context, PGresult *result);
static bool ask(TlWire *wire, int source, int peer, const uint8_t *nonce, const char *query,
				const TlParameter *parameters, int count, TlConnectionDone done);

/* Returns when there is something to do again, if nothing happens. */
TimestampTz
tl_replication_fetch_poll(TlWire *wire, TimestampTz now)
{
	TimestampTz wake = TimestampTzPlusMilliseconds(now, HEADS_PERIOD_MS);

	for (int i = 0; i < wire->peer_count; i++)
	{
		TlPeer	   *peer = &wire->peers[i];

		tl_replication_connection_poll(&peer->wire, now);
		if (tl_replication_connection_take_fresh(&peer->wire))
		{
			peer->heads_due = 0;
			peer->heads_prepared = false;
		}
		if (peer->wire.state == TL_CONNECTION_IDLE)
			tl_replication_fetch_from(wire, i);
		wake = Min(wake, tl_replication_fetch_wake(wire, i, peer->heads_due));
	}
	for (int i = 0; i < wire->peer_count; i++)
		wake = Min(wake, poll_logs(wire, &wire->peers[i], now));
	wake = Min(wake, tl_replication_chunk_poll(wire, now));
	wake = Min(wake, tl_replication_want_poll(wire, now));
	wake = Min(wake, tl_replication_request_due(wire));
	wake = Min(wake, tl_replication_offer_due(wire));
	wake = Min(wake, tl_replication_piece_poll(wire, now));
	return Max(wake, TimestampTzPlusMilliseconds(now, 10));
}

/* Pass over sources that are not there. */
static TimestampTz
poll_logs(TlWire *wire, TlPeer *peer, TimestampTz now)
{
	TimestampTz wake = DT_NOEND;

	for (int j = 0; j < peer->log_count; j++)
	{
		TlPeerLog  *log = &peer->logs[j];

		if (log->known <= log->sequence)
			continue;
		while (now >= log->due && !tl_replication_fetch_usable(wire, log->source))
		{
			if (next_source(wire, log, NULL))
				break;
		}
		if (!peer->arrived)		/* what arrives of itself is read first */
			wake = Min(wake, tl_replication_fetch_wake(wire, log->source, log->due));
	}
	return wake;
}

/*
 * Note since when logs do not go on.  True if somebody has shown or claimed the next
 * row of one a while ago, and it did not come.  Claims are forgotten, and told again.
 */
bool
tl_replication_fetch_watch(TlWire *wire, TimestampTz now)
{
	bool		behind = false;

	for (int i = 0; i < wire->peer_count; i++)
		for (int j = 0; j < wire->peers[i].log_count; j++)
		{
			TlPeerLog  *log = &wire->peers[i].logs[j];

			if (log->behind != log->sequence)
				log->behind_since = 0;
			log->behind = log->sequence;
			if (log->behind_since == 0 && log->known > log->sequence)
				log->behind_since = now;
			behind |= log->behind_since != 0 &&
				now >= TimestampTzPlusMilliseconds(log->behind_since, BEHIND_MS);
		}
	return behind;
}

/* This source's connection is idle: ask it for what it may have. */
void
tl_replication_fetch_from(TlWire *wire, int source)
{
	TimestampTz now = GetCurrentTimestamp();

	if (!wire->identified)
		return;					/* nothing of what is kept has been read yet */
	if ((source >= 0 && tl_replication_link_ask(wire, source)) ||
		tl_replication_request_ask(wire, source, now) ||
		tl_replication_want_ask(wire, source, now) ||
		ask_gap(wire, source, now) || tl_replication_chunk_ask(wire, source, now))
		return;
	if (source < 0 || now < wire->peers[source].heads_due)
		return;
	if (wire->peers[source].heads_prepared)
		ask_heads(wire, source);
	else
		prepare_heads(wire, source);
}

static int
heads_period_ms(const TlWire *wire, int source)
{
	return link_brings(wire, source) ? HEADS_PERIOD_MS : HEADS_PERIOD_FETCH_MS;
}

/* One that streams may be silent: its publisher was restored to older WAL. */
static bool
link_brings(const TlWire *wire, int peer)
{
	return wire->links[peer][0].state == TL_LINK_STREAMING &&
		GetCurrentTimestamp() > wire->peers[peer].silent_until;
}

/* Once for each connection: to plan it costs ten times what it costs to run. */
static void
prepare_heads(TlWire *wire, int source)
{
	wire->peers[source].heads_prepared = true;	/* or the connection is closed */
	(void) ask(wire, source, source, NULL,
			   "PREPARE heads AS SELECT member, key FROM ledger_wire.head LIMIT " CppAsString2(HEADS_MAX),
			   NULL, 0, on_heads_prepared);
}

static void
on_heads_prepared(void *context, PGresult *result)
{
	TlQuestion *asked = context;

	if (result != NULL && !tl_replication_result_ok(result))
		tl_replication_connection_close(&asked->wire->peers[asked->source].wire,
										"does not tell its heads");
	pfree(asked);
}

static void
ask_heads(TlWire *wire, int source)
{
	TlPeer	   *peer = &wire->peers[source];

	peer->heads_due = TimestampTzPlusMilliseconds(GetCurrentTimestamp(), heads_period_ms(wire, source));
	(void) ask(wire, source, source, NULL,
			   "EXECUTE heads", NULL, 0, on_heads);
}

static void
on_heads(void *context, PGresult *result)
{
	TlQuestion *asked = context;
	TlWire	   *wire = asked->wire;
	TlPeer	   *peer = &wire->peers[asked->source];

	tl_replication_gap_charge(wire, asked->source, true);
	if (result != NULL && tl_replication_result_ok(result) && PQnfields(result) == 2)
	{
		wire->status[asked->source].last_answer_at = GetCurrentTimestamp();
		tl_replication_gap_regain(wire, asked->source);
		for (int i = 0; i < PQntuples(result); i++)
		{
			uint64_t	member;

			if (PQgetlength(result, i, 0) != sizeof(member) ||
				PQgetlength(result, i, 1) != TL_PLACE_SIZE)
				continue;
			memcpy(&member, PQgetvalue(result, i, 0), sizeof(member));
			member = pg_ntoh64(member);
			if (member <= PG_UINT32_MAX)
				learn_head(wire, asked->source, (uint32_t) member,
						   (const uint8_t *) PQgetvalue(result, i, 1));
		}
	}
	else if (result != NULL)
		tl_replication_connection_close(&peer->wire, "does not tell its heads");
	pfree(asked);
}

/*
 * Of an incarnation that is not known here nobody is believed but its member, and
 * he of one at a time: a nonce without a row proves nothing, and places are few.
 */
static void
learn_head(TlWire *wire, int source, uint32_t member, const uint8_t *place)
{
	TlPeer	   *author = &wire->peers[source];
	TlPeerLog  *place_of_none = NULL;
	bool		found = member != author->member;
	uint64_t	sequence;

	memcpy(&sequence, place + TL_NONCE_SIZE, sizeof(sequence));
	sequence = pg_ntoh64(sequence);
	for (int i = 0; i < wire->peer_count; i++)
		for (int j = 0; wire->peers[i].member == member && j < wire->peers[i].log_count; j++)
		{
			TlPeerLog  *log = &wire->peers[i].logs[j];

			log->known = Max(log->known, log->end);
			if (memcmp(log->nonce, place, TL_NONCE_SIZE) != 0 || sequence > PG_INT64_MAX)
				continue;
			if (log->known <= log->sequence && link_brings(wire, i))
				log->due = TimestampTzPlusMilliseconds(GetCurrentTimestamp(), TL_FETCH_GRACE_MS);
			log->known = Max(log->known, sequence);
			found = true;
		}
	for (int j = 1; j < author->log_count; j++)
		if (author->logs[j].sequence == 0)
			place_of_none = &author->logs[j];
	if (!found && sequence <= PG_INT64_MAX &&
		(place_of_none != NULL || author->log_count < TL_PEER_LOGS_MAX))
	{
		TlPeerLog  *log = place_of_none != NULL ? place_of_none : &author->logs[author->log_count++];

		memset(log, 0, sizeof(*log));
		memcpy(log->nonce, place, TL_NONCE_SIZE);
		log->source = -1;
		log->known = sequence;
	}
}

/* The next rows of a log that is known to go on. */
static bool
ask_gap(TlWire *wire, int source, TimestampTz now)
{
	for (int i = 0; i < wire->peer_count; i++)
	{
		TlPeer	   *peer = &wire->peers[i];

		for (int j = 0; j < peer->log_count; j++)
		{
			TlPeerLog  *log = &peer->logs[j];
			uint8_t		last[TL_PLACE_SIZE];

			/* what arrives of itself is read first */
			if (log->known <= log->sequence || log->source != source ||
				now < log->due || peer->arrived)
				continue;
			if (log->passed_count == 0 || log->passed_base != log->sequence)
			{
				log->passed_count = 0;
				log->passed_size = TL_PLACE_SIZE;
				tl_replication_fetch_place(log->passed, log->nonce, log->sequence);
				log->passed_arrival = PG_INT64_MAX;
			}
			log->until = log->known;
			tl_replication_fetch_place(last, log->nonce, log->until);
			return ask_rows(wire, source, i, log, last);
		}
	}
	return false;
}

static bool
ask_rows(TlWire *wire, int source, int peer, TlPeerLog *log, const uint8_t *last)
{
	int64_t		arrival = (int64_t) pg_hton64((uint64_t) log->passed_arrival);
	TlParameter parameters[] = {
		{log->passed, log->passed_size, true},
		{&arrival, sizeof(arrival), true},
		{last, TL_PLACE_SIZE, true}
	};

	return ask(wire, source, peer, log->nonce,
			   psprintf("SELECT message, arrival, (SELECT f.seq FROM ledger_wire.forgotten AS f"
						" WHERE f.member = %1$u AND f.nonce = substring($1::bytea FOR 16))"
						" FROM (SELECT message, arrival, sum(octet_length(message))"
						" OVER (ORDER BY ledger_wire.row_key(message), arrival) AS total"
						" FROM (SELECT message, arrival FROM ledger_wire.log_%1$u"
						" WHERE (ledger_wire.row_key(message), arrival) > ($1::bytea, $2::bigint)"
						" AND ledger_wire.row_key(message) <= $3::bytea"
						" ORDER BY ledger_wire.row_key(message), arrival LIMIT " CppAsString2(TL_WIRE_ROWS_MAX) ") AS next) AS counted"
						" WHERE total - octet_length(message) < " CppAsString2(TL_WIRE_BYTES_MAX)
						" ORDER BY ledger_wire.row_key(message), arrival",
						wire->peers[peer].member),
			   parameters, 3, on_gap);
}

/* Bytes that sort as ledger_wire.row_key(message) does. */
void
tl_replication_fetch_place(uint8_t *out, const uint8_t nonce[TL_NONCE_SIZE], uint64_t sequence)
{
	sequence = pg_hton64(sequence);
	memcpy(out, nonce, TL_NONCE_SIZE);
	memcpy(out + TL_NONCE_SIZE, &sequence, sizeof(sequence));
}

static void
on_gap(void *context, PGresult *result)
{
	TlQuestion *asked = context;
	TlWire	   *wire = asked->wire;
	TlPeer	   *peer = &wire->peers[asked->peer];
	TlGapAnswer answer = {0};
	bool		answered = result != NULL && tl_replication_result_ok(result) && PQnfields(result) == 3;

	if (answered)
		read_rows(asked, result, &answer);
	for (int j = 0; j < peer->log_count; j++)
	{
		TlPeerLog  *log = &peer->logs[j];

		if (memcmp(log->nonce, asked->nonce, TL_NONCE_SIZE) != 0)
			continue;
		if (answered && log->taken > 0)
		{
			go_on(asked, log);
			continue;
		}
		tl_replication_gap_charge(wire, asked->source, log->passed_count == 0);
		if (answered && pass_over(wire, log, result))
			continue;
		if (next_source(wire, log, answered ? &answer : NULL) &&
			!tl_replication_gap_waits(log->gap, log->sequence))
			log->known = log->sequence; /* a claim that nobody makes good */
	}
	pfree(asked);
}

static void
read_rows(const TlQuestion *asked, PGresult *result, TlGapAnswer *answer)
{
	TlWire	   *wire = asked->wire;
	TlPeer	   *peer = &wire->peers[asked->peer];

	answer->dropped = tl_replication_gap_dropped(result, 2);
	for (int j = 0; j < peer->log_count; j++)
	{
		TlPeerLog  *log = &peer->logs[j];

		if (memcmp(log->nonce, asked->nonce, TL_NONCE_SIZE) != 0)
			continue;
		answer->until = log->until;
		log->taken = 0;
		log->taken_size = 0;
		tl_replication_gap_begin(&log->gap, asked->peer, log->sequence);
	}
	if (PQntuples(result) > 0)
	{
		tl_replication_wire_begin(wire);
		tl_replication_arrival_take(wire, peer, result, true, asked->source < 0);
		tl_replication_wire_end(wire);
	}
}

/*
 * The answer has brought rows of that log.  If they are few and others have dropped them, it
 * costs, as row by row it could hold up what is behind them; and if there should be more, others
 * are asked, so that it is known what they have dropped.
 */
static void
go_on(const TlQuestion *asked, TlPeerLog *log)
{
	TlWire	   *wire = asked->wire;
	bool		few = tl_replication_gap_is_few(log->taken, log->taken_size);

	log->passed_count = 0;
	log->pause_ms = TL_FETCH_PAUSE_MS_MIN;
	if (asked->source == asked->peer)
		wire->peers[asked->peer].silent_until = TimestampTzPlusMilliseconds(GetCurrentTimestamp(), SILENT_MS);
	if (few && tl_replication_gap_is_gone(log->gap, log->sequence))
		tl_replication_gap_charge_few(wire, asked->source);
	if ((few && log->sequence < log->until) ||
		!tl_replication_gap_is_prompt(wire, asked->source) ||
		!tl_replication_gap_has_credit(wire, asked->source))
		(void) next_turn(wire, log);
}

/* This one has no row that is next, or cannot be asked.  True after the last one. */
static bool
next_source(TlWire *wire, TlPeerLog *log, const TlGapAnswer *answer)
{
	log->passed_count = 0;
	if (tl_replication_gap_answer(wire, log->gap, log->sequence, log->source, answer))
	{
		log->source = -1;
		log->due = 0;
		log->pause_ms = TL_FETCH_PAUSE_MS_MIN;
		return false;
	}
	if (tl_replication_gap_waits(log->gap, log->sequence))
		log->pause_ms = Min(log->pause_ms, PAUSE_GAP_MS_MAX);
	if (!next_turn(wire, log))
		return false;
	tl_replication_gap_turned(log->gap, log->sequence);
	return true;
}

/* Those without credit are left out.  True after the last one. */
static bool
next_turn(TlWire *wire, TlPeerLog *log)
{
	do
	{
		if (tl_replication_fetch_next(wire, &log->source, &log->due, &log->pause_ms))
			return true;
	} while (tl_replication_gap_skips(wire, log->gap, log->sequence, log->source));
	return false;
}

/*
 * Nothing of this could be kept.  Is there more behind it, in the same wire, that may be
 * of use: as the place that is next is full of what is none, or to know what
 * follows a gap?  False if that was asked often enough: a row behind so much is hidden.
 */
static bool
pass_over(TlWire *wire, TlPeerLog *log, PGresult *result)
{
	int			row = PQntuples(result) - 1;
	int			size = row < 0 ? 0 : Min(PQgetlength(result, row, 0) - TL_WIRE_PLACE_OFFSET, TL_PLACE_SIZE);
	uint8_t		last[TL_PLACE_SIZE] = {0};
	uint8_t		next[TL_PLACE_SIZE];
	uint64_t	sequence;

	if (size < TL_NONCE_SIZE || log->passed_count == PASSED_MAX ||
		PQgetlength(result, row, 1) != sizeof(log->passed_arrival) ||
		tl_replication_gap_skips(wire, log->gap, log->sequence, log->source))
		return false;
	memcpy(last, PQgetvalue(result, row, 0) + TL_WIRE_PLACE_OFFSET, size);
	memcpy(&sequence, last + TL_NONCE_SIZE, sizeof(sequence));
	tl_replication_fetch_place(next, log->nonce, log->sequence + 1);
	if (memcmp(last, next, sizeof(next)) != 0 &&
		!(tl_replication_gap_is_cut(result) &&
		  tl_replication_gap_continues(log->gap, log->sequence, pg_ntoh64(sequence))))
		return false;
	log->passed_count++;
	log->passed_base = log->sequence;
	log->passed_size = size;
	memcpy(log->passed, last, sizeof(last));
	memcpy(&log->passed_arrival, PQgetvalue(result, row, 1), sizeof(log->passed_arrival));
	log->passed_arrival = (int64_t) pg_ntoh64((uint64_t) log->passed_arrival);
	return true;
}

/* Own wire, then the peers in turn; after the last a pause, and true. */
bool
tl_replication_fetch_next(TlWire *wire, int *source, TimestampTz *due, int *pause_ms)
{
	if (++*source < wire->peer_count)
		return false;
	*source = -1;
	*pause_ms = Max(*pause_ms, TL_FETCH_PAUSE_MS_MIN);
	*due = TimestampTzPlusMilliseconds(GetCurrentTimestamp(), *pause_ms);
	*pause_ms = Min(*pause_ms * 2, PAUSE_MS_MAX);
	return true;
}

bool
tl_replication_fetch_usable(TlWire *wire, int source)
{
	const TlConnection *connection = tl_replication_fetch_connection(wire, source);

	return connection->state == TL_CONNECTION_IDLE ||
		connection->state == TL_CONNECTION_BUSY;
}

/*
 * When to come again to ask that source.  Never of itself, if it cannot be asked
 * then: what is awaited sets the latch or makes a socket ready.
 */
TimestampTz
tl_replication_fetch_wake(TlWire *wire, int source, TimestampTz due)
{
	const TlConnection *connection = tl_replication_fetch_connection(wire, source);

	return wire->identified && connection->state == TL_CONNECTION_IDLE ? due : DT_NOEND;
}

TlConnection *
tl_replication_fetch_connection(TlWire *wire, int source)
{
	return source < 0 ? &wire->reader : &wire->peers[source].wire;
}

/* False if it cannot be asked now. */
static bool
ask(TlWire *wire, int source, int peer, const uint8_t *nonce, const char *query,
	const TlParameter *parameters, int count, TlConnectionDone done)
{
	TlQuestion *asked = MemoryContextAllocZero(TopMemoryContext, sizeof(TlQuestion));

	asked->wire = wire;
	asked->source = source;
	asked->peer = peer;
	if (nonce != NULL)
		memcpy(asked->nonce, nonce, TL_NONCE_SIZE);
	if (tl_replication_connection_ask(tl_replication_fetch_connection(wire, source),
									  query, parameters, count, TL_FETCH_TIMEOUT_MS,
									  done, asked))
		return true;
	pfree(asked);
	return false;
}
