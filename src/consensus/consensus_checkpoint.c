/*-------------------------------------------------------------------------
 *
 * consensus_checkpoint.c
 *	  STATE rows, stable checkpoints, and members whose state differs.
 *
 * After a block whose height the interval divides, and once when the chain has
 * fallen idle, a member says what its state is.  A quorum of equal STATE rows is
 * a stable checkpoint; it goes into the next proposal's header, with its
 * certificate.  Order never depends on state: no vote looks at anything here
 * but for that certificate.
 *
 * Invariants (rules of README.md)
 *	  R40 (consensus_proposal.c) a header's checkpoint moves with a certificate
 *	  R41 only STATE rows that are equal in everything count together
 *	  R42 one STATE row a height, heights rise
 *	  R43 who differs from a stable checkpoint says no more
 *	  R44 what may be pruned lies below a stable checkpoint and the base
 *
 * Pure code: no PostgreSQL, no allocation, no clock.
 *
 *-------------------------------------------------------------------------
 */
#include "consensus_state.h"

#include "consensus_payload.h"

#include <string.h>

static void remember(TlConsensus *core, const TlState *state, uint64_t view);
static void count(TlConsensus *core, const TlStateClaim *claim);
static void become_stable(TlConsensus *core, const TlState *state,
						  uint64_t view);
static void compare(TlConsensus *core);
static void differs(TlConsensus *core, unsigned index);
static void differs_here(TlConsensus *core);
static bool is_stable(const TlConsensus *core, const TlState *state);
static bool same_state(const TlState *left, const TlState *right);
static bool same_claim(const TlStateClaim *left, const TlStateClaim *right);
static TlStateClaim *claim_of(const TlConsensus *core, unsigned index,
							  uint64_t height);
static void write_states(TlConsensus *core);
static bool is_due(TlConsensus *core, const TlStateClaim *claim);
static void write_state(TlConsensus *core, const TlStateClaim *claim);
static void tell_stable(TlConsensus *core);
static void tell_prunable(TlConsensus *core);
static void look_for_split(TlConsensus *core);
static void doubt(TlConsensus *core, uint64_t height);
static bool is_split(const TlConsensus *core, uint64_t height, bool *for_good);
static bool alarm_at(TlConsensus *core, TlAlarm alarm, uint32_t member,
					 uint64_t height);

/* What the last block handed over says is stable. */
void
tl_consensus_checkpoint_base(TlConsensus *core)
{
	TlCheckpoint *checkpoint = &core->checkpoint;
	const TlBlockHeader *header = &core->base.header;

	checkpoint->moved = true;
	if (header->checkpoint_height <= checkpoint->stable.height)
		return;
	memset(&checkpoint->stable, 0, sizeof(checkpoint->stable));
	checkpoint->stable.height = header->checkpoint_height;
	checkpoint->stable.state_root = header->checkpoint_state_root;
	checkpoint->vote_count = 0;
	checkpoint->told = header->checkpoint_height;
}

/* The caller's own state after a block; false if that block is not final. */
bool
tl_consensus_checkpoint_input(TlConsensus *core, const TlState *state,
							  uint64_t view)
{
	TlCheckpoint *checkpoint = &core->checkpoint;

	if (state->height == 0 || state->height > core->base.header.height ||
		view > core->base.header.view ||
		(state->height == core->base.header.height &&
		 !tl_consensus_same(&state->block, &core->base.hash)))
		return false;
	remember(core, state, view);
	checkpoint->moved = true;
	compare(core);
	return true;
}

