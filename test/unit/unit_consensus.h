/*-------------------------------------------------------------------------
 *
 * unit_consensus.h
 *	  What a core of consensus is made of: members, pace, and the genesis block.
 *
 * A test that needs something else changes it afterwards, what goes into the header
 * of genesis before unit_consensus_genesis.
 *
 *-------------------------------------------------------------------------
 */
#ifndef UNIT_CONSENSUS_H
#define UNIT_CONSENSUS_H

#include "consensus_core.h"
#include "unit.h"

#include <stdlib.h>
#include <string.h>

#define UNIT_TIMER_US	INT64_C(100000)

/* Validators 1 to count, whose keys nobody has; the core's own is the first. */
static inline void
unit_consensus_config(TlConsensusConfig *config, unsigned count)
{
	memset(config, 0, sizeof(*config));
	config->member = 1;
	config->member_count = count;
	for (unsigned i = 0; i < count; i++)
	{
		config->members[i].number = i + 1;
		config->members[i].row_key[0] = (uint8_t) (i + 1);
		config->members[i].validator = true;
	}
	config->drift_us = 1000000;
	config->view_count = 8;
	config->lane_length = 4;
	config->pace.timer_us = config->pace.fetch_us = UNIT_TIMER_US;
	config->pace.timer_max_us = config->pace.active_us = 10 * UNIT_TIMER_US;
	config->pace.dead_us = UNIT_TIMER_US / 2;
}

/* Secrets for them. */
static inline void
unit_consensus_keys(TlConsensusConfig *config, uint8_t (*secrets)[TL_SECRET_SIZE])
{
	for (unsigned i = 0; i < config->member_count; i++)
	{
		secrets[i][TL_SECRET_SIZE - 1] = (uint8_t) (i + 1);
		UNIT_CHECK(tl_crypto_xonly_key(config->members[i].row_key, secrets[i]) == TL_OK);
	}
}

/* The base is genesis. */
static inline void
unit_consensus_genesis(TlConsensusConfig *config)
{
	TlConsensusBlock *genesis = &config->base;

	genesis->header.proposer = 1;
	UNIT_CHECK(tl_chain_cut_hash(&genesis->header.cut_hash, NULL, 0) == TL_OK);
	tl_chain_block_hash(&genesis->hash, &genesis->header);
	tl_merkle_range_init(&genesis->history);
	UNIT_CHECK(tl_merkle_range_append(&genesis->history, &genesis->hash) == TL_OK);
	config->chain_id = config->founding = genesis->hash;
}

/* In memory of the heap. */
static inline TlConsensus *
unit_consensus_open(const TlConsensusConfig *config, void **memory)
{
	size_t		size = tl_consensus_size(config);
	TlConsensus *core;

	*memory = malloc(size);
	core = tl_consensus_init(*memory, size, config);
	UNIT_CHECK(core != NULL);
	return core;
}

#endif							/* UNIT_CONSENSUS_H */
