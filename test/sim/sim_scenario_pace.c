/*-------------------------------------------------------------------------
 *
 * sim_scenario_pace.c
 *	  Runs about when there is a block, and how long it is waited for: timers of
 *	  contracts (P12), timers that follow the rows (P15).
 *
 *-------------------------------------------------------------------------
 */
#include "sim_scenario.h"

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

/* Batches come faster than blocks are applied. */
void
sim_pace_busy(SimWorld *world)
{
	world->plan.batch_every_us = 10 * SIM_MS;
	world->plan.apply_us = 200 * SIM_MS;
	world->plan.one_slow = false;
}

/* Or than one member applies them. */
void
sim_pace_busy_one(SimWorld *world)
{
	world->plan.batch_every_us = 10 * SIM_MS;
	world->plan.apply_us = 30 * SIM_MS;
	world->plan.one_slow = true;
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

/* Members that are silent for good, longer than pruning waits for them. */
void
sim_pace_away(SimWorld *world)
{
	world->plan.silent = 1;
	world->plan.batch_every_us = 8000 * SIM_MS;
	world->plan.poll_us = 5000 * SIM_MS;
	world->plan.checkpoint_interval = 1;
	world->plan.retain_us = 20 * 1000 * SIM_MS;
}

/* They are waited for as long as need be, but not if they are far behind. */
void
sim_pace_behind(SimWorld *world)
{
	sim_pace_away(world);
	world->plan.retain_us = SIM_FOREVER_US;
	world->plan.retain_count = 10;
}

/* Another one is cut off each time, until it is too far behind, and comes back. */
void
sim_pace_away_long(SimWorld *world)
{
	world->plan.shape = SIM_SHAPE_ONE;
	world->plan.cut_weight = 1;
	world->plan.batch_every_us = 10 * SIM_MS;
	world->plan.view_count = 12;
	world->plan.checkpoint_interval = 1;
	world->plan.retain_us = 20 * 1000 * SIM_MS;
	world->plan.retain_count = 3;
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

/* One of those who are asked shows blocks that are none (P17). */
void
sim_pace_false_offers(SimWorld *world)
{
	sim_pace_deaf_beyond(world);
	world->plan.liars = 1;
	world->plan.lie = SIM_LIE_EVIDENCE;	/* it votes */
}

/* Bodies are long on their way, and liars acknowledge what they do not vote for. */
void
sim_pace_late_bodies(SimWorld *world)
{
	world->plan.liars = tl_consensus_faults(world->plan.nodes);
	world->plan.lie = SIM_LIE_WITHHOLD;
	world->plan.body_us = 3000 * SIM_MS;
	world->plan.batch_every_us = 400 * SIM_MS;
}

/* After an idle hour one of them is slow to answer, and was not silent before (P18). */
void
sim_pace_away_idle(SimWorld *world)
{
	world->plan.batch_every_us = SIM_HOUR_US * world->plan.nodes;
	world->plan.poll_us = SIM_HOUR_US / 10;
	world->plan.far_us = 300 * SIM_MS;
	world->plan.timer_us = 2000 * SIM_MS;
	world->plan.checkpoint_interval = 1;
	world->plan.drops = true;
}

/* Few batches, so that nothing else is work. */
void
sim_pace_acks(SimWorld *world)
{
	world->plan.silent = (world->plan.nodes - 1) / 3;
	world->plan.ack_wait_us = 50 * SIM_MS;
	world->plan.batch_every_us = 1000 * SIM_MS;
}
