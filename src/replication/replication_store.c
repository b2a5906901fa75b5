/*-------------------------------------------------------------------------
 *
 * replication_store.c
 *	  What came from a peer is checked here, and kept or refused.
 *
 * Everything that comes over a wire passes through this file, whoever sent it:
 * replication, or an answer to a question of ours.
 *
 * Invariants
 *	  W1  a row of peer_log is signed by the row key that its member has in the
 *		  epoch of the row; of an epoch that is still to come here, by the one
 *		  that he has now, until that epoch begins
 *	  W2  it follows the row before in its incarnation: sequence and digest;
 *		  an incarnation but the first begins with REJOIN; epochs do not go
 *		  back, so that a key which was given up adds nothing to a log that
 *		  its member has gone on with.  Rows between may be missing if the wires
 *		  have dropped them (W11 in replication_gap.c); of those that come all the
 *		  same what blocks order is kept
 *	  W3  a chunk of peer_body was named by a BATCH row of peer_log, by digest
 *		  and size
 *	  W4  nothing of it is ever changed, but for what W1 takes back and what
 *		  nobody needs any more (replication_forget.c)
 *	  W9  a chunk of peer_body says which batch has named it; NULL if a second one
 *		  has, as nobody could make it again for that one before it is applied
 *
 * The caller is in a transaction and has connected SPI.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "utils/builtins.h"
#include "utils/timestamp.h"
#include "utils/uuid.h"

#include "chain_batch.h"
#include "chain_rows.h"
#include "chain_statement.h"
#include "consensus_payload.h"
#include "consensus_rejoin.h"
#include "crypto_hash.h"
#include "replication_forget.h"
#include "replication_signature.h"
#include "replication_store.h"
#include "tl_compat.h"
#include "tl_error.h"

#define CONTRADICTIONS_MAX		16	/* of one member */
#define QUARANTINE_ROWS_MAX		1024
#define QUARANTINE_HEAD_MAX		4096

static TlStatement select_row = {
	"SELECT message FROM ledger_internal.peer_log"
	" WHERE member = $1 AND nonce = $2 AND seq = $3",
	3, {INT8OID, BYTEAOID, INT8OID}
};
static TlStatement select_logs = {
	"SELECT DISTINCT ON (nonce) nonce, seq, digest, epoch FROM ledger_internal.peer_log"
	" WHERE member = $1 ORDER BY nonce, seq DESC",
	1, {INT8OID}
};
static TlStatement select_rejoins = {
	"SELECT message FROM ledger_internal.peer_log WHERE member = $1 AND seq = 1 AND kind = 11",
	1, {INT8OID}
};
static TlStatement select_position = {
	"SELECT arrival FROM ledger_internal.peer_position WHERE member = $1 AND wire = $2",
	2, {INT8OID, UUIDOID}
};
static TlStatement upsert_position = {
	"INSERT INTO ledger_internal.peer_position (member, wire, arrival) VALUES ($1, $2, $3)"
	" ON CONFLICT (member) DO UPDATE SET wire = excluded.wire, arrival = excluded.arrival",
	3, {INT8OID, UUIDOID, INT8OID}
};
static TlStatement insert_contradiction = {
	"INSERT INTO ledger_internal.contradiction (member, digest, nonce, seq, message)"
	" SELECT $1, $2, $3, $4, $5"
	" WHERE (SELECT count(*) FROM ledger_internal.contradiction WHERE member = $1) < $6"
	" ON CONFLICT DO NOTHING",
	6, {INT8OID, BYTEAOID, BYTEAOID, INT8OID, BYTEAOID, INT4OID}
};
static TlStatement insert_refused = {
	"INSERT INTO ledger_internal.quarantine (slot, number, member, reason, size, head)"
	" SELECT (n % $5)::integer, n, $1, $2, $3, $4"
	" FROM (SELECT coalesce(max(number), 0) + 1 FROM ledger_internal.quarantine) AS next (n)"
	" ON CONFLICT (slot) DO UPDATE SET number = excluded.number, member = excluded.member,"
	" reason = excluded.reason, size = excluded.size, head = excluded.head,"
	" arrived_at = excluded.arrived_at",
	5, {INT8OID, TEXTOID, INT8OID, BYTEAOID, INT8OID}
};

