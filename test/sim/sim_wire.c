/*-------------------------------------------------------------------------
 *
 * sim_wire.c
 *	  The network: links, delay, what travels by itself and what is asked for.
 *
 *-------------------------------------------------------------------------
 */
#include "sim.h"

static int64_t body_delay(SimWorld *world, unsigned from, unsigned to);
static bool answers(SimWorld *world, unsigned from, unsigned to);
static bool may_show(const SimNode *peer);
static void compare(SimWorld *world, SimNode *node, const SimLog *own,
					const SimLog *other, int64_t delay);
static const SimRow *other_by_place(const SimLog *own, const SimLog *other, unsigned count);
static const SimRow *other_by_number(const SimLog *own, const SimLog *other);
static void contradict(SimWorld *world, SimNode *node, const SimRow *row,
					   const SimRow *other);

bool
sim_wire_linked(const SimWorld *world, unsigned from, unsigned to)
{
	return !world->cut[from][to];
}

/* One way.  What is held leaves when the hold ends, all of it at once. */
int64_t
sim_wire_delay(SimWorld *world, unsigned from, unsigned to)
{
	int64_t		held = world->held_until_us[from][to] - world->now_us;
	int64_t		delay = world->plan.delay_us + world->link_us[from][to] +
		(int64_t) sim_random(world, (uint64_t) world->plan.jitter_us + 1);

	if (!world->calm && sim_chance(world, world->plan.spike_percent))
		delay += (int64_t) sim_random(world, 500 * SIM_MS);
	if (held <= 0)
		return delay;
	if (held >= SIM_HOUR_US)
		world->seen[SIM_SEEN_BURST]++;
	return held + delay % SIM_MS;
}

/* Of a body, which may be large. */
static int64_t
body_delay(SimWorld *world, unsigned from, unsigned to)
{
	int64_t		delay = sim_wire_delay(world, from, to);

	if (world->plan.body_us > 0 && !world->calm)
		delay += (int64_t) sim_random(world, (uint64_t) world->plan.body_us);
	return delay;
}

/* The same for a row of the sender's own log, which may wait for others. */
int64_t
sim_wire_stream(SimWorld *world, unsigned from, unsigned to, int64_t delay_us)
{
	int64_t	   *last = &world->arrival_us[from][to];
	int64_t		at = world->now_us + delay_us + sim_wire_delay(world, from, to);

	if (world->plan.stream && at < *last)
		at = *last;
	*last = at;
	return at - world->now_us;
}

/* Does a question get an answer soon? */
static bool
answers(SimWorld *world, unsigned from, unsigned to)
{
	return sim_wire_linked(world, from, to) &&
		sim_wire_linked(world, to, from) &&
		world->held_until_us[from][to] <= world->now_us &&
		world->held_until_us[to][from] <= world->now_us;
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

		if (peer->number == node->number)
			continue;
		if (!sim_wire_linked(world, node->id, i))
			world->seen[SIM_SEEN_CUT]++;
		else if (world->slotless[node->id][i])
			world->seen[SIM_SEEN_SLOT]++;
		if (!sim_wire_linked(world, node->id, i) || world->slotless[node->id][i] ||
			sim_script_drops(world, node, row, i))
			continue;
		while (copies-- > 0)
		{
			if (!sim_chance(world, world->plan.loss_percent))
				sim_later(world, sim_wire_stream(world, node->id, i, 0), event);
		}
		if (row->row.kind == TL_LOG_BATCH &&
			!sim_chance(world, world->plan.loss_percent))
		{
			event.kind = SIM_BODY;
			event.hash = row->subject;
			sim_later(world, body_delay(world, node->id, i), event);
		}
	}
}

/* A row from the wire: stored if it is the next of its log. */
void
sim_wire_arrive(SimWorld *world, SimNode *node, const SimEvent *event)
{
	SimRow	   *row = event->row;
	unsigned	log = row->row.member - 1;
	const SimRow *other;
	TlConsensusStatus status;

	sim_check_arrival(world, row);
	if (sim_tip_is_deaf(world, node))
		return;
	/* Own rows come back from others in a rejoin only, before the REJOIN. */
	tl_consensus_status(node->core, &status);
	if (row->row.member == node->number && !(node->rejoining && status.lost))
		return;
	if (row->row.member == node->number)
		sim_memory_returns(world, node, row);
	other = sim_memory_find(&node->logs[log], row->row.nonce,
							row->row.sequence);
	if (other != NULL && !sim_same(&row->digest, &other->digest))
		contradict(world, node, other, row);
	/* A gap, which the next poll fills; another branch; what was ended. */
	if (!sim_memory_takes(world, node, event))
		return;
	if (sim_prune_follows(world, node, event))
	{
		node->logs[log].sparse = true;
		world->seen[SIM_SEEN_GAP]++;
	}
	if (row->forged && sim_is_honest(node))
		sim_fail(world, "V28: node %u takes a row of member %u that a key of before has signed",
				 node->id, row->row.member);
	sim_disk_store(node, log, row);
	sim_node_ask(world, node);
}

/* The core is told at once, or when the transaction is through. */
static void
contradict(SimWorld *world, SimNode *node, const SimRow *row,
		   const SimRow *other)
{
	node->clash[0] = row;
	node->clash[1] = other;
	if (!node->busy)
		sim_wire_clash(world, node);
	sim_node_ask(world, node);
}

