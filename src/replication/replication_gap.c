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
 * A wire that does not answer may have the row, so it is waited for; but not for ever.
 * Each source has an account of time, CREDIT_MS at most.  Charged to it are what a question
 * that brings nothing takes, but for PROMPT_MS of the first of a turn; the time from when
 * a round has asked it in vain to when it does so again; and all of an answer with few rows
 * that others have dropped, and FEW_MS with it, as each of them begins the round anew; and
 * PADDED_MS for a full page of the own log that says little.  It regains one part in REGAINS
 * of the time as soon as it says where its logs end.  What this process has stood still is
 * charged to nobody.  Without credit it is not waited for, and not asked before
 * the others: only once a round was not over after all of them, or has let nothing pass.
 * Of the validators' wires q have to answer at any rate: as many as are there if
 * the ledger goes on.  So liars hold up what follows a gap by what is in their accounts, and
 * a second for each question.
 *
 * While this node is not yet a member, others may refuse it: nothing is charged then.  It
 * takes blocks meanwhile, and needs no rows of logs for them but by their digest.
 *
 * Invariants
 *	  W11 a log goes on across a gap only if the wires of all members who have not left
 *		  have answered, in full or as far as they were asked, but for those without credit,
 *		  and those of all but n - q of the epoch's validators who have not left; and none has
 *		  shown a row within it; and f + 1 validators say that they have dropped rows up to
 *		  its end, or its author; never before the first row of an incarnation, nor to a row
 *		  of an epoch that has not begun here
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

#define CREDIT_MS			120000
#define CHARGED_MS_MAX		240000	/* so a question that is begun with little credit is paid for */
#define PROMPT_MS			1000
#define FEW_MS				500
#define PADDED_MS			10000	/* for a page of the own log that says little */
#define CHARGE_MS_MAX		60000	/* at once, as this process may have stood still */
#define REGAINS				100

static void begin(TlGap *gap, uint64_t base);
static bool is_whole(const TlWire *wire, const TlGapRound *round);
static void conclude(const TlWire *wire, TlGap *gap);
static uint64_t dropped(const TlWire *wire, const TlGap *gap);
static void miss(const TlWire *wire, TlPeer *peer, TimestampTz *missed_at);
static void charge(const TlWire *wire, TlPeer *peer, TimestampTz since);
static void charge_more(const TlWire *wire, TlPeer *peer, int64_t ms);
static bool votes(const TlWire *wire, uint32_t member);

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
	(*gap)->shows = false;
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
	gap->shows = true;
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

/* Nothing behind that row can be next here, for now. */
void
tl_replication_gap_bound(TlGap *gap, uint64_t base, uint64_t sequence)
{
	if (gap != NULL && gap->base == base)
		gap->round.limit = Min(gap->round.limit, sequence);
}

/* This answer has ended with that row: is what this source has behind it of use? */
bool
tl_replication_gap_continues(const TlGap *gap, uint64_t base, uint64_t sequence)
{
	return gap != NULL && gap->base == base && gap->shows && sequence < gap->round.limit;
}

/*
 * It is read; NULL: it could not be asked, or has not answered.  True if the round is
 * over and the log may go on.
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
		miss(wire, &wire->peers[source], &round->missed_at[source + 1]);
	if (answer != NULL)
	{
		round->answered[source + 1] = true;
		round->dropped[source + 1] = answer->dropped;
		round->limit = Min(round->limit, answer->until);
		round->missed_at[source + 1] = 0;
		gap->gone = Max(gap->gone, dropped(wire, gap));
	}
	if (!is_whole(wire, round))
		return false;
	conclude(wire, gap);
	return gap->count > 0;
}

/* All sources have had their turn. */
void
tl_replication_gap_turned(TlGap *gap, uint64_t base)
{
	if (gap != NULL && gap->base == base)
		gap->round.again = true;
}

/* Has everybody answered who can be waited for, and who has to? */
static bool
is_whole(const TlWire *wire, const TlGapRound *round)
{
	bool		own = votes(wire, wire->member);
	unsigned	present = own ? 1 : 0;
	unsigned	answers = present;

	if (!round->answered[0] || wire->member_count == 0)
		return false;
	for (int i = 0; i < wire->peer_count; i++)
	{
		const TlPeer *peer = &wire->peers[i];

		if (peer->address[0] == '\0')
			continue;			/* he has left */
		if (!round->answered[i + 1] && tl_replication_gap_has_credit(wire, i))
			return false;
		if (votes(wire, peer->member))
		{
			present++;
			answers += round->answered[i + 1] ? 1 : 0;
		}
	}
	return answers + wire->absent >= present;
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
		unsigned	place = count;

		if (i >= 0 && !votes(wire, wire->peers[i].member))
			continue;
		for (; place > 0 && said[place - 1] < round->dropped[i + 1]; place--)
			said[place] = said[place - 1];
		said[place] = round->dropped[i + 1];
		count++;
	}
	return Max(round->dropped[gap->author + 1], count > wire->faults ? said[wire->faults] : 0);
}

