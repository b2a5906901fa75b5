/*-------------------------------------------------------------------------
 *
 * node_prune.c
 *	  Bodies that are of no use any more are dropped; those asked for are made again.
 *
 * The bodies of a block are dropped when the block is applied here, at or below a
 * stable checkpoint, and older than telco_ledger.keep_bodies: chunks of own
 * batches in ledger_internal.own_body, of others' in peer_body.  The own wire
 * follows (src/replication/replication_prune.c).  A chunk goes only after it was
 * made again from the tables, byte for byte (node_rebuild.c), so nothing goes
 * that could not come back.  What cannot be made again stays: bodies that were
 * submitted by themselves, those of batches that were refused as a whole, and those
 * whose rows somebody has changed.  A chunk of another member's that two batches
 * have named stays too: one of them may not be applied yet, and nobody could make the
 * body of that one again.
 *
 * Who lacks such a body asks for its batch (replication_body.c), which leaves the
 * digest in ledger_internal.asked_body.  The chunks are made again into
 * ledger_internal.rebuilt_body, from where the process of the wire shows them.  Both
 * tables are unlogged: what a crash takes of them is asked for again.
 *
 * The worker does this beside its rounds, in steps of STEP_MS and pauses that are
 * PAUSE_FACTOR times as long; each block, and each batch that is asked for, is a
 * transaction.  A crash leaves it dropped or not.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/xact.h"
#include "catalog/pg_type.h"
#include "executor/spi.h"
#include "miscadmin.h"
#include "utils/array.h"
#include "utils/hsearch.h"
#include "utils/memutils.h"
#include "utils/snapmgr.h"
#include "utils/timestamp.h"

#include "chain_applied.h"
#include "chain_state_store.h"
#include "chain_statement.h"
#include "node_body.h"
#include "node_order.h"
#include "node_prune.h"
#include "node_rebuild.h"
#include "node_shared.h"
#include "node_wire.h"
#include "replication_setting.h"
#include "tl_compat.h"
#include "tl_error.h"

#define STEP_MS			20
#define PAUSE_FACTOR	4
#define RETRY_MS		60000	/* after what could not be tried */
#define REBUILT_MAX		256		/* chunks that the process of the wire has to show */
#define LATER_MS		5000	/* after a question for rows that are locked */
#define AGAIN_MS		60000	/* what was made is shown for longer */
#define ANSWERS_MAX		4096	/* that are remembered */

static TlStatement select_bounds = {
	"SELECT coalesce((SELECT body_height FROM ledger_internal.pruned), 0),"
	" coalesce((SELECT max(height) FROM ledger_internal.checkpoint), 0)"
};

/* The chunk count stands at byte 130 of a header. */
static TlStatement select_next = {
	"SELECT n.height, (SELECT b.time FROM ledger_internal.block AS b WHERE b.height = n.height) FROM ("
	"(SELECT height FROM ledger_internal.batch WHERE height > $1 AND height <= $2"
	" AND substring(header FROM 131 FOR 4) <> '\\x00000000' ORDER BY height LIMIT 1)"
	" UNION ALL (SELECT height FROM ledger_internal.foreign_batch WHERE height > $1 AND height <= $2"
	" AND substring(header FROM 131 FOR 4) <> '\\x00000000' ORDER BY height LIMIT 1)"
	") AS n (height) ORDER BY n.height LIMIT 1",
	2, {INT8OID, INT8OID}
};
static TlStatement select_batches = {
	"SELECT header, batch FROM ledger_internal.batch WHERE height = $1"
	" AND substring(header FROM 131 FOR 4) <> '\\x00000000'"
	" UNION ALL SELECT header, 0 FROM ledger_internal.foreign_batch WHERE height = $1"
	" AND substring(header FROM 131 FOR 4) <> '\\x00000000'",
	1, {INT8OID}
};
static TlStatement delete_own = {
	"DELETE FROM ledger_internal.own_body WHERE digest = ANY ($1)", 1, {BYTEAARRAYOID}
};
static TlStatement delete_fetched = {
	"DELETE FROM ledger_internal.fetched_body AS f WHERE digest = ANY ($1)"
	" AND NOT EXISTS (SELECT FROM ledger_internal.peer_body AS p WHERE p.digest = f.digest)",
	1, {BYTEAARRAYOID}
};

