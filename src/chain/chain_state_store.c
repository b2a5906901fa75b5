/*-------------------------------------------------------------------------
 *
 * chain_state_store.c
 *	  The state of a ledger, stored (sql/46_state.sql).
 *
 * Written in the transaction that applies a block, so that a crash leaves the
 * state of a whole block.  ledger_internal.state has a row for each block that
 * changed the state; after any other the state is that of the row before.
 *
 * The caller has connected SPI.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/uuid.h"

#include "chain_state_store.h"
#include "chain_statement.h"
#include "chain_stored.h"
#include "merkle_hash.h"
#include "tl_compat.h"
#include "tl_error.h"

static TlStatement select_table = {
	"SELECT set_hash, digest FROM ledger_internal.table_state WHERE table_id = $1", 1, {UUIDOID}
};
static TlStatement upsert_table = {
	"INSERT INTO ledger_internal.table_state (table_id, height, set_hash, digest) VALUES ($1, $2, $3, $4)"
	" ON CONFLICT (table_id) DO UPDATE SET height = $2, set_hash = $3, digest = $4",
	4, {UUIDOID, INT8OID, BYTEAOID, BYTEAOID}
};
static TlStatement update_damage = {
	"UPDATE ledger_internal.table_state SET damaged_at = coalesce(damaged_at, $2) WHERE table_id = $1",
	2, {UUIDOID, INT8OID}
};
/* Those whose digest is not that of the set hash beside it. */
static TlStatement update_damages = {
	"UPDATE ledger_internal.table_state SET damaged_at = $1"
	" WHERE damaged_at IS NULL AND digest <> sha256(set_hash)",
	1, {INT8OID}
};
static TlStatement select_damaged = {
	"SELECT string_agg(coalesce(s.relation::text, s.table_id::text), ', ' ORDER BY s.table_id)"
	" FROM ledger.state AS s"
	" WHERE s.damaged_at IS NOT NULL AND ($1 IS NULL OR s.table_id = $1)",
	1, {UUIDOID}
};
static TlStatement select_digests = {
	"SELECT table_id, digest FROM ledger_internal.table_state ORDER BY table_id"
};
static TlStatement insert_root = {
	"INSERT INTO ledger_internal.state (height, state_root) VALUES ($1, $2)", 2, {INT8OID, BYTEAOID}
};
static TlStatement select_root = {
	"SELECT " TL_CHAIN_STATE_ROOT("$1") ", " TL_CHAIN_STATE_IS_KNOWN("$1"),
	1, {INT8OID}
};
/* Up to the last checkpoint after which the state was the certified one, or the one that a header names, it is known. */
static TlStatement delete_roots = {
	"WITH certified AS (SELECT coalesce(max(c.height), 0) AS height FROM ledger_internal.checkpoint AS c"
	" WHERE c.height < $1 AND c.state_root = " TL_CHAIN_STATE_ROOT("c.height") " AND " TL_CHAIN_STATE_IS_KNOWN("c.height") "),"
	" good AS (SELECT coalesce((SELECT n.height FROM"
	" (SELECT b.height AS by, " TL_CHAIN_NAMED_CHECKPOINT " AS height, " TL_CHAIN_NAMED_ROOT " AS root"
	" FROM ledger_internal.block AS b WHERE b.height > c.height) AS n"
	" WHERE n.height > c.height AND n.height < $1 AND n.root = " TL_CHAIN_STATE_ROOT("n.height")
	" AND " TL_CHAIN_STATE_IS_KNOWN("n.height") " ORDER BY n.by DESC LIMIT 1), c.height) AS height FROM certified AS c),"
	" gone AS (DELETE FROM ledger_internal.state AS s USING good WHERE s.height > good.height)"
	" SELECT height FROM good",
	1, {INT8OID}
};
static TlStatement insert_anew = {
	"INSERT INTO ledger_internal.state (height, state_root, unknown_after) VALUES ($1, $2, $3)",
	3, {INT8OID, BYTEAOID, INT8OID}
};
static TlStatement select_anew = {
	"SELECT FROM ledger_internal.state WHERE height >= $1 AND unknown_after IS NOT NULL",
	1, {INT8OID}
};
static TlStatement select_certified = {
	"SELECT c.state_root FROM ledger_internal.checkpoint AS c"
	" JOIN ledger_internal.block AS b ON b.height = c.height AND b.hash = c.block WHERE c.height = $1"
	" UNION ALL (SELECT n.root FROM (SELECT " TL_CHAIN_NAMED_CHECKPOINT " AS height, " TL_CHAIN_NAMED_ROOT " AS root"
	" FROM ledger_internal.block AS b WHERE b.height > $1 AND " TL_CHAIN_NAMED_CHECKPOINT " >= $1"
	" ORDER BY b.height LIMIT 1) AS n WHERE n.height = $1)",
	1, {INT8OID}
};
static TlStatement select_taken = {
	"SELECT FROM ledger_internal.state_take WHERE unknown_after < $2 AND (done_at IS NULL OR (height > $1 AND height > unknown_after))",
	2, {INT8OID, INT8OID}
};
static TlStatement delete_table_states = {"DELETE FROM ledger_internal.table_state"};
static TlStatement exists_rejection = {
	"SELECT FROM ledger_internal.outcome WHERE height = $1"
	" AND substring(leaf FOR 3) = '\\x070103' AND substring(leaf FROM 12 FOR 16) = $2"
	" AND substring(leaf FROM 33) = $3 LIMIT 1",
	3, {INT8OID, BYTEAOID, BYTEAOID}
};
static TlStatement select_outcomes = {
	"SELECT height, number, leaf FROM ledger_internal.outcome"
	" WHERE (height, number) > ($1, $2) AND height <= $3 ORDER BY height, number LIMIT $4",
	4, {INT8OID, INT4OID, INT8OID, INT4OID}
};
static TlStatement insert_stop = {
	"INSERT INTO ledger_internal.apply_stop (height, reason) VALUES ($1, $2)"
	" ON CONFLICT (is_on) DO UPDATE SET height = $1, reason = $2, at = clock_timestamp()"
	" WHERE apply_stop.reason = 'split' AND $2 <> 'split'",
	2, {INT8OID, TEXTOID}
};

