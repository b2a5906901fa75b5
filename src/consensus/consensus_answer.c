/*-------------------------------------------------------------------------
 *
 * consensus_answer.c
 *	  What others do about a member who has lost memory: they answer him, end
 *	  his incarnation, and take the new one.
 *
 * A REPLY says in which view its author is, proves it, and shows the newest row
 * of the asker that is stored.  From then on no row of that incarnation is
 * taken any more, so that what was shown is all that counts.  The REPLY is
 * stored by the caller in the transaction of the step that asked for it, and
 * given back at each start (TL_INPUT_REPLIED): the promise outlives a crash.
 *
 * A REJOIN is judged by its own bytes (consensus_judge.c), except that a
 * replier who has rejoined himself may point to his own REJOIN: the newest few
 * of each member are remembered.
 *
 * Invariants
 *	  N8  incarnations[0] is the only one of a member whose log rows are taken
 *	  N9  of two REJOIN that follow the same incarnation the one with the higher
 *		  (epoch, view, nonce) stands, whatever came first
 *
 * Pure code: no PostgreSQL, no allocation, no clock.
 *
 *-------------------------------------------------------------------------
 */
#include "consensus_state.h"

#include "consensus_epoch.h"

#include <string.h>

static bool has_one_key(const TlConsensus *core, const TlEvidence *evidence);
static bool certify(TlConsensus *core, uint64_t view, TlReply *reply);
static bool is_known(const TlPeer *peer, const uint8_t *nonce);
static TlStatus check_rejoin(const TlConsensus *core, const TlLogRow *row,
							 bool by_bytes);
static TlStatus check_replies(const TlConsensus *core, const TlLogRow *row,
							  const TlRejoin *rejoin, bool by_bytes);
static bool may_reply(const TlConsensus *core, const TlLogRow *row);
static bool replaces(const TlConsensus *core, const TlPeer *peer,
					 const TlLogRow *row, const TlRejoin *rejoin);
static bool forgets_epoch(const TlPeer *peer, const TlLogRow *row);
static bool was_asked_for(const TlConsensus *core, const TlPeer *peer,
						  const TlRejoin *rejoin);
static void open_incarnation(TlPeer *peer, const TlLogRow *row,
							 const TlHash *digest);

/*
 * R35: how many others have to reply to that member.  Of them and of the
 * signers of any certificate at least f + 1 are the same.
 */
unsigned
tl_consensus_answer_count(const TlConsensus *core, uint32_t member)
{
	unsigned	count = core->validator_count - core->quorum + core->faults + 1;
	unsigned	others = 0;

	for (unsigned i = 0; i < core->validator_count; i++)
		others += (core->validators[i].member != member);
	return (core->faults == 0 || count > others) ? others : count;
}

/* Does every certificate need everybody?  Then nothing happens without him. */
bool
tl_consensus_answer_unanimous(const TlConsensus *core)
{
	return core->quorum == core->validator_count;
}

/*
 * R38: not beside a block that changes the members and may become final without
 * the asker.  Where everybody is needed that block waits for him as well.
 */
bool
tl_consensus_answer_counts(const TlConsensus *core, const TlReply *reply)
{
	return TL_RULE(38, !reply->changing || tl_consensus_answer_unanimous(core));
}

/* N9: which REJOIN is the newer one; a first incarnation is zeros. */
int
tl_consensus_answer_compare(uint64_t epoch, uint64_t view, const uint8_t *nonce,
							uint64_t other_epoch, uint64_t other_view,
							const uint8_t *other_nonce)
{
	if (epoch != other_epoch)
		return (epoch > other_epoch) ? 1 : -1;
	if (view != other_view)
		return (view > other_view) ? 1 : -1;
	return memcmp(nonce, other_nonce, TL_NONCE_SIZE);
}

/*
 * Do two contradicting rows convict their author?  Where everybody is needed, a
 * new incarnation knows only what its repliers had seen, and no view is barred:
 * a row of another incarnation that comes to light later has never counted.
 * What was so in an epoch before stays so.  Of rows that two of his keys have
 * signed one may be by whoever has the one that he has given up (R48).
 */
