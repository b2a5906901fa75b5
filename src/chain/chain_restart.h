/*-------------------------------------------------------------------------
 *
 * chain_restart.h
 *	  The ledger that a RESTART begins: its genesis, and a core on it.
 *
 *-------------------------------------------------------------------------
 */
#ifndef CHAIN_RESTART_H
#define CHAIN_RESTART_H

#include "chain_genesis.h"
#include "consensus_restart.h"

/*
 * Genesis and header of the new ledger: rule X4.  The restart was judged before
 * (tl_consensus_restart_judge) against a last set of that many validators.
 * Names and roles point into restart->genesis.
 */
extern TlStatus tl_chain_restart_open(TlGenesis *genesis,
									  TlBlockHeader *header,
									  const TlRestart *restart,
									  unsigned validator_count);

/*
 * TL_OK if the header is the one that the restart demands and its hash is the
 * chain id; for who did not see the old ledger.
 */
extern TlStatus tl_chain_restart_check(TlGenesis *genesis,
									   const TlHash *chain_id,
									   const void *header, size_t header_size,
									   const TlRestart *restart,
									   unsigned validator_count);

/*
 * What the ledger decides of a core's configuration: chain, members, quorum,
 * base.  The rest (own number, pace, memory) is for the caller.
 */
extern TlStatus tl_chain_restart_config(TlConsensusConfig *config,
										const TlGenesis *genesis,
										const TlBlockHeader *header);

#endif							/* CHAIN_RESTART_H */
