/*-------------------------------------------------------------------------
 *
 * chain_lookup.c
 *	  Where a ref is on the chain: its batch, its block, its time.
 *
 * Not stored per row, but computed: the first snapshot that sees the ref's
 * transaction names the difference, and in it the first batch whose last ref
 * is not smaller.  Rows of a table that could not be locked in time are the
 * exception: ledger_internal.late_rows has them, and of differences that a
 * table lags behind, the batch's manifest is asked whether it really holds the
 * ref.
 *
 * The answer for a ref never changes once there is one, so a backend keeps the
 * differences that it has met.  The tables are read directly, without SPI and
 * without the caller's privileges: which block a row is in is no secret.
 *
 * A row that was rejected lies in such a range too and is in no batch.  Whether
 * a difference may have any is found out when it is read; as long as there are
 * none in the whole ledger, nobody pays for them.
 *
 * A ref that no table has (its row was rolled back, say) may get an answer;
 * who must know asks ledger.finality.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/genam.h"
#include "access/htup_details.h"
#include "access/stratnum.h"
#include "access/table.h"
#include "catalog/namespace.h"
#include "catalog/pg_type.h"
#include "nodes/value.h"
#include "parser/parse_func.h"
#include "storage/bufmgr.h"
#include "utils/builtins.h"
#include "utils/fmgroids.h"
#include "utils/inval.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/rel.h"
#include "utils/syscache.h"

#include "chain_lookup.h"
#include "chain_manifest.h"
#include "chain_snapshot.h"
#include "chain_store.h"
#include "tl_compat.h"
#include "tl_error.h"

/* Differences kept by a backend, and batches kept of each. */
#define CACHED_DIFFERENCES	64
#define CACHED_BATCHES_MAX	4096

/* One batch of a difference. */
typedef struct CachedBatch
{
	TlRefBytes	last_ref;
	TlPlace		place;
} CachedBatch;

/* All that was batched between two snapshots. */
typedef struct Difference
{
	bool		valid;
	bool		late;			/* a row of it may be among the late ones */
	bool		rejects;		/* a row of it may have been rejected */
	uint64_t	used;			/* for replacement */
	TlSnapshot	before;			/* snapshot number - 1 */
	TlSnapshot	after;			/* snapshot number */
	int			batch_count;
	CachedBatch *batches;		/* by last_ref */
	MemoryContext context;
} Difference;

/* The refs of one batch, ascending: the one that was asked last. */
static struct
{
	int64_t		batch;			/* 0: none */
	int			count;
	int			capacity;
	TlRefBytes *refs;			/* in CacheMemoryContext */
}			manifest;

static Difference differences[CACHED_DIFFERENCES];
static Difference *last_difference = NULL;
static uint64_t use_counter = 0;
static Oid	internal_schema = InvalidOid;

static void register_invalidation(void);
static void forget_schema(Datum arg, int cache, uint32 hash);
static Oid	internal_relation(const char *name);
static bool cached(const TlRefBytes *ref, uint64_t xid, TlPlace *out);
static bool place_cached(const TlRefBytes *ref, TlPlace *out);
static bool difference_has(const Difference *difference, uint64_t xid);
static bool place_in(const Difference *difference, const TlRefBytes *ref,
					 TlPlace *out);
static int64_t first_seeing(uint64_t xid);
static int64_t last_snapshot(Relation relation);
static bool snapshot_sees(Relation relation, int64_t number, uint64_t xid);
static bool load_snapshot(Relation relation, TlSnapshot *out, int64_t number);
static bool find_late(const TlRefBytes *ref, TlPlace *out);
static bool has_rows(const char *name);
static Oid	ref_function(const char *name);
static bool lags(int64_t number);
static bool load_difference(int64_t number, const TlRefBytes *ref,
							TlPlace *out);
static Difference *unused_slot(void);
static void read_bounds(int64_t number, Difference *difference);
static bool read_batches(Relation relation, int64_t number,
						 Difference *difference);
static bool find_batch(Relation relation, int64_t number,
					   const TlRefBytes *ref, TlPlace *out);
