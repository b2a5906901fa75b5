/*-------------------------------------------------------------------------
 *
 * proof_receipts.c
 *	  ledger.receipts(): many rows proved by one document.
 *
 * What the rows share stands once: blocks, batches, sections and definitions
 * nest as the trees do, and the nodes of each tree are those between its proved
 * leaves (merkle_cover.h).  proof_bundle.c checks the document before it is
 * handed out.
 *
 * The rows are looked for with the caller's own rights, all columns of them,
 * row level security included; only then the chain is read with the library's.
 *
 * Memory: the document and its jsonb, beside them 70 bytes a row; what is read
 * of a block or a section goes when the next one comes.  Time: a tile of 256
 * rows is encoded again where one of its rows is asked for, so that scattered
 * rows cost up to 256 times what neighbours do, and never more.
 *
 * Locks: as proof_source.c.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "fmgr.h"
#include "miscadmin.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/hsearch.h"
#include "utils/jsonb.h"
#include "utils/memutils.h"
#include "utils/uuid.h"

#include "merkle_cover.h"
#include "proof_asked.h"
#include "proof_bundle.h"
#include "proof_jsonb.h"
#include "proof_section.h"
#include "proof_show.h"
#include "proof_source.h"
#include "table_definition.h"
#include "tl_error.h"

PG_FUNCTION_INFO_V1(tl_receipts);

/* Nodes that cover one gap: twice the height of a tree, and some. */
#define GAP_SIZE_MAX	(2 * TL_MERKLE_DEPTH_MAX * TL_HASH_SIZE)

static TlStatement select_version = {
	"SELECT s.section, s.table_version, s.kind, b.member, b.incarnation,"
	" ('x' || encode(substring(b.header FROM 41 FOR 8), 'hex'))::bit(64)::bigint"
	" FROM ledger_internal.section AS s JOIN ledger_internal.batch AS b USING (batch)"
	" WHERE s.batch = $1 AND s.table_id = $2",
	2, {INT8OID, UUIDOID}
};
static TlStatement select_foreign_version = {
	"SELECT section, table_version, 0::smallint, member, incarnation, batch"
	" FROM ledger_internal.foreign_section"
	" WHERE member = $1 AND incarnation = $2 AND batch = $3 AND section = $4",
	4, {INT8OID, INT4OID, INT8OID, INT4OID}
};

/* Rows of one section. */
typedef struct RowGroup
{
	TlSourcePlace place;
	uint32_t	member;			/* these three as in the batch's header */
	uint16_t	incarnation;
	int64_t		batch;
	int			section;		/* its number */
	uint8_t		kind;
	Oid			relation;
	const TlAskedRow *entries;
	int			entry_count;
	struct Version *version;
} RowGroup;

typedef struct VersionKey
{
	uint8_t		table_id[TL_TABLE_ID_SIZE];
	uint32_t	version;
} VersionKey;

/* One version of a table; in a hash table. */
typedef struct Version
{
	VersionKey	key;
	TlTableVersion table;
	uint64_t	number;			/* among the document's definitions */
	TlSpan		row;			/* of ledger.table_version, once it was written */
} Version;

typedef struct Forest
{
	TlAskedRow *entries;
	int			entry_count;
	RowGroup	   *groups;
	int			group_count;
} Forest;

/* Everything that the parts share. */
typedef struct Build
{
	MemoryContext context;		/* of the document */
	MemoryContext block_context;
	HTAB	   *versions;
	TlProofMembers members;
	TlBlockHeader head;
	TlReceiptOutcome outcome;	/* of the block that is being written */
	TlHash		digest;			/* of its batch that is */
	int64_t		size;			/* of the tree head that was asked for */
	uint64_t	newest;			/* height */
	TlWriter	out;			/* the document */
	TlWriter	text;			/* of what is shown, part by part */
	TlReceiptColumn *columns;
} Build;

