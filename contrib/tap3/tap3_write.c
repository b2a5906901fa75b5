/*-------------------------------------------------------------------------
 *
 * tap3_write.c
 *	  The encoder (see tap3_write.h).
 *
 * Definite lengths have the fewest octets (libtasn1's asn1_length_der).  A
 * small group is written contents first and then moved up by the size of its
 * header; the three groups that can be large - the batch, the event list -
 * have their lengths from the plan.
 *
 * The items of an event stand in the order of the standard's SEQUENCEs.  What
 * the standard marks mandatory but no column carries is written with a
 * neutral value, said at the place.
 *
 * Invariant: nothing is stored beyond capacity; size goes on counting.
 *
 *-------------------------------------------------------------------------
 */
#include "tap3_write.h"

#include <string.h>

#include "tap3_canonical.h"
#include "tap3_schema.h"
#include "tap3_value.h"

static void put_bytes(Tap3Writer *writer, const void *bytes, size_t size);
static size_t group_size(const Tap3Plan *plan, uint32_t tag, size_t size);
static void put_group_header(Tap3Writer *writer, uint32_t tag, size_t size);
static void put_group_end(Tap3Writer *writer);
static size_t begin_group(Tap3Writer *writer);
static void end_group(Tap3Writer *writer, size_t start, uint32_t tag);
static void put_item(Tap3Writer *writer, uint32_t tag, const void *bytes, size_t size);
static void put_integer(Tap3Writer *writer, uint32_t tag, int64_t value);
static void put_text(Tap3Writer *writer, uint32_t tag, const char *text);
static void put_optional(Tap3Writer *writer, uint32_t tag, const char *text);
static void put_bcd(Tap3Writer *writer, uint32_t tag, const char *digits);
static void put_time(Tap3Writer *writer, uint32_t tag, const char *local, const char *offset);

static void write_head(Tap3Writer *writer, const Tap3Plan *plan);
static void write_control(Tap3Writer *writer, const Tap3Header *header);
static void write_control_items(Tap3Writer *writer, const Tap3Header *header);
static void write_accounting(Tap3Writer *writer, const Tap3Header *header);
static void write_network(Tap3Writer *writer, const Tap3Header *header);
static void write_messages(Tap3Writer *writer);
static void write_tail(Tap3Writer *writer, const Tap3Plan *plan);

static bool is_writable(const Tap3Writer *writer, const Tap3Event *event);
static void write_call(Tap3Writer *writer, const Tap3Event *event);
static void write_supplementary(Tap3Writer *writer, const Tap3Event *event);
static void write_service_centre(Tap3Writer *writer, const Tap3Event *event);
static void write_gprs(Tap3Writer *writer, const Tap3Event *event);
static void write_content(Tap3Writer *writer, const Tap3Event *event);
static void put_content_service(Tap3Writer *writer, const Tap3Event *event, bool refund);
static void write_location(Tap3Writer *writer, const Tap3Event *event);
static void write_messaging(Tap3Writer *writer, const Tap3Event *event);
static void write_session(Tap3Writer *writer, const Tap3Event *event);
static void write_value_added(Tap3Writer *writer, const Tap3Event *event);

static void put_start(Tap3Writer *writer, uint32_t tag, const Tap3Event *event);
static void put_subscriber(Tap3Writer *writer, const Tap3Event *event);
static void put_identification(Tap3Writer *writer, uint32_t tag, uint32_t type_tag,
							   uint32_t id_tag, const Tap3Event *event);
static void put_charged_party(Tap3Writer *writer, const Tap3Event *event);
static void put_equipment(Tap3Writer *writer, const Tap3Event *event);
static void put_other_party(Tap3Writer *writer, const Tap3Event *event, uint32_t group,
							uint32_t bcd_tag, uint32_t text_tag);
static void put_location(Tap3Writer *writer, const Tap3Event *event);
static void put_basic_service(Tap3Writer *writer, const Tap3Event *event);
static void put_area(Tap3Writer *writer, const Tap3Event *event);
static void put_charges(Tap3Writer *writer, const Tap3Event *event);
static void put_charge(Tap3Writer *writer, uint32_t tag, const Tap3Event *event, int64_t charge,
					   int64_t tax, int64_t discount);
static void put_call_type(Tap3Writer *writer, const Tap3Event *event);
static void put_tax(Tap3Writer *writer, const Tap3Event *event, int64_t tax);

Tap3Status
tap3_write_plan(Tap3Plan *plan, const Tap3Header *header, bool indefinite,
				Tap3EventSource source, void *context, uint32_t event_count)
{
	Tap3Writer	counter;
	Tap3Event	event;
	uint8_t		buffer[TAP3_EVENT_SIZE_MAX];
	Tap3Status	status;

	memset(plan, 0, sizeof(*plan));
	plan->header = header;
	plan->indefinite = indefinite;
	plan->source = source;
	plan->source_context = context;
	plan->event_count = event_count;
	strcpy(plan->offset, header->utc_offsets.count > 0 ?
		   header->utc_offsets.entries[0].text : "+0000");
	for (uint32_t number = 1; number <= event_count; number++)
	{
		plan->failed_event = number;
		status = source(context, number, &event);
		if (status != TAP3_OK)
			return status;
		tap3_writer_init(&counter, buffer, sizeof(buffer), header->release, indefinite);
		tap3_write_event(&counter, &event);
		if (counter.status != TAP3_OK)
			return counter.status;
		plan->events_size += counter.size;
		if (plan->events_size > TAP3_FILE_SIZE_MAX)
			return TAP3_TOO_LARGE;
		if (!tap3_totals_add(&plan->totals, &event))
			return TAP3_SUM_RANGE;
		if (event.start_known && (!plan->any_start || event.start_seconds < plan->earliest))
			plan->earliest = event.start_seconds;
		if (event.start_known && (!plan->any_start || event.start_seconds > plan->latest))
			plan->latest = event.start_seconds;
		plan->any_start |= event.start_known;
	}
	plan->failed_event = 0;

	tap3_writer_init(&counter, NULL, 0, header->release, indefinite);
	write_head(&counter, plan);
	plan->head_size = counter.size;
	if (header->notification)
		plan->file_size = plan->head_size;
	else
	{
		write_tail(&counter, plan);
		plan->tail_size = counter.size - plan->head_size;
		plan->file_size = group_size(plan, TAP3_TAG_TransferBatch, plan->head_size +
									 group_size(plan, TAP3_TAG_CallEventDetailList,
												plan->events_size) + plan->tail_size);
	}
	if (counter.status == TAP3_OK && plan->file_size > TAP3_FILE_SIZE_MAX)
		return TAP3_TOO_LARGE;
	return counter.status;
}

