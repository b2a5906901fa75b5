/*-------------------------------------------------------------------------
 *
 * votes.pml
 *	  The votes of one epoch, for voting.pml and epochs.pml, which say what is
 *	  proved, what is left out, and what the switches mean.
 *
 *-------------------------------------------------------------------------
 */
#ifndef N
#define N	4
#endif
#ifndef VIEWS
#define VIEWS	2
#endif
#define F	((N - 1) / 3)
#ifndef LIARS
#define LIARS	F
#endif
#ifdef QUORUM_2F
#define Q	(2 * F + 1)
#endif
#ifndef Q
#define Q	((N + F) / 2 + 1)
#endif
#define HONEST	(N - LIARS)
#ifdef QUORUM_SHORT
#define NEED	(Q - 1 - LIARS)
#else
#define NEED	(Q - LIARS)
#endif

#define NONE	255
#define BLOCKS	(2 * VIEWS + 1)
#define B(v, x)	(2 * (v) - 2 + (x))		/* block x of view v; 0 is genesis */
#define VIEW_OF(b)	(((b) + 1) / 2)

/*
 * An honest member: five bits a view, and above them the current view less
 * one.  They only grow.
 */
int member[HONEST];
#define BITS(i, v)		(member[i] >> (5 * (v) - 5))
#define OWN_NOTARIZE(i, v)	(BITS(i, v) & 3)	/* the block, 0: none */
#define OWN_FINALIZE(i, v)	((BITS(i, v) >> 2) & 3)
#define OWN_NULLIFY(i, v)	((BITS(i, v) >> 4) & 1)
#define ADD(i, v, what)	member[i] = member[i] + ((what) << (5 * (v) - 5))
#define CURRENT_VIEW(i)	(1 + (member[i] >> (5 * VIEWS)))

/* Honest votes that exist, counted. */
byte notarize_count[BLOCKS];
byte finalize_count[BLOCKS];
byte nullify_count[VIEWS + 1];
byte parent[BLOCKS] = NONE;

/* What epochs.pml adds: kinds of blocks. */
#ifndef EPOCHS
#define LEGAL(p, k)		true
#define SET_KIND(b, k)	skip
#define SAME_KIND(b, k)	true
#define CHECK_FINAL(b)	skip
#define ON(i, v, p)		:: notarize(i, v, 1, p, 0) :: notarize(i, v, 2, p, 0)
#else
byte kind[BLOCKS];
#endif

#define FINAL(b)		(finalize_count[b] >= NEED)
#define NOTARIZED(b)	((b) == 0 || notarize_count[b] >= NEED || FINAL(b))
#define NULLIFIED(v)	(nullify_count[v] >= NEED)
#define LEFT(v)			(NOTARIZED(B(v, 1)) || NOTARIZED(B(v, 2)) || NULLIFIED(v))

#ifdef CURRENT
#define MAY_VOTE(i, v)	(CURRENT_VIEW(i) == (v))
#else
#define MAY_VOTE(i, v)	((v) == 1 || LEFT((v) - 1))
#endif
#ifdef NO_GAPS
#define GAPS(p, v)		true
#else
#define GAPS(p, v)		((VIEW_OF(p) + 1 >= (v) || NULLIFIED(VIEW_OF(p) + 1)) && \
						 (VIEW_OF(p) + 2 >= (v) || NULLIFIED(VIEW_OF(p) + 2)) && \
						 (VIEW_OF(p) + 3 >= (v) || NULLIFIED(VIEW_OF(p) + 3)))
#endif
#ifdef ANY_PARENT
#define PARENT(p)		true
#else
#define PARENT(p)		NOTARIZED(p)
#endif
#ifdef NOTARIZE_TWICE
#define FIRST_NOTARIZE(i, v, x)	((OWN_NOTARIZE(i, v) & (x)) == 0)
#else
#define FIRST_NOTARIZE(i, v, x)	(OWN_NOTARIZE(i, v) == 0)
#endif
#ifdef FINALIZE_LATE
#define MAY_FINALIZE(i, v)	(OWN_FINALIZE(i, v) == 0)
#else
#define MAY_FINALIZE(i, v)	(OWN_FINALIZE(i, v) == 0 && OWN_NULLIFY(i, v) == 0)
#endif
#ifdef NULLIFY_LATE
#define MAY_NULLIFY(i, v)	(OWN_NULLIFY(i, v) == 0)
#else
#define MAY_NULLIFY(i, v)	(OWN_NULLIFY(i, v) == 0 && OWN_FINALIZE(i, v) == 0)
#endif

/* Of equal members only the last one acts. */
#define ACTS(i)		((i) == HONEST - 1 || member[i] != member[(i) + 1])

