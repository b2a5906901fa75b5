/*-------------------------------------------------------------------------
 *
 * table_type.c
 *	  Which types a ledger table may have, their tags, and the bytes of values.
 *
 * The bytes are our own and not those of typsend: those of text follow
 * client_encoding, those of arrays and composites hold OIDs, which differ from
 * node to node.  All integers big-endian.
 *
 *		type						bytes of a value
 *		bool						u8, 0 or 1
 *		int2, int4, int8			2, 4, 8, two's complement
 *		float4, float8				4, 8, IEEE 754; every NaN is the quiet NaN
 *									without sign, -0 is 0
 *		numeric						text of numeric_out: the scale is kept
 *		text, varchar, name			as stored (UTF-8)
 *		bpchar						as stored, with its blanks
 *		json						as stored
 *		jsonb						text of jsonb_out
 *		bytea						as it is
 *		uuid, ledger.ref			16 bytes
 *		date						i32 days since 2000-01-01
 *		time						i64 us since midnight
 *		timetz						i64 us since midnight, i32 zone in seconds
 *									west of Greenwich
 *		timestamp, timestamptz		i64 us since 2000-01-01 (UTC)
 *									date and timestamps: the infinities are the
 *									least and the greatest integer
 *		interval					i64 us, i32 days, i32 months
 *		inet, cidr					u8 family (4 or 6), u8 prefix length,
 *									u8 1 for cidr, then 4 or 16 bytes
 *		macaddr, macaddr8			6, 8 bytes
 *		bit, varbit					u32 count of bits, bytes (last one padded
 *									with zeros)
 *		enum						its label
 *		domain						as its base type
 *		range						u8 flags (1 empty, 2 lower inclusive, 4 upper
 *									inclusive, 8 no lower, 16 no upper bound),
 *									then each bound that is there: u32 length,
 *									bytes
 *		array						u8 dimensions, for each: i32 lower bound,
 *									u32 size; then the elements: i32 length (-1:
 *									NULL), bytes
 *		composite					u16 count of attributes; then as elements
 *
 * Type tags: a built-in type has its OID, which is the same in every database.
 * Other types have the top bit set and 31 bits of SHA-256 of the name
 * `schema.type`, an array of such a type `schema.type[]`.  A domain has the tag
 * of its base type.
 *
 * Invariants
 *	  Y1  one stored value has one encoding, whatever the settings of the session
 *	  Y2  a type that passes tl_table_type_supported has an encoder
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include <math.h>
#include <sys/socket.h>

#include "access/htup_details.h"
#include "access/transam.h"
#include "catalog/pg_class.h"
#include "catalog/pg_enum.h"
#include "catalog/pg_type.h"
#include "miscadmin.h"
#include "port/pg_bswap.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/date.h"
#include "utils/fmgrprotos.h"
#include "utils/inet.h"
#include "utils/lsyscache.h"
#include "utils/rangetypes.h"
#include "utils/syscache.h"
#include "utils/timestamp.h"
#include "utils/typcache.h"
#include "utils/uuid.h"
#include "utils/varbit.h"

#include "crypto_hash.h"
#include "table_ref.h"
#include "table_type.h"
#include "table_type_state.h"
#include "tl_compat.h"
#include "tl_error.h"
#include "tl_limits.h"

static const struct
{
	Oid			type;
	ValueKind	kind;
}			built_in[] = {
	{BOOLOID, VALUE_BOOL},
	{INT2OID, VALUE_INT2},
	{INT4OID, VALUE_INT4},
	{DATEOID, VALUE_INT4},
	{INT8OID, VALUE_INT8},
	{TIMEOID, VALUE_INT8},
	{TIMESTAMPOID, VALUE_INT8},
	{TIMESTAMPTZOID, VALUE_INT8},
	{FLOAT4OID, VALUE_FLOAT4},
	{FLOAT8OID, VALUE_FLOAT8},
	{NUMERICOID, VALUE_NUMERIC},
	{TEXTOID, VALUE_VARLENA},
	{VARCHAROID, VALUE_VARLENA},
	{BPCHAROID, VALUE_VARLENA},
	{JSONOID, VALUE_VARLENA},
	{BYTEAOID, VALUE_VARLENA},
	{NAMEOID, VALUE_NAME},
	{JSONBOID, VALUE_JSONB},
	{UUIDOID, VALUE_FIXED},
	{MACADDROID, VALUE_FIXED},
	{MACADDR8OID, VALUE_FIXED},
	{TIMETZOID, VALUE_TIMETZ},
	{INTERVALOID, VALUE_INTERVAL},
	{INETOID, VALUE_INET},
	{CIDROID, VALUE_INET},
	{BITOID, VALUE_BIT},
	{VARBITOID, VALUE_BIT},
};

static ValueKind value_kind(Oid type);
static bool is_built_in(Oid type);
static bool composite_supported(Oid type, char **reason);
static bool is_free_composite(Oid type);
static char *qualified_name(Oid type);
static void compile_composite(TlValueEncoder *encoder);
static void append_size(StringInfo out, size_t at);
static void append_element(StringInfo out, TlValueEncoder *encoder,
						   Datum value, bool is_null);
static void append_u16(StringInfo out, uint16 value);
static void append_u32(StringInfo out, uint32 value);
static void append_u64(StringInfo out, uint64 value);
static inline void append_bytes(StringInfo out, const void *data, size_t size);
static void append_varlena(StringInfo out, Datum value);
static void append_cstring(StringInfo out, char *text);
static void append_float4(StringInfo out, float4 value);
static void append_float8(StringInfo out, float8 value);
static void append_interval(StringInfo out, const Interval *interval);
static void append_timetz(StringInfo out, const TimeTzADT *value);
static void append_inet(StringInfo out, TlValueEncoder *encoder, Datum value);
static void append_bit(StringInfo out, Datum value);
static void append_enum(StringInfo out, Oid label);
static void append_range(StringInfo out, TlValueEncoder *encoder, Datum value);
static void append_array(StringInfo out, TlValueEncoder *encoder, Datum value);
static void append_composite(StringInfo out, TlValueEncoder *encoder,
							 Datum value);

/* Types whose OID is the same in every database. */
static bool
is_built_in(Oid type)
{
	return type < FirstGenbkiObjectId;
}

