/*-------------------------------------------------------------------------
 *
 * contract_body.c
 *	  What a contract's function in PL/pgSQL may say, statement by statement.
 *
 * The tree that PL/pgSQL's own compiler makes is walked, with a list of the kinds
 * of statements that are allowed.  Each expression and query is read by PL/pgSQL's
 * own rules for names, and judged like the queries of functions in SQL
 * (contract_query.c).
 *
 * Statements run one after the other, and so do the expressions in them: each is
 * computed whenever its statement runs.  So it is certain which error comes first.
 * A loop takes the rows of a query in an order that leaves nothing open; since it
 * may stop, what the query computes cannot raise an error.
 *
 * Nothing catches errors, since a handler would turn an error of one server, a
 * full disk, into a result.  A loop does something in each round, so that its
 * statements can be counted (contract_meter.c).
 *
 * Refusals name the line of the statement, where the text of the function stands
 * in the source as it is.
 *
 * Invariants
 *	  B1  which statements run, and in which order, follows from the state and the
 *		  arguments
 *	  B2  a function that runs for ever runs statements for ever
 *	  B3  what a call ends with is said by RAISE, by ledger.require(), or by an error
 *		  that comes at every member
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "nodes/nodeFuncs.h"
#include "parser/parser.h"
#include "utils/builtins.h"
#include "utils/elog.h"
#include "utils/lsyscache.h"

#include "contract_body.h"
#include "contract_number.h"
#include "contract_variable.h"
#include "contract_words.h"

/* Of statements in statements, since a server's stack has to hold them. */
#define DEPTH_MAX		32

static void without_place(void *argument);
static void look_at_list(TlBody *body, const List *statements);
static void look_at_statement(TlBody *body, PLpgSQL_stmt *statement, const PLpgSQL_stmt *before);
static void refuse_statement(TlBody *body, const PLpgSQL_stmt *statement);
static void look_at_block(TlBody *body, const PLpgSQL_stmt_block *block);
static void look_at_default(TlBody *body, const PLpgSQL_variable *variable);
static void look_at_if(TlBody *body, const PLpgSQL_stmt_if *statement);
static void look_at_case(TlBody *body, const PLpgSQL_stmt_case *statement);
static void look_at_range(TlBody *body, const PLpgSQL_stmt_fori *loop);
static void look_at_rows(TlBody *body, const PLpgSQL_stmt_fors *loop);
static void look_at_elements(TlBody *body, const PLpgSQL_stmt_foreach_a *loop);
static void look_at_rounds(TlBody *body, const List *statements);
static void look_at_return(TlBody *body, const PLpgSQL_stmt_return *statement);
static Node *value_of_variable(TlBody *body, int number);
static void look_at_raise(TlBody *body, const PLpgSQL_stmt_raise *statement);
static void look_at_query(TlBody *body, const PLpgSQL_stmt_execsql *statement);
static void look_at_diagnostics(TlBody *body, const PLpgSQL_stmt_getdiag *statement,
								const PLpgSQL_stmt *before);
static void look_at_written(TlBody *body, PLpgSQL_expr *expression);
static void look_at_condition(TlBody *body, PLpgSQL_expr *expression);
static void look_at_value(TlBody *body, PLpgSQL_expr *expression, int variable);
static void look_at_kept(TlBody *body, const TargetEntry *target, const char *what, bool is_default);
static const TargetEntry *value(TlBody *body, PLpgSQL_expr *expression);
static Query *query_of(TlBody *body, PLpgSQL_expr *expression, bool gives_value, bool partly);
static bool is_statement(const Node *node);
static bool has_record(Node *node, void *context);
static void refuse(TlBody *body, const char *what, const char *why, const char *instead);

