/*-------------------------------------------------------------------------
 *
 * tap3_batch.c
 *	  The pull parser (see tap3_batch.h).
 *
 * walk_group goes through a group and the groups inside it in file order.
 * The schema says for each item whether to go in, where to put the value, or
 * that it is to be stepped over.  What a value does beyond being stored is in
 * two places: apply_item, when it has been read, and leave_group, when its
 * group ends.
 *
 * An item that occurs again in an event keeps its first value, except for
 * volumes, amounts and the parts of a group, which are summed or begin anew.
 *
 * Invariants
 *	  B1  the groups of a batch occur at most once and in the standard's order
 *	  B2  every octet of the file belongs to an item that has been read or
 *		  stepped over, with its nesting checked
 *
 *-------------------------------------------------------------------------
 */
#include "tap3_batch.h"

#include <string.h>

#include "tap3_schema.h"
#include "tap3_value.h"

/* The reader's state while one event or one header group is walked. */
typedef struct Walk
{
	Tap3Batch  *batch;
	Tap3Event  *event;			/* NULL in the header */
} Walk;

static Tap3Status read_groups(Tap3Batch *batch);
static Tap3Status read_group(Tap3Batch *batch, const Tap3Element *element);
static unsigned group_rank(uint32_t tag);
static Tap3Status read_event(Tap3Batch *batch, const Tap3Element *element, Tap3Event *event);
static Tap3EventType event_type(const Tap3Element *element);
static Tap3Status walk_group(Walk *walk, const Tap3Element *element);
static void enter_group(Walk *walk, uint32_t tag);
static Tap3Status leave_group(Walk *walk, uint32_t tag);
static Tap3Status read_item(Walk *walk, const Tap3Rule *rule, const Tap3Element *element);
static bool store_item(Walk *walk, const Tap3Rule *rule, const Tap3Element *element, int64_t *number);
static Tap3Status apply_item(Walk *walk, const Tap3Rule *rule, const Tap3Element *element,
							 int64_t number);
static bool is_integer(const Tap3Rule *rule);
static bool is_repeatable(const Tap3Rule *rule);
static bool is_service(const Tap3Rule *rule);
static Tap3Status add_amount(Walk *walk, int64_t *sum, int64_t amount, size_t offset, uint32_t tag);
static Tap3Status leave_charge_detail(Walk *walk);
static void leave_identification(Tap3Event *event);
static Tap3Status leave_entry(Walk *walk, uint32_t tag);
static Tap3Status check_version(Tap3Batch *batch);
static void finish_event(Tap3Batch *batch, Tap3Event *event);
static void check_mandatory(const Tap3Header *header, Tap3Event *event);
static void add_fault(Tap3Event *event, Tap3FaultKind kind, uint32_t tag, size_t offset);
static void add_header_fault(Tap3Header *header, Tap3FaultKind kind, uint32_t tag, size_t offset);

/* Reads the header; the call events come next. */
Tap3Status
tap3_batch_open(Tap3Batch *batch, const void *data, size_t size)
{
	Tap3Element element;
	Tap3Status	status;

	memset(batch, 0, sizeof(*batch));
	status = tap3_ber_open(&batch->cursor, data, size);
	if (status != TAP3_OK)
		return status;
	status = tap3_ber_next(&batch->cursor, &element);
	if (status == TAP3_END)
		return tap3_ber_fail(&batch->cursor, TAP3_TRUNCATED, 0, 0);
	if (status != TAP3_OK)
		return status;
	if (element.tag_class != TAP3_CLASS_APPLICATION || !element.constructed ||
		(element.tag != TAP3_TAG_TransferBatch && element.tag != TAP3_TAG_Notification))
		return tap3_ber_fail(&batch->cursor, TAP3_NOT_TAP, element.offset,
							 TAP3_TAG_OF(element.tag_class, element.tag));

	if (element.tag == TAP3_TAG_Notification)
	{
		Walk		walk = {batch, NULL};

		batch->header.notification = true;
		status = walk_group(&walk, &element);
		if (status != TAP3_OK)
			return status;
		status = check_version(batch);
		if (status != TAP3_OK)
			return status;
		batch->ended = true;
		return TAP3_OK;
	}
	status = tap3_ber_enter(&batch->cursor, &element);
	if (status != TAP3_OK)
		return status;
	return read_groups(batch);
}

