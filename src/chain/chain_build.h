/*-------------------------------------------------------------------------
 *
 * chain_build.h
 *	  One batch in the making: rows in, sections and header out.
 *
 *-------------------------------------------------------------------------
 */
#ifndef CHAIN_BUILD_H
#define CHAIN_BUILD_H

#include "lib/stringinfo.h"

#include "chain_batch.h"
#include "chain_collect.h"
#include "chain_section.h"
#include "table_row.h"

/* One section, ready to be stored. */
typedef struct TlBuiltSection
{
	Oid			relation;
	TlSectionLeaf leaf;
	TlHash		leaf_hash;		/* in the batch's tree */
	uint8_t		commitment[TL_SECTION_RANDOM_SIZE];
	uint8_t		row_key[TL_ROW_KEY_SIZE];
	TlRefBytes	first_ref;
	TlRefBytes	last_ref;
	StringInfoData nodes;		/* roots of the full tiles of 256 rows */
	StringInfoData manifest;	/* chain_manifest.h */
} TlBuiltSection;

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

extern TlBuilder *tl_chain_build_begin(const TlSnapshot *target, const TlHash *seed);
extern bool tl_chain_build_is_full(const TlBuilder *builder, uint64_t next_xid);
extern void tl_chain_build_add(TlBuilder *builder, const TlCollectedRow *row);
extern bool tl_chain_build_gives(const TlBuilder *builder, const TlBatchHeader *header);
extern void tl_chain_build_finish(TlBuilder *builder, TlBuiltBatch *out);

#endif							/* CHAIN_BUILD_H */
