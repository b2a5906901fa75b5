/*-------------------------------------------------------------------------
 *
 * tap3_load.c
 *	  tap3_load: the call events of a file into a table, once.
 *
 * One statement, hence one transaction: the register's row and the events
 * are there together or not at all.  The order is
 *
 *		1  read and audit the whole file; a broken one ends here
 *		2  compare the file's name with its contents
 *		3  look at the target's columns
 *		4  enter the file into tap3_file, or find it there
 *		5  INSERT INTO target SELECT FROM tap3_call_events
 *
 * Step 4 is where two sessions meet that load the same file: the unique
 * indexes of tap3_file make the second wait for the first.  Step 5 is an
 * ordinary INSERT with the caller's privileges, so that defaults, triggers,
 * constraints and access methods of the target do their part.
 *
 * The register keeps one row per target and contents, and lets a sequence
 * number be used once per target, sender, recipient and kind of data, except
 * by files marked as returned.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/relation.h"
#include "access/table.h"
#include "catalog/pg_class.h"
#include "catalog/pg_type.h"
#include "common/cryptohash.h"
#include "common/sha2.h"
#include "executor/spi.h"
#include "fmgr.h"
#include "funcapi.h"
#include "lib/stringinfo.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"
#include "utils/syscache.h"

#include "tap3_sql.h"

PG_FUNCTION_INFO_V1(tap3_sql_load);

/* What is loaded, and the names of the objects used. */
typedef struct Load
{
	bytea	   *file;
	char	   *file_name;
	Oid			target;
	char	   *target_name;	/* qualified and quoted */
	char	   *schema_name;	/* of this extension, quoted */
	Tap3Audit  *audit;
	bytea	   *file_hash;
} Load;

static void audit_file(Load *load, bool refuse_fatal);
static void check_file_name(const Load *load);
static char *target_columns(Load *load);
static bool register_file(const Load *load);
static void run_register(const Load *load, const char *query, int expected);
static bool is_registered(const Load *load);
static void report_sequence_taken(const Load *load);
static uint64 insert_events(const Load *load, const char *columns);
static bytea *hash_of(const bytea *file);

static const char *const column_names[TAP3_COL_COUNT] = {
	"sender", "recipient", "file_seq", "file_type", "event_no", "event_type", "imsi", "msisdn",
	"equipment", "start_local", "utc_offset", "start_utc", "duration_s", "volume_in",
	"volume_out", "other_party", "apn", "rec_entity", "location_area", "cell_id",
	"service_type", "service_code", "charged_item", "call_type_1", "call_type_2",
	"call_type_3", "charge_type", "charge", "currency", "exchange_rate_code", "tax_code",
	"tax_value", "taxable_amount", "discount_code", "discount", "cause_for_term",
	"partial_type", "call_reference", "charging_id", "raw_hash"
};

Datum
tap3_sql_load(PG_FUNCTION_ARGS)
{
	Load		load;
	TupleDesc	tupdesc;
	Datum		values[2];
	bool		nulls[2] = {false, false};
	char	   *columns;
	uint64		rows = 0;
	bool		loaded;

	if (get_call_result_type(fcinfo, NULL, &tupdesc) != TYPEFUNC_COMPOSITE)
		elog(ERROR, "return type must be a row type");
	load.file = PG_GETARG_BYTEA_PP(0);
	load.file_name = text_to_cstring(PG_GETARG_TEXT_PP(1));
	load.target = PG_GETARG_OID(2);
	load.schema_name = pstrdup(quote_identifier
							   (get_namespace_name(get_func_namespace(fcinfo->flinfo->fn_oid))));

	audit_file(&load, PG_GETARG_BOOL(3));
	check_file_name(&load);
	columns = target_columns(&load);
	load.file_hash = hash_of(load.file);

	if (SPI_connect() != SPI_OK_CONNECT)
		elog(ERROR, "SPI_connect failed");
	loaded = register_file(&load);
	if (loaded)
		rows = insert_events(&load, columns);
	SPI_finish();

	values[0] = Int64GetDatum((int64) rows);
	values[1] = CStringGetTextDatum(loaded ? "loaded" : "already loaded");
	PG_RETURN_DATUM(HeapTupleGetDatum(heap_form_tuple(BlessTupleDesc(tupdesc), values, nulls)));
}

