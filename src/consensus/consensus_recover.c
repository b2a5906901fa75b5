/*-------------------------------------------------------------------------
 *
 * consensus_recover.c
 *	  A member finds out whether it has lost memory, and rejoins if so.
 *
 * After a start of the server the node signs nothing, votes or otherwise, until
 * the others have said which row of its own log they saw last.  If one of them
 * has a row that the own log lacks, this database is older than what its member
 * has signed: it signs nothing more in this incarnation.
 *
 * Then the caller names a new incarnation (TL_INPUT_REJOIN), and this node asks
 * all others: with enough replies, and once it has the final blocks that they
 * have, it signs a REJOIN that holds them.  It votes again two views beyond the
 * highest that it was told: it can have voted in a view only if a certificate
 * of the view before was there, and one of those who signed that is honest, has
 * his memory, and is among the repliers.
 *
 * Where everybody's vote is needed for a certificate nobody could go on without
 * this node in the two views that are left out.  There nobody lies either, so
 * what the others show is all that ever counted: the node takes its rows back
 * from them, and goes on where they end; no view is left out.
 *
 * Pure code: no PostgreSQL, no allocation, no clock.
 *
 *-------------------------------------------------------------------------
 */
#include "consensus_state.h"

#include "consensus_epoch.h"

#include <string.h>

static bool ask(TlConsensus *core);
static void ask_member(TlConsensus *core, unsigned index, const TlInput *seen);
static bool is_by_old_key(const TlConsensus *core, const TlLogRow *row);
static bool all_answered(const TlConsensus *core);
static bool has_replies(const TlConsensus *core, uint64_t *view);
static bool has_final(const TlConsensus *core);
static void take_final(TlConsensus *core);
static bool has_own_rows(TlConsensus *core);
static bool get_reply(const TlConsensus *core, unsigned index, TlReply *out);
static bool ends_with(TlConsensus *core, const TlHash *shown);
static bool keep_reply(const TlConsensus *core, TlKeptReply *kept,
					   const TlLogRow *row);
static bool is_other(const TlConsensus *core, unsigned index);
static bool open_log(TlConsensus *core, uint64_t view);
static TlSpan encode(TlConsensus *core);
static bool find_head(const TlConsensus *core, TlEvidenceRow *head);
static bool is_further(const TlConsensus *core, const TlLogRow *row,
					   const TlLogRow *head);
static unsigned rank(const TlConsensus *core, const uint8_t *nonce);

/* The caller has decided that memory is lost. */
TlStatus
tl_consensus_recover_begin(TlConsensus *core, const TlRejoin *wanted)
{
	TlRecover  *recover = &core->recover;

	if (!core->own.has_log ||
		tl_consensus_answer_count(core, core->config.member) == 0 ||
		wanted->reason.size > sizeof(recover->reason))
		return TL_BAD_FORMAT;
	recover->running = true;
	recover->wanted = *wanted;
	if (wanted->reason.size > 0)
		memcpy(recover->reason, wanted->reason.data, wanted->reason.size);
	recover->wanted.reason.data = recover->reason;
	recover->asked_us = recover->replied_us = 0;
	for (unsigned i = 0; i < core->config.member_count; i++)
		recover->replies[i].present = recover->replies[i].illegal = false;
	core->own.lost = true;
	core->own.asking = false;
	return TL_OK;
}

/* What somebody saw last of this node: R30, R31. */
void
tl_consensus_recover_last_seen(TlConsensus *core, const TlInput *input)
{
	unsigned	index = tl_consensus_index(core, input->member);
	const TlLogRow *row = &input->row;
	TlPeer	   *peer;

	if (index >= core->config.member_count || index == core->own.index ||
		!core->own.has_log)
		return;
	peer = &core->peers[index];
	peer->answered = true;
	memset(&peer->held, 0, sizeof(peer->held));
	if (row->member != 0 && row->member != core->config.member)
		return;
	if (row->member != 0 && input->held)
		tl_consensus_row_digest(&peer->held, &core->config.chain_id, row);
	else if (row->member != 0 && !core->own.lost && !TL_FORGOTTEN(31) &&
			 !tl_consensus_answer_is_over(core, row) && !is_by_old_key(core, row))
	{
		core->own.lost = true;
		core->own.asking = false;
		tl_consensus_alarm(core, TL_ALARM_MEMORY, core->config.member);
	}
	if (core->recover.running && is_other(core, index) &&
		!core->recover.replies[index].present)
		ask_member(core, index, input);
}

