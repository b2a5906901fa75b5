/*-------------------------------------------------------------------------
 *
 * consensus_state.h
 *	  The core's state and the calls between its files; nobody else includes
 *	  this.
 *
 * Everything lies in the arena of the caller and has the size that the
 * configuration fixed.  Members are addressed by their index in config.members.
 *
 * Invariants
 *	  N1  view records stand in a ring: the record of view v is views[v mod
 *		  view_count], valid if record->view = v and low <= v < low + view_count
 *	  N2  base is the last block handed over, and low = base.view
 *	  N3  own.view is the view in which this node is, from base.view + 1 on
 *
 *-------------------------------------------------------------------------
 */
#ifndef CONSENSUS_STATE_H
#define CONSENSUS_STATE_H

#include "consensus_arena.h"
#include "consensus_core.h"
#include "consensus_evidence.h"
#include "consensus_reply.h"
#include "consensus_rule.h"

#define TL_CONSENSUS_HANDED_MAX		16	/* final blocks of one step */
#define TL_CONSENSUS_SMALL_BODY		(64 * 1024) /* a batch that takes no time of its own
												 * to come */

/* The three kinds of votes, as an index; TL_LOG_NOTARIZE + index is the kind. */
typedef enum TlVoteKind
{
	VOTE_NOTARIZE = 0,
	VOTE_FINALIZE = 1,
	VOTE_NULLIFY = 2,
	VOTE_KINDS = 3
} TlVoteKind;

/* The first vote of one member of one kind in one view. */
typedef struct TlTallied
{
	bool		present;
	TlHash		block;			/* zeros for NULLIFY */
	TlVote		vote;
} TlTallied;

/* A quorum, counted here or received. */
typedef struct TlCertified
{
	bool		present;
	bool		relayed;		/* this node has a CERT row of it */
	bool		logged;			/* somebody's log shows it */
	TlHash		block;
	uint16_t	vote_count;
	uint8_t    *votes;			/* encoded, ascending by member */
} TlCertified;

/* A proposal that is known, whether or not its parent is. */
typedef struct TlKnownBlock
{
	bool		present;
	bool		linked;			/* its parents are known down to the base, and
								 * history is computed */
	bool		bad;			/* linked, and against a rule for good */
	bool		certifies;		/* the proposal has a certificate of the
								 * checkpoint that the header names */
	int64_t		asked_us;		/* for a batch of it, last */
	int64_t		rows_asked_us;	/* for its entries */
	TlConsensusBlock block;
} TlKnownBlock;

typedef struct TlView
{
	uint64_t	view;			/* whose record this is; UINT64_MAX: of none */
	TlTallied  *tallied[VOTE_KINDS];	/* by member index */
	TlCertified certified[VOTE_KINDS];
	TlKnownBlock first;			/* the first proposal seen from the leader */
	TlKnownBlock named;			/* the certified one, if another */
	bool		proposed_seen;	/* a PROPOSE of the leader arrived */
	TlEvidenceRow proposal;		/* that one */
	int64_t		asked_us;		/* for the block, last */
	/* own votes of this view: rules R1 to R4 */
	bool		own_propose;
	bool		own_notarize;
	bool		own_finalize;
	bool		own_nullify;
	TlHash		own_block;		/* that own_notarize names */
} TlView;

/* A batch above the last final cut. */
typedef struct TlKnownBatch
{
	bool		held;			/* bodies here, checked */
	bool		complete;		/* it and all before it down to the cut held */
	bool		loose;			/* not from the log in order: another branch */
	bool		wanted;			/* a block that is known orders it */
	uint16_t	incarnation;
	uint64_t	batch;
	TlHash		digest;
	TlHash		previous;
	uint64_t	body_size;
	int64_t		asked_us;		/* for its bodies, last */
	unsigned	asked_count;
	unsigned	holders;		/* validators known to hold it */
	uint16_t	next_of_digest; /* places + 1, 0 ends the list */
	uint16_t	next_of_previous;
} TlKnownBatch;

