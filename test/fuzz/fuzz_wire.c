/*-------------------------------------------------------------------------
 *
 * fuzz_wire.c
 *	  The wire reader and writer: a program of reads over arbitrary bytes.
 *
 * Input: one byte n, n bytes of program, the rest is the message.  Each byte
 * of the program reads one thing.  A second reader, written here in the most
 * obvious way, does the same; value, place and truncation must agree.  What
 * was read is written again and must give back the bytes that were read.
 *
 *-------------------------------------------------------------------------
 */
#include "tl_wire.h"

#include <stdlib.h>
#include <string.h>

extern int	LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* The obvious reader. */
typedef struct Plain
{
	const uint8_t *data;
	size_t		size;
	size_t		offset;
	bool		over;
} Plain;

static void
require(bool condition)
{
	if (!condition)
		abort();
}

static uint64_t
plain_number(Plain *plain, size_t size)
{
	uint64_t	value = 0;

	if (plain->over || plain->offset + size > plain->size)
	{
		plain->over = true;
		return 0;
	}
	for (size_t i = 0; i < size; i++)
		value = value * 256 + plain->data[plain->offset++];
	return value;
}

static void
read_ref(TlReader *reader, Plain *plain, TlWriter *writer)
{
	TlRef		ref;
	uint64_t	middle;

	tl_get_ref(reader, &ref);
	/* The whole of it, or nothing. */
	if (plain->over || plain->size - plain->offset < TL_REF_SIZE)
	{
		plain->over = true;
		require(ref.member == 0 && ref.incarnation == 0 &&
				ref.transaction == 0 && ref.row == 0);
		return;
	}
	require(ref.member == plain_number(plain, 4));
	middle = plain_number(plain, 8);
	require(ref.incarnation == middle / (UINT64_C(1) << 48));
	require(ref.transaction == middle % (UINT64_C(1) << 48));
	require(ref.row == plain_number(plain, 4));
	tl_put_ref(writer, &ref);
}

static void
read_span(TlReader *reader, Plain *plain, TlWriter *writer, size_t size)
{
	TlSpan		span = tl_get_span(reader, size);

	if (plain->over || size > plain->size - plain->offset)
	{
		plain->over = true;
		require(span.data == NULL && span.size == 0);
		return;
	}
	require(span.size == size);
	require(span.data == plain->data + plain->offset);
	plain->offset += size;
	tl_put_bytes(writer, span.data, span.size);
}

static void
read_hash(TlReader *reader, Plain *plain, TlWriter *writer)
{
	static const TlHash zero;
	TlHash		hash;

	memset(&hash, 0xff, sizeof(hash));
	tl_get_hash(reader, &hash);
	if (plain->over || plain->size - plain->offset < TL_HASH_SIZE)
	{
		plain->over = true;
		require(memcmp(&hash, &zero, sizeof(hash)) == 0);
		return;
	}
	require(memcmp(&hash, plain->data + plain->offset, sizeof(hash)) == 0);
	plain->offset += TL_HASH_SIZE;
	tl_put_hash(writer, &hash);
}

/* Low three bits: what to read; the others: how much. */
static void
step(TlReader *reader, Plain *plain, TlWriter *writer, uint8_t operation)
{
	uint64_t	value;

	switch (operation & 7)
	{
		case 0:
			value = tl_get_u8(reader);
			require(value == plain_number(plain, 1));
			if (!plain->over)
				tl_put_u8(writer, (uint8_t) value);
			break;
		case 1:
			value = tl_get_u16(reader);
			require(value == plain_number(plain, 2));
			if (!plain->over)
				tl_put_u16(writer, (uint16_t) value);
			break;
		case 2:
			value = tl_get_u32(reader);
			require(value == plain_number(plain, 4));
			if (!plain->over)
				tl_put_u32(writer, (uint32_t) value);
			break;
		case 3:
			value = tl_get_u64(reader);
			require(value == plain_number(plain, 8));
			if (!plain->over)
				tl_put_u64(writer, value);
			break;
		case 4:
			value = (uint64_t) tl_get_i64(reader);
			require(value == plain_number(plain, 8));
			if (!plain->over)
				tl_put_i64(writer, (int64_t) value);
			break;
		case 5:
			read_ref(reader, plain, writer);
			break;
		case 6:
			read_hash(reader, plain, writer);
			break;
		case 7:
			/* The largest: a size that no message has. */
			read_span(reader, plain, writer,
					  operation == 0xff ? SIZE_MAX : operation >> 3);
			break;
	}
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const uint8_t *program = data + 1;
	size_t		program_size;
	TlReader	reader;
	Plain		plain = {NULL, 0, 0, false};
	TlWriter	writer;
	TlWriter	counter;
	uint8_t    *copy;

	if (size == 0)
		return 0;
	program_size = data[0] < size - 1 ? data[0] : size - 1;
	plain.data = program + program_size;
	plain.size = size - 1 - program_size;
	copy = malloc(plain.size + 1);
	tl_reader_init(&reader, plain.data, plain.size);
	tl_writer_init(&writer, copy, plain.size);
	tl_writer_init(&counter, NULL, 0);
	for (size_t i = 0; i < program_size; i++)
	{
		size_t		before = plain.offset;

		step(&reader, &plain, &writer, program[i]);
		require(reader.truncated == plain.over);
		if (!plain.over)
		{
			require(reader.offset == plain.offset);
			require(tl_reader_left(&reader) == plain.size - plain.offset);
			tl_put_bytes(&counter, plain.data + before, plain.offset - before);
		}
	}
	require(tl_reader_finish(&reader) ==
			(plain.over ? TL_TRUNCATED :
			 plain.offset < plain.size ? TL_TRAILING_BYTES : TL_OK));
	require(tl_writer_finish(&writer) == TL_OK);
	require(tl_writer_finish(&counter) == TL_OK);
	if (!plain.over)
	{
		require(writer.size == plain.offset && counter.size == plain.offset);
		require(memcmp(copy, plain.data, writer.size) == 0);
	}
	free(copy);
	return 0;
}
