/*-------------------------------------------------------------------------
 *
 * test_table_row.c
 *	  Bytes of rows: vectors, round trips, and everything that is refused.
 *
 *-------------------------------------------------------------------------
 */
#include "table_row.h"

#include "merkle_hash.h"
#include "tl_limits.h"
#include "unit.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ROW_SIZE_MAX	4096
#define COLUMNS_MAX		16

static uint8_t row[ROW_SIZE_MAX];
static size_t row_size;

/* A row of two columns, of which the cases below damage one byte or more. */
static void
make_row(void)
{
	TlRowHeader header;
	TlRowColumn column;
	TlWriter	writer;

	memset(&header, 0, sizeof(header));
	memset(&column, 0, sizeof(column));
	unit_random_bytes(header.table_id, sizeof(header.table_id));
	unit_random_bytes(header.blinding, sizeof(header.blinding));
	header.ref.member = 1;
	header.ref.transaction = 730;
	header.ref.row = 1;
	header.table_version = 1;
	header.column_count = 2;
	tl_writer_init(&writer, row, sizeof(row));
	tl_table_row_put_header(&writer, &header);
	column.attribute_number = 2;
	column.type_tag = 25;
	column.value.data = (const uint8_t *) "value";
	column.value.size = 5;
	tl_table_row_put_column(&writer, &column);
	column.attribute_number = 5;
	column.kind = TL_COLUMN_COMMITMENT;
	column.value.data = (const uint8_t *) "0123456789abcdef0123456789abcdef";
	column.value.size = TL_HASH_SIZE;
	tl_table_row_put_column(&writer, &column);
	UNIT_CHECK(tl_writer_finish(&writer) == TL_OK);
	row_size = writer.size;
}

static void
expect(const char *what, TlStatus expected)
{
	unit_context("%s", what);
	UNIT_CHECK(tl_table_row_check(row, row_size) == expected);
}

/* Put one byte somewhere and see what the reader says; then put it back. */
static void
expect_with(const char *what, size_t offset, uint8_t value, TlStatus expected)
{
	uint8_t		old = row[offset];

	row[offset] = value;
	expect(what, expected);
	row[offset] = old;
}

static void
offsets_are_those_of_the_table(void)
{
	make_row();
	UNIT_CHECK(row_size == TL_ROW_HEADER_SIZE + 2 * TL_ROW_COLUMN_SIZE + 5 + 32);
	UNIT_CHECK(row[0] == 0x01 && row[1] == 1);
	UNIT_CHECK(row[18 + 3] == 1);	/* member */
	UNIT_CHECK(row[34 + 3] == 1);	/* table version */
	UNIT_CHECK(row[TL_ROW_COLUMN_COUNT_OFFSET + 1] == 2);
	UNIT_CHECK(row[56 + 1] == 2 && row[56 + 11] == 'v');
	expect("the row as it was made", TL_OK);
}

static void
damaged_headers_are_refused(void)
{
	make_row();
	expect_with("leaf kind", 0, 0x02, TL_BAD_FORMAT);
	expect_with("format", 1, 2, TL_BAD_VERSION);
	expect_with("member 0", 18 + 3, 0, TL_BAD_FORMAT);
	expect_with("row 0", 18 + 15, 0, TL_BAD_FORMAT);
	expect_with("table version 0", 34 + 3, 0, TL_BAD_FORMAT);
	expect_with("more columns than there are", 55, 3, TL_TRUNCATED);
	expect_with("fewer columns than there are", 55, 1, TL_TRAILING_BYTES);
	row[54] = (TL_COLUMN_COUNT_MAX + 1) >> 8;
	row[55] = (TL_COLUMN_COUNT_MAX + 1) & 0xff;
	expect("more columns than a table can have", TL_TOO_LARGE);
}

