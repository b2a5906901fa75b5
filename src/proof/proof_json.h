/*-------------------------------------------------------------------------
 *
 * proof_json.h
 *	  Receipts as JSON: one list of keys for the reader and the writer.
 *
 *-------------------------------------------------------------------------
 */
#ifndef PROOF_JSON_H
#define PROOF_JSON_H

#include "proof_check.h"

/*
 * A parsed document, made by whichever parser is at hand (jsonb in the server,
 * jansson in the verifier).  Keys of one object are distinct: a document in
 * which they are not must be refused before, or lose all but one.
 */
typedef enum TlJsonKind
{
	TL_JSON_NULL,
	TL_JSON_STRING,
	TL_JSON_NUMBER,
	TL_JSON_ARRAY,
	TL_JSON_OBJECT,
	TL_JSON_OTHER				/* true, false, nested too deeply */
} TlJsonKind;

/* A receipt of many rows nests twelve levels; parsers may stop below. */
#define TL_JSON_DEPTH_MAX	14

typedef struct TlJsonNode
{
	TlJsonKind	kind;
	TlSpan		key;			/* of a member of an object */
	TlSpan		text;			/* of a string; the number as it is written */
	uint8_t    *room;			/* text.size bytes of a string, 32 bytes for
								 * each element of an array: reading decodes
								 * into it */
	size_t		count;			/* of children */
	struct TlJsonNode *children;
} TlJsonNode;

/*
 * Read a receipt; NULL, or a sentence about what is wrong.  columns has room
 * for TL_COLUMN_COUNT_MAX.  Spans of the receipt point into the nodes' text
 * and room, which must stay.
 */
extern const char *tl_proof_json_read(TlReceipt *out, TlReceiptColumn *columns,
									  const TlJsonNode *root);

/* Write a receipt; the reader gives the same one. */
extern void tl_proof_json_write(TlWriter *writer, const TlReceipt *receipt);

/*
 * Read a consistency proof: old_size and new_size, both greater than zero, and
 * hashes.  NULL, or a sentence about what is wrong.
 */
extern const char *tl_proof_json_consistency(TlConsistency *out,
											 const TlJsonNode *root);

/*
 * The document of many receipts, level by level: blocks hold batches, batches
 * hold sections, sections hold rows, so that what rows share stands once above
 * them.  Lists are left as nodes, to be read one after another.
 */
#define TL_RECEIPTS_FORMAT	"telco_ledger receipts 1"

typedef struct TlBundle
{
	TlSpan		chain;			/* 32 bytes */
	TlSpan		purpose;
	TlSpan		head;			/* header of a certified block */
	TlSpan		certificate;
	TlSpan		genesis_header;
	TlSpan		genesis_body;
	TlReceiptRestart restart;
	TlSpan		epochs;
	const TlJsonNode *definitions;	/* a forest each */
	const TlJsonNode *rows;
} TlBundle;

typedef struct TlBundleForest
{
	TlSpan		history;		/* nodes between its blocks, to the head */
	const TlJsonNode *blocks;
} TlBundleForest;

typedef struct TlBundleBlock
{
	uint64_t	height;			/* shown */
	TlSpan		time;			/* shown */
	TlSpan		header;
	TlSpan		digests;		/* of all batches of the block, in order */
	TlReceiptOutcome outcome;	/* if a row is in a public section */
	const TlJsonNode *batches;
} TlBundleBlock;

typedef struct TlBundleBatch
{
	TlSpan		member;			/* shown */
	TlSpan		header;
	TlSpan		nodes;			/* between its sections */
	const TlJsonNode *sections;
} TlBundleBatch;

typedef struct TlBundleSection
{
	TlSpan		schema;			/* shown */
	TlSpan		table;			/* shown */
	bool		has_definition; /* not for ledger.table_version */
	uint64_t	definition;		/* number of the row among the definitions */
	uint64_t	index;			/* in the batch */
	TlSpan		leaf;			/* uncommitted */
	TlSpan		random;			/* of a private section, otherwise empty */
	const TlJsonNode *rows;
	TlSpan		nodes;			/* between its rows */
} TlBundleSection;

typedef struct TlBundleRow
{
	TlSpan		ref;			/* shown */
	TlSpan		outcome_text;	/* shown, only of a public section */
	uint64_t	index;			/* in the section */
	TlSpan		bytes;
	uint32_t	column_count;
	const TlReceiptColumn *columns; /* shown */
} TlBundleRow;

typedef enum TlBundleLevel
{
	TL_BUNDLE_TOP,				/* TlBundle */
	TL_BUNDLE_FOREST,			/* TlBundleForest, and so on */
	TL_BUNDLE_BLOCK,
	TL_BUNDLE_BATCH,
	TL_BUNDLE_SECTION
} TlBundleLevel;

/* Is this document one of many receipts? */
extern bool tl_proof_json_is_bundle(const TlJsonNode *root);

/* Read one part; out is a structure of that level.  NULL or a sentence. */
extern const char *tl_proof_json_part(void *out, TlBundleLevel level,
									  const TlJsonNode *node);
extern const char *tl_proof_json_row(TlBundleRow *out, TlReceiptColumn *columns,
									 const TlJsonNode *node);

/*
 * Write one part.  before separates it from what stands before.  open leaves
 * the part's list open for its members; close ends it.
 */
extern void tl_proof_json_open(TlWriter *writer, const char *before,
							   TlBundleLevel level, const void *part);
extern void tl_proof_json_close(TlWriter *writer, TlBundleLevel level,
								const void *part);
extern void tl_proof_json_put_row(TlWriter *writer, const char *before,
								  const TlBundleRow *row);

#endif							/* PROOF_JSON_H */
