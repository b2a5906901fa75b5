/*-------------------------------------------------------------------------
 *
 * replication_forget.h
 *	  Rows of other members' logs leave the ledger's database.
 *
 *-------------------------------------------------------------------------
 */
#ifndef REPLICATION_FORGET_H
#define REPLICATION_FORGET_H

#include "consensus_message.h"

extern void tl_replication_forget_rows(uint32_t member, const uint8_t nonce[TL_NONCE_SIZE]);
extern bool tl_replication_forget_has(const TlLogRow *row);

#endif							/* REPLICATION_FORGET_H */
