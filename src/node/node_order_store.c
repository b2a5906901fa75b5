/*-------------------------------------------------------------------------
 *
 * node_order_store.c
 *	  What the core of consensus reads and leaves in tables.
 *
 * ledger_internal.block_order holds what a core needs to begin on a block, beside
 * the header in ledger_internal.block (the view ordered_block has both):
 * cut and entries in their encodings, the certificate, and the standing
 * of the members, which is for each of them, big-endian: convicted u64,
 * incarnation u16, nonces of the newest and of the seven before 16 each, epoch
 * u64, view u64, approvals u32, the newest four motions that he approves of 32
 * each; then whether a change was decided u8, the row that approves it 32, the
 * hash of the next set 32.  The history is the stored tree's (chain_history); the members
 * are those of genesis and what the epochs since have made of them
 * (node_order_epoch.c).
 *
 * The caller is in a transaction and has connected SPI.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/memutils.h"

#include "chain_restart.h"
#include "chain_statement.h"
#include "chain_store.h"
#include "consensus_epoch.h"
#include "consensus_types.h"
#include "crypto_hash.h"
#include "node_apply.h"
#include "node_order_batch.h"
#include "node_order_decision.h"
#include "node_order_epoch.h"
#include "node_order_store.h"
#include "replication_forget.h"
#include "replication_store.h"
#include "tl_compat.h"
#include "tl_error.h"

#define READ_SIZE_MAX	4194304	/* of a read, so that memory has a limit; a single row may be larger */
#define STANDING_SIZE	(8 + 2 + TL_NONCE_SIZE * TL_INCARNATIONS_KEPT + 8 + 8 + 4 + \
						 TL_HASH_SIZE * TL_CONSENSUS_APPROVALS_MAX)
#define DECIDED_SIZE	(1 + 2 * TL_HASH_SIZE)

static TlStatement select_genesis = {
	"SELECT genesis_header, genesis_body FROM ledger_internal.node", 0, {0}
};
static TlStatement select_last = {
	"SELECT header, cut, entries, certificate, standing FROM ledger_internal.ordered_block"
	" ORDER BY height DESC LIMIT 1",
	0, {0}
};
static TlStatement insert_block = {
	"INSERT INTO ledger_internal.block_order (height, cut, entries, certificate, standing)"
	" VALUES ($1, $2, $3, $4, $5)",
	5, {INT8OID, BYTEAOID, BYTEAOID, BYTEAOID, BYTEAOID}
};

static TlStatement update_standing = {
	"UPDATE ledger_internal.block_order SET standing = $2 WHERE height = $1", 2, {INT8OID, BYTEAOID}
};

/* Rows of a log in that order: $3 at most. */
#define SELECT_ROWS(columns, rows, place) \
	"SELECT " columns ", " rows " ORDER BY " place " LIMIT $3"

/* Incarnation and number in a BATCH row. */
#define BATCH_PLACE			"substring(message FROM 121 FOR 10)"

static TlStatement select_own = {
	SELECT_ROWS("message, incarnation",
				"seq FROM ledger_internal.own_log WHERE (incarnation, seq) > ($1, $2)",
				"incarnation, seq"),
	3, {INT4OID, INT8OID, INT4OID}
};
static TlStatement select_nonces = {
	"SELECT nonce FROM ledger_internal.peer_log WHERE member = $1 AND seq = 1"
	" ORDER BY stored_at, nonce LIMIT $2",
	2, {INT8OID, INT4OID}
};
static TlStatement select_kept = {
	SELECT_ROWS("message",
				"seq FROM ledger_internal.peer_log WHERE member = $1 AND nonce = $4 AND seq > $2",
				"seq"),
	4, {INT8OID, INT8OID, INT4OID, BYTEAOID}
};

/*
 * Of the rows before row $5 of a log those that a start needs: REJOIN and EVIDENCE,
 * GOVERN of epoch $6, BATCH beyond place $7 in the lane, the newest STATE rows, as many as
 * the core keeps.  OFFSET 0 has the few BATCH rows found by the lane, and not among all
 * rows of the log.
 */
#define KEPT_BEFORE(which) \
	"SELECT seq, message FROM ledger_internal.peer_log" \
	" WHERE member = $1 AND nonce = $4 AND seq < $5 AND " which

