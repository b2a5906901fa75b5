/*-------------------------------------------------------------------------
 *
 * replication_link.c
 *	  Subscriptions of the own wire to the wires of peers.
 *
 * Two for each peer, one to its log and one to its bodies.  The admin
 * connection looks at them regularly and does one thing at a time: makes one
 * that is missing and for which the peer has slots, drops one that somebody has
 * changed, enables one that an error has stopped.
 *
 * An error in the apply worker is the publisher's doing (types, sizes, foreign
 * or changed rows), so the link stops (disable_on_error), and is tried again
 * after a pause that doubles.  Before that the slot at the publisher is moved
 * past what stopped it, as the same transaction would stop it again; what was
 * in it is fetched (replication_fetch.c).
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "executor/spi.h"
#include "utils/builtins.h"
#include "utils/timestamp.h"

#include "replication_setting.h"
#include "replication_wire.h"
#include "tl_compat.h"

#define LOOK_TIMEOUT_MS		30000
#define LINK_TIMEOUT_MS		30000
#define PAUSE_MS_MIN		1000
#define PAUSE_MS_MAX		60000

/* A subscription as this library makes it, or the lag of a slot. */
static const char look_query[] =
"SELECT s.subname::text, s.subenabled::text, s.subconninfo, s.subslotname::text,"
" (st.pid IS NOT NULL)::text,"
" (s.subbinary AND s.subdisableonerr AND s.substream::text IN ('false', 'f')"
" AND s.subtwophasestate = 'd'"
" AND pg_catalog.pg_get_userbyid(s.subowner) LIKE 'ledger\\_%\\_apply'"
" AND ARRAY(SELECT r.srrelid FROM pg_catalog.pg_subscription_rel AS r WHERE r.srsubid = s.oid)"
" = ARRAY[pg_catalog.to_regclass('ledger_wire.' || s.subname)::oid])::text"
" FROM pg_catalog.pg_subscription AS s"
" LEFT JOIN pg_catalog.pg_stat_subscription AS st ON st.subid = s.oid AND st.relid IS NULL"
" WHERE s.subdbid = (SELECT oid FROM pg_catalog.pg_database WHERE datname = pg_catalog.current_database())"
" UNION ALL SELECT slot_name::text, NULL, NULL, NULL, NULL,"
" pg_catalog.pg_wal_lsn_diff(pg_catalog.pg_current_wal_lsn(), confirmed_flush_lsn)::text"
" FROM pg_catalog.pg_replication_slots WHERE database = pg_catalog.current_database()";

static const char *const kinds[] = {"log", "body"};

static void on_look(void *context, PGresult *result);
static void see_subscription(TlWire *wire, PGresult *result, int row);
static void see_slot(TlWire *wire, const char *name, const char *lag);
static void judge(TlWire *wire, TlPeer *peer, TlLink *link, int kind, PGresult *result, int row);
static bool tend(TlWire *wire, int peer, int kind, TimestampTz now);
static bool may_make(TlWire *wire, int peer);
static void set_unmade(TlLink *links, TlLinkState state);
static void on_slots(void *context, PGresult *result);
static bool ask(TlWire *wire, int peer, int kind, const char *query);
static char *make_script(TlWire *wire, int peer, int kind);
static void on_done(void *context, PGresult *result);
static bool ask_to_advance(TlWire *wire, int peer, int kind);
static void on_advanced(void *context, PGresult *result);
static void wait_longer(TlLink *link);

void
tl_replication_link_look(TlWire *wire)
{
	for (int i = 0; i < wire->peer_count; i++)
		wire->links[i][0].seen = wire->links[i][1].seen = false;
	tl_replication_connection_ask(&wire->admin, look_query, NULL, 0,
								  LOOK_TIMEOUT_MS, on_look, wire);
}

/* Do the first thing that is due.  False if nothing is. */
bool
tl_replication_link_tend(TlWire *wire, TimestampTz now)
{
	for (int i = 0; i < wire->peer_count; i++)
		for (int kind = 0; kind < lengthof(kinds); kind++)
			if (tend(wire, i, kind, now))
				return true;
	return false;
}

static void
on_look(void *context, PGresult *result)
{
	TlWire	   *wire = context;

	if (result == NULL)
		return;
	if (!tl_replication_result_ok(result) || PQnfields(result) != 6)
	{
		tl_replication_connection_close(&wire->admin, PQresultErrorField(result, PG_DIAG_MESSAGE_PRIMARY));
		return;
	}
	for (int row = 0; row < PQntuples(result); row++)
	{
		if (PQgetisnull(result, row, 1))
			see_slot(wire, PQgetvalue(result, row, 0), PQgetvalue(result, row, 5));
		else
			see_subscription(wire, result, row);
	}
	wire->step = TL_WIRE_LINK;
}

