/*-------------------------------------------------------------------------
 *
 * consensus_take.c
 *	  P17: final blocks are taken from a member who keeps them.
 *
 * He is asked where the logs do not bring them (TL_ACT_CATCH_UP), and may show
 * anything.  What counts is a finalization, judged by its bytes (C3), and the
 * hashes that lead from its block down to the base of this core.  So a block that
 * is taken is final; it becomes known as if its PROPOSE row had come, but nobody
 * has to have signed that, and this node does not vote for it.  Batches and rows
 * that it orders are asked for as ever, and it is handed over when they are here.
 *
 * Invariants
 *	  N1  a block that is taken is that of a finalization or an ancestor of it
 *
 * Pure code: no PostgreSQL, no allocation, no clock.
 *
 *-------------------------------------------------------------------------
 */
#include "consensus_state.h"

#include "consensus_offer.h"

#include <string.h>

static TlStatus follow(const TlConsensus *core, TlOffer *offer);
static bool is_of(const TlConsensus *core, TlSpan certificate,
				  const TlConsensusBlock *block);
static void take_block(TlConsensus *core, const TlConsensusBlock *block);

TlStatus
tl_consensus_judge_offer(const TlConsensus *core, TlSpan bytes,
						 TlSignatureCheck check, void *context)
{
	TlOffer		offer;
	TlStatus	status = tl_consensus_offer_decode(&offer, bytes.data, bytes.size);

	if (status == TL_OK)
		status = follow(core, &offer);
	if (status == TL_OK && offer.count == 0)
		status = TL_NOT_FINAL;
	if (status == TL_OK &&
		!tl_consensus_judge_tip(core, offer.blocks[offer.count - 1].certificate,
								check, context))
		status = TL_BAD_CERTIFICATE;
	return status;
}

/* That member's answer. */
void
tl_consensus_take_input(TlConsensus *core, const TlInput *input)
{
	unsigned	index = tl_consensus_index(core, input->member);
	TlCertificate certificate;
	TlConsensusBlock block;
	TlOffer		offer;

	if (index >= core->config.member_count || index == core->own.index)
		return;
	tl_consensus_pace_answered(core, index);
	if (!input->certificates_valid || TL_FORGOTTEN(117) ||
		tl_consensus_offer_decode(&offer, input->payload.data,
								  input->payload.size) != TL_OK ||
		follow(core, &offer) != TL_OK || offer.count == 0 ||
		tl_consensus_certificate_decode(&certificate,
										offer.blocks[offer.count - 1].certificate.data,
										offer.blocks[offer.count - 1].certificate.size) != TL_OK)
		return;
	for (unsigned i = 0; i < offer.count; i++)
	{
		if (tl_consensus_offered_read(&block, &offer.blocks[i]) == TL_OK)
			take_block(core, &block);
	}
	tl_consensus_tally_shown(core, index, &certificate);
	core->taken_view = certificate.view;
}

/*
 * Does each block follow the one before, and the first one the base?  Only as far
 * as the last one that a finalization names and that is within the memory.
 */
static TlStatus
follow(const TlConsensus *core, TlOffer *offer)
{
	TlHash		before = core->base.hash;
	uint64_t	reach = core->base.header.view + core->config.view_count;
	unsigned	count = 0;

	for (unsigned i = 0; i < offer->count; i++)
	{
		TlConsensusBlock block;
		TlStatus	status = tl_consensus_offered_read(&block, &offer->blocks[i]);

		if (status != TL_OK)
			return status;
		if (!tl_consensus_same(&block.header.parent, &before) ||
			!tl_consensus_same(&block.header.chain_id, &core->config.chain_id) ||
			block.header.epoch != core->config.epoch)
			return TL_BAD_ORDER;
		before = block.hash;
		if (block.header.view < reach && is_of(core, offer->blocks[i].certificate, &block))
			count = i + 1;
	}
	offer->count = count;
	return TL_OK;
}

/* Does it say that this block is final?  Whether it holds is for the judge. */
static bool
is_of(const TlConsensus *core, TlSpan certificate, const TlConsensusBlock *block)
{
	TlCertificate out;

	return certificate.size > 0 &&
		tl_consensus_certificate_decode(&out, certificate.data, certificate.size) == TL_OK &&
		out.kind == TL_LOG_FINALIZE && out.epoch == core->config.epoch &&
		out.view == block->header.view && tl_consensus_same(&out.block, &block->hash);
}

/*
 * Beside what its leader has proposed, if that is another one; votes are only for
 * that (R7).
 */
static void
take_block(TlConsensus *core, const TlConsensusBlock *block)
{
	TlView	   *view = tl_consensus_view(core, block->header.view);

	if (view == NULL || view->named.present ||
		tl_consensus_proposal_find(core, view->view, &block->hash) != NULL)
		return;
	memset(&view->named, 0, sizeof(view->named));
	view->named.present = true;
	view->named.block = *block;
}