/*
 * Is it of an epoch before that of the newest own row, with a key that was given up
 * in between?  What this node signed in an epoch that is over it signed before that
 * row, and has it.  So somebody else has signed this, with the old key, and nothing is
 * lost.  By one key it would be a copy that signs: that is for R31.
 */
static bool
is_by_old_key(const TlConsensus *core, const TlLogRow *row)
{
	const TlOwn *own = &core->own;
	const TlConsensusMember *member = &core->config.members[own->index];

	return row->epoch < own->epoch &&
		memcmp(tl_consensus_epoch_key(member, row->epoch),
			   tl_consensus_epoch_key(member, own->epoch),
			   TL_XONLY_KEY_SIZE) != 0;
}

/* An answer to this node's REQUEST; those that do not hold are asked again. */
void
tl_consensus_recover_reply(TlConsensus *core, const TlInput *input)
{
	const TlLogRow *row = &input->row;
	unsigned	index = tl_consensus_index(core, row->member);
	TlRecover  *recover = &core->recover;
	TlKeptReply *kept;
	TlReply		reply;

	if (!recover->running || index >= core->config.member_count ||
		!is_other(core, index) || row->kind != TL_LOG_REPLY)
		return;
	if (row->epoch > core->config.epoch)
	{
		tl_consensus_pace_follow(core, index);
		return;
	}
	kept = &recover->replies[index];
	if (!input->certificates_valid || !tl_consensus_legal(core, row))
	{
		if (!kept->present)
			kept->illegal = keep_reply(core, kept, row);
		return;
	}
	if (tl_consensus_reply_decode(&reply, row->payload.data,
								  row->payload.size) != TL_OK ||
		reply.asker != core->config.member ||
		memcmp(reply.request, recover->wanted.nonce, TL_NONCE_SIZE) != 0 ||
		tl_consensus_answer_justified(core, row, &reply) != TL_OK ||
		!tl_consensus_answer_counts(core, &reply) ||
		!keep_reply(core, kept, row))
		return;
	kept->present = true;
	kept->illegal = false;
	kept->view = row->view;
	kept->final_height = reply.final_height;
}

/* Who has sent a REPLY that is against the rules (E6); when the log is open. */
void
tl_consensus_recover_accuse(TlConsensus *core)
{
	for (unsigned i = 0; i < core->config.member_count; i++)
	{
		TlKeptReply *kept = &core->recover.replies[i];
		TlLogRow	row;

		if (kept->illegal &&
			tl_consensus_row_decode(&row, kept->bytes, kept->size) == TL_OK)
			tl_consensus_legal_accuse(core, &row, NULL);
		kept->illegal = false;
	}
}

/* What a start or a rejoin can do now.  True if the new log was opened. */
bool
tl_consensus_recover_run(TlConsensus *core)
{
	TlRecover  *recover = &core->recover;
	uint64_t	view;

	if (core->own.asking)
	{
		int64_t		until = recover->since_us + core->config.pace.start_wait_us;

		if (all_answered(core) || core->now_us >= until)
			core->own.asking = false;
		else if (!ask(core))
			tl_consensus_pace_wake(core, until);
		return false;
	}
	if (!recover->running)
		return false;
	if (!has_replies(core, &view))
		recover->replied_us = 0;
	else if (!has_final(core))
		take_final(core);
	else if (has_own_rows(core))
		return open_log(core, view);
	(void) ask(core);
	return false;
}

