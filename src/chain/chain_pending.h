/*-------------------------------------------------------------------------
 *
 * chain_pending.h
 *	  Batches on their way into a block that several members order.
 *
 *-------------------------------------------------------------------------
 */
#ifndef CHAIN_PENDING_H
#define CHAIN_PENDING_H

#include "chain_batch.h"
#include "chain_block.h"
#include "table_ref.h"

/* Own batches that are in no final block. */
typedef struct TlPending
{
	int64_t		count;
	int64_t		rows;			/* in them */
	int64_t		snapshot;		/* the least that one of them belongs to */
	bool		late;			/* one of them holds late rows */
} TlPending;

/* An own batch of a final block, without its sections: a restored database. */
typedef struct TlReturned
{
	TlBatchHeader header;
	TlSpan		bytes;			/* of the header */
	TlHash		digest;
	int64_t		height;
} TlReturned;

extern void tl_chain_pending_begin(uint16_t incarnation);
extern void tl_chain_pending_look(TlPending *out);
extern bool tl_chain_pending_holds(const TlRefBytes *ref, int64_t *batch);
extern bool tl_chain_pending_next(int64_t *batch, TlBatchHeader *header,
								  uint16_t incarnation);
extern void tl_chain_pending_place(int64_t batch, uint16_t incarnation,
								   const uint8_t *header, size_t size,
								   const TlHash *digest);
extern void tl_chain_pending_claim(const TlBatchHeader *header, TlSpan bytes,
								   const TlHash *digest);
extern int	tl_chain_pending_returned(TlReturned *out, int limit, uint32_t member);
extern void tl_chain_pending_known(const TlHash *digest);
extern bool tl_chain_pending_row(TlSpan *message, const TlHash *digest, bool read_only);
extern bool tl_chain_pending_find(TlBatchHeader *out, TlSpan *bytes,
								  const TlHash *digest);
extern void tl_chain_pending_order(const TlBatchHeader *header, TlSpan bytes,
								   const TlHash *digest, int64_t height);

#endif							/* CHAIN_PENDING_H */
