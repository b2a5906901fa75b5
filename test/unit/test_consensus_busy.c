/*-------------------------------------------------------------------------
 *
 * test_consensus_busy.c
 *	  P23: a busy leader waits, not for ever, and not where others do not.
 *
 * The core proposes as the only member, whose own rows decide everything; the
 * clocks of those who vote are asked of one among four.
 *
 *-------------------------------------------------------------------------
 */
#include "consensus_state.h"

#include "chain_batch.h"
#include "unit.h"
#include "unit_actions.h"
#include "unit_consensus.h"

#include <stdlib.h>
#include <string.h>

#define MS				INT64_C(1000)
#define BUSY_US			(400 * MS)
#define CHUNK_SIZE		12345
#define ROW_SIZE_MAX	4096

static TlActions actions;
static TlConsensusConfig config;
static TlConsensus *core;
static void *memory;
static int64_t now_us;

static void
step(TlInput input)
{
	input.now_us = now_us;
	UNIT_CHECK(tl_consensus_step(core, &actions, &input) == TL_OK);
}

static void
open_core(unsigned members, int64_t busy_us)
{
	unit_consensus_config(&config, members);
	config.pace.busy_us = busy_us;
	unit_consensus_genesis(&config);
	core = unit_consensus_open(&config, &memory);
	now_us = 1 * MS;
	step((TlInput) {.kind = TL_INPUT_START});
}

static void
say(bool busy)
{
	step((TlInput) {.kind = TL_INPUT_BUSY,.busy = busy});
}

/* The rows that were asked for become durable. */
static void
give_back(void)
{
	static uint8_t payloads[4][ROW_SIZE_MAX];
	TlLogRow	rows[4];
	unsigned	count = 0;

	for (unsigned i = 0; i < actions.count; i++)
	{
		if (actions.list[i].kind != TL_ACT_APPEND)
			continue;
		UNIT_CHECK(count < 4);
		rows[count] = actions.list[i].row;
		UNIT_CHECK(rows[count].payload.size <= ROW_SIZE_MAX);
		memcpy(payloads[count], rows[count].payload.data, rows[count].payload.size);
		rows[count].payload.data = payloads[count];
		count++;
	}
	for (unsigned i = 0; i < count; i++)
		step((TlInput) {.kind = TL_INPUT_ROW,.row = rows[i],.certificates_valid = true,
			 .more = i + 1 < count});
}

/* An own batch, whose body is here: there is something to order. */
static void
make_batch(void)
{
	uint8_t		bytes[1024];
	uint8_t		chunks[TL_BATCH_CHUNK_SIZE];
	TlBatchChunk chunk = {.size = CHUNK_SIZE};
	TlBatchHeader header = {.chain_id = config.chain_id, .member = 1, .batch = 1,
	.section_count = 1, .chunk_count = 1};
	TlWriter	writer;

	tl_writer_init(&writer, chunks, sizeof(chunks));
	tl_chain_batch_put_chunk(&writer, &chunk);
	header.chunks = (TlSpan) {chunks, writer.size};
	tl_writer_init(&writer, bytes, sizeof(bytes));
	UNIT_CHECK(tl_chain_batch_encode(&writer, &header) == TL_OK);
	step((TlInput) {.kind = TL_INPUT_MAKE_BATCH,.payload = {bytes, writer.size}});
}

static bool
proposes(void)
{
	return unit_appended(&actions, TL_LOG_PROPOSE) != NULL;
}

static int64_t
wake(void)
{
	const TlAction *action = unit_action(&actions, TL_ACT_WAKE);

	return (action == NULL) ? 0 : action->wake_us;
}

static void
at(int64_t time_us)
{
	now_us = time_us;
	step((TlInput) {.kind = TL_INPUT_TIME});
}

/* Who is not busy, or is not to wait, proposes at once; and says how much there is to apply. */
static void
at_once(void)
{
	open_core(1, BUSY_US);
	make_batch();
	UNIT_CHECK(proposes());
	give_back();
	UNIT_CHECK(unit_action(&actions, TL_ACT_FINAL) != NULL);
	UNIT_CHECK(unit_action(&actions, TL_ACT_FINAL)->body_size == CHUNK_SIZE);
	free(memory);
	open_core(1, 0);
	say(true);
	make_batch();
	UNIT_CHECK(proposes());
	free(memory);
}

static void
after_a_while(void)
{
	open_core(1, BUSY_US);
	say(true);
	now_us += 10 * MS;
	make_batch();
	UNIT_CHECK(!proposes());
	UNIT_CHECK(wake() > now_us && wake() <= 1 * MS + BUSY_US);
	give_back();
	at(1 * MS + BUSY_US - 1);
	UNIT_CHECK(!proposes());
	UNIT_CHECK(unit_appended(&actions, TL_LOG_NULLIFY) == NULL);	/* its own turn */
	at(1 * MS + BUSY_US);
	UNIT_CHECK(proposes());
	free(memory);
}

static void
until_it_is_done(void)
{
	open_core(1, BUSY_US);
	say(true);
	make_batch();
	UNIT_CHECK(!proposes());
	give_back();
	now_us += 10 * MS;
	say(false);
	UNIT_CHECK(proposes());
	free(memory);
}

/* Others have given up its view: in its next turns it does not wait. */
static void
not_alone(void)
{
	open_core(1, BUSY_US);
	say(true);
	tl_consensus_busy_nullified(core, core->own.view);	/* it had not waited */
	make_batch();
	UNIT_CHECK(!proposes());
	tl_consensus_busy_nullified(core, core->own.view + 1);
	say(true);
	UNIT_CHECK(!proposes());
	tl_consensus_busy_nullified(core, core->own.view);
	say(true);
	UNIT_CHECK(proposes());
	for (int turns = 2; turns <= 16; turns++)
	{
		UNIT_CHECK(tl_consensus_busy_may_lead(core));
		tl_consensus_busy_led(core);
	}
	UNIT_CHECK(!tl_consensus_busy_may_lead(core));
	free(memory);
}

/* The time in which one is busy oneself is not the leader's, up to a limit. */
static void
a_voter_waits(void)
{
	int64_t		since_us = 1000 * MS;

	open_core(4, BUSY_US);
	core->now_us = since_us;
	UNIT_CHECK(tl_consensus_busy_since(core, since_us) == since_us);
	tl_consensus_busy_input(core, true);
	core->now_us += 100 * MS;
	UNIT_CHECK(tl_consensus_busy_since(core, since_us) == since_us + 100 * MS);
	core->now_us += 1000 * MS;
	UNIT_CHECK(tl_consensus_busy_since(core, since_us) == since_us + BUSY_US);
	core->now_us = since_us + 150 * MS;
	tl_consensus_busy_input(core, false);
	core->now_us += 1000 * MS;
	UNIT_CHECK(tl_consensus_busy_since(core, since_us) == since_us + 150 * MS);
	/* what was before does not count */
	UNIT_CHECK(tl_consensus_busy_since(core, core->now_us) == core->now_us);
	free(memory);
	open_core(4, 0);
	tl_consensus_busy_input(core, true);
	core->now_us += 100 * MS;
	UNIT_CHECK(tl_consensus_busy_since(core, 1 * MS) == 1 * MS);
	free(memory);
}

UNIT_MAIN(UNIT_CASE(at_once), UNIT_CASE(after_a_while), UNIT_CASE(until_it_is_done),
		  UNIT_CASE(not_alone), UNIT_CASE(a_voter_waits))