hidden byte at, low, high;
hidden int other;

/* Member i has grown: put it back into its place. */
inline keep_order(i)
{
	at = i;
	do
	:: at < HONEST - 1 && member[at] > member[at + 1] ->
		other = member[at];
		member[at] = member[at + 1];
		member[at + 1] = other;
		at++
	:: else -> break
	od;
	at = 0
}

/* Any two final blocks: the later one descends from the earlier. */
inline check_chain()
{
	low = 1;
	do
	:: low < BLOCKS ->
		high = low + 1;
		do
		:: high < BLOCKS ->
			if
			:: FINAL(low) && FINAL(high) ->
				at = high;
				do
				:: VIEW_OF(at) > VIEW_OF(low) -> at = parent[at]
				:: else -> break
				od;
				assert(at == low)		/* a fork */
			:: else
			fi;
			high++
		:: else -> break
		od;
		low++
	:: else -> break
	od
}

inline check_view(v)
{
#ifndef FORK_ONLY
	assert(!(notarize_count[B(v, 1)] >= NEED && notarize_count[B(v, 2)] >= NEED));
	assert(!(NULLIFIED(v) && (FINAL(B(v, 1)) || FINAL(B(v, 2)))))
#else
	skip
#endif
}

/* Block x of view v on parent p, which its first voter fixes. */
inline notarize(i, v, x, p, k)
{
	d_step {
		ACTS(i) && MAY_VOTE(i, v) && FIRST_NOTARIZE(i, v, x) &&
		((parent[B(v, x)] == p && SAME_KIND(B(v, x), k)) ||
		 (parent[B(v, x)] == NONE && (x == 1 || parent[B(v, 1)] != NONE))) &&
		PARENT(p) && GAPS(p, v) && LEGAL(p, k) ->
		parent[B(v, x)] = p;
		SET_KIND(B(v, x), k);
		notarize_count[B(v, x)]++;
		ADD(i, v, x);
		check_view(v);
		keep_order(i)
	}
}

inline finalize(i, v, x)
{
	d_step {
		ACTS(i) && NOTARIZED(B(v, x)) && MAY_FINALIZE(i, v) ->
		finalize_count[B(v, x)]++;
		ADD(i, v, 4 * x);
		check_view(v);
		check_chain();
		CHECK_FINAL(B(v, x));
#ifdef WITNESS
		assert(!(v > 1 && FINAL(B(v, x)) && VIEW_OF(parent[B(v, x)]) < v - 1));
#endif
		keep_order(i)
	}
}

inline nullify(i, v)
{
	d_step {
		ACTS(i) && MAY_VOTE(i, v) && MAY_NULLIFY(i, v) ->
		nullify_count[v]++;
		ADD(i, v, 16);
		check_view(v);
		keep_order(i)
	}
}

inline enter(i)
{
	d_step {
		ACTS(i) && CURRENT_VIEW(i) <= VIEWS && LEFT(CURRENT_VIEW(i)) ->
		member[i] = member[i] + (1 << (5 * VIEWS));
		keep_order(i)
	}
}

#define IN_VIEW(i, v)	:: finalize(i, v, 1) :: finalize(i, v, 2) :: nullify(i, v)
#define IN_VIEW_1(i)	IN_VIEW(i, 1) ON(i, 1, 0)
#if VIEWS >= 2
#define IN_VIEW_2(i)	IN_VIEW(i, 2) ON(i, 2, 0) ON(i, 2, 1) ON(i, 2, 2)
#else
#define IN_VIEW_2(i)
#endif
#if VIEWS >= 3
#define IN_VIEW_3(i)	IN_VIEW(i, 3) ON(i, 3, 0) ON(i, 3, 1) ON(i, 3, 2) ON(i, 3, 3) ON(i, 3, 4)
#else
#define IN_VIEW_3(i)
#endif
#ifdef CURRENT
#define ENTER(i)	:: enter(i)
#else
#define ENTER(i)
#endif
#define MEMBER(i)	IN_VIEW_1(i) IN_VIEW_2(i) IN_VIEW_3(i) ENTER(i)

#if N - LIARS > 4
#define MEMBERS	MEMBER(0) MEMBER(1) MEMBER(2) MEMBER(3) MEMBER(4)
#elif N - LIARS > 3
#define MEMBERS	MEMBER(0) MEMBER(1) MEMBER(2) MEMBER(3)
#elif N - LIARS > 2
#define MEMBERS	MEMBER(0) MEMBER(1) MEMBER(2)
#else
#define MEMBERS	MEMBER(0) MEMBER(1)
#endif
