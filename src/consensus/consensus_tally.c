/*-------------------------------------------------------------------------
 *
 * consensus_tally.c
 *	  Counting votes, and the certificates that come of it.
 *
 * Two ways lead to a certificate: a quorum of votes seen in the logs, or the
 * bytes of one in a row of somebody.  The first is the local tally: of each
 * member the first vote of a kind in a view counts.  The second is judged
 * by its own bytes (C3) before it comes here.
 *
 * Invariants
 *	  T1  a certificate kept here has a quorum of votes, each member once
 *	  T2  a vote outside the views remembered changes nothing
 *
 * Pure code: no PostgreSQL, no allocation, no clock.
 *
 *-------------------------------------------------------------------------
 */
#include "consensus_state.h"

#include <string.h>

static void count_votes(TlConsensus *core, TlView *view, TlVoteKind kind,
						const TlHash *block);
static void keep_certificate(TlConsensus *core, TlView *view, TlVoteKind kind,
							 const TlHash *block);
static void clear_view(TlConsensus *core, TlView *view, uint64_t number);

/*
 * The record of a view, made if the view is one that is remembered; NULL if
 * it lies below, or too far above.
 */
TlView *
tl_consensus_view(TlConsensus *core, uint64_t view)
{
	TlView	   *record;

	if (view < core->low || view - core->low >= core->config.view_count)
		return NULL;
	record = &core->views[view % core->config.view_count];
	if (record->view != view)
		clear_view(core, record, view);
	if (view > core->high)
		core->high = view;
	return record;
}

/* A NOTARIZE, FINALIZE or NULLIFY row of a validator. */
void
tl_consensus_tally_row(TlConsensus *core, const TlLogRow *row, unsigned index)
{
	TlVoteKind	kind = (TlVoteKind) (row->kind - TL_LOG_NOTARIZE);
	TlView	   *view = tl_consensus_view(core, row->view);
	TlTallied  *tallied;
	TlHash		block;

	memset(&block, 0, sizeof(block));
	if (kind == VOTE_NULLIFY ? row->payload.size != 0 :
		tl_consensus_vote_decode(&block, row->payload.data,
								 row->payload.size) != TL_OK)
	{
		tl_consensus_alarm(core, TL_ALARM_ILLEGAL_ROW, row->member);
		return;
	}
	if (view == NULL)
		return;
	tl_consensus_accuse_vote(core, view, row, index);
	tallied = &view->tallied[kind][index];
	if (tallied->present)
		return;
	tallied->present = true;
	tallied->block = block;
	tl_consensus_certificate_row_vote(&tallied->vote, row);
	if (!view->certified[kind].present)
		count_votes(core, view, kind, &block);
}

/* One that a member has shown as an answer, in no log. */
void
tl_consensus_tally_shown(TlConsensus *core, unsigned index,
						 const TlCertificate *certificate)
{
	if (certificate->view > core->peers[index].certified)
		core->peers[index].certified = certificate->view;
	core->reading = core->config.member_count;
	tl_consensus_tally_certificate(core, certificate);
}

/* A certificate of this epoch whose signatures are valid. */
void
tl_consensus_tally_certificate(TlConsensus *core,
							   const TlCertificate *certificate)
{
	TlVoteKind	kind = (TlVoteKind) (certificate->kind - TL_LOG_NOTARIZE);
	TlView	   *view;

	if (certificate->kind == TL_LOG_STATE)
	{
		tl_consensus_checkpoint_certificate(core, certificate);
		return;
	}
	if (core->reading < core->config.member_count &&
		certificate->view > core->peers[core->reading].certified)
		core->peers[core->reading].certified = certificate->view;
	view = tl_consensus_view(core, certificate->view);
	if (view == NULL)
	{
		/* Others have gone where this node's memory does not reach (P9). */
		if (certificate->view > core->beyond &&
			certificate->view >= core->low)
			core->beyond = certificate->view;
		return;
	}
	if (!view->certified[kind].present)
	{
		view->certified[kind].vote_count = certificate->vote_count;
		memcpy(view->certified[kind].votes, certificate->votes.data,
			   certificate->votes.size);
		keep_certificate(core, view, kind, &certificate->block);
	}
	else if (!tl_consensus_same(&view->certified[kind].block,
								&certificate->block))
	{
		if (kind == VOTE_FINALIZE)
			tl_consensus_alarm(core, TL_ALARM_FORK, 0);
		return;
	}
	/* Whoever shows it in his log need not do so again. */
	view->certified[kind].logged |= (core->reading < core->config.member_count);
	view->certified[kind].relayed |= (core->reading == core->own.index);
}

