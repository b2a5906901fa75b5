/*-------------------------------------------------------------------------
 *
 * consensus_proposal.c
 *	  Blocks that were proposed: known, linked to their parents, checked,
 *	  built.
 *
 * Of each view at most two are kept: the first that the leader's log brought,
 * and, if another one is certified, that one.  A block is linked once its
 * parents are known down to the base; only then can its height, history and
 * cut be judged.
 *
 * Invariants
 *	  K1  a linked block follows its parent (chain_block.c) and its history
 *		  root is right; otherwise it is bad for good
 *
 * Pure code: no PostgreSQL, no allocation, no clock.
 *
 *-------------------------------------------------------------------------
 */
#include "consensus_state.h"

#include <string.h>

static bool put_gaps(TlWriter *writer, TlConsensus *core,
					 const TlBlockHeader *header, TlProposal *proposal);
static bool check_certificates(const TlConsensus *core, const TlLogRow *row,
							   const TlProposal *proposal,
							   const TlConsensusBlock *block);
static void learn(TlConsensus *core, const TlProposal *proposal);

/*
 * A PROPOSE row, of its log or fetched.  Its certificates are valid.  The
 * block is kept if it is the leader's first or the certified one.
 */
void
tl_consensus_proposal_row(TlConsensus *core, const TlLogRow *row)
{
	TlProposal	proposal;
	TlConsensusBlock block;
	const TlConsensusBlock *parent;
	TlView	   *view;
	TlKnownBlock *place = NULL;
	TlEvidenceRow evidence;

	if (!tl_consensus_proposal_read(core, row, &block) ||
		tl_consensus_proposal_decode(&proposal, row->payload.data,
									 row->payload.size) != TL_OK)
		return;
	learn(core, &proposal);
	parent = tl_consensus_proposal_parent(core, &block);
	if (parent != NULL && !tl_consensus_legal_child(core, parent, &block))
		tl_consensus_legal_accuse(core, row, parent);
	view = tl_consensus_view(core, row->view);
	if (view == NULL)
		return;
	if (tl_consensus_proposal_find(core, row->view, &block.hash) != NULL)
		place = NULL;			/* or it was taken, and is final */
	else if (!view->first.present)
		place = &view->first;
	else if (!view->named.present &&
			 ((view->certified[VOTE_NOTARIZE].present &&
			   tl_consensus_same(&view->certified[VOTE_NOTARIZE].block,
								 &block.hash)) ||
			  (view->certified[VOTE_FINALIZE].present &&
			   tl_consensus_same(&view->certified[VOTE_FINALIZE].block,
								 &block.hash))))
		place = &view->named;
	tl_consensus_evidence_row(&evidence, row);
	if (view->proposed_seen)
		tl_consensus_accuse(core, &view->proposal, &evidence);
	else
		view->proposal = evidence;
	view->proposed_seen = true;
	if (place == NULL)
		return;
	memset(place, 0, sizeof(*place));
	place->present = true;
	place->certifies = (proposal.checkpoint.size > 0);
	place->block = block;
}

/* The block that a PROPOSE row brings; false if the row is not legal. */
bool
tl_consensus_proposal_read(const TlConsensus *core, const TlLogRow *row,
						   TlConsensusBlock *out)
{
	unsigned	leader = tl_consensus_leader(core, row->view);
	TlProposal	proposal;

	return tl_consensus_proposal_decode(&proposal, row->payload.data,
										row->payload.size) == TL_OK &&
		tl_consensus_proposal_decode_block(out, proposal.header, proposal.cut) == TL_OK &&
		tl_consensus_proposal_decode_entries(out, proposal.entries) == TL_OK &&
		tl_consensus_same(&out->header.chain_id, &core->config.chain_id) &&
		out->header.epoch == row->epoch && out->header.view == row->view &&
		out->header.proposer == row->member &&
		check_certificates(core, row, &proposal, out) &&
		TL_RULE(7, core->config.members[leader].number == row->member);
}

/* A block without its entries, from its header and the cut that belongs to it. */
TlStatus
tl_consensus_proposal_decode_block(TlConsensusBlock *out, TlSpan header,
								   TlSpan cut)
{
	TlHash		hash;
	TlStatus	status;

	memset(out, 0, sizeof(*out));
	status = tl_chain_block_decode(&out->header, header.data, header.size);
	if (status == TL_OK)
		status = tl_chain_cut_decode(out->cut, &out->lane_count, TL_MEMBER_COUNT_MAX,
									 cut.data, cut.size);
	if (status == TL_OK)
		status = tl_chain_cut_hash(&hash, out->cut, out->lane_count);
	if (status == TL_OK && !tl_consensus_same(&hash, &out->header.cut_hash))
		status = TL_BAD_PROOF;
	if (status == TL_OK)
		tl_chain_block_hash(&out->hash, &out->header);
	return status;
}

