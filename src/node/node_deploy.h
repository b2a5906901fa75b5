/*-------------------------------------------------------------------------
 *
 * node_deploy.h
 *	  Contracts and new versions of them, which blocks decide on.
 *
 *-------------------------------------------------------------------------
 */
#ifndef NODE_DEPLOY_H
#define NODE_DEPLOY_H

extern void tl_node_deploy_init(void);

#endif							/* NODE_DEPLOY_H */
