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

#endif							/* TABLE_FIT_H */
