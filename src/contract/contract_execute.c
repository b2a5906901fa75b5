/*-------------------------------------------------------------------------
 *
 * contract_execute.c
 *	  One call of a contract, or of a handler of rows or timers, executed.
 *
 * In the transaction that applies the block, each call in a subtransaction of
 * its own, as the role that owns all contracts, with settings pinned that decide
 * what values mean and how queries are planned.  Functions in SQL are planned before,
 * for this call and others (contract_plan.c).
 *
 * What a call can end with is a list: it is done; it was refused by
 * ledger.require() or RAISE (P0001); it ran into an error of data, of a constraint of
 * the contract itself (class 23), of PL/pgSQL about its program, or into a limit of
 * values or statements.  All that would happen at
 * every member.  Everything else (no memory, a full disk, a lock, a cancelled
 * query) is this server's and is thrown on: the block is applied again, until it
 * can be.
 *
 * Both mistakes are bad, and not equally so.  An error of data that is thrown on
 * stops all members for good, by a call that anybody makes.  An error of one
 * server that is taken for one of data makes the state of this member another,
 * which it learns from the next checkpoint.  So the list is long: all that
 * functions of PostgreSQL and of this library say of values that they are given.
 *
 * Which of several errors is met first may depend on the order in which a table
 * stores its rows.  So of those that are not in the contract's own words all
 * members say the same (2F000), and each keeps beside it what its server said.
 *
 * Invariants
 *	  X1  a call that is not done has changed nothing
 *	  X2  what all members say of a call follows from the chain alone
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "access/xact.h"
#include "executor/executor.h"
#include "fmgr.h"
#include "funcapi.h"
#include "mb/pg_wchar.h"
#include "miscadmin.h"
#include "tcop/tcopprot.h"
#include "utils/acl.h"
#include "utils/builtins.h"
#include "utils/guc.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/rel.h"
#include "utils/snapmgr.h"
#include "utils/timestamp.h"
#include "utils/typcache.h"

#include "contract_argument.h"
#include "contract_constraint.h"
#include "contract_entry.h"
#include "contract_event.h"
#include "contract_execute.h"
#include "contract_meter.h"
#include "contract_plan.h"
#include "contract_plpgsql.h"
#include "contract_refusal.h"
#include "contract_run.h"
#include "contract_seen.h"
#include "contract_setting.h"
#include "table_filter.h"
#include "table_state.h"
#include "tl_attempt.h"
#include "tl_compat.h"
#include "tl_error.h"

PG_FUNCTION_INFO_V1(tl_require);

#define SQLSTATE_DONE		"00000"
#define SQLSTATE_REFUSED	"P0001"
#define SQLSTATE_FAILED		"2F000"

#define WORDS_SIZE_MAX		1000

/* What a function can ask for, for a value of MaxAllocSize. */
#define VALUE_REQUEST_MAX	(8 * (size_t) MaxAllocSize)

/* What a call may change in state tables: rows that come or go, and bytes of those that come. */
#define CHANGES_MAX			100000
#define WRITTEN_SIZE_MAX	(64 * 1024 * 1024)

/* The default of max_stack_depth, in kB. */
#define STACK_USUAL			2048

/* Columns of ledger.context, and of ledger.timer. */
#define CONTEXT_COLUMNS		6
#define TIMER_COLUMNS		5

/*
 * What contract_run.c settles for the script, and the worker for CHECK constraints
 * (node_worker.c), about how values are read and written has the same values here.
 */