typedef struct TlLaneState
{
	TlKnownBatch *batches;		/* lane_length of them */
	uint16_t   *by_digest;		/* buckets, as many; places + 1 */
	uint16_t   *by_previous;
	unsigned	count;			/* the first so many places are taken */
	unsigned	unheld;			/* batches without their bodies */
	bool		stale;			/* the heads have to be worked out */
	unsigned	head;			/* places + 1 */
	unsigned	acked_head;
	TlHash		pruned;			/* the cut that was pruned to, last */
	TlLane		acked;			/* what this node last acknowledged */
	bool		dropped;		/* there was no room for a batch */
	bool		bound;			/* wanted are those of a final block */
	TlHash		missing;		/* wanted and not here */
	bool		came;			/* that one has; what is before it is not asked
								 * for yet */
	int64_t		strict_us;		/* until then all active members have to hold
								 * what is ordered of it */
	unsigned	strikes;		/* views lost to a missing body */
	int64_t		moved_us;		/* since when there is something to acknowledge,
								 * 0: there is nothing */
	int64_t		lacking_us;		/* since when a proposal waits for a body, 0: none
								 * does */
	int64_t		wary_us;		/* until then q have to hold what is ordered (P22) */
	unsigned	lapses;			/* how often that was so */
} TlLaneState;

#define TL_CONSENSUS_APPROVALS_WAITING	8	/* of one member, not ordered yet */

/* A log row that blocks may order: EVIDENCE, REJOIN, GOVERN. */
typedef struct TlEntry
{
	bool		present;
	bool		bound;			/* a final block orders it */
	uint8_t		kind;
	unsigned	author;			/* member index */
	TlHash		digest;
	unsigned	subject;		/* EVIDENCE: whom it convicts, member index */
	uint64_t	epoch;			/* EVIDENCE: of the younger of its rows */
	uint16_t	incarnation;	/* REJOIN: that begins */
	uint8_t		nonce[TL_NONCE_SIZE];
	uint8_t		nonce_before[TL_NONCE_SIZE];
	uint32_t	number;			/* GOVERN: of the author's approvals */
	uint8_t		motion_kind;
	TlHash		motion;
	TlHash		next_members;	/* if it is a change */

	uint64_t	view;			/* REJOIN */
} TlEntry;
/* A log of a member, opened by a REJOIN; zeros for the first. */
typedef struct TlIncarnation
{
	bool		present;
	uint8_t		nonce[TL_NONCE_SIZE];
	uint8_t		before[TL_NONCE_SIZE];	/* of the incarnation that it ended */
	TlHash		digest;			/* of the REJOIN row */
	TlEvidenceRow row;			/* that row */
	uint64_t	epoch;			/* epoch and view of the REJOIN: no vote of the */
	uint64_t	view;			/* incarnation may lie below (R36) */
} TlIncarnation;

/* What one STATE row said. */
typedef struct TlStateClaim
{
	TlState		state;			/* height 0: none */
	uint64_t	view;			/* of the block */
	TlVote		vote;
} TlStateClaim;

typedef struct TlCheckpoint
{
	TlStateClaim *claims;		/* [member][TL_CONSENSUS_STATES_MAX] */
	TlStateClaim *own;			/* what the caller said, without votes */
	TlState		stable;			/* newest stable checkpoint */
	uint64_t	view;			/* of its block */
	uint16_t	vote_count;		/* 0: known by a header only */
	uint8_t    *votes;			/* encoded, ascending by member */
	uint64_t	told;			/* TL_ACT_CHECKPOINT up to here */
	uint64_t	written;		/* highest own STATE row */
	int64_t		handed_us;		/* last block handed over */
	uint64_t	passed;			/* waits for active members, to be pruned to */
	uint64_t	passed_view;
	uint64_t	pruned;			/* TL_ACT_PRUNE up to here */
	bool		moved;			/* look for a split again */
	uint64_t	doubt;			/* no quorum at this height yet, 0: none */
	int64_t		doubt_us;		/* since when */
	uint64_t	split;			/* TL_ALARM_SPLIT up to here */
	bool		diverged;
	uint64_t	diverged_height;	/* the stable checkpoint where that was seen */
	bool		alarmed;		/* of that */
} TlCheckpoint;

