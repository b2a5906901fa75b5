/*
 * test_canonical.c
 *	  Files equal in content get equal octets.
 */
#include "check.h"
#include "tap3_canonical.h"
#include "tap3_generate.h"

static Tap3Header header;
static Tap3Plan plan;

static uint8_t *
canonical(const uint8_t *data, size_t size, size_t *out_size, Tap3Status *status)
{
	size_t		capacity = tap3_canonical_bound(size);
	uint8_t    *out = malloc(capacity);
	Tap3Error	error;

	*status = tap3_canonical(out, capacity, out_size, data, size, &error);
	return out;
}

static bool
becomes(const char *from, const char *to)
{
	size_t		size;
	size_t		to_size;
	size_t		out_size;
	Tap3Status	status;
	unsigned char *bytes = from_hex(from, &size);
	unsigned char *wanted = from_hex(to, &to_size);
	uint8_t    *out = canonical(bytes, size, &out_size, &status);
	bool		same = status == TAP3_OK && out_size == to_size && memcmp(out, wanted, to_size) == 0;

	free(bytes);
	free(wanted);
	free(out);
	return same;
}

static uint8_t *
generate(bool indefinite, uint32_t events, size_t *size)
{
	Tap3Generator generator = {
		.event_count = events, .seed = 3,
		.visited = tap3_network_by_tadig("USAW6"), .home = tap3_network_by_tadig("BRAV1"),
		.sequence_number = 9, .release = 11, .day_seconds = INT64_C(1748736000)
	};
	uint8_t    *file;

	tap3_generate_header(&generator, &header);
	CHECK(tap3_write_plan(&plan, &header, indefinite, tap3_generate_event, &generator, events) == TAP3_OK);
	file = malloc(plan.file_size);
	CHECK(tap3_write_file(&plan, file, plan.file_size, size) == TAP3_OK);
	return file;
}

int
main(void)
{
	size_t		sizes[4];
	Tap3Status	status;
	Tap3Error	error;
	uint8_t		small[2];
	uint8_t    *definite = generate(false, 3000, &sizes[0]);
	uint8_t    *indefinite = generate(true, 3000, &sizes[1]);
	uint8_t    *a = canonical(definite, sizes[0], &sizes[2], &status);
	uint8_t    *b;

	CHECK(status == TAP3_OK && sizes[2] == sizes[0] && memcmp(a, definite, sizes[0]) == 0);
	b = canonical(indefinite, sizes[1], &sizes[3], &status);
	CHECK(sizes[1] > sizes[0]);
	CHECK(status == TAP3_OK && sizes[3] == sizes[0] && memcmp(b, definite, sizes[0]) == 0);
	free(a);
	free(b);
	free(definite);
	free(indefinite);

	CHECK(becomes("61 80 41 81 01 07 30 80 04 00 00 00 00 00", "61 07 41 01 07 30 02 04 00"));
	CHECK(becomes("7f ff ff 7f 82 00 00", "7f ff ff 7f 00"));
	CHECK(becomes("", ""));
	CHECK(tap3_canonical(small, sizeof(small), &sizes[0], "\x41\x01\x07", 3, &error) == TAP3_BUFFER_FULL);
	CHECK(tap3_canonical(small, sizeof(small), &sizes[0], "\x41\x02\x07", 3, &error) == TAP3_TRUNCATED);
	CHECK(error.status == TAP3_TRUNCATED);
	return finish("test_canonical");
}
