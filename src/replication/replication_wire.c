/*-------------------------------------------------------------------------
 *
 * replication_wire.c
 *	  The wire of one ledger database: what the worker's loop calls.
 *
 * One admin connection to the wire database makes and repairs what is there,
 * one thing after the other:
 *
 *		database -> tables, guards, roles, publications -> slots -> links
 *
 * When the tables are there, the connections that send and read begin.  A
 * failure anywhere is tried again later and shown in ledger.peer; none of it
 * touches what the ledger's own database does.
 *
 * The scripts are texts in sql/71_wire.sql.
 *
 * Peers are added and change their address while this runs; one that is
 * removed is forgotten when the process starts anew.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/xact.h"
#include "catalog/pg_authid.h"
#include "catalog/pg_type.h"
#include "commands/dbcommands.h"
#include "executor/spi.h"
#include "lib/stringinfo.h"
#include "miscadmin.h"
#include "postmaster/postmaster.h"
#include "utils/builtins.h"
#include "utils/guc.h"
#include "utils/memutils.h"
#include "utils/snapmgr.h"
#include "utils/timestamp.h"

#include "chain_statement.h"
#include "replication_setting.h"
#include "replication_wire.h"
#include "tl_compat.h"

#define ADMIN_TIMEOUT_MS	60000
#define LOOK_PERIOD_MS		1000
#define REPAIR_PERIOD_MS	10000
#define STALL_MS			1000	/* that a call may come too late */
#define ANSWER_SIZE_MAX		(64 * 1024 * 1024)

static TlStatement select_peers = {
	/* who has left is not linked to any more; what is kept of his log stays */
	"SELECT p.member, p.row_key, CASE WHEN p.left_at IS NULL THEN coalesce(p.address, '') ELSE '' END"
	" FROM ledger_internal.peer AS p WHERE p.member <> (SELECT member FROM ledger_internal.node)"
	" ORDER BY p.left_at IS NOT NULL, p.member",
	0, {0}
};

static void load_peer(TlWire *wire, uint32_t member, const bytea *row_key, const char *address);
static void load_keys(TlWire *wire);
static void note_stall(TlWire *wire, TimestampTz now);
static void tend_admin(TlWire *wire, TimestampTz now);
static void ask_script(TlWire *wire, const char *function);
static void on_repaired(void *context, PGresult *result);
static void on_slots(void *context, PGresult *result);
static void fail(TlWire *wire, const PGresult *result);
static void go_ready(TlWire *wire);
static void tend_database(TlWire *wire);
static void on_looked_for(void *context, PGresult *result);
static void on_database_made(void *context, PGresult *result);
static void put_status(TlWire *wire, TimestampTz now);
static void put_peer_status(TlWire *wire, int index, TimestampTz now);

void
tl_replication_wire_init(TlWire *wire, Oid database, uint32_t member,
						 const TlHash *chain_id,
						 const uint8_t row_key[TL_XONLY_KEY_SIZE],
						 const char *conninfo, const TlSink *sink)
{
	memset(wire, 0, sizeof(*wire));
	wire->database = database;
	wire->member = member;
	wire->chain_id = *chain_id;
	tl_replication_key_init(&wire->keys, row_key);
	wire->sink = *sink;
	wire->peers = MemoryContextAllocZero(TopMemoryContext,
										 sizeof(TlPeer) * TL_MEMBER_COUNT_MAX);
	wire->conninfo = MemoryContextStrdup(TopMemoryContext, conninfo);
	wire->maintenance = tl_replication_setting_other_database(conninfo, "postgres");
	wire->context = AllocSetContextCreate(TopMemoryContext, "telco_ledger wire turn",
										  ALLOCSET_DEFAULT_SIZES);
	wire->chunk_source = -1;
	wire->wants_chunks = true;
	wire->prune_member = -1;
	wire->trim_member = TL_TRIM_RESTS;
	tl_replication_connection_init(&wire->admin, "wire", true, ANSWER_SIZE_MAX);
	tl_replication_connection_init(&wire->reader, "wire for arrivals", true, ANSWER_SIZE_MAX);
	tl_replication_send_init(&wire->log_sender, wire, false);
	tl_replication_send_init(&wire->body_sender, wire, true);
	tl_replication_connection_to(&wire->admin, conninfo);
	wire->step = TL_WIRE_REPAIR;
	wire->own_status.database = database;
	wire->own_status.member = member;
	tl_replication_status_free(database);
}

