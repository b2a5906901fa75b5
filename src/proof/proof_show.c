/*-------------------------------------------------------------------------
 *
 * proof_show.c
 *	  The part of a receipt that people read, from the part that proves.
 *
 * Whoever checks a receipt does the same and compares (proof_check.c), so this
 * adds nothing that is not in the proved bytes.
 *
 * Pure code: no PostgreSQL, no allocation.
 * Used by ledger.receipt() and ledger.receipts().
 *
 *-------------------------------------------------------------------------
 */
#include "proof_show.h"

#include "chain_batch.h"
#include "merkle_hash.h"
#include "proof_outcome.h"
#include "proof_text.h"
#include "table_row.h"

#include <string.h>

static TlStatus show_chain(TlSpan *chain, TlSpan *purpose,
						   TlProofMembers *members, TlWriter *writer,
						   TlSpan header, TlSpan body, TlSpan epochs);
static TlStatus show_member(TlSpan *out, TlWriter *writer,
							const TlProofMembers *members, uint32_t number);
static TlStatus show_columns(TlReceiptColumn *columns, uint32_t *count,
							 TlWriter *writer, const TlDefinition *definition,
							 TlSpan bytes);
static size_t begin(TlTextSink *sink, TlWriter *writer);
static TlSpan end(const TlWriter *writer, size_t start);
static TlSpan show_string(TlWriter *writer, TlSpan value);
static TlSpan show_ref(TlWriter *writer, const TlRef *ref);
static TlSpan show_time(TlWriter *writer, const TlBlockHeader *block);
static TlSpan show_outcome(TlWriter *writer, const TlReceiptOutcome *outcome,
						   uint8_t section_kind, const TlRef *ref, const TlHash *digest,
						   TlSpan bytes, uint64_t height);

TlStatus
tl_proof_show(TlReceipt *receipt, TlReceiptColumn *columns, TlWriter *writer)
{
	TlDefinition definition;
	TlBlockHeader block;
	TlProofMembers members;
	TlSectionLeaf section;
	TlRowDecoder decoder;
	TlRowHeader header;
	TlHash		digest;
	TlStatus	status;

	status = tl_table_row_open(&decoder, &header, receipt->row.bytes.data,
							   receipt->row.bytes.size);
	if (status == TL_OK)
		status = tl_chain_section_decode(&section, receipt->row.section.data,
										 receipt->row.section.size);
	if (status == TL_OK)
		status = tl_chain_block_decode(&block, receipt->row.block.data,
									   receipt->row.block.size);
	if (status == TL_OK)
		status = show_chain(&receipt->chain, &receipt->purpose, &members, writer,
							receipt->genesis_header, receipt->genesis_body,
							receipt->epochs);
	if (status == TL_OK)
		status = show_member(&receipt->member, writer, &members, header.ref.member);
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
	receipt->ref = show_ref(writer, &header.ref);
	receipt->height = block.height;
	receipt->time = show_time(writer, &block);
	tl_chain_batch_digest(&digest, receipt->row.batch.data, receipt->row.batch.size);
	receipt->outcome_text = show_outcome(writer, &receipt->outcome, section.kind, &header.ref,
										 &digest, receipt->row.bytes, block.height);
	receipt->columns = columns;
	status = show_columns(columns, &receipt->column_count, writer, &definition,
						  receipt->row.bytes);
	if (status != TL_OK)
		return status;
	return tl_writer_finish(writer);
}

TlStatus
tl_proof_show_bundle(TlBundle *bundle, TlWriter *writer)
{
	TlProofMembers members;
	TlStatus	status = show_chain(&bundle->chain, &bundle->purpose, &members, writer,
									bundle->genesis_header, bundle->genesis_body,
									bundle->epochs);

	return status == TL_OK ? tl_writer_finish(writer) : status;
}

static TlStatus
show_chain(TlSpan *chain, TlSpan *purpose, TlProofMembers *members,
		   TlWriter *writer, TlSpan header, TlSpan body, TlSpan epochs)
{
	static const char *const purposes[] = {"production", "test"};
	TlGenesis	genesis;
	TlBlockHeader block;
	TlHash		chain_id;
	TlStatus	status;
	size_t		start = writer->size;

	status = tl_chain_block_decode(&block, header.data, header.size);
	if (status == TL_OK)
		status = tl_chain_genesis_decode(&genesis, body.data, body.size);
	if (status != TL_OK)
		return status;
	tl_chain_block_hash(&chain_id, &block);
	tl_proof_epoch_begin(members, &genesis);
	if (tl_proof_epoch_follow(members, &chain_id, epochs) != NULL)
		return TL_CHAIN_DAMAGED;
	tl_put_hash(writer, &chain_id);
	*chain = end(writer, start);
	purpose->data = (const uint8_t *) purposes[genesis.purpose];
	purpose->size = strlen(purposes[genesis.purpose]);
	return TL_OK;
}

