/*
 * test_write.c
 *	  What the writer writes the reader reads, for every kind of event and
 *	  every release; and what cannot be written is refused.
 */
#include "check.h"
#include "tap3_audit.h"
#include "tap3_generate.h"
#include "tap3_schema.h"

#define EVENTS 600

static Tap3Header header;
static Tap3Batch batch;
static Tap3Event event;
static Tap3Event expected;
static Tap3Audit audit;
static Tap3Plan plan;

static Tap3Generator
generator_for(int release, uint32_t events)
{
	return (Tap3Generator)
	{
		.event_count = events, .seed = 7,
			.visited = tap3_network_by_tadig("FRAF1"), .home = tap3_network_by_tadig("DEUD1"),
			.sequence_number = 42, .release = release, .day_seconds = INT64_C(1748736000)
	};
}

/* Equal in everything a file carries. */
static bool
same_event(const Tap3Event *a, const Tap3Event *b)
{
	const uint64_t parts = TAP3_BIT(TAP3_FIELD_PART_CHARGE_TYPE) | TAP3_BIT(TAP3_FIELD_PART_CHARGE) |
		TAP3_BIT(TAP3_FIELD_PART_REFUND) | TAP3_BIT(TAP3_FIELD_PART_ID_TYPE) |
		TAP3_BIT(TAP3_FIELD_PART_ID) | TAP3_BIT(TAP3_FIELD_IMSI) | TAP3_BIT(TAP3_FIELD_MSISDN);

	return a->type == b->type && a->number == b->number &&
		(a->present & ~parts) == (b->present & ~parts) &&
		strcmp(a->imsi, b->imsi) == 0 && strcmp(a->msisdn, b->msisdn) == 0 &&
		strcmp(a->equipment, b->equipment) == 0 && strcmp(a->start_local, b->start_local) == 0 &&
		strcmp(a->utc_offset, b->utc_offset) == 0 && a->start_seconds == b->start_seconds &&
		a->start_known == b->start_known && a->duration_s == b->duration_s &&
		a->volume_in == b->volume_in && a->volume_out == b->volume_out &&
		strcmp(a->other_party, b->other_party) == 0 && strcmp(a->apn, b->apn) == 0 &&
		a->rec_entity_code == b->rec_entity_code && a->location_area == b->location_area &&
		a->cell_id == b->cell_id && a->service_type == b->service_type &&
		strcmp(a->service_code, b->service_code) == 0 && a->service_number == b->service_number &&
		strcmp(a->charged_item, b->charged_item) == 0 &&
		memcmp(a->call_type, b->call_type, sizeof(a->call_type)) == 0 &&
		strcmp(a->charge_type, b->charge_type) == 0 && a->charge == b->charge &&
		a->charge_refund == b->charge_refund && a->exchange_rate_code == b->exchange_rate_code &&
		a->tax_code == b->tax_code && a->tax_value == b->tax_value &&
		a->tax_refund == b->tax_refund && a->taxable_amount == b->taxable_amount &&
		a->discount_code == b->discount_code && a->discount == b->discount &&
		a->discount_refund == b->discount_refund && a->cause_for_term == b->cause_for_term &&
		strcmp(a->partial_type, b->partial_type) == 0 &&
		a->call_reference_size == b->call_reference_size &&
		memcmp(a->call_reference, b->call_reference, a->call_reference_size) == 0 &&
		a->charging_id == b->charging_id;
}

static uint8_t *
generate(const Tap3Generator *generator, bool indefinite, size_t *size)
{
	uint8_t    *file;

	tap3_generate_header(generator, &header);
	CHECK(tap3_write_plan(&plan, &header, indefinite, tap3_generate_event, (void *) generator,
						  generator->event_count) == TAP3_OK);
	file = malloc(plan.file_size);
	CHECK(tap3_write_file(&plan, file, plan.file_size, size) == TAP3_OK);
	CHECK(*size == plan.file_size);
	return file;
}

static void
test_round_trip(int release, bool indefinite)
{
	Tap3Generator generator = generator_for(release, EVENTS);
	size_t		size;
	uint8_t    *file = generate(&generator, indefinite, &size);
	unsigned	kinds = 0;
	unsigned	different = 0;

	CHECK(tap3_audit_run(&audit, file, size, "CDFRAF1DEUD100042", NULL, NULL) == TAP3_OK);
	CHECK(audit.fatal_count == 0 && audit.severe_count == 0 && audit.warning_count == 0);
	CHECK(audit.totals.event_count == EVENTS && audit.totals.charge > 0 &&
		  audit.totals.tax > 0 && audit.totals.discount > 0 && audit.totals.charge_refund > 0);

	CHECK(tap3_batch_open(&batch, file, size) == TAP3_OK);
	CHECK(strcmp(batch.header.sender, "FRAF1") == 0 && batch.header.release == release);
	CHECK(memcmp(&batch.header.rec_entities, &header.rec_entities, sizeof(header.rec_entities)) == 0);
	CHECK(memcmp(&batch.header.taxes, &header.taxes, sizeof(header.taxes)) == 0);
	CHECK(memcmp(&batch.header.discounts, &header.discounts, sizeof(header.discounts)) == 0);
	CHECK(memcmp(&batch.header.exchange_rates, &header.exchange_rates, sizeof(header.exchange_rates)) == 0);
	CHECK(memcmp(&batch.header.utc_offsets, &header.utc_offsets, sizeof(header.utc_offsets)) == 0);
	for (uint32_t number = 1; number <= EVENTS; number++)
	{
		CHECK(tap3_batch_next(&batch, &event) == TAP3_OK);
		CHECK(tap3_generate_event(&generator, number, &expected) == TAP3_OK);
		if (!same_event(&event, &expected))
			different++;
		kinds |= 1u << event.type;
	}
	CHECK(different == 0);
	CHECK(tap3_batch_next(&batch, &event) == TAP3_END);
	/* the six kinds of every release, and what each has besides */
	CHECK(kinds == (0x7eu | (release >= 10 ? 0x80u : 0) | (release >= 12 ? 0x300u : 0) |
					(release <= 10 ? 0x400u : 0)));
	free(file);
}

