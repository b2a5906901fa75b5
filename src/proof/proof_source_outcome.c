/*-------------------------------------------------------------------------
 *
 * proof_source_outcome.c
 *	  Read from the stored chain what became of the rows of a block.
 *
 * The first stable checkpoint at or above the block, whose leaves begin below it:
 * a member who was away may lack the one before, and then what he has says
 * nothing about the block.  As with the rest (proof_source.c) nothing is believed
 * that is read here; but leaves that do not give the certified root are told at
 * once, since a receipt without them would be valid.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "catalog/pg_type.h"

#include "chain_applied.h"
#include "chain_state.h"
#include "chain_statement.h"
#include "consensus_certificate.h"
#include "proof_outcome.h"
#include "proof_source.h"

static TlStatement select_checkpoint = {
	"SELECT c.height, c.certificate, b.header, " TL_CHAIN_NAMED_CHECKPOINT
	" FROM ledger_internal.checkpoint AS c JOIN ledger_internal.block AS b USING (height)"
	" WHERE c.height BETWEEN $1 AND $2"
	" AND " TL_CHAIN_NAMED_CHECKPOINT " < $1"
	" AND NOT " TL_PROOF_TAKEN_BELOW
	" ORDER BY c.height LIMIT 1",
	2, {INT8OID, INT8OID}
};
static TlStatement select_leaves = {
	"SELECT leaf FROM ledger_internal.outcome WHERE height > $1 AND height <= $2"
	" ORDER BY height, number LIMIT $3",
	3, {INT8OID, INT8OID, INT4OID}
};

static bool read_leaves(TlReceiptOutcome *out, int64_t after, int64_t height);
static void check_leaves(const TlReceiptOutcome *outcome);

void
tl_proof_source_outcome(TlReceiptOutcome *out, uint64_t height, const TlBlockHeader *head,
						bool below)
{
	int64_t		last = (int64_t) head->height - (below ? 1 : 0);
	Datum		values[2] = {
		Int64GetDatum((int64_t) height), Int64GetDatum(Min(last, tl_chain_applied_height()))
	};
	int64_t		at;
	int64_t		after;

	memset(out, 0, sizeof(*out));
	if (tl_proof_source_execute(&select_checkpoint, values) == 0)
		return;
	at = DatumGetInt64(tl_chain_result(0, 0, NULL));
	out->certificate = tl_proof_source_bytes(0, 1);
	out->block = tl_proof_source_bytes(0, 2);
	after = DatumGetInt64(tl_chain_result(0, 3, NULL));
	out->path = tl_proof_source_history((uint64_t) at, head->height);
	out->present = read_leaves(out, after, at);
	if (out->present)
		check_leaves(out);
}

/* False if they are too many for a receipt. */
static bool
read_leaves(TlReceiptOutcome *out, int64_t after, int64_t height)
{
	Datum		values[3] = {
		Int64GetDatum(after), Int64GetDatum(height), Int32GetDatum(TL_RECEIPT_OUTCOMES_MAX + 1)
	};
	uint64		count = tl_proof_source_execute(&select_leaves, values);
	uint8_t    *leaves = palloc(count * TL_OUTCOME_LEAF_SIZE + 1);

	for (uint64 i = 0; i < count; i++)
		tl_proof_source_fixed(leaves + i * TL_OUTCOME_LEAF_SIZE, TL_OUTCOME_LEAF_SIZE, i, 0);
	out->leaves.data = leaves;
	out->leaves.size = count * TL_OUTCOME_LEAF_SIZE;
	return count <= TL_RECEIPT_OUTCOMES_MAX;
}

static void
check_leaves(const TlReceiptOutcome *outcome)
{
	TlCertificate certificate;
	TlHash		root;

	tl_proof_source_check(tl_consensus_certificate_decode(&certificate,
														  outcome->certificate.data,
														  outcome->certificate.size),
						  "certificate of a checkpoint");
	tl_proof_source_check(tl_proof_outcome_root(&root, outcome->leaves), "outcomes of rows");
	if (memcmp(&root, &certificate.outcome_root, sizeof(root)) != 0)
		tl_proof_source_damaged("what was rejected here is not what a quorum has certified");
}
