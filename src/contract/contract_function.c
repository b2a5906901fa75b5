/*-------------------------------------------------------------------------
 *
 * contract_function.c
 *	  What a contract's function may be: by its words, and in the catalogs.
 *
 * Functions in SQL are written with BEGIN ATOMIC or RETURN: names in such a body
 * are bound when the function is made, so what is judged here is what runs.  Names
 * in PL/pgSQL are looked up when it runs, in PostgreSQL's schema and the contract's.
 * So such functions are judged once more when the script has made all that can be
 * found there.  Their statements: contract_body.c.  The queries of both:
 * contract_query.c.  Calls: contract_entry.c.
 *
 * Invariants
 *	  N1  a name stands for one function, besides the one by which it is called
 *	  N2  an entry point returns nothing; what became of a call is its outcome
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "access/table.h"
#include "catalog/namespace.h"
#include "catalog/pg_namespace.h"
#include "catalog/pg_proc.h"
#include "catalog/pg_type.h"
#include "nodes/nodeFuncs.h"
#include "rewrite/rewriteHandler.h"
#include "tcop/tcopprot.h"
#include "utils/builtins.h"
#include "utils/catcache.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"
#include "utils/snapmgr.h"
#include "utils/syscache.h"

#include "contract_body.h"
#include "contract_change.h"
#include "contract_entry.h"
#include "contract_expression.h"
#include "contract_function.h"
#include "contract_plpgsql.h"
#include "contract_query.h"
#include "contract_timer.h"
#include "contract_words.h"
#include "contract_work.h"
#include "table_am.h"
#include "table_catalog.h"

/* The suffix of the table's name has to fit behind it. */
#define NAME_SIZE_MAX	(NAMEDATALEN - 1 - (int) sizeof(TL_CALL_TABLE_SUFFIX) + 1)

static void words_parameters(TlRefusals *refusals, const CreateFunctionStmt *statement);
static const char *language_of(const CreateFunctionStmt *statement);
static void words_options(TlRefusals *refusals, const CreateFunctionStmt *statement, bool is_plpgsql);
static void words_volatility(TlRefusals *refusals, const DefElem *option, bool is_plpgsql);
static void words_body(TlRefusals *refusals, Node *body);
static void words_statement(TlRefusals *refusals, Node *statement);
static int	count_functions(Oid schema, const char *name);
static void look_at_types(TlRefusals *refusals, HeapTuple tuple, Oid schema);
static void look_at_defaults(TlRefusals *refusals, HeapTuple tuple);
static TlQueryScope scope_of(Form_pg_proc form, Oid schema);
static void look_at_body(TlRefusals *refusals, HeapTuple tuple, Oid schema);
static bool is_call_table(const char *table, Oid schema);
static void look_at_row_handler(TlRefusals *refusals, HeapTuple tuple, Oid schema);
static void look_at_entry(TlRefusals *refusals, HeapTuple tuple);
static void look_at_handler(TlRefusals *refusals, HeapTuple tuple);
static List *queries_of(HeapTuple tuple);
static char *source_of(HeapTuple tuple);
static void note_body(TlRefusals *refusals, Oid function);
static void plan(const List *queries);

