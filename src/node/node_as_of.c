/*-------------------------------------------------------------------------
 *
 * node_as_of.c
 *	  ledger.as_of(): a state table as it was after a block.
 *
 * The rows of now whose keys have no old image above the block (node_image.c); and
 * of each key that has one, the first one above the block, unless it says that the
 * row was not there.  All is read with the snapshot of the query.  One statement does
 * it, so that PostgreSQL sorts and hashes on disk what does not fit into work_mem.
 *
 * A new version of a contract may change what columns its tables have, so states from
 * before the newest one are not shown.  The row type of a table keeps the places of
 * columns that were dropped, which what is queried does not have.
 *
 * The caller needs SELECT on the table; the images are read with the library's
 * own rights.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "access/tupconvert.h"
#include "catalog/pg_authid.h"
#include "catalog/pg_type.h"
#include "executor/spi.h"
#include "fmgr.h"
#include "funcapi.h"
#include "miscadmin.h"
#include "utils/acl.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/uuid.h"

#include "chain_statement.h"
#include "table_image.h"
#include "table_shared.h"
#include "tl_error.h"

PG_FUNCTION_INFO_V1(tl_as_of);

#define ROWS_AT_ONCE	1000

/* Up to where blocks are applied; since when the state of this table can be shown. */
static TlStatement select_range = {
	"SELECT a.height, coalesce((SELECT s.since FROM ledger_internal.state_since AS s WHERE s.table_id = $1), 0),"
	" EXISTS (SELECT FROM ledger_internal.state_take AS s WHERE s.done_at IS NULL AND s.passes_over)"
	" FROM ledger_internal.applied AS a",
	1, {UUIDOID}
};

static const char query_text[] =
"SELECT t.* FROM %1$s AS t WHERE NOT EXISTS (SELECT FROM ledger_internal.state_image AS i"
" WHERE i.table_id = $1 AND i.height > $2 AND i.key = ledger_internal.image_key(t.*))"
" UNION ALL SELECT r.* FROM (SELECT DISTINCT ON (key) before FROM ledger_internal.state_image"
" WHERE table_id = $1 AND height > $2 ORDER BY key, height, number) AS i,"
" LATERAL ledger_internal.image_row(NULL::%1$s, i.before) AS r WHERE i.before IS NOT NULL";

static Oid	relation_argument(FunctionCallInfo fcinfo);
static void check_height(Oid relation, int64 height, Datum table_id);
static void read_rows(ReturnSetInfo *result, Oid relation, Datum *values);
static void put_rows(ReturnSetInfo *result);

/* ledger.as_of(relation, height) */
Datum
tl_as_of(PG_FUNCTION_ARGS)
{
	Oid			relation = relation_argument(fcinfo);
	pg_uuid_t	table_id;
	Datum		values[2] = {UUIDPGetDatum(&table_id)};
	Oid			user;
	int			security;

	if (PG_ARGISNULL(1))
		ereport(ERROR,
				errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
				errmsg("the height of a block is NULL"));
	values[1] = PG_GETARG_DATUM(1);
	InitMaterializedSRF(fcinfo, 0);
	tl_table_shared_id(table_id.data, get_namespace_name(get_rel_namespace(relation)), get_rel_name(relation));
	GetUserIdAndSecContext(&user, &security);
	SetUserIdAndSecContext(BOOTSTRAP_SUPERUSERID, security | SECURITY_LOCAL_USERID_CHANGE);
	SPI_connect();
	check_height(relation, PG_GETARG_INT64(1), values[0]);
	read_rows((ReturnSetInfo *) fcinfo->resultinfo, relation, values);
	SPI_finish();
	SetUserIdAndSecContext(user, security);
	return (Datum) 0;
}

/* The caller may read it. */
static Oid
relation_argument(FunctionCallInfo fcinfo)
{
	Oid			relation = tl_table_image_argument(fcinfo);
	AclResult	allowed = pg_class_aclcheck(relation, GetUserId(), ACL_SELECT);

	if (allowed != ACLCHECK_OK)
		aclcheck_error(allowed, OBJECT_TABLE, get_rel_name(relation));
	return relation;
}

static void
check_height(Oid relation, int64 height, Datum table_id)
{
	int64		applied = 0;
	int64		since = 0;

	if (tl_chain_execute(&select_range, &table_id, NULL, true) > 0)
	{
		applied = DatumGetInt64(tl_chain_result(0, 0, NULL));
		since = DatumGetInt64(tl_chain_result(0, 1, NULL));
		if (DatumGetBool(tl_chain_result(0, 2, NULL)))
			ereport(ERROR,
					errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
					errmsg("the state of this member is being taken from the others"),
					errhint("SELECT * FROM ledger.state_take shows how far it is."));
	}
	if (height > applied)
		ereport(ERROR,
				errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				errmsg("block %lld is not applied here", (long long) height),
				errdetail("The last block that this member has applied is %lld.", (long long) applied));
	if (height < since)
		ereport(ERROR,
				errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				errmsg("what \"%s\" was after block %lld is not kept any more", get_rel_name(relation),
					   (long long) height),
				errdetail("Its state is known here from block %lld on.", (long long) since),
				errhint("telco_ledger.keep_state says how long old images of rows are kept; those from before a new version of the contract are of no use."));
}

/* Rows come with the snapshot of the query that has called. */
static void
read_rows(ReturnSetInfo *result, Oid relation, Datum *values)
{
	Oid			types[] = {UUIDOID, INT8OID};
	char	   *name = quote_qualified_identifier(get_namespace_name(get_rel_namespace(relation)),
												  get_rel_name(relation));
	SPIPlanPtr	plan = SPI_prepare(psprintf(query_text, name), lengthof(types), types);
	Portal		portal;

	if (plan == NULL)
		elog(ERROR, "could not plan a query of old images: %s", SPI_result_code_string(SPI_result));
	portal = SPI_cursor_open(NULL, plan, values, NULL, true);
	do
	{
		CHECK_FOR_INTERRUPTS();
		SPI_cursor_fetch(portal, true, ROWS_AT_ONCE);
		put_rows(result);
		SPI_freetuptable(SPI_tuptable);
	} while (SPI_processed > 0);
	SPI_cursor_close(portal);
}

/* Those that were fetched, as rows of the table's type. */
static void
put_rows(ReturnSetInfo *result)
{
	TupleConversionMap *map = convert_tuples_by_position(SPI_tuptable->tupdesc, result->setDesc,
														 gettext_noop("rows of a state table have other columns than its type"));

	for (uint64 i = 0; i < SPI_processed; i++)
	{
		HeapTuple	row = SPI_tuptable->vals[i];

		if (map == NULL)
		{
			tuplestore_puttuple(result->setResult, row);
			continue;
		}
		row = execute_attr_map_tuple(row, map);
		tuplestore_puttuple(result->setResult, row);
		heap_freetuple(row);
	}
	if (map != NULL)
		free_conversion_map(map);
}
