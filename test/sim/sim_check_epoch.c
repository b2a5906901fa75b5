/*-------------------------------------------------------------------------
 *
 * sim_check_epoch.c
 *	  What must hold of approvals and epochs in the final chain (V15).
 *
 * Approvals are counted anew from the blocks and the rows, by another way than
 * the core's: the whole epoch each time.
 *
 *-------------------------------------------------------------------------
 */
#include "sim.h"

#include "consensus_epoch.h"

#include <string.h>

/* Approvals of one member in an epoch, in the order of the chain. */
typedef struct Approvals
{
	unsigned	count;
	TlHash		motions[256];
	bool		decided[256];
} Approvals;

static Approvals approvals[SIM_NODES_MAX];

static void check_borders(SimWorld *world, const SimNode *node,
						  const TlConsensusBlock *block);
static void count_block(SimWorld *world, const TlConsensusBlock *block);
static unsigned decide_block(SimWorld *world, const TlConsensusBlock *block,
							 bool *change, TlHash *motion);
static void check_named(SimWorld *world, const TlConsensusBlock *block,
						const TlHash *row, const TlHash *decided);
static const SimRow *approval_row(SimWorld *world, const TlBlockEntry *entry,
								  TlGovern *govern, TlHash *motion);
static bool approves(uint32_t member, const TlHash *motion);
static bool names_next_set(const TlConsensusBlock *block);

/* V15; named: the row by which the core says that the block decides, or zeros. */
void
sim_check_epoch(SimWorld *world, const SimNode *node,
				const TlConsensusBlock *block, const TlHash *named)
{
	unsigned long long height = block->header.height;
	bool		change = false;
	TlHash		decided = {{0}};
	TlHash		earlier = {{0}};
	const TlHash none = {{0}};

	check_borders(world, node, block);
	if (block->entry_count == 0)
	{
		check_named(world, block, named, &decided);
		return;
	}
	memset(approvals, 0, sizeof(approvals));
	for (unsigned i = 0; i < node->chain_count + node->final_pending; i++)
	{
		bool		before = false;

		if (node->chain[i].header.epoch != block->header.epoch ||
			node->chain[i].header.height == 0)
			continue;
		count_block(world, &node->chain[i]);
		(void) decide_block(world, &node->chain[i], &before, &earlier);
	}
	count_block(world, block);
	if (decide_block(world, block, &change, &decided) > 1)
		sim_fail(world, "V15: block %llu decides two motions", height);
	check_named(world, block, named, &decided);
	world->seen[SIM_SEEN_DEPLOY] += !change && !sim_same(&decided, &none);
	if (change != names_next_set(block))
		sim_fail(world, "V15: block %llu %s", height, change ?
				 "ends the epoch and names no members" :
				 "names members that were not decided");
}

/* The core names an approval of the decided motion, which the block orders. */
static void
check_named(SimWorld *world, const TlConsensusBlock *block, const TlHash *row,
			const TlHash *decided)
{
	TlHash		none = {{0}};
	TlHash		motion = {{0}};
	TlGovern	govern;

	for (unsigned i = 0; i < block->entry_count; i++)
	{
		if (sim_same(&block->entries[i].digest, row) &&
			approval_row(world, &block->entries[i], &govern, &motion) != NULL)
			break;
	}
	if (!sim_same(&motion, decided) || sim_same(row, &none) != sim_same(decided, &none))
		sim_fail(world, "V15: block %llu decides another motion than the core says",
				 (unsigned long long) block->header.height);
}

/* Nothing of an epoch after the block that ends it, and nothing of another. */
static void
check_borders(SimWorld *world, const SimNode *node,
			  const TlConsensusBlock *block)
{
	const TlConsensusBlock *last =
	&node->chain[node->chain_count + node->final_pending - 1];
	unsigned long long height = block->header.height;
	bool		ended = names_next_set(last);
	uint64_t	epoch = last->header.epoch + ended;

	if (block->header.epoch != epoch)
		sim_fail(world, "V15: node %u: block %llu is of epoch %llu, not %llu",
				 node->id, height, (unsigned long long) block->header.epoch,
				 (unsigned long long) epoch);
	if (epoch >= world->epoch_count ||
		!sim_same(&block->header.members_hash, &world->epochs[epoch].members_hash))
		sim_fail(world, "V15: block %llu is not of the members of its epoch",
				 height);
	if (ended && !sim_same(&block->header.parent, &world->epochs[epoch].founding))
		sim_fail(world, "V15: block %llu does not follow the one that founds its epoch",
				 height);
}

