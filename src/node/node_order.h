/*-------------------------------------------------------------------------
 *
 * node_order.h
 *	  The core of consensus, fed from the wire.
 *
 *-------------------------------------------------------------------------
 */
#ifndef NODE_ORDER_H
#define NODE_ORDER_H

#include "datatype/timestamp.h"

#include "node_identity.h"
#include "replication_wire.h"

typedef struct TlOrder TlOrder;

extern bool tl_node_order_is_on(void);
extern TlOrder *tl_node_order_make(const TlNodeIdentity *identity, TlWire *wire,
								   TlSink *sink);
extern void tl_node_order_open(TlOrder *order);
extern void tl_node_order_wake(TlOrder *order);
extern void tl_node_order_doubt(TlOrder *order);
extern TimestampTz tl_node_order_poll(TlOrder *order, TimestampTz now);

#endif							/* NODE_ORDER_H */
