/*-------------------------------------------------------------------------
 *
 * chain_window.c
 *	  What a backend keeps of the chain to tell where refs are.
 *
 * A window is a run of snapshot differences with their batches, by number.  A
 * transaction is in the first difference whose later snapshot sees it; there a
 * ref can only be in the first batch whose last ref is not smaller; and it is
 * in that batch if one of the batch's runs of refs has it.  Runs come from the
 * manifests, so an answer is exact: refs of rows that were rolled back,
 * rejected, or left for a later batch are in none.
 *
 * Batches of final blocks never change, so what was read stays true; one that
 * other members have yet to order counts as not there.  Only differences
 * that are batched to their end are kept, so that "in no batch" stays true as
 * well, but for rows that come late: the caller asks for those each time.
 *
 * Tables are mostly read in order of ref.  A window that begins where another
 * ends is therefore twice as long, up to a limit: many small transactions cost
 * a few index scans together and not each.
 *
 * Memory, in CacheMemoryContext: WINDOWS * (DIFFERENCES_MAX snapshots and
 * BATCHES_MAX batches), and RUNS_MAX runs in all; when those are used up all
 * runs are forgotten and read again as needed.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/genam.h"
#include "access/stratnum.h"
#include "catalog/pg_type.h"
#include "port/pg_bswap.h"
#include "utils/builtins.h"
#include "utils/fmgroids.h"
#include "utils/inval.h"
#include "utils/memutils.h"
#include "utils/rel.h"
#include "utils/syscache.h"

#include "chain_manifest.h"
#include "chain_snapshot.h"
#include "chain_stored.h"
#include "chain_window.h"
#include "tl_compat.h"
#include "tl_error.h"

#define WINDOWS				16
#define DIFFERENCES_MAX		256
#define BATCHES_MAX			4096
#define RUNS_MAX			(1024 * 1024)
#define TRANSACTION_SIZE	(TL_REF_SIZE - sizeof(uint32_t))	/* a ref without its row */
#define RUNS_AHEAD			8192	/* rows whose manifests are read at once */

/* Neighbouring refs of one transaction, all in one batch. */
typedef struct Run
{
	uint64_t	word;			/* incarnation and transaction */
	uint32_t	first;
	uint32_t	last;
} Run;

typedef struct Batch
{
	TlRefBytes	first_ref;
	TlRefBytes	last_ref;
	TlPlace		place;
	uint32_t	member;
	int			row_count;
	int			run_count;		/* -1: not read */
	Run		   *runs;			/* ascending, in runs_context */
} Batch;

typedef struct Window
{
	uint64_t	used;			/* for replacement; 0: empty */
	int64_t		first;			/* number of the first difference */
	int			count;			/* differences */
	TlSnapshot *snapshots;		/* count + 1, from number first - 1 */
	int		   *begins;			/* count + 1: first batch of each difference */
	int			batch_count;
	Batch	   *batches;		/* by number, so in each difference by last_ref */
	MemoryContext context;
} Window;

/* Runs under construction. */
typedef struct RunList
{
	Run		   *runs;
	int			count;
	int			capacity;
} RunList;

static Window windows[WINDOWS];
static Window *last_window = NULL;
static Batch single;			/* a batch of a difference that is not kept */
static uint64_t use_counter = 0;
static uint64_t forget_counter = 0;
static MemoryContext runs_context = NULL;
static int64_t runs_kept = 0;
static Oid	batch_relation = InvalidOid;

/* The run that has answered last, with its transaction as in refs. */
static struct
{
	uint8_t		transaction[TRANSACTION_SIZE];
	uint32_t	first;
	uint32_t	last;			/* 0: none */
	TlPlace		place;
}			recent;

static void forget_on_relation(Datum arg, Oid relation);
static void forget_on_schema(Datum arg, int cache, uint32 hash);
static void forget_runs(void);
static bool window_has(const Window *window, uint64_t word);
static TlWindowAnswer find_in(Window *window, const TlRef *ref, TlPlace *out);
static int	first_reaching(const Window *window, int low, int high,
						   const TlRef *ref);
static bool held(const Batch *batch, const TlRef *ref, TlPlace *out);
static void read_window(Window *window, int64_t number);
static int	length_at(int64_t number);
static Window *unused_window(void);
static int	read_snapshots(Window *window, int length);
static void parse_snapshot(TlSnapshot *out, HeapTuple row, TupleDesc description);
static void read_batches(Window *window);
static bool add_batch(Window *window, HeapTuple row, TupleDesc description);
static void batch_from(Batch *out, HeapTuple row, TupleDesc description);
static void read_times(Batch *batches, int count);
static bool read_batch(Batch *out, int64_t batch);
static void read_runs(Batch *batches, int count);
static bool one_run(RunList *list, const TlRefBytes *first,
					const TlRefBytes *last, int count);
