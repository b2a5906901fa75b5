/*-------------------------------------------------------------------------
 *
 * chain_window.h
 *	  What a backend keeps of the chain to tell where refs are.
 *
 *-------------------------------------------------------------------------
 */
#ifndef CHAIN_WINDOW_H
#define CHAIN_WINDOW_H

#include "utils/rel.h"

#include "chain_lookup.h"
#include "chain_snapshot.h"

typedef enum TlWindowAnswer
{
	TL_WINDOW_HELD,				/* a batch has the ref */
	TL_WINDOW_ABSENT,			/* its difference is known, no batch has it */
	TL_WINDOW_UNKNOWN			/* its difference must be loaded */
} TlWindowAnswer;

extern void tl_chain_window_prepare(void);
extern void tl_chain_window_forget(void);
extern bool tl_chain_window_repeat(const TlRefBytes *ref, TlPlace *out);
extern TlWindowAnswer tl_chain_window_find(const TlRef *ref, TlPlace *out);
extern bool tl_chain_window_load(int64_t number);
extern bool tl_chain_window_batch_has(int64_t batch, const TlRef *ref,
									  TlPlace *out);
extern bool tl_chain_window_snapshot(Relation relation, TlSnapshot *out,
									 int64_t number);

#endif							/* CHAIN_WINDOW_H */
