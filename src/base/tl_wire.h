/*-------------------------------------------------------------------------
 *
 * tl_wire.h
 *	  The one reader and the one writer of big-endian bytes.
 *
 * Both are sticky: after the first overrun they do nothing more and the caller
 * asks once, at the end, with tl_writer_finish or tl_reader_finish.  A reader
 * that ran over yields zeros, so no caller can act on bytes that were not
 * there as long as it checks before it acts.
 *
 * A writer with data == NULL and capacity 0 only counts: encode twice to learn
 * the size first.
 *
 * Pure code: no PostgreSQL, no allocation.
 *
 *-------------------------------------------------------------------------
 */
#ifndef TL_WIRE_H
#define TL_WIRE_H

#include "tl_status.h"
#include "tl_types.h"

typedef struct TlWriter
{
	uint8_t    *data;			/* NULL: count only */
	size_t		capacity;
	size_t		size;			/* bytes written, or that would have been */
} TlWriter;

typedef struct TlReader
{
	const uint8_t *data;
	size_t		size;
	size_t		offset;
	bool		truncated;
} TlReader;

extern void tl_writer_init(TlWriter *writer, void *data, size_t capacity);
extern TlStatus tl_writer_finish(const TlWriter *writer);
extern void tl_put_u8(TlWriter *writer, uint8_t value);
extern void tl_put_u16(TlWriter *writer, uint16_t value);
extern void tl_put_u32(TlWriter *writer, uint32_t value);
extern void tl_put_u64(TlWriter *writer, uint64_t value);
extern void tl_put_i64(TlWriter *writer, int64_t value);
extern void tl_put_bytes(TlWriter *writer, const void *data, size_t size);
extern void tl_put_hash(TlWriter *writer, const TlHash *hash);
extern void tl_put_ref(TlWriter *writer, const TlRef *ref);

extern void tl_reader_init(TlReader *reader, const void *data, size_t size);
extern TlStatus tl_reader_finish(const TlReader *reader);
extern size_t tl_reader_left(const TlReader *reader);
extern uint8_t tl_get_u8(TlReader *reader);
extern uint16_t tl_get_u16(TlReader *reader);
extern uint32_t tl_get_u32(TlReader *reader);
extern uint64_t tl_get_u64(TlReader *reader);
extern int64_t tl_get_i64(TlReader *reader);
extern TlSpan tl_get_span(TlReader *reader, size_t size);
extern void tl_get_bytes(TlReader *reader, void *data, size_t size);
extern void tl_get_hash(TlReader *reader, TlHash *hash);
extern void tl_get_ref(TlReader *reader, TlRef *ref);

#endif							/* TL_WIRE_H */
