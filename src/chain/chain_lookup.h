/*-------------------------------------------------------------------------
 *
 * chain_lookup.h
 *	  Where a ref is on the chain.
 *
 *-------------------------------------------------------------------------
 */
#ifndef CHAIN_LOOKUP_H
#define CHAIN_LOOKUP_H

#include "utils/timestamp.h"

#include "table_ref.h"

typedef struct TlPlace
{
	int64_t		batch;
	int64_t		height;
	TimestampTz time;			/* of the block */
} TlPlace;

extern bool tl_chain_lookup(const TlRefBytes *ref, TlPlace *out);
extern bool tl_chain_lookup_time(TimestampTz *out, int64_t height);
extern bool tl_chain_any_rejected(void);
extern bool tl_chain_is_rejected(const TlRefBytes *ref);

extern Oid	tl_chain_lookup_ref_function(const char *name);
extern bool tl_chain_lookup_block_hash(TlHash *out, int64_t height);

#endif							/* CHAIN_LOOKUP_H */
