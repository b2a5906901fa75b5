/*-------------------------------------------------------------------------
 *
 * sim_node.c
 *	  One member: a core, a disk, an inbox, and a look at the others' wires.
 *
 * The node works in transactions, as the worker does: it gives the core all
 * that has come, collects what the core asks for, and writes it.  Only when
 * that is durable do rows leave and come back to the core.  A crash in between
 * loses the transaction, or keeps it without anything having left.
 *
 *-------------------------------------------------------------------------
 */
#include "sim.h"

#include "chain_batch.h"

#include <stdlib.h>
#include <string.h>

static void run(SimWorld *world, SimNode *node);
static void again_and_again(SimWorld *world, SimNode *node,
							const SimEvent *event);
static int64_t poll_us(SimWorld *world);
static void commit(SimWorld *world, SimNode *node, bool send);
static void finish(SimWorld *world, SimNode *node);
static void fail(SimWorld *world, SimNode *node);
static void say(SimWorld *world, SimNode *node, const TlAction *action);
static void wake(SimWorld *world, SimNode *node, int64_t at_us);
static void catch_up(SimWorld *world, SimNode *node, uint32_t member);
static void make_batch(SimWorld *world, SimNode *node);

/* Power on: a new core from what the disk has. */
void
sim_node_start(SimWorld *world, SimNode *node)
{
	if (!node->joined)
		return;
	node->up = true;
	node->life++;
	node->busy = node->asked = false;
	node->pending.count = 0;
	node->final_pending = 0;
	node->epoch_pending = node->epoch;
	node->inbox.count = 0;
	node->again.count = 0;
	node->held_count = 0;
	node->mail_count = 0;
	node->cut = node->own_returned = false;
	node->answers.count = 0;
	node->wants_batch = node->wants_approval = false;
	node->clash[0] = NULL;
	node->tips = 0;
	node->offers = 0;
	node->took = false;
	node->to_drop = 0;
	node->wake_us = 0;
	sim_govern_upgrade(world, node);
	sim_disk_open(world, node, true);
	sim_node_ask(world, node);
}

void
sim_node_crash(SimWorld *world, SimNode *node)
{
	/* The transaction may have become durable, but nothing left. */
	if (node->busy && sim_chance(world, 50))
		commit(world, node, false);
	node->up = false;
	node->life++;
	if (sim_chance(world, 30))
		sim_disk_forget_arrivals(world, node);
}

void
sim_node_event(SimWorld *world, SimNode *node, const SimEvent *event)
{
	if (event->kind == SIM_JOIN)
	{
		sim_govern_join(world, node);
		return;
	}
	if (event->kind == SIM_GOVERN)
	{
		SimEvent	again = *event;

		if (node->epoch < world->plan.epochs)
			sim_later(world, sim_govern_pause(world), again);
		node->wants_approval = node->up;
		sim_node_ask(world, node);
		return;
	}
	if (event->kind == SIM_POLL || event->kind == SIM_BATCH)
	{
		again_and_again(world, node, event);
		return;
	}
	if (!node->up || event->life != node->life)
	{
		/* What was on its way to a node that is off is lost. */
		if (!node->up || (event->kind != SIM_ARRIVE &&
						  event->kind != SIM_BODY))
			return;
	}
	switch (event->kind)
	{
		case SIM_RUN:
			node->asked = false;
			if (!node->busy)
				run(world, node);
			break;
		case SIM_TIMER:
			if (event->at_us == node->wake_us)
				sim_node_ask(world, node);
			break;
		case SIM_COMMIT:
			finish(world, node);
			break;
		case SIM_ARRIVE:
			sim_wire_arrive(world, node, event);
			break;
		case SIM_LOOSE:
			if (!(event->row->holders & (UINT64_C(1) << node->id)))
			{
				sim_log_add(&node->loose, event->row);
				event->row->holders |= UINT64_C(1) << node->id;
			}
			sim_log_add(&node->inbox, event->row);
			sim_node_ask(world, node);
			break;
		case SIM_BODY:
			sim_disk_add_body(node, &event->hash);
			sim_node_ask(world, node);
			break;
		case SIM_TIP:
			sim_tip_deliver(world, node, event->peer);
			break;
		case SIM_CATCH_UP:
			sim_offer_deliver(world, node, event->peer);
			break;
		default:
			sim_memory_deliver(world, node, event);
			break;
	}
}

