/*-------------------------------------------------------------------------
 *
 * chain_store.c
 *	  The stored chain: its tip, and appending to it.
 *
 * Tables: sql/40_chain.sql.  Only the worker and create_node append, one at a
 * time, each block with its batch in one transaction; so the tip is a value
 * in the worker's memory and is read from the tables only when it starts.
 *
 * Of block h the column subtree_roots keeps the roots of the perfect subtrees
 * of the history tree that end with it: level 0 is its own hash, and it has
 * one level more for each factor two in h + 1.  Together they are all nodes of
 * the tree, so that a path reads one row per level.
 *
 * The caller has connected SPI.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "common/int.h"
#include "utils/builtins.h"
#include "utils/timestamp.h"
#include "utils/uuid.h"

#include "chain_batch.h"
#include "chain_history.h"
#include "chain_manifest.h"
#include "chain_statement.h"
#include "chain_store.h"
#include "tl_compat.h"
#include "tl_error.h"

#define UNIX_TO_POSTGRES_US \
	((int64) (POSTGRES_EPOCH_JDATE - UNIX_EPOCH_JDATE) * USECS_PER_DAY)

static TlStatement select_tip_block = {
	"SELECT height, header, hash FROM ledger_internal.block ORDER BY height DESC LIMIT 1"
};
static TlStatement select_tip_batch = {
	"SELECT batch, digest, header FROM ledger_internal.batch ORDER BY batch DESC LIMIT 1"
};
static TlStatement select_subtree_roots = {
	"SELECT subtree_roots FROM ledger_internal.block WHERE height = $1",
	1, {INT8OID}
};
static TlStatement insert_block = {
	"INSERT INTO ledger_internal.block (height, header, hash, view, time, subtree_roots)"
	" VALUES ($1, $2, $3, $4, $5, $6)",
	6, {INT8OID, BYTEAOID, BYTEAOID, INT8OID, TIMESTAMPTZOID, BYTEAOID}
};
static TlStatement insert_batch = {
	"INSERT INTO ledger_internal.batch (batch, member, incarnation, height, snapshot,"
	" first_ref, last_ref, row_count, completes, late, header, digest)"
	" VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)",
	12, {INT8OID, INT8OID, INT4OID, INT8OID, INT8OID, TL_STATEMENT_REF,
		TL_STATEMENT_REF, INT4OID, BOOLOID, BOOLOID, BYTEAOID, BYTEAOID}
};
static TlStatement insert_section = {
	"INSERT INTO ledger_internal.section (batch, section, table_id, table_version,"
	" kind, row_count, first_ref, last_ref, commitment, row_key, root, nodes, manifest)"
	" VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13)",
	13, {INT8OID, INT4OID, UUIDOID, INT4OID, INT2OID, INT4OID,
		TL_STATEMENT_REF, TL_STATEMENT_REF, BYTEAOID, BYTEAOID, BYTEAOID,
	BYTEAOID, BYTEAOID}
};
static TlStatement insert_late_rows = {
	"INSERT INTO ledger_internal.late_rows (first_ref, last_ref, batch) VALUES ($1, $2, $3)",
	3, {TL_STATEMENT_REF, TL_STATEMENT_REF, INT8OID}
};
static TlStatement insert_snapshot = {
	"INSERT INTO ledger_internal.snapshot (snapshot, next_xid, value, taken_at) VALUES ($1, $2, $3, $4)",
	4, {INT8OID, INT8OID, TEXTOID, TIMESTAMPTZOID}
};
static TlStatement select_snapshot = {
	"SELECT value FROM ledger_internal.snapshot WHERE snapshot = $1",
	1, {INT8OID}
};
static TlStatement select_oldest_lagging = {
	"SELECT min(since) FROM ledger_internal.lagging"
};
static TlStatement select_last_snapshot = {
	"SELECT taken_at FROM ledger_internal.snapshot ORDER BY snapshot DESC LIMIT 1"
};
static TlStatement complete_batch = {
	"UPDATE ledger_internal.batch SET completes = true WHERE batch ="
	" (SELECT max(batch) FROM ledger_internal.batch WHERE snapshot = $1 AND NOT late)",
	1, {INT8OID}
};
static TlStatement select_lagging = {
	"SELECT relation, base, next, position FROM ledger_internal.lagging ORDER BY relation"
};
static TlStatement upsert_lagging = {
	"INSERT INTO ledger_internal.lagging (relation, base, next, position) VALUES ($1, $2, $3, $4)"
	" ON CONFLICT (relation) DO UPDATE SET base = excluded.base, next = excluded.next,"
	" position = excluded.position",
	4, {REGCLASSOID, INT8OID, INT8OID, TL_STATEMENT_REF}
};
static TlStatement delete_lagging = {
	"DELETE FROM ledger_internal.lagging WHERE relation = $1",
	1, {OIDOID}
};
static TlStatement select_progress = {
	"SELECT s.snapshot, s.value, b.last_ref, b.completes FROM ledger_internal.snapshot s"
	" LEFT JOIN LATERAL (SELECT last_ref, completes FROM ledger_internal.batch"
	" WHERE snapshot = s.snapshot AND NOT late ORDER BY batch DESC LIMIT 1) b ON true"
	" ORDER BY s.snapshot DESC LIMIT 2"
};

static void load_lane(TlTip *tip);
static void store_section(const TlBuiltSection *section, uint64_t batch, int index);
static void store_run(const TlRef *first, const TlRef *last, uint64_t batch);
static void copy_hash(TlHash *out, Datum value);

TimestampTz
tl_chain_time_from_unix(int64_t time)
{
	return time - UNIX_TO_POSTGRES_US;
}

/* The last 30 years of what a TimestampTz can say are all the same time. */
int64_t
tl_chain_time_to_unix(TimestampTz time)
{
	int64		result;

	return pg_add_s64_overflow(time, UNIX_TO_POSTGRES_US, &result) ? PG_INT64_MAX : result;
}