/* Read the peers from their table; the count. */
int
tl_replication_wire_reload(TlWire *wire)
{
	uint64		count;
	int			before = wire->peer_count;

	tl_replication_wire_begin(wire);
	count = tl_chain_execute(&select_peers, NULL, NULL, true);
	for (uint64 i = 0; i < count; i++)
		load_peer(wire, (uint32_t) DatumGetInt64(tl_chain_result(i, 0, NULL)),
				  DatumGetByteaPP(tl_chain_result(i, 1, NULL)),
				  TextDatumGetCString(tl_chain_result(i, 2, NULL)));
	load_keys(wire);
	for (int i = before; i < wire->peer_count && wire->identified; i++)
		tl_replication_store_load_logs(&wire->peers[i], wire->wire_id);
	tl_replication_wire_end(wire);
	if (wire->peer_count > before)
		wire->repair_due = 0;
	wire->look_due = 0;
	return wire->peer_count;
}

/*
 * Which key signs in which epoch.  Of a member who has another one since the
 * epoch that has begun some rows may be here that were taken for its, and are
 * not kept any more, and others may wait that could not be checked.
 */
static void
load_keys(TlWire *wire)
{
	wire->epoch = tl_replication_key_epoch();
	tl_replication_key_load(&wire->keys, wire->member, wire->keys.list[0].key);
	for (int i = 0; i < wire->peer_count; i++)
	{
		TlPeer	   *peer = &wire->peers[i];
		uint8_t		first[TL_XONLY_KEY_SIZE];
		int			before = peer->keys.count;

		memcpy(first, peer->keys.list[0].key, sizeof(first));
		tl_replication_key_load(&peer->keys, peer->member, first);
		if (!wire->identified ||
			(peer->keys.count == before &&
			 memcmp(first, peer->keys.list[0].key, sizeof(first)) == 0))
			continue;
		tl_replication_store_load_logs(peer, wire->wire_id);
		for (int j = 0; j < peer->log_count; j++)
		{
			/* the next row may be one that had to wait: it is looked for at once */
			peer->logs[j].known = Max(peer->logs[j].known, peer->logs[j].sequence + 1);
			peer->logs[j].source = -1;
			peer->logs[j].due = 0;
			peer->logs[j].pause_ms = 0;
		}
	}
}

/* NULL: this process knows none. */
TlPeer *
tl_replication_wire_peer(TlWire *wire, uint32_t member)
{
	for (int i = 0; i < wire->peer_count; i++)
		if (wire->peers[i].member == member)
			return &wire->peers[i];
	return NULL;
}

static void
load_peer(TlWire *wire, uint32_t member, const bytea *row_key, const char *address)
{
	TlPeer	   *peer = tl_replication_wire_peer(wire, member);

	if (peer == NULL)
	{
		int			index = wire->peer_count;

		if (wire->peer_count == TL_MEMBER_COUNT_MAX)
		{
			ereport(WARNING,
					errmsg("there is no room for the wire of member %u", member),
					errdetail("%d peers are known since this process began, those who have left among them.",
							  TL_MEMBER_COUNT_MAX),
					errhint("Restart the process: SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE backend_type = 'telco_ledger wire'."));
			return;
		}
		peer = &wire->peers[wire->peer_count++];
		memset(peer, 0, sizeof(*peer));
		peer->member = member;
		tl_replication_key_init(&peer->keys, (const uint8_t *) VARDATA_ANY(row_key));
		peer->log_count = 1;
		for (int i = 0; i < TL_PEER_LOGS_MAX; i++)
			peer->logs[i].source = -1;
		snprintf(peer->label, sizeof(peer->label), "wire of member %u", member);
		tl_replication_connection_init(&peer->wire, peer->label, false, ANSWER_SIZE_MAX);
		wire->status[index].database = wire->database;
		wire->status[index].member = member;
		wire->status[index].lag_bytes = -1;
	}
	if (tl_replication_address_check(address) != NULL)
		address = "";			/* who wrote it past the functions */
	strlcpy(peer->address, address, sizeof(peer->address));
	tl_replication_connection_to(&peer->wire, address[0] == '\0' ? NULL :
								 tl_replication_address_conninfo(address,
																 tl_replication_setting_role(&wire->chain_id, wire->member)));
}

