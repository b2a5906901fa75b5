/*-------------------------------------------------------------------------
 *
 * tap3_schema.h
 *	  The items of TAP 3.9 to 3.12 that this extension knows.
 *
 * In TAP 3 an item has the same application tag wherever it stands and in
 * every release, so that one table serves four releases: it lists which item
 * may stand in which group and where its value goes.  An item that the table
 * does not list in its group is an extension or carries nothing we keep; the
 * reader steps over it.  Items of 3.9 and 3.10 that later releases replaced
 * (AddressStringDigits 33, EquipmentInformation 102, AbsoluteAmount 241 ...)
 * stand beside their successors.
 *
 * Pure code: no PostgreSQL.
 *
 *-------------------------------------------------------------------------
 */
#ifndef TAP3_SCHEMA_H
#define TAP3_SCHEMA_H

#include <stdint.h>

/* name, number of the application tag */
#define TAP3_TAG_LIST(X) \
	X(TransferBatch, 1) \
	X(Notification, 2) \
	X(CallEventDetailList, 3) \
	X(BatchControlInfo, 4) \
	X(AccountingInfo, 5) \
	X(NetworkInfo, 6) \
	X(VasInfoList, 7) \
	X(MessageDescriptionInfoList, 8) \
	X(MobileOriginatedCall, 9) \
	X(MobileTerminatedCall, 10) \
	X(SupplServiceEvent, 11) \
	X(ServiceCentreUsage, 12) \
	X(ValueAddedService, 13) \
	X(GprsCall, 14) \
	X(AuditControlInfo, 15) \
	X(LocalTimeStamp, 16) \
	X(ContentTransaction, 17) \
	X(AddressStringDigits, 33) \
	X(BasicService, 36) \
	X(BasicServiceUsedList, 38) \
	X(BasicServiceUsed, 39) \
	X(BearerServiceCode, 40) \
	X(CallOriginator, 41) \
	X(CallEventDetailsCount, 43) \
	X(CallEventStartTimeStamp, 44) \
	X(CallReference, 45) \
	X(CamelServiceUsed, 57) \
	X(CauseForTerm, 58) \
	X(CellId, 59) \
	X(Charge, 62) \
	X(ChargeDetail, 63) \
	X(ChargeDetailList, 64) \
	X(ChargedItem, 66) \
	X(ChargedPartyStatus, 67) \
	X(ChargeInformation, 69) \
	X(ChargeInformationList, 70) \
	X(ChargeType, 71) \
	X(ChargingId, 72) \
	X(ChargingPoint, 73) \
	X(ChargingTimeStamp, 74) \
	X(CompletionTimeStamp, 76) \
	X(CurrencyConversionList, 80) \
	X(DepositTimeStamp, 88) \
	X(Destination, 89) \
	X(DiscountCode, 91) \
	X(DiscountRate, 92) \
	X(DiscountValue, 93) \
	X(Discounting, 94) \
	X(DiscountingList, 95) \
	X(DiscountInformation, 96) \
	X(EarliestCallTimeStamp, 101) \
	X(EquipmentInformation, 102) \
	X(Esn, 103) \
	X(ExchangeRate, 104) \
	X(ExchangeRateCode, 105) \
	X(CurrencyConversion, 106) \
	X(FileAvailableTimeStamp, 107) \
	X(FileCreationTimeStamp, 108) \
	X(FileSequenceNumber, 109) \
	X(FileTypeIndicator, 110) \
	X(GprsBasicCallInformation, 114) \
	X(GprsChargeableSubscriber, 115) \
	X(GprsDestination, 116) \
	X(GprsLocationInformation, 117) \
	X(GprsNetworkLocation, 118) \
	X(GprsServiceUsage, 119) \
	X(GprsServiceUsageList, 120) \
	X(GprsServiceUsed, 121) \
	X(Imei, 128) \
	X(Imsi, 129) \
	X(IPTextV4Address, 131) \
	X(IPTextV6Address, 132) \
	X(LatestCallTimeStamp, 133) \
	X(LocalCurrency, 135) \
	X(LocationArea, 136) \
	X(LocationInformation, 138) \
	X(MessageDescriptionCode, 141) \
	X(MessageDescription, 142) \
	X(MessageDescriptionInformation, 143) \
	X(MessageStatus, 144) \
	X(MessageType, 145) \
	X(Min, 146) \
	X(MoBasicCallInformation, 147) \
	X(MscId, 151) \
	X(Msisdn, 152) \
	X(MtBasicCallInformation, 153) \
	X(NetworkLocation, 156) \
	X(NonChargedPartyOld, 158) \
	X(NumberOfDecimalPlaces, 159) \
	X(PartialTypeIndicator, 166) \
	X(PriorityCode, 170) \
	X(RapFileSequenceNumber, 181) \
	X(Recipient, 182) \
	X(RecEntityInformation, 183) \
	X(RecEntityCode, 184) \
	X(RecEntityCodeList, 185) \
	X(RecEntityType, 186) \
	X(RecEntityInfoList, 188) \
	X(ReleaseVersionNumber, 189) \
	X(ScuBasicInformation, 191) \
	X(ScuChargeType, 192) \
	X(ScuTimeStamps, 193) \
	X(Sender, 196) \
	X(SimChargeableSubscriber, 199) \
	X(SpecificationVersionNumber, 201) \
	X(SupplServiceUsed, 206) \
	X(SupplServiceUsedList, 207) \
	X(SupplServiceActionCode, 208) \
	X(SupplServiceCode, 209) \
	X(TapCurrency, 210) \
	X(TaxationList, 211) \
	X(TaxCode, 212) \
	X(TaxInformation, 213) \
	X(TaxInformationList, 214) \
	X(TaxRate, 215) \
	X(Taxation, 216) \
	X(TaxType, 217) \
	X(TeleServiceCode, 218) \
	X(TotalChargeValue, 222) \
	X(TotalCallEventDuration, 223) \
	X(TotalChargeValueList, 224) \
	X(TotalDiscountValue, 225) \
	X(TotalTaxValue, 226) \
	X(TransferCutOffTimeStamp, 227) \
	X(UtcTimeOffset, 231) \
	X(UtcTimeOffsetCode, 232) \
	X(UtcTimeOffsetInfo, 233) \
	X(UtcTimeOffsetInfoList, 234) \
	X(ValueAddedServiceUsedList, 235) \
	X(ValueAddedServiceUsed, 236) \
	X(VasCode, 237) \
	X(AbsoluteAmount, 241) \
	X(TapDecimalPlaces, 244) \
	X(DataVolumeIncoming, 250) \
	X(DataVolumeOutgoing, 251) \
	X(Mdn, 253) \
	X(MinChargeableSubscriber, 254) \
	X(CallTypeLevel2, 255) \
	X(CallTypeLevel3, 256) \
	X(CallTypeGroup, 258) \
	X(CallTypeLevel1, 259) \
	X(AccessPointNameNI, 261) \
	X(DialledDigits, 279) \
	X(ContentServiceUsedList, 285) \
	X(GsmChargeableSubscriber, 286) \
	X(ChargedPartyIdentifier, 287) \
	X(EquipmentId, 290) \
	X(GmlcAddress, 296) \
	X(LocationService, 297) \
	X(TrackingCustomerInformation, 298) \
	X(TrackingCustomerIdList, 299) \
	X(OrderPlacedTimeStamp, 300) \
	X(ContentTransactionBasicInfo, 304) \
	X(ChargedPartyIdType, 305) \
	X(ChargedPartyIdentification, 309) \
	X(ChargedPartyIdList, 310) \
	X(EquipmentIdType, 322) \
	X(ChargedPartyEquipment, 323) \
	X(ChargedPartyInformation, 324) \
	X(ContentProviderName, 334) \
	X(ServingPartiesInformation, 335) \
	X(ContentTransactionCode, 336) \
	X(ContentTransactionType, 337) \
	X(TransactionShortDescription, 340) \
	X(TransactionIdentifier, 341) \
	X(ChargeRefundIndicator, 344) \
	X(ContentServiceUsed, 352) \
	X(TotalTaxRefund, 353) \
	X(TotalDiscountRefund, 354) \
	X(TotalChargeRefund, 355) \
	X(TrackingCustomerIdentification, 362) \
	X(CustomerIdType, 363) \
	X(CustomerIdentifier, 364) \
	X(TrackedCustomerInformation, 367) \
	X(TrackedCustomerIdList, 370) \
	X(TrackingCustomerEquipment, 371) \
	X(TrackedCustomerIdentification, 372) \
	X(TrackedCustomerEquipment, 381) \
	X(LocationServiceUsage, 382) \
	X(LCSQosRequested, 383) \
	X(LCSRequestTimestamp, 384) \
	X(TaxValue, 397) \
	X(TaxableAmount, 398) \
	X(RecEntityId, 400) \
	X(NonChargedNumber, 402) \
	X(CallingNumber, 405) \
	X(CalledNumber, 407) \
	X(ChargeDetailTimeStamp, 410) \
	X(FixedDiscountValue, 411) \
	X(Discount, 412) \
	X(TotalCharge, 415) \
	X(TotalTransactionDuration, 416) \
	X(SMSDestinationNumber, 419) \
	X(CamelInvocationFee, 422) \
	X(SMSOriginator, 425) \
	X(BasicServiceCode, 426) \
	X(ChargeableSubscriber, 427) \
	X(DiscountApplied, 428) \
	X(ImeiOrEsn, 429) \
	X(ScuChargeableSubscriber, 430) \
	X(MessagingEvent, 433) \
	X(MobileSession, 434) \
	X(EventReference, 435) \
	X(ChargedParty, 436) \
	X(MessagingEventService, 439) \
	X(MobileSessionService, 440) \
	X(NonChargedParty, 443) \
	X(NonChargedPartyNumber, 444) \
	X(NonChargedPublicUserId, 445) \
	X(ServiceStartTimestamp, 447) \
	X(SessionChargeInfoList, 448) \
	X(SessionChargeInformation, 449) \
	X(RequestedDestination, 450) \
	X(RequestedNumber, 451) \
	X(RequestedPublicUserId, 452)