/* The next call event, or TAP3_END when the whole file has been read. */
Tap3Status
tap3_batch_next(Tap3Batch *batch, Tap3Event *event)
{
	Tap3Cursor *cursor = &batch->cursor;
	Tap3Element element;
	Tap3Status	status;

	if (batch->in_events)
	{
		status = tap3_ber_next(cursor, &element);
		if (status == TAP3_OK)
			return read_event(batch, &element, event);
		if (status != TAP3_END)
			return status;
		batch->in_events = false;
		status = read_groups(batch);
		if (status != TAP3_OK)
			return status;
	}
	if (!batch->ended)
		return tap3_ber_fail(cursor, TAP3_BAD_ORDER, cursor->position, 0);
	status = tap3_ber_next(cursor, &element);
	if (status == TAP3_OK)
		return tap3_ber_fail(cursor, TAP3_TRAILING, element.offset, 0);
	if (status != TAP3_END)
		return tap3_ber_fail(cursor, TAP3_TRAILING, cursor->position, 0);
	return TAP3_END;
}

/* Reads the batch's groups up to the call event list or to the batch's end. */
static Tap3Status
read_groups(Tap3Batch *batch)
{
	Tap3Element element;
	Tap3Status	status;

	for (;;)
	{
		status = tap3_ber_next(&batch->cursor, &element);
		if (status == TAP3_END)
		{
			if (batch->last_group == 0)
				return tap3_ber_fail(&batch->cursor, TAP3_NOT_A_BATCH,
									 batch->cursor.position, 0);
			batch->ended = true;
			return TAP3_OK;
		}
		if (status != TAP3_OK)
			return status;
		status = read_group(batch, &element);
		if (status != TAP3_OK || batch->in_events)
			return status;
	}
}

static Tap3Status
read_group(Tap3Batch *batch, const Tap3Element *element)
{
	Tap3Cursor *cursor = &batch->cursor;
	Walk		walk = {batch, NULL};
	unsigned	rank = 0;
	Tap3Status	status;

	if (element->tag_class == TAP3_CLASS_APPLICATION)
		rank = group_rank(element->tag);
	if (batch->last_group == 0 && rank != 1)
		return tap3_ber_fail(cursor, TAP3_NOT_A_BATCH, element->offset,
							 TAP3_TAG_OF(element->tag_class, element->tag));
	if (rank == 0)
		return tap3_ber_skip(cursor, element);
	if (!element->constructed)
		return tap3_ber_fail(cursor, TAP3_BAD_FORM, element->offset, element->tag);
	if (rank <= batch->last_group)
		return tap3_ber_fail(cursor, TAP3_BAD_ORDER, element->offset, element->tag);
	batch->last_group = rank;

	switch (element->tag)
	{
		case TAP3_TAG_CallEventDetailList:
			tap3_set(&batch->header, TAP3_FIELD_GROUP_EVENTS);
			batch->in_events = true;
			return tap3_ber_enter(cursor, element);
		case TAP3_TAG_VasInfoList:
		case TAP3_TAG_MessageDescriptionInfoList:
			return tap3_ber_skip(cursor, element);
		case TAP3_TAG_AccountingInfo:
			tap3_set(&batch->header, TAP3_FIELD_GROUP_ACCOUNTING);
			break;
		case TAP3_TAG_NetworkInfo:
			tap3_set(&batch->header, TAP3_FIELD_GROUP_NETWORK);
			break;
		case TAP3_TAG_AuditControlInfo:
			tap3_set(&batch->header, TAP3_FIELD_GROUP_AUDIT);
			break;
	}
	status = walk_group(&walk, element);
	if (status == TAP3_OK && element->tag == TAP3_TAG_BatchControlInfo)
		status = check_version(batch);
	if (status == TAP3_OK && (batch->header.decimal_places < 0 ||
							  batch->header.decimal_places > TAP3_DECIMAL_PLACES_MAX))
		status = tap3_ber_fail(cursor, TAP3_BAD_PLACES, element->offset,
							   TAP3_TAG_TapDecimalPlaces);
	return status;
}

