/*-------------------------------------------------------------------------
 *
 * proof_check.c
 *	  The verdict on a receipt, from its own bytes.
 *
 * The way up, each step a hash of the one before:
 *
 *		row bytes			leaf of the section's root
 *		section leaf		leaf of the batch's root (private: committed)
 *		batch header		leaf of the block's batch root
 *		block header		leaf of the head's history root, or the head itself
 *		head				signed by a quorum of the members
 *		outcome				of a row in a public section: signed by a quorum after
 *							they had applied the block, if they have yet
 *		members				in the genesis body, bound by the genesis header; each
 *							change of them certified by those before
 *		genesis header		its hash is the chain id; of a ledger that goes on from
 *							another one it also binds where that one ended
 *
 * The row's definition goes the same way, so that nobody can give the columns
 * other names later.
 *
 * Invariants
 *	  P1  nothing in a receipt is outside a hash or a signature: what people
 *		  read is recomputed from what is proved and compared byte for byte
 *	  P2  sizes of trees come from bytes that are bound themselves: the row
 *		  count from the section, the section count from the batch, the history
 *		  from the head; the digests of a block's batches are all there
 *	  P3  a receipt proves who ordered what, not that he told the truth
 *
 * Pure code: no PostgreSQL, no allocation.
 * Used by ledger.verify_receipt() and by contrib/verifier.
 *
 *-------------------------------------------------------------------------
 */
#include "proof_check.h"

#include "merkle_proof.h"
#include "proof_definition.h"
#include "proof_outcome.h"
#include "proof_step.h"
#include "table_row.h"

#include <stdio.h>
#include <string.h>

/* What the steps learn and later steps compare. */
typedef struct Checker
{
	const TlReceipt *receipt;
	TlProofChain chain;
	TlDefinition definition;
} Checker;

/* What a proved row says about itself. */
typedef struct ProvedRow
{
	TlRowHeader header;
	TlHash		leaf;
	uint8_t		section_kind;
	TlHash		digest;			/* of the batch */
	TlBlockHeader block;
} ProvedRow;

static const char *check_all(Checker *checker, TlVerdict *verdict,
							 const TlCheckpoint *checkpoint,
							 const TlConsistency *consistency);
static const char *check_row(Checker *checker, ProvedRow *out,
							 const TlReceiptRow *row);
static const char *check_block(Checker *checker, TlBlockHeader *out,
							   const TlReceiptRow *row, const TlHash *digest);
static const char *check_definition(Checker *checker, const ProvedRow *row,
									uint64_t *height, TlSpan *definer);
static const char *check_outcome(Checker *checker, const ProvedRow *row,
								 TlVerdict *verdict, uint64_t *height);
static const char *check_shown(Checker *checker, const ProvedRow *row);
static bool verify_path(const TlHash *leaf, uint64_t index, uint64_t size,
						TlSpan path, const TlHash *root);

void
tl_proof_check(TlVerdict *out, const TlReceipt *receipt,
			   const TlCheckpoint *checkpoint, const TlConsistency *consistency)
{
	Checker		checker;
	const char *problem;

	memset(out, 0, sizeof(*out));
	memset(&checker, 0, sizeof(checker));
	checker.receipt = receipt;
	problem = check_all(&checker, out, checkpoint, consistency);
	out->valid = (problem == NULL);
	tl_proof_verdict_text(out->text, out->trust, out->outcome, out->sqlstate,
						  out->definer.size > 0);
	out->reason = (problem != NULL) ? problem : out->text;
}

void
tl_proof_verdict_text(char out[TL_VERDICT_TEXT_SIZE], TlTrust trust, TlOutcome outcome,
					  const char *sqlstate, bool has_definer)
{
	char		became[TL_OUTCOME_TEXT_SIZE] = "";

	if (outcome == TL_OUTCOME_OPEN)
		(void) snprintf(became, sizeof(became), "; whether it was rejected is not certified yet");
	else if (outcome == TL_OUTCOME_ACCEPTED)
		(void) snprintf(became, sizeof(became), "; all members accepted it");
	else if (outcome == TL_OUTCOME_REJECTED)
		(void) snprintf(became, sizeof(became), "; all members rejected it with SQLSTATE %s", sqlstate);
	(void) snprintf(out, TL_VERDICT_TEXT_SIZE, "%s%s%s", tl_proof_trust_text(trust), became,
					has_definer ? "; the columns have their names from another member's definition of this shared table" : "");
}

