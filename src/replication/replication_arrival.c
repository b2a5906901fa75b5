/*-------------------------------------------------------------------------
 *
 * replication_arrival.c
 *	  Reads what has arrived in the own wire.
 *
 * The wire's triggers number each row that arrives, whatever the publisher
 * says, and notify; the number up to which a log has been read is committed
 * with what was kept of it, so that nothing is left out after a crash.  That is
 * done once in a while, and when all of many have been read: up to
 * UNNOTED_ROWS_MAX rows may be read twice, which are known then, and none that
 * was refused.  Numbers are those of one wire: of one that was made anew,
 * everything is read.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "port/pg_bswap.h"
#include "utils/guc.h"
#include "utils/timestamp.h"

#include "replication_wire.h"
#include "tl_compat.h"

#define READ_TIMEOUT_MS		60000

/* Rows that may be read once more after a crash, if all of them were well. */
#define UNNOTED_ROWS_MAX	64

/* Of one log in one question: a further row only if those before are smaller. */
#define READ_ROWS_MAX		256
#define READ_BYTES_MAX		4194304

/* Mostly there are few and small ones, which nobody has to count. */
#define FEW_ROWS			8
#define FEW_ROW_SIZE_MAX	65536

static void take_notifications(TlWire *wire);
static void on_listening(void *context, PGresult *result);
static void on_prepared(void *context, PGresult *result);
static void ask_identity(TlWire *wire);
static void on_identity(void *context, PGresult *result);
static void ask_arrivals(TlWire *wire);
static void prepare(TlWire *wire, TlPeer *peer);
static void on_few_prepared(void *context, PGresult *result);
static void ask_few(TlWire *wire, const TlPeer *peer);
static void ask_many(TlWire *wire, const TlPeer *peer);
static bool has_large(const PGresult *result);
static bool there_are_more(const PGresult *result, bool counted);
static void on_arrivals(void *context, PGresult *result);
static void commit_without_flush(void);
static void note_taken(TlPeer *peer, const char *data, size_t size);

void
tl_replication_arrival_poll(TlWire *wire, TimestampTz now)
{
	TlConnection *reader = &wire->reader;

	tl_replication_connection_poll(reader, now);
	if (tl_replication_connection_take_fresh(reader))
	{
		wire->identified = false;
		for (int i = 0; i < wire->peer_count; i++)
			wire->peers[i].prepared = false;
		tl_replication_connection_ask(reader, "LISTEN ledger_wire", NULL, 0,
									  READ_TIMEOUT_MS, on_listening, wire);
	}
	if (reader->state != TL_CONNECTION_CLOSED && reader->state != TL_CONNECTION_STARTING)
		take_notifications(wire);
	if (reader->state != TL_CONNECTION_IDLE)
		return;
	if (!wire->identified)
		ask_identity(wire);
	else
		ask_arrivals(wire);
	if (reader->state == TL_CONNECTION_IDLE)
		tl_replication_fetch_from(wire, -1);
}

/* Payload: the table's name. */
static void
take_notifications(TlWire *wire)
{
	PGnotify   *notify;

	while ((notify = PQnotifies(wire->reader.conn)) != NULL)
	{
		unsigned	member;
		TlPeer	   *peer;

		if (sscanf(notify->extra, "log_%u", &member) == 1)
		{
			if ((peer = tl_replication_wire_peer(wire, member)) != NULL)
				peer->arrived = true;
		}
		else if (sscanf(notify->extra, "body_%u", &member) == 1)
		{
			if ((peer = tl_replication_wire_peer(wire, member)) != NULL)
				tl_replication_chunk_arrived(peer);
		}
		else if (strcmp(notify->extra, "request") == 0)
			wire->requests_arrived = true;
		PQfreemem(notify);
	}
}

static void
on_listening(void *context, PGresult *result)
{
	TlWire	   *wire = context;

	if (result != NULL && !tl_replication_result_ok(result))
		tl_replication_connection_close(&wire->reader, PQresultErrorField(result, PG_DIAG_MESSAGE_PRIMARY));
	else if (result != NULL)
		tl_replication_connection_plan_once(&wire->reader, READ_TIMEOUT_MS, on_prepared, wire);
}

/* What was asked for has no answer but that it was done. */
static void
on_prepared(void *context, PGresult *result)
{
	TlWire	   *wire = context;

	if (result == NULL || tl_replication_result_ok(result))
		return;
	wire->repair_due = 0;
	tl_replication_connection_close(&wire->reader, PQresultErrorField(result, PG_DIAG_MESSAGE_PRIMARY));
}

static void
ask_identity(TlWire *wire)
{
	tl_replication_connection_ask(&wire->reader,
								  "SELECT wire FROM ledger_wire.identity",
								  NULL, 0, READ_TIMEOUT_MS, on_identity, wire);
}

