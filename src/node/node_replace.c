/*-------------------------------------------------------------------------
 *
 * node_replace.c
 *	  The contents of all state tables, replaced by those that a quorum has signed.
 *
 * The pieces that node_take.c has brought are read twice.  First the set hash of each
 * table is computed from the very bytes, and with those of the shared tables here the
 * state root.  If that is the one in the certificate of the checkpoint, all rows of all
 * state tables go, and those in the pieces come, in the same transaction.  They pass no
 * trigger and no constraint but NOT NULL and the keys: they stood in the tables of a quorum.
 * These have to be asked for, as a set hash binds a set: of rows that may come several
 * times anybody could make any hash, and a row without a key may.  Whoever shows what
 * cannot be put into the tables is refused as if the root were another one.
 *
 * If the root is another one, the set hashes of the shared tables may be wrong here; so
 * they are computed from the rows before the pieces are given up.
 *
 * What calls, timers and events were between the last checkpoint that was right here
 * and this one is not known then: it is taken out of what is told of them.  Rejected
 * rows stay, which follow from the rows alone.
 *
 * SPI is connected.  Memory: one piece, and a set hash for each table.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/table.h"
#include "access/tableam.h"
#include "access/xact.h"
#include "catalog/pg_type.h"
#include "executor/executor.h"
#include "miscadmin.h"
#include "port/pg_bswap.h"
#include "utils/hsearch.h"
#include "utils/memutils.h"
#include "utils/snapmgr.h"
#include "utils/uuid.h"

#include "chain_state_store.h"
#include "chain_statement.h"
#include "crypto_set_sql.h"
#include "node_identity.h"
#include "node_image.h"
#include "node_replace.h"
#include "node_wire.h"
#include "proof_state.h"
#include "table_image.h"
#include "table_state.h"
#include "tl_attempt.h"
#include "tl_compat.h"
#include "tl_error.h"

static TlStatement select_take = {
	"SELECT height, coalesce(received = pieces AND EXISTS (SELECT FROM ledger_internal.taken_piece), false),"
	" pieces, source, unknown_after, CASE WHEN begins THEN unknown_after ELSE 0 END FROM ledger_internal.state_take WHERE done_at IS NULL"
};
enum
{
	TAKE_HEIGHT,
	TAKE_COMPLETE,
	TAKE_PIECES,
	TAKE_SOURCE,
	TAKE_UNKNOWN_AFTER,
	TAKE_EXECUTED
};

static TlStatement select_piece = {
	"SELECT piece FROM ledger_internal.taken_piece WHERE number = $1", 1, {INT4OID}
};
static TlStatement select_tables = {
	"SELECT relation::oid, table_id, true FROM ledger_internal.state_table"
	" UNION ALL SELECT relation::oid, table_id, false FROM ledger_internal.shared_table"
};
static TlStatement give_up = {
	"WITH gone AS (DELETE FROM ledger_internal.taken_piece)"
	" UPDATE ledger_internal.state_take SET left_out = array_append(left_out, source),"
	" refused = CASE WHEN source = ANY (refused) THEN refused ELSE array_append(refused, source) END,"
	" source = NULL, pieces = NULL, received = 0, bytes = 0 WHERE done_at IS NULL"
};
static TlStatement note_pass = {
	"UPDATE ledger_internal.state_take SET passes_over = true WHERE done_at IS NULL AND NOT passes_over"
};
static TlStatement delete_sets = {
	"DELETE FROM ledger_internal.table_state AS t WHERE NOT EXISTS"
	" (SELECT FROM ledger_internal.shared_table AS s WHERE s.table_id = t.table_id)"
};

/* Behind the first block, up to the second. */
static TlStatement forget[] = {
	{"DELETE FROM ledger_internal.timer_run AS t USING ledger_internal.call_outcome AS o"
	" WHERE o.ref = t.ref AND o.height > $1 AND o.height <= $2", 2, {INT8OID, INT8OID}},
	{"DELETE FROM ledger_internal.call_outcome WHERE height > $1 AND height <= $2", 2, {INT8OID, INT8OID}},
	{"DELETE FROM ledger_internal.event WHERE height > $1 AND height <= $2", 2, {INT8OID, INT8OID}},
	{"DELETE FROM ledger_internal.outcome WHERE height > $1 AND height <= $2"
	" AND substring(leaf FROM 3 FOR 1) IN ('\\x01', '\\x02', '\\x05')", 2, {INT8OID, INT8OID}},
	{"DELETE FROM ledger_internal.state WHERE height > $1 AND $2 >= height", 2, {INT8OID, INT8OID}},
};
static TlStatement mend_sets = {
	"UPDATE ledger_internal.table_state SET damaged_at = NULL WHERE damaged_at IS NOT NULL"
};
/* Made of the rows that have gone. */
static TlStatement delete_shown = {"DELETE FROM ledger_internal.shown_state"};
static TlStatement insert_root = {
	"INSERT INTO ledger_internal.state (height, state_root, unknown_after) VALUES ($1, $2, $3)"
	" ON CONFLICT (height) DO NOTHING",
	3, {INT8OID, BYTEAOID, INT8OID}
};
static TlStatement finish_take = {
	"WITH gone AS (DELETE FROM ledger_internal.taken_piece)"
	" UPDATE ledger_internal.state_take SET done_at = clock_timestamp() WHERE done_at IS NULL"
};

