/*-------------------------------------------------------------------------
 *
 * proof_verify_log.c
 *	  The own log: each row is signed, and names the one before.
 *
 * The rows of one height tell which batches and which block were signed; the
 * walk measures the stored batches and blocks by them.  A row that does not
 * hold proves nothing: bad_certificate for a FINALIZE, bad_signature for any
 * other.
 *
 * Invariants
 *	  V4  the sequence grows by one, each row names the digest of the one before;
 *		  it starts from 1 with the REJOIN of a later incarnation, and that one
 *		  names the last row before.  Old rows that nobody needs may have been dropped:
 *		  up to where, ledger_internal.sparse_log says.  The first of an incarnation never
 *		  is, nor a batch or an approval: their numbers grow by one
 *	  V5  each row is signed with the member's key, of the genesis block or of the
 *		  motion that has made it a member or changed its key
 *	  V6  the columns beside the message say what the message says
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "catalog/pg_type.h"

#include "chain_statement.h"
#include "consensus_govern.h"
#include "proof_verify_chain.h"

static TlStatement select_sparse = {
	"SELECT coalesce((SELECT s.seq FROM ledger_internal.sparse_log AS s, ledger_internal.node AS n"
	" WHERE s.member = n.member AND s.nonce = $1), 0)",
	1, {BYTEAOID}
};

static void read_row(TlWalk *walk);
static const char *check_row(TlWalk *walk, TlLogRow *row, TlHash *digest);
static void check_link(TlWalk *walk, const TlLogRow *row, TlProblem *problem);
static bool are_dropped(TlWalk *walk, const TlLogRow *row);
static bool is_next(TlWalk *walk, const TlLogRow *row);
static const char *check_rejoin(TlWalk *walk, const TlLogRow *row);
static bool columns_fit(const TlWalk *walk, const TlLogRow *row,
						const TlHash *digest);
static void note_loss(TlWalk *walk, const TlRejoin *rejoin);
static void sign_lane(TlWalk *walk, const TlLogRow *row);
static const char *take_row(TlWalk *walk, const TlLogRow *row);

/* Read the log rows up to this height. */
void
tl_proof_walk_log(TlWalk *walk)
{
	walk->certified = false;
	walk->log_reported = false;
	walk->rejoined = false;
	walk->signed_count = 0;
	memset(&walk->certified_hash, 0, sizeof(TlHash));
	while (tl_proof_cursor_row(&walk->log) &&
		   tl_proof_cursor_number(&walk->log, 4) <= walk->height)
	{
		read_row(walk);
		tl_proof_cursor_advance(&walk->log);
	}
}

static void
read_row(TlWalk *walk)
{
	TlProblem	problem;
	TlLogRow	row;
	TlHash		digest;
	TlSpan		stored = tl_proof_cursor_bytes(&walk->log, 6);

	memset(&problem, 0, sizeof(problem));
	problem.kind = tl_proof_cursor_number(&walk->log, 1) == TL_LOG_FINALIZE ?
		"bad_certificate" : "bad_signature";
	problem.has_height = true;
	problem.height = tl_proof_cursor_number(&walk->log, 4);
	problem.detail = check_row(walk, &row, &digest);
	walk->opens = tl_proof_cursor_number(&walk->log, 7) != walk->incarnation;
	if (walk->opens)
		memcpy(walk->nonce, row.nonce, TL_NONCE_SIZE);
	if (problem.detail == NULL)
	{
		problem.detail = take_row(walk, &row);
		if (problem.detail == NULL)
			check_link(walk, &row, &problem);
		if (!is_next(walk, &row) && problem.detail == NULL)
		{
			problem.kind = "bad_signature";
			problem.detail = "Rows of the own log are missing.";
		}
	}
	else if (stored.size == TL_HASH_SIZE)
	{
		/* the next row names what this one was */
		memcpy(digest.bytes, stored.data, TL_HASH_SIZE);
	}
	walk->sequence = (uint64_t) tl_proof_cursor_number(&walk->log, 0);
	walk->incarnation = (uint16_t) tl_proof_cursor_number(&walk->log, 7);
	walk->log_digest = digest;
	walk->gap_reported = false;
	if (problem.detail == NULL)
		return;
	walk->log_reported = true;
	tl_proof_verify_report(walk->run, &problem);
}

