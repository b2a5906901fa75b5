/*-------------------------------------------------------------------------
 *
 * table_value.c
 *	  From the bytes of a value back to the value.
 *
 * table_type.c has the bytes.  They come from another member, so nothing about
 * them is believed: what cannot be a value of the type is an ERROR, either with
 * TL010 or with what the type's own input says (class 22), and nothing else but a
 * lack of resources is.  That the bytes are the only ones for their value is not
 * asked here; the caller encodes the row again and compares.
 *
 * All servers must say the same, so what the server's own functions would refuse
 * by limits of theirs (dimensions, bit counts) is asked before they are called.
 * What needs stack, or much more memory than bytes, has limits of ours
 * (TL_SHARED_JSON_DEPTH_MAX, TL_SHARED_VALUE_ITEMS_MAX: TL007); table_fit.c keeps
 * such values out of shared tables.  Calls may make them in state tables, so these limits
 * do not count for bytes of rows that have been there (tl_table_value_judged), nor do
 * the rules of domains, which may not run whatever they call once more.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include <sys/socket.h>

#include "access/htup_details.h"
#include "catalog/pg_type.h"
#include "funcapi.h"
#include "mb/pg_wchar.h"
#include "miscadmin.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/date.h"
#include "utils/fmgrprotos.h"
#include "utils/inet.h"
#include "utils/lsyscache.h"
#include "utils/rangetypes.h"
#include "utils/timestamp.h"
#include "utils/typcache.h"
#include "utils/uuid.h"

#include "table_json.h"
#include "table_type_state.h"
#include "table_value.h"
#include "tl_compat.h"
#include "tl_error.h"
#include "tl_limits.h"

#define NULL_SIZE		PG_UINT32_MAX
#define TIMETZ_SIZE		12
#define INTERVAL_SIZE	16

static Datum decode_base(TlValueEncoder *type, TlSpan bytes);
static void check_domain(TlValueEncoder *type, Datum value, bool is_null);
static uint64_t get_integer(TlSpan bytes, size_t size);
static Datum decode_int4(const TlValueEncoder *type, TlSpan bytes);
static Datum decode_int8(const TlValueEncoder *type, TlSpan bytes);
static Datum decode_float(TlSpan bytes, size_t size);
static char *decode_text(TlSpan bytes);
static Datum decode_numeric(TlSpan bytes);
static Datum decode_jsonb(const TlValueEncoder *type, TlSpan bytes);
static TlJsonMeasure check_json(const TlValueEncoder *type, TlSpan bytes);
static Datum decode_varlena(const TlValueEncoder *type, TlSpan bytes);
static Datum decode_name(TlSpan bytes);
static Datum decode_fixed(const TlValueEncoder *type, TlSpan bytes);
static Datum decode_timetz(TlSpan bytes);
static Datum decode_interval(TlSpan bytes);
static Datum decode_inet(const TlValueEncoder *type, TlSpan bytes);
static Datum decode_bit(TlSpan bytes);
static bool decode_element(Datum *out, TlValueEncoder *type, TlReader *reader);
static Datum decode_range(TlValueEncoder *type, TlSpan bytes);
static void decode_bound(RangeBound *bound, TlValueEncoder *type, TlReader *reader,
						 bool is_lower, bool is_infinite, bool is_inclusive);
static Datum decode_array(TlValueEncoder *type, TlSpan bytes);
static int	get_dimensions(int *sizes, int *bounds, TlReader *reader);
static int	count_elements(const int *sizes, int dimensions, size_t size, bool limited);
static Datum decode_composite(TlValueEncoder *type, TlSpan bytes);
tl_noreturn static void refuse(const char *detail);
tl_noreturn static void too_much(const char *detail);

static void
refuse(const char *detail)
{
	ereport(ERROR,
			errcode(TL_ERRCODE(TL_BAD_FORMAT)),
			errmsg("the bytes of a value do not stand for one"),
			errdetail_internal("%s", detail));
}

static void
too_much(const char *detail)
{
	ereport(ERROR,
			errcode(TL_ERRCODE(TL_TOO_LARGE)),
			errmsg("a value is too complex for a shared table"),
			errdetail_internal("%s", detail),
			errhint("Spread it over several rows; or keep it elsewhere, and its hash in the row."));
}

void
tl_table_value_judged(TlValueEncoder *type)
{
	check_stack_depth();
	type->judged = true;
	if (type->element != NULL)
		tl_table_value_judged(type->element);
	for (int i = 0; type->descriptor != NULL && i < type->descriptor->natts; i++)
		if (type->attributes[i] != NULL)
			tl_table_value_judged(type->attributes[i]);
}

/* Allocates in the current memory context; the rules of domains are asked, unless it is judged. */
Datum
tl_table_value_decode(TlValueEncoder *type, TlSpan bytes)
{
	Datum		value;

	check_stack_depth();
	value = decode_base(type, bytes);
	check_domain(type, value, false);
	return value;
}

