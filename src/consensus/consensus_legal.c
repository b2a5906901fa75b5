/*-------------------------------------------------------------------------
 *
 * consensus_legal.c
 *	  Rows that are validly signed and against the rules, as their own bytes
 *	  say: E6.
 *
 * Nothing here looks at what this node has seen.  The members of the epoch, its
 * founding block and the bytes decide, so that everybody decides alike, now and
 * later.  Two ways to be convicted:
 *
 *	  by one row		its payload is not one, or what the payload says cannot be:
 *						another chain, view or leader, a certificate that does not
 *						hold or is not the one that is needed
 *	  by its parent		a PROPOSE whose header does not follow the parent's, or
 *						whose cut goes back.  The parent is given by header and
 *						cut; the hash in the child binds them, nobody needs to have
 *						signed them
 *
 * What is not judged here convicts nobody: REQUEST; an EVIDENCE of this kind, so
 * that evidence does not nest; of a REPLY, also inside a REJOIN, what rests on the
 * REJOIN of its author, and one that shows a row of an older epoch.
 *
 * Invariants
 *	  N13 what a core writes is legal
 *
 * Pure code: no PostgreSQL, no allocation, no clock.
 *
 *-------------------------------------------------------------------------
 */
#include "consensus_state.h"

#include "chain_batch.h"
#include "consensus_payload.h"
#include "consensus_restart.h"

#include <string.h>

static bool batch_is_legal(const TlConsensus *core, const TlLogRow *row);
static bool ack_is_legal(const TlLogRow *row);
static bool vote_is_legal(const TlLogRow *row);
static bool certificate_is_legal(const TlLogRow *row);
static bool evidence_is_legal(const TlConsensus *core, const TlLogRow *row);
static bool restart_is_legal(const TlConsensus *core, const TlLogRow *row);
static bool is_judged(const TlConsensus *core, const TlLogRow *row);
static bool convicts(const TlConsensus *core, const TlEvidence *evidence,
					 const TlLogRow *row, TlSignatureCheck check,
					 void *context);

/* All that can be said of a row of this epoch, but for signatures in it. */
bool
tl_consensus_legal(const TlConsensus *core, const TlLogRow *row)
{
	TlConsensusBlock block;
	TlState		state;
	TlEntry		entry;

	switch (row->kind)
	{
		case TL_LOG_BATCH:
			return batch_is_legal(core, row);
		case TL_LOG_ACK:
			return ack_is_legal(row);
		case TL_LOG_PROPOSE:
			return tl_consensus_proposal_read(core, row, &block);
		case TL_LOG_NOTARIZE:
		case TL_LOG_FINALIZE:
		case TL_LOG_NULLIFY:
			return vote_is_legal(row);
		case TL_LOG_CERT:
			return certificate_is_legal(row);
		case TL_LOG_STATE:
			return tl_consensus_state_decode(&state, row->payload.data,
											 row->payload.size) == TL_OK;
		case TL_LOG_EVIDENCE:
			return evidence_is_legal(core, row);
		case TL_LOG_GOVERN:
			return tl_consensus_approval_read(core, row, &entry);
		case TL_LOG_REJOIN:
		case TL_LOG_REPLY:
			return tl_consensus_answer_legal(core, row);
		case TL_LOG_RESTART:
			return restart_is_legal(core, row);
		default:
			return true;
	}
}

/*
 * Is it an accusation of this kind about a row of another epoch?  Whose members
 * this core does not know, so it is neither believed nor held against its author.
 */
bool
tl_consensus_legal_elsewhere(const TlConsensus *core, const TlLogRow *row)
{
	TlEvidence	evidence;

	return row->kind == TL_LOG_EVIDENCE &&
		tl_consensus_evidence_decode(&evidence, &core->config.chain_id,
									 row->payload.data,
									 row->payload.size) == TL_OK &&
		evidence.kind == TL_EVIDENCE_ILLEGAL &&
		evidence.rows[0].row.epoch != core->config.epoch;
}

/* May a block with this cut come after that one?  What R10 and R11 ask of both. */
bool
tl_consensus_legal_child(const TlConsensus *core,
						 const TlConsensusBlock *parent,
						 const TlConsensusBlock *child)
{
	return tl_chain_block_follows(&parent->header, &child->header) == TL_OK &&
		!tl_consensus_cut_goes_back(core, parent, child);
}

/*
 * Does an EVIDENCE of kind 6 hold?  The accused one has signed the row, and the
 * row convicts itself, or with its parent.
 */
bool
tl_consensus_legal_judge(const TlConsensus *core, const TlEvidence *evidence,
						 TlSignatureCheck check, void *context)
{
	unsigned	index;
	TlHash		digest;
	TlLogRow	row;

	if (tl_consensus_row_decode(&row, evidence->row.data,
								evidence->row.size) != TL_OK)
		return false;
	index = tl_consensus_index(core, row.member);
	if (index >= core->config.member_count || !is_judged(core, &row))
		return false;
	tl_consensus_row_digest(&digest, &core->config.chain_id, &row);
	if (!TL_RULE(46, check(context, row.signature, &digest,
						   core->config.members[index].row_key)))
		return false;
	return TL_RULE(47, convicts(core, evidence, &row, check, context));
}

/*
 * Accuse the author of a row whose signature is valid.  parent: with it, NULL:
 * by itself.  A row that has no room in the memory of this step convicts nobody.
 */
