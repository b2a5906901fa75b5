/*-------------------------------------------------------------------------
 *
 * contract_deploy.h
 *	  Contracts that the members have decided on are deployed.
 *
 *-------------------------------------------------------------------------
 */
#ifndef CONTRACT_DEPLOY_H
#define CONTRACT_DEPLOY_H

#include <stdint.h>

#include "tl_limits.h"

#define TL_CONTRACT_SOURCE_SIZE_MAX		TL_CHUNK_SIZE_MAX

extern void tl_contract_deploy(int64_t height);

#endif							/* CONTRACT_DEPLOY_H */
