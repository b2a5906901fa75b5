/*-------------------------------------------------------------------------
 *
 * consensus_types.h
 *	  What goes into the core of consensus and what comes out of it.
 *
 * The core is one function, tl_consensus_step (consensus_core.h): state and
 * input in, ordered actions out.  README.md is the protocol; its rules are
 * cited by number.
 *
 *-------------------------------------------------------------------------
 */
#ifndef CONSENSUS_TYPES_H
#define CONSENSUS_TYPES_H

#include "chain_block.h"
#include "consensus_certificate.h"
#include "consensus_message.h"
#include "consensus_rejoin.h"
#include "merkle_range.h"

#define TL_CONSENSUS_ENTRIES_MAX	(TL_MEMBER_COUNT_MAX + 1)	/* of a block */
#define TL_CONSENSUS_APPROVALS_MAX	4	/* of one member that count at a time */
#define TL_CONSENSUS_STATES_MAX		16	/* heights of which states are claimed, of one member */
#define TL_CONSENSUS_ACTIONS_MAX	256 /* that one step can ask for */
#define TL_CONSENSUS_VIEWS_MAX		4096	/* views that can be remembered */
#define TL_CONSENSUS_LANE_MAX		1024	/* batches of one lane */
#define TL_MEMBER_KEYS_MAX	16	/* row keys of one member, from first to last */
#define TL_INCARNATIONS_KEPT		8	/* of one member, that are remembered */
#define TL_BLOCK_BODY_SIZE_MAX		(64 * 1024 * 1024)
#define TL_CONSENSUS_PROTOCOL_MAX	1	/* highest version that this core acts by */

/* A block's place, and what its children need of it. */
typedef struct TlConsensusBlock
{
	TlHash		hash;
	TlBlockHeader header;
	unsigned	lane_count;
	TlLane		cut[TL_MEMBER_COUNT_MAX];
	unsigned	entry_count;
	TlBlockEntry entries[TL_CONSENSUS_ENTRIES_MAX];
	TlMerkleRange history;		/* over the hashes up to its own */
} TlConsensusBlock;

/* A row key that a member had. */
typedef struct TlKeyBefore
{
	uint64_t	until;			/* it signed rows of epochs below this one */
	uint8_t		key[TL_XONLY_KEY_SIZE];
} TlKeyBefore;

/* A member of the epoch, ascending by number in any list. */
typedef struct TlConsensusMember
{
	uint32_t	number;
	uint8_t		row_key[TL_XONLY_KEY_SIZE];
	bool		validator;		/* votes; others have a lane only */
	bool		observer;		/* not even that */
	uint8_t		governance_key[TL_XONLY_KEY_SIZE];	/* approves motions */
	unsigned	before_count;
	TlKeyBefore before[TL_MEMBER_KEYS_MAX - 1]; /* ascending by epoch */
	TlHash		leaf;			/* hash of his leaf (chain_member.h) */
} TlConsensusMember;

/* What the entries of the chain have made of a member. */
typedef struct TlMemberStanding
{
	uint64_t	convicted;		/* 1 + epoch of the newest evidence against him
								 * that is ordered, 0 if none is */
	uint16_t	incarnation;	/* that the newest ordered REJOIN opened */
	uint8_t		nonce[TL_NONCE_SIZE];	/* of it */
	uint32_t	approvals;		/* of this epoch that are ordered */
	TlHash		approved[TL_CONSENSUS_APPROVALS_MAX];	/* the newest motions;
														 * zeros: decided */

	uint8_t		older[TL_INCARNATIONS_KEPT - 1][TL_NONCE_SIZE];	/* those before */
	uint64_t	epoch;			/* of that REJOIN row, */
	uint64_t	view;			/* below which the incarnation casts no vote */
} TlMemberStanding;

/*
 * What all entries up to a block amount to.  The entries alone decide, so it is
 * the same for everybody; whoever keeps a base keeps this with it.
 */
typedef struct TlStanding
{
	TlMemberStanding members[TL_MEMBER_COUNT_MAX];	/* as in config.members */
	bool		changed;		/* a change was decided: the epoch ends */
	TlHash		change_row;		/* a GOVERN row that approves it */
	TlHash		next_members;	/* hash of the next set */
} TlStanding;

