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
 * A batch of an incarnation that is over and never had a place is not given one: it
 * was made from rows that may be in batches which have come back.  The worker drops
 * it when it starts, and makes it anew of what is left.
 *
 * A batch that waits and one in a log are the same if their roots are: the keys of
 * the sections make the root one of its kind (chain_build.c).
 *
 * The caller has connected SPI.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/genam.h"
#include "catalog/namespace.h"
#include "catalog/pg_type.h"
#include "miscadmin.h"
#include "utils/fmgroids.h"
#include "utils/inval.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"
#include "utils/snapmgr.h"

#include "chain_applied.h"
#include "chain_manifest.h"
#include "chain_pending.h"
#include "chain_statement.h"
#include "chain_stored.h"
#include "consensus_message.h"
#include "tl_compat.h"
#include "tl_error.h"

static TlStatement select_stale = {
	"SELECT min(batch), bool_or(late OR digest IS NOT NULL)"
	" OR EXISTS (SELECT FROM ledger_internal.lagging)"
	" OR EXISTS (SELECT FROM ledger_internal.batch AS b WHERE (b.height IS NOT NULL OR b.incarnation = $1)"
	" AND b.batch > (SELECT min(batch) FROM ledger_internal.batch WHERE height IS NULL AND incarnation <> $1))"
	" FROM ledger_internal.batch WHERE height IS NULL AND incarnation <> $1",
	1, {INT4OID}
};
static TlStatement update_stale = {
	"UPDATE ledger_internal.batch SET incarnation = $1"
	" WHERE height IS NULL AND digest IS NULL AND incarnation <> $1",
	1, {INT4OID}
};
static TlStatement delete_sections = {
	"DELETE FROM ledger_internal.section WHERE batch >= $1", 1, {INT8OID}
};
static TlStatement delete_batches = {
	"DELETE FROM ledger_internal.batch WHERE batch >= $1", 1, {INT8OID}
};
static TlStatement delete_snapshots = {
	"DELETE FROM ledger_internal.snapshot WHERE snapshot >"
	" (SELECT coalesce(max(snapshot), 0) FROM ledger_internal.batch WHERE NOT late)"
};
static TlStatement select_sections = {
	"SELECT b.batch, s.manifest FROM ledger_internal.batch b"
	" JOIN ledger_internal.section s ON s.batch = b.batch"
	" WHERE b.height IS NULL AND s.first_ref <= $1 AND s.last_ref >= $1",
	1, {TL_STATEMENT_REF}
};
static TlStatement select_next = {
	"SELECT batch, header FROM ledger_internal.batch"
	" WHERE height IS NULL AND digest IS NULL AND incarnation = $1 ORDER BY batch LIMIT 1",
	1, {INT4OID}
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
static TlStatement select_any_row = {
	"SELECT message FROM ledger_internal.own_log WHERE digest = $1"
	" UNION ALL SELECT message FROM ledger_internal.peer_log WHERE digest = $1"
	" UNION ALL SELECT message FROM ledger_internal.loose_row WHERE digest = $1 LIMIT 1",
	1, {BYTEAOID}
};
static TlStatement update_height = {
	"UPDATE ledger_internal.batch SET height = $2, header = $6, digest = $1, incarnation = $4"
	" WHERE height IS NULL AND (digest = $1 OR"
	" (member = $3 AND substring(header FROM 99 FOR 32) = substring($6 FROM 99 FOR 32)))"
	" AND $5 > 0",
	6, {BYTEAOID, INT8OID, INT8OID, INT4OID, INT8OID, BYTEAOID}
};
static TlStatement update_claim = {
	"UPDATE ledger_internal.batch SET header = $2, digest = $1, incarnation = $4"
	" WHERE height IS NULL AND digest IS NULL AND member = $3"
	" AND substring(header FROM 99 FOR 32) = substring($2 FROM 99 FOR 32)",
	4, {BYTEAOID, BYTEAOID, INT8OID, INT4OID}
};

/* 134 bytes: without chunks, as batches of private rows are. */
static TlStatement select_returned = {
	"SELECT header, digest, height FROM ledger_internal.foreign_batch"
	" WHERE height >= (SELECT coalesce(max(height), 0) FROM ledger_internal.batch)"
	" AND member = $1 AND (octet_length(header) = 134"
	" OR substring(header FROM 97 FOR 2) <> '\\x0001'"
	" OR substring(header FROM 99 FOR 32) <> sha256('\\x00'::bytea || substring(header FROM 135)))"
	" ORDER BY height, member, incarnation, batch LIMIT $2",
	2, {INT8OID, INT4OID}
};
static TlStatement delete_foreign = {
	"DELETE FROM ledger_internal.foreign_batch WHERE digest = $1", 1, {BYTEAOID}
};
static TlStatement insert_foreign = {
	"INSERT INTO ledger_internal.foreign_batch (digest, height, member, incarnation, batch, header)"
	" VALUES ($1, $2, $3, $4, $5, $6)",
	6, {BYTEAOID, INT8OID, INT8OID, INT4OID, INT8OID, BYTEAOID}
};

static void add_pending(TlPending *out, Relation relation, const char *index_name, ScanKey key, Snapshot snapshot);

/*
 * A worker of this incarnation starts: batches without a place that an earlier one
 * has left are dropped, with the snapshots that they belong to, or kept where tables
 * lag and their progress rests on those.
 */
void
tl_chain_pending_begin(uint16_t incarnation)
{
	Datum		value = Int32GetDatum(incarnation);
	bool		none;

	tl_chain_execute(&select_stale, &value, NULL, false);
	(void) tl_chain_result(0, 0, &none);
	if (none)
		return;
	if (DatumGetBool(tl_chain_result(0, 1, NULL)))
	{
		tl_chain_execute(&update_stale, &value, NULL, false);
		return;
	}
	value = tl_chain_result(0, 0, NULL);
	tl_chain_execute(&delete_sections, &value, NULL, false);
	tl_chain_execute(&delete_batches, &value, NULL, false);
	tl_chain_execute(&delete_snapshots, NULL, NULL, false);
	/* what other backends keep of them (chain_window.c) */
	CacheInvalidateRelcacheByRelid(get_relname_relid("batch", get_namespace_oid("ledger_internal", false)));
}

/* Asked in every round, as the caller's snapshot sees them: those in no block, and in none that is applied. */
void
tl_chain_pending_look(TlPending *out)
{
	Snapshot	snapshot = GetActiveSnapshot();
	Relation	relation = tl_chain_stored_open("batch");
	ScanKeyData key;

	memset(out, 0, sizeof(*out));
	ScanKeyInit(&key, tl_chain_stored_attribute(relation, "height"), BTGreaterStrategyNumber, F_INT8GT,
				Int64GetDatum(tl_chain_applied_seen(snapshot)));
	add_pending(out, relation, "batch_not_final", NULL, snapshot);
	add_pending(out, relation, "batch_by_height", &key, snapshot);
	tl_chain_stored_close(relation);
}

static void
add_pending(TlPending *out, Relation relation, const char *index_name, ScanKey key, Snapshot snapshot)
{
	Relation	index = index_open(tl_chain_stored_oid(index_name), AccessShareLock);
	SysScanDesc scan = systable_beginscan_ordered(relation, index, snapshot, key == NULL ? 0 : 1, key);
	TupleDesc	description = RelationGetDescr(relation);
	HeapTuple	row;

	while ((row = systable_getnext_ordered(scan, ForwardScanDirection)) != NULL)
	{
		int64_t		number = DatumGetInt64(tl_chain_stored_value(row, description, "snapshot"));

		out->snapshot = out->count == 0 ? number : Min(out->snapshot, number);
		out->late |= DatumGetBool(tl_chain_stored_value(row, description, "late"));
		out->rows += DatumGetInt32(tl_chain_stored_value(row, description, "row_count"));
		out->count++;
	}
	systable_endscan_ordered(scan);
	index_close(index, AccessShareLock);
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

/* The oldest batch of this incarnation that is in no log; false if there is none. */
bool
tl_chain_pending_next(int64_t *batch, TlBatchHeader *header, uint16_t incarnation)
{
	Datum		value = Int32GetDatum(incarnation);
	bytea	   *bytes;

	if (tl_chain_execute(&select_next, &value, NULL, false) == 0)
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

/* A row of the own log has come back: is it of a batch that waits for a place? */
void
tl_chain_pending_claim(const TlBatchHeader *header, TlSpan bytes, const TlHash *digest)
{
	Datum		values[] = {
		tl_chain_bytes(digest->bytes, TL_HASH_SIZE),
		tl_chain_bytes(bytes.data, bytes.size),
		Int64GetDatum((int64) header->member),
		Int32GetDatum(header->incarnation)
	};

	tl_chain_execute(&update_claim, values, NULL, false);
}

/*
 * The first own batches that are final, not older than the last one stored whole; not
 * those of bodies that were submitted by themselves (node_body.c).
 */
int
tl_chain_pending_returned(TlReturned *out, int limit, uint32_t member)
{
	Datum		values[] = {Int64GetDatum((int64) member), Int32GetDatum(limit)};
	uint64		count = tl_chain_execute(&select_returned, values, NULL, true);

	for (uint64 i = 0; i < count; i++)
	{
		bytea	   *digest = DatumGetByteaPP(tl_chain_result(i, 1, NULL));

		out[i].bytes = tl_chain_result_span(i, 0);
		tl_error_check(tl_chain_batch_decode(&out[i].header, out[i].bytes.data,
											 out[i].bytes.size), "batch of a final block");
		if (VARSIZE_ANY_EXHDR(digest) != TL_HASH_SIZE)
			elog(ERROR, "the digest of a stored batch has %d bytes",
				 (int) VARSIZE_ANY_EXHDR(digest));
		memcpy(out[i].digest.bytes, VARDATA_ANY(digest), TL_HASH_SIZE);
		out[i].height = DatumGetInt64(tl_chain_result(i, 2, NULL));
	}
	return (int) count;
}

/* Its sections are stored: it is in ledger_internal.batch from now on. */
void
tl_chain_pending_known(const TlHash *digest)
{
	Datum		value = tl_chain_bytes(digest->bytes, TL_HASH_SIZE);

	tl_chain_execute(&delete_foreign, &value, NULL, false);
}

/* A log row by its digest, from wherever it is stored; false if it is nowhere. */
bool
tl_chain_pending_row(TlSpan *message, const TlHash *digest, bool read_only)
{
	Datum		value = tl_chain_bytes(digest->bytes, TL_HASH_SIZE);

	if (tl_chain_execute(&select_any_row, &value, NULL, read_only) == 0)
		return false;
	*message = tl_chain_result_span(0, 0);
	return true;
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
