/*-------------------------------------------------------------------------
 *
 * tap3_sql.c
 *	  TAP files as rows: tap3_header, tap3_call_events, tap3_audit,
 *	  tap3_canonical.
 *
 * The pure parser (tap3_batch.c) walks over the detoasted bytea and hands out
 * one event at a time.  Each row is formed in a context that is reset before
 * the next one, and goes into a tuplestore, which spills to disk at work_mem:
 * besides the bytea itself, memory does not grow with the file.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "common/cryptohash.h"
#include "common/int.h"
#include "common/sha2.h"
#include "fmgr.h"
#include "funcapi.h"
#include "lib/stringinfo.h"
#include "mb/pg_wchar.h"
#include "miscadmin.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/memutils.h"
#include "utils/numeric.h"
#include "utils/timestamp.h"

#include "tap3_canonical.h"
#include "tap3_schema.h"
#include "tap3_sql.h"
#include "tap3_value.h"

PG_MODULE_MAGIC;

PG_FUNCTION_INFO_V1(tap3_sql_header);
PG_FUNCTION_INFO_V1(tap3_sql_call_events);
PG_FUNCTION_INFO_V1(tap3_sql_audit);
PG_FUNCTION_INFO_V1(tap3_sql_canonical);

#define TAP3_PATH_SHOWN_MAX 12

/* Where the audit's findings go. */
typedef struct AuditRows
{
	ReturnSetInfo *result;
	MemoryContext row_context;
} AuditRows;

static int	error_code(Tap3Status status);
static const char *error_hint(const Tap3Error *error, Tap3Status status);
static char *path_text(const Tap3Error *error);
static char *tag_text(uint32_t tag);
static void form_event(Datum *values, bool *nulls, const Tap3Batch *batch, const Tap3Event *event,
					   pg_cryptohash_ctx *hash);
static void form_event_amounts(Datum *values, bool *nulls, const Tap3Header *header,
							   const Tap3Event *event);
static Datum event_hash(pg_cryptohash_ctx *hash, const uint8_t *data, size_t size);
static void form_header(Datum *values, bool *nulls, Tap3Header *header);
static void form_header_tables(Datum *values, bool *nulls, Tap3Header *header);
static void form_header_totals(Datum *values, bool *nulls, const Tap3Header *header);
static void put_text(Datum *values, bool *nulls, int column, const char *text);
static void put_number(Datum *values, bool *nulls, int column, bool present, int64_t number,
					   bool wide);
static void put_array(Datum *values, bool *nulls, int column, Datum *elements, bool *element_nulls,
					  int count, Oid type);
static void add_finding(void *context, const Tap3Finding *finding);

Datum
tap3_sql_header(PG_FUNCTION_ARGS)
{
	bytea	   *file = PG_GETARG_BYTEA_PP(0);
	Tap3Batch  *batch = palloc(sizeof(Tap3Batch));
	Tap3Event  *event = palloc(sizeof(Tap3Event));
	TupleDesc	tupdesc;
	Datum		values[TAP3_HEAD_COUNT] = {0};
	bool		nulls[TAP3_HEAD_COUNT];
	Tap3Status	status;

	if (get_call_result_type(fcinfo, NULL, &tupdesc) != TYPEFUNC_COMPOSITE ||
		tupdesc->natts != TAP3_HEAD_COUNT)
		elog(ERROR, "tap3_file_header does not have the columns of this library");

	/* the audit information stands behind the events */
	status = tap3_batch_open(batch, VARDATA_ANY(file), VARSIZE_ANY_EXHDR(file));
	while (status == TAP3_OK)
	{
		CHECK_FOR_INTERRUPTS();
		status = tap3_batch_next(batch, event);
	}
	tap3_sql_check(&batch->cursor.error, status, batch->event_count);

	memset(nulls, true, sizeof(nulls));
	form_header(values, nulls, &batch->header);
	PG_RETURN_DATUM(HeapTupleGetDatum(heap_form_tuple(BlessTupleDesc(tupdesc), values, nulls)));
}

