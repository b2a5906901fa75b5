/*-------------------------------------------------------------------------
 *
 * quiescence.pml
 *	  Nobody sleeps while there is something to do: no lost wake-up.
 *
 * Proves (rules P2, P3, P5, P6, P7 of src/consensus/README.md)
 *	  - when nothing more can happen and no timer runs, every honest member has
 *		the same final tip, and what waited to be ordered is in it
 *	  - this comes: no execution goes on for ever (run as "ends"), and four
 *		views are enough
 *
 * Four members, one of them a liar.  One batch waits, which all hold.  The
 * liar leads view LIAR_LEADS, shows his proposal to some, and gives each of his
 * votes of the first EARLY views to nobody, to one member only, or to all; then
 * he is silent.  A timer of a view up to EARLY ends at any time; a later one
 * only when nothing else can happen: messages are faster than timers.
 *
 * Abstractions
 *	  - a row of an honest member is seen by all once it is written, and acted
 *		on at any time later, with all that was written until then, in one step
 *	  - one block a view (what two of them can do is voting.pml)
 *	  - half a timer and a whole one are two looks at it: relays come before
 *		NULLIFY; P4, P8, P9 and P10 are left out
 * Bounds: four views.
 *
 * Mutations
 *	  NO_RELAY_VIEW		no CERT rows at half of the timer (P6)
 *	  NO_RELAY_FINAL	no CERT row for who lacks the final tip (P7)
 *	  NO_WORK			a batch that waits is no work (P2)
 *	  NO_EMPTY			no block that orders nothing, to finish its parent (P5)
 * WITNESS asks for a tip that is final by a relayed certificate: it must be
 * found.
 *
 *-------------------------------------------------------------------------
 */
#define VIEWS	4
#ifndef EARLY
#define EARLY	2
#endif
#ifndef LIAR_LEADS
#define LIAR_LEADS	1
#endif
#define QUORUM	3
#define NONE	255

/* Kinds of votes. */
#define NOTARIZE	0
#define FINALIZE	1
#define NULLIFY		2
#define AT(k, v)	((k) * (VIEWS + 1) + (v))

byte cast[3 * (VIEWS + 1)];		/* honest members, a bit each */
byte lie[3 * (VIEWS + 1)];		/* the liar's: 0 nobody, 1 + i member i, 4 all */
bool relayed[3 * (VIEWS + 1)];	/* a CERT row, or a certificate in a proposal */
byte parent[VIEWS + 1] = NONE;	/* of the proposal of that view */
byte shown[VIEWS + 1];			/* to whom it was shown */
byte view[3] = 1;
bool relays[3];					/* has relayed in its current view */

/* What follows from these, worked out after each step. */
byte knows[3 * (VIEWS + 1)];	/* who knows such a certificate */
byte final[3];					/* the highest final view known */
byte base[3];					/* parent of a proposal in the current view */
bool works[3];

/* Three members in turn, and the liar in his view. */
#define LEADER(v)	((v) == LIAR_LEADS -> 3 : ((v) + (v > LIAR_LEADS -> 2 : 0)) % 3)

#define BIT(set, i)		(((set) >> (i)) & 1)
#define COUNT(set)		(BIT(set, 0) + BIT(set, 1) + BIT(set, 2))
#define TOLD(k, v, i)	(lie[AT(k, v)] == 4 || lie[AT(k, v)] == 1 + (i))
#define OWN(k, v, i)	BIT(cast[AT(k, v)], i)
#define KNOWS(k, v, i)	BIT(knows[AT(k, v)], i)
#define VOTED(v, i)		(OWN(NOTARIZE, v, i) || OWN(FINALIZE, v, i) || OWN(NULLIFY, v, i))

hidden byte m, k, n, others, top;

