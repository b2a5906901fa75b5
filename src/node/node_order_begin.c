/*-------------------------------------------------------------------------
 *
 * node_order_begin.c
 *	  From a ledger of one member, who makes its blocks alone, to one whose
 *	  blocks consensus makes: when the first other member is invited.
 *
 * In one transaction, at the end of some block: each block gets its row in
 * ledger_internal.block_order, as final blocks of several members have it; the
 * times of the blocks are left as bodies for this member's next batches, for
 * those who join (node_order_alone.c); a row of ledger_internal.order_mode says
 * that from here on consensus makes the blocks, behind which block, and where the
 * own log is.  The bytes of blocks and log rows stay what they are.  The worker
 * sees in its next round that it makes no more blocks, and the process of the
 * wire begins with the last one.  A crash leaves either state.
 *
 * The history is walked from its first row, and each block made once more from
 * the log, so whatever those who join would stumble over is found here.  Most of
 * it is walked while the worker goes on; only for what it has added meanwhile,
 * and for the end, it has to wait.
 *
 * Locks: ShareRowExclusiveLock on ledger_internal.node lets one in at a time,
 * AccessExclusiveLock later keeps the worker out.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/xact.h"
#include "catalog/pg_type.h"
#include "executor/spi.h"
#include "fmgr.h"
#include "miscadmin.h"
#include "storage/lmgr.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/inval.h"
#include "utils/memutils.h"
#include "utils/snapmgr.h"

#include "chain_alone.h"
#include "chain_genesis.h"
#include "chain_statement.h"
#include "chain_store.h"
#include "node_identity.h"
#include "node_key.h"
#include "node_order_state.h"
#include "node_order_store.h"
#include "node_worker.h"
#include "tl_compat.h"
#include "tl_error.h"

PG_FUNCTION_INFO_V1(tl_begin_order);

#define WALK_ROWS		2048	/* read at once */

/* The walk through the own log. */
typedef struct Begin
{
	TlAlone		alone;
	TlAloneLogs logs;			/* as far as it has come */
	uint16_t	incarnation;
	uint64_t	sequence;
	int64_t    *times;			/* of the next WALK_ROWS blocks, */
	uint64_t	times_first;	/* from this height on */
	uint64		times_count;
	int64_t    *listed;			/* for those who join, in this chunk */
	uint32_t	listed_count;
	MemoryContext context;		/* of what is read at once */
} Begin;

static TlStatement select_times = {
	"SELECT time FROM ledger_internal.block WHERE height >= $1 ORDER BY height LIMIT $2",
	2, {INT8OID, INT4OID}
};
static TlStatement insert_submitted = {
	"INSERT INTO ledger_internal.submitted (chunk) VALUES ($1)", 1, {BYTEAOID}
};
static TlStatement insert_mode = {
	"INSERT INTO ledger_internal.order_mode (alone_height, alone_hash, alone_nonces, alone_sequences)"
	" VALUES ($1, $2, $3, $4)",
	4, {INT8OID, BYTEAOID, BYTEAARRAYOID, INT8ARRAYOID}
};
static TlStatement insert_applied = {
	"INSERT INTO ledger_internal.applied VALUES ($1)", 1, {INT8OID}
};
static TlStatement count_blocks = {
	"SELECT max(height) FROM ledger_internal.block"
};

static bool is_founder(const TlNodeIdentity *identity, TlConsensusConfig *config);
static void check_state(const TlNodeIdentity *identity);
static Begin *begin_walk(const TlNodeIdentity *identity, const TlConsensusConfig *config);
static void walk(Begin *begin);
static bool take_rows(Begin *begin);
static void take_row(Begin *begin, const TlOwnRow *stored);
static void note_row(Begin *begin, const TlLogRow *row);
static int64_t time_of(Begin *begin, uint64_t height);
static void store_block(Begin *begin);
static void store_times(Begin *begin);
static void finish(Begin *begin);
static void store_mode(const Begin *begin);

/* ledger_internal.begin_order() -> boolean; false: nothing was to be done */
Datum
tl_begin_order(PG_FUNCTION_ARGS)
{
	TlConsensusConfig *config = palloc0(sizeof(TlConsensusConfig));
	const TlNodeIdentity *identity;
	Begin	   *begin;

	PreventCommandIfReadOnly("ledger.invite()");
	PreventCommandDuringRecovery("ledger.invite()");
	if (IsolationUsesXactSnapshot())
		ereport(ERROR,
				errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				errmsg("the first ledger.invite() needs a transaction that is READ COMMITTED"),
				errdetail("Blocks that are made while it reads the others have to be seen."),
				errhint("Run SET default_transaction_isolation = 'read committed' and try again."));
	LockRelationOid(tl_node_relation("node", false), ShareRowExclusiveLock);
	identity = tl_node_identity_reload();
	if (!identity->table.exists)
		tl_error_not_a_node();
	if (identity->ordered)
		PG_RETURN_BOOL(false);
	SPI_connect();
	if (!is_founder(identity, config))
	{
		SPI_finish();
		PG_RETURN_BOOL(false);
	}
	check_state(identity);
	begin = begin_walk(identity, config);
	PushActiveSnapshot(GetLatestSnapshot());
	walk(begin);
	PopActiveSnapshot();
	LockRelationOid(tl_node_relation("node", false), AccessExclusiveLock);
	check_state(tl_node_identity_reload());
	PushActiveSnapshot(GetLatestSnapshot());
	walk(begin);
	finish(begin);
	PopActiveSnapshot();
	MemoryContextDelete(begin->context);
	SPI_finish();
	CacheInvalidateRelcacheByRelid(tl_node_relation("node", false));
	CommandCounterIncrement();
	ForceSyncCommit();
	tl_node_worker_request_at_commit();
	PG_RETURN_BOOL(true);
}

