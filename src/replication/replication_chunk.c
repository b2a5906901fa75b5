/*-------------------------------------------------------------------------
 *
 * replication_chunk.c
 *	  Chunks that stored batches name and that are not here yet.
 *
 * The link to a batch's member brings them into the own wire; they are read there as
 * soon as some have come.  What it has not brought is read in the peers' wires, in the
 * way of replication_fetch.c.  Who is asked at once sends everything twice, so what is
 * large is left for a while to a link that works.  Where no wire has them any more, one
 * member after the other is asked to make them again (replication_body.c).
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

#define LARGE				65536	/* bytes that a batch lacks; one with less may be ordered already (P22) */
#define GRACE_MS_MAX		5000	/* for one batch, while a link brings something */
#define CHUNKS_MAX			64	/* asked for at once, and no further one after TL_WIRE_BYTES_MAX by their header */
#define REBUILT_CHUNKS_MAX	1000	/* as many of them as are made, and no more than 4 MB */
#define REBUILT_TRIES_MAX	3	/* looks at what one member makes again */
#define REBUILT_PAUSE_MS	100

/* Who is asked for whose chunks. */
typedef struct TlChunkQuestion
{
	TlWire	   *wire;
	int			source;
	uint32_t	member;
} TlChunkQuestion;

static TlStatement select_wanted = {
	"SELECT digest, size FROM ledger_internal.wanted_chunk WHERE member = $1"
	" ORDER BY CASE WHEN $2 THEN random() END, incarnation, batch LIMIT $3",
	3, {INT8OID, BOOLOID, INT4OID}
};
static TlStatement select_wanted_batches = {
	"SELECT member, incarnation, batch, size FROM (SELECT DISTINCT ON (member) member, incarnation, batch, sum(size) AS size"
	" FROM ledger_internal.wanted_chunk GROUP BY member, incarnation, batch ORDER BY member, incarnation, batch) AS w"
	" ORDER BY member <= $1, member",
	1, {INT8OID}
};

static bool look(TlWire *wire);
static void rest(TlWire *wire);
static bool take_turn(TlWire *wire, int source, TimestampTz now);
static uint32_t choose_member(TlWire *wire, int source, TimestampTz now);
static TimestampTz comes_until(TlWire *wire, uint64 row, TimestampTz now);
static bool ask(TlWire *wire, int source, uint32_t member, bool looks);
static bool ask_to_make(TlWire *wire, int source, uint32_t member);
static bool send_question(TlWire *wire, TlChunkQuestion *question, bool rebuilt,
						  const TlParameter *digests, TlConnectionDone done);
static void on_arrived(void *context, PGresult *result);
static void on_chunks(void *context, PGresult *result);
static bool next_source(TlWire *wire);
static bool waits_for_rebuilt(TlWire *wire, const TlChunkQuestion *asked, const PGresult *result);
static void begin_round(TlWire *wire);
static void end_round(TlWire *wire);
static int	take(const TlChunkQuestion *asked, PGresult *result);

/* Pass over sources that are not there; when to look again. */
TimestampTz
tl_replication_chunk_poll(TlWire *wire, TimestampTz now)
{
	TimestampTz wake;

	if (!wire->wants_chunks)
		return DT_NOEND;
	while (now >= wire->chunks_due && !tl_replication_fetch_usable(wire, wire->chunk_source) &&
		   !next_source(wire))
		continue;
	wake = tl_replication_fetch_wake(wire, wire->chunk_source, wire->chunks_due);
	for (int i = 0; i < wire->peer_count; i++)
		if (wire->peers[i].bodies_arrived)
			wake = Min(wake, tl_replication_fetch_wake(wire, -1, now));
	return wake;
}

/* Some have come of that peer's; whether they are wanted is to be seen. */
void
tl_replication_chunk_arrived(TlPeer *peer)
{
	peer->bodies_arrived = true;
	peer->bodies_brought = GetCurrentTimestamp();
	peer->bodies_silent = false;
}

/*
 * This source's connection is idle: ask it for chunks of one member's batches, if it is
 * its turn or some have come.  False if it is asked for nothing.
 */
bool
tl_replication_chunk_ask(TlWire *wire, int source, TimestampTz now)
{
	if (!wire->wants_chunks)
		return false;
	return (source < 0 && look(wire)) ||
		(wire->wants_chunks && wire->chunk_source == source && now >= wire->chunks_due &&
		 take_turn(wire, source, now));
}

/* In the own wire, for what has come of itself: that is no turn of it. */
static bool
look(TlWire *wire)
{
	bool		asked = false;
	bool		looked = false;

	for (int i = 0; i < wire->peer_count && !asked; i++)
	{
		TlPeer	   *peer = &wire->peers[i];

		if (!peer->bodies_arrived)
			continue;
		peer->bodies_arrived = false;
		looked = true;
		tl_replication_wire_begin(wire);
		asked = ask(wire, -1, peer->member, true);
		tl_replication_wire_end(wire);
	}
	if (looked && !asked)
		rest(wire);
	return asked;
}

