/*-------------------------------------------------------------------------
 *
 * table_create.h
 *	  Completes a new ledger table, and checks one that was changed.
 *
 *-------------------------------------------------------------------------
 */
#ifndef TABLE_CREATE_H
#define TABLE_CREATE_H

extern bool tl_table_create_is_restored(Oid relation);
extern void tl_table_create_complete_all(void);
extern void tl_table_create_complete(Oid relation);
extern void tl_table_create_complete_parent(Oid relation);
extern void tl_table_create_convert(Oid relation);
extern void tl_table_create_check(Oid relation);
extern bool tl_table_create_internal(void);

#endif							/* TABLE_CREATE_H */