Datum
tap3_sql_call_events(PG_FUNCTION_ARGS)
{
	bytea	   *file = PG_GETARG_BYTEA_PP(0);
	ReturnSetInfo *result = (ReturnSetInfo *) fcinfo->resultinfo;
	Tap3Batch  *batch = palloc(sizeof(Tap3Batch));
	Tap3Event  *event = palloc(sizeof(Tap3Event));
	pg_cryptohash_ctx *hash;
	MemoryContext row_context;
	Tap3Status	status;

	InitMaterializedSRF(fcinfo, 0);
	if (result->setDesc->natts != TAP3_COL_COUNT)
		elog(ERROR, "tap3_call_event does not have the columns of this library");
	hash = pg_cryptohash_create(PG_SHA256);
	row_context = AllocSetContextCreate(CurrentMemoryContext, "tap3 call event",
										ALLOCSET_DEFAULT_SIZES);

	status = tap3_batch_open(batch, VARDATA_ANY(file), VARSIZE_ANY_EXHDR(file));
	while (status == TAP3_OK)
	{
		MemoryContext old_context;
		Datum		values[TAP3_COL_COUNT] = {0};
		bool		nulls[TAP3_COL_COUNT];

		CHECK_FOR_INTERRUPTS();
		status = tap3_batch_next(batch, event);
		if (status != TAP3_OK)
			break;
		MemoryContextReset(row_context);
		old_context = MemoryContextSwitchTo(row_context);
		memset(nulls, true, sizeof(nulls));
		form_event(values, nulls, batch, event, hash);
		tuplestore_putvalues(result->setResult, result->setDesc, values, nulls);
		MemoryContextSwitchTo(old_context);
	}
	pg_cryptohash_free(hash);
	tap3_sql_check(&batch->cursor.error, status, batch->event_count);
	MemoryContextDelete(row_context);
	return (Datum) 0;
}

Datum
tap3_sql_audit(PG_FUNCTION_ARGS)
{
	Tap3Audit  *audit;
	AuditRows	rows;
	bytea	   *file;
	char	   *file_name = NULL;
	Tap3Status	status;

	InitMaterializedSRF(fcinfo, 0);
	if (PG_ARGISNULL(0))
		return (Datum) 0;
	file = PG_GETARG_BYTEA_PP(0);
	if (!PG_ARGISNULL(1))
		file_name = text_to_cstring(PG_GETARG_TEXT_PP(1));
	rows.result = (ReturnSetInfo *) fcinfo->resultinfo;
	rows.row_context = AllocSetContextCreate(CurrentMemoryContext, "tap3 finding",
											 ALLOCSET_SMALL_SIZES);
	audit = palloc(sizeof(Tap3Audit));
	status = tap3_audit_run(audit, VARDATA_ANY(file), VARSIZE_ANY_EXHDR(file), file_name,
							add_finding, &rows);
	tap3_sql_check(&audit->batch.cursor.error, status, audit->batch.event_count);
	MemoryContextDelete(rows.row_context);
	return (Datum) 0;
}

Datum
tap3_sql_canonical(PG_FUNCTION_ARGS)
{
	bytea	   *file = PG_GETARG_BYTEA_PP(0);
	size_t		bound = tap3_canonical_bound(VARSIZE_ANY_EXHDR(file));
	bytea	   *canonical;
	size_t		size;
	Tap3Error	error;
	Tap3Status	status;

	/* nothing is reserved for what cannot be a result */
	if (bound > MaxAllocSize - VARHDRSZ)
		ereport(ERROR,
				errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
				errmsg("the file is too large for its canonical form"));
	canonical = palloc(bound + VARHDRSZ);
	status = tap3_canonical((uint8_t *) VARDATA(canonical), bound, &size, VARDATA_ANY(file),
							VARSIZE_ANY_EXHDR(file), &error);
	tap3_sql_check(&error, status, 0);
	SET_VARSIZE(canonical, size + VARHDRSZ);
	PG_RETURN_BYTEA_P(canonical);
}

