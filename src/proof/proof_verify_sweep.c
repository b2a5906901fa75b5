/*-------------------------------------------------------------------------
 *
 * proof_verify_sweep.c
 *	  The quick pass over one table: is all of it as it was signed?
 *
 * It says yes or no, and nothing about what is wrong: after a no the exact pass
 * of proof_verify_rows.c reads the table again and names each row.  So there is
 * one place that judges, and this one needs no sort and can be shared by
 * several processes.
 *
 * The sections of the table are divided into units of work.  For each section
 * the manifest is followed along the ref index: each of its refs must lead to
 * exactly one row, whose bytes have the fingerprint, and all together the tiles
 * and the root that were signed.  So all that was batched is there, unchanged,
 * and the index shows it.
 *
 * What remains are rows that no section knows.  A sequential scan counts the
 * rows that should be batched by now; it must come to the number of entries in
 * the manifests and of rows that were rightly rejected, and to the same sum
 * over a keyed hash of their refs.  A row that was added, or is there twice,
 * makes a difference.
 *
 * Each row that is listed as rejected is judged again by the session's process,
 * while the others hash.  Of rows that were truncated on a test ledger none may
 * be left.
 *
 * Not decided here but left to the exact pass at once: a table with problems
 * that are known already, without ref index, with rows in the batch of its own
 * truncation.
 *
 * A scrub (proof_scrub.c) asks for a part at a time: some of the sections, or
 * the count.
 *
 * The units, and blocks of the scan, are taken by the session's process and
 * parallel workers alike.  Those are not allowed subtransactions; an error in
 * any of them ends the pass, inside the caller's subtransaction, with a no.
 *
 * Memory: one manifest in each process.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/parallel.h"
#include "access/relscan.h"
#include "access/table.h"
#include "access/tableam.h"
#include "access/transam.h"
#include "catalog/pg_type.h"
#include "common/hashfn.h"
#include "executor/spi.h"
#include "miscadmin.h"
#include "port/atomics.h"
#include "utils/memutils.h"
#include "utils/snapmgr.h"
#include "utils/uuid.h"

#include "chain_lookup.h"
#include "merkle_hash.h"
#include "merkle_range.h"
#include "proof_progress.h"
#include "proof_verify_cursor.h"
#include "proof_verify_sweep.h"
#include "proof_verify_walk.h"
#include "table_am.h"
#include "table_definition.h"
#include "table_encode.h"
#include "table_scan.h"
#include "tl_compat.h"

#define WORKER_FUNCTION		"tl_proof_sweep_worker"
#define KEY_SHARED			UINT64CONST(0x544c0001)

#define UNIT_ROWS			16384
#define SECTION_COST_ROWS	32	/* a section costs as much as so many rows */

/* Columns of the cursor over the sections of a unit. */
enum
{
	SECTION_BATCH,
	SECTION_VERSION,
	SECTION_ROW_COUNT,
	SECTION_FIRST_REF,
	SECTION_LAST_REF,
	SECTION_ROW_KEY,
	SECTION_ROOT,
	SECTION_NODES,
	SECTION_MANIFEST,
	SECTION_LATE,
	SECTION_SNAPSHOT,
	SECTION_AFTER,
	SECTION_BEFORE
};

static const char *const sections_text =
"SELECT s.batch, s.table_version, s.row_count, s.first_ref, s.last_ref,"
" s.row_key, s.root, s.nodes, s.manifest,"
" (SELECT b.late FROM ledger_internal.batch b WHERE b.batch = s.batch),"
" (SELECT b.snapshot FROM ledger_internal.batch b WHERE b.batch = s.batch),"
" (SELECT v.value FROM ledger_internal.snapshot v WHERE v.snapshot ="
" (SELECT b.snapshot FROM ledger_internal.batch b WHERE b.batch = s.batch)),"
" (SELECT v.value FROM ledger_internal.snapshot v WHERE v.snapshot ="
" (SELECT b.snapshot - 1 FROM ledger_internal.batch b WHERE b.batch = s.batch))"
" FROM ledger_internal.section s"
" WHERE s.table_id = $1 AND s.batch BETWEEN $4 AND $5"
" AND s.last_ref >= $2 AND s.first_ref <= $3"
" ORDER BY s.batch, s.section";

/* Batches whose sections one process reads. */
typedef struct SweepUnit
{
	int64_t		first_batch;
	int64_t		last_batch;
} SweepUnit;

