/*-------------------------------------------------------------------------
 *
 * table_am.h
 *	  The access method `ledger`.
 *
 *-------------------------------------------------------------------------
 */
#ifndef TABLE_AM_H
#define TABLE_AM_H

#include "access/tableam.h"

#define TL_REF_COLUMN	"ledger_ref"

extern const TableAmRoutine *tl_table_am_routine(void);
extern void tl_table_am_enable(void);
extern bool tl_table_am_is_ours(Relation relation);
extern AttrNumber tl_table_am_ref_attribute(Relation relation);
extern AttrNumber tl_table_am_shared_ref(Relation relation);
extern void tl_table_am_insert_foreign(Relation relation, TupleTableSlot **slots,
									   int slot_count, CommandId cid,
									   struct BulkInsertStateData *bulk);

#endif							/* TABLE_AM_H */
