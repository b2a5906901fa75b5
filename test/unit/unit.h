/*-------------------------------------------------------------------------
 *
 * unit.h
 *	  A small harness for the tests of the pure floors.
 *
 * A test file defines its cases and ends with
 *
 *		UNIT_MAIN(UNIT_CASE(first_case), UNIT_CASE(second_case))
 *
 * A check that fails prints place, condition and the last unit_context, and
 * the program ends with status 1 after the other cases.  A program without a
 * single check fails as well.  Random numbers come from a seed that is printed
 * on failure; UNIT_SEED=n in the environment repeats a run.
 *
 *-------------------------------------------------------------------------
 */
#ifndef UNIT_H
#define UNIT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define UNIT_FIELDS_MAX		12		/* of a record in test/vectors */

typedef struct UnitCase
{
	const char *name;
	void		(*run) (void);
} UnitCase;

/* A record of a file in test/vectors: lines "name = value". */
typedef struct UnitRecord
{
	int			count;
	char	   *names[UNIT_FIELDS_MAX];
	char	   *values[UNIT_FIELDS_MAX];
} UnitRecord;

#define UNIT_CASE(name)		{#name, name}
#define UNIT_CHECK(condition) \
	unit_check((condition), #condition, __FILE__, __LINE__)
#define UNIT_MAIN(...) \
int \
main(void) \
{ \
	static const UnitCase cases[] = {__VA_ARGS__}; \
\
	return unit_run(__FILE__, cases, sizeof(cases) / sizeof(cases[0])); \
}

extern int	unit_run(const char *file, const UnitCase *cases, size_t count);
extern bool unit_check(bool passed, const char *condition, const char *file,
					   int line);
extern void unit_context(const char *format,...)
			__attribute__((format(printf, 1, 2)));

extern uint64_t unit_random(void);
extern void unit_random_bytes(void *data, size_t size);

/*
 * Call use for each record of test/vectors/name and return how many there
 * were.  The context names file and record.
 */
extern int	unit_vectors(const char *name, void (*use) (const UnitRecord *));
extern const char *unit_text(const UnitRecord *record, const char *name);
extern bool unit_has(const UnitRecord *record, const char *name);

/* Decode hexadecimal; exits if it is not that or longer than capacity. */
extern size_t unit_hex(void *out, size_t capacity, const char *text);
extern size_t unit_bytes(void *out, size_t capacity, const UnitRecord *record,
						 const char *name);

#endif							/* UNIT_H */
