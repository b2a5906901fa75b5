/*-------------------------------------------------------------------------
 *
 * proof_scrub.c
 *	  A full verification in small steps, that goes on where it stopped.
 *
 * ledger.verify() is one statement: it sees one state of the ledger, and starts
 * from the beginning when it was cancelled.  The scrub (node_scrub.c) and
 * ledger.verify_in_steps() (proof_steps.c) read the same, with the same code, in
 * transactions of their own.  After each one its row in ledger_internal.scrub
 * says how far it has come:
 *
 *		mode			"scrub" or "steps": one run of each at a time
 *		next_height		blocks below are read
 *		to_height		the end of the chain, when it was reached, or how far it was
 *						applied then; to_batch alike
 *		relation		tables up to this OID are read, in that order; NULL as
 *						long as definitions are not
 *		batch			sections of the next table, up to this batch
 *
 * The last step of a table compares its rows with all manifests, under one
 * snapshot: that none was added, none is missing.  If anything in a table is
 * not right, the exact pass reads it as a whole.
 *
 * A run that has ended is a row of ledger.verification like any other.  What a
 * step finds is kept in ledger.verification_problem in the step's transaction,
 * and told as WARNING; up to KEPT_PROBLEMS_MAX of a run.
 *
 * Each function is called in a transaction, with an active snapshot and SPI, and
 * by one process at a time for each mode.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "catalog/pg_class.h"
#include "catalog/pg_type.h"
#include "executor/tuptable.h"
#include "miscadmin.h"
#include "storage/lmgr.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/snapmgr.h"

#include "chain_statement.h"
#include "proof_progress.h"
#include "proof_scrub.h"
#include "proof_verify.h"
#include "proof_verify_rows.h"
#include "table_catalog.h"

/* Blocks of one step, where it is one unit of rows. */
#define STEP_BLOCKS			512

#define KEPT_PROBLEMS_MAX	1000
#define PROBLEM_COLUMNS		7

static TlStatement select_due = {
	"SELECT CASE WHEN EXISTS (SELECT FROM ledger_internal.scrub WHERE mode = 'scrub')"
	" THEN '-infinity'"
	" ELSE coalesce(max(started_at) + $1 * interval '1 s', '-infinity') END"
	" FROM ledger.verification v JOIN ledger_internal.node n ON n.chain_id = v.chain_id"
	" WHERE mode = 'scrub'",
	1, {INT4OID}
};
static TlStatement delete_others = {
	"DELETE FROM ledger_internal.scrub s WHERE NOT EXISTS"
	" (SELECT FROM ledger_internal.node n WHERE n.chain_id = s.chain_id)"
};
static TlStatement forget_run = {
	"DELETE FROM ledger_internal.scrub WHERE mode = $1",
	1, {TEXTOID}
};
static TlStatement forget_problems = {
	"DELETE FROM ledger.verification_problem WHERE verification IS NULL AND mode = $1",
	1, {TEXTOID}
};
static TlStatement update_parts = {
	"UPDATE ledger_internal.scrub SET parts = parts + 1 WHERE mode = $1",
	1, {TEXTOID}
};
static TlStatement insert_scrub = {
	"INSERT INTO ledger_internal.scrub (mode, chain_id)"
	" SELECT $1, chain_id FROM ledger_internal.node",
	1, {TEXTOID}
};
static TlStatement select_scrub = {
	"SELECT started_at, parts, to_height, to_batch, next_height, relation, batch,"
	" rows, rejected, sections, blocks, problems, workers"
	" FROM ledger_internal.scrub WHERE mode = $1",
	1, {TEXTOID}
};
static TlStatement update_scrub = {
	"UPDATE ledger_internal.scrub SET next_height = $1, relation = $2, batch = $3,"
	" rows = $4, rejected = $5, sections = $6, blocks = $7, problems = $8,"
	" to_height = $9, to_batch = $10, workers = $11 WHERE mode = $12",
	12, {INT8OID, OIDOID, INT8OID, INT8OID, INT8OID, INT8OID, INT8OID, INT8OID,
	INT8OID, INT8OID, INT4OID, TEXTOID}
};
static TlStatement insert_problem = {
	"INSERT INTO ledger.verification_problem (kind, relation, ref, height, expected,"
	" found, detail, mode) VALUES ($1, $2, $3, $4, $5, $6, $7, $8)",
	8, {TEXTOID, REGCLASSOID, TL_STATEMENT_REF, INT8OID, TEXTOID, TEXTOID, TEXTOID,
	TEXTOID}
};
static TlStatement count_problems = {
	"SELECT count(*) FROM ledger.verification_problem"
	" WHERE verification IS NULL AND mode = $1",
	1, {TEXTOID}
};
static TlStatement name_problems = {
	"UPDATE ledger.verification_problem SET verification = $2"
	" WHERE verification IS NULL AND mode = $1",
	2, {TEXTOID, INT8OID}
};
static TlStatement select_rows = {
	"SELECT coalesce(sum(s.row_count) FILTER (WHERE s.batch <= $2), 0)::bigint,"
	" coalesce(sum(s.row_count) FILTER (WHERE s.batch <= $3), 0)::bigint"
	" FROM ledger_internal.ledger_table t JOIN ledger_internal.section s USING (table_id)"
	" WHERE t.relation = $1",
	3, {OIDOID, INT8OID, INT8OID}
};
static TlStatement select_last_batch = {
	"SELECT coalesce(max(batch), 0) FROM ledger_internal.batch"
};

