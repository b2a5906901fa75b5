/*-------------------------------------------------------------------------
 *
 * proof_text.c
 *	  Values of a row as text, the same on every machine.
 *
 * A receipt shows the columns of its row as text, and whoever checks it
 * renders the row's bytes again and compares.  So the text depends on the
 * bytes and the type tag only, never on a setting or a locale:
 *
 *		type							text
 *		bool							true, false
 *		int2, int4, int8				decimal
 *		float4, float8					fewest digits that read back the same;
 *										NaN, Infinity, -Infinity
 *		numeric, text, varchar, bpchar,
 *		name, json, jsonb				as it is
 *		bytea							\x and hex
 *		uuid							8-4-4-4-12 hex digits
 *		date							YYYY-MM-DD, the year 0 is 1 BC;
 *										infinity, -infinity
 *		time							HH:MM:SS.ffffff
 *		timetz							the same and +HH:MM:SS east of Greenwich
 *		timestamp						YYYY-MM-DDTHH:MM:SS.ffffff, infinities
 *		timestamptz						the same, in UTC, and Z
 *		interval						P<months>M<days>DT<seconds>.ffffffS
 *		inet, cidr						address/prefix
 *		macaddr, macaddr8				hex pairs with colons
 *		bit, varbit						0s and 1s
 *		ledger.ref						member.incarnation.transaction.row
 *		arrays of these, one dimension
 *		from 1, or none					{a,b,NULL}; text, json and bytea in double
 *										quotes, with \ before \ and "
 *		enum							its label
 *		anything else					\x and hex of the bytes in the row
 *		a commitment					commitment:hex
 *
 * Bytes that are not a value of their type are shown as \x and hex, and so is
 * text that is no UTF-8 or holds control characters other than backspace, tab,
 * line feed, form feed and carriage return: JSON writes those others as \u00XX,
 * where the case of a digit could change without changing the value.
 *
 * Pure code: no PostgreSQL, no allocation.
 * Used by receipts, by ledger.verify_receipt() and by contrib/verifier.
 *
 *-------------------------------------------------------------------------
 */
#include "proof_text.h"

#include "tl_limits.h"

#include <arpa/inet.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#define DAY_US			INT64_C(86400000000)
#define DAYS_1970_2000	10957
#define DAYS_0_2000		730425	/* from 1 March of the year 0 */
#define DAYS_400_YEARS	146097

/* OIDs of built-in types, the same in every database */
#define TAG_BOOL		16
#define TAG_BYTEA		17
#define TAG_NAME		19
#define TAG_INT8		20
#define TAG_INT2		21
#define TAG_INT4		23
#define TAG_TEXT		25
#define TAG_JSON		114
#define TAG_CIDR		650
#define TAG_FLOAT4		700
#define TAG_FLOAT8		701
#define TAG_MACADDR8	774
#define TAG_MACADDR		829
#define TAG_INET		869
#define TAG_BPCHAR		1042
#define TAG_VARCHAR		1043
#define TAG_DATE		1082
#define TAG_TIME		1083
#define TAG_TIMESTAMP	1114
#define TAG_TIMESTAMPTZ 1184
#define TAG_INTERVAL	1186
#define TAG_TIMETZ		1266
#define TAG_BIT			1560
#define TAG_VARBIT		1562
#define TAG_NUMERIC		1700
#define TAG_UUID		2950
#define TAG_JSONB		3802
/* types with a name: top bit and 31 bits of SHA-256 of it, as "ledger.ref" */
#define TAG_NAMED		UINT32_C(0x80000000)
#define TAG_LEDGER_REF	UINT32_C(0xe2698ce8)

/* Arrays of built-in types and what is in them. */
static const struct
{
	uint32_t	array;
	uint32_t	element;
}			arrays[] = {
	{199, TAG_JSON}, {651, TAG_CIDR}, {775, TAG_MACADDR8}, {1000, TAG_BOOL},
	{1001, TAG_BYTEA}, {1003, TAG_NAME}, {1005, TAG_INT2}, {1007, TAG_INT4},
	{1009, TAG_TEXT}, {1014, TAG_BPCHAR}, {1015, TAG_VARCHAR},
	{1016, TAG_INT8}, {1021, TAG_FLOAT4}, {1022, TAG_FLOAT8},
	{1040, TAG_MACADDR}, {1041, TAG_INET}, {1115, TAG_TIMESTAMP},
	{1182, TAG_DATE}, {1183, TAG_TIME}, {1185, TAG_TIMESTAMPTZ},
	{1187, TAG_INTERVAL}, {1231, TAG_NUMERIC}, {1270, TAG_TIMETZ},
	{1561, TAG_BIT}, {1563, TAG_VARBIT}, {2951, TAG_UUID}, {3807, TAG_JSONB},
};

