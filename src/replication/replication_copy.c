/*-------------------------------------------------------------------------
 *
 * replication_copy.c
 *	  Rows that were fetched are put into the own wire too.
 *
 * A member that starts asks the wires of the others which of its rows they
 * store (R30 of src/consensus/README.md), and others ask them for rows that
 * they lack.  What came by replication is there.  What was fetched from a peer's
 * wire, because a link was down or had to be moved past something, is not: it
 * is copied there from peer_log.
 *
 * Invariant
 *	  W8  the newest row kept of each log is in the own wire, or is put there
 *		  next: also after a crash, and in a wire that was made anew
 *
 * The rows leave by the connection for bodies, as votes shall not wait.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "utils/timestamp.h"

#include "chain_statement.h"
#include "replication_wire.h"
#include "tl_compat.h"

#define COPY_TIMEOUT_MS		60000
#define RETRY_MS			5000

/* At most 256 of them, and no further one once 4 MB are together. */
static TlStatement select_rows = {
	"SELECT seq, message FROM ("
	"SELECT seq, message, sum(octet_length(message)) OVER (ORDER BY seq) AS total"
	" FROM (SELECT seq, message FROM ledger_internal.peer_log"
	" WHERE member = $1 AND nonce = $2 AND seq > $3 ORDER BY seq LIMIT 256) AS next) AS counted"
	" WHERE total - octet_length(message) < 4194304 ORDER BY seq",
	3, {INT8OID, BYTEAOID, INT8OID}
};

static void copy(TlWire *wire, const TlPeer *peer, TlPeerLog *log);
static void on_copied(void *context, PGresult *result);

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
	count = tl_chain_execute(&select_rows, values, NULL, true);
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

	if (result == NULL || !tl_replication_result_ok(result))
	{
		wire->copy_due = TimestampTzPlusMilliseconds(GetCurrentTimestamp(), RETRY_MS);
		wire->repair_due = 0;
		return;
	}
	for (int i = 0; i < wire->peer_count; i++)
		for (int j = 0; j < wire->peers[i].log_count; j++)
		{
			TlPeerLog  *log = &wire->peers[i].logs[j];

			if (wire->peers[i].member == wire->copy_member &&
				memcmp(log->nonce, wire->copy_nonce, TL_NONCE_SIZE) == 0)
				log->copied = Max(log->copied, wire->copy_last);
		}
}
