/*-------------------------------------------------------------------------
 *
 * lanes.pml
 *	  One lane: cuts, a fork, bodies that must be fetched, little memory.
 *
 * Proves (rules R11, R12, P8; "Lanes" of src/consensus/README.md)
 *	  - the cuts of final blocks lie on one branch of the lane
 *	  - each batch of a final block is held by f + 1 honest members (S6)
 *	  - nobody is stuck: once the faults have stopped and nothing more can
 *		happen, everybody has handed over all final blocks, no proposal of an
 *		honest leader waits for votes, and the lane of an honest owner is in the
 *		ledger to its end; nor does anything go round in circles (the graph of
 *		states has no cycle)
 *
 * Four members.  By default the owner of the lane is the liar: two branches, A1
 * A2 and B1 B2, of which he shows each member's log either one, and sends
 * bodies to whom he likes; the three others are honest.  With HONEST_OWNER the
 * lane is A1 A2 A3, its owner is one of the three honest members, and bodies
 * may be lost on the way.
 *
 * Abstractions
 *	  - what the votes decide is voting.pml: here a block is final when the
 *		honest members that a quorum needs have voted for it, the next one builds
 *		on it, and a proposal can be given up
 *	  - the first proposals are a liar's, with any cut; after that, with the
 *		faults stopped, leaders are honest
 *	  - a body is a bit; ACK is seen at once
 *	  - a log is read as far as it goes, early or late; what can be fetched
 *		comes at once
 *	  - unasked, a member gets the bodies of both branches, of the one that its
 *		log shows, or none
 * Bounds: branches of A_LENGTH and B_LENGTH batches, SLOTS batches remembered
 * beyond the final cut, LIES_MAX proposals of liars.
 *
 * Mutations
 *	  ANY_CUT			the cut need not descend from the parent's (R11)
 *	  UNHELD			a vote without the bodies (R12)
 *	  NO_EVICTION		what a block orders takes nobody's place
 *	  FROM_OWNER		bodies are asked of the owner only
 *	  NO_READ_AGAIN		what found no place is not read once more
 *	  NO_ASKING			a lost body that no block names is not asked for (P8)
 * WITNESS asks for a member that hands over the branch that his log does not
 * show: it must be found.
 *
 *-------------------------------------------------------------------------
 */
#ifndef SLOTS
#define SLOTS	2
#endif
#ifndef LIES_MAX
#define LIES_MAX	2
#endif
#ifdef HONEST_OWNER
#define A_LENGTH	3
#endif
#ifndef A_LENGTH
#define A_LENGTH	2
#endif
#ifndef B_LENGTH
#define B_LENGTH	2
#endif
#define NEED	2				/* honest votes in a certificate: q - f */
#define HOLDERS	2				/* f + 1 */

#define A1	1
#define A2	2
#define A3	3
#define B1	4
#define B2	5
#define BIT(b)		(1 << ((b) - 1))
/* A batch and all before it, as a set. */
#define PATH(b)		((b) == 0 -> 0 : ((b) == A1 -> 1 : ((b) == A2 -> 3 : \
					 ((b) == A3 -> 7 : ((b) == B1 -> 8 : 24)))))
#define NUMBER(b)	((b) > A3 -> (b) - A3 : (b))
#define DESCENDS(b, c)	((PATH(b) & PATH(c)) == PATH(c))
#define ON_WAY(c, b)	(PATH(b) & ~PATH(c))	/* from cut c to batch b */
#define SIZE(set)	(((set) & 1) + (((set) >> 1) & 1) + (((set) >> 2) & 1) + \
					 (((set) >> 3) & 1) + (((set) >> 4) & 1))

/* Memory of the core, and the disk, which keeps bodies. */
byte known[3];
byte wanted[3];					/* of those: a block that is known orders it */
byte stored[3];
byte cut[3];					/* of the last block handed over */
byte handed[3];
byte read[3];					/* rows of the lane's log that were read */
bool dropped[3];
bool shows_b[3];				/* the branch that the log shows */
byte made;						/* by an honest owner */

