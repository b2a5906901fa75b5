/*-------------------------------------------------------------------------
 *
 * replication_gap.c
 *	  Which rows of a log no wire has any more.
 *
 * Wires drop old rows (replication_trim.c) and say in ledger_wire.forgotten up to which
 * row of a log.  Where the next row of a log is asked for in vain, what each wire shows
 * and says is noted.  A round is over when all of them have answered one about what
 * follows the same row; then the log may go on from place to place of those that any of
 * them has shown, as far as an honest one has dropped rows.  That is the (f + 1)-th
 * largest of what validators say, as f of them may lie; or as far as the author says, who
 * need not have shown them at all, and may be the only one who ever had them.
 *
 * A wire that does not answer may have the row, so it is waited for; but not for more
 * than AWAITED_MS altogether, until this process ends: or it could hold up for ever.
 *
 * Invariants
 *	  W11 a log goes on across a gap only if all wires of members have answered (but for
 *		  those that were waited for long enough) and none has shown a row within it, and
 *		  f + 1 validators say that they have dropped rows up to its end, or its author;
 *		  never before the first row of an incarnation
 *	  W12 what a round has said is forgotten when the log goes on in another way
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "port/pg_bswap.h"
#include "utils/memutils.h"
#include "utils/timestamp.h"

#include "replication_wire.h"
#include "tl_compat.h"

#define AWAITED_MS			120000
#define MISSED_MS_MAX		60000	/* that one question in vain may count */

static void begin(TlGap *gap, uint64_t base);
static bool is_whole(const TlWire *wire, const TlGapRound *round);
static void conclude(const TlWire *wire, TlGap *gap);
static uint64_t dropped(const TlWire *wire, const TlGap *gap);
static void miss(TlPeer *peer);
static int	member_place(const TlWire *wire, uint32_t member);

/* An answer about what follows that row of the author's log, whose source is given, is to be read. */
void
tl_replication_gap_begin(TlGap **gap, int author, uint64_t base)
{
	if (base == 0)
		return;
	if (*gap == NULL)
		*gap = MemoryContextAllocZero(TopMemoryContext, sizeof(TlGap));
	if ((*gap)->base != base)
		begin(*gap, base);
	(*gap)->author = author;
	(*gap)->shown = 0;
}

static void
begin(TlGap *gap, uint64_t base)
{
	memset(&gap->round, 0, sizeof(gap->round));
	gap->round.limit = PG_UINT64_MAX;
	gap->base = base;
	gap->in_vain = false;
}

/* It shows this row: a signed one of that log, which does not follow base. */
void
tl_replication_gap_show(TlGap *gap, uint64_t base, uint64_t sequence)
{
	TlGapRound *round;
	int			place;

	if (gap == NULL || gap->base != base || sequence <= base)
		return;
	round = &gap->round;
	gap->shown = Max(gap->shown, sequence);
	for (place = round->count; place > 0 && round->places[place - 1] >= sequence; place--)
		if (round->places[place - 1] == sequence)
			return;
	if (place < TL_GAP_PLACES_MAX)
	{
		int			moved = Min(round->count, TL_GAP_PLACES_MAX - 1) - place;

		memmove(&round->places[place + 1], &round->places[place], sizeof(uint64_t) * moved);
		round->places[place] = sequence;
	}
	/* the furthest has no place */
	if (round->count == TL_GAP_PLACES_MAX)
		round->limit = Min(round->limit, round->places[TL_GAP_PLACES_MAX - 1]);
	else
		round->count++;
}

/*
 * It is read: up to until all that this source has was asked for, and came, if not
 * cut; NULL: it could not be asked, or has not answered.  True if the round is over and
 * the log may go on.
 */
bool
tl_replication_gap_answer(TlWire *wire, TlGap *gap, uint64_t base, int source,
						  const TlGapAnswer *answer)
{
	TlGapRound *round;

	if (gap == NULL || gap->base != base)
		return false;
	round = &gap->round;
	if (answer == NULL && source >= 0 && round->count > 0)
		miss(&wire->peers[source]);
	if (answer != NULL)
	{
		round->answered[source + 1] = true;
		round->dropped[source + 1] = answer->dropped;
		round->limit = Min(round->limit, answer->until);
		if (answer->cut && gap->shown > 0)
			round->limit = Min(round->limit, gap->shown);
		if (source >= 0)
			wire->peers[source].missed_at = 0;
	}
	if (!is_whole(wire, round))
		return false;
	conclude(wire, gap);
	return gap->count > 0;
}

