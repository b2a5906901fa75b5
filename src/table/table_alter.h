/*-------------------------------------------------------------------------
 *
 * table_alter.h
 *	  ALTER TABLE of a ledger table: what is refused, and what is rewritten.
 *
 *-------------------------------------------------------------------------
 */
#ifndef TABLE_ALTER_H
#define TABLE_ALTER_H

#include "nodes/parsenodes.h"

#include "table_access.h"
#include "table_guard.h"

extern void tl_table_alter_before(AlterTableStmt *statement,
								  TlAccessFrame *frame, TlGuardTask *task);
extern bool tl_table_alter_is_serial(const TypeName *type);

#endif							/* TABLE_ALTER_H */
