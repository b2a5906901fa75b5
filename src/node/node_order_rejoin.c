/*-------------------------------------------------------------------------
 *
 * node_order_rejoin.c
 *	  A member that has lost memory goes on, among several.
 *
 * ledger.accept_restore() leaves a nonce in ledger_internal.rejoin.  The core is
 * given it until its REJOIN is in the own log: it asks all others by REQUEST,
 * takes their REPLY rows, and signs the REJOIN (src/consensus/README.md, "Memory").
 * Meanwhile rows of the own log come back from all wires, and what continues it
 * is stored.  When a block has ordered the REJOIN the incarnation has its number,
 * and the node's row takes it: batches and refs go on.
 *
 * The other side: a REPLY is stored in the transaction of its step, with the row
 * up to which the log of the asker counts (R34), and given to each later core.
 *
 * Everything here happens inside a turn (node_order.c).
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "utils/builtins.h"
#include "utils/inval.h"
#include "utils/memutils.h"

#include "chain_batch.h"
#include "chain_statement.h"
#include "consensus_reply.h"
#include "node_order_batch.h"
#include "node_order_state.h"
#include "node_order_store.h"
#include "replication_forget.h"
#include "replication_signature.h"
#include "tl_compat.h"
#include "tl_error.h"

#define REQUEST_AGAIN_US	3000000 /* before the same one is sent once more */
#define NOTHING_COMES_US	3000000 /* without an own row: no wire has more of them */

static TlStatement select_newest = {
	"SELECT incarnation, substring(message FROM 6 FOR 16) FROM ledger_internal.own_log"
	" ORDER BY incarnation DESC, seq DESC LIMIT 1"
};
static TlStatement select_rejoin = {
	"SELECT nonce, cause, reason, opened_at IS NOT NULL FROM ledger_internal.rejoin"
	" WHERE numbered_at IS NULL"
};
static TlStatement update_nonce = {
	"UPDATE ledger_internal.rejoin SET nonce = $2 WHERE nonce = $1", 2, {BYTEAOID, BYTEAOID}
};
static TlStatement update_opened = {
	"UPDATE ledger_internal.rejoin SET opened_at = clock_timestamp() WHERE nonce = $1",
	1, {BYTEAOID}
};
static TlStatement update_numbered = {
	"UPDATE ledger_internal.rejoin SET numbered_at = clock_timestamp() WHERE numbered_at IS NULL"
};
static TlStatement update_node = {
	"UPDATE ledger_internal.node SET incarnation = $1, nonce = $2", 2, {INT4OID, BYTEAOID}
};
static TlStatement select_replies = {
	"SELECT member, closed_nonce, closed_seq, message FROM ledger_internal.reply_given"
};
static TlStatement upsert_reply = {
	"INSERT INTO ledger_internal.reply_given (member, closed_nonce, closed_seq, message)"
	" VALUES ($1, $2, $3, $4) ON CONFLICT (member) DO UPDATE SET closed_nonce = excluded.closed_nonce,"
	" closed_seq = excluded.closed_seq, message = excluded.message, given_at = clock_timestamp()",
	4, {INT8OID, BYTEAOID, INT8OID, BYTEAOID}
};
static TlStatement select_own = {
	/* bytes 29 to 60 of a row are the digest of the one before */
	"SELECT substring(message FROM 30 FOR 32), epoch FROM ledger_internal.own_log"
	" WHERE incarnation = $1 AND seq = $2",
	2, {INT4OID, INT8OID}
};
static TlStatement select_place = {
	"SELECT incarnation, seq FROM ledger_internal.own_log WHERE digest = $1"
	" ORDER BY incarnation DESC LIMIT 1",
	1, {BYTEAOID}
};
static TlStatement select_opened = {
	"SELECT FROM ledger_internal.own_log WHERE kind = 11 AND seq = 1"
	" AND substring(message FROM 6 FOR 16) = $1",
	1, {BYTEAOID}
};
static TlStatement delete_votes = {
	"DELETE FROM ledger_internal.own_vote AS v USING ledger_internal.own_log AS l"
	" WHERE (l.incarnation, l.seq) > ($1, $2) AND l.kind IN (3, 4, 5, 6)"
	" AND (v.epoch, v.view, v.slot) = (l.epoch, l.view,"
	" CASE l.kind WHEN 3 THEN 'propose' WHEN 4 THEN 'notarize' ELSE 'phase2' END)",
	2, {INT4OID, INT8OID}
};
static TlStatement delete_rows = {
	"DELETE FROM ledger_internal.own_log WHERE (incarnation, seq) > ($1, $2)",
	2, {INT4OID, INT8OID}
};
static TlStatement free_batches = {
	"UPDATE ledger_internal.batch SET digest = NULL WHERE height IS NULL AND digest IS NOT NULL"
	" AND NOT EXISTS (SELECT FROM ledger_internal.own_log AS l WHERE l.kind = 1"
	" AND ledger_internal.batch_digest(l.message) = batch.digest)"
};