void
tap3_sql_check(const Tap3Error *error, Tap3Status status, uint32_t event_count)
{
	const char *hint;

	if (status == TAP3_OK || status == TAP3_END)
		return;
	hint = error_hint(error, status);
	ereport(ERROR,
			errcode(error_code(status)),
			errmsg("invalid TAP file: %s", tap3_status_text(status)),
			errdetail_plural("At byte offset %llu%s%s, after %u call event.",
							 "At byte offset %llu%s%s, after %u call events.",
							 event_count, (unsigned long long) error->offset,
							 error->path_count > 0 ? " in " : "", path_text(error), event_count),
			hint != NULL ? errhint("%s", hint) : 0);
}

Datum
tap3_sql_amount(int64_t amount, int places)
{
	return NumericGetDatum(int64_div_fast_to_numeric(amount, places));
}

Datum
tap3_sql_text(const char *text)
{
	return PointerGetDatum(cstring_to_text(text));
}

static int
error_code(Tap3Status status)
{
	switch (status)
	{
		case TAP3_TOO_LARGE:
		case TAP3_TOO_MANY:
		case TAP3_TOO_DEEP:
			return ERRCODE_PROGRAM_LIMIT_EXCEEDED;
		case TAP3_BAD_VERSION:
			return ERRCODE_FEATURE_NOT_SUPPORTED;
		case TAP3_SUM_RANGE:
			return ERRCODE_NUMERIC_VALUE_OUT_OF_RANGE;
		default:
			return ERRCODE_INVALID_BINARY_REPRESENTATION;
	}
}

static const char *
error_hint(const Tap3Error *error, Tap3Status status)
{
	switch (status)
	{
		case TAP3_TRUNCATED:
		case TAP3_NO_CONTENTS_END:
			return "The file may have been cut off in transfer; ask its sender for it again.";
		case TAP3_BAD_TAG:
		case TAP3_BAD_LENGTH:
		case TAP3_OVERRUN:
		case TAP3_STRAY_END:
		case TAP3_BAD_FORM:
			return "The file was damaged in transfer or by its sender's encoder.";
		case TAP3_TRAILING:
			return "Padding and further files do not belong behind the batch.";
		case TAP3_NOT_TAP:
			return "TAP transfer batches and notifications are read, RAP files are not.";
		case TAP3_NOT_A_BATCH:
			return "NRTRDE files begin with the same tag as TAP files; they are not read.";
		case TAP3_BAD_VERSION:
			return "TAP 3.9 to 3.12 are read.";
		default:
			return NULL;
	}
}

/* "TransferBatch.CallEventDetailList.GprsCall" */
static char *
path_text(const Tap3Error *error)
{
	StringInfoData path;

	initStringInfo(&path);
	for (unsigned i = 0; i < error->path_count; i++)
	{
		if (i == TAP3_PATH_SHOWN_MAX)
		{
			/* deeper than any item of TAP */
			appendStringInfoString(&path, "...");
			break;
		}
		if (i > 0)
			appendStringInfoChar(&path, '.');
		appendStringInfoString(&path, tag_text(error->path[i]));
	}
	return path.data;
}

static char *
tag_text(uint32_t tag)
{
	const char *name = tap3_schema_name(tag);

	if (name != NULL)
		return pstrdup(name);
	switch (TAP3_TAG_CLASS(tag))
	{
		case TAP3_CLASS_APPLICATION:
			return psprintf("[APPLICATION %u]", tag);
		case TAP3_CLASS_UNIVERSAL:
			return psprintf("[UNIVERSAL %u]", tag & TAP3_TAG_MAX);
		case TAP3_CLASS_PRIVATE:
			return psprintf("[PRIVATE %u]", tag & TAP3_TAG_MAX);
		default:
			return psprintf("[%u]", tag & TAP3_TAG_MAX);
	}
}

