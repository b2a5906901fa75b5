/*-------------------------------------------------------------------------
 *
 * replication_store.h
 *	  What came from a peer is checked here, and kept or refused.
 *
 *-------------------------------------------------------------------------
 */
#ifndef REPLICATION_STORE_H
#define REPLICATION_STORE_H

#include "chain_block.h"
#include "replication_peer.h"

typedef enum TlVerdict
{
	TL_ROW_KEPT,				/* the next of its log, or one that was passed over */
	TL_ROW_KNOWN,				/* byte for byte what is kept */
	TL_ROW_AHEAD,				/* validly signed, but rows before it lack */
	TL_ROW_CONTRADICTS,			/* validly signed, another row is in its place */
	TL_ROW_REFUSED				/* not validly signed or not chained */
} TlVerdict;

/*
 * What the consensus core has to be told, in the transaction that keeps it.
 * Each is one input of consensus_types.h; a NULL is not called.
 */
typedef struct TlSink
{
	void	   *context;
	void		(*row) (void *context, const TlLogRow *row);	/* TL_INPUT_ROW */
	void		(*held) (void *context, const TlLane *lane);	/* TL_INPUT_HELD */
	void		(*loose) (void *context, const TlLogRow *row);	/* TL_INPUT_LOOSE_ROW */
	void		(*later) (void *context);	/* somebody shows an own row of a later
										 * epoch, which cannot be checked yet */
	void		(*last_seen) (void *context, uint32_t member,
							  const TlLogRow *row); /* TL_INPUT_LAST_SEEN; NULL: he
													 * has none */
	void		(*contradiction) (void *context, const TlLogRow *row,
								  const TlLogRow *other);	/* TL_INPUT_CONTRADICTION */
	void		(*request) (void *context, const TlLogRow *row);	/* TL_INPUT_REQUEST */
	void		(*reply) (void *context, const TlLogRow *row);	/* TL_INPUT_REPLY */
	void		(*own) (void *context, const TlLogRow *row);	/* of the own log, as
																 * a wire has it */
	void		(*asked) (void *context);	/* ledger_internal.asked_body has grown */
	TlSpan		(*offer) (void *context, uint64_t after);	/* final blocks beyond that
														 * height, for who asks */
	const char *(*offered) (void *context, uint32_t member, uint64_t after,
							const void *data, size_t size); /* TL_INPUT_OFFER, those beyond that
															 * height; or what is wrong with it */
	TlSpan		(*piece) (void *context, uint32_t member, uint64_t height, uint32_t number);	/* of a state,
																							 * for that member */
	void		(*piece_came) (void *context, const void *data, size_t size);	/* which was asked for;
																			 * NULL: it has not
																			 * come; in a
																			 * transaction */
} TlSink;

/* What a row can be asked for by. */
typedef enum TlWantKind
{
	TL_WANT_BLOCK,				/* PROPOSE, by the hash of its block */
	TL_WANT_BATCH,				/* BATCH, by the digest of its header */
	TL_WANT_ROW					/* any other, by its own digest */
} TlWantKind;

extern TlVerdict tl_replication_store_row(TlPeer *peer, const TlHash *chain_id,
										  uint64_t epoch, const void *data,
										  size_t size, const char **reason,
										  const TlSink *sink);
extern bool tl_replication_store_loose(const TlPeer *peer, const TlHash *chain_id,
									   uint64_t epoch, const void *data, size_t size,
									   TlWantKind kind, const TlHash *digest,
									   const TlSink *sink);
extern void tl_replication_store_wanted(const TlLogRow *row, const TlSink *sink);
extern void tl_replication_store_refused(uint32_t member, const char *reason,
										 const void *data, size_t size);
extern bool tl_replication_store_chunk(const void *data, size_t size,
									   const TlSink *sink);
extern bool tl_replication_store_has_bodies(const TlHash *batch);
extern void tl_replication_store_position(uint32_t member, const uint8_t wire[16],
										  int64_t arrival);
extern void tl_replication_store_load_logs(TlPeer *peer, const uint8_t wire[16]);

#endif							/* REPLICATION_STORE_H */
