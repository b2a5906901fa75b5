/*-------------------------------------------------------------------------
 *
 * sim_prune.c
 *	  What a node drops when its core says that it may (R44, P19), and how others
 *	  follow a log that begins later for them.
 *
 * A log is cut at its first row of the checkpoint's view or beyond: on that block as its
 * base a core may still say FINALIZE (R3).  Of those before stay
 *	  BATCH, EVIDENCE, REJOIN and GOVERN, which blocks order;
 *	  the row before a REJOIN, which the REJOIN names;
 *	  the newest ACK; one that names an instance before its own (R45); one that names a
 *	  batch which the checkpoint's block does not order: who holds that is the sum of all
 *	  ACKs, and a core that is made anew has nothing else;
 *	  the newest STATE (R42).
 * Who starts by a summary of the log (sim_summary.c) has that sum in it, and drops nothing
 * from the first row on that a start is given in any case.
 * The newest row of a log stays in any case (R30).  So a log is sparse at its beginning
 * and whole after that.  All others are gone for good: no core is given them again, no
 * peer gets them.
 *
 * Whoever lacks the rows between follows the log across the gap, when nobody who can be
 * asked has any of them, and f + 1 have dropped some there, or the author, who could as well
 * not have shown them: liars say of any row that those before it are gone.  That this is enough, for lagging, restored and new members, is what
 * V9 says of runs in which rows are dropped.
 *
 *-------------------------------------------------------------------------
 */
#include "sim.h"

#include <string.h>

static void drop_rows(SimWorld *world, SimNode *node, unsigned member,
					  const TlConsensusBlock *checkpoint);
static bool is_needed(const TlLogRow *row, const TlBlockHeader *header);
static bool stays(const SimLog *log, unsigned place, const TlConsensusBlock *checkpoint,
				  bool summed);
static bool is_newest(const SimLog *log, unsigned place);
static bool ack_counts(const TlLogRow *row, const TlConsensusBlock *checkpoint, bool summed);
static bool is_ordered(const TlLane *lane, const TlConsensusBlock *block);
static void drop_loose(SimNode *node, const TlBlockHeader *header);
static void release(SimNode *node, SimRow *row);
static bool others_agree(const SimWorld *world, const SimNode *node, const SimEvent *event,
						 uint64_t last);
static bool never_comes(const SimWorld *world, const SimNode *peer);
static bool has_between(const SimLog *log, const TlLogRow *row, uint64_t last);
static bool has_dropped(const SimLog *log, const TlLogRow *row);

/* A transaction is durable, and with it what the core has said. */
void
sim_prune_commit(SimWorld *world, SimNode *node)
{
	const TlConsensusBlock *checkpoint;

	if (node->to_drop == 0 || node->to_drop >= node->chain_count)
		return;
	checkpoint = &node->chain[node->to_drop];
	node->to_drop = 0;
	for (unsigned i = 0; i < world->member_count; i++)
		drop_rows(world, node, i, checkpoint);
	drop_loose(node, &checkpoint->header);
}

/* Of that member's log; only what the core has read, and what is durable. */
static void
drop_rows(SimWorld *world, SimNode *node, unsigned member,
		  const TlConsensusBlock *checkpoint)
{
	SimLog	   *log = &node->logs[member];
	bool		summed = world->plan.sums && member + 1 != node->number;
	unsigned	end = 0;
	unsigned	kept = 0;
	unsigned	gone;

	while (end < log->count && (SIM_FORGOTTEN(325) ||
								!is_needed(&log->rows[end]->row, &checkpoint->header)))
		end++;
	if (end == log->count && end > 0)
		end--;
	if (member + 1 != node->number && end > node->safe[member])
		end = node->safe[member];
	if (end > node->read[member])
		end = node->read[member];
	if (world->plan.sums && end > sim_summary_first(node, member))
		end = sim_summary_first(node, member);
	for (unsigned i = 0; i < end; i++)
	{
		if (stays(log, i, checkpoint, summed))
			log->rows[kept++] = log->rows[i];
		else
			release(node, log->rows[i]);
	}
	gone = end - kept;
	if (gone == 0)
		return;
	memmove(log->rows + kept, log->rows + end, (log->count - end) * sizeof(SimRow *));
	log->count -= gone;
	log->sparse = true;
	node->read[member] -= gone;
	node->safe[member] -= (node->safe[member] >= end) ? gone : node->safe[member];
	sim_check_copy_moved(node, member, gone);
	sim_summary_moved(node, member, gone);
	world->seen[SIM_SEEN_DROPPED] += gone;
}