/* A row can come after its batch was applied, by itself or in blocks that were taken. */
static TlStatement insert_wanted = {
	"INSERT INTO ledger_internal.wanted_chunk (digest, batch_digest, member, incarnation, batch, size)"
	" SELECT $1, $2, $3, $4, $5, $6"
	" WHERE NOT EXISTS (SELECT FROM ledger_internal.peer_body WHERE digest = $1 AND octet_length(chunk) = $6)"
	" AND NOT EXISTS (SELECT FROM ledger_internal.foreign_batch WHERE digest = $2"
	" AND height <= (SELECT height FROM ledger_internal.applied))"
	" ON CONFLICT DO NOTHING",
	6, {BYTEAOID, BYTEAOID, INT8OID, INT4OID, INT8OID, INT4OID}
};
static TlStatement update_named = {
	"UPDATE ledger_internal.peer_body SET batch_digest = NULL WHERE digest = $1 AND batch_digest <> $2",
	2, {BYTEAOID, BYTEAOID}
};
static TlStatement select_wanted = {
	"SELECT FROM ledger_internal.wanted_chunk WHERE batch_digest = $1 LIMIT 1",
	1, {BYTEAOID}
};
static TlStatement delete_own_wanted = {
	"DELETE FROM ledger_internal.wanted_chunk WHERE batch_digest = $1"
	" AND digest IN (SELECT digest FROM ledger_internal.own_body)",
	1, {BYTEAOID}
};
static TlStatement delete_wanted = {
	"WITH came AS (DELETE FROM ledger_internal.wanted_chunk WHERE digest = $1 AND size = $2"
	" RETURNING batch_digest, member, incarnation, batch)"
	" SELECT came.*, EXISTS (SELECT FROM ledger_internal.wanted_chunk AS w"
	" WHERE w.batch_digest = came.batch_digest AND (w.digest, w.size) <> ($1, $2)) FROM came",
	2, {BYTEAOID, INT4OID}
};
static TlStatement insert_loose = {
	"INSERT INTO ledger_internal.loose_row (digest, member, kind, message) VALUES ($1, $2, $3, $4)"
	" ON CONFLICT DO NOTHING",
	4, {BYTEAOID, INT8OID, INT2OID, BYTEAOID}
};
static TlStatement insert_chunk = {
	"INSERT INTO ledger_internal.peer_body AS p (digest, chunk, batch_digest) VALUES ($1, $2, $3)"
	" ON CONFLICT (digest) DO UPDATE SET batch_digest = NULL WHERE p.batch_digest <> excluded.batch_digest"
	" OR excluded.batch_digest IS NULL",
	3, {BYTEAOID, BYTEAOID, BYTEAOID}
};

static const char to_come[] = "of an epoch to come, by a key that is not known yet";

static const char *check_signed(TlLogRow *row, TlHash *digest, const TlPeer *peer,
								const TlHash *chain_id, uint64_t epoch, const void *data,
								size_t size);
static TlPeerLog *find_log(TlPeer *peer, const uint8_t nonce[TL_NONCE_SIZE]);
static void note_end(TlPeer *peer, const TlLogRow *row);
static void load_ends(TlPeer *peer);
static bool is_late(const TlPeer *peer, const TlPeerLog *log, const TlLogRow *row);
static TlVerdict compare(const TlPeer *peer, const TlPeerLog *log, const TlLogRow *row,
						 const TlHash *digest, const void *data, size_t size,
						 const char **reason, const TlSink *sink);
static void keep(TlPeerLog *log, const TlLogRow *row, const TlHash *digest,
				 const void *data, size_t size);
static void insert(const TlLogRow *row, const TlHash *digest, const void *data, size_t size);
static void want_bodies(const TlLogRow *row, const TlSink *sink);
static bool is_wanted(const TlLogRow *row, const TlHash *row_digest,
					  TlWantKind kind, const TlHash *digest);
static Datum uuid_datum(const uint8_t bytes[16]);

