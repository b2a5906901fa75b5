/*-------------------------------------------------------------------------
 *
 * sim_script.c
 *	  What no chance would find: who is cut off, votes and forgets, and when.
 *
 * A script looks at where everybody is, every few milliseconds, and goes on to
 * its next step when that is where it wants them.  It changes links and slots,
 * lets disks be lost, and says what a liar holds back; the members do the rest.
 * A step that waits too long ends it, and then it shows nothing: the scenarios
 * ask for those that came to their end (SIM_SEEN_SCRIPT).
 *
 *		AHEAD	three of four vote in view w, and the third alone sees all votes;
 *				it votes in w + 1 and loses its disk before anybody else is there.
 *				It may go on in w + 2, not in w + 1 (R36)
 *		REPLIER	the same with a liar: Y votes in w + 1, loses its disk, rejoins.
 *				With its old vote X enters w + 2, votes and loses its disk as
 *				well; Y has to say how far it may have been (R32)
 *		MANY	f + 1 lose their disks at once
 *		FORK	a quorum is restored to old backups while the others are cut off
 *		BELOW	a liar asks for a REJOIN
 *		BORDER	the votes that finalize the end of the epoch reach one member
 *				alone; it votes in the next epoch and loses its disk.  It may not
 *				go on before the others are there as well (R38)
 *		LATE	nobody hears the last one, which votes and loses its disk; its
 *				rows come to each of the others as soon as that one has said what
 *				it saw of them.  They come too late (R34)
 *
 *-------------------------------------------------------------------------
 */
#include "sim.h"

#include <string.h>

#define STEP_US		(2 * SIM_MS)
#define WAIT_US		(20000 * SIM_MS)	/* for a step */
#define ENDED		100

/* Who is who among four. */
#define LIAR		0
#define FIRST		1			/* X */
#define SECOND		2			/* Y */
#define LAST		3

static void go_ahead(SimWorld *world);
static void go_replier(SimWorld *world);
static void help_on(SimWorld *world);
static void tell_nullify(SimWorld *world, unsigned target, uint64_t view);
static void keep_votes(SimWorld *world, uint64_t view);
static void tell_certificate(SimWorld *world, uint64_t view);
static void show_log(SimWorld *world, const SimLog *log, unsigned target);
static void go_many(SimWorld *world);
static void go_fork(SimWorld *world);
static void go_below(SimWorld *world);
static void go_border(SimWorld *world);
static void go_late(SimWorld *world);
static void show_unheard(SimWorld *world, SimNode *author);
static bool votes_beyond(const SimLog *log, uint64_t sequence);
static SimRow *find_first(SimWorld *world, uint32_t member,
						  uint64_t sequence);
static bool ends_epoch(SimWorld *world, const TlHash *block);
static bool votes_in_epoch(const SimNode *node, uint64_t epoch);
static void compare_chains(SimWorld *world);
static void next_step(SimWorld *world);
static bool is_warm(SimWorld *world);
static uint64_t view_of(const SimNode *node);
static uint64_t highest_view(const SimWorld *world, unsigned but);
static void cut_between(SimWorld *world, unsigned left, unsigned right,
						bool cut);
static void deafen(SimWorld *world, unsigned id);
static const SimRow *find_row(const SimLog *log, uint8_t kind, uint64_t view);
static bool has_voted(const SimNode *node, uint64_t view);
static bool has_rejoined(const SimNode *node);
static unsigned most_blocks(const SimWorld *world);

void
sim_script_start(SimWorld *world)
{
	memset(&world->script, 0, sizeof(world->script));
	if (world->plan.script != SIM_SCRIPT_NONE)
		sim_later(world, STEP_US, (SimEvent) {.kind = SIM_SCRIPT_STEP});
}

void
sim_script_step(SimWorld *world)
{
	if (world->calm || world->script.step == ENDED)
		return;
	if (world->now_us > world->script.since_us + WAIT_US)
	{
		world->script.step = ENDED;
		return;
	}
	sim_later(world, STEP_US, (SimEvent) {.kind = SIM_SCRIPT_STEP});
	switch (world->plan.script)
	{
		case SIM_SCRIPT_AHEAD:
			go_ahead(world);
			break;
		case SIM_SCRIPT_REPLIER:
			go_replier(world);
			break;
		case SIM_SCRIPT_MANY:
			go_many(world);
			break;
		case SIM_SCRIPT_FORK:
			go_fork(world);
			break;
		case SIM_SCRIPT_BORDER:
			go_border(world);
			break;
		case SIM_SCRIPT_LATE:
			go_late(world);
			break;
		default:
			go_below(world);
			break;
	}
}

