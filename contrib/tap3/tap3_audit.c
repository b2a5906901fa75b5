/*-------------------------------------------------------------------------
 *
 * tap3_audit.c
 *	  The checks of a TAP file (see tap3_audit.h).
 *
 * Codes: 30 a mandatory item is missing, 34 no charge of type 00, 35 no
 * destination, 36 no audit control information, 100 the file contradicts
 * itself or its name, as the public sources of RAP error lists have them;
 * 10 (syntax) and 20 (range, reference) are this extension's choice.
 *
 * A wrong value is a finding, not an error: the file is refused, if at all,
 * by its receiver.  Only bytes that are no TAP file end an audit.
 *
 * Pure code: no PostgreSQL, no allocation.
 *
 *-------------------------------------------------------------------------
 */
#include "tap3_audit.h"

#include <stdio.h>
#include <string.h>

#include "tap3_schema.h"
#include "tap3_value.h"

static void check_header(Tap3Audit *audit, const char *file_name);
static void check_mandatory(Tap3Audit *audit);
static void check_tables(Tap3Audit *audit);
static void check_event(Tap3Audit *audit);
static void check_totals(Tap3Audit *audit);
static void check_window(Tap3Audit *audit);
static void check_amount(Tap3Audit *audit, uint32_t tag, bool stated, int64_t found,
						 int64_t expected, const char *message);
static void report(Tap3Audit *audit, Tap3Finding *finding);
static void report_check(Tap3Audit *audit, Tap3Severity severity, int code, uint32_t tag,
						 bool passed, const char *expected, const char *found,
						 const char *message);
static bool is_tadig(const char *code);

static const char *const severity_names[TAP3_SEVERITY_COUNT] = {"warning", "severe", "fatal"};

const char *
tap3_severity_name(Tap3Severity severity)
{
	return (unsigned) severity < TAP3_SEVERITY_COUNT ? severity_names[severity] : "";
}

/* file_name may be NULL. */
Tap3Status
tap3_audit_run(Tap3Audit *audit, const void *data, size_t size, const char *file_name,
			   Tap3FindingSink sink, void *context)
{
	Tap3Status	status;

	audit->sink = sink;
	audit->sink_context = context;
	audit->fatal_count = 0;
	audit->severe_count = 0;
	audit->warning_count = 0;
	audit->any_start = false;
	memset(&audit->totals, 0, sizeof(audit->totals));

	status = tap3_batch_open(&audit->batch, data, size);
	if (status != TAP3_OK)
		return status;
	check_header(audit, file_name);
	while ((status = tap3_batch_next(&audit->batch, &audit->event)) == TAP3_OK)
	{
		if (!tap3_totals_add(&audit->totals, &audit->event))
			return tap3_ber_fail(&audit->batch.cursor, TAP3_SUM_RANGE, audit->event.offset,
								 TAP3_TAG_Charge);
		check_event(audit);
	}
	if (status != TAP3_END)
		return status;
	if (!audit->batch.header.notification)
		check_totals(audit);
	return TAP3_OK;
}

/*
 * CD or TD, sender, recipient, number: if a file is named so, does it carry
 * that?  True for any other kind of name.
 */
bool
tap3_audit_file_name(const Tap3Header *header, const char *file_name,
					 char expected[TAP3_FINDING_TEXT_MAX])
{
	const char *slash = strrchr(file_name, '/');
	const char *base = (slash != NULL) ? slash + 1 : file_name;

	snprintf(expected, TAP3_FINDING_TEXT_MAX, "%s%s%s%s", header->file_type[0] != '\0' ? "TD" : "CD",
			 header->sender, header->recipient, header->sequence);
	if (strlen(base) < 17 || (strncmp(base, "CD", 2) != 0 && strncmp(base, "TD", 2) != 0) ||
		strspn(base + 2, "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789") < 15 ||
		strspn(base + 12, "0123456789") != 5)
		return true;
	return strncmp(base, expected, 17) == 0;
}