/* Its queries.  The scope is the function's; text is its source in PL/pgSQL. */
List *
tl_contract_body(TlRefusals *refusals, const TlQueryScope *scope, Oid function, const char *text)
{
	TlBody		body = {.refusals = refusals,.scope = *scope,.text = text,.begin = refusals->statement};
	const char *found = strstr(refusals->source + refusals->statement, text);
	ErrorContextCallback callback = {.previous = error_context_stack,.callback = without_place};
	PLpgSQL_execstate *outer;

	body.place = found == NULL ? -1 : (int) (found - refusals->source);
	error_context_stack = &callback;
	body.function = tl_contract_plpgsql_compile(function);
	if (tl_contract_number_in_source(text) >= 0)
		refuse(&body, "number", TL_CONTRACT_NUMBER_WHY, "a decimal number");
	if (strstr(text, "#option") != NULL || body.function->print_strict_params)
		refuse(&body, "#option", "it says more about the server than about the call", "leave it out");
	outer = body.function->cur_estate;
	tl_contract_variable_begin(&body);
	PG_TRY();
	{
		body.function->cur_estate = &body.state;
		look_at_block(&body, body.function->action);
	}
	PG_FINALLY();
	{
		body.function->cur_estate = outer;
	}
	PG_END_TRY();
	error_context_stack = callback.previous;
	refusals->statement = body.begin;
	return body.queries;
}

/* An error's place is one in an expression, and the line is known. */
static void
without_place(void *argument)
{
	errposition(0);
	internalerrposition(0);
	internalerrquery(NULL);
}

static void
look_at_list(TlBody *body, const List *statements)
{
	const PLpgSQL_stmt *before = NULL;
	ListCell   *cell;

	if (body->depth >= DEPTH_MAX)
	{
		refuse(body, "nesting", psprintf("a server may not be able to go deeper than %d statements", DEPTH_MAX),
			   "several functions");
		return;
	}
	body->depth++;
	foreach(cell, statements)
	{
		PLpgSQL_stmt *statement = lfirst(cell);

		tl_contract_variable_line(body, statement->lineno);
		look_at_statement(body, statement, before);
		before = statement;
	}
	body->depth--;
}

/* B1: a list of what is allowed. */
static void
look_at_statement(TlBody *body, PLpgSQL_stmt *statement, const PLpgSQL_stmt *before)
{
	switch (statement->cmd_type)
	{
		case PLPGSQL_STMT_BLOCK:
			look_at_block(body, (PLpgSQL_stmt_block *) statement);
			break;
		case PLPGSQL_STMT_ASSIGN:
			look_at_value(body, ((PLpgSQL_stmt_assign *) statement)->expr, ((PLpgSQL_stmt_assign *) statement)->varno);
			break;
		case PLPGSQL_STMT_IF:
			look_at_if(body, (PLpgSQL_stmt_if *) statement);
			break;
		case PLPGSQL_STMT_CASE:
			look_at_case(body, (PLpgSQL_stmt_case *) statement);
			break;
		case PLPGSQL_STMT_LOOP:
			look_at_rounds(body, ((PLpgSQL_stmt_loop *) statement)->body);
			break;
		case PLPGSQL_STMT_WHILE:
			look_at_condition(body, ((PLpgSQL_stmt_while *) statement)->cond);
			look_at_rounds(body, ((PLpgSQL_stmt_while *) statement)->body);
			break;
		case PLPGSQL_STMT_FORI:
			look_at_range(body, (PLpgSQL_stmt_fori *) statement);
			break;
		case PLPGSQL_STMT_FORS:
			look_at_rows(body, (PLpgSQL_stmt_fors *) statement);
			break;
		case PLPGSQL_STMT_FOREACH_A:
			look_at_elements(body, (PLpgSQL_stmt_foreach_a *) statement);
			break;
		case PLPGSQL_STMT_EXIT:
			look_at_condition(body, ((PLpgSQL_stmt_exit *) statement)->cond);
			break;
		case PLPGSQL_STMT_RETURN:
			look_at_return(body, (PLpgSQL_stmt_return *) statement);
			break;
		case PLPGSQL_STMT_RAISE:
			look_at_raise(body, (PLpgSQL_stmt_raise *) statement);
			break;
		case PLPGSQL_STMT_EXECSQL:
			look_at_query(body, (PLpgSQL_stmt_execsql *) statement);
			break;
		case PLPGSQL_STMT_PERFORM:
			(void) query_of(body, ((PLpgSQL_stmt_perform *) statement)->expr, false, false);
			break;
		case PLPGSQL_STMT_GETDIAG:
			look_at_diagnostics(body, (PLpgSQL_stmt_getdiag *) statement, before);
			break;
		default:
			refuse_statement(body, statement);
	}
}