static const TlSetting settings[] = {
	{"array_nulls", "on"},
	{"backslash_quote", "safe_encoding"},
	{"bytea_output", "hex"},
	{"constraint_exclusion", "partition"},
	{"cpu_index_tuple_cost", "0.005"},
	{"cpu_operator_cost", "0.0025"},
	{"cpu_tuple_cost", "0.01"},
	{"DateStyle", "ISO, MDY"},
	{"default_toast_compression", "pglz"},
	{"effective_cache_size", "4GB"},
	{"enable_bitmapscan", "on"},
	{"enable_hashagg", "on"},
	{"enable_hashjoin", "off"}, /* contract_planner.c */
	{"enable_incremental_sort", "on"},
	{"enable_indexonlyscan", "off"},	/* table_filter.c */
	{"enable_indexscan", "on"},
	{"enable_material", "on"},
	{"enable_memoize", "on"},
	{"enable_mergejoin", "on"},
	{"enable_nestloop", "on"},
	{"enable_seqscan", "on"},
	{"enable_sort", "on"},
	{"enable_tidscan", "on"},
	{"extra_float_digits", "1"},
	{"from_collapse_limit", "8"},
	{"geqo", "off"},
	{"IntervalStyle", "postgres"},
	{"jit", "off"},
	{"join_collapse_limit", "8"},
	{"lock_timeout", "0"},
	{"max_parallel_workers_per_gather", "0"},
	{"plan_cache_mode", "force_generic_plan"},
	{"random_page_cost", "1"},
	{"row_security", "on"},
	{"search_path", "pg_catalog, pg_temp"},
	{"seq_page_cost", "1"},
	{"session_replication_role", "origin"},
	{"standard_conforming_strings", "on"},	/* PL/pgSQL reads literals when it runs */
	{"TimeZone", "UTC"},
	{"timezone_abbreviations", "Default"},
	{"transform_null_equals", "off"},
	TL_LATER_PLAN_SETTINGS
	{"xmloption", "content"}
};

typedef struct Execution
{
	const TlCall *call;
	const TlCallContext *context;
	MemoryContext caller;		/* for its result */
	Oid			schema;
	Oid			role;
	NullableDatum arguments[FUNC_MAX_ARGS];
	int			count;
} Execution;

static void execute(void *argument);
static void prepare(Execution *execution);
static void plan(void *argument);
static void become(Oid role, Oid *user, int *security);
static int	take_arguments(NullableDatum *arguments, const TlCall *call, const TlCallContext *context);
static void run(const Execution *execution);
static void invoke(Oid function_oid, const NullableDatum *arguments, int count);
static Datum make_context(const TlCall *call, const TlCallContext *context,
						  const NullableDatum *signer);
static Datum make_timer(const TlCall *call, const TlCallContext *context);
static Datum make_row(Oid type, int count, Datum *values, bool *nulls);
static bool judge(TlCallResult *out, const ErrorData *error, Oid schema);
static bool is_result(const ErrorData *error, Oid schema);
static bool is_of_program(const ErrorData *error);
static bool is_of_contract(const ErrorData *error, Oid schema);
static bool is_lack_in_expression(const ErrorData *error);
static bool is_of_values(const ErrorData *error);
static bool is_of_library(const ErrorData *error);
static bool is_limit_of_values(const ErrorData *error);
static bool is_of_entries(const ErrorData *error);
static bool is_of_storage(const ErrorData *error);
static bool is_too_large(const ErrorData *error);

int
tl_contract_execute_begin(void)
{
	int			level = NewGUCNestLevel();

	tl_contract_setting_pin(settings, lengthof(settings));
	tl_contract_plpgsql_pin();
	tl_contract_plan_begin();
	tl_contract_constraint_begin();
	tl_contract_argument_begin();
	tl_contract_event_reset();
	tl_table_filter_plans(true);	/* last: nobody takes it back where the above has failed */
	return level;
}

void
tl_contract_execute_end(int level)
{
	tl_contract_execute_abandon();
	AtEOXact_GUC(true, level);
}

/* After an ERROR; the settings go with the transaction. */
void
tl_contract_execute_abandon(void)
{
	tl_contract_argument_end();
	tl_contract_constraint_end();
	tl_contract_plan_end();
	tl_table_filter_plans(false);
}

