/*-------------------------------------------------------------------------
 *
 * consensus_hop.c
 *	  P15: how long rows take, measured, and the times that follow from it.
 *
 * An own row is a probe: a small batch, which every member acknowledges (unless ACKs
 * wait, P22), and a proposal, which every voter answers with NOTARIZE.  It leaves when
 * it comes back to the core as durable; what passes until the answer of a member is
 * here is a round trip, two hops with their commits.  Of each member the longest of
 * late is kept, which fades by a sixteenth with each answer.
 *
 * The time of a quorum is that within which so many have answered, the fastest
 * first: f liars cannot make it longer than honest members do, and if they make it
 * too short, and vote no more then, views are lost and P1 lets the timers grow.
 * In the view of a leader who is further away it is his time, but four times the
 * quorum's at most.
 *
 * Liveness only: no safety rule looks here.
 *
 * Pure code: no PostgreSQL, no allocation, no clock.
 *
 *-------------------------------------------------------------------------
 */
#include "consensus_state.h"

#include "chain_batch.h"
#include "consensus_payload.h"

#define FADES_BY				16
#define TIMER_TRIPS				4	/* round trips that a view may take, */
#define DEAD_TRIPS				3	/* and the leader's row */
#define LEADER_MAX				4	/* times the quorum's time */
#define ACK_TRIPS				2	/* from a batch to its final block, and then some */
#define SHOWN_WAITS				2	/* for several final blocks */

static void begin(TlConsensus *core, TlProbe *probe, const TlHash *subject);
static bool is_over(const TlConsensus *core, const TlProbe *probe);
static void answered(TlConsensus *core, TlProbe *probe, unsigned index);
static int64_t within(const TlConsensus *core, int64_t time, int64_t otherwise);
static int64_t of_quorum(const TlConsensus *core);
static int64_t of_leader(const TlConsensus *core, unsigned leader);

/* A row of this node is durable, and leaves. */
void
tl_consensus_hop_own_row(TlConsensus *core, const TlLogRow *row)
{
	TlHash		subject;
	const TlKnownBatch *batch;

	if (!core->started || core->config.pace.timer_min_us == 0)
		return;
	if (row->kind == TL_LOG_BATCH && core->config.pace.ack_wait_us == 0)
	{
		tl_chain_batch_digest(&subject, row->payload.data, row->payload.size);
		batch = tl_consensus_batch_find(core, core->own.index, &subject);
		if (batch == NULL || batch->body_size > TL_CONSENSUS_SMALL_BODY ||
			!is_over(core, &core->hop.batch))
			return;
		begin(core, &core->hop.batch, &subject);
		core->hop.place = tl_consensus_batch_place(core, core->own.index, batch);
	}
	if (row->kind == TL_LOG_NOTARIZE && row->epoch == core->config.epoch &&
		tl_consensus_leader(core, row->view) == core->own.index &&
		is_over(core, &core->hop.block) &&
		tl_consensus_vote_decode(&subject, row->payload.data,
								 row->payload.size) == TL_OK)
		begin(core, &core->hop.block, &subject);
}

/* A member has acknowledged the own lane up to there. */
void
tl_consensus_hop_acked(TlConsensus *core, unsigned index, const TlLane *lane)
{
	if (lane->member == core->config.member &&
		lane->incarnation == core->hop.place.incarnation &&
		lane->batch >= core->hop.place.batch)
		answered(core, &core->hop.batch, index);
}

void
tl_consensus_hop_voted(TlConsensus *core, unsigned index, const TlLogRow *row)
{
	TlHash		block;

	if (row->kind == TL_LOG_NOTARIZE &&
		tl_consensus_vote_decode(&block, row->payload.data,
								 row->payload.size) == TL_OK &&
		tl_consensus_same(&block, &core->hop.block.subject))
		answered(core, &core->hop.block, index);
}

/* P1: for a view of that leader, before back-off. */
int64_t
tl_consensus_hop_timer(const TlConsensus *core, unsigned leader)
{
	return within(core, TIMER_TRIPS * of_leader(core, leader),
				  core->config.pace.timer_us);
}

