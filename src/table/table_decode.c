/*-------------------------------------------------------------------------
 *
 * table_decode.c
 *	  From the bytes of another member's row to a row of a shared table.
 *
 * The rules that a row must keep, whoever inserted it, are asked here, since the
 * member that inserted it may have asked other ones: each value is one of its
 * type, fits the column's length or precision and its domain; NOT NULL and CHECK
 * hold; and the row, encoded again, gives the very bytes that came.  The last
 * one makes an end of all other ways to write a value.  (Of arrays the length of
 * elements is not asked; it stands nowhere but in the column's type.)
 *
 * A broken rule is an ERROR of class 22, 23 or TL; any other ERROR says nothing
 * about the row.
 *
 * Memory: values go into the current context, which the caller resets; the rest
 * lives as long as the EState.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/tupdesc.h"
#include "executor/executor.h"
#include "parser/parse_coerce.h"
#include "utils/datum.h"
#include "utils/lsyscache.h"

#include "table_am.h"
#include "table_decode.h"
#include "table_type.h"
#include "table_value.h"
#include "tl_error.h"

typedef struct ColumnDecoder
{
	AttrNumber	attribute_number;
	uint32_t	type_tag;
	TlValueEncoder *value;
	int32		modifier;		/* of the base type, -1: none to be asked */
	FmgrInfo	fit;			/* makes a value fit it */
	int16		length;
	bool		by_value;
} ColumnDecoder;

struct TlTableDecoder
{
	Relation	relation;
	EState	   *estate;
	AttrNumber	ref_attribute;
	const TlTableVersion *version;
	ColumnDecoder *columns;
	int			check_count;
	ExprState **checks;
	TlTableEncoder *encoder;
};

static void init_column(ColumnDecoder *column, Relation relation,
						const TlTableVersion *version, int number);
static void init_checks(TlTableDecoder *decoder);
static void read_columns(TlTableDecoder *decoder, TupleTableSlot *slot,
						 TlRowDecoder *row, int count);
static void check_fit(ColumnDecoder *column, Datum value);
static void check_nulls(const TlTableDecoder *decoder, TupleTableSlot *slot);
static void check_rules(TlTableDecoder *decoder, TupleTableSlot *slot);
tl_noreturn static void refuse(Relation relation, const char *detail);

/* Everything lives as long as the EState. */
TlTableDecoder *
tl_table_decoder_open(Relation relation, const TlTableVersion *version, EState *estate)
{
	MemoryContext caller = MemoryContextSwitchTo(estate->es_query_cxt);
	TlTableDecoder *decoder = palloc0(sizeof(TlTableDecoder));

	decoder->relation = relation;
	decoder->estate = estate;
	decoder->version = version;
	decoder->ref_attribute = tl_table_am_ref_attribute(relation);
	decoder->encoder = tl_table_encoder_open(relation, version, CurrentMemoryContext);
	decoder->columns = palloc0(sizeof(ColumnDecoder) * (version->column_count + 1));
	for (int i = 0; i < version->column_count; i++)
		init_column(&decoder->columns[i], relation, version, i);
	init_checks(decoder);
	MemoryContextSwitchTo(caller);
	return decoder;
}

static void
init_column(ColumnDecoder *column, Relation relation, const TlTableVersion *version,
			int number)
{
	AttrNumber	attribute_number = version->attribute_numbers[number];
	Form_pg_attribute attribute = TupleDescAttr(RelationGetDescr(relation),
												attribute_number - 1);
	Oid			base;
	Oid			function;

	column->attribute_number = attribute_number;
	column->type_tag = version->type_tags[number];
	column->value = tl_table_type_encoder(attribute->atttypid, CurrentMemoryContext);
	column->modifier = attribute->atttypmod;
	base = getBaseTypeAndTypmod(attribute->atttypid, &column->modifier);
	get_typlenbyval(base, &column->length, &column->by_value);
	if (column->modifier >= 0 &&
		find_typmod_coercion_function(base, &function) == COERCION_PATH_FUNC)
		fmgr_info(function, &column->fit);
	else
		column->modifier = -1;
}

static void
init_checks(TlTableDecoder *decoder)
{
	const TupleConstr *constraints = RelationGetDescr(decoder->relation)->constr;

	decoder->check_count = constraints == NULL ? 0 : constraints->num_check;
	decoder->checks = palloc(sizeof(ExprState *) * (decoder->check_count + 1));
	for (int i = 0; i < decoder->check_count; i++)
		decoder->checks[i] = ExecPrepareExpr(stringToNode(constraints->check[i].ccbin),
											 decoder->estate);
}

/* The blinding key of the section that the next rows belong to. */
void
tl_table_decoder_set_key(TlTableDecoder *decoder, const uint8_t row_key[TL_ROW_KEY_SIZE])
{
	tl_table_encoder_set_key(decoder->encoder, row_key);
}

