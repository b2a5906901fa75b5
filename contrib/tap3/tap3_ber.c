/*-------------------------------------------------------------------------
 *
 * tap3_ber.c
 *	  The BER cursor (see tap3_ber.h).
 *
 * libtasn1 decodes each tag and each length.  Its asn1_get_length_ber looks
 * for the end of an item of indefinite length by walking over the contents,
 * which would walk over every group once per level; asn1_get_length_der says
 * "indefinite" at once, and the end is then found on the way.  Three things
 * libtasn1 lets pass are refused here: a length field that is cut off, one
 * with more than four significant octets (it wraps), and a tag number that
 * begins with a zero group (X.690 8.1.2.4.2 c).
 *
 * Invariants
 *	  C1  position <= levels[depth].end <= ... <= levels[0].end
 *	  C2  no octet outside levels[depth] is read for an item of that group
 *
 *-------------------------------------------------------------------------
 */
#include "tap3_ber.h"

#include <libtasn1.h>

static Tap3Status read_tag(Tap3Cursor *cursor, Tap3Element *element, size_t left, int *size);
static Tap3Status read_length(Tap3Cursor *cursor, Tap3Element *element, size_t left, int *size);
static bool tag_is_cut(const uint8_t *bytes, size_t left);
static bool length_is_cut(const uint8_t *bytes, size_t left);
static bool length_is_wide(const uint8_t *bytes);
static Tap3Status too_short(const Tap3Cursor *cursor);

Tap3Status
tap3_ber_open(Tap3Cursor *cursor, const void *data, size_t size)
{
	cursor->data = data;
	cursor->position = 0;
	cursor->depth = 0;
	cursor->levels[0].end = size;
	cursor->levels[0].tag = 0;
	cursor->levels[0].indefinite = false;
	cursor->error.status = TAP3_OK;
	cursor->error.offset = 0;
	cursor->error.path_count = 0;
	if (size > TAP3_FILE_SIZE_MAX)
		return tap3_ber_fail(cursor, TAP3_TOO_LARGE, 0, 0);
	return TAP3_OK;
}

/* TAP3_OK with an item, TAP3_END at the end of the group, or what is wrong. */
Tap3Status
tap3_ber_next(Tap3Cursor *cursor, Tap3Element *element)
{
	Tap3Level  *level = &cursor->levels[cursor->depth];
	size_t		left = level->end - cursor->position;
	const uint8_t *bytes = cursor->data + cursor->position;
	int			tag_size;
	int			length_size;
	Tap3Status	status;

	if (level->indefinite && left >= 2 && bytes[0] == 0 && bytes[1] == 0)
	{
		cursor->position += 2;
		cursor->depth--;
		return TAP3_END;
	}
	if (left == 0)
	{
		if (level->indefinite)
			return tap3_ber_fail(cursor, TAP3_NO_CONTENTS_END, cursor->position, 0);
		if (cursor->depth > 0)
			cursor->depth--;
		return TAP3_END;
	}

	element->offset = cursor->position;
	status = read_tag(cursor, element, left, &tag_size);
	if (status != TAP3_OK)
		return status;
	cursor->position += (size_t) tag_size;
	status = read_length(cursor, element, left - (size_t) tag_size, &length_size);
	if (status != TAP3_OK)
		return status;
	cursor->position += (size_t) length_size;
	element->content = cursor->data + cursor->position;
	if (!element->constructed)
		cursor->position += element->size;
	return TAP3_OK;
}

/* Go into the group whose header tap3_ber_next has just read. */
Tap3Status
tap3_ber_enter(Tap3Cursor *cursor, const Tap3Element *element)
{
	size_t		end = cursor->levels[cursor->depth].end;
	Tap3Level  *level;

	if (cursor->depth == TAP3_DEPTH_MAX)
		return tap3_ber_fail(cursor, TAP3_TOO_DEEP, element->offset,
							 TAP3_TAG_OF(element->tag_class, element->tag));
	level = &cursor->levels[++cursor->depth];
	level->end = element->indefinite ? end : cursor->position + element->size;
	level->tag = TAP3_TAG_OF(element->tag_class, element->tag);
	level->indefinite = element->indefinite;
	return TAP3_OK;
}

/*
 * Go over the group whose header tap3_ber_next has just read.  What is inside
 * is unknown to us but must be sound all the same.
 */
