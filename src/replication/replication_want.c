/*-------------------------------------------------------------------------
 *
 * replication_want.c
 *	  Rows that somebody asks for: TL_ACT_FETCH_BLOCK, _BATCH, _ROW, by digest,
 *	  and TL_ACT_ASK_LAST_SEEN.
 *
 * Each is read by plain SELECT, from the own wire and then from each peer's in
 * turn, in every log, as an honest leader may have come by it from anybody.  It
 * is believed if it is signed and has the digest.  After three rounds of all
 * sources in vain it is forgotten; who still wants it asks again.
 *
 * What a peer has seen of the own log is read in its wire, where all that it
 * keeps is sooner or later (replication_copy.c): the row of this member that
 * arrived there last, and the last one of the present incarnation.  Only one
 * that is signed is an answer.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "lib/stringinfo.h"
#include "port/pg_bswap.h"
#include "utils/memutils.h"
#include "utils/timestamp.h"

#include "replication_wire.h"
#include "tl_compat.h"

#define WANT_TIMEOUT_MS		30000
#define ROUNDS_MAX			3
#define LAST_SEEN_PAUSE_MS	500

typedef struct TlWantQuestion
{
	TlWire	   *wire;
	int			want;
	TlHash		digest;			/* the place may be another's by then */
} TlWantQuestion;

static char *make_query(const TlWire *wire, TlWantKind kind);
static void on_rows(void *context, PGresult *result);
static bool ask_last_seen(TlWire *wire, int source, TimestampTz now);
static void on_last_seen(void *context, PGresult *result);
static bool read_seen(const TlWire *wire, PGresult *result, int place, TlLogRow *out);
static bool is_beyond(const TlWire *wire, const TlLogRow *row);
static void take_reply(TlWire *wire, const TlPeer *peer, const void *data, size_t size);
static bool take(TlWire *wire, const TlWant *want, const void *data, size_t size);

/* Ask for a row.  Once is enough; with too many at once the newest waits. */
void
tl_replication_want(TlWire *wire, TlWantKind kind, const TlHash *digest)
{
	TlWant	   *place = NULL;

	for (int i = 0; i < TL_WANTS_MAX; i++)
	{
		TlWant	   *want = &wire->wants[i];

		if (want->used && want->kind == kind &&
			memcmp(&want->digest, digest, sizeof(TlHash)) == 0)
			return;
		if (!want->used && place == NULL)
			place = want;
	}
	if (place == NULL)
		return;
	memset(place, 0, sizeof(*place));
	place->used = true;
	place->kind = kind;
	place->digest = *digest;
	place->source = -1;
}

/* Ask all peers what they have of the own log, which has that nonce now. */
void
tl_replication_want_last_seen(TlWire *wire, const uint8_t nonce[TL_NONCE_SIZE])
{
	memcpy(wire->own_nonce, nonce, TL_NONCE_SIZE);
	for (int i = 0; i < wire->peer_count; i++)
	{
		wire->peers[i].ask_last_seen = true;
		wire->peers[i].last_seen_due = 0;
	}
}

/* Pass over sources that are not there; when to look again. */
TimestampTz
tl_replication_want_poll(TlWire *wire, TimestampTz now)
{
	TimestampTz wake = DT_NOEND;

	for (int i = 0; i < wire->peer_count; i++)
		if (wire->peers[i].ask_last_seen)
			wake = Min(wake, tl_replication_fetch_wake(wire, i, wire->peers[i].last_seen_due));
	for (int i = 0; i < TL_WANTS_MAX; i++)
	{
		TlWant	   *want = &wire->wants[i];

		if (!want->used)
			continue;
		while (now >= want->due && !tl_replication_fetch_usable(wire, want->source))
			if (tl_replication_fetch_next(wire, &want->source, &want->due, &want->pause_ms) &&
				++want->rounds == ROUNDS_MAX)
			{
				want->used = false;
				break;
			}
		wake = Min(wake, tl_replication_fetch_wake(wire, want->source, want->due));
	}
	return wake;
}

