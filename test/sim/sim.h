/*-------------------------------------------------------------------------
 *
 * sim.h
 *	  A deterministic world for the core of consensus.
 *
 * One thread, one seed, virtual time.  Each node has a core (src/consensus), a
 * disk and an inbox; the network delays, loses, doubles and cuts.  After every
 * step the invariants are checked; a violation prints one line that repeats
 * the run and ends the program.
 *
 * Signatures are stand-ins (the digest beside the key): the core never checks
 * one itself, it is told verdicts.  Nobody here signs with another's key.
 *
 *-------------------------------------------------------------------------
 */
#ifndef SIM_H
#define SIM_H

#include "consensus_core.h"
#include "consensus_payload.h"

#include <stdio.h>

/*
 * A rule of src/consensus/README.md that the caller keeps as well.  A build with
 * -DTL_MUTANT=n forgets rule n here too (./mutants).
 */
#ifdef TL_MUTANT
#define SIM_FORGOTTEN(number)	((number) == (TL_MUTANT))
#else
#define SIM_FORGOTTEN(number)	false
#endif

#define SIM_NODES_MAX		64
#define SIM_EPOCHS_MAX		8
#define SIM_VIEWS_MAX		65536	/* of a run, for the checks */
#define SIM_MS				1000	/* of virtual time, in us */
#define SIM_BUCKETS			1024
#define SIM_CHUNKS_MAX		40	/* of a batch */
#define SIM_HOUR_US			(INT64_C(3600) * 1000 * SIM_MS)
#define SIM_FOREVER_US		INT64_C(1000000000000)
#define SIM_CLOCK_BASE_US	(INT64_C(1700000000) * 1000 * SIM_MS)

/* A row that exists in this world; immutable. */
typedef struct SimRow
{
	TlLogRow	row;
	TlHash		digest;
	TlHash		subject;		/* block or batch that it brings, if any */
	bool		forged;			/* by a thief, with a key that its author gave up */
	uint64_t	droppers;		/* nodes that had it, and need it no more */
	uint64_t	holders;		/* nodes whose disks have it */
	struct SimRow *next;		/* of all rows, newest first */
	struct SimRow *near;		/* likewise, of those in its bucket */
} SimRow;

/* One member's log as a disk has it. */
typedef struct SimLog
{
	SimRow	  **rows;
	unsigned	count;
	unsigned	capacity;
	bool		sparse;			/* rows were dropped, here or where it came from */
} SimLog;

typedef enum SimRole
{
	SIM_HONEST,
	SIM_TWIN,					/* unmodified, but two share one key */
	SIM_LIAR,					/* tells each peer another story */
	SIM_SILENT,					/* reads, and never sends */
	SIM_FORGETFUL				/* unmodified, and goes on from an old backup */
} SimRole;

/* Own memory. */
typedef struct SimBytes
{
	uint8_t    *bytes;
	size_t		size;
} SimBytes;

/* Lanes that have cost a view: sim_careful.c. */
typedef struct SimCareful
{
	uint64_t	view;			/* in which the core was, when it had settled */
	uint32_t	leader;			/* of it */
	uint64_t	missing;		/* lanes of its block whose bodies were not here, by bit */
	unsigned	blocks;			/* that were final then */
	unsigned	strikes[SIM_NODES_MAX]; /* views, since the final block with: */
	TlHash		final[SIM_NODES_MAX];	/* its place in the lane */
	int64_t		until_us[SIM_NODES_MAX];
} SimCareful;

