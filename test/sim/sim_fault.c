/*-------------------------------------------------------------------------
 *
 * sim_fault.c
 *	  What goes wrong around the members: links, slots, clocks, disks, power.
 *
 * Each fault is an event that changes something and asks for the next one of
 * its kind, sooner the greater its weight in the plan.  A weight of zero means
 * that there is no such fault.  When the run becomes calm all of it stops and
 * everything is set right.
 *
 *-------------------------------------------------------------------------
 */
#include "sim.h"

#include <string.h>

#define SWIZZLE_MAX		24		/* links of one swizzle */

static unsigned rarely(SimWorld *world, unsigned percent, unsigned weight);
static void again(SimWorld *world, SimEventKind kind, unsigned weight);
static void change_links(SimWorld *world);
static void swizzle(SimWorld *world);
static void crash_somebody(SimWorld *world);
static void drop_slot(SimWorld *world);
static void hold(SimWorld *world);
static void change_clock(SimWorld *world);
static void part_twins(SimWorld *world);
static void set_wrong(SimWorld *world, SimNode *node);
static void fill_disk(SimWorld *world);

/*
 * What chance adds to the plan of a run, from a stream of its own: so a plain
 * run of the same seed has the same members, links and liars.
 */
void
sim_fault_plan(SimWorld *world)
{
	SimPlan    *plan = &world->plan;
	uint64_t	random = world->random;

	world->random = ~world->seed * UINT64_C(0x9e3779b97f4a7c15);
	if (world->command_nodes == 0 && sim_random(world, 400) == 0)
		plan->nodes = 30;
	if (world->command_nodes == 0 && sim_random(world, 2000) == 0)
		plan->nodes = 32 + (unsigned) sim_random(world, SIM_NODES_MAX - 31);
	if (plan->cut_weight > 0 && sim_chance(world, 30))
		plan->shape = (SimShape) sim_random(world, SIM_SHAPE_SWIZZLE + 1);
	plan->slot_weight = rarely(world, 20, 4);
	plan->hold_weight = rarely(world, 10, 4);
	plan->hold_us = (1 + (int64_t) sim_random(world, 20000)) * SIM_MS;
	plan->clock_weight = rarely(world, 20, 4);
	plan->disk_weight = rarely(world, 10, 3);
	plan->fail_percent = rarely(world, 15, 10);
	plan->commit_crash_percent = rarely(world, 10, 5);
	plan->slow_percent = rarely(world, 15, 5);
	if (sim_chance(world, 20))
		plan->link_us = (int64_t) sim_random(world, 300 * SIM_MS);
	if (sim_chance(world, 10))
		plan->chunk_count = 1 + (unsigned) sim_random(world, SIM_CHUNKS_MAX);
	if (sim_chance(world, 50))
		plan->lie = (SimLie) sim_random(world, SIM_LIE_FORK + 1);
	plan->to_all = sim_chance(world, 50);
	plan->stream = sim_chance(world, 70);
	plan->forget_weight = rarely(world, 40, 4);
	plan->twins_ask = sim_chance(world, 50);
	world->random = random;
}

/* The first of each kind. */
void
sim_fault_start(SimWorld *world)
{
	const SimPlan *plan = &world->plan;

	if (plan->crash_weight > 0)
		sim_later(world, (int64_t) sim_random(world, 1000 * SIM_MS),
				  (SimEvent) {.kind = SIM_CRASH});
	if (plan->cut_weight > 0)
		sim_later(world, (int64_t) sim_random(world, 1000 * SIM_MS),
				  (SimEvent) {.kind = SIM_CUT});
	again(world, SIM_SLOT, plan->slot_weight);
	again(world, SIM_HOLD, plan->hold_weight);
	again(world, SIM_CLOCK, plan->clock_weight);
	again(world, SIM_DISK, plan->disk_weight);
	again(world, SIM_FORGET, plan->forget_weight);
	sim_script_start(world);
	if (plan->twins_apart)
		part_twins(world);
	for (unsigned i = 0; i < plan->wrong_clocks; i++)
		set_wrong(world, &world->nodes[world->member_count - 1 - i]);
	for (unsigned i = 0; i + 1 < world->founder_count; i++)
		world->link_us[i][world->founder_count - 1] =
			world->link_us[world->founder_count - 1][i] = plan->far_us;
	for (unsigned i = 0; plan->link_us > 0 && i < world->node_count; i++)
	{
		for (unsigned j = 0; j < world->node_count; j++)
			world->link_us[i][j] = (int64_t) sim_random(world, (uint64_t) plan->link_us);
	}
}