/* Its entries, which its header names. */
TlStatus
tl_consensus_proposal_decode_entries(TlConsensusBlock *out, TlSpan entries)
{
	TlHash		root;
	TlStatus	status = tl_chain_entries_decode(out->entries, &out->entry_count,
												 TL_CONSENSUS_ENTRIES_MAX,
												 entries.data, entries.size);

	if (status == TL_OK)
		status = tl_chain_entries_root(&root, out->entries, out->entry_count);
	if (status == TL_OK && !tl_consensus_same(&root, &out->header.entries_root))
		status = TL_BAD_PROOF;
	return status;
}

TlKnownBlock *
tl_consensus_proposal_find(TlConsensus *core, uint64_t view,
						   const TlHash *hash)
{
	TlView	   *record = tl_consensus_view(core, view);

	if (record == NULL)
		return NULL;
	if (record->first.present &&
		tl_consensus_same(&record->first.block.hash, hash))
		return &record->first;
	if (record->named.present &&
		tl_consensus_same(&record->named.block.hash, hash))
		return &record->named;
	return NULL;
}

/* The parent if it is the base or known and linked, else NULL. */
const TlConsensusBlock *
tl_consensus_proposal_parent(TlConsensus *core, const TlConsensusBlock *block)
{
	TlKnownBlock *known;

	if (tl_consensus_same(&block->header.parent, &core->base.hash))
		return &core->base;
	known = tl_consensus_proposal_find(core, block->header.parent_view,
									   &block->header.parent);
	if (known == NULL || !known->linked || known->bad)
		return NULL;
	return &known->block;
}

/*
 * Link a block and, before it, its parents.  False if one is not known; then
 * it has been asked for.
 */
bool
tl_consensus_proposal_link(TlConsensus *core, TlKnownBlock *known)
{
	while (!known->linked)
	{
		TlKnownBlock *lowest = known;
		const TlConsensusBlock *parent;
		TlHash		root;

		/* Down to the lowest block that is not linked ... */
		while ((parent = tl_consensus_proposal_parent(core, &lowest->block)) == NULL)
		{
			TlBlockHeader *header = &lowest->block.header;
			TlKnownBlock *next = tl_consensus_proposal_find(core,
															header->parent_view,
															&header->parent);

			/* At this height only the base could be the parent. */
			if ((next != NULL && next->bad) ||
				header->height <= core->base.header.height + 1)
				known->bad = true;
			if (known->bad)
				return false;
			if (next != NULL)
			{
				lowest = next;
				continue;
			}
			tl_consensus_proposal_fetch(core,
										tl_consensus_view(core, header->parent_view),
										&header->parent);
			return false;
		}
		/* ... which is linked now, and then the next above it. */
		tl_merkle_range_root(&parent->history, &root);
		lowest->linked = true;
		if (!TL_RULE(10, tl_chain_block_follows(&parent->header,
												&lowest->block.header) == TL_OK &&
					 tl_consensus_same(&root, &lowest->block.header.history_root)))
			lowest->bad = true;
		if (!TL_RULE(24, tl_consensus_same(&lowest->block.header.members_hash,
										   &core->config.members_hash)))
			lowest->bad = true;
		lowest->block.history = parent->history;
		if (tl_merkle_range_append(&lowest->block.history,
								   &lowest->block.hash) != TL_OK)
			lowest->bad = true;
	}
	return true;
}

/* Ask for the block of that view (NULL: it is out of reach). */
void
tl_consensus_proposal_fetch(TlConsensus *core, TlView *view,
							const TlHash *hash)
{
	TlAction   *action;

	if (view == NULL || !tl_consensus_pace_may_fetch(core, &view->asked_us))
		return;
	action = tl_consensus_act(core, TL_ACT_FETCH_BLOCK);
	if (action == NULL)
		return;
	action->view = view->view;
	action->hash = *hash;
}

/*
 * Is all there that the block orders, and is it what the header says?  False
 * also if something is missing, which is then asked for.
 */
bool
tl_consensus_proposal_check(TlConsensus *core, TlKnownBlock *known)
{
	const TlConsensusBlock *parent;
	TlHash		root;
	uint64_t	size;
	TlStatus	status;

	if (!tl_consensus_proposal_link(core, known) || known->bad)
		return false;
	parent = tl_consensus_proposal_parent(core, &known->block);
	if (parent == NULL)
		return false;
	/* The row, not the block: others may have one that is right, and certify it. */
	if (!TL_RULE(40, known->certifies ==
				 (known->block.header.checkpoint_height !=
				  parent->header.checkpoint_height)))
		return false;
	status = tl_consensus_cut_root(core, parent, &known->block, &root, &size);
	if (status == TL_NOT_FINAL)
	{
		(void) tl_consensus_cut_fetch(core, parent, &known->block, false,
									   &known->asked_us);
		return false;
	}
	if (status != TL_OK ||
		!TL_RULE(13, tl_consensus_same(&root,
									   &known->block.header.batch_root)))
	{
		known->bad = true;
		return false;
	}
	status = tl_consensus_entry_check(core, parent, known);
	if (status != TL_OK && status != TL_NOT_FINAL)
		known->bad = true;
	return status == TL_OK;
}