static bool place_of_batch(int64_t batch, TlPlace *out);
static void place_from_batch(TlPlace *out, HeapTuple row, TupleDesc description);
static TimestampTz block_time(int64_t height);
static bool manifest_has(int64_t batch, const TlRefBytes *ref);
static void read_manifests(int64_t batch, uint32_t member);
static void read_manifest(bytea *bytes, uint32_t member);
static int	compare_refs(const void *left, const void *right);
static HeapTuple fetch_one(Relation relation, const char *index_name,
						   ScanKey keys, int key_count,
						   ScanDirection direction);
static AttrNumber attribute(Relation relation, const char *column);
static Datum value_of(HeapTuple row, TupleDesc description, const char *column);

/* Where the ref is; false if it is in no batch yet. */
bool
tl_chain_lookup(const TlRefBytes *ref, TlPlace *out)
{
	TlRef		unpacked;
	uint64_t	xid;
	int64_t		number;

	register_invalidation();
	tl_table_ref_unpack(&unpacked, ref);
	xid = tl_table_ref_word(unpacked.incarnation, unpacked.transaction);
	if (cached(ref, xid, out) || find_late(ref, out))
		return true;
	number = first_seeing(xid);
	if (number <= 0)
		return false;
	if (!load_difference(number, ref, out) || tl_chain_is_rejected(ref))
		return false;

	/*
	 * Each read sees what is committed by then.  A table that was left out of
	 * the batch found above still lags now, or its rows are among the late
	 * ones by now: in this order nothing slips through.
	 */
	if (lags(number))
		return find_late(ref, out) || manifest_has(out->batch, ref);
	(void) find_late(ref, out);
	return true;
}

static void
register_invalidation(void)
{
	static bool registered = false;

	if (registered)
		return;
	CacheRegisterSyscacheCallback(NAMESPACEOID, forget_schema, (Datum) 0);
	registered = true;
}

/* The extension may have been dropped and created again: forget it all. */
static void
forget_schema(Datum arg, int cache, uint32 hash)
{
	internal_schema = InvalidOid;
	last_difference = NULL;
	manifest.batch = 0;
	for (int i = 0; i < CACHED_DIFFERENCES; i++)
		differences[i].valid = false;
}

static Oid
internal_relation(const char *name)
{
	if (!OidIsValid(internal_schema))
		internal_schema = get_namespace_oid("ledger_internal", false);
	return get_relname_relid(name, internal_schema);
}

/* Ask what this backend has met before, the last difference first. */
static bool
cached(const TlRefBytes *ref, uint64_t xid, TlPlace *out)
{
	if (last_difference != NULL && difference_has(last_difference, xid))
		return place_cached(ref, out);
	for (int i = 0; i < CACHED_DIFFERENCES; i++)
	{
		if (!differences[i].valid || !difference_has(&differences[i], xid))
			continue;
		last_difference = &differences[i];
		last_difference->used = ++use_counter;
		return place_cached(ref, out);
	}
	return false;
}

/* In the last difference, unless its table was late or it was rejected. */
static bool
place_cached(const TlRefBytes *ref, TlPlace *out)
{
	if (last_difference->late && find_late(ref, out))
		return true;
	return place_in(last_difference, ref, out) &&
		!(last_difference->rejects && tl_chain_is_rejected(ref));
}

static bool
difference_has(const Difference *difference, uint64_t xid)
{
	return difference->valid &&
		tl_chain_snapshot_sees(&difference->after, xid) &&
		!tl_chain_snapshot_sees(&difference->before, xid);
}

/* The first batch that reaches the ref. */
static bool
place_in(const Difference *difference, const TlRefBytes *ref, TlPlace *out)
{
	int			low = 0;
	int			high = difference->batch_count;

	while (low < high)
	{
		int			middle = (low + high) / 2;

		if (tl_table_ref_compare(&difference->batches[middle].last_ref, ref) < 0)
			low = middle + 1;
		else
			high = middle;
	}
	if (low == difference->batch_count)
		return false;
	*out = difference->batches[low].place;
	return true;
}

/*
 * Number of the first snapshot that sees the transaction, 0 or less if none.
 * Seeing is monotone, so beyond the first xmax that is large enough a binary
 * search finds it also for a transaction that was open for long.
 */
