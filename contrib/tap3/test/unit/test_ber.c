/*
 * test_ber.c
 *	  The BER cursor: each form it must read, and each it must refuse.
 */
#include "check.h"
#include "tap3_ber.h"

/* Walk over everything; what came out, and where it stopped. */
static Tap3Status
walk(const char *hex, size_t *offset)
{
	size_t		size;
	unsigned char *bytes = from_hex(hex, &size);
	Tap3Cursor	cursor;
	Tap3Element element;
	Tap3Status	status = tap3_ber_open(&cursor, bytes, size);

	while (status == TAP3_OK)
	{
		status = tap3_ber_next(&cursor, &element);
		if (status == TAP3_OK)
			status = tap3_ber_skip(&cursor, &element);
	}
	*offset = cursor.error.offset;
	free(bytes);
	return status;
}

static Tap3Status
verdict(const char *hex)
{
	size_t		offset;

	return walk(hex, &offset);
}

static void
test_forms(void)
{
	size_t		size;
	unsigned char *bytes = from_hex("5f 81 44 05 57 45 52 46 44 6f 80 41 01 07 00 00", &size);
	Tap3Cursor	cursor;
	Tap3Element element;

	CHECK(tap3_ber_open(&cursor, bytes, size) == TAP3_OK);
	CHECK(tap3_ber_next(&cursor, &element) == TAP3_OK);
	CHECK(element.tag == 196 && element.tag_class == TAP3_CLASS_APPLICATION);
	CHECK(!element.constructed && element.size == 5 && memcmp(element.content, "WERFD", 5) == 0);
	CHECK(tap3_ber_next(&cursor, &element) == TAP3_OK);
	CHECK(element.tag == 15 && element.constructed && element.indefinite);
	CHECK(tap3_ber_enter(&cursor, &element) == TAP3_OK);
	CHECK(tap3_ber_next(&cursor, &element) == TAP3_OK);
	CHECK(element.tag == 1 && element.content[0] == 7);
	CHECK(tap3_ber_next(&cursor, &element) == TAP3_END);
	CHECK(cursor.depth == 0 && cursor.position == size);
	CHECK(tap3_ber_next(&cursor, &element) == TAP3_END);
	free(bytes);

	CHECK(verdict("") == TAP3_END);
	CHECK(verdict("61 00") == TAP3_END);
	CHECK(verdict("61 80 00 00") == TAP3_END);
	CHECK(verdict("61 06 62 80 41 00 00 00") == TAP3_END);	/* indefinite in definite */
	CHECK(verdict("61 80 62 02 41 00 00 00") == TAP3_END);	/* definite in indefinite */
	CHECK(verdict("61 84 00 00 00 02 41 00") == TAP3_END);	/* a longer length than needed */
	CHECK(verdict("61 86 00 00 00 00 00 02 41 00") == TAP3_END);
}

static void
test_refusals(void)
{
	size_t		offset;

	/* lengths */
	CHECK(verdict("41 05 00") == TAP3_TRUNCATED);
	CHECK(verdict("61 04 41 05 00 00") == TAP3_TRUNCATED);
	CHECK(verdict("61 03 41 05 00 41 01 00") == TAP3_OVERRUN);
	CHECK(walk("61 05 41 00 62 01 41 41 01 00", &offset) == TAP3_OVERRUN && offset == 6);
	CHECK(verdict("41 84 ff ff ff ff 00") == TAP3_BAD_LENGTH);	/* 4 GB announced */
	CHECK(verdict("61 84 ff ff ff ff 00") == TAP3_BAD_LENGTH);
	CHECK(verdict("61 84 3f ff ff ff 00") == TAP3_TRUNCATED);
	CHECK(verdict("41 85 01 00 00 00 02 00 00") == TAP3_BAD_LENGTH);
	CHECK(verdict("41 88 ff ff ff ff ff ff ff ff 00") == TAP3_BAD_LENGTH);
	CHECK(verdict("41 84 00 00") == TAP3_TRUNCATED);
	CHECK(verdict("61 03 41 82 00 41 01 00") == TAP3_OVERRUN);
	CHECK(verdict("41 ff 00") == TAP3_TRUNCATED);	/* 127 octets of length */
	CHECK(verdict("41 80 00 00") == TAP3_BAD_LENGTH);	/* primitive and indefinite */
	CHECK(verdict("41") == TAP3_TRUNCATED);
	CHECK(verdict("61 01 41 41 00") == TAP3_OVERRUN);

	/* tags */
	CHECK(verdict("5f") == TAP3_TRUNCATED);
	CHECK(verdict("5f 81") == TAP3_TRUNCATED);
	CHECK(verdict("61 02 5f 81 41 00") == TAP3_OVERRUN);
	CHECK(verdict("5f 80 01 00") == TAP3_BAD_TAG);
	CHECK(verdict("5f ff ff ff ff 7f 00") == TAP3_BAD_TAG);
	CHECK(verdict("5f 81 ff ff 7f 00") == TAP3_BAD_TAG);	/* above TAP3_TAG_MAX */

	/* ends of contents */
	CHECK(verdict("61 80 41 00") == TAP3_NO_CONTENTS_END);
	CHECK(verdict("61 80 00") == TAP3_STRAY_END);
	CHECK(verdict("00 00") == TAP3_STRAY_END);
	CHECK(verdict("61 02 00 00") == TAP3_STRAY_END);
	CHECK(verdict("61 80 00 01 00 00") == TAP3_STRAY_END);
	CHECK(verdict("61 04 62 80 41 00 00 00") == TAP3_NO_CONTENTS_END);	/* its end lies outside */
}

/* However deep, the answer comes at the limit. */
static void
test_depth(void)
{
	static unsigned char bomb[4096];
	Tap3Cursor	cursor;
	Tap3Element element;
	Tap3Status	status;

	for (size_t i = 0; i < sizeof(bomb); i += 2)
	{
		bomb[i] = 0x61;
		bomb[i + 1] = 0x80;
	}
	CHECK(tap3_ber_open(&cursor, bomb, sizeof(bomb)) == TAP3_OK);
	CHECK(tap3_ber_next(&cursor, &element) == TAP3_OK);
	status = tap3_ber_skip(&cursor, &element);
	CHECK(status == TAP3_TOO_DEEP);
	CHECK(cursor.error.offset == 2 * TAP3_DEPTH_MAX);
	CHECK(cursor.error.path_count == TAP3_DEPTH_MAX + 1);
	CHECK(tap3_ber_open(&cursor, bomb, TAP3_FILE_SIZE_MAX + 1) == TAP3_TOO_LARGE);
}

int
main(void)
{
	test_forms();
	test_refusals();
	test_depth();
	return finish("test_ber");
}