/*
 * Of the rows that an own REJOIN follows nobody has the last one any more: who
 * took them lost his memory since.  All that was cast in them lies below the
 * view of the REJOIN, as where everybody is needed nobody votes further than one
 * view beyond the others.  Once a final block is as far they mean nothing.
 */
bool
tl_consensus_may_begin_with(const TlConsensus *core, const TlLogRow *rejoin)
{
	return core->recover.running && rejoin->kind == TL_LOG_REJOIN &&
		rejoin->member == core->config.member &&
		tl_consensus_answer_unanimous(core) &&
		(rejoin->epoch < core->config.epoch ||
		 (rejoin->epoch == core->config.epoch &&
		  rejoin->view <= core->base.header.view));
}

/* How large an encoded REPLY row can be. */
size_t
tl_consensus_recover_reply_size(const TlConsensusConfig *config)
{
	return TL_LOG_ROW_SIZE_FIXED + TL_REPLY_SIZE_FIXED + TL_EVIDENCE_ROW_SIZE +
		TL_CERTIFICATE_SIZE_FIXED +
		(size_t) config->member_count * TL_CERTIFICATE_VOTE_SIZE;
}

static bool
ask(TlConsensus *core)
{
	if (!tl_consensus_pace_may_fetch(core, &core->recover.asked_us))
		return false;
	(void) tl_consensus_act(core, TL_ACT_ASK_LAST_SEEN);
	return true;
}

/* The REQUEST names what this member has shown, so that nobody can repeat it. */
static void
ask_member(TlConsensus *core, unsigned index, const TlInput *seen)
{
	uint8_t		bytes[TL_REQUEST_SIZE];
	TlRequest	request = {.ticket = seen->ticket};
	TlWriter	writer;
	TlSpan		payload;
	TlAction   *action;

	tl_writer_init(&writer, bytes, sizeof(bytes));
	if (seen->row.member != 0)
		memcpy(request.before, seen->row.nonce, TL_NONCE_SIZE);
	(void) tl_consensus_request_encode(&writer, &request);
	payload = tl_consensus_keep(core, bytes, writer.size);
	if (payload.size == 0 ||
		(action = tl_consensus_act(core, TL_ACT_REQUEST)) == NULL)
		return;
	action->member = core->config.members[index].number;
	action->row.member = core->config.member;
	memcpy(action->row.nonce, core->recover.wanted.nonce, TL_NONCE_SIZE);
	action->row.kind = TL_LOG_REQUEST;
	action->row.epoch = core->config.epoch;
	action->row.payload = payload;
}

/*
 * All, not only as many as have to reply: a row that one of them alone has may
 * stand in a certificate that he alone has made.  Those as well who do not vote:
 * they can accuse.
 */
static bool
all_answered(const TlConsensus *core)
{
	for (unsigned i = 0; i < core->config.member_count; i++)
	{
		if (i != core->own.index && !core->config.members[i].observer &&
			!core->peers[i].answered)
			return false;
	}
	return true;
}

/* R35; *view is the one to go on in: R36. */
static bool
has_replies(const TlConsensus *core, uint64_t *view)
{
	uint64_t	highest = 0;
	unsigned	count = 0;

	for (unsigned i = 0; i < core->config.member_count; i++)
	{
		const TlKeptReply *reply = &core->recover.replies[i];

		if (!reply->present)
			continue;
		count++;
		if (reply->view > highest)
			highest = reply->view;
	}
	*view = highest + (TL_FORGOTTEN(36) ? 1 : 2);
	/* There it forbids nothing; but the newer REJOIN has the higher view. */
	if (tl_consensus_answer_unanimous(core) &&
		*view <= core->peers[core->own.index].incarnations[0].view)
		*view = core->peers[core->own.index].incarnations[0].view + 1;
	return count > 0 &&
		TL_RULE(35, count >= tl_consensus_answer_count(core,
													 core->config.member));
}