/* The row, and what this step adds to it. */
typedef struct Scrub
{
	const char *mode;
	TimestampTz started_at;
	int64_t		next_height;
	bool		has_end;
	int64_t		to_height;
	int64_t		to_batch;
	bool		has_relation;
	Oid			relation;
	int64_t		batch;
	TlVerification *run;
} Scrub;

/* The table that ledger.progress shows. */
static Oid	shown = InvalidOid;

static Scrub *load(const char *mode, int units);
static void collect_problems(TlVerification *run);
static void store(const Scrub *scrub);
static void store_problems(const Scrub *scrub);
static void end(Scrub *scrub, TlStepped *out);
static void step_blocks(Scrub *scrub);
static void step_definitions(Scrub *scrub);
static void step_table(Scrub *scrub, Oid relation);
static Oid	next_table(const Scrub *scrub);
static void show_table(const Scrub *scrub, Oid relation);
static void load_progress(void *argument);
static bool is_unreadable(Scrub *scrub, Oid relation);

/* When the next scrub begins; one that was interrupted, at once. */
TimestampTz
tl_proof_scrub_due(int period_s)
{
	Datum		value = Int32GetDatum(period_s);

	tl_chain_execute(&select_due, &value, NULL, true);
	return DatumGetTimestampTz(tl_chain_result(0, 0, NULL));
}

/* Begin a run of this mode, or go on with the one that was interrupted. */
void
tl_proof_scrub_begin(const char *mode, bool anew)
{
	Datum		value = CStringGetTextDatum(mode);

	tl_chain_execute(&delete_others, NULL, NULL, false);
	if (anew)
		tl_chain_execute(&forget_run, &value, NULL, false);
	if (tl_chain_execute(&update_parts, &value, NULL, false) == 0)
	{
		tl_chain_execute(&forget_problems, &value, NULL, false);
		tl_chain_execute(&insert_scrub, &value, NULL, false);
	}
	tl_proof_progress_begin(mode, list_length(tl_table_catalog_tables()));
	shown = InvalidOid;
}

/* One that was interrupted began earlier. */
TimestampTz
tl_proof_scrub_started_at(const char *mode)
{
	Datum		value = CStringGetTextDatum(mode);

	/* not read only: it sees what this transaction has written */
	if (tl_chain_execute(&select_scrub, &value, NULL, false) != 1)
		elog(ERROR, "ledger_internal.scrub has no row");
	return DatumGetTimestampTz(tl_chain_result(0, 0, NULL));
}

/*
 * So many units of the run.  False if that was the last step: the run is
 * recorded, and its result is in *out unless that is NULL.
 */
bool
tl_proof_scrub_step(const char *mode, int units, TlStepped *out)
{
	Scrub	   *scrub = load(mode, units);
	Oid			relation;

	if (!scrub->has_end)
		step_blocks(scrub);
	else if (!scrub->has_relation)
		step_definitions(scrub);
	else if (OidIsValid(relation = next_table(scrub)))
		step_table(scrub, relation);
	else
	{
		end(scrub, out);
		return false;
	}
	store(scrub);
	return true;
}

static void
end(Scrub *scrub, TlStepped *out)
{
	Datum		values[2];

	scrub->run->tip_height = scrub->to_height;
	values[0] = CStringGetTextDatum(scrub->mode);
	values[1] = Int64GetDatum(tl_proof_verify_record(scrub->run, scrub->started_at));
	tl_chain_execute(&name_problems, values, NULL, false);
	tl_chain_execute(&forget_run, values, NULL, false);
	tl_proof_progress_end();
	if (out == NULL)
		return;
	out->verification = DatumGetInt64(values[1]);
	out->problems = scrub->run->problems;
	out->rows = scrub->run->rows;
}