/* The place of a group in the batch, 0 for an unknown one. */
static unsigned
group_rank(uint32_t tag)
{
	switch (tag)
	{
		case TAP3_TAG_BatchControlInfo:
			return 1;
		case TAP3_TAG_AccountingInfo:
			return 2;
		case TAP3_TAG_NetworkInfo:
			return 3;
		case TAP3_TAG_VasInfoList:
			return 4;
		case TAP3_TAG_MessageDescriptionInfoList:
			return 5;
		case TAP3_TAG_CallEventDetailList:
			return 6;
		case TAP3_TAG_AuditControlInfo:
			return 7;
		default:
			return 0;
	}
}

static Tap3Status
read_event(Tap3Batch *batch, const Tap3Element *element, Tap3Event *event)
{
	Tap3EventType type = event_type(element);
	Walk		walk = {batch, event};
	Tap3Status	status;

	if (type == TAP3_EVENT_NONE)
		return tap3_ber_fail(&batch->cursor, TAP3_BAD_EVENT, element->offset,
							 TAP3_TAG_OF(element->tag_class, element->tag));
	memset(event, 0, sizeof(*event));
	event->type = type;
	event->number = batch->event_count + 1;
	event->offset = element->offset;
	status = walk_group(&walk, element);
	if (status != TAP3_OK)
		return status;
	batch->event_count++;
	event->size = batch->cursor.position - element->offset;
	finish_event(batch, event);
	return TAP3_OK;
}

static Tap3EventType
event_type(const Tap3Element *element)
{
	if (element->tag_class != TAP3_CLASS_APPLICATION || !element->constructed)
		return TAP3_EVENT_NONE;
	switch (element->tag)
	{
		case TAP3_TAG_MobileOriginatedCall:
			return TAP3_EVENT_MOC;
		case TAP3_TAG_MobileTerminatedCall:
			return TAP3_EVENT_MTC;
		case TAP3_TAG_SupplServiceEvent:
			return TAP3_EVENT_SSE;
		case TAP3_TAG_ServiceCentreUsage:
			return TAP3_EVENT_SCU;
		case TAP3_TAG_ValueAddedService:
			return TAP3_EVENT_VAS;
		case TAP3_TAG_GprsCall:
			return TAP3_EVENT_GPRS;
		case TAP3_TAG_ContentTransaction:
			return TAP3_EVENT_CONTENT;
		case TAP3_TAG_LocationService:
			return TAP3_EVENT_LOCATION;
		case TAP3_TAG_MessagingEvent:
			return TAP3_EVENT_MESSAGING;
		case TAP3_TAG_MobileSession:
			return TAP3_EVENT_SESSION;
		default:
			return TAP3_EVENT_NONE;
	}
}

/* Reads the group whose header has just been read, to its end. */
static Tap3Status
walk_group(Walk *walk, const Tap3Element *group)
{
	Tap3Cursor *cursor = &walk->batch->cursor;
	unsigned	depth = cursor->depth;
	Tap3Status	status = tap3_ber_enter(cursor, group);

	while (status == TAP3_OK && cursor->depth > depth)
	{
		uint32_t	parent = cursor->levels[cursor->depth].tag;
		Tap3Element element;
		const Tap3Rule *rule = NULL;

		status = tap3_ber_next(cursor, &element);
		if (status == TAP3_END)
		{
			status = leave_group(walk, parent);
			continue;
		}
		if (status != TAP3_OK)
			break;
		if (element.tag_class == TAP3_CLASS_APPLICATION)
			rule = tap3_schema_find(parent, element.tag);
		if (rule == NULL)
			status = tap3_ber_skip(cursor, &element);
		else if ((rule->kind == TAP3_KIND_GROUP) != element.constructed)
			status = tap3_ber_fail(cursor, TAP3_BAD_FORM, element.offset, element.tag);
		else if (rule->kind == TAP3_KIND_GROUP)
		{
			enter_group(walk, element.tag);
			status = tap3_ber_enter(cursor, &element);
		}
		else
			status = read_item(walk, rule, &element);
	}
	return status;
}

