/*-------------------------------------------------------------------------
 *
 * rejoin.pml
 *	  Lost memory and the floor: nobody honest ever votes twice.
 *
 * Proves (rule R6; the floor that a rejoin sets)
 *	  - a member that forgot its votes, asked n - q + f + 1 others for their
 *		views and signs nothing at or below W + 1, W the highest of them, never
 *		contradicts a vote that it gave before: at most one NOTARIZE a view,
 *		never FINALIZE with NULLIFY
 *	  - the same for two losses one after the other, if a replier that has
 *		itself rejoined answers with its own floor when that is higher
 *	So every honest member keeps R2 to R4 over all its incarnations; what
 *	follows from that is voting.pml.
 *
 * Abstractions, each of which allows more than the protocol does
 *	  - f members lie: they vote for everything and their replies say view 0
 *		(a higher one needs a certificate and only raises the floor)
 *	  - parents are not looked at: any block may be voted for
 *	  - a vote may be counted by anybody or by nobody, at any time; a node may
 *		act on a certificate that exists, or never
 *	  - the views of two repliers are read at different moments
 *	  - who has lost its memory begins in view 1
 * Members are equal: member 0 is the first to lose its memory, member 1 or
 * again member 0 the second.  The second block of a view comes after the first.
 *
 * Bounds: N members, VIEWS views, LOSSES losses.  NOTARIZE_ONLY leaves FINALIZE
 * and NULLIFY out.
 *
 * Mutations
 *	  FLOOR=n			no vote at or below W + n (1 in the protocol)
 *	  NAIVE				the member goes on where its memory ends
 *	  REPLY_VIEW_ONLY	a replier's own floor is left out
 *	  REPLIES_SHORT		one reply less
 *	  REPLY_WHEN_DOWN	two at once, and who is inside rejoin replies
 * WITNESS asks for a member that forgot, rejoined and votes again: it must be
 * found.
 *
 *-------------------------------------------------------------------------
 */
#ifndef N
#define N	4
#endif
#ifndef VIEWS
#define VIEWS	3
#endif
#ifndef LOSSES
#define LOSSES	1
#endif
#ifndef FLOOR
#define FLOOR	1
#endif
#define F		((N - 1) / 3)
#define Q		((N + F) / 2 + 1)
#define HONEST	(N - F)
#define NEED	(Q - F)				/* honest votes in a certificate */
#define REPLIES	(N - Q + 1)			/* honest ones: n - q + f + 1 less f liars */
#ifdef REPLIES_SHORT
#define ENOUGH	(REPLIES - 1)
#else
#define ENOUGH	REPLIES
#endif

#define NEVER	(VIEWS + 9)			/* floor of who signs nothing */

/* What a member remembers, and what it ever signed: four bits a view. */
#define NOTARIZED_1	1
#define NOTARIZED_2	2
#define FINALIZED	4
#define NULLIFIED	8
short memory[HONEST];
short ever[HONEST];
byte view[HONEST] = 1;
byte floor[HONEST];

/* A member inside rejoin: who has replied, and the highest view among them. */
bool down[HONEST];
byte replied[HONEST];
byte highest[HONEST];
byte losses;

/* Distinct honest members that ever voted. */
byte notarize_count[2 * VIEWS + 1];
byte nullify_count[VIEWS + 1];

#define B(v, x)		(2 * (v) - 2 + (x))
#define BITS(of, v)	((of >> (4 * (v) - 4)) & 15)
#define NOTARIZED(b)	(notarize_count[b] >= NEED)
#define LEFT(v)		(NOTARIZED(B(v, 1)) || NOTARIZED(B(v, 2)) || nullify_count[v] >= NEED)

/* In its current view, above its floor. */
#define MAY_VOTE(i, v)	(view[i] == (v) && (v) > floor[i])

#ifdef REPLY_WHEN_DOWN
#define OTHERS_UP	true
#define REPLIES_NOW(j)	true
#else
#define OTHERS_UP	(!down[0] && !down[1])
#define REPLIES_NOW(j)	(!down[j])
#endif

hidden byte spare;

inline remember(i, v, what)
{
	memory[i] = memory[i] | (what << (4 * v - 4));
	ever[i] = ever[i] | (what << (4 * v - 4));
#ifdef WITNESS
	assert(!(losses > 0 && i == 0 && floor[0] > 0))
#endif
}

inline notarize(i, v, x)
{
	d_step {
		MAY_VOTE(i, v) && (BITS(memory[i], v) & 3) == 0 &&
		(x == 1 || notarize_count[B(v, 1)] > 0) ->
		assert((BITS(ever[i], v) & (3 - x)) == 0);		/* two NOTARIZE */
		if
		:: (BITS(ever[i], v) & x) == 0 -> notarize_count[B(v, x)]++
		:: else
		fi;
		remember(i, v, x)
	}
}