static int64_t
first_seeing(uint64_t xid)
{
	Relation	relation = table_open(internal_relation("snapshot"), AccessShareLock);
	ScanKeyData key;
	HeapTuple	row;
	int64_t		low = 0;
	int64_t		high = -1;

	ScanKeyInit(&key, 2, BTGreaterStrategyNumber, F_INT8GT, Int64GetDatum((int64) xid));
	row = fetch_one(relation, "snapshot_by_next_xid", &key, 1, ForwardScanDirection);
	if (row != NULL)
	{
		low = DatumGetInt64(value_of(row, RelationGetDescr(relation), "snapshot"));
		high = last_snapshot(relation);
	}
	while (low <= high)
	{
		/* most transactions are seen by the first candidate */
		int64_t		middle = high - low < 4 ? low : low + (high - low) / 2;

		if (snapshot_sees(relation, middle, xid))
			high = middle - 1;
		else
			low = middle + 1;
	}
	if (row != NULL && low > last_snapshot(relation))
		low = -1;
	table_close(relation, AccessShareLock);
	return row == NULL ? -1 : low;
}

static int64_t
last_snapshot(Relation relation)
{
	HeapTuple	row = fetch_one(relation, "snapshot_pkey", NULL, 0,
								BackwardScanDirection);

	return row == NULL ? -1 :
		DatumGetInt64(value_of(row, RelationGetDescr(relation), "snapshot"));
}

static bool
snapshot_sees(Relation relation, int64_t number, uint64_t xid)
{
	TlSnapshot	snapshot;
	bool		result;

	if (!load_snapshot(relation, &snapshot, number))
		return false;
	result = tl_chain_snapshot_sees(&snapshot, xid);
	pfree(snapshot.in_progress);
	return result;
}

static bool
load_snapshot(Relation relation, TlSnapshot *out, int64_t number)
{
	ScanKeyData key;
	HeapTuple	row;

	ScanKeyInit(&key, 1, BTEqualStrategyNumber, F_INT8EQ, Int64GetDatum(number));
	row = fetch_one(relation, "snapshot_pkey", &key, 1, ForwardScanDirection);
	if (row == NULL)
		return false;
	tl_chain_snapshot_parse(out,
							TextDatumGetCString(value_of(row, RelationGetDescr(relation),
														 "value")));
	return true;
}

/* Rows of a table that was locked when its snapshot was batched. */
static bool
find_late(const TlRefBytes *ref, TlPlace *out)
{
	Relation	relation;
	ScanKeyData key;
	HeapTuple	row;
	bool		found = false;

	if (!has_rows("late_rows"))
		return false;
	relation = table_open(internal_relation("late_rows"), AccessShareLock);
	ScanKeyInit(&key, 1, BTLessEqualStrategyNumber, ref_function("ref_le"),
				TlRefBytesGetDatum(ref));
	row = fetch_one(relation, "late_rows_pkey", &key, 1, BackwardScanDirection);
	if (row != NULL &&
		tl_table_ref_compare(ref, DatumGetTlRefBytes(value_of(row,
															  RelationGetDescr(relation),
															  "last_ref"))) <= 0)
		found = place_of_batch(DatumGetInt64(value_of(row, RelationGetDescr(relation),
													  "batch")), out);
	table_close(relation, AccessShareLock);
	return found;
}

/* May this table of exceptions have any?  Asked by its size alone. */
static bool
has_rows(const char *name)
{
	Relation	relation = table_open(internal_relation(name), AccessShareLock);
	bool		result = RelationGetNumberOfBlocks(relation) > 0;

	table_close(relation, AccessShareLock);
	return result;
}

/* Was the row passed over when its snapshot was batched? */
bool
tl_chain_is_rejected(const TlRefBytes *ref)
{
	Relation	relation;
	ScanKeyData key;
	bool		found;

	if (!tl_chain_any_rejected())
		return false;
	relation = table_open(internal_relation("rejected"), AccessShareLock);
	ScanKeyInit(&key, 1, BTEqualStrategyNumber, ref_function("ref_eq"),
				TlRefBytesGetDatum(ref));
	found = fetch_one(relation, "rejected_pkey", &key, 1, ForwardScanDirection) != NULL;
	table_close(relation, AccessShareLock);
	return found;
}

/* Was any row of this ledger? */
bool
tl_chain_any_rejected(void)
{
	register_invalidation();
	return has_rows("rejected");
}

