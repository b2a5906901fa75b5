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

/* What is left to do for a statement besides what its frame gathers. */
typedef struct TlGuardTask
{
	bool		all_definitions;	/* a type or schema changed its name */
	Oid			attached;		/* the relation of ATTACH PARTITION */
	Oid			triggered;		/* the relation of CREATE TRIGGER */
} TlGuardTask;

extern void tl_table_init(void);
extern bool tl_table_guard_active(void);
extern bool tl_table_is_test_ledger(void);
extern bool tl_table_guard_allows_truncate(Oid relation);
extern void tl_table_guard_suspend(void);
extern void tl_table_guard_resume(void);
tl_noreturn extern void tl_table_guard_refuse(Oid relation, const char *what,
											  const char *hint);
tl_noreturn extern void tl_table_guard_refuse_type(Oid type, Oid table,
												   const char *column);

#endif							/* TABLE_GUARD_H */
