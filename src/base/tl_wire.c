/*-------------------------------------------------------------------------
 *
 * tl_wire.c
 *	  The one reader and the one writer of big-endian bytes (see tl_wire.h).
 *
 * Invariants
 *	  W1  a writer never stores beyond its capacity; size goes on counting
 *	  W2  a reader never loads beyond its size; offset <= size always
 *
 * Pure code: no PostgreSQL, no allocation.
 *
 *-------------------------------------------------------------------------
 */
#include "tl_wire.h"

#include <string.h>

void
tl_writer_init(TlWriter *writer, void *data, size_t capacity)
{
	writer->data = data;
	writer->capacity = (data == NULL) ? 0 : capacity;
	writer->size = 0;
}

/* TL_OK if everything fitted, or if the writer only counted. */
TlStatus
tl_writer_finish(const TlWriter *writer)
{
	if (writer->data != NULL && writer->size > writer->capacity)
		return TL_TOO_LARGE;
	return TL_OK;
}

void
tl_put_bytes(TlWriter *writer, const void *data, size_t size)
{
	if (size > 0 && writer->size <= writer->capacity &&
		size <= writer->capacity - writer->size)
		memcpy(writer->data + writer->size, data, size);
	writer->size += size;
}

void
tl_put_u8(TlWriter *writer, uint8_t value)
{
	tl_put_bytes(writer, &value, 1);
}

void
tl_put_u16(TlWriter *writer, uint16_t value)
{
	uint8_t		bytes[2] = {(uint8_t) (value >> 8), (uint8_t) value};

	tl_put_bytes(writer, bytes, sizeof(bytes));
}

void
tl_put_u32(TlWriter *writer, uint32_t value)
{
	uint8_t		bytes[4];

	for (int i = 0; i < 4; i++)
		bytes[i] = (uint8_t) (value >> (24 - 8 * i));
	tl_put_bytes(writer, bytes, sizeof(bytes));
}

void
tl_put_u64(TlWriter *writer, uint64_t value)
{
	uint8_t		bytes[8];

	for (int i = 0; i < 8; i++)
		bytes[i] = (uint8_t) (value >> (56 - 8 * i));
	tl_put_bytes(writer, bytes, sizeof(bytes));
}

void
tl_put_i64(TlWriter *writer, int64_t value)
{
	tl_put_u64(writer, (uint64_t) value);
}

void
tl_put_hash(TlWriter *writer, const TlHash *hash)
{
	tl_put_bytes(writer, hash->bytes, TL_HASH_SIZE);
}

void
tl_put_ref(TlWriter *writer, const TlRef *ref)
{
	tl_put_u32(writer, ref->member);
	tl_put_u64(writer, ((uint64_t) ref->incarnation << 48) | ref->transaction);
	tl_put_u32(writer, ref->row);
}

void
tl_reader_init(TlReader *reader, const void *data, size_t size)
{
	reader->data = data;
	reader->size = size;
	reader->offset = 0;
	reader->truncated = false;
}

/* TL_OK if all bytes were there and none is left. */
TlStatus
tl_reader_finish(const TlReader *reader)
{
	if (reader->truncated)
		return TL_TRUNCATED;
	if (reader->offset != reader->size)
		return TL_TRAILING_BYTES;
	return TL_OK;
}

size_t
tl_reader_left(const TlReader *reader)
{
	return reader->size - reader->offset;
}

/* The next bytes in place; an empty span and a mark if they are not there. */
TlSpan
tl_get_span(TlReader *reader, size_t size)
{
	TlSpan		span = {NULL, 0};

	if (reader->truncated || size > tl_reader_left(reader))
	{
		reader->truncated = true;
		return span;
	}
	span.data = reader->data + reader->offset;
	span.size = size;
	reader->offset += size;
	return span;
}

void
tl_get_bytes(TlReader *reader, void *data, size_t size)
{
	TlSpan		span = tl_get_span(reader, size);

	if (size == 0)
		return;
	if (span.data == NULL)
		memset(data, 0, size);
	else
		memcpy(data, span.data, size);
}

/* An unsigned integer of 1 to 8 bytes. */
static uint64_t
get_unsigned(TlReader *reader, size_t size)
{
	TlSpan		span = tl_get_span(reader, size);
	uint64_t	value = 0;

	for (size_t i = 0; i < span.size; i++)
		value = (value << 8) | span.data[i];
	return value;
}

uint8_t
tl_get_u8(TlReader *reader)
{
	return (uint8_t) get_unsigned(reader, 1);
}

uint16_t
tl_get_u16(TlReader *reader)
{
	return (uint16_t) get_unsigned(reader, 2);
}

uint32_t
tl_get_u32(TlReader *reader)
{
	return (uint32_t) get_unsigned(reader, 4);
}

uint64_t
tl_get_u64(TlReader *reader)
{
	return get_unsigned(reader, 8);
}

int64_t
tl_get_i64(TlReader *reader)
{
	return (int64_t) get_unsigned(reader, 8);
}

void
tl_get_hash(TlReader *reader, TlHash *hash)
{
	tl_get_bytes(reader, hash->bytes, TL_HASH_SIZE);
}

void
tl_get_ref(TlReader *reader, TlRef *ref)
{
	uint64_t	middle;

	ref->member = tl_get_u32(reader);
	middle = tl_get_u64(reader);
	ref->incarnation = (uint16_t) (middle >> 48);
	ref->transaction = middle & ((UINT64_C(1) << 48) - 1);
	ref->row = tl_get_u32(reader);
}