/* P4: for a row of that leader, before back-off. */
int64_t
tl_consensus_hop_dead(const TlConsensus *core, unsigned leader)
{
	return within(core, DEAD_TRIPS * of_leader(core, leader),
				  core->config.pace.dead_us);
}

/* P8: for what is asked for: never more often than the caller says. */
int64_t
tl_consensus_hop_fetch(const TlConsensus *core)
{
	int64_t		pause = core->config.pace.fetch_us;
	int64_t		time = within(core, DEAD_TRIPS * core->hop.quorum_us, pause);

	return (time > pause) ? time : pause;
}

/* P22: for a final block that makes the ACK of a batch needless. */
int64_t
tl_consensus_hop_ack(const TlConsensus *core)
{
	int64_t		time = ACK_TRIPS * core->hop.quorum_us;

	return (time > core->config.pace.ack_wait_us) ? time : core->config.pace.ack_wait_us;
}

/* P22: until the last final block is shown; well within the time of P7. */
int64_t
tl_consensus_hop_shown(const TlConsensus *core)
{
	int64_t		time = core->hop.quorum_us;
	int64_t		least = SHOWN_WAITS * core->config.pace.ack_wait_us;

	return (time > least) ? time : least;
}

/* Between the least timer and the longest; otherwise, if it is not known. */
static int64_t
within(const TlConsensus *core, int64_t time, int64_t otherwise)
{
	const TlConsensusPace *pace = &core->config.pace;

	if (time == 0)
		return otherwise;
	if (time < pace->timer_min_us)
		time = pace->timer_min_us;
	return (time < pace->timer_max_us) ? time : pace->timer_max_us;
}

static void
begin(TlConsensus *core, TlProbe *probe, const TlHash *subject)
{
	probe->subject = *subject;
	probe->left_us = core->now_us;
	probe->answered = 0;
}

/* Have all answered from whom anything comes?  Or is it too late? */
static bool
is_over(const TlConsensus *core, const TlProbe *probe)
{
	if (probe->left_us == 0 ||
		core->now_us >= probe->left_us + core->config.pace.timer_max_us)
		return true;
	for (unsigned i = 0; i < core->config.member_count; i++)
	{
		if (i != core->own.index && core->config.members[i].validator &&
			(probe->answered >> i & 1) == 0 &&
			tl_consensus_active_is(core, i))
			return false;
	}
	return true;
}

static void
answered(TlConsensus *core, TlProbe *probe, unsigned index)
{
	TlPeer	   *peer = &core->peers[index];
	int64_t		took = core->now_us - probe->left_us;

	if (probe->left_us == 0 || (probe->answered >> index & 1) != 0 ||
		TL_FORGOTTEN(115))
		return;
	probe->answered |= UINT64_C(1) << index;
	if (took > core->config.pace.timer_max_us)
		took = core->config.pace.timer_max_us;
	peer->round_us -= peer->round_us / FADES_BY;
	if (took < 1)
		took = 1;				/* 0: none */
	if (took > peer->round_us)
		peer->round_us = took;
	core->hop.quorum_us = of_quorum(core);
}

/* The time within which a quorum answers, this node at once; 0: not known. */
static int64_t
of_quorum(const TlConsensus *core)
{
	int64_t		times[TL_MEMBER_COUNT_MAX];
	unsigned	count = 0;

	for (unsigned i = 0; i < core->config.member_count; i++)
	{
		int64_t		time = core->peers[i].round_us;
		unsigned	at = count;

		if (time == 0 || i == core->own.index ||
			!core->config.members[i].validator)
			continue;
		for (; at > 0 && times[at - 1] > time; at--)
			times[at] = times[at - 1];
		times[at] = time;
		count++;
	}
	if (core->quorum < 2 || count < core->quorum - 1)
		return 0;
	return times[core->quorum - 2];
}

static int64_t
of_leader(const TlConsensus *core, unsigned leader)
{
	int64_t		quorum = core->hop.quorum_us;
	int64_t		time = core->peers[leader].round_us;

	if (time > LEADER_MAX * quorum)
		time = LEADER_MAX * quorum;
	return (time > quorum) ? time : quorum;
}
