/*-------------------------------------------------------------------------
 *
 * proof_check.h
 *	  The verdict on a receipt, from its own bytes.
 *
 *-------------------------------------------------------------------------
 */
#ifndef PROOF_CHECK_H
#define PROOF_CHECK_H

#include "proof_checkpoint.h"
#include "tl_limits.h"
#include "tl_status.h"
#include "tl_types.h"

#define TL_RECEIPT_FORMAT	"telco_ledger receipt 1"

/* One column as the receipt shows it. */
typedef struct TlReceiptColumn
{
	TlSpan		name;
	bool		is_null;
	TlSpan		text;
} TlReceiptColumn;

/* A row and its way up to the head.  Paths are hashes, 32 bytes each. */
typedef struct TlReceiptRow
{
	TlSpan		bytes;
	uint64_t	index;			/* in its section */
	TlSpan		path;
	TlSpan		section;		/* leaf, uncommitted */
	TlSpan		section_random; /* of a private section, otherwise empty */
	uint64_t	section_index;	/* in its batch */
	TlSpan		section_path;
	TlSpan		batch;			/* header */
	TlSpan		batch_digests;	/* all of the block, in order */
	TlSpan		block;			/* header */
	TlSpan		block_path;		/* to the head's history root */
} TlReceiptRow;

/* What became of the rows of some blocks (proof_outcome.c). */
typedef struct TlReceiptOutcome
{
	bool		present;
	TlSpan		certificate;	/* of a stable checkpoint */
	TlSpan		block;			/* header of the checkpoint's block */
	TlSpan		path;			/* to the head's history root */
	TlSpan		leaves;			/* what was rejected since the checkpoint before */
} TlReceiptOutcome;

/* What became of a row that a block has. */
typedef enum TlOutcome
{
	TL_OUTCOME_NONE,			/* it is in a private section: nobody else asks */
	TL_OUTCOME_OPEN,			/* no outcome is in the receipt */
	TL_OUTCOME_ACCEPTED,
	TL_OUTCOME_REJECTED			/* by all members */
} TlOutcome;

#define TL_OUTCOME_SQLSTATE_SIZE	6

/* Of a ledger that a RESTART began: what of it the genesis block does not say. */
typedef struct TlReceiptRestart
{
	bool		present;
	TlSpan		chain;			/* 32 bytes, of the ledger that ended */
	TlSpan		last;			/* header of its last block */
	TlSpan		reason;			/* UTF-8 */
} TlReceiptRestart;

typedef struct TlReceipt
{
	/* what people read; recomputed and compared */
	TlSpan		chain;			/* 32 bytes */
	TlSpan		purpose;
	TlSpan		member;
	TlSpan		schema;
	TlSpan		table;
	TlSpan		ref;
	uint64_t	height;
	TlSpan		time;
	TlSpan		outcome_text;	/* only of a row in a public section */
	uint32_t	column_count;
	const TlReceiptColumn *columns;

	/* what proves it */
	TlReceiptRow row;
	bool		has_definition; /* not for rows of ledger.table_version */
	TlReceiptRow definition;
	TlReceiptOutcome outcome;
	TlSpan		head;			/* header of a certified block */
	TlSpan		certificate;
	TlSpan		genesis_header;
	TlSpan		genesis_body;
	TlReceiptRestart restart;
	TlSpan		epochs;			/* changes of the members up to the head
								 * (proof_epoch.h), empty if there was none */
} TlReceipt;

/* What the verdict rests on, besides mathematics. */
typedef enum TlTrust
{
	TL_TRUST_GENESIS,			/* what the founder says: a fork would pass */
	TL_TRUST_CHECKPOINT,		/* a tree head that the checker had before */
	TL_TRUST_CONTINUED			/* such a tree head; the row came after it, in
								 * a history that continues it */
} TlTrust;

/*
 * RFC 6962 proof that one tree head's history is the beginning of another's.
 * Sizes of 0 are not known and not compared: the hashes fit two sizes only.
 */
typedef struct TlConsistency
{
	uint64_t	old_size;
	uint64_t	new_size;
	TlSpan		hashes;			/* 32 bytes each */
} TlConsistency;

#define TL_VERDICT_TEXT_SIZE	256

typedef struct TlVerdict
{
	bool		valid;
	const char *reason;			/* a sentence, also when valid */
	char		text[TL_VERDICT_TEXT_SIZE]; /* room for it */
	TlTrust		trust;
	TlSpan		definer;		/* name of the member whose definition names the
								 * columns, empty if it is the row's */
	TlOutcome	outcome;
	char		sqlstate[TL_OUTCOME_SQLSTATE_SIZE];	/* if it was rejected */
	TlHash		chain_id;
	bool		test;			/* a test ledger */
	bool		restarted;		/* by a RESTART, after that block of that ledger */
	TlHash		chain_before;
	uint64_t	height_before;
	uint64_t	changes;		/* of the members, between genesis and head */
	TlSpan		member;			/* name, in the receipt's bytes */
	TlRef		ref;
	uint64_t	height;
	uint64_t	head_height;
} TlVerdict;

/*
 * Check all of a receipt.  With a checkpoint, its head must be the one at the
 * checkpoint's size, or one that a consistency proof connects with it; and what
 * it proves must lie under the checkpoint's root or continue it.  All of verdict
 * but valid and reason counts only if valid.
 */
extern void tl_proof_check(TlVerdict *out, const TlReceipt *receipt,
						   const TlCheckpoint *checkpoint,
						   const TlConsistency *consistency);

/*
 * The reason of a valid verdict: what it rests on, what became of the row, and
 * whether somebody else than its member says what the columns are called.
 */
extern const char *tl_proof_trust_text(TlTrust trust);
extern void tl_proof_verdict_text(char out[TL_VERDICT_TEXT_SIZE], TlTrust trust,
								  TlOutcome outcome, const char *sqlstate,
								  bool has_definer);

#endif							/* PROOF_CHECK_H */
