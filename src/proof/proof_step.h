/*-------------------------------------------------------------------------
 *
 * proof_step.h
 *	  The steps from a row's bytes up to the members' signatures.
 *
 * Each returns NULL, or a sentence that says what is wrong.
 *
 *-------------------------------------------------------------------------
 */
#ifndef PROOF_STEP_H
#define PROOF_STEP_H

#include "chain_batch.h"
#include "chain_block.h"
#include "chain_genesis.h"
#include "chain_section.h"
#include "consensus_certificate.h"
#include "proof_check.h"
#include "proof_definition.h"
#include "proof_epoch.h"
#include "table_row.h"

/* What everything else in a receipt is compared with. */
typedef struct TlProofChain
{
	TlHash		chain_id;
	TlGenesis	genesis;
	bool		restarted;		/* the ledger goes on from another one, */
	TlHash		chain_before;	/* this one, */
	uint64_t	height_before;	/* after this block */
	TlProofMembers members;		/* of the head's epoch, */
	TlSpan		epochs;			/* which these changes lead to */
	TlBlockHeader head;			/* certified */
	TlHash		head_hash;
} TlProofChain;

extern const char *tl_proof_step_genesis(TlProofChain *chain, TlSpan chain_id,
										 TlSpan purpose, TlSpan header,
										 TlSpan body,
										 const TlReceiptRestart *restart);
extern const char *tl_proof_step_head(TlProofChain *chain, TlSpan header,
									  TlSpan certificate, TlSpan epochs);

/* Has a quorum of this set of members signed what this certificate says? */
extern bool tl_proof_step_is_signed(const TlGenesis *set, const TlHash *chain_id,
									const TlCertificate *certificate);

extern const char *tl_proof_step_row(TlRowHeader *out, TlHash *leaf,
									 TlSpan bytes);
extern const char *tl_proof_step_section(TlSectionLeaf *out, TlHash *leaf,
										 TlSpan bytes, TlSpan random);
extern const char *tl_proof_step_batch(TlBatchHeader *out, TlHash *digest,
									   const TlProofChain *chain, TlSpan bytes);
extern const char *tl_proof_step_block(TlBlockHeader *out, TlHash *hash,
									   const TlProofChain *chain, TlSpan bytes);

/* Is this what the row belongs to? */
extern const char *tl_proof_step_row_section(const TlRowHeader *row,
											 const TlSectionLeaf *section);
extern const char *tl_proof_step_row_batch(const TlRowHeader *row,
										   const TlBatchHeader *batch);

/*
 * Does the batch name the bytes of this section, if it is public?  Without them, or
 * with the 32 that stand for a private one, no member has seen the rows.
 */
extern const char *tl_proof_step_body(const TlSectionLeaf *section, uint64_t index,
									  const TlBatchHeader *batch);
extern const char *tl_proof_step_row_definition(const TlRowHeader *row,
												const TlDefinition *definition);

/*
 * May this member's row of ledger.table_version define the row?  definer gets his
 * name if he is another one than the row's: a shared table is made by the same
 * contract on all members, and its rows are in public sections.
 */
extern const char *tl_proof_step_definer(TlSpan *definer, const TlProofChain *chain,
										 uint32_t member, const TlRowHeader *row,
										 uint8_t section_kind);

/* Is the batch one of the block's, whose digests are all listed? */
extern const char *tl_proof_step_digests(const TlBlockHeader *block,
										 const TlHash *digest, TlSpan digests);

/* What people read, against what is proved. */
extern const char *tl_proof_step_member(const TlProofChain *chain,
										uint32_t number, TlSpan shown);
extern const char *tl_proof_step_table(const TlDefinition *definition,
									   TlSpan schema, TlSpan table);
extern const char *tl_proof_step_ref(const TlRef *ref, TlSpan shown);
extern const char *tl_proof_step_height(const TlBlockHeader *block,
										uint64_t height, TlSpan time);
extern const char *tl_proof_step_columns(const TlDefinition *definition,
										 TlSpan bytes,
										 const TlReceiptColumn *columns,
										 uint32_t column_count);

/*
 * The head against what the checker had before.  height_max is the highest
 * block that something is proved of.
 */
extern const char *tl_proof_step_trust(TlTrust *out, const TlProofChain *chain,
									   const TlCheckpoint *checkpoint,
									   const TlConsistency *consistency,
									   uint64_t height_max);

#endif							/* PROOF_STEP_H */
