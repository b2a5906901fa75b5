/*-------------------------------------------------------------------------
 *
 * node_order.c
 *	  The core of consensus, fed from the wire.
 *
 * The thin line between two floors: what the wire has kept becomes inputs of
 * tl_consensus_step, what the core asks for becomes rows of the own log,
 * questions to peers, and final blocks those of the stored chain.
 *
 * A turn is one transaction.  It reads what is stored beyond what the core was
 * given (own log and kept logs alike, so that a start is a turn like any other),
 * steps the core, and stores what it appends.  Own rows come back to the core in
 * the next turn, when they are durable (src/consensus/README.md, "What the caller
 * does").  A turn that fails ends the process, and the core with it.  When an
 * epoch has ended the next core begins as a start does, from the tables.  None
 * begins before the blocks that the founder made alone are here
 * (node_order_alone.c).
 *
 * What this member brings in is offered at the end of a turn (node_order_submit.c).
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/xact.h"
#include "catalog/pg_type.h"
#include "executor/spi.h"
#include "miscadmin.h"
#include "portability/instr_time.h"
#include "utils/builtins.h"
#include "utils/memutils.h"
#include "utils/timestamp.h"

#include "chain_statement.h"
#include "chain_store.h"
#include "consensus_core.h"
#include "node_key.h"
#include "node_order_epoch.h"
#include "node_order_state.h"
#include "node_order_store.h"
#include "node_settings.h"
#include "node_shared.h"
#include "node_show.h"
#include "node_stand.h"
#include "node_state.h"
#include "node_take.h"
#include "replication_forget.h"
#include "replication_own_log.h"
#include "replication_signature.h"
#include "tl_compat.h"
#include "tl_error.h"

#define LANE_LENGTH			64
#define TURNS_MAX			16		/* without a look at the sockets */

/*
 * Liveness only; generous, as several members may share one small machine.  Once
 * a quorum has answered, timers follow how long rows take.
 */
static const TlConsensusPace pace = {
	.timer_us = 500000, .timer_min_us = 50000, .timer_max_us = 10000000, .dead_us = 500000,
	.active_us = 10000000, .fetch_us = 200000, .ask_us = INT64CONST(3600000000), .start_wait_us = 10000000,
	.busy_us = 400000
};

static void on_row(void *context, const TlLogRow *row);
static void on_held(void *context, const TlLane *lane);
static void on_loose(void *context, const TlLogRow *row);
static void on_last_seen(void *context, uint32_t member, const TlLogRow *row);
static void on_later(void *context);
static void on_contradiction(void *context, const TlLogRow *row, const TlLogRow *other);
static void on_asked(void *context);
static void open_core(TlOrder *order);
static void begin_core(TlOrder *order);
static unsigned view_count(const TlConsensusConfig *config);
static void load_key(TlOrder *order, const TlConsensusConfig *config);
static void tell_members(TlOrder *order, const TlConsensusConfig *config);
static void begin_anew(TlOrder *order);
static int64_t earlier(int64_t one_us, int64_t other_us);
static bool has_work(const TlOrder *order);
static void follow_motions(TlOrder *order);
static void turn(TlOrder *order);
static void tell_worker(TlOrder *order);
static void give_news(TlOrder *order);
static void give_held(TlOrder *order, const TlLane *lane);
static void give_seen(TlOrder *order, const TlLastSeen *seen);
static void obey(TlOrder *order);
static void take_block(TlOrder *order, const TlAction *action);
static void append(TlOrder *order, const TlLogRow *row);
static void fetch_batch(TlOrder *order, const TlLane *lane);
static void read_lane(TlOrder *order, const TlLane *lane);
static void alarm_operator(TlOrder *order, const TlAction *action);

/* In a transaction with SPI. */
bool
tl_node_order_is_on(void)
{
	if (SPI_execute("SELECT FROM ledger_internal.order_mode", true, 1) != SPI_OK_SELECT)
		elog(ERROR, "could not read ledger_internal.order_mode");
	return SPI_processed > 0;
}