/* The same for a value that is null: a domain may forbid it. */
void
tl_table_value_check_null(TlValueEncoder *type)
{
	check_domain(type, (Datum) 0, true);
}

static void
check_domain(TlValueEncoder *type, Datum value, bool is_null)
{
	if (OidIsValid(type->domain) && !type->judged)
		domain_check(value, is_null, type->domain, &type->domain_cache, type->context);
}

static Datum
decode_base(TlValueEncoder *type, TlSpan bytes)
{
	uint64_t	number;

	switch (type->kind)
	{
		case VALUE_BOOL:
			number = get_integer(bytes, 1);
			if (number > 1)
				refuse("A boolean is neither 0 nor 1.");
			return BoolGetDatum(number == 1);
		case VALUE_INT2:
			return Int16GetDatum((int16) get_integer(bytes, sizeof(int16)));
		case VALUE_INT4:
			return decode_int4(type, bytes);
		case VALUE_INT8:
			return decode_int8(type, bytes);
		case VALUE_FLOAT4:
			return decode_float(bytes, sizeof(float4));
		case VALUE_FLOAT8:
			return decode_float(bytes, sizeof(float8));
		case VALUE_NUMERIC:
			return decode_numeric(bytes);
		case VALUE_VARLENA:
			return decode_varlena(type, bytes);
		case VALUE_NAME:
			return decode_name(bytes);
		case VALUE_JSONB:
			return decode_jsonb(type, bytes);
		case VALUE_FIXED:
			return decode_fixed(type, bytes);
		case VALUE_TIMETZ:
			return decode_timetz(bytes);
		case VALUE_INTERVAL:
			return decode_interval(bytes);
		case VALUE_INET:
			return decode_inet(type, bytes);
		case VALUE_BIT:
			return decode_bit(bytes);
		case VALUE_ENUM:
			return DirectFunctionCall2(enum_in, CStringGetDatum(decode_text(bytes)),
									   ObjectIdGetDatum(type->type));
		case VALUE_RANGE:
			return decode_range(type, bytes);
		case VALUE_ARRAY:
			return decode_array(type, bytes);
		case VALUE_COMPOSITE:
			return decode_composite(type, bytes);
		case VALUE_UNSUPPORTED:
			break;
	}
	elog(ERROR, "type %u has no ledger encoding", type->type);
	return (Datum) 0;			/* keep the compiler quiet */
}

static uint64_t
get_integer(TlSpan bytes, size_t size)
{
	uint64_t	value = 0;

	if (bytes.size != size)
		refuse("A number has another size.");
	for (size_t i = 0; i < size; i++)
		value = value << 8 | bytes.data[i];
	return value;
}

static Datum
decode_int4(const TlValueEncoder *type, TlSpan bytes)
{
	int32		value = (int32) get_integer(bytes, sizeof(int32));

	if (type->type == DATEOID && !DATE_NOT_FINITE(value) && !IS_VALID_DATE(value))
		refuse("A date is out of range.");
	return Int32GetDatum(value);
}

static Datum
decode_int8(const TlValueEncoder *type, TlSpan bytes)
{
	int64		value = (int64) get_integer(bytes, sizeof(int64));

	if (type->type == TIMEOID && (value < 0 || value > USECS_PER_DAY))
		refuse("A time is out of range.");
	if ((type->type == TIMESTAMPOID || type->type == TIMESTAMPTZOID) &&
		!TIMESTAMP_NOT_FINITE(value) && !IS_VALID_TIMESTAMP(value))
		refuse("A timestamp is out of range.");
	return Int64GetDatum(value);
}

