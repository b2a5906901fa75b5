/*-------------------------------------------------------------------------
 *
 * proof_verify_batch.c
 *	  Batches: each one is what was signed, and its sections give its root.
 *
 * Part of the walk in proof_verify_chain.c.  Of each batch the first thing that
 * is wrong is reported, and the batch is remembered as doubtful, so that the
 * rows are not blamed for it (proof_verify_rows.c).
 *
 * Invariants
 *	  V7  batches are numbered from 1 without gaps and name the one before; in
 *		  their headers they are numbered from 1 in each incarnation
 *	  V8  the batch root stands over the leaves of the stored sections
 *	  V9  the block's batch root stands over the batches of its height, its cut
 *		  reaches to the last of them, its entries root stands over the REJOIN
 *		  of its height
 *	  V10 the last batch of a snapshot difference, and no other, completes it
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "catalog/pg_type.h"

#include "chain_section.h"
#include "chain_statement.h"
#include "merkle_hash.h"
#include "proof_verify_chain.h"
#include "table_row.h"
#include "utils/uuid.h"

static TlStatement select_signed = {
	"SELECT FROM ledger_internal.own_log"
	" WHERE kind = 1 AND ledger_internal.batch_digest(message) = $1",
	1, {BYTEAOID}
};

/* The stored batch under the cursor. */
typedef struct Batch
{
	int64_t		number;
	TlRefBytes	first_ref;
	TlRefBytes	last_ref;
	TlSpan		bytes;
	TlBatchHeader header;
	TlHash		digest;			/* of the stored bytes */
	int			signed_index;	/* what was signed in its place, -1: nothing */
} Batch;

static bool has_place(const TlWalk *walk, const Batch *batch);
static const char *check_batch(TlWalk *walk, Batch *batch, TlProblem *problem);
static const char *check_number(const TlWalk *walk, const Batch *batch,
								TlProblem *problem);
static bool was_signed(TlWalk *walk, TlHash *digest, int *index);
static const char *check_columns(const TlWalk *walk, const Batch *batch);
static const char *check_completes(TlWalk *walk);
static const char *check_sections(TlWalk *walk, const Batch *batch,
								  TlProblem *problem);
static bool section_leaf(const TlCursor *cursor, TlHash *leaf_hash,
						 uint32_t *row_count);
static void check_block(TlWalk *walk, const TlBlockHeader *header,
						const TlMerkleRange *digests);
static bool entries_fit(const TlWalk *walk, const TlBlockHeader *header);
static void skip_sections(TlWalk *walk, int64_t batch);
static void finish_batch(TlWalk *walk, const Batch *batch, TlProblem *problem,
						 const char *detail);
static void report(TlWalk *walk, TlProblem *problem, const char *detail);

/* The batches of the height where the walk is; header if it is sound. */
void
tl_proof_walk_batches(TlWalk *walk, const TlBlockHeader *header)
{
	TlMerkleRange digests;
	int64_t		problems = walk->run->problems;

	tl_merkle_range_init(&digests);
	while (tl_proof_cursor_row(&walk->batches) &&
		   tl_proof_cursor_number(&walk->batches, 3) <= walk->height)
	{
		tl_proof_walk_batch(walk, &digests);
		tl_proof_cursor_advance(&walk->batches);
	}
	for (int i = 0; i < walk->signed_count; i++)
	{
		TlProblem	problem = {
			.expected = tl_proof_verify_hex(walk->signed_digests[i].bytes, TL_HASH_SIZE)
		};

		if (walk->signed_found[i])
			continue;
		if (memcmp(&walk->signed_digests[i], &walk->batch_digest, TL_HASH_SIZE) == 0)
			return;				/* it stands at a lower height: named there */
		report(walk, &problem, "A batch that was signed is not in ledger_internal.batch at this height.");
		walk->batch++;
		walk->batch_digest = walk->signed_digests[i];
		walk->lane = walk->signed_lanes[i];
		walk->snapshot = 0;
	}
	if (header != NULL && !walk->log_reported && problems == walk->run->problems)
		check_block(walk, header, &digests);
}

/* After the last height: sections that belong to no batch. */
void
tl_proof_walk_rest(TlWalk *walk)
{
	skip_sections(walk, PG_INT64_MAX);
}

/* The own batch under the cursor. */
void
tl_proof_walk_batch(TlWalk *walk, TlMerkleRange *digests)
{
	TlProblem	problem;
	Batch		batch;
	const char *detail;

	memset(&problem, 0, sizeof(problem));
	memset(&batch, 0, sizeof(batch));
	batch.number = tl_proof_cursor_number(&walk->batches, 0);
	tl_proof_cursor_ref(&walk->batches, 5, &batch.first_ref);
	tl_proof_cursor_ref(&walk->batches, 6, &batch.last_ref);
	skip_sections(walk, batch.number);
	detail = check_batch(walk, &batch, &problem);
	(void) tl_merkle_range_append(digests, &walk->batch_digest);
	if (batch.signed_index >= 0)
		walk->lane = walk->signed_lanes[batch.signed_index];
	else
		walk->lane.batch++;
	finish_batch(walk, &batch, &problem, detail);
}