static void
miss(const TlWire *wire, TlPeer *peer, TimestampTz *missed_at)
{
	if (*missed_at != 0)
		charge(wire, peer, *missed_at);
	*missed_at = GetCurrentTimestamp();
}

/* Has it answered the last question in the time that is free? */
bool
tl_replication_gap_is_prompt(const TlWire *wire, int source)
{
	return source < 0 ||
		GetCurrentTimestamp() <= TimestampTzPlusMilliseconds(wire->peers[source].wire.asked_at, PROMPT_MS);
}

/* The question that has ended just now has brought nothing; the first one has some time free. */
void
tl_replication_gap_charge(TlWire *wire, int source, bool is_first)
{
	TlPeer	   *peer;

	if (source < 0)
		return;
	peer = &wire->peers[source];
	charge(wire, peer, TimestampTzPlusMilliseconds(peer->wire.asked_at, is_first ? PROMPT_MS : 0));
}

/* Each moment once, however many logs wait. */
static void
charge(const TlWire *wire, TlPeer *peer, TimestampTz since)
{
	TimestampTz now = GetCurrentTimestamp();
	int64_t		ms;

	peer->charged_at = Min(peer->charged_at, now);	/* the clock was set back */
	since = Max(since, peer->charged_at);
	if (since >= now || !wire->belongs)
		return;
	ms = TimestampDifferenceMilliseconds(since, now) -
		TimestampDifferenceMilliseconds(Max(since, wire->stalled_from), Min(now, wire->stalled_until));
	charge_more(wire, peer, Min(ms, CHARGE_MS_MAX));
	peer->charged_at = now;
}

static void
charge_more(const TlWire *wire, TlPeer *peer, int64_t ms)
{
	if (wire->belongs)
		peer->charged_ms = Min(peer->charged_ms + ms, CHARGED_MS_MAX);
}

/* Had it more to show than one answer may have? */
bool
tl_replication_gap_is_cut(const PGresult *result)
{
	size_t		size = 0;

	for (int i = 0; i < PQntuples(result); i++)
		size += PQgetlength(result, i, 0);
	return PQntuples(result) >= TL_WIRE_ROWS_MAX || size >= TL_WIRE_BYTES_MAX;
}

/* Are they so few that a log behind a gap comes on too slowly by them? */
bool
tl_replication_gap_is_few(int64_t rows, size_t size)
{
	return rows < TL_WIRE_ROWS_MAX / 4 && size < TL_WIRE_BYTES_MAX / 4;
}

/* Have others dropped that row? */
bool
tl_replication_gap_is_gone(const TlGap *gap, uint64_t sequence)
{
	return gap != NULL && sequence <= gap->gone;
}

/* The answer has brought few rows, which others have dropped. */
void
tl_replication_gap_charge_few(TlWire *wire, int source)
{
	tl_replication_gap_charge(wire, source, false);
	if (source >= 0)
		charge_more(wire, &wire->peers[source], FEW_MS);
}

/* A page of the own log from there says little, so that many of them would be asked for. */
void
tl_replication_gap_charge_page(TlWire *wire, int source)
{
	if (source >= 0)
		charge_more(wire, &wire->peers[source], PADDED_MS);
}

/* It has answered something. */
void
tl_replication_gap_regain(TlWire *wire, int source)
{
	TlPeer	   *peer = &wire->peers[source];
	TimestampTz now = GetCurrentTimestamp();
	int64_t		gone_ms;

	peer->regained_at = Min(peer->regained_at, now);	/* the clock was set back */
	gone_ms = TimestampDifferenceMilliseconds(peer->regained_at, now);
	if (peer->regained_at != 0 && gone_ms < REGAINS)
		return;
	if (peer->regained_at != 0)
		peer->charged_ms = Max(peer->charged_ms - gone_ms / REGAINS, 0);
	peer->regained_at = now;
}

bool
tl_replication_gap_has_credit(const TlWire *wire, int source)
{
	return source < 0 || wire->peers[source].charged_ms < CREDIT_MS;
}

/* Is it not to be asked in this turn? */
bool
tl_replication_gap_skips(const TlWire *wire, const TlGap *gap, uint64_t base, int source)
{
	return gap != NULL && !tl_replication_gap_has_credit(wire, source) &&
		!(gap->base == base && (gap->in_vain || gap->round.again));
}

/* Is it a validator of the epoch? */
static bool
votes(const TlWire *wire, uint32_t member)
{
	for (unsigned i = 0; i < wire->member_count; i++)
		if (wire->members[i] == member)
			return wire->votes[i];
	return false;
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
