/*-------------------------------------------------------------------------
 *
 * contract_deploy.c
 *	  Contracts that the members have decided on are deployed.
 *
 * Called when a final block is applied, in that transaction, on every member.
 * If the block decides a motion that deploys a contract or a new version of one, the script runs here,
 * and its tables are shared from then on; or the row of
 * ledger_internal.contract says why it does not.  Both follow from the chain
 * alone: from the motion, the source that was ordered before, and contracts
 * deployed before.  What keeps this database alone from it (its schema of the
 * same name, a full disk) is an ERROR: the block is applied again, until it can
 * be, or the members pass over it (node_skip.c): then nothing is run at all.
 *
 * Invariants
 *	  K1  a version of a name is deployed once, and replaces the one before it, which
 *		  is the newest then
 *	  K2  the source has the hash of the motion, and was in a final block when the
 *		  motion was decided
 *
 * The caller has connected SPI.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "catalog/namespace.h"
#include "catalog/pg_type.h"
#include "fmgr.h"
#include "funcapi.h"
#include "mb/pg_wchar.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"

#include "chain_statement.h"
#include "chain_stored.h"
#include "contract_deploy.h"
#include "contract_run.h"
#include "table_requirement.h"
#include "table_shared.h"
#include "tl_compat.h"
#include "tl_error.h"

PG_FUNCTION_INFO_V1(tl_check_contract);
PG_FUNCTION_INFO_V1(tl_check_contract_change);

/* What a motion deploys. */
typedef struct Decided
{
	const char *name;
	int32		version;
	int32		size;
	Datum		hash;
	Datum		motion;
	const char *source;			/* NULL: not on the ledger, or no text */
} Decided;

static TlStatement select_decided = {
	"SELECT c.name, c.version, c.size, c.hash, d.motion FROM ledger_internal.decision AS d,"
	" LATERAL ledger_internal.contract_motion(d.motion) AS c WHERE d.height = $1",
	1, {INT8OID}
};
static TlStatement select_source = {
	"SELECT ledger_internal.body(o.digest) FROM ledger_internal.ordered_chunk AS o"
	" WHERE o.digest = $1 AND o.height < $2",
	2, {BYTEAOID, INT8OID}
};
static TlStatement select_older = {
	"SELECT version, height FROM ledger_internal.contract WHERE name = $1 AND state = 'deployed'"
	" ORDER BY version DESC LIMIT 1",
	1, {TEXTOID}
};
static TlStatement insert_contract = {
	"INSERT INTO ledger_internal.contract (height, name, version, hash, motion, source, state, reason)"
	" VALUES ($1, $2, $3, $4, $5, $6, $7, $8)",
	8, {INT8OID, TEXTOID, INT4OID, BYTEAOID, BYTEAOID, TEXTOID, TEXTOID, TEXTOID}
};
static TlStatement select_tables = {
	"SELECT c.oid FROM pg_class AS c JOIN pg_am AS a ON a.oid = c.relam"
	" WHERE c.relnamespace = $1 AND c.relkind = 'r' AND a.amname = 'ledger'"
	" AND NOT EXISTS (SELECT FROM ledger_internal.shared_table AS s WHERE s.relation = c.oid)"
	" ORDER BY c.relname COLLATE \"C\"",
	1, {OIDOID}
};
static TlStatement insert_schema = {
	"INSERT INTO ledger_internal.contract_schema (schema, contract, indexes)"
	" SELECT n.nspname, $2, coalesce(array_agg(c.relname ORDER BY c.relname) FILTER (WHERE c.relname IS NOT NULL), '{}')"
	" FROM pg_namespace AS n LEFT JOIN pg_class AS c ON c.relnamespace = n.oid AND c.relkind = 'i'"
	" WHERE n.oid = $1 GROUP BY n.nspname",
	2, {OIDOID, TEXTOID}
};

static bool load(Decided *out, int64_t height);
static const char *load_source(const Decided *decided, int64_t height, bool needed);
static const char *why_not(const Decided *decided, int64_t height);
static const char *why_not_version(const Decided *decided);
static bool is_reserved(const char *name);
static const char *first_refusal(const Decided *decided, int64_t height);
static void deploy(const Decided *decided, int64_t height);
static void share_tables(const Decided *decided, Oid schema, int64_t height);
static void store(const Decided *decided, int64_t height, const char *state, const char *reason);
static void check_size(const char *source);
static Datum return_refusals(FunctionCallInfo fcinfo, const TlRefusals *refusals);

bool
tl_contract_is_decided(int64_t height)
{
	Datum		value = Int64GetDatum(height);

	return tl_chain_stored_has_height("decision", "decision_pkey", height) &&
		tl_chain_execute(&select_decided, &value, NULL, false) > 0;
}

