/*-------------------------------------------------------------------------
 *
 * table_guard.h
 *	  Statements that a ledger table does not allow, or that it completes.
 *
 *-------------------------------------------------------------------------
 */
#ifndef TABLE_GUARD_H
#define TABLE_GUARD_H

#include "tl_compat.h"

extern void tl_table_init(void);
extern bool tl_table_guard_active(void);
extern bool tl_table_is_test_ledger(void);
extern bool tl_table_guard_allows_truncate(Oid relation);
extern void tl_table_guard_suspend(void);
extern void tl_table_guard_resume(void);
tl_noreturn extern void tl_table_guard_refuse_type(Oid type, Oid table,
												   const char *column);

#endif							/* TABLE_GUARD_H */
