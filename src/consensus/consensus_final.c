/*-------------------------------------------------------------------------
 *
 * consensus_final.c
 *	  From a finalization to blocks handed over, in order.
 *
 * A finalization makes its block and all its ancestors final.  They are
 * handed over from the base upwards, each once everything that it orders is
 * held.  Voting does not wait for that.  Beyond the block that ends an epoch
 * nothing is handed over: a finalization of a carrier above makes it final.
 * Blocks whose rows nobody has any more are taken from others (P20).
 *
 * Invariants
 *	  F1  a block handed over is a child of the one before
 *	  F2  a finalization that does not lead to the base, or a view on the way there
 *		  with that of another block, is a fork: this node stops and says so
 *
 * Pure code: no PostgreSQL, no allocation, no clock.
 *
 *-------------------------------------------------------------------------
 */
#include "consensus_state.h"

#include "consensus_epoch.h"

#include <string.h>

#define FETCHES_IN_VAIN	4		/* until blocks are taken instead */

static void take_instead(TlConsensus *core);
static TlKnownBlock *next_block(TlConsensus *core, TlKnownBlock *tip, TlView **shown);
static bool hand_over(TlConsensus *core, TlKnownBlock *known,
					  TlSpan certificate);
static bool ends_epoch(const TlConsensusBlock *block);
static TlView *shown_of_base(TlConsensus *core);
static TlSpan encode_finalization(TlConsensus *core, const TlView *view);
static TlSpan encode_epoch(TlConsensus *core, TlView *view);
static bool put_carriers(TlConsensus *core, const TlHash *tip, TlView *view,
						 TlEpochCertificate *epoch);

/* Hand over what can be.  True if something was. */
bool
tl_consensus_final_settle(TlConsensus *core)
{
	TlView	   *view;
	const TlView *encoded = NULL;
	TlKnownBlock *tip;
	TlSpan		certificate = {NULL, 0};
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
		take_instead(core);
		return false;
	}
	if (!tl_consensus_proposal_link(core, tip))
	{
		/* A link leads nowhere if the base is not among the ancestors. */
		if (tip->bad || tip->block.header.height <= core->base.header.height)
			tl_consensus_alarm(core, TL_ALARM_FORK, 0);
		else
			take_instead(core);
		return false;
	}
	core->gone_us = 0;
	if (tip->bad)
	{
		tl_consensus_alarm(core, TL_ALARM_FORK, 0);
		return false;
	}
	while (!core->standing.changed && core->base.header.view < core->final_view)
	{
		TlView	   *shown = view;
		TlKnownBlock *next = next_block(core, tip, &shown);

		if (next == NULL)
		{
			tl_consensus_alarm(core, TL_ALARM_FORK, 0);
			break;
		}
		if (shown != encoded)
			certificate = encode_finalization(core, shown);
		encoded = shown;
		if (certificate.size == 0 || !hand_over(core, next, certificate))
			break;
		changed = true;
	}
	return changed;
}

/*
 * P20: the PROPOSE rows that lead to a final block do not come.  Whoever has handed
 * that over needs them no more, and may have dropped them (R44), but has the blocks.
 */
static void
take_instead(TlConsensus *core)
{
	int64_t		patience = FETCHES_IN_VAIN * tl_consensus_hop_fetch(core);
	uint64_t	ahead = 0;
	uint64_t	others = 0;

	if (TL_FORGOTTEN(120))
		return;
	if (core->gone_us == 0)
		core->gone_us = core->now_us;
	if (core->now_us < core->gone_us + patience)
	{
		tl_consensus_pace_wake(core, core->gone_us + patience);
		return;
	}
	for (unsigned i = 0; i < core->config.member_count; i++)
	{
		const TlPeer *peer = &core->peers[i];

		if (i != core->own.index && (peer->final_height > core->base.header.height ||
									 peer->certified >= core->final_view))
			ahead |= UINT64_C(1) << i;
		others |= (i != core->own.index) ? UINT64_C(1) << i : 0;
	}
	/* Their votes alone may have told what is final. */
	tl_consensus_pace_catch_up(core, core->final_view, (ahead != 0) ? ahead : others);
}