/* Forget the parts of the last group of this kind. */
static void
enter_group(Walk *walk, uint32_t tag)
{
	Tap3Header *header = &walk->batch->header;
	Tap3Event  *event = walk->event;
	uint64_t	parts = 0;

	switch (tag)
	{
		case TAP3_TAG_ChargeInformation:
		case TAP3_TAG_SessionChargeInformation:
			event->part.total_seen = false;
			break;
		case TAP3_TAG_ChargeDetail:
			parts = TAP3_BIT(TAP3_FIELD_PART_CHARGE_TYPE) | TAP3_BIT(TAP3_FIELD_PART_CHARGE);
			break;
		case TAP3_TAG_ContentServiceUsed:
			parts = TAP3_BIT(TAP3_FIELD_PART_REFUND);
			event->part.refund = 0;
			break;
		case TAP3_TAG_ChargedPartyIdentification:
		case TAP3_TAG_TrackingCustomerIdentification:
		case TAP3_TAG_TrackedCustomerIdentification:
			parts = TAP3_BIT(TAP3_FIELD_PART_ID_TYPE) | TAP3_BIT(TAP3_FIELD_PART_ID);
			break;
		case TAP3_TAG_Taxation:
		case TAP3_TAG_Discounting:
		case TAP3_TAG_CurrencyConversion:
		case TAP3_TAG_UtcTimeOffsetInfo:
		case TAP3_TAG_RecEntityInformation:
		case TAP3_TAG_TotalChargeValue:
			memset(&header->entry, 0, sizeof(header->entry));
			header->entry_text[0] = '\0';
			header->entry_rate[0] = '\0';
			header->entry_charge_type[0] = '\0';
			header->present &= ~(TAP3_BIT(TAP3_FIELD_ENTRY_CODE) | TAP3_BIT(TAP3_FIELD_ENTRY_TYPE) |
								 TAP3_BIT(TAP3_FIELD_ENTRY_PLACES) |
								 TAP3_BIT(TAP3_FIELD_ENTRY_VALUE) |
								 TAP3_BIT(TAP3_FIELD_ENTRY_FIXED) |
								 TAP3_BIT(TAP3_FIELD_ENTRY_TEXT) | TAP3_BIT(TAP3_FIELD_ENTRY_KIND) |
								 TAP3_BIT(TAP3_FIELD_ENTRY_CHARGE));
			break;
	}
	if (event != NULL)
		event->present &= ~parts;
}

static Tap3Status
leave_group(Walk *walk, uint32_t tag)
{
	Tap3Event  *event = walk->event;

	switch (tag)
	{
		case TAP3_TAG_ChargeInformation:
		case TAP3_TAG_SessionChargeInformation:
			if (!event->part.total_seen)
				add_fault(event, TAP3_FAULT_NO_TOTAL, tag, walk->batch->cursor.position);
			return TAP3_OK;
		case TAP3_TAG_ChargeDetail:
			return leave_charge_detail(walk);
		case TAP3_TAG_ChargedPartyIdentification:
		case TAP3_TAG_TrackingCustomerIdentification:
		case TAP3_TAG_TrackedCustomerIdentification:
			leave_identification(event);
			return TAP3_OK;
		case TAP3_TAG_ContentServiceUsed:
			event->part.refund = 0;
			return TAP3_OK;
		case TAP3_TAG_Taxation:
		case TAP3_TAG_Discounting:
		case TAP3_TAG_CurrencyConversion:
		case TAP3_TAG_UtcTimeOffsetInfo:
		case TAP3_TAG_RecEntityInformation:
		case TAP3_TAG_TotalChargeValue:
			return leave_entry(walk, tag);
		default:
			return TAP3_OK;
	}
}

static Tap3Status
read_item(Walk *walk, const Tap3Rule *rule, const Tap3Element *element)
{
	int64_t		number = 0;

	if (is_integer(rule) && element->size == 0)
		return tap3_ber_fail(&walk->batch->cursor, TAP3_BAD_INTEGER, element->offset, element->tag);
	if (!store_item(walk, rule, element, &number))
		return TAP3_OK;
	return apply_item(walk, rule, element, number);
}

