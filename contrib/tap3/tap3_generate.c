/*-------------------------------------------------------------------------
 *
 * tap3_generate.c
 *	  The generator (see tap3_generate.h).
 *
 * Of 100 events about 45 are data sessions, 22 calls, 12 calls received, 14
 * short messages, and the rest the rarer kinds, as far as the release has
 * them.  They are spread over one day in the order of their start.
 *
 * Random numbers are splitmix64 of (seed, event, draw).  All arithmetic is on
 * integers: prices are in 10^-5 of the local currency.
 *
 * Pure code: no PostgreSQL, no allocation, no clock.
 *
 *-------------------------------------------------------------------------
 */
#include "tap3_generate.h"

#include <stdio.h>
#include <string.h>

#include "tap3_value.h"

#define DECIMAL_PLACES		5
#define TAX_RATE			1900000		/* 19 percent in 10^-5 */
#define REC_ENTITY_MSC		1
#define REC_ENTITY_SMSC		2
#define REC_ENTITY_SGSN		3
#define REC_ENTITY_GGSN		4

/* TADIG code, MCC and MNC as in use; subscribers' numbers are invented. */
static const Tap3Network networks[] = {
	{"DEUD1", "262", "01", "49", "EUR", "+0100"},
	{"DEUD2", "262", "02", "49", "EUR", "+0100"},
	{"DEUE2", "262", "07", "49", "EUR", "+0100"},
	{"FRAF1", "208", "01", "33", "EUR", "+0100"},
	{"ESPVV", "214", "06", "34", "EUR", "+0100"},
	{"ESPRT", "214", "03", "34", "EUR", "+0100"},
	{"ITAOM", "222", "10", "39", "EUR", "+0100"},
	{"GBRVF", "234", "15", "44", "GBP", "+0000"},
	{"GBRCN", "234", "10", "44", "GBP", "+0000"},
	{"NLDLT", "204", "04", "31", "EUR", "+0100"},
	{"PRTTL", "268", "01", "351", "EUR", "+0000"},
	{"AUTMM", "232", "03", "43", "EUR", "+0100"},
	{"POL02", "260", "02", "48", "PLN", "+0100"},
	{"POL03", "260", "03", "48", "PLN", "+0100"},
	{"ROMMR", "226", "10", "40", "RON", "+0200"},
	{"BELMO", "206", "10", "32", "EUR", "+0100"},
	{"HUNH2", "216", "30", "36", "HUF", "+0100"},
	{"GRCPF", "202", "05", "30", "EUR", "+0200"},
	{"TURTS", "286", "02", "90", "TRY", "+0300"},
	{"EGYAR", "602", "01", "20", "EGP", "+0200"},
	{"USAW6", "310", "260", "1", "USD", "-0600"},
	{"BRAV1", "724", "10", "55", "BRL", "-0300"},
	{"AUSVF", "505", "03", "61", "AUD", "+1000"},
	{"KORKF", "450", "08", "82", "KRW", "+0900"},
};

typedef struct Draws
{
	uint64_t	state;
} Draws;

static uint64_t draw(Draws *draws, uint64_t below);
static void put_text(char *out, size_t capacity, const char *a, const char *b, uint64_t number,
					 int digits);
static Tap3EventType draw_type(const Tap3Generator *generator, Draws *draws);
static void make_call(Draws *draws, Tap3Event *event);
static void make_data(Draws *draws, Tap3Event *event);
static void make_rare(Draws *draws, Tap3Event *event);
static void put_charge(Draws *draws, Tap3Event *event, const char *item, int64_t charge);
static void put_place(Draws *draws, Tap3Event *event, int32_t rec_entity);
static void put_reference(Draws *draws, Tap3Event *event, size_t size);
static void put_event_reference(Draws *draws, Tap3Event *event);

const Tap3Network *
tap3_networks(unsigned *count)
{
	*count = sizeof(networks) / sizeof(networks[0]);
	return networks;
}

const Tap3Network *
tap3_network_by_tadig(const char *tadig)
{
	for (size_t i = 0; i < sizeof(networks) / sizeof(networks[0]); i++)
		if (strcmp(networks[i].tadig, tadig) == 0)
			return &networks[i];
	return NULL;
}