/* One that waits for a block: what does not need its place in the lane. */
void
tl_proof_walk_waiting(TlWalk *walk)
{
	TlProblem	problem;
	Batch		batch;
	const char *detail = NULL;

	memset(&problem, 0, sizeof(problem));
	memset(&batch, 0, sizeof(batch));
	batch.number = tl_proof_cursor_number(&walk->batches, 0);
	batch.bytes = tl_proof_cursor_bytes(&walk->batches, 10);
	tl_proof_cursor_ref(&walk->batches, 5, &batch.first_ref);
	tl_proof_cursor_ref(&walk->batches, 6, &batch.last_ref);
	skip_sections(walk, batch.number);
	if (tl_chain_batch_decode(&batch.header, batch.bytes.data, batch.bytes.size) != TL_OK)
		detail = "The header of a batch that waits for a block cannot be read.";
	else if (!has_place(walk, &batch))
		detail = "The header of a batch that waits for a block is not one that the own log has.";
	else if (batch.number != (int64_t) walk->batch + 1)
		detail = "Batches that wait for a block are missing or were numbered anew.";
	if (detail == NULL)
		detail = check_completes(walk);
	if (detail == NULL)
		detail = check_sections(walk, &batch, &problem);
	finish_batch(walk, &batch, &problem, detail);
}

/* One with a digest was signed: so it stands in the own log, and under that digest. */
static bool
has_place(const TlWalk *walk, const Batch *batch)
{
	TlSpan		stored = tl_proof_cursor_bytes(&walk->batches, 11);
	TlHash		digest;
	Datum		value;

	if (stored.size == 0)
		return true;
	tl_chain_batch_digest(&digest, batch->bytes.data, batch->bytes.size);
	value = tl_chain_bytes(digest.bytes, TL_HASH_SIZE);
	return tl_proof_walk_hash_is(&digest, stored) &&
		tl_chain_execute(&select_signed, &value, NULL, true) > 0;
}

/* It was looked at; detail is NULL, or what is wrong. */
static void
finish_batch(TlWalk *walk, const Batch *batch, TlProblem *problem, const char *detail)
{
	if (detail != NULL)
	{
		report(walk, problem, detail);
		tl_proof_verify_doubt(walk->run, batch->number, &batch->first_ref,
							  &batch->last_ref);
	}
	/* those that were not looked at because of an earlier problem */
	while (tl_proof_cursor_row(&walk->sections) &&
		   tl_proof_cursor_number(&walk->sections, 0) == batch->number)
		tl_proof_cursor_advance(&walk->sections);
	walk->batch = (uint64_t) batch->number;
	if (!tl_proof_cursor_flag(&walk->batches, 9))
	{
		walk->snapshot = tl_proof_cursor_number(&walk->batches, 4);
		walk->completes = tl_proof_cursor_flag(&walk->batches, 8);
	}
}

/* NULL, or the first thing that is wrong.  Moves the effective digest on. */
static const char *
check_batch(TlWalk *walk, Batch *batch, TlProblem *problem)
{
	TlHash		before = walk->batch_digest;
	const char *detail;
	TlStatus	status;

	batch->bytes = tl_proof_cursor_bytes(&walk->batches, 10);
	tl_chain_batch_digest(&batch->digest, batch->bytes.data, batch->bytes.size);
	walk->batch_digest = batch->digest;
	if (!was_signed(walk, &walk->batch_digest, &batch->signed_index))
	{
		problem->expected = tl_proof_verify_hex(walk->batch_digest.bytes, TL_HASH_SIZE);
		problem->found = tl_proof_verify_hex(batch->digest.bytes, TL_HASH_SIZE);
		return memcmp(&walk->batch_digest, &batch->digest, TL_HASH_SIZE) == 0 ?
			"The batch was not signed for this height." :
			"The header in ledger_internal.batch is not the one that was signed.";
	}
	status = tl_chain_batch_decode(&batch->header, batch->bytes.data, batch->bytes.size);
	if (status != TL_OK)
		return psprintf("The header cannot be read: %s.", tl_status_text(status));
	detail = check_number(walk, batch, problem);
	if (detail != NULL)
		return detail;
	if (batch->header.batch > 1 &&
		memcmp(&batch->header.previous, &before, TL_HASH_SIZE) != 0)
	{
		problem->expected = tl_proof_verify_hex(before.bytes, TL_HASH_SIZE);
		problem->found = tl_proof_verify_hex(batch->header.previous.bytes, TL_HASH_SIZE);
		return "The batch names another batch before it.";
	}
	detail = check_columns(walk, batch);
	if (detail == NULL)
		detail = check_completes(walk);
	return detail != NULL ? detail : check_sections(walk, batch, problem);
}

