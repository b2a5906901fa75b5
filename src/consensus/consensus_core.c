/*-------------------------------------------------------------------------
 *
 * consensus_core.c
 *	  The core of consensus: making it, and its step.
 *
 * A step takes in its input, then does what has become possible until nothing
 * changes any more, then acknowledges.  Between inputs that follow at once
 * (input->more) only the first happens, so that a burst of rows costs one
 * settling and one ACK.
 *
 * Invariants
 *	  S1  before TL_INPUT_START no action is asked for but alarms
 *	  S2  own rows are asked for in the order of their sequence, each once
 *
 * Pure code: no PostgreSQL, no allocation, no clock.
 * Used by the worker, the simulator and the fuzzer.
 *
 *-------------------------------------------------------------------------
 */
#include "consensus_state.h"

#include "crypto_hash.h"

#include <string.h>

#define ROUNDS_MAX		(4 * TL_CONSENSUS_VIEWS_MAX)
#define ACTIONS_KEPT	8		/* for alarms and TL_ACT_WAKE */

static unsigned kept_after(TlActionKind kind);
static bool has_room(const TlConsensus *core, unsigned count, unsigned kept);
static bool check_config(const TlConsensusConfig *config);
static TlConsensus *lay_out(TlArena *arena, const TlConsensusConfig *config);
static void lay_out_lanes(TlArena *arena, const TlConsensusConfig *config,
						  TlLaneState *lanes);
static void lay_out_states(TlArena *arena, const TlConsensusConfig *config,
						   TlConsensus *core);
static TlKeptReply *lay_out_replies(TlArena *arena,
									const TlConsensusConfig *config);
static size_t scratch_size(const TlConsensusConfig *config);
static void set_members(TlConsensus *core);
static void set_schedule(TlConsensus *core);
static void set_base(TlConsensus *core);
static TlStatus take_input(TlConsensus *core, const TlInput *input);
static TlStatus take_answer(TlConsensus *core, const TlInput *input);
static void begin(TlConsensus *core, bool fresh);
static TlStatus take_outdated(TlConsensus *core, const TlInput *input);
static TlStatus take_row(TlConsensus *core, const TlInput *input);
static bool is_too_early(const TlConsensus *core, const TlLogRow *row);
static void take_own_row(TlConsensus *core, const TlLogRow *row);
static void read_row(TlConsensus *core, const TlInput *input, unsigned index);
static void settle(TlConsensus *core);

size_t
tl_consensus_size(const TlConsensusConfig *config)
{
	TlArena		arena;

	if (!check_config(config))
		return 0;
	tl_consensus_arena_init(&arena, NULL, 0);
	(void) lay_out(&arena, config);
	return arena.used;
}

TlConsensus *
tl_consensus_init(void *memory, size_t size, const TlConsensusConfig *config)
{
	TlArena		arena;
	TlConsensus *core;

	if (memory == NULL || !check_config(config) ||
		size < tl_consensus_size(config))
		return NULL;
	tl_consensus_arena_init(&arena, memory, size);
	core = lay_out(&arena, config);
	if (core == NULL)
		return NULL;
	core->config = *config;
	core->config.certificate.data = NULL;
	core->config.certificate.size = 0;
	set_members(core);
	set_schedule(core);
	core->base = config->base;
	core->standing = config->standing;
	set_base(core);
	if (config->certificate.size > 0)
	{
		TlCertificate certificate;

		if (tl_consensus_certificate_decode(&certificate,
											config->certificate.data,
											config->certificate.size) != TL_OK)
			return NULL;
		if (certificate.epoch == config->epoch &&
			certificate.vote_count > core->validator_count)
			return NULL;
		if (certificate.epoch == config->epoch)
			tl_consensus_tally_certificate(core, &certificate);
	}
	return core;
}

