/*-------------------------------------------------------------------------
 *
 * node_order_checkpoint.c
 *	  What the state is after a final block, what it has due, and stable checkpoints.
 *
 * The core is told the state after each block that is stored, writes STATE, and
 * says when a quorum has said the same (src/consensus/README.md, "Checkpoints").
 * The certificate of such a checkpoint is kept in ledger_internal.checkpoint.
 *
 * Of what is applied only: ordering runs ahead of that, so the state of a block
 * is told when the worker has applied it (node_state.c), and a node whose state
 * is not the others' and which therefore applies no more tells nothing.
 *
 * A core that is made anew is told first what the state was after the checkpoint
 * that the last header names, so that it knows a difference again.
 *
 * So is it with timers of contracts (P12 there): what is due next, after the last
 * block, when that is applied.  Their tables may be locked by a session.  This process does not
 * wait for that, since votes would wait as well: it asks again a while later, and is
 * until then as one who has not applied the block.
 *
 * The caller is in a transaction and has connected SPI.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "miscadmin.h"

#include "chain_applied.h"
#include "chain_state_store.h"
#include "chain_statement.h"
#include "chain_store.h"
#include "contract_timer.h"
#include "node_order_state.h"
#include "node_shared.h"
#include "node_state.h"
#include "tl_error.h"

#define BLOCKS_MAX		256		/* told in one turn */

/* Below the last block, told to a new core: STATE may be missing of them. */
#define BLOCKS_AGAIN	8

/* Timers are locked: until they are asked for again. */
#define DUE_AGAIN_US	INT64CONST(1000000)

static TlStatement select_blocks = {
	"SELECT height, hash, header FROM ledger_internal.ordered_block"
	" WHERE height > $1 AND height <= $3 ORDER BY height LIMIT $2",
	3, {INT8OID, INT4OID, INT8OID}
};
static TlStatement insert_checkpoint = {
	"INSERT INTO ledger_internal.checkpoint (height, block, state_root, outcome_root, certificate)"
	" VALUES ($1, $2, $3, $4, $5) ON CONFLICT DO NOTHING",
	5, {INT8OID, BYTEAOID, BYTEAOID, BYTEAOID, BYTEAOID}
};

static TlStatement select_founding = {
	"SELECT coalesce(max(height), 0) FROM ledger_internal.epoch"
};

static uint64_t founding_height(void);
static void look_at_stop(TlOrder *order);
static void tell(TlOrder *order, uint64_t after, uint64_t last);
static void read_block(TlInput *input, uint64 *checkpoint_height, uint64 place);

/* A new core was told of no state yet. */
void
tl_node_order_checkpoint_open(TlOrder *order)
{
	uint64_t	told = Min((uint64_t) tl_chain_applied_height(), order->height);

	memset(&order->outcomes, 0, sizeof(order->outcomes));
	order->checkpoint_told = false;
	order->silent = 0;
	order->checkpoint_named = 0;
	order->due_told = 0;
	order->due_us = 0;
	order->unsure = true;
	order->stated = Max(founding_height(), told > BLOCKS_AGAIN ? told - BLOCKS_AGAIN : 0);
}

/* STATE is of blocks of one's own epoch. */
static uint64_t
founding_height(void)
{
	tl_chain_execute(&select_founding, NULL, NULL, false);
	return (uint64_t) DatumGetInt64(tl_chain_result(0, 0, NULL));
}

/* The state after each block that was applied since. */
void
tl_node_order_checkpoint_tell(TlOrder *order)
{
	uint64_t	applied;
	uint64_t	checkpoint = order->config->base.header.checkpoint_height;

	look_at_stop(order);
	if (!order->started || order->stated >= order->height || order->anew)
		return;
	applied = Min((uint64_t) tl_chain_applied_height(), order->height);
	if (!order->checkpoint_told && checkpoint > 0 && checkpoint <= applied)
	{
		order->checkpoint_told = true;
		if (checkpoint <= order->stated)
			tell(order, checkpoint - 1, checkpoint);
	}
	if (order->stated < applied)
		tell(order, order->stated, applied);
}

