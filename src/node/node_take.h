/*-------------------------------------------------------------------------
 *
 * node_take.h
 *	  The state of a checkpoint, taken from the other members.
 *
 *-------------------------------------------------------------------------
 */
#ifndef NODE_TAKE_H
#define NODE_TAKE_H

#include "datatype/timestamp.h"

#include "node_order.h"

/* The process of the wire.  News from a session: perhaps a state is to be taken. */
extern void tl_node_take_wake(void);
extern TimestampTz tl_node_take_due(const TlWire *wire);
extern void tl_node_take_poll(TlWire *wire, TimestampTz now);
extern void tl_node_take_piece(void *context, const void *data, size_t size);

#endif							/* NODE_TAKE_H */