TlStatus
tl_consensus_tally_encode(TlWriter *writer, const TlConsensus *core,
						  TlVoteKind kind, const TlView *view)
{
	const TlCertified *certified = &view->certified[kind];
	TlCertificate certificate;

	memset(&certificate, 0, sizeof(certificate));
	certificate.kind = (uint8_t) (TL_LOG_NOTARIZE + kind);
	certificate.epoch = core->config.epoch;
	certificate.view = view->view;
	certificate.block = certified->block;
	certificate.vote_count = certified->vote_count;
	certificate.votes.data = certified->votes;
	certificate.votes.size = (size_t) certified->vote_count *
		TL_CERTIFICATE_VOTE_SIZE;
	return tl_consensus_certificate_encode(writer, &certificate);
}

bool
tl_consensus_tally_same_vote(const TlVote *left, const TlVote *right)
{
	return left->member == right->member &&
		left->sequence == right->sequence &&
		tl_consensus_same(&left->previous, &right->previous) &&
		memcmp(left->nonce, right->nonce, TL_NONCE_SIZE) == 0 &&
		memcmp(left->signature, right->signature, TL_SIGNATURE_SIZE) == 0;
}

/* Is there a quorum for this block among the votes seen? */
static void
count_votes(TlConsensus *core, TlView *view, TlVoteKind kind,
			const TlHash *block)
{
	TlTallied  *tallied = view->tallied[kind];
	TlWriter	writer;
	unsigned	count = 0;

	for (unsigned i = 0; i < core->config.member_count; i++)
	{
		if (tallied[i].present && TL_RULE(45, !core->peers[i].doubled) &&
			tl_consensus_same(&tallied[i].block, block))
			count++;
	}
	if (count < core->quorum)
		return;
	tl_writer_init(&writer, view->certified[kind].votes,
				   (size_t) core->validator_count * TL_CERTIFICATE_VOTE_SIZE);
	for (unsigned i = 0; i < core->config.member_count; i++)
	{
		if (tallied[i].present && TL_RULE(45, !core->peers[i].doubled) &&
			tl_consensus_same(&tallied[i].block, block))
			tl_consensus_certificate_put_vote(&writer, &tallied[i].vote);
	}
	view->certified[kind].vote_count = (uint16_t) count;
	keep_certificate(core, view, kind, block);
}

static void
keep_certificate(TlConsensus *core, TlView *view, TlVoteKind kind,
				 const TlHash *block)
{
	view->certified[kind].present = true;
	view->certified[kind].block = *block;
	if (kind == VOTE_NULLIFY)
		tl_consensus_pace_nullified(core, view);
	if (kind == VOTE_FINALIZE && view->view > core->final_view)
	{
		core->final_view = view->view;
		tl_consensus_pace_final(core);
	}
}

/* The memory of the tallies and certificates stays. */
static void
clear_view(TlConsensus *core, TlView *view, uint64_t number)
{
	TlTallied  *tallied[VOTE_KINDS];
	uint8_t    *votes[VOTE_KINDS];

	for (int kind = 0; kind < VOTE_KINDS; kind++)
	{
		tallied[kind] = view->tallied[kind];
		votes[kind] = view->certified[kind].votes;
		memset(tallied[kind], 0,
			   core->config.member_count * sizeof(TlTallied));
	}
	memset(view, 0, sizeof(*view));
	for (int kind = 0; kind < VOTE_KINDS; kind++)
	{
		view->tallied[kind] = tallied[kind];
		view->certified[kind].votes = votes[kind];
	}
	view->view = number;
}