/* What all processes share; the units follow it, and the parallel scan. */
typedef struct SweepShared
{
	Oid			relation;
	TlSweepPart part;
	int64_t		from_batch;		/* sections above are hashed */
	int64_t		disposed_batch; /* rows of sections up to here are gone */
	TlRefBytes	low;
	TlRefBytes	high;
	uint64		key;			/* of the sums */
	uint32		unit_count;
	int			progress_slot;
	Size		scan_offset;
	pg_atomic_uint32 next_unit;
	pg_atomic_uint32 suspicious;
	pg_atomic_uint64 rows;		/* hashed */
	pg_atomic_uint64 disposed;
	pg_atomic_uint64 batched_count; /* entries of the manifests, and their sum */
	pg_atomic_uint64 batched_sum;
	pg_atomic_uint64 stored_count;	/* rows of the table that should be batched */
	pg_atomic_uint64 stored_sum;
	SweepUnit	units[FLEXIBLE_ARRAY_MEMBER];
} SweepShared;

/* One process at work. */
typedef struct Sweep
{
	TlRowsPass *pass;
	SweepShared *shared;
	AttrNumber	ref_attribute;
	MemoryContext context;		/* of one section */
	TlRefWalk  *walk;

	/* the section */
	TlMerkleRange tile;
	TlMerkleRange tiles;
	TlSpan		nodes;
	bool		late;
	int64_t		batch;
	uint64_t	checked_xid;	/* within the bounds */

	/* snapshots between which its rows were committed */
	MemoryContext bounds_context;
	int64_t		bounds_number;
	bool		bounds_known;
	TlSnapshot	after;
	TlSnapshot	before;

	/* its definition */
	MemoryContext encoder_context;
	TlTableEncoder *encoder;
	uint32_t	version;

	/* so far, not told to the others yet */
	uint64		rows;
	uint64		disposed;
	uint64		batched_count;
	uint64		batched_sum;
} Sweep;

typedef struct SweepAttempt
{
	TlRowsPass *pass;
	bool		clean;
	int64_t		rejected;		/* rightly */
} SweepAttempt;

int			tl_proof_verify_workers = 2;

PGDLLEXPORT void tl_proof_sweep_worker(dsm_segment *segment, shm_toc *toc);

static void attempt_sweep(void *argument);
static void sweep_rejected(SweepAttempt *attempt, SweepShared *shared);
static bool count_rejected(SweepAttempt *attempt, SweepShared *shared,
						   TlRefWalk *walk, const TlRefBytes *ref);
static void take_result(SweepAttempt *attempt, SweepShared *shared);
static SweepUnit *plan_units(TlRowsPass *pass, uint32 *count);
static Size shared_size(const TlRowsPass *pass, uint32 unit_count, Size *scan_offset);
static void shared_init(SweepShared *shared, TlRowsPass *pass,
						const SweepUnit *units, uint32 unit_count);
static bool shared_clean(SweepShared *shared);
static void sweep_in_parallel(SweepAttempt *attempt, const SweepUnit *units,
							  uint32 unit_count, int workers);
static void sweep_alone(SweepAttempt *attempt, const SweepUnit *units,
						uint32 unit_count);
static void sweep(TlRowsPass *pass, SweepShared *shared);
static void sweep_begin(Sweep *state, TlRowsPass *pass, SweepShared *shared);
static void sweep_end(Sweep *state);
static bool sweep_unit(Sweep *state, const SweepUnit *unit);
static bool sweep_section(Sweep *state, const TlCursor *cursor);
static bool sweep_disposed(Sweep *state, TlSpan manifest_bytes);
static bool sweep_row(Sweep *state, const TlRef *ref, const TlRefBytes *packed,
					  const uint8_t *fingerprint);
static bool tile_close(Sweep *state);
static bool section_root(Sweep *state, TlSpan root, uint32_t row_count);
static bool choose_encoder(Sweep *state, uint32_t version);
static void load_bounds(Sweep *state, const TlCursor *cursor);
static bool in_bounds(Sweep *state, const TlRef *ref, const TlRefBytes *packed);
static bool sweep_heap(Sweep *state);
static uint64 ref_hash(const SweepShared *shared, const TlRefBytes *ref);

