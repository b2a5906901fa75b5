/*-------------------------------------------------------------------------
 *
 * sim_scenario_prune.c
 *	  Runs in which rows are dropped as soon as they may be (sim_prune.c).
 *
 * Checkpoints come with every block and nobody is waited for who is a few blocks
 * behind, so that whoever is away misses rows that nobody has any more.
 *
 *-------------------------------------------------------------------------
 */
#include "sim_scenario.h"

static void
set_dropped(SimWorld *world)
{
	world->plan.drops = true;
	world->plan.waits = true;
	world->plan.sums = world->seed % 2 == 0;
	world->plan.checkpoint_interval = 1;
	world->plan.retain_count = 3;
}

/* Members are cut off one after the other; for those who are back blocks are to be taken (P20). */
void
sim_pruned_away(SimWorld *world)
{
	world->plan.shape = SIM_SHAPE_ONE;
	world->plan.cut_weight = 1;
	world->plan.batch_every_us = 20 * SIM_MS;
	set_dropped(world);
}

/* A member lies about what is gone; his own log is as everybody's. */
void
sim_pruned_liar(SimWorld *world)
{
	sim_pruned_away(world);
	world->plan.liars = 1;
	world->plan.lie = SIM_LIE_SCRIPT;
}

/* A core is made anew on what is left. */
void
sim_pruned_crash(SimWorld *world)
{
	world->plan.commit_crash_percent = 10;
	world->plan.crash_weight = 4;
	set_dropped(world);
}

void
sim_pruned_restore(SimWorld *world)
{
	sim_forget_both(world);
	set_dropped(world);
}

/* Crashes come while rows of its own are on their way back to it. */
void
sim_pruned_interrupted(SimWorld *world)
{
	sim_pruned_restore(world);
	world->plan.crash_weight = 4;
	world->plan.commit_crash_percent = 10;
}

/* With so little memory that votes come back which lie beyond it (R5), and that is soon full (P9). */
void
sim_pruned_beyond(SimWorld *world)
{
	sim_pruned_interrupted(world);
	world->plan.view_count = 12;
}

void
sim_pruned_lost(SimWorld *world)
{
	sim_forget_all(world);
	set_dropped(world);
}

void
sim_pruned_join(SimWorld *world)
{
	sim_change_members(world);
	world->plan.crash_weight = 2;
	set_dropped(world);
}

/* Whose ACKs name instances that succeed each other must not look like two (R45). */
void
sim_pruned_copy(SimWorld *world)
{
	sim_forget_copy(world);
	set_dropped(world);
}