/* A section under way. */
typedef struct SectionWriter
{
	Build	   *build;
	const RowGroup *group;
	TlDefinition definition;
	int			next;			/* entry */
	uint64_t	position;		/* rows of the section so far */
	TlWriter	nodes;
} SectionWriter;

static void build_document(Build *build, Forest *rows);
static void place_entries(Build *build, Forest *forest);
static void make_groups(Build *build, Forest *forest);
static void read_version(Build *build, RowGroup *group);
static Version *find_version(Build *build, const VersionKey *key);
static void list_definitions(Build *build, Forest *out);
static void write_forest(Build *build, const char *before, const Forest *forest);
static TlSpan history_nodes(Build *build, const Forest *forest);
static void write_block(Build *build, const char *before, const RowGroup *groups,
						int count);
static void write_batch(Build *build, const char *before, const RowGroup *groups,
						int count);
static TlSpan batch_nodes(const TlSourceBatch *batch, const RowGroup *groups,
						  int count);
static void write_section(Build *build, const char *before, const RowGroup *group,
						  uint64_t index);
static uint32_t writer_member(const RowGroup *group);
static void read_definition(TlDefinition *out, const Version *version);
static void write_rows(SectionWriter *writer, TlSourceRows *rows);
static void cover(SectionWriter *writer, uint64_t to, TlMerkleNodeReader reader,
				  void *context);
static void write_row(void *context, const TlSourceTile *tile, int index,
					  TlSpan bytes);
static void put_open(Build *build, const char *before, TlBundleLevel level,
					 const void *part);
static void put_close(Build *build, TlBundleLevel level, const void *part);
static void put_row(Build *build, const char *before, const TlBundleRow *row);
static void put_text(Build *build, const char *text);
static bool grew(Build *build, size_t start);
static void text_init(Build *build, TlWriter *text);
static bool text_grew(Build *build, const TlWriter *text, TlStatus status);
static void reserve(TlWriter *writer, size_t size);
static Jsonb *parse_document(Build *build);
static void check(Jsonb *document);
static void note_problem(void *context, const TlBundleVerdict *verdict);
static int	compare_groups(const void *left, const void *right);
static int	compare_batches(const RowGroup *a, const RowGroup *b);

/* ledger.receipts(relation, refs, size) -> jsonb */
Datum
tl_receipts(PG_FUNCTION_ARGS)
{
	Build	   *build = palloc0(sizeof(Build));
	TlProofSource source;
	Forest		rows;
	Jsonb	   *document;

	if (PG_ARGISNULL(0) || PG_ARGISNULL(1))
		PG_RETURN_NULL();
	build->context = CurrentMemoryContext;
	build->size = PG_ARGISNULL(2) ? TL_SIZE_NEWEST : PG_GETARG_INT64(2);
	build->columns = palloc0(sizeof(TlReceiptColumn) * TL_COLUMN_COUNT_MAX);
	memset(&rows, 0, sizeof(rows));
	rows.entries = tl_proof_asked_read(PG_GETARG_OID(0), PG_GETARG_ARRAYTYPE_P(1),
									   &rows.entry_count);
	tl_proof_source_begin(&source);
	build_document(build, &rows);
	tl_proof_source_end(&source);
	document = parse_document(build);
	check(document);
	PG_RETURN_JSONB_P(document);
}

