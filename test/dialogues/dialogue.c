/*-------------------------------------------------------------------------
 *
 * dialogue.c
 *	  Play a script to a core of consensus and print what it answers.
 *
 *	dialogue [number] < script
 *
 * With a number the core forgets that rule (forgotten.h).  README.md explains
 * the notation.  Rows that the core asks for are stored and given back to it at
 * once, as the worker does after its transaction.
 *
 *-------------------------------------------------------------------------
 */
#include "dialogue.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

typedef struct Verb
{
	const char *word;
	unsigned	words;			/* that the line has at least */
	void		(*obey) (Dialogue *dialogue, const Line *line);
} Verb;

static void split(Line *line, char *text);
static void obey(Dialogue *dialogue, const Line *line);
static void hear(Dialogue *dialogue, const Line *line);
static void start(Dialogue *dialogue, const Line *line);
static void wait_for(Dialogue *dialogue, const Line *line);
static void make(Dialogue *dialogue, const Line *line);
static void held(Dialogue *dialogue, const Line *line);
static void fetched(Dialogue *dialogue, const Line *line);
static void again(Dialogue *dialogue, const Line *line);
static void applied(Dialogue *dialogue, const Line *line);
static void due(Dialogue *dialogue, const Line *line);
static void busy(Dialogue *dialogue, const Line *line);
static void approve(Dialogue *dialogue, const Line *line);
static void rejoin(Dialogue *dialogue, const Line *line);
static void next_epoch(Dialogue *dialogue, const Line *line);
static void remember(Dialogue *dialogue, const TlAction *action);

int			dialogue_forgotten;

static unsigned line_number;

static const Verb verbs[] = {
	{"start", 1, start},
	{"wait", 2, wait_for},
	{"make", 2, make},
	{"held", 2, held},
	{"fetched", 2, fetched},
	{"again", 2, again},
	{"applied", 3, applied},
	{"due", 3, due},
	{"busy", 2, busy},
	{"motion", 3, dialogue_motion},
	{"approve", 2, approve},
	{"rejoin", 2, rejoin},
	{"restart", 1, dialogue_restart},
	{"takes", 4, dialogue_takes},
	{"returned", 2, dialogue_returned},
	{"next-epoch", 1, next_epoch}
};

