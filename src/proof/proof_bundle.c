/*-------------------------------------------------------------------------
 *
 * proof_bundle.c
 *	  The verdict on many receipts in one document.
 *
 * The document nests as the trees do: blocks hold batches, batches sections,
 * sections rows; what stands between the proved leaves of a tree is the list of
 * nodes of merkle_cover.c.  Rows of ledger.table_version that define the tables
 * are a forest of the same shape; a section of the rows names the one that it
 * was written under by its number.
 *
 * First what all rows rest on: genesis, head, the history above both forests,
 * the definitions.  A problem there is one of the document.  Then block by
 * block from above; a problem of a block, batch or section is one of each row
 * under it, and what is wrong with a row alone is said of that row.
 *
 * Invariants
 *	  U1  as P1 to P3 of proof_check.c
 *	  U2  one set of rows has one document: leaves ascend in every tree, nodes
 *		  follow from them, lists are not empty, each definition is used
 *	  U3  time and memory grow with the document only: nothing is kept but the
 *		  definitions, whose number is bounded, and 2 KB a tree
 *
 * Pure code: no PostgreSQL, no allocation.
 * Used by ledger.verify_receipts() and by contrib/verifier.
 *
 *-------------------------------------------------------------------------
 */
#include "proof_bundle.h"

#include "merkle_cover.h"
#include "merkle_range.h"
#include "proof_outcome.h"

#include <string.h>

/* Where in a forest the walk is, and the first problem on the way there. */
typedef struct Place
{
	TlBundleBlock block_part;
	TlBundleBatch batch_part;
	TlBundleSection section_part;
	TlBlockHeader block;
	TlBatchHeader batch;
	TlHash		digest;			/* of the batch */
	TlSectionLeaf section;
	TlDefinition definition;
	uint32_t	definition_member;	/* 0: fixed */
	uint64_t	outcome_height; /* of the block that says what was rejected */
	bool		outcome_used;
	TlTrust		trust;
	const char *problem;
} Place;

static const char *check_head(TlBundleChecker *checker, const TlBundle *bundle);
static const char *check_history(TlBundleChecker *checker,
								 const TlJsonNode *node);
static const char *walk_forest(TlBundleChecker *checker, const TlJsonNode *node);
static const char *walk_block(TlBundleChecker *checker, Place *place);
static const char *check_outcome(TlBundleChecker *checker, Place *place);
static const char *find_batch(TlSpan digests, size_t *offset,
							  const TlHash *digest);
static const char *digests_root(TlHash *root, TlSpan digests);
static const char *walk_batch(TlBundleChecker *checker, Place *place);
static const char *check_sections(Place *place);
static const char *walk_section(TlBundleChecker *checker, Place *place);
static const char *find_definition(TlBundleChecker *checker, Place *place);
static const char *check_trust(TlBundleChecker *checker, Place *place);
static const char *check_rows(TlBundleChecker *checker, Place *place,
							  const char **problem);
static const char *walk_row(TlBundleChecker *checker, Place *place,
							const TlJsonNode *node);
static const char *check_row(TlBundleChecker *checker, const Place *place,
							 const TlRowHeader *header, const TlBundleRow *row,
							 TlSpan *definer);
static const char *keep_definition(TlBundleChecker *checker, const Place *place,
								   const TlRowHeader *header, TlSpan bytes);
static bool ends_at(TlMerkleRange *range, uint64_t size, TlReader *nodes,
					const TlHash *root);
static void note(Place *place, const char *problem);

const char *
tl_proof_bundle_check(TlBundleChecker *checker, const TlJsonNode *root,
					  const TlCheckpoint *checkpoint,
					  const TlConsistency *consistency,
					  TlBundleReport report, void *context)
{
	TlBundle	bundle;
	const char *problem;

	memset(checker, 0, sizeof(*checker));
	checker->checkpoint = checkpoint;
	checker->consistency = consistency;
	checker->report = report;
	checker->context = context;
	if (checkpoint == NULL && consistency != NULL)
		return "a consistency proof needs the tree head that it starts from";
	problem = tl_proof_json_part(&bundle, TL_BUNDLE_TOP, root);
	if (problem == NULL)
		problem = check_head(checker, &bundle);
	if (problem == NULL && bundle.definitions->kind != TL_JSON_NULL)
	{
		checker->of_definitions = true;
		problem = walk_forest(checker, bundle.definitions);
		checker->of_definitions = false;
	}
	if (problem == NULL)
		problem = walk_forest(checker, bundle.rows);
	for (uint64_t i = 0; problem == NULL && i < checker->definition_count; i++)
	{
		if (!checker->definitions[i].used)
			problem = "a definition is there that no row was written under";
	}
	return problem;
}