/*
 * One row, while this node is in that epoch.  The sink learns of it if it is kept, in the order of its log, or
 * if it contradicts; *reason says why it was refused.
 */
TlVerdict
tl_replication_store_row(TlPeer *peer, const TlHash *chain_id, uint64_t epoch,
						 const void *data, size_t size, const char **reason,
						 const TlSink *sink)
{
	TlLogRow	row;
	TlHash		digest;
	TlPeerLog  *log;
	bool		across;

	*reason = check_signed(&row, &digest, peer, chain_id, epoch, data, size);
	if (*reason == to_come)
		return TL_ROW_AHEAD;
	if (*reason == NULL && row.sequence == 0)
		*reason = "the row has no place in a log";
	if (*reason != NULL)
		return TL_ROW_REFUSED;
	log = find_log(peer, row.nonce);
	if (log == NULL)
	{
		*reason = "one incarnation too many";
		return TL_ROW_REFUSED;
	}
	log->known = Max(log->known, row.sequence);
	if (row.sequence <= log->sequence)
		return compare(peer, log, &row, &digest, data, size, reason, sink);
	across = row.sequence > log->sequence + 1;
	if (across && !tl_replication_gap_passes(log->gap, log->sequence, row.sequence))
	{
		if (row.epoch > epoch)	/* it is for that epoch's members to say what is gone */
			tl_replication_gap_bound(log->gap, log->sequence, row.sequence - 1);
		else if (row.epoch >= log->epoch)
			tl_replication_gap_show(log->gap, log->sequence, row.sequence);
		return TL_ROW_AHEAD;
	}
	if (row.sequence == 1 && log != &peer->logs[0] && row.kind != TL_LOG_REJOIN)
	{
		*reason = "begins an incarnation and is no REJOIN";
		return TL_ROW_REFUSED;
	}
	if (!across && memcmp(&row.previous, &log->digest, sizeof(TlHash)) != 0)
	{
		*reason = "does not name the row before";
		return TL_ROW_REFUSED;
	}
	if (log->sequence > 0 && row.epoch < log->epoch)
	{
		*reason = "of an earlier epoch than the row before";
		return TL_ROW_REFUSED;
	}
	if (across)
		tl_replication_forget_note(row.member, row.nonce, row.sequence - 1);
	keep(log, &row, &digest, data, size);
	if (row.kind == TL_LOG_REJOIN)
		note_end(peer, &row);
	if (sink->row != NULL)
		sink->row(sink->context, &row);
	if (row.kind == TL_LOG_BATCH)
		want_bodies(&row, sink);
	return TL_ROW_KEPT;
}

/* A row outside the order of its log, if it is the one that was asked for. */
bool
tl_replication_store_loose(const TlPeer *peer, const TlHash *chain_id,
						   uint64_t epoch, const void *data, size_t size, TlWantKind kind,
						   const TlHash *digest, const TlSink *sink)
{
	TlLogRow	row;
	TlHash		row_digest;
	Datum		values[4];

	if (check_signed(&row, &row_digest, peer, chain_id, epoch, data, size) != NULL ||
		!is_wanted(&row, &row_digest, kind, digest))
		return false;
	values[0] = tl_chain_bytes(row_digest.bytes, TL_HASH_SIZE);
	values[1] = Int64GetDatum((int64) row.member);
	values[2] = Int16GetDatum((int16) row.kind);
	values[3] = tl_chain_bytes(data, size);
	tl_chain_execute(&insert_loose, values, NULL, false);
	if (sink->loose != NULL)	/* also one that is kept: who asks lacks it */
		sink->loose(sink->context, &row);
	if (row.kind == TL_LOG_BATCH)
		want_bodies(&row, sink);
	return true;
}

/* Bodies of a row of the own log that has come back, but for those that are here. */
void
tl_replication_store_wanted(const TlLogRow *row, const TlSink *sink)
{
	TlSink		silent = *sink;
	TlHash		digest;
	Datum		value;

	silent.held = NULL;
	want_bodies(row, &silent);
	tl_chain_batch_digest(&digest, row->payload.data, row->payload.size);
	value = tl_chain_bytes(digest.bytes, TL_HASH_SIZE);
	tl_chain_execute(&delete_own_wanted, &value, NULL, false);
}