/* A table, and what its set is. */
typedef struct TakenTable
{
	uint8_t		table_id[TL_TABLE_ID_SIZE];
	Oid			relation;
	bool		is_state;		/* or shared: its set is that of the rows here */
	bool		is_new;			/* its set is to be stored, if it is empty as well */
	TlSetHash	set;
} TakenTable;

/* Where rows of one table go. */
typedef struct Target
{
	Relation	relation;
	TlImageReader *reader;
	EState	   *estate;
	ResultRelInfo *result;
	TupleTableSlot *slot;
	MemoryContext values;
} Target;

typedef struct Replacement
{
	HTAB	   *tables;
	int64_t		pieces;
} Replacement;

static HTAB *load_tables(void);
static bool sum_pieces(HTAB *tables, int64_t pieces);
static bool sum_piece(HTAB *tables, TlSpan piece);
static TlSpan read_piece(int64_t number);
static bool next_row(TlSpan *piece, TlSpan *row, TlRowHeader *header);
static bool root_fits(HTAB *tables, const TlHash *root);
static int	compare_tables(const void *left, const void *right);
static void sum_shared(HTAB *tables, int64_t height);
static void refuse(int64_t height, uint32_t source, const char *reason);
static char *try_replace(HTAB *tables, int64_t pieces);
static bool is_of_data(int sqlstate);
static void replace_all(void *argument);
static void delete_rows(Oid relation);
static void insert_piece(HTAB *tables, Target *target, TlSpan piece);
static void open_target(Target *target, Oid relation);
static void close_target(Target *target);
static void insert_row(Target *target, TlSpan row);
static void check_not_null(const TupleTableSlot *slot);
static void note(HTAB *tables, int64_t height, const TlHash *root, int64_t unknown_after);

bool
tl_node_replace_is_due(int64_t *height, int64_t *executed)
{
	if (tl_chain_execute(&select_take, NULL, NULL, false) == 0 ||
		!DatumGetBool(tl_chain_result(0, TAKE_COMPLETE, NULL)))
		return false;
	*height = DatumGetInt64(tl_chain_result(0, TAKE_HEIGHT, NULL));
	*executed = DatumGetInt64(tl_chain_result(0, TAKE_EXECUTED, NULL));
	return true;
}

/* A block is applied without what it runs of contracts. */
void
tl_node_replace_pass(void)
{
	tl_chain_execute(&note_pass, NULL, NULL, false);
}

bool
tl_node_replace(int64_t height)
{
	int64_t		pieces;
	int64_t		unknown_after;
	uint32_t	source;
	TlHash		root;
	HTAB	   *tables;
	char	   *error;

	tl_chain_execute(&select_take, NULL, NULL, false);
	pieces = DatumGetInt64(tl_chain_result(0, TAKE_PIECES, NULL));
	source = (uint32_t) DatumGetInt64(tl_chain_result(0, TAKE_SOURCE, NULL));
	unknown_after = DatumGetInt64(tl_chain_result(0, TAKE_UNKNOWN_AFTER, NULL));
	if (!tl_chain_state_certified(&root, height))
		elog(ERROR, "checkpoint %lld, whose state is taken, is not stored", (long long) height);
	tables = load_tables();
	if (!sum_pieces(tables, pieces))
	{
		refuse(height, source, "has something that is no row of a state table");
		return false;
	}
	if (!root_fits(tables, &root))
	{
		sum_shared(tables, height);
		if (!root_fits(tables, &root))
		{
			refuse(height, source, "is not the state that a quorum of the members has signed");
			return false;
		}
	}
	error = try_replace(tables, pieces);
	if (error != NULL)
	{
		refuse(height, source, psprintf("cannot be put into the tables: %s", error));
		return false;
	}
	note(tables, height, &root, unknown_after);
	ereport(LOG,
			errmsg("the state after block %lld is taken from member %u", (long long) height, source));
	return true;
}

