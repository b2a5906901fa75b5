/*-------------------------------------------------------------------------
 *
 * tap3_status.c
 *	  The texts of tap3_status.h.
 *
 * Pure code: no PostgreSQL.
 *
 *-------------------------------------------------------------------------
 */
#include "tap3_status.h"

static const char *const status_texts[TAP3_STATUS_COUNT] = {
#define TAP3_STATUS_TEXT(code, text) text,
	TAP3_STATUS_LIST(TAP3_STATUS_TEXT)
#undef TAP3_STATUS_TEXT
};

const char *
tap3_status_text(Tap3Status status)
{
	if ((unsigned) status >= TAP3_STATUS_COUNT)
		return "unknown status";
	return status_texts[status];
}