static bool render(TlTextSink *sink, uint32_t tag, TlSpan value);
static bool render_integer(TlTextSink *sink, TlReader *reader, size_t size);
static bool render_float(TlTextSink *sink, TlReader *reader, size_t size);
static bool render_date(TlTextSink *sink, TlReader *reader);
static bool render_time(TlTextSink *sink, TlReader *reader, bool zone);
static bool render_timestamp(TlTextSink *sink, TlReader *reader,
							 const char *suffix);
static bool render_interval(TlTextSink *sink, TlReader *reader);
static bool render_network(TlTextSink *sink, TlReader *reader);
static bool render_bits(TlTextSink *sink, TlReader *reader);
static bool render_ref(TlTextSink *sink, TlReader *reader);
static bool render_other(TlTextSink *sink, uint32_t tag, TlSpan value);
static bool render_array(TlTextSink *sink, uint32_t element, TlSpan value);
static bool render_element(TlTextSink *sink, uint32_t tag, TlSpan value);
static bool is_label(TlSpan value);
static bool is_quoted(uint32_t tag);
static void render_pairs(TlTextSink *sink, TlSpan value);
static void render_uuid(TlTextSink *sink, TlSpan value);
static void put(TlTextSink *sink, const void *data, size_t size);
static void put_bytes(TlTextSink *sink, const void *data, size_t size);
static void put_text(TlTextSink *sink, const char *text);
static void put_float(TlTextSink *sink, double value, bool single);
static void put_day(TlTextSink *sink, int64_t days);
static void put_clock(TlTextSink *sink, int64_t us);
static bool is_plain_text(TlSpan value);
static size_t utf8_size(const uint8_t *data, size_t left);

void
tl_proof_text_to(TlTextSink *sink, TlWriter *writer)
{
	memset(sink, 0, sizeof(*sink));
	sink->writer = writer;
}

void
tl_proof_text_against(TlTextSink *sink, TlSpan claim)
{
	memset(sink, 0, sizeof(*sink));
	sink->claim = claim;
}

/* Was the claim exactly the text that came in since? */
bool
tl_proof_text_equal(const TlTextSink *sink)
{
	return !sink->differs && sink->offset == sink->claim.size;
}

void
tl_proof_text_column(TlTextSink *sink, const TlRowColumn *column)
{
	if (column->kind == TL_COLUMN_COMMITMENT)
	{
		put_text(sink, "commitment:");
		tl_proof_text_hex(sink, column->value);
	}
	else if (!render(sink, column->type_tag, column->value))
	{
		put_text(sink, "\\x");
		tl_proof_text_hex(sink, column->value);
	}
}

void
tl_proof_text_string(TlTextSink *sink, TlSpan value)
{
	if (is_plain_text(value))
		put(sink, value.data, value.size);
	else
	{
		put_text(sink, "\\x");
		tl_proof_text_hex(sink, value);
	}
}

void
tl_proof_text_hex(TlTextSink *sink, TlSpan value)
{
	static const char digits[] = "0123456789abcdef";

	for (size_t i = 0; i < value.size; i++)
	{
		char		pair[2] = {digits[value.data[i] >> 4], digits[value.data[i] & 15]};

		put(sink, pair, sizeof(pair));
	}
}

void
tl_proof_text_ref(TlTextSink *sink, const TlRef *ref)
{
	char		text[64];

	snprintf(text, sizeof(text), "%" PRIu32 ".%u.%" PRIu64 ".%" PRIu32,
			 ref->member, ref->incarnation, ref->transaction, ref->row);
	put_text(sink, text);
}