/* True if the rows are as they were signed; what was read is counted. */
bool
tl_proof_verify_sweep(TlRowsPass *pass)
{
	SweepAttempt attempt = {pass, false, 0};

	if (!pass->run->progress_known || pass->run->doubtful_count > 0 ||
		!OidIsValid(tl_table_scan_ref_index(pass->relation, true)))
		return false;
	return tl_proof_verify_try(attempt_sweep, &attempt) == NULL && attempt.clean;
}

static void
attempt_sweep(void *argument)
{
	SweepAttempt *attempt = argument;
	uint32		count;
	SweepUnit  *units;
	int			workers;

	units = plan_units(attempt->pass, &count);
	if (attempt->pass->part == TL_SWEEP_ALL)
		tl_proof_progress_phase(TL_PHASE_ROWS,
								RelationGetRelid(attempt->pass->relation),
								attempt->pass->row_count);
	workers = Min(tl_proof_verify_workers, (int) Min(count, 1024) - 1);
	if (workers > 0 && !IsInParallelMode())
		sweep_in_parallel(attempt, units, count, workers);
	else
		sweep_alone(attempt, units, count);
}

/*
 * Rows of the table that are listed as rejected belong to no section: each one
 * must lack a signature, and then counts as known.
 */
static void
sweep_rejected(SweepAttempt *attempt, SweepShared *shared)
{
	TlRowsPass *pass = attempt->pass;
	Oid			types[] = {tl_table_ref_type(), tl_table_ref_type()};
	AttrNumber	ref_attribute = tl_table_am_ref_attribute(pass->relation);
	TlRefWalk  *walk;
	Datum		values[2];
	TlCursor	cursor;
	bool		clean = true;

	if (pass->check == NULL || pass->part == TL_SWEEP_SECTIONS)
		return;
	walk = tl_proof_walk_open(pass->relation, ref_attribute, pass->run->snapshot);
	values[0] = TlRefBytesGetDatum(&pass->low);
	values[1] = TlRefBytesGetDatum(&pass->high);
	tl_proof_cursor_open(&cursor, "SELECT ref FROM ledger_internal.rejected"
						 " WHERE ref BETWEEN $1 AND $2 ORDER BY ref", 2, types, values, 1000);
	for (; clean && tl_proof_cursor_row(&cursor); tl_proof_cursor_advance(&cursor))
	{
		TlRefBytes	ref;

		CHECK_FOR_INTERRUPTS();
		tl_proof_cursor_ref(&cursor, 0, &ref);
		clean = count_rejected(attempt, shared, walk, &ref);
	}
	tl_proof_cursor_close(&cursor);
	tl_proof_walk_close(walk);
	if (!clean)
		pg_atomic_write_u32(&shared->suspicious, 1);
}

/* False if the row is this table's and should have been batched, or was. */
static bool
count_rejected(SweepAttempt *attempt, SweepShared *shared, TlRefWalk *walk,
			   const TlRefBytes *ref)
{
	TlRowsPass *pass = attempt->pass;
	TlCollectedRow row;
	TlStatus	status;
	TlPlace		place;
	TlRef		unpacked;

	row.slot = tl_proof_walk_find(walk, ref);
	if (row.slot == NULL)
		return true;			/* of another table */
	row.relation = pass->relation;
	row.ref = *ref;
	row.xid = 0;
	tl_table_ref_unpack(&unpacked, ref);
	if (tl_chain_check_row(pass->check, &row, &status) == NULL ||
		!tl_proof_walk_alone(walk, ref) || tl_chain_lookup(ref, &place) ||
		!tl_chain_progress_done(pass->progress, ref,
								tl_table_ref_word(unpacked.incarnation,
												  unpacked.transaction)))
		return false;
	pg_atomic_fetch_add_u64(&shared->batched_count, 1);
	pg_atomic_fetch_add_u64(&shared->batched_sum, ref_hash(shared, ref));
	attempt->rejected++;
	return true;
}

/*
 * Units of about equal work, in order of batch; of a part, the first ones.  A
 * large batch is one unit, but ends the part sooner.
 */