static void
build_document(Build *build, Forest *rows)
{
	TlBundle	bundle = {0};
	HASHCTL		control;
	Forest		definitions;
	TlWriter	text;

	build->block_context = AllocSetContextCreate(build->context, "telco_ledger block",
												 ALLOCSET_DEFAULT_SIZES);
	reserve(&build->out, 65536);
	reserve(&build->text, 65536);
	memset(&control, 0, sizeof(control));
	control.keysize = sizeof(VersionKey);
	control.entrysize = sizeof(Version);
	control.hcxt = build->context;
	build->versions = hash_create("telco_ledger versions", 64, &control,
								  HASH_ELEM | HASH_BLOBS | HASH_CONTEXT);
	tl_proof_source_genesis(&bundle.genesis_header, &bundle.genesis_body);
	tl_proof_source_restart(&bundle.restart);
	tl_proof_source_head(&bundle.head, &build->head, &build->newest, build->size);
	bundle.certificate = tl_proof_source_certificate(&build->head);
	bundle.epochs = tl_proof_source_epochs(build->head.epoch);
	tl_proof_source_members(&build->members, &bundle);
	place_entries(build, rows);
	make_groups(build, rows);
	list_definitions(build, &definitions);

	do
		text_init(build, &text);
	while (text_grew(build, &text, tl_proof_show_bundle(&bundle, &text)));
	put_open(build, "", TL_BUNDLE_TOP, &bundle);
	if (definitions.entry_count > 0)
		write_forest(build, ", \"definitions\": ", &definitions);
	else
		put_text(build, ", \"definitions\": null");
	write_forest(build, ", \"rows\": ", rows);
	put_close(build, TL_BUNDLE_TOP, &bundle);
}

/* Find each row's block, and bring the rows into the order of the chain. */
static void
place_entries(Build *build, Forest *forest)
{
	for (int i = 0; i < forest->entry_count; i++)
	{
		TlAskedRow *entry = &forest->entries[i];
		MemoryContext old = MemoryContextSwitchTo(build->block_context);
		bool		found = tl_proof_source_place(&entry->place, &entry->ref);
		uint64_t	height = (uint64_t) entry->place.height;

		CHECK_FOR_INTERRUPTS();
		MemoryContextSwitchTo(old);
		MemoryContextReset(build->block_context);
		if (!found || height > build->newest)
			tl_proof_source_not_final(&entry->ref);
		tl_proof_source_covers(build->size, height, &entry->ref);
	}
	tl_proof_asked_sort(forest->entries, forest->entry_count);
}

/* Rows of one section become a group, with the version that it was made by. */
static void
make_groups(Build *build, Forest *forest)
{
	int			count = 0;

	forest->groups = MemoryContextAllocHuge(build->context,
											sizeof(RowGroup) * (Size) forest->entry_count);
	for (int i = 0; i < forest->entry_count; i++)
	{
		const TlAskedRow *entry = &forest->entries[i];
		RowGroup	   *group;

		if (count > 0 && tl_proof_asked_same_section(&forest->entries[i - 1], entry))
		{
			forest->groups[count - 1].entry_count++;
			continue;
		}
		CHECK_FOR_INTERRUPTS();
		group = &forest->groups[count++];
		group->place = entry->place;
		group->relation = entry->relation;
		group->entries = entry;
		group->entry_count = 1;
		read_version(build, group);
	}
	forest->group_count = count;
	qsort(forest->groups, count, sizeof(RowGroup), compare_groups);
}

static void
read_version(Build *build, RowGroup *group)
{
	VersionKey	key;
	pg_uuid_t	uuid;
	const TlSourcePlace *place = &group->place;
	Datum		own[2] = {Int64GetDatum(place->batch), UUIDPGetDatum(&uuid)};
	Datum		foreign[4] = {
		Int64GetDatum((int64) place->member), Int32GetDatum(place->incarnation),
		Int64GetDatum(place->batch), Int32GetDatum(place->section)
	};

	memset(&key, 0, sizeof(key));
	tl_proof_source_table_id(key.table_id, group->relation);
	memcpy(uuid.data, key.table_id, UUID_LEN);
	if ((place->foreign ? tl_proof_source_execute(&select_foreign_version, foreign) :
		 tl_proof_source_execute(&select_version, own)) != 1)
		tl_proof_source_damaged("the section of a row is missing");
	group->section = DatumGetInt32(tl_chain_result(0, 0, NULL));
	group->kind = (uint8_t) DatumGetInt16(tl_chain_result(0, 2, NULL));
	group->member = (uint32_t) DatumGetInt64(tl_chain_result(0, 3, NULL));
	group->incarnation = (uint16_t) DatumGetInt32(tl_chain_result(0, 4, NULL));
	group->batch = DatumGetInt64(tl_chain_result(0, 5, NULL));
	key.version = (uint32_t) DatumGetInt32(tl_chain_result(0, 1, NULL));
	group->version = find_version(build, &key);
}

