/*-------------------------------------------------------------------------
 *
 * proof_verify.c
 *	  ledger.verify(): the run as a whole, its result, its record.
 *
 * A run reads everything with one snapshot, taken when it starts, so that the
 * worker may go on meanwhile.  In this order:
 *
 *		proof_verify_snapshot.c		which transactions each batch has seen
 *		proof_verify_chain.c		blocks, certificates, the own log; batches
 *		proof_verify_batch.c		(proof_verify_batch.c) and their sections
 *		proof_verify_definition.c	definitions against the catalogs
 *		proof_verify_sweep.c		rows of each table against the sections:
 *		proof_verify_rows.c			quickly, and if that says no, exactly
 *		proof_verify_section.c
 *		proof_verify_foreign.c		rows that other members wrote, and their sections
 *		proof_verify_foreign_batch.c
 *		proof_verify_state.c		the state of shared tables, if all is read
 *		proof_verify_event.c		and what contracts have told
 *
 * Nothing that is stored is believed before it has been recomputed.  What is
 * believed: the code, the server below it, and the key in the genesis block,
 * which is as good as the chain id that somebody else remembers.  A superuser
 * who holds the signing key can write a second history from genesis on; only
 * `against` finds that.
 *
 * Modes
 *	  full			everything
 *	  incremental	blocks, batches and sections after the last clean run, their
 *					rows, rows added in the range of their refs; and always the
 *					definitions, and the block at which the last run ended.  A
 *					given tree head or receipt has the chain (not the rows)
 *					read from genesis.  A state table that is asked for is
 *					read to its end.
 *
 * Two rows of one section that have exchanged their contents are order_changed;
 * of two sections, two times row_changed.  Where a row lies in the file means
 * nothing.
 *
 * `disposed` is information, not a problem: tables of a test ledger that were
 * dropped or truncated.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/xact.h"
#include "access/xlog.h"
#include "catalog/pg_class.h"
#include "catalog/pg_inherits.h"
#include "catalog/pg_type.h"
#include "commands/dbcommands.h"
#include "executor/spi.h"
#include "fmgr.h"
#include "funcapi.h"
#include "miscadmin.h"
#include "storage/lmgr.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/snapmgr.h"
#include "utils/timestamp.h"

#include "chain_statement.h"
#include "chain_window.h"
#include "proof_progress.h"
#include "proof_state.h"
#include "proof_verify.h"
#include "table_catalog.h"
#include "table_definition.h"
#include "table_state.h"
#include "tl_error.h"

/* Of one run, that are told in the server's log. */
#define LOG_PROBLEMS_MAX	20

PG_FUNCTION_INFO_V1(tl_verify);

static TlStatement select_node = {
	"SELECT chain_id, genesis_header, genesis_body, name, member, purpose, public_key,"
	" EXISTS (SELECT FROM ledger_internal.order_mode) FROM ledger_internal.node"
};
static TlStatement select_tip = {
	"SELECT coalesce(max(height), -1), least(coalesce(max(height), -1),"
	" (SELECT height FROM ledger_internal.applied)) FROM ledger_internal.block"
};
static TlStatement select_verified = {
	"SELECT coalesce(max(to_height), -1) FROM ledger.verification"
	" WHERE chain_id = $2 AND verdict = 'clean' AND (relation IS NULL OR relation = $1)",
	2, {REGCLASSOID, BYTEAOID}
};
static TlStatement select_verified_batch = {
	"SELECT coalesce(max(batch), 0) FROM ledger_internal.batch WHERE height <= $1",
	1, {INT8OID}
};
static TlStatement select_lagging = {
	"SELECT relation, base, next, position FROM ledger_internal.lagging ORDER BY relation"
};
static TlStatement select_ahead = {
	"SELECT max(b.batch) FROM ledger_internal.ledger_table t"
	" JOIN ledger_internal.section s ON s.table_id = t.table_id"
	" JOIN ledger_internal.batch b ON b.batch = s.batch"
	" WHERE t.relation = $1 AND b.snapshot > $2",
	2, {REGCLASSOID, INT8OID}
};
static TlStatement insert_verification = {
	"INSERT INTO ledger.verification (started_at, finished_at, mode, relation, from_height,"
	" to_height, rows, sections, blocks, problems, verdict, chain_id, rejected,"
	" workers, parts)"
	" VALUES ($1, clock_timestamp(), $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12,"
	" $13, $14) RETURNING id",
	14, {TIMESTAMPTZOID, TEXTOID, REGCLASSOID, INT8OID, INT8OID, INT8OID,
	INT8OID, INT8OID, INT8OID, TEXTOID, BYTEAOID, INT8OID, INT4OID, INT4OID}
};

