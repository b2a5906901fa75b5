/*-------------------------------------------------------------------------
 *
 * node_block.c
 *	  From a built batch to a final block, for a ledger of one member; to a batch
 *	  that waits for a block, where there are several.
 *
 * A quorum of one needs no proposal and no notarization: the member signs the
 * batch (BATCH), links a block to it and signs that (FINALIZE), all in one
 * transaction.  The bytes are those that more members use.  Fields that only
 * they need are zero, or the empty root.
 *
 * Each block takes the next view (after a REJOIN a later one), so own_vote's key (epoch, view, slot) makes
 * a second FINALIZE at one height impossible.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "utils/timestamp.h"

#include "chain_alone.h"
#include "chain_foreign.h"
#include "crypto_hash.h"
#include "node_block.h"
#include "node_body.h"
#include "tl_error.h"

static void append_batch(TlNodeHead *head, const TlBuiltBatch *batch,
						 const TlBatchPlace *place, uint64_t height);
static void begin_header(TlBatchHeader *header, const TlNodeHead *head,
						 const TlBuiltBatch *batch, const TlBatchPlace *place);
static void store_batch(const TlNodeHead *head, const TlBuiltBatch *batch,
						const TlBatchPlace *place, const TlBatchHeader *header,
						TlSpan bytes, uint64_t height, const TlHash *digest);
static void link_block(TlNodeHead *head, TlBlockHeader *header);

/*
 * What the keys of a batch's sections follow from, when that is the time in its
 * header.  Only who has the member's secret can tell; and no two batches have one
 * time and one first row of a table.
 */
void
tl_node_block_seed(TlHash *out, const TlNodeHead *head, int64_t time)
{
	static const char purpose[] = "telco_ledger/1/sections";
	uint8_t		input[sizeof(purpose) - 1 + TL_HASH_SIZE + 8];
	TlWriter	writer;

	tl_writer_init(&writer, input, sizeof(input));
	tl_put_bytes(&writer, purpose, sizeof(purpose) - 1);
	tl_put_hash(&writer, &head->log.chain_id);
	tl_put_i64(&writer, time);
	tl_error_check(tl_writer_finish(&writer), "seed of a batch");
	tl_crypto_hmac_sha256(out, head->secret, TL_SECRET_SIZE, input, sizeof(input));
}

/* Store the batch and the block that orders it, and sign both. */
void
tl_node_block_append(TlNodeHead *head, const TlBuiltBatch *batch,
					 const TlBatchPlace *place)
{
	TlBlockHeader header;

	append_batch(head, batch, place, head->tip.header.height + 1);
	link_block(head, &header);
	header.batch_root = head->tip.lane.digest;	/* the tree of one leaf */
	tl_chain_store_block(&head->tip, &header);
	tl_node_block_finalize(head);
}

/*
 * Store the batch alone, and its body, where several members order: who appends
 * to the own log gives it its place in the lane (chain_pending.c,
 * node_order_batch.c).
 */
void
tl_node_block_leave(TlNodeHead *head, const TlBuiltBatch *batch,
					const TlBatchPlace *place)
{
	TlBatchHeader header;
	uint8_t    *bytes;
	TlWriter	writer;
	TlSpan		payload;

	begin_header(&header, head, batch, place);
	tl_node_body_store(&header, batch);
	header.batch = 1;			/* until it has its place */
	bytes = palloc(TL_BATCH_SIZE_FIXED + header.chunks.size);
	tl_writer_init(&writer, bytes, TL_BATCH_SIZE_FIXED + header.chunks.size);
	tl_error_check(tl_chain_batch_encode(&writer, &header), "batch header");
	payload.data = bytes;
	payload.size = writer.size;
	head->tip.batch++;
	store_batch(head, batch, place, &header, payload, 0, NULL);
}

/* Store the sections of a batch that is final and whose header came from others. */
void
tl_node_block_take_back(TlNodeHead *head, const TlBuiltBatch *batch,
						const TlBatchPlace *place)
{
	const TlReturned *returned = place->returned;

	head->tip.batch++;
	store_batch(head, batch, place, &returned->header, returned->bytes,
				(uint64_t) returned->height, &returned->digest);
	tl_chain_pending_known(&returned->digest);
	tl_chain_foreign_forget(&returned->header);
}

