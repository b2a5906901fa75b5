/*-------------------------------------------------------------------------
 *
 * node_finality.c
 *	  How far a row has come: is_final, height, block_time, finality, wait_final.
 *
 * The first three answer from the stored chain alone, for any ref, and are
 * cheap; finality and wait_final also look whether the row exists.  In a
 * ledger of one member a batch is final in the transaction that stores it, so
 * the states between committed and final are not seen from outside.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/relation.h"
#include "access/transam.h"
#include "access/xact.h"
#include "access/xlog.h"
#include "executor/spi.h"
#include "fmgr.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/memutils.h"
#include "utils/snapmgr.h"
#include "utils/timestamp.h"

#include "chain_applied.h"
#include "chain_foreign.h"
#include "chain_lookup.h"
#include "chain_pending.h"
#include "node_commit.h"
#include "node_identity.h"
#include "node_shared.h"
#include "table_catalog.h"
#include "table_scan.h"
#include "tl_compat.h"
#include "tl_error.h"

PG_FUNCTION_INFO_V1(tl_is_final);
PG_FUNCTION_INFO_V1(tl_height);
PG_FUNCTION_INFO_V1(tl_block_time);
PG_FUNCTION_INFO_V1(tl_finality);
PG_FUNCTION_INFO_V1(tl_wait_final);
PG_FUNCTION_INFO_V1(tl_waiting_batch);
PG_FUNCTION_INFO_V1(tl_wait_applied);

typedef struct WaitedRow
{
	const TlRefBytes *bytes;
	uint64_t	xid;
	bool		is_own;			/* of this member */
	TlPlace		place;
	bool		found;
	MemoryContext context;		/* of one look */
} WaitedRow;

static bool look_up(const TlRefBytes *ref, TlPlace *out);
static bool is_refused(const TlRefBytes *ref, const TlPlace *place);
static bool is_applied(int64_t height);
static void hurry_worker(void);
static bool row_is_settled(void *context);
static bool block_is_applied(void *context);
static long interval_ms(const Interval *interval);
static bool is_own_transaction(const TlRef *ref);
static bool row_exists(const TlRefBytes *ref);
static void check_waitable(const TlRef *ref);
tl_noreturn static void unknown_ref(const TlRef *ref);

/* Where the ref is, if its block is applied here: only then it is final. */
static bool
look_up(const TlRefBytes *ref, TlPlace *out)
{
	bool		found;

	if (tl_node_identity()->ordered)
		return tl_chain_foreign_first(ref, out) && is_applied(out->height);
	found = tl_chain_lookup(ref, out);	/* nobody else brings rows */
	if (found)
		out->batch = 0;
	return found;
}

/* Have all members refused the row?  Where one is alone nobody asked. */
static bool
is_refused(const TlRefBytes *ref, const TlPlace *place)
{
	return tl_node_identity()->ordered && tl_chain_foreign_is_refused(ref, place);
}

/* What is applied stays so, but that another ledger may begin here. */
static bool
is_applied(int64_t height)
{
	static int64_t applied = -1;
	static TlHash chain_id;
	const TlNodeIdentity *identity = tl_node_identity();

	if (height > applied ||
		memcmp(&chain_id, &identity->chain_id, sizeof(chain_id)) != 0)
	{
		applied = tl_chain_applied_height();
		chain_id = identity->chain_id;
	}
	return height <= applied;
}

/* ledger.is_final(ref) -> boolean */
Datum
tl_is_final(PG_FUNCTION_ARGS)
{
	TlPlace		place;
	bool		is_found = look_up(PG_GETARG_TLREF(0), &place);

	if (!is_found)
		hurry_worker();
	PG_RETURN_BOOL(is_found &&
				   !is_refused(PG_GETARG_TLREF(0), &place));
}

/* Somebody wants to know: the worker need not let more rows gather. */
static void
hurry_worker(void)
{
	if (!RecoveryInProgress() &&
		tl_table_identity_is_live(&tl_node_identity()->table))
		tl_node_shared_tell_worker(MyDatabaseId, TL_NEWS_AWAITED);
}