typedef struct SimNode
{
	unsigned	id;
	uint32_t	number;
	SimRole		role;
	bool		up;
	bool		joined;			/* is there at all */
	unsigned	life;			/* counts restarts: old events find another */
	unsigned	protocol_max;	/* that its program knows */

	/* disk */
	SimLog		logs[SIM_NODES_MAX];	/* by member index */
	SimLog		loose;			/* fetched outside their logs */
	TlConsensusBlock *chain;	/* blocks handed over, from genesis */
	unsigned	chain_count;
	SimBytes   *certificates;	/* their own finalizations, where given */
	unsigned	chain_capacity;
	uint64_t	epoch;			/* of the core on top of them */
	TlStanding	standing;		/* of the last of them */
	uint8_t    *certificate;	/* likewise */
	size_t		certificate_size;
	TlHash	   *bodies;			/* batches whose bodies are here */
	unsigned	body_count;
	unsigned	body_capacity;
	SimRow	   *replies[SIM_NODES_MAX]; /* signed by this node, by asker */
	uint8_t		closed[SIM_NODES_MAX][TL_NONCE_SIZE];	/* incarnations ended
														 * by them */
	struct SimSummary *summaries;	/* of the logs, or NULL: sim_summary.c */
	unsigned	summary_blocks; /* when they were made, last */
	bool		rejoining;		/* under this nonce: */
	uint8_t		nonce[TL_NONCE_SIZE];
	uint64_t	request_epoch;	/* of the first REQUEST with it, plus one */

	/* beside the disk */
	struct SimBackup *backup;	/* an older state, or NULL */
	SimLog		wire;			/* own rows that have left */
	bool		forgot;			/* lost memory, and is not past its floor */
	bool		forgot_wire;	/* and only others can tell */
	unsigned	restored;		/* that backup, how often */
	unsigned	forgot_blocks;	/* final ones, at that time, of anybody */

	/* memory */
	void	   *memory;
	size_t		memory_size;
	TlConsensus *core;
	TlActions  *actions;
	bool		busy;			/* a transaction is being written */
	bool		asked;			/* to run, soon */
	SimLog		pending;		/* own rows of that transaction */
	unsigned	final_pending;	/* blocks of that transaction */
	TlStanding	standing_pending;	/* of the last of those */
	uint64_t	epoch_pending;
	unsigned	read[SIM_NODES_MAX];	/* rows given to the core, per log */
	unsigned	safe[SIM_NODES_MAX];	/* of those, durable */
	SimLog		inbox;			/* loose rows for the core */
	SimLog		again;			/* BATCH rows that it asked to see again */
	SimLog		answers;		/* REPLY rows of that transaction */
	bool		own_returned;	/* all of the own log came from others */
	const SimRow *refused;		/* own row beyond what its core remembers (R5) */
	bool		cut;			/* the own log, after the row of: */
	TlHash		cut_after;
	struct SimEvent *mail;		/* what others answered or ask */
	unsigned	mail_count;
	unsigned	mail_capacity;
	TlHash	   *held;			/* news for the core */
	unsigned	held_count;
	unsigned	held_capacity;
	int64_t		wake_us;
	int64_t		clock_skew_us;
	int64_t		frozen_us;		/* what a clock that stands shows, or 0 */
	int64_t		disk_full_until_us;
	bool		clock_wrong;	/* jumped or stands */
	bool		wants_batch;
	bool		wants_approval;
	const SimRow *clash[2];		/* a contradiction met while busy: the stored row,
								 * and the one that came */

	unsigned	stated;			/* height whose state the core was told, last */
	unsigned	begun;			/* blocks, when its core began, 0: seen to */
	uint64_t	decided_epoch;	/* a block that decides a motion is handed over, */
	uint64_t	decided_view;	/* in that view, 0: none */
	uint64_t	tips;			/* peers that told their last final block */
	uint64_t	offers;			/* peers that show final blocks */
	bool		took;			/* some of them, in this turn */
	bool		waits;			/* a row lies beyond what its core remembers, */
	int64_t		stuck_us;		/* and no block has been final since then */
	unsigned	due_told;		/* blocks, when it was told what is due, last */
	int64_t		applied_us;		/* when all blocks will be applied (sim_busy.c) */
	bool		told_busy;
	int64_t		rests_us;		/* when it comes again, as it is not busy then */

	/* what the checks remember */
	SimCareful	careful;
	uint64_t	doubled_epoch;	/* in which it saw two copies of a member */
	unsigned   *doubled[SIM_NODES_MAX]; /* rows read by then, per log, or NULL */
	uint64_t	voted_epoch;
	uint64_t	voted_view;
	uint64_t	lane_head;		/* own batches made, durable */
	TlHash		lane_digest;
	unsigned	fetches;
	TlState		checkpoint;		/* newest stable one that it was told of */
	uint64_t	acked[SIM_NODES_MAX];	/* heights that members' ACKs show its core */
	int64_t		heard_us[SIM_NODES_MAX];	/* when it took their last rows */
	int64_t		owes_us[SIM_NODES_MAX]; /* since when members owe it a row, 0: they do not */
	uint64_t	pruned;			/* rows up to that block may go */
	uint64_t	to_drop;		/* and do so, with this transaction; 0: none */
	uint64_t	stated_row;		/* highest own STATE row */
	uint64_t	stated_epoch;	/* of it */
	uint64_t	halted_at;		/* its state is not the certified one */
	uint64_t	split_at;		/* no quorum agrees on a state */

	/* a liar's stories, by target, and the lane that it floods */
	SimLog		stories[SIM_NODES_MAX];
	uint64_t	twisted_view;
	uint64_t	twisted_to;		/* targets that were told another proposal */
	TlHash		twisted[SIM_NODES_MAX];
	uint64_t	flood_head;
	TlHash		flood_digest;
} SimNode;

typedef enum SimEventKind
{
	SIM_RUN = 1,				/* node works off its inbox */
	SIM_COMMIT,					/* its transaction is durable */
	SIM_ARRIVE,					/* a row of its author's log reaches a node */
	SIM_LOOSE,					/* a fetched row reaches a node */
	SIM_BODY,					/* a batch's body reaches a node */
	SIM_POLL,					/* node looks at a peer's wire */
	SIM_TIMER,
	SIM_BATCH,					/* the application at a node commits rows */
	SIM_CRASH,
	SIM_RESTART,
	SIM_CUT,					/* links change */
	SIM_CATCH_UP,
	SIM_GOVERN,					/* a member's officer approves of a motion */
	SIM_JOIN,					/* a new member copies the chain of another */
	SIM_LINK,					/* one of a swizzle is cut, or whole again */
	SIM_SLOT,					/* a peer drops another's slot, or makes it */
	SIM_HOLD,					/* a member's messages are kept for hours */
	SIM_SCRIPT_STEP,			/* a script looks at where everybody is */
	SIM_CLOCK,					/* a clock jumps, stands, or is set right */
	SIM_DISK,					/* a disk is full for a while */
	SIM_FORGET,					/* a disk is lost, restored, or copied */
	SIM_REJOIN,					/* the operator lets a node rejoin */
	SIM_TIP,					/* answer to a question for the last block */
	SIM_LAST_SEEN,				/* answer to LAST_SEEN: row, or none */
	SIM_REQUEST,
	SIM_REPLY
} SimEventKind;

/* What links can look like; 0 leaves the choice to chance. */
typedef enum SimShape
{
	SIM_SHAPE_ANY,
	SIM_SHAPE_SPLIT,
	SIM_SHAPE_BRIDGE,
	SIM_SHAPE_EDGES,			/* single ones, in one direction */
	SIM_SHAPE_ONE,				/* another node off each time */
	SIM_SHAPE_ASYMMETRIC,
	SIM_SHAPE_SWIZZLE
} SimShape;

