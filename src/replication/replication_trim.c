/*-------------------------------------------------------------------------
 *
 * replication_trim.c
 *	  Old rows of logs leave the own wire.
 *
 * What the ledger's database drops of a log when its time is over
 * (replication_forget.c) is of use to nobody in the wire either: who was away takes
 * final blocks from others, and follows the log across the gap
 * (replication_fetch.c).  The tables of logs are gone through from time to time, in
 * small parts, in the order of arrival, up to the first row that stays for its age,
 * its view or its place.
 *
 * Of the rows before that go ACK, PROPOSE, votes and CERT, unless
 *		it is the first row of an incarnation, or the last one of an incarnation or epoch:
 *		a REJOIN names it, and R30 asks for it;
 *		some active member may need its view (ledger_internal.needed_view), or that of the
 *		certificate in it;
 *		it contradicts another one, as far as that is known here;
 *		the founder wrote it while it was alone: its blocks are made of them;
 *		it is the newest ACK, or one that says of a copy which one it replaces (R45), or
 *		that its author holds a batch which no final block has.
 *
 * ledger_wire.forget_rows(), which only the wire's owner may call, drops them and
 * notes in ledger_wire.forgotten up to where.  Deletions are not published.  Holes that
 * this database has of its own (ledger_internal.sparse_log) are told there as well.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "lib/stringinfo.h"
#include "port/pg_bswap.h"
#include "utils/timestamp.h"

#include "chain_block.h"
#include "chain_statement.h"
#include "consensus_payload.h"
#include "replication_mark.h"
#include "replication_setting.h"
#include "replication_wire.h"
#include "tl_compat.h"

#define TIMEOUT_MS		60000
#define ROWS_MAX		256		/* looked at in one question */

/* How much of a row is read: all of an ACK; of a CERT also the view of its certificate. */
#define HEAD_SIZE		100
#define CERTIFICATE_VIEW_OFFSET	92

/* Which rows of a log may go: those before the first that a start needs. */
typedef struct TrimLog
{
	uint8_t		nonce[TL_NONCE_SIZE];
	uint64_t	first;
	uint64_t	alone;			/* up to here it was written by the founder, alone */
	bool		newest;			/* what arrives behind its first row is of later ones */
} TrimLog;

typedef struct TrimRow
{
	int64_t		arrival;
	TlLogRow	row;			/* payload of ACK only */
	uint64_t	view;			/* the later one of its own and its certificate's */
	bool		followed;		/* the next one there is of the same incarnation and epoch */
	bool		newest;			/* there is no later ACK of the incarnation */
	bool		goes;
} TrimRow;

/* What a member's rows are judged by. */
typedef struct TrimRules
{
	uint64		log_count;
	TrimLog    *logs;
	bool		has_view;
	uint64_t	epoch;
	uint64_t	view;
	unsigned	lane_count;
	TlLane		lanes[TL_MEMBER_COUNT_MAX];
	uint32_t	member;
} TrimRules;

static TlStatement select_needed = {"SELECT epoch, view FROM ledger_internal.needed_view"};
static TlStatement select_cut = {
	"SELECT cut FROM ledger_internal.block_order ORDER BY height DESC LIMIT 1"
};

/* Bytes 106 to 109 of the genesis header are the founder. */
#define ALONE(nonce) \
	"coalesce((SELECT a.seq FROM ledger_internal.order_mode AS o, ledger_internal.node AS n," \
	" unnest(o.alone_nonces, o.alone_sequences) AS a (nonce, seq) WHERE a.nonce = " nonce \
	" AND ('x' || encode(substring(n.genesis_header FROM 107 FOR 4), 'hex'))::bit(32)::bigint = $1), 0)"