/* Its memory, key and sink; in a transaction. */
TlOrder *
tl_node_order_make(const TlNodeIdentity *identity, TlWire *wire, TlSink *sink)
{
	TlOrder    *order = MemoryContextAllocZero(TopMemoryContext, sizeof(TlOrder));

	order->wire = wire;
	order->log.member = identity->table.member;
	order->log.incarnation = identity->table.incarnation;
	order->log.chain_id = identity->chain_id;
	memcpy(order->log.nonce, identity->nonce, TL_NONCE_SIZE);
	memcpy(order->row_key, identity->public_key, TL_XONLY_KEY_SIZE);
	order->memory = AllocSetContextCreate(TopMemoryContext, "telco_ledger order core",
										  ALLOCSET_DEFAULT_SIZES);
	order->news = AllocSetContextCreate(TopMemoryContext, "telco_ledger order news",
										ALLOCSET_DEFAULT_SIZES);
	sink->context = order;
	sink->row = on_row;
	sink->held = on_held;
	sink->loose = on_loose;
	sink->last_seen = on_last_seen;
	sink->later = on_later;
	sink->contradiction = on_contradiction;
	sink->request = tl_node_order_rejoin_on_request;
	sink->reply = tl_node_order_rejoin_on_reply;
	sink->own = tl_node_order_rejoin_on_own;
	sink->asked = on_asked;
	sink->offer = tl_node_order_offer_make;
	sink->offered = tl_node_order_offer_on;
	sink->piece = tl_node_show_piece;
	sink->piece_came = tl_node_take_piece;
	return order;
}

/* A core, unless blocks from before it are still to come. */
void
tl_node_order_open(TlOrder *order)
{
	if (!pg_strong_random(order->instance, sizeof(order->instance)))
		elog(ERROR, "could not generate random bytes for an instance");
	order->fresh = true;
	if (!tl_node_order_alone_wait(order))
		open_core(order);
}

/* A core on the last block stored, and the first turns: all that is stored. */
static void
open_core(TlOrder *order)
{
	begin_core(order);
	while (!order->started)
		turn(order);
}

/* A core on what is stored; nothing of it was given yet. */
static void
begin_core(TlOrder *order)
{
	TlConsensusConfig *config;
	size_t		size;

	MemoryContextReset(order->memory);
	config = MemoryContextAllocZero(order->memory, sizeof(TlConsensusConfig));
	tl_replication_wire_begin(order->wire);
	tl_node_order_rejoin_load(order);
	tl_replication_own_log_load(&order->log);
	config->chain_id = order->log.chain_id;
	tl_node_order_load(config);
	load_key(order, config);
	tell_members(order, config);
	config->member = order->has_key ? order->log.member : 0;
	config->view_count = view_count(config);
	config->lane_length = LANE_LENGTH;
	config->pace = pace;
	config->pace.retain_us = (int64_t) tl_setting_retain_time_s * USECS_PER_SEC;
	config->pace.ack_wait_us = (int64_t) tl_setting_ack_wait_ms * 1000;
	config->pace.retain_count = (uint64_t) tl_setting_retain_blocks;
	memcpy(config->instance, order->instance, sizeof(config->instance));
	order->config = config;
	order->height = config->base.header.height;
	order->base_view = config->base.header.view;
	tl_node_order_log_open(order);
	tl_node_order_checkpoint_open(order);
	tl_node_order_busy_open(order);
	size = tl_consensus_size(config);
	order->core = tl_consensus_init(MemoryContextAllocHuge(order->memory, size),
									size, config);
	if (order->core == NULL)
		ereport(ERROR,
				errcode(TL_ERRCODE(TL_CHAIN_DAMAGED)),
				errmsg("the stored blocks do not make a beginning for consensus"),
				tl_error_hint_damaged());
	order->actions = MemoryContextAllocZero(order->memory, sizeof(TlActions));
	order->started = false;
	order->anew = false;
	order->offers = true;
	order->governed = true;		/* of the epoch that begins some may be stored */
	order->wake_us = 0;
	tl_replication_wire_end(order->wire);
}

/*
 * How many views the core remembers: those that an administrator says, counted from the
 * newest own vote if that lies further than they reach, as the core goes by its memory when
 * it votes (R2 to R5).  So fewer than before may be said at any time.
 */
static unsigned
view_count(const TlConsensusConfig *config)
{
	uint64_t	count = (uint64_t) tl_setting_order_views;
	uint64_t	voted = tl_replication_own_vote_last(config->epoch);

	if (voted < config->base.header.view + count)
		return (unsigned) count;
	count = Min(count + voted - config->base.header.view, TL_CONSENSUS_VIEWS_MAX);
	ereport(LOG,
			errmsg("own votes lie further beyond the last final block than telco_ledger.order_views"),
			errdetail("For now %llu views are remembered.", (unsigned long long) count));
	return (unsigned) count;
}

