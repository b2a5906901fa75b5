/*-------------------------------------------------------------------------
 *
 * node_event.c
 *	  Events of contracts: stored with their block, and sessions woken by them.
 *
 * In the transaction that applies the block an event becomes a row of
 * ledger_internal.event, many at a time, numbered within its block, and a leaf of the
 * outcome root.
 *
 * Behind that transaction the worker notifies the channel ledger_event, once for
 * each contract that has told something: "height contract".  That is a transaction
 * of its own, since one session that listens and does not read would fill the
 * server's queue in the end, and with it keep blocks from being applied.  Nothing is
 * notified while the queue is half full.  A worker that begins notifies the last
 * block with events once more: the one before may not have come to it.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/xact.h"
#include "catalog/pg_type.h"
#include "executor/spi.h"
#include "utils/builtins.h"
#include "utils/snapmgr.h"
#include "utils/timestamp.h"

#include "chain_rows.h"
#include "chain_state.h"
#include "chain_statement.h"
#include "node_event.h"
#include "node_state.h"
#include "tl_error.h"

static TlStatement select_last = {"SELECT max(height) FROM ledger_internal.event"};
static TlStatement notify = {
	"SELECT pg_notify('ledger_event', height || ' ' || contract) FROM"
	" (SELECT DISTINCT height, contract FROM ledger_internal.event WHERE height > $1 AND height <= $2"
	" ORDER BY height, contract) AS e"
	" WHERE pg_notification_queue_usage() < 0.5",
	2, {INT8OID, INT8OID}
};

static int	number = 0;			/* of the last event of the block */
static TlChainRows *rows = NULL;	/* of ledger_internal.event; NULL: the block has none yet */
static MemoryContext context = NULL;	/* in which they are opened */

/* Blocks whose events are stored, and sessions woken; -1: not known, this process begins. */
static int64_t stored_height = -1;
static int64_t notified_height = -1;

static void open_rows(void);
static void make_leaf(uint8_t leaf[TL_OUTCOME_LEAF_SIZE], int64_t height, const TlRefBytes *ref,
					  const TlEvent *event);
static int64_t last_height(void);

/* In the current memory context. */
void
tl_node_event_begin(void)
{
	number = 0;
	rows = NULL;
	context = CurrentMemoryContext;
}

void
tl_node_event_end(void)
{
	if (rows != NULL)
		tl_chain_rows_close(rows);
	rows = NULL;
}

void
tl_node_event_store(int64_t height, const TlRefBytes *ref, const TlEvent *events, int count)
{
	if (rows == NULL && count > 0)
		open_rows();
	for (int i = 0; i < count; i++)
	{
		uint8_t		leaf[TL_OUTCOME_LEAF_SIZE];
		Datum		values[] = {
			Int64GetDatum(height), Int32GetDatum(++number), TlRefBytesGetDatum(ref),
			CStringGetTextDatum(events[i].contract), CStringGetTextDatum(events[i].name),
			events[i].payload
		};
		bool		nulls[lengthof(values)] = {false};

		make_leaf(leaf, height, ref, &events[i]);
		tl_node_state_outcome(height, leaf);
		tl_chain_rows_add(rows, values, nulls);
		stored_height = height;
	}
}

static void
open_rows(void)
{
	MemoryContext caller = MemoryContextSwitchTo(context);

	rows = tl_chain_rows_open("event");
	MemoryContextSwitchTo(caller);
}

static void
make_leaf(uint8_t leaf[TL_OUTCOME_LEAF_SIZE], int64_t height, const TlRefBytes *ref,
		  const TlEvent *event)
{
	TlEventLeaf about = {
		.height = (uint64_t) height,.number = (uint32_t) number,.contract = event->contract,
		.name = event->name,
		.payload = {(const uint8_t *) event->text, strlen(event->text)}
	};

	memcpy(about.ref, ref->bytes, TL_REF_SIZE);
	tl_error_check(tl_chain_state_event(leaf, &about), "event");
}

/* Also of blocks that were taken back and are applied again: woken once more is no harm. */
void
tl_node_event_notify(void)
{
	Datum		values[2];

	if (notified_height >= 0 && stored_height <= notified_height)
		return;
	SetCurrentStatementStartTimestamp();
	StartTransactionCommand();
	SPI_connect();
	PushActiveSnapshot(GetTransactionSnapshot());
	if (notified_height < 0)
	{
		stored_height = last_height();
		notified_height = Max(stored_height - 1, 0);
	}
	values[0] = Int64GetDatum(notified_height);
	values[1] = Int64GetDatum(stored_height);
	tl_chain_execute(&notify, values, NULL, true);
	SPI_finish();
	PopActiveSnapshot();
	CommitTransactionCommand();
	notified_height = stored_height;
}

/* 0 if there is none. */
static int64_t
last_height(void)
{
	Datum		height;
	bool		is_null;

	tl_chain_execute(&select_last, NULL, NULL, true);
	height = tl_chain_result(0, 0, &is_null);
	return is_null ? 0 : DatumGetInt64(height);
}
