/*-------------------------------------------------------------------------
 *
 * test_tl_status.c
 *	  The list of statuses: complete, unambiguous, in our class.
 *
 *-------------------------------------------------------------------------
 */
#include "tl_status.h"
#include "unit.h"

#include <string.h>

static void
every_status_is_named_once(void)
{
	for (int i = 0; i < TL_STATUS_COUNT; i++)
	{
		const char *state = tl_status_sqlstate(i);

		unit_context("status %d", i);
		UNIT_CHECK(strlen(state) == 5);
		UNIT_CHECK(strlen(tl_status_text(i)) > 0);
		UNIT_CHECK(i == TL_OK || strncmp(state, "TL", 2) == 0);
		for (int j = 0; j < i; j++)
		{
			UNIT_CHECK(strcmp(state, tl_status_sqlstate(j)) != 0);
			UNIT_CHECK(strcmp(tl_status_text(i), tl_status_text(j)) != 0);
		}
	}
}

/* Applications catch these; they must not move. */
static void
known_numbers_stay(void)
{
	UNIT_CHECK(strcmp(tl_status_sqlstate(TL_OK), "00000") == 0);
	UNIT_CHECK(strcmp(tl_status_sqlstate(TL_APPEND_ONLY), "TL001") == 0);
	UNIT_CHECK(strcmp(tl_status_sqlstate(TL_BAD_KEY), "TL013") == 0);
	UNIT_CHECK(strcmp(tl_status_sqlstate(TL_KEY_UNAVAILABLE), "TL022") == 0);
}

static void
unknown_status_is_a_bug(void)
{
	UNIT_CHECK(strcmp(tl_status_sqlstate(TL_STATUS_COUNT), "TL000") == 0);
	UNIT_CHECK(strcmp(tl_status_text((TlStatus) -1),
					  tl_status_text(TL_BUG)) == 0);
}

UNIT_MAIN(UNIT_CASE(every_status_is_named_once),
		  UNIT_CASE(known_numbers_stay),
		  UNIT_CASE(unknown_status_is_a_bug))