static Datum
decode_float(TlSpan bytes, size_t size)
{
	uint64_t	bits = get_integer(bytes, size);
	uint32		narrow = (uint32) bits;
	float4		single;
	float8		wide;

	if (size == sizeof(float4))
	{
		memcpy(&single, &narrow, sizeof(single));
		return Float4GetDatum(single);
	}
	memcpy(&wide, &bits, sizeof(wide));
	return Float8GetDatum(wide);
}

/* Valid UTF-8 without zero bytes. */
static char *
decode_text(TlSpan bytes)
{
	char	   *text = palloc(bytes.size + 1);

	(void) pg_verify_mbstr(PG_UTF8, (const char *) bytes.data, (int) bytes.size, false);
	memcpy(text, bytes.data, bytes.size);
	text[bytes.size] = '\0';
	return text;
}

/* Ours have all their digits: a few bytes do not stand for a hundred thousand. */
static Datum
decode_numeric(TlSpan bytes)
{
	if (memchr(bytes.data, 'e', bytes.size) != NULL ||
		memchr(bytes.data, 'E', bytes.size) != NULL)
		refuse("A number has an exponent.");
	return DirectFunctionCall3(numeric_in, CStringGetDatum(decode_text(bytes)),
							   ObjectIdGetDatum(InvalidOid), Int32GetDatum(-1));
}

static Datum
decode_jsonb(const TlValueEncoder *type, TlSpan bytes)
{
	if (check_json(type, bytes).has_exponent)
		refuse("A number has an exponent.");
	return DirectFunctionCall1(jsonb_in, CStringGetDatum(decode_text(bytes)));
}

static TlJsonMeasure
check_json(const TlValueEncoder *type, TlSpan bytes)
{
	TlJsonMeasure measure;

	tl_table_json_measure(&measure, bytes);
	if (measure.depth > TL_SHARED_JSON_DEPTH_MAX && !type->judged)
		too_much("Its arrays and objects are nested more than 64 times.");
	if (measure.item_count > TL_SHARED_VALUE_ITEMS_MAX && !type->judged)
		too_much("It has more than 1000000 elements.");
	return measure;
}

static Datum
decode_varlena(const TlValueEncoder *type, TlSpan bytes)
{
	struct varlena *value = palloc(VARHDRSZ + bytes.size);

	if (type->type == JSONOID)
	{
		(void) check_json(type, bytes);
		(void) DirectFunctionCall1(json_in, CStringGetDatum(decode_text(bytes)));
	}
	else if (type->type != BYTEAOID)
		(void) pg_verify_mbstr(PG_UTF8, (const char *) bytes.data, (int) bytes.size, false);
	SET_VARSIZE(value, VARHDRSZ + bytes.size);
	memcpy(VARDATA(value), bytes.data, bytes.size);
	return PointerGetDatum(value);
}

static Datum
decode_name(TlSpan bytes)
{
	if (bytes.size >= NAMEDATALEN)
		refuse("A name is too long.");
	return DirectFunctionCall1(namein, CStringGetDatum(decode_text(bytes)));
}

static Datum
decode_fixed(const TlValueEncoder *type, TlSpan bytes)
{
	void	   *value = palloc(type->length);

	if (bytes.size != (size_t) type->length)
		refuse("A value of fixed length has another one.");
	memcpy(value, bytes.data, bytes.size);
	return PointerGetDatum(value);
}

static Datum
decode_timetz(TlSpan bytes)
{
	TimeTzADT  *value = palloc0(sizeof(TimeTzADT));
	TlReader	reader;

	if (bytes.size != TIMETZ_SIZE)
		refuse("A time with time zone has another size.");
	tl_reader_init(&reader, bytes.data, bytes.size);
	value->time = tl_get_i64(&reader);
	value->zone = (int32) tl_get_u32(&reader);
	if (value->time < 0 || value->time > USECS_PER_DAY ||
		value->zone <= -TZDISP_LIMIT || value->zone >= TZDISP_LIMIT)
		refuse("A time with time zone is out of range.");
	return TimeTzADTPGetDatum(value);
}

