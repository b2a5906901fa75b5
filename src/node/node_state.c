/*-------------------------------------------------------------------------
 *
 * node_state.c
 *	  The state of this node: set hashes of shared tables, kept up block by
 *	  block; and when it is not that of the others.
 *
 * Hooks of node_apply.c: what a block adds to each shared table is summed up
 * while it is applied, an attempt at a batch apart from the batches before, and goes
 * into the stored set hashes at its end, in the same transaction.  What is rejected gets a leaf of the outcome root.
 *
 * If a quorum has signed another state than this node has (src/consensus,
 * R43), or no quorum agrees on one, no block is applied any more: a row of
 * ledger_internal.apply_stop says so.  Ordering goes on.
 *
 * SPI is connected everywhere here.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "fmgr.h"
#include "miscadmin.h"
#include "utils/hsearch.h"
#include "utils/memutils.h"
#include "utils/snapmgr.h"
#include "utils/uuid.h"

#include "chain_applied.h"
#include "chain_state_store.h"
#include "chain_statement.h"
#include "crypto_set_sql.h"
#include "merkle_hash.h"
#include "node_apply.h"
#include "node_identity.h"
#include "node_state.h"
#include "proof_state.h"
#include "tl_compat.h"
#include "tl_error.h"

PG_FUNCTION_INFO_V1(tl_recompute_state);

/* What the block that is being applied adds to one table. */
typedef struct TableSum
{
	uint8_t		table_id[TL_TABLE_ID_SIZE];
	TlSetHash	set;
} TableSum;

static TlStatement select_shared = {
	"SELECT relation FROM (SELECT relation, table_id FROM ledger_internal.shared_table"
	" UNION ALL SELECT relation, table_id FROM ledger_internal.state_table) AS t ORDER BY table_id"
};

static HTAB *sums = NULL;		/* in the context of the transaction */
static HTAB *attempted = NULL;	/* rows since the last on_rows_end */
static TlChainRows *outcomes = NULL;	/* in the context of the transaction; NULL: none yet */
static int	outcome_count;

static void on_begin(int64_t height);
static HTAB *make_sums(void);
static TableSum *sum_of(HTAB *table, const uint8_t table_id[TL_TABLE_ID_SIZE]);
static void on_rows_end(bool count);
static void on_row(int64_t height, const uint8_t table_id[TL_TABLE_ID_SIZE],
				   const TlRefBytes *ref, TlSpan bytes);
static void on_rejected(int64_t height, const TlHash *batch, const TlRefBytes *ref,
						const char *sqlstate, TlSpan bytes);
static void on_refused_batch(int64_t height, const TlHash *batch, const char *sqlstate);
static void on_end(int64_t height);
static bool is_of_before(int64_t height);
static void add_sum(const TableSum *sum, int64_t height);

static const TlApplyHook hook = {
	.begin = on_begin,.rows_end = on_rows_end,.row = on_row,.rejected = on_rejected,.end = on_end
};

void
tl_node_state_init(void)
{
	tl_node_apply_add_hook(&hook);
}

/* Of a block before that failed nothing is left. */
static void
on_begin(int64_t height)
{
	sums = make_sums();
	attempted = make_sums();
	outcomes = NULL;
	outcome_count = 0;
}

static HTAB *
make_sums(void)
{
	HASHCTL		control = {
		.keysize = TL_TABLE_ID_SIZE,.entrysize = sizeof(TableSum),.hcxt = CurTransactionContext
	};

	return hash_create("telco_ledger state of a block", 16, &control,
					   HASH_ELEM | HASH_BLOBS | HASH_CONTEXT);
}

static TableSum *
sum_of(HTAB *table, const uint8_t table_id[TL_TABLE_ID_SIZE])
{
	bool		found;
	TableSum   *sum = hash_search(table, table_id, HASH_ENTER, &found);

	if (!found)
		tl_crypto_set_hash_init(&sum->set);
	return sum;
}

static void
on_rows_end(bool count)
{
	HASH_SEQ_STATUS scan;
	TableSum   *sum;

	hash_seq_init(&scan, attempted);
	while ((sum = hash_seq_search(&scan)) != NULL)
	{
		if (count)
			tl_crypto_set_hash_combine(&sum_of(sums, sum->table_id)->set, &sum->set);
		(void) hash_search(attempted, sum->table_id, HASH_REMOVE, NULL);
	}
}

