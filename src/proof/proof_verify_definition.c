/*-------------------------------------------------------------------------
 *
 * proof_verify_definition.c
 *	  Definitions: do the catalogs still say what the ledger says?
 *
 * The bytes of a row carry attribute numbers and type tags, names come from
 * ledger.table_version, whose rows are verified like those of any table.  The
 * newest version of each table is compared with the catalogs, so that two
 * columns whose names were swapped are found although every hash fits.
 *
 * The rows of a table whose attributes or types were changed there are not read:
 * the server would take their bytes for something else.
 *
 * Tables with rows on the ledger that the catalogs do not know any more are
 * lost; on a test ledger they may have been disposed of, which their last
 * version tells.
 *
 * Used by ledger.verify().
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/table.h"
#include "catalog/pg_type.h"
#include "commands/defrem.h"
#include "lib/stringinfo.h"
#include "utils/builtins.h"
#include "utils/inval.h"
#include "utils/memutils.h"
#include "utils/rel.h"
#include "utils/snapmgr.h"

#include "chain_statement.h"
#include "proof_verify.h"
#include "proof_verify_cursor.h"
#include "table_am.h"
#include "table_definition.h"
#include "table_type.h"

static TlStatement select_unknown = {
	"SELECT c.oid FROM pg_catalog.pg_class c JOIN pg_catalog.pg_am a ON a.oid = c.relam"
	" WHERE a.amname = 'ledger' AND c.relkind = 'r' AND NOT EXISTS"
	" (SELECT FROM ledger_internal.ledger_table t WHERE t.relation = c.oid)"
};

/* One comparison, as an attempt: damaged arrays raise errors. */
typedef struct Comparison
{
	Relation	relation;
	bool		found;
	TlTableVersion newest;
	TlTableVersion now;
	char	   *difference;
	bool		same_layout;	/* rows can be read */
} Comparison;

static void check_definition(TlVerification *run, Oid relation);
static void mark_unreadable(TlVerification *run, Oid relation);
static void compare(void *argument);
static char *describe(const TlTableVersion *version);
static bool same_layout(const TlTableVersion *left, const TlTableVersion *right);
static void report(TlVerification *run, Oid relation, const char *expected,
				   const char *found, const char *detail);
static void report_lost(TlVerification *run, const TlCursor *cursor);

void
tl_proof_verify_definitions(TlVerification *run, List *tables)
{
	MemoryContext context = AllocSetContextCreate(CurrentMemoryContext,
												  "ledger.verify definition",
												  ALLOCSET_DEFAULT_SIZES);
	MemoryContext caller = CurrentMemoryContext;
	ListCell   *cell;
	uint64		count;

	foreach(cell, tables)
	{
		MemoryContextSwitchTo(context);
		check_definition(run, lfirst_oid(cell));
		MemoryContextSwitchTo(caller);
		MemoryContextReset(context);
	}
	MemoryContextDelete(context);
	if (OidIsValid(run->relation))
		return;
	count = tl_chain_execute(&select_unknown, NULL, NULL, true);
	for (uint64 i = 0; i < count; i++)
		report(run, DatumGetObjectId(tl_chain_result(i, 0, NULL)), NULL, NULL,
			   "The table uses access method ledger, but ledger_internal.ledger_table does not know it.");
}

static void
check_definition(TlVerification *run, Oid relation)
{
	Comparison	comparison;
	char	   *message;

	memset(&comparison, 0, sizeof(comparison));
	comparison.relation = table_open(relation, AccessShareLock);
	message = tl_proof_verify_try(compare, &comparison);
	if (message != NULL)
		report(run, relation, NULL, NULL,
			   psprintf("The definition cannot be read: %s.", message));
	else if (!comparison.found)
		report(run, relation, NULL, NULL,
			   "ledger.table_version has no definition of the table.");
	else if (!tl_table_am_is_ours(comparison.relation))
		report(run, relation, "ledger",
			   get_am_name(comparison.relation->rd_rel->relam),
			   "The access method was changed in pg_class: rows are not protected any more.");
	else if (comparison.difference != NULL)
		report(run, relation, describe(&comparison.newest), describe(&comparison.now),
			   comparison.same_layout ? comparison.difference :
			   psprintf("%s The rows of the table were not read.",
						comparison.difference));
	if (message != NULL || !comparison.found || !comparison.same_layout)
		mark_unreadable(run, relation);
	table_close(comparison.relation, AccessShareLock);
}

/* Rows of this table cannot be read, which was reported. */
static void
mark_unreadable(TlVerification *run, Oid relation)
{
	MemoryContext context = MemoryContextSwitchTo(GetMemoryChunkContext(run));

	run->unreadable = lappend_oid(run->unreadable, relation);
	MemoryContextSwitchTo(context);
}

