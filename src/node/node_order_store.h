/*-------------------------------------------------------------------------
 *
 * node_order_store.h
 *	  What the core of consensus reads and leaves in tables.
 *
 *-------------------------------------------------------------------------
 */
#ifndef NODE_ORDER_STORE_H
#define NODE_ORDER_STORE_H

#include "chain_batch.h"
#include "consensus_types.h"
#include "replication_peer.h"

#define TL_ORDER_CHUNKS_MAX		64	/* of one batch */

/* Bodies that were submitted, and what stands for them in a batch. */
typedef struct TlSubmitted
{
	uint32_t	count;
	int64_t		positions[TL_ORDER_CHUNKS_MAX];
	uint8_t		entries[TL_ORDER_CHUNKS_MAX * TL_BATCH_CHUNK_SIZE];
} TlSubmitted;

/* A stored row of the own log, and which incarnation's. */
typedef struct TlOwnRow
{
	struct varlena *message;
	uint16_t	incarnation;
} TlOwnRow;

/* Where a row of the own log stands. */
typedef struct TlOwnPlace
{
	uint16_t	incarnation;
	uint64_t	sequence;
} TlOwnPlace;

extern void tl_node_order_load(TlConsensusConfig *config);
extern void tl_node_order_load_genesis(TlConsensusConfig *config);
extern void tl_node_order_standing(TlStanding *out, TlSpan bytes, unsigned count);
extern bool tl_node_order_store(const TlConsensusConfig *config, const TlAction *action,
								const TlStanding *standing);
extern void tl_node_order_keep(const TlConsensusBlock *block, TlSpan certificate,
							   const TlStanding *standing, unsigned count);
extern void tl_node_order_keep_standing(uint64_t height, const TlStanding *standing,
										unsigned count);
extern unsigned tl_node_order_nonces(uint8_t (*out)[TL_NONCE_SIZE], uint32_t member);
extern struct varlena **tl_node_order_read(uint32_t member,
										   const uint8_t nonce[TL_NONCE_SIZE],
										   uint64_t after, int limit, uint64 *count, bool *more);
extern TlOwnRow *tl_node_order_read_own(uint16_t incarnation, uint64_t after,
										int limit, uint64 *count, bool *more);
extern struct varlena **tl_node_order_read_before(uint32_t member,
												  const uint8_t nonce[TL_NONCE_SIZE],
												  uint64_t after, uint64_t first,
												  const TlConsensusConfig *config, int limit,
												  uint64 *count, bool *more);
extern TlOwnRow *tl_node_order_read_own_before(uint32_t member, const TlOwnPlace *after,
											   const TlOwnPlace *first,
											   const TlConsensusConfig *config, int limit,
											   uint64 *count, bool *more);
extern struct varlena **tl_node_order_read_lane(bool own, const TlLane *lane, int limit,
												uint64 *count);
extern bool tl_node_order_holds(const TlLogRow *row, TlLane *lane);
extern bool tl_node_order_had_own(const TlLogRow *row, const TlHash *chain_id);
extern bool tl_node_order_has_own(const TlLogRow *row, const TlHash *chain_id);
extern void tl_node_order_proposed(TlHash *out, const TlLogRow *row);
extern void tl_node_order_submitted(TlSubmitted *out);
extern void tl_node_order_taken(const TlSubmitted *submitted);

#endif							/* NODE_ORDER_STORE_H */