bool
tl_consensus_answer_convicts(const TlConsensus *core,
							 const TlEvidence *evidence)
{
	const TlConsensusConfig *config = &core->config;
	bool		lenient = tl_consensus_answer_unanimous(core);

	if (!TL_RULE(48, has_one_key(core, evidence)))
		return false;
	for (int i = 0; i < 2; i++)
		lenient |= (evidence->rows[i].row.epoch < config->lenient_until);
	if (!lenient || evidence->kind == TL_EVIDENCE_ILLEGAL)
		return true;
	return evidence->kind != TL_EVIDENCE_FLOOR &&
		memcmp(evidence->rows[0].row.nonce, evidence->rows[1].row.nonce,
			   TL_NONCE_SIZE) == 0;
}

static bool
has_one_key(const TlConsensus *core, const TlEvidence *evidence)
{
	return evidence->kind == TL_EVIDENCE_ILLEGAL ||
		tl_consensus_answer_one_key(core, &evidence->rows[0].row,
									&evidence->rows[1].row);
}

/* Is one row key that of their author in the epochs of both rows? */
bool
tl_consensus_answer_one_key(const TlConsensus *core, const TlLogRow *left,
							const TlLogRow *right)
{
	unsigned	index = tl_consensus_index(core, left->member);
	const TlConsensusMember *member = &core->config.members[index];

	return index < core->config.member_count &&
		memcmp(tl_consensus_epoch_key(member, left->epoch),
			   tl_consensus_epoch_key(member, right->epoch),
			   TL_XONLY_KEY_SIZE) == 0;
}

/*
 * Somebody has lost memory and asks.  He names the incarnation that this node
 * showed him, so that an old request which a third one repeats ends nothing;
 * and how many replies it was told of, so that one which comes late does not
 * follow a newer one.
 *
 * If his epoch is a later one, he has the blocks that lead there, and may be the
 * only one who does: his own log, which proves it, shows nothing while he
 * rejoins.  Such a row was not checked, and needs not be.  If his is an earlier
 * one, the REPLY tells him the same.
 */
void
tl_consensus_answer_request(TlConsensus *core, const TlLogRow *row)
{
	unsigned	index = tl_consensus_index(core, row->member);
	uint8_t    *start = core->scratch.data + core->scratch.used;
	TlRequest	request;
	uint64_t	view = core->own.view;
	TlPeer	   *peer;
	TlReply		reply;
	TlWriter	writer;
	TlAction   *action;

	if (index >= core->config.member_count || index == core->own.index ||
		row->kind != TL_LOG_REQUEST ||
		tl_consensus_request_decode(&request, row->payload.data,
									row->payload.size) != TL_OK)
		return;
	if (row->epoch > core->config.epoch)
	{
		if (core->started)
			tl_consensus_pace_follow(core, index);
		return;
	}
	/* R33: who does not know what he signed himself proves nothing. */
	if (!core->started || !core->own.votes || core->own.broken ||
		core->forked || !TL_RULE(33, !core->own.asking && !core->own.lost))
		return;
	peer = &core->peers[index];
	if (request.ticket != peer->tickets ||
		memcmp(request.before, peer->incarnations[0].nonce, TL_NONCE_SIZE) != 0 ||
		is_known(peer, row->nonce))
		return;
	memset(&reply, 0, sizeof(reply));
	reply.asker = row->member;
	memcpy(reply.request, row->nonce, TL_NONCE_SIZE);
	reply.ticket = request.ticket;
	reply.changing = tl_consensus_entry_changing(core);
	reply.final_height = core->base.header.height;
	reply.seen = peer->has_last;
	reply.last = peer->last;
	if (TL_RULE(32, view > core->own.floor))
	{
		if (!certify(core, view, &reply))
			return;
	}
	else
	{
		view = core->own.floor;
		reply.reason = TL_REPLY_REJOINED;
	}
	start += reply.certificate.size;
	tl_writer_init(&writer, start, core->scratch.size - core->scratch.used -
				   reply.certificate.size);
	if (tl_consensus_reply_encode(&writer, &reply) != TL_OK ||
		(action = tl_consensus_act(core, TL_ACT_REPLY)) == NULL)
		return;
	core->scratch.used += reply.certificate.size + writer.size;
	action->member = row->member;
	action->row.member = core->config.member;
	memcpy(action->row.nonce, core->own.nonce, TL_NONCE_SIZE);
	action->row.kind = TL_LOG_REPLY;
	action->row.epoch = core->config.epoch;
	action->row.view = view;
	action->row.payload.data = start;
	action->row.payload.size = writer.size;
	tl_consensus_answer_replied(core, &action->row);
}

