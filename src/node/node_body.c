/*-------------------------------------------------------------------------
 *
 * node_body.c
 *	  The body of a batch: cut into chunks, and read from them.
 *
 * A batch that has a public section has a body, of all its sections in order:
 *
 *		public		the blinding key of the section, 32 bytes, then each row as
 *					size u32 and bytes
 *		private		its leaf hash in the batch's tree, 32 bytes, which says
 *					nothing about its rows
 *
 * so that whoever has the body can compute the root in the batch's header.  No
 * public section has so few bytes.  Chunks are at most TL_CHUNK_SIZE_MAX, those made
 * here CUT_SIZE, and of one section each; own ones leave from ledger_internal.own_body,
 * others come into ledger_internal.peer_body.
 *
 * The caller has connected SPI.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "catalog/pg_class.h"
#include "catalog/pg_type.h"
#include "miscadmin.h"
#include "storage/lock.h"

#include "chain_statement.h"
#include "crypto_hash.h"
#include "merkle_hash.h"
#include "node_body.h"
#include "node_identity.h"
#include "tl_error.h"

/*
 * Small enough that memory for one is used again, and not mapped anew by each of the
 * processes through which it goes.
 */
#define CUT_SIZE			65536

static TlStatement insert_chunk = {
	"INSERT INTO ledger_internal.own_body (digest, chunk) VALUES ($1, $2)"
	" ON CONFLICT DO NOTHING",
	2, {BYTEAOID, BYTEAOID}
};
static TlStatement select_chunk = {
	"SELECT chunk FROM ledger_internal.peer_body WHERE digest = $1"
	" UNION ALL SELECT chunk FROM ledger_internal.own_body WHERE digest = $1 LIMIT 1",
	1, {BYTEAOID}
};
static TlStatement exists_chunk = {
	"SELECT WHERE EXISTS (SELECT FROM ledger_internal.peer_body WHERE digest = $1)"
	" OR EXISTS (SELECT FROM ledger_internal.own_body WHERE digest = $1)",
	1, {BYTEAOID}
};

static void cut(StringInfo entries, TlBatchHeader *header, uint16_t section,
				const void *data, size_t size);
static void put_chunk(StringInfo entries, TlBatchHeader *header, uint16_t section,
					  const void *data, size_t size);
static uint64_t count_ahead(const TlBodyReader *reader);
static bool load_chunk(TlBodyReader *reader);
static void get_chunk(TlBatchChunk *out, const TlBatchHeader *header, uint32_t index);

/*
 * Bodies leave in the order of their numbers, and one that is committed behind a
 * higher number would never leave.  So who stores some holds this lock to the end of
 * its transaction: the worker, which waits for it, and the process of the wire,
 * which does not, and tries again.  No table is locked, or a VACUUM would be in
 * the way.
 */
bool
tl_node_body_lock(bool wait)
{
	LOCKTAG		tag;

	SET_LOCKTAG_OBJECT(tag, MyDatabaseId, RelationRelationId,
					   tl_node_relation("own_body", false), 0);
	return LockAcquire(&tag, ExclusiveLock, false, !wait) != LOCKACQUIRE_NOT_AVAIL;
}

/*
 * Store the body of a batch of this member, and name its chunks in the header;
 * nothing if all is private.
 */
void
tl_node_body_store(TlBatchHeader *header, const TlBuiltBatch *batch)
{
	StringInfoData entries;
	bool		has_body = false;

	for (int i = 0; i < batch->section_count; i++)
		has_body |= batch->sections[i]->leaf.kind != TL_SECTION_PRIVATE;
	if (!has_body)
		return;
	(void) tl_node_body_lock(true);
	initStringInfo(&entries);
	for (int i = 0; i < batch->section_count; i++)
	{
		const TlBuiltSection *section = batch->sections[i];

		CHECK_FOR_INTERRUPTS();
		if (section->leaf.kind == TL_SECTION_PRIVATE)
			put_chunk(&entries, header, (uint16_t) i, &section->leaf_hash, TL_HASH_SIZE);
		else
			cut(&entries, header, (uint16_t) i, section->body.data, section->body.len);
	}
	header->chunks.data = (const uint8_t *) entries.data;
	header->chunks.size = entries.len;
}

static void
cut(StringInfo entries, TlBatchHeader *header, uint16_t section, const void *data,
	size_t size)
{
	for (size_t start = 0; start < size; start += CUT_SIZE)
		put_chunk(entries, header, section, (const char *) data + start,
				  Min(size - start, CUT_SIZE));
}

static void
put_chunk(StringInfo entries, TlBatchHeader *header, uint16_t section, const void *data,
		  size_t size)
{
	uint8_t		bytes[TL_BATCH_CHUNK_SIZE];
	TlBatchChunk chunk = {.section = section, .size = (uint32_t) size};
	TlWriter	writer;
	Datum		values[2];

	tl_crypto_sha256(&chunk.hash, data, size);
	tl_writer_init(&writer, bytes, sizeof(bytes));
	tl_chain_batch_put_chunk(&writer, &chunk);
	tl_error_check(tl_writer_finish(&writer), "chunk of a batch");
	appendBinaryStringInfo(entries, (char *) bytes, sizeof(bytes));
	header->chunk_count++;
	values[0] = tl_chain_bytes(chunk.hash.bytes, TL_HASH_SIZE);
	values[1] = tl_chain_bytes(data, size);
	tl_chain_execute(&insert_chunk, values, NULL, false);
	pfree(DatumGetPointer(values[0]));
	pfree(DatumGetPointer(values[1]));
}