static void
see_subscription(TlWire *wire, PGresult *result, int row)
{
	const char *name = PQgetvalue(result, row, 0);

	for (int i = 0; i < wire->peer_count; i++)
		for (int kind = 0; kind < lengthof(kinds); kind++)
			if (strcmp(name, psprintf("%s_%u", kinds[kind], wire->peers[i].member)) == 0)
				judge(wire, &wire->peers[i], &wire->links[i][kind], kind, result, row);
}

static void
judge(TlWire *wire, TlPeer *peer, TlLink *link, int kind, PGresult *result, int row)
{
	char	   *conninfo = tl_replication_address_conninfo(peer->address, tl_replication_setting_role(&wire->chain_id, wire->member));
	char	   *slot = tl_replication_setting_slot(&wire->chain_id, peer->member, wire->member, kinds[kind]);
	bool		enabled = strcmp(PQgetvalue(result, row, 1), "true") == 0;
	bool		works = strcmp(PQgetvalue(result, row, 4), "true") == 0;

	link->seen = true;
	link->wrong = conninfo == NULL || strcmp(PQgetvalue(result, row, 2), conninfo) != 0 ||
		strcmp(PQgetvalue(result, row, 3), slot) != 0 ||
		strcmp(PQgetvalue(result, row, 5), "true") != 0;
	if (!enabled)
	{
		if (link->state == TL_LINK_STREAMING || link->state == TL_LINK_CONNECTING)
		{
			TlLinkStatus *status = &wire->status[peer - wire->peers];

			status->stops++;
			snprintf(status->reason, sizeof(status->reason),
					 "the server of the wire stopped %s_%u: its log says why",
					 kinds[kind], peer->member);
			link->advanced = false;
			wait_longer(link);
		}
		link->state = TL_LINK_STOPPED;
	}
	else
	{
		link->state = works ? TL_LINK_STREAMING : TL_LINK_CONNECTING;
		if (works && TimestampDifferenceExceeds(link->due, GetCurrentTimestamp(), PAUSE_MS_MAX))
			link->pause_ms = 0;
	}
}

/* The own slot that feeds a peer: what it retains. */
static void
see_slot(TlWire *wire, const char *name, const char *lag)
{
	for (int i = 0; i < wire->peer_count; i++)
		if (strcmp(name, tl_replication_setting_slot(&wire->chain_id, wire->member,
													 wire->peers[i].member, kinds[0])) == 0)
			wire->status[i].lag_bytes = atoll(lag);
}

static bool
tend(TlWire *wire, int peer, int kind, TimestampTz now)
{
	TlLink	   *link = &wire->links[peer][kind];
	char	   *name = psprintf("%s_%u", kinds[kind], wire->peers[peer].member);

	if (link->seen && link->wrong)
	{
		wire->links[peer]->has_slots = false;
		return ask(wire, peer, kind,
				   psprintf("DO $$BEGIN ALTER SUBSCRIPTION %s DISABLE;"
							" ALTER SUBSCRIPTION %s SET (slot_name = NONE);"
							" DROP SUBSCRIPTION %s; END$$", name, name, name));
	}
	if (wire->peers[peer].address[0] == '\0')
	{
		link->state = TL_LINK_NO_ADDRESS;
		return false;
	}
	if (now < link->due)
		return false;
	if (!link->seen)
		return may_make(wire, peer) && ask(wire, peer, kind, make_script(wire, peer, kind));
	if (link->state != TL_LINK_STOPPED)
		return false;
	if (!link->advanced && wire->peers[peer].wire.state != TL_CONNECTION_CLOSED)
	{
		(void) ask_to_advance(wire, peer, kind);
		return false;
	}
	return ask(wire, peer, kind, psprintf("ALTER SUBSCRIPTION %s ENABLE", name));
}

/*
 * A peer makes the slots when this member is one for it.  Until it has said that
 * they are there the server would begin to stream in vain, every few seconds,
 * with errors in both logs.  It is the ledger's server that asks, and the wire's
 * that streams: both have to reach the peer.
 */
static bool
may_make(TlWire *wire, int peer)
{
	TlLink	   *links = wire->links[peer];
	TlConnection *connection = &wire->peers[peer].wire;

	if (links->has_slots)
		return true;
	links->wants_slots = true;
	if (connection->state == TL_CONNECTION_CLOSED && connection->failures > 0)
		set_unmade(links, TL_LINK_REFUSED);
	(void) tl_replication_link_ask(wire, peer);
	return false;
}

