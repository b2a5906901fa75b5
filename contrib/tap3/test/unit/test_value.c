/*
 * test_value.c
 *	  Primitive values, both ways.
 */
#include "check.h"
#include "tap3_value.h"

static const char *
text_of(Tap3Kind kind, const char *hex, size_t capacity, Tap3ValueCheck *check)
{
	static char out[64];
	size_t		size;
	unsigned char *bytes = from_hex(hex, &size);

	*check = tap3_value_text(out, capacity, kind, bytes, size);
	free(bytes);
	return out;
}

static void
test_texts(void)
{
	Tap3ValueCheck check;

	CHECK(strcmp(text_of(TAP3_KIND_BCD, "13 37 13 37 13 37 13 3f", 17, &check), "133713371337133") == 0);
	CHECK(check == TAP3_VALUE_OK);
	CHECK(strcmp(text_of(TAP3_KIND_BCD, "ab cd e0", 17, &check), "abcde0") == 0);
	(void) text_of(TAP3_KIND_BCD, "1f 23", 17, &check);
	CHECK(check == TAP3_VALUE_SYNTAX);
	(void) text_of(TAP3_KIND_BCD, "12 f3", 17, &check);
	CHECK(check == TAP3_VALUE_SYNTAX);
	(void) text_of(TAP3_KIND_BCD, "12 34 56", 5, &check);
	CHECK(check == TAP3_VALUE_RANGE);
	(void) text_of(TAP3_KIND_BCD, "", 5, &check);
	CHECK(check == TAP3_VALUE_EMPTY);
	CHECK(strcmp(text_of(TAP3_KIND_ASCII, "20 41 42 20 43 20 20", 10, &check), "AB C") == 0);
	(void) text_of(TAP3_KIND_ASCII, "20 20", 10, &check);
	CHECK(check == TAP3_VALUE_EMPTY);
	(void) text_of(TAP3_KIND_ASCII, "41 00 42", 10, &check);
	CHECK(check == TAP3_VALUE_SYNTAX);
	(void) text_of(TAP3_KIND_ASCII, "41 c3 a4", 10, &check);
	CHECK(check == TAP3_VALUE_SYNTAX);
	(void) text_of(TAP3_KIND_ASCII, "41 42 43", 3, &check);
	CHECK(check == TAP3_VALUE_RANGE);
	(void) text_of(TAP3_KIND_DIGITS, "30 3a", 10, &check);
	CHECK(check == TAP3_VALUE_SYNTAX);
	(void) text_of(TAP3_KIND_HEX, "30 47", 10, &check);
	CHECK(check == TAP3_VALUE_SYNTAX);
	CHECK(strcmp(text_of(TAP3_KIND_OFFSET, "2b 30 32 30 30", 6, &check), "+0200") == 0);
	(void) text_of(TAP3_KIND_OFFSET, "30 2b 30 32 30", 6, &check);
	CHECK(check == TAP3_VALUE_SYNTAX);
}

static void
test_integers(void)
{
	static const int64_t values[] = {0, 1, -1, 127, 128, -128, -129, 255, 256, 32767, 32768, -32768,
		-32769, 8388607, 8388608, INT32_MAX, INT32_MIN, INT64_C(2200000000),
		INT64_C(0x7fffffffffff), INT64_C(0x800000000000), INT64_MAX, INT64_MIN};
	static const size_t sizes[] = {1, 1, 1, 1, 2, 1, 2, 2, 2, 2, 3, 2, 3, 3, 4, 4, 4, 5, 6, 7, 8, 8};
	int64_t		value;
	uint8_t		octets[8];

	for (size_t i = 0; i < sizeof(values) / sizeof(values[0]); i++)
	{
		size_t		size = tap3_value_put_integer(octets, values[i]);

		CHECK(size == sizes[i]);
		CHECK(tap3_value_integer(&value, octets, size) == TAP3_VALUE_OK && value == values[i]);
	}
	CHECK(tap3_value_integer(&value, octets, 0) == TAP3_VALUE_EMPTY);
	CHECK(tap3_value_integer(&value, (const uint8_t *) "\0\0\0\0\0\0\0\0\0\x7f", 10) == TAP3_VALUE_OK &&
		  value == 127);
	CHECK(tap3_value_integer(&value, (const uint8_t *) "\0\x80\0\0\0\0\0\0\0", 9) == TAP3_VALUE_RANGE);
	CHECK(tap3_value_integer(&value, (const uint8_t *) "\xff\x7f\0\0\0\0\0\0\0", 9) == TAP3_VALUE_RANGE);
	CHECK(tap3_value_integer(&value, (const uint8_t *) "\x01\0\0\0\0\0\0\0\0", 9) == TAP3_VALUE_RANGE);
}