void
tl_proof_text_block_time(TlTextSink *sink, int64_t time)
{
	int64_t		day = time / DAY_US;
	int64_t		us = time % DAY_US;

	if (us < 0)
	{
		us += DAY_US;
		day--;
	}
	put_day(sink, day - DAYS_1970_2000);
	put_text(sink, "T");
	put_clock(sink, us);
	put_text(sink, "Z");
}

/* False, and nothing put, if the bytes are not such a value. */
static bool
render(TlTextSink *sink, uint32_t tag, TlSpan value)
{
	TlReader	reader;

	tl_reader_init(&reader, value.data, value.size);
	switch (tag)
	{
		case TAG_BOOL:
			if (value.size != 1 || value.data[0] > 1)
				return false;
			put_text(sink, value.data[0] ? "true" : "false");
			return true;
		case TAG_INT2:
			return render_integer(sink, &reader, 2);
		case TAG_INT4:
			return render_integer(sink, &reader, 4);
		case TAG_INT8:
			return render_integer(sink, &reader, 8);
		case TAG_FLOAT4:
			return render_float(sink, &reader, 4);
		case TAG_FLOAT8:
			return render_float(sink, &reader, 8);
		case TAG_NUMERIC:
		case TAG_TEXT:
		case TAG_VARCHAR:
		case TAG_BPCHAR:
		case TAG_NAME:
		case TAG_JSON:
		case TAG_JSONB:
			tl_proof_text_string(sink, value);
			return true;
		case TAG_UUID:
			if (value.size != 16)
				return false;
			render_uuid(sink, value);
			return true;
		case TAG_DATE:
			return render_date(sink, &reader);
		case TAG_TIME:
			return render_time(sink, &reader, false);
		case TAG_TIMETZ:
			return render_time(sink, &reader, true);
		case TAG_TIMESTAMP:
			return render_timestamp(sink, &reader, "");
		case TAG_TIMESTAMPTZ:
			return render_timestamp(sink, &reader, "Z");
		case TAG_INTERVAL:
			return render_interval(sink, &reader);
		case TAG_INET:
		case TAG_CIDR:
			return render_network(sink, &reader);
		case TAG_MACADDR:
		case TAG_MACADDR8:
			if (value.size != (tag == TAG_MACADDR ? 6 : 8))
				return false;
			render_pairs(sink, value);
			return true;
		case TAG_BIT:
		case TAG_VARBIT:
			return render_bits(sink, &reader);
		case TAG_LEDGER_REF:
			return render_ref(sink, &reader);
		default:
			return render_other(sink, tag, value);
	}
}

/*
 * Enums and arrays.  A tag with a name does not say what kind of type it is,
 * but the bytes of composites, ranges and arrays always hold a control
 * character, which is_label refuses.
 */
static bool
render_other(TlTextSink *sink, uint32_t tag, TlSpan value)
{
	TlTextSink	trial;
	TlWriter	counter;

	if ((tag & TAG_NAMED) != 0)
	{
		if (!is_label(value))
			return false;
		put(sink, value.data, value.size);
		return true;
	}
	for (size_t i = 0; i < sizeof(arrays) / sizeof(arrays[0]); i++)
	{
		if (arrays[i].array != tag)
			continue;
		/* nothing may be put unless all of it can be */
		tl_writer_init(&counter, NULL, 0);
		tl_proof_text_to(&trial, &counter);
		return render_array(&trial, arrays[i].element, value) &&
			render_array(sink, arrays[i].element, value);
	}
	return false;
}

static bool
render_array(TlTextSink *sink, uint32_t element, TlSpan value)
{
	TlReader	reader;
	uint8_t		dimensions;
	uint32_t	count = 0;

	tl_reader_init(&reader, value.data, value.size);
	dimensions = tl_get_u8(&reader);
	if (dimensions == 1)
	{
		if (tl_get_u32(&reader) != 1)
			return false;
		count = tl_get_u32(&reader);
	}
	else if (dimensions != 0)
		return false;
	put_text(sink, "{");
	for (uint32_t i = 0; i < count; i++)
	{
		uint32_t	size = tl_get_u32(&reader);

		if (reader.truncated)
			return false;
		if (i > 0)
			put_text(sink, ",");
		if (size == UINT32_MAX)
			put_text(sink, "NULL");
		else if (!render_element(sink, element, tl_get_span(&reader, size)) ||
				 reader.truncated)
			return false;
	}
	put_text(sink, "}");
	return tl_reader_finish(&reader) == TL_OK;
}