/* A block on that parent, for the current view; false if there is no room. */
bool
tl_consensus_proposal_build(TlConsensus *core, const TlConsensusBlock *parent,
							TlConsensusBlock *out)
{
	TlBlockHeader *header = &out->header;
	uint64_t	size;

	memset(out, 0, sizeof(*out));
	tl_consensus_cut_choose(core, parent, out);
	if (!tl_consensus_entry_choose(core, parent, out))
		return false;
	tl_chain_block_chain_id(&header->chain_id, &parent->header);
	header->height = parent->header.height + 1;
	header->epoch = core->config.epoch;
	header->view = core->own.view;
	header->parent = parent->hash;
	header->parent_epoch = parent->header.epoch;
	header->parent_view = parent->header.view;
	header->proposer = core->config.member;
	header->time = parent->header.time + 1;
	if (core->clock_us > header->time)
		header->time = core->clock_us;
	if (tl_consensus_cut_root(core, parent, out, &header->batch_root,
							   &size) != TL_OK ||
		tl_chain_cut_hash(&header->cut_hash, out->cut,
						  out->lane_count) != TL_OK ||
		tl_chain_entries_root(&header->entries_root, out->entries,
							  out->entry_count) != TL_OK)
		return false;
	header->members_hash = core->config.members_hash;
	header->checkpoint_height = parent->header.checkpoint_height;
	header->checkpoint_state_root = parent->header.checkpoint_state_root;
	if (tl_consensus_checkpoint_moves(core, &parent->header))
	{
		header->checkpoint_height = core->checkpoint.stable.height;
		header->checkpoint_state_root = core->checkpoint.stable.state_root;
	}
	tl_merkle_range_root(&parent->history, &header->history_root);
	tl_chain_block_hash(&out->hash, header);
	return true;
}

/*
 * The payload of PROPOSE, in the scratch memory of the step; empty if there is
 * no room.  parent_view is NULL if the parent is the epoch's founding block.
 */
TlSpan
tl_consensus_proposal_encode_block(TlConsensus *core,
								   const TlConsensusBlock *block,
								   const TlConsensusBlock *parent,
								   const TlView *parent_view)
{
	uint8_t    *start = core->scratch.data + core->scratch.used;
	size_t		room = core->scratch.size - core->scratch.used;
	uint8_t		header[TL_BLOCK_HEADER_SIZE];
	uint8_t		cut[TL_MEMBER_COUNT_MAX * TL_BLOCK_LANE_SIZE];
	uint8_t		entries[TL_CONSENSUS_ENTRIES_MAX * TL_BLOCK_ENTRY_SIZE];
	TlWriter	small;
	TlWriter	large;
	TlProposal	proposal;
	TlSpan		payload = {NULL, 0};
	uint8_t    *end;

	memset(&proposal, 0, sizeof(proposal));
	tl_writer_init(&small, header, sizeof(header));
	(void) tl_chain_block_encode(&small, &block->header);
	proposal.header.data = header;
	proposal.header.size = small.size;
	tl_writer_init(&small, cut, sizeof(cut));
	(void) tl_chain_cut_encode(&small, block->cut, block->lane_count);
	proposal.cut.data = cut;
	proposal.cut.size = small.size;
	tl_writer_init(&small, entries, sizeof(entries));
	(void) tl_chain_entries_encode(&small, block->entries, block->entry_count);
	proposal.entry_count = block->entry_count;
	proposal.entries.data = entries;
	proposal.entries.size = small.size;
	/* The certificates go into one half of the scratch, the whole after them. */
	tl_writer_init(&large, start, room / 2);
	if (parent_view != NULL &&
		tl_consensus_tally_encode(&large, core,
								  parent_view->certified[VOTE_NOTARIZE].present ?
								  VOTE_NOTARIZE : VOTE_FINALIZE,
								  parent_view) != TL_OK)
		return payload;
	proposal.parent_certificate.data = start;
	proposal.parent_certificate.size = large.size;
	proposal.gaps.data = start + large.size;
	if (!put_gaps(&large, core, &block->header, &proposal))
		return payload;
	proposal.gaps.size = large.size - proposal.parent_certificate.size;
	if (block->header.checkpoint_height != parent->header.checkpoint_height)
	{
		proposal.checkpoint.data = start + large.size;
		if (tl_consensus_checkpoint_encode(&large, core) != TL_OK)
			return payload;
		proposal.checkpoint.size = start + large.size - proposal.checkpoint.data;
	}
	end = start + large.size;
	tl_writer_init(&small, end, room - large.size);
	if (tl_consensus_proposal_encode(&small, &proposal) != TL_OK ||
		small.size > TL_LOG_PAYLOAD_SIZE_MAX)
		return payload;
	core->scratch.used += large.size + small.size;
	payload.data = end;
	payload.size = small.size;
	return payload;
}

