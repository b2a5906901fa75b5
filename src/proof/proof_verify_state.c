/*-------------------------------------------------------------------------
 *
 * proof_verify_state.c
 *	  The stored state against the rows of shared and state tables, and against
 *	  the checkpoints that a quorum has signed.
 *
 * For each of these tables: the rows give a set hash, which must be the stored one,
 * whose digest stands beside it.  The digests of all tables give the newest
 * state root.  Each stable checkpoint that is kept has a certificate which
 * holds, the state root that this node had after the same block, and the root
 * over the outcomes since the checkpoint before.  Of a checkpoint without a certificate here
 * the state root is the one that headers above it name, if any does.  What is told of calls and timers
 * of contracts has these outcomes as its leaves.  Where this node has taken the state of a
 * block from the others it does not know them (src/node/node_take.c).
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "executor/spi.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/memutils.h"
#include "utils/uuid.h"

#include "chain_state_store.h"
#include "chain_statement.h"
#include "chain_store.h"
#include "consensus_certificate.h"
#include "merkle_hash.h"
#include "proof_source.h"
#include "proof_state.h"
#include "table_state.h"
#include "tl_compat.h"

#define CHECKPOINTS_MAX		1000	/* read at once */
#define HEADERS_MAX			10000
#define CALLS_MAX			10000	/* compared at once, and those of the last one's block */

static TlStatement select_applied = {"SELECT height FROM ledger_internal.applied"};
static TlStatement select_tables = {
	"SELECT t.relation, coalesce(s.table_id, t.table_id), s.height, s.digest, sha256(s.set_hash)"
	" FROM ledger_internal.table_state AS s FULL JOIN"
	" (SELECT relation, table_id FROM ledger_internal.shared_table"
	" UNION ALL SELECT relation, table_id FROM ledger_internal.state_table) AS t USING (table_id)"
	" ORDER BY 2"
};
static TlStatement select_root = {
	"SELECT height, state_root FROM ledger_internal.state ORDER BY height DESC LIMIT 1"
};
static TlStatement select_last_checkpoint = {
	"SELECT max(height) FROM ledger_internal.checkpoint WHERE height <= $1", 1, {INT8OID}
};
static TlStatement select_checkpoints = {
	"SELECT c.height, c.block, c.state_root, c.outcome_root, c.certificate, b.hash,"
	" " TL_CHAIN_STATE_ROOT("c.height") ", " TL_CHAIN_STATE_IS_KNOWN("c.height") ","
	" " TL_CHAIN_NAMED_CHECKPOINT ","
	" " TL_PROOF_TAKEN_BELOW
	" FROM ledger_internal.checkpoint AS c LEFT JOIN ledger_internal.block AS b USING (height)"
	" WHERE c.height > $1 AND c.height <= $2 ORDER BY c.height LIMIT $3",
	3, {INT8OID, INT8OID, INT4OID}
};

/* What headers name, of which there is no certificate. */
static TlStatement select_named = {
	"SELECT n.height, n.root, " TL_CHAIN_STATE_ROOT("n.height") " FROM (SELECT DISTINCT " TL_CHAIN_NAMED_CHECKPOINT " AS height,"
	" " TL_CHAIN_NAMED_ROOT " AS root FROM ledger_internal.block AS b WHERE b.height > $1 AND b.height <= $2) AS n"
	" WHERE n.height > $3 AND n.height <= $4 AND " TL_CHAIN_STATE_IS_KNOWN("n.height")
	" AND NOT EXISTS (SELECT FROM ledger_internal.checkpoint AS c WHERE c.height = n.height) ORDER BY n.height",
	4, {INT8OID, INT8OID, INT8OID, INT8OID}
};
static TlStatement select_last_naming = {
	"SELECT b.height FROM ledger_internal.block AS b WHERE b.height <= $1 AND " TL_CHAIN_NAMED_CHECKPOINT " <= $2"
	" ORDER BY b.height DESC LIMIT 1",
	2, {INT8OID, INT8OID}
};

