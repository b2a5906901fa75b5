/*-------------------------------------------------------------------------
 *
 * replication_key.c
 *	  The row keys of a member, each with the epoch from which on it signs.
 *
 * A row says its epoch, and is checked with the key that its author had in it.
 * Of an epoch that has not begun here nobody knows yet which that is: the newest
 * one is taken, and what it has not signed is asked for again when the epoch
 * begins (replication_store.c, ledger_internal.follow_keys).
 *
 * Invariants
 *	  K1  no row is taken by a key of another epoch than its own, once that
 *		  epoch has begun here
 *
 * The caller is in a transaction and has connected SPI, except to verify.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "catalog/pg_type.h"

#include "chain_statement.h"
#include "replication_key.h"

static TlStatement select_keys = {
	"SELECT k.epoch, k.row_key FROM ledger_internal.row_keys() AS k WHERE k.member = $1 ORDER BY k.epoch",
	1, {INT8OID}
};
static TlStatement select_epoch = {
	"SELECT ledger_internal.epoch_now()", 0, {0}
};

static int	place_of(const TlRowKeys *keys, uint64_t epoch);

/* The one key of somebody who is in no epoch yet. */
void
tl_replication_key_init(TlRowKeys *out, const uint8_t key[TL_XONLY_KEY_SIZE])
{
	memset(out, 0, sizeof(*out));
	out->count = 1;
	memcpy(out->list[0].key, key, TL_XONLY_KEY_SIZE);
}

/* Those that the epochs say; otherwise that one. */
void
tl_replication_key_load(TlRowKeys *keys, uint32_t member, const uint8_t key[TL_XONLY_KEY_SIZE])
{
	Datum		value = Int64GetDatum((int64) member);
	uint64		count = tl_chain_execute(&select_keys, &value, NULL, true);

	tl_replication_key_init(keys, key);
	if (count > TL_MEMBER_KEYS_MAX)
		elog(ERROR, "member %u had " UINT64_FORMAT " keys", member, count);
	for (uint64 i = 0; i < count; i++)
	{
		TlSpan		bytes = tl_chain_span(tl_chain_result(i, 1, NULL));

		if (bytes.size != TL_XONLY_KEY_SIZE)
			elog(ERROR, "a key of member %u has %zu bytes", member, bytes.size);
		keys->list[i].epoch = (uint64_t) DatumGetInt64(tl_chain_result(i, 0, NULL));
		memcpy(keys->list[i].key, bytes.data, TL_XONLY_KEY_SIZE);
		keys->count = (int) i + 1;
	}
}

/* The epoch in which this node is. */
uint64_t
tl_replication_key_epoch(void)
{
	tl_chain_execute(&select_epoch, NULL, NULL, true);
	return (uint64_t) DatumGetInt64(tl_chain_result(0, 0, NULL));
}

/* K1 */
const uint8_t *
tl_replication_key_of(const TlRowKeys *keys, uint64_t epoch)
{
	return keys->list[place_of(keys, epoch)].key;
}

bool
tl_replication_key_verify(const TlRowKeys *keys, const TlHash *chain_id, const TlLogRow *row)
{
	return tl_consensus_row_verify(row, chain_id, tl_replication_key_of(keys, row->epoch));
}

/* Does one key sign in both epochs? */
bool
tl_replication_key_is_same(const TlRowKeys *keys, uint64_t epoch, uint64_t other)
{
	return place_of(keys, epoch) == place_of(keys, other);
}

static int
place_of(const TlRowKeys *keys, uint64_t epoch)
{
	int			place = 0;

	while (place + 1 < keys->count && keys->list[place + 1].epoch <= epoch)
		place++;
	return place;
}