static void
on_row(int64_t height, const uint8_t table_id[TL_TABLE_ID_SIZE],
	   const TlRefBytes *ref, TlSpan bytes)
{
	TlHash		element;

	tl_error_check(tl_chain_state_row_element(&element, bytes.data, bytes.size),
				   "row of a shared table");
	tl_node_state_add(table_id, &element);
}

void
tl_node_state_add(const uint8_t table_id[TL_TABLE_ID_SIZE], const TlHash *element)
{
	tl_node_state_change(table_id, element, 1);
}

/* So many more of that element; fewer, where it is below 0. */
void
tl_node_state_change(const uint8_t table_id[TL_TABLE_ID_SIZE], const TlHash *element, int count)
{
	TableSum   *sum = sum_of(attempted, table_id);
	bool		done = true;

	for (; done && count > 0; count--)
		done = tl_crypto_set_hash_add(&sum->set, tl_crypto_set_hasher(), element);
	for (; done && count < 0; count++)
		done = tl_crypto_set_hash_remove(&sum->set, tl_crypto_set_hasher(), element);
	if (!done)
		elog(ERROR, "could not encrypt with AES-256-CTR");
}

/* One more leaf of the block that is being applied. */
void
tl_node_state_outcome(int64_t height, const uint8_t leaf[TL_OUTCOME_LEAF_SIZE])
{
	if (outcomes == NULL)
	{
		MemoryContext caller = MemoryContextSwitchTo(CurTransactionContext);

		outcomes = tl_chain_rows_open("outcome");
		MemoryContextSwitchTo(caller);
	}
	tl_chain_outcome_add(outcomes, height, ++outcome_count, leaf);
}

static void
on_rejected(int64_t height, const TlHash *batch, const TlRefBytes *ref,
			const char *sqlstate, TlSpan bytes)
{
	TlRejection rejection = {.height = (uint64_t) height,.batch = *batch};
	uint8_t		leaf[TL_OUTCOME_LEAF_SIZE];

	if (ref == NULL)
	{
		on_refused_batch(height, batch, sqlstate);
		return;
	}
	memcpy(rejection.ref, ref->bytes, TL_REF_SIZE);
	strncpy(rejection.sqlstate, sqlstate, TL_SQLSTATE_SIZE);
	tl_merkle_leaf_hash(&rejection.row, bytes.data, bytes.size);
	tl_error_check(tl_chain_state_rejection(leaf, &rejection), "rejection");
	tl_node_state_outcome(height, leaf);
}

static void
on_refused_batch(int64_t height, const TlHash *batch, const char *sqlstate)
{
	TlRefusedBatch refused = {.height = (uint64_t) height,.batch = *batch};
	uint8_t		leaf[TL_OUTCOME_LEAF_SIZE];

	memcpy(refused.sqlstate, sqlstate, TL_SQLSTATE_SIZE);
	tl_error_check(tl_chain_state_refused_batch(leaf, &refused), "refused batch");
	tl_node_state_outcome(height, leaf);
}

static void
on_end(int64_t height)
{
	bool		changed;
	HASH_SEQ_STATUS scan;
	TableSum   *sum;

	on_rows_end(true);			/* elements beside those of batches */
	changed = hash_get_num_entries(sums) > 0;
	hash_seq_init(&scan, sums);
	while ((sum = hash_seq_search(&scan)) != NULL)
		add_sum(sum, height);
	hash_destroy(sums);
	hash_destroy(attempted);
	sums = attempted = NULL;
	if (outcomes != NULL)
		tl_chain_rows_close(outcomes);
	outcomes = NULL;
	if (changed)
		tl_chain_state_store_root(height);
}

static void
add_sum(const TableSum *sum, int64_t height)
{
	TlSetHash	set;
	TlHash		digest;
	TlHash		stored;

	(void) tl_chain_state_load(&set, &stored, sum->table_id);
	tl_crypto_set_hash_digest(&digest, &set);
	if (memcmp(&digest, &stored, sizeof(digest)) != 0)
	{
		/* noted whether or not anybody reads the WARNING */
		char	   *name = tl_chain_state_damage(sum->table_id, height);

		ereport(WARNING,
				errcode(TL_ERRCODE(TL_CHAIN_DAMAGED)),
				errmsg("the stored state of a shared table was changed"),
				errdetail("Before block %2$lld the set hash of table %1$s is not the one that its digest was made of.",
						  name, (long long) height),
				tl_error_hint_damaged());
	}
	tl_crypto_set_hash_combine(&set, &sum->set);
	tl_chain_state_store(sum->table_id, height, &set);
}