static void
form_event(Datum *values, bool *nulls, const Tap3Batch *batch, const Tap3Event *event,
		   pg_cryptohash_ctx *hash)
{
	const Tap3Header *header = &batch->header;
	char		number[12];

	put_text(values, nulls, TAP3_COL_SENDER, header->sender);
	put_text(values, nulls, TAP3_COL_RECIPIENT, header->recipient);
	put_number(values, nulls, TAP3_COL_FILE_SEQ, header->sequence[0] != '\0',
			   header->sequence_number, false);
	put_text(values, nulls, TAP3_COL_FILE_TYPE, header->file_type);
	put_number(values, nulls, TAP3_COL_EVENT_NO, true, event->number, false);
	put_text(values, nulls, TAP3_COL_EVENT_TYPE, tap3_event_type_name(event->type));
	put_text(values, nulls, TAP3_COL_IMSI, event->imsi);
	put_text(values, nulls, TAP3_COL_MSISDN, event->msisdn);
	put_text(values, nulls, TAP3_COL_EQUIPMENT, event->equipment);
	put_text(values, nulls, TAP3_COL_START_LOCAL, event->start_local);
	put_text(values, nulls, TAP3_COL_UTC_OFFSET, event->utc_offset);
	put_number(values, nulls, TAP3_COL_START_UTC, event->start_known,
			   (event->start_seconds - (int64_t) (POSTGRES_EPOCH_JDATE - UNIX_EPOCH_JDATE) *
				SECS_PER_DAY) * USECS_PER_SEC, true);
	put_number(values, nulls, TAP3_COL_DURATION_S, tap3_has(event, TAP3_FIELD_DURATION),
			   event->duration_s, true);
	put_number(values, nulls, TAP3_COL_VOLUME_IN, tap3_has(event, TAP3_FIELD_VOLUME_IN),
			   event->volume_in, true);
	put_number(values, nulls, TAP3_COL_VOLUME_OUT, tap3_has(event, TAP3_FIELD_VOLUME_OUT),
			   event->volume_out, true);
	put_text(values, nulls, TAP3_COL_OTHER_PARTY, event->other_party);
	put_text(values, nulls, TAP3_COL_APN, event->apn);
	put_text(values, nulls, TAP3_COL_REC_ENTITY, event->rec_entity);
	put_number(values, nulls, TAP3_COL_LOCATION_AREA, tap3_has(event, TAP3_FIELD_LOCATION_AREA),
			   event->location_area, false);
	put_number(values, nulls, TAP3_COL_CELL_ID, tap3_has(event, TAP3_FIELD_CELL_ID),
			   event->cell_id, false);
	put_text(values, nulls, TAP3_COL_SERVICE_TYPE, tap3_service_type_name(event->service_type));
	if (event->service_type == TAP3_SERVICE_MESSAGING || event->service_type == TAP3_SERVICE_SESSION)
	{
		snprintf(number, sizeof(number), "%d", event->service_number);
		put_text(values, nulls, TAP3_COL_SERVICE_CODE, number);
	}
	else
		put_text(values, nulls, TAP3_COL_SERVICE_CODE, event->service_code);
	form_event_amounts(values, nulls, header, event);
	put_number(values, nulls, TAP3_COL_CAUSE_FOR_TERM, tap3_has(event, TAP3_FIELD_CAUSE_FOR_TERM),
			   event->cause_for_term, false);
	put_text(values, nulls, TAP3_COL_PARTIAL_TYPE, event->partial_type);
	if (event->call_reference_size > 0)
	{
		values[TAP3_COL_CALL_REFERENCE] = PointerGetDatum
			(cstring_to_text_with_len((const char *) event->call_reference,
									  (int) event->call_reference_size));
		nulls[TAP3_COL_CALL_REFERENCE] = false;
	}
	put_number(values, nulls, TAP3_COL_CHARGING_ID, tap3_has(event, TAP3_FIELD_CHARGING_ID),
			   event->charging_id, true);
	values[TAP3_COL_RAW_HASH] = event_hash(hash, batch->cursor.data + event->offset, event->size);
	nulls[TAP3_COL_RAW_HASH] = false;
}