static TlStatement select_range_end = {
	"SELECT height FROM ledger_internal.outcome WHERE height > $1 ORDER BY height OFFSET $2 LIMIT 1",
	2, {INT8OID, INT4OID}
};

/* The ref of a leaf stands at byte 11, its kind at byte 2. */
static TlStatement select_calls = {
	"SELECT ref, height, o.sqlstate, o.words, t.contract, t.handler, t.key, t.at, l.leaf FROM"
	" (SELECT * FROM ledger_internal.call_outcome WHERE height > $1 AND height <= $2) AS o"
	" LEFT JOIN ledger_internal.timer_run AS t USING (ref) FULL JOIN"
	" (SELECT encode(substring(leaf FROM 12 FOR 16), 'hex')::uuid::ledger.ref AS ref, height, leaf"
	" FROM ledger_internal.outcome WHERE height > $1 AND height <= $2"
	" AND substring(leaf FROM 3 FOR 1) IN ('\\x01', '\\x05')) AS l USING (ref, height)"
	" ORDER BY ref, height",
	2, {INT8OID, INT8OID}
};
enum
{
	CALL_REF,
	CALL_HEIGHT,
	CALL_SQLSTATE,
	CALL_WORDS,
	TIMER_CONTRACT,
	TIMER_HANDLER,
	TIMER_KEY,
	TIMER_AT,
	CALL_LEAF,
	CALL_COLUMNS
};

/* A shared table as it is stored, and what may fail about it. */
typedef struct TableState
{
	TlVerification *run;
	Oid			relation;		/* InvalidOid: not a shared table */
	int64_t		applied_height;
	int64_t		height;
	bool		stored;
	TlHash		digest;
	TlHash		of_set;			/* the digest of the set hash beside it */
	TlHash		of_rows;
} TableState;

/* A stable checkpoint, whose outcomes are those since the one that its header names. */
typedef struct Checkpoint
{
	int64_t		after;
	int64_t		height;
	TlHash		outcome_root;
} Checkpoint;

static TableState *read_tables(TlVerification *run, uint64 *count);
static void check_table(TableState *state);
static bool is_of_nothing(const TableState *state);
static void scan_table(void *argument);
static void check_root(TlVerification *run);
static void check_last(TlVerification *run, int64_t applied_height);
static int64_t check_checkpoints(TlVerification *run, int64_t after, int64_t applied_height);
static void check_named(TlVerification *run, int64_t after, int64_t last, int64_t applied_height);
static void check_state(TlVerification *run, uint64 row, int certified_column, int own_column, const char *detail);
static void check_certificate(TlVerification *run, uint64 row);
static void check_outcomes(TlVerification *run, TlOutcomes *outcomes, const Checkpoint *checkpoint);
static int64_t check_calls(TlVerification *run, int64_t after);
static void check_call(TlVerification *run, const Datum *values, const bool *is_null);
static bool make_leaf(uint8_t leaf[TL_OUTCOME_LEAF_SIZE], const Datum *values, const bool *is_null);
static void report(TlVerification *run, Oid relation, int64_t height, const TlHash *expected,
				   const TlHash *found, const char *detail);
static bool read_hash(TlHash *out, uint64 row, int column);

/*
 * Of these tables, and the state table that was asked for; roots and checkpoints where all
 * are looked at.  With one state table the newest root, and the last checkpoint.
 */
void
tl_proof_verify_state(TlVerification *run, List *tables)
{
	int64_t		applied_height = PG_INT64_MAX;
	uint64		count;
	TableState *states;

	if (!run->quorum)
		return;
	if (tl_chain_execute(&select_applied, NULL, NULL, true) > 0)
		applied_height = DatumGetInt64(tl_chain_result(0, 0, NULL));
	states = read_tables(run, &count);
	for (uint64 i = 0; i < count; i++)
	{
		states[i].applied_height = applied_height;
		if (OidIsValid(run->relation) && states[i].relation != run->relation &&
			!list_member_oid(tables, states[i].relation))
			continue;
		check_table(&states[i]);
	}
	if (OidIsValid(run->relation))
	{
		if (tl_table_state_is_state(run->relation))
			check_last(run, applied_height);
		return;
	}
	check_root(run);
	for (int64_t after = PG_INT64_MIN; after < PG_INT64_MAX;)
		after = check_calls(run, after);
	tl_proof_verify_events(run);
	for (int64_t after = 0; after >= 0;)
		after = check_checkpoints(run, after, applied_height);
	check_named(run, -1, run->tip_height, applied_height);
}