/* data must hold plan->file_size octets. */
Tap3Status
tap3_write_file(Tap3Plan *plan, uint8_t *data, size_t capacity, size_t *size)
{
	Tap3Writer	writer;
	Tap3Writer	item;
	Tap3Event	event;
	uint8_t		buffer[TAP3_EVENT_SIZE_MAX];
	Tap3Status	status;

	tap3_writer_init(&writer, data, capacity, plan->header->release, plan->indefinite);
	if (!plan->header->notification)
		put_group_header(&writer, TAP3_TAG_TransferBatch, plan->head_size +
						 group_size(plan, TAP3_TAG_CallEventDetailList, plan->events_size) +
						 plan->tail_size);
	write_head(&writer, plan);
	if (!plan->header->notification)
	{
		put_group_header(&writer, TAP3_TAG_CallEventDetailList, plan->events_size);
		for (uint32_t number = 1; number <= plan->event_count; number++)
		{
			status = plan->source(plan->source_context, number, &event);
			if (status != TAP3_OK)
				return status;
			tap3_writer_init(&item, buffer, sizeof(buffer), plan->header->release,
							 plan->indefinite);
			tap3_write_event(&item, &event);
			if (item.status != TAP3_OK)
				return item.status;
			put_bytes(&writer, buffer, item.size);
		}
		put_group_end(&writer);
		write_tail(&writer, plan);
		put_group_end(&writer);
	}
	*size = writer.size;
	if (writer.status == TAP3_OK && writer.size != plan->file_size)
		return TAP3_UNWRITABLE;	/* the source changed between the passes */
	return writer.status;
}

void
tap3_writer_init(Tap3Writer *writer, void *data, size_t capacity, int32_t release, bool indefinite)
{
	writer->data = data;
	writer->capacity = (data == NULL) ? 0 : capacity;
	writer->size = 0;
	writer->status = TAP3_OK;
	writer->indefinite = indefinite;
	writer->release = release;
	writer->old_form = release <= 10;
}

void
tap3_write_event(Tap3Writer *writer, const Tap3Event *event)
{
	if (!is_writable(writer, event))
	{
		writer->status = TAP3_UNWRITABLE;
		return;
	}
	switch (event->type)
	{
		case TAP3_EVENT_MOC:
		case TAP3_EVENT_MTC:
			write_call(writer, event);
			break;
		case TAP3_EVENT_SSE:
			write_supplementary(writer, event);
			break;
		case TAP3_EVENT_SCU:
			write_service_centre(writer, event);
			break;
		case TAP3_EVENT_GPRS:
			write_gprs(writer, event);
			break;
		case TAP3_EVENT_CONTENT:
			write_content(writer, event);
			break;
		case TAP3_EVENT_LOCATION:
			write_location(writer, event);
			break;
		case TAP3_EVENT_MESSAGING:
			write_messaging(writer, event);
			break;
		case TAP3_EVENT_SESSION:
			write_session(writer, event);
			break;
		case TAP3_EVENT_VAS:
			write_value_added(writer, event);
			break;
		default:
			writer->status = TAP3_UNWRITABLE;
	}
}

/*
 * Octets, items and groups
 */

static void
put_bytes(Tap3Writer *writer, const void *bytes, size_t size)
{
	if (writer->data != NULL && size > 0)
	{
		if (writer->size <= writer->capacity && size <= writer->capacity - writer->size)
			memcpy(writer->data + writer->size, bytes, size);
		else if (writer->status == TAP3_OK)
			writer->status = TAP3_BUFFER_FULL;
	}
	writer->size += size;
}

/* The octets of a group with that many octets of contents. */
static size_t
group_size(const Tap3Plan *plan, uint32_t tag, size_t size)
{
	uint8_t		header[TAP3_ITEM_HEADER_MAX];

	return tap3_item_header(header, TAP3_CLASS_APPLICATION, tag, true, plan->indefinite, size) +
		size + (plan->indefinite ? 2 : 0);
}

static void
put_group_header(Tap3Writer *writer, uint32_t tag, size_t size)
{
	uint8_t		header[TAP3_ITEM_HEADER_MAX];

	put_bytes(writer, header, tap3_item_header(header, TAP3_CLASS_APPLICATION, tag, true,
											   writer->indefinite, size));
}

static void
put_group_end(Tap3Writer *writer)
{
	if (writer->indefinite)
		put_bytes(writer, "\0\0", 2);
}

static size_t
begin_group(Tap3Writer *writer)
{
	return writer->size;
}

/* Gives the octets since begin_group their header. */
static void
end_group(Tap3Writer *writer, size_t start, uint32_t tag)
{
	uint8_t		header[TAP3_ITEM_HEADER_MAX];
	size_t		contents = writer->size - start;
	size_t		size = tap3_item_header(header, TAP3_CLASS_APPLICATION, tag, true,
										writer->indefinite, contents);

	if (writer->data != NULL)
	{
		if (writer->status == TAP3_OK && size <= writer->capacity - writer->size)
		{
			memmove(writer->data + start + size, writer->data + start, contents);
			memcpy(writer->data + start, header, size);
		}
		else if (writer->status == TAP3_OK)
			writer->status = TAP3_BUFFER_FULL;
	}
	writer->size += size;
	put_group_end(writer);
}

static void
put_item(Tap3Writer *writer, uint32_t tag, const void *bytes, size_t size)
{
	uint8_t		header[TAP3_ITEM_HEADER_MAX];

	put_bytes(writer, header, tap3_item_header(header, TAP3_CLASS_APPLICATION, tag, false, false,
											   size));
	put_bytes(writer, bytes, size);
}

static void
put_integer(Tap3Writer *writer, uint32_t tag, int64_t value)
{
	uint8_t		octets[8];
	size_t		size = tap3_value_put_integer(octets, value);

	put_item(writer, tag, octets, size);
}

static void
put_text(Tap3Writer *writer, uint32_t tag, const char *text)
{
	put_item(writer, tag, text, strlen(text));
}

static void
put_optional(Tap3Writer *writer, uint32_t tag, const char *text)
{
	if (text[0] != '\0')
		put_text(writer, tag, text);
}

static void
put_bcd(Tap3Writer *writer, uint32_t tag, const char *digits)
{
	uint8_t		octets[TAP3_TEXT_MAX / 2 + 1];
	size_t		size;

	if (digits[0] == '\0')
		return;
	size = tap3_value_put_bcd(octets, sizeof(octets), digits);
	if (size == 0 && writer->status == TAP3_OK)
		writer->status = TAP3_UNWRITABLE;
	put_item(writer, tag, octets, size);
}

static void
put_time(Tap3Writer *writer, uint32_t tag, const char *local, const char *offset)
{
	size_t		start = begin_group(writer);

	if (local[0] == '\0')
		return;
	put_text(writer, TAP3_TAG_LocalTimeStamp, local);
	put_optional(writer, TAP3_TAG_UtcTimeOffset, offset);
	end_group(writer, start, tag);
}

/*
 * The groups around the events
 */

static void
write_head(Tap3Writer *writer, const Tap3Plan *plan)
{
	const Tap3Header *header = plan->header;

	write_control(writer, header);
	if (header->notification)
		return;
	write_accounting(writer, header);
	write_network(writer, header);
	write_messages(writer);
}

