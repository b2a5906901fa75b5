/*-------------------------------------------------------------------------
 *
 * node_rebuild.c
 *	  The body of an applied batch, made again from the tables.
 *
 * Rows of shared tables are here twice: in their table, and as the chunks in which
 * they came.  What the chunks have beside the rows is stored with each section
 * (blinding key, manifest) or with the refusal of a row (its bytes), so that the
 * chunks can be dropped and made again.  Each is compared with the digest that the
 * batch's header has; one byte that differs, and nothing was made.
 *
 * A body is cut as its header says, whoever has cut it.
 *
 * Memory: the manifests of a batch, a row, a chunk.
 *
 * Locks: AccessShareLock on the tables, taken if they can be had at once.
 *
 * The caller is in a transaction and has connected SPI.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/table.h"
#include "catalog/pg_type.h"
#include "lib/stringinfo.h"
#include "miscadmin.h"
#include "storage/lmgr.h"
#include "utils/memutils.h"
#include "utils/rel.h"
#include "utils/snapmgr.h"
#include "utils/uuid.h"

#include "chain_manifest.h"
#include "chain_section.h"
#include "chain_statement.h"
#include "crypto_hash.h"
#include "merkle_hash.h"
#include "node_rebuild.h"
#include "proof_verify_walk.h"
#include "table_access.h"
#include "table_am.h"
#include "table_definition.h"
#include "table_encode.h"
#include "table_shared.h"
#include "tl_attempt.h"
#include "tl_error.h"

/* Both alike: an own section has the random bytes of its commitment, another's
 * its leaf hash. */
static TlStatement select_own = {
	"SELECT kind, table_id, table_version, row_count, root, commitment, row_key, manifest, NULL::bytea"
	" FROM ledger_internal.section WHERE batch = $1 ORDER BY section",
	1, {INT8OID}
};
static TlStatement select_foreign = {
	"SELECT CASE WHEN manifest IS NULL THEN 2 ELSE 0 END::smallint, table_id, table_version, row_count, root,"
	" NULL::bytea, row_key, manifest, leaf_hash FROM ledger_internal.foreign_section"
	" WHERE member = $1 AND incarnation = $2 AND batch = $3 ORDER BY section",
	3, {INT8OID, INT4OID, INT8OID}
};
static TlStatement select_refused = {
	"SELECT bytes FROM ledger_internal.refused_row WHERE ref = $1 AND height = $2 AND batch = $3 LIMIT 1",
	3, {TL_STATEMENT_REF, INT8OID, INT8OID}
};

typedef struct StoredSection
{
	bool		is_private;
	TlHash		leaf_hash;		/* of a private one */
	uint8_t		table_id[TL_TABLE_ID_SIZE];
	uint32_t	table_version;
	uint32_t	row_count;
	uint8_t		row_key[TL_ROW_KEY_SIZE];
	TlSpan		manifest;
} StoredSection;

typedef struct Rebuild
{
	const TlBatchHeader *header;
	int64_t		height;
	int64_t		built;			/* as tl_node_rebuild says */
	TlRebuiltChunk take;
	void	   *context;
	uint32_t	chunk;			/* the one that is being filled */
	uint16_t	section;
	StringInfoData buffer;		/* what there is of it */
	const char *reason;			/* why this is not the body; NULL: nothing is wrong */
	bool		later;			/* it could not be tried */
	bool		refused;		/* no section of it is here */
	bool		undone;			/* what was made of it */
} Rebuild;

/* Where the rows of a section come from; without a table, from refusals alone. */
typedef struct Rows
{
	Relation	relation;
	TlTableEncoder *encoder;
	TlRefWalk  *walk;
} Rows;

static TlRebuildResult guarded(Rebuild *rebuild, char **reason);
static void rebuild_all(void *argument);
static TlRebuildResult result_of(const Rebuild *rebuild);
static bool is_for_later(int sqlstate);
static void rebuild_batch(Rebuild *rebuild);
static StoredSection *load_sections(const TlBatchHeader *header, int64_t built, uint64 *count);
static void load_section(StoredSection *out, uint64 place);
static void load_leaf_hash(StoredSection *out, uint64 place);
static TlSpan copy(uint64 place, int column);
static void rebuild_section(Rebuild *rebuild, const StoredSection *section);
static bool open_rows(Rebuild *rebuild, Rows *rows, const StoredSection *section);
static void close_rows(Rows *rows);
static void put_row(Rebuild *rebuild, Rows *rows, const TlRefBytes *ref,
					const uint8_t fingerprint[TL_FINGERPRINT_SIZE]);
static TlSpan refused_row(const Rebuild *rebuild, const TlRefBytes *ref);
static void put_sized(Rebuild *rebuild, TlSpan row);
static void put(Rebuild *rebuild, const void *data, size_t size);
static bool finish_chunk(Rebuild *rebuild, const TlBatchChunk *chunk);
static void end_section(Rebuild *rebuild);

