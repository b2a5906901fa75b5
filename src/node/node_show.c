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
 * while it is off questions are not even noted, and what was made is dropped.
 *
 * Rows make a piece until it has TL_STATE_PIECE_SIZE_MIN bytes.  Nothing is made of a
 * checkpoint whose state this node has not had itself, or which it does not know any
 * more.  Who asks without end gets little: what was made stays for a while, and the next
 * is made after as long as this took, and PAUSE_MS at least.
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
#include "utils/resowner.h"
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
#include "tl_limits.h"

#define ROWS_AT_ONCE	100
#define SHOWN_MS		600000	/* after the last question */
#define PAUSE_MS		10000	/* from one making to the next */
#define LOCKED_MS		1000	/* while somebody reads what is to go */
#define NOTHING			(-1)	/* no height */

static TlStatement upsert_asked = {
	"INSERT INTO ledger_internal.asked_state (height) VALUES ($1)"
	" ON CONFLICT (is_on) DO UPDATE SET height = $1, at = clock_timestamp(),"
	" being_made = asked_state.being_made AND asked_state.height = $1 RETURNING being_made",
	1, {INT8OID}
};
static TlStatement note_making = {
	"UPDATE ledger_internal.asked_state SET being_made = true WHERE height = $1", 1, {INT8OID}
};
static TlStatement select_shown = {
	"SELECT s.making, s.pieces, p.piece FROM ledger_internal.shown_state AS s, ledger_internal.shown_piece AS p"
	" WHERE s.height = $1 AND p.number = $2",
	2, {INT8OID, INT4OID}
};
static TlStatement select_asked = {
	"SELECT a.height, a.at, s.height FROM ledger_internal.asked_state AS a"
	" LEFT JOIN ledger_internal.shown_state AS s ON true"
};
static TlStatement delete_asked = {"DELETE FROM ledger_internal.asked_state"};
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

static bool asked = true;		/* somebody may have */
static TimestampTz due = DT_NOEND;	/* when there is something to do otherwise */
static TimestampTz rest_until = 0;

static void begin(void);
static void end(void);
static int64_t step(TimestampTz now);
static bool empty(void);
static void try_make(int64_t height);
static void make(int64_t height);
static bool is_known(int64_t height);
static bool is_certified(int64_t height);
static void write_table(Making *making, Oid relation, Datum table_id);
static void append_row(Making *making, Datum row);
static void flush(Making *making);

/* The process of the wire; somebody asks. */
TlSpan
tl_node_show_piece(void *context, uint64_t height, uint32_t number)
{
	Datum		values[] = {Int64GetDatum((int64) height), Int32GetDatum((int32) number)};
	TlSpan		out = {NULL, 0};
	StringInfoData message;
	uint32		pieces;
	TlSpan		span;
	bool		being_made;

	if (!tl_setting_show_state)
		return out;
	tl_chain_execute(&upsert_asked, values, NULL, false);
	being_made = DatumGetBool(tl_chain_result(0, 0, NULL));
	if (tl_chain_execute(&select_shown, values, NULL, false) == 0)
	{
		tl_node_shared_tell_worker(MyDatabaseId, TL_NEWS_PRUNE);
		if (being_made)
		{
			out.data = palloc0(TL_SHOWN_HEADER_SIZE);
			out.size = TL_SHOWN_HEADER_SIZE;
		}
		return out;
	}
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

	if (asked && tl_setting_show_state && now < rest_until)
		return Max(TimestampDifferenceMilliseconds(now, rest_until), 1);
	if (!asked && now < due)
		return due == DT_NOEND ? -1 : Max(TimestampDifferenceMilliseconds(now, due), 1);
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
	int64_t		wanted;
	bool		none;
	Datum		shown;
	Datum		value;

	due = DT_NOEND;
	if (tl_chain_execute(&select_asked, NULL, NULL, false) == 0)
		return NOTHING;
	wanted = DatumGetInt64(tl_chain_result(0, 0, NULL));
	value = Int64GetDatum(wanted);
	if (tl_setting_show_state)
		due = TimestampTzPlusMilliseconds(DatumGetTimestampTz(tl_chain_result(0, 1, NULL)), SHOWN_MS);
	else
		due = now;
	shown = tl_chain_result(0, 2, &none);
	if (due > now && ((!none && DatumGetInt64(shown) == wanted) || !is_known(wanted)))
		return NOTHING;
	if (!empty())
	{
		due = TimestampTzPlusMilliseconds(now, LOCKED_MS);
		return NOTHING;
	}
	if (due > now)
	{
		tl_chain_execute(&note_making, &value, NULL, false);
		return wanted;
	}
	tl_chain_execute(&delete_asked, NULL, NULL, false);
	due = DT_NOEND;
	return NOTHING;
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

/* In a subtransaction; what cannot be read here is shown by somebody else. */
static void
try_make(int64_t height)
{
	MemoryContext caller = CurrentMemoryContext;
	ResourceOwner owner = CurrentResourceOwner;
	TimestampTz began = GetCurrentTimestamp();
	int64_t		pause;

	BeginInternalSubTransaction(NULL);
	MemoryContextSwitchTo(caller);
	PG_TRY();
	{
		make(height);
		ReleaseCurrentSubTransaction();
	}
	PG_CATCH();
	{
		ErrorData  *error;

		MemoryContextSwitchTo(caller);
		error = CopyErrorData();
		FlushErrorState();
		RollbackAndReleaseCurrentSubTransaction();
		MemoryContextSwitchTo(caller);
		if (error->sqlerrcode == ERRCODE_QUERY_CANCELED)
			ReThrowError(error);
		tl_chain_execute(&delete_asked, NULL, NULL, false);
		ereport(WARNING,
				errcode(error->sqlerrcode),
				errmsg("the state after block %lld, which another member asks for, cannot be shown", (long long) height),
				errdetail_internal("%s", error->message),
				errhint("SELECT * FROM ledger.verify(mode => 'full') names what is damaged here; until then another member has to show it."));
	}
	PG_END_TRY();
	MemoryContextSwitchTo(caller);
	CurrentResourceOwner = owner;
	pause = GetCurrentTimestamp() - began;
	rest_until = GetCurrentTimestamp() + Max(pause, PAUSE_MS * INT64CONST(1000));
}

static void
make(int64_t height)
{
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