/* Without decimal places the file's integers are no amounts: they stay NULL. */
static void
form_event_amounts(Datum *values, bool *nulls, const Tap3Header *header, const Tap3Event *event)
{
	const struct
	{
		int			column;
		bool		present;
		int64_t		amount;
		int64_t		refund;
	}			amounts[] = {
		{TAP3_COL_CHARGE, tap3_has(event, TAP3_FIELD_CHARGE), event->charge, event->charge_refund},
		{TAP3_COL_TAX_VALUE, tap3_has(event, TAP3_FIELD_TAX_VALUE), event->tax_value,
		event->tax_refund},
		{TAP3_COL_TAXABLE_AMOUNT, tap3_has(event, TAP3_FIELD_TAXABLE_AMOUNT),
		event->taxable_amount, 0},
		{TAP3_COL_DISCOUNT, tap3_has(event, TAP3_FIELD_DISCOUNT), event->discount,
		event->discount_refund},
	};
	bool		known = tap3_has(header, TAP3_FIELD_DECIMAL_PLACES);

	put_text(values, nulls, TAP3_COL_CHARGED_ITEM, event->charged_item);
	for (int i = 0; i < 3; i++)
		put_number(values, nulls, TAP3_COL_CALL_TYPE_1 + i,
				   (event->present & TAP3_BIT(TAP3_FIELD_CALL_TYPE_1 + i)) != 0,
				   event->call_type[i], false);
	put_text(values, nulls, TAP3_COL_CHARGE_TYPE, event->charge_type);
	put_text(values, nulls, TAP3_COL_CURRENCY, header->tap_currency[0] != '\0' ?
			 header->tap_currency : header->local_currency);
	put_number(values, nulls, TAP3_COL_EXCHANGE_RATE_CODE,
			   tap3_has(event, TAP3_FIELD_EXCHANGE_RATE_CODE), event->exchange_rate_code, false);
	put_number(values, nulls, TAP3_COL_TAX_CODE, tap3_has(event, TAP3_FIELD_TAX_CODE),
			   event->tax_code, false);
	put_number(values, nulls, TAP3_COL_DISCOUNT_CODE, tap3_has(event, TAP3_FIELD_DISCOUNT_CODE),
			   event->discount_code, false);
	for (int i = 0; i < lengthof(amounts); i++)
	{
		int64_t		net;

		if (!amounts[i].present || !known)
			continue;
		if (pg_sub_s64_overflow(amounts[i].amount, amounts[i].refund, &net))
			ereport(ERROR,
					errcode(ERRCODE_NUMERIC_VALUE_OUT_OF_RANGE),
					errmsg("an amount of call event %u is out of range", event->number));
		values[amounts[i].column] = tap3_sql_amount(net, header->decimal_places);
		nulls[amounts[i].column] = false;
	}
}

static Datum
event_hash(pg_cryptohash_ctx *hash, const uint8_t *data, size_t size)
{
	bytea	   *digest = palloc(VARHDRSZ + PG_SHA256_DIGEST_LENGTH);

	SET_VARSIZE(digest, VARHDRSZ + PG_SHA256_DIGEST_LENGTH);
	if (pg_cryptohash_init(hash) < 0 || pg_cryptohash_update(hash, data, size) < 0 ||
		pg_cryptohash_final(hash, (uint8 *) VARDATA(digest), PG_SHA256_DIGEST_LENGTH) < 0)
		elog(ERROR, "could not compute a SHA-256 hash: %s", pg_cryptohash_error(hash));
	return PointerGetDatum(digest);
}

