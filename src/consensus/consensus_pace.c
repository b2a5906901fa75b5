/*-------------------------------------------------------------------------
 *
 * consensus_pace.c
 *	  Timers and suspicion: when to do what the safety rules allow.
 *
 * Nothing here can break safety: it calls consensus_vote.c, which refuses what
 * must not be.
 *
 * Time comes with each input.  Deadlines are collected during a step; the
 * earliest becomes one TL_ACT_WAKE.
 *
 * Pure code: no PostgreSQL, no allocation, no clock.
 *
 *-------------------------------------------------------------------------
 */
#include "consensus_state.h"

static int64_t back_off(const TlConsensus *core, int64_t time_us);
static void catch_up(TlConsensus *core);
static bool has_work(TlConsensus *core);
static bool others_are_here(const TlConsensus *core);
static bool chain_is_not_final(const TlConsensus *core);
static bool leave_view(TlConsensus *core, int64_t since_us);
static bool nullified_by_some(TlConsensus *core);

/* P1: the timer of the current view, longer with each view that failed. */
int64_t
tl_consensus_pace_timer(const TlConsensus *core)
{
	unsigned	leader = tl_consensus_leader(core, core->own.view);

	return back_off(core, tl_consensus_hop_timer(core, leader));
}

/* At the end of each step.  True if a vote was cast. */
bool
tl_consensus_pace_run(TlConsensus *core)
{
	int64_t		since;
	bool		voted = false;

	if (!core->started)
		return false;
	tl_consensus_relay_final(core);
	tl_consensus_relay_decided(core);
	catch_up(core);
	if (!has_work(core))
	{
		core->pace.work_us = 0;
		tl_consensus_active_owe(core);
		return false;
	}
	if (core->pace.work_us == 0)
	{
		core->pace.work_us = core->now_us;
		tl_consensus_active_owe(core);
	}
	since = (core->pace.entered_us > core->pace.work_us) ?
		core->pace.entered_us : core->pace.work_us;
	since = tl_consensus_busy_since(core, since);
	if (core->now_us >= since + tl_consensus_pace_timer(core) / 2)
		tl_consensus_relay_view(core);
	else
		tl_consensus_pace_wake(core, since + tl_consensus_pace_timer(core) / 2);
	if (leave_view(core, since))
		voted = tl_consensus_vote_nullify(core);
	return voted;
}

void
tl_consensus_pace_entered(TlConsensus *core)
{
	core->pace.entered_us = core->now_us;
	core->pace.relayed = false;
}

void
tl_consensus_pace_heard(TlConsensus *core, unsigned index,
						const TlLogRow *row)
{
	TlPeer	   *peer = &core->peers[index];

	peer->heard_us = core->now_us;
	tl_consensus_active_heard(core, index);
	peer->skip = false;
	if (row->epoch == core->config.epoch && row->view > peer->view &&
		(row->kind == TL_LOG_PROPOSE || row->kind == TL_LOG_NOTARIZE ||
		 row->kind == TL_LOG_FINALIZE || row->kind == TL_LOG_NULLIFY))
		peer->view = row->view;
}

/* He is there, whether or not his log comes. */
void
tl_consensus_pace_answered(TlConsensus *core, unsigned index)
{
	if (index < core->config.member_count)
		tl_consensus_active_heard(core, index);
}

/* P4: a leader who let his turn pass is not waited for the next time. */
void
tl_consensus_pace_nullified(TlConsensus *core, const TlView *view)
{
	unsigned	leader = tl_consensus_leader(core, view->view);

	if (!view->own_nullify)
		core->pace.nullified++;
	tl_consensus_cut_blame(core, view);
	if (!view->proposed_seen)
		core->peers[leader].skip = true;
	tl_consensus_busy_nullified(core, view->view);
}

/*
 * This node leaves the view; whether q do is another question.  Where q are
 * all of the members, views may end notarized, never final, and never
 * nullified; the timers have to grow all the same.
 */
void
tl_consensus_pace_left(TlConsensus *core)
{
	core->pace.nullified++;
}

void
tl_consensus_pace_final(TlConsensus *core)
{
	core->pace.nullified = 0;
}

/* The base has moved: from now on an ACK of it is owed. */
void
tl_consensus_pace_handed(TlConsensus *core)
{
	for (unsigned i = 0; i < core->config.member_count; i++)
	{
		if (core->peers[i].owing_us == 0)
			core->peers[i].owing_us = core->now_us;
	}
	tl_consensus_active_owe(core);
}

/* His ACK shows more final blocks than before; if not all, the time anew. */
void
tl_consensus_pace_acked(TlConsensus *core, unsigned index)
{
	TlPeer	   *peer = &core->peers[index];

	peer->owing_us = (peer->final_height < core->base.header.height) ?
		core->now_us : 0;
	tl_consensus_active_heard(core, index);
}

/* P8: once in a while only; and the step will come again for it. */
bool
tl_consensus_pace_may_fetch(TlConsensus *core, int64_t *asked_us)
{
	int64_t		pause = tl_consensus_hop_fetch(core);

	if (*asked_us != 0 && core->now_us < *asked_us + pause)
	{
		tl_consensus_pace_wake(core, *asked_us + pause);
		return false;
	}
	*asked_us = core->now_us;
	tl_consensus_pace_wake(core, core->now_us + pause);
	return true;
}

/*
 * P5: may this node propose a block that orders nothing?  To run what is due at
 * its time; or to make its parent final, and not before the votes for that had
 * their time.
 */