static void
refuse_statement(TlBody *body, const PLpgSQL_stmt *statement)
{
	switch (statement->cmd_type)
	{
		case PLPGSQL_STMT_DYNEXECUTE:
		case PLPGSQL_STMT_DYNFORS:
			refuse(body, "EXECUTE", "what it will say cannot be judged", "the statement itself");
			break;
		case PLPGSQL_STMT_FORC:
		case PLPGSQL_STMT_OPEN:
		case PLPGSQL_STMT_FETCH:
		case PLPGSQL_STMT_CLOSE:
			refuse(body, "cursor", "what it gives depends on when it is read",
				   "FOR ... IN SELECT ... ORDER BY the primary key");
			break;
		case PLPGSQL_STMT_RETURN_NEXT:
		case PLPGSQL_STMT_RETURN_QUERY:
			refuse(body, "RETURN NEXT or RETURN QUERY", "it makes rows without a limit", "a state table");
			break;
		case PLPGSQL_STMT_ASSERT:
			refuse(body, "ASSERT", "a server can leave it out", "ledger.require(), or RAISE EXCEPTION");
			break;
		default:
			refuse(body, "statement", "contracts have no such statements",
				   "assignments, IF, CASE, loops, RETURN, RAISE EXCEPTION, PERFORM, SELECT INTO, INSERT, UPDATE, DELETE");
	}
}

/* B3 */
static void
look_at_block(TlBody *body, const PLpgSQL_stmt_block *block)
{
	for (int i = 0; i < block->n_initvars; i++)
		look_at_default(body, (PLpgSQL_variable *) body->state.datums[block->initvarnos[i]]);
	if (block->exceptions != NULL)
		refuse(body, "EXCEPTION", "a handler would make a result out of what went wrong at one server",
			   "conditions that are asked for before");
	look_at_list(body, block->body);
}

static void
look_at_default(TlBody *body, const PLpgSQL_variable *variable)
{
	const TargetEntry *target;

	if ((variable->dtype != PLPGSQL_DTYPE_VAR && variable->dtype != PLPGSQL_DTYPE_REC) ||
		variable->default_val == NULL)
		return;
	tl_contract_variable_line(body, variable->lineno);
	target = value(body, variable->default_val);
	if (target == NULL)
		return;
	if (variable->dtype != PLPGSQL_DTYPE_VAR || ((const PLpgSQL_var *) variable)->datatype->typlen < 0)
		look_at_kept(body, target, "DECLARE", true);
	tl_contract_variable_assign(body, variable->dno, tl_contract_variable_value(target->expr));
}

static void
look_at_if(TlBody *body, const PLpgSQL_stmt_if *statement)
{
	ListCell   *cell;

	look_at_condition(body, statement->cond);
	look_at_list(body, statement->then_body);
	foreach(cell, statement->elsif_list)
	{
		const PLpgSQL_if_elsif *arm = lfirst(cell);

		tl_contract_variable_line(body, arm->lineno);
		look_at_condition(body, arm->cond);
		look_at_list(body, arm->stmts);
	}
	look_at_list(body, statement->else_body);
}

