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

/* What the function is called that handles rows of a table: this, and the table. */
#define TL_ROW_HANDLER_PREFIX	"on_"

extern Oid	tl_contract_entry_type(const char *name);
extern Oid	tl_contract_entry_context_type(void);
extern bool tl_contract_entry_takes(Oid function, Oid type);
extern Oid	tl_contract_entry_find(Oid schema, const char *name, Oid type);
extern char *tl_contract_entry_stem(const char *name, const char *suffix);
extern bool tl_contract_entry_is_entry(Oid function);
extern bool tl_contract_entry_is_row_handler(Oid function);
extern Oid	tl_contract_entry_of_table(Oid relation, bool *is_row_handler);
extern List *tl_contract_entry_statements(Oid function, bool replaced);
extern List *tl_contract_entry_drop_statements(Oid function);
extern Oid	tl_contract_entry_wrapper(Oid function);

#endif							/* CONTRACT_ENTRY_H */
