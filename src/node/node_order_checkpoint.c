/*-------------------------------------------------------------------------
 *
 * node_order_checkpoint.c
 *	  What the state is after a final block, and stable checkpoints.
 *
 * The core is told the state after each block that is stored, writes STATE, and
 * says when a quorum has said the same (src/consensus/README.md, "Checkpoints").
 * The certificate of such a checkpoint is kept in ledger_internal.checkpoint.
 *
 * The state root is the one over the shared tables, the outcome root the one over
 * outcomes, events and rejections.  There are none of either in such a ledger yet,
 * so both are the RFC 6962 root over nothing, the same for everybody.
 *
 * The caller is in a transaction and has connected SPI.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "catalog/pg_type.h"

#include "chain_statement.h"
#include "crypto_hash.h"
#include "node_order_state.h"
#include "tl_error.h"

#define BLOCKS_MAX		256		/* told in one turn */

/* Below the last block, told to a new core: STATE may be missing of them. */
#define BLOCKS_AGAIN	8

static TlStatement select_blocks = {
	"SELECT height, hash, header FROM ledger_internal.ordered_block WHERE height > $1"
	" ORDER BY height LIMIT $2",
	2, {INT8OID, INT4OID}
};
static TlStatement insert_checkpoint = {
	"INSERT INTO ledger_internal.checkpoint (height, block, state_root, outcome_root, certificate)"
	" VALUES ($1, $2, $3, $4, $5) ON CONFLICT DO NOTHING",
	5, {INT8OID, BYTEAOID, BYTEAOID, BYTEAOID, BYTEAOID}
};

static void read_state(TlInput *input, uint64 place);

/* A new core was told of no state yet. */
void
tl_node_order_checkpoint_open(TlOrder *order)
{
	uint64_t	first = order->config->founding_view == 0 ? 0 : order->height;

	order->stated = Max(first, order->height > BLOCKS_AGAIN ? order->height - BLOCKS_AGAIN : 0);
}

/* The state after each block that was stored since. */
void
tl_node_order_checkpoint_tell(TlOrder *order)
{
	Datum		values[2] = {Int64GetDatum((int64) order->stated), Int32GetDatum(BLOCKS_MAX)};
	TlInput    *inputs;
	uint64		count;

	if (!order->started || order->stated >= order->height)
		return;
	/* a step may ask for statements, which end this result */
	count = tl_chain_execute(&select_blocks, values, NULL, false);
	inputs = palloc0((count + 1) * sizeof(TlInput));
	for (uint64 i = 0; i < count; i++)
		read_state(&inputs[i], i);
	for (uint64 i = 0; i < count; i++)
	{
		TlStatus	status = tl_node_order_step(order, &inputs[i]);

		if (status == TL_BAD_VERSION)
			return;				/* R27 */
		tl_error_check(status, "state");
		order->stated = inputs[i].state.height;
	}
}

static void
read_state(TlInput *input, uint64 place)
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
	tl_crypto_sha256(&input->state.state_root, "", 0);
	tl_crypto_sha256(&input->state.outcome_root, "", 0);
	input->view = header.view;
}

/* A quorum says the same. */
void
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
}
