/*-------------------------------------------------------------------------
 *
 * chain_applied.h
 *	  How far the final blocks are applied here.
 *
 *-------------------------------------------------------------------------
 */
#ifndef CHAIN_APPLIED_H
#define CHAIN_APPLIED_H

#include <stdint.h>

#include "datatype/timestamp.h"
#include "utils/snapshot.h"

extern int64_t tl_chain_applied_height(void);
extern int64_t tl_chain_applied_seen(Snapshot snapshot);
extern void tl_chain_applied_store(int64_t height);
extern TimestampTz tl_chain_block_time(int64_t height);

#endif							/* CHAIN_APPLIED_H */
