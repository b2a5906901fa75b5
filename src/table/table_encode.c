/*-------------------------------------------------------------------------
 *
 * table_encode.c
 *	  From a stored row to its bytes, by one version of the definition.
 *
 * The definition comes from ledger.table_version and not from the catalogs:
 * which attributes there are, and under which type tags.  The catalogs only
 * tell where an attribute lies in the stored tuple.  The bytes themselves are
 * laid out in table_row.c, values in table_type.c.
 *
 * Memory: values are detoasted into a context that is reset with each row; the
 * buffer lives as long as the encoder, but not above ENCODER_KEEP_SIZE.
 *
 * A row of a state table (table_state.c) has no ref and no blinding: 1.0.0.1, which
 * no transaction issues, and zeros stand in their places.
 *
 * Used by the worker (batches), by receipts, by verification and by
 * ledger.encode_row.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "lib/stringinfo.h"
#include "port/pg_bswap.h"
#include "utils/memutils.h"
#include "utils/rel.h"

#include "table_am.h"
#include "table_encode.h"
#include "table_ref.h"
#include "table_type.h"
#include "tl_error.h"
#include "tl_limits.h"

/* A buffer that a large row has made larger is given back. */
#define ENCODER_KEEP_SIZE	(1024 * 1024)

/* A column, and its bytes as they are before an empty value. */
typedef struct ColumnEncoder
{
	AttrNumber	attribute_number;
	TlValueEncoder *value;
	char		empty[TL_ROW_COLUMN_SIZE];
} ColumnEncoder;

struct TlTableEncoder
{
	MemoryContext context;		/* all of it */
	MemoryContext row_context;	/* reset with each row */
	AttrNumber	ref_attribute;
	char		header[TL_ROW_HEADER_SIZE]; /* without what differs by row */
	TlHmacKey	row_key;
	int			column_count;
	ColumnEncoder *columns;
	StringInfoData row;
};

static void init_header(TlTableEncoder *encoder, const TlTableVersion *version);
static void init_column(ColumnEncoder *column, Relation relation,
						const TlTableVersion *version, int number);
static TlValueEncoder *column_encoder(Relation relation,
									  const TlTableVersion *version, int column,
									  MemoryContext context);
static void start_row(TlTableEncoder *encoder);
static void append_header(TlTableEncoder *encoder, TupleTableSlot *slot);
static bool append_column(StringInfo row, const ColumnEncoder *column,
						  TupleTableSlot *slot);
static void patch_column_count(TlTableEncoder *encoder, uint16_t count);

/* Make an encoder; everything it holds goes with tl_table_encoder_close. */
TlTableEncoder *
tl_table_encoder_open(Relation relation, const TlTableVersion *version,
					  MemoryContext context)
{
	MemoryContext own = AllocSetContextCreate(context, "ledger row encoder",
											  ALLOCSET_DEFAULT_SIZES);
	MemoryContext caller = MemoryContextSwitchTo(own);
	TlTableEncoder *encoder = palloc0(sizeof(TlTableEncoder));
	int			count = version->column_count;

	encoder->context = own;
	encoder->row_context = AllocSetContextCreate(own, "ledger row",
												 ALLOCSET_DEFAULT_SIZES);
	encoder->ref_attribute = tl_table_am_ref_attribute(relation);
	if (encoder->ref_attribute == InvalidAttrNumber && tl_table_am_is_ours(relation))
		ereport(ERROR,
				errcode(TL_ERRCODE(TL_DEFINITION_FIXED)),
				errmsg("ledger table \"%s\" has no column ledger_ref",
					   RelationGetRelationName(relation)));
	init_header(encoder, version);
	encoder->column_count = count;
	encoder->columns = palloc(count * sizeof(ColumnEncoder) + 1);
	for (int i = 0; i < count; i++)
		init_column(&encoder->columns[i], relation, version, i);
	initStringInfo(&encoder->row);
	MemoryContextSwitchTo(caller);
	return encoder;
}

/* What is the same in each row is written once. */
static void
init_header(TlTableEncoder *encoder, const TlTableVersion *version)
{
	TlRowHeader header;
	TlWriter	writer;

	memset(&header, 0, sizeof(header));
	memcpy(header.table_id, version->table_id, TL_TABLE_ID_SIZE);
	header.table_version = version->version;
	tl_writer_init(&writer, encoder->header, TL_ROW_HEADER_SIZE);
	tl_table_row_put_header(&writer, &header);
	tl_error_check(tl_writer_finish(&writer), "cannot encode the header of a row");
}

/* The same for a column. */
static void
init_column(ColumnEncoder *column, Relation relation,
			const TlTableVersion *version, int number)
{
	TlRowColumn bytes;
	TlWriter	writer;

	memset(&bytes, 0, sizeof(bytes));
	bytes.attribute_number = (uint16_t) (version->by_place ? number + 1 : version->attribute_numbers[number]);
	bytes.kind = TL_COLUMN_PLAIN;
	bytes.type_tag = version->type_tags[number];
	column->attribute_number = version->attribute_numbers[number];
	column->value = column_encoder(relation, version, number, CurrentMemoryContext);
	tl_writer_init(&writer, column->empty, TL_ROW_COLUMN_SIZE);
	tl_table_row_put_column(&writer, &bytes);
	tl_error_check(tl_writer_finish(&writer), "cannot encode a column");
}

/*
 * The encoding of one column.  Built-in types must be what the definition says,
 * since the stored bytes would be read as something else; types with a name may
 * have been renamed since.
 */