/* What a liar does; 0 leaves the choice to chance. */
typedef enum SimLie
{
	SIM_LIE_ANY,
	SIM_LIE_PROPOSAL,			/* twisted proposals, honest votes */
	SIM_LIE_SOME,				/* proposals to some only */
	SIM_LIE_TURN,				/* proposals when others lead */
	SIM_LIE_WITHHOLD,			/* few votes, to few */
	SIM_LIE_LATE,				/* everything when the timers end */
	SIM_LIE_ONE_FINALIZE,		/* FINALIZE to one member only, no CERT */
	SIM_LIE_ONE_NOTARIZE,		/* NOTARIZE to one member only, no CERT */
	SIM_LIE_BUT_ONE,			/* FINALIZE to all but one, no CERT */
	SIM_LIE_OTHER_VOTE,			/* one member is shown another vote first */
	SIM_LIE_FLOOD,				/* a lane without end */
	SIM_LIE_BODIES,				/* bodies to one member only */
	SIM_LIE_EVIDENCE,			/* accuses everybody, with forged rows */
	SIM_LIE_FORK,				/* all liars together: a block for each half */
	SIM_LIE_BELOW,				/* rejoins, and votes in views that it may not */
	SIM_LIE_SCRIPT,				/* as sim_script.c says */
	SIM_LIE_NUMBER,				/* batches of an incarnation that is none */
	SIM_LIE_KEY,				/* approves with its row key */
	SIM_LIE_MALFORMED,			/* rows whose payload is none of their kind */
	SIM_LIE_NO_BODIES,			/* bodies to other liars only */
	SIM_LIE_OLD_KEY				/* has keys that others gave up, and uses them */
} SimLie;

/* What is wrong with a proposal, one thing at a time. */
typedef enum SimTwist
{
	SIM_TWIST_TIME,				/* nothing: a second one, a microsecond later */
	SIM_TWIST_NO_PARENT,
	SIM_TWIST_NO_GAP,
	SIM_TWIST_GRANDPARENT,
	SIM_TWIST_HISTORY,
	SIM_TWIST_CUT_BACK,
	SIM_TWIST_CUT_UNKNOWN,
	SIM_TWIST_BATCH_ROOT,
	SIM_TWIST_FUTURE,
	SIM_TWIST_FORGED,
	SIM_TWIST_SHORT,
	SIM_TWIST_ENTRY_AGAIN,		/* a row that was ordered before */
	SIM_TWIST_ENTRY_KIND,
	SIM_TWIST_ENTRY_UNKNOWN,	/* a row that nobody has */
	SIM_TWIST_PAST,				/* three days ago, or as late as the parent */
	SIM_TWIST_GIANT,			/* everything that there is, beyond the limit */
	SIM_TWIST_HEIGHT,
	SIM_TWIST_MEMBERS,
	SIM_TWIST_CHECKPOINT,
	SIM_TWISTS,
	SIM_TWIST_ANY = SIM_TWISTS,
	/* not by chance, so that older seeds keep their story */
	SIM_TWIST_REPEATED,			/* one vote twice in the certificate */
	SIM_TWIST_BESIDE			/* one more than are needed, and it is forged */
} SimTwist;

/* What a disk forgets; 0 leaves the choice to chance. */
typedef enum SimForget
{
	SIM_FORGET_ANY,
	SIM_FORGET_ALL,				/* it is gone */
	SIM_FORGET_DATABASE,		/* a backup; the wire is still there */
	SIM_FORGET_BOTH,			/* a backup of both */
	SIM_FORGET_COPY				/* nothing: a copy begins to live beside it */
} SimForget;

/* What no chance would find, step by step: sim_script.c. */
typedef enum SimScriptKind
{
	SIM_SCRIPT_NONE,
	SIM_SCRIPT_AHEAD,			/* one is ahead of all, votes, and forgets */
	SIM_SCRIPT_REPLIER,			/* so does another, who is asked afterwards */
	SIM_SCRIPT_MANY,			/* f + 1 forget at once */
	SIM_SCRIPT_FORK,			/* a quorum does, and does not know it */
	SIM_SCRIPT_BORDER,			/* one alone is in the next epoch, and forgets */
	SIM_SCRIPT_LATE,			/* what one sent comes when it has forgotten */
	SIM_SCRIPT_BELOW			/* a liar rejoins */
} SimScriptKind;

