/*-------------------------------------------------------------------------
 *
 * chain_writer.h
 *	  One section in the making: leaf hashes in, tree and manifest out.
 *
 *-------------------------------------------------------------------------
 */
#ifndef CHAIN_WRITER_H
#define CHAIN_WRITER_H

#include "lib/stringinfo.h"

#include "chain_manifest.h"
#include "chain_section.h"
#include "merkle_range.h"
#include "table_ref.h"

/* One section, ready to be stored once it is finished. */
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
	StringInfoData body;		/* of a public section; else without data */
} TlBuiltSection;

typedef struct TlSectionWriter
{
	TlBuiltSection *built;
	TlManifestWriter manifest;
	TlMerkleRange tile;			/* rows of the tile that is not full */
	TlMerkleRange tiles;		/* full tiles, each as one leaf */
} TlSectionWriter;

extern void tl_chain_writer_init(TlSectionWriter *writer, TlBuiltSection *built);
extern void tl_chain_writer_append(TlSectionWriter *writer, const TlRefBytes *ref,
								   const TlHash *leaf_hash);
extern void tl_chain_writer_leaf(const TlSectionWriter *writer, TlSectionLeaf *leaf,
								 TlHash *leaf_hash);
extern void tl_chain_writer_finish(TlSectionWriter *writer);

#endif							/* CHAIN_WRITER_H */
