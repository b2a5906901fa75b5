/*-------------------------------------------------------------------------
 *
 * node_execute.c
 *	  CALL ledger.execute(contract.function(...)): a call with its outcome.
 *
 * When the procedure begins, its argument has called the contract: the row is
 * inserted, and its ref is here.  The procedure commits, waits, and gives the
 * height; a call that was refused or failed ends it with that error.  So what
 * returns is done.
 *
 * Whatever ends the wait after the commit (cancel, the time) takes nothing back:
 * each such error names the ref.
 *
 * In a transaction block nothing can be committed, and the row goes with it.
 * The outcome is read in a transaction that begins after the wait: at isolation
 * levels above READ COMMITTED an older one would never see it.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "executor/spi.h"
#include "fmgr.h"
#include "funcapi.h"
#include "nodes/parsenodes.h"
#include "utils/builtins.h"
#include "utils/snapmgr.h"
#include "utils/timestamp.h"

#include "table_ref.h"
#include "tl_error.h"

PG_FUNCTION_INFO_V1(tl_execute);

#define STATE_SIZE		16
#define EXECUTE_COLUMNS	2

typedef struct Outcome
{
	char		state[STATE_SIZE];	/* done, refused, failed, waiting */
	int			sqlstate;
	int64		height;
	char	   *message;
}			Outcome;

static void check_arguments(FunctionCallInfo fcinfo);
static void wait_for(Outcome * out, const TlRefBytes *ref, const Interval * wait);
static void ask(Outcome * out, const TlRefBytes *ref, const Interval * wait, MemoryContext context);
static void throw_with_ref(ErrorData * error, const TlRefBytes *ref);
static void judge(const Outcome * outcome, const TlRefBytes *ref);
static char *ref_text(const TlRefBytes *ref);

/* CALL ledger.execute(INOUT ref, wait, INOUT height) */
Datum
tl_execute(PG_FUNCTION_ARGS)
{
	Outcome		outcome = {0};
	TlRefBytes	ref;
	Interval	wait;
	TupleDesc	descriptor;
	Datum		values[EXECUTE_COLUMNS];
	bool		nulls[EXECUTE_COLUMNS] = {false};

	check_arguments(fcinfo);
	ref = *PG_GETARG_TLREF(0);
	wait = *PG_GETARG_INTERVAL_P(1);
	SPI_connect_ext(SPI_OPT_NONATOMIC);
	SPI_commit();
	wait_for(&outcome, &ref, &wait);
	SPI_finish();
	judge(&outcome, &ref);
	if (get_call_result_type(fcinfo, NULL, &descriptor) != TYPEFUNC_COMPOSITE ||
		descriptor->natts != EXECUTE_COLUMNS)
		elog(ERROR, "ledger.execute has other results than it should");
	values[0] = TlRefBytesGetDatum(&ref);
	values[1] = Int64GetDatum(outcome.height);
	PG_RETURN_DATUM(HeapTupleGetDatum(heap_form_tuple(BlessTupleDesc(descriptor), values, nulls)));
}

static void
check_arguments(FunctionCallInfo fcinfo)
{
	if (fcinfo->context == NULL || !IsA(fcinfo->context, CallContext) ||
		castNode(CallContext, fcinfo->context)->atomic)
		ereport(ERROR,
				errcode(ERRCODE_ACTIVE_SQL_TRANSACTION),
				errmsg("ledger.execute cannot run inside a transaction block"),
				errdetail("It commits the call and waits for what becomes of it. Nothing is called: the call is rolled back with this transaction."),
				errhint("Call the function by itself, SELECT contract.function(...), and after COMMIT ask for its outcome: SELECT * FROM ledger.outcome(ref, wait => '5 s')."));
	if (PG_ARGISNULL(0) || PG_ARGISNULL(1))
		ereport(ERROR,
				errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
				errmsg("%s of ledger.execute is null", PG_ARGISNULL(0) ? "ref" : "wait"),
				errhint("Give it a call of a contract's function: CALL ledger.execute(contract.function(...), wait => '30 s')."));
}