static Oid
ref_function(const char *name)
{
	Oid			types[2];
	Oid			schema = get_namespace_oid("ledger", false);
	List	   *full_name = list_make2(makeString(get_namespace_name(schema)),
									   makeString(pstrdup(name)));

	types[0] = types[1] = tl_table_ref_type();
	return LookupFuncName(full_name, 2, types, false);
}

/*
 * Does a table wait for a lock whose rows of this difference are in no batch
 * yet?  Then they are not where others are.
 */
static bool
lags(int64_t number)
{
	Relation	relation = table_open(internal_relation("lagging"), AccessShareLock);
	SysScanDesc scan = systable_beginscan(relation, InvalidOid, false, NULL, 0, NULL);
	HeapTuple	row;
	bool		found = false;

	while (!found && HeapTupleIsValid(row = systable_getnext(scan)))
		found = DatumGetInt64(value_of(row, RelationGetDescr(relation), "base")) < number;
	systable_endscan(scan);
	table_close(relation, AccessShareLock);
	return found;
}

/*
 * Read the batches of one difference, keep them, and answer.  What is kept is
 * asked again without looking at lagging tables, so nothing is while one lags
 * behind it; nor is a difference that is still under way or has very many batches.
 */
static bool
load_difference(int64_t number, const TlRefBytes *ref, TlPlace *out)
{
	Difference *slot;
	Difference	difference;
	Relation	relation;

	memset(&difference, 0, sizeof(difference));
	difference.context = AllocSetContextCreate(CurrentMemoryContext,
											   "telco_ledger difference",
											   ALLOCSET_SMALL_SIZES);
	relation = table_open(internal_relation("batch"), AccessShareLock);
	if (lags(number) || !read_batches(relation, number, &difference) ||
		lags(number))
	{
		bool		found = find_batch(relation, number, ref, out);

		table_close(relation, AccessShareLock);
		MemoryContextDelete(difference.context);
		return found;
	}
	table_close(relation, AccessShareLock);
	read_bounds(number, &difference);
	/* those of a difference that nothing lags behind are stored by now */
	difference.late = has_rows("late_rows");
	difference.rejects = has_rows("rejected");
	difference.valid = true;
	difference.used = ++use_counter;
	MemoryContextSetParent(difference.context, CacheMemoryContext);
	slot = unused_slot();
	if (slot->context != NULL)
		MemoryContextDelete(slot->context);
	*slot = difference;
	last_difference = slot;
	return place_in(slot, ref, out);
}

/* The entry that was not used for longest. */
static Difference *
unused_slot(void)
{
	Difference *oldest = &differences[0];

	for (int i = 1; i < CACHED_DIFFERENCES && oldest->valid; i++)
		if (!differences[i].valid || differences[i].used < oldest->used)
			oldest = &differences[i];
	return oldest;
}

static void
read_bounds(int64_t number, Difference *difference)
{
	MemoryContext old = MemoryContextSwitchTo(difference->context);
	Relation	relation = table_open(internal_relation("snapshot"), AccessShareLock);

	if (!load_snapshot(relation, &difference->before, number - 1) ||
		!load_snapshot(relation, &difference->after, number))
		ereport(ERROR,
				errcode(TL_ERRCODE(TL_CHAIN_DAMAGED)),
				errmsg("snapshot %lld or the one before is missing",
					   (long long) number));
	table_close(relation, AccessShareLock);
	MemoryContextSwitchTo(old);
}

/* All batches of a complete difference; false if it cannot be kept. */
static bool
read_batches(Relation relation, int64_t number, Difference *difference)
{
	Relation	index = index_open(internal_relation("batch_by_snapshot"), AccessShareLock);
	TupleDesc	description = RelationGetDescr(relation);
	ScanKeyData key;
	SysScanDesc scan;
	HeapTuple	row;
	bool		complete = false;

	difference->batches = MemoryContextAlloc(difference->context,
											 sizeof(CachedBatch) * 8);
	ScanKeyInit(&key, attribute(relation, "snapshot"), BTEqualStrategyNumber,
				F_INT8EQ, Int64GetDatum(number));
	scan = systable_beginscan_ordered(relation, index, NULL, 1, &key);
	while ((row = systable_getnext_ordered(scan, ForwardScanDirection)) != NULL)
	{
		CachedBatch *batch;

		if (DatumGetBool(value_of(row, description, "late")))
			continue;
		if (difference->batch_count == CACHED_BATCHES_MAX)
		{
			complete = false;
			break;
		}
		if (difference->batch_count >= 8 &&
			(difference->batch_count & (difference->batch_count - 1)) == 0)
			difference->batches = repalloc(difference->batches, sizeof(CachedBatch) *
										   difference->batch_count * 2);
		batch = &difference->batches[difference->batch_count++];
		batch->last_ref = *DatumGetTlRefBytes(value_of(row, description, "last_ref"));
		place_from_batch(&batch->place, row, description);
		complete = complete || DatumGetBool(value_of(row, description, "completes"));
	}
	systable_endscan_ordered(scan);
	index_close(index, AccessShareLock);
	return complete;
}

