/*-------------------------------------------------------------------------
 *
 * replication_forget.c
 *	  Rows of logs leave the ledger's database.
 *
 * A start needs few of the rows before the first one that the summary of a log
 * names (src/node/node_order_summary.c), and nobody else reads them here: who
 * lacks them asks the wires.  ACK, PROPOSE, votes and CERT of longer ago than
 * telco_ledger.keep_messages go, the oldest first.  What stays: the first row of each
 * incarnation, rows that blocks order, BATCH, STATE, and whatever a contradicting
 * row stands beside.
 *
 * Of the own log stay as well the last row of each incarnation and epoch, which a
 * REJOIN and R30 ask for; an ACK that names the copy before its own (R45); what the
 * founder wrote while it was alone, of which its blocks are made; rows of views that
 * some active member may need (TL_ACT_PRUNE, ledger_internal.needed_view); and what
 * stands behind the last row that is in the wire, or sending could not go on.  The
 * log holds no time: a row is older than the block after the one on which it was
 * written.
 *
 * ledger_internal.sparse_log says up to where a log may lack rows: the own one by
 * this, those of others where no wire had the next rows any more
 * (replication_fetch.c).
 *
 * Invariants
 *	  W10 a row that is gone stands before first_seq of its log, and not behind
 *		  dropped_seq, or not behind the place in sparse_log: one that comes again for such a
 *		  place is known, unless it never was here and is one that blocks order
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

#define PASSES_MAX	4			/* through so many rows at one time */

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
	" WHERE member = $1 AND nonce = $2 AND EXISTS (SELECT FROM next)"
	" RETURNING (SELECT count(*) = 512 FROM next)",
	3, {INT8OID, BYTEAOID, INT4OID}
};
static TlStatement select_dropped = {
	"SELECT FROM ledger_internal.log_summary WHERE member = $1 AND nonce = $2 AND dropped_seq >= $3",
	3, {INT8OID, BYTEAOID, INT8OID}
};
static TlStatement select_sparse = {
	"SELECT FROM ledger_internal.sparse_log WHERE member = $1 AND nonce = $2 AND seq >= $3",
	3, {INT8OID, BYTEAOID, INT8OID}
};
static TlStatement upsert_sparse = {
	"INSERT INTO ledger_internal.sparse_log AS s (member, nonce, seq) VALUES ($1, $2, $3)"
	" ON CONFLICT (member, nonce) DO UPDATE SET seq = excluded.seq WHERE s.seq < excluded.seq",
	3, {INT8OID, BYTEAOID, INT8OID}
};
static TlStatement upsert_needed = {
	"INSERT INTO ledger_internal.needed_view AS v (epoch, view) VALUES ($1, $2)"
	" ON CONFLICT (is_on) DO UPDATE SET epoch = excluded.epoch, view = excluded.view"
	" WHERE (v.epoch, v.view) < (excluded.epoch, excluded.view)",
	2, {INT8OID, INT8OID}
};

/* Of the own log rows behind ($2, $3) have gone: what is to come has no holes yet. */
static TlStatement update_sparse = {
	"WITH kept AS (SELECT substring(f.message FROM 6 FOR 16) AS nonce, (SELECT max(l.seq)"
	" FROM ledger_internal.own_log AS l WHERE l.incarnation = f.incarnation) AS seq"
	" FROM ledger_internal.own_log AS f WHERE f.seq = 1),"
	" lowered AS (UPDATE ledger_internal.sparse_log AS s SET seq = k.seq FROM kept AS k"
	" WHERE s.member = $1 AND s.nonce = k.nonce AND s.seq > k.seq),"
	" again AS (UPDATE ledger_internal.own_log_summary SET (dropped_incarnation, dropped_seq) = ($2, $3)"
	" WHERE (dropped_incarnation, dropped_seq) > ($2, $3))"
	" DELETE FROM ledger_internal.sparse_log AS s WHERE s.member = $1"
	" AND NOT EXISTS (SELECT FROM kept AS k WHERE k.nonce = s.nonce)",
	3, {INT8OID, INT4OID, INT8OID}
};