/*
 * The ancestor of tip, or tip, whose parent is the base; NULL if none is, or if on the
 * way to it another block of a view is final.  *shown, at first of the tip, becomes its
 * own finalization, if that is known, or the next one above.  Whoever is far behind can
 * only be shown blocks if some finalization is within his memory (P17); and a core that
 * is made anew in between knows the one of its base only.
 */
static TlKnownBlock *
next_block(TlConsensus *core, TlKnownBlock *tip, TlView **shown)
{
	TlKnownBlock *known = tip;

	while (known != NULL)
	{
		const TlBlockHeader *header = &known->block.header;
		TlView	   *view = tl_consensus_view(core, header->view);
		bool		last = tl_consensus_same(&header->parent, &core->base.hash);

		if (view != NULL && view->certified[VOTE_FINALIZE].present)
		{
			if (!tl_consensus_same(&view->certified[VOTE_FINALIZE].block, &known->block.hash))
				return NULL;
			if (!TL_FORGOTTEN(331) && (last || !TL_FORGOTTEN(333)))
				*shown = view;
		}
		if (last)
			break;
		known = tl_consensus_proposal_find(core, header->parent_view, &header->parent);
	}
	return known;
}

static bool
hand_over(TlConsensus *core, TlKnownBlock *known, TlSpan certificate)
{
	static const TlHash zeros;
	TlAction   *action;
	TlConsensusBlock *handed;
	bool		rows = tl_consensus_entry_fetch(core, known, true);

	if (!tl_consensus_cut_fetch(core, &core->base, &known->block, true,
								&known->asked_us) || !rows)
		return false;
	if (!TL_RULE(121, !core->own.asking || !ends_epoch(&known->block)))
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
	action->hash = core->decided;
	core->pace.decided |= !tl_consensus_same(&core->decided, &zeros);
	core->base = known->block;
	if (core->base.header.view == core->taken_view)
		core->beyond_asked_us = 0;	/* who had these may have more */
	core->low = core->base.header.view;
	if (core->own.view <= core->low)
		tl_consensus_vote_enter(core, core->low + 1);
	action->body_size = tl_consensus_lane_prune(core);
	tl_consensus_checkpoint_base(core);
	core->checkpoint.handed_us = core->now_us;
	tl_consensus_pace_handed(core);
	return true;
}

/* Of such a block P11 wants a row of its epoch, and who asks (R30) signs none: P21. */
static bool
ends_epoch(const TlConsensusBlock *block)
{
	for (unsigned i = 0; i < block->entry_count; i++)
	{
		if (block->entries[i].kind == TL_ENTRY_MEMBERS)
			return true;
	}
	return false;
}

/*
 * The epoch has ended with the base: everybody is shown why, once, and the
 * caller is asked for the next core.  This one does nothing any more.
 */
void
tl_consensus_final_retire(TlConsensus *core)
{
	TlView	   *view = shown_of_base(core);
	TlAction   *action;
	TlSpan		epoch;

	if (core->retired || core->forked || view == NULL)
		return;
	if (!tl_consensus_room(core, 2))
		return;
	epoch = encode_epoch(core, view);
	if (epoch.size == 0)
		return;
	if (!TL_FORGOTTEN(111) &&
		!tl_consensus_relay(core, view, VOTE_FINALIZE) &&
		core->actions->more)
		return;					/* no room: in the next step */
	action = tl_consensus_act(core, TL_ACT_EPOCH);
	if (action == NULL)
		return;
	action->hash = core->standing.change_row;
	action->certificate = epoch;
	core->retired = true;
}