/* The first batch of the difference that reaches the ref. */
static bool
find_batch(Relation relation, int64_t number, const TlRefBytes *ref, TlPlace *out)
{
	Relation	index = index_open(internal_relation("batch_by_snapshot"), AccessShareLock);
	TupleDesc	description = RelationGetDescr(relation);
	ScanKeyData keys[2];
	SysScanDesc scan;
	HeapTuple	row;

	ScanKeyInit(&keys[0], attribute(relation, "snapshot"), BTEqualStrategyNumber,
				F_INT8EQ, Int64GetDatum(number));
	ScanKeyInit(&keys[1], attribute(relation, "last_ref"),
				BTGreaterEqualStrategyNumber, ref_function("ref_ge"),
				TlRefBytesGetDatum(ref));
	scan = systable_beginscan_ordered(relation, index, NULL, 2, keys);
	while ((row = systable_getnext_ordered(scan, ForwardScanDirection)) != NULL)
		if (!DatumGetBool(value_of(row, description, "late")))
			break;
	if (row != NULL)
		place_from_batch(out, row, description);
	systable_endscan_ordered(scan);
	index_close(index, AccessShareLock);
	return row != NULL;
}

static bool
place_of_batch(int64_t batch, TlPlace *out)
{
	Relation	relation = table_open(internal_relation("batch"), AccessShareLock);
	ScanKeyData key;
	HeapTuple	row;

	ScanKeyInit(&key, 1, BTEqualStrategyNumber, F_INT8EQ, Int64GetDatum(batch));
	row = fetch_one(relation, "batch_pkey", &key, 1, ForwardScanDirection);
	if (row != NULL)
		place_from_batch(out, row, RelationGetDescr(relation));
	table_close(relation, AccessShareLock);
	return row != NULL;
}

static void
place_from_batch(TlPlace *out, HeapTuple row, TupleDesc description)
{
	out->batch = DatumGetInt64(value_of(row, description, "batch"));
	out->height = DatumGetInt64(value_of(row, description, "height"));
	out->time = block_time(out->height);
}

/* The time in the block's header. */
static TimestampTz
block_time(int64_t height)
{
	Relation	relation = table_open(internal_relation("block"), AccessShareLock);
	TimestampTz time;
	ScanKeyData key;
	HeapTuple	row;

	ScanKeyInit(&key, 1, BTEqualStrategyNumber, F_INT8EQ, Int64GetDatum(height));
	row = fetch_one(relation, "block_pkey", &key, 1, ForwardScanDirection);
	if (row == NULL)
		ereport(ERROR,
				errcode(TL_ERRCODE(TL_CHAIN_DAMAGED)),
				errmsg("block %lld is missing", (long long) height));
	time = DatumGetTimestampTz(value_of(row, RelationGetDescr(relation), "time"));
	table_close(relation, AccessShareLock);
	return time;
}

/* The hash that is stored for a block; false if there is no such block. */
bool
tl_chain_lookup_block_hash(TlHash *out, int64_t height)
{
	Relation	relation = table_open(internal_relation("block"), AccessShareLock);
	ScanKeyData key;
	HeapTuple	row;
	bytea	   *hash;

	register_invalidation();
	ScanKeyInit(&key, 1, BTEqualStrategyNumber, F_INT8EQ, Int64GetDatum(height));
	row = fetch_one(relation, "block_pkey", &key, 1, ForwardScanDirection);
	memset(out, 0, sizeof(*out));
	if (row != NULL)
	{
		hash = DatumGetByteaPP(value_of(row, RelationGetDescr(relation), "hash"));
		memcpy(out->bytes, VARDATA_ANY(hash),
			   Min(VARSIZE_ANY_EXHDR(hash), TL_HASH_SIZE));
	}
	table_close(relation, AccessShareLock);
	return row != NULL;
}