bool
sim_script_is_over(const SimWorld *world)
{
	return world->script.step == ENDED;
}

/* When the run is over: what a script asks for beside the usual checks. */
void
sim_script_end(SimWorld *world)
{
	if (world->plan.script == SIM_SCRIPT_FORK)
		compare_chains(world);
	if (world->plan.script != SIM_SCRIPT_MANY || world->script.step != ENDED)
		return;
	for (unsigned i = 0; i < world->node_count; i++)
	{
		if (world->nodes[i].forgot && has_rejoined(&world->nodes[i]))
			sim_fail(world, "V31: node %u has rejoined, and more than f forgot", i);
	}
	if (most_blocks(world) != world->script.blocks)
		sim_fail(world, "V31: more than f forgot, and blocks become final");
}

/* Of one that forgot and one that did not: V12. */
static void
compare_chains(SimWorld *world)
{
	const SimNode *left = &world->nodes[0];
	const SimNode *right = &world->nodes[world->node_count - 1];
	unsigned	count = (left->chain_count < right->chain_count) ?
		left->chain_count : right->chain_count;

	if (!sim_same(&left->chain[count - 1].hash, &right->chain[count - 1].hash))
		sim_check_fork(world, right->id);
}

/* Does the liar keep that row of its core to itself? */
bool
sim_script_withholds(const SimWorld *world, const SimRow *row)
{
	uint8_t		kind = row->row.kind;

	return !world->calm && world->script.step > 0 &&
		(kind == TL_LOG_PROPOSE || kind == TL_LOG_NOTARIZE ||
		 kind == TL_LOG_FINALIZE || kind == TL_LOG_NULLIFY ||
		 kind == TL_LOG_CERT);
}

static void
go_ahead(SimWorld *world)
{
	SimNode    *last = &world->nodes[LAST];

	switch (world->script.step)
	{
		case 0:
			if (!is_warm(world))
				return;
			/* The first hears only the last one, and nobody hears that. */
			cut_between(world, 0, 1, true);
			cut_between(world, 0, 2, true);
			for (unsigned i = 0; i < LAST; i++)
				world->cut[LAST][i] = true;
			next_step(world);
			return;
		case 1:
			world->script.view = view_of(last);
			if (world->script.view <= highest_view(world, LAST) ||
				!has_voted(last, world->script.view))
				return;
			for (unsigned i = 0; i < LAST; i++)
				world->cut[LAST][i] = false;
			sim_memory_lose(world, last);
			next_step(world);
			return;
		default:
			if (!has_rejoined(last))
				return;
			world->seen[SIM_SEEN_SCRIPT] +=
				(highest_view(world, LAST) < world->script.view);
			memset(world->cut, 0, sizeof(world->cut));
			world->plan.poll_us = 400 * SIM_MS;
			for (unsigned i = 0; i < world->node_count; i++)
				sim_later(world, 1, (SimEvent) {.kind = SIM_POLL, .node = i});
			next_step(world);
			world->script.step = ENDED;
			return;
	}
}

static void
go_replier(SimWorld *world)
{
	SimNode    *first = &world->nodes[FIRST];
	SimNode    *second = &world->nodes[SECOND];
	uint64_t	view = world->script.view;

	switch (world->script.step)
	{
		case 0:
			if (!is_warm(world))
				return;
			for (unsigned i = 0; i < LAST; i++)
				cut_between(world, LAST, i, true);
			world->script.view = highest_view(world, world->node_count) + 2;
			next_step(world);
			return;
		case 1:
			help_on(world);
			if (find_row(&first->logs[FIRST], TL_LOG_NULLIFY, view) == NULL ||
				find_row(&first->logs[SECOND], TL_LOG_NULLIFY, view) == NULL)
				return;
			deafen(world, SECOND);
			sim_memory_lose(world, second);
			next_step(world);
			return;
		case 2:
			if (!has_rejoined(second))
				return;
			tell_nullify(world, FIRST, view);
			next_step(world);
			return;
		case 3:
			if (!has_voted(first, view + 1))
				return;
			keep_votes(world, view);
			deafen(world, FIRST);
			sim_memory_lose(world, first);
			next_step(world);
			return;
		case 4:
			/* Without the REJOIN of who answers it can believe nothing of him. */
			if (first->up && first->logs[SECOND].count == 0)
				show_log(world, &second->logs[SECOND], FIRST);
			if (!has_rejoined(first))
				return;
			world->seen[SIM_SEEN_SCRIPT] += (view_of(second) < view &&
											 view_of(&world->nodes[LAST]) < view);
			tell_certificate(world, view);
			next_step(world);
			return;
		default:
			if (world->now_us > world->script.since_us + 2000 * SIM_MS)
				world->script.step = ENDED;
			return;
	}
}

