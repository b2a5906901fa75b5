/*-------------------------------------------------------------------------
 *
 * tap3_value.c
 *	  The values of primitive items (see tap3_value.h).
 *
 * Local times are counted in the proleptic Gregorian calendar, seconds since
 * 1970-01-01; the count of days is the usual one with years that begin in
 * March, so that the leap day is the last of its year.
 *
 * Pure code: no PostgreSQL, no allocation, no locale.
 *
 *-------------------------------------------------------------------------
 */
#include "tap3_value.h"

#include <string.h>

static Tap3ValueCheck bcd_text(char *out, size_t capacity, const uint8_t *bytes, size_t size);
static bool is_allowed(Tap3Kind kind, const char *text, size_t size);
static int	two_digits(const char *text);
static int64_t days_before(int year, int month, int day);
static int	days_in_month(int year, int month);

/* A text, NUL-terminated, in its SQL form. */
Tap3ValueCheck
tap3_value_text(char *out, size_t capacity, Tap3Kind kind, const uint8_t *bytes, size_t size)
{
	out[0] = '\0';
	if (kind == TAP3_KIND_BCD)
		return bcd_text(out, capacity, bytes, size);
	while (size > 0 && bytes[size - 1] == ' ')
		size--;
	while (size > 0 && bytes[0] == ' ')
	{
		bytes++;
		size--;
	}
	if (size == 0)
		return TAP3_VALUE_EMPTY;
	if (!is_allowed(kind, (const char *) bytes, size))
		return TAP3_VALUE_SYNTAX;
	if (size >= capacity)
		return TAP3_VALUE_RANGE;
	memcpy(out, bytes, size);
	out[size] = '\0';
	return TAP3_VALUE_OK;
}

/* Two's complement; octets that only repeat the sign do not count. */
Tap3ValueCheck
tap3_value_integer(int64_t *out, const uint8_t *bytes, size_t size)
{
	uint8_t		sign;
	uint64_t	value;

	*out = 0;
	if (size == 0)
		return TAP3_VALUE_EMPTY;
	sign = (bytes[0] & 0x80) ? 0xff : 0x00;
	while (size > 8)
	{
		if (bytes[0] != sign || ((bytes[1] ^ sign) & 0x80) != 0)
			return TAP3_VALUE_RANGE;
		bytes++;
		size--;
	}
	value = sign ? UINT64_MAX : 0;
	for (size_t i = 0; i < size; i++)
		value = (value << 8) | bytes[i];
	memcpy(out, &value, sizeof(value));
	return TAP3_VALUE_OK;
}

/* The fewest octets of two's complement; returns how many. */
size_t
tap3_value_put_integer(uint8_t out[8], int64_t value)
{
	size_t		size = 8;
	uint64_t	bits = (uint64_t) value;

	while (size > 1)
	{
		/* an octet is spare if it and the next bit only repeat the sign */
		unsigned	upper = (unsigned) (bits >> (8 * size - 9)) & 0x1ff;

		if (upper != (value < 0 ? 0x1ffu : 0u))
			break;
		size--;
	}
	for (size_t i = 0; i < size; i++)
		out[i] = (uint8_t) (bits >> (8 * (size - 1 - i)));
	return size;
}

/* Packs digits (0-9, a-e); 0 if they are no such digits or do not fit. */
size_t
tap3_value_put_bcd(uint8_t *out, size_t capacity, const char *digits)
{
	size_t		count = strlen(digits);

	if (count == 0 || (count + 1) / 2 > capacity || !tap3_value_is_bcd(digits))
		return 0;
	for (size_t i = 0; i < count; i += 2)
	{
		char		first = digits[i];
		char		second = (i + 1 < count) ? digits[i + 1] : 'f';

		out[i / 2] = (uint8_t) (((first <= '9') ? first - '0' : first - 'a' + 10) << 4 |
								((second <= '9') ? second - '0' : second - 'a' + 10));
	}
	return (count + 1) / 2;
}

