/*-------------------------------------------------------------------------
 *
 * epoch_rejoin.pml
 *	  A rejoin while the set of members changes.
 *
 * Proves
 *	  - a member of both sets that voted in the new epoch, lost its memory, knows
 *		of the old epoch only, and asks the members of the old epoch first, never
 *		gives a second vote in a view of the new epoch
 *	because of three rules: who is shown a block R that changes the set,
 *	notarized and not final, waits; once R is known to be final, all replies are
 *	thrown away and the members of the new set asked; and a floor is a pair of
 *	epoch and view, in the new epoch never below its first view.
 *
 * Four members in each set.  Old: A, B, C and a liar.  New: A, D, E and a liar:
 * all but A are others, which is the worst case, as those who know of R need
 * not be those who are asked again.  A is the one that forgets.  R is the only
 * block of the old epoch, in view 1; in each later view two blocks.
 *
 * Abstractions: as in rejoin.pml.  The liars vote for everything, and reply
 * with an old epoch and view 0.  NOTARIZE only in the new epoch.
 * Bounds: VIEWS views, the first of them that of R.
 *
 * Mutations
 *	  NO_WAIT			R is shown, notarized and not final, and A goes on
 *	  KEEP_REPLIES		R is final, and the replies of the old set count on
 *	  VIEW_ONLY			as NO_WAIT, with a floor that is a view without epoch
 *	  LAGGARDS			a member of the new set that is not yet in its epoch
 *						replies, and its view 0 is taken for the floor
 * WITNESS asks for a vote of A in the new epoch after its rejoin: it must be
 * found.
 *
 *-------------------------------------------------------------------------
 */
#ifndef VIEWS
#define VIEWS	5
#endif
#define NEED	2			/* honest votes in a certificate: q - f */
#define FIRST	2			/* view of the new epoch: R's and one */

#define A	0
#define B	1
#define C	2
#define D	3
#define E	4

/* The old epoch: R. */
bool notarized_r[5];
bool finalized_r[5];
#define R_NOTARIZED	(notarized_r[A] + notarized_r[B] + notarized_r[C] >= NEED)
byte finalize_r_count;			/* distinct members that ever did */
#define R_FINAL		(finalize_r_count >= NEED)
bool finalized_once;			/* A, before it forgot */

/* The new epoch. */
bool opened[5];					/* knows R to be final */
byte view[5] = FIRST;
byte own[VIEWS + 1];			/* A's NOTARIZE as it remembers it */
byte own_ever[VIEWS + 1];
byte voted[2 * (VIEWS + 1)];	/* honest members, by a bit, per view and block */
#define CAST(v, x)	voted[2 * (v) + (x) - 1]
#define MANY(set)	(((set) & 1) + (((set) >> 3) & 1) + (((set) >> 4) & 1) >= NEED)
#define LEFT(v)		(MANY(CAST(v, 1)) || MANY(CAST(v, 2)))

/* A's rejoin. */
bool lost;
bool asks_old;
bool asks_new;
byte replied;
byte highest;					/* of the replies of the set that is asked */
bool shown;						/* R, notarized and not final */
byte floor_epoch;
byte floor_view;
#define DOWN	(asks_old || asks_new)

hidden byte spare;

inline notarize_r(i)
{
	d_step {
		!notarized_r[i] && !(i == A && lost) -> notarized_r[i] = true
	}
}

/* Also seeing the notarization: who has seen it shows it. */
inline finalize_r(i)
{
	d_step {
		R_NOTARIZED && !finalized_r[i] && !(i == A && lost) ->
		finalized_r[i] = true;
		finalize_r_count++
	}
}

inline open_epoch(i)
{
	d_step {
		R_FINAL && !opened[i] && !(i == A && DOWN) -> opened[i] = true
	}
}

#ifdef VIEW_ONLY
#define ABOVE_FLOOR(v)	((v) > floor_view)
#else
#define ABOVE_FLOOR(v)	(floor_epoch == 1 || (v) > floor_view)
#endif

inline vote_a(v, x)
{
	d_step {
		opened[A] && !DOWN && view[A] == v && ABOVE_FLOOR(v) && own[v] == 0 &&
		(x == 1 || CAST(v, 1) != 0) ->
		assert(own_ever[v] == 0 || own_ever[v] == x);	/* a second vote */
#ifdef WITNESS
		assert(!lost);
#endif
		own[v] = x;
		own_ever[v] = x;
		CAST(v, x) = CAST(v, x) | 1
	}
}

