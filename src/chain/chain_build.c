/*-------------------------------------------------------------------------
 *
 * chain_build.c
 *	  One batch in the making: rows in, sections and header out.
 *
 * Rows come in order of ref, over all tables.  Each is encoded by the newest
 * version of its table's definition that the target snapshot sees, hashed, and
 * forgotten; what stays is a compact range, the roots of full tiles of 256
 * rows, and the manifest.  So memory follows the number of rows of one batch
 * (6 to 16 bytes each) and the number of tables, never the size of the rows.
 *
 * A batch is full at TL_BATCH_ROWS_MAX rows or TL_BATCH_BODY_SIZE_MAX encoded
 * bytes.  From three quarters on it closes where a transaction ends, so that
 * few transactions are split.
 *
 * In one member's ledger every section is private: its leaf stands in the
 * batch's tree as a commitment.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "miscadmin.h"
#include "utils/hsearch.h"
#include "utils/memutils.h"

#include "chain_build.h"
#include "chain_manifest.h"
#include "crypto_hash.h"
#include "merkle_hash.h"
#include "merkle_range.h"
#include "table_definition.h"
#include "table_encode.h"
#include "tl_error.h"
#include "tl_limits.h"

/* A section that still takes rows. */
typedef struct OpenSection
{
	Oid			relation;		/* key of the hash table */
	TlBuiltSection *built;
	TlTableEncoder *encoder;
	TlManifestWriter manifest;
	TlMerkleRange tile;			/* rows of the tile that is not full */
	TlMerkleRange tiles;		/* full tiles, each as one leaf */
} OpenSection;

struct TlBuilder
{
	const TlSnapshot *target;
	HTAB	   *open;			/* by relation */
	OpenSection *last;			/* most rows follow one of their own table */
	OpenSection **order;		/* by first row */
	int			section_count;
	int			section_capacity;
	uint32_t	row_count;
	size_t		body_size;
	uint64_t	last_xid;
	TlRefBytes	first_ref;
	TlRefBytes	last_ref;
};

static OpenSection *section_of(TlBuilder *builder, const TlCollectedRow *row);
static OpenSection *section_open(TlBuilder *builder, Relation relation);
static bool version_is_seen(void *context, const TlRef *ref);
static void random_bytes(void *out, size_t size);
static void section_append(OpenSection *section, const TlRefBytes *ref,
						   const TlHash *leaf_hash);
static void section_finish(OpenSection *section);

/* The builder lives in the current memory context, and so do its results. */
TlBuilder *
tl_chain_build_begin(const TlSnapshot *target)
{
	TlBuilder  *builder = palloc0(sizeof(TlBuilder));
	HASHCTL		control;

	memset(&control, 0, sizeof(control));
	control.keysize = sizeof(Oid);
	control.entrysize = sizeof(OpenSection);
	control.hcxt = CurrentMemoryContext;
	builder->target = target;
	builder->open = hash_create("sections of a batch", 16, &control,
								HASH_ELEM | HASH_BLOBS | HASH_CONTEXT);
	builder->section_capacity = 16;
	builder->order = palloc(sizeof(OpenSection *) * builder->section_capacity);
	return builder;
}

/* Must the batch be closed before a row of this transaction? */
bool
tl_chain_build_is_full(const TlBuilder *builder, uint64_t next_xid)
{
	if (builder->row_count >= TL_BATCH_ROWS_MAX ||
		builder->body_size >= TL_BATCH_BODY_SIZE_MAX ||
		builder->section_count >= TL_BATCH_SECTIONS_MAX)
		return true;
	return next_xid != builder->last_xid &&
		(builder->row_count >= TL_BATCH_ROWS_MAX / 4 * 3 ||
		 builder->body_size >= TL_BATCH_BODY_SIZE_MAX / 4 * 3);
}

void
tl_chain_build_add(TlBuilder *builder, const TlCollectedRow *row)
{
	OpenSection *section = section_of(builder, row);
	TlSpan		bytes = tl_table_encoder_row(section->encoder, row->slot);
	TlHash		leaf_hash;

	tl_merkle_leaf_hash(&leaf_hash, bytes.data, bytes.size);
	section_append(section, &row->ref, &leaf_hash);
	if (builder->row_count++ == 0)
		builder->first_ref = row->ref;
	builder->last_ref = row->ref;
	builder->last_xid = row->xid;
	builder->body_size += bytes.size + sizeof(uint32_t);
}

static OpenSection *
section_of(TlBuilder *builder, const TlCollectedRow *row)
{
	Oid			relation = RelationGetRelid(row->relation);

	if (builder->last == NULL || builder->last->relation != relation)
	{
		builder->last = hash_search(builder->open, &relation, HASH_FIND, NULL);
		if (builder->last == NULL)
			builder->last = section_open(builder, row->relation);
	}
	return builder->last;
}

