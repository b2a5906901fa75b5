/*-------------------------------------------------------------------------
 *
 * sim_summary.c
 *	  Starts that are not given all rows of the logs.
 *
 * Every few blocks a node notes for each log up to where its rows go into a
 * summary (TL_INPUT_SUMMARY), and from which one on it needs all of them: the first
 * vote or certificate of a view from that of its last block on.  Of the rows before
 * a start is given few kinds.
 *
 * V33	a core that begins so stands where one does that was given all rows
 *
 *-------------------------------------------------------------------------
 */
#include "sim.h"

#include "chain_batch.h"
#include "consensus_summary.h"

#include <stdlib.h>
#include <string.h>

#define STATES_KEPT		16		/* of one member, as the core keeps them */

typedef struct SimSummary
{
	bool		made;
	bool		given;			/* to the core that runs */
	unsigned	first;			/* row of the log from which on all are given */
	unsigned	last;			/* row that the summary is of */
	TlHash		digest;			/* of that row */
	TlLogSummary of;			/* of the own log there is none: member 0 */
	TlLogSummary knew;			/* of what the core had taken at the last transaction */
	uint64_t	knew_epoch;		/* in this epoch, plus one; 0: of nothing */
} SimSummary;

static void make(const SimNode *node, unsigned log);
static void note(const SimNode *node, unsigned log);
static bool is_needed(const SimNode *node, unsigned log, unsigned place);
static void same_known(SimWorld *world, const SimNode *node, uint32_t member);
static bool differ(const SimWorld *world, TlLogSummary *left, TlLogSummary *right);
static uint64_t view_of(const TlLogRow *row);
static void drop_unused(const SimWorld *world, SimNode *node);
static void check(SimWorld *world, SimNode *node, const TlConsensusConfig *config);
static bool needs_batch(const SimNode *node, const TlLogRow *row);
static unsigned later_rows(const SimNode *node, unsigned log, unsigned place);
static void same(SimWorld *world, const SimNode *node, const TlConsensus *whole);
static void same_summary(SimWorld *world, const SimNode *node, uint32_t member,
						 const TlConsensus *whole);
static void forget_copies(TlLogSummary *left, TlLogSummary *right);

/* Blocks are durable: time for the next ones? */
void
sim_summary_commit(SimWorld *world, SimNode *node)
{
	unsigned	every = 1 + (unsigned) (world->seed / 7 % 7);

	/* Where rows are dropped a start may be given those that are left: sim_prune.c. */
	if (world->plan.drops && !world->plan.sums)
		return;
	if (node->summaries == NULL)
		node->summaries = calloc(SIM_NODES_MAX, sizeof(SimSummary));
	for (unsigned i = 0; world->plan.drops && i < world->member_count; i++)
		note(node, i);
	if (node->chain_count < node->summary_blocks + every)
		return;
	node->summary_blocks = node->chain_count;
	for (unsigned i = 0; i < world->member_count; i++)
		make(node, i);
}

/* Where rows are dropped nothing else will say what they amounted to: V33. */
static void
note(const SimNode *node, unsigned log)
{
	SimSummary *summary = &node->summaries[log];
	TlConsensusStatus status;

	tl_consensus_status(node->core, &status);
	summary->knew_epoch = tl_consensus_summary(node->core, log + 1, &summary->knew) ?
		status.epoch + 1 : 0;
}

/* The one before stays until it was given: the next is of a row behind it. */
static void
make(const SimNode *node, unsigned log)
{
	SimSummary *summary = &node->summaries[log];
	SimRow	  **rows = node->logs[log].rows;
	uint64_t	view = node->chain[node->chain_count - 1].header.view;
	unsigned	last = node->read[log];
	TlLogSummary of = {0};

	if (last == 0 || (summary->made && !summary->given))
		return;
	last--;
	if (log + 1 != node->number)
	{
		if (!tl_consensus_summary(node->core, log + 1, &of))
			return;
		while (last > 0 && !sim_same(&rows[last]->digest, &of.digest))
			last--;
	}
	summary->made = summary->given = true;
	summary->last = last;
	summary->digest = rows[last]->digest;
	summary->of = of;
	while (summary->first < last &&
		   (SIM_FORGOTTEN(303) || view_of(&rows[summary->first]->row) < view ||
			rows[summary->first]->row.kind < TL_LOG_PROPOSE ||
			rows[summary->first]->row.kind > TL_LOG_CERT))
		summary->first++;
}

/* A CERT row may be of another view than its certificate. */
static uint64_t
view_of(const TlLogRow *row)
{
	TlCertificate certificate;

	if (row->kind != TL_LOG_CERT || tl_consensus_certificate_decode(&certificate, row->payload.data, row->payload.size) != TL_OK)
		return row->view;
	return certificate.view > row->view ? certificate.view : row->view;
}

