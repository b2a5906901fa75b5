/*-------------------------------------------------------------------------
 *
 * consensus_batch.c
 *	  The batches of a lane that a node remembers, and where each one is.
 *
 * Known are those above the last final cut, on every branch that was seen.  A
 * batch is found by its digest and by the digest of the one before; both
 * indexes are lists in buckets, chosen by the first bytes of the digest.  An
 * owner who grinds digests makes the lists of his own lane long, no more.
 *
 * Two heads are kept for each lane and worked out anew when something about it
 * has changed: the furthest complete batch, and the furthest that q hold.
 *
 * Invariants
 *	  N10 complete means: held, and after a complete one or the final cut
 *	  N11 the places below count are taken, and each stands in both indexes once
 *
 * Pure code: no PostgreSQL, no allocation, no clock.
 *
 *-------------------------------------------------------------------------
 */
#include "consensus_state.h"

#include <string.h>

static void mark_complete(TlConsensus *core, unsigned lane,
						  TlKnownBatch *batch);
static void recheck(TlConsensus *core, unsigned lane);
static void insert(TlConsensus *core, TlLaneState *lane, unsigned place);
static void take_out(TlConsensus *core, TlLaneState *lane, unsigned place);
static void drop(TlConsensus *core, TlLaneState *lane, unsigned place);
static unsigned bucket(const TlConsensus *core, const TlHash *digest);
static bool may_be_complete(TlConsensus *core, unsigned lane,
							const TlKnownBatch *batch);
static bool is_covered(const TlLane *cut, const TlKnownBatch *batch);
static void work_out_heads(TlConsensus *core, unsigned lane);
static void count_holders(TlConsensus *core, unsigned lane, unsigned member);
static bool is_further(const TlKnownBatch *batch, const TlKnownBatch *best);

TlKnownBatch *
tl_consensus_batch_find(TlConsensus *core, unsigned lane, const TlHash *digest)
{
	TlLaneState *state = &core->lanes[lane];
	unsigned	place = state->by_digest[bucket(core, digest)];

	while (place != 0)
	{
		TlKnownBatch *batch = &state->batches[place - 1];

		if (tl_consensus_same(&batch->digest, digest))
			return batch;
		place = batch->next_of_digest;
	}
	return NULL;
}

/* Where a lane is after that batch. */
TlLane
tl_consensus_batch_place(const TlConsensus *core, unsigned lane,
						 const TlKnownBatch *batch)
{
	TlLane		place;

	memset(&place, 0, sizeof(place));
	place.member = core->config.members[lane].number;
	place.incarnation = batch->incarnation;
	place.batch = batch->batch;
	place.digest = batch->digest;
	return place;
}

/*
 * Remember a batch: in a free place, or that of the batch furthest from the cut
 * that no block is known to order.  What finds no place is read again when the
 * cut has moved.
 */
TlKnownBatch *
tl_consensus_batch_add(TlConsensus *core, unsigned lane,
					   const TlKnownBatch *batch)
{
	TlLaneState *state = &core->lanes[lane];
	const TlKnownBatch *last = NULL;
	unsigned	place;

	if (state->count == core->config.lane_length)
	{
		for (unsigned i = 0; i < state->count; i++)
		{
			const TlKnownBatch *other = &state->batches[i];

			if (!other->wanted && (last == NULL || other->batch > last->batch))
				last = other;
		}
		state->dropped = true;
		if (last == NULL || (!batch->wanted && last->batch <= batch->batch))
			return NULL;
		drop(core, state, (unsigned) (last - state->batches));
		recheck(core, lane);
	}
	place = state->count++;
	state->batches[place] = *batch;
	insert(core, state, place);
	state->unheld += !batch->held;
	mark_complete(core, lane, &state->batches[place]);
	return &state->batches[place];
}