TlStatus
tl_consensus_step(TlConsensus *core, TlActions *actions,
				  const TlInput *input)
{
	TlStatus	status;

	actions->count = 0;
	actions->more = false;
	actions->standing = &core->standing;
	core->actions = actions;
	core->handed_count = 0;
	core->scratch.used = 0;
	core->pace.wake_us = 0;
	if (input->now_us > core->now_us)
		core->now_us = input->now_us;
	core->clock_us = input->clock_us;
	if (core->forked)
		tl_consensus_alarm(core, TL_ALARM_FORK, 0);
	status = take_input(core, input);
	if (core->started && !input->more && core->standing.changed)
		tl_consensus_final_retire(core);
	else if (core->started && !input->more)
	{
		(void) tl_consensus_recover_run(core);
		tl_consensus_accuse_owed(core);
		settle(core);
		tl_consensus_checkpoint_settle(core);
		tl_consensus_lane_want(core);
		tl_consensus_entry_want(core);
		tl_consensus_lane_read_again(core);
		tl_consensus_ack_write(core);
		tl_consensus_tip_ask(core);
		if (core->pace.wake_us != 0)
		{
			TlAction   *action = tl_consensus_act(core, TL_ACT_WAKE);

			if (action != NULL)
				action->wake_us = core->pace.wake_us;
		}
	}
	core->actions = NULL;
	return status;
}

void
tl_consensus_status(const TlConsensus *core, TlConsensusStatus *out)
{
	memset(out, 0, sizeof(*out));
	out->view = core->own.view;
	out->final_height = core->base.header.height;
	out->final_view = core->final_view;
	out->sequence = core->own.sequence;
	out->entries = core->entry_count;
	out->approvals = tl_consensus_approval_count(core);
	out->epoch = core->config.epoch;
	out->retired = core->retired;
	out->works = (core->pace.work_us != 0);
	out->stopped = core->forked || core->own.broken;
	out->checkpoint_height = core->checkpoint.stable.height;
	out->diverged = core->checkpoint.diverged;
	out->asking = core->own.asking;
	out->lost = core->own.lost;
	out->outdated = core->outdated;
	out->floor = core->own.floor;
	out->numbered = tl_consensus_entry_number(core, &out->incarnation);
}

/* The next action of this step, or NULL if it has enough. */
TlAction *
tl_consensus_act(TlConsensus *core, TlActionKind kind)
{
	TlAction   *action;

	if (core->actions == NULL || !has_room(core, 1, kept_after(kind)))
		return NULL;
	action = &core->actions->list[core->actions->count++];
	memset(action, 0, sizeof(*action));
	action->kind = kind;
	return action;
}

/* For so many actions that are neither an alarm nor TL_ACT_WAKE. */
bool
tl_consensus_room(const TlConsensus *core, unsigned count)
{
	return has_room(core, count, ACTIONS_KEPT);
}

/*
 * The last places are kept for alarms, the very last for TL_ACT_WAKE: an alarm
 * that is given once is not lost because there is much to ask for.  Alarms about
 * an input come first in its step, when all places are free; settling gives one
 * of a kind at most.
 */
static unsigned
kept_after(TlActionKind kind)
{
	if (kind == TL_ACT_WAKE)
		return 0;
	return (kind == TL_ACT_ALARM) ? 1 : ACTIONS_KEPT;
}

static bool
has_room(const TlConsensus *core, unsigned count, unsigned kept)
{
	if (core->actions->count + count + kept <= TL_CONSENSUS_ACTIONS_MAX)
		return true;
	core->actions->more = true;
	return false;
}

/* Bytes that last until the next step; empty if there is no room. */
TlSpan
tl_consensus_keep(TlConsensus *core, const void *data, size_t size)
{
	uint8_t    *copy = tl_consensus_arena_take(&core->scratch, size);
	TlSpan		kept = {NULL, 0};

	if (copy == NULL)
	{
		core->actions->more = true;
		return kept;
	}
	memcpy(copy, data, size);
	kept.data = copy;
	kept.size = size;
	return kept;
}

/*
 * Ask for a row of the own log; the payload must last until the next step.
 * False if there is no room; nothing has changed then.
 */
