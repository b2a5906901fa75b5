/*-------------------------------------------------------------------------
 *
 * tap3_sql_encode.c
 *	  TAP files from rows: tap3_encode, tap3_generate, tap3_networks.
 *
 * The writer asks for every event twice (tap3_write.h).  tap3_encode goes over
 * the rows a first time to complete the header's tables: an offset or a
 * recording entity that the header does not list gets the next free code.
 * Each row is taken apart in a context that is reset before the next.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "catalog/pg_type.h"
#include "fmgr.h"
#include "funcapi.h"
#include "miscadmin.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/date.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/numeric.h"
#include "utils/timestamp.h"
#include "utils/typcache.h"

#include "tap3_generate.h"
#include "tap3_sql.h"
#include "tap3_value.h"

PG_FUNCTION_INFO_V1(tap3_sql_encode);
PG_FUNCTION_INFO_V1(tap3_sql_generate);
PG_FUNCTION_INFO_V1(tap3_sql_networks);

#define TAP3_GENERATE_EVENTS_MAX 10000000

/* The rows that become events. */
typedef struct Rows
{
	Tap3Header *header;
	TupleDesc	tupdesc;
	Datum	   *datums;
	bool	   *nulls;
	int			count;
	MemoryContext row_context;
	bool		completing;		/* the first pass: codes are made, not looked up */
} Rows;

/* One row taken apart. */
typedef struct Row
{
	uint32_t	number;			/* 0: the header */
	TupleDesc	tupdesc;
	Datum	   *values;
	bool	   *nulls;
} Row;

/* Elements of one of the header's arrays. */
typedef struct Elements
{
	int			count;
	Datum	   *values;
	bool	   *nulls;
} Elements;

/* Columns whose text goes into the event as it is. */
static const struct
{
	int			column;
	uint8_t		field;
	size_t		place;
	size_t		capacity;
}			text_columns[] = {
#define TEXT(column, field, member) \
	{TAP3_COL_##column, TAP3_FIELD_##field, offsetof(Tap3Event, member), \
	sizeof(((Tap3Event *) 0)->member)}
	TEXT(IMSI, IMSI, imsi),
	TEXT(MSISDN, MSISDN, msisdn),
	TEXT(EQUIPMENT, EQUIPMENT, equipment),
	TEXT(START_LOCAL, START_LOCAL, start_local),
	TEXT(OTHER_PARTY, OTHER_PARTY, other_party),
	TEXT(APN, APN, apn),
	TEXT(CHARGED_ITEM, CHARGED_ITEM, charged_item),
	TEXT(CHARGE_TYPE, NONE, charge_type),
	TEXT(PARTIAL_TYPE, PARTIAL_TYPE, partial_type),
#undef TEXT
};