/* The chain: final cuts, and the proposal above them. */
byte final[6];
byte height;
byte proposed;					/* 0: none */
byte votes;
byte lies;
bool calm;

#ifdef HONEST_OWNER
#define OWNER	2
#define HAS_ROW(i)	(read[i] < made)
#else
#define OWNER	3
#define HAS_ROW(i)	(read[i] < (shows_b[i] -> B_LENGTH : A_LENGTH))
#endif
#define NEXT_ROW(i)	(shows_b[i] -> A3 + 1 + read[i] : 1 + read[i])

#ifdef HONEST_OWNER
#define EXIST			PATH(made)
#else
#define EXIST			31
#endif
#define HELD(i)			(known[i] & stored[i] & EXIST)
#define COMPLETE(i, b)	(DESCENDS(b, cut[i]) && (ON_WAY(cut[i], b) & ~HELD(i)) == 0)
#define FULL(i)			(SIZE(known[i]) >= SLOTS)

hidden byte last, batch, each;

#ifdef NO_EVICTION
#define EVICTS(is_wanted)	false
#else
#define EVICTS(is_wanted)	is_wanted
#endif

/*
 * Remember a batch; if there is no room, in the place of the highest that no
 * block is known to order, if that is higher or the new one is wanted.
 */
inline add(i, b, is_wanted)
{
	last = 0;
	if
	:: FULL(i) ->
		dropped[i] = true;
		batch = 1;
		do
		:: batch <= B2 ->
			if
			:: (known[i] & BIT(batch)) && !(wanted[i] & BIT(batch)) &&
				(last == 0 || NUMBER(batch) > NUMBER(last)) -> last = batch
			:: else
			fi;
			batch++
		:: else -> break
		od;
		if
		:: last != 0 && (EVICTS(is_wanted) || NUMBER(last) > NUMBER(b)) ->
			known[i] = (known[i] & ~BIT(last)) | BIT(b)
		:: else -> last = 255
		fi
	:: else -> known[i] = known[i] | BIT(b)
	fi;
	if
	:: is_wanted && last != 255 -> wanted[i] = wanted[i] | BIT(b)
	:: else
	fi;
	last = 0;
	batch = 0
}

/* All that the log has. */
inline read_log(i)
{
	d_step {
		i != OWNER && HAS_ROW(i) ->
		do
		:: HAS_ROW(i) ->
			if
			:: !(known[i] & BIT(NEXT_ROW(i))) && NUMBER(NEXT_ROW(i)) > NUMBER(cut[i]) ->
				add(i, NEXT_ROW(i), false)
			:: else
			fi;
			read[i]++
		:: else -> break
		od;
		last = 0
	}
}

#ifdef NO_READ_AGAIN
#define READS_AGAIN	false
#else
#define READS_AGAIN	true
#endif

inline read_again(i)
{
	d_step {
		dropped[i] && !FULL(i) && READS_AGAIN ->
		dropped[i] = false;
		read[i] = (read[i] < NUMBER(cut[i]) -> read[i] : NUMBER(cut[i]))
	}
}

/* An honest owner makes no batch when its lane is full. */
inline make_batch()
{
	d_step {
		OWNER == 2 && made < 3 && !FULL(2) ->
		made++;
		known[2] = known[2] | BIT(made);
		stored[2] = stored[2] | BIT(made);
		read[2] = made
	}
}

/* Bodies come with the rows to some; others are on their own. */
inline send(i)
{
	if
	:: skip
	:: stored[i] = (shows_b[i] -> 24 : 7)
	:: OWNER == 3 -> stored[i] = 31
	fi
}

