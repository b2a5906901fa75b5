/*-------------------------------------------------------------------------
 *
 * sim_world.c
 *	  Time, chance, the network, and what a seed decides about a run.
 *
 *-------------------------------------------------------------------------
 */
#include "sim.h"

#include "crypto_hash.h"

#include <stdlib.h>
#include <string.h>

#define CALM_US_MAX		(240 * 1000 * SIM_MS)	/* to become whole again */
#define QUIET_AFTER_US	(30 * 1000 * SIM_MS)	/* longer than active_us */
#define QUIET_US		(20 * 1000 * SIM_MS)

static void make_plan(SimWorld *world);
static void make_config(SimWorld *world);
static void make_nodes(SimWorld *world);
static void stay_idle(SimWorld *world);
static bool next_event(SimWorld *world, SimEvent *event);
static void handle(SimWorld *world, const SimEvent *event);
static void change_links(SimWorld *world);
static void crash_somebody(SimWorld *world);
static void become_calm(SimWorld *world);
static bool before(const SimEvent *left, const SimEvent *right);

void
sim_world_make(SimWorld *world)
{
	world->random = world->seed * UINT64_C(0x9e3779b97f4a7c15) + 1;
	make_plan(world);
	make_config(world);
	make_nodes(world);
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
		if (!world->calm && world->events_done >= world->steps_max)
		{
			become_calm(world);
			calm_until = world->now_us + CALM_US_MAX;
		}
		if (world->calm && world->events_done % 64 == 0 &&
			sim_check_done(world))
		{
			stay_idle(world);
			break;
		}
		if (world->calm && world->now_us > calm_until)
			break;
	}
	sim_check_end(world);
}

/* Everything is in its place: after a while nobody writes any more. */
static void
stay_idle(SimWorld *world)
{
	int64_t		quiet_us = world->now_us + QUIET_AFTER_US;
	uint64_t	rows = 0;
	SimEvent	event;

	/* Not in the middle of a step: somebody may just read his timer. */
	while ((world->now_us < quiet_us + QUIET_US ||
			(!sim_check_done(world) && world->now_us < quiet_us + 2 * QUIET_US)) &&
		   next_event(world, &event))
	{
		if (rows == 0 && event.at_us >= quiet_us)
			rows = sim_check_rows(world);
		world->now_us = event.at_us;
		handle(world, &event);
		world->events_done++;
	}
	if (rows != 0 && sim_check_rows(world) != rows && !sim_check_too_many(world))
	{
		if (world->verbose)
			sim_show(world);
		sim_fail(world, "V11: an idle chain goes on writing");
	}
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
		free(node->loose.rows);
		free(node->pending.rows);
		free(node->inbox.rows);
		free(node->again.rows);
		free(node->chain);
		free(node->certificate);
		free(node->bodies);
		free(node->held);
		free(node->memory);
		free(node->actions);
	}
	free(world->heap);
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
	SimRow	   *made = calloc(1, sizeof(SimRow));
	uint8_t    *payload = malloc(row->payload.size + 1);

	made->row = *row;
	if (row->payload.size > 0)
		memcpy(payload, row->payload.data, row->payload.size);
	made->row.payload.data = payload;
	tl_consensus_row_digest(&made->digest, &world->config.chain_id, &made->row);
	memcpy(made->row.signature, made->digest.bytes, TL_HASH_SIZE);
	memset(made->row.signature + TL_HASH_SIZE, 0, TL_HASH_SIZE);
	made->row.signature[TL_HASH_SIZE] = (uint8_t) row->member;
	made->next = world->rows;
	world->rows = made;
	return made;
}