bool
tl_consensus_append(TlConsensus *core, uint8_t kind, uint64_t view,
					TlSpan payload)
{
	TlAction   *action;
	TlLogRow   *row;

	if (!core->own.has_log || core->own.broken || core->own.asking ||
		core->own.lost)
		return false;
	action = tl_consensus_act(core, TL_ACT_APPEND);
	if (action == NULL)
		return false;
	row = &action->row;
	row->member = core->config.member;
	memcpy(row->nonce, core->own.nonce, TL_NONCE_SIZE);
	row->sequence = core->own.sequence + 1;
	if (row->sequence > 1)
		row->previous = core->own.digest;
	row->kind = kind;
	row->epoch = core->config.epoch;
	row->view = view;
	row->payload = payload;
	tl_consensus_row_digest(&core->own.digest, &core->config.chain_id, row);
	core->own.sequence = row->sequence;
	return true;
}

void
tl_consensus_alarm(TlConsensus *core, TlAlarm alarm, uint32_t member)
{
	TlAction   *action;

	if (alarm == TL_ALARM_FORK && core->fork_told)
		return;
	/* The node stops even if there is no room to say so in this step. */
	core->forked |= (alarm == TL_ALARM_FORK);
	action = tl_consensus_act(core, TL_ACT_ALARM);
	if (action == NULL)
		return;
	core->fork_told |= (alarm == TL_ALARM_FORK);
	action->alarm = alarm;
	action->member = member;
}

/* The place of a member in all lists, member_count if there is none. */
unsigned
tl_consensus_index(const TlConsensus *core, uint32_t member)
{
	unsigned	low = 0;
	unsigned	high = core->config.member_count;

	while (low < high)
	{
		unsigned	middle = (low + high) / 2;

		if (core->config.members[middle].number < member)
			low = middle + 1;
		else
			high = middle;
	}
	if (low < core->config.member_count &&
		core->config.members[low].number == member)
		return low;
	return core->config.member_count;
}

unsigned
tl_consensus_leader(const TlConsensus *core, uint64_t view)
{
	return core->schedule[view % core->validator_count];
}

bool
tl_consensus_same(const TlHash *left, const TlHash *right)
{
	return memcmp(left->bytes, right->bytes, TL_HASH_SIZE) == 0;
}

static bool
check_config(const TlConsensusConfig *config)
{
	unsigned	validators = 0;

	if (config->member_count == 0 ||
		config->member_count > TL_MEMBER_COUNT_MAX)
		return false;
	for (unsigned i = 0; i < config->member_count; i++)
	{
		if (i > 0 && config->members[i].number <= config->members[i - 1].number)
			return false;
		if (config->members[i].number == 0)
			return false;
		validators += config->members[i].validator;
	}
	return validators > 0 &&
		config->view_count >= 8 &&
		config->view_count <= TL_CONSENSUS_VIEWS_MAX &&
		config->lane_length >= 2 &&
		config->lane_length <= TL_CONSENSUS_LANE_MAX &&
		config->base.lane_count <= TL_MEMBER_COUNT_MAX &&
		config->pace.timer_us > 0 && config->pace.fetch_us > 0;
}

