/*-------------------------------------------------------------------------
 *
 * test_chain_batch.c
 *	  Batch headers: both ways, against vectors, and what is refused.
 *
 *-------------------------------------------------------------------------
 */
#include "chain_batch.h"

#include "unit.h"

#include <string.h>

static int	vectors_used;

static void
use_vector(const UnitRecord *record)
{
	uint8_t		bytes[1024];
	uint8_t		again[1024];
	TlHash		wanted;
	TlHash		hash;
	TlBatchHeader header;
	TlWriter	writer;
	size_t		size;

	if (strcmp(unit_text(record, "kind"), "batch") != 0)
		return;
	vectors_used++;
	size = unit_bytes(bytes, sizeof(bytes), record, "header");
	unit_bytes(wanted.bytes, sizeof(wanted), record, "digest");
	UNIT_CHECK(tl_chain_batch_decode(&header, bytes, size) == TL_OK);
	UNIT_CHECK(header.member == 2 && header.incarnation == 2);
	tl_writer_init(&writer, again, sizeof(again));
	UNIT_CHECK(tl_chain_batch_encode(&writer, &header) == TL_OK);
	UNIT_CHECK(writer.size == size && memcmp(bytes, again, size) == 0);
	tl_chain_batch_digest(&hash, bytes, size);
	UNIT_CHECK(memcmp(&hash, &wanted, sizeof(hash)) == 0);
}

static void
vectors(void)
{
	unit_vectors("chain.txt", use_vector);
	UNIT_CHECK(vectors_used == 2);
}

static uint8_t chunk_bytes[3 * TL_BATCH_CHUNK_SIZE];

/* Header of batch 2 with three chunks in two sections. */
static TlBatchHeader
header_with(uint16_t section1, uint16_t section2, uint32_t size)
{
	TlBatchHeader header = {.member = 1,.batch = 2,.section_count = 2,.chunk_count = 3};
	TlBatchChunk chunk = {0};
	TlWriter	writer;

	header.previous.bytes[0] = 1;
	tl_writer_init(&writer, chunk_bytes, sizeof(chunk_bytes));
	chunk.size = size;
	tl_chain_batch_put_chunk(&writer, &chunk);
	chunk.section = section1;
	tl_chain_batch_put_chunk(&writer, &chunk);
	chunk.section = section2;
	tl_chain_batch_put_chunk(&writer, &chunk);
	header.chunks.data = chunk_bytes;
	header.chunks.size = writer.size;
	return header;
}

static TlStatus
encode(const TlBatchHeader *header)
{
	uint8_t		bytes[1024];
	TlWriter	writer;

	tl_writer_init(&writer, bytes, sizeof(bytes));
	return tl_chain_batch_encode(&writer, header);
}

static void
refusals(void)
{
	TlBatchHeader header = header_with(0, 1, 1);

	UNIT_CHECK(encode(&header) == TL_OK);
	header = header_with(1, 0, 1);
	UNIT_CHECK(encode(&header) == TL_BAD_ORDER);
	header = header_with(1, 2, 1);
	UNIT_CHECK(encode(&header) == TL_BAD_FORMAT);
	header = header_with(0, 1, 0);
	UNIT_CHECK(encode(&header) == TL_BAD_FORMAT);
	header = header_with(0, 1, TL_CHUNK_SIZE_MAX);
	UNIT_CHECK(encode(&header) == TL_OK);
	header = header_with(0, 1, TL_CHUNK_SIZE_MAX + 1);
	UNIT_CHECK(encode(&header) == TL_TOO_LARGE);
	header = header_with(0, 1, 1);
	header.chunk_count = 2;
	UNIT_CHECK(encode(&header) == TL_BAD_FORMAT);
	header.chunk_count = TL_BATCH_CHUNKS_MAX + 1;
	UNIT_CHECK(encode(&header) == TL_TOO_LARGE);
	header = header_with(0, 1, 1);
	header.member = 0;
	UNIT_CHECK(encode(&header) == TL_BAD_FORMAT);
	header = header_with(0, 1, 1);
	header.batch = 0;
	UNIT_CHECK(encode(&header) == TL_BAD_FORMAT);
	header.batch = 1;			/* the first has no previous one */
	UNIT_CHECK(encode(&header) == TL_BAD_FORMAT);
	memset(&header.previous, 0, sizeof(header.previous));
	UNIT_CHECK(encode(&header) == TL_OK);
	header.batch = 2;
	UNIT_CHECK(encode(&header) == TL_BAD_FORMAT);
	header = header_with(0, 0, 1);
	header.section_count = 0;
	UNIT_CHECK(encode(&header) == TL_BAD_FORMAT);
}

static void
bytes_that_are_none(void)
{
	uint8_t		bytes[1024] = {0};
	TlBatchHeader header = header_with(0, 1, 7);
	TlBatchChunk chunk;
	TlWriter	writer;

	tl_writer_init(&writer, bytes, sizeof(bytes));
	UNIT_CHECK(tl_chain_batch_encode(&writer, &header) == TL_OK);
	UNIT_CHECK(writer.size == TL_BATCH_SIZE_FIXED + sizeof(chunk_bytes));
	for (size_t size = 0; size < writer.size; size++)
		UNIT_CHECK(tl_chain_batch_decode(&header, bytes, size) == TL_TRUNCATED);
	UNIT_CHECK(tl_chain_batch_decode(&header, bytes, writer.size + 1) == TL_TRAILING_BYTES);
	UNIT_CHECK(tl_chain_batch_decode(&header, bytes, writer.size) == TL_OK);
	UNIT_CHECK(tl_chain_batch_get_chunk(&chunk, &header, 2) == TL_OK);
	UNIT_CHECK(chunk.section == 1 && chunk.size == 7);
	UNIT_CHECK(tl_chain_batch_get_chunk(&chunk, &header, 3) == TL_BUG);
	bytes[0] ^= 1;
	UNIT_CHECK(tl_chain_batch_decode(&header, bytes, writer.size) == TL_BAD_FORMAT);
	bytes[0] ^= 1;
	bytes[1] = 0;
	UNIT_CHECK(tl_chain_batch_decode(&header, bytes, writer.size) == TL_BAD_VERSION);
	bytes[1] = 1;
	bytes[130] = 0xff;
	UNIT_CHECK(tl_chain_batch_decode(&header, bytes, writer.size) == TL_TOO_LARGE);
}

UNIT_MAIN(UNIT_CASE(vectors), UNIT_CASE(refusals), UNIT_CASE(bytes_that_are_none))