/* A look at a wire, or new rows: now, and after a while once more. */
static void
again_and_again(SimWorld *world, SimNode *node, const SimEvent *event)
{
	SimEvent	again = *event;

	if (event->kind == SIM_POLL)
		sim_later(world, poll_us(world), again);
	else if (!world->calm)
		sim_later(world, 1 + (int64_t) sim_random(world,
												  2 * (uint64_t) world->plan.batch_every_us),
				  again);
	if (node->up && event->kind == SIM_POLL)
		sim_wire_poll(world, node);
	if (node->up && event->kind == SIM_POLL && node->waits)
		sim_offer_look(world, node);
	if (node->up && event->kind == SIM_BATCH && !world->calm)
	{
		if (node->role == SIM_LIAR && (world->plan.lie == SIM_LIE_FLOOD ||
									   world->plan.lie == SIM_LIE_NUMBER))
			sim_liar_flood(world, node);
		else
			node->wants_batch = true;
		sim_node_ask(world, node);
	}
}

/* Run soon; many things may come before. */
void
sim_node_ask(SimWorld *world, SimNode *node)
{
	if (node->asked || node->busy || !node->up)
		return;
	node->asked = true;
	sim_later(world, 0, (SimEvent) {.kind = SIM_RUN, .node = node->id,
			  .life = node->life});
}

/* Give the core all that has come, and write what it asks for. */
static void
run(SimWorld *world, SimNode *node)
{
	TlInput		input = {.kind = TL_INPUT_TIME};

	node->waits = false;
	sim_read_rows(world, node, false);
	for (unsigned i = 0; i < node->inbox.count; i++)
		(void) sim_read_give(world, node, node->inbox.rows[i], TL_INPUT_LOOSE_ROW);
	node->inbox.count = 0;
	for (unsigned i = 0; i < node->again.count; i++)
		(void) sim_read_give(world, node, node->again.rows[i], TL_INPUT_AGAIN);
	node->again.count = 0;
	for (unsigned i = 0; i < node->held_count; i++)
		sim_read_give_held(world, node, &node->held[i]);
	node->held_count = 0;
	sim_state_give(world, node);
	sim_due_give(world, node);
	sim_busy_give(world, node);
	sim_wire_clash(world, node);
	sim_memory_read(world, node);
	sim_tip_read(world, node);
	sim_offer_read(world, node);
	sim_node_step(world, node, &input, false);
	sim_memory_settle(world, node);
	for (unsigned again = 0; node->actions->more; again++)
	{
		if (again > 100)
			sim_fail(world, "V3: node %u: the core never comes to rest", node->id);
		sim_node_step(world, node, &input, false);
	}
	sim_relay_begun(world, node);
	if (node->wants_batch)
		make_batch(world, node);
	if (node->wants_approval)
		sim_govern_approve(world, node);
	node->wants_approval = false;
	if (node->pending.count > 0 || node->final_pending > 0 ||
		node->answers.count > 0 || node->epoch_pending > node->epoch)
	{
		node->busy = true;
		sim_later(world, sim_fault_commit_us(world),
				  (SimEvent) {.kind = SIM_COMMIT, .node = node->id,
				  .life = node->life});
	}
	else
		sim_prune_commit(world, node);
}

/* The transaction is durable: rows leave, and come back to the core. */
static void
commit(SimWorld *world, SimNode *node, bool send)
{
	node->busy = false;
	for (unsigned i = 0; i < world->member_count; i++)
	{
		/* A core that is made anew may have been given less so far. */
		if (node->safe[i] < node->read[i])
			node->safe[i] = node->read[i];
	}
	for (unsigned i = 0; i < node->pending.count; i++)
	{
		SimRow	   *row = node->pending.rows[i];

		sim_disk_store(node, node->number - 1, row);
		if (row->row.kind == TL_LOG_REJOIN)
		{
			node->rejoining = node->forgot_wire = false;
			sim_memory_recount(world, node);
			sim_check_rejoined(world, node);
			sim_memory_witness(world, node);
		}
		if (row->row.kind == TL_LOG_BATCH)
		{
			sim_disk_add_body(node, &row->subject);
			node->lane_head++;
			node->lane_digest = row->subject;
		}
		sim_check_own_row(world, node, &row->row);
		if (send)
		{
			sim_log_add(&node->wire, row);
			sim_wire_send(world, node, row);
		}
	}
	node->pending.count = 0;
	if (node->final_pending > 0 || node->epoch_pending > node->epoch)
		node->standing = node->standing_pending;
	node->epoch = node->epoch_pending;
	sim_memory_commit(world, node, send);
	if (node->final_pending > 0)
		node->stuck_us = world->now_us;
	for (; node->final_pending > 0; node->final_pending--)
	{
		sim_busy_final(world, node, node->chain_count);
		sim_due_final(world, node, node->chain_count++);
	}
	sim_summary_commit(world, node);
	/* P14: these it shows, as one that begins on them */
	if (node->took)
		node->begun = node->chain_count;
	node->took = false;
	sim_relay_commit(world, node);
	sim_prune_commit(world, node);
}

