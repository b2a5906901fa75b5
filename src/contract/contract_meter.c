/*-------------------------------------------------------------------------
 *
 * contract_meter.c
 *	  What functions in PL/pgSQL do while a call runs: counted, and looked at.
 *
 * PL/pgSQL tells a plugin of each statement before and after it runs.  One that is
 * there already is told by us.
 *
 * Which statements run follows from the chain (contract_body.c), so their number
 * is the same at every member, whatever plans they have and whatever a session has
 * kept of earlier calls.  A call that runs more than STATEMENTS_MAX has failed.  What
 * may change rows counts as STATEMENT_PRICE: changes of one row by one call get dearer
 * with each, as the versions that it has left cannot go before the block is applied.
 * So has one whose function lets its variables grow beyond VARIABLES_SIZE_MAX:
 * values are counted as they are without compression, which differs among servers.
 *
 * Names in PL/pgSQL are looked up when it runs.  What the contract's own schema has
 * cannot change, but somebody may put a function, type or collation into
 * pg_catalog here.  So whatever a statement means is looked at when it is analysed,
 * and what is neither PostgreSQL's own nor the contract's nor the library's is an
 * error of this server: its calls wait until that is gone.
 *
 * Invariants
 *	  W1  the number of statements that a call may run is the same at every member
 *	  W2  what a name means in a call is what it meant when the contract was judged
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/detoast.h"
#include "access/transam.h"
#include "catalog/namespace.h"
#include "catalog/pg_type.h"
#include "fmgr.h"
#include "nodes/nodeFuncs.h"
#include "parser/analyze.h"
#include "utils/builtins.h"
#include "utils/expandeddatum.h"
#include "utils/expandedrecord.h"
#include "utils/lsyscache.h"
#include "utils/syscache.h"

#include "contract_expression.h"
#include "contract_meter.h"
#include "contract_plpgsql.h"
#include "tl_error.h"

#define STATEMENTS_MAX			100000
#define STATEMENT_PRICE			10	/* of SQL, and of a call of another function */
#define VARIABLES_SIZE_MAX		(16 * 1024 * 1024)

/* Below this, a value that was assigned is no reason to look at the others. */
#define VALUE_SIZE_SMALL		8192

static void on_setup(PLpgSQL_execstate *state, PLpgSQL_function *function);
static void on_begin(PLpgSQL_execstate *state, PLpgSQL_function *function);
static void on_end(PLpgSQL_execstate *state, PLpgSQL_function *function);
static void on_statement(PLpgSQL_execstate *state, PLpgSQL_stmt *statement);
static void on_statement_end(PLpgSQL_execstate *state, PLpgSQL_stmt *statement);
static bool is_watched(const PLpgSQL_function *function);
static void check_types(const PLpgSQL_execstate *state);
static int	target_of(const PLpgSQL_stmt *statement);
static void check_size(const PLpgSQL_execstate *state, int number);
static Size size_of(const PLpgSQL_execstate *state, int number);
static Size size_of_value(Datum value, int16 length);
static void on_analyze(ParseState *state, Query *query, JumbleState *jumble);
static bool walker(Node *node, void *context);
static bool is_foreign_function(Oid function, void *context);
static bool is_foreign(Oid object, Oid namespace);
static void check_type(Oid type);
static void check_collation(Oid collation);
tl_noreturn static void refuse(const char *kind, const char *name);

static PLpgSQL_plugin plugin = {
	.func_setup = on_setup,.func_beg = on_begin,.func_end = on_end,
	.stmt_beg = on_statement,.stmt_end = on_statement_end
};

static post_parse_analyze_hook_type next_analyze = NULL;

/* Of the call that runs. */
static Oid	schema = InvalidOid;
static PLpgSQL_plugin *next = NULL;
static int	statements = 0;
static Oid	last = InvalidOid;		/* the function of the last statement */
static bool last_is_watched = false;

void
tl_contract_meter_init(void)
{
	next_analyze = post_parse_analyze_hook;
	post_parse_analyze_hook = on_analyze;
}

void
tl_contract_meter_begin(Oid contract_schema)
{
	PLpgSQL_plugin **place = (PLpgSQL_plugin **) find_rendezvous_variable("PLpgSQL_plugin");

	schema = contract_schema;
	statements = 0;
	last = InvalidOid;
	next = *place;
	*place = &plugin;
}

/* Also where it has not begun. */
void
tl_contract_meter_end(void)
{
	PLpgSQL_plugin **place = (PLpgSQL_plugin **) find_rendezvous_variable("PLpgSQL_plugin");

	if (*place == &plugin)
		*place = next;
	schema = InvalidOid;
	next = NULL;
}

