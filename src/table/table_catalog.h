/*-------------------------------------------------------------------------
 *
 * table_catalog.h
 *	  Which relations are ledger tables.
 *
 *-------------------------------------------------------------------------
 */
#ifndef TABLE_CATALOG_H
#define TABLE_CATALOG_H

#include "nodes/pg_list.h"

#include "table_row.h"

/* ledger_internal.ledger_table */
#define Natts_ledger_table				2
#define Anum_ledger_table_relation		1
#define Anum_ledger_table_table_id		2

/* ledger_internal.ledger_parent */
#define Natts_ledger_parent				2
#define Anum_ledger_parent_relation		1
#define Anum_ledger_parent_table_id		2

extern Oid	tl_table_catalog_access_method(void);
extern Oid	tl_table_catalog_own(const char *name);
extern bool tl_table_catalog_is_ledger(Oid relation);
extern bool tl_table_catalog_is_parent(Oid relation);
extern bool tl_table_catalog_is_bound(Oid relation);
extern bool tl_table_catalog_is_chosen(const char *method);
extern bool tl_table_catalog_touches_ledger(Oid relation);
extern bool tl_table_catalog_id(uint8_t table_id[TL_TABLE_ID_SIZE],
								Oid relation);
extern bool tl_table_catalog_parent_id(uint8_t table_id[TL_TABLE_ID_SIZE],
									   Oid relation);
extern List *tl_table_catalog_tables(void);
extern List *tl_table_catalog_all(void);
extern void tl_table_catalog_add(Oid relation,
								 const uint8_t table_id[TL_TABLE_ID_SIZE]);
extern void tl_table_catalog_remove(Oid relation);
extern void tl_table_catalog_add_parent(Oid relation,
										const uint8_t table_id[TL_TABLE_ID_SIZE]);
extern void tl_table_catalog_remove_parent(Oid relation);

#endif							/* TABLE_CATALOG_H */
