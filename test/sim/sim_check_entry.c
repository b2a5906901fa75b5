/*-------------------------------------------------------------------------
 *
 * sim_check_entry.c
 *	  What must hold of the rows that final blocks order (V13).
 *
 * Judged anew from the blocks and the rows themselves, without the core's own
 * idea of who is convicted.
 *
 *-------------------------------------------------------------------------
 */
#include "sim.h"

#include "consensus_evidence.h"

static const SimRow *find_row(SimWorld *world, const SimNode *node,
							  const TlConsensusBlock *block, unsigned place);
static void check_once(SimWorld *world, const SimNode *node,
					   const TlConsensusBlock *block, const TlHash *digest);
static void check_evidence(SimWorld *world, const SimNode *node,
						   const TlConsensusBlock *block, const SimRow *row);
static bool convicts(SimWorld *world, const TlConsensusBlock *block,
					 uint32_t member, uint64_t epoch);

/* V13: they are here, with f + 1 honest nodes, and say something new. */
void
sim_check_entry(SimWorld *world, const SimNode *node,
				const TlConsensusBlock *block)
{
	for (unsigned i = 0; i < block->entry_count; i++)
	{
		const SimRow *row;

		if (block->entries[i].kind == TL_ENTRY_MEMBERS)
			continue;
		row = find_row(world, node, block, i);
		check_once(world, node, block, &block->entries[i].digest);
		if (row->row.kind == TL_LOG_EVIDENCE)
			check_evidence(world, node, block, row);
	}
}

/* Does a block of this node's chain order evidence against that member? */
bool
sim_check_entry_convicted(SimWorld *world, const SimNode *node,
						  uint32_t member, uint64_t epoch)
{
	for (unsigned i = 0; i < node->chain_count; i++)
	{
		if (convicts(world, &node->chain[i], member, epoch))
			return true;
	}
	return false;
}

/* How many REJOIN rows of that member do the blocks of this node's chain order? */
unsigned
sim_check_entry_rejoins(SimWorld *world, const SimNode *node, uint32_t member)
{
	unsigned	count = 0;

	for (unsigned i = 0; i < node->chain_count + node->final_pending; i++)
	{
		for (unsigned j = 0; j < node->chain[i].entry_count; j++)
		{
			const SimRow *row = (node->chain[i].entries[j].kind == TL_LOG_REJOIN) ?
				sim_find(world, &node->chain[i].entries[j].digest) : NULL;

			count += row != NULL && row->row.member == member;
		}
	}
	return count;
}

static const SimRow *
find_row(SimWorld *world, const SimNode *node, const TlConsensusBlock *block,
		 unsigned place)
{
	const SimRow *row = sim_find(world, &block->entries[place].digest);
	unsigned long long height = block->header.height;
	uint64_t	holders = 0;
	unsigned	count = 0;

	if (row == NULL)
		sim_fail(world, "V13: block %llu orders a row that nobody wrote", height);
	if (row->row.kind != block->entries[place].kind)
		sim_fail(world, "V13: block %llu gives a row another kind", height);
	/* A liar may have told it to several, each time anew. */
	for (const SimRow *same = world->rows; same != NULL; same = same->next)
		holders |= sim_same(&same->digest, &row->digest) ? same->holders : 0;
	if (!(holders >> node->id & 1))
		sim_fail(world, "V13: node %u: a row of block %llu is not here",
				 node->id, height);
	for (unsigned i = 0; i < world->node_count; i++)
		count += sim_is_honest(&world->nodes[i]) && (holders >> i & 1);
	if (count < sim_check_holders(world, block->header.epoch))
		sim_fail(world, "V13: a row of block %llu is held by %u only", height,
				 count);
	return row;
}

static void
check_once(SimWorld *world, const SimNode *node, const TlConsensusBlock *block,
		   const TlHash *digest)
{
	for (unsigned i = 0; i < node->chain_count + node->final_pending; i++)
	{
		for (unsigned j = 0; j < node->chain[i].entry_count; j++)
		{
			if (sim_same(&node->chain[i].entries[j].digest, digest))
				sim_fail(world, "V13: block %llu orders a row of block %llu again",
						 (unsigned long long) block->header.height,
						 (unsigned long long) node->chain[i].header.height);
		}
	}
}

static void
check_evidence(SimWorld *world, const SimNode *node,
			   const TlConsensusBlock *block, const SimRow *row)
{
	unsigned long long height = block->header.height;
	TlEvidence	evidence;
	uint32_t	accused;
	uint64_t	epoch;

	if (tl_consensus_evidence_decode(&evidence, &world->config.chain_id,
									 row->row.payload.data,
									 row->row.payload.size) != TL_OK)
		sim_fail(world, "V13: block %llu orders evidence of nothing", height);
	accused = evidence.rows[0].row.member;
	epoch = evidence.rows[0].row.epoch;
	if (evidence.rows[1].row.epoch > epoch)
		epoch = evidence.rows[1].row.epoch;
	for (int i = 0; i < (evidence.kind == TL_EVIDENCE_ILLEGAL ? 1 : 2); i++)
	{
		TlHash		digest;
		uint8_t		key[TL_XONLY_KEY_SIZE];

		sim_govern_key(world, accused, evidence.rows[i].row.epoch, key);
		tl_consensus_row_digest_of(&digest, &world->config.chain_id,
								   &evidence.rows[i].row,
								   &evidence.rows[i].payload_digest);
		if (!sim_check_signature(NULL, evidence.rows[i].row.signature, &digest,
								 key))
			sim_fail(world, "V13: block %llu orders evidence that was not signed",
					 height);
	}
	if (sim_is_honest(&world->nodes[accused - 1]))
		sim_fail(world, "V13: block %llu convicts member %u, who is honest",
				 height, accused);
	for (unsigned i = 0; i < node->chain_count + node->final_pending; i++)
	{
		if (convicts(world, &node->chain[i], accused, epoch))
			sim_fail(world, "V13: block %llu convicts member %u again", height,
					 accused);
	}
}

/* Evidence at least as young as that epoch? */
static bool
convicts(SimWorld *world, const TlConsensusBlock *block, uint32_t member,
		 uint64_t epoch)
{
	for (unsigned i = 0; i < block->entry_count; i++)
	{
		const SimRow *row = sim_find(world, &block->entries[i].digest);
		TlEvidence	evidence;

		if (row != NULL && row->row.kind == TL_LOG_EVIDENCE &&
			tl_consensus_evidence_decode(&evidence, &world->config.chain_id,
										 row->row.payload.data,
										 row->row.payload.size) == TL_OK &&
			evidence.rows[0].row.member == member &&
			(evidence.rows[0].row.epoch >= epoch ||
			 evidence.rows[1].row.epoch >= epoch))
			return true;
	}
	return false;
}
