/*-------------------------------------------------------------------------
 *
 * node_apply_batch.h
 *	  The rows of one batch become part of shared tables.
 *
 *-------------------------------------------------------------------------
 */
#ifndef NODE_APPLY_BATCH_H
#define NODE_APPLY_BATCH_H

#include "chain_batch.h"
#include "node_apply.h"

extern void tl_node_apply_batch(const TlBatchHeader *header, const TlHash *digest,
								int64_t height, bool own, bool built);

/* node_apply.c: tell the hooks, and list what is refused. */
extern void tl_node_apply_rows_end(bool count);
extern void tl_node_apply_tell(int64_t height, const uint8_t table_id[TL_TABLE_ID_SIZE],
							   const TlRefBytes *ref, TlSpan bytes);
extern void tl_node_apply_tell_rejected(int64_t height, const TlHash *batch,
										const TlRefBytes *ref, const char *sqlstate,
										TlSpan bytes);

#endif							/* NODE_APPLY_BATCH_H */
