/*-------------------------------------------------------------------------
 *
 * chain_begin.h
 *	  With what the ledger of this database begins.
 *
 *-------------------------------------------------------------------------
 */
#ifndef CHAIN_BEGIN_H
#define CHAIN_BEGIN_H

#include "chain_restart.h"

/* False if it was not begun by a RESTART; spans in the current memory context. */
extern bool tl_chain_begin_restart(TlRestart *out);

/* TL_OK if these bytes are the genesis of that chain, by a RESTART or not. */
extern TlStatus tl_chain_begin_check(TlGenesis *out, const TlHash *chain_id,
									 TlSpan header, TlSpan body);

#endif							/* CHAIN_BEGIN_H */
