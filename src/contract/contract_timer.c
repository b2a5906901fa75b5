/*-------------------------------------------------------------------------
 *
 * contract_timer.c
 *	  Timers of contracts: set by calls, and due in blocks.
 *
 * A call of a contract sets a timer for a handler of the same contract, under a
 * key; the first block whose time is not before it runs the handler, behind the
 * calls of that block (node_call.c).  A timer goes when it runs, whatever becomes
 * of the handler, which may set it anew.
 *
 * A time that has passed counts as that of the block: what a call sets so runs
 * behind the calls of its own block, once however many of them set it.  For a handler
 * it counts as AHEAD_MIN after the block.  So one that sets itself anew makes a block
 * each second at most, and no timer runs twice in one block.
 *
 * Timers run in the order of when they are due, of contract, handler and key, the
 * latter three by their bytes; a block runs DUE_MAX at most, and the next one goes
 * on.
 *
 * Invariants
 *	  Z1  timers change while a call or handler of their contract runs, and where
 *		  one is taken to be run
 *	  Z2  a timer that is set by a handler is due after the time of the block
 *	  Z3  the handlers that are known are those of the block that is read as applied
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/relation.h"
#include "catalog/pg_type.h"
#include "executor/spi.h"
#include "fmgr.h"
#include "mb/pg_wchar.h"
#include "storage/lmgr.h"
#include "utils/builtins.h"
#include "utils/hsearch.h"
#include "utils/inval.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/rel.h"
#include "utils/syscache.h"
#include "utils/timestamp.h"

#include "chain_state.h"
#include "chain_statement.h"
#include "chain_stored.h"
#include "contract_timer.h"
#include "table_state.h"

PG_FUNCTION_INFO_V1(tl_set_timer);
PG_FUNCTION_INFO_V1(tl_cancel_timer);

#define AHEAD_MIN		USECS_PER_SEC
#define KEY_LENGTH_MAX	255		/* characters */
#define CHANGES_MAX		1000	/* of timers, in one call */
#define DUE_MAX			1000	/* run in one block */

/* What is asked of one table of timers. */
typedef enum Question
{
	ASK_NEXT,
	ASK_DUE,
	TAKE,
	SET,
	CANCEL,
	QUESTION_COUNT
} Question;

typedef struct Asked
{
	Oid			table;
	TlStatement statements[QUESTION_COUNT];
} Asked;

typedef struct Handler
{
	char	   *contract;
	char	   *name;
	Oid			function;
	Oid			table;
} Handler;

/*
 * What select_handlers found.  It is asked again when a function has changed, or when
 * there is another number of contracts or of their schemas: those who see that a block
 * is applied may hear of its functions a moment later, and in a restore the rows come
 * behind the functions.
 */
static Handler *handlers = NULL;
static int	handler_count = 0;
static int64 handler_contracts = 0;
static uint64 handler_change = 0;	/* after how many changes they were found */
static uint64 function_changes = 1;
static MemoryContext handlers_context = NULL;

static TlStatement select_handlers = {
	"SELECT s.contract, p.proname::text, p.oid, c.oid"
	" FROM ledger_internal.contract_schema AS s"
	" JOIN pg_catalog.pg_namespace AS n ON n.nspname = s.schema"
	" JOIN pg_catalog.pg_proc AS p ON p.pronamespace = n.oid AND p.proargtypes[0] = 'ledger.timer'::regtype"
	" JOIN pg_catalog.pg_class AS c ON c.relnamespace = n.oid AND c.relname = p.proname || '" TL_TIMER_TABLE_SUFFIX "'"
};

/* Of the call that runs. */
static TimestampTz earliest = 0;	/* for which it can set a timer */
static int	change_count = 0;

static void begin_change(FunctionCallInfo fcinfo, Oid *table);
static void refuse_null(const char *name);
static TimestampTz time_argument(TimestampTz at);
static bool lock_table(Oid table);
static uint64 ask(Oid table, Question question, const Datum *values);
static void prepare(Asked *asked);
static void know_handlers(void);
static void load_handlers(void);
static void forget_handlers(Datum arg, int cache, uint32 hash);
static void add_due(TlTimer **timers, int *count, const Handler *handler, TimestampTz time);
static int	compare_timers(const void *left, const void *right);

/* Z2: a call, or a handler of a timer, begins in a block of that time. */
void
tl_contract_timer_call(TimestampTz time, bool is_handler)
{
	earliest = is_handler ? time + AHEAD_MIN : time;
	change_count = 0;
}

/* ledger.set_timer(handler, key, at) */
Datum
tl_set_timer(PG_FUNCTION_ARGS)
{
	Oid			table;
	Datum		values[2];

	begin_change(fcinfo, &table);
	if (PG_ARGISNULL(2))
		refuse_null("at");
	values[0] = PG_GETARG_DATUM(1);
	values[1] = TimestampTzGetDatum(time_argument(PG_GETARG_TIMESTAMPTZ(2)));
	SPI_connect();
	ask(table, SET, values);
	SPI_finish();
	PG_RETURN_VOID();
}

