/*-------------------------------------------------------------------------
 *
 * sim_main.c
 *	  Runs of the simulator: one seed, a range, or for some seconds.
 *
 *		sim SEED=n [STEPS=n] [NODES=n] [VIEWS=n] [COUNT=n] [SECONDS=n]
 *			[VERBOSE=1] [SAFETY=1] [LIARS=n]
 *
 * NODES=0 lets the seed choose, VIEWS=0 as well.  SAFETY=1 does not ask for liveness.  With more LIARS than f the
 * ledger may fork; then enough of them must stand convicted.  COUNT runs follow each other with seeds from
 * SEED on; SECONDS ends them early.  Exit status 1 and one line on failure.
 *
 *-------------------------------------------------------------------------
 */
#include "sim.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

static uint64_t argument(int count, char **arguments, const char *name,
						 uint64_t otherwise);
static unsigned forks;			/* of all runs */

static void one_run(const SimWorld *wanted, uint64_t seed, uint64_t *events,
					uint64_t *core_steps);

int
main(int count, char **arguments)
{
	static SimWorld wanted;
	uint64_t	runs = argument(count, arguments, "COUNT", 1);
	uint64_t	seconds = argument(count, arguments, "SECONDS", 0);
	struct timespec begin;
	struct timespec now;
	uint64_t	events = 0;
	uint64_t	core_steps = 0;
	uint64_t	done = 0;

	wanted.seed = argument(count, arguments, "SEED", 1);
	wanted.steps_max = argument(count, arguments, "STEPS", 3000);
	wanted.command_nodes = (unsigned) argument(count, arguments, "NODES", 0);
	wanted.command_views = (unsigned) argument(count, arguments, "VIEWS", 0);
	wanted.command_liars = (unsigned) argument(count, arguments, "LIARS", 0);
	wanted.safety_only = argument(count, arguments, "SAFETY", 0) != 0;
	wanted.verbose = argument(count, arguments, "VERBOSE", 0) != 0;
	if (wanted.command_liars > 0 &&
		wanted.command_liars >= tl_consensus_quorum(wanted.command_nodes, 2))
	{
		fprintf(stderr, "LIARS must be fewer than a quorum of NODES\n");
		return 2;
	}
	if (wanted.command_nodes > 32)
	{
		fprintf(stderr, "at most 32 nodes\n");
		return 2;
	}
	clock_gettime(CLOCK_MONOTONIC, &begin);
	now = begin;
	while (done < runs &&
		   (seconds == 0 || (uint64_t) (now.tv_sec - begin.tv_sec) < seconds))
	{
		one_run(&wanted, wanted.seed + done, &events, &core_steps);
		done++;
		clock_gettime(CLOCK_MONOTONIC, &now);
	}
	printf("ok       sim, seeds %llu to %llu: %llu events, %llu steps of cores, %.1f s\n",
		   (unsigned long long) wanted.seed,
		   (unsigned long long) (wanted.seed + done - 1),
		   (unsigned long long) events, (unsigned long long) core_steps,
		   (double) (now.tv_sec - begin.tv_sec) +
		   (double) (now.tv_nsec - begin.tv_nsec) / 1e9);
	if (wanted.command_liars > 0)
		printf("         %u of them forked, with enough members convicted each time\n",
			   forks);
	return 0;
}

static void
one_run(const SimWorld *wanted, uint64_t seed, uint64_t *events,
		uint64_t *core_steps)
{
	SimWorld   *world = malloc(sizeof(SimWorld));

	*world = *wanted;
	world->seed = seed;
	sim_world_make(world);
	sim_world_run(world);
	*events += world->events_done;
	*core_steps += world->core_steps;
	forks += world->forks;
	if (world->verbose)
		printf("seed %llu: %u members (%u liars, %u twins, %u silent), %u blocks, evidence %u %u %u %u %u, %lld ms, %llu events\n",
			   (unsigned long long) seed, world->member_count,
			   world->plan.liars, world->plan.twins, world->plan.silent,
			   world->nodes[world->member_count - 1].chain_count,
			   world->evidence[1], world->evidence[2], world->evidence[3],
			   world->evidence[4], world->evidence[5],
			   (long long) (world->now_us / SIM_MS),
			   (unsigned long long) world->events_done);
	sim_world_free(world);
	free(world);
}

static uint64_t
argument(int count, char **arguments, const char *name, uint64_t otherwise)
{
	size_t		size = strlen(name);

	for (int i = 1; i < count; i++)
	{
		if (strncmp(arguments[i], name, size) == 0 && arguments[i][size] == '=')
			return strtoull(arguments[i] + size + 1, NULL, 10);
	}
	return otherwise;
}