static const char *
check_head(TlBundleChecker *checker, const TlBundle *bundle)
{
	const char *problem;

	problem = tl_proof_step_genesis(&checker->chain, bundle->chain,
									bundle->purpose, bundle->genesis_header,
									bundle->genesis_body, &bundle->restart);
	if (problem == NULL)
		problem = tl_proof_step_head(&checker->chain, bundle->head,
									 bundle->certificate, bundle->epochs);
	if (problem == NULL && bundle->definitions->kind != TL_JSON_NULL)
		problem = check_history(checker, bundle->definitions);
	if (problem == NULL)
		problem = check_history(checker, bundle->rows);
	return problem;
}

/* The blocks of a forest are leaves of the head's history, or the head. */
static const char *
check_history(TlBundleChecker *checker, const TlJsonNode *node)
{
	const TlBlockHeader *head = &checker->chain.head;
	TlBundleForest forest;
	TlMerkleRange range;
	TlReader	nodes;
	uint64_t	height = 0;
	uint64_t	below = 0;
	const char *problem = tl_proof_json_part(&forest, TL_BUNDLE_FOREST, node);

	if (problem != NULL)
		return problem;
	tl_reader_init(&nodes, forest.history.data, forest.history.size);
	tl_merkle_range_init(&range);
	for (size_t i = 0; i < forest.blocks->count; i++)
	{
		TlBundleBlock part;
		TlBlockHeader block;
		TlHash		hash;

		problem = tl_proof_json_part(&part, TL_BUNDLE_BLOCK,
									 &forest.blocks->children[i]);
		if (problem == NULL)
			problem = tl_proof_step_block(&block, &hash, &checker->chain, part.header);
		if (problem != NULL)
			return problem;
		if (block.height <= height || block.height > head->height)
			return "the blocks are not in order of height, or newer than the head";
		height = block.height;
		if (height == head->height)
			continue;
		below++;
		if (tl_merkle_cover_read(&range, height, &nodes) != TL_OK ||
			tl_merkle_range_append(&range, &hash) != TL_OK)
			return "the blocks' history does not lead to the head";
	}
	if (below == 0)
		return forest.history.size == 0 ? NULL :
			"the blocks' history does not lead to the head";
	if (!ends_at(&range, head->height, &nodes, &head->history_root))
		return "the blocks' history does not lead to the head";
	return NULL;
}

static const char *
walk_forest(TlBundleChecker *checker, const TlJsonNode *node)
{
	TlBundleForest forest;
	const char *problem = tl_proof_json_part(&forest, TL_BUNDLE_FOREST, node);

	for (size_t i = 0; problem == NULL && i < forest.blocks->count; i++)
	{
		Place		place;

		memset(&place, 0, sizeof(place));
		problem = tl_proof_json_part(&place.block_part, TL_BUNDLE_BLOCK,
									 &forest.blocks->children[i]);
		if (problem == NULL)
			problem = walk_block(checker, &place);
	}
	return problem;
}