/* The incarnation of a nonce in which no own row stands at that place, though it has holes there. */
static TlStatement select_lacking = {
	"SELECT f.incarnation FROM ledger_internal.sparse_log AS s,"
	" generate_series(0, (SELECT max(incarnation) FROM ledger_internal.own_log)) AS i"
	" JOIN ledger_internal.own_log AS f ON f.incarnation = i AND f.seq = 1"
	" WHERE s.member = $1 AND s.nonce = $2 AND s.seq >= $3 AND substring(f.message FROM 6 FOR 16) = $2"
	" AND NOT EXISTS (SELECT FROM ledger_internal.own_log AS l WHERE l.incarnation = i AND l.seq = $3)",
	3, {INT8OID, BYTEAOID, INT8OID}
};

/*
 * 512 rows of the own log are judged, up to the first that has to stay for its age or view;
 * each goes if the next one is of the same incarnation and epoch.  Bytes 99 to 114 of
 * an ACK are the copy before its own, 92 to 99 of a CERT the view of its certificate,
 * 106 to 109 of the genesis header the founder.
 */
static TlStatement delete_own = {
	"WITH looked AS (SELECT l.incarnation, l.seq, l.kind, l.epoch, lead(l.incarnation) OVER place AS next,"
	" lead(l.epoch) OVER place AS next_epoch,"
	" substring(l.message FROM 6 FOR 16) AS nonce, substring(l.message FROM 100 FOR 16) AS replaced,"
	" bool_and((l.kind NOT BETWEEN 2 AND 7) OR ((l.epoch, l.view) < (v.epoch, v.view)"
	" AND (l.kind <> 7 OR l.epoch < v.epoch OR substring(l.message FROM 93 FOR 8) < int8send(v.view))"
	" AND (l.incarnation, l.seq) < ($1, $2) AND EXISTS (SELECT FROM ledger_internal.block AS b"
	" WHERE b.height = l.height + 1 AND b.time < clock_timestamp() - make_interval(secs => $3)))) OVER place AS old"
	" FROM ledger_internal.needed_view AS v, (SELECT o.* FROM ledger_internal.own_log_summary AS s,"
	" ledger_internal.own_log AS o WHERE (o.incarnation, o.seq) > (s.dropped_incarnation, s.dropped_seq)"
	" AND (o.incarnation, o.seq) < (s.first_incarnation, s.first_seq) ORDER BY o.incarnation, o.seq LIMIT 513) AS l"
	" WINDOW place AS (ORDER BY l.incarnation, l.seq)),"
	" passed AS (SELECT * FROM looked WHERE old AND next IS NOT NULL),"
	" gone AS (DELETE FROM ledger_internal.own_log AS l USING passed AS p, ledger_internal.node AS n,"
	" ledger_internal.order_mode AS o WHERE (l.incarnation, l.seq) = (p.incarnation, p.seq) AND l.seq > 1"
	" AND p.kind BETWEEN 2 AND 7 AND (p.next, p.next_epoch) = (p.incarnation, p.epoch)"
	" AND (p.kind <> 2 OR p.replaced = '\\x00000000000000000000000000000000'::bytea)"
	" AND (n.member <> ('x' || encode(substring(n.genesis_header FROM 107 FOR 4), 'hex'))::bit(32)::bigint"
	" OR l.seq > coalesce(o.alone_sequences[l.incarnation + 1], 0)) RETURNING n.member, p.nonce, l.seq),"
	" noted AS (INSERT INTO ledger_internal.sparse_log AS s (member, nonce, seq)"
	" SELECT member, nonce, max(seq) FROM gone GROUP BY member, nonce"
	" ON CONFLICT (member, nonce) DO UPDATE SET seq = greatest(s.seq, excluded.seq))"
	" UPDATE ledger_internal.own_log_summary SET (dropped_incarnation, dropped_seq) ="
	" (SELECT incarnation, seq FROM passed ORDER BY incarnation DESC, seq DESC LIMIT 1)"
	" WHERE EXISTS (SELECT FROM passed) RETURNING (SELECT count(*) = 512 FROM passed)",
	3, {INT4OID, INT8OID, INT4OID}
};

