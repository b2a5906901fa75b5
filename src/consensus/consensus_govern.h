/*-------------------------------------------------------------------------
 *
 * consensus_govern.h
 *	  What members decide about their ledger: motions, and approvals of them.
 *
 *-------------------------------------------------------------------------
 */
#ifndef CONSENSUS_GOVERN_H
#define CONSENSUS_GOVERN_H

#include "chain_member.h"
#include "consensus_message.h"

#define TL_MOTION_TEXT_SIZE_MAX		4096
#define TL_MOTION_SIZE_MAX			(128 * 1024)
#define TL_MOTION_DRIFT_MS_MAX		(60 * 60 * 1000)
#define TL_GOVERN_SIZE_FIXED		73	/* without the motion */
#define TL_GOVERN_SIZE_MAX			(TL_GOVERN_SIZE_FIXED + TL_MOTION_SIZE_MAX)

/* What is to be decided.  The numbers are part of the format. */
typedef enum TlMotionKind
{
	TL_MOTION_CHANGE = 1,		/* members, keys, parameters: opens an epoch */
	TL_MOTION_DEPLOY = 2,		/* a contract */
	TL_MOTION_SKIP = 3			/* a call that cannot be executed */
} TlMotionKind;

typedef struct TlMotion
{
	uint8_t		kind;			/* a TlMotionKind */
	uint64_t	epoch;			/* in which it may be decided */
	TlSpan		text;			/* why, for people; UTF-8 */
	/* TL_MOTION_CHANGE: parameters of the next epoch, all of them */
	uint8_t		quorum_of_three;	/* 2 or 3 */
	uint32_t	drift_ms;
	uint32_t	checkpoint_interval;
	uint16_t	protocol;
	uint8_t		removed_count;
	TlSpan		removed;		/* numbers u32, ascending */
	uint8_t		set_count;
	TlSpan		set;			/* per member, ascending by number: size u16, leaf
								 * (chain_member.h); new ones, and new leaves of
								 * members */
	/* the others */
	TlHash		subject;		/* what is deployed or skipped */
} TlMotion;

/* The payload of GOVERN. */
typedef struct TlGovern
{
	uint32_t	number;			/* of this member's approvals in the epoch */
	uint8_t		approval[TL_SIGNATURE_SIZE];	/* by the governance key */
	TlSpan		motion;			/* encoded */
} TlGovern;

extern TlStatus tl_consensus_motion_encode(TlWriter *writer,
										   const TlMotion *motion);

/* text, removed and set point into data afterwards. */
extern TlStatus tl_consensus_motion_decode(TlMotion *out,
										   const void *data, size_t size);

extern TlStatus tl_consensus_govern_encode(TlWriter *writer,
										   const TlGovern *govern);

/* The motion inside is not looked at. */
extern TlStatus tl_consensus_govern_decode(TlGovern *out,
										   const void *data, size_t size);

/* By which a motion is known, and what an approval signs. */
extern void tl_consensus_motion_digest(TlHash *out, TlSpan motion);
extern void tl_consensus_approval_digest(TlHash *out, const TlHash *chain_id,
										 uint32_t member, uint64_t epoch,
										 uint32_t number, const TlHash *motion);

#endif							/* CONSENSUS_GOVERN_H */
