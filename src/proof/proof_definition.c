/*-------------------------------------------------------------------------
 *
 * proof_definition.c
 *	  What a table's definition row says: names and tags of the columns.
 *
 * Definitions are rows of the ledger table ledger.table_version, whose own
 * definition is fixed here, so that the chain of definitions has an end:
 *
 *		1 table_id uuid, 2 version integer, 3 action text, 4 schema_name text,
 *		5 table_name text, 6 attribute_numbers integer[], 7 column_names text[],
 *		8 type_names text[], 9 type_tags bigint[]
 *
 * Its table id is the first 16 bytes of Hash('telco_ledger/1/table_version'),
 * its version 1.  The arrays have one dimension from 1, or none when the table
 * has no columns, and no NULL in them.
 *
 * Invariants
 *	  V1  attribute numbers ascend strictly, tags are not zero
 *	  V2  the four arrays have one length
 *	  V3  names are as long as names can be, so that comparing all with all
 *		  stays cheap whatever a stranger writes
 *
 * Pure code: no PostgreSQL, no allocation.
 * Used by receipts, by ledger.verify_receipt() and by contrib/verifier.
 *
 *-------------------------------------------------------------------------
 */
#include "proof_definition.h"

#include "crypto_hash.h"
#include "tl_limits.h"

#include <string.h>

#define TABLE_VERSION_TAG	"telco_ledger/1/table_version"
#define COLUMN_COUNT		9

typedef struct FixedColumn
{
	const char *name;
	const char *type_name;
	uint32_t	type_tag;		/* OID of the built-in type */
} FixedColumn;

static const FixedColumn fixed_columns[COLUMN_COUNT] = {
	{"table_id", "uuid", 2950},
	{"version", "integer", 23},
	{"action", "text", 25},
	{"schema_name", "text", 25},
	{"table_name", "text", 25},
	{"attribute_numbers", "integer[]", 1007},
	{"column_names", "text[]", 1009},
	{"type_names", "text[]", 1009},
	{"type_tags", "bigint[]", 1016},
};

static TlStatus read_columns(TlSpan values[COLUMN_COUNT],
							 const void *data, size_t size);
static TlStatus read_array(TlSpan *elements, uint32_t *count, TlSpan value);
static TlStatus check_columns(const TlDefinition *definition);
static uint64_t get_element(TlReader *reader, size_t size);
static TlSpan text_span(const char *text);

void
tl_proof_definition_table_id(uint8_t out[TL_TABLE_ID_SIZE])
{
	TlHash		hash;

	tl_crypto_sha256(&hash, TABLE_VERSION_TAG, strlen(TABLE_VERSION_TAG));
	memcpy(out, hash.bytes, TL_TABLE_ID_SIZE);
}

void
tl_proof_definition_fixed(TlDefinition *out)
{
	memset(out, 0, sizeof(*out));
	tl_proof_definition_table_id(out->table_id);
	out->version = 1;
	out->schema = text_span("ledger");
	out->table = text_span("table_version");
	out->column_count = COLUMN_COUNT;
	out->fixed = true;
}

TlStatus
tl_proof_definition_decode(TlDefinition *out, const void *data, size_t size)
{
	TlSpan		values[COLUMN_COUNT];
	TlSpan	   *arrays[4] = {&out->numbers, &out->names, &out->type_names,
	&out->type_tags};
	TlReader	version;
	TlStatus	status;

	memset(out, 0, sizeof(*out));
	status = read_columns(values, data, size);
	if (status != TL_OK)
		return status;
	if (values[0].size != TL_TABLE_ID_SIZE)
		return TL_BAD_FORMAT;
	memcpy(out->table_id, values[0].data, TL_TABLE_ID_SIZE);
	tl_reader_init(&version, values[1].data, values[1].size);
	out->version = tl_get_u32(&version);
	status = tl_reader_finish(&version);
	out->schema = values[3];
	out->table = values[4];
	for (int i = 0; i < 4 && status == TL_OK; i++)
	{
		uint32_t	count;

		status = read_array(arrays[i], &count, values[5 + i]);
		if (status == TL_OK && i > 0 && count != out->column_count)
			status = TL_BAD_FORMAT;
		out->column_count = count;
	}
	if (status != TL_OK)
		return status;
	return check_columns(out);
}

void
tl_proof_definition_open(TlDefinitionReader *reader,
						 const TlDefinition *definition)
{
	memset(reader, 0, sizeof(*reader));
	reader->definition = definition;
	tl_reader_init(&reader->numbers, definition->numbers.data,
				   definition->numbers.size);
	tl_reader_init(&reader->names, definition->names.data,
				   definition->names.size);
	tl_reader_init(&reader->type_names, definition->type_names.data,
				   definition->type_names.size);
	tl_reader_init(&reader->type_tags, definition->type_tags.data,
				   definition->type_tags.size);
}

