/*-------------------------------------------------------------------------
 *
 * contract_variable.h
 *	  The variables of a function in PL/pgSQL, and what is assigned to them.
 *
 *-------------------------------------------------------------------------
 */
#ifndef CONTRACT_VARIABLE_H
#define CONTRACT_VARIABLE_H

#include "contract_plpgsql.h"
#include "contract_query.h"

/* One function that is looked at. */
typedef struct TlBody
{
	TlRefusals *refusals;
	TlQueryScope scope;
	PLpgSQL_function *function;
	PLpgSQL_execstate state;	/* its variables, as far as they are known */
	Bitmapset  *shaped;			/* records whose columns are known */
	List	   *queries;		/* all that it says */
	const char *text;			/* of the function */
	int			begin;			/* offset of its statement in the source */
	int			place;			/* of its text there; below 0: written with doubled quotes */
	int			line;			/* one of its lines, and how far behind its place that begins */
	int			line_offset;
	int			depth;			/* of statements in statements */
} TlBody;

extern void tl_contract_variable_begin(TlBody *body);
extern void tl_contract_variable_line(TlBody *body, int line);
extern Node *tl_contract_variable_value(const Expr *expression);
extern Node *tl_contract_variable_value_of(Oid type, int32 modifier);
extern void tl_contract_variable_assign(TlBody *body, int number, Node *value);
extern void tl_contract_variable_assign_row(TlBody *body, int number, const Query *query);
extern void tl_contract_variable_shape(TlBody *body, int number, Oid type, int32 modifier);
extern void tl_contract_variable_cast(TlBody *body, Node *value, Oid target, int32 target_modifier);
extern void tl_contract_variable_written(TlBody *body, Oid type);

#endif							/* CONTRACT_VARIABLE_H */
