/*-------------------------------------------------------------------------
 *
 * sim_world.c
 *	  Time and chance: what happens next, until nothing has to happen any more.
 *
 *-------------------------------------------------------------------------
 */
#include "sim.h"

#include <stdlib.h>
#include <string.h>

#define CALM_US_MAX		(240 * 1000 * SIM_MS)	/* to become whole again */
#define HALT_US_MAX		(20 * 1000 * SIM_MS)	/* the same, beyond f */
#define QUIET_US		(30 * 1000 * SIM_MS)	/* without a row: it is idle */

static void stay_idle(SimWorld *world, int64_t until_us);
static bool next_event(SimWorld *world, SimEvent *event);
static void handle(SimWorld *world, const SimEvent *event);
static uint64_t final_blocks(const SimWorld *world);
static void become_calm(SimWorld *world);
static bool before(const SimEvent *left, const SimEvent *right);

void
sim_world_make(SimWorld *world)
{
	world->random = world->seed * UINT64_C(0x9e3779b97f4a7c15) + 1;
	sim_plan_make(world);
	if (world->scenario != NULL)
		sim_scenario_plan(world);
	else if (!world->plain)
	{
		sim_fault_plan(world);
		sim_govern_plan(world);
	}
	if (world->command_disks > 0)
		world->plan.forget_weight = world->command_disks;
	if (world->keeps_memory)
		world->plan.forget_weight = 0;
	sim_plan_config(world);
	sim_plan_nodes(world);
	sim_check_reset(world);
}

void
sim_world_run(SimWorld *world)
{
	SimEvent	event;
	int64_t		calm_until = 0;

	while (next_event(world, &event))
	{
		world->now_us = event.at_us;
		handle(world, &event);
		world->events_done++;
		if (world->forks > 0)
			return;				/* beyond f, and somebody was convicted for it */
		if (!world->calm && (world->events_done >= world->steps_max ||
							 sim_script_is_over(world)))
		{
			become_calm(world);
			calm_until = world->now_us +
				(sim_check_may_halt(world) ? HALT_US_MAX : CALM_US_MAX);
		}
		if (world->calm && world->events_done % 64 == 0 &&
			sim_check_done(world))
		{
			stay_idle(world, calm_until);
			break;
		}
		if (world->calm && world->now_us > calm_until)
			break;
	}
	sim_check_end(world);
}

/* Everything is in its place: before long nobody writes any more. */
static void
stay_idle(SimWorld *world, int64_t until_us)
{
	SimEvent	event;
	uint64_t	blocks = final_blocks(world);

	/* Not in the middle of a step: somebody may just read his timer. */
	while (world->now_us < world->written_us + QUIET_US || !sim_check_done(world))
	{
		if (world->now_us > until_us && world->now_us < world->written_us + QUIET_US)
		{
			if (sim_check_may_halt(world))
				return;
			if (world->verbose)
				sim_show(world);
			sim_fail(world, "V11: an idle chain goes on writing");
		}
		if (world->now_us > until_us || !next_event(world, &event))
			return;
		world->now_us = event.at_us;
		handle(world, &event);
		world->events_done++;
		/* Not idle yet: a liar's lane may be long, and everything has its turn. */
		if (sim_check_may_halt(world) || final_blocks(world) == blocks)
			continue;
		blocks = final_blocks(world);
		if (until_us < world->now_us + 2 * QUIET_US)
			until_us = world->now_us + 2 * QUIET_US;
	}
}

/* Of all nodes together. */
static uint64_t
final_blocks(const SimWorld *world)
{
	uint64_t	blocks = 0;

	for (unsigned i = 0; i < world->node_count; i++)
		blocks += world->nodes[i].chain_count;
	return blocks;
}

void
sim_world_free(SimWorld *world)
{
	while (world->rows != NULL)
	{
		SimRow	   *row = world->rows;

		world->rows = row->next;
		free((void *) row->row.payload.data);
		free(row);
	}
	for (unsigned i = 0; i < world->node_count; i++)
	{
		SimNode    *node = &world->nodes[i];

		for (unsigned j = 0; j < SIM_NODES_MAX; j++)
		{
			free(node->logs[j].rows);
			free(node->stories[j].rows);
		}
		sim_memory_free(node);
		sim_check_copy_forget(node);
		free(node->loose.rows);
		free(node->pending.rows);
		free(node->inbox.rows);
		free(node->again.rows);
		free(node->chain);
		sim_offer_free(node);
		free(node->certificate);
		free(node->bodies);
		free(node->held);
		free(node->memory);
		free(node->actions);
	}
	free(world->heap);
	sim_govern_free(world);
}

