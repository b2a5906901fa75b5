/*-------------------------------------------------------------------------
 *
 * proof_source.h
 *	  Read from the stored chain what a receipt is made of.
 *
 * Between begin and end the caller runs with the rights of the library's
 * owner, on a snapshot of its own.  What is read lives in the memory context
 * that is current.
 *
 *-------------------------------------------------------------------------
 */
#ifndef PROOF_SOURCE_H
#define PROOF_SOURCE_H

#include "utils/palloc.h"

#include "chain_block.h"
#include "chain_section.h"
#include "chain_state_store.h"
#include "chain_statement.h"
#include "merkle_proof.h"
#include "proof_check.h"
#include "proof_epoch.h"
#include "proof_json.h"
#include "table_ref.h"
#include "tl_compat.h"

/*
 * In SQL, of a checkpoint c and its block b: was the state taken from the others since the
 * checkpoint that the header names, so that the leaves between the two are not all here?
 */
#define TL_PROOF_TAKEN_BELOW \
	"EXISTS (SELECT FROM ledger_internal.state_take AS t WHERE t.unknown_after < c.height" \
	" AND (t.done_at IS NULL OR t.height > t.unknown_after AND t.height > " TL_CHAIN_NAMED_CHECKPOINT "))"

typedef struct TlProofSource
{
	MemoryContext context;		/* to return to */
	Oid			user;			/* to return to */
	int			security_context;
	int			nest_level;		/* of settings */
} TlProofSource;

/* Where a row is: in a batch that was made here, or in one of foreign_batch. */
typedef struct TlSourcePlace
{
	int64_t		height;
	int64_t		batch;			/* running number; of a foreign one that in its header */
	bool		foreign;
	uint32_t	member;			/* these three of a foreign one */
	uint16_t	incarnation;
	int			section;
} TlSourcePlace;

/* A batch: its header, and the leaves of its tree by number of section. */
typedef struct TlSourceBatch
{
	TlSpan		header;
	uint64_t	section_count;
	int		   *numbers;
	TlHash	   *leaves;
} TlSourceBatch;

extern void tl_proof_source_begin(TlProofSource *source);
extern void tl_proof_source_end(TlProofSource *source);

/*
 * Genesis; the RESTART that it holds, if any; the header of a block, the newest
 * one with height < 0.
 */
extern void tl_proof_source_genesis(TlSpan *header, TlSpan *body);
extern void tl_proof_source_restart(TlReceiptRestart *out);
extern void tl_proof_source_header(TlSpan *bytes, TlBlockHeader *out,
								   int64_t height);

/*
 * The header that a receipt leads to: of the block at `size`, or the newest;
 * *newest gets the height of that.  Blocks that come later are not seen.
 */
#define TL_SIZE_NEWEST	(-1)
extern void tl_proof_source_head(TlSpan *bytes, TlBlockHeader *out,
								 uint64_t *newest, int64_t size);

/* Error unless the tree head of that size, if one is given, covers the row. */
extern void tl_proof_source_covers(int64_t size, uint64_t height,
								   const TlRefBytes *ref);

/* The certificate of a block. */
extern TlSpan tl_proof_source_certificate(const TlBlockHeader *header);

/* proof_source_epoch.c: changes of the members up to an epoch; who is one. */
extern TlSpan tl_proof_source_epochs(uint64_t epoch);
extern bool tl_proof_source_change(StringInfo out, TlSpan certificate);
extern void tl_proof_source_members(TlProofMembers *out, const TlBundle *bundle);

/* The first place of a row; false if it is in no batch of a block. */
extern bool tl_proof_source_place(TlSourcePlace *out, const TlRefBytes *ref);

/*
 * One row, up to its block; block_path is left empty.  definition gets the ref
 * of its definition, zeros if that is fixed by code.
 */
extern void tl_proof_source_row(TlReceiptRow *out, uint64_t *height,
								TlRef *definition, Oid relation,
								const TlRefBytes *ref, uint64_t newest);

/*
 * proof_source_outcome.c: what became of the rows of the block at that height, as a
 * quorum has certified it up to the head, or below it if a tree head is to cover it.
 * Not present if there is no such certificate yet.
 */
extern void tl_proof_source_outcome(TlReceiptOutcome *out, uint64_t height,
									const TlBlockHeader *head, bool below);

/* The path from block `height` to the history root of block `head`. */
extern TlSpan tl_proof_source_history(uint64_t height, uint64_t head);

/* Digests of all batches of a block; one batch; where a section is in it. */
extern TlSpan tl_proof_source_digests(int64_t height);
extern void tl_proof_source_batch(TlSourceBatch *out, const TlSourcePlace *place);
extern uint64_t tl_proof_source_section_index(const TlSourceBatch *batch,
											  int number);

/* The table's id, by which its sections are found. */
extern void tl_proof_source_table_id(uint8_t out[TL_TABLE_ID_SIZE], Oid relation);

tl_noreturn extern void tl_proof_source_not_final(const TlRefBytes *ref);

/* Roots of perfect subtrees: over an array of leaves, and of the history. */
extern TlStatus tl_proof_source_leaves_node(void *leaves, TlHash *out,
											unsigned level, uint64_t index);
extern TlStatus tl_proof_source_history_node(void *unused, TlHash *out,
											 unsigned level, uint64_t index);

/*
 * Run a statement; the result of the one before is gone then, so that many of
 * them need no more memory than one.  Values of the result: bytes, bytes of
 * known size, six columns of a section's leaf, its random value.
 */
extern uint64 tl_proof_source_execute(TlStatement *statement, const Datum *values);
extern TlSpan tl_proof_source_bytes(uint64 row, int column);
extern void tl_proof_source_fixed(void *out, size_t size, uint64 row, int column);
extern void tl_proof_source_leaf(TlSectionLeaf *out, uint64 row, int column);
extern void tl_proof_source_random(uint8_t random[TL_SECTION_RANDOM_SIZE],
								   uint64 row, int column);

/* What does not decode or fit was stored otherwise. */
extern void tl_proof_source_check(TlStatus status, const char *what);
tl_noreturn extern void tl_proof_source_damaged(const char *what);

#endif							/* PROOF_SOURCE_H */