/* The state after an applied block whose header names a checkpoint at that height;
 * false if it is not known any more. */
bool
tl_node_state_read(TlState *state, TlOutcomes *outcomes, uint64_t checkpoint_height)
{
	if (!tl_chain_state_has_outcomes((int64_t) checkpoint_height, (int64_t) state->height))
		return false;
	tl_chain_outcome_root(&state->outcome_root, outcomes, (int64_t) checkpoint_height,
						  (int64_t) state->height);
	return tl_chain_state_at(&state->state_root, (int64_t) state->height);
}

/* TL_ALARM_DIVERGED of this member, TL_ALARM_SPLIT: nothing is applied any more.  False if it
 * is about a state from before it was mended. */
bool
tl_node_state_differs(const TlAction *action)
{
	bool		split = action->alarm == TL_ALARM_SPLIT;
	int64_t		height = (int64_t) action->state.height;
	char	   *names;

	if (split ? tl_chain_state_is_anew(height) : is_of_before(height))
		return false;
	if (!tl_chain_state_stop(height, split ? "split" : "diverged"))
		return true;
	names = tl_chain_state_find_damage(height);
	ereport(WARNING,
			errcode(TL_ERRCODE(TL_CHAIN_DAMAGED)),
			split ? errmsg("no quorum of the members agrees on the state after block %lld", (long long) height) :
			errmsg("the state of this node after block %lld is not the one that a quorum of the members has signed",
				   (long long) height),
			names != NULL ? errdetail("It applies no more blocks.  The stored state of these tables was changed: %s.", names) :
			errdetail("It applies no more blocks; it goes on ordering them."),
			errhint("SELECT * FROM ledger.verify(mode => 'full') names rows and tables that were changed here; where it finds none, compare ledger.state with that of another member.  When the rows are right, SELECT ledger.recompute_state() lets this node go on; when those of a state table are not, SELECT ledger.take_state('reason') takes them from the others."));
	return true;
}

/* What differs is an own STATE row of before the state was computed again. */
static bool
is_of_before(int64_t height)
{
	TlHash		root;

	return !tl_chain_state_at(&root, height) || tl_chain_state_is_certified(height, &root);
}

/* A state has become stable after all; if it were not the own one the core would say so. */
bool
tl_node_state_agreed(void)
{
	return tl_chain_state_go_on("split");
}

/* ledger.recompute_state() -> bigint */
Datum
tl_recompute_state(PG_FUNCTION_ARGS)
{
	const TlNodeIdentity *identity = tl_node_identity();
	int64_t		height;
	uint64		count;
	Oid		   *relations;
	TlSetHash	set;

	if (!identity->table.exists)
		tl_error_not_a_node();
	SPI_connect();
	if (!tl_chain_state_go_on("diverged") && !tl_chain_state_go_on("split"))
		ereport(ERROR,
				errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				errmsg("this node has not stopped to apply blocks for its set hashes"),
				errdetail("They are kept up with each block, and computed again only where they were found to be wrong."),
				errhint("SELECT stopped_at, stopped_by FROM ledger.status shows whether it has."));
	/* until this transaction ends the worker sees that nothing is to be applied */
	height = tl_chain_applied_height();
	count = tl_chain_execute(&select_shared, NULL, NULL, false);
	relations = palloc((count + 1) * sizeof(Oid));
	for (uint64 i = 0; i < count; i++)
		relations[i] = DatumGetObjectId(tl_chain_result(i, 0, NULL));
	tl_chain_state_forget_tables();
	for (uint64 i = 0; i < count; i++)
	{
		Snapshot	snapshot = RegisterSnapshot(GetLatestSnapshot());
		uint8_t		table_id[TL_TABLE_ID_SIZE];

		tl_proof_state_scan(&set, table_id, relations[i], identity->table.member, height, snapshot);
		tl_chain_state_store(table_id, height, &set);
		UnregisterSnapshot(snapshot);
	}
	tl_chain_state_begin_anew(height);
	if (SPI_execute("SELECT ledger_internal.wire_changed()", false, 0) != SPI_OK_SELECT)
		elog(ERROR, "could not wake the process of the wire");
	SPI_finish();
	PG_RETURN_INT64(height);
}