bool
tap3_value_is_digits(const char *text)
{
	return text[0] != '\0' && strspn(text, "0123456789") == strlen(text);
}

bool
tap3_value_is_bcd(const char *text)
{
	return text[0] != '\0' && strspn(text, "0123456789abcde") == strlen(text);
}

/* CCYYMMDDhhmmss and +hhmm into seconds since 1970 UTC; false if no time. */
bool
tap3_value_time(int64_t *seconds, const char *local, const char *offset)
{
	int			year;
	int			month;
	int			day;
	int			hour;
	int			minute;
	int			second;
	int			offset_s;

	*seconds = 0;
	if (strlen(local) != 14 || !tap3_value_is_digits(local) ||
		!tap3_value_offset(&offset_s, offset))
		return false;
	year = two_digits(local) * 100 + two_digits(local + 2);
	month = two_digits(local + 4);
	day = two_digits(local + 6);
	hour = two_digits(local + 8);
	minute = two_digits(local + 10);
	second = two_digits(local + 12);
	if (year < 1 || month < 1 || month > 12 || day < 1 || day > days_in_month(year, month) ||
		hour > 23 || minute > 59 || second > 59)
		return false;
	*seconds = days_before(year, month, day) * 86400 + hour * 3600 + minute * 60 + second - offset_s;
	return true;
}

/* The inverse of tap3_value_time, for years 1 to 9999; offset must be valid. */
void
tap3_value_put_time(char local[15], int64_t seconds, const char *offset)
{
	int			offset_s = 0;
	int64_t		days;
	int			year;
	int			month = 1;
	int			fields[6];

	(void) tap3_value_offset(&offset_s, offset);
	seconds += offset_s;
	days = seconds / 86400;
	if (seconds % 86400 < 0)
		days--;
	seconds -= days * 86400;
	year = (int) (1970 + days / 366);
	if (days < 0)
		year = (int) (1970 + days / 365 - 1);
	while (days_before(year + 1, 1, 1) <= days)
		year++;
	while (month < 12 && days_before(year, month + 1, 1) <= days)
		month++;
	fields[0] = year / 100;
	fields[1] = year % 100;
	fields[2] = month;
	fields[3] = (int) (days - days_before(year, month, 1)) + 1;
	fields[4] = (int) (seconds / 3600);
	fields[5] = (int) (seconds / 60 % 60);
	for (int i = 0; i < 6; i++)
	{
		local[2 * i] = (char) ('0' + fields[i] / 10 % 10);
		local[2 * i + 1] = (char) ('0' + fields[i] % 10);
	}
	local[12] = (char) ('0' + seconds % 60 / 10);
	local[13] = (char) ('0' + seconds % 60 % 10);
	local[14] = '\0';
}

/* "+hhmm" or "-hhmm", at most 14 hours and 59 minutes. */
bool
tap3_value_offset(int *seconds, const char *offset)
{
	int			hours;
	int			minutes;

	*seconds = 0;
	if (strlen(offset) != 5 || (offset[0] != '+' && offset[0] != '-') ||
		!tap3_value_is_digits(offset + 1))
		return false;
	hours = two_digits(offset + 1);
	minutes = two_digits(offset + 3);
	if (hours > 14 || minutes > 59)
		return false;
	*seconds = hours * 3600 + minutes * 60;
	if (offset[0] == '-')
		*seconds = -*seconds;
	return true;
}

/* The exact decimal of an amount, with all its places. */
const char *
tap3_value_amount(char out[TAP3_AMOUNT_TEXT_MAX], int64_t amount, int places)
{
	char		digits[24];
	int			count = 0;
	uint64_t	rest = (amount < 0) ? -(uint64_t) amount : (uint64_t) amount;
	char	   *to = out;

	while (rest > 0 || count <= places)
	{
		digits[count++] = (char) ('0' + rest % 10);
		rest /= 10;
	}
	if (amount < 0)
		*to++ = '-';
	while (count > 0)
	{
		if (count == places)
			*to++ = '.';
		*to++ = digits[--count];
	}
	*to = '\0';
	return out;
}