static TlStatement select_kept_before = {
	SELECT_ROWS("message",
				"seq FROM (" KEPT_BEFORE("kind IN (10, 11)")
				" UNION ALL " KEPT_BEFORE("kind = 9 AND epoch = $6")
				" UNION ALL SELECT seq, message FROM ("
				"SELECT nonce, seq, message FROM ledger_internal.peer_log"
				" WHERE member = $1 AND kind = 1 AND " BATCH_PLACE " > $7 OFFSET 0) AS beyond"
				" WHERE nonce = $4 AND seq < $5"
				" UNION ALL (" KEPT_BEFORE("kind = 8")
				" ORDER BY seq DESC LIMIT " CppAsString2(TL_CONSENSUS_STATES_MAX) ")"
				") AS needed WHERE seq > $2",
				"seq"),
	7, {INT8OID, INT8OID, INT4OID, BYTEAOID, INT8OID, INT8OID, BYTEAOID}
};

/* The same of the own log, before row ($4, $5); and the last BATCH row, where the lane goes on. */
static TlStatement select_own_before = {
	SELECT_ROWS("message, incarnation",
				"seq FROM (SELECT incarnation, seq FROM ledger_internal.own_log WHERE kind IN (10, 11)"
				" UNION SELECT incarnation, seq FROM ledger_internal.own_log WHERE kind = 9 AND epoch = $6"
				" UNION SELECT incarnation, seq FROM ledger_internal.own_log"
				" WHERE kind = 1 AND " BATCH_PLACE " > $7"
				" UNION (SELECT incarnation, seq FROM ledger_internal.own_log"
				" WHERE kind = 1 AND (incarnation, seq) < ($4, $5) ORDER BY " BATCH_PLACE " DESC LIMIT 1)"
				" UNION (SELECT incarnation, seq FROM ledger_internal.own_log"
				" WHERE kind = 8 AND (incarnation, seq) < ($4, $5)"
				" ORDER BY incarnation DESC, seq DESC LIMIT " CppAsString2(TL_CONSENSUS_STATES_MAX) ")"
				") AS needed JOIN ledger_internal.own_log USING (incarnation, seq)"
				" WHERE (incarnation, seq) > ($1, $2) AND (incarnation, seq) < ($4, $5)",
				"incarnation, seq"),
	7, {INT4OID, INT8OID, INT4OID, INT4OID, INT8OID, INT8OID, BYTEAOID}
};
static TlStatement select_own_lane = {
	SELECT_ROWS("message",
				BATCH_PLACE " AS place, seq FROM ledger_internal.own_log"
				" WHERE kind = 1 AND $1 > 0 AND " BATCH_PLACE " > $2",
				"place, seq"),
	3, {INT8OID, BYTEAOID, INT4OID}
};
static TlStatement select_kept_lane = {
	SELECT_ROWS("message",
				BATCH_PLACE " AS place, seq FROM ledger_internal.peer_log"
				" WHERE kind = 1 AND member = $1 AND " BATCH_PLACE " > $2",
				"place, seq"),
	3, {INT8OID, BYTEAOID, INT4OID}
};
static TlStatement select_own_row = {
	"SELECT FROM generate_series(0, (SELECT max(incarnation) FROM ledger_internal.own_log)) AS i"
	" JOIN ledger_internal.own_log AS l ON l.incarnation = i AND l.seq = $1 WHERE l.digest = $2",
	2, {INT8OID, BYTEAOID}
};
static TlStatement select_submitted = {
	"SELECT position, sha256(chunk), octet_length(chunk) FROM ledger_internal.submitted"
	" ORDER BY position LIMIT $1",
	1, {INT4OID}
};
static TlStatement insert_bodies = {
	"INSERT INTO ledger_internal.own_body (digest, chunk)"
	" SELECT sha256(chunk), chunk FROM ledger_internal.submitted WHERE position = ANY ($1)"
	" ORDER BY position ON CONFLICT DO NOTHING",
	1, {INT8ARRAYOID}
};
static TlStatement delete_submitted = {
	"DELETE FROM ledger_internal.submitted WHERE position = ANY ($1)", 1, {INT8ARRAYOID}
};

