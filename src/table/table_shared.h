/*-------------------------------------------------------------------------
 *
 * table_shared.h
 *	  Shared tables: ledger tables whose rows go to all members.
 *
 *-------------------------------------------------------------------------
 */
#ifndef TABLE_SHARED_H
#define TABLE_SHARED_H

#include "table_row.h"

/* ledger_internal.shared_table */
#define Natts_shared_table				4
#define Anum_shared_table_relation		1
#define Anum_shared_table_table_id		2
#define Anum_shared_table_contract		3
#define Anum_shared_table_height		4

extern bool tl_table_is_shared(Oid relation);
extern Oid	tl_table_shared_relation(const uint8_t table_id[TL_TABLE_ID_SIZE]);
extern void tl_table_shared_id(uint8_t table_id[TL_TABLE_ID_SIZE],
							   const char *instance, const char *table);
extern void tl_table_shared_mark(Oid relation,
								 const uint8_t table_id[TL_TABLE_ID_SIZE],
								 const char *contract, int64_t height);

#endif							/* TABLE_SHARED_H */
