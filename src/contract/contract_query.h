/*-------------------------------------------------------------------------
 *
 * contract_query.h
 *	  Do the queries of a contract's function give the same at every member?
 *
 *-------------------------------------------------------------------------
 */
#ifndef CONTRACT_QUERY_H
#define CONTRACT_QUERY_H

#include "nodes/parsenodes.h"

#include "contract_refusal.h"

/* What the function is. */
typedef struct TlQueryScope
{
	const char *where;			/* what a refusal names */
	Oid			schema;			/* of the contract */
	bool		pure;			/* IMMUTABLE: it computes with its arguments */
	bool		gives_value;	/* its last query's one row */
	bool		partly;			/* its rows are taken one by one, and perhaps not all */
} TlQueryScope;

extern void tl_contract_query(TlRefusals *refusals, const TlQueryScope *scope, List *queries);
extern void tl_contract_query_node(TlRefusals *refusals, const TlQueryScope *scope, Node *node);
extern const Node *tl_contract_query_expression(const Query *query);
extern bool tl_contract_query_has_one_row(const Query *query);
extern List *tl_contract_query_conjuncts(const Node *condition);
extern bool tl_contract_query_is_statement(Oid function);
extern bool tl_contract_query_is_ordered(const Query *query);
extern bool tl_contract_query_is_xml(Oid type);
extern bool tl_contract_query_is_float(Oid type);

#endif							/* CONTRACT_QUERY_H */
