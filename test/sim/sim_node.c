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
static void commit(SimWorld *world, SimNode *node, bool send);
static void step(SimWorld *world, SimNode *node, TlInput *input, bool more);
static void obey(SimWorld *world, SimNode *node);
static void read_rows(SimWorld *world, SimNode *node, bool restart);
static void read_lane(SimWorld *world, SimNode *node, uint32_t member,
					  uint64_t beyond);
static bool give_row(SimWorld *world, SimNode *node, const SimRow *row,
					 TlInputKind kind);
static void give_held(SimWorld *world, SimNode *node, const TlHash *digest);
static void arrive(SimWorld *world, SimNode *node, SimRow *row);
static void forget_arrivals(SimWorld *world, SimNode *node);
static void contradict(SimWorld *world, SimNode *node, const SimRow *row,
					   const SimRow *other);
static void store(SimNode *node, unsigned log, SimRow *row);
static void poll_peer(SimWorld *world, SimNode *node);
static void fetch(SimWorld *world, SimNode *node, const TlHash *subject,
				  bool with_body);
static void add_body(SimNode *node, const TlHash *digest);
static void make_batch(SimWorld *world, SimNode *node);
static void catch_up(SimWorld *world, SimNode *node, unsigned from);
static void add_block(SimNode *node, const TlConsensusBlock *block,
					  TlSpan certificate);
static void open_core(SimWorld *world, SimNode *node);
static void note_subject(SimRow *row);

/* Power on: a new core from what the disk has. */
void
sim_node_start(SimWorld *world, SimNode *node)
{
	node->up = true;
	node->life++;
	node->busy = node->asked = false;
	node->pending.count = 0;
	node->final_pending = 0;
	node->inbox.count = 0;
	node->again.count = 0;
	node->held_count = 0;
	node->wants_batch = false;
	node->wake_us = 0;
	open_core(world, node);
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
		forget_arrivals(world, node);
}

/*
 * What came and was in no transaction yet may be gone, and will come again.
 * All that the core took in when it asked for a row is durable with that row.
 */
static void
forget_arrivals(SimWorld *world, SimNode *node)
{
	for (unsigned i = 0; i < world->member_count; i++)
	{
		SimLog	   *log = &node->logs[i];

		while (i + 1 != node->number && log->count > node->safe[i])
			log->rows[--log->count]->holders &= ~(UINT64_C(1) << node->id);
	}
}

