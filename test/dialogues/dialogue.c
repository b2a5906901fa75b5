/*-------------------------------------------------------------------------
 *
 * dialogue.c
 *	  Play a script to a core of consensus and print what it answers.
 *
 *	dialogue < script
 *
 * README.md explains the notation.  Rows that the core asks for are stored and
 * given back to it at once, as the worker does after its transaction.
 *
 *-------------------------------------------------------------------------
 */
#include "dialogue.h"

#include "crypto_hash.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

static unsigned line_number;

static void make_config(Dialogue *dialogue, unsigned members);
static void choose_keys(Dialogue *dialogue);
static void open_core(Dialogue *dialogue);
static void split(Line *line, char *text);
static void obey(Dialogue *dialogue, const Line *line);
static bool set(Dialogue *dialogue, const Line *line);
static void forget(Dialogue *dialogue);
static void give(Dialogue *dialogue, TlInput *input);
static void give_row(Dialogue *dialogue, const TlLogRow *row);
static void saw(Dialogue *dialogue, const Line *line);
static void restart(Dialogue *dialogue);

int
main(void)
{
	static Dialogue dialogue;
	char		text[512];

	dialogue.actions = malloc(sizeof(TlActions));
	make_config(&dialogue, 4);
	while (fgets(text, sizeof(text), stdin) != NULL)
	{
		Line		line;

		line_number++;
		fputs(text, stdout);
		split(&line, text);
		if (line.count > 0 && line.words[0][0] != '#')
			obey(&dialogue, &line);
	}
	return 0;
}

void
fail(const char *format,...)
{
	va_list		arguments;

	fprintf(stderr, "line %u: ", line_number);
	va_start(arguments, format);
	vfprintf(stderr, format, arguments);
	va_end(arguments);
	fprintf(stderr, "\n");
	exit(2);
}

static void
make_config(Dialogue *dialogue, unsigned members)
{
	TlConsensusConfig *config = &dialogue->config;
	TlConsensusBlock *genesis = &config->base;
	NamedBlock *named = &dialogue->blocks[0];

	memset(config, 0, sizeof(*config));
	config->member = members;
	config->member_count = members;
	config->quorum_of_three = 3;
	config->drift_us = 2000 * MS;
	config->view_count = 8;
	config->lane_length = 4;
	config->pace.timer_us = 1000 * MS;
	config->pace.timer_max_us = 10000 * MS;
	config->pace.dead_us = 400 * MS;
	config->pace.active_us = 10000 * MS;
	config->pace.fetch_us = 1000 * MS;
	config->pace.start_wait_us = 10000 * MS;
	genesis->header.proposer = 1;
	(void) tl_chain_cut_hash(&genesis->header.cut_hash, NULL, 0);
	tl_chain_block_hash(&genesis->hash, &genesis->header);
	tl_merkle_range_init(&genesis->history);
	(void) tl_merkle_range_append(&genesis->history, &genesis->hash);
	config->chain_id = genesis->hash;
	config->founding = genesis->hash;
	choose_keys(dialogue);
	strcpy(named->name, "G");
	named->block = *genesis;
	dialogue->block_count = 1;
}

/* So that A leads view 1, B view 2, and so on, round and round. */
static void
choose_keys(Dialogue *dialogue)
{
	TlConsensusConfig *config = &dialogue->config;

	for (unsigned i = 0; i < config->member_count; i++)
	{
		TlConsensusMember *member = &config->members[i];
		unsigned	place = (i + 1) % config->member_count;
		TlHash		hash;

		memset(member, 0, sizeof(*member));
		member->number = i + 1;
		member->validator = true;
		do
		{
			TlSha256	state;

			if (++member->row_key[0] == 0)
				member->row_key[1]++;
			tl_crypto_sha256_init(&state);
			tl_crypto_sha256_update(&state, config->founding.bytes, TL_HASH_SIZE);
			tl_crypto_sha256_update(&state, member->row_key, TL_XONLY_KEY_SIZE);
			tl_crypto_sha256_final(&state, &hash);
		} while (hash.bytes[0] * config->member_count / 256 != place);
	}
}

static void
open_core(Dialogue *dialogue)
{
	size_t		size = tl_consensus_size(&dialogue->config);

	dialogue->core = tl_consensus_init(malloc(size + 1), size, &dialogue->config);
	if (dialogue->core == NULL)
		fail("no core");
}

static void
split(Line *line, char *text)
{
	line->count = 0;
	for (char *word = strtok(text, " \t\n"); word != NULL;
		 word = strtok(NULL, " \t\n"))
	{
		if (line->count == WORDS_MAX - 1)
			fail("too many words");
		line->words[line->count++] = word;
	}
}

