/*-------------------------------------------------------------------------
 *
 * voting.pml
 *	  The votes of one epoch: any two final blocks lie on one chain.
 *
 * Proves (S1 to S4; rules R2, R3, R4, R8, R9, R16 of src/consensus/README.md)
 *	  - a view has at most one notarized block
 *	  - no view is both final and nullified
 *	  - any two final blocks lie on one chain
 *
 * Abstractions, each of which allows more than the protocol does
 *	  - LIARS members vote for everything: a certificate needs Q - LIARS honest
 *		votes.  Every leader lies: two blocks a view, on any legal parent
 *	  - a vote, once cast, may be counted by anybody or by nobody, at any time:
 *		that is delay, loss, reordering and partition
 *	  - a node may act on a certificate that exists, or never
 *	  - without CURRENT a node votes in any view that anybody can have entered,
 *		in any order; with CURRENT in its current view only, as R2 and R4 say
 *	  - honest members are equal, so their states are kept in order, and the
 *		second block of a view comes after the first
 *
 * Bounds: N members, VIEWS views; signatures are perfect.
 *
 * Mutations
 *	  QUORUM_SHORT		a quorum has one vote less (R16)
 *	  QUORUM_2F			a quorum is 2f + 1, which is too few for n = 6 (C4)
 *	  NO_GAPS			a proposal may skip views that nobody nullified (R9)
 *	  NULLIFY_LATE		NULLIFY after FINALIZE of the view (R4)
 *	  FINALIZE_LATE		FINALIZE after NULLIFY of the view (R3)
 *	  NOTARIZE_TWICE	NOTARIZE for both blocks of a view (R2)
 *	  ANY_PARENT		the parent needs no notarization (R8)
 * LIARS=n sets more liars than f.  WITNESS asks for a final block that skipped
 * a view: it must be found, or the proofs are about nothing.
 *
 *-------------------------------------------------------------------------
 */
#include "votes.pml"

active proctype world()
{
end:
	do
	MEMBERS
	od
}
