/*-------------------------------------------------------------------------
 *
 * proof_show.c
 *	  The part of a receipt that people read, from the part that proves.
 *
 * Whoever checks a receipt does the same and compares (proof_check.c), so this
 * adds nothing that is not in the proved bytes.
 *
 * Pure code: no PostgreSQL, no allocation.
 * Used by ledger.receipt().
 *
 *-------------------------------------------------------------------------
 */
#include "proof_show.h"

#include "chain_genesis.h"
#include "proof_definition.h"
#include "proof_text.h"
#include "table_row.h"

#include <string.h>

static TlStatus show_ledger(TlReceipt *receipt, TlWriter *writer,
							uint32_t member_number);
static TlStatus show_columns(TlReceipt *receipt, TlReceiptColumn *columns,
							 TlWriter *writer, const TlDefinition *definition);
static size_t begin(TlTextSink *sink, TlWriter *writer);
static TlSpan end(const TlWriter *writer, size_t start);
static TlSpan show_string(TlWriter *writer, TlSpan value);

TlStatus
tl_proof_show(TlReceipt *receipt, TlReceiptColumn *columns, TlWriter *writer)
{
	TlDefinition definition;
	TlBlockHeader block;
	TlRowDecoder decoder;
	TlRowHeader header;
	TlTextSink	sink;
	TlStatus	status;
	size_t		start;

	status = tl_table_row_open(&decoder, &header, receipt->row.bytes.data,
							   receipt->row.bytes.size);
	if (status == TL_OK)
		status = tl_chain_block_decode(&block, receipt->row.block.data,
									   receipt->row.block.size);
	if (status == TL_OK)
		status = show_ledger(receipt, writer, header.ref.member);
	if (status != TL_OK)
		return status;
	if (receipt->has_definition)
		status = tl_proof_definition_decode(&definition,
											receipt->definition.bytes.data,
											receipt->definition.bytes.size);
	else
		tl_proof_definition_fixed(&definition);
	if (status != TL_OK)
		return status;
	receipt->schema = show_string(writer, definition.schema);
	receipt->table = show_string(writer, definition.table);
	start = begin(&sink, writer);
	tl_proof_text_ref(&sink, &header.ref);
	receipt->ref = end(writer, start);
	receipt->height = block.height;
	start = begin(&sink, writer);
	tl_proof_text_block_time(&sink, block.time);
	receipt->time = end(writer, start);
	status = show_columns(receipt, columns, writer, &definition);
	if (status != TL_OK)
		return status;
	return tl_writer_finish(writer);
}

static TlStatus
show_ledger(TlReceipt *receipt, TlWriter *writer, uint32_t member_number)
{
	static const char *const purposes[] = {"production", "test"};
	TlBlockHeader header;
	TlGenesis	genesis;
	TlHash		chain_id;
	const TlMember *member;
	TlStatus	status;
	size_t		start = writer->size;

	status = tl_chain_block_decode(&header, receipt->genesis_header.data,
								   receipt->genesis_header.size);
	if (status == TL_OK)
		status = tl_chain_genesis_decode(&genesis, receipt->genesis_body.data,
										 receipt->genesis_body.size);
	if (status != TL_OK)
		return status;
	tl_chain_block_hash(&chain_id, &header);
	tl_put_hash(writer, &chain_id);
	receipt->chain = end(writer, start);
	receipt->purpose.data = (const uint8_t *) purposes[genesis.purpose];
	receipt->purpose.size = strlen(purposes[genesis.purpose]);
	member = tl_chain_member_find(genesis.members, genesis.member_count,
								  member_number);
	if (member == NULL)
		return TL_CHAIN_DAMAGED;
	receipt->member = show_string(writer, member->name);
	return TL_OK;
}

static TlStatus
show_columns(TlReceipt *receipt, TlReceiptColumn *columns, TlWriter *writer,
			 const TlDefinition *definition)
{
	TlDefinitionReader reader;
	TlDefinitionColumn column;
	TlRowDecoder decoder;
	TlRowHeader header;
	TlRowColumn value = {0};
	TlTextSink	sink;
	TlStatus	status;
	size_t		start;

	status = tl_table_row_open(&decoder, &header, receipt->row.bytes.data,
							   receipt->row.bytes.size);
	tl_proof_definition_open(&reader, definition);
	receipt->columns = columns;
	receipt->column_count = 0;
	while (status == TL_OK && tl_proof_definition_next(&reader, &column))
	{
		TlReceiptColumn *shown = &columns[receipt->column_count++];

		memset(shown, 0, sizeof(*shown));
		shown->name = show_string(writer, column.name);
		if (value.attribute_number < column.attribute_number &&
			decoder.columns_left > 0)
			status = tl_table_row_next(&decoder, &value);
		shown->is_null = (value.attribute_number != column.attribute_number);
		if (shown->is_null)
			continue;
		start = begin(&sink, writer);
		tl_proof_text_column(&sink, &value);
		shown->text = end(writer, start);
	}
	return status;
}

static size_t
begin(TlTextSink *sink, TlWriter *writer)
{
	tl_proof_text_to(sink, writer);
	return writer->size;
}

/* What was written since; nothing if the writer counts or ran over. */
static TlSpan
end(const TlWriter *writer, size_t start)
{
	TlSpan		span = {NULL, 0};

	if (writer->data != NULL && writer->size <= writer->capacity)
	{
		span.data = writer->data + start;
		span.size = writer->size - start;
	}
	return span;
}

static TlSpan
show_string(TlWriter *writer, TlSpan value)
{
	TlTextSink	sink;
	size_t		start = begin(&sink, writer);

	tl_proof_text_string(&sink, value);
	return end(writer, start);
}