/* This node has signed that REPLY, now or before a restart: R34. */
void
tl_consensus_answer_replied(TlConsensus *core, const TlLogRow *row)
{
	TlReply		reply;
	unsigned	index;
	TlPeer	   *peer;

	if (tl_consensus_reply_decode(&reply, row->payload.data,
								  row->payload.size) != TL_OK)
		return;
	index = tl_consensus_index(core, reply.asker);
	if (index >= core->config.member_count)
		return;
	peer = &core->peers[index];
	peer->tickets = reply.ticket + 1;
	/* Another one was opened since: for this REPLY, or for one that was lost. */
	if (is_known(peer, reply.request) ||
		memcmp(reply.last.row.nonce, peer->incarnations[0].nonce,
			   TL_NONCE_SIZE) != 0)
		return;
	peer->closed = true;
	memcpy(peer->awaited, reply.request, TL_NONCE_SIZE);
}

/*
 * A row of another's log, no REJOIN.  TL_BAD_ORDER: it is not taken.  R49: epochs do not
 * go back within a log; what does was signed with a key of then, by somebody else.
 */
TlStatus
tl_consensus_answer_row(TlConsensus *core, const TlLogRow *row, unsigned index)
{
	TlPeer	   *peer = &core->peers[index];

	if (memcmp(row->nonce, peer->incarnations[0].nonce, TL_NONCE_SIZE) != 0)
		return TL_BAD_ORDER;
	if (!TL_RULE(34, !peer->closed))
		return TL_BAD_ORDER;
	if (!TL_RULE(49, !peer->has_last || row->epoch >= peer->last.row.epoch ||
				 memcmp(row->nonce, peer->last.row.nonce, TL_NONCE_SIZE) != 0))
		return TL_BAD_ORDER;
	peer->has_last = true;
	tl_consensus_evidence_row(&peer->last, row);
	return TL_OK;
}

/*
 * A REJOIN in another's log.  TL_NOT_FINAL: a REJOIN that it rests on is not
 * known yet.  One that does not hold opens nothing, and so nothing that follows
 * it in that log counts.
 */
TlStatus
tl_consensus_answer_rejoin(TlConsensus *core, const TlInput *input)
{
	const TlLogRow *row = &input->row;
	unsigned	index = tl_consensus_index(core, row->member);
	TlPeer	   *peer = &core->peers[index];
	TlRejoin	rejoin;
	TlHash		digest;
	TlStatus	status;

	if (is_known(peer, row->nonce))
		return TL_OK;
	status = input->certificates_valid ?
		tl_consensus_answer_valid(core, row) : TL_BAD_PROOF;
	if (status != TL_OK)
		return (status == TL_NOT_FINAL) ? status : TL_OK;	/* read_row says so */
	if (tl_consensus_rejoin_decode(&rejoin, row->payload.data,
								   row->payload.size) != TL_OK ||
		!replaces(core, peer, row, &rejoin) || forgets_epoch(peer, row))
		return TL_BAD_ORDER;
	tl_consensus_row_digest(&digest, &core->config.chain_id, row);
	open_incarnation(peer, row, &digest);
	peer->has_last = true;
	tl_consensus_evidence_row(&peer->last, row);
	return TL_OK;
}

/*
 * What the judge cannot say of a REJOIN row: that its replies are enough and
 * its view follows from them.  Those of an epoch that has ended are taken for
 * what they are: they forbid nothing any more.
 */
TlStatus
tl_consensus_answer_valid(const TlConsensus *core, const TlLogRow *row)
{
	return check_rejoin(core, row, false);
}

/*
 * What E6 asks of a REJOIN or a REPLY of this epoch, but for signatures.  A view
 * that rests on a REJOIN of the replier is not judged: that is not in the bytes.
 */
