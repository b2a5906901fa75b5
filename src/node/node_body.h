/*-------------------------------------------------------------------------
 *
 * node_body.h
 *	  The body of a batch: cut into chunks, and read from them.
 *
 *-------------------------------------------------------------------------
 */
#ifndef NODE_BODY_H
#define NODE_BODY_H

#include "chain_batch.h"
#include "chain_build.h"

/* The body of one section, chunk after chunk; in the caller's context. */
typedef struct TlBodyReader
{
	const TlBatchHeader *header;
	uint32_t	chunk;			/* the next one */
	uint16_t	section;
	StringInfoData buffer;
	int			position;		/* in it */
	uint64_t	ahead;			/* bytes of the section that are in no buffer yet */
} TlBodyReader;

extern bool tl_node_body_lock(bool wait);
extern void tl_node_body_store(TlBatchHeader *header, const TlBuiltBatch *batch);
extern void tl_node_body_batch(TlBatchHeader *out, TlHash *digest, uint64 row);
extern bool tl_node_body_is_here(const TlBatchHeader *header);
extern void tl_node_body_open(TlBodyReader *reader, const TlBatchHeader *header);
extern bool tl_node_body_next_section(TlBodyReader *reader);
extern uint64_t tl_node_body_left(const TlBodyReader *reader);
extern bool tl_node_body_read(TlBodyReader *reader, TlSpan *out, uint32_t size);

#endif							/* NODE_BODY_H */
