/*-------------------------------------------------------------------------
 *
 * replication_mark.c
 *	  Since when what is in the own wire has been there.
 *
 * How long ago something arrived, the wire does not say.  So it is noted in
 * ledger_internal.wire_mark which number was the newest when: for bodies and for
 * rows of logs apart, as they are kept for different times, and marks are made
 * eight times in such a time.
 *
 * The caller is in a transaction and has connected SPI.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "port/pg_bswap.h"
#include "utils/uuid.h"

#include "chain_statement.h"
#include "replication_mark.h"
#include "tl_compat.h"

#define PERIOD_S_MIN		1
#define PERIOD_S_MAX		600
#define PERIODS				8	/* in the time for which something is kept */

static TlStatement insert_mark = {
	"INSERT INTO ledger_internal.wire_mark (wire, of_rows, arrival) SELECT $1, $2, $3 WHERE NOT EXISTS"
	" (SELECT FROM ledger_internal.wire_mark AS m WHERE m.wire = $1 AND m.of_rows = $2"
	" AND (m.arrival >= $3 OR m.at > clock_timestamp() - make_interval(secs => $4)))",
	4, {UUIDOID, BOOLOID, INT8OID, INT4OID}
};
static TlStatement delete_marks = {
	"DELETE FROM ledger_internal.wire_mark WHERE wire <> $1 OR (of_rows = $2 AND arrival <"
	" (SELECT max(m.arrival) FROM ledger_internal.wire_mark AS m WHERE m.wire = $1 AND m.of_rows = $2"
	" AND m.at < clock_timestamp() - make_interval(secs => $3)))",
	3, {UUIDOID, BOOLOID, INT4OID}
};
static TlStatement select_mark = {
	"SELECT coalesce(max(arrival), 0) FROM ledger_internal.wire_mark WHERE wire = $1 AND of_rows = $2"
	" AND at <= clock_timestamp() - make_interval(secs => $3)",
	3, {UUIDOID, BOOLOID, INT4OID}
};

/* From one mark to the next. */
int
tl_replication_mark_period_s(int keep_s)
{
	return Min(Max(keep_s / PERIODS, PERIOD_S_MIN), PERIOD_S_MAX);
}

/* The newest number is that one now.  Up to which is all older than that time; 0: nothing. */
int64_t
tl_replication_mark(const uint8_t wire[16], bool of_rows, int64_t newest, int keep_s)
{
	pg_uuid_t	uuid;
	Datum		values[] = {
		UUIDPGetDatum(&uuid), BoolGetDatum(of_rows), Int64GetDatum(newest),
		Int32GetDatum(tl_replication_mark_period_s(keep_s))
	};

	memcpy(uuid.data, wire, UUID_LEN);
	tl_chain_execute(&insert_mark, values, NULL, false);
	values[2] = Int32GetDatum(keep_s);
	tl_chain_execute(&delete_marks, values, NULL, false);
	tl_chain_execute(&select_mark, values, NULL, false);
	return DatumGetInt64(tl_chain_result(0, 0, NULL));
}

/* The number of the newest arrival, asked for ... */
bool
tl_replication_mark_ask(TlConnection *connection, int timeout_ms, TlConnectionDone done, void *context)
{
	return tl_replication_connection_ask(connection, "SELECT last_value FROM ledger_wire.arrival",
										 NULL, 0, timeout_ms, done, context);
}

/* ... and read. */
bool
tl_replication_mark_newest(int64_t *out, const PGresult *result)
{
	uint64_t	newest;

	if (result == NULL || !tl_replication_result_ok(result) || PQntuples(result) != 1 ||
		PQgetlength(result, 0, 0) != sizeof(newest))
		return false;
	memcpy(&newest, PQgetvalue(result, 0, 0), sizeof(newest));
	*out = (int64_t) pg_ntoh64(newest);
	return true;
}