static void
check_header(Tap3Audit *audit, const char *file_name)
{
	const Tap3Header *header = &audit->batch.header;
	char		expected[TAP3_FINDING_TEXT_MAX];

	check_mandatory(audit);
	report_check(audit, TAP3_SEVERITY_FATAL, 20, TAP3_TAG_Sender, is_tadig(header->sender),
				 "5 of A-Z, 0-9", header->sender, "the sender is a TADIG code");
	report_check(audit, TAP3_SEVERITY_FATAL, 20, TAP3_TAG_Recipient, is_tadig(header->recipient),
				 "5 of A-Z, 0-9", header->recipient, "the recipient is a TADIG code");
	report_check(audit, TAP3_SEVERITY_FATAL, 20, TAP3_TAG_FileSequenceNumber,
				 header->sequence_number >= 1 && strlen(header->sequence) == 5,
				 "00001 to 99999", header->sequence, "the sequence number has its form");
	if (file_name != NULL)
	{
		bool		passed = tap3_audit_file_name(header, file_name, expected);

		report_check(audit, TAP3_SEVERITY_FATAL, 100, TAP3_TAG_FileSequenceNumber, passed, expected,
					 file_name, "the file's name does not contradict the file");
	}
	for (unsigned i = 0; i < header->fault_count && i < TAP3_EVENT_FAULTS_MAX; i++)
	{
		Tap3FaultKind kind = header->faults[i].kind;

		report_check(audit, TAP3_SEVERITY_FATAL, tap3_fault_code(kind), header->faults[i].tag,
					 false, "", "", tap3_fault_text(kind));
	}
	check_tables(audit);
}

static void
check_mandatory(Tap3Audit *audit)
{
	static const struct
	{
		uint8_t		field;
		bool		of_batch;	/* not in a notification */
		uint16_t	tag;
	}			mandatory[] = {
		{TAP3_FIELD_SENDER, false, TAP3_TAG_Sender},
		{TAP3_FIELD_RECIPIENT, false, TAP3_TAG_Recipient},
		{TAP3_FIELD_SEQUENCE, false, TAP3_TAG_FileSequenceNumber},
		{TAP3_FIELD_CUTOFF, false, TAP3_TAG_TransferCutOffTimeStamp},
		{TAP3_FIELD_AVAILABLE, false, TAP3_TAG_FileAvailableTimeStamp},
		{TAP3_FIELD_GROUP_ACCOUNTING, true, TAP3_TAG_AccountingInfo},
		{TAP3_FIELD_LOCAL_CURRENCY, true, TAP3_TAG_LocalCurrency},
		{TAP3_FIELD_DECIMAL_PLACES, true, TAP3_TAG_TapDecimalPlaces},
		{TAP3_FIELD_GROUP_NETWORK, true, TAP3_TAG_NetworkInfo},
		{TAP3_FIELD_GROUP_EVENTS, true, TAP3_TAG_CallEventDetailList},
	};
	const Tap3Header *header = &audit->batch.header;

	for (size_t i = 0; i < sizeof(mandatory) / sizeof(mandatory[0]); i++)
		if (!mandatory[i].of_batch || !header->notification)
		{
			bool		passed = (header->present & TAP3_BIT(mandatory[i].field)) != 0;

			report_check(audit, TAP3_SEVERITY_FATAL, 30, mandatory[i].tag, passed,
						 "present", passed ? "present" : "missing",
						 "the mandatory item is there");
		}
}