/* A place in the lane of an incarnation that is over may be void (R39): they take one
 * in the next.  Those without stay as they are (chain_pending.c). */
static TlStatement move_batches = {
	"UPDATE ledger_internal.batch SET digest = NULL, incarnation = $1"
	" WHERE height IS NULL AND digest IS NOT NULL",
	1, {INT4OID}
};

static bool observes(const TlOrder *order);
static void close_without_log(TlOrder *order);
static void keep(TlOrder *order, List **list, const TlLogRow *row);
static void give(TlOrder *order, TlInputKind kind, const TlLogRow *row);
static void give_reply(TlOrder *order, const TlLogRow *row);
static void take_back(TlOrder *order, const TlLogRow *row);
static void take_branch(TlOrder *order, const TlLogRow *row);
static void take_back_rejoin(TlOrder *order, const TlLogRow *row);
static void take_back_without(TlOrder *order, const TlLogRow *row);
static void take_across(TlOrder *order, const TlLogRow *row);
static void store_own(TlOrder *order, const TlLogRow *row, bool across);
static void open_log(TlOrder *order, const TlLogRow *row);
static void number(TlOrder *order, const TlConsensusStatus *status);
static TlGiven *find_given(TlOrder *order, uint32_t member);
static bytea *sign(const TlOrder *order, const TlLogRow *row);
static void copy_nonce(uint8_t *out, uint64 row, int column);

/* The incarnation that the own log is in. */
void
tl_node_order_rejoin_load(TlOrder *order)
{
	order->log.incarnation = 0;
	memset(order->log.nonce, 0, TL_NONCE_SIZE);
	if (tl_chain_execute(&select_newest, NULL, NULL, false) == 0)
		return;
	order->log.incarnation = (uint16_t) DatumGetInt32(tl_chain_result(0, 0, NULL));
	copy_nonce(order->log.nonce, 0, 1);
}

/* Up to where logs count, as this member has promised. */
void
tl_node_order_rejoin_load_closed(TlOrder *order)
{
	uint64		count = tl_chain_execute(&select_replies, NULL, NULL, false);

	for (uint64 i = 0; i < count; i++)
	{
		TlGiven    *given = find_given(order, (uint32_t) DatumGetInt64(tl_chain_result(i, 0, NULL)));

		if (given == NULL)
			continue;
		given->closed = true;
		copy_nonce(given->closed_nonce, i, 1);
		given->closed_sequence = (uint64_t) DatumGetInt64(tl_chain_result(i, 2, NULL));
	}
}

