/*-------------------------------------------------------------------------
 *
 * replication_own_log.h
 *	  The own log: what this member has signed, byte for byte.
 *
 *-------------------------------------------------------------------------
 */
#ifndef REPLICATION_OWN_LOG_H
#define REPLICATION_OWN_LOG_H

#include "consensus_message.h"

/* Who signs, and where the log stands.  A value, like TlTip. */
typedef struct TlOwnLog
{
	uint32_t	member;
	uint16_t	incarnation;
	uint8_t		nonce[TL_NONCE_SIZE];
	TlHash		chain_id;
	uint64_t	sequence;		/* of the last row, 0 before the first */
	TlHash		digest;			/* of the last row */
} TlOwnLog;

typedef enum TlVoteSlot
{
	TL_VOTE_PROPOSE,
	TL_VOTE_NOTARIZE,
	TL_VOTE_PHASE2
} TlVoteSlot;

extern void tl_replication_own_log_load(TlOwnLog *log);
extern void tl_replication_own_log_append(TlOwnLog *log, TlLogKind kind,
										  uint64_t epoch, uint64_t view,
										  uint64_t height, TlSpan payload,
										  const uint8_t secret[TL_SECRET_SIZE]);
extern void tl_replication_own_log_forget_secret(void);
extern void tl_replication_own_log_take(TlOwnLog *log, const TlLogRow *row,
										uint64_t height, bool across);
extern void tl_replication_own_vote(uint64_t epoch, uint64_t view,
									TlVoteSlot slot, const TlHash *block, bool again);
extern uint64_t tl_replication_own_vote_last(uint64_t epoch);
extern void tl_replication_own_vote_prune(uint64_t epoch, uint64_t view);

#endif							/* REPLICATION_OWN_LOG_H */
