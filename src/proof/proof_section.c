/*-------------------------------------------------------------------------
 *
 * proof_section.c
 *	  One stored section: its leaf, and its rows encoded again.
 *
 * A row's path to its section's root is not stored.  The section keeps the
 * roots of its full tiles of 256 rows; the hashes below come from encoding the
 * rows of a tile again.  Which rows those are stands in the manifest, and each
 * hash is compared with the manifest's fingerprint, so that a changed row is
 * named rather than yielding a proof that proves nothing.
 *
 * Locks: AccessShareLock on the table whose rows are read, until the end of
 * the transaction.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/table.h"
#include "catalog/pg_type.h"
#include "miscadmin.h"
#include "utils/rel.h"
#include "utils/snapmgr.h"
#include "utils/uuid.h"

#include "chain_foreign.h"
#include "chain_statement.h"
#include "merkle_hash.h"
#include "merkle_range.h"
#include "proof_section.h"
#include "proof_source.h"
#include "tl_compat.h"
#include "tl_error.h"

/* Rows of other batches that may lie between two of a tile before it is
 * cheaper to search anew. */
#define SKIP_MAX	16

static TlStatement select_section = {
	"SELECT s.section, s.kind, s.table_id, s.table_version, s.row_count, s.root, s.commitment,"
	" s.row_key, s.nodes, s.manifest,"
	" ('x' || encode(substring(b.header FROM 41 FOR 8), 'hex'))::bit(64)::bigint"
	" FROM ledger_internal.section AS s JOIN ledger_internal.batch AS b USING (batch)"
	" WHERE s.batch = $1 AND s.table_id = $2",
	2, {INT8OID, UUIDOID}
};
static TlStatement select_foreign = {
	"SELECT section, 0::smallint, table_id, table_version, row_count, root, NULL::bytea,"
	" row_key, nodes, manifest, batch FROM ledger_internal.foreign_section"
	" WHERE member = $1 AND incarnation = $2 AND batch = $3 AND section = $4 AND root IS NOT NULL",
	4, {INT8OID, INT4OID, INT8OID, INT4OID}
};

static void read_random(TlSourceSection *out);
static void read_tile(TlSourceTile *tile, TlManifestReader *manifest,
					  uint64_t first, uint32_t count);
static TlSpan encode_row(TlSourceRows *rows, TlSourceTile *tile, int index);
static bool take(TlSourceTile *tile, int index, TlSpan bytes);
static void start(TlSourceRows *rows, const TlSourceTile *tile, int index);
static bool find_row(TlSourceRows *rows, const TlSourceTile *tile, int index);
tl_noreturn static void row_damaged(Relation relation, const TlRefBytes *ref,
									const char *how);

void
tl_proof_section_read(TlSourceSection *out, const TlSourcePlace *place,
					  const uint8_t table_id[TL_TABLE_ID_SIZE])
{
	pg_uuid_t	uuid;
	Datum		own[2] = {Int64GetDatum(place->batch), UUIDPGetDatum(&uuid)};
	Datum		foreign[4] = {
		Int64GetDatum((int64) place->member), Int32GetDatum(place->incarnation),
		Int64GetDatum(place->batch), Int32GetDatum(place->section)
	};
	uint8_t    *bytes = palloc(TL_SECTION_SIZE_MAX);
	TlWriter	writer;

	memset(out, 0, sizeof(*out));
	memcpy(uuid.data, table_id, UUID_LEN);
	if ((place->foreign ? tl_proof_source_execute(&select_foreign, foreign) :
		 tl_proof_source_execute(&select_section, own)) != 1)
		tl_proof_source_damaged("the section of a row is missing");
	out->height = place->height;
	out->batch = DatumGetInt64(tl_chain_result(0, 10, NULL));
	out->number = DatumGetInt32(tl_chain_result(0, 0, NULL));
	tl_proof_source_leaf(&out->leaf, 0, 1);
	if (out->leaf.kind == TL_SECTION_PRIVATE)
		read_random(out);
	tl_proof_source_fixed(out->row_key, TL_ROW_KEY_SIZE, 0, 7);
	out->nodes = tl_proof_source_bytes(0, 8);
	out->manifest = tl_proof_source_bytes(0, 9);
	tl_writer_init(&writer, bytes, TL_SECTION_SIZE_MAX);
	tl_proof_source_check(tl_chain_section_encode(&writer, &out->leaf),
						  "leaf of a section");
	out->bytes.data = bytes;
	out->bytes.size = writer.size;
}