static bool
render_element(TlTextSink *sink, uint32_t tag, TlSpan value)
{
	if (!is_quoted(tag))
		return render(sink, tag, value);
	put_text(sink, "\"");
	sink->quoted = true;
	if (tag == TAG_BYTEA)
	{
		put_text(sink, "\\x");
		tl_proof_text_hex(sink, value);
	}
	else
		tl_proof_text_string(sink, value);
	sink->quoted = false;
	put_text(sink, "\"");
	return true;
}

static bool
render_integer(TlTextSink *sink, TlReader *reader, size_t size)
{
	char		text[32];
	int64_t		value;

	if (reader->size != size)
		return false;
	if (size == 2)
		value = (int16_t) tl_get_u16(reader);
	else if (size == 4)
		value = (int32_t) tl_get_u32(reader);
	else
		value = tl_get_i64(reader);
	snprintf(text, sizeof(text), "%" PRId64, value);
	put_text(sink, text);
	return true;
}

static bool
render_float(TlTextSink *sink, TlReader *reader, size_t size)
{
	bool		single = (size == 4);
	double		value;

	if (reader->size != size)
		return false;
	if (single)
	{
		uint32_t	bits = tl_get_u32(reader);
		float		narrow;

		memcpy(&narrow, &bits, sizeof(narrow));
		value = narrow;
	}
	else
	{
		uint64_t	bits = tl_get_u64(reader);

		memcpy(&value, &bits, sizeof(value));
	}
	if (isnan(value))
		put_text(sink, "NaN");
	else if (isinf(value))
		put_text(sink, value > 0 ? "Infinity" : "-Infinity");
	else
		put_float(sink, value, single);
	return true;
}

/*
 * The fewest digits that read back as the same number; with an exponent where
 * the server would write one.
 */
static void
put_float(TlTextSink *sink, double value, bool single)
{
	char		text[64];
	int			exponent = 0;
	int			digits;

	for (digits = 1; digits <= 17; digits++)
	{
		snprintf(text, sizeof(text), "%.*e", digits - 1, value);
		exponent = atoi(strchr(text, 'e') + 1);
		if (single ? strtof(text, NULL) == (float) value :
			strtod(text, NULL) == value)
			break;
	}
	if (exponent >= -4 && exponent < (single ? 6 : 15))
		snprintf(text, sizeof(text), "%.*f",
				 digits - 1 > exponent ? digits - 1 - exponent : 0, value);
	put_text(sink, text);
}

static bool
render_date(TlTextSink *sink, TlReader *reader)
{
	int32_t		days;

	if (reader->size != 4)
		return false;
	days = (int32_t) tl_get_u32(reader);
	if (days == INT32_MAX)
		put_text(sink, "infinity");
	else if (days == INT32_MIN)
		put_text(sink, "-infinity");
	else
		put_day(sink, days);
	return true;
}

static bool
render_time(TlTextSink *sink, TlReader *reader, bool zone)
{
	char		text[16];
	int64_t		us;
	int32_t		west = 0;
	uint32_t	away;

	if (reader->size != (zone ? 12 : 8))
		return false;
	us = tl_get_i64(reader);
	if (zone)
		west = (int32_t) tl_get_u32(reader);
	if (us < 0 || us > DAY_US || west < -86399 || west > 86399)
		return false;
	put_clock(sink, us);
	if (zone)
	{
		away = (uint32_t) (west < 0 ? -west : west);
		snprintf(text, sizeof(text), "%c%02u:%02u:%02u", west > 0 ? '-' : '+',
				 away / 3600, away / 60 % 60, away % 60);
		put_text(sink, text);
	}
	return true;
}

static bool
render_timestamp(TlTextSink *sink, TlReader *reader, const char *suffix)
{
	int64_t		time;
	int64_t		day;
	int64_t		us;

	if (reader->size != 8)
		return false;
	time = tl_get_i64(reader);
	if (time == INT64_MAX || time == INT64_MIN)
	{
		put_text(sink, time > 0 ? "infinity" : "-infinity");
		return true;
	}
	day = time / DAY_US;
	us = time % DAY_US;
	if (us < 0)
	{
		us += DAY_US;
		day--;
	}
	put_day(sink, day);
	put_text(sink, "T");
	put_clock(sink, us);
	put_text(sink, suffix);
	return true;
}

