/*-------------------------------------------------------------------------
 *
 * node_order_alone.c
 *	  Blocks that the founder made alone, at those who joined later.
 *
 * Nobody proposed such blocks, so no core can follow them.  A node that joins
 * makes them once more from the founder's log and the times of the blocks, which
 * the founder has left in the bodies of its first batches afterwards
 * (chain_alone.c), and stores them as it will store final blocks: only then does
 * the core begin, on the last of them.  The invitation says how far that is.
 *
 * The core of nobody is given that part of the founder's log, however long it
 * is: only the REJOIN of each incarnation, and the last row.
 *
 * A walk stays in memory from transaction to transaction, and starts from genesis
 * after a start of the process; what is stored already is compared.
 *
 * Invariants
 *	  L1  a block that is stored has the hash that the founder has signed
 *	  L2  the last one has the hash that the invitation names
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "executor/spi.h"
#include "miscadmin.h"
#include "utils/array.h"
#include "utils/memutils.h"

#include "chain_alone.h"
#include "chain_batch.h"
#include "chain_pending.h"
#include "chain_statement.h"
#include "chain_store.h"
#include "node_order_state.h"
#include "node_order_store.h"
#include "tl_compat.h"
#include "tl_error.h"

#define WALK_ROWS		512		/* of the log in one transaction */
#define BATCHES_MAX		256		/* looked through for times at once */

/* Where this node is on its way through the founder's log. */
typedef struct TlAloneWalk
{
	TlAlone		alone;
	TlTip		tip;			/* as stored */
	unsigned	log;			/* incarnation, */
	uint64_t	sequence;		/* and the last row taken there */
	TlSpan		batch;			/* header of the batch that waits for its block */
	MemoryContext context;		/* of these two */
	bytea	   *chunk;			/* of times; NULL: none yet */
	TlAloneTimes times;
	uint64_t	times_sequence; /* the last BATCH row that was looked through, */
	uint32_t	times_chunk;	/* and how many chunks of the next one */
} TlAloneWalk;

static TlStatement select_alone = {
	"SELECT o.alone_height, o.alone_hash, o.alone_nonces, o.alone_sequences, n.genesis_header"
	" FROM ledger_internal.order_mode AS o, ledger_internal.node AS n"
};
static TlStatement select_batches = {
	"SELECT message FROM ledger_internal.peer_log"
	" WHERE member = $1 AND nonce = $2 AND seq > $3 AND kind = 1 ORDER BY seq LIMIT $4",
	4, {INT8OID, BYTEAOID, INT8OID, INT4OID}
};
static TlStatement select_chunk = {
	"SELECT chunk FROM ledger_internal.peer_body WHERE digest = $1", 1, {BYTEAOID}
};
static TlStatement update_applied = {
	"UPDATE ledger_internal.applied SET height = $1 WHERE height < $1", 1, {INT8OID}
};
static TlStatement select_first = {
	"SELECT l.message, l.incarnation"
	" FROM generate_series(0, (SELECT max(incarnation) FROM ledger_internal.own_log)) AS i"
	" JOIN ledger_internal.own_log AS l ON l.incarnation = i AND l.seq = 1"
	" WHERE substring(l.message FROM 6 FOR 16) = $1",
	1, {BYTEAOID}
};

static TlAloneWalk *begin_walk(const TlOrder *order);
static bool take_rows(TlOrder *order, bool *more);
static bool take_row(TlOrder *order, const TlLogRow *row);
static void keep_batch(TlAloneWalk *walk, const TlLogRow *row);
static void store_block(TlOrder *order);
static bool have_time(TlOrder *order, int64_t *time);
static bool find_times(TlOrder *order);
static bool take_times(TlAloneWalk *walk, const TlLogRow *row);
static void give_own_row(TlOrder *order, const bytea *message);

