/*-------------------------------------------------------------------------
 *
 * node_scrub.h
 *	  The background process that reads a whole ledger again and again.
 *
 *-------------------------------------------------------------------------
 */
#ifndef NODE_SCRUB_H
#define NODE_SCRUB_H

#include "fmgr.h"

#define TL_NODE_SCRUB_FUNCTION	"tl_node_scrub_main"

/* For the worker's loop. */
extern long tl_node_scrub_tend(void);

extern PGDLLEXPORT void tl_node_scrub_main(Datum database);

#endif							/* NODE_SCRUB_H */
