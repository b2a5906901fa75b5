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

#include <stdio.h>

#define WORDS_MAX		40
#define NAME_SIZE		16
#define THINGS_MAX		64		/* blocks, and batches, of a dialogue */
#define ROWS_MAX		256
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
} NamedBatch;

typedef struct Dialogue
{
	TlConsensusConfig config;
	TlConsensus *core;
	TlActions  *actions;
	int64_t		now_us;
	NamedBlock	blocks[THINGS_MAX];
	unsigned	block_count;
	NamedBatch	batches[THINGS_MAX];
	unsigned	batch_count;
	TlLogRow	rows[ROWS_MAX]; /* all that were given, for a restart */
	unsigned	row_count;
	uint64_t	sequence[TL_MEMBER_COUNT_MAX];
	TlHash		previous[TL_MEMBER_COUNT_MAX];
} Dialogue;

extern void fail(const char *format,...) __attribute__((format(printf, 1, 2), noreturn));

/* dialogue_row.c: from words to rows */
extern bool dialogue_row(Dialogue *dialogue, const Line *line, TlLogRow *row);
extern void dialogue_sign(Dialogue *dialogue, TlLogRow *row);
extern bool dialogue_check(void *context, const uint8_t *signature,
						   const TlHash *digest, const uint8_t *row_key);
extern TlSpan dialogue_batch(Dialogue *dialogue, uint32_t member,
							 const Line *line, unsigned at);
extern NamedBlock *dialogue_block(Dialogue *dialogue, const char *name);
extern NamedBatch *dialogue_find_batch(Dialogue *dialogue, const char *name);
extern TlSpan dialogue_keep(const void *data, size_t size);
extern NamedBlock *dialogue_add_block(Dialogue *dialogue, const char *name,
									  const TlConsensusBlock *parent);

/* dialogue_show.c: from actions to words */
extern void dialogue_show(Dialogue *dialogue, const TlAction *action);

#endif							/* DIALOGUE_H */
