/*
 * test_batch.c
 *	  The pull parser and the audit on files made by hand.
 */
#include "check.h"
#include "tap3_audit.h"
#include "tap3_schema.h"

/* A batch of one call with its parts, to be joined with other parts. */
#define CONTROL \
	"64 1c 5f 81 44 05 44 45 55 44 31 5f 81 36 05 46 52 41 46 31 5f 81 49 01 03 5f 81 3d " \
	"01 0c"
#define ACCOUNTING \
	"65 0c 5f 81 07 03 45 55 52 5f 81 74 01 02"
#define NETWORK \
	"66 31 7f 81 6a 12 7f 81 69 0e 5f 81 68 01 01 5f 81 67 05 2b 30 31 30 30 7f 81 3c 17 " \
	"7f 81 37 13 5f 81 38 01 07 5f 81 3a 01 01 5f 83 10 05 4d 53 43 30 31"
#define CALL \
	"69 80 7f 81 13 80 7f 83 2b 0c 7f 81 47 08 5f 81 01 04 26 21 01 7f 7f 59 05 5f 83 17 " \
	"01 0f 7f 2c 15 50 0e 32 30 32 35 30 36 30 31 31 32 30 30 30 30 5f 81 68 01 01 5f 81 " \
	"5f 01 3c 00 00 7f 81 0a 09 7f 81 1c 05 5f 81 38 01 07 00 00"

static Tap3Batch batch;
static Tap3Event event;
static Tap3Audit audit;

/* How many events before the answer, which comes back. */
static Tap3Status
read_all(const char *hex, unsigned *events)
{
	size_t		size;
	unsigned char *bytes = from_hex(hex, &size);
	Tap3Status	status = tap3_batch_open(&batch, bytes, size);

	*events = 0;
	while (status == TAP3_OK)
	{
		status = tap3_batch_next(&batch, &event);
		if (status == TAP3_OK)
			(*events)++;
	}
	free(bytes);
	return status;
}

static Tap3Status
verdict(const char *hex)
{
	unsigned	events;

	return read_all(hex, &events);
}

