/*-------------------------------------------------------------------------
 *
 * chain_build.c
 *	  One batch in the making: rows in, sections and header out.
 *
 * Rows come in order of ref, over all tables.  Each is encoded by the newest
 * version of its table's definition that the target snapshot sees, hashed, and
 * forgotten; what stays is a compact range, the roots of full tiles of 256
 * rows, and the manifest.  So memory follows the number of rows of one batch
 * (6 to 16 bytes each) and the number of tables, not the size of the rows.
 *
 * A batch is full at TL_BATCH_ROWS_MAX rows or TL_BATCH_BODY_SIZE_MAX encoded
 * bytes.  From three quarters on it closes where a transaction ends, so that
 * few transactions are split.
 *
 * Rows of a shared table make a public section, whose body, TL_BATCH_BODY_SIZE_MAX
 * and one row at most in all of them, is kept: it goes to the other members.
 * Every other section is private, and so are all in a ledger of one member: its
 * leaf stands in the batch's tree as a commitment.
 *
 * The keys of a section, which blind its rows and its leaf, follow from a seed
 * that the caller has from the member's secret and the batch's time, and from
 * the section's table and first row.  So a member that has lost the batch, and not
 * the rows, makes the same one again (node_returned.c), and nobody else can.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "port/pg_bswap.h"
#include "utils/hsearch.h"

#include "chain_build.h"
#include "crypto_hash.h"
#include "merkle_hash.h"
#include "merkle_range.h"
#include "table_definition.h"
#include "table_encode.h"
#include "table_shared.h"
#include "tl_error.h"
#include "tl_limits.h"

/* A section that still takes rows. */
typedef struct OpenSection
{
	Oid			relation;		/* key of the hash table */
	TlBuiltSection *built;
	TlTableEncoder *encoder;
	TlSectionWriter writer;
} OpenSection;

struct TlBuilder
{
	const TlSnapshot *target;
	TlHash		seed;
	bool		shares;			/* shared tables have public sections */
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
static OpenSection *section_open(TlBuilder *builder, const TlCollectedRow *row);
static bool version_is_seen(void *context, const TlRef *ref);
static void derive_key(void *out, size_t size, const TlBuilder *builder,
					   uint8_t purpose, const TlBuiltSection *section);
static void append_body(TlBuiltSection *built, TlSpan bytes);

/*
 * The builder lives in the current memory context, and so do its results.
 * shares: there are, or may be, other members to take rows of shared tables.
 */
TlBuilder *
tl_chain_build_begin(const TlSnapshot *target, const TlHash *seed, bool shares)
{
	TlBuilder  *builder = palloc0(sizeof(TlBuilder));
	HASHCTL		control;

	memset(&control, 0, sizeof(control));
	control.keysize = sizeof(Oid);
	control.entrysize = sizeof(OpenSection);
	control.hcxt = CurrentMemoryContext;
	builder->target = target;
	builder->seed = *seed;
	builder->shares = shares;
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
	tl_chain_writer_append(&section->writer, &row->ref, &leaf_hash);
	if (section->built->leaf.kind == TL_SECTION_PUBLIC)
		append_body(section->built, bytes);
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
			builder->last = section_open(builder, row);
	}
	return builder->last;
}

static OpenSection *
section_open(TlBuilder *builder, const TlCollectedRow *row)
{
	Relation	relation = row->relation;
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
	built->leaf.kind = builder->shares && tl_table_is_shared(key) ?
		TL_SECTION_PUBLIC : TL_SECTION_PRIVATE;
	memcpy(built->leaf.table_id, version.table_id, TL_TABLE_ID_SIZE);
	built->leaf.table_version = version.version;
	built->first_ref = row->ref;
	derive_key(built->row_key, TL_ROW_KEY_SIZE, builder, 1, built);
	derive_key(built->commitment, TL_SECTION_RANDOM_SIZE, builder, 2, built);
	if (built->leaf.kind == TL_SECTION_PUBLIC)
	{
		initStringInfo(&built->body);
		appendBinaryStringInfo(&built->body, (char *) built->row_key, TL_ROW_KEY_SIZE);
	}
	section->encoder = tl_table_encoder_open(relation, &version,
											 CurrentMemoryContext);
	tl_table_encoder_set_key(section->encoder, built->row_key);
	tl_chain_writer_init(&section->writer, built);
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

/* One for each purpose of a section; its table and first row tell it from others. */
static void
derive_key(void *out, size_t size, const TlBuilder *builder, uint8_t purpose,
		   const TlBuiltSection *section)
{
	uint8_t		input[1 + TL_TABLE_ID_SIZE + TL_REF_SIZE];
	TlHash		key;

	input[0] = purpose;
	memcpy(input + 1, section->leaf.table_id, TL_TABLE_ID_SIZE);
	memcpy(input + 1 + TL_TABLE_ID_SIZE, section->first_ref.bytes, TL_REF_SIZE);
	tl_crypto_hmac_sha256(&key, builder->seed.bytes, TL_HASH_SIZE, input, sizeof(input));
	memcpy(out, key.bytes, size);
	explicit_bzero(&key, sizeof(key));
}

/* A section's body is its blinding key and its rows. */
static void
append_body(TlBuiltSection *built, TlSpan bytes)
{
	uint32		size = pg_hton32((uint32) bytes.size);

	if (bytes.size > TL_SHARED_ROW_SIZE_MAX)
		ereport(ERROR,
				errcode(TL_ERRCODE(TL_TOO_LARGE)),
				errmsg("a row of a shared table has %zu bytes", bytes.size),
				errdetail("They are limited to %d, and INSERT refuses larger ones.", TL_SHARED_ROW_SIZE_MAX),
				tl_error_hint_damaged());
	appendBinaryStringInfo(&built->body, (char *) &size, sizeof(size));
	appendBinaryStringInfo(&built->body, (const char *) bytes.data, (int) bytes.size);
}

/* Would the batch be that one, if it were closed now? */
bool
tl_chain_build_gives(const TlBuilder *builder, const TlBatchHeader *header)
{
	TlMerkleRange range;
	TlHash		root;

	if (builder->section_count != header->section_count)
		return false;
	tl_merkle_range_init(&range);
	for (int i = 0; i < builder->section_count; i++)
	{
		TlSectionLeaf leaf;
		TlHash		leaf_hash;

		tl_chain_writer_leaf(&builder->order[i]->writer, &leaf, &leaf_hash);
		tl_error_check(tl_merkle_range_append(&range, &leaf_hash), "tree of a batch");
	}
	tl_merkle_range_root(&range, &root);
	return memcmp(&root, &header->root, TL_HASH_SIZE) == 0;
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
		OpenSection *section = builder->order[i];

		tl_chain_writer_finish(&section->writer);
		tl_table_encoder_close(section->encoder);
		out->sections[i] = section->built;
		tl_error_check(tl_merkle_range_append(&range, &out->sections[i]->leaf_hash),
					   "tree of a batch");
	}
	tl_merkle_range_root(&range, &out->root);
	explicit_bzero(&builder->seed, sizeof(builder->seed));
	hash_destroy(builder->open);
}