/* The result is made in the caller's memory. */
void
tl_contract_execute(TlCallResult *out, const TlCall *call, const TlCallContext *context)
{
	MemoryContext caller = CurrentMemoryContext;
	MemoryContext own = AllocSetContextCreate(caller, "telco_ledger call", ALLOCSET_DEFAULT_SIZES);
	Execution	execution = {.call = call,.context = context,.caller = caller};
	ErrorData  *error;

	execution.schema = get_rel_namespace(call->table);
	execution.role = get_role_oid(TL_CONTRACT_ROLE, false);
	memset(out, 0, sizeof(*out));
	strcpy(out->sqlstate, SQLSTATE_DONE);
	MemoryContextSwitchTo(own);
	execution.count = take_arguments(execution.arguments, call, context);
	prepare(&execution);
	error = tl_attempt(execute, &execution, NULL);
	MemoryContextSwitchTo(caller);
	if (error != NULL && !judge(out, error, execution.schema))
		ReThrowError(error);
	out->events = tl_contract_event_end(error == NULL, &out->event_count);
	MemoryContextDelete(own);
}

/* What a call has set is put back before the subtransaction ends, however it ends. */
static void
execute(void *argument)
{
	const Execution *execution = argument;
	int			settings_level = NewGUCNestLevel();

	PG_TRY();
	{
		tl_contract_execute_enter(execution->schema, execution->context->height, execution->context->time,
								  execution->call->timer != NULL);
		tl_table_state_bound(CHANGES_MAX, WRITTEN_SIZE_MAX);
		tl_contract_event_begin(execution->caller);
		run(execution);
		AtEOXact_GUC(true, settings_level);
	}
	PG_FINALLY();
	{
		tl_contract_execute_leave();
	}
	PG_END_TRY();
}

void
tl_contract_execute_enter(Oid schema, int64_t height, TimestampTz time, bool timers_later)
{
	tl_table_state_begin(schema, tl_chain_state_row_element);
	tl_contract_timer_call(time, timers_later);
	tl_contract_seen_begin(height);
	tl_contract_meter_begin(schema);
	/* as the script had it: functions in PL/pgSQL look up names */
	tl_contract_setting_path(get_namespace_name(schema));
}

void
tl_contract_execute_leave(void)
{
	tl_contract_meter_end();
	tl_contract_seen_end();
	tl_table_state_end();
}

/* Column n of the row is argument n, behind the context. */
static int
take_arguments(NullableDatum *arguments, const TlCall *call, const TlCallContext *context)
{
	NullableDatum signer;
	int			count;

	arguments[0].isnull = false;
	if (call->timer != NULL)
	{
		arguments[0].value = make_timer(call, context);
		return 1;
	}
	count = tl_contract_argument_row(&arguments[1], &signer, call->table, &call->ref);
	arguments[0].value = make_context(call, context, &signer);
	return 1 + count;
}

/*
 * Outside of the call's subtransaction, so that the locks of its tables stay: the
 * plans serve other calls as well.  What goes wrong goes wrong again in the call.
 */
static void
prepare(Execution *execution)
{
	Oid			function = execution->call->function;
	ErrorData  *error;

	if (tl_contract_plan_is_known(function))
		return;
	error = tl_attempt(plan, execution, NULL);
	if (error == NULL)
		return;
	if (!is_result(error, execution->schema))
		ReThrowError(error);
	FreeErrorData(error);
	tl_contract_plan_give_up(function);
}

static void
plan(void *argument)
{
	const Execution *execution = argument;
	Oid			user;
	int			security;

	become(execution->role, &user, &security);
	PushActiveSnapshot(GetTransactionSnapshot());
	tl_contract_plan_prepare(execution->call->function);
	PopActiveSnapshot();
	SetUserIdAndSecContext(user, security);
}

/* Until the caller takes it back, or the subtransaction ends in an error. */
static void
become(Oid role, Oid *user, int *security)
{
	GetUserIdAndSecContext(user, security);
	SetUserIdAndSecContext(role, *security | SECURITY_LOCAL_USERID_CHANGE | SECURITY_RESTRICTED_OPERATION);
}