void
tl_contract_words_function(TlRefusals *refusals, const CreateFunctionStmt *statement)
{
	const char *name = strVal(llast(statement->funcname));

	if (list_length(statement->funcname) > 1)
		tl_contract_words_new_name(refusals, strVal(linitial(statement->funcname)), -1);
	if (statement->is_procedure)
		tl_contract_refuse(refusals, -1, "PROCEDURE", "a call runs as a whole or not at all", "FUNCTION");
	if (statement->replace && !refusals->is_change)
		tl_contract_refuse(refusals, -1, "OR REPLACE", "a script makes each object once", "leave it out");
	if (strlen(name) > NAME_SIZE_MAX)
		tl_contract_refuse(refusals, -1, name, "the table of its calls needs a name that ends in " TL_CALL_TABLE_SUFFIX,
						   psprintf("a name of at most %d bytes", NAME_SIZE_MAX));
	if (strcmp(name, TL_MIGRATION) == 0)
		tl_contract_refuse(refusals, -1, name, "a statement of a new version has this name while it runs", "another name");
	words_parameters(refusals, statement);
	if (strcmp(language_of(statement), "sql") != 0 && strcmp(language_of(statement), "plpgsql") != 0)
		tl_contract_refuse(refusals, -1, "LANGUAGE", "functions in other languages cannot be judged",
						   "LANGUAGE sql, or plpgsql");
	words_options(refusals, statement, strcmp(language_of(statement), "plpgsql") == 0);
	words_body(refusals, statement->sql_body);
}

static void
words_parameters(TlRefusals *refusals, const CreateFunctionStmt *statement)
{
	ListCell   *cell;

	foreach(cell, statement->parameters)
	{
		const FunctionParameter *parameter = lfirst_node(FunctionParameter, cell);

		if (parameter->mode != FUNC_PARAM_IN && parameter->mode != FUNC_PARAM_DEFAULT)
			tl_contract_refuse(refusals, -1, "OUT, INOUT, VARIADIC or TABLE",
							   "what a call gives is its outcome", "arguments that go in");
		if (parameter->name == NULL)
			tl_contract_refuse(refusals, -1, "argument without a name",
							   "the columns of its calls are called as the arguments are", "a name");
		else if (strcmp(parameter->name, TL_REF_COLUMN) == 0)
			tl_contract_refuse(refusals, -1, TL_REF_COLUMN, "every call has it as its own", "another name");
		tl_contract_words_type(refusals, parameter->argType);
		tl_contract_words_expression(refusals, parameter->defexpr);
	}
	if (statement->returnType == NULL)
		tl_contract_refuse(refusals, -1, "CREATE FUNCTION", "it has to say what it returns", "RETURNS void");
	else
		tl_contract_words_type(refusals, statement->returnType);
}

static const char *
language_of(const CreateFunctionStmt *statement)
{
	ListCell   *cell;

	foreach(cell, statement->options)
		if (strcmp(lfirst_node(DefElem, cell)->defname, "language") == 0)
			return strVal(lfirst_node(DefElem, cell)->arg);
	return "sql";
}

static void
words_options(TlRefusals *refusals, const CreateFunctionStmt *statement, bool is_plpgsql)
{
	ListCell   *cell;

	foreach(cell, statement->options)
	{
		const DefElem *option = lfirst_node(DefElem, cell);

		if (strcmp(option->defname, "language") == 0)
			continue;
		if (strcmp(option->defname, "as") == 0)
		{
			if (!is_plpgsql)
				tl_contract_refuse(refusals, option->location, "AS",
								   "names in a text are looked up when it runs", "BEGIN ATOMIC ... END, or RETURN");
		}
		else if (strcmp(option->defname, "volatility") == 0)
			words_volatility(refusals, option, is_plpgsql);
		else if (strcmp(option->defname, "strict") != 0)
			tl_contract_refuse(refusals, option->location, option->defname,
							   "a function of a contract runs with the rights and settings of contracts",
							   "leave it out");
	}
}

/* How often the planner calls an immutable one differs, and its statements are counted. */
static void
words_volatility(TlRefusals *refusals, const DefElem *option, bool is_plpgsql)
{
	if (strcmp(strVal(option->arg), "stable") == 0)
		tl_contract_refuse(refusals, option->location, "STABLE",
						   "a function changes state, or computes with its arguments alone",
						   "IMMUTABLE for what computes; leave it out otherwise");
	else if (is_plpgsql && strcmp(strVal(option->arg), "immutable") == 0)
		tl_contract_refuse(refusals, option->location, "IMMUTABLE",
						   "how often a function in PL/pgSQL runs has to be certain",
						   "leave it out, and call it in an assignment; LANGUAGE sql");
}