/* What is known of another member's log and doings. */
typedef struct TlPeer
{
	uint64_t	view;			/* highest of a vote or PROPOSE of his */
	uint64_t	certified;		/* highest view that a certificate of his
								 * rows is of */
	int64_t		heard_us;		/* last row */
	int64_t		silent_us;		/* since when he owes a row and nothing comes from
								 * him (P18), 0: he owes none */
	bool		skip;			/* last turn nullified without a PROPOSE */
	uint64_t	final_height;	/* as his last ACK says */
	bool		accused;		/* by an EVIDENCE row of this node */
	bool		owed;			/* one, as soon as this node may sign */
	TlEvidence	evidence;		/* of that */
	bool		diverged;		/* alarm was given */
	bool		known;			/* the instance is */
	bool		doubled;		/* two of them live: counts as neither */
	uint8_t		incarnation[TL_NONCE_SIZE]; /* of the rows that showed it */
	uint8_t		instance[TL_NONCE_SIZE];
	uint8_t		other[TL_NONCE_SIZE];	/* if doubled */
	int64_t		owing_us;		/* since when he owes an ACK, 0: does not */
	/* newest first; the first one is the one whose rows are taken */
	TlIncarnation incarnations[TL_INCARNATIONS_KEPT];
	bool		has_last;
	TlEvidenceRow last;			/* newest row of his log */
	bool		closed;			/* a REPLY to him was signed: no row of the
								 * incarnation is taken any more (R34) */
	uint8_t		awaited[TL_NONCE_SIZE]; /* the one that it was signed for */
	uint32_t	tickets;		/* REPLY rows to him so far */
	bool		answered;		/* he said which own row he saw last */
	TlHash		held;			/* digest of that row, if the own log has it */
	int64_t		rejoin_asked_us;	/* for his newest REJOIN row, last */
	int64_t		follow_asked_us;	/* for blocks that lead to his epoch, last */
	int64_t		round_us;		/* longest round trip of late (P15), 0: none */
	bool		early;			/* batches came before their REJOIN was final */
} TlPeer;

/* The own log as the core continues it. */
typedef struct TlOwn
{
	unsigned	index;			/* in members; member_count if not one */
	bool		has_log;		/* is a member, and no observer: may sign rows */
	bool		votes;			/* is a validator and may sign votes */
	bool		broken;			/* TL_ALARM_OWN_LOG was raised */
	bool		asking;			/* what others have seen of the own log (R30) */
	bool		lost;			/* memory: signs nothing before a REJOIN (R31) */
	bool		waits;			/* its next row was refused: beyond the memory (R5) */
	uint8_t		nonce[TL_NONCE_SIZE];
	uint64_t	sequence;		/* of the newest row that was asked for */
	uint64_t	epoch;			/* of the newest row that was stored */
	TlHash		digest;
	uint64_t	view;			/* current view */
	uint64_t	floor;			/* no vote at or below this view */
	uint64_t	final_acked;	/* final height that the last own ACK shows */
	int64_t		final_us;		/* since when that is not the last, 0: it is */
	uint32_t	approvals;		/* number of the last GOVERN row of this epoch */

	uint8_t		instance[TL_NONCE_SIZE];	/* that the last own ACK shows */
} TlOwn;

typedef struct TlPaceState
{
	int64_t		entered_us;		/* the current view */
	int64_t		work_us;		/* since when there is work, 0: there is none */
	bool		relayed;		/* certificates of this view sent on */
	bool		decided;		/* so is to be the finalization of a block that
								 * decided a motion */
	unsigned	nullified;		/* views since the last finalization, by q or
								 * by this node */
	int64_t		wake_us;		/* earliest deadline of this step */
	uint64_t	due_height;		/* after the block there, the state */
	int64_t		due_us;			/* has something due at this time; 0: nothing */
	bool		busy;			/* P23: the caller is */
	int64_t		busy_until_us;	/* when it ceased to be; 0: it never was */
	uint64_t	waited_view;	/* that it led, and let others wait in */
	unsigned	hurried;		/* so many of its turns it does not: they did not */
} TlPaceState;

/* An own row whose answers are measured. */
typedef struct TlProbe
{
	TlHash		subject;		/* batch or block */
	int64_t		left_us;		/* 0: none yet */
	uint64_t	answered;		/* by these members */
} TlProbe;

/* How long rows take: P15. */
typedef struct TlHop
{
	TlProbe		batch;
	TlLane		place;			/* of that batch */
	TlProbe		block;
	int64_t		quorum_us;		/* in which a quorum answers, 0: not known */
} TlHop;