static bool
render_interval(TlTextSink *sink, TlReader *reader)
{
	char		text[96];
	int64_t		us;
	uint64_t	size;
	int32_t		days;
	int32_t		months;

	if (reader->size != 16)
		return false;
	us = tl_get_i64(reader);
	days = (int32_t) tl_get_u32(reader);
	months = (int32_t) tl_get_u32(reader);
	size = (us < 0) ? -(uint64_t) us : (uint64_t) us;
	snprintf(text, sizeof(text),
			 "P%" PRId32 "M%" PRId32 "DT%s%" PRIu64 ".%06" PRIu64 "S",
			 months, days, us < 0 ? "-" : "", size / 1000000, size % 1000000);
	put_text(sink, text);
	return true;
}

static bool
render_network(TlTextSink *sink, TlReader *reader)
{
	char		text[INET6_ADDRSTRLEN];
	char		suffix[8];
	uint8_t		family = tl_get_u8(reader);
	uint8_t		prefix = tl_get_u8(reader);
	uint8_t		cidr = tl_get_u8(reader);
	bool		is_v4 = (family == 4);
	TlSpan		address = tl_get_span(reader, is_v4 ? 4 : 16);

	if (tl_reader_finish(reader) != TL_OK)
		return false;
	if ((!is_v4 && family != 6) || cidr > 1 || prefix > (is_v4 ? 32 : 128))
		return false;
	if (inet_ntop(is_v4 ? AF_INET : AF_INET6, address.data, text,
				  sizeof(text)) == NULL)
		return false;
	snprintf(suffix, sizeof(suffix), "/%u", prefix);
	put_text(sink, text);
	put_text(sink, suffix);
	return true;
}

static bool
render_bits(TlTextSink *sink, TlReader *reader)
{
	uint32_t	count = tl_get_u32(reader);
	TlSpan		bytes = tl_get_span(reader, ((size_t) count + 7) / 8);

	if (tl_reader_finish(reader) != TL_OK)
		return false;
	if (count % 8 != 0 && (bytes.data[count / 8] & (0xff >> count % 8)) != 0)
		return false;
	for (uint32_t i = 0; i < count; i++)
		put_text(sink, (bytes.data[i / 8] >> (7 - i % 8)) & 1 ? "1" : "0");
	return true;
}

static bool
render_ref(TlTextSink *sink, TlReader *reader)
{
	TlRef		ref;

	tl_get_ref(reader, &ref);
	if (tl_reader_finish(reader) != TL_OK)
		return false;
	tl_proof_text_ref(sink, &ref);
	return true;
}

static void
render_pairs(TlTextSink *sink, TlSpan value)
{
	for (size_t i = 0; i < value.size; i++)
	{
		TlSpan		byte = {value.data + i, 1};

		if (i > 0)
			put_text(sink, ":");
		tl_proof_text_hex(sink, byte);
	}
}

static void
render_uuid(TlTextSink *sink, TlSpan value)
{
	for (size_t i = 0; i < value.size; i++)
	{
		TlSpan		byte = {value.data + i, 1};

		if (i == 4 || i == 6 || i == 8 || i == 10)
			put_text(sink, "-");
		tl_proof_text_hex(sink, byte);
	}
}

/* Text of an enum's length without any control character. */
static bool
is_label(TlSpan value)
{
	if (value.size == 0 || value.size > TL_NAME_SIZE_MAX)
		return false;
	for (size_t i = 0; i < value.size; i++)
	{
		if (value.data[i] < 0x20)
			return false;
	}
	return is_plain_text(value);
}

/* Could an element of this type hold a comma or a brace? */
static bool
is_quoted(uint32_t tag)
{
	return tag == TAG_TEXT || tag == TAG_VARCHAR || tag == TAG_BPCHAR ||
		tag == TAG_NAME || tag == TAG_JSON || tag == TAG_JSONB ||
		tag == TAG_BYTEA;
}