static void
run(const Execution *execution)
{
	Oid			function = execution->call->function;
	Oid			user;
	int			security;

	become(execution->role, &user, &security);
	PushActiveSnapshot(GetTransactionSnapshot());
	if (!tl_contract_plan_run(function, execution->arguments))
		invoke(function, execution->arguments, execution->count);
	PopActiveSnapshot();
	SetUserIdAndSecContext(user, security);
	CommandCounterIncrement();
}

static void
invoke(Oid function_oid, const NullableDatum *arguments, int count)
{
	LOCAL_FCINFO(fcinfo, FUNC_MAX_ARGS);
	FmgrInfo	function;

	fmgr_info(function_oid, &function);
	InitFunctionCallInfoData(*fcinfo, &function, count, InvalidOid, NULL, NULL);
	memcpy(fcinfo->args, arguments, count * sizeof(NullableDatum));
	for (int i = 0; i < count; i++)
		if (function.fn_strict && arguments[i].isnull)
			return;
	(void) FunctionCallInvoke(fcinfo);
}

static Datum
make_context(const TlCall *call, const TlCallContext *context, const NullableDatum *signer)
{
	Datum		values[CONTEXT_COLUMNS];
	bool		nulls[CONTEXT_COLUMNS] = {false};
	TlRef		ref;

	tl_table_ref_unpack(&ref, &call->ref);
	values[0] = Int64GetDatum((int64) ref.member);
	values[1] = context->roles;
	values[2] = signer->value;
	nulls[2] = signer->isnull;
	values[3] = TlRefBytesGetDatum(&call->ref);
	values[4] = TimestampTzGetDatum(context->time);
	values[5] = Int64GetDatum(context->height);
	return make_row(tl_contract_entry_context_type(), CONTEXT_COLUMNS, values, nulls);
}

static Datum
make_timer(const TlCall *call, const TlCallContext *context)
{
	Datum		values[TIMER_COLUMNS] = {
		CStringGetTextDatum(call->timer->key),
		TimestampTzGetDatum(call->timer->at),
		TlRefBytesGetDatum(&call->ref),
		TimestampTzGetDatum(context->time),
		Int64GetDatum(context->height)
	};
	bool		nulls[TIMER_COLUMNS] = {false};

	return make_row(tl_contract_timer_type(), TIMER_COLUMNS, values, nulls);
}

static Datum
make_row(Oid type, int count, Datum *values, bool *nulls)
{
	TupleDesc	descriptor = lookup_rowtype_tupdesc(type, -1);
	Datum		result;

	if (descriptor->natts != count)
		elog(ERROR, "type %u has %d attributes", type, descriptor->natts);
	result = HeapTupleGetDatum(heap_form_tuple(descriptor, values, nulls));
	ReleaseTupleDesc(descriptor);
	return result;
}

/* X2; false if it is no result. */
static bool
judge(TlCallResult *out, const ErrorData *error, Oid schema)
{
	if (error->sqlerrcode == ERRCODE_RAISE_EXCEPTION)
	{
		strcpy(out->sqlstate, SQLSTATE_REFUSED);
		out->words = pstrdup(error->message);
		out->words[pg_mbcliplen(out->words, (int) strlen(out->words), WORDS_SIZE_MAX)] = '\0';
		return true;
	}
	if (!is_result(error, schema))
		return false;
	strcpy(out->sqlstate, SQLSTATE_FAILED);
	out->error_sqlstate = pstrdup(unpack_sql_state(error->sqlerrcode));
	out->error_message = pstrdup(error->message);
	return true;
}

/* Would it happen at every member, in a call or where a new version changes rows? */
bool
tl_contract_execute_is_result(const ErrorData *error, Oid schema)
{
	return error->sqlerrcode == ERRCODE_RAISE_EXCEPTION || is_result(error, schema);
}

/*
 * Would it happen at every member, in a statement of a script that makes or alters
 * something?  It fills indexes of the contract, and of a member's own those alone
 * that have room for every value.  What it names is looked up then.
 */
