/*-------------------------------------------------------------------------
 *
 * tl_error.c
 *	  From a status of the pure floors to PostgreSQL's error reports.
 *
 * The only bridge: pure code returns a TlStatus and never reports, backend
 * code reports and never invents a SQLSTATE of class TL.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "tl_error.h"

/* The five characters of tl_status_sqlstate, packed as errcode() wants them. */
int
tl_error_sqlstate(TlStatus status)
{
	const char *state = tl_status_sqlstate(status);

	return MAKE_SQLSTATE(state[0], state[1], state[2], state[3], state[4]);
}

void
tl_error_check(TlStatus status, const char *what)
{
	if (status == TL_OK)
		return;
	ereport(ERROR,
			errcode(tl_error_sqlstate(status)),
			errmsg("%s: %s", what, tl_status_text(status)));
}