static TableState *
read_tables(TlVerification *run, uint64 *count)
{
	TableState *states;

	*count = tl_chain_execute(&select_tables, NULL, NULL, true);
	states = palloc0(sizeof(TableState) * (*count + 1));
	for (uint64 i = 0; i < *count; i++)
	{
		bool		is_null;
		Datum		relation = tl_chain_result(i, 0, &is_null);

		states[i].run = run;
		states[i].relation = is_null ? InvalidOid : DatumGetObjectId(relation);
		states[i].height = DatumGetInt64(tl_chain_result(i, 2, &is_null));
		states[i].stored = !is_null;
		if (!is_null && !(read_hash(&states[i].digest, i, 3) && read_hash(&states[i].of_set, i, 4)))
			elog(ERROR, "a digest in ledger_internal.table_state is not 32 bytes");
	}
	return states;
}

static void
check_table(TableState *state)
{
	TlSetHash	nothing;
	char	   *message;

	if (!state->stored)
	{
		tl_crypto_set_hash_init(&nothing);
		tl_crypto_set_hash_digest(&state->digest, &nothing);
		state->of_set = state->digest;
	}
	else if (!OidIsValid(state->relation) && is_of_nothing(state))
		return;
	else if (!OidIsValid(state->relation))
	{
		report(state->run, InvalidOid, state->height, NULL, &state->digest,
			   "A state is stored of a table that is neither shared nor a state table.");
		return;
	}
	message = tl_proof_verify_try(scan_table, state);
	if (message != NULL)
		report(state->run, state->relation, state->height, &state->digest, NULL,
			   psprintf("The rows of the table cannot be read for its state: %s.", message));
	else if (memcmp(&state->of_set, &state->of_rows, sizeof(TlHash)) != 0)
		report(state->run, state->relation, state->height, &state->of_set, &state->of_rows,
			   "The set hash stored for the table is not that of its rows.");
	else if (memcmp(&state->digest, &state->of_set, sizeof(TlHash)) != 0)
		report(state->run, state->relation, state->height, &state->of_set, &state->digest,
			   "The digest stored for the table is not that of the set hash beside it.");
}

/* A table without rows is not in the state root.  A new version of a contract may have dropped it. */
static bool
is_of_nothing(const TableState *state)
{
	TlSetHash	nothing;
	TlHash		digest;

	tl_crypto_set_hash_init(&nothing);
	tl_crypto_set_hash_digest(&digest, &nothing);
	return memcmp(&state->digest, &digest, sizeof(TlHash)) == 0 && memcmp(&state->of_set, &digest, sizeof(TlHash)) == 0;
}

static void
scan_table(void *argument)
{
	TableState *state = argument;
	TlSetHash	set;

	tl_proof_state_scan(&set, NULL, state->relation, state->run->member, state->applied_height,
						state->run->snapshot);
	tl_crypto_set_hash_digest(&state->of_rows, &set);
}

/* The newest root is the one over the tables' digests. */
static void
check_root(TlVerification *run)
{
	int64_t		height = 0;
	TlHash		stored;
	TlHash		computed;
	bool		some = tl_chain_execute(&select_root, NULL, NULL, true) > 0;

	if (some)
	{
		height = DatumGetInt64(tl_chain_result(0, 0, NULL));
		some = read_hash(&stored, 0, 1);
	}
	tl_chain_state_root_now(&computed, true);
	if (!some)
		tl_merkle_empty_root(&stored);
	if (memcmp(&stored, &computed, sizeof(stored)) != 0)
		report(run, InvalidOid, height, &stored, &computed,
			   "The stored state root is not the one over the stored digests of the shared tables.");
}