/* Puts a value into its place; false if there is none to be used. */
static bool
store_item(Walk *walk, const Tap3Rule *rule, const Tap3Element *element, int64_t *number)
{
	bool		of_event = rule->field < TAP3_FIELD_HEADER;
	char	   *place = (of_event ? (char *) walk->event : (char *) &walk->batch->header) + rule->place;
	uint64_t   *present = of_event ? &walk->event->present : &walk->batch->header.present;
	bool		again = (*present & TAP3_BIT(rule->field)) != 0 && !is_repeatable(rule);
	char		text[TAP3_TEXT_MAX + 1];
	Tap3ValueCheck check;

	if (is_service(rule) && walk->event->service_type != TAP3_SERVICE_NONE)
		again = true;
	if (is_integer(rule))
	{
		check = tap3_value_integer(number, element->content, element->size);
		if (check == TAP3_VALUE_OK && rule->kind == TAP3_KIND_INT32 &&
			*number != (int32_t) *number)
			check = TAP3_VALUE_RANGE;
	}
	else if (rule->kind == TAP3_KIND_OCTETS)
		check = (element->size == 0) ? TAP3_VALUE_EMPTY :
			(element->size > rule->capacity) ? TAP3_VALUE_RANGE : TAP3_VALUE_OK;
	else
		check = tap3_value_text(text, rule->capacity, rule->kind, element->content, element->size);

	if (check != TAP3_VALUE_OK)
	{
		Tap3FaultKind kind = (check == TAP3_VALUE_RANGE) ? TAP3_FAULT_RANGE : TAP3_FAULT_SYNTAX;

		if (of_event)
			add_fault(walk->event, kind, element->tag, element->offset);
		else
			add_header_fault(&walk->batch->header, kind, element->tag, element->offset);
		return false;
	}
	if (again)
		return is_integer(rule);	/* its code is still to be resolved */
	*present |= TAP3_BIT(rule->field);
	if (is_repeatable(rule))
		return true;
	if (rule->kind == TAP3_KIND_INT32)
	{
		int32_t		narrow = (int32_t) *number;

		memcpy(place, &narrow, sizeof(narrow));
	}
	else if (rule->kind == TAP3_KIND_INT64)
		memcpy(place, number, sizeof(*number));
	else if (rule->kind == TAP3_KIND_OCTETS)
	{
		memcpy(place, element->content, element->size);
		walk->event->call_reference_size = element->size;
	}
	else
		memcpy(place, text, strlen(text) + 1);
	return true;
}

/* What a value does besides being there. */
static Tap3Status
apply_item(Walk *walk, const Tap3Rule *rule, const Tap3Element *element, int64_t number)
{
	Tap3Header *header = &walk->batch->header;
	Tap3Event  *event = walk->event;
	bool		refund = event != NULL && event->part.refund != 0;
	Tap3Codes  *codes = NULL;
	int64_t    *sum = NULL;

	switch (rule->field)
	{
		case TAP3_FIELD_IMSI:
		case TAP3_FIELD_MSISDN:
		case TAP3_FIELD_MIN:
			tap3_set(event, TAP3_FIELD_SUBSCRIBER);
			break;
		case TAP3_FIELD_SERVICE_TELE:
		case TAP3_FIELD_SERVICE_BEARER:
		case TAP3_FIELD_SERVICE_SUPPLEMENTARY:
		case TAP3_FIELD_SERVICE_MESSAGING:
		case TAP3_FIELD_SERVICE_SESSION:
			if (event->service_type == TAP3_SERVICE_NONE)
				event->service_type = (Tap3ServiceType)
					(rule->field - TAP3_FIELD_SERVICE_TELE + TAP3_SERVICE_TELE);
			break;
		case TAP3_FIELD_EXCHANGE_RATE_CODE:
			codes = &header->exchange_rates;
			break;
		case TAP3_FIELD_TAX_CODE:
			codes = &header->taxes;
			break;
		case TAP3_FIELD_DISCOUNT_CODE:
			codes = &header->discounts;
			break;
		case TAP3_FIELD_VOLUME_IN:
			sum = &event->volume_in;
			break;
		case TAP3_FIELD_VOLUME_OUT:
			sum = &event->volume_out;
			break;
		case TAP3_FIELD_CHARGE:
			sum = refund ? &event->charge_refund : &event->charge;
			if (event->charge_type[0] == '\0')
				strcpy(event->charge_type, "00");
			break;
		case TAP3_FIELD_TAX_VALUE:
			sum = refund ? &event->tax_refund : &event->tax_value;
			break;
		case TAP3_FIELD_TAXABLE_AMOUNT:
			sum = &event->taxable_amount;
			break;
		case TAP3_FIELD_DISCOUNT:
			sum = refund ? &event->discount_refund : &event->discount;
			break;
		case TAP3_FIELD_DURATION:
			if (number < 0)
				add_fault(event, TAP3_FAULT_NEGATIVE, element->tag, element->offset);
			break;
	}
	if (codes != NULL && tap3_codes_find(codes, (int32_t) number) == NULL)
		add_fault(event, TAP3_FAULT_UNRESOLVED, element->tag, element->offset);
	if (sum != NULL)
		return add_amount(walk, sum, number, element->offset, element->tag);
	return TAP3_OK;
}

