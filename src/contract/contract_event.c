/*-------------------------------------------------------------------------
 *
 * contract_event.c
 *	  Events: what a call tells applications, and all members sign.
 *
 * ledger.emit(name, payload) notes an event while a call, a handler of rows or a
 * timer runs.  If that is done, its events are stored with its block, before its
 * outcome (node_event.c); if it is refused or fails, there are none.  The payload
 * is JSON and signed as the text that PostgreSQL gives of it, which is the same at
 * every member: keys in one order, numbers with their scale.
 *
 * A call tells CALL_MAX events at most, those of a block CALLS_MAX in all.  A call
 * that would tell more fails.  The timers of a block tell TIMERS_MAX in all, whatever
 * its calls have told: so calls do not keep timers waiting, block after block.  Timers,
 * which nobody could send again, do not fail for it, but wait for the next block.
 *
 * Invariants
 *	  U1  events are told while a call of the contract runs whose events they are
 *	  U2  whether an event is too many or too large is the same at every member
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "fmgr.h"
#include "utils/builtins.h"
#include "utils/datum.h"
#include "utils/jsonb.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"

#include "contract_event.h"
#include "table_json.h"
#include "table_state.h"
#include "tl_limits.h"

PG_FUNCTION_INFO_V1(tl_emit);

#define CALL_MAX		1000
#define CALLS_MAX		100000
#define TIMERS_MAX		20000
#define EVENTS_AT_FIRST	16

/* Stored, JSON takes less than this much for each byte of its text. */
#define STORED_FACTOR	16

/* Of the call that runs, in the memory of its result. */
static MemoryContext context = NULL;
static char *contract;
static TlEvent *events;
static int	count = 0;

/* Of the block, by calls that are done, or by its timers. */
static int	block_count = 0;

static void check_executing(void);
static void check_name(const char *name);
static char *payload_text(Datum payload);
static void refuse_size(void);
static void check_count(void);
static void add(const char *name, Datum payload, const char *text);

void
tl_contract_event_reset(void)
{
	block_count = 0;
}

void
tl_contract_event_begin(MemoryContext memory)
{
	context = memory;
	events = NULL;
	count = 0;
}

TlEvent *
tl_contract_event_end(bool done, int *event_count)
{
	*event_count = done ? count : 0;
	block_count += *event_count;
	context = NULL;
	count = 0;
	return events;
}

bool
tl_contract_event_is_full(void)
{
	return block_count > TIMERS_MAX - CALL_MAX;
}

/* ledger.emit(name, payload) */
Datum
tl_emit(PG_FUNCTION_ARGS)
{
	MemoryContext caller;
	char	   *name;
	char	   *shown;

	check_executing();
	if (PG_ARGISNULL(0) || PG_ARGISNULL(1))
		ereport(ERROR,
				errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
				errmsg("argument \"%s\" of an event is NULL", PG_ARGISNULL(0) ? "name" : "payload"),
				errhint("Leave out the payload of an event that has none."));
	name = text_to_cstring(PG_GETARG_TEXT_PP(0));
	check_name(name);
	shown = payload_text(PG_GETARG_DATUM(1));
	check_count();
	caller = MemoryContextSwitchTo(context);
	add(pstrdup(name), datumCopy(PointerGetDatum(PG_GETARG_JSONB_P(1)), false, -1), pstrdup(shown));
	MemoryContextSwitchTo(caller);
	PG_RETURN_VOID();
}

/* U1 */
static void
check_executing(void)
{
	if (context == NULL && OidIsValid(tl_table_state_executing()))
		ereport(ERROR,
				errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
				errmsg("a new version of a contract tells no events"),
				errhint("Let a call of the contract tell them afterwards."));
	if (context == NULL || !OidIsValid(tl_table_state_executing()))
		ereport(ERROR,
				errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				errmsg("events are told by calls of contracts"),
				errdetail("All members sign an event, with the block whose call has told it."),
				errhint("Call a function of a contract that does it; SELECT * FROM ledger.event shows what was told."));
}

static void
check_name(const char *name)
{
	if (*name == '\0')
		ereport(ERROR,
				errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				errmsg("an event needs a name"),
				errhint("Applications tell events apart by their names: give it one of 1 to %d bytes.", TL_EVENT_NAME_SIZE_MAX));
	if (strlen(name) > TL_EVENT_NAME_SIZE_MAX)
		ereport(ERROR,
				errcode(ERRCODE_STRING_DATA_RIGHT_TRUNCATION),
				errmsg("name of an event has more than %d bytes", TL_EVENT_NAME_SIZE_MAX),
				errhint("Tell in the payload what differs among events of a kind."));
}

/* U2: how it is stored may differ, its text does not. */
static char *
payload_text(Datum payload)
{
	Jsonb	   *json = DatumGetJsonbP(payload);
	TlJsonMeasure measure;
	TlSpan		span;
	char	   *text;

	if (VARSIZE(json) / STORED_FACTOR > TL_EVENT_PAYLOAD_SIZE_MAX)
		refuse_size();
	text = JsonbToCString(NULL, &json->root, VARSIZE(json));
	span.data = (const uint8_t *) text;
	span.size = strlen(text);
	if (span.size > TL_EVENT_PAYLOAD_SIZE_MAX)
		refuse_size();
	tl_table_json_measure(&measure, span);
	if (measure.depth > TL_SHARED_JSON_DEPTH_MAX)
		ereport(ERROR,
				errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
				errmsg("payload of an event is nested more than %d times", TL_SHARED_JSON_DEPTH_MAX),
				errhint("Tell what has changed, and keep the rest in a state table."));
	return text;
}

static void
refuse_size(void)
{
	ereport(ERROR,
			errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
			errmsg("payload of an event has more than %d bytes", TL_EVENT_PAYLOAD_SIZE_MAX),
			errhint("Tell what has changed, and keep the rest in a state table."));
}

static void
check_count(void)
{
	if (count == CALL_MAX)
		ereport(ERROR,
				errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
				errmsg("a call tells at most %d events", CALL_MAX),
				errhint("Tell several changes in one event, or do less in one call."));
	if (block_count + count == CALLS_MAX)
		ereport(ERROR,
				errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
				errmsg("the calls of a block tell at most %d events", CALLS_MAX),
				errhint("Send the call again: it goes into another block."));
}

static void
add(const char *name, Datum payload, const char *text)
{
	TlEvent    *event;

	if (count == 0)
	{
		contract = get_namespace_name(tl_table_state_executing());
		events = palloc(EVENTS_AT_FIRST * sizeof(TlEvent));
	}
	else if (count >= EVENTS_AT_FIRST && (count & (count - 1)) == 0)
		events = repalloc(events, 2 * count * sizeof(TlEvent));
	event = &events[count++];
	event->contract = contract;
	event->name = name;
	event->payload = payload;
	event->text = text;
}
