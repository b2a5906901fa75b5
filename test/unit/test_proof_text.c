/*-------------------------------------------------------------------------
 *
 * test_proof_text.c
 *	  Values as text: one of each type, the edges, and bytes that are none.
 *
 *-------------------------------------------------------------------------
 */
#include "proof_text.h"

#include "crypto_hash.h"
#include "unit.h"

#include <stdio.h>
#include <string.h>

#define INFINITE_I64	"\x7f\xff\xff\xff\xff\xff\xff\xff"
#define LEAST_I64		"\x80\0\0\0\0\0\0\0"

/* Does the value come out as this text, both written and compared? */
static bool
shows(uint32_t tag, const void *data, size_t size, const char *wanted)
{
	TlRowColumn column = {1, TL_COLUMN_PLAIN, tag, {data, size}};
	TlSpan		claim = {(const uint8_t *) wanted, strlen(wanted)};
	uint8_t		text[512];
	TlTextSink	sink;
	TlWriter	writer;

	tl_writer_init(&writer, text, sizeof(text));
	tl_proof_text_to(&sink, &writer);
	tl_proof_text_column(&sink, &column);
	unit_context("type %u: \"%.*s\", wanted \"%s\"", tag, (int) writer.size, text, wanted);
	if (writer.size != claim.size || memcmp(text, wanted, claim.size) != 0)
		return false;
	tl_proof_text_against(&sink, claim);
	tl_proof_text_column(&sink, &column);
	return tl_proof_text_equal(&sink);
}

#define SHOWS(tag, bytes, wanted) \
	UNIT_CHECK(shows(tag, bytes, sizeof(bytes) - 1, wanted))

static void
simple_values(void)
{
	SHOWS(16, "\1", "true");
	SHOWS(16, "\0", "false");
	SHOWS(21, "\xff\xfe", "-2");
	SHOWS(23, "\x80\0\0\0", "-2147483648");
	SHOWS(20, INFINITE_I64, "9223372036854775807");
	SHOWS(20, LEAST_I64, "-9223372036854775808");
	SHOWS(1700, "12.50", "12.50");
	SHOWS(25, "", "");
	SHOWS(1043, "K\xc3\xb6ln", "K\xc3\xb6ln");
	SHOWS(114, "{\"a\": 1}", "{\"a\": 1}");
	SHOWS(17, "\0\xff", "\\x00ff");
	SHOWS(17, "", "\\x");
	SHOWS(2950, "\xa0\xee\xbc\x99\x9c\x0b\x4e\xf8\xbb\x6d\x6b\xb9\xbd\x38\x0a\x11",
		  "a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11");
	SHOWS(829, "\x08\0\x2b\1\2\3", "08:00:2b:01:02:03");
	SHOWS(774, "\x08\0\x2b\1\2\3\4\5", "08:00:2b:01:02:03:04:05");
	SHOWS(1560, "\0\0\0\5\xa8", "10101");
	SHOWS(1562, "\0\0\0\0", "");
	SHOWS(869, "\4\x18\0\xc0\xa8\1\2", "192.168.1.2/24");
	SHOWS(650, "\6\x40\1\x20\1\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\0", "2001:db8::/64");
	SHOWS(0x80001234, "fine", "fine");
}

static void
floats(void)
{
	SHOWS(701, "\x3f\xb9\x99\x99\x99\x99\x99\x9a", "0.1");
	SHOWS(700, "\x3d\xcc\xcc\xcd", "0.1");
	SHOWS(701, "\x40\x59\0\0\0\0\0\0", "100");
	SHOWS(701, "\x42\xd6\xbc\xc4\x1e\x90\0\0", "100000000000000");
	SHOWS(701, "\x43\x0c\x6b\xf5\x26\x34\0\0", "1e+15");
	SHOWS(701, "\x3f\x1a\x36\xe2\xeb\x1c\x43\x2d", "0.0001");
	SHOWS(701, "\x3e\xe4\xf8\xb5\x88\xe3\x68\xf1", "1e-05");
	SHOWS(701, "\xc0\x93\x4a\x45\x6d\x5c\xfa\xad", "-1234.5678");
	SHOWS(700, "\x47\xc3\x50\x40", "100000.5");
	SHOWS(700, "\x49\x74\x24\x00", "1e+06");
	SHOWS(701, "\0\0\0\0\0\0\0\0", "0");
	SHOWS(701, "\x3f\xd5\x55\x55\x55\x55\x55\x55", "0.3333333333333333");
	SHOWS(701, "\x7f\xf8\0\0\0\0\0\0", "NaN");
	SHOWS(701, "\x7f\xf0\0\0\0\0\0\0", "Infinity");
	SHOWS(700, "\xff\x80\0\0", "-Infinity");
	SHOWS(701, "\0\0\0\0\0\0\0\1", "5e-324");
}

