/*-------------------------------------------------------------------------
 *
 * chain_batch.h
 *	  Batch headers: what one member adds to the ledger at once.
 *
 *-------------------------------------------------------------------------
 */
#ifndef CHAIN_BATCH_H
#define CHAIN_BATCH_H

#include "tl_limits.h"
#include "tl_status.h"
#include "tl_types.h"
#include "tl_wire.h"

#define TL_BATCH_SIZE_FIXED		134 /* without chunks */
#define TL_BATCH_CHUNK_SIZE		38	/* of one entry in the chunk list */

/* A piece of a section's body, named by its hash. */
typedef struct TlBatchChunk
{
	uint16_t	section;		/* from 0 */
	uint32_t	size;			/* bytes of the body's piece */
	TlHash		hash;
} TlBatchChunk;

typedef struct TlBatchHeader
{
	TlHash		chain_id;
	uint32_t	member;
	uint16_t	incarnation;
	uint64_t	batch;			/* from 1 */
	uint32_t	attempt;
	TlHash		previous;		/* digest of batch - 1, zeros before the first */
	int64_t		snapshot_time;	/* us since 1970 UTC */
	uint32_t	waiting_age_s;	/* of the oldest waiting row */
	uint16_t	section_count;	/* from 1 */
	TlHash		root;			/* over the section leaves */
	uint32_t	chunk_count;	/* 0 if all sections are private */
	TlSpan		chunks;			/* chunk_count encoded entries */
} TlBatchHeader;

extern TlStatus tl_chain_batch_encode(TlWriter *writer,
									  const TlBatchHeader *header);
extern TlStatus tl_chain_batch_decode(TlBatchHeader *out,
									  const void *data, size_t size);

/* The leaf hash in the block's tree, over the encoded header. */
extern void tl_chain_batch_digest(TlHash *out, const void *data, size_t size);

/*
 * Bodies that were submitted by themselves, the source of a contract among them:
 * there is no section of rows, the root is the leaf hash of what names the chunks.
 */
extern bool tl_chain_batch_is_submitted(const TlBatchHeader *header);

/* One entry of the list that header.chunks holds encoded. */
extern void tl_chain_batch_put_chunk(TlWriter *writer,
									 const TlBatchChunk *chunk);
extern TlStatus tl_chain_batch_get_chunk(TlBatchChunk *out,
										 const TlBatchHeader *header,
										 uint32_t index);

#endif							/* CHAIN_BATCH_H */