/* CASE value WHEN: the value is kept in a variable that has its type. */
static void
look_at_case(TlBody *body, const PLpgSQL_stmt_case *statement)
{
	ListCell   *cell;

	if (statement->t_expr != NULL)
	{
		const TargetEntry *tested = value(body, statement->t_expr);

		if (tested == NULL)
			return;
		look_at_kept(body, tested, "CASE", false);
		tl_contract_variable_shape(body, statement->t_varno, exprType((Node *) tested->expr),
								   exprTypmod((Node *) tested->expr));
	}
	foreach(cell, statement->case_when_list)
	{
		const PLpgSQL_case_when *arm = lfirst(cell);

		tl_contract_variable_line(body, arm->lineno);
		look_at_condition(body, arm->expr);
		look_at_list(body, arm->stmts);
	}
	look_at_list(body, statement->else_stmts);
}

static void
look_at_range(TlBody *body, const PLpgSQL_stmt_fori *loop)
{
	look_at_value(body, loop->lower, loop->var->dno);
	look_at_value(body, loop->upper, loop->var->dno);
	if (loop->step != NULL)
		look_at_value(body, loop->step, loop->var->dno);
	look_at_rounds(body, loop->body);
}

/* It may stop before the last row, and members store rows in different orders. */
static void
look_at_rows(TlBody *body, const PLpgSQL_stmt_fors *loop)
{
	Query	   *query = query_of(body, loop->query, false, true);

	if (query != NULL && query->commandType != CMD_SELECT)
		refuse(body, "FOR ... IN", "it makes rows while it changes them", "SELECT");
	else if (query != NULL)
	{
		if (!tl_contract_query_is_ordered(query))
			refuse(body, "FOR ... IN SELECT", "it is not certain which row comes first",
				   "ORDER BY each column of the primary keys (text under COLLATE \"C\"), or of GROUP BY");
		tl_contract_variable_assign_row(body, loop->var->dno, query);
	}
	look_at_rounds(body, loop->body);
}

static void
look_at_elements(TlBody *body, const PLpgSQL_stmt_foreach_a *loop)
{
	const TargetEntry *array = value(body, loop->expr);
	Oid			element = InvalidOid;

	if (loop->slice > 0)
		refuse(body, "SLICE", "contracts have none yet", "FOREACH without it");
	else if (array != NULL)
	{
		look_at_kept(body, array, "FOREACH", false);
		element = get_element_type(getBaseType(exprType((Node *) array->expr)));
		if (OidIsValid(element))
			tl_contract_variable_assign(body, loop->varno,
										tl_contract_variable_value_of(element, exprTypmod((Node *) array->expr)));
		else
			refuse(body, "FOREACH", "it is not over an array", "an array");
	}
	look_at_rounds(body, loop->body);
}

/* B2 */
static void
look_at_rounds(TlBody *body, const List *statements)
{
	if (statements == NIL)
		refuse(body, "loop that does nothing", "what is not done cannot be counted", "leave it out");
	look_at_list(body, statements);
}

static void
look_at_return(TlBody *body, const PLpgSQL_stmt_return *statement)
{
	Oid			result = body->function->fn_rettype;
	const TargetEntry *target;

	if (statement->retvarno >= 0)
		tl_contract_variable_cast(body, value_of_variable(body, statement->retvarno), result, -1);
	else if (statement->expr != NULL)
	{
		target = value(body, statement->expr);
		if (target != NULL && result != VOIDOID)
			tl_contract_variable_cast(body, tl_contract_variable_value(target->expr), result, -1);
	}
}

static Node *
value_of_variable(TlBody *body, int number)
{
	const PLpgSQL_var *variable = (PLpgSQL_var *) body->state.datums[number];

	if (variable->dtype == PLPGSQL_DTYPE_VAR)
		return tl_contract_variable_value_of(variable->datatype->typoid, variable->datatype->atttypmod);
	return tl_contract_variable_value_of(tl_contract_plpgsql_datum_type(&body->state, (PLpgSQL_datum *) variable), -1);
}