/* This source's connection is idle.  False if it is asked for nothing. */
bool
tl_replication_want_ask(TlWire *wire, int source, TimestampTz now)
{
	if (source >= 0 && wire->peers[source].ask_last_seen && ask_last_seen(wire, source, now))
		return true;
	for (int i = 0; i < TL_WANTS_MAX; i++)
	{
		TlWant	   *want = &wire->wants[i];
		TlParameter parameter = {want->digest.bytes, TL_HASH_SIZE, true};
		TlWantQuestion *question;

		if (!want->used || want->source != source || now < want->due)
			continue;
		question = MemoryContextAlloc(TopMemoryContext, sizeof(*question));
		question->wire = wire;
		question->want = i;
		question->digest = want->digest;
		if (tl_replication_connection_ask(tl_replication_fetch_connection(wire, source),
										  make_query(wire, want->kind), &parameter, 1,
										  WANT_TIMEOUT_MS, on_rows, question))
			return true;
		pfree(question);
		return false;
	}
	return false;
}

static char *
make_query(const TlWire *wire, TlWantKind kind)
{
	/* kinds that the index log_<n>_by_wanted has; a digest of one kind is none of another */
	static const char *const kinds[] = {"3", "1", "9, 10, 11, 12"};
	StringInfoData query;

	initStringInfo(&query);
	appendStringInfoString(&query, "SELECT message FROM (");
	for (int i = 0; i < wire->peer_count; i++)
		appendStringInfo(&query, "%s(SELECT message FROM ledger_wire.log_%u WHERE ledger_wire.wanted_key(message) = $1::bytea"
						 " AND get_byte(message, 61) IN (%s) LIMIT 1)",
						 i > 0 ? " UNION ALL " : "", wire->peers[i].member, kinds[kind]);
	appendStringInfoString(&query, ") AS found LIMIT 2");
	return query.data;
}

static void
on_rows(void *context, PGresult *result)
{
	TlWantQuestion *question = context;
	TlWire	   *wire = question->wire;
	TlWant	   *want = &wire->wants[question->want];
	bool		found = false;

	if (!want->used || memcmp(&want->digest, &question->digest, sizeof(TlHash)) != 0)
	{
		pfree(question);
		return;
	}
	if (result != NULL && tl_replication_result_ok(result) && PQnfields(result) == 1 &&
		PQntuples(result) > 0)
	{
		tl_replication_wire_begin(wire);
		for (int i = 0; i < PQntuples(result) && !found; i++)
			found = take(wire, want, PQgetvalue(result, i, 0), PQgetlength(result, i, 0));
		tl_replication_wire_end(wire);
	}
	if (found)
	{
		want->used = false;
		wire->wants_chunks = true;
	}
	else
	{
		tl_replication_gap_charge(wire, want->source, true);
		if (tl_replication_fetch_next(wire, &want->source, &want->due, &want->pause_ms) &&
			++want->rounds == ROUNDS_MAX)
			want->used = false;
	}
	pfree(question);
}

/* Of whichever member it says it is. */
static bool
take(TlWire *wire, const TlWant *want, const void *data, size_t size)
{
	TlLogRow	row;
	TlPeer	   *peer;

	if (tl_consensus_row_decode(&row, data, size) != TL_OK)
		return false;
	peer = tl_replication_wire_peer(wire, row.member);
	return peer != NULL &&
		tl_replication_store_loose(peer, &wire->chain_id, wire->epoch, data, size, want->kind,
								   &want->digest, &wire->sink);
}