void
tap3_generate_header(const Tap3Generator *generator, Tap3Header *header)
{
	const Tap3Network *visited = generator->visited;
	Tap3Entry  *entry;
	int			offset_s;
	int64_t		midnight;

	memset(header, 0, sizeof(*header));
	(void) tap3_value_offset(&offset_s, visited->utc_offset);
	midnight = generator->day_seconds - offset_s;
	strcpy(header->sender, visited->tadig);
	strcpy(header->recipient, generator->home->tadig);
	snprintf(header->sequence, sizeof(header->sequence), "%05u",
			 (unsigned) generator->sequence_number % (TAP3_SEQUENCE_MAX + 1));
	header->sequence_number = generator->sequence_number;
	if (generator->test_file)
		strcpy(header->file_type, "T");
	tap3_value_put_time(header->cutoff, midnight + 86400, visited->utc_offset);
	tap3_value_put_time(header->created, midnight + 86400 + 1800, visited->utc_offset);
	tap3_value_put_time(header->available, midnight + 86400 + 3600, visited->utc_offset);
	strcpy(header->cutoff_offset, visited->utc_offset);
	strcpy(header->created_offset, visited->utc_offset);
	strcpy(header->available_offset, visited->utc_offset);
	header->specification = TAP3_SPECIFICATION;
	header->release = generator->release;
	header->notification = (generator->event_count == 0);
	strcpy(header->local_currency, visited->currency);
	strcpy(header->tap_currency, "XDR");
	header->decimal_places = DECIMAL_PLACES;

	entry = tap3_codes_add(&header->taxes, 1);
	entry->value = TAX_RATE;
	entry->has_value = true;
	strcpy(entry->kind, "01");
	entry = tap3_codes_add(&header->discounts, 1);
	entry->value = 1000;		/* 10.00 percent */
	entry->has_value = true;
	entry = tap3_codes_add(&header->exchange_rates, 1);
	entry->places = 5;
	entry->value = 116203;
	entry->has_value = true;
	entry = tap3_codes_add(&header->utc_offsets, 1);
	strcpy(entry->text, visited->utc_offset);
	for (int32_t code = REC_ENTITY_MSC; code <= REC_ENTITY_GGSN; code++)
	{
		Tap3RecEntity *entity = tap3_rec_entities_add(&header->rec_entities, code);

		entity->type = code;
		put_text(entity->id, sizeof(entity->id), visited->country_code, visited->mnc,
				 (uint64_t) code * 1111, 6);
	}
}

/* A Tap3EventSource. */
Tap3Status
tap3_generate_event(void *context, uint32_t number, Tap3Event *event)
{
	const Tap3Generator *generator = context;
	const Tap3Network *home = generator->home;
	Draws		draws;
	int			offset_s;
	uint64_t	subscriber;
	uint64_t	slot;

	memset(event, 0, sizeof(*event));
	draws.state = generator->seed * UINT64_C(0x9e3779b97f4a7c15) + number;
	(void) draw(&draws, 1);
	event->number = number;
	event->type = draw_type(generator, &draws);

	subscriber = draw(&draws, 100000);
	put_text(event->imsi, sizeof(event->imsi), home->mcc, home->mnc, subscriber,
			 (int) (15 - strlen(home->mcc) - strlen(home->mnc)));
	put_text(event->msisdn, sizeof(event->msisdn), home->country_code, "170", subscriber, 7);
	event->present |= TAP3_BIT(TAP3_FIELD_SUBSCRIBER) | TAP3_BIT(TAP3_FIELD_IMSI) |
		TAP3_BIT(TAP3_FIELD_MSISDN);

	(void) tap3_value_offset(&offset_s, generator->visited->utc_offset);
	slot = (uint64_t) (number - 1) * 86400 / generator->event_count;
	event->start_seconds = generator->day_seconds - offset_s + (int64_t) slot;
	event->start_known = true;
	tap3_value_put_time(event->start_local, event->start_seconds, generator->visited->utc_offset);
	strcpy(event->utc_offset, generator->visited->utc_offset);
	event->utc_code = 1;
	event->present |= TAP3_BIT(TAP3_FIELD_START_LOCAL) | TAP3_BIT(TAP3_FIELD_UTC_CODE);

	if (event->type == TAP3_EVENT_MOC || event->type == TAP3_EVENT_MTC)
		make_call(&draws, event);
	else if (event->type == TAP3_EVENT_GPRS)
		make_data(&draws, event);
	else
		make_rare(&draws, event);
	if (generator->release == 9)
	{
		/* 3.9 has no taxable amount */
		event->taxable_amount = 0;
		event->present &= ~TAP3_BIT(TAP3_FIELD_TAXABLE_AMOUNT);
	}
	return TAP3_OK;
}

/* A number from 0 to below - 1. */
static uint64_t
draw(Draws *draws, uint64_t below)
{
	uint64_t	z = (draws->state += UINT64_C(0x9e3779b97f4a7c15));

	z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
	z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
	return (z ^ (z >> 31)) % below;
}

