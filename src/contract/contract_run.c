/*-------------------------------------------------------------------------
 *
 * contract_run.c
 *	  Running a contract's script, on trial or for good.
 *
 * The script runs in a schema of its own, as the unprivileged role
 * ledger_contract, with settings that decide what words mean pinned, so that it
 * makes the same at every member.
 *
 * On trial it runs in a subtransaction that is rolled back, statement by
 * statement, and everything that is refused is gathered: what its words alone
 * tell (contract_words.c), errors, and what it made (contract_made.c).  A
 * statement that is refused by its words is not run, and a function that is refused
 * is taken back: later statements could call it.  For good it runs only
 * after a trial that found nothing.  So what fails then has its cause in this
 * database, and is an ERROR to whoever runs it.
 *
 * A new version runs in the schema that is there, on trial as well, and may change
 * what it finds (contract_change.c).  The trial in the block that decides stays, if
 * it found nothing: rows of state are changed once.
 *
 * Of errors on trial those are the script's own fault that would happen at every
 * member: classes 0A, 22, 2B and 42 of SQLSTATE, but missing privileges, class 23 of
 * the contract's own constraints, limits of values (54) but the stack's depth, and
 * what the library says about ledger tables.  Others, a full disk or a cancelled query, are thrown on, as is all
 * that goes wrong before the script begins: a schema or a role is this server's.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/xact.h"
#include "catalog/namespace.h"
#include "catalog/pg_authid.h"
#include "catalog/pg_type.h"
#include "executor/spi.h"
#include "mb/pg_wchar.h"
#include "miscadmin.h"
#include "parser/parser.h"
#include "utils/acl.h"
#include "utils/builtins.h"
#include "utils/guc.h"
#include "utils/memutils.h"
#include "utils/resowner.h"
#include "utils/syscache.h"

#include "chain_applied.h"
#include "chain_statement.h"
#include "contract_change.h"
#include "contract_entry.h"
#include "contract_execute.h"
#include "contract_function.h"
#include "contract_made.h"
#include "contract_number.h"
#include "contract_plpgsql.h"
#include "contract_run.h"
#include "contract_setting.h"
#include "contract_timer.h"
#include "contract_words.h"
#include "table_contract.h"
#include "tl_error.h"

#define TRIAL_SCHEMA	"ledger_contract_trial"
#define NOT_BEGUN		(-1)

static TlStatement select_temporary = {
	"SELECT FROM pg_catalog.pg_type WHERE typnamespace = $1 LIMIT 1", 1, {OIDOID}
};

/* What was in force before a subtransaction. */
typedef struct Saved
{
	MemoryContext context;
	ResourceOwner owner;
} Saved;

/* What was in force before the script. */
typedef struct Stage
{
	Oid			user;
	int			security;
	int			settings;
	Oid			schema;
} Stage;

/* What is in the list of contract_execute.c too has the same value there. */
static const TlSetting settings[] = {
	{"array_nulls", "on"},
	{"backslash_quote", "safe_encoding"},
	{"bytea_output", "hex"},
	{"check_function_bodies", "on"},
	{"DateStyle", "ISO, MDY"},
	{"default_table_access_method", "heap"},
	{"default_tablespace", ""},
	{"default_toast_compression", "pglz"},
	{"enable_seqscan", "on"},	/* the worker has it off (node_settle.c) */
	{"escape_string_warning", "off"},
	{"extra_float_digits", "1"},
	{"IntervalStyle", "postgres"},
	{"jit", "off"},
	{"standard_conforming_strings", "on"},
	{"TimeZone", "UTC"},
	{"timezone_abbreviations", "Default"},
	{"transform_null_equals", "off"},
	{"xmloption", "content"}
};

