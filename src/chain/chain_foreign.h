/*-------------------------------------------------------------------------
 *
 * chain_foreign.h
 *	  Rows of shared tables as blocks have them: other members' sections, refusals.
 *
 *-------------------------------------------------------------------------
 */
#ifndef CHAIN_FOREIGN_H
#define CHAIN_FOREIGN_H

#include "chain_batch.h"
#include "chain_lookup.h"
#include "chain_rows.h"
#include "chain_writer.h"

/* Where the rows of one section are: runs of neighbours. */
typedef struct TlForeignRuns
{
	TlChainRows *rows;			/* NULL: rows are not stored */
	int64_t		height;
	uint16_t	incarnation;
	uint64_t	batch;
	uint16_t	section;
	bool		asks;			/* whether a ref is taken */
	bool		is_beyond;		/* none is from the first run on */
	bool		any;			/* there was a run */
	bool		open;
	TlRef		first;			/* of the run that is open */
	TlRef		last;
} TlForeignRuns;

/* Which section has a row. */
typedef struct TlForeignPlace
{
	int64_t		height;
	uint32_t	member;
	uint16_t	incarnation;
	int64_t		batch;
	int			section;
	TlRefBytes	first;			/* of the run of neighbours */
	TlRefBytes	last;
} TlForeignPlace;

extern void tl_chain_foreign_store(const TlBatchHeader *header, int64_t height,
								   uint16_t index, const TlBuiltSection *section);
extern void tl_chain_foreign_runs_begin(TlForeignRuns *runs, const TlBatchHeader *header,
										int64_t height, uint16_t index,
										bool only_asks);
extern void tl_chain_foreign_runs_add(TlForeignRuns *runs, const TlRef *ref);
extern void tl_chain_foreign_runs_end(TlForeignRuns *runs);
extern bool tl_chain_foreign_find(const TlRefBytes *ref, TlForeignPlace *out);
extern bool tl_chain_foreign_lookup(const TlRefBytes *ref, TlPlace *out);
extern bool tl_chain_foreign_first(const TlRefBytes *ref, TlPlace *out);
extern bool tl_chain_foreign_has_member(uint32_t member);
extern void tl_chain_foreign_forget(const TlBatchHeader *header);
extern void tl_chain_foreign_refuse(const uint8_t table_id[TL_TABLE_ID_SIZE],
									const TlRefBytes *ref, const TlPlace *place,
									const char *sqlstate, const char *reason,
									TlSpan bytes);
extern bool tl_chain_foreign_any_refused(void);
extern bool tl_chain_foreign_is_refused(const TlRefBytes *ref, const TlPlace *place);
extern bool tl_chain_foreign_refused_bytes(const TlRefBytes *ref, const TlPlace *place,
										   TlSpan *out);

#endif							/* CHAIN_FOREIGN_H */