/* Do all that can be done without waiting; when to call again at the latest. */
TimestampTz
tl_replication_wire_poll(TlWire *wire, TimestampTz now)
{
	MemoryContext caller = MemoryContextSwitchTo(wire->context);
	TimestampTz wake;

	MemoryContextReset(wire->context);
	note_stall(wire, now);
	tl_replication_connection_poll(&wire->admin, now);
	tend_admin(wire, now);
	tl_replication_send_poll(&wire->log_sender, now);
	tl_replication_send_poll(&wire->body_sender, now);
	tl_replication_arrival_poll(wire, now);
	wake = tl_replication_fetch_poll(wire, now);
	tl_replication_copy_poll(wire, now);
	tl_replication_body_poll(wire, now);
	tl_replication_prune_poll(wire, now);
	tl_replication_trim_poll(wire, now);
	put_status(wire, now);
	MemoryContextSwitchTo(caller);
	if (wire->admin.state == TL_CONNECTION_IDLE)
		wake = Min(wake, Max(wire->look_due, TimestampTzPlusMilliseconds(now, 10)));
	else if (wire->admin.state == TL_CONNECTION_CLOSED)
		wake = Min(wake, Max(wire->admin.retry_at, TimestampTzPlusMilliseconds(now, 10)));
	wire->wake_at = Min(wake, TimestampTzPlusMilliseconds(now, LOOK_PERIOD_MS));
	return wire->wake_at;
}

/* What was answered meanwhile has waited here: that is nobody's fault (replication_gap.c). */
static void
note_stall(TlWire *wire, TimestampTz now)
{
	if (wire->wake_at == 0 || now <= TimestampTzPlusMilliseconds(wire->wake_at, STALL_MS))
		return;
	wire->stalled_from = wire->wake_at;
	wire->stalled_until = now;
}

/* Connections whose sockets to wait for. */
int
tl_replication_wire_connections(TlWire *wire, TlConnection **out)
{
	TlConnection *own[] = {
		&wire->admin, &wire->log_sender.connection, &wire->body_sender.connection,
		&wire->reader
	};
	int			count = 0;

	for (int i = 0; i < lengthof(own); i++)
		if (own[i]->state != TL_CONNECTION_CLOSED)
			out[count++] = own[i];
	for (int i = 0; i < wire->peer_count; i++)
		if (wire->peers[i].wire.state != TL_CONNECTION_CLOSED)
			out[count++] = &wire->peers[i].wire;
	return count;
}

/* There is something in own_log or own_body. */
void
tl_replication_wire_wake(TlWire *wire)
{
	wire->log_sender.caught_up = false;
	wire->body_sender.caught_up = false;
	/* what has been found there is shown to the end, however long that takes */
	wire->bodies_rebuilt |= GetCurrentTimestamp() < wire->shows_until;
}

/* There is something in own_log. */
void
tl_replication_wire_wake_log(TlWire *wire)
{
	wire->log_sender.caught_up = false;
}

/* A transaction with SPI, for a callback or a script. */
void
tl_replication_wire_begin(TlWire *wire)
{
	SetCurrentStatementStartTimestamp();
	StartTransactionCommand();
	SPI_connect();
	PushActiveSnapshot(GetTransactionSnapshot());
}

void
tl_replication_wire_end(TlWire *wire)
{
	SPI_finish();
	PopActiveSnapshot();
	CommitTransactionCommand();
	MemoryContextSwitchTo(wire->context);
}

/* The one text that a query of this database returns, in a transaction of its
 * own. */
char *
tl_replication_wire_text(TlWire *wire, const char *query, const Datum *values,
						 const Oid *types, int count)
{
	char	   *text;

	tl_replication_wire_begin(wire);
	if (SPI_execute_with_args(query, count, (Oid *) types, (Datum *) values, NULL,
							  true, 1) != SPI_OK_SELECT || SPI_processed != 1)
		elog(ERROR, "could not run \"%s\"", query);
	text = SPI_getvalue(SPI_tuptable->vals[0], SPI_tuptable->tupdesc, 1);
	text = text == NULL ? NULL : MemoryContextStrdup(wire->context, text);
	tl_replication_wire_end(wire);
	return text;
}