/* One block, whose header is under the head. */
static const char *
walk_block(TlBundleChecker *checker, Place *place)
{
	const TlJsonNode *batches = place->block_part.batches;
	size_t		offset = 0;
	TlHash		hash;
	TlHash		root;
	const char *problem = NULL;

	note(place, tl_proof_step_block(&place->block, &hash, &checker->chain,
									place->block_part.header));
	note(place, tl_proof_step_height(&place->block, place->block_part.height,
									 place->block_part.time));
	note(place, check_outcome(checker, place));
	note(place, digests_root(&root, place->block_part.digests));
	if (place->problem == NULL &&
		memcmp(&root, &place->block.batch_root, sizeof(TlHash)) != 0)
		note(place, "the batch is not one of the block's");
	for (size_t i = 0; problem == NULL && i < batches->count; i++)
	{
		const char *above = place->problem;

		problem = tl_proof_json_part(&place->batch_part, TL_BUNDLE_BATCH,
									 &batches->children[i]);
		if (problem != NULL)
			break;
		note(place, tl_proof_step_batch(&place->batch, &place->digest, &checker->chain,
										place->batch_part.header));
		if (place->problem == NULL)
			note(place, find_batch(place->block_part.digests, &offset, &place->digest));
		problem = walk_batch(checker, place);
		place->problem = above;
	}
	if (problem == NULL && place->block_part.outcome.present && !place->outcome_used)
		problem = "an outcome is there where none can be";
	return problem;
}

/* What became of the rows of the block. */
static const char *
check_outcome(TlBundleChecker *checker, Place *place)
{
	const TlReceiptOutcome *outcome = &place->block_part.outcome;
	TlBlockHeader block;
	const char *problem = tl_proof_outcome_check(&checker->chain, outcome,
												 place->block.height);

	if (problem == NULL && outcome->present &&
		tl_chain_block_decode(&block, outcome->block.data, outcome->block.size) == TL_OK)
		place->outcome_height = block.height;
	return problem;
}

/* The digest stands in the list, after the one before. */
static const char *
find_batch(TlSpan digests, size_t *offset, const TlHash *digest)
{
	while (*offset < digests.size)
	{
		const uint8_t *listed = digests.data + *offset;

		*offset += TL_HASH_SIZE;
		if (memcmp(listed, digest, TL_HASH_SIZE) == 0)
			return NULL;
	}
	return "the batch is not one of the block's";
}

static const char *
digests_root(TlHash *root, TlSpan digests)
{
	TlMerkleRange range;
	TlReader	reader;

	if (digests.size / TL_HASH_SIZE > TL_BLOCK_BATCHES_MAX)
		return "the block has too many batches";
	tl_merkle_range_init(&range);
	tl_reader_init(&reader, digests.data, digests.size);
	while (tl_reader_left(&reader) > 0)
	{
		TlHash		digest;

		tl_get_hash(&reader, &digest);
		if (tl_merkle_range_append(&range, &digest) != TL_OK)
			return "the block has too many batches";
	}
	tl_merkle_range_root(&range, root);
	return NULL;
}

static const char *
walk_batch(TlBundleChecker *checker, Place *place)
{
	const TlJsonNode *sections = place->batch_part.sections;
	const char *problem = NULL;

	if (place->problem == NULL)
	{
		note(place, tl_proof_step_member(&checker->chain, place->batch.member,
										 place->batch_part.member));
		problem = check_sections(place);
	}
	for (size_t i = 0; problem == NULL && i < sections->count; i++)
	{
		const char *above = place->problem;

		problem = tl_proof_json_part(&place->section_part, TL_BUNDLE_SECTION,
									 &sections->children[i]);
		if (problem == NULL)
			problem = walk_section(checker, place);
		place->problem = above;
	}
	return problem;
}

/* The sections are leaves of the batch's tree. */
static const char *
check_sections(Place *place)
{
	const TlJsonNode *sections = place->batch_part.sections;
	TlMerkleRange range;
	TlReader	nodes;

	tl_merkle_range_init(&range);
	tl_reader_init(&nodes, place->batch_part.nodes.data, place->batch_part.nodes.size);
	for (size_t i = 0; i < sections->count; i++)
	{
		TlBundleSection part;
		TlSectionLeaf section;
		TlHash		leaf;
		const char *problem = tl_proof_json_part(&part, TL_BUNDLE_SECTION,
												 &sections->children[i]);

		if (problem != NULL)
			return problem;
		note(place, tl_proof_step_section(&section, &leaf, part.leaf, part.random));
		if (place->problem != NULL)
			return NULL;
		if (part.index >= place->batch.section_count ||
			tl_merkle_cover_read(&range, part.index, &nodes) != TL_OK ||
			tl_merkle_range_append(&range, &leaf) != TL_OK)
		{
			note(place, "the sections do not lead to their batch");
			return NULL;
		}
	}
	if (!ends_at(&range, place->batch.section_count, &nodes, &place->batch.root))
		note(place, "the sections do not lead to their batch");
	return NULL;
}

