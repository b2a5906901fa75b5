/*-------------------------------------------------------------------------
 *
 * proof_outcome.c
 *	  What became of a row that a block has: taken, rejected, not certified yet.
 *
 * A block orders rows of shared tables before anybody has asked whether they keep
 * the rules of their table.  Those that all members have rejected since a
 * checkpoint are leaves of the outcome root, which a quorum signs with the next
 * one (STATE, src/consensus/README.md).  So all leaves of such a root, up to a
 * checkpoint at or above the row's block, say whether the row is among them:
 *
 *		certificate		of kind STATE, by the members of its epoch
 *		block			header of the checkpoint's block, under the head; the leaves
 *						begin behind the checkpoint that it names
 *		leaves			64 bytes each (chain_state.c)
 *
 * All of them are there, and not a path from one: nobody could leave out that a
 * row was rejected.  A row that members could not read is in a batch that they have
 * refused as a whole, which is a leaf too.  A private section's rows are asked by
 * nobody else.
 *
 * Pure code: no PostgreSQL, no allocation.
 * Used by the checks of receipts, and where they are made.
 *
 *-------------------------------------------------------------------------
 */
#include "proof_outcome.h"

#include "chain_state.h"
#include "merkle_hash.h"
#include "merkle_proof.h"
#include "merkle_range.h"

#include <stdio.h>
#include <string.h>

/* Where an outcome leaf has its SQLSTATE. */
#define SQLSTATE_OFFSET		27

static const char *check_block(TlBlockHeader *out, TlHash *hash, const TlProofChain *chain,
							   const TlReceiptOutcome *given);
static const char *check_certificate(const TlProofChain *chain, const TlReceiptOutcome *given,
									 const TlBlockHeader *block, const TlHash *hash);
static bool is_signed(const TlProofChain *chain, const TlCertificate *certificate);
static bool same_leaf(uint8_t wanted[TL_OUTCOME_LEAF_SIZE], const uint8_t *found);

const char *
tl_proof_outcome_check(const TlProofChain *chain, const TlReceiptOutcome *given,
					   uint64_t height)
{
	TlBlockHeader block;
	TlHash		hash;
	const char *problem;

	if (!given->present)
		return NULL;
	problem = check_block(&block, &hash, chain, given);
	if (problem == NULL)
		problem = check_certificate(chain, given, &block, &hash);
	if (problem == NULL &&
		(height <= block.checkpoint_height || height > block.height))
		problem = "the outcomes are not those of the row's block";
	return problem;
}

/* The checkpoint's block is under the head, or the head itself. */
static const char *
check_block(TlBlockHeader *out, TlHash *hash, const TlProofChain *chain,
			const TlReceiptOutcome *given)
{
	TlHash		path[TL_MERKLE_PATH_MAX];
	size_t		count = given->path.size / TL_HASH_SIZE;
	const char *problem = tl_proof_step_block(out, hash, chain, given->block);

	if (problem != NULL)
		return problem;
	if (count > TL_MERKLE_PATH_MAX || given->path.size % TL_HASH_SIZE != 0)
		return "the path of the outcomes' block is too long";
	if (count > 0)
		memcpy(path, given->path.data, given->path.size);
	if (out->height == chain->head.height ? count > 0 :
		!tl_merkle_inclusion_verify(hash, out->height, chain->head.height, path,
									(unsigned) count, &chain->head.history_root))
		return "the path of the outcomes' block does not lead to the head";
	return NULL;
}

/* A quorum has signed the root over the leaves. */
static const char *
check_certificate(const TlProofChain *chain, const TlReceiptOutcome *given,
				  const TlBlockHeader *block, const TlHash *hash)
{
	TlCertificate certificate;
	TlHash		root;

	if (tl_consensus_certificate_decode(&certificate, given->certificate.data,
										given->certificate.size) != TL_OK ||
		certificate.kind != TL_LOG_STATE || certificate.height != block->height ||
		certificate.epoch != block->epoch || certificate.view != block->view ||
		memcmp(&certificate.block, hash, sizeof(*hash)) != 0)
		return "the certificate of the outcomes is not one of their block's state";
	if (tl_proof_outcome_root(&root, given->leaves) != TL_OK)
		return "there are too many outcomes, or they are cut off";
	if (memcmp(&root, &certificate.outcome_root, sizeof(root)) != 0)
		return "the outcomes are not those that were certified";
	if (!is_signed(chain, &certificate))
		return "the outcomes are not signed by a quorum of the members";
	return NULL;
}

