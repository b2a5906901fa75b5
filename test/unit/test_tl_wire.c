/*-------------------------------------------------------------------------
 *
 * test_tl_wire.c
 *	  The wire reader and writer: bytes, bounds, and that they are inverse.
 *
 *-------------------------------------------------------------------------
 */
#include "tl_wire.h"

#include "unit.h"

#include <stdlib.h>
#include <string.h>

#define KINDS		8
#define STEPS_MAX	12

/* One field of a random message, and its bytes written out by hand. */
typedef struct Step
{
	int			kind;
	uint64_t	number;
	TlHash		hash;
	TlRef		ref;
	size_t		size;			/* of the field in bytes */
} Step;

static void
numbers_are_big_endian(void)
{
	static const uint8_t expected[] = {
		0x01,
		0x02, 0x03,
		0x04, 0x05, 0x06, 0x07,
		0x08, 0x09, 0x0a, 0x0b, 0x0c, 0x0d, 0x0e, 0x0f,
		0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xfe
	};
	uint8_t		bytes[sizeof(expected)];
	TlWriter	writer;
	TlReader	reader;

	tl_writer_init(&writer, bytes, sizeof(bytes));
	tl_put_u8(&writer, 0x01);
	tl_put_u16(&writer, 0x0203);
	tl_put_u32(&writer, 0x04050607);
	tl_put_u64(&writer, UINT64_C(0x08090a0b0c0d0e0f));
	tl_put_i64(&writer, -2);
	UNIT_CHECK(tl_writer_finish(&writer) == TL_OK);
	UNIT_CHECK(writer.size == sizeof(expected));
	UNIT_CHECK(memcmp(bytes, expected, sizeof(expected)) == 0);

	tl_reader_init(&reader, expected, sizeof(expected));
	UNIT_CHECK(tl_get_u8(&reader) == 0x01);
	UNIT_CHECK(tl_get_u16(&reader) == 0x0203);
	UNIT_CHECK(tl_get_u32(&reader) == 0x04050607);
	UNIT_CHECK(tl_get_u64(&reader) == UINT64_C(0x08090a0b0c0d0e0f));
	UNIT_CHECK(tl_reader_finish(&reader) == TL_TRAILING_BYTES);
	UNIT_CHECK(tl_get_i64(&reader) == -2);
	UNIT_CHECK(tl_reader_finish(&reader) == TL_OK);
}

/* The table in table_ref.c: 4 member, 2 incarnation, 6 transaction, 4 row. */
static void
ref_has_its_layout(void)
{
	static const uint8_t expected[TL_REF_SIZE] = {
		0x00, 0x00, 0x00, 0x03,
		0x00, 0x01,
		0x01, 0x02, 0x03, 0x04, 0x05, 0x06,
		0xff, 0xff, 0xff, 0xff
	};
	TlRef		ref = {3, 1, UINT64_C(0x010203040506), UINT32_MAX};
	TlRef		back;
	uint8_t		bytes[TL_REF_SIZE];
	TlWriter	writer;
	TlReader	reader;

	tl_writer_init(&writer, bytes, sizeof(bytes));
	tl_put_ref(&writer, &ref);
	UNIT_CHECK(tl_writer_finish(&writer) == TL_OK);
	UNIT_CHECK(memcmp(bytes, expected, sizeof(bytes)) == 0);
	tl_reader_init(&reader, bytes, sizeof(bytes));
	tl_get_ref(&reader, &back);
	UNIT_CHECK(tl_reader_finish(&reader) == TL_OK);
	UNIT_CHECK(back.member == 3 && back.incarnation == 1 &&
			   back.transaction == UINT64_C(0x010203040506) &&
			   back.row == UINT32_MAX);
}

/* Bytewise order of packed refs is the order of their four numbers. */
static void
ref_order_is_byte_order(void)
{
	for (int i = 0; i < 5000; i++)
	{
		TlRef		ref[2];
		uint8_t		bytes[2][TL_REF_SIZE];
		int			order = 0;
		int			byte_order;

		for (int j = 0; j < 2; j++)
		{
			TlWriter	writer;

			/* Few values each, so that equal numbers happen. */
			ref[j].member = (uint32_t) (unit_random() % 3 * 0x7fffffff);
			ref[j].incarnation = (uint16_t) (unit_random() % 3 * 0x7fff);
			ref[j].transaction = unit_random() % 3 * UINT64_C(0x7fffffffffff);
			ref[j].row = (uint32_t) (unit_random() % 3 * 0x7fffffff);
			tl_writer_init(&writer, bytes[j], TL_REF_SIZE);
			tl_put_ref(&writer, &ref[j]);
		}
		if (ref[0].member != ref[1].member)
			order = ref[0].member < ref[1].member ? -1 : 1;
		else if (ref[0].incarnation != ref[1].incarnation)
			order = ref[0].incarnation < ref[1].incarnation ? -1 : 1;
		else if (ref[0].transaction != ref[1].transaction)
			order = ref[0].transaction < ref[1].transaction ? -1 : 1;
		else if (ref[0].row != ref[1].row)
			order = ref[0].row < ref[1].row ? -1 : 1;
		byte_order = memcmp(bytes[0], bytes[1], TL_REF_SIZE);
		unit_context("pair %d", i);
		UNIT_CHECK((byte_order > 0) - (byte_order < 0) == order);
	}
}

