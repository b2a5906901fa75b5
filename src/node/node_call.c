/*-------------------------------------------------------------------------
 *
 * node_call.c
 *	  The calls of a block: gathered with its rows, executed behind them.
 *
 * Hooks of node_apply.c.  A row of an entry point's table (contract_entry.c) is
 * a call, and one of a table that has a handler calls that.  When all rows of the
 * block are in their tables, handlers run, then calls, each one after
 * the other in the order of their refs, and what became of each is stored: a
 * leaf of the outcome root, and a row of ledger_internal.call_outcome, many at a time, behind
 * the events that it has told (node_event.c).  Behind them
 * the timers run that are due by the time of the block (contract_timer.c), whose
 * refs are 0.0.height.number, from 1: those that no member issues.
 *
 * What calls changed in state tables goes into the set hashes at the end, each
 * element as often as it came more often than it went.  So a row that changed
 * several times in the block is expanded once.
 *
 * A call, handler or timer that the members pass over (node_skip.c) is not executed,
 * and its outcome says so.
 *
 * The hook stands before that of deployment (node_deploy.c): a contract is called in
 * the blocks after the one that decides on it, and its new version too.  Both stand
 * before that of node_state.c, which closes the sums of the block.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "miscadmin.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/hsearch.h"
#include "utils/memutils.h"
#include "utils/timestamp.h"

#include "chain_applied.h"
#include "chain_state_store.h"
#include "chain_statement.h"
#include "chain_store.h"
#include "contract_entry.h"
#include "contract_execute.h"
#include "merkle_hash.h"
#include "node_apply.h"
#include "node_call.h"
#include "node_event.h"
#include "node_image.h"
#include "node_skip.h"
#include "node_stand.h"
#include "node_state.h"
#include "table_shared.h"
#include "table_state.h"
#include "tl_error.h"

#define CALLS_AT_FIRST	16

/* Whether a shared table has calls; for each that the block has rows of. */
typedef struct CallTable
{
	uint8_t		table_id[TL_TABLE_ID_SIZE];
	Oid			table;
	Oid			function;		/* InvalidOid: it has none */
	bool		is_handled;		/* its rows are no calls */
} CallTable;

typedef struct Element
{
	uint8_t		table_id[TL_TABLE_ID_SIZE];
	TlHash		element;
} Element;

typedef struct NetChange
{
	Element		key;
	int			count;
} NetChange;

static TlStatement select_roles = {
	"SELECT member, roles FROM ledger_internal.members($1)", 1, {INT8OID}
};

/* Of the block that is being applied, in the context of the transaction. */
static MemoryContext context = NULL;
static HTAB *tables = NULL;
static TlCall *calls = NULL;
static int	call_count = 0;
static int	call_room = 0;
static int	counted = 0;		/* those that are calls, whatever becomes of an attempt */
static bool runs = true;		/* what the block runs of contracts */
static TlChainRows *outcomes = NULL;	/* of ledger_internal.call_outcome */

static void on_begin(int64_t height);
static void on_row(int64_t height, const uint8_t table_id[TL_TABLE_ID_SIZE],
				   const TlRefBytes *ref, TlSpan bytes);
static void on_rows_end(bool count);
static void on_end(int64_t height);
static const CallTable *table_of(const uint8_t table_id[TL_TABLE_ID_SIZE]);
static void execute_all(int64_t height);
static void execute_calls(int64_t height, TlCallContext *about, HTAB *net);
static void execute_timers(int64_t height, TlCallContext *about, HTAB *net);
static void execute(int64_t height, const TlCall *call, const TlCallContext *about, HTAB *net);
static void skip(TlCallResult *out);
static int	compare_refs(const void *left, const void *right);
static Datum roles_of(uint64 count, const SPITupleTable *members, uint32_t member);
static HTAB *make_net(void);
static void take_changes(HTAB *net);
static void store(int64_t height, const TlCall *call, const TlCallResult *result);
static void make_leaf(uint8_t leaf[TL_OUTCOME_LEAF_SIZE], const TlTimer *timer,
					  const TlCallOutcome *outcome);
static void store_timer(TlChainRows *runs, const TlCall *call);
static void add_net(HTAB *net);

static const TlApplyHook hook = {
	.begin = on_begin,.rows_end = on_rows_end,.row = on_row,.end = on_end
};

void
tl_node_call_init(void)
{
	tl_node_apply_add_hook(&hook);
}

/* Of a block before that failed nothing is left. */
static void
on_begin(int64_t height)
{
	HASHCTL		control = {
		.keysize = TL_TABLE_ID_SIZE,.entrysize = sizeof(CallTable)
	};
	int			left;

	context = AllocSetContextCreate(CurTransactionContext, "telco_ledger calls of a block",
									ALLOCSET_DEFAULT_SIZES);
	control.hcxt = context;
	tables = hash_create("telco_ledger tables of calls", 16, &control,
						 HASH_ELEM | HASH_BLOBS | HASH_CONTEXT);
	calls = NULL;
	call_count = call_room = counted = 0;
	(void) tl_table_state_take(&left);
}