static void load_members(TlConsensusConfig *config, TlSpan header, TlSpan body);
static void load_base(TlConsensusConfig *config);
static Datum standing_bytes(const TlStanding *standing, unsigned count);
static Datum lane_place(const TlLane *lane);
static Datum cut_place(const TlConsensusConfig *config, uint32_t member);
static bytea **messages(uint64 count);
static bytea **messages_until(uint64 count, int limit, bool *more);
static TlOwnRow *own_rows(uint64 count, int limit, bool *more);

/* Members and the base, which is genesis or the last block stored. */
void
tl_node_order_load(TlConsensusConfig *config)
{
	TlConsensusBlock *base = &config->base;

	tl_node_order_load_genesis(config);
	tl_node_order_epochs(config);
	if (tl_chain_execute(&select_last, NULL, NULL, true) > 0)
	{
		load_base(config);
		tl_chain_store_load_history(&base->history, base->header.height + 1);
	}
}

/* The members of genesis, on the genesis block. */
void
tl_node_order_load_genesis(TlConsensusConfig *config)
{
	tl_chain_execute(&select_genesis, NULL, NULL, true);
	load_members(config, tl_chain_result_span(0, 0), tl_chain_result_span(0, 1));
}

/* A final block; its certificate may be a descendant's.  Does it pass over a call? */
bool
tl_node_order_store(const TlConsensusConfig *config, const TlAction *action,
					const TlStanding *standing)
{
	bool		skips;

	tl_node_order_batch_final(action->block);
	tl_node_order_keep(action->block, action->certificate, standing, config->member_count);
	skips = tl_node_order_decision_store(action->block, &action->hash);
	tl_node_apply_at_once((int64) action->block->header.height, action->block->entry_count > 0);
	return skips;
}

/*
 * What a stored block has beside its header.  The standing of so many members:
 * none for a block on which no core begins.
 */
void
tl_node_order_keep(const TlConsensusBlock *block, TlSpan certificate,
				   const TlStanding *standing, unsigned count)
{
	size_t		cut_size = 16 + TL_BLOCK_LANE_SIZE * (size_t) block->lane_count;
	size_t		entries_size = 16 + 64 * (size_t) block->entry_count;
	uint8_t    *cut = palloc(cut_size);
	uint8_t    *entries = palloc(entries_size);
	TlWriter	writer;
	Datum		values[5];

	values[0] = Int64GetDatum((int64) block->header.height);
	tl_writer_init(&writer, cut, cut_size);
	tl_error_check(tl_chain_cut_encode(&writer, block->cut, block->lane_count), "cut");
	values[1] = tl_chain_bytes(cut, writer.size);
	tl_writer_init(&writer, entries, entries_size);
	tl_error_check(tl_chain_entries_encode(&writer, block->entries, block->entry_count),
				   "entries");
	values[2] = tl_chain_bytes(entries, writer.size);
	values[3] = tl_chain_bytes(certificate.data, certificate.size);
	values[4] = count == 0 ? tl_chain_bytes("", 0) : standing_bytes(standing, count);
	tl_chain_execute(&insert_block, values, NULL, false);
}

/* The standing after a block that was stored without. */
void
tl_node_order_keep_standing(uint64_t height, const TlStanding *standing, unsigned count)
{
	Datum		values[] = {Int64GetDatum((int64) height), standing_bytes(standing, count)};

	tl_chain_execute(&update_standing, values, NULL, false);
}

/* The incarnations of which a first row is kept, in the order in which they came. */
unsigned
tl_node_order_nonces(uint8_t (*out)[TL_NONCE_SIZE], uint32_t member)
{
	Datum		values[] = {Int64GetDatum((int64) member), Int32GetDatum(TL_PEER_LOGS_MAX)};
	uint64		count = tl_chain_execute(&select_nonces, values, NULL, false);

	for (uint64 i = 0; i < count; i++)
	{
		TlSpan		nonce = tl_chain_result_span(i, 0);

		if (nonce.size != TL_NONCE_SIZE)
			elog(ERROR, "a kept log of member %u has a nonce of %zu bytes", member, nonce.size);
		memcpy(out[i], nonce.data, TL_NONCE_SIZE);
	}
	return (unsigned) count;
}