static void
put_text(char *out, size_t capacity, const char *a, const char *b, uint64_t number, int digits)
{
	snprintf(out, capacity, "%s%s%0*llu", a, b, digits, (unsigned long long) number);
}

static Tap3EventType
draw_type(const Tap3Generator *generator, Draws *draws)
{
	uint64_t	percent = draw(draws, 100);

	if (percent < 45)
		return TAP3_EVENT_GPRS;
	if (percent < 81)
		return TAP3_EVENT_MOC;
	if (percent < 93)
		return TAP3_EVENT_MTC;
	if (percent == 93)
		return TAP3_EVENT_SCU;
	if (percent == 94)
		return TAP3_EVENT_CONTENT;
	if (percent == 95 && generator->release >= 10)
		return TAP3_EVENT_LOCATION;
	if (percent == 96 && generator->release >= 12)
		return TAP3_EVENT_MESSAGING;
	if (percent == 97 && generator->release >= 12)
		return TAP3_EVENT_SESSION;
	if (percent == 98 && generator->release <= 10)
		return TAP3_EVENT_VAS;
	return TAP3_EVENT_SSE;
}

/* Voice, or for 4 of 10 originated ones a short message. */
static void
make_call(Draws *draws, Tap3Event *event)
{
	bool		message = event->type == TAP3_EVENT_MOC && draw(draws, 10) < 4;

	put_text(event->other_party, sizeof(event->other_party), "4930", "", draw(draws, 10000000), 7);
	tap3_set(event, TAP3_FIELD_OTHER_PARTY);
	event->duration_s = message ? 0 : (int64_t) (1 + draw(draws, 900));
	tap3_set(event, TAP3_FIELD_DURATION);
	event->cause_for_term = (int32_t) draw(draws, 5);
	tap3_set(event, TAP3_FIELD_CAUSE_FOR_TERM);
	event->service_type = TAP3_SERVICE_TELE;
	strcpy(event->service_code, message ? "22" : "11");
	tap3_set(event, TAP3_FIELD_SERVICE_TELE);
	put_text(event->equipment, sizeof(event->equipment), "35", "", draw(draws, 1000000000), 14 - 2);
	tap3_set(event, TAP3_FIELD_EQUIPMENT);
	put_place(draws, event, message ? REC_ENTITY_SMSC : REC_ENTITY_MSC);
	put_reference(draws, event, 3);
	if (message)
		put_charge(draws, event, "E", 4500);
	else
		put_charge(draws, event, "D", event->duration_s * 310);
}

static void
make_data(Draws *draws, Tap3Event *event)
{
	strcpy(event->apn, draw(draws, 4) == 0 ? "ims.example.net" : "internet.example.net");
	tap3_set(event, TAP3_FIELD_APN);
	event->duration_s = (int64_t) (1 + draw(draws, 7200));
	tap3_set(event, TAP3_FIELD_DURATION);
	event->volume_in = (int64_t) draw(draws, 200000000);
	event->volume_out = (int64_t) draw(draws, 20000000);
	event->present |= TAP3_BIT(TAP3_FIELD_VOLUME_IN) | TAP3_BIT(TAP3_FIELD_VOLUME_OUT);
	event->charging_id = (int64_t) draw(draws, UINT64_C(0x100000000));
	tap3_set(event, TAP3_FIELD_CHARGING_ID);
	if (draw(draws, 20) == 0)
	{
		strcpy(event->partial_type, "I");
		tap3_set(event, TAP3_FIELD_PARTIAL_TYPE);
	}
	put_place(draws, event, REC_ENTITY_SGSN);
	put_charge(draws, event, "X", (event->volume_in + event->volume_out) / 1000);
}

