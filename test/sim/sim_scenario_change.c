/*-------------------------------------------------------------------------
 *
 * sim_scenario_change.c
 *	  Scenarios in which the members change: what each sets up.
 *
 *-------------------------------------------------------------------------
 */
#include "sim_scenario.h"

static void lie(SimWorld *world, SimLie lie);

/* Both motions of an epoch find their approvals at about the same time. */
void
sim_change_members(SimWorld *world)
{
	world->plan.epochs = 3;
	world->plan.joiners = 4;
}

void
sim_change_and_crash(SimWorld *world)
{
	sim_change_members(world);
	world->plan.crash_weight = 4;
	world->plan.loss_percent = 10;
}

void
sim_change_third(SimWorld *world)
{
	world->plan.epochs = 2;
	world->plan.joiners = 4;
	world->plan.third = true;
}

/* Each epoch may decide on a contract before it ends. */
void
sim_change_deploy(SimWorld *world)
{
	sim_change_members(world);
	world->plan.deploys = true;
	world->plan.approve_us = 20 * SIM_MS;
}

/* There are approvals to be made wrong, too. */
void
sim_change_malformed(SimWorld *world)
{
	sim_change_members(world);
	lie(world, SIM_LIE_MALFORMED);
}

/* All officers approve of both motions within moments of each other. */
void
sim_change_back_to_back(SimWorld *world)
{
	world->plan.epochs = 6;
	world->plan.joiners = 4;
	world->plan.approve_us = 20 * SIM_MS;
}

void
sim_change_at_view(SimWorld *world)
{
	sim_change_members(world);
	world->plan.approve_us = 20 * SIM_MS;
	world->plan.approve_view = 1 + (world->seed - 1) % 16;
}

/* Programs become newer when servers start. */
void
sim_change_versions(SimWorld *world)
{
	sim_change_members(world);
	world->plan.versions = 3;
	world->plan.crash_weight = 4;
}

void
sim_change_header(SimWorld *world)
{
	sim_change_back_to_back(world);
	lie(world, SIM_LIE_PROPOSAL);
	world->plan.twist = SIM_TWIST_MEMBERS;
	world->plan.to_all = true;
}

void
sim_change_one_finalize(SimWorld *world)
{
	sim_change_members(world);
	lie(world, SIM_LIE_ONE_FINALIZE);
	world->plan.spike_percent = 20;
}

void
sim_change_and_rejoin(SimWorld *world)
{
	sim_change_members(world);
	world->plan.forget = SIM_FORGET_ANY;
	world->plan.forget_weight = 16;
	world->plan.jitter_us = 60 * SIM_MS;
}

void
sim_change_wrong_key(SimWorld *world)
{
	sim_change_members(world);
	lie(world, SIM_LIE_KEY);
}

/* Somebody has the keys that others had before. */
void
sim_change_old_key(SimWorld *world)
{
	sim_change_members(world);
	world->plan.rekeys = true;
	world->plan.joiners = 0;
	lie(world, SIM_LIE_OLD_KEY);
}

static void
lie(SimWorld *world, SimLie lie)
{
	world->plan.liars = 1;
	world->plan.lie = lie;
}