static void
obey(Dialogue *dialogue, const Line *line)
{
	TlInput		input;
	TlLogRow	row;

	memset(&input, 0, sizeof(input));
	if (set(dialogue, line))
		return;
	if (dialogue->core == NULL)
		open_core(dialogue);
	if (strcmp(line->words[0], "start") == 0)
	{
		input.kind = TL_INPUT_START;
		input.fresh = (line->count > 1);
		give(dialogue, &input);
	}
	else if (line->count > 2 && strcmp(line->words[1], "saw") == 0)
		saw(dialogue, line);
	else if (strcmp(line->words[0], "wait") == 0 && line->count == 2)
	{
		input.kind = TL_INPUT_TIME;
		dialogue->now_us += strtoll(line->words[1], NULL, 10) * MS;
		give(dialogue, &input);
	}
	else if (strcmp(line->words[0], "make") == 0 && line->count > 1)
	{
		input.kind = TL_INPUT_MAKE_BATCH;
		input.payload = dialogue_batch(dialogue, dialogue->config.member, line, 1);
		give(dialogue, &input);
	}
	else if (strcmp(line->words[0], "held") == 0 && line->count == 2)
	{
		input.kind = TL_INPUT_HELD;
		input.lane = dialogue_find_batch(dialogue, line->words[1])->lane;
		give(dialogue, &input);
	}
	else if (strcmp(line->words[0], "restart") == 0)
		restart(dialogue);
	else if (dialogue_row(dialogue, line, &row))
		give_row(dialogue, &row);
	else
		fail("not understood: %s", line->words[0]);
}

/* members N begins anew; before the first row: me MEMBER, views N, slots N. */
static bool
set(Dialogue *dialogue, const Line *line)
{
	unsigned	number = (line->count == 2) ? (unsigned) atoi(line->words[1]) : 0;

	if (strcmp(line->words[0], "members") == 0)
	{
		forget(dialogue);
		make_config(dialogue, number);
	}
	else if (strcmp(line->words[0], "me") == 0 && line->count == 2)
		dialogue->config.member = (uint32_t) (line->words[1][0] - 'A' + 1);
	else if (strcmp(line->words[0], "views") == 0)
		dialogue->config.view_count = number;
	else if (strcmp(line->words[0], "slots") == 0)
		dialogue->config.lane_length = number;
	else
		return false;
	if (dialogue->core != NULL)
		fail("too late for %s", line->words[0]);
	return true;
}

static void
forget(Dialogue *dialogue)
{
	TlActions  *actions = dialogue->actions;

	memset(dialogue, 0, sizeof(*dialogue));
	dialogue->actions = actions;
}

/* A step; then the rows that it asked for come back, durable. */
static void
give(Dialogue *dialogue, TlInput *input)
{
	TlLogRow	own[64];
	unsigned	count = 0;
	TlStatus	status;

	input->now_us = 1 + dialogue->now_us;
	input->clock_us = CLOCK_US + dialogue->now_us;
	status = tl_consensus_step(dialogue->core, dialogue->actions, input);
	if (status != TL_OK)
		printf("    refused: %s\n", tl_status_text(status));
	for (unsigned i = 0; i < dialogue->actions->count; i++)
	{
		TlAction   *action = &dialogue->actions->list[i];

		dialogue_show(dialogue, action);
		if (action->kind != TL_ACT_APPEND || count == 64)
			continue;
		own[count] = action->row;
		own[count].payload = dialogue_keep(action->row.payload.data,
										   action->row.payload.size);
		count++;
	}
	for (unsigned i = 0; i < count; i++)
	{
		dialogue_sign(dialogue, &own[i]);
		give_row(dialogue, &own[i]);
	}
}

/* The verdict first, as the worker does. */
static void
give_row(Dialogue *dialogue, const TlLogRow *row)
{
	TlInput		input;

	memset(&input, 0, sizeof(input));
	input.kind = TL_INPUT_ROW;
	input.row = *row;
	if (tl_consensus_judge(dialogue->core, row, dialogue_check, NULL,
						   &input.certificates_valid) != TL_OK)
	{
		printf("    quarantine: the signature is not valid\n");
		return;
	}
	if (dialogue->row_count == ROWS_MAX)
		fail("too many rows");
	dialogue->rows[dialogue->row_count++] = *row;
	give(dialogue, &input);
}

/* MEMBER saw nothing; MEMBER saw ROW: one that the own log lacks. */
static void
saw(Dialogue *dialogue, const Line *line)
{
	unsigned	own = dialogue->config.member - 1;
	uint64_t	sequence = dialogue->sequence[own];
	TlHash		previous = dialogue->previous[own];
	Line		rest = {.count = line->count - 2};
	TlInput		input;

	memset(&input, 0, sizeof(input));
	input.kind = TL_INPUT_LAST_SEEN;
	input.member = (uint32_t) (line->words[0][0] - 'A' + 1);
	memcpy(rest.words, line->words + 2, rest.count * sizeof(rest.words[0]));
	if (strcmp(line->words[2], "nothing") != 0 &&
		!dialogue_row(dialogue, &rest, &input.row))
		fail("nothing to see");
	dialogue->sequence[own] = sequence;
	dialogue->previous[own] = previous;
	give(dialogue, &input);
}

/* A new core from what is stored: every row, then START. */
static void
restart(Dialogue *dialogue)
{
	unsigned	count = dialogue->row_count;
	TlInput		input;

	open_core(dialogue);
	dialogue->row_count = 0;
	for (unsigned i = 0; i < count; i++)
	{
		TlLogRow	row = dialogue->rows[i];

		give_row(dialogue, &row);
	}
	memset(&input, 0, sizeof(input));
	input.kind = TL_INPUT_START;
	give(dialogue, &input);
}