/* Fill the slot, or ERROR with the first rule that the row breaks. */
void
tl_table_decoder_row(TlTableDecoder *decoder, TupleTableSlot *slot, TlSpan bytes)
{
	TlRowDecoder row;
	TlRowHeader header;
	TlRefBytes *ref = palloc(sizeof(TlRefBytes));
	TlSpan		again;

	tl_error_check(tl_table_row_open(&row, &header, bytes.data, bytes.size),
				   "row of another member");
	ExecClearTuple(slot);
	memset(slot->tts_isnull, true, sizeof(bool) * slot->tts_tupleDescriptor->natts);
	memset(slot->tts_values, 0, sizeof(Datum) * slot->tts_tupleDescriptor->natts);
	tl_table_ref_pack(ref, &header.ref);
	slot->tts_values[decoder->ref_attribute - 1] = TlRefBytesGetDatum(ref);
	slot->tts_isnull[decoder->ref_attribute - 1] = false;
	read_columns(decoder, slot, &row, header.column_count);
	ExecStoreVirtualTuple(slot);
	slot->tts_tableOid = RelationGetRelid(decoder->relation);
	again = tl_table_encoder_row(decoder->encoder, slot);
	if (again.size != bytes.size || memcmp(again.data, bytes.data, bytes.size) != 0)
		refuse(decoder->relation, "Its bytes are not those that stand for it.");
	check_nulls(decoder, slot);
	check_rules(decoder, slot);
}

/* Columns come in the order of the definition, those that are null do not. */
static void
read_columns(TlTableDecoder *decoder, TupleTableSlot *slot, TlRowDecoder *row, int count)
{
	int			next = 0;
	TlRowColumn column;

	for (int i = 0; i < count; i++)
	{
		ColumnDecoder *decoded;

		tl_error_check(tl_table_row_next(row, &column), "column of another member");
		while (next < decoder->version->column_count &&
			   decoder->columns[next].attribute_number < column.attribute_number)
			next++;
		decoded = &decoder->columns[next];
		if (next == decoder->version->column_count ||
			decoded->attribute_number != column.attribute_number ||
			decoded->type_tag != column.type_tag || column.kind != TL_COLUMN_PLAIN)
			refuse(decoder->relation, "The table does not have its columns.");
		slot->tts_values[column.attribute_number - 1] =
			tl_table_value_decode(decoded->value, column.value);
		slot->tts_isnull[column.attribute_number - 1] = false;
		if (decoded->modifier >= 0)
			check_fit(decoded, slot->tts_values[column.attribute_number - 1]);
	}
	tl_error_check(tl_table_row_close(row), "row of another member");
}

/* Would the value be stored as it is? */
static void
check_fit(ColumnDecoder *column, Datum value)
{
	Datum		fitting = FunctionCall3(&column->fit, value,
										Int32GetDatum(column->modifier),
										BoolGetDatum(false));

	if (!datumIsEqual(value, fitting, column->by_value, column->length))
		ereport(ERROR,
				errcode(TL_ERRCODE(TL_BAD_FORMAT)),
				errmsg("a value does not have the length or precision of its column"));
}

static void
check_nulls(const TlTableDecoder *decoder, TupleTableSlot *slot)
{
	TupleDesc	descriptor = RelationGetDescr(decoder->relation);

	for (int i = 0; i < decoder->version->column_count; i++)
	{
		int			place = decoder->columns[i].attribute_number - 1;

		if (!slot->tts_isnull[place])
			continue;
		tl_table_value_check_null(decoder->columns[i].value);
		if (TupleDescAttr(descriptor, place)->attnotnull)
			ereport(ERROR,
					errcode(ERRCODE_NOT_NULL_VIOLATION),
					errmsg("column \"%s\" of shared table \"%s\" is null",
						   NameStr(TupleDescAttr(descriptor, place)->attname),
						   RelationGetRelationName(decoder->relation)));
	}
}

static void
check_rules(TlTableDecoder *decoder, TupleTableSlot *slot)
{
	ExprContext *context = GetPerTupleExprContext(decoder->estate);
	const ConstrCheck *checks;

	if (decoder->check_count == 0)
		return;
	checks = RelationGetDescr(decoder->relation)->constr->check;
	context->ecxt_scantuple = slot;
	for (int i = 0; i < decoder->check_count; i++)
		if (!ExecCheck(decoder->checks[i], context))
			ereport(ERROR,
					errcode(ERRCODE_CHECK_VIOLATION),
					errmsg("the row breaks check constraint \"%s\" of shared table \"%s\"",
						   checks[i].ccname, RelationGetRelationName(decoder->relation)));
}

static void
refuse(Relation relation, const char *detail)
{
	ereport(ERROR,
			errcode(TL_ERRCODE(TL_BAD_FORMAT)),
			errmsg("a row that came for shared table \"%s\" is none of its rows",
				   RelationGetRelationName(relation)),
			errdetail_internal("%s", detail));
}