static void
tend_admin(TlWire *wire, TimestampTz now)
{
	/* a database that is not there yet refuses the connection */
	if (wire->admin.state == TL_CONNECTION_CLOSED && wire->admin.failures > 0)
	{
		bool		maintain = wire->step != TL_WIRE_MAKE_DATABASE &&
			wire->maintenance != NULL;

		snprintf(wire->failure, sizeof(wire->failure), "%s", wire->admin.error);
		wire->admin.failures = 0;
		wire->step = maintain ? TL_WIRE_MAKE_DATABASE : TL_WIRE_REPAIR;
		tl_replication_connection_to(&wire->admin, maintain ? wire->maintenance : wire->conninfo);
	}
	if (tl_replication_connection_take_fresh(&wire->admin) &&
		wire->step != TL_WIRE_MAKE_DATABASE)
		wire->step = TL_WIRE_REPAIR;
	if (wire->admin.state != TL_CONNECTION_IDLE)
		return;
	if (wire->step == TL_WIRE_REST && now >= wire->repair_due)
		wire->step = TL_WIRE_REPAIR;
	else if (wire->step == TL_WIRE_REST && now >= wire->look_due)
		wire->step = TL_WIRE_LOOK;
	if (wire->step == TL_WIRE_LINK && !tl_replication_link_tend(wire, now))
		wire->step = TL_WIRE_REST;
	if (wire->admin.state != TL_CONNECTION_IDLE)
		return;
	switch (wire->step)
	{
		case TL_WIRE_MAKE_DATABASE:
			tend_database(wire);
			break;
		case TL_WIRE_REPAIR:
			wire->repair_due = TimestampTzPlusMilliseconds(now, REPAIR_PERIOD_MS);
			ask_script(wire, "wire_repair_script");
			break;
		case TL_WIRE_SLOTS:
			ask_script(wire, "wire_slots_script");
			break;
		case TL_WIRE_LOOK:
			wire->look_due = TimestampTzPlusMilliseconds(now, LOOK_PERIOD_MS);
			tl_replication_link_look(wire);
			break;
		case TL_WIRE_LINK:
		case TL_WIRE_REST:
			break;
	}
}

static void
ask_script(TlWire *wire, const char *function)
{
	char	   *script = tl_replication_wire_text(wire, psprintf("SELECT ledger_internal.%s()", function),
												  NULL, NULL, 0);

	tl_replication_connection_ask(&wire->admin, script, NULL, 0, ADMIN_TIMEOUT_MS,
								  wire->step == TL_WIRE_REPAIR ? on_repaired : on_slots,
								  wire);
}

static void
on_repaired(void *context, PGresult *result)
{
	TlWire	   *wire = context;

	if (result == NULL || !tl_replication_result_ok(result))
	{
		fail(wire, result);
		return;
	}
	if (wire->admin.notices > 0)
	{
		/* it may have been a table with rows in it that was made anew */
		wire->log_sender.positioned = false;
		wire->body_sender.positioned = false;
		wire->identified = false;
	}
	go_ready(wire);
	wire->step = TL_WIRE_SLOTS;
}

/* Without slots peers do not follow, but can still fetch. */
static void
on_slots(void *context, PGresult *result)
{
	TlWire	   *wire = context;

	if (result == NULL || !tl_replication_result_ok(result))
	{
		fail(wire, result);
		return;
	}
	wire->failure[0] = '\0';
	wire->step = TL_WIRE_LOOK;
}

static void
fail(TlWire *wire, const PGresult *result)
{
	char		text[TL_CONNECTION_ERROR_SIZE] = "the connection to the wire was lost";
	const char *hint = NULL;

	if (result != NULL)
	{
		const char *message = PQresultErrorField(result, PG_DIAG_MESSAGE_PRIMARY);

		tl_replication_connection_text(text, sizeof(text), message ? message : "no message");
		hint = PQresultErrorField(result, PG_DIAG_MESSAGE_HINT);
	}
	if (strcmp(text, wire->failure) != 0)
		ereport(WARNING,
				errmsg("could not prepare the wire of this ledger: %s", text),
				errdetail("It is tried again. Rows are committed here all the same."),
				hint != NULL ? errhint("%s", hint) : 0);
	strlcpy(wire->failure, text, sizeof(wire->failure));
	wire->step = TL_WIRE_LOOK;	/* what is there may work */
}