/* V7 */
static const char *
check_number(const TlWalk *walk, const Batch *batch, TlProblem *problem)
{
	uint64_t	number = batch->header.incarnation == walk->lane.incarnation ?
		walk->lane.batch + 1 : 1;

	if (batch->number == (int64_t) walk->batch + 1 &&
		batch->header.batch == number)
		return NULL;
	problem->expected = psprintf("batch %lld", (long long) walk->batch + 1);
	problem->found = psprintf("batch %lld", (long long) batch->number);
	return "Batches are missing or were numbered anew.";
}

/*
 * Is this among the digests that were signed at this height?  If not, and one
 * of those is left, that one takes its place.
 */
static bool
was_signed(TlWalk *walk, TlHash *digest, int *index)
{
	int			left = -1;

	for (int i = 0; i < walk->signed_count; i++)
	{
		if (walk->signed_found[i])
			continue;
		if (memcmp(&walk->signed_digests[i], digest, TL_HASH_SIZE) == 0)
		{
			walk->signed_found[i] = true;
			*index = i;
			return true;
		}
		if (left < 0)
			left = i;
	}
	*index = left;
	if (left < 0)
		return walk->log_reported || walk->signed_count == 0;
	walk->signed_found[left] = true;
	*digest = walk->signed_digests[left];
	return false;
}

static const char *
check_columns(const TlWalk *walk, const Batch *batch)
{
	const TlCursor *cursor = &walk->batches;

	if (memcmp(&batch->header.chain_id, &walk->run->chain_id, TL_HASH_SIZE) != 0)
		return "The batch belongs to another ledger.";
	if (tl_proof_cursor_number(cursor, 1) != batch->header.member ||
		tl_proof_cursor_number(cursor, 2) != batch->header.incarnation)
		return "The columns member and incarnation are not those of the header.";
	if (!tl_proof_walk_hash_is(&batch->digest, tl_proof_cursor_bytes(cursor, 11)))
		return "Column digest of ledger_internal.batch is not the digest of the header.";
	if (tl_proof_cursor_number(cursor, 3) != walk->height)
		return "The batch stands at another height than before.";
	return NULL;
}

/* V10, told of the batch before, when the next one comes. */
static const char *
check_completes(TlWalk *walk)
{
	int64_t		snapshot = tl_proof_cursor_number(&walk->batches, 4);

	if (tl_proof_cursor_flag(&walk->batches, 9) || walk->snapshot == 0)
		return NULL;
	if (snapshot < walk->snapshot)
		return "Column snapshot of ledger_internal.batch goes back.";
	if ((snapshot == walk->snapshot) == walk->completes)
		return "Column snapshot or completes of ledger_internal.batch was changed, here or in the batch before.";
	return NULL;
}

/* V8 */
static const char *
check_sections(TlWalk *walk, const Batch *batch, TlProblem *problem)
{
	TlCursor   *cursor = &walk->sections;
	TlMerkleRange range;
	TlRefBytes	first = batch->last_ref;
	TlRefBytes	last = batch->first_ref;
	TlHash		root;
	uint64_t	rows = 0;
	int			count = 0;

	tl_merkle_range_init(&range);
	for (; tl_proof_cursor_row(cursor) &&
		 tl_proof_cursor_number(cursor, 0) == batch->number;
		 tl_proof_cursor_advance(cursor), count++)
	{
		TlHash		leaf_hash;
		TlRefBytes	ref;
		uint32_t	row_count;

		if (tl_proof_cursor_number(cursor, 1) != count ||
			!section_leaf(cursor, &leaf_hash, &row_count))
			return psprintf("Section %d in ledger_internal.section was changed or removed.", count);
		(void) tl_merkle_range_append(&range, &leaf_hash);
		rows += row_count;
		tl_proof_cursor_ref(cursor, 6, &ref);
		first = tl_table_ref_compare(&ref, &first) < 0 ? ref : first;
		tl_proof_cursor_ref(cursor, 7, &ref);
		last = tl_table_ref_compare(&ref, &last) > 0 ? ref : last;
	}
	if (count != batch->header.section_count)
	{
		problem->expected = psprintf("%d sections", batch->header.section_count);
		problem->found = psprintf("%d sections", count);
		return "Sections of the batch are missing, or there are more of them.";
	}
	tl_merkle_range_root(&range, &root);
	if (memcmp(&root, &batch->header.root, TL_HASH_SIZE) != 0)
	{
		problem->expected = tl_proof_verify_hex(batch->header.root.bytes, TL_HASH_SIZE);
		problem->found = tl_proof_verify_hex(root.bytes, TL_HASH_SIZE);
		return "A section of the batch was changed: table id, version, row count, root or commitment.";
	}
	if ((int64_t) rows != tl_proof_cursor_number(&walk->batches, 7) ||
		tl_table_ref_compare(&first, &batch->first_ref) != 0 ||
		tl_table_ref_compare(&last, &batch->last_ref) != 0)
		return "The columns row_count, first_ref and last_ref are not those of the sections.";
	walk->run->sections += count;
	return NULL;
}