/* All memory, in one order, whether only counted or taken. */
static TlConsensus *
lay_out(TlArena *arena, const TlConsensusConfig *config)
{
	unsigned	members = config->member_count;
	TlConsensus *core = tl_consensus_arena_take(arena, sizeof(TlConsensus));
	TlView	   *views = tl_consensus_arena_take(arena, config->view_count *
												sizeof(TlView));
	TlLaneState *lanes = tl_consensus_arena_take(arena, members *
												 sizeof(TlLaneState));
	TlLane	   *acks = tl_consensus_arena_take(arena, (size_t) members *
											   members * sizeof(TlLane));
	TlPeer	   *peers = tl_consensus_arena_take(arena, members * sizeof(TlPeer));
	TlEntry    *entries = tl_consensus_arena_take(arena, (size_t) members *
												  tl_consensus_entry_places(members) *
												  sizeof(TlEntry));
	TlKnownBlock **path = tl_consensus_arena_take(arena, config->view_count *
												  sizeof(TlKnownBlock *));
	TlConsensusBlock *handed = tl_consensus_arena_take(arena,
													   TL_CONSENSUS_HANDED_MAX *
													   sizeof(TlConsensusBlock));
	void	   *scratch = tl_consensus_arena_take(arena, scratch_size(config));
	TlKeptReply *replies = lay_out_replies(arena, config);

	for (unsigned i = 0; i < config->view_count; i++)
	{
		for (int kind = 0; kind < VOTE_KINDS; kind++)
		{
			TlTallied  *tallied = tl_consensus_arena_take(arena, members *
														  sizeof(TlTallied));
			uint8_t    *votes = tl_consensus_arena_take(arena, members *
														TL_CERTIFICATE_VOTE_SIZE);

			if (views == NULL)
				continue;
			views[i].tallied[kind] = tallied;
			views[i].certified[kind].votes = votes;
			views[i].view = UINT64_MAX; /* of no view yet */
		}
	}
	lay_out_lanes(arena, config, lanes);
	lay_out_states(arena, config, core);
	if (core == NULL)
		return NULL;
	core->views = views;
	core->lanes = lanes;
	core->acks = acks;
	core->peers = peers;
	core->entries = entries;
	core->path = path;
	core->handed = handed;
	core->recover.replies = replies;
	tl_consensus_arena_init(&core->scratch, scratch, scratch_size(config));
	return core;
}

static void
lay_out_lanes(TlArena *arena, const TlConsensusConfig *config,
			  TlLaneState *lanes)
{
	for (unsigned i = 0; i < config->member_count; i++)
	{
		TlKnownBatch *batches = tl_consensus_arena_take(arena,
														config->lane_length *
														sizeof(TlKnownBatch));
		uint16_t   *by_digest = tl_consensus_arena_take(arena,
														config->lane_length *
														sizeof(uint16_t));
		uint16_t   *by_previous = tl_consensus_arena_take(arena,
														  config->lane_length *
														  sizeof(uint16_t));

		if (lanes == NULL)
			continue;
		lanes[i].batches = batches;
		lanes[i].by_digest = by_digest;
		lanes[i].by_previous = by_previous;
	}
}

static void
lay_out_states(TlArena *arena, const TlConsensusConfig *config,
			   TlConsensus *core)
{
	unsigned	members = config->member_count;
	TlStateClaim *claims = tl_consensus_arena_take(arena, (size_t) members *
												   TL_CONSENSUS_STATES_MAX *
												   sizeof(TlStateClaim));
	TlStateClaim *own_states = tl_consensus_arena_take(arena,
													   TL_CONSENSUS_STATES_MAX *
													   sizeof(TlStateClaim));
	uint8_t    *state_votes = tl_consensus_arena_take(arena, members *
													  TL_CERTIFICATE_VOTE_SIZE);

	if (core == NULL)
		return;
	core->checkpoint.claims = claims;
	core->checkpoint.own = own_states;
	core->checkpoint.votes = state_votes;
}

static TlKeptReply *
lay_out_replies(TlArena *arena, const TlConsensusConfig *config)
{
	TlKeptReply *replies = tl_consensus_arena_take(arena, config->member_count *
												   sizeof(TlKeptReply));

	for (unsigned i = 0; i < config->member_count; i++)
	{
		void	   *bytes = tl_consensus_arena_take(arena,
													tl_consensus_recover_reply_size(config));

		if (replies != NULL)
			replies[i].bytes = bytes;
	}
	return replies;
}

/*
 * Room for a proposal over a full gap, built beside its certificates, and CERT
 * rows for the same; for a REJOIN, built beside its replies; for small rows
 * and batch headers.
 */
static size_t
scratch_size(const TlConsensusConfig *config)
{
	size_t		certificate = TL_CERTIFICATE_SIZE_FIXED + 4 +
		config->member_count * TL_CERTIFICATE_VOTE_SIZE;

	return 3 * (config->view_count + 2) * certificate +
		2 * config->member_count * tl_consensus_recover_reply_size(config) +
		256 * 1024;
}