/* Has everybody answered who can be waited for? */
static bool
is_whole(const TlWire *wire, const TlGapRound *round)
{
	if (!round->answered[0] || wire->member_count == 0)
		return false;
	for (int i = 0; i < wire->peer_count; i++)
		if (!round->answered[i + 1] && wire->peers[i].missed_ms < AWAITED_MS &&
			member_place(wire, wire->peers[i].member) >= 0)
			return false;
	return true;
}

/* Places up to there, in this order, are where the log may go on. */
static void
conclude(const TlWire *wire, TlGap *gap)
{
	uint64_t	end = dropped(wire, gap);
	uint64_t	base = gap->base;

	gap->count = 0;
	gap->from = base;
	for (int i = 0; i < gap->round.count; i++)
		if (gap->round.places[i] <= Min(gap->round.limit, end + 1))
			gap->places[gap->count++] = gap->round.places[i];
	begin(gap, base);
	gap->in_vain = gap->count == 0;
}

/* Up to where an honest wire has dropped rows. */
static uint64_t
dropped(const TlWire *wire, const TlGap *gap)
{
	const TlGapRound *round = &gap->round;
	uint64_t	said[TL_GAP_SOURCES_MAX];
	unsigned	count = 0;

	for (int i = -1; i < wire->peer_count; i++)
	{
		int			member = i < 0 ? -1 : member_place(wire, wire->peers[i].member);
		unsigned	place = count;

		if (i >= 0 && (member < 0 || !wire->votes[member]))
			continue;
		for (; place > 0 && said[place - 1] < round->dropped[i + 1]; place--)
			said[place] = said[place - 1];
		said[place] = round->dropped[i + 1];
		count++;
	}
	return Max(round->dropped[gap->author + 1], count > wire->faults ? said[wire->faults] : 0);
}

/* How long it has not answered in a row counts for as long as this process lives. */
static void
miss(TlPeer *peer)
{
	TimestampTz now = GetCurrentTimestamp();

	if (peer->missed_at != 0)
		peer->missed_ms += Min(TimestampDifferenceMilliseconds(peer->missed_at, now), MISSED_MS_MAX);
	peer->missed_at = now;
}

/* Among the members of the epoch; -1: it is none. */
static int
member_place(const TlWire *wire, uint32_t member)
{
	for (unsigned i = 0; i < wire->member_count; i++)
		if (wire->members[i] == member)
			return (int) i;
	return -1;
}

/* May the log go on from that row with this one? */
bool
tl_replication_gap_passes(const TlGap *gap, uint64_t from, uint64_t to)
{
	bool		begun = gap != NULL && from == gap->from;

	for (int i = 0; gap != NULL && i < gap->count; i++)
	{
		if (gap->places[i] > from)
			return begun && gap->places[i] == to;
		begun |= gap->places[i] == from;
	}
	return false;
}

/* Its last row is that one now. */
void
tl_replication_gap_moved(TlGap *gap, uint64_t sequence)
{
	if (gap == NULL || gap->from == sequence)
		return;
	for (int i = 0; i < gap->count; i++)
		if (gap->places[i] == sequence)
			return;
	gap->count = 0;
}

/* Is there a row behind the gap, of which it is not known yet whether it may be next? */
bool
tl_replication_gap_waits(const TlGap *gap, uint64_t base)
{
	return gap != NULL && gap->base == base &&
		(gap->count > 0 || (gap->round.count > 0 && !gap->in_vain));
}

/* Up to where this wire has dropped rows of the log that it was asked for, as it says. */
uint64_t
tl_replication_gap_dropped(const PGresult *result, int column)
{
	uint64_t	sequence = 0;

	if (PQntuples(result) > 0 && !PQgetisnull(result, 0, column) &&
		PQgetlength(result, 0, column) == sizeof(sequence))
		memcpy(&sequence, PQgetvalue(result, 0, column), sizeof(sequence));
	return Min(pg_ntoh64(sequence), PG_INT64_MAX - 1);
}
