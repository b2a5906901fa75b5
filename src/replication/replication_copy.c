/*-------------------------------------------------------------------------
 *
 * replication_copy.c
 *	  Rows and bodies that were fetched are put into the own wire too.
 *
 * A member that starts asks the wires of the others which of its rows they
 * store (R30 of src/consensus/README.md), and others ask them for rows and
 * bodies that they lack; who has just come may reach no other wire.  What came by
 * replication is there.  What was fetched from a peer's wire, because a link was
 * down or had to be moved past something, is not: it is copied there from
 * peer_log and peer_body.  A body keeps the audience with which it was found.
 *
 * Invariant
 *	  W8  the newest row kept of each log is in the own wire, or is put there
 *		  next: also after a crash, and in a wire that was made anew
 *
 * They leave by the connection for bodies, as votes shall not wait.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/timestamp.h"

#include "chain_statement.h"
#include "replication_wire.h"
#include "tl_compat.h"

#define COPY_TIMEOUT_MS		60000
#define RETRY_MS			5000

static TlStatement select_rows = {
	"SELECT seq, message FROM ledger_internal.peer_log"
	" WHERE member = $1 AND nonce = $2 AND seq > $3 ORDER BY seq LIMIT " CppAsString2(TL_WIRE_ROWS_MAX),
	3, {INT8OID, BYTEAOID, INT8OID}
};

/* An audience is what a peer's server calls one. */
static TlStatement insert_fetched = {
	"INSERT INTO ledger_internal.fetched_body (digest, member, audience) SELECT sha256($1), $2, $3"
	" WHERE $3 IS NULL OR (length($3) < 1024 AND $3 ~ '^{([0-9]{1,10}(,[0-9]{1,10})*)?}$')"
	" ON CONFLICT DO NOTHING",
	3, {BYTEAOID, INT8OID, TEXTOID}
};
static TlStatement select_fetched = {
	"SELECT digest, chunk, audience FROM ledger_internal.fetched_body"
	" JOIN ledger_internal.peer_body USING (digest) WHERE member = $1 LIMIT 4",
	1, {INT8OID}
};
static TlStatement delete_fetched = {
	"DELETE FROM ledger_internal.fetched_body WHERE digest = ANY ($1)", 1, {BYTEAARRAYOID}
};

static void copy(TlWire *wire, const TlPeer *peer, TlPeerLog *log);
static void on_copied(void *context, PGresult *result);
static void copy_bodies(TlWire *wire, TlPeer *peer);
static void on_bodies_copied(void *context, PGresult *result);
static bool is_done(TlWire *wire, PGresult *result);

/* One log at a time. */
void
tl_replication_copy_poll(TlWire *wire, TimestampTz now)
{
	if (!wire->identified || now < wire->copy_due ||
		wire->body_sender.connection.state != TL_CONNECTION_IDLE)
		return;
	for (int i = 0; i < wire->peer_count; i++)
		for (int j = 0; j < wire->peers[i].log_count; j++)
		{
			TlPeerLog  *log = &wire->peers[i].logs[j];

			if (log->copied >= log->sequence)
				continue;
			copy(wire, &wire->peers[i], log);
			return;
		}
	for (int i = 0; i < wire->peer_count; i++)
		if (wire->peers[i].bodies_fetched)
		{
			copy_bodies(wire, &wire->peers[i]);
			return;
		}
}

/* A chunk of that member's was read in another wire and is kept; in a
 * transaction. */
void
tl_replication_copy_later(TlWire *wire, uint32_t member, const void *chunk, int size,
						  const char *audience)
{
	Datum		values[] = {
		tl_chain_bytes(chunk, size), Int64GetDatum((int64) member),
		audience == NULL ? (Datum) 0 : CStringGetTextDatum(audience)
	};
	char		nulls[] = {' ', ' ', audience == NULL ? 'n' : ' '};
	TlPeer	   *peer = tl_replication_wire_peer(wire, member);

	tl_chain_execute(&insert_fetched, values, nulls, false);
	if (peer != NULL)
		peer->bodies_fetched = true;
}