/*
 * The key of the epoch: that of the leaf, or what this database has made to become
 * a member.  Whoever has lost it follows, so that it can learn of another one.
 */
static void
load_key(TlOrder *order, const TlConsensusConfig *config)
{
	const TlConsensusMember *own = tl_node_order_own_member(order, config);
	char	   *fault;

	if (own != NULL)
		memcpy(order->row_key, own->row_key, TL_XONLY_KEY_SIZE);
	fault = tl_node_key_try(order->secret, order->row_key);
	order->has_key = fault == NULL;
	if (!order->has_key)
		ereport(WARNING,
				errcode(TL_ERRCODE(TL_KEY_UNAVAILABLE)),
				errmsg("%s", fault),
				errdetail("This node follows the other members and signs nothing."),
				errhint("Put the file back, with mode 0600, or have the members approve of another key: SELECT ledger.new_fingerprint() makes it."));
}

/* Whose wires are waited for where rows are gone, and whose word counts there. */
static void
tell_members(TlOrder *order, const TlConsensusConfig *config)
{
	TlWire	   *wire = order->wire;
	unsigned	count = 0;

	wire->member_count = config->member_count;
	wire->belongs = tl_node_order_own_member(order, config) != NULL;
	for (unsigned i = 0; i < config->member_count; i++)
	{
		wire->members[i] = config->members[i].number;
		wire->votes[i] = config->members[i].validator;
		count += config->members[i].validator;
	}
	wire->faults = tl_consensus_faults(count);
	wire->absent = count - tl_consensus_quorum(count, config->quorum_of_three);
}

/*
 * Another core, as what is stored has changed under this one.  What it waited
 * for or knew to be lost the next one has to find out again; and what one without a
 * log, that signs nothing, has never asked: the next may have a voice.
 */
static void
begin_anew(TlOrder *order)
{
	TlConsensusStatus status;
	bool		had_log = tl_node_order_has_log(order);

	tl_consensus_status(order->core, &status);
	/* R30: what was shown of a later epoch can be checked with the next one's keys */
	order->fresh = status.asking || status.lost || order->later || (order->fresh && !had_log);
	order->later = false;
	begin_core(order);
	(void) tl_replication_wire_reload(order->wire);
}

/* May the core sign rows: is its member one of now, no observer, with its key? */
bool
tl_node_order_has_log(const TlOrder *order)
{
	const TlConsensusMember *own = tl_node_order_own_member(order, order->config);

	return own != NULL && order->has_key && !own->observer;
}

/* What this member is then; NULL: none. */
const TlConsensusMember *
tl_node_order_own_member(const TlOrder *order, const TlConsensusConfig *config)
{
	for (unsigned i = 0; i < config->member_count; i++)
		if (config->members[i].number == order->log.member)
			return &config->members[i];
	return NULL;
}

/* There may be something to order. */
void
tl_node_order_wake(TlOrder *order)
{
	order->submitted = true;
}

/* A session may have stopped the applying of blocks, or let it go on. */
void
tl_node_order_doubt(TlOrder *order)
{
	order->unsure = true;
}

/* As many turns as there is something for; when to come again. */
TimestampTz
tl_node_order_poll(TlOrder *order, TimestampTz now)
{
	int64_t		wake_us;
	int64_t		left_us;

	if (order->walk != NULL)
	{
		if (order->alone_news && tl_node_order_alone_follow(order))
			open_core(order);
		return order->walk == NULL || order->alone_news ? now : DT_NOEND;
	}
	if (!order->has_key && order->started && tl_node_key_is_usable(order->row_key))
	{
		order->later = true;	/* what others have seen is to be asked for */
		begin_anew(order);
	}
	for (int turns = 0; has_work(order); turns++)
	{
		if (turns == TURNS_MAX)
			return now;			/* others want their turn too */
		turn(order);
		if (order->signed_now)
			return now;			/* what it has made leaves first */
	}
	wake_us = earlier(earlier(tl_node_order_offer_look(order), order->wake_us), order->due_us);
	if (wake_us == 0)
		return DT_NOEND;
	left_us = wake_us - tl_node_order_now_us();
	return now + Max(left_us, 0);
}

/* 0 stands for none. */
static int64_t
earlier(int64_t one_us, int64_t other_us)
{
	return one_us == 0 || (other_us != 0 && other_us < one_us) ? other_us : one_us;
}

