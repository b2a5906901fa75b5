/*-------------------------------------------------------------------------
 *
 * verifier_json.h
 *	  JSON text, parsed by jansson, as the nodes that proof_json.h reads.
 *
 *-------------------------------------------------------------------------
 */
#ifndef VERIFIER_JSON_H
#define VERIFIER_JSON_H

#include "proof_bundle.h"
#include "proof_json.h"

typedef struct VerifierDocument
{
	void	   *json;			/* jansson's tree, which owns the texts */
	TlJsonNode	root;
} VerifierDocument;

/*
 * Parse; NULL, or a sentence about what is wrong.  Keys that stand twice in an
 * object are refused.  To be freed in either case.
 */
extern const char *verifier_json_parse(VerifierDocument *document,
									   const char *text, size_t size);
extern void verifier_json_free(VerifierDocument *document);

#endif							/* VERIFIER_JSON_H */