/* What happened in a run: a scenario in which nothing did shows nothing. */
typedef enum SimSeen
{
	SIM_SEEN_CUT,				/* messages that a cut link swallowed */
	SIM_SEEN_CRASH,
	SIM_SEEN_LOST,				/* transactions that failed or were lost */
	SIM_SEEN_SLOT,				/* rows that a dropped slot did not bring */
	SIM_SEEN_BURST,				/* messages after an hour or more */
	SIM_SEEN_CLOCK,
	SIM_SEEN_TWIST,				/* proposals that were changed */
	SIM_SEEN_LIE,				/* votes and rows left out, late or other */
	SIM_SEEN_FLOOD,
	SIM_SEEN_EVIDENCE,
	SIM_SEEN_FORGED,			/* accusations that were refused */
	SIM_SEEN_FORK,
	SIM_SEEN_HALT,				/* ends of faults without a block after the
								 * first */
	SIM_SEEN_IDLE,				/* hours between two batches */
	SIM_SEEN_CATCH_UP,			/* final blocks that were taken */
	SIM_SEEN_FALSE_OFFER,		/* a liar's */
	SIM_SEEN_NULLIFIED,			/* views */
	SIM_SEEN_LARGE,				/* batches beside which no other fits */
	SIM_SEEN_BLOCK,
	SIM_SEEN_EPOCH,				/* changes of the members that were decided */
	SIM_SEEN_JOIN,
	SIM_SEEN_LEAVE,

	SIM_SEEN_DIVERGED,			/* members that were told so */
	SIM_SEEN_STATE_SPLIT,
	SIM_SEEN_DOUBLE,			/* alarms of two live copies */
	SIM_SEEN_REJOIN,			/* REJOIN rows of honest members */
	SIM_SEEN_SEQUENCE,			/* after that of another one */
	SIM_SEEN_SAME_BACKUP,		/* restored once more */
	SIM_SEEN_LATE_BATCH,		/* of an incarnation that is over, ordered */
	SIM_SEEN_COPY,
	SIM_SEEN_COPIES,			/* made while another copy lives as well */
	SIM_SEEN_LEADER_LEFT,		/* who proposed the change is no member then */
	SIM_SEEN_THIRD,				/* a third left, and as many came */
	SIM_SEEN_BACK_TO_BACK,		/* no block between two changes */
	SIM_SEEN_RIVALS,			/* one approval more, and both were decided */
	SIM_SEEN_REJOIN_LATER,		/* in a later epoch than it was asked for */
	SIM_SEEN_OUTDATED,			/* epochs that a program did not know */
	SIM_SEEN_BELOW,				/* votes in views that a REJOIN forbids */
	SIM_SEEN_SCRIPT,			/* scripts that came to their end */
	SIM_SEEN_KEY,				/* approvals with a wrong key */
	SIM_SEEN_DEPLOY,			/* contracts that blocks decided on */
	SIM_SEEN_ILLEGAL,			/* accusations by one row (E6) */
	SIM_SEEN_SHOWN,				/* finalizations that were shown at once */
	SIM_SEEN_DUE,				/* blocks that order nothing and run a timer */
	SIM_SEEN_OLD_KEY,			/* rows that such a key has signed */
	SIM_SEEN_PASSED,			/* pruned, though a member has not acknowledged it */
	SIM_SEEN_DROPPED,			/* rows that were dropped */
	SIM_SEEN_GAP,				/* logs that were followed across such rows */
	SIM_SEEN_CAREFUL,			/* batches ordered of lanes that have cost a view */
	SIM_SEEN_SUMMED,			/* summaries at starts, of logs of which rows were dropped */
	SIM_SEEN_GAP_LIE,			/* rows before which a liar says that others are gone */
	SIM_SEEN_WAITED,			/* own votes that were taken after they had been refused (R5) */
	SIM_SEEN_BUSY,				/* members who had more than one block to apply (P23) */
	SIM_SEEN_KINDS
} SimSeen;

typedef struct SimEvent
{
	int64_t		at_us;
	uint64_t	number;			/* ties */
	SimEventKind kind;
	unsigned	node;
	unsigned	life;
	unsigned	peer;
	SimRow	   *row;
	TlHash		hash;
	uint32_t	ticket;			/* _LAST_SEEN */
	bool		on;				/* _LINK: cut it */
	bool		gap;			/* _ARRIVE: where it comes from rows before it are gone, */
	const SimRow *before;		/* down to this one, or all of them */
} SimEvent;

/* What a seed decides about a run. */
typedef struct SimPlan
{
	unsigned	nodes;			/* members */
	unsigned	loss_percent;
	unsigned	twice_percent;
	int64_t		delay_us;		/* least */
	int64_t		jitter_us;
	unsigned	spike_percent;	/* of messages that take much longer */
	int64_t		commit_us;		/* largest */
	int64_t		skew_us;
	unsigned	crash_weight;
	unsigned	cut_weight;
	unsigned	forget_weight;
	SimForget	forget;
	bool		same_backup;	/* is never renewed */
	bool		twins_ask;		/* what others have seen, at a start */
	unsigned	more_copies;	/* of each twin, beside the one */
	bool		copies_of_copies;	/* each of the one made before */
	bool		twins_apart;	/* each of a twin has half of the others */
	unsigned	wrong_clocks;	/* an hour or more off, from the beginning */
	unsigned	liars;
	unsigned	twins;
	unsigned	silent;
	int64_t		batch_every_us;
	unsigned	view_count;
	unsigned	lane_length;
	unsigned	epochs;			/* changes of the members to be made */
	unsigned	joiners;		/* members that may come */
	bool		third;			/* of the members is replaced at once */
	bool		rekeys;			/* each change gives somebody another row key */
	bool		deploys;		/* beside each change a contract is to be deployed */
	int64_t		approve_us;		/* largest pause of an officer; 0: two seconds */
	uint64_t	approve_view;	/* nobody approves before it */

	/* faults of sim_fault.c */
	SimShape	shape;
	unsigned	slot_weight;
	unsigned	hold_weight;
	int64_t		hold_us;		/* largest */
	unsigned	clock_weight;
	unsigned	disk_weight;	/* full disks */
	unsigned	fail_percent;	/* of transactions */
	unsigned	commit_crash_percent;
	unsigned	slow_percent;	/* of transactions, up to two seconds */
	int64_t		far_us;			/* delay of the last founder's links, beside */
	int64_t		link_us;		/* largest delay that is a link's own */
	bool		stream;			/* what one member sends stays in order */
	int64_t		poll_us;		/* between two looks at a wire, about */
	int64_t		timer_us;		/* of a view; 0: as the delays demand */
	int64_t		dead_us;		/* likewise */
	unsigned	chunk_count;	/* of a batch; with several each has a MB */

	SimScriptKind script;
	unsigned	forgetful;
	unsigned	versions;		/* of the protocol, that programs come to know */

	/* of liars */
	SimLie		lie;
	SimTwist	twist;
	bool		to_all;			/* the same lie to everybody */
	unsigned	checkpoint_interval;
	unsigned	diverged;		/* honest members who apply wrongly */
	uint64_t	diverges_at;	/* height from which on */
	int64_t		timer_min_us;	/* least timer, if timers follow the rows (P15) */
	int64_t		ack_wait_us;	/* for a final block before a batch is acknowledged (P22) */
	int64_t		ask_us;			/* until others are asked for their last block */
	bool		deaf;			/* nobody's log comes to the last founder */
	int64_t		retain_us;		/* pruning waits for the silent (P19) */
	uint64_t	retain_count;	/* and for those so many blocks behind; 0: for all */
	bool		drops;			/* what may be pruned is dropped */
	bool		waits;			/* rows beyond what a core remembers */
	bool		sums;			/* where rows are dropped: starts by summaries of logs */
	int64_t		body_us;		/* largest delay of a body, beside that of its row */
	unsigned	due_every;		/* blocks, one of which sets a timer; 0: none */
	int64_t		due_us;			/* largest time of a timer */
	int64_t		apply_us;		/* of a block that orders anything */
	bool		one_slow;		/* the last founder takes twice as long */
} SimPlan;

