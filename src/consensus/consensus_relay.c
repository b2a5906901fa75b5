/*-------------------------------------------------------------------------
 *
 * consensus_relay.c
 *	  CERT rows: certificates that others may lack, sent on.
 *
 * A liar may have shown his vote to one member only; then that one alone can
 * complete a certificate.  A CERT row holds what others signed, so nothing here
 * can break safety.  Each certificate is sent on once by each member.
 *
 *	  P6   at half of a timer: those on which the current view stands
 *	  P7   a final tip that somebody does not show
 *	  P11  the finalization that ends an epoch (consensus_final.c)
 *	  P13  that of a block that decides another motion
 *	  P14  a final tip that the logs do not show, at once
 *
 * Pure code: no PostgreSQL, no allocation, no clock.
 *
 *-------------------------------------------------------------------------
 */
#include "consensus_state.h"

static int64_t patience(const TlConsensus *core, unsigned index);
static bool is_implied(const TlConsensus *core, const TlView *view);

/*
 * P6: half of the timer has passed in vain.  Whoever is behind may lack a
 * certificate that only this node could complete: send on, once each, those on
 * which the current view stands.
 */
void
tl_consensus_relay_view(TlConsensus *core)
{
	bool		all = true;

	if (core->pace.relayed || TL_FORGOTTEN(106))
		return;
	if (core->own.asking || core->own.lost)
		return;					/* R30, R31: later */
	for (uint64_t number = core->own.view; number-- > core->low;)
	{
		TlView	   *view = tl_consensus_view(core, number);

		if (view == NULL)
			continue;			/* the own log went on where memory ends (P9) */
		if (view->certified[VOTE_NULLIFY].present)
			all &= tl_consensus_relay(core, view, VOTE_NULLIFY);
		if (view->certified[VOTE_FINALIZE].present)
		{
			all &= tl_consensus_relay(core, view, VOTE_FINALIZE);
			break;
		}
		if (view->certified[VOTE_NOTARIZE].present)
		{
			all &= tl_consensus_relay(core, view, VOTE_NOTARIZE);
			break;
		}
	}
	core->pace.relayed = all;
}

/*
 * P7: an active member's ACK does not show the final tip: show it to him, after
 * half a timer; at once if the logs do not (P14).  What is known may be the
 * finalization of a descendant, of which something is still missing here.
 */
void
tl_consensus_relay_final(TlConsensus *core)
{
	TlView	   *view = tl_consensus_view(core, core->final_view);
	bool		at_once = view != NULL && view->certified[VOTE_FINALIZE].present &&
	!is_implied(core, view) && !TL_FORGOTTEN(114);

	for (unsigned i = 0; i < core->config.member_count; i++)
	{
		TlPeer	   *peer = &core->peers[i];
		int64_t		due = peer->owing_us + (at_once ? 0 : patience(core, i));

		if (i == core->own.index || !core->config.members[i].validator ||
			peer->owing_us == 0)
			continue;
		if (peer->final_height >= core->base.header.height)
		{
			peer->owing_us = 0;
			continue;
		}
		if (!tl_consensus_active_is(core, i))
			continue;
		if (core->now_us < due)
			tl_consensus_pace_wake(core, due);
		else if (view != NULL && view->certified[VOTE_FINALIZE].present &&
				 !TL_FORGOTTEN(107))
			(void) tl_consensus_relay(core, view, VOTE_FINALIZE);
	}
}

/* Half a timer, and a whole round trip if he is further away. */
static int64_t
patience(const TlConsensus *core, unsigned index)
{
	int64_t		time = tl_consensus_hop_timer(core, index);

	return ((time > core->config.pace.timer_us) ? time : core->config.pace.timer_us) / 2;
}

/* Does somebody's log show this finalization, or all logs together? */
static bool
is_implied(const TlConsensus *core, const TlView *view)
{
	const TlCertified *certified = &view->certified[VOTE_FINALIZE];
	unsigned	count = 0;

	for (unsigned i = 0; i < core->config.member_count; i++)
	{
		const TlTallied *tallied = &view->tallied[VOTE_FINALIZE][i];

		count += (tallied->present &&
				  tl_consensus_same(&tallied->block, &certified->block));
	}
	return certified->logged || count >= core->quorum;
}

/*
 * P13: a block that decides a motion is final: whoever reads this log shall know
 * it.  The finalization may be that of a later block.
 */
void
tl_consensus_relay_decided(TlConsensus *core)
{
	TlView	   *view = tl_consensus_view(core, core->final_view);

	if (!core->pace.decided || TL_FORGOTTEN(113))
		return;
	if (view != NULL && view->certified[VOTE_FINALIZE].present &&
		tl_consensus_relay(core, view, VOTE_FINALIZE))
		core->pace.decided = false;
}

/* False if it has to be tried again: no room, or this node may not sign yet. */
bool
tl_consensus_relay(TlConsensus *core, TlView *view, TlVoteKind kind)
{
	uint8_t    *start = core->scratch.data + core->scratch.used;
	TlWriter	writer;
	TlSpan		payload;

	if (view->certified[kind].relayed || !core->own.votes)
		return true;
	tl_writer_init(&writer, start, core->scratch.size - core->scratch.used);
	if (tl_consensus_tally_encode(&writer, core, kind, view) != TL_OK)
		return false;
	payload.data = start;
	payload.size = writer.size;
	if (!tl_consensus_append(core, TL_LOG_CERT, core->own.view, payload))
		return false;
	core->scratch.used += writer.size;
	view->certified[kind].relayed = true;
	return true;
}
