/*-------------------------------------------------------------------------
 *
 * test_consensus_batch.c
 *	  The batches of a lane, by index, against a plain search through all.
 *
 * Chance adds batches on several branches, bodies, ACKs and final cuts.  After
 * each the indexes, what is complete and both heads must be what looking at
 * every batch gives.
 *
 *-------------------------------------------------------------------------
 */
#include "consensus_state.h"

#include "unit.h"
#include "unit_consensus.h"

#include <stdlib.h>
#include <string.h>

#define MEMBERS		4
#define LANE		1			/* of member 2 */
#define LENGTH		12
#define MADE_MAX	400

static TlConsensusConfig config;
static TlConsensus *core;
static void *memory;
static TlKnownBatch made[MADE_MAX];	/* all that ever was */
static unsigned made_count;

static unsigned
below(unsigned bound)
{
	return (unsigned) (unit_random() % bound);
}

static void
open_core(void)
{
	unit_consensus_config(&config, MEMBERS);
	config.lane_length = LENGTH;
	unit_consensus_genesis(&config);
	core = unit_consensus_open(&config, &memory);
	made_count = 0;
}

/* A batch on one that was made, or a first one; few buckets, so lists meet. */
static void
make_one(void)
{
	TlKnownBatch *batch = &made[made_count];
	const TlKnownBatch *before = NULL;

	if (made_count > 0 && below(10) > 0)
		before = &made[made_count - 1 - below(made_count < 4 ? made_count : 4)];
	memset(batch, 0, sizeof(*batch));
	batch->batch = 1;
	if (before != NULL)
	{
		batch->batch = before->batch + 1;
		batch->previous = before->digest;
		batch->incarnation = before->incarnation;
	}
	else
		batch->incarnation = (uint16_t) below(2);
	batch->digest.bytes[1] = (uint8_t) below(3);
	batch->digest.bytes[10] = (uint8_t) (made_count >> 8);
	batch->digest.bytes[11] = (uint8_t) made_count;
	batch->digest.bytes[12] = 1;
	batch->held = (below(2) == 0);
	batch->wanted = (below(8) == 0);
	batch->loose = (below(4) == 0);
	made_count++;
}

static TlKnownBatch *
search(const TlHash *digest)
{
	TlLaneState *lane = &core->lanes[LANE];

	for (unsigned i = 0; i < lane->count; i++)
	{
		if (tl_consensus_same(&lane->batches[i].digest, digest))
			return &lane->batches[i];
	}
	return NULL;
}

static bool
reaches_cut(const TlKnownBatch *batch)
{
	const TlLane *cut = tl_consensus_lane_find(&core->base, LANE + 1);

	for (unsigned steps = 0; batch != NULL && steps < LENGTH; steps++)
	{
		const TlKnownBatch *before;

		if (!batch->held)
			return false;
		if (tl_consensus_batch_starts_at(cut, batch))
			return true;
		before = search(&batch->previous);
		if (before == NULL || before->batch + 1 != batch->batch ||
			before->incarnation != batch->incarnation)
			return false;
		batch = before;
	}
	return false;
}

static unsigned
holders_of(const TlKnownBatch *batch)
{
	unsigned	count = 0;

	for (unsigned i = 0; i < MEMBERS; i++)
	{
		const TlLane *ack = &core->acks[i * MEMBERS + LANE];
		const TlKnownBatch *held = search(&ack->digest);

		if (i == LANE || i == 0)
		{
			count++;
			continue;
		}
		if (held == NULL || held->batch != ack->batch ||
			held->incarnation != ack->incarnation)
			continue;
		for (unsigned steps = 0; held != NULL && held != batch && steps < LENGTH; steps++)
			held = (held->batch == 1) ? NULL : search(&held->previous);
		count += (held == batch);
	}
	return count;
}

static bool
is_better(const TlKnownBatch *batch, const TlKnownBatch *best)
{
	if (best == NULL || batch->incarnation != best->incarnation)
		return best == NULL || batch->incarnation > best->incarnation;
	if (batch->batch != best->batch)
		return batch->batch > best->batch;
	return best->loose && !batch->loose;
}

/* Heads that are equally far may be either; they are compared by how far. */
static void
same_head(const TlKnownBatch *found, const TlKnownBatch *wanted)
{
	UNIT_CHECK((found == NULL) == (wanted == NULL));
	if (found != NULL && wanted != NULL)
		UNIT_CHECK(!is_better(found, wanted) && !is_better(wanted, found));
}