/* A REPLY to this node, encoded. */
typedef struct TlKeptReply
{
	bool		present;
	bool		illegal;		/* not one that counts: it convicts its author */
	uint64_t	view;
	uint64_t	final_height;
	size_t		size;
	uint8_t    *bytes;
} TlKeptReply;

/* What a start and a rejoin wait for. */
typedef struct TlRecover
{
	bool		running;		/* a rejoin is under way */
	TlRejoin	wanted;			/* as the caller asked for it */
	uint8_t		reason[TL_REJOIN_REASON_SIZE_MAX];
	int64_t		since_us;
	int64_t		asked_us;
	int64_t		cut_us;			/* the caller was asked to cut the own log, last */
	int64_t		replied_us;		/* replies were enough, blocks were not; 0: no */
	TlKeptReply *replies;		/* by member index */
} TlRecover;

struct TlConsensus
{
	TlConsensusConfig config;
	unsigned	quorum;
	unsigned	faults;
	unsigned	validator_count;
	TlValidator validators[TL_MEMBER_COUNT_MAX];
	unsigned	schedule[TL_MEMBER_COUNT_MAX];	/* member indexes */

	bool		started;
	bool		forked;			/* two final blocks at one height: stops */
	bool		fork_told;		/* TL_ALARM_FORK was raised */
	bool		retired;		/* TL_ACT_EPOCH was asked for */
	bool		outdated;		/* the epoch's protocol is not known here */
	int64_t		now_us;
	int64_t		clock_us;

	TlConsensusBlock base;		/* last block handed over */
	uint64_t	low;			/* lowest view remembered, that of the base */
	uint64_t	high;			/* highest view of a record in use */
	TlView	   *views;
	uint64_t	final_view;		/* highest finalized view known */
	uint64_t	beyond;			/* highest certified view out of reach, 0: none */
	int64_t		beyond_asked_us;
	unsigned	beyond_count;	/* how often */
	uint64_t	taken_view;		/* of the last block that was taken (P17) */
	int64_t		gone_us;		/* since when rows that lead to a final block are
								 * missing, 0: they are not */
	int64_t		tip_us;			/* when to ask for others' final blocks */
	unsigned	reading;		/* whose row, member index */
	TlLaneState *lanes;			/* by member index */
	TlLane	   *acks;			/* [member][lane]: the newest ACK */
	TlPeer	   *peers;
	TlEntry    *entries;		/* places of member 0, of member 1, ... */
	unsigned	entry_count;	/* of them in use */
	TlHash		wanted[2][TL_CONSENSUS_ENTRIES_MAX];	/* rows that were asked
														 * for; [1]: a final
														 * block needs them */
	unsigned	wanted_count[2];
	TlStanding	standing;		/* of the base */
	TlStanding	above;			/* of a block above it, while it is needed */
	TlStanding	trial;			/* of a block that is made or checked */
	TlHash		decided;		/* the GOVERN row by which the last block that was
								 * applied to one of them decides; or zeros */
	TlKnownBlock **path;		/* view_count: from a block down to the base */
	TlOwn		own;
	TlPaceState pace;
	TlHop		hop;
	TlCheckpoint checkpoint;
	TlRecover	recover;

	unsigned	handed_count;	/* of this step */
	TlConsensusBlock *handed;	/* TL_CONSENSUS_HANDED_MAX of them */

	TlArena		scratch;		/* payloads of the current step's actions */
	TlActions  *actions;		/* of the current step */
};

/* consensus_core.c */
extern TlAction *tl_consensus_act(TlConsensus *core, TlActionKind kind);
extern bool tl_consensus_room(const TlConsensus *core, unsigned count);
extern TlSpan tl_consensus_keep(TlConsensus *core, const void *data,
								size_t size);
extern bool tl_consensus_append(TlConsensus *core, uint8_t kind, uint64_t view,
								TlSpan payload);
extern void tl_consensus_alarm(TlConsensus *core, TlAlarm alarm,
							   uint32_t member);
extern unsigned tl_consensus_index(const TlConsensus *core, uint32_t member);
extern unsigned tl_consensus_leader(const TlConsensus *core, uint64_t view);
extern bool tl_consensus_same(const TlHash *left, const TlHash *right);

/* consensus_tally.c */
extern TlView *tl_consensus_view(TlConsensus *core, uint64_t view);
extern void tl_consensus_tally_row(TlConsensus *core, const TlLogRow *row,
								   unsigned index);
