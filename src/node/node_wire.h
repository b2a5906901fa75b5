/*-------------------------------------------------------------------------
 *
 * node_wire.h
 *	  The background process that carries log rows to and from other members.
 *
 *-------------------------------------------------------------------------
 */
#ifndef NODE_WIRE_H
#define NODE_WIRE_H

#include "fmgr.h"

#define TL_NODE_WIRE_FUNCTION	"tl_node_wire_main"

extern void tl_node_wire_init(void);

/* For the worker's loop. */
extern void tl_node_wire_look(void);
extern long tl_node_wire_tend(void);
extern void tl_node_wire_wake(void);

extern PGDLLEXPORT void tl_node_wire_main(Datum database);

#endif							/* NODE_WIRE_H */