static bool
is_integer(const Tap3Rule *rule)
{
	return rule->kind == TAP3_KIND_INT32 || rule->kind == TAP3_KIND_INT64;
}

/* Values that are summed rather than stored. */
static bool
is_repeatable(const Tap3Rule *rule)
{
	switch (rule->field)
	{
		case TAP3_FIELD_VOLUME_IN:
		case TAP3_FIELD_VOLUME_OUT:
		case TAP3_FIELD_CHARGE:
		case TAP3_FIELD_TAX_VALUE:
		case TAP3_FIELD_TAXABLE_AMOUNT:
		case TAP3_FIELD_DISCOUNT:
			return true;
		default:
			return false;
	}
}

/* Values of which an event has one, under several tags. */
static bool
is_service(const Tap3Rule *rule)
{
	return rule->field >= TAP3_FIELD_SERVICE_TELE && rule->field <= TAP3_FIELD_SERVICE_SESSION;
}

static Tap3Status
add_amount(Walk *walk, int64_t *sum, int64_t amount, size_t offset, uint32_t tag)
{
	if (amount < 0)
		add_fault(walk->event, TAP3_FAULT_NEGATIVE, tag, offset);
	if (__builtin_add_overflow(*sum, amount, sum))
		return tap3_ber_fail(&walk->batch->cursor, TAP3_SUM_RANGE, offset, tag);
	return TAP3_OK;
}

/* Charge type 00 is the total of a charge information, the others are parts. */
static Tap3Status
leave_charge_detail(Walk *walk)
{
	Tap3Event  *event = walk->event;
	Tap3Part   *part = &event->part;

	if (!tap3_has(event, TAP3_FIELD_PART_CHARGE_TYPE) || !tap3_has(event, TAP3_FIELD_PART_CHARGE))
		return TAP3_OK;
	if (strcmp(part->charge_type, "00") != 0)
	{
		if (event->charge_type[0] == '\0')
			strcpy(event->charge_type, part->charge_type);
		return TAP3_OK;
	}
	part->total_seen = true;
	strcpy(event->charge_type, "00");
	tap3_set(event, TAP3_FIELD_CHARGE);
	return add_amount(walk, part->refund != 0 ? &event->charge_refund : &event->charge,
					  part->charge, walk->batch->cursor.position, TAP3_TAG_Charge);
}

/* Identification types: 1 MSISDN, 2 IMSI. */
static void
leave_identification(Tap3Event *event)
{
	const char *id = event->part.id;

	if (!tap3_has(event, TAP3_FIELD_PART_ID))
		return;
	tap3_set(event, TAP3_FIELD_SUBSCRIBER);
	if (!tap3_has(event, TAP3_FIELD_PART_ID_TYPE) || !tap3_value_is_digits(id))
		return;
	if (event->part.id_type == 1 && event->msisdn[0] == '\0' && strlen(id) < sizeof(event->msisdn))
		strcpy(event->msisdn, id);
	if (event->part.id_type == 2 && event->imsi[0] == '\0' && strlen(id) < sizeof(event->imsi))
		strcpy(event->imsi, id);
}

