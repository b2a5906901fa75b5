/*
 * test_audit.c
 *	  Each check of the audit says no to a file that it is there for.
 */
#include "check.h"
#include "tap3_audit.h"
#include "tap3_generate.h"
#include "tap3_schema.h"

static Tap3Audit audit;
static Tap3Header header;
static Tap3Plan plan;
static Tap3Finding last;
static unsigned finding_count;

static void
keep_failed(void *context, const Tap3Finding *finding)
{
	(void) context;
	finding_count++;
	if (!finding->passed)
		last = *finding;
}

static void
run(const uint8_t *file, size_t size, const char *name)
{
	memset(&last, 0, sizeof(last));
	finding_count = 0;
	CHECK(tap3_audit_run(&audit, file, size, name, keep_failed, NULL) == TAP3_OK);
}

/* Plans a good file, lets the caller spoil the plan or header, writes, audits. */
static Tap3Generator generator;

static void
prepare(uint32_t events)
{
	generator = (Tap3Generator)
	{
		.event_count = events, .seed = 11,
			.visited = tap3_network_by_tadig("FRAF1"), .home = tap3_network_by_tadig("DEUD1"),
			.sequence_number = 5, .release = 12, .day_seconds = INT64_C(1748736000)
	};
	tap3_generate_header(&generator, &header);
	CHECK(tap3_write_plan(&plan, &header, false, tap3_generate_event, &generator, events) == TAP3_OK);
}

static void
write_and_run(const char *name)
{
	uint8_t    *file = malloc(plan.file_size);
	size_t		size;

	CHECK(tap3_write_file(&plan, file, plan.file_size, &size) == TAP3_OK);
	run(file, size, name);
	free(file);
}

static void
expect_fatal(int code, uint32_t tag)
{
	CHECK(audit.fatal_count == 1);
	CHECK(last.severity == TAP3_SEVERITY_FATAL && last.code == code && last.tag == tag);
}

static void
test_totals(void)
{
	prepare(50);
	write_and_run("CDFRAF1DEUD100005");
	CHECK(audit.fatal_count + audit.severe_count + audit.warning_count == 0 && finding_count > 20);

	plan.totals.charge--;
	write_and_run(NULL);
	expect_fatal(100, TAP3_TAG_TotalCharge);
	CHECK(strlen(last.expected) > 6 && strcmp(last.expected, last.found) != 0);
	prepare(50);
	plan.totals.tax++;
	write_and_run(NULL);
	expect_fatal(100, TAP3_TAG_TotalTaxValue);
	prepare(50);
	plan.totals.discount++;
	write_and_run(NULL);
	expect_fatal(100, TAP3_TAG_TotalDiscountValue);
	prepare(50);
	plan.totals.event_count--;
	write_and_run(NULL);
	expect_fatal(100, TAP3_TAG_CallEventDetailsCount);
	prepare(50);
	plan.earliest += 1;
	write_and_run(NULL);
	expect_fatal(100, TAP3_TAG_EarliestCallTimeStamp);
	prepare(50);
	plan.latest -= 1;
	write_and_run(NULL);
	expect_fatal(100, TAP3_TAG_LatestCallTimeStamp);
	prepare(50);
	plan.latest += 1;
	write_and_run(NULL);
	CHECK(audit.fatal_count == 0 && audit.warning_count == 1);
}

/* Spoil the header after the plan has been made with it, then plan anew. */
static void
again(const char *name)
{
	CHECK(tap3_write_plan(&plan, &header, false, tap3_generate_event, &generator,
						  generator.event_count) == TAP3_OK);
	write_and_run(name);
}

static void
test_header(void)
{
	prepare(10);
	write_and_run("CDFRAF1DEUD100006");
	expect_fatal(100, TAP3_TAG_FileSequenceNumber);
	prepare(10);
	strcpy(header.sequence, "0005");
	again(NULL);
	expect_fatal(20, TAP3_TAG_FileSequenceNumber);
	prepare(10);
	strcpy(header.sequence, "00000");
	again(NULL);
	expect_fatal(20, TAP3_TAG_FileSequenceNumber);
	prepare(10);
	strcpy(header.sender, "fraf1");
	again(NULL);
	expect_fatal(20, TAP3_TAG_Sender);
	prepare(10);
	strcpy(header.recipient, "DEU");
	again(NULL);
	expect_fatal(20, TAP3_TAG_Recipient);
	prepare(10);
	header.local_currency[0] = '\0';
	again(NULL);
	expect_fatal(30, TAP3_TAG_LocalCurrency);
	prepare(10);
	header.cutoff[0] = '\0';
	again(NULL);
	expect_fatal(30, TAP3_TAG_TransferCutOffTimeStamp);
	prepare(10);
	header.available[0] = '\0';
	again(NULL);
	expect_fatal(30, TAP3_TAG_FileAvailableTimeStamp);
	prepare(10);
	strcpy(header.file_type, "T");
	again("CDFRAF1DEUD100005");
	expect_fatal(100, TAP3_TAG_FileSequenceNumber);
}

/* Codes that the header's tables lack make every event severe. */
static void
test_tables(void)
{
	prepare(10);
	header.rec_entities.count = 0;
	again(NULL);
	CHECK(audit.fatal_count == 0 && audit.severe_count >= 5);
	CHECK(last.code == 20 && last.tag == TAP3_TAG_RecEntityCode && last.event_number > 0);
	prepare(10);
	header.exchange_rates.entries[0].code = 2;
	again(NULL);
	CHECK(audit.fatal_count == 0 && last.code == 20 && last.tag == TAP3_TAG_ExchangeRateCode);
	prepare(10);
	header.taxes.entries[0].code = 2;
	again(NULL);
	CHECK(audit.fatal_count == 0 && last.tag == TAP3_TAG_TaxCode);
	prepare(10);
	strcpy(header.utc_offsets.entries[0].text, "+9900");
	again(NULL);
	CHECK(audit.fatal_count >= 1 && audit.severe_count >= 10);
	prepare(10);
	header.exchange_rates.entries[1] = header.exchange_rates.entries[0];
	header.exchange_rates.count = 2;
	again(NULL);
	expect_fatal(100, TAP3_TAG_CurrencyConversionList);
	prepare(10);
	header.rec_entities.entries[1].code = header.rec_entities.entries[0].code;
	again(NULL);
	CHECK(audit.fatal_count == 1);
}

int
main(void)
{
	test_totals();
	test_header();
	test_tables();
	return finish("test_audit");
}