/* B3 */
static void
look_at_raise(TlBody *body, const PLpgSQL_stmt_raise *statement)
{
	ListCell   *cell;

	if (statement->elog_level < ERROR)
		refuse(body, "RAISE", "nobody reads what it says to a server", "RAISE EXCEPTION, or a state table");
	else if (statement->condname == NULL && statement->message == NULL && statement->options == NIL)
		refuse(body, "RAISE", "there is no error that it could raise again", "RAISE EXCEPTION 'a message'");
	foreach(cell, statement->params)
		look_at_written(body, lfirst(cell));
	foreach(cell, statement->options)
	{
		const PLpgSQL_raise_option *option = lfirst(cell);

		if (option->opt_type == PLPGSQL_RAISEOPTION_MESSAGE || option->opt_type == PLPGSQL_RAISEOPTION_ERRCODE)
			look_at_written(body, option->expr);
		else
			refuse(body, "RAISE ... USING", "an outcome has one message and nothing beside it",
				   "MESSAGE and ERRCODE");
	}
}

static void
look_at_query(TlBody *body, const PLpgSQL_stmt_execsql *statement)
{
	Query	   *query = query_of(body, statement->sqlstmt, false, false);

	if (query == NULL || query->commandType != CMD_SELECT)
		return;					/* RETURNING is refused there */
	if (!statement->into)
	{
		refuse(body, "SELECT", "nothing takes its result", "SELECT ... INTO, or PERFORM");
		return;
	}
	if (!statement->strict && !tl_contract_query_has_one_row(query))
		refuse(body, "SELECT INTO", "it is not certain which row gives the value",
			   "INTO STRICT, an aggregate (min, max, count), or a condition on each column of the primary key");
	tl_contract_variable_assign_row(body, statement->target->dno, query);
}

/* Which other statements leave a count, and which one, differs among releases. */
static void
look_at_diagnostics(TlBody *body, const PLpgSQL_stmt_getdiag *statement, const PLpgSQL_stmt *before)
{
	ListCell   *cell;

	foreach(cell, statement->diag_items)
	{
		const PLpgSQL_diag_item *item = lfirst(cell);

		if (statement->is_stacked || item->kind != PLPGSQL_GETDIAG_ROW_COUNT)
			refuse(body, "GET DIAGNOSTICS", "it is about the server, and not about the call", "ROW_COUNT");
		else if (before == NULL || (before->cmd_type != PLPGSQL_STMT_EXECSQL && before->cmd_type != PLPGSQL_STMT_PERFORM))
			refuse(body, "GET DIAGNOSTICS", "it is not certain which statement it counts for",
				   "right behind an INSERT, UPDATE, DELETE, PERFORM or SELECT INTO");
		else
			tl_contract_variable_assign(body, item->target, tl_contract_variable_value_of(INT8OID, -1));
	}
}

/* In a message. */
static void
look_at_written(TlBody *body, PLpgSQL_expr *expression)
{
	const TargetEntry *target = value(body, expression);

	if (target != NULL)
		tl_contract_variable_written(body, exprType((Node *) target->expr));
}

static void
look_at_condition(TlBody *body, PLpgSQL_expr *expression)
{
	const TargetEntry *target = expression == NULL ? NULL : value(body, expression);

	if (target != NULL)
		tl_contract_variable_cast(body, tl_contract_variable_value(target->expr), BOOLOID, -1);
}

/* What is assigned to a variable. */
static void
look_at_value(TlBody *body, PLpgSQL_expr *expression, int variable)
{
	const TargetEntry *target = value(body, expression);

	if (target != NULL)
		tl_contract_variable_assign(body, variable, tl_contract_variable_value(target->expr));
}

/*
 * What is kept beside assignments, where the meter does not see it in time, does not
 * grow: it has a fixed length, is a constant, or is there already.  A block assigns all
 * of its defaults at once, so copies are refused there.
 */