typedef struct SimWorld SimWorld;

typedef SimBytes SimMotion;

/* A run by name: sim_scenario.c lists them. */
typedef struct SimScenario
{
	const char *name;
	const char *fault;			/* row of the list of faults, or of that below */
	const char *what;			/* is set up, and must come out */
	void		(*set_up) (SimWorld *world);
	SimSeen		witness;		/* must have happened in one of the runs */
	unsigned	nodes;
	bool		small;			/* runs with two and three members as well */
	unsigned	count;			/* of runs */
	unsigned	steps;			/* of a run, before it becomes calm */
	unsigned	expect;			/* of SIM_EXPECT_* */
} SimScenario;

#define SIM_EXPECT_BLOCKS	1	/* blocks become final while the fault lasts */
#define SIM_EXPECT_VIEWS	2	/* no view of an honest leader is lost */
#define SIM_EXPECT_PACE		4	/* two blocks in each second, at least */
#define SIM_EXPECT_SAFETY	8	/* nothing else: more may be off than f */
#define SIM_EXPECT_HALT		16	/* too many are off: no block while that lasts */
#define SIM_EXPECT_TIP		32	/* V9, though more lie than f */
#define SIM_EXPECT_DUE		64	/* timers get their blocks soon */
#define SIM_EXPECT_SETTLED	128 /* no view of an honest leader is lost in the end */
#define SIM_EXPECT_PRUNED	256 /* pruning goes on while the fault lasts */
#define SIM_EXPECT_ROOM		512 /* V9 only where nobody's memory is full (P9) */

struct SimWorld
{
	uint64_t	seed;
	uint64_t	steps_max;
	uint64_t	random;
	SimPlan		plan;
	bool		calm;			/* faults have stopped */
	bool		verbose;
	bool		safety_only;	/* does not ask for V9 */
	bool		plain;			/* none of the faults of sim_fault.c */
	bool		keeps_memory;	/* no disk forgets */
	bool		forgotten;		/* a disk of this run has forgotten */
	const struct SimScenario *scenario; /* or NULL: chance */
	unsigned	seen[SIM_SEEN_KINDS];
	int64_t		now_us;
	int64_t		batch_us;		/* the last batch */
	int64_t		written_us;		/* the last row of an honest member */
	uint64_t	events_done;
	uint64_t	core_steps;
	unsigned	evidence[8];	/* rows, by kind */
	TlConsensusConfig config;	/* of the first epoch */
	unsigned	founder_count;
	unsigned	member_count;	/* founders, and those who may come */
	unsigned	node_count;		/* more than members if there are twins */
	unsigned	epoch_count;	/* decided, with the first */
	TlConsensusConfig epochs[SIM_EPOCHS_MAX];
	SimBytes	proofs[SIM_EPOCHS_MAX]; /* their certificates */
	SimMotion	motions[SIM_EPOCHS_MAX][2]; /* in those epochs */
	SimNode		nodes[SIM_NODES_MAX];
	bool		cut[SIM_NODES_MAX][SIM_NODES_MAX];	/* from, to */
	bool		slotless[SIM_NODES_MAX][SIM_NODES_MAX];
	int64_t		held_until_us[SIM_NODES_MAX][SIM_NODES_MAX];
	int64_t		link_us[SIM_NODES_MAX][SIM_NODES_MAX];
	int64_t		arrival_us[SIM_NODES_MAX][SIM_NODES_MAX];	/* the last one */
	SimEvent   *heap;
	unsigned	heap_count;
	unsigned	heap_capacity;
	uint64_t	event_number;
	SimRow	   *rows;
	SimRow	   *buckets[SIM_BUCKETS];	/* of rows, by subject */
	const char *command;		/* for the line that repeats the run */
	unsigned	command_nodes;
	unsigned	command_liars;	/* more than f of them may fork the ledger */
	unsigned	forks;			/* of this run: it ends with the first */
	struct
	{
		unsigned	step;
		int64_t		since_us;	/* of that step */
		uint64_t	view;
		uint64_t	told;		/* NULLIFY of the liar up to this view; or a bit
								 * for each who was shown what came late */
		uint64_t	left;		/* rows that its author sent */
		const SimRow *votes[4]; /* of that view */
		unsigned	blocks;		/* final ones, of anybody */
	}			script;
	unsigned	lost_views;		/* of honest leaders */
	unsigned	lost_late;		/* of these in the second half of the run */
	unsigned	command_disks;	/* how often they fail; 0: the seed decides */
	unsigned	command_views;	/* remembered by a core; 0: the seed decides */
};

