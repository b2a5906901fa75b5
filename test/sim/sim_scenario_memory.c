/*-------------------------------------------------------------------------
 *
 * sim_scenario_memory.c
 *	  Scenarios in which disks forget: what each sets up.
 *
 *-------------------------------------------------------------------------
 */
#include "sim_scenario.h"

static void
set_forget(SimWorld *world, SimForget forget)
{
	world->plan.forget = forget;
	world->plan.forget_weight = 4;
}

void
sim_forget_all(SimWorld *world)
{
	set_forget(world, SIM_FORGET_ALL);
}

void
sim_forget_database(SimWorld *world)
{
	set_forget(world, SIM_FORGET_DATABASE);
}

void
sim_forget_both(SimWorld *world)
{
	set_forget(world, SIM_FORGET_BOTH);
}

void
sim_forget_same_backup(SimWorld *world)
{
	set_forget(world, SIM_FORGET_BOTH);
	world->plan.same_backup = true;
	world->plan.batch_every_us = 400 * SIM_MS;
	world->plan.forget_weight = 16;
}

void
sim_forget_in_sequence(SimWorld *world)
{
	set_forget(world, SIM_FORGET_ANY);
	world->plan.forget_weight = 20;
}

void
sim_forget_under_load(SimWorld *world)
{
	set_forget(world, SIM_FORGET_ANY);
	world->plan.batch_every_us = 5 * SIM_MS;
}

/* A view is lost now and then, so that batches wait. */
void
sim_forget_old_batch(SimWorld *world)
{
	set_forget(world, SIM_FORGET_BOTH);
	world->plan.forget_weight = 10;
	world->plan.loss_percent = 20;
	world->plan.batch_every_us = 20 * SIM_MS;
}

void
sim_forget_in_partition(SimWorld *world)
{
	world->plan.shape = SIM_SHAPE_SWIZZLE;
	world->plan.cut_weight = 4;
	set_forget(world, SIM_FORGET_ANY);
}

void
sim_forget_beside_liar(SimWorld *world)
{
	set_forget(world, SIM_FORGET_ANY);
	world->plan.liars = 1;
}

void
sim_forget_copy(SimWorld *world)
{
	set_forget(world, SIM_FORGET_COPY);
	world->plan.twins = 1;
	world->plan.twins_ask = sim_chance(world, 50);
}

/* Three live, with one key. */
void
sim_forget_copied_twice(SimWorld *world)
{
	sim_forget_copy(world);
	world->plan.forget_weight = 20;
	world->plan.more_copies = 1;
}

void
sim_forget_copy_of_copy(SimWorld *world)
{
	sim_forget_copied_twice(world);
	world->plan.copies_of_copies = true;
}

void
sim_forget_copy_and_change(SimWorld *world)
{
	sim_forget_copied_twice(world);
	sim_change_members(world);
	world->plan.copies_of_copies = sim_chance(world, 50);
}

/* No look at a wire brings what the script withholds. */
static void
set_script(SimWorld *world, SimScriptKind script)
{
	world->plan.script = script;
	world->plan.poll_us = SIM_HOUR_US;
}

void
sim_forget_ahead(SimWorld *world)
{
	set_script(world, SIM_SCRIPT_AHEAD);
}

void
sim_forget_replier(SimWorld *world)
{
	set_script(world, SIM_SCRIPT_REPLIER);
	world->plan.liars = 1;
	world->plan.lie = SIM_LIE_SCRIPT;
}

void
sim_forget_at_border(SimWorld *world)
{
	set_script(world, SIM_SCRIPT_BORDER);
	sim_change_members(world);
	world->plan.epochs = 1;
}

void
sim_forget_late(SimWorld *world)
{
	set_script(world, SIM_SCRIPT_LATE);
}

void
sim_forget_many(SimWorld *world)
{
	world->plan.script = SIM_SCRIPT_MANY;
}

void
sim_forget_fork(SimWorld *world)
{
	world->plan.script = SIM_SCRIPT_FORK;
	world->plan.forgetful = tl_consensus_quorum(world->plan.nodes, 3);
}

void
sim_forget_below(SimWorld *world)
{
	world->plan.script = SIM_SCRIPT_BELOW;
	world->plan.liars = 1;
	world->plan.lie = SIM_LIE_BELOW;
}