int
main(int argc, char **argv)
{
	static Dialogue dialogue;
	char		text[512];

	if (argc > 1)
		dialogue_forgotten = atoi(argv[1]);
	dialogue.actions = malloc(sizeof(TlActions));
	dialogue_members(&dialogue, 4);
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

bool
line_has(const Line *line, const char *word)
{
	for (unsigned i = 1; i < line->count; i++)
	{
		if (strcmp(line->words[i], word) == 0)
			return true;
	}
	return false;
}

/* The word after that one, or NULL. */
const char *
line_after(const Line *line, const char *word)
{
	for (unsigned i = 1; i + 1 < line->count; i++)
	{
		if (strcmp(line->words[i], word) == 0)
			return line->words[i + 1];
	}
	return NULL;
}

/* A member of the epoch by his letter, else 0. */
uint32_t
line_member(const Dialogue *dialogue, const char *word)
{
	uint32_t	number = (uint32_t) (word[0] - 'A' + 1);

	if (strlen(word) != 1)
		return 0;
	for (unsigned i = 0; i < dialogue->config.member_count; i++)
	{
		if (dialogue->config.members[i].number == number)
			return number;
	}
	return 0;
}

static void
obey(Dialogue *dialogue, const Line *line)
{
	dialogue->answers = 0;
	if (dialogue_set(dialogue, line))
		return;
	if (dialogue->core == NULL)
		dialogue_open(dialogue);
	for (unsigned i = 0; i < sizeof(verbs) / sizeof(verbs[0]); i++)
	{
		if (strcmp(line->words[0], verbs[i].word) != 0 ||
			line->count < verbs[i].words)
			continue;
		verbs[i].obey(dialogue, line);
		return;
	}
	if (line->count < 2 || line_member(dialogue, line->words[0]) == 0)
		fail("not understood: %s", line->words[0]);
	hear(dialogue, line);
}

/* What a member says: a row of his log, or an answer outside of it. */
static void
hear(Dialogue *dialogue, const Line *line)
{
	const char *name = line_after(line, "as");
	TlLogRow	row;
	NamedRow   *named;

	if (strcmp(line->words[1], "saw") == 0)
		dialogue_saw(dialogue, line);
	else if (strcmp(line->words[1], "tells") == 0 && line->count > 4)
		dialogue_tells(dialogue, line);
	else if (strcmp(line->words[1], "shows") == 0 && line->count > 4)
		dialogue_shows(dialogue, line);
	else if (strcmp(line->words[1], "requests") == 0)
		dialogue_request(dialogue, line);
	else if (strcmp(line->words[1], "replies") == 0)
		dialogue_reply(dialogue, line);
	else if (dialogue_row(dialogue, line, &row))
	{
		named = dialogue_store(dialogue, &row, name, ROW_UNSEEN);
		if (line_has(line, "unseen"))
			return;
		dialogue_give_row(dialogue, named);
		/* Unless they are on their way, the bodies are here as well. */
		if (row.kind == TL_LOG_BATCH && line_has(line, "size"))
			held(dialogue, &(Line) {.count = 2, .words = {"held", line->words[2]}});
	}
	else
		fail("no such row: %s", line->words[1]);
}

static void
start(Dialogue *dialogue, const Line *line)
{
	TlInput		input = {.kind = TL_INPUT_START, .fresh = line_has(line, "fresh")};

	(void) dialogue_give(dialogue, &input);
}

static void
wait_for(Dialogue *dialogue, const Line *line)
{
	TlInput		input = {.kind = TL_INPUT_TIME};

	dialogue->now_us += strtoll(line->words[1], NULL, 10) * MS;
	(void) dialogue_give(dialogue, &input);
}

static void
make(Dialogue *dialogue, const Line *line)
{
	TlInput		input = {.kind = TL_INPUT_MAKE_BATCH};

	input.payload = dialogue_batch(dialogue, dialogue->config.member, line, 1);
	(void) dialogue_give(dialogue, &input);
}

static void
held(Dialogue *dialogue, const Line *line)
{
	NamedBatch *batch = dialogue_find_batch(dialogue, line->words[1]);
	TlInput		input = {.kind = TL_INPUT_HELD, .lane = batch->lane};

	batch->held = true;
	(void) dialogue_give(dialogue, &input);
}

/* A row that another member has is here, outside the order of its log. */
static void
fetched(Dialogue *dialogue, const Line *line)
{
	NamedRow   *named = dialogue_find_row(dialogue, line->words[1]);

	if (named == NULL)
		fail("no row %s", line->words[1]);
	named->place = ROW_LOOSE;
	dialogue_give_row(dialogue, named);
}

/* A BATCH row that was stored, as the core asks for it. */
static void
again(Dialogue *dialogue, const Line *line)
{
	NamedRow   *named = dialogue_find_row(dialogue, line->words[1]);
	TlInput		input = {.kind = TL_INPUT_AGAIN, .certificates_valid = true};

	if (named == NULL)
		fail("no row %s", line->words[1]);
	input.row = named->row;
	(void) dialogue_give(dialogue, &input);
}

/* The core's own caller has applied a final block. */
static void
applied(Dialogue *dialogue, const Line *line)
{
	const TlConsensusBlock *block = &dialogue_block(dialogue, line->words[1])->block;
	TlInput		input = {.kind = TL_INPUT_STATE, .view = block->header.view};

	dialogue_state(&input.state, block, line->words[2]);
	(void) dialogue_give(dialogue, &input);
}

/* The state after a final block has something due in so many milliseconds. */
static void
due(Dialogue *dialogue, const Line *line)
{
	const TlConsensusBlock *block = &dialogue_block(dialogue, line->words[1])->block;
	TlInput		input = {.kind = TL_INPUT_DUE, .height = block->header.height};

	input.due_us = CLOCK_US + dialogue->now_us + strtoll(line->words[2], NULL, 10) * MS;
	(void) dialogue_give(dialogue, &input);
}

/* There are several blocks to apply, or not any more. */
static void
busy(Dialogue *dialogue, const Line *line)
{
	TlInput		input = {.kind = TL_INPUT_BUSY};

	input.busy = strcmp(line->words[1], "yes") == 0;
	(void) dialogue_give(dialogue, &input);
}

static void
approve(Dialogue *dialogue, const Line *line)
{
	TlInput		input = {.kind = TL_INPUT_MAKE_APPROVAL};

	input.payload = dialogue_approve(dialogue, dialogue->config.member,
									 line->words[1], line);
	(void) dialogue_give(dialogue, &input);
}

static void
rejoin(Dialogue *dialogue, const Line *line)
{
	dialogue->rejoin = (uint8_t) atoi(line->words[1]);
	dialogue_open_incarnation(dialogue);
}

static void
next_epoch(Dialogue *dialogue, const Line *line)
{
	dialogue_next_epoch(dialogue);
}

void
dialogue_open(Dialogue *dialogue)
{
	size_t		size = tl_consensus_size(&dialogue->config);

	dialogue->core = tl_consensus_init(malloc(size + 1), size, &dialogue->config);
	if (dialogue->core == NULL)
		fail("no core");
}

/* A step; then the rows that it asked for come back, durable. */
TlStatus
dialogue_give(Dialogue *dialogue, TlInput *input)
{
	NamedRow   *own[ANSWERS_MAX];
	unsigned	count = 0;
	TlStatus	status;

	input->now_us = 1 + dialogue->now_us;
	input->clock_us = CLOCK_US + dialogue->now_us;
	status = tl_consensus_step(dialogue->core, dialogue->actions, input);
	if (status != TL_OK)
		printf("    %s\n", status == TL_NOT_FINAL ? "not yet" : "refused");
	for (unsigned i = 0; i < dialogue->actions->count; i++)
	{
		TlAction   *action = &dialogue->actions->list[i];

		dialogue_show(dialogue, action);
		remember(dialogue, action);
		if (action->kind != TL_ACT_APPEND)
			continue;
		/* A core that has forgotten a rule may never come to an end. */
		if (dialogue->answers++ == ANSWERS_MAX || count == ANSWERS_MAX)
			fail("too many rows in answer to one line");
		action->row.payload = dialogue_keep(action->row.payload.data,
											action->row.payload.size);
		dialogue_sign(dialogue, &action->row);
		own[count++] = dialogue_store(dialogue, &action->row, NULL, ROW_UNSEEN);
	}
	for (unsigned i = 0; i < count; i++)
		dialogue_give_row(dialogue, own[i]);
	return status;
}

/* What the worker would store beside the own log. */
static void
remember(Dialogue *dialogue, const TlAction *action)
{
	TlConsensusConfig *config = &dialogue->config;

	switch (action->kind)
	{
		case TL_ACT_FINAL:
			config->base = *action->block;
			config->standing = *dialogue->actions->standing;
			config->certificate = dialogue_keep(action->certificate.data,
												action->certificate.size);
			break;
		case TL_ACT_EPOCH:
			dialogue->change_row = action->hash;
			break;
		case TL_ACT_REPLY:
			if (dialogue->reply_count == THINGS_MAX)
				fail("too many replies");
			dialogue->replies[dialogue->reply_count] = action->row;
			dialogue->replies[dialogue->reply_count++].payload =
				dialogue_keep(action->row.payload.data, action->row.payload.size);
			dialogue->authors[action->member - 1].replies++;
			break;
		default:
			break;
	}
}

/* The verdict first, as the worker does. */
void
dialogue_give_row(Dialogue *dialogue, NamedRow *named)
{
	TlInput		input = {.kind = TL_INPUT_ROW, .row = named->row};
	TlStatus	status = tl_consensus_judge(dialogue->core, &named->row,
											dialogue_check, NULL,
											&input.certificates_valid);

	if (status != TL_OK)
	{
		printf("    quarantine: the signature is not valid\n");
		return;
	}
	if (named->place == ROW_LOOSE)
		input.kind = TL_INPUT_LOOSE_ROW;
	else
		named->place = ROW_STORED;
	if (dialogue_give(dialogue, &input) != TL_OK)
		named->place = ROW_UNSEEN;
}