static void
copy_hash(TlHash *out, Datum value)
{
	bytea	   *bytes = DatumGetByteaPP(value);

	if (VARSIZE_ANY_EXHDR(bytes) != TL_HASH_SIZE)
		ereport(ERROR,
				errcode(TL_ERRCODE(TL_CHAIN_DAMAGED)),
				errmsg("a stored hash does not have 32 bytes"),
				errhint("Run SELECT * FROM ledger.verify(mode => 'full')."));
	memcpy(out->bytes, VARDATA_ANY(bytes), TL_HASH_SIZE);
}

/* Read the tip; false if there is no block. */
bool
tl_chain_store_load_tip(TlTip *tip)
{
	if (!tl_chain_store_load_head(tip))
		return false;
	tl_chain_store_load_history(&tip->history, tip->header.height + 1);
	return true;
}

/*
 * The tip without the history tree, which takes a statement for each of its subtrees:
 * no block is made of it.
 */
bool
tl_chain_store_load_head(TlTip *tip)
{
	bytea	   *header;

	memset(tip, 0, sizeof(*tip));
	if (tl_chain_execute(&select_tip_block, NULL, NULL, true) == 0)
		return false;
	header = DatumGetByteaPP(tl_chain_result(0, 1, NULL));
	tl_error_check(tl_chain_block_decode(&tip->header, VARDATA_ANY(header),
										 VARSIZE_ANY_EXHDR(header)),
				   "header of the last block");
	copy_hash(&tip->hash, tl_chain_result(0, 2, NULL));
	if (tl_chain_execute(&select_tip_batch, NULL, NULL, true) > 0)
		load_lane(tip);
	return true;
}

/* How far the last batch has brought the cut; its row is the result. */
static void
load_lane(TlTip *tip)
{
	bytea	   *bytes = DatumGetByteaPP(tl_chain_result(0, 2, NULL));
	TlBatchHeader header;
	bool		waits;

	tip->batch = (uint64_t) DatumGetInt64(tl_chain_result(0, 0, NULL));
	(void) tl_chain_result(0, 1, &waits);
	if (waits)
		return;					/* it has no place yet (chain_pending.c) */
	tl_error_check(tl_chain_batch_decode(&header, VARDATA_ANY(bytes),
										 VARSIZE_ANY_EXHDR(bytes)),
				   "header of the last batch");
	tip->lane.member = header.member;
	tip->lane.incarnation = header.incarnation;
	tip->lane.batch = header.batch;
	copy_hash(&tip->lane.digest, tl_chain_result(0, 1, NULL));
}