/* P12; nothing else becomes of timers until the next block is stored, here. */
void
tl_node_order_checkpoint_tell_due(TlOrder *order)
{
	TlInput		input = {.kind = TL_INPUT_DUE,.more = true};
	TimestampTz at;
	TlStatus	status;

	if (!order->started || order->anew || order->height == 0 || order->due_told == order->height ||
		order->due_us > tl_node_order_now_us() || (uint64_t) tl_chain_applied_height() != order->height ||
		tl_chain_state_is_stopped())
		return;
	order->due_us = 0;
	if (!tl_contract_timer_lock())
	{
		order->due_us = tl_node_order_now_us() + DUE_AGAIN_US;
		return;
	}
	input.height = order->height;
	if (tl_contract_timer_next(&at))
		input.due_us = tl_chain_time_to_unix(at);
	order->due_told = order->height;
	status = tl_node_order_step(order, &input);
	if (status != TL_BAD_VERSION)	/* R27 */
		tl_error_check(status, "what is due");
}

/*
 * Blocks are applied again: the core is to forget that the state differed, now or when
 * the chain names a checkpoint above that of which it knows.  Whoever
 * else stops it says so (tl_node_order_doubt), or has stored no block above; so it need
 * not ask while it is sure.
 */
static void
look_at_stop(TlOrder *order)
{
	bool		stopped;

	if (order->silent > 0 && order->checkpoint_named >= order->silent && order->checkpoint_named > order->renewed)
	{
		/* another core does not look at that one any more, unless it is of that very block */
		order->silent = 0;
		order->renewed = order->checkpoint_named;
		order->anew = true;
	}
	if (!order->unsure)
		return;
	stopped = tl_chain_state_is_stopped();
	if (order->stopped && !stopped)
	{
		order->anew = true;
		tl_node_shared_tell_worker(MyDatabaseId, TL_NEWS_ORDERED);
	}
	order->stopped = stopped;
	order->unsure = stopped;
}

static void
tell(TlOrder *order, uint64_t after, uint64_t last)
{
	Datum		values[] = {
		Int64GetDatum((int64) after), Int32GetDatum(BLOCKS_MAX), Int64GetDatum((int64) last)
	};
	uint64		count = tl_chain_execute(&select_blocks, values, NULL, false);
	TlInput    *inputs = palloc0((count + 1) * sizeof(TlInput));
	uint64	   *checkpoints = palloc0((count + 1) * sizeof(uint64));

	/* what is read of each state, and a step, end this result */
	order->asked |= count == BLOCKS_MAX;	/* come again */
	for (uint64 i = 0; i < count; i++)
		read_block(&inputs[i], &checkpoints[i], i);
	for (uint64 i = 0; i < count; i++)
	{
		TlStatus	status;

		if (tl_node_state_read(&inputs[i].state, &order->outcomes, checkpoints[i]))
		{
			status = tl_node_order_step(order, &inputs[i]);
			if (status == TL_BAD_VERSION)
				return;			/* R27 */
			tl_error_check(status, "state");
		}
		order->stated = Max(order->stated, inputs[i].state.height);
	}
}

static void
read_block(TlInput *input, uint64 *checkpoint_height, uint64 place)
{
	bytea	   *hash = DatumGetByteaPP(tl_chain_result(place, 1, NULL));
	bytea	   *bytes = DatumGetByteaPP(tl_chain_result(place, 2, NULL));
	TlBlockHeader header;

	tl_error_check(tl_chain_block_decode(&header, VARDATA_ANY(bytes), VARSIZE_ANY_EXHDR(bytes)),
				   "stored block header");
	input->kind = TL_INPUT_STATE;
	input->more = true;
	input->state.height = header.height;
	memcpy(input->state.block.bytes, VARDATA_ANY(hash), TL_HASH_SIZE);
	input->view = header.view;
	*checkpoint_height = header.checkpoint_height;
}

/* A quorum says the same; may blocks be applied again therefore? */
bool
tl_node_order_checkpoint_store(const TlAction *action)
{
	Datum		values[] = {
		Int64GetDatum((int64) action->state.height),
		tl_chain_bytes(action->state.block.bytes, TL_HASH_SIZE),
		tl_chain_bytes(action->state.state_root.bytes, TL_HASH_SIZE),
		tl_chain_bytes(action->state.outcome_root.bytes, TL_HASH_SIZE),
		tl_chain_bytes(action->certificate.data, action->certificate.size)
	};

	tl_chain_execute(&insert_checkpoint, values, NULL, false);
	return tl_node_state_agreed();
}
