/*-------------------------------------------------------------------------
 *
 * proof_verify_quorum.c
 *	  Blocks of several members: certificates, and the batches of all lanes.
 *
 * Part of the walk in proof_verify_chain.c.  Where one member makes the blocks,
 * its own log says what was signed; where several do, the certificate that is
 * kept with a block does.  A block that was made final by a descendant keeps the
 * descendant's certificate: it is then what its child names as parent.
 *
 * Of other members' batches only the headers are here.  They are bound like own
 * ones, by the batch root and the cut of their block.
 *
 * Invariants
 *	  V11 a block's certificate has the signatures of a quorum of the members of its
 *		  epoch, for this block or for one above it that is stored; at the end of an
 *		  epoch that may be a carrier, which is in the epoch's certificate
 *	  V12 the batches of a block, own and foreign, each follow the one before in
 *		  their lane; together they give the batch root, and the cut reaches to
 *		  the last of each lane
 *	  V13 cut and entries that are kept with a block are those of its header, and
 *		  its members those of its epoch
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "catalog/pg_type.h"

#include "chain_statement.h"
#include "consensus_certificate.h"
#include "consensus_types.h"
#include "proof_verify_chain.h"

#define CURSOR_FETCH	200

/* A finalization is not further above what it makes final: it is remembered. */
#define DESCENDANT_HEIGHTS_MAX	TL_CONSENSUS_VIEWS_MAX

/* 280 bytes: without chunks, as batches of private rows are; others may hold what
 * tests submit. */
static TlStatement select_unknown = {
	"SELECT FROM ledger_internal.own_log AS l,"
	" LATERAL ledger_internal.batch_digest(l.message) AS d (digest)"
	" WHERE l.kind = 1 AND octet_length(l.message) = 280"
	" AND l.incarnation = (SELECT max(incarnation) FROM ledger_internal.own_log)"
	" AND l.height >= (SELECT max(height) - 1000 FROM ledger_internal.block)"
	" AND NOT EXISTS (SELECT FROM ledger_internal.batch AS b WHERE b.digest = d.digest)"
	/* placed a second time, and ordered at its first place after all */
	" AND NOT EXISTS (SELECT FROM ledger_internal.batch AS b WHERE b.member = (SELECT member FROM ledger_internal.node)"
	" AND substring(b.header FROM 99 FOR 32) = substring(l.message FROM 181 FOR 32))"
	" AND NOT EXISTS (SELECT FROM ledger_internal.foreign_batch AS f WHERE f.digest = d.digest)"
	" AND NOT EXISTS (SELECT FROM ledger_internal.rejoin WHERE numbered_at IS NULL) LIMIT 1"
};

static TlStatement select_cut = {
	"SELECT cut FROM ledger_internal.block_order WHERE height = $1", 1, {INT8OID}
};
static TlStatement select_parent_hash = {
	"SELECT substring(header FROM 59 FOR 32) FROM ledger_internal.block WHERE height = $1",
	1, {INT8OID}
};
static TlStatement select_descendant = {
	"SELECT FROM ledger_internal.block WHERE height > $1 AND height <= $2 AND hash = $3",
	3, {INT8OID, INT8OID, BYTEAOID}
};

static void load_lanes(TlWalk *walk, int64_t height);
static const char *read_certificate(TlWalk *walk);
static const char *read_descendant(TlWalk *walk, const TlCertificate *certificate);
static void leave_lanes(TlWalk *walk, uint64_t number);
static bool own_is_next(const TlWalk *walk);
static TlLane *lane_of(TlWalk *walk, uint32_t member);
static void walk_own(TlWalk *walk, TlMerkleRange *digests);
static void walk_foreign(TlWalk *walk, TlMerkleRange *digests);
static const char *check_foreign(TlWalk *walk, TlLane *lane, const TlBatchHeader *header,
								 const TlHash *digest);
static void check_block(TlWalk *walk, const TlBlockHeader *header,
						const TlMerkleRange *digests);
static const char *check_kept(TlWalk *walk, const TlBlockHeader *header);
static bool kept_cut(const TlWalk *walk, const TlBlockHeader *header);
static void load_kept(TlWalk *walk);
static bool has_order(const TlWalk *walk);
static void report(TlWalk *walk, const char *kind, const char *detail);

