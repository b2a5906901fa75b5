/*-------------------------------------------------------------------------
 *
 * node_order_epoch.h
 *	  From one set of members to the next, as tables keep it.
 *
 *-------------------------------------------------------------------------
 */
#ifndef NODE_ORDER_EPOCH_H
#define NODE_ORDER_EPOCH_H

#include "consensus_types.h"
#include "crypto_curve.h"

/* An approval that somebody has asked for, signed. */
typedef struct TlApprovalAsked
{
	int64_t		number;			/* in ledger_internal.approval_asked */
	TlSpan		payload;		/* of a GOVERN row */
} TlApprovalAsked;

extern void tl_node_order_epochs(TlConsensusConfig *config);
extern void tl_node_order_epoch_store(const TlConsensusConfig *config,
									  const TlAction *action, uint64_t height);
extern bool tl_node_order_approval(TlApprovalAsked *out,
								   const TlConsensusConfig *config,
								   uint32_t approvals,
								   const uint8_t secret[TL_SECRET_SIZE]);
extern void tl_node_order_approved(const TlApprovalAsked *asked);
extern void tl_node_order_follow_addresses(void);
extern void tl_node_order_follow_keys(void);
extern void tl_node_order_check_trusted(const TlConsensusBlock *block);

#endif							/* NODE_ORDER_EPOCH_H */