static SweepUnit *
plan_units(TlRowsPass *pass, uint32 *count)
{
	Oid			types[] = {UUIDOID, tl_table_ref_type(), tl_table_ref_type(), INT8OID, INT8OID};
	pg_uuid_t	table_id;
	bool		some = pass->part == TL_SWEEP_SECTIONS;
	Datum		values[5];
	TlCursor	cursor;
	uint32		capacity = 64;
	SweepUnit  *units = palloc(sizeof(SweepUnit) * capacity);
	int64_t		work = UNIT_ROWS;
	int64_t		done = 0;

	*count = 0;
	pass->row_count = 0;
	memcpy(table_id.data, pass->table_id, UUID_LEN);
	values[0] = UUIDPGetDatum(&table_id);
	values[1] = TlRefBytesGetDatum(&pass->low);
	values[2] = TlRefBytesGetDatum(&pass->high);
	values[3] = Int64GetDatum(some ? pass->after_batch : 0);
	values[4] = Int64GetDatum(some ? pass->to_batch : PG_INT64_MAX);
	tl_proof_cursor_open(&cursor, "SELECT batch, row_count FROM ledger_internal.section"
						 " WHERE table_id = $1 AND last_ref >= $2 AND first_ref <= $3"
						 " AND batch > $4 AND batch <= $5"
						 " ORDER BY batch", 5, types, values, 1000);
	for (; tl_proof_cursor_row(&cursor); tl_proof_cursor_advance(&cursor))
	{
		int64_t		batch = tl_proof_cursor_number(&cursor, 0);

		if (work >= UNIT_ROWS && (*count == 0 || batch > units[*count - 1].last_batch))
		{
			if (some && done >= (int64_t) pass->run->step_units * UNIT_ROWS)
				break;
			if (*count == capacity)
			{
				capacity *= 2;
				units = repalloc_huge(units, sizeof(SweepUnit) * capacity);
			}
			units[(*count)++].first_batch = batch;
			work = 0;
		}
		units[*count - 1].last_batch = pass->swept_batch = batch;
		if (batch > pass->run->from_batch)
			pass->row_count += Max(tl_proof_cursor_number(&cursor, 1), 0);
		work += SECTION_COST_ROWS + Max(tl_proof_cursor_number(&cursor, 1), 0);
		done += SECTION_COST_ROWS + Max(tl_proof_cursor_number(&cursor, 1), 0);
	}
	tl_proof_cursor_close(&cursor);
	return units;
}

static Size
shared_size(const TlRowsPass *pass, uint32 unit_count, Size *scan_offset)
{
	*scan_offset = MAXALIGN(add_size(offsetof(SweepShared, units),
									 mul_size(sizeof(SweepUnit), unit_count)));
	return add_size(*scan_offset,
					table_parallelscan_estimate(pass->relation, pass->run->snapshot));
}

static void
shared_init(SweepShared *shared, TlRowsPass *pass, const SweepUnit *units,
			uint32 unit_count)
{
	(void) shared_size(pass, unit_count, &shared->scan_offset);
	shared->relation = RelationGetRelid(pass->relation);
	shared->part = pass->part;
	shared->from_batch = pass->part == TL_SWEEP_COUNT ? PG_INT64_MAX : pass->run->from_batch;
	shared->disposed_batch = pass->disposed_batch;
	shared->low = pass->low;
	shared->high = pass->high;
	if (!pg_strong_random(&shared->key, sizeof(shared->key)))
		elog(ERROR, "could not generate a random key");
	shared->unit_count = unit_count;
	shared->progress_slot = tl_proof_progress_slot();
	memcpy(shared->units, units, sizeof(SweepUnit) * unit_count);
	pg_atomic_init_u32(&shared->next_unit, 0);
	pg_atomic_init_u32(&shared->suspicious, 0);
	pg_atomic_init_u64(&shared->rows, 0);
	pg_atomic_init_u64(&shared->disposed, 0);
	pg_atomic_init_u64(&shared->batched_count, 0);
	pg_atomic_init_u64(&shared->batched_sum, 0);
	pg_atomic_init_u64(&shared->stored_count, 0);
	pg_atomic_init_u64(&shared->stored_sum, 0);
	table_parallelscan_initialize(pass->relation,
								  (ParallelTableScanDesc) ((char *) shared + shared->scan_offset),
								  pass->run->snapshot);
}

static bool
shared_clean(SweepShared *shared)
{
	if (pg_atomic_read_u32(&shared->suspicious) != 0)
		return false;
	return shared->part == TL_SWEEP_SECTIONS ||
		(pg_atomic_read_u64(&shared->batched_count) == pg_atomic_read_u64(&shared->stored_count) &&
		 pg_atomic_read_u64(&shared->batched_sum) == pg_atomic_read_u64(&shared->stored_sum));
}

