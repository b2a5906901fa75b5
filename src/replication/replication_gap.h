/*-------------------------------------------------------------------------
 *
 * replication_gap.h
 *	  Which rows of a log no wire has any more.
 *
 *-------------------------------------------------------------------------
 */
#ifndef REPLICATION_GAP_H
#define REPLICATION_GAP_H

#include "replication_connection.h"
#include "tl_limits.h"

struct TlWire;

#define TL_GAP_SOURCES_MAX		(TL_MEMBER_COUNT_MAX + 1)
#define TL_GAP_PLACES_MAX		512 /* more than one answer has */

/* What wires have answered about the rows behind one (replication_gap.c). */
typedef struct TlGapRound
{
	/* by number of the source and one */
	bool		answered[TL_GAP_SOURCES_MAX];
	uint64_t	dropped[TL_GAP_SOURCES_MAX];	/* rows up to here, as it says */
	TimestampTz missed_at[TL_GAP_SOURCES_MAX];	/* it was last asked in vain; 0: was not */
	bool		again;			/* all were asked, and not all have answered */

	uint64_t	limit;			/* up to here everything was shown */
	int			count;
	uint64_t	places[TL_GAP_PLACES_MAX];	/* that were shown; ascending */
} TlGapRound;

typedef struct TlGap
{
	int			author;			/* the source that is his wire */
	uint64_t	base;			/* that row */
	bool		shows;			/* there is a place in the answer that is read */
	TlGapRound	round;			/* that is under way */
	bool		in_vain;		/* the one before has let nothing pass */
	uint64_t	gone;			/* up to here rows were dropped, as a round has said */

	/* what the last whole one lets pass: from there on, place by place */
	uint64_t	from;
	int			count;
	uint64_t	places[TL_GAP_PLACES_MAX];
} TlGap;

/* What a source has answered. */
typedef struct TlGapAnswer
{
	uint64_t	dropped;
	uint64_t	until;			/* and shown all that it has up to here */
} TlGapAnswer;

extern void tl_replication_gap_begin(TlGap **gap, int author, uint64_t base);
extern void tl_replication_gap_show(TlGap *gap, uint64_t base, uint64_t sequence);
extern void tl_replication_gap_bound(TlGap *gap, uint64_t base, uint64_t sequence);
extern bool tl_replication_gap_continues(const TlGap *gap, uint64_t base, uint64_t sequence);
extern bool tl_replication_gap_answer(struct TlWire *wire, TlGap *gap, uint64_t base, int source,
									  const TlGapAnswer *answer);
extern bool tl_replication_gap_passes(const TlGap *gap, uint64_t from, uint64_t to);
extern void tl_replication_gap_moved(TlGap *gap, uint64_t sequence);
extern bool tl_replication_gap_waits(const TlGap *gap, uint64_t base);
extern void tl_replication_gap_turned(TlGap *gap, uint64_t base);
extern bool tl_replication_gap_skips(const struct TlWire *wire, const TlGap *gap, uint64_t base,
									 int source);
extern bool tl_replication_gap_has_credit(const struct TlWire *wire, int source);
extern bool tl_replication_gap_is_prompt(const struct TlWire *wire, int source);
extern void tl_replication_gap_charge(struct TlWire *wire, int source, bool is_first);
extern void tl_replication_gap_charge_few(struct TlWire *wire, int source);
extern bool tl_replication_gap_is_cut(const PGresult *result);
extern bool tl_replication_gap_is_few(int64_t rows, size_t size);
extern bool tl_replication_gap_is_gone(const TlGap *gap, uint64_t sequence);
extern void tl_replication_gap_charge_page(struct TlWire *wire, int source);
extern void tl_replication_gap_regain(struct TlWire *wire, int source);
extern uint64_t tl_replication_gap_dropped(const PGresult *result, int column);

#endif							/* REPLICATION_GAP_H */