inline vote(i, v, x)
{
	d_step {
		opened[i] && view[i] == v && ((CAST(v, 1) | CAST(v, 2)) & (1 << i)) == 0 &&
		(x == 1 || CAST(v, 1) != 0) ->
		CAST(v, x) = CAST(v, x) | (1 << i)
	}
}

inline enter(i)
{
	d_step {
		opened[i] && !(i == A && DOWN) && view[i] < VIEWS && LEFT(view[i]) ->
		view[i]++
	}
}

/* The worst copy: from before R. */
inline lose()
{
	d_step {
		!lost ->
		lost = true;
		asks_old = true;
		opened[A] = false;
		view[A] = FIRST;
		spare = 0;
		do
		:: spare <= VIEWS -> own[spare] = 0; spare++
		:: else -> break
		od;
		spare = 0
	}
}

/* A member of the old set that has opened the new epoch says so. */
inline reply_old(j)
{
	d_step {
		asks_old && (replied & (1 << j)) == 0 && !opened[j] ->
		replied = replied | (1 << j);
		if
		:: finalized_r[j] -> shown = true; highest = FIRST
		:: else -> highest = (highest > 1 -> highest : 1)
		fi
	}
}

/* R is final, whoever tells it. */
inline learn()
{
	d_step {
		asks_old && R_FINAL ->
		asks_old = false;
#ifdef KEEP_REPLIES
		floor_epoch = 2;
		floor_view = highest + 1;
		replied = 0;
		shown = false;
		highest = 0
#else
		asks_new = true;
		replied = 0;
		shown = false;
		highest = FIRST
#endif
	}
}

#ifdef LAGGARDS
#define IN_EPOCH(j)		true
#define VIEW_THERE(j)	(opened[j] -> view[j] : 0)
#define LEAST			0
#else
#define IN_EPOCH(j)		opened[j]
#define VIEW_THERE(j)	view[j]
#define LEAST			FIRST
#endif

inline reply_new(j)
{
	d_step {
		asks_new && (replied & (1 << j)) == 0 && IN_EPOCH(j) ->
		if
		:: replied == 0 -> highest = LEAST
		:: else
		fi;
		replied = replied | (1 << j);
		if
		:: VIEW_THERE(j) > highest -> highest = VIEW_THERE(j)
		:: else
		fi;
		spare = 0
	}
}

#if defined(NO_WAIT) || defined(VIEW_ONLY)
#define MAY_GO_ON	true
#else
#define MAY_GO_ON	(!shown)
#endif

inline rejoin_old()
{
	d_step {
		asks_old && replied == (1 << B) + (1 << C) && MAY_GO_ON ->
		asks_old = false;
		floor_epoch = 1;
		floor_view = highest + 1;
		replied = 0;
		shown = false;
		highest = 0
	}
}

inline rejoin_new()
{
	d_step {
		asks_new && replied == (1 << D) + (1 << E) ->
		asks_new = false;
		floor_epoch = 2;
		floor_view = highest + 1;
		replied = 0;
		highest = 0
	}
}

#define OLD(i)		:: notarize_r(i) :: finalize_r(i)
#if VIEWS > 4
#define EACH(what, i)	:: what(i, 2, 1) :: what(i, 2, 2) :: what(i, 3, 1) \
						:: what(i, 3, 2) :: what(i, 4, 1) :: what(i, 4, 2) \
						:: what(i, 5, 1) :: what(i, 5, 2)
#define EACH_A			:: vote_a(2, 1) :: vote_a(2, 2) :: vote_a(3, 1) :: vote_a(3, 2) \
						:: vote_a(4, 1) :: vote_a(4, 2) :: vote_a(5, 1) :: vote_a(5, 2)
#else
#define EACH(what, i)	:: what(i, 2, 1) :: what(i, 2, 2) :: what(i, 3, 1) \
						:: what(i, 3, 2) :: what(i, 4, 1) :: what(i, 4, 2)
#define EACH_A			:: vote_a(2, 1) :: vote_a(2, 2) :: vote_a(3, 1) :: vote_a(3, 2) \
						:: vote_a(4, 1) :: vote_a(4, 2)
#endif

active proctype world()
{
end:
	do
	OLD(A) OLD(B) OLD(C)
	:: open_epoch(A) :: open_epoch(B) :: open_epoch(C)
	:: open_epoch(D) :: open_epoch(E)
	EACH_A
	EACH(vote, D)
	EACH(vote, E)
	:: enter(A) :: enter(D) :: enter(E)
	:: lose()
	:: reply_old(B) :: reply_old(C) :: learn() :: rejoin_old()
	:: reply_new(D) :: reply_new(E) :: rejoin_new()
	od
}