static Version *
find_version(Build *build, const VersionKey *key)
{
	bool		found;
	Version    *version = hash_search(build->versions, key, HASH_ENTER, &found);

	if (found)
		return version;
	version->number = 0;
	version->row.data = NULL;
	version->row.size = 0;
	if (!tl_table_definition_load_exact(&version->table, key->table_id, key->version,
										build->context))
		tl_proof_source_damaged("the definition of a ledger table is missing");
	return version;
}

/* The definition rows of all versions met, numbered in order of the chain. */
static void
list_definitions(Build *build, Forest *out)
{
	HASH_SEQ_STATUS status;
	Version    *version;

	memset(out, 0, sizeof(*out));
	out->entries = palloc0(sizeof(TlAskedRow) * hash_get_num_entries(build->versions));
	hash_seq_init(&status, build->versions);
	while ((version = hash_seq_search(&status)) != NULL)
	{
		TlAskedRow *entry = &out->entries[out->entry_count];

		if (version->table.ref.member == 0)
			continue;			/* fixed by code */
		tl_table_ref_pack(&entry->ref, &version->table.ref);
		entry->relation = tl_table_definition_relation();
		entry->defines = version;
		out->entry_count++;
	}
	if (out->entry_count > TL_BUNDLE_DEFINITIONS_MAX)
		ereport(ERROR,
				errcode(TL_ERRCODE(TL_TOO_LARGE)),
				errmsg("the rows are of too many tables and versions of tables"),
				errdetail("One document holds at most %d definitions.",
						  TL_BUNDLE_DEFINITIONS_MAX),
				errhint("Ask for fewer rows at a time."));
	place_entries(build, out);
	for (int i = 0; i < out->entry_count; i++)
		out->entries[i].defines->number = i;
	make_groups(build, out);
}

static void
write_forest(Build *build, const char *before, const Forest *forest)
{
	TlBundleForest part;
	int			next = 0;

	memset(&part, 0, sizeof(part));
	part.history = history_nodes(build, forest);
	put_open(build, before, TL_BUNDLE_FOREST, &part);
	while (next < forest->group_count)
	{
		int			first = next;

		while (next < forest->group_count &&
			   forest->groups[next].place.height == forest->groups[first].place.height)
			next++;
		MemoryContextSwitchTo(build->block_context);
		write_block(build, first == 0 ? "" : ", ", &forest->groups[first],
					next - first);
		MemoryContextSwitchTo(build->context);
		MemoryContextReset(build->block_context);
	}
	put_close(build, TL_BUNDLE_FOREST, &part);
	pfree(unconstify(uint8_t *, part.history.data));
}

/* Between the forest's blocks, to the head; none if all there is is the head. */
static TlSpan
history_nodes(Build *build, const Forest *forest)
{
	TlWriter	nodes = {NULL, 0, 0};
	TlSpan		span;
	uint64_t	position = 0;

	reserve(&nodes, GAP_SIZE_MAX);
	for (int i = 0; i <= forest->group_count; i++)
	{
		bool		is_end = (i == forest->group_count);
		uint64_t	height = is_end ? build->head.height : forest->groups[i].place.height;

		if (!is_end && (height == build->head.height || height + 1 == position))
			continue;
		if (is_end && position == 0)
			break;
		reserve(&nodes, GAP_SIZE_MAX);
		tl_proof_source_check(tl_merkle_cover_write(&nodes, position, height,
													tl_proof_source_history_node,
													NULL), "history of the blocks");
		position = height + 1;
	}
	span.data = nodes.data;
	span.size = nodes.size;
	return span;
}

