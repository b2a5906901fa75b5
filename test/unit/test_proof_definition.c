/*-------------------------------------------------------------------------
 *
 * test_proof_definition.c
 *	  Rows of ledger.table_version: read, walked, and refused.
 *
 *-------------------------------------------------------------------------
 */
#include "proof_definition.h"

#include "tl_limits.h"
#include "unit.h"

#include <string.h>

/* printf telco_ledger/1/table_version | sha256sum, the first 16 bytes */
#define TABLE_ID	"0c9abe65944ad0e1e193b7d77d2422f4"

/* What a test can get wrong. */
typedef struct Options
{
	uint32_t	version;
	uint32_t	table_version;
	uint32_t	numbers[2];
	uint64_t	tags[2];
	uint32_t	counts[4];
	uint32_t	lower;
	uint8_t		dimensions;
	uint32_t	null_element;	/* 1 + column of the array to get a NULL */
	uint16_t	columns;
	uint32_t	text_tag;
	size_t		name_size;		/* of the first column */
	size_t		table_size;
	size_t		schema_size;
} Options;

static uint8_t bytes[2048];

static void
put(TlWriter *writer, uint16_t number, uint32_t tag, const void *data, size_t size)
{
	TlRowColumn column = {number, TL_COLUMN_PLAIN, tag, {data, size}};

	tl_table_row_put_column(writer, &column);
}

static void
put_array(TlWriter *writer, const Options *options, int array)
{
	static const uint32_t types[4] = {1007, 1009, 1009, 1016};
	static const char name[100];
	uint8_t		data[256];
	TlWriter	value;

	tl_writer_init(&value, data, sizeof(data));
	tl_put_u8(&value, options->dimensions);
	if (options->dimensions != 0)
	{
		tl_put_u32(&value, options->lower);
		tl_put_u32(&value, options->counts[array]);
	}
	for (uint32_t i = 0; i < options->counts[array] && i < 2; i++)
	{
		if (options->null_element == 1 + (uint32_t) array && i == 1)
		{
			tl_put_u32(&value, UINT32_MAX);
			continue;
		}
		if (array == 1 && i == 0 && options->name_size != 1)
		{
			tl_put_u32(&value, (uint32_t) options->name_size);
			tl_put_bytes(&value, name, options->name_size);
			continue;
		}
		tl_put_u32(&value, array == 0 ? 4 : array == 3 ? 8 : 1);
		if (array == 0)
			tl_put_u32(&value, options->numbers[i]);
		else if (array == 3)
			tl_put_u64(&value, options->tags[i]);
		else
			tl_put_u8(&value, (uint8_t) ('a' + i));
	}
	put(writer, (uint16_t) (6 + array), types[array], data, value.size);
}

static size_t
write_row(const Options *options)
{
	static const uint8_t id[TL_TABLE_ID_SIZE] = {1};
	static const char schema[100] = "public";
	static const char table[100] = "cdr";
	TlRowHeader header = {.ref = {1, 0, 1, 1},.table_version = options->table_version,
	.column_count = options->columns};
	uint8_t		version[4] = {0, 0, 0, (uint8_t) options->version};
	TlWriter	writer;

	tl_proof_definition_table_id(header.table_id);
	tl_writer_init(&writer, bytes, sizeof(bytes));
	tl_table_row_put_header(&writer, &header);
	put(&writer, 1, 2950, id, sizeof(id));
	put(&writer, 2, 23, version, sizeof(version));
	put(&writer, 3, options->text_tag, "create", 6);
	put(&writer, 4, 25, schema, options->schema_size);
	put(&writer, 5, 25, table, options->table_size);
	for (int i = 0; i < 4; i++)
		put_array(&writer, options, i);
	if (options->columns > 9)
		put(&writer, 11, 25, "x", 1);
	return writer.size;
}

static Options
defaults(void)
{
	Options		options = {.version = 3,.table_version = 1,.numbers = {1, 4},
		.tags = {20, 0xffffffff},.counts = {2, 2, 2, 2},.lower = 1,.dimensions = 1,
	.columns = 9,.text_tag = 25,.name_size = 1,.table_size = 3,.schema_size = 6};

	return options;
}

static TlStatus
decode(const Options *options)
{
	TlDefinition definition;

	return tl_proof_definition_decode(&definition, bytes, write_row(options));
}

