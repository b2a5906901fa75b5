/*-------------------------------------------------------------------------
 *
 * contract_plpgsql.c
 *	  PL/pgSQL, as this server has it: its compiler, and how it reads names.
 *
 * What a function's text means is asked of PL/pgSQL itself, so that what is
 * judged (contract_body.c) is what runs.  Its library is loaded when the first
 * contract asks; its functions are found there by their names.
 *
 * Some of its settings decide what a function means, and count when it is
 * compiled, which is once in a session.  So they are pinned around scripts and
 * around calls.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "catalog/pg_proc.h"
#include "commands/proclang.h"
#include "fmgr.h"
#include "parser/analyze.h"
#include "utils/syscache.h"

#include "contract_group.h"
#include "contract_plpgsql.h"
#include "contract_setting.h"

#define LIBRARY		"$libdir/plpgsql"

typedef PLpgSQL_function *(*Compile) (FunctionCallInfo fcinfo, bool for_validator);
typedef void (*ParserSetup) (ParseState *state, PLpgSQL_expr *expression);
typedef Oid (*DatumType) (PLpgSQL_execstate *state, PLpgSQL_datum *datum);
typedef PLpgSQL_type *(*BuildType) (Oid type, int32 modifier, Oid collation, TypeName *name);

static const TlSetting settings[] = {
	{"plpgsql.check_asserts", "on"},
	{"plpgsql.extra_errors", "none"},
	{"plpgsql.extra_warnings", "none"},
	{"plpgsql.print_strict_params", "off"},
	{"plpgsql.variable_conflict", "error"}
};

/* NULL before the library is loaded. */
static Compile compile = NULL;
static ParserSetup parser_setup = NULL;
static DatumType datum_type = NULL;
static BuildType build_type = NULL;

/* By which its expressions are told from other statements. */
static ParseParamRefHook hook_of_expressions = NULL;

static void load(void);

/* Is the function written in it? */
bool
tl_contract_plpgsql_is(Oid function)
{
	HeapTuple	tuple = SearchSysCache1(PROCOID, ObjectIdGetDatum(function));
	bool		result;

	if (!HeapTupleIsValid(tuple))
		elog(ERROR, "cache lookup failed for function %u", function);
	result = ((Form_pg_proc) GETSTRUCT(tuple))->prolang == get_language_oid("plpgsql", true);
	ReleaseSysCache(tuple);
	return result;
}

/* Until the caller's level of settings ends. */
void
tl_contract_plpgsql_pin(void)
{
	load();
	tl_contract_setting_pin(settings, lengthof(settings));
}

static void
load(void)
{
	ParseState	probe = {0};

	if (hook_of_expressions != NULL)
		return;
	compile = (Compile) load_external_function(LIBRARY, "plpgsql_compile", true, NULL);
	parser_setup = (ParserSetup) load_external_function(LIBRARY, "plpgsql_parser_setup", true, NULL);
	datum_type = (DatumType) load_external_function(LIBRARY, "plpgsql_exec_get_datum_type", true, NULL);
	build_type = (BuildType) load_external_function(LIBRARY, "plpgsql_build_datatype", true, NULL);
	parser_setup(&probe, NULL);
	hook_of_expressions = probe.p_paramref_hook;
}

/* With the collation that calls give it (contract_query.c). */
PLpgSQL_function *
tl_contract_plpgsql_compile(Oid function)
{
	LOCAL_FCINFO(fcinfo, 0);
	FmgrInfo	about = {.fn_oid = function,.fn_mcxt = CurrentMemoryContext};

	load();
	memset(fcinfo, 0, SizeForFunctionCallInfo(0));
	fcinfo->flinfo = &about;
	return compile(fcinfo, true);
}

/* Names are looked up in its function's variables, whose state is cur_estate. */
Query *
tl_contract_plpgsql_analyze(PLpgSQL_expr *expression, RawStmt *statement)
{
	ParseState *state = make_parsestate(NULL);
	Query	   *query;

	state->p_sourcetext = expression->query;
	parser_setup(state, expression);
	query = transformTopLevelStmt(state, statement);
	tl_contract_group(query);
	free_parsestate(state);
	return query;
}

Oid
tl_contract_plpgsql_datum_type(PLpgSQL_execstate *state, PLpgSQL_datum *datum)
{
	return datum_type(state, datum);
}

PLpgSQL_type *
tl_contract_plpgsql_type(Oid type, int32 modifier, Oid collation)
{
	return build_type(type, modifier, collation, NULL);
}

/* The expression that is looked at there; NULL if it is none of PL/pgSQL's. */
const PLpgSQL_expr *
tl_contract_plpgsql_source(const ParseState *state)
{
	return hook_of_expressions != NULL && state->p_paramref_hook == hook_of_expressions ?
		state->p_ref_hook_state : NULL;
}
