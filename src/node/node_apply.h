/*-------------------------------------------------------------------------
 *
 * node_apply.h
 *	  Final blocks are applied: what is shared takes effect, block by block.
 *
 *-------------------------------------------------------------------------
 */
#ifndef NODE_APPLY_H
#define NODE_APPLY_H

#include "table_ref.h"
#include "table_row.h"

typedef enum TlApplyResult
{
	TL_APPLY_IDLE,				/* all that is final is applied */
	TL_APPLY_MORE,				/* a block was applied, more may follow */
	TL_APPLY_WAITS				/* a body of the next block is not here yet, or it is decided whether
								 * a call in it is passed over */
} TlApplyResult;

/*
 * Who wants to know what a block does to shared tables.  All are called in the
 * transaction that applies the block, with SPI connected; any may be NULL.
 */
typedef struct TlApplyHook
{
	/* before the first row: entries of the block (contracts) take effect */
	void		(*begin) (int64_t height);
	/* what was told of rows since the last call counts, or does not (an attempt) */
	void		(*rows_end) (bool count);
	/* each row that becomes part of a shared table, own and foreign, in order */
	void		(*row) (int64_t height, const uint8_t table_id[TL_TABLE_ID_SIZE],
						const TlRefBytes *ref, TlSpan bytes);
	/* each row that does not, of a batch with that digest; ref NULL: the batch as a whole */
	void		(*rejected) (int64_t height, const TlHash *batch, const TlRefBytes *ref,
							 const char *sqlstate, TlSpan bytes);
	/* after the last one */
	void		(*end) (int64_t height);
} TlApplyHook;

extern void tl_node_apply_add_hook(const TlApplyHook *hook);
extern TlApplyResult tl_node_apply_next(void);
extern void tl_node_apply_at_once(int64_t height, bool has_entries);

#endif							/* NODE_APPLY_H */