static void
sweep_in_parallel(SweepAttempt *attempt, const SweepUnit *units,
				  uint32 unit_count, int workers)
{
	ParallelContext *context;
	SweepShared *shared;
	Size		scan_offset;
	Size		size = shared_size(attempt->pass, unit_count, &scan_offset);

	EnterParallelMode();
	context = CreateParallelContext("telco_ledger", WORKER_FUNCTION, workers);
	shm_toc_estimate_chunk(&context->estimator, size);
	shm_toc_estimate_keys(&context->estimator, 1);
	InitializeParallelDSM(context);
	shared = shm_toc_allocate(context->toc, size);
	shared_init(shared, attempt->pass, units, unit_count);
	shm_toc_insert(context->toc, KEY_SHARED, shared);
	LaunchParallelWorkers(context);
	attempt->pass->run->workers = Max(attempt->pass->run->workers,
									  context->nworkers_launched);
	sweep_rejected(attempt, shared);
	sweep(attempt->pass, shared);
	WaitForParallelWorkersToFinish(context);
	take_result(attempt, shared);
	ereport(DEBUG1,
			errmsg_internal("quick pass over \"%s\": %s, %d workers",
							RelationGetRelationName(attempt->pass->relation),
							attempt->clean ? "clean" : "not clean",
							context->nworkers_launched));
	DestroyParallelContext(context);
	ExitParallelMode();
}

static void
sweep_alone(SweepAttempt *attempt, const SweepUnit *units, uint32 unit_count)
{
	Size		scan_offset;
	SweepShared *shared = MemoryContextAllocHuge(CurrentMemoryContext,
												 shared_size(attempt->pass, unit_count,
															 &scan_offset));

	shared_init(shared, attempt->pass, units, unit_count);
	sweep_rejected(attempt, shared);
	sweep(attempt->pass, shared);
	take_result(attempt, shared);
	pfree(shared);
}

/* All processes have ended. */
static void
take_result(SweepAttempt *attempt, SweepShared *shared)
{
	TlVerification *run = attempt->pass->run;

	attempt->clean = shared_clean(shared);
	if (!attempt->clean)
		return;
	run->rows += pg_atomic_read_u64(&shared->rows);
	run->rejected += attempt->rejected;
	if (shared->part != TL_SWEEP_SECTIONS)
		attempt->pass->disposed_rows = pg_atomic_read_u64(&shared->disposed);
}

/* Main function of a parallel worker. */
void
tl_proof_sweep_worker(dsm_segment *segment, shm_toc *toc)
{
	SweepShared *shared = shm_toc_lookup(toc, KEY_SHARED, false);
	TlVerification *run = palloc0(sizeof(TlVerification));
	TlRowsPass *pass = palloc0(sizeof(TlRowsPass));

	tl_proof_progress_join(shared->progress_slot);
	SPI_connect();
	run->snapshot = GetActiveSnapshot();
	run->progress_known = true;
	tl_table_identity(&run->identity);
	pass->relation = table_open(shared->relation, AccessShareLock);
	pass->low = shared->low;
	pass->high = shared->high;
	tl_proof_verify_load_progress(run);
	tl_proof_rows_begin(pass, run);
	if (pass->progress == NULL)
		pg_atomic_write_u32(&shared->suspicious, 1);
	else
		sweep(pass, shared);
	table_close(pass->relation, AccessShareLock);
	SPI_finish();
}

/* As many units and blocks as this process gets hold of. */
static void
sweep(TlRowsPass *pass, SweepShared *shared)
{
	Sweep	   *state = palloc0(sizeof(Sweep));
	bool		clean = true;
	uint32		unit;

	sweep_begin(state, pass, shared);
	while (clean && pg_atomic_read_u32(&shared->suspicious) == 0 &&
		   (unit = pg_atomic_fetch_add_u32(&shared->next_unit, 1)) < shared->unit_count)
		clean = sweep_unit(state, &shared->units[unit]);
	if (clean && shared->part != TL_SWEEP_SECTIONS)
		clean = sweep_heap(state);
	if (!clean)
		pg_atomic_write_u32(&shared->suspicious, 1);
	sweep_end(state);
}