/* NULL, or a sentence about what is wrong with the row. */
static const char *
check_row(TlWalk *walk, TlLogRow *row, TlHash *digest)
{
	TlSpan		message = tl_proof_cursor_bytes(&walk->log, 5);
	int64_t		sequence = tl_proof_cursor_number(&walk->log, 0);
	const uint8_t *key;
	TlStatus	status = tl_consensus_row_decode(row, message.data, message.size);

	memset(digest, 0, sizeof(*digest));
	if (status != TL_OK)
		return psprintf("Row %lld of the own log cannot be read: %s.",
						(long long) sequence, tl_status_text(status));
	tl_consensus_row_digest(digest, &walk->run->chain_id, row);
	key = tl_proof_verify_row_key(walk->run, walk->run->member, row->epoch);
	if (row->member != walk->run->member || key == NULL ||
		!tl_consensus_row_verify(row, &walk->run->chain_id, key))
		return psprintf("The signature of row %lld of the own log is not valid.",
						(long long) sequence);
	if (!columns_fit(walk, row, digest))
		return psprintf("The columns of row %lld of the own log are not those of its message.",
						(long long) sequence);
	return NULL;
}

/* V4; a gap that was seen as a missing certificate is not named twice. */
static void
check_link(TlWalk *walk, const TlLogRow *row, TlProblem *problem)
{
	if (walk->opens)
		problem->detail = check_rejoin(walk, row);
	else if (memcmp(row->nonce, walk->nonce, TL_NONCE_SIZE) != 0)
	{
		problem->detail = psprintf("Row %lld of the own log is of another incarnation.",
								   (long long) row->sequence);
		memcpy(walk->nonce, row->nonce, TL_NONCE_SIZE);
	}
	else if (row->sequence != walk->sequence + 1)
	{
		if (walk->gap_reported || are_dropped(walk, row))
			return;
		problem->kind = "bad_signature";
		problem->expected = psprintf("row %lld", (long long) walk->sequence + 1);
		problem->found = psprintf("row %lld", (long long) row->sequence);
		problem->detail = "Rows of the own log are missing.";
	}
	else if (memcmp(&row->previous, &walk->log_digest, TL_HASH_SIZE) != 0)
	{
		problem->expected = tl_proof_verify_hex(walk->log_digest.bytes, TL_HASH_SIZE);
		problem->found = tl_proof_verify_hex(row->previous.bytes, TL_HASH_SIZE);
		problem->detail = psprintf("Row %lld of the own log does not follow the row before.",
								   (long long) row->sequence);
	}
}

/* The rows between the one before and this one. */
static bool
are_dropped(TlWalk *walk, const TlLogRow *row)
{
	Datum		value;

	if (!walk->sparse_known || memcmp(walk->sparse_nonce, row->nonce, TL_NONCE_SIZE) != 0)
	{
		value = tl_chain_bytes(row->nonce, TL_NONCE_SIZE);
		tl_chain_execute(&select_sparse, &value, NULL, true);
		walk->sparse_end = (uint64_t) DatumGetInt64(tl_chain_result(0, 0, NULL));
		memcpy(walk->sparse_nonce, row->nonce, TL_NONCE_SIZE);
		walk->sparse_known = true;
	}
	if (walk->sequence == 0 || row->sequence <= walk->sequence || row->sequence > walk->sparse_end + 1)
		return false;
	walk->own_batch.dropped = walk->own_approval.dropped = true;
	return true;
}

/* Is it, of its kind, the next one after what was dropped? */
static bool
is_next(TlWalk *walk, const TlLogRow *row)
{
	TlNumbered *last = row->kind == TL_LOG_BATCH ? &walk->own_batch : &walk->own_approval;
	TlNumbered	before = *last;
	TlBatchHeader header;
	TlGovern	approval;

	if (row->kind == TL_LOG_BATCH &&
		tl_chain_batch_decode(&header, row->payload.data, row->payload.size) == TL_OK)
	{
		last->of = header.incarnation;
		last->number = header.batch;
	}
	else if (row->kind == TL_LOG_GOVERN &&
			 tl_consensus_govern_decode(&approval, row->payload.data, row->payload.size) == TL_OK)
	{
		last->of = row->epoch;
		last->number = approval.number;
	}
	else
		return true;
	last->dropped = false;
	/* each incarnation numbers its batches from 1, each epoch its approvals */
	return !before.dropped ||
		last->number == (before.of == last->of ? before.number + 1 : 1);
}

