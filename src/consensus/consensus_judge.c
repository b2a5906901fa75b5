/*-------------------------------------------------------------------------
 *
 * consensus_judge.c
 *	  The verdict on a row: its signature, and those of the certificates in it.
 *
 * A row is signed once and so are the votes in its certificates.  Most of them
 * this node has counted from the logs already; their signatures are not
 * checked a second time, which keeps the cost of a view near that of its
 * rows.  The verdict depends on nothing but the bytes and the members (C3):
 * that a vote was counted only tells that its signature is valid.
 *
 * Pure code: no PostgreSQL, no allocation, no clock.
 *
 *-------------------------------------------------------------------------
 */
#include "consensus_state.h"

#include "consensus_epoch.h"
#include "consensus_govern.h"

#include <string.h>

static bool judge_certificate(const TlConsensus *core, TlSpan span,
							  TlSignatureCheck check, void *context);
static bool judge_evidence(const TlConsensus *core, TlSpan span,
						   TlSignatureCheck check, void *context);
static bool judge_approval(const TlConsensus *core, const TlLogRow *row,
						   TlSignatureCheck check, void *context);
static const uint8_t *key_of(const TlConsensus *core, unsigned index,
							 uint64_t epoch);

static bool judge_rejoin(const TlConsensus *core, const TlLogRow *row,
						 TlSignatureCheck check, void *context);
static bool judge_reply(const TlConsensus *core, const TlLogRow *row,
						uint32_t asker, TlSignatureCheck check, void *context);
static bool judge_vote(const TlConsensus *core,
					   const TlCertificate *certificate, const TlVote *vote,
					   TlSignatureCheck check, void *context);
static bool another_was_counted(const TlConsensus *core,
								const TlCertificate *certificate,
								unsigned index);
static bool was_counted(const TlConsensus *core,
						const TlCertificate *certificate, const TlVote *vote,
						unsigned index);

bool
tl_consensus_check_signature(void *context,
							 const uint8_t signature[TL_SIGNATURE_SIZE],
							 const TlHash *digest,
							 const uint8_t row_key[TL_XONLY_KEY_SIZE])
{
	return tl_crypto_schnorr_verify(signature, digest->bytes, TL_HASH_SIZE,
									row_key);
}

TlStatus
tl_consensus_judge(const TlConsensus *core, const TlLogRow *row,
				   TlSignatureCheck check, void *context,
				   bool *certificates_valid)
{
	unsigned	index = tl_consensus_index(core, row->member);
	TlHash		digest;

	*certificates_valid = false;
	if (index >= core->config.member_count)
		return TL_BAD_SIGNATURE;
	if (row->epoch > core->config.epoch)
		return TL_NOT_FINAL;
	tl_consensus_row_digest(&digest, &core->config.chain_id, row);
	if (!check(context, row->signature, &digest,
			   key_of(core, index, row->epoch)))
		return TL_BAD_SIGNATURE;
	*certificates_valid = tl_consensus_judge_inside(core, row, check, context);
	return TL_OK;
}

bool
tl_consensus_judge_tip(const TlConsensus *core, TlSpan certificate,
					   TlSignatureCheck check, void *context)
{
	return judge_certificate(core, certificate, check, context);
}

/* The signatures in the payload of a row. */
bool
tl_consensus_judge_inside(const TlConsensus *core, const TlLogRow *row,
						  TlSignatureCheck check, void *context)
{
	TlProposal	proposal;
	TlReader	reader;

	if (row->kind == TL_LOG_EVIDENCE)
		return judge_evidence(core, row->payload, check, context);
	if (row->epoch != core->config.epoch)
		return true;
	if (row->kind == TL_LOG_GOVERN)
		return judge_approval(core, row, check, context);
	if (row->kind == TL_LOG_CERT)
		return judge_certificate(core, row->payload, check, context);
	if (row->kind == TL_LOG_REJOIN)
		return judge_rejoin(core, row, check, context);
	if (row->kind == TL_LOG_REPLY)
		return judge_reply(core, row, 0, check, context);
	if (row->kind != TL_LOG_PROPOSE)
		return true;
	if (tl_consensus_proposal_decode(&proposal, row->payload.data,
									 row->payload.size) != TL_OK)
		return false;
	if (proposal.parent_certificate.size > 0 &&
		!judge_certificate(core, proposal.parent_certificate, check, context))
		return false;
	if (proposal.checkpoint.size > 0 &&
		!judge_certificate(core, proposal.checkpoint, check, context))
		return false;
	tl_reader_init(&reader, proposal.gaps.data, proposal.gaps.size);
	for (unsigned i = 0; i < proposal.gap_count; i++)
	{
		TlSpan		span = tl_get_span(&reader, tl_get_u32(&reader));

		if (!judge_certificate(core, span, check, context))
			return false;
	}
	return true;
}