/* How a type that is no domain is encoded; its parts are not looked at. */
static ValueKind
value_kind(Oid type)
{
	for (int i = 0; i < lengthof(built_in); i++)
	{
		if (built_in[i].type == type)
			return built_in[i].kind;
	}
	if (type == tl_table_ref_type())
		return VALUE_FIXED;
	switch (get_typtype(type))
	{
		case TYPTYPE_ENUM:
			return VALUE_ENUM;
		case TYPTYPE_RANGE:
			return VALUE_RANGE;
		case TYPTYPE_COMPOSITE:
			return VALUE_COMPOSITE;
		default:
			if (OidIsValid(get_element_type(type)) && get_typlen(type) == -1)
				return VALUE_ARRAY;
			return VALUE_UNSUPPORTED;
	}
}

/*
 * May a column of a ledger table have this type?  If not, *reason names the
 * part that cannot be encoded.
 */
bool
tl_table_type_supported(Oid type, char **reason)
{
	Oid			base = getBaseType(type);

	check_stack_depth();
	switch (value_kind(base))
	{
		case VALUE_UNSUPPORTED:
			*reason = psprintf("Type %s has no ledger encoding.",
							   format_type_be(base));
			return false;
		case VALUE_ARRAY:
			return tl_table_type_supported(get_element_type(base), reason);
		case VALUE_RANGE:
			return tl_table_type_supported(get_range_subtype(base), reason);
		case VALUE_COMPOSITE:
			return composite_supported(base, reason);
		default:
			return true;
	}
}