/* The result is made in the caller's memory, which outlives transactions. */
static void
wait_for(Outcome * out, const TlRefBytes *ref, const Interval * wait)
{
	MemoryContext caller = CurrentMemoryContext;
	const		Interval no_time = {0};

	PG_TRY();
	{
		ask(out, ref, wait, caller);
		if (strcmp(out->state, "waiting") == 0)
		{
			SPI_commit();
			ask(out, ref, &no_time, caller);
		}
	}
	PG_CATCH();
	{
		ErrorData  *error;

		MemoryContextSwitchTo(caller);
		error = CopyErrorData();
		FlushErrorState();
		throw_with_ref(error, ref);
	}
	PG_END_TRY();
}

static void
ask(Outcome * out, const TlRefBytes *ref, const Interval * wait, MemoryContext context)
{
	Oid			types[] = {tl_table_ref_type(), INTERVALOID};
	Datum		values[] = {TlRefBytesGetDatum(ref), IntervalPGetDatum(wait)};
	SPITupleTable *table;
	char	   *words[4];

	PushActiveSnapshot(GetTransactionSnapshot());
	if (SPI_execute_with_args("SELECT state, sqlstate, message, height FROM ledger.outcome($1, $2)",
							  lengthof(types), types, values, NULL, false, 1) != SPI_OK_SELECT ||
		SPI_processed != 1)
		elog(ERROR, "ledger.outcome gives no row");
	PopActiveSnapshot();
	table = SPI_tuptable;
	for (size_t i = 0; i < lengthof(words); i++)
		words[i] = SPI_getvalue(table->vals[0], table->tupdesc, (int) i + 1);
	strlcpy(out->state, words[0], sizeof(out->state));
	out->sqlstate = words[1] == NULL || strlen(words[1]) != 5 ? ERRCODE_INTERNAL_ERROR :
		MAKE_SQLSTATE(words[1][0], words[1][1], words[1][2], words[1][3], words[1][4]);
	out->message = MemoryContextStrdup(context, words[2] == NULL ? "" : words[2]);
	out->height = words[3] == NULL ? 0 : pg_strtoint64(words[3]);
	SPI_freetuptable(table);
}

/* What went wrong has its own words; where it has none, those of this procedure. */
static void
throw_with_ref(ErrorData * error, const TlRefBytes *ref)
{
	if (error->detail == NULL)
		error->detail = psprintf("Call %s is committed and takes effect all the same.", ref_text(ref));
	if (error->hint == NULL)
		error->hint = psprintf("SELECT * FROM ledger.outcome('%s', wait => '30 s') tells what becomes of it.", ref_text(ref));
	ReThrowError(error);
}

/* Returns if the call is done. */
static void
judge(const Outcome * outcome, const TlRefBytes *ref)
{
	if (strcmp(outcome->state, "done") == 0)
		return;
	if (strcmp(outcome->state, "waiting") == 0)
		ereport(ERROR,
				errcode(TL_ERRCODE(TL_TIMEOUT)),
				errmsg("call %s is committed but not final yet", ref_text(ref)),
				errdetail("The time to wait is over. The call takes effect all the same."),
				errhint("Do not call again: SELECT * FROM ledger.outcome('%s', wait => '30 s') tells what becomes of it.", ref_text(ref)));
	if (strcmp(outcome->state, "unknown") == 0)
		ereport(ERROR,
				errcode(outcome->sqlstate),
				errmsg_internal("%s", outcome->message),
				errdetail("Block %2$lld, which has call %1$s, is among them.", ref_text(ref), (long long) outcome->height),
				errhint("SELECT * FROM ledger.outcome('%s') tells it at another member.", ref_text(ref)));
	ereport(ERROR,
			errcode(outcome->sqlstate),
			errmsg_internal("%s", outcome->message),
			errdetail(strcmp(outcome->state, "refused") == 0 ?
					  "The contract has refused call %s in block %lld. Nothing has changed." :
					  strcmp(outcome->state, "skipped") == 0 ?
					  "No member has executed call %s of block %lld. Nothing has changed." :
					  "Call %s has failed in block %lld. Nothing has changed.",
					  ref_text(ref), (long long) outcome->height),
			errhint("A call that is over is not tried again: call anew when what was wrong is right."));
}

static char *
ref_text(const TlRefBytes *ref)
{
	TlRef		unpacked;

	tl_table_ref_unpack(&unpacked, ref);
	return tl_table_ref_text(&unpacked);
}
