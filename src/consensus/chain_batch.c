/*-------------------------------------------------------------------------
 *
 * chain_batch.c
 *	  Batch headers: what one member adds to the ledger at once.
 *
 * Integers big-endian:
 *
 *		offset	size	field
 *		0		1		leaf kind, 0x03
 *		1		1		format, 1
 *		2		32		chain id
 *		34		4		member
 *		38		2		incarnation
 *		40		8		batch, from 1
 *		48		4		attempt
 *		52		32		digest of the previous batch, zeros before batch 1
 *		84		8		snapshot time, us since 1970 UTC
 *		92		4		age of the oldest waiting row, s
 *		96		2		section count, from 1
 *		98		32		batch root, over the section leaves
 *		130		4		chunk count c
 *		134		38 * c	per chunk: section u16 (from 0), size u32, Hash 32
 *
 * Batch digest = Hash(0x00 || header), which is the leaf hash in the block's
 * tree.  The chunk list stays encoded in memory: it may have 131,072 entries
 * and nobody needs them all at once.
 *
 * Invariants
 *	  H1  one header has one encoding
 *	  H2  chunks stand in order of section, and no section out of range has one
 *	  H3  previous is zeros exactly at batch 1
 *
 * Pure code: no PostgreSQL, no allocation.
 * Used by the worker (writes), proof (checks) and contrib/verifier.
 *
 *-------------------------------------------------------------------------
 */
#include "chain_batch.h"

#include "merkle_hash.h"

#include <string.h>

#define LEAF_BATCH		0x03
#define BATCH_FORMAT	1

static TlStatus check_header(const TlBatchHeader *header);
static TlStatus check_chunks(const TlBatchHeader *header);

TlStatus
tl_chain_batch_encode(TlWriter *writer, const TlBatchHeader *header)
{
	TlStatus	status = check_header(header);

	if (status != TL_OK)
		return status;
	tl_put_u8(writer, LEAF_BATCH);
	tl_put_u8(writer, BATCH_FORMAT);
	tl_put_hash(writer, &header->chain_id);
	tl_put_u32(writer, header->member);
	tl_put_u16(writer, header->incarnation);
	tl_put_u64(writer, header->batch);
	tl_put_u32(writer, header->attempt);
	tl_put_hash(writer, &header->previous);
	tl_put_i64(writer, header->snapshot_time);
	tl_put_u32(writer, header->waiting_age_s);
	tl_put_u16(writer, header->section_count);
	tl_put_hash(writer, &header->root);
	tl_put_u32(writer, header->chunk_count);
	tl_put_bytes(writer, header->chunks.data, header->chunks.size);
	return tl_writer_finish(writer);
}

TlStatus
tl_chain_batch_decode(TlBatchHeader *out, const void *data, size_t size)
{
	TlReader	reader;
	TlStatus	status;

	memset(out, 0, sizeof(*out));
	tl_reader_init(&reader, data, size);
	if (tl_get_u8(&reader) != LEAF_BATCH)
		return reader.truncated ? TL_TRUNCATED : TL_BAD_FORMAT;
	if (tl_get_u8(&reader) != BATCH_FORMAT)
		return reader.truncated ? TL_TRUNCATED : TL_BAD_VERSION;
	tl_get_hash(&reader, &out->chain_id);
	out->member = tl_get_u32(&reader);
	out->incarnation = tl_get_u16(&reader);
	out->batch = tl_get_u64(&reader);
	out->attempt = tl_get_u32(&reader);
	tl_get_hash(&reader, &out->previous);
	out->snapshot_time = tl_get_i64(&reader);
	out->waiting_age_s = tl_get_u32(&reader);
	out->section_count = tl_get_u16(&reader);
	tl_get_hash(&reader, &out->root);
	out->chunk_count = tl_get_u32(&reader);
	if (out->chunk_count > TL_BATCH_CHUNKS_MAX)
		return TL_TOO_LARGE;
	out->chunks = tl_get_span(&reader,
							  (size_t) out->chunk_count * TL_BATCH_CHUNK_SIZE);
	status = tl_reader_finish(&reader);
	if (status != TL_OK)
		return status;
	return check_header(out);
}

void
tl_chain_batch_digest(TlHash *out, const void *data, size_t size)
{
	tl_merkle_leaf_hash(out, data, size);
}

bool
tl_chain_batch_is_submitted(const TlBatchHeader *header)
{
	TlHash		root;

	if (header->section_count != 1 || header->chunk_count == 0)
		return false;
	tl_merkle_leaf_hash(&root, header->chunks.data, header->chunks.size);
	return memcmp(&root, &header->root, sizeof(root)) == 0;
}

void
tl_chain_batch_put_chunk(TlWriter *writer, const TlBatchChunk *chunk)
{
	tl_put_u16(writer, chunk->section);
	tl_put_u32(writer, chunk->size);
	tl_put_hash(writer, &chunk->hash);
}

TlStatus
tl_chain_batch_get_chunk(TlBatchChunk *out, const TlBatchHeader *header,
						 uint32_t index)
{
	TlReader	reader;

	memset(out, 0, sizeof(*out));
	if (index >= header->chunk_count ||
		header->chunks.size / TL_BATCH_CHUNK_SIZE != header->chunk_count)
		return TL_BUG;
	tl_reader_init(&reader,
				   header->chunks.data + (size_t) index * TL_BATCH_CHUNK_SIZE,
				   TL_BATCH_CHUNK_SIZE);
	out->section = tl_get_u16(&reader);
	out->size = tl_get_u32(&reader);
	tl_get_hash(&reader, &out->hash);
	return tl_reader_finish(&reader);
}

static TlStatus
check_header(const TlBatchHeader *header)
{
	static const TlHash zeros;
	bool		first = (header->batch == 1);

	if (header->member == 0 || header->batch == 0)
		return TL_BAD_FORMAT;
	if (first != (memcmp(&header->previous, &zeros, sizeof(zeros)) == 0))
		return TL_BAD_FORMAT;
	if (header->section_count == 0)
		return TL_BAD_FORMAT;
	return check_chunks(header);
}

static TlStatus
check_chunks(const TlBatchHeader *header)
{
	uint16_t	section = 0;

	if (header->chunk_count > TL_BATCH_CHUNKS_MAX)
		return TL_TOO_LARGE;
	if (header->chunks.size != (size_t) header->chunk_count * TL_BATCH_CHUNK_SIZE)
		return TL_BAD_FORMAT;
	for (uint32_t i = 0; i < header->chunk_count; i++)
	{
		TlBatchChunk chunk;
		TlStatus	status = tl_chain_batch_get_chunk(&chunk, header, i);

		if (status != TL_OK)
			return status;
		if (chunk.section < section)
			return TL_BAD_ORDER;
		if (chunk.section >= header->section_count || chunk.size == 0)
			return TL_BAD_FORMAT;
		if (chunk.size > TL_CHUNK_SIZE_MAX)
			return TL_TOO_LARGE;
		section = chunk.section;
	}
	return TL_OK;
}
