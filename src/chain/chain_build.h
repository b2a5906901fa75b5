/*-------------------------------------------------------------------------
 *
 * chain_build.h
 *	  One batch in the making: rows in, sections and header out.
 *
 *-------------------------------------------------------------------------
 */
#ifndef CHAIN_BUILD_H
#define CHAIN_BUILD_H

#include "chain_batch.h"
#include "chain_collect.h"
#include "chain_writer.h"

/* A batch without its header. */
typedef struct TlBuiltBatch
{
	TlRefBytes	first_ref;
	TlRefBytes	last_ref;
	uint32_t	row_count;
	int			section_count;
	TlBuiltSection **sections;
	TlHash		root;			/* over the section leaves */
} TlBuiltBatch;

typedef struct TlBuilder TlBuilder;

extern TlBuilder *tl_chain_build_begin(const TlSnapshot *target, const TlHash *seed,
									   bool shares);
extern bool tl_chain_build_is_full(const TlBuilder *builder, uint64_t next_xid);
extern void tl_chain_build_add(TlBuilder *builder, const TlCollectedRow *row);
extern bool tl_chain_build_gives(const TlBuilder *builder, const TlBatchHeader *header);
extern void tl_chain_build_finish(TlBuilder *builder, TlBuiltBatch *out);

#endif							/* CHAIN_BUILD_H */
