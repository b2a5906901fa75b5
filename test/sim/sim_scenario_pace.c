/*-------------------------------------------------------------------------
 *
 * sim_scenario_pace.c
 *	  Runs about when there is a block, and how long it is waited for: timers of
 *	  contracts (P12), timers that follow the rows (P15).
 *
 *-------------------------------------------------------------------------
 */
#include "sim.h"

void
sim_pace_slow(SimWorld *world)
{
	world->plan.delay_us = 400 * SIM_MS;
	world->plan.jitter_us = 100 * SIM_MS;
	world->plan.timer_us = 50 * SIM_MS;
	world->plan.batch_every_us = 1000 * SIM_MS;
	world->plan.timer_min_us = 50 * SIM_MS;
}

void
sim_pace_far(SimWorld *world)
{
	world->plan.delay_us = 100 * SIM_MS;
	world->plan.jitter_us = 20 * SIM_MS;
	world->plan.far_us = 200 * SIM_MS;
	world->plan.timer_us = 200 * SIM_MS;
	world->plan.batch_every_us = 1000 * SIM_MS;
	world->plan.timer_min_us = 50 * SIM_MS;
}

void
sim_pace_quick(SimWorld *world)
{
	world->plan.crash_weight = 2;
	world->plan.timer_us = 5000 * SIM_MS;
	world->plan.dead_us = 5000 * SIM_MS;
	world->plan.timer_min_us = 50 * SIM_MS;
}

void
sim_pace_due(SimWorld *world)
{
	world->plan.batch_every_us = SIM_HOUR_US * world->plan.nodes;
	world->plan.poll_us = SIM_HOUR_US / 10;
	world->plan.due_every = 1;
	world->plan.due_us = 120 * 1000 * SIM_MS;
}

void
sim_pace_due_skewed(SimWorld *world)
{
	world->plan.skew_us = 900 * SIM_MS;
	world->plan.batch_every_us = 8000 * SIM_MS;
	world->plan.due_every = 1;
	world->plan.due_us = 4000 * SIM_MS;
	world->plan.crash_weight = 2;
	world->plan.loss_percent = 5;
}

void
sim_pace_deaf(SimWorld *world)
{
	world->plan.deaf = true;
	world->plan.ask_us = 500 * SIM_MS;
}

/* And it remembers few views: what it is told lies beyond. */
void
sim_pace_deaf_beyond(SimWorld *world)
{
	sim_pace_deaf(world);
	world->plan.ask_us = 1000 * SIM_MS;
	world->plan.view_count = 12;
	world->plan.batch_every_us = 100 * SIM_MS;
}

void
sim_pace_false_offers(SimWorld *world)
{
	sim_pace_deaf_beyond(world);
	world->plan.liars = 1;
	world->plan.lie = SIM_LIE_EVIDENCE;	/* it votes */
}