/* All that is stored was given to a new core: what it has promised, and wants. */
void
tl_node_order_rejoin_begin(TlOrder *order)
{
	uint64		count = tl_chain_execute(&select_replies, NULL, NULL, false);
	bytea	  **messages = palloc(sizeof(bytea *) * (count + 1));

	for (uint64 i = 0; i < count; i++)
		messages[i] = DatumGetByteaPP(tl_chain_result(i, 3, NULL));
	for (uint64 i = 0; i < count; i++)
	{
		TlLogRow	row;

		tl_error_check(tl_consensus_row_decode(&row, VARDATA_ANY(messages[i]),
											   VARSIZE_ANY_EXHDR(messages[i])),
					   "stored reply");
		give(order, TL_INPUT_REPLIED, &row);
	}
	order->rejoin_given = false;
	tl_node_order_rejoin_look(order);
}

/* Has somebody asked for a rejoin? */
void
tl_node_order_rejoin_look(TlOrder *order)
{
	TlInput		input = {.kind = TL_INPUT_REJOIN, .more = true};
	char	   *reason;

	order->rejoins = tl_chain_execute(&select_rejoin, NULL, NULL, false) > 0;
	if (!order->rejoins)
		return;
	copy_nonce(order->rejoin_nonce, 0, 0);
	order->rejoin_opened = DatumGetBool(tl_chain_result(0, 3, NULL));
	if (order->rejoin_opened || order->rejoin_given)
		return;
	if (!tl_node_order_has_log(order))
	{
		if (observes(order))
			close_without_log(order);
		return;					/* a key or an epoch may come that gives it one */
	}
	reason = TextDatumGetCString(tl_chain_result(0, 2, NULL));
	input.rejoin.cause = (uint8_t) DatumGetInt16(tl_chain_result(0, 1, NULL));
	memcpy(input.rejoin.nonce, order->rejoin_nonce, TL_NONCE_SIZE);
	input.rejoin.reason.data = (const uint8_t *) reason;
	input.rejoin.reason.size = strlen(reason);
	tl_error_check(tl_node_order_step(order, &input), "rejoin");
	order->rejoin_given = true;
	order->own_taken_us = tl_node_order_now_us();
	tl_replication_request_take_back(order->wire, order->log.nonce, order->log.sequence);
}

static bool
observes(const TlOrder *order)
{
	const TlConsensusMember *own = tl_node_order_own_member(order, order->config);

	return own != NULL && own->observer;
}

/*
 * It signs nothing, so there is nothing to rejoin.  If members give it a voice
 * it asks what they have seen of it before it signs (begin_anew in node_order.c).
 */
static void
close_without_log(TlOrder *order)
{
	tl_chain_execute(&update_numbered, NULL, NULL, false);
	CacheInvalidateRelcacheByRelid(tl_node_relation("node", false));
	order->rejoins = false;
	ereport(LOG,
			errmsg("this member observes its ledger and goes on at once"),
			errdetail("It has no log, and so there is nothing that the others could say of it."));
}

/* What the sink is told: it waits for the next turn. */

void
tl_node_order_rejoin_on_request(void *context, const TlLogRow *row)
{
	TlOrder    *order = context;

	keep(order, &order->requests, row);
}

void
tl_node_order_rejoin_on_reply(void *context, const TlLogRow *row)
{
	TlOrder    *order = context;

	keep(order, &order->replies, row);
}

void
tl_node_order_rejoin_on_own(void *context, const TlLogRow *row)
{
	TlOrder    *order = context;

	keep(order, &order->returned, row);
}

static void
keep(TlOrder *order, List **list, const TlLogRow *row)
{
	MemoryContext caller = MemoryContextSwitchTo(order->news);

	*list = lappend(*list, tl_node_order_copy(row));
	MemoryContextSwitchTo(caller);
}

bool
tl_node_order_rejoin_waits(const TlOrder *order)
{
	return order->requests != NIL || order->replies != NIL || order->returned != NIL;
}