/* The inverse: "-12.300" in units of 10^-places, if it is a whole number of them. */
Tap3ValueCheck
tap3_value_parse_amount(int64_t *amount, const char *decimal, int places)
{
	bool		negative = decimal[0] == '-';
	bool		behind_point = false;
	int64_t		value = 0;

	*amount = 0;
	if (negative)
		decimal++;
	if (decimal[0] == '\0')
		return TAP3_VALUE_EMPTY;
	for (; *decimal != '\0'; decimal++)
	{
		if (*decimal == '.' && !behind_point)
		{
			behind_point = true;
			continue;
		}
		if (*decimal < '0' || *decimal > '9')
			return TAP3_VALUE_SYNTAX;
		if (behind_point && places-- <= 0)
		{
			if (*decimal != '0')
				return TAP3_VALUE_RANGE;
			continue;
		}
		/* downwards, since the lowest value has no positive twin */
		if (__builtin_mul_overflow(value, 10, &value) ||
			__builtin_sub_overflow(value, *decimal - '0', &value))
			return TAP3_VALUE_RANGE;
	}
	while (places-- > 0)
		if (__builtin_mul_overflow(value, 10, &value))
			return TAP3_VALUE_RANGE;
	if (!negative && __builtin_sub_overflow((int64_t) 0, value, &value))
		return TAP3_VALUE_RANGE;
	*amount = value;
	return TAP3_VALUE_OK;
}

static Tap3ValueCheck
bcd_text(char *out, size_t capacity, const uint8_t *bytes, size_t size)
{
	static const char digits[] = "0123456789abcde";
	size_t		count = 0;

	if (size == 0)
		return TAP3_VALUE_EMPTY;
	if (size * 2 > capacity)
		return TAP3_VALUE_RANGE;
	for (size_t i = 0; i < 2 * size; i++)
	{
		unsigned	nibble = (i % 2 == 0) ? bytes[i / 2] >> 4 : bytes[i / 2] & 0x0fu;

		if (nibble == 0x0f)
		{
			/* one filler, and only as the last half octet */
			if (i != 2 * size - 1)
			{
				out[0] = '\0';
				return TAP3_VALUE_SYNTAX;
			}
			break;
		}
		if (count + 1 >= capacity)
		{
			out[0] = '\0';
			return TAP3_VALUE_RANGE;
		}
		out[count++] = digits[nibble];
	}
	out[count] = '\0';
	return TAP3_VALUE_OK;
}

static bool
is_allowed(Tap3Kind kind, const char *text, size_t size)
{
	for (size_t i = 0; i < size; i++)
	{
		char		c = text[i];
		bool		digit = (c >= '0' && c <= '9');

		if (kind == TAP3_KIND_DIGITS && !digit)
			return false;
		if (kind == TAP3_KIND_HEX && !digit && !(c >= 'A' && c <= 'F') && !(c >= 'a' && c <= 'f'))
			return false;
		if (kind == TAP3_KIND_OFFSET && !(digit || (i == 0 && (c == '+' || c == '-'))))
			return false;
		if (c < 0x20 || c > 0x7e)
			return false;
	}
	return true;
}

static int
two_digits(const char *text)
{
	return (text[0] - '0') * 10 + (text[1] - '0');
}

static int64_t
days_before(int year, int month, int day)
{
	int64_t		shifted = (month <= 2) ? year - 1 : year;
	int			march = (month + 9) % 12;
	int64_t		days;

	/* 719468 days lie between 0000-03-01 and 1970-01-01 */
	days = shifted * 365 + shifted / 4 - shifted / 100 + shifted / 400;
	return days + (153 * march + 2) / 5 + day - 1 - 719468;
}

static int
days_in_month(int year, int month)
{
	static const uint8_t days[12] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};

	if (month == 2 && year % 4 == 0 && (year % 100 != 0 || year % 400 == 0))
		return 29;
	return days[month - 1];
}