static void
write_block(Build *build, const char *before, const RowGroup *groups, int count)
{
	TlBundleBlock part;
	TlBlockHeader block;
	TlWriter	text;
	int			next = 0;

	memset(&part, 0, sizeof(part));
	memset(&build->outcome, 0, sizeof(build->outcome));
	tl_proof_source_header(&part.header, &block, groups->place.height);
	part.digests = tl_proof_source_digests(groups->place.height);
	for (int i = 0; i < count && !build->outcome.present; i++)
		if (groups[i].kind == TL_SECTION_PUBLIC)
			tl_proof_source_outcome(&build->outcome, block.height, &build->head,
									build->size != TL_SIZE_NEWEST);
	part.outcome = build->outcome;
	do
		text_init(build, &text);
	while (text_grew(build, &text, tl_proof_show_block(&part, &text)));
	put_open(build, before, TL_BUNDLE_BLOCK, &part);
	while (next < count)
	{
		int			first = next;

		while (next < count && compare_batches(&groups[next], &groups[first]) == 0)
			next++;
		write_batch(build, first == 0 ? "" : ", ", &groups[first], next - first);
	}
	put_close(build, TL_BUNDLE_BLOCK, &part);
}

static void
write_batch(Build *build, const char *before, const RowGroup *groups, int count)
{
	TlBundleBatch part;
	TlSourceBatch batch;
	TlWriter	text;

	memset(&part, 0, sizeof(part));
	tl_proof_source_batch(&batch, &groups->place);
	part.header = batch.header;
	tl_chain_batch_digest(&build->digest, part.header.data, part.header.size);
	part.nodes = batch_nodes(&batch, groups, count);
	do
		text_init(build, &text);
	while (text_grew(build, &text,
					 tl_proof_show_batch(&part, &text, &build->members)));
	put_open(build, before, TL_BUNDLE_BATCH, &part);
	for (int i = 0; i < count; i++)
	{
		MemoryContext section_context = AllocSetContextCreate(build->block_context,
															  "telco_ledger section",
															  ALLOCSET_DEFAULT_SIZES);
		MemoryContext old = MemoryContextSwitchTo(section_context);

		write_section(build, i == 0 ? "" : ", ", &groups[i],
					  tl_proof_source_section_index(&batch, groups[i].section));
		MemoryContextSwitchTo(old);
		MemoryContextDelete(section_context);
	}
	put_close(build, TL_BUNDLE_BATCH, &part);
}

static TlSpan
batch_nodes(const TlSourceBatch *batch, const RowGroup *groups, int count)
{
	TlWriter	nodes = {NULL, 0, 0};
	TlSpan		span;
	uint64_t	position = 0;

	for (int i = 0; i <= count; i++)
	{
		uint64_t	to = (i == count) ? batch->section_count :
			tl_proof_source_section_index(batch, groups[i].section);

		reserve(&nodes, GAP_SIZE_MAX);
		tl_proof_source_check(tl_merkle_cover_write(&nodes, position, to,
													tl_proof_source_leaves_node,
													batch->leaves),
							  "sections of a batch");
		position = to + 1;
	}
	span.data = nodes.data;
	span.size = nodes.size;
	return span;
}

static void
write_section(Build *build, const char *before, const RowGroup *group,
			  uint64_t index)
{
	TlBundleSection part;
	TlSourceSection section;
	TlSourceRows rows;
	SectionWriter writer;
	TlWriter	text;

	memset(&writer, 0, sizeof(writer));
	writer.build = build;
	writer.group = group;
	read_definition(&writer.definition, group->version);
	tl_proof_section_read(&section, &group->place, group->version->key.table_id);
	memset(&part, 0, sizeof(part));
	part.has_definition = (group->version->table.ref.member != 0);
	part.definition = group->version->number;
	part.index = index;
	part.leaf = section.bytes;
	part.random = section.random;
	do
		text_init(build, &text);
	while (text_grew(build, &text,
					 tl_proof_show_section(&part, &text, &writer.definition)));
	put_open(build, before, TL_BUNDLE_SECTION, &part);
	tl_proof_section_open(&rows, &section, writer_member(group), group->relation,
						  &group->version->table);
	write_rows(&writer, &rows);
	tl_proof_section_close(&rows);
	part.nodes.data = writer.nodes.data;
	part.nodes.size = writer.nodes.size;
	put_close(build, TL_BUNDLE_SECTION, &part);
}