/* Columns whose number does. */
static const struct
{
	int			column;
	uint8_t		field;
	bool		wide;
	size_t		place;
}			number_columns[] = {
#define NUMBER(column, wide, member) \
	{TAP3_COL_##column, TAP3_FIELD_##column, wide, offsetof(Tap3Event, member)}
	{TAP3_COL_DURATION_S, TAP3_FIELD_DURATION, true, offsetof(Tap3Event, duration_s)},
	NUMBER(VOLUME_IN, true, volume_in),
	NUMBER(VOLUME_OUT, true, volume_out),
	NUMBER(CHARGING_ID, true, charging_id),
	NUMBER(LOCATION_AREA, false, location_area),
	NUMBER(CELL_ID, false, cell_id),
	NUMBER(CALL_TYPE_1, false, call_type[0]),
	NUMBER(CALL_TYPE_2, false, call_type[1]),
	NUMBER(CALL_TYPE_3, false, call_type[2]),
	NUMBER(EXCHANGE_RATE_CODE, false, exchange_rate_code),
	NUMBER(TAX_CODE, false, tax_code),
	NUMBER(DISCOUNT_CODE, false, discount_code),
	NUMBER(CAUSE_FOR_TERM, false, cause_for_term),
#undef NUMBER
};

static Tap3Status next_row(void *context, uint32_t number, Tap3Event *event);
static void read_event(const Rows *rows, const Row *row, Tap3Event *event);
static void read_event_service(const Row *row, Tap3Event *event);
static void read_event_amounts(const Rows *rows, const Row *row, Tap3Event *event);
static void read_event_codes(const Rows *rows, const Row *row, Tap3Event *event);
static void read_header(const Row *row, Tap3Header *header);
static void read_header_tables(const Row *row, Tap3Header *header);
static void read_header_discounts(const Row *row, Tap3Header *header);
static void read_header_network(const Row *row, Tap3Header *header);
static Elements read_array(const Row *row, int column, Oid type);
static void check_array(const Row *row, int column, const Elements *elements, int count);
static Tap3Entry *add_entry(const Row *row, int column, Tap3Codes *codes, const Elements *keys, int i);
static bool read_text(const Row *row, int column, char *out, size_t capacity);
static int64_t read_number(const Row *row, int column, bool *present);
static bool read_amount(const Row *row, int column, int places, int64_t *amount);
static int64_t amount_of(const Row *row, int column, Datum decimal, int places);
static void put_text_element(const Row *row, int column, const Elements *elements, int i, char *out,
							 size_t capacity);
_Noreturn static void bad_value(const Row *row, int column, const char *why);
static bytea *write_file(Tap3Plan *plan, Tap3Status status);

Datum
tap3_sql_encode(PG_FUNCTION_ARGS)
{
	HeapTupleHeader head = PG_GETARG_HEAPTUPLEHEADER(0);
	ArrayType  *events = PG_GETARG_ARRAYTYPE_P(1);
	Tap3Header *header = palloc0(sizeof(Tap3Header));
	Tap3Event  *event = palloc(sizeof(Tap3Event));
	HeapTupleData tuple = {0};
	TupleDesc	tupdesc = lookup_rowtype_tupdesc_copy(HeapTupleHeaderGetTypeId(head),
													  HeapTupleHeaderGetTypMod(head));
	Datum		values[TAP3_HEAD_COUNT];
	bool		nulls[TAP3_HEAD_COUNT];
	Row			row = {0, tupdesc, values, nulls};
	Rows		rows = {header};
	Tap3Plan	plan;
	Tap3Status	status;

	if (tupdesc->natts != TAP3_HEAD_COUNT)
		elog(ERROR, "tap3_file_header does not have the columns of this library");
	tuple.t_len = HeapTupleHeaderGetDatumLength(head);
	tuple.t_data = head;
	heap_deform_tuple(&tuple, tupdesc, values, nulls);
	read_header(&row, header);

	rows.tupdesc = lookup_rowtype_tupdesc_copy(ARR_ELEMTYPE(events), -1);
	if (rows.tupdesc->natts != TAP3_COL_COUNT)
		elog(ERROR, "tap3_call_event does not have the columns of this library");
	deconstruct_array(events, ARR_ELEMTYPE(events), -1, false, TYPALIGN_DOUBLE, &rows.datums,
					  &rows.nulls, &rows.count);
	rows.row_context = AllocSetContextCreate(CurrentMemoryContext, "tap3 row", ALLOCSET_DEFAULT_SIZES);
	if (header->notification && rows.count > 0)
		ereport(ERROR,
				errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				errmsg("a TAP notification has no call events"),
				errhint("Set kind to batch, or pass an empty array."));
	rows.completing = true;
	for (int i = 1; i <= rows.count; i++)
		(void) next_row(&rows, (uint32_t) i, event);
	rows.completing = false;
	if (header->utc_offsets.count == 0 && !header->notification)
		strcpy(tap3_codes_add(&header->utc_offsets, 1)->text, "+0000");
	status = tap3_write_plan(&plan, header, false, next_row, &rows, (uint32_t) rows.count);
	PG_RETURN_BYTEA_P(write_file(&plan, status));
}

Datum
tap3_sql_generate(PG_FUNCTION_ARGS)
{
	int32		events = PG_GETARG_INT32(0);
	char	   *sender = text_to_cstring(PG_GETARG_TEXT_PP(2));
	char	   *recipient = text_to_cstring(PG_GETARG_TEXT_PP(3));
	DateADT		day = PG_GETARG_DATEADT(5);
	Tap3Header *header = palloc(sizeof(Tap3Header));
	Tap3Generator generator;
	Tap3Plan	plan;
	Tap3Status	status;

	generator.event_count = (uint32_t) events;
	generator.seed = (uint64_t) PG_GETARG_INT64(1);
	generator.visited = tap3_network_by_tadig(sender);
	generator.home = tap3_network_by_tadig(recipient);
	generator.sequence_number = PG_GETARG_INT32(4);
	generator.release = PG_GETARG_INT32(6);
	generator.test_file = PG_GETARG_BOOL(8);
	if (events < 0 || events > TAP3_GENERATE_EVENTS_MAX)
		ereport(ERROR,
				errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				errmsg("number of events must be between 0 and %d", TAP3_GENERATE_EVENTS_MAX));
	if (generator.visited == NULL || generator.home == NULL)
		ereport(ERROR,
				errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				errmsg("network \"%s\" is not known to the generator",
					   generator.visited == NULL ? sender : recipient),
				errhint("SELECT tadig FROM tap3_networks() lists those that are."));
	if (generator.sequence_number < 1 || generator.sequence_number > TAP3_SEQUENCE_MAX)
		ereport(ERROR,
				errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				errmsg("file sequence number must be between 1 and %d", TAP3_SEQUENCE_MAX));
	if (generator.release < TAP3_RELEASE_MIN || generator.release > TAP3_RELEASE_MAX)
		ereport(ERROR,
				errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				errmsg("release must be between %d and %d", TAP3_RELEASE_MIN, TAP3_RELEASE_MAX));
	if (DATE_NOT_FINITE(day) || day < -(POSTGRES_EPOCH_JDATE - UNIX_EPOCH_JDATE) || day > 2900000)
		ereport(ERROR,
				errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				errmsg("day must be between 1970-01-01 and the end of the year 9900"));
	generator.day_seconds = ((int64_t) day + POSTGRES_EPOCH_JDATE - UNIX_EPOCH_JDATE) * SECS_PER_DAY;

	tap3_generate_header(&generator, header);
	status = tap3_write_plan(&plan, header, PG_GETARG_BOOL(7), tap3_generate_event, &generator,
							 generator.event_count);
	PG_RETURN_BYTEA_P(write_file(&plan, status));
}

Datum
tap3_sql_networks(PG_FUNCTION_ARGS)
{
	ReturnSetInfo *result = (ReturnSetInfo *) fcinfo->resultinfo;
	unsigned	count;
	const Tap3Network *networks = tap3_networks(&count);

	InitMaterializedSRF(fcinfo, 0);
	for (unsigned i = 0; i < count; i++)
	{
		Datum		values[6];
		bool		nulls[6] = {false};

		values[0] = tap3_sql_text(networks[i].tadig);
		values[1] = tap3_sql_text(networks[i].mcc);
		values[2] = tap3_sql_text(networks[i].mnc);
		values[3] = tap3_sql_text(networks[i].country_code);
		values[4] = tap3_sql_text(networks[i].currency);
		values[5] = tap3_sql_text(networks[i].utc_offset);
		tuplestore_putvalues(result->setResult, result->setDesc, values, nulls);
	}
	return (Datum) 0;
}

/* A Tap3EventSource over the rows; errors are reported, not returned. */
static Tap3Status
next_row(void *context, uint32_t number, Tap3Event *event)
{
	Rows	   *rows = context;
	HeapTupleHeader head;
	HeapTupleData tuple = {0};
	Datum		values[TAP3_COL_COUNT];
	bool		nulls[TAP3_COL_COUNT];
	Row			row = {number, rows->tupdesc, values, nulls};
	MemoryContext old_context;

	CHECK_FOR_INTERRUPTS();
	if (rows->nulls[number - 1])
		ereport(ERROR,
				errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
				errmsg("call event %u is null", number));
	MemoryContextReset(rows->row_context);
	old_context = MemoryContextSwitchTo(rows->row_context);
	head = DatumGetHeapTupleHeader(rows->datums[number - 1]);
	tuple.t_len = HeapTupleHeaderGetDatumLength(head);
	tuple.t_data = head;
	heap_deform_tuple(&tuple, rows->tupdesc, values, nulls);
	read_event(rows, &row, event);
	MemoryContextSwitchTo(old_context);
	return TAP3_OK;
}

static void
read_event(const Rows *rows, const Row *row, Tap3Event *event)
{
	char		type_name[16];

	memset(event, 0, sizeof(*event));
	event->number = row->number;
	(void) read_text(row, TAP3_COL_EVENT_TYPE, type_name, sizeof(type_name));
	event->type = tap3_event_type_by_name(type_name);
	if (event->type == TAP3_EVENT_NONE)
		bad_value(row, TAP3_COL_EVENT_TYPE, "It is none of moc, mtc, sse, scu, gprs, content, location, messaging, session and vas.");
	for (int i = 0; i < lengthof(text_columns); i++)
		if (read_text(row, text_columns[i].column, (char *) event + text_columns[i].place, text_columns[i].capacity) &&
			text_columns[i].field != TAP3_FIELD_NONE)
			event->present |= TAP3_BIT(text_columns[i].field);
	for (int i = 0; i < lengthof(number_columns); i++)
	{
		bool		present;
		int64_t		number = read_number(row, number_columns[i].column, &present);

		if (!present)
			continue;
		event->present |= TAP3_BIT(number_columns[i].field);
		if (number_columns[i].wide)
			*(int64_t *) ((char *) event + number_columns[i].place) = number;
		else
			*(int32_t *) ((char *) event + number_columns[i].place) = (int32_t) number;
	}
	if (event->imsi[0] != '\0' || event->msisdn[0] != '\0')
		tap3_set(event, TAP3_FIELD_SUBSCRIBER);
	read_event_service(row, event);
	read_event_amounts(rows, row, event);
	read_event_codes(rows, row, event);
}

static void
read_event_service(const Row *row, Tap3Event *event)
{
	char		type_name[16];
	char		code[12];
	bool		coded = read_text(row, TAP3_COL_SERVICE_CODE, code, sizeof(code));
	bytea	   *reference;

	if (read_text(row, TAP3_COL_SERVICE_TYPE, type_name, sizeof(type_name)))
	{
		event->service_type = tap3_service_type_by_name(type_name);
		if (event->service_type == TAP3_SERVICE_NONE)
			bad_value(row, TAP3_COL_SERVICE_TYPE, "It is none of tele, bearer, supplementary, messaging and session.");
		if (!coded)
			bad_value(row, TAP3_COL_SERVICE_CODE, "A service type needs a service code.");
		event->present |= TAP3_BIT(TAP3_FIELD_SERVICE_TELE + event->service_type - TAP3_SERVICE_TELE);
	}
	else if (coded)
		bad_value(row, TAP3_COL_SERVICE_TYPE, "A service code needs a service type.");
	if (event->service_type >= TAP3_SERVICE_MESSAGING)
	{
		if (!tap3_value_is_digits(code) || strlen(code) > 9)
			bad_value(row, TAP3_COL_SERVICE_CODE, "The number of a messaging or session service is needed.");
		event->service_number = (int32_t) strtol(code, NULL, 10);
	}
	else if (coded)
	{
		if (strlen(code) != 2 || strspn(code, "0123456789ABCDEFabcdef") != 2)
			bad_value(row, TAP3_COL_SERVICE_CODE, "Two hexadecimal digits are needed.");
		strcpy(event->service_code, code);
	}
	if (!row->nulls[TAP3_COL_CALL_REFERENCE])
	{
		reference = DatumGetByteaPP(row->values[TAP3_COL_CALL_REFERENCE]);
		event->call_reference_size = VARSIZE_ANY_EXHDR(reference);
		if (event->call_reference_size < 1 || event->call_reference_size > TAP3_REFERENCE_MAX)
			bad_value(row, TAP3_COL_CALL_REFERENCE, "It has no octets or too many.");
		memcpy(event->call_reference, VARDATA_ANY(reference), event->call_reference_size);
		tap3_set(event, TAP3_FIELD_CALL_REFERENCE);
	}
}

/* Amounts below zero are refunds, which only content has; the writer refuses others. */
static void
read_event_amounts(const Rows *rows, const Row *row, Tap3Event *event)
{
	int			places = rows->header->decimal_places;
	const struct
	{
		int			column;
		uint8_t		field;
		int64_t    *amount;
		int64_t    *refund;
	}			amounts[] = {
		{TAP3_COL_CHARGE, TAP3_FIELD_CHARGE, &event->charge, &event->charge_refund},
		{TAP3_COL_TAX_VALUE, TAP3_FIELD_TAX_VALUE, &event->tax_value, &event->tax_refund},
		{TAP3_COL_TAXABLE_AMOUNT, TAP3_FIELD_TAXABLE_AMOUNT, &event->taxable_amount, NULL},
		{TAP3_COL_DISCOUNT, TAP3_FIELD_DISCOUNT, &event->discount, &event->discount_refund},
	};

	for (int i = 0; i < lengthof(amounts); i++)
	{
		if (!read_amount(row, amounts[i].column, places, amounts[i].amount))
			continue;
		event->present |= TAP3_BIT(amounts[i].field);
		if (*amounts[i].amount < 0)
		{
			if (amounts[i].refund == NULL || event->type != TAP3_EVENT_CONTENT ||
				*amounts[i].amount == INT64_MIN)
				bad_value(row, amounts[i].column, "Only content can be refunded, that is have a negative charge, tax and discount.");
			*amounts[i].refund = -*amounts[i].amount;
			*amounts[i].amount = 0;
		}
	}
}

/* The codes of the offset and the recording entity, made on the first pass. */
static void
read_event_codes(const Rows *rows, const Row *row, Tap3Event *event)
{
	Tap3Codes  *offsets = &rows->header->utc_offsets;
	Tap3RecEntities *entities = &rows->header->rec_entities;
	unsigned	i;
	int			seconds;

	if (read_text(row, TAP3_COL_UTC_OFFSET, event->utc_offset, sizeof(event->utc_offset)))
	{
		if (!tap3_value_offset(&seconds, event->utc_offset))
			bad_value(row, TAP3_COL_UTC_OFFSET, "It is not of the form +hhmm or -hhmm.");
		for (i = 0; i < offsets->count; i++)
			if (strcmp(offsets->entries[i].text, event->utc_offset) == 0)
				break;
		if (i == offsets->count && rows->completing)
		{
			Tap3Entry  *entry = tap3_codes_add(offsets, i == 0 ? 1 :
											   offsets->entries[i - 1].code + 1);

			if (entry == NULL)
				bad_value(row, TAP3_COL_UTC_OFFSET, "There are too many of them.");
			strcpy(entry->text, event->utc_offset);
		}
		event->utc_code = offsets->entries[i].code;
		tap3_set(event, TAP3_FIELD_UTC_CODE);
		if (event->start_local[0] != '\0')
			event->start_known = tap3_value_time(&event->start_seconds, event->start_local,
												 event->utc_offset);
	}
	if (event->start_local[0] != '\0' && !event->start_known)
		bad_value(row, TAP3_COL_START_LOCAL, "It is no time of the form CCYYMMDDhhmmss with an offset.");
	if (read_text(row, TAP3_COL_REC_ENTITY, event->rec_entity, sizeof(event->rec_entity)))
	{
		for (i = 0; i < entities->count; i++)
			if (strcmp(entities->entries[i].id, event->rec_entity) == 0)
				break;
		if (i == entities->count && rows->completing)
		{
			Tap3RecEntity *entity = tap3_rec_entities_add(entities, i == 0 ? 1 :
														  entities->entries[i - 1].code + 1);

			if (entity == NULL)
				bad_value(row, TAP3_COL_REC_ENTITY, "There are too many of them.");
			entity->type = 1;
			strcpy(entity->id, event->rec_entity);
		}
		event->rec_entity_code = entities->entries[i].code;
		tap3_set(event, TAP3_FIELD_REC_ENTITY);
	}
	if (tap3_has(event, TAP3_FIELD_EXCHANGE_RATE_CODE) &&
		tap3_codes_find(&rows->header->exchange_rates, event->exchange_rate_code) == NULL)
		bad_value(row, TAP3_COL_EXCHANGE_RATE_CODE, "The header has no such exchange rate.");
	if (tap3_has(event, TAP3_FIELD_TAX_CODE) &&
		tap3_codes_find(&rows->header->taxes, event->tax_code) == NULL)
		bad_value(row, TAP3_COL_TAX_CODE, "The header has no such tax.");
	if (tap3_has(event, TAP3_FIELD_DISCOUNT_CODE) &&
		tap3_codes_find(&rows->header->discounts, event->discount_code) == NULL)
		bad_value(row, TAP3_COL_DISCOUNT_CODE, "The header has no such discount.");
}

static void
read_header(const Row *row, Tap3Header *header)
{
	char		kind[16];
	bool		present;

	(void) read_text(row, TAP3_HEAD_KIND, kind, sizeof(kind));
	header->notification = strcmp(kind, "notification") == 0;
	if (!header->notification && strcmp(kind, "batch") != 0)
		bad_value(row, TAP3_HEAD_KIND, "It is neither batch nor notification.");
	(void) read_text(row, TAP3_HEAD_SENDER, header->sender, sizeof(header->sender));
	(void) read_text(row, TAP3_HEAD_RECIPIENT, header->recipient, sizeof(header->recipient));
	header->sequence_number = (int32_t) read_number(row, TAP3_HEAD_FILE_SEQ, &present);
	if (present)
	{
		if (header->sequence_number < 1 || header->sequence_number > TAP3_SEQUENCE_MAX)
			bad_value(row, TAP3_HEAD_FILE_SEQ, "It is not between 1 and 99999.");
		snprintf(header->sequence, sizeof(header->sequence), "%05u",
				 (unsigned) header->sequence_number % (TAP3_SEQUENCE_MAX + 1));
	}
	(void) read_text(row, TAP3_HEAD_FILE_TYPE, header->file_type, sizeof(header->file_type));
	(void) read_text(row, TAP3_HEAD_RAP_FILE_SEQ, header->rap_sequence,
					 sizeof(header->rap_sequence));
	(void) read_text(row, TAP3_HEAD_CREATED_LOCAL, header->created, sizeof(header->created));
	(void) read_text(row, TAP3_HEAD_CREATED_OFFSET, header->created_offset,
					 sizeof(header->created_offset));
	(void) read_text(row, TAP3_HEAD_CUTOFF_LOCAL, header->cutoff, sizeof(header->cutoff));
	(void) read_text(row, TAP3_HEAD_CUTOFF_OFFSET, header->cutoff_offset,
					 sizeof(header->cutoff_offset));
	(void) read_text(row, TAP3_HEAD_AVAILABLE_LOCAL, header->available, sizeof(header->available));
	(void) read_text(row, TAP3_HEAD_AVAILABLE_OFFSET, header->available_offset,
					 sizeof(header->available_offset));
	header->specification = TAP3_SPECIFICATION;
	header->release = (int32_t) read_number(row, TAP3_HEAD_RELEASE, &present);
	if (header->release < TAP3_RELEASE_MIN || header->release > TAP3_RELEASE_MAX)
		bad_value(row, TAP3_HEAD_RELEASE, "TAP 3.9 to 3.12 are written.");
	(void) read_text(row, TAP3_HEAD_LOCAL_CURRENCY, header->local_currency,
					 sizeof(header->local_currency));
	(void) read_text(row, TAP3_HEAD_TAP_CURRENCY, header->tap_currency,
					 sizeof(header->tap_currency));
	if (header->notification)
		return;
	header->decimal_places = (int32_t) read_number(row, TAP3_HEAD_DECIMAL_PLACES, &present);
	if (!present || header->decimal_places < 0 || header->decimal_places > TAP3_DECIMAL_PLACES_MAX)
		bad_value(row, TAP3_HEAD_DECIMAL_PLACES, "A number from 0 to 9 is needed.");
	read_header_tables(row, header);
}

static void
read_header_tables(const Row *row, Tap3Header *header)
{
	Elements	codes = read_array(row, TAP3_HEAD_EXCHANGE_RATE_CODES, INT4OID);
	Elements	rates = read_array(row, TAP3_HEAD_EXCHANGE_RATES, NUMERICOID);
	Elements	others;
	Tap3Entry  *entry;

	check_array(row, TAP3_HEAD_EXCHANGE_RATES, &rates, codes.count);
	for (int i = 0; i < codes.count; i++)
	{
		entry = add_entry(row, TAP3_HEAD_EXCHANGE_RATE_CODES, &header->exchange_rates, &codes, i);
		if (rates.nulls[i])
			bad_value(row, TAP3_HEAD_EXCHANGE_RATES, "An exchange rate is null.");
		entry->places = DatumGetInt32(DirectFunctionCall1(numeric_scale, rates.values[i]));
		entry->value = amount_of(row, TAP3_HEAD_EXCHANGE_RATES, rates.values[i], entry->places);
		entry->has_value = true;
	}

	codes = read_array(row, TAP3_HEAD_TAX_CODES, INT4OID);
	rates = read_array(row, TAP3_HEAD_TAX_RATES, NUMERICOID);
	others = read_array(row, TAP3_HEAD_TAX_TYPES, TEXTOID);
	check_array(row, TAP3_HEAD_TAX_RATES, &rates, codes.count);
	check_array(row, TAP3_HEAD_TAX_TYPES, &others, codes.count);
	for (int i = 0; i < codes.count; i++)
	{
		entry = add_entry(row, TAP3_HEAD_TAX_CODES, &header->taxes, &codes, i);
		put_text_element(row, TAP3_HEAD_TAX_TYPES, &others, i, entry->kind, sizeof(entry->kind));
		entry->has_value = !rates.nulls[i];
		if (entry->has_value)
			entry->value = amount_of(row, TAP3_HEAD_TAX_RATES, rates.values[i], 5);
		if (entry->value < 0 || entry->value > 9999999)
			bad_value(row, TAP3_HEAD_TAX_RATES, "A tax rate has seven digits, five of them decimal.");
	}

	read_header_discounts(row, header);
	read_header_network(row, header);
}

static void
read_header_discounts(const Row *row, Tap3Header *header)
{
	Elements	codes = read_array(row, TAP3_HEAD_DISCOUNT_CODES, INT4OID);
	Elements	rates;
	Elements	others;
	Tap3Entry  *entry;

	rates = read_array(row, TAP3_HEAD_DISCOUNT_RATES, NUMERICOID);
	others = read_array(row, TAP3_HEAD_DISCOUNT_VALUES, NUMERICOID);
	check_array(row, TAP3_HEAD_DISCOUNT_RATES, &rates, codes.count);
	check_array(row, TAP3_HEAD_DISCOUNT_VALUES, &others, codes.count);
	for (int i = 0; i < codes.count; i++)
	{
		entry = add_entry(row, TAP3_HEAD_DISCOUNT_CODES, &header->discounts, &codes, i);
		entry->has_value = !rates.nulls[i];
		entry->has_fixed = !others.nulls[i];
		if (entry->has_value == entry->has_fixed)
			bad_value(row, TAP3_HEAD_DISCOUNT_RATES, "A discount has a rate or a value.");
		if (entry->has_value)
			entry->value = amount_of(row, TAP3_HEAD_DISCOUNT_RATES, rates.values[i], 2);
		else
			entry->fixed = amount_of(row, TAP3_HEAD_DISCOUNT_VALUES, others.values[i],
									 header->decimal_places);
	}
}

static void
read_header_network(const Row *row, Tap3Header *header)
{
	Elements	codes = read_array(row, TAP3_HEAD_UTC_OFFSET_CODES, INT4OID);
	Elements	rates;
	Elements	others;
	Tap3Entry  *entry;

	others = read_array(row, TAP3_HEAD_UTC_OFFSETS, TEXTOID);
	check_array(row, TAP3_HEAD_UTC_OFFSETS, &others, codes.count);
	for (int i = 0; i < codes.count; i++)
	{
		entry = add_entry(row, TAP3_HEAD_UTC_OFFSET_CODES, &header->utc_offsets, &codes, i);
		put_text_element(row, TAP3_HEAD_UTC_OFFSETS, &others, i, entry->text, sizeof(entry->text));
	}

	codes = read_array(row, TAP3_HEAD_REC_ENTITY_CODES, INT4OID);
	rates = read_array(row, TAP3_HEAD_REC_ENTITY_TYPES, INT4OID);
	others = read_array(row, TAP3_HEAD_REC_ENTITY_IDS, TEXTOID);
	check_array(row, TAP3_HEAD_REC_ENTITY_TYPES, &rates, codes.count);
	check_array(row, TAP3_HEAD_REC_ENTITY_IDS, &others, codes.count);
	for (int i = 0; i < codes.count; i++)
	{
		Tap3RecEntity *entity = codes.nulls[i] ? NULL :
			tap3_rec_entities_add(&header->rec_entities, DatumGetInt32(codes.values[i]));

		if (entity == NULL)
			bad_value(row, TAP3_HEAD_REC_ENTITY_CODES, "A code is null or occurs twice, or there are too many.");
		entity->type = rates.nulls[i] ? 0 : DatumGetInt32(rates.values[i]);
		put_text_element(row, TAP3_HEAD_REC_ENTITY_IDS, &others, i, entity->id, sizeof(entity->id));
	}
}

/* A null array is an empty one. */
static Elements
read_array(const Row *row, int column, Oid type)
{
	Elements	elements = {0};

	if (!row->nulls[column])
		deconstruct_array(DatumGetArrayTypeP(row->values[column]), type, type == INT4OID ? 4 : -1,
						  type == INT4OID, TYPALIGN_INT, &elements.values, &elements.nulls,
						  &elements.count);
	return elements;
}

static void
check_array(const Row *row, int column, const Elements *elements, int count)
{
	if (elements->count != count)
		bad_value(row, column, "It has another number of elements than the codes.");
}

static Tap3Entry *
add_entry(const Row *row, int column, Tap3Codes *codes, const Elements *keys, int i)
{
	Tap3Entry  *entry = keys->nulls[i] ? NULL :
		tap3_codes_add(codes, DatumGetInt32(keys->values[i]));

	if (entry == NULL)
		bad_value(row, column, "A code is null or occurs twice, or there are too many.");
	return entry;
}

/* False if null or empty; a text that cannot stand in a file is an error. */
static bool
read_text(const Row *row, int column, char *out, size_t capacity)
{
	char	   *string;

	out[0] = '\0';
	if (row->nulls[column])
		return false;
	string = TextDatumGetCString(row->values[column]);
	if (strlen(string) >= capacity)
		bad_value(row, column, "It is longer than the item may be.");
	for (const char *c = string; *c != '\0'; c++)
		if (*c < 0x20 || *c > 0x7e)
			bad_value(row, column, "It has characters other than visible ASCII.");
	if (string[0] == ' ' || (string[0] != '\0' && string[strlen(string) - 1] == ' '))
		bad_value(row, column, "It begins or ends with a space, which a reader drops.");
	strcpy(out, string);
	pfree(string);
	return out[0] != '\0';
}

static int64_t
read_number(const Row *row, int column, bool *present)
{
	*present = !row->nulls[column];
	if (!*present)
		return 0;
	if (TupleDescAttr(row->tupdesc, column)->atttypid == INT8OID)
		return DatumGetInt64(row->values[column]);
	return DatumGetInt32(row->values[column]);
}

static bool
read_amount(const Row *row, int column, int places, int64_t *amount)
{
	if (row->nulls[column])
		return false;
	*amount = amount_of(row, column, row->values[column], places);
	return true;
}

static int64_t
amount_of(const Row *row, int column, Datum decimal, int places)
{
	char	   *text = DatumGetCString(DirectFunctionCall1(numeric_out, decimal));
	int64_t		amount;

	if (places > 18 || tap3_value_parse_amount(&amount, text, places) != TAP3_VALUE_OK)
		bad_value(row, column, "It is no decimal of the item's number of places.");
	pfree(text);
	return amount;
}

static void
put_text_element(const Row *row, int column, const Elements *elements, int i, char *out,
				 size_t capacity)
{
	Row			element = {row->number, row->tupdesc, elements->values, elements->nulls};

	/* read_text names the column it is given: take the element's place there */
	if (elements->nulls[i])
		return;
	element.values = palloc(sizeof(Datum) * (column + 1));
	element.nulls = palloc0(sizeof(bool) * (column + 1));
	element.values[column] = elements->values[i];
	(void) read_text(&element, column, out, capacity);
	pfree(element.values);
	pfree(element.nulls);
}

static void
bad_value(const Row *row, int column, const char *why)
{
	const char *name = NameStr(TupleDescAttr(row->tupdesc, column)->attname);

	if (row->number == 0)
		ereport(ERROR,
				errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				errmsg("\"%s\" of the header cannot be written", name),
				errdetail("%s", why));
	ereport(ERROR,
			errcode(ERRCODE_INVALID_PARAMETER_VALUE),
			errmsg("\"%s\" of call event %u cannot be written", name, row->number),
			errdetail("%s", why));
}

/* Writes what has been planned; a plan that failed is reported. */
static bytea *
write_file(Tap3Plan *plan, Tap3Status status)
{
	bytea	   *file = NULL;
	size_t		size;

	if (status == TAP3_OK && plan->file_size <= MaxAllocSize - VARHDRSZ)
	{
		file = palloc(VARHDRSZ + plan->file_size);
		status = tap3_write_file(plan, (uint8_t *) VARDATA(file), plan->file_size, &size);
		SET_VARSIZE(file, VARHDRSZ + size);
	}
	else if (status == TAP3_OK)
		status = TAP3_TOO_LARGE;
	if (status == TAP3_OK)
		return file;
	if (plan->failed_event > 0)
		ereport(ERROR,
				errcode(status == TAP3_TOO_LARGE ? ERRCODE_PROGRAM_LIMIT_EXCEEDED :
						ERRCODE_INVALID_PARAMETER_VALUE),
				errmsg("call event %u cannot be written: %s", plan->failed_event,
					   tap3_status_text(status)),
				errhint("Its type or the release may have no item for one of its columns; amounts need their codes."));
	ereport(ERROR,
			errcode(status == TAP3_TOO_LARGE ? ERRCODE_PROGRAM_LIMIT_EXCEEDED :
					ERRCODE_INVALID_PARAMETER_VALUE),
			errmsg("TAP file cannot be written: %s", tap3_status_text(status)));
	return NULL;				/* not reached */
}
