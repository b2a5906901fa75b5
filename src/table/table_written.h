/*-------------------------------------------------------------------------
 *
 * table_written.h
 *	  Which ledger tables the current transaction has written.
 *
 *-------------------------------------------------------------------------
 */
#ifndef TABLE_WRITTEN_H
#define TABLE_WRITTEN_H

/* Called before the first row of a transaction goes into a relation. */
typedef void (*TlWrittenHook) (Oid relation);
extern PGDLLIMPORT TlWrittenHook tl_table_written_hook;

extern void tl_table_written_init(void);
extern void tl_table_written_note(Oid relation);
extern bool tl_table_written_any(void);
extern bool tl_table_written_relation(Oid relation);

#endif							/* TABLE_WRITTEN_H */
