/*-------------------------------------------------------------------------
 *
 * consensus_active.c
 *	  P18 and P19: who is active, and for whom pruning waits.
 *
 * A member owes a row while there is work here, which asks for its vote, and while
 * its ACK does not show the last final block.  Whoever owes and is silent for
 * active_us is not active: nobody waits for him.  Silence where nothing is owed
 * says nothing, so after idle hours all are active until they have had the time to
 * answer.
 *
 * Liveness only: no safety rule looks here.
 *
 * Pure code: no PostgreSQL, no allocation, no clock.
 *
 *-------------------------------------------------------------------------
 */
#include "consensus_state.h"

static bool owes(const TlConsensus *core, unsigned index);

/* A row, an answer or a question of his: if he still owes, the time anew. */
void
tl_consensus_active_heard(TlConsensus *core, unsigned index)
{
	core->peers[index].silent_us = owes(core, index) ? core->now_us : 0;
}

/* What is owed has changed, for all. */
void
tl_consensus_active_owe(TlConsensus *core)
{
	for (unsigned i = 0; i < core->config.member_count; i++)
	{
		TlPeer	   *peer = &core->peers[i];

		if (!owes(core, i))
			peer->silent_us = 0;
		else if (peer->silent_us == 0)
			peer->silent_us = core->now_us;
	}
}

/* P18: does he owe nothing, or has he not been silent for long since then? */
bool
tl_consensus_active_is(const TlConsensus *core, unsigned index)
{
	const TlPeer *peer = &core->peers[index];

	if (TL_FORGOTTEN(118))
		return peer->heard_us > 0 &&
			core->now_us <= peer->heard_us + core->config.pace.active_us;
	return peer->silent_us == 0 ||
		core->now_us <= peer->silent_us + core->config.pace.active_us;
}

/*
 * P19: does pruning to that height, which is final here, wait for his ACK?  Not for
 * one who has been silent for too long, nor for one who is too far behind, however
 * much else he says.
 */
bool
tl_consensus_active_delays(TlConsensus *core, unsigned index, uint64_t height)
{
	const TlConsensusPace *pace = &core->config.pace;
	const TlPeer *peer = &core->peers[index];
	int64_t		since = TL_FORGOTTEN(118) ? peer->heard_us : peer->silent_us;
	int64_t		until = since +
		((pace->retain_us > pace->active_us) ? pace->retain_us : pace->active_us);

	if (peer->final_height >= height || core->config.members[index].observer)
		return false;
	if (TL_FORGOTTEN(119))
		return true;
	if (pace->retain_count > 0 &&
		core->base.header.height - peer->final_height > pace->retain_count)
		return false;
	if (core->now_us > until)
		return false;
	tl_consensus_pace_wake(core, until + 1);
	return true;
}

static bool
owes(const TlConsensus *core, unsigned index)
{
	const TlConsensusMember *member = &core->config.members[index];

	if (member->observer || index == core->own.index || !core->started)
		return false;
	return core->peers[index].final_height < core->base.header.height ||
		(member->validator && core->pace.work_us != 0);
}
