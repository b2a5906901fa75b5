/*-------------------------------------------------------------------------
 *
 * check.h
 *	  What the unit tests of tap3 share: a check that counts, and hex.
 *
 *-------------------------------------------------------------------------
 */
#ifndef TAP3_TEST_CHECK_H
#define TAP3_TEST_CHECK_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int	checks;
static int	failures;

#define CHECK(condition) \
	do \
	{ \
		checks++; \
		if (!(condition)) \
		{ \
			failures++; \
			fprintf(stderr, "%s:%d: %s\n", __FILE__, __LINE__, #condition); \
		} \
	} while (0)

/* Octets of a hex text with spaces, in memory of exactly their size. */
static inline unsigned char *
from_hex(const char *hex, size_t *size)
{
	unsigned char *out = malloc(strlen(hex) / 2 + 1);
	unsigned char *exact;
	unsigned	octet;

	*size = 0;
	while (*hex != '\0')
	{
		if (*hex == ' ')
		{
			hex++;
			continue;
		}
		if (sscanf(hex, "%2x", &octet) != 1)
			abort();
		out[(*size)++] = (unsigned char) octet;
		hex += 2;
	}
	exact = malloc(*size > 0 ? *size : 1);
	memcpy(exact, out, *size);
	free(out);
	return exact;
}

static inline int
finish(const char *name)
{
	printf("%s: %d checks, %d failed\n", name, checks, failures);
	return failures > 0 || checks == 0;
}

#endif							/* TAP3_TEST_CHECK_H */