/* With the sets of shared tables as they are stored. */
static HTAB *
load_tables(void)
{
	HASHCTL		control = {
		.keysize = TL_TABLE_ID_SIZE,.entrysize = sizeof(TakenTable),.hcxt = CurrentMemoryContext
	};
	HTAB	   *tables = hash_create("telco_ledger tables whose state is taken", 64, &control,
									 HASH_ELEM | HASH_BLOBS | HASH_CONTEXT);
	uint64		count = tl_chain_execute(&select_tables, NULL, NULL, false);
	SPITupleTable *rows = SPI_tuptable;

	for (uint64 i = 0; i < count; i++)
	{
		bool		is_null;
		Datum		id = SPI_getbinval(rows->vals[i], rows->tupdesc, 2, &is_null);
		TakenTable *table = hash_search(tables, DatumGetUUIDP(id)->data, HASH_ENTER, NULL);
		TlHash		digest;

		table->relation = DatumGetObjectId(SPI_getbinval(rows->vals[i], rows->tupdesc, 1, &is_null));
		table->is_state = DatumGetBool(SPI_getbinval(rows->vals[i], rows->tupdesc, 3, &is_null));
		table->is_new = table->is_state;
		tl_crypto_set_hash_init(&table->set);
		if (!table->is_state)
			(void) tl_chain_state_load(&table->set, &digest, table->table_id);
	}
	return tables;
}

/* The sets of state tables, of all rows in the pieces; false if something in them is none. */
static bool
sum_pieces(HTAB *tables, int64_t pieces)
{
	MemoryContext caller = CurrentMemoryContext;
	MemoryContext context = AllocSetContextCreate(caller, "telco_ledger piece of a state", ALLOCSET_DEFAULT_SIZES);
	bool		good = true;

	for (int64_t i = 0; i < pieces && good; i++)
	{
		MemoryContextReset(context);
		MemoryContextSwitchTo(context);
		good = sum_piece(tables, read_piece(i));
		SPI_freetuptable(SPI_tuptable);
	}
	MemoryContextSwitchTo(caller);
	MemoryContextDelete(context);
	return good;
}

/* In the current memory context. */
static TlSpan
read_piece(int64_t number)
{
	Datum		value = Int32GetDatum((int32) number);

	CHECK_FOR_INTERRUPTS();
	if (tl_chain_execute(&select_piece, &value, NULL, false) != 1)
		elog(ERROR, "a piece of a state is gone");
	return tl_chain_result_span(0, 0);
}

/* False if something in it is no row of a state table. */
static bool
sum_piece(HTAB *tables, TlSpan piece)
{
	TlSpan		row;
	TlRowHeader header;
	TlHash		element;

	while (piece.size > 0)
	{
		TakenTable *table;

		CHECK_FOR_INTERRUPTS();
		if (!next_row(&piece, &row, &header))
			return false;
		table = hash_search(tables, header.table_id, HASH_FIND, NULL);
		if (table == NULL || !table->is_state ||
			tl_chain_state_row_element(&element, row.data, row.size) != TL_OK)
			return false;
		if (!tl_crypto_set_hash_add(&table->set, tl_crypto_set_hasher(), &element))
			elog(ERROR, "could not encrypt with AES-256-CTR");
	}
	return true;
}

/* The next one, taken off the piece. */
static bool
next_row(TlSpan *piece, TlSpan *row, TlRowHeader *header)
{
	TlRowDecoder decoder;
	uint32		size;

	if (piece->size < sizeof(size))
		return false;
	memcpy(&size, piece->data, sizeof(size));
	size = pg_ntoh32(size);
	if (size > TL_SHARED_ROW_SIZE_MAX || size > piece->size - sizeof(size))
		return false;
	row->data = piece->data + sizeof(size);
	row->size = size;
	piece->data = row->data + size;
	piece->size -= sizeof(size) + size;
	return tl_table_row_open(&decoder, header, row->data, row->size) == TL_OK;
}

static bool
root_fits(HTAB *tables, const TlHash *root)
{
	long		count = hash_get_num_entries(tables);
	TakenTable **sorted = palloc(sizeof(TakenTable *) * (count + 1));
	HASH_SEQ_STATUS scan;
	TakenTable *table;
	TlStateTree tree;
	TlHash		computed;
	int			filled = 0;

	hash_seq_init(&scan, tables);
	while ((table = hash_seq_search(&scan)) != NULL)
		sorted[filled++] = table;
	qsort(sorted, filled, sizeof(TakenTable *), compare_tables);
	tl_chain_state_init(&tree);
	for (int i = 0; i < filled; i++)
	{
		TlHash		digest;

		tl_crypto_set_hash_digest(&digest, &sorted[i]->set);
		tl_error_check(tl_chain_state_add(&tree, sorted[i]->table_id, &digest), "table's state");
	}
	tl_chain_state_root(&computed, &tree);
	return memcmp(&computed, root, sizeof(computed)) == 0;
}