/* Stand-alone composite types only: a table's row type changes with it. */
static bool
composite_supported(Oid type, char **reason)
{
	TupleDesc	descriptor;
	bool		supported = true;

	if (!is_free_composite(type))
	{
		*reason = psprintf("Type %s is the row type of a relation, which may change.",
						   format_type_be(type));
		return false;
	}
	descriptor = lookup_rowtype_tupdesc(type, -1);
	for (int i = 0; supported && i < descriptor->natts; i++)
	{
		Form_pg_attribute attribute = TupleDescAttr(descriptor, i);

		if (!attribute->attisdropped)
			supported = tl_table_type_supported(attribute->atttypid, reason);
	}
	ReleaseTupleDesc(descriptor);
	return supported;
}

static bool
is_free_composite(Oid type)
{
	Oid			relation = get_typ_typrelid(type);

	return OidIsValid(relation) && !is_built_in(type) &&
		get_rel_relkind(relation) == RELKIND_COMPOSITE_TYPE;
}

/* "schema.type", as it is, without quotes. */
static char *
qualified_name(Oid type)
{
	HeapTuple	tuple = SearchSysCache1(TYPEOID, ObjectIdGetDatum(type));
	Form_pg_type form;
	char	   *name;

	if (!HeapTupleIsValid(tuple))
		elog(ERROR, "cache lookup failed for type %u", type);
	form = (Form_pg_type) GETSTRUCT(tuple);
	name = psprintf("%s.%s", get_namespace_name(form->typnamespace),
					NameStr(form->typname));
	ReleaseSysCache(tuple);
	return name;
}

/* Does a value of the first type hold values of the second? */
bool
tl_table_type_contains(Oid type, Oid wanted)
{
	Oid			base;
	bool		found = false;

	check_stack_depth();
	if (type == wanted)
		return true;
	base = getBaseType(type);
	if (base != type)
		return tl_table_type_contains(base, wanted);
	switch (value_kind(base))
	{
		case VALUE_ARRAY:
			return tl_table_type_contains(get_element_type(base), wanted);
		case VALUE_RANGE:
			return tl_table_type_contains(get_range_subtype(base), wanted);
		case VALUE_COMPOSITE:
			{
				TupleDesc	descriptor = lookup_rowtype_tupdesc(base, -1);

				for (int i = 0; !found && i < descriptor->natts; i++)
				{
					Form_pg_attribute attribute = TupleDescAttr(descriptor, i);

					if (!attribute->attisdropped)
						found = tl_table_type_contains(attribute->atttypid, wanted);
				}
				ReleaseTupleDesc(descriptor);
				return found;
			}
		default:
			return false;
	}
}

/* What stands for the type in a row's bytes. */
uint32_t
tl_table_type_tag(Oid type)
{
	Oid			base = getBaseType(type);
	Oid			element = get_element_type(base);
	bool		is_array = OidIsValid(element) && get_typlen(base) == -1;
	Oid			named = is_array ? getBaseType(element) : base;
	TlHash		hash;
	char	   *name;

	if (is_built_in(base))
		return base;
	if (is_array && is_built_in(named))
		return get_array_type(named);	/* an array of a domain */
	name = psprintf("%s%s", qualified_name(named), is_array ? "[]" : "");
	tl_crypto_sha256(&hash, name, strlen(name));
	return TL_TYPE_TAG_NAMED |
		((uint32_t) hash.bytes[0] << 24 | (uint32_t) hash.bytes[1] << 16 |
		 (uint32_t) hash.bytes[2] << 8 | hash.bytes[3]);
}

/* The name for people, which does not depend on search_path. */
char *
tl_table_type_name(Oid type, int32 modifier)
{
	char	   *name = format_type_extended(type, modifier,
											FORMAT_TYPE_TYPEMOD_GIVEN |
											FORMAT_TYPE_FORCE_QUALIFY);
	const char *prefix = "pg_catalog.";

	if (strncmp(name, prefix, strlen(prefix)) == 0)
		name += strlen(prefix);
	return name;
}

/*
 * Compile the encoding of a type.  ERROR if it is not supported: the guards
 * refuse such columns, so that only a changed catalog leads here.
 */
