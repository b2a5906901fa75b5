/*-------------------------------------------------------------------------
 *
 * sim_check_reply.c
 *	  What a REPLY shows stays the newest row of its incarnation (V25).
 *
 * A member that has lost memory goes on from what the others show it when they
 * reply.  Where everybody's vote is needed it takes back the rows up to that one,
 * and may vote again in each view of which those say nothing.  So a row that
 * came later, and counted, would be one that its author knows nothing of.  Rows
 * that the disk had before the REPLY are given to each new core again.
 *
 *-------------------------------------------------------------------------
 */
#include "sim.h"

#include "consensus_reply.h"

#include <string.h>

/* A row of somebody's log has been taken by the core of this node. */
void
sim_check_reply_row(SimWorld *world, const SimNode *node, const TlLogRow *row)
{
	const SimRow *answer = node->replies[row->member - 1];
	TlReply		reply;

	if (answer == NULL || !sim_is_honest(node) ||
		tl_consensus_reply_decode(&reply, answer->row.payload.data,
								  answer->row.payload.size) != TL_OK)
		return;
	/* If it had none it is the first incarnation that has ended. */
	if (memcmp(reply.last.row.nonce, row->nonce, TL_NONCE_SIZE) == 0 &&
		row->sequence > reply.last.row.sequence)
		sim_fail(world, "V25: node %u said that row %llu of member %u is the newest, and takes row %llu",
				 node->id, (unsigned long long) reply.last.row.sequence,
				 row->member, (unsigned long long) row->sequence);
}