#ifdef FROM_OWNER
#define SOURCE(i, b)	(OWNER == 2 && (stored[2] & EXIST & BIT(b)))
#else
#define SOURCE(i, b)	(((i != 0 -> stored[0] : 0) | (i != 1 -> stored[1] : 0) | \
						  (i != 2 -> stored[2] : 0)) & EXIST & BIT(b))
#endif

/* What stands between this member and the next block: its cut. */
#define NEXT_CUT(i)		(handed[i] < height -> final[handed[i] + 1] : proposed)

#define HIGHER(b)		(NUMBER(b) == 1 -> BIT(A2) + BIT(A3) + BIT(B2) : \
						 (NUMBER(b) == 2 -> BIT(A3) : 0))
#define OTHERS(i)		(known[i] & ~ON_WAY(cut[i], NEXT_CUT(i)))
#define HAS_ROOM(i, b)	((known[i] & BIT(b)) || !FULL(i) || \
						 (EVICTS(true) -> OTHERS(i) : OTHERS(i) & HIGHER(b)))
#define LACKS(i, b)		((ON_WAY(cut[i], NEXT_CUT(i)) & ~HELD(i) & BIT(b)) && \
						 SOURCE(i, b) && HAS_ROOM(i, b))
#define LACKS_ANY(i)	(LACKS(i, A1) || LACKS(i, A2) || LACKS(i, A3) || LACKS(i, B1) || LACKS(i, B2))

/*
 * The batches of a block's cut are asked for by digest, with their rows, from
 * the cut downwards.  Which block is in question decides what is wanted.
 */
inline fetch_named(i)
{
	d_step {
		NEXT_CUT(i) != 0 && DESCENDS(NEXT_CUT(i), cut[i]) && LACKS_ANY(i) ->
		wanted[i] = ON_WAY(cut[i], NEXT_CUT(i)) & known[i];
		each = B2;
		do
		:: each > 0 ->
			if
			:: LACKS(i, each) ->
				if
				:: !(known[i] & BIT(each)) -> add(i, each, true)
				:: else
				fi;
				stored[i] = stored[i] | BIT(each)
			:: else
			fi;
			each--
		:: else -> break
		od;
		each = 0
	}
}

#ifdef NO_ASKING
#define ASKS	false
#else
#define ASKS	true
#endif

#define ASKED(i, b)		((known[i] & ~stored[i] & BIT(b)) && SOURCE(i, b))

inline fetch_known(i)
{
	d_step {
		ASKS && (ASKED(i, A1) || ASKED(i, A2) || ASKED(i, A3) || ASKED(i, B1) || ASKED(i, B2)) ->
		each = B2;
		do
		:: each > 0 ->
			if
			:: ASKED(i, each) -> stored[i] = stored[i] | BIT(each)
			:: else
			fi;
			each--
		:: else -> break
		od;
		each = 0
	}
}

#ifdef ANY_CUT
#define FOLLOWS(i)	(proposed != final[height])
#define READY(i)	((PATH(proposed) & ~PATH(cut[i]) & ~HELD(i)) == 0)
#else
#define FOLLOWS(i)	(proposed != final[height] && DESCENDS(proposed, final[height]))
#define READY(i)	COMPLETE(i, proposed)
#endif
#ifdef UNHELD
#define CHECKED(i)	true
#else
#define CHECKED(i)	READY(i)
#endif

#define VOTES	((votes & 1) + ((votes >> 1) & 1) + ((votes >> 2) & 1))
#define STORE_COUNT(b)	(((stored[0] >> ((b) - 1)) & 1) + ((stored[1] >> ((b) - 1)) & 1) + \
						 ((stored[2] >> ((b) - 1)) & 1))

