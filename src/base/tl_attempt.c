/*-------------------------------------------------------------------------
 *
 * tl_attempt.c
 *	  Work that may fail, and is undone then.
 *
 * In a subtransaction.  Which errors say something about what was tried, and
 * which about the server, each caller knows; it throws on what is not for it to
 * answer (ReThrowError).  A script with parts that are kept for themselves has its
 * own way (contract_run.c).
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/xact.h"
#include "utils/memutils.h"
#include "utils/resowner.h"

#include "tl_attempt.h"

/*
 * NULL, or the ERROR.  The work runs in the memory context of the caller, and the
 * error is copied there.  If it sets *undone (NULL: it cannot) it is undone without
 * an error.  What no subtransaction puts back, static state, it puts back itself.
 */
ErrorData *
tl_attempt(TlWork work, void *argument, const bool *undone)
{
	MemoryContext context = CurrentMemoryContext;
	ResourceOwner owner = CurrentResourceOwner;
	ErrorData  *volatile error = NULL;

	BeginInternalSubTransaction(NULL);
	MemoryContextSwitchTo(context);
	PG_TRY();
	{
		work(argument);
		if (undone != NULL && *undone)
			RollbackAndReleaseCurrentSubTransaction();
		else
			ReleaseCurrentSubTransaction();
	}
	PG_CATCH();
	{
		MemoryContextSwitchTo(context);
		error = CopyErrorData();
		FlushErrorState();
		RollbackAndReleaseCurrentSubTransaction();
	}
	PG_END_TRY();
	MemoryContextSwitchTo(context);
	CurrentResourceOwner = owner;
	return error;
}