/* Where both have nullified a view the liar does so too, but for the last one. */
static void
help_on(SimWorld *world)
{
	uint64_t	view = view_of(&world->nodes[FIRST]);

	if (view_of(&world->nodes[SECOND]) < view)
		view = view_of(&world->nodes[SECOND]);
	if (view <= world->script.told || view >= world->script.view ||
		!find_row(&world->nodes[FIRST].logs[SECOND], TL_LOG_NULLIFY, view) ||
		!find_row(&world->nodes[SECOND].logs[FIRST], TL_LOG_NULLIFY, view))
		return;
	tell_nullify(world, FIRST, view);
	tell_nullify(world, SECOND, view);
	world->script.told = view;
}

static void
tell_nullify(SimWorld *world, unsigned target, uint64_t view)
{
	TlLogRow	row = {.member = LIAR + 1, .kind = TL_LOG_NULLIFY, .view = view};

	sim_liar_tell(world, &world->nodes[LIAR], target, row);
}

/* The votes of that view, as the first one has them. */
static void
keep_votes(SimWorld *world, uint64_t view)
{
	SimNode    *first = &world->nodes[FIRST];

	for (unsigned i = LIAR; i <= SECOND; i++)
		world->script.votes[i] = find_row(&first->logs[i], TL_LOG_NULLIFY, view);
}

/* Their certificate, in the liar's log, which comes over whole. */
static void
tell_certificate(SimWorld *world, uint64_t view)
{
	uint8_t		votes[(SECOND + 1) * TL_CERTIFICATE_VOTE_SIZE];
	uint8_t		bytes[TL_CERTIFICATE_SIZE_FIXED + sizeof(votes)];
	TlCertificate certificate = {.kind = TL_LOG_NULLIFY, .view = view,
	.vote_count = SECOND + 1, .votes = {votes, sizeof(votes)}};
	TlLogRow	row = {.member = LIAR + 1, .kind = TL_LOG_CERT, .view = view};
	TlWriter	writer;

	tl_writer_init(&writer, votes, sizeof(votes));
	for (unsigned i = LIAR; i <= SECOND; i++)
	{
		TlVote		vote;

		tl_consensus_certificate_row_vote(&vote, &world->script.votes[i]->row);
		tl_consensus_certificate_put_vote(&writer, &vote);
	}
	tl_writer_init(&writer, bytes, sizeof(bytes));
	if (tl_consensus_certificate_encode(&writer, &certificate) != TL_OK)
		sim_fail(world, "the script's certificate is none");
	row.payload.data = bytes;
	row.payload.size = writer.size;
	sim_liar_tell(world, &world->nodes[LIAR], FIRST, row);
	show_log(world, &world->nodes[LIAR].stories[FIRST], FIRST);
}

/* All of it, from its first row on. */
static void
show_log(SimWorld *world, const SimLog *log, unsigned target)
{
	for (unsigned i = 0; i < log->count; i++)
		sim_later(world, 1 + i, (SimEvent) {.kind = SIM_ARRIVE, .node = target,
				  .life = world->nodes[target].life,
				  .row = log->rows[i]});
}

static void
go_many(SimWorld *world)
{
	unsigned	count = tl_consensus_faults(world->founder_count) + 1;

	if (world->script.step == 0)
	{
		if (!is_warm(world))
			return;
		for (unsigned i = 0; i < count; i++)
			sim_memory_lose(world, &world->nodes[(i + world->seed) %
												 world->founder_count]);
		next_step(world);
	}
	/* What was on its way has come then. */
	else if (world->now_us > world->script.since_us + 1000 * SIM_MS)
	{
		world->script.blocks = most_blocks(world);
		world->seen[SIM_SEEN_SCRIPT]++;
		world->script.step = ENDED;
	}
}

static void
go_fork(SimWorld *world)
{
	unsigned	count = world->plan.forgetful;

	if (world->script.step == 0 && is_warm(world))
	{
		for (unsigned i = 0; i < count; i++)
			sim_memory_save(world, &world->nodes[i]);
		next_step(world);
	}
	else if (world->script.step == 1 &&
			 world->now_us > world->script.since_us + 300 * SIM_MS)
	{
		world->script.blocks = most_blocks(world);
		for (unsigned i = 0; i < count; i++)
		{
			sim_memory_restore(world, &world->nodes[i]);
			for (unsigned j = count; j < world->node_count; j++)
				cut_between(world, i, j, true);
		}
		next_step(world);
	}
	else if (world->script.step == 2 &&
			 world->nodes[0].chain_count > world->script.blocks + 2)
	{
		memset(world->cut, 0, sizeof(world->cut));
		world->script.step = ENDED;
	}
}