/* The row that brought this block or batch into the world, or NULL. */
SimRow *
sim_find(SimWorld *world, const TlHash *subject)
{
	for (SimRow *row = world->rows; row != NULL; row = row->next)
	{
		if (sim_same(&row->subject, subject))
			return row;
	}
	return NULL;
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

bool
sim_linked(SimWorld *world, unsigned from, unsigned to)
{
	return !world->cut[from][to];
}

int64_t
sim_delay(SimWorld *world)
{
	int64_t		delay = world->plan.delay_us +
		(int64_t) sim_random(world, (uint64_t) world->plan.jitter_us + 1);

	if (!world->calm && sim_chance(world, world->plan.spike_percent))
		delay += (int64_t) sim_random(world, 500 * SIM_MS);
	return delay;
}

static void
make_plan(SimWorld *world)
{
	static const unsigned sizes[] = {4, 4, 4, 4, 5, 6, 7, 7, 1, 2, 3, 10};
	SimPlan    *plan = &world->plan;
	unsigned	faults;

	plan->nodes = world->command_nodes;
	if (plan->nodes == 0)
		plan->nodes = sizes[sim_random(world, sizeof(sizes) / sizeof(sizes[0]))];
	faults = tl_consensus_faults(plan->nodes);
	plan->loss_percent = sim_chance(world, 50) ? (unsigned) sim_random(world, 25) : 0;
	plan->twice_percent = sim_chance(world, 30) ? (unsigned) sim_random(world, 30) : 0;
	plan->delay_us = 1 + (int64_t) sim_random(world, 10 * SIM_MS);
	plan->jitter_us = 1 + (int64_t) sim_random(world, 20 * SIM_MS);
	plan->spike_percent = sim_chance(world, 40) ? (unsigned) sim_random(world, 10) : 0;
	plan->commit_us = 1 + (int64_t) sim_random(world, 5 * SIM_MS);
	plan->skew_us = sim_chance(world, 30) ? (int64_t) sim_random(world, 900 * SIM_MS) : 0;
	plan->crash_weight = sim_chance(world, 60) ? 1 + (unsigned) sim_random(world, 4) : 0;
	plan->cut_weight = sim_chance(world, 60) ? 1 + (unsigned) sim_random(world, 4) : 0;
	if (faults > 0)
	{
		unsigned	bad = (unsigned) sim_random(world, faults + 1);

		for (unsigned i = 0; i < bad; i++)
		{
			switch (sim_random(world, 5))
			{
				case 0:
					plan->silent++;
					break;
				case 1:
				case 2:
					plan->twins++;
					break;
				default:
					plan->liars++;
					break;
			}
		}
	}
	if (world->command_liars > 0)
	{
		plan->liars = world->command_liars;
		plan->twins = plan->silent = 0;
	}
	plan->batch_every_us = (5 + (int64_t) sim_random(world, 400)) * SIM_MS;
	plan->view_count = 64u << sim_random(world, 3);
	if (world->command_views > 0)
		plan->view_count = world->command_views;
	plan->lane_length = 4u << sim_random(world, 4);
}

static void
make_config(SimWorld *world)
{
	TlConsensusConfig *config = &world->config;
	TlConsensusBlock *genesis = &config->base;

	memset(config, 0, sizeof(*config));
	world->member_count = world->plan.nodes;
	config->member_count = world->member_count;
	for (unsigned i = 0; i < config->member_count; i++)
	{
		config->members[i].number = i + 1;
		config->members[i].row_key[0] = (uint8_t) (i + 1);
		config->members[i].validator = true;
	}
	config->quorum_of_three = sim_chance(world, 50) ? 3 : 2;
	config->drift_us = 2000 * SIM_MS;
	config->view_count = world->plan.view_count;
	config->lane_length = world->plan.lane_length;
	config->pace.timer_us = 4 * (world->plan.delay_us + world->plan.jitter_us +
								 world->plan.commit_us) + 50 * SIM_MS;
	config->pace.timer_max_us = 10000 * SIM_MS;
	config->pace.dead_us = config->pace.timer_us / 2;
	config->pace.active_us = 10000 * SIM_MS;
	config->pace.fetch_us = config->pace.timer_us;
	genesis->header.proposer = 1;
	genesis->header.time = (int64_t) world->seed;
	(void) tl_chain_cut_hash(&genesis->header.cut_hash, NULL, 0);
	tl_chain_block_hash(&genesis->hash, &genesis->header);
	tl_merkle_range_init(&genesis->history);
	(void) tl_merkle_range_append(&genesis->history, &genesis->hash);
	config->chain_id = genesis->hash;
	config->founding = genesis->hash;
	config->members_hash = genesis->header.members_hash;
}

/* Liars and twins come first among the members, twins' doubles at the end. */
static void
make_nodes(SimWorld *world)
{
	SimPlan    *plan = &world->plan;
	unsigned	bad = 0;

	world->node_count = world->member_count;
	for (unsigned i = 0; i < world->member_count; i++)
		world->nodes[i].number = i + 1;
	for (unsigned i = 0; i < plan->liars; i++)
		world->nodes[bad++].role = SIM_LIAR;
	for (unsigned i = 0; i < plan->silent; i++)
		world->nodes[bad++].role = SIM_SILENT;
	for (unsigned i = 0; i < plan->twins; i++)
	{
		world->nodes[world->node_count].number = world->nodes[bad].number;
		world->nodes[world->node_count++].role = SIM_TWIN;
		world->nodes[bad++].role = SIM_TWIN;
	}
	for (unsigned i = 0; i < world->node_count; i++)
	{
		SimNode    *node = &world->nodes[i];
		SimEvent	event = {0};

		node->id = i;
		node->clock_skew_us = (int64_t) sim_random(world, (uint64_t) plan->skew_us + 1);
		sim_node_start(world, node);
		event.node = i;
		event.kind = SIM_POLL;
		sim_later(world, (int64_t) sim_random(world, 400 * SIM_MS), event);
		event.kind = SIM_BATCH;
		sim_later(world, (int64_t) sim_random(world, (uint64_t) plan->batch_every_us), event);
	}
	if (plan->crash_weight > 0)
		sim_later(world, (int64_t) sim_random(world, 1000 * SIM_MS),
				  (SimEvent) {.kind = SIM_CRASH});
	if (plan->cut_weight > 0)
		sim_later(world, (int64_t) sim_random(world, 1000 * SIM_MS),
				  (SimEvent) {.kind = SIM_CUT});
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
	switch (event->kind)
	{
		case SIM_CRASH:
			if (!world->calm)
				crash_somebody(world);
			break;
		case SIM_CUT:
			if (!world->calm)
				change_links(world);
			break;
		case SIM_RESTART:
			if (!world->nodes[event->node].up)
				sim_node_start(world, &world->nodes[event->node]);
			break;
		default:
			sim_node_event(world, &world->nodes[event->node], event);
			break;
	}
}

/* A whole, a split, a bridge, single edges in one direction, or one node off. */
static void
change_links(SimWorld *world)
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

static void
crash_somebody(SimWorld *world)
{
	SimEvent	event = {.kind = SIM_RESTART};
	unsigned	first = (unsigned) sim_random(world, world->node_count);
	unsigned	count = sim_chance(world, 10) ? world->node_count : 1;

	for (unsigned i = 0; i < count; i++)
	{
		event.node = (first + i) % world->node_count;
		if (!world->nodes[event.node].up)
			continue;
		sim_node_crash(world, &world->nodes[event.node]);
		sim_later(world, (int64_t) sim_random(world, 2000 * SIM_MS), event);
	}
	sim_later(world, (int64_t) sim_random(world, 4000 * SIM_MS /
										  world->plan.crash_weight),
			  (SimEvent) {.kind = SIM_CRASH});
}

static void
become_calm(SimWorld *world)
{
	world->calm = true;
	memset(world->cut, 0, sizeof(world->cut));
	world->plan.loss_percent = 0;
	for (unsigned i = 0; i < world->node_count; i++)
	{
		world->nodes[i].clock_skew_us = 0;
		if (!world->nodes[i].up)
			sim_node_start(world, &world->nodes[i]);
	}
}

static bool
before(const SimEvent *left, const SimEvent *right)
{
	if (left->at_us != right->at_us)
		return left->at_us < right->at_us;
	return left->number < right->number;
}
