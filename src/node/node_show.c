/*-------------------------------------------------------------------------
 *
 * node_show.c
 *	  The state after a checkpoint, shown to members who ask for it.
 *
 * A member who takes the state of a checkpoint from the others (node_take.c) asks for
 * it piece by piece.  The worker writes the rows of all state tables after that block,
 * as they are now and were before (node_image.c), into ledger_internal.shown_piece,
 * in one transaction; the process of the wire shows them from there.  A piece that is
 * shown is
 *
 *		0		8		which making it is of: random
 *		8		4		number of pieces, from 1; 0: they are being made, and nothing follows
 *		12				for each row its size (4), and its bytes (src/table/table_state.c)
 *
 * Nobody can make a member do that whose DBA has not switched telco_ledger.show_state on;
 * while it is off questions are not even noted, and what was made is dropped.  Nor are those
 * for a block whose certified state this node has not had itself, or does not know any more.
 *
 * Rows make a piece until it has TL_STATE_PIECE_SIZE_MIN bytes.  One state is shown at a
 * time, for a while after the last question.  If members ask for several, one of them has
 * the turn: until he asks for another one, or for nothing in ASKING_MS, or has had a second
 * for each piece and a minute.  Then it is the turn of who has waited longest since his own;
 * whoever waits is told that it is being made.  So who asks again and again, for whatever,
 * keeps nobody from being served, and gets little: the next state is made after as long as
 * this one took, and PAUSE_MS at least.
 *
 * The tables are unlogged: what a crash takes of them is asked for again.  They are
 * emptied in a transaction of its own before, since that locks them.  If a row cannot be
 * read the log says so, and the worker goes on with its rounds.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/xact.h"
#include "catalog/pg_type.h"
#include "executor/spi.h"
#include "lib/stringinfo.h"
#include "miscadmin.h"
#include "port/pg_bswap.h"
#include "storage/lmgr.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/snapmgr.h"
#include "utils/timestamp.h"
#include "utils/uuid.h"

#include "chain_applied.h"
#include "chain_state_store.h"
#include "chain_statement.h"
#include "chain_stored.h"
#include "node_settings.h"
#include "node_shared.h"
#include "node_show.h"
#include "tl_attempt.h"
#include "tl_limits.h"

#define ROWS_AT_ONCE	100
#define SHOWN_MS		600000	/* after the last question */
#define ASKING_MS		15000	/* after his last question a member does not want it any more */
#define PAUSE_MS		10000	/* from one making to the next */
#define LOOK_LATER_MS	1000	/* while somebody reads what is to go, or may just have asked */
#define LOOK_PAUSE_MS	100
#define NOTHING			(-1)	/* no height */

static TlStatement upsert_asked = {
	"INSERT INTO ledger_internal.asked_state AS a (member, height) VALUES ($1, $2)"
	" ON CONFLICT (member) DO UPDATE SET height = $2, at = clock_timestamp(), failed = a.failed AND a.height = $2 RETURNING failed",
	2, {INT8OID, INT8OID}
};
static TlStatement select_shown = {
	"SELECT s.making, s.pieces, p.piece FROM ledger_internal.shown_state AS s"
	" LEFT JOIN ledger_internal.shown_piece AS p ON p.number = $2 WHERE s.height = $1",
	2, {INT8OID, INT4OID}
};
static TlStatement delete_asked = {"DELETE FROM ledger_internal.asked_state WHERE at <= $1", 1, {TIMESTAMPTZOID}};
static TlStatement select_kept = {
	"SELECT (SELECT max(at) FROM ledger_internal.asked_state),"
	" EXISTS (SELECT FROM ledger_internal.shown_state) OR EXISTS (SELECT FROM ledger_internal.shown_piece)"
};

/* Who has the turn, if he still has it; or who gets it, among those who ask. */
static TlStatement select_turn = {
	"SELECT a.member, a.height, (a.height = s.height) IS TRUE,"
	" (a.height = s.height AND a.turn_at = (SELECT max(t.turn_at) FROM ledger_internal.asked_state AS t)"
	" AND greatest(a.turn_at, s.made_at) + (60 + s.pieces) * interval '1 second' > $2) IS TRUE AS goes_on"
	" FROM ledger_internal.asked_state AS a LEFT JOIN ledger_internal.shown_state AS s ON true"
	" WHERE a.at > $1 ORDER BY goes_on DESC, a.turn_at NULLS FIRST, a.member LIMIT 1",
	2, {TIMESTAMPTZOID, TIMESTAMPTZOID}
};
enum
{
	TURN_MEMBER,
	TURN_HEIGHT,
	TURN_IS_SHOWN,
	TURN_GOES_ON
};
static TlStatement give_turn = {
	"UPDATE ledger_internal.asked_state SET turn_at = clock_timestamp(), failed = $2 WHERE member = $1", 2, {INT8OID, BOOLOID}
};
static TlStatement note_failure = {"UPDATE ledger_internal.asked_state SET failed = true WHERE height = $1", 1, {INT8OID}};
static TlStatement truncate_shown = {"TRUNCATE ledger_internal.shown_state, ledger_internal.shown_piece"};
static TlStatement insert_state = {
	"INSERT INTO ledger_internal.shown_state (height, making, pieces) VALUES ($1, $2, $3)",
	3, {INT8OID, BYTEAOID, INT8OID}
};