/* A ledger that this member has founded alone. */
static bool
is_founder(const TlNodeIdentity *identity, TlConsensusConfig *config)
{
	tl_node_order_load_genesis(config);
	return config->member_count == 1 &&
		config->members[0].number == identity->table.member;
}

static void
check_state(const TlNodeIdentity *identity)
{
	(void) tl_node_key_may_sign(identity->table.test, ERROR);
	if (!tl_table_identity_is_live(&identity->table))
		ereport(ERROR,
				errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				errmsg("this node signs nothing now, and can invite nobody"),
				errdetail(identity->table.copied ?
						  "It is a copy of a node." : "It was restored to an older point."),
				errhint("SELECT state FROM ledger.status; the chapter on backup and restore tells how to go on."));
}

static Begin *
begin_walk(const TlNodeIdentity *identity, const TlConsensusConfig *config)
{
	Begin	   *begin = palloc0(sizeof(Begin));

	tl_chain_alone_init(&begin->alone, &identity->chain_id, &config->base.header,
						identity->table.member);
	begin->logs.member = identity->table.member;
	begin->times = palloc(sizeof(int64_t) * WALK_ROWS);
	begin->listed = palloc(sizeof(int64_t) * TL_ALONE_TIMES_MAX);
	begin->context = AllocSetContextCreate(CurrentMemoryContext, "telco_ledger begin",
										   ALLOCSET_DEFAULT_SIZES);
	return begin;
}

/* What the own log has and this walk has not taken yet. */
static void
walk(Begin *begin)
{
	MemoryContext caller = MemoryContextSwitchTo(begin->context);

	while (take_rows(begin))
	{
		CHECK_FOR_INTERRUPTS();
		MemoryContextReset(begin->context);
	}
	MemoryContextSwitchTo(caller);
}

static bool
take_rows(Begin *begin)
{
	uint64		count;
	bool		more;
	TlOwnRow   *rows = tl_node_order_read_own(begin->incarnation, begin->sequence,
											  WALK_ROWS, &count, &more);
	SPITupleTable *table = SPI_tuptable;

	for (uint64 i = 0; i < count; i++)
		take_row(begin, &rows[i]);
	SPI_freetuptable(table);
	return more;
}

static void
take_row(Begin *begin, const TlOwnRow *stored)
{
	uint64_t	height = begin->alone.block.header.height + 1;
	TlLogRow	row;
	bool		complete;
	TlStatus	status = tl_consensus_row_decode(&row, VARDATA_ANY(stored->message),
												 VARSIZE_ANY_EXHDR(stored->message));

	if (status == TL_OK)
		status = tl_chain_alone_row(&begin->alone, &row,
									row.kind == TL_LOG_FINALIZE && row.view > 0 ?
									time_of(begin, height) : 0, &complete);
	if (status != TL_OK)
		ereport(ERROR,
				errcode(TL_ERRCODE(TL_CHAIN_DAMAGED)),
				errmsg("block %llu does not follow from the own log", (unsigned long long) height),
				errdetail("Row %llu of incarnation %d: %s.", (unsigned long long) row.sequence,
						  stored->incarnation, tl_status_text(status)),
				errhint("SELECT * FROM ledger.verify(mode => 'full') names what is wrong; others cannot follow a ledger that is damaged."));
	begin->incarnation = stored->incarnation;
	begin->sequence = row.sequence;
	note_row(begin, &row);
	if (complete)
		store_block(begin);
}

/* Where the log is. */
static void
note_row(Begin *begin, const TlLogRow *row)
{
	TlAloneLogs *logs = &begin->logs;

	if (logs->count == 0 || memcmp(logs->nonces[logs->count - 1], row->nonce, TL_NONCE_SIZE) != 0)
	{
		if (logs->count == TL_ALONE_LOGS_MAX)
			ereport(ERROR,
					errcode(TL_ERRCODE(TL_TOO_LARGE)),
					errmsg("this ledger has been restored too often to become one of several members"),
					errdetail("Its log has more than %d incarnations, which is what those who join can follow.",
							  TL_ALONE_LOGS_MAX),
					errhint("Begin a new ledger with ledger.create_node() in another database, and invite the others to that one."));
		memcpy(logs->nonces[logs->count++], row->nonce, TL_NONCE_SIZE);
	}
	logs->sequences[logs->count - 1] = row->sequence;
}

