/*-------------------------------------------------------------------------
 *
 * node_order_submit.c
 *	  What this member brings in: its batches, and approvals of motions.
 *
 * Batches are those that the worker has made of ledger tables (node_order_batch.c),
 * and one of the bodies that ledger_internal.submit() was given.  The core takes them
 * while there is room in the own lane; what it does not take is offered once more
 * after the next block.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "utils/timestamp.h"

#include "chain_batch.h"
#include "chain_store.h"
#include "merkle_hash.h"
#include "node_body.h"
#include "node_order_batch.h"
#include "node_order_epoch.h"
#include "node_order_state.h"
#include "node_order_store.h"
#include "tl_compat.h"
#include "tl_error.h"

static void place_batches(TlOrder *order);
static void make_batch(TlOrder *order);
static void make_approvals(TlOrder *order);

/* In a turn (node_order.c). */
void
tl_node_order_submit(TlOrder *order)
{
	place_batches(order);
	make_approvals(order);
	make_batch(order);
}

/* Batches of the worker, as many as there is room for in the own lane. */
static void
place_batches(TlOrder *order)
{
	TlOwnBatch	batch;

	while (tl_node_order_batch_next(&batch, &order->lane, order->log.member,
									order->number))
	{
		TlInput		input = {.kind = TL_INPUT_MAKE_BATCH, .payload = batch.header};
		TlStatus	status = tl_node_order_step(order, &input);

		order->offers |= status == TL_BAD_ORDER;	/* no room: after the next block */
		if (status == TL_BAD_ORDER || status == TL_BAD_VERSION)
			return;				/* R27: never */
		tl_error_check(status, "own batch");
		tl_node_order_batch_placed(&batch);
		order->lane = batch.lane;
	}
}

/* What was submitted, as the next batch of the own lane. */
static void
make_batch(TlOrder *order)
{
	TlInput		input = {.kind = TL_INPUT_MAKE_BATCH};
	TlSubmitted submitted;
	TlBatchHeader header;
	uint8_t		bytes[TL_BATCH_SIZE_FIXED + sizeof(submitted.entries)];
	TlWriter	writer;
	TlStatus	status;

	tl_node_order_submitted(&submitted);
	if (submitted.count == 0)
		return;
	if (!tl_node_body_lock(false))
	{
		order->offers = true;	/* after the worker's round */
		return;
	}
	memset(&header, 0, sizeof(header));
	header.chain_id = order->log.chain_id;
	header.member = order->log.member;
	header.incarnation = order->number;
	header.batch = order->lane.batch + 1;
	if (order->lane.batch > 0)
		header.previous = order->lane.digest;
	header.snapshot_time = tl_chain_time_to_unix(GetCurrentTimestamp());
	header.section_count = 1;
	header.chunk_count = submitted.count;
	header.chunks.data = submitted.entries;
	header.chunks.size = submitted.count * TL_BATCH_CHUNK_SIZE;
	tl_merkle_leaf_hash(&header.root, header.chunks.data, header.chunks.size);
	tl_writer_init(&writer, bytes, sizeof(bytes));
	tl_error_check(tl_chain_batch_encode(&writer, &header), "batch header");
	input.payload.data = bytes;
	input.payload.size = writer.size;
	status = tl_node_order_step(order, &input);
	order->offers |= status == TL_BAD_ORDER;	/* no room: after the next block */
	if (status == TL_BAD_ORDER || status == TL_BAD_VERSION)
		return;					/* R27: never */
	tl_error_check(status, "own batch");
	tl_node_order_taken(&submitted);
	order->bodied = true;
	order->lane.batch = header.batch;
	tl_chain_batch_digest(&order->lane.digest, bytes, writer.size);
	order->submitted = submitted.count == TL_ORDER_CHUNKS_MAX;
}

/* Approvals that sessions have asked for. */
static void
make_approvals(TlOrder *order)
{
	TlInput		input = {.kind = TL_INPUT_MAKE_APPROVAL};
	TlConsensusStatus status;
	TlApprovalAsked asked;

	tl_consensus_status(order->core, &status);
	if (status.outdated)
		return;					/* R27 */
	while (tl_node_order_approval(&asked, order->config, status.approvals, order->secret))
	{
		TlStatus	result;

		input.payload = asked.payload;
		result = tl_node_order_step(order, &input);
		order->offers |= result == TL_BAD_ORDER;	/* not now */
		if (result == TL_BAD_ORDER)
			return;
		if (result == TL_BAD_VERSION)
			ereport(WARNING,
					errmsg("this member does not approve of what it was asked to"),
					errdetail("The motion is of a version of the protocol that this program does not know."),
					errhint("Install the newer version, and approve again."));
		else
			tl_error_check(result, "own approval");
		tl_node_order_approved(&asked);
		tl_consensus_status(order->core, &status);
	}
}
