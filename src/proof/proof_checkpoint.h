/*-------------------------------------------------------------------------
 *
 * proof_checkpoint.h
 *	  A tree head as text that outsiders keep (C2SP tlog-checkpoint).
 *
 *-------------------------------------------------------------------------
 */
#ifndef PROOF_CHECKPOINT_H
#define PROOF_CHECKPOINT_H

#include "tl_status.h"
#include "tl_types.h"
#include "tl_wire.h"

#define TL_CHECKPOINT_SIZE_MAX	65536

typedef struct TlCheckpoint
{
	TlHash		chain_id;
	uint64_t	size;			/* blocks under the root: 0 .. size - 1 */
	TlHash		root;			/* history root of the block at height size */
} TlCheckpoint;

extern void tl_proof_checkpoint_encode(TlWriter *writer,
									   const TlCheckpoint *checkpoint);
extern TlStatus tl_proof_checkpoint_decode(TlCheckpoint *out,
										   const void *data, size_t size);

#endif							/* PROOF_CHECKPOINT_H */