static void read_sections(Batch *batches, int count, RunList *list);
static void read_section(RunList *list, HeapTuple row, TupleDesc description,
						 uint32_t member);
static void add_run(RunList *list, const TlRef *ref);
static void keep_runs(Batch *batch, RunList *list, int sections);
static int	compare_runs(const void *left, const void *right);
static int	merge_runs(Run *runs, int count);

/* Once in each backend, and before anything else. */
void
tl_chain_window_prepare(void)
{
	static bool registered = false;

	if (registered)
		return;
	CacheRegisterSyscacheCallback(NAMESPACEOID, forget_on_schema, (Datum) 0);
	CacheRegisterRelcacheCallback(forget_on_relation, (Datum) 0);
	registered = true;
}

/* ledger.dispose() truncates the table of batches. */
static void
forget_on_relation(Datum arg, Oid relation)
{
	if (!OidIsValid(relation) || relation == batch_relation)
		tl_chain_window_forget();
}

/* The extension may have been dropped and created again. */
static void
forget_on_schema(Datum arg, int cache, uint32 hash)
{
	tl_chain_window_forget();
}

/* Everything is read again: it may be another chain, or the tables are what is verified. */
void
tl_chain_window_forget(void)
{
	for (int i = 0; i < WINDOWS; i++)
		windows[i].used = 0;
	last_window = NULL;
	forget_counter++;
	forget_runs();
}

/* Also those of windows that are forgotten: one may be asked right now. */
static void
forget_runs(void)
{
	recent.last = 0;
	memset(&single, 0, sizeof(single));
	for (int i = 0; i < WINDOWS; i++)
		for (int b = 0; b < windows[i].batch_count; b++)
			windows[i].batches[b].run_count = -1;
	if (runs_context != NULL)
		MemoryContextReset(runs_context);
	runs_kept = 0;
}

/* The same answer as last time?  Neighbouring rows mostly have it. */
bool
tl_chain_window_repeat(const TlRefBytes *ref, TlPlace *out)
{
	uint32		row;

	memcpy(&row, ref->bytes + TRANSACTION_SIZE, sizeof(row));
	row = pg_ntoh32(row);
	if (row > recent.last || row < recent.first ||
		memcmp(ref->bytes, recent.transaction, TRANSACTION_SIZE) != 0)
		return false;
	*out = recent.place;
	return true;
}

/*
 * Ask what this backend has met before.  Reading runs may let it forget all: a
 * window that is forgotten stays in memory, but does not answer any more.
 */
TlWindowAnswer
tl_chain_window_find(const TlRef *ref, TlPlace *out)
{
	uint64_t	word = tl_table_ref_word(ref->incarnation, ref->transaction);

	if (last_window != NULL && window_has(last_window, word))
		return find_in(last_window, ref, out);
	for (int i = 0; i < WINDOWS; i++)
	{
		if (windows[i].used == 0 || !window_has(&windows[i], word))
			continue;
		last_window = &windows[i];
		last_window->used = ++use_counter;
		return find_in(last_window, ref, out);
	}
	return TL_WINDOW_UNKNOWN;
}

static bool
window_has(const Window *window, uint64_t word)
{
	return tl_chain_snapshot_sees(&window->snapshots[window->count], word) &&
		!tl_chain_snapshot_sees(&window->snapshots[0], word);
}

static TlWindowAnswer
find_in(Window *window, const TlRef *ref, TlPlace *out)
{
	uint64_t	word = tl_table_ref_word(ref->incarnation, ref->transaction);
	int			low = 1;
	int			high = window->count;
	Batch	   *batch;

	while (low < high)			/* the first snapshot that sees it */
	{
		int			middle = (low + high) / 2;

		if (tl_chain_snapshot_sees(&window->snapshots[middle], word))
			high = middle;
		else
			low = middle + 1;
	}
	high = window->begins[low];
	low = first_reaching(window, window->begins[low - 1], high, ref);
	if (low == high)
		return TL_WINDOW_ABSENT;
	batch = &window->batches[low];
	while (batch->run_count < 0)	/* they may be forgotten while read */
		read_runs(batch, window->batch_count - low);
	if (window->used == 0)
		return TL_WINDOW_UNKNOWN;
	return held(batch, ref, out) ? TL_WINDOW_HELD : TL_WINDOW_ABSENT;
}