static void try_script(TlRefusals *refusals);
static void try_statement(TlRefusals *refusals, const RawStmt *statement);
static void try_again(TlRefusals *refusals);
static void judge_again(TlRefusals *refusals, void *argument);
static void know_functions(TlRefusals *refusals);
static bool may_be_called(const RawStmt *statement);
static bool replaces_function(const RawStmt *statement, Oid schema);
static void complete(TlRefusals *refusals, const RawStmt *statement, Oid schema, bool replaced);
static void begin_part(Saved *saved);
static void end_part(const Saved *saved, bool keep);
static void take_error(TlRefusals *refusals, const Saved *saved, int start, const char *construct);
static void refuse_migration(TlRefusals *refusals, const ErrorData *error);
static int	place_of(const TlRefusals *refusals, const ErrorData *error, int start);
static bool is_own_fault(const ErrorData *error, Oid schema);
static void check_no_temporary(void);
static void begin_stage(Stage *stage, const char *schema, bool is_new);
static void make_schema(const char *schema);
static void end_stage(const Stage *stage);
static Oid	contract_role(void);
static char *text_of(const char *source, const RawStmt *statement);

/* Everything in the source that no contract may have; nothing is left of it. */
void
tl_contract_try(TlRefusals *refusals)
{
	Saved		saved;
	Stage		stage;
	volatile bool ready = false;

	begin_part(&saved);
	PG_TRY();
	{
		SPI_connect();
		check_no_temporary();
		begin_stage(&stage, TRIAL_SCHEMA, true);
		ready = true;
		refusals->schema = stage.schema;
		tl_table_contract_begin(TRIAL_SCHEMA);
		try_script(refusals);
		tl_table_contract_end();
		end_stage(&stage);
		SPI_finish();
		end_part(&saved, false);
	}
	PG_CATCH();
	{
		tl_table_contract_end();
		take_error(refusals, &saved, ready ? 0 : NOT_BEGUN, "source");
	}
	PG_END_TRY();
}

/*
 * The script of a new version of that contract, in its own schema, as if after that
 * block, or (0) the last that is applied here.  What it does stays, if that is wanted
 * and nothing is refused.
 */
void
tl_contract_try_change(TlRefusals *refusals, const char *contract, int64 height, bool keep)
{
	Saved		saved;
	Stage		stage;
	volatile bool ready = false;

	refusals->is_change = true;
	begin_part(&saved);
	PG_TRY();
	{
		SPI_connect();
		check_no_temporary();
		refusals->height = height > 0 ? height : tl_chain_applied_height();
		refusals->time = tl_chain_block_time(refusals->height);
		refusals->schema = get_namespace_oid(contract, false);
		tl_table_contract_begin(contract);
		tl_contract_names_begin(refusals->schema);
		begin_stage(&stage, contract, false);
		ready = true;
		try_script(refusals);
		end_stage(&stage);
		if (keep && tl_contract_count(refusals) == 0)
			tl_contract_names_end(refusals->schema);
		tl_table_contract_end();
		tl_contract_names_forget();
		SPI_finish();
		end_part(&saved, keep && tl_contract_count(refusals) == 0);
	}
	PG_CATCH();
	{
		tl_table_contract_end();
		tl_contract_names_forget();
		take_error(refusals, &saved, ready ? 0 : NOT_BEGUN, "source");
	}
	PG_END_TRY();
}

/* The settings of the stage are in force: they decide where a literal ends. */
static void
try_script(TlRefusals *refusals)
{
	List	   *statements = raw_parser(refusals->source, RAW_PARSE_DEFAULT);
	int			number = tl_contract_number_in_source(refusals->source);
	ListCell   *cell;

	if (number >= 0)
		tl_contract_refuse(refusals, number, "number", TL_CONTRACT_NUMBER_WHY, "a decimal number");
	if (statements == NIL)
		tl_contract_refuse(refusals, 0, "source", "it has no statement",
						   "a script that makes at least one table");
	if (refusals->is_change)
		know_functions(refusals);
	foreach(cell, statements)
	{
		CHECK_FOR_INTERRUPTS();
		try_statement(refusals, lfirst_node(RawStmt, cell));
	}
	if (tl_contract_count(refusals) > 0)
		return;
	if (refusals->is_change)
		tl_contract_again(refusals);
	else
		try_again(refusals);
}

/* How much work is below each that is there; what is refused of it counts at the end. */
static void
know_functions(TlRefusals *refusals)
{
	TlRefusals	scratch = *refusals;

	scratch.list = NIL;
	tl_contract_again(&scratch);
	refusals->work = scratch.work;
}

