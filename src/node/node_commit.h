/*-------------------------------------------------------------------------
 *
 * node_commit.h
 *	  What a session does for its ledger rows when it commits.
 *
 *-------------------------------------------------------------------------
 */
#ifndef NODE_COMMIT_H
#define NODE_COMMIT_H

extern void tl_node_commit_init(void);
/* Is what somebody waits for true now?  Asked again after each block. */
typedef bool (*TlNodeDone) (void *context);

extern bool tl_node_commit_wait(TlNodeDone done, void *context,
								long timeout_ms, bool interruptible);

#endif							/* NODE_COMMIT_H */