static void
dates_and_times(void)
{
	SHOWS(1082, "\0\0\0\0", "2000-01-01");
	SHOWS(1082, "\0\0\0\x3b", "2000-02-29");
	SHOWS(1082, "\0\0\0\x3c", "2000-03-01");
	SHOWS(1082, "\xff\xff\xff\xff", "1999-12-31");
	SHOWS(1082, "\xff\xf4\xda\xc6", "0000-02-29");
	SHOWS(1082, "\xff\xf4\xd9\x8a", "-0001-04-19");
	SHOWS(1082, "\x7f\xff\xff\xff", "infinity");
	SHOWS(1082, "\x80\0\0\0", "-infinity");
	SHOWS(1083, "\x00\x00\x00\x0a\x88\x83\x9e\x00", "12:34:00.000000");
	SHOWS(1083, "\0\0\0\x14\x1d\xd7\x60\0", "24:00:00.000000");
	SHOWS(1266, "\x00\x00\x00\x0a\x88\x83\x9e\x00\xff\xff\xe3\xe0", "12:34:00.000000+02:00:00");
	SHOWS(1266, "\0\0\0\0\0\0\0\1\0\0\x0e\x11", "00:00:00.000001-01:00:01");
	SHOWS(1114, "\0\0\0\0\0\0\0\0", "2000-01-01T00:00:00.000000");
	SHOWS(1184, "\xff\xff\xff\xff\xff\xff\xff\xff", "1999-12-31T23:59:59.999999Z");
	SHOWS(1184, INFINITE_I64, "infinity");
	SHOWS(1114, LEAST_I64, "-infinity");
	SHOWS(1186, "\0\0\0\0\0\0\0\1\0\0\0\2\0\0\0\3", "P3M2DT0.000001S");
	SHOWS(1186, LEAST_I64 "\xff\xff\xff\xff\0\0\0\0", "P0M-1DT-9223372036854.775808S");
}

static void
array_values(void)
{
	SHOWS(1007, "\0", "{}");
	SHOWS(1007, "\1\0\0\0\1\0\0\0\2\0\0\0\4\0\0\0\1\xff\xff\xff\xff", "{1,NULL}");
	SHOWS(1009, "\1\0\0\0\1\0\0\0\2\0\0\0\4a\"\\,\0\0\0\0", "{\"a\\\"\\\\,\",\"\"}");
	SHOWS(1001, "\1\0\0\0\1\0\0\0\1\0\0\0\1a", "{\"\\\\x61\"}");
	/* two dimensions, another lower bound, a bad element, bytes too many */
	SHOWS(1007, "\2\0\0\0\1", "\\x0200000001");
	SHOWS(1007, "\1\0\0\0\2\0\0\0\0", "\\x010000000200000000");
	SHOWS(1007, "\1\0\0\0\1\0\0\0\1\0\0\0\1a", "\\x0100000001000000010000000161");
	SHOWS(1007, "\0\0", "\\x0000");
	SHOWS(1007, "\1\0\0\0\1\xff\xff\xff\xff", "\\x0100000001ffffffff");
	SHOWS(0x80001234, "\1\0\0\0\1\0\0\0\0", "\\x010000000100000000");
}

/* Whatever does not fit its type is shown as it is in the row. */
static void
not_of_their_type(void)
{
	static const struct
	{
		uint32_t	tag;
		size_t		size;
	}			fixed[] = {
		{16, 1}, {21, 2}, {23, 4}, {20, 8}, {700, 4}, {701, 8}, {1082, 4},
		{1083, 8}, {1266, 12}, {1114, 8}, {1184, 8}, {1186, 16}, {2950, 16},
		{829, 6}, {774, 8}
	};
	static const uint8_t zeros[20];

	for (size_t i = 0; i < sizeof(fixed) / sizeof(fixed[0]); i++)
	{
		for (size_t size = 0; size < sizeof(zeros); size++)
		{
			char		hex[64] = "\\x";
			bool		is_hex;

			for (size_t j = 0; j < size; j++)
				strcat(hex, "00");
			is_hex = shows(fixed[i].tag, zeros, size, hex);
			UNIT_CHECK(is_hex == (size != fixed[i].size));
		}
	}
	SHOWS(16, "\2", "\\x02");
	SHOWS(1083, "\xff\xff\xff\xff\xff\xff\xff\xff", "\\xffffffffffffffff");
	SHOWS(1083, "\0\0\0\x14\x1d\xd7\x60\1", "\\x000000141dd76001");
	SHOWS(1266, "\0\0\0\0\0\0\0\0\0\1\x51\x80", "\\x000000000000000000015180");
	SHOWS(1560, "\0\0\0\5\xa9", "\\x00000005a9");	/* padding set */
	SHOWS(1560, "\0\0\0\5", "\\x00000005");
	SHOWS(1560, "\0\0\0\5\xa8\0", "\\x00000005a800");
	SHOWS(869, "\4\x21\0\xc0\xa8\1\2", "\\x042100c0a80102");
	SHOWS(869, "\5\0\0\1\2\3\4", "\\x05000001020304");
	SHOWS(869, "\4\0\2\1\2\3\4", "\\x04000201020304");
	SHOWS(869, "\4\0\0\1\2\3", "\\x040000010203");
	SHOWS(12345, "abc", "\\x616263");
	SHOWS(0x80001234, "a\nb", "\\x610a62");
	SHOWS(0x80001234, "", "\\x");
	SHOWS(0x80001234, "0123456789012345678901234567890123456789012345678901234567890123",
		  "\\x30313233343536373839303132333435363738393031323334353637383930313233"
		  "343536373839303132333435363738393031323334353637383930313233");
}