/* Of the leaf that was read last. */
static void
read_random(TlSourceSection *out)
{
	uint8_t    *random = palloc(TL_SECTION_RANDOM_SIZE);

	tl_proof_source_random(random, 0, 6);
	out->random.data = random;
	out->random.size = TL_SECTION_RANDOM_SIZE;
}

void
tl_proof_section_open(TlSourceRows *rows, const TlSourceSection *section,
					  uint32_t member, Oid relation,
					  const TlTableVersion *version)
{
	rows->section = section;
	rows->next = 0;
	tl_chain_manifest_open(&rows->manifest, section->manifest.data,
						   section->manifest.size, member);
	rows->table = table_open(relation, AccessShareLock);
	rows->encoder = tl_table_encoder_open(rows->table, version, CurrentMemoryContext);
	tl_table_encoder_set_key(rows->encoder, section->row_key);
	rows->scan = tl_table_scan_open(rows->table, GetActiveSnapshot());
}

void
tl_proof_section_close(TlSourceRows *rows)
{
	tl_table_scan_close(rows->scan);
	tl_table_encoder_close(rows->encoder);
	table_close(rows->table, NoLock);
}

bool
tl_proof_section_next(TlSourceRows *rows, TlSourceTile *tile, const TlRefBytes *ref)
{
	uint64_t	row_count = rows->section->leaf.row_count;

	while (rows->next < row_count)
	{
		TlManifestReader begin = rows->manifest;
		uint32_t	count = Min(row_count - rows->next, TL_TILE_ROWS);
		bool		wanted = (count < TL_TILE_ROWS);
		TlRefBytes	last_bytes;
		TlRef		last;

		tl_proof_source_check(tl_chain_manifest_skip(&rows->manifest, count, &last),
							  "manifest of a section");
		tl_table_ref_pack(&last_bytes, &last);
		if (ref != NULL && tl_table_ref_compare(ref, &last_bytes) <= 0)
			wanted = true;
		if (wanted)
			read_tile(tile, &begin, rows->next, count);
		rows->next += count;
		if (wanted)
			return true;
	}
	return false;
}

static void
read_tile(TlSourceTile *tile, TlManifestReader *manifest, uint64_t first,
		  uint32_t count)
{
	tile->first = first;
	tile->count = (int) count;
	for (uint32_t i = 0; i < count; i++)
	{
		TlRef		entry;
		bool		found;

		tl_proof_source_check(tl_chain_manifest_next(manifest, &found, &entry,
													 tile->fingerprints[i]),
							  "manifest of a section");
		if (!found)
			tl_proof_source_damaged("the manifest of a section is too short");
		tl_table_ref_pack(&tile->refs[i], &entry);
	}
}

int
tl_proof_section_find(const TlSourceTile *tile, const TlRefBytes *ref)
{
	int			low = 0;
	int			high = tile->count;

	while (low < high)
	{
		int			middle = (low + high) / 2;

		if (tl_table_ref_compare(&tile->refs[middle], ref) < 0)
			low = middle + 1;
		else
			high = middle;
	}
	return low < tile->count &&
		tl_table_ref_compare(&tile->refs[low], ref) == 0 ? low : -1;
}

void
tl_proof_section_encode(TlSourceRows *rows, TlSourceTile *tile,
						TlSourceRow row, void *context)
{
	start(rows, tile, 0);
	for (int i = 0; i < tile->count; i++)
	{
		TlSpan		bytes;

		CHECK_FOR_INTERRUPTS();
		bytes = encode_row(rows, tile, i);
		if (row != NULL)
			row(context, tile, i, bytes);
	}
}

/*
 * A row that was refused is in no table but its author's, and what has its ref may
 * be another one.
 */
