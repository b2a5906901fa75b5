/*-------------------------------------------------------------------------
 *
 * chain_state_store.h
 *	  The state of a ledger, stored.
 *
 *-------------------------------------------------------------------------
 */
#ifndef CHAIN_STATE_STORE_H
#define CHAIN_STATE_STORE_H

#include "chain_rows.h"
#include "chain_state.h"
#include "merkle_range.h"
#include "table_ref.h"

/*
 * In SQL, of a block b: the checkpoint that its header names, at byte 246, and the state
 * root after that, which a quorum has signed (R40 of src/consensus/README.md).
 */
#define TL_CHAIN_NAMED_CHECKPOINT "('x' || encode(substring(b.header FROM 247 FOR 8), 'hex'))::bit(64)::bigint"
#define TL_CHAIN_NAMED_ROOT "substring(b.header FROM 255 FOR 32)"

/* In SQL, the state root here after a block that is applied, and whether it is known at all. */
#define TL_CHAIN_STATE_ROOT(height) \
	"coalesce((SELECT s.state_root FROM ledger_internal.state AS s" \
	" WHERE s.height <= " height " ORDER BY s.height DESC LIMIT 1), sha256(''))"
#define TL_CHAIN_STATE_IS_KNOWN(height) \
	"NOT EXISTS (SELECT FROM ledger_internal.state AS s WHERE s.height > " height " AND s.unknown_after < " height ")"

/* The leaves of an outcome root as far as they have been read; all zero: not at all. */
typedef struct TlOutcomes
{
	int64_t		after;			/* the checkpoint behind which it begins */
	int64_t		height;			/* up to which blocks were read */
	int64_t		first;			/* block of the first leaf, if there is one */
	TlMerkleRange range;
} TlOutcomes;

extern bool tl_chain_state_load(TlSetHash *out, TlHash *digest,
								const uint8_t table_id[TL_TABLE_ID_SIZE]);
extern void tl_chain_state_store(const uint8_t table_id[TL_TABLE_ID_SIZE],
								 int64_t height, const TlSetHash *set);
extern char *tl_chain_state_damage(const uint8_t table_id[TL_TABLE_ID_SIZE],
								   int64_t height);
extern char *tl_chain_state_find_damage(int64_t height);
extern void tl_chain_state_root_now(TlHash *out, bool in_snapshot);
extern void tl_chain_state_store_root(int64_t height);
extern void tl_chain_state_forget_tables(void);
extern void tl_chain_state_begin_anew(int64_t height);
extern bool tl_chain_state_at(TlHash *out, int64_t height);
extern bool tl_chain_state_has_outcomes(int64_t after, int64_t height);
extern bool tl_chain_state_is_anew(int64_t height);
extern bool tl_chain_state_certified(TlHash *out, int64_t height);
extern bool tl_chain_state_is_certified(int64_t height, const TlHash *root);

extern void tl_chain_outcome_add(TlChainRows *rows, int64_t height, int number,
								 const uint8_t leaf[TL_OUTCOME_LEAF_SIZE]);
extern bool tl_chain_state_has_rejection(const TlRefBytes *ref, int64_t height,
										 const TlHash *batch, const TlHash *row);
extern void tl_chain_outcome_root(TlHash *out, TlOutcomes *kept, int64_t after,
								  int64_t height);

extern bool tl_chain_state_is_stopped(void);
extern bool tl_chain_state_stop(int64_t height, const char *reason);
extern bool tl_chain_state_go_on(const char *reason);

#endif							/* CHAIN_STATE_STORE_H */