/*
 * Give all chunks of the body of a batch that a block of that height has; built is
 * its number in ledger_internal.batch, 0 if its sections are foreign ones.  What
 * the caller does with a chunk is undone unless this is TL_REBUILD_DONE; *reason
 * says why if it failed.
 */
TlRebuildResult
tl_node_rebuild(const TlBatchHeader *header, int64_t height, int64_t built,
				TlRebuiltChunk take, void *context, char **reason)
{
	Rebuild		rebuild = {.header = header,.height = height,.built = built,.take = take,.context = context};
	MemoryContext caller = CurrentMemoryContext;
	MemoryContext own = AllocSetContextCreate(caller, "telco_ledger rebuilt body",
											  ALLOCSET_DEFAULT_SIZES);
	TlRebuildResult result;

	*reason = NULL;
	MemoryContextSwitchTo(own);
	result = guarded(&rebuild, reason);
	MemoryContextSwitchTo(caller);
	if (*reason != NULL)
		*reason = pstrdup(*reason);
	MemoryContextDelete(own);
	return result;
}

/* A table that cannot be read is no reason to stop for. */
static TlRebuildResult
guarded(Rebuild *rebuild, char **reason)
{
	ErrorData  *error = tl_attempt(rebuild_all, rebuild, &rebuild->undone);

	if (error == NULL)
	{
		*reason = rebuild->reason == NULL ? NULL : pstrdup(rebuild->reason);
		return result_of(rebuild);
	}
	if (error->sqlerrcode == ERRCODE_QUERY_CANCELED)
		ReThrowError(error);
	*reason = error->message;
	return is_for_later(error->sqlerrcode) ? TL_REBUILD_LATER : TL_REBUILD_FAILED;
}

static void
rebuild_all(void *argument)
{
	Rebuild    *rebuild = argument;

	PushActiveSnapshot(GetTransactionSnapshot());
	rebuild_batch(rebuild);
	PopActiveSnapshot();
	rebuild->undone = result_of(rebuild) != TL_REBUILD_DONE;
}

static TlRebuildResult
result_of(const Rebuild *rebuild)
{
	if (rebuild->later)
		return TL_REBUILD_LATER;
	if (rebuild->refused)
		return TL_REBUILD_REFUSED;
	return rebuild->reason != NULL ? TL_REBUILD_FAILED : TL_REBUILD_DONE;
}

static bool
is_for_later(int sqlstate)
{
	int			category = ERRCODE_TO_CATEGORY(sqlstate);

	return category == ERRCODE_INSUFFICIENT_RESOURCES ||
		category == ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE ||
		category == ERRCODE_OPERATOR_INTERVENTION ||
		category == ERRCODE_TRANSACTION_ROLLBACK;
}

static void
rebuild_batch(Rebuild *rebuild)
{
	uint64		count;
	StoredSection *sections = load_sections(rebuild->header, rebuild->built, &count);

	rebuild->refused = count == 0 && rebuild->built == 0;
	if (count != rebuild->header->section_count)
	{
		rebuild->reason = "the sections of the batch are not all here";
		return;
	}
	initStringInfo(&rebuild->buffer);
	for (uint64 i = 0; i < count && rebuild->reason == NULL && !rebuild->later; i++)
	{
		CHECK_FOR_INTERRUPTS();
		rebuild->section = (uint16_t) i;
		if (sections[i].is_private)
			put(rebuild, &sections[i].leaf_hash, TL_HASH_SIZE);
		else
			rebuild_section(rebuild, &sections[i]);
		end_section(rebuild);
	}
	if (rebuild->reason == NULL && !rebuild->later &&
		rebuild->chunk != rebuild->header->chunk_count)
		rebuild->reason = "the body has more chunks than its sections give";
}

/* In the order of the batch. */
static StoredSection *
load_sections(const TlBatchHeader *header, int64_t built, uint64 *count)
{
	Datum		own[] = {Int64GetDatum(built)};
	Datum		foreign[] = {
		Int64GetDatum((int64) header->member), Int32GetDatum(header->incarnation),
		Int64GetDatum((int64) header->batch)
	};
	StoredSection *sections;

	*count = built != 0 ? tl_chain_execute(&select_own, own, NULL, true) :
		tl_chain_execute(&select_foreign, foreign, NULL, true);
	sections = MemoryContextAllocHuge(CurrentMemoryContext, sizeof(StoredSection) * (*count + 1));
	for (uint64 i = 0; i < *count; i++)
		load_section(&sections[i], i);
	SPI_freetuptable(SPI_tuptable);
	return sections;
}