/* One RETURN, or a list of lists of statements. */
static void
words_body(TlRefusals *refusals, Node *body)
{
	ListCell   *cell;
	ListCell   *inner;

	if (body == NULL)
		return;
	if (!IsA(body, List))
	{
		words_statement(refusals, body);
		return;
	}
	foreach(cell, (List *) body)
		foreach(inner, lfirst_node(List, cell))
			words_statement(refusals, lfirst(inner));
}

static void
words_statement(TlRefusals *refusals, Node *statement)
{
	switch (nodeTag(statement))
	{
		case T_ReturnStmt:
			tl_contract_words_expression(refusals, ((ReturnStmt *) statement)->returnval);
			break;
		case T_SelectStmt:
		case T_InsertStmt:
		case T_UpdateStmt:
		case T_DeleteStmt:
			tl_contract_words_expression(refusals, statement);
			break;
		default:
			tl_contract_refuse(refusals, -1, "statement in a function", "contracts have no such statements",
							   "SELECT, INSERT, UPDATE, DELETE, RETURN");
	}
}

/* The function that the statement has made, or that is there before it replaces it. */
Oid
tl_contract_function_made(const CreateFunctionStmt *statement, Oid schema)
{
	return tl_contract_function_find(strVal(llast(statement->funcname)), schema);
}

/* By its name, but not that by which an entry point is called; or InvalidOid. */
Oid
tl_contract_function_find(const char *name, Oid schema)
{
	CatCList   *list = SearchSysCacheList1(PROCNAMEARGSNSP, CStringGetDatum(name));
	Oid			found = InvalidOid;

	for (int i = 0; i < list->n_members; i++)
	{
		Form_pg_proc form = (Form_pg_proc) GETSTRUCT(&list->members[i]->tuple);

		if (form->pronamespace == schema && !form->prosecdef)
			found = form->oid;
	}
	ReleaseSysCacheList(list);
	return found;
}

/* In the catalogs, before anything is made beside it. */
void
tl_contract_function(TlRefusals *refusals, const CreateFunctionStmt *statement, Oid schema)
{
	const char *name = strVal(llast(statement->funcname));
	HeapTuple	tuple;

	if (count_functions(schema, name) > 1)
	{
		tl_contract_refuse(refusals, -1, name, "a contract has one function of a name", "another name");
		return;
	}
	tuple = SearchSysCache1(PROCOID, ObjectIdGetDatum(tl_contract_function_made(statement, schema)));
	if (!HeapTupleIsValid(tuple))
		elog(ERROR, "function \"%s\" was not made", name);
	look_at_types(refusals, tuple, schema);
	look_at_defaults(refusals, tuple);
	if (refusals->is_change && tl_contract_again_is_cyclic(((Form_pg_proc) GETSTRUCT(tuple))->oid, schema))
		tl_contract_again_refuse_cycle(refusals, ((Form_pg_proc) GETSTRUCT(tuple))->oid);
	else
		look_at_body(refusals, tuple, schema);
	if (tl_contract_entry_is_entry(((Form_pg_proc) GETSTRUCT(tuple))->oid))
		look_at_entry(refusals, tuple);
	if (tl_contract_entry_is_row_handler(((Form_pg_proc) GETSTRUCT(tuple))->oid))
		look_at_row_handler(refusals, tuple, schema);
	if (tl_contract_timer_is_handler(((Form_pg_proc) GETSTRUCT(tuple))->oid))
		look_at_handler(refusals, tuple);
	ReleaseSysCache(tuple);
}

