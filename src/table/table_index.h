/*-------------------------------------------------------------------------
 *
 * table_index.h
 *	  Which indexes can store whatever a row of a state table holds.
 *
 *-------------------------------------------------------------------------
 */
#ifndef TABLE_INDEX_H
#define TABLE_INDEX_H

#include "catalog/pg_class.h"

/* A third of a page, less what is around it. */
#define TL_INDEX_WIDTH_MAX		2000

extern int	tl_table_index_value_size(Oid type, int32 modifier);
extern void tl_table_index_guard(Oid index, Form_pg_class form);

#endif							/* TABLE_INDEX_H */
