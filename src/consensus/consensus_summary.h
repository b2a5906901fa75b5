/*-------------------------------------------------------------------------
 *
 * consensus_summary.h
 *	  What the rows of a member's log up to one of them amount to (TL_INPUT_SUMMARY).
 *
 *-------------------------------------------------------------------------
 */
#ifndef CONSENSUS_SUMMARY_H
#define CONSENSUS_SUMMARY_H

#include "consensus_core.h"

#define TL_SUMMARY_SIZE_FIXED	122 /* without lanes */
#define TL_SUMMARY_SIZE_MAX		(TL_SUMMARY_SIZE_FIXED + \
								 TL_MEMBER_COUNT_MAX * TL_BLOCK_LANE_SIZE)

/* Of what the core was given so far; false if that is nothing of another's log. */
extern bool tl_consensus_summary(const TlConsensus *core, uint32_t member,
								 TlLogSummary *out);

extern TlStatus tl_consensus_summary_encode(TlWriter *writer,
											const TlLogSummary *summary);
extern TlStatus tl_consensus_summary_decode(TlLogSummary *out, const void *data,
											size_t size);

#endif							/* CONSENSUS_SUMMARY_H */