void
tl_node_order_alone_load(TlAloneLogs *alone)
{
	TlBlockHeader genesis;
	bytea	   *header;
	Datum	   *nonces;
	Datum	   *sequences;
	int			count;

	memset(alone, 0, sizeof(*alone));
	if (tl_chain_execute(&select_alone, NULL, NULL, false) == 0 ||
		DatumGetInt64(tl_chain_result(0, 0, NULL)) == 0)
		return;
	alone->height = (uint64_t) DatumGetInt64(tl_chain_result(0, 0, NULL));
	memcpy(alone->hash.bytes, VARDATA_ANY(DatumGetByteaPP(tl_chain_result(0, 1, NULL))),
		   TL_HASH_SIZE);
	deconstruct_array(DatumGetArrayTypeP(tl_chain_result(0, 2, NULL)), BYTEAOID, -1, false,
					  TYPALIGN_INT, &nonces, NULL, &count);
	deconstruct_array(DatumGetArrayTypeP(tl_chain_result(0, 3, NULL)), INT8OID, sizeof(int64),
					  FLOAT8PASSBYVAL, TYPALIGN_DOUBLE, &sequences, NULL, &count);
	if (count > TL_ALONE_LOGS_MAX)
		elog(ERROR, "ledger_internal.order_mode names %d logs", count);
	for (int i = 0; i < count; i++)
	{
		bytea	   *nonce = DatumGetByteaPP(nonces[i]);

		if (VARSIZE_ANY_EXHDR(nonce) != TL_NONCE_SIZE)
			elog(ERROR, "ledger_internal.order_mode names a nonce of another size");
		memcpy(alone->nonces[i], VARDATA_ANY(nonce), TL_NONCE_SIZE);
		alone->sequences[i] = (uint64_t) DatumGetInt64(sequences[i]);
	}
	alone->count = (unsigned) count;
	header = DatumGetByteaPP(tl_chain_result(0, 4, NULL));
	tl_error_check(tl_chain_block_decode(&genesis, VARDATA_ANY(header),
										 VARSIZE_ANY_EXHDR(header)), "genesis header");
	alone->member = genesis.proposer;
}

/* Which of these logs it is; -1: none. */
int
tl_node_order_alone_find(const TlAloneLogs *alone, uint32_t member,
						 const uint8_t nonce[TL_NONCE_SIZE])
{
	for (unsigned i = 0; i < alone->count && alone->member == member; i++)
		if (memcmp(alone->nonces[i], nonce, TL_NONCE_SIZE) == 0)
			return (int) i;
	return -1;
}

/* Does the core have to wait for such blocks? */
bool
tl_node_order_alone_wait(TlOrder *order)
{
	tl_replication_wire_begin(order->wire);
	tl_node_order_alone_load(&order->alone);
	order->walk = begin_walk(order);
	tl_replication_wire_end(order->wire);
	order->alone_news = true;
	if (order->walk->tip.header.height < order->alone.height)
		return true;
	MemoryContextDelete(order->walk->context);
	order->walk = NULL;
	return false;
}

static TlAloneWalk *
begin_walk(const TlOrder *order)
{
	MemoryContext context = AllocSetContextCreate(TopMemoryContext, "telco_ledger walk",
												  ALLOCSET_DEFAULT_SIZES);
	TlAloneWalk *walk = MemoryContextAllocZero(context, sizeof(TlAloneWalk));
	TlConsensusConfig *config = palloc0(sizeof(TlConsensusConfig));

	walk->context = context;
	if (!tl_chain_store_load_tip(&walk->tip))
		ereport(ERROR,
				errcode(TL_ERRCODE(TL_CHAIN_DAMAGED)),
				errmsg("the stored chain has no beginning"),
				tl_error_hint_damaged());
	tl_node_order_load_genesis(config);
	tl_chain_alone_init(&walk->alone, &order->log.chain_id, &config->base.header,
						order->alone.member);
	if (order->alone.count > 0)
		walk->times_sequence = order->alone.sequences[order->alone.count - 1];
	pfree(config);
	return walk;
}

/* A transaction of it.  True if all of them are stored. */
bool
tl_node_order_alone_follow(TlOrder *order)
{
	Datum		applied;
	bool		complete;
	bool		more = false;

	tl_replication_wire_begin(order->wire);
	complete = take_rows(order, &more);
	/* nothing of them is shared */
	applied = Int64GetDatum((int64) order->walk->tip.header.height);
	tl_chain_execute(&update_applied, &applied, NULL, false);
	tl_replication_wire_end(order->wire);
	order->alone_news = more;
	if (!complete)
		return false;
	ereport(LOG,
			errmsg("the blocks that the founder made alone are here"),
			errdetail("Block %llu is the last of them.", (unsigned long long) order->alone.height));
	MemoryContextDelete(order->walk->context);
	order->walk = NULL;
	return true;
}

static bool
take_rows(TlOrder *order, bool *more)
{
	TlAloneWalk *walk = order->walk;
	const TlAloneLogs *alone = &order->alone;
	bytea	  **messages;
	uint64		count;

	while (walk->log + 1 < alone->count && walk->sequence == alone->sequences[walk->log])
	{
		walk->log++;
		walk->sequence = 0;
	}
	messages = tl_node_order_read(alone->member, alone->nonces[walk->log], walk->sequence,
								  WALK_ROWS, &count, more);
	/* a statement that follows ends the result */
	for (uint64 i = 0; i < count; i++)
		messages[i] = DatumGetByteaPCopy(PointerGetDatum(messages[i]));
	for (uint64 i = 0; i < count && walk->sequence < alone->sequences[walk->log]; i++)
	{
		TlLogRow	row;

		tl_error_check(tl_consensus_row_decode(&row, VARDATA_ANY(messages[i]),
											   VARSIZE_ANY_EXHDR(messages[i])),
					   "stored log row");
		if (!take_row(order, &row))
		{
			*more = false;		/* until the times are here */
			return false;
		}
		walk->sequence = row.sequence;
	}
	if (walk->log + 1 < alone->count && walk->sequence == alone->sequences[walk->log])
		*more = true;
	return walk->alone.block.header.height == alone->height;
}

