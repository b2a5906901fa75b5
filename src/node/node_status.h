/*-------------------------------------------------------------------------
 *
 * node_status.h
 *	  What this node is doing.
 *
 *-------------------------------------------------------------------------
 */
#ifndef NODE_STATUS_H
#define NODE_STATUS_H

#include "node_identity.h"

extern int64_t tl_node_status_pending(const TlNodeIdentity *identity,
									  uint16_t incarnation);

#endif							/* NODE_STATUS_H */
