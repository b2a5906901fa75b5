/*-------------------------------------------------------------------------
 *
 * sim_check_vote.c
 *	  What an honest member may vote for: what the block says is looked up in
 *	  this world, not asked of his core.
 *
 * A vote for what must not be ordered seldom does harm at once: others refuse
 * it, or the block is stuck.  So these three are looked for at the vote itself:
 *	  V7   the bodies of what it adds to its parent are on the voter's disk (R12)
 *	  V15  it is of the members of its epoch (R24)
 *	  V11  it adds something, or its parent is not final yet (P5)
 *
 *-------------------------------------------------------------------------
 */
#include "sim.h"

#include "chain_batch.h"
#include "merkle_hash.h"

static bool has_bodies(SimWorld *world, const SimNode *node,
					   const TlLane *to, const TlLane *from,
					   unsigned from_count);
static bool find_block(SimWorld *world, const TlLogRow *vote,
					   TlProposal *proposal, TlBlockHeader *header);
static bool read_proposal(const SimRow *row, TlProposal *proposal);

/* Of a NOTARIZE row that is durable now. */
void
sim_check_vote(SimWorld *world, const SimNode *node, const TlLogRow *vote)
{
	TlProposal	proposal;
	TlProposal	before;
	TlBlockHeader header;
	TlLane		lanes[TL_MEMBER_COUNT_MAX];
	TlLane		from[TL_MEMBER_COUNT_MAX];
	unsigned	count = 0;
	unsigned	from_count = 0;

	if (!sim_is_honest(node) || !find_block(world, vote, &proposal, &header))
		return;
	if (!sim_same(&header.members_hash, &world->epochs[vote->epoch].members_hash))
		sim_fail(world, "V15: node %u votes for a block that is not of the members of its epoch, in view %llu",
				 node->id, (unsigned long long) vote->view);
	(void) tl_chain_cut_decode(lanes, &count, TL_MEMBER_COUNT_MAX,
							   proposal.cut.data, proposal.cut.size);
	if (read_proposal(sim_find(world, &header.parent), &before))
		(void) tl_chain_cut_decode(from, &from_count, TL_MEMBER_COUNT_MAX,
								   before.cut.data, before.cut.size);
	for (unsigned i = 0; i < count; i++)
	{
		if (!has_bodies(world, node, &lanes[i], from, from_count))
			sim_fail(world, "V7: node %u votes in view %llu for a batch of member %u of which it has no body",
					 node->id, (unsigned long long) vote->view, lanes[i].member);
	}
}

/* When the core asks for the vote: what is final now was so for it as well. */
void
sim_check_vote_asked(SimWorld *world, const SimNode *node, const TlLogRow *vote)
{
	const TlConsensusBlock *tip =
	&node->chain[node->chain_count + node->final_pending - 1];
	TlProposal	proposal;
	TlBlockHeader header;
	TlHash		empty;

	if (vote->kind != TL_LOG_NOTARIZE || !sim_is_honest(node) ||
		!find_block(world, vote, &proposal, &header))
		return;
	tl_merkle_empty_root(&empty);
	if (proposal.entry_count == 0 && sim_same(&header.batch_root, &empty) &&
		sim_same(&header.parent, &tip->hash) &&
		!sim_due_by(world, node, (unsigned) tip->header.height, header.time))
		sim_fail(world, "V11: node %u votes in view %llu for a block that orders nothing and runs nothing, on one that is final",
				 node->id, (unsigned long long) vote->view);
}

/* From the cut down to the parent's, by the headers of the batches. */
static bool
has_bodies(SimWorld *world, const SimNode *node, const TlLane *to,
		   const TlLane *from, unsigned from_count)
{
	TlHash		digest = to->digest;
	uint64_t	batch = to->batch;

	while (batch-- > 0)
	{
		const SimRow *row;
		TlBatchHeader header;

		for (unsigned i = 0; i < from_count; i++)
		{
			if (from[i].member == to->member && sim_same(&from[i].digest, &digest))
				return true;
		}
		if (!sim_disk_has_body(node, &digest))
			return false;
		row = sim_find(world, &digest);
		if (row == NULL ||
			tl_chain_batch_decode(&header, row->row.payload.data,
								  row->row.payload.size) != TL_OK)
			return false;
		digest = header.previous;
	}
	return true;
}

static bool
find_block(SimWorld *world, const TlLogRow *vote, TlProposal *proposal,
		   TlBlockHeader *header)
{
	TlHash		block;

	return tl_consensus_vote_decode(&block, vote->payload.data,
									vote->payload.size) == TL_OK &&
		read_proposal(sim_find(world, &block), proposal) &&
		tl_chain_block_decode(header, proposal->header.data,
							  proposal->header.size) == TL_OK;
}

static bool
read_proposal(const SimRow *row, TlProposal *proposal)
{
	return row != NULL && row->row.kind == TL_LOG_PROPOSE &&
		tl_consensus_proposal_decode(proposal, row->row.payload.data,
									 row->row.payload.size) == TL_OK;
}