TlStatus
tl_proof_outcome_root(TlHash *out, TlSpan leaves)
{
	TlMerkleRange range;
	TlStatus	status = TL_OK;

	if (leaves.size % TL_OUTCOME_LEAF_SIZE != 0)
		return TL_TRUNCATED;
	if (leaves.size / TL_OUTCOME_LEAF_SIZE > TL_RECEIPT_OUTCOMES_MAX)
		return TL_TOO_LARGE;
	tl_merkle_range_init(&range);
	for (size_t at = 0; at < leaves.size && status == TL_OK; at += TL_OUTCOME_LEAF_SIZE)
	{
		TlHash		leaf;

		tl_merkle_leaf_hash(&leaf, leaves.data + at, TL_OUTCOME_LEAF_SIZE);
		status = tl_merkle_range_append(&range, &leaf);
	}
	tl_merkle_range_root(&range, out);
	return status;
}

/* By those who were members in the epoch of the block. */
static bool
is_signed(const TlProofChain *chain, const TlCertificate *certificate)
{
	TlProofMembers members;

	if (certificate->epoch == chain->members.epoch)
		return tl_proof_step_is_signed(&chain->members.set, &chain->chain_id, certificate);
	tl_proof_epoch_begin(&members, &chain->genesis);
	return certificate->epoch < chain->members.epoch &&
		tl_proof_epoch_follow_to(&members, &chain->chain_id, chain->epochs,
								 certificate->epoch) == NULL &&
		tl_proof_step_is_signed(&members.set, &chain->chain_id, certificate);
}

TlOutcome
tl_proof_outcome_of(char sqlstate[TL_OUTCOME_SQLSTATE_SIZE], const TlReceiptOutcome *given,
					uint8_t section_kind, const TlRef *ref, const TlHash *batch,
					const TlHash *leaf, uint64_t height)
{
	TlRejection rejection = {.height = height,.sqlstate = {'0', '0', '0', '0', '0'},
	.batch = *batch,.row = *leaf};
	TlRefusedBatch refused = {.height = height,.sqlstate = {'0', '0', '0', '0', '0'},
	.batch = *batch};
	uint8_t		wanted[TL_OUTCOME_LEAF_SIZE];
	uint8_t		wanted_batch[TL_OUTCOME_LEAF_SIZE];
	TlWriter	writer;

	memset(sqlstate, 0, TL_OUTCOME_SQLSTATE_SIZE);
	if (section_kind != TL_SECTION_PUBLIC)
		return TL_OUTCOME_NONE;
	if (!given->present)
		return TL_OUTCOME_OPEN;
	tl_writer_init(&writer, rejection.ref, sizeof(rejection.ref));
	tl_put_ref(&writer, ref);
	if (tl_chain_state_rejection(wanted, &rejection) != TL_OK ||
		tl_chain_state_refused_batch(wanted_batch, &refused) != TL_OK)
		return TL_OUTCOME_OPEN;
	for (size_t at = 0; at + TL_OUTCOME_LEAF_SIZE <= given->leaves.size;
		 at += TL_OUTCOME_LEAF_SIZE)
	{
		const uint8_t *found = given->leaves.data + at;

		if (!same_leaf(wanted, found) && !same_leaf(wanted_batch, found))
			continue;
		memcpy(sqlstate, found + SQLSTATE_OFFSET, TL_SQLSTATE_SIZE);
		return TL_OUTCOME_REJECTED;
	}
	return TL_OUTCOME_ACCEPTED;
}

/* Whatever its SQLSTATE is. */
static bool
same_leaf(uint8_t wanted[TL_OUTCOME_LEAF_SIZE], const uint8_t *found)
{
	memcpy(wanted + SQLSTATE_OFFSET, found + SQLSTATE_OFFSET, TL_SQLSTATE_SIZE);
	return memcmp(found, wanted, TL_OUTCOME_LEAF_SIZE) == 0;
}

void
tl_proof_outcome_text(char out[TL_OUTCOME_TEXT_SIZE], TlOutcome outcome, const char *sqlstate)
{
	out[0] = '\0';
	switch (outcome)
	{
		case TL_OUTCOME_NONE:
			break;
		case TL_OUTCOME_OPEN:
			(void) snprintf(out, TL_OUTCOME_TEXT_SIZE, "not yet certified");
			break;
		case TL_OUTCOME_ACCEPTED:
			(void) snprintf(out, TL_OUTCOME_TEXT_SIZE, "accepted");
			break;
		case TL_OUTCOME_REJECTED:
			(void) snprintf(out, TL_OUTCOME_TEXT_SIZE, "rejected with SQLSTATE %s", sqlstate);
			break;
	}
}

const char *
tl_proof_outcome_shown(TlOutcome outcome, const char *sqlstate, TlSpan shown)
{
	char		text[TL_OUTCOME_TEXT_SIZE];

	tl_proof_outcome_text(text, outcome, sqlstate);
	if (shown.size != strlen(text) ||
		(shown.size > 0 && memcmp(shown.data, text, shown.size) != 0))
		return "the outcome shown is not the row's";
	return NULL;
}
