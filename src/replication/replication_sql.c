/*-------------------------------------------------------------------------
 *
 * replication_sql.c
 *	  The wire as SQL shows it: links, settings, lines for pg_hba.conf.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "executor/spi.h"
#include "fmgr.h"
#include "funcapi.h"
#include "miscadmin.h"
#include "pgstat.h"
#include "storage/latch.h"
#include "utils/builtins.h"
#include "utils/timestamp.h"

#include "replication_peer.h"
#include "replication_setting.h"
#include "replication_status.h"
#include "tl_compat.h"

PG_FUNCTION_INFO_V1(tl_peer_links);
PG_FUNCTION_INFO_V1(tl_check_address);
PG_FUNCTION_INFO_V1(tl_address_hosts);
PG_FUNCTION_INFO_V1(tl_wire_settings);
PG_FUNCTION_INFO_V1(tl_wire_conninfo);

#define SETTINGS_TIMEOUT_MS		10000

/* What the wire's server is asked for, as text. */
static const char settings_query[] =
"SELECT name::text, setting::text, coalesce(unit, '')::text FROM pg_catalog.pg_settings"
" WHERE name = ANY ('{wal_level,max_slot_wal_keep_size,max_replication_slots,max_wal_senders,"
"max_worker_processes,max_logical_replication_workers,fsync,full_page_writes}')"
" UNION ALL SELECT 'slot ' || slot_name, pg_catalog.pg_wal_lsn_diff(pg_catalog.pg_current_wal_lsn(), restart_lsn)::text, 'B'"
" FROM pg_catalog.pg_replication_slots WHERE database IS DISTINCT FROM pg_catalog.current_database()";

typedef struct Answer
{
	ReturnSetInfo *set;
	bool		done;
	char		error[TL_CONNECTION_ERROR_SIZE];
} Answer;

static void on_settings(void *context, PGresult *result);
static void wait_for(TlConnection *connection);

/* behind ledger.peer */
Datum
tl_peer_links(PG_FUNCTION_ARGS)
{
	ReturnSetInfo *set = (ReturnSetInfo *) fcinfo->resultinfo;
	TlLinkStatus *links = palloc(sizeof(TlLinkStatus) * TL_MEMBER_COUNT_MAX);
	int			count = tl_replication_status_list(MyDatabaseId, links, TL_MEMBER_COUNT_MAX);

	InitMaterializedSRF(fcinfo, 0);
	for (int i = 0; i < count; i++)
	{
		TlLinkStatus *link = &links[i];
		Datum		values[15];
		bool		nulls[15] = {0};

		values[0] = Int64GetDatum((int64) link->member);
		values[1] = CStringGetTextDatum(tl_replication_link_state_name(link->log_state));
		values[2] = CStringGetTextDatum(tl_replication_link_state_name(link->body_state));
		values[3] = CStringGetTextDatum(link->reason);
		nulls[3] = link->reason[0] == '\0';
		values[4] = Int64GetDatum((int64) link->stored);
		values[5] = Int64GetDatum((int64) (link->known > link->stored ? link->known - link->stored : 0));
		values[6] = Int64GetDatum(link->lag_bytes);
		nulls[6] = link->lag_bytes < 0;
		values[7] = TimestampTzGetDatum(link->behind_since);
		nulls[7] = link->behind_since == 0;
		values[8] = TimestampTzGetDatum(link->last_row_at);
		nulls[8] = link->last_row_at == 0;
		values[9] = TimestampTzGetDatum(link->last_answer_at);
		nulls[9] = link->last_answer_at == 0;
		values[10] = Int64GetDatum(link->rows);
		values[11] = Int64GetDatum(link->fetched);
		values[12] = Int64GetDatum(link->duplicates);
		values[13] = Int64GetDatum(link->quarantined);
		values[14] = Int64GetDatum(link->stops);
		tuplestore_putvalues(set->setResult, set->setDesc, values, nulls);
	}
	return (Datum) 0;
}