static void
sweep_begin(Sweep *state, TlRowsPass *pass, SweepShared *shared)
{
	state->pass = pass;
	state->shared = shared;
	state->ref_attribute = tl_table_am_ref_attribute(pass->relation);
	state->context = AllocSetContextCreate(CurrentMemoryContext, "ledger.verify section",
										   ALLOCSET_DEFAULT_SIZES);
	state->bounds_context = AllocSetContextCreate(CurrentMemoryContext, "ledger.verify bounds",
												  ALLOCSET_DEFAULT_SIZES);
	state->encoder_context = AllocSetContextCreate(CurrentMemoryContext, "ledger.verify version",
												   ALLOCSET_DEFAULT_SIZES);
	state->bounds_number = -1;
	state->walk = tl_proof_walk_open(pass->relation, state->ref_attribute,
									 pass->run->snapshot);
}

static void
sweep_end(Sweep *state)
{
	if (state->encoder != NULL)
		tl_table_encoder_close(state->encoder);
	tl_proof_walk_close(state->walk);
	pg_atomic_fetch_add_u64(&state->shared->rows, state->rows);
	pg_atomic_fetch_add_u64(&state->shared->disposed, state->disposed);
	pg_atomic_fetch_add_u64(&state->shared->batched_count, state->batched_count);
	pg_atomic_fetch_add_u64(&state->shared->batched_sum, state->batched_sum);
	MemoryContextDelete(state->encoder_context);
	MemoryContextDelete(state->bounds_context);
	MemoryContextDelete(state->context);
}

/* False if anything is not as it should be. */
static bool
sweep_unit(Sweep *state, const SweepUnit *unit)
{
	Oid			types[] = {UUIDOID, tl_table_ref_type(), tl_table_ref_type(), INT8OID, INT8OID};
	MemoryContext caller = CurrentMemoryContext;
	pg_uuid_t	table_id;
	Datum		values[5];
	TlCursor	cursor;
	bool		clean = true;

	memcpy(table_id.data, state->pass->table_id, UUID_LEN);
	values[0] = UUIDPGetDatum(&table_id);
	values[1] = TlRefBytesGetDatum(&state->pass->low);
	values[2] = TlRefBytesGetDatum(&state->pass->high);
	values[3] = Int64GetDatum(unit->first_batch);
	values[4] = Int64GetDatum(unit->last_batch);
	tl_proof_cursor_open(&cursor, sections_text, 5, types, values, 16);
	for (; clean && tl_proof_cursor_row(&cursor); tl_proof_cursor_advance(&cursor))
	{
		MemoryContextSwitchTo(state->context);
		clean = sweep_section(state, &cursor);
		MemoryContextSwitchTo(caller);
		MemoryContextReset(state->context);
	}
	tl_proof_cursor_close(&cursor);
	return clean;
}

/* One section: its manifest, the rows, their root. */
static bool
sweep_section(Sweep *state, const TlCursor *cursor)
{
	TlRowsPass *pass = state->pass;
	TlSpan		bytes = tl_proof_cursor_bytes(cursor, SECTION_MANIFEST);
	TlSpan		row_key = tl_proof_cursor_bytes(cursor, SECTION_ROW_KEY);
	bool		wanted;
	TlManifestReader manifest;
	TlRefBytes	packed,
				first,
				last;
	TlRef		ref;
	uint8_t		fingerprint[TL_FINGERPRINT_SIZE];
	TlStatus	status;
	bool		found;

	state->batch = tl_proof_cursor_number(cursor, SECTION_BATCH);
	if (state->batch <= state->shared->disposed_batch)
		return sweep_disposed(state, bytes);
	state->late = tl_proof_cursor_flag(cursor, SECTION_LATE);
	state->nodes = tl_proof_cursor_bytes(cursor, SECTION_NODES);
	wanted = state->batch > state->shared->from_batch;
	load_bounds(state, cursor);
	if (!state->bounds_known || row_key.size != TL_ROW_KEY_SIZE)
		return false;
	if (wanted &&
		!choose_encoder(state, (uint32_t) tl_proof_cursor_number(cursor, SECTION_VERSION)))
		return false;
	if (wanted)
		tl_table_encoder_set_key(state->encoder, row_key.data);
	tl_merkle_range_init(&state->tile);
	tl_merkle_range_init(&state->tiles);
	state->checked_xid = 0;
	memset(&packed, 0, sizeof(packed));
	tl_proof_cursor_ref(cursor, SECTION_FIRST_REF, &first);
	tl_proof_cursor_ref(cursor, SECTION_LAST_REF, &last);
	tl_chain_manifest_open(&manifest, bytes.data, bytes.size, pass->run->identity.member);
	while ((status = tl_chain_manifest_next(&manifest, &found, &ref, fingerprint)) == TL_OK &&
		   found)
	{
		tl_table_ref_pack(&packed, &ref);
		if ((manifest.count == 1 && tl_table_ref_compare(&packed, &first) != 0) ||
			!in_bounds(state, &ref, &packed))
			return false;
		if (wanted && !sweep_row(state, &ref, &packed, fingerprint))
			return false;
		if (tl_table_ref_compare(&packed, &pass->low) < 0 ||
			tl_table_ref_compare(&packed, &pass->high) > 0)
			continue;
		state->batched_count++;
		state->batched_sum += ref_hash(state->shared, &packed);
	}
	if (status != TL_OK ||
		manifest.count != tl_proof_cursor_number(cursor, SECTION_ROW_COUNT) ||
		tl_table_ref_compare(&packed, &last) != 0)
		return false;
	return !wanted ||
		section_root(state, tl_proof_cursor_bytes(cursor, SECTION_ROOT), manifest.count);
}