/* While a state is being taken: what the member is stopped by again if that is cancelled. */
static TlStatement note_stop = {
	"UPDATE ledger_internal.state_take SET stopped_at = $1, stopped_by = $2 WHERE done_at IS NULL"
	" AND (stopped_by IS NULL OR (stopped_by = 'split' AND $2 <> 'split'))",
	2, {INT8OID, TEXTOID}
};
static TlStatement delete_stop = {
	"DELETE FROM ledger_internal.apply_stop WHERE reason = $1", 1, {TEXTOID}
};

#define OUTCOMES_MAX	1000	/* read at once */

static char *damaged(const uint8_t *table_id);
static void move_outcomes(TlOutcomes *kept, int64_t after, int64_t height);
static uint64 append_outcomes(TlOutcomes *outcomes, int64_t *last_height, int32 *last_number,
							  int64_t height);
static void read_bytes(void *out, size_t size, uint64 row, int column);

/* The set hash of a table and the digest beside it; false if it never had a row. */
bool
tl_chain_state_load(TlSetHash *out, TlHash *digest,
					const uint8_t table_id[TL_TABLE_ID_SIZE])
{
	uint8_t		bytes[TL_SET_HASH_SIZE];
	Datum		value = UUIDPGetDatum((const pg_uuid_t *) table_id);

	tl_crypto_set_hash_init(out);
	tl_crypto_set_hash_digest(digest, out);
	if (tl_chain_execute(&select_table, &value, NULL, false) == 0)
		return false;
	read_bytes(bytes, sizeof(bytes), 0, 0);
	tl_crypto_set_hash_decode(out, bytes);
	read_bytes(digest->bytes, TL_HASH_SIZE, 0, 1);
	return true;
}

void
tl_chain_state_store(const uint8_t table_id[TL_TABLE_ID_SIZE], int64_t height,
					 const TlSetHash *set)
{
	uint8_t		bytes[TL_SET_HASH_SIZE];
	TlHash		digest;
	Datum		values[4];

	tl_crypto_set_hash_encode(bytes, set);
	tl_crypto_set_hash_digest(&digest, set);
	values[0] = UUIDPGetDatum((const pg_uuid_t *) table_id);
	values[1] = Int64GetDatum(height);
	values[2] = tl_chain_bytes(bytes, sizeof(bytes));
	values[3] = tl_chain_bytes(digest.bytes, TL_HASH_SIZE);
	tl_chain_execute(&upsert_table, values, NULL, false);
}

/* The stored state of a table was changed; its name. */
char *
tl_chain_state_damage(const uint8_t table_id[TL_TABLE_ID_SIZE], int64_t height)
{
	Datum		values[] = {UUIDPGetDatum((const pg_uuid_t *) table_id), Int64GetDatum(height)};

	tl_chain_execute(&update_damage, values, NULL, false);
	return damaged(table_id);
}

/* The tables of which that is known, or can be seen at once; NULL if of none. */
char *
tl_chain_state_find_damage(int64_t height)
{
	Datum		value = Int64GetDatum(height);

	tl_chain_execute(&update_damages, &value, NULL, false);
	return damaged(NULL);
}