bool
tl_consensus_answer_legal(const TlConsensus *core, const TlLogRow *row)
{
	TlReply		reply;

	if (row->kind == TL_LOG_REJOIN)
		return check_rejoin(core, row, true) == TL_OK;
	return tl_consensus_reply_decode(&reply, row->payload.data,
									 row->payload.size) == TL_OK &&
		may_reply(core, row) &&
		(reply.reason == TL_REPLY_REJOINED ||
		 tl_consensus_answer_justified(core, row, &reply) == TL_OK);
}

/*
 * Does a REPLY, or one in a REJOIN, show a row of an older epoch?  Its author may
 * have had a key that is not remembered.
 */
bool
tl_consensus_answer_shows_older(const TlConsensus *core, const TlLogRow *row)
{
	TlRejoin	rejoin;
	TlReply		reply;
	TlReader	reader;

	if (row->kind == TL_LOG_REPLY)
		return tl_consensus_reply_decode(&reply, row->payload.data,
										 row->payload.size) == TL_OK &&
			reply.seen && reply.last.row.epoch != core->config.epoch;
	if (tl_consensus_rejoin_decode(&rejoin, row->payload.data,
								   row->payload.size) != TL_OK)
		return false;
	tl_reader_init(&reader, rejoin.replies.data, rejoin.replies.size);
	for (unsigned i = 0; i < rejoin.reply_count; i++)
	{
		TlLogRow	said;

		if (tl_consensus_rejoin_next_reply(&said, &reader) == TL_OK &&
			tl_consensus_answer_shows_older(core, &said))
			return true;
	}
	return false;
}

/* R37: is it a vote that its author's REJOIN forbids?  That convicts him (E7). */
bool
tl_consensus_answer_below(TlConsensus *core, const TlLogRow *row,
						  unsigned index)
{
	const TlPeer *peer = &core->peers[index];
	TlEvidenceRow vote;

	if (row->kind != TL_LOG_PROPOSE && row->kind != TL_LOG_NOTARIZE &&
		row->kind != TL_LOG_FINALIZE && row->kind != TL_LOG_NULLIFY)
		return false;
	if (tl_consensus_answer_unanimous(core))
		return false;
	for (unsigned i = 0; i < TL_INCARNATIONS_KEPT; i++)
	{
		const TlIncarnation *incarnation = &peer->incarnations[i];

		if (!incarnation->present || incarnation->epoch != row->epoch ||
			memcmp(incarnation->nonce, row->nonce, TL_NONCE_SIZE) != 0)
			continue;
		if (TL_RULE(37, row->view >= incarnation->view))
			return false;
		tl_consensus_evidence_row(&vote, row);
		tl_consensus_accuse(core, &incarnation->row, &vote);
		return true;
	}
	return false;
}

/*
 * Is the view of a REPLY row proved?  Signatures in it are valid.  TL_NOT_FINAL
 * if the REJOIN that it rests on is not known here.
 */
TlStatus
tl_consensus_answer_justified(const TlConsensus *core, const TlLogRow *row,
							  const TlReply *reply)
{
	unsigned	index = tl_consensus_index(core, row->member);

	if (!may_reply(core, row))
		return TL_BAD_PROOF;
	switch (reply->reason)
	{
		case TL_REPLY_FIRST:
			return (row->view == core->config.founding_view + 1) ?
				TL_OK : TL_BAD_PROOF;
		case TL_REPLY_CERTIFIED:
			return TL_OK;		/* that it is of the view before: the judge */
		default:
			for (unsigned i = 0; i < TL_INCARNATIONS_KEPT; i++)
			{
				const TlIncarnation *incarnation =
					&core->peers[index].incarnations[i];

				if (incarnation->present &&
					memcmp(incarnation->nonce, row->nonce, TL_NONCE_SIZE) == 0)
					return (incarnation->epoch == row->epoch &&
							incarnation->view == row->view + 1) ?
						TL_OK : TL_BAD_PROOF;
			}
			return TL_NOT_FINAL;
	}
}

/* An own REJOIN, of the log as it is read or just asked for: R6, R36. */
void
tl_consensus_answer_own_rejoin(TlConsensus *core, const TlLogRow *row)
{
	open_incarnation(&core->peers[core->own.index], row, &core->own.digest);
	if (row->epoch == core->config.epoch && row->view > core->own.floor + 1 &&
		!tl_consensus_answer_unanimous(core))
		core->own.floor = row->view - 1;
}

