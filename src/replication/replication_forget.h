/*-------------------------------------------------------------------------
 *
 * replication_forget.h
 *	  Rows of logs leave the ledger's database.
 *
 *-------------------------------------------------------------------------
 */
#ifndef REPLICATION_FORGET_H
#define REPLICATION_FORGET_H

#include "consensus_message.h"

extern void tl_replication_forget_needed(uint64_t epoch, uint64_t view);
extern void tl_replication_forget_own(int sent_incarnation, int64_t sent_sequence);
extern void tl_replication_forget_note(uint32_t member, const uint8_t nonce[TL_NONCE_SIZE],
									   uint64_t sequence);
extern void tl_replication_forget_cut(uint32_t member, Datum incarnation, Datum sequence);
extern bool tl_replication_forget_lacks_own(const TlLogRow *row, int *incarnation);
extern bool tl_replication_forget_may_lack(const TlLogRow *row);
extern void tl_replication_forget_rows(uint32_t member, const uint8_t nonce[TL_NONCE_SIZE]);
extern bool tl_replication_forget_has_dropped(const TlLogRow *row);

#endif							/* REPLICATION_FORGET_H */