void
tl_proof_walk_quorum_open(TlWalk *walk, int64_t first)
{
	Oid			type = INT8OID;
	Datum		height = Int64GetDatum(first);

	tl_proof_cursor_open(&walk->orders, "SELECT height, cut, entries, certificate"
						 " FROM ledger_internal.block_order WHERE height >= $1 ORDER BY height",
						 1, &type, &height, CURSOR_FETCH);
	tl_proof_cursor_open(&walk->foreign, "SELECT height, member, incarnation, batch, digest, header"
						 " FROM ledger_internal.foreign_batch WHERE height >= $1"
						 " ORDER BY height, member, incarnation, batch",
						 1, &type, &height, CURSOR_FETCH);
	load_lanes(walk, first - 1);
}

void
tl_proof_walk_quorum_close(TlWalk *walk)
{
	tl_proof_cursor_close(&walk->orders);
	tl_proof_cursor_close(&walk->foreign);
}

/* Where the block below the walk has brought the lanes; nowhere, if it is damaged. */
static void
load_lanes(TlWalk *walk, int64_t height)
{
	Datum		value = Int64GetDatum(height);
	bytea	   *cut;

	walk->lane_count = 0;
	if (tl_chain_execute(&select_cut, &value, NULL, true) == 0)
		return;
	cut = DatumGetByteaPP(tl_chain_result(0, 0, NULL));
	if (tl_chain_cut_decode(walk->lanes, &walk->lane_count, TL_MEMBER_COUNT_MAX,
							VARDATA_ANY(cut), VARSIZE_ANY_EXHDR(cut)) != TL_OK)
		walk->lane_count = 0;
}

/* What was signed at this height. */
void
tl_proof_walk_certificate(TlWalk *walk)
{
	const char *detail;

	walk->by_descendant = false;
	if (walk->height == 0)
	{
		/* founders sign it by working on it; the chain id names it */
		walk->certified = true;
		walk->by_descendant = true;
		walk->certified_hash = walk->run->chain_id;
		return;
	}
	while (tl_proof_cursor_row(&walk->orders) &&
		   tl_proof_cursor_number(&walk->orders, 0) < walk->height)
		tl_proof_cursor_advance(&walk->orders);
	detail = read_certificate(walk);
	if (detail == NULL)
		return;
	walk->certified = false;
	walk->log_reported = true;
	report(walk, "bad_certificate", detail);
}

/* V11; NULL, or what is wrong. */
static const char *
read_certificate(TlWalk *walk)
{
	TlCertificate certificate;
	TlSpan		bytes;

	if (!has_order(walk))
		return "The block has no certificate in ledger_internal.block_order.";
	bytes = tl_proof_cursor_bytes(&walk->orders, 3);
	if (tl_consensus_certificate_decode(&certificate, bytes.data, bytes.size) != TL_OK ||
		certificate.kind != TL_LOG_FINALIZE)
		return "The certificate in ledger_internal.block_order is not one of finality.";
	if (!tl_proof_verify_is_signed(walk->run, &certificate))
		return "The certificate in ledger_internal.block_order is not signed by a quorum of the members.";
	walk->certified = true;
	walk->certified_epoch = certificate.epoch;
	walk->certified_view = certificate.view;
	walk->certified_hash = certificate.block;
	if (!tl_proof_cursor_row(&walk->blocks) ||
		tl_proof_cursor_number(&walk->blocks, 0) != walk->height ||
		tl_proof_cursor_number(&walk->blocks, 3) >= (int64_t) certificate.view)
		return NULL;
	return read_descendant(walk, &certificate);
}

/*
 * The certificate is of a later view: of a block above, or of none.  Carriers above the
 * block that ends an epoch are not stored, and a member may have seen another one of them
 * be final before the one that proves the epoch (P21).
 */
