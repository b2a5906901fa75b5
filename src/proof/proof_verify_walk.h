/*-------------------------------------------------------------------------
 *
 * proof_verify_walk.h
 *	  A walk along the ref index of a ledger table, from ref to ref.
 *
 *-------------------------------------------------------------------------
 */
#ifndef PROOF_VERIFY_WALK_H
#define PROOF_VERIFY_WALK_H

#include "executor/tuptable.h"
#include "utils/rel.h"
#include "utils/snapshot.h"

#include "table_ref.h"

typedef struct TlRefWalk TlRefWalk;

extern TlRefWalk *tl_proof_walk_open(Relation relation, AttrNumber ref_attribute,
									 Snapshot snapshot);
extern void tl_proof_walk_close(TlRefWalk *walk);
extern TupleTableSlot *tl_proof_walk_find(TlRefWalk *walk, const TlRefBytes *ref);
extern bool tl_proof_walk_alone(TlRefWalk *walk, const TlRefBytes *ref);

#endif							/* PROOF_VERIFY_WALK_H */