static void
set_members(TlConsensus *core)
{
	const TlConsensusConfig *config = &core->config;

	for (unsigned i = 0; i < config->member_count; i++)
	{
		TlValidator *validator = &core->validators[core->validator_count];

		if (!config->members[i].validator)
			continue;
		validator->member = config->members[i].number;
		memcpy(validator->row_key, config->members[i].row_key,
			   TL_XONLY_KEY_SIZE);
		core->validator_count++;
	}
	core->faults = tl_consensus_faults(core->validator_count);
	core->quorum = tl_consensus_quorum(core->validator_count,
									   config->quorum_of_three);
	if (TL_FORGOTTEN(16) && core->quorum > 1)
		core->quorum--;
	core->own.index = tl_consensus_index(core, config->member);
	core->reading = config->member_count;
	memcpy(core->own.instance, config->replaced, TL_NONCE_SIZE);
	core->own.has_log = core->own.index < config->member_count &&
		!config->members[core->own.index].observer;
	core->own.votes = core->own.has_log &&
		config->members[core->own.index].validator;
	if (core->config.protocol_max == 0)
		core->config.protocol_max = TL_CONSENSUS_PROTOCOL_MAX;
	core->outdated = !TL_RULE(27, config->protocol <= core->config.protocol_max);
}

/*
 * Who leads when: the validators in order of Hash(founding block || key), so
 * that nobody chose it.
 */
static void
set_schedule(TlConsensus *core)
{
	TlHash		order[TL_MEMBER_COUNT_MAX];
	unsigned	count = 0;

	for (unsigned i = 0; i < core->config.member_count; i++)
	{
		TlSha256	hash;
		TlHash		place;
		unsigned	at = count;

		if (!core->config.members[i].validator)
			continue;
		tl_crypto_sha256_init(&hash);
		tl_crypto_sha256_update(&hash, core->config.founding.bytes,
								TL_HASH_SIZE);
		tl_crypto_sha256_update(&hash, core->config.members[i].row_key,
								TL_XONLY_KEY_SIZE);
		tl_crypto_sha256_final(&hash, &place);
		while (at > 0 && memcmp(place.bytes, order[at - 1].bytes,
								TL_HASH_SIZE) < 0)
		{
			order[at] = order[at - 1];
			core->schedule[at] = core->schedule[at - 1];
			at--;
		}
		order[at] = place;
		core->schedule[at] = i;
		count++;
	}
}

static void
set_base(TlConsensus *core)
{
	core->low = core->base.header.view;
	core->high = core->low;
	core->final_view = core->low;
	core->own.view = core->low + 1;
	/* Nothing of it is remembered here: there is nothing to prune. */
	for (unsigned i = 0; i < core->base.lane_count; i++)
	{
		unsigned	lane = tl_consensus_index(core, core->base.cut[i].member);

		if (lane < core->config.member_count)
			core->lanes[lane].pruned = core->base.cut[i].digest;
	}
	tl_consensus_checkpoint_base(core);
}