/* Rows of another's log behind that one, in order; are there more? */
struct varlena **
tl_node_order_read(uint32_t member, const uint8_t nonce[TL_NONCE_SIZE], uint64_t after,
				   int limit, uint64 *count, bool *more)
{
	Datum		values[] = {
		Int64GetDatum((int64) member), Int64GetDatum((int64) after),
		Int32GetDatum(limit), tl_chain_bytes(nonce, TL_NONCE_SIZE)
	};

	*count = tl_chain_execute_until(&select_kept, values, false, 0, READ_SIZE_MAX);
	return messages_until(*count, limit, more);
}

/* Those of them that a start needs before that row; are there more? */
struct varlena **
tl_node_order_read_before(uint32_t member, const uint8_t nonce[TL_NONCE_SIZE], uint64_t after,
						  uint64_t first, const TlConsensusConfig *config, int limit,
						  uint64 *count, bool *more)
{
	Datum		values[] = {
		Int64GetDatum((int64) member), Int64GetDatum((int64) after),
		Int32GetDatum(limit), tl_chain_bytes(nonce, TL_NONCE_SIZE),
		Int64GetDatum((int64) first), Int64GetDatum((int64) config->epoch),
		cut_place(config, member)
	};

	*count = tl_chain_execute_until(&select_kept_before, values, false, 0, READ_SIZE_MAX);
	return messages_until(*count, limit, more);
}

/* Rows of the own log behind that one, in order; are there more? */
TlOwnRow *
tl_node_order_read_own(uint16_t incarnation, uint64_t after, int limit, uint64 *count,
					   bool *more)
{
	Datum		values[] = {
		Int32GetDatum(incarnation), Int64GetDatum((int64) after), Int32GetDatum(limit)
	};

	*count = tl_chain_execute_until(&select_own, values, false, 0, READ_SIZE_MAX);
	return own_rows(*count, limit, more);
}

/* Those of them that a start needs before that row; are there more? */
TlOwnRow *
tl_node_order_read_own_before(uint32_t member, const TlOwnPlace *after, const TlOwnPlace *first,
							  const TlConsensusConfig *config, int limit, uint64 *count, bool *more)
{
	Datum		values[] = {
		Int32GetDatum(after->incarnation), Int64GetDatum((int64) after->sequence),
		Int32GetDatum(limit), Int32GetDatum(first->incarnation),
		Int64GetDatum((int64) first->sequence), Int64GetDatum((int64) config->epoch),
		cut_place(config, member)
	};

	*count = tl_chain_execute_until(&select_own_before, values, false, 0, READ_SIZE_MAX);
	return own_rows(*count, limit, more);
}

/* The next BATCH rows of a lane beyond that batch, in order of their numbers. */
struct varlena **
tl_node_order_read_lane(bool own, const TlLane *lane, int limit, uint64 *count)
{
	Datum		values[] = {
		Int64GetDatum((int64) lane->member), lane_place(lane), Int32GetDatum(limit)
	};

	*count = tl_chain_execute_until(own ? &select_own_lane : &select_kept_lane, values, false, 0, READ_SIZE_MAX);
	return messages(*count);
}

/* Are all bodies of this BATCH row here?  Own ones were stored with it. */
bool
tl_node_order_holds(const TlLogRow *row, TlLane *lane)
{
	TlBatchHeader header;

	if (tl_chain_batch_decode(&header, row->payload.data, row->payload.size) != TL_OK)
		return false;
	lane->member = header.member;
	lane->incarnation = header.incarnation;
	lane->batch = header.batch;
	tl_chain_batch_digest(&lane->digest, row->payload.data, row->payload.size);
	return tl_replication_store_has_bodies(&lane->digest);
}

/* Does the own log have this row? */
bool
tl_node_order_has_own(const TlLogRow *row, const TlHash *chain_id)
{
	TlHash		digest;
	Datum		values[2];

	tl_consensus_row_digest(&digest, chain_id, row);
	values[0] = Int64GetDatum((int64) row->sequence);
	values[1] = tl_chain_bytes(digest.bytes, TL_HASH_SIZE);
	return tl_chain_execute(&select_own_row, values, NULL, false) > 0;
}

/* Has it had that row, which is here or was dropped? */
bool
tl_node_order_had_own(const TlLogRow *row, const TlHash *chain_id)
{
	int			incarnation;

	return tl_node_order_has_own(row, chain_id) ||
		tl_replication_forget_lacks_own(row, &incarnation);
}

