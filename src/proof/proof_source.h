/*-------------------------------------------------------------------------
 *
 * proof_source.h
 *	  Read from the stored chain what a receipt is made of.
 *
 * Between begin and end the caller runs with the rights of the library's
 * owner, on a snapshot of its own.  What is read lives in the memory context
 * that was current at begin.
 *
 *-------------------------------------------------------------------------
 */
#ifndef PROOF_SOURCE_H
#define PROOF_SOURCE_H

#include "utils/palloc.h"

#include "chain_block.h"
#include "proof_check.h"
#include "table_ref.h"

typedef struct TlProofSource
{
	MemoryContext context;		/* of what is read */
	Oid			user;			/* to return to */
	int			security_context;
	int			nest_level;		/* of settings */
} TlProofSource;

extern void tl_proof_source_begin(TlProofSource *source);
extern void tl_proof_source_end(TlProofSource *source);

/* Genesis, and the header of a block: the newest one with height < 0. */
extern void tl_proof_source_genesis(TlReceipt *out);
extern void tl_proof_source_header(TlSpan *bytes, TlBlockHeader *out,
								   int64_t height);

/* The certificate of a block. */
extern TlSpan tl_proof_source_certificate(const TlBlockHeader *header);

/*
 * One row, up to its block; block_path is left empty.  definition gets the ref
 * of its definition, zeros if that is fixed by code.
 */
extern void tl_proof_source_row(TlReceiptRow *out, uint64_t *height,
								TlRef *definition, Oid relation,
								const TlRefBytes *ref);

/* The path from block `height` to the history root of block `head`. */
extern TlSpan tl_proof_source_history(uint64_t height, uint64_t head);

#endif							/* PROOF_SOURCE_H */