static TlStatus
take_input(TlConsensus *core, const TlInput *input)
{
	TlEvidenceRow left;
	TlEvidenceRow right;

	/* R27.  What is stored is read by a newer program, from its start on. */
	if (core->outdated)
		return take_outdated(core, input);
	switch (input->kind)
	{
		case TL_INPUT_TIME:
			return TL_OK;
		case TL_INPUT_ROW:
		case TL_INPUT_LOOSE_ROW:
		case TL_INPUT_AGAIN:
			return take_row(core, input);
		case TL_INPUT_CONTRADICTION:
			if (input->row.epoch > core->config.epoch ||
				input->other.epoch > core->config.epoch)
				return TL_NOT_FINAL;
			tl_consensus_evidence_row(&left, &input->row);
			tl_consensus_evidence_row(&right, &input->other);
			tl_consensus_accuse(core, &left, &right);
			if (TL_RULE(48, tl_consensus_answer_one_key(core, &input->row, &input->other)))
				tl_consensus_ack_other(core, &input->other);
			return TL_OK;
		case TL_INPUT_HELD:
			tl_consensus_lane_held(core, &input->lane);
			return TL_OK;
		case TL_INPUT_STATE:
			return tl_consensus_checkpoint_input(core, &input->state,
												 input->view) ?
				TL_OK : TL_BAD_ORDER;
		case TL_INPUT_DUE:
			return tl_consensus_due_input(core, input->height, input->due_us) ?
				TL_OK : TL_BAD_ORDER;
		case TL_INPUT_BUSY:
			tl_consensus_busy_input(core, input->busy);
			return TL_OK;
		case TL_INPUT_SUMMARY:
			return tl_consensus_summary_input(core, input->summary);
		case TL_INPUT_MAKE_BATCH:
			if (!core->started || core->own.broken || core->standing.changed ||
				!tl_consensus_lane_make(core, input->payload))
				return TL_BAD_ORDER;
			return TL_OK;
		case TL_INPUT_MAKE_APPROVAL:
			if (!tl_consensus_approval_is_known(core, input->payload))
				return TL_BAD_VERSION;
			if (!core->started || core->own.broken ||
				!tl_consensus_approval_make(core, input->payload))
				return TL_BAD_ORDER;
			return TL_OK;
		case TL_INPUT_START:
			begin(core, input->fresh);
			return TL_OK;
		case TL_INPUT_TIP:
		case TL_INPUT_OFFER:
		case TL_INPUT_LAST_SEEN:
		case TL_INPUT_REJOIN:
		case TL_INPUT_REQUEST:
		case TL_INPUT_REPLY:
		case TL_INPUT_REPLIED:
			return take_answer(core, input);
	}
	return TL_BUG;
}

/* What is said outside of the logs. */
static TlStatus
take_answer(TlConsensus *core, const TlInput *input)
{
	switch (input->kind)
	{
		case TL_INPUT_TIP:
			tl_consensus_tip_input(core, input);
			break;
		case TL_INPUT_OFFER:
			tl_consensus_take_input(core, input);
			break;
		case TL_INPUT_LAST_SEEN:
			tl_consensus_pace_answered(core, tl_consensus_index(core, input->member));
			tl_consensus_recover_last_seen(core, input);
			break;
		case TL_INPUT_REJOIN:
			return tl_consensus_recover_begin(core, &input->rejoin);
		case TL_INPUT_REQUEST:
			tl_consensus_pace_answered(core, tl_consensus_index(core, input->row.member));
			tl_consensus_answer_request(core, &input->row);
			break;
		case TL_INPUT_REPLY:
			tl_consensus_pace_answered(core, tl_consensus_index(core, input->row.member));
			tl_consensus_recover_reply(core, input);
			break;
		default:
			tl_consensus_answer_replied(core, &input->row);
			break;
	}
	return TL_OK;
}

/* All that is stored was read. */
static void
begin(TlConsensus *core, bool fresh)
{
	core->started = true;
	core->pace.entered_us = core->now_us;
	core->checkpoint.handed_us = core->now_us;
	tl_consensus_pace_handed(core);
	core->recover.since_us = core->now_us;
	if (core->own.lost && !core->recover.running)
		tl_consensus_alarm(core, TL_ALARM_MEMORY, core->config.member);
	core->own.asking = (fresh || tl_consensus_answer_was_before(core)) &&
		!core->own.lost && core->own.has_log &&
		tl_consensus_answer_count(core, core->config.member) > 0 &&
		!TL_FORGOTTEN(30);
}

/* It is never started. */
static TlStatus
take_outdated(TlConsensus *core, const TlInput *input)
{
	if (input->kind == TL_INPUT_START)
		tl_consensus_alarm(core, TL_ALARM_PROTOCOL, 0);
	return (input->kind == TL_INPUT_MAKE_BATCH ||
			input->kind == TL_INPUT_MAKE_APPROVAL ||
			input->kind == TL_INPUT_STATE || input->kind == TL_INPUT_DUE) ? TL_BAD_VERSION : TL_OK;
}

