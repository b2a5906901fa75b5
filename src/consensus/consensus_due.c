/*-------------------------------------------------------------------------
 *
 * consensus_due.c
 *	  P12: something is due at a time, and so there is to be a block.
 *
 * The caller says what its own state after a final block has due, and when.
 * That is a function of the chain, so whoever applies alike says the same.  It
 * counts only while that block is the base: what is due after the next one, only
 * the next state can tell.  Hence a leader and his voters judge by one state,
 * that after the parent, or wait until they have it.
 *
 * No safety rule looks here.
 *
 * Pure code: no PostgreSQL, no allocation, no clock.
 *
 *-------------------------------------------------------------------------
 */
#include "consensus_state.h"

static bool is_of_base(const TlConsensus *core);

/*
 * After the block at that height something is due at due_us; 0: nothing is.
 * False if the block is not final here.
 */
bool
tl_consensus_due_input(TlConsensus *core, uint64_t height, int64_t due_us)
{
	TlPaceState *pace = &core->pace;

	if (height > core->base.header.height)
		return false;
	if (height < pace->due_height)
		return true;
	pace->due_height = height;
	pace->due_us = due_us;
	return true;
}

/*
 * P2: is it time?  If not yet, the step comes again; after timer_max at the
 * latest, as the clock may be set meanwhile.
 */
bool
tl_consensus_due_is_work(TlConsensus *core)
{
	const TlPaceState *pace = &core->pace;
	int64_t		left = pace->due_us - core->clock_us;

	if (!is_of_base(core))
		return false;
	if (tl_consensus_due_by(core, &core->base, core->clock_us) ||
		tl_consensus_due_by(core, &core->base, core->base.header.time + 1))
		return true;
	if (left > core->config.pace.timer_max_us)
		left = core->config.pace.timer_max_us;
	tl_consensus_pace_wake(core, core->now_us + left);
	return false;
}

/* P5: has a block of that time on this parent something to run? */
bool
tl_consensus_due_by(const TlConsensus *core, const TlConsensusBlock *parent,
					int64_t time)
{
	return is_of_base(core) &&
		tl_consensus_same(&parent->hash, &core->base.hash) &&
		time >= core->pace.due_us;
}

/* Has the state after the base anything due, sooner or later? */
static bool
is_of_base(const TlConsensus *core)
{
	return core->pace.due_us != 0 &&
		core->pace.due_height == core->base.header.height &&
		!TL_FORGOTTEN(112);
}