static bool
has_work(const TlOrder *order)
{
	int64_t		wake_us = earlier(order->wake_us, order->due_us);

	if (!order->started || order->held != NIL || order->loose != NIL || order->again != NIL ||
		order->seen != NIL || order->contradictions != NIL || order->offered != NIL ||
		tl_node_order_rejoin_waits(order))
		return true;
	return order->submitted || tl_node_order_log_waits(order) ||
		(wake_us != 0 && tl_node_order_now_us() >= wake_us);
}

static void
turn(TlOrder *order)
{
	TlInput		input = {.kind = TL_INPUT_TIME};
	bool		more;
	bool		governed = order->governed;

	order->asked = false;
	order->signed_now = false;
	order->bodied = false;
	order->replied = false;
	order->cuts = false;
	order->ordered = false;
	if (order->wake_us <= tl_node_order_now_us())
		order->wake_us = 0;
	tl_replication_wire_begin(order->wire);
	more = tl_node_order_log_give(order);
	give_news(order);
	tl_node_order_checkpoint_tell(order);
	tl_node_order_checkpoint_tell_due(order);
	tl_node_order_busy_tell(order);
	if (order->started && order->submitted)
		tl_node_order_rejoin_look(order);
	order->offers |= order->submitted;
	order->submitted = false;
	if (!order->started && !more)
	{
		tl_node_order_rejoin_begin(order);
		ereport(LOG,
				errmsg("consensus goes on from block %llu", (unsigned long long) order->height),
				errdetail("%llu stored rows of the logs were read.",
						  (unsigned long long) order->rows_read));
		input.kind = TL_INPUT_START;
		/* others may have seen more */
		input.fresh = order->fresh && order->log.sequence > 0 && order->has_key;
		order->started = true;
	}
	tl_error_check(tl_node_order_step(order, &input), "consensus");
	while (order->actions->more)
	{
		input.kind = TL_INPUT_TIME;
		tl_error_check(tl_node_order_step(order, &input), "consensus");
	}
	tl_node_order_rejoin_settle(order);
	if (order->ordered && order->started && !order->cuts)
		tl_node_order_summary_store(order);
	order->offers |= order->ordered;
	if (order->started && order->numbered && !order->anew && order->offers)
	{
		order->offers = false;
		tl_node_order_submit(order);
	}
	if (governed)
		follow_motions(order);
	tl_replication_wire_end(order->wire);
	if (governed)
		(void) tl_replication_wire_reload(order->wire);
	tell_worker(order);
	if (order->replied)
		tl_replication_request_replied(order->wire);
	if (order->bodied)
		tl_replication_wire_wake(order->wire);
	if (order->signed_now)
		tl_replication_wire_wake_log(order->wire);
	order->own_more |= order->asked;	/* own rows come back to the core */
	if (order->anew)
		begin_anew(order);
}

/* What is committed now: blocks to apply, a call that is not executed, bodies that may be dropped. */
static void
tell_worker(TlOrder *order)
{
	if (order->ordered)
	{
		tl_node_shared_tell_worker(MyDatabaseId, TL_NEWS_ORDERED);
		tl_node_shared_advance(MyDatabaseId);
	}
	if (order->skips)
		tl_node_stand_interrupt();
	order->skips = false;
	if (order->checkpoint)
		tl_node_shared_tell_worker(MyDatabaseId, TL_NEWS_PRUNE);
	order->checkpoint = false;
}

/* Members may have said where their wires are, or which keys they want to have. */
static void
follow_motions(TlOrder *order)
{
	order->governed = false;
	tl_node_order_follow_addresses();
	if (!order->has_key)
		return;
	tl_node_order_follow_keys();
	order->submitted = true;	/* an approval may have been asked for */
}

/* What the sink is told */

static void
on_row(void *context, const TlLogRow *row)
{
	TlOrder    *order = context;

	order->governed |= row->kind == TL_LOG_GOVERN;
	order->alone_news = true;
	if (order->walk == NULL)
		tl_node_order_log_arrived(order, row);
}

static void
on_held(void *context, const TlLane *lane)
{
	TlOrder    *order = context;
	MemoryContext caller;
	TlLane	   *copy;

	order->alone_news = true;
	if (order->walk != NULL)
		return;					/* it is asked for when the core is given the row */
	caller = MemoryContextSwitchTo(order->news);
	copy = palloc(sizeof(TlLane));
	*copy = *lane;
	order->held = lappend(order->held, copy);
	MemoryContextSwitchTo(caller);
}