static const char *
walk_section(TlBundleChecker *checker, Place *place)
{
	const TlJsonNode *rows = place->section_part.rows;
	TlHash		leaf;
	const char *problem = NULL;

	if (place->section_part.has_definition &&
		place->section_part.definition < checker->definition_count)
		checker->definitions[place->section_part.definition].used = true;
	if (place->problem == NULL)
		note(place, tl_proof_step_section(&place->section, &leaf,
										  place->section_part.leaf,
										  place->section_part.random));
	if (place->problem == NULL)
		note(place, tl_proof_step_body(&place->section, place->section_part.index,
									   &place->batch));
	place->outcome_used |= (place->problem != NULL ||
							place->section.kind == TL_SECTION_PUBLIC);
	if (place->problem == NULL)
		note(place, find_definition(checker, place));
	if (place->problem == NULL)
		note(place, tl_proof_step_table(&place->definition,
										place->section_part.schema,
										place->section_part.table));
	if (place->problem == NULL)
	{
		const char *wrong = NULL;

		problem = check_rows(checker, place, &wrong);
		note(place, wrong);
	}
	if (place->problem == NULL)
		note(place, check_trust(checker, place));
	for (size_t i = 0; problem == NULL && i < rows->count; i++)
		problem = walk_row(checker, place, &rows->children[i]);
	return problem;
}

/* The one that the section names, or the fixed one. */
static const char *
find_definition(TlBundleChecker *checker, Place *place)
{
	const TlBundleSection *part = &place->section_part;
	const TlBundleDefinition *proved;
	uint8_t		table_id[TL_TABLE_ID_SIZE];
	bool		is_fixed;

	tl_proof_definition_table_id(table_id);
	is_fixed = (memcmp(place->section.table_id, table_id, TL_TABLE_ID_SIZE) == 0);
	if (is_fixed == part->has_definition ||
		(checker->of_definitions && !is_fixed))
		return "a definition is missing, or is there where none can be";
	place->definition_member = 0;
	if (is_fixed)
	{
		tl_proof_definition_fixed(&place->definition);
		return NULL;
	}
	if (part->definition >= checker->definition_count)
		return "the definition is not one of those listed";
	proved = &checker->definitions[part->definition];
	place->definition_member = proved->member;
	if (tl_proof_definition_decode(&place->definition, proved->bytes.data,
								   proved->bytes.size) != TL_OK)
		return "the definition is not a row of ledger.table_version";
	return NULL;
}

/* Of rows, with the height of their definition. */
static const char *
check_trust(TlBundleChecker *checker, Place *place)
{
	uint64_t	height = place->block.height;

	if (place->section.kind == TL_SECTION_PUBLIC && place->outcome_height > height)
		height = place->outcome_height;
	place->trust = TL_TRUST_GENESIS;
	if (checker->checkpoint == NULL || checker->of_definitions)
		return NULL;
	if (place->section_part.has_definition &&
		checker->definitions[place->section_part.definition].height > height)
		height = checker->definitions[place->section_part.definition].height;
	return tl_proof_step_trust(&place->trust, &checker->chain, checker->checkpoint,
							   checker->consistency, height);
}

/* The rows are leaves of the section's tree; *problem is one of all rows. */
static const char *
check_rows(TlBundleChecker *checker, Place *place, const char **problem)
{
	const TlJsonNode *rows = place->section_part.rows;
	TlMerkleRange range;
	TlReader	nodes;

	tl_merkle_range_init(&range);
	tl_reader_init(&nodes, place->section_part.nodes.data,
				   place->section_part.nodes.size);
	for (size_t i = 0; i < rows->count; i++)
	{
		TlBundleRow row;
		TlRowHeader header;
		TlHash		leaf;
		const char *wrong = tl_proof_json_row(&row, checker->columns,
											  &rows->children[i]);

		if (wrong != NULL)
			return wrong;
		*problem = tl_proof_step_row(&header, &leaf, row.bytes);
		if (*problem != NULL)
			return NULL;
		if (row.index >= place->section.row_count ||
			tl_merkle_cover_read(&range, row.index, &nodes) != TL_OK ||
			tl_merkle_range_append(&range, &leaf) != TL_OK)
		{
			*problem = "the rows do not lead to their section";
			return NULL;
		}
	}
	if (!ends_at(&range, place->section.row_count, &nodes, &place->section.root))
		*problem = "the rows do not lead to their section";
	return NULL;
}

