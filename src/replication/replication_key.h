/*-------------------------------------------------------------------------
 *
 * replication_key.h
 *	  The row keys of a member, each with the epoch from which on it signs.
 *
 *-------------------------------------------------------------------------
 */
#ifndef REPLICATION_KEY_H
#define REPLICATION_KEY_H

#include "consensus_types.h"

typedef struct TlRowKey
{
	uint64_t	epoch;
	uint8_t		key[TL_XONLY_KEY_SIZE];
} TlRowKey;

typedef struct TlRowKeys
{
	int			count;			/* from 1; ascending by epoch */
	TlRowKey	list[TL_MEMBER_KEYS_MAX];
} TlRowKeys;

extern void tl_replication_key_init(TlRowKeys *out, const uint8_t key[TL_XONLY_KEY_SIZE]);
extern void tl_replication_key_load(TlRowKeys *keys, uint32_t member,
									const uint8_t key[TL_XONLY_KEY_SIZE]);
extern uint64_t tl_replication_key_epoch(void);
extern const uint8_t *tl_replication_key_of(const TlRowKeys *keys, uint64_t epoch);
extern bool tl_replication_key_verify(const TlRowKeys *keys, const TlHash *chain_id,
									  const TlLogRow *row);
extern bool tl_replication_key_is_same(const TlRowKeys *keys, uint64_t epoch,
									   uint64_t other);

#endif							/* REPLICATION_KEY_H */