static void
count_block(SimWorld *world, const TlConsensusBlock *block)
{
	for (unsigned i = 0; i < block->entry_count; i++)
	{
		TlGovern	govern;
		TlHash		motion;
		const SimRow *row = approval_row(world, &block->entries[i], &govern,
										 &motion);
		Approvals  *by;

		if (row == NULL)
			continue;
		by = &approvals[row->row.member - 1];
		if (govern.number != by->count + 1 || by->count == 256)
			sim_fail(world, "V15: block %llu orders approval %u of member %u, after %u",
					 (unsigned long long) block->header.height, govern.number,
					 row->row.member, by->count);
		by->motions[by->count++] = motion;
	}
}

/* How many motions have their quorum with this block? */
static unsigned
decide_block(SimWorld *world, const TlConsensusBlock *block, bool *change,
			 TlHash *decided_motion)
{
	const TlConsensusConfig *config = &world->epochs[block->header.epoch];
	unsigned	quorum = tl_consensus_quorum(sim_govern_validators(world, block->header.epoch),
											 config->quorum_of_three);
	unsigned	decided = 0;

	for (unsigned i = 0; i < block->entry_count; i++)
	{
		TlGovern	govern;
		TlHash		digest;
		TlMotion	motion;
		unsigned	count = 0;

		if (approval_row(world, &block->entries[i], &govern, &digest) == NULL)
			continue;
		for (unsigned j = 0; j < config->member_count; j++)
			count += config->members[j].validator &&
				approves(config->members[j].number, &digest);
		if (count < quorum)
			continue;
		decided++;
		*decided_motion = digest;
		if (tl_consensus_motion_decode(&motion, govern.motion.data,
									   govern.motion.size) == TL_OK)
			*change |= (motion.kind == TL_MOTION_CHANGE);
		for (unsigned j = 0; j < SIM_NODES_MAX; j++)
		{
			for (unsigned k = 0; k < approvals[j].count; k++)
				approvals[j].decided[k] |= sim_same(&approvals[j].motions[k],
													&digest);
		}
	}
	return decided;
}

/* Validly approved by a member of the epoch, or the run fails. */
static const SimRow *
approval_row(SimWorld *world, const TlBlockEntry *entry, TlGovern *govern,
			 TlHash *motion)
{
	const SimRow *row = sim_find(world, &entry->digest);
	const TlConsensusMember *member;
	TlHash		digest;

	if (row == NULL || row->row.kind != TL_LOG_GOVERN)
		return NULL;
	member = sim_govern_member(world, row->row.member, row->row.epoch);
	if (member == NULL || !member->validator ||
		tl_consensus_govern_decode(govern, row->row.payload.data,
								   row->row.payload.size) != TL_OK)
		sim_fail(world, "V15: an approval by member %u, who has no vote, is ordered",
				 row->row.member);
	tl_consensus_motion_digest(motion, govern->motion);
	tl_consensus_approval_digest(&digest, &world->config.chain_id,
								 row->row.member, row->row.epoch,
								 govern->number, motion);
	if (!sim_check_signature(NULL, govern->approval, &digest,
							 member->governance_key))
		sim_fail(world, "V15: an approval that member %u did not give is ordered",
				 row->row.member);
	return row;
}

/* Is it among the newest of his approvals, and not decided yet? */
static bool
approves(uint32_t member, const TlHash *motion)
{
	const Approvals *by = &approvals[member - 1];
	unsigned	first = (by->count > TL_CONSENSUS_APPROVALS_MAX) ?
	by->count - TL_CONSENSUS_APPROVALS_MAX : 0;

	for (unsigned i = first; i < by->count; i++)
	{
		if (!by->decided[i] && sim_same(&by->motions[i], motion))
			return true;
	}
	return false;
}

static bool
names_next_set(const TlConsensusBlock *block)
{
	for (unsigned i = 0; i < block->entry_count; i++)
	{
		if (block->entries[i].kind == TL_ENTRY_MEMBERS)
			return true;
	}
	return false;
}