TlValueEncoder *
tl_table_type_encoder(Oid type, MemoryContext context)
{
	MemoryContext caller = MemoryContextSwitchTo(context);
	TlValueEncoder *encoder = palloc0(sizeof(TlValueEncoder));

	check_stack_depth();
	encoder->type = getBaseType(type);
	if (encoder->type != type)
		encoder->domain = type;
	encoder->context = context;
	encoder->kind = value_kind(encoder->type);
	get_typlenbyvalalign(encoder->type, &encoder->length, &encoder->by_value,
						 &encoder->alignment);
	switch (encoder->kind)
	{
		case VALUE_UNSUPPORTED:
			ereport(ERROR,
					errcode(TL_ERRCODE(TL_UNSUPPORTED_TYPE)),
					errmsg("type %s has no ledger encoding", format_type_be(type)));
			break;
		case VALUE_ARRAY:
			encoder->element = tl_table_type_encoder(get_element_type(encoder->type),
													 context);
			break;
		case VALUE_RANGE:
			encoder->element = tl_table_type_encoder(get_range_subtype(encoder->type),
													 context);
			break;
		case VALUE_COMPOSITE:
			compile_composite(encoder);
			break;
		default:
			break;
	}
	MemoryContextSwitchTo(caller);
	return encoder;
}

static void
compile_composite(TlValueEncoder *encoder)
{
	TupleDesc	descriptor = lookup_rowtype_tupdesc_copy(encoder->type, -1);

	encoder->descriptor = descriptor;
	encoder->attributes = palloc0(descriptor->natts * sizeof(TlValueEncoder *));
	encoder->values = palloc0(descriptor->natts * sizeof(Datum));
	encoder->nulls = palloc0(descriptor->natts * sizeof(bool));
	for (int i = 0; i < descriptor->natts; i++)
	{
		Form_pg_attribute attribute = TupleDescAttr(descriptor, i);

		if (!attribute->attisdropped)
			encoder->attributes[i] = tl_table_type_encoder(attribute->atttypid,
														   CurrentMemoryContext);
	}
}

/*
 * Append the bytes of one value that is not null.  Detoasts into the current
 * memory context, which the caller resets after each row.
 */
void
tl_table_type_append(StringInfo out, TlValueEncoder *encoder, Datum value)
{
	switch (encoder->kind)
	{
		case VALUE_BOOL:
			appendStringInfoCharMacro(out, DatumGetBool(value) ? 1 : 0);
			break;
		case VALUE_INT2:
			append_u16(out, (uint16) DatumGetInt16(value));
			break;
		case VALUE_INT4:
			append_u32(out, (uint32) DatumGetInt32(value));
			break;
		case VALUE_INT8:
			append_u64(out, (uint64) DatumGetInt64(value));
			break;
		case VALUE_FLOAT4:
			append_float4(out, DatumGetFloat4(value));
			break;
		case VALUE_FLOAT8:
			append_float8(out, DatumGetFloat8(value));
			break;
		case VALUE_NUMERIC:
			append_cstring(out, DatumGetCString(DirectFunctionCall1(numeric_out, value)));
			break;
		case VALUE_VARLENA:
			append_varlena(out, value);
			break;
		case VALUE_NAME:
			append_bytes(out, NameStr(*DatumGetName(value)),
						 strlen(NameStr(*DatumGetName(value))));
			break;
		case VALUE_JSONB:
			append_cstring(out, DatumGetCString(DirectFunctionCall1(jsonb_out, value)));
			break;
		case VALUE_FIXED:
			append_bytes(out, DatumGetPointer(value), encoder->length);
			break;
		case VALUE_TIMETZ:
			append_timetz(out, DatumGetTimeTzADTP(value));
			break;
		case VALUE_INTERVAL:
			append_interval(out, DatumGetIntervalP(value));
			break;
		case VALUE_INET:
			append_inet(out, encoder, value);
			break;
		case VALUE_BIT:
			append_bit(out, value);
			break;
		case VALUE_ENUM:
			append_enum(out, DatumGetObjectId(value));
			break;
		case VALUE_RANGE:
			append_range(out, encoder, value);
			break;
		case VALUE_ARRAY:
			append_array(out, encoder, value);
			break;
		case VALUE_COMPOSITE:
			append_composite(out, encoder, value);
			break;
		case VALUE_UNSUPPORTED:
			elog(ERROR, "type %u has no ledger encoding", encoder->type);
	}
}