static void
write_control(Tap3Writer *writer, const Tap3Header *header)
{
	size_t		start = begin_group(writer);

	write_control_items(writer, header);
	end_group(writer, start, header->notification ? TAP3_TAG_Notification :
			  TAP3_TAG_BatchControlInfo);
}

static void
write_control_items(Tap3Writer *writer, const Tap3Header *header)
{
	put_optional(writer, TAP3_TAG_Sender, header->sender);
	put_optional(writer, TAP3_TAG_Recipient, header->recipient);
	put_optional(writer, TAP3_TAG_FileSequenceNumber, header->sequence);
	if (header->notification)
	{
		/* the same items, in this form's own order */
		put_optional(writer, TAP3_TAG_RapFileSequenceNumber, header->rap_sequence);
		put_time(writer, TAP3_TAG_FileCreationTimeStamp, header->created, header->created_offset);
		put_time(writer, TAP3_TAG_FileAvailableTimeStamp, header->available,
				 header->available_offset);
		put_time(writer, TAP3_TAG_TransferCutOffTimeStamp, header->cutoff, header->cutoff_offset);
	}
	else
	{
		put_time(writer, TAP3_TAG_FileCreationTimeStamp, header->created, header->created_offset);
		put_time(writer, TAP3_TAG_TransferCutOffTimeStamp, header->cutoff, header->cutoff_offset);
		put_time(writer, TAP3_TAG_FileAvailableTimeStamp, header->available,
				 header->available_offset);
	}
	put_integer(writer, TAP3_TAG_SpecificationVersionNumber, TAP3_SPECIFICATION);
	put_integer(writer, TAP3_TAG_ReleaseVersionNumber, header->release);
	put_optional(writer, TAP3_TAG_FileTypeIndicator, header->file_type);
	if (!header->notification)
		put_optional(writer, TAP3_TAG_RapFileSequenceNumber, header->rap_sequence);
}

static void
write_accounting(Tap3Writer *writer, const Tap3Header *header)
{
	size_t		group = begin_group(writer);
	size_t		list = begin_group(writer);
	size_t		entry;

	for (unsigned i = 0; i < header->taxes.count; i++)
	{
		const Tap3Entry *tax = &header->taxes.entries[i];
		char		rate[TAP3_AMOUNT_TEXT_MAX];

		entry = begin_group(writer);
		put_integer(writer, TAP3_TAG_TaxCode, tax->code);
		put_optional(writer, TAP3_TAG_TaxType, tax->kind);
		if (tax->has_value)
		{
			/* seven digits, five of them behind the point */
			tap3_value_amount(rate, tax->value + 10000000, 0);
			if (tax->value < 0 || strlen(rate) != 8)
				writer->status = TAP3_UNWRITABLE;
			put_text(writer, TAP3_TAG_TaxRate, rate + 1);
		}
		end_group(writer, entry, TAP3_TAG_Taxation);
	}
	if (header->taxes.count > 0)
		end_group(writer, list, TAP3_TAG_TaxationList);

	list = begin_group(writer);
	for (unsigned i = 0; i < header->discounts.count; i++)
	{
		const Tap3Entry *discount = &header->discounts.entries[i];
		size_t		applied;

		entry = begin_group(writer);
		put_integer(writer, TAP3_TAG_DiscountCode, discount->code);
		applied = begin_group(writer);
		if (discount->has_fixed)
			put_integer(writer, writer->old_form ? TAP3_TAG_DiscountValue :
						TAP3_TAG_FixedDiscountValue, discount->fixed);
		else
			put_integer(writer, TAP3_TAG_DiscountRate, discount->value);
		if (!writer->old_form)
			end_group(writer, applied, TAP3_TAG_DiscountApplied);
		end_group(writer, entry, TAP3_TAG_Discounting);
	}
	if (header->discounts.count > 0)
		end_group(writer, list, TAP3_TAG_DiscountingList);
	put_optional(writer, TAP3_TAG_LocalCurrency, header->local_currency);
	put_optional(writer, TAP3_TAG_TapCurrency, header->tap_currency);

	list = begin_group(writer);
	for (unsigned i = 0; i < header->exchange_rates.count; i++)
	{
		const Tap3Entry *rate = &header->exchange_rates.entries[i];

		entry = begin_group(writer);
		put_integer(writer, TAP3_TAG_ExchangeRateCode, rate->code);
		put_integer(writer, TAP3_TAG_NumberOfDecimalPlaces, rate->places);
		put_integer(writer, TAP3_TAG_ExchangeRate, rate->value);
		end_group(writer, entry, TAP3_TAG_CurrencyConversion);
	}
	if (header->exchange_rates.count > 0)
		end_group(writer, list, TAP3_TAG_CurrencyConversionList);
	put_integer(writer, TAP3_TAG_TapDecimalPlaces, header->decimal_places);
	end_group(writer, group, TAP3_TAG_AccountingInfo);
}

static void
write_network(Tap3Writer *writer, const Tap3Header *header)
{
	size_t		group = begin_group(writer);
	size_t		list = begin_group(writer);
	size_t		entry;

	for (unsigned i = 0; i < header->utc_offsets.count; i++)
	{
		entry = begin_group(writer);
		put_integer(writer, TAP3_TAG_UtcTimeOffsetCode, header->utc_offsets.entries[i].code);
		put_optional(writer, TAP3_TAG_UtcTimeOffset, header->utc_offsets.entries[i].text);
		end_group(writer, entry, TAP3_TAG_UtcTimeOffsetInfo);
	}
	end_group(writer, list, TAP3_TAG_UtcTimeOffsetInfoList);

	list = begin_group(writer);
	for (unsigned i = 0; i < header->rec_entities.count; i++)
	{
		const Tap3RecEntity *entity = &header->rec_entities.entries[i];

		entry = begin_group(writer);
		put_integer(writer, TAP3_TAG_RecEntityCode, entity->code);
		put_integer(writer, TAP3_TAG_RecEntityType, entity->type);
		put_optional(writer, writer->old_form ? TAP3_TAG_MscId : TAP3_TAG_RecEntityId, entity->id);
		end_group(writer, entry, TAP3_TAG_RecEntityInformation);
	}
	if (header->rec_entities.count > 0)
		end_group(writer, list, TAP3_TAG_RecEntityInfoList);
	end_group(writer, group, TAP3_TAG_NetworkInfo);
}

/* One entry, for the mandatory code of service centre usage. */
static void
write_messages(Tap3Writer *writer)
{
	size_t		list = begin_group(writer);
	size_t		entry = begin_group(writer);

	put_integer(writer, TAP3_TAG_MessageDescriptionCode, 1);
	put_text(writer, TAP3_TAG_MessageDescription, "MESSAGE");
	end_group(writer, entry, TAP3_TAG_MessageDescriptionInformation);
	end_group(writer, list, TAP3_TAG_MessageDescriptionInfoList);
}

