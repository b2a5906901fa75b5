/*-------------------------------------------------------------------------
 *
 * chain_reject.h
 *	  Rows that must not enter a batch: found, listed, asked for.
 *
 *-------------------------------------------------------------------------
 */
#ifndef CHAIN_REJECT_H
#define CHAIN_REJECT_H

#include "chain_collect.h"
#include "tl_status.h"

/* Checks of signatures; what a statement came to is kept between rounds. */
typedef struct TlRowCheck TlRowCheck;

extern TlRowCheck *tl_chain_check_create(MemoryContext context);
extern void tl_chain_check_begin(TlRowCheck *check, Snapshot snapshot,
								 MemoryContext context);
extern bool tl_chain_check_applies(TlRowCheck *check, const TlCollectedRow *row);
extern const char *tl_chain_check_row(TlRowCheck *check,
									  const TlCollectedRow *row,
									  TlStatus *status);
extern void tl_chain_reject(const TlCollectedRow *row, TlStatus status,
							const char *reason);

#endif							/* CHAIN_REJECT_H */