static Datum
decode_interval(TlSpan bytes)
{
	Interval   *value = palloc0(sizeof(Interval));
	TlReader	reader;

	if (bytes.size != INTERVAL_SIZE)
		refuse("An interval has another size.");
	tl_reader_init(&reader, bytes.data, bytes.size);
	value->time = tl_get_i64(&reader);
	value->day = (int32) tl_get_u32(&reader);
	value->month = (int32) tl_get_u32(&reader);
	return IntervalPGetDatum(value);
}

/* By way of the form that clients send. */
static Datum
decode_inet(const TlValueEncoder *type, TlSpan bytes)
{
	StringInfoData buffer;
	bool		is_v4 = bytes.size > 0 && bytes.data[0] == 4;

	if (bytes.size != (is_v4 ? 7 : 19) || (!is_v4 && bytes.data[0] != 6))
		refuse("A network address has another size.");
	initStringInfo(&buffer);
	appendStringInfoChar(&buffer, is_v4 ? PGSQL_AF_INET : PGSQL_AF_INET6);
	appendStringInfoChar(&buffer, (char) bytes.data[1]);
	appendStringInfoChar(&buffer, (char) bytes.data[2]);
	appendStringInfoChar(&buffer, is_v4 ? 4 : 16);
	appendBinaryStringInfo(&buffer, (const char *) bytes.data + 3, (int) bytes.size - 3);
	return DirectFunctionCall1(type->type == CIDROID ? cidr_recv : inet_recv,
							   PointerGetDatum(&buffer));
}

/* So do bit strings, whose form is the same; the bytes are as many as the bits need. */
static Datum
decode_bit(TlSpan bytes)
{
	StringInfoData buffer;
	TlReader	reader;
	uint64_t	count;

	tl_reader_init(&reader, bytes.data, bytes.size);
	count = tl_get_u32(&reader);
	if (reader.truncated ||
		(count + BITS_PER_BYTE - 1) / BITS_PER_BYTE != bytes.size - sizeof(uint32_t))
		refuse("A bit string has another number of bits.");
	initStringInfo(&buffer);
	appendBinaryStringInfo(&buffer, (const char *) bytes.data, (int) bytes.size);
	return DirectFunctionCall3(varbit_recv, PointerGetDatum(&buffer),
							   ObjectIdGetDatum(InvalidOid), Int32GetDatum(-1));
}

/* A value with its size before it; false if it is null. */
static bool
decode_element(Datum *out, TlValueEncoder *type, TlReader *reader)
{
	uint32_t	size = tl_get_u32(reader);
	TlSpan		bytes;

	*out = (Datum) 0;
	if (!reader->truncated && size == NULL_SIZE)
	{
		tl_table_value_check_null(type);
		return false;
	}
	bytes = tl_get_span(reader, size);
	if (reader->truncated)
		refuse("A part of a value ends too early.");
	*out = tl_table_value_decode(type, bytes);
	return true;
}

static Datum
decode_range(TlValueEncoder *type, TlSpan bytes)
{
	TypeCacheEntry *cache = lookup_type_cache(type->type, TYPECACHE_RANGE_INFO);
	RangeBound	lower;
	RangeBound	upper;
	TlReader	reader;
	uint8_t		flags;

	tl_reader_init(&reader, bytes.data, bytes.size);
	flags = tl_get_u8(&reader);
	if (reader.truncated ||
		(flags & ~(RANGE_EMPTY | RANGE_LB_INC | RANGE_UB_INC | RANGE_LB_INF | RANGE_UB_INF)))
		refuse("The flags of a range are unknown.");
	decode_bound(&lower, type, &reader, true,
				 !RANGE_HAS_LBOUND(flags), (flags & RANGE_LB_INC) != 0);
	decode_bound(&upper, type, &reader, false,
				 !RANGE_HAS_UBOUND(flags), (flags & RANGE_UB_INC) != 0);
	if (tl_reader_finish(&reader) != TL_OK)
		refuse("A range has more bytes than bounds.");
	return RangeTypePGetDatum(tl_make_range(cache, &lower, &upper,
											(flags & RANGE_EMPTY) != 0));
}

