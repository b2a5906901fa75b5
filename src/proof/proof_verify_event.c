/*-------------------------------------------------------------------------
 *
 * proof_verify_event.c
 *	  The stored events of contracts against their leaves.
 *
 * A part of what is verified of the state (proof_verify_state.c), which also compares
 * the leaves with the outcome roots that a quorum has signed.  Events of a block are
 * numbered in the order of their leaves, without gaps.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/memutils.h"

#include "chain_state.h"
#include "chain_statement.h"
#include "proof_state.h"
#include "proof_verify_cursor.h"

#define EVENTS_MAX		10000	/* sorted at once, and those of the last one's block */
#define EVENTS_AT_ONCE	100		/* of these in memory: one has up to 8 kB */

/* The ref of a leaf stands at byte 11, its kind at byte 2. */
static const char select_events[] =
"SELECT coalesce(e.ref, l.ref), height, number, e.contract, e.name, e.payload::text, l.leaf FROM"
" (SELECT * FROM ledger_internal.event WHERE height > $1 AND height <= $2) AS e FULL JOIN"
" (SELECT encode(substring(leaf FROM 12 FOR 16), 'hex')::uuid::ledger.ref AS ref, height, leaf,"
" (row_number() OVER (PARTITION BY height ORDER BY number))::integer AS number"
" FROM ledger_internal.outcome WHERE height > $1 AND height <= $2"
" AND substring(leaf FROM 3 FOR 1) = '\\x02') AS l USING (height, number)"
" ORDER BY height, number";

enum
{
	EVENT_REF,
	EVENT_HEIGHT,
	EVENT_NUMBER,
	EVENT_CONTRACT,
	EVENT_NAME,
	EVENT_PAYLOAD,
	EVENT_LEAF,
	EVENT_COLUMNS
};

static int64_t check_events(TlVerification *run, int64_t after);
static void check_event(TlVerification *run, const Datum *values, const bool *is_null);
static bool make_leaf(uint8_t leaf[TL_OUTCOME_LEAF_SIZE], const Datum *values);

void
tl_proof_verify_events(TlVerification *run)
{
	for (int64_t after = PG_INT64_MIN; after < PG_INT64_MAX;)
		after = check_events(run, after);
}

/* Those of the next blocks; the last one's height. */
static int64_t
check_events(TlVerification *run, int64_t after)
{
	Oid			types[] = {INT8OID, INT8OID};
	int64_t		last = tl_proof_verify_range_end(after, EVENTS_MAX);
	Datum		range[] = {Int64GetDatum(after), Int64GetDatum(last)};
	MemoryContext one = AllocSetContextCreate(CurrentMemoryContext, "ledger.verify event",
											  ALLOCSET_DEFAULT_SIZES);
	MemoryContext caller = CurrentMemoryContext;
	TlCursor	cursor;

	tl_proof_cursor_open(&cursor, select_events, lengthof(types), types, range, EVENTS_AT_ONCE);
	for (; tl_proof_cursor_row(&cursor); tl_proof_cursor_advance(&cursor))
	{
		bool		is_null[EVENT_COLUMNS];
		Datum		values[EVENT_COLUMNS];

		CHECK_FOR_INTERRUPTS();
		MemoryContextReset(one);
		MemoryContextSwitchTo(one);
		for (int j = 0; j < EVENT_COLUMNS; j++)
			values[j] = tl_proof_cursor_value(&cursor, j, &is_null[j]);
		check_event(run, values, is_null);
		MemoryContextSwitchTo(caller);
	}
	tl_proof_cursor_close(&cursor);
	MemoryContextDelete(one);
	return last;
}

/* Does what is stored of it give the leaf that all members sign? */
static void
check_event(TlVerification *run, const Datum *values, const bool *is_null)
{
	uint8_t		leaf[TL_OUTCOME_LEAF_SIZE];
	bool		told = !is_null[EVENT_CONTRACT] && make_leaf(leaf, values);
	TlSpan		signed_leaf = is_null[EVENT_LEAF] ? (TlSpan) {NULL, 0} : tl_chain_span(values[EVENT_LEAF]);
	TlRef		ref;

	if (told && signed_leaf.size == sizeof(leaf) && memcmp(signed_leaf.data, leaf, sizeof(leaf)) == 0)
		return;
	tl_table_ref_unpack(&ref, (const TlRefBytes *) DatumGetPointer(values[EVENT_REF]));
	tl_proof_verify_report(run, &(TlProblem) {
		.kind = "event_changed",
		.ref = &ref,
		.has_height = true,
		.height = DatumGetInt64(values[EVENT_HEIGHT]),
		.expected = signed_leaf.size == 0 ? NULL : tl_proof_verify_hex(signed_leaf.data, signed_leaf.size),
		.found = told ? tl_proof_verify_hex(leaf, sizeof(leaf)) : NULL,
		.detail = psprintf("Event %d of the block in ledger_internal.event is not the one that all members sign.",
						   DatumGetInt32(values[EVENT_NUMBER]))
	});
}

/* False if there can be no such event. */
static bool
make_leaf(uint8_t leaf[TL_OUTCOME_LEAF_SIZE], const Datum *values)
{
	TlEventLeaf event = {
		.height = (uint64_t) DatumGetInt64(values[EVENT_HEIGHT]),
		.number = (uint32_t) DatumGetInt32(values[EVENT_NUMBER]),
		.contract = TextDatumGetCString(values[EVENT_CONTRACT]),
		.name = TextDatumGetCString(values[EVENT_NAME]),
		.payload = tl_chain_span(values[EVENT_PAYLOAD])
	};

	memcpy(event.ref, DatumGetPointer(values[EVENT_REF]), TL_REF_SIZE);
	return tl_chain_state_event(leaf, &event) == TL_OK;
}
