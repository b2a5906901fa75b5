/*-------------------------------------------------------------------------
 *
 * proof_bundle.h
 *	  The verdict on many receipts in one document.
 *
 *-------------------------------------------------------------------------
 */
#ifndef PROOF_BUNDLE_H
#define PROOF_BUNDLE_H

#include "proof_check.h"
#include "proof_json.h"
#include "proof_step.h"

/* Definitions of tables that one document may need. */
#define TL_BUNDLE_DEFINITIONS_MAX	4096

/* On one row of the document; what is not valid has no member and height. */
typedef struct TlBundleVerdict
{
	bool		valid;
	const char *reason;
	char		text[TL_VERDICT_TEXT_SIZE]; /* room for it */
	TlTrust		trust;
	TlSpan		definer;		/* these as in TlVerdict */
	TlOutcome	outcome;
	char		sqlstate[TL_OUTCOME_SQLSTATE_SIZE];
	const TlJsonNode *node;		/* of the row */
	const TlBundleRow *row;		/* as it is shown */
	const TlBundleSection *section;
	TlRef		ref;			/* in the row's bytes; zeros if those are none */
	TlSpan		member;
	uint64_t	height;
	TlSpan		time;
} TlBundleVerdict;

typedef void (*TlBundleReport) (void *context, const TlBundleVerdict *verdict);

/* A definition that was proved. */
typedef struct TlBundleDefinition
{
	TlSpan		bytes;
	uint64_t	height;
	uint32_t	member;
	bool		used;
} TlBundleDefinition;

/* The caller's memory; after a check chain says whose ledger it was. */
typedef struct TlBundleChecker
{
	TlProofChain chain;
	const TlCheckpoint *checkpoint;
	const TlConsistency *consistency;
	TlBundleReport report;
	void	   *context;
	bool		of_definitions; /* which forest is walked */
	uint64_t	row_count;
	uint64_t	definition_count;
	TlBundleDefinition definitions[TL_BUNDLE_DEFINITIONS_MAX];
	TlReceiptColumn columns[TL_COLUMN_COUNT_MAX];
} TlBundleChecker;

/*
 * Check a document.  NULL, and each row has had its verdict reported; or a
 * sentence about what is wrong with the document as a whole, which then proves
 * nothing whatever was reported before.  checkpoint and consistency as in
 * tl_proof_check.
 */
extern const char *tl_proof_bundle_check(TlBundleChecker *checker,
										 const TlJsonNode *root,
										 const TlCheckpoint *checkpoint,
										 const TlConsistency *consistency,
										 TlBundleReport report, void *context);

#endif							/* PROOF_BUNDLE_H */