static void
on_row(int64_t height, const uint8_t table_id[TL_TABLE_ID_SIZE], const TlRefBytes *ref,
	   TlSpan bytes)
{
	const CallTable *table = table_of(table_id);
	TlCall	   *call;

	if (!OidIsValid(table->function))
		return;
	if (call_room == 0)
		calls = MemoryContextAlloc(context, (call_room = CALLS_AT_FIRST) * sizeof(TlCall));
	else if (call_count == call_room)
		calls = repalloc_huge(calls, (call_room *= 2) * sizeof(TlCall));
	call = &calls[call_count++];
	call->ref = *ref;
	call->table = table->table;
	call->function = table->function;
	call->is_row = table->is_handled;
	call->timer = NULL;
}

static void
on_rows_end(bool count)
{
	if (count)
		counted = call_count;
	else
		call_count = counted;
}

static const CallTable *
table_of(const uint8_t table_id[TL_TABLE_ID_SIZE])
{
	bool		found;
	CallTable  *table = hash_search(tables, table_id, HASH_ENTER, &found);

	if (!found)
	{
		table->table = tl_table_shared_relation(table_id);
		table->function = OidIsValid(table->table) ?
			tl_contract_entry_of_table(table->table, &table->is_handled) : InvalidOid;
	}
	return table;
}

static void
on_end(int64_t height)
{
	on_rows_end(false);
	if (runs && (call_count > 0 || tl_node_call_is_due(height)))
		execute_all(height);
	MemoryContextDelete(context);
	context = NULL;
	tables = NULL;
	calls = NULL;
	call_count = call_room = counted = 0;
}

/* Whether the next blocks run anything: their state may be taken from the others (node_replace.c). */
void
tl_node_call_run(bool on)
{
	runs = on;
}

/* Has this block, which is stored and not applied, something to run, whatever it orders? */
bool
tl_node_call_is_due(int64_t height)
{
	TimestampTz next;

	return tl_contract_timer_next(&next) && next <= tl_chain_block_time(height);
}

static void
execute_all(int64_t height)
{
	MemoryContext caller = MemoryContextSwitchTo(context);
	TlCallContext about = {.height = height,.time = tl_chain_block_time(height)};
	HTAB	   *net = make_net();
	int			settings = tl_contract_execute_begin();

	outcomes = tl_chain_rows_open("call_outcome");
	tl_node_event_begin();
	if (call_count > 0)
		execute_calls(height, &about, net);
	execute_timers(height, &about, net);
	tl_contract_execute_end(settings);
	tl_node_event_end();
	tl_chain_rows_close(outcomes);
	outcomes = NULL;
	add_net(net);
	MemoryContextSwitchTo(caller);
}

static void
execute_calls(int64_t height, TlCallContext *about, HTAB *net)
{
	MemoryContext one = AllocSetContextCreate(context, "telco_ledger outcome", ALLOCSET_DEFAULT_SIZES);
	Datum		value = Int64GetDatum(height);
	uint64		member_count = tl_chain_execute(&select_roles, &value, NULL, false);
	SPITupleTable *members = SPI_tuptable;

	qsort(calls, call_count, sizeof(TlCall), compare_refs);
	for (int i = 0; i < call_count; i++)
	{
		TlRef		ref;

		MemoryContextReset(one);
		MemoryContextSwitchTo(one);
		tl_table_ref_unpack(&ref, &calls[i].ref);
		about->roles = roles_of(member_count, members, ref.member);
		execute(height, &calls[i], about, net);
	}
	MemoryContextSwitchTo(context);
	SPI_freetuptable(members);
}

/* Those that are due when the calls have run; a handler's own ones are due later. */
static void
execute_timers(int64_t height, TlCallContext *about, HTAB *net)
{
	MemoryContext one = AllocSetContextCreate(context, "telco_ledger outcome", ALLOCSET_DEFAULT_SIZES);
	TlRef		ref = {.transaction = (uint64_t) height};
	int			count;
	TlTimer    *timers = tl_contract_timer_due(about->time, &count);
	TlChainRows *runs;

	if (count == 0)
		return;
	runs = tl_chain_rows_open("timer_run");
	about->roles = (Datum) 0;
	tl_contract_event_reset();
	for (int i = 0; i < count && !tl_contract_event_is_full(); i++)
	{
		TlCall		call = {.table = timers[i].table,.function = timers[i].function,.timer = &timers[i]};

		MemoryContextReset(one);
		MemoryContextSwitchTo(one);
		if (!tl_contract_timer_take(&timers[i]))
			continue;
		ref.row++;
		tl_table_ref_pack(&call.ref, &ref);
		execute(height, &call, about, net);
		store_timer(runs, &call);
	}
	MemoryContextSwitchTo(context);
	tl_chain_rows_close(runs);
}

