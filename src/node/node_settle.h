/*-------------------------------------------------------------------------
 *
 * node_settle.h
 *	  Settings of PostgreSQL in the processes of a node.
 *
 *-------------------------------------------------------------------------
 */
#ifndef NODE_SETTLE_H
#define NODE_SETTLE_H

extern void tl_node_settle(const char *application_name);

#endif							/* NODE_SETTLE_H */