static void
test_notification(void)
{
	Tap3Generator generator = generator_for(12, 0);
	size_t		size;
	uint8_t    *file = generate(&generator, false, &size);

	CHECK(file[0] == 0x62);
	CHECK(tap3_audit_run(&audit, file, size, NULL, NULL, NULL) == TAP3_OK);
	CHECK(audit.fatal_count == 0 && audit.batch.header.notification);
	free(file);
}

/* A file whose octet number k is another one is refused or differs in content. */
static void
test_single_octets(void)
{
	Tap3Generator generator = generator_for(12, 40);
	size_t		size;
	uint8_t    *file = generate(&generator, false, &size);
	unsigned	unnoticed_lengths = 0;

	for (size_t i = 0; i < size; i++)
	{
		uint8_t		kept = file[i];
		Tap3Status	status;

		file[i] ^= 0x5a;
		status = tap3_audit_run(&audit, file, size, NULL, NULL, NULL);
		if (i < 4 && status == TAP3_OK)
			unnoticed_lengths++;
		file[i] = kept;
	}
	CHECK(unnoticed_lengths == 0);
	CHECK(tap3_audit_run(&audit, file, size, NULL, NULL, NULL) == TAP3_OK && audit.fatal_count == 0);
	free(file);
}

static Tap3Status
write_status(const Tap3Event *one, int release)
{
	uint8_t		buffer[TAP3_EVENT_SIZE_MAX];
	Tap3Writer	writer;

	tap3_writer_init(&writer, buffer, sizeof(buffer), release, false);
	tap3_write_event(&writer, one);
	return writer.status;
}

static void
test_refusals(void)
{
	Tap3Generator generator = generator_for(12, EVENTS);
	Tap3Event	call;
	uint8_t		buffer[64];
	Tap3Writer	writer;
	uint32_t	number = 1;

	do
		CHECK(tap3_generate_event(&generator, number++, &call) == TAP3_OK);
	while (call.type != TAP3_EVENT_MOC);
	CHECK(write_status(&call, 12) == TAP3_OK);

	event = call;
	strcpy(event.imsi, "26201x");
	CHECK(write_status(&event, 12) == TAP3_UNWRITABLE);
	do
		CHECK(tap3_generate_event(&generator, number++, &event) == TAP3_OK);
	while (event.type != TAP3_EVENT_CONTENT);
	CHECK(write_status(&event, 12) == TAP3_OK);
	strcpy(event.imsi, "26201a");
	CHECK(write_status(&event, 12) == TAP3_UNWRITABLE);
	event = call;
	event.volume_in = 1;
	tap3_set(&event, TAP3_FIELD_VOLUME_IN);
	CHECK(write_status(&event, 12) == TAP3_UNWRITABLE);
	event = call;
	event.charge_refund = 1;
	CHECK(write_status(&event, 12) == TAP3_UNWRITABLE);
	event = call;
	event.present &= ~TAP3_BIT(TAP3_FIELD_TAX_CODE);
	CHECK(write_status(&event, 12) == TAP3_UNWRITABLE);
	event = call;
	event.present &= ~TAP3_BIT(TAP3_FIELD_CHARGE);
	CHECK(write_status(&event, 12) == TAP3_UNWRITABLE);
	event = call;
	strcpy(event.charge_type, "01");
	CHECK(write_status(&event, 12) == TAP3_UNWRITABLE);
	event = call;
	event.type = TAP3_EVENT_VAS;
	CHECK(write_status(&event, 12) == TAP3_UNWRITABLE);
	event = call;
	event.type = TAP3_EVENT_NONE;
	CHECK(write_status(&event, 12) == TAP3_UNWRITABLE);
	CHECK(write_status(&call, 9) == TAP3_UNWRITABLE);	/* taxable amount */
	event = call;
	strcpy(event.other_party, "*100#");
	CHECK(write_status(&event, 12) == TAP3_OK);
	event.present &= ~TAP3_BIT(TAP3_FIELD_TAXABLE_AMOUNT);
	CHECK(write_status(&event, 9) == TAP3_UNWRITABLE);	/* no text destination in 3.9 */

	tap3_writer_init(&writer, buffer, sizeof(buffer), 12, false);
	tap3_write_event(&writer, &call);
	CHECK(writer.status == TAP3_BUFFER_FULL);
}

int
main(void)
{
	for (int release = TAP3_RELEASE_MIN; release <= TAP3_RELEASE_MAX; release++)
	{
		test_round_trip(release, false);
		test_round_trip(release, true);
	}
	test_notification();
	test_single_octets();
	test_refusals();
	return finish("test_write");
}
