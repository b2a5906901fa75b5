/*-------------------------------------------------------------------------
 *
 * proof_asked.h
 *	  The rows that somebody asks receipts for, in the order of the chain.
 *
 *-------------------------------------------------------------------------
 */
#ifndef PROOF_ASKED_H
#define PROOF_ASKED_H

#include "utils/array.h"

#include "proof_source.h"
#include "table_ref.h"

/* A row that is asked for. */
typedef struct TlAskedRow
{
	TlRefBytes	ref;
	Oid			relation;
	TlSourcePlace place;		/* the caller's */
	struct Version *defines;	/* of a definition, likewise */
} TlAskedRow;

extern TlAskedRow *tl_proof_asked_read(Oid relation, ArrayType *array, int *row_count);

/* By block, batch, section, ref; are two in one section? */
extern void tl_proof_asked_sort(TlAskedRow *rows, int count);
extern bool tl_proof_asked_same_section(const TlAskedRow *a, const TlAskedRow *b);

extern int	tl_proof_asked_order(int64_t a, int64_t b);

#endif							/* PROOF_ASKED_H */
