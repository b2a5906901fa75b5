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

/* Written so that a compiler makes one instruction of each. */
static inline void
store_u32(uint8_t *bytes, uint32_t value)
{
	bytes[0] = (uint8_t) (value >> 24);
	bytes[1] = (uint8_t) (value >> 16);
	bytes[2] = (uint8_t) (value >> 8);
	bytes[3] = (uint8_t) value;
}

static inline void
store_u64(uint8_t *bytes, uint64_t value)
{
	store_u32(bytes, (uint32_t) (value >> 32));
	store_u32(bytes + 4, (uint32_t) value);
}

static inline uint32_t
load_u32(const uint8_t *bytes)
{
	return (uint32_t) bytes[0] << 24 | (uint32_t) bytes[1] << 16 |
		(uint32_t) bytes[2] << 8 | (uint32_t) bytes[3];
}

static inline uint64_t
load_u64(const uint8_t *bytes)
{
	return (uint64_t) load_u32(bytes) << 32 | load_u32(bytes + 4);
}

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

	store_u32(bytes, value);
	tl_put_bytes(writer, bytes, sizeof(bytes));
}

void
tl_put_u64(TlWriter *writer, uint64_t value)
{
	uint8_t		bytes[8];

	store_u64(bytes, value);
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
	uint8_t		bytes[TL_REF_SIZE];

	store_u32(bytes, ref->member);
	store_u64(bytes + 4, ((uint64_t) ref->incarnation << 48) | ref->transaction);
	store_u32(bytes + 12, ref->row);
	tl_put_bytes(writer, bytes, sizeof(bytes));
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
	static const uint8_t none[TL_REF_SIZE] = {0};
	TlSpan		span = tl_get_span(reader, TL_REF_SIZE);
	const uint8_t *bytes = span.data != NULL ? span.data : none;
	uint64_t	middle = load_u64(bytes + 4);

	ref->member = load_u32(bytes);
	ref->incarnation = (uint16_t) (middle >> 48);
	ref->transaction = middle & ((UINT64_C(1) << 48) - 1);
	ref->row = load_u32(bytes + 12);
}