/* What binds one table to what a quorum has signed last. */
static void
check_last(TlVerification *run, int64_t applied_height)
{
	Datum		values[] = {Int64GetDatum(run->tip_height), Int64GetDatum(applied_height)};
	bool		is_null;
	int64_t		height;

	check_root(run);
	tl_chain_execute(&select_last_checkpoint, &values[1], NULL, true);
	height = DatumGetInt64(tl_chain_result(0, 0, &is_null));
	if (!is_null)
		(void) check_checkpoints(run, height - 1, applied_height);
	if (tl_chain_execute(&select_last_naming, values, NULL, true) > 0)
	{
		height = DatumGetInt64(tl_chain_result(0, 0, NULL));
		check_named(run, height - 1, height, applied_height);
	}
}

/* Some, of blocks that are stored here; the last one's height, -1 if there are no more. */
static int64_t
check_checkpoints(TlVerification *run, int64_t after, int64_t applied_height)
{
	Datum		values[] = {
		Int64GetDatum(after), Int64GetDatum(run->tip_height), Int32GetDatum(CHECKPOINTS_MAX)
	};
	uint64		count = tl_chain_execute(&select_checkpoints, values, NULL, true);
	Checkpoint *applied = palloc(sizeof(Checkpoint) * (count + 1));
	int			applied_count = 0;
	TlOutcomes	outcomes = {0};
	int64_t		height = -1;

	for (uint64 i = 0; i < count; i++)
	{
		bool		no_block;
		Datum		named = tl_chain_result(i, 8, &no_block);

		CHECK_FOR_INTERRUPTS();
		height = DatumGetInt64(tl_chain_result(i, 0, NULL));
		check_certificate(run, i);
		if (height <= applied_height && !no_block && !DatumGetBool(tl_chain_result(i, 9, NULL)) &&
			read_hash(&applied[applied_count].outcome_root, i, 3))
		{
			applied[applied_count].after = DatumGetInt64(named);
			applied[applied_count++].height = height;
		}
		if (height <= applied_height && DatumGetBool(tl_chain_result(i, 7, NULL)))
			check_state(run, i, 2, 6, "The state of this node after the block is not the one that a quorum has signed.");
	}
	SPI_freetuptable(SPI_tuptable);
	for (int i = 0; i < applied_count; i++)
		check_outcomes(run, &outcomes, &applied[i]);
	pfree(applied);
	return height;
}

/*
 * Roots in the headers of blocks behind the first and up to the second, which a quorum has
 * signed as well: of a checkpoint that became stable elsewhere there may be no more here.
 */
static void
check_named(TlVerification *run, int64_t after, int64_t last, int64_t applied_height)
{
	int64_t		height = 0;

	for (; after < last; after += HEADERS_MAX)
	{
		Datum		values[] = {
			Int64GetDatum(after), Int64GetDatum(Min(after + HEADERS_MAX, last)), Int64GetDatum(height),
			Int64GetDatum(applied_height)
		};
		uint64		count = tl_chain_execute(&select_named, values, NULL, true);

		CHECK_FOR_INTERRUPTS();
		for (uint64 i = 0; i < count; i++)
		{
			height = DatumGetInt64(tl_chain_result(i, 0, NULL));
			check_state(run, i, 1, 2, "The state of this node after the block is not the one that a later block names.");
		}
		SPI_freetuptable(SPI_tuptable);
	}
}

/* The root that was signed, against the own one, in a row of the result. */
static void
check_state(TlVerification *run, uint64 row, int certified_column, int own_column, const char *detail)
{
	TlHash		certified;
	TlHash		own;

	if (!read_hash(&certified, row, certified_column))
		return;
	if (!read_hash(&own, row, own_column))
		tl_merkle_empty_root(&own);
	if (memcmp(&certified, &own, sizeof(own)) != 0)
		report(run, InvalidOid, DatumGetInt64(tl_chain_result(row, 0, NULL)), &certified, &own, detail);
}

