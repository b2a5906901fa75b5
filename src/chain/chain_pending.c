/*-------------------------------------------------------------------------
 *
 * chain_pending.c
 *	  Batches on their way into a block that several members order.
 *
 * Where one member alone makes the ledger, a batch is stored with its block.
 * Where several do, it goes through three states, told by two columns of
 * ledger_internal.batch:
 *
 *		digest	height
 *		NULL	NULL	stored by the worker; its header has no place in the lane
 *		set		NULL	in the own log, under this header and no other
 *		set		set		in the final block at this height
 *
 * It waits until that block is applied (chain_applied.c).
 *
 * Each step is committed with what it stands for (the BATCH row, the block), so a
 * crash leaves a batch in one of them.  A batch of a final block of which this
 * database has no sections is in ledger_internal.foreign_batch.
 *
 * The caller has connected SPI.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "miscadmin.h"

#include "chain_manifest.h"
#include "chain_pending.h"
#include "chain_statement.h"
#include "consensus_message.h"
#include "tl_compat.h"
#include "tl_error.h"

static TlStatement select_pending = {
	"SELECT count(*), coalesce(min(snapshot), 0), coalesce(bool_or(late), false),"
	" coalesce(sum(row_count), 0)::bigint"
	" FROM ledger_internal.batch WHERE height IS NULL"
	" OR height > (SELECT applied.height FROM ledger_internal.applied)"
};
static TlStatement select_sections = {
	"SELECT b.batch, s.manifest FROM ledger_internal.batch b"
	" JOIN ledger_internal.section s ON s.batch = b.batch"
	" WHERE b.height IS NULL AND s.first_ref <= $1 AND s.last_ref >= $1",
	1, {TL_STATEMENT_REF}
};
static TlStatement select_next = {
	"SELECT batch, header FROM ledger_internal.batch"
	" WHERE height IS NULL AND digest IS NULL ORDER BY batch LIMIT 1"
};
static TlStatement update_place = {
	"UPDATE ledger_internal.batch SET header = $2, digest = $3, incarnation = $4"
	" WHERE batch = $1",
	4, {INT8OID, BYTEAOID, BYTEAOID, INT4OID}
};
static TlStatement select_row = {
	"SELECT message FROM ledger_internal.own_log"
	" WHERE kind = 1 AND ledger_internal.batch_digest(message) = $1"
	" UNION ALL SELECT message FROM ledger_internal.peer_log"
	" WHERE kind = 1 AND ledger_internal.batch_digest(message) = $1"
	" UNION ALL SELECT message FROM ledger_internal.loose_row"
	" WHERE kind = 1 AND ledger_internal.batch_digest(message) = $1 LIMIT 1",
	1, {BYTEAOID}
};
static TlStatement update_height = {
	"UPDATE ledger_internal.batch SET height = $2 WHERE digest = $1 AND height IS NULL",
	2, {BYTEAOID, INT8OID}
};
static TlStatement insert_foreign = {
	"INSERT INTO ledger_internal.foreign_batch (digest, height, member, incarnation, batch, header)"
	" VALUES ($1, $2, $3, $4, $5, $6)",
	6, {BYTEAOID, INT8OID, INT8OID, INT4OID, INT8OID, BYTEAOID}
};

void
tl_chain_pending_look(TlPending *out)
{
	tl_chain_execute(&select_pending, NULL, NULL, true);
	out->count = DatumGetInt64(tl_chain_result(0, 0, NULL));
	out->snapshot = DatumGetInt64(tl_chain_result(0, 1, NULL));
	out->late = DatumGetBool(tl_chain_result(0, 2, NULL));
	out->rows = DatumGetInt64(tl_chain_result(0, 3, NULL));
}

/* Which of them has the row with this ref; false if none has. */
bool
tl_chain_pending_holds(const TlRefBytes *ref, int64_t *batch)
{
	Datum		value = TlRefBytesGetDatum(ref);
	uint64		count = tl_chain_execute(&select_sections, &value, NULL, true);
	TlRef		wanted;

	tl_table_ref_unpack(&wanted, ref);
	for (uint64 i = 0; i < count; i++)
	{
		bytea	   *manifest = DatumGetByteaPP(tl_chain_result(i, 1, NULL));
		TlManifestReader reader;
		uint8_t		fingerprint[TL_FINGERPRINT_SIZE];
		TlRefBytes	packed;
		TlRef		found_ref;
		bool		found;

		tl_chain_manifest_open(&reader, VARDATA_ANY(manifest),
							   VARSIZE_ANY_EXHDR(manifest), wanted.member);
		while (tl_chain_manifest_next(&reader, &found, &found_ref, fingerprint) == TL_OK &&
			   found)
		{
			CHECK_FOR_INTERRUPTS();
			tl_table_ref_pack(&packed, &found_ref);
			if (tl_table_ref_compare(&packed, ref) != 0)
				continue;
			*batch = DatumGetInt64(tl_chain_result(i, 0, NULL));
			return true;
		}
	}
	return false;
}

/* The oldest batch that is not in the own log; false if there is none. */
bool
tl_chain_pending_next(int64_t *batch, TlBatchHeader *header)
{
	bytea	   *bytes;

	if (tl_chain_execute(&select_next, NULL, NULL, false) == 0)
		return false;
	*batch = DatumGetInt64(tl_chain_result(0, 0, NULL));
	bytes = DatumGetByteaPP(tl_chain_result(0, 1, NULL));
	tl_error_check(tl_chain_batch_decode(header, VARDATA_ANY(bytes),
										 VARSIZE_ANY_EXHDR(bytes)),
				   "header of a batch");
	return true;
}

/* It is in the own log, under this header. */
void
tl_chain_pending_place(int64_t batch, uint16_t incarnation, const uint8_t *header,
					   size_t size, const TlHash *digest)
{
	Datum		values[] = {
		Int64GetDatum(batch),
		tl_chain_bytes(header, size),
		tl_chain_bytes(digest->bytes, TL_HASH_SIZE),
		Int32GetDatum(incarnation)
	};

	if (tl_chain_execute(&update_place, values, NULL, false) != 1)
		elog(ERROR, "batch %lld has gone", (long long) batch);
}

/* A batch by its digest, from whatever log row carries it; false if none does. */
bool
tl_chain_pending_find(TlBatchHeader *out, TlSpan *bytes, const TlHash *digest)
{
	Datum		value = tl_chain_bytes(digest->bytes, TL_HASH_SIZE);
	bytea	   *message;
	TlLogRow	row;

	if (tl_chain_execute(&select_row, &value, NULL, false) == 0)
		return false;
	message = DatumGetByteaPP(tl_chain_result(0, 0, NULL));
	tl_error_check(tl_consensus_row_decode(&row, VARDATA_ANY(message),
										   VARSIZE_ANY_EXHDR(message)),
				   "stored log row");
	tl_error_check(tl_chain_batch_decode(out, row.payload.data, row.payload.size),
				   "batch of a final block");
	*bytes = row.payload;
	return true;
}

/* It is in the final block at this height. */
void
tl_chain_pending_order(const TlBatchHeader *header, TlSpan bytes,
					   const TlHash *digest, int64_t height)
{
	Datum		values[] = {
		tl_chain_bytes(digest->bytes, TL_HASH_SIZE),
		Int64GetDatum(height),
		Int64GetDatum((int64) header->member),
		Int32GetDatum(header->incarnation),
		Int64GetDatum((int64) header->batch),
		tl_chain_bytes(bytes.data, bytes.size)
	};

	if (tl_chain_execute(&update_height, values, NULL, false) == 0)
		tl_chain_execute(&insert_foreign, values, NULL, false);
}