/* The nullifications of the views between the parent's and the block's. */
static bool
put_gaps(TlWriter *writer, TlConsensus *core, const TlBlockHeader *header,
		 TlProposal *proposal)
{
	for (uint64_t view = header->parent_view + 1; view < header->view; view++)
	{
		TlView	   *skipped = tl_consensus_view(core, view);
		TlWriter	counter;

		if (skipped == NULL || !skipped->certified[VOTE_NULLIFY].present)
			return false;
		tl_writer_init(&counter, NULL, 0);
		(void) tl_consensus_tally_encode(&counter, core, VOTE_NULLIFY, skipped);
		tl_put_u32(writer, (uint32_t) counter.size);
		if (tl_consensus_tally_encode(writer, core, VOTE_NULLIFY,
									  skipped) != TL_OK)
			return false;
		proposal->gap_count++;
	}
	return true;
}

/*
 * Do the certificates in the row say what the header says?  That of the
 * parent, unless the parent founds the epoch, and one for each view skipped.
 */
static bool
check_certificates(const TlConsensus *core, const TlLogRow *row,
				   const TlProposal *proposal, const TlConsensusBlock *block)
{
	const TlBlockHeader *header = &block->header;
	TlCertificate certificate;
	TlReader	reader;
	uint64_t	view;

	if (proposal->parent_certificate.size == 0)
	{
		if (!TL_RULE(8, tl_consensus_same(&header->parent,
										  &core->config.founding)))
			return false;
	}
	else if (tl_consensus_certificate_decode(&certificate,
											 proposal->parent_certificate.data,
											 proposal->parent_certificate.size) != TL_OK ||
			 !TL_RULE(8, (certificate.kind == TL_LOG_NOTARIZE ||
						  certificate.kind == TL_LOG_FINALIZE) &&
					  certificate.epoch == header->parent_epoch &&
					  certificate.epoch == row->epoch &&
					  certificate.view == header->parent_view &&
					  tl_consensus_same(&certificate.block, &header->parent)))
		return false;
	if (header->parent_view >= header->view)
		return false;
	/* R40: what it says of a checkpoint is certified; that it moves, see check */
	if (proposal->checkpoint.size > 0 &&
		(tl_consensus_certificate_decode(&certificate, proposal->checkpoint.data,
										 proposal->checkpoint.size) != TL_OK ||
		 certificate.kind != TL_LOG_STATE || certificate.epoch != row->epoch ||
		 certificate.height != header->checkpoint_height ||
		 !tl_consensus_same(&certificate.state_root,
							&header->checkpoint_state_root)))
		return false;
	tl_reader_init(&reader, proposal->gaps.data, proposal->gaps.size);
	view = header->parent_view;
	for (unsigned i = 0; i < proposal->gap_count; i++)
	{
		TlSpan		span = tl_get_span(&reader, tl_get_u32(&reader));

		view++;
		if (tl_consensus_certificate_decode(&certificate, span.data,
											span.size) != TL_OK ||
			certificate.kind != TL_LOG_NULLIFY ||
			certificate.epoch != row->epoch || certificate.view != view)
			return false;
	}
	return TL_RULE(9, view + 1 == header->view);
}

/* Take the certificates in a proposal for what they are. */
static void
learn(TlConsensus *core, const TlProposal *proposal)
{
	TlCertificate certificate;
	TlReader	reader;

	if (proposal->parent_certificate.size > 0 &&
		tl_consensus_certificate_decode(&certificate,
										proposal->parent_certificate.data,
										proposal->parent_certificate.size) == TL_OK)
		tl_consensus_tally_certificate(core, &certificate);
	if (proposal->checkpoint.size > 0 &&
		tl_consensus_certificate_decode(&certificate, proposal->checkpoint.data,
										proposal->checkpoint.size) == TL_OK)
		tl_consensus_tally_certificate(core, &certificate);
	tl_reader_init(&reader, proposal->gaps.data, proposal->gaps.size);
	for (unsigned i = 0; i < proposal->gap_count; i++)
	{
		TlSpan		span = tl_get_span(&reader, tl_get_u32(&reader));

		if (tl_consensus_certificate_decode(&certificate, span.data,
											span.size) == TL_OK)
			tl_consensus_tally_certificate(core, &certificate);
	}
}