/* ledger.height(ref) -> bigint, NULL while it is not final */
Datum
tl_height(PG_FUNCTION_ARGS)
{
	TlPlace		place;

	if (!look_up(PG_GETARG_TLREF(0), &place))
		PG_RETURN_NULL();
	PG_RETURN_INT64(place.height);
}

/* ledger.block_time(ref) -> timestamptz, NULL while it is not final */
Datum
tl_block_time(PG_FUNCTION_ARGS)
{
	TlPlace		place;

	if (!look_up(PG_GETARG_TLREF(0), &place))
		PG_RETURN_NULL();
	PG_RETURN_TIMESTAMPTZ(place.time);
}

static bool
is_own_transaction(const TlRef *ref)
{
	return ref->member == tl_node_identity()->table.member &&
		ref->incarnation == tl_node_identity()->table.incarnation &&
		ref->transaction == U64FromFullTransactionId(GetTopFullTransactionIdIfAny());
}

/* Is there a row with this ref that has been committed? */
static bool
row_exists(const TlRefBytes *ref)
{
	Snapshot	snapshot = RegisterSnapshot(GetLatestSnapshot());
	ListCell   *cell;
	bool		found = false;

	foreach(cell, tl_table_catalog_tables())
	{
		Relation	relation = try_relation_open(lfirst_oid(cell), AccessShareLock);
		TlRefScan  *scan;
		TlRefBytes	ref_found;

		if (relation == NULL)
			continue;
		if (OidIsValid(tl_table_scan_ref_index(relation, true)))
		{
			scan = tl_table_scan_open(relation, snapshot);
			tl_table_scan_start(scan, ref, ref);
			found = tl_table_scan_next(scan, &ref_found);
			tl_table_scan_close(scan);
		}
		relation_close(relation, AccessShareLock);
		if (found)
			break;
	}
	UnregisterSnapshot(snapshot);
	return found;
}

static void
unknown_ref(const TlRef *ref)
{
	ereport(ERROR,
			errcode(TL_ERRCODE(TL_UNKNOWN_REF)),
			errmsg("no committed row has the ledger_ref %s", tl_table_ref_text(ref)),
			errdetail("Its transaction has not committed, was rolled back, or the ref is of another ledger."));
}

/*
 * ledger.finality(ref) -> 'committed', 'final' or 'rejected'; error if there is
 * no such row
 */
Datum
tl_finality(PG_FUNCTION_ARGS)
{
	TlRefBytes *bytes = PG_GETARG_TLREF(0);
	TlRef		ref;
	TlPlace		place;
	const char *finality = "final";
	bool		is_found = look_up(bytes, &place);

	tl_table_ref_unpack(&ref, bytes);
	if (is_refused(bytes, is_found ? &place : NULL))
		finality = "rejected";	/* one of another member is in no table */
	else if (!row_exists(bytes))
		unknown_ref(&ref);
	else if (!is_found)
	{
		finality = tl_chain_is_rejected(bytes) ? "rejected" : "committed";
		hurry_worker();
	}
	PG_RETURN_TEXT_P(cstring_to_text(finality));
}

/* ledger_internal.waiting_batch(ref) -> bigint, NULL if no waiting batch has it */
Datum
tl_waiting_batch(PG_FUNCTION_ARGS)
{
	TlRefBytes *ref = PG_GETARG_TLREF(0);
	int64_t		batch;
	bool		found;

	SPI_connect();
	found = tl_chain_pending_holds(ref, &batch);
	SPI_finish();
	if (!found)
		PG_RETURN_NULL();
	PG_RETURN_INT64(batch);
}

/* What waiting could never bring about. */
static void
check_waitable(const TlRef *ref)
{
	const TlNodeIdentity *identity = tl_node_identity();

	if (!identity->table.exists)
		tl_error_not_a_node();
	if (ref->member != identity->table.member && !identity->ordered)
		unknown_ref(ref);		/* nobody else brings rows here */
	if (is_own_transaction(ref))
		ereport(ERROR,
				errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				errmsg("row %s belongs to the current transaction",
					   tl_table_ref_text(ref)),
				errdetail("A row becomes final after its transaction has committed."),
				errhint("Wait in another transaction, or set telco_ledger.commit_wait to \"final\"."));
}