static const char *
read_descendant(TlWalk *walk, const TlCertificate *certificate)
{
	const TlHash *block = &certificate->block;
	Datum		child = Int64GetDatum(walk->height + 1);
	Datum		values[] = {
		Int64GetDatum(walk->height),
		Int64GetDatum(walk->height + DESCENDANT_HEIGHTS_MAX),
		tl_chain_bytes(block->bytes, TL_HASH_SIZE)
	};
	bool		is_carried = false;
	bytea	   *hash;

	for (int i = 1; i < walk->run->epoch_count; i++)
	{
		const TlEpoch *epoch = &walk->run->epochs[i];

		if (epoch->height < walk->height)
			continue;
		is_carried |= epoch->height > walk->height && certificate->epoch + 1 == epoch->epoch &&
			certificate->view > epoch->founding_view;
		if (memcmp(block, &epoch->certified, TL_HASH_SIZE) != 0)
			continue;
		if (epoch->height == walk->height)
		{
			walk->certified_hash = epoch->founding;
			walk->by_descendant = true;
			return NULL;
		}
		is_carried = true;
	}
	if ((!is_carried && tl_chain_execute(&select_descendant, values, NULL, true) == 0) ||
		tl_chain_execute(&select_parent_hash, &child, NULL, true) != 1)
		return "The certificate in ledger_internal.block_order is neither of this block nor of one above it.";
	hash = DatumGetByteaPP(tl_chain_result(0, 0, NULL));
	if (VARSIZE_ANY_EXHDR(hash) != TL_HASH_SIZE)
		return "The block above, whose certificate this one has, cannot be read.";
	memcpy(walk->certified_hash.bytes, VARDATA_ANY(hash), TL_HASH_SIZE);
	walk->by_descendant = true;
	return NULL;
}

/* The batches of the height where the walk is; header if it is sound. */
void
tl_proof_walk_lanes(TlWalk *walk, const TlBlockHeader *header)
{
	int64_t		problems = walk->run->problems;
	TlMerkleRange digests;

	if (header != NULL)
		leave_lanes(walk, header->epoch);
	tl_merkle_range_init(&digests);
	for (;;)
	{
		bool		own = tl_proof_cursor_row(&walk->batches) &&
			tl_proof_cursor_number(&walk->batches, 3) <= walk->height;
		bool		foreign = tl_proof_cursor_row(&walk->foreign) &&
			tl_proof_cursor_number(&walk->foreign, 0) <= walk->height;

		if (!own && !foreign)
			break;
		if (own && (!foreign || own_is_next(walk)))
			walk_own(walk, &digests);
		else
			walk_foreign(walk, &digests);
	}
	if (header == NULL || walk->height == 0)
		return;
	if (problems == walk->run->problems)
		check_block(walk, header, &digests);
	if (problems != walk->run->problems && kept_cut(walk, header))
		load_kept(walk);
}

/* V12, of the block as a whole. */
static void
check_block(TlWalk *walk, const TlBlockHeader *header, const TlMerkleRange *digests)
{
	TlHash		root;
	TlHash		cut;

	tl_merkle_range_root(digests, &root);
	if (memcmp(&root, &header->batch_root, TL_HASH_SIZE) != 0)
		report(walk, "batch_changed",
			   "The batches at this height, own and foreign, do not give the batch root of the block.");
	else if (tl_chain_cut_hash(&cut, walk->lanes, walk->lane_count) != TL_OK ||
			 memcmp(&cut, &header->cut_hash, TL_HASH_SIZE) != 0)
		report(walk, "batch_changed", "The block's cut does not reach to its last batches.");
	else
	{
		const char *detail = has_order(walk) ? check_kept(walk, header) : NULL;

		if (detail != NULL)
			report(walk, "block_changed", detail);
	}
}

/* Lanes of members who have left end with their epoch. */
static void
leave_lanes(TlWalk *walk, uint64_t number)
{
	const TlEpoch *epoch = tl_proof_verify_epoch(walk->run, number);
	unsigned	kept = 0;

	if (epoch == NULL)
		return;
	for (unsigned i = 0; i < walk->lane_count; i++)
		for (unsigned j = 0; j < epoch->member_count; j++)
			if (epoch->members[j].number == walk->lanes[i].member)
			{
				walk->lanes[kept++] = walk->lanes[i];
				break;
			}
	walk->lane_count = kept;
}

