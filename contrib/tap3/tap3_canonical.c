/*-------------------------------------------------------------------------
 *
 * tap3_canonical.c
 *	  Definite lengths of the fewest octets, everything else as it was.
 *
 * Two encodings of the same items - indefinite lengths here, long ones there -
 * become the same octets, so that their hashes compare.  Primitive contents
 * are copied, an integer with spare sign octets stays so.
 *
 * A group is copied contents first and moved up by its header's size when it
 * ends, which moves each octet once per level.
 *
 * A definite header can be longer than an indefinite one (3 octets with its
 * end): by 1 for contents from 64 KB, by 2 from 16 MB.  At most
 * TAP3_DEPTH_MAX groups hold any one octet, hence the bound.
 *
 * Pure code: no PostgreSQL, no allocation.
 *
 *-------------------------------------------------------------------------
 */
#include "tap3_canonical.h"

#include <libtasn1.h>
#include <string.h>

size_t
tap3_canonical_bound(size_t size)
{
	return size + 2 * TAP3_DEPTH_MAX * (size / 65536 + 1);
}

/* Where the file is wrong goes to *error, as with any reader. */
Tap3Status
tap3_canonical(uint8_t *out, size_t capacity, size_t *out_size, const void *data, size_t size,
			   Tap3Error *error)
{
	size_t		starts[TAP3_DEPTH_MAX + 1] = {0};
	Tap3Element groups[TAP3_DEPTH_MAX + 1];
	uint8_t		header[TAP3_ITEM_HEADER_MAX];
	Tap3Cursor	cursor;
	Tap3Element element;
	size_t		header_size;
	size_t		used = 0;
	Tap3Status	status = tap3_ber_open(&cursor, data, size);

	*out_size = 0;
	while (status == TAP3_OK)
	{
		unsigned	depth = cursor.depth;

		status = tap3_ber_next(&cursor, &element);
		if (status == TAP3_END && depth > 0)
		{
			size_t		start = starts[depth];

			status = TAP3_OK;
			header_size = tap3_item_header(header, groups[depth].tag_class, groups[depth].tag,
										   true, false, used - start);
			if (header_size > capacity - used)
				return tap3_ber_fail(&cursor, TAP3_BUFFER_FULL, cursor.position, 0);
			memmove(out + start + header_size, out + start, used - start);
			memcpy(out + start, header, header_size);
			used += header_size;
		}
		else if (status == TAP3_OK && element.constructed)
		{
			status = tap3_ber_enter(&cursor, &element);
			starts[cursor.depth] = used;
			groups[cursor.depth] = element;
		}
		else if (status == TAP3_OK)
		{
			header_size = tap3_item_header(header, element.tag_class, element.tag, false, false,
										   element.size);
			if (header_size + element.size > capacity - used)
				return tap3_ber_fail(&cursor, TAP3_BUFFER_FULL, cursor.position, 0);
			memcpy(out + used, header, header_size);
			if (element.size > 0)
				memcpy(out + used + header_size, element.content, element.size);
			used += header_size + element.size;
		}
	}
	*error = cursor.error;
	if (status != TAP3_END)
		return status;
	*out_size = used;
	return TAP3_OK;
}

size_t
tap3_item_header(uint8_t out[TAP3_ITEM_HEADER_MAX], uint8_t tag_class, uint32_t tag,
				 bool constructed, bool indefinite, size_t size)
{
	size_t		count = 0;
	int			length_size;

	out[0] = tag_class | (constructed ? 0x20 : 0);
	if (tag < 31)
		out[count++] |= (uint8_t) tag;
	else
	{
		out[count++] |= 0x1f;
		if (tag >= 0x4000)
			out[count++] = (uint8_t) (0x80 | (tag >> 14 & 0x7f));
		if (tag >= 0x80)
			out[count++] = (uint8_t) (0x80 | (tag >> 7 & 0x7f));
		out[count++] = tag & 0x7f;
	}
	if (indefinite)
	{
		out[count] = 0x80;
		return count + 1;
	}
	asn1_length_der(size, out + count, &length_size);
	return count + (size_t) length_size;
}