/* Text that JSON could write in two ways, or not at all. */
static void
not_plain_text(void)
{
	SHOWS(25, "a\b\t\n\f\rb", "a\b\t\n\f\rb");
	SHOWS(25, "\1", "\\x01");
	SHOWS(25, "a\x0b", "\\x610b");
	SHOWS(25, "\x1f", "\\x1f");
	SHOWS(25, "\0", "\\x00");
	SHOWS(25, "\x7f", "\x7f");
	SHOWS(25, "\x80", "\\x80");
	SHOWS(25, "\xc3", "\\xc3");
	SHOWS(25, "\xc0\x80", "\\xc080");	/* overlong */
	SHOWS(25, "\xe0\x80\x80", "\\xe08080");
	SHOWS(25, "\xe0\xa0\x80", "\xe0\xa0\x80");
	SHOWS(25, "\xed\xa0\x80", "\\xeda080"); /* surrogate */
	SHOWS(25, "\xf0\x8f\xbf\xbf", "\\xf08fbfbf");
	SHOWS(25, "\xf0\x90\x80\x80", "\xf0\x90\x80\x80");
	SHOWS(25, "\xf4\x8f\xbf\xbf", "\xf4\x8f\xbf\xbf");
	SHOWS(25, "\xf4\x90\x80\x80", "\\xf4908080");	/* beyond the last */
	SHOWS(25, "\xf5\x80\x80\x80", "\\xf5808080");
}

static void
other_texts(void)
{
	TlRowColumn commitment = {1, TL_COLUMN_COMMITMENT, 25, {(const uint8_t *) "ab", 2}};
	TlRef		ref = {UINT32_MAX, UINT16_MAX, (UINT64_C(1) << 48) - 1, UINT32_MAX};
	uint8_t		text[256];
	TlTextSink	sink;
	TlWriter	writer;
	TlHash		hash;
	uint8_t		bytes[TL_REF_SIZE];

	tl_writer_init(&writer, text, sizeof(text));
	tl_proof_text_to(&sink, &writer);
	tl_proof_text_column(&sink, &commitment);
	tl_proof_text_ref(&sink, &ref);
	tl_proof_text_block_time(&sink, INT64_C(1700000000000000));
	tl_proof_text_block_time(&sink, -1);
	tl_proof_text_block_time(&sink, INT64_MIN);
	tl_proof_text_block_time(&sink, INT64_MAX);
	tl_put_u8(&writer, 0);
	UNIT_CHECK(strcmp((char *) text, "commitment:6162"
					  "4294967295.65535.281474976710655.4294967295"
					  "2023-11-14T22:13:20.000000Z1969-12-31T23:59:59.999999Z"
					  "-290308-12-21T19:59:05.224192Z294247-01-10T04:00:54.775807Z") == 0);

	/* the tag of ledger.ref is what a name's tag is */
	tl_crypto_sha256(&hash, "ledger.ref", 10);
	tl_writer_init(&writer, bytes, sizeof(bytes));
	tl_put_ref(&writer, &ref);
	UNIT_CHECK(shows(UINT32_C(0x80000000) | (uint32_t) hash.bytes[0] << 24 |
					 (uint32_t) hash.bytes[1] << 16 | (uint32_t) hash.bytes[2] << 8 |
					 hash.bytes[3], bytes, sizeof(bytes),
					 "4294967295.65535.281474976710655.4294967295"));
}

/* Comparing finds a claim that is shorter, longer, or different anywhere. */
static void
claims(void)
{
	char		claim[] = "-2147483648";
	TlRowColumn column = {1, TL_COLUMN_PLAIN, 23, {(const uint8_t *) "\x80\0\0\0", 4}};

	for (size_t i = 0; i <= sizeof(claim); i++)
	{
		TlSpan		span = {(const uint8_t *) claim, sizeof(claim) - 1};
		TlTextSink	sink;

		if (i < sizeof(claim) - 1)
			claim[i] ^= 1;
		else if (i == sizeof(claim) - 1)
			span.size--;
		else
			span.size++;
		tl_proof_text_against(&sink, span);
		tl_proof_text_column(&sink, &column);
		UNIT_CHECK(!tl_proof_text_equal(&sink));
		if (i < sizeof(claim) - 1)
			claim[i] ^= 1;
	}
}

UNIT_MAIN(UNIT_CASE(simple_values), UNIT_CASE(floats),
		  UNIT_CASE(dates_and_times), UNIT_CASE(array_values),
		  UNIT_CASE(not_of_their_type), UNIT_CASE(not_plain_text),
		  UNIT_CASE(other_texts), UNIT_CASE(claims))