extern void tl_consensus_tally_certificate(TlConsensus *core,
										   const TlCertificate *certificate);
extern void tl_consensus_tally_shown(TlConsensus *core, unsigned index,
									 const TlCertificate *certificate);
extern bool tl_consensus_tally_same_vote(const TlVote *left,
										 const TlVote *right);
extern TlStatus tl_consensus_tally_encode(TlWriter *writer,
										  const TlConsensus *core, TlVoteKind kind,
										  const TlView *view);

/* consensus_proposal.c */
extern void tl_consensus_proposal_row(TlConsensus *core, const TlLogRow *row);
extern bool tl_consensus_proposal_read(const TlConsensus *core,
									   const TlLogRow *row,
									   TlConsensusBlock *out);
extern TlStatus tl_consensus_proposal_decode_block(TlConsensusBlock *out,
												   TlSpan header, TlSpan cut);
extern TlStatus tl_consensus_proposal_decode_entries(TlConsensusBlock *out,
													 TlSpan entries);
extern TlKnownBlock *tl_consensus_proposal_find(TlConsensus *core, uint64_t view,
												const TlHash *hash);
extern const TlConsensusBlock *tl_consensus_proposal_parent(TlConsensus *core,
															const TlConsensusBlock *block);
extern bool tl_consensus_proposal_link(TlConsensus *core, TlKnownBlock *known);
extern void tl_consensus_proposal_fetch(TlConsensus *core, TlView *view,
										const TlHash *hash);
extern bool tl_consensus_proposal_check(TlConsensus *core, TlKnownBlock *known);
extern bool tl_consensus_proposal_build(TlConsensus *core,
										const TlConsensusBlock *parent,
										TlConsensusBlock *out);
extern TlSpan tl_consensus_proposal_encode_block(TlConsensus *core,
												 const TlConsensusBlock *block,
												 const TlConsensusBlock *parent,
												 const TlView *parent_view);

/* consensus_batch.c */
extern TlKnownBatch *tl_consensus_batch_find(TlConsensus *core, unsigned lane,
											 const TlHash *digest);
extern TlLane tl_consensus_batch_place(const TlConsensus *core, unsigned lane,
									   const TlKnownBatch *batch);
extern TlKnownBatch *tl_consensus_batch_add(TlConsensus *core, unsigned lane,
											const TlKnownBatch *batch);
extern void tl_consensus_batch_held(TlConsensus *core, unsigned lane,
									TlKnownBatch *batch);
extern uint64_t tl_consensus_batch_prune(TlConsensus *core, unsigned lane);
extern bool tl_consensus_batch_starts_at(const TlLane *cut,
										 const TlKnownBatch *batch);
extern TlKnownBatch *tl_consensus_batch_step(TlConsensus *core, unsigned lane,
											 const TlLane *from,
											 TlKnownBatch *target);
extern TlKnownBatch *tl_consensus_batch_head(TlConsensus *core, unsigned lane,
											 bool acked);
extern TlKnownBatch *tl_consensus_batch_head_after(TlConsensus *core,
												   unsigned lane,
												   const TlLane *cut,
												   bool acked);
extern TlKnownBatch *tl_consensus_batch_all_small(TlConsensus *core, unsigned lane,
												  const TlHash *from, TlKnownBatch *head);
extern bool tl_consensus_batch_all_hold(TlConsensus *core, unsigned lane,
										const TlKnownBatch *batch);

/* consensus_lane.c */
extern const TlLane *tl_consensus_lane_find(const TlConsensusBlock *block,
											uint32_t member);
extern void tl_consensus_lane_batch(TlConsensus *core, const TlLogRow *row,
									bool loose);
extern void tl_consensus_lane_held(TlConsensus *core, const TlLane *lane);
extern bool tl_consensus_lane_make(TlConsensus *core, TlSpan header);
extern bool tl_consensus_lane_work(TlConsensus *core);
extern void tl_consensus_lane_want(TlConsensus *core);
extern void tl_consensus_lane_read_again(TlConsensus *core);
extern uint64_t tl_consensus_lane_prune(TlConsensus *core);

/* consensus_cut.c */
extern void tl_consensus_cut_choose(TlConsensus *core,
									const TlConsensusBlock *parent,
									TlConsensusBlock *out);