/* In a block batches stand by member, incarnation and number in the lane. */
static bool
own_is_next(const TlWalk *walk)
{
	TlSpan		bytes = tl_proof_cursor_bytes(&walk->batches, 10);
	int64_t		member = tl_proof_cursor_number(&walk->foreign, 1);
	int64_t		incarnation = tl_proof_cursor_number(&walk->foreign, 2);
	TlBatchHeader header;

	if (member != walk->run->member ||
		tl_chain_batch_decode(&header, bytes.data, bytes.size) != TL_OK)
		return walk->run->member <= member;
	if (incarnation != header.incarnation)
		return header.incarnation < incarnation;
	return (int64_t) header.batch < tl_proof_cursor_number(&walk->foreign, 3);
}

/* The member's lane, a new one in its place if need be; NULL if there is no room. */
static TlLane *
lane_of(TlWalk *walk, uint32_t member)
{
	unsigned	place = 0;

	while (place < walk->lane_count && walk->lanes[place].member < member)
		place++;
	if (place < walk->lane_count && walk->lanes[place].member == member)
		return &walk->lanes[place];
	if (walk->lane_count == TL_MEMBER_COUNT_MAX)
		return NULL;
	memmove(&walk->lanes[place + 1], &walk->lanes[place],
			sizeof(TlLane) * (walk->lane_count - place));
	walk->lane_count++;
	memset(&walk->lanes[place], 0, sizeof(TlLane));
	walk->lanes[place].member = member;
	return &walk->lanes[place];
}

static void
walk_own(TlWalk *walk, TlMerkleRange *digests)
{
	TlLane	   *lane = lane_of(walk, walk->run->member);
	TlSpan		bytes = tl_proof_cursor_bytes(&walk->batches, 10);
	TlBatchHeader header;
	bool		readable = tl_chain_batch_decode(&header, bytes.data, bytes.size) == TL_OK;

	if (lane != NULL)
	{
		walk->lane = *lane;
		walk->batch_digest = lane->digest;
	}
	tl_proof_walk_batch(walk, digests);
	tl_proof_cursor_advance(&walk->batches);
	if (lane == NULL)
		return;
	lane->digest = walk->batch_digest;
	lane->batch = readable ? header.batch : lane->batch + 1;
	if (readable)
		lane->incarnation = header.incarnation;
}

/* V12 */
static void
walk_foreign(TlWalk *walk, TlMerkleRange *digests)
{
	TlSpan		bytes = tl_proof_cursor_bytes(&walk->foreign, 5);
	TlLane	   *lane = lane_of(walk, (uint32_t) tl_proof_cursor_number(&walk->foreign, 1));
	const char *detail = "A header in ledger_internal.foreign_batch cannot be read.";
	TlBatchHeader header;
	TlHash		digest;

	tl_chain_batch_digest(&digest, bytes.data, bytes.size);
	if (lane != NULL &&
		tl_chain_batch_decode(&header, bytes.data, bytes.size) == TL_OK)
	{
		detail = check_foreign(walk, lane, &header, &digest);
		lane->incarnation = header.incarnation;
		lane->batch = header.batch;
		lane->digest = digest;
	}
	(void) tl_merkle_range_append(digests, &digest);
	if (detail != NULL)
		report(walk, "batch_changed", detail);
	tl_proof_cursor_advance(&walk->foreign);
}

static const char *
check_foreign(TlWalk *walk, TlLane *lane, const TlBatchHeader *header,
			  const TlHash *digest)
{
	const TlCursor *cursor = &walk->foreign;
	bool		goes_on = lane->batch > 0 && header->incarnation == lane->incarnation;

	if (tl_proof_cursor_number(cursor, 0) != walk->height)
		return "A batch in ledger_internal.foreign_batch belongs to no block.";
	if (!tl_proof_walk_hash_is(digest, tl_proof_cursor_bytes(cursor, 4)))
		return psprintf("The header of batch %lld of member %u in ledger_internal.foreign_batch is not the one of its digest.",
						(long long) tl_proof_cursor_number(cursor, 3), lane->member);
	if (memcmp(&header->chain_id, &walk->run->chain_id, TL_HASH_SIZE) != 0 ||
		header->member != lane->member ||
		header->incarnation != tl_proof_cursor_number(cursor, 2) ||
		(int64_t) header->batch != tl_proof_cursor_number(cursor, 3))
		return "The columns of a batch in ledger_internal.foreign_batch are not those of its header.";
	if (header->batch != (goes_on ? lane->batch + 1 : 1) ||
		(goes_on && memcmp(&header->previous, &lane->digest, TL_HASH_SIZE) != 0) ||
		(!goes_on && lane->batch > 0 && header->incarnation < lane->incarnation))
		return psprintf("Batch %llu of member %u does not follow the batch before in its lane.",
						(unsigned long long) header->batch, lane->member);
	return NULL;
}

