/*-------------------------------------------------------------------------
 *
 * proof_jsonb.h
 *	  A jsonb value as the nodes that proof_json.h reads.
 *
 *-------------------------------------------------------------------------
 */
#ifndef PROOF_JSONB_H
#define PROOF_JSONB_H

#include "utils/jsonb.h"

#include "proof_json.h"

/* Nodes in the current memory context; texts stay in the value. */
extern void tl_proof_jsonb_nodes(TlJsonNode *out, Jsonb *value);

#endif							/* PROOF_JSONB_H */