/* Into the ring of what was refused. */
void
tl_replication_store_refused(uint32_t member, const char *reason,
							 const void *data, size_t size)
{
	Datum		values[] = {
		Int64GetDatum((int64) member),
		CStringGetTextDatum(reason),
		Int64GetDatum((int64) size),
		tl_chain_bytes(data, Min(size, QUARANTINE_HEAD_MAX)),
		Int64GetDatum(QUARANTINE_ROWS_MAX)
	};

	tl_chain_execute(&insert_refused, values, NULL, false);
}

/* A chunk, if some batch wants it (W3); false if none does. */
bool
tl_replication_store_chunk(const void *data, size_t size, const TlSink *sink)
{
	TlHash		digest;
	Datum		values[3] = {0};
	char		nulls[] = {' ', ' ', ' '};
	uint64		count;
	TlLane	   *complete;
	int			complete_count = 0;

	tl_crypto_sha256(&digest, data, size);
	values[0] = tl_chain_bytes(digest.bytes, TL_HASH_SIZE);
	values[1] = Int32GetDatum((int32) size);
	count = tl_chain_execute(&delete_wanted, values, NULL, false);
	if (count == 0)
		return false;
	complete = palloc(sizeof(TlLane) * count);
	for (uint64 i = 0; i < count; i++)
	{
		TlLane	   *lane = &complete[complete_count];
		bytea	   *batch = DatumGetByteaPP(tl_chain_result(i, 0, NULL));

		if (DatumGetBool(tl_chain_result(i, 4, NULL)))
			continue;			/* others of this batch lack */
		memcpy(lane->digest.bytes, VARDATA_ANY(batch), TL_HASH_SIZE);
		lane->member = (uint32_t) DatumGetInt64(tl_chain_result(i, 1, NULL));
		lane->incarnation = (uint16_t) DatumGetInt32(tl_chain_result(i, 2, NULL));
		lane->batch = (uint64_t) DatumGetInt64(tl_chain_result(i, 3, NULL));
		complete_count++;
	}
	values[1] = tl_chain_bytes(data, size);
	if (count == 1)
		values[2] = PointerGetDatum(DatumGetByteaPCopy(tl_chain_result(0, 0, NULL)));
	else
		nulls[2] = 'n';
	tl_chain_execute(&insert_chunk, values, nulls, false);
	for (int i = 0; i < complete_count; i++)
		if (sink->held != NULL)
			sink->held(sink->context, &complete[i]);
	return true;
}

/* Are all chunks here that a stored BATCH row names?  Also one of this turn. */
bool
tl_replication_store_has_bodies(const TlHash *batch)
{
	Datum		value = tl_chain_bytes(batch->bytes, TL_HASH_SIZE);

	return tl_chain_execute(&select_wanted, &value, NULL, false) == 0;
}

/* How far this member's arrivals have been read. */
void
tl_replication_store_position(uint32_t member, const uint8_t wire[16], int64_t arrival)
{
	Datum		values[] = {
		Int64GetDatum((int64) member), uuid_datum(wire), Int64GetDatum(arrival)
	};

	tl_chain_execute(&upsert_position, values, NULL, false);
}