/* A STATE row of a validator, in order of his log. */
void
tl_consensus_checkpoint_row(TlConsensus *core, const TlLogRow *row,
							unsigned index)
{
	TlStateClaim *claims = &core->checkpoint.claims[index * TL_CONSENSUS_STATES_MAX];
	TlStateClaim *place = claims;
	TlState		state;

	if (tl_consensus_state_decode(&state, row->payload.data,
								  row->payload.size) != TL_OK)
	{
		tl_consensus_alarm(core, TL_ALARM_ILLEGAL_ROW, row->member);
		return;
	}
	if (index == core->own.index && state.height > core->checkpoint.written)
		core->checkpoint.written = state.height;
	if (state.height == core->checkpoint.stable.height &&
		!is_stable(core, &state))
		differs(core, index);
	if (state.height <= core->checkpoint.stable.height ||
		claim_of(core, index, state.height) != NULL)
		return;
	for (unsigned i = 1; i < TL_CONSENSUS_STATES_MAX; i++)
	{
		if (claims[i].state.height < place->state.height)
			place = &claims[i];
	}
	if (place->state.height >= state.height)
		return;
	place->state = state;
	place->view = row->view;
	tl_consensus_certificate_row_vote(&place->vote, row);
	core->checkpoint.moved = true;
	count(core, place);
	doubt(core, state.height);
}

/* A certificate of STATE whose signatures are valid. */
void
tl_consensus_checkpoint_certificate(TlConsensus *core,
									const TlCertificate *certificate)
{
	TlCheckpoint *checkpoint = &core->checkpoint;
	TlState		state;

	if (certificate->height <= checkpoint->stable.height)
		return;
	state.height = certificate->height;
	state.block = certificate->block;
	state.state_root = certificate->state_root;
	state.outcome_root = certificate->outcome_root;
	checkpoint->vote_count = certificate->vote_count;
	memcpy(checkpoint->votes, certificate->votes.data,
		   certificate->votes.size);
	become_stable(core, &state, certificate->view);
}

/* Is it byte for byte a STATE row that was judged before? */
bool
tl_consensus_checkpoint_counted(const TlConsensus *core,
								const TlCertificate *certificate,
								const TlVote *vote, unsigned index)
{
	const TlStateClaim *claim = claim_of(core, index, certificate->height);

	return claim != NULL && claim->view == certificate->view &&
		tl_consensus_same(&claim->state.block, &certificate->block) &&
		tl_consensus_same(&claim->state.state_root, &certificate->state_root) &&
		tl_consensus_same(&claim->state.outcome_root,
						  &certificate->outcome_root) &&
		tl_consensus_tally_same_vote(&claim->vote, vote);
}

/* Has a block on this parent to say that another checkpoint is stable? */
bool
tl_consensus_checkpoint_moves(const TlConsensus *core,
							  const TlBlockHeader *parent)
{
	const TlCheckpoint *checkpoint = &core->checkpoint;

	return checkpoint->vote_count > 0 &&
		checkpoint->stable.height > parent->checkpoint_height &&
		checkpoint->stable.height <= parent->height;
}

TlStatus
tl_consensus_checkpoint_encode(TlWriter *writer, const TlConsensus *core)
{
	const TlCheckpoint *checkpoint = &core->checkpoint;
	TlCertificate certificate;

	memset(&certificate, 0, sizeof(certificate));
	certificate.kind = TL_LOG_STATE;
	certificate.epoch = core->config.epoch;
	certificate.view = checkpoint->view;
	certificate.block = checkpoint->stable.block;
	certificate.height = checkpoint->stable.height;
	certificate.state_root = checkpoint->stable.state_root;
	certificate.outcome_root = checkpoint->stable.outcome_root;
	certificate.vote_count = checkpoint->vote_count;
	certificate.votes.data = checkpoint->votes;
	certificate.votes.size = (size_t) checkpoint->vote_count *
		TL_CERTIFICATE_VOTE_SIZE;
	return tl_consensus_certificate_encode(writer, &certificate);
}

/* At the end of a step: what is to be written and told. */
void
tl_consensus_checkpoint_settle(TlConsensus *core)
{
	if (core->config.checkpoint_interval == 0)
		return;
	write_states(core);
	tell_stable(core);
	tell_prunable(core);
	look_for_split(core);
}

/* The own state after a block, in place of the oldest that is known. */
static void
remember(TlConsensus *core, const TlState *state, uint64_t view)
{
	TlStateClaim *place = core->checkpoint.own;

	for (unsigned i = 0; i < TL_CONSENSUS_STATES_MAX; i++)
	{
		TlStateClaim *other = &core->checkpoint.own[i];

		if (other->state.height == state->height)
			return;
		if (other->state.height < place->state.height)
			place = other;
	}
	if (place->state.height >= state->height)
		return;
	place->state = *state;
	place->view = view;
}