/* Those by which entry points are called are not counted. */
static int
count_functions(Oid schema, const char *name)
{
	CatCList   *list = SearchSysCacheList1(PROCNAMEARGSNSP, CStringGetDatum(name));
	int			count = 0;

	for (int i = 0; i < list->n_members; i++)
	{
		Form_pg_proc form = (Form_pg_proc) GETSTRUCT(&list->members[i]->tuple);

		count += form->pronamespace == schema && !form->prosecdef;
	}
	ReleaseSysCacheList(list);
	return count;
}

static void
look_at_types(TlRefusals *refusals, HeapTuple tuple, Oid schema)
{
	Form_pg_proc form = (Form_pg_proc) GETSTRUCT(tuple);

	for (int i = 0; i < form->pronargs; i++)
		tl_contract_function_type(refusals, form->proargtypes.values[i], schema);
	if (form->prorettype != VOIDOID)
		tl_contract_function_type(refusals, form->prorettype, schema);
}

/* Of an argument, of what it gives, of a variable. */
void
tl_contract_function_type(TlRefusals *refusals, Oid type, Oid schema)
{
	Oid			element = get_element_type(type);
	Oid			base = OidIsValid(element) ? element : type;
	HeapTuple	tuple = SearchSysCache1(TYPEOID, ObjectIdGetDatum(base));
	Form_pg_type form;

	if (!HeapTupleIsValid(tuple))
		elog(ERROR, "cache lookup failed for type %u", base);
	form = (Form_pg_type) GETSTRUCT(tuple);
	if (form->typtype == TYPTYPE_PSEUDO ||
		(form->typnamespace != schema && form->typnamespace != PG_CATALOG_NAMESPACE &&
		 form->typnamespace != get_namespace_oid("ledger", false)))
		tl_contract_refuse(refusals, -1, format_type_be(type),
						   "other members may have another type of that name, or none",
						   "a type of PostgreSQL, or one made in this script");
	else if (tl_contract_query_is_xml(type))
		tl_contract_refuse(refusals, -1, format_type_be(type),
						   "XML depends on how a server was built", "text, json or jsonb");
	else if (tl_contract_query_is_float(type))
		tl_contract_refuse(refusals, -1, format_type_be(type),
						   "sums of it depend on the order of rows, results on the machine",
						   "numeric, or an integer in the smallest unit");
	ReleaseSysCache(tuple);
}

/* They are evaluated with the rights of whoever calls. */
static void
look_at_defaults(TlRefusals *refusals, HeapTuple tuple)
{
	bool		is_null;
	Datum		value = SysCacheGetAttr(PROCOID, tuple, Anum_pg_proc_proargdefaults, &is_null);

	if (!is_null)
		tl_contract_expression(refusals, -1, "DEFAULT", stringToNode(TextDatumGetCString(value)));
}

static void
look_at_body(TlRefusals *refusals, HeapTuple tuple, Oid schema)
{
	Form_pg_proc form = (Form_pg_proc) GETSTRUCT(tuple);
	TlQueryScope scope = scope_of(form, schema);
	bool		is_plpgsql = tl_contract_plpgsql_is(form->oid);
	int			before = tl_contract_count(refusals);
	List	   *queries;

	if (is_plpgsql)
		queries = tl_contract_body(refusals, &scope, form->oid, source_of(tuple));
	else
	{
		queries = queries_of(tuple);
		tl_contract_query(refusals, &scope, queries);
	}
	tl_contract_work(refusals, &scope, form->oid, queries);
	if (tl_contract_count(refusals) == before)
		plan(queries);
	if (is_plpgsql || refusals->is_change)
		note_body(refusals, form->oid);
}

static TlQueryScope
scope_of(Form_pg_proc form, Oid schema)
{
	TlQueryScope scope = {
		.where = strcmp(NameStr(form->proname), TL_MIGRATION) == 0 ? "statement" :
		psprintf("FUNCTION %s", NameStr(form->proname)),
		.schema = schema,
		.pure = form->provolatile == PROVOLATILE_IMMUTABLE,
		.gives_value = form->prorettype != VOIDOID
	};

	return scope;
}