/* Is the ref in one of the batch's sections? */
static bool
manifest_has(int64_t batch, const TlRefBytes *ref)
{
	TlRef		unpacked;

	tl_table_ref_unpack(&unpacked, ref);
	if (manifest.batch != batch)
		read_manifests(batch, unpacked.member);
	return bsearch(ref, manifest.refs, manifest.count, sizeof(TlRefBytes),
				   compare_refs) != NULL;
}

static void
read_manifests(int64_t batch, uint32_t member)
{
	Relation	relation = table_open(internal_relation("section"), AccessShareLock);
	Relation	index = index_open(internal_relation("section_pkey"), AccessShareLock);
	ScanKeyData key;
	SysScanDesc scan;
	HeapTuple	row;

	manifest.batch = 0;
	manifest.count = 0;
	ScanKeyInit(&key, 1, BTEqualStrategyNumber, F_INT8EQ, Int64GetDatum(batch));
	scan = systable_beginscan_ordered(relation, index, NULL, 1, &key);
	while ((row = systable_getnext_ordered(scan, ForwardScanDirection)) != NULL)
		read_manifest(DatumGetByteaPP(value_of(row, RelationGetDescr(relation),
											   "manifest")), member);
	systable_endscan_ordered(scan);
	index_close(index, AccessShareLock);
	table_close(relation, AccessShareLock);
	if (manifest.count > 1)
		qsort(manifest.refs, manifest.count, sizeof(TlRefBytes), compare_refs);
	manifest.batch = batch;
}

static void
read_manifest(bytea *bytes, uint32_t member)
{
	TlManifestReader reader;
	uint8_t		fingerprint[TL_FINGERPRINT_SIZE];
	TlRef		ref;
	bool		found;

	tl_chain_manifest_open(&reader, VARDATA_ANY(bytes), VARSIZE_ANY_EXHDR(bytes),
						   member);
	while (tl_chain_manifest_next(&reader, &found, &ref, fingerprint) == TL_OK && found)
	{
		if (manifest.count == manifest.capacity)
		{
			int			capacity = Max(1024, manifest.capacity * 2);

			manifest.refs = manifest.refs == NULL ?
				MemoryContextAlloc(CacheMemoryContext, sizeof(TlRefBytes) * capacity) :
				repalloc(manifest.refs, sizeof(TlRefBytes) * capacity);
			manifest.capacity = capacity;
		}
		tl_table_ref_pack(&manifest.refs[manifest.count++], &ref);
	}
}

static int
compare_refs(const void *left, const void *right)
{
	return tl_table_ref_compare(left, right);
}

/* The first row of an ordered scan, copied, or NULL. */
static HeapTuple
fetch_one(Relation relation, const char *index_name, ScanKey keys,
		  int key_count, ScanDirection direction)
{
	Relation	index = index_open(internal_relation(index_name), AccessShareLock);
	SysScanDesc scan = systable_beginscan_ordered(relation, index, NULL,
												  key_count, keys);
	HeapTuple	row = systable_getnext_ordered(scan, direction);

	if (row != NULL)
		row = heap_copytuple(row);
	systable_endscan_ordered(scan);
	index_close(index, AccessShareLock);
	return row;
}

static AttrNumber
attribute(Relation relation, const char *column)
{
	AttrNumber	number = get_attnum(RelationGetRelid(relation), column);

	if (number == InvalidAttrNumber)
		elog(ERROR, "column %s of \"%s\" is missing", column,
			 RelationGetRelationName(relation));
	return number;
}

static Datum
value_of(HeapTuple row, TupleDesc description, const char *column)
{
	for (int i = 0; i < description->natts; i++)
	{
		bool		is_null;
		Datum		value;

		if (strcmp(NameStr(TupleDescAttr(description, i)->attname), column) != 0)
			continue;
		value = heap_getattr(row, i + 1, description, &is_null);
		if (!is_null)
			return value;
		break;
	}
	ereport(ERROR,
			errcode(TL_ERRCODE(TL_CHAIN_DAMAGED)),
			errmsg("a row of the stored chain has no value in column %s", column));
}