static TlStatement select_logs = {
	"SELECT s.nonce, s.first_seq, s.summary IS NOT NULL, " ALONE("s.nonce")
	" FROM ledger_internal.log_summary AS s WHERE s.member = $1",
	1, {INT8OID}
};
static TlStatement select_own_logs = {
	"SELECT l.nonce, CASE WHEN l.incarnation < s.first_incarnation THEN 9223372036854775807 ELSE s.first_seq END,"
	" l.incarnation = s.first_incarnation, " ALONE("l.nonce")
	" FROM ledger_internal.own_log_summary AS s, LATERAL (SELECT f.incarnation, substring(f.message FROM 6 FOR 16)"
	" FROM generate_series(0, s.first_incarnation) AS i"
	" JOIN ledger_internal.own_log AS f ON f.incarnation = i AND f.seq = 1) AS l (incarnation, nonce)",
	1, {INT8OID}
};
static TlStatement select_contradicted = {
	"SELECT FROM ledger_internal.contradiction WHERE member = $1 AND nonce = $2 AND seq = $3",
	3, {INT8OID, BYTEAOID, INT8OID}
};
static TlStatement select_sparse = {
	"SELECT string_agg(format('(%s,%L,%s)', member, nonce, seq), ',') FROM ledger_internal.sparse_log"
};

static void rest(TlWire *wire);
static uint32_t member_of(const TlWire *wire);
static int64_t *place_of(TlWire *wire);
static void tell_sparse(TlWire *wire);
static void on_told(void *context, PGresult *result);
static void ask_mark(TlWire *wire);
static void on_mark(void *context, PGresult *result);
static void ask_rows(TlWire *wire);
static void on_rows(void *context, PGresult *result);
static int	read_rows(TrimRow *rows, const PGresult *result);
static bool read_row(TrimRow *out, const PGresult *result, int place);
static void load_rules(TrimRules *rules, const TlWire *wire);
static void load_logs(TrimRules *rules, bool own);
static int	judge(const TrimRules *rules, TrimRow *rows, int count);
static const TrimLog *find_log(const TrimRules *rules, const TlLogRow *row);
static bool is_contradicted(const TlLogRow *row);
static bool ack_counts(const TrimRules *rules, const TlLogRow *row);
static int	look_again(const TrimRow *rows, int count, int end);
static bool forget(TlWire *wire, const TrimRow *rows, int count);
static void go_on(TlWire *wire);
static void on_forgotten(void *context, PGresult *result);

/* One question at a time, when nothing has to be sent. */
void
tl_replication_trim_poll(TlWire *wire, TimestampTz now)
{
	if (!wire->identified || wire->body_sender.connection.state != TL_CONNECTION_IDLE ||
		now < wire->trim_due)
		return;
	if (wire->trim_member == TL_TRIM_RESTS)
		tell_sparse(wire);
	else if (wire->trim_member == TL_TRIM_MARKS)
		ask_mark(wire);
	else if (wire->trim_member <= wire->peer_count)
		ask_rows(wire);
	else
		rest(wire);
}

static void
rest(TlWire *wire)
{
	int			keep_s = tl_replication_keep_messages_s;

	wire->trim_member = TL_TRIM_RESTS;
	wire->trim_due = TimestampTzPlusMilliseconds(GetCurrentTimestamp(), (int64) 1000 *
												 tl_replication_mark_period_s(keep_s < 0 ? PG_INT32_MAX : keep_s));
}

/* Whose table is being gone through: the own one comes after those of the peers. */
static uint32_t
member_of(const TlWire *wire)
{
	return wire->trim_member < wire->peer_count ? wire->peers[wire->trim_member].member :
		wire->member;
}

/* And how far it was. */
static int64_t *
place_of(TlWire *wire)
{
	return wire->trim_member < wire->peer_count ? &wire->peers[wire->trim_member].trimmed :
		&wire->own_trimmed;
}

/* A pass begins: logs that have holes here have them in the wire. */
static void
tell_sparse(TlWire *wire)
{
	char	   *values;
	bool		asked = false;

	values = tl_replication_wire_text(wire, select_sparse.text, NULL, NULL, 0);
	wire->trim_member = TL_TRIM_MARKS;
	if (values != NULL)
		asked = tl_replication_connection_ask(&wire->body_sender.connection,
											  psprintf("INSERT INTO ledger_wire.forgotten AS f (member, nonce, seq) VALUES %s"
													   " ON CONFLICT (member, nonce) DO UPDATE SET seq = excluded.seq"
													   " WHERE f.seq < excluded.seq", values),
											  NULL, 0, TIMEOUT_MS, on_told, wire);
	if (!asked && tl_replication_keep_messages_s < 0)
		rest(wire);
}

