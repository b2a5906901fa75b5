/*-------------------------------------------------------------------------
 *
 * proof_verify_cursor.c
 *	  Rows of the stored chain, one after the other, however many there are.
 *
 * Over an SPI cursor with the active snapshot.  The rows may have been tampered
 * with, so nothing here raises an error about a value: NULL and what is too
 * short come out as zero or as no bytes, and the checks of the callers say the
 * rest.
 *
 * What a value points to is valid until the next advance, detoasted copies
 * until the caller's memory context is reset.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "miscadmin.h"
#include "utils/guc.h"

#include "chain_statement.h"
#include "proof_verify_cursor.h"

void
tl_proof_cursor_open(TlCursor *cursor, const char *text, int argument_count,
					 Oid *types, Datum *values, int fetch)
{
	MemoryContext context = CurrentMemoryContext;
	int			level = tl_chain_settle();

	memset(cursor, 0, sizeof(*cursor));
	cursor->fetch = fetch;
	cursor->portal = SPI_cursor_open_with_args(NULL, text, argument_count, types,
											   values, NULL, true,
											   CURSOR_OPT_NO_SCROLL);
	AtEOXact_GUC(true, level);
	MemoryContextSwitchTo(context);
	if (cursor->portal == NULL)
		elog(ERROR, "could not open \"%s\": %s", text,
			 SPI_result_code_string(SPI_result));
}

/* Is there a current row? */
bool
tl_proof_cursor_row(TlCursor *cursor)
{
	MemoryContext context = CurrentMemoryContext;

	if (cursor->position < cursor->count)
		return true;
	if (cursor->table != NULL)
	{
		if (cursor->count < cursor->fetch)
			return false;
		SPI_freetuptable(cursor->table);
		cursor->table = NULL;
	}
	CHECK_FOR_INTERRUPTS();
	SPI_cursor_fetch(cursor->portal, true, cursor->fetch);
	MemoryContextSwitchTo(context);
	cursor->table = SPI_tuptable;
	cursor->count = SPI_processed;
	cursor->position = 0;
	return cursor->count > 0;
}

void
tl_proof_cursor_advance(TlCursor *cursor)
{
	cursor->position++;
}

void
tl_proof_cursor_close(TlCursor *cursor)
{
	MemoryContext context = CurrentMemoryContext;

	if (cursor->table != NULL)
		SPI_freetuptable(cursor->table);
	SPI_cursor_close(cursor->portal);
	MemoryContextSwitchTo(context);
	memset(cursor, 0, sizeof(*cursor));
}

Datum
tl_proof_cursor_value(const TlCursor *cursor, int column, bool *is_null)
{
	return SPI_getbinval(cursor->table->vals[cursor->position],
						 cursor->table->tupdesc, column + 1, is_null);
}

/* An integer of 2, 4 or 8 bytes or an oid; -1 if it is NULL. */
int64_t
tl_proof_cursor_number(const TlCursor *cursor, int column)
{
	bool		is_null;
	Datum		value = tl_proof_cursor_value(cursor, column, &is_null);

	if (is_null)
		return -1;
	switch (SPI_gettypeid(cursor->table->tupdesc, column + 1))
	{
		case INT2OID:
			return DatumGetInt16(value);
		case INT4OID:
			return DatumGetInt32(value);
		case OIDOID:
			return DatumGetObjectId(value);
		default:
			return DatumGetInt64(value);
	}
}

bool
tl_proof_cursor_flag(const TlCursor *cursor, int column)
{
	bool		is_null;
	Datum		value = tl_proof_cursor_value(cursor, column, &is_null);

	return !is_null && DatumGetBool(value);
}

TlSpan
tl_proof_cursor_bytes(const TlCursor *cursor, int column)
{
	bool		is_null;
	Datum		value = tl_proof_cursor_value(cursor, column, &is_null);
	TlSpan		span = {(const uint8_t *) "", 0};

	if (!is_null)
	{
		bytea	   *bytes = DatumGetByteaPP(value);

		span.data = (const uint8_t *) VARDATA_ANY(bytes);
		span.size = VARSIZE_ANY_EXHDR(bytes);
	}
	return span;
}

void
tl_proof_cursor_ref(const TlCursor *cursor, int column, TlRefBytes *out)
{
	bool		is_null;
	Datum		value = tl_proof_cursor_value(cursor, column, &is_null);

	memset(out, 0, sizeof(*out));
	if (!is_null)
		*out = *DatumGetTlRefBytes(value);
}
