/*-------------------------------------------------------------------------
 *
 * contract_seen.h
 *	  Which own rows of shared tables a call sees.
 *
 *-------------------------------------------------------------------------
 */
#ifndef CONTRACT_SEEN_H
#define CONTRACT_SEEN_H

#include "tl_types.h"

/* Around one call, of the block at this height. */
extern void tl_contract_seen_begin(int64_t height);
extern void tl_contract_seen_end(void);

#endif							/* CONTRACT_SEEN_H */
