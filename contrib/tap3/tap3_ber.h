/*-------------------------------------------------------------------------
 *
 * tap3_ber.h
 *	  A cursor over the tag-length-value items of a BER file.
 *
 * tap3_ber_next reads the next item of the group in which the cursor stands.
 * A primitive item is then behind the cursor.  A group (constructed item) has
 * only its header behind the cursor: the caller enters it or skips it.  At the
 * end of a group tap3_ber_next answers TAP3_END and stands in the parent
 * again; at depth 0 TAP3_END means that the file is used up.
 *
 * Pure code: no PostgreSQL, no allocation; libtasn1 reads tags and lengths.
 *
 *-------------------------------------------------------------------------
 */
#ifndef TAP3_BER_H
#define TAP3_BER_H

#include <stdbool.h>

#include "tap3_status.h"

#define TAP3_CLASS_UNIVERSAL	0x00
#define TAP3_CLASS_APPLICATION	0x40
#define TAP3_CLASS_CONTEXT		0x80
#define TAP3_CLASS_PRIVATE		0xc0

/* Highest tag number read; TAP 3.12 ends at 452, RAP 1.5 below 600. */
#define TAP3_TAG_MAX			0x1fffff

typedef struct Tap3Level
{
	size_t		end;			/* first offset behind the group, or behind its parent when
								 * the length is indefinite */
	uint32_t	tag;			/* TAP3_TAG_OF */
	bool		indefinite;
} Tap3Level;

/*
 * Tags are kept as a number where groups are named: an application tag as it
 * is, which is what TAP has, another class with bits above TAP3_TAG_MAX.
 */
#define TAP3_TAG_OF(tag_class, tag) \
	((uint32_t) (tag) | (uint32_t) ((tag_class) ^ TAP3_CLASS_APPLICATION) << 24)
#define TAP3_TAG_CLASS(tag) (((tag) >> 24) ^ TAP3_CLASS_APPLICATION)

typedef struct Tap3Cursor
{
	const uint8_t *data;
	size_t		position;
	unsigned	depth;			/* levels[depth] is the group read now */
	Tap3Level	levels[TAP3_DEPTH_MAX + 1];
	Tap3Error	error;
} Tap3Cursor;

typedef struct Tap3Element
{
	uint32_t	tag;			/* number alone */
	uint8_t		tag_class;		/* the two upper bits of the first octet */
	bool		constructed;
	bool		indefinite;
	size_t		offset;			/* of the tag's first octet */
	const uint8_t *content;
	size_t		size;			/* 0 when the length is indefinite */
} Tap3Element;

extern Tap3Status tap3_ber_open(Tap3Cursor *cursor, const void *data, size_t size);
extern Tap3Status tap3_ber_next(Tap3Cursor *cursor, Tap3Element *element);
extern Tap3Status tap3_ber_enter(Tap3Cursor *cursor, const Tap3Element *element);
extern Tap3Status tap3_ber_skip(Tap3Cursor *cursor, const Tap3Element *element);
extern Tap3Status tap3_ber_fail(Tap3Cursor *cursor, Tap3Status status, size_t offset,
								uint32_t tag);

#endif							/* TAP3_BER_H */
