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

void
tl_error_not_a_node(void)
{
	ereport(ERROR,
			errcode(tl_error_sqlstate(TL_NOT_A_NODE)),
			errmsg("this database is not a node of a ledger"),
			errhint("Run SELECT ledger.create_node('TADIG code or name of the member') first, or restore a complete dump of a node."));
}

int
tl_error_hint_damaged(void)
{
	return errhint("Run SELECT * FROM ledger.verify(mode => 'full').");
}