/* What came may have been the last. */
static void
rest(TlWire *wire)
{
	tl_replication_wire_begin(wire);
	(void) choose_member(wire, -1, GetCurrentTimestamp());
	tl_replication_wire_end(wire);
}

static bool
take_turn(TlWire *wire, int source, TimestampTz now)
{
	bool		makes = source >= 0 && wire->asks_rebuilt && wire->body_requests;
	uint32_t	member;
	bool		asked;

	tl_replication_wire_begin(wire);
	member = choose_member(wire, source, now);
	asked = member != 0 && !makes && ask(wire, source, member, false);
	tl_replication_wire_end(wire);
	return asked || (member != 0 && makes && ask_to_make(wire, source, member));
}

/*
 * The next one with a batch that lacks chunks which are not left to the link; 0: none,
 * and it is noted when there may be one.
 */
static uint32_t
choose_member(TlWire *wire, int source, TimestampTz now)
{
	Datum		value = Int64GetDatum((int64) wire->chunk_member);
	uint64		count = tl_chain_execute(&select_wanted_batches, &value, NULL, true);
	TimestampTz due = DT_NOEND;

	wire->wants_chunks = count > 0;
	if (count == 0)
		begin_round(wire);		/* for those that are wanted next */
	for (uint64 i = 0; i < count; i++)
	{
		TimestampTz until = source < 0 ? now : comes_until(wire, i, now);

		if (until <= now)
			return (uint32_t) DatumGetInt64(tl_chain_result(i, 0, NULL));
		due = Min(due, until);
	}
	if (count > 0)
		wire->chunks_due = due;
	return 0;
}

/*
 * Until when that batch is left to the link to its member: its last chunks, too, if it has
 * lacked much.  A link that has brought nothing for a while is waited for no more, until it
 * does: there may be many old batches that it will not bring.
 */
static TimestampTz
comes_until(TlWire *wire, uint64 row, TimestampTz now)
{
	TlPeer	   *peer = tl_replication_wire_peer(wire, (uint32_t) DatumGetInt64(tl_chain_result(row, 0, NULL)));
	uint16_t	incarnation = (uint16_t) DatumGetInt32(tl_chain_result(row, 1, NULL));
	uint64_t	batch = (uint64_t) DatumGetInt64(tl_chain_result(row, 2, NULL));
	int64		lacking = DatumGetInt64(tl_chain_result(row, 3, NULL));
	TimestampTz silent_from;

	if (peer == NULL || wire->links[peer - wire->peers][1].state != TL_LINK_STREAMING ||
		peer->bodies_silent)
		return now;
	if (incarnation != peer->coming_incarnation || batch != peer->coming_batch)
	{
		if (lacking <= LARGE)
			return now;
		peer->coming_incarnation = incarnation;
		peer->coming_batch = batch;
		peer->coming_since = now;
	}
	silent_from = TimestampTzPlusMilliseconds(Max(peer->coming_since, peer->bodies_brought),
											  TL_FETCH_GRACE_MS);
	peer->bodies_silent = now >= silent_from;
	return Min(silent_from, TimestampTzPlusMilliseconds(peer->coming_since, GRACE_MS_MAX));
}

/* In the transaction of the caller.  False if none of that member's is wanted, too. */
static bool
ask(TlWire *wire, int source, uint32_t member, bool looks)
{
	bool		rebuilt = wire->asks_rebuilt && source >= 0;
	Datum		values[] = {
		Int64GetDatum((int64) member),
		BoolGetDatum(wire->chunks_shuffled && !rebuilt),
		Int32GetDatum(rebuilt ? REBUILT_CHUNKS_MAX : CHUNKS_MAX)
	};
	Datum		digests[REBUILT_CHUNKS_MAX];
	uint64		found = tl_chain_execute(&select_wanted, values, NULL, true);
	int			count = 0;
	int64		size = 0;
	ArrayType  *array;
	bytea	   *bytes;
	TlParameter parameter = {NULL, 0, true};
	TlChunkQuestion *question;

	if (found == 0)
		return false;
	for (uint64 i = 0; i < found && (rebuilt || size < TL_WIRE_BYTES_MAX); i++)
	{
		digests[count++] = tl_chain_result(i, 0, NULL);
		size += DatumGetInt32(tl_chain_result(i, 1, NULL));
	}
	array = construct_array(digests, count, BYTEAOID, -1, false, TYPALIGN_INT);
	bytes = OidSendFunctionCall(F_ARRAY_SEND, PointerGetDatum(array));
	parameter.data = VARDATA(bytes);
	parameter.size = VARSIZE(bytes) - VARHDRSZ;
	if (!looks)
		wire->chunk_member = member - 1;
	question = MemoryContextAlloc(TopMemoryContext, sizeof(*question));
	question->wire = wire;
	question->source = source;
	question->member = member;
	if (send_question(wire, question, rebuilt, &parameter, looks ? on_arrived : on_chunks))
		return true;
	pfree(question);
	return false;
}

/* In no transaction. */
static bool
ask_to_make(TlWire *wire, int source, uint32_t member)
{
	if (tl_replication_body_request(wire, source, member))
		return true;
	wire->chunks_due = TimestampTzPlusMilliseconds(GetCurrentTimestamp(),
												   Max(wire->chunk_pause_ms, TL_FETCH_PAUSE_MS_MIN));
	end_round(wire);
	return false;
}