/* Arguments of what may fail. */
typedef struct TableAttempt
{
	TlVerification *run;
	Oid			relation;
} TableAttempt;

static void verify_in_view(TlVerification *run, List *tables);
static void verify(TlVerification *run, List *tables);
static bool parse_mode(const char *mode);
static void check_node(TlVerification *run);
static void check_node_key(TlVerification *run, const bytea *key);
static void load_lagging(TlVerification *run);
static void check_lagging(TlVerification *run);
static void choose_start(TlVerification *run);
static void attempt_table(void *argument);
static bool is_of_others(int sqlstate);
static void log_problem(const TlVerification *run, const TlProblem *problem);

/* ledger.verify(relation, mode, against) */
Datum
tl_verify(PG_FUNCTION_ARGS)
{
	TlVerification *run = palloc0(sizeof(TlVerification));
	TimestampTz started_at = GetCurrentTimestamp();
	List	   *tables;

	InitMaterializedSRF(fcinfo, 0);
	run->result = ((ReturnSetInfo *) fcinfo->resultinfo)->setResult;
	run->description = ((ReturnSetInfo *) fcinfo->resultinfo)->setDesc;
	run->relation = PG_ARGISNULL(0) ? InvalidOid : PG_GETARG_OID(0);
	run->full = parse_mode(PG_ARGISNULL(1) ? "incremental" :
						   text_to_cstring(PG_GETARG_TEXT_PP(1)));
	run->mode = run->full ? "full" : "incremental";
	run->parts = 1;
	tables = tl_proof_verify_tables(run->relation);
	run->snapshot = RegisterSnapshot(GetLatestSnapshot());
	PushActiveSnapshot(run->snapshot);
	SPI_connect();
	tl_proof_verify_load_ledger(run);
	if (!PG_ARGISNULL(2))
		tl_proof_verify_known(run, PG_GETARG_JSONB_P(2));
	choose_start(run);
	verify_in_view(run, tables);
	tl_proof_verify_record(run, started_at);
	SPI_finish();
	PopActiveSnapshot();
	UnregisterSnapshot(run->snapshot);
	return (Datum) 0;
}

/* All of it, and ledger.progress shows it. */
static void
verify_in_view(TlVerification *run, List *tables)
{
	tl_proof_progress_begin(run->mode, list_length(tables));
	PG_TRY();
	{
		verify(run, tables);
	}
	PG_FINALLY();
	{
		tl_proof_progress_end();
	}
	PG_END_TRY();
}

static void
verify(TlVerification *run, List *tables)
{
	MemoryContext context = AllocSetContextCreate(CurrentMemoryContext,
												  "ledger.verify step",
												  ALLOCSET_DEFAULT_SIZES);
	MemoryContext caller = MemoryContextSwitchTo(context);
	ListCell   *cell;

	tl_proof_verify_snapshots(run);
	tl_proof_verify_blocks(run);
	tl_proof_verify_load_progress(run);
	tl_proof_progress_phase(TL_PHASE_DEFINITIONS, InvalidOid, 0);
	tl_proof_verify_definitions(run, tables);
	if (!OidIsValid(run->relation))
		tl_proof_verify_lost_tables(run);
	if (run->quorum)
		tl_proof_verify_foreign_batches(run);
	foreach(cell, tables)
	{
		if (!list_member_oid(run->unreadable, lfirst_oid(cell)))
			tl_proof_verify_table(run, lfirst_oid(cell));
		tl_proof_progress_table_done();
	}
	if (run->full || (OidIsValid(run->relation) && tl_table_state_is_state(run->relation)))
		tl_proof_verify_state(run, tables);
	MemoryContextSwitchTo(caller);
}

/* True for full. */
static bool
parse_mode(const char *mode)
{
	if (strcmp(mode, "full") == 0)
		return true;
	if (strcmp(mode, "incremental") == 0)
		return false;
	ereport(ERROR,
			errcode(ERRCODE_INVALID_PARAMETER_VALUE),
			errmsg("unknown mode \"%s\"", mode),
			errhint("Use \"incremental\" or \"full\"."));
}