/* The hash of the block that a PROPOSE row proposes. */
void
tl_node_order_proposed(TlHash *out, const TlLogRow *row)
{
	TlProposal	proposal;
	TlBlockHeader header;

	tl_error_check(tl_consensus_proposal_decode(&proposal, row->payload.data,
												row->payload.size), "own proposal");
	tl_error_check(tl_chain_block_decode(&header, proposal.header.data,
										 proposal.header.size), "own proposal");
	tl_chain_block_hash(out, &header);
}

/* What waits to be ordered, the oldest first. */
void
tl_node_order_submitted(TlSubmitted *out)
{
	Datum		value = Int32GetDatum(TL_ORDER_CHUNKS_MAX);
	TlWriter	writer;

	out->count = (uint32_t) tl_chain_execute(&select_submitted, &value, NULL, false);
	tl_writer_init(&writer, out->entries, sizeof(out->entries));
	for (uint32_t i = 0; i < out->count; i++)
	{
		TlBatchChunk chunk = {0};

		out->positions[i] = DatumGetInt64(tl_chain_result(i, 0, NULL));
		memcpy(chunk.hash.bytes, tl_chain_result_span(i, 1).data, TL_HASH_SIZE);
		chunk.size = (uint32_t) DatumGetInt32(tl_chain_result(i, 2, NULL));
		tl_chain_batch_put_chunk(&writer, &chunk);
	}
	tl_error_check(tl_writer_finish(&writer), "chunks");
}

/* They are in a batch: they leave as bodies, and wait no more. */
void
tl_node_order_taken(const TlSubmitted *submitted)
{
	Datum		positions[TL_ORDER_CHUNKS_MAX];
	Datum		value;

	for (uint32_t i = 0; i < submitted->count; i++)
		positions[i] = Int64GetDatum(submitted->positions[i]);
	value = PointerGetDatum(construct_array(positions, (int) submitted->count, INT8OID,
											sizeof(int64), FLOAT8PASSBYVAL, TYPALIGN_DOUBLE));
	tl_chain_execute(&insert_bodies, &value, NULL, false);
	tl_chain_execute(&delete_submitted, &value, NULL, false);
}

static void
load_members(TlConsensusConfig *config, TlSpan header, TlSpan body)
{
	TlGenesis  *genesis = palloc(sizeof(TlGenesis));
	TlBlockHeader block;

	tl_error_check(tl_chain_genesis_decode(genesis, body.data, body.size), "genesis");
	tl_error_check(tl_chain_block_decode(&block, header.data, header.size),
				   "genesis header");
	tl_error_check(tl_chain_restart_config(config, genesis, &block), "members in genesis");
}

/* The last block stored: its row is the result. */
static void
load_base(TlConsensusConfig *config)
{
	TlConsensusBlock *base = &config->base;
	TlSpan		part;
	uint8_t    *certificate;

	part = tl_chain_result_span(0, 0);
	tl_error_check(tl_chain_block_decode(&base->header, part.data, part.size), "block header");
	tl_chain_block_hash(&base->hash, &base->header);
	part = tl_chain_result_span(0, 1);
	tl_error_check(tl_chain_cut_decode(base->cut, &base->lane_count, TL_MEMBER_COUNT_MAX,
									   part.data, part.size), "cut");
	part = tl_chain_result_span(0, 2);
	tl_error_check(tl_chain_entries_decode(base->entries, &base->entry_count,
										   TL_CONSENSUS_ENTRIES_MAX, part.data, part.size),
				   "entries");
	part = tl_chain_result_span(0, 3);
	certificate = MemoryContextAlloc(GetMemoryChunkContext(config), part.size + 1);
	memcpy(certificate, part.data, part.size);
	config->certificate.data = certificate;
	config->certificate.size = part.size;
	/* the founding block's is already that of the members whom it has made */
	if (base->header.epoch == config->epoch)
		tl_node_order_standing(&config->standing, tl_chain_result_span(0, 4), config->member_count);
}