static void
load_section(StoredSection *out, uint64 place)
{
	TlSpan		key;

	memset(out, 0, sizeof(*out));
	out->is_private = DatumGetInt16(tl_chain_result(place, 0, NULL)) == TL_SECTION_PRIVATE;
	if (out->is_private)
	{
		load_leaf_hash(out, place);
		return;
	}
	memcpy(out->table_id, DatumGetUUIDP(tl_chain_result(place, 1, NULL))->data, TL_TABLE_ID_SIZE);
	out->table_version = (uint32_t) DatumGetInt32(tl_chain_result(place, 2, NULL));
	out->row_count = (uint32_t) DatumGetInt32(tl_chain_result(place, 3, NULL));
	key = tl_chain_result_span(place, 6);
	if (key.size != TL_ROW_KEY_SIZE)
		tl_error_check(TL_CHAIN_DAMAGED, "blinding key of a section");
	memcpy(out->row_key, key.data, TL_ROW_KEY_SIZE);
	out->manifest = copy(place, 7);
}

/* What stands for a private section in the tree of its batch. */
static void
load_leaf_hash(StoredSection *out, uint64 place)
{
	TlSectionLeaf leaf = {.kind = TL_SECTION_PRIVATE};
	bool		is_null;
	TlSpan		span;

	(void) tl_chain_result(place, 8, &is_null);
	if (!is_null)
	{
		span = tl_chain_result_span(place, 8);
		if (span.size != TL_HASH_SIZE)
			tl_error_check(TL_CHAIN_DAMAGED, "leaf hash of a section");
		memcpy(&out->leaf_hash, span.data, TL_HASH_SIZE);
		return;
	}
	memcpy(leaf.table_id, DatumGetUUIDP(tl_chain_result(place, 1, NULL))->data, TL_TABLE_ID_SIZE);
	leaf.table_version = (uint32_t) DatumGetInt32(tl_chain_result(place, 2, NULL));
	leaf.row_count = (uint32_t) DatumGetInt32(tl_chain_result(place, 3, NULL));
	span = tl_chain_result_span(place, 4);
	if (span.size != TL_HASH_SIZE)
		tl_error_check(TL_CHAIN_DAMAGED, "root of a section");
	memcpy(&leaf.root, span.data, TL_HASH_SIZE);
	span = tl_chain_result_span(place, 5);
	if (span.size != TL_SECTION_RANDOM_SIZE)
		tl_error_check(TL_CHAIN_DAMAGED, "commitment of a section");
	tl_error_check(tl_chain_section_leaf_hash(&out->leaf_hash, &leaf, span.data),
				   "leaf of a section");
}

static TlSpan
copy(uint64 place, int column)
{
	TlSpan		span = tl_chain_result_span(place, column);
	uint8_t    *data = palloc(span.size + 1);

	memcpy(data, span.data, span.size);
	span.data = data;
	return span;
}

/* The blinding key, and the rows that the manifest names. */
static void
rebuild_section(Rebuild *rebuild, const StoredSection *section)
{
	Rows		rows = {0};
	TlManifestReader manifest;
	uint32_t	count = 0;
	bool		found;

	if (!open_rows(rebuild, &rows, section))
		return;
	put(rebuild, section->row_key, TL_ROW_KEY_SIZE);
	tl_chain_manifest_open(&manifest, section->manifest.data, section->manifest.size,
						   rebuild->header->member);
	while (rebuild->reason == NULL)
	{
		uint8_t		fingerprint[TL_FINGERPRINT_SIZE];
		TlRef		ref;
		TlRefBytes	packed;

		CHECK_FOR_INTERRUPTS();
		tl_error_check(tl_chain_manifest_next(&manifest, &found, &ref, fingerprint),
					   "manifest of a section");
		if (!found)
			break;
		tl_table_ref_pack(&packed, &ref);
		put_row(rebuild, &rows, &packed, fingerprint);
		count++;
	}
	close_rows(&rows);
	if (rebuild->reason == NULL && count != section->row_count)
		rebuild->reason = "a manifest has not as many rows as its section";
}

/* False if the table cannot be locked now. */
static bool
open_rows(Rebuild *rebuild, Rows *rows, const StoredSection *section)
{
	Oid			relation = tl_table_shared_relation(section->table_id);
	TlTableVersion *version = palloc0(sizeof(TlTableVersion));

	/* rows of a table that was not shared here, or not so, were all refused */
	if (!OidIsValid(relation) ||
		!tl_table_definition_load_exact(version, section->table_id, section->table_version,
										CurrentMemoryContext))
		return true;
	if (!ConditionalLockRelationOid(relation, AccessShareLock))
	{
		rebuild->later = true;
		return false;
	}
	rows->relation = table_open(relation, NoLock);
	rows->encoder = tl_table_encoder_open(rows->relation, version, CurrentMemoryContext);
	tl_table_encoder_set_key(rows->encoder, section->row_key);
	rows->walk = tl_proof_walk_open(rows->relation, tl_table_am_ref_attribute(rows->relation),
									GetActiveSnapshot());
	return true;
}