/* Give the core what has come; before it is told what others have seen last. */
void
tl_node_order_rejoin_give(TlOrder *order)
{
	ListCell   *cell;

	foreach(cell, order->requests)
	{
		const TlLogRow *row = lfirst(cell);
		TlRequest	request;

		if (tl_consensus_request_decode(&request, row->payload.data, row->payload.size) != TL_OK)
			continue;
		memcpy(order->request_before, request.before, TL_NONCE_SIZE);
		give(order, TL_INPUT_REQUEST, row);
	}
	foreach(cell, order->replies)
		give_reply(order, lfirst(cell));
	foreach(cell, order->returned)
		if (order->rejoins && order->rejoin_given && !order->rejoin_opened && !order->cuts)
			take_back(order, lfirst(cell));
	if (order->returned != NIL && !order->cuts)
		tl_node_order_log_give_own(order);
	order->requests = order->replies = order->returned = NIL;
}

/* Somebody has an own row that stands not here: what is here may reach beyond it. */
void
tl_node_order_rejoin_seen(TlOrder *order, const TlLogRow *row)
{
	if (order->rejoins && !order->rejoin_opened && row->sequence > 0 &&
		row->sequence <= order->log.sequence &&
		memcmp(row->nonce, order->log.nonce, TL_NONCE_SIZE) == 0)
		tl_replication_request_take_back(order->wire, order->log.nonce, row->sequence - 1);
}

/* Signatures were checked when it came; what it holds is judged here. */
static void
give(TlOrder *order, TlInputKind kind, const TlLogRow *row)
{
	TlInput		input = {.kind = kind, .row = *row, .more = true};

	TlStatus	status = tl_consensus_judge(order->core, row, tl_replication_signature_check,
											NULL, &input.certificates_valid);

	if (status == TL_OK || kind == TL_INPUT_REPLIED ||
		(status == TL_NOT_FINAL && kind == TL_INPUT_REQUEST))
		(void) tl_node_order_step(order, &input);
}

static void
give_reply(TlOrder *order, const TlLogRow *row)
{
	TlReply		reply;
	TlGiven    *given = find_given(order, row->member);

	if (given == NULL ||
		tl_consensus_reply_decode(&reply, row->payload.data, row->payload.size) != TL_OK ||
		reply.asker != order->log.member)
		return;
	given->ticket = reply.ticket + 1;
	if (order->rejoins && memcmp(reply.request, order->rejoin_nonce, TL_NONCE_SIZE) == 0)
		give(order, TL_INPUT_REPLY, row);
}

/* A row of the own log that some wire has: what continues the own log is stored. */
static void
take_back(TlOrder *order, const TlLogRow *row)
{
	bool		same = memcmp(row->nonce, order->log.nonce, TL_NONCE_SIZE) == 0;

	if (tl_node_order_has_own(row, &order->log.chain_id) ||
		(same && row->sequence >= order->passed_from && row->epoch < order->passed_epoch))
		return;
	if (same && row->sequence == order->log.sequence + 1 &&
		memcmp(&row->previous, &order->log.digest, sizeof(TlHash)) == 0)
		store_own(order, row, false);
	else if (same && row->sequence > order->log.sequence + 1)
		take_across(order, row);
	else if (same && row->sequence > 0 && row->sequence <= order->log.sequence + 1)
		take_branch(order, row);
	else if (!same && row->kind == TL_LOG_REJOIN && row->sequence == 1)
		take_back_rejoin(order, row);
}

/*
 * It does not fit what stands here, in its place or before it.  Of one epoch:
 * nobody has seen what stands here instead.  Otherwise the later epoch tells which
 * is the log: in one that is over this member had all of its rows here, went on,
 * and learnt later that it had another key by then (R30).  What it has signed
 * with the old one meanwhile counts nowhere beside the other.
 */
static void
take_branch(TlOrder *order, const TlLogRow *row)
{
	uint64_t	place = Min(row->sequence, order->log.sequence);
	Datum		values[] = {
		Int32GetDatum(order->log.incarnation), Int64GetDatum((int64) place)
	};
	TlHash		previous;
	int64		epoch;

	if (tl_chain_execute(&select_own, values, NULL, false) == 0)
		return;
	memcpy(previous.bytes, VARDATA_ANY(DatumGetByteaPP(tl_chain_result(0, 0, NULL))), TL_HASH_SIZE);
	epoch = DatumGetInt64(tl_chain_result(0, 1, NULL));
	if (epoch < (int64) row->epoch)
	{
		if (place == row->sequence)
		{
			order->passed_from = place;
			order->passed_epoch = row->epoch;
		}
		tl_node_order_rejoin_cut(order, &previous);
	}
	else if (epoch == (int64) row->epoch && place == row->sequence)
		tl_node_order_rejoin_cut(order, &row->previous);
}

