/*-------------------------------------------------------------------------
 *
 * chain_alone.c
 *	  Blocks that one member made alone: linked, and read from its log.
 *
 * In a ledger of one member nobody proposes: the log has a BATCH (or, after a
 * restore, a REJOIN) and a FINALIZE for each block, and the header is in the
 * database only.  All that it says follows from the log and the blocks before,
 * but for its time.  So whoever joins later needs the log and the times, eight
 * bytes a block, and can check what comes of them: the member has signed each
 * block's hash.
 *
 * Times travel in a chunk, integers big-endian:
 *
 *		offset	size	field
 *		0		21		"telco_ledger/1/times\n"
 *		21		8		height of the first block
 *		29		4		number of blocks n, from 1
 *		33		8 n		their times, us since 1970 UTC
 *
 * Invariants
 *	  A1  a block adds one batch, or orders one REJOIN
 *	  A2  its hash is the one that FINALIZE signs
 *
 * Pure code: no PostgreSQL, no allocation, no clock.
 * Used by the worker, which makes such blocks, and by the process of the wire.
 *
 *-------------------------------------------------------------------------
 */
#include "chain_alone.h"

#include "chain_batch.h"
#include "consensus_certificate.h"
#include "consensus_rejoin.h"
#include "merkle_hash.h"

#include <string.h>

static TlStatus take_batch(TlAlone *alone, const TlLogRow *row);
static TlStatus take_rejoin(TlAlone *alone, const TlLogRow *row);
static TlStatus finish(TlAlone *alone, const TlLogRow *row, int64_t time);
static TlStatus certify(TlAlone *alone, const TlLogRow *row, const TlHash *hash);

static const char times_tag[] = "telco_ledger/1/times\n";

#define TIMES_TAG_SIZE	(sizeof(times_tag) - 1)

TlStatus
tl_chain_alone_link(TlBlockHeader *out, const TlBlockHeader *parent,
					const TlHash *parent_hash, const TlMerkleRange *history,
					const TlLane *lane, uint32_t proposer, int64_t time)
{
	TlStatus	status;

	memset(out, 0, sizeof(*out));
	out->chain_id = parent->height == 0 ? *parent_hash : parent->chain_id;
	out->height = parent->height + 1;
	out->epoch = parent->epoch;
	out->view = parent->view + 1;
	out->parent = *parent_hash;
	out->parent_epoch = parent->epoch;
	out->parent_view = parent->view;
	out->proposer = proposer;
	out->time = time;
	tl_merkle_empty_root(&out->batch_root);
	tl_merkle_empty_root(&out->entries_root);
	status = tl_chain_cut_hash(&out->cut_hash, lane, lane == NULL ? 0 : 1);
	out->members_hash = parent->members_hash;
	out->checkpoint_height = parent->checkpoint_height;
	out->checkpoint_state_root = parent->checkpoint_state_root;
	tl_merkle_range_root(history, &out->history_root);
	return status;
}

void
tl_chain_alone_init(TlAlone *alone, const TlHash *chain_id,
					const TlBlockHeader *genesis, uint32_t member)
{
	memset(alone, 0, sizeof(*alone));
	alone->chain_id = *chain_id;
	alone->member = member;
	alone->block.header = *genesis;
	alone->block.hash = *chain_id;
	tl_merkle_range_init(&alone->block.history);
	(void) tl_merkle_range_append(&alone->block.history, chain_id);
}

TlStatus
tl_chain_alone_row(TlAlone *alone, const TlLogRow *row, int64_t time, bool *complete)
{
	TlStatus	status;
	TlHash		hash;

	*complete = false;
	if (row->member != alone->member || row->epoch != alone->block.header.epoch)
		return TL_BAD_ORDER;
	switch (row->kind)
	{
		case TL_LOG_BATCH:
			return take_batch(alone, row);
		case TL_LOG_REJOIN:
			return take_rejoin(alone, row);
		case TL_LOG_FINALIZE:
			break;
		default:
			return TL_BAD_ORDER;
	}
	status = tl_consensus_vote_decode(&hash, row->payload.data, row->payload.size);
	if (status != TL_OK)
		return status;
	/* the founder signs genesis, too */
	if (row->view == 0 && alone->block.header.height == 0)
		return memcmp(&hash, &alone->chain_id, TL_HASH_SIZE) == 0 ? TL_OK : TL_BAD_PROOF;
	status = finish(alone, row, time);
	*complete = status == TL_OK;
	return status;
}

static TlStatus
take_batch(TlAlone *alone, const TlLogRow *row)
{
	TlBatchHeader header;
	TlStatus	status = tl_chain_batch_decode(&header, row->payload.data,
											   row->payload.size);

	if (status != TL_OK)
		return status;
	if (alone->has_batch || alone->has_rejoin || header.member != alone->member)
		return TL_BAD_ORDER;	/* A1 */
	alone->has_batch = true;
	alone->lane.member = header.member;
	alone->lane.incarnation = header.incarnation;
	alone->lane.batch = header.batch;
	tl_chain_batch_digest(&alone->lane.digest, row->payload.data, row->payload.size);
	return TL_OK;
}

