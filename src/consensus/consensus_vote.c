/*-------------------------------------------------------------------------
 *
 * consensus_vote.c
 *	  The safety rules: the only place that asks for a vote to be signed.
 *
 * A vote is marked as cast when its row is asked for, not when the row comes
 * back: whatever the caller does with the request, this core never asks for a
 * second, different one.  After a restart the own log says what was cast (R5).
 * Everything that decides whether a vote would be useful lies elsewhere
 * (consensus_pace.c); everything that decides whether it may exist lies here.
 *
 * Invariants (rules of README.md)
 *	  R1  one PROPOSE a view, in the current view, by its leader
 *	  R2  one NOTARIZE a view, in the current view
 *	  R3  one FINALIZE a view, of its notarized block, never with NULLIFY
 *	  R4  one NULLIFY a view, in the current view, never with FINALIZE
 *	  R5  what the own log has was cast
 *	  R6  no vote at or below the floor
 *
 * Pure code: no PostgreSQL, no allocation, no clock.
 *
 *-------------------------------------------------------------------------
 */
#include "consensus_state.h"

#include "merkle_hash.h"

#include <string.h>

static bool finalize(TlConsensus *core, TlView *view);
static bool may_vote(const TlConsensus *core, uint64_t view);
static bool find_parent(TlConsensus *core, const TlConsensusBlock **parent,
						TlView **parent_view);
static const TlHash *notarized(const TlView *view);
static bool time_is_near(const TlConsensus *core, int64_t time);
static bool is_empty(const TlConsensusBlock *block);
static bool cast(TlConsensus *core, uint8_t kind, uint64_t view,
				 const TlHash *block);

/* If this node leads the view and there is something to order. */
bool
tl_consensus_vote_propose(TlConsensus *core)
{
	TlView	   *view = tl_consensus_view(core, core->own.view);
	const TlConsensusBlock *parent;
	TlView	   *parent_view;
	TlConsensusBlock block;
	TlSpan		payload;

	if (view == NULL || !may_vote(core, view->view) ||
		tl_consensus_leader(core, view->view) != core->own.index)
		return false;
	if (!TL_RULE(1, !view->own_propose && !view->own_notarize))
		return false;
	if (!find_parent(core, &parent, &parent_view) ||
		!tl_consensus_proposal_build(core, parent, &block))
		return false;
	if (is_empty(&block) ?
		!tl_consensus_pace_may_be_empty(core, parent, block.header.time) :
		!tl_consensus_busy_may_lead(core))
		return false;
	if (!tl_consensus_room(core, 3))
		return false;
	payload = tl_consensus_proposal_encode_block(core, &block, parent,
												 parent_view);
	if (payload.size == 0 ||
		!tl_consensus_append(core, TL_LOG_PROPOSE, view->view, payload))
		return false;
	view->own_propose = true;
	tl_consensus_busy_led(core);
	if (cast(core, TL_LOG_NOTARIZE, view->view, &block.hash))
	{
		view->own_notarize = true;
		view->own_block = block.hash;
		/* With a quorum of one this was the notarization. */
		if (core->quorum == 1 && !view->own_nullify &&
			cast(core, TL_LOG_FINALIZE, view->view, &block.hash))
			view->own_finalize = true;
	}
	return true;
}

/* If the leader's block has arrived and everything about it is right. */
bool
tl_consensus_vote_notarize(TlConsensus *core)
{
	TlView	   *view = tl_consensus_view(core, core->own.view);
	TlKnownBlock *known;
	const TlConsensusBlock *parent;

	if (view == NULL || !may_vote(core, view->view) || !view->first.present)
		return false;
	if (!TL_RULE(2, !view->own_notarize))
		return false;
	known = &view->first;
	if (!tl_consensus_proposal_check(core, known))
		return false;
	parent = tl_consensus_proposal_parent(core, &known->block);
	if (!TL_RULE(15, time_is_near(core, known->block.header.time)))
		return false;
	/* Nothing to order, nothing to finish, nothing to run. */
	if (!TL_RULE(105, !is_empty(&known->block) ||
				 !tl_consensus_same(&parent->hash, &core->base.hash) ||
				 tl_consensus_due_by(core, parent, known->block.header.time)))
		return false;
	if (!cast(core, TL_LOG_NOTARIZE, view->view, &known->block.hash))
		return false;
	view->own_notarize = true;
	view->own_block = known->block.hash;
	return true;
}

/* If the view's block is notarized. */
static bool
finalize(TlConsensus *core, TlView *view)
{
	if (!may_vote(core, view->view) || !view->certified[VOTE_NOTARIZE].present)
		return false;
	if (view->own_finalize)
		return false;
	if (!TL_RULE(3, !view->own_nullify))
		return false;
	if (!cast(core, TL_LOG_FINALIZE, view->view,
			  &view->certified[VOTE_NOTARIZE].block))
		return false;
	view->own_finalize = true;
	return true;
}

/* If pace wants to leave the current view. */
bool
tl_consensus_vote_nullify(TlConsensus *core)
{
	TlView	   *view = tl_consensus_view(core, core->own.view);

	if (view == NULL || !may_vote(core, view->view))
		return false;
	if (view->own_nullify)
		return false;
	if (!TL_RULE(4, !view->own_finalize))
		return false;
	if (!cast(core, TL_LOG_NULLIFY, view->view, NULL))
		return false;
	if (!view->certified[VOTE_NULLIFY].present)
		tl_consensus_pace_left(core);
	view->own_nullify = true;
	return true;
}

