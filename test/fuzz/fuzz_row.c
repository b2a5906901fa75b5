/*-------------------------------------------------------------------------
 *
 * fuzz_row.c
 *	  The row decoder over arbitrary bytes.
 *
 * Whatever it accepts must be canonical: written again from what was read, it
 * gives the same bytes.  Every span must lie within the input.
 *
 *-------------------------------------------------------------------------
 */
#include "table_row.h"

#include <stdlib.h>
#include <string.h>

extern int	LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
require(bool condition)
{
	if (!condition)
		abort();
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	TlRowDecoder decoder;
	TlRowHeader header;
	TlRowColumn column;
	TlWriter	writer;
	uint8_t    *again = malloc(size + 1);
	TlStatus	status = tl_table_row_open(&decoder, &header, data, size);

	tl_writer_init(&writer, again, size);
	if (status == TL_OK)
		tl_table_row_put_header(&writer, &header);
	for (int i = 0; status == TL_OK && i < header.column_count; i++)
	{
		status = tl_table_row_next(&decoder, &column);
		if (status != TL_OK)
			break;
		require(column.value.data >= data &&
				column.value.data + column.value.size <= data + size);
		tl_table_row_put_column(&writer, &column);
	}
	if (status == TL_OK)
		status = tl_table_row_close(&decoder);
	require(status == tl_table_row_check(data, size));
	if (status == TL_OK)
	{
		require(tl_writer_finish(&writer) == TL_OK);
		require(writer.size == size && memcmp(again, data, size) == 0);
	}
	free(again);
	return 0;
}