inline vote(i)
{
	d_step {
		proposed != 0 && !(votes & (1 << i)) && FOLLOWS(i) && CHECKED(i) ->
		votes = votes | (1 << i);
		if
		:: VOTES >= NEED ->
			assert(DESCENDS(proposed, final[height]));	/* one branch */
			batch = 1;
			do
			:: batch <= B2 ->
#ifndef UNHELD
				assert(!(ON_WAY(final[height], proposed) & BIT(batch)) ||
					   STORE_COUNT(batch) >= HOLDERS);
#endif
				batch++
			:: else -> break
			od;
			height++;
			final[height] = proposed;
			proposed = 0;
			votes = 0
		:: else
		fi;
		batch = 0
	}
}

inline hand_over(i)
{
	d_step {
		handed[i] < height && COMPLETE(i, final[handed[i] + 1]) ->
		handed[i]++;
		cut[i] = final[handed[i]];
#ifdef WITNESS
		assert(!(shows_b[i] && cut[i] == A2));
#endif
		wanted[i] = 0;
		batch = 1;
		do
		:: batch <= B2 ->
			if
			:: NUMBER(batch) <= NUMBER(cut[i]) -> known[i] = known[i] & ~BIT(batch)
			:: else
			fi;
			batch++
		:: else -> break
		od;
		batch = 0
	}
}

inline lie(b)
{
	d_step {
		!calm && lies < LIES_MAX && proposed == 0 && height < 5 ->
		lies++;
		proposed = b;
		votes = 0
	}
}

inline give_up()
{
	d_step {
		!calm && proposed != 0 -> proposed = 0; votes = 0
	}
}

inline become_calm()
{
	d_step {
		!calm -> calm = true; proposed = 0; votes = 0
	}
}

/* q hold it: the leader, the author, and one more of the honest. */
#define ACKED(i, j, k, b)	(COMPLETE(i, b) && (OWNER != 2 || b <= made) && \
							 (COMPLETE(j, b) || COMPLETE(k, b)))
#define BEST(i, j, k)	(ACKED(i, j, k, A3) -> A3 : (ACKED(i, j, k, A2) -> A2 : \
						 (ACKED(i, j, k, B2) -> B2 : (ACKED(i, j, k, A1) -> A1 : \
						  (ACKED(i, j, k, B1) -> B1 : 0)))))

inline propose(i, j, k)
{
	d_step {
		calm && proposed == 0 && handed[i] == height && height < 5 &&
		BEST(i, j, k) != 0 && BEST(i, j, k) != cut[i] ->
		proposed = BEST(i, j, k);
		votes = 0
	}
}

#ifdef HONEST_OWNER
#define LIES			:: lie(A1) :: lie(A2) :: lie(A3)
#define LANE_DONE		(final[height] == A3)
#else
#if A_LENGTH > 2
#define LIE_A3			:: lie(A3)
#else
#define LIE_A3
#endif
#if B_LENGTH > 1
#define LIE_B2			:: lie(B2)
#else
#define LIE_B2
#endif
#define LIES			:: lie(A1) :: lie(A2) LIE_A3 :: lie(B1) LIE_B2
#define LANE_DONE		true
#endif
#define MEMBER(i)		:: read_log(i) :: read_again(i) :: fetch_named(i) :: fetch_known(i) \
						:: vote(i) :: hand_over(i)

active proctype world()
{
#ifndef HONEST_OWNER
	/* How many logs show the other branch; the names of members do not matter. */
	if
	:: skip
	:: shows_b[2] = true
	:: shows_b[1] = true; shows_b[2] = true
	:: shows_b[0] = true; shows_b[1] = true; shows_b[2] = true
	fi;
#endif
	send(0);
	send(1);
#ifndef HONEST_OWNER
	send(2);
#endif
	do
	MEMBER(0)
	MEMBER(1)
	MEMBER(2)
	:: make_batch()
	LIES
	:: give_up()
	:: become_calm()
	:: propose(0, 1, 2) :: propose(1, 0, 2) :: propose(2, 0, 1)
	:: timeout ->
		/* Nothing more can happen. */
		assert(handed[0] == height && handed[1] == height && handed[2] == height);
		assert(proposed == 0);
		assert(LANE_DONE);
		break
	od
}
