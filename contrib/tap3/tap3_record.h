/*-------------------------------------------------------------------------
 *
 * tap3_record.h
 *	  What a TAP file says, decoded: its header and one call event.
 *
 * The reader fills these structs, the writer and the generator start from
 * them, so that a round trip compares like with like.  Amounts stay integers
 * in units of 10^-decimal_places of the TAP currency, as in the file.
 *
 * An event's charge, tax and discount are the sums over its charge
 * informations (charges of type 00 only, plus a CAMEL invocation fee); its
 * codes are the first that occur.  Amounts under a ContentServiceUsed with
 * ChargeRefundIndicator 1 are summed apart, as the audit totals do.
 *
 * Texts are NUL-terminated; an empty one is absent.  For numbers, "present"
 * holds one bit per field.
 *
 * Pure code: no PostgreSQL.
 *
 *-------------------------------------------------------------------------
 */
#ifndef TAP3_RECORD_H
#define TAP3_RECORD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define TAP3_CODES_MAX				512		/* entries of a rate, tax, discount or offset table */
#define TAP3_REC_ENTITIES_MAX		4096
#define TAP3_EVENT_FAULTS_MAX		16		/* kept per event; later ones are counted */
#define TAP3_DECIMAL_PLACES_MAX		9
#define TAP3_SEQUENCE_MAX			99999

#define TAP3_TEXT_MAX				64		/* other party, recording entity */
#define TAP3_REFERENCE_MAX			40

typedef enum Tap3EventType
{
	TAP3_EVENT_NONE,
	TAP3_EVENT_MOC,
	TAP3_EVENT_MTC,
	TAP3_EVENT_SSE,
	TAP3_EVENT_SCU,
	TAP3_EVENT_GPRS,
	TAP3_EVENT_CONTENT,
	TAP3_EVENT_LOCATION,
	TAP3_EVENT_MESSAGING,
	TAP3_EVENT_SESSION,
	TAP3_EVENT_VAS,				/* value added service, until TAP 3.10 */
	TAP3_EVENT_TYPE_COUNT
} Tap3EventType;

typedef enum Tap3ServiceType
{
	TAP3_SERVICE_NONE,
	TAP3_SERVICE_TELE,
	TAP3_SERVICE_BEARER,
	TAP3_SERVICE_SUPPLEMENTARY,
	TAP3_SERVICE_MESSAGING,
	TAP3_SERVICE_SESSION,
	TAP3_SERVICE_TYPE_COUNT
} Tap3ServiceType;

/* Fields of an event below 64, of the header from 64: one bit of "present". */
typedef enum Tap3Field
{
	TAP3_FIELD_NONE,
	TAP3_FIELD_SUBSCRIBER,
	TAP3_FIELD_START_LOCAL,
	TAP3_FIELD_UTC_CODE,
	TAP3_FIELD_DURATION,
	TAP3_FIELD_VOLUME_IN,
	TAP3_FIELD_VOLUME_OUT,
	TAP3_FIELD_OTHER_PARTY,
	TAP3_FIELD_APN,
	TAP3_FIELD_REC_ENTITY,
	TAP3_FIELD_LOCATION_AREA,
	TAP3_FIELD_CELL_ID,
	TAP3_FIELD_SERVICE_TELE,
	TAP3_FIELD_SERVICE_BEARER,
	TAP3_FIELD_SERVICE_SUPPLEMENTARY,
	TAP3_FIELD_SERVICE_MESSAGING,
	TAP3_FIELD_SERVICE_SESSION,
	TAP3_FIELD_CHARGED_ITEM,
	TAP3_FIELD_CALL_TYPE_1,
	TAP3_FIELD_CALL_TYPE_2,
	TAP3_FIELD_CALL_TYPE_3,
	TAP3_FIELD_CHARGE,
	TAP3_FIELD_EXCHANGE_RATE_CODE,
	TAP3_FIELD_TAX_CODE,
	TAP3_FIELD_TAX_VALUE,
	TAP3_FIELD_TAXABLE_AMOUNT,
	TAP3_FIELD_DISCOUNT_CODE,
	TAP3_FIELD_DISCOUNT,
	TAP3_FIELD_CAUSE_FOR_TERM,
	TAP3_FIELD_PARTIAL_TYPE,
	TAP3_FIELD_CALL_REFERENCE,
	TAP3_FIELD_CHARGING_ID,
	TAP3_FIELD_EQUIPMENT,
	TAP3_FIELD_IMSI,
	TAP3_FIELD_MSISDN,
	TAP3_FIELD_MIN,
	/* parts of the group being read */
	TAP3_FIELD_PART_CHARGE_TYPE,
	TAP3_FIELD_PART_CHARGE,
	TAP3_FIELD_PART_REFUND,
	TAP3_FIELD_PART_ID_TYPE,
	TAP3_FIELD_PART_ID,
	TAP3_FIELD_EVENT_END,

	TAP3_FIELD_HEADER = 64,
	TAP3_FIELD_SENDER,
	TAP3_FIELD_RECIPIENT,
	TAP3_FIELD_SEQUENCE,
	TAP3_FIELD_FILE_TYPE,
	TAP3_FIELD_RAP_SEQUENCE,
	TAP3_FIELD_CREATED,
	TAP3_FIELD_CREATED_OFFSET,
	TAP3_FIELD_CUTOFF,
	TAP3_FIELD_CUTOFF_OFFSET,
	TAP3_FIELD_AVAILABLE,
	TAP3_FIELD_AVAILABLE_OFFSET,
	TAP3_FIELD_SPECIFICATION,
	TAP3_FIELD_RELEASE,
	TAP3_FIELD_LOCAL_CURRENCY,
	TAP3_FIELD_TAP_CURRENCY,
	TAP3_FIELD_DECIMAL_PLACES,
	TAP3_FIELD_EARLIEST,
	TAP3_FIELD_EARLIEST_OFFSET,
	TAP3_FIELD_LATEST,
	TAP3_FIELD_LATEST_OFFSET,
	TAP3_FIELD_TOTAL_CHARGE,
	TAP3_FIELD_TOTAL_CHARGE_REFUND,
	TAP3_FIELD_TOTAL_TAX,
	TAP3_FIELD_TOTAL_TAX_REFUND,
	TAP3_FIELD_TOTAL_DISCOUNT,
	TAP3_FIELD_TOTAL_DISCOUNT_REFUND,
	TAP3_FIELD_EVENT_COUNT,
	/* parts of the table entry being read */
	TAP3_FIELD_ENTRY_CODE,
	TAP3_FIELD_ENTRY_TYPE,
	TAP3_FIELD_ENTRY_PLACES,
	TAP3_FIELD_ENTRY_VALUE,
	TAP3_FIELD_ENTRY_FIXED,
	TAP3_FIELD_ENTRY_TEXT,
	TAP3_FIELD_ENTRY_KIND,
	TAP3_FIELD_ENTRY_CHARGE,
	/* groups of the batch that were there */
	TAP3_FIELD_GROUP_ACCOUNTING,
	TAP3_FIELD_GROUP_NETWORK,
	TAP3_FIELD_GROUP_EVENTS,
	TAP3_FIELD_GROUP_AUDIT,
	TAP3_FIELD_COUNT
} Tap3Field;