static uint32_t
writer_member(const RowGroup *group)
{
	TlRef		ref;

	tl_table_ref_unpack(&ref, &group->entries[0].ref);
	return ref.member;
}

/* From the row that was written among the definitions. */
static void
read_definition(TlDefinition *out, const Version *version)
{
	if (version->table.ref.member == 0)
		tl_proof_definition_fixed(out);
	else
		tl_proof_source_check(tl_proof_definition_decode(out, version->row.data,
														 version->row.size),
							  "definition of a ledger table");
}

/* The rows asked for, tile by tile, and the nodes between them. */
static void
write_rows(SectionWriter *writer, TlSourceRows *rows)
{
	const RowGroup *group = writer->group;
	TlSourceTile *tile = palloc(sizeof(TlSourceTile));
	void	   *section = unconstify(TlSourceSection *, rows->section);

	while (tl_proof_section_next(rows, tile, writer->next == group->entry_count ? NULL :
								 &group->entries[writer->next].ref))
	{
		cover(writer, tile->first, tl_proof_section_stored_node, section);
		tl_proof_section_encode(rows, tile, write_row, writer);
		cover(writer, tile->first + tile->count, tl_proof_section_tile_node, tile);
	}
	cover(writer, rows->next, tl_proof_section_stored_node, section);
	if (writer->next != group->entry_count)
		tl_proof_source_damaged("the manifest of a section does not name the row");
}

static void
cover(SectionWriter *writer, uint64_t to, TlMerkleNodeReader reader, void *context)
{
	reserve(&writer->nodes, GAP_SIZE_MAX);
	tl_proof_source_check(tl_merkle_cover_write(&writer->nodes, writer->position, to,
												reader, context),
						  "rows of a section");
	writer->position = to;
}

static void
write_row(void *context, const TlSourceTile *tile, int index, TlSpan bytes)
{
	SectionWriter *writer = context;
	const RowGroup *group = writer->group;
	Build	   *build = writer->build;
	const TlAskedRow *entry = &group->entries[writer->next];
	TlBundleRow part;
	TlWriter	text;

	if (writer->next == group->entry_count ||
		tl_table_ref_compare(&entry->ref, &tile->refs[index]) != 0)
		return;
	cover(writer, tile->first + index, tl_proof_section_tile_node,
		  unconstify(TlSourceTile *, tile));
	writer->position++;
	memset(&part, 0, sizeof(part));
	part.index = tile->first + index;
	part.bytes = bytes;
	do
		text_init(build, &text);
	while (text_grew(build, &text,
					 tl_proof_show_row(&part, build->columns, &text,
									   &writer->definition, &build->outcome, group->kind,
									   &build->digest, (uint64_t) group->place.height)));
	put_row(build, writer->next == 0 ? "" : ", ", &part);
	writer->next++;
	if (entry->defines != NULL)
	{
		uint8_t    *copy = MemoryContextAlloc(build->context, bytes.size);

		memcpy(copy, bytes.data, bytes.size);
		entry->defines->row.data = copy;
		entry->defines->row.size = bytes.size;
	}
}

static void
put_open(Build *build, const char *before, TlBundleLevel level, const void *part)
{
	size_t		start = build->out.size;

	do
		tl_proof_json_open(&build->out, before, level, part);
	while (grew(build, start));
}

static void
put_close(Build *build, TlBundleLevel level, const void *part)
{
	size_t		start = build->out.size;

	do
		tl_proof_json_close(&build->out, level, part);
	while (grew(build, start));
}

static void
put_row(Build *build, const char *before, const TlBundleRow *row)
{
	size_t		start = build->out.size;

	do
		tl_proof_json_put_row(&build->out, before, row);
	while (grew(build, start));
}

