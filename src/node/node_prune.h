/*-------------------------------------------------------------------------
 *
 * node_prune.h
 *	  Bodies that are of no use any more are dropped; those asked for are made again.
 *
 *-------------------------------------------------------------------------
 */
#ifndef NODE_PRUNE_H
#define NODE_PRUNE_H

#include "chain_batch.h"

extern void tl_node_prune_wake(void);
extern void tl_node_prune_applied(void);
extern long tl_node_prune_tend(void);
extern void tl_node_prune_want(const TlBatchHeader *header, const TlHash *digest);

#endif							/* NODE_PRUNE_H */