static void
write_tail(Tap3Writer *writer, const Tap3Plan *plan)
{
	const Tap3Totals *totals = &plan->totals;
	size_t		group = begin_group(writer);
	char		local[15];

	if (plan->any_start)
	{
		tap3_value_put_time(local, plan->earliest, plan->offset);
		put_time(writer, TAP3_TAG_EarliestCallTimeStamp, local, plan->offset);
		tap3_value_put_time(local, plan->latest, plan->offset);
		put_time(writer, TAP3_TAG_LatestCallTimeStamp, local, plan->offset);
	}
	if (writer->old_form)
	{
		size_t		list = begin_group(writer);
		size_t		entry = begin_group(writer);

		put_text(writer, TAP3_TAG_ChargeType, "00");
		put_integer(writer, TAP3_TAG_AbsoluteAmount, totals->charge);
		if (totals->charge_refund != 0)
			put_integer(writer, TAP3_TAG_TotalChargeRefund, totals->charge_refund);
		end_group(writer, entry, TAP3_TAG_TotalChargeValue);
		end_group(writer, list, TAP3_TAG_TotalChargeValueList);
	}
	else
	{
		put_integer(writer, TAP3_TAG_TotalCharge, totals->charge);
		if (totals->charge_refund != 0)
			put_integer(writer, TAP3_TAG_TotalChargeRefund, totals->charge_refund);
	}
	if (totals->tax_refund != 0)
		put_integer(writer, TAP3_TAG_TotalTaxRefund, totals->tax_refund);
	put_integer(writer, TAP3_TAG_TotalTaxValue, totals->tax);
	put_integer(writer, TAP3_TAG_TotalDiscountValue, totals->discount);
	if (totals->discount_refund != 0)
		put_integer(writer, TAP3_TAG_TotalDiscountRefund, totals->discount_refund);
	put_integer(writer, TAP3_TAG_CallEventDetailsCount, totals->event_count);
	end_group(writer, group, TAP3_TAG_AuditControlInfo);
}

/*
 * The events
 */

/* A value that the type or the release has no item for is refused, not lost. */
static bool
is_writable(const Tap3Writer *writer, const Tap3Event *event)
{
#define BIT(field) TAP3_BIT(TAP3_FIELD_##field)
#define ALL (BIT(SUBSCRIBER) | BIT(IMSI) | BIT(MSISDN) | BIT(START_LOCAL) | BIT(UTC_CODE) | \
			 BIT(EXCHANGE_RATE_CODE) | BIT(CALL_TYPE_1) | BIT(CALL_TYPE_2) | BIT(CALL_TYPE_3) | \
			 BIT(CHARGE) | BIT(TAX_CODE) | BIT(TAX_VALUE) | BIT(TAXABLE_AMOUNT))
#define ITEM (BIT(CHARGED_ITEM) | BIT(DISCOUNT_CODE) | BIT(DISCOUNT))
#define PLACE (BIT(REC_ENTITY) | BIT(LOCATION_AREA) | BIT(CELL_ID) | BIT(EQUIPMENT))
#define CALL (ALL | ITEM | PLACE | BIT(DURATION) | BIT(OTHER_PARTY) | BIT(SERVICE_TELE) | \
			  BIT(SERVICE_BEARER) | BIT(CAUSE_FOR_TERM) | BIT(CALL_REFERENCE))
#define VOLUME (BIT(VOLUME_IN) | BIT(VOLUME_OUT))
	static const uint64_t written[TAP3_EVENT_TYPE_COUNT] = {
		[TAP3_EVENT_MOC] = CALL,
		[TAP3_EVENT_MTC] = CALL,
		[TAP3_EVENT_SSE] = ALL | ITEM | PLACE | BIT(SERVICE_SUPPLEMENTARY) | BIT(CALL_REFERENCE),
		[TAP3_EVENT_SCU] = ALL | ITEM | BIT(REC_ENTITY) | BIT(OTHER_PARTY),
		[TAP3_EVENT_GPRS] = ALL | ITEM | PLACE | VOLUME | BIT(DURATION) | BIT(APN) |
		BIT(CAUSE_FOR_TERM) | BIT(PARTIAL_TYPE) | BIT(CHARGING_ID),
		[TAP3_EVENT_CONTENT] = ALL | ITEM | VOLUME | BIT(DURATION) | BIT(OTHER_PARTY) |
		BIT(EQUIPMENT),
		[TAP3_EVENT_LOCATION] = ALL | ITEM | BIT(REC_ENTITY) | BIT(CALL_REFERENCE) | BIT(EQUIPMENT),
		[TAP3_EVENT_MESSAGING] = ALL | PLACE | BIT(SERVICE_MESSAGING) | BIT(CALL_REFERENCE) |
		BIT(OTHER_PARTY),
		[TAP3_EVENT_SESSION] = ALL | PLACE | BIT(CHARGED_ITEM) | BIT(SERVICE_SESSION) |
		BIT(CALL_REFERENCE) | BIT(OTHER_PARTY) | BIT(DURATION) | BIT(CAUSE_FOR_TERM),
		[TAP3_EVENT_VAS] = ALL | ITEM,
	};
	const uint64_t parts = BIT(PART_CHARGE_TYPE) | BIT(PART_CHARGE) | BIT(PART_REFUND) |
		BIT(PART_ID_TYPE) | BIT(PART_ID);
	bool		refunded = event->charge_refund != 0 || event->tax_refund != 0 ||
		event->discount_refund != 0;

	if ((unsigned) event->type >= TAP3_EVENT_TYPE_COUNT ||
		(event->present & ~parts & ~written[event->type]) != 0)
		return false;
	if ((event->type == TAP3_EVENT_VAS && writer->release > 10) ||
		(event->type == TAP3_EVENT_LOCATION && writer->release < 10) ||
		((event->type == TAP3_EVENT_MESSAGING || event->type == TAP3_EVENT_SESSION) &&
		 writer->release < 12))
		return false;
	if (writer->release < 10 && tap3_has(event, TAP3_FIELD_TAXABLE_AMOUNT))
		return false;
	if (refunded && event->type != TAP3_EVENT_CONTENT)
		return false;
	if (event->charge_type[0] != '\0' && strcmp(event->charge_type, "00") != 0)
		return false;

	/* amounts stand beside their codes, and all of them in a charge information */
	if ((!tap3_has(event, TAP3_FIELD_TAX_CODE) &&
		 (event->present & (BIT(TAX_VALUE) | BIT(TAXABLE_AMOUNT))) != 0) ||
		(!tap3_has(event, TAP3_FIELD_DISCOUNT_CODE) && tap3_has(event, TAP3_FIELD_DISCOUNT)))
		return false;
	return tap3_has(event, TAP3_FIELD_CHARGE) || event->type == TAP3_EVENT_MESSAGING ||
		(event->present & (ITEM | BIT(TAX_CODE) | BIT(EXCHANGE_RATE_CODE) | BIT(CALL_TYPE_1) |
						   BIT(CALL_TYPE_2) | BIT(CALL_TYPE_3))) == 0;
