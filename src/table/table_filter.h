/*-------------------------------------------------------------------------
 *
 * table_filter.h
 *	  What a call of a contract sees of ledger tables.
 *
 *-------------------------------------------------------------------------
 */
#ifndef TABLE_FILTER_H
#define TABLE_FILTER_H

#include "access/tableam.h"

#include "table_ref.h"

/* Do all members have this row, one of this member? */
typedef bool (*TlRowSeen) (const TlRefBytes *ref);

extern void tl_table_filter_init(void);
extern void tl_table_filter_install(TableAmRoutine *routine);
/* Around the calls of a block: plans are for them. */
extern void tl_table_filter_plans(bool are_made);
extern bool tl_table_filter_planning(void);

/* Around one call. */
extern void tl_table_filter_begin(TlRowSeen is_seen);
extern void tl_table_filter_end(void);
extern bool tl_table_filter_active(void);

#endif							/* TABLE_FILTER_H */
