/*-------------------------------------------------------------------------
 *
 * proof_scrub.h
 *	  A full verification in small steps, that goes on where it stopped.
 *
 *-------------------------------------------------------------------------
 */
#ifndef PROOF_SCRUB_H
#define PROOF_SCRUB_H

#include "datatype/timestamp.h"

/* Of a run that has come to its end. */
typedef struct TlStepped
{
	int64_t		verification;	/* its row in ledger.verification */
	int64_t		problems;
	int64_t		rows;
} TlStepped;

extern TimestampTz tl_proof_scrub_due(int period_s);
extern void tl_proof_scrub_begin(const char *mode, bool anew);
extern TimestampTz tl_proof_scrub_started_at(const char *mode);
extern bool tl_proof_scrub_step(const char *mode, int units, TlStepped *out);

#endif							/* PROOF_SCRUB_H */
