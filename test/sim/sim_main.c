/*-------------------------------------------------------------------------
 *
 * sim_main.c
 *	  Runs of the simulator: one seed, a range, for some seconds, or by name.
 *
 *		sim SEED=n [STEPS=n] [NODES=n] [VIEWS=n] [COUNT=n] [SECONDS=n]
 *			[VERBOSE=1] [SAFETY=1] [LIARS=n] [DISKS=n] [PLAIN=1] [KEEP=1]
 *			[SCENARIO=name] [BENCH=1]
 *
 * NODES=0 lets the seed choose, VIEWS=0 as well.  SAFETY=1 does not ask for
 * liveness, PLAIN=1 leaves out the faults of sim_fault.c, KEEP=1 the disks that
 * forget.  With more LIARS than f the ledger may fork; then enough of them must stand convicted.  COUNT runs
 * follow each other with seeds from SEED on; SECONDS ends them early.
 * SCENARIO=list tells the names, SCENARIO=all runs each of them.  Exit status 1
 * and one line on failure.
 *
 *-------------------------------------------------------------------------
 */
#include "sim.h"

#include <malloc.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define STEPS_DEFAULT	3000
#define RUNS_YARDSTICK	1000	/* a minute: what a simulator should do at
								 * least */

typedef struct Done
{
	uint64_t	runs;
	uint64_t	events;
	uint64_t	core_steps;
	unsigned	forks;
	unsigned	seen[SIM_SEEN_KINDS];
} Done;

static const char *text(int count, char **arguments, const char *name);
static uint64_t argument(int count, char **arguments, const char *name,
						 uint64_t otherwise);
static int	by_name(SimWorld *wanted, const char *name, uint64_t count);
static void run_scenario(SimWorld *wanted, const SimScenario *scenario,
						 uint64_t count);
static void list_scenarios(void);
static double seconds_since(const struct timespec *begin);
static void one_run(const SimWorld *wanted, uint64_t seed, Done *done);

int
main(int count, char **arguments)
{
	static SimWorld wanted;
	const char *name = text(count, arguments, "SCENARIO");
	uint64_t	runs = argument(count, arguments, "COUNT", 0);
	double		seconds = (double) argument(count, arguments, "SECONDS", 0);
	struct timespec begin;
	Done		done = {0};

	/* Thousands of runs: memory that was used once is used again. */
	mallopt(M_MMAP_THRESHOLD, 1 << 30);
	mallopt(M_TRIM_THRESHOLD, 1 << 30);
	wanted.seed = argument(count, arguments, "SEED", 1);
	wanted.steps_max = argument(count, arguments, "STEPS", 0);
	wanted.command_nodes = (unsigned) argument(count, arguments, "NODES", 0);
	wanted.command_views = (unsigned) argument(count, arguments, "VIEWS", 0);
	wanted.command_disks = (unsigned) argument(count, arguments, "DISKS", 0);
	wanted.command_liars = (unsigned) argument(count, arguments, "LIARS", 0);
	wanted.safety_only = argument(count, arguments, "SAFETY", 0) != 0;
	wanted.verbose = argument(count, arguments, "VERBOSE", 0) != 0;
	wanted.keeps_memory = argument(count, arguments, "KEEP", 0) != 0;
	wanted.plain = argument(count, arguments, "PLAIN", 0) != 0;
	if (wanted.command_liars > 0 &&
		wanted.command_liars >= tl_consensus_quorum(wanted.command_nodes, 2))
	{
		fprintf(stderr, "LIARS must be fewer than a quorum of NODES\n");
		return 2;
	}
	if (wanted.command_nodes > SIM_NODES_MAX)
	{
		fprintf(stderr, "NODES is at most %d\n", SIM_NODES_MAX);
		return 2;
	}
	if (name != NULL && *name != '\0')
		return by_name(&wanted, name, runs);
	if (wanted.steps_max == 0)
		wanted.steps_max = STEPS_DEFAULT;
	clock_gettime(CLOCK_MONOTONIC, &begin);
	while (done.runs < (runs > 0 ? runs : 1) &&
		   (seconds == 0 || seconds_since(&begin) < seconds))
		one_run(&wanted, wanted.seed + done.runs, &done);
	seconds = seconds_since(&begin);
	if (argument(count, arguments, "BENCH", 0) != 0)
	{
		printf("simulator, runs a minute %33.0f %12u %7.2f\n",
			   (double) done.runs * 60 / seconds, RUNS_YARDSTICK,
			   (double) done.runs * 60 / seconds / RUNS_YARDSTICK);
		printf("simulator, steps of cores a second %23.0f\n",
			   (double) done.core_steps / seconds);
		return 0;
	}
	printf("ok       sim, seeds %llu to %llu: %llu events, %llu steps of cores, %.1f s (%.0f seeds a minute)\n",
		   (unsigned long long) wanted.seed,
		   (unsigned long long) (wanted.seed + done.runs - 1),
		   (unsigned long long) done.events,
		   (unsigned long long) done.core_steps, seconds,
		   (double) done.runs * 60 / (seconds + 1e-9));
	if (wanted.command_liars > 0)
		printf("         %u of them forked, with enough members convicted each time\n",
			   done.forks);
	return 0;
}