void
tl_consensus_batch_held(TlConsensus *core, unsigned lane, TlKnownBatch *batch)
{
	if (batch->held)
		return;
	batch->held = true;
	core->lanes[lane].unheld--;
	mark_complete(core, lane, batch);
}

/* Mark it if it has become complete, and those after it. */
static void
mark_complete(TlConsensus *core, unsigned lane, TlKnownBatch *batch)
{
	TlLaneState *state = &core->lanes[lane];
	uint16_t	waiting[TL_CONSENSUS_LANE_MAX];
	unsigned	count = 0;

	state->stale = true;
	if (!may_be_complete(core, lane, batch))
		return;
	batch->complete = true;
	waiting[count++] = (uint16_t) (batch - state->batches);
	while (count > 0)
	{
		const TlKnownBatch *before = &state->batches[waiting[--count]];
		unsigned	place = state->by_previous[bucket(core, &before->digest)];

		for (; place != 0; place = state->batches[place - 1].next_of_previous)
		{
			TlKnownBatch *next = &state->batches[place - 1];

			if (!tl_consensus_same(&next->previous, &before->digest) ||
				!may_be_complete(core, lane, next))
				continue;
			next->complete = true;
			waiting[count++] = (uint16_t) (place - 1);
		}
	}
}

/* What the final cut covers is forgotten, the rest judged anew.  The size of those bodies. */
uint64_t
tl_consensus_batch_prune(TlConsensus *core, unsigned lane)
{
	TlLaneState *state = &core->lanes[lane];
	const TlLane *cut = tl_consensus_lane_find(&core->base,
											   core->config.members[lane].number);
	uint64_t	size = 0;

	if (cut == NULL || tl_consensus_same(&cut->digest, &state->pruned))
		return 0;
	state->pruned = cut->digest;
	state->strict_us = 0;
	state->strikes = 0;
	state->lacking_us = 0;
	state->moved_us = 0;
	/* Downwards: what moves into the place was looked at before. */
	for (unsigned i = state->count; i-- > 0;)
	{
		if (!is_covered(cut, &state->batches[i]))
			continue;
		size += state->batches[i].body_size;
		drop(core, state, i);
	}
	recheck(core, lane);
	return size;
}

/* Another cut, or one batch less: which ones are complete now? */
static void
recheck(TlConsensus *core, unsigned lane)
{
	TlLaneState *state = &core->lanes[lane];

	state->stale = true;
	for (unsigned i = 0; i < state->count; i++)
		state->batches[i].complete = false;
	for (unsigned i = 0; i < state->count; i++)
	{
		if (!state->batches[i].complete)
			mark_complete(core, lane, &state->batches[i]);
	}
}

/* Is this the batch that comes right after that cut (NULL: the first)? */
bool
tl_consensus_batch_starts_at(const TlLane *cut, const TlKnownBatch *batch)
{
	if (cut == NULL)
		return batch->batch == 1;
	if (batch->incarnation > cut->incarnation)
		return batch->batch == 1;
	return (batch->incarnation == cut->incarnation &&
			batch->batch == cut->batch + 1 &&
			tl_consensus_same(&batch->previous, &cut->digest));
}

/*
 * The first batch after from on the way to target; NULL if target is reached,
 * or does not come from there.
 */
TlKnownBatch *
tl_consensus_batch_step(TlConsensus *core, unsigned lane, const TlLane *from,
						TlKnownBatch *target)
{
	TlKnownBatch *batch = target;
	unsigned	steps = 0;

	if (from != NULL && tl_consensus_same(&from->digest, &target->digest))
		return NULL;
	while (batch != NULL && steps++ < core->config.lane_length)
	{
		if (tl_consensus_batch_starts_at(from, batch))
			return batch;
		if (batch->batch == 1)
			return NULL;
		batch = tl_consensus_batch_find(core, lane, &batch->previous);
	}
	return NULL;
}

/*
 * The furthest complete batch beyond the final cut, of a branch read from the
 * log if there are several; only of those that q hold if acked.
 */
