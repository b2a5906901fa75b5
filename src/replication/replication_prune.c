/*-------------------------------------------------------------------------
 *
 * replication_prune.c
 *	  Bodies leave the own wire when the ledger's database does not keep them.
 *
 * A chunk that arrived longer ago than telco_ledger.keep_bodies, and that
 * neither waits for its batch nor is kept here, is of no use in the wire: its batch
 * is applied (src/node/node_prune.c), or there is none.  The tables of bodies are
 * gone through from time to time, in small parts, in the order of arrival.
 *
 * The wire's guards let nobody delete; ledger_wire.forget_bodies(), which only the
 * wire's owner may call, does it.  Deletions are not published.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "lib/stringinfo.h"
#include "port/pg_bswap.h"
#include "utils/array.h"
#include "utils/timestamp.h"

#include "chain_statement.h"
#include "replication_mark.h"
#include "replication_setting.h"
#include "replication_wire.h"
#include "tl_compat.h"

#define TIMEOUT_MS			60000
#define CHUNKS_MAX			256 /* looked at in one question */
#define GRACE_S_MIN			2	/* a chunk may be here before its BATCH row */
#define REBUILT_MS			60000	/* until what was shown is looked through again */

static TlStatement select_height = {
	"SELECT coalesce((SELECT body_height FROM ledger_internal.pruned), 0)"
};
static TlStatement select_useless = {
	"SELECT a FROM unnest($1, $2) AS u (a, d)"
	" WHERE NOT EXISTS (SELECT FROM ledger_internal.own_body WHERE digest = d)"
	" AND NOT EXISTS (SELECT FROM ledger_internal.peer_body WHERE digest = d)"
	" AND NOT EXISTS (SELECT FROM ledger_internal.wanted_chunk WHERE digest = d)",
	2, {INT8ARRAYOID, BYTEAARRAYOID}
};

static void ask_rebuilt(TlWire *wire);
static void on_rebuilt(void *context, PGresult *result);
static int	grace_s(void);
static uint32_t member_of(const TlWire *wire);
static void rest(TlWire *wire);
static void on_mark(void *context, PGresult *result);
static void ask_chunks(TlWire *wire);
static void on_chunks(void *context, PGresult *result);
static char *useless(TlWire *wire, PGresult *result);
static void forget(TlWire *wire, uint32_t member, const char *arrivals);
static void on_forgotten(void *context, PGresult *result);

/* One question at a time, when nothing has to be sent. */
void
tl_replication_prune_poll(TlWire *wire, TimestampTz now)
{
	if (!wire->identified || wire->body_sender.connection.state != TL_CONNECTION_IDLE)
		return;
	if (now >= wire->rebuilt_due)
		ask_rebuilt(wire);
	else if (tl_replication_keep_bodies_s < 0 || now < wire->prune_due)
		return;
	else if (wire->prune_member < 0)
		tl_replication_mark_ask(&wire->body_sender.connection, TIMEOUT_MS, on_mark, wire);
	else if (wire->prune_member <= wire->peer_count)
		ask_chunks(wire);
	else
		rest(wire);
}

/* What was made again for others goes after TL_SHOWN_MINUTES, also on a ledger at rest. */
static void
ask_rebuilt(TlWire *wire)
{
	wire->rebuilt_due = TimestampTzPlusMilliseconds(GetCurrentTimestamp(), REBUILT_MS);
	tl_replication_connection_ask(&wire->body_sender.connection,
								  "WITH old AS (DELETE FROM ledger_wire.rebuilt WHERE made_at < now() - interval '" CppAsString2(TL_SHOWN_MINUTES) " minutes')"
								  " SELECT FROM ledger_wire.rebuilt WHERE made_at >= now() - interval '" CppAsString2(TL_SHOWN_MINUTES) " minutes' LIMIT 1",
								  NULL, 0, TIMEOUT_MS, on_rebuilt, wire);
}

static void
on_rebuilt(void *context, PGresult *result)
{
	TlWire	   *wire = context;

	if (result != NULL && tl_replication_result_ok(result) && PQntuples(result) == 0)
		wire->rebuilt_due = DT_NOEND;
}

/* What is younger stays. */
static int
grace_s(void)
{
	return Max(tl_replication_keep_bodies_s, GRACE_S_MIN);
}

/* Whose table is being gone through: the own one comes after those of the peers. */
static uint32_t
member_of(const TlWire *wire)
{
	return wire->prune_member < wire->peer_count ? wire->peers[wire->prune_member].member :
		wire->member;
}

static void
rest(TlWire *wire)
{
	wire->prune_member = -1;
	wire->prune_due = TimestampTzPlusMilliseconds(GetCurrentTimestamp(), (int64) 1000 * tl_replication_mark_period_s(grace_s()));
}

