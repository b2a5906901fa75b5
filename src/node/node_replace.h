/*-------------------------------------------------------------------------
 *
 * node_replace.h
 *	  The contents of all state tables, replaced by those that a quorum has signed.
 *
 *-------------------------------------------------------------------------
 */
#ifndef NODE_REPLACE_H
#define NODE_REPLACE_H

#include "tl_types.h"

/* The worker, in a transaction.  Are all pieces of a state here, of which block, and up to which
 * block are the ones before executed all the same? */
extern bool tl_node_replace_is_due(int64_t *height, int64_t *executed);

/* A block was applied without what it runs of contracts, in this transaction. */
extern void tl_node_replace_pass(void);

/* Blocks are applied up to that one; false: the pieces are not its state. */
extern bool tl_node_replace(int64_t height);

#endif							/* NODE_REPLACE_H */