static void
compare(void)
{
	TlLaneState *lane = &core->lanes[LANE];
	const TlKnownBatch *head = NULL;
	const TlKnownBatch *acked = NULL;
	unsigned	unheld = 0;

	UNIT_CHECK(lane->count <= LENGTH);
	for (unsigned i = 0; i < lane->count; i++)
	{
		const TlKnownBatch *batch = &lane->batches[i];

		unheld += !batch->held;
		UNIT_CHECK(tl_consensus_batch_find(core, LANE, &batch->digest) == batch);	/* B3 */
		UNIT_CHECK(batch->complete == reaches_cut(batch));	/* B1 */
		if (!batch->complete)
			continue;
		if (is_better(batch, head))
			head = batch;
		if (holders_of(batch) >= core->quorum && is_better(batch, acked))
			acked = batch;
	}
	UNIT_CHECK(lane->unheld == unheld);
	same_head(tl_consensus_batch_head(core, LANE, false), head);
	same_head(tl_consensus_batch_head(core, LANE, true), acked);
	for (unsigned i = 0; i < made_count; i++)
		UNIT_CHECK(tl_consensus_batch_find(core, LANE, &made[i].digest) == search(&made[i].digest));
}

/* A complete batch becomes the final cut. */
static void
move_cut(void)
{
	TlKnownBatch *batch = tl_consensus_batch_head(core, LANE, below(2) == 0);
	TlLane	   *cut = &core->base.cut[0];

	if (batch == NULL)
		return;
	core->base.lane_count = 1;
	cut->member = LANE + 1;
	cut->incarnation = batch->incarnation;
	cut->batch = batch->batch;
	cut->digest = batch->digest;
	tl_consensus_batch_prune(core, LANE);
	UNIT_CHECK(search(&cut->digest) == NULL);
}

static void
by_chance(void)
{
	for (int run = 0; run < 6; run++)
	{
		open_core();
		for (int step = 0; step < MADE_MAX; step++)
		{
			const TlKnownBatch *some = (made_count > 0) ? &made[below(made_count)] : NULL;
			TlKnownBatch *found = (some == NULL) ? NULL : search(&some->digest);
			TlLane	   *ack = &core->acks[below(MEMBERS) * MEMBERS + LANE];

			switch (below(8))
			{
				case 0:
					if (found != NULL)
						tl_consensus_batch_held(core, LANE, found);
					break;
				case 1:
				case 2:
					if (some == NULL)
						break;
					ack->member = LANE + 1;
					ack->incarnation = some->incarnation;
					ack->batch = some->batch + (below(9) == 0);
					ack->digest = some->digest;
					core->lanes[LANE].stale = true;
					break;
				case 3:
					if (below(6) == 0)
						move_cut();
					break;
				default:
					make_one();
					if (core->base.lane_count == 0 ||
						made[made_count - 1].incarnation > core->base.cut[0].incarnation ||
						(made[made_count - 1].incarnation == core->base.cut[0].incarnation &&
						 made[made_count - 1].batch > core->base.cut[0].batch))
						(void) tl_consensus_batch_add(core, LANE, &made[made_count - 1]);
					break;
			}
			compare();
		}
		free(memory);
	}
}

/* A full lane: what a block names gets the place of what is furthest away. */
static void
full_lane(void)
{
	TlKnownBatch batch;

	open_core();
	memset(&batch, 0, sizeof(batch));
	batch.held = true;
	for (unsigned i = 1; i <= LENGTH; i++)
	{
		batch.previous = batch.digest;
		batch.batch = i;
		batch.digest.bytes[0] = (uint8_t) i;
		UNIT_CHECK(tl_consensus_batch_add(core, LANE, &batch) != NULL);
	}
	UNIT_CHECK(tl_consensus_batch_head(core, LANE, false)->batch == LENGTH);
	batch.digest.bytes[0] = 99;
	batch.batch = LENGTH + 1;
	UNIT_CHECK(tl_consensus_batch_add(core, LANE, &batch) == NULL);
	UNIT_CHECK(core->lanes[LANE].dropped);
	batch.wanted = true;
	UNIT_CHECK(tl_consensus_batch_add(core, LANE, &batch) != NULL);
	UNIT_CHECK(core->lanes[LANE].count == LENGTH);
	UNIT_CHECK(tl_consensus_batch_head(core, LANE, false)->batch == LENGTH - 1);
	for (unsigned i = 0; i < LENGTH; i++)
		core->lanes[LANE].batches[i].wanted = true;
	batch.digest.bytes[0] = 98;
	UNIT_CHECK(tl_consensus_batch_add(core, LANE, &batch) == NULL);
	free(memory);
}

UNIT_MAIN(UNIT_CASE(by_chance), UNIT_CASE(full_lane))