bool
tl_contract_execute_is_of_script(const ErrorData *error, Oid schema)
{
	switch (ERRCODE_TO_CATEGORY(error->sqlerrcode))
	{
		case ERRCODE_DATA_EXCEPTION:
			return !is_lack_in_expression(error);
		case ERRCODE_INTEGRITY_CONSTRAINT_VIOLATION:
			return is_of_contract(error, schema);
		case ERRCODE_PROGRAM_LIMIT_EXCEEDED:
			return error->sqlerrcode == ERRCODE_TOO_MANY_COLUMNS || error->sqlerrcode == ERRCODE_TOO_MANY_ARGUMENTS ||
				is_limit_of_values(error) || is_of_entries(error);
		case ERRCODE_SYNTAX_ERROR_OR_ACCESS_RULE_VIOLATION:
			return error->sqlerrcode != ERRCODE_INSUFFICIENT_PRIVILEGE && !is_of_library(error);
		case ERRCODE_FEATURE_NOT_SUPPORTED:
		case ERRCODE_DEPENDENT_PRIVILEGE_DESCRIPTORS_STILL_EXIST:
			return true;
		default:
			return false;
	}
}

static bool
is_result(const ErrorData *error, Oid schema)
{
	if (is_of_program(error))
		return true;
	switch (ERRCODE_TO_CATEGORY(error->sqlerrcode))
	{
		case ERRCODE_DATA_EXCEPTION:
			return !is_lack_in_expression(error);
		case ERRCODE_CARDINALITY_VIOLATION:
		case ERRCODE_FEATURE_NOT_SUPPORTED:
			return true;
		case ERRCODE_INTEGRITY_CONSTRAINT_VIOLATION:
			return is_of_contract(error, schema);
		case ERRCODE_PROGRAM_LIMIT_EXCEEDED:
			return is_limit_of_values(error);
		default:
			return is_of_values(error) || is_too_large(error);
	}
}

/*
 * What PL/pgSQL itself says: of RAISE, whatever SQLSTATE it gives, and of statements
 * that found no row or several, no arm of a CASE, no RETURN.  What cannot happen is
 * an internal error there too, and none of the call.
 */
static bool
is_of_program(const ErrorData *error)
{
	return error->filename != NULL && strcmp(error->filename, "pl_exec.c") == 0 &&
		(error->sqlerrcode != ERRCODE_INTERNAL_ERROR ||
		 (error->funcname != NULL && strcmp(error->funcname, "exec_stmt_raise") == 0));
}

/* A constraint of the contract itself; the schema of a trial may be gone. */
static bool
is_of_contract(const ErrorData *error, Oid schema)
{
	const char *name = get_namespace_name(schema);

	return error->schema_name != NULL && name != NULL && strcmp(error->schema_name, name) == 0;
}

/*
 * Whatever goes wrong with a regular expression has one SQLSTATE.  Its reason
 * stands at the end in words that are not translated, and contain nothing of the
 * pattern.  Memory is this server's.  A pattern is too complex by a budget that is
 * the same everywhere, or by the depth of this server's stack.  Patterns are in a
 * contract's source, and those that members approve fit into the usual stack, so
 * with less it waits for more.
 */
static bool
is_lack_in_expression(const ErrorData *error)
{
	return error->sqlerrcode == ERRCODE_INVALID_REGULAR_EXPRESSION &&
		(strstr(error->message, "out of memory") != NULL ||
		 (max_stack_depth < STACK_USUAL && strstr(error->message, "too complex") != NULL));
}

/*
 * Of class 42 what functions say of values and their types while they run.  What
 * a body in SQL names is bound when it is made.  What one in PL/pgSQL names was
 * found at every member when the script was judged, so if the parser misses it that
 * is this server's, as is the C function of a library that is older here.
 */
