/*-------------------------------------------------------------------------
 *
 * dialogue.h
 *	  One core and what a script says to it (README.md).
 *
 * Signatures are stand-ins: the row's digest beside the member's key.
 *
 *-------------------------------------------------------------------------
 */
#ifndef DIALOGUE_H
#define DIALOGUE_H

#include "consensus_core.h"
#include "consensus_govern.h"

#include <stdio.h>

#define WORDS_MAX		40
#define NAME_SIZE		16
#define THINGS_MAX		64		/* blocks, and batches, of a dialogue */
#define ROWS_MAX		256
#define ANSWERS_MAX		24		/* own rows in answer to one line */
#define MS				1000	/* us */
#define CLOCK_US		(INT64_C(1700000000) * 1000 * MS)

/* A line of the script, in words. */
typedef struct Line
{
	unsigned	count;
	char	   *words[WORDS_MAX];
} Line;

typedef struct NamedBlock
{
	char		name[NAME_SIZE];
	TlConsensusBlock block;
} NamedBlock;

typedef struct NamedBatch
{
	char		name[NAME_SIZE];
	TlLane		lane;
	char		before[NAME_SIZE];
	bool		held;			/* the bodies came later than the row */
} NamedBatch;

typedef struct NamedMotion
{
	char		name[NAME_SIZE];
	TlSpan		bytes;
	TlHash		digest;
	TlHash		next_members;	/* if it is a change */
} NamedMotion;

/* What has become of a row that was signed. */
typedef enum RowPlace
{
	ROW_STORED,					/* given to the core, again after a restart */
	ROW_LOOSE,					/* likewise, but fetched */
	ROW_UNSEEN,					/* somewhere else */
	ROW_LOST					/* an own one that the disk forgot */
} RowPlace;

typedef struct NamedRow
{
	char		name[NAME_SIZE];	/* empty: none */
	RowPlace	place;
	TlHash		digest;
	TlLogRow	row;
} NamedRow;

/* The log of a member, as the script goes on with it. */
typedef struct Author
{
	uint8_t		nonce;			/* first byte, the others are zeros */
	uint16_t	incarnation;
	uint64_t	sequence;
	TlHash		previous;
	uint32_t	approvals;
	uint32_t	replies;		/* that the core has signed for him */
	unsigned	saw;			/* own row that he saw last, place + 1 */
} Author;

typedef struct Dialogue
{
	TlConsensusConfig config;
	TlConsensus *core;
	TlActions  *actions;
	int64_t		now_us;
	unsigned	answers;		/* own rows since the line began */
	unsigned	accusations;
	NamedBlock	blocks[THINGS_MAX];
	unsigned	block_count;
	NamedBatch	batches[THINGS_MAX];
	unsigned	batch_count;
	NamedMotion motions[THINGS_MAX];
	unsigned	motion_count;
	NamedRow	rows[ROWS_MAX];
	unsigned	row_count;
	TlLogRow	replies[THINGS_MAX];	/* of the core: it keeps them */
	unsigned	reply_count;
	Author		authors[TL_MEMBER_COUNT_MAX];
	uint8_t		rejoin;			/* nonce that the core shall open, 0: none */
	TlHash		change_row;		/* the epoch has ended with it */
} Dialogue;

/* dialogue.c */
extern void fail(const char *format,...) __attribute__((format(printf, 1, 2), noreturn));
extern TlStatus dialogue_give(Dialogue *dialogue, TlInput *input);
extern void dialogue_give_row(Dialogue *dialogue, NamedRow *named);
extern void dialogue_open(Dialogue *dialogue);
extern bool line_has(const Line *line, const char *word);
extern const char *line_after(const Line *line, const char *word);
extern uint32_t line_member(const Dialogue *dialogue, const char *word);

/* dialogue_set.c: before the first row */
extern void dialogue_members(Dialogue *dialogue, unsigned members);
extern bool dialogue_set(Dialogue *dialogue, const Line *line);
extern const TlConsensusMember *dialogue_member(const Dialogue *dialogue,
												uint32_t number);
extern TlSpan dialogue_leaf(uint32_t member, uint8_t kind, const uint8_t *row_key);

/* dialogue_row.c: from words to rows */
extern bool dialogue_row(Dialogue *dialogue, const Line *line, TlLogRow *row);
extern void dialogue_sign(Dialogue *dialogue, TlLogRow *row);
extern void dialogue_stamp(const TlHash *digest, const uint8_t *key,
						   uint8_t signature[TL_SIGNATURE_SIZE]);
extern bool dialogue_check(void *context, const uint8_t *signature,
						   const TlHash *digest, const uint8_t *row_key);
extern NamedRow *dialogue_store(Dialogue *dialogue, const TlLogRow *row,
								const char *name, RowPlace place);
extern TlSpan dialogue_batch(Dialogue *dialogue, uint32_t member,
							 const Line *line, unsigned at);
extern NamedBatch *dialogue_find_batch(Dialogue *dialogue, const char *name);
extern TlSpan dialogue_keep(const void *data, size_t size);
extern TlSpan dialogue_certificate(Dialogue *dialogue, TlCertificate *out,
								   const char *voters);
extern void dialogue_state(TlState *out, const TlConsensusBlock *block,
						   const char *name);

/* dialogue_proposal.c: blocks */
extern TlSpan dialogue_propose(Dialogue *dialogue, uint32_t member,
							   const Line *line, uint64_t *view);
extern void dialogue_cut(Dialogue *dialogue, const Line *line, unsigned *at,
						 TlConsensusBlock *block);
extern NamedBlock *dialogue_block(Dialogue *dialogue, const char *name);
extern NamedBlock *dialogue_add_block(Dialogue *dialogue, const char *name,
									  const TlConsensusBlock *parent);

/* dialogue_entry.c: rows that blocks order */
extern TlSpan dialogue_accuse(Dialogue *dialogue, const Line *line);
extern TlSpan dialogue_approve(Dialogue *dialogue, uint32_t member,
							   const char *motion, const Line *line);
extern void dialogue_motion(Dialogue *dialogue, const Line *line);
extern NamedMotion *dialogue_find_motion(Dialogue *dialogue, const char *name);
extern NamedRow *dialogue_find_row(Dialogue *dialogue, const char *name);

/* dialogue_memory.c: what is forgotten, and what others say */
extern TlSpan dialogue_rejoin(Dialogue *dialogue, uint32_t member,
							  const Line *line, uint64_t *view);
extern void dialogue_saw(Dialogue *dialogue, const Line *line);
extern void dialogue_request(Dialogue *dialogue, const Line *line);
extern void dialogue_reply(Dialogue *dialogue, const Line *line);
extern void dialogue_open_incarnation(Dialogue *dialogue);
extern void dialogue_restart(Dialogue *dialogue, const Line *line);
extern void dialogue_tells(Dialogue *dialogue, const Line *line);
extern void dialogue_shows(Dialogue *dialogue, const Line *line);
extern void dialogue_takes(Dialogue *dialogue, const Line *line);
extern void dialogue_returned(Dialogue *dialogue, const Line *line);
extern void dialogue_next_epoch(Dialogue *dialogue);

/* dialogue_show.c: from actions to words */
extern void dialogue_show(Dialogue *dialogue, const TlAction *action);
extern const char *dialogue_kind_name(uint8_t kind);

#endif							/* DIALOGUE_H */
