/*-------------------------------------------------------------------------
 *
 * contract_entry.h
 *	  Entry points of contracts: what can be called, and by what rows.
 *
 *-------------------------------------------------------------------------
 */
#ifndef CONTRACT_ENTRY_H
#define CONTRACT_ENTRY_H

#include "nodes/pg_list.h"

/* What the table of an entry point's calls is called: the entry point, and this. */
#define TL_CALL_TABLE_SUFFIX	"_call"

extern Oid	tl_contract_entry_context_type(void);
extern bool tl_contract_entry_is_entry(Oid function);
extern Oid	tl_contract_entry_of_table(Oid relation);
extern List *tl_contract_entry_statements(Oid function);

#endif							/* CONTRACT_ENTRY_H */
