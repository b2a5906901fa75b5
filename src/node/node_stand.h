/*-------------------------------------------------------------------------
 *
 * node_stand.h
 *	  At which call applying stands.
 *
 *-------------------------------------------------------------------------
 */
#ifndef NODE_STAND_H
#define NODE_STAND_H

#include "table_ref.h"

extern void tl_node_stand_begin(int64_t height, const TlRefBytes *ref);
extern void tl_node_stand_end(void);
extern void tl_node_stand_failed(void);
extern void tl_node_stand_leave(void);
extern void tl_node_stand_interrupt(void);

#endif							/* NODE_STAND_H */