static void
go_below(SimWorld *world)
{
	if (world->script.step == 0 && is_warm(world))
	{
		sim_memory_rejoin(world, &world->nodes[LIAR]);
		sim_node_ask(world, &world->nodes[LIAR]);
		next_step(world);
	}
	else if (world->script.step == 1 &&
			 world->now_us > world->script.since_us + 1000 * SIM_MS)
		world->script.step = ENDED;
}

static void
go_border(SimWorld *world)
{
	SimNode    *last = &world->nodes[LAST];

	switch (world->script.step)
	{
		case 0:
			/* Until then it waits for a motion that is decided. */
			world->script.since_us = world->now_us;
			if (!votes_in_epoch(last, 1))
				return;
			sim_memory_lose(world, last);
			next_step(world);
			return;
		case 1:
			if (!last->up || (!has_rejoined(last) &&
							  world->now_us < world->script.since_us + 8000 * SIM_MS))
				return;
			for (unsigned i = 0; i < LAST; i++)
				world->seen[SIM_SEEN_SCRIPT] += (i == 0 && world->nodes[i].epoch == 0);
			world->plan.poll_us = 400 * SIM_MS;
			for (unsigned i = 0; i < world->node_count; i++)
				sim_later(world, 1, (SimEvent) {.kind = SIM_POLL, .node = i});
			world->script.step = ENDED;
			return;
		default:
			return;
	}
}

static void
go_late(SimWorld *world)
{
	SimNode    *author = &world->nodes[world->founder_count - 1];
	const SimLog *wire = &author->wire;

	switch (world->script.step)
	{
		case 0:
			if (!is_warm(world))
				return;
			for (unsigned i = 0; i < author->id; i++)
				world->cut[author->id][i] = true;
			world->script.left = wire->rows[wire->count - 1]->row.sequence;
			next_step(world);
			return;
		case 1:
			if (!votes_beyond(wire, world->script.left))
				return;
			world->script.left = wire->rows[wire->count - 1]->row.sequence;
			memset(world->cut, 0, sizeof(world->cut));
			sim_memory_lose(world, author);
			world->plan.poll_us = 400 * SIM_MS;
			for (unsigned i = 0; i < world->node_count; i++)
				sim_later(world, 1, (SimEvent) {.kind = SIM_POLL, .node = i});
			next_step(world);
			return;
		default:
			show_unheard(world, author);
			if (!has_rejoined(author))
				return;
			world->seen[SIM_SEEN_SCRIPT] +=
				(world->script.told == (UINT64_C(1) << author->id) - 1);
			world->script.step = ENDED;
			return;
	}
}

/* To each that has replied, once: what left before the disk was lost. */
static void
show_unheard(SimWorld *world, SimNode *author)
{
	for (unsigned i = 0; i < author->id; i++)
	{
		const SimNode *node = &world->nodes[i];
		const SimLog *log = &node->logs[author->number - 1];
		uint64_t	sequence = log->count;

		if (node->replies[author->number - 1] == NULL ||
			(world->script.told >> i & 1))
			continue;
		while (++sequence <= world->script.left)
			sim_later(world, (int64_t) sequence,
					  (SimEvent) {.kind = SIM_ARRIVE, .node = i,
					  .life = node->life,
					  .row = find_first(world, author->number, sequence)});
		world->script.told |= UINT64_C(1) << i;
	}
}

static bool
votes_beyond(const SimLog *log, uint64_t sequence)
{
	for (unsigned i = log->count; i-- > 0;)
	{
		uint8_t		kind = log->rows[i]->row.kind;

		if (log->rows[i]->row.sequence <= sequence)
			return false;
		if (kind == TL_LOG_NOTARIZE || kind == TL_LOG_FINALIZE ||
			kind == TL_LOG_NULLIFY)
			return true;
	}
	return false;
}

/* A row of somebody's first incarnation, whether anybody has it still or not. */
static SimRow *
find_first(SimWorld *world, uint32_t member, uint64_t sequence)
{
	static const uint8_t zeros[TL_NONCE_SIZE];
	SimRow	   *row = world->rows;

	while (row != NULL && (row->row.member != member ||
						   row->row.sequence != sequence ||
						   memcmp(row->row.nonce, zeros, TL_NONCE_SIZE) != 0))
		row = row->next;
	if (row == NULL)
		sim_fail(world, "the script's row is none");
	return row;
}