static void
test_times(void)
{
	static const struct
	{
		const char *local;
		const char *offset;
		int64_t		seconds;
	}			times[] = {
		{"19700101000000", "+0000", 0},
		{"19700101000000", "+0100", -3600},
		{"20140301140342", "+0200", INT64_C(1393675422)},
		{"20000229235959", "-0500", INT64_C(951886799)},
		{"00010101000000", "+0000", INT64_C(-62135596800)},
		{"99991231235959", "+0000", INT64_C(253402300799)},
	};
	char		local[15];
	int64_t		seconds;
	int			offset;

	for (size_t i = 0; i < sizeof(times) / sizeof(times[0]); i++)
	{
		CHECK(tap3_value_time(&seconds, times[i].local, times[i].offset));
		CHECK(seconds == times[i].seconds);
		tap3_value_put_time(local, seconds, times[i].offset);
		CHECK(strcmp(local, times[i].local) == 0);
	}
	/* every day of 400 years, so that the calendar's whole cycle is seen */
	for (int64_t day = -135140; day < 11017; day++)
	{
		tap3_value_put_time(local, day * 86400 + 86399, "+0000");
		if (!tap3_value_time(&seconds, local, "+0000") || seconds != day * 86400 + 86399)
			CHECK(!"calendar");
	}
	CHECK(!tap3_value_time(&seconds, "20140230000000", "+0000"));
	CHECK(!tap3_value_time(&seconds, "20141301000000", "+0000"));
	CHECK(!tap3_value_time(&seconds, "20140101240000", "+0000"));
	CHECK(!tap3_value_time(&seconds, "20140101006000", "+0000"));
	CHECK(!tap3_value_time(&seconds, "20140101000060", "+0000"));
	CHECK(!tap3_value_time(&seconds, "19000229000000", "+0000"));
	CHECK(!tap3_value_time(&seconds, "2014010100000", "+0000"));
	CHECK(!tap3_value_time(&seconds, "20140101000000", "0200"));
	CHECK(!tap3_value_offset(&offset, "+1500") && !tap3_value_offset(&offset, "+0060"));
	CHECK(tap3_value_offset(&offset, "-0330") && offset == -12600);
}

static void
test_amounts(void)
{
	char		out[TAP3_AMOUNT_TEXT_MAX];
	uint8_t		octets[8];
	int64_t		amount;

	CHECK(tap3_value_parse_amount(&amount, "2.300", 3) == TAP3_VALUE_OK && amount == 2300);
	CHECK(tap3_value_parse_amount(&amount, "-0.05", 2) == TAP3_VALUE_OK && amount == -5);
	CHECK(tap3_value_parse_amount(&amount, "7", 5) == TAP3_VALUE_OK && amount == 700000);
	CHECK(tap3_value_parse_amount(&amount, "1.2500", 2) == TAP3_VALUE_OK && amount == 125);
	CHECK(tap3_value_parse_amount(&amount, "1.255", 2) == TAP3_VALUE_RANGE);
	CHECK(tap3_value_parse_amount(&amount, "NaN", 2) == TAP3_VALUE_SYNTAX);
	CHECK(tap3_value_parse_amount(&amount, "-9223372036854775808", 0) == TAP3_VALUE_OK &&
		  amount == INT64_MIN);
	CHECK(tap3_value_parse_amount(&amount, "9223372036854775808", 0) == TAP3_VALUE_RANGE);
	CHECK(tap3_value_parse_amount(&amount, "9223372036854775807", 1) == TAP3_VALUE_RANGE);
	CHECK(tap3_value_parse_amount(&amount, "-", 1) == TAP3_VALUE_EMPTY);
	CHECK(strcmp(tap3_value_amount(out, 2300, 3), "2.300") == 0);
	CHECK(strcmp(tap3_value_amount(out, 12, 3), "0.012") == 0);
	CHECK(strcmp(tap3_value_amount(out, 0, 0), "0") == 0);
	CHECK(strcmp(tap3_value_amount(out, -5, 2), "-0.05") == 0);
	CHECK(strcmp(tap3_value_amount(out, INT64_MIN, 9), "-9223372036.854775808") == 0);
	CHECK(tap3_value_put_bcd(octets, sizeof(octets), "123") == 2 && octets[0] == 0x12 && octets[1] == 0x3f);
	CHECK(tap3_value_put_bcd(octets, sizeof(octets), "12x") == 0);
	CHECK(tap3_value_put_bcd(octets, 1, "123") == 0);
}

int
main(void)
{
	test_texts();
	test_integers();
	test_times();
	test_amounts();
	return finish("test_value");
}