TlKnownBatch *
tl_consensus_batch_head(TlConsensus *core, unsigned lane, bool acked)
{
	TlLaneState *state = &core->lanes[lane];
	unsigned	place;

	if (state->stale)
		work_out_heads(core, lane);
	place = acked ? state->acked_head : state->head;
	return (place == 0) ? NULL : &state->batches[place - 1];
}

/* The same beyond the cut of another block, whose chain the base is part of. */
TlKnownBatch *
tl_consensus_batch_head_after(TlConsensus *core, unsigned lane,
							  const TlLane *cut, bool acked)
{
	TlLaneState *state = &core->lanes[lane];
	TlKnownBatch *best = tl_consensus_batch_head(core, lane, acked);

	if (best == NULL || tl_consensus_batch_step(core, lane, cut, best) != NULL)
		return best;
	/* The lane forks: the furthest on the branch of that cut. */
	best = NULL;
	for (unsigned i = 0; i < state->count; i++)
	{
		TlKnownBatch *batch = &state->batches[i];

		if (batch->complete && is_further(batch, best) &&
			(cut == NULL || !is_covered(cut, batch)) && (!acked || batch->holders >= core->quorum) &&
			tl_consensus_batch_step(core, lane, cut, batch) != NULL)
			best = batch;
	}
	return best;
}

/*
 * On the way from a batch (NULL: from the final cut) to a head: the last one up to which all
 * bodies are small.  NULL if there is none, or that batch is not on the way.
 */
TlKnownBatch *
tl_consensus_batch_all_small(TlConsensus *core, unsigned lane, const TlHash *from,
							 TlKnownBatch *head)
{
	TlKnownBatch *batch = head;
	TlKnownBatch *last = head;
	unsigned	steps = 0;

	while (batch != NULL && steps++ < core->config.lane_length)
	{
		TlKnownBatch *before = (batch->batch == 1) ? NULL :
			tl_consensus_batch_find(core, lane, &batch->previous);

		if (from != NULL && tl_consensus_same(&batch->digest, from))
			return last;
		if (batch->body_size > TL_CONSENSUS_SMALL_BODY)
			last = before;
		if (from != NULL && tl_consensus_same(&batch->previous, from))
			return last;
		batch = before;
	}
	return (from == NULL) ? last : NULL;
}

/* Has every active validator said that he holds it, or a descendant? */
bool
tl_consensus_batch_all_hold(TlConsensus *core, unsigned lane,
							const TlKnownBatch *batch)
{
	for (unsigned i = 0; i < core->config.member_count; i++)
	{
		const TlLane *ack = &core->acks[i * core->config.member_count + lane];
		const TlKnownBatch *held;
		unsigned	steps = 0;

		if (!core->config.members[i].validator || i == lane ||
			i == core->own.index || !tl_consensus_active_is(core, i))
			continue;
		held = tl_consensus_batch_find(core, lane, &ack->digest);
		while (held != NULL && held->batch > batch->batch &&
			   steps++ < core->config.lane_length)
			held = tl_consensus_batch_find(core, lane, &held->previous);
		if (held != batch)
			return false;
	}
	return true;
}

static void
work_out_heads(TlConsensus *core, unsigned lane)
{
	TlLaneState *state = &core->lanes[lane];
	unsigned	certain = 0;

	state->stale = false;
	state->head = state->acked_head = 0;
	/* Its author and this node hold what is complete here. */
	for (unsigned i = 0; i < core->config.member_count; i++)
		certain += (core->config.members[i].validator &&
					(i == lane || i == core->own.index));
	for (unsigned i = 0; i < state->count; i++)
		state->batches[i].holders = certain;
	for (unsigned i = 0; i < core->config.member_count; i++)
	{
		if (core->config.members[i].validator && i != lane &&
			i != core->own.index && TL_RULE(45, !core->peers[i].doubled))
			count_holders(core, lane, i);
	}
	for (unsigned i = 0; i < state->count; i++)
	{
		TlKnownBatch *batch = &state->batches[i];

		if (!batch->complete)
			continue;
		if (state->head == 0 ||
			is_further(batch, &state->batches[state->head - 1]))
			state->head = i + 1;
		if (batch->holders >= core->quorum &&
			(state->acked_head == 0 ||
			 is_further(batch, &state->batches[state->acked_head - 1])))
			state->acked_head = i + 1;
	}
}