static bool
is_needed(const TlLogRow *row, const TlBlockHeader *header)
{
	return row->epoch > header->epoch ||
		(row->epoch == header->epoch && row->view + (SIM_FORGOTTEN(328) ? 0 : 1) > header->view);
}

static bool
stays(const SimLog *log, unsigned place, const TlConsensusBlock *checkpoint, bool summed)
{
	const TlLogRow *row = &log->rows[place]->row;

	switch (row->kind)
	{
		case TL_LOG_BATCH:
		case TL_LOG_EVIDENCE:
		case TL_LOG_REJOIN:
		case TL_LOG_GOVERN:
			return !SIM_FORGOTTEN(321);
		case TL_LOG_ACK:
			if (is_newest(log, place) || ack_counts(row, checkpoint, summed))
				return true;
			break;
		case TL_LOG_STATE:
			if (is_newest(log, place))
				return true;
			break;
	}
	return place + 1 < log->count && log->rows[place + 1]->row.kind == TL_LOG_REJOIN;
}

/* Of its kind. */
static bool
is_newest(const SimLog *log, unsigned place)
{
	for (unsigned i = place + 1; i < log->count; i++)
	{
		if (log->rows[i]->row.kind == log->rows[place]->row.kind)
			return false;
	}
	return true;
}

static bool
ack_counts(const TlLogRow *row, const TlConsensusBlock *checkpoint, bool summed)
{
	static const uint8_t zeros[TL_NONCE_SIZE];
	TlLane		lanes[TL_MEMBER_COUNT_MAX];
	unsigned	count;
	TlAck		ack;

	if (tl_consensus_ack_decode(&ack, row->payload.data, row->payload.size) != TL_OK ||
		tl_chain_cut_decode(lanes, &count, TL_MEMBER_COUNT_MAX,
							ack.lanes.data, ack.lanes.size) != TL_OK)
		return false;
	if (memcmp(ack.replaced, zeros, TL_NONCE_SIZE) != 0)
		return true;
	for (unsigned i = 0; !summed && i < count; i++)
	{
		if (!is_ordered(&lanes[i], checkpoint))
			return true;
	}
	return false;
}

static bool
is_ordered(const TlLane *lane, const TlConsensusBlock *block)
{
	const TlLane *cut = sim_lane(block->cut, block->lane_count, lane->member);

	return cut != NULL &&
		(lane->incarnation < cut->incarnation ||
		 (lane->incarnation == cut->incarnation && lane->batch <= cut->batch));
}

/* Of what was fetched outside the logs blocks' own rows go. */
static void
drop_loose(SimNode *node, const TlBlockHeader *header)
{
	unsigned	kept = 0;

	for (unsigned i = 0; i < node->loose.count; i++)
	{
		SimRow	   *row = node->loose.rows[i];

		if (row->row.kind != TL_LOG_PROPOSE || is_needed(&row->row, header))
			node->loose.rows[kept++] = row;
		else if (!sim_log_has(&node->logs[row->row.member - 1],
							  node->logs[row->row.member - 1].count, row))
			row->holders &= ~(UINT64_C(1) << node->id);
	}
	node->loose.count = kept;
}

static void
release(SimNode *node, SimRow *row)
{
	row->droppers |= UINT64_C(1) << node->id;
	if (!sim_log_has(&node->loose, node->loose.count, row))
		row->holders &= ~(UINT64_C(1) << node->id);
}

/* Are rows before this one gone from the log? */
bool
sim_prune_is_gap(const SimLog *log, unsigned place)
{
	const TlLogRow *row = &log->rows[place]->row;
	const TlLogRow *before = (place > 0) ? &log->rows[place - 1]->row : NULL;

	return log->sparse && row->sequence > 1 &&
		(before == NULL || before->sequence + 1 != row->sequence ||
		 memcmp(before->nonce, row->nonce, TL_NONCE_SIZE) != 0);
}

/*
 * Does the row that arrives go on with the log here, across rows that are gone where
 * it comes from?  What stands there before it has to be here, or before what is here.
 */