/*
 * The ledger tables that were asked for, locked against ALTER.  Definitions are
 * rows of ledger.table_version, so that table always belongs to them.
 */
List *
tl_proof_verify_tables(Oid relation)
{
	List	   *all = tl_table_catalog_tables();
	List	   *wanted = NIL;
	List	   *tables = NIL;
	ListCell   *cell;

	if (!OidIsValid(relation))
		wanted = all;
	else
	{
		List	   *family = find_all_inheritors(relation, AccessShareLock, NULL);

		foreach(cell, family)
			if (list_member_oid(all, lfirst_oid(cell)))
				wanted = lappend_oid(wanted, lfirst_oid(cell));
		if (wanted == NIL && !tl_table_catalog_is_parent(relation) && !tl_table_state_is_state(relation))
			ereport(ERROR,
					errcode(ERRCODE_WRONG_OBJECT_TYPE),
					errmsg("\"%s\" is not a ledger table", get_rel_name(relation)),
					errhint("Leave the relation out to verify all ledger tables."));
		wanted = list_append_unique_oid(wanted, tl_table_definition_relation());
	}
	foreach(cell, wanted)
	{
		LockRelationOid(lfirst_oid(cell), AccessShareLock);
		if (get_rel_relkind(lfirst_oid(cell)) == RELKIND_RELATION)
			tables = lappend_oid(tables, lfirst_oid(cell));
		else
			UnlockRelationOid(lfirst_oid(cell), AccessShareLock);
	}
	return tables;
}

/*
 * Who we are.  The genesis must fit its chain id, else there is no key.  What this
 * session has met of the chain before is read again: tables are verified, not memory.
 */
void
tl_proof_verify_load_ledger(TlVerification *run)
{
	TlBlockHeader first;
	bytea	   *chain;
	bytea	   *header;
	bytea	   *key;
	bytea	   *body;

	tl_chain_window_forget();
	tl_table_identity(&run->identity);
	if (!run->identity.exists ||
		tl_chain_execute(&select_node, NULL, NULL, true) != 1)
		tl_error_not_a_node();
	chain = DatumGetByteaPP(tl_chain_result(0, 0, NULL));
	header = DatumGetByteaPP(tl_chain_result(0, 1, NULL));
	body = DatumGetByteaPCopy(tl_chain_result(0, 2, NULL));
	if (VARSIZE_ANY_EXHDR(chain) == TL_HASH_SIZE)
		memcpy(run->chain_id.bytes, VARDATA_ANY(chain), TL_HASH_SIZE);
	tl_error_check(tl_chain_begin_check(&run->genesis, &run->chain_id,
										tl_chain_span(PointerGetDatum(header)),
										tl_chain_span(PointerGetDatum(body))),
				   "genesis in ledger_internal.node");
	tl_error_check(tl_chain_block_decode(&first, VARDATA_ANY(header),
										 VARSIZE_ANY_EXHDR(header)),
				   "genesis in ledger_internal.node");
	/* one founder may have members later; consensus makes his blocks as well */
	run->quorum = run->genesis.member_count > 1 ||
		DatumGetBool(tl_chain_result(0, 7, NULL));
	run->member = run->quorum ? run->identity.member : run->genesis.members[0].number;
	key = DatumGetByteaPCopy(tl_chain_result(0, 6, NULL));
	check_node(run);
	tl_proof_verify_load_members(run, &first);
	check_node_key(run, key);
	tl_chain_execute(&select_tip, NULL, NULL, true);
	run->tip_height = DatumGetInt64(tl_chain_result(0, 0, NULL));
	run->applied_height = DatumGetInt64(tl_chain_result(0, 1, NULL));
}