/* One that is locked is being named by another batch just now (W9). */
static TlStatement delete_foreign = {
	"DELETE FROM ledger_internal.peer_body WHERE digest IN (SELECT digest FROM ledger_internal.peer_body"
	" WHERE digest = ANY ($1) AND batch_digest = $2 FOR UPDATE SKIP LOCKED)",
	2, {BYTEAARRAYOID, BYTEAOID}
};
static TlStatement select_left = {
	"SELECT FROM ledger_internal.peer_body WHERE digest = ANY ($1) AND batch_digest = $2 LIMIT 1",
	2, {BYTEAARRAYOID, BYTEAOID}
};
static TlStatement update_pruned = {
	"INSERT INTO ledger_internal.pruned (body_height) VALUES ($1)"
	" ON CONFLICT (is_on) DO UPDATE SET body_height = excluded.body_height",
	1, {INT8OID}
};
static TlStatement take_asked = {
	"DELETE FROM ledger_internal.asked_body WHERE batch_digest ="
	" (SELECT batch_digest FROM ledger_internal.asked_body ORDER BY number LIMIT 1)"
	" AND NOT EXISTS (SELECT FROM ledger_internal.rebuilt_body OFFSET " CppAsString2(REBUILT_MAX) ")"
	" RETURNING batch_digest"
};
static TlStatement insert_asked = {
	"INSERT INTO ledger_internal.asked_body (batch_digest) VALUES ($1) ON CONFLICT DO NOTHING",
	1, {BYTEAOID}
};
static TlStatement select_asked = {
	"SELECT header, batch, height FROM ledger_internal.batch WHERE digest = $1 AND height <= $2"
	" UNION ALL SELECT header, 0, height FROM ledger_internal.foreign_batch WHERE digest = $1 AND height <= $2"
	" LIMIT 1",
	2, {BYTEAOID, INT8OID}
};
static TlStatement copy_kept = {
	"INSERT INTO ledger_internal.rebuilt_body (digest, chunk)"
	" SELECT digest, chunk FROM ledger_internal.peer_body WHERE digest = ANY ($1)"
	" UNION SELECT digest, chunk FROM ledger_internal.own_body WHERE digest = ANY ($1)"
	" ON CONFLICT DO NOTHING",
	1, {BYTEAARRAYOID}
};
static TlStatement insert_rebuilt = {
	"INSERT INTO ledger_internal.rebuilt_body (digest, chunk) VALUES ($1, $2) ON CONFLICT DO NOTHING",
	2, {BYTEAOID, BYTEAOID}
};
static TlStatement insert_wanted = {
	"INSERT INTO ledger_internal.wanted_chunk (digest, batch_digest, member, incarnation, batch, size)"
	" SELECT $1, $2, $3, $4, $5, $6"
	" WHERE NOT EXISTS (SELECT FROM ledger_internal.peer_body WHERE digest = $1)"
	" AND NOT EXISTS (SELECT FROM ledger_internal.own_body WHERE digest = $1)"
	" ON CONFLICT DO NOTHING",
	6, {BYTEAOID, BYTEAOID, INT8OID, INT4OID, INT8OID, INT4OID}
};

typedef struct StoredBatch
{
	TlBatchHeader header;
	TlHash		digest;			/* of its header */
	int64_t		built;			/* its number in ledger_internal.batch, or 0 */
	bool		can_go;			/* its body could be made again */
} StoredBatch;

/* What became of the last question for a batch, since this process began. */
typedef struct Answer
{
	TlHash		batch;			/* its digest */
	TimestampTz at;
	bool		told;			/* the log says that it cannot be made */
} Answer;

static HTAB *answers = NULL;
static TimestampTz later = DT_NOEND;	/* when what was put back is tried again */
static TimestampTz due = 0;		/* when there may be something to drop */
static TimestampTz rest_until = 0;	/* after a step */
static bool asked = true;		/* there may be something to make again */
static int64_t looked = 0;		/* no body up to here is left to be dropped */
static bool behind = false;		/* a checkpoint stands above what was applied then */
static bool shows = false;		/* the process of the wire may have something to show */