/* A section whose rows were truncated: the index must lead to none of them. */
static bool
sweep_disposed(Sweep *state, TlSpan manifest_bytes)
{
	TlManifestReader manifest;
	TlRefBytes	packed;
	TlRef		ref;
	uint8_t		fingerprint[TL_FINGERPRINT_SIZE];
	TlStatus	status;
	bool		found;

	tl_chain_manifest_open(&manifest, manifest_bytes.data, manifest_bytes.size,
						   state->pass->run->identity.member);
	while ((status = tl_chain_manifest_next(&manifest, &found, &ref, fingerprint)) == TL_OK &&
		   found)
	{
		CHECK_FOR_INTERRUPTS();
		tl_table_ref_pack(&packed, &ref);
		if (tl_proof_walk_find(state->walk, &packed) != NULL)
			return false;
		state->disposed++;
	}
	return status == TL_OK;
}

/* The row that a manifest names, by way of the index. */
static bool
sweep_row(Sweep *state, const TlRef *ref, const TlRefBytes *packed,
		  const uint8_t *fingerprint)
{
	TupleTableSlot *slot = tl_proof_walk_find(state->walk, packed);
	TlHash		leaf_hash;
	TlSpan		bytes;

	if (slot == NULL)
		return false;
	bytes = tl_table_encoder_row(state->encoder, slot);
	tl_merkle_leaf_hash(&leaf_hash, bytes.data, bytes.size);
	if (memcmp(leaf_hash.bytes, fingerprint, TL_FINGERPRINT_SIZE) != 0 ||
		!tl_proof_walk_alone(state->walk, packed))
		return false;
	state->rows++;
	(void) tl_merkle_range_append(&state->tile, &leaf_hash);
	return state->tile.size < TL_TILE_ROWS || tile_close(state);
}

/* The root of a full tile against the stored one. */
static bool
tile_close(Sweep *state)
{
	size_t		offset = (size_t) state->tiles.size * TL_HASH_SIZE;
	TlHash		root;

	CHECK_FOR_INTERRUPTS();
	tl_proof_progress_add(TL_TILE_ROWS);
	tl_merkle_range_root(&state->tile, &root);
	tl_merkle_range_init(&state->tile);
	(void) tl_merkle_range_append(&state->tiles, &root);
	return offset + TL_HASH_SIZE <= state->nodes.size &&
		memcmp(state->nodes.data + offset, root.bytes, TL_HASH_SIZE) == 0 &&
		pg_atomic_read_u32(&state->shared->suspicious) == 0;
}

/*
 * The root of the section.  Full tiles are perfect subtrees, so the tree over
 * all leaves is the tree over them with the root of the rest behind.
 */
static bool
section_root(Sweep *state, TlSpan root, uint32_t row_count)
{
	TlHash		found;

	if (state->nodes.size != (size_t) (row_count / TL_TILE_ROWS) * TL_HASH_SIZE ||
		root.size != TL_HASH_SIZE)
		return false;
	if (state->tile.size > 0)
	{
		tl_proof_progress_add((int64_t) state->tile.size);
		tl_merkle_range_root(&state->tile, &found);
		(void) tl_merkle_range_append(&state->tiles, &found);
	}
	tl_merkle_range_root(&state->tiles, &found);
	return memcmp(found.bytes, root.data, TL_HASH_SIZE) == 0;
}