/*
 * The finalization of the base, or the next one above that is known to lie beyond it: by
 * so few carriers the next epoch begins beyond it, for whoever is shown both (P17).
 */
static TlView *
shown_of_base(TlConsensus *core)
{
	TlView	   *view = tl_consensus_view(core, core->base.header.view);
	TlView	   *shown = tl_consensus_view(core, core->final_view);
	TlKnownBlock *tip;

	if (view != NULL && view->certified[VOTE_FINALIZE].present &&
		tl_consensus_same(&view->certified[VOTE_FINALIZE].block, &core->base.hash) &&
		!TL_FORGOTTEN(334))
		return view;
	if (shown == NULL || !shown->certified[VOTE_FINALIZE].present)
		return NULL;
	tip = tl_consensus_proposal_find(core, shown->view,
									 &shown->certified[VOTE_FINALIZE].block);
	if (tip != NULL && !TL_FORGOTTEN(334))
		(void) next_block(core, tip, &shown);
	return shown;
}

/* In the scratch memory of the step; empty if something is missing. */
static TlSpan
encode_epoch(TlConsensus *core, TlView *view)
{
	uint8_t		header[TL_BLOCK_HEADER_SIZE];
	uint8_t		entries[TL_CONSENSUS_ENTRIES_MAX * TL_BLOCK_ENTRY_SIZE];
	TlEpochCertificate epoch;
	TlSpan		span = {NULL, 0};
	TlWriter	writer;
	uint8_t    *start;

	memset(&epoch, 0, sizeof(epoch));
	tl_writer_init(&writer, header, sizeof(header));
	(void) tl_chain_block_encode(&writer, &core->base.header);
	epoch.founding.data = header;
	epoch.founding.size = writer.size;
	tl_writer_init(&writer, entries, sizeof(entries));
	(void) tl_chain_entries_encode(&writer, core->base.entries,
								   core->base.entry_count);
	epoch.entry_count = (uint16_t) core->base.entry_count;
	epoch.entries.data = entries;
	epoch.entries.size = writer.size;
	epoch.certificate = encode_finalization(core, view);
	if (epoch.certificate.size == 0 ||
		!put_carriers(core, &view->certified[VOTE_FINALIZE].block, view, &epoch))
		return span;
	start = core->scratch.data + core->scratch.used;
	tl_writer_init(&writer, start, core->scratch.size - core->scratch.used);
	if (tl_consensus_epoch_encode(&writer, &epoch) != TL_OK)
	{
		core->actions->more = true;
		return span;
	}
	core->scratch.used += writer.size;
	span.data = start;
	span.size = writer.size;
	return span;
}

/* The headers from the child of the base up to the block of that view. */
static bool
put_carriers(TlConsensus *core, const TlHash *tip, TlView *view,
			 TlEpochCertificate *epoch)
{
	unsigned	count = 0;
	TlHash		hash = *tip;
	uint64_t	number = view->view;
	uint8_t    *start = core->scratch.data + core->scratch.used;
	TlWriter	writer;

	while (!tl_consensus_same(&hash, &core->base.hash))
	{
		TlKnownBlock *known = tl_consensus_proposal_find(core, number, &hash);

		if (known == NULL)
			tl_consensus_proposal_fetch(core, tl_consensus_view(core, number),
										&hash);
		if (known == NULL || count >= core->config.view_count)
			return false;
		core->path[count++] = known;
		hash = known->block.header.parent;
		number = known->block.header.parent_view;
	}
	tl_writer_init(&writer, start, core->scratch.size - core->scratch.used);
	epoch->carrier_count = (uint16_t) count;
	while (count-- > 0)
		(void) tl_chain_block_encode(&writer, &core->path[count]->block.header);
	if (tl_writer_finish(&writer) != TL_OK)
	{
		core->actions->more = true;
		return false;
	}
	core->scratch.used += writer.size;
	epoch->carriers.data = start;
	epoch->carriers.size = writer.size;
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
