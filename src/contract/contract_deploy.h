/*-------------------------------------------------------------------------
 *
 * contract_deploy.h
 *	  Contracts that the members have decided on are deployed.
 *
 *-------------------------------------------------------------------------
 */
#ifndef CONTRACT_DEPLOY_H
#define CONTRACT_DEPLOY_H

#include <stdbool.h>
#include <stdint.h>

#include "tl_limits.h"

#define TL_CONTRACT_SOURCE_SIZE_MAX		TL_CHUNK_SIZE_MAX

/* Does the block decide on a contract? */
extern bool tl_contract_is_decided(int64_t height);
extern void tl_contract_deploy(int64_t height);
/* Nothing of it is run: the members pass over it. */
extern void tl_contract_pass_over(int64_t height);

#endif							/* CONTRACT_DEPLOY_H */
