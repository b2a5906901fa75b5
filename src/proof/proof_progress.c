/*-------------------------------------------------------------------------
 *
 * proof_progress.c
 *	  How far the verifications are that run now, for ledger.progress.
 *
 * In the manner of pg_stat_progress_*, whose commands an extension cannot add
 * to: a few slots in shared memory, one for each verification that runs.  The
 * process that began it has the slot; parallel workers join it and only add to
 * `done`.  When all slots are taken a verification runs without being shown.
 *
 * Locks: a slot's mutex is held for a few instructions; `done` needs none.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "fmgr.h"
#include "funcapi.h"
#include "miscadmin.h"
#include "port/atomics.h"
#include "storage/ipc.h"
#include "storage/lwlock.h"
#include "storage/shmem.h"
#include "storage/spin.h"
#include "utils/builtins.h"

#include "proof_progress.h"

#define SLOTS_MAX		64
#define MODE_SIZE		16
#define NO_SLOT			(-1)

PG_FUNCTION_INFO_V1(tl_progress);

typedef struct Slot
{
	slock_t		mutex;
	int			pid;			/* 0: free */
	Oid			database;
	char		mode[MODE_SIZE];
	TlProofPhase phase;
	Oid			relation;
	int			table_count;
	int			tables_done;
	int64_t		total;
	pg_atomic_uint64 done;		/* of total */
} Slot;

static Slot *slots = NULL;
static int	my_slot = NO_SLOT;
static bool registered = false;

static shmem_request_hook_type previous_request_hook = NULL;
static shmem_startup_hook_type previous_startup_hook = NULL;

static void progress_request(void);
static void progress_startup(void);
static void end_at_exit(int code, Datum argument);
static bool copy_slot(int index, Slot *out);

static const char *phase_name(TlProofPhase phase);

void
tl_proof_progress_init(void)
{
	previous_request_hook = shmem_request_hook;
	shmem_request_hook = progress_request;
	previous_startup_hook = shmem_startup_hook;
	shmem_startup_hook = progress_startup;
}

static void
progress_request(void)
{
	if (previous_request_hook)
		previous_request_hook();
	RequestAddinShmemSpace(sizeof(Slot) * SLOTS_MAX);
}

static void
progress_startup(void)
{
	bool		found;

	if (previous_startup_hook)
		previous_startup_hook();
	LWLockAcquire(AddinShmemInitLock, LW_EXCLUSIVE);
	slots = ShmemInitStruct("telco_ledger progress", sizeof(Slot) * SLOTS_MAX, &found);
	if (!found)
	{
		memset(slots, 0, sizeof(Slot) * SLOTS_MAX);
		for (int i = 0; i < SLOTS_MAX; i++)
		{
			SpinLockInit(&slots[i].mutex);
			pg_atomic_init_u64(&slots[i].done, 0);
		}
	}
	LWLockRelease(AddinShmemInitLock);
}

/* Take a slot, if one is free; the caller ends it also after an error. */
void
tl_proof_progress_begin(const char *mode, int table_count)
{
	if (!registered)
		before_shmem_exit(end_at_exit, (Datum) 0);
	registered = true;
	if (my_slot != NO_SLOT)
		tl_proof_progress_end();
	for (int i = 0; i < SLOTS_MAX && my_slot == NO_SLOT; i++)
	{
		Slot	   *slot = &slots[i];

		SpinLockAcquire(&slot->mutex);
		if (slot->pid == 0)
		{
			slot->pid = MyProcPid;
			slot->database = MyDatabaseId;
			strlcpy(slot->mode, mode, MODE_SIZE);
			slot->phase = TL_PHASE_SNAPSHOTS;
			slot->relation = InvalidOid;
			slot->table_count = table_count;
			slot->tables_done = 0;
			slot->total = 0;
			my_slot = i;
		}
		SpinLockRelease(&slot->mutex);
	}
	if (my_slot != NO_SLOT)
		pg_atomic_write_u64(&slots[my_slot].done, 0);
}

void
tl_proof_progress_end(void)
{
	if (my_slot == NO_SLOT)
		return;
	SpinLockAcquire(&slots[my_slot].mutex);
	if (slots[my_slot].pid == MyProcPid)
		slots[my_slot].pid = 0;
	SpinLockRelease(&slots[my_slot].mutex);
	my_slot = NO_SLOT;
}

static void
end_at_exit(int code, Datum argument)
{
	tl_proof_progress_end();
}

/* For parallel workers: what they do counts for the process that has the slot. */
int
tl_proof_progress_slot(void)
{
	return my_slot;
}

void
tl_proof_progress_join(int slot)
{
	my_slot = slot;
}

void
tl_proof_progress_phase(TlProofPhase phase, Oid relation, int64_t total)
{
	if (my_slot == NO_SLOT)
		return;
	SpinLockAcquire(&slots[my_slot].mutex);
	slots[my_slot].phase = phase;
	slots[my_slot].relation = relation;
	slots[my_slot].total = total;
	SpinLockRelease(&slots[my_slot].mutex);
	pg_atomic_write_u64(&slots[my_slot].done, 0);
}

void
tl_proof_progress_add(int64_t done)
{
	if (my_slot != NO_SLOT)
		pg_atomic_fetch_add_u64(&slots[my_slot].done, done);
}

void
tl_proof_progress_table_done(void)
{
	if (my_slot == NO_SLOT)
		return;
	SpinLockAcquire(&slots[my_slot].mutex);
	slots[my_slot].tables_done++;
	SpinLockRelease(&slots[my_slot].mutex);
}

static const char *
phase_name(TlProofPhase phase)
{
	switch (phase)
	{
		case TL_PHASE_SNAPSHOTS:
			return "snapshots";
		case TL_PHASE_BLOCKS:
			return "blocks";
		case TL_PHASE_DEFINITIONS:
			return "definitions";
		case TL_PHASE_ROWS:
			return "rows";
		case TL_PHASE_ROWS_EXACTLY:
			return "rows exactly";
	}
	return NULL;				/* keep the compiler quiet */
}

/* False if the slot is free, or of another database. */
static bool
copy_slot(int index, Slot *out)
{
	SpinLockAcquire(&slots[index].mutex);
	*out = slots[index];
	SpinLockRelease(&slots[index].mutex);
	return out->pid != 0 && out->database == MyDatabaseId;
}

/* ledger_internal.progress() */
Datum
tl_progress(PG_FUNCTION_ARGS)
{
	ReturnSetInfo *result;

	InitMaterializedSRF(fcinfo, 0);
	result = (ReturnSetInfo *) fcinfo->resultinfo;
	for (int i = 0; i < SLOTS_MAX && slots != NULL; i++)
	{
		Datum		values[8];
		bool		nulls[8] = {false};
		Slot		slot;

		if (!copy_slot(i, &slot))
			continue;
		values[0] = Int32GetDatum(slot.pid);
		values[1] = CStringGetTextDatum(slot.mode);
		values[2] = CStringGetTextDatum(phase_name(slot.phase));
		values[3] = ObjectIdGetDatum(slot.relation);
		nulls[3] = !OidIsValid(slot.relation);
		values[4] = Int64GetDatum((int64) pg_atomic_read_u64(&slots[i].done));
		values[5] = Int64GetDatum(slot.total);
		values[6] = Int32GetDatum(slot.tables_done);
		values[7] = Int32GetDatum(slot.table_count);
		tuplestore_putvalues(result->setResult, result->setDesc, values, nulls);
	}
	return (Datum) 0;
}