static void
try_statement(TlRefusals *refusals, const RawStmt *statement)
{
	int			before = tl_contract_count(refusals);
	Saved		saved;
	char	   *text = text_of(refusals->source, statement);

	refusals->statement = statement->stmt_location;
	while (isspace((unsigned char) refusals->source[refusals->statement]))
		refusals->statement++;
	tl_contract_words(refusals, statement);
	if (tl_contract_count(refusals) > before)
		return;
	begin_part(&saved);
	PG_TRY();
	{
		if (!tl_contract_change_run(refusals, statement, text))
		{
			bool		replaced = replaces_function(statement, refusals->schema);

			tl_contract_again_needed(refusals);
			tl_contract_run_statement(text);
			tl_contract_made(refusals, statement, refusals->schema);
			if (tl_contract_count(refusals) == before)
				complete(refusals, statement, refusals->schema, replaced);
		}
		end_part(&saved, tl_contract_count(refusals) == before || !may_be_called(statement));
	}
	PG_CATCH();
	{
		take_error(refusals, &saved, statement->stmt_location, "statement");
	}
	PG_END_TRY();
}

/* Functions that look up names when they run, now that all names are there. */
static void
try_again(TlRefusals *refusals)
{
	List	   *bodies = list_copy(refusals->bodies);
	ListCell   *cell;

	foreach(cell, bodies)
	{
		const TlLateBody *body = lfirst(cell);

		CHECK_FOR_INTERRUPTS();
		refusals->statement = body->statement;
		(void) tl_contract_run_part(refusals, judge_again, lfirst(cell));
	}
}

static void
judge_again(TlRefusals *refusals, void *argument)
{
	tl_contract_function_again(refusals, ((const TlLateBody *) argument)->function, refusals->schema);
}

/* A part of the trial; false if it has ended with an error, which is one more refusal. */
bool
tl_contract_run_part(TlRefusals *refusals, TlContractPart part, void *argument)
{
	Saved		saved;
	volatile bool done = false;

	begin_part(&saved);
	PG_TRY();
	{
		part(refusals, argument);
		end_part(&saved, true);
		done = true;
	}
	PG_CATCH();
	{
		take_error(refusals, &saved, refusals->statement, "statement");
	}
	PG_END_TRY();
	return done;
}

/* What it makes: so nothing of it may stay that is refused.  A domain has a CHECK that ALTER TABLE computes. */
static bool
may_be_called(const RawStmt *statement)
{
	return IsA(statement->stmt, CreateFunctionStmt) || IsA(statement->stmt, CreateDomainStmt);
}

static bool
replaces_function(const RawStmt *statement, Oid schema)
{
	return IsA(statement->stmt, CreateFunctionStmt) &&
		OidIsValid(tl_contract_function_made((CreateFunctionStmt *) statement->stmt, schema));
}

/* What a function gets beside it; on trial (refusals) that is looked at too. */
static void
complete(TlRefusals *refusals, const RawStmt *statement, Oid schema, bool replaced)
{
	Oid			function;
	ListCell   *cell;

	if (!IsA(statement->stmt, CreateFunctionStmt))
		return;
	function = tl_contract_function_made((CreateFunctionStmt *) statement->stmt, schema);
	foreach(cell, tl_contract_entry_statements(function, replaced))
	{
		const char *text = lfirst(cell);

		tl_contract_run_statement(text);
		if (refusals == NULL || replaced || foreach_current_index(cell) > 0 ||
			tl_contract_entry_is_row_handler(function) ||
			(!tl_contract_entry_is_entry(function) && !tl_contract_timer_is_handler(function)))
			continue;
		refusals->generated = true;
		tl_contract_made(refusals, linitial_node(RawStmt, raw_parser(text, RAW_PARSE_DEFAULT)), schema);
		refusals->generated = false;
	}
}