const char *
tl_proof_trust_text(TlTrust trust)
{
	switch (trust)
	{
		case TL_TRUST_GENESIS:
			return "a quorum of the members in genesis ordered this row";
		case TL_TRUST_CHECKPOINT:
			return "a quorum ordered this row, under the checkpoint's root";
		case TL_TRUST_CONTINUED:
			return "a quorum ordered this row, in a history that continues the checkpoint's";
	}
	return "unknown";
}

/* NULL, or the sentence that says what is wrong. */
static const char *
check_all(Checker *checker, TlVerdict *verdict, const TlCheckpoint *checkpoint,
		  const TlConsistency *consistency)
{
	const TlReceipt *receipt = checker->receipt;
	TlProofChain *chain = &checker->chain;
	ProvedRow	row;
	uint64_t	height_max;
	const char *problem;

	problem = tl_proof_step_genesis(chain, receipt->chain, receipt->purpose,
									receipt->genesis_header, receipt->genesis_body,
									&receipt->restart);
	if (problem == NULL)
		problem = tl_proof_step_head(chain, receipt->head, receipt->certificate,
									 receipt->epochs);
	if (problem == NULL)
		problem = check_row(checker, &row, &receipt->row);
	if (problem == NULL)
		problem = check_definition(checker, &row, &height_max, &verdict->definer);
	if (problem == NULL)
		problem = check_outcome(checker, &row, verdict, &height_max);
	if (problem == NULL)
		problem = check_shown(checker, &row);
	if (problem == NULL && checkpoint != NULL)
	{
		if (row.block.height > height_max)
			height_max = row.block.height;
		problem = tl_proof_step_trust(&verdict->trust, chain, checkpoint,
									  consistency, height_max);
	}
	else if (problem == NULL && consistency != NULL)
		problem = "a consistency proof needs the tree head that it starts from";
	if (problem != NULL)
		return problem;
	verdict->chain_id = chain->chain_id;
	verdict->test = (chain->genesis.purpose == TL_PURPOSE_TEST);
	verdict->restarted = chain->restarted;
	verdict->chain_before = chain->chain_before;
	verdict->height_before = chain->height_before;
	verdict->changes = chain->members.epoch;
	verdict->member = receipt->member;
	verdict->ref = row.header.ref;
	verdict->height = row.block.height;
	verdict->head_height = chain->head.height;
	return NULL;
}

/* One row, from its bytes up to the head. */
static const char *
check_row(Checker *checker, ProvedRow *out, const TlReceiptRow *row)
{
	TlSectionLeaf section;
	TlBatchHeader batch;
	TlHash		section_leaf;
	const char *problem;

	problem = tl_proof_step_row(&out->header, &out->leaf, row->bytes);
	if (problem == NULL)
		problem = tl_proof_step_section(&section, &section_leaf, row->section,
										row->section_random);
	if (problem == NULL)
		problem = tl_proof_step_row_section(&out->header, &section);
	out->section_kind = section.kind;
	if (problem == NULL && !verify_path(&out->leaf, row->index, section.row_count,
										row->path, &section.root))
		problem = "the row's path does not lead to its section";
	if (problem == NULL)
		problem = tl_proof_step_batch(&batch, &out->digest, &checker->chain, row->batch);
	if (problem == NULL)
		problem = tl_proof_step_row_batch(&out->header, &batch);
	if (problem == NULL && !verify_path(&section_leaf, row->section_index,
										batch.section_count, row->section_path,
										&batch.root))
		problem = "the section's path does not lead to its batch";
	if (problem == NULL)
		problem = tl_proof_step_body(&section, row->section_index, &batch);
	if (problem == NULL)
		problem = check_block(checker, &out->block, row, &out->digest);
	return problem;
}

static const char *
check_block(Checker *checker, TlBlockHeader *out, const TlReceiptRow *row,
			const TlHash *digest)
{
	const TlBlockHeader *head = &checker->chain.head;
	TlHash		hash;
	const char *problem;

	problem = tl_proof_step_block(out, &hash, &checker->chain, row->block);
	if (problem == NULL)
		problem = tl_proof_step_digests(out, digest, row->batch_digests);
	if (problem != NULL)
		return problem;
	if (out->height == head->height)
		return row->block_path.size == 0 ? NULL :
			"the block is not the head, whose height it has";
	if (!verify_path(&hash, out->height, head->height, row->block_path,
					 &head->history_root))
		return "the block's path does not lead to the head";
	return NULL;
}