static void
test_structure(void)
{
	unsigned	events;

	/* control information alone is a sound batch; it lacks groups, says the audit */
	CHECK(read_all("61 80 64 80 5f 81 49 01 03 5f 81 3d 01 0c 00 00 00 00", &events) == TAP3_END);
	CHECK(events == 0 && batch.header.release == 12 && !batch.header.notification);
	CHECK(read_all("61 1f " "64 0a 5f 81 49 01 03 5f 81 3d 01 09 " "65 03 41 01 00 " "63 0a 69 80 00 00 6a 00 6e 02 41 00 " "6f 00", &events) == TAP3_END);
	CHECK(events == 3 && event.type == TAP3_EVENT_GPRS && event.number == 3);

	CHECK(verdict("") == TAP3_TRUNCATED);
	CHECK(verdict("41 00") == TAP3_NOT_TAP);
	CHECK(verdict("41 01 00") == TAP3_NOT_TAP);
	CHECK(verdict("30 00") == TAP3_NOT_TAP);
	CHECK(verdict("21 00") == TAP3_NOT_TAP);	/* tag 1, but universal */
	CHECK(verdict("61 00") == TAP3_NOT_A_BATCH);
	CHECK(verdict("61 02 65 00") == TAP3_NOT_A_BATCH);
	CHECK(verdict("61 04 5f 29 01 02") == TAP3_NOT_A_BATCH);	/* as an NRTRDE file begins */
	CHECK(verdict("61 02 44 00") == TAP3_BAD_FORM);
	CHECK(verdict("61 02 64 00") == TAP3_NO_VERSION);
	CHECK(verdict("61 0c 64 0a 5f 81 49 01 03 5f 81 3d 01 08") == TAP3_BAD_VERSION);
	CHECK(verdict("61 0c 64 0a 5f 81 49 01 03 5f 81 3d 01 0d") == TAP3_BAD_VERSION);
	CHECK(verdict("61 0c 64 0a 5f 81 49 01 02 5f 81 3d 01 0c") == TAP3_BAD_VERSION);
	CHECK(verdict("61 0b 64 09 5f 81 49 01 03 5f 81 3d 00") == TAP3_BAD_INTEGER);
	CHECK(verdict("61 0e 64 0a 5f 81 49 01 03 5f 81 3d 01 0c 63 00") == TAP3_END);
	CHECK(verdict("61 10 64 0a 5f 81 49 01 03 5f 81 3d 01 0c 63 00 65 00") == TAP3_BAD_ORDER);
	CHECK(verdict("61 10 64 0a 5f 81 49 01 03 5f 81 3d 01 0c 65 00 65 00") == TAP3_BAD_ORDER);
	CHECK(verdict("61 10 64 0a 5f 81 49 01 03 5f 81 3d 01 0c 63 02 6d 00") == TAP3_END);
	CHECK(verdict("61 10 64 0a 5f 81 49 01 03 5f 81 3d 01 0c 63 02 65 00") == TAP3_BAD_EVENT);
	CHECK(verdict("61 10 64 0a 5f 81 49 01 03 5f 81 3d 01 0c 63 02 49 00") == TAP3_BAD_EVENT);
	CHECK(verdict("61 10 64 0a 5f 81 49 01 03 5f 81 3d 01 0c 63 02 29 00") == TAP3_BAD_EVENT);
	CHECK(verdict("61 0c 64 0a 5f 81 49 01 03 5f 81 3d 01 0c 00") == TAP3_TRAILING);
	CHECK(verdict("61 0c 64 0a 5f 81 49 01 03 5f 81 3d 01 0c 61 00") == TAP3_TRAILING);
	/* 10 decimal places */
	CHECK(verdict("61 13 64 0a 5f 81 49 01 03 5f 81 3d 01 0c 65 05 5f 81 74 01 0a") == TAP3_BAD_PLACES);
	CHECK(verdict("61 13 64 0a 5f 81 49 01 03 5f 81 3d 01 0c 65 05 5f 81 74 01 ff") == TAP3_BAD_PLACES);
	/* a group where a value belongs, inside an event: Imsi constructed */
	CHECK(verdict("61 1c 64 0a 5f 81 49 01 03 5f 81 3d 01 0c 63 0e 69 0c 7f 81 13 08 7f 83 2b 04 5f 81 47 00") ==
		  TAP3_BAD_FORM);
	CHECK(batch.cursor.error.path_count == 6 && batch.cursor.error.path[3] == 147 &&
		  batch.cursor.error.path[5] == 199);
	/* unknown items are stepped over, but must be sound */
	CHECK(verdict("61 12 64 0a 5f 81 49 01 03 5f 81 3d 01 0c 7f 83 00 02 41 00 64 00") == TAP3_TRAILING);
	CHECK(verdict("61 12 64 0a 5f 81 49 01 03 5f 81 3d 01 0c 7f 83 00 02 41 00") == TAP3_END);
	CHECK(verdict("61 14 64 0a 5f 81 49 01 03 5f 81 3d 01 0c 7f 83 00 02 41 01 41 00") == TAP3_OVERRUN);
	CHECK(verdict("62 0a 5f 81 49 01 03 5f 81 3d 01 09") == TAP3_END && batch.header.notification);
	CHECK(verdict("62 00") == TAP3_NO_VERSION);
}

static void
test_call(void)
{
	unsigned	events;

	CHECK(read_all("61 80 " CONTROL " " ACCOUNTING " " NETWORK " 63 80 " CALL " 00 00 00 00",
				   &events) == TAP3_END);
	CHECK(events == 1);
	CHECK(strcmp(batch.header.sender, "DEUD1") == 0 && strcmp(batch.header.recipient, "FRAF1") == 0);
	CHECK(batch.header.decimal_places == 2 && strcmp(batch.header.local_currency, "EUR") == 0);
	CHECK(strcmp(event.imsi, "2621017") == 0 && strcmp(event.other_party, "0") == 0);
	CHECK(event.start_known && event.start_seconds == INT64_C(1748775600));
	CHECK(strcmp(event.utc_offset, "+0100") == 0 && strcmp(event.rec_entity, "MSC01") == 0);
	CHECK(event.duration_s == 60 && tap3_has(&event, TAP3_FIELD_DURATION));
	CHECK(!tap3_has(&event, TAP3_FIELD_CHARGE));
	CHECK(event.size > 0 && event.offset > 0);
}