/* What ledger_internal.node shows to people is what genesis says. */
static void
check_node(TlVerification *run)
{
	static const char *const purposes[] = {"production", "test"};
	const TlMember *member = &run->genesis.members[0];
	char	   *name = TextDatumGetCString(tl_chain_result(0, 3, NULL));
	char	   *purpose = TextDatumGetCString(tl_chain_result(0, 5, NULL));

	for (int i = 1; i < run->genesis.member_count; i++)
		if (run->genesis.members[i].number == run->member)
			member = &run->genesis.members[i];
	if (member->number != run->member)
		return;					/* joined later: its rows prove its key */
	if (strlen(name) == member->name.size &&
		memcmp(name, member->name.data, member->name.size) == 0 &&
		DatumGetInt64(tl_chain_result(0, 4, NULL)) == member->number &&
		strcmp(purpose, purposes[run->genesis.purpose]) == 0)
		return;
	tl_proof_verify_report(run, &(TlProblem) {
		.kind = "block_changed",
		.has_height = true,
		.height = 0,
		.expected = psprintf("%u %.*s %s", member->number, (int) member->name.size,
							 (const char *) member->name.data,
							 purposes[run->genesis.purpose]),
		.found = psprintf("%lld %s %s",
						  (long long) DatumGetInt64(tl_chain_result(0, 4, NULL)),
						  name, purpose),
		.detail = "Name, number or purpose in ledger_internal.node are not those of the genesis block."
	});
}

/* The key that signs now is that of the newest members; who is none proves his by his rows. */
static void
check_node_key(TlVerification *run, const bytea *key)
{
	const uint8_t *expected = tl_proof_verify_row_key(run, run->member, PG_UINT64_MAX);

	if (expected == NULL ||
		(VARSIZE_ANY_EXHDR(key) == TL_XONLY_KEY_SIZE &&
		 memcmp(VARDATA_ANY(key), expected, TL_XONLY_KEY_SIZE) == 0))
		return;
	tl_proof_verify_report(run, &(TlProblem) {
		.kind = "block_changed",
		.has_height = true,
		.height = 0,
		.detail = "The key in ledger_internal.node is not the one that the members know."
	});
}

/* How far rows are batched; damaged snapshots were reported before. */
void
tl_proof_verify_load_progress(TlVerification *run)
{
	if (!run->progress_known)
		return;
	run->progress_known = tl_chain_store_load_progress(&run->progress);
	load_lagging(run);
	for (int i = 0; i < run->lagging_count; i++)
	{
		TlProgress *progress = &run->lagging[i].progress;

		if (!tl_proof_verify_load_snapshot(&progress->base, progress->base_number) ||
			(progress->partial &&
			 !tl_proof_verify_load_snapshot(&progress->next, progress->next_number)))
			run->progress_known = false;
	}
	check_lagging(run);
}

/* Tables that wait for a lock, as the run's snapshot sees them. */
static void
load_lagging(TlVerification *run)
{
	uint64		rows = tl_chain_execute(&select_lagging, NULL, NULL, true);

	run->lagging_count = (int) rows;
	run->lagging = palloc0(sizeof(TlLagging) * (rows + 1));
	for (uint64 i = 0; i < rows; i++)
	{
		TlProgress *progress = &run->lagging[i].progress;
		bool		none;

		run->lagging[i].relation = DatumGetObjectId(tl_chain_result(i, 0, NULL));
		progress->base_number = DatumGetInt64(tl_chain_result(i, 1, NULL));
		progress->next_number = DatumGetInt64(tl_chain_result(i, 2, &none));
		progress->partial = !none;
		if (progress->partial)
			progress->position = *DatumGetTlRefBytes(tl_chain_result(i, 3, NULL));
	}
}

/* A table that is said to wait for a lock has no rows in later batches. */
static void
check_lagging(TlVerification *run)
{
	for (int i = 0; i < run->lagging_count; i++)
	{
		const TlProgress *progress = &run->lagging[i].progress;
		Datum		values[2];
		bool		none;
		Datum		batch;

		values[0] = ObjectIdGetDatum(run->lagging[i].relation);
		values[1] = Int64GetDatum(progress->partial ? progress->next_number :
								  progress->base_number);
		tl_chain_execute(&select_ahead, values, NULL, true);
		batch = tl_chain_result(0, 0, &none);
		if (none)
			continue;
		tl_proof_verify_report(run, &(TlProblem) {
			.kind = "snapshot_changed",
			.relation = run->lagging[i].relation,
			.expected = psprintf("snapshot %lld", (long long) DatumGetInt64(values[1])),
			.found = psprintf("batch %lld", (long long) DatumGetInt64(batch)),
			.detail = "ledger_internal.lagging says that the table waits for a lock, but a later batch holds rows of it."
		});
		run->lagging[i].progress = run->progress;
	}
}