/*
 * Find the definition of the row's table: in a proved row of the same member,
 * of a shared table also of another one, or, for definitions themselves, fixed.
 * *height is that of its block.
 */
static const char *
check_definition(Checker *checker, const ProvedRow *row, uint64_t *height,
				 TlSpan *definer)
{
	const TlReceiptRow *definition_row = &checker->receipt->definition;
	TlDefinition *definition = &checker->definition;
	ProvedRow	proved;
	const char *problem;
	uint8_t		table_id[TL_TABLE_ID_SIZE];
	bool		is_fixed;

	*height = 0;
	tl_proof_definition_table_id(table_id);
	is_fixed = (memcmp(row->header.table_id, table_id, TL_TABLE_ID_SIZE) == 0);
	if (is_fixed == checker->receipt->has_definition)
		return "a definition is missing, or is there where none can be";
	if (is_fixed)
		tl_proof_definition_fixed(definition);
	else
	{
		problem = check_row(checker, &proved, definition_row);
		if (problem != NULL)
			return problem;
		if (tl_proof_definition_decode(definition, definition_row->bytes.data,
									   definition_row->bytes.size) != TL_OK)
			return "the definition is not a row of ledger.table_version";
		problem = tl_proof_step_definer(definer, &checker->chain, proved.header.ref.member,
										&row->header, row->section_kind);
		if (problem != NULL)
			return problem;
		*height = proved.block.height;
	}
	return tl_proof_step_row_definition(&row->header, definition);
}

/* Whether the row was rejected; *height rises to the block that says so. */
static const char *
check_outcome(Checker *checker, const ProvedRow *row, TlVerdict *verdict,
			  uint64_t *height)
{
	const TlReceipt *receipt = checker->receipt;
	const char *problem;
	TlBlockHeader block;

	verdict->outcome = tl_proof_outcome_of(verdict->sqlstate, &receipt->outcome,
										   row->section_kind, &row->header.ref, &row->digest,
										   &row->leaf, row->block.height);
	problem = tl_proof_outcome_shown(verdict->outcome, verdict->sqlstate,
									 receipt->outcome_text);
	if (problem != NULL || !receipt->outcome.present)
		return problem;
	if (verdict->outcome == TL_OUTCOME_NONE)
		return "an outcome is there where none can be";
	problem = tl_proof_outcome_check(&checker->chain, &receipt->outcome, row->block.height);
	if (problem == NULL &&
		tl_chain_block_decode(&block, receipt->outcome.block.data,
							  receipt->outcome.block.size) == TL_OK &&
		block.height > *height)
		*height = block.height;
	return problem;
}

/* What stands above the proof for people to read. */
static const char *
check_shown(Checker *checker, const ProvedRow *row)
{
	const TlReceipt *receipt = checker->receipt;
	const char *problem;

	problem = tl_proof_step_member(&checker->chain, row->header.ref.member,
								   receipt->member);
	if (problem == NULL)
		problem = tl_proof_step_table(&checker->definition, receipt->schema,
									  receipt->table);
	if (problem == NULL)
		problem = tl_proof_step_ref(&row->header.ref, receipt->ref);
	if (problem == NULL)
		problem = tl_proof_step_height(&row->block, receipt->height, receipt->time);
	if (problem == NULL)
		problem = tl_proof_step_columns(&checker->definition, receipt->row.bytes,
										receipt->columns, receipt->column_count);
	return problem;
}

static bool
verify_path(const TlHash *leaf, uint64_t index, uint64_t size, TlSpan path,
			const TlHash *root)
{
	TlHash		hashes[TL_MERKLE_PATH_MAX];
	size_t		count = path.size / TL_HASH_SIZE;

	if (path.size % TL_HASH_SIZE != 0 || count > TL_MERKLE_PATH_MAX)
		return false;
	if (path.size > 0)
		memcpy(hashes, path.data, path.size);
	return tl_merkle_inclusion_verify(leaf, index, size, hashes,
									  (unsigned) count, root);
}