/* Where the batch brings the cut. */
static void
sign_lane(TlWalk *walk, const TlLogRow *row)
{
	TlLane	   *lane = &walk->signed_lanes[walk->signed_count];
	TlBatchHeader header;

	*lane = walk->lane;
	if (tl_chain_batch_decode(&header, row->payload.data, row->payload.size) != TL_OK)
		return;
	lane->member = header.member;
	lane->incarnation = header.incarnation;
	lane->batch = header.batch;
}

/* V4, where an incarnation begins; NULL, or what is wrong. */
static const char *
check_rejoin(TlWalk *walk, const TlLogRow *row)
{
	bool		quorum = walk->run->quorum;
	TlRejoin	rejoin;

	/* among several members the block that orders it gives the numbers */
	if (row->sequence != 1 || row->kind != TL_LOG_REJOIN ||
		tl_consensus_rejoin_decode(&rejoin, row->payload.data,
								   row->payload.size) != TL_OK ||
		(!quorum && rejoin.incarnation != tl_proof_cursor_number(&walk->log, 7)) ||
		memcmp(rejoin.nonce, row->nonce, TL_NONCE_SIZE) != 0)
		return "An incarnation of the own log does not begin with a REJOIN that opens it.";
	if (!walk->gap_reported &&
		((!quorum && rejoin.before != walk->incarnation) || rejoin.sequence != walk->sequence ||
		 memcmp(&rejoin.digest, &walk->log_digest, TL_HASH_SIZE) != 0))
		return "The REJOIN of the own log does not name the row before: rows are missing.";
	note_loss(walk, &rejoin);
	return NULL;
}

/*
 * Does this restore tell why a known block is not here?  A receipt names the
 * incarnation that signed it, a tree head only a size.
 */
static void
note_loss(TlWalk *walk, const TlRejoin *rejoin)
{
	const TlKnown *known = &walk->run->known;
	TlLoss	   *loss = &walk->loss;
	uint64_t	height = known->is_block ? known->height : known->height - 1;

	if (!known->given || known->height == 0 || height <= rejoin->last.height ||
		(known->is_block ?
		 memcmp(known->nonce, rejoin->nonce, TL_NONCE_SIZE) == 0 :
		 height > rejoin->lost.height))
		return;
	loss->given = true;
	loss->incarnation = rejoin->incarnation;
	loss->height = rejoin->last.height;
	memcpy(loss->reason, rejoin->reason.data, rejoin->reason.size);
	loss->reason[rejoin->reason.size] = '\0';
}


/* V6 */
static bool
columns_fit(const TlWalk *walk, const TlLogRow *row, const TlHash *digest)
{
	return (int64_t) row->sequence == tl_proof_cursor_number(&walk->log, 0) &&
		row->kind == tl_proof_cursor_number(&walk->log, 1) &&
		(int64_t) row->epoch == tl_proof_cursor_number(&walk->log, 2) &&
		(int64_t) row->view == tl_proof_cursor_number(&walk->log, 3) &&
		tl_proof_walk_hash_is(digest, tl_proof_cursor_bytes(&walk->log, 6));
}

/*
 * Keep what the row says; NULL, or why it cannot be.  Among several members the
 * own rows propose and vote, and certificates say what came of it.
 */
static const char *
take_row(TlWalk *walk, const TlLogRow *row)
{
	int64_t		height = tl_proof_cursor_number(&walk->log, 4);

	if (height != walk->height && !walk->run->quorum)
		return psprintf("Row %lld of the own log stands at height %lld, behind rows of later ones.",
						(long long) row->sequence, (long long) height);
	if (walk->run->quorum)
		return NULL;
	if (row->kind == TL_LOG_FINALIZE)
	{
		if (walk->certified)
			return "The own log signs two blocks at this height.";
		if (tl_consensus_vote_decode(&walk->certified_hash, row->payload.data,
									 row->payload.size) != TL_OK)
			return "The FINALIZE row of the own log names no block.";
		walk->certified = true;
		walk->certified_epoch = row->epoch;
		walk->certified_view = row->view;
	}
	else if (row->kind == TL_LOG_REJOIN)
	{
		walk->rejoined = true;
		tl_consensus_row_digest(&walk->rejoin_digest, &walk->run->chain_id, row);
	}
	else if (row->kind == TL_LOG_BATCH)
	{
		if (walk->signed_count == TL_BLOCK_BATCHES_MAX)
			return "The own log signs more batches than a block can hold.";
		walk->signed_found[walk->signed_count] = false;
		sign_lane(walk, row);
		tl_chain_batch_digest(&walk->signed_digests[walk->signed_count++],
							  row->payload.data, row->payload.size);
	}
	return NULL;
}