static void
make_rare(Draws *draws, Tap3Event *event)
{
	switch (event->type)
	{
		case TAP3_EVENT_SSE:
			event->service_type = TAP3_SERVICE_SUPPLEMENTARY;
			strcpy(event->service_code, "21");
			tap3_set(event, TAP3_FIELD_SERVICE_SUPPLEMENTARY);
			put_place(draws, event, REC_ENTITY_MSC);
			break;
		case TAP3_EVENT_SCU:
			event->rec_entity_code = REC_ENTITY_SMSC;
			tap3_set(event, TAP3_FIELD_REC_ENTITY);
			put_text(event->other_party, sizeof(event->other_party), "4930", "",
					 draw(draws, 10000000), 7);
			tap3_set(event, TAP3_FIELD_OTHER_PARTY);
			put_charge(draws, event, "E", 3000);
			break;
		case TAP3_EVENT_CONTENT:
			strcpy(event->other_party, "NEWS AND MUSIC");
			tap3_set(event, TAP3_FIELD_OTHER_PARTY);
			put_charge(draws, event, "C", 99000);
			if (draw(draws, 5) == 0)
			{
				/* the whole transaction is given back */
				event->charge_refund = event->charge;
				event->tax_refund = event->tax_value;
				event->discount_refund = event->discount;
				event->charge = event->tax_value = event->discount = 0;
				event->taxable_amount = 0;
				event->present &= ~TAP3_BIT(TAP3_FIELD_TAXABLE_AMOUNT);
			}
			break;
		case TAP3_EVENT_LOCATION:
			event->rec_entity_code = REC_ENTITY_MSC;
			tap3_set(event, TAP3_FIELD_REC_ENTITY);
			put_reference(draws, event, 4);
			put_charge(draws, event, "E", 1500);
			break;
		case TAP3_EVENT_MESSAGING:
			event->service_type = TAP3_SERVICE_MESSAGING;
			event->service_number = 1;
			tap3_set(event, TAP3_FIELD_SERVICE_MESSAGING);
			put_place(draws, event, REC_ENTITY_SMSC);
			put_event_reference(draws, event);
			put_charge(draws, event, "", 2500);
			break;
		case TAP3_EVENT_SESSION:
			event->service_type = TAP3_SERVICE_SESSION;
			event->service_number = 1;
			tap3_set(event, TAP3_FIELD_SERVICE_SESSION);
			event->duration_s = (int64_t) (1 + draw(draws, 900));
			tap3_set(event, TAP3_FIELD_DURATION);
			put_place(draws, event, REC_ENTITY_MSC);
			put_event_reference(draws, event);
			put_charge(draws, event, "D", event->duration_s * 290);
			break;
		default:
			put_charge(draws, event, "E", 2000);
	}
}

/* The charge with its tax and, now and then, a discount. */
static void
put_charge(Draws *draws, Tap3Event *event, const char *item, int64_t charge)
{
	bool		discount = item[0] != '\0' && event->type != TAP3_EVENT_SESSION &&
		draw(draws, 10) == 0;

	if (item[0] != '\0')
	{
		strcpy(event->charged_item, item);
		tap3_set(event, TAP3_FIELD_CHARGED_ITEM);
	}
	strcpy(event->charge_type, "00");
	event->charge = charge;
	tap3_set(event, TAP3_FIELD_CHARGE);
	event->exchange_rate_code = 1;
	tap3_set(event, TAP3_FIELD_EXCHANGE_RATE_CODE);
	event->call_type[0] = (int32_t) (1 + draw(draws, 3));
	event->call_type[1] = 0;
	event->call_type[2] = 0;
	event->present |= TAP3_BIT(TAP3_FIELD_CALL_TYPE_1) | TAP3_BIT(TAP3_FIELD_CALL_TYPE_2) |
		TAP3_BIT(TAP3_FIELD_CALL_TYPE_3);
	event->tax_code = 1;
	event->tax_value = charge * TAX_RATE / 10000000;
	event->taxable_amount = charge;
	event->present |= TAP3_BIT(TAP3_FIELD_TAX_CODE) | TAP3_BIT(TAP3_FIELD_TAX_VALUE) |
		TAP3_BIT(TAP3_FIELD_TAXABLE_AMOUNT);
	if (discount)
	{
		event->discount_code = 1;
		event->discount = charge / 10;
		event->present |= TAP3_BIT(TAP3_FIELD_DISCOUNT_CODE) | TAP3_BIT(TAP3_FIELD_DISCOUNT);
	}
}

static void
put_place(Draws *draws, Tap3Event *event, int32_t rec_entity)
{
	event->rec_entity_code = rec_entity;
	event->location_area = (int32_t) (1 + draw(draws, 65535));
	event->cell_id = (int32_t) (1 + draw(draws, 268435455));
	event->present |= TAP3_BIT(TAP3_FIELD_REC_ENTITY) | TAP3_BIT(TAP3_FIELD_LOCATION_AREA) |
		TAP3_BIT(TAP3_FIELD_CELL_ID);
}

static void
put_reference(Draws *draws, Tap3Event *event, size_t size)
{
	for (size_t i = 0; i < size; i++)
		event->call_reference[i] = (uint8_t) draw(draws, 256);
	event->call_reference_size = size;
	tap3_set(event, TAP3_FIELD_CALL_REFERENCE);
}

static void
put_event_reference(Draws *draws, Tap3Event *event)
{
	event->call_reference_size = (size_t)
		snprintf((char *) event->call_reference, sizeof(event->call_reference), "%08llx",
				 (unsigned long long) draw(draws, UINT64_C(0x100000000)));
	tap3_set(event, TAP3_FIELD_CALL_REFERENCE);
}
