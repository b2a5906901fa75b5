/*-------------------------------------------------------------------------
 *
 * tl_attempt.c
 *	  Work that may fail, and is undone then.
 *
 * In a subtransaction.  Which errors say something about what was tried, and
 * which about the server, each caller knows: it throws the latter on
 * (ReThrowError), and no error is lost here.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/xact.h"
#include "utils/memutils.h"
#include "utils/resowner.h"

#include "tl_attempt.h"

/* In the current memory context.  NULL, or the ERROR, copied there. */
ErrorData *
tl_attempt(TlWork work, void *argument)
{
	MemoryContext context = CurrentMemoryContext;
	ResourceOwner owner = CurrentResourceOwner;
	ErrorData  *volatile error = NULL;

	BeginInternalSubTransaction(NULL);
	MemoryContextSwitchTo(context);
	PG_TRY();
	{
		if (work(argument))
			ReleaseCurrentSubTransaction();
		else
			RollbackAndReleaseCurrentSubTransaction();
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