/* The compact range over the first blocks: one stored root per set bit. */
void
tl_chain_store_load_history(TlMerkleRange *range, uint64_t size)
{
	uint64_t	end = 0;

	tl_merkle_range_init(range);
	for (int level = TL_MERKLE_DEPTH_MAX - 1; level >= 0; level--)
	{
		Datum		height;
		bytea	   *roots;

		if (!(size >> level & 1))
			continue;
		end += UINT64_C(1) << level;
		height = Int64GetDatum((int64) end - 1);
		if (tl_chain_execute(&select_subtree_roots, &height, NULL, true) != 1)
			ereport(ERROR,
					errcode(TL_ERRCODE(TL_CHAIN_DAMAGED)),
					errmsg("block %lld is missing", (long long) end - 1),
					tl_error_hint_damaged());
		roots = DatumGetByteaPP(tl_chain_result(0, 0, NULL));
		if (VARSIZE_ANY_EXHDR(roots) < (level + 1) * TL_HASH_SIZE)
			ereport(ERROR,
					errcode(TL_ERRCODE(TL_CHAIN_DAMAGED)),
					errmsg("block %lld lacks nodes of the history tree",
						   (long long) end - 1),
					tl_error_hint_damaged());
		memcpy(range->nodes[level].bytes,
			   VARDATA_ANY(roots) + level * TL_HASH_SIZE, TL_HASH_SIZE);
	}
	range->size = size;
}

/* Without a digest: one that waits for a block (chain_pending.c). */
void
tl_chain_store_batch(const TlBuiltBatch *batch, uint64_t number,
					 uint32_t member, uint16_t incarnation, uint64_t height,
					 int64_t snapshot_number, bool completes, bool late,
					 const uint8_t *header, size_t header_size,
					 const TlHash *digest)
{
	Datum		values[] = {
		Int64GetDatum((int64) number),
		Int64GetDatum((int64) member),
		Int32GetDatum(incarnation),
		Int64GetDatum((int64) height),
		Int64GetDatum(snapshot_number),
		TlRefBytesGetDatum(&batch->first_ref),
		TlRefBytesGetDatum(&batch->last_ref),
		Int32GetDatum((int32) batch->row_count),
		BoolGetDatum(completes),
		BoolGetDatum(late),
		tl_chain_bytes(header, header_size),
		digest == NULL ? (Datum) 0 : tl_chain_bytes(digest->bytes, TL_HASH_SIZE)
	};

	tl_chain_execute(&insert_batch, values, digest == NULL ? "   n       n" : NULL,
					 false);
	for (int i = 0; i < batch->section_count; i++)
		store_section(batch->sections[i], number, i);
}

static void
store_section(const TlBuiltSection *section, uint64_t batch, int index)
{
	pg_uuid_t	table_id;
	Datum		values[] = {
		Int64GetDatum((int64) batch),
		Int32GetDatum(index),
		UUIDPGetDatum(&table_id),
		Int32GetDatum((int32) section->leaf.table_version),
		Int16GetDatum(section->leaf.kind),
		Int32GetDatum((int32) section->leaf.row_count),
		TlRefBytesGetDatum(&section->first_ref),
		TlRefBytesGetDatum(&section->last_ref),
		tl_chain_bytes(section->commitment, TL_SECTION_RANDOM_SIZE),
		tl_chain_bytes(section->row_key, TL_ROW_KEY_SIZE),
		tl_chain_bytes(section->leaf.root.bytes, TL_HASH_SIZE),
		tl_chain_bytes(section->nodes.data, section->nodes.len),
		tl_chain_bytes(section->manifest.data, section->manifest.len)
	};

	memcpy(table_id.data, section->leaf.table_id, UUID_LEN);
	tl_chain_execute(&insert_section, values,
					 section->leaf.kind == TL_SECTION_PRIVATE ? NULL : "        n    ",
					 false);
}

