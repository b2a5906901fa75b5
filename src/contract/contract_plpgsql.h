/*-------------------------------------------------------------------------
 *
 * contract_plpgsql.h
 *	  PL/pgSQL, as this server has it.
 *
 *-------------------------------------------------------------------------
 */
#ifndef CONTRACT_PLPGSQL_H
#define CONTRACT_PLPGSQL_H

#include "nodes/parsenodes.h"
#include "parser/parse_node.h"
#include "plpgsql.h"

extern bool tl_contract_plpgsql_is(Oid function);
extern void tl_contract_plpgsql_pin(void);
extern PLpgSQL_function *tl_contract_plpgsql_compile(Oid function);
extern Query *tl_contract_plpgsql_analyze(PLpgSQL_expr *expression, RawStmt *statement);
extern Oid	tl_contract_plpgsql_datum_type(PLpgSQL_execstate *state, PLpgSQL_datum *datum);
extern PLpgSQL_type *tl_contract_plpgsql_type(Oid type, int32 modifier, Oid collation);
extern const PLpgSQL_expr *tl_contract_plpgsql_source(const ParseState *state);

#endif							/* CONTRACT_PLPGSQL_H */