#undef VOLUME
#undef CALL
#undef PLACE
#undef ITEM
#undef ALL
#undef BIT
}

static void
write_call(Tap3Writer *writer, const Tap3Event *event)
{
	bool		originated = event->type == TAP3_EVENT_MOC;
	size_t		call = begin_group(writer);
	size_t		group = begin_group(writer);

	put_subscriber(writer, event);
	if (originated)
		put_other_party(writer, event, TAP3_TAG_Destination, writer->old_form ?
						TAP3_TAG_AddressStringDigits : TAP3_TAG_CalledNumber,
						TAP3_TAG_DialledDigits);
	else
		put_other_party(writer, event, TAP3_TAG_CallOriginator, writer->old_form ?
						TAP3_TAG_AddressStringDigits : TAP3_TAG_CallingNumber,
						TAP3_TAG_SMSOriginator);
	put_start(writer, TAP3_TAG_CallEventStartTimeStamp, event);
	if (tap3_has(event, TAP3_FIELD_DURATION))
		put_integer(writer, TAP3_TAG_TotalCallEventDuration, event->duration_s);
	if (tap3_has(event, TAP3_FIELD_CAUSE_FOR_TERM))
		put_integer(writer, TAP3_TAG_CauseForTerm, event->cause_for_term);
	end_group(writer, group, originated ? TAP3_TAG_MoBasicCallInformation :
			  TAP3_TAG_MtBasicCallInformation);
	put_location(writer, event);
	put_equipment(writer, event);
	put_basic_service(writer, event);
	end_group(writer, call, originated ? TAP3_TAG_MobileOriginatedCall :
			  TAP3_TAG_MobileTerminatedCall);
}

/* The action code is mandatory and in no column: 0. */
static void
write_supplementary(Tap3Writer *writer, const Tap3Event *event)
{
	size_t		call = begin_group(writer);
	size_t		group;

	put_subscriber(writer, event);
	put_location(writer, event);
	put_equipment(writer, event);
	group = begin_group(writer);
	put_optional(writer, TAP3_TAG_SupplServiceCode, event->service_code);
	put_integer(writer, TAP3_TAG_SupplServiceActionCode, 0);
	put_start(writer, TAP3_TAG_ChargingTimeStamp, event);
	if (tap3_has(event, TAP3_FIELD_CHARGE))
		put_charge(writer, TAP3_TAG_ChargeInformation, event, event->charge, event->tax_value,
				   event->discount);
	end_group(writer, group, TAP3_TAG_SupplServiceUsed);
	end_group(writer, call, TAP3_TAG_SupplServiceEvent);
}

/* Mandatory and in no column: party status, message status, priority, type, point: 0, 0, 0, 0, "0". */
static void
write_service_centre(Tap3Writer *writer, const Tap3Event *event)
{
	size_t		call = begin_group(writer);
	size_t		basic = begin_group(writer);
	size_t		choice = begin_group(writer);
	size_t		group = begin_group(writer);
	bool		subscriber = event->imsi[0] != '\0' || event->msisdn[0] != '\0';

	put_bcd(writer, TAP3_TAG_Imsi, event->imsi);
	put_bcd(writer, TAP3_TAG_Msisdn, event->msisdn);
	if (subscriber)
		end_group(writer, group, writer->release == 9 ? TAP3_TAG_SimChargeableSubscriber :
				  TAP3_TAG_GsmChargeableSubscriber);
	if (subscriber && !writer->old_form)
		end_group(writer, choice, TAP3_TAG_ScuChargeableSubscriber);
	put_integer(writer, TAP3_TAG_ChargedPartyStatus, 0);
	if (writer->old_form)
		put_other_party(writer, event, TAP3_TAG_NonChargedPartyOld, TAP3_TAG_AddressStringDigits, 0);
	else
		put_optional(writer, TAP3_TAG_NonChargedNumber, event->other_party);
	end_group(writer, basic, TAP3_TAG_ScuBasicInformation);
	if (tap3_has(event, TAP3_FIELD_REC_ENTITY))
		put_integer(writer, TAP3_TAG_RecEntityCode, event->rec_entity_code);
	if (tap3_has(event, TAP3_FIELD_CHARGE))
		put_charge(writer, TAP3_TAG_ChargeInformation, event, event->charge, event->tax_value,
				   event->discount);
	group = begin_group(writer);
	put_integer(writer, TAP3_TAG_MessageStatus, 0);
	put_integer(writer, TAP3_TAG_PriorityCode, 0);
	put_integer(writer, TAP3_TAG_MessageType, 0);
	put_integer(writer, TAP3_TAG_MessageDescriptionCode, 1);
	end_group(writer, group, TAP3_TAG_ScuChargeType);
	group = begin_group(writer);
	put_start(writer, TAP3_TAG_DepositTimeStamp, event);
	put_start(writer, TAP3_TAG_CompletionTimeStamp, event);
	put_text(writer, TAP3_TAG_ChargingPoint, "0");
	end_group(writer, group, TAP3_TAG_ScuTimeStamps);
	end_group(writer, call, TAP3_TAG_ServiceCentreUsage);
}

static void
write_gprs(Tap3Writer *writer, const Tap3Event *event)
{
	size_t		call = begin_group(writer);
	size_t		basic = begin_group(writer);
	size_t		group = begin_group(writer);
	size_t		list;
	size_t		usage;
	size_t		entry;

	put_subscriber(writer, event);
	end_group(writer, group, TAP3_TAG_GprsChargeableSubscriber);
	if (event->apn[0] != '\0')
	{
		group = begin_group(writer);
		put_text(writer, TAP3_TAG_AccessPointNameNI, event->apn);
		end_group(writer, group, TAP3_TAG_GprsDestination);
	}
	put_start(writer, TAP3_TAG_CallEventStartTimeStamp, event);
	if (tap3_has(event, TAP3_FIELD_DURATION))
		put_integer(writer, TAP3_TAG_TotalCallEventDuration, event->duration_s);
	if (tap3_has(event, TAP3_FIELD_CAUSE_FOR_TERM))
		put_integer(writer, TAP3_TAG_CauseForTerm, event->cause_for_term);
	put_optional(writer, TAP3_TAG_PartialTypeIndicator, event->partial_type);
	if (tap3_has(event, TAP3_FIELD_CHARGING_ID))
		put_integer(writer, TAP3_TAG_ChargingId, event->charging_id);
	end_group(writer, basic, TAP3_TAG_GprsBasicCallInformation);

	basic = begin_group(writer);
	group = begin_group(writer);
	list = begin_group(writer);
	if (tap3_has(event, TAP3_FIELD_REC_ENTITY))
	{
		put_integer(writer, TAP3_TAG_RecEntityCode, event->rec_entity_code);
		end_group(writer, list, TAP3_TAG_RecEntityCodeList);
	}
	put_area(writer, event);
	end_group(writer, group, TAP3_TAG_GprsNetworkLocation);
	end_group(writer, basic, TAP3_TAG_GprsLocationInformation);
	put_equipment(writer, event);

	group = begin_group(writer);
	usage = begin_group(writer);
	entry = begin_group(writer);
	if (tap3_has(event, TAP3_FIELD_VOLUME_IN))
		put_integer(writer, TAP3_TAG_DataVolumeIncoming, event->volume_in);
	if (tap3_has(event, TAP3_FIELD_VOLUME_OUT))
		put_integer(writer, TAP3_TAG_DataVolumeOutgoing, event->volume_out);
	if (writer->old_form)
	{
		end_group(writer, entry, TAP3_TAG_GprsServiceUsage);
		end_group(writer, usage, TAP3_TAG_GprsServiceUsageList);
	}
	put_charges(writer, event);
	end_group(writer, group, TAP3_TAG_GprsServiceUsed);
	end_group(writer, call, TAP3_TAG_GprsCall);
}