static char *
damaged(const uint8_t *table_id)
{
	Datum		value = table_id == NULL ? (Datum) 0 : UUIDPGetDatum((const pg_uuid_t *) table_id);
	Datum		names;
	bool		is_null;

	tl_chain_execute(&select_damaged, &value, table_id == NULL ? "n" : " ", false);
	names = tl_chain_result(0, 0, &is_null);
	return is_null ? NULL : TextDatumGetCString(names);
}

/* The root over all tables as they are stored, or as the active snapshot sees them. */
void
tl_chain_state_root_now(TlHash *out, bool in_snapshot)
{
	uint64		count = tl_chain_execute(&select_digests, NULL, NULL, in_snapshot);
	TlStateTree tree;
	TlHash		digest;

	tl_chain_state_init(&tree);
	for (uint64 i = 0; i < count; i++)
	{
		read_bytes(digest.bytes, TL_HASH_SIZE, i, 1);
		tl_error_check(tl_chain_state_add(&tree, DatumGetUUIDP(tl_chain_result(i, 0, NULL))->data,
										  &digest), "table's state");
	}
	tl_chain_state_root(out, &tree);
}

/* That is the state after this block. */
void
tl_chain_state_store_root(int64_t height)
{
	TlHash		digest;
	Datum		values[2];

	tl_chain_state_root_now(&digest, false);
	values[0] = Int64GetDatum(height);
	values[1] = tl_chain_bytes(digest.bytes, TL_HASH_SIZE);
	tl_chain_execute(&insert_root, values, NULL, false);
}

/* The sets of all tables have been stored anew: so the state after this block, and
 * after no other one since the last that is known to have been right. */
void
tl_chain_state_begin_anew(int64_t height)
{
	TlHash		root;
	Datum		values[3];

	values[0] = Int64GetDatum(height);
	tl_chain_execute(&delete_roots, values, NULL, false);
	values[2] = tl_chain_result(0, 0, NULL);
	tl_chain_state_root_now(&root, false);
	values[1] = tl_chain_bytes(root.bytes, TL_HASH_SIZE);
	tl_chain_execute(&insert_anew, values, NULL, false);
}

void
tl_chain_state_forget_tables(void)
{
	tl_chain_execute(&delete_table_states, NULL, NULL, false);
}

/* The state root after an applied block; false if it is not known. */
bool
tl_chain_state_at(TlHash *out, int64_t height)
{
	Datum		value = Int64GetDatum(height);

	tl_chain_execute(&select_root, &value, NULL, false);
	read_bytes(out->bytes, TL_HASH_SIZE, 0, 0);
	return DatumGetBool(tl_chain_result(0, 1, NULL));
}

/* Does this node know what the blocks behind the first and up to the second have done?  Not
 * if their state was taken from the others, or is being taken. */
bool
tl_chain_state_has_outcomes(int64_t after, int64_t height)
{
	Datum		values[] = {Int64GetDatum(after), Int64GetDatum(height)};

	return tl_chain_execute(&select_taken, values, NULL, false) == 0;
}

/* Was the state computed again after that block was applied? */
bool
tl_chain_state_is_anew(int64_t height)
{
	Datum		value = Int64GetDatum(height);

	return tl_chain_execute(&select_anew, &value, NULL, false) > 0;
}

/*
 * The state root that a quorum has signed after that block; false if none is known.  There
 * is a certificate, or a later header names the checkpoint.
 */
bool
tl_chain_state_certified(TlHash *out, int64_t height)
{
	Datum		value = Int64GetDatum(height);

	if (tl_chain_execute(&select_certified, &value, NULL, false) == 0)
		return false;
	read_bytes(out->bytes, TL_HASH_SIZE, 0, 0);
	return true;
}

/* Is that the root? */
bool
tl_chain_state_is_certified(int64_t height, const TlHash *root)
{
	TlHash		certified;

	return tl_chain_state_certified(&certified, height) && memcmp(&certified, root, sizeof(certified)) == 0;
}

/* Into rows of ledger_internal.outcome. */
void
tl_chain_outcome_add(TlChainRows *rows, int64_t height, int number,
					 const uint8_t leaf[TL_OUTCOME_LEAF_SIZE])
{
	Datum		values[] = {
		Int64GetDatum(height), Int32GetDatum(number), tl_chain_bytes(leaf, TL_OUTCOME_LEAF_SIZE)
	};
	const bool	nulls[lengthof(values)] = {false};

	tl_chain_rows_add(rows, values, nulls, lengthof(values));
	pfree(DatumGetPointer(values[2]));
}