static TlStatement insert_piece = {
	"INSERT INTO ledger_internal.shown_piece (number, piece) VALUES ($1, $2)", 2, {INT4OID, BYTEAOID}
};

/* Is its state known after that block?  As for ledger.as_of (node_as_of.c). */
static TlStatement select_tables = {
	"SELECT relation::oid, table_id, $1 >= since FROM ledger_internal.state_since ORDER BY table_id",
	1, {INT8OID}
};
static const char query_text[] =
"SELECT ledger_internal.image(t.*) FROM %1$s AS t WHERE NOT EXISTS (SELECT FROM ledger_internal.state_image AS i"
" WHERE i.table_id = $1 AND i.height > $2 AND i.key = ledger_internal.image_key(t.*))"
" UNION ALL SELECT i.before FROM (SELECT DISTINCT ON (key) before FROM ledger_internal.state_image"
" WHERE table_id = $1 AND height > $2 ORDER BY key, height, number) AS i WHERE i.before IS NOT NULL";

/* One making. */
typedef struct Making
{
	int64_t		height;
	MemoryContext context;		/* of the rows that are read at one time */
	StringInfoData piece;		/* that is being filled */
	int32		count;			/* of those that are written */
} Making;

static bool asks = false;		/* in the process of the wire: somebody does since the worker was told */
static bool asked = true;		/* somebody may have */
static TimestampTz due = DT_NOEND;	/* when there is something to do otherwise */
static bool nothing_kept = false;	/* the setting is off, and what there was is dropped */
static TimestampTz look_again = 0;	/* no sooner, however often somebody asks */
static TimestampTz rest_until = 0;	/* no sooner is the next one made */

static TlSpan show(void);
static bool is_being_made(uint32_t member, int64_t height);
static void begin(void);
static void end(void);
static int64_t step(TimestampTz now);
static int64_t whose_turn(TimestampTz now);
static bool empty(void);
static void try_make(int64_t height);
static void make(void *argument);
static bool is_known(int64_t height);
static bool is_certified(int64_t height);
static void write_table(Making *making, Oid relation, Datum table_id);
static void append_row(Making *making, Datum row);
static void flush(Making *making);

/* The process of the wire; that member asks. */
TlSpan
tl_node_show_piece(void *context, uint32_t member, uint64_t height, uint32_t number)
{
	Datum		values[] = {Int64GetDatum((int64) height), Int32GetDatum((int32) number)};
	TlSpan		out = {NULL, 0};

	if (!tl_setting_show_state)
		return out;
	if (tl_chain_execute(&select_shown, values, NULL, false) > 0)
	{
		out = show();
		(void) is_being_made(member, (int64_t) height); /* so it is asked for */
	}
	else if (is_known((int64_t) height))
	{
		asks = true;
		if (is_being_made(member, (int64_t) height))
		{
			out.data = palloc0(TL_SHOWN_HEADER_SIZE);
			out.size = TL_SHOWN_HEADER_SIZE;
		}
	}
	return out;
}

/* The piece of the result; nothing if the state has fewer. */
static TlSpan
show(void)
{
	TlSpan		out = {NULL, 0};
	StringInfoData message;
	uint32		pieces;
	TlSpan		span;
	bool		none;

	(void) tl_chain_result(0, 2, &none);
	if (none)
		return out;
	initStringInfo(&message);
	span = tl_chain_result_span(0, 0);
	appendBinaryStringInfo(&message, (const char *) span.data, (int) span.size);
	pieces = pg_hton32((uint32) DatumGetInt64(tl_chain_result(0, 1, NULL)));
	appendBinaryStringInfo(&message, (const char *) &pieces, sizeof(pieces));
	span = tl_chain_result_span(0, 2);
	appendBinaryStringInfo(&message, (const char *) span.data, (int) span.size);
	out.data = (const uint8_t *) message.data;
	out.size = (size_t) message.len;
	return out;
}

/*
 * He asks for it: will it be shown, when it is his turn?  Behind a look at what is
 * shown, as the worker locks in that order.
 */
static bool
is_being_made(uint32_t member, int64_t height)
{
	Datum		values[] = {Int64GetDatum((int64) member), Int64GetDatum(height)};

	tl_chain_execute(&upsert_asked, values, NULL, false);
	return !DatumGetBool(tl_chain_result(0, 0, NULL));
}

