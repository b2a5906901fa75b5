/*-------------------------------------------------------------------------
 *
 * consensus_tip.c
 *	  P16: others are asked for their last final block, where no rows tell.
 *
 * The answer is a read, no row: the finalization of that block, as the one who is
 * asked keeps it with his base.  It is judged by its own bytes like every
 * certificate (C3), and so leads to the block wherever it comes from.
 *
 * Pure code: no PostgreSQL, no allocation, no clock.
 *
 *-------------------------------------------------------------------------
 */
#include "consensus_state.h"

static int64_t quorum_heard(const TlConsensus *core);

/* At the end of a step: after a start, and when rows of a quorum are old. */
void
tl_consensus_tip_ask(TlConsensus *core)
{
	int64_t		pause = core->config.pace.ask_us;

	if (pause == 0 || core->quorum < 2 || TL_FORGOTTEN(116))
		return;
	if (core->tip_us != 0 && core->now_us >= core->tip_us)
	{
		int64_t		heard = quorum_heard(core);

		if (heard + pause > core->now_us)
			core->tip_us = heard + pause;
	}
	if (core->now_us >= core->tip_us)
	{
		if (tl_consensus_act(core, TL_ACT_ASK_TIP) == NULL)
			return;
		core->tip_us = core->now_us + pause;
	}
	tl_consensus_pace_wake(core, core->tip_us);
}

/* That member's answer. */
void
tl_consensus_tip_input(TlConsensus *core, const TlInput *input)
{
	unsigned	index = tl_consensus_index(core, input->member);
	TlCertificate certificate;

	if (index >= core->config.member_count || index == core->own.index ||
		tl_consensus_certificate_decode(&certificate, input->payload.data,
										input->payload.size) != TL_OK ||
		certificate.kind != TL_LOG_FINALIZE)
		return;
	tl_consensus_pace_answered(core, index);
	if (certificate.epoch > core->config.epoch && core->started)
		tl_consensus_pace_follow(core, index);
	if (certificate.epoch == core->config.epoch && input->certificates_valid)
		tl_consensus_tally_shown(core, index, &certificate);
}

/* Since when rows of a quorum have come, this node's own among them. */
static int64_t
quorum_heard(const TlConsensus *core)
{
	int64_t		times[TL_MEMBER_COUNT_MAX];
	unsigned	count = 0;

	for (unsigned i = 0; i < core->config.member_count; i++)
	{
		int64_t		time = core->peers[i].heard_us;
		unsigned	at = count;

		if (i == core->own.index || !core->config.members[i].validator)
			continue;
		for (; at > 0 && times[at - 1] < time; at--)
			times[at] = times[at - 1];
		times[at] = time;
		count++;
	}
	return (count < core->quorum - 1) ? 0 : times[core->quorum - 2];
}