static TlStatus
take_rejoin(TlAlone *alone, const TlLogRow *row)
{
	TlMemberStanding *next = &alone->next;
	TlRejoin	rejoin;
	TlStatus	status = tl_consensus_rejoin_decode(&rejoin, row->payload.data,
													row->payload.size);

	if (status != TL_OK)
		return status;
	if (alone->has_batch || alone->has_rejoin || rejoin.reply_count > 0)
		return TL_BAD_ORDER;	/* A1 */
	alone->has_rejoin = true;
	tl_consensus_row_digest(&alone->rejoin, &alone->chain_id, row);
	*next = alone->standing;
	memmove(next->older[1], next->older[0], sizeof(next->older) - TL_NONCE_SIZE);
	memcpy(next->older[0], next->nonce, TL_NONCE_SIZE);
	next->incarnation = rejoin.incarnation;
	memcpy(next->nonce, row->nonce, TL_NONCE_SIZE);
	next->epoch = row->epoch;
	next->view = row->view;
	return TL_OK;
}

/* FINALIZE: the block that it signs is the next one. */
static TlStatus
finish(TlAlone *alone, const TlLogRow *row, int64_t time)
{
	TlConsensusBlock *block = &alone->block;
	const TlLane *lane = block->lane_count > 0 ? &block->cut[0] : NULL;
	TlBlockHeader header;
	TlHash		hash;
	TlHash		signed_hash;
	TlStatus	status;

	if (alone->has_batch == alone->has_rejoin)
		return TL_BAD_ORDER;	/* A1 */
	if (alone->has_batch)
		lane = &alone->lane;
	status = tl_chain_alone_link(&header, &block->header, &block->hash,
								 &block->history, lane, alone->member, time);
	if (status != TL_OK)
		return status;
	header.view = row->view;
	if (alone->has_batch)
		header.batch_root = alone->lane.digest; /* the tree of one leaf */
	else
		tl_chain_entry_leaf_hash(&header.entries_root, TL_LOG_REJOIN, &alone->rejoin);
	tl_chain_block_hash(&hash, &header);
	(void) tl_consensus_vote_decode(&signed_hash, row->payload.data, row->payload.size);
	if (memcmp(&hash, &signed_hash, TL_HASH_SIZE) != 0)
		return TL_BAD_PROOF;	/* A2 */
	status = certify(alone, row, &hash);
	if (status == TL_OK)
		status = tl_merkle_range_append(&block->history, &hash);
	if (status != TL_OK)
		return status;
	block->header = header;
	block->hash = hash;
	block->entry_count = alone->has_rejoin ? 1 : 0;
	block->entries[0].kind = TL_LOG_REJOIN;
	block->entries[0].digest = alone->rejoin;
	if (alone->has_batch)
	{
		block->lane_count = 1;
		block->cut[0] = alone->lane;
	}
	else
		alone->standing = alone->next;
	alone->has_batch = alone->has_rejoin = false;
	return TL_OK;
}

/* A quorum of one. */
static TlStatus
certify(TlAlone *alone, const TlLogRow *row, const TlHash *hash)
{
	TlCertificate certificate;
	uint8_t		vote_bytes[TL_CERTIFICATE_VOTE_SIZE];
	TlVote		vote;
	TlWriter	writer;

	tl_consensus_certificate_row_vote(&vote, row);
	tl_writer_init(&writer, vote_bytes, sizeof(vote_bytes));
	tl_consensus_certificate_put_vote(&writer, &vote);
	memset(&certificate, 0, sizeof(certificate));
	certificate.kind = TL_LOG_FINALIZE;
	certificate.epoch = row->epoch;
	certificate.view = row->view;
	certificate.block = *hash;
	certificate.vote_count = 1;
	certificate.votes.data = vote_bytes;
	certificate.votes.size = writer.size;
	tl_writer_init(&writer, alone->certificate, sizeof(alone->certificate));
	return tl_consensus_certificate_encode(&writer, &certificate);
}

TlStatus
tl_chain_alone_times_encode(TlWriter *writer, uint64_t first, const int64_t *times,
							uint32_t count)
{
	if (count == 0 || count > TL_ALONE_TIMES_MAX)
		return TL_TOO_LARGE;
	tl_put_bytes(writer, times_tag, TIMES_TAG_SIZE);
	tl_put_u64(writer, first);
	tl_put_u32(writer, count);
	for (uint32_t i = 0; i < count; i++)
		tl_put_u64(writer, (uint64_t) times[i]);
	return tl_writer_finish(writer);
}

TlStatus
tl_chain_alone_times_decode(TlAloneTimes *out, const void *data, size_t size)
{
	TlReader	reader;
	TlSpan		tag;

	memset(out, 0, sizeof(*out));
	tl_reader_init(&reader, data, size);
	tag = tl_get_span(&reader, TIMES_TAG_SIZE);
	if (tag.size != TIMES_TAG_SIZE || memcmp(tag.data, times_tag, TIMES_TAG_SIZE) != 0)
		return TL_BAD_FORMAT;
	out->first = tl_get_u64(&reader);
	out->count = tl_get_u32(&reader);
	if (out->count == 0 || out->count > TL_ALONE_TIMES_MAX)
		return reader.truncated ? TL_TRUNCATED : TL_TOO_LARGE;
	out->times = tl_get_span(&reader, (size_t) out->count * 8);
	return tl_reader_finish(&reader);
}

bool
tl_chain_alone_time(int64_t *out, const TlAloneTimes *times, uint64_t height)
{
	TlReader	reader;

	if (height < times->first || height - times->first >= times->count)
		return false;
	tl_reader_init(&reader, times->times.data + 8 * (height - times->first), 8);
	*out = (int64_t) tl_get_u64(&reader);
	return true;
}