static void
reads(void)
{
	Options		options = defaults();
	size_t		size = write_row(&options);
	TlDefinition definition;
	TlDefinitionReader reader;
	TlDefinitionColumn column;

	UNIT_CHECK(tl_proof_definition_decode(&definition, bytes, size) == TL_OK);
	UNIT_CHECK(definition.version == 3 && definition.column_count == 2);
	UNIT_CHECK(definition.schema.size == 6 && memcmp(definition.table.data, "cdr", 3) == 0);
	tl_proof_definition_open(&reader, &definition);
	UNIT_CHECK(tl_proof_definition_next(&reader, &column));
	UNIT_CHECK(column.attribute_number == 1 && column.type_tag == 20 && column.name.data[0] == 'a');
	UNIT_CHECK(tl_proof_definition_next(&reader, &column));
	UNIT_CHECK(column.attribute_number == 4 && column.type_tag == 0xffffffff);
	UNIT_CHECK(column.name.data[0] == 'b' && column.type_name.data[0] == 'b');
	UNIT_CHECK(!tl_proof_definition_next(&reader, &column));
	for (size_t cut = 0; cut < size; cut++)
		UNIT_CHECK(tl_proof_definition_decode(&definition, bytes, cut) != TL_OK);

	options.name_size = options.table_size = options.schema_size = TL_NAME_SIZE_MAX;
	UNIT_CHECK(decode(&options) == TL_OK);
	memset(options.counts, 0, sizeof(options.counts));
	options.dimensions = 0;
	UNIT_CHECK(decode(&options) == TL_OK);
}

static void
refusals(void)
{
	Options		options;

#define REFUSED(change, status) \
	do { \
		options = defaults(); \
		UNIT_CHECK(decode(&options) == TL_OK); \
		change; \
		UNIT_CHECK(decode(&options) == (status)); \
	} while (0)

	REFUSED(options.version = 0, TL_BAD_FORMAT);
	REFUSED(options.table_version = 2, TL_BAD_FORMAT);
	REFUSED(options.numbers[1] = 1, TL_BAD_ORDER);
	REFUSED(options.numbers[0] = 0, TL_BAD_ORDER);
	REFUSED(options.numbers[1] = TL_ATTRIBUTE_NUMBER_MAX + 1, TL_TOO_LARGE);
	REFUSED(options.tags[0] = 0, TL_BAD_FORMAT);
	REFUSED(options.tags[0] = UINT64_C(1) << 32, TL_BAD_FORMAT);
	for (int i = 0; i < 4; i++)
	{
		REFUSED(options.counts[i] = 1, TL_BAD_FORMAT);
		REFUSED(options.counts[i] = TL_COLUMN_COUNT_MAX + 1, TL_TOO_LARGE);
		REFUSED(options.counts[i] = 3, TL_TRUNCATED);
		REFUSED(options.null_element = 1 + i, TL_TRUNCATED);
	}
	REFUSED(options.name_size = TL_NAME_SIZE_MAX + 1, TL_TOO_LARGE);
	REFUSED(options.table_size = TL_NAME_SIZE_MAX + 1, TL_TOO_LARGE);
	REFUSED(options.schema_size = TL_NAME_SIZE_MAX + 1, TL_TOO_LARGE);
	REFUSED(options.lower = 0, TL_BAD_FORMAT);
	REFUSED(options.dimensions = 2, TL_BAD_FORMAT);
	REFUSED(options.columns = 10, TL_BAD_FORMAT);
	REFUSED(options.text_tag = 1043, TL_BAD_FORMAT);
}

/* The definition of definitions, by hand from the documentation. */
static void
fixed(void)
{
	static const char *const names[] = {"table_id", "version", "action", "schema_name",
		"table_name", "attribute_numbers", "column_names", "type_names", "type_tags"};
	uint8_t		wanted[TL_TABLE_ID_SIZE];
	TlDefinition definition;
	TlDefinitionReader reader;
	TlDefinitionColumn column;
	int			count = 0;

	unit_hex(wanted, sizeof(wanted), TABLE_ID);
	tl_proof_definition_fixed(&definition);
	UNIT_CHECK(memcmp(definition.table_id, wanted, sizeof(wanted)) == 0);
	UNIT_CHECK(definition.version == 1);
	tl_proof_definition_open(&reader, &definition);
	while (tl_proof_definition_next(&reader, &column) && count < 9)
	{
		UNIT_CHECK(column.name.size == strlen(names[count]));
		UNIT_CHECK(memcmp(column.name.data, names[count], column.name.size) == 0);
		UNIT_CHECK(column.attribute_number == ++count && column.type_tag != 0);
	}
	UNIT_CHECK(count == 9);
}

UNIT_MAIN(UNIT_CASE(reads), UNIT_CASE(refusals), UNIT_CASE(fixed))