void
tl_node_show_tell(void)
{
	if (asks)
		tl_node_shared_tell_worker(MyDatabaseId, TL_NEWS_PRUNE);
	asks = false;
}

void
tl_node_show_wake(void)
{
	asked = true;
}

long
tl_node_show_tend(void)
{
	TimestampTz now = GetCurrentTimestamp();
	int64_t		height;

	nothing_kept &= !tl_setting_show_state;
	if (nothing_kept)
		return -1;
	if (asked && now < look_again)
		return Max(TimestampDifferenceMilliseconds(now, look_again), 1);
	if (!asked && now < due)
		return due == DT_NOEND ? -1 : Max(TimestampDifferenceMilliseconds(now, due), 1);
	look_again = TimestampTzPlusMilliseconds(now, LOOK_PAUSE_MS);
	asked = false;
	begin();
	height = step(now);
	end();
	if (height != NOTHING)
	{
		begin();
		try_make(height);
		end();
	}
	return due == DT_NOEND ? -1 : Max(TimestampDifferenceMilliseconds(GetCurrentTimestamp(), due), 1);
}

static void
begin(void)
{
	SetCurrentStatementStartTimestamp();
	StartTransactionCommand();
	XactIsoLevel = XACT_READ_COMMITTED;
	SPI_connect();
	PushActiveSnapshot(GetTransactionSnapshot());
}

static void
end(void)
{
	SPI_finish();
	PopActiveSnapshot();
	CommitTransactionCommand();
}

/* Drop what nobody asks for any more, or is to be shown; which height is to be made? */
static int64_t
step(TimestampTz now)
{
	Datum		until = TimestampTzGetDatum(tl_setting_show_state ? TimestampTzPlusMilliseconds(now, -SHOWN_MS) : DT_NOEND);
	TimestampTz last;
	bool		nobody;
	bool		kept;
	uint64		noted;

	due = DT_NOEND;
	noted = tl_chain_execute(&delete_asked, &until, NULL, false);
	tl_chain_execute(&select_kept, NULL, NULL, false);
	last = DatumGetTimestampTz(tl_chain_result(0, 0, &nobody));
	if (!nobody)
	{
		due = TimestampTzPlusMilliseconds(last, SHOWN_MS);
		return whose_turn(now);
	}
	kept = DatumGetBool(tl_chain_result(0, 1, NULL));
	if ((kept && !empty()) || noted > 0)
		due = TimestampTzPlusMilliseconds(now, LOOK_LATER_MS);
	nothing_kept = !tl_setting_show_state && due == DT_NOEND;
	return NOTHING;
}

/* What that member asks for, if it is to be made now; he asks again while it is not. */
static int64_t
whose_turn(TimestampTz now)
{
	Datum		values[] = {TimestampTzGetDatum(TimestampTzPlusMilliseconds(now, -ASKING_MS)), TimestampTzGetDatum(now)};
	int64_t		height;
	bool		shown;
	bool		known;

	if (tl_chain_execute(&select_turn, values, NULL, false) == 0 || DatumGetBool(tl_chain_result(0, TURN_GOES_ON, NULL)))
		return NOTHING;
	values[0] = tl_chain_result(0, TURN_MEMBER, NULL);
	height = DatumGetInt64(tl_chain_result(0, TURN_HEIGHT, NULL));
	shown = DatumGetBool(tl_chain_result(0, TURN_IS_SHOWN, NULL));
	known = shown || is_known(height);
	if (known && !shown && (now < rest_until || !empty()))
	{
		due = Min(due, Max(rest_until, TimestampTzPlusMilliseconds(now, LOOK_LATER_MS)));
		return NOTHING;
	}
	values[1] = BoolGetDatum(!known);
	tl_chain_execute(&give_turn, values, NULL, false);
	return known && !shown ? height : NOTHING;
}

/* False if somebody reads it: the process of the wire would wait behind this one. */
static bool
empty(void)
{
	if (!ConditionalLockRelationOid(tl_chain_stored_oid("shown_state"), AccessExclusiveLock) ||
		!ConditionalLockRelationOid(tl_chain_stored_oid("shown_piece"), AccessExclusiveLock))
		return false;
	tl_chain_execute(&truncate_shown, NULL, NULL, false);
	return true;
}