extern bool tl_consensus_cut_goes_back(const TlConsensus *core,
									   const TlConsensusBlock *parent,
									   const TlConsensusBlock *block);
extern TlStatus tl_consensus_cut_root(TlConsensus *core,
									  const TlConsensusBlock *parent,
									  const TlConsensusBlock *block,
									  TlHash *root, uint64_t *size);
extern bool tl_consensus_cut_fetch(TlConsensus *core,
								   const TlConsensusBlock *parent,
								   const TlConsensusBlock *block,
								   bool final, int64_t *asked_us);
extern void tl_consensus_cut_came(TlConsensus *core, unsigned lane);
extern TlKnownBatch *tl_consensus_cut_head(TlConsensus *core, unsigned lane,
										   const TlLane *cut);
extern void tl_consensus_cut_blame(TlConsensus *core, const TlView *view);

/* consensus_ack.c */
extern void tl_consensus_ack_row(TlConsensus *core, const TlLogRow *row,
								 unsigned index);
extern void tl_consensus_ack_write(TlConsensus *core);
extern void tl_consensus_ack_own_row(TlConsensus *core, const TlLogRow *row);
extern void tl_consensus_ack_other(TlConsensus *core, const TlLogRow *row);
extern void tl_consensus_ack_late(TlConsensus *core, const TlLogRow *row, unsigned index);

/* consensus_summary.c */
extern TlStatus tl_consensus_summary_input(TlConsensus *core,
										   const TlLogSummary *summary);

/* consensus_approval.c */
extern bool tl_consensus_approval_read(const TlConsensus *core,
									   const TlLogRow *row, TlEntry *out);
extern bool tl_consensus_approval_is_legal(const TlConsensus *core,
										   const TlStanding *standing,
										   const TlEntry *entry);
extern void tl_consensus_approval_apply(TlStanding *standing,
										const TlEntry *entry);
extern bool tl_consensus_approval_fits(const TlConsensus *core,
									   const TlStanding *standing,
									   const TlEntry *entry,
									   const TlEntry **decided);
extern void tl_consensus_approval_decide(const TlConsensus *core,
										 TlStanding *standing,
										 const TlEntry *entry);
extern uint32_t tl_consensus_approval_count(const TlConsensus *core);
extern void tl_consensus_approval_own_row(TlConsensus *core,
										  const TlLogRow *row);
extern bool tl_consensus_approval_is_known(const TlConsensus *core,
										   TlSpan payload);
extern bool tl_consensus_approval_make(TlConsensus *core, TlSpan payload);

/* consensus_entry.c */
extern unsigned tl_consensus_entry_places(unsigned member_count);
extern void tl_consensus_entry_row(TlConsensus *core, const TlLogRow *row,
								   unsigned index);
extern bool tl_consensus_entry_choose(TlConsensus *core,
									  const TlConsensusBlock *parent,
									  TlConsensusBlock *out);
extern TlStatus tl_consensus_entry_check(TlConsensus *core,
										 const TlConsensusBlock *parent,
										 TlKnownBlock *known);
extern bool tl_consensus_entry_fetch(TlConsensus *core, TlKnownBlock *known,
									 bool final);
extern void tl_consensus_entry_handed(TlConsensus *core,
									  const TlConsensusBlock *block);
extern bool tl_consensus_entry_number(const TlConsensus *core,
									  uint16_t *number);
extern bool tl_consensus_entry_older(const TlConsensus *core,
									 const uint8_t *nonce);
extern bool tl_consensus_entry_changing(TlConsensus *core);
extern void tl_consensus_entry_want(TlConsensus *core);
extern bool tl_consensus_entry_work(const TlConsensus *core);

/* consensus_checkpoint.c */
extern void tl_consensus_checkpoint_base(TlConsensus *core);
extern bool tl_consensus_checkpoint_input(TlConsensus *core,
										  const TlState *state, uint64_t view);
extern void tl_consensus_checkpoint_row(TlConsensus *core, const TlLogRow *row,
										unsigned index);
extern void tl_consensus_checkpoint_certificate(TlConsensus *core,
												const TlCertificate *certificate);
extern bool tl_consensus_checkpoint_counted(const TlConsensus *core,
											const TlCertificate *certificate,
											const TlVote *vote, unsigned index);
extern bool tl_consensus_checkpoint_moves(const TlConsensus *core,
										  const TlBlockHeader *parent);