bool
tl_consensus_pace_may_be_empty(TlConsensus *core,
							   const TlConsensusBlock *parent, int64_t time)
{
	int64_t		patience = tl_consensus_pace_timer(core) / 4;

	if (tl_consensus_due_by(core, parent, time))
		return true;
	if (!TL_RULE(105, !tl_consensus_same(&parent->hash, &core->base.hash)))
		return false;
	if (patience > tl_consensus_hop_dead(core, core->own.index) / 2)
		patience = tl_consensus_hop_dead(core, core->own.index) / 2;
	if (core->now_us >= core->pace.entered_us + patience)
		return true;
	tl_consensus_pace_wake(core, core->pace.entered_us + patience);
	return false;
}

void
tl_consensus_pace_wake(TlConsensus *core, int64_t at_us)
{
	if (core->pace.wake_us == 0 || at_us < core->pace.wake_us)
		core->pace.wake_us = at_us;
}

/* Half as long again with each view that was nullified since a final one. */
static int64_t
back_off(const TlConsensus *core, int64_t time_us)
{
	for (unsigned i = 0; i < core->pace.nullified && !TL_FORGOTTEN(101); i++)
	{
		time_us += time_us / 2;
		if (time_us >= core->config.pace.timer_max_us)
			return core->config.pace.timer_max_us;
	}
	return time_us;
}

/*
 * Others are where this node's memory does not reach: P9.  Or it did not when
 * their certificate came, which was dropped, and the node is not there yet.
 */
static void
catch_up(TlConsensus *core)
{
	uint64_t	reach = core->low + core->config.view_count;
	uint64_t	ahead = 0;

	if (core->beyond == 0 || core->own.view > core->beyond || TL_FORGOTTEN(109))
		return;
	if (reach > core->beyond)
		reach = core->beyond;
	for (unsigned i = 0; i < core->config.member_count; i++)
	{
		if (i != core->own.index && core->peers[i].certified >= reach)
			ahead |= UINT64_C(1) << i;
	}
	tl_consensus_pace_catch_up(core, core->beyond, ahead);
}

/* Take final blocks from one of those who are ahead, another one each time. */
void
tl_consensus_pace_catch_up(TlConsensus *core, uint64_t view, uint64_t ahead)
{
	unsigned	count = (unsigned) __builtin_popcountll(ahead);
	unsigned	turn;
	TlAction   *action;

	if (count == 0 ||
		!tl_consensus_pace_may_fetch(core, &core->beyond_asked_us))
		return;
	action = tl_consensus_act(core, TL_ACT_CATCH_UP);
	if (action == NULL)
		return;
	action->view = view;
	turn = core->beyond_count++ % count;
	for (unsigned i = 0; i < core->config.member_count; i++)
	{
		if ((ahead >> i & 1) != 0 && turn-- == 0)
			action->member = core->config.members[i].number;
	}
}

/* He speaks of a later epoch: take the blocks that lead there from him. */
void
tl_consensus_pace_follow(TlConsensus *core, unsigned index)
{
	TlAction   *action;

	if (!tl_consensus_pace_may_fetch(core, &core->peers[index].follow_asked_us) ||
		(action = tl_consensus_act(core, TL_ACT_CATCH_UP)) == NULL)
		return;
	action->view = core->own.view;
	action->member = core->config.members[index].number;
}

/* P2: reasons for a view to have a timer at all. */
static bool
has_work(TlConsensus *core)
{
	bool		due = tl_consensus_due_is_work(core);

	return others_are_here(core) ||
		(!TL_FORGOTTEN(102) &&
		 (due || chain_is_not_final(core) || tl_consensus_lane_work(core) ||
		  tl_consensus_entry_work(core)));
}

/* Is a block notarized that is not final? */
static bool
chain_is_not_final(const TlConsensus *core)
{
	for (uint64_t number = core->high; number > core->base.header.view; number--)
	{
		const TlView *view = &core->views[number % core->config.view_count];

		if (view->view == number && number > core->final_view &&
			view->certified[VOTE_NOTARIZE].present)
			return true;
	}
	return false;
}

/* Have f + 1 others voted in this view or beyond?  One of them is honest. */
static bool
others_are_here(const TlConsensus *core)
{
	unsigned	count = 0;

	for (unsigned i = 0; i < core->config.member_count; i++)
	{
		if (i != core->own.index && core->config.members[i].validator &&
			!core->peers[i].doubled && core->peers[i].view >= core->own.view)
			count++;
	}
	return count > core->faults;
}

/* P3, P4: is it time to nullify the current view? */
static bool
leave_view(TlConsensus *core, int64_t since_us)
{
	TlView	   *view = tl_consensus_view(core, core->own.view);
	unsigned	leader = tl_consensus_leader(core, core->own.view);
	const TlPeer *peer = &core->peers[leader];
	int64_t		deadline = since_us + tl_consensus_pace_timer(core);
	int64_t		suspected;

	if (view == NULL || view->own_nullify)
		return false;
	if (nullified_by_some(core))
		return true;
	if (leader != core->own.index && !view->proposed_seen &&
		!TL_FORGOTTEN(104))
	{
		if (peer->skip)
			return true;
		suspected = (peer->heard_us > since_us) ? peer->heard_us : since_us;
		suspected += back_off(core, tl_consensus_hop_dead(core, leader));
		if (suspected < deadline)
			deadline = suspected;
	}
	if (core->now_us >= deadline)
		return !TL_FORGOTTEN(103);
	tl_consensus_pace_wake(core, deadline);
	return false;
}

/* f + 1 have left this view: one of them honestly. */
static bool
nullified_by_some(TlConsensus *core)
{
	TlView	   *view = tl_consensus_view(core, core->own.view);
	unsigned	count = 0;

	for (unsigned i = 0; i < core->config.member_count; i++)
	{
		if (view->tallied[VOTE_NULLIFY][i].present && !core->peers[i].doubled)
			count++;
	}
	return count > core->faults;
}
