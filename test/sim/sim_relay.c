/*-------------------------------------------------------------------------
 *
 * sim_relay.c
 *	  V23: CERT rows that have to be there at once (P11, P13, P14).
 *
 * Who hands over a block that decides a motion shows its finalization in his
 * log, and hands over none that ends the epoch before he may sign (P21); and so does who begins on a block whose finalization came from outside
 * the logs, if somebody does not show that he knows it.
 *
 *-------------------------------------------------------------------------
 */
#include "sim.h"

#include <string.h>

static bool may_sign(const SimWorld *world, const SimNode *node);
static bool has_finalization(const SimLog *log, unsigned count, uint64_t epoch,
							 uint64_t view);
static bool is_implied(const SimWorld *world, const SimNode *node);
static bool somebody_lacks(const SimWorld *world, const SimNode *node,
						   const TlConsensusBlock *base);

/* A block is handed over, and decides a motion. */
void
sim_relay_final(SimWorld *world, SimNode *node, const TlAction *action)
{
	static const TlHash zeros;
	const TlConsensusMember *member = sim_govern_member(world, node->number, node->epoch);
	TlConsensusStatus status;

	if (sim_same(&action->hash, &zeros))
		return;
	tl_consensus_status(node->core, &status);
	for (unsigned i = 0; i < action->block->entry_count; i++)
	{
		if (action->block->entries[i].kind == TL_ENTRY_MEMBERS && status.asking &&
			sim_is_honest(node) && member != NULL && member->validator)
			sim_fail(world, "V23: node %u ends its epoch, and may not say yet how",
					 node->id);
	}
	if (!may_sign(world, node))
		return;
	node->decided_epoch = action->block->header.epoch;
	node->decided_view = action->block->header.view;
}

/* That is durable, and with it the CERT row. */
void
sim_relay_commit(SimWorld *world, SimNode *node)
{
	const SimLog *log = &node->logs[node->number - 1];

	if (node->decided_view == 0)
		return;
	if (!has_finalization(log, log->count, node->decided_epoch, node->decided_view))
		sim_fail(world, "V23: node %u does not show that what was decided in view %llu is final",
				 node->id, (unsigned long long) node->decided_view);
	node->decided_view = 0;
	world->seen[SIM_SEEN_SHOWN]++;
}

/*
 * A core began on that block, and may sign; what it wants to sign waits to become
 * durable.
 */
void
sim_relay_begun(SimWorld *world, SimNode *node)
{
	const TlConsensusBlock *base = &node->chain[node->chain_count - 1];
	const SimLog *log = &node->logs[node->number - 1];

	if (node->begun == 0 || !may_sign(world, node))
		return;
	if (node->begun == node->chain_count && node->final_pending == 0 &&
		base->header.epoch == node->epoch &&
		!is_implied(world, node) && somebody_lacks(world, node, base))
	{
		if (!has_finalization(&node->pending, node->pending.count, node->epoch,
							  base->header.view) &&
			!has_finalization(log, log->count, node->epoch, base->header.view))
			sim_fail(world, "V23: node %u begins on block %llu and shows nobody that it is final",
					 node->id, (unsigned long long) base->header.height);
		world->seen[SIM_SEEN_SHOWN]++;
	}
	node->begun = 0;
}

/* Honest, a validator of the epoch, and with its memory. */
static bool
may_sign(const SimWorld *world, const SimNode *node)
{
	const TlConsensusMember *member = sim_govern_member(world, node->number,
														node->epoch);
	TlConsensusStatus status;

	tl_consensus_status(node->core, &status);
	return sim_is_honest(node) && member != NULL && member->validator &&
		!status.asking && !status.lost && !status.stopped && !status.outdated &&
		!node->rejoining && !world->forgotten;
}

/* Of that view or a later one, in one of the first rows. */
static bool
has_finalization(const SimLog *log, unsigned count, uint64_t epoch, uint64_t view)
{
	for (unsigned i = count; i-- > 0;)
	{
		const TlLogRow *row = &log->rows[i]->row;
		TlProposal	proposal;
		TlCertificate certificate;
		TlSpan		bytes = row->payload;

		if (row->epoch != epoch ||
			(row->kind != TL_LOG_CERT && row->kind != TL_LOG_PROPOSE))
			continue;
		if (row->kind == TL_LOG_PROPOSE &&
			tl_consensus_proposal_decode(&proposal, row->payload.data,
										 row->payload.size) == TL_OK)
			bytes = proposal.parent_certificate;
		if (tl_consensus_certificate_decode(&certificate, bytes.data,
											bytes.size) == TL_OK &&
			certificate.kind == TL_LOG_FINALIZE && certificate.view >= view)
			return true;
	}
	return false;
}

/* Do the logs that the core was given show it, alone or together? */
static bool
is_implied(const SimWorld *world, const SimNode *node)
{
	const TlConsensusConfig *config = &world->epochs[node->epoch];
	TlCertificate shown;
	unsigned	count = 0;

	/* It may be that of a later block. */
	if (tl_consensus_certificate_decode(&shown, node->certificate,
										node->certificate_size) != TL_OK)
		return true;

	for (unsigned i = 0; i < world->member_count; i++)
	{
		const SimLog *log = &node->logs[i];
		bool		voted = false;

		for (unsigned j = 0; j < node->read[i]; j++)
		{
			const TlLogRow *row = &log->rows[j]->row;

			voted |= row->kind == TL_LOG_FINALIZE && row->epoch == node->epoch &&
				row->view == shown.view;
		}
		count += voted;
		if (has_finalization(log, node->read[i], node->epoch, shown.view))
			return true;
	}
	return count >= tl_consensus_quorum(sim_govern_validators(world, node->epoch),
										config->quorum_of_three);
}

/* Is there a validator whose log shows no ACK of the block? */
static bool
somebody_lacks(const SimWorld *world, const SimNode *node,
			   const TlConsensusBlock *base)
{
	for (unsigned i = 0; i < world->member_count; i++)
	{
		const TlConsensusMember *member = sim_govern_member(world, i + 1, node->epoch);
		uint64_t	height = 0;

		if (member == NULL || !member->validator || i + 1 == node->number)
			continue;
		for (unsigned j = 0; j < node->read[i]; j++)
		{
			const TlLogRow *row = &node->logs[i].rows[j]->row;
			TlAck		ack;

			if (row->kind == TL_LOG_ACK &&
				tl_consensus_ack_decode(&ack, row->payload.data,
										row->payload.size) == TL_OK &&
				ack.final_height > height)
				height = ack.final_height;
		}
		if (height < base->header.height)
			return true;
	}
	return false;
}
