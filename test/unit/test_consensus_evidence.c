/*-------------------------------------------------------------------------
 *
 * test_consensus_evidence.c
 *	  What convicts, what does not, and that bytes and keys decide alone.
 *
 *-------------------------------------------------------------------------
 */
#include "consensus_core.h"
#include "consensus_evidence.h"

#include "unit.h"
#include "unit_consensus.h"

#include <stdlib.h>
#include <string.h>

static const TlHash chain_id = {{1}};
static const uint8_t blocks[2][TL_HASH_SIZE] = {{1}, {2}};

static TlEvidenceRow
vote(uint8_t kind, uint64_t view, uint64_t sequence, int block)
{
	TlEvidenceRow out;
	TlLogRow	row;

	memset(&row, 0, sizeof(row));
	row.member = 2;
	row.kind = kind;
	row.view = view;
	row.sequence = sequence;
	if (kind != TL_LOG_NULLIFY)
	{
		row.payload.data = blocks[block];
		row.payload.size = TL_HASH_SIZE;
	}
	tl_consensus_evidence_row(&out, &row);
	out.row.signature[0] = (uint8_t) sequence;
	return out;
}

static TlEvidenceKind
between(TlEvidenceRow left, TlEvidenceRow right)
{
	TlEvidence	evidence;
	TlEvidence	turned;
	TlEvidenceKind kind = tl_consensus_evidence_make(&evidence, &chain_id,
													 &left, &right);

	UNIT_CHECK(tl_consensus_evidence_make(&turned, &chain_id, &right, &left) == kind);
	UNIT_CHECK(memcmp(evidence.rows[0].row.signature,
					  turned.rows[0].row.signature, TL_SIGNATURE_SIZE) == 0);
	return kind;
}

static void
kinds(void)
{
	TlEvidenceRow other;

	UNIT_CHECK(between(vote(TL_LOG_ACK, 1, 5, 0), vote(TL_LOG_BATCH, 9, 5, 1)) == TL_EVIDENCE_FORK);
	UNIT_CHECK(between(vote(TL_LOG_PROPOSE, 3, 5, 0), vote(TL_LOG_PROPOSE, 3, 6, 1)) == TL_EVIDENCE_PROPOSE);
	UNIT_CHECK(between(vote(TL_LOG_NOTARIZE, 3, 5, 0), vote(TL_LOG_NOTARIZE, 3, 6, 1)) == TL_EVIDENCE_NOTARIZE);
	UNIT_CHECK(between(vote(TL_LOG_FINALIZE, 3, 5, 0), vote(TL_LOG_NULLIFY, 3, 6, 0)) == TL_EVIDENCE_PHASE);
	UNIT_CHECK(between(vote(TL_LOG_FINALIZE, 3, 5, 0), vote(TL_LOG_FINALIZE, 3, 6, 1)) == TL_EVIDENCE_FINALIZE);
	/* What an honest member does, or another one did. */
	UNIT_CHECK(between(vote(TL_LOG_NOTARIZE, 3, 5, 0), vote(TL_LOG_NULLIFY, 3, 6, 0)) == TL_EVIDENCE_NONE);
	UNIT_CHECK(between(vote(TL_LOG_NOTARIZE, 3, 5, 0), vote(TL_LOG_FINALIZE, 3, 6, 0)) == TL_EVIDENCE_NONE);
	UNIT_CHECK(between(vote(TL_LOG_NOTARIZE, 3, 5, 0), vote(TL_LOG_NOTARIZE, 4, 6, 1)) == TL_EVIDENCE_NONE);
	UNIT_CHECK(between(vote(TL_LOG_FINALIZE, 3, 5, 0), vote(TL_LOG_NULLIFY, 4, 6, 0)) == TL_EVIDENCE_NONE);
	UNIT_CHECK(between(vote(TL_LOG_ACK, 3, 5, 0), vote(TL_LOG_ACK, 3, 6, 1)) == TL_EVIDENCE_NONE);
	other = vote(TL_LOG_NOTARIZE, 3, 5, 1);
	other.row.member = 3;
	UNIT_CHECK(between(vote(TL_LOG_NOTARIZE, 3, 5, 0), other) == TL_EVIDENCE_NONE);
	other = vote(TL_LOG_ACK, 3, 5, 1);
	other.row.nonce[0] = 1;		/* the same place, in another incarnation */
	UNIT_CHECK(between(vote(TL_LOG_ACK, 3, 5, 0), other) == TL_EVIDENCE_NONE);
	other = vote(TL_LOG_NOTARIZE, 4, 5, 0);
	other.row.epoch = 1;
	UNIT_CHECK(between(vote(TL_LOG_NOTARIZE, 4, 6, 1), other) == TL_EVIDENCE_NONE);
	/* A row does not contradict itself, whatever its signature. */
	other = vote(TL_LOG_NOTARIZE, 3, 5, 0);
	other.row.signature[9] = 1;
	UNIT_CHECK(tl_consensus_evidence_make(&(TlEvidence) {0}, &chain_id, &other,
										  &(TlEvidenceRow) {vote(TL_LOG_NOTARIZE, 3, 5, 0).row,
										  other.payload_digest}) == TL_EVIDENCE_NONE);
}