/*
 * Is that row of this node of an incarnation which a later REJOIN of its own has
 * ended?  Not if its epoch is one that had not begun for those who replied then.
 */
bool
tl_consensus_answer_is_over(const TlConsensus *core, const TlLogRow *row)
{
	static const uint8_t first[TL_NONCE_SIZE];
	const TlIncarnation *own = core->peers[core->own.index].incarnations;

	if (memcmp(row->nonce, core->own.nonce, TL_NONCE_SIZE) == 0)
		return false;
	if (own[0].present && row->epoch > own[0].epoch)
		return false;
	for (unsigned i = 0; i < TL_INCARNATIONS_KEPT; i++)
	{
		if (own[i].present &&
			(memcmp(own[i].nonce, row->nonce, TL_NONCE_SIZE) == 0 ||
			 memcmp(own[i].before, row->nonce, TL_NONCE_SIZE) == 0))
			return true;
	}
	return memcmp(row->nonce, first, TL_NONCE_SIZE) == 0 ||
		tl_consensus_entry_older(core, row->nonce);
}

/*
 * Has the epoch begun since this node has rejoined?  Its members may be others
 * than those who replied, and know what it signed in this epoch and forgot.
 */
bool
tl_consensus_answer_was_before(const TlConsensus *core)
{
	const TlIncarnation *own = core->peers[core->own.index].incarnations;

	return core->own.index < core->config.member_count && own[0].present &&
		own[0].epoch < core->config.epoch &&
		core->own.epoch < core->config.epoch;
}

/* The proof that this node is in that view; into the scratch. */
static bool
certify(TlConsensus *core, uint64_t view, TlReply *reply)
{
	static const TlVoteKind kinds[] = {VOTE_FINALIZE, VOTE_NOTARIZE, VOTE_NULLIFY};
	uint8_t    *start = core->scratch.data + core->scratch.used;
	TlView	   *before;
	TlWriter	writer;

	if (view == core->config.founding_view + 1)
	{
		reply->reason = TL_REPLY_FIRST;
		return true;
	}
	before = tl_consensus_view(core, view - 1);
	for (int i = 0; before != NULL && i < VOTE_KINDS; i++)
	{
		if (!before->certified[kinds[i]].present)
			continue;
		tl_writer_init(&writer, start, core->scratch.size - core->scratch.used);
		if (tl_consensus_tally_encode(&writer, core, kinds[i], before) != TL_OK)
			return false;
		reply->reason = TL_REPLY_CERTIFIED;
		reply->certificate.data = start;
		reply->certificate.size = writer.size;
		return true;
	}
	return false;				/* entered by an own vote: the logs will tell */
}

static bool
is_known(const TlPeer *peer, const uint8_t *nonce)
{
	for (unsigned i = 0; i < TL_INCARNATIONS_KEPT; i++)
	{
		if ((i == 0 || peer->incarnations[i].present) &&
			memcmp(peer->incarnations[i].nonce, nonce, TL_NONCE_SIZE) == 0)
			return true;
	}
	return false;
}

static TlStatus
check_rejoin(const TlConsensus *core, const TlLogRow *row, bool by_bytes)
{
	TlRejoin	rejoin;
	TlStatus	status = tl_consensus_rejoin_decode(&rejoin, row->payload.data,
												   row->payload.size);

	if (status != TL_OK)
		return status;
	if (row->sequence != 1 ||
		memcmp(rejoin.nonce, row->nonce, TL_NONCE_SIZE) != 0)
		return TL_BAD_FORMAT;
	return (row->epoch == core->config.epoch) ?
		check_replies(core, row, &rejoin, by_bytes) : TL_OK;
}

