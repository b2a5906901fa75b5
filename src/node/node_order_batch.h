/*-------------------------------------------------------------------------
 *
 * node_order_batch.h
 *	  Batches between the worker, the own log and final blocks.
 *
 *-------------------------------------------------------------------------
 */
#ifndef NODE_ORDER_BATCH_H
#define NODE_ORDER_BATCH_H

#include "chain_batch.h"
#include "consensus_types.h"

/* The next batch of the worker, with its place in the own lane. */
typedef struct TlOwnBatch
{
	int64_t		number;			/* running */
	TlLane		lane;			/* as it is after the batch */
	TlSpan		header;			/* in the caller's context */
} TlOwnBatch;

extern bool tl_node_order_batch_next(TlOwnBatch *out, const TlLane *lane,
									 uint32_t member, uint16_t incarnation);
extern void tl_node_order_batch_placed(const TlOwnBatch *batch);
extern void tl_node_order_batch_returned(const TlLogRow *row);
extern void tl_node_order_batch_final(const TlConsensusBlock *block);

#endif							/* NODE_ORDER_BATCH_H */
