/*-------------------------------------------------------------------------
 *
 * contract_words.h
 *	  What a contract's statement may not say, by its words alone.
 *
 *-------------------------------------------------------------------------
 */
#ifndef CONTRACT_WORDS_H
#define CONTRACT_WORDS_H

#include "nodes/parsenodes.h"

#include "contract_refusal.h"

extern void tl_contract_words(TlRefusals *refusals, const RawStmt *statement);
extern void tl_contract_words_expression(TlRefusals *refusals, Node *expression);
extern void tl_contract_words_alone(TlRefusals *refusals, const List *name, int location);

/* contract_words_table.c */
extern void tl_contract_words_table(TlRefusals *refusals, const CreateStmt *statement);
extern void tl_contract_words_column(TlRefusals *refusals, const ColumnDef *column, bool is_state);
extern void tl_contract_words_constraint(TlRefusals *refusals, const Constraint *constraint, bool is_state);
extern void tl_contract_words_constraints(TlRefusals *refusals, const List *constraints);
extern void tl_contract_words_collation(TlRefusals *refusals, const List *name, int location);
extern void tl_contract_words_type(TlRefusals *refusals, const TypeName *type);
extern void tl_contract_words_new_name(TlRefusals *refusals, const char *schema, int location);

#endif							/* CONTRACT_WORDS_H */