Tap3Status
tap3_ber_skip(Tap3Cursor *cursor, const Tap3Element *element)
{
	unsigned	depth = cursor->depth;
	Tap3Element inner = *element;
	Tap3Status	status = TAP3_OK;

	if (!element->constructed)
		return TAP3_OK;
	do
	{
		if (status == TAP3_OK && inner.constructed)
		{
			status = tap3_ber_enter(cursor, &inner);
			if (status != TAP3_OK)
				return status;
		}
		status = tap3_ber_next(cursor, &inner);
		if (status != TAP3_OK && status != TAP3_END)
			return status;
	} while (cursor->depth > depth);
	return TAP3_OK;
}

/* Note what is wrong and where; tag 0 means the group itself. */
Tap3Status
tap3_ber_fail(Tap3Cursor *cursor, Tap3Status status, size_t offset, uint32_t tag)
{
	Tap3Error  *error = &cursor->error;

	error->status = status;
	error->offset = offset;
	error->path_count = 0;
	for (unsigned i = 1; i <= cursor->depth; i++)
		error->path[error->path_count++] = cursor->levels[i].tag;
	if (tag != 0 && error->path_count <= TAP3_DEPTH_MAX)
		error->path[error->path_count++] = tag;
	return status;
}

static Tap3Status
read_tag(Tap3Cursor *cursor, Tap3Element *element, size_t left, int *size)
{
	const uint8_t *bytes = cursor->data + cursor->position;
	unsigned char tag_class;
	unsigned long tag;

	if (bytes[0] == 0)
		return tap3_ber_fail(cursor, TAP3_STRAY_END, cursor->position, 0);
	if (tag_is_cut(bytes, left))
		return tap3_ber_fail(cursor, too_short(cursor), cursor->position, 0);
	if (asn1_get_tag_der(bytes, (int) left, &tag_class, size, &tag) != ASN1_SUCCESS ||
		tag > TAP3_TAG_MAX ||
		((bytes[0] & 0x1f) == 0x1f && bytes[1] == 0x80))
		return tap3_ber_fail(cursor, TAP3_BAD_TAG, cursor->position, 0);
	element->tag = (uint32_t) tag;
	element->tag_class = tag_class & 0xc0;
	element->constructed = (tag_class & 0x20) != 0;
	return TAP3_OK;
}

static Tap3Status
read_length(Tap3Cursor *cursor, Tap3Element *element, size_t left, int *size)
{
	const uint8_t *bytes = cursor->data + cursor->position;
	uint32_t	tag = TAP3_TAG_OF(element->tag_class, element->tag);
	long		length;

	if (left == 0 || length_is_cut(bytes, left))
		return tap3_ber_fail(cursor, too_short(cursor), element->offset, tag);
	if (bytes[0] == 0xff || length_is_wide(bytes))
		return tap3_ber_fail(cursor, TAP3_BAD_LENGTH, element->offset, tag);
	length = asn1_get_length_der(bytes, (int) left, size);
	element->indefinite = (length == -1);
	element->size = 0;
	if (length == -1 && !element->constructed)
		return tap3_ber_fail(cursor, TAP3_BAD_LENGTH, element->offset, tag);
	if (length == -4)
		return tap3_ber_fail(cursor, too_short(cursor), element->offset, tag);
	if (length < -1)
		return tap3_ber_fail(cursor, TAP3_BAD_LENGTH, element->offset, tag);
	if (length >= 0)
		element->size = (size_t) length;
	return TAP3_OK;
}

static bool
tag_is_cut(const uint8_t *bytes, size_t left)
{
	size_t		i = 1;

	if (left < 2)
		return true;			/* no item has a single octet */
	if ((bytes[0] & 0x1f) != 0x1f)
		return false;
	while (i < left && i < ASN1_MAX_TAG_SIZE && (bytes[i] & 0x80) != 0)
		i++;
	return i == left;
}

static bool
length_is_cut(const uint8_t *bytes, size_t left)
{
	return (bytes[0] & 0x80) != 0 && (size_t) (bytes[0] & 0x7f) >= left;
}

static bool
length_is_wide(const uint8_t *bytes)
{
	unsigned	octets = bytes[0] & 0x7f;
	unsigned	zeros = 0;

	if ((bytes[0] & 0x80) == 0)
		return false;
	while (zeros < octets && bytes[1 + zeros] == 0)
		zeros++;
	return octets - zeros > 4;
}

/* An item too long for the file, or only for the group around it? */
static Tap3Status
too_short(const Tap3Cursor *cursor)
{
	return cursor->levels[cursor->depth].end == cursor->levels[0].end ?
		TAP3_TRUNCATED : TAP3_OVERRUN;
}