static void
on_identity(void *context, PGresult *result)
{
	TlWire	   *wire = context;

	if (result == NULL)
		return;
	if (!tl_replication_result_ok(result) || PQntuples(result) != 1 ||
		PQgetlength(result, 0, 0) != sizeof(wire->wire_id))
	{
		wire->repair_due = 0;
		tl_replication_connection_close(&wire->reader, "no identity yet");
		return;
	}
	memcpy(wire->wire_id, PQgetvalue(result, 0, 0), sizeof(wire->wire_id));
	wire->identified = true;
	wire->requests_arrived = true;
	wire->replies_due = true;
	wire->own_trimmed = 0;
	wire->trim_member = TL_TRIM_RESTS;
	wire->trim_due = 0;
	tl_replication_wire_begin(wire);
	for (int i = 0; i < wire->peer_count; i++)
		tl_replication_store_load_logs(&wire->peers[i], wire->wire_id);
	tl_replication_wire_end(wire);
}

/* In turns, so that one peer's flood does not hold up the others. */
static void
ask_arrivals(TlWire *wire)
{
	for (int turn = 0; turn < wire->peer_count; turn++)
	{
		TlPeer	   *peer;

		wire->reading = (wire->reading + 1) % wire->peer_count;
		peer = &wire->peers[wire->reading];
		if (!peer->arrived)
			continue;
		if (!peer->prepared)
		{
			prepare(wire, peer);
			return;
		}
		peer->arrived = false;
		if (peer->many)
			ask_many(wire, peer);
		else
			ask_few(wire, peer);
		return;
	}
}

/*
 * Once for each connection: to plan them costs more than to run them.  In place of a row
 * that is not small there is NULL.
 */
static void
prepare(TlWire *wire, TlPeer *peer)
{
	peer->prepared = true;		/* or the connection is closed */
	tl_replication_connection_ask(&wire->reader,
								  psprintf("PREPARE few_%u(bigint) AS"
										   " SELECT CASE WHEN octet_length(message) <= %d THEN message END, arrival"
										   " FROM ledger_wire.log_%u WHERE arrival > $1 ORDER BY arrival LIMIT %d",
										   peer->member, FEW_ROW_SIZE_MAX, peer->member, FEW_ROWS),
								  NULL, 0, READ_TIMEOUT_MS, on_few_prepared, wire);
}

/* One chunk for each digest, by the index: none is hashed again. */
static void
on_few_prepared(void *context, PGresult *result)
{
	TlWire	   *wire = context;
	uint32_t	member = wire->peers[wire->reading].member;

	if (result == NULL || !tl_replication_result_ok(result))
		on_prepared(wire, result);
	else
		tl_replication_connection_ask(&wire->reader,
									  psprintf("PREPARE " TL_OWN_WIRE_CHUNKS "(bytea[]) AS "
											   TL_BOUNDED_CHUNKS("SELECT b.chunk, b.audience::text FROM unnest($1) AS d (digest),"
																 " LATERAL (SELECT chunk, audience FROM ledger_wire.body_%u"
																 " WHERE sha256(chunk) = d.digest LIMIT 1) AS b"), member, member),
									  NULL, 0, READ_TIMEOUT_MS, on_prepared, wire);
}

static void
ask_few(TlWire *wire, const TlPeer *peer)
{
	uint64		after = pg_hton64((uint64) peer->arrival);
	TlParameter parameter = {&after, sizeof(after), true};

	tl_replication_connection_execute(&wire->reader, psprintf("few_%u", peer->member), &parameter, 1,
									  READ_TIMEOUT_MS, on_arrivals, wire);
}

static void
ask_many(TlWire *wire, const TlPeer *peer)
{
	tl_replication_connection_ask(&wire->reader,
								  psprintf("SELECT message, arrival FROM ("
										   "SELECT message, arrival, sum(octet_length(message)) OVER (ORDER BY arrival) AS total"
										   " FROM (SELECT message, arrival FROM ledger_wire.log_%u"
										   " WHERE arrival > %lld ORDER BY arrival LIMIT %d) AS next) AS counted"
										   " WHERE total - octet_length(message) < %d ORDER BY arrival",
										   peer->member, (long long) peer->arrival, READ_ROWS_MAX, READ_BYTES_MAX),
								  NULL, 0, READ_TIMEOUT_MS, on_arrivals, wire);
}

static bool
has_large(const PGresult *result)
{
	for (int i = 0; i < PQntuples(result); i++)
		if (PQgetisnull(result, i, 0))
			return true;
	return false;
}