static long next_ms(TimestampTz now);
static bool step(TimestampTz now);
static bool answer(TimestampTz now);
static Answer *recall(Datum digest);
static bool make(const StoredBatch *batch, int64_t height, Answer *last);
static bool find_asked(StoredBatch *out, int64_t *height, Datum digest);
static bool drop_next(TimestampTz now);
static int64_t next_height(TimestampTz *time);
static bool drop(int64_t height);
static StoredBatch *load_batches(int64_t height, int *count);
static bool try_batch(StoredBatch *batch, int64_t height);
static bool drop_batch(const StoredBatch *batch);
static void ignore_chunk(void *context, const TlBatchChunk *chunk, const void *data);
static void keep_chunk(void *context, const TlBatchChunk *chunk, const void *data);
static Datum digests(const TlBatchHeader *header);

/* A batch is asked for, or a checkpoint has become stable. */
void
tl_node_prune_wake(void)
{
	asked = true;
	due = 0;
}

/* Blocks were applied, perhaps below a checkpoint of which there is no more news. */
void
tl_node_prune_applied(void)
{
	if (behind)
		due = 0;
}

/*
 * In the worker, outside of transactions.  Returns for how many ms there is nothing
 * to do, -1 for ever.
 */
long
tl_node_prune_tend(void)
{
	TimestampTz began = GetCurrentTimestamp();
	TimestampTz now = began;
	bool		more = next_ms(now) == 0;

	if (!more)
		return next_ms(now);
	while (more && !TimestampDifferenceExceeds(began, now, STEP_MS))
	{
		CHECK_FOR_INTERRUPTS();
		more = step(now);
		now = GetCurrentTimestamp();
	}
	rest_until = now + PAUSE_FACTOR * (now - began);
	return next_ms(now);
}

static long
next_ms(TimestampTz now)
{
	TimestampTz next = asked ? rest_until : Max(Min(due, later), rest_until);

	if (!asked && next == DT_NOEND)
		return -1;
	return next <= now ? 0 : Max(TimestampDifferenceMilliseconds(now, next), 1);
}

/* One transaction; true if there may be more. */
static bool
step(TimestampTz now)
{
	bool		more = false;

	SetCurrentStatementStartTimestamp();
	StartTransactionCommand();
	XactIsoLevel = XACT_READ_COMMITTED;
	SPI_connect();
	PushActiveSnapshot(GetTransactionSnapshot());
	if (!tl_node_order_is_on())
	{
		asked = false;
		due = later = DT_NOEND;
	}
	else
	{
		if (later <= now)
		{
			asked = true;
			later = DT_NOEND;
		}
		asked = asked && answer(now);
		more = asked || (due <= now && drop_next(now));
	}
	SPI_finish();
	PopActiveSnapshot();
	CommitTransactionCommand();
	if (shows)
		tl_node_wire_wake();
	shows = false;
	return more;
}

/*
 * Make the body of one batch again that is asked for; false if none is, or what is
 * has to wait.
 */
static bool
answer(TimestampTz now)
{
	StoredBatch batch;
	int64_t		height;
	Datum		digest;
	Answer	   *last;

	if (tl_chain_execute(&take_asked, NULL, NULL, false) == 0)
		return false;
	digest = PointerGetDatum(DatumGetByteaPCopy(tl_chain_result(0, 0, NULL)));
	shows = true;
	if (!find_asked(&batch, &height, digest))
		return true;			/* it is not applied here */
	last = recall(digest);
	if (last->at != 0 && !TimestampDifferenceExceeds(last->at, now, AGAIN_MS))
		return true;			/* who asks finds it, or hears the same */
	if (make(&batch, height, last))
	{
		last->at = now;
		return true;
	}
	tl_chain_execute(&insert_asked, &digest, NULL, false);
	later = TimestampTzPlusMilliseconds(now, LATER_MS);
	return false;
}

static Answer *
recall(Datum digest)
{
	HASHCTL		control = {.keysize = sizeof(TlHash),.entrysize = sizeof(Answer)};
	bool		found;
	Answer	   *out;

	if (answers != NULL && hash_get_num_entries(answers) >= ANSWERS_MAX)
	{
		hash_destroy(answers);
		answers = NULL;
	}
	if (answers == NULL)
		answers = hash_create("telco_ledger answers", 64, &control, HASH_ELEM | HASH_BLOBS);
	out = hash_search(answers, VARDATA_ANY(DatumGetPointer(digest)), HASH_ENTER, &found);
	if (!found)
	{
		out->at = 0;
		out->told = false;
	}
	return out;
}

