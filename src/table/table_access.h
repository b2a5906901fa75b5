/*-------------------------------------------------------------------------
 *
 * table_access.h
 *	  What happens to ledger tables by any path: the object access hook.
 *
 *-------------------------------------------------------------------------
 */
#ifndef TABLE_ACCESS_H
#define TABLE_ACCESS_H

#include "nodes/pg_list.h"

#include "table_encode.h"

/*
 * What one statement did, gathered by the hook and worked off by
 * table_guard.c when the statement has ended.  Lists live in
 * TopTransactionContext.
 */
typedef struct TlAccessFrame
{
	struct TlAccessFrame *outer;
	bool		may_create;		/* a statement that can make ledger tables */
	bool		wants_parent;	/* PARTITION BY ... USING ledger */
	bool		outside;		/* ALTER TABLE of what is no ledger table */
	bool		renames_label;	/* ALTER TYPE ... RENAME VALUE */
	List	   *created;		/* OIDs of new ledger tables */
	List	   *parents;		/* OIDs of new partitioned tables */
	List	   *touched;		/* OIDs of ledger tables to look at again */
	List	   *released;		/* those that may have lost a signature trigger */
	List	   *ended;			/* TlAccessEnd: dropped or truncated ones */
} TlAccessFrame;

typedef struct TlAccessEnd
{
	TlTableVersion *last;
	const char *action;
} TlAccessEnd;

extern void tl_table_access_init(void);
extern void tl_table_access_push(TlAccessFrame *frame);
extern void tl_table_access_pop(TlAccessFrame *frame);
extern void tl_table_access_touch(Oid relation);
extern void tl_table_access_release(Oid relation);
extern bool tl_table_access_is_unfinished(Oid relation);
extern void tl_table_access_refuse_extension_drop(void);
extern bool tl_table_access_type_in_use(Oid type, Oid *table,
										char **column);
extern bool tl_table_access_has_rows(Oid relation);

#endif							/* TABLE_ACCESS_H */