/* Of one in PL/pgSQL as well; nothing is refused. */
List *
tl_contract_function_all_queries(const TlRefusals *refusals, Oid function)
{
	HeapTuple	tuple = SearchSysCache1(PROCOID, ObjectIdGetDatum(function));
	TlQueryScope scope;
	TlRefusals	scratch = *refusals;
	List	   *queries;

	if (!HeapTupleIsValid(tuple))
		elog(ERROR, "cache lookup failed for function %u", function);
	scope = scope_of((Form_pg_proc) GETSTRUCT(tuple), refusals->schema);
	scratch.list = NIL;
	if (tl_contract_plpgsql_is(function))
		queries = tl_contract_body(&scratch, &scope, function, source_of(tuple));
	else
		queries = queries_of(tuple);
	ReleaseSysCache(tuple);
	return queries;
}

static char *
source_of(HeapTuple tuple)
{
	bool		is_null;
	Datum		value = SysCacheGetAttr(PROCOID, tuple, Anum_pg_proc_prosrc, &is_null);

	if (is_null)
		elog(ERROR, "a contract's function has no text");
	return TextDatumGetCString(value);
}

/* It is judged again at the end of the script. */
static void
note_body(TlRefusals *refusals, Oid function)
{
	MemoryContext caller = MemoryContextSwitchTo(refusals->context);
	TlLateBody *body = palloc(sizeof(TlLateBody));

	body->function = function;
	body->statement = refusals->statement;
	refusals->bodies = lappend(refusals->bodies, body);
	MemoryContextSwitchTo(caller);
}

void
tl_contract_function_again(TlRefusals *refusals, Oid function, Oid schema)
{
	HeapTuple	tuple = SearchSysCache1(PROCOID, ObjectIdGetDatum(function));

	if (!HeapTupleIsValid(tuple))
		elog(ERROR, "cache lookup failed for function %u", function);
	look_at_body(refusals, tuple, schema);
	ReleaseSysCache(tuple);
}

/* Its body.  NIL if it is none of a contract's. */
List *
tl_contract_function_queries(Oid function)
{
	HeapTuple	tuple = SearchSysCache1(PROCOID, ObjectIdGetDatum(function));
	List	   *queries = NIL;

	if (!HeapTupleIsValid(tuple))
		elog(ERROR, "cache lookup failed for function %u", function);
	if (!heap_attisnull(tuple, Anum_pg_proc_prosqlbody, NULL))
		queries = queries_of(tuple);
	ReleaseSysCache(tuple);
	return queries;
}

static List *
queries_of(HeapTuple tuple)
{
	bool		is_null;
	Datum		value = SysCacheGetAttr(PROCOID, tuple, Anum_pg_proc_prosqlbody, &is_null);
	Node	   *body;

	if (is_null)
		elog(ERROR, "a contract's function has no body");
	body = stringToNode(TextDatumGetCString(value));
	return IsA(body, List) ? linitial_node(List, (List *) body) : list_make1(body);
}

/*
 * Once, now: what is constant is computed there, and releases differ in when a
 * function's statements are planned.  An error is one of the script.
 */
static void
plan(const List *queries)
{
	ListCell   *cell;
	ListCell   *inner;

	PushActiveSnapshot(GetTransactionSnapshot());
	foreach(cell, queries)
	{
		Query	   *query = copyObject(lfirst_node(Query, cell));

		AcquireRewriteLocks(query, true, false);
		foreach(inner, pg_rewrite_query(query))
			(void) pg_plan_query(lfirst_node(Query, inner), "", 0, NULL);
	}
	PopActiveSnapshot();
}