static void
on_loose(void *context, const TlLogRow *row)
{
	TlOrder    *order = context;
	MemoryContext caller = MemoryContextSwitchTo(order->news);

	order->governed |= row->kind == TL_LOG_GOVERN;
	order->loose = lappend(order->loose, tl_node_order_copy(row));
	MemoryContextSwitchTo(caller);
}

static void
on_last_seen(void *context, uint32_t member, const TlLogRow *row)
{
	TlOrder    *order = context;
	MemoryContext caller = MemoryContextSwitchTo(order->news);
	TlLastSeen *seen = palloc(sizeof(TlLastSeen));

	seen->member = member;
	seen->row = row == NULL ? NULL : tl_node_order_copy(row);
	order->seen = lappend(order->seen, seen);
	MemoryContextSwitchTo(caller);
}

static void
on_later(void *context)
{
	TlOrder    *order = context;

	order->later = true;
}

static void
on_contradiction(void *context, const TlLogRow *row, const TlLogRow *other)
{
	TlOrder    *order = context;
	MemoryContext caller = MemoryContextSwitchTo(order->news);

	order->contradictions = lappend(lappend(order->contradictions, tl_node_order_copy(row)),
									tl_node_order_copy(other));
	MemoryContextSwitchTo(caller);
}

/* The worker makes the bodies again (node_prune.c). */
static void
on_asked(void *context)
{
	tl_node_shared_tell_worker(MyDatabaseId, TL_NEWS_PRUNE);
}

TlLogRow *
tl_node_order_copy(const TlLogRow *row)
{
	TlLogRow   *copy = palloc(sizeof(TlLogRow));
	uint8_t    *payload = palloc(row->payload.size + 1);

	*copy = *row;
	memcpy(payload, row->payload.data, row->payload.size);
	copy->payload.data = payload;
	return copy;
}

/* A row, judged; what the core says of it. */
TlStatus
tl_node_order_give(TlOrder *order, TlInputKind kind, const TlLogRow *row)
{
	TlInput		input = {.kind = kind, .row = *row, .more = true};
	TlLane		lane;
	TlStatus	status = tl_consensus_judge(order->core, row, tl_replication_signature_check,
											NULL, &input.certificates_valid);

	/* was checked when it was stored; another one, if what is stored was changed */
	if (status != TL_OK)
	{
		if (status != TL_NOT_FINAL && kind != TL_INPUT_LOOSE_ROW)
			tl_error_check(status, "stored log row");
		return status;
	}
	order->rows_read += kind == TL_INPUT_ROW;
	status = tl_node_order_step(order, &input);
	if (status != TL_NOT_FINAL && row->kind == TL_LOG_BATCH &&
		tl_node_order_holds(row, &lane))
		give_held(order, &lane);
	return status;
}

/* What the wire told, in the order in which it came. */
static void
give_news(TlOrder *order)
{
	ListCell   *cell;
	List	   *again = order->again;
	TlStatus	status;

	order->again = NIL;
	foreach(cell, order->loose)
		(void) tl_node_order_give(order, TL_INPUT_LOOSE_ROW, lfirst(cell));
	foreach(cell, again)
		(void) tl_node_order_give(order, TL_INPUT_AGAIN, lfirst(cell));
	foreach(cell, order->held)
		give_held(order, lfirst(cell));
	for (int i = 0; i + 1 < list_length(order->contradictions); i += 2)
	{
		TlInput		input = {.kind = TL_INPUT_CONTRADICTION, .more = true};

		input.row = *(TlLogRow *) list_nth(order->contradictions, i);
		input.other = *(TlLogRow *) list_nth(order->contradictions, i + 1);
		status = tl_node_order_step(order, &input);
		if (status != TL_NOT_FINAL)
			tl_error_check(status, "contradiction");
	}
	tl_node_order_offer_give(order);
	tl_node_order_rejoin_give(order);
	foreach(cell, order->seen)
		give_seen(order, lfirst(cell));
	order->held = order->loose = order->seen = order->contradictions = NIL;
	if (order->again == NIL)
		MemoryContextReset(order->news);
}