/* A new core is given what is stored. */
void
sim_summary_start(SimWorld *world, SimNode *node, const TlConsensusConfig *config)
{
	drop_unused(world, node);
	sim_read_rows(world, node, true);
	check(world, node, config);
}

/* What is not of the stored rows any more is of no use; the rest is to be given. */
static void
drop_unused(const SimWorld *world, SimNode *node)
{
	for (unsigned i = 0; node->summaries != NULL && i < world->member_count; i++)
	{
		SimSummary *summary = &node->summaries[i];
		const SimLog *log = &node->logs[i];

		if (summary->made && summary->last < log->count &&
			sim_same(&log->rows[summary->last]->digest, &summary->digest))
			summary->given = (summary->of.member == 0);
		else
		{
			summary->made = summary->given = false;
			summary->first = 0;
		}
	}
}

/* Of the rows before that one a start needs few kinds; 0: it needs all. */
unsigned
sim_summary_first(const SimNode *node, unsigned log)
{
	return (node->summaries != NULL && node->summaries[log].made) ?
		node->summaries[log].first : 0;
}

/* So many rows before that one are gone. */
void
sim_summary_moved(SimNode *node, unsigned log, unsigned gone)
{
	SimSummary *summary;

	if (node->summaries == NULL || !node->summaries[log].made)
		return;
	summary = &node->summaries[log];
	summary->first -= (summary->first < gone) ? summary->first : gone;
	summary->last -= (summary->last < gone) ? summary->last : gone;
}

/* Is the next row of that log one that a core can do without? */
bool
sim_summary_passes(const SimNode *node, unsigned log)
{
	return node->summaries != NULL &&
		node->read[log] < node->summaries[log].first &&
		!is_needed(node, log, node->read[log]);
}

/* Of the rows below the first that is given in any case. */
static bool
is_needed(const SimNode *node, unsigned log, unsigned place)
{
	const TlLogRow *row = &node->logs[log].rows[place]->row;

	switch (row->kind)
	{
		case TL_LOG_REJOIN:
		case TL_LOG_EVIDENCE:
			return !SIM_FORGOTTEN(304);
		case TL_LOG_GOVERN:
			return row->epoch == node->epoch;
		case TL_LOG_BATCH:
			return needs_batch(node, row);
		case TL_LOG_STATE:
			return later_rows(node, log, place) < STATES_KEPT;
		case TL_LOG_ACK:		/* which copy of the node wrote it */
			return log + 1 == node->number && later_rows(node, log, place) == 0;
		default:
			return false;
	}
}

static bool
needs_batch(const SimNode *node, const TlLogRow *row)
{
	const TlConsensusBlock *base = &node->chain[node->chain_count - 1];
	TlBatchHeader header;

	if (tl_chain_batch_decode(&header, row->payload.data, row->payload.size) != TL_OK)
		return false;
	for (unsigned i = 0; i < base->lane_count; i++)
	{
		const TlLane *cut = &base->cut[i];

		if (cut->member == row->member)
			return header.incarnation > cut->incarnation ||
				(header.incarnation == cut->incarnation && header.batch > cut->batch);
	}
	return true;
}

/* How many rows of its kind come between it and the first that is given. */
static unsigned
later_rows(const SimNode *node, unsigned log, unsigned place)
{
	SimRow	  **rows = node->logs[log].rows;
	unsigned	count = 0;

	for (unsigned i = place + 1; i < node->summaries[log].first; i++)
		count += rows[i]->row.kind == rows[place]->row.kind;
	return count;
}

/* The row before the next one was given: is the summary of it? */
void
sim_summary_give(SimWorld *world, SimNode *node, unsigned log)
{
	SimSummary *summary = node->summaries != NULL ? &node->summaries[log] : NULL;
	TlInput		input = {.kind = TL_INPUT_SUMMARY, .more = true};

	if (summary == NULL || !summary->made || summary->given ||
		node->read[log] != summary->last + 1)
		return;
	summary->given = true;
	if (SIM_FORGOTTEN(302) ||
		sim_govern_member(world, summary->of.member, node->epoch) == NULL)
		return;
	input.summary = &summary->of;
	input.now_us = world->now_us + 1;
	input.clock_us = sim_fault_clock(world, node);
	/* It may have become an observer, of whom nothing is taken. */
	(void) tl_consensus_step(node->core, node->actions, &input);
	sim_node_obey(world, node);
}

