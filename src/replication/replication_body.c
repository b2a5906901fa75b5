/*-------------------------------------------------------------------------
 *
 * replication_body.c
 *	  Bodies that no wire has any more: asked for, and shown.
 *
 * Members drop the bodies of applied batches and can make them again from their
 * tables.  Who has found a chunk in no wire names its batch to one member after the
 * other, in a message of ledger_wire.request:
 *
 *		0		1		2
 *		1		32 n	digests of batches, at most ASKED_MAX
 *
 * It needs no signature: whoever may write there may read what it leads to.  He who
 * is asked notes the digests in ledger_internal.asked_body for the worker, which
 * makes the chunks again (src/node/node_prune.c).  From ledger_internal.rebuilt_body
 * they go into ledger_wire.rebuilt, which is not published; there they can be read
 * for TL_SHOWN_MINUTES, the newest SHOWN_BYTES_MAX of them.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "utils/array.h"
#include "utils/timestamp.h"

#include "chain_statement.h"
#include "replication_wire.h"
#include "tl_compat.h"

#define FORMAT				2	/* rows of a log begin with 1 */
#define ASKED_MAX			250 /* in one message, of 8 kB at most */
#define WAITING_MAX			1024	/* that all members ask for */
#define SHOW_TIMEOUT_MS		60000
#define REBUILD_MS			50	/* that a member is given before it is looked there */
#define RETRY_MS			5000
#define SHOWS_MS			60000	/* after a question what was made is looked for */
#define SHOWN_BYTES_MAX		268435456

static TlStatement select_missing = {
	"SELECT batch_digest FROM (SELECT DISTINCT incarnation, batch, batch_digest"
	" FROM ledger_internal.wanted_chunk WHERE member = $1) AS w"
	" ORDER BY incarnation, batch LIMIT " CppAsString2(ASKED_MAX),
	1, {INT8OID}
};
static TlStatement insert_asked = {
	"INSERT INTO ledger_internal.asked_body (batch_digest) SELECT unnest($1)"
	" LIMIT greatest(0, " CppAsString2(WAITING_MAX) " - (SELECT count(*) FROM ledger_internal.asked_body))"
	" ON CONFLICT DO NOTHING",
	1, {BYTEAARRAYOID}
};
static TlStatement select_rebuilt = {
	"SELECT digest, chunk FROM ledger_internal.rebuilt_body LIMIT " CppAsString2(TL_COPY_BODIES_MAX)
};
static TlStatement delete_rebuilt = {
	"DELETE FROM ledger_internal.rebuilt_body WHERE digest = ANY ($1)", 1, {BYTEAARRAYOID}
};

static void on_requested(void *context, PGresult *result);
static void on_shown(void *context, PGresult *result);

/* Is this message such a question?  In no transaction. */
bool
tl_replication_body_is_asked(const void *data, size_t size)
{
	return size > 1 && *(const uint8_t *) data == FORMAT &&
		(size - 1) % TL_HASH_SIZE == 0 && (size - 1) / TL_HASH_SIZE <= ASKED_MAX;
}

/* A member asks; in no transaction. */
void
tl_replication_body_asked(TlWire *wire, const void *data, size_t size)
{
	const uint8_t *digest = (const uint8_t *) data + 1;
	int			count = (int) ((size - 1) / TL_HASH_SIZE);
	Datum		digests[ASKED_MAX];
	Datum		value;

	if (wire->sink.asked == NULL)
		return;
	tl_replication_wire_begin(wire);
	for (int i = 0; i < count; i++)
		digests[i] = tl_chain_bytes(digest + (size_t) i * TL_HASH_SIZE, TL_HASH_SIZE);
	value = PointerGetDatum(construct_array(digests, count, BYTEAOID, -1, false, TYPALIGN_INT));
	tl_chain_execute(&insert_asked, &value, NULL, false);
	tl_replication_wire_end(wire);
	wire->shows_until = TimestampTzPlusMilliseconds(GetCurrentTimestamp(), SHOWS_MS);
	wire->sink.asked(wire->sink.context);
}

/*
 * Name batches of that member to this source, whose connection is idle.  False if it
 * is asked for nothing.
 */