TlStatus
tl_proof_show_block(TlBundleBlock *part, TlWriter *writer)
{
	TlBlockHeader block;
	TlStatus	status = tl_chain_block_decode(&block, part->header.data,
											   part->header.size);

	if (status != TL_OK)
		return status;
	part->height = block.height;
	part->time = show_time(writer, &block);
	return tl_writer_finish(writer);
}

TlStatus
tl_proof_show_batch(TlBundleBatch *part, TlWriter *writer,
					const TlProofMembers *members)
{
	TlBatchHeader batch;
	TlStatus	status = tl_chain_batch_decode(&batch, part->header.data,
											   part->header.size);

	if (status == TL_OK)
		status = show_member(&part->member, writer, members, batch.member);
	return status == TL_OK ? tl_writer_finish(writer) : status;
}

TlStatus
tl_proof_show_section(TlBundleSection *part, TlWriter *writer,
					  const TlDefinition *definition)
{
	part->schema = show_string(writer, definition->schema);
	part->table = show_string(writer, definition->table);
	return tl_writer_finish(writer);
}

TlStatus
tl_proof_show_row(TlBundleRow *part, TlReceiptColumn *columns,
				  TlWriter *writer, const TlDefinition *definition,
				  const TlReceiptOutcome *outcome, uint8_t section_kind,
				  const TlHash *digest, uint64_t height)
{
	TlRowDecoder decoder;
	TlRowHeader header;
	TlStatus	status;

	status = tl_table_row_open(&decoder, &header, part->bytes.data,
							   part->bytes.size);
	if (status != TL_OK)
		return status;
	part->ref = show_ref(writer, &header.ref);
	part->outcome_text = show_outcome(writer, outcome, section_kind, &header.ref,
									  digest, part->bytes, height);
	part->columns = columns;
	status = show_columns(columns, &part->column_count, writer, definition,
						  part->bytes);
	return status == TL_OK ? tl_writer_finish(writer) : status;
}

static TlStatus
show_member(TlSpan *out, TlWriter *writer, const TlProofMembers *members,
			uint32_t number)
{
	const TlMember *member = tl_proof_epoch_find(members, number);

	if (member == NULL)
		return TL_CHAIN_DAMAGED;
	*out = show_string(writer, member->name);
	return TL_OK;
}

static TlStatus
show_columns(TlReceiptColumn *columns, uint32_t *count, TlWriter *writer,
			 const TlDefinition *definition, TlSpan bytes)
{
	TlDefinitionReader reader;
	TlDefinitionColumn column;
	TlRowDecoder decoder;
	TlRowHeader header;
	TlRowColumn value = {0};
	TlTextSink	sink;
	TlStatus	status;
	size_t		start;

	status = tl_table_row_open(&decoder, &header, bytes.data, bytes.size);
	tl_proof_definition_open(&reader, definition);
	*count = 0;
	while (status == TL_OK && tl_proof_definition_next(&reader, &column))
	{
		TlReceiptColumn *shown = &columns[(*count)++];

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

static TlSpan
show_ref(TlWriter *writer, const TlRef *ref)
{
	TlTextSink	sink;
	size_t		start = begin(&sink, writer);

	tl_proof_text_ref(&sink, ref);
	return end(writer, start);
}

static TlSpan
show_time(TlWriter *writer, const TlBlockHeader *block)
{
	TlTextSink	sink;
	size_t		start = begin(&sink, writer);

	tl_proof_text_block_time(&sink, block->time);
	return end(writer, start);
}

static TlSpan
show_outcome(TlWriter *writer, const TlReceiptOutcome *outcome, uint8_t section_kind,
			 const TlRef *ref, const TlHash *digest, TlSpan bytes, uint64_t height)
{
	size_t		start = writer->size;
	char		sqlstate[TL_OUTCOME_SQLSTATE_SIZE];
	char		text[TL_OUTCOME_TEXT_SIZE];
	TlHash		leaf;

	tl_merkle_leaf_hash(&leaf, bytes.data, bytes.size);
	tl_proof_outcome_text(text, tl_proof_outcome_of(sqlstate, outcome, section_kind, ref,
													digest, &leaf, height), sqlstate);
	tl_put_bytes(writer, text, strlen(text));
	return end(writer, start);
}