/* Say of each row of a late batch where it is, in runs of neighbours. */
void
tl_chain_store_late_rows(const TlBuiltBatch *batch, uint64_t number,
						 uint32_t member)
{
	for (int i = 0; i < batch->section_count; i++)
	{
		const TlBuiltSection *section = batch->sections[i];
		TlManifestReader reader;
		TlRef		first = {0};
		TlRef		last = {0};
		TlRef		ref;
		uint8_t		fingerprint[TL_FINGERPRINT_SIZE];
		bool		found;
		bool		open = false;

		tl_chain_manifest_open(&reader, section->manifest.data,
							   section->manifest.len, member);
		for (;;)
		{
			tl_error_check(tl_chain_manifest_next(&reader, &found, &ref, fingerprint),
						   "manifest of a section");
			if (!found)
				break;
			if (open && ref.incarnation == last.incarnation &&
				ref.transaction == last.transaction && ref.row == last.row + 1)
			{
				last = ref;
				continue;
			}
			if (open)
				store_run(&first, &last, number);
			first = last = ref;
			open = true;
		}
		if (open)
			store_run(&first, &last, number);
	}
}

static void
store_run(const TlRef *first, const TlRef *last, uint64_t batch)
{
	TlRefBytes	packed[2];
	Datum		values[3];

	tl_table_ref_pack(&packed[0], first);
	tl_table_ref_pack(&packed[1], last);
	values[0] = TlRefBytesGetDatum(&packed[0]);
	values[1] = TlRefBytesGetDatum(&packed[1]);
	values[2] = Int64GetDatum((int64) batch);
	tl_chain_execute(&insert_late_rows, values, NULL, false);
}

/* Append a block and move the tip to it. */
void
tl_chain_store_block(TlTip *tip, const TlBlockHeader *header)
{
	TlHash		nodes[TL_MERKLE_DEPTH_MAX];
	unsigned	node_count;
	uint8_t		bytes[TL_BLOCK_HEADER_SIZE];
	TlWriter	writer;
	Datum		values[6];

	tl_writer_init(&writer, bytes, sizeof(bytes));
	tl_error_check(tl_chain_block_encode(&writer, header), "block header");
	tl_chain_block_hash(&tip->hash, header);
	tl_error_check(tl_chain_history_append(&tip->history, nodes, &node_count,
										   &tip->hash), "history tree");
	values[0] = Int64GetDatum((int64) header->height);
	values[1] = tl_chain_bytes(bytes, sizeof(bytes));
	values[2] = tl_chain_bytes(tip->hash.bytes, TL_HASH_SIZE);
	values[3] = Int64GetDatum((int64) header->view);
	values[4] = TimestampTzGetDatum(tl_chain_time_from_unix(header->time));
	values[5] = tl_chain_bytes(nodes, node_count * TL_HASH_SIZE);
	tl_chain_execute(&insert_block, values, NULL, false);
	tip->header = *header;
}

void
tl_chain_store_snapshot(int64_t number, const TlSnapshot *snapshot,
						TimestampTz taken_at)
{
	Datum		values[] = {
		Int64GetDatum(number),
		Int64GetDatum((int64) snapshot->xmax),
		CStringGetTextDatum(tl_chain_snapshot_text(snapshot)),
		TimestampTzGetDatum(taken_at)
	};

	tl_chain_execute(&insert_snapshot, values, NULL, false);
}

