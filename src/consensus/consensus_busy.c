/*-------------------------------------------------------------------------
 *
 * consensus_busy.c
 *	  P23: who is busy with final blocks orders the next one a little later.
 *
 * A block costs the same rows and votes whatever it orders, and while one is
 * being applied and another one waits for that, a third is of no use to anybody
 * yet.  So a leader whose caller is busy lets batches come together, for busy_us
 * at most; and a member who is busy himself does not count that time as the
 * leader's silence.
 *
 * Members need not be busy together.  A leader for whom the others did not wait
 * does not wait in his next turns either, HURRIED_TURNS of them.
 *
 * Liveness only: no safety rule looks here.
 *
 * Pure code: no PostgreSQL, no allocation, no clock.
 *
 *-------------------------------------------------------------------------
 */
#include "consensus_state.h"

#define HURRIED_TURNS	16

void
tl_consensus_busy_input(TlConsensus *core, bool busy)
{
	TlPaceState *pace = &core->pace;

	if (pace->busy && !busy)
		pace->busy_until_us = core->now_us;
	pace->busy = busy;
}

/* May this node, who leads the view, propose a block that orders something? */
bool
tl_consensus_busy_may_lead(TlConsensus *core)
{
	TlPaceState *pace = &core->pace;
	int64_t		until = pace->entered_us + core->config.pace.busy_us;

	if (!pace->busy || pace->hurried > 0 || core->now_us >= until)
		return true;
	pace->waited_view = core->own.view;
	tl_consensus_pace_wake(core, until);
	return false;
}

/* Since when this node has waited in a view in which there is work since that time. */
int64_t
tl_consensus_busy_since(TlConsensus *core, int64_t since_us)
{
	const TlPaceState *pace = &core->pace;
	int64_t		until = pace->busy ? core->now_us : pace->busy_until_us;
	int64_t		limit = since_us + core->config.pace.busy_us;

	if (until > limit)
		until = limit;
	return (until > since_us && !TL_FORGOTTEN(123)) ? until : since_us;
}

/* It has proposed a block. */
void
tl_consensus_busy_led(TlConsensus *core)
{
	if (core->pace.hurried > 0)
		core->pace.hurried--;
}

/* That view was given up, with the block for which it waited, or without. */
void
tl_consensus_busy_nullified(TlConsensus *core, uint64_t view)
{
	if (view == core->pace.waited_view)
		core->pace.hurried = HURRIED_TURNS;
}