/* False if it is to be tried later. */
static bool
make(const StoredBatch *batch, int64_t height, Answer *last)
{
	char	   *reason = NULL;
	TlRebuildResult result;

	if (tl_node_body_is_here(&batch->header))
	{
		Datum		value = digests(&batch->header);

		tl_chain_execute(&copy_kept, &value, NULL, false);
		return true;
	}
	result = tl_node_rebuild(&batch->header, height, batch->built, keep_chunk, NULL, &reason);
	if (result == TL_REBUILD_LATER)
		return false;
	if (result != TL_REBUILD_DONE && !last->told)
	{
		last->told = true;
		ereport(LOG,
				errmsg("the body of batch %llu of member %u is asked for and cannot be made again",
					   (unsigned long long) batch->header.batch, batch->header.member),
				reason != NULL ? errdetail_internal("%s", reason) : 0);
	}
	return true;
}

static bool
find_asked(StoredBatch *out, int64_t *height, Datum digest)
{
	Datum		values[] = {digest, Int64GetDatum(tl_chain_applied_height())};

	if (tl_chain_execute(&select_asked, values, NULL, false) == 0)
		return false;
	tl_node_body_batch(&out->header, &out->digest, 0);
	out->built = DatumGetInt64(tl_chain_result(0, 1, NULL));
	*height = DatumGetInt64(tl_chain_result(0, 2, NULL));
	return true;
}

/* The bodies of the next block that has some, if it is time; true if there may be more. */
static bool
drop_next(TimestampTz now)
{
	int64_t		height;
	TimestampTz time;
	Datum		value;

	behind = tl_chain_state_is_stopped();	/* some day blocks are applied again */
	height = tl_replication_keep_bodies_s < 0 || behind ? 0 : next_height(&time);
	due = DT_NOEND;				/* until there is another checkpoint */
	if (height == 0)
		return false;
	due = TimestampTzPlusMilliseconds(time, (int64) 1000 * tl_replication_keep_bodies_s);
	if (due > now)
		return false;
	if (!drop(height))
	{
		due = TimestampTzPlusMilliseconds(now, RETRY_MS);
		return false;
	}
	value = Int64GetDatum(height);
	tl_chain_execute(&update_pruned, &value, NULL, false);
	looked = height;
	return true;
}

/* 0: none is left below the newest checkpoint. */
static int64_t
next_height(TimestampTz *time)
{
	Datum		values[2];
	int64_t		checkpoint;
	int64_t		last;

	tl_chain_execute(&select_bounds, NULL, NULL, false);
	looked = Max(looked, DatumGetInt64(tl_chain_result(0, 0, NULL)));
	checkpoint = DatumGetInt64(tl_chain_result(0, 1, NULL));
	last = Min(checkpoint, tl_chain_applied_height());
	behind = last < checkpoint;
	values[0] = Int64GetDatum(looked);
	values[1] = Int64GetDatum(last);
	if (tl_chain_execute(&select_next, values, NULL, false) == 0)
	{
		looked = Max(looked, last);
		return 0;
	}
	*time = DatumGetTimestampTz(tl_chain_result(0, 1, NULL));
	return DatumGetInt64(tl_chain_result(0, 0, NULL));
}

/*
 * False if it could not be tried, or not to the end.  What is locked by deleting is what the process of
 * the wire may wait for, so that comes last.
 */
static bool
drop(int64_t height)
{
	int			count;
	StoredBatch *batches = load_batches(height, &count);
	bool		gone = true;

	for (int i = 0; i < count; i++)
		if (!tl_chain_batch_is_submitted(&batches[i].header) &&
			!try_batch(&batches[i], height))
			return false;
	for (int i = 0; i < count; i++)
		if (batches[i].can_go)
			gone &= drop_batch(&batches[i]);
	return gone;
}