/* He holds what his ACK names, and all before it. */
static void
count_holders(TlConsensus *core, unsigned lane, unsigned member)
{
	const TlLane *ack = &core->acks[member * core->config.member_count + lane];
	TlKnownBatch *batch = tl_consensus_batch_find(core, lane, &ack->digest);
	unsigned	steps = 0;

	if (batch == NULL || batch->batch != ack->batch ||
		batch->incarnation != ack->incarnation)
		return;
	while (batch != NULL && steps++ < core->config.lane_length)
	{
		batch->holders++;
		batch = (batch->batch == 1) ? NULL :
			tl_consensus_batch_find(core, lane, &batch->previous);
	}
}

static bool
is_further(const TlKnownBatch *batch, const TlKnownBatch *best)
{
	return best == NULL || batch->incarnation > best->incarnation ||
		(batch->incarnation == best->incarnation &&
		 (batch->batch > best->batch ||
		  (batch->batch == best->batch && best->loose && !batch->loose)));
}

static bool
may_be_complete(TlConsensus *core, unsigned lane, const TlKnownBatch *batch)
{
	const TlLane *cut = tl_consensus_lane_find(&core->base,
											   core->config.members[lane].number);
	const TlKnownBatch *before;

	if (batch->complete || !batch->held)
		return false;
	if (tl_consensus_batch_starts_at(cut, batch))
		return true;
	before = tl_consensus_batch_find(core, lane, &batch->previous);
	return before != NULL && before->complete &&
		before->batch + 1 == batch->batch &&
		before->incarnation == batch->incarnation;
}

static bool
is_covered(const TlLane *cut, const TlKnownBatch *batch)
{
	return batch->incarnation < cut->incarnation ||
		(batch->incarnation == cut->incarnation && batch->batch <= cut->batch);
}

static void
insert(TlConsensus *core, TlLaneState *lane, unsigned place)
{
	TlKnownBatch *batch = &lane->batches[place];
	uint16_t   *digest = &lane->by_digest[bucket(core, &batch->digest)];
	uint16_t   *previous = &lane->by_previous[bucket(core, &batch->previous)];

	batch->next_of_digest = *digest;
	batch->next_of_previous = *previous;
	*digest = *previous = (uint16_t) (place + 1);
}

static void
take_out(TlConsensus *core, TlLaneState *lane, unsigned place)
{
	TlKnownBatch *batch = &lane->batches[place];
	uint16_t   *link = &lane->by_digest[bucket(core, &batch->digest)];

	while (*link != place + 1)
		link = &lane->batches[*link - 1].next_of_digest;
	*link = batch->next_of_digest;
	link = &lane->by_previous[bucket(core, &batch->previous)];
	while (*link != place + 1)
		link = &lane->batches[*link - 1].next_of_previous;
	*link = batch->next_of_previous;
}

/* Forget it; the last one takes its place. */
static void
drop(TlConsensus *core, TlLaneState *lane, unsigned place)
{
	unsigned	last = --lane->count;

	lane->unheld -= !lane->batches[place].held;
	lane->stale = true;
	take_out(core, lane, place);
	if (place == last)
		return;
	take_out(core, lane, last);
	lane->batches[place] = lane->batches[last];
	insert(core, lane, place);
}

static unsigned
bucket(const TlConsensus *core, const TlHash *digest)
{
	return (unsigned) (digest->bytes[0] << 8 | digest->bytes[1]) %
		core->config.lane_length;
}
