/*-------------------------------------------------------------------------
 *
 * node_block.h
 *	  From a built batch to a final block, for a ledger of one member.
 *
 *-------------------------------------------------------------------------
 */
#ifndef NODE_BLOCK_H
#define NODE_BLOCK_H

#include "chain_pending.h"
#include "chain_store.h"
#include "replication_own_log.h"

/* What links and signs; a value, taken over when the transaction commits. */
typedef struct TlNodeHead
{
	TlTip		tip;
	TlOwnLog	log;
	uint16_t	incarnation;
	uint8_t		secret[TL_SECRET_SIZE];
} TlNodeHead;

/* Which snapshot difference a batch belongs to. */
typedef struct TlBatchPlace
{
	int64_t		snapshot_number;
	bool		completes;
	bool		late;
	uint32_t	waiting_age_s;
	int64_t		time;			/* of the header, us since 1970 UTC */
	const TlReturned *returned; /* it is that one, and not a new one */
} TlBatchPlace;

extern void tl_node_block_seed(TlHash *out, const TlNodeHead *head, int64_t time);
extern void tl_node_block_append(TlNodeHead *head, const TlBuiltBatch *batch,
								 const TlBatchPlace *place);
extern void tl_node_block_take_back(TlNodeHead *head, const TlBuiltBatch *batch,
									const TlBatchPlace *place);
extern void tl_node_block_leave(TlNodeHead *head, const TlBuiltBatch *batch,
								const TlBatchPlace *place);
extern void tl_node_block_rejoin(TlNodeHead *head, uint64_t view, TlSpan payload);
extern void tl_node_block_finalize(TlNodeHead *head);

#endif							/* NODE_BLOCK_H */