/* R41: is there a quorum that says the same as this row? */
static void
count(TlConsensus *core, const TlStateClaim *claim)
{
	TlCheckpoint *checkpoint = &core->checkpoint;
	TlWriter	writer;
	unsigned	votes = 0;

	for (int pass = 0; pass < 2; pass++)
	{
		tl_writer_init(&writer, checkpoint->votes,
					   (size_t) core->validator_count * TL_CERTIFICATE_VOTE_SIZE);
		for (unsigned i = 0; i < core->config.member_count; i++)
		{
			const TlStateClaim *other = claim_of(core, i, claim->state.height);

			if (other == NULL || !same_claim(other, claim) ||
				!TL_RULE(45, !core->peers[i].doubled))
				continue;
			if (pass == 0)
				votes++;
			else
				tl_consensus_certificate_put_vote(&writer, &other->vote);
		}
		if (votes < core->quorum)
			return;
	}
	checkpoint->vote_count = (uint16_t) votes;
	become_stable(core, &claim->state, claim->view);
}

static void
become_stable(TlConsensus *core, const TlState *state, uint64_t view)
{
	TlCheckpoint *checkpoint = &core->checkpoint;

	checkpoint->stable = *state;
	checkpoint->view = view;
	checkpoint->moved = true;
	compare(core);
}

/* R43: does anybody say something else of the newest stable checkpoint? */
static void
compare(TlConsensus *core)
{
	const TlState *stable = &core->checkpoint.stable;

	if (stable->height == 0)
		return;
	for (unsigned i = 0; i < core->config.member_count; i++)
	{
		const TlStateClaim *claim = claim_of(core, i, stable->height);

		if (claim != NULL && !is_stable(core, &claim->state))
			differs(core, i);
	}
	for (unsigned i = 0; i < TL_CONSENSUS_STATES_MAX; i++)
	{
		const TlStateClaim *own = &core->checkpoint.own[i];

		if (own->state.height == stable->height &&
			!is_stable(core, &own->state))
			differs_here(core);
	}
}

/* A member's state is not that of the newest stable checkpoint. */
static void
differs(TlConsensus *core, unsigned index)
{
	if (index == core->own.index)
		differs_here(core);
	if (index == core->own.index || core->peers[index].diverged)
		return;
	core->peers[index].diverged = alarm_at(core, TL_ALARM_DIVERGED,
										   core->config.members[index].number,
										   core->checkpoint.stable.height);
}

/* The alarm, at the end of the step, names the checkpoint where that was seen: others may follow in it. */
static void
differs_here(TlConsensus *core)
{
	if (!core->checkpoint.diverged)
		core->checkpoint.diverged_height = core->checkpoint.stable.height;
	core->checkpoint.diverged = true;
}

/* Of a checkpoint that only a header names, no more than the root is known. */
static bool
is_stable(const TlConsensus *core, const TlState *state)
{
	const TlState *stable = &core->checkpoint.stable;

	if (core->checkpoint.vote_count == 0)
		return tl_consensus_same(&state->state_root, &stable->state_root);
	return same_state(state, stable);
}

static bool
same_state(const TlState *left, const TlState *right)
{
	return left->height == right->height &&
		tl_consensus_same(&left->block, &right->block) &&
		TL_RULE(41, tl_consensus_same(&left->state_root, &right->state_root)) &&
		tl_consensus_same(&left->outcome_root, &right->outcome_root);
}

static bool
same_claim(const TlStateClaim *left, const TlStateClaim *right)
{
	return left->view == right->view &&
		same_state(&left->state, &right->state);
}

/* What that member said of that height, or NULL. */
static TlStateClaim *
claim_of(const TlConsensus *core, unsigned index, uint64_t height)
{
	for (unsigned i = 0; i < TL_CONSENSUS_STATES_MAX; i++)
	{
		TlStateClaim *claim = &core->checkpoint.claims[index * TL_CONSENSUS_STATES_MAX + i];

		if (claim->state.height == height && height > 0)
			return claim;
	}
	return NULL;
}