/* PL/pgSQL has just filled in what a plugin may call. */
static void
on_setup(PLpgSQL_execstate *state, PLpgSQL_function *function)
{
	if (next == NULL)
		return;
	next->error_callback = plugin.error_callback;
	next->assign_expr = plugin.assign_expr;
	next->assign_value = plugin.assign_value;
	next->eval_datum = plugin.eval_datum;
	next->cast_value = plugin.cast_value;
	if (next->func_setup != NULL)
		next->func_setup(state, function);
}

static void
on_begin(PLpgSQL_execstate *state, PLpgSQL_function *function)
{
	if (is_watched(function))
	{
		check_types(state);
		for (int i = 0; i < function->fn_nargs; i++)
			check_size(state, function->fn_argvarnos[i]);
	}
	if (next != NULL && next->func_beg != NULL)
		next->func_beg(state, function);
}

static void
on_end(PLpgSQL_execstate *state, PLpgSQL_function *function)
{
	if (next != NULL && next->func_end != NULL)
		next->func_end(state, function);
}

/* W1 */
static void
on_statement(PLpgSQL_execstate *state, PLpgSQL_stmt *statement)
{
	if (is_watched(state->func))
		statements += statement->cmd_type == PLPGSQL_STMT_EXECSQL ||
			statement->cmd_type == PLPGSQL_STMT_PERFORM ? STATEMENT_PRICE : 1;
	if (statements > STATEMENTS_MAX)
		ereport(ERROR,
				errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
				errmsg("the call runs more than %d statements", STATEMENTS_MAX),
				errdetail("A statement of SQL, and PERFORM, counts as %d.", STATEMENT_PRICE),
				errhint("Do less in one call: several calls, or queries in place of loops."));
	if (next != NULL && next->stmt_beg != NULL)
		next->stmt_beg(state, statement);
}

static void
on_statement_end(PLpgSQL_execstate *state, PLpgSQL_stmt *statement)
{
	int			target = target_of(statement);

	if (target >= 0 && is_watched(state->func))
		check_size(state, target);
	if (next != NULL && next->stmt_end != NULL)
		next->stmt_end(state, statement);
}

/* Functions of the library are not the contract's. */
static bool
is_watched(const PLpgSQL_function *function)
{
	if (function->fn_oid != last)
	{
		last_is_watched = get_func_namespace(function->fn_oid) == schema;
		last = function->fn_oid;
	}
	return last_is_watched;
}

/* W2 */
static void
check_types(const PLpgSQL_execstate *state)
{
	for (int i = 0; i < state->ndatums; i++)
	{
		const PLpgSQL_datum *datum = state->datums[i];

		if (datum->dtype == PLPGSQL_DTYPE_VAR)
			check_type(((const PLpgSQL_var *) datum)->datatype->typoid);
		else if (datum->dtype == PLPGSQL_DTYPE_REC)
			check_type(((const PLpgSQL_rec *) datum)->rectypeid);
	}
}

/* What it assigns to; below 0 if nothing that can grow. */
static int
target_of(const PLpgSQL_stmt *statement)
{
	if (statement->cmd_type == PLPGSQL_STMT_ASSIGN)
		return ((const PLpgSQL_stmt_assign *) statement)->varno;
	if (statement->cmd_type == PLPGSQL_STMT_EXECSQL && ((const PLpgSQL_stmt_execsql *) statement)->into)
		return ((const PLpgSQL_stmt_execsql *) statement)->target->dno;
	if (statement->cmd_type == PLPGSQL_STMT_FORS)
		return ((const PLpgSQL_stmt_fors *) statement)->var->dno;
	if (statement->cmd_type == PLPGSQL_STMT_FOREACH_A)
		return ((const PLpgSQL_stmt_foreach_a *) statement)->varno;
	return -1;
}

static void
check_size(const PLpgSQL_execstate *state, int number)
{
	Size		size = size_of(state, number);

	if (size <= VALUE_SIZE_SMALL)
		return;
	size = 0;
	for (int i = 0; i < state->ndatums; i++)
		if (state->datums[i]->dtype == PLPGSQL_DTYPE_VAR || state->datums[i]->dtype == PLPGSQL_DTYPE_REC)
			size += size_of(state, i);
	if (size > VARIABLES_SIZE_MAX)
		ereport(ERROR,
				errcode(TL_ERRCODE(TL_TOO_LARGE)),
				errmsg("the variables of function %s have %zu bytes", state->func->fn_signature, size),
				errdetail("At most %d can be held.", VARIABLES_SIZE_MAX),
				errhint("Keep what is long in a state table."));
}