/* What is kept of this member's logs.  Another wire is read from its start. */
void
tl_replication_store_load_logs(TlPeer *peer, const uint8_t wire[16])
{
	Datum		values[] = {Int64GetDatum((int64) peer->member), uuid_datum(wire)};
	uint64		count;

	peer->arrival = 0;
	if (tl_chain_execute(&select_position, values, NULL, true) > 0)
		peer->arrival = DatumGetInt64(tl_chain_result(0, 0, NULL));
	peer->unnoted = PG_INT16_MAX;	/* the wire may be another one */
	peer->arrived = true;
	peer->trimmed = 0;
	peer->bodies_fetched = true;
	for (int i = 0; i < peer->log_count; i++)
		if (peer->logs[i].gap != NULL)
			pfree(peer->logs[i].gap);
	memset(peer->logs, 0, sizeof(peer->logs));
	for (int i = 0; i < TL_PEER_LOGS_MAX; i++)
		peer->logs[i].source = -1;
	peer->log_count = 1;		/* the first incarnation needs no REJOIN */
	count = tl_chain_execute(&select_logs, values, NULL, true);
	for (uint64 i = 0; i < count; i++)
	{
		bytea	   *nonce = DatumGetByteaPP(tl_chain_result(i, 0, NULL));
		bytea	   *digest = DatumGetByteaPP(tl_chain_result(i, 2, NULL));
		TlPeerLog  *log = &peer->logs[0];

		if (VARSIZE_ANY_EXHDR(nonce) != TL_NONCE_SIZE ||
			VARSIZE_ANY_EXHDR(digest) != TL_HASH_SIZE)
			ereport(ERROR,
					errcode(TL_ERRCODE(TL_CHAIN_DAMAGED)),
					errmsg("the kept log of member %u is damaged", peer->member));
		if (memcmp(VARDATA_ANY(nonce), log->nonce, TL_NONCE_SIZE) != 0)
		{
			if (peer->log_count == TL_PEER_LOGS_MAX)
				continue;
			log = &peer->logs[peer->log_count++];
		}
		memcpy(log->nonce, VARDATA_ANY(nonce), TL_NONCE_SIZE);
		log->sequence = (uint64_t) DatumGetInt64(tl_chain_result(i, 1, NULL));
		log->epoch = (uint64_t) DatumGetInt64(tl_chain_result(i, 3, NULL));
		log->known = log->sequence;
		log->copied = log->sequence - 1;	/* the newest is looked for there */
		memcpy(log->digest.bytes, VARDATA_ANY(digest), TL_HASH_SIZE);
	}
	load_ends(peer);
}

/* W1.  NULL, or why not. */
static const char *
check_signed(TlLogRow *row, TlHash *digest, const TlPeer *peer,
			 const TlHash *chain_id, uint64_t epoch, const void *data, size_t size)
{
	TlStatus	status = tl_consensus_row_decode(row, data, size);

	if (status != TL_OK)
		return psprintf("no log row: %s", tl_status_text(status));
	if (row->member != peer->member)
		return psprintf("row of member %u in the log of another", row->member);
	if (row->sequence > PG_INT64_MAX || row->epoch > PG_INT64_MAX || row->view > PG_INT64_MAX)
		return "number out of range";
	tl_consensus_row_digest(digest, chain_id, row);
	if (!tl_replication_signature_check(NULL, row->signature, digest,
										tl_replication_key_of(&peer->keys, row->epoch)))
		return row->epoch > epoch ? to_come : tl_status_text(TL_BAD_SIGNATURE);
	return NULL;
}

/* The incarnation's log; NULL if this member has shown too many. */
static TlPeerLog *
find_log(TlPeer *peer, const uint8_t nonce[TL_NONCE_SIZE])
{
	TlPeerLog  *log;

	for (int i = 0; i < peer->log_count; i++)
		if (memcmp(peer->logs[i].nonce, nonce, TL_NONCE_SIZE) == 0)
			return &peer->logs[i];
	if (peer->log_count == TL_PEER_LOGS_MAX)
		return NULL;
	log = &peer->logs[peer->log_count++];
	memset(log, 0, sizeof(*log));
	log->source = -1;
	memcpy(log->nonce, nonce, TL_NONCE_SIZE);
	return log;
}

/*
 * A REJOIN says where the log before it ends.  Nobody shows the end of a log that
 * is over, so whoever comes later learns of those rows by this.
 */
static void
note_end(TlPeer *peer, const TlLogRow *row)
{
	TlRejoin	rejoin;
	TlPeerLog  *log;

	if (tl_consensus_rejoin_decode(&rejoin, row->payload.data, row->payload.size) != TL_OK ||
		rejoin.sequence > PG_INT64_MAX)
		return;
	log = find_log(peer, rejoin.nonce_before);
	if (log == NULL)
		return;
	log->end = Max(log->end, rejoin.sequence);
	log->known = Max(log->known, log->end);
}