static bool
is_of_values(const ErrorData *error)
{
	static const TlStatus statuses[] = {
		TL_TOO_LARGE, TL_TRUNCATED, TL_TRAILING_BYTES, TL_BAD_FORMAT, TL_BAD_VERSION, TL_BAD_ORDER,
		TL_BAD_KEY, TL_BAD_SIGNATURE, TL_BAD_PROOF
	};

	for (size_t i = 0; i < lengthof(statuses); i++)
		if (error->sqlerrcode == tl_error_sqlstate(statuses[i]))
			return true;
	if (error->filename != NULL && strncmp(error->filename, "parse_", strlen("parse_")) == 0)
		return false;
	switch (error->sqlerrcode)
	{
		case ERRCODE_UNDEFINED_FUNCTION:
			return !is_of_library(error);
		case ERRCODE_SYNTAX_ERROR:
		case ERRCODE_DATATYPE_MISMATCH:
		case ERRCODE_UNDEFINED_OBJECT:
		case ERRCODE_WRONG_OBJECT_TYPE:
		case ERRCODE_INDETERMINATE_COLLATION:
			return true;
		default:
			return false;
	}
}

/* A library misses a C function here. */
static bool
is_of_library(const ErrorData *error)
{
	return error->sqlerrcode == ERRCODE_UNDEFINED_FUNCTION && error->filename != NULL &&
		(strcmp(error->filename, "fmgr.c") == 0 || strcmp(error->filename, "dfmgr.c") == 0);
}

/*
 * 54000 is also said where something is stored: of an index that this member
 * alone has, of transaction numbers that ran out.  The server keeps the name of
 * the file without its directory.
 */
static bool
is_limit_of_values(const ErrorData *error)
{
	return error->sqlerrcode == ERRCODE_PROGRAM_LIMIT_EXCEEDED && !is_of_entries(error) && !is_of_storage(error);
}

/* What one row would add to an index. */
static bool
is_of_entries(const ErrorData *error)
{
	static const char *const files[] = {
		"brin.c", "brin_pageops.c", "ginentrypage.c", "gist.c", "hashinsert.c", "hashovfl.c", "hashpage.c",
		"indextuple.c", "nbtutils.c", "spgdoinsert.c", "spgutils.c"
	};

	return error->sqlerrcode == ERRCODE_PROGRAM_LIMIT_EXCEEDED && error->filename != NULL &&
		tl_contract_is_listed(files, lengthof(files), error->filename);
}

/* By this server's memory, settings and age. */
static bool
is_of_storage(const ErrorData *error)
{
	static const char *const files[] = {
		"bufmgr.c", "ginbulk.c", "ipc.c", "localbuf.c", "md.c", "multixact.c", "shmem.c", "tuplesort.c",
		"varsup.c", "xact.c"
	};

	return error->filename != NULL && tl_contract_is_listed(files, lengthof(files), error->filename);
}

/*
 * A value that would be larger than any can be has no SQLSTATE of its own: the
 * allocator refuses it by the size alone, before it looks for memory.  Functions
 * ask for at most four bytes for each of values that exist.  More than that is a
 * length that was read from a damaged page, here alone.  Such messages are not
 * translated.
 */
static bool
is_too_large(const ErrorData *error)
{
	size_t		size;

	return error->sqlerrcode == ERRCODE_INTERNAL_ERROR && error->filename != NULL &&
		strcmp(error->filename, "mcxt.c") == 0 &&
		sscanf(error->message, "invalid memory alloc request size %zu", &size) == 1 &&
		size > MaxAllocSize && size <= VALUE_REQUEST_MAX;
}

/* ledger.require(condition, message): ends the call that asks for it, unless the condition holds */
Datum
tl_require(PG_FUNCTION_ARGS)
{
	char	   *words;

	if (!PG_ARGISNULL(0) && PG_GETARG_BOOL(0))
		PG_RETURN_VOID();
	words = PG_ARGISNULL(1) ? pstrdup("refused") : text_to_cstring(PG_GETARG_TEXT_PP(1));
	words[pg_mbcliplen(words, (int) strlen(words), WORDS_SIZE_MAX)] = '\0';
	ereport(ERROR,
			errcode(ERRCODE_RAISE_EXCEPTION),
			errmsg_internal("%s", words));
	PG_RETURN_VOID();
}
