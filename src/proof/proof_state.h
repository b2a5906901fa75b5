/*-------------------------------------------------------------------------
 *
 * proof_state.h
 *	  The set hash of a shared table, computed again from its rows.
 *
 *-------------------------------------------------------------------------
 */
#ifndef PROOF_STATE_H
#define PROOF_STATE_H

#include "utils/snapshot.h"

#include "chain_state.h"
#include "proof_verify.h"

extern void tl_proof_state_scan(TlSetHash *out, uint8_t table_id[TL_TABLE_ID_SIZE],
								Oid relation, uint32_t member,
								int64_t applied_height, Snapshot snapshot);
extern void tl_proof_verify_state(TlVerification *run, List *tables);
extern int64_t tl_proof_verify_range_end(int64_t after, int outcome_count);
extern void tl_proof_verify_events(TlVerification *run);

#endif							/* PROOF_STATE_H */