/* sim_world.c */
extern void sim_world_make(SimWorld *world);
extern void sim_world_free(SimWorld *world);
extern void sim_world_run(SimWorld *world);
extern uint64_t sim_random(SimWorld *world, uint64_t below);
extern bool sim_chance(SimWorld *world, unsigned percent);
extern void sim_later(SimWorld *world, int64_t delay_us, SimEvent event);
extern SimRow *sim_row(SimWorld *world, const TlLogRow *row);
extern SimRow *sim_find(SimWorld *world, const TlHash *subject);
extern SimRow **sim_bucket(SimWorld *world, const TlHash *subject);
extern void sim_log_add(SimLog *log, SimRow *row);
extern bool sim_log_has(const SimLog *log, unsigned count, const SimRow *row);
extern bool sim_check_signature(void *context, const uint8_t *signature,
								const TlHash *digest, const uint8_t *row_key);
extern bool sim_same(const TlHash *left, const TlHash *right);
extern bool sim_is_honest(const SimNode *node);

/* sim_plan.c */
extern void sim_plan_make(SimWorld *world);
extern void sim_plan_config(SimWorld *world);
extern void sim_plan_nodes(SimWorld *world);

/* sim_wire.c */
extern int64_t sim_wire_stream(SimWorld *world, unsigned from, unsigned to,
							   int64_t delay_us);
extern bool sim_wire_linked(const SimWorld *world, unsigned from, unsigned to);
extern int64_t sim_wire_delay(SimWorld *world, unsigned from, unsigned to);
extern void sim_wire_send(SimWorld *world, SimNode *node, SimRow *row);
extern void sim_wire_clash(SimWorld *world, SimNode *node);
extern void sim_wire_arrive(SimWorld *world, SimNode *node, const SimEvent *event);
extern void sim_wire_poll(SimWorld *world, SimNode *node);
extern void sim_wire_fetch(SimWorld *world, SimNode *node,
						   const TlHash *subject, bool with_body);

/* sim_fault.c */
extern void sim_fault_plan(SimWorld *world);
extern void sim_fault_start(SimWorld *world);
extern bool sim_fault_event(SimWorld *world, const SimEvent *event);
extern void sim_fault_stop(SimWorld *world);
extern int64_t sim_fault_clock(const SimWorld *world, const SimNode *node);
extern int64_t sim_fault_commit_us(SimWorld *world);
extern bool sim_fault_commit_fails(SimWorld *world, SimNode *node);
extern void sim_fault_crash(SimWorld *world, unsigned id);

/* sim_script.c */
extern void sim_script_start(SimWorld *world);
extern void sim_script_step(SimWorld *world);
extern bool sim_script_is_over(const SimWorld *world);
extern void sim_script_end(SimWorld *world);
extern bool sim_script_withholds(const SimWorld *world, const SimRow *row);
extern bool sim_script_drops(SimWorld *world, const SimNode *node,
							 const SimRow *row, unsigned target);

/* sim_scenario.c */
extern const struct SimScenario *sim_scenario_find(const char *name);
extern const struct SimScenario *sim_scenario_next(const struct SimScenario *scenario);
extern void sim_scenario_plan(SimWorld *world);

/* sim_node.c */
extern void sim_node_note_subject(SimRow *row);
extern void sim_node_start(SimWorld *world, SimNode *node);
extern void sim_node_crash(SimWorld *world, SimNode *node);
extern void sim_node_event(SimWorld *world, SimNode *node,
						   const SimEvent *event);
extern void sim_node_ask(SimWorld *world, SimNode *node);
extern void sim_node_step(SimWorld *world, SimNode *node, TlInput *input,
						  bool more);
extern void sim_node_obey(SimWorld *world, SimNode *node);

/* sim_disk.c */
extern void sim_disk_open(SimWorld *world, SimNode *node, bool start);
extern void sim_disk_copy(SimWorld *world, SimNode *node, const SimNode *peer);
extern void sim_disk_add_block(SimNode *node, const TlConsensusBlock *block,
							   TlSpan certificate);
extern void sim_disk_forget_arrivals(SimWorld *world, SimNode *node);
extern bool sim_disk_is_ordered(SimWorld *world, const SimNode *node, const SimRow *row);
extern const TlLane *sim_lane(const TlLane *cut, unsigned count, uint32_t member);
extern void sim_disk_store(SimNode *node, unsigned log, SimRow *row);
extern void sim_disk_add_body(SimNode *node, const TlHash *digest);
extern bool sim_disk_has_body(const SimNode *node, const TlHash *digest);

/* sim_read.c */
extern void sim_read_rows(SimWorld *world, SimNode *node, bool restart);
extern void sim_read_lane(SimWorld *world, SimNode *node,
						  const TlLane *beyond);
extern bool sim_read_row(SimWorld *world, SimNode *node, const TlHash *subject);
extern bool sim_read_give(SimWorld *world, SimNode *node, const SimRow *row,
						  TlInputKind kind);
extern void sim_read_give_held(SimWorld *world, SimNode *node,
							   const TlHash *digest);

/* sim_summary.c */
extern void sim_summary_commit(SimWorld *world, SimNode *node);
extern void sim_summary_start(SimWorld *world, SimNode *node,
							  const TlConsensusConfig *config);
extern bool sim_summary_passes(const SimNode *node, unsigned log);
extern unsigned sim_summary_first(const SimNode *node, unsigned log);
extern void sim_summary_moved(SimNode *node, unsigned log, unsigned gone);
extern void sim_summary_give(SimWorld *world, SimNode *node, unsigned log);
extern struct SimSummary *sim_summary_copy(const struct SimSummary *summaries);

