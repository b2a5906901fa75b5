/*-------------------------------------------------------------------------
 *
 * test_consensus_due.c
 *	  P12: when the core comes again for what is due, and what it is not told.
 *
 * The core is the only member, so that its blocks are final at once.
 *
 *-------------------------------------------------------------------------
 */
#include "consensus_core.h"
#include "unit.h"
#include "unit_actions.h"
#include "unit_consensus.h"

#include <stdlib.h>
#include <string.h>

#define CLOCK_US	INT64_C(1700000000000000)
#define SECOND_US	INT64_C(1000000)

static TlActions actions;
static TlConsensusConfig config;
static TlConsensus *core;
static void *memory;
static int64_t now_us;

static void
open_core(uint16_t protocol)
{
	unit_consensus_config(&config, 1);
	config.protocol = protocol;
	config.pace.timer_max_us = 10 * SECOND_US;
	unit_consensus_genesis(&config);
	core = unit_consensus_open(&config, &memory);
	now_us = SECOND_US;
}

static TlStatus
step(TlInputKind kind, uint64_t height, int64_t due_us)
{
	TlInput		input = {.kind = kind, .now_us = now_us,
	.clock_us = CLOCK_US + now_us, .height = height, .due_us = due_us};

	return tl_consensus_step(core, &actions, &input);
}

/* When the core asks to be called again, 0: never. */
static int64_t
wake(void)
{
	const TlAction *action = unit_action(&actions, TL_ACT_WAKE);

	return (action == NULL) ? 0 : action->wake_us;
}

/* A clock may be set: it is looked at again after the longest timer. */
static void
comes_again(void)
{
	open_core(0);
	UNIT_CHECK(step(TL_INPUT_START, 0, 0) == TL_OK && wake() == 0);
	UNIT_CHECK(step(TL_INPUT_DUE, 0, CLOCK_US + 15 * SECOND_US) == TL_OK);
	UNIT_CHECK(wake() == now_us + 10 * SECOND_US);
	now_us = 11 * SECOND_US;
	UNIT_CHECK(step(TL_INPUT_TIME, 0, 0) == TL_OK);
	UNIT_CHECK(wake() == 15 * SECOND_US && actions.count == 1);
	now_us = 15 * SECOND_US;
	UNIT_CHECK(step(TL_INPUT_TIME, 0, 0) == TL_OK);
	UNIT_CHECK(unit_appended(&actions, TL_LOG_PROPOSE) != NULL);
	UNIT_CHECK(unit_action(&actions, TL_ACT_FINAL) == NULL);
	free(memory);
}

/* The next block's own state has to say it anew. */
static void
once_a_state(void)
{
	TlLogRow	rows[3];
	unsigned	count = 0;
	TlInput		input = {.kind = TL_INPUT_ROW, .certificates_valid = true};
	static uint8_t payloads[3][2048];

	open_core(0);
	UNIT_CHECK(step(TL_INPUT_DUE, 0, CLOCK_US) == TL_OK);	/* before the start */
	UNIT_CHECK(step(TL_INPUT_START, 0, 0) == TL_OK);
	for (unsigned i = 0; i < actions.count; i++)
	{
		if (actions.list[i].kind != TL_ACT_APPEND || count == 3)
			continue;
		rows[count] = actions.list[i].row;
		UNIT_CHECK(rows[count].payload.size <= sizeof(payloads[0]));
		memcpy(payloads[count], rows[count].payload.data, rows[count].payload.size);
		rows[count].payload.data = payloads[count];
		count++;
	}
	UNIT_CHECK(count == 3);		/* PROPOSE, NOTARIZE, FINALIZE */
	for (unsigned i = 0; i < count; i++)
	{
		input.row = rows[i];
		input.now_us = now_us;
		input.clock_us = CLOCK_US + now_us;
		UNIT_CHECK(tl_consensus_step(core, &actions, &input) == TL_OK);
	}
	UNIT_CHECK(unit_action(&actions, TL_ACT_FINAL) != NULL);
	UNIT_CHECK(unit_appended(&actions, TL_LOG_PROPOSE) == NULL);
	UNIT_CHECK(step(TL_INPUT_DUE, 0, CLOCK_US) == TL_OK);
	UNIT_CHECK(unit_appended(&actions, TL_LOG_PROPOSE) == NULL);	/* is over */
	UNIT_CHECK(step(TL_INPUT_DUE, 1, 0) == TL_OK);
	UNIT_CHECK(unit_appended(&actions, TL_LOG_PROPOSE) == NULL);	/* nothing */
	UNIT_CHECK(step(TL_INPUT_DUE, 2, CLOCK_US) == TL_BAD_ORDER);	/* not final */
	/* More was due than one block could run. */
	UNIT_CHECK(step(TL_INPUT_DUE, 1, CLOCK_US) == TL_OK);
	UNIT_CHECK(unit_appended(&actions, TL_LOG_PROPOSE) != NULL);
	free(memory);
}

/* R27: in an epoch whose version it does not know a node does nothing. */
static void
not_outdated(void)
{
	open_core(TL_CONSENSUS_PROTOCOL_MAX + 1);
	UNIT_CHECK(step(TL_INPUT_DUE, 0, CLOCK_US) == TL_BAD_VERSION);
	free(memory);
}

UNIT_MAIN(UNIT_CASE(comes_again), UNIT_CASE(once_a_state),
		  UNIT_CASE(not_outdated))
