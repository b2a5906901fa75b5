/*-------------------------------------------------------------------------
 *
 * replication_status.c
 *	  Shared memory: what the wire's process knows of each peer's link.
 *
 * Written by the process of the wire, read by ledger.peer.  It is lost with
 * the server and nobody misses it.
 *
 * One LWLock, held only to copy.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "miscadmin.h"
#include "storage/ipc.h"
#include "storage/shmem.h"

#include "replication_status.h"

#define TRANCHE_NAME	"telco_ledger wire"

static LWLock *lock = NULL;
static TlLinkStatus *statuses = NULL;

static shmem_request_hook_type previous_request_hook = NULL;
static shmem_startup_hook_type previous_startup_hook = NULL;

static void status_request(void);
static void status_startup(void);

void
tl_replication_status_init(void)
{
	previous_request_hook = shmem_request_hook;
	shmem_request_hook = status_request;
	previous_startup_hook = shmem_startup_hook;
	shmem_startup_hook = status_startup;
}

static void
status_request(void)
{
	if (previous_request_hook)
		previous_request_hook();
	RequestAddinShmemSpace(mul_size(sizeof(TlLinkStatus), TL_LINK_STATUS_MAX));
	RequestNamedLWLockTranche(TRANCHE_NAME, 1);
}

static void
status_startup(void)
{
	bool		found;

	if (previous_startup_hook)
		previous_startup_hook();
	LWLockAcquire(AddinShmemInitLock, LW_EXCLUSIVE);
	statuses = ShmemInitStruct("telco_ledger wire status",
							   sizeof(TlLinkStatus) * TL_LINK_STATUS_MAX, &found);
	if (!found)
		memset(statuses, 0, sizeof(TlLinkStatus) * TL_LINK_STATUS_MAX);
	lock = &GetNamedLWLockTranche(TRANCHE_NAME)->lock;
	LWLockRelease(AddinShmemInitLock);
}

int
tl_replication_status_list(Oid database, TlLinkStatus *out, int count_max)
{
	int			count = 0;

	LWLockAcquire(lock, LW_SHARED);
	for (int i = 0; i < TL_LINK_STATUS_MAX && count < count_max; i++)
		if (statuses[i].database == database)
			out[count++] = statuses[i];
	LWLockRelease(lock);
	return count;
}

/* A server with more peers than there is room for shows only the first. */
void
tl_replication_status_put(const TlLinkStatus *status)
{
	int			place = -1;

	LWLockAcquire(lock, LW_EXCLUSIVE);
	for (int i = 0; i < TL_LINK_STATUS_MAX; i++)
	{
		if (statuses[i].database == status->database &&
			statuses[i].member == status->member)
		{
			place = i;
			break;
		}
		if (place < 0 && statuses[i].database == InvalidOid)
			place = i;
	}
	if (place >= 0)
		statuses[place] = *status;
	LWLockRelease(lock);
}

void
tl_replication_status_free(Oid database)
{
	LWLockAcquire(lock, LW_EXCLUSIVE);
	for (int i = 0; i < TL_LINK_STATUS_MAX; i++)
		if (statuses[i].database == database)
			memset(&statuses[i], 0, sizeof(statuses[i]));
	LWLockRelease(lock);
}

const char *
tl_replication_link_state_name(TlLinkState state)
{
	static const char *const names[] = {
		"starting", "no address", "no wire", "no slot", "refused", "stopped", "connecting", "streaming"
	};

	return names[state];
}