/* Those of the next rows that the wire lacks. */
static void
copy(TlWire *wire, const TlPeer *peer, TlPeerLog *log)
{
	Datum		values[3];
	uint64		count;

	tl_replication_wire_begin(wire);
	values[0] = Int64GetDatum((int64) peer->member);
	values[1] = tl_chain_bytes(log->nonce, TL_NONCE_SIZE);
	values[2] = Int64GetDatum((int64) log->copied);
	count = tl_chain_execute_until(&select_rows, values, true, 1, TL_WIRE_BYTES_MAX);
	if (count == 0)
		log->copied = log->sequence;	/* what is lost cannot be copied */
	else
	{
		Datum	   *messages = palloc(sizeof(Datum) * count);
		TlParameter parameter;

		for (uint64 i = 0; i < count; i++)
			messages[i] = tl_chain_result(i, 1, NULL);
		parameter = tl_replication_send_array(messages, NULL, (int) count, BYTEAOID);
		wire->copy_member = peer->member;
		memcpy(wire->copy_nonce, log->nonce, TL_NONCE_SIZE);
		wire->copy_last = (uint64_t) DatumGetInt64(tl_chain_result(count - 1, 0, NULL));
		tl_replication_connection_ask(&wire->body_sender.connection,
									  psprintf("INSERT INTO ledger_wire.log_%1$u (message)"
											   " SELECT m FROM unnest($1::bytea[]) WITH ORDINALITY AS u (m, n)"
											   " WHERE NOT EXISTS (SELECT FROM ledger_wire.log_%1$u AS l"
											   " WHERE ledger_wire.row_key(l.message) = ledger_wire.row_key(m)"
											   " AND l.message = m) ORDER BY n", peer->member),
									  &parameter, 1, COPY_TIMEOUT_MS, on_copied, wire);
	}
	tl_replication_wire_end(wire);
}

static void
on_copied(void *context, PGresult *result)
{
	TlWire	   *wire = context;

	if (!is_done(wire, result))
		return;
	for (int i = 0; i < wire->peer_count; i++)
		for (int j = 0; j < wire->peers[i].log_count; j++)
		{
			TlPeerLog  *log = &wire->peers[i].logs[j];

			if (wire->peers[i].member == wire->copy_member &&
				memcmp(log->nonce, wire->copy_nonce, TL_NONCE_SIZE) == 0)
				log->copied = Max(log->copied, wire->copy_last);
		}
}

static void
copy_bodies(TlWire *wire, TlPeer *peer)
{
	Datum		member = Int64GetDatum((int64) peer->member);
	uint64		count;

	tl_replication_wire_begin(wire);
	count = tl_chain_execute(&select_fetched, &member, NULL, true);
	peer->bodies_fetched = count > 0;
	if (count > 0)
	{
		Datum	   *chunks = palloc(sizeof(Datum) * count);
		Datum	   *audiences = palloc(sizeof(Datum) * count);
		bool	   *nulls = palloc(sizeof(bool) * count);
		TlParameter parameters[2];

		wire->copy_count = 0;
		for (uint64 i = 0; i < count; i++)
		{
			bytea	   *digest = DatumGetByteaPP(tl_chain_result(i, 0, NULL));

			memcpy(&wire->copy_bodies[wire->copy_count++], VARDATA_ANY(digest), TL_HASH_SIZE);
			chunks[i] = tl_chain_result(i, 1, NULL);
			audiences[i] = tl_chain_result(i, 2, &nulls[i]);
		}
		parameters[0] = tl_replication_send_array(chunks, NULL, (int) count, BYTEAOID);
		parameters[1] = tl_replication_send_array(audiences, nulls, (int) count, TEXTOID);
		tl_replication_connection_ask(&wire->body_sender.connection,
									  psprintf("INSERT INTO ledger_wire.body_%1$u (chunk, audience)"
											   " SELECT c, a::bigint[] FROM unnest($1::bytea[], $2::text[]) AS u (c, a)"
											   " WHERE NOT EXISTS (SELECT FROM ledger_wire.body_%1$u AS b"
											   " WHERE sha256(b.chunk) = sha256(c))", peer->member),
									  parameters, 2, COPY_TIMEOUT_MS, on_bodies_copied, wire);
	}
	tl_replication_wire_end(wire);
}

static void
on_bodies_copied(void *context, PGresult *result)
{
	TlWire	   *wire = context;
	Datum		digests[TL_COPY_BODIES_MAX];
	Datum		array;

	if (!is_done(wire, result))
		return;
	tl_replication_wire_begin(wire);
	for (int i = 0; i < wire->copy_count; i++)
		digests[i] = tl_chain_bytes(wire->copy_bodies[i].bytes, TL_HASH_SIZE);
	array = PointerGetDatum(construct_array(digests, wire->copy_count, BYTEAOID, -1, false,
											TYPALIGN_INT));
	tl_chain_execute(&delete_fetched, &array, NULL, false);
	tl_replication_wire_end(wire);
}

/* If not, it is tried again after a pause. */
static bool
is_done(TlWire *wire, PGresult *result)
{
	if (result != NULL && tl_replication_result_ok(result))
		return true;
	wire->copy_due = TimestampTzPlusMilliseconds(GetCurrentTimestamp(), RETRY_MS);
	wire->repair_due = 0;
	return false;
}