/* Up to where everything has been here long enough; is there anything new to forget? */
static void
on_mark(void *context, PGresult *result)
{
	TlWire	   *wire = context;
	int64_t		newest;
	int64_t		mark;
	int64_t		height;

	if (!tl_replication_mark_newest(&newest, result))
	{
		rest(wire);
		return;
	}
	tl_replication_wire_begin(wire);
	mark = tl_replication_mark(wire->wire_id, false, newest, grace_s());
	tl_chain_execute(&select_height, NULL, NULL, false);
	height = DatumGetInt64(tl_chain_result(0, 0, NULL));
	tl_replication_wire_end(wire);
	if (mark == 0 || (mark == wire->prune_mark && height == wire->prune_height))
	{
		rest(wire);
		return;
	}
	wire->prune_mark = mark;
	wire->prune_height = height;
	wire->prune_member = 0;
	wire->prune_arrival = 0;
}

static void
ask_chunks(TlWire *wire)
{
	tl_replication_connection_ask(&wire->body_sender.connection,
								  psprintf("SELECT arrival, sha256(chunk) FROM ledger_wire.body_%u"
										   " WHERE arrival > %lld AND arrival <= %lld ORDER BY arrival LIMIT %d",
										   member_of(wire), (long long) wire->prune_arrival,
										   (long long) wire->prune_mark, CHUNKS_MAX),
								  NULL, 0, TIMEOUT_MS, on_chunks, wire);
}

static void
on_chunks(void *context, PGresult *result)
{
	TlWire	   *wire = context;
	char	   *arrivals;

	if (result == NULL || !tl_replication_result_ok(result) || PQnfields(result) != 2)
	{
		rest(wire);
		wire->prune_mark = 0;	/* all of it once more */
		return;
	}
	arrivals = useless(wire, result);
	if (PQntuples(result) < CHUNKS_MAX)
	{
		uint32_t	member = member_of(wire);

		wire->prune_member++;
		wire->prune_arrival = 0;
		if (arrivals != NULL)
			forget(wire, member, arrivals);
	}
	else if (arrivals != NULL)
		forget(wire, member_of(wire), arrivals);
}

/* The numbers of those that are kept nowhere, as an array; NULL: none. */
static char *
useless(TlWire *wire, PGresult *result)
{
	Datum		arrivals[CHUNKS_MAX];
	Datum		digests[CHUNKS_MAX];
	Datum		values[2];
	StringInfoData out;
	uint64		found;
	int			count = 0;
	MemoryContext caller = CurrentMemoryContext;

	for (int i = 0; i < PQntuples(result) && i < CHUNKS_MAX; i++)
	{
		uint64_t	arrival;

		if (PQgetlength(result, i, 0) != sizeof(arrival) ||
			PQgetlength(result, i, 1) != TL_HASH_SIZE)
			continue;
		memcpy(&arrival, PQgetvalue(result, i, 0), sizeof(arrival));
		wire->prune_arrival = (int64_t) pg_ntoh64(arrival);
		arrivals[count] = Int64GetDatum(wire->prune_arrival);
		digests[count++] = tl_chain_bytes(PQgetvalue(result, i, 1), TL_HASH_SIZE);
	}
	if (count == 0)
		return NULL;
	initStringInfo(&out);
	values[0] = PointerGetDatum(construct_array(arrivals, count, INT8OID, sizeof(int64),
												FLOAT8PASSBYVAL, TYPALIGN_DOUBLE));
	values[1] = PointerGetDatum(construct_array(digests, count, BYTEAOID, -1, false, TYPALIGN_INT));
	tl_replication_wire_begin(wire);
	found = tl_chain_execute(&select_useless, values, NULL, true);
	MemoryContextSwitchTo(caller);
	for (uint64 i = 0; i < found; i++)
		appendStringInfo(&out, "%c%lld", i == 0 ? '{' : ',',
						 (long long) DatumGetInt64(tl_chain_result(i, 0, NULL)));
	tl_replication_wire_end(wire);
	if (found == 0)
		return NULL;
	appendStringInfoChar(&out, '}');
	return out.data;
}

static void
forget(TlWire *wire, uint32_t member, const char *arrivals)
{
	TlParameter parameter = {arrivals, 0, false};

	tl_replication_connection_ask(&wire->body_sender.connection,
								  psprintf("SELECT ledger_wire.forget_bodies(%u, $1::bigint[])", member),
								  &parameter, 1, TIMEOUT_MS, on_forgotten, wire);
}

static void
on_forgotten(void *context, PGresult *result)
{
	TlWire	   *wire = context;

	if (result != NULL && tl_replication_result_ok(result))
		return;
	rest(wire);
	wire->prune_mark = 0;
	wire->repair_due = 0;
}