/*
 * What certificates demand: FINALIZE for each notarized block, and the view
 * after the highest certificate.
 */
bool
tl_consensus_vote_settle(TlConsensus *core)
{
	bool		changed = false;

	for (uint64_t number = core->low; number <= core->high; number++)
	{
		TlView	   *view = &core->views[number % core->config.view_count];

		if (view->view != number)
			continue;
		if (finalize(core, view))
			changed = true;
		if (number >= core->own.view &&
			(view->certified[VOTE_NOTARIZE].present ||
			 view->certified[VOTE_FINALIZE].present ||
			 view->certified[VOTE_NULLIFY].present))
		{
			uint64_t	before = core->own.view;

			tl_consensus_vote_enter(core, number + 1);
			changed |= (core->own.view != before);
		}
	}
	return changed;
}

/* The last view that fits into the memory is never left (P9). */
void
tl_consensus_vote_enter(TlConsensus *core, uint64_t view)
{
	if (view <= core->own.view ||
		view - core->low >= core->config.view_count)
		return;
	core->own.view = view;
	tl_consensus_pace_entered(core);
}

/* A vote of this node's own log, read at the start: R5. */
void
tl_consensus_vote_own_row(TlConsensus *core, const TlLogRow *row)
{
	TlView	   *view;
	bool	   *mark = NULL;
	bool		broken = false;

	if (row->epoch != core->config.epoch)
		return;
	if (row->view > core->own.view)
		core->own.view = row->view;
	view = tl_consensus_view(core, row->view);
	if (view == NULL)
		return;
	switch (row->kind)
	{
		case TL_LOG_PROPOSE:
			mark = &view->own_propose;
			break;
		case TL_LOG_NOTARIZE:
			mark = &view->own_notarize;
			(void) tl_consensus_vote_decode(&view->own_block, row->payload.data,
											row->payload.size);
			break;
		case TL_LOG_FINALIZE:
			mark = &view->own_finalize;
			broken = view->own_nullify;
			break;
		default:
			mark = &view->own_nullify;
			broken = view->own_finalize;
			break;
	}
	if (*mark || broken)
	{
		core->own.broken = true;
		tl_consensus_alarm(core, TL_ALARM_OWN_LOG, row->member);
	}
	*mark = !TL_FORGOTTEN(5);
}

/* May this node sign a vote of that view at all? */
static bool
may_vote(const TlConsensus *core, uint64_t view)
{
	return core->started && core->own.votes && !core->own.broken &&
		!core->own.asking && !core->own.lost && !core->forked &&
		!core->standing.changed && TL_RULE(6, view > core->own.floor);
}

/*
 * The highest view below the current one with a notarized block and, from it
 * on, nothing but nullified views: R8, R9.  A finalization is as good as a
 * notarization, and the epoch's founding block needs none.
 */
static bool
find_parent(TlConsensus *core, const TlConsensusBlock **parent,
			TlView **parent_view)
{
	for (uint64_t number = core->own.view - 1; number > core->low; number--)
	{
		TlView	   *view = tl_consensus_view(core, number);
		const TlHash *hash = notarized(view);
		TlKnownBlock *known;

		if (hash == NULL)
		{
			if (!TL_RULE(9, view->certified[VOTE_NULLIFY].present))
				return false;
			continue;
		}
		known = tl_consensus_proposal_find(core, number, hash);
		if (known == NULL)
			tl_consensus_proposal_fetch(core, view, hash);
		if (known == NULL || !tl_consensus_proposal_link(core, known) ||
			known->bad)
			return false;
		*parent = &known->block;
		*parent_view = view;
		return true;
	}
	*parent = &core->base;
	*parent_view = NULL;
	if (tl_consensus_same(&core->base.hash, &core->config.founding))
		return true;
	*parent_view = tl_consensus_view(core, core->low);
	return notarized(*parent_view) != NULL &&
		tl_consensus_same(notarized(*parent_view), &core->base.hash);
}

static const TlHash *
notarized(const TlView *view)
{
	if (view->certified[VOTE_NOTARIZE].present)
		return &view->certified[VOTE_NOTARIZE].block;
	if (view->certified[VOTE_FINALIZE].present)
		return &view->certified[VOTE_FINALIZE].block;
	return NULL;
}

/* R15.  The clock is this node's own; a block may be as late as its view. */
static bool
time_is_near(const TlConsensus *core, int64_t time)
{
	int64_t		drift = core->config.drift_us;

	return time <= core->clock_us + drift &&
		time >= core->clock_us - drift - 2 * tl_consensus_pace_timer(core);
}

/* Adds it no batch and no entry? */
static bool
is_empty(const TlConsensusBlock *block)
{
	TlHash		nothing;

	tl_merkle_empty_root(&nothing);
	return block->entry_count == 0 &&
		tl_consensus_same(&block->header.batch_root, &nothing);
}

static bool
cast(TlConsensus *core, uint8_t kind, uint64_t view, const TlHash *block)
{
	TlSpan		payload = {NULL, 0};

	if (block != NULL)
	{
		payload = tl_consensus_keep(core, block->bytes, TL_HASH_SIZE);
		if (payload.size == 0)
			return false;
	}
	return tl_consensus_append(core, kind, view, payload);
}
