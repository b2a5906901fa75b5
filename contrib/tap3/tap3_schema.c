/*-------------------------------------------------------------------------
 *
 * tap3_schema.c
 *	  The table of items (see tap3_schema.h).
 *
 * Invariant: rules ascend by parent and child, which the lookup needs and a
 * unit test checks.
 *
 * Pure code: no PostgreSQL.
 *
 *-------------------------------------------------------------------------
 */
#include "tap3_schema.h"

#include <stddef.h>

#include "tap3_record.h"

#define GROUP(parent, child) \
	{TAP3_TAG_##parent, TAP3_TAG_##child, TAP3_KIND_GROUP, 0, 0, 0}
#define EVENT(parent, child, kind, field, member) \
	{TAP3_TAG_##parent, TAP3_TAG_##child, TAP3_KIND_##kind, TAP3_FIELD_##field, \
	sizeof(((Tap3Event *) 0)->member), offsetof(Tap3Event, member)}
#define HEADER(parent, child, kind, field, member) \
	{TAP3_TAG_##parent, TAP3_TAG_##child, TAP3_KIND_##kind, TAP3_FIELD_##field, \
	sizeof(((Tap3Header *) 0)->member), offsetof(Tap3Header, member)}

static const Tap3Rule rules[] = {
	GROUP(Notification, FileAvailableTimeStamp),
	GROUP(Notification, FileCreationTimeStamp),
	HEADER(Notification, FileSequenceNumber, DIGITS, SEQUENCE, sequence),
	HEADER(Notification, FileTypeIndicator, ASCII, FILE_TYPE, file_type),
	HEADER(Notification, RapFileSequenceNumber, DIGITS, RAP_SEQUENCE, rap_sequence),
	HEADER(Notification, Recipient, ASCII, RECIPIENT, recipient),
	HEADER(Notification, ReleaseVersionNumber, INT32, RELEASE, release),
	HEADER(Notification, Sender, ASCII, SENDER, sender),
	HEADER(Notification, SpecificationVersionNumber, INT32, SPECIFICATION, specification),
	GROUP(Notification, TransferCutOffTimeStamp),

	GROUP(BatchControlInfo, FileAvailableTimeStamp),
	GROUP(BatchControlInfo, FileCreationTimeStamp),
	HEADER(BatchControlInfo, FileSequenceNumber, DIGITS, SEQUENCE, sequence),
	HEADER(BatchControlInfo, FileTypeIndicator, ASCII, FILE_TYPE, file_type),
	HEADER(BatchControlInfo, RapFileSequenceNumber, DIGITS, RAP_SEQUENCE, rap_sequence),
	HEADER(BatchControlInfo, Recipient, ASCII, RECIPIENT, recipient),
	HEADER(BatchControlInfo, ReleaseVersionNumber, INT32, RELEASE, release),
	HEADER(BatchControlInfo, Sender, ASCII, SENDER, sender),
	HEADER(BatchControlInfo, SpecificationVersionNumber, INT32, SPECIFICATION, specification),
	GROUP(BatchControlInfo, TransferCutOffTimeStamp),

	GROUP(AccountingInfo, CurrencyConversionList),
	GROUP(AccountingInfo, DiscountingList),
	HEADER(AccountingInfo, LocalCurrency, ASCII, LOCAL_CURRENCY, local_currency),
	HEADER(AccountingInfo, TapCurrency, ASCII, TAP_CURRENCY, tap_currency),
	GROUP(AccountingInfo, TaxationList),
	HEADER(AccountingInfo, TapDecimalPlaces, INT32, DECIMAL_PLACES, decimal_places),

	GROUP(NetworkInfo, RecEntityInfoList),
	GROUP(NetworkInfo, UtcTimeOffsetInfoList),

	GROUP(MobileOriginatedCall, BasicServiceUsedList),
	GROUP(MobileOriginatedCall, CamelServiceUsed),
	GROUP(MobileOriginatedCall, EquipmentInformation),
	GROUP(MobileOriginatedCall, LocationInformation),
	GROUP(MobileOriginatedCall, MoBasicCallInformation),
	GROUP(MobileOriginatedCall, SupplServiceUsedList),
	GROUP(MobileOriginatedCall, ValueAddedServiceUsedList),
	GROUP(MobileOriginatedCall, ImeiOrEsn),

	GROUP(MobileTerminatedCall, BasicServiceUsedList),
	GROUP(MobileTerminatedCall, CamelServiceUsed),
	GROUP(MobileTerminatedCall, EquipmentInformation),
	GROUP(MobileTerminatedCall, LocationInformation),
	GROUP(MobileTerminatedCall, MtBasicCallInformation),
	GROUP(MobileTerminatedCall, SupplServiceUsedList),
	GROUP(MobileTerminatedCall, ValueAddedServiceUsedList),
	GROUP(MobileTerminatedCall, ImeiOrEsn),

	GROUP(SupplServiceEvent, EquipmentInformation),
	GROUP(SupplServiceEvent, LocationInformation),
	GROUP(SupplServiceEvent, SimChargeableSubscriber),
	GROUP(SupplServiceEvent, SupplServiceUsed),
	GROUP(SupplServiceEvent, MinChargeableSubscriber),
	GROUP(SupplServiceEvent, ChargeableSubscriber),
	GROUP(SupplServiceEvent, ImeiOrEsn),

	GROUP(ServiceCentreUsage, ChargeInformation),
	EVENT(ServiceCentreUsage, RecEntityCode, INT32, REC_ENTITY, rec_entity_code),
	GROUP(ServiceCentreUsage, ScuBasicInformation),
	GROUP(ServiceCentreUsage, ScuTimeStamps),

	EVENT(ValueAddedService, Msisdn, BCD, MSISDN, msisdn),
	GROUP(ValueAddedService, SimChargeableSubscriber),
	GROUP(ValueAddedService, ValueAddedServiceUsed),
	GROUP(ValueAddedService, MinChargeableSubscriber),
	GROUP(ValueAddedService, GsmChargeableSubscriber),

	GROUP(GprsCall, CamelServiceUsed),
	GROUP(GprsCall, EquipmentInformation),
	GROUP(GprsCall, GprsBasicCallInformation),
	GROUP(GprsCall, GprsLocationInformation),
	GROUP(GprsCall, GprsServiceUsed),
	GROUP(GprsCall, ValueAddedServiceUsedList),
	GROUP(GprsCall, ImeiOrEsn),

	HEADER(AuditControlInfo, CallEventDetailsCount, INT64, EVENT_COUNT, totals.event_count),
	GROUP(AuditControlInfo, EarliestCallTimeStamp),
	GROUP(AuditControlInfo, LatestCallTimeStamp),
	GROUP(AuditControlInfo, TotalChargeValueList),
	HEADER(AuditControlInfo, TotalDiscountValue, INT64, TOTAL_DISCOUNT, totals.discount),
	HEADER(AuditControlInfo, TotalTaxValue, INT64, TOTAL_TAX, totals.tax),
	HEADER(AuditControlInfo, TotalTaxRefund, INT64, TOTAL_TAX_REFUND, totals.tax_refund),
	HEADER(AuditControlInfo, TotalDiscountRefund, INT64, TOTAL_DISCOUNT_REFUND, totals.discount_refund),
	HEADER(AuditControlInfo, TotalChargeRefund, INT64, TOTAL_CHARGE_REFUND, totals.charge_refund),
	HEADER(AuditControlInfo, TotalCharge, INT64, TOTAL_CHARGE, totals.charge),

	GROUP(ContentTransaction, ContentServiceUsedList),
	GROUP(ContentTransaction, ContentTransactionBasicInfo),
	GROUP(ContentTransaction, ChargedPartyInformation),
	GROUP(ContentTransaction, ServingPartiesInformation),
	GROUP(ContentTransaction, ContentServiceUsed),

	EVENT(BasicService, BearerServiceCode, HEX, SERVICE_BEARER, service_code),
	EVENT(BasicService, TeleServiceCode, HEX, SERVICE_TELE, service_code),
	GROUP(BasicService, BasicServiceCode),

	GROUP(BasicServiceUsedList, BasicServiceUsed),

	GROUP(BasicServiceUsed, BasicService),
	GROUP(BasicServiceUsed, ChargeInformationList),

	EVENT(CallOriginator, AddressStringDigits, BCD, OTHER_PARTY, other_party),
	EVENT(CallOriginator, CallingNumber, BCD, OTHER_PARTY, other_party),
	EVENT(CallOriginator, SMSOriginator, ASCII, OTHER_PARTY, other_party),

	EVENT(CallEventStartTimeStamp, LocalTimeStamp, DIGITS, START_LOCAL, start_local),
	EVENT(CallEventStartTimeStamp, UtcTimeOffsetCode, INT32, UTC_CODE, utc_code),

	GROUP(CamelServiceUsed, ChargeInformation),
	GROUP(CamelServiceUsed, DiscountInformation),
	EVENT(CamelServiceUsed, ExchangeRateCode, INT32, EXCHANGE_RATE_CODE, exchange_rate_code),
	GROUP(CamelServiceUsed, TaxInformationList),
	EVENT(CamelServiceUsed, CamelInvocationFee, INT64, CHARGE, charge),

	EVENT(ChargeDetail, Charge, INT64, PART_CHARGE, part.charge),
	EVENT(ChargeDetail, ChargeType, DIGITS, PART_CHARGE_TYPE, part.charge_type),

	GROUP(ChargeDetailList, ChargeDetail),

	GROUP(ChargeInformation, ChargeDetailList),
	EVENT(ChargeInformation, ChargedItem, ASCII, CHARGED_ITEM, charged_item),
	GROUP(ChargeInformation, DiscountInformation),
	EVENT(ChargeInformation, ExchangeRateCode, INT32, EXCHANGE_RATE_CODE, exchange_rate_code),
	GROUP(ChargeInformation, TaxInformationList),
	GROUP(ChargeInformation, CallTypeGroup),

	GROUP(ChargeInformationList, ChargeInformation),

	EVENT(ChargingTimeStamp, LocalTimeStamp, DIGITS, START_LOCAL, start_local),
	EVENT(ChargingTimeStamp, UtcTimeOffsetCode, INT32, UTC_CODE, utc_code),

	GROUP(CurrencyConversionList, CurrencyConversion),

	EVENT(DepositTimeStamp, LocalTimeStamp, DIGITS, START_LOCAL, start_local),
	EVENT(DepositTimeStamp, UtcTimeOffsetCode, INT32, UTC_CODE, utc_code),

	EVENT(Destination, AddressStringDigits, BCD, OTHER_PARTY, other_party),
	EVENT(Destination, DialledDigits, ASCII, OTHER_PARTY, other_party),
	EVENT(Destination, CalledNumber, BCD, OTHER_PARTY, other_party),
	EVENT(Destination, SMSDestinationNumber, ASCII, OTHER_PARTY, other_party),

	HEADER(Discounting, DiscountCode, INT32, ENTRY_CODE, entry.code),
	HEADER(Discounting, DiscountRate, INT64, ENTRY_VALUE, entry.value),
	HEADER(Discounting, DiscountValue, INT64, ENTRY_FIXED, entry.fixed),
	GROUP(Discounting, DiscountApplied),

	GROUP(DiscountingList, Discounting),

	EVENT(DiscountInformation, DiscountCode, INT32, DISCOUNT_CODE, discount_code),
	EVENT(DiscountInformation, DiscountValue, INT64, DISCOUNT, discount),
	EVENT(DiscountInformation, Discount, INT64, DISCOUNT, discount),

	HEADER(EarliestCallTimeStamp, LocalTimeStamp, DIGITS, EARLIEST, earliest),
	HEADER(EarliestCallTimeStamp, UtcTimeOffset, OFFSET, EARLIEST_OFFSET, earliest_offset),

	EVENT(EquipmentInformation, Esn, DIGITS, EQUIPMENT, equipment),
	EVENT(EquipmentInformation, Imei, BCD, EQUIPMENT, equipment),

	HEADER(CurrencyConversion, ExchangeRate, INT64, ENTRY_VALUE, entry.value),
	HEADER(CurrencyConversion, ExchangeRateCode, INT32, ENTRY_CODE, entry.code),
	HEADER(CurrencyConversion, NumberOfDecimalPlaces, INT32, ENTRY_PLACES, entry.places),

	HEADER(FileAvailableTimeStamp, LocalTimeStamp, DIGITS, AVAILABLE, available),
	HEADER(FileAvailableTimeStamp, UtcTimeOffset, OFFSET, AVAILABLE_OFFSET, available_offset),

	HEADER(FileCreationTimeStamp, LocalTimeStamp, DIGITS, CREATED, created),
	HEADER(FileCreationTimeStamp, UtcTimeOffset, OFFSET, CREATED_OFFSET, created_offset),

	GROUP(GprsBasicCallInformation, CallEventStartTimeStamp),
	EVENT(GprsBasicCallInformation, CauseForTerm, INT32, CAUSE_FOR_TERM, cause_for_term),
	EVENT(GprsBasicCallInformation, ChargingId, INT64, CHARGING_ID, charging_id),
	GROUP(GprsBasicCallInformation, GprsChargeableSubscriber),
	GROUP(GprsBasicCallInformation, GprsDestination),
	EVENT(GprsBasicCallInformation, PartialTypeIndicator, ASCII, PARTIAL_TYPE, partial_type),
	EVENT(GprsBasicCallInformation, TotalCallEventDuration, INT64, DURATION, duration_s),

	GROUP(GprsChargeableSubscriber, SimChargeableSubscriber),
	GROUP(GprsChargeableSubscriber, MinChargeableSubscriber),
	GROUP(GprsChargeableSubscriber, ChargeableSubscriber),

	EVENT(GprsDestination, AccessPointNameNI, ASCII, APN, apn),

	GROUP(GprsLocationInformation, GprsNetworkLocation),

	EVENT(GprsNetworkLocation, CellId, INT32, CELL_ID, cell_id),
	EVENT(GprsNetworkLocation, LocationArea, INT32, LOCATION_AREA, location_area),
	GROUP(GprsNetworkLocation, RecEntityCodeList),

	EVENT(GprsServiceUsage, DataVolumeIncoming, INT64, VOLUME_IN, volume_in),
	EVENT(GprsServiceUsage, DataVolumeOutgoing, INT64, VOLUME_OUT, volume_out),

	GROUP(GprsServiceUsageList, GprsServiceUsage),

	GROUP(GprsServiceUsed, ChargeInformationList),
	GROUP(GprsServiceUsed, GprsServiceUsageList),
	EVENT(GprsServiceUsed, DataVolumeIncoming, INT64, VOLUME_IN, volume_in),
	EVENT(GprsServiceUsed, DataVolumeOutgoing, INT64, VOLUME_OUT, volume_out),

	HEADER(LatestCallTimeStamp, LocalTimeStamp, DIGITS, LATEST, latest),
	HEADER(LatestCallTimeStamp, UtcTimeOffset, OFFSET, LATEST_OFFSET, latest_offset),

	GROUP(LocationInformation, NetworkLocation),

	GROUP(MoBasicCallInformation, CallEventStartTimeStamp),
	EVENT(MoBasicCallInformation, CauseForTerm, INT32, CAUSE_FOR_TERM, cause_for_term),
	GROUP(MoBasicCallInformation, Destination),
	GROUP(MoBasicCallInformation, SimChargeableSubscriber),
	EVENT(MoBasicCallInformation, TotalCallEventDuration, INT64, DURATION, duration_s),
	GROUP(MoBasicCallInformation, MinChargeableSubscriber),
	GROUP(MoBasicCallInformation, ChargeableSubscriber),

	GROUP(MtBasicCallInformation, CallOriginator),
	GROUP(MtBasicCallInformation, CallEventStartTimeStamp),
	EVENT(MtBasicCallInformation, CauseForTerm, INT32, CAUSE_FOR_TERM, cause_for_term),
	GROUP(MtBasicCallInformation, SimChargeableSubscriber),
	EVENT(MtBasicCallInformation, TotalCallEventDuration, INT64, DURATION, duration_s),
	GROUP(MtBasicCallInformation, MinChargeableSubscriber),
	GROUP(MtBasicCallInformation, ChargeableSubscriber),

	EVENT(NetworkLocation, CallReference, OCTETS, CALL_REFERENCE, call_reference),
	EVENT(NetworkLocation, CellId, INT32, CELL_ID, cell_id),
	EVENT(NetworkLocation, LocationArea, INT32, LOCATION_AREA, location_area),
	EVENT(NetworkLocation, RecEntityCode, INT32, REC_ENTITY, rec_entity_code),

	EVENT(NonChargedPartyOld, AddressStringDigits, BCD, OTHER_PARTY, other_party),

	HEADER(RecEntityInformation, IPTextV4Address, ASCII, ENTRY_TEXT, entry_text),
	HEADER(RecEntityInformation, IPTextV6Address, ASCII, ENTRY_TEXT, entry_text),
	HEADER(RecEntityInformation, MscId, ASCII, ENTRY_TEXT, entry_text),
	HEADER(RecEntityInformation, Msisdn, BCD, ENTRY_TEXT, entry_text),
	HEADER(RecEntityInformation, RecEntityCode, INT32, ENTRY_CODE, entry.code),
	HEADER(RecEntityInformation, RecEntityType, INT32, ENTRY_TYPE, entry.type),
	HEADER(RecEntityInformation, GmlcAddress, ASCII, ENTRY_TEXT, entry_text),
	HEADER(RecEntityInformation, RecEntityId, ASCII, ENTRY_TEXT, entry_text),

	EVENT(RecEntityCodeList, RecEntityCode, INT32, REC_ENTITY, rec_entity_code),

	GROUP(RecEntityInfoList, RecEntityInformation),

	EVENT(ScuBasicInformation, Min, DIGITS, MIN, part.id),
	EVENT(ScuBasicInformation, Msisdn, BCD, MSISDN, msisdn),
	GROUP(ScuBasicInformation, NonChargedPartyOld),
	GROUP(ScuBasicInformation, SimChargeableSubscriber),
	GROUP(ScuBasicInformation, MinChargeableSubscriber),
	GROUP(ScuBasicInformation, GsmChargeableSubscriber),
	EVENT(ScuBasicInformation, NonChargedNumber, ASCII, OTHER_PARTY, other_party),
	GROUP(ScuBasicInformation, ScuChargeableSubscriber),

	GROUP(ScuTimeStamps, DepositTimeStamp),

	EVENT(SimChargeableSubscriber, Imsi, BCD, IMSI, imsi),
	EVENT(SimChargeableSubscriber, Msisdn, BCD, MSISDN, msisdn),

	GROUP(SupplServiceUsed, ChargeInformation),
	GROUP(SupplServiceUsed, ChargingTimeStamp),
	EVENT(SupplServiceUsed, SupplServiceCode, HEX, SERVICE_SUPPLEMENTARY, service_code),

	GROUP(SupplServiceUsedList, SupplServiceUsed),

	GROUP(TaxationList, Taxation),

	EVENT(TaxInformation, Charge, INT64, TAX_VALUE, tax_value),
	EVENT(TaxInformation, TaxCode, INT32, TAX_CODE, tax_code),
	EVENT(TaxInformation, AbsoluteAmount, INT64, TAX_VALUE, tax_value),
	EVENT(TaxInformation, TaxValue, INT64, TAX_VALUE, tax_value),
	EVENT(TaxInformation, TaxableAmount, INT64, TAXABLE_AMOUNT, taxable_amount),

	GROUP(TaxInformationList, TaxInformation),

	HEADER(Taxation, TaxCode, INT32, ENTRY_CODE, entry.code),
	HEADER(Taxation, TaxRate, DIGITS, ENTRY_TEXT, entry_rate),
	HEADER(Taxation, TaxType, ASCII, ENTRY_KIND, entry.kind),

	HEADER(TotalChargeValue, ChargeType, DIGITS, ENTRY_KIND, entry_charge_type),
	HEADER(TotalChargeValue, AbsoluteAmount, INT64, ENTRY_CHARGE, entry_charge),
	HEADER(TotalChargeValue, TotalChargeRefund, INT64, ENTRY_FIXED, entry.fixed),

	GROUP(TotalChargeValueList, TotalChargeValue),

	HEADER(TransferCutOffTimeStamp, LocalTimeStamp, DIGITS, CUTOFF, cutoff),
	HEADER(TransferCutOffTimeStamp, UtcTimeOffset, OFFSET, CUTOFF_OFFSET, cutoff_offset),

	HEADER(UtcTimeOffsetInfo, UtcTimeOffset, OFFSET, ENTRY_TEXT, entry.text),
	HEADER(UtcTimeOffsetInfo, UtcTimeOffsetCode, INT32, ENTRY_CODE, entry.code),

	GROUP(UtcTimeOffsetInfoList, UtcTimeOffsetInfo),

	GROUP(ValueAddedServiceUsedList, ValueAddedServiceUsed),

	GROUP(ValueAddedServiceUsed, ChargeInformation),
	GROUP(ValueAddedServiceUsed, ChargingTimeStamp),

	EVENT(MinChargeableSubscriber, Min, DIGITS, MIN, part.id),
	EVENT(MinChargeableSubscriber, Mdn, DIGITS, MSISDN, msisdn),

	EVENT(CallTypeGroup, CallTypeLevel2, INT32, CALL_TYPE_2, call_type[1]),
	EVENT(CallTypeGroup, CallTypeLevel3, INT32, CALL_TYPE_3, call_type[2]),
	EVENT(CallTypeGroup, CallTypeLevel1, INT32, CALL_TYPE_1, call_type[0]),

	GROUP(ContentServiceUsedList, ContentServiceUsed),

	EVENT(GsmChargeableSubscriber, Imsi, BCD, IMSI, imsi),
	EVENT(GsmChargeableSubscriber, Msisdn, BCD, MSISDN, msisdn),

	EVENT(LocationService, CallReference, OCTETS, CALL_REFERENCE, call_reference),
	EVENT(LocationService, RecEntityCode, INT32, REC_ENTITY, rec_entity_code),
	GROUP(LocationService, TrackingCustomerInformation),
	GROUP(LocationService, TrackedCustomerInformation),
	GROUP(LocationService, LocationServiceUsage),

	GROUP(TrackingCustomerInformation, TrackingCustomerIdList),
	GROUP(TrackingCustomerInformation, TrackingCustomerEquipment),

	GROUP(TrackingCustomerIdList, TrackingCustomerIdentification),

	EVENT(OrderPlacedTimeStamp, LocalTimeStamp, DIGITS, START_LOCAL, start_local),
	EVENT(OrderPlacedTimeStamp, UtcTimeOffsetCode, INT32, UTC_CODE, utc_code),

	EVENT(ContentTransactionBasicInfo, TotalCallEventDuration, INT64, DURATION, duration_s),
	GROUP(ContentTransactionBasicInfo, OrderPlacedTimeStamp),
	EVENT(ContentTransactionBasicInfo, TotalTransactionDuration, INT64, DURATION, duration_s),

	EVENT(ChargedPartyIdentification, Imsi, BCD, IMSI, imsi),
	EVENT(ChargedPartyIdentification, Msisdn, BCD, MSISDN, msisdn),
	EVENT(ChargedPartyIdentification, ChargedPartyIdentifier, ASCII, PART_ID, part.id),
	EVENT(ChargedPartyIdentification, ChargedPartyIdType, INT32, PART_ID_TYPE, part.id_type),

	GROUP(ChargedPartyIdList, ChargedPartyIdentification),

	EVENT(ChargedPartyEquipment, EquipmentId, ASCII, EQUIPMENT, equipment),

	GROUP(ChargedPartyInformation, ChargedPartyIdList),
	GROUP(ChargedPartyInformation, ChargedPartyEquipment),

	EVENT(ServingPartiesInformation, ContentProviderName, ASCII, OTHER_PARTY, other_party),

	GROUP(ContentServiceUsed, ChargeInformationList),
	EVENT(ContentServiceUsed, DataVolumeIncoming, INT64, VOLUME_IN, volume_in),
	EVENT(ContentServiceUsed, DataVolumeOutgoing, INT64, VOLUME_OUT, volume_out),
	EVENT(ContentServiceUsed, ChargeRefundIndicator, INT32, PART_REFUND, part.refund),

	EVENT(TrackingCustomerIdentification, CustomerIdType, INT32, PART_ID_TYPE, part.id_type),
	EVENT(TrackingCustomerIdentification, CustomerIdentifier, ASCII, PART_ID, part.id),

	GROUP(TrackedCustomerInformation, TrackedCustomerIdList),
	GROUP(TrackedCustomerInformation, TrackedCustomerEquipment),

	GROUP(TrackedCustomerIdList, TrackedCustomerIdentification),

	EVENT(TrackingCustomerEquipment, EquipmentId, ASCII, EQUIPMENT, equipment),

	EVENT(TrackedCustomerIdentification, CustomerIdType, INT32, PART_ID_TYPE, part.id_type),
	EVENT(TrackedCustomerIdentification, CustomerIdentifier, ASCII, PART_ID, part.id),

	EVENT(TrackedCustomerEquipment, EquipmentId, ASCII, EQUIPMENT, equipment),

	GROUP(LocationServiceUsage, ChargeInformationList),
	GROUP(LocationServiceUsage, LCSQosRequested),

	GROUP(LCSQosRequested, LCSRequestTimestamp),

	EVENT(LCSRequestTimestamp, LocalTimeStamp, DIGITS, START_LOCAL, start_local),
	EVENT(LCSRequestTimestamp, UtcTimeOffsetCode, INT32, UTC_CODE, utc_code),

	EVENT(BasicServiceCode, BearerServiceCode, HEX, SERVICE_BEARER, service_code),
	EVENT(BasicServiceCode, TeleServiceCode, HEX, SERVICE_TELE, service_code),

	GROUP(ChargeableSubscriber, SimChargeableSubscriber),
	GROUP(ChargeableSubscriber, MinChargeableSubscriber),

	HEADER(DiscountApplied, DiscountRate, INT64, ENTRY_VALUE, entry.value),
	HEADER(DiscountApplied, FixedDiscountValue, INT64, ENTRY_FIXED, entry.fixed),

	EVENT(ImeiOrEsn, Esn, DIGITS, EQUIPMENT, equipment),
	EVENT(ImeiOrEsn, Imei, BCD, EQUIPMENT, equipment),

	GROUP(ScuChargeableSubscriber, MinChargeableSubscriber),
	GROUP(ScuChargeableSubscriber, GsmChargeableSubscriber),

	EVENT(MessagingEvent, CellId, INT32, CELL_ID, cell_id),
	EVENT(MessagingEvent, Charge, INT64, CHARGE, charge),
	EVENT(MessagingEvent, ExchangeRateCode, INT32, EXCHANGE_RATE_CODE, exchange_rate_code),
	EVENT(MessagingEvent, LocationArea, INT32, LOCATION_AREA, location_area),
	GROUP(MessagingEvent, RecEntityCodeList),
	GROUP(MessagingEvent, TaxInformationList),
	GROUP(MessagingEvent, CallTypeGroup),
	EVENT(MessagingEvent, EventReference, OCTETS, CALL_REFERENCE, call_reference),
	GROUP(MessagingEvent, ChargedParty),
	EVENT(MessagingEvent, MessagingEventService, INT32, SERVICE_MESSAGING, service_number),
	GROUP(MessagingEvent, NonChargedParty),
	GROUP(MessagingEvent, ServiceStartTimestamp),

	EVENT(MobileSession, CauseForTerm, INT32, CAUSE_FOR_TERM, cause_for_term),
	EVENT(MobileSession, CellId, INT32, CELL_ID, cell_id),
	EVENT(MobileSession, LocationArea, INT32, LOCATION_AREA, location_area),
	GROUP(MobileSession, RecEntityCodeList),
	EVENT(MobileSession, TotalCallEventDuration, INT64, DURATION, duration_s),
	EVENT(MobileSession, EventReference, OCTETS, CALL_REFERENCE, call_reference),
	GROUP(MobileSession, ChargedParty),
	EVENT(MobileSession, MobileSessionService, INT32, SERVICE_SESSION, service_number),
	GROUP(MobileSession, NonChargedParty),
	GROUP(MobileSession, ServiceStartTimestamp),
	GROUP(MobileSession, SessionChargeInfoList),
	GROUP(MobileSession, RequestedDestination),

	EVENT(ChargedParty, Imei, BCD, EQUIPMENT, equipment),
	EVENT(ChargedParty, Imsi, BCD, IMSI, imsi),
	EVENT(ChargedParty, Msisdn, BCD, MSISDN, msisdn),

	EVENT(NonChargedParty, NonChargedPartyNumber, BCD, OTHER_PARTY, other_party),
	EVENT(NonChargedParty, NonChargedPublicUserId, ASCII, OTHER_PARTY, other_party),

	EVENT(ServiceStartTimestamp, LocalTimeStamp, DIGITS, START_LOCAL, start_local),
	EVENT(ServiceStartTimestamp, UtcTimeOffsetCode, INT32, UTC_CODE, utc_code),

	GROUP(SessionChargeInfoList, SessionChargeInformation),

	GROUP(SessionChargeInformation, ChargeDetailList),
	EVENT(SessionChargeInformation, ChargedItem, ASCII, CHARGED_ITEM, charged_item),
	EVENT(SessionChargeInformation, ExchangeRateCode, INT32, EXCHANGE_RATE_CODE, exchange_rate_code),
	GROUP(SessionChargeInformation, TaxInformationList),
	GROUP(SessionChargeInformation, CallTypeGroup),

	EVENT(RequestedDestination, RequestedNumber, BCD, OTHER_PARTY, other_party),
	EVENT(RequestedDestination, RequestedPublicUserId, ASCII, OTHER_PARTY, other_party)
};

#define RULE_COUNT (sizeof(rules) / sizeof(rules[0]))

/* The rule of an item in its group, or NULL. */
const Tap3Rule *
tap3_schema_find(uint32_t parent, uint32_t child)
{
	size_t		low = 0;
	size_t		high = RULE_COUNT;

	while (low < high)
	{
		size_t		middle = (low + high) / 2;
		const Tap3Rule *rule = &rules[middle];

		if (rule->parent < parent || (rule->parent == parent && rule->child < child))
			low = middle + 1;
		else
			high = middle;
	}
	if (low < RULE_COUNT && rules[low].parent == parent && rules[low].child == child)
		return &rules[low];
	return NULL;
}

const Tap3Rule *
tap3_schema_rules(unsigned *count)
{
	*count = (unsigned) RULE_COUNT;
	return rules;
}

/* The standard's name of a tag, or NULL. */
const char *
tap3_schema_name(uint32_t tag)
{
	switch (tag)
	{
#define TAP3_TAG_NAME(name, number) \
		case number: \
			return #name;
			TAP3_TAG_LIST(TAP3_TAG_NAME)
#undef TAP3_TAG_NAME
		default:
			return NULL;
	}
}