/* A stored standing of so many members. */
void
tl_node_order_standing(TlStanding *out, TlSpan bytes, unsigned count)
{
	TlReader	reader;

	memset(out, 0, sizeof(*out));

	tl_reader_init(&reader, bytes.data, bytes.size);
	for (unsigned i = 0; i < count; i++)
	{
		out->members[i].convicted = tl_get_u64(&reader);
		out->members[i].incarnation = tl_get_u16(&reader);
		tl_get_bytes(&reader, out->members[i].nonce, TL_NONCE_SIZE);
		tl_get_bytes(&reader, out->members[i].older, sizeof(out->members[i].older));
		out->members[i].epoch = tl_get_u64(&reader);
		out->members[i].view = tl_get_u64(&reader);
		out->members[i].approvals = tl_get_u32(&reader);
		for (unsigned j = 0; j < TL_CONSENSUS_APPROVALS_MAX; j++)
			tl_get_hash(&reader, &out->members[i].approved[j]);
	}
	out->changed = tl_get_u8(&reader) != 0;
	tl_get_hash(&reader, &out->change_row);
	tl_get_hash(&reader, &out->next_members);
	tl_error_check(tl_reader_finish(&reader), "standing");
}

static Datum
standing_bytes(const TlStanding *standing, unsigned count)
{
	uint8_t		bytes[TL_MEMBER_COUNT_MAX * STANDING_SIZE + DECIDED_SIZE];
	TlWriter	writer;

	tl_writer_init(&writer, bytes, sizeof(bytes));
	for (unsigned i = 0; i < count; i++)
	{
		tl_put_u64(&writer, standing->members[i].convicted);
		tl_put_u16(&writer, standing->members[i].incarnation);
		tl_put_bytes(&writer, standing->members[i].nonce, TL_NONCE_SIZE);
		tl_put_bytes(&writer, standing->members[i].older, sizeof(standing->members[i].older));
		tl_put_u64(&writer, standing->members[i].epoch);
		tl_put_u64(&writer, standing->members[i].view);
		tl_put_u32(&writer, standing->members[i].approvals);
		for (unsigned j = 0; j < TL_CONSENSUS_APPROVALS_MAX; j++)
			tl_put_hash(&writer, &standing->members[i].approved[j]);
	}
	tl_put_u8(&writer, standing->changed);
	tl_put_hash(&writer, &standing->change_row);
	tl_put_hash(&writer, &standing->next_members);
	tl_error_check(tl_writer_finish(&writer), "standing");
	return tl_chain_bytes(bytes, writer.size);
}

static Datum
lane_place(const TlLane *lane)
{
	uint8_t		place[2 + 8];
	TlWriter	writer;

	tl_writer_init(&writer, place, sizeof(place));
	tl_put_u16(&writer, lane->incarnation);
	tl_put_u64(&writer, lane->batch);
	return tl_chain_bytes(place, sizeof(place));
}

/* How far the last block reaches into that lane. */
static Datum
cut_place(const TlConsensusConfig *config, uint32_t member)
{
	TlLane		lane = {.member = member};

	for (unsigned i = 0; i < config->base.lane_count; i++)
		if (config->base.cut[i].member == member)
			lane = config->base.cut[i];
	return lane_place(&lane);
}

/* Are there more, as the statement ends at either limit? */
static bytea **
messages_until(uint64 count, int limit, bool *more)
{
	bytea	  **out = messages(count);
	uint64		size = 0;

	for (uint64 i = 0; i < count; i++)
		size += VARSIZE_ANY_EXHDR(out[i]);
	*more = count == (uint64) limit || size >= READ_SIZE_MAX;
	return out;
}

static TlOwnRow *
own_rows(uint64 count, int limit, bool *more)
{
	TlOwnRow   *out = palloc(sizeof(TlOwnRow) * (count + 1));
	bytea	  **rows = messages_until(count, limit, more);

	for (uint64 i = 0; i < count; i++)
	{
		out[i].message = rows[i];
		out[i].incarnation = (uint16_t) DatumGetInt32(tl_chain_result(i, 1, NULL));
	}
	return out;
}

static bytea **
messages(uint64 count)
{
	bytea	  **out = palloc(sizeof(bytea *) * (count + 1));

	for (uint64 i = 0; i < count; i++)
		out[i] = DatumGetByteaPP(tl_chain_result(i, 0, NULL));
	return out;
}