static void
execute(int64_t height, const TlCall *call, const TlCallContext *about, HTAB *net)
{
	TlCallResult result;

	CHECK_FOR_INTERRUPTS();
	if (tl_node_skip_has(&call->ref))
		skip(&result);
	else
	{
		tl_node_stand_begin(height, &call->ref);
		tl_contract_execute(&result, call, about);
		tl_node_stand_end();
	}
	take_changes(net);
	tl_node_image_settle();
	tl_node_event_store(height, &call->ref, result.events, result.event_count);
	store(height, call, &result);
}

static void
skip(TlCallResult *out)
{
	memset(out, 0, sizeof(*out));
	strcpy(out->sqlstate, tl_status_sqlstate(TL_SKIPPED));
	out->error_message = pstrdup(tl_status_text(TL_SKIPPED));
}

/* Rows that are handled come before the calls. */
static int
compare_refs(const void *left, const void *right)
{
	const TlCall *a = left;
	const TlCall *b = right;

	if (a->is_row != b->is_row)
		return a->is_row ? -1 : 1;
	return tl_table_ref_compare(&a->ref, &b->ref);
}

static Datum
roles_of(uint64 count, const SPITupleTable *members, uint32_t member)
{
	bool		is_null;

	for (uint64 i = 0; i < count; i++)
		if (DatumGetInt64(SPI_getbinval(members->vals[i], members->tupdesc, 1, &is_null)) == member)
			return SPI_getbinval(members->vals[i], members->tupdesc, 2, &is_null);
	return PointerGetDatum(construct_empty_array(TEXTOID));
}

static HTAB *
make_net(void)
{
	HASHCTL		control = {
		.keysize = sizeof(Element),.entrysize = sizeof(NetChange),.hcxt = context
	};

	StaticAssertStmt(sizeof(Element) == TL_TABLE_ID_SIZE + TL_HASH_SIZE, "the key has no gaps");
	return hash_create("telco_ledger changes of a block", 256, &control,
					   HASH_ELEM | HASH_BLOBS | HASH_CONTEXT);
}

/* What the last call has changed. */
static void
take_changes(HTAB *net)
{
	int			count;
	const TlStateChange *changes = tl_table_state_take(&count);

	for (int i = 0; i < count; i++)
	{
		Element		key;
		NetChange  *change;
		bool		found;

		memcpy(key.table_id, changes[i].table_id, TL_TABLE_ID_SIZE);
		key.element = changes[i].element;
		change = hash_search(net, &key, HASH_ENTER, &found);
		if (!found)
			change->count = 0;
		change->count += changes[i].sign;
	}
}

static void
store(int64_t height, const TlCall *call, const TlCallResult *result)
{
	TlCallOutcome outcome = {.height = (uint64_t) height};
	uint8_t		leaf[TL_OUTCOME_LEAF_SIZE];
	const char *texts[] = {result->sqlstate, result->words, result->error_sqlstate, result->error_message};
	Datum		values[2 + lengthof(texts)] = {TlRefBytesGetDatum(&call->ref), Int64GetDatum(height)};
	bool		nulls[lengthof(values)] = {false};

	memcpy(outcome.ref, call->ref.bytes, TL_REF_SIZE);
	memcpy(outcome.sqlstate, result->sqlstate, TL_SQLSTATE_SIZE);
	tl_merkle_leaf_hash(&outcome.words, result->words == NULL ? "" : result->words,
						result->words == NULL ? 0 : strlen(result->words));
	make_leaf(leaf, call->timer, &outcome);
	tl_node_state_outcome(height, leaf);
	for (size_t i = 0; i < lengthof(texts); i++)
	{
		nulls[2 + i] = texts[i] == NULL;
		if (texts[i] != NULL)
			values[2 + i] = CStringGetTextDatum(texts[i]);
	}
	tl_chain_rows_add(outcomes, values, nulls, lengthof(values));
}

static void
make_leaf(uint8_t leaf[TL_OUTCOME_LEAF_SIZE], const TlTimer *timer, const TlCallOutcome *outcome)
{
	TlTimerOutcome about = {.call = *outcome};

	if (timer == NULL)
	{
		tl_error_check(tl_chain_state_outcome(leaf, outcome), "outcome of a call");
		return;
	}
	about.contract = timer->contract;
	about.handler = timer->handler;
	about.key = timer->key;
	about.at = tl_chain_time_to_unix(timer->at);
	tl_error_check(tl_chain_state_timer(leaf, &about), "outcome of a timer");
}

static void
store_timer(TlChainRows *runs, const TlCall *call)
{
	const TlTimer *timer = call->timer;
	Datum		values[] = {
		TlRefBytesGetDatum(&call->ref), CStringGetTextDatum(timer->contract),
		CStringGetTextDatum(timer->handler), CStringGetTextDatum(timer->key),
		TimestampTzGetDatum(timer->at)
	};
	bool		nulls[lengthof(values)] = {false};

	tl_chain_rows_add(runs, values, nulls, lengthof(values));
}

static void
add_net(HTAB *net)
{
	HASH_SEQ_STATUS scan;
	NetChange  *change;

	hash_seq_init(&scan, net);
	while ((change = hash_seq_search(&scan)) != NULL)
		if (change->count != 0)
			tl_node_state_change(change->key.table_id, &change->key.element, change->count);
}