static void
on_arrivals(void *context, PGresult *result)
{
	TlWire	   *wire = context;
	TlPeer	   *peer = &wire->peers[wire->reading];
	bool		was_many;
	int			count;
	uint64_t	last;

	if (result == NULL)
	{
		peer->arrived = true;
		return;
	}
	if (!tl_replication_result_ok(result) || PQnfields(result) != 2)
	{
		peer->arrived = true;
		wire->repair_due = 0;
		tl_replication_connection_close(&wire->reader,
										PQresultErrorField(result, PG_DIAG_MESSAGE_PRIMARY));
		return;
	}
	if (!peer->many && has_large(result))
	{
		peer->many = peer->arrived = true;
		return;
	}
	count = PQntuples(result);
	if (count == 0 && !peer->many)
		return;
	tl_replication_wire_begin(wire);
	commit_without_flush();
	tl_replication_arrival_take(wire, peer, result, false, true);
	if (count > 0)
	{
		memcpy(&last, PQgetvalue(result, count - 1, 1), sizeof(last));
		peer->arrival = (int64_t) pg_ntoh64(last);
	}
	peer->unnoted += count;
	was_many = peer->many;
	peer->many = there_are_more(result, was_many);
	if (peer->unnoted >= UNNOTED_ROWS_MAX || (was_many && !peer->many))
	{
		tl_replication_store_position(peer->member, wire->wire_id, peer->arrival);
		peer->unnoted = 0;
	}
	tl_replication_wire_end(wire);
	peer->arrived |= peer->many;
}

/* A row that came later is told of, or was while this answer came. */
static bool
there_are_more(const PGresult *result, bool counted)
{
	int64_t		size = 0;

	for (int i = 0; i < PQntuples(result); i++)
		size += PQgetlength(result, i, 0);
	return PQntuples(result) == (counted ? READ_ROWS_MAX : FEW_ROWS) || size >= READ_BYTES_MAX;
}

/*
 * What a crash takes of this transaction is read from the wire once more.  What
 * this member signs on the strength of it is flushed, and what was written before
 * that with it.
 */
static void
commit_without_flush(void)
{
	(void) set_config_option("synchronous_commit", "off", PGC_SUSET, PGC_S_SESSION,
							 GUC_ACTION_LOCAL, true, 0, false);
}

/*
 * Rows of one peer's log, in a transaction.  What somebody showed us on our
 * question and is refused is counted and not kept, or a liar would fill the
 * ring by the same row again and again.  What a question has brought is noted at each log.
 */
void
tl_replication_arrival_take(TlWire *wire, TlPeer *peer, PGresult *result,
							bool fetched, bool in_own_wire)
{
	TlLinkStatus *status = &wire->status[peer - wire->peers];
	uint64_t	before[TL_PEER_LOGS_MAX] = {0};
	int			batches = 0;

	for (int i = 0; i < peer->log_count; i++)
		before[i] = peer->logs[i].sequence;
	for (int i = 0; i < PQntuples(result); i++)
	{
		const char *data = PQgetvalue(result, i, 0);
		size_t		size = PQgetlength(result, i, 0);
		const char *reason;

		switch (tl_replication_store_row(peer, &wire->chain_id, wire->epoch, data, size,
										 &reason, &wire->sink))
		{
			case TL_ROW_KEPT:
				if (fetched)
					note_taken(peer, data, size);
				batches += ((const uint8_t *) data)[TL_LOG_ROW_KIND_OFFSET] == TL_LOG_BATCH;
				status->rows++;
				status->fetched += fetched;
				status->last_row_at = GetCurrentTimestamp();
				break;
			case TL_ROW_KNOWN:
				status->duplicates++;
				break;
			case TL_ROW_REFUSED:
				status->quarantined++;
				peer->unnoted = UNNOTED_ROWS_MAX;	/* it is written down once */
				if (!fetched)
					tl_replication_store_refused(peer->member, reason, data, size);
				break;
			case TL_ROW_CONTRADICTS:
				peer->unnoted = UNNOTED_ROWS_MAX;
				break;
			case TL_ROW_AHEAD:
				break;
		}
	}
	for (int i = 0; i < peer->log_count && in_own_wire; i++)
		if (peer->logs[i].copied == before[i])
			peer->logs[i].copied = peer->logs[i].sequence;
	if (batches > 0)
	{
		wire->wants_chunks = true;
		peer->bodies_arrived = true;	/* they may have been here first */
	}
}

/* This one is kept, in its log. */
static void
note_taken(TlPeer *peer, const char *data, size_t size)
{
	for (int i = 0; i < peer->log_count; i++)
	{
		if (memcmp(peer->logs[i].nonce, data + TL_WIRE_PLACE_OFFSET, TL_NONCE_SIZE) != 0)
			continue;
		peer->logs[i].taken++;
		peer->logs[i].taken_size += size;
		break;
	}
}
