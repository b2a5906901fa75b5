/*-------------------------------------------------------------------------
 *
 * proof_steps.c
 *	  ledger.verify_in_steps(): a verification that survives its own end.
 *
 * A function's work is undone when it is cancelled, so what ledger.verify() has
 * read is forgotten then.  This is a procedure: it commits after each step, and
 * the next call goes on behind the last one, whoever made it and whatever ended
 * it.  The steps are those of proof_scrub.c, larger and shared by parallel
 * workers, without pauses.
 *
 * A CALL that returns a row has read everything to the end.  One that was ended
 * returns an error, and leaves nothing in ledger.verification.
 *
 * Rights: a SECURITY DEFINER procedure cannot commit.  So each step takes the
 * identity of the library's owner and a search_path of its own, and leaves both
 * before it commits; who may CALL it is decided by EXECUTE.
 *
 * Locks: a session lock of the library's own on ledger_internal.scrub, so that
 * there is one run at a time.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "access/xlog.h"
#include "catalog/pg_class.h"
#include "executor/spi.h"
#include "fmgr.h"
#include "funcapi.h"
#include "miscadmin.h"
#include "nodes/parsenodes.h"
#include "storage/lock.h"
#include "utils/builtins.h"

#include "chain_stored.h"
#include "proof_progress.h"
#include "proof_scrub.h"
#include "proof_source.h"

PG_FUNCTION_INFO_V1(tl_verify_in_steps);

#define MODE			"steps"

/* Units of rows in a step: about a quarter of a million rows, below a second. */
#define STEP_UNITS		16

/* The session lock's number on ledger_internal.scrub; 0 is the table's own. */
#define STEPS_LOCK		1

static void check_callable(FunctionCallInfo fcinfo);
static void take_lock(LOCKTAG *tag);
static void run_steps(bool anew, TlStepped *out);
static bool step(bool begins, bool anew, TlStepped *out);
static Datum result_row(FunctionCallInfo fcinfo, const TlStepped *stepped);

/* CALL ledger.verify_in_steps(anew) */
Datum
tl_verify_in_steps(PG_FUNCTION_ARGS)
{
	bool		anew = !PG_ARGISNULL(0) && PG_GETARG_BOOL(0);
	TlStepped	stepped;
	LOCKTAG		tag;

	check_callable(fcinfo);
	SPI_connect_ext(SPI_OPT_NONATOMIC);
	take_lock(&tag);
	PG_TRY();
	{
		run_steps(anew, &stepped);
	}
	PG_FINALLY();
	{
		LockRelease(&tag, ExclusiveLock, true);
		tl_proof_progress_end();
	}
	PG_END_TRY();
	SPI_finish();
	return result_row(fcinfo, &stepped);
}

static void
check_callable(FunctionCallInfo fcinfo)
{
	if (RecoveryInProgress())
		ereport(ERROR,
				errcode(ERRCODE_READ_ONLY_SQL_TRANSACTION),
				errmsg("verification in steps is not possible on a standby"),
				errdetail("It keeps how far it has come in a table."),
				errhint("Use SELECT * FROM ledger.verify(mode => 'full')."));
	if (fcinfo->context == NULL || !IsA(fcinfo->context, CallContext) ||
		castNode(CallContext, fcinfo->context)->atomic)
		ereport(ERROR,
				errcode(ERRCODE_ACTIVE_SQL_TRANSACTION),
				errmsg("verification in steps cannot run inside a transaction block"),
				errdetail("It commits after each step."),
				errhint("CALL it by itself, with autocommit."));
}

/* Kept over commits, gone with the session. */
static void
take_lock(LOCKTAG *tag)
{
	SET_LOCKTAG_OBJECT(*tag, MyDatabaseId, RelationRelationId,
					   tl_chain_stored_oid("scrub"), STEPS_LOCK);
	if (LockAcquire(tag, ExclusiveLock, true, true) == LOCKACQUIRE_NOT_AVAIL)
		ereport(ERROR,
				errcode(ERRCODE_OBJECT_IN_USE),
				errmsg("another session verifies this ledger in steps"),
				errhint("ledger.progress shows how far it is."));
}

static void
run_steps(bool anew, TlStepped *out)
{
	MemoryContext context = AllocSetContextCreate(CurrentMemoryContext,
												  "ledger.verify_in_steps step",
												  ALLOCSET_DEFAULT_SIZES);
	MemoryContext caller = MemoryContextSwitchTo(context);
	bool		begins = true;
	bool		more = true;

	while (more)
	{
		CHECK_FOR_INTERRUPTS();
		more = step(begins, anew, out);
		SPI_commit();
		MemoryContextReset(context);
		MemoryContextSwitchTo(context);
		begins = false;
	}
	MemoryContextSwitchTo(caller);
}

/* In a transaction, as the owner; an error takes back all of it. */
static bool
step(bool begins, bool anew, TlStepped *out)
{
	TlProofSource source;
	bool		more = true;

	tl_proof_source_begin(&source);
	if (begins)
		tl_proof_scrub_begin(MODE, anew);
	else
		more = tl_proof_scrub_step(MODE, STEP_UNITS, out);
	tl_proof_source_end(&source);
	return more;
}

static Datum
result_row(FunctionCallInfo fcinfo, const TlStepped *stepped)
{
	TupleDesc	description;
	Datum		values[4];
	bool		nulls[4] = {false};

	if (get_call_result_type(fcinfo, NULL, &description) != TYPEFUNC_COMPOSITE)
		elog(ERROR, "return type must be a row type");
	values[0] = Int64GetDatum(stepped->verification);
	values[1] = CStringGetTextDatum(stepped->problems == 0 ? "clean" : "problems");
	values[2] = Int64GetDatum(stepped->problems);
	values[3] = Int64GetDatum(stepped->rows);
	return HeapTupleGetDatum(heap_form_tuple(BlessTupleDesc(description), values, nulls));
}