/* How fast, never how safe. */
typedef struct TlConsensusPace
{
	int64_t		timer_us;		/* of a view, before back-off; if timer_min_us is
								 * not 0, until rows are measured */
	int64_t		timer_min_us;	/* then the least: timer, dead and fetch follow
								 * how long rows take (P15); 0: they do not */
	int64_t		timer_max_us;	/* after back-off */
	int64_t		ack_wait_us;	/* at least so long a small batch is waited for in a
								 * final block before it is acknowledged (P22); 0:
								 * all are, at once, and none is ordered before q
								 * hold it */
	int64_t		dead_us;		/* silence after which a leader is suspected */
	int64_t		active_us;		/* silence after which a debtor is inactive (P18) */
	int64_t		retain_us;		/* silence up to which pruning waits for him all the
								 * same (P19); 0: active_us */
	uint64_t	retain_count;	/* blocks that anybody for whom it waits may be
								 * behind; 0: any number */
	int64_t		fetch_us;		/* between two requests for one thing */
	int64_t		ask_us;			/* without rows of a quorum, until others are asked
								 * for their last final block; 0: never */
	int64_t		start_wait_us;	/* for what others have seen of the own log */
	int64_t		busy_us;		/* at most so long a view waits for who is busy
								 * (P23); 0: for nobody */
} TlConsensusPace;

typedef struct TlConsensusConfig
{
	TlHash		chain_id;
	uint8_t		instance[TL_NONCE_SIZE];	/* of this running copy, random;
										 * zeros: not told */
	uint8_t		replaced[TL_NONCE_SIZE];	/* the one before, if the stored log
										 * does not show it */
	uint32_t	member;			/* this node's number; 0 or a member that is
								 * no validator: follows without voting */
	unsigned	member_count;
	TlConsensusMember members[TL_MEMBER_COUNT_MAX];
	TlHash		members_hash;	/* of the epoch, as in its headers */
	uint8_t		quorum_of_three;	/* 2 or 3 */
	uint64_t	epoch;
	TlHash		founding;		/* block that founded the epoch */
	uint32_t	number_max;		/* highest number ever given to a member; 0: the
								 * highest of these */
	uint16_t	protocol;		/* version of the epoch; 0 is 1 */
	uint16_t	protocol_max;	/* highest that this program knows; 0:
								 * TL_CONSENSUS_PROTOCOL_MAX */
	uint64_t	founding_view;	/* its view */
	uint64_t	lenient_until;	/* of the epochs before this one some needed
								 * everybody's vote */
	int64_t		drift_us;		/* of a block's time, allowed to voters */
	uint32_t	checkpoint_interval;	/* of heights with STATE rows, 0: none */
	unsigned	view_count;		/* views remembered, 8 to _VIEWS_MAX */
	unsigned	lane_length;	/* batches remembered per lane, 2 to _LANE_MAX */
	TlConsensusPace pace;
	TlConsensusBlock base;		/* last block handed over, or genesis */
	TlSpan		certificate;	/* finalization of base, if there is one */
	TlStanding	standing;		/* of the base: zeros at genesis */
} TlConsensusConfig;

/*
 * What the rows of a member's log up to one of them amount to, beside what a start
 * is given of them all the same (README.md, "A start").
 */
typedef struct TlLogSummary
{
	uint32_t	member;
	uint8_t		nonce[TL_NONCE_SIZE];	/* place of that row, */
	uint64_t	sequence;
	TlHash		digest;			/* and its digest */
	uint64_t	final_height;	/* the highest that his ACKs show */
	bool		known;			/* which of his copies live: the last one seen, */
	bool		doubled;		/* of two */
	uint8_t		incarnation[TL_NONCE_SIZE]; /* of the rows that showed it */
	uint8_t		instance[TL_NONCE_SIZE];
	uint8_t		other[TL_NONCE_SIZE];
	unsigned	lane_count;
	TlLane		lanes[TL_MEMBER_COUNT_MAX]; /* how far he holds each */
} TlLogSummary;