/* Mandatory and in no column: transaction code, type, description, identifier: 0, 0, "CONTENT", "0". */
static void
write_content(Tap3Writer *writer, const Tap3Event *event)
{
	/* charged and refunded services are two entries */
	bool		refunded = event->charge_refund != 0 || event->tax_refund != 0 ||
		event->discount_refund != 0;
	bool		charged = event->charge != 0 || event->tax_value != 0 || event->discount != 0 ||
		tap3_has(event, TAP3_FIELD_VOLUME_IN) || tap3_has(event, TAP3_FIELD_VOLUME_OUT) ||
		tap3_has(event, TAP3_FIELD_TAXABLE_AMOUNT);
	size_t		call = begin_group(writer);
	size_t		group = begin_group(writer);
	size_t		list;

	put_start(writer, TAP3_TAG_OrderPlacedTimeStamp, event);
	if (tap3_has(event, TAP3_FIELD_DURATION))
		put_integer(writer, writer->old_form ? TAP3_TAG_TotalCallEventDuration :
					TAP3_TAG_TotalTransactionDuration, event->duration_s);
	end_group(writer, group, TAP3_TAG_ContentTransactionBasicInfo);
	group = begin_group(writer);
	list = begin_group(writer);
	put_identification(writer, TAP3_TAG_ChargedPartyIdentification, TAP3_TAG_ChargedPartyIdType,
					   TAP3_TAG_ChargedPartyIdentifier, event);
	end_group(writer, list, TAP3_TAG_ChargedPartyIdList);
	if (event->equipment[0] != '\0')
	{
		list = begin_group(writer);
		put_integer(writer, TAP3_TAG_EquipmentIdType, 1);
		put_text(writer, TAP3_TAG_EquipmentId, event->equipment);
		end_group(writer, list, TAP3_TAG_ChargedPartyEquipment);
	}
	end_group(writer, group, TAP3_TAG_ChargedPartyInformation);
	group = begin_group(writer);
	put_optional(writer, TAP3_TAG_ContentProviderName, event->other_party);
	end_group(writer, group, TAP3_TAG_ServingPartiesInformation);

	list = begin_group(writer);
	if (charged || !refunded)
		put_content_service(writer, event, false);
	if (refunded)
	{
		Tap3Event	refund = *event;

		refund.present &= ~(TAP3_BIT(TAP3_FIELD_VOLUME_IN) | TAP3_BIT(TAP3_FIELD_VOLUME_OUT) |
							TAP3_BIT(TAP3_FIELD_TAXABLE_AMOUNT));
		put_content_service(writer, &refund, true);
	}
	if (writer->release != 9)
		end_group(writer, list, TAP3_TAG_ContentServiceUsedList);
	end_group(writer, call, TAP3_TAG_ContentTransaction);
}

static void
put_content_service(Tap3Writer *writer, const Tap3Event *event, bool refund)
{
	size_t		group = begin_group(writer);
	size_t		list;

	put_integer(writer, TAP3_TAG_ContentTransactionCode, 0);
	put_integer(writer, TAP3_TAG_ContentTransactionType, 0);
	put_text(writer, TAP3_TAG_TransactionShortDescription, "CONTENT");
	put_text(writer, TAP3_TAG_TransactionIdentifier, "0");
	if (tap3_has(event, TAP3_FIELD_VOLUME_IN))
		put_integer(writer, TAP3_TAG_DataVolumeIncoming, event->volume_in);
	if (tap3_has(event, TAP3_FIELD_VOLUME_OUT))
		put_integer(writer, TAP3_TAG_DataVolumeOutgoing, event->volume_out);
	if (refund)
		put_integer(writer, TAP3_TAG_ChargeRefundIndicator, 1);
	if (tap3_has(event, TAP3_FIELD_CHARGE))
	{
		list = begin_group(writer);
		put_charge(writer, TAP3_TAG_ChargeInformation, event,
				   refund ? event->charge_refund : event->charge,
				   refund ? event->tax_refund : event->tax_value,
				   refund ? event->discount_refund : event->discount);
		end_group(writer, list, TAP3_TAG_ChargeInformationList);
	}
	end_group(writer, group, TAP3_TAG_ContentServiceUsed);
}

static void
write_location(Tap3Writer *writer, const Tap3Event *event)
{
	size_t		call = begin_group(writer);
	size_t		group;
	size_t		list;

	if (tap3_has(event, TAP3_FIELD_REC_ENTITY))
		put_integer(writer, TAP3_TAG_RecEntityCode, event->rec_entity_code);
	if (event->call_reference_size > 0)
		put_item(writer, TAP3_TAG_CallReference, event->call_reference, event->call_reference_size);
	group = begin_group(writer);
	list = begin_group(writer);
	put_identification(writer, TAP3_TAG_TrackingCustomerIdentification, TAP3_TAG_CustomerIdType,
					   TAP3_TAG_CustomerIdentifier, event);
	end_group(writer, list, TAP3_TAG_TrackingCustomerIdList);
	if (event->equipment[0] != '\0')
	{
		list = begin_group(writer);
		put_integer(writer, TAP3_TAG_EquipmentIdType, 1);
		put_text(writer, TAP3_TAG_EquipmentId, event->equipment);
		end_group(writer, list, TAP3_TAG_TrackingCustomerEquipment);
	}
	end_group(writer, group, TAP3_TAG_TrackingCustomerInformation);
	group = begin_group(writer);
	list = begin_group(writer);
	put_start(writer, TAP3_TAG_LCSRequestTimestamp, event);
	end_group(writer, list, TAP3_TAG_LCSQosRequested);
	put_charges(writer, event);
	end_group(writer, group, TAP3_TAG_LocationServiceUsage);
	end_group(writer, call, TAP3_TAG_LocationService);
}

