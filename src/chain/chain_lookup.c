/*-------------------------------------------------------------------------
 *
 * chain_lookup.c
 *	  Where a ref is on the chain: its batch, its block, its time.
 *
 * Not stored per row, but computed: the first snapshot that sees the ref's
 * transaction names the difference, in it the first batch whose last ref is not
 * smaller is the one, and that batch's manifests say whether it holds the ref.
 * Rows of a table that could not be locked in time are the exception:
 * ledger_internal.late_rows has them.
 *
 * The answer for a ref never changes once there is one, so a backend keeps the
 * part of the chain that it has met (chain_window); verification, for which that
 * is what has to be shown, has it forgotten first.  A ref that no batch holds,
 * because its row was rolled back, rejected or waits, gets none.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/genam.h"
#include "access/stratnum.h"
#include "nodes/value.h"
#include "parser/parse_func.h"
#include "utils/fmgroids.h"
#include "utils/rel.h"

#include "chain_lookup.h"
#include "chain_snapshot.h"
#include "chain_stored.h"
#include "chain_window.h"
#include "tl_compat.h"

static int64_t first_seeing(uint64_t word);
static int64_t last_snapshot(Relation relation);
static bool snapshot_sees(Relation relation, int64_t number, uint64_t word);
static int64_t batch_reaching(int64_t number, const TlRefBytes *ref);
static bool find_late(const TlRefBytes *ref, const TlRef *unpacked,
					  TlPlace *out);

/* Where the ref is; false if it is in no batch. */
bool
tl_chain_lookup(const TlRefBytes *ref, TlPlace *out)
{
	TlWindowAnswer answer;
	TlRef		unpacked;
	int64_t		number;

	if (tl_chain_window_repeat(ref, out))
		return true;
	tl_chain_window_prepare();
	tl_table_ref_unpack(&unpacked, ref);
	while ((answer = tl_chain_window_find(&unpacked, out)) == TL_WINDOW_UNKNOWN)
	{
		number = first_seeing(tl_table_ref_word(unpacked.incarnation,
												unpacked.transaction));
		if (number <= 0)
			return false;
		if (tl_chain_window_load(number))
			continue;
		if (tl_chain_window_batch_has(batch_reaching(number, ref), &unpacked, out))
			return true;
		break;
	}

	/*
	 * Each read sees what is committed by then.  A late row is stored as such
	 * in the transaction of its batch, after the batch in which it is missing.
	 */
	return answer == TL_WINDOW_HELD || find_late(ref, &unpacked, out);
}

/*
 * Number of the first snapshot that sees the transaction, 0 or less if none.
 * Seeing is monotone, so beyond the first xmax that is large enough a binary
 * search finds it also for a transaction that was open for long.
 */
static int64_t
first_seeing(uint64_t word)
{
	Relation	relation = tl_chain_stored_open("snapshot");
	ScanKeyData key;
	HeapTuple	row;
	int64_t		low = 0;
	int64_t		high = -1;
	int64_t		last = -1;

	ScanKeyInit(&key, 2, BTGreaterStrategyNumber, F_INT8GT, Int64GetDatum((int64) word));
	row = tl_chain_stored_fetch(relation, "snapshot_by_next_xid", &key, 1,
								ForwardScanDirection);
	if (row != NULL)
	{
		low = DatumGetInt64(tl_chain_stored_value(row, RelationGetDescr(relation),
												  "snapshot"));
		high = last = last_snapshot(relation);
	}
	while (low <= high)
	{
		/* most transactions are seen by the first candidate */
		int64_t		middle = high - low < 4 ? low : low + (high - low) / 2;

		if (snapshot_sees(relation, middle, word))
			high = middle - 1;
		else
			low = middle + 1;
	}
	tl_chain_stored_close(relation);
	return row == NULL || low > last ? -1 : low;
}

static int64_t
last_snapshot(Relation relation)
{
	HeapTuple	row = tl_chain_stored_fetch(relation, "snapshot_pkey", NULL, 0,
											BackwardScanDirection);

	return row == NULL ? -1 :
		DatumGetInt64(tl_chain_stored_value(row, RelationGetDescr(relation), "snapshot"));
}

static bool
snapshot_sees(Relation relation, int64_t number, uint64_t word)
{
	TlSnapshot	snapshot;
	bool		result;

	if (!tl_chain_window_snapshot(relation, &snapshot, number))
		return false;
	result = tl_chain_snapshot_sees(&snapshot, word);
	pfree(snapshot.in_progress);
	return result;
}