/* sim_state.c */
extern void sim_state_plan(SimWorld *world);
extern bool sim_state_diverges(const SimWorld *world, const SimNode *node);
extern void sim_state_give(SimWorld *world, SimNode *node);
extern void sim_state_open(SimWorld *world, SimNode *node);
extern void sim_state_checkpoint(SimWorld *world, SimNode *node,
								 const TlAction *action);
extern void sim_state_header(SimWorld *world, const SimNode *node,
							 const TlBlockHeader *header);
extern void sim_state_prune(SimWorld *world, SimNode *node,
							const TlAction *action);
extern void sim_state_alarm(SimWorld *world, SimNode *node,
							const TlAction *action);
extern void sim_state_own_row(SimWorld *world, SimNode *node,
							  const TlLogRow *row);
extern void sim_state_lie(const SimWorld *world, unsigned target,
						  const TlLogRow *row, uint8_t *bytes);
extern void sim_state_lie_header(const SimWorld *world,
								 TlBlockHeader *header);
extern const char *sim_state_unfinished(SimWorld *world, const SimNode *node);

/* sim_relay.c */
extern void sim_relay_final(SimWorld *world, SimNode *node,
							const TlAction *action);
extern void sim_relay_commit(SimWorld *world, SimNode *node);
extern void sim_relay_begun(SimWorld *world, SimNode *node);

/* sim_tip.c */
extern void sim_tip_ask(SimWorld *world, SimNode *node);
extern void sim_tip_deliver(SimWorld *world, SimNode *node, unsigned peer);
extern void sim_tip_read(SimWorld *world, SimNode *node);
extern bool sim_tip_is_deaf(const SimWorld *world, const SimNode *node);
extern void sim_tip_check(SimWorld *world);

/* sim_offer.c */
extern void sim_offer_keep(SimNode *node, unsigned place, TlSpan certificate);
extern void sim_offer_free(SimNode *node);
extern void sim_offer_deliver(SimWorld *world, SimNode *node, unsigned peer);
extern void sim_offer_read(SimWorld *world, SimNode *node);
extern void sim_offer_look(SimWorld *world, SimNode *node);
/* sim_retain.c */
extern void sim_retain_plan(SimWorld *world);
extern void sim_retain_open(const SimWorld *world, SimNode *node);
extern void sim_retain_row(const SimWorld *world, SimNode *node,
						   const TlLogRow *row);
extern void sim_retain_prune(SimWorld *world, SimNode *node,
							 uint64_t height);
extern void sim_retain_step(const SimWorld *world, SimNode *node);
extern void sim_retain_check(SimWorld *world);

/* sim_careful.c */
extern void sim_careful_step(SimWorld *world, SimNode *node);
extern void sim_careful_propose(SimWorld *world, SimNode *node, const TlLogRow *row);

/* sim_prune.c */
extern void sim_prune_commit(SimWorld *world, SimNode *node);
extern bool sim_prune_is_gap(const SimLog *log, unsigned place);
extern bool sim_prune_follows(const SimWorld *world, const SimNode *node,
							  const SimEvent *event);
extern bool sim_prune_lie(SimWorld *world, const SimNode *liar, SimEvent *event);
extern unsigned sim_prune_next(const SimLog *source, const SimRow *last);
extern bool sim_prune_had(const SimLog *log, const SimRow *row);

/* sim_busy.c */
extern void sim_busy_plan(SimWorld *world);
extern int64_t sim_busy_us(const SimWorld *world);
extern void sim_busy_final(SimWorld *world, SimNode *node, unsigned height);
extern void sim_busy_give(SimWorld *world, SimNode *node);

/* sim_due.c */
extern void sim_due_plan(SimWorld *world);
extern void sim_due_give(SimWorld *world, SimNode *node);
extern bool sim_due_orders_nothing(const SimNode *node, unsigned height);
extern void sim_due_final(SimWorld *world, const SimNode *node,
						  unsigned height);
extern bool sim_due_by(const SimWorld *world, const SimNode *node,
					   unsigned height, int64_t time);
extern const char *sim_due_unfinished(const SimWorld *world,
									  const SimNode *node);

/* sim_liar.c */
extern void sim_liar_send(SimWorld *world, SimNode *node, SimRow *row);
extern void sim_liar_tell(SimWorld *world, SimNode *node, unsigned target,
						  TlLogRow row);

/* sim_liar_lane.c */
extern void sim_liar_flood(SimWorld *world, SimNode *node);
extern bool sim_liar_gives_body(SimWorld *world, const SimNode *node,
								unsigned target);
extern void sim_liar_accuse(SimWorld *world, SimNode *node, unsigned target);
extern void sim_liar_forge(SimWorld *world, const SimNode *node,
						   unsigned target);
extern bool sim_liar_malform(SimWorld *world, SimNode *node, unsigned target,
							 const TlLogRow *row);

/* sim_liar_proposal.c */
extern bool sim_liar_propose(SimWorld *world, SimNode *node, unsigned target,
							 const TlLogRow *row, SimTwist twist, TlHash *block);

/* sim_memory.c */
extern void sim_memory_event(SimWorld *world);
extern void sim_memory_lose(SimWorld *world, SimNode *node);
extern void sim_memory_save(SimWorld *world, SimNode *node);
extern void sim_memory_restore(SimWorld *world, SimNode *node);
extern void sim_memory_deliver(SimWorld *world, SimNode *node,
							   const SimEvent *event);