/* R18: an accusation holds by its own bytes and the accused one's key. */
static bool
judge_evidence(const TlConsensus *core, TlSpan span, TlSignatureCheck check,
			   void *context)
{
	TlEvidence	evidence;
	unsigned	index;

	if (tl_consensus_evidence_decode(&evidence, &core->config.chain_id,
									 span.data, span.size) != TL_OK)
		return false;
	if (evidence.kind == TL_EVIDENCE_ILLEGAL)
		return tl_consensus_legal_judge(core, &evidence, check, context);
	index = tl_consensus_index(core, evidence.rows[0].row.member);
	if (index >= core->config.member_count ||
		!tl_consensus_answer_convicts(core, &evidence))
		return false;
	for (int i = 0; i < 2; i++)
	{
		TlHash		digest;

		tl_consensus_row_digest_of(&digest, &core->config.chain_id,
								   &evidence.rows[i].row,
								   &evidence.rows[i].payload_digest);
		if (!TL_RULE(18, check(context, evidence.rows[i].row.signature, &digest,
							   key_of(core, index, evidence.rows[i].row.epoch))))
			return false;
	}
	return true;
}

/* R25: a member's approval is signed with its governance key. */
static bool
judge_approval(const TlConsensus *core, const TlLogRow *row,
			   TlSignatureCheck check, void *context)
{
	unsigned	index = tl_consensus_index(core, row->member);
	TlGovern	govern;
	TlHash		motion;
	TlHash		digest;

	if (tl_consensus_govern_decode(&govern, row->payload.data,
								   row->payload.size) != TL_OK)
		return false;
	tl_consensus_motion_digest(&motion, govern.motion);
	tl_consensus_approval_digest(&digest, &core->config.chain_id, row->member,
								 row->epoch, govern.number, &motion);
	return TL_RULE(25, check(context, govern.approval, &digest,
							 core->config.members[index].governance_key));
}

/* The key with which a member signs rows of that epoch. */
static const uint8_t *
key_of(const TlConsensus *core, unsigned index, uint64_t epoch)
{
	return tl_consensus_epoch_key(&core->config.members[index], epoch);
}

/* R35: signed replies of others to this author, one each. */
static bool
judge_rejoin(const TlConsensus *core, const TlLogRow *row,
			 TlSignatureCheck check, void *context)
{
	TlRejoin	rejoin;
	TlReader	reader;

	if (tl_consensus_rejoin_decode(&rejoin, row->payload.data,
								   row->payload.size) != TL_OK ||
		(rejoin.reply_count == 0) !=
		(tl_consensus_answer_count(core, row->member) == 0))
		return false;
	tl_reader_init(&reader, rejoin.replies.data, rejoin.replies.size);
	for (unsigned i = 0; i < rejoin.reply_count; i++)
	{
		TlLogRow	said;
		TlHash		digest;
		unsigned	index;

		if (tl_consensus_rejoin_next_reply(&said, &reader) != TL_OK)
			return false;
		index = tl_consensus_index(core, said.member);
		if (index >= core->config.member_count || said.member == row->member)
			return false;
		tl_consensus_row_digest(&digest, &core->config.chain_id, &said);
		if (!check(context, said.signature, &digest,
				   key_of(core, index, said.epoch)) ||
			!judge_reply(core, &said, row->member, check, context))
			return false;
	}
	return true;
}

/*
 * The row of the asker that it shows is his, and its certificate is of the view
 * before.  asker 0: whoever it names.
 */
