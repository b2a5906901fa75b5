/*-------------------------------------------------------------------------
 *
 * node_call.h
 *	  The calls of a block.
 *
 *-------------------------------------------------------------------------
 */
#ifndef NODE_CALL_H
#define NODE_CALL_H

extern void tl_node_call_init(void);
extern bool tl_node_call_is_due(int64_t height);
/* Whether the next blocks run anything of contracts. */
extern void tl_node_call_run(bool on);

#endif							/* NODE_CALL_H */