static Datum *place_of(Datum *values, uint32_t member, const uint8_t *nonce, uint64_t sequence);

/* TL_ACT_PRUNE: consensus needs rows of that view and later ones. */
void
tl_replication_forget_needed(uint64_t epoch, uint64_t view)
{
	Datum		values[] = {Int64GetDatum((int64) epoch), Int64GetDatum((int64) view)};

	tl_chain_execute(&upsert_needed, values, NULL, false);
}

/* Of the own log, whose row at that place is in the wire. */
void
tl_replication_forget_own(int sent_incarnation, int64_t sent_sequence)
{
	Datum		values[] = {
		Int32GetDatum(sent_incarnation), Int64GetDatum(sent_sequence),
		Int32GetDatum(tl_replication_keep_messages_s)
	};

	for (int i = 0; i < PASSES_MAX && tl_replication_keep_messages_s >= 0; i++)
		if (tl_chain_execute(&delete_own, values, NULL, false) == 0 ||
			!DatumGetBool(tl_chain_result(0, 0, NULL)))
			break;
}

/* Rows of that log up to there may be missing from now on. */
void
tl_replication_forget_note(uint32_t member, const uint8_t nonce[TL_NONCE_SIZE], uint64_t sequence)
{
	Datum		values[3];

	tl_chain_execute(&upsert_sparse, place_of(values, member, nonce, sequence), NULL, false);
}

/* The own log was cut behind that row, all of it if there is none. */
void
tl_replication_forget_cut(uint32_t member, Datum incarnation, Datum sequence)
{
	Datum		values[] = {Int64GetDatum((int64) member), incarnation, sequence};

	tl_chain_execute(&update_sparse, values, NULL, false);
}

/* Has the own log had a row at that place, which is gone?  Of which incarnation. */
bool
tl_replication_forget_lacks_own(const TlLogRow *row, int *incarnation)
{
	Datum		values[3];

	if (tl_chain_execute(&select_lacking, place_of(values, row->member, row->nonce, row->sequence),
						 NULL, false) == 0)
		return false;
	*incarnation = DatumGetInt32(tl_chain_result(0, 0, NULL));
	return true;
}

/* May that row have been here, and be missing now? */
bool
tl_replication_forget_may_lack(const TlLogRow *row)
{
	Datum		values[3];

	return tl_chain_execute(&select_sparse, place_of(values, row->member, row->nonce, row->sequence),
							NULL, false) > 0;
}

/* Of that log, if it is time: not all of them at once, but faster than it grows. */
void
tl_replication_forget_rows(uint32_t member, const uint8_t nonce[TL_NONCE_SIZE])
{
	Datum		values[] = {
		Int64GetDatum((int64) member),
		tl_chain_bytes(nonce, TL_NONCE_SIZE),
		Int32GetDatum(tl_replication_keep_messages_s)
	};

	for (int i = 0; i < PASSES_MAX && tl_replication_keep_messages_s >= 0; i++)
		if (tl_chain_execute(&delete_rows, values, NULL, false) == 0 ||
			!DatumGetBool(tl_chain_result(0, 0, NULL)))
			break;
}

/* Was the row at that place kept once? */
bool
tl_replication_forget_has_dropped(const TlLogRow *row)
{
	Datum		values[3];

	return tl_chain_execute(&select_dropped, place_of(values, row->member, row->nonce, row->sequence),
							NULL, false) > 0;
}

static Datum *
place_of(Datum *values, uint32_t member, const uint8_t *nonce, uint64_t sequence)
{
	values[0] = Int64GetDatum((int64) member);
	values[1] = tl_chain_bytes(nonce, TL_NONCE_SIZE);
	values[2] = Int64GetDatum((int64) sequence);
	return values;
}