static int
compare_tables(const void *left, const void *right)
{
	return memcmp((*(TakenTable *const *) left)->table_id, (*(TakenTable *const *) right)->table_id, TL_TABLE_ID_SIZE);
}

/* The sets of shared tables, from their rows. */
static void
sum_shared(HTAB *tables, int64_t height)
{
	HASH_SEQ_STATUS scan;
	TakenTable *table;

	hash_seq_init(&scan, tables);
	while ((table = hash_seq_search(&scan)) != NULL)
	{
		Snapshot	snapshot;

		if (table->is_state)
			continue;
		snapshot = RegisterSnapshot(GetLatestSnapshot());
		tl_proof_state_scan(&table->set, NULL, table->relation, tl_node_identity()->table.member, height, snapshot);
		table->is_new = true;
		UnregisterSnapshot(snapshot);
	}
}

static void
refuse(int64_t height, uint32_t source, const char *reason)
{
	tl_chain_execute(&give_up, NULL, NULL, false);
	ereport(WARNING,
			errmsg("the state after block %lld is not taken from member %u", (long long) height, source),
			errdetail("What the member shows %s.", reason),
			errhint("Another member is asked, if ledger.take_state() has named none: SELECT * FROM ledger.state_take shows what is waited for."));
	tl_node_wire_wake();
}

/* What is wrong with the rows, or NULL. */
static char *
try_replace(HTAB *tables, int64_t pieces)
{
	Replacement replacement = {tables, pieces};
	ErrorData  *error = tl_attempt(replace_all, &replacement, NULL);

	if (error == NULL)
		return NULL;
	if (!is_of_data(error->sqlerrcode))
		ReThrowError(error);
	return error->message;
}

/*
 * Or of the server here: a conflict, a disk that is full, a lock, a cancel, files.  All
 * else may be what the rows are, memory that they need included, and would come again.
 */
static bool
is_of_data(int sqlstate)
{
	int			category = ERRCODE_TO_CATEGORY(sqlstate);

	return sqlstate != ERRCODE_DISK_FULL && category != ERRCODE_TRANSACTION_ROLLBACK &&
		category != ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE &&
		category != ERRCODE_OPERATOR_INTERVENTION && category != ERRCODE_SYSTEM_ERROR;
}

static void
replace_all(void *argument)
{
	const Replacement *replacement = argument;
	MemoryContext caller = CurrentMemoryContext;
	MemoryContext context = AllocSetContextCreate(caller, "telco_ledger piece of a state", ALLOCSET_DEFAULT_SIZES);
	HASH_SEQ_STATUS scan;
	TakenTable *table;
	Target		target = {NULL};

	tl_table_state_replace(true);
	hash_seq_init(&scan, replacement->tables);
	while ((table = hash_seq_search(&scan)) != NULL)
		if (table->is_state)
			delete_rows(table->relation);
	CommandCounterIncrement();
	for (int64_t i = 0; i < replacement->pieces; i++)
	{
		TlSpan		piece;

		MemoryContextReset(context);
		MemoryContextSwitchTo(context);
		piece = read_piece(i);
		MemoryContextSwitchTo(caller);
		insert_piece(replacement->tables, &target, piece);
		SPI_freetuptable(SPI_tuptable);
	}
	close_target(&target);
	tl_table_state_replace(false);
	MemoryContextDelete(context);
	CommandCounterIncrement();
}

static void
delete_rows(Oid relation_oid)
{
	Relation	relation = table_open(relation_oid, RowExclusiveLock);
	Snapshot	snapshot = RegisterSnapshot(GetLatestSnapshot());
	TupleTableSlot *slot = table_slot_create(relation, NULL);
	TableScanDesc scan = table_beginscan_strat(relation, snapshot, 0, NULL, true, false);

	while (table_scan_getnextslot(scan, ForwardScanDirection, slot))
	{
		CHECK_FOR_INTERRUPTS();
		simple_table_tuple_delete(relation, &slot->tts_tid, snapshot);
	}
	table_endscan(scan);
	ExecDropSingleTupleTableSlot(slot);
	UnregisterSnapshot(snapshot);
	table_close(relation, NoLock);
}