/* The transaction comes to its end, one way or another. */
static void
finish(SimWorld *world, SimNode *node)
{
	if (sim_fault_commit_fails(world, node))
		fail(world, node);
	else if (!world->calm &&
			 sim_chance(world, world->plan.commit_crash_percent))
		sim_fault_crash(world, node->id);
	else
	{
		bool		retired = (node->epoch_pending > node->epoch);

		commit(world, node, true);
		if (retired)
			sim_disk_open(world, node, false);
		sim_node_ask(world, node);
	}
}

/*
 * The transaction failed: the core that asked for it is thrown away.  An error
 * may come although everything is durable; a full disk stays full for a while.
 */
static void
fail(SimWorld *world, SimNode *node)
{
	world->seen[SIM_SEEN_LOST]++;
	if (node->disk_full_until_us > world->now_us)
	{
		node->busy = false;
		sim_fault_crash(world, node->id);
		return;
	}
	/* A caller that sends rows before they are durable: ./mutants. */
	for (unsigned i = 0; SIM_FORGOTTEN(301) && i < node->pending.count; i++)
		sim_wire_send(world, node, node->pending.rows[i]);
	if (sim_chance(world, 30))
		commit(world, node, false);
	else if (sim_chance(world, 30))
		sim_disk_forget_arrivals(world, node);
	sim_node_start(world, node);
}

static int64_t
poll_us(SimWorld *world)
{
	int64_t		pause = world->calm ? 400 * SIM_MS : world->plan.poll_us;

	return pause / 2 + (int64_t) sim_random(world, (uint64_t) pause / SIM_MS) * SIM_MS;
}

void
sim_node_step(SimWorld *world, SimNode *node, TlInput *input, bool more)
{
	input->now_us = world->now_us + 1;
	input->clock_us = sim_fault_clock(world, node);
	input->more = more;
	(void) tl_consensus_step(node->core, node->actions, input);
	world->core_steps++;
	sim_node_obey(world, node);
	sim_retain_step(world, node);
	if (!more)
		sim_careful_step(world, node);
}

/* Do what the core asked for. */
void
sim_node_obey(SimWorld *world, SimNode *node)
{
	for (unsigned i = 0; i < node->actions->count; i++)
	{
		const TlAction *action = &node->actions->list[i];
		SimRow	   *row;

		switch (action->kind)
		{
			case TL_ACT_APPEND:
				sim_check_vote_asked(world, node, &action->row);
				sim_careful_propose(world, node, &action->row);
				row = sim_row(world, &action->row);
				if (row->row.kind == TL_LOG_BATCH)
					sim_check_batch(world, &row->subject);
				sim_log_add(&node->pending, row);
				break;
			case TL_ACT_FINAL:
				sim_check_final(world, node, action);
				sim_relay_final(world, node, action);
				sim_disk_add_block(node, action->block, action->certificate);
				node->standing_pending = *node->actions->standing;
				break;
			case TL_ACT_FETCH_BLOCK:
				sim_wire_fetch(world, node, &action->hash, false);
				break;
			case TL_ACT_FETCH_BATCH:
				sim_wire_fetch(world, node, &action->lane.digest, true);
				break;
			case TL_ACT_FETCH_ROW:
				if (!sim_read_row(world, node, &action->hash))
					sim_wire_fetch(world, node, &action->hash, false);
				break;
			case TL_ACT_READ_LANE:
				sim_read_lane(world, node, &action->lane);
				break;
			case TL_ACT_CATCH_UP:
				catch_up(world, node, action->member);
				break;
			case TL_ACT_EPOCH:
				sim_govern_epoch(world, node, action);
				break;
			case TL_ACT_WAKE:
				wake(world, node, action->wake_us);
				break;
			case TL_ACT_CHECKPOINT:
				sim_state_checkpoint(world, node, action);
				break;
			case TL_ACT_PRUNE:
				sim_state_prune(world, node, action);
				break;
			case TL_ACT_ALARM:
				sim_check_alarm(world, node, action);
				break;
			default:
				say(world, node, action);
				break;
		}
	}
	node->actions->count = 0;
}