/* N2 */
static void
look_at_entry(TlRefusals *refusals, HeapTuple tuple)
{
	Form_pg_proc form = (Form_pg_proc) GETSTRUCT(tuple);

	if (form->prorettype != VOIDOID)
		tl_contract_refuse(refusals, -1, NameStr(form->proname),
						   "what became of a call is its outcome", "RETURNS void");
	if (form->proisstrict)
		tl_contract_refuse(refusals, -1, "STRICT", "a call that does nothing would seem done",
						   "SELECT ledger.require(argument IS NOT NULL, 'a message')");
	if (form->provolatile != PROVOLATILE_VOLATILE)
		tl_contract_refuse(refusals, -1, "IMMUTABLE", "an entry point changes state", "leave it out");
	if (form->pronargdefaults == form->pronargs)
		tl_contract_refuse(refusals, -1, "DEFAULT", "the context is given by the block", "leave it out");
}

/* Is it made beside an entry point? */
static bool
is_call_table(const char *table, Oid schema)
{
	const char *called = tl_contract_entry_stem(table, TL_CALL_TABLE_SUFFIX);

	return called != NULL && count_functions(schema, called) > 0;
}

/* on_<table>: its other arguments are the columns of the table. */
static void
look_at_row_handler(TlRefusals *refusals, HeapTuple tuple, Oid schema)
{
	Form_pg_proc form = (Form_pg_proc) GETSTRUCT(tuple);
	const char *table = NameStr(form->proname) + strlen(TL_ROW_HANDLER_PREFIX);
	Oid			relation_oid = get_relname_relid(table, schema);
	Relation	relation;
	TupleDesc	columns;
	bool		fits;

	if (!OidIsValid(relation_oid) || !tl_table_catalog_is_ledger(relation_oid) ||
		is_call_table(table, schema))
	{
		tl_contract_refuse(refusals, -1, NameStr(form->proname),
						   psprintf("it would handle rows of a ledger table \"%s\", which this script has not made before it, or whose rows are calls", table),
						   "a name that does not begin with " TL_ROW_HANDLER_PREFIX);
		return;
	}
	relation = table_open(relation_oid, AccessShareLock);
	columns = RelationGetDescr(relation);
	fits = form->pronargdefaults == 0 && columns->natts == form->pronargs;
	for (int i = 1; fits && i < form->pronargs; i++)
		fits = TupleDescAttr(columns, i - 1)->atttypid == form->proargtypes.values[i];
	table_close(relation, AccessShareLock);
	if (!fits)
		tl_contract_refuse(refusals, -1, NameStr(form->proname),
						   "it is given the context and the columns of the row, and nothing else",
						   psprintf("arguments of the types of the columns of \"%s\", in their order, without defaults", table));
}

/* Of timers; N2. */
static void
look_at_handler(TlRefusals *refusals, HeapTuple tuple)
{
	Form_pg_proc form = (Form_pg_proc) GETSTRUCT(tuple);
	int			size_max = NAMEDATALEN - 1 - (int) strlen(TL_TIMER_TABLE_SUFFIX);

	if (strlen(NameStr(form->proname)) > size_max)
		tl_contract_refuse(refusals, -1, NameStr(form->proname),
						   "the table of its timers needs a name that ends in " TL_TIMER_TABLE_SUFFIX,
						   psprintf("a name of at most %d bytes", size_max));
	if (form->pronargs != 1)
		tl_contract_refuse(refusals, -1, NameStr(form->proname),
						   "a handler of timers is given the timer and nothing else",
						   "its key, by which state tells the rest");
	if (form->prorettype != VOIDOID)
		tl_contract_refuse(refusals, -1, NameStr(form->proname),
						   "what became of a timer is its outcome", "RETURNS void");
	if (form->proisstrict || form->pronargdefaults > 0)
		tl_contract_refuse(refusals, -1, form->proisstrict ? "STRICT" : "DEFAULT",
						   "a timer is given by the block", "leave it out");
	if (form->provolatile != PROVOLATILE_VOLATILE)
		tl_contract_refuse(refusals, -1, "IMMUTABLE", "a handler of timers changes state", "leave it out");
}