/*
 * In a wire, or made again there, for whom this member has asked.  Of the own wire's
 * reader, which looks up each digest by itself, the question is prepared
 * (replication_arrival.c); another server may prefer to read all chunks, and does so once.
 */
static bool
send_question(TlWire *wire, TlChunkQuestion *question, bool rebuilt,
			  const TlParameter *digests, TlConnectionDone done)
{
	TlConnection *connection = tl_replication_fetch_connection(wire, question->source);
	TlPeer	   *peer = tl_replication_wire_peer(wire, question->member);
	const char *query;

	if (question->source < 0 && peer != NULL && peer->prepared)
		return tl_replication_connection_execute(connection, psprintf(TL_OWN_WIRE_CHUNKS, question->member),
												 digests, 1, TL_FETCH_TIMEOUT_MS, done, question);
	query = rebuilt ?
		TL_BOUNDED_CHUNKS("SELECT chunk, NULL::text AS audience FROM ledger_wire.rebuilt WHERE digest = ANY ($1::bytea[])") :
		psprintf(TL_BOUNDED_CHUNKS("SELECT DISTINCT ON (sha256(chunk)) chunk, audience::text FROM ledger_wire.body_%u"
								   " WHERE sha256(chunk) = ANY ($1::bytea[]) ORDER BY sha256(chunk)"), question->member);
	return tl_replication_connection_ask(connection, query, digests, 1, TL_FETCH_TIMEOUT_MS, done,
										 question);
}

static void
on_arrived(void *context, PGresult *result)
{
	TlChunkQuestion *asked = context;
	TlPeer	   *peer = tl_replication_wire_peer(asked->wire, asked->member);

	/* there may be more of them than are asked for at once */
	if (take(asked, result) > 0 && peer != NULL)
		peer->bodies_arrived = true;
	pfree(asked);
}

static void
on_chunks(void *context, PGresult *result)
{
	TlChunkQuestion *asked = context;
	TlWire	   *wire = asked->wire;

	if (take(asked, result) > 0)
	{
		wire->chunk_pause_ms = TL_FETCH_PAUSE_MS_MIN;
		wire->body_tries = 0;
	}
	else if (!waits_for_rebuilt(wire, asked, result))
	{
		wire->body_tries = 0;
		(void) next_source(wire);
	}
	pfree(asked);
}

/* True after the last one. */
static bool
next_source(TlWire *wire)
{
	if (!tl_replication_fetch_next(wire, &wire->chunk_source, &wire->chunks_due, &wire->chunk_pause_ms))
		return false;
	end_round(wire);
	return true;
}

/* Nothing of it is made again there yet: he is asked, and given some time. */
static bool
waits_for_rebuilt(TlWire *wire, const TlChunkQuestion *asked, const PGresult *result)
{
	if (!wire->asks_rebuilt || asked->source < 0 || result == NULL ||
		!tl_replication_result_ok(result) || wire->body_tries == REBUILT_TRIES_MAX)
		return false;
	wire->body_requests = wire->body_tries == 0;
	if (wire->body_tries > 0)
		wire->chunks_due = TimestampTzPlusMilliseconds(GetCurrentTimestamp(), REBUILT_PAUSE_MS);
	wire->body_tries++;
	return true;
}

/* From the own wire on, and at once. */
static void
begin_round(TlWire *wire)
{
	wire->chunk_source = -1;
	wire->chunks_due = 0;
	wire->chunk_pause_ms = 0;
	wire->chunks_shuffled = false;
	wire->asks_rebuilt = false;
	wire->body_requests = false;
	wire->body_tries = 0;
}

/* All sources were asked in vain: after their wires the members themselves. */
static void
end_round(TlWire *wire)
{
	wire->body_requests = false;
	wire->body_tries = 0;
	wire->chunk_source = -1;
	wire->asks_rebuilt = !wire->asks_rebuilt;
	if (wire->asks_rebuilt)
		return;
	wire->chunks_shuffled = true;
	wire->chunk_member++;		/* others may have theirs */
}

/* How many were wanted. */
static int
take(const TlChunkQuestion *asked, PGresult *result)
{
	TlWire	   *wire = asked->wire;
	int			kept = 0;

	if (result != NULL && tl_replication_result_ok(result) && PQnfields(result) == 2 &&
		PQntuples(result) > 0)
	{
		tl_replication_wire_begin(wire);
		for (int i = 0; i < PQntuples(result); i++)
		{
			const char *data = PQgetvalue(result, i, 0);
			int			size = PQgetlength(result, i, 0);

			if (!tl_replication_store_chunk(data, size, &wire->sink))
				continue;
			kept++;
			if (asked->source >= 0)
				tl_replication_copy_later(wire, asked->member, data, size,
										  PQgetisnull(result, i, 1) ? NULL :
										  PQgetvalue(result, i, 1));
		}
		tl_replication_wire_end(wire);
	}
	if (kept == 0)
		tl_replication_gap_charge(wire, asked->source, true);
	return kept;
}