/* The first batch from low to high that reaches the ref, or high. */
static int
first_reaching(const Window *window, int low, int high, const TlRef *ref)
{
	TlRefBytes	packed;

	tl_table_ref_pack(&packed, ref);
	while (low < high)
	{
		int			middle = (low + high) / 2;

		if (tl_table_ref_compare(&window->batches[middle].last_ref, &packed) < 0)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

/* Has one of the batch's runs the ref?  It then answers for its neighbours. */
static bool
held(const Batch *batch, const TlRef *ref, TlPlace *out)
{
	uint64_t	word = tl_table_ref_word(ref->incarnation, ref->transaction);
	int			low = 0;
	int			high = batch->run_count;
	TlRefBytes	packed;

	while (low < high)
	{
		int			middle = (low + high) / 2;
		const Run  *run = &batch->runs[middle];

		if (run->word < word || (run->word == word && run->last < ref->row))
			low = middle + 1;
		else
			high = middle;
	}
	if (ref->member != batch->member || low == batch->run_count ||
		batch->runs[low].word != word || batch->runs[low].first > ref->row)
		return false;
	tl_table_ref_pack(&packed, ref);
	memcpy(recent.transaction, packed.bytes, TRANSACTION_SIZE);
	recent.first = batch->runs[low].first;
	recent.last = batch->runs[low].last;
	recent.place = batch->place;
	*out = batch->place;
	return true;
}

/*
 * Read the difference with this number and perhaps some after it.  False if it
 * is not batched to its end yet, or has too many batches, and so is not kept.
 */
bool
tl_chain_window_load(int64_t number)
{
	uint64_t	begun;
	Window		window;
	Window	   *slot;

	do
	{
		begun = forget_counter;
		read_window(&window, number);
		if (window.count == 0 || forget_counter != begun)
			MemoryContextDelete(window.context);
	} while (forget_counter != begun);
	if (window.count == 0)
		return false;
	slot = unused_window();
	if (slot->context != NULL)
		MemoryContextDelete(slot->context);
	window.used = ++use_counter;
	MemoryContextSetParent(window.context, CacheMemoryContext);
	*slot = window;
	last_window = slot;
	return true;
}

/* Its count is 0 if it cannot be kept. */
static void
read_window(Window *window, int64_t number)
{
	MemoryContext old;

	memset(window, 0, sizeof(*window));
	window->first = number;
	window->context = AllocSetContextCreate(CurrentMemoryContext,
											"telco_ledger window",
											ALLOCSET_SMALL_SIZES);
	old = MemoryContextSwitchTo(window->context);
	window->count = read_snapshots(window, length_at(number));
	read_batches(window);
	MemoryContextSwitchTo(old);
	if (window->count > 0)
		read_times(window->batches, window->batch_count);
}

/* Twice as many as those that end shortly before, otherwise one. */
static int
length_at(int64_t number)
{
	for (int i = 0; i < WINDOWS; i++)
	{
		int64_t		end = windows[i].first + windows[i].count;

		if (windows[i].used != 0 && number >= end && number < end + 8)
			return Min(windows[i].count * 2, DIFFERENCES_MAX);
	}
	return 1;
}

/* The one that was not used for longest. */
static Window *
unused_window(void)
{
	Window	   *oldest = &windows[0];

	for (int i = 1; i < WINDOWS; i++)
		if (windows[i].used < oldest->used)
			oldest = &windows[i];
	return oldest;
}

/* The bounds of so many differences; returns how many there are. */
static int
read_snapshots(Window *window, int length)
{
	Relation	relation = tl_chain_stored_open("snapshot");
	Relation	index = index_open(tl_chain_stored_oid("snapshot_pkey"), AccessShareLock);
	TupleDesc	description = RelationGetDescr(relation);
	ScanKeyData key;
	SysScanDesc scan;
	HeapTuple	row;
	int			count = 0;

	window->snapshots = palloc(sizeof(TlSnapshot) * (length + 1));
	ScanKeyInit(&key, 1, BTGreaterEqualStrategyNumber, F_INT8GE,
				Int64GetDatum(window->first - 1));
	scan = systable_beginscan_ordered(relation, index, NULL, 1, &key);
	while (count <= length &&
		   (row = systable_getnext_ordered(scan, ForwardScanDirection)) != NULL &&
		   DatumGetInt64(tl_chain_stored_value(row, description, "snapshot")) ==
		   window->first - 1 + count)
		parse_snapshot(&window->snapshots[count++], row, description);
	systable_endscan_ordered(scan);
	index_close(index, AccessShareLock);
	tl_chain_stored_close(relation);
	if (count < 2)
		ereport(ERROR,
				errcode(TL_ERRCODE(TL_CHAIN_DAMAGED)),
				errmsg("snapshot %lld or the one before is missing",
					   (long long) window->first),
				tl_error_hint_damaged());
	return count - 1;
}

static void
parse_snapshot(TlSnapshot *out, HeapTuple row, TupleDesc description)
{
	char	   *value = TextDatumGetCString(tl_chain_stored_value(row, description, "value"));

	tl_chain_snapshot_parse(out, value);
	pfree(value);
}

/* One snapshot, in the current memory context; false if there is none. */
bool
tl_chain_window_snapshot(Relation relation, TlSnapshot *out, int64_t number)
{
	ScanKeyData key;
	HeapTuple	row;

	ScanKeyInit(&key, 1, BTEqualStrategyNumber, F_INT8EQ, Int64GetDatum(number));
	row = tl_chain_stored_fetch(relation, "snapshot_pkey", &key, 1, ForwardScanDirection);
	if (row != NULL)
		parse_snapshot(out, row, RelationGetDescr(relation));
	return row != NULL;
}

/*
 * The batches of the differences.  The window ends before the first difference
 * that is not batched to its end, or with which there would be too many.
 */
static void
read_batches(Window *window)
{
	Relation	relation = tl_chain_stored_open("batch");
	Relation	index = index_open(tl_chain_stored_oid("batch_by_snapshot"), AccessShareLock);
	TupleDesc	description = RelationGetDescr(relation);
	int64_t		end = window->first + window->count;
	ScanKeyData key;
	SysScanDesc scan;
	HeapTuple	row;
	int			complete = 0;	/* differences */

	batch_relation = RelationGetRelid(relation);
	window->begins = palloc0(sizeof(int) * (window->count + 1));
	window->batches = palloc(sizeof(Batch) * 8);
	ScanKeyInit(&key, tl_chain_stored_attribute(relation, "snapshot"),
				BTGreaterEqualStrategyNumber, F_INT8GE, Int64GetDatum(window->first));
	scan = systable_beginscan_ordered(relation, index, NULL, 1, &key);
	while ((row = systable_getnext_ordered(scan, ForwardScanDirection)) != NULL)
	{
		int64_t		number = DatumGetInt64(tl_chain_stored_value(row, description,
																 "snapshot"));

		if (number >= end || number > window->first + complete)
			break;
		if (number < window->first + complete ||
			DatumGetBool(tl_chain_stored_value(row, description, "late")))
			continue;
		if (tl_chain_stored_is_null(row, relation, "height"))
			break;				/* other members have not ordered it */
		if (!add_batch(window, row, description))
			break;
		if (DatumGetBool(tl_chain_stored_value(row, description, "completes")))
			window->begins[++complete] = window->batch_count;
	}
	systable_endscan_ordered(scan);
	index_close(index, AccessShareLock);
	tl_chain_stored_close(relation);
	window->count = complete;
	window->batch_count = window->begins[complete];
}

/* One more batch, unless there are too many. */
static bool
add_batch(Window *window, HeapTuple row, TupleDesc description)
{
	int			count = window->batch_count;

	if (count == BATCHES_MAX)
		return false;
	if (count >= 8 && (count & (count - 1)) == 0)
		window->batches = repalloc(window->batches, sizeof(Batch) * count * 2);
	batch_from(&window->batches[count], row, description);
	window->batch_count++;
	return true;
}

/* All but the time. */
static void
batch_from(Batch *out, HeapTuple row, TupleDesc description)
{
	memset(out, 0, sizeof(*out));
	out->first_ref = *DatumGetTlRefBytes(tl_chain_stored_value(row, description,
															   "first_ref"));
	out->last_ref = *DatumGetTlRefBytes(tl_chain_stored_value(row, description,
															  "last_ref"));
	out->place.batch = DatumGetInt64(tl_chain_stored_value(row, description, "batch"));
	out->place.height = DatumGetInt64(tl_chain_stored_value(row, description, "height"));
	out->member = DatumGetInt64(tl_chain_stored_value(row, description, "member"));
	out->row_count = DatumGetInt32(tl_chain_stored_value(row, description, "row_count"));
	out->run_count = -1;
}

/* The times in their blocks' headers, of batches in order of height. */
static void
read_times(Batch *batches, int count)
{
	Relation	relation = tl_chain_stored_open("block");
	Relation	index = index_open(tl_chain_stored_oid("block_pkey"), AccessShareLock);
	TupleDesc	description = RelationGetDescr(relation);
	ScanKeyData key;
	SysScanDesc scan;
	HeapTuple	row;
	int			done = 0;

	ScanKeyInit(&key, 1, BTGreaterEqualStrategyNumber, F_INT8GE,
				Int64GetDatum(batches[0].place.height));
	scan = systable_beginscan_ordered(relation, index, NULL, 1, &key);
	while (done < count &&
		   (row = systable_getnext_ordered(scan, ForwardScanDirection)) != NULL)
	{
		int64_t		height = DatumGetInt64(tl_chain_stored_value(row, description, "height"));

		if (height > batches[done].place.height)
			break;
		while (done < count && batches[done].place.height == height)
			batches[done++].place.time =
				DatumGetTimestampTz(tl_chain_stored_value(row, description, "time"));
	}
	systable_endscan_ordered(scan);
	index_close(index, AccessShareLock);
	tl_chain_stored_close(relation);
	if (done < count)
		ereport(ERROR,
				errcode(TL_ERRCODE(TL_CHAIN_DAMAGED)),
				errmsg("block %lld is missing", (long long) batches[done].place.height),
					tl_error_hint_damaged());
}

/*
 * Is the ref in this batch, whose difference is not kept?  Asked again and
 * again for the same batch, it is read once.
 */
bool
tl_chain_window_batch_has(int64_t batch, const TlRef *ref, TlPlace *out)
{
	while (single.place.batch != batch)
	{
		uint64_t	begun = forget_counter;
		Batch		found;

		if (!read_batch(&found, batch))
			return false;
		read_times(&found, 1);
		read_runs(&found, 1);
		if (forget_counter == begun)
			single = found;
	}
	return held(&single, ref, out);
}

/* One batch; false if there is none of that number. */
static bool
read_batch(Batch *out, int64_t batch)
{
	Relation	relation = tl_chain_stored_open("batch");
	ScanKeyData key;
	HeapTuple	row;

	batch_relation = RelationGetRelid(relation);
	ScanKeyInit(&key, 1, BTEqualStrategyNumber, F_INT8EQ, Int64GetDatum(batch));
	row = tl_chain_stored_fetch(relation, "batch_pkey", &key, 1, ForwardScanDirection);
	if (row != NULL && tl_chain_stored_is_null(row, relation, "height"))
		row = NULL;				/* other members have not ordered it */
	if (row != NULL)
		batch_from(out, row, RelationGetDescr(relation));
	tl_chain_stored_close(relation);
	return row != NULL;
}

/*
 * The runs of the first batch, and of some that follow while they are few:
 * most tables are read in order.  A part of a bulk load needs no manifest.
 */
static void
read_runs(Batch *batches, int count)
{
	RunList		list = {0};

	if (one_run(&list, &batches[0].first_ref, &batches[0].last_ref,
				batches[0].row_count))
		keep_runs(&batches[0], &list, 1);
	else
		read_sections(batches, count, &list);
	if (list.runs != NULL)
		pfree(list.runs);
}

/* So many refs between these two: add the run if all are neighbours. */
static bool
one_run(RunList *list, const TlRefBytes *first, const TlRefBytes *last, int count)
{
	TlRef		begin;
	TlRef		end;

	tl_table_ref_unpack(&begin, first);
	tl_table_ref_unpack(&end, last);
	if (begin.incarnation != end.incarnation || begin.transaction != end.transaction ||
		(int64_t) end.row - begin.row + 1 != count)
		return false;
	add_run(list, &begin);
	list->runs[list->count - 1].last = end.row;
	return true;
}

static void
read_sections(Batch *batches, int count, RunList *list)
{
	Relation	relation = tl_chain_stored_open("section");
	Relation	index = index_open(tl_chain_stored_oid("section_pkey"), AccessShareLock);
	TupleDesc	description = RelationGetDescr(relation);
	int			sections = 0;
	int			rows = batches[0].row_count;
	int			done = 0;
	ScanKeyData key;
	SysScanDesc scan;
	HeapTuple	row;

	ScanKeyInit(&key, 1, BTGreaterEqualStrategyNumber, F_INT8GE,
				Int64GetDatum(batches[0].place.batch));
	scan = systable_beginscan_ordered(relation, index, NULL, 1, &key);
	while ((row = systable_getnext_ordered(scan, ForwardScanDirection)) != NULL)
	{
		int64_t		batch = DatumGetInt64(tl_chain_stored_value(row, description, "batch"));

		while (done < count && batches[done].place.batch < batch)
		{
			keep_runs(&batches[done++], list, sections);
			sections = 0;
			if (done < count)
				rows += batches[done].row_count;
			if (rows > RUNS_AHEAD)
				count = done;
		}
		if (done == count)
			break;
		if (batches[done].place.batch > batch)
			continue;			/* a late one */
		read_section(list, row, description, batches[done].member);
		sections++;
	}
	if (done < count)
		keep_runs(&batches[done], list, sections);
	systable_endscan_ordered(scan);
	index_close(index, AccessShareLock);
	tl_chain_stored_close(relation);
}

/* A damaged manifest has the refs before the damage; verification tells more. */
static void
read_section(RunList *list, HeapTuple row, TupleDesc description, uint32_t member)
{
	Datum		first = tl_chain_stored_value(row, description, "first_ref");
	Datum		last = tl_chain_stored_value(row, description, "last_ref");
	Datum		count = tl_chain_stored_value(row, description, "row_count");
	Datum		value = tl_chain_stored_value(row, description, "manifest");
	TlManifestReader reader;
	uint8_t		fingerprint[TL_FINGERPRINT_SIZE];
	bytea	   *bytes;
	TlRef		ref;
	bool		found;

	if (one_run(list, DatumGetTlRefBytes(first), DatumGetTlRefBytes(last),
				DatumGetInt32(count)))
		return;
	bytes = DatumGetByteaPP(value);
	tl_chain_manifest_open(&reader, VARDATA_ANY(bytes), VARSIZE_ANY_EXHDR(bytes),
						   member);
	while (tl_chain_manifest_next(&reader, &found, &ref, fingerprint) == TL_OK && found)
		add_run(list, &ref);
	if (bytes != (bytea *) DatumGetPointer(value))
		pfree(bytes);
}

/* A ref prolongs the last run or begins one. */
static void
add_run(RunList *list, const TlRef *ref)
{
	uint64_t	word = tl_table_ref_word(ref->incarnation, ref->transaction);
	Run		   *last = list->count > 0 ? &list->runs[list->count - 1] : NULL;

	if (last != NULL && last->word == word && last->last + 1 == ref->row)
	{
		last->last = ref->row;
		return;
	}
	if (list->count == list->capacity)
	{
		list->capacity = Max(64, list->capacity * 2);
		list->runs = list->runs == NULL ? palloc(sizeof(Run) * list->capacity) :
			repalloc(list->runs, sizeof(Run) * list->capacity);
	}
	last = &list->runs[list->count++];
	last->word = word;
	last->first = last->last = ref->row;
}

/* Give the batch its runs, and empty the list. */
static void
keep_runs(Batch *batch, RunList *list, int sections)
{
	if (batch->run_count >= 0)
	{
		list->count = 0;
		return;
	}
	if (sections > 1)
	{
		qsort(list->runs, list->count, sizeof(Run), compare_runs);
		list->count = merge_runs(list->runs, list->count);
	}
	if (runs_kept + list->count > RUNS_MAX)
		forget_runs();
	if (runs_context == NULL)
		runs_context = AllocSetContextCreate(CacheMemoryContext,
											 "telco_ledger runs of refs",
											 ALLOCSET_DEFAULT_SIZES);
	batch->runs = MemoryContextAlloc(runs_context, sizeof(Run) * Max(list->count, 1));
	memcpy(batch->runs, list->runs, sizeof(Run) * list->count);
	batch->run_count = list->count;
	runs_kept += list->count;
	list->count = 0;
}

static int
compare_runs(const void *left, const void *right)
{
	const Run  *a = left;
	const Run  *b = right;

	if (a->word != b->word)
		return a->word < b->word ? -1 : 1;
	return (a->first > b->first) - (a->first < b->first);
}

/* Two tables may share the numbers of a transaction. */
static int
merge_runs(Run *runs, int count)
{
	int			kept = 0;

	for (int i = 1; i < count; i++)
	{
		if (runs[i].word == runs[kept].word && runs[i].first == runs[kept].last + 1)
			runs[kept].last = runs[i].last;
		else
			runs[++kept] = runs[i];
	}
	return count > 0 ? kept + 1 : 0;
}
