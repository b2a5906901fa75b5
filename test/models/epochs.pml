/*-------------------------------------------------------------------------
 *
 * epochs.pml
 *	  The border of an epoch: one founding block, and nothing final beyond it.
 *
 * Proves (S8; R22 and R23 of src/consensus/README.md)
 *	  - all who open the next epoch open it on the same block R, whether they
 *		saw R's own finalization or that of a carrier above it
 *	  - no block of the old epoch that has a height is final above R
 *
 * The votes are those of voting.pml, with the same abstractions.  A block is
 * plain, or completes a proposal that changes the set (R), or is a carrier;
 * which one follows from its chain, so the first voter fixes it with the
 * parent.  Two R of one height are two proposals, or one on two chains.
 * Bounds: N members, VIEWS views of the old epoch.
 *
 * Mutations
 *	  NO_BARRIER			a block with a height is voted for above R
 *	  OPEN_ON_NOTARIZED		the epoch opens on an R that is notarized only
 *	  CARRIER_COUNTS		a carrier that is final is handed over as a block
 * WITNESS_CARRIER asks for an R that only a carrier's finalization makes final:
 * it must be found.
 *
 *-------------------------------------------------------------------------
 */
#define EPOCHS
#define PLAIN	0
#define CHANGE	1
#define CARRIER	2

#ifdef NO_BARRIER
#define LEGAL(p, k)		((kind[p] == PLAIN) == (k != CARRIER) || (kind[p] != PLAIN && k == PLAIN))
#else
#define LEGAL(p, k)		((kind[p] == PLAIN) == (k != CARRIER))
#endif
#define SET_KIND(b, k)	kind[b] = k
#define SAME_KIND(b, k)	kind[b] == k
#define ON(i, v, p)		:: notarize(i, v, 1, p, PLAIN) :: notarize(i, v, 2, p, PLAIN) \
						:: notarize(i, v, 1, p, CHANGE) :: notarize(i, v, 2, p, CHANGE) \
						:: notarize(i, v, 1, p, CARRIER) :: notarize(i, v, 2, p, CARRIER)
#define CHECK_FINAL(b)	check_epoch(b)

/* Who opened the next epoch did so on this block; 0: nobody has. */
byte founding;

#include "votes.pml"

#ifdef CARRIER_COUNTS
#define HAS_HEIGHT(b)	true
#else
#define HAS_HEIGHT(b)	(kind[b] != CARRIER)
#endif
#ifdef OPEN_ON_NOTARIZED
#define OPENS(b)	NOTARIZED(b)
#else
#define OPENS(b)	FINAL(b)
#endif

/* After each FINALIZE; it stands for anybody who has seen enough of them. */
inline check_epoch(b)
{
	low = 1;
	do
	:: low < BLOCKS ->
		if
		:: OPENS(low) && kind[low] != PLAIN ->
			at = low;
			do
			:: kind[at] != CHANGE -> at = parent[at]
			:: else -> break
			od;
			assert(founding == 0 || founding == at);	/* two sets follow */
			founding = at;
#ifdef WITNESS_CARRIER
			assert(FINAL(at));
#endif
		:: else
		fi;
		/* A block with a height that is final: nothing above R. */
		if
		:: FINAL(low) && HAS_HEIGHT(low) ->
			at = parent[low];
			do
			:: at != 0 ->
				assert(kind[at] == PLAIN);		/* two blocks at one height */
				at = parent[at]
			:: else -> break
			od
		:: else
		fi;
		low++
	:: else -> break
	od;
	at = 0
}

active proctype world()
{
end:
	do
	MEMBERS
	od
}