static void
check_tables(Tap3Audit *audit)
{
	const Tap3Header *header = &audit->batch.header;
	const struct
	{
		uint32_t	tag;
		unsigned	duplicates;
	}			tables[] = {
		{TAP3_TAG_TaxationList, header->taxes.duplicates},
		{TAP3_TAG_DiscountingList, header->discounts.duplicates},
		{TAP3_TAG_CurrencyConversionList, header->exchange_rates.duplicates},
		{TAP3_TAG_UtcTimeOffsetInfoList, header->utc_offsets.duplicates},
		{TAP3_TAG_RecEntityInfoList, header->rec_entities.duplicates},
	};
	char		found[TAP3_FINDING_TEXT_MAX];
	int			seconds;

	if (header->notification)
		return;
	for (size_t i = 0; i < sizeof(tables) / sizeof(tables[0]); i++)
	{
		snprintf(found, sizeof(found), "%u", tables[i].duplicates);
		report_check(audit, TAP3_SEVERITY_FATAL, 100, tables[i].tag, tables[i].duplicates == 0,
					 "0", found, "no code of the table occurs twice");
	}
	for (unsigned i = 0; i < header->utc_offsets.count; i++)
		if (!tap3_value_offset(&seconds, header->utc_offsets.entries[i].text))
			report_check(audit, TAP3_SEVERITY_FATAL, 20, TAP3_TAG_UtcTimeOffset, false,
						 "+hhmm or -hhmm", header->utc_offsets.entries[i].text,
						 "the UTC offset has its form");
}

static void
check_event(Tap3Audit *audit)
{
	const Tap3Event *event = &audit->event;
	Tap3Finding finding;

	for (unsigned i = 0; i < event->fault_count && i < TAP3_EVENT_FAULTS_MAX; i++)
	{
		memset(&finding, 0, sizeof(finding));
		finding.severity = TAP3_SEVERITY_SEVERE;
		finding.code = tap3_fault_code(event->faults[i].kind);
		finding.tag = event->faults[i].tag;
		finding.event_number = event->number;
		finding.offset = event->faults[i].offset;
		finding.message = tap3_fault_text(event->faults[i].kind);
		report(audit, &finding);
	}
	if (event->start_known)
	{
		if (!audit->any_start || event->start_seconds < audit->earliest)
			audit->earliest = event->start_seconds;
		if (!audit->any_start || event->start_seconds > audit->latest)
			audit->latest = event->start_seconds;
		audit->any_start = true;
	}
}

static void
check_totals(Tap3Audit *audit)
{
	const Tap3Header *header = &audit->batch.header;
	const Tap3Totals *stated = &header->totals;
	const Tap3Totals *summed = &audit->totals;
	bool		there = tap3_has(header, TAP3_FIELD_GROUP_AUDIT);
	char		expected[TAP3_FINDING_TEXT_MAX];
	char		found[TAP3_FINDING_TEXT_MAX];

	report_check(audit, TAP3_SEVERITY_FATAL, 36, TAP3_TAG_AuditControlInfo, there, "present",
				 there ? "present" : "missing", "the audit control information is there");
	if (!there)
		return;
	check_amount(audit, TAP3_TAG_TotalCharge, tap3_has(header, TAP3_FIELD_TOTAL_CHARGE),
				 stated->charge, summed->charge, "the total charge is the sum of the charges");
	check_amount(audit, TAP3_TAG_TotalTaxValue, tap3_has(header, TAP3_FIELD_TOTAL_TAX),
				 stated->tax, summed->tax, "the total tax is the sum of the taxes");
	check_amount(audit, TAP3_TAG_TotalDiscountValue, tap3_has(header, TAP3_FIELD_TOTAL_DISCOUNT),
				 stated->discount, summed->discount,
				 "the total discount is the sum of the discounts");
	/* the refunds need not be stated when there are none */
	check_amount(audit, TAP3_TAG_TotalChargeRefund, true, stated->charge_refund,
				 summed->charge_refund, "the total refund is the sum of the refunded charges");
	check_amount(audit, TAP3_TAG_TotalTaxRefund, true, stated->tax_refund,
				 summed->tax_refund, "the total tax refund is the sum of the refunded taxes");
	check_amount(audit, TAP3_TAG_TotalDiscountRefund, true, stated->discount_refund,
				 summed->discount_refund,
				 "the total discount refund is the sum of the refunded discounts");

	snprintf(expected, sizeof(expected), "%lld", (long long) summed->event_count);
	snprintf(found, sizeof(found), "%lld", (long long) stated->event_count);
	if (!tap3_has(header, TAP3_FIELD_EVENT_COUNT))
		strcpy(found, "missing");
	report_check(audit, TAP3_SEVERITY_FATAL,
				 tap3_has(header, TAP3_FIELD_EVENT_COUNT) ? 100 : 30,
				 TAP3_TAG_CallEventDetailsCount,
				 tap3_has(header, TAP3_FIELD_EVENT_COUNT) &&
				 stated->event_count == summed->event_count,
				 expected, found, "the count is the number of call events");
	if (audit->any_start)
		check_window(audit);
}

