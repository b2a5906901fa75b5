/*-------------------------------------------------------------------------
 *
 * tl_status.c
 *	  Texts and SQLSTATEs of the status codes.  Pure code.
 *
 *-------------------------------------------------------------------------
 */
#include "tl_status.h"

static const char *const status_text[] = {
#define TL_STATUS_TEXT(code, sqlstate, text) text,
	TL_STATUS_LIST(TL_STATUS_TEXT)
#undef TL_STATUS_TEXT
};

static const char *const status_sqlstate[] = {
#define TL_STATUS_STATE(code, sqlstate, text) sqlstate,
	TL_STATUS_LIST(TL_STATUS_STATE)
#undef TL_STATUS_STATE
};

/* The sentence for a code; an unknown code is a bug and is called one. */
const char *
tl_status_text(TlStatus status)
{
	if ((unsigned) status >= TL_STATUS_COUNT)
		status = TL_BUG;
	return status_text[status];
}

/* The five characters for a code. */
const char *
tl_status_sqlstate(TlStatus status)
{
	if ((unsigned) status >= TL_STATUS_COUNT)
		status = TL_BUG;
	return status_sqlstate[status];
}
