/*-------------------------------------------------------------------------
 *
 * tap3_record.c
 *	  Names and tables of the decoded records (see tap3_record.h).
 *
 * The tables of the header are kept ascending by code; of two entries with
 * one code the first stands and the second is counted as a duplicate.
 *
 * Pure code: no PostgreSQL, no allocation.
 *
 *-------------------------------------------------------------------------
 */
#include "tap3_record.h"

#include <string.h>

static const char *const event_type_names[TAP3_EVENT_TYPE_COUNT] = {
	"", "moc", "mtc", "sse", "scu", "gprs", "content", "location", "messaging", "session", "vas"
};

static const char *const service_type_names[TAP3_SERVICE_TYPE_COUNT] = {
	"", "tele", "bearer", "supplementary", "messaging", "session"
};

static const char *const fault_texts[TAP3_FAULT_COUNT] = {
#define TAP3_FAULT_TEXT(kind, code, text) text,
	TAP3_FAULT_LIST(TAP3_FAULT_TEXT)
#undef TAP3_FAULT_TEXT
};

static const int fault_codes[TAP3_FAULT_COUNT] = {
#define TAP3_FAULT_CODE(kind, code, text) code,
	TAP3_FAULT_LIST(TAP3_FAULT_CODE)
#undef TAP3_FAULT_CODE
};

static unsigned codes_position(const Tap3Codes *codes, int32_t code);
static unsigned entities_position(const Tap3RecEntities *entities, int32_t code);

const char *
tap3_event_type_name(Tap3EventType type)
{
	return (unsigned) type < TAP3_EVENT_TYPE_COUNT ? event_type_names[type] : "";
}

Tap3EventType
tap3_event_type_by_name(const char *name)
{
	for (int type = 1; type < TAP3_EVENT_TYPE_COUNT; type++)
		if (strcmp(name, event_type_names[type]) == 0)
			return (Tap3EventType) type;
	return TAP3_EVENT_NONE;
}

const char *
tap3_service_type_name(Tap3ServiceType type)
{
	return (unsigned) type < TAP3_SERVICE_TYPE_COUNT ? service_type_names[type] : "";
}

Tap3ServiceType
tap3_service_type_by_name(const char *name)
{
	for (int type = 1; type < TAP3_SERVICE_TYPE_COUNT; type++)
		if (strcmp(name, service_type_names[type]) == 0)
			return (Tap3ServiceType) type;
	return TAP3_SERVICE_NONE;
}

const char *
tap3_fault_text(Tap3FaultKind kind)
{
	return (unsigned) kind < TAP3_FAULT_COUNT ? fault_texts[kind] : "";
}

int
tap3_fault_code(Tap3FaultKind kind)
{
	return (unsigned) kind < TAP3_FAULT_COUNT ? fault_codes[kind] : 0;
}

Tap3Entry *
tap3_codes_find(Tap3Codes *codes, int32_t code)
{
	unsigned	position = codes_position(codes, code);

	if (position < codes->count && codes->entries[position].code == code)
		return &codes->entries[position];
	return NULL;
}

/* An empty entry for a new code; NULL if the table is full or has the code. */
Tap3Entry *
tap3_codes_add(Tap3Codes *codes, int32_t code)
{
	unsigned	position = codes_position(codes, code);
	Tap3Entry  *entry = &codes->entries[position];

	if (position < codes->count && entry->code == code)
	{
		codes->duplicates++;
		return NULL;
	}
	if (codes->count == TAP3_CODES_MAX)
		return NULL;
	memmove(entry + 1, entry, (codes->count - position) * sizeof(*entry));
	codes->count++;
	memset(entry, 0, sizeof(*entry));
	entry->code = code;
	return entry;
}

Tap3RecEntity *
tap3_rec_entities_find(Tap3RecEntities *entities, int32_t code)
{
	unsigned	position = entities_position(entities, code);

	if (position < entities->count && entities->entries[position].code == code)
		return &entities->entries[position];
	return NULL;
}

/* As tap3_codes_add. */
Tap3RecEntity *
tap3_rec_entities_add(Tap3RecEntities *entities, int32_t code)
{
	unsigned	position = entities_position(entities, code);
	Tap3RecEntity *entry = &entities->entries[position];

	if (position < entities->count && entry->code == code)
	{
		entities->duplicates++;
		return NULL;
	}
	if (entities->count == TAP3_REC_ENTITIES_MAX)
		return NULL;
	memmove(entry + 1, entry, (entities->count - position) * sizeof(*entry));
	entities->count++;
	memset(entry, 0, sizeof(*entry));
	entry->code = code;
	return entry;
}

/* False if a sum leaves 64 bits. */
bool
tap3_totals_add(Tap3Totals *totals, const Tap3Event *event)
{
	totals->event_count++;
	return !__builtin_add_overflow(totals->charge, event->charge, &totals->charge) &&
		!__builtin_add_overflow(totals->charge_refund, event->charge_refund,
								&totals->charge_refund) &&
		!__builtin_add_overflow(totals->tax, event->tax_value, &totals->tax) &&
		!__builtin_add_overflow(totals->tax_refund, event->tax_refund, &totals->tax_refund) &&
		!__builtin_add_overflow(totals->discount, event->discount, &totals->discount) &&
		!__builtin_add_overflow(totals->discount_refund, event->discount_refund,
								&totals->discount_refund);
}

/* Where the code is, or where it would have to be inserted. */
static unsigned
codes_position(const Tap3Codes *codes, int32_t code)
{
	unsigned	low = 0;
	unsigned	high = codes->count;

	while (low < high)
	{
		unsigned	middle = (low + high) / 2;

		if (codes->entries[middle].code < code)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

static unsigned
entities_position(const Tap3RecEntities *entities, int32_t code)
{
	unsigned	low = 0;
	unsigned	high = entities->count;

	while (low < high)
	{
		unsigned	middle = (low + high) / 2;

		if (entities->entries[middle].code < code)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}
