/*-------------------------------------------------------------------------
 *
 * proof_verify_blocks.c
 *	  Blocks, shared by several processes.
 *
 * The walk of proof_verify_chain.c can begin at any height, with the state that
 * the stored rows below give; that is what an incremental run does.  So a long
 * chain is divided into windows, each walked by the session's process or a
 * parallel worker.  The end of one window is compared with what was signed
 * there, and the next one begins from the same stored rows: together they are
 * the whole walk.
 *
 * A window only says whether it has found problems.  If any has, one process
 * walks the whole chain and names them: only that walk knows what earlier
 * heights had to say.
 *
 * Used by ledger.verify(), and in the steps of ledger.verify_in_steps().
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/parallel.h"
#include "executor/spi.h"
#include "port/atomics.h"
#include "utils/memutils.h"
#include "utils/snapmgr.h"

#include "proof_progress.h"
#include "proof_verify.h"
#include "proof_verify_sweep.h"

#define WORKER_FUNCTION		"tl_proof_blocks_worker"
#define KEY_SHARED			UINT64CONST(0x544c0002)

/* Heights of one window, and how many windows are worth a worker. */
#define WINDOW_HEIGHTS		256
#define WORKER_WINDOWS_MIN	2

typedef struct BlocksShared
{
	int64_t		from_height;
	int64_t		tip_height;
	bool		stops;			/* before the tip, at ... */
	int64_t		stop_height;
	uint32		window_count;
	int			progress_slot;
	pg_atomic_uint32 next_window;
	pg_atomic_uint32 suspicious;
	pg_atomic_uint64 blocks;
	pg_atomic_uint64 sections;
} BlocksShared;

typedef struct BlocksAttempt
{
	TlVerification *run;
	int64_t		from_height;
	uint32		window_count;
	int			workers;
	bool		clean;
} BlocksAttempt;

PGDLLEXPORT void tl_proof_blocks_worker(dsm_segment *segment, shm_toc *toc);

static void attempt_windows(void *argument);
static void walk_windows(const TlVerification *run, BlocksShared *shared);
static bool walk_window(const TlVerification *run, BlocksShared *shared,
						uint32 window);

/* The whole chain, with as many processes as it is worth. */
void
tl_proof_verify_blocks(TlVerification *run)
{
	BlocksAttempt attempt;
	int64_t		end = run->stops ? run->stop_height : run->tip_height;

	memset(&attempt, 0, sizeof(attempt));
	attempt.run = run;
	attempt.from_height = Max(run->from_height, 0);
	if (end >= attempt.from_height)
		attempt.window_count = (uint32) ((end - attempt.from_height) /
										 WINDOW_HEIGHTS + 1);
	attempt.workers = Min(tl_proof_verify_workers,
						  (int) Min(attempt.window_count / WORKER_WINDOWS_MIN, 1024) - 1);
	if (attempt.workers > 0 && !run->known.given && run->problems == 0 &&
		!IsInParallelMode() &&
		tl_proof_verify_try(attempt_windows, &attempt) == NULL && attempt.clean)
		return;
	tl_proof_verify_chain(run);
}

static void
attempt_windows(void *argument)
{
	BlocksAttempt *attempt = argument;
	TlVerification *run = attempt->run;
	ParallelContext *context;
	BlocksShared *shared;

	if (run->step_units == 0)
		tl_proof_progress_phase(TL_PHASE_BLOCKS, InvalidOid,
								run->tip_height - attempt->from_height + 1);
	EnterParallelMode();
	context = CreateParallelContext("telco_ledger", WORKER_FUNCTION, attempt->workers);
	shm_toc_estimate_chunk(&context->estimator, sizeof(BlocksShared));
	shm_toc_estimate_keys(&context->estimator, 1);
	InitializeParallelDSM(context);
	shared = shm_toc_allocate(context->toc, sizeof(BlocksShared));
	shared->from_height = attempt->from_height;
	shared->tip_height = run->tip_height;
	shared->stops = run->stops;
	shared->stop_height = run->stop_height;
	shared->window_count = attempt->window_count;
	shared->progress_slot = tl_proof_progress_slot();
	pg_atomic_init_u32(&shared->next_window, 0);
	pg_atomic_init_u32(&shared->suspicious, 0);
	pg_atomic_init_u64(&shared->blocks, 0);
	pg_atomic_init_u64(&shared->sections, 0);
	shm_toc_insert(context->toc, KEY_SHARED, shared);
	LaunchParallelWorkers(context);
	run->workers = Max(run->workers, context->nworkers_launched);
	walk_windows(run, shared);
	WaitForParallelWorkersToFinish(context);
	attempt->clean = pg_atomic_read_u32(&shared->suspicious) == 0;
	if (attempt->clean)
	{
		run->blocks += pg_atomic_read_u64(&shared->blocks);
		run->sections += pg_atomic_read_u64(&shared->sections);
	}
	ereport(DEBUG1,
			errmsg_internal("blocks in %u windows: %s, %d workers", shared->window_count,
							attempt->clean ? "clean" : "not clean",
							context->nworkers_launched));
	DestroyParallelContext(context);
	ExitParallelMode();
}

/* Main function of a parallel worker. */
void
tl_proof_blocks_worker(dsm_segment *segment, shm_toc *toc)
{
	BlocksShared *shared = shm_toc_lookup(toc, KEY_SHARED, false);
	TlVerification *run = palloc0(sizeof(TlVerification));

	tl_proof_progress_join(shared->progress_slot);
	SPI_connect();
	run->snapshot = GetActiveSnapshot();
	run->full = true;
	tl_proof_verify_load_ledger(run);
	walk_windows(run, shared);
	SPI_finish();
}

/* As many windows as this process gets hold of. */
static void
walk_windows(const TlVerification *run, BlocksShared *shared)
{
	uint32		window;

	while (pg_atomic_read_u32(&shared->suspicious) == 0 &&
		   (window = pg_atomic_fetch_add_u32(&shared->next_window, 1)) < shared->window_count)
		if (!walk_window(run, shared, window))
			pg_atomic_write_u32(&shared->suspicious, 1);
}

/* False if anything is not as it should be.  The last one goes to the end. */
static bool
walk_window(const TlVerification *run, BlocksShared *shared, uint32 window)
{
	MemoryContext context = AllocSetContextCreate(CurrentMemoryContext,
												  "ledger.verify window",
												  ALLOCSET_DEFAULT_SIZES);
	MemoryContext caller = MemoryContextSwitchTo(context);
	TlVerification *quiet = palloc(sizeof(TlVerification));
	bool		clean;

	*quiet = *run;
	quiet->result = NULL;
	quiet->doubtful = NULL;
	quiet->doubtful_count = quiet->doubtful_capacity = 0;
	quiet->blocks = quiet->sections = 0;
	quiet->from_height = shared->from_height + (int64_t) window * WINDOW_HEIGHTS;
	quiet->tip_height = shared->tip_height;
	quiet->stop_height = quiet->from_height + WINDOW_HEIGHTS - 1;
	quiet->stops = true;
	if (window == shared->window_count - 1)
	{
		quiet->stops = shared->stops;
		quiet->stop_height = shared->stops ? shared->stop_height : PG_INT64_MAX;
	}
	quiet->windowed = true;
	tl_proof_verify_chain(quiet);
	clean = quiet->problems == 0;
	pg_atomic_fetch_add_u64(&shared->blocks, quiet->blocks);
	pg_atomic_fetch_add_u64(&shared->sections, quiet->sections);
	MemoryContextSwitchTo(caller);
	MemoryContextDelete(context);
	return clean;
}