bool
tl_proof_definition_next(TlDefinitionReader *reader, TlDefinitionColumn *out)
{
	memset(out, 0, sizeof(*out));
	if (reader->next >= reader->definition->column_count)
		return false;
	if (reader->definition->fixed)
	{
		const FixedColumn *column = &fixed_columns[reader->next];

		out->attribute_number = (uint16_t) (reader->next + 1);
		out->name = text_span(column->name);
		out->type_name = text_span(column->type_name);
		out->type_tag = column->type_tag;
	}
	else
	{
		out->attribute_number = (uint16_t) get_element(&reader->numbers, 4);
		out->name = tl_get_span(&reader->names, tl_get_u32(&reader->names));
		out->type_name = tl_get_span(&reader->type_names,
									 tl_get_u32(&reader->type_names));
		out->type_tag = (uint32_t) get_element(&reader->type_tags, 8);
	}
	reader->next++;
	return true;
}

/* The nine values of a row of ledger.table_version, none of them missing. */
static TlStatus
read_columns(TlSpan values[COLUMN_COUNT], const void *data, size_t size)
{
	uint8_t		table_id[TL_TABLE_ID_SIZE];
	TlRowDecoder decoder;
	TlRowHeader header;
	TlStatus	status;

	status = tl_table_row_open(&decoder, &header, data, size);
	if (status != TL_OK)
		return status;
	tl_proof_definition_table_id(table_id);
	if (memcmp(header.table_id, table_id, TL_TABLE_ID_SIZE) != 0 ||
		header.table_version != 1 || header.column_count != COLUMN_COUNT)
		return TL_BAD_FORMAT;
	for (int i = 0; i < COLUMN_COUNT; i++)
	{
		TlRowColumn column;

		status = tl_table_row_next(&decoder, &column);
		if (status != TL_OK)
			return status;
		if (column.attribute_number != i + 1 ||
			column.kind != TL_COLUMN_PLAIN ||
			column.type_tag != fixed_columns[i].type_tag)
			return TL_BAD_FORMAT;
		values[i] = column.value;
	}
	return tl_table_row_close(&decoder);
}

/* Elements of an array value: per element, length i32 and bytes. */
static TlStatus
read_array(TlSpan *elements, uint32_t *count, TlSpan value)
{
	TlReader	reader;
	uint8_t		dimensions;

	*count = 0;
	tl_reader_init(&reader, value.data, value.size);
	dimensions = tl_get_u8(&reader);
	if (dimensions == 1)
	{
		if (tl_get_u32(&reader) != 1)
			return TL_BAD_FORMAT;
		*count = tl_get_u32(&reader);
	}
	else if (dimensions != 0)
		return TL_BAD_FORMAT;
	if (*count > TL_COLUMN_COUNT_MAX)
		return TL_TOO_LARGE;
	elements->data = reader.data + reader.offset;
	elements->size = tl_reader_left(&reader);
	/* a NULL has length 2^32 - 1 here and cannot be there */
	for (uint32_t i = 0; i < *count; i++)
		(void) tl_get_span(&reader, tl_get_u32(&reader));
	return tl_reader_finish(&reader);
}

static TlStatus
check_columns(const TlDefinition *definition)
{
	TlReader	numbers;
	TlReader	names;
	TlReader	tags;
	uint64_t	last = 0;

	if (definition->version == 0)
		return TL_BAD_FORMAT;
	if (definition->schema.size > TL_NAME_SIZE_MAX ||
		definition->table.size > TL_NAME_SIZE_MAX)
		return TL_TOO_LARGE;
	tl_reader_init(&names, definition->names.data, definition->names.size);
	tl_reader_init(&numbers, definition->numbers.data,
				   definition->numbers.size);
	tl_reader_init(&tags, definition->type_tags.data,
				   definition->type_tags.size);
	for (uint32_t i = 0; i < definition->column_count; i++)
	{
		uint64_t	number = get_element(&numbers, 4);
		uint64_t	tag = get_element(&tags, 8);
		TlSpan		name = tl_get_span(&names, tl_get_u32(&names));

		if (name.size > TL_NAME_SIZE_MAX)
			return TL_TOO_LARGE;
		if (number <= last)
			return TL_BAD_ORDER;
		if (number > TL_ATTRIBUTE_NUMBER_MAX)
			return TL_TOO_LARGE;
		if (tag == 0 || tag > UINT32_MAX)
			return TL_BAD_FORMAT;
		last = number;
	}
	if (tl_reader_finish(&numbers) != TL_OK || tl_reader_finish(&tags) != TL_OK)
		return TL_BAD_FORMAT;
	return TL_OK;
}

/* An integer element of that size; zero if it has another. */
static uint64_t
get_element(TlReader *reader, size_t size)
{
	TlSpan		element = tl_get_span(reader, tl_get_u32(reader));
	TlReader	value;

	if (element.size != size)
		return 0;
	tl_reader_init(&value, element.data, element.size);
	return (size == 4) ? tl_get_u32(&value) : tl_get_u64(&value);
}

static TlSpan
text_span(const char *text)
{
	TlSpan		span = {(const uint8_t *) text, strlen(text)};

	return span;
}
