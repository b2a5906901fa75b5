/*-------------------------------------------------------------------------
 *
 * table_fit.h
 *	  Would the bytes of a row be too many?  Asked before it is stored.
 *
 *-------------------------------------------------------------------------
 */
#ifndef TABLE_FIT_H
#define TABLE_FIT_H

#include "executor/tuptable.h"
#include "utils/relcache.h"

extern void tl_table_fit_check(Relation relation, TupleTableSlot *slot,
							   bool shared);
extern void tl_table_fit_check_size(Relation relation, TupleTableSlot *slot,
									uint32_t row_size_max);

#endif							/* TABLE_FIT_H */