/* Does an outcome of the block say that it has rejected this row of that batch? */
bool
tl_chain_state_has_rejection(const TlRefBytes *ref, int64_t height, const TlHash *batch,
							 const TlHash *row)
{
	TlHash		hash;
	Datum		values[] = {
		Int64GetDatum(height), tl_chain_bytes(ref->bytes, TL_REF_SIZE), (Datum) 0
	};
	bool		found;

	tl_chain_state_rejected_row(&hash, batch, row);
	values[2] = tl_chain_bytes(hash.bytes, TL_HASH_SIZE);
	found = tl_chain_execute(&exists_rejection, values, NULL, true) > 0;

	SPI_freetuptable(SPI_tuptable);
	return found;
}

/*
 * Over what the blocks behind the first and up to the second have done; both are
 * applied.  What was read for the root before is not read again, unless it ends
 * further back now: a block may have a million rows that were rejected.
 */
void
tl_chain_outcome_root(TlHash *out, TlOutcomes *kept, int64_t after, int64_t height)
{
	TlOutcomes	outcomes;
	int64_t		last_height;
	int32		last_number = PG_INT32_MAX;

	move_outcomes(kept, after, height);
	outcomes = *kept;			/* after an ERROR it is as it was */
	last_height = outcomes.height;
	while (append_outcomes(&outcomes, &last_height, &last_number, height) == OUTCOMES_MAX)
		;
	outcomes.height = height;
	*kept = outcomes;
	tl_merkle_range_root(&kept->range, out);
}

/* Let it begin behind that block. */
static void
move_outcomes(TlOutcomes *kept, int64_t after, int64_t height)
{
	bool		stays = after >= kept->after && height >= kept->height &&
		(kept->range.size == 0 || kept->first > after);

	if (!stays)
	{
		tl_merkle_range_init(&kept->range);
		kept->height = after;
	}
	kept->after = after;
	kept->height = Max(kept->height, after);
}

/* Some more; how many. */
static uint64
append_outcomes(TlOutcomes *outcomes, int64_t *last_height, int32 *last_number,
				int64_t height)
{
	Datum		values[] = {
		Int64GetDatum(*last_height), Int32GetDatum(*last_number), Int64GetDatum(height),
		Int32GetDatum(OUTCOMES_MAX)
	};
	uint64		count = tl_chain_execute(&select_outcomes, values, NULL, false);
	TlHash		hash;

	CHECK_FOR_INTERRUPTS();
	for (uint64 i = 0; i < count; i++)
	{
		bytea	   *leaf = DatumGetByteaPP(tl_chain_result(i, 2, NULL));

		*last_height = DatumGetInt64(tl_chain_result(i, 0, NULL));
		*last_number = DatumGetInt32(tl_chain_result(i, 1, NULL));
		if (outcomes->range.size == 0)
			outcomes->first = *last_height;
		tl_merkle_leaf_hash(&hash, VARDATA_ANY(leaf), VARSIZE_ANY_EXHDR(leaf));
		tl_error_check(tl_merkle_range_append(&outcomes->range, &hash), "outcome");
	}
	SPI_freetuptable(SPI_tuptable);
	return count;
}

/* Is no block to be applied? */
bool
tl_chain_state_is_stopped(void)
{
	return tl_chain_stored_has("apply_stop", NULL);
}

/* No block is applied any more; false if that was known.  A state of one's own that
 * differs counts more than a split. */
bool
tl_chain_state_stop(int64_t height, const char *reason)
{
	Datum		values[] = {Int64GetDatum(height), CStringGetTextDatum(reason)};

	return tl_chain_execute(&insert_stop, values, NULL, false) > 0 ||
		tl_chain_execute(&note_stop, values, NULL, false) > 0;
}

/* Blocks are applied again, if that was why they were not. */
bool
tl_chain_state_go_on(const char *reason)
{
	Datum		value = CStringGetTextDatum(reason);

	return tl_chain_execute(&delete_stop, &value, NULL, false) > 0;
}

static void
read_bytes(void *out, size_t size, uint64 row, int column)
{
	bytea	   *bytes = DatumGetByteaPP(tl_chain_result(row, column, NULL));

	if (VARSIZE_ANY_EXHDR(bytes) != size)
		ereport(ERROR,
				errcode(TL_ERRCODE(TL_CHAIN_DAMAGED)),
				errmsg("the stored state of a shared table is damaged"),
				errdetail("A value has %zu bytes instead of %zu.", VARSIZE_ANY_EXHDR(bytes), size),
				tl_error_hint_damaged());
	memcpy(out, VARDATA_ANY(bytes), size);
}
