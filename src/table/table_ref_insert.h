/*-------------------------------------------------------------------------
 *
 * table_ref_insert.h
 *	  Entries of the ref index for many rows at a time.
 *
 *-------------------------------------------------------------------------
 */
#ifndef TABLE_REF_INSERT_H
#define TABLE_REF_INSERT_H

#include "executor/tuptable.h"
#include "nodes/execnodes.h"
#include "utils/rel.h"

extern bool tl_table_ref_insert_fits(Relation index);
extern void tl_table_ref_insert(Relation table, Relation index, IndexInfo *info,
								TupleTableSlot **slots, int count);

#endif							/* TABLE_REF_INSERT_H */