typedef enum Tap3Tag
{
	TAP3_TAG_NONE,
#define TAP3_TAG_ENUM(name, number) TAP3_TAG_##name = number,
	TAP3_TAG_LIST(TAP3_TAG_ENUM)
#undef TAP3_TAG_ENUM
} Tap3Tag;

typedef enum Tap3Kind
{
	TAP3_KIND_GROUP,
	TAP3_KIND_ASCII,			/* visible ISO 646; outer spaces are dropped */
	TAP3_KIND_DIGITS,			/* 0 to 9 */
	TAP3_KIND_HEX,				/* 0 to 9, A to F */
	TAP3_KIND_OFFSET,			/* +hhmm or -hhmm */
	TAP3_KIND_BCD,				/* two digits an octet, f fills */
	TAP3_KIND_INT32,
	TAP3_KIND_INT64,
	TAP3_KIND_OCTETS
} Tap3Kind;

typedef struct Tap3Rule
{
	uint16_t	parent;
	uint16_t	child;
	uint8_t		kind;
	uint8_t		field;
	uint16_t	capacity;		/* of the place, a text's NUL included */
	uint32_t	place;			/* offset in Tap3Event, or in Tap3Header for fields from
								 * TAP3_FIELD_HEADER on */
} Tap3Rule;

extern const Tap3Rule *tap3_schema_find(uint32_t parent, uint32_t child);
extern const Tap3Rule *tap3_schema_rules(unsigned *count);
extern const char *tap3_schema_name(uint32_t tag);

#endif							/* TAP3_SCHEMA_H */