/* Where the last clean run ended; a chain that ends before it was cut. */
static void
choose_start(TlVerification *run)
{
	Datum		values[] = {
		ObjectIdGetDatum(run->relation),
		tl_chain_bytes(run->chain_id.bytes, TL_HASH_SIZE)
	};
	Datum		height;
	int64_t		verified;

	tl_chain_execute(&select_verified, values, NULL, true);
	verified = DatumGetInt64(tl_chain_result(0, 0, NULL));
	run->from_height = -1;
	if (verified > run->tip_height)
	{
		tl_proof_verify_report(run, &(TlProblem) {
			.kind = "tail_cut",
			.has_height = true,
			.height = run->tip_height + 1,
			.expected = psprintf("height %lld", (long long) verified),
			.found = psprintf("height %lld", (long long) run->tip_height),
			.detail = "An earlier run in ledger.verification read blocks that are not there any more."
		});
		return;
	}
	if (run->full)
		return;
	run->from_height = verified;
	height = Int64GetDatum(verified);
	tl_chain_execute(&select_verified_batch, &height, NULL, true);
	run->from_batch = DatumGetInt64(tl_chain_result(0, 0, NULL));
}

/* The rows of one table; damaged pages must not hide what other tables have. */
void
tl_proof_verify_table(TlVerification *run, Oid relation)
{
	TableAttempt attempt = {run, relation};
	char	   *message = tl_proof_verify_try(attempt_table, &attempt);

	if (message == NULL)
		return;
	tl_proof_verify_report(run, &(TlProblem) {
		.kind = "row_changed",
		.relation = relation,
		.detail = psprintf("The table or its index cannot be read to the end: %s.", message)
	});
}

static void
attempt_table(void *argument)
{
	TableAttempt *attempt = argument;

	tl_proof_verify_rows(attempt->run, attempt->relation);
}

/*
 * One row of ledger.verification, where rows can be written: its id, or 0.  The next
 * run goes on where others' rows were there to be read, not where the chain ended.
 */
int64_t
tl_proof_verify_record(const TlVerification *run, TimestampTz started_at)
{
	Datum		values[] = {
		TimestampTzGetDatum(started_at),
		CStringGetTextDatum(run->mode),
		ObjectIdGetDatum(run->relation),
		Int64GetDatum(run->known.given || run->full ? 0 : Max(run->from_height, 0)),
		Int64GetDatum(Min(run->tip_height, run->applied_height)),
		Int64GetDatum(run->rows),
		Int64GetDatum(run->sections),
		Int64GetDatum(run->blocks),
		Int64GetDatum(run->problems),
		CStringGetTextDatum(run->problems == 0 ? "clean" : "problems"),
		tl_chain_bytes(run->chain_id.bytes, TL_HASH_SIZE),
		Int64GetDatum(run->rejected),
		Int32GetDatum(run->workers),
		Int32GetDatum(run->parts)
	};
	char		nulls[lengthof(values) + 1] = "              ";

	if (XactReadOnly || RecoveryInProgress())
	{
		ereport(NOTICE,
				errmsg("this run is not recorded in ledger.verification"),
				errdetail("The transaction is read-only."));
		return 0;
	}
	if (!OidIsValid(run->relation))
		nulls[2] = 'n';
	tl_chain_execute(&insert_verification, values, nulls, false);
	return DatumGetInt64(tl_chain_result(0, 0, NULL));
}

/* Append a problem to the result. */
void
tl_proof_verify_report(TlVerification *run, const TlProblem *problem)
{
	Datum		values[7];
	bool		nulls[7];
	TlRefBytes	ref;

	if (strcmp(problem->kind, "disposed") != 0)
		run->problems++;
	if (run->logged)
		log_problem(run, problem);
	if (run->result == NULL)
		return;					/* a worker: the session's process will say it */
	memset(values, 0, sizeof(values));
	values[0] = CStringGetTextDatum(problem->kind);
	values[1] = ObjectIdGetDatum(problem->relation);
	nulls[0] = false;
	nulls[1] = !OidIsValid(problem->relation);
	nulls[2] = problem->ref == NULL;
	nulls[3] = !problem->has_height;
	nulls[4] = problem->expected == NULL;
	nulls[5] = problem->found == NULL;
	nulls[6] = false;
	if (!nulls[2])
	{
		tl_table_ref_pack(&ref, problem->ref);
		values[2] = TlRefBytesGetDatum(&ref);
	}
	values[3] = Int64GetDatum(problem->height);
	if (!nulls[4])
		values[4] = CStringGetTextDatum(problem->expected);
	if (!nulls[5])
		values[5] = CStringGetTextDatum(problem->found);
	values[6] = CStringGetTextDatum(problem->detail);
	tuplestore_putvalues(run->result, run->description, values, nulls);
}