void
sim_node_event(SimWorld *world, SimNode *node, const SimEvent *event)
{
	SimEvent	again = *event;

	if (event->kind == SIM_POLL || event->kind == SIM_BATCH)
	{
		if (event->kind == SIM_POLL)
			sim_later(world, (200 + (int64_t) sim_random(world, 400)) * SIM_MS,
					  again);
		else if (!world->calm)
			sim_later(world, 1 + (int64_t) sim_random(world,
													  2 * (uint64_t) world->plan.batch_every_us),
					  again);
		if (node->up && event->kind == SIM_POLL)
			poll_peer(world, node);
		if (node->up && event->kind == SIM_BATCH && !world->calm)
		{
			node->wants_batch = true;
			sim_node_ask(world, node);
		}
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
			commit(world, node, true);
			sim_node_ask(world, node);
			break;
		case SIM_ARRIVE:
			arrive(world, node, event->row);
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
			add_body(node, &event->hash);
			sim_node_ask(world, node);
			break;
		case SIM_CATCH_UP:
			catch_up(world, node, event->peer);
			break;
		default:
			break;
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

bool
sim_node_has_body(const SimNode *node, const TlHash *digest)
{
	for (unsigned i = node->body_count; i-- > 0;)
	{
		if (sim_same(&node->bodies[i], digest))
			return true;
	}
	return false;
}

/* To everybody else, a twin's double included. */
void
sim_node_send(SimWorld *world, SimNode *node, SimRow *row)
{
	if (node->role == SIM_SILENT && sim_chance(world, 95))
		return;
	if (node->role == SIM_LIAR)
	{
		sim_liar_send(world, node, row);
		return;
	}
	for (unsigned i = 0; i < world->node_count; i++)
	{
		SimNode    *peer = &world->nodes[i];
		SimEvent	event = {.kind = SIM_ARRIVE, .node = i, .row = row,
		.life = peer->life};
		unsigned	copies = sim_chance(world, world->plan.twice_percent) ? 2 : 1;

		if (peer->number == node->number || !sim_linked(world, node->id, i))
			continue;
		while (copies-- > 0)
		{
			if (!sim_chance(world, world->plan.loss_percent))
				sim_later(world, sim_delay(world), event);
		}
		if (row->row.kind == TL_LOG_BATCH &&
			!sim_chance(world, world->plan.loss_percent))
		{
			event.kind = SIM_BODY;
			event.hash = row->subject;
			sim_later(world, sim_delay(world), event);
		}
	}
}

/* Give the core all that has come, and write what it asks for. */
static void
run(SimWorld *world, SimNode *node)
{
	TlInput		input = {.kind = TL_INPUT_TIME};

	read_rows(world, node, false);
	for (unsigned i = 0; i < node->inbox.count; i++)
		(void) give_row(world, node, node->inbox.rows[i], TL_INPUT_LOOSE_ROW);
	node->inbox.count = 0;
	for (unsigned i = 0; i < node->again.count; i++)
		(void) give_row(world, node, node->again.rows[i], TL_INPUT_AGAIN);
	node->again.count = 0;
	for (unsigned i = 0; i < node->held_count; i++)
		give_held(world, node, &node->held[i]);
	node->held_count = 0;
	step(world, node, &input, false);
	for (unsigned again = 0; node->actions->more; again++)
	{
		if (again > 100)
			sim_fail(world, "V3: node %u: the core never comes to rest", node->id);
		step(world, node, &input, false);
	}
	if (node->wants_batch)
		make_batch(world, node);
	if (node->pending.count > 0 || node->final_pending > 0)
	{
		node->busy = true;
		sim_later(world, 1 + (int64_t) sim_random(world, (uint64_t) world->plan.commit_us),
				  (SimEvent) {.kind = SIM_COMMIT, .node = node->id,
				  .life = node->life});
	}
}

/* The transaction is durable: rows leave, and come back to the core. */
static void
commit(SimWorld *world, SimNode *node, bool send)
{
	node->busy = false;
	memcpy(node->safe, node->read, sizeof(node->safe));
	for (unsigned i = 0; i < node->pending.count; i++)
	{
		SimRow	   *row = node->pending.rows[i];

		store(node, node->number - 1, row);
		if (row->row.kind == TL_LOG_BATCH)
		{
			add_body(node, &row->subject);
			node->lane_head++;
			node->lane_digest = row->subject;
		}
		sim_check_own_row(world, node, &row->row);
		if (send)
			sim_node_send(world, node, row);
	}
	node->pending.count = 0;
	node->chain_count += node->final_pending;
	node->final_pending = 0;
}

static void
step(SimWorld *world, SimNode *node, TlInput *input, bool more)
{
	input->now_us = world->now_us + 1;
	input->clock_us = SIM_CLOCK_BASE_US + world->now_us + node->clock_skew_us;
	input->more = more;
	(void) tl_consensus_step(node->core, node->actions, input);
	world->core_steps++;
	obey(world, node);
}

static void
obey(SimWorld *world, SimNode *node)
{
	for (unsigned i = 0; i < node->actions->count; i++)
	{
		const TlAction *action = &node->actions->list[i];
		SimRow	   *row;

		switch (action->kind)
		{
			case TL_ACT_APPEND:
				row = sim_row(world, &action->row);
				note_subject(row);
				if (row->row.kind == TL_LOG_BATCH)
					sim_check_batch(world, &row->subject);
				sim_log_add(&node->pending, row);
				break;
			case TL_ACT_FINAL:
				sim_check_final(world, node, action);
				add_block(node, action->block, action->certificate);
				break;
			case TL_ACT_FETCH_BLOCK:
				fetch(world, node, &action->hash, false);
				break;
			case TL_ACT_FETCH_BATCH:
				fetch(world, node, &action->lane.digest, true);
				break;
			case TL_ACT_READ_LANE:
				read_lane(world, node, action->lane.member, action->lane.batch);
				break;
			case TL_ACT_CATCH_UP:
				for (unsigned peer = 0; peer < world->node_count; peer++)
				{
					if (sim_is_honest(&world->nodes[peer]) &&
						world->nodes[peer].up &&
						sim_linked(world, peer, node->id) &&
						world->nodes[peer].chain_count > node->chain_count)
					{
						sim_later(world, 2 * sim_delay(world),
								  (SimEvent) {.kind = SIM_CATCH_UP,
								  .node = node->id, .life = node->life,
								  .peer = peer});
						break;
					}
				}
				break;
			case TL_ACT_WAKE:
				node->wake_us = action->wake_us;
				sim_later(world, (action->wake_us > world->now_us) ?
						  action->wake_us - world->now_us : 1,
						  (SimEvent) {.kind = SIM_TIMER, .node = node->id,
						  .life = node->life});
				if (action->wake_us <= world->now_us)
					node->wake_us = world->now_us + 1;
				break;
			case TL_ACT_ALARM:
				sim_check_alarm(world, node, action);
				break;
		}
	}
	node->actions->count = 0;
}

/*
 * The stored rows that the core has not seen.  At a restart own log first;
 * afterwards one of each log in turn, as they would have come.
 */
static void
read_rows(SimWorld *world, SimNode *node, bool restart)
{
	bool		moved = true;

	while (moved)
	{
		moved = false;
		for (unsigned i = 0; i < world->member_count; i++)
		{
			unsigned	log = restart ? (node->number - 1 + i) % world->member_count : i;

			while (node->read[log] < node->logs[log].count)
			{
				if (!give_row(world, node,
							  node->logs[log].rows[node->read[log]],
							  TL_INPUT_ROW))
					break;
				node->read[log]++;
				moved = true;
				if (!restart)
					break;
			}
		}
	}
}

/* The stored BATCH rows of a lane once more, when the core has room for them. */
static void
read_lane(SimWorld *world, SimNode *node, uint32_t member, uint64_t beyond)
{
	const SimLog *log = &node->logs[member - 1];

	for (unsigned i = 0; i < log->count; i++)
	{
		TlBatchHeader header;
		const TlSpan *payload = &log->rows[i]->row.payload;

		if (log->rows[i]->row.kind == TL_LOG_BATCH &&
			tl_chain_batch_decode(&header, payload->data,
								  payload->size) == TL_OK &&
			header.batch > beyond)
			sim_log_add(&node->again, log->rows[i]);
	}
	sim_node_ask(world, node);
}

static bool
give_row(SimWorld *world, SimNode *node, const SimRow *row, TlInputKind kind)
{
	TlInput		input = {.kind = kind};
	TlStatus	status;

	input.row = row->row;
	input.more = true;
	input.now_us = world->now_us + 1;
	input.clock_us = SIM_CLOCK_BASE_US + world->now_us + node->clock_skew_us;
	if (tl_consensus_judge(node->core, &row->row, sim_check_signature, NULL,
						   &input.certificates_valid) != TL_OK)
		sim_fail(world, "node %u cannot check a row of member %u", node->id,
				 row->row.member);
	status = tl_consensus_step(node->core, node->actions, &input);
	world->core_steps++;
	if (status == TL_NOT_FINAL)
		return false;
	obey(world, node);
	if (row->row.kind == TL_LOG_BATCH &&
		sim_node_has_body(node, &row->subject))
		give_held(world, node, &row->subject);
	return true;
}

static void
give_held(SimWorld *world, SimNode *node, const TlHash *digest)
{
	for (unsigned i = 0; i < world->member_count; i++)
	{
		TlInput		input = {.kind = TL_INPUT_HELD};

		input.lane.member = i + 1;
		input.lane.digest = *digest;
		step(world, node, &input, true);
	}
}

/* A row from the wire: stored if it is the next of its log. */
static void
arrive(SimWorld *world, SimNode *node, SimRow *row)
{
	unsigned	log = row->row.member - 1;
	SimLog	   *stored = &node->logs[log];

	if (row->row.member == node->number)
		return;
	if (row->row.sequence <= stored->count &&
		!sim_same(&row->digest,
				  &stored->rows[row->row.sequence - 1]->digest))
		contradict(world, node, stored->rows[row->row.sequence - 1], row);
	if (row->row.sequence != stored->count + 1)
		return;					/* a gap: the next poll fills it */
	if (stored->count > 0 &&
		!sim_same(&row->row.previous, &stored->rows[stored->count - 1]->digest))
		return;					/* another branch */
	store(node, log, row);
	sim_node_ask(world, node);
}

/* The core is told at once; a busy node hears of it from somebody else. */
static void
contradict(SimWorld *world, SimNode *node, const SimRow *row,
		   const SimRow *other)
{
	TlInput		input = {.kind = TL_INPUT_CONTRADICTION};

	if (node->busy)
		return;
	input.row = row->row;
	input.other = other->row;
	step(world, node, &input, true);
	sim_node_ask(world, node);
}

static void
store(SimNode *node, unsigned log, SimRow *row)
{
	sim_log_add(&node->logs[log], row);
	row->holders |= UINT64_C(1) << node->id;
}

/* What a peer's wire has and this one lacks comes over, one way of delay on. */
static void
poll_peer(SimWorld *world, SimNode *node)
{
	unsigned	choice = (unsigned) sim_random(world, world->node_count);
	SimNode    *peer = &world->nodes[choice];

	if (choice == node->id || !peer->up || !sim_linked(world, choice, node->id))
		return;
	if (peer->role == SIM_SILENT)
		return;
	for (unsigned log = 0; log < world->member_count; log++)
	{
		const SimLog *source = &peer->logs[log];
		int64_t		delay = sim_delay(world);

		if (log + 1 == node->number)
			continue;
		if (peer->role == SIM_LIAR && log + 1 == peer->number)
			source = &peer->stories[node->id];
		for (unsigned i = node->logs[log].count;
			 i < source->count && i < node->logs[log].count + 200; i++)
			sim_later(world, delay + i - node->logs[log].count,
					  (SimEvent) {.kind = SIM_ARRIVE, .node = node->id,
					  .life = node->life, .row = source->rows[i]});
	}
}

/* The row that brings this block or batch, from anybody who has it. */
static void
fetch(SimWorld *world, SimNode *node, const TlHash *subject, bool with_body)
{
	unsigned	first = (unsigned) sim_random(world, world->node_count);

	node->fetches++;
	for (unsigned i = 0; i < world->node_count; i++)
	{
		SimNode    *peer = &world->nodes[(first + i) % world->node_count];

		if (peer == node || !peer->up || peer->role == SIM_SILENT ||
			!sim_linked(world, peer->id, node->id) ||
			!sim_linked(world, node->id, peer->id))
			continue;
		for (SimRow *row = world->rows; row != NULL; row = row->next)
		{
			SimEvent	event = {.kind = SIM_LOOSE, .node = node->id,
			.life = node->life, .row = row, .hash = *subject};

			if (!sim_same(&row->subject, subject) ||
				!(row->holders & (UINT64_C(1) << peer->id)))
				continue;
			if (with_body && !sim_node_has_body(peer, subject))
				continue;
			sim_later(world, 2 * sim_delay(world), event);
			if (with_body)
			{
				event.kind = SIM_BODY;
				sim_later(world, 2 * sim_delay(world), event);
			}
			return;
		}
	}
}

static void
add_body(SimNode *node, const TlHash *digest)
{
	if (!sim_node_has_body(node, digest))
	{
		if (node->body_count == node->body_capacity)
		{
			node->body_capacity = node->body_capacity * 2 + 64;
			node->bodies = realloc(node->bodies,
								   node->body_capacity * sizeof(TlHash));
		}
		node->bodies[node->body_count++] = *digest;
	}
	if (node->held_count == node->held_capacity)
	{
		node->held_capacity = node->held_capacity * 2 + 16;
		node->held = realloc(node->held, node->held_capacity * sizeof(TlHash));
	}
	node->held[node->held_count++] = *digest;
}

static void
make_batch(SimWorld *world, SimNode *node)
{
	TlBatchHeader header = {0};
	TlBatchChunk chunk = {0};
	uint8_t		chunk_bytes[TL_BATCH_CHUNK_SIZE];
	uint8_t		bytes[TL_BATCH_SIZE_FIXED + TL_BATCH_CHUNK_SIZE];
	TlWriter	writer;
	TlInput		input = {.kind = TL_INPUT_MAKE_BATCH};

	node->wants_batch = false;
	header.chain_id = world->config.chain_id;
	header.member = node->number;
	header.batch = node->lane_head + 1;
	if (node->lane_head > 0)
		header.previous = node->lane_digest;
	header.section_count = 1;
	header.snapshot_time = world->now_us;
	header.attempt = node->id;
	chunk.size = 1000;
	chunk.hash.bytes[0] = (uint8_t) sim_random(world, 256);
	chunk.hash.bytes[1] = (uint8_t) node->id;
	tl_writer_init(&writer, chunk_bytes, sizeof(chunk_bytes));
	tl_chain_batch_put_chunk(&writer, &chunk);
	header.chunk_count = 1;
	header.chunks.data = chunk_bytes;
	header.chunks.size = writer.size;
	tl_writer_init(&writer, bytes, sizeof(bytes));
	if (tl_chain_batch_encode(&writer, &header) != TL_OK)
		sim_fail(world, "the simulator's batch header is wrong");
	input.payload.data = bytes;
	input.payload.size = writer.size;
	step(world, node, &input, false);
}

/* Too far behind: final blocks of an honest peer, then a new core on them. */
static void
catch_up(SimWorld *world, SimNode *node, unsigned from)
{
	SimNode    *peer = &world->nodes[from];

	if (peer->chain_count <= node->chain_count || node->busy)
		return;
	for (unsigned i = node->chain_count; i < peer->chain_count; i++)
	{
		TlSpan		certificate = {peer->certificate, peer->certificate_size};

		if (!sim_same(&peer->chain[i].header.parent, &node->chain[i - 1].hash))
			sim_fail(world, "node %u: the chain of node %u does not fit",
					 node->id, from);
		add_block(node, &peer->chain[i], certificate);
	}
	node->chain_count += node->final_pending;
	node->final_pending = 0;
	for (unsigned i = 0; i < peer->body_count; i++)
		add_body(node, &peer->bodies[i]);
	node->pending.count = 0;
	node->held_count = 0;
	open_core(world, node);
	sim_node_ask(world, node);
}

static void
add_block(SimNode *node, const TlConsensusBlock *block, TlSpan certificate)
{
	unsigned	place = node->chain_count + node->final_pending++;

	if (place + 1 > node->chain_capacity)
	{
		node->chain_capacity = node->chain_capacity * 2 + 16;
		node->chain = realloc(node->chain, node->chain_capacity *
							  sizeof(TlConsensusBlock));
	}
	node->chain[place] = *block;
	node->certificate = realloc(node->certificate, certificate.size + 1);
	memcpy(node->certificate, certificate.data, certificate.size);
	node->certificate_size = certificate.size;
}

static void
open_core(SimWorld *world, SimNode *node)
{
	TlConsensusConfig config = world->config;
	TlInput		input = {.kind = TL_INPUT_START};
	size_t		size;

	config.member = node->number;
	if (node->chain_count == 0)
	{
		TlSpan		none = {NULL, 0};

		add_block(node, &world->config.base, none);
		node->chain_count = 1;
		node->final_pending = 0;
	}
	config.base = node->chain[node->chain_count - 1];
	config.certificate.data = node->certificate;
	config.certificate.size = node->certificate_size;
	size = tl_consensus_size(&config);
	free(node->memory);
	node->memory = malloc(size);
	if (node->actions == NULL)
		node->actions = malloc(sizeof(TlActions));
	node->core = tl_consensus_init(node->memory, size, &config);
	if (node->core == NULL)
		sim_fail(world, "node %u: no core from its own disk", node->id);
	memset(node->read, 0, sizeof(node->read));
	read_rows(world, node, true);
	for (unsigned i = 0; i < node->loose.count; i++)
		(void) give_row(world, node, node->loose.rows[i], TL_INPUT_LOOSE_ROW);
	if (node->pending.count > 0)
		sim_fail(world, "node %u: the core signs before it was started",
				 node->id);
	step(world, node, &input, false);
	while (node->actions->more)
	{
		input.kind = TL_INPUT_TIME;
		step(world, node, &input, false);
	}
	if (node->pending.count > 0 || node->final_pending > 0)
	{
		node->busy = true;
		sim_later(world, 1 + (int64_t) sim_random(world, (uint64_t) world->plan.commit_us),
				  (SimEvent) {.kind = SIM_COMMIT, .node = node->id,
				  .life = node->life});
	}
}

/* What the row is about, so that it can be found when asked for. */
static void
note_subject(SimRow *row)
{
	TlProposal	proposal;
	TlBlockHeader header;

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