/* Step 1.  After it the file is known to be sound from end to end. */
static void
audit_file(Load *load, bool refuse_fatal)
{
	Tap3Audit  *audit = palloc(sizeof(Tap3Audit));
	const Tap3Header *header = &audit->batch.header;
	Tap3Status	status;

	load->audit = audit;
	status = tap3_audit_run(audit, VARDATA_ANY(load->file), VARSIZE_ANY_EXHDR(load->file),
							NULL, NULL, NULL);
	tap3_sql_check(&audit->batch.cursor.error, status, audit->batch.event_count);
	if (header->sender[0] == '\0' || header->recipient[0] == '\0' || header->sequence_number < 1)
		ereport(ERROR,
				errcode(ERRCODE_INVALID_BINARY_REPRESENTATION),
				errmsg("TAP file \"%s\" cannot be loaded: it does not say which file it is",
					   load->file_name),
				errdetail("Sender, recipient and a sequence number from 1 are needed; the file has \"%s\", \"%s\" and \"%s\".",
						  header->sender, header->recipient, header->sequence),
				errhint("tap3_audit shows everything that is wrong with a file."));
	if (refuse_fatal && audit->fatal_count > 0)
		ereport(ERROR,
				errcode(ERRCODE_DATA_EXCEPTION),
				errmsg("TAP file \"%s\" has %u fatal findings", load->file_name,
					   audit->fatal_count),
				errhint("SELECT * FROM tap3_audit(file) WHERE NOT passed shows them."));
}

/* Step 2. */
static void
check_file_name(const Load *load)
{
	char		expected[TAP3_FINDING_TEXT_MAX];

	if (!tap3_audit_file_name(&load->audit->batch.header, load->file_name, expected))
		ereport(ERROR,
				errcode(ERRCODE_DATA_EXCEPTION),
				errmsg("the name of TAP file \"%s\" contradicts its contents", load->file_name),
				errdetail("By its contents the file is %s.", expected),
				errhint("A file so named may have been mistaken for another one; ask its sender."));
}

/*
 * Step 3: the list of columns for the INSERT.  The target stays locked as
 * the INSERT will lock it.
 */
static char *
target_columns(Load *load)
{
	Relation	target = table_open(load->target, RowExclusiveLock);
	char		kind = target->rd_rel->relkind;
	StringInfoData columns;
	StringInfoData missing;

	if (kind != RELKIND_RELATION && kind != RELKIND_PARTITIONED_TABLE && kind != RELKIND_VIEW &&
		kind != RELKIND_FOREIGN_TABLE)
		ereport(ERROR,
				errcode(ERRCODE_WRONG_OBJECT_TYPE),
				errmsg("cannot load into \"%s\"", RelationGetRelationName(target)),
				errdetail("It is neither a table nor a view."));
	initStringInfo(&columns);
	initStringInfo(&missing);
	for (int i = 0; i < TAP3_COL_COUNT; i++)
	{
		appendStringInfo(&columns, "%s%s", i > 0 ? ", " : "", column_names[i]);
		if (get_attnum(load->target, column_names[i]) == InvalidAttrNumber)
			appendStringInfo(&missing, "%s%s", missing.len > 0 ? ", " : "", column_names[i]);
	}
	if (missing.len > 0)
		ereport(ERROR,
				errcode(ERRCODE_UNDEFINED_COLUMN),
				errmsg("table \"%s\" lacks columns of a call event", RelationGetRelationName(target)),
				errdetail("Missing: %s.", missing.data),
				errhint("CREATE TABLE ... (LIKE tap3_call_event) makes a table that has them."));
	load->target_name = quote_qualified_identifier
		(get_namespace_name(RelationGetNamespace(target)), RelationGetRelationName(target));
	table_close(target, NoLock);
	return columns.data;
}