/* What the block at that height decides. */
void
tl_contract_deploy(int64_t height)
{
	Decided		decided;
	const char *reason;

	if (!load(&decided, height))
		return;
	decided.source = load_source(&decided, height, true);
	reason = why_not(&decided, height);
	if (reason == NULL)
		deploy(&decided, height);
	store(&decided, height, reason == NULL ? "deployed" : "failed", reason);
}

/* The source may be what is missing. */
void
tl_contract_pass_over(int64_t height)
{
	Decided		decided;

	if (!load(&decided, height))
		return;
	decided.source = load_source(&decided, height, false);
	store(&decided, height, "skipped", "the members have passed over it");
}

/* Without its source. */
static bool
load(Decided *out, int64_t height)
{
	Datum		value = Int64GetDatum(height);

	if (tl_chain_execute(&select_decided, &value, NULL, false) == 0)
		return false;
	out->name = TextDatumGetCString(tl_chain_result(0, 0, NULL));
	out->version = DatumGetInt32(tl_chain_result(0, 1, NULL));
	out->size = DatumGetInt32(tl_chain_result(0, 2, NULL));
	out->hash = PointerGetDatum(DatumGetByteaPCopy(tl_chain_result(0, 3, NULL)));
	out->motion = PointerGetDatum(DatumGetByteaPCopy(tl_chain_result(0, 4, NULL)));
	out->source = NULL;
	return true;
}

/* K2.  The body of a final block is here, or will be. */
static const char *
load_source(const Decided *decided, int64_t height, bool needed)
{
	Datum		values[] = {decided->hash, Int64GetDatum(height)};
	bool		is_null;
	Datum		value;
	bytea	   *bytes;

	if (tl_chain_execute(&select_source, values, NULL, false) == 0)
		return NULL;
	value = tl_chain_result(0, 0, &is_null);
	if (is_null && !needed)
		return NULL;
	if (is_null)
		ereport(ERROR,
				errcode(TL_ERRCODE(TL_CHAIN_DAMAGED)),
				errmsg("the source of contract \"%s\" is not here", decided->name),
				errdetail("It is in a final block, and other members have it."),
				tl_error_hint_damaged());
	bytes = DatumGetByteaPP(value);
	if (VARSIZE_ANY_EXHDR(bytes) != decided->size ||
		!pg_verify_mbstr(PG_UTF8, VARDATA_ANY(bytes), VARSIZE_ANY_EXHDR(bytes), true))
		return NULL;
	return pnstrdup(VARDATA_ANY(bytes), VARSIZE_ANY_EXHDR(bytes));
}

/*
 * The same at every member: NULL if it is to be deployed.  A new version has changed
 * the contract then; a first one has only been tried.
 */
static const char *
why_not(const Decided *decided, int64_t height)
{
	const char *reason;

	if (is_reserved(decided->name))
		return "no contract may have that name";
	reason = why_not_version(decided);
	if (reason != NULL)
		return reason;
	if (decided->source == NULL)
		return "its source, as UTF-8 text of that size, was in no block before";
	return first_refusal(decided, height);
}

/* K1 */
static const char *
why_not_version(const Decided *decided)
{
	Datum		value = CStringGetTextDatum(decided->name);
	int32		newest = 0;
	int64		since = 0;

	if (tl_chain_execute(&select_older, &value, NULL, false) > 0)
	{
		newest = DatumGetInt32(tl_chain_result(0, 0, NULL));
		since = DatumGetInt64(tl_chain_result(0, 1, NULL));
	}
	if (decided->version == newest + 1)
		return NULL;
	if (newest == 0)
		return psprintf("there is no version %d that it could replace", decided->version - 1);
	return decided->version == 1 ?
		psprintf("a contract of that name is deployed since block %lld", (long long) since) :
		psprintf("it replaces version %d, and version %d is deployed since block %lld",
				 decided->version - 1, newest, (long long) since);
}

/* The same as in ledger_internal.check_contract_name(). */
static bool
is_reserved(const char *name)
{
	return strncmp(name, "pg_", 3) == 0 || strncmp(name, "ledger", 6) == 0 ||
		strcmp(name, "public") == 0 || strcmp(name, "information_schema") == 0;
}

static const char *
first_refusal(const Decided *decided, int64_t height)
{
	TlRefusals	refusals;
	const TlRefusal *first;

	tl_contract_refusals_init(&refusals, decided->source);
	if (decided->version == 1)
		tl_contract_try(&refusals);
	else
		tl_contract_try_change(&refusals, decided->name, height, true);
	if (refusals.list == NIL)
		return NULL;
	first = linitial(refusals.list);
	return psprintf("line %d: %s: %s", first->line, first->construct, first->why);
}

