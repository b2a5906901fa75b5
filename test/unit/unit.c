/*-------------------------------------------------------------------------
 *
 * unit.c
 *	  A small harness for the tests of the pure floors (see unit.h).
 *
 *-------------------------------------------------------------------------
 */
#include "unit.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define VECTOR_FOLDER	"../vectors/"
#define LINE_SIZE_MAX	65536
#define FAILURES_SHOWN_MAX	20

static uint64_t checks;
static uint64_t failures;
static char context[256];
static uint64_t seed;
static uint64_t random_state;

static char *trim(char *text);
static void record_clear(UnitRecord *record);
static void record_add(UnitRecord *record, char *line);
static void die(const char *format,...) __attribute__((format(printf, 1, 2), noreturn));

int
unit_run(const char *file, const UnitCase *cases, size_t count)
{
	const char *text = getenv("UNIT_SEED");

	seed = (text != NULL) ? strtoull(text, NULL, 0) : 1;
	for (size_t i = 0; i < count; i++)
	{
		uint64_t	failures_before = failures;
		uint64_t	checks_before = checks;

		random_state = seed;
		context[0] = '\0';
		cases[i].run();
		if (checks == checks_before)
		{
			printf("%s: %s checks nothing\n", file, cases[i].name);
			failures++;
		}
		if (failures != failures_before)
			printf("%s: %s FAILED, UNIT_SEED=%llu repeats it\n", file,
				   cases[i].name, (unsigned long long) seed);
	}
	printf("%-8s %s (%zu cases, %llu checks)\n",
		   failures == 0 ? "ok" : "FAILED", file, count,
		   (unsigned long long) checks);
	return failures == 0 ? 0 : 1;
}

bool
unit_check(bool passed, const char *condition, const char *file, int line)
{
	checks++;
	if (!passed && failures++ < FAILURES_SHOWN_MAX)
		printf("%s:%d: %s: not true: %s\n", file, line, context, condition);
	return passed;
}

void
unit_context(const char *format,...)
{
	va_list		arguments;

	va_start(arguments, format);
	vsnprintf(context, sizeof(context), format, arguments);
	va_end(arguments);
}

/* SplitMix64: any seed is good, and the same on every machine. */
uint64_t
unit_random(void)
{
	uint64_t	value = (random_state += UINT64_C(0x9e3779b97f4a7c15));

	value = (value ^ (value >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
	value = (value ^ (value >> 27)) * UINT64_C(0x94d049bb133111eb);
	return value ^ (value >> 31);
}

void
unit_random_bytes(void *data, size_t size)
{
	for (size_t i = 0; i < size; i++)
		((uint8_t *) data)[i] = (uint8_t) unit_random();
}

int
unit_vectors(const char *name, void (*use) (const UnitRecord *))
{
	static char line[LINE_SIZE_MAX];
	char		path[256];
	FILE	   *file;
	UnitRecord	record = {0};
	int			count = 0;
	bool		more = true;

	snprintf(path, sizeof(path), "%s%s", VECTOR_FOLDER, name);
	file = fopen(path, "r");
	if (file == NULL)
		die("cannot open %s", path);
	while (more)
	{
		char	   *text = "";

		more = fgets(line, sizeof(line), file) != NULL;
		if (more)
			text = trim(line);
		if (*text == '#')
			continue;
		if (*text != '\0')
			record_add(&record, text);
		else if (record.count > 0)
		{
			unit_context("%s, record %d", name, ++count);
			use(&record);
			record_clear(&record);
		}
	}
	fclose(file);
	return count;
}

bool
unit_has(const UnitRecord *record, const char *name)
{
	for (int i = 0; i < record->count; i++)
	{
		if (strcmp(record->names[i], name) == 0)
			return true;
	}
	return false;
}

const char *
unit_text(const UnitRecord *record, const char *name)
{
	for (int i = 0; i < record->count; i++)
	{
		if (strcmp(record->names[i], name) == 0)
			return record->values[i];
	}
	die("%s: no field %s", context, name);
}

size_t
unit_hex(void *out, size_t capacity, const char *text)
{
	size_t		size = strlen(text) / 2;

	if (strlen(text) % 2 != 0 || size > capacity ||
		strspn(text, "0123456789abcdef") != strlen(text))
		die("%s: no hexadecimal of at most %zu bytes: %s", context, capacity,
			text);
	for (size_t i = 0; i < size; i++)
	{
		char		digits[3] = {text[2 * i], text[2 * i + 1], '\0'};

		((uint8_t *) out)[i] = (uint8_t) strtoul(digits, NULL, 16);
	}
	return size;
}

size_t
unit_bytes(void *out, size_t capacity, const UnitRecord *record,
		   const char *name)
{
	return unit_hex(out, capacity, unit_text(record, name));
}

/* Without blanks and line end on both sides. */
static char *
trim(char *text)
{
	size_t		size;

	text += strspn(text, " \t\r\n");
	size = strlen(text);
	while (size > 0 && strchr(" \t\r\n", text[size - 1]) != NULL)
		text[--size] = '\0';
	return text;
}

static void
record_clear(UnitRecord *record)
{
	for (int i = 0; i < record->count; i++)
		free(record->names[i]);
	record->count = 0;
}

/* One allocation holds the name and, behind it, the value. */
static void
record_add(UnitRecord *record, char *line)
{
	char	   *copy = strdup(line);
	char	   *sign = (copy != NULL) ? strchr(copy, '=') : NULL;

	if (sign == NULL || record->count == UNIT_FIELDS_MAX)
		die("bad line after %s: %s", context, line);
	*sign = '\0';
	record->names[record->count] = trim(copy);
	record->values[record->count] = trim(sign + 1);
	record->count++;
}

static void
die(const char *format,...)
{
	va_list		arguments;

	va_start(arguments, format);
	vfprintf(stderr, format, arguments);
	va_end(arguments);
	fputc('\n', stderr);
	exit(2);
}
