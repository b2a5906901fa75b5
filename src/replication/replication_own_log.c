/*-------------------------------------------------------------------------
 *
 * replication_own_log.c
 *	  The own log: what this member has signed, byte for byte.
 *
 * A row is signed and stored in the transaction of the worker that decided it,
 * and may leave only after that transaction has been flushed; so whatever
 * anybody has seen of this member is here (CONSENSUS.md section 1).
 * ledger_internal.own_vote holds each vote once more under a primary key of
 * epoch, view and slot: a second, different vote cannot commit.
 *
 * The processes of a node keep a signer from one row to the next, until its secret is
 * forgotten; a session, which signs a few rows and may end in an ERROR, does not.
 *
 * The caller has connected SPI.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "miscadmin.h"
#include "utils/builtins.h"

#include "chain_statement.h"
#include "replication_own_log.h"
#include "tl_compat.h"
#include "tl_error.h"

#define VOTES_MAX	1000		/* pruned at one time */

static TlStatement select_last = {
	"SELECT seq, digest FROM ledger_internal.own_log WHERE incarnation = $1"
	" ORDER BY seq DESC LIMIT 1",
	1, {INT4OID}
};
static TlStatement insert_row = {
	"INSERT INTO ledger_internal.own_log (incarnation, seq, kind, epoch, view, height, message, digest)"
	" VALUES ($1, $2, $3, $4, $5, $6, $7, $8)",
	8, {INT4OID, INT8OID, INT2OID, INT8OID, INT8OID, INT8OID, BYTEAOID, BYTEAOID}
};
static TlStatement insert_vote = {
	"INSERT INTO ledger_internal.own_vote (epoch, view, slot, digest) VALUES ($1, $2, $3, $4)",
	4, {INT8OID, INT8OID, TEXTOID, BYTEAOID}
};
static TlStatement select_vote = {
	"SELECT max(view) FROM ledger_internal.own_vote WHERE epoch = $1",
	1, {INT8OID}
};
static TlStatement delete_votes = {
	"DELETE FROM ledger_internal.own_vote AS v USING"
	" (SELECT epoch, view, slot FROM ledger_internal.own_vote WHERE (epoch, view) < ($1, $2)"
	" ORDER BY epoch, view, slot LIMIT " CppAsString2(VOTES_MAX) ") AS o"
	" WHERE (v.epoch, v.view, v.slot) = (o.epoch, o.view, o.slot)",
	2, {INT8OID, INT8OID}
};
static TlStatement insert_vote_again = {
	"INSERT INTO ledger_internal.own_vote (epoch, view, slot, digest) VALUES ($1, $2, $3, $4)"
	" ON CONFLICT DO NOTHING",
	4, {INT8OID, INT8OID, TEXTOID, BYTEAOID}
};

static TlSigner signer;
static bool signer_is_open = false;
static uint8_t signer_secret[TL_SECRET_SIZE];

static TlSigner *signer_of(const uint8_t secret[TL_SECRET_SIZE]);
static void draw(uint8_t *random, size_t size);
static void store(TlOwnLog *log, const TlLogRow *row, uint64_t height);

/* Where the log stands.  Member, incarnation, nonce and chain are the caller's. */
void
tl_replication_own_log_load(TlOwnLog *log)
{
	Datum		value = Int32GetDatum(log->incarnation);
	bytea	   *digest;

	log->sequence = 0;
	memset(&log->digest, 0, sizeof(log->digest));
	if (tl_chain_execute(&select_last, &value, NULL, true) == 0)
		return;
	log->sequence = (uint64_t) DatumGetInt64(tl_chain_result(0, 0, NULL));
	digest = DatumGetByteaPP(tl_chain_result(0, 1, NULL));
	if (VARSIZE_ANY_EXHDR(digest) != TL_HASH_SIZE)
		ereport(ERROR,
				errcode(TL_ERRCODE(TL_CHAIN_DAMAGED)),
				errmsg("the digest of row %llu of the own log does not have 32 bytes",
					   (unsigned long long) log->sequence));
	memcpy(log->digest.bytes, VARDATA_ANY(digest), TL_HASH_SIZE);
}