bool
tl_replication_body_request(TlWire *wire, int source, uint32_t member)
{
	uint8_t		message[1 + ASKED_MAX * TL_HASH_SIZE] = {FORMAT};
	size_t		size = 1;
	Datum		value = Int64GetDatum((int64) member);
	uint64		count;

	wire->body_requests = false;
	tl_replication_wire_begin(wire);
	count = tl_chain_execute(&select_missing, &value, NULL, true);
	for (uint64 i = 0; i < count; i++)
	{
		TlSpan		digest = tl_chain_result_span(i, 0);

		memcpy(message + size, digest.data, TL_HASH_SIZE);
		size += TL_HASH_SIZE;
	}
	tl_replication_wire_end(wire);
	return count > 0 && tl_replication_request_put(wire, source, on_requested, message, size);
}

/* Whether it was taken shows in what can be read there, a little later. */
static void
on_requested(void *context, PGresult *result)
{
	TlAsked    *asked = context;

	asked->wire->chunks_due = TimestampTzPlusMilliseconds(GetCurrentTimestamp(), REBUILD_MS);
	pfree(asked);
}

/* What the worker has made again goes into the own wire. */
void
tl_replication_body_poll(TlWire *wire, TimestampTz now)
{
	Datum		chunks[TL_COPY_BODIES_MAX];
	TlParameter parameter;
	uint64		count;

	if (!wire->bodies_rebuilt || !wire->identified || now < wire->copy_due ||
		wire->body_sender.connection.state != TL_CONNECTION_IDLE)
		return;
	tl_replication_wire_begin(wire);
	count = tl_chain_execute(&select_rebuilt, NULL, NULL, true);
	wire->bodies_rebuilt = count > 0;
	wire->copy_count = 0;
	for (uint64 i = 0; i < count; i++)
	{
		memcpy(&wire->copy_bodies[wire->copy_count++], tl_chain_result_span(i, 0).data, TL_HASH_SIZE);
		chunks[i] = tl_chain_result(i, 1, NULL);
	}
	if (count > 0)
	{
		parameter = tl_replication_send_array(chunks, NULL, (int) count, BYTEAOID);
		tl_replication_connection_ask(&wire->body_sender.connection,
									  "WITH old AS (DELETE FROM ledger_wire.rebuilt WHERE digest IN"
									  " (SELECT digest FROM (SELECT digest, sum(octet_length(chunk)) OVER (ORDER BY made_at DESC, digest) AS total"
									  " FROM ledger_wire.rebuilt) AS r WHERE total > " CppAsString2(SHOWN_BYTES_MAX) ")"
									  " OR made_at < now() - interval '" CppAsString2(TL_SHOWN_MINUTES) " minutes')"
									  " INSERT INTO ledger_wire.rebuilt (digest, chunk) SELECT sha256(c), c FROM unnest($1::bytea[]) AS u (c)"
									  " ON CONFLICT DO NOTHING",
									  &parameter, 1, SHOW_TIMEOUT_MS, on_shown, wire);
	}
	tl_replication_wire_end(wire);
}

static void
on_shown(void *context, PGresult *result)
{
	TlWire	   *wire = context;
	Datum		digests[TL_COPY_BODIES_MAX];
	Datum		array;

	if (result == NULL || !tl_replication_result_ok(result))
	{
		wire->copy_due = TimestampTzPlusMilliseconds(GetCurrentTimestamp(), RETRY_MS);
		wire->repair_due = 0;
		return;
	}
	tl_replication_wire_begin(wire);
	for (int i = 0; i < wire->copy_count; i++)
		digests[i] = tl_chain_bytes(wire->copy_bodies[i].bytes, TL_HASH_SIZE);
	array = PointerGetDatum(construct_array(digests, wire->copy_count, BYTEAOID, -1, false,
											TYPALIGN_INT));
	tl_chain_execute(&delete_rebuilt, &array, NULL, false);
	wire->rebuilt_due = TimestampTzPlusMilliseconds(GetCurrentTimestamp(),
													(TL_SHOWN_MINUTES + 1) * 60000);
	tl_replication_wire_end(wire);
	if (wire->sink.asked != NULL)
		wire->sink.asked(wire->sink.context);	/* there is room for more */
}
