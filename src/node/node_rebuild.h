/*-------------------------------------------------------------------------
 *
 * node_rebuild.h
 *	  The body of an applied batch, made again from the tables.
 *
 *-------------------------------------------------------------------------
 */
#ifndef NODE_REBUILD_H
#define NODE_REBUILD_H

#include "chain_batch.h"

typedef enum TlRebuildResult
{
	TL_REBUILD_DONE,			/* every chunk was given, byte for byte */
	TL_REBUILD_FAILED,			/* the tables do not give these bytes */
	TL_REBUILD_REFUSED,			/* no rows of it are here: the batch was refused */
	TL_REBUILD_LATER			/* a lock, memory, space */
} TlRebuildResult;

/* One chunk, in the order of the header; the data are valid during the call. */
typedef void (*TlRebuiltChunk) (void *context, const TlBatchChunk *chunk,
								const void *data);

extern TlRebuildResult tl_node_rebuild(const TlBatchHeader *header, int64_t height,
									   int64_t built, TlRebuiltChunk take,
									   void *context, char **reason);

#endif							/* NODE_REBUILD_H */