inline nullify(i, v)
{
	d_step {
		MAY_VOTE(i, v) && (BITS(memory[i], v) & (FINALIZED | NULLIFIED)) == 0 ->
		assert((BITS(ever[i], v) & FINALIZED) == 0);	/* after FINALIZE */
		if
		:: (BITS(ever[i], v) & NULLIFIED) == 0 -> nullify_count[v]++
		:: else
		fi;
		remember(i, v, NULLIFIED)
	}
}

/* Also for a view that was left. */
inline finalize(i, v)
{
	d_step {
		v > floor[i] && !down[i] && (NOTARIZED(B(v, 1)) || NOTARIZED(B(v, 2))) &&
		(BITS(memory[i], v) & (FINALIZED | NULLIFIED)) == 0 ->
		assert((BITS(ever[i], v) & NULLIFIED) == 0);	/* after NULLIFY */
		remember(i, v, FINALIZED)
	}
}

inline enter(i)
{
	d_step {
		!down[i] && view[i] <= VIEWS && LEFT(view[i]) ->
		view[i]++
	}
}

inline lose(i)
{
	d_step {
		losses < LOSSES && !down[i] && (i == 0 || losses > 0) && OTHERS_UP ->
		losses++;
		memory[i] = 0;
		view[i] = 1;
		highest[i] = 0;
		replied[i] = 0;
#ifdef NAIVE
		floor[i] = 0
#else
		floor[i] = NEVER;
		down[i] = true
#endif
	}
}

#define KNOWN_FLOOR(j)	(down[j] -> 0 : floor[j])

/* Member j says to i where it is. */
inline reply(i, j)
{
	d_step {
		down[i] && (replied[i] & (1 << j)) == 0 && REPLIES_NOW(j) ->
		replied[i] = replied[i] | (1 << j);
		if
		:: view[j] > highest[i] -> highest[i] = view[j]
		:: else
		fi;
#ifndef REPLY_VIEW_ONLY
		if
		:: KNOWN_FLOOR(j) > highest[i] -> highest[i] = KNOWN_FLOOR(j)
		:: else
		fi;
#endif
		spare = 0
	}
}

#define BIT(i, j)	((replied[i] >> (j)) & 1)
#if N - F > 3
#define REPLY_COUNT(i)	(BIT(i, 0) + BIT(i, 1) + BIT(i, 2) + BIT(i, 3))
#else
#define REPLY_COUNT(i)	(BIT(i, 0) + BIT(i, 1) + BIT(i, 2))
#endif

inline rejoin(i)
{
	d_step {
		down[i] && REPLY_COUNT(i) >= ENOUGH ->
		floor[i] = highest[i] + FLOOR;
		down[i] = false;
		highest[i] = 0;
		replied[i] = 0
	}
}

/* FINALIZE of who never forgets changes nothing for anybody. */
#ifdef NOTARIZE_ONLY
#define IN_VIEW(i, v)	:: notarize(i, v, 1) :: notarize(i, v, 2)
#else
#define IN_VIEW(i, v)	:: notarize(i, v, 1) :: notarize(i, v, 2) :: nullify(i, v)
#endif
#if VIEWS == 2
#define FINALIZES(i)	:: finalize(i, 1) :: finalize(i, 2)
#elif VIEWS == 3
#define FINALIZES(i)	:: finalize(i, 1) :: finalize(i, 2) :: finalize(i, 3)
#else
#define FINALIZES(i)	:: finalize(i, 1) :: finalize(i, 2) :: finalize(i, 3) :: finalize(i, 4)
#endif
#if VIEWS == 2
#define VOTES(i)	IN_VIEW(i, 1) IN_VIEW(i, 2)
#elif VIEWS == 3
#define VOTES(i)	IN_VIEW(i, 1) IN_VIEW(i, 2) IN_VIEW(i, 3)
#else
#define VOTES(i)	IN_VIEW(i, 1) IN_VIEW(i, 2) IN_VIEW(i, 3) IN_VIEW(i, 4)
#endif
#define MEMBER(i)	VOTES(i) :: enter(i)

active proctype world()
{
end:
	do
	MEMBER(0)
	MEMBER(1)
	MEMBER(2)
#ifndef NOTARIZE_ONLY
	FINALIZES(0)
#if LOSSES > 1
	FINALIZES(1)
#endif
#endif
	:: lose(0) :: rejoin(0) :: reply(0, 1) :: reply(0, 2)
#if LOSSES > 1
	:: lose(1) :: rejoin(1) :: reply(1, 0) :: reply(1, 2)
#endif
#if N - F > 3
	MEMBER(3)
	:: reply(0, 3)
#if LOSSES > 1
	:: reply(1, 3)
#endif
#endif
	od
}