/* A first version: the script.  Then what is new becomes shared and fixed. */
static void
deploy(const Decided *decided, int64_t height)
{
	Datum		values[2];

	if (decided->version > 1)
	{
		share_tables(decided, get_namespace_oid(decided->name, false), height);
		return;
	}
	values[0] = ObjectIdGetDatum(tl_contract_run(decided->name, decided->source));
	values[1] = CStringGetTextDatum(decided->name);
	share_tables(decided, DatumGetObjectId(values[0]), height);
	tl_chain_execute(&insert_schema, values, NULL, false);
}

static void
share_tables(const Decided *decided, Oid schema, int64_t height)
{
	Datum		value = ObjectIdGetDatum(schema);
	uint64		count = tl_chain_execute(&select_tables, &value, NULL, false);
	Oid		   *tables = palloc((count + 1) * sizeof(Oid));

	for (uint64 i = 0; i < count; i++)
		tables[i] = DatumGetObjectId(tl_chain_result(i, 0, NULL));
	for (uint64 i = 0; i < count; i++)
	{
		uint8_t		table_id[TL_TABLE_ID_SIZE];

		tl_table_shared_id(table_id, decided->name, get_rel_name(tables[i]));
		tl_table_shared_mark(tables[i], table_id, decided->name, height);
		tl_table_requirement_publish(tables[i]);
	}
}

/* reason: NULL if it is deployed */
static void
store(const Decided *decided, int64_t height, const char *state, const char *reason)
{
	Datum		values[] = {
		Int64GetDatum(height),
		CStringGetTextDatum(decided->name),
		Int32GetDatum(decided->version),
		decided->hash,
		decided->motion,
		decided->source == NULL ? (Datum) 0 : CStringGetTextDatum(decided->source),
		CStringGetTextDatum(state),
		reason == NULL ? (Datum) 0 : CStringGetTextDatum(reason)
	};
	char		nulls[] = "        ";

	if (decided->source == NULL)
		nulls[5] = 'n';
	if (reason == NULL)
		nulls[7] = 'n';
	tl_chain_execute(&insert_contract, values, nulls, false);
	ereport(LOG,
			errmsg("version %d of contract \"%s\" %s after block %lld", decided->version, decided->name,
				   reason == NULL ? "is deployed" : "is not deployed", (long long) height),
			reason == NULL ? 0 : errdetail_internal("%s", reason));
}

/* ledger.check_contract(source): line, construct, why, replacement */
Datum
tl_check_contract(PG_FUNCTION_ARGS)
{
	char	   *source = text_to_cstring(PG_GETARG_TEXT_PP(0));
	TlRefusals	refusals;

	check_size(source);
	tl_contract_refusals_init(&refusals, source);
	tl_contract_try(&refusals);
	return return_refusals(fcinfo, &refusals);
}

/* ledger.check_contract(source, name): the same, as the next version of that contract */
Datum
tl_check_contract_change(PG_FUNCTION_ARGS)
{
	char	   *source = text_to_cstring(PG_GETARG_TEXT_PP(0));
	Datum		name = PG_GETARG_DATUM(1);
	TlRefusals	refusals;
	bool		found;

	check_size(source);
	SPI_connect();
	found = tl_chain_execute(&select_older, &name, NULL, false) > 0;
	SPI_finish();
	if (!found)
		ereport(ERROR,
				errcode(ERRCODE_UNDEFINED_OBJECT),
				errmsg("contract \"%s\" is not deployed", TextDatumGetCString(name)),
				errhint("ledger.check_contract(source) is for a contract's first version."));
	tl_contract_refusals_init(&refusals, source);
	tl_contract_try_change(&refusals, TextDatumGetCString(name), 0, false);
	return return_refusals(fcinfo, &refusals);
}

static void
check_size(const char *source)
{
	if (strlen(source) > TL_CONTRACT_SOURCE_SIZE_MAX)
		ereport(ERROR,
				errcode(TL_ERRCODE(TL_TOO_LARGE)),
				errmsg("the source of a contract has more than %d bytes", TL_CONTRACT_SOURCE_SIZE_MAX),
				errhint("Divide it into several contracts."));
}

static Datum
return_refusals(FunctionCallInfo fcinfo, const TlRefusals *refusals)
{
	ReturnSetInfo *result = (ReturnSetInfo *) fcinfo->resultinfo;
	ListCell   *cell;

	InitMaterializedSRF(fcinfo, 0);
	foreach(cell, refusals->list)
	{
		const TlRefusal *refusal = lfirst(cell);
		Datum		values[] = {
			Int32GetDatum(refusal->line),
			CStringGetTextDatum(refusal->construct),
			CStringGetTextDatum(refusal->why),
			CStringGetTextDatum(refusal->instead)
		};
		bool		nulls[lengthof(values)] = {false};

		tuplestore_putvalues(result->setResult, result->setDesc, values, nulls);
	}
	return (Datum) 0;
}