/* An own REJOIN: it follows a row, and what stands here after that one goes. */
static void
take_back_rejoin(TlOrder *order, const TlLogRow *row)
{
	static const TlHash zeros;
	TlRejoin	rejoin;
	Datum		value;

	if (tl_consensus_rejoin_decode(&rejoin, row->payload.data, row->payload.size) != TL_OK)
		return;
	value = tl_chain_bytes(row->nonce, TL_NONCE_SIZE);
	if (tl_chain_execute(&select_opened, &value, NULL, false) > 0)
		return;
	if (memcmp(&rejoin.digest, &order->log.digest, sizeof(TlHash)) == 0 ||
		(rejoin.sequence == 0 && order->log.sequence == 0))
	{
		store_own(order, row, false);
		return;
	}
	value = tl_chain_bytes(rejoin.digest.bytes, TL_HASH_SIZE);
	if (rejoin.sequence == 0)
		tl_node_order_rejoin_cut(order, &zeros);
	else if (tl_chain_execute(&select_place, &value, NULL, false) > 0)
		tl_node_order_rejoin_cut(order, &rejoin.digest);
	else if (tl_consensus_may_begin_with(order->core, row))
		take_back_without(order, row);
}

/*
 * The row that it follows is nowhere: whoever had it has lost memory since, and
 * none of those before it matters any more.  What this log has goes first, as it
 * may be a branch that nobody has seen; what others have of it comes back.
 */
static void
take_back_without(TlOrder *order, const TlLogRow *row)
{
	static const TlHash zeros;

	if (tl_node_order_now_us() < order->own_taken_us + NOTHING_COMES_US ||
		tl_replication_gap_waits(order->wire->own_gap, order->log.sequence))
		return;
	if (order->log.sequence > 0 && !order->own_returned)
	{
		tl_node_order_rejoin_cut(order, &zeros);
		order->own_returned = true;
		return;
	}
	ereport(LOG,
			errmsg("an own REJOIN is taken back without the rows that it follows"),
			errdetail("No member has them any more; a later block is final, so that none of them matters."));
	store_own(order, row, false);
}

/* What lies between may be in another wire, or be gone from all. */
static void
take_across(TlOrder *order, const TlLogRow *row)
{
	if (!tl_replication_gap_passes(order->wire->own_gap, order->log.sequence, row->sequence))
		return;
	tl_replication_forget_note(order->log.member, row->nonce, row->sequence - 1);
	store_own(order, row, true);
}

static void
store_own(TlOrder *order, const TlLogRow *row, bool across)
{
	Datum		values[2];

	if (row->kind == TL_LOG_REJOIN)
		open_log(order, row);
	tl_node_order_note_vote(row, true);
	tl_replication_own_log_take(&order->log, row, order->height, across);
	if (row->kind == TL_LOG_BATCH)
	{
		tl_node_order_batch_returned(row);
		tl_replication_store_wanted(row, &order->wire->sink);
		order->wire->wants_chunks = true;
	}
	if (memcmp(row->nonce, order->rejoin_nonce, TL_NONCE_SIZE) == 0)
	{
		/* a backup of that time: the incarnation was opened, and is lost again */
		values[0] = tl_chain_bytes(order->rejoin_nonce, TL_NONCE_SIZE);
		if (!pg_strong_random(order->rejoin_nonce, TL_NONCE_SIZE))
			elog(ERROR, "could not generate random bytes for a nonce");
		values[1] = tl_chain_bytes(order->rejoin_nonce, TL_NONCE_SIZE);
		tl_chain_execute(&update_nonce, values, NULL, false);
		order->anew = true;
	}
	order->own_more = true;
	order->own_taken_us = tl_node_order_now_us();
	order->wire->own_due = 0;
	for (int i = 0; i < order->wire->peer_count; i++)
		order->wire->peers[i].own_due = 0;
	tl_replication_request_take_back(order->wire, order->log.nonce, order->log.sequence);
}