static void
load_ends(TlPeer *peer)
{
	Datum		value = Int64GetDatum((int64) peer->member);
	uint64		count = tl_chain_execute(&select_rejoins, &value, NULL, true);

	for (uint64 i = 0; i < count; i++)
	{
		bytea	   *message = DatumGetByteaPP(tl_chain_result(i, 0, NULL));
		TlLogRow	row;

		if (tl_consensus_row_decode(&row, VARDATA_ANY(message),
									VARSIZE_ANY_EXHDR(message)) == TL_OK)
			note_end(peer, &row);
	}
}

/*
 * A row for a place that is taken, perhaps in this transaction.  If what was
 * kept there is lost, that is no reason to end for a row of somebody else's.
 */
static TlVerdict
compare(const TlPeer *peer, const TlPeerLog *log, const TlLogRow *row, const TlHash *digest,
		const void *data, size_t size, const char **reason, const TlSink *sink)
{
	TlLogRow	stored;
	bytea	   *message = NULL;
	Datum		values[6] = {
		Int64GetDatum((int64) row->member),
		tl_chain_bytes(row->nonce, TL_NONCE_SIZE),
		Int64GetDatum((int64) row->sequence)
	};

	if (tl_chain_execute(&select_row, values, NULL, false) > 0)
		message = DatumGetByteaPP(tl_chain_result(0, 0, NULL));
	else if (is_late(peer, log, row))
	{
		insert(row, digest, data, size);
		if (sink->loose != NULL)
			sink->loose(sink->context, row);
		if (row->kind == TL_LOG_BATCH)
			want_bodies(row, sink);
		return TL_ROW_KEPT;
	}
	else if (tl_replication_forget_has_dropped(row) || tl_replication_forget_may_lack(row))
		return TL_ROW_KNOWN;	/* W10 */
	if (message == NULL || tl_consensus_row_decode(&stored, VARDATA_ANY(message),
												   VARSIZE_ANY_EXHDR(message)) != TL_OK)
	{
		*reason = "the row that is kept in its place cannot be read";
		return TL_ROW_REFUSED;
	}
	/* the signature is no part of what a row says */
	if (VARSIZE_ANY_EXHDR(message) == size &&
		memcmp(VARDATA_ANY(message), data, size - TL_SIGNATURE_SIZE) == 0)
		return TL_ROW_KNOWN;
	/* R48: both convict nobody */
	if (!tl_replication_key_is_same(&peer->keys, stored.epoch, row->epoch))
	{
		*reason = "beside the row that is kept in its place, which another key has signed";
		return TL_ROW_REFUSED;
	}
	values[4] = tl_chain_bytes(data, size);
	values[3] = values[2];
	values[2] = values[1];
	values[1] = tl_chain_bytes(digest->bytes, TL_HASH_SIZE);
	values[5] = Int32GetDatum(CONTRADICTIONS_MAX);
	if (tl_chain_execute(&insert_contradiction, values, NULL, false) > 0 &&
		sink->contradiction != NULL)
		sink->contradiction(sink->context, &stored, row);
	return TL_ROW_CONTRADICTS;
}

/*
 * No wire had it when the log went on.  What blocks order is wanted all the same, and an
 * ACK that says which copy of its author goes on (R45); but not by a key that he has given
 * up since (W2).
 */
static bool
is_late(const TlPeer *peer, const TlPeerLog *log, const TlLogRow *row)
{
	static const uint8_t zeros[TL_NONCE_SIZE];
	TlAck		ack;

	/* what asks the database comes last: most of these rows are votes */
	if (row->kind == TL_LOG_ACK)
	{
		if (tl_consensus_ack_decode(&ack, row->payload.data, row->payload.size) != TL_OK ||
			memcmp(ack.replaced, zeros, TL_NONCE_SIZE) == 0)
			return false;
	}
	else if (row->kind != TL_LOG_BATCH && row->kind != TL_LOG_GOVERN && row->kind != TL_LOG_EVIDENCE)
		return false;
	return tl_replication_key_is_same(&peer->keys, row->epoch, log->epoch) &&
		tl_replication_forget_may_lack(row) &&
		(row->kind != TL_LOG_ACK || !tl_replication_forget_has_dropped(row));
}