/* Rows of one table mostly stand together. */
static void
insert_piece(HTAB *tables, Target *target, TlSpan piece)
{
	TlSpan		row;
	TlRowHeader header;

	while (piece.size > 0)
	{
		const TakenTable *table = next_row(&piece, &row, &header) ?
			hash_search(tables, header.table_id, HASH_FIND, NULL) : NULL;

		CHECK_FOR_INTERRUPTS();
		if (table == NULL || !table->is_state)
			elog(ERROR, "a piece of a state has changed since it was read"); /* nothing else goes in */
		if (target->relation == NULL || RelationGetRelid(target->relation) != table->relation)
		{
			close_target(target);
			open_target(target, table->relation);
		}
		insert_row(target, row);
	}
}

static void
open_target(Target *target, Oid relation)
{
	MemoryContext caller;

	target->relation = table_open(relation, RowExclusiveLock);
	target->estate = CreateExecutorState();
	caller = MemoryContextSwitchTo(target->estate->es_query_cxt);
	target->reader = tl_table_image_open(target->relation);
	target->values = AllocSetContextCreate(CurrentMemoryContext, "telco_ledger row of a state",
										   ALLOCSET_DEFAULT_SIZES);
	target->result = makeNode(ResultRelInfo);
	InitResultRelInfo(target->result, target->relation, 0, NULL, 0);
	ExecOpenIndices(target->result, false);
	target->slot = table_slot_create(target->relation, NULL);
	MemoryContextSwitchTo(caller);
}

static void
close_target(Target *target)
{
	if (target->relation == NULL)
		return;
	ExecDropSingleTupleTableSlot(target->slot);
	ExecCloseIndices(target->result);
	FreeExecutorState(target->estate);
	table_close(target->relation, NoLock);
	target->relation = NULL;
}

/* No index of a state table computes anything (table_index.c). */
static void
insert_row(Target *target, TlSpan row)
{
	MemoryContext caller = MemoryContextSwitchTo(target->values);
	TupleTableSlot *slot = target->slot;

	ExecClearTuple(slot);
	memset(slot->tts_values, 0, slot->tts_tupleDescriptor->natts * sizeof(Datum));
	memset(slot->tts_isnull, true, slot->tts_tupleDescriptor->natts * sizeof(bool));
	tl_table_image_read(target->reader, slot->tts_values, slot->tts_isnull, row);
	check_not_null(slot);
	ExecStoreVirtualTuple(slot);
	table_tuple_insert(target->relation, slot, GetCurrentCommandId(true), 0, NULL);
	if (target->result->ri_NumIndices > 0)
		list_free(tl_insert_index_tuples(target->result, slot, target->estate));
	ResetPerTupleExprContext(target->estate);
	ExecClearTuple(slot);
	MemoryContextSwitchTo(caller);
	MemoryContextReset(target->values);
}

/* An index does not count keys with NULL as equal. */
static void
check_not_null(const TupleTableSlot *slot)
{
	const TupleDesc descriptor = slot->tts_tupleDescriptor;

	for (int i = 0; i < descriptor->natts; i++)
		if (TupleDescAttr(descriptor, i)->attnotnull && slot->tts_isnull[i])
			ereport(ERROR,
					errcode(ERRCODE_NOT_NULL_VIOLATION),
					errmsg("a row has no value of column \"%s\"", NameStr(TupleDescAttr(descriptor, i)->attname)));
}

/* That is the state now, and what came before is not known. */
static void
note(HTAB *tables, int64_t height, const TlHash *root, int64_t unknown_after)
{
	Datum		values[] = {Int64GetDatum(unknown_after), Int64GetDatum(height), (Datum) 0};
	HASH_SEQ_STATUS scan;
	TakenTable *table;

	tl_chain_execute(&delete_sets, NULL, NULL, false);
	hash_seq_init(&scan, tables);
	while ((table = hash_seq_search(&scan)) != NULL)
		if (table->is_new)
			tl_chain_state_store(table->table_id, height, &table->set);
	tl_chain_execute(&mend_sets, NULL, NULL, false);
	tl_chain_execute(&delete_shown, NULL, NULL, false);
	for (size_t i = 0; i < lengthof(forget); i++)
		tl_chain_execute(&forget[i], values, NULL, false);
	values[0] = Int64GetDatum(height);
	values[1] = tl_chain_bytes(root->bytes, TL_HASH_SIZE);
	values[2] = Int64GetDatum(unknown_after);
	tl_chain_execute(&insert_root, values, NULL, false);
	tl_node_image_begin_anew(height);
	tl_chain_execute(&finish_take, NULL, NULL, false);
	if (!tl_chain_state_go_on("taking"))
		elog(ERROR, "no state was being taken");
}