/* V13; NULL, or what is wrong. */
static const char *
check_kept(TlWalk *walk, const TlBlockHeader *header)
{
	TlSpan		list = tl_proof_cursor_bytes(&walk->orders, 2);
	TlBlockEntry *entries = palloc(sizeof(TlBlockEntry) * TL_CONSENSUS_ENTRIES_MAX);
	const TlEpoch *epoch = tl_proof_verify_epoch(walk->run, header->epoch);
	unsigned	count;
	TlHash		hash;

	if (epoch == NULL ||
		memcmp(&epoch->members_hash, &header->members_hash, TL_HASH_SIZE) != 0)
		return "The block's members are not those of its epoch.";
	if (!kept_cut(walk, header))
		return "Column cut of ledger_internal.block_order is not the cut of the block.";
	if (tl_chain_entries_decode(entries, &count, TL_CONSENSUS_ENTRIES_MAX, list.data,
								list.size) != TL_OK ||
		tl_chain_entries_root(&hash, entries, count) != TL_OK ||
		memcmp(&hash, &header->entries_root, TL_HASH_SIZE) != 0)
		return "Column entries of ledger_internal.block_order does not give the entries root of the block.";
	return NULL;
}

/* Is the kept cut the one that was signed? */
static bool
kept_cut(const TlWalk *walk, const TlBlockHeader *header)
{
	TlLane	   *lanes = palloc(sizeof(TlLane) * TL_MEMBER_COUNT_MAX);
	unsigned	count;
	TlHash		hash;
	TlSpan		cut;

	if (!has_order(walk))
		return false;
	cut = tl_proof_cursor_bytes(&walk->orders, 1);
	return tl_chain_cut_decode(lanes, &count, TL_MEMBER_COUNT_MAX, cut.data,
							   cut.size) == TL_OK &&
		tl_chain_cut_hash(&hash, lanes, count) == TL_OK &&
		memcmp(&hash, &header->cut_hash, TL_HASH_SIZE) == 0;
}

/* What was signed goes on where batches were changed: one problem, told once. */
static void
load_kept(TlWalk *walk)
{
	TlSpan		cut = tl_proof_cursor_bytes(&walk->orders, 1);

	(void) tl_chain_cut_decode(walk->lanes, &walk->lane_count, TL_MEMBER_COUNT_MAX,
							   cut.data, cut.size);
}

/* Is there a row of ledger_internal.block_order for the height? */
static bool
has_order(const TlWalk *walk)
{
	return tl_proof_cursor_row(unconstify(TlCursor *, &walk->orders)) &&
		tl_proof_cursor_number(&walk->orders, 0) == walk->height;
}

/*
 * After the last height: batches that wait for a block, and what was signed of
 * this incarnation and does neither wait nor stand in a block.
 */
void
tl_proof_walk_pending(TlWalk *walk)
{
	tl_proof_cursor_close(&walk->batches);
	tl_proof_cursor_open(&walk->batches, "SELECT batch, member, incarnation, height, snapshot,"
						 " first_ref, last_ref, row_count, completes, late, header, digest"
						 " FROM ledger_internal.batch WHERE height IS NULL ORDER BY batch",
						 0, NULL, NULL, CURSOR_FETCH);
	for (; tl_proof_cursor_row(&walk->batches); tl_proof_cursor_advance(&walk->batches))
		tl_proof_walk_waiting(walk);
	if (tl_chain_execute(&select_unknown, NULL, NULL, true) > 0)
		report(walk, "batch_changed", "A batch that was signed and waits for a block is not in ledger_internal.batch.");
}

static void
report(TlWalk *walk, const char *kind, const char *detail)
{
	tl_proof_verify_report(walk->run, &(TlProblem) {
		.kind = kind,
		.has_height = true,
		.height = walk->height,
		.detail = detail
	});
}
