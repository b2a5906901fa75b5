/*-------------------------------------------------------------------------
 *
 * proof_verify_chain.c
 *	  Blocks: each one is what was signed, and follows the one before.
 *
 * One walk over four tables in step, height by height: the own log (what was
 * signed, proof_verify_log.c), ledger_internal.block (here), batch and section
 * (proof_verify_batch.c).  The history root of each block is compared with the
 * root over the blocks before, and so is what somebody else knows (`against`).
 *
 * Where several members make the blocks, certificates take the log's place
 * (proof_verify_quorum.c).
 *
 * An incremental run starts at the last height that was verified: that block
 * is read again, with the state that the stored blocks before it give.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "utils/memutils.h"

#include "chain_history.h"
#include "chain_statement.h"
#include "merkle_hash.h"
#include "proof_progress.h"
#include "proof_verify_chain.h"

#define CURSOR_FETCH	200

static TlStatement select_end = {
	"SELECT greatest((SELECT max(height) FROM ledger_internal.block),"
	" (SELECT max(height) FROM ledger_internal.own_log),"
	" (SELECT max(height) FROM ledger_internal.batch),"
	" (SELECT max(height) FROM ledger_internal.block_order),"
	" (SELECT max(height) FROM ledger_internal.foreign_batch), -1)"
};
static TlStatement select_block = {
	"SELECT header, hash, subtree_roots FROM ledger_internal.block WHERE height = $1",
	1, {INT8OID}
};
static TlStatement select_log = {
	"SELECT seq, digest, incarnation, message FROM ledger_internal.own_log WHERE height <= $1"
	" ORDER BY incarnation DESC, seq DESC LIMIT 1",
	1, {INT8OID}
};
static TlStatement select_batch = {
	"SELECT batch, digest, header FROM ledger_internal.batch WHERE height <= $1"
	" ORDER BY batch DESC LIMIT 1",
	1, {INT8OID}
};
static TlStatement select_vote = {
	"SELECT coalesce(max(view), 0) FROM ledger_internal.own_vote WHERE slot = 'phase2'"
};

/* One stored block, as far as it was found to be sound. */
typedef struct WalkBlock
{
	bool		present;
	TlBlockHeader header;
	bool		sound;			/* the header is what was signed */
	TlHash		hash;			/* effective */
} WalkBlock;

static void check_end(TlWalk *walk);
static void open_cursors(TlWalk *walk, int64_t first);
static void load_state(TlWalk *walk);
static bool load_history(TlWalk *walk, uint64_t size);
static bool load_digest(TlStatement *statement, int64_t height,
						uint64_t *number, TlHash *digest);
static void load_incarnation(TlWalk *walk);
static void load_lane(TlWalk *walk);
static void walk_block(TlWalk *walk);
static void read_block(TlWalk *walk, WalkBlock *block, TlProblem *problem);
static void check_header(TlWalk *walk, WalkBlock *block, TlProblem *problem);
static void check_columns(TlWalk *walk, const WalkBlock *block, TlProblem *problem);
static void check_certificate(TlWalk *walk, const WalkBlock *block);
static void check_known(TlWalk *walk, const TlHash *block_hash);
static const char *loss_text(const TlWalk *walk);
static void check_known_end(const TlWalk *walk);
static void check_votes(const TlWalk *walk);
static void differ(TlProblem *problem, const TlHash *expected,
				   const TlHash *found, const char *detail);

/* Blocks, certificates, log, batches and section leaves. */
void
tl_proof_verify_chain(TlVerification *run)
{
	TlWalk	   *walk = palloc0(sizeof(TlWalk));
	MemoryContext context = AllocSetContextCreate(CurrentMemoryContext,
												  "ledger.verify height",
												  ALLOCSET_DEFAULT_SIZES);
	MemoryContext caller = CurrentMemoryContext;
	int64_t		end;

	walk->run = run;
	walk->height = Max(run->from_height, 0);
	if (run->known.given)
		walk->height = 0;
	tl_chain_execute(&select_end, NULL, NULL, true);
	end = DatumGetInt64(tl_chain_result(0, 0, NULL));
	if (run->stops)
		end = Min(end, run->stop_height);
	else if (!run->windowed)
		tl_proof_progress_phase(TL_PHASE_BLOCKS, InvalidOid, end - walk->height + 1);
	load_state(walk);
	open_cursors(walk, walk->height);
	MemoryContextSwitchTo(context);
	for (; walk->height <= end; walk->height++)
	{
		walk_block(walk);
		tl_proof_progress_add(1);
		MemoryContextReset(context);
	}
	if (!run->stops)
		check_end(walk);
	MemoryContextSwitchTo(caller);
	tl_proof_cursor_close(&walk->log);
	tl_proof_cursor_close(&walk->blocks);
	tl_proof_cursor_close(&walk->batches);
	tl_proof_cursor_close(&walk->sections);
	if (run->quorum)
		tl_proof_walk_quorum_close(walk);
	MemoryContextDelete(context);
}