void
tl_consensus_legal_accuse(TlConsensus *core, const TlLogRow *row,
						  const TlConsensusBlock *parent)
{
	uint8_t    *start = core->scratch.data + core->scratch.used;
	size_t		room = core->scratch.size - core->scratch.used;
	unsigned	index = tl_consensus_index(core, row->member);
	uint8_t		header[TL_BLOCK_HEADER_SIZE];
	uint8_t		cut[TL_MEMBER_COUNT_MAX * TL_BLOCK_LANE_SIZE];
	TlEvidence	evidence;
	TlWriter	writer;
	TlSpan		payload;

	if (!tl_consensus_may_accuse(core, index) || !is_judged(core, row))
		return;
	memset(&evidence, 0, sizeof(evidence));
	evidence.kind = TL_EVIDENCE_ILLEGAL;
	tl_writer_init(&writer, start, room / 2);
	if (tl_consensus_row_encode(&writer, row) != TL_OK)
		return;
	evidence.row.data = start;
	evidence.row.size = writer.size;
	if (parent != NULL)
	{
		tl_writer_init(&writer, header, sizeof(header));
		(void) tl_chain_block_encode(&writer, &parent->header);
		evidence.parent_header.data = header;
		evidence.parent_header.size = writer.size;
		tl_writer_init(&writer, cut, sizeof(cut));
		(void) tl_chain_cut_encode(&writer, parent->cut, parent->lane_count);
		evidence.parent_cut.data = cut;
		evidence.parent_cut.size = writer.size;
	}
	payload.data = start + evidence.row.size;
	tl_writer_init(&writer, start + evidence.row.size, room - evidence.row.size);
	if (tl_consensus_evidence_encode(&writer, &evidence) != TL_OK ||
		writer.size > TL_LOG_PAYLOAD_SIZE_MAX)
		return;
	payload.size = writer.size;
	if (!tl_consensus_append(core, TL_LOG_EVIDENCE, core->own.view, payload))
		return;
	core->scratch.used += evidence.row.size + writer.size;
	core->peers[index].accused = true;
}

static bool
convicts(const TlConsensus *core, const TlEvidence *evidence,
		 const TlLogRow *row, TlSignatureCheck check, void *context)
{
	TlConsensusBlock child;
	TlConsensusBlock parent;

	if (evidence->parent_header.size == 0)
		return !tl_consensus_legal(core, row) ||
			!tl_consensus_judge_inside(core, row, check, context);
	return row->kind == TL_LOG_PROPOSE &&
		tl_consensus_proposal_read(core, row, &child) &&
		tl_consensus_proposal_decode_block(&parent, evidence->parent_header,
										   evidence->parent_cut) == TL_OK &&
		tl_consensus_same(&parent.hash, &child.header.parent) &&
		!tl_consensus_legal_child(core, &parent, &child);
}

/* Is it of a kind that bytes decide, of this epoch, and by one who may write it? */
static bool
is_judged(const TlConsensus *core, const TlLogRow *row)
{
	unsigned	index = tl_consensus_index(core, row->member);

	if (row->epoch != core->config.epoch || index >= core->config.member_count)
		return false;
	if (row->kind == TL_LOG_EVIDENCE && row->payload.size > 1 &&
		row->payload.data[1] == TL_EVIDENCE_ILLEGAL)
		return false;
	if ((row->kind == TL_LOG_REJOIN || row->kind == TL_LOG_REPLY) &&
		tl_consensus_answer_shows_older(core, row))
		return false;
	if (row->kind == TL_LOG_BATCH || row->kind == TL_LOG_ACK ||
		row->kind == TL_LOG_REJOIN)
		return true;
	return core->config.members[index].validator &&
		row->kind != TL_LOG_REQUEST;
}

static bool
batch_is_legal(const TlConsensus *core, const TlLogRow *row)
{
	TlBatchHeader header;

	return tl_chain_batch_decode(&header, row->payload.data,
								 row->payload.size) == TL_OK &&
		header.member == row->member &&
		tl_consensus_same(&header.chain_id, &core->config.chain_id);
}

static bool
ack_is_legal(const TlLogRow *row)
{
	TlLane		lanes[TL_MEMBER_COUNT_MAX];
	unsigned	count;
	TlAck		ack;

	return tl_consensus_ack_decode(&ack, row->payload.data,
								   row->payload.size) == TL_OK &&
		tl_chain_cut_decode(lanes, &count, TL_MEMBER_COUNT_MAX,
							ack.lanes.data, ack.lanes.size) == TL_OK;
}

static bool
vote_is_legal(const TlLogRow *row)
{
	return row->payload.size == (row->kind == TL_LOG_NULLIFY ? 0 : TL_HASH_SIZE);
}

static bool
certificate_is_legal(const TlLogRow *row)
{
	TlCertificate certificate;

	return tl_consensus_certificate_decode(&certificate, row->payload.data,
										   row->payload.size) == TL_OK &&
		certificate.epoch == row->epoch;
}

static bool
evidence_is_legal(const TlConsensus *core, const TlLogRow *row)
{
	TlEvidence	evidence;

	return tl_consensus_evidence_decode(&evidence, &core->config.chain_id,
										row->payload.data,
										row->payload.size) == TL_OK;
}

/* Whether enough of the last set have signed it is for their keys to say. */
static bool
restart_is_legal(const TlConsensus *core, const TlLogRow *row)
{
	TlRestart	restart;

	return tl_consensus_restart_decode(&restart, row->payload.data,
									   row->payload.size) == TL_OK &&
		tl_consensus_same(&restart.chain_id, &core->config.chain_id);
}