static void
decode_bound(RangeBound *bound, TlValueEncoder *type, TlReader *reader, bool is_lower,
			 bool is_infinite, bool is_inclusive)
{
	memset(bound, 0, sizeof(*bound));
	bound->lower = is_lower;
	bound->infinite = is_infinite;
	bound->inclusive = is_inclusive;
	if (!is_infinite && !decode_element(&bound->val, type->element, reader))
		refuse("A bound of a range is null.");
}

static Datum
decode_array(TlValueEncoder *type, TlSpan bytes)
{
	TlValueEncoder *element = type->element;
	int			sizes[MAXDIM];
	int			bounds[MAXDIM];
	int			dimensions;
	int			count;
	Datum	   *items;
	bool	   *nulls;
	TlReader	reader;

	tl_reader_init(&reader, bytes.data, bytes.size);
	dimensions = get_dimensions(sizes, bounds, &reader);
	count = count_elements(sizes, dimensions, bytes.size, !type->judged);
	if (count == 0)
		return PointerGetDatum(construct_empty_array(get_element_type(type->type)));
	items = palloc(sizeof(Datum) * count);
	nulls = palloc(sizeof(bool) * count);
	for (int i = 0; i < count; i++)
	{
		CHECK_FOR_INTERRUPTS();
		nulls[i] = !decode_element(&items[i], element, &reader);
	}
	if (tl_reader_finish(&reader) != TL_OK)
		refuse("An array has more bytes than elements.");
	return PointerGetDatum(construct_md_array(items, nulls, dimensions, sizes, bounds,
											  get_element_type(type->type), element->length,
											  element->by_value, element->alignment));
}

/* How many; sizes and lower bounds are such as an array may have. */
static int
get_dimensions(int *sizes, int *bounds, TlReader *reader)
{
	int			dimensions = tl_get_u8(reader);

	if (reader->truncated || dimensions > MAXDIM)
		refuse("An array has too many dimensions.");
	for (int i = 0; i < dimensions; i++)
	{
		bounds[i] = (int32) tl_get_u32(reader);
		sizes[i] = (int32) tl_get_u32(reader);
		if (reader->truncated || sizes[i] < 1)
			refuse("A dimension of an array has no elements.");
		if ((int64_t) bounds[i] + sizes[i] > PG_INT32_MAX)
			refuse("A bound of an array is too large.");
	}
	return dimensions;
}

/* Each has its size before it; so the product stays small. */
static int
count_elements(const int *sizes, int dimensions, size_t size, bool limited)
{
	uint64_t	count = dimensions > 0;

	for (int i = 0; i < dimensions; i++)
	{
		count *= (uint64_t) sizes[i];
		if (count > size / sizeof(uint32_t))
			refuse("An array has more elements than bytes.");
	}
	if (count > TL_SHARED_VALUE_ITEMS_MAX && limited)
		too_much("It has more than 1000000 elements.");
	return (int) count;
}

static Datum
decode_composite(TlValueEncoder *type, TlSpan bytes)
{
	TupleDesc	descriptor = type->descriptor;
	Datum	   *values = palloc0(sizeof(Datum) * descriptor->natts);
	bool	   *nulls = palloc(sizeof(bool) * descriptor->natts);
	unsigned	count = 0;
	TlReader	reader;

	for (int i = 0; i < descriptor->natts; i++)
		count += (type->attributes[i] != NULL);
	tl_reader_init(&reader, bytes.data, bytes.size);
	if (tl_get_u16(&reader) != count || reader.truncated)
		refuse("A composite value has another number of attributes.");
	for (int i = 0; i < descriptor->natts; i++)
		nulls[i] = type->attributes[i] == NULL ||
			!decode_element(&values[i], type->attributes[i], &reader);
	if (tl_reader_finish(&reader) != TL_OK)
		refuse("A composite value has more bytes than attributes.");
	return HeapTupleGetDatum(heap_form_tuple(descriptor, values, nulls));
}
