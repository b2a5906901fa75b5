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

/* A receipt nests five levels; parsers may stop below. */
#define TL_JSON_DEPTH_MAX	8

typedef struct TlJsonNode
{
	TlJsonKind	kind;
	TlSpan		key;			/* of a member of an object */
	TlSpan		text;			/* of a string; the number as it is written */
	uint8_t    *room;			/* text.size bytes of a string, 32 bytes for
								 * each element of an array: reading decodes
								 * into it; may be where text is */
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

#endif							/* PROOF_JSON_H */