extern void sim_memory_read(SimWorld *world, SimNode *node);
extern void sim_memory_ask(SimWorld *world, SimNode *node);
extern void sim_memory_request(SimWorld *world, SimNode *node,
							   const TlAction *action);
extern void sim_memory_reply(SimWorld *world, SimNode *node,
							 const TlAction *action);
extern void sim_memory_commit(SimWorld *world, SimNode *node, bool send);
extern void sim_memory_open(SimWorld *world, SimNode *node, bool start);
extern void sim_memory_rejoin(SimWorld *world, SimNode *node);
extern void sim_memory_settle(SimWorld *world, SimNode *node);
extern void sim_memory_witness(SimWorld *world, const SimNode *node);
extern void sim_memory_recount(SimWorld *world, SimNode *node);
extern bool sim_memory_takes(const SimWorld *world, const SimNode *node,
							 const SimEvent *event);
extern const SimRow *sim_memory_find(const SimLog *log, const uint8_t *nonce,
									 uint64_t sequence);
extern unsigned sim_memory_after(const SimLog *source, const SimLog *log,
								 bool own);
extern void sim_memory_returns(SimWorld *world, SimNode *node,
							   const SimRow *row);
extern void sim_memory_free(SimNode *node);

/* sim_check.c */
extern void sim_check_forgotten(SimWorld *world, SimNode *node,
								const SimLog *wire);
extern void sim_check_rejoined(SimWorld *world, SimNode *node);
extern void sim_check_reset(SimWorld *world);
extern void sim_check_own_row(SimWorld *world, SimNode *node,
							  const TlLogRow *row);
extern void sim_check_accusation(SimWorld *world, const SimNode *node,
								 const TlLogRow *row, bool believed);
extern void sim_check_arrival(SimWorld *world, const SimRow *row);
extern void sim_check_batch(SimWorld *world, const TlHash *digest);
extern bool sim_check_was_made(const TlHash *digest);
extern void sim_check_alarm(SimWorld *world, SimNode *node,
							const TlAction *action);
extern bool sim_check_done(SimWorld *world);
extern bool sim_check_too_many(const SimWorld *world);
extern bool sim_check_may_halt(const SimWorld *world);
extern void sim_check_faults(SimWorld *world);
extern void sim_check_end(SimWorld *world);
extern void sim_show(SimWorld *world);
extern void sim_fail(SimWorld *world, const char *format,...)
			__attribute__((format(printf, 2, 3), noreturn));

/* sim_check_vote.c */
extern void sim_check_vote(SimWorld *world, const SimNode *node,
						   const TlLogRow *vote);
extern void sim_check_vote_asked(SimWorld *world, const SimNode *node,
								 const TlLogRow *vote);

/* sim_check_block.c */
extern void sim_check_block_reset(void);
extern uint32_t sim_check_leader(SimWorld *world, uint64_t epoch,
								 uint64_t view);
extern bool sim_check_certificate(SimWorld *world, TlSpan span,
								  TlCertificate *certificate);
extern unsigned sim_check_root(SimWorld *world, const TlLane *from,
							   unsigned from_count, const TlLane *to,
							   unsigned to_count, TlHash *root, uint64_t *size);
extern unsigned sim_check_holders(const SimWorld *world, uint64_t epoch);
extern void sim_check_final(SimWorld *world, SimNode *node,
							const TlAction *action);

/* sim_govern.c */
extern void sim_govern_plan(SimWorld *world);
extern void sim_govern_found(SimWorld *world);
extern void sim_govern_free(SimWorld *world);
extern void sim_govern_key(const SimWorld *world, uint32_t member,
						   uint64_t epoch, uint8_t key[TL_XONLY_KEY_SIZE]);
extern const TlConsensusMember *sim_govern_member(const SimWorld *world,
												  uint32_t number,
												  uint64_t epoch);
extern unsigned sim_govern_validators(const SimWorld *world, uint64_t epoch);
extern unsigned sim_govern_least(const SimWorld *world);
extern void sim_govern_approve(SimWorld *world, SimNode *node);
extern void sim_govern_epoch(SimWorld *world, SimNode *node,
							 const TlAction *action);
extern void sim_govern_join(SimWorld *world, SimNode *node);
extern int64_t sim_govern_pause(SimWorld *world);
extern void sim_govern_upgrade(SimWorld *world, SimNode *node);
extern void sim_govern_own_row(SimWorld *world, const SimNode *node,
							   const TlLogRow *row);

/* sim_check_epoch.c */
extern void sim_check_epoch(SimWorld *world, const SimNode *node,
							const TlConsensusBlock *block,
							const TlHash *named);

/* sim_check_entry.c */
extern void sim_check_entry(SimWorld *world, const SimNode *node,
							const TlConsensusBlock *block);
extern unsigned sim_check_entry_rejoins(SimWorld *world, const SimNode *node,
										uint32_t member);
extern bool sim_check_entry_convicted(SimWorld *world, const SimNode *node,
									  uint32_t member, uint64_t epoch);

/* sim_check_copy.c */
extern void sim_check_copy_forget(SimNode *node);
extern void sim_check_copy_alarm(SimWorld *world, SimNode *node,
								 uint32_t member);
extern void sim_check_copy_row(SimWorld *world, const SimNode *node,
							   const TlLogRow *row);

extern void sim_check_copy_moved(SimNode *node, unsigned log, unsigned gone);

/* sim_check_reply.c */
extern void sim_check_reply_row(SimWorld *world, const SimNode *node,
								const TlLogRow *row);

/* sim_check_fork.c */
extern void sim_check_fork(SimWorld *world, unsigned node);
extern uint32_t sim_check_unaccused(SimWorld *world);

#endif							/* SIM_H */