void
sim_wire_clash(SimWorld *world, SimNode *node)
{
	TlInput		input = {.kind = TL_INPUT_CONTRADICTION};

	if (node->clash[0] == NULL)
		return;
	input.row = node->clash[0]->row;
	input.other = node->clash[1]->row;
	node->clash[0] = NULL;
	sim_node_step(world, node, &input, true);
}

/* What a peer's wire has and this one lacks comes over, one way of delay on. */
void
sim_wire_poll(SimWorld *world, SimNode *node)
{
	unsigned	choice = (unsigned) sim_random(world, world->node_count);
	SimNode    *peer = &world->nodes[choice];

	if (choice == node->id || !peer->up || sim_tip_is_deaf(world, node) ||
		!sim_wire_linked(world, choice, node->id) ||
		world->held_until_us[choice][node->id] > world->now_us)
		return;
	if (peer->role == SIM_SILENT)
		return;
	/* What somebody stored who has left the others cannot be asked about (R30). */
	if (sim_govern_member(world, peer->number, node->epoch) == NULL)
		return;
	for (unsigned log = 0; log < world->member_count; log++)
	{
		const SimLog *source = &peer->logs[log];
		int64_t		delay = sim_wire_delay(world, choice, node->id);

		unsigned	first;

		if (log + 1 == node->number && !node->rejoining)
			continue;
		if (log + 1 == peer->number && !may_show(peer))
			continue;
		if (peer->role == SIM_LIAR && log + 1 == peer->number)
			source = &peer->stories[node->id];
		compare(world, node, &node->logs[log], source, delay);
		first = sim_memory_after(source, &node->logs[log],
								 log + 1 == node->number);
		for (unsigned i = first; i < source->count && i < first + 200; i++)
		{
			SimEvent	event = {.kind = SIM_ARRIVE, .node = node->id,
				.life = node->life, .row = source->rows[i],
				.gap = sim_prune_is_gap(source, i),
			.before = (i > 0) ? source->rows[i - 1] : NULL};

			if (peer->role == SIM_LIAR && sim_prune_lie(world, peer, &event))
				continue;
			sim_later(world, delay + i - first, event);
		}
	}
}

/*
 * Its own log: not before it knows whether it has lost memory.  A backup may hold
 * a branch that nobody has seen and that another one has replaced since.
 */
static bool
may_show(const SimNode *peer)
{
	TlConsensusStatus status;

	tl_consensus_status(peer->core, &status);
	return !sim_is_honest(peer) || (!status.asking && !status.lost);
}

/* Does the newest incarnation in either need a REJOIN? */
static bool
has_rejoin(const SimLog *left, const SimLog *right)
{
	return left->rows[left->count - 1]->row.nonce[0] != 0 ||
		right->rows[right->count - 1]->row.nonce[0] != 0;
}

/* Two branches of a log: the first row that differs comes over as well. */
static void
compare(SimWorld *world, SimNode *node, const SimLog *own,
		const SimLog *other, int64_t delay)
{
	unsigned	count = (own->count < other->count) ? own->count : other->count;
	const SimRow *row;

	if (count == 0 || sim_same(&own->rows[count - 1]->digest, &other->rows[count - 1]->digest))
		return;
	/* An incarnation that was ended may be cut short here, or rows are dropped. */
	row = (own->sparse || other->sparse || has_rejoin(own, other)) ?
		other_by_number(own, other) : other_by_place(own, other, count);
	if (row != NULL)
		sim_later(world, delay, (SimEvent) {.kind = SIM_ARRIVE, .node = node->id,
				  .life = node->life, .row = (SimRow *) row});
}

/* The last two rows differ: where do rows begin to? */
static const SimRow *
other_by_place(const SimLog *own, const SimLog *other, unsigned count)
{
	unsigned	low = 0;
	unsigned	high = count - 1;

	while (low < high)
	{
		unsigned	middle = (low + high) / 2;

		if (sim_same(&own->rows[middle]->digest, &other->rows[middle]->digest))
			low = middle + 1;
		else
			high = middle;
	}
	return other->rows[low];
}

/* The newest of another digest at one place of one incarnation. */
static const SimRow *
other_by_number(const SimLog *own, const SimLog *other)
{
	for (unsigned i = own->count; i-- > 0;)
	{
		const TlLogRow *row = &own->rows[i]->row;
		const SimRow *found = sim_memory_find(other, row->nonce, row->sequence);

		if (found != NULL && !sim_same(&found->digest, &own->rows[i]->digest))
			return found;
	}
	return NULL;
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
			!answers(world, peer->id, node->id))
			continue;
		if (peer->role == SIM_LIAR && with_body &&
			!sim_liar_gives_body(world, peer, node->id))
			continue;
		for (SimRow *row = *sim_bucket(world, subject); row != NULL; row = row->near)
		{
			SimEvent	event = {.kind = SIM_LOOSE, .node = node->id,
			.life = node->life, .row = row, .hash = *subject};

			if (!sim_same(&row->subject, subject) ||
				!(row->holders & (UINT64_C(1) << peer->id)))
				continue;
			if (with_body && !sim_disk_has_body(peer, subject))
				continue;
			sim_later(world, 2 * sim_wire_delay(world, peer->id, node->id), event);
			if (with_body)
			{
				event.kind = SIM_BODY;
				sim_later(world, 2 * body_delay(world, peer->id, node->id), event);
			}
			return;
		}
	}
}
