/*-------------------------------------------------------------------------
 *
 * node_skip.h
 *	  Calls and deployments that the members pass over.
 *
 *-------------------------------------------------------------------------
 */
#ifndef NODE_SKIP_H
#define NODE_SKIP_H

#include "table_ref.h"

typedef enum TlSkipVerdict
{
	TL_SKIP_NONE,				/* the block can be applied */
	TL_SKIP_OPEN,				/* not before the members have decided */
	TL_SKIP_LATE				/* it decides on what was executed here */
} TlSkipVerdict;

extern TlSkipVerdict tl_node_skip_look(int64_t height);
extern bool tl_node_skip_has(const TlRefBytes *ref);

#endif							/* NODE_SKIP_H */