static TlValueEncoder *
column_encoder(Relation relation, const TlTableVersion *version, int column,
			   MemoryContext context)
{
	TupleDesc	descriptor = RelationGetDescr(relation);
	AttrNumber	number = version->attribute_numbers[column];
	uint32_t	tag = version->type_tags[column];
	Form_pg_attribute attribute;
	uint32_t	found = 0;

	if (number >= 1 && number <= descriptor->natts)
	{
		attribute = TupleDescAttr(descriptor, number - 1);
		if (!attribute->attisdropped)
		{
			found = tl_table_type_tag(attribute->atttypid);
			if (found == tag ||
				((found & TL_TYPE_TAG_NAMED) && (tag & TL_TYPE_TAG_NAMED)))
				return tl_table_type_encoder(attribute->atttypid, context);
		}
	}
	ereport(ERROR,
			errcode(TL_ERRCODE(TL_DEFINITION_FIXED)),
			errmsg("column \"%s\" of ledger table \"%s\" does not fit its definition",
				   version->column_names[column],
				   RelationGetRelationName(relation)),
			errdetail("Version %u says attribute %d with type tag %u, the catalogs say type tag %u.",
					  version->version, number, tag, found));
	return NULL;				/* keep the compiler quiet */
}

/* The blinding key of the section that the next rows belong to. */
void
tl_table_encoder_set_key(TlTableEncoder *encoder,
						 const uint8_t row_key[TL_ROW_KEY_SIZE])
{
	tl_crypto_hmac_prepare(&encoder->row_key, row_key, TL_ROW_KEY_SIZE);
}

/* The bytes of the row in the slot; valid until the next call. */
TlSpan
tl_table_encoder_row(TlTableEncoder *encoder, TupleTableSlot *slot)
{
	MemoryContext caller;
	uint16_t	count = 0;
	TlSpan		span;

	start_row(encoder);
	MemoryContextReset(encoder->row_context);
	caller = MemoryContextSwitchTo(encoder->row_context);
	slot_getallattrs(slot);
	append_header(encoder, slot);
	for (int i = 0; i < encoder->column_count; i++)
		count += append_column(&encoder->row, &encoder->columns[i], slot);
	patch_column_count(encoder, count);
	MemoryContextSwitchTo(caller);
	span.data = (const uint8_t *) encoder->row.data;
	span.size = encoder->row.len;
	return span;
}

/* Empty, and small again. */
static void
start_row(TlTableEncoder *encoder)
{
	StringInfo	row = &encoder->row;

	resetStringInfo(row);
	if (row->maxlen > ENCODER_KEEP_SIZE)
	{
		MemoryContext caller = MemoryContextSwitchTo(encoder->context);

		pfree(row->data);
		initStringInfo(row);
		MemoryContextSwitchTo(caller);
	}
}

static void
append_header(TlTableEncoder *encoder, TupleTableSlot *slot)
{
	static const uint8_t no_ref[TL_REF_SIZE] = {0, 0, 0, 1,[TL_REF_SIZE - 1] = 1};
	bool		is_null;
	Datum		ref;
	const uint8_t *bytes;

	if (encoder->ref_attribute == InvalidAttrNumber)
	{
		appendBinaryStringInfo(&encoder->row, encoder->header, TL_ROW_HEADER_SIZE);
		memcpy(encoder->row.data + TL_ROW_REF_OFFSET, no_ref, TL_REF_SIZE);
		return;
	}
	ref = slot_getattr(slot, encoder->ref_attribute, &is_null);
	if (is_null)
		elog(ERROR, "ledger_ref of a stored row is null");
	bytes = DatumGetTlRefBytes(ref)->bytes;
	appendBinaryStringInfo(&encoder->row, encoder->header, TL_ROW_HEADER_SIZE);
	memcpy(encoder->row.data + TL_ROW_REF_OFFSET, bytes, TL_REF_SIZE);
	tl_table_row_blinding((uint8_t *) encoder->row.data + TL_ROW_BLINDING_OFFSET,
						  &encoder->row_key, bytes);
}

/*
 * Append one column; false if it is null and so not part of the bytes.  The
 * value goes where it will stay, its length is known afterwards.
 */
static bool
append_column(StringInfo row, const ColumnEncoder *column, TupleTableSlot *slot)
{
	int			start = row->len;
	uint32		length;

	if (slot->tts_isnull[column->attribute_number - 1])
		return false;
	if (row->maxlen - row->len <= TL_ROW_COLUMN_SIZE)
		enlargeStringInfo(row, TL_ROW_COLUMN_SIZE);
	memcpy(row->data + row->len, column->empty, TL_ROW_COLUMN_SIZE);
	row->len += TL_ROW_COLUMN_SIZE;
	tl_table_type_append(row, column->value,
						 slot->tts_values[column->attribute_number - 1]);
	if (row->len > TL_ROW_SIZE_MAX - 1)
		ereport(ERROR,
				errcode(TL_ERRCODE(TL_TOO_LARGE)),
				errmsg("the row is too large for the ledger"),
				errdetail("The bytes of a row are limited to %d.", TL_ROW_SIZE_MAX));
	length = pg_hton32((uint32) (row->len - start - TL_ROW_COLUMN_SIZE));
	memcpy(row->data + start + TL_ROW_COLUMN_LENGTH_OFFSET, &length, sizeof(length));
	return true;
}

/* How many columns are not null is known last. */
static void
patch_column_count(TlTableEncoder *encoder, uint16_t count)
{
	TlWriter	writer;

	tl_writer_init(&writer, encoder->row.data + TL_ROW_COLUMN_COUNT_OFFSET,
				   sizeof(count));
	tl_put_u16(&writer, count);
}

void
tl_table_encoder_close(TlTableEncoder *encoder)
{
	MemoryContextDelete(encoder->context);
}