/* False if the event is none of a fault. */
bool
sim_fault_event(SimWorld *world, const SimEvent *event)
{
	switch (event->kind)
	{
		case SIM_CRASH:
			if (!world->calm)
				crash_somebody(world);
			return true;
		case SIM_CUT:
			if (!world->calm)
				change_links(world);
			return true;
		case SIM_LINK:
			if (!world->calm)
				world->cut[event->node][event->peer] = event->on;
			return true;
		case SIM_SLOT:
			if (!world->calm)
				drop_slot(world);
			return true;
		case SIM_HOLD:
			if (!world->calm)
				hold(world);
			return true;
		case SIM_CLOCK:
			if (!world->calm)
				change_clock(world);
			return true;
		case SIM_DISK:
			if (!world->calm)
				fill_disk(world);
			return true;
		case SIM_FORGET:
			if (!world->calm)
				sim_memory_event(world);
			return true;
		case SIM_SCRIPT_STEP:
			sim_script_step(world);
			return true;
		default:
			return false;
	}
}

/* Everything is set right. */
void
sim_fault_stop(SimWorld *world)
{
	memset(world->cut, 0, sizeof(world->cut));
	memset(world->slotless, 0, sizeof(world->slotless));
	memset(world->held_until_us, 0, sizeof(world->held_until_us));
	memset(world->link_us, 0, sizeof(world->link_us));
	memset(world->arrival_us, 0, sizeof(world->arrival_us));
	world->plan.loss_percent = 0;
	for (unsigned i = 0; i < world->node_count; i++)
	{
		SimNode    *node = &world->nodes[i];

		node->clock_skew_us = 0;
		node->frozen_us = 0;
		node->clock_wrong = false;
		node->disk_full_until_us = 0;
	}
}

/* Since 1970, as this node's clock shows it. */
int64_t
sim_fault_clock(const SimWorld *world, const SimNode *node)
{
	if (node->frozen_us != 0)
		return node->frozen_us;
	return SIM_CLOCK_BASE_US + world->now_us + node->clock_skew_us;
}

int64_t
sim_fault_commit_us(SimWorld *world)
{
	int64_t		time = 1 + (int64_t) sim_random(world, (uint64_t) world->plan.commit_us);

	if (world->plan.slow_percent > 0 && !world->calm &&
		sim_chance(world, world->plan.slow_percent))
		time += (int64_t) sim_random(world, 2000 * SIM_MS);
	return time;
}

/* Does the transaction that is to become durable now fail? */
bool
sim_fault_commit_fails(SimWorld *world, SimNode *node)
{
	if (world->calm)
		return false;
	if (node->disk_full_until_us > world->now_us)
		return true;
	return world->plan.fail_percent > 0 &&
		sim_chance(world, world->plan.fail_percent);
}

/* Power off, and on again a while later. */
void
sim_fault_crash(SimWorld *world, unsigned id)
{
	SimEvent	event = {.kind = SIM_RESTART, .node = id};

	sim_node_crash(world, &world->nodes[id]);
	world->seen[SIM_SEEN_CRASH]++;
	sim_later(world, (int64_t) sim_random(world, 2000 * SIM_MS), event);
}

static unsigned
rarely(SimWorld *world, unsigned percent, unsigned weight)
{
	bool		chosen = sim_chance(world, percent);
	unsigned	value = 1 + (unsigned) sim_random(world, weight);

	return chosen ? value : 0;
}

static void
again(SimWorld *world, SimEventKind kind, unsigned weight)
{
	int64_t		pause = 4000 * SIM_MS;

	/* As slow as everything is in a run that lasts hours. */
	if (pause < 4 * world->plan.poll_us)
		pause = 4 * world->plan.poll_us;
	if (weight > 0)
		sim_later(world, (int64_t) sim_random(world, (uint64_t) pause / weight),
				  (SimEvent) {.kind = kind});
}

/* A whole, a split, a bridge, single edges in one direction, or one node off. */
static void
change_links(SimWorld *world)
{
	unsigned	count = world->node_count;
	unsigned	bridge = (unsigned) sim_random(world, count);
	unsigned	shape = (unsigned) sim_random(world, world->plain ? 6 : 7);
	bool		side[SIM_NODES_MAX];

	if (world->plan.shape != SIM_SHAPE_ANY)
		shape = sim_chance(world, 30) ? 0 : (unsigned) world->plan.shape;
	for (unsigned i = 0; i < count; i++)
		side[i] = sim_chance(world, 50);
	for (unsigned i = 0; i < count; i++)
	{
		for (unsigned j = 0; j < count; j++)
		{
			bool		cut = false;

			if (shape == SIM_SHAPE_SPLIT || shape == SIM_SHAPE_BRIDGE)
				cut = (side[i] != side[j]);
			if (shape == SIM_SHAPE_BRIDGE && (i == bridge || j == bridge))
				cut = false;
			if (shape == SIM_SHAPE_EDGES)
				cut = sim_chance(world, 30);
			if (shape == SIM_SHAPE_ONE)
				cut = (i == bridge || j == bridge);
			if (shape == SIM_SHAPE_ASYMMETRIC)
				cut = (side[i] && !side[j]);
			world->cut[i][j] = cut && i != j;
		}
	}
	if (shape == SIM_SHAPE_SWIZZLE)
		swizzle(world);
	again(world, SIM_CUT, world->plan.cut_weight);
}