/* Step 4: true if the file is new, false if it has been loaded before. */
static bool
register_file(const Load *load)
{
	StringInfoData query;

	if (is_registered(load))
		return false;
	initStringInfo(&query);
	appendStringInfo(&query,
					 "INSERT INTO %s.tap3_file (target, sender, recipient, file_type, file_seq, "
					 "rap_file_seq, kind, release, file_name, file_hash, file_size, event_count, "
					 "total_charge, currency, fatal_count, severe_count) "
					 "VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16) "
					 "ON CONFLICT DO NOTHING", load->schema_name);
	run_register(load, query.data, SPI_OK_INSERT);
	if (SPI_processed == 1)
		return true;
	/* the conflict is this file, loaded meanwhile, or another one */
	if (is_registered(load))
		return false;
	report_sequence_taken(load);
	return false;
}

/* A statement over the register with the file's values as parameters. */
static void
run_register(const Load *load, const char *query, int expected)
{
	const Tap3Header *header = &load->audit->batch.header;
	Oid			types[] = {REGCLASSOID, TEXTOID, TEXTOID, TEXTOID, INT4OID, TEXTOID, TEXTOID, INT4OID,
		TEXTOID, BYTEAOID, INT8OID, INT8OID, NUMERICOID, TEXTOID, INT4OID, INT4OID};
	Datum		values[lengthof(types)];
	char		nulls[lengthof(types) + 1];
	bool		amounts = tap3_has(header, TAP3_FIELD_DECIMAL_PLACES);
	const char *currency = header->tap_currency[0] != '\0' ? header->tap_currency :
		header->local_currency;
	int			result;

	memset(nulls, ' ', sizeof(nulls));
	values[0] = ObjectIdGetDatum(load->target);
	values[1] = tap3_sql_text(header->sender);
	values[2] = tap3_sql_text(header->recipient);
	values[3] = tap3_sql_text(header->file_type);
	values[4] = Int32GetDatum(header->sequence_number);
	values[5] = tap3_sql_text(header->rap_sequence);
	if (header->rap_sequence[0] == '\0')
		nulls[5] = 'n';
	values[6] = tap3_sql_text(header->notification ? "notification" : "batch");
	values[7] = Int32GetDatum(header->release);
	values[8] = tap3_sql_text(load->file_name);
	values[9] = PointerGetDatum(load->file_hash);
	values[10] = Int64GetDatum((int64) VARSIZE_ANY_EXHDR(load->file));
	values[11] = Int64GetDatum(load->audit->totals.event_count);
	values[12] = amounts ? tap3_sql_amount(load->audit->totals.charge, header->decimal_places) :
		(Datum) 0;
	if (!amounts)
		nulls[12] = 'n';
	values[13] = tap3_sql_text(currency);
	if (currency[0] == '\0')
		nulls[13] = 'n';
	values[14] = Int32GetDatum((int32) load->audit->fatal_count);
	values[15] = Int32GetDatum((int32) load->audit->severe_count);
	result = SPI_execute_with_args(query, lengthof(types), types, values, nulls, false, 0);
	if (result != expected)
		elog(ERROR, "register of TAP files: %s", SPI_result_code_string(result));
}

