/*-------------------------------------------------------------------------
 *
 * sim_scenario_server.c
 *	  Scenarios of what goes wrong in a server: its disk, its clock, its slots, the
 *	  state that it computes.
 *
 *-------------------------------------------------------------------------
 */
#include "sim_scenario.h"

void
sim_server_full_disk(SimWorld *world)
{
	world->plan.disk_weight = 6;
}

void
sim_server_slow_disk(SimWorld *world)
{
	world->plan.slow_percent = 10;
}

void
sim_server_fsync(SimWorld *world)
{
	world->plan.fail_percent = 10;
}

void
sim_server_rolled_back(SimWorld *world)
{
	world->plan.fail_percent = 20;
	world->plan.commit_crash_percent = 20;
}

void
sim_server_diverged(SimWorld *world)
{
	world->plan.diverged = tl_consensus_faults(world->plan.nodes);
}

void
sim_server_diverged_more(SimWorld *world)
{
	world->plan.diverged = tl_consensus_faults(world->plan.nodes) + 1;
}

void
sim_server_diverged_half(SimWorld *world)
{
	world->plan.diverged = world->plan.nodes / 2;
}

void
sim_server_state_liar(SimWorld *world)
{
	world->plan.liars = 1;
	world->plan.checkpoint_interval = 2;
}

void
sim_server_clocks(SimWorld *world)
{
	world->plan.clock_weight = 8;
}

void
sim_server_slots(SimWorld *world)
{
	world->plan.slot_weight = 20;
}
