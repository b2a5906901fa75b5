/*
 * fuzz_tap3.c
 *	  Any octets: the reader, the audit and the canonical form stay within
 *	  their memory and agree with one another on what is a sound file.
 */
#include <stdlib.h>
#include <string.h>

#include "tap3_audit.h"
#include "tap3_canonical.h"

static Tap3Audit audit;
static Tap3Batch batch;
static Tap3Event event;

int			LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	size_t		capacity = tap3_canonical_bound(size);
	uint8_t    *canonical = malloc(capacity);
	size_t		canonical_size;
	size_t		again_size;
	Tap3Error	error;
	Tap3Status	audited = tap3_audit_run(&audit, data, size, NULL, NULL, NULL);
	Tap3Status	rewritten = tap3_canonical(canonical, capacity, &canonical_size, data, size, &error);
	Tap3Status	status;
	uint32_t	events = 0;

	/* what the parser accepts is sound BER, and reads the same in canonical form */
	if (audited == TAP3_OK)
	{
		if (rewritten != TAP3_OK)
			abort();
		status = tap3_batch_open(&batch, canonical, canonical_size);
		while (status == TAP3_OK)
		{
			status = tap3_batch_next(&batch, &event);
			if (status == TAP3_OK)
				events++;
		}
		if (status != TAP3_END || events != audit.totals.event_count)
			abort();
	}
	/* and the canonical form is its own canonical form */
	if (rewritten == TAP3_OK)
	{
		uint8_t    *again = malloc(tap3_canonical_bound(canonical_size));

		if (tap3_canonical(again, tap3_canonical_bound(canonical_size), &again_size, canonical,
						   canonical_size, &error) != TAP3_OK ||
			again_size != canonical_size || memcmp(again, canonical, again_size) != 0)
			abort();
		free(again);
	}
	else if (rewritten == TAP3_BUFFER_FULL)
		abort();
	free(canonical);
	return 0;
}
