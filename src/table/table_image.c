/*-------------------------------------------------------------------------
 *
 * table_image.c
 *	  Old images of rows of state tables: the key of a row, and back from its bytes.
 *
 * A row is known by its primary key: SHA-256 over, of each column of it by its
 * place among those that are there, that place (2), the length of the value (4) and
 * the value, as they stand in the bytes of the row (table_state.c).  Equal values may have several
 * forms (1.0 and 1.00); then they count as different keys, of which one has gone
 * before the other comes.
 *
 * Keys and images are this member's own: nobody signs them.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "access/table.h"
#include "executor/tuptable.h"
#include "fmgr.h"
#include "funcapi.h"
#include "nodes/bitmapset.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/relcache.h"
#include "utils/typcache.h"

#include "table_encode.h"
#include "table_image.h"
#include "table_state.h"
#include "table_type.h"
#include "table_value.h"
#include "tl_error.h"

PG_FUNCTION_INFO_V1(tl_image_key);
PG_FUNCTION_INFO_V1(tl_image_row);

#define KEY_PART_SIZE	6

/* Of the rows that one query asks for. */
typedef struct KeyState
{
	TlImageKey	key;
	TlTableEncoder *encoder;
	TupleTableSlot *slot;
} KeyState;

/* By their places: their types, and where they stand in the row. */
typedef struct RowState
{
	TupleDesc	descriptor;
	int			count;
	TlValueEncoder **columns;
	int		   *positions;		/* from 0 */
} RowState;

static AttrNumber place_of(TupleDesc descriptor, AttrNumber attribute);
static KeyState *open_key(FunctionCallInfo fcinfo);
static RowState *open_row(FunctionCallInfo fcinfo);
static void read_columns(const RowState *state, Datum *values, bool *nulls, TlSpan row);
tl_noreturn static void damaged(void);

void
tl_table_image_key_open(TlImageKey *out, Relation relation)
{
	Bitmapset  *columns = RelationGetIndexAttrBitmap(relation, INDEX_ATTR_BITMAP_PRIMARY_KEY);
	int			column = -1;

	out->count = 0;
	while ((column = bms_next_member(columns, column)) >= 0)
		out->places[out->count++] = place_of(RelationGetDescr(relation), (AttrNumber) (column + FirstLowInvalidHeapAttributeNumber));
	bms_free(columns);
	if (out->count == 0)
		elog(ERROR, "state table \"%s\" has no primary key", RelationGetRelationName(relation));
}

/* Among the columns that are there, from 1. */
static AttrNumber
place_of(TupleDesc descriptor, AttrNumber attribute)
{
	AttrNumber	place = attribute;

	for (int i = 0; i < attribute - 1; i++)
		place -= TupleDescAttr(descriptor, i)->attisdropped ? 1 : 0;
	return place;
}

void
tl_table_image_key(TlHash *out, const TlImageKey *key, TlSpan row)
{
	TlRowDecoder decoder;
	TlRowHeader header;
	TlRowColumn column;
	TlSha256	hash;
	int			next = 0;

	tl_error_check(tl_table_row_open(&decoder, &header, row.data, row.size), "row of a state table");
	tl_crypto_sha256_init(&hash);
	for (int i = 0; i < header.column_count && next < key->count; i++)
	{
		uint8_t		part[KEY_PART_SIZE];
		TlWriter	writer;

		tl_error_check(tl_table_row_next(&decoder, &column), "column of a state table");
		if (column.attribute_number != key->places[next])
			continue;
		tl_writer_init(&writer, part, sizeof(part));
		tl_put_u16(&writer, column.attribute_number);
		tl_put_u32(&writer, (uint32_t) column.value.size);
		tl_crypto_sha256_update(&hash, part, sizeof(part));
		tl_crypto_sha256_update(&hash, column.value.data, column.value.size);
		next++;
	}
	if (next < key->count)
		elog(ERROR, "a row of a state table has no key");
	tl_crypto_sha256_final(&hash, out);
}

/* ledger_internal.image_key(row anyelement) -> bytea */
Datum
tl_image_key(PG_FUNCTION_ARGS)
{
	KeyState   *state = fcinfo->flinfo->fn_extra;
	HeapTupleHeader row = PG_GETARG_HEAPTUPLEHEADER(0);
	HeapTupleData tuple = {.t_len = HeapTupleHeaderGetDatumLength(row),.t_data = row};
	TlHash		hash;

	if (state == NULL)
		state = open_key(fcinfo);
	ItemPointerSetInvalid(&tuple.t_self);
	ExecStoreHeapTuple(&tuple, state->slot, false);
	tl_table_image_key(&hash, &state->key, tl_table_encoder_row(state->encoder, state->slot));
	ExecClearTuple(state->slot);
	PG_RETURN_BYTEA_P(cstring_to_text_with_len((const char *) hash.bytes, TL_HASH_SIZE));
}