static void
put_text(Build *build, const char *text)
{
	size_t		start = build->out.size;

	do
		tl_put_bytes(&build->out, text, strlen(text));
	while (grew(build, start));
}

/* Did the part not fit?  Then there is room now, and it is to be put again. */
static bool
grew(Build *build, size_t start)
{
	size_t		wanted = build->out.size;

	if (wanted > TL_RECEIPTS_SIZE_MAX)
		ereport(ERROR,
				errcode(TL_ERRCODE(TL_TOO_LARGE)),
				errmsg("the receipts are too large for one document"),
				errdetail("A jsonb value holds at most %d MB.",
						  TL_RECEIPTS_SIZE_MAX >> 20),
				errhint("Ask for fewer rows at a time, with the same size of tree head."));
	if (wanted <= build->out.capacity)
		return false;
	build->out.size = start;
	reserve(&build->out, wanted - start);
	return true;
}

/* Room for what one part shows, used again for the next. */
static void
text_init(Build *build, TlWriter *text)
{
	tl_writer_init(text, build->text.data, build->text.capacity);
}

static bool
text_grew(Build *build, const TlWriter *text, TlStatus status)
{
	if (text->size <= text->capacity)
	{
		tl_proof_source_check(status, "what a receipt shows");
		return false;
	}
	build->text.size = 0;
	reserve(&build->text, text->size);
	return true;
}

/* Room for `size` more bytes; a new writer's is in the current context. */
static void
reserve(TlWriter *writer, size_t size)
{
	size_t		capacity = Max(writer->capacity, 1024);

	if (writer->data != NULL && writer->size + size <= writer->capacity)
		return;
	while (capacity < writer->size + size)
		capacity *= 2;
	if (writer->data == NULL)
		writer->data = MemoryContextAllocHuge(CurrentMemoryContext, capacity);
	else
		writer->data = repalloc_huge(writer->data, capacity);
	writer->capacity = capacity;
}

static Jsonb *
parse_document(Build *build)
{
	put_text(build, "");
	reserve(&build->out, 1);
	build->out.data[build->out.size] = '\0';
	return DatumGetJsonbP(DirectFunctionCall1(jsonb_in,
											  CStringGetDatum((char *) build->out.data)));
}

/* Like a stranger's: damage must show here and not in court. */
static void
check(Jsonb *document)
{
	TlBundleChecker *checker = palloc(sizeof(TlBundleChecker));
	const char *wrong = NULL;
	const char *problem;
	TlJsonNode	root;

	tl_proof_jsonb_nodes(&root, document);
	problem = tl_proof_bundle_check(checker, &root, NULL, NULL, note_problem, &wrong);
	if (problem == NULL)
		problem = wrong;
	if (problem != NULL)
		ereport(ERROR,
				errcode(TL_ERRCODE(TL_CHAIN_DAMAGED)),
				errmsg("the stored chain does not prove the rows"),
				errdetail("The receipts would be refused: %s.", problem),
				errhint("Run SELECT * FROM ledger.verify(mode => 'full')."));
}

static void
note_problem(void *context, const TlBundleVerdict *verdict)
{
	const char **wrong = context;

	CHECK_FOR_INTERRUPTS();
	if (!verdict->valid && *wrong == NULL)
		*wrong = verdict->reason;
}

/* As they stand in the document: by block, batch, section. */
static int
compare_groups(const void *left, const void *right)
{
	const RowGroup *a = left;
	const RowGroup *b = right;
	int			order = tl_proof_asked_order(a->place.height, b->place.height);

	if (order == 0)
		order = compare_batches(a, b);
	return order != 0 ? order : tl_proof_asked_order(a->section, b->section);
}

/* In the order of the block. */
static int
compare_batches(const RowGroup *a, const RowGroup *b)
{
	int			order = tl_proof_asked_order(a->member, b->member);

	if (order == 0)
		order = tl_proof_asked_order(a->incarnation, b->incarnation);
	return order != 0 ? order : tl_proof_asked_order(a->batch, b->batch);
}
