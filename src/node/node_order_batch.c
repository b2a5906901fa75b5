/*-------------------------------------------------------------------------
 *
 * node_order_batch.c
 *	  Batches between the worker, the own log and final blocks.
 *
 * The worker makes batches and stores them; this process alone appends to the
 * own log.  So hashing a million rows delays no vote, and there is one who
 * decides what the next row is.  A batch gets its place in the lane (number, and
 * digest of the one before) in the transaction that appends its BATCH row; from
 * then on its bytes are those.
 *
 * A final block is stored where a ledger of one member has its blocks, and names
 * of each batch that it adds the height.  Which batches those are follows from
 * the two cuts: back from where this one ends in a lane to where the parent's did.
 * ledger_internal.ordered_chunk says which bodies that were submitted final
 * blocks have.
 *
 * The caller is in a transaction and has connected SPI.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "miscadmin.h"

#include "chain_pending.h"
#include "chain_statement.h"
#include "chain_store.h"
#include "node_body.h"
#include "node_order_batch.h"
#include "tl_error.h"

static TlStatement select_cut = {
	"SELECT cut FROM ledger_internal.block_order WHERE height = $1", 1, {INT8OID}
};

static TlStatement insert_chunk = {
	"INSERT INTO ledger_internal.ordered_chunk (digest, height) VALUES ($1, $2)"
	" ON CONFLICT DO NOTHING",
	2, {BYTEAOID, INT8OID}
};

static void store_header(const TlConsensusBlock *block);
static void store_lane(const TlLane *from, const TlLane *to, int64_t height);
static void note_submitted(const TlBatchHeader *header, int64_t height);
static unsigned load_cut(TlLane *out, int64_t height);

/* False if none waits. */
bool
tl_node_order_batch_next(TlOwnBatch *out, const TlLane *lane, uint32_t member,
						 uint16_t incarnation)
{
	TlBatchHeader header;
	TlWriter	writer;
	uint8_t    *bytes;
	size_t		size;

	if (!tl_chain_pending_next(&out->number, &header, incarnation))
		return false;
	header.member = member;
	header.incarnation = incarnation;
	header.batch = lane->batch + 1;
	/* it may have had a place in a log that was lost */
	if (lane->batch > 0)
		header.previous = lane->digest;
	else
		memset(&header.previous, 0, sizeof(header.previous));
	size = TL_BATCH_SIZE_FIXED + header.chunks.size;
	bytes = palloc(size);
	tl_writer_init(&writer, bytes, size);
	tl_error_check(tl_chain_batch_encode(&writer, &header), "batch header");
	out->header.data = bytes;
	out->header.size = writer.size;
	out->lane.member = member;
	out->lane.incarnation = incarnation;
	out->lane.batch = header.batch;
	tl_chain_batch_digest(&out->lane.digest, bytes, writer.size);
	return true;
}

/* It is in the own log. */
void
tl_node_order_batch_placed(const TlOwnBatch *batch)
{
	tl_chain_pending_place(batch->number, batch->lane.incarnation,
						   batch->header.data, batch->header.size,
						   &batch->lane.digest);
}

/*
 * A BATCH row of the own log has come back from others.  If it is of a batch that
 * waits here for its place, as a backup had it, that place is the one.
 */
void
tl_node_order_batch_returned(const TlLogRow *row)
{
	TlBatchHeader header;
	TlHash		digest;

	if (tl_chain_batch_decode(&header, row->payload.data, row->payload.size) != TL_OK)
		return;
	tl_chain_batch_digest(&digest, row->payload.data, row->payload.size);
	tl_chain_pending_claim(&header, row->payload, &digest);
}

/* The block is final: store it, and the batches that it adds. */
void
tl_node_order_batch_final(const TlConsensusBlock *block)
{
	int64_t		height = (int64_t) block->header.height;
	TlLane	   *parent = palloc(sizeof(TlLane) * TL_MEMBER_COUNT_MAX);
	unsigned	count = load_cut(parent, height - 1);

	store_header(block);
	for (unsigned i = 0; i < block->lane_count; i++)
	{
		const TlLane *from = NULL;

		for (unsigned j = 0; j < count; j++)
			if (parent[j].member == block->cut[i].member)
				from = &parent[j];
		store_lane(from, &block->cut[i], height);
	}
	pfree(parent);
}

/*
 * The tip is kept from block to block.  If a transaction fails the process ends,
 * so it is never ahead of what is stored.
 */
static void
store_header(const TlConsensusBlock *block)
{
	static TlTip tip;
	static bool loaded = false;

	if (!loaded || memcmp(&tip.hash, &block->header.parent, TL_HASH_SIZE) != 0)
		loaded = tl_chain_store_load_tip(&tip);
	if (!loaded || memcmp(&tip.hash, &block->header.parent, TL_HASH_SIZE) != 0)
		ereport(ERROR,
				errcode(TL_ERRCODE(TL_CHAIN_DAMAGED)),
				errmsg("final block %lld does not follow the last block stored",
					   (long long) block->header.height),
				tl_error_hint_damaged());
	tl_chain_store_block(&tip, &block->header);
	if (memcmp(&tip.hash, &block->hash, TL_HASH_SIZE) != 0)
		elog(ERROR, "final block %lld has another hash than its header",
			 (long long) block->header.height);
}

/* The batches of one lane, the newest first. */
static void
store_lane(const TlLane *from, const TlLane *to, int64_t height)
{
	TlHash		digest = to->digest;

	while (from == NULL || memcmp(&digest, &from->digest, TL_HASH_SIZE) != 0)
	{
		TlBatchHeader header;
		TlSpan		bytes;
		TlHash		own = digest;

		CHECK_FOR_INTERRUPTS();
		if (!tl_chain_pending_find(&header, &bytes, &digest))
			ereport(ERROR,
					errcode(TL_ERRCODE(TL_CHAIN_DAMAGED)),
					errmsg("a batch of member %u, up to %llu, that final block %lld orders is missing",
						   to->member, (unsigned long long) to->batch,
						   (long long) height),
					tl_error_hint_damaged());
		digest = header.previous;
		note_submitted(&header, height);
		tl_chain_pending_order(&header, bytes, &own, height);
		if (header.batch <= 1)
			return;
	}
}

/* Bodies that were submitted by themselves, the source of a contract among them. */
static void
note_submitted(const TlBatchHeader *header, int64_t height)
{
	if (!tl_chain_batch_is_submitted(header))
		return;
	for (uint32 i = 0; i < header->chunk_count; i++)
	{
		TlBatchChunk chunk;
		Datum		values[2];

		tl_error_check(tl_chain_batch_get_chunk(&chunk, header, i), "chunk");
		values[0] = tl_chain_bytes(chunk.hash.bytes, TL_HASH_SIZE);
		values[1] = Int64GetDatum(height);
		tl_chain_execute(&insert_chunk, values, NULL, false);
	}
}

/* How far the block at this height reaches; genesis reaches nowhere. */
static unsigned
load_cut(TlLane *out, int64_t height)
{
	Datum		value = Int64GetDatum(height);
	unsigned	count = 0;
	bytea	   *bytes;

	if (tl_chain_execute(&select_cut, &value, NULL, false) == 0)
		return 0;
	bytes = DatumGetByteaPP(tl_chain_result(0, 0, NULL));
	tl_error_check(tl_chain_cut_decode(out, &count, TL_MEMBER_COUNT_MAX,
									   VARDATA_ANY(bytes), VARSIZE_ANY_EXHDR(bytes)),
				   "cut");
	return count;
}
