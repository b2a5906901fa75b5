/*-------------------------------------------------------------------------
 *
 * chain_section.h
 *	  The leaf of a batch's tree: which table, how many rows, which root.
 *
 *-------------------------------------------------------------------------
 */
#ifndef CHAIN_SECTION_H
#define CHAIN_SECTION_H

#include "table_row.h"
#include "tl_limits.h"
#include "tl_status.h"
#include "tl_types.h"
#include "tl_wire.h"

#define TL_SECTION_SIZE_FIXED	61	/* without readers */
#define TL_SECTION_SIZE_MAX		(TL_SECTION_SIZE_FIXED + 4 * TL_READER_COUNT_MAX)
#define TL_SECTION_RANDOM_SIZE	16

/* Who gets the rows.  The numbers are part of the format. */
typedef enum TlSectionKind
{
	TL_SECTION_PUBLIC = 0,		/* every member */
	TL_SECTION_SEALED = 1,		/* the named readers */
	TL_SECTION_PRIVATE = 2		/* nobody: only the root leaves the node */
} TlSectionKind;

/* What is stored of a section's tree: roots of its full tiles, no hash below. */
#define TL_TILE_LEVEL	8
#define TL_TILE_ROWS	(1 << TL_TILE_LEVEL)

typedef struct TlSectionLeaf
{
	uint8_t		kind;			/* a TlSectionKind */
	uint8_t		table_id[TL_TABLE_ID_SIZE];
	uint32_t	table_version;	/* from 1 */
	uint16_t	reader_count;	/* of a sealed section, otherwise 0 */
	uint32_t	readers[TL_READER_COUNT_MAX];	/* ascending members */
	uint32_t	row_count;		/* from 1 */
	TlHash		root;			/* over the rows in order of ref */
} TlSectionLeaf;

extern TlStatus tl_chain_section_encode(TlWriter *writer,
										const TlSectionLeaf *section);
extern TlStatus tl_chain_section_decode(TlSectionLeaf *out,
										const void *data, size_t size);

/*
 * The section's leaf hash in the batch's tree.  A private section stands there
 * as a commitment and needs the 16 random bytes; any other needs NULL.
 */
extern TlStatus tl_chain_section_leaf_hash(TlHash *out,
										   const TlSectionLeaf *section,
										   const uint8_t *commitment_random);

#endif							/* CHAIN_SECTION_H */