bool
sim_prune_follows(const SimWorld *world, const SimNode *node, const SimEvent *event)
{
	static const uint8_t zeros[TL_NONCE_SIZE];
	const TlLogRow *row = &event->row->row;
	const SimLog *log = &node->logs[row->member - 1];
	const TlLogRow *last = (log->count > 0) ? &log->rows[log->count - 1]->row : NULL;
	const TlLogRow *before = (event->before != NULL) ? &event->before->row : NULL;

	if (!event->gap ||
		memcmp(row->nonce, (last != NULL) ? last->nonce : zeros, TL_NONCE_SIZE) != 0 ||
		(last != NULL && row->sequence <= last->sequence))
		return false;
	if (before != NULL && memcmp(before->nonce, row->nonce, TL_NONCE_SIZE) == 0 &&
		(last == NULL || before->sequence > last->sequence))
		return false;
	return SIM_FORGOTTEN(335) ||
		others_agree(world, node, event, (last != NULL) ? last->sequence : 0);
}

/*
 * One who does not answer may have a row; the node waits for him for some time, here for
 * ever, but for one who was removed before he came: he never answers.
 */
static bool
others_agree(const SimWorld *world, const SimNode *node, const SimEvent *event, uint64_t last)
{
	const TlLogRow *row = &event->row->row;
	unsigned	member = row->member - 1;
	unsigned	count = 0;
	bool		said = false;

	for (unsigned i = 0; i < world->member_count; i++)
	{
		const SimNode *peer = &world->nodes[i];
		const TlConsensusMember *known = sim_govern_member(world, peer->number, node->epoch);

		if (known == NULL)
			continue;
		if (peer->role == SIM_SILENT || never_comes(world, peer))
			continue;
		if (peer->role == SIM_LIAR)
		{
			said |= i == member;
			count += known->validator;
			continue;
		}
		if (i != node->id && (!peer->up || !sim_wire_linked(world, i, node->id) ||
							  has_between(&peer->logs[member], row, last)))
			return false;
		if (!has_dropped(&peer->logs[member], row))
			continue;
		said |= i == member;
		count += known->validator;
	}
	return said || count > tl_consensus_faults(sim_govern_validators(world, node->epoch));
}

static bool
never_comes(const SimWorld *world, const SimNode *peer)
{
	return !peer->joined &&
		sim_govern_member(world, peer->number, world->epoch_count - 1) == NULL;
}

static bool
has_between(const SimLog *log, const TlLogRow *row, uint64_t last)
{
	for (unsigned i = 0; i < log->count; i++)
		if (memcmp(log->rows[i]->row.nonce, row->nonce, TL_NONCE_SIZE) == 0 &&
			log->rows[i]->row.sequence > last && log->rows[i]->row.sequence < row->sequence)
			return true;
	return false;
}

static bool
has_dropped(const SimLog *log, const TlLogRow *row)
{
	for (unsigned i = log->count; i-- > 0;)
		if (memcmp(log->rows[i]->row.nonce, row->nonce, TL_NONCE_SIZE) == 0 &&
			log->rows[i]->row.sequence >= row->sequence && sim_prune_is_gap(log, i))
			return true;
	return false;
}

/* Those before it are gone, he says of rows of others, and has some not shown at all. */
bool
sim_prune_lie(SimWorld *world, const SimNode *liar, SimEvent *event)
{
	if (!world->plan.drops || event->row->row.member == liar->number)
		return false;
	event->gap = true;
	event->before = NULL;
	world->seen[SIM_SEEN_GAP_LIE]++;
	return sim_chance(world, 30);
}

/* The place in source of the first row of that incarnation behind last. */
unsigned
sim_prune_next(const SimLog *source, const SimRow *last)
{
	unsigned	place = source->count;

	while (place > 0 &&
		   memcmp(source->rows[place - 1]->row.nonce, last->row.nonce, TL_NONCE_SIZE) == 0 &&
		   source->rows[place - 1]->row.sequence > last->row.sequence)
		place--;
	return place;
}

/* Was there a row at the place of this one, which is gone now? */
bool
sim_prune_had(const SimLog *log, const SimRow *row)
{
	bool		later = false;

	for (unsigned i = log->count; log->sparse && i-- > 0;)
	{
		const TlLogRow *other = &log->rows[i]->row;

		if (memcmp(other->nonce, row->row.nonce, TL_NONCE_SIZE) != 0)
			continue;
		if (other->sequence == row->row.sequence)
			return false;
		later |= (other->sequence > row->row.sequence);
	}
	return later && !SIM_FORGOTTEN(327);
}
