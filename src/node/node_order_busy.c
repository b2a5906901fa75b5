/*-------------------------------------------------------------------------
 *
 * node_order_busy.c
 *	  The core is told when the worker is busy with final blocks (P23).
 *
 * It is busy if, beside the block that it applies, others wait with bodies of
 * some size in all.  Private rows have none: those of others do not hold up a
 * leader whose own million keeps the worker from applying them.  Who is further
 * behind than TL_BUSY_BLOCKS follows the others, and whose state differs applies
 * nothing any more: nobody waits for that.
 *
 * When a block is applied the worker wakes this process, as it does to have the
 * state told (node_order_checkpoint.c).
 *
 * The caller is in a transaction and has connected SPI.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "chain_applied.h"
#include "node_order_state.h"
#include "tl_error.h"

#define BUSY_SIZE	16384		/* bytes of bodies: some 50 calls */

static bool is_busy(const TlOrder *order);

/* For a new core, which is not busy. */
void
tl_node_order_busy_open(TlOrder *order)
{
	memset(order->body_sizes, 0, sizeof(order->body_sizes));
	order->busy = false;
}

/* One more final block. */
void
tl_node_order_busy_more(TlOrder *order, const TlAction *action)
{
	order->body_sizes[action->block->header.height % TL_BUSY_BLOCKS] = action->body_size;
}

void
tl_node_order_busy_tell(TlOrder *order)
{
	TlInput		input = {.kind = TL_INPUT_BUSY, .more = true};

	if (!order->started || order->anew)
		return;
	input.busy = is_busy(order);
	if (input.busy == order->busy)
		return;
	order->busy = input.busy;
	tl_error_check(tl_node_order_step(order, &input), "work");
}

static bool
is_busy(const TlOrder *order)
{
	uint64_t	applied = (uint64_t) tl_chain_applied_height();
	uint64_t	size = 0;

	if (order->stopped || applied >= order->height || order->height - applied > TL_BUSY_BLOCKS)
		return false;
	for (uint64_t height = applied + 2; height <= order->height; height++)
		size += order->body_sizes[height % TL_BUSY_BLOCKS];
	return size >= BUSY_SIZE;
}