/* Report one row, or keep one definition. */
static const char *
walk_row(TlBundleChecker *checker, Place *place, const TlJsonNode *node)
{
	TlBundleVerdict verdict;
	TlBundleRow row;
	TlRowHeader header;
	TlHash		leaf;
	const char *problem = tl_proof_json_row(&row, checker->columns, node);

	if (problem != NULL)
		return problem;
	memset(&verdict, 0, sizeof(verdict));
	problem = tl_proof_step_row(&header, &leaf, row.bytes);
	if (problem == NULL)
		verdict.ref = header.ref;
	if (place->problem != NULL)
		problem = place->problem;
	if (problem == NULL)
		problem = check_row(checker, place, &header, &row, &verdict.definer);
	if (problem == NULL && !checker->of_definitions)
	{
		verdict.outcome = tl_proof_outcome_of(verdict.sqlstate, &place->block_part.outcome,
											  place->section.kind, &header.ref,
											  &place->digest, &leaf, place->block.height);
		problem = tl_proof_outcome_shown(verdict.outcome, verdict.sqlstate, row.outcome_text);
	}
	if (checker->of_definitions)
		return problem != NULL ? problem :
			keep_definition(checker, place, &header, row.bytes);
	checker->row_count++;
	verdict.valid = (problem == NULL);
	tl_proof_verdict_text(verdict.text, place->trust, verdict.outcome, verdict.sqlstate,
						  verdict.definer.size > 0);
	verdict.reason = verdict.valid ? verdict.text : problem;
	verdict.node = node;
	verdict.row = &row;
	verdict.section = &place->section_part;
	if (verdict.valid)
	{
		verdict.trust = place->trust;
		verdict.member = place->batch_part.member;
		verdict.height = place->block.height;
		verdict.time = place->block_part.time;
	}
	checker->report(checker->context, &verdict);
	return NULL;
}

/* What a row says of itself and what is shown of it. */
static const char *
check_row(TlBundleChecker *checker, const Place *place, const TlRowHeader *header,
		  const TlBundleRow *row, TlSpan *definer)
{
	const char *problem = tl_proof_step_row_section(header, &place->section);

	if (problem == NULL)
		problem = tl_proof_step_row_batch(header, &place->batch);
	if (problem == NULL)
		problem = tl_proof_step_row_definition(header, &place->definition);
	if (problem == NULL && place->definition_member != 0)
		problem = tl_proof_step_definer(definer, &checker->chain, place->definition_member,
										header, place->section.kind);
	if (problem == NULL)
		problem = tl_proof_step_ref(&header->ref, row->ref);
	if (problem == NULL)
		problem = tl_proof_step_columns(&place->definition, row->bytes,
										row->columns, row->column_count);
	return problem;
}

static const char *
keep_definition(TlBundleChecker *checker, const Place *place,
				const TlRowHeader *header, TlSpan bytes)
{
	TlBundleDefinition *kept;

	if (checker->definition_count == TL_BUNDLE_DEFINITIONS_MAX)
		return "there are too many definitions";
	kept = &checker->definitions[checker->definition_count++];
	kept->bytes = bytes;
	kept->height = place->block.height;
	kept->member = header->ref.member;
	return NULL;
}

/* Nothing is left over and the root is the one that is bound above. */
static bool
ends_at(TlMerkleRange *range, uint64_t size, TlReader *nodes, const TlHash *root)
{
	TlHash		found;

	if (tl_merkle_cover_read(range, size, nodes) != TL_OK ||
		tl_reader_finish(nodes) != TL_OK)
		return false;
	tl_merkle_range_root(range, &found);
	return memcmp(&found, root, sizeof(TlHash)) == 0;
}

/* The first problem from above is the one to tell. */
static void
note(Place *place, const char *problem)
{
	if (place->problem == NULL)
		place->problem = problem;
}
