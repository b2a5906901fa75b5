/*-------------------------------------------------------------------------
 *
 * contract_migrate.c
 *	  Statements of a new version that change rows of state.
 *
 * INSERT, UPDATE, DELETE, and SELECT of a function, as they stand in functions of
 * contracts.  So each is made a function of its own, judged as such, called once
 * and dropped.  It runs as calls do, by the settings of calls, and sees the rows of
 * ledger tables that calls of the same block have seen.
 *
 * A function that it calls may look up names when it runs.  So all functions are
 * judged as they are by then (contract_again.c), before it is called, unless they were
 * since the last statement that changed definitions.  Once something is refused of the
 * script nothing runs so: it may call what is refused, or change rows of a table whose
 * constraints and defaults are.
 *
 * Whether it ends well may depend on what rows there are, which are the same at all
 * members: an error that would be the outcome of a call is a refusal here.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/xact.h"
#include "fmgr.h"
#include "parser/parser.h"
#include "utils/builtins.h"
#include "utils/snapmgr.h"

#include "contract_change.h"
#include "contract_execute.h"
#include "contract_function.h"
#include "contract_made.h"
#include "contract_run.h"

static void run(TlRefusals *refusals, Oid function);

/* Its words are allowed. */
void
tl_contract_migrate(TlRefusals *refusals, const RawStmt *statement, const char *text)
{
	char	   *script = psprintf("CREATE FUNCTION " TL_MIGRATION "() RETURNS void LANGUAGE sql BEGIN ATOMIC %s\n; END", text);

	tl_contract_again_compile(refusals);
	tl_contract_run_statement(script);
	refusals->generated = true;
	tl_contract_made(refusals, linitial_node(RawStmt, raw_parser(script, RAW_PARSE_DEFAULT)), refusals->schema);
	refusals->generated = false;
	if (IsA(statement->stmt, SelectStmt) && tl_contract_count(refusals) == 0)
		tl_contract_again(refusals);
	if (tl_contract_count(refusals) == 0)
		run(refusals, tl_contract_function_find(TL_MIGRATION, refusals->schema));
	tl_contract_run_statement("DROP FUNCTION " TL_MIGRATION "()");
}

/* As a call, but without a call: there is no context. */
static void
run(TlRefusals *refusals, Oid function)
{
	LOCAL_FCINFO(fcinfo, 0);
	FmgrInfo	called;
	int			settings;

	fmgr_info(function, &called);
	InitFunctionCallInfoData(*fcinfo, &called, 0, InvalidOid, NULL, NULL);
	settings = tl_contract_execute_begin();
	refusals->migrating = true;
	PG_TRY();
	{
		/* the timers of this block have run: what it sets is due later */
		tl_contract_execute_enter(refusals->schema, refusals->height, refusals->time, true);
		PushActiveSnapshot(GetTransactionSnapshot());
		(void) FunctionCallInvoke(fcinfo);
		PopActiveSnapshot();
		CommandCounterIncrement();
	}
	PG_CATCH();
	{
		tl_contract_execute_leave();
		tl_contract_execute_abandon();
		PG_RE_THROW();
	}
	PG_END_TRY();
	tl_contract_execute_leave();
	refusals->migrating = false;
	tl_contract_execute_end(settings);
}