/* Of a stored block. */
static int64_t
time_of(Begin *begin, uint64_t height)
{
	if (height < begin->times_first || height - begin->times_first >= begin->times_count)
	{
		Datum		values[] = {Int64GetDatum((int64) height), Int32GetDatum(WALK_ROWS)};
		SPITupleTable *table;

		begin->times_count = tl_chain_execute(&select_times, values, NULL, false);
		begin->times_first = height;
		table = SPI_tuptable;
		for (uint64 i = 0; i < begin->times_count; i++)
			begin->times[i] = tl_chain_time_to_unix(DatumGetTimestampTz(tl_chain_result(i, 0, NULL)));
		SPI_freetuptable(table);
		if (begin->times_count == 0)
			ereport(ERROR,
					errcode(TL_ERRCODE(TL_CHAIN_DAMAGED)),
					errmsg("block %llu is missing", (unsigned long long) height),
					tl_error_hint_damaged());
	}
	return begin->times[height - begin->times_first];
}

static void
store_block(Begin *begin)
{
	const TlConsensusBlock *block = &begin->alone.block;
	TlSpan		certificate = {begin->alone.certificate, sizeof(begin->alone.certificate)};

	tl_node_order_keep(block, certificate, NULL, 0);
	begin->listed[begin->listed_count++] = block->header.time;
	if (begin->listed_count == TL_ALONE_TIMES_MAX)
		store_times(begin);
}

/* The times so far, the last of which is that of the newest block. */
static void
store_times(Begin *begin)
{
	size_t		size = TL_ALONE_TIMES_SIZE_FIXED + 8 * (size_t) begin->listed_count;
	bytea	   *chunk;
	TlWriter	writer;
	Datum		value;

	if (begin->listed_count == 0)
		return;
	chunk = palloc(VARHDRSZ + size);
	SET_VARSIZE(chunk, VARHDRSZ + size);
	tl_writer_init(&writer, (uint8_t *) VARDATA(chunk), size);
	tl_error_check(tl_chain_alone_times_encode(&writer, begin->alone.block.header.height + 1 -
											   begin->listed_count,
											   begin->listed, begin->listed_count),
				   "times of blocks");
	value = PointerGetDatum(chunk);
	tl_chain_execute(&insert_submitted, &value, NULL, false);
	pfree(chunk);
	begin->listed_count = 0;
}

/* No block is left: what tells that consensus makes the next one. */
static void
finish(Begin *begin)
{
	uint64_t	height = begin->alone.block.header.height;
	TlStanding *standing = palloc0(sizeof(TlStanding));

	tl_chain_execute(&count_blocks, NULL, NULL, false);
	if ((uint64_t) DatumGetInt64(tl_chain_result(0, 0, NULL)) != height)
		ereport(ERROR,
				errcode(TL_ERRCODE(TL_CHAIN_DAMAGED)),
				errmsg("the own log ends with block %llu, and there are later ones",
					   (unsigned long long) height),
				tl_error_hint_damaged());
	store_times(begin);
	standing->members[0] = begin->alone.standing;
	tl_node_order_keep_standing(height, standing, 1);
	store_mode(begin);
	ereport(LOG,
			errmsg("consensus makes the blocks of this ledger after block %llu",
				   (unsigned long long) height));
}

static void
store_mode(const Begin *begin)
{
	const TlAloneLogs *logs = &begin->logs;
	Datum		nonces[TL_ALONE_LOGS_MAX];
	Datum		sequences[TL_ALONE_LOGS_MAX];
	bool		any = begin->alone.block.header.height > 0;
	int			count = any ? (int) logs->count : 0;
	char		nulls[] = {' ', any ? ' ' : 'n', ' ', ' '};
	Datum		values[4];

	for (int i = 0; i < count; i++)
	{
		nonces[i] = tl_chain_bytes(logs->nonces[i], TL_NONCE_SIZE);
		sequences[i] = Int64GetDatum((int64) logs->sequences[i]);
	}
	values[0] = Int64GetDatum((int64) begin->alone.block.header.height);
	values[1] = tl_chain_bytes(begin->alone.block.hash.bytes, TL_HASH_SIZE);
	values[2] = PointerGetDatum(construct_array(nonces, count, BYTEAOID, -1, false, TYPALIGN_INT));
	values[3] = PointerGetDatum(construct_array(sequences, count, INT8OID, sizeof(int64),
												FLOAT8PASSBYVAL, TYPALIGN_DOUBLE));
	tl_chain_execute(&insert_mode, values, nulls, false);
	tl_chain_execute(&insert_applied, values, NULL, false);
}
