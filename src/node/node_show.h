/*-------------------------------------------------------------------------
 *
 * node_show.h
 *	  The state after a checkpoint, shown to members who ask for it.
 *
 *-------------------------------------------------------------------------
 */
#ifndef NODE_SHOW_H
#define NODE_SHOW_H

#include "tl_types.h"

/* What stands before the rows of a piece: which making it is of, and how many pieces that has. */
#define TL_SHOWN_MAKING_SIZE	8
#define TL_SHOWN_HEADER_SIZE	(TL_SHOWN_MAKING_SIZE + 4)

/*
 * The process of the wire, in a transaction; without pieces: it is being made, or will be
 * when it is that member's turn; empty: it is not here.
 */
extern TlSpan tl_node_show_piece(void *context, uint32_t member, uint64_t height, uint32_t number);

/* Behind that transaction: the worker, who would not see the question before, is told of it. */
extern void tl_node_show_tell(void);

/* The worker, between its transactions; for how many ms there is nothing to do, -1: for ever. */
extern long tl_node_show_tend(void);
extern void tl_node_show_wake(void);

#endif							/* NODE_SHOW_H */