/* False if it has to wait. */
static bool
take_row(TlOrder *order, const TlLogRow *row)
{
	TlAloneWalk *walk = order->walk;
	int64_t		time = 0;
	bool		complete;
	TlStatus	status;

	if (row->kind == TL_LOG_FINALIZE && row->view > 0 && !have_time(order, &time))
		return false;
	status = tl_chain_alone_row(&walk->alone, row, time, &complete);
	if (status == TL_OK && complete && walk->alone.block.header.height == order->alone.height &&
		memcmp(&walk->alone.block.hash, &order->alone.hash, TL_HASH_SIZE) != 0)
		status = TL_BAD_PROOF;	/* L2 */
	if (status != TL_OK)
		ereport(ERROR,
				errcode(TL_ERRCODE(status)),
				errmsg("block %llu cannot be made from the log of the founder, member %u",
					   (unsigned long long) walk->alone.block.header.height + 1, row->member),
				errdetail("Row %llu of its log: %s.", (unsigned long long) row->sequence,
						  tl_status_text(status)),
				errhint("Ask the founder to verify its ledger, and for another invitation."));
	if (row->kind == TL_LOG_BATCH)
		keep_batch(walk, row);
	if (complete)
		store_block(order);
	return true;
}

static void
keep_batch(TlAloneWalk *walk, const TlLogRow *row)
{
	uint8_t    *copy = MemoryContextAlloc(walk->context, row->payload.size);

	if (walk->batch.data != NULL)
		pfree(unconstify(uint8_t *, walk->batch.data));
	memcpy(copy, row->payload.data, row->payload.size);
	walk->batch.data = copy;
	walk->batch.size = row->payload.size;
}

/* Unless it is stored since before a start: then it is the same. */
static void
store_block(TlOrder *order)
{
	TlAloneWalk *walk = order->walk;
	const TlConsensusBlock *block = &walk->alone.block;
	TlSpan		certificate = {walk->alone.certificate, sizeof(walk->alone.certificate)};
	TlStanding *standing = palloc0(sizeof(TlStanding));
	bool		last = block->header.height == order->alone.height;

	if (block->header.height == walk->tip.header.height &&
		memcmp(&block->hash, &walk->tip.hash, TL_HASH_SIZE) != 0)
		ereport(ERROR,
				errcode(TL_ERRCODE(TL_CHAIN_DAMAGED)),
				errmsg("block %llu is stored and is not the founder's",
					   (unsigned long long) block->header.height),
				tl_error_hint_damaged());
	if (block->header.height > walk->tip.header.height)
	{
		tl_chain_store_block(&walk->tip, &block->header);
		if (block->entry_count == 0)
		{
			TlBatchHeader header;

			tl_error_check(tl_chain_batch_decode(&header, walk->batch.data, walk->batch.size),
						   "batch header");
			tl_chain_pending_order(&header, walk->batch, &block->cut[0].digest,
								   (int64_t) block->header.height);
		}
		standing->members[0] = walk->alone.standing;
		tl_node_order_keep(block, certificate, standing, last ? 1 : 0);
	}
	pfree(standing);
}

/* The time of the next block, if the founder's list of it is here. */
static bool
have_time(TlOrder *order, int64_t *time)
{
	TlAloneWalk *walk = order->walk;
	uint64_t	height = walk->alone.block.header.height + 1;

	while (walk->chunk == NULL || !tl_chain_alone_time(time, &walk->times, height))
	{
		if (!find_times(order))
			return false;
	}
	return true;
}

/*
 * The next chunk of times, in the founder's batches since then.  They are among
 * its first ones; what has another form there is something else's body.
 */
