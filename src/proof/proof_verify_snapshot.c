/*-------------------------------------------------------------------------
 *
 * proof_verify_snapshot.c
 *	  The stored snapshots: which transactions each batch has seen.
 *
 * They are this node's own memory, outside every hash.  What they say is
 * checked against itself here, and against the refs of the rows that were
 * batched in proof_verify_rows.c.
 *
 * Invariants
 *	  V1  snapshots are numbered from 0 without gaps
 *	  V2  the text is the one that a snapshot is stored as, next_xid its xmax
 *	  V3  a later snapshot sees all that an earlier one sees
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "utils/builtins.h"
#include "utils/memutils.h"

#include "chain_statement.h"
#include "proof_verify.h"
#include "proof_verify_cursor.h"

static TlStatement select_snapshot = {
	"SELECT value FROM ledger_internal.snapshot WHERE snapshot = $1",
	1, {INT8OID}
};
static TlStatement select_first = {
	"SELECT coalesce(max(snapshot), 0) FROM ledger_internal.batch WHERE batch <= $1",
	1, {INT8OID}
};

static const char *check_snapshot(const TlCursor *cursor, int64_t number,
								  TlSnapshot *out, const TlSnapshot *before);
static bool parse(TlSnapshot *out, const char *text);
static bool sees_all(const TlSnapshot *later, const TlSnapshot *earlier);

/* V1 to V3 */
void
tl_proof_verify_snapshots(TlVerification *run)
{
	MemoryContext contexts[2];
	MemoryContext caller = CurrentMemoryContext;
	TlSnapshot	snapshots[2];
	TlSnapshot *before = NULL;
	Datum		first = Int64GetDatum(run->from_batch);
	Oid			type = INT8OID;
	TlCursor	cursor;
	int64_t		number;

	tl_chain_execute(&select_first, &first, NULL, true);
	number = Max(DatumGetInt64(tl_chain_result(0, 0, NULL)) - 1, 0);
	first = Int64GetDatum(number);
	for (int i = 0; i < 2; i++)
		contexts[i] = AllocSetContextCreate(caller, "ledger.verify snapshot",
											ALLOCSET_SMALL_SIZES);
	run->progress_known = true;
	tl_proof_cursor_open(&cursor, "SELECT snapshot, next_xid, value::bytea FROM"
						 " (SELECT snapshot, next_xid, convert_to(value, 'UTF8') AS value"
						 " FROM ledger_internal.snapshot WHERE snapshot >= $1) s"
						 " ORDER BY snapshot", 1, &type, &first, 100);
	for (; tl_proof_cursor_row(&cursor); tl_proof_cursor_advance(&cursor))
	{
		TlSnapshot *snapshot = &snapshots[number % 2];
		const char *detail;

		MemoryContextReset(contexts[number % 2]);
		MemoryContextSwitchTo(contexts[number % 2]);
		detail = check_snapshot(&cursor, number, snapshot, before);
		if (detail != NULL)
		{
			run->progress_known = false;
			tl_proof_verify_report(run, &(TlProblem) {
				.kind = "snapshot_changed",
				.expected = psprintf("snapshot %lld", (long long) number),
				.found = psprintf("snapshot %lld", (long long)
								  tl_proof_cursor_number(&cursor, 0)),
				.detail = detail
			});
			number = tl_proof_cursor_number(&cursor, 0);
		}
		before = detail == NULL ? snapshot : NULL;
		number++;
	}
	tl_proof_cursor_close(&cursor);
	MemoryContextSwitchTo(caller);
	for (int i = 0; i < 2; i++)
		MemoryContextDelete(contexts[i]);
}

/* NULL, or a sentence about what is wrong. */
static const char *
check_snapshot(const TlCursor *cursor, int64_t number, TlSnapshot *out,
			   const TlSnapshot *before)
{
	TlSpan		value = tl_proof_cursor_bytes(cursor, 2);

	if (tl_proof_cursor_number(cursor, 0) != number)
		return "A row of ledger_internal.snapshot was removed or numbered anew.";
	if (!parse(out, pnstrdup((const char *) value.data, value.size)) ||
		(int64_t) out->xmax != tl_proof_cursor_number(cursor, 1))
		return "A row of ledger_internal.snapshot was changed: it does not hold a snapshot.";
	if (before != NULL && !sees_all(out, before))
		return "A row of ledger_internal.snapshot was changed: it sees less than the one before.";
	return NULL;
}

/* The same, of bytes that may be none. */
bool
tl_proof_verify_parse_snapshot(TlSnapshot *out, TlSpan text)
{
	return text.size > 0 &&
		parse(out, pnstrdup((const char *) text.data, text.size));
}

/* The text that tl_chain_snapshot_text would have written, and no other. */
static bool
parse(TlSnapshot *out, const char *text)
{
	int			colons = 0;

	if (strspn(text, "0123456789:,") != strlen(text))
		return false;
	for (const char *p = text; *p != '\0'; p++)
	{
		bool		digit_before = p > text && p[-1] != ':' && p[-1] != ',';

		if (*p == ':' || *p == ',')
		{
			if (!digit_before || (*p == ',' && colons < 2))
				return false;
			colons += (*p == ':');
		}
	}
	if (colons != 2 || text[strlen(text) - 1] == ',')
		return false;
	tl_chain_snapshot_parse(out, text);
	return strcmp(tl_chain_snapshot_text(out), text) == 0;
}

static bool
sees_all(const TlSnapshot *later, const TlSnapshot *earlier)
{
	if (later->xmax < earlier->xmax)
		return false;
	for (int i = 0; i < later->in_progress_count; i++)
		if (tl_chain_snapshot_sees(earlier, later->in_progress[i]))
			return false;
	return true;
}

/* A snapshot by its number; false if it is missing or damaged. */
bool
tl_proof_verify_load_snapshot(TlSnapshot *out, int64_t number)
{
	Datum		value = Int64GetDatum(number);
	bool		sound;

	sound = tl_chain_execute(&select_snapshot, &value, NULL, true) == 1 &&
		parse(out, TextDatumGetCString(tl_chain_result(0, 0, NULL)));
	SPI_freetuptable(SPI_tuptable);
	return sound;
}
