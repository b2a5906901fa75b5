/*-------------------------------------------------------------------------
 *
 * chain_state.h
 *	  The state of a ledger in a root: sets of rows, and what was rejected.
 *
 * Pure code: no PostgreSQL, no allocation.
 *
 *-------------------------------------------------------------------------
 */
#ifndef CHAIN_STATE_H
#define CHAIN_STATE_H

#include "crypto_set_hash.h"
#include "merkle_range.h"
#include "table_row.h"
#include "tl_status.h"
#include "tl_types.h"

#define TL_STATE_LEAF_SIZE		50
#define TL_OUTCOME_LEAF_SIZE	64
#define TL_SQLSTATE_SIZE		5

/* A state root in the making: the tables in order of their ids. */
typedef struct TlStateTree
{
	TlMerkleRange range;
	bool		begun;			/* last_id counts */
	uint8_t		last_id[TL_TABLE_ID_SIZE];
	TlHash		empty;			/* digest of a table without rows */
} TlStateTree;

/* A row that a block ordered and no member took. */
typedef struct TlRejection
{
	uint64_t	height;
	uint8_t		ref[TL_REF_SIZE];
	char		sqlstate[TL_SQLSTATE_SIZE];
	TlHash		batch;			/* digest of its header */
	TlHash		row;			/* its leaf hash */
} TlRejection;

/* A batch of which no member took any row. */
typedef struct TlRefusedBatch
{
	uint64_t	height;
	char		sqlstate[TL_SQLSTATE_SIZE];
	TlHash		batch;			/* digest of its header */
} TlRefusedBatch;

/* What became of a call that a block ordered. */
typedef struct TlCallOutcome
{
	uint64_t	height;
	uint8_t		ref[TL_REF_SIZE];
	char		sqlstate[TL_SQLSTATE_SIZE];
	TlHash		words;			/* leaf hash of the contract's own ones */
} TlCallOutcome;

/* A timer that a block has run; at is in microseconds since 1970. */
typedef struct TlTimerOutcome
{
	TlCallOutcome call;			/* ref: 0.0.height.number, as of a call */
	const char *contract;
	const char *handler;
	const char *key;
	int64_t		at;
} TlTimerOutcome;

/* What a call, a handler of rows or a timer has told; the number is that in the block. */
typedef struct TlEventLeaf
{
	uint64_t	height;
	uint8_t		ref[TL_REF_SIZE];	/* of the call, row or timer */
	uint32_t	number;			/* from 1 */
	const char *contract;
	const char *name;
	TlSpan		payload;		/* UTF-8 */
} TlEventLeaf;

extern TlStatus tl_chain_state_row_element(TlHash *out, const void *row,
										   size_t size);

extern void tl_chain_state_init(TlStateTree *tree);
extern TlStatus tl_chain_state_add(TlStateTree *tree,
								   const uint8_t table_id[TL_TABLE_ID_SIZE],
								   const TlHash *digest);
extern void tl_chain_state_root(TlHash *out, const TlStateTree *tree);

extern TlStatus tl_chain_state_rejection(uint8_t leaf[TL_OUTCOME_LEAF_SIZE],
										 const TlRejection *rejection);
extern void tl_chain_state_rejected_row(TlHash *out, const TlHash *batch, const TlHash *row);
extern TlStatus tl_chain_state_refused_batch(uint8_t leaf[TL_OUTCOME_LEAF_SIZE],
											 const TlRefusedBatch *refused);
extern TlStatus tl_chain_state_outcome(uint8_t leaf[TL_OUTCOME_LEAF_SIZE],
									   const TlCallOutcome *outcome);
extern TlStatus tl_chain_state_timer(uint8_t leaf[TL_OUTCOME_LEAF_SIZE],
									 const TlTimerOutcome *outcome);
extern TlStatus tl_chain_state_event(uint8_t leaf[TL_OUTCOME_LEAF_SIZE],
									 const TlEventLeaf *event);

#endif							/* CHAIN_STATE_H */