/* The leaf that the stored section is. */
static bool
section_leaf(const TlCursor *cursor, TlHash *leaf_hash, uint32_t *row_count)
{
	TlSectionLeaf leaf;
	TlSpan		commitment = tl_proof_cursor_bytes(cursor, 8);
	TlSpan		root = tl_proof_cursor_bytes(cursor, 9);
	bool		is_null;
	Datum		table_id = tl_proof_cursor_value(cursor, 2, &is_null);

	memset(&leaf, 0, sizeof(leaf));
	leaf.kind = (uint8_t) tl_proof_cursor_number(cursor, 4);
	if (is_null || root.size != TL_HASH_SIZE ||
		commitment.size != (leaf.kind == TL_SECTION_PRIVATE ? TL_SECTION_RANDOM_SIZE : 0))
		return false;
	memcpy(leaf.table_id, DatumGetUUIDP(table_id)->data, TL_TABLE_ID_SIZE);
	leaf.table_version = (uint32_t) tl_proof_cursor_number(cursor, 3);
	leaf.row_count = *row_count = (uint32_t) tl_proof_cursor_number(cursor, 5);
	memcpy(leaf.root.bytes, root.data, TL_HASH_SIZE);
	return tl_chain_section_leaf_hash(leaf_hash, &leaf, leaf.kind == TL_SECTION_PRIVATE ?
									  commitment.data : NULL) == TL_OK;
}

/* V9 */
static void
check_block(TlWalk *walk, const TlBlockHeader *header,
			const TlMerkleRange *digests)
{
	TlProblem	problem;
	TlLane		lane = walk->lane;
	TlHash		root;
	TlHash		cut;

	memset(&problem, 0, sizeof(problem));
	tl_merkle_range_root(digests, &root);
	if (memcmp(&root, &header->batch_root, TL_HASH_SIZE) != 0)
	{
		problem.expected = tl_proof_verify_hex(header->batch_root.bytes, TL_HASH_SIZE);
		problem.found = tl_proof_verify_hex(root.bytes, TL_HASH_SIZE);
		report(walk, &problem, "The batches at this height do not give the batch root of the block.");
		return;
	}
	if (walk->height > 0 && !entries_fit(walk, header))
	{
		report(walk, &problem, "The entries root of the block is not the one over the REJOIN at this height.");
		return;
	}
	lane.digest = walk->batch_digest;
	if (tl_chain_cut_hash(&cut, &lane, walk->batch > 0 ? 1 : 0) == TL_OK &&
		memcmp(&cut, &header->cut_hash, TL_HASH_SIZE) == 0)
		return;
	problem.expected = tl_proof_verify_hex(header->cut_hash.bytes, TL_HASH_SIZE);
	problem.found = tl_proof_verify_hex(cut.bytes, TL_HASH_SIZE);
	report(walk, &problem, "The block's cut does not reach to its last batch.");
}

/* A REJOIN is the only entry that a ledger of one member has. */
static bool
entries_fit(const TlWalk *walk, const TlBlockHeader *header)
{
	TlHash		root;

	if (walk->rejoined)
		tl_chain_entry_leaf_hash(&root, TL_LOG_REJOIN, &walk->rejoin_digest);
	else
		tl_merkle_empty_root(&root);
	return memcmp(&root, &header->entries_root, TL_HASH_SIZE) == 0;
}

/* Sections before this batch's that no batch has claimed. */
static void
skip_sections(TlWalk *walk, int64_t batch)
{
	int64_t		reported = -1;

	while (tl_proof_cursor_row(&walk->sections) &&
		   tl_proof_cursor_number(&walk->sections, 0) < batch)
	{
		TlProblem	problem = {.kind = NULL};
		int64_t		number = tl_proof_cursor_number(&walk->sections, 0);

		if (number != reported && number != (int64_t) walk->batch)
			report(walk, &problem,
				   psprintf("ledger_internal.section has sections of batch %lld, which is missing there.",
							(long long) number));
		reported = number;
		tl_proof_cursor_advance(&walk->sections);
	}
}

static void
report(TlWalk *walk, TlProblem *problem, const char *detail)
{
	problem->kind = "batch_changed";
	problem->has_height = true;
	problem->height = walk->height;
	problem->detail = detail;
	tl_proof_verify_report(walk->run, problem);
}
