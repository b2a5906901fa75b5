/*-------------------------------------------------------------------------
 *
 * chain_genesis.h
 *	  The block that a ledger starts with: purpose, parameters, founders.
 *
 *-------------------------------------------------------------------------
 */
#ifndef CHAIN_GENESIS_H
#define CHAIN_GENESIS_H

#include "chain_block.h"
#include "chain_member.h"

#define TL_GENESIS_BODY_SIZE_MAX \
	(15 + TL_MEMBER_COUNT_MAX * (2 + TL_MEMBER_LEAF_SIZE_MAX))

/* What the ledger is for.  The numbers are part of the format. */
typedef enum TlPurpose
{
	TL_PURPOSE_PRODUCTION = 0,
	TL_PURPOSE_TEST = 1			/* may be disposed of */
} TlPurpose;

typedef struct TlGenesis
{
	uint8_t		purpose;		/* a TlPurpose */
	uint32_t	checkpoint_interval;	/* blocks between state checkpoints */
	uint32_t	clock_drift_ms; /* of a block's time, allowed to voters */
	uint8_t		quorum_of_three;	/* 2 or 3, see consensus_quorum.h */
	uint16_t	member_count;	/* from 1 */
	TlMember	members[TL_MEMBER_COUNT_MAX];	/* ascending by number */
} TlGenesis;

/* The default parameters, no members. */
extern void tl_chain_genesis_init(TlGenesis *genesis, TlPurpose purpose);

extern TlStatus tl_chain_genesis_encode(TlWriter *writer,
										const TlGenesis *genesis);

/* Names and roles of the members point into data afterwards. */
extern TlStatus tl_chain_genesis_decode(TlGenesis *out,
										const void *data, size_t size);

/* The block at height 0 that founder makes at that time. */
extern TlStatus tl_chain_genesis_header(TlBlockHeader *out,
										const TlGenesis *genesis,
										uint32_t founder, int64_t time);

/*
 * TL_OK if these bytes are the genesis of that chain: the header is the one
 * that the body demands and its hash is the chain id.
 */
extern TlStatus tl_chain_genesis_check(TlGenesis *out, const TlHash *chain_id,
									   const void *header, size_t header_size,
									   const void *body, size_t body_size);

#endif							/* CHAIN_GENESIS_H */