/* There is no more of the chain. */
static void
check_end(TlWalk *walk)
{
	if (walk->run->quorum)
		tl_proof_walk_pending(walk);
	tl_proof_walk_rest(walk);
	check_known_end(walk);
	check_votes(walk);
}

static void
open_cursors(TlWalk *walk, int64_t first)
{
	Oid			type = INT8OID;
	Datum		height = Int64GetDatum(first);
	Datum		batch = Int64GetDatum((int64) walk->batch);

	tl_proof_cursor_open(&walk->log, "SELECT seq, kind, epoch, view, height, message, digest, incarnation"
						 " FROM ledger_internal.own_log WHERE height >= $1 ORDER BY incarnation, seq",
						 1, &type, &height, CURSOR_FETCH);
	tl_proof_cursor_open(&walk->blocks, "SELECT height, header, hash, view, time, subtree_roots"
						 " FROM ledger_internal.block WHERE height >= $1 ORDER BY height",
						 1, &type, &height, CURSOR_FETCH);
	tl_proof_cursor_open(&walk->batches, "SELECT batch, member, incarnation, height, snapshot,"
						 " first_ref, last_ref, row_count, completes, late, header, digest"
						 " FROM ledger_internal.batch WHERE height >= $1 ORDER BY height, batch",
						 1, &type, &height, CURSOR_FETCH);
	tl_proof_cursor_open(&walk->sections, "SELECT batch, section, table_id, table_version, kind,"
						 " row_count, first_ref, last_ref, commitment, root"
						 " FROM ledger_internal.section WHERE batch > $1 ORDER BY batch, section",
						 1, &type, &batch, CURSOR_FETCH);
	if (walk->run->quorum)
		tl_proof_walk_quorum_open(walk, first);
}

/* What comes before the first height of the walk, from the stored rows. */
static void
load_state(TlWalk *walk)
{
	Datum		before = Int64GetDatum(walk->height - 1);

	tl_merkle_range_init(&walk->history);
	if (walk->height == 0)
		return;
	if (load_digest(&select_log, walk->height - 1, &walk->sequence, &walk->log_digest))
		load_incarnation(walk);
	if (load_digest(&select_batch, walk->height - 1, &walk->batch, &walk->batch_digest))
		load_lane(walk);
	if (tl_chain_execute(&select_block, &before, NULL, true) == 1)
	{
		bytea	   *header = DatumGetByteaPP(tl_chain_result(0, 0, NULL));
		bytea	   *hash = DatumGetByteaPP(tl_chain_result(0, 1, NULL));

		walk->parent_sound =
			tl_chain_block_decode(&walk->parent, VARDATA_ANY(header),
								  VARSIZE_ANY_EXHDR(header)) == TL_OK;
		if (VARSIZE_ANY_EXHDR(hash) == TL_HASH_SIZE)
			memcpy(walk->parent_hash.bytes, VARDATA_ANY(hash), TL_HASH_SIZE);
	}
	if (!load_history(walk, (uint64_t) walk->height))
		tl_merkle_range_init(&walk->history);
}