/* Each problem is one message, but not millions of them. */
static void
log_problem(const TlVerification *run, const TlProblem *problem)
{
	char	   *relation = OidIsValid(problem->relation) ? get_rel_name(problem->relation) : NULL;

	if (run->problems > LOG_PROBLEMS_MAX || strcmp(problem->kind, "disposed") == 0)
		return;
	ereport(WARNING,
			errmsg("the ledger is not as it was signed: %s", problem->kind),
			errdetail("%s%s%s%s%s%s", problem->detail,
					  relation != NULL ? " Table: " : "",
					  relation != NULL ? relation : "",
					  problem->ref != NULL ? " Ref: " : "",
					  problem->ref != NULL ? tl_table_ref_text(problem->ref) : "",
					  relation != NULL || problem->ref != NULL ? "." : ""),
			errhint("In database \"%s\", run SELECT * FROM ledger.verify(mode => 'full').",
					get_database_name(MyDatabaseId)));
}

/* Cancel, memory, disk; locks, deadlocks, conflicts with recovery. */
static bool
is_of_others(int sqlstate)
{
	int			category = ERRCODE_TO_CATEGORY(sqlstate);

	return category == ERRCODE_OPERATOR_INTERVENTION ||
		category == ERRCODE_INSUFFICIENT_RESOURCES ||
		category == ERRCODE_SYSTEM_ERROR ||
		category == ERRCODE_TRANSACTION_ROLLBACK ||
		sqlstate == ERRCODE_LOCK_NOT_AVAILABLE;
}

/*
 * Do something that may fail on damaged bytes.  NULL, or what the error said;
 * what is not the bytes' fault goes on as an error.
 */
char *
tl_proof_verify_try(TlWork work, void *argument)
{
	ErrorData  *error = tl_attempt(work, argument, NULL);

	if (error == NULL)
		return NULL;
	if (is_of_others(error->sqlerrcode))
		ReThrowError(error);
	return error->message;
}

char *
tl_proof_verify_hex(const void *data, size_t size)
{
	char	   *text = palloc(2 * size + 1);

	hex_encode(data, size, text);
	text[2 * size] = '\0';
	return text;
}

/* Something about this batch was reported. */
void
tl_proof_verify_doubt(TlVerification *run, int64_t batch,
					  const TlRefBytes *first, const TlRefBytes *last)
{
	TlDoubtful *doubtful;

	if (run->doubtful_count == run->doubtful_capacity)
	{
		MemoryContext context = MemoryContextSwitchTo(GetMemoryChunkContext(run));

		run->doubtful_capacity = Max(16, 2 * run->doubtful_capacity);
		run->doubtful = run->doubtful == NULL ?
			palloc(sizeof(TlDoubtful) * run->doubtful_capacity) :
			repalloc_huge(run->doubtful, sizeof(TlDoubtful) * run->doubtful_capacity);
		MemoryContextSwitchTo(context);
	}
	doubtful = &run->doubtful[run->doubtful_count++];
	doubtful->batch = batch;
	doubtful->first_ref = *first;
	doubtful->last_ref = *last;
}

bool
tl_proof_verify_doubts_batch(const TlVerification *run, int64_t batch)
{
	for (int i = 0; i < run->doubtful_count; i++)
		if (run->doubtful[i].batch == batch)
			return true;
	return false;
}

/* Could the ref belong to a batch that does not say what it holds? */
bool
tl_proof_verify_doubts_ref(const TlVerification *run, const TlRefBytes *ref)
{
	for (int i = 0; i < run->doubtful_count; i++)
		if (tl_table_ref_compare(&run->doubtful[i].first_ref, ref) <= 0 &&
			tl_table_ref_compare(ref, &run->doubtful[i].last_ref) <= 0)
			return true;
	return false;
}