static void
give_held(TlOrder *order, const TlLane *lane)
{
	TlInput		input = {.kind = TL_INPUT_HELD, .lane = *lane, .more = true};

	(void) tl_node_order_step(order, &input);	/* one that the core has no place for is no error */
}

static void
give_seen(TlOrder *order, const TlLastSeen *seen)
{
	TlInput		input = {.kind = TL_INPUT_LAST_SEEN, .member = seen->member, .more = true};

	for (unsigned i = 0; i < order->config->member_count; i++)
		if (order->given[i].member == seen->member)
			input.ticket = order->given[i].ticket;
	if (seen->row != NULL)
	{
		input.row = *seen->row;
		input.held = tl_node_order_had_own(seen->row, &order->log.chain_id);
		if (!input.held)
			tl_node_order_rejoin_seen(order, seen->row);
	}
	tl_error_check(tl_node_order_step(order, &input), "last seen row");
}

TlStatus
tl_node_order_step(TlOrder *order, TlInput *input)
{
	TlStatus	status;

	input->now_us = tl_node_order_now_us();
	input->clock_us = tl_chain_time_to_unix(GetCurrentTimestamp());
	status = tl_consensus_step(order->core, order->actions, input);
	/* time passes also with an input that is not taken */
	obey(order);
	return status;
}

static void
obey(TlOrder *order)
{
	for (unsigned i = 0; i < order->actions->count; i++)
	{
		const TlAction *action = &order->actions->list[i];

		switch (action->kind)
		{
			case TL_ACT_APPEND:
				append(order, &action->row);
				break;
			case TL_ACT_FINAL:
				take_block(order, action);
				break;
			case TL_ACT_FETCH_BLOCK:
				tl_replication_want(order->wire, TL_WANT_BLOCK, &action->hash);
				break;
			case TL_ACT_FETCH_BATCH:
				fetch_batch(order, &action->lane);
				break;
			case TL_ACT_FETCH_ROW:
				tl_replication_want(order->wire, TL_WANT_ROW, &action->hash);
				break;
			case TL_ACT_READ_LANE:
				read_lane(order, &action->lane);
				break;
			case TL_ACT_WAKE:
				order->wake_us = action->wake_us;
				break;
			case TL_ACT_CATCH_UP:
				tl_node_order_offer_ask(order, action->member);
				break;
			case TL_ACT_EPOCH:
				tl_node_order_epoch_store(order->config, action, order->height);
				order->anew = true;
				break;
			case TL_ACT_ASK_LAST_SEEN:
				tl_replication_want_last_seen(order->wire, order->log.nonce);
				break;
			case TL_ACT_CUT_LOG:
				tl_node_order_rejoin_cut(order, &action->hash);
				break;
			case TL_ACT_REQUEST:
				tl_node_order_rejoin_request(order, action);
				break;
			case TL_ACT_REPLY:
				tl_node_order_rejoin_reply(order, action);
				break;
			case TL_ACT_CHECKPOINT:
				order->ordered |= tl_node_order_checkpoint_store(action);
				order->checkpoint = true;
				break;
			case TL_ACT_PRUNE:
				tl_replication_own_vote_prune(order->config->epoch, action->view);
				tl_replication_forget_needed(order->config->epoch, action->view);
				break;
			case TL_ACT_ASK_TIP:
				tl_node_order_offer_ask_all(order);
				break;
			case TL_ACT_ALARM:
				alarm_operator(order, action);
				break;
		}
	}
	order->actions->count = 0;
}

/* A block is final. */
static void
take_block(TlOrder *order, const TlAction *action)
{
	tl_node_order_check_trusted(action->block);
	order->skips |= tl_node_order_store(order->config, action, order->actions->standing);
	order->height = action->block->header.height;
	order->base_view = action->block->header.view;
	order->checkpoint_named = action->block->header.checkpoint_height;
	order->asked = true;
	order->ordered = true;
	tl_node_order_busy_more(order, action);
	tl_node_order_log_moved(order);
}

/* Sign and store; the row's place was the core's to decide. */
static void
append(TlOrder *order, const TlLogRow *row)
{
	if (row->kind == TL_LOG_REJOIN)
		tl_node_order_rejoin_opened(order, row);
	if (row->sequence != order->log.sequence + 1)
		elog(ERROR, "consensus appends row " UINT64_FORMAT " after row " UINT64_FORMAT,
			 (uint64) row->sequence, (uint64) order->log.sequence);
	tl_node_order_note_vote(row, false);
	tl_replication_own_log_append(&order->log, (TlLogKind) row->kind, row->epoch,
								  row->view, order->height, row->payload,
								  order->secret);
	order->asked = true;
	order->signed_now = true;
}