/* The compact range over the first blocks; false if nodes are missing. */
static bool
load_history(TlWalk *walk, uint64_t size)
{
	uint64_t	end = 0;

	for (int level = TL_MERKLE_DEPTH_MAX - 1; level >= 0; level--)
	{
		Datum		height;
		bytea	   *roots;

		if (!(size >> level & 1))
			continue;
		end += UINT64_C(1) << level;
		height = Int64GetDatum((int64) end - 1);
		if (tl_chain_execute(&select_block, &height, NULL, true) != 1)
			return false;
		roots = DatumGetByteaPP(tl_chain_result(0, 2, NULL));
		if (VARSIZE_ANY_EXHDR(roots) < (level + 1) * TL_HASH_SIZE)
			return false;
		memcpy(walk->history.nodes[level].bytes,
			   VARDATA_ANY(roots) + level * TL_HASH_SIZE, TL_HASH_SIZE);
	}
	walk->history.size = size;
	return true;
}

static bool
load_digest(TlStatement *statement, int64_t height, uint64_t *number,
			TlHash *digest)
{
	Datum		value = Int64GetDatum(height);
	bytea	   *bytes;

	if (tl_chain_execute(statement, &value, NULL, true) == 0)
		return false;
	*number = (uint64_t) DatumGetInt64(tl_chain_result(0, 0, NULL));
	bytes = DatumGetByteaPP(tl_chain_result(0, 1, NULL));
	if (VARSIZE_ANY_EXHDR(bytes) == TL_HASH_SIZE)
		memcpy(digest->bytes, VARDATA_ANY(bytes), TL_HASH_SIZE);
	return true;
}

/* The incarnation of the log row that was just read. */
static void
load_incarnation(TlWalk *walk)
{
	bytea	   *message = DatumGetByteaPP(tl_chain_result(0, 3, NULL));
	TlLogRow	row;

	walk->incarnation = (uint16_t) DatumGetInt32(tl_chain_result(0, 2, NULL));
	if (tl_consensus_row_decode(&row, VARDATA_ANY(message),
								VARSIZE_ANY_EXHDR(message)) == TL_OK)
		memcpy(walk->nonce, row.nonce, TL_NONCE_SIZE);
}

/* The lane of the batch that was just read. */
static void
load_lane(TlWalk *walk)
{
	bytea	   *bytes = DatumGetByteaPP(tl_chain_result(0, 2, NULL));
	TlBatchHeader header;

	if (tl_chain_batch_decode(&header, VARDATA_ANY(bytes),
							  VARSIZE_ANY_EXHDR(bytes)) != TL_OK)
		return;
	walk->lane.member = header.member;
	walk->lane.incarnation = header.incarnation;
	walk->lane.batch = header.batch;
}

/* One height: what was signed, the block, its batches. */
static void
walk_block(TlWalk *walk)
{
	TlProblem	problem;
	WalkBlock	block;
	TlHash		nodes[TL_MERKLE_DEPTH_MAX];
	unsigned	count;

	memset(&problem, 0, sizeof(problem));
	memset(&block, 0, sizeof(block));
	problem.kind = "block_changed";
	problem.has_height = true;
	problem.height = walk->height;
	tl_proof_walk_log(walk);
	if (walk->run->quorum)
		tl_proof_walk_certificate(walk);
	read_block(walk, &block, &problem);
	check_known(walk, &block.hash);
	if (problem.detail != NULL)
		tl_proof_verify_report(walk->run, &problem);
	check_certificate(walk, &block);
	if (walk->run->quorum)
		tl_proof_walk_lanes(walk, block.sound ? &block.header : NULL);
	else
		tl_proof_walk_batches(walk, block.sound ? &block.header : NULL);
	(void) tl_chain_history_append(&walk->history, nodes, &count, &block.hash);
	walk->parent_hash = block.hash;
	walk->parent = block.header;
	walk->parent_sound = block.sound;
	walk->run->blocks += block.present;
}

/* Read the block at this height and say what is wrong with it first. */
static void
read_block(TlWalk *walk, WalkBlock *block, TlProblem *problem)
{
	TlSpan		bytes;
	TlStatus	status;
	TlHash		hash;

	block->hash = walk->certified_hash;
	if (!tl_proof_cursor_row(&walk->blocks) ||
		tl_proof_cursor_number(&walk->blocks, 0) != walk->height)
	{
		problem->expected = psprintf("block %lld", (long long) walk->height);
		problem->detail = "The block is not in ledger_internal.block, but others speak of it.";
		return;
	}
	block->present = true;
	bytes = tl_proof_cursor_bytes(&walk->blocks, 1);
	status = tl_chain_block_decode(&block->header, bytes.data, bytes.size);
	tl_merkle_leaf_hash(&hash, bytes.data, bytes.size);
	if (!walk->certified)
		block->hash = hash;
	block->sound = status == TL_OK &&
		memcmp(&hash, &block->hash, TL_HASH_SIZE) == 0;
	if (status != TL_OK && !walk->certified)
		problem->detail = psprintf("The header cannot be read: %s.",
								   tl_status_text(status));
	else if (!block->sound)
		differ(problem, &block->hash, &hash,
			   "The header in ledger_internal.block is not the one that was signed.");
	else
		check_header(walk, block, problem);
	if (problem->detail == NULL)
		check_columns(walk, block, problem);
	tl_proof_cursor_advance(&walk->blocks);
}