static bool
ask_last_seen(TlWire *wire, int source, TimestampTz now)
{
	TlWantQuestion *question;
	TlPeer	   *peer = &wire->peers[source];
	uint8_t		first[TL_PLACE_SIZE];
	uint8_t		last[TL_PLACE_SIZE];
	uint64_t	epoch = pg_hton64(wire->epoch);
	TlParameter parameters[] = {
		{first, sizeof(first), true}, {last, sizeof(last), true}, {&epoch, sizeof(epoch), true}
	};

	if (now < peer->last_seen_due)
		return false;
	tl_replication_fetch_place(first, wire->own_nonce, 0);
	tl_replication_fetch_place(last, wire->own_nonce, PG_UINT64_MAX);
	peer->last_seen_due = TimestampTzPlusMilliseconds(now, LAST_SEEN_PAUSE_MS);
	question = MemoryContextAllocZero(TopMemoryContext, sizeof(*question));
	question->wire = wire;
	question->want = source;
	if (tl_replication_connection_ask(&peer->wire,
									  psprintf("SELECT l.message, r.message FROM (SELECT 1) AS one LEFT JOIN ("
											   "(SELECT message FROM ledger_wire.log_%1$u ORDER BY arrival DESC LIMIT 1)"
											   " UNION ALL (SELECT message FROM ledger_wire.log_%1$u"
											   " WHERE ledger_wire.row_key(message) BETWEEN $1::bytea AND $2::bytea"
											   " ORDER BY ledger_wire.row_key(message) DESC LIMIT 1)"
	/* bytes 62 to 69 of a row are its epoch */
											   " UNION ALL (SELECT message FROM ledger_wire.log_%1$u"
											   " WHERE ledger_wire.row_key(message) BETWEEN $1::bytea AND $2::bytea"
											   " AND substring(message FROM 63 FOR 8) <= $3::bytea"
											   " ORDER BY ledger_wire.row_key(message) DESC LIMIT 1)) AS l ON true"
											   " LEFT JOIN ledger_wire.reply AS r ON r.member = %1$u",
											   wire->member),
									  parameters, 3, WANT_TIMEOUT_MS, on_last_seen, question))
		return true;
	pfree(question);
	return false;
}

static void
on_last_seen(void *context, PGresult *result)
{
	TlWantQuestion *question = context;
	TlWire	   *wire = question->wire;
	TlPeer	   *peer = &wire->peers[question->want];
	TlLogRow	row;

	tl_replication_gap_charge(wire, question->want, true);
	pfree(question);
	if (result == NULL || !tl_replication_result_ok(result) ||
		PQnfields(result) != 2 || PQntuples(result) == 0)
		return;					/* asked again after a pause */
	if (!PQgetisnull(result, 0, 1))
		take_reply(wire, peer, PQgetvalue(result, 0, 1), PQgetlength(result, 0, 1));
	if (PQgetisnull(result, 0, 0))
	{
		peer->ask_last_seen = false;
		if (wire->sink.last_seen != NULL)
			wire->sink.last_seen(wire->sink.context, peer->member, NULL);
	}
	for (int i = 0; i < PQntuples(result); i++)
		if (read_seen(wire, result, i, &row) && is_beyond(wire, &row))
		{
			if (wire->sink.later != NULL)
				wire->sink.later(wire->sink.context);
			return;				/* the same: no answer that says what is last */
		}
	for (int i = 0; i < PQntuples(result); i++)
		if (read_seen(wire, result, i, &row) &&
			tl_replication_key_verify(&wire->keys, &wire->chain_id, &row))
		{
			peer->ask_last_seen = false;
			if (wire->sink.last_seen != NULL)
				wire->sink.last_seen(wire->sink.context, peer->member, &row);
		}
}

/* An own row, whoever has signed it. */
static bool
read_seen(const TlWire *wire, PGresult *result, int place, TlLogRow *out)
{
	return !PQgetisnull(result, place, 0) &&
		tl_consensus_row_decode(out, PQgetvalue(result, place, 0),
								PQgetlength(result, place, 0)) == TL_OK &&
		out->member == wire->member;
}

/*
 * R30: a row of a later epoch may be by a key that only that epoch tells.  Whoever has
 * made it up delays a start, as one who does not answer.
 */
static bool
is_beyond(const TlWire *wire, const TlLogRow *row)
{
	return row->epoch > wire->epoch &&
		!tl_replication_key_verify(&wire->keys, &wire->chain_id, row);
}

/* What it has answered to a REQUEST, this one or an earlier. */
static void
take_reply(TlWire *wire, const TlPeer *peer, const void *data, size_t size)
{
	TlLogRow	row;

	if (wire->sink.reply != NULL &&
		tl_consensus_row_decode(&row, data, size) == TL_OK &&
		row.kind == TL_LOG_REPLY && row.member == peer->member &&
		tl_replication_key_verify(&peer->keys, &wire->chain_id, &row))
		wire->sink.reply(wire->sink.context, &row);
}
