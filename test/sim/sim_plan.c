/*-------------------------------------------------------------------------
 *
 * sim_plan.c
 *	  What a seed decides about a run.
 *
 *-------------------------------------------------------------------------
 */
#include "sim.h"

#include <string.h>

void
sim_plan_make(SimWorld *world)
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
	plan->poll_us = 400 * SIM_MS;
	plan->twist = SIM_TWIST_ANY;
	plan->chunk_count = 1;
	sim_state_plan(world);
	sim_due_plan(world);
	sim_busy_plan(world);
	sim_retain_plan(world);
	/* Timers follow the rows, in every second run, whatever else there is. */
	plan->ask_us = SIM_HOUR_US;
	plan->timer_min_us = (world->seed % 2 == 0) ? 50 * SIM_MS : 0;
	/* ACKs wait, and small batches do not, in every third. */
	plan->ack_wait_us = (world->seed % 3 == 0) ? 50 * SIM_MS : 0;
}

void
sim_plan_config(SimWorld *world)
{
	TlConsensusConfig *config = &world->config;
	TlConsensusBlock *genesis = &config->base;

	memset(config, 0, sizeof(*config));
	world->founder_count = world->plan.nodes;
	world->member_count = world->plan.nodes + world->plan.joiners;
	config->member_count = world->founder_count;
	sim_govern_found(world);
	config->quorum_of_three = sim_chance(world, 50) ? 3 : 2;
	config->drift_us = 2000 * SIM_MS;
	config->view_count = world->plan.view_count;
	config->lane_length = world->plan.lane_length;
	config->checkpoint_interval = world->plan.checkpoint_interval;
	config->pace.timer_us = 4 * (world->plan.delay_us + world->plan.jitter_us +
								 world->plan.commit_us) + 50 * SIM_MS;
	if (world->plan.timer_us > 0)
		config->pace.timer_us = world->plan.timer_us;
	config->pace.timer_max_us = 10000 * SIM_MS;
	config->pace.ask_us = world->plan.ask_us;
	config->pace.timer_min_us = world->plan.timer_min_us;
	config->pace.ack_wait_us = world->plan.ack_wait_us;
	config->pace.retain_us = world->plan.retain_us;
	config->pace.retain_count = world->plan.retain_count;
	config->pace.dead_us = config->pace.timer_us / 2;
	if (world->plan.dead_us > 0)
		config->pace.dead_us = world->plan.dead_us;
	config->pace.active_us = 10000 * SIM_MS;
	config->pace.fetch_us = config->pace.timer_us;
	config->pace.busy_us = sim_busy_us(world);
	config->pace.start_wait_us = 5 * config->pace.timer_us + 1000 * SIM_MS;
	genesis->header.proposer = 1;
	genesis->header.time = (int64_t) world->seed;
	(void) tl_chain_cut_hash(&genesis->header.cut_hash, NULL, 0);
	tl_chain_block_hash(&genesis->hash, &genesis->header);
	tl_merkle_range_init(&genesis->history);
	(void) tl_merkle_range_append(&genesis->history, &genesis->hash);
	config->chain_id = genesis->hash;
	config->founding = genesis->hash;
	world->epochs[0] = *config;
	world->epoch_count = 1;
}

/* Liars and twins come first among the members, twins' doubles at the end. */
void
sim_plan_nodes(SimWorld *world)
{
	SimPlan    *plan = &world->plan;
	unsigned	bad = 0;

	world->node_count = world->member_count;
	for (unsigned i = 0; i < world->member_count; i++)
	{
		world->nodes[i].number = i + 1;
		world->nodes[i].joined = (i < world->founder_count);
	}
	for (unsigned i = 0; i < plan->liars; i++)
		world->nodes[bad++].role = SIM_LIAR;
	for (unsigned i = 0; i < plan->silent; i++)
		world->nodes[bad++].role = SIM_SILENT;
	for (unsigned i = 0; i < plan->forgetful; i++)
		world->nodes[bad++].role = SIM_FORGETFUL;
	for (unsigned i = 0; i < plan->twins; i++)
	{
		for (unsigned j = 0; j <= plan->more_copies; j++)
		{
			world->nodes[world->node_count].number = world->nodes[bad].number;
			world->nodes[world->node_count].joined = true;
			world->nodes[world->node_count++].role = SIM_TWIN;
		}
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
		event.kind = SIM_GOVERN;
		if (plan->epochs > 0)
			sim_later(world, sim_govern_pause(world), event);
	}
	sim_fault_start(world);
}
