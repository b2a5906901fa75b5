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

		if (peer->owed)
			tl_consensus_accuse(core, &peer->evidence.rows[0],
								&peer->evidence.rows[1]);
		peer->owed = false;
	}
	tl_consensus_recover_accuse(core);
}

/* May this node, and is it not done? */
bool
tl_consensus_may_accuse(const TlConsensus *core, unsigned index)
{
	return index < core->config.member_count && !core->peers[index].accused &&
		index != core->own.index && core->started &&
		core->own.has_log;
}

/* A vote against those of the same member that were counted in the view. */
void
tl_consensus_accuse_vote(TlConsensus *core, const TlView *view,
						 const TlLogRow *row, unsigned index)
{
	TlCertificate voted;
	TlEvidenceRow now;

	if (core->peers[index].accused)
		return;
	tl_consensus_evidence_row(&now, row);
	memset(&voted, 0, sizeof(voted));
	voted.epoch = core->config.epoch;
	voted.view = view->view;
	for (int kind = 0; kind < VOTE_KINDS; kind++)
	{
		const TlTallied *tallied = &view->tallied[kind][index];
		uint8_t		payload[TL_CERTIFICATE_PAYLOAD_SIZE_MAX];
		TlLogRow	counted;
		TlEvidenceRow before;

		if (!tallied->present)
			continue;
		voted.kind = (uint8_t) (TL_LOG_NOTARIZE + kind);
		voted.block = tallied->block;
		if (tl_consensus_certificate_vote_row(&counted, &voted, &tallied->vote,
											  payload) != TL_OK)
			continue;
		tl_consensus_evidence_row(&before, &counted);
		tl_consensus_accuse(core, &before, &now);
	}
}