/* Links are cut one by one in some order and come back in another. */
static void
swizzle(SimWorld *world)
{
	SimEvent	links[SWIZZLE_MAX];
	unsigned	count = 2 + (unsigned) sim_random(world, SWIZZLE_MAX - 1);
	int64_t		step = 1 + (int64_t) sim_random(world, 100 * SIM_MS);
	int64_t		at = 0;

	for (unsigned i = 0; i < count; i++)
	{
		links[i] = (SimEvent) {.kind = SIM_LINK, .on = true};
		links[i].node = (unsigned) sim_random(world, world->node_count);
		links[i].peer = (unsigned) sim_random(world, world->node_count);
		at += (int64_t) sim_random(world, (uint64_t) step);
		sim_later(world, at, links[i]);
	}
	for (unsigned left = count; left > 0; left--)
	{
		unsigned	chosen = (unsigned) sim_random(world, left);
		SimEvent	link = links[chosen];

		links[chosen] = links[left - 1];
		link.on = false;
		at += (int64_t) sim_random(world, (uint64_t) step);
		sim_later(world, at, link);
	}
}

static void
crash_somebody(SimWorld *world)
{
	unsigned	first = (unsigned) sim_random(world, world->node_count);
	unsigned	count = sim_chance(world, 10) ? world->node_count : 1;

	for (unsigned i = 0; i < count; i++)
	{
		unsigned	id = (first + i) % world->node_count;

		if (world->nodes[id].up)
			sim_fault_crash(world, id);
	}
	again(world, SIM_CRASH, world->plan.crash_weight);
}

/* Whoever may replicate from a wire may drop the slots of others there. */
static void
drop_slot(SimWorld *world)
{
	unsigned	from = (unsigned) sim_random(world, world->node_count);
	unsigned	to = (unsigned) sim_random(world, world->node_count);
	bool		all = sim_chance(world, 30);

	for (unsigned i = 0; i < world->node_count; i++)
	{
		if (all || i == to)
			world->slotless[from][i] = !world->slotless[from][i];
	}
	again(world, SIM_SLOT, world->plan.slot_weight);
}

/* What is sent to a member, and perhaps by it, comes much later, all at once. */
static void
hold(SimWorld *world)
{
	unsigned	id = (unsigned) sim_random(world, world->node_count);
	int64_t		until = world->now_us +
		(int64_t) sim_random(world, (uint64_t) world->plan.hold_us);
	bool		both = sim_chance(world, 50);

	for (unsigned i = 0; i < world->node_count; i++)
	{
		world->held_until_us[i][id] = until;
		if (both)
			world->held_until_us[id][i] = until;
	}
	again(world, SIM_HOLD, world->plan.hold_weight);
}

/* A wrong clock counts among the f, or blocks from the future could be final. */
static void
change_clock(SimWorld *world)
{
	SimNode    *node = &world->nodes[sim_random(world, world->node_count)];
	unsigned	allowed = tl_consensus_faults(world->founder_count);
	unsigned	wrong = world->plan.liars + world->plan.twins + world->plan.silent;

	if (world->founder_count == 2 || world->founder_count == 3)
		allowed = 1;
	for (unsigned i = 0; i < world->node_count; i++)
		wrong += world->nodes[i].clock_wrong;
	if (node->clock_wrong)
	{
		node->clock_wrong = false;
		node->clock_skew_us = 0;
		node->frozen_us = 0;
	}
	else if (wrong < allowed)
	{
		node->clock_wrong = true;
		world->seen[SIM_SEEN_CLOCK]++;
		switch (sim_random(world, 3))
		{
			case 0:
				node->clock_skew_us = (int64_t) sim_random(world, 2 * SIM_HOUR_US);
				break;
			case 1:
				node->clock_skew_us = -(int64_t) sim_random(world, SIM_HOUR_US);
				break;
			default:
				node->frozen_us = sim_fault_clock(world, node);
				break;
		}
	}
	again(world, SIM_CLOCK, world->plan.clock_weight);
}

/* Originals and half of the others here, doubles and the other half there. */
static void
part_twins(SimWorld *world)
{
	bool		side[SIM_NODES_MAX];

	for (unsigned i = 0; i < world->node_count; i++)
		side[i] = (i >= world->member_count) ||
			(sim_is_honest(&world->nodes[i]) && i % 2 == 1);
	for (unsigned i = 0; i < world->node_count; i++)
	{
		for (unsigned j = 0; j < world->node_count; j++)
			world->cut[i][j] = (side[i] != side[j]);
	}
}

/* By an hour or two, until everything is set right. */
static void
set_wrong(SimWorld *world, SimNode *node)
{
	int64_t		off = SIM_HOUR_US + (int64_t) sim_random(world, SIM_HOUR_US);

	node->clock_wrong = true;
	node->clock_skew_us = sim_chance(world, 50) ? off : -off;
	world->seen[SIM_SEEN_CLOCK]++;
}

static void
fill_disk(SimWorld *world)
{
	SimNode    *node = &world->nodes[sim_random(world, world->node_count)];

	node->disk_full_until_us = world->now_us +
		(int64_t) sim_random(world, 3000 * SIM_MS);
	again(world, SIM_DISK, world->plan.disk_weight);
}
