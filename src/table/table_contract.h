/*-------------------------------------------------------------------------
 *
 * table_contract.h
 *	  What a contract has made, which nobody changes afterwards.
 *
 *-------------------------------------------------------------------------
 */
#ifndef TABLE_CONTRACT_H
#define TABLE_CONTRACT_H

#include "catalog/objectaccess.h"

/* ledger_internal.contract_schema */
#define Natts_contract_schema			3
#define Anum_contract_schema_schema		1
#define Anum_contract_schema_contract	2
#define Anum_contract_schema_indexes	3

extern void tl_table_contract_begin(const char *contract);
extern void tl_table_contract_end(void);
extern const char *tl_table_contract_running(void);
extern bool tl_table_contract_owns(Oid schema);
extern bool tl_table_contract_has_index(Oid schema, const char *name);
extern Oid	tl_table_contract_schema_of(Oid class_id, Oid object_id);
extern void tl_table_contract_guard(ObjectAccessType access, Oid class_id,
									Oid object_id, int sub_id, void *argument);
extern void tl_table_contract_guard_alter(Oid relation);

#endif							/* TABLE_CONTRACT_H */