/*
 * Both sides as new as can be: a schema or a type is renamed without a lock on
 * the table.
 */
static void
compare(void *argument)
{
	Comparison *comparison = argument;

	AcceptInvalidationMessages();
	PushActiveSnapshot(GetLatestSnapshot());
	comparison->found = tl_table_definition_load(&comparison->newest,
												 RelationGetRelid(comparison->relation),
												 NULL, NULL, CurrentMemoryContext);
	PopActiveSnapshot();
	if (!comparison->found)
		return;
	tl_table_definition_current(&comparison->now, comparison->relation);
	comparison->difference = tl_table_definition_difference(&comparison->newest,
															&comparison->now);
	comparison->same_layout = same_layout(&comparison->newest, &comparison->now);
}

/* The same attributes with the same types, whatever their names. */
static bool
same_layout(const TlTableVersion *left, const TlTableVersion *right)
{
	if (left->column_count != right->column_count)
		return false;
	for (int i = 0; i < left->column_count; i++)
		if (left->attribute_numbers[i] != right->attribute_numbers[i] ||
			(left->type_tags[i] != right->type_tags[i] &&
			 !(left->type_tags[i] & right->type_tags[i] & TL_TYPE_TAG_NAMED)))
			return false;
	return true;
}

/* schema.table(number name type, ...) */
static char *
describe(const TlTableVersion *version)
{
	StringInfoData text;

	initStringInfo(&text);
	appendStringInfo(&text, "%s.%s(", version->schema_name, version->table_name);
	for (int i = 0; i < version->column_count; i++)
		appendStringInfo(&text, "%s%d %s %s", i > 0 ? ", " : "",
						 version->attribute_numbers[i], version->column_names[i],
						 version->type_names[i]);
	appendStringInfoChar(&text, ')');
	return text.data;
}

static void
report(TlVerification *run, Oid relation, const char *expected,
	   const char *found, const char *detail)
{
	tl_proof_verify_report(run, &(TlProblem) {
		.kind = "definition_changed",
		.relation = relation,
		.expected = expected,
		.found = found,
		.detail = detail
	});
}

/* Table ids with sections, but without a table. */
void
tl_proof_verify_lost_tables(TlVerification *run)
{
	TlCursor	cursor;

	tl_proof_cursor_open(&cursor, "SELECT s.table_id, sum(s.row_count)::bigint, v.action,"
						 " v.schema_name || '.' || v.table_name"
						 " FROM ledger_internal.section s LEFT JOIN LATERAL"
						 " (SELECT action, schema_name, table_name FROM ledger.table_version"
						 " WHERE table_id = s.table_id ORDER BY version DESC LIMIT 1) v ON true"
						 " WHERE NOT EXISTS (SELECT FROM ledger_internal.ledger_table t"
						 " JOIN pg_catalog.pg_class c ON c.oid = t.relation"
						 " WHERE t.table_id = s.table_id)"
						 " AND NOT EXISTS (SELECT FROM pg_catalog.pg_class c"
						 " JOIN pg_catalog.pg_am a ON a.oid = c.relam"
						 " JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace"
						 " WHERE a.amname = 'ledger' AND CASE WHEN s.table_id::text ="
						 " encode(substr(sha256('telco_ledger/1/table_version'), 1, 16), 'hex')::uuid::text"
						 " THEN n.nspname = 'ledger' AND c.relname = 'table_version'"
						 " ELSE n.nspname = v.schema_name AND c.relname = v.table_name END)"
						 " GROUP BY 1, 3, 4 ORDER BY 1", 0, NULL, NULL, 100);
	for (; tl_proof_cursor_row(&cursor); tl_proof_cursor_advance(&cursor))
		report_lost(run, &cursor);
	tl_proof_cursor_close(&cursor);
}

static void
report_lost(TlVerification *run, const TlCursor *cursor)
{
	bool		is_null[4];
	Datum		values[4];
	char	   *name;
	bool		disposed;

	for (int i = 0; i < 4; i++)
		values[i] = tl_proof_cursor_value(cursor, i, &is_null[i]);
	name = is_null[3] ?
		DatumGetCString(DirectFunctionCall1(uuid_out, values[0])) :
		TextDatumGetCString(values[3]);
	disposed = run->identity.test && !is_null[2] &&
		strcmp(TextDatumGetCString(values[2]), "drop") == 0;
	tl_proof_verify_report(run, &(TlProblem) {
		.kind = disposed ? "disposed" : "row_missing",
		.expected = psprintf("%lld rows", (long long) DatumGetInt64(values[1])),
		.found = "no table",
		.detail = disposed ?
		psprintf("Table %s of this test ledger was dropped with its rows.", name) :
		psprintf("Table %s is gone with all its rows.", name)
	});
}