#define TAP3_BIT(field) (UINT64_C(1) << ((field) & 63))
#define tap3_has(record, field) (((record)->present & TAP3_BIT(field)) != 0)
#define tap3_set(record, field) ((record)->present |= TAP3_BIT(field))

/*
 * Kinds of fault.  The numbers 30, 34 and 35 are those of the RAP error lists
 * as far as public sources show them; 10 and 20 are this extension's choice.
 */
#define TAP3_FAULT_LIST(X) \
	X(TAP3_FAULT_NONE,			0,	"no fault") \
	X(TAP3_FAULT_MISSING,		30,	"a mandatory item is missing") \
	X(TAP3_FAULT_NO_TOTAL,		34,	"no charge of type 00") \
	X(TAP3_FAULT_NO_DESTINATION, 35, "no destination, and the call is no emergency call") \
	X(TAP3_FAULT_SYNTAX,		10,	"the item has characters that its type does not allow") \
	X(TAP3_FAULT_RANGE,			20,	"the item is out of range") \
	X(TAP3_FAULT_NEGATIVE,		20,	"the item is negative") \
	X(TAP3_FAULT_UNRESOLVED,	20,	"the code is not in the header's table")

typedef enum Tap3FaultKind
{
#define TAP3_FAULT_ENUM(kind, code, text) kind,
	TAP3_FAULT_LIST(TAP3_FAULT_ENUM)
#undef TAP3_FAULT_ENUM
	TAP3_FAULT_COUNT
} Tap3FaultKind;

typedef struct Tap3Fault
{
	Tap3FaultKind kind;
	uint32_t	tag;
	size_t		offset;
} Tap3Fault;

/* What the group being read has shown so far. */
typedef struct Tap3Part
{
	char		charge_type[4];
	int64_t		charge;
	bool		total_seen;		/* a charge of type 00 in this charge information */
	int32_t		refund;			/* ChargeRefundIndicator of this content service */
	int32_t		id_type;
	char		id[TAP3_TEXT_MAX + 1];
} Tap3Part;