static KeyState *
open_key(FunctionCallInfo fcinfo)
{
	Relation	relation = table_open(tl_table_image_argument(fcinfo), AccessShareLock);
	MemoryContext caller = MemoryContextSwitchTo(fcinfo->flinfo->fn_mcxt);
	KeyState   *state = palloc(sizeof(KeyState));
	TlTableVersion version;

	tl_table_image_key_open(&state->key, relation);
	tl_table_state_version(&version, relation);
	state->encoder = tl_table_encoder_open(relation, &version, CurrentMemoryContext);
	state->slot = MakeSingleTupleTableSlot(CreateTupleDescCopy(RelationGetDescr(relation)), &TTSOpsHeapTuple);
	fcinfo->flinfo->fn_extra = state;
	MemoryContextSwitchTo(caller);
	table_close(relation, NoLock);
	return state;
}

/* ledger_internal.image_row(type anyelement, image bytea) -> anyelement */
Datum
tl_image_row(PG_FUNCTION_ARGS)
{
	RowState   *state = fcinfo->flinfo->fn_extra;
	bytea	   *image;
	TlSpan		span;
	Datum	   *values;
	bool	   *nulls;

	if (PG_ARGISNULL(1))
		PG_RETURN_NULL();
	if (state == NULL)
		state = open_row(fcinfo);
	image = PG_GETARG_BYTEA_PP(1);
	span.data = (const uint8_t *) VARDATA_ANY(image);
	span.size = VARSIZE_ANY_EXHDR(image);
	values = palloc0(state->descriptor->natts * sizeof(Datum));
	nulls = palloc(state->descriptor->natts * sizeof(bool));
	memset(nulls, true, state->descriptor->natts * sizeof(bool));
	read_columns(state, values, nulls, span);
	PG_RETURN_DATUM(HeapTupleGetDatum(heap_form_tuple(state->descriptor, values, nulls)));
}

static RowState *
open_row(FunctionCallInfo fcinfo)
{
	Relation	relation = table_open(tl_table_image_argument(fcinfo), AccessShareLock);
	MemoryContext caller = MemoryContextSwitchTo(fcinfo->flinfo->fn_mcxt);
	RowState   *state = palloc(sizeof(RowState));

	state->descriptor = CreateTupleDescCopy(RelationGetDescr(relation));
	state->count = 0;
	state->columns = palloc(state->descriptor->natts * sizeof(TlValueEncoder *));
	state->positions = palloc(state->descriptor->natts * sizeof(int));
	for (int i = 0; i < state->descriptor->natts; i++)
	{
		if (TupleDescAttr(state->descriptor, i)->attisdropped)
			continue;
		state->positions[state->count] = i;
		state->columns[state->count++] = tl_table_type_encoder(TupleDescAttr(state->descriptor, i)->atttypid,
															   CurrentMemoryContext);
	}
	fcinfo->flinfo->fn_extra = state;
	MemoryContextSwitchTo(caller);
	table_close(relation, NoLock);
	return state;
}

Oid
tl_table_image_argument(FunctionCallInfo fcinfo)
{
	Oid			type = get_fn_expr_argtype(fcinfo->flinfo, 0);
	Oid			relation = OidIsValid(type) ? get_typ_typrelid(type) : InvalidOid;

	if (!OidIsValid(relation) || !tl_table_state_is_state(relation))
		ereport(ERROR,
				errcode(ERRCODE_WRONG_OBJECT_TYPE),
				errmsg("%s is no row of a state table", format_type_be(type)),
				errhint("Give the type of the rows of a state table: SELECT * FROM ledger.as_of(NULL::contract.relation, height)."));
	return relation;
}

static void
read_columns(const RowState *state, Datum *values, bool *nulls, TlSpan row)
{
	TlRowDecoder decoder;
	TlRowHeader header;

	tl_error_check(tl_table_row_open(&decoder, &header, row.data, row.size), "image of a row");
	for (int i = 0; i < header.column_count; i++)
	{
		TlRowColumn column;
		int			place;

		tl_error_check(tl_table_row_next(&decoder, &column), "image of a row");
		place = column.attribute_number - 1;
		if (place >= state->count || column.kind != TL_COLUMN_PLAIN)
			damaged();
		values[state->positions[place]] = tl_table_value_decode(state->columns[place], column.value);
		nulls[state->positions[place]] = false;
	}
	tl_error_check(tl_table_row_close(&decoder), "image of a row");
}

static void
damaged(void)
{
	ereport(ERROR,
			errcode(TL_ERRCODE(TL_CHAIN_DAMAGED)),
			errmsg("the stored image of a row is damaged"),
			tl_error_hint_damaged());
}
