/*-------------------------------------------------------------------------
 *
 * node_event.h
 *	  Events of contracts: stored with their block, and sessions woken by them.
 *
 *-------------------------------------------------------------------------
 */
#ifndef NODE_EVENT_H
#define NODE_EVENT_H

#include "contract_event.h"
#include "table_ref.h"

/* In the transaction that applies a block; all of them are in the table at the end. */
extern void tl_node_event_begin(void);
extern void tl_node_event_store(int64_t height, const TlRefBytes *ref, const TlEvent *events,
								int count);
extern void tl_node_event_end(void);

/* The worker, between its transactions. */
extern void tl_node_event_notify(void);

#endif							/* NODE_EVENT_H */