inline work_out()
{
	m = 0;
	do
	:: m < 3 ->
		final[m] = 0;
		n = 1;
		do
		:: n <= VIEWS ->
			k = 0;
			do
			:: k < 3 ->
				if
				:: relayed[AT(k, n)] || COUNT(cast[AT(k, n)]) + TOLD(k, n, m) >= QUORUM ->
					knows[AT(k, n)] = knows[AT(k, n)] | (1 << m)
				:: else
				fi;
				k++
			:: else -> break
			od;
			if
			:: KNOWS(FINALIZE, n, m) -> final[m] = n
			:: else
			fi;
			n++
		:: else -> break
		od;
		/* The highest notarized view below, all views in between nullified. */
		n = view[m] - 1;
		do
		:: n > 0 && !KNOWS(NOTARIZE, n, m) && !KNOWS(FINALIZE, n, m) &&
		   KNOWS(NULLIFY, n, m) -> n--
		:: else -> break
		od;
		base[m] = (n == 0 || KNOWS(NOTARIZE, n, m) || KNOWS(FINALIZE, n, m) -> n : NONE);
		/* P2. */
#ifdef NO_WORK
		works[m] = false;
#else
		works[m] = (final[m] == 0);
#endif
		others = 0;
		k = 0;
		do
		:: k < 3 ->
			n = (view[m] > VIEWS -> VIEWS + 1 : view[m]);
			do
			:: n <= VIEWS && !VOTED(n, k) -> n++
			:: else -> break
			od;
			others = others + (k != m && n <= VIEWS);
			k++
		:: else -> break
		od;
		if
		:: others >= 2 -> works[m] = true
		:: else
		fi;
		n = final[m] + 1;
		do
		:: n <= VIEWS ->
			if
			:: KNOWS(NOTARIZE, n, m) -> works[m] = true
			:: else
			fi;
			n++
		:: else -> break
		od;
		m++
	:: else -> break
	od;
	m = 0;
	k = 0;
	n = 0;
	others = 0
}

inline add(k_, v_, i_)
{
	cast[AT(k_, v_)] = cast[AT(k_, v_)] | (1 << i_)
}

#ifdef NO_EMPTY
#define MAY_BE_EMPTY(i, p)	false
#else
#define MAY_BE_EMPTY(i, p)	((p) > final[i])
#endif

#define CERTIFIED(v, i)		(KNOWS(NOTARIZE, v, i) || KNOWS(FINALIZE, v, i) || KNOWS(NULLIFY, v, i))
#define MAY_FINALIZE(i, v)	(KNOWS(NOTARIZE, v, i) && !OWN(FINALIZE, v, i) && !OWN(NULLIFY, v, i))
#define MAY_ENTER(i, v)		(view[i] <= (v) && CERTIFIED(v, i))
#define MAY_PROPOSE(i)		(view[i] <= VIEWS && LEADER(view[i]) == i && parent[view[i]] == NONE && \
							 !OWN(NOTARIZE, view[i], i) && base[i] != NONE && \
							 (base[i] == 0 || MAY_BE_EMPTY(i, base[i])))
#define MAY_NOTARIZE(i)		(view[i] <= VIEWS && BIT(shown[view[i]], i) && \
							 !OWN(NOTARIZE, view[i], i) && \
							 (parent[view[i]] == 0 || parent[view[i]] > final[i]))
#define MAY_NULLIFY(i)		(works[i] && view[i] <= VIEWS && !OWN(NULLIFY, view[i], i) && \
							 !OWN(FINALIZE, view[i], i))
#define SOME_LEFT(i)		(COUNT(cast[AT(NULLIFY, view[i])]) + TOLD(NULLIFY, view[i], i) >= 2)
#define ANY_VIEW(what, i)	(what(i, 1) || what(i, 2) || what(i, 3) || what(i, 4))
#define DUE(i)	(ANY_VIEW(MAY_FINALIZE, i) || ANY_VIEW(MAY_ENTER, i) || MAY_PROPOSE(i) || \
				 MAY_NOTARIZE(i) || (MAY_NULLIFY(i) && SOME_LEFT(i)))

/* The certificates in a proposal are then known to everybody. */
inline propose(i)
{
	parent[view[i]] = base[i];
	shown[view[i]] = 7;
	if
	:: base[i] > 0 && KNOWS(NOTARIZE, base[i], i) -> relayed[AT(NOTARIZE, base[i])] = true
	:: base[i] > 0 && !KNOWS(NOTARIZE, base[i], i) -> relayed[AT(FINALIZE, base[i])] = true
	:: else
	fi;
	n = base[i] + 1;
	do
	:: n < view[i] -> relayed[AT(NULLIFY, n)] = true; n++
	:: else -> break
	od;
	add(NOTARIZE, view[i], i)
}

inline settle(i, v)
{
	if
	:: MAY_FINALIZE(i, v) -> add(FINALIZE, v, i)
	:: else
	fi;
	if
	:: MAY_ENTER(i, v) -> view[i] = v + 1; relays[i] = false
	:: else
	fi
}