/* How far this member's rows are batched; false before create_node. */
bool
tl_chain_store_load_progress(TlProgress *progress)
{
	uint64		count = tl_chain_execute(&select_progress, NULL, NULL, true);
	bool		no_batch;
	bool		complete;
	int			base = 0;

	memset(progress, 0, sizeof(*progress));
	if (count == 0)
		return false;
	(void) tl_chain_result(0, 2, &no_batch);
	complete = no_batch || DatumGetBool(tl_chain_result(0, 3, NULL));
	if (!complete)
	{
		if (count < 2)
			ereport(ERROR,
					errcode(TL_ERRCODE(TL_CHAIN_DAMAGED)),
					errmsg("the snapshot before an unfinished batch is missing"),
					tl_error_hint_damaged());
		progress->partial = true;
		progress->next_number = DatumGetInt64(tl_chain_result(0, 0, NULL));
		progress->position = *DatumGetTlRefBytes(tl_chain_result(0, 2, NULL));
		tl_chain_snapshot_parse(&progress->next,
								TextDatumGetCString(tl_chain_result(0, 1, NULL)));
		base = 1;
	}
	progress->base_number = DatumGetInt64(tl_chain_result(base, 0, NULL));
	tl_chain_snapshot_parse(&progress->base,
							TextDatumGetCString(tl_chain_result(base, 1, NULL)));
	return true;
}

/* One stored snapshot, in the current memory context. */
void
tl_chain_store_load_snapshot(TlSnapshot *out, int64_t number)
{
	Datum		value = Int64GetDatum(number);

	if (tl_chain_execute(&select_snapshot, &value, NULL, true) != 1)
		ereport(ERROR,
				errcode(TL_ERRCODE(TL_CHAIN_DAMAGED)),
				errmsg("snapshot %lld is missing", (long long) number),
				tl_error_hint_damaged());
	tl_chain_snapshot_parse(out, TextDatumGetCString(tl_chain_result(0, 0, NULL)));
}

/* Since when the first of the lagging tables waits, or now. */
TimestampTz
tl_chain_store_oldest_lagging(void)
{
	bool		is_null;
	Datum		since;

	tl_chain_execute(&select_oldest_lagging, NULL, NULL, true);
	since = tl_chain_result(0, 0, &is_null);
	return is_null ? GetCurrentTimestamp() : DatumGetTimestampTz(since);
}

/* When the last snapshot was taken: rows in no batch are not older. */
TimestampTz
tl_chain_store_last_snapshot_time(void)
{
	if (tl_chain_execute(&select_last_snapshot, NULL, NULL, true) != 1)
		ereport(ERROR,
				errcode(TL_ERRCODE(TL_CHAIN_DAMAGED)),
				errmsg("the stored chain has no snapshot"),
				tl_error_hint_damaged());
	return DatumGetTimestampTz(tl_chain_result(0, 0, NULL));
}

/* The difference up to this snapshot turned out to have no more rows. */
void
tl_chain_store_complete(int64_t snapshot_number)
{
	Datum		value = Int64GetDatum(snapshot_number);

	tl_chain_execute(&complete_batch, &value, NULL, false);
}

/*
 * Tables that wait for a lock; base and next snapshots are not loaded.  Not
 * read-only, which would miss what this transaction has just stored.
 */
TlLagging *
tl_chain_store_load_lagging(int *count)
{
	uint64		rows = tl_chain_execute(&select_lagging, NULL, NULL, false);
	TlLagging  *list = palloc0(sizeof(TlLagging) * (rows + 1));

	for (uint64 i = 0; i < rows; i++)
	{
		TlProgress *progress = &list[i].progress;
		bool		complete;

		list[i].relation = DatumGetObjectId(tl_chain_result(i, 0, NULL));
		progress->base_number = DatumGetInt64(tl_chain_result(i, 1, NULL));
		progress->next_number = DatumGetInt64(tl_chain_result(i, 2, &complete));
		progress->partial = !complete;
		if (progress->partial)
			progress->position = *DatumGetTlRefBytes(tl_chain_result(i, 3, NULL));
	}
	*count = (int) rows;
	return list;
}

void
tl_chain_store_lagging(const TlLagging *lagging)
{
	const TlProgress *progress = &lagging->progress;
	Datum		values[] = {
		ObjectIdGetDatum(lagging->relation),
		Int64GetDatum(progress->base_number),
		Int64GetDatum(progress->next_number),
		TlRefBytesGetDatum(&progress->position)
	};

	tl_chain_execute(&upsert_lagging, values,
					 progress->partial ? "    " : "  nn", false);
}

void
tl_chain_store_forget_lagging(Oid relation)
{
	Datum		value = ObjectIdGetDatum(relation);

	tl_chain_execute(&delete_lagging, &value, NULL, false);
}
