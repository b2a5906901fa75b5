/*-------------------------------------------------------------------------
 *
 * table_ref.c
 *	  The SQL type ledger.ref: the address of a row, for ever.
 *
 *		offset	size	field
 *		0		4		member, from 1
 *		4		2		incarnation, from 0
 *		6		6		transaction (top-level xid8, 48 bits)
 *		12		4		row, from 1, one counter for the transaction
 *
 * All big-endian, so that memcmp is the order of (member, incarnation,
 * transaction, row).  Text form: the four numbers with dots, "3.1.88123.4".
 *
 * Invariant: bytes in a table are exactly what tl_table_ref_pack wrote; every
 * 16 bytes are some ref, so that ledger.ref and uuid cast both ways.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "common/hashfn.h"
#include "lib/stringinfo.h"
#include "libpq/pqformat.h"
#include "port/pg_bswap.h"
#include "utils/sortsupport.h"
#include "utils/syscache.h"
#include "utils/uuid.h"

#include "catalog/namespace.h"

#include "table_ref.h"
#include "tl_limits.h"
#include "tl_wire.h"

PG_FUNCTION_INFO_V1(tl_ref_in);
PG_FUNCTION_INFO_V1(tl_ref_out);
PG_FUNCTION_INFO_V1(tl_ref_recv);
PG_FUNCTION_INFO_V1(tl_ref_send);
PG_FUNCTION_INFO_V1(tl_ref_lt);
PG_FUNCTION_INFO_V1(tl_ref_le);
PG_FUNCTION_INFO_V1(tl_ref_eq);
PG_FUNCTION_INFO_V1(tl_ref_ne);
PG_FUNCTION_INFO_V1(tl_ref_ge);
PG_FUNCTION_INFO_V1(tl_ref_gt);
PG_FUNCTION_INFO_V1(tl_ref_cmp);
PG_FUNCTION_INFO_V1(tl_ref_sortsupport);
PG_FUNCTION_INFO_V1(tl_ref_hash);
PG_FUNCTION_INFO_V1(tl_ref_hash_extended);
PG_FUNCTION_INFO_V1(tl_ref_smaller);
PG_FUNCTION_INFO_V1(tl_ref_larger);
PG_FUNCTION_INFO_V1(tl_ref_to_uuid);
PG_FUNCTION_INFO_V1(tl_ref_from_uuid);
PG_FUNCTION_INFO_V1(tl_ref_member);
PG_FUNCTION_INFO_V1(tl_ref_incarnation);
PG_FUNCTION_INFO_V1(tl_ref_transaction);
PG_FUNCTION_INFO_V1(tl_ref_row);

static bool parse_number(const char **cursor, uint64_t *value, uint64_t max,
						 char terminator);
static int	ref_sort_compare(Datum x, Datum y, SortSupport ssup);

void
tl_table_ref_pack(TlRefBytes *out, const TlRef *ref)
{
	TlWriter	writer;

	tl_writer_init(&writer, out->bytes, sizeof(out->bytes));
	tl_put_ref(&writer, ref);
	Assert(tl_writer_finish(&writer) == TL_OK);
}

void
tl_table_ref_unpack(TlRef *out, const TlRefBytes *ref)
{
	uint64		word;
	uint32		number;

	/* called for each row of large queries, so without a reader */
	memcpy(&number, ref->bytes, sizeof(number));
	out->member = pg_ntoh32(number);
	memcpy(&word, ref->bytes + 4, sizeof(word));
	word = pg_ntoh64(word);
	out->incarnation = word >> 48;
	out->transaction = word & TL_TRANSACTION_MAX;
	memcpy(&number, ref->bytes + 12, sizeof(number));
	out->row = pg_ntoh32(number);
}

/* The text form, palloc'd. */
char *
tl_table_ref_text(const TlRef *ref)
{
	return psprintf("%u.%u." UINT64_FORMAT ".%u", ref->member,
					ref->incarnation, ref->transaction, ref->row);
}

int
tl_table_ref_compare(const TlRefBytes *left, const TlRefBytes *right)
{
	return memcmp(left->bytes, right->bytes, TL_REF_SIZE);
}

/* The type's OID in this database, or InvalidOid without the extension. */
Oid
tl_table_ref_type(void)
{
	Oid			schema = get_namespace_oid("ledger", true);

	if (!OidIsValid(schema))
		return InvalidOid;
	return GetSysCacheOid2(TYPENAMENSP, Anum_pg_type_oid,
						   CStringGetDatum("ref"), ObjectIdGetDatum(schema));
}

/* One unsigned decimal number without sign or leading blanks. */
static bool
parse_number(const char **cursor, uint64_t *value, uint64_t max,
			 char terminator)
{
	const char *start = *cursor;
	const char *p = start;
	uint64_t	number = 0;

	while (*p >= '0' && *p <= '9')
	{
		uint64_t	digit = (uint64_t) (*p - '0');

		if (number > (max - digit) / 10)
			return false;
		number = number * 10 + digit;
		p++;
	}
	if (p == start || *p != terminator || (*start == '0' && p - start > 1))
		return false;
	*value = number;
	*cursor = p + (terminator != '\0');
	return true;
}