/* The same contents, returned or not. */
static bool
is_registered(const Load *load)
{
	StringInfoData query;
	Oid			types[2] = {REGCLASSOID, BYTEAOID};
	Datum		values[2];

	initStringInfo(&query);
	appendStringInfo(&query, "SELECT FROM %s.tap3_file WHERE target OPERATOR(pg_catalog.=) $1 "
					 "AND file_hash OPERATOR(pg_catalog.=) $2", load->schema_name);
	values[0] = ObjectIdGetDatum(load->target);
	values[1] = PointerGetDatum(load->file_hash);
	if (SPI_execute_with_args(query.data, 2, types, values, NULL, false, 1) != SPI_OK_SELECT)
		elog(ERROR, "register of TAP files cannot be read");
	return SPI_processed > 0;
}

static void
report_sequence_taken(const Load *load)
{
	const Tap3Header *header = &load->audit->batch.header;
	StringInfoData query;
	Oid			types[5] = {REGCLASSOID, TEXTOID, TEXTOID, TEXTOID, INT4OID};
	Datum		values[5];
	char	   *other = NULL;

	initStringInfo(&query);
	appendStringInfo(&query, "SELECT file_name FROM %s.tap3_file WHERE NOT returned "
					 "AND target OPERATOR(pg_catalog.=) $1 AND sender OPERATOR(pg_catalog.=) $2 "
					 "AND recipient OPERATOR(pg_catalog.=) $3 AND file_type OPERATOR(pg_catalog.=) $4 "
					 "AND file_seq OPERATOR(pg_catalog.=) $5", load->schema_name);
	values[0] = ObjectIdGetDatum(load->target);
	values[1] = tap3_sql_text(header->sender);
	values[2] = tap3_sql_text(header->recipient);
	values[3] = tap3_sql_text(header->file_type);
	values[4] = Int32GetDatum(header->sequence_number);
	if (SPI_execute_with_args(query.data, 5, types, values, NULL, false, 1) == SPI_OK_SELECT &&
		SPI_processed > 0)
		other = SPI_getvalue(SPI_tuptable->vals[0], SPI_tuptable->tupdesc, 1);
	ereport(ERROR,
			errcode(ERRCODE_UNIQUE_VIOLATION),
			errmsg("sequence number %s of %s to %s has been used by another file",
				   header->sequence, header->sender, header->recipient),
			errdetail("File \"%s\" has other contents than \"%s\".", load->file_name,
					  other != NULL ? other : ""),
			errhint("Error code 201 of a fatal return. If the earlier file was returned, mark its row of tap3_file as returned."));
}

/* Step 5. */
static uint64
insert_events(const Load *load, const char *columns)
{
	StringInfoData query;
	Oid			types[1] = {BYTEAOID};
	Datum		values[1];
	int			result;

	if (load->audit->totals.event_count == 0)
		return 0;
	initStringInfo(&query);
	appendStringInfo(&query, "INSERT INTO %s (%s) SELECT %s FROM %s.tap3_call_events($1)",
					 load->target_name, columns, columns, load->schema_name);
	values[0] = PointerGetDatum(load->file);
	result = SPI_execute_with_args(query.data, 1, types, values, NULL, false, 0);
	if (result != SPI_OK_INSERT)
		elog(ERROR, "loading a TAP file: %s", SPI_result_code_string(result));
	return SPI_processed;
}

static bytea *
hash_of(const bytea *file)
{
	bytea	   *digest = palloc(VARHDRSZ + PG_SHA256_DIGEST_LENGTH);
	pg_cryptohash_ctx *hash = pg_cryptohash_create(PG_SHA256);

	SET_VARSIZE(digest, VARHDRSZ + PG_SHA256_DIGEST_LENGTH);
	if (pg_cryptohash_init(hash) < 0 ||
		pg_cryptohash_update(hash, (const uint8 *) VARDATA_ANY(file), VARSIZE_ANY_EXHDR(file)) < 0 ||
		pg_cryptohash_final(hash, (uint8 *) VARDATA(digest), PG_SHA256_DIGEST_LENGTH) < 0)
		elog(ERROR, "could not compute a SHA-256 hash: %s", pg_cryptohash_error(hash));
	pg_cryptohash_free(hash);
	return digest;
}