static void
write_messaging(Tap3Writer *writer, const Tap3Event *event)
{
	size_t		call = begin_group(writer);
	size_t		list;

	put_integer(writer, TAP3_TAG_MessagingEventService, event->service_number);
	put_charged_party(writer, event);
	if (event->call_reference_size > 0)
		put_item(writer, TAP3_TAG_EventReference, event->call_reference,
				 event->call_reference_size);
	if (tap3_has(event, TAP3_FIELD_REC_ENTITY))
	{
		list = begin_group(writer);
		put_integer(writer, TAP3_TAG_RecEntityCode, event->rec_entity_code);
		end_group(writer, list, TAP3_TAG_RecEntityCodeList);
	}
	put_area(writer, event);
	put_start(writer, TAP3_TAG_ServiceStartTimestamp, event);
	put_other_party(writer, event, TAP3_TAG_NonChargedParty, TAP3_TAG_NonChargedPartyNumber,
					TAP3_TAG_NonChargedPublicUserId);
	if (tap3_has(event, TAP3_FIELD_EXCHANGE_RATE_CODE))
		put_integer(writer, TAP3_TAG_ExchangeRateCode, event->exchange_rate_code);
	put_call_type(writer, event);
	if (tap3_has(event, TAP3_FIELD_CHARGE))
		put_integer(writer, TAP3_TAG_Charge, event->charge);
	put_tax(writer, event, event->tax_value);
	end_group(writer, call, TAP3_TAG_MessagingEvent);
}

static void
write_session(Tap3Writer *writer, const Tap3Event *event)
{
	size_t		call = begin_group(writer);
	size_t		list;

	put_integer(writer, TAP3_TAG_MobileSessionService, event->service_number);
	put_charged_party(writer, event);
	put_area(writer, event);
	if (event->call_reference_size > 0)
		put_item(writer, TAP3_TAG_EventReference, event->call_reference,
				 event->call_reference_size);
	if (tap3_has(event, TAP3_FIELD_REC_ENTITY))
	{
		list = begin_group(writer);
		put_integer(writer, TAP3_TAG_RecEntityCode, event->rec_entity_code);
		end_group(writer, list, TAP3_TAG_RecEntityCodeList);
	}
	put_start(writer, TAP3_TAG_ServiceStartTimestamp, event);
	if (tap3_has(event, TAP3_FIELD_CAUSE_FOR_TERM))
		put_integer(writer, TAP3_TAG_CauseForTerm, event->cause_for_term);
	if (tap3_has(event, TAP3_FIELD_DURATION))
		put_integer(writer, TAP3_TAG_TotalCallEventDuration, event->duration_s);
	put_other_party(writer, event, TAP3_TAG_NonChargedParty, TAP3_TAG_NonChargedPartyNumber,
					TAP3_TAG_NonChargedPublicUserId);
	if (tap3_has(event, TAP3_FIELD_CHARGE))
	{
		list = begin_group(writer);
		put_charge(writer, TAP3_TAG_SessionChargeInformation, event, event->charge,
				   event->tax_value, 0);
		end_group(writer, list, TAP3_TAG_SessionChargeInfoList);
	}
	end_group(writer, call, TAP3_TAG_MobileSession);
}

/* The service's code is mandatory and in no column: 0. */
static void
write_value_added(Tap3Writer *writer, const Tap3Event *event)
{
	size_t		call = begin_group(writer);
	size_t		group = begin_group(writer);

	put_bcd(writer, TAP3_TAG_Imsi, event->imsi);
	put_bcd(writer, TAP3_TAG_Msisdn, event->msisdn);
	end_group(writer, group, writer->release == 9 ? TAP3_TAG_SimChargeableSubscriber :
			  TAP3_TAG_GsmChargeableSubscriber);
	group = begin_group(writer);
	put_integer(writer, TAP3_TAG_VasCode, 0);
	put_start(writer, TAP3_TAG_ChargingTimeStamp, event);
	if (tap3_has(event, TAP3_FIELD_CHARGE))
		put_charge(writer, TAP3_TAG_ChargeInformation, event, event->charge, event->tax_value,
				   event->discount);
	end_group(writer, group, TAP3_TAG_ValueAddedServiceUsed);
	end_group(writer, call, TAP3_TAG_ValueAddedService);
}

/*
 * What several events have
 */

static void
put_start(Tap3Writer *writer, uint32_t tag, const Tap3Event *event)
{
	size_t		group = begin_group(writer);

	if (event->start_local[0] == '\0')
		return;
	put_text(writer, TAP3_TAG_LocalTimeStamp, event->start_local);
	if (tap3_has(event, TAP3_FIELD_UTC_CODE))
		put_integer(writer, TAP3_TAG_UtcTimeOffsetCode, event->utc_code);
	end_group(writer, group, tag);
}

static void
put_subscriber(Tap3Writer *writer, const Tap3Event *event)
{
	size_t		choice = begin_group(writer);
	size_t		group = begin_group(writer);

	if (event->imsi[0] == '\0' && event->msisdn[0] == '\0')
		return;
	put_bcd(writer, TAP3_TAG_Imsi, event->imsi);
	put_bcd(writer, TAP3_TAG_Msisdn, event->msisdn);
	end_group(writer, group, TAP3_TAG_SimChargeableSubscriber);
	if (!writer->old_form)
		end_group(writer, choice, TAP3_TAG_ChargeableSubscriber);
}

/* Up to two entries: the IMSI (type 2) and the MSISDN (type 1). */
static void
put_identification(Tap3Writer *writer, uint32_t tag, uint32_t type_tag, uint32_t id_tag,
				   const Tap3Event *event)
{
	size_t		group;

	/* the reader takes nothing but digits for an IMSI or MSISDN */
	if ((event->imsi[0] != '\0' && !tap3_value_is_digits(event->imsi)) ||
		(event->msisdn[0] != '\0' && !tap3_value_is_digits(event->msisdn)))
		writer->status = TAP3_UNWRITABLE;
	if (event->imsi[0] != '\0')
	{
		group = begin_group(writer);
		put_integer(writer, type_tag, 2);
		if (tag == TAP3_TAG_ChargedPartyIdentification && writer->release == 9)
			put_bcd(writer, TAP3_TAG_Imsi, event->imsi);
		else
			put_text(writer, id_tag, event->imsi);
		end_group(writer, group, tag);
	}
	if (event->msisdn[0] != '\0')
	{
		group = begin_group(writer);
		put_integer(writer, type_tag, 1);
		if (tag == TAP3_TAG_ChargedPartyIdentification && writer->release == 9)
			put_bcd(writer, TAP3_TAG_Msisdn, event->msisdn);
		else
			put_text(writer, id_tag, event->msisdn);
		end_group(writer, group, tag);
	}
}

static void
put_charged_party(Tap3Writer *writer, const Tap3Event *event)
{
	size_t		group = begin_group(writer);

	put_bcd(writer, TAP3_TAG_Imsi, event->imsi);
	put_bcd(writer, TAP3_TAG_Msisdn, event->msisdn);
	put_bcd(writer, TAP3_TAG_Imei, event->equipment);
	end_group(writer, group, TAP3_TAG_ChargedParty);
}