/* Is that row kept from that member on its way? */
bool
sim_script_drops(SimWorld *world, const SimNode *node, const SimRow *row,
				 unsigned target)
{
	TlHash		block;

	if (world->plan.script != SIM_SCRIPT_BORDER || world->calm ||
		world->script.step == ENDED)
		return false;
	if (node->id == LAST && (row->row.kind == TL_LOG_FINALIZE ||
							 row->row.kind == TL_LOG_CERT || row->row.epoch > 0))
		return true;
	return row->row.kind == TL_LOG_FINALIZE && target != LAST &&
		tl_consensus_vote_decode(&block, row->row.payload.data,
								 row->row.payload.size) == TL_OK &&
		ends_epoch(world, &block);
}

/* Does it decide who the members are, or follow one that does? */
static bool
ends_epoch(SimWorld *world, const TlHash *block)
{
	const SimRow *row = sim_find(world, block);
	TlProposal	proposal;
	TlReader	reader;

	if (row == NULL || row->row.kind != TL_LOG_PROPOSE ||
		tl_consensus_proposal_decode(&proposal, row->row.payload.data,
									 row->row.payload.size) != TL_OK)
		return false;
	tl_reader_init(&reader, proposal.entries.data, proposal.entries.size);
	while (reader.offset < proposal.entries.size)
	{
		if (tl_get_u8(&reader) == TL_ENTRY_MEMBERS)
			return true;
		(void) tl_get_span(&reader, TL_HASH_SIZE);
	}
	return false;
}

static bool
votes_in_epoch(const SimNode *node, uint64_t epoch)
{
	const SimLog *own = &node->logs[node->number - 1];

	for (unsigned i = own->count; i-- > 0;)
	{
		const TlLogRow *row = &own->rows[i]->row;

		if (row->epoch == epoch &&
			(row->kind == TL_LOG_NOTARIZE || row->kind == TL_LOG_NULLIFY))
			return true;
	}
	return false;
}

static void
next_step(SimWorld *world)
{
	world->script.step++;
	world->script.since_us = world->now_us;
}

/* Everybody is up, and there are blocks. */
static bool
is_warm(SimWorld *world)
{
	for (unsigned i = 0; i < world->node_count; i++)
	{
		if (!world->nodes[i].up || world->nodes[i].busy ||
			world->nodes[i].chain_count < 3 + world->seed % 8)
			return false;
	}
	return true;
}

static uint64_t
view_of(const SimNode *node)
{
	TlConsensusStatus status;

	tl_consensus_status(node->core, &status);
	return status.view;
}

/* Of all the others. */
static uint64_t
highest_view(const SimWorld *world, unsigned but)
{
	uint64_t	highest = 0;

	for (unsigned i = 0; i < world->node_count; i++)
	{
		if (i != but && view_of(&world->nodes[i]) > highest)
			highest = view_of(&world->nodes[i]);
	}
	return highest;
}

static void
cut_between(SimWorld *world, unsigned left, unsigned right, bool cut)
{
	world->cut[left][right] = world->cut[right][left] = cut;
}

/* It gets answers, and may answer, but no row comes by itself, nor does its. */
static void
deafen(SimWorld *world, unsigned id)
{
	for (unsigned i = 0; i < world->node_count; i++)
	{
		world->slotless[i][id] = world->slotless[id][i] = true;
		cut_between(world, i, id, false);
	}
}

static const SimRow *
find_row(const SimLog *log, uint8_t kind, uint64_t view)
{
	for (unsigned i = log->count; i-- > 0;)
	{
		if (log->rows[i]->row.kind == kind && log->rows[i]->row.view == view)
			return log->rows[i];
	}
	return NULL;
}

/* Durably. */
static bool
has_voted(const SimNode *node, uint64_t view)
{
	const SimLog *own = &node->logs[node->number - 1];

	return find_row(own, TL_LOG_PROPOSE, view) != NULL ||
		find_row(own, TL_LOG_NOTARIZE, view) != NULL ||
		find_row(own, TL_LOG_NULLIFY, view) != NULL;
}

static bool
has_rejoined(const SimNode *node)
{
	const SimLog *own = &node->logs[node->number - 1];

	return node->up && !node->rejoining && own->count > 0 &&
		own->rows[own->count - 1]->row.nonce[0] != 0;
}

static unsigned
most_blocks(const SimWorld *world)
{
	unsigned	most = 0;

	for (unsigned i = 0; i < world->node_count; i++)
	{
		if (world->nodes[i].chain_count > most)
			most = world->nodes[i].chain_count;
	}
	return most;
}