static void
put(TlTextSink *sink, const void *data, size_t size)
{
	const uint8_t *bytes = data;

	if (!sink->quoted)
	{
		put_bytes(sink, data, size);
		return;
	}
	for (size_t i = 0; i < size; i++)
	{
		if (bytes[i] == '"' || bytes[i] == '\\')
			put_bytes(sink, "\\", 1);
		put_bytes(sink, &bytes[i], 1);
	}
}

static void
put_bytes(TlTextSink *sink, const void *data, size_t size)
{
	if (sink->writer != NULL)
	{
		tl_put_bytes(sink->writer, data, size);
		return;
	}
	if (sink->differs || size > sink->claim.size - sink->offset ||
		(size > 0 && memcmp(sink->claim.data + sink->offset, data, size) != 0))
		sink->differs = true;
	else
		sink->offset += size;
}

static void
put_text(TlTextSink *sink, const char *text)
{
	put(sink, text, strlen(text));
}

/* The date that many days after 1 January 2000, proleptic Gregorian. */
static void
put_day(TlTextSink *sink, int64_t days)
{
	char		text[48];
	int64_t		since = days + DAYS_0_2000;
	int64_t		cycle = (since >= 0 ? since : since - (DAYS_400_YEARS - 1)) /
	DAYS_400_YEARS;
	int64_t		day_of_cycle = since - cycle * DAYS_400_YEARS;
	int64_t		year_of_cycle;
	int64_t		day_of_year;	/* from 1 March */
	int64_t		month;			/* from March */
	int64_t		year;

	year_of_cycle = (day_of_cycle - day_of_cycle / 1460 + day_of_cycle / 36524 -
					 day_of_cycle / 146096) / 365;
	day_of_year = day_of_cycle - (365 * year_of_cycle + year_of_cycle / 4 -
								  year_of_cycle / 100);
	month = (5 * day_of_year + 2) / 153;
	year = year_of_cycle + cycle * 400 + (month >= 10 ? 1 : 0);
	snprintf(text, sizeof(text), "%s%04" PRId64 "-%02d-%02d",
			 year < 0 ? "-" : "", year < 0 ? -year : year,
			 (int) (month < 10 ? month + 3 : month - 9),
			 (int) (day_of_year - (153 * month + 2) / 5 + 1));
	put_text(sink, text);
}

static void
put_clock(TlTextSink *sink, int64_t us)
{
	char		text[48];
	int64_t		seconds = us / 1000000;

	snprintf(text, sizeof(text),
			 "%02" PRId64 ":%02" PRId64 ":%02" PRId64 ".%06" PRId64,
			 seconds / 3600, seconds / 60 % 60, seconds % 60, us % 1000000);
	put_text(sink, text);
}

static bool
is_plain_text(TlSpan value)
{
	size_t		offset = 0;

	while (offset < value.size)
	{
		uint8_t		byte = value.data[offset];
		size_t		size = utf8_size(value.data + offset, value.size - offset);

		if (size == 0)
			return false;
		if (byte < 0x20 && byte != '\b' && byte != '\t' && byte != '\n' &&
			byte != '\f' && byte != '\r')
			return false;
		offset += size;
	}
	return true;
}

/* Bytes of the character that starts here, 0 if none does (RFC 3629). */
static size_t
utf8_size(const uint8_t *data, size_t left)
{
	size_t		size;
	uint32_t	code;

	if (data[0] < 0x80)
		return 1;
	if (data[0] >= 0xc2 && data[0] < 0xe0)
		size = 2;
	else if (data[0] >= 0xe0 && data[0] < 0xf0)
		size = 3;
	else if (data[0] >= 0xf0 && data[0] < 0xf5)
		size = 4;
	else
		return 0;
	if (left < size)
		return 0;
	code = data[0] & (0xffu >> (size + 1));
	for (size_t i = 1; i < size; i++)
	{
		if ((data[i] & 0xc0) != 0x80)
			return 0;
		code = (code << 6) | (data[i] & 0x3f);
	}
	if (size == 3 && (code < 0x800 || (code >= 0xd800 && code < 0xe000)))
		return 0;
	if (size == 4 && (code < 0x10000 || code > 0x10ffff))
		return 0;
	return size;
}
