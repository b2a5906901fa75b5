/*-------------------------------------------------------------------------
 *
 * node_round.h
 *	  One round of the worker: what is new becomes a final block.
 *
 *-------------------------------------------------------------------------
 */
#ifndef NODE_ROUND_H
#define NODE_ROUND_H

#include "chain_pending.h"
#include "chain_reject.h"
#include "node_block.h"

typedef enum TlRoundResult
{
	TL_ROUND_IDLE,				/* nothing to do until somebody commits */
	TL_ROUND_BLOCKED,			/* a table waits for a lock: try again soon */
	TL_ROUND_MORE,				/* a block or batch was made, more may follow */
	TL_ROUND_FULL,				/* the members have to order batches first */
	TL_ROUND_NOT_A_NODE			/* the ledger, or its incarnation, has ended */
} TlRoundResult;

/* The worker's memory between rounds. */
typedef struct TlRoundState
{
	TlNodeHead	head;
	TlProgress	progress;

	bool		ordered;		/* several members make the blocks */
	bool		has_key;		/* without it nothing is batched */
	uint8_t		public_key[TL_XONLY_KEY_SIZE];	/* of the key in head */
	bool		tip_moved;		/* and have made one: read it */
	bool		recognises;		/* rows may be in batches that are not here */
	TlPending	pending;		/* batches that are in none yet */
	int64_t		published;		/* snapshot that was last told to be final */

	TlLagging  *lagging;
	int			lagging_count;

	/* where rows can be that are not batched yet, beside the dirty set */
	TlProbe    *probes;
	int			probe_count;
	int			probe_capacity;

	TlRowCheck *check;			/* of signatures */
	bool		awaited;		/* a session waits for what this round, or one
								 * soon, makes final */

	bool		look_everywhere;	/* the dirty set is not to be trusted */
	uint64_t   *untracked;		/* in progress when we looked everywhere: the
								 * dirty set may lack them */
	int			untracked_count;

	MemoryContext context;		/* of all of the above */
	MemoryContext round_context;	/* of one round, reset after each */
} TlRoundState;

extern void tl_node_round_init(TlRoundState *state, MemoryContext context);
extern void tl_node_round_mark(const TlRoundState *state);
extern TlRoundResult tl_node_round(TlRoundState *state);

#endif							/* NODE_ROUND_H */