/* Where there is room, which is nearly always, without a call. */
static inline void
append_bytes(StringInfo out, const void *data, size_t size)
{
	if (size > TL_ROW_SIZE_MAX || (size_t) out->len > TL_ROW_SIZE_MAX - 1 - size)
		ereport(ERROR,
				errcode(TL_ERRCODE(TL_TOO_LARGE)),
				errmsg("the row is too large for the ledger"),
				errdetail("The bytes of a row are limited to %d.", TL_ROW_SIZE_MAX));
	if (size >= (size_t) (out->maxlen - out->len))
	{
		appendBinaryStringInfo(out, data, (int) size);
		return;
	}
	memcpy(out->data + out->len, data, size);
	out->len += (int) size;
	out->data[out->len] = '\0';
}

static void
append_u16(StringInfo out, uint16 value)
{
	uint16		bytes = pg_hton16(value);

	append_bytes(out, &bytes, sizeof(bytes));
}

static void
append_u32(StringInfo out, uint32 value)
{
	uint32		bytes = pg_hton32(value);

	append_bytes(out, &bytes, sizeof(bytes));
}

static void
append_u64(StringInfo out, uint64 value)
{
	uint64		bytes = pg_hton64(value);

	append_bytes(out, &bytes, sizeof(bytes));
}

static void
append_varlena(StringInfo out, Datum value)
{
	struct varlena *packed = (struct varlena *) DatumGetPointer(value);

	if (VARATT_IS_COMPRESSED(packed) || VARATT_IS_EXTERNAL(packed))
		packed = PG_DETOAST_DATUM_PACKED(value);
	append_bytes(out, VARDATA_ANY(packed), VARSIZE_ANY_EXHDR(packed));
}

static void
append_cstring(StringInfo out, char *text)
{
	append_bytes(out, text, strlen(text));
	pfree(text);
}

static void
append_float4(StringInfo out, float4 value)
{
	uint32		bits;

	if (isnan(value))
		bits = UINT32_C(0x7fc00000);
	else
	{
		value += 0.0f;			/* -0 becomes 0 */
		memcpy(&bits, &value, sizeof(bits));
	}
	append_u32(out, bits);
}

static void
append_float8(StringInfo out, float8 value)
{
	uint64		bits;

	if (isnan(value))
		bits = UINT64CONST(0x7ff8000000000000);
	else
	{
		value += 0.0;			/* -0 becomes 0 */
		memcpy(&bits, &value, sizeof(bits));
	}
	append_u64(out, bits);
}

static void
append_interval(StringInfo out, const Interval *interval)
{
	append_u64(out, (uint64) interval->time);
	append_u32(out, (uint32) interval->day);
	append_u32(out, (uint32) interval->month);
}

static void
append_timetz(StringInfo out, const TimeTzADT *value)
{
	append_u64(out, (uint64) value->time);
	append_u32(out, (uint32) value->zone);
}

static void
append_inet(StringInfo out, TlValueEncoder *encoder, Datum value)
{
	inet	   *address = DatumGetInetPP(value);
	bool		is_v4 = ip_family(address) == PGSQL_AF_INET;

	appendStringInfoCharMacro(out, is_v4 ? 4 : 6);
	appendStringInfoCharMacro(out, (char) ip_bits(address));
	appendStringInfoCharMacro(out, encoder->type == CIDROID ? 1 : 0);
	append_bytes(out, ip_addr(address), is_v4 ? 4 : 16);
}

