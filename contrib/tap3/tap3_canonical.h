/*-------------------------------------------------------------------------
 *
 * tap3_canonical.h
 *	  One form for all encodings of the same items.
 *
 * Pure code: no PostgreSQL, no allocation.
 *
 *-------------------------------------------------------------------------
 */
#ifndef TAP3_CANONICAL_H
#define TAP3_CANONICAL_H

#include "tap3_ber.h"

/* Octets that the canonical form of a file of that size cannot exceed. */
extern size_t tap3_canonical_bound(size_t size);

extern Tap3Status tap3_canonical(uint8_t *out, size_t capacity, size_t *out_size,
								 const void *data, size_t size, Tap3Error *error);

/* Tag and length with the fewest octets; shared with the writer. */
#define TAP3_ITEM_HEADER_MAX	16
extern size_t tap3_item_header(uint8_t out[TAP3_ITEM_HEADER_MAX], uint8_t tag_class, uint32_t tag,
							   bool constructed, bool indefinite, size_t size);

#endif							/* TAP3_CANONICAL_H */
