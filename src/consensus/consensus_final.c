/*-------------------------------------------------------------------------
 *
 * consensus_final.c
 *	  From a finalization to blocks handed over, in order.
 *
 * A finalization makes its block and all its ancestors final (S3).  They are
 * handed over from the base upwards, each once everything that it orders is
 * held.  Voting does not wait for that.
 *
 * Invariants
 *	  F1  a block handed over is a child of the one before
 *	  F2  a finalization that does not lead to the base is a fork: this node
 *		  stops and says so
 *
 * Pure code: no PostgreSQL, no allocation, no clock.
 *
 *-------------------------------------------------------------------------
 */
#include "consensus_state.h"

static TlKnownBlock *next_block(TlConsensus *core, TlKnownBlock *tip);
static bool hand_over(TlConsensus *core, TlKnownBlock *known,
					  TlSpan certificate);
static TlSpan encode_finalization(TlConsensus *core, const TlView *view);

/* Hand over what can be.  True if something was. */
bool
tl_consensus_final_settle(TlConsensus *core)
{
	TlView	   *view;
	TlKnownBlock *tip;
	TlSpan		certificate;
	bool		changed = false;

	if (!core->started || core->forked ||
		core->final_view <= core->base.header.view)
		return false;
	view = tl_consensus_view(core, core->final_view);
	if (view == NULL)
		return false;
	tip = tl_consensus_proposal_find(core, view->view,
									 &view->certified[VOTE_FINALIZE].block);
	if (tip == NULL)
	{
		tl_consensus_proposal_fetch(core, view,
									&view->certified[VOTE_FINALIZE].block);
		return false;
	}
	if (!tl_consensus_proposal_link(core, tip))
	{
		/* A link leads nowhere if the base is not among the ancestors. */
		if (tip->bad || tip->block.header.height <= core->base.header.height)
			tl_consensus_alarm(core, TL_ALARM_FORK, 0);
		return false;
	}
	if (tip->bad)
	{
		tl_consensus_alarm(core, TL_ALARM_FORK, 0);
		return false;
	}
	certificate = encode_finalization(core, view);
	while (certificate.size > 0 &&
		   core->base.header.view < core->final_view)
	{
		TlKnownBlock *next = next_block(core, tip);

		if (next == NULL)
		{
			tl_consensus_alarm(core, TL_ALARM_FORK, 0);
			break;
		}
		if (!hand_over(core, next, certificate))
			break;
		changed = true;
	}
	return changed;
}

/* The ancestor of tip, or tip, whose parent is the base. */
static TlKnownBlock *
next_block(TlConsensus *core, TlKnownBlock *tip)
{
	TlKnownBlock *known = tip;

	while (known != NULL &&
		   !tl_consensus_same(&known->block.header.parent, &core->base.hash))
		known = tl_consensus_proposal_find(core, known->block.header.parent_view,
										   &known->block.header.parent);
	return known;
}

static bool
hand_over(TlConsensus *core, TlKnownBlock *known, TlSpan certificate)
{
	TlAction   *action;
	TlConsensusBlock *handed;
	bool		rows = tl_consensus_entry_fetch(core, known, true);

	if (!tl_consensus_cut_fetch(core, &core->base, &known->block, true,
								&known->asked_us) || !rows)
		return false;
	if (core->handed_count >= TL_CONSENSUS_HANDED_MAX)
	{
		core->actions->more = true;
		return false;
	}
	action = tl_consensus_act(core, TL_ACT_FINAL);
	if (action == NULL)
		return false;
	handed = &core->handed[core->handed_count++];
	*handed = known->block;
	action->block = handed;
	action->certificate = certificate;
	tl_consensus_entry_handed(core, handed);
	core->base = known->block;
	core->low = core->base.header.view;
	if (core->own.view <= core->low)
		tl_consensus_vote_enter(core, core->low + 1);
	tl_consensus_lane_prune(core);
	tl_consensus_checkpoint_base(core);
	core->checkpoint.handed_us = core->now_us;
	tl_consensus_pace_handed(core);
	return true;
}

/* In the scratch memory of the step; empty if there is no room. */
static TlSpan
encode_finalization(TlConsensus *core, const TlView *view)
{
	uint8_t    *start = core->scratch.data + core->scratch.used;
	TlSpan		span = {NULL, 0};
	TlWriter	writer;

	tl_writer_init(&writer, start, core->scratch.size - core->scratch.used);
	if (tl_consensus_tally_encode(&writer, core, VOTE_FINALIZE, view) != TL_OK)
	{
		core->actions->more = true;
		return span;
	}
	core->scratch.used += writer.size;
	span.data = start;
	span.size = writer.size;
	return span;
}
