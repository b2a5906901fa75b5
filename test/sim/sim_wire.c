/*-------------------------------------------------------------------------
 *
 * sim_wire.c
 *	  The network: links, delay, what travels by itself and what is asked for.
 *
 *-------------------------------------------------------------------------
 */
#include "sim.h"

static void contradict(SimWorld *world, SimNode *node, const SimRow *row,
					   const SimRow *other);

bool
sim_wire_linked(SimWorld *world, unsigned from, unsigned to)
{
	return !world->cut[from][to];
}

int64_t
sim_wire_delay(SimWorld *world)
{
	int64_t		delay = world->plan.delay_us +
		(int64_t) sim_random(world, (uint64_t) world->plan.jitter_us + 1);

	if (!world->calm && sim_chance(world, world->plan.spike_percent))
		delay += (int64_t) sim_random(world, 500 * SIM_MS);
	return delay;
}

/* To everybody else, a twin's double included. */
void
sim_wire_send(SimWorld *world, SimNode *node, SimRow *row)
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

		if (peer->number == node->number || !sim_wire_linked(world, node->id, i))
			continue;
		while (copies-- > 0)
		{
			if (!sim_chance(world, world->plan.loss_percent))
				sim_later(world, sim_wire_delay(world), event);
		}
		if (row->row.kind == TL_LOG_BATCH &&
			!sim_chance(world, world->plan.loss_percent))
		{
			event.kind = SIM_BODY;
			event.hash = row->subject;
			sim_later(world, sim_wire_delay(world), event);
		}
	}
}

/* A row from the wire: stored if it is the next of its log. */
void
sim_wire_arrive(SimWorld *world, SimNode *node, SimRow *row)
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
	sim_disk_store(node, log, row);
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
	sim_node_step(world, node, &input, true);
	sim_node_ask(world, node);
}

/* What a peer's wire has and this one lacks comes over, one way of delay on. */
void
sim_wire_poll(SimWorld *world, SimNode *node)
{
	unsigned	choice = (unsigned) sim_random(world, world->node_count);
	SimNode    *peer = &world->nodes[choice];

	if (choice == node->id || !peer->up || !sim_wire_linked(world, choice, node->id))
		return;
	if (peer->role == SIM_SILENT)
		return;
	for (unsigned log = 0; log < world->member_count; log++)
	{
		const SimLog *source = &peer->logs[log];
		int64_t		delay = sim_wire_delay(world);

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
void
sim_wire_fetch(SimWorld *world, SimNode *node, const TlHash *subject, bool with_body)
{
	unsigned	first = (unsigned) sim_random(world, world->node_count);

	node->fetches++;
	for (unsigned i = 0; i < world->node_count; i++)
	{
		SimNode    *peer = &world->nodes[(first + i) % world->node_count];

		if (peer == node || !peer->up || peer->role == SIM_SILENT ||
			!sim_wire_linked(world, peer->id, node->id) ||
			!sim_wire_linked(world, node->id, peer->id))
			continue;
		for (SimRow *row = world->rows; row != NULL; row = row->next)
		{
			SimEvent	event = {.kind = SIM_LOOSE, .node = node->id,
			.life = node->life, .row = row, .hash = *subject};

			if (!sim_same(&row->subject, subject) ||
				!(row->holders & (UINT64_C(1) << peer->id)))
				continue;
			if (with_body && !sim_disk_has_body(peer, subject))
				continue;
			sim_later(world, 2 * sim_wire_delay(world), event);
			if (with_body)
			{
				event.kind = SIM_BODY;
				sim_later(world, 2 * sim_wire_delay(world), event);
			}
			return;
		}
	}
}

/* A whole, a split, a bridge, single edges in one direction, or one node off. */
void
sim_wire_change_links(SimWorld *world)
{
	unsigned	count = world->node_count;
	unsigned	bridge = (unsigned) sim_random(world, count);
	unsigned	shape = (unsigned) sim_random(world, 6);
	bool		side[SIM_NODES_MAX];

	for (unsigned i = 0; i < count; i++)
		side[i] = sim_chance(world, 50);
	for (unsigned i = 0; i < count; i++)
	{
		for (unsigned j = 0; j < count; j++)
		{
			bool		cut = false;

			if (shape == 1 || shape == 2)
				cut = (side[i] != side[j]);
			if (shape == 2 && (i == bridge || j == bridge))
				cut = false;
			if (shape == 3)
				cut = sim_chance(world, 30);
			if (shape == 4)
				cut = (i == bridge || j == bridge);
			if (shape == 5)
				cut = (side[i] && !side[j]);
			world->cut[i][j] = cut && i != j;
		}
	}
	sim_later(world, (int64_t) sim_random(world, 4000 * SIM_MS /
										  world->plan.cut_weight),
			  (SimEvent) {.kind = SIM_CUT});
}
