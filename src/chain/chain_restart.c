/*-------------------------------------------------------------------------
 *
 * chain_restart.c
 *	  The ledger that a RESTART begins: its genesis, and a core on it.
 *
 * Its genesis is that of any ledger (chain_genesis.c), but for the entries root:
 * it stands over two leaves, the body and an entry of kind RESTART with the
 * digest that was signed.  So the chain id binds who ended the old ledger where,
 * and a genesis without a RESTART keeps its bytes.
 *
 * Invariants
 *	  X4  the genesis is later than the old ledger's last block; if one of two
 *		  has signed alone, he is a validator of the new set
 *	  X5  the new chain id binds every byte of what was signed
 *
 * Pure code: no PostgreSQL, no allocation, no clock.
 * Used by who restarts, and by who checks the new ledger.
 *
 *-------------------------------------------------------------------------
 */
#include "chain_restart.h"

#include "consensus_epoch.h"
#include "merkle_range.h"

#include <string.h>

static bool signer_stays(const TlRestart *restart, const TlGenesis *genesis);

TlStatus
tl_chain_restart_open(TlGenesis *genesis, TlBlockHeader *header,
					  const TlRestart *restart, unsigned validator_count)
{
	TlBlockHeader last;
	TlMerkleRange entries;
	TlHash		statement;
	TlHash		leaf;
	TlStatus	status;

	status = tl_chain_genesis_decode(genesis, restart->genesis.data,
									 restart->genesis.size);
	if (status == TL_OK)
		status = tl_chain_block_decode(&last, restart->last.data,
									   restart->last.size);
	if (status == TL_OK)
		status = tl_chain_genesis_header(header, genesis, restart->founder,
										 restart->time);
	if (status == TL_OK)
		status = tl_consensus_restart_digest(&statement, restart);
	if (status != TL_OK)
		return status;
	if (header->time <= last.time ||
		(validator_count == 2 && restart->signature_count == 1 &&
		 !signer_stays(restart, genesis)))
		return TL_BAD_ORDER;
	/* So far the root is the body's leaf. */
	tl_merkle_range_init(&entries);
	tl_chain_entry_leaf_hash(&leaf, TL_LOG_RESTART, &statement);
	if (tl_merkle_range_append(&entries, &header->entries_root) != TL_OK ||
		tl_merkle_range_append(&entries, &leaf) != TL_OK)
		return TL_BUG;
	tl_merkle_range_root(&entries, &header->entries_root);
	return TL_OK;
}

TlStatus
tl_chain_restart_check(TlGenesis *genesis, const TlHash *chain_id,
					   const void *header, size_t header_size,
					   const TlRestart *restart, unsigned validator_count)
{
	TlBlockHeader given;
	TlBlockHeader wanted;
	TlHash		given_hash;
	TlHash		wanted_hash;
	TlStatus	status;

	status = tl_chain_restart_open(genesis, &wanted, restart, validator_count);
	if (status == TL_OK)
		status = tl_chain_block_decode(&given, header, header_size);
	if (status != TL_OK)
		return status;
	tl_chain_block_hash(&given_hash, &given);
	tl_chain_block_hash(&wanted_hash, &wanted);
	if (memcmp(&given_hash, &wanted_hash, TL_HASH_SIZE) != 0 ||
		memcmp(&given_hash, chain_id, TL_HASH_SIZE) != 0)
		return TL_CHAIN_DAMAGED;
	return TL_OK;
}

TlStatus
tl_chain_restart_config(TlConsensusConfig *config, const TlGenesis *genesis,
						const TlBlockHeader *header)
{
	TlConsensusBlock *base = &config->base;

	memset(base, 0, sizeof(*base));
	base->header = *header;
	tl_chain_block_hash(&base->hash, header);
	tl_merkle_range_init(&base->history);
	if (tl_merkle_range_append(&base->history, &base->hash) != TL_OK)
		return TL_BUG;
	config->chain_id = base->hash;
	config->founding = base->hash;
	config->founding_view = 0;
	memset(&config->standing, 0, sizeof(config->standing));
	config->epoch = 0;
	config->number_max = 0;
	config->protocol = 0;
	config->lenient_until = 0;
	config->members_hash = header->members_hash;
	config->quorum_of_three = genesis->quorum_of_three;
	config->checkpoint_interval = genesis->checkpoint_interval;
	config->drift_us = (int64_t) genesis->clock_drift_ms * 1000;
	config->certificate.data = NULL;
	config->certificate.size = 0;
	config->member_count = 0;
	for (int i = 0; i < genesis->member_count; i++)
	{
		uint8_t		bytes[TL_MEMBER_LEAF_SIZE_MAX];
		TlWriter	writer;
		TlSpan		leaf;
		TlStatus	status;

		tl_writer_init(&writer, bytes, sizeof(bytes));
		status = tl_chain_member_encode(&writer, &genesis->members[i]);
		leaf.data = bytes;
		leaf.size = writer.size;
		if (status == TL_OK)
			status = tl_consensus_epoch_member(&config->members[config->member_count],
											   leaf);
		if (status != TL_OK)
			return status;
		config->member_count++;
	}
	return TL_OK;
}

static bool
signer_stays(const TlRestart *restart, const TlGenesis *genesis)
{
	uint8_t		signature[TL_SIGNATURE_SIZE];
	const TlMember *member;
	uint32_t	number;

	if (tl_consensus_restart_get_signature(&number, signature, restart,
										   0) != TL_OK)
		return false;
	member = tl_chain_member_find(genesis->members, genesis->member_count,
								  number);
	return member != NULL && member->kind == TL_MEMBER_VALIDATOR;
}