static void
go_ready(TlWire *wire)
{
	if (wire->ready)
		return;
	wire->ready = true;
	tl_replication_connection_to(&wire->log_sender.connection, wire->conninfo);
	tl_replication_connection_to(&wire->body_sender.connection, wire->conninfo);
	tl_replication_connection_to(&wire->reader, wire->conninfo);
}

/* Connected to another database of the wire's server. */
static void
tend_database(TlWire *wire)
{
	char	   *name = tl_replication_setting_database_name(wire->conninfo);
	TlParameter parameter = {name, 0, false};

	tl_replication_connection_ask(&wire->admin,
								  "SELECT 1 FROM pg_catalog.pg_database WHERE datname = $1",
								  &parameter, 1, ADMIN_TIMEOUT_MS, on_looked_for, wire);
}

static void
on_looked_for(void *context, PGresult *result)
{
	TlWire	   *wire = context;

	if (result == NULL)
		return;
	if (tl_replication_result_ok(result) && PQntuples(result) == 0)
		tl_replication_connection_ask(&wire->admin,
									  psprintf("CREATE DATABASE %s TEMPLATE template0 ENCODING 'UTF8'",
											   quote_identifier(tl_replication_setting_database_name(wire->conninfo))),
									  NULL, 0, ADMIN_TIMEOUT_MS, on_database_made, wire);
	else
		on_database_made(wire, result);
}

static void
on_database_made(void *context, PGresult *result)
{
	TlWire	   *wire = context;

	if (result != NULL && !tl_replication_result_ok(result))
		fail(wire, result);
	else if (result != NULL && PQresultStatus(result) == PGRES_COMMAND_OK)
		ereport(LOG,
				errmsg("made database \"%s\" for the wire of this ledger",
					   tl_replication_setting_database_name(wire->conninfo)));
	wire->step = TL_WIRE_REPAIR;
	tl_replication_connection_to(&wire->admin, wire->conninfo);
}

/* What ledger.peer shows. */
static void
put_status(TlWire *wire, TimestampTz now)
{
	TlLinkStatus *own = &wire->own_status;

	own->log_state = !wire->ready ? TL_LINK_NO_WIRE :
		wire->log_sender.positioned ? TL_LINK_STREAMING : TL_LINK_CONNECTING;
	own->body_state = !wire->ready ? TL_LINK_NO_WIRE :
		wire->body_sender.positioned ? TL_LINK_STREAMING : TL_LINK_CONNECTING;
	own->stored = (uint64_t) wire->log_sender.position;
	if (wire->failure[0] != '\0')
		strlcpy(own->reason, wire->failure, sizeof(own->reason));
	else if (wire->log_sender.positioned)
		own->reason[0] = '\0';
	tl_replication_status_put(own);
	for (int i = 0; i < wire->peer_count; i++)
		put_peer_status(wire, i, now);
}

static void
put_peer_status(TlWire *wire, int index, TimestampTz now)
{
	TlLinkStatus *status = &wire->status[index];
	TlPeer	   *peer = &wire->peers[index];
	TlPeerLog  *log = &peer->logs[peer->log_count - 1];
	bool		had_no_slot = status->log_state == TL_LINK_NO_SLOT;

	status->log_state = wire->ready ? wire->links[index][0].state : TL_LINK_NO_WIRE;
	status->body_state = wire->ready ? wire->links[index][1].state : TL_LINK_NO_WIRE;
	status->stored = log->sequence;
	status->known = log->known;
	if (log->known <= log->sequence)
		status->behind_since = 0;
	else if (status->behind_since == 0)
		status->behind_since = now;
	if (status->log_state == TL_LINK_NO_SLOT)
		strlcpy(status->reason, "it keeps nothing for this member yet", sizeof(status->reason));
	else if (had_no_slot || (status->log_state == TL_LINK_STREAMING && status->body_state == TL_LINK_STREAMING))
		status->reason[0] = '\0';
	else if (peer->wire.error[0] != '\0' &&
			 (status->reason[0] == '\0' || status->log_state == TL_LINK_REFUSED))
		strlcpy(status->reason, peer->wire.error, sizeof(status->reason));
	tl_replication_status_put(status);
}
