/*-------------------------------------------------------------------------
 *
 * tap3_value.h
 *	  The values of primitive items, both ways.
 *
 * Pure code: no PostgreSQL, no allocation.
 *
 *-------------------------------------------------------------------------
 */
#ifndef TAP3_VALUE_H
#define TAP3_VALUE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "tap3_schema.h"

/* "-9223372036854775808" with a point and the NUL */
#define TAP3_AMOUNT_TEXT_MAX	32

typedef enum Tap3ValueCheck
{
	TAP3_VALUE_OK,
	TAP3_VALUE_EMPTY,
	TAP3_VALUE_SYNTAX,			/* a character that the kind does not allow */
	TAP3_VALUE_RANGE			/* does not fit into the place */
} Tap3ValueCheck;

extern Tap3ValueCheck tap3_value_text(char *out, size_t capacity, Tap3Kind kind,
									  const uint8_t *bytes, size_t size);
extern Tap3ValueCheck tap3_value_integer(int64_t *out, const uint8_t *bytes, size_t size);

extern size_t tap3_value_put_integer(uint8_t out[8], int64_t value);
extern size_t tap3_value_put_bcd(uint8_t *out, size_t capacity, const char *digits);
extern bool tap3_value_is_digits(const char *text);
extern bool tap3_value_is_bcd(const char *text);

extern bool tap3_value_time(int64_t *seconds, const char *local, const char *offset);
extern void tap3_value_put_time(char local[15], int64_t seconds, const char *offset);
extern bool tap3_value_offset(int *seconds, const char *offset);

extern Tap3ValueCheck tap3_value_parse_amount(int64_t *amount, const char *decimal, int places);
extern const char *tap3_value_amount(char out[TAP3_AMOUNT_TEXT_MAX], int64_t amount, int places);

#endif							/* TAP3_VALUE_H */
