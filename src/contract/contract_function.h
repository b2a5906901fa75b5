/*-------------------------------------------------------------------------
 *
 * contract_function.h
 *	  What a contract's function may be: by its words, and in the catalogs.
 *
 *-------------------------------------------------------------------------
 */
#ifndef CONTRACT_FUNCTION_H
#define CONTRACT_FUNCTION_H

#include "nodes/parsenodes.h"

#include "contract_refusal.h"

extern void tl_contract_words_function(TlRefusals *refusals, const CreateFunctionStmt *statement);
extern List *tl_contract_function_queries(Oid function);
extern void tl_contract_function_type(TlRefusals *refusals, Oid type, Oid schema);
extern void tl_contract_function_again(TlRefusals *refusals, Oid function, Oid schema);
extern List *tl_contract_function_all_queries(const TlRefusals *refusals, Oid function);
extern Oid	tl_contract_function_find(const char *name, Oid schema);
extern Oid	tl_contract_function_made(const CreateFunctionStmt *statement, Oid schema);
extern void tl_contract_function(TlRefusals *refusals, const CreateFunctionStmt *statement, Oid schema);

#endif							/* CONTRACT_FUNCTION_H */
