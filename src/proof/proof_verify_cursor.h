/*-------------------------------------------------------------------------
 *
 * proof_verify_cursor.h
 *	  Rows of the stored chain, one after the other, however many there are.
 *
 *-------------------------------------------------------------------------
 */
#ifndef PROOF_VERIFY_CURSOR_H
#define PROOF_VERIFY_CURSOR_H

#include "executor/spi.h"

#include "table_ref.h"
#include "tl_types.h"

/* Columns are numbered from 0. */
typedef struct TlCursor
{
	Portal		portal;
	int			fetch;			/* rows that are read at once */
	SPITupleTable *table;
	uint64		position;
	uint64		count;
} TlCursor;

extern void tl_proof_cursor_open(TlCursor *cursor, const char *text,
								 int argument_count, Oid *types,
								 Datum *values, int fetch);
extern bool tl_proof_cursor_row(TlCursor *cursor);
extern void tl_proof_cursor_advance(TlCursor *cursor);
extern void tl_proof_cursor_close(TlCursor *cursor);

extern Datum tl_proof_cursor_value(const TlCursor *cursor, int column,
								   bool *is_null);
extern int64_t tl_proof_cursor_number(const TlCursor *cursor, int column);
extern bool tl_proof_cursor_flag(const TlCursor *cursor, int column);
extern TlSpan tl_proof_cursor_bytes(const TlCursor *cursor, int column);
extern void tl_proof_cursor_ref(const TlCursor *cursor, int column,
								TlRefBytes *out);

#endif							/* PROOF_VERIFY_CURSOR_H */