static Scrub *
load(const char *mode, int units)
{
	Scrub	   *scrub = palloc0(sizeof(Scrub));
	TlVerification *run = palloc0(sizeof(TlVerification));
	Datum		value = CStringGetTextDatum(mode);
	bool		none;

	scrub->mode = mode;
	scrub->run = run;
	run->mode = mode;
	run->step_units = units;
	run->full = true;
	run->logged = true;
	run->snapshot = GetActiveSnapshot();
	run->from_height = -1;
	collect_problems(run);
	tl_proof_verify_load_ledger(run);
	if (tl_chain_execute(&select_scrub, &value, NULL, true) != 1)
		elog(ERROR, "ledger_internal.scrub has no row");
	scrub->started_at = DatumGetTimestampTz(tl_chain_result(0, 0, NULL));
	run->parts = DatumGetInt32(tl_chain_result(0, 1, NULL));
	scrub->to_height = DatumGetInt64(tl_chain_result(0, 2, &none));
	scrub->has_end = !none;
	scrub->to_batch = DatumGetInt64(tl_chain_result(0, 3, &none));
	scrub->next_height = DatumGetInt64(tl_chain_result(0, 4, NULL));
	scrub->relation = DatumGetObjectId(tl_chain_result(0, 5, &none));
	scrub->has_relation = !none;
	scrub->batch = DatumGetInt64(tl_chain_result(0, 6, NULL));
	run->rows = DatumGetInt64(tl_chain_result(0, 7, NULL));
	run->rejected = DatumGetInt64(tl_chain_result(0, 8, NULL));
	run->sections = DatumGetInt64(tl_chain_result(0, 9, NULL));
	run->blocks = DatumGetInt64(tl_chain_result(0, 10, NULL));
	run->problems += DatumGetInt64(tl_chain_result(0, 11, NULL));
	run->workers = DatumGetInt32(tl_chain_result(0, 12, NULL));
	return scrub;
}

/* What the step finds, also in a subtransaction that does not commit. */
static void
collect_problems(TlVerification *run)
{
	static const struct
	{
		const char *name;
		Oid			type;		/* InvalidOid: ledger.ref */
	}			columns[PROBLEM_COLUMNS] = {
		{"kind", TEXTOID}, {"relation", REGCLASSOID}, {"ref", InvalidOid},
		{"height", INT8OID}, {"expected", TEXTOID}, {"found", TEXTOID},
		{"detail", TEXTOID}
	};

	run->description = CreateTemplateTupleDesc(PROBLEM_COLUMNS);
	for (int i = 0; i < PROBLEM_COLUMNS; i++)
		TupleDescInitEntry(run->description, i + 1, columns[i].name,
						   OidIsValid(columns[i].type) ? columns[i].type :
						   tl_table_ref_type(), -1, 0);
	run->result = tuplestore_begin_heap(false, false, work_mem);
}

static void
store(const Scrub *scrub)
{
	const TlVerification *run = scrub->run;
	Datum		values[] = {
		Int64GetDatum(scrub->next_height),
		ObjectIdGetDatum(scrub->relation),
		Int64GetDatum(scrub->batch),
		Int64GetDatum(run->rows),
		Int64GetDatum(run->rejected),
		Int64GetDatum(run->sections),
		Int64GetDatum(run->blocks),
		Int64GetDatum(run->problems),
		Int64GetDatum(scrub->to_height),
		Int64GetDatum(scrub->to_batch),
		Int32GetDatum(run->workers),
		CStringGetTextDatum(scrub->mode)
	};
	char		nulls[lengthof(values) + 1] = "            ";

	if (!scrub->has_relation)
		nulls[1] = 'n';
	if (!scrub->has_end)
		nulls[8] = nulls[9] = 'n';
	tl_chain_execute(&update_scrub, values, nulls, false);
	store_problems(scrub);
}

static void
store_problems(const Scrub *scrub)
{
	Tuplestorestate *result = scrub->run->result;
	TupleTableSlot *slot = MakeSingleTupleTableSlot(scrub->run->description,
													&TTSOpsMinimalTuple);
	Datum		mode = CStringGetTextDatum(scrub->mode);
	int64_t		kept = -1;

	while (tuplestore_gettupleslot(result, true, false, slot))
	{
		Datum		values[PROBLEM_COLUMNS + 1];
		char		nulls[lengthof(values) + 1] = "        ";

		if (kept < 0)
		{
			tl_chain_execute(&count_problems, &mode, NULL, true);
			kept = DatumGetInt64(tl_chain_result(0, 0, NULL));
		}
		if (kept++ >= KEPT_PROBLEMS_MAX)
			break;
		slot_getallattrs(slot);
		for (int i = 0; i < PROBLEM_COLUMNS; i++)
		{
			values[i] = slot->tts_values[i];
			if (slot->tts_isnull[i])
				nulls[i] = 'n';
		}
		values[PROBLEM_COLUMNS] = mode;
		tl_chain_execute(&insert_problem, values, nulls, false);
	}
	ExecDropSingleTupleTableSlot(slot);
	tuplestore_end(result);
}