/* Without compression.  Records and arrays hold no composites (contract_variable.c). */
static Size
size_of(const PLpgSQL_execstate *state, int number)
{
	const PLpgSQL_datum *datum = state->datums[number];
	const PLpgSQL_var *variable = (const PLpgSQL_var *) datum;
	const PLpgSQL_row *row = (const PLpgSQL_row *) datum;
	ExpandedRecordHeader *record;
	TupleDesc	columns;
	Size		size = 0;

	if (datum->dtype == PLPGSQL_DTYPE_VAR)
		return variable->isnull ? 0 : size_of_value(variable->value, variable->datatype->typlen);
	if (datum->dtype == PLPGSQL_DTYPE_RECFIELD)
		return size_of(state, ((const PLpgSQL_recfield *) datum)->recparentno);
	if (datum->dtype == PLPGSQL_DTYPE_ROW)
	{
		for (int i = 0; i < row->nfields; i++)
			size += size_of(state, row->varnos[i]);
		return size;
	}
	record = ((const PLpgSQL_rec *) datum)->erh;
	if (datum->dtype != PLPGSQL_DTYPE_REC || record == NULL || ExpandedRecordIsEmpty(record))
		return 0;
	columns = expanded_record_get_tupdesc(record);
	for (int i = 0; i < columns->natts; i++)
	{
		bool		is_null;
		Datum		value = expanded_record_get_field(record, i + 1, &is_null);

		if (!is_null)
			size += size_of_value(value, TupleDescAttr(columns, i)->attlen);
	}
	return size;
}

static Size
size_of_value(Datum value, int16 length)
{
	if (length != -1)
		return sizeof(Datum);
	if (VARATT_IS_EXTERNAL_EXPANDED(DatumGetPointer(value)))
		return EOH_get_flat_size(DatumGetEOHP(value));
	return toast_raw_datum_size(value);
}

/* W2: of the statements of a contract's function, whose names were just looked up. */
static void
on_analyze(ParseState *state, Query *query, JumbleState *jumble)
{
	const PLpgSQL_expr *source = OidIsValid(schema) ? tl_contract_plpgsql_source(state) : NULL;

	if (source != NULL && get_func_namespace(source->func->fn_oid) == schema)
		(void) walker((Node *) query, NULL);
	if (next_analyze != NULL)
		next_analyze(state, query, jumble);
}

static bool
walker(Node *node, void *context)
{
	ListCell   *cell;

	if (node == NULL)
		return false;
	if (IsA(node, Query))
	{
		foreach(cell, ((Query *) node)->rtable)
			if (lfirst_node(RangeTblEntry, cell)->rtekind == RTE_RELATION &&
				get_rel_namespace(lfirst_node(RangeTblEntry, cell)->relid) != schema)
				refuse("relation", get_rel_name(lfirst_node(RangeTblEntry, cell)->relid));
		return query_tree_walker((Query *) node, walker, context, 0);
	}
	(void) check_functions_in_node(node, is_foreign_function, NULL);
	switch (nodeTag(node))
	{
		case T_Const:
		case T_Param:
		case T_FuncExpr:
		case T_RelabelType:
		case T_CoerceViaIO:
		case T_ArrayCoerceExpr:
		case T_CoerceToDomain:
			check_type(exprType(node));
			break;
		case T_CollateExpr:
			check_collation(((CollateExpr *) node)->collOid);
			break;
		default:
			break;
	}
	return expression_tree_walker(node, walker, context);
}

static bool
is_foreign_function(Oid function, void *context)
{
	if (is_foreign(function, get_func_namespace(function)) && !tl_contract_expression_is_of_library(function))
		refuse("function", get_func_name(function));
	return false;
}

/* What has a later OID is not PostgreSQL's own, wherever it lies. */
static bool
is_foreign(Oid object, Oid namespace)
{
	return object >= FirstNormalObjectId && namespace != schema && namespace != get_namespace_oid("ledger", false);
}

static void
check_type(Oid type)
{
	HeapTuple	tuple;
	bool		foreign;

	if (type < FirstNormalObjectId)
		return;
	tuple = SearchSysCache1(TYPEOID, ObjectIdGetDatum(type));
	if (!HeapTupleIsValid(tuple))
		elog(ERROR, "cache lookup failed for type %u", type);
	foreign = is_foreign(type, ((Form_pg_type) GETSTRUCT(tuple))->typnamespace);
	ReleaseSysCache(tuple);
	if (foreign)
		refuse("type", format_type_be(type));
}

static void
check_collation(Oid collation)
{
	if (collation >= FirstNormalObjectId)
		refuse("collation", get_collation_name(collation));
}

static void
refuse(const char *kind, const char *name)
{
	ereport(ERROR,
			errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
			errmsg("a contract would use %s \"%s\", which other members do not have", kind, name),
			errdetail("It was put into a schema in which the contract finds what is PostgreSQL's own."),
			errhint("Drop it here, or move it into another schema."));
}