/* What was rejected here is what a quorum has signed. */
static void
check_outcomes(TlVerification *run, TlOutcomes *outcomes, const Checkpoint *checkpoint)
{
	TlHash		root;

	tl_chain_outcome_root(&root, outcomes, checkpoint->after, checkpoint->height);
	if (memcmp(&root, &checkpoint->outcome_root, sizeof(root)) != 0)
		report(run, InvalidOid, checkpoint->height, &checkpoint->outcome_root, &root,
			   "What ledger_internal.outcome has of the blocks up to this checkpoint is not what a quorum has signed.");
}

/* Does the certificate of a checkpoint hold, and say what is kept beside it? */
static void
check_certificate(TlVerification *run, uint64 row)
{
	bytea	   *bytes = DatumGetByteaPP(tl_chain_result(row, 4, NULL));
	int64_t		height = DatumGetInt64(tl_chain_result(row, 0, NULL));
	TlCertificate certificate;
	TlHash		block,
				state_root,
				outcome_root,
				stored;

	if (tl_consensus_certificate_decode(&certificate, VARDATA_ANY(bytes),
										VARSIZE_ANY_EXHDR(bytes)) == TL_OK &&
		certificate.kind == TL_LOG_STATE && certificate.height == (uint64_t) height &&
		read_hash(&block, row, 1) && read_hash(&state_root, row, 2) &&
		read_hash(&outcome_root, row, 3) && read_hash(&stored, row, 5) &&
		memcmp(&block, &stored, sizeof(block)) == 0 &&
		memcmp(&certificate.block, &block, sizeof(block)) == 0 &&
		memcmp(&certificate.state_root, &state_root, sizeof(block)) == 0 &&
		memcmp(&certificate.outcome_root, &outcome_root, sizeof(block)) == 0 &&
		tl_proof_verify_is_signed(run, &certificate))
		return;
	tl_proof_verify_report(run, &(TlProblem) {
		.kind = "bad_certificate",
		.has_height = true,
		.height = height,
		.detail = "The certificate of a stable checkpoint does not hold, or does not say what ledger_internal.checkpoint has beside it."
	});
}

/* The first block by whose end so many outcomes have come since that one, or no block's height. */
int64_t
tl_proof_verify_range_end(int64_t after, int outcome_count)
{
	Datum		values[] = {Int64GetDatum(after), Int32GetDatum(outcome_count - 1)};
	int64_t		height = PG_INT64_MAX;

	if (tl_chain_execute(&select_range_end, values, NULL, true) > 0)
		height = DatumGetInt64(tl_chain_result(0, 0, NULL));
	SPI_freetuptable(SPI_tuptable);
	return height;
}

/* What is told of calls and timers of the next blocks; the last one's height. */
static int64_t
check_calls(TlVerification *run, int64_t after)
{
	int64_t		last = tl_proof_verify_range_end(after, CALLS_MAX);
	Datum		range[] = {Int64GetDatum(after), Int64GetDatum(last)};
	MemoryContext one = AllocSetContextCreate(CurrentMemoryContext, "ledger.verify call",
											  ALLOCSET_DEFAULT_SIZES);
	MemoryContext caller = CurrentMemoryContext;
	uint64		count;
	SPITupleTable *rows;

	count = tl_chain_execute(&select_calls, range, NULL, true);
	rows = SPI_tuptable;
	for (uint64 i = 0; i < count; i++)
	{
		bool		is_null[CALL_COLUMNS];
		Datum		values[CALL_COLUMNS];

		CHECK_FOR_INTERRUPTS();
		MemoryContextReset(one);
		MemoryContextSwitchTo(one);
		for (int j = 0; j < CALL_COLUMNS; j++)
			values[j] = SPI_getbinval(rows->vals[i], rows->tupdesc, j + 1, &is_null[j]);
		check_call(run, values, is_null);
	}
	MemoryContextSwitchTo(caller);
	SPI_freetuptable(rows);
	MemoryContextDelete(one);
	return last;
}