uint64_t
sim_random(SimWorld *world, uint64_t below)
{
	uint64_t	value;

	world->random += UINT64_C(0x9e3779b97f4a7c15);
	value = world->random;
	value = (value ^ (value >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
	value = (value ^ (value >> 27)) * UINT64_C(0x94d049bb133111eb);
	value ^= value >> 31;
	return (below == 0) ? 0 : value % below;
}

bool
sim_chance(SimWorld *world, unsigned percent)
{
	return sim_random(world, 100) < percent;
}

void
sim_later(SimWorld *world, int64_t delay_us, SimEvent event)
{
	unsigned	child;

	event.at_us = world->now_us + delay_us;
	event.number = world->event_number++;
	if (world->heap_count == world->heap_capacity)
	{
		world->heap_capacity = world->heap_capacity * 2 + 256;
		world->heap = realloc(world->heap,
							  world->heap_capacity * sizeof(SimEvent));
	}
	child = world->heap_count++;
	while (child > 0 && before(&event, &world->heap[(child - 1) / 2]))
	{
		world->heap[child] = world->heap[(child - 1) / 2];
		child = (child - 1) / 2;
	}
	world->heap[child] = event;
}

/* Copies the row and its payload; signs it by the stand-in. */
SimRow *
sim_row(SimWorld *world, const TlLogRow *row)
{
	SimRow	  **bucket;
	SimRow	   *made = calloc(1, sizeof(SimRow));
	uint8_t    *payload = malloc(row->payload.size + 1);

	made->row = *row;
	if (row->payload.size > 0)
		memcpy(payload, row->payload.data, row->payload.size);
	made->row.payload.data = payload;
	tl_consensus_row_digest(&made->digest, &world->config.chain_id, &made->row);
	memcpy(made->row.signature, made->digest.bytes, TL_HASH_SIZE);
	sim_govern_key(world, row->member, row->epoch,
				   made->row.signature + TL_HASH_SIZE);
	made->next = world->rows;
	world->rows = made;
	sim_node_note_subject(made);
	bucket = sim_bucket(world, &made->subject);
	made->near = *bucket;
	*bucket = made;
	return made;
}

/* The row that brought this block or batch into the world, or NULL. */
SimRow *
sim_find(SimWorld *world, const TlHash *subject)
{
	for (SimRow *row = *sim_bucket(world, subject); row != NULL; row = row->near)
	{
		if (sim_same(&row->subject, subject))
			return row;
	}
	return NULL;
}

/* Where rows with this subject are, among others. */
SimRow **
sim_bucket(SimWorld *world, const TlHash *subject)
{
	return &world->buckets[(subject->bytes[0] << 8 | subject->bytes[1]) % SIM_BUCKETS];
}

bool
sim_check_signature(void *context, const uint8_t *signature,
					const TlHash *digest, const uint8_t *row_key)
{
	return memcmp(signature, digest->bytes, TL_HASH_SIZE) == 0 &&
		memcmp(signature + TL_HASH_SIZE, row_key, TL_XONLY_KEY_SIZE) == 0;
}

void
sim_log_add(SimLog *log, SimRow *row)
{
	if (log->count == log->capacity)
	{
		log->capacity = log->capacity * 2 + 16;
		log->rows = realloc(log->rows, log->capacity * sizeof(SimRow *));
	}
	log->rows[log->count++] = row;
}

/* Among the first so many of its rows. */
bool
sim_log_has(const SimLog *log, unsigned count, const SimRow *row)
{
	while (count-- > 0)
	{
		if (log->rows[count] == row)
			return true;
	}
	return false;
}

/* The place of a member's lane in a cut, or NULL. */
const TlLane *
sim_lane(const TlLane *cut, unsigned count, uint32_t member)
{
	for (unsigned i = 0; i < count; i++)
	{
		if (cut[i].member == member)
			return &cut[i];
	}
	return NULL;
}

bool
sim_same(const TlHash *left, const TlHash *right)
{
	return memcmp(left->bytes, right->bytes, TL_HASH_SIZE) == 0;
}

bool
sim_is_honest(const SimNode *node)
{
	return node->role == SIM_HONEST;
}

static bool
next_event(SimWorld *world, SimEvent *event)
{
	SimEvent	last;
	unsigned	place = 0;

	if (world->heap_count == 0)
		return false;
	*event = world->heap[0];
	last = world->heap[--world->heap_count];
	for (;;)
	{
		unsigned	child = 2 * place + 1;

		if (child >= world->heap_count)
			break;
		if (child + 1 < world->heap_count &&
			before(&world->heap[child + 1], &world->heap[child]))
			child++;
		if (!before(&world->heap[child], &last))
			break;
		world->heap[place] = world->heap[child];
		place = child;
	}
	world->heap[place] = last;
	return true;
}

static void
handle(SimWorld *world, const SimEvent *event)
{
	if (sim_fault_event(world, event))
		return;
	if (event->kind != SIM_RESTART)
		sim_node_event(world, &world->nodes[event->node], event);
	else if (!world->nodes[event->node].up)
		sim_node_start(world, &world->nodes[event->node]);
}

static void
become_calm(SimWorld *world)
{
	sim_check_faults(world);
	world->calm = true;
	sim_fault_stop(world);
	for (unsigned i = 0; i < world->node_count; i++)
	{
		/* Who has an old program gets the newest. */
		if (world->nodes[i].up && world->plan.versions > 0)
			sim_node_crash(world, &world->nodes[i]);
		if (!world->nodes[i].up && !world->nodes[i].forgot)
			sim_node_start(world, &world->nodes[i]);
		/* Where looks were rare the next one may be hours away. */
		if (world->plan.poll_us > QUIET_US)
			sim_later(world, 400 * SIM_MS,
					  (SimEvent) {.kind = SIM_POLL, .node = i});
	}
}

static bool
before(const SimEvent *left, const SimEvent *right)
{
	if (left->at_us != right->at_us)
		return left->at_us < right->at_us;
	return left->number < right->number;
}
