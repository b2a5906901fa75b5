/*-------------------------------------------------------------------------
 *
 * table_row.c
 *	  The bytes of a row, format 1: one writer and one reader.
 *
 * All integers big-endian:
 *
 *		offset	size	field
 *		0		1		leaf kind, 0x01
 *		1		1		format, 1
 *		2		16		table id
 *		18		16		ref: member u32, incarnation u16, transaction u48,
 *						row u32
 *		34		4		table version, from 1
 *		38		16		blinding: the first 16 bytes of
 *						HMAC-SHA-256(key of the section, the 16 ref bytes)
 *		54		2		column count
 *		56				columns
 *
 * and for each column that is not null, ascending by attribute number:
 *
 *		0		2		attribute number, from 1
 *		2		1		kind: 0 plain, 1 commitment
 *		3		4		type tag: top bit 0: OID of a built-in type;
 *						top bit 1: 31 bits of Hash(qualified name)
 *		7		4		length n
 *		11		n		value (a commitment has 32 bytes)
 *
 * The leaf hash of a row is Hash(0x00 || these bytes).
 *
 * Invariants
 *	  R1  one row has one encoding: attribute numbers ascend strictly, nothing
 *		  follows the last column
 *	  R2  ledger_ref stands in the header and is never a column; the callers
 *		  see to it, since the bytes do not show which column it would be
 *
 * The reader gives spans into the caller's bytes.  It accepts what the writer
 * can have written and nothing else.
 *
 * Pure code: no PostgreSQL, no allocation.
 *
 *-------------------------------------------------------------------------
 */
#include "table_row.h"

#include <assert.h>
#include <string.h>

#include "crypto_hash.h"
#include "tl_limits.h"

void
tl_table_row_put_header(TlWriter *writer, const TlRowHeader *header)
{
	size_t		start = writer->size;

	assert(header->column_count <= TL_COLUMN_COUNT_MAX);
	assert(header->table_version > 0);
	tl_put_u8(writer, TL_ROW_LEAF_KIND);
	tl_put_u8(writer, TL_ROW_FORMAT);
	tl_put_bytes(writer, header->table_id, TL_TABLE_ID_SIZE);
	assert(writer->size - start == TL_ROW_REF_OFFSET);
	tl_put_ref(writer, &header->ref);
	tl_put_u32(writer, header->table_version);
	assert(writer->size - start == TL_ROW_BLINDING_OFFSET);
	tl_put_bytes(writer, header->blinding, TL_BLINDING_SIZE);
	assert(writer->size - start == TL_ROW_COLUMN_COUNT_OFFSET);
	tl_put_u16(writer, header->column_count);
	assert(writer->size - start == TL_ROW_HEADER_SIZE);
}

void
tl_table_row_put_column(TlWriter *writer, const TlRowColumn *column)
{
	size_t		start = writer->size;

	assert(column->attribute_number > 0 &&
		   column->attribute_number <= TL_ATTRIBUTE_NUMBER_MAX);
	assert(column->kind == TL_COLUMN_PLAIN ||
		   (column->kind == TL_COLUMN_COMMITMENT &&
			column->value.size == TL_HASH_SIZE));
	tl_put_u16(writer, column->attribute_number);
	tl_put_u8(writer, column->kind);
	tl_put_u32(writer, column->type_tag);
	assert(writer->size - start == TL_ROW_COLUMN_LENGTH_OFFSET);
	tl_put_u32(writer, (uint32_t) column->value.size);
	assert(writer->size - start == TL_ROW_COLUMN_SIZE);
	tl_put_bytes(writer, column->value.data, column->value.size);
}

/*
 * The blinding of one row, by the bytes of its ref.  Without the section's key nobody can test a guess
 * of the row's content against its hash.
 */
void
tl_table_row_blinding(uint8_t blinding[TL_BLINDING_SIZE],
					  const TlHmacKey *row_key, const uint8_t ref[TL_REF_SIZE])
{
	TlHash		code;

	tl_crypto_hmac_prepared(&code, row_key, ref, TL_REF_SIZE);
	memcpy(blinding, code.bytes, TL_BLINDING_SIZE);
}

/* Read the header; the spans of later columns point into data. */
TlStatus
tl_table_row_open(TlRowDecoder *decoder, TlRowHeader *header,
				  const void *data, size_t size)
{
	TlReader   *reader = &decoder->reader;
	uint8_t		kind,
				format;

	memset(header, 0, sizeof(*header));
	memset(decoder, 0, sizeof(*decoder));
	tl_reader_init(reader, data, size);
	if (size > TL_ROW_SIZE_MAX)
		return TL_TOO_LARGE;
	kind = tl_get_u8(reader);
	format = tl_get_u8(reader);
	tl_get_bytes(reader, header->table_id, TL_TABLE_ID_SIZE);
	tl_get_ref(reader, &header->ref);
	header->table_version = tl_get_u32(reader);
	tl_get_bytes(reader, header->blinding, TL_BLINDING_SIZE);
	header->column_count = tl_get_u16(reader);
	if (reader->truncated)
		return TL_TRUNCATED;
	if (kind != TL_ROW_LEAF_KIND)
		return TL_BAD_FORMAT;
	if (format != TL_ROW_FORMAT)
		return TL_BAD_VERSION;
	if (header->ref.member == 0 || header->ref.row == 0 ||
		header->table_version == 0)
		return TL_BAD_FORMAT;
	if (header->column_count > TL_COLUMN_COUNT_MAX)
		return TL_TOO_LARGE;
	decoder->columns_left = header->column_count;
	return TL_OK;
}

/* Read one column; to be called once per column that the header counts. */
TlStatus
tl_table_row_next(TlRowDecoder *decoder, TlRowColumn *column)
{
	TlReader   *reader = &decoder->reader;
	uint32_t	size;

	memset(column, 0, sizeof(*column));
	if (decoder->columns_left == 0)
		return TL_BUG;
	column->attribute_number = tl_get_u16(reader);
	column->kind = tl_get_u8(reader);
	column->type_tag = tl_get_u32(reader);
	size = tl_get_u32(reader);
	column->value = tl_get_span(reader, size);
	if (reader->truncated)
		return TL_TRUNCATED;
	if (column->attribute_number > TL_ATTRIBUTE_NUMBER_MAX)
		return TL_TOO_LARGE;
	if (column->attribute_number <= decoder->last_attribute_number)
		return TL_BAD_ORDER;
	if (column->type_tag == 0 || column->kind > TL_COLUMN_COMMITMENT ||
		(column->kind == TL_COLUMN_COMMITMENT && size != TL_HASH_SIZE))
		return TL_BAD_FORMAT;
	decoder->last_attribute_number = column->attribute_number;
	decoder->columns_left--;
	return TL_OK;
}

/* R1: all columns were read and nothing follows them. */
TlStatus
tl_table_row_close(const TlRowDecoder *decoder)
{
	if (decoder->columns_left != 0)
		return TL_BUG;
	return tl_reader_finish(&decoder->reader);
}

/* Are these bytes one row, whole and canonical? */
TlStatus
tl_table_row_check(const void *data, size_t size)
{
	TlRowDecoder decoder;
	TlRowHeader header;
	TlRowColumn column;
	TlStatus	status = tl_table_row_open(&decoder, &header, data, size);

	for (int i = 0; status == TL_OK && i < header.column_count; i++)
		status = tl_table_row_next(&decoder, &column);
	if (status == TL_OK)
		status = tl_table_row_close(&decoder);
	return status;
}