/* ledger_internal.check_address(address text) -> text: the address, or an error */
Datum
tl_check_address(PG_FUNCTION_ARGS)
{
	char	   *address = text_to_cstring(PG_GETARG_TEXT_PP(0));
	char	   *problem = tl_replication_address_check(address);

	if (problem != NULL)
		ereport(ERROR,
				errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				errmsg("this address cannot be announced"),
				errdetail("%s", problem),
				errhint("Write it like 'host=wire.example.net port=5433 dbname=roaming_wire sslmode=verify-full'; peers log in by certificate."));
	PG_RETURN_TEXT_P(cstring_to_text(address));
}

/* ledger_internal.address_hosts(address text) -> text, with commas; NULL for an
 * address that nobody could announce */
Datum
tl_address_hosts(PG_FUNCTION_ARGS)
{
	char	   *address = text_to_cstring(PG_GETARG_TEXT_PP(0));

	if (tl_replication_address_check(address) != NULL)
		PG_RETURN_NULL();
	PG_RETURN_TEXT_P(cstring_to_text(tl_replication_address_hosts(address)));
}

/* ledger_internal.wire_conninfo(): where this database's wire is */
Datum
tl_wire_conninfo(PG_FUNCTION_ARGS)
{
	bool		is_default;

	PG_RETURN_TEXT_P(cstring_to_text(tl_replication_setting_conninfo(&is_default)));
}

/* behind ledger.check_settings(): settings of the wire's server */
Datum
tl_wire_settings(PG_FUNCTION_ARGS)
{
	TlConnection connection;
	Answer		answer = {(ReturnSetInfo *) fcinfo->resultinfo, false, ""};
	bool		is_default;
	char	   *conninfo = tl_replication_setting_conninfo(&is_default);
	char	   *other = tl_replication_setting_other_database(conninfo, "postgres");

	InitMaterializedSRF(fcinfo, 0);
	tl_replication_connection_init(&connection, "wire", true, 1024 * 1024);
	PG_TRY();
	{
		tl_replication_connection_to(&connection, conninfo);
		wait_for(&connection);
		if (connection.state != TL_CONNECTION_IDLE && other != NULL)
		{
			connection.retry_at = 0;	/* it may not have been made yet */
			tl_replication_connection_to(&connection, other);
			wait_for(&connection);
		}
		if (tl_replication_connection_ask(&connection, settings_query, NULL, 0,
										  SETTINGS_TIMEOUT_MS, on_settings, &answer))
			wait_for(&connection);
		if (answer.error[0] == '\0' && !answer.done)
			strlcpy(answer.error, connection.error, sizeof(answer.error));
	}
	PG_FINALLY();
	{
		connection.done = NULL;
		tl_replication_connection_to(&connection, NULL);
	}
	PG_END_TRY();
	if (!answer.done)
		ereport(ERROR,
				errcode(ERRCODE_CONNECTION_FAILURE),
				errmsg("could not ask the server of the wire: %s", answer.error),
				errhint("Correct telco_ledger.wire_conninfo, or start that server."));
	return (Datum) 0;
}

static void
on_settings(void *context, PGresult *result)
{
	Answer	   *answer = context;

	if (result == NULL || !tl_replication_result_ok(result) || PQnfields(result) != 3)
	{
		strlcpy(answer->error, "no answer", sizeof(answer->error));
		return;
	}
	for (int row = 0; row < PQntuples(result); row++)
	{
		Datum		values[3];
		bool		nulls[3];

		for (int i = 0; i < lengthof(values); i++)
		{
			values[i] = CStringGetTextDatum(PQgetvalue(result, row, i));
			nulls[i] = PQgetisnull(result, row, i);
		}
		tuplestore_putvalues(answer->set->setResult, answer->set->setDesc, values, nulls);
	}
	answer->done = true;
}

/* Until it is idle, or has failed. */
static void
wait_for(TlConnection *connection)
{
	for (;;)
	{
		tl_replication_connection_poll(connection, GetCurrentTimestamp());
		if (connection->state == TL_CONNECTION_IDLE ||
			connection->state == TL_CONNECTION_CLOSED)
			return;
		(void) WaitLatchOrSocket(MyLatch, WL_LATCH_SET | WL_TIMEOUT | WL_EXIT_ON_PM_DEATH |
								 connection->events, PQsocket(connection->conn), 100,
								 PG_WAIT_EXTENSION);
		ResetLatch(MyLatch);
		CHECK_FOR_INTERRUPTS();
	}
}