/* Every event between the stated earliest and latest; the bounds are taken. */
static void
check_window(Tap3Audit *audit)
{
	const Tap3Header *header = &audit->batch.header;
	const struct
	{
		uint32_t	tag;
		const char *local;
		const char *offset;
		int64_t		actual;
		int			sign;		/* -1: stated must not be later than the actual one */
		const char *message;
		const char *tight_message;
	}			bounds[] = {
		{TAP3_TAG_EarliestCallTimeStamp, header->earliest, header->earliest_offset,
			audit->earliest, -1, "no event is earlier than the stated earliest one",
		"the stated earliest time is an event's"},
		{TAP3_TAG_LatestCallTimeStamp, header->latest, header->latest_offset,
			audit->latest, 1, "no event is later than the stated latest one",
		"the stated latest time is an event's"},
	};

	for (int i = 0; i < 2; i++)
	{
		char		expected[TAP3_FINDING_TEXT_MAX];
		char		found[TAP3_FINDING_TEXT_MAX];
		const char *offset = bounds[i].offset;
		char		local[15];
		int64_t		stated;
		bool		known = tap3_value_time(&stated, bounds[i].local, offset);
		bool		inside;

		if (!known)
			offset = "+0000";
		tap3_value_put_time(local, bounds[i].actual, offset);
		snprintf(expected, sizeof(expected), "%s%s", local, offset);
		snprintf(found, sizeof(found), "%s%s", bounds[i].local, bounds[i].offset);
		inside = known && (bounds[i].sign < 0 ? stated <= bounds[i].actual :
						   stated >= bounds[i].actual);
		report_check(audit, TAP3_SEVERITY_FATAL, bounds[i].local[0] == '\0' ? 30 : 100,
					 bounds[i].tag, inside, expected, bounds[i].local[0] == '\0' ? "missing" : found,
					 bounds[i].message);
		if (inside)
			report_check(audit, TAP3_SEVERITY_WARNING, 100, bounds[i].tag,
						 stated == bounds[i].actual, expected, found, bounds[i].tight_message);
	}
}

static void
check_amount(Tap3Audit *audit, uint32_t tag, bool stated, int64_t found, int64_t expected,
			 const char *message)
{
	int			places = audit->batch.header.decimal_places;
	char		expected_text[TAP3_AMOUNT_TEXT_MAX];
	char		found_text[TAP3_AMOUNT_TEXT_MAX];

	report_check(audit, TAP3_SEVERITY_FATAL, stated ? 100 : 30, tag, stated && found == expected,
				 tap3_value_amount(expected_text, expected, places),
				 stated ? tap3_value_amount(found_text, found, places) : "missing", message);
}

static void
report_check(Tap3Audit *audit, Tap3Severity severity, int code, uint32_t tag, bool passed,
			 const char *expected, const char *found, const char *message)
{
	Tap3Finding finding;

	memset(&finding, 0, sizeof(finding));
	finding.severity = severity;
	finding.code = code;
	finding.tag = tag;
	finding.passed = passed;
	finding.message = message;
	snprintf(finding.expected, sizeof(finding.expected), "%s", expected);
	snprintf(finding.found, sizeof(finding.found), "%s", found);
	report(audit, &finding);
}

static void
report(Tap3Audit *audit, Tap3Finding *finding)
{
	if (!finding->passed)
	{
		if (finding->severity == TAP3_SEVERITY_FATAL)
			audit->fatal_count++;
		else if (finding->severity == TAP3_SEVERITY_SEVERE)
			audit->severe_count++;
		else
			audit->warning_count++;
	}
	if (audit->sink != NULL)
		audit->sink(audit->sink_context, finding);
}

static bool
is_tadig(const char *code)
{
	return strlen(code) == 5 && strspn(code, "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789") == 5;
}