/* An entry of one of the header's tables has been read. */
static Tap3Status
leave_entry(Walk *walk, uint32_t tag)
{
	Tap3Header *header = &walk->batch->header;
	Tap3Entry	read = header->entry;
	Tap3Codes  *codes = NULL;
	Tap3Entry  *entry;
	unsigned	duplicates;

	if (tag == TAP3_TAG_TotalChargeValue)
	{
		if (strcmp(header->entry_charge_type, "00") == 0 &&
			tap3_has(header, TAP3_FIELD_ENTRY_CHARGE))
		{
			header->totals.charge = header->entry_charge;
			header->totals.charge_refund = read.fixed;
			tap3_set(header, TAP3_FIELD_TOTAL_CHARGE);
			if (tap3_has(header, TAP3_FIELD_ENTRY_FIXED))
				tap3_set(header, TAP3_FIELD_TOTAL_CHARGE_REFUND);
		}
		return TAP3_OK;
	}
	if (!tap3_has(header, TAP3_FIELD_ENTRY_CODE))
	{
		add_header_fault(header, TAP3_FAULT_MISSING, tag, walk->batch->cursor.position);
		return TAP3_OK;
	}
	if (tag == TAP3_TAG_RecEntityInformation)
	{
		Tap3RecEntity *entity;

		duplicates = header->rec_entities.duplicates;
		entity = tap3_rec_entities_add(&header->rec_entities, read.code);
		if (entity != NULL)
		{
			entity->type = read.type;
			strcpy(entity->id, header->entry_text);
		}
		else if (header->rec_entities.duplicates == duplicates)
			return tap3_ber_fail(&walk->batch->cursor, TAP3_TOO_MANY,
								 walk->batch->cursor.position, tag);
		return TAP3_OK;
	}
	codes = (tag == TAP3_TAG_Taxation) ? &header->taxes :
		(tag == TAP3_TAG_Discounting) ? &header->discounts :
		(tag == TAP3_TAG_CurrencyConversion) ? &header->exchange_rates : &header->utc_offsets;
	duplicates = codes->duplicates;
	entry = tap3_codes_add(codes, read.code);
	if (entry == NULL)
		return codes->duplicates > duplicates ? TAP3_OK :
			tap3_ber_fail(&walk->batch->cursor, TAP3_TOO_MANY, walk->batch->cursor.position, tag);
	*entry = read;
	entry->has_value = tap3_has(header, TAP3_FIELD_ENTRY_VALUE);
	entry->has_fixed = tap3_has(header, TAP3_FIELD_ENTRY_FIXED);
	if (header->entry_rate[0] != '\0')
	{
		entry->has_value = true;
		for (const char *digit = header->entry_rate; *digit != '\0'; digit++)
			entry->value = entry->value * 10 + (*digit - '0');
	}
	return TAP3_OK;
}

static Tap3Status
check_version(Tap3Batch *batch)
{
	Tap3Header *header = &batch->header;
	uint32_t	tag = TAP3_TAG_ReleaseVersionNumber;

	if (header->sequence[0] != '\0')
		for (const char *digit = header->sequence; *digit != '\0'; digit++)
			header->sequence_number = header->sequence_number * 10 + (*digit - '0');
	if (!tap3_has(header, TAP3_FIELD_SPECIFICATION) || !tap3_has(header, TAP3_FIELD_RELEASE))
		return tap3_ber_fail(&batch->cursor, TAP3_NO_VERSION, batch->cursor.position, 0);
	if (header->specification != TAP3_SPECIFICATION || header->release < TAP3_RELEASE_MIN ||
		header->release > TAP3_RELEASE_MAX)
		return tap3_ber_fail(&batch->cursor, TAP3_BAD_VERSION, batch->cursor.position, tag);
	return TAP3_OK;
}

/* Resolves the codes that point into the header, then looks for what lacks. */
static void
finish_event(Tap3Batch *batch, Tap3Event *event)
{
	Tap3Header *header = &batch->header;
	const Tap3Entry *offset = NULL;
	const Tap3RecEntity *entity;

	if (tap3_has(event, TAP3_FIELD_UTC_CODE))
	{
		offset = tap3_codes_find(&header->utc_offsets, event->utc_code);
		if (offset == NULL)
			add_fault(event, TAP3_FAULT_UNRESOLVED, TAP3_TAG_UtcTimeOffsetCode, event->offset);
		else
			memcpy(event->utc_offset, offset->text, sizeof(event->utc_offset));
	}
	if (event->start_local[0] != '\0' && event->utc_offset[0] != '\0')
	{
		event->start_known = tap3_value_time(&event->start_seconds, event->start_local,
											 event->utc_offset);
		if (!event->start_known)
			add_fault(event, TAP3_FAULT_RANGE, TAP3_TAG_LocalTimeStamp, event->offset);
	}
	if (tap3_has(event, TAP3_FIELD_REC_ENTITY))
	{
		entity = tap3_rec_entities_find(&header->rec_entities, event->rec_entity_code);
		if (entity == NULL)
			add_fault(event, TAP3_FAULT_UNRESOLVED, TAP3_TAG_RecEntityCode, event->offset);
		else
			memcpy(event->rec_entity, entity->id, sizeof(event->rec_entity));
	}
	check_mandatory(header, event);
}