static bool
choose_encoder(Sweep *state, uint32_t version)
{
	MemoryContext caller;
	TlTableVersion definition;

	if (state->encoder != NULL && state->version == version)
		return true;
	if (state->encoder != NULL)
		tl_table_encoder_close(state->encoder);
	state->encoder = NULL;
	state->version = version;
	MemoryContextReset(state->encoder_context);
	caller = MemoryContextSwitchTo(state->encoder_context);
	if (tl_table_definition_load_exact(&definition, state->pass->table_id, version,
									   state->encoder_context))
		state->encoder = tl_table_encoder_open(state->pass->relation, &definition,
											   state->encoder_context);
	MemoryContextSwitchTo(caller);
	return state->encoder != NULL;
}

/* The snapshot of the batch and the one before, as in the exact pass. */
static void
load_bounds(Sweep *state, const TlCursor *cursor)
{
	int64_t		number = tl_proof_cursor_number(cursor, SECTION_SNAPSHOT);
	MemoryContext caller;
	TlSpan		after = tl_proof_cursor_bytes(cursor, SECTION_AFTER);
	TlSpan		before = tl_proof_cursor_bytes(cursor, SECTION_BEFORE);

	if (state->bounds_number == number)
		return;
	MemoryContextReset(state->bounds_context);
	caller = MemoryContextSwitchTo(state->bounds_context);
	state->bounds_number = number;
	state->bounds_known =
		tl_proof_verify_parse_snapshot(&state->after, after) &&
		tl_proof_verify_parse_snapshot(&state->before, before);
	MemoryContextSwitchTo(caller);
}

/* A batch holds what its snapshot sees and the one before does not. */
static bool
in_bounds(Sweep *state, const TlRef *ref, const TlRefBytes *packed)
{
	uint64_t	xid = tl_table_ref_word(ref->incarnation, ref->transaction);
	TlPlace		place;

	if (state->late)
		return tl_chain_lookup(packed, &place) && place.batch == state->batch &&
			tl_chain_snapshot_sees(&state->after, xid);
	if (state->checked_xid == xid)
		return true;
	state->checked_xid = xid;
	return tl_chain_snapshot_sees(&state->after, xid) &&
		!tl_chain_snapshot_sees(&state->before, xid);
}

/* Rows that should be batched by now, whoever knows them. */
static bool
sweep_heap(Sweep *state)
{
	TlRowsPass *pass = state->pass;
	SweepShared *shared = state->shared;
	TlIdentity *identity = &pass->run->identity;
	uint64		next_xid = U64FromFullTransactionId(ReadNextFullTransactionId());
	TupleTableSlot *slot = table_slot_create(pass->relation, NULL);
	TableScanDesc scan = table_beginscan_parallel(pass->relation,
												  (ParallelTableScanDesc) ((char *) shared + shared->scan_offset));
	uint64		count = 0;
	uint64		sum = 0;
	bool		clean = true;

	while (clean && table_scan_getnextslot(scan, ForwardScanDirection, slot))
	{
		bool		is_null;
		Datum		value = slot_getattr(slot, state->ref_attribute, &is_null);
		TlRefBytes *packed = DatumGetTlRefBytes(value);
		TlRef		ref;

		CHECK_FOR_INTERRUPTS();
		clean = !is_null;
		if (is_null || tl_table_ref_compare(packed, &pass->low) < 0 ||
			tl_table_ref_compare(packed, &pass->high) > 0)
			continue;
		tl_table_ref_unpack(&ref, packed);
		clean = ref.member == identity->member &&
			ref.incarnation <= identity->incarnation &&
			(identity->copied || ref.incarnation < identity->incarnation ||
			 ref.transaction < next_xid);
		if (!clean ||
			!tl_chain_progress_done(pass->progress, packed,
									tl_table_ref_word(ref.incarnation, ref.transaction)))
			continue;
		count++;
		sum += ref_hash(shared, packed);
	}
	table_endscan(scan);
	ExecDropSingleTupleTableSlot(slot);
	pg_atomic_fetch_add_u64(&shared->stored_count, count);
	pg_atomic_fetch_add_u64(&shared->stored_sum, sum);
	return clean;
}

/* Nobody knows the key beforehand, so no rows can be made to fit a sum. */
static uint64
ref_hash(const SweepShared *shared, const TlRefBytes *ref)
{
	return hash_bytes_extended(ref->bytes, TL_REF_SIZE, shared->key);
}
