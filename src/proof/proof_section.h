/*-------------------------------------------------------------------------
 *
 * proof_section.h
 *	  One stored section: its leaf, and its rows encoded again.
 *
 * Between tl_proof_source_begin and _end; what is read lives in the current
 * memory context.
 *
 *-------------------------------------------------------------------------
 */
#ifndef PROOF_SECTION_H
#define PROOF_SECTION_H

#include "utils/relcache.h"

#include "chain_manifest.h"
#include "chain_section.h"
#include "proof_source.h"
#include "table_encode.h"
#include "table_ref.h"
#include "table_scan.h"

typedef struct TlSourceSection
{
	int			number;			/* among the batch's; not its index */
	int64_t		height;			/* of its block, */
	int64_t		batch;			/* and its batch, as the header has it */
	TlSectionLeaf leaf;
	TlSpan		bytes;			/* of the leaf */
	TlSpan		random;			/* of a private section, otherwise empty */
	uint8_t		row_key[TL_ROW_KEY_SIZE];
	TlSpan		nodes;			/* roots of the full tiles */
	TlSpan		manifest;
} TlSourceSection;

/* What the manifest says of some rows; hashes once they are encoded again. */
typedef struct TlSourceTile
{
	uint64_t	first;			/* row of the section */
	int			count;
	TlRefBytes	refs[TL_TILE_ROWS];
	uint8_t		fingerprints[TL_TILE_ROWS][TL_FINGERPRINT_SIZE];
	TlHash		hashes[TL_TILE_ROWS];
} TlSourceTile;

/* Walks the tiles of a section. */
typedef struct TlSourceRows
{
	const TlSourceSection *section;
	TlManifestReader manifest;
	uint64_t	next;			/* row that the next tile begins with */
	Relation	table;
	TlTableEncoder *encoder;
	TlRefScan  *scan;
	TlRefBytes	found;			/* row that the scan is at, */
	bool		held;			/* and that was not asked for yet */
	bool		ended;
} TlSourceRows;

extern void tl_proof_section_read(TlSourceSection *out, const TlSourcePlace *place,
								  const uint8_t table_id[TL_TABLE_ID_SIZE]);
extern void tl_proof_section_open(TlSourceRows *rows,
								  const TlSourceSection *section,
								  uint32_t member, Oid relation,
								  const TlTableVersion *version);
extern void tl_proof_section_close(TlSourceRows *rows);

/*
 * The refs of the next tile that holds the ref or, without one or when it is
 * past, of the last tile if that is not full; false if there is none.
 */
extern bool tl_proof_section_next(TlSourceRows *rows, TlSourceTile *tile,
								  const TlRefBytes *ref);

/* Where a ref is in the tile, -1 if it is not. */
extern int	tl_proof_section_find(const TlSourceTile *tile,
								  const TlRefBytes *ref);

/*
 * Encode the rows of a tile again; those that all members refused come from
 * where refusals are listed, if the table does not have them.  row, or NULL, is called with each of them;
 * bytes are valid during the call, hashes of the rows so far are there.
 */
typedef void (*TlSourceRow) (void *context, const TlSourceTile *tile, int index,
							 TlSpan bytes);
extern void tl_proof_section_encode(TlSourceRows *rows, TlSourceTile *tile,
									TlSourceRow row, void *context);

/* Roots of perfect subtrees: of whole tiles, and within one. */
extern TlStatus tl_proof_section_stored_node(void *section, TlHash *out,
											 unsigned level, uint64_t index);
extern TlStatus tl_proof_section_tile_node(void *tile, TlHash *out,
										   unsigned level, uint64_t index);

#endif							/* PROOF_SECTION_H */
