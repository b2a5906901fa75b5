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

typedef void (*TlWork) (void *argument);

extern ErrorData *tl_attempt(TlWork work, void *argument, const bool *undone);

#endif							/* TL_ATTEMPT_H */