static void
bytes_decide(void)
{
	TlEvidenceRow left = vote(TL_LOG_NOTARIZE, 3, 5, 0);
	TlEvidenceRow right = vote(TL_LOG_NOTARIZE, 3, 6, 1);
	uint8_t		bytes[TL_EVIDENCE_SIZE];
	uint8_t		swapped[TL_EVIDENCE_SIZE];
	TlEvidence	evidence;
	TlEvidence	again;
	TlWriter	writer;

	UNIT_CHECK(tl_consensus_evidence_make(&evidence, &chain_id, &left, &right) == TL_EVIDENCE_NOTARIZE);
	tl_writer_init(&writer, bytes, sizeof(bytes));
	UNIT_CHECK(tl_consensus_evidence_encode(&writer, &evidence) == TL_OK);
	UNIT_CHECK(writer.size == TL_EVIDENCE_SIZE);
	UNIT_CHECK(tl_consensus_evidence_decode(&again, &chain_id, bytes, sizeof(bytes)) == TL_OK);
	UNIT_CHECK(again.kind == TL_EVIDENCE_NOTARIZE && again.rows[0].row.member == 2 &&
			   again.rows[1].row.view == 3);
	for (size_t cut = 0; cut < sizeof(bytes); cut++)
		UNIT_CHECK(tl_consensus_evidence_decode(&again, &chain_id, bytes, cut) == TL_TRUNCATED);
	memcpy(swapped, bytes, 2);
	memcpy(swapped + 2, bytes + 175, 173);
	memcpy(swapped + 175, bytes + 2, 173);
	UNIT_CHECK(tl_consensus_evidence_decode(&again, &chain_id, swapped, sizeof(swapped)) == TL_BAD_ORDER);
	memcpy(swapped + 175, swapped + 2, 173);
	UNIT_CHECK(tl_consensus_evidence_decode(&again, &chain_id, swapped, sizeof(swapped)) == TL_BAD_PROOF);
	bytes[1] = TL_EVIDENCE_FINALIZE;
	UNIT_CHECK(tl_consensus_evidence_decode(&again, &chain_id, bytes, sizeof(bytes)) == TL_BAD_PROOF);
	bytes[1] = TL_EVIDENCE_NONE;
	UNIT_CHECK(tl_consensus_evidence_decode(&again, &chain_id, bytes, sizeof(bytes)) == TL_BAD_PROOF);
	bytes[0] = 2;
	UNIT_CHECK(tl_consensus_evidence_decode(&again, &chain_id, bytes, sizeof(bytes)) == TL_BAD_VERSION);
	evidence.kind = TL_EVIDENCE_NONE;
	UNIT_CHECK(tl_consensus_evidence_encode(&writer, &evidence) == TL_BAD_FORMAT);
}

/* R18: with real keys, and with one bit of a signature changed. */
static void
keys_decide(void)
{
	static uint8_t secret[TL_SECRET_SIZE] = {[31] = 7};
	TlConsensusConfig config;
	TlConsensus *core;
	void	   *memory;
	TlLogRow	rows[2];
	TlEvidenceRow compact[2];
	TlEvidence	evidence;
	uint8_t		bytes[TL_EVIDENCE_SIZE];
	TlWriter	writer;
	TlLogRow	row;
	bool		valid;

	unit_consensus_config(&config, 1);
	config.chain_id = chain_id;
	config.member = 0;
	config.members[0].number = 2;
	UNIT_CHECK(tl_crypto_xonly_key(config.members[0].row_key, secret) == TL_OK);
	core = unit_consensus_open(&config, &memory);
	memset(rows, 0, sizeof(rows));
	for (int i = 0; i < 2; i++)
	{
		rows[i].member = 2;
		rows[i].sequence = 1;
		rows[i].kind = TL_LOG_NOTARIZE;
		rows[i].view = 4;
		rows[i].payload.data = blocks[i];
		rows[i].payload.size = TL_HASH_SIZE;
		UNIT_CHECK(tl_consensus_row_sign(&rows[i], &chain_id, secret, NULL) == TL_OK);
		tl_consensus_evidence_row(&compact[i], &rows[i]);
	}
	UNIT_CHECK(tl_consensus_evidence_make(&evidence, &chain_id, &compact[0],
										  &compact[1]) == TL_EVIDENCE_FORK);
	tl_writer_init(&writer, bytes, sizeof(bytes));
	UNIT_CHECK(tl_consensus_evidence_encode(&writer, &evidence) == TL_OK);
	for (int forged = 0; forged < 3; forged++)
	{
		if (forged > 0)
			bytes[forged * 173 + 1] ^= 1;	/* the last byte of a signature */
		memset(&row, 0, sizeof(row));
		row.member = 2;
		row.sequence = 1;
		row.kind = TL_LOG_EVIDENCE;
		row.payload.data = bytes;
		row.payload.size = sizeof(bytes);
		UNIT_CHECK(tl_consensus_row_sign(&row, &chain_id, secret, NULL) == TL_OK);
		UNIT_CHECK(tl_consensus_judge(core, &row, tl_consensus_check_signature,
									  NULL, &valid) == TL_OK);
		UNIT_CHECK(valid == (forged == 0));
		if (forged > 0)
			bytes[forged * 173 + 1] ^= 1;
	}
	free(memory);
}

UNIT_MAIN(UNIT_CASE(kinds), UNIT_CASE(bytes_decide), UNIT_CASE(keys_decide))
