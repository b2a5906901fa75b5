/*-------------------------------------------------------------------------
 *
 * table_fit.c
 *	  Would the bytes of a row be too many?  Asked before it is stored.
 *
 * A row that is committed must become final, and one whose bytes exceed
 * TL_ROW_SIZE_MAX never could: it would stop the worker for all others.  The
 * heap stores more than that, since it compresses, and a few stored bytes of
 * numeric or jsonb can stand for many of text.  Rows of a shared table travel to
 * all members and are limited to TL_SHARED_ROW_SIZE_MAX; what the others could not
 * decode (table_value.c) is told at once.  Rows of state tables, which a call has
 * made at all members, have the same limit, so that no call makes more out of what
 * earlier ones have made than a server can hold.
 *
 * Three steps, since this runs for every row: stored sizes so small that
 * nothing they hold can be too large; sizes by type; the bytes themselves.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/detoast.h"
#include "catalog/pg_type.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/rel.h"

#include "table_fit.h"
#include "table_row.h"
#include "table_type.h"
#include "table_value.h"
#include "tl_compat.h"
#include "tl_error.h"
#include "tl_limits.h"

/*
 * Bytes that one stored byte can become: 147455 digits of a numeric that is
 * stored in 7 bytes.
 */
#define EXPANSION_MAX		32768

/* All columns of a fixed length, each with its head. */
#define FIXED_SIZE_MAX		(TL_COLUMN_COUNT_MAX * (64 + TL_ROW_COLUMN_SIZE))

#define FIT_SIZE(row_size_max)	((uint64_t) (row_size_max) - TL_ROW_HEADER_SIZE - FIXED_SIZE_MAX)

static void check_decodes(TupleDesc descriptor, TupleTableSlot *slot);
static bool may_be_complex(Oid type);
static bool is_stored_as_is(Oid type);
static void encode_all(Relation relation, TupleTableSlot *slot, uint32_t row_size_max);
tl_noreturn static void too_large(Relation relation, uint32_t row_size_max);

void
tl_table_fit_check(Relation relation, TupleTableSlot *slot, bool shared)
{
	slot_getallattrs(slot);
	if (shared)
		check_decodes(RelationGetDescr(relation), slot);
	tl_table_fit_check_size(relation, slot, shared ? TL_SHARED_ROW_SIZE_MAX : TL_ROW_SIZE_MAX);
}

void
tl_table_fit_check_size(Relation relation, TupleTableSlot *slot, uint32_t row_size_max)
{
	uint64_t	fit_size = FIT_SIZE(row_size_max);
	TupleDesc	descriptor = RelationGetDescr(relation);
	uint64_t	size = 0;
	uint64_t	bound = 0;

	slot_getallattrs(slot);
	for (int i = 0; i < descriptor->natts; i++)
	{
		if (TupleDescAttr(descriptor, i)->attlen == -1 && !slot->tts_isnull[i])
			size += toast_raw_datum_size(slot->tts_values[i]);
	}
	if (size <= fit_size / EXPANSION_MAX)
		return;
	size = 0;
	for (int i = 0; i < descriptor->natts; i++)
	{
		Form_pg_attribute attribute = TupleDescAttr(descriptor, i);
		uint64_t	raw;

		if (attribute->attlen != -1 || slot->tts_isnull[i])
			continue;
		raw = toast_raw_datum_size(slot->tts_values[i]);
		size += raw;
		bound += raw * (is_stored_as_is(attribute->atttypid) ? 1 : EXPANSION_MAX);
	}
	if (bound <= fit_size)
		return;
	if (size > fit_size)
		too_large(relation, row_size_max);
	encode_all(relation, slot, row_size_max);
}

/* As the others will, or ERROR. */
static void
check_decodes(TupleDesc descriptor, TupleTableSlot *slot)
{
	MemoryContext context = NULL;

	for (int i = 0; i < descriptor->natts; i++)
	{
		Form_pg_attribute attribute = TupleDescAttr(descriptor, i);
		MemoryContext caller;
		TlValueEncoder *encoder;
		StringInfoData value;
		TlSpan		bytes;

		if (attribute->attlen != -1 || slot->tts_isnull[i] ||
			!may_be_complex(attribute->atttypid))
			continue;
		if (context == NULL)
			context = AllocSetContextCreate(CurrentMemoryContext, "value of a shared row",
											ALLOCSET_DEFAULT_SIZES);
		caller = MemoryContextSwitchTo(context);
		encoder = tl_table_type_encoder(attribute->atttypid, context);
		initStringInfo(&value);
		tl_table_type_append(&value, encoder, slot->tts_values[i]);
		bytes.data = (const uint8_t *) value.data;
		bytes.size = value.len;
		(void) tl_table_value_decode(encoder, bytes);
		MemoryContextSwitchTo(caller);
		MemoryContextReset(context);
	}
	if (context != NULL)
		MemoryContextDelete(context);
}

/* JSON, arrays, composites and ranges. */
static bool
may_be_complex(Oid type)
{
	switch (getBaseType(type))
	{
		case JSONOID:
			return true;
		case NUMERICOID:
		case INETOID:
		case CIDROID:
			return false;
		default:
			return !is_stored_as_is(type);
	}
}

static bool
is_stored_as_is(Oid type)
{
	switch (getBaseType(type))
	{
		case TEXTOID:
		case VARCHAROID:
		case BPCHAROID:
		case BYTEAOID:
		case JSONOID:
		case BITOID:
		case VARBITOID:
			return true;
		default:
			return false;
	}
}

/* Ask the encoders; one that cannot write a value raises its own error. */
static void
encode_all(Relation relation, TupleTableSlot *slot, uint32_t row_size_max)
{
	TupleDesc	descriptor = RelationGetDescr(relation);
	MemoryContext context = AllocSetContextCreate(CurrentMemoryContext,
												  "size of a ledger row",
												  ALLOCSET_DEFAULT_SIZES);
	MemoryContext caller = MemoryContextSwitchTo(context);
	uint64_t	size = 0;

	for (int i = 0; i < descriptor->natts; i++)
	{
		Form_pg_attribute attribute = TupleDescAttr(descriptor, i);
		StringInfoData value;

		if (attribute->attlen != -1 || slot->tts_isnull[i])
			continue;
		if (is_stored_as_is(attribute->atttypid))
		{
			size += toast_raw_datum_size(slot->tts_values[i]);
			continue;
		}
		initStringInfo(&value);
		tl_table_type_append(&value,
							 tl_table_type_encoder(attribute->atttypid, context),
							 slot->tts_values[i]);
		size += value.len;
		MemoryContextReset(context);
	}
	MemoryContextSwitchTo(caller);
	MemoryContextDelete(context);
	if (size > FIT_SIZE(row_size_max))
		too_large(relation, row_size_max);
}

static void
too_large(Relation relation, uint32_t row_size_max)
{
	ereport(ERROR,
			errcode(TL_ERRCODE(TL_TOO_LARGE)),
			errmsg("row is too large for ledger table \"%s\"",
				   RelationGetRelationName(relation)),
			errdetail("The bytes of a row are limited to %u.", row_size_max),
			errhint("Spread the data over several rows."));
}