/* The script for good, in a schema of that name; which schema that is. */
Oid
tl_contract_run(const char *contract, const char *source)
{
	Stage		stage;
	ListCell   *cell;
	List	   *statements;

	SPI_connect();
	begin_stage(&stage, contract, true);
	statements = raw_parser(source, RAW_PARSE_DEFAULT);
	tl_table_contract_begin(contract);
	PG_TRY();
	{
		foreach(cell, statements)
		{
			CHECK_FOR_INTERRUPTS();
			tl_contract_run_statement(text_of(source, lfirst_node(RawStmt, cell)));
			complete(NULL, lfirst_node(RawStmt, cell), stage.schema, false);
		}
	}
	PG_FINALLY();
	{
		tl_table_contract_end();
	}
	PG_END_TRY();
	end_stage(&stage);
	SPI_finish();
	CommandCounterIncrement();
	return stage.schema;
}

static void
begin_part(Saved *saved)
{
	saved->context = CurrentMemoryContext;
	saved->owner = CurrentResourceOwner;
	BeginInternalSubTransaction(NULL);
	MemoryContextSwitchTo(saved->context);
}

static void
end_part(const Saved *saved, bool keep)
{
	if (keep)
		ReleaseCurrentSubTransaction();
	else
		RollbackAndReleaseCurrentSubTransaction();
	MemoryContextSwitchTo(saved->context);
	CurrentResourceOwner = saved->owner;
}

/*
 * After an ERROR in what begins there: one more refusal, or it is thrown on, as
 * everything is that kept the script from beginning.
 */
static void
take_error(TlRefusals *refusals, const Saved *saved, int start, const char *construct)
{
	ErrorData  *error;

	MemoryContextSwitchTo(saved->context);
	refusals->generated = false;
	error = CopyErrorData();
	FlushErrorState();
	end_part(saved, false);
	if (start == NOT_BEGUN ||
		!(refusals->migrating ? tl_contract_execute_is_result(error, refusals->schema) : is_own_fault(error, refusals->schema)))
		ReThrowError(error);
	if (refusals->migrating)
	{
		refusals->migrating = false;
		refuse_migration(refusals, error);
		return;
	}
	/* what a refused statement would have made is missed by later ones */
	if (tl_contract_count(refusals) == 0 ||
		ERRCODE_TO_CATEGORY(error->sqlerrcode) != ERRCODE_TO_CATEGORY(ERRCODE_SYNTAX_ERROR))
		tl_contract_refuse(refusals, place_of(refusals, error, start), construct, error->message,
						   error->hint != NULL ? error->hint :
						   error->detail != NULL ? error->detail : "");
	FreeErrorData(error);
}

/* Which of several errors is met first may depend on the order of rows; not the contract's own words. */
static void
refuse_migration(TlRefusals *refusals, const ErrorData *error)
{
	bool		refused = error->sqlerrcode == ERRCODE_RAISE_EXCEPTION;

	tl_contract_refuse(refusals, -1, refused ? "refused by itself" : "statement",
					   refused ? error->message : "the rows of its state are such that it fails",
					   refused ? "" : error->message);
}

/* The parser counts characters, from where it began to read. */
static int
place_of(const TlRefusals *refusals, const ErrorData *error, int start)
{
	int			position = error->cursorpos > 0 ? error->cursorpos : error->internalpos;
	const char *text = refusals->source + start;
	const char *inner = error->internalquery == NULL ? NULL : strstr(text, error->internalquery);

	if (position <= 0)
		return -1;
	if (error->cursorpos <= 0 && inner != NULL)
	{
		start += (int) (inner - text);	/* the text of a function */
		text = inner;
	}
	return start + pg_mbcharcliplen(text, (int) strlen(text), position - 1);
}

/* Would it happen at every member?  What the library says of tables has its own SQLSTATEs. */
static bool
is_own_fault(const ErrorData *error, Oid schema)
{
	return error->sqlerrcode == TL_ERRCODE(TL_APPEND_ONLY) || error->sqlerrcode == TL_ERRCODE(TL_DEFINITION_FIXED) ||
		error->sqlerrcode == TL_ERRCODE(TL_UNSUPPORTED_TYPE) || error->sqlerrcode == TL_ERRCODE(TL_TOO_LARGE) ||
		tl_contract_execute_is_of_script(error, schema);
}