/* Does what is told of it give the leaf that all members sign? */
static void
check_call(TlVerification *run, const Datum *values, const bool *is_null)
{
	uint8_t		leaf[TL_OUTCOME_LEAF_SIZE];
	bool		told = !is_null[CALL_SQLSTATE] && make_leaf(leaf, values, is_null);
	TlSpan		stored = is_null[CALL_LEAF] ? (TlSpan) {NULL, 0} : tl_chain_span(values[CALL_LEAF]);
	TlRef		ref;

	if (told && stored.size == sizeof(leaf) && memcmp(stored.data, leaf, sizeof(leaf)) == 0)
		return;
	tl_table_ref_unpack(&ref, (const TlRefBytes *) DatumGetPointer(values[CALL_REF]));
	tl_proof_verify_report(run, &(TlProblem) {
		.kind = "outcome_changed",
		.ref = &ref,
		.has_height = true,
		.height = DatumGetInt64(values[CALL_HEIGHT]),
		.expected = stored.size == 0 ? NULL : tl_proof_verify_hex(stored.data, stored.size),
		.found = told ? tl_proof_verify_hex(leaf, sizeof(leaf)) : NULL,
		.detail = "What ledger_internal has of a call or timer of a contract is not what its outcome, which all members sign, says."
	});
}

/* False if no call has such an outcome. */
static bool
make_leaf(uint8_t leaf[TL_OUTCOME_LEAF_SIZE], const Datum *values, const bool *is_null)
{
	TlTimerOutcome outcome = {.call.height = (uint64_t) DatumGetInt64(values[CALL_HEIGHT])};
	TlSpan		words = is_null[CALL_WORDS] ? (TlSpan) {NULL, 0} : tl_chain_span(values[CALL_WORDS]);
	TlSpan		sqlstate = tl_chain_span(values[CALL_SQLSTATE]);

	if (sqlstate.size != TL_SQLSTATE_SIZE)
		return false;
	memcpy(outcome.call.ref, DatumGetPointer(values[CALL_REF]), TL_REF_SIZE);
	memcpy(outcome.call.sqlstate, sqlstate.data, TL_SQLSTATE_SIZE);
	tl_merkle_leaf_hash(&outcome.call.words, words.data, words.size);
	if (is_null[TIMER_CONTRACT])
		return tl_chain_state_outcome(leaf, &outcome.call) == TL_OK;
	outcome.contract = TextDatumGetCString(values[TIMER_CONTRACT]);
	outcome.handler = TextDatumGetCString(values[TIMER_HANDLER]);
	outcome.key = TextDatumGetCString(values[TIMER_KEY]);
	outcome.at = tl_chain_time_to_unix(DatumGetTimestampTz(values[TIMER_AT]));
	return tl_chain_state_timer(leaf, &outcome) == TL_OK;
}

static void
report(TlVerification *run, Oid relation, int64_t height, const TlHash *expected,
	   const TlHash *found, const char *detail)
{
	tl_proof_verify_report(run, &(TlProblem) {
		.kind = "state_changed",
		.relation = relation,
		.has_height = true,
		.height = height,
		.expected = expected == NULL ? NULL : tl_proof_verify_hex(expected->bytes, TL_HASH_SIZE),
		.found = found == NULL ? NULL : tl_proof_verify_hex(found->bytes, TL_HASH_SIZE),
		.detail = detail
	});
}

/* False if there is none of that size. */
static bool
read_hash(TlHash *out, uint64 row, int column)
{
	bool		is_null;
	Datum		value = tl_chain_result(row, column, &is_null);
	bytea	   *bytes = is_null ? NULL : DatumGetByteaPP(value);

	if (bytes == NULL || VARSIZE_ANY_EXHDR(bytes) != TL_HASH_SIZE)
		return false;
	memcpy(out->bytes, VARDATA_ANY(bytes), TL_HASH_SIZE);
	return true;
}