/*
 * The batch whose header is the first column of that row of what was read; what it
 * points to is in the caller's context.
 */
void
tl_node_body_batch(TlBatchHeader *out, TlHash *digest, uint64 row)
{
	bytea	   *bytes = DatumGetByteaPCopy(tl_chain_result(row, 0, NULL));

	tl_error_check(tl_chain_batch_decode(out, VARDATA_ANY(bytes), VARSIZE_ANY_EXHDR(bytes)),
				   "header of a batch");
	tl_chain_batch_digest(digest, VARDATA_ANY(bytes), VARSIZE_ANY_EXHDR(bytes));
}

/* Is every chunk of the batch in this database? */
bool
tl_node_body_is_here(const TlBatchHeader *header)
{
	bool		is_here = true;

	for (uint32_t i = 0; is_here && i < header->chunk_count; i++)
	{
		TlBatchChunk chunk;
		Datum		value;

		CHECK_FOR_INTERRUPTS();
		get_chunk(&chunk, header, i);
		value = tl_chain_bytes(chunk.hash.bytes, TL_HASH_SIZE);
		is_here = tl_chain_execute(&exists_chunk, &value, NULL, false) > 0;
		SPI_freetuptable(SPI_tuptable);
		pfree(DatumGetPointer(value));
	}
	return is_here;
}

/* All chunks are here; no section is open yet. */
void
tl_node_body_open(TlBodyReader *reader, const TlBatchHeader *header)
{
	memset(reader, 0, sizeof(*reader));
	reader->header = header;
	initStringInfo(&reader->buffer);
}

/* The next section that has a body, whatever is left of the one before. */
bool
tl_node_body_next_section(TlBodyReader *reader)
{
	TlBatchChunk chunk;

	for (; reader->chunk < reader->header->chunk_count; reader->chunk++)
	{
		get_chunk(&chunk, reader->header, reader->chunk);
		if (reader->chunk > 0 && chunk.section == reader->section)
			continue;
		reader->section = chunk.section;
		reader->position = 0;
		resetStringInfo(&reader->buffer);
		reader->ahead = count_ahead(reader);
		return load_chunk(reader);
	}
	return false;
}

/* Bytes of the section that were not read yet. */
uint64_t
tl_node_body_left(const TlBodyReader *reader)
{
	return (uint64_t) (reader->buffer.len - reader->position) + reader->ahead;
}

/* Bytes of the section in chunks that were not loaded yet. */
static uint64_t
count_ahead(const TlBodyReader *reader)
{
	uint64_t	ahead = 0;

	for (uint32_t i = reader->chunk; i < reader->header->chunk_count; i++)
	{
		TlBatchChunk chunk;

		get_chunk(&chunk, reader->header, i);
		if (chunk.section != reader->section)
			break;
		ahead += chunk.size;
	}
	return ahead;
}

/* The next bytes of the section, valid until the next call; false if they lack. */
bool
tl_node_body_read(TlBodyReader *reader, TlSpan *out, uint32_t size)
{
	StringInfo	buffer = &reader->buffer;

	if (buffer->len - reader->position < size && tl_node_body_left(reader) < size)
		return false;
	while (buffer->len - reader->position < size)
	{
		/* what was read makes room */
		memmove(buffer->data, buffer->data + reader->position,
				buffer->len - reader->position);
		buffer->len -= reader->position;
		reader->position = 0;
		if (!load_chunk(reader))
			return false;
	}
	out->data = (const uint8_t *) buffer->data + reader->position;
	out->size = size;
	reader->position += size;
	return true;
}

/* Append the next chunk of the section to the buffer. */
static bool
load_chunk(TlBodyReader *reader)
{
	TlBatchChunk chunk;
	TlHash		found;
	Datum		value;
	bytea	   *bytes;

	if (reader->chunk == reader->header->chunk_count)
		return false;
	get_chunk(&chunk, reader->header, reader->chunk);
	if (chunk.section != reader->section)
		return false;
	value = tl_chain_bytes(chunk.hash.bytes, TL_HASH_SIZE);
	if (tl_chain_execute(&select_chunk, &value, NULL, false) == 0)
		elog(ERROR, "a chunk of a batch has gone");
	bytes = DatumGetByteaPP(tl_chain_result(0, 0, NULL));
	tl_crypto_sha256(&found, VARDATA_ANY(bytes), VARSIZE_ANY_EXHDR(bytes));
	if (memcmp(&found, &chunk.hash, sizeof(found)) != 0 ||
		VARSIZE_ANY_EXHDR(bytes) != chunk.size)
		ereport(ERROR,
				errcode(TL_ERRCODE(TL_CHAIN_DAMAGED)),
				errmsg("a stored chunk of batch %llu of member %u was changed",
					   (unsigned long long) reader->header->batch, reader->header->member),
				tl_error_hint_damaged());
	appendBinaryStringInfo(&reader->buffer, VARDATA_ANY(bytes), VARSIZE_ANY_EXHDR(bytes));
	if ((char *) bytes != DatumGetPointer(tl_chain_result(0, 0, NULL)))
		pfree(bytes);
	SPI_freetuptable(SPI_tuptable);
	pfree(DatumGetPointer(value));
	reader->chunk++;
	reader->ahead -= chunk.size;
	return true;
}

static void
get_chunk(TlBatchChunk *out, const TlBatchHeader *header, uint32_t index)
{
	tl_error_check(tl_chain_batch_get_chunk(out, header, index), "chunk of a batch");
}
