/*-------------------------------------------------------------------------
 *
 * node_order_summary.c
 *	  From which row of each log a start is given all of them.
 *
 * Every SUMMARY_BLOCKS blocks it is noted for each log which row was the last that
 * the core was given, what the rows up to there amount to (consensus_summary.h), and
 * which is the first from which on a core on this block or a later one needs all:
 * that of the first vote, proposal or CERT of a view from the block's on.  It is
 * looked for from where it was before, so a log is read once for that.  Of the rows
 * before it a start reads few kinds (node_order_store.c).
 *
 * ledger_internal.log_summary has a row for each log of another member,
 * ledger_internal.own_log_summary one for the own log.
 *
 * Invariants
 *	  M1  a summary is of a row that is stored: its digest is compared.  If one log
 *		  of a member lacks that row, as rows were cut or lost, all of his are read
 *	  M2  it is of a block that is stored, in the same transaction
 *	  M3  the first row goes back in no log
 *
 * The caller is in a transaction and has connected SPI.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "utils/memutils.h"

#include "chain_statement.h"
#include "consensus_summary.h"
#include "node_order_state.h"
#include "replication_forget.h"
#include "tl_error.h"

#define SUMMARY_BLOCKS	32		/* from one to the next */

static TlStatement select_summaries = {
	"SELECT s.nonce, s.first_seq, s.summary, s.height, l.seq IS NOT NULL"
	" FROM ledger_internal.log_summary AS s LEFT JOIN ledger_internal.peer_log AS l"
	" ON (l.member, l.nonce, l.seq, l.digest) = (s.member, s.nonce, s.last_seq, s.digest)"
	" WHERE s.member = $1",
	1, {INT8OID}
};
/* A CERT row may be of another view than its certificate, whose own is its bytes 92 to 99. */
#define OF_VIEW_FROM(view) \
	"(v.view >= " view " OR (v.kind = 7 AND substring(v.message FROM 93 FOR 8) >= int8send(" view ")))"

static TlStatement upsert_summary = {
	"INSERT INTO ledger_internal.log_summary AS s (member, nonce, first_seq, last_seq, digest, height, summary)"
	" SELECT $1, $2, coalesce((SELECT min(v.seq) FROM ledger_internal.peer_log AS v"
	" WHERE v.member = $1 AND v.nonce = $2 AND v.seq >= $3 AND v.seq < $4"
	" AND v.kind BETWEEN 3 AND 7 AND " OF_VIEW_FROM("$5") "), $4), $4, l.digest, $6, $7"
	" FROM ledger_internal.peer_log AS l WHERE l.member = $1 AND l.nonce = $2 AND l.seq = $4"
	" ON CONFLICT (member, nonce) DO UPDATE SET first_seq = excluded.first_seq,"
	" last_seq = excluded.last_seq, digest = excluded.digest, height = excluded.height,"
	" summary = excluded.summary RETURNING first_seq",
	7, {INT8OID, BYTEAOID, INT8OID, INT8OID, INT8OID, INT8OID, BYTEAOID}
};
static TlStatement select_own = {
	"SELECT s.first_incarnation, s.first_seq, s.instance, s.height FROM ledger_internal.own_log_summary AS s"
	" JOIN ledger_internal.own_log AS l"
	" ON (l.incarnation, l.seq, l.digest) = (s.last_incarnation, s.last_seq, s.digest)"
};