/* TL_ACT_CUT_LOG: what the own log has after that row goes; zeros: all. */
void
tl_node_order_rejoin_cut(TlOrder *order, const TlHash *after)
{
	static const TlHash zeros;
	Datum		value = tl_chain_bytes(after->bytes, TL_HASH_SIZE);
	Datum		values[2] = {Int32GetDatum(0), Int64GetDatum(0)};

	if (tl_chain_execute(&select_place, &value, NULL, false) > 0)
	{
		values[0] = tl_chain_result(0, 0, NULL);
		values[1] = tl_chain_result(0, 1, NULL);
	}
	else if (memcmp(after, &zeros, sizeof(TlHash)) != 0)
	{
		ereport(LOG,
				errmsg("rows of the own log came back that follow one which is not here"),
				errdetail("Nothing is dropped for them; what lies between is asked for again."));
		return;
	}
	tl_chain_execute(&delete_votes, values, NULL, false);
	if (tl_chain_execute(&delete_rows, values, NULL, false) == 0)
		return;					/* it ends there: the core has not been given all of it yet */
	ereport(LOG,
			errmsg("rows of the own log that no other member has seen are dropped"),
			errdetail("Row %lld of incarnation %d is the last that is kept.",
					  (long long) DatumGetInt64(values[1]), DatumGetInt32(values[0])));
	tl_replication_forget_cut(order->log.member, values[0], values[1]);
	tl_chain_execute(&free_batches, NULL, NULL, false);
	order->cuts = order->anew = true;
}

/* TL_ACT_REQUEST: to one member, through his wire. */
void
tl_node_order_rejoin_request(TlOrder *order, const TlAction *action)
{
	TlGiven    *given = find_given(order, action->member);
	int64_t		now_us = tl_node_order_now_us();
	bytea	   *message;

	if (given == NULL || action->row.payload.size != TL_REQUEST_SIZE ||
		(given->requested_us + REQUEST_AGAIN_US > now_us && given->requested_us > 0 &&
		 memcmp(given->request, action->row.payload.data, TL_REQUEST_SIZE) == 0))
		return;
	given->requested_us = now_us;
	memcpy(given->request, action->row.payload.data, TL_REQUEST_SIZE);
	message = sign(order, &action->row);
	tl_replication_request_send(order->wire, action->member, VARDATA_ANY(message),
								VARSIZE_ANY_EXHDR(message));
}

/* TL_ACT_REPLY: stored, and with it up to where the asker's log counts. */
void
tl_node_order_rejoin_reply(TlOrder *order, const TlAction *action)
{
	TlGiven    *given = find_given(order, action->member);
	Datum		values[4];
	TlReply		reply;

	tl_error_check(tl_consensus_reply_decode(&reply, action->row.payload.data,
											 action->row.payload.size), "own reply");
	if (given == NULL)
		elog(ERROR, "consensus replies to member %u, who is none", action->member);
	given->closed = true;
	/* what ends is the incarnation that the REQUEST names, seen or not */
	memcpy(given->closed_nonce, order->request_before, TL_NONCE_SIZE);
	given->closed_sequence = 0;
	if (reply.seen && memcmp(reply.last.row.nonce, order->request_before, TL_NONCE_SIZE) == 0)
		given->closed_sequence = reply.last.row.sequence;
	values[0] = Int64GetDatum((int64) action->member);
	values[1] = tl_chain_bytes(given->closed_nonce, TL_NONCE_SIZE);
	values[2] = Int64GetDatum((int64) given->closed_sequence);
	values[3] = PointerGetDatum(sign(order, &action->row));
	tl_chain_execute(&upsert_reply, values, NULL, false);
	order->replied = true;
}