static void
keep(TlPeerLog *log, const TlLogRow *row, const TlHash *digest,
	 const void *data, size_t size)
{
	insert(row, digest, data, size);
	log->sequence = row->sequence;
	log->epoch = row->epoch;
	log->digest = *digest;
	tl_replication_gap_moved(log->gap, log->sequence);
}

/* With the columns of peer_log. */
static void
insert(const TlLogRow *row, const TlHash *digest, const void *data, size_t size)
{
	TlChainRows *rows = tl_chain_rows_open("peer_log");
	Datum		values[] = {
		Int64GetDatum((int64) row->member),
		tl_chain_bytes(row->nonce, TL_NONCE_SIZE),
		Int64GetDatum((int64) row->sequence),
		Int16GetDatum((int16) row->kind),
		Int64GetDatum((int64) row->epoch),
		Int64GetDatum((int64) row->view),
		tl_chain_bytes(data, size),
		tl_chain_bytes(digest->bytes, TL_HASH_SIZE),
		TimestampTzGetDatum(GetCurrentTimestamp())
	};
	bool		nulls[lengthof(values)] = {false};

	tl_chain_rows_add(rows, values, nulls, lengthof(values));
	tl_chain_rows_close(rows);
}

/*
 * A batch that names no chunks is held at once.  One that is no batch is kept
 * like every signed row, and held never.  A chunk that is here is marked first: this
 * waits for who drops it, and then it is wanted.
 */
static void
want_bodies(const TlLogRow *row, const TlSink *sink)
{
	TlBatchHeader header;
	TlLane		lane;
	Datum		values[6];

	if (tl_chain_batch_decode(&header, row->payload.data, row->payload.size) != TL_OK)
		return;
	lane.member = header.member;
	lane.incarnation = header.incarnation;
	lane.batch = header.batch;
	tl_chain_batch_digest(&lane.digest, row->payload.data, row->payload.size);
	values[1] = tl_chain_bytes(lane.digest.bytes, TL_HASH_SIZE);
	values[2] = Int64GetDatum((int64) row->member);
	values[3] = Int32GetDatum(lane.incarnation);
	values[4] = Int64GetDatum((int64) lane.batch);
	for (uint32 i = 0; i < header.chunk_count; i++)
	{
		TlBatchChunk chunk;

		tl_error_check(tl_chain_batch_get_chunk(&chunk, &header, i), "chunk");
		values[0] = tl_chain_bytes(chunk.hash.bytes, TL_HASH_SIZE);
		values[5] = Int32GetDatum((int32) chunk.size);
		tl_chain_execute(&update_named, values, NULL, false);
		tl_chain_execute(&insert_wanted, values, NULL, false);
		pfree(DatumGetPointer(values[0]));
	}
	if (sink->held != NULL && tl_replication_store_has_bodies(&lane.digest))
		sink->held(sink->context, &lane);
}

static bool
is_wanted(const TlLogRow *row, const TlHash *row_digest, TlWantKind kind,
		  const TlHash *digest)
{
	TlProposal	proposal;
	TlHash		subject = *row_digest;

	if (kind == TL_WANT_BATCH)
	{
		if (row->kind != TL_LOG_BATCH)
			return false;
		tl_chain_batch_digest(&subject, row->payload.data, row->payload.size);
	}
	if (kind == TL_WANT_BLOCK)
	{
		TlBlockHeader header;

		if (row->kind != TL_LOG_PROPOSE ||
			tl_consensus_proposal_decode(&proposal, row->payload.data,
										 row->payload.size) != TL_OK ||
			tl_chain_block_decode(&header, proposal.header.data,
								  proposal.header.size) != TL_OK)
			return false;
		tl_chain_block_hash(&subject, &header);
	}
	return memcmp(&subject, digest, sizeof(subject)) == 0;
}

static Datum
uuid_datum(const uint8_t bytes[16])
{
	pg_uuid_t  *uuid = palloc(sizeof(pg_uuid_t));

	memcpy(uuid->data, bytes, UUID_LEN);
	return UUIDPGetDatum(uuid);
}