extern TlStatus tl_consensus_checkpoint_encode(TlWriter *writer,
											   const TlConsensus *core);
extern void tl_consensus_checkpoint_settle(TlConsensus *core);

/* consensus_vote.c: the only file that signs votes */
extern bool tl_consensus_vote_propose(TlConsensus *core);
extern bool tl_consensus_vote_notarize(TlConsensus *core);
extern bool tl_consensus_vote_nullify(TlConsensus *core);
extern void tl_consensus_vote_own_row(TlConsensus *core, const TlLogRow *row);
extern void tl_consensus_vote_enter(TlConsensus *core, uint64_t view);
extern bool tl_consensus_vote_settle(TlConsensus *core);

/* consensus_final.c */
extern bool tl_consensus_final_settle(TlConsensus *core);
extern void tl_consensus_final_retire(TlConsensus *core);

/* consensus_judge.c */
extern bool tl_consensus_judge_inside(const TlConsensus *core,
									  const TlLogRow *row,
									  TlSignatureCheck check, void *context);

/* consensus_legal.c */
extern bool tl_consensus_legal(const TlConsensus *core, const TlLogRow *row);
extern bool tl_consensus_legal_elsewhere(const TlConsensus *core,
										 const TlLogRow *row);
extern bool tl_consensus_legal_child(const TlConsensus *core,
									 const TlConsensusBlock *parent,
									 const TlConsensusBlock *child);
extern bool tl_consensus_legal_judge(const TlConsensus *core,
									 const TlEvidence *evidence,
									 TlSignatureCheck check, void *context);
extern void tl_consensus_legal_accuse(TlConsensus *core, const TlLogRow *row,
									  const TlConsensusBlock *parent);

/* consensus_accuse.c */
extern void tl_consensus_accuse_owed(TlConsensus *core);
extern bool tl_consensus_may_accuse(const TlConsensus *core, unsigned index);
extern void tl_consensus_accuse(TlConsensus *core, const TlEvidenceRow *left,
								const TlEvidenceRow *right);
extern void tl_consensus_accuse_vote(TlConsensus *core, const TlView *view,
									 const TlLogRow *row, unsigned index);

/* consensus_recover.c */
extern TlStatus tl_consensus_recover_begin(TlConsensus *core,
										   const TlRejoin *wanted);
extern void tl_consensus_recover_last_seen(TlConsensus *core,
										   const TlInput *input);
extern void tl_consensus_recover_reply(TlConsensus *core, const TlInput *input);
extern bool tl_consensus_recover_run(TlConsensus *core);
extern void tl_consensus_recover_accuse(TlConsensus *core);
extern size_t tl_consensus_recover_reply_size(const TlConsensusConfig *config);

/* consensus_answer.c */
extern void tl_consensus_answer_request(TlConsensus *core, const TlLogRow *row);
extern void tl_consensus_answer_replied(TlConsensus *core, const TlLogRow *row);
extern TlStatus tl_consensus_answer_rejoin(TlConsensus *core,
										   const TlInput *input);
extern TlStatus tl_consensus_answer_row(TlConsensus *core, const TlLogRow *row,
										unsigned index);
extern bool tl_consensus_answer_below(TlConsensus *core,
									  const TlLogRow *row, unsigned index);
extern TlStatus tl_consensus_answer_valid(const TlConsensus *core,
										  const TlLogRow *row);
extern bool tl_consensus_answer_legal(const TlConsensus *core,
									  const TlLogRow *row);
extern bool tl_consensus_answer_shows_older(const TlConsensus *core,
											const TlLogRow *row);
extern TlStatus tl_consensus_answer_justified(const TlConsensus *core,
											  const TlLogRow *row,
											  const TlReply *reply);
extern int	tl_consensus_answer_compare(uint64_t epoch, uint64_t view,
										const uint8_t *nonce,
										uint64_t other_epoch,
										uint64_t other_view,
										const uint8_t *other_nonce);
extern bool tl_consensus_answer_convicts(const TlConsensus *core,
										 const TlEvidence *evidence);
extern unsigned tl_consensus_answer_count(const TlConsensus *core,
										  uint32_t member);
extern bool tl_consensus_answer_unanimous(const TlConsensus *core);
extern bool tl_consensus_answer_counts(const TlConsensus *core,
									   const TlReply *reply);