static int
by_name(SimWorld *wanted, const char *name, uint64_t count)
{
	const SimScenario *scenario = sim_scenario_find(name);
	unsigned	nodes = wanted->command_nodes;
	uint64_t	steps = wanted->steps_max;
	unsigned	number = 0;

	if (strcmp(name, "list") == 0)
	{
		list_scenarios();
		return 0;
	}
	if (strcmp(name, "all") == 0)
	{
		while ((scenario = sim_scenario_next(scenario)) != NULL)
		{
			wanted->command_nodes = nodes;
			wanted->steps_max = steps;
			run_scenario(wanted, scenario, count);
			number++;
		}
		printf("ok       sim, %u scenarios\n", number);
		return 0;
	}
	if (scenario == NULL)
	{
		fprintf(stderr, "there is no scenario %s; SCENARIO=list tells their names\n", name);
		return 2;
	}
	run_scenario(wanted, scenario, count);
	return 0;
}

/* With its own number of members, then with two and with three. */
static void
run_scenario(SimWorld *wanted, const SimScenario *scenario, uint64_t count)
{
	Done		done = {0};
	bool		sizes = (wanted->command_nodes == 0);

	wanted->scenario = scenario;
	if (wanted->steps_max == 0)
		wanted->steps_max = scenario->steps;
	for (uint64_t i = 0; i < (count > 0 ? count : scenario->count); i++)
		one_run(wanted, wanted->seed + i, &done);
	if (count == 0 && sizes && done.seen[scenario->witness] == 0)
	{
		fprintf(stderr, "FAILED  SCENARIO=%s: what it is about did not happen\n",
				scenario->name);
		exit(1);
	}
	for (unsigned nodes = 2; sizes && scenario->small && nodes <= 3; nodes++)
	{
		wanted->command_nodes = nodes;
		for (uint64_t i = 0; i < (count > 0 ? count : (scenario->count + 1) / 2); i++)
			one_run(wanted, wanted->seed + i, &done);
	}
	if (wanted->verbose)
		printf("ok       sim, %s: %llu runs, %llu events, seen %u times\n",
			   scenario->name, (unsigned long long) done.runs,
			   (unsigned long long) done.events, done.seen[scenario->witness]);
}

static void
list_scenarios(void)
{
	const SimScenario *scenario = NULL;

	while ((scenario = sim_scenario_next(scenario)) != NULL)
		printf("%-28s %s: %s\n", scenario->name, scenario->fault,
			   scenario->what);
}

static double
seconds_since(const struct timespec *begin)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (double) (now.tv_sec - begin->tv_sec) +
		(double) (now.tv_nsec - begin->tv_nsec) / 1e9;
}

static void
one_run(const SimWorld *wanted, uint64_t seed, Done *done)
{
	SimWorld   *world = malloc(sizeof(SimWorld));

	*world = *wanted;
	world->seed = seed;
	sim_world_make(world);
	sim_world_run(world);
	done->runs++;
	done->events += world->events_done;
	done->core_steps += world->core_steps;
	done->forks += world->forks;
	for (int i = 0; i < SIM_SEEN_KINDS; i++)
		done->seen[i] += world->seen[i];
	if (world->verbose)
		printf("seed %llu: %u members (%u liars, %u twins, %u silent), %u epochs, %u blocks, evidence %u %u %u %u %u %u %u, %lld ms, %llu events\n",
			   (unsigned long long) seed, world->member_count,
			   world->plan.liars, world->plan.twins, world->plan.silent,
			   world->epoch_count,
			   world->nodes[world->founder_count - 1].chain_count,
			   world->evidence[1], world->evidence[2], world->evidence[3],
			   world->evidence[4], world->evidence[5], world->evidence[6],
			   world->evidence[7],
			   (long long) (world->now_us / SIM_MS),
			   (unsigned long long) world->events_done);
	sim_world_free(world);
	free(world);
}

static const char *
text(int count, char **arguments, const char *name)
{
	size_t		size = strlen(name);

	for (int i = 1; i < count; i++)
	{
		if (strncmp(arguments[i], name, size) == 0 && arguments[i][size] == '=')
			return arguments[i] + size + 1;
	}
	return NULL;
}

static uint64_t
argument(int count, char **arguments, const char *name, uint64_t otherwise)
{
	const char *value = text(count, arguments, name);

	return (value != NULL) ? strtoull(value, NULL, 10) : otherwise;
}