/* Each prefix of a sound file is refused, and none is read beyond its end. */
static void
test_truncation(void)
{
	size_t		size;
	unsigned	refused = 0;
	unsigned char *bytes = from_hex("61 80 " CONTROL " " ACCOUNTING " " NETWORK " 63 80 " CALL
									" 00 00 00 00", &size);

	for (size_t cut = 0; cut < size; cut++)
	{
		unsigned char *part = malloc(cut > 0 ? cut : 1);
		Tap3Status	status;

		memcpy(part, bytes, cut);
		status = tap3_batch_open(&batch, part, cut);
		while (status == TAP3_OK)
			status = tap3_batch_next(&batch, &event);
		if (status != TAP3_END)
			refused++;
		free(part);
	}
	CHECK(refused == size);
	free(bytes);
}

static void
test_audit(void)
{
	size_t		size;
	unsigned char *bytes = from_hex("61 80 " CONTROL " " ACCOUNTING " " NETWORK " 63 80 " CALL
									" 00 00 00 00", &size);
	char		expected[TAP3_FINDING_TEXT_MAX];

	CHECK(tap3_audit_run(&audit, bytes, size, NULL, NULL, NULL) == TAP3_OK);
	/* sequence number, cut-off and available missing; no form; no audit group */
	CHECK(audit.fatal_count == 5);
	CHECK(audit.severe_count == 3);	/* charged item, charge, basic service */
	CHECK(audit.totals.event_count == 1);
	free(bytes);

	memset(&batch, 0, sizeof(batch));
	strcpy(batch.header.sender, "DEUD1");
	strcpy(batch.header.recipient, "FRAF1");
	strcpy(batch.header.sequence, "00042");
	CHECK(tap3_audit_file_name(&batch.header, "/in/CDDEUD1FRAF100042.ber", expected));
	CHECK(strcmp(expected, "CDDEUD1FRAF100042") == 0);
	CHECK(!tap3_audit_file_name(&batch.header, "CDDEUD1FRAF100043", expected));
	CHECK(!tap3_audit_file_name(&batch.header, "TDDEUD1FRAF100042", expected));
	CHECK(!tap3_audit_file_name(&batch.header, "CDDEUD1FRAF200042", expected));
	CHECK(tap3_audit_file_name(&batch.header, "sample.ber", expected));
	strcpy(batch.header.file_type, "T");
	CHECK(tap3_audit_file_name(&batch.header, "TDDEUD1FRAF100042", expected));
}

/* A file with so many entries in a table of its header. */
static Tap3Status
table_verdict(unsigned entries, bool entities)
{
	static unsigned char file[1 << 20];
	size_t		size = 0;
	const unsigned char head[] = {0x61, 0x80, 0x64, 0x0a, 0x5f, 0x81, 0x49, 0x01, 0x03, 0x5f, 0x81,
	0x3d, 0x01, 0x0c, 0x66, 0x80, 0x7f, 0x81, entities ? 0x3c : 0x6a, 0x80};
	Tap3Status	status;

	memcpy(file, head, sizeof(head));
	size = sizeof(head);
	for (unsigned i = 0; i < entries; i++)
	{
		const unsigned char entry[] = {0x7f, 0x81, entities ? 0x37 : 0x69, 0x07, 0x5f, 0x81,
			entities ? 0x38 : 0x68, 0x03, 0, (unsigned char) (i >> 8), (unsigned char) i};

		memcpy(file + size, entry, sizeof(entry));
		size += sizeof(entry);
	}
	memset(file + size, 0, 6);
	size += 6;
	status = tap3_batch_open(&batch, file, size);
	while (status == TAP3_OK)
		status = tap3_batch_next(&batch, &event);
	return status;
}

static void
test_limits(void)
{
	CHECK(table_verdict(TAP3_CODES_MAX, false) == TAP3_END);
	CHECK(batch.header.utc_offsets.count == TAP3_CODES_MAX);
	CHECK(table_verdict(TAP3_CODES_MAX + 1, false) == TAP3_TOO_MANY);
	CHECK(table_verdict(TAP3_REC_ENTITIES_MAX, true) == TAP3_END);
	CHECK(table_verdict(TAP3_REC_ENTITIES_MAX + 1, true) == TAP3_TOO_MANY);
	/* two volumes whose sum leaves 64 bits */
	CHECK(verdict("61 80 64 0a 5f 81 49 01 03 5f 81 3d 01 0c 63 80 6e 80 7f 79 80 "
				  "5f 81 7a 08 7f ff ff ff ff ff ff ff 5f 81 7a 01 01 "
				  "00 00 00 00 00 00 00 00") == TAP3_SUM_RANGE);
}

int
main(void)
{
	test_limits();
	test_structure();
	test_call();
	test_truncation();
	test_audit();
	return finish("test_batch");
}