static void
close_rows(Rows *rows)
{
	if (rows->relation == NULL)
		return;
	tl_proof_walk_close(rows->walk);
	tl_table_encoder_close(rows->encoder);
	table_close(rows->relation, NoLock);
}

/*
 * The row of the table, if it is the one; otherwise the one that was refused.  The
 * fingerprint only chooses between the two: what counts is the digest of the chunk.
 */
static void
put_row(Rebuild *rebuild, Rows *rows, const TlRefBytes *ref,
		const uint8_t fingerprint[TL_FINGERPRINT_SIZE])
{
	TupleTableSlot *slot = rows->walk == NULL ? NULL : tl_proof_walk_find(rows->walk, ref);
	TlSpan		bytes;

	if (slot != NULL)
	{
		TlHash		leaf_hash;

		bytes = tl_table_encoder_row(rows->encoder, slot);
		tl_merkle_leaf_hash(&leaf_hash, bytes.data, bytes.size);
		if (memcmp(leaf_hash.bytes, fingerprint, TL_FINGERPRINT_SIZE) == 0)
		{
			put_sized(rebuild, bytes);
			return;
		}
	}
	bytes = refused_row(rebuild, ref);
	if (bytes.data == NULL)
	{
		TlRef		unpacked;

		tl_table_ref_unpack(&unpacked, ref);
		rebuild->reason = psprintf("row %s %s", tl_table_ref_text(&unpacked),
								   slot != NULL ? "was changed" : "is missing");
		return;
	}
	put_sized(rebuild, bytes);
	SPI_freetuptable(SPI_tuptable);
}

/* Valid until the result is freed; no data if that row was not refused. */
static TlSpan
refused_row(const Rebuild *rebuild, const TlRefBytes *ref)
{
	TlRefBytes	key = *ref;
	TlSpan		bytes = {NULL, 0};
	Datum		values[] = {
		TlRefBytesGetDatum(&key), Int64GetDatum(rebuild->height),
		Int64GetDatum((int64) rebuild->header->batch)
	};

	if (tl_chain_execute(&select_refused, values, NULL, true) > 0)
		bytes = tl_chain_result_span(0, 0);
	else
		SPI_freetuptable(SPI_tuptable);
	return bytes;
}

static void
put_sized(Rebuild *rebuild, TlSpan row)
{
	uint8_t		size[sizeof(uint32_t)];
	TlWriter	writer;

	tl_writer_init(&writer, size, sizeof(size));
	tl_put_u32(&writer, (uint32_t) row.size);
	put(rebuild, size, sizeof(size));
	put(rebuild, row.data, row.size);
}

/* The next bytes of the section. */
static void
put(Rebuild *rebuild, const void *data, size_t size)
{
	const char *next = data;

	while (size > 0 && rebuild->reason == NULL)
	{
		TlBatchChunk chunk;
		size_t		part;

		if (rebuild->chunk == rebuild->header->chunk_count ||
			tl_chain_batch_get_chunk(&chunk, rebuild->header, rebuild->chunk) != TL_OK ||
			chunk.section != rebuild->section)
		{
			rebuild->reason = "the rows of a section are more than its chunks";
			return;
		}
		part = Min(size, chunk.size - (size_t) rebuild->buffer.len);
		appendBinaryStringInfo(&rebuild->buffer, next, (int) part);
		next += part;
		size -= part;
		if ((uint32_t) rebuild->buffer.len == chunk.size && !finish_chunk(rebuild, &chunk))
			rebuild->reason = "the rows of a section are not those that were batched";
	}
}

static bool
finish_chunk(Rebuild *rebuild, const TlBatchChunk *chunk)
{
	TlHash		digest;

	tl_crypto_sha256(&digest, rebuild->buffer.data, rebuild->buffer.len);
	if (memcmp(&digest, &chunk->hash, sizeof(digest)) != 0)
		return false;
	rebuild->take(rebuild->context, chunk, rebuild->buffer.data);
	resetStringInfo(&rebuild->buffer);
	rebuild->chunk++;
	return true;
}

/* All its chunks are full. */
static void
end_section(Rebuild *rebuild)
{
	TlBatchChunk chunk;

	if (rebuild->reason != NULL || rebuild->later)
		return;
	if (rebuild->buffer.len > 0 ||
		(rebuild->chunk < rebuild->header->chunk_count &&
		 (tl_chain_batch_get_chunk(&chunk, rebuild->header, rebuild->chunk) != TL_OK ||
		  chunk.section == rebuild->section)))
		rebuild->reason = "the rows of a section are fewer than its chunks";
}
