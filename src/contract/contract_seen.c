/*-------------------------------------------------------------------------
 *
 * contract_seen.c
 *	  Which own rows of shared tables a call sees.
 *
 * Those that the other members have: rows in a batch of a block up to the one
 * that is being applied, if they were not refused there.  Ordering runs ahead of
 * applying, so a batch may be in a block that is not applied yet.  Rows of the
 * same block are all there before its first call.
 *
 * Mostly no row was ever refused, and no own one came back after a restore.  That
 * is asked once for a call, and then a row costs no more than a look into what
 * chain_lookup.c keeps.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "utils/memutils.h"

#include "chain_foreign.h"
#include "chain_lookup.h"
#include "contract_seen.h"
#include "table_filter.h"
#include "table_issue.h"

static int64_t block = 0;		/* its height */
static bool asked = false;		/* the two below are known */
static bool any_back = false;	/* own rows that came back */
static bool any_refused = false;
static MemoryContext room = NULL;	/* of one question; goes with the call's */

static bool is_seen(const TlRefBytes *ref);

void
tl_contract_seen_begin(int64_t height)
{
	block = height;
	asked = false;
	room = AllocSetContextCreate(CurrentMemoryContext, "telco_ledger row of a call",
								 ALLOCSET_SMALL_SIZES);
	tl_table_filter_begin(is_seen);
}

void
tl_contract_seen_end(void)
{
	tl_table_filter_end();
}

static bool
is_seen(const TlRefBytes *ref)
{
	MemoryContext caller = MemoryContextSwitchTo(room);
	TlPlace		place;
	bool		result;

	if (!asked)
	{
		TlIdentity	identity;

		tl_table_identity(&identity);
		any_back = tl_chain_foreign_has_member(identity.member);
		any_refused = tl_chain_foreign_any_refused();
		asked = true;
	}
	result = (any_back ? tl_chain_foreign_first(ref, &place) : tl_chain_lookup(ref, &place)) &&
		place.height <= block;
	if (!any_back)
		place.batch = 0;		/* an own one has another number in the log */
	result = result && !(any_refused && tl_chain_foreign_is_refused(ref, &place));
	MemoryContextSwitchTo(caller);
	MemoryContextReset(room);
	return result;
}