/* What goes to others, or is cut, outside of the logs. */
static void
say(SimWorld *world, SimNode *node, const TlAction *action)
{
	switch (action->kind)
	{
		case TL_ACT_ASK_TIP:
			sim_tip_ask(world, node);
			break;
		case TL_ACT_ASK_LAST_SEEN:
			sim_memory_ask(world, node);
			break;
		case TL_ACT_CUT_LOG:
			node->cut = true;
			node->cut_after = action->hash;
			sim_node_ask(world, node);
			break;
		case TL_ACT_REQUEST:
			sim_memory_request(world, node, action);
			break;
		case TL_ACT_REPLY:
			sim_memory_reply(world, node, action);
			break;
		default:
			sim_fail(world, "node %u: no such action", node->id);
	}
}

/* At that time at the latest. */
static void
wake(SimWorld *world, SimNode *node, int64_t at_us)
{
	node->wake_us = (at_us > world->now_us) ? at_us : world->now_us + 1;
	sim_later(world, node->wake_us - world->now_us,
			  (SimEvent) {.kind = SIM_TIMER, .node = node->id,
			  .life = node->life});
}

/* From the member that the core names; if it cannot be, it names another. */
static void
catch_up(SimWorld *world, SimNode *node, uint32_t member)
{
	for (unsigned peer = 0; peer < world->node_count; peer++)
	{
		if (world->nodes[peer].number != member || !world->nodes[peer].up ||
			world->nodes[peer].role == SIM_SILENT ||
			!sim_wire_linked(world, peer, node->id) ||
			world->nodes[peer].chain_count <= node->chain_count)
			continue;
		sim_later(world, 2 * sim_wire_delay(world, peer, node->id),
				  (SimEvent) {.kind = SIM_CATCH_UP, .node = node->id,
				  .life = node->life, .peer = peer});
		return;
	}
}

static void
make_batch(SimWorld *world, SimNode *node)
{
	TlBatchHeader header = {0};
	TlBatchChunk chunk = {0};
	uint8_t		chunk_bytes[SIM_CHUNKS_MAX * TL_BATCH_CHUNK_SIZE];
	uint8_t		bytes[TL_BATCH_SIZE_FIXED + sizeof(chunk_bytes)];
	TlWriter	writer;
	TlInput		input = {.kind = TL_INPUT_MAKE_BATCH};
	TlConsensusStatus status;

	node->wants_batch = false;
	world->seen[SIM_SEEN_IDLE] += (world->now_us >= world->batch_us + SIM_HOUR_US);
	world->batch_us = world->now_us;
	header.chain_id = world->config.chain_id;
	header.member = node->number;
	tl_consensus_status(node->core, &status);
	header.incarnation = status.incarnation;
	header.batch = node->lane_head + 1;
	if (node->lane_head > 0)
		header.previous = node->lane_digest;
	header.section_count = 1;
	header.snapshot_time = world->now_us;
	header.attempt = node->id;
	chunk.size = (world->plan.chunk_count > 1) ? 1024 * 1024 : 1000;
	chunk.hash.bytes[0] = (uint8_t) sim_random(world, 256);
	chunk.hash.bytes[1] = (uint8_t) node->id;
	tl_writer_init(&writer, chunk_bytes, sizeof(chunk_bytes));
	for (unsigned i = 0; i < world->plan.chunk_count; i++)
		tl_chain_batch_put_chunk(&writer, &chunk);
	header.chunk_count = world->plan.chunk_count;
	header.chunks.data = chunk_bytes;
	header.chunks.size = writer.size;
	tl_writer_init(&writer, bytes, sizeof(bytes));
	if (tl_chain_batch_encode(&writer, &header) != TL_OK)
		sim_fail(world, "the simulator's batch header is wrong");
	input.payload.data = bytes;
	input.payload.size = writer.size;
	sim_node_step(world, node, &input, false);
}

/* What the row is about, so that it can be found when asked for. */
void
sim_node_note_subject(SimRow *row)
{
	TlProposal	proposal;
	TlBlockHeader header;

	if (row->row.kind == TL_LOG_EVIDENCE || row->row.kind == TL_LOG_REJOIN ||
		row->row.kind == TL_LOG_GOVERN)
		row->subject = row->digest;
	if (row->row.kind == TL_LOG_BATCH)
		tl_chain_batch_digest(&row->subject, row->row.payload.data,
							  row->row.payload.size);
	if (row->row.kind == TL_LOG_PROPOSE &&
		tl_consensus_proposal_decode(&proposal, row->row.payload.data,
									 row->row.payload.size) == TL_OK &&
		tl_chain_block_decode(&header, proposal.header.data,
							  proposal.header.size) == TL_OK)
		tl_chain_block_hash(&row->subject, &header);
}
