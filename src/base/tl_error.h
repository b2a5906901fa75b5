/*-------------------------------------------------------------------------
 *
 * tl_error.h
 *	  From a status of the pure floors to PostgreSQL's error reports.
 *
 * Included by backend files after postgres.h.
 *
 *-------------------------------------------------------------------------
 */
#ifndef TL_ERROR_H
#define TL_ERROR_H

#include "tl_compat.h"
#include "tl_status.h"

/* For errcode(): the SQLSTATE that tl_status.h gives to a status. */
#define TL_ERRCODE(status)	tl_error_sqlstate(status)

extern int	tl_error_sqlstate(TlStatus status);

/*
 * Report an ERROR "what: text of the status" unless the status is TL_OK.
 *
 * For statuses that need no advice; a place that can tell the user what to do
 * calls ereport itself, with TL_ERRCODE, DETAIL and HINT.
 */
extern void tl_error_check(TlStatus status, const char *what);

/* The error of whatever needs a node. */
tl_noreturn extern void tl_error_not_a_node(void);

/* In an ereport about stored bytes that do not fit: how to see all of it. */
extern int	tl_error_hint_damaged(void);

#endif							/* TL_ERROR_H */