/* R35, R36: enough of them, all proved, and the row lies far enough beyond. */
static TlStatus
check_replies(const TlConsensus *core, const TlLogRow *row,
			  const TlRejoin *rejoin, bool by_bytes)
{
	uint64_t	step = TL_FORGOTTEN(36) ? 1 : 2;
	uint64_t	highest = 0;
	TlReader	reader;

	if (!TL_RULE(35, rejoin->reply_count >=
				 tl_consensus_answer_count(core, row->member)))
		return TL_BAD_PROOF;
	tl_reader_init(&reader, rejoin->replies.data, rejoin->replies.size);
	for (unsigned i = 0; i < rejoin->reply_count; i++)
	{
		TlLogRow	said;
		TlReply		reply;
		TlStatus	status;

		if (tl_consensus_rejoin_next_reply(&said, &reader) != TL_OK ||
			tl_consensus_reply_decode(&reply, said.payload.data,
									  said.payload.size) != TL_OK)
			return TL_BAD_FORMAT;
		if (by_bytes && reply.reason == TL_REPLY_REJOINED)
			status = may_reply(core, &said) ? TL_OK : TL_BAD_PROOF;
		else
			status = tl_consensus_answer_justified(core, &said, &reply);
		if (status != TL_OK)
			return status;
		if (!tl_consensus_answer_counts(core, &reply))
			return TL_BAD_PROOF;
		if (said.view > highest)
			highest = said.view;
	}
	if (tl_consensus_answer_unanimous(core))
		return TL_OK;
	return (row->view == highest + step) ? TL_OK : TL_BAD_PROOF;
}

/* Is its author a validator of this epoch, and does he speak of it? */
static bool
may_reply(const TlConsensus *core, const TlLogRow *row)
{
	unsigned	index = tl_consensus_index(core, row->member);

	return index < core->config.member_count &&
		core->config.members[index].validator &&
		row->epoch == core->config.epoch;
}

/* N9.  Where everybody is needed, only what was asked for (nobody lies). */
static bool
replaces(const TlConsensus *core, const TlPeer *peer, const TlLogRow *row,
		 const TlRejoin *rejoin)
{
	const TlIncarnation *current = &peer->incarnations[0];

	if (peer->closed && tl_consensus_answer_unanimous(core) &&
		!was_asked_for(core, peer, rejoin))
		return false;
	return memcmp(rejoin->nonce_before, current->nonce, TL_NONCE_SIZE) == 0 ||
		tl_consensus_answer_compare(row->epoch, row->view, row->nonce,
									current->epoch, current->view,
									current->nonce) > 0;
}

/*
 * Has its author signed rows of a later epoch already?  Those who replied were
 * not in that epoch, and could not tell him.  This node tells him when he asks
 * (R30), and takes what he signs then.
 */
static bool
forgets_epoch(const TlPeer *peer, const TlLogRow *row)
{
	return peer->has_last && peer->last.row.epoch > row->epoch;
}

/*
 * Does it answer the newest REPLY of this node?  One that was restored may have
 * forgotten that: the REJOIN holds it, with the number that it had.
 */
static bool
was_asked_for(const TlConsensus *core, const TlPeer *peer,
			  const TlRejoin *rejoin)
{
	TlReader	reader;

	if (memcmp(peer->awaited, rejoin->nonce, TL_NONCE_SIZE) == 0)
		return true;
	tl_reader_init(&reader, rejoin->replies.data, rejoin->replies.size);
	for (unsigned i = 0; i < rejoin->reply_count; i++)
	{
		TlLogRow	said;
		TlReply		reply;

		if (tl_consensus_rejoin_next_reply(&said, &reader) == TL_OK &&
			said.member == core->config.member &&
			tl_consensus_reply_decode(&reply, said.payload.data,
									  said.payload.size) == TL_OK)
			return reply.ticket >= peer->tickets;
	}
	return false;
}

static void
open_incarnation(TlPeer *peer, const TlLogRow *row, const TlHash *digest)
{
	TlIncarnation *first = &peer->incarnations[0];
	TlRejoin	rejoin;

	memmove(first + 1, first,
			(TL_INCARNATIONS_KEPT - 1) * sizeof(TlIncarnation));
	first->present = true;
	if (tl_consensus_rejoin_decode(&rejoin, row->payload.data,
								   row->payload.size) == TL_OK)
		memcpy(first->before, rejoin.nonce_before, TL_NONCE_SIZE);
	memcpy(first->nonce, row->nonce, TL_NONCE_SIZE);
	first->digest = *digest;
	tl_consensus_evidence_row(&first->row, row);
	first->epoch = row->epoch;
	first->view = row->view;
	peer->closed = false;
}