/* Bytes 83 to 98 of an ACK are the instance of the copy that wrote it. */
static TlStatement upsert_own = {
	"INSERT INTO ledger_internal.own_log_summary AS s"
	" (first_incarnation, first_seq, last_incarnation, last_seq, digest, height, instance)"
	" SELECT f.incarnation, f.seq, $3, $4, l.digest, $6, coalesce("
	"(SELECT substring(a.message FROM 84 FOR 16) FROM ledger_internal.own_log AS a"
	" WHERE a.kind = 2 AND (a.incarnation, a.seq) BETWEEN ($1, $2) AND ($3, $4)"
	" ORDER BY a.incarnation DESC, a.seq DESC LIMIT 1), $7)"
	" FROM ledger_internal.own_log AS l,"
	" (SELECT incarnation, seq FROM ((SELECT v.incarnation, v.seq FROM ledger_internal.own_log AS v"
	" WHERE (v.incarnation, v.seq) >= ($1, $2) AND (v.incarnation, v.seq) < ($3, $4)"
	" AND v.kind BETWEEN 3 AND 7 AND " OF_VIEW_FROM("$5") " ORDER BY v.incarnation, v.seq LIMIT 1)"
	" UNION ALL SELECT $3, $4) AS u ORDER BY incarnation, seq LIMIT 1) AS f"
	" WHERE l.incarnation = $3 AND l.seq = $4"
	" ON CONFLICT (is_on) DO UPDATE SET first_incarnation = excluded.first_incarnation,"
	" first_seq = excluded.first_seq, last_incarnation = excluded.last_incarnation,"
	" last_seq = excluded.last_seq, digest = excluded.digest, height = excluded.height,"
	" instance = excluded.instance RETURNING first_incarnation, first_seq, instance",
	7, {INT4OID, INT8OID, INT4OID, INT8OID, INT8OID, INT8OID, BYTEAOID}
};

static void load_member(TlOrder *order, TlGiven *given);
static void load_log(TlOrder *order, TlGiven *given, uint64 row);
static void load_own(TlOrder *order);
static void store_member(const TlOrder *order, TlGiven *given);
static void store_log(const TlOrder *order, const TlGiven *given, TlGivenLog *log,
					  const TlLogSummary *summary);
static void store_own(TlOrder *order);
static void read_instance(TlOrder *order, uint64 row, int column);

/* Where a new core, of whose logs nothing was given yet, need not be given all. */
void
tl_node_order_summary_open(TlOrder *order)
{
	order->summary_height = 0;
	order->own_first_incarnation = 0;
	order->own_first_sequence = 0;
	memset(order->own_instance, 0, sizeof(order->own_instance));
	for (unsigned i = 0; i < order->config->member_count; i++)
		if (order->given[i].member != order->log.member)
			load_member(order, &order->given[i]);
	load_own(order);
	memcpy(order->config->replaced, order->own_instance, sizeof(order->own_instance));
}

/* M1: one that cannot be used takes those of his other logs with it. */
static void
load_member(TlOrder *order, TlGiven *given)
{
	Datum		value = Int64GetDatum((int64) given->member);
	uint64		count = tl_chain_execute(&select_summaries, &value, NULL, false);

	for (uint64 i = 0; i < count; i++)
		if (!DatumGetBool(tl_chain_result(i, 4, NULL)) ||
			(uint64_t) DatumGetInt64(tl_chain_result(i, 3, NULL)) > order->height)
			return;
	for (uint64 i = 0; i < count; i++)
		load_log(order, given, i);
}

static void
load_log(TlOrder *order, TlGiven *given, uint64 row)
{
	TlSpan		nonce = tl_chain_result_span(row, 0);
	uint64_t	height = (uint64_t) DatumGetInt64(tl_chain_result(row, 3, NULL));
	bool		is_null;

	for (unsigned i = 0; i < given->log_count; i++)
	{
		TlGivenLog *log = &given->logs[i];

		if (nonce.size != TL_NONCE_SIZE || memcmp(log->nonce, nonce.data, TL_NONCE_SIZE) != 0)
			continue;
		log->first = (uint64_t) DatumGetInt64(tl_chain_result(row, 1, NULL));
		(void) tl_chain_result(row, 2, &is_null);
		if (!is_null)
		{
			TlSpan		bytes = tl_chain_result_span(row, 2);

			log->summary = MemoryContextAlloc(order->memory, sizeof(TlLogSummary));
			tl_error_check(tl_consensus_summary_decode(log->summary, bytes.data, bytes.size),
						   "stored summary of a log");
		}
	}
	order->summary_height = Max(order->summary_height, height);
}

static void
load_own(TlOrder *order)
{
	if (tl_chain_execute(&select_own, NULL, NULL, false) == 0 ||
		(uint64_t) DatumGetInt64(tl_chain_result(0, 3, NULL)) > order->height)
		return;
	order->own_first_incarnation = (uint16_t) DatumGetInt32(tl_chain_result(0, 0, NULL));
	order->own_first_sequence = (uint64_t) DatumGetInt64(tl_chain_result(0, 1, NULL));
	read_instance(order, 0, 2);
}