extern void tl_consensus_answer_own_rejoin(TlConsensus *core,
										   const TlLogRow *row);
extern bool tl_consensus_answer_is_over(const TlConsensus *core,
										const TlLogRow *row);
extern bool tl_consensus_answer_one_key(const TlConsensus *core,
										const TlLogRow *left,
										const TlLogRow *right);
extern bool tl_consensus_answer_was_before(const TlConsensus *core);

/* consensus_pace.c */
extern void tl_consensus_pace_entered(TlConsensus *core);
extern void tl_consensus_pace_heard(TlConsensus *core, unsigned index,
									const TlLogRow *row);
extern void tl_consensus_pace_answered(TlConsensus *core, unsigned index);
extern void tl_consensus_pace_nullified(TlConsensus *core, const TlView *view);
extern void tl_consensus_pace_left(TlConsensus *core);
extern void tl_consensus_pace_final(TlConsensus *core);
extern void tl_consensus_pace_handed(TlConsensus *core);
extern void tl_consensus_pace_acked(TlConsensus *core, unsigned index);
extern bool tl_consensus_pace_run(TlConsensus *core);
extern void tl_consensus_pace_catch_up(TlConsensus *core, uint64_t view,
									   uint64_t ahead);
extern void tl_consensus_pace_follow(TlConsensus *core, unsigned index);
extern bool tl_consensus_pace_may_fetch(TlConsensus *core, int64_t *asked_us);
extern bool tl_consensus_pace_may_be_empty(TlConsensus *core,
										   const TlConsensusBlock *parent,
										   int64_t time);
extern int64_t tl_consensus_pace_timer(const TlConsensus *core);
extern void tl_consensus_pace_wake(TlConsensus *core, int64_t at_us);

/* consensus_busy.c */
extern void tl_consensus_busy_input(TlConsensus *core, bool busy);
extern bool tl_consensus_busy_may_lead(TlConsensus *core);
extern int64_t tl_consensus_busy_since(TlConsensus *core, int64_t since_us);
extern void tl_consensus_busy_led(TlConsensus *core);
extern void tl_consensus_busy_nullified(TlConsensus *core, uint64_t view);

/* consensus_active.c */
extern void tl_consensus_active_heard(TlConsensus *core, unsigned index);
extern void tl_consensus_active_owe(TlConsensus *core);
extern bool tl_consensus_active_is(const TlConsensus *core, unsigned index);
extern bool tl_consensus_active_delays(TlConsensus *core, unsigned index,
									   uint64_t height);

/* consensus_relay.c */
extern void tl_consensus_relay_view(TlConsensus *core);
extern void tl_consensus_relay_final(TlConsensus *core);
extern void tl_consensus_relay_decided(TlConsensus *core);
extern bool tl_consensus_relay(TlConsensus *core, TlView *view,
							   TlVoteKind kind);

/* consensus_hop.c */
extern void tl_consensus_hop_own_row(TlConsensus *core, const TlLogRow *row);
extern void tl_consensus_hop_acked(TlConsensus *core, unsigned index,
								   const TlLane *lane);
extern void tl_consensus_hop_voted(TlConsensus *core, unsigned index,
								   const TlLogRow *row);
extern int64_t tl_consensus_hop_timer(const TlConsensus *core, unsigned leader);
extern int64_t tl_consensus_hop_dead(const TlConsensus *core, unsigned leader);
extern int64_t tl_consensus_hop_fetch(const TlConsensus *core);
extern int64_t tl_consensus_hop_ack(const TlConsensus *core);
extern int64_t tl_consensus_hop_shown(const TlConsensus *core);

/* consensus_tip.c */
extern void tl_consensus_tip_ask(TlConsensus *core);
extern void tl_consensus_tip_input(TlConsensus *core, const TlInput *input);

/* consensus_take.c */
extern void tl_consensus_take_input(TlConsensus *core, const TlInput *input);

/* consensus_due.c */
extern bool tl_consensus_due_input(TlConsensus *core, uint64_t height,
								   int64_t due_us);
extern bool tl_consensus_due_is_work(TlConsensus *core);
extern bool tl_consensus_due_by(const TlConsensus *core,
								const TlConsensusBlock *parent, int64_t time);

#endif							/* CONSENSUS_STATE_H */