static void
look_at_kept(TlBody *body, const TargetEntry *target, const char *what, bool is_default)
{
	const Node *node = (const Node *) target->expr;
	Oid			type = getBaseType(exprType(node));

	while (IsA(node, RelabelType))
		node = (const Node *) ((const RelabelType *) node)->arg;
	if (get_typlen(type) > 0 || type == NUMERICOID || type == UNKNOWNOID || IsA(node, Const) ||
		(!is_default && (IsA(node, Param) || IsA(node, FieldSelect))) ||
		(!is_default && IsA(node, ArrayExpr) && get_typlen(getBaseType(((const ArrayExpr *) node)->element_typeid)) > 0))
		return;
	refuse(body, what, psprintf("a server may not be able to hold the %s that it computes", format_type_be(type)),
		   "an assignment before it, or behind BEGIN");
}

/* The one column of its one row; NULL where it was refused. */
static const TargetEntry *
value(TlBody *body, PLpgSQL_expr *expression)
{
	const Query *query = query_of(body, expression, true, false);
	const TargetEntry *result = NULL;
	ListCell   *cell;

	if (query == NULL)
		return NULL;
	foreach(cell, query->targetList)
	{
		const TargetEntry *target = lfirst_node(TargetEntry, cell);

		if (target->resjunk)
			continue;
		if (result != NULL || query->commandType != CMD_SELECT)
		{
			refuse(body, "expression", "it gives several values", "one value");
			return NULL;
		}
		result = target;
	}
	if (result == NULL)
		refuse(body, "expression", "it gives no value", "one value");
	return result;
}

/* As PL/pgSQL reads it, and judged.  NULL where its words are refused. */
static Query *
query_of(TlBody *body, PLpgSQL_expr *expression, bool gives_value, bool partly)
{
	PLpgSQL_expr copy = *expression;
	List	   *statements = raw_parser(expression->query, expression->parseMode);
	int			before = tl_contract_count(body->refusals);
	RawStmt    *statement;
	Query	   *query;

	if (list_length(statements) != 1 || !is_statement(linitial_node(RawStmt, statements)->stmt))
	{
		refuse(body, "statement", "contracts have no such statements", "SELECT, INSERT, UPDATE, DELETE");
		return NULL;
	}
	statement = linitial_node(RawStmt, statements);
	body->refusals->generated = true;	/* places are those in the expression */
	tl_contract_words_expression(body->refusals, statement->stmt);
	body->refusals->generated = false;
	if (tl_contract_count(body->refusals) > before)
		return NULL;
	copy.func = body->function;
	copy.paramnos = NULL;
	query = tl_contract_plpgsql_analyze(&copy, statement);
	body->scope.gives_value = gives_value;
	body->scope.partly = partly;
	tl_contract_query(body->refusals, &body->scope, list_make1(query));
	if (has_record((Node *) query, NULL))
		refuse(body, "record", "its columns are not known where it is read as a whole", "its columns one by one");
	body->queries = lappend(body->queries, query);
	return query;
}

static bool
is_statement(const Node *node)
{
	return IsA(node, SelectStmt) || IsA(node, InsertStmt) || IsA(node, UpdateStmt) || IsA(node, DeleteStmt) ||
		IsA(node, PLAssignStmt);
}

static bool
has_record(Node *node, void *context)
{
	if (node == NULL)
		return false;
	if (IsA(node, Query))
		return query_tree_walker((Query *) node, has_record, context, 0);
	if (IsA(node, Param) && ((Param *) node)->paramtype == RECORDOID)
		return true;
	return expression_tree_walker(node, has_record, context);
}

static void
refuse(TlBody *body, const char *what, const char *why, const char *instead)
{
	tl_contract_refuse_within(body->refusals, body->scope.where, what, why, instead);
}