/* R42, R43: own STATE rows, those of lower heights first. */
static void
write_states(TlConsensus *core)
{
	TlCheckpoint *checkpoint = &core->checkpoint;

	if (checkpoint->diverged && !checkpoint->alarmed && core->own.index < core->config.member_count)
		checkpoint->alarmed = alarm_at(core, TL_ALARM_DIVERGED,
									   core->config.member,
									   checkpoint->diverged_height);
	if (!core->own.votes || !TL_RULE(43, !checkpoint->diverged))
		return;
	for (;;)
	{
		const TlStateClaim *next = NULL;
		uint64_t	before = checkpoint->written;

		for (unsigned i = 0; i < TL_CONSENSUS_STATES_MAX; i++)
		{
			const TlStateClaim *claim = &checkpoint->own[i];

			if (TL_RULE(42, claim->state.height > checkpoint->written) &&
				is_due(core, claim) &&
				(next == NULL || claim->state.height < next->state.height))
				next = claim;
		}
		if (next == NULL)
			return;
		write_state(core, next);
		if (checkpoint->written == before)
			return;				/* no room in this step, or written twice */
	}
}

/*
 * At an interval; the newest one also when nothing has happened for a while.
 * That this node has a quorum already is no reason to be silent: a liar may have
 * told others something else.  What the chain itself says needs no row.
 */
static bool
is_due(TlConsensus *core, const TlStateClaim *claim)
{
	int64_t		at = core->checkpoint.handed_us;

	if (claim->state.height == 0 ||
		claim->state.height <= core->base.header.checkpoint_height)
		return false;
	if (claim->state.height % core->config.checkpoint_interval == 0)
		return true;
	if (claim->state.height != core->base.header.height)
		return false;
	/* Liars can leave a member alone with work that nobody else sees. */
	at += (core->pace.work_us == 0) ? core->config.pace.timer_us :
		core->config.pace.timer_max_us;
	if (core->now_us >= at)
		return true;
	tl_consensus_pace_wake(core, at);
	return false;
}

static void
write_state(TlConsensus *core, const TlStateClaim *claim)
{
	uint8_t		bytes[TL_STATE_SIZE];
	TlWriter	writer;
	TlSpan		payload;

	tl_writer_init(&writer, bytes, sizeof(bytes));
	if (tl_consensus_state_encode(&writer, &claim->state) != TL_OK)
		return;
	payload = tl_consensus_keep(core, bytes, writer.size);
	if (payload.size > 0 &&
		tl_consensus_append(core, TL_LOG_STATE, claim->view, payload) &&
		claim->state.height > core->checkpoint.written)
		core->checkpoint.written = claim->state.height;
}

static void
tell_stable(TlConsensus *core)
{
	TlCheckpoint *checkpoint = &core->checkpoint;
	uint8_t    *start = core->scratch.data + core->scratch.used;
	TlWriter	writer;
	TlAction   *action;

	if (checkpoint->stable.height <= checkpoint->told ||
		checkpoint->vote_count == 0 || !tl_consensus_room(core, 1))
		return;
	tl_writer_init(&writer, start, core->scratch.size - core->scratch.used);
	if (tl_consensus_checkpoint_encode(&writer, core) != TL_OK)
	{
		core->actions->more = true;
		return;
	}
	core->scratch.used += writer.size;
	action = tl_consensus_act(core, TL_ACT_CHECKPOINT);
	action->state = checkpoint->stable;
	action->view = checkpoint->view;
	action->certificate.data = start;
	action->certificate.size = writer.size;
	checkpoint->told = checkpoint->stable.height;
}

/*
 * R44, P19: a checkpoint that this node has passed, once those have whom it waits for.
 * One at a time, so that a checkpoint that comes meanwhile delays nothing.
 */