/* The final blocks that an honest one of them has; f may exaggerate. */
static bool
has_final(const TlConsensus *core)
{
	unsigned	higher = 0;

	for (unsigned i = 0; i < core->config.member_count; i++)
	{
		const TlKeptReply *reply = &core->recover.replies[i];

		higher += (reply->present &&
				   reply->final_height > core->base.header.height);
	}
	return higher <= core->faults;
}

/*
 * The logs will bring those blocks, unless the own lost row was one of the
 * votes for them: then they are taken from who has them.
 */
static void
take_final(TlConsensus *core)
{
	TlRecover  *recover = &core->recover;
	int64_t		patience = 2 * core->config.pace.fetch_us;
	uint64_t	ahead = 0;

	if (recover->replied_us == 0)
		recover->replied_us = core->now_us;
	if (core->now_us < recover->replied_us + patience)
	{
		tl_consensus_pace_wake(core, recover->replied_us + patience);
		return;
	}
	for (unsigned i = 0; i < core->config.member_count; i++)
	{
		if (recover->replies[i].present &&
			recover->replies[i].final_height > core->base.header.height)
			ahead |= UINT64_C(1) << i;
	}
	tl_consensus_pace_catch_up(core, core->own.view, ahead);
}

/*
 * Where everybody is needed: what each of them showed is in the own log, and
 * nothing after that.
 */
static bool
has_own_rows(TlConsensus *core)
{
	TlEvidenceRow head;
	TlHash		digest;

	if (!tl_consensus_answer_unanimous(core))
		return true;
	for (unsigned i = 0; i < core->config.member_count; i++)
	{
		TlReply		reply;

		if (!get_reply(core, i, &reply) || !reply.seen)
			continue;
		tl_consensus_row_digest_of(&digest, &core->config.chain_id,
								   &reply.last.row, &reply.last.payload_digest);
		if (!tl_consensus_same(&digest, &core->peers[i].held))
			return false;
	}
	memset(&digest, 0, sizeof(digest));
	if (find_head(core, &head))
		tl_consensus_row_digest_of(&digest, &core->config.chain_id, &head.row,
								   &head.payload_digest);
	return ends_with(core, &digest);
}

/*
 * If the own log goes on after the row that was shown, that must go.  While an own row
 * waits it is this core that is behind, not the others.
 */
static bool
ends_with(TlConsensus *core, const TlHash *shown)
{
	TlAction   *action;

	if (tl_consensus_same(&core->own.digest, shown))
		return true;
	if (!core->own.waits && tl_consensus_pace_may_fetch(core, &core->recover.cut_us) &&
		(action = tl_consensus_act(core, TL_ACT_CUT_LOG)) != NULL)
		action->hash = *shown;
	return false;
}

/* The REPLY of that member, if there is one. */
static bool
get_reply(const TlConsensus *core, unsigned index, TlReply *out)
{
	const TlKeptReply *kept = &core->recover.replies[index];
	TlLogRow	row;

	return kept->present &&
		tl_consensus_row_decode(&row, kept->bytes, kept->size) == TL_OK &&
		tl_consensus_reply_decode(out, row.payload.data,
								  row.payload.size) == TL_OK;
}

/* The furthest own row that a REPLY shows; false if none does. */
static bool
find_head(const TlConsensus *core, TlEvidenceRow *head)
{
	bool		found = false;

	for (unsigned i = 0; i < core->config.member_count; i++)
	{
		TlReply		reply;

		if (!get_reply(core, i, &reply) || !reply.seen ||
			(found && !is_further(core, &reply.last.row, &head->row)))
			continue;
		*head = reply.last;
		found = true;
	}
	return found;
}

static bool
is_further(const TlConsensus *core, const TlLogRow *row, const TlLogRow *head)
{
	unsigned	left = rank(core, row->nonce);
	unsigned	right = rank(core, head->nonce);

	if (memcmp(row->nonce, head->nonce, TL_NONCE_SIZE) == 0)
		return row->sequence > head->sequence;
	if (left != right)
		return left < right;
	return row->view > head->view;	/* neither REJOIN is here */
}