/* ledger.cancel_timer(handler, key) */
Datum
tl_cancel_timer(PG_FUNCTION_ARGS)
{
	Oid			table;
	Datum		value;

	begin_change(fcinfo, &table);
	value = PG_GETARG_DATUM(1);
	SPI_connect();
	ask(table, CANCEL, &value);
	SPI_finish();
	PG_RETURN_VOID();
}

/* Z1; what both have in common. */
static void
begin_change(FunctionCallInfo fcinfo, Oid *table)
{
	Oid			schema = tl_table_state_executing();
	char	   *handler;
	char	   *key;

	if (!OidIsValid(schema))
		ereport(ERROR,
				errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				errmsg("timers are set and cancelled by calls of contracts"),
				errdetail("A timer is state of its contract, the same at all members."),
				errhint("Call a function of the contract that does it."));
	if (PG_ARGISNULL(0))
		refuse_null("handler");
	if (PG_ARGISNULL(1))
		refuse_null("key");
	handler = text_to_cstring(PG_GETARG_TEXT_PP(0));
	key = text_to_cstring(PG_GETARG_TEXT_PP(1));
	*table = tl_contract_timer_table(schema, handler);
	if (!OidIsValid(*table))
		ereport(ERROR,
				errcode(ERRCODE_UNDEFINED_FUNCTION),
				errmsg("the contract has no handler of timers \"%s\"", handler),
				errhint("A handler is a function of the contract whose one argument is a ledger.timer."));
	if (pg_mbstrlen(key) > KEY_LENGTH_MAX)
		ereport(ERROR,
				errcode(ERRCODE_STRING_DATA_RIGHT_TRUNCATION),
				errmsg("key of a timer has more than %d characters", KEY_LENGTH_MAX));
	if (++change_count > CHANGES_MAX)
		ereport(ERROR,
				errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
				errmsg("a call sets or cancels at most %d timers", CHANGES_MAX));
}

static void
refuse_null(const char *name)
{
	ereport(ERROR,
			errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
			errmsg("argument \"%s\" of a timer is NULL", name));
}

/* Z2 */
static TimestampTz
time_argument(TimestampTz at)
{
	if (TIMESTAMP_NOT_FINITE(at))
		ereport(ERROR,
				errcode(ERRCODE_DATETIME_VALUE_OUT_OF_RANGE),
				errmsg("a timer needs a time that is finite"));
	return Max(at, earliest);
}

/*
 * For who must not wait when it asks what is due next: false if a session has locked
 * a table of timers, or an index of one.  The locks go with the transaction.
 */
bool
tl_contract_timer_lock(void)
{
	know_handlers();
	for (int i = 0; i < handler_count; i++)
		if (!lock_table(handlers[i].table))
			return false;
	return true;
}

static bool
lock_table(Oid table)
{
	Relation	relation;
	ListCell   *cell;
	bool		locked = ConditionalLockRelationOid(table, AccessShareLock);

	relation = locked ? try_relation_open(table, NoLock) : NULL;
	if (relation == NULL)
		return locked;			/* dropped meanwhile: there is nothing to wait for */
	foreach(cell, RelationGetIndexList(relation))
		locked = locked && ConditionalLockRelationOid(lfirst_oid(cell), AccessShareLock);
	relation_close(relation, NoLock);
	return locked;
}

/* When the next timer of any contract is due; false: there is none. */
bool
tl_contract_timer_next(TimestampTz *at)
{
	bool		found = false;

	know_handlers();
	for (int i = 0; i < handler_count; i++)
	{
		TimestampTz next;
		bool		is_null;

		ask(handlers[i].table, ASK_NEXT, NULL);
		next = DatumGetTimestampTz(tl_chain_result(0, 0, &is_null));
		if (!is_null && (!found || next < *at))
			*at = next;
		found |= !is_null;
		SPI_freetuptable(SPI_tuptable);
	}
	return found;
}

/* Those that a block of that time runs, in their order. */
TlTimer *
tl_contract_timer_due(TimestampTz time, int *count)
{
	TlTimer    *timers = NULL;

	*count = 0;
	know_handlers();
	for (int i = 0; i < handler_count; i++)
		add_due(&timers, count, &handlers[i], time);
	if (*count > 0)
		qsort(timers, *count, sizeof(TlTimer), compare_timers);
	*count = Min(*count, DUE_MAX);
	return timers;
}

static void
add_due(TlTimer **timers, int *count, const Handler *handler, TimestampTz time)
{
	Datum		values[] = {TimestampTzGetDatum(time), Int32GetDatum(DUE_MAX)};
	uint64		found = ask(handler->table, ASK_DUE, values);
	char	   *contract;
	char	   *name;

	if (found == 0)
		return;
	contract = pstrdup(handler->contract);	/* handlers may be loaded anew before it runs */
	name = pstrdup(handler->name);
	*timers = *timers == NULL ? palloc(found * sizeof(TlTimer)) :
		repalloc(*timers, (*count + found) * sizeof(TlTimer));
	for (uint64 i = 0; i < found; i++)
	{
		TlTimer    *timer = &(*timers)[(*count)++];

		timer->contract = contract;
		timer->handler = name;
		timer->function = handler->function;
		timer->table = handler->table;
		timer->key = TextDatumGetCString(tl_chain_result(i, 0, NULL));
		timer->at = DatumGetTimestampTz(tl_chain_result(i, 1, NULL));
	}
	SPI_freetuptable(SPI_tuptable);
}

