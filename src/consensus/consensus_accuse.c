/*-------------------------------------------------------------------------
 *
 * consensus_accuse.c
 *	  When the core meets a contradiction: EVIDENCE in the own log.
 *
 * A contradiction is met in three places: a second vote that does not fit the
 * first (tallies), a second PROPOSE of a view, and two rows at one place of a
 * log, which only the caller can see (TL_INPUT_CONTRADICTION: it has the
 * stored row, and the one that came).  One EVIDENCE row is written for each
 * member accused: one is enough to convict, and a liar cannot make this node
 * write more.
 *
 * Pure code: no PostgreSQL, no allocation, no clock.
 *
 *-------------------------------------------------------------------------
 */
#include "consensus_state.h"

#include <string.h>

static void rebuild(TlEvidenceRow *out, const TlConsensus *core,
					TlVoteKind kind, uint64_t view, const TlTallied *tallied,
					TlHash *payload);

/* Two rows, both judged: valid signatures. */
void
tl_consensus_accuse(TlConsensus *core, const TlEvidenceRow *left,
					const TlEvidenceRow *right)
{
	unsigned	index = tl_consensus_index(core, left->row.member);
	uint8_t		bytes[TL_EVIDENCE_SIZE];
	TlEvidence	evidence;
	TlWriter	writer;
	TlSpan		payload;

	if (!tl_consensus_may_accuse(core, index) ||
		tl_consensus_evidence_make(&evidence, &core->config.chain_id, left,
								   right) == TL_EVIDENCE_NONE ||
		!tl_consensus_answer_convicts(core, &evidence))
		return;
	if (core->own.asking || core->own.lost)
	{
		core->peers[index].owed = true;
		core->peers[index].evidence = evidence;
		return;
	}
	tl_writer_init(&writer, bytes, sizeof(bytes));
	if (tl_consensus_evidence_encode(&writer, &evidence) != TL_OK)
		return;
	payload = tl_consensus_keep(core, bytes, writer.size);
	if (payload.size > 0 &&
		tl_consensus_append(core, TL_LOG_EVIDENCE, core->own.view, payload))
		core->peers[index].accused = true;
}

/* What was seen while nothing could be signed (R30, R31). */
void
tl_consensus_accuse_owed(TlConsensus *core)
{
	if (core->own.asking || core->own.lost)
		return;
	for (unsigned i = 0; i < core->config.member_count; i++)
	{
		TlPeer	   *peer = &core->peers[i];

		if (!peer->owed)
			continue;
		peer->owed = false;
		tl_consensus_accuse(core, &peer->evidence.rows[0],
							&peer->evidence.rows[1]);
	}
}

/* May this node, and is it not done? */
bool
tl_consensus_may_accuse(const TlConsensus *core, unsigned index)
{
	return index < core->config.member_count && !core->peers[index].accused &&
		index != core->own.index && core->started &&
		core->own.index < core->config.member_count;
}

/* A vote against those of the same member that were counted in the view. */
void
tl_consensus_accuse_vote(TlConsensus *core, const TlView *view,
						 const TlLogRow *row, unsigned index)
{
	TlEvidenceRow now;

	if (core->peers[index].accused)
		return;
	tl_consensus_evidence_row(&now, row);
	for (int kind = 0; kind < VOTE_KINDS; kind++)
	{
		const TlTallied *tallied = &view->tallied[kind][index];
		TlEvidenceRow before;
		TlHash		payload;

		if (!tallied->present)
			continue;
		rebuild(&before, core, (TlVoteKind) kind, view->view, tallied, &payload);
		tl_consensus_accuse(core, &before, &now);
	}
}

/* The row that a counted vote was. */
static void
rebuild(TlEvidenceRow *out, const TlConsensus *core, TlVoteKind kind,
		uint64_t view, const TlTallied *tallied, TlHash *payload)
{
	TlLogRow	row;

	memset(&row, 0, sizeof(row));
	row.member = tallied->vote.member;
	memcpy(row.nonce, tallied->vote.nonce, TL_NONCE_SIZE);
	row.sequence = tallied->vote.sequence;
	row.previous = tallied->vote.previous;
	row.kind = (uint8_t) (TL_LOG_NOTARIZE + kind);
	row.epoch = core->config.epoch;
	row.view = view;
	memcpy(row.signature, tallied->vote.signature, TL_SIGNATURE_SIZE);
	*payload = tallied->block;
	if (kind != VOTE_NULLIFY)
	{
		row.payload.data = payload->bytes;
		row.payload.size = TL_HASH_SIZE;
	}
	tl_consensus_evidence_row(out, &row);
}
