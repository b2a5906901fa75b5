/*-------------------------------------------------------------------------
 *
 * table_insert.h
 *	  Rows of other members, checked and inserted into a shared table.
 *
 *-------------------------------------------------------------------------
 */
#ifndef TABLE_INSERT_H
#define TABLE_INSERT_H

#include "table_encode.h"

typedef struct TlTableTarget TlTableTarget;

extern TlTableTarget *tl_table_target_open(Oid relation, const TlTableVersion *version,
										   const uint8_t row_key[TL_ROW_KEY_SIZE],
										   bool only_check);
extern Relation tl_table_target_relation(const TlTableTarget *target);
extern void tl_table_target_make_room(TlTableTarget *target);
extern TupleTableSlot *tl_table_target_row(TlTableTarget *target, TlSpan bytes);
extern void tl_table_target_close(TlTableTarget *target);

#endif							/* TABLE_INSERT_H */