/* The newest own incarnation has 0, one that is not known comes last. */
static unsigned
rank(const TlConsensus *core, const uint8_t *nonce)
{
	const TlIncarnation *own = core->peers[core->own.index].incarnations;
	unsigned	place = 0;

	while (place < TL_INCARNATIONS_KEPT &&
		   (!own[place].present ||
			memcmp(own[place].nonce, nonce, TL_NONCE_SIZE) != 0))
		place++;
	return place;
}

static bool
keep_reply(const TlConsensus *core, TlKeptReply *kept, const TlLogRow *row)
{
	TlWriter	writer;

	tl_writer_init(&writer, kept->bytes,
				   tl_consensus_recover_reply_size(&core->config));
	if (tl_consensus_row_encode(&writer, row) != TL_OK)
		return false;
	kept->size = writer.size;
	return true;
}

static bool
is_other(const TlConsensus *core, unsigned index)
{
	return index != core->own.index && core->config.members[index].validator;
}

/* Sign the REJOIN: from here on the node has a memory again. */
static bool
open_log(TlConsensus *core, uint64_t view)
{
	TlOwn	   *own = &core->own;
	TlOwn		before = *own;
	TlSpan		payload = encode(core);
	TlLogRow	row;

	if (payload.size == 0)
		return false;
	own->lost = false;
	memcpy(own->nonce, core->recover.wanted.nonce, TL_NONCE_SIZE);
	own->sequence = 0;
	if (!tl_consensus_append(core, TL_LOG_REJOIN, view, payload))
	{
		*own = before;
		return false;
	}
	core->scratch.used += payload.size;
	memset(&row, 0, sizeof(row));
	memcpy(row.nonce, own->nonce, TL_NONCE_SIZE);
	row.payload = payload;
	row.epoch = core->config.epoch;
	row.view = view;
	tl_consensus_answer_own_rejoin(core, &row);
	core->peers[own->index].rejoin_asked_us = core->now_us; /* it comes back */
	core->recover.running = false;
	return true;
}

/* At the end of the scratch memory, which open_log takes; empty: no room. */
static TlSpan
encode(TlConsensus *core)
{
	const TlRecover *recover = &core->recover;
	TlEvidenceRow head;
	uint8_t    *start = core->scratch.data + core->scratch.used;
	size_t		room = core->scratch.size - core->scratch.used;
	TlRejoin	rejoin = recover->wanted;
	TlWriter	replies;
	TlWriter	writer;
	TlSpan		payload = {NULL, 0};

	rejoin.incarnation = rejoin.before = 0;
	memset(rejoin.nonce_before, 0, TL_NONCE_SIZE);
	if (find_head(core, &head))
	{
		memcpy(rejoin.nonce_before, head.row.nonce, TL_NONCE_SIZE);
		rejoin.sequence = head.row.sequence;
		tl_consensus_row_digest_of(&rejoin.digest, &core->config.chain_id,
								   &head.row, &head.payload_digest);
	}
	rejoin.last.height = core->base.header.height;
	rejoin.last.view = core->base.header.view;
	rejoin.last.hash = core->base.hash;
	tl_writer_init(&replies, start + room / 2, room - room / 2);
	for (unsigned i = 0; i < core->config.member_count; i++)
	{
		if (!recover->replies[i].present)
			continue;
		rejoin.reply_count++;
		tl_put_u32(&replies, (uint32_t) recover->replies[i].size);
		tl_put_bytes(&replies, recover->replies[i].bytes,
					 recover->replies[i].size);
	}
	rejoin.replies.data = replies.data;
	rejoin.replies.size = replies.size;
	tl_writer_init(&writer, start, room / 2);
	if (tl_writer_finish(&replies) == TL_OK &&
		tl_consensus_rejoin_encode(&writer, &rejoin) == TL_OK)
	{
		payload.data = start;
		payload.size = writer.size;
	}
	else
		core->actions->more = true;
	return payload;
}
