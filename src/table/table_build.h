/*-------------------------------------------------------------------------
 *
 * table_build.h
 *	  Index builds over a ledger table.
 *
 *-------------------------------------------------------------------------
 */
#ifndef TABLE_BUILD_H
#define TABLE_BUILD_H

#include "access/tableam.h"

extern bool tl_table_build_active(void);
extern double tl_table_build_range_scan(Relation table, Relation index,
										struct IndexInfo *index_info,
										bool allow_sync, bool any_visible,
										bool progress,
										BlockNumber start_block,
										BlockNumber block_count,
										IndexBuildCallback callback,
										void *callback_state,
										TableScanDesc scan);
extern void tl_table_build_validate_scan(Relation table, Relation index,
										 struct IndexInfo *index_info,
										 Snapshot snapshot,
										 struct ValidateIndexState *state);

#endif							/* TABLE_BUILD_H */