static void
set_unmade(TlLink *links, TlLinkState state)
{
	for (int kind = 0; kind < lengthof(kinds); kind++)
		if (!links[kind].seen)
			links[kind].state = state;
}

/* Before anything else that is asked of the peer, who may be busy when the links are tended. */
bool
tl_replication_link_ask(TlWire *wire, int peer)
{
	TlParameter parameters[lengthof(kinds)] = {0};

	if (!wire->links[peer]->wants_slots)
		return false;
	for (int kind = 0; kind < lengthof(kinds); kind++)
		parameters[kind].data =
			tl_replication_setting_slot(&wire->chain_id, wire->peers[peer].member, wire->member, kinds[kind]);
	return tl_replication_connection_ask(&wire->peers[peer].wire,
										 "SELECT FROM pg_catalog.pg_replication_slots WHERE slot_name IN ($1, $2)",
										 parameters, lengthof(parameters), LOOK_TIMEOUT_MS, on_slots, wire->links[peer]);
}

static void
on_slots(void *context, PGresult *result)
{
	TlLink	   *links = context;

	if (result == NULL)
		return;
	links->wants_slots = false;
	if (!tl_replication_result_ok(result))
		return;					/* the next look asks again */
	links->has_slots = PQntuples(result) == lengthof(kinds);
	set_unmade(links, links->has_slots ? TL_LINK_NONE : TL_LINK_NO_SLOT);
}

static bool
ask(TlWire *wire, int peer, int kind, const char *query)
{
	wire->asked_peer = peer;
	wire->asked_kind = kind;
	return tl_replication_connection_ask(&wire->admin, query, NULL, 0,
										 LINK_TIMEOUT_MS, on_done, wire);
}

static char *
make_script(TlWire *wire, int peer, int kind)
{
	Datum		values[] = {
		Int64GetDatum((int64) wire->peers[peer].member),
		CStringGetTextDatum(kinds[kind]),
		CStringGetTextDatum(tl_replication_address_conninfo(wire->peers[peer].address,
															tl_replication_setting_role(&wire->chain_id, wire->member)))
	};
	Oid			types[] = {INT8OID, TEXTOID, TEXTOID};

	return tl_replication_wire_text(wire, "SELECT ledger_internal.wire_link_script($1, $2, $3)",
									values, types, lengthof(values));
}

static void
on_done(void *context, PGresult *result)
{
	TlWire	   *wire = context;
	TlLink	   *link = &wire->links[wire->asked_peer][wire->asked_kind];
	TlLinkStatus *status = &wire->status[wire->asked_peer];
	const char *message = NULL;

	wire->look_due = 0;			/* see what has become of it */
	wire->step = TL_WIRE_REST;
	if (result != NULL && tl_replication_result_ok(result))
	{
		if (link->seen && !link->wrong)
			link->state = TL_LINK_CONNECTING;
		else
			link->pause_ms = 0;
		return;
	}
	link->state = TL_LINK_REFUSED;
	wait_longer(link);
	if (result != NULL)			/* NULL also of a result that libpq has made up */
		message = PQresultErrorField(result, PG_DIAG_MESSAGE_PRIMARY);
	tl_replication_connection_text(status->reason, sizeof(status->reason),
								   message != NULL ? message :
								   "the connection to the own wire was lost");
}

/* At the publisher, as the role that may; whatever comes of it. */
static bool
ask_to_advance(TlWire *wire, int peer, int kind)
{
	char	   *slot = tl_replication_setting_slot(&wire->chain_id, wire->peers[peer].member,
													wire->member, kinds[kind]);
	TlParameter parameter = {slot, 0, false};

	return tl_replication_connection_ask(&wire->peers[peer].wire,
										 "SELECT pg_catalog.pg_replication_slot_advance($1, pg_catalog.pg_current_wal_lsn())",
										 &parameter, 1, LINK_TIMEOUT_MS,
										 on_advanced, &wire->links[peer][kind]);
}

static void
on_advanced(void *context, PGresult *result)
{
	((TlLink *) context)->advanced = true;
}

static void
wait_longer(TlLink *link)
{
	link->pause_ms = Min(Max(link->pause_ms * 2, PAUSE_MS_MIN), PAUSE_MS_MAX);
	link->due = TimestampTzPlusMilliseconds(GetCurrentTimestamp(), link->pause_ms);
}