/* At the end of a turn that has stored final blocks. */
void
tl_node_order_summary_store(TlOrder *order)
{
	if (order->height < order->summary_height + SUMMARY_BLOCKS)
		return;
	for (unsigned i = 0; i < order->config->member_count; i++)
		if (order->given[i].member != order->log.member)
			store_member(order, &order->given[i]);
	if (order->own_sequence > 0 && !tl_node_order_own_is_before(order))
		store_own(order);
	order->summary_height = order->height;
}

/* Not before all that the last one said was given: the next says more. */
static void
store_member(const TlOrder *order, TlGiven *given)
{
	TlLogSummary *summary = palloc(sizeof(TlLogSummary));

	for (unsigned i = 0; i < given->log_count; i++)
		if (given->logs[i].summary != NULL || given->logs[i].sequence + 1 < given->logs[i].first)
			return;
	if (!tl_consensus_summary(order->core, given->member, summary))
		return;
	for (unsigned i = 0; i < given->log_count; i++)
		store_log(order, given, &given->logs[i], summary);
	pfree(summary);
}

/* Logs that the founder ended while it was alone are passed over all the same. */
static void
store_log(const TlOrder *order, const TlGiven *given, TlGivenLog *log, const TlLogSummary *summary)
{
	bool		newest = memcmp(log->nonce, summary->nonce, TL_NONCE_SIZE) == 0;
	int			alone = tl_node_order_alone_find(&order->alone, given->member, log->nonce);
	uint64_t	last = newest ? summary->sequence : log->sequence;
	uint64_t	from = log->first;
	uint8_t		bytes[TL_SUMMARY_SIZE_MAX];
	char		nulls[] = "      n";
	TlWriter	writer;
	Datum		values[7] = {0};

	if (last == 0 || (alone >= 0 && alone + 1 < (int) order->alone.count))
		return;
	if (alone >= 0)
		from = Max(from, order->alone.sequences[alone]);
	values[0] = Int64GetDatum((int64) given->member);
	values[1] = tl_chain_bytes(log->nonce, TL_NONCE_SIZE);
	values[2] = Int64GetDatum((int64) from);
	values[3] = Int64GetDatum((int64) last);
	values[4] = Int64GetDatum((int64) order->base_view);
	values[5] = Int64GetDatum((int64) order->height);
	if (newest)
	{
		tl_writer_init(&writer, bytes, sizeof(bytes));
		tl_error_check(tl_consensus_summary_encode(&writer, summary), "summary of a log");
		values[6] = tl_chain_bytes(bytes, writer.size);
		nulls[6] = ' ';
	}
	if (tl_chain_execute(&upsert_summary, values, nulls, false) > 0)
		log->first = (uint64_t) DatumGetInt64(tl_chain_result(0, 0, NULL));
	tl_replication_forget_rows(given->member, log->nonce);
}

static void
store_own(TlOrder *order)
{
	Datum		values[] = {
		Int32GetDatum(order->own_first_incarnation),
		Int64GetDatum((int64) order->own_first_sequence),
		Int32GetDatum(order->own_incarnation),
		Int64GetDatum((int64) order->own_sequence),
		Int64GetDatum((int64) order->base_view),
		Int64GetDatum((int64) order->height),
		tl_chain_bytes(order->own_instance, TL_NONCE_SIZE)
	};

	if (tl_chain_execute(&upsert_own, values, NULL, false) == 0)
		return;
	order->own_first_incarnation = (uint16_t) DatumGetInt32(tl_chain_result(0, 0, NULL));
	order->own_first_sequence = (uint64_t) DatumGetInt64(tl_chain_result(0, 1, NULL));
	read_instance(order, 0, 2);
	if (order->wire->log_sender.positioned)
		tl_replication_forget_own(order->wire->log_sender.incarnation,
								  order->wire->log_sender.position);
}

static void
read_instance(TlOrder *order, uint64 row, int column)
{
	TlSpan		instance = tl_chain_result_span(row, column);

	if (instance.size != TL_NONCE_SIZE)
		elog(ERROR, "the summary of the own log has an instance of %zu bytes", instance.size);
	memcpy(order->own_instance, instance.data, TL_NONCE_SIZE);
}