static StoredBatch *
load_batches(int64_t height, int *count)
{
	Datum		value = Int64GetDatum(height);
	uint64		found = tl_chain_execute(&select_batches, &value, NULL, false);
	StoredBatch *batches = palloc0(sizeof(StoredBatch) * (found + 1));

	for (uint64 i = 0; i < found; i++)
	{
		tl_node_body_batch(&batches[i].header, &batches[i].digest, i);
		batches[i].built = DatumGetInt64(tl_chain_result(i, 1, NULL));
	}
	*count = (int) found;
	return batches;
}

static bool
try_batch(StoredBatch *batch, int64_t height)
{
	char	   *reason;

	switch (tl_node_rebuild(&batch->header, height, batch->built, ignore_chunk, NULL, &reason))
	{
		case TL_REBUILD_LATER:
			return false;
		case TL_REBUILD_REFUSED:
			return true;
		case TL_REBUILD_FAILED:
			ereport(WARNING,
					errcode(TL_ERRCODE(TL_CHAIN_DAMAGED)),
					errmsg("the body of batch %llu of member %u in block %lld is kept, as it could not be made again",
						   (unsigned long long) batch->header.batch, batch->header.member,
						   (long long) height),
					errdetail_internal("%s.", reason),
					tl_error_hint_damaged());
			return true;
		case TL_REBUILD_DONE:
			break;
	}
	batch->can_go = true;
	return true;
}

/* False if the process of the wire holds a chunk just now, and may leave it to this batch. */
static bool
drop_batch(const StoredBatch *batch)
{
	Datum		values[] = {
		digests(&batch->header), tl_chain_bytes(batch->digest.bytes, TL_HASH_SIZE)
	};
	bool		gone;

	tl_chain_execute(&delete_own, values, NULL, false);
	tl_chain_execute(&delete_foreign, values, NULL, false);
	tl_chain_execute(&delete_fetched, values, NULL, false);
	gone = tl_chain_execute(&select_left, values, NULL, false) == 0;
	pfree(DatumGetPointer(values[0]));
	pfree(DatumGetPointer(values[1]));
	return gone;
}

/* That it can be made is what counts. */
static void
ignore_chunk(void *context, const TlBatchChunk *chunk, const void *data)
{
}

static void
keep_chunk(void *context, const TlBatchChunk *chunk, const void *data)
{
	Datum		values[] = {
		tl_chain_bytes(chunk->hash.bytes, TL_HASH_SIZE), tl_chain_bytes(data, chunk->size)
	};

	tl_chain_execute(&insert_rebuilt, values, NULL, false);
	pfree(DatumGetPointer(values[0]));
	pfree(DatumGetPointer(values[1]));
}

/* Of all chunks of a batch. */
static Datum
digests(const TlBatchHeader *header)
{
	Datum	   *elements = palloc(sizeof(Datum) * (header->chunk_count + 1));

	for (uint32_t i = 0; i < header->chunk_count; i++)
	{
		TlBatchChunk chunk;

		tl_error_check(tl_chain_batch_get_chunk(&chunk, header, i), "chunk of a batch");
		elements[i] = tl_chain_bytes(chunk.hash.bytes, TL_HASH_SIZE);
	}
	return PointerGetDatum(construct_array(elements, (int) header->chunk_count, BYTEAOID, -1,
										   false, TYPALIGN_INT));
}

/*
 * Chunks of a batch that is to be applied, and that were here when it came and have
 * gone.  They are asked for once more.  In the transaction of the caller.
 */
void
tl_node_prune_want(const TlBatchHeader *header, const TlHash *digest)
{
	Datum		values[6];

	values[1] = tl_chain_bytes(digest->bytes, TL_HASH_SIZE);
	values[2] = Int64GetDatum((int64) header->member);
	values[3] = Int32GetDatum(header->incarnation);
	values[4] = Int64GetDatum((int64) header->batch);
	for (uint32_t i = 0; i < header->chunk_count; i++)
	{
		TlBatchChunk chunk;

		CHECK_FOR_INTERRUPTS();
		tl_error_check(tl_chain_batch_get_chunk(&chunk, header, i), "chunk of a batch");
		values[0] = tl_chain_bytes(chunk.hash.bytes, TL_HASH_SIZE);
		values[5] = Int32GetDatum((int32) chunk.size);
		tl_chain_execute(&insert_wanted, values, NULL, false);
		pfree(DatumGetPointer(values[0]));
	}
}
