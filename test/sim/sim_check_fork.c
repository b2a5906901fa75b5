/*-------------------------------------------------------------------------
 *
 * sim_check_fork.c
 *	  With too many liars the ledger forks: then enough of them are convicted.
 *	  With few, whoever is caught is accused.
 *
 *-------------------------------------------------------------------------
 */
#include "sim.h"

#include "consensus_evidence.h"

static bool accuses(SimWorld *world, const SimLog *log, uint32_t member);
static bool votes_below(SimWorld *world, const SimNode *node,
						const SimLog *log);
static bool branches(const SimLog *left, const SimLog *right);
static bool contradicts(SimWorld *world, const SimLog *left,
						const SimLog *right);

/*
 * V12: two final blocks at one height.  What honest members hold, laid side by
 * side, convicts at least 2q - n members, and nobody honest.
 */
void
sim_check_fork(SimWorld *world, unsigned who)
{
	unsigned	quorum = tl_consensus_quorum(world->founder_count,
											 world->config.quorum_of_three);
	unsigned	convicted = 0;

	for (unsigned member = 0; member < world->member_count; member++)
	{
		bool		caught = false;

		for (unsigned i = 0; i < world->node_count; i++)
		{
			if (sim_is_honest(&world->nodes[i]))
			{
				const SimNode *node = &world->nodes[i];

				caught |= accuses(world, &node->logs[node->number - 1], member + 1) ||
					accuses(world, &node->pending, member + 1);
			}
			for (unsigned j = 0; j < i; j++)
				caught |= sim_is_honest(&world->nodes[i]) &&
					sim_is_honest(&world->nodes[j]) &&
					contradicts(world, &world->nodes[i].logs[member],
								&world->nodes[j].logs[member]);
		}
		if (caught && sim_is_honest(&world->nodes[member]))
			sim_fail(world, "V8: member %u is honest and convicted", member + 1);
		convicted += caught;
	}
	if (convicted < 2 * quorum - world->founder_count)
		sim_fail(world, "V12: node %u sees a fork, and only %u are convicted",
				 who, convicted);
	world->forks++;
	world->seen[SIM_SEEN_FORK]++;
}

/*
 * V14: a member of whom two honest ones hold different logs, and whom nobody
 * honest accuses; 0 if there is none.
 */
uint32_t
sim_check_unaccused(SimWorld *world)
{
	for (unsigned member = 0; member < world->member_count; member++)
	{
		const SimLog *first = NULL;
		bool		caught = false;
		bool		accused = false;

		for (unsigned i = 0; i < world->node_count; i++)
		{
			const SimNode *node = &world->nodes[i];

			if (!sim_is_honest(node) || node->number == member + 1)
				continue;
			accused |= accuses(world, &node->logs[node->number - 1], member + 1);
			/* Who has left cannot accuse, and nobody asks him what he stored. */
			if (sim_govern_member(world, node->number,
								  world->epoch_count - 1) == NULL)
				continue;
			if (first != NULL)
				caught |= branches(first, &node->logs[member]);
			caught |= votes_below(world, node, &node->logs[member]);
			first = &node->logs[member];
		}
		/* Who left can be accused no more. */
		if (caught && !accused && !sim_is_honest(&world->nodes[member]) &&
			sim_govern_member(world, member + 1, world->epoch_count - 1) != NULL)
			return member + 1;
	}
	return 0;
}

/* Logs are chains: what differs anywhere in an incarnation differs at its end. */
static bool
branches(const SimLog *left, const SimLog *right)
{
	for (unsigned i = 0; i < left->count; i++)
	{
		const TlLogRow *row = &left->rows[i]->row;
		const SimRow *other;

		if (i + 1 < left->count && left->rows[i + 1]->row.sequence != 1 &&
			sim_memory_find(right, row->nonce, row->sequence + 1) != NULL)
			continue;
		other = sim_memory_find(right, row->nonce, row->sequence);
		if (other != NULL && !sim_same(&other->digest, &left->rows[i]->digest))
			return true;
	}
	return false;
}

/* A vote of this epoch in a view that the REJOIN before it forbids: E7. */
static bool
votes_below(SimWorld *world, const SimNode *node, const SimLog *log)
{
	unsigned	validators = sim_govern_validators(world, node->epoch);
	const TlLogRow *rejoin = NULL;

	if (tl_consensus_quorum(validators,
							world->epochs[node->epoch].quorum_of_three) == validators)
		return false;
	for (unsigned i = 0; i < log->count; i++)
	{
		const TlLogRow *row = &log->rows[i]->row;

		if (row->kind == TL_LOG_REJOIN)
			rejoin = row;
		else if (rejoin != NULL && row->epoch == rejoin->epoch &&
				 row->epoch == node->epoch && row->view < rejoin->view &&
				 (row->kind == TL_LOG_PROPOSE || row->kind == TL_LOG_NOTARIZE ||
				  row->kind == TL_LOG_FINALIZE || row->kind == TL_LOG_NULLIFY))
			return true;
	}
	return false;
}

/* Has this log an EVIDENCE row against that member? */
static bool
accuses(SimWorld *world, const SimLog *log, uint32_t member)
{
	for (unsigned i = 0; i < log->count; i++)
	{
		const TlLogRow *row = &log->rows[i]->row;
		TlEvidence	evidence;

		if (row->kind == TL_LOG_EVIDENCE &&
			tl_consensus_evidence_decode(&evidence, &world->config.chain_id,
										 row->payload.data,
										 row->payload.size) == TL_OK &&
			evidence.rows[0].row.member == member)
			return true;
	}
	return false;
}

/* The first place where two copies of a log differ, as evidence. */
static bool
contradicts(SimWorld *world, const SimLog *left, const SimLog *right)
{
	for (unsigned i = 0; i < left->count; i++)
	{
		const TlLogRow *row = &left->rows[i]->row;
		const SimRow *other = sim_memory_find(right, row->nonce, row->sequence);
		TlEvidenceRow rows[2];
		TlEvidence	evidence;

		if (other == NULL || sim_same(&left->rows[i]->digest, &other->digest))
			continue;
		tl_consensus_evidence_row(&rows[0], row);
		tl_consensus_evidence_row(&rows[1], &other->row);
		return tl_consensus_evidence_make(&evidence, &world->config.chain_id,
										  &rows[0], &rows[1]) != TL_EVIDENCE_NONE;
	}
	return false;
}