/* Some blocks; before the first ones the snapshots. */
static void
step_blocks(Scrub *scrub)
{
	TlVerification *run = scrub->run;

	if (scrub->next_height == 0)
		tl_proof_verify_snapshots(run);
	tl_proof_progress_phase(TL_PHASE_BLOCKS, InvalidOid, run->tip_height + 1);
	tl_proof_progress_add(scrub->next_height);
	run->from_height = scrub->next_height;
	run->stop_height = scrub->next_height + (int64_t) STEP_BLOCKS * run->step_units - 1;
	run->stops = run->stop_height < run->tip_height;
	tl_proof_verify_blocks(run);
	scrub->next_height = run->stop_height + 1;
	if (run->stops)
		return;
	tl_chain_execute(&select_last_batch, NULL, NULL, true);
	scrub->has_end = true;
	scrub->to_height = Min(run->tip_height, run->applied_height);
	scrub->to_batch = DatumGetInt64(tl_chain_result(0, 0, NULL));
}

static void
step_definitions(Scrub *scrub)
{
	tl_proof_progress_phase(TL_PHASE_DEFINITIONS, InvalidOid, 0);
	tl_proof_verify_definitions(scrub->run, tl_proof_verify_tables(InvalidOid));
	tl_proof_verify_lost_tables(scrub->run);
	scrub->has_relation = true;
	scrub->relation = InvalidOid;
	scrub->batch = 0;
}

/* The table with the smallest OID above those that are done. */
static Oid
next_table(const Scrub *scrub)
{
	List	   *tables = tl_table_catalog_tables();
	Oid			next = InvalidOid;
	ListCell   *cell;

	foreach(cell, tables)
	{
		Oid			relation = lfirst_oid(cell);

		if (relation > scrub->relation && (next == InvalidOid || relation < next) &&
			get_rel_relkind(relation) == RELKIND_RELATION)
			next = relation;
	}
	return next;
}

/* Some sections of the table; after the last ones, its rows are counted. */
static void
step_table(Scrub *scrub, Oid relation)
{
	TlVerification *run = scrub->run;
	int64_t		batch = scrub->batch;

	show_table(scrub, relation);
	LockRelationOid(relation, AccessShareLock);
	if (get_rel_relkind(relation) == RELKIND_RELATION && !is_unreadable(scrub, relation))
	{
		run->progress_known = true;
		if (tl_proof_verify_try(load_progress, run) != NULL)
			run->progress_known = false;
		if (tl_proof_rows_step(run, relation, &batch, scrub->to_batch))
		{
			scrub->batch = batch;
			return;
		}
	}
	tl_proof_progress_table_done();
	scrub->relation = relation;
	scrub->batch = 0;
}

/* In ledger.progress, from the first step of a table in this process. */
static void
show_table(const Scrub *scrub, Oid relation)
{
	Datum		values[] = {
		ObjectIdGetDatum(relation),
		Int64GetDatum(scrub->batch),
		Int64GetDatum(scrub->to_batch)
	};

	if (shown == relation)
		return;
	shown = relation;
	tl_chain_execute(&select_rows, values, NULL, true);
	tl_proof_progress_phase(TL_PHASE_ROWS, relation,
							DatumGetInt64(tl_chain_result(0, 1, NULL)));
	tl_proof_progress_add(DatumGetInt64(tl_chain_result(0, 0, NULL)));
}

/* An attempt: damaged snapshots were reported with the first blocks. */
static void
load_progress(void *argument)
{
	tl_proof_verify_load_progress(argument);
}

/* Definitions were reported before; here they say whether rows can be read. */
static bool
is_unreadable(Scrub *scrub, Oid relation)
{
	TlVerification *quiet = palloc(sizeof(TlVerification));

	*quiet = *scrub->run;
	quiet->logged = false;
	quiet->result = NULL;
	quiet->relation = relation;
	tl_proof_verify_definitions(quiet, list_make1_oid(relation));
	return list_member_oid(quiet->unreadable, relation);
}