static OpenSection *
section_open(TlBuilder *builder, Relation relation)
{
	Oid			key = RelationGetRelid(relation);
	OpenSection *section;
	TlBuiltSection *built = palloc0(sizeof(TlBuiltSection));
	TlTableVersion version;

	if (!tl_table_definition_load(&version, key, version_is_seen,
								  unconstify(TlSnapshot *, builder->target),
								  CurrentMemoryContext))
		ereport(ERROR,
				errcode(TL_ERRCODE(TL_CHAIN_DAMAGED)),
				errmsg("ledger table \"%s\" has no definition on the ledger",
					   RelationGetRelationName(relation)),
				errdetail("Its row in ledger.table_version is missing."),
				tl_error_hint_damaged());
	section = hash_search(builder->open, &key, HASH_ENTER, NULL);
	section->built = built;
	built->relation = key;
	built->leaf.kind = TL_SECTION_PRIVATE;
	memcpy(built->leaf.table_id, version.table_id, TL_TABLE_ID_SIZE);
	built->leaf.table_version = version.version;
	random_bytes(built->row_key, TL_ROW_KEY_SIZE);
	random_bytes(built->commitment, TL_SECTION_RANDOM_SIZE);
	initStringInfo(&built->nodes);
	initStringInfo(&built->manifest);
	section->encoder = tl_table_encoder_open(relation, &version,
											 CurrentMemoryContext);
	tl_table_encoder_set_key(section->encoder, built->row_key);
	tl_chain_manifest_init(&section->manifest, NULL);
	tl_merkle_range_init(&section->tile);
	tl_merkle_range_init(&section->tiles);
	if (builder->section_count == builder->section_capacity)
	{
		builder->section_capacity *= 2;
		builder->order = repalloc(builder->order, sizeof(OpenSection *) *
								  builder->section_capacity);
	}
	builder->order[builder->section_count++] = section;
	return section;
}

/* A definition counts if the batch's snapshot sees the ALTER that made it. */
static bool
version_is_seen(void *context, const TlRef *ref)
{
	return tl_chain_snapshot_sees(context, tl_table_ref_word(ref->incarnation,
															 ref->transaction));
}

static void
random_bytes(void *out, size_t size)
{
	if (!pg_strong_random(out, size))
		ereport(ERROR,
				errcode(ERRCODE_INTERNAL_ERROR),
				errmsg("could not generate random bytes for a blinding key"));
}

static void
section_append(OpenSection *section, const TlRefBytes *ref,
			   const TlHash *leaf_hash)
{
	TlBuiltSection *built = section->built;
	uint8_t		entry[TL_MANIFEST_ENTRY_SIZE_MAX];
	TlWriter	writer;
	TlRef		unpacked;

	tl_table_ref_unpack(&unpacked, ref);
	tl_writer_init(&writer, entry, sizeof(entry));
	section->manifest.writer = &writer;
	tl_error_check(tl_chain_manifest_put(&section->manifest, &unpacked, leaf_hash),
				   "manifest of a section");
	appendBinaryStringInfo(&built->manifest, (char *) entry, writer.size);
	tl_error_check(tl_merkle_range_append(&section->tile, leaf_hash),
				   "tree of a section");
	if (section->tile.size == TL_TILE_ROWS)
	{
		TlHash		root;

		tl_merkle_range_root(&section->tile, &root);
		appendBinaryStringInfo(&built->nodes, (char *) root.bytes, TL_HASH_SIZE);
		tl_error_check(tl_merkle_range_append(&section->tiles, &root),
					   "tree of a section");
		tl_merkle_range_init(&section->tile);
	}
	if (built->leaf.row_count++ == 0)
		built->first_ref = *ref;
	built->last_ref = *ref;
}

/*
 * The root: RFC 6962 splits at powers of two, so the tree over the rows is the
 * tree over the full tiles with the root of the last, shorter one behind.
 */
static void
section_finish(OpenSection *section)
{
	TlBuiltSection *built = section->built;

	if (section->tile.size > 0)
	{
		TlHash		rest;

		tl_merkle_range_root(&section->tile, &rest);
		tl_error_check(tl_merkle_range_append(&section->tiles, &rest),
					   "tree of a section");
	}
	tl_merkle_range_root(&section->tiles, &built->leaf.root);
	tl_error_check(tl_chain_section_leaf_hash(&built->leaf_hash, &built->leaf,
											  built->commitment),
				   "leaf of a section");
	tl_table_encoder_close(section->encoder);
}

/* Close all sections and compute the batch's root. */
void
tl_chain_build_finish(TlBuilder *builder, TlBuiltBatch *out)
{
	TlMerkleRange range;

	tl_merkle_range_init(&range);
	out->first_ref = builder->first_ref;
	out->last_ref = builder->last_ref;
	out->row_count = builder->row_count;
	out->section_count = builder->section_count;
	out->sections = palloc(sizeof(TlBuiltSection *) * Max(builder->section_count, 1));
	for (int i = 0; i < builder->section_count; i++)
	{
		section_finish(builder->order[i]);
		out->sections[i] = builder->order[i]->built;
		tl_error_check(tl_merkle_range_append(&range, &out->sections[i]->leaf_hash),
					   "tree of a batch");
	}
	tl_merkle_range_root(&range, &out->root);
	hash_destroy(builder->open);
}