/*
 * A name in the script finds a table or type of the session's own too, and with it, by
 * the CHECK of a domain, what the session wants to have run: with the rights of contracts.
 */
static void
check_no_temporary(void)
{
	Oid			schema;
	Oid			toast_schema;
	Datum		value;

	GetTempNamespaceState(&schema, &toast_schema);
	value = ObjectIdGetDatum(schema);
	/* not by the snapshot of the statement that calls, which may have made some itself */
	if (OidIsValid(schema) && tl_chain_execute(&select_temporary, &value, NULL, false) > 0)
		ereport(ERROR,
				errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				errmsg("a contract is not tried in a session that has temporary objects"),
				errdetail("A name in its script could mean one of them."),
				errhint("DISCARD TEMP, or use another session."));
}

/* The schema, made by who calls; then the role and the settings. */
static void
begin_stage(Stage *stage, const char *schema, bool is_new)
{
	Oid			role = contract_role();

	if (is_new)
		make_schema(schema);
	stage->schema = get_namespace_oid(schema, false);
	stage->settings = NewGUCNestLevel();
	tl_contract_setting_pin(settings, lengthof(settings));
	tl_contract_setting_path(schema);
	tl_contract_plpgsql_pin();
	GetUserIdAndSecContext(&stage->user, &stage->security);
	SetUserIdAndSecContext(role, stage->security | SECURITY_LOCAL_USERID_CHANGE |
						   SECURITY_RESTRICTED_OPERATION);
}

static void
make_schema(const char *schema)
{
	if (OidIsValid(get_namespace_oid(schema, true)))
		ereport(ERROR,
				errcode(ERRCODE_OBJECT_IN_USE),
				errmsg("schema \"%s\" exists already", schema),
				errdetail("The objects of a contract lie in a schema of their own, which has its name at all members."),
				errhint("Rename the schema that is there: ALTER SCHEMA %s RENAME TO ...", quote_identifier(schema)));
	tl_contract_run_statement(psprintf("CREATE SCHEMA %s AUTHORIZATION %s", quote_identifier(schema), TL_CONTRACT_ROLE));
	tl_contract_run_statement(psprintf("GRANT USAGE ON SCHEMA %s TO PUBLIC", quote_identifier(schema)));
}

static void
end_stage(const Stage *stage)
{
	SetUserIdAndSecContext(stage->user, stage->security);
	AtEOXact_GUC(true, stage->settings);
}

/* Who owns all contracts: somebody who may nothing else.  All roles of the library are there. */
static Oid
contract_role(void)
{
	static const char *const names[] = {
		TL_CONTRACT_ROLE, "ledger_admin", "ledger_submitter", "ledger_reader", "ledger_auditor"
	};
	Oid			role = get_role_oid(TL_CONTRACT_ROLE, true);

	for (size_t i = 0; i < lengthof(names); i++)
		if (!OidIsValid(get_role_oid(names[i], true)))
			ereport(ERROR,
					errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
					errmsg("role \"%s\" is missing", names[i]),
					errdetail("Contracts give privileges to such roles, and one of them owns what contracts make; CREATE EXTENSION telco_ledger has made it."),
					errhint("CREATE ROLE %s NOLOGIN.", names[i]));
	if (superuser_arg(role))
		ereport(ERROR,
				errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
				errmsg("role \"%s\" is a superuser", TL_CONTRACT_ROLE),
				errdetail("Scripts that other members have proposed run as this role."),
				errhint("ALTER ROLE %s NOSUPERUSER NOLOGIN.", TL_CONTRACT_ROLE));
	return role;
}

/* What comes after it sees what it has done. */
void
tl_contract_run_statement(const char *statement)
{
	int			result = SPI_execute(statement, false, 0);

	if (result < 0)
		elog(ERROR, "could not run \"%s\": %s", statement, SPI_result_code_string(result));
	CommandCounterIncrement();
}

/* The statement's own words; its length is 0 where it is the rest. */
static char *
text_of(const char *source, const RawStmt *statement)
{
	const char *start = source + statement->stmt_location;

	return statement->stmt_len > 0 ? pnstrdup(start, statement->stmt_len) : pstrdup(start);
}