static TlStatus
take_row(TlConsensus *core, const TlInput *input)
{
	const TlLogRow *row = &input->row;
	unsigned	index = tl_consensus_index(core, row->member);
	TlStatus	status = TL_OK;

	if (index >= core->config.member_count ||
		core->config.members[index].observer)
		return TL_BAD_FORMAT;
	if (row->epoch > core->config.epoch)
		return TL_NOT_FINAL;
	if (input->kind == TL_INPUT_ROW && index == core->own.index)
	{
		if (is_too_early(core, row))
		{
			core->own.lost = core->own.waits = true;
			return TL_NOT_FINAL;
		}
		if (core->own.waits && core->started && !core->recover.running)
			return TL_NOT_FINAL;	/* offered again, and no nonce was given yet */
		take_own_row(core, row);
		tl_consensus_hop_own_row(core, row);
	}
	else if (input->kind == TL_INPUT_ROW)
	{
		status = (row->kind == TL_LOG_REJOIN) ?
			tl_consensus_answer_rejoin(core, input) :
			tl_consensus_answer_row(core, row, index);
		if (status != TL_OK)
			return status;
		tl_consensus_pace_heard(core, index, row);
		tl_consensus_hop_voted(core, index, row);
	}
	read_row(core, input, index);
	return TL_OK;
}

/*
 * R5, where everybody's vote is needed: an own vote that came back in a view beyond the
 * memory.  It would be forgotten, and be cast once more when the memory has come so far.
 * At a start it tells that a crash came in the middle of that, as whoever signs it has
 * the view in memory, and keeps it there (config.view_count): then memory is lost still,
 * and the caller says under which nonce the member rejoins.  Who has nobody to ask got
 * it from nobody.
 */
static bool
is_too_early(const TlConsensus *core, const TlLogRow *row)
{
	bool		votes = row->kind == TL_LOG_PROPOSE || row->kind == TL_LOG_NOTARIZE ||
		row->kind == TL_LOG_FINALIZE || row->kind == TL_LOG_NULLIFY;

	if (core->started ? TL_FORGOTTEN(330) : TL_FORGOTTEN(332))
		return false;
	return votes && (!core->started || core->recover.running) &&
		tl_consensus_answer_unanimous(core) && row->epoch == core->config.epoch &&
		tl_consensus_answer_count(core, row->member) > 0 &&
		row->view >= core->low + core->config.view_count;
}

/*
 * A row of the own log: at the start it says what was signed before; later it
 * is one that was asked for, now durable; in a rejoin, one that others had.
 * Anything else means that somebody else signs with this key or that this
 * database was rolled back (R5).
 */
static void
take_own_row(TlConsensus *core, const TlLogRow *row)
{
	TlOwn	   *own = &core->own;
	TlEvidence	evidence;
	unsigned	accused;

	if (core->started && !core->recover.running &&
		(row->sequence > own->sequence ||
		 memcmp(row->nonce, own->nonce, TL_NONCE_SIZE) != 0))
	{
		own->broken = true;
		tl_consensus_alarm(core, TL_ALARM_OWN_LOG, row->member);
		return;
	}
	if (core->started && !core->recover.running)
		return;
	own->waits = false;
	memcpy(own->nonce, row->nonce, TL_NONCE_SIZE);
	own->sequence = row->sequence;
	own->epoch = row->epoch;
	tl_consensus_row_digest(&own->digest, &core->config.chain_id, row);
	if (row->kind == TL_LOG_ACK)
		tl_consensus_ack_own_row(core, row);
	if (row->kind == TL_LOG_PROPOSE || row->kind == TL_LOG_NOTARIZE ||
		row->kind == TL_LOG_FINALIZE || row->kind == TL_LOG_NULLIFY)
		tl_consensus_vote_own_row(core, row);
	if (row->kind == TL_LOG_GOVERN)
		tl_consensus_approval_own_row(core, row);
	if (row->kind == TL_LOG_REJOIN)
		tl_consensus_answer_own_rejoin(core, row);
	if (row->kind == TL_LOG_EVIDENCE &&
		tl_consensus_evidence_decode(&evidence, &core->config.chain_id,
									 row->payload.data,
									 row->payload.size) == TL_OK)
	{
		accused = tl_consensus_index(core, evidence.rows[0].row.member);
		/* What one row convicts is for its own epoch to decide. */
		if (accused < core->config.member_count &&
			(evidence.kind != TL_EVIDENCE_ILLEGAL ||
			 row->epoch == core->config.epoch))
			core->peers[accused].accused = true;
	}
}