static void
form_header(Datum *values, bool *nulls, Tap3Header *header)
{
	put_text(values, nulls, TAP3_HEAD_KIND, header->notification ? "notification" : "batch");
	put_text(values, nulls, TAP3_HEAD_SENDER, header->sender);
	put_text(values, nulls, TAP3_HEAD_RECIPIENT, header->recipient);
	put_number(values, nulls, TAP3_HEAD_FILE_SEQ, header->sequence[0] != '\0',
			   header->sequence_number, false);
	put_text(values, nulls, TAP3_HEAD_FILE_TYPE, header->file_type);
	put_text(values, nulls, TAP3_HEAD_RAP_FILE_SEQ, header->rap_sequence);
	put_text(values, nulls, TAP3_HEAD_CREATED_LOCAL, header->created);
	put_text(values, nulls, TAP3_HEAD_CREATED_OFFSET, header->created_offset);
	put_text(values, nulls, TAP3_HEAD_CUTOFF_LOCAL, header->cutoff);
	put_text(values, nulls, TAP3_HEAD_CUTOFF_OFFSET, header->cutoff_offset);
	put_text(values, nulls, TAP3_HEAD_AVAILABLE_LOCAL, header->available);
	put_text(values, nulls, TAP3_HEAD_AVAILABLE_OFFSET, header->available_offset);
	put_number(values, nulls, TAP3_HEAD_RELEASE, true, header->release, false);
	put_text(values, nulls, TAP3_HEAD_LOCAL_CURRENCY, header->local_currency);
	put_text(values, nulls, TAP3_HEAD_TAP_CURRENCY, header->tap_currency);
	put_number(values, nulls, TAP3_HEAD_DECIMAL_PLACES, tap3_has(header, TAP3_FIELD_DECIMAL_PLACES),
			   header->decimal_places, false);
	put_text(values, nulls, TAP3_HEAD_EARLIEST_LOCAL, header->earliest);
	put_text(values, nulls, TAP3_HEAD_EARLIEST_OFFSET, header->earliest_offset);
	put_text(values, nulls, TAP3_HEAD_LATEST_LOCAL, header->latest);
	put_text(values, nulls, TAP3_HEAD_LATEST_OFFSET, header->latest_offset);
	put_number(values, nulls, TAP3_HEAD_EVENT_COUNT, tap3_has(header, TAP3_FIELD_EVENT_COUNT),
			   header->totals.event_count, true);
	if (!header->notification)
	{
		form_header_tables(values, nulls, header);
		form_header_totals(values, nulls, header);
	}
}

/* Parallel arrays, one element per entry. */
static void
form_header_tables(Datum *values, bool *nulls, Tap3Header *header)
{
	const struct
	{
		Tap3Codes  *codes;
		int			code_column;
	}			tables[] = {
		{&header->exchange_rates, TAP3_HEAD_EXCHANGE_RATE_CODES},
		{&header->taxes, TAP3_HEAD_TAX_CODES},
		{&header->discounts, TAP3_HEAD_DISCOUNT_CODES},
		{&header->utc_offsets, TAP3_HEAD_UTC_OFFSET_CODES},
	};
	int			capacity = Max(TAP3_CODES_MAX, TAP3_REC_ENTITIES_MAX);
	Datum	   *columns[4];
	bool	   *missing[4];
	int			places = header->decimal_places;

	for (int i = 0; i < 4; i++)
	{
		columns[i] = palloc(capacity * sizeof(Datum));
		missing[i] = palloc(capacity * sizeof(bool));
	}
	for (int t = 0; t < lengthof(tables); t++)
	{
		int			count = (int) tables[t].codes->count;

		for (int i = 0; i < count; i++)
		{
			const Tap3Entry *entry = &tables[t].codes->entries[i];
			int			scale = (t == 0) ? entry->places : (t == 1) ? 5 : 2;

			columns[0][i] = Int32GetDatum(entry->code);
			columns[1][i] = tap3_sql_text(t == 3 ? entry->text : entry->kind);
			/* a rate whose number of places is absurd is not shown */
			missing[2][i] = !entry->has_value || scale < 0 || scale > 18;
			columns[2][i] = missing[2][i] ? (Datum) 0 : tap3_sql_amount(entry->value, scale);
			missing[3][i] = !entry->has_fixed;
			columns[3][i] = missing[3][i] ? (Datum) 0 : tap3_sql_amount(entry->fixed, places);
		}
		put_array(values, nulls, tables[t].code_column, columns[0], NULL, count, INT4OID);
		if (t == 0)
			put_array(values, nulls, TAP3_HEAD_EXCHANGE_RATES, columns[2], missing[2], count,
					  NUMERICOID);
		if (t == 1)
		{
			put_array(values, nulls, TAP3_HEAD_TAX_TYPES, columns[1], NULL, count, TEXTOID);
			put_array(values, nulls, TAP3_HEAD_TAX_RATES, columns[2], missing[2], count, NUMERICOID);
		}
		if (t == 2)
		{
			put_array(values, nulls, TAP3_HEAD_DISCOUNT_RATES, columns[2], missing[2], count,
					  NUMERICOID);
			put_array(values, nulls, TAP3_HEAD_DISCOUNT_VALUES, columns[3], missing[3], count,
					  NUMERICOID);
		}
		if (t == 3)
			put_array(values, nulls, TAP3_HEAD_UTC_OFFSETS, columns[1], NULL, count, TEXTOID);
	}
	for (unsigned i = 0; i < header->rec_entities.count; i++)
	{
		columns[0][i] = Int32GetDatum(header->rec_entities.entries[i].code);
		columns[1][i] = Int32GetDatum(header->rec_entities.entries[i].type);
		columns[2][i] = tap3_sql_text(header->rec_entities.entries[i].id);
	}
	put_array(values, nulls, TAP3_HEAD_REC_ENTITY_CODES, columns[0], NULL,
			  (int) header->rec_entities.count, INT4OID);
	put_array(values, nulls, TAP3_HEAD_REC_ENTITY_TYPES, columns[1], NULL,
			  (int) header->rec_entities.count, INT4OID);
	put_array(values, nulls, TAP3_HEAD_REC_ENTITY_IDS, columns[2], NULL,
			  (int) header->rec_entities.count, TEXTOID);
}