/* BATCH: header, log row, stored sections. */
static void
append_batch(TlNodeHead *head, const TlBuiltBatch *batch,
			 const TlBatchPlace *place, uint64_t height)
{
	TlLane	   *lane = &head->tip.lane;
	TlBatchHeader header;
	uint8_t		bytes[TL_BATCH_SIZE_FIXED];
	TlWriter	writer;
	TlSpan		payload;

	begin_header(&header, head, batch, place);
	if (lane->batch > 0 && lane->incarnation == head->incarnation)
	{
		header.batch = lane->batch + 1;
		header.previous = lane->digest;
	}
	else
		header.batch = 1;
	tl_writer_init(&writer, bytes, sizeof(bytes));
	tl_error_check(tl_chain_batch_encode(&writer, &header), "batch header");
	payload.data = bytes;
	payload.size = writer.size;

	head->tip.batch++;
	lane->member = header.member;
	lane->incarnation = header.incarnation;
	lane->batch = header.batch;
	tl_chain_batch_digest(&lane->digest, bytes, writer.size);
	tl_replication_own_log_append(&head->log, TL_LOG_BATCH,
								  head->tip.header.epoch, height, height,
								  payload, head->secret);
	store_batch(head, batch, place, &header, payload, height, &lane->digest);
}

/* All but the place in the lane. */
static void
begin_header(TlBatchHeader *header, const TlNodeHead *head,
			 const TlBuiltBatch *batch, const TlBatchPlace *place)
{
	memset(header, 0, sizeof(*header));
	header->chain_id = head->log.chain_id;
	header->member = head->log.member;
	header->incarnation = head->incarnation;
	header->snapshot_time = place->time;
	header->waiting_age_s = place->waiting_age_s;
	header->section_count = (uint16_t) batch->section_count;
	header->root = batch->root;
}

static void
store_batch(const TlNodeHead *head, const TlBuiltBatch *batch,
			const TlBatchPlace *place, const TlBatchHeader *header,
			TlSpan bytes, uint64_t height, const TlHash *digest)
{
	tl_chain_store_batch(batch, head->tip.batch, header->member, header->incarnation,
						 height, place->snapshot_number, place->completes,
						 place->late, bytes.data, bytes.size, digest);
	if (place->late)
		tl_chain_store_late_rows(batch, head->tip.batch, header->member);
}

/* A block that orders this member's REJOIN, the first row of a new log. */
void
tl_node_block_rejoin(TlNodeHead *head, uint64_t view, TlSpan payload)
{
	TlBlockHeader header;

	link_block(head, &header);
	header.view = view;
	tl_replication_own_log_append(&head->log, TL_LOG_REJOIN, header.epoch, view,
								  header.height, payload, head->secret);
	/* the tree of one leaf */
	tl_chain_entry_leaf_hash(&header.entries_root, TL_LOG_REJOIN, &head->log.digest);
	tl_chain_store_block(&head->tip, &header);
	tl_node_block_finalize(head);
}

/* The header of a block behind the tip that orders nothing yet. */
static void
link_block(TlNodeHead *head, TlBlockHeader *header)
{
	const TlTip *tip = &head->tip;

	tl_error_check(tl_chain_alone_link(header, &tip->header, &tip->hash, &tip->history,
									   tip->lane.batch > 0 ? &tip->lane : NULL,
									   head->log.member,
									   Max(tl_chain_time_to_unix(GetCurrentTimestamp()),
										   tip->header.time + 1)),
				   "block header");
}

/* FINALIZE for the block at the tip. */
void
tl_node_block_finalize(TlNodeHead *head)
{
	const TlTip *tip = &head->tip;
	uint8_t		bytes[TL_HASH_SIZE];
	TlWriter	writer;
	TlSpan		payload;

	tl_writer_init(&writer, bytes, sizeof(bytes));
	tl_consensus_vote_encode(&writer, &tip->hash);
	tl_error_check(tl_writer_finish(&writer), "FINALIZE");
	payload.data = bytes;
	payload.size = writer.size;
	tl_replication_own_vote(tip->header.epoch, tip->header.view, TL_VOTE_PHASE2,
							&tip->hash, false);
	tl_replication_own_log_append(&head->log, TL_LOG_FINALIZE, tip->header.epoch,
								  tip->header.view, tip->header.height, payload,
								  head->secret);
}
