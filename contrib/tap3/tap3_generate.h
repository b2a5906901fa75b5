/*-------------------------------------------------------------------------
 *
 * tap3_generate.h
 *	  Valid TAP files of any size, for tests and demonstrations.
 *
 * The same configuration gives the same octets, on every machine: event
 * number n depends on the seed and n alone, and nothing is drawn from a clock.
 *
 * Pure code: no PostgreSQL, no allocation.
 *
 *-------------------------------------------------------------------------
 */
#ifndef TAP3_GENERATE_H
#define TAP3_GENERATE_H

#include "tap3_write.h"

typedef struct Tap3Network
{
	const char *tadig;
	const char *mcc;
	const char *mnc;
	const char *country_code;	/* E.164 */
	const char *currency;		/* ISO 4217 */
	const char *utc_offset;
} Tap3Network;

typedef struct Tap3Generator
{
	uint32_t	event_count;
	uint64_t	seed;
	const Tap3Network *visited; /* who sends the file */
	const Tap3Network *home;	/* whose subscribers roamed */
	int32_t		sequence_number;
	int32_t		release;
	bool		test_file;
	int64_t		day_seconds;	/* first second of the day, since 1970 UTC */
} Tap3Generator;

extern const Tap3Network *tap3_networks(unsigned *count);
extern const Tap3Network *tap3_network_by_tadig(const char *tadig);

extern void tap3_generate_header(const Tap3Generator *generator, Tap3Header *header);
extern Tap3Status tap3_generate_event(void *generator, uint32_t number, Tap3Event *event);

#endif							/* TAP3_GENERATE_H */
