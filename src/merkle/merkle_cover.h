/*-------------------------------------------------------------------------
 *
 * merkle_cover.h
 *	  One proof for many leaves of a tree.
 *
 * Pure code: no PostgreSQL, no allocation.
 *
 *-------------------------------------------------------------------------
 */
#ifndef MERKLE_COVER_H
#define MERKLE_COVER_H

#include "merkle_proof.h"
#include "merkle_range.h"
#include "tl_wire.h"

/* Write the nodes that cover the leaves from .. to - 1, in order. */
extern TlStatus tl_merkle_cover_write(TlWriter *nodes, uint64_t from,
									  uint64_t to, TlMerkleNodeReader reader,
									  void *context);

/*
 * Append to the range, from the nodes, all leaves below `to`: those between
 * the leaf appended last and the next one.  TL_BAD_PROOF if they are not there.
 */
extern TlStatus tl_merkle_cover_read(TlMerkleRange *range, uint64_t to,
									 TlReader *nodes);

#endif							/* MERKLE_COVER_H */