/* The header follows its parent and stands over all earlier blocks. */
static void
check_header(TlWalk *walk, WalkBlock *block, TlProblem *problem)
{
	const TlBlockHeader *header = &block->header;
	TlHash		root;

	tl_merkle_range_root(&walk->history, &root);
	if ((int64_t) header->height != walk->height)
	{
		problem->expected = psprintf("height %lld", (long long) walk->height);
		problem->found = psprintf("height %lld", (long long) header->height);
		problem->detail = "The header belongs to another height.";
		block->sound = false;
	}
	else if (walk->height == 0)
	{
		if (memcmp(&block->hash, &walk->run->chain_id, TL_HASH_SIZE) != 0)
			differ(problem, &walk->run->chain_id, &block->hash,
				   "Block 0 is not the genesis block of this ledger.");
	}
	else if (memcmp(&header->parent, &walk->parent_hash, TL_HASH_SIZE) != 0)
		differ(problem, &walk->parent_hash, &header->parent,
			   "The block names another parent than the block below it.");
	else if (memcmp(&header->history_root, &root, TL_HASH_SIZE) != 0)
		differ(problem, &root, &header->history_root,
			   "The history root is not the root over the blocks below.");
	else if (walk->parent_sound &&
			 tl_chain_block_follows(&walk->parent, header) != TL_OK)
		problem->detail = "The block breaks a rule by which blocks follow each other (height, view, time, members).";
}

/* What stands beside the header says the same as the header. */
static void
check_columns(TlWalk *walk, const WalkBlock *block, TlProblem *problem)
{
	TlSpan		roots = tl_proof_cursor_bytes(&walk->blocks, 5);
	TlMerkleRange history = walk->history;
	TlHash		nodes[TL_MERKLE_DEPTH_MAX];
	unsigned	count;
	TlSpan		stored = tl_proof_cursor_bytes(&walk->blocks, 2);

	(void) tl_chain_history_append(&history, nodes, &count, &block->hash);
	if (!tl_proof_walk_hash_is(&block->hash, stored))
	{
		problem->expected = tl_proof_verify_hex(block->hash.bytes, TL_HASH_SIZE);
		problem->found = tl_proof_verify_hex(stored.data, stored.size);
		problem->detail = "Column hash of ledger_internal.block is not the hash of the header.";
	}
	else if (tl_proof_cursor_number(&walk->blocks, 3) != (int64_t) block->header.view)
	{
		problem->expected = psprintf("%lld", (long long) block->header.view);
		problem->found = psprintf("%lld", (long long) tl_proof_cursor_number(&walk->blocks, 3));
		problem->detail = "Column view of ledger_internal.block is not that of the header.";
	}
	else if (tl_proof_cursor_number(&walk->blocks, 4) !=
			 tl_chain_time_from_unix(block->header.time))
	{
		problem->expected = pstrdup(timestamptz_to_str(tl_chain_time_from_unix(block->header.time)));
		problem->found = pstrdup(timestamptz_to_str(tl_proof_cursor_number(&walk->blocks, 4)));
		problem->detail = "Column time of ledger_internal.block is not that of the header.";
	}
	else if (roots.size != count * TL_HASH_SIZE ||
			 memcmp(roots.data, nodes, roots.size) != 0)
	{
		problem->expected = tl_proof_verify_hex(nodes[count - 1].bytes, TL_HASH_SIZE);
		problem->detail = "Column subtree_roots of ledger_internal.block does not hold the nodes of the history tree.";
	}
}

