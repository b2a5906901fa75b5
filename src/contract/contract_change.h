/*-------------------------------------------------------------------------
 *
 * contract_change.h
 *	  What a new version of a contract changes of what is there.
 *
 *-------------------------------------------------------------------------
 */
#ifndef CONTRACT_CHANGE_H
#define CONTRACT_CHANGE_H

#include "nodes/parsenodes.h"

#include "contract_refusal.h"

/* The function that a statement is while it is judged and run. */
#define TL_MIGRATION	"ledger_migration"

extern bool tl_contract_change_words(TlRefusals *refusals, Node *statement);

/* False if it is none of these statements, and nothing was done. */
extern bool tl_contract_change_run(TlRefusals *refusals, const RawStmt *statement, const char *text);

/* contract_migrate.c */
extern void tl_contract_migrate(TlRefusals *refusals, const RawStmt *statement, const char *text);

/* contract_again.c */
extern void tl_contract_again_needed(TlRefusals *refusals);
extern void tl_contract_again(TlRefusals *refusals);
extern void tl_contract_again_compile(TlRefusals *refusals);
extern bool tl_contract_again_is_cyclic(Oid function, Oid schema);
extern void tl_contract_again_refuse_cycle(TlRefusals *refusals, Oid function);

/* contract_names.c */
extern void tl_contract_names_begin(Oid schema);
extern void tl_contract_names_end(Oid schema);
extern void tl_contract_names_forget(void);
extern const char *tl_contract_names_own(Oid index);
extern bool tl_contract_names_lost(void);

#endif							/* CONTRACT_CHANGE_H */