/* V33: the core that begins, beside one that is given all rows. */
static void
check(SimWorld *world, SimNode *node, const TlConsensusConfig *config)
{
	struct SimSummary *summaries = node->summaries;
	TlConsensus *core = node->core;
	size_t		size = tl_consensus_size(config);
	void	   *memory;
	unsigned	read[SIM_NODES_MAX];

	if (summaries == NULL)
		return;
	memory = malloc(size);
	memcpy(read, node->read, sizeof(read));
	node->core = tl_consensus_init(memory, size, config);
	node->summaries = NULL;
	memset(node->read, 0, sizeof(node->read));
	sim_read_rows(world, node, true);
	for (unsigned i = 0; i < world->member_count; i++)
	{
		if (node->read[i] != read[i])
			sim_fail(world, "V33: node %u is given %u rows of log %u at its start, not %u",
					 node->id, read[i], i + 1, node->read[i]);
	}
	memory = node->core;
	node->core = core;
	node->summaries = summaries;
	same(world, node, memory);
	free(memory);
}

static void
same(SimWorld *world, const SimNode *node, const TlConsensus *whole)
{
	TlConsensusStatus begun;
	TlConsensusStatus all;

	tl_consensus_status(node->core, &begun);
	tl_consensus_status(whole, &all);
	if (begun.view != all.view || begun.sequence != all.sequence ||
		begun.entries != all.entries || begun.approvals != all.approvals ||
		begun.stopped != all.stopped || begun.diverged != all.diverged ||
		begun.floor != all.floor || begun.numbered != all.numbered ||
		begun.incarnation != all.incarnation)
		sim_fail(world, "V33: node %u begins in view %llu, row %llu, with %u entries, not in view %llu, row %llu, with %u",
				 node->id, (unsigned long long) begun.view, (unsigned long long) begun.sequence,
				 begun.entries, (unsigned long long) all.view,
				 (unsigned long long) all.sequence, all.entries);
	for (unsigned i = 0; i < world->member_count; i++)
	{
		if (world->plan.drops)
			same_known(world, node, i + 1);
		else
			same_summary(world, node, i + 1, whole);
	}
}

static void
same_summary(SimWorld *world, const SimNode *node, uint32_t member, const TlConsensus *whole)
{
	TlLogSummary begun = {0};
	TlLogSummary all = {0};

	if (tl_consensus_summary(node->core, member, &begun) != tl_consensus_summary(whole, member, &all))
		sim_fail(world, "V33: node %u does not begin with the last row of member %u",
				 node->id, member);
	if (differ(world, &begun, &all))
		sim_fail(world, "V33: node %u begins with ACKs of member %u up to block %llu, %u lanes, not %llu, %u",
				 node->id, member, (unsigned long long) begun.final_height, begun.lane_count,
				 (unsigned long long) all.final_height, all.lane_count);
}

/* Rows are gone: it stands where the core before did, if no row has come since. */
static void
same_known(SimWorld *world, const SimNode *node, uint32_t member)
{
	const SimSummary *summary = &node->summaries[member - 1];
	TlLogSummary knew = summary->knew;
	TlLogSummary begun = {0};

	if (summary->knew_epoch != node->epoch + 1 || !tl_consensus_summary(node->core, member, &begun) ||
		!sim_same(&begun.digest, &knew.digest))
		return;
	if (differ(world, &begun, &knew))
		sim_fail(world, "V33: node %u begins with ACKs of member %u up to block %llu, %u lanes, and knew of %llu, %u",
				 node->id, member, (unsigned long long) begun.final_height, begun.lane_count,
				 (unsigned long long) knew.final_height, knew.lane_count);
}

static bool
differ(const SimWorld *world, TlLogSummary *begun, TlLogSummary *other)
{
	uint8_t		left[TL_SUMMARY_SIZE_MAX];
	uint8_t		right[TL_SUMMARY_SIZE_MAX];
	TlWriter	writer;
	size_t		size;

	/* Of another branch of his log no row is stored, and so none given at a start. */
	if (world->plan.twins + world->plan.liars > 0 || world->forgotten)
		forget_copies(begun, other);
	tl_writer_init(&writer, left, sizeof(left));
	(void) tl_consensus_summary_encode(&writer, begun);
	size = writer.size;
	tl_writer_init(&writer, right, sizeof(right));
	(void) tl_consensus_summary_encode(&writer, other);
	return size != writer.size || memcmp(left, right, size) != 0;
}

static void
forget_copies(TlLogSummary *left, TlLogSummary *right)
{
	left->known = right->known;
	left->doubled = right->doubled;
	memcpy(left->incarnation, right->incarnation, TL_NONCE_SIZE);
	memcpy(left->instance, right->instance, TL_NONCE_SIZE);
	memcpy(left->other, right->other, TL_NONCE_SIZE);
}

/* What goes with a disk that is saved, restored or lost (NULL). */
struct SimSummary *
sim_summary_copy(const struct SimSummary *summaries)
{
	struct SimSummary *copy;

	if (summaries == NULL)
		return NULL;
	copy = malloc(SIM_NODES_MAX * sizeof(SimSummary));
	memcpy(copy, summaries, SIM_NODES_MAX * sizeof(SimSummary));
	return copy;
}
