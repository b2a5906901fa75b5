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

extern TimestampTz tl_proof_scrub_due(int period_s);
extern void tl_proof_scrub_begin(void);
extern TimestampTz tl_proof_scrub_started_at(void);
extern bool tl_proof_scrub_step(void);

#endif							/* PROOF_SCRUB_H */