static bool
judge_reply(const TlConsensus *core, const TlLogRow *row, uint32_t asker,
			TlSignatureCheck check, void *context)
{
	TlReply		reply;
	TlCertificate certificate;
	TlHash		digest;
	unsigned	index;

	if (row->epoch != core->config.epoch ||
		tl_consensus_reply_decode(&reply, row->payload.data,
								  row->payload.size) != TL_OK)
		return false;
	index = tl_consensus_index(core, reply.asker);
	if (index >= core->config.member_count ||
		(asker != 0 && reply.asker != asker))
		return false;
	if (reply.seen)
	{
		tl_consensus_row_digest_of(&digest, &core->config.chain_id,
								   &reply.last.row, &reply.last.payload_digest);
		if (!check(context, reply.last.row.signature, &digest,
				   key_of(core, index, reply.last.row.epoch)))
			return false;
	}
	if (reply.reason != TL_REPLY_CERTIFIED)
		return true;
	return judge_certificate(core, reply.certificate, check, context) &&
		tl_consensus_certificate_decode(&certificate, reply.certificate.data,
										reply.certificate.size) == TL_OK &&
		certificate.view + 1 == row->view;
}

/* C1, C2 and C4 of README.md. */
static bool
judge_certificate(const TlConsensus *core, TlSpan span,
				  TlSignatureCheck check, void *context)
{
	TlCertificate certificate;

	if (tl_consensus_certificate_decode(&certificate, span.data,
										span.size) != TL_OK)
		return false;
	if (certificate.epoch != core->config.epoch)
		return false;
	if (certificate.vote_count < core->quorum ||
		certificate.vote_count > core->validator_count)
		return false;
	for (unsigned i = 0; i < certificate.vote_count; i++)
	{
		TlVote		vote;

		if (TL_FORGOTTEN(202) && i >= core->quorum)
			break;
		if (tl_consensus_certificate_get_vote(&vote, &certificate,
											  i) != TL_OK ||
			!judge_vote(core, &certificate, &vote, check, context))
			return false;
	}
	return true;
}

static bool
judge_vote(const TlConsensus *core, const TlCertificate *certificate,
		   const TlVote *vote, TlSignatureCheck check, void *context)
{
	unsigned	index = tl_consensus_index(core, vote->member);
	uint8_t		payload[TL_CERTIFICATE_PAYLOAD_SIZE_MAX];
	TlLogRow	row;
	TlHash		digest;

	if (index >= core->config.member_count ||
		!core->config.members[index].validator)
		return false;
	if (was_counted(core, certificate, vote, index))
		return true;
	if (TL_FORGOTTEN(203) && another_was_counted(core, certificate, index))
		return false;
	if (tl_consensus_certificate_vote_row(&row, certificate, vote,
										  payload) != TL_OK)
		return false;
	tl_consensus_row_digest(&digest, &core->config.chain_id, &row);
	return TL_RULE(17, check(context, vote->signature, &digest,
							 core->config.members[index].row_key));
}

/* What a node that forgets C3 would ask: did this member tell me otherwise? */
static bool
another_was_counted(const TlConsensus *core, const TlCertificate *certificate,
					unsigned index)
{
	const TlView *view = &core->views[certificate->view % core->config.view_count];
	const TlTallied *tallied;

	if (certificate->kind == TL_LOG_STATE)
		return false;
	tallied = &view->tallied[certificate->kind - TL_LOG_NOTARIZE][index];
	return view->view == certificate->view && tallied->present &&
		!tl_consensus_same(&tallied->block, &certificate->block);
}

/* Is it byte for byte a vote whose row was judged before? */
static bool
was_counted(const TlConsensus *core, const TlCertificate *certificate,
			const TlVote *vote, unsigned index)
{
	const TlView *view;
	const TlTallied *tallied;

	if (certificate->kind == TL_LOG_STATE)
		return tl_consensus_checkpoint_counted(core, certificate, vote, index);
	view = &core->views[certificate->view % core->config.view_count];
	if (view->view != certificate->view)
		return false;
	tallied = &view->tallied[certificate->kind - TL_LOG_NOTARIZE][index];
	return tallied->present &&
		tl_consensus_same(&tallied->block, &certificate->block) &&
		tl_consensus_tally_same_vote(&tallied->vote, vote);
}