static void
append_bit(StringInfo out, Datum value)
{
	VarBit	   *bits = DatumGetVarBitP(value);

	append_u32(out, (uint32) VARBITLEN(bits));
	append_bytes(out, VARBITS(bits), VARBITBYTES(bits));
}

static void
append_enum(StringInfo out, Oid label)
{
	HeapTuple	tuple = SearchSysCache1(ENUMOID, ObjectIdGetDatum(label));
	const char *text;

	if (!HeapTupleIsValid(tuple))
		elog(ERROR, "cache lookup failed for enum value %u", label);
	text = NameStr(((Form_pg_enum) GETSTRUCT(tuple))->enumlabel);
	append_bytes(out, text, strlen(text));
	ReleaseSysCache(tuple);
}

/* Write the length of what stands behind the four bytes at this place. */
static void
append_size(StringInfo out, size_t at)
{
	uint32		size = pg_hton32((uint32) (out->len - at - sizeof(uint32)));

	memcpy(out->data + at, &size, sizeof(size));
}

static void
append_element(StringInfo out, TlValueEncoder *encoder, Datum value,
			   bool is_null)
{
	size_t		at = out->len;

	check_stack_depth();
	if (is_null)
	{
		append_u32(out, PG_UINT32_MAX);
		return;
	}
	append_u32(out, 0);
	tl_table_type_append(out, encoder, value);
	append_size(out, at);
}

static void
append_range(StringInfo out, TlValueEncoder *encoder, Datum value)
{
	RangeType  *range = DatumGetRangeTypeP(value);
	TypeCacheEntry *cache = lookup_type_cache(encoder->type, TYPECACHE_RANGE_INFO);
	uint8		flags = range_get_flags(range) &
		(RANGE_EMPTY | RANGE_LB_INC | RANGE_UB_INC | RANGE_LB_INF | RANGE_UB_INF);
	RangeBound	lower,
				upper;
	bool		is_empty;

	range_deserialize(cache, range, &lower, &upper, &is_empty);
	appendStringInfoCharMacro(out, (char) flags);
	if (RANGE_HAS_LBOUND(flags))
		append_element(out, encoder->element, lower.val, false);
	if (RANGE_HAS_UBOUND(flags))
		append_element(out, encoder->element, upper.val, false);
}

static void
append_array(StringInfo out, TlValueEncoder *encoder, Datum value)
{
	ArrayType  *array = DatumGetArrayTypeP(value);
	TlValueEncoder *element = encoder->element;
	ArrayIterator iterator;
	Datum		item;
	bool		is_null;

	appendStringInfoCharMacro(out, (char) ARR_NDIM(array));
	for (int i = 0; i < ARR_NDIM(array); i++)
	{
		append_u32(out, (uint32) ARR_LBOUND(array)[i]);
		append_u32(out, (uint32) ARR_DIMS(array)[i]);
	}
	iterator = array_create_iterator(array, 0, NULL);
	while (array_iterate(iterator, &item, &is_null))
		append_element(out, element, item, is_null);
	array_free_iterator(iterator);
}

static void
append_composite(StringInfo out, TlValueEncoder *encoder, Datum value)
{
	HeapTupleHeader header = DatumGetHeapTupleHeader(value);
	TupleDesc	descriptor = encoder->descriptor;
	HeapTupleData tuple;
	uint16		count = 0;

	tuple.t_len = HeapTupleHeaderGetDatumLength(header);
	ItemPointerSetInvalid(&tuple.t_self);
	tuple.t_tableOid = InvalidOid;
	tuple.t_data = header;
	heap_deform_tuple(&tuple, descriptor, encoder->values, encoder->nulls);
	for (int i = 0; i < descriptor->natts; i++)
		count += (encoder->attributes[i] != NULL);
	append_u16(out, count);
	for (int i = 0; i < descriptor->natts; i++)
	{
		if (encoder->attributes[i] != NULL)
			append_element(out, encoder->attributes[i], encoder->values[i],
						   encoder->nulls[i]);
	}
}