static void
damaged_columns_are_refused(void)
{
	size_t		second = TL_ROW_HEADER_SIZE + TL_ROW_COLUMN_SIZE + 5;

	make_row();
	expect_with("attribute 0", 57, 0, TL_BAD_ORDER);
	expect_with("the same attribute twice", 57, 5, TL_BAD_ORDER);
	expect_with("attributes that descend", 57, 6, TL_BAD_ORDER);
	expect_with("an attribute beyond the limit", 56, 0xff, TL_TOO_LARGE);
	expect_with("an unknown kind", 58, 2, TL_BAD_FORMAT);
	expect_with("a commitment of 5 bytes", 58, TL_COLUMN_COMMITMENT, TL_BAD_FORMAT);
	expect_with("no type tag", 62, 0, TL_BAD_FORMAT);
	expect_with("a longer value", 66, 6, TL_TRUNCATED);
	expect_with("a value beyond the end", 63, 0xff, TL_TRUNCATED);
	expect_with("a last value beyond the end", second + 10, 33, TL_TRUNCATED);
	row_size++;
	expect("a byte too many", TL_TRAILING_BYTES);
}

static void
every_cut_is_noticed(void)
{
	size_t		whole;

	make_row();
	whole = row_size;
	for (row_size = 0; row_size < whole; row_size++)
	{
		unit_context("cut to %zu bytes", row_size);
		UNIT_CHECK(tl_table_row_check(row, row_size) == TL_TRUNCATED);
	}
}

static void
more_columns_than_announced_is_a_bug(void)
{
	TlRowDecoder decoder;
	TlRowHeader header;
	TlRowColumn column;

	make_row();
	UNIT_CHECK(tl_table_row_open(&decoder, &header, row, row_size) == TL_OK);
	UNIT_CHECK(tl_table_row_close(&decoder) == TL_BUG);
	UNIT_CHECK(tl_table_row_next(&decoder, &column) == TL_OK);
	UNIT_CHECK(tl_table_row_next(&decoder, &column) == TL_OK);
	UNIT_CHECK(tl_table_row_next(&decoder, &column) == TL_BUG);
	UNIT_CHECK(tl_table_row_close(&decoder) == TL_OK);
}

/* Random rows: what was written is read, and written again gives the same. */
static void
round_trips(void)
{
	static uint8_t again[ROW_SIZE_MAX];
	uint8_t		values[64];

	for (int turn = 0; turn < 2000; turn++)
	{
		TlRowHeader header,
					read;
		TlRowColumn column;
		TlRowDecoder decoder;
		TlWriter	writer,
					copy;
		uint16_t	number = 0;

		unit_context("turn %d", turn);
		unit_random_bytes(&header, sizeof(header));
		unit_random_bytes(values, sizeof(values));
		header.ref.member |= 1;
		header.ref.row |= 1;
		header.ref.transaction &= TL_TRANSACTION_MAX;
		header.table_version |= 1;
		header.column_count = unit_random() % COLUMNS_MAX;
		tl_writer_init(&writer, row, sizeof(row));
		tl_table_row_put_header(&writer, &header);
		for (int i = 0; i < header.column_count; i++)
		{
			number += 1 + unit_random() % 100;
			column.attribute_number = number;
			column.kind = unit_random() % 2;
			column.type_tag = (uint32_t) unit_random() | 1;
			column.value.data = values;
			column.value.size = column.kind == TL_COLUMN_COMMITMENT ?
				TL_HASH_SIZE : unit_random() % sizeof(values);
			tl_table_row_put_column(&writer, &column);
		}
		UNIT_CHECK(tl_writer_finish(&writer) == TL_OK);
		UNIT_CHECK(tl_table_row_open(&decoder, &read, row, writer.size) == TL_OK);
		UNIT_CHECK(read.ref.transaction == header.ref.transaction &&
				   read.ref.incarnation == header.ref.incarnation);
		tl_writer_init(&copy, again, sizeof(again));
		tl_table_row_put_header(&copy, &read);
		for (int i = 0; i < read.column_count; i++)
		{
			UNIT_CHECK(tl_table_row_next(&decoder, &column) == TL_OK);
			tl_table_row_put_column(&copy, &column);
		}
		UNIT_CHECK(tl_table_row_close(&decoder) == TL_OK);
		UNIT_CHECK(copy.size == writer.size &&
				   memcmp(row, again, copy.size) == 0);
	}
}