static int
compare_timers(const void *left, const void *right)
{
	const TlTimer *a = left;
	const TlTimer *b = right;
	int			result;

	if (a->at != b->at)
		return a->at < b->at ? -1 : 1;
	result = strcmp(a->contract, b->contract);
	if (result == 0)
		result = strcmp(a->handler, b->handler);
	return result != 0 ? result : strcmp(a->key, b->key);
}

/* Out of its table, to be run.  False if something in this block has taken it away, or moved it. */
bool
tl_contract_timer_take(const TlTimer *timer)
{
	Datum		values[] = {CStringGetTextDatum(timer->key), TimestampTzGetDatum(timer->at)};
	bool		taken;

	tl_table_state_begin(get_rel_namespace(timer->table), tl_chain_state_row_element);
	taken = ask(timer->table, TAKE, values) == 1;
	tl_table_state_end();
	return taken;
}

/* The caller has connected SPI. */
static uint64
ask(Oid table, Question question, const Datum *values)
{
	static HTAB *known = NULL;
	Asked	   *asked;
	bool		found;

	if (known == NULL)
	{
		HASHCTL		control = {.keysize = sizeof(Oid),.entrysize = sizeof(Asked),.hcxt = TopMemoryContext};

		known = hash_create("telco_ledger tables of timers", 16, &control,
							HASH_ELEM | HASH_BLOBS | HASH_CONTEXT);
	}
	asked = hash_search(known, &table, HASH_FIND, NULL);
	if (asked == NULL)
	{
		Asked		made = {.table = table};

		prepare(&made);
		asked = hash_search(known, &table, HASH_ENTER, &found);
		*asked = made;
	}
	return tl_chain_execute(&asked->statements[question], values, NULL, false);
}

static void
prepare(Asked *asked)
{
	static const TlStatement forms[QUESTION_COUNT] = {
		[ASK_NEXT] = {"SELECT min(at) FROM %s"},
		[ASK_DUE] = {"SELECT key::text, at FROM %s WHERE at <= $1 ORDER BY at, key COLLATE \"C\" LIMIT $2", 2, {TIMESTAMPTZOID, INT4OID}},
		[TAKE] = {"DELETE FROM %s WHERE key = $1 AND at = $2", 2, {TEXTOID, TIMESTAMPTZOID}},
		[SET] = {"INSERT INTO %s AS t (key, at) VALUES ($1, $2) ON CONFLICT (key) DO UPDATE SET at = excluded.at", 2, {TEXTOID, TIMESTAMPTZOID}},
		[CANCEL] = {"DELETE FROM %s WHERE key = $1", 1, {TEXTOID}}
	};
	char	   *name = quote_qualified_identifier(get_namespace_name(get_rel_namespace(asked->table)),
												  get_rel_name(asked->table));

	for (int i = 0; i < QUESTION_COUNT; i++)
	{
		asked->statements[i] = forms[i];
		asked->statements[i].text = MemoryContextStrdup(TopMemoryContext, psprintf(forms[i].text, name));
	}
}

static void
know_handlers(void)
{
	int64		contracts = tl_chain_stored_count("contract") + tl_chain_stored_count("contract_schema");

	if (handlers_context == NULL)
	{
		handlers_context = AllocSetContextCreate(TopMemoryContext, "telco_ledger handlers of timers", ALLOCSET_SMALL_SIZES);
		CacheRegisterSyscacheCallback(PROCOID, forget_handlers, (Datum) 0);
	}
	if (handler_change != function_changes || handler_contracts != contracts)
	{
		uint64		change = function_changes;

		load_handlers();
		handler_change = change;
		handler_contracts = contracts;
	}
}

static void
load_handlers(void)
{
	MemoryContext caller;
	uint64		found;

	handler_change = 0;
	found = tl_chain_execute(&select_handlers, NULL, NULL, false);
	MemoryContextReset(handlers_context);
	caller = MemoryContextSwitchTo(handlers_context);
	handlers = palloc((found + 1) * sizeof(Handler));
	for (uint64 i = 0; i < found; i++)
	{
		handlers[i].contract = TextDatumGetCString(tl_chain_result(i, 0, NULL));
		handlers[i].name = TextDatumGetCString(tl_chain_result(i, 1, NULL));
		handlers[i].function = DatumGetObjectId(tl_chain_result(i, 2, NULL));
		handlers[i].table = DatumGetObjectId(tl_chain_result(i, 3, NULL));
	}
	handler_count = (int) found;
	MemoryContextSwitchTo(caller);
	SPI_freetuptable(SPI_tuptable);
}

static void
forget_handlers(Datum arg, int cache, uint32 hash)
{
	function_changes++;
}