/* Sign the next row and store it. */
void
tl_replication_own_log_append(TlOwnLog *log, TlLogKind kind, uint64_t epoch,
							  uint64_t view, uint64_t height, TlSpan payload,
							  const uint8_t secret[TL_SECRET_SIZE])
{
	TlLogRow	row;
	uint8_t		aux[32];

	row.member = log->member;
	memcpy(row.nonce, log->nonce, TL_NONCE_SIZE);
	row.sequence = log->sequence + 1;
	row.previous = log->digest;
	row.kind = kind;
	row.epoch = epoch;
	row.view = view;
	row.payload = payload;
	draw(aux, sizeof(aux));
	tl_error_check(MyBackendType == B_BG_WORKER ?
				   tl_consensus_row_sign_by(&row, &log->chain_id, signer_of(secret), aux) :
				   tl_consensus_row_sign(&row, &log->chain_id, secret, aux),
				   "signature of a log row");
	store(log, &row, height);
}

static TlSigner *
signer_of(const uint8_t secret[TL_SECRET_SIZE])
{
	uint8_t		blinding[TL_SECRET_SIZE];

	if (signer_is_open && memcmp(signer_secret, secret, TL_SECRET_SIZE) == 0)
		return &signer;
	tl_replication_own_log_forget_secret();
	draw(blinding, sizeof(blinding));
	tl_error_check(tl_crypto_signer_open(&signer, secret, blinding, sizeof(blinding)), "row key");
	memcpy(signer_secret, secret, TL_SECRET_SIZE);
	signer_is_open = true;
	return &signer;
}

static void
draw(uint8_t *random, size_t size)
{
	if (!pg_strong_random(random, size))
		elog(ERROR, "could not generate random bytes for a signature");
}

/* By who wipes the secret itself. */
void
tl_replication_own_log_forget_secret(void)
{
	if (!signer_is_open)
		return;
	tl_crypto_signer_close(&signer);
	explicit_bzero(signer_secret, sizeof(signer_secret));
	signer_is_open = false;
}

/* A row of this member's that others have, and that is the next here; across: of those that are left. */
void
tl_replication_own_log_take(TlOwnLog *log, const TlLogRow *row, uint64_t height, bool across)
{
	if (across ? log->sequence == 0 || row->sequence <= log->sequence + 1 :
		row->sequence != log->sequence + 1 ||
		memcmp(&row->previous, &log->digest, sizeof(TlHash)) != 0)
		elog(ERROR, "row %llu does not continue the own log", (unsigned long long) row->sequence);
	store(log, row, height);
}

static void
store(TlOwnLog *log, const TlLogRow *row, uint64_t height)
{
	size_t		size = TL_LOG_ROW_SIZE_FIXED + row->payload.size;
	uint8_t    *bytes = palloc(size);
	TlWriter	writer;
	Datum		values[8];

	tl_writer_init(&writer, bytes, size);
	tl_error_check(tl_consensus_row_encode(&writer, row), "log row");
	tl_consensus_row_digest(&log->digest, &log->chain_id, row);
	log->sequence = row->sequence;

	values[0] = Int32GetDatum(log->incarnation);
	values[1] = Int64GetDatum((int64) row->sequence);
	values[2] = Int16GetDatum((int16) row->kind);
	values[3] = Int64GetDatum((int64) row->epoch);
	values[4] = Int64GetDatum((int64) row->view);
	values[5] = Int64GetDatum((int64) height);
	values[6] = tl_chain_bytes(bytes, writer.size);
	values[7] = tl_chain_bytes(log->digest.bytes, TL_HASH_SIZE);
	tl_chain_execute(&insert_row, values, NULL, false);
}

/* again: a vote that comes back with its row may be here still. */
void
tl_replication_own_vote(uint64_t epoch, uint64_t view, TlVoteSlot slot,
						const TlHash *block, bool again)
{
	static const char *const names[] = {"propose", "notarize", "phase2"};
	Datum		values[] = {
		Int64GetDatum((int64) epoch),
		Int64GetDatum((int64) view),
		CStringGetTextDatum(names[slot]),
		tl_chain_bytes(block->bytes, TL_HASH_SIZE)
	};

	tl_chain_execute(again ? &insert_vote_again : &insert_vote, values, NULL, false);
}

/* The view of the newest vote in that epoch; 0: there is none. */
uint64_t
tl_replication_own_vote_last(uint64_t epoch)
{
	Datum		value = Int64GetDatum((int64) epoch);
	bool		isnull = true;
	Datum		view;

	tl_chain_execute(&select_vote, &value, NULL, true);
	view = tl_chain_result(0, 0, &isnull);
	return isnull ? 0 : (uint64_t) DatumGetInt64(view);
}

/* No vote can be cast in a view before that one any more: the oldest ones go. */
void
tl_replication_own_vote_prune(uint64_t epoch, uint64_t view)
{
	Datum		values[] = {Int64GetDatum((int64) epoch), Int64GetDatum((int64) view)};

	tl_chain_execute(&delete_votes, values, NULL, false);
}