static void
tell_prunable(TlConsensus *core)
{
	TlCheckpoint *checkpoint = &core->checkpoint;
	TlAction   *action;

	if (checkpoint->passed == 0 && checkpoint->vote_count > 0 &&
		checkpoint->stable.height > checkpoint->pruned &&
		TL_RULE(44, checkpoint->stable.height <= core->base.header.height))
	{
		checkpoint->passed = checkpoint->stable.height;
		checkpoint->passed_view = checkpoint->view;
	}
	if (checkpoint->passed == 0)
		return;
	for (unsigned i = 0; i < core->config.member_count; i++)
	{
		if (i != core->own.index &&
			tl_consensus_active_delays(core, i, checkpoint->passed))
			return;
	}
	action = tl_consensus_act(core, TL_ACT_PRUNE);
	if (action == NULL)
		return;
	action->state.height = checkpoint->passed;
	action->view = checkpoint->passed_view;
	checkpoint->pruned = checkpoint->passed;
	checkpoint->passed = 0;
}

/*
 * n - f have told their state after one block and no quorum agrees.  If none
 * can any more that is certain at once; otherwise those who have not spoken
 * get the time after which they count as inactive.
 */
static void
look_for_split(TlConsensus *core)
{
	TlCheckpoint *checkpoint = &core->checkpoint;
	bool		for_good = false;

	if (checkpoint->doubt != 0 && checkpoint->moved)
	{
		/* It may have been resolved; then another one may be the lowest. */
		checkpoint->moved = false;
		if (checkpoint->doubt <= checkpoint->stable.height)
		{
			checkpoint->doubt = 0;
			for (unsigned i = 0; i < core->config.member_count * TL_CONSENSUS_STATES_MAX; i++)
				doubt(core, checkpoint->claims[i].state.height);
		}
	}
	if (checkpoint->doubt == 0)
		return;
	if (!is_split(core, checkpoint->doubt, &for_good))
	{
		checkpoint->doubt = 0;	/* too many heights have come since */
		return;
	}
	if (!for_good &&
		core->now_us < checkpoint->doubt_us + core->config.pace.active_us)
	{
		tl_consensus_pace_wake(core, checkpoint->doubt_us +
							   core->config.pace.active_us);
		return;
	}
	if (!alarm_at(core, TL_ALARM_SPLIT, 0, checkpoint->doubt))
		return;
	checkpoint->split = checkpoint->doubt;
	checkpoint->doubt = 0;
}

/* A STATE row of that height has come. */
static void
doubt(TlConsensus *core, uint64_t height)
{
	TlCheckpoint *checkpoint = &core->checkpoint;
	bool		for_good;

	if (height <= checkpoint->stable.height || height <= checkpoint->split ||
		(checkpoint->doubt != 0 && checkpoint->doubt <= height) ||
		!is_split(core, height, &for_good))
		return;
	checkpoint->doubt = height;
	checkpoint->doubt_us = core->now_us;
}

static bool
is_split(const TlConsensus *core, uint64_t height, bool *for_good)
{
	unsigned	there = 0;
	unsigned	best = 0;

	for (unsigned i = 0; i < core->config.member_count; i++)
		there += (claim_of(core, i, height) != NULL);
	if (there < core->validator_count - core->faults)
		return false;
	for (unsigned i = 0; i < core->config.member_count; i++)
	{
		const TlStateClaim *claim = claim_of(core, i, height);
		unsigned	equal = 0;

		for (unsigned j = 0; claim != NULL && j < core->config.member_count; j++)
		{
			const TlStateClaim *other = claim_of(core, j, height);

			equal += (other != NULL && same_claim(other, claim));
		}
		if (equal > best)
			best = equal;
	}
	*for_good = (best + core->validator_count - there < core->quorum);
	return best < core->quorum;
}

/* False if there was no room: it is to be given in the next step. */
static bool
alarm_at(TlConsensus *core, TlAlarm alarm, uint32_t member, uint64_t height)
{
	TlAction   *action = tl_consensus_act(core, TL_ACT_ALARM);

	if (action == NULL)
		return false;
	action->alarm = alarm;
	action->member = member;
	action->state.height = height;
	return true;
}
