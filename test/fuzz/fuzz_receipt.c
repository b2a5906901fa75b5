/*-------------------------------------------------------------------------
 *
 * fuzz_receipt.c
 *	  The verdict on receipts whose every part is arbitrary.
 *
 * Input: a byte of flags, then the fields of a receipt in the order of the
 * function read_receipt, each as u16 size and bytes; numbers as u64.  Whatever
 * comes, a verdict must come out, with a reason; and a receipt that is valid
 * must show exactly what tl_proof_show makes of its proof.
 *
 *-------------------------------------------------------------------------
 */
#include "proof_json.h"
#include "proof_show.h"

#include <stdlib.h>
#include <string.h>

#define COLUMNS_MAX		16

extern int	LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static TlReceiptColumn columns[TL_COLUMN_COUNT_MAX];
static TlReceiptColumn shown_columns[TL_COLUMN_COUNT_MAX];

static void
require(bool condition)
{
	if (!condition)
		abort();
}

static void
read_span(TlReader *reader, TlSpan *out)
{
	*out = tl_get_span(reader, tl_get_u16(reader));
}

static void
read_row(TlReader *reader, TlReceiptRow *row)
{
	read_span(reader, &row->bytes);
	row->index = tl_get_u64(reader);
	read_span(reader, &row->path);
	read_span(reader, &row->section);
	read_span(reader, &row->section_random);
	row->section_index = tl_get_u64(reader);
	read_span(reader, &row->section_path);
	read_span(reader, &row->batch);
	read_span(reader, &row->batch_digests);
	read_span(reader, &row->block);
	read_span(reader, &row->block_path);
}

static void
read_receipt(TlReader *reader, TlReceipt *receipt)
{
	uint8_t		flags = tl_get_u8(reader);

	receipt->has_definition = (flags & 1) != 0;
	read_span(reader, &receipt->chain);
	read_span(reader, &receipt->purpose);
	read_span(reader, &receipt->member);
	read_span(reader, &receipt->schema);
	read_span(reader, &receipt->table);
	read_span(reader, &receipt->ref);
	receipt->height = tl_get_u64(reader);
	read_span(reader, &receipt->time);
	read_row(reader, &receipt->row);
	if (receipt->has_definition)
		read_row(reader, &receipt->definition);
	read_span(reader, &receipt->head);
	read_span(reader, &receipt->certificate);
	read_span(reader, &receipt->genesis_header);
	read_span(reader, &receipt->genesis_body);
	if ((flags & 2) != 0)
		read_span(reader, &receipt->epochs);
	receipt->restart.present = (flags & 4) != 0;
	if (receipt->restart.present)
	{
		read_span(reader, &receipt->restart.chain);
		read_span(reader, &receipt->restart.last);
		read_span(reader, &receipt->restart.reason);
	}
	receipt->outcome.present = (flags & 8) != 0;
	if (receipt->outcome.present)
	{
		read_span(reader, &receipt->outcome_text);
		read_span(reader, &receipt->outcome.certificate);
		read_span(reader, &receipt->outcome.block);
		read_span(reader, &receipt->outcome.path);
		read_span(reader, &receipt->outcome.leaves);
	}
	receipt->columns = columns;
	receipt->column_count = tl_get_u8(reader) % COLUMNS_MAX;
	for (uint32_t i = 0; i < receipt->column_count; i++)
	{
		columns[i].is_null = tl_get_u8(reader) != 0;
		read_span(reader, &columns[i].name);
		read_span(reader, &columns[i].text);
	}
}

static bool
same(TlSpan left, TlSpan right)
{
	return left.size == right.size &&
		(left.size == 0 || memcmp(left.data, right.data, left.size) == 0);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	TlReader	reader;
	TlReceipt	receipt;
	TlReceipt	shown;
	TlVerdict	verdict;
	TlWriter	writer;
	TlStatus	status;
	size_t		room;
	uint8_t    *text;

	memset(&receipt, 0, sizeof(receipt));
	tl_reader_init(&reader, data, size);
	read_receipt(&reader, &receipt);
	tl_proof_check(&verdict, &receipt, NULL, NULL);
	require(verdict.reason != NULL && verdict.reason[0] != '\0');

	shown = receipt;
	tl_writer_init(&writer, NULL, 0);
	status = tl_proof_show(&shown, shown_columns, &writer);
	require(status == TL_OK || !verdict.valid);
	if (status == TL_OK)
	{
		room = writer.size;
		text = malloc(room + 1);
		tl_writer_init(&writer, text, room);
		require(tl_proof_show(&shown, shown_columns, &writer) == TL_OK);
		if (verdict.valid)
		{
			require(same(shown.member, receipt.member) && same(shown.ref, receipt.ref));
			require(same(shown.time, receipt.time) && shown.height == receipt.height);
			require(same(shown.outcome_text, receipt.outcome_text));
			require(shown.column_count == receipt.column_count);
		}
		else
		{
			/* with its own shown part it must not become worse than unproved */
			tl_proof_check(&verdict, &shown, NULL, NULL);
			require(verdict.reason != NULL);
		}
		tl_writer_init(&writer, NULL, 0);
		tl_proof_json_write(&writer, &shown);
		require(writer.size > 100);
		free(text);
	}
	return 0;
}
