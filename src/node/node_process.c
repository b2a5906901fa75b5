/*-------------------------------------------------------------------------
 *
 * node_process.c
 *	  Processes that the worker of a database has beside itself: the scrub, the
 *	  wire.  And what they and the worker keep of their memory.
 *
 * Each ends by itself or by ERROR and is never restarted by the postmaster; its
 * end sets the worker's latch, and the worker decides whether and when there
 * is another one.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#ifdef __GLIBC__
#include <malloc.h>
#endif

#include "miscadmin.h"
#include "utils/memutils.h"

#include "node_process.h"

/* Chunks of bodies are received, copied and stored in buffers of up to 4 MB. */
#define KEPT_MEMORY		33554432

/* NULL, and a WARNING, if the server has no room for it. */
BackgroundWorkerHandle *
tl_node_process_start(const char *what, const char *function)
{
	BackgroundWorker worker;
	BackgroundWorkerHandle *handle = NULL;
	MemoryContext caller = MemoryContextSwitchTo(TopMemoryContext);

	memset(&worker, 0, sizeof(worker));
	worker.bgw_flags = BGWORKER_SHMEM_ACCESS | BGWORKER_BACKEND_DATABASE_CONNECTION;
	worker.bgw_start_time = BgWorkerStart_RecoveryFinished;
	worker.bgw_restart_time = BGW_NEVER_RESTART;
	worker.bgw_main_arg = ObjectIdGetDatum(MyDatabaseId);
	worker.bgw_notify_pid = MyProcPid;
	strlcpy(worker.bgw_library_name, "telco_ledger", sizeof(worker.bgw_library_name));
	strlcpy(worker.bgw_function_name, function, sizeof(worker.bgw_function_name));
	snprintf(worker.bgw_name, sizeof(worker.bgw_name), "telco_ledger %s of database %u",
			 what, MyDatabaseId);
	snprintf(worker.bgw_type, sizeof(worker.bgw_type), "telco_ledger %s", what);
	if (!RegisterDynamicBackgroundWorker(&worker, &handle))
	{
		handle = NULL;
		ereport(WARNING,
				errmsg("no background worker slot is free for the %s of this ledger", what),
				errhint("Increase max_worker_processes and restart the server."));
	}
	MemoryContextSwitchTo(caller);
	return handle;
}

/* Has it ended?  Then its handle is freed, and NULL. */
bool
tl_node_process_has_ended(BackgroundWorkerHandle **handle)
{
	pid_t		pid;

	if (GetBackgroundWorkerPid(*handle, &pid) != BGWH_STOPPED)
		return false;
	pfree(*handle);
	*handle = NULL;
	return true;
}

/*
 * The process frees and takes large buffers all the time: let it keep them, or the
 * kernel takes them back and gives it pages full of zeros each time.
 */
void
tl_node_process_keep_memory(void)
{
#ifdef __GLIBC__
	(void) mallopt(M_MMAP_THRESHOLD, KEPT_MEMORY);
	(void) mallopt(M_TRIM_THRESHOLD, KEPT_MEMORY);
#endif
}