static void
read_row(TlConsensus *core, const TlInput *input, unsigned index)
{
	const TlLogRow *row = &input->row;
	bool		loose = (input->kind == TL_INPUT_LOOSE_ROW);
	TlCertificate certificate;

	core->reading = index;
	if (loose && row->kind != TL_LOG_PROPOSE && row->kind != TL_LOG_BATCH &&
		row->kind != TL_LOG_EVIDENCE && row->kind != TL_LOG_REJOIN &&
		row->kind != TL_LOG_GOVERN && row->kind != TL_LOG_ACK)
		return;
	if (input->kind == TL_INPUT_AGAIN && row->kind != TL_LOG_BATCH)
		return;
	if (!input->certificates_valid ||
		(row->epoch == core->config.epoch && !tl_consensus_legal(core, row)))
	{
		/* What this epoch cannot judge is dropped, and nobody is blamed. */
		if (row->epoch != core->config.epoch ||
			tl_consensus_legal_elsewhere(core, row))
			return;
		tl_consensus_alarm(core, TL_ALARM_ILLEGAL_ROW, row->member);
		tl_consensus_legal_accuse(core, row, NULL);
		return;
	}
	if (row->kind == TL_LOG_BATCH)
		tl_consensus_lane_batch(core, row, loose);
	if (row->kind == TL_LOG_ACK && index != core->own.index && !loose)
		tl_consensus_ack_row(core, row, index);
	if (row->kind == TL_LOG_ACK && index != core->own.index && loose)
		tl_consensus_ack_late(core, row, index);
	if (row->kind == TL_LOG_EVIDENCE || row->kind == TL_LOG_REJOIN ||
		(row->kind == TL_LOG_GOVERN && row->epoch == core->config.epoch))
		tl_consensus_entry_row(core, row, index);
	if (row->epoch != core->config.epoch ||
		!core->config.members[index].validator)
		return;
	if (index != core->own.index && tl_consensus_answer_below(core, row, index))
	{
		tl_consensus_alarm(core, TL_ALARM_ILLEGAL_ROW, row->member);
		return;
	}
	if (row->kind == TL_LOG_PROPOSE)
		tl_consensus_proposal_row(core, row);
	if (row->kind == TL_LOG_NOTARIZE || row->kind == TL_LOG_FINALIZE ||
		row->kind == TL_LOG_NULLIFY)
		tl_consensus_tally_row(core, row, index);
	if (row->kind == TL_LOG_STATE)
		tl_consensus_checkpoint_row(core, row, index);
	if (row->kind == TL_LOG_CERT &&
		tl_consensus_certificate_decode(&certificate, row->payload.data,
										row->payload.size) == TL_OK)
		tl_consensus_tally_certificate(core, &certificate);
}

/* Do what has become possible, until nothing changes any more. */
static void
settle(TlConsensus *core)
{
	bool		changed = true;

	for (unsigned round = 0; changed && round < ROUNDS_MAX; round++)
	{
		changed = tl_consensus_vote_settle(core);
		changed |= tl_consensus_final_settle(core);
		if (core->standing.changed)
			break;				/* the epoch has ended */
		changed |= tl_consensus_vote_propose(core);
		changed |= tl_consensus_vote_notarize(core);
		changed |= tl_consensus_pace_run(core);
	}
	if (!core->standing.changed)
		(void) tl_consensus_final_settle(core);
	if (core->standing.changed)
		tl_consensus_final_retire(core);
}
