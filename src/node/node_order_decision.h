/*-------------------------------------------------------------------------
 *
 * node_order_decision.h
 *	  Which motion a final block decides.
 *
 *-------------------------------------------------------------------------
 */
#ifndef NODE_ORDER_DECISION_H
#define NODE_ORDER_DECISION_H

#include "consensus_types.h"

extern bool tl_node_order_decision_store(const TlConsensusBlock *block,
										 const TlHash *row_digest);

#endif							/* NODE_ORDER_DECISION_H */
