/*-------------------------------------------------------------------------
 *
 * tl_attempt.h
 *	  Work that may fail, and is undone then.
 *
 * Included by backend files after postgres.h.
 *
 *-------------------------------------------------------------------------
 */
#ifndef TL_ATTEMPT_H
#define TL_ATTEMPT_H

/* False: it did not fail, and is to be undone all the same. */
typedef bool (*TlWork) (void *argument);

extern ErrorData *tl_attempt(TlWork work, void *argument);

#endif							/* TL_ATTEMPT_H */
