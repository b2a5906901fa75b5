/*-------------------------------------------------------------------------
 *
 * tap3gen.c
 *	  Writes a generated TAP file to standard output.
 *
 *		tap3gen --events 200000 --seed 7 --sender FRAF1 --recipient DEUD1 > CDFRAF1DEUD100001
 *
 *-------------------------------------------------------------------------
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tap3_generate.h"
#include "tap3_value.h"

static void usage(void);
static long long number_of(const char *text, long long min, long long max);

int
main(int argc, char **argv)
{
	static Tap3Header header;
	Tap3Generator generator = {
		.event_count = 1000, .seed = 1, .sequence_number = 1, .release = TAP3_RELEASE_MAX
	};
	const char *sender = "FRAF1";
	const char *recipient = "DEUD1";
	const char *day = "20250601";
	char		local[32];
	bool		indefinite = false;
	Tap3Plan	plan;
	Tap3Status	status;
	uint8_t    *file;
	size_t		size;

	for (int i = 1; i < argc; i++)
	{
		const char *value = (i + 1 < argc) ? argv[i + 1] : "";

		if (strcmp(argv[i], "--indefinite") == 0)
		{
			indefinite = true;
			continue;
		}
		if (strcmp(argv[i], "--test") == 0)
		{
			generator.test_file = true;
			continue;
		}
		if (strcmp(argv[i], "--events") == 0)
			generator.event_count = (uint32_t) number_of(value, 0, 10000000);
		else if (strcmp(argv[i], "--seed") == 0)
			generator.seed = (uint64_t) number_of(value, 0, INT64_MAX);
		else if (strcmp(argv[i], "--sequence") == 0)
			generator.sequence_number = (int32_t) number_of(value, 1, TAP3_SEQUENCE_MAX);
		else if (strcmp(argv[i], "--release") == 0)
			generator.release = (int32_t) number_of(value, TAP3_RELEASE_MIN, TAP3_RELEASE_MAX);
		else if (strcmp(argv[i], "--sender") == 0)
			sender = value;
		else if (strcmp(argv[i], "--recipient") == 0)
			recipient = value;
		else if (strcmp(argv[i], "--day") == 0)
			day = value;
		else
			usage();
		i++;
	}
	generator.visited = tap3_network_by_tadig(sender);
	generator.home = tap3_network_by_tadig(recipient);
	snprintf(local, sizeof(local), "%.8s000000", day);
	if (generator.visited == NULL || generator.home == NULL || strlen(day) != 8 ||
		!tap3_value_time(&generator.day_seconds, local, "+0000"))
		usage();

	tap3_generate_header(&generator, &header);
	status = tap3_write_plan(&plan, &header, indefinite, tap3_generate_event, &generator,
							 generator.event_count);
	file = (status == TAP3_OK) ? malloc(plan.file_size) : NULL;
	if (file != NULL)
		status = tap3_write_file(&plan, file, plan.file_size, &size);
	if (file == NULL || status != TAP3_OK)
		fprintf(stderr, "tap3gen: %s\n",
				status != TAP3_OK ? tap3_status_text(status) : "out of memory");
	else if (fwrite(file, 1, size, stdout) == size && fflush(stdout) == 0)
		return 0;
	else
		fprintf(stderr, "tap3gen: cannot write: %s\n", strerror(errno));
	return 1;
}

static void
usage(void)
{
	unsigned	count;
	const Tap3Network *networks = tap3_networks(&count);

	fprintf(stderr, "usage: tap3gen [--events N] [--seed N] [--sender TADIG] [--recipient TADIG]\n"
			"               [--sequence N] [--day CCYYMMDD] [--release 9..12] [--indefinite] [--test]\n"
			"networks:");
	for (unsigned i = 0; i < count; i++)
		fprintf(stderr, " %s", networks[i].tadig);
	fprintf(stderr, "\n");
	exit(2);
}

static long long
number_of(const char *text, long long min, long long max)
{
	char	   *end;
	long long	value;

	errno = 0;
	value = strtoll(text, &end, 10);
	if (errno != 0 || end == text || *end != '\0' || value < min || value > max)
		usage();
	return value;
}