typedef enum TlInputKind
{
	TL_INPUT_TIME = 1,			/* nothing but the time */
	TL_INPUT_ROW,				/* the next row of a log, signature valid */
	TL_INPUT_LOOSE_ROW,			/* a fetched PROPOSE, BATCH, GOVERN, EVIDENCE or
								 * REJOIN, outside the order of its log; or one that
								 * comes after the log went on without it, an ACK
								 * too */
	TL_INPUT_AGAIN,				/* a BATCH row of a log, as TL_ACT_READ_LANE asks */
	TL_INPUT_CONTRADICTION,		/* row was stored, other is at the same place of
								 * the same log; both signatures valid */
	TL_INPUT_HELD,				/* a batch's bodies are here and checked */
	TL_INPUT_STATE,				/* what the state is after a final block of this
								 * epoch, or the one that founds it; before a
								 * start, after the checkpoint that the base
								 * names, too */
	TL_INPUT_TIP,				/* payload is the finalization of the last final
								 * block that member keeps */
	TL_INPUT_OFFER,				/* payload is what member has answered to
								 * TL_ACT_CATCH_UP (consensus_offer.h) */
	TL_INPUT_DUE,				/* what the state after the final block at height
								 * has due next, and when: after each block that
								 * is applied, and again after each start */
	TL_INPUT_BUSY,				/* busy, or not any more: what final blocks hold
								 * is being applied, and more of it waits */
	TL_INPUT_MAKE_BATCH,		/* append this batch header to the own lane */
	TL_INPUT_MAKE_APPROVAL,		/* append this GOVERN payload to the own log */
	TL_INPUT_SUMMARY,			/* of a log, behind the row that it is of: the
								 * last that was given of that log */
	TL_INPUT_START,				/* the stored logs are read: begin to act */
	TL_INPUT_LAST_SEEN,			/* row is the newest of this node that member
								 * stores (row.member 0: it has none) */
	TL_INPUT_REJOIN,			/* memory was lost: open the incarnation that
								 * rejoin names; again at each start until it
								 * is opened */
	TL_INPUT_REQUEST,			/* row, a REQUEST of another member */
	TL_INPUT_REPLY,				/* row, a REPLY for this node; either of a later
								 * epoch cannot be checked, and is given all
								 * the same */
	TL_INPUT_REPLIED			/* row, a REPLY of this node: stored earlier;
								 * after the stored logs */
} TlInputKind;

typedef struct TlInput
{
	TlInputKind kind;
	int64_t		now_us;			/* monotonic, never goes back */
	int64_t		clock_us;		/* since 1970 UTC, for block times only */
	bool		more;			/* another input follows at once: settle then */
	TlLogRow	row;			/* _ROW, _LOOSE_ROW, _AGAIN, _CONTRADICTION,
								 * _LAST_SEEN, _REQUEST, _REPLY, _REPLIED */
	TlLogRow	other;			/* _CONTRADICTION */
	bool		certificates_valid; /* those inside the row, tl_consensus_judge;
									 * _TIP: that one, tl_consensus_judge_tip;
									 * _OFFER: tl_consensus_judge_offer */
	TlLane		lane;			/* _HELD */
	TlSpan		payload;		/* _MAKE_BATCH, _MAKE_APPROVAL, _TIP, _OFFER */
	TlState		state;			/* _STATE */
	uint64_t	view;			/* _STATE: of that block */
	uint64_t	height;			/* _DUE */
	int64_t		due_us;			/* _DUE: block time, since 1970 UTC; 0: nothing */
	bool		busy;			/* _BUSY */
	const TlLogSummary *summary;	/* _SUMMARY */
	bool		fresh;			/* _START: of the server, or of a copy */
	uint32_t	member;			/* _LAST_SEEN, _TIP, _OFFER: whose answer it is */
	bool		held;			/* _LAST_SEEN: the own log has that row */
	uint32_t	ticket;			/* _LAST_SEEN: one more than in his newest REPLY
								 * to this node, 0 if there is none */
	TlRejoin	rejoin;			/* _REJOIN: cause, nonce, reason, counts */
} TlInput;

