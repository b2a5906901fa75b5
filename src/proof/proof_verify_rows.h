/*-------------------------------------------------------------------------
 *
 * proof_verify_rows.h
 *	  The rows of one table against the sections that hold them.
 *
 *-------------------------------------------------------------------------
 */
#ifndef PROOF_VERIFY_ROWS_H
#define PROOF_VERIFY_ROWS_H

#include "storage/itemptr.h"
#include "utils/rel.h"

#include "chain_manifest.h"
#include "chain_reject.h"
#include "proof_verify.h"
#include "proof_verify_sort.h"

/* Who speaks of a ref: the second part of an entry of by_ref. */
#define TL_WITNESS_MANIFEST		0
#define TL_WITNESS_HEAP			1
#define TL_WITNESS_INDEX		2

/* A row that is in the table and in a section's manifest. */
typedef struct TlPlacedRow
{
	int64_t		batch;
	uint32_t	section;
	uint32_t	index;			/* in the section */
	TlRefBytes	ref;
	ItemPointerData place;
	uint8_t		fingerprint[TL_FINGERPRINT_SIZE];
} TlPlacedRow;

/* What a quick pass reads. */
typedef enum TlSweepPart
{
	TL_SWEEP_ALL,
	TL_SWEEP_SECTIONS,			/* some sections after after_batch */
	TL_SWEEP_COUNT				/* manifests and rows, nothing hashed */
} TlSweepPart;

typedef struct TlRowsPass
{
	TlVerification *run;
	Relation	relation;
	uint8_t		table_id[TL_TABLE_ID_SIZE];
	TlRefBytes	low;			/* refs that are looked at, both included */
	TlRefBytes	high;
	const TlProgress *progress; /* NULL if it is not known */
	TlSweepPart part;
	int64_t		after_batch;
	int64_t		to_batch;
	int64_t		swept_batch;	/* sections were read up to here */
	int64_t		row_count;		/* that are to be hashed, 0 if nobody has counted */
	bool		has_index;
	TlRowCheck *check;			/* NULL if no row of the ledger was rejected */
	TlSort	   *by_ref;
	TlSort	   *by_place;
	int64_t		disposed_batch; /* rows up to here were truncated; test ledger */
	int64_t		disposed_rows;
	int64_t		cached_batch;	/* whose height is ... */
	int64_t		cached_height;
} TlRowsPass;

extern void tl_proof_rows_report(TlRowsPass *pass, const char *kind,
								 const TlRefBytes *ref, int64_t batch,
								 const char *expected, const char *found,
								 const char *detail);
extern bool tl_proof_rows_step(TlVerification *run, Oid relation, int64_t *batch,
							   int64_t to_batch);
extern bool tl_proof_rows_begin(TlRowsPass *pass, TlVerification *run);
extern int64_t tl_proof_rows_height(TlRowsPass *pass, int64_t batch);
extern void tl_proof_rows_gather(TlRowsPass *pass);
extern void tl_proof_rows_sections(TlRowsPass *pass);

/* The entries of by_place. */
extern void tl_proof_rows_put_placed(TlSort *sort, const TlPlacedRow *row);
extern bool tl_proof_rows_next_placed(TlSort *sort, TlPlacedRow *row);

#endif							/* PROOF_VERIFY_ROWS_H */
