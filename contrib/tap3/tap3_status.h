/*-------------------------------------------------------------------------
 *
 * tap3_status.h
 *	  What can be wrong with the bytes of a TAP file, and where.
 *
 * A status other than TAP3_OK and TAP3_END refuses the whole file: the bytes
 * do not have the structure of a TAP batch.  A value that is merely wrong
 * inside a sound structure is a fault of its event (tap3_record.h), which the
 * audit reports and the reader survives.
 *
 * Pure code: no PostgreSQL.
 *
 *-------------------------------------------------------------------------
 */
#ifndef TAP3_STATUS_H
#define TAP3_STATUS_H

#include <stddef.h>
#include <stdint.h>

/* Nesting of the deepest item of TAP 3.12 is 12; the rest is for extensions. */
#define TAP3_DEPTH_MAX		32

/* A PostgreSQL bytea cannot be longer, and libtasn1 counts in int. */
#define TAP3_FILE_SIZE_MAX	((size_t) 0x3fffffff)

/* code, text */
#define TAP3_STATUS_LIST(X) \
	X(TAP3_OK,				"no error") \
	X(TAP3_END,				"end of the list") \
	X(TAP3_TRUNCATED,		"the file ends inside an item") \
	X(TAP3_TOO_LARGE,		"the file is larger than a TAP file may be") \
	X(TAP3_BAD_TAG,			"the tag is malformed") \
	X(TAP3_BAD_LENGTH,		"the length is malformed") \
	X(TAP3_OVERRUN,			"the item is longer than the group around it") \
	X(TAP3_TOO_DEEP,		"the items are nested too deeply") \
	X(TAP3_NO_CONTENTS_END,	"a group of indefinite length has no end-of-contents") \
	X(TAP3_STRAY_END,		"end-of-contents stands outside a group of indefinite length") \
	X(TAP3_BAD_FORM,		"a primitive item stands where a group belongs, or a group where a primitive item belongs") \
	X(TAP3_TRAILING,		"bytes follow the end of the batch") \
	X(TAP3_NOT_TAP,			"the first item is neither a transfer batch nor a notification") \
	X(TAP3_NOT_A_BATCH,		"the batch does not begin with its control information") \
	X(TAP3_NO_VERSION,		"the file does not state its version") \
	X(TAP3_BAD_VERSION,		"the TAP version is not supported") \
	X(TAP3_BAD_PLACES,		"the number of decimal places is out of range") \
	X(TAP3_BAD_ORDER,		"the groups of the batch are repeated or out of order") \
	X(TAP3_BAD_EVENT,		"the call event list holds something that is no call event") \
	X(TAP3_BAD_INTEGER,		"an integer has no contents") \
	X(TAP3_TOO_MANY,		"a table of the header has more entries than supported") \
	X(TAP3_SUM_RANGE,		"the sum of the amounts does not fit into 64 bits") \
	X(TAP3_BUFFER_FULL,		"the encoded item does not fit into its buffer") \
	X(TAP3_UNWRITABLE,		"the value cannot be written as this item")

typedef enum Tap3Status
{
#define TAP3_STATUS_ENUM(code, text) code,
	TAP3_STATUS_LIST(TAP3_STATUS_ENUM)
#undef TAP3_STATUS_ENUM
	TAP3_STATUS_COUNT
} Tap3Status;

/* Where the reader stood: the groups around the item, outermost first. */
typedef struct Tap3Error
{
	Tap3Status	status;
	uint64_t	offset;
	uint32_t	path[TAP3_DEPTH_MAX + 1];
	unsigned	path_count;
} Tap3Error;

extern const char *tap3_status_text(Tap3Status status);

#endif							/* TAP3_STATUS_H */