Datum
tl_ref_in(PG_FUNCTION_ARGS)
{
	const char *text = PG_GETARG_CSTRING(0);
	const char *cursor = text;
	uint64_t	member,
				incarnation,
				transaction,
				row;
	TlRef		ref;
	TlRefBytes *result;

	if (!parse_number(&cursor, &member, PG_UINT32_MAX, '.') ||
		!parse_number(&cursor, &incarnation, PG_UINT16_MAX, '.') ||
		!parse_number(&cursor, &transaction, TL_TRANSACTION_MAX, '.') ||
		!parse_number(&cursor, &row, PG_UINT32_MAX, '\0'))
		ereport(ERROR,
				errcode(ERRCODE_INVALID_TEXT_REPRESENTATION),
				errmsg("invalid input syntax for type ledger.ref: \"%s\"", text),
				errdetail("A ref is member.incarnation.transaction.row, for example 3.1.88123.4."));
	ref.member = (uint32_t) member;
	ref.incarnation = (uint16_t) incarnation;
	ref.transaction = transaction;
	ref.row = (uint32_t) row;
	result = palloc(sizeof(TlRefBytes));
	tl_table_ref_pack(result, &ref);
	PG_RETURN_TLREF(result);
}

Datum
tl_ref_out(PG_FUNCTION_ARGS)
{
	TlRef		ref;

	tl_table_ref_unpack(&ref, PG_GETARG_TLREF(0));
	PG_RETURN_CSTRING(tl_table_ref_text(&ref));
}

Datum
tl_ref_recv(PG_FUNCTION_ARGS)
{
	StringInfo	buffer = (StringInfo) PG_GETARG_POINTER(0);
	TlRefBytes *result = palloc(sizeof(TlRefBytes));

	pq_copymsgbytes(buffer, (char *) result->bytes, TL_REF_SIZE);
	PG_RETURN_TLREF(result);
}

Datum
tl_ref_send(PG_FUNCTION_ARGS)
{
	StringInfoData buffer;

	pq_begintypsend(&buffer);
	pq_sendbytes(&buffer, (char *) PG_GETARG_TLREF(0)->bytes, TL_REF_SIZE);
	PG_RETURN_BYTEA_P(pq_endtypsend(&buffer));
}

#define REF_COMPARISON(name, operator) \
Datum \
name(PG_FUNCTION_ARGS) \
{ \
	PG_RETURN_BOOL(tl_table_ref_compare(PG_GETARG_TLREF(0), \
										PG_GETARG_TLREF(1)) operator 0); \
}

REF_COMPARISON(tl_ref_lt, <)
REF_COMPARISON(tl_ref_le, <=)
REF_COMPARISON(tl_ref_eq, ==)
REF_COMPARISON(tl_ref_ne, !=)
REF_COMPARISON(tl_ref_ge, >=)
REF_COMPARISON(tl_ref_gt, >)

Datum
tl_ref_cmp(PG_FUNCTION_ARGS)
{
	int			order = tl_table_ref_compare(PG_GETARG_TLREF(0),
											 PG_GETARG_TLREF(1));

	PG_RETURN_INT32((order > 0) - (order < 0));
}

static int
ref_sort_compare(Datum x, Datum y, SortSupport ssup)
{
	return tl_table_ref_compare(DatumGetTlRefBytes(x), DatumGetTlRefBytes(y));
}

Datum
tl_ref_sortsupport(PG_FUNCTION_ARGS)
{
	SortSupport ssup = (SortSupport) PG_GETARG_POINTER(0);

	ssup->comparator = ref_sort_compare;
	PG_RETURN_VOID();
}

Datum
tl_ref_hash(PG_FUNCTION_ARGS)
{
	return hash_any(PG_GETARG_TLREF(0)->bytes, TL_REF_SIZE);
}

Datum
tl_ref_hash_extended(PG_FUNCTION_ARGS)
{
	return hash_any_extended(PG_GETARG_TLREF(0)->bytes, TL_REF_SIZE,
							 PG_GETARG_INT64(1));
}

Datum
tl_ref_smaller(PG_FUNCTION_ARGS)
{
	TlRefBytes *left = PG_GETARG_TLREF(0);
	TlRefBytes *right = PG_GETARG_TLREF(1);

	PG_RETURN_TLREF(tl_table_ref_compare(left, right) <= 0 ? left : right);
}

Datum
tl_ref_larger(PG_FUNCTION_ARGS)
{
	TlRefBytes *left = PG_GETARG_TLREF(0);
	TlRefBytes *right = PG_GETARG_TLREF(1);

	PG_RETURN_TLREF(tl_table_ref_compare(left, right) >= 0 ? left : right);
}

Datum
tl_ref_to_uuid(PG_FUNCTION_ARGS)
{
	pg_uuid_t  *uuid = palloc(sizeof(pg_uuid_t));

	memcpy(uuid->data, PG_GETARG_TLREF(0)->bytes, TL_REF_SIZE);
	PG_RETURN_UUID_P(uuid);
}

Datum
tl_ref_from_uuid(PG_FUNCTION_ARGS)
{
	TlRefBytes *result = palloc(sizeof(TlRefBytes));

	memcpy(result->bytes, PG_GETARG_UUID_P(0)->data, TL_REF_SIZE);
	PG_RETURN_TLREF(result);
}

Datum
tl_ref_member(PG_FUNCTION_ARGS)
{
	TlRef		ref;

	tl_table_ref_unpack(&ref, PG_GETARG_TLREF(0));
	PG_RETURN_INT64((int64) ref.member);
}

Datum
tl_ref_incarnation(PG_FUNCTION_ARGS)
{
	TlRef		ref;

	tl_table_ref_unpack(&ref, PG_GETARG_TLREF(0));
	PG_RETURN_INT32(ref.incarnation);
}

Datum
tl_ref_transaction(PG_FUNCTION_ARGS)
{
	TlRef		ref;

	tl_table_ref_unpack(&ref, PG_GETARG_TLREF(0));
	PG_RETURN_INT64((int64) ref.transaction);
}

Datum
tl_ref_row(PG_FUNCTION_ARGS)
{
	TlRef		ref;

	tl_table_ref_unpack(&ref, PG_GETARG_TLREF(0));
	PG_RETURN_INT64((int64) ref.row);
}
