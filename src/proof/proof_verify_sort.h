/*-------------------------------------------------------------------------
 *
 * proof_verify_sort.h
 *	  Byte strings in bytewise order, more of them than memory holds.
 *
 *-------------------------------------------------------------------------
 */
#ifndef PROOF_VERIFY_SORT_H
#define PROOF_VERIFY_SORT_H

#include "tl_types.h"

typedef struct TlSort TlSort;

extern TlSort *tl_proof_sort_begin(void);
extern void tl_proof_sort_put(TlSort *sort, const void *data, size_t size);
extern void tl_proof_sort_perform(TlSort *sort);
extern bool tl_proof_sort_next(TlSort *sort, TlSpan *out);
extern void tl_proof_sort_end(TlSort *sort);

#endif							/* PROOF_VERIFY_SORT_H */