/* A quorum, perhaps of one, has signed this block, in its own view. */
static void
check_certificate(TlWalk *walk, const WalkBlock *block)
{
	TlProblem	problem;

	memset(&problem, 0, sizeof(problem));
	problem.kind = "bad_certificate";
	problem.has_height = true;
	problem.height = walk->height;
	if (!walk->certified && !walk->log_reported)
	{
		problem.expected = tl_proof_verify_hex(block->hash.bytes, TL_HASH_SIZE);
		problem.detail = "No FINALIZE row of the own log signs this block.";
		walk->gap_reported = true;
	}
	else if (walk->certified && !walk->by_descendant && block->sound &&
			 (walk->certified_epoch != block->header.epoch ||
			  walk->certified_view != block->header.view))
		problem.detail = "The block was signed for another view than its own.";
	if (problem.detail != NULL)
		tl_proof_verify_report(walk->run, &problem);
}

/* What somebody else keeps, when the walk comes to it. */
static void
check_known(TlWalk *walk, const TlHash *block_hash)
{
	const TlKnown *known = &walk->run->known;
	TlProblem	problem;
	TlHash		found = *block_hash;

	if (!known->given || (int64_t) known->height != walk->height)
		return;
	if (!known->is_block)
		tl_merkle_range_root(&walk->history, &found);
	if (memcmp(&found, &known->hash, TL_HASH_SIZE) == 0)
		return;
	memset(&problem, 0, sizeof(problem));
	problem.kind = walk->loss.given ? "lost_in_restore" : "block_changed";
	problem.has_height = true;
	problem.height = walk->height;
	differ(&problem, &known->hash, &found,
		   walk->loss.given ? loss_text(walk) : known->is_block ?
		   "The receipt was given for another block at this height: history was written anew." :
		   "The tree head stands over other blocks below this height: history was written anew.");
	tl_proof_verify_report(walk->run, &problem);
}

/* What the member itself has signed about the gap. */
static const char *
loss_text(const TlWalk *walk)
{
	return psprintf("What was signed above height %llu was lost when the database was restored; incarnation %u goes on from there. The reason that was given: %s",
					(unsigned long long) walk->loss.height,
					walk->loss.incarnation, walk->loss.reason);
}

/* The walk has ended: did it come that far? */
static void
check_known_end(const TlWalk *walk)
{
	const TlVerification *run = walk->run;

	if (!run->known.given || (int64_t) run->known.height <= run->tip_height)
		return;
	tl_proof_verify_report(walk->run, &(TlProblem) {
		.kind = walk->loss.given ? "lost_in_restore" : "tail_cut",
		.has_height = true,
		.height = run->tip_height + 1,
		.expected = psprintf("height %lld", (long long) run->known.height),
		.found = psprintf("height %lld", (long long) run->tip_height),
		.detail = walk->loss.given ? loss_text(walk) :
		"The end of the chain is missing: the tree head or receipt that was given knows higher blocks."
	});
}

/* The node remembers each view that it voted in; alone, it made a block in each. */
static void
check_votes(const TlWalk *walk)
{
	int64_t		view;

	tl_chain_execute(&select_vote, NULL, NULL, true);
	view = DatumGetInt64(tl_chain_result(0, 0, NULL));
	if (walk->run->quorum || !walk->parent_sound || view <= (int64_t) walk->parent.view)
		return;
	tl_proof_verify_report(walk->run, &(TlProblem) {
		.kind = "tail_cut",
		.has_height = true,
		.height = walk->run->tip_height + 1,
		.expected = psprintf("view %lld", (long long) view),
		.found = psprintf("view %lld", (long long) walk->parent.view),
		.detail = "The end of the chain is missing: ledger_internal.own_vote knows a vote in a later view."
	});
}

bool
tl_proof_walk_hash_is(const TlHash *hash, TlSpan bytes)
{
	return bytes.size == TL_HASH_SIZE &&
		memcmp(hash->bytes, bytes.data, TL_HASH_SIZE) == 0;
}

static void
differ(TlProblem *problem, const TlHash *expected, const TlHash *found,
	   const char *detail)
{
	problem->expected = tl_proof_verify_hex(expected->bytes, TL_HASH_SIZE);
	problem->found = tl_proof_verify_hex(found->bytes, TL_HASH_SIZE);
	problem->detail = detail;
}