/* A step of the core: all that has become possible. */
inline step(i)
{
	d_step {
		DUE(i) ->
		do
		:: DUE(i) ->
			settle(i, 1);
			settle(i, 2);
			settle(i, 3);
			settle(i, 4);
			work_out();
			if
			:: MAY_PROPOSE(i) -> propose(i)
			:: else
			fi;
			if
			:: MAY_NOTARIZE(i) -> add(NOTARIZE, view[i], i)
			:: else
			fi;
			work_out();
			if
			:: MAY_NULLIFY(i) && SOME_LEFT(i) -> add(NULLIFY, view[i], i)
			:: else
			fi;
			work_out()
		:: else -> break
		od;
		m = 0
	}
}

/* Early, a timer may end at any time. */
inline early(i)
{
	d_step {
		MAY_NULLIFY(i) && view[i] <= EARLY -> add(NULLIFY, view[i], i); work_out()
	}
}

#ifdef NO_RELAY_VIEW
#define MAY_RELAY(i)	false
#else
#define MAY_RELAY(i)	(works[i] && !relays[i] && view[i] > 1)
#endif
#ifdef NO_RELAY_FINAL
#define MAY_RELAY_FINAL(i)	false
#else
#define BEHIND(i)	(final[0] < final[i] || final[1] < final[i] || final[2] < final[i])
#define MAY_RELAY_FINAL(i)	(final[i] > 0 && !relayed[AT(FINALIZE, final[i])] && BEHIND(i))
#endif

/* What happens when nothing else can: timers. */
inline relay_view(i)
{
	d_step {
		timeout && MAY_RELAY(i) ->
		relays[i] = true;
		n = view[i] - 1;
		do
		:: n > 0 ->
			if
			:: KNOWS(NULLIFY, n, i) -> relayed[AT(NULLIFY, n)] = true
			:: else
			fi;
			if
			:: KNOWS(FINALIZE, n, i) -> relayed[AT(FINALIZE, n)] = true; n = 0
			:: !KNOWS(FINALIZE, n, i) && KNOWS(NOTARIZE, n, i) ->
				relayed[AT(NOTARIZE, n)] = true; n = 0
			:: else -> n--
			fi
		:: else -> break
		od;
		work_out()
	}
}

inline relay_final(i)
{
	d_step {
		timeout && MAY_RELAY_FINAL(i) ->
		relayed[AT(FINALIZE, final[i])] = true;
		work_out();
#ifdef WITNESS
		assert(false)		/* relays the final tip */
#endif
	}
}

inline time_out(i)
{
	d_step {
		timeout && !MAY_RELAY(i) && MAY_NULLIFY(i) ->
		add(NULLIFY, view[i], i);
		work_out()
	}
}

/* The liar has made up his mind. */
inline tell(kind, v)
{
	if
	:: skip
	:: lie[AT(kind, v)] = 1
	:: lie[AT(kind, v)] = 2
	:: lie[AT(kind, v)] = 3
	:: lie[AT(kind, v)] = 4
	fi
}

inline lead()
{
#if LIAR_LEADS <= EARLY
	if
	:: skip
	:: parent[LIAR_LEADS] = 0; shown[LIAR_LEADS] = 1
	:: parent[LIAR_LEADS] = 0; shown[LIAR_LEADS] = 3
	:: parent[LIAR_LEADS] = 0; shown[LIAR_LEADS] = 7
	fi
#else
	skip
#endif
}

#define MEMBER(i)		:: step(i) :: early(i) :: relay_view(i) :: relay_final(i) :: time_out(i)
#define RESTS(i)		(!MAY_RELAY(i) && !MAY_RELAY_FINAL(i) && !MAY_NULLIFY(i))

active proctype world()
{
	atomic {
		lead();
		tell(NOTARIZE, 1);
		tell(FINALIZE, 1);
		tell(NULLIFY, 1);
#if EARLY > 1
		tell(NOTARIZE, 2);
		tell(FINALIZE, 2);
		tell(NULLIFY, 2);
#endif
		d_step { work_out(); m = 0 }
	}
	do
	MEMBER(0)
	MEMBER(1)
	MEMBER(2)
	:: timeout && RESTS(0) && RESTS(1) && RESTS(2) ->
		/* Nothing more can happen, and no timer runs. */
		assert(final[0] > 0 && final[1] > 0 && final[2] > 0);
		assert(final[0] == final[1] && final[1] == final[2]);
		break
	od
}