/* What the standard marks mandatory and a settlement needs, per type. */
static void
check_mandatory(const Tap3Header *header, Tap3Event *event)
{
	static const struct
	{
		uint8_t		field;
		uint16_t	tag;
		uint16_t	types;		/* bits of Tap3EventType */
	}			mandatory[] = {
#define TYPE(type) (1u << TAP3_EVENT_##type)
#define CALLS (TYPE(MOC) | TYPE(MTC))
#define RECORDED (CALLS | TYPE(SSE) | TYPE(SCU) | TYPE(GPRS) | TYPE(LOCATION) | TYPE(MESSAGING) | \
				  TYPE(SESSION))
		{TAP3_FIELD_SUBSCRIBER, TAP3_TAG_ChargeableSubscriber,
		RECORDED | TYPE(CONTENT) | TYPE(VAS)},
		{TAP3_FIELD_START_LOCAL, TAP3_TAG_LocalTimeStamp, RECORDED},
		{TAP3_FIELD_UTC_CODE, TAP3_TAG_UtcTimeOffsetCode, RECORDED},
		{TAP3_FIELD_DURATION, TAP3_TAG_TotalCallEventDuration, CALLS | TYPE(GPRS) | TYPE(SESSION)},
		{TAP3_FIELD_REC_ENTITY, TAP3_TAG_RecEntityCode, RECORDED},
		{TAP3_FIELD_CALL_REFERENCE, TAP3_TAG_EventReference, TYPE(MESSAGING) | TYPE(SESSION)},
		{TAP3_FIELD_VOLUME_IN, TAP3_TAG_DataVolumeIncoming, TYPE(GPRS)},
		{TAP3_FIELD_VOLUME_OUT, TAP3_TAG_DataVolumeOutgoing, TYPE(GPRS)},
		{TAP3_FIELD_APN, TAP3_TAG_AccessPointNameNI, TYPE(GPRS)},
		{TAP3_FIELD_CHARGING_ID, TAP3_TAG_ChargingId, TYPE(GPRS)},
		{TAP3_FIELD_CHARGED_ITEM, TAP3_TAG_ChargedItem,
		CALLS | TYPE(SCU) | TYPE(GPRS) | TYPE(LOCATION) | TYPE(SESSION)},
		{TAP3_FIELD_CHARGE, TAP3_TAG_Charge,
		CALLS | TYPE(SCU) | TYPE(GPRS) | TYPE(LOCATION) | TYPE(MESSAGING) | TYPE(SESSION)},
#undef RECORDED
#undef CALLS
#undef TYPE
	};

	(void) header;
	for (size_t i = 0; i < sizeof(mandatory) / sizeof(mandatory[0]); i++)
		if ((mandatory[i].types & (1u << event->type)) != 0 &&
			(event->present & TAP3_BIT(mandatory[i].field)) == 0)
			add_fault(event, TAP3_FAULT_MISSING, mandatory[i].tag, event->offset);
	if ((event->type == TAP3_EVENT_MOC || event->type == TAP3_EVENT_MTC ||
		 event->type == TAP3_EVENT_SSE || event->type == TAP3_EVENT_MESSAGING ||
		 event->type == TAP3_EVENT_SESSION) && event->service_type == TAP3_SERVICE_NONE)
		add_fault(event, TAP3_FAULT_MISSING, TAP3_TAG_BasicServiceCode, event->offset);
	if (event->type == TAP3_EVENT_MOC && event->other_party[0] == '\0' &&
		!(event->service_type == TAP3_SERVICE_TELE && strcmp(event->service_code, "12") == 0))
		add_fault(event, TAP3_FAULT_NO_DESTINATION, TAP3_TAG_Destination, event->offset);
}

static void
add_fault(Tap3Event *event, Tap3FaultKind kind, uint32_t tag, size_t offset)
{
	if (event->fault_count < TAP3_EVENT_FAULTS_MAX)
		event->faults[event->fault_count] = (Tap3Fault) {kind, tag, offset};
	event->fault_count++;
}

static void
add_header_fault(Tap3Header *header, Tap3FaultKind kind, uint32_t tag, size_t offset)
{
	if (header->fault_count < TAP3_EVENT_FAULTS_MAX)
		header->faults[header->fault_count] = (Tap3Fault) {kind, tag, offset};
	header->fault_count++;
}