static void
on_told(void *context, PGresult *result)
{
	TlWire	   *wire = context;

	if (result == NULL || !tl_replication_result_ok(result) || tl_replication_keep_messages_s < 0)
		rest(wire);
}

static void
ask_mark(TlWire *wire)
{
	if (tl_replication_keep_messages_s < 0)
		rest(wire);
	else
		tl_replication_mark_ask(&wire->body_sender.connection, TIMEOUT_MS, on_mark, wire);
}

/* Up to where everything has been here long enough. */
static void
on_mark(void *context, PGresult *result)
{
	TlWire	   *wire = context;
	int64_t		newest;

	if (wire->trim_member != TL_TRIM_MARKS)
		return;					/* it may be another wire since */
	if (!tl_replication_mark_newest(&newest, result))
	{
		rest(wire);
		return;
	}
	tl_replication_wire_begin(wire);
	wire->trim_mark = tl_replication_mark(wire->wire_id, true, newest, tl_replication_keep_messages_s);
	tl_replication_wire_end(wire);
	wire->trim_member = 0;
}

/* Rows of the same incarnation behind that of l. */
#define BEHIND \
	" FROM ledger_wire.log_%4$u AS n WHERE ledger_wire.row_key(n.message) > ledger_wire.row_key(l.message)" \
	" AND ledger_wire.row_key(n.message) <= substring(l.message FROM 6 FOR 16) || '\\xffffffffffffffff'::bytea"

static void
ask_rows(TlWire *wire)
{
	tl_replication_connection_ask(&wire->body_sender.connection,
								  psprintf("SELECT arrival, substring(message FROM 1 FOR CASE WHEN get_byte(message, 61) = %1$d"
										   " AND octet_length(message) <= %2$d THEN %2$d ELSE %3$d END),"
	/* bytes 62 to 69 of a row are its epoch */
										   " substring(message FROM 63 FOR 8) = (SELECT substring(n.message FROM 63 FOR 8)" BEHIND
										   " ORDER BY ledger_wire.row_key(n.message) LIMIT 1),"
										   " get_byte(message, 61) = %1$d AND NOT EXISTS (SELECT" BEHIND
										   " AND get_byte(n.message, 61) = %1$d)"
										   " FROM ledger_wire.log_%4$u AS l"
										   " WHERE arrival > %5$lld AND arrival <= %6$lld ORDER BY arrival LIMIT %7$d",
										   TL_LOG_ACK, TL_LOG_ROW_SIZE_FIXED + TL_ACK_SIZE_MAX, HEAD_SIZE,
										   member_of(wire), (long long) *place_of(wire),
										   (long long) wire->trim_mark, ROWS_MAX),
								  NULL, 0, TIMEOUT_MS, on_rows, wire);
}

static void
on_rows(void *context, PGresult *result)
{
	TlWire	   *wire = context;
	TrimRow    *rows;
	TrimRules  *rules;
	int			count;
	int			end;
	int			next;

	if (wire->trim_member < 0)
		return;					/* as above */
	if (result == NULL || !tl_replication_result_ok(result) || PQnfields(result) != 4)
	{
		wire->trim_member++;	/* those of others may be read all the same */
		return;
	}
	rows = palloc(sizeof(TrimRow) * ROWS_MAX);
	rules = palloc0(sizeof(TrimRules));
	count = read_rows(rows, result);
	tl_replication_wire_begin(wire);
	load_rules(rules, wire);
	end = judge(rules, rows, count);
	tl_replication_wire_end(wire);
	next = look_again(rows, count, end);
	wire->trim_next = next > 0 ? rows[next - 1].arrival : *place_of(wire);
	wire->trim_more = count == ROWS_MAX && end == count;
	if (!forget(wire, rows, count))
		go_on(wire);
}

static int
read_rows(TrimRow *rows, const PGresult *result)
{
	int			count = 0;

	for (int i = 0; i < PQntuples(result) && count < ROWS_MAX; i++)
		count += read_row(&rows[count], result, i);
	return count;
}