static void
put_step(TlWriter *writer, const Step *step)
{
	switch (step->kind)
	{
		case 0:
			tl_put_u8(writer, (uint8_t) step->number);
			break;
		case 1:
			tl_put_u16(writer, (uint16_t) step->number);
			break;
		case 2:
			tl_put_u32(writer, (uint32_t) step->number);
			break;
		case 3:
			tl_put_u64(writer, step->number);
			break;
		case 4:
			tl_put_i64(writer, (int64_t) step->number);
			break;
		case 5:
			tl_put_ref(writer, &step->ref);
			break;
		case 6:
			tl_put_hash(writer, &step->hash);
			break;
		default:
			tl_put_bytes(writer, step->hash.bytes, step->size);
			break;
	}
}

/* Did the reader give what was put? */
static bool
get_step(TlReader *reader, const Step *step)
{
	TlRef		ref;
	TlHash		hash;
	TlSpan		span;

	switch (step->kind)
	{
		case 0:
			return tl_get_u8(reader) == (uint8_t) step->number;
		case 1:
			return tl_get_u16(reader) == (uint16_t) step->number;
		case 2:
			return tl_get_u32(reader) == (uint32_t) step->number;
		case 3:
			return tl_get_u64(reader) == step->number;
		case 4:
			return tl_get_i64(reader) == (int64_t) step->number;
		case 5:
			tl_get_ref(reader, &ref);
			return ref.member == step->ref.member &&
				ref.incarnation == step->ref.incarnation &&
				ref.transaction == step->ref.transaction &&
				ref.row == step->ref.row;
		case 6:
			tl_get_hash(reader, &hash);
			return memcmp(&hash, &step->hash, sizeof(hash)) == 0;
		default:
			span = tl_get_span(reader, step->size);
			return span.size == step->size &&
				(span.size == 0 ||
				 memcmp(span.data, step->hash.bytes, span.size) == 0);
	}
}

/* The bytes of a number, by arithmetic only; returns how many. */
static size_t
reference_number(uint8_t *out, uint64_t number, size_t size)
{
	for (size_t i = size; i > 0; i--)
	{
		out[i - 1] = (uint8_t) (number % 256);
		number /= 256;
	}
	return size;
}

static size_t
reference_step(uint8_t *out, const Step *step)
{
	static const size_t sizes[] = {1, 2, 4, 8, 8};
	size_t		size = 0;

	if (step->kind < 5)
		return reference_number(out, step->number, sizes[step->kind]);
	if (step->kind == 5)
	{
		size += reference_number(out + size, step->ref.member, 4);
		size += reference_number(out + size, step->ref.incarnation, 2);
		size += reference_number(out + size, step->ref.transaction, 6);
		size += reference_number(out + size, step->ref.row, 4);
		return size;
	}
	memcpy(out, step->hash.bytes, step->size);
	return step->size;
}

static void
random_step(Step *step)
{
	step->kind = (int) (unit_random() % KINDS);
	step->number = unit_random();
	unit_random_bytes(&step->hash, sizeof(step->hash));
	step->ref.member = (uint32_t) unit_random();
	step->ref.incarnation = (uint16_t) unit_random();
	step->ref.transaction = unit_random() >> 16;
	step->ref.row = (uint32_t) unit_random();
	step->size = TL_HASH_SIZE;
	if (step->kind == 7)
		step->size = unit_random() % (TL_HASH_SIZE + 1);
}

/*
 * Random messages: the writer agrees with arithmetic, the reader with the
 * writer, the counting writer with both, and no capacity is ever exceeded.
 * The buffers are allocated to the byte, so that the sanitizer sees a step
 * beyond.
 */