static TlSpan
encode_row(TlSourceRows *rows, TlSourceTile *tile, int index)
{
	const TlRefBytes *ref = &tile->refs[index];
	TlPlace		place = {.height = rows->section->height,.batch = rows->section->batch};
	bool		found = find_row(rows, tile, index);
	TlSpan		bytes;

	if (found)
	{
		bytes = tl_table_encoder_row(rows->encoder, tl_table_scan_slot(rows->scan));
		if (take(tile, index, bytes))
			return bytes;
	}
	if (!tl_chain_foreign_refused_bytes(ref, &place, &bytes))
		row_damaged(rows->table, ref, found ? "was changed" : "is missing");
	if (!take(tile, index, bytes))
		row_damaged(rows->table, ref, "was changed");
	return bytes;
}

/* Its hash; false if it is not the one that the manifest names. */
static bool
take(TlSourceTile *tile, int index, TlSpan bytes)
{
	tl_merkle_leaf_hash(&tile->hashes[index], bytes.data, bytes.size);
	return memcmp(tile->hashes[index].bytes, tile->fingerprints[index],
				  TL_FINGERPRINT_SIZE) == 0;
}

static void
start(TlSourceRows *rows, const TlSourceTile *tile, int index)
{
	tl_table_scan_start(rows->scan, &tile->refs[index], &tile->refs[tile->count - 1]);
	rows->held = false;
	rows->ended = false;
}

/* Move the scan on to the row; those between are of other batches. */
static bool
find_row(TlSourceRows *rows, const TlSourceTile *tile, int index)
{
	int			skipped = 0;

	while (rows->held || !rows->ended)
	{
		int			order;

		if (!rows->held && !tl_table_scan_next(rows->scan, &rows->found))
		{
			rows->ended = true;
			break;
		}
		order = tl_table_ref_compare(&rows->found, &tile->refs[index]);
		rows->held = (order > 0);
		if (order >= 0)
			return order == 0;
		if (++skipped == SKIP_MAX)
			start(rows, tile, index);
	}
	return false;
}

static void
row_damaged(Relation relation, const TlRefBytes *ref, const char *how)
{
	TlRef		unpacked;

	tl_table_ref_unpack(&unpacked, ref);
	ereport(ERROR,
			errcode(TL_ERRCODE(TL_CHAIN_DAMAGED)),
			errmsg("row %s of ledger table \"%s\" %s after it became final",
				   tl_table_ref_text(&unpacked),
				   RelationGetRelationName(relation), how),
			errdetail("A receipt needs the rows that stand beside its own in the batch."),
			errhint("Run SELECT * FROM ledger.verify(mode => 'full')."));
}

TlStatus
tl_proof_section_stored_node(void *section, TlHash *out, unsigned level,
							 uint64_t index)
{
	TlSpan		nodes = ((const TlSourceSection *) section)->nodes;
	TlMerkleRange range;
	uint64_t	count;
	TlStatus	status = TL_OK;

	if (level < TL_TILE_LEVEL || level >= 32)
		return TL_BUG;
	count = UINT64_C(1) << (level - TL_TILE_LEVEL);
	if ((index + 1) * count * TL_HASH_SIZE > nodes.size)
		return TL_CHAIN_DAMAGED;
	tl_merkle_range_init(&range);
	for (uint64_t i = index * count; status == TL_OK && i < (index + 1) * count; i++)
	{
		TlHash		hash;

		memcpy(hash.bytes, nodes.data + i * TL_HASH_SIZE, TL_HASH_SIZE);
		status = tl_merkle_range_append(&range, &hash);
	}
	tl_merkle_range_root(&range, out);
	return status;
}

TlStatus
tl_proof_section_tile_node(void *tile, TlHash *out, unsigned level,
						   uint64_t index)
{
	const TlSourceTile *source = tile;
	TlMerkleRange range;
	uint64_t	first;
	uint64_t	count;
	TlStatus	status = TL_OK;

	if (level > TL_TILE_LEVEL)
		return TL_BUG;
	first = index << level;
	count = UINT64_C(1) << level;
	if (first < source->first || first + count > source->first + source->count)
		return TL_BUG;
	tl_merkle_range_init(&range);
	for (uint64_t i = 0; status == TL_OK && i < count; i++)
		status = tl_merkle_range_append(&range,
										&source->hashes[first - source->first + i]);
	tl_merkle_range_root(&range, out);
	return status;
}
