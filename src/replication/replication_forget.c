/*-------------------------------------------------------------------------
 *
 * replication_forget.c
 *	  Rows of other members' logs leave the ledger's database.
 *
 * A start needs few of the rows before the first one that the summary of a log
 * names (src/node/node_order_summary.c), and nobody else reads them here: who
 * lacks them asks the wires, which keep all.  ACK, PROPOSE, votes and CERT of
 * longer ago than telco_ledger.keep_messages go, the oldest first.  What stays: the
 * first row of each incarnation, rows that blocks order, BATCH, STATE, and whatever
 * a contradicting row stands beside.
 *
 * Invariants
 *	  W10 a row that is gone stands before first_seq of its log, and not behind
 *		  dropped_seq: one that comes again for such a place is known
 *
 * The caller is in a transaction and has connected SPI.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "catalog/pg_type.h"

#include "chain_statement.h"
#include "replication_forget.h"
#include "replication_setting.h"

/* 512 rows of the log are looked at; from the first one on that is too young they stay. */
static TlStatement delete_rows = {
	"WITH next AS (SELECT seq FROM (SELECT seq,"
	" bool_and(stored_at < clock_timestamp() - make_interval(secs => $3)) OVER (ORDER BY seq) AS is_old"
	" FROM (SELECT l.seq, l.stored_at FROM ledger_internal.log_summary AS s"
	" JOIN ledger_internal.peer_log AS l ON l.member = s.member AND l.nonce = s.nonce"
	" AND l.seq > s.dropped_seq AND l.seq < s.first_seq"
	" WHERE s.member = $1 AND s.nonce = $2 ORDER BY l.seq LIMIT 512) AS l) AS looked WHERE is_old),"
	" gone AS (DELETE FROM ledger_internal.peer_log AS l USING next"
	" WHERE l.member = $1 AND l.nonce = $2 AND l.seq = next.seq AND l.seq > 1"
	" AND l.kind BETWEEN 2 AND 7 AND NOT EXISTS (SELECT FROM ledger_internal.contradiction AS c"
	" WHERE c.member = l.member AND c.nonce = l.nonce AND c.seq = l.seq))"
	" UPDATE ledger_internal.log_summary SET dropped_seq = (SELECT max(seq) FROM next)"
	" WHERE member = $1 AND nonce = $2 AND EXISTS (SELECT FROM next)",
	3, {INT8OID, BYTEAOID, INT4OID}
};
static TlStatement select_dropped = {
	"SELECT FROM ledger_internal.log_summary WHERE member = $1 AND nonce = $2 AND dropped_seq >= $3",
	3, {INT8OID, BYTEAOID, INT8OID}
};

/* Of that log, if it is time: not all of them at once. */
void
tl_replication_forget_rows(uint32_t member, const uint8_t nonce[TL_NONCE_SIZE])
{
	Datum		values[] = {
		Int64GetDatum((int64) member),
		tl_chain_bytes(nonce, TL_NONCE_SIZE),
		Int32GetDatum(tl_replication_keep_messages_s)
	};

	if (tl_replication_keep_messages_s >= 0)
		tl_chain_execute(&delete_rows, values, NULL, false);
}

/* Was the row at that place kept once? */
bool
tl_replication_forget_has(const TlLogRow *row)
{
	Datum		values[] = {
		Int64GetDatum((int64) row->member),
		tl_chain_bytes(row->nonce, TL_NONCE_SIZE),
		Int64GetDatum((int64) row->sequence)
	};

	return tl_chain_execute(&select_dropped, values, NULL, false) > 0;
}