typedef enum TlActionKind
{
	TL_ACT_APPEND = 1,			/* sign row, store it in the own log */
	TL_ACT_FINAL,				/* block is final; they come in order */
	TL_ACT_FETCH_BLOCK,			/* the PROPOSE row of block (hash, view) */
	TL_ACT_FETCH_BATCH,			/* the BATCH row and bodies of lane */
	TL_ACT_FETCH_ROW,			/* the row of that digest, which a block orders */
	TL_ACT_READ_LANE,			/* give the stored BATCH rows of lane.member
								 * beyond lane once more: all, or at least one
								 * more than lane_length */
	TL_ACT_CATCH_UP,			/* the logs do not bring final blocks that
								 * member has: ask him for those beyond the
								 * last one handed over (TL_INPUT_OFFER) */
	TL_ACT_EPOCH,				/* the epoch has ended with the last block handed
								 * over: make the next core (consensus_epoch.h) */

	TL_ACT_ASK_TIP,				/* ask all others for the finalization of their
								 * last final block: TL_INPUT_TIP */
	TL_ACT_ASK_LAST_SEEN,		/* ask all others for their newest own row */
	TL_ACT_CUT_LOG,				/* drop what the own log has after the row of
								 * digest hash (zeros: all); make a new core */
	TL_ACT_REQUEST,				/* sign row, send it to member */
	TL_ACT_REPLY,				/* sign row, store it as the REPLY to member,
								 * then send it there */
	TL_ACT_WAKE,				/* step again at wake_us at the latest */
	TL_ACT_CHECKPOINT,			/* a checkpoint is stable; whoever waited since
								 * TL_ALARM_SPLIT may go on */
	TL_ACT_PRUNE,				/* rows of views below view, and own votes in
								 * them, are needed no more */
	TL_ACT_ALARM				/* tell the operator */
} TlActionKind;

typedef enum TlAlarm
{
	TL_ALARM_FORK = 1,			/* two final blocks at one height */
	TL_ALARM_OWN_LOG,			/* the own log breaks a rule: signs no more */
	TL_ALARM_ILLEGAL_ROW,		/* validly signed, against the rules */
	TL_ALARM_DIVERGED,			/* the state of member is not the certified
								 * one; if it is this node: apply no more */
	TL_ALARM_INSTANCES,			/* two live copies sign with the key of member */
	TL_ALARM_SPLIT,				/* no quorum agrees on a state: apply no more */
	TL_ALARM_MEMORY,			/* others have rows of this node that it lacks:
								 * it signs nothing before a rejoin */
	TL_ALARM_PROTOCOL			/* the epoch has a version that this program
								 * does not know: it does nothing in it */
} TlAlarm;

typedef struct TlAction
{
	TlActionKind kind;
	TlLogRow	row;			/* _APPEND, _REQUEST, _REPLY; the signature is
								 * the caller's */
	const TlConsensusBlock *block;	/* _FINAL */
	uint64_t	body_size;		/* _FINAL: of the batches that it covers, as
								 * their headers say */
	TlSpan		certificate;	/* _FINAL: encoded finalization of the block
								 * or of a descendant; _EPOCH: the epoch
								 * certificate; _CHECKPOINT: of STATE */
	uint64_t	view;			/* _FETCH_BLOCK, _CATCH_UP, _CHECKPOINT, _PRUNE */
	TlHash		hash;			/* _FETCH_BLOCK, _FETCH_ROW, _CUT_LOG; _EPOCH: a
								 * GOVERN row that holds the motion; _FINAL: the
								 * same of a motion that the block decides, or
								 * zeros */
	TlLane		lane;			/* _FETCH_BATCH, _READ_LANE */
	int64_t		wake_us;		/* _WAKE */
	TlState		state;			/* _CHECKPOINT; _PRUNE and _ALARM: its height */
	TlAlarm		alarm;			/* _ALARM */
	uint32_t	member;			/* _ALARM: who, if anybody; _CATCH_UP: who has
								 * shown that he is there; _REQUEST, _REPLY */
} TlAction;

/* The actions of one step; pointers in it hold until the next one. */
typedef struct TlActions
{
	unsigned	count;
	bool		more;			/* step again (TL_INPUT_TIME): there was no
								 * room for all */
	const TlStanding *standing; /* of the last block handed over */
	TlAction	list[TL_CONSENSUS_ACTIONS_MAX];
} TlActions;

#endif							/* CONSENSUS_TYPES_H */
