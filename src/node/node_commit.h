/*-------------------------------------------------------------------------
 *
 * node_commit.h
 *	  What a session does for its ledger rows when it commits.
 *
 *-------------------------------------------------------------------------
 */
#ifndef NODE_COMMIT_H
#define NODE_COMMIT_H

#include "tl_types.h"

extern void tl_node_commit_init(void);
extern bool tl_node_commit_wait(uint64_t xid, const Oid *relations,
								int relation_count, long timeout_ms,
								bool interruptible);

#endif							/* NODE_COMMIT_H */