/* The REJOIN is appended now, by append(): another incarnation begins. */
void
tl_node_order_rejoin_opened(TlOrder *order, const TlLogRow *row)
{
	Datum		value = tl_chain_bytes(row->nonce, TL_NONCE_SIZE);

	open_log(order, row);
	tl_chain_execute(&update_opened, &value, NULL, false);
	order->rejoin_opened = true;
	order->own_returned = false;
	order->wire->takes_back = false;
	ereport(LOG,
			errmsg("this member goes on as a new incarnation, in view %llu",
				   (unsigned long long) row->view));
}

static void
open_log(TlOrder *order, const TlLogRow *row)
{
	order->log.incarnation += order->log.sequence > 0;
	memcpy(order->log.nonce, row->nonce, TL_NONCE_SIZE);
	order->log.sequence = 0;
	memset(&order->log.digest, 0, sizeof(TlHash));
}

/* At the end of a turn: what may leave, and whether batches may be made. */
void
tl_node_order_rejoin_settle(TlOrder *order)
{
	TlConsensusStatus status;
	bool		held = order->wire->holds;

	tl_consensus_status(order->core, &status);
	order->numbered = status.numbered && !status.lost;
	order->number = status.incarnation;
	order->wire->holds = !order->started || status.asking || status.lost;
	if (held && !order->wire->holds)
		order->asked = order->signed_now = true;
	if (order->rejoins && order->rejoin_opened && order->numbered &&
		memcmp(order->rejoin_nonce, order->log.nonce, TL_NONCE_SIZE) == 0)
		number(order, &status);
}

static void
number(TlOrder *order, const TlConsensusStatus *status)
{
	Datum		values[] = {
		Int32GetDatum(status->incarnation),
		tl_chain_bytes(order->log.nonce, TL_NONCE_SIZE)
	};

	tl_chain_execute(&update_numbered, NULL, NULL, false);
	tl_chain_execute(&update_node, values, NULL, false);
	tl_chain_execute(&free_batches, NULL, NULL, false);
	tl_chain_execute(&move_batches, values, NULL, false);
	CacheInvalidateRelcacheByRelid(tl_node_relation("node", false));
	order->rejoins = false;
	ereport(LOG,
			errmsg("this member goes on as incarnation %u", status->incarnation));
}

static TlGiven *
find_given(TlOrder *order, uint32_t member)
{
	for (unsigned i = 0; i < order->config->member_count; i++)
		if (order->given[i].member == member)
			return &order->given[i];
	return NULL;
}

/* A row outside the log, encoded with its signature. */
static bytea *
sign(const TlOrder *order, const TlLogRow *row)
{
	TlLogRow	copy = *row;
	size_t		size = TL_LOG_ROW_SIZE_FIXED + row->payload.size;
	bytea	   *out = palloc(VARHDRSZ + size);
	uint8_t		aux[32];
	TlWriter	writer;

	if (!pg_strong_random(aux, sizeof(aux)))
		elog(ERROR, "could not generate random bytes for a signature");
	tl_error_check(tl_consensus_row_sign(&copy, &order->log.chain_id, order->secret, aux),
				   "signature of a row");
	tl_writer_init(&writer, (uint8_t *) VARDATA(out), size);
	tl_error_check(tl_consensus_row_encode(&writer, &copy), "row");
	SET_VARSIZE(out, VARHDRSZ + writer.size);
	return out;
}

static void
copy_nonce(uint8_t *out, uint64 row, int column)
{
	bytea	   *bytes = DatumGetByteaPP(tl_chain_result(row, column, NULL));

	if (VARSIZE_ANY_EXHDR(bytes) != TL_NONCE_SIZE)
		elog(ERROR, "a stored nonce has %d bytes", (int) VARSIZE_ANY_EXHDR(bytes));
	memcpy(out, VARDATA_ANY(bytes), TL_NONCE_SIZE);
}