/* Its fixed fields (consensus_message.c); of an ACK all, and what the wire says of it. */
static bool
read_row(TrimRow *out, const PGresult *result, int place)
{
	const uint8_t *data = (const uint8_t *) PQgetvalue(result, place, 1);
	int			size = PQgetlength(result, place, 1);
	TlReader	reader;
	uint64_t	arrival;

	memset(out, 0, sizeof(*out));
	if (PQgetlength(result, place, 0) != sizeof(arrival))
		return false;
	memcpy(&arrival, PQgetvalue(result, place, 0), sizeof(arrival));
	out->arrival = (int64_t) pg_ntoh64(arrival);
	tl_reader_init(&reader, data, size);
	(void) tl_get_u8(&reader);
	out->row.member = tl_get_u32(&reader);
	tl_get_bytes(&reader, out->row.nonce, TL_NONCE_SIZE);
	out->row.sequence = tl_get_u64(&reader);
	tl_get_hash(&reader, &out->row.previous);
	out->row.kind = tl_get_u8(&reader);
	out->row.epoch = tl_get_u64(&reader);
	out->row.view = tl_get_u64(&reader);
	out->view = out->row.view;
	if (out->row.kind == TL_LOG_ACK && tl_consensus_row_decode(&out->row, data, size) != TL_OK)
		out->row.kind = 0;
	if (out->row.kind == TL_LOG_CERT && size >= HEAD_SIZE)
	{
		tl_reader_init(&reader, data + CERTIFICATE_VIEW_OFFSET, sizeof(uint64_t));
		out->view = Max(out->view, tl_get_u64(&reader));
	}
	out->followed = !PQgetisnull(result, place, 2) && *PQgetvalue(result, place, 2) != 0;
	out->newest = PQgetisnull(result, place, 3) || *PQgetvalue(result, place, 3) != 0;
	return true;
}

static void
load_rules(TrimRules *rules, const TlWire *wire)
{
	bool		own = wire->trim_member == wire->peer_count;
	TlSpan		cut;

	rules->member = member_of(wire);
	rules->has_view = tl_chain_execute(&select_needed, NULL, NULL, true) > 0;
	if (!rules->has_view)
		return;
	rules->epoch = (uint64_t) DatumGetInt64(tl_chain_result(0, 0, NULL));
	rules->view = (uint64_t) DatumGetInt64(tl_chain_result(0, 1, NULL));
	if (tl_chain_execute(&select_cut, NULL, NULL, true) > 0)
	{
		cut = tl_chain_result_span(0, 0);
		if (tl_chain_cut_decode(rules->lanes, &rules->lane_count, TL_MEMBER_COUNT_MAX,
								cut.data, cut.size) != TL_OK)
			rules->lane_count = 0;
	}
	load_logs(rules, own);
}

static void
load_logs(TrimRules *rules, bool own)
{
	Datum		value = Int64GetDatum((int64) rules->member);

	rules->log_count = tl_chain_execute(own ? &select_own_logs : &select_logs, &value, NULL, true);
	rules->logs = palloc0(sizeof(TrimLog) * (rules->log_count + 1));
	for (uint64 i = 0; i < rules->log_count; i++)
	{
		TrimLog    *log = &rules->logs[i];
		TlSpan		nonce = tl_chain_result_span(i, 0);

		if (nonce.size == TL_NONCE_SIZE)
			memcpy(log->nonce, nonce.data, TL_NONCE_SIZE);
		log->first = (uint64_t) DatumGetInt64(tl_chain_result(i, 1, NULL));
		log->newest = DatumGetBool(tl_chain_result(i, 2, NULL));
		log->alone = (uint64_t) DatumGetInt64(tl_chain_result(i, 3, NULL));
	}
}

