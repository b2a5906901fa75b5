/*-------------------------------------------------------------------------
 *
 * node_state.h
 *	  The state of this node: set hashes of shared tables, kept up block by
 *	  block; and when it is not that of the others.
 *
 *-------------------------------------------------------------------------
 */
#ifndef NODE_STATE_H
#define NODE_STATE_H

#include "chain_state_store.h"
#include "consensus_types.h"
#include "table_row.h"

extern void tl_node_state_init(void);

/* Also for whoever has a set of his own in the state; in the hooks of a block
 * that is being applied, before the one at its end. */
extern void tl_node_state_add(const uint8_t table_id[TL_TABLE_ID_SIZE],
							  const TlHash *element);
extern void tl_node_state_change(const uint8_t table_id[TL_TABLE_ID_SIZE],
								 const TlHash *element, int count);
extern void tl_node_state_outcome(int64_t height, const uint8_t leaf[TL_OUTCOME_LEAF_SIZE]);

extern bool tl_node_state_read(TlState *state, TlOutcomes *outcomes,
							   uint64_t checkpoint_height);
extern bool tl_node_state_differs(const TlAction *action);
extern bool tl_node_state_agreed(void);

#endif							/* NODE_STATE_H */