/* A vote stands once more under its view; again: one that comes back. */
void
tl_node_order_note_vote(const TlLogRow *row, bool again)
{
	TlHash		block;

	memset(&block, 0, sizeof(block));
	switch (row->kind)
	{
		case TL_LOG_PROPOSE:
			tl_node_order_proposed(&block, row);
			tl_replication_own_vote(row->epoch, row->view, TL_VOTE_PROPOSE, &block, again);
			break;
		case TL_LOG_NOTARIZE:
		case TL_LOG_FINALIZE:
			tl_error_check(tl_consensus_vote_decode(&block, row->payload.data,
													row->payload.size), "vote");
			/* FALLTHROUGH */
		case TL_LOG_NULLIFY:
			tl_replication_own_vote(row->epoch, row->view,
									row->kind == TL_LOG_NOTARIZE ? TL_VOTE_NOTARIZE : TL_VOTE_PHASE2,
									&block, again);
			break;
		default:
			break;
	}
}

/* An own one is in the own log, or comes back with it: no peer's log has any. */
static void
fetch_batch(TlOrder *order, const TlLane *lane)
{
	TlLane		before = *lane;

	order->wire->wants_chunks = true;
	if (lane->member != order->log.member)
		tl_replication_want(order->wire, TL_WANT_BATCH, &lane->digest);
	else if (before.batch-- > 0)
		read_lane(order, &before);
}

/*
 * Stored BATCH rows beyond that one, once more; in this turn's news.  One more than find
 * a place: for what finds none the core asks again, and of rows that it was not given it
 * knows nothing.
 */
static void
read_lane(TlOrder *order, const TlLane *lane)
{
	uint64		count;
	bytea	  **messages = tl_node_order_read_lane(lane->member == order->log.member,
												   lane, LANE_LENGTH + 1, &count);
	MemoryContext caller = MemoryContextSwitchTo(order->news);

	for (uint64 i = 0; i < count; i++)
	{
		TlLogRow	row;

		if (tl_consensus_row_decode(&row, VARDATA_ANY(messages[i]),
									VARSIZE_ANY_EXHDR(messages[i])) == TL_OK)
			order->again = lappend(order->again, tl_node_order_copy(&row));
	}
	MemoryContextSwitchTo(caller);
}

static void
alarm_operator(TlOrder *order, const TlAction *action)
{
	static const char *const texts[] = {
		"", "two final blocks at one height",
		"the own log breaks a rule of consensus; this node signs no more",
		"a member has signed a row that is against the rules",
		"a member's state is not the certified one",
		"two live copies sign with one member's key",
		"no quorum agrees on a state",
		"others have rows of this node that it lacks; it signs nothing",
		"the epoch needs a newer program; this node does nothing in it"
	};
	static const char *const hints[] = {
		"",
		"Compare SELECT * FROM ledger.tree_head() with the other members before you trust a receipt.",
		"Run SELECT * FROM ledger.verify(mode => 'full'); a program or somebody with a superuser's rights has changed the log.",
		"SELECT * FROM ledger.evidence and ledger.message show the rows.",
		"Have that member run SELECT * FROM ledger.verify(mode => 'full').",
		"Stop all but one of the servers that have the member's key.",
		"Have all members run SELECT * FROM ledger.verify(mode => 'full') and compare.",
		"If this database was restored to an older point, run SELECT ledger.accept_restore('reason').",
		"Install the newer version of telco_ledger on this server and restart it."
	};

	ereport(WARNING,
			errmsg("consensus alarm: %s", texts[action->alarm]),
			errdetail("Member %u.", action->member),
			errhint("%s", hints[action->alarm]));
	if (action->alarm == TL_ALARM_SPLIT ||
		(action->alarm == TL_ALARM_DIVERGED && action->member == order->log.member))
	{
		if (!tl_node_state_differs(action) && action->alarm == TL_ALARM_DIVERGED)
			order->silent = action->state.height;
		order->unsure = true;
	}
}

int64_t
tl_node_order_now_us(void)
{
	instr_time	now;

	INSTR_TIME_SET_CURRENT(now);
	return (int64_t) INSTR_TIME_GET_MICROSEC(now);
}