/* What cannot be read here is shown by somebody else. */
static void
try_make(int64_t height)
{
	TimestampTz began = GetCurrentTimestamp();
	int64_t		pause;
	ErrorData  *error;

	error = tl_attempt(make, &height, NULL);
	if (error != NULL)
	{
		Datum		value = Int64GetDatum(height);

		if (error->sqlerrcode == ERRCODE_QUERY_CANCELED)
			ReThrowError(error);
		tl_chain_execute(&note_failure, &value, NULL, false);
		ereport(WARNING,
				errcode(error->sqlerrcode),
				errmsg("the state after block %lld, which another member asks for, cannot be shown", (long long) height),
				errdetail_internal("%s", error->message),
				errhint("SELECT * FROM ledger.verify(mode => 'full') names what is damaged here; until then another member has to show it."));
	}
	pause = GetCurrentTimestamp() - began;
	rest_until = GetCurrentTimestamp() + Max(pause, PAUSE_MS * INT64CONST(1000));
}

static void
make(void *argument)
{
	int64_t		height = *(const int64_t *) argument;
	Datum		value = Int64GetDatum(height);
	Making		making = {.height = height};
	uint8_t		number[TL_SHOWN_MAKING_SIZE];
	uint64		count = tl_chain_execute(&select_tables, &value, NULL, false);
	SPITupleTable *tables = SPI_tuptable;
	Datum		values[3];

	if (!pg_strong_random(number, sizeof(number)))
		elog(ERROR, "could not generate random bytes for a state that is shown");
	making.context = AllocSetContextCreate(CurrentMemoryContext, "telco_ledger rows that are shown",
										   ALLOCSET_DEFAULT_SIZES);
	initStringInfo(&making.piece);
	for (uint64 i = 0; i < count; i++)
	{
		bool		is_null;

		write_table(&making, DatumGetObjectId(SPI_getbinval(tables->vals[i], tables->tupdesc, 1, &is_null)),
					SPI_getbinval(tables->vals[i], tables->tupdesc, 2, &is_null));
	}
	if (making.piece.len > 0 || making.count == 0)
		flush(&making);
	MemoryContextDelete(making.context);
	values[0] = value;
	values[1] = tl_chain_bytes(number, sizeof(number));
	values[2] = Int64GetDatum(making.count);
	tl_chain_execute(&insert_state, values, NULL, false);
}

/* Can the certified state after that block be told from what is here? */
static bool
is_known(int64_t height)
{
	Datum		value = Int64GetDatum(height);
	bool		known = is_certified(height);
	uint64		count = known ? tl_chain_execute(&select_tables, &value, NULL, false) : 0;

	for (uint64 i = 0; i < count; i++)
		known &= DatumGetBool(tl_chain_result(i, 2, NULL));
	return known;
}

/* Was the state of this node after that block the one that a quorum has signed? */
static bool
is_certified(int64_t height)
{
	TlHash		root;

	return height <= tl_chain_applied_height() && tl_chain_state_at(&root, height) &&
		tl_chain_state_is_certified(height, &root);
}

static void
write_table(Making *making, Oid relation, Datum table_id)
{
	Oid			types[] = {UUIDOID, INT8OID};
	Datum		values[] = {table_id, Int64GetDatum(making->height)};
	char	   *name = quote_qualified_identifier(get_namespace_name(get_rel_namespace(relation)),
												  get_rel_name(relation));
	SPIPlanPtr	plan = SPI_prepare(psprintf(query_text, name), lengthof(types), types);
	Portal		portal;
	SPITupleTable *rows;
	MemoryContext caller;
	uint64		count;

	if (plan == NULL)
		elog(ERROR, "could not plan a query of a state table: %s", SPI_result_code_string(SPI_result));
	portal = SPI_cursor_open(NULL, plan, values, NULL, true);
	do
	{
		CHECK_FOR_INTERRUPTS();
		SPI_cursor_fetch(portal, true, ROWS_AT_ONCE);
		count = SPI_processed;
		rows = SPI_tuptable;
		caller = MemoryContextSwitchTo(making->context);
		for (uint64 i = 0; i < count; i++)
		{
			bool		is_null;

			append_row(making, SPI_getbinval(rows->vals[i], rows->tupdesc, 1, &is_null));
		}
		MemoryContextSwitchTo(caller);
		MemoryContextReset(making->context);
		SPI_freetuptable(rows);
	} while (count > 0);
	SPI_cursor_close(portal);
	SPI_freeplan(plan);
}

static void
append_row(Making *making, Datum row)
{
	TlSpan		span = tl_chain_span(row);
	uint32		size = pg_hton32((uint32) span.size);

	appendBinaryStringInfo(&making->piece, (const char *) &size, sizeof(size));
	appendBinaryStringInfo(&making->piece, (const char *) span.data, (int) span.size);
	if (making->piece.len >= TL_STATE_PIECE_SIZE_MIN)
		flush(making);
}

static void
flush(Making *making)
{
	Datum		values[] = {Int32GetDatum(making->count), tl_chain_bytes(making->piece.data, making->piece.len)};

	tl_chain_execute(&insert_piece, values, NULL, false);
	pfree(DatumGetPointer(values[1]));
	resetStringInfo(&making->piece);
	making->count++;
}