static void
random_messages(void)
{
	for (int round = 0; round < 2000; round++)
	{
		Step		steps[STEPS_MAX];
		size_t		count = unit_random() % (STEPS_MAX + 1);
		uint8_t		expected[STEPS_MAX * TL_HASH_SIZE];
		size_t		size = 0;
		TlWriter	writer;
		TlReader	reader;
		uint8_t    *bytes;

		unit_context("round %d", round);
		for (size_t i = 0; i < count; i++)
		{
			random_step(&steps[i]);
			steps[i].size = reference_step(expected + size, &steps[i]);
			size += steps[i].size;
		}

		tl_writer_init(&writer, NULL, 0);
		for (size_t i = 0; i < count; i++)
			put_step(&writer, &steps[i]);
		UNIT_CHECK(writer.size == size && tl_writer_finish(&writer) == TL_OK);

		for (size_t capacity = 0; capacity <= size + 1; capacity += 1 + capacity / 4)
		{
			bytes = malloc(capacity > 0 ? capacity : 1);
			tl_writer_init(&writer, bytes, capacity);
			for (size_t i = 0; i < count; i++)
				put_step(&writer, &steps[i]);
			UNIT_CHECK(writer.size == size);
			UNIT_CHECK(tl_writer_finish(&writer) ==
					   (size <= capacity ? TL_OK : TL_TOO_LARGE));
			if (size <= capacity)
				UNIT_CHECK(memcmp(bytes, expected, size) == 0);
			free(bytes);
		}

		/* Cut at every place: what is there is read, the rest is not. */
		for (size_t cut = 0; cut <= size; cut++)
		{
			size_t		end = 0;

			bytes = malloc(cut > 0 ? cut : 1);
			memcpy(bytes, expected, cut);
			tl_reader_init(&reader, bytes, cut);
			for (size_t i = 0; i < count; i++)
			{
				bool		same = get_step(&reader, &steps[i]);

				end += steps[i].size;
				if (end <= cut)
					UNIT_CHECK(same);
				else
					UNIT_CHECK(reader.truncated);
			}
			UNIT_CHECK(tl_reader_finish(&reader) ==
					   (cut < size ? TL_TRUNCATED : TL_OK));
			free(bytes);
		}
	}
}

/* After the first overrun everything is zero, even what would still fit. */
static void
truncation_is_sticky(void)
{
	static const TlHash zero;
	uint8_t		bytes[40];
	TlReader	reader;
	TlHash		hash;
	TlRef		ref;
	TlSpan		span;

	memset(bytes, 0xff, sizeof(bytes));
	tl_reader_init(&reader, bytes, sizeof(bytes));
	UNIT_CHECK(tl_get_u64(&reader) == UINT64_MAX);
	span = tl_get_span(&reader, sizeof(bytes));
	UNIT_CHECK(span.data == NULL && span.size == 0);
	UNIT_CHECK(tl_reader_left(&reader) == 32);
	UNIT_CHECK(tl_get_u8(&reader) == 0 && tl_get_u16(&reader) == 0);
	UNIT_CHECK(tl_get_u32(&reader) == 0 && tl_get_u64(&reader) == 0);
	UNIT_CHECK(tl_get_i64(&reader) == 0);
	memset(&hash, 0xff, sizeof(hash));
	tl_get_hash(&reader, &hash);
	UNIT_CHECK(memcmp(&hash, &zero, sizeof(hash)) == 0);
	memset(&ref, 0xff, sizeof(ref));
	tl_get_ref(&reader, &ref);
	UNIT_CHECK(ref.member == 0 && ref.incarnation == 0);
	UNIT_CHECK(ref.transaction == 0 && ref.row == 0);
	span = tl_get_span(&reader, 0);
	UNIT_CHECK(span.data == NULL && span.size == 0);
	UNIT_CHECK(tl_reader_finish(&reader) == TL_TRUNCATED);
}

/* Sizes near the end of the address space do not wrap. */
static void
enormous_sizes(void)
{
	uint8_t		bytes[8] = {1, 2, 3, 4, 5, 6, 7, 8};
	TlReader	reader;
	TlWriter	writer;
	TlSpan		span;

	for (size_t back = 0; back < 16; back++)
	{
		unit_context("SIZE_MAX - %zu", back);
		tl_reader_init(&reader, bytes, sizeof(bytes));
		tl_get_u8(&reader);
		span = tl_get_span(&reader, SIZE_MAX - back);
		UNIT_CHECK(span.data == NULL && reader.truncated);
		UNIT_CHECK(tl_reader_finish(&reader) == TL_TRUNCATED);
	}
	tl_writer_init(&writer, NULL, 100);
	tl_put_bytes(&writer, bytes, sizeof(bytes));
	UNIT_CHECK(writer.size == sizeof(bytes));
	UNIT_CHECK(tl_writer_finish(&writer) == TL_OK);
}

/* What did not fit leaves a gap, but nothing is stored behind the capacity. */
static void
writer_stops_at_its_capacity(void)
{
	uint8_t		bytes[8];
	TlWriter	writer;

	memset(bytes, 0xee, sizeof(bytes));
	tl_writer_init(&writer, bytes, 4);
	tl_put_u16(&writer, 0x0102);
	tl_put_u32(&writer, 0x03040506);
	tl_put_u8(&writer, 0x07);
	UNIT_CHECK(writer.size == 7);
	UNIT_CHECK(tl_writer_finish(&writer) == TL_TOO_LARGE);
	UNIT_CHECK(bytes[0] == 1 && bytes[1] == 2);
	for (size_t i = 2; i < sizeof(bytes); i++)
		UNIT_CHECK(bytes[i] == 0xee);
}

UNIT_MAIN(UNIT_CASE(numbers_are_big_endian),
		  UNIT_CASE(ref_has_its_layout),
		  UNIT_CASE(ref_order_is_byte_order),
		  UNIT_CASE(random_messages),
		  UNIT_CASE(truncation_is_sticky),
		  UNIT_CASE(enormous_sizes),
		  UNIT_CASE(writer_stops_at_its_capacity))