/* The first batch of the difference that reaches the ref, or 0. */
static int64_t
batch_reaching(int64_t number, const TlRefBytes *ref)
{
	Relation	relation = tl_chain_stored_open("batch");
	Relation	index = index_open(tl_chain_stored_oid("batch_by_snapshot"), AccessShareLock);
	TupleDesc	description = RelationGetDescr(relation);
	int64_t		batch = 0;
	ScanKeyData keys[2];
	SysScanDesc scan;
	HeapTuple	row;

	ScanKeyInit(&keys[0], tl_chain_stored_attribute(relation, "snapshot"),
				BTEqualStrategyNumber, F_INT8EQ, Int64GetDatum(number));
	ScanKeyInit(&keys[1], tl_chain_stored_attribute(relation, "last_ref"),
				BTGreaterEqualStrategyNumber, tl_chain_lookup_ref_function("ref_ge"),
				TlRefBytesGetDatum(ref));
	scan = systable_beginscan_ordered(relation, index, NULL, 2, keys);
	while (batch == 0 &&
		   (row = systable_getnext_ordered(scan, ForwardScanDirection)) != NULL)
		if (!DatumGetBool(tl_chain_stored_value(row, description, "late")))
			batch = DatumGetInt64(tl_chain_stored_value(row, description, "batch"));
	systable_endscan_ordered(scan);
	index_close(index, AccessShareLock);
	tl_chain_stored_close(relation);
	return batch;
}

/* Rows of a table that was locked when its snapshot was batched. */
static bool
find_late(const TlRefBytes *ref, const TlRef *unpacked, TlPlace *out)
{
	Relation	relation;
	ScanKeyData key;
	HeapTuple	row;
	int64_t		batch = 0;

	if (!tl_chain_stored_any("late_rows"))
		return false;
	relation = tl_chain_stored_open("late_rows");
	ScanKeyInit(&key, 1, BTLessEqualStrategyNumber, tl_chain_lookup_ref_function("ref_le"),
				TlRefBytesGetDatum(ref));
	row = tl_chain_stored_fetch(relation, "late_rows_pkey", &key, 1,
								BackwardScanDirection);
	if (row != NULL)
	{
		TupleDesc	description = RelationGetDescr(relation);
		Datum		last = tl_chain_stored_value(row, description, "last_ref");

		if (tl_table_ref_compare(ref, DatumGetTlRefBytes(last)) <= 0)
			batch = DatumGetInt64(tl_chain_stored_value(row, description, "batch"));
	}
	tl_chain_stored_close(relation);
	return batch != 0 && tl_chain_window_batch_has(batch, unpacked, out);
}

/* Was the row passed over when its snapshot was batched? */
bool
tl_chain_is_rejected(const TlRefBytes *ref)
{
	Relation	relation;
	ScanKeyData key;
	bool		found;

	if (!tl_chain_any_rejected())
		return false;
	relation = tl_chain_stored_open("rejected");
	ScanKeyInit(&key, 1, BTEqualStrategyNumber, tl_chain_lookup_ref_function("ref_eq"),
				TlRefBytesGetDatum(ref));
	found = tl_chain_stored_fetch(relation, "rejected_pkey", &key, 1,
								  ForwardScanDirection) != NULL;
	tl_chain_stored_close(relation);
	return found;
}

/* Was any row of this ledger? */
bool
tl_chain_any_rejected(void)
{
	return tl_chain_stored_any("rejected");
}

/* A comparison of refs, for scan keys. */
Oid
tl_chain_lookup_ref_function(const char *name)
{
	Oid			types[2];
	List	   *full_name = list_make2(makeString(pstrdup("ledger")),
									   makeString(pstrdup(name)));

	types[0] = types[1] = tl_table_ref_type();
	return LookupFuncName(full_name, 2, types, false);
}

/* The time of a block; false if there is no such block. */
bool
tl_chain_lookup_time(TimestampTz *out, int64_t height)
{
	Relation	relation = tl_chain_stored_open("block");
	ScanKeyData key;
	HeapTuple	row;

	ScanKeyInit(&key, 1, BTEqualStrategyNumber, F_INT8EQ, Int64GetDatum(height));
	row = tl_chain_stored_fetch(relation, "block_pkey", &key, 1, ForwardScanDirection);
	if (row != NULL)
		*out = DatumGetTimestampTz(tl_chain_stored_value(row, RelationGetDescr(relation),
														 "time"));
	tl_chain_stored_close(relation);
	return row != NULL;
}

/* The hash that is stored for a block; false if there is no such block. */
bool
tl_chain_lookup_block_hash(TlHash *out, int64_t height)
{
	Relation	relation = tl_chain_stored_open("block");
	ScanKeyData key;
	HeapTuple	row;
	bytea	   *hash;

	ScanKeyInit(&key, 1, BTEqualStrategyNumber, F_INT8EQ, Int64GetDatum(height));
	row = tl_chain_stored_fetch(relation, "block_pkey", &key, 1, ForwardScanDirection);
	memset(out, 0, sizeof(*out));
	if (row != NULL)
	{
		hash = DatumGetByteaPP(tl_chain_stored_value(row, RelationGetDescr(relation),
													 "hash"));
		memcpy(out->bytes, VARDATA_ANY(hash),
			   Min(VARSIZE_ANY_EXHDR(hash), TL_HASH_SIZE));
	}
	tl_chain_stored_close(relation);
	return row != NULL;
}