static bool
find_times(TlOrder *order)
{
	TlAloneWalk *walk = order->walk;
	const TlAloneLogs *alone = &order->alone;
	uint64		count;

	do
	{
		Datum		values[] = {
			Int64GetDatum((int64) alone->member),
			tl_chain_bytes(alone->nonces[alone->count - 1], TL_NONCE_SIZE),
			Int64GetDatum((int64) walk->times_sequence),
			Int32GetDatum(BATCHES_MAX)
		};
		bytea	  **messages;

		count = tl_chain_execute(&select_batches, values, NULL, false);
		messages = palloc(sizeof(bytea *) * (count + 1));
		for (uint64 i = 0; i < count; i++)
			messages[i] = DatumGetByteaPCopy(tl_chain_result(i, 0, NULL));
		for (uint64 i = 0; i < count; i++)
		{
			TlLogRow	row;
			TlLane		lane;

			CHECK_FOR_INTERRUPTS();
			tl_error_check(tl_consensus_row_decode(&row, VARDATA_ANY(messages[i]),
												   VARSIZE_ANY_EXHDR(messages[i])),
						   "stored log row");
			if (!tl_node_order_holds(&row, &lane))
				return false;	/* bodies are to come */
			if (take_times(walk, &row))
				return true;
			walk->times_sequence = row.sequence;
			walk->times_chunk = 0;
		}
	}
	while (count == BATCHES_MAX);
	return false;
}

/* The next chunk of that batch which has times. */
static bool
take_times(TlAloneWalk *walk, const TlLogRow *row)
{
	TlBatchHeader header;

	tl_error_check(tl_chain_batch_decode(&header, row->payload.data, row->payload.size),
				   "batch header");
	while (walk->times_chunk < header.chunk_count)
	{
		TlBatchChunk named;
		TlAloneTimes times;
		MemoryContext caller;
		Datum		digest;
		bytea	   *chunk;

		tl_error_check(tl_chain_batch_get_chunk(&named, &header, walk->times_chunk++),
					   "chunk of a batch");
		digest = tl_chain_bytes(named.hash.bytes, TL_HASH_SIZE);
		if (tl_chain_execute(&select_chunk, &digest, NULL, false) == 0)
			continue;
		caller = MemoryContextSwitchTo(walk->context);
		chunk = DatumGetByteaPCopy(tl_chain_result(0, 0, NULL));
		MemoryContextSwitchTo(caller);
		if (tl_chain_alone_times_decode(&times, VARDATA_ANY(chunk),
										VARSIZE_ANY_EXHDR(chunk)) != TL_OK)
		{
			pfree(chunk);
			continue;
		}
		if (walk->chunk != NULL)
			pfree(walk->chunk);
		walk->chunk = chunk;
		walk->times = times;
		return true;
	}
	return false;
}

/*
 * The founder's own core, too: of that part of its log it is given each REJOIN and
 * the last row.
 */
void
tl_node_order_alone_give_own(TlOrder *order)
{
	const TlAloneLogs *alone = &order->alone;
	uint16_t	incarnation = 0;
	uint64_t	last;
	uint64		count;
	bool		more;
	TlOwnRow   *rows;

	for (unsigned i = 1; i < alone->count; i++)
	{
		Datum		nonce = tl_chain_bytes(alone->nonces[i], TL_NONCE_SIZE);
		bytea	   *message;

		if (tl_chain_execute(&select_first, &nonce, NULL, false) != 1)
			ereport(ERROR,
					errcode(TL_ERRCODE(TL_CHAIN_DAMAGED)),
					errmsg("a REJOIN of the own log is missing"),
					tl_error_hint_damaged());
		message = DatumGetByteaPCopy(tl_chain_result(0, 0, NULL));
		incarnation = (uint16_t) DatumGetInt32(tl_chain_result(0, 1, NULL));
		give_own_row(order, message);
	}
	last = alone->sequences[alone->count - 1];
	rows = tl_node_order_read_own(incarnation, last - 1, 1, &count, &more);
	if (count != 1 || rows[0].incarnation != incarnation)
		ereport(ERROR,
				errcode(TL_ERRCODE(TL_CHAIN_DAMAGED)),
				errmsg("row %llu of the own log is missing", (unsigned long long) last),
				tl_error_hint_damaged());
	give_own_row(order, DatumGetByteaPCopy(PointerGetDatum(rows[0].message)));
	order->own_incarnation = incarnation;
	order->own_sequence = last;
	/* the lane goes on where it was, unless a REJOIN came after it */
	memset(&order->lane, 0, sizeof(order->lane));
	for (unsigned i = 0; i < order->config->base.lane_count; i++)
		if (order->config->base.cut[i].member == alone->member &&
			order->config->base.cut[i].incarnation == incarnation)
			order->lane = order->config->base.cut[i];
}

static void
give_own_row(TlOrder *order, const bytea *message)
{
	TlLogRow	row;

	tl_error_check(tl_consensus_row_decode(&row, VARDATA_ANY(message),
										   VARSIZE_ANY_EXHDR(message)), "own log row");
	tl_error_check(tl_node_order_give(order, TL_INPUT_ROW, &row), "own log row");
}