typedef struct Tap3Event
{
	Tap3EventType type;
	uint32_t	number;			/* from 1 */
	size_t		offset;			/* of the element's tag in the file */
	size_t		size;			/* of the whole element */
	uint64_t	present;

	char		imsi[17];
	char		msisdn[19];
	char		equipment[21];
	char		start_local[15];
	char		utc_offset[6];
	int32_t		utc_code;
	bool		start_known;
	int64_t		start_seconds;	/* since 1970-01-01 UTC, if start_known */
	int64_t		duration_s;
	int64_t		volume_in;
	int64_t		volume_out;
	char		other_party[TAP3_TEXT_MAX + 1];
	char		apn[TAP3_TEXT_MAX + 1];
	int32_t		rec_entity_code;
	char		rec_entity[TAP3_TEXT_MAX + 1];
	int32_t		location_area;
	int32_t		cell_id;
	Tap3ServiceType service_type;
	char		service_code[3];	/* tele, bearer, supplementary: 2 hex digits */
	int32_t		service_number; /* messaging, session: the service's number */
	char		charged_item[2];
	int32_t		call_type[3];
	char		charge_type[4];
	int64_t		charge;
	int64_t		charge_refund;
	int32_t		exchange_rate_code;
	int32_t		tax_code;
	int64_t		tax_value;
	int64_t		tax_refund;
	int64_t		taxable_amount;
	int32_t		discount_code;
	int64_t		discount;
	int64_t		discount_refund;
	int32_t		cause_for_term;
	char		partial_type[2];
	uint8_t		call_reference[TAP3_REFERENCE_MAX];
	size_t		call_reference_size;
	int64_t		charging_id;

	unsigned	fault_count;
	Tap3Fault	faults[TAP3_EVENT_FAULTS_MAX];
	Tap3Part	part;
} Tap3Event;

/* An entry of one of the header's tables, by code. */
typedef struct Tap3Entry
{
	int32_t		code;
	int32_t		type;			/* recording entity */
	int32_t		places;			/* exchange rate */
	int64_t		value;			/* exchange rate; tax rate in 10^-5; discount rate in 10^-2 */
	int64_t		fixed;			/* fixed discount */
	bool		has_value;
	bool		has_fixed;
	char		kind[3];		/* tax type */
	char		text[6];		/* UTC offset */
} Tap3Entry;

typedef struct Tap3Codes
{
	unsigned	count;
	unsigned	duplicates;
	Tap3Entry	entries[TAP3_CODES_MAX];
} Tap3Codes;

typedef struct Tap3RecEntity
{
	int32_t		code;
	int32_t		type;
	char		id[TAP3_TEXT_MAX + 1];
} Tap3RecEntity;

typedef struct Tap3RecEntities
{
	unsigned	count;
	unsigned	duplicates;
	Tap3RecEntity entries[TAP3_REC_ENTITIES_MAX];
} Tap3RecEntities;

typedef struct Tap3Totals
{
	int64_t		charge;
	int64_t		charge_refund;
	int64_t		tax;
	int64_t		tax_refund;
	int64_t		discount;
	int64_t		discount_refund;
	int64_t		event_count;
} Tap3Totals;

typedef struct Tap3Header
{
	bool		notification;
	uint64_t	present;		/* fields from TAP3_FIELD_HEADER on */

	char		sender[6];
	char		recipient[6];
	char		sequence[6];
	int32_t		sequence_number;	/* of sequence, 0 if that is no number */
	char		file_type[2];
	char		rap_sequence[6];
	char		created[15];
	char		created_offset[6];
	char		cutoff[15];
	char		cutoff_offset[6];
	char		available[15];
	char		available_offset[6];
	int32_t		specification;
	int32_t		release;
	char		local_currency[4];
	char		tap_currency[4];
	int32_t		decimal_places;
	char		earliest[15];
	char		earliest_offset[6];
	char		latest[15];
	char		latest_offset[6];
	Tap3Totals	totals;			/* as the audit control information states them */

	unsigned	fault_count;
	Tap3Fault	faults[TAP3_EVENT_FAULTS_MAX];

	Tap3Codes	exchange_rates;
	Tap3Codes	taxes;
	Tap3Codes	discounts;
	Tap3Codes	utc_offsets;
	Tap3RecEntities rec_entities;

	/* the table entry being read */
	Tap3Entry	entry;
	char		entry_text[TAP3_TEXT_MAX + 1];
	char		entry_rate[8];
	char		entry_charge_type[4];
	int64_t		entry_charge;
} Tap3Header;

extern const char *tap3_event_type_name(Tap3EventType type);
extern Tap3EventType tap3_event_type_by_name(const char *name);
extern const char *tap3_service_type_name(Tap3ServiceType type);
extern Tap3ServiceType tap3_service_type_by_name(const char *name);
extern const char *tap3_fault_text(Tap3FaultKind kind);
extern int	tap3_fault_code(Tap3FaultKind kind);

extern Tap3Entry *tap3_codes_find(Tap3Codes *codes, int32_t code);
extern Tap3Entry *tap3_codes_add(Tap3Codes *codes, int32_t code);
extern Tap3RecEntity *tap3_rec_entities_find(Tap3RecEntities *entities, int32_t code);
extern Tap3RecEntity *tap3_rec_entities_add(Tap3RecEntities *entities, int32_t code);

extern bool tap3_totals_add(Tap3Totals *totals, const Tap3Event *event);

#endif							/* TAP3_RECORD_H */