/* Columns of a vector: "number:kind:tag:hex", blanks between, "-" for none. */
static void
put_columns(TlWriter *writer, const char *text)
{
	static uint8_t value[ROW_SIZE_MAX];

	while (*text != '\0' && *text != '-')
	{
		TlRowColumn column;
		char		hex[ROW_SIZE_MAX] = "";
		unsigned	number,
					kind;
		uint32_t	tag;
		int			used = 0;

		UNIT_CHECK(sscanf(text, "%u:%u:%" SCNu32 ":%n", &number, &kind, &tag, &used) == 3);
		text += used;
		used = (int) strcspn(text, " ");
		memcpy(hex, text, used);
		text += used + (text[used] == ' ');
		column.attribute_number = (uint16_t) number;
		column.kind = (uint8_t) kind;
		column.type_tag = tag;
		column.value.data = value;
		column.value.size = unit_hex(value, sizeof(value), hex);
		tl_table_row_put_column(writer, &column);
	}
}

static uint16_t
count_columns(const char *text)
{
	uint16_t	count = 1;

	if (*text == '-')
		return 0;
	for (; *text != '\0'; text++)
		count += (*text == ' ');
	return count;
}

static void
use_vector(const UnitRecord *record)
{
	uint8_t		expected[ROW_SIZE_MAX],
				key[TL_ROW_KEY_SIZE],
				blinding[TL_BLINDING_SIZE];
	size_t		expected_size = unit_bytes(expected, sizeof(expected), record, "row");
	const char *columns = unit_text(record, "columns");
	TlRowHeader header;
	TlHmacKey	prepared;
	TlWriter	writer;
	TlHash		hash,
				expected_hash;
	uint8_t		ref[TL_REF_SIZE];

	memset(&header, 0, sizeof(header));
	unit_bytes(header.table_id, sizeof(header.table_id), record, "table_id");
	unit_bytes(key, sizeof(key), record, "key");
	unit_bytes(blinding, sizeof(blinding), record, "blinding");
	unit_bytes(expected_hash.bytes, TL_HASH_SIZE, record, "leaf_hash");
	UNIT_CHECK(sscanf(unit_text(record, "ref"), "%" SCNu32 ".%" SCNu16 ".%" SCNu64 ".%" SCNu32,
					  &header.ref.member, &header.ref.incarnation,
					  &header.ref.transaction, &header.ref.row) == 4);
	header.table_version = (uint32_t) strtoul(unit_text(record, "table_version"), NULL, 10);
	header.column_count = count_columns(columns);
	tl_crypto_hmac_prepare(&prepared, key, sizeof(key));
	tl_writer_init(&writer, ref, sizeof(ref));
	tl_put_ref(&writer, &header.ref);
	tl_table_row_blinding(header.blinding, &prepared, ref);
	UNIT_CHECK(memcmp(header.blinding, blinding, sizeof(blinding)) == 0);
	tl_writer_init(&writer, row, sizeof(row));
	tl_table_row_put_header(&writer, &header);
	put_columns(&writer, columns);
	UNIT_CHECK(writer.size == expected_size &&
			   memcmp(row, expected, expected_size) == 0);
	UNIT_CHECK(tl_table_row_check(row, writer.size) == TL_OK);
	tl_merkle_leaf_hash(&hash, row, writer.size);
	UNIT_CHECK(memcmp(hash.bytes, expected_hash.bytes, TL_HASH_SIZE) == 0);
}

static void
vectors(void)
{
	UNIT_CHECK(unit_vectors("row.txt", use_vector) == 4);
}

UNIT_MAIN(UNIT_CASE(offsets_are_those_of_the_table),
		  UNIT_CASE(damaged_headers_are_refused),
		  UNIT_CASE(damaged_columns_are_refused),
		  UNIT_CASE(every_cut_is_noticed),
		  UNIT_CASE(more_columns_than_announced_is_a_bug),
		  UNIT_CASE(round_trips),
		  UNIT_CASE(vectors))