static void
form_header_totals(Datum *values, bool *nulls, const Tap3Header *header)
{
	const Tap3Totals *totals = &header->totals;
	const int64_t amounts[] = {totals->charge, totals->charge_refund, totals->tax,
	totals->tax_refund, totals->discount, totals->discount_refund};

	for (int i = 0; i < lengthof(amounts); i++)
		if ((header->present & TAP3_BIT(TAP3_FIELD_TOTAL_CHARGE + i)) != 0 &&
			tap3_has(header, TAP3_FIELD_DECIMAL_PLACES))
		{
			values[TAP3_HEAD_TOTAL_CHARGE + i] = tap3_sql_amount(amounts[i], header->decimal_places);
			nulls[TAP3_HEAD_TOTAL_CHARGE + i] = false;
		}
}

static void
put_text(Datum *values, bool *nulls, int column, const char *text)
{
	nulls[column] = (text[0] == '\0');
	if (!nulls[column])
		values[column] = tap3_sql_text(text);
}

static void
put_number(Datum *values, bool *nulls, int column, bool present, int64_t number, bool wide)
{
	nulls[column] = !present;
	if (present)
		values[column] = wide ? Int64GetDatum(number) : Int32GetDatum((int32) number);
}

static void
put_array(Datum *values, bool *nulls, int column, Datum *elements, bool *element_nulls, int count,
		  Oid type)
{
	int			dimensions[1] = {count};
	int			lower_bounds[1] = {1};

	nulls[column] = false;
	values[column] = PointerGetDatum
		(count == 0 ? construct_empty_array(type) :
		 construct_md_array(elements, element_nulls, 1, dimensions, lower_bounds, type,
							type == INT4OID ? 4 : -1, type == INT4OID, TYPALIGN_INT));
}

/* A Tap3FindingSink. */
static void
add_finding(void *context, const Tap3Finding *finding)
{
	AuditRows  *rows = context;
	MemoryContext old_context;
	Datum		values[8];
	bool		nulls[8] = {false};

	CHECK_FOR_INTERRUPTS();
	MemoryContextReset(rows->row_context);
	old_context = MemoryContextSwitchTo(rows->row_context);
	values[0] = tap3_sql_text(tap3_severity_name(finding->severity));
	values[1] = Int32GetDatum(finding->code);
	values[2] = tap3_sql_text(tag_text(finding->tag));
	put_number(values, nulls, 3, finding->event_number > 0, finding->event_number, false);
	values[4] = BoolGetDatum(finding->passed);
	put_text(values, nulls, 5, finding->expected);
	/* a file's name may have been cut within a character */
	nulls[6] = (finding->found[0] == '\0');
	if (!nulls[6])
		values[6] = PointerGetDatum
			(cstring_to_text_with_len(finding->found,
									  pg_mbcliplen(finding->found, (int) strlen(finding->found),
												   TAP3_FINDING_TEXT_MAX)));
	values[7] = tap3_sql_text(finding->message);
	tuplestore_putvalues(rows->result->setResult, rows->result->setDesc, values, nulls);
	MemoryContextSwitchTo(old_context);
}