/* 14 to 16 digits are an IMEI, anything else an ESN. */
static void
put_equipment(Tap3Writer *writer, const Tap3Event *event)
{
	size_t		group = begin_group(writer);
	size_t		count = strlen(event->equipment);

	if (count == 0)
		return;
	if (count >= 14 && count <= 16)
		put_bcd(writer, TAP3_TAG_Imei, event->equipment);
	else
		put_text(writer, TAP3_TAG_Esn, event->equipment);
	end_group(writer, group, writer->old_form ? TAP3_TAG_EquipmentInformation :
			  TAP3_TAG_ImeiOrEsn);
}

static void
put_other_party(Tap3Writer *writer, const Tap3Event *event, uint32_t group, uint32_t bcd_tag,
				uint32_t text_tag)
{
	size_t		start = begin_group(writer);

	if (event->other_party[0] == '\0')
		return;
	if (tap3_value_is_bcd(event->other_party))
		put_bcd(writer, bcd_tag, event->other_party);
	else if (text_tag != 0 && !(writer->release == 9 && text_tag == TAP3_TAG_DialledDigits) &&
			 !(writer->old_form && text_tag == TAP3_TAG_SMSOriginator))
		put_text(writer, text_tag, event->other_party);
	else
		writer->status = TAP3_UNWRITABLE;	/* the release has no text here */
	end_group(writer, start, group);
}

static void
put_location(Tap3Writer *writer, const Tap3Event *event)
{
	size_t		outer = begin_group(writer);
	size_t		group = begin_group(writer);

	if (tap3_has(event, TAP3_FIELD_REC_ENTITY))
		put_integer(writer, TAP3_TAG_RecEntityCode, event->rec_entity_code);
	if (event->call_reference_size > 0)
		put_item(writer, TAP3_TAG_CallReference, event->call_reference, event->call_reference_size);
	put_area(writer, event);
	end_group(writer, group, TAP3_TAG_NetworkLocation);
	end_group(writer, outer, TAP3_TAG_LocationInformation);
}

static void
put_basic_service(Tap3Writer *writer, const Tap3Event *event)
{
	size_t		list = begin_group(writer);
	size_t		used = begin_group(writer);
	size_t		service = begin_group(writer);
	size_t		choice = begin_group(writer);

	if (event->service_type == TAP3_SERVICE_TELE || event->service_type == TAP3_SERVICE_BEARER)
	{
		put_text(writer, event->service_type == TAP3_SERVICE_TELE ? TAP3_TAG_TeleServiceCode :
				 TAP3_TAG_BearerServiceCode, event->service_code);
		if (!writer->old_form)
			end_group(writer, choice, TAP3_TAG_BasicServiceCode);
		end_group(writer, service, TAP3_TAG_BasicService);
	}
	put_charges(writer, event);
	end_group(writer, used, TAP3_TAG_BasicServiceUsed);
	end_group(writer, list, TAP3_TAG_BasicServiceUsedList);
}

static void
put_area(Tap3Writer *writer, const Tap3Event *event)
{
	if (tap3_has(event, TAP3_FIELD_LOCATION_AREA))
		put_integer(writer, TAP3_TAG_LocationArea, event->location_area);
	if (tap3_has(event, TAP3_FIELD_CELL_ID))
		put_integer(writer, TAP3_TAG_CellId, event->cell_id);
}

static void
put_charges(Tap3Writer *writer, const Tap3Event *event)
{
	size_t		list = begin_group(writer);

	if (!tap3_has(event, TAP3_FIELD_CHARGE))
		return;
	put_charge(writer, TAP3_TAG_ChargeInformation, event, event->charge, event->tax_value,
			   event->discount);
	end_group(writer, list, TAP3_TAG_ChargeInformationList);
}

static void
put_charge(Tap3Writer *writer, uint32_t tag, const Tap3Event *event, int64_t charge, int64_t tax,
		   int64_t discount)
{
	size_t		information = begin_group(writer);
	size_t		list;
	size_t		group;

	put_optional(writer, TAP3_TAG_ChargedItem, event->charged_item);
	if (tap3_has(event, TAP3_FIELD_EXCHANGE_RATE_CODE))
		put_integer(writer, TAP3_TAG_ExchangeRateCode, event->exchange_rate_code);
	put_call_type(writer, event);
	list = begin_group(writer);
	group = begin_group(writer);
	put_text(writer, TAP3_TAG_ChargeType, "00");
	put_integer(writer, TAP3_TAG_Charge, charge);
	end_group(writer, group, TAP3_TAG_ChargeDetail);
	end_group(writer, list, TAP3_TAG_ChargeDetailList);
	put_tax(writer, event, tax);
	if (tap3_has(event, TAP3_FIELD_DISCOUNT_CODE) && tag == TAP3_TAG_ChargeInformation)
	{
		group = begin_group(writer);
		put_integer(writer, TAP3_TAG_DiscountCode, event->discount_code);
		if (tap3_has(event, TAP3_FIELD_DISCOUNT))
			put_integer(writer, writer->old_form ? TAP3_TAG_DiscountValue : TAP3_TAG_Discount,
						discount);
		end_group(writer, group, TAP3_TAG_DiscountInformation);
	}
	end_group(writer, information, tag);
}

static void
put_call_type(Tap3Writer *writer, const Tap3Event *event)
{
	size_t		group = begin_group(writer);

	if ((event->present & (TAP3_BIT(TAP3_FIELD_CALL_TYPE_1) | TAP3_BIT(TAP3_FIELD_CALL_TYPE_2) |
						   TAP3_BIT(TAP3_FIELD_CALL_TYPE_3))) == 0)
		return;
	for (unsigned i = 0; i < 3; i++)
	{
		static const uint32_t tags[3] = {TAP3_TAG_CallTypeLevel1, TAP3_TAG_CallTypeLevel2,
		TAP3_TAG_CallTypeLevel3};

		if ((event->present & TAP3_BIT(TAP3_FIELD_CALL_TYPE_1 + i)) != 0)
			put_integer(writer, tags[i], event->call_type[i]);
	}
	end_group(writer, group, TAP3_TAG_CallTypeGroup);
}

static void
put_tax(Tap3Writer *writer, const Tap3Event *event, int64_t tax)
{
	size_t		list = begin_group(writer);
	size_t		group = begin_group(writer);

	if (!tap3_has(event, TAP3_FIELD_TAX_CODE))
		return;
	put_integer(writer, TAP3_TAG_TaxCode, event->tax_code);
	if (tap3_has(event, TAP3_FIELD_TAX_VALUE))
		put_integer(writer, writer->release == 9 ? TAP3_TAG_Charge : TAP3_TAG_TaxValue, tax);
	if (tap3_has(event, TAP3_FIELD_TAXABLE_AMOUNT) && writer->release > 9)
		put_integer(writer, TAP3_TAG_TaxableAmount, event->taxable_amount);
	end_group(writer, group, TAP3_TAG_TaxInformation);
	end_group(writer, list, TAP3_TAG_TaxInformationList);
}