/* ledger.wait_final(ref, timeout) -> height; error when the time runs out */
Datum
tl_wait_final(PG_FUNCTION_ARGS)
{
	TlRefBytes *bytes = PG_GETARG_TLREF(0);
	long		timeout_ms = interval_ms(PG_GETARG_INTERVAL_P(1));
	TlRef		ref;
	WaitedRow	row;

	tl_table_ref_unpack(&ref, bytes);
	check_waitable(&ref);
	row.bytes = bytes;
	row.is_own = ref.member == tl_node_identity()->table.member;
	row.xid = tl_table_ref_word(ref.incarnation, ref.transaction);
	row.context = AllocSetContextCreate(CurrentMemoryContext, "ledger.wait_final",
										ALLOCSET_DEFAULT_SIZES);
	if (!row_is_settled(&row))
	{
		tl_node_shared_tell_worker(MyDatabaseId, TL_NEWS_COMMITTED | TL_NEWS_AWAITED);
		(void) tl_node_commit_wait(row_is_settled, &row, Max(timeout_ms, 1), true);
	}
	if (!row.found)
	{
		if (!row_exists(bytes))
			unknown_ref(&ref);
		if (tl_chain_is_rejected(bytes))
			ereport(ERROR,
					errcode(TL_ERRCODE(TL_REJECTED)),
					errmsg("row %s was rejected", tl_table_ref_text(&ref)),
					errdetail("It is not signed as its table demands, and is in no block."),
					errhint("ledger.rejected tells what is wrong; insert the row again with its signature."));
		ereport(ERROR,
				errcode(TL_ERRCODE(TL_TIMEOUT)),
				errmsg("row %s is committed but not final yet",
					   tl_table_ref_text(&ref)),
				errdetail("The timeout of %ld ms is over.", timeout_ms),
				errhint("ledger.status shows whether the worker runs and what it waits for."));
	}
	if (is_refused(bytes, &row.place))
		ereport(ERROR,
				errcode(TL_ERRCODE(TL_REJECTED)),
				errmsg("row %s was rejected", tl_table_ref_text(&ref)),
				errdetail("Block %lld has it, and all members have refused it there, since it breaks a rule of its table.",
						  (long long) row.place.height),
				errhint("ledger.rejected tells what is wrong; insert a row that is right."));
	PG_RETURN_INT64(row.place.height);
}

/*
 * Is the row in a block, or all that its transaction wrote, so that it never
 * will be?
 */
static bool
row_is_settled(void *context)
{
	WaitedRow  *row = context;
	MemoryContext old = MemoryContextSwitchTo(row->context);
	bool		over = row->is_own &&
		tl_node_shared_is_final(MyDatabaseId, row->xid, NULL, 0);

	row->found = look_up(row->bytes, &row->place);
	over = over || (!row->found && tl_chain_is_rejected(row->bytes));
	MemoryContextSwitchTo(old);
	MemoryContextReset(row->context);
	return row->found || over;
}

/* ledger_internal.wait_applied(height, timeout): until that block is applied here, or the time is over */
Datum
tl_wait_applied(PG_FUNCTION_ARGS)
{
	int64_t		height = PG_GETARG_INT64(0);
	long		timeout_ms = interval_ms(PG_GETARG_INTERVAL_P(1));

	if (!block_is_applied(&height))
		(void) tl_node_commit_wait(block_is_applied, &height, Max(timeout_ms, 1), true);
	PG_RETURN_VOID();
}

static bool
block_is_applied(void *context)
{
	return is_applied(*(int64_t *) context);
}

static long
interval_ms(const Interval *interval)
{
	return (interval->time + (interval->day + interval->month * 30) * USECS_PER_DAY) / 1000;
}