/* Which may go, by themselves; the place of the first behind which nothing is judged. */
static int
judge(const TrimRules *rules, TrimRow *rows, int count)
{
	for (int i = 0; i < count; i++)
	{
		const TlLogRow *row = &rows[i].row;
		const TrimLog *log;
		bool		needed;

		if (row->kind < TL_LOG_ACK || row->kind > TL_LOG_CERT || row->sequence <= 1 ||
			row->member != rules->member)
			continue;
		log = find_log(rules, row);
		if (log == NULL)
			return i;			/* nothing is known of it yet */
		needed = row->sequence >= log->first || row->epoch > rules->epoch ||
			(row->epoch == rules->epoch && rows[i].view >= rules->view);
		if (needed && log->newest)
			return i;
		rows[i].goes = !needed && rows[i].followed && row->sequence > log->alone &&
			!(row->kind == TL_LOG_ACK && (rows[i].newest || ack_counts(rules, row))) &&
			!is_contradicted(row);
	}
	return count;
}

static const TrimLog *
find_log(const TrimRules *rules, const TlLogRow *row)
{
	for (uint64 i = 0; i < rules->log_count; i++)
		if (memcmp(rules->logs[i].nonce, row->nonce, TL_NONCE_SIZE) == 0)
			return &rules->logs[i];
	return NULL;
}

static bool
is_contradicted(const TlLogRow *row)
{
	Datum		values[] = {
		Int64GetDatum((int64) row->member),
		tl_chain_bytes(row->nonce, TL_NONCE_SIZE),
		Int64GetDatum((int64) row->sequence)
	};

	return tl_chain_execute(&select_contradicted, values, NULL, true) > 0;
}

/* Does it say what no later one says, to who has no summary of the log? */
static bool
ack_counts(const TrimRules *rules, const TlLogRow *row)
{
	static const uint8_t zeros[TL_NONCE_SIZE];
	TlLane		lanes[TL_MEMBER_COUNT_MAX];
	unsigned	count;
	TlAck		ack;

	if (tl_consensus_ack_decode(&ack, row->payload.data, row->payload.size) != TL_OK ||
		tl_chain_cut_decode(lanes, &count, TL_MEMBER_COUNT_MAX, ack.lanes.data, ack.lanes.size) != TL_OK)
		return false;
	if (memcmp(ack.replaced, zeros, TL_NONCE_SIZE) != 0)
		return true;
	for (unsigned i = 0; i < count; i++)
	{
		bool		ordered = false;

		for (unsigned j = 0; j < rules->lane_count; j++)
			ordered |= rules->lanes[j].member == lanes[i].member &&
				(lanes[i].incarnation < rules->lanes[j].incarnation ||
				 (lanes[i].incarnation == rules->lanes[j].incarnation &&
				  lanes[i].batch <= rules->lanes[j].batch));
		if (!ordered)
			return true;
	}
	return false;
}

/* From which row on they are to be read in the next pass: an ACK may be the newest no more then. */
static int
look_again(const TrimRow *rows, int count, int end)
{
	for (int i = 0; i < end; i++)
		if (rows[i].newest && rows[i].row.kind == TL_LOG_ACK && (i > 0 || count < ROWS_MAX))
			return i;
	return end;
}

/* False if nothing goes, or it cannot be asked for. */
static bool
forget(TlWire *wire, const TrimRow *rows, int count)
{
	StringInfoData arrivals;
	TlParameter parameter = {NULL, 0, false};

	initStringInfo(&arrivals);
	for (int i = 0; i < count; i++)
		if (rows[i].goes)
			appendStringInfo(&arrivals, "%c%lld", arrivals.len == 0 ? '{' : ',',
							 (long long) rows[i].arrival);
	if (arrivals.len == 0)
		return false;
	appendStringInfoChar(&arrivals, '}');
	parameter.data = arrivals.data;
	return tl_replication_connection_ask(&wire->body_sender.connection,
										 psprintf("SELECT ledger_wire.forget_rows(%u, $1::bigint[])",
												  member_of(wire)),
										 &parameter, 1, TIMEOUT_MS, on_forgotten, wire);
}

static void
on_forgotten(void *context, PGresult *result)
{
	TlWire	   *wire = context;

	if (wire->trim_member < 0)
		return;					/* as above */
	if (result != NULL && tl_replication_result_ok(result))
	{
		go_on(wire);
		return;
	}
	wire->repair_due = 0;
	wire->trim_member++;		/* in the next pass once more */
}

static void
go_on(TlWire *wire)
{
	*place_of(wire) = wire->trim_next;
	if (!wire->trim_more)
		wire->trim_member++;
}
