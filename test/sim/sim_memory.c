/*-------------------------------------------------------------------------
 *
 * sim_memory.c
 *	  Disks that forget, and what a node does about it.
 *
 * A backup is a copy of a node's disk.  A disk is lost as a whole, or restored
 * from the backup: with the wire still there (then the node itself sees that it
 * lacks rows), or together with it (then only others can tell).  The backup
 * stays, and may be restored again.  At most f members are at fault at once, in
 * the newest epoch and in those that its motions may open; a node that forgot
 * counts among them until it is past the floor of its REJOIN.
 *
 * A node that was restored together with its wire waits at its start for all
 * others, and where somebody may lie, or two of three are a quorum, or members came
 * after the epoch that it is in now, the operator lets it rejoin: otherwise it would count among the f (README.md of the floor).
 *
 *-------------------------------------------------------------------------
 */
#include "sim.h"

#include "consensus_reply.h"

#include <stdlib.h>
#include <string.h>

#define DOWN_US	(1200 * SIM_MS)	/* longer than any row is on its way */

typedef struct SimBackup
{
	SimLog		logs[SIM_NODES_MAX];
	SimLog		loose;
	SimLog		wire;
	TlConsensusBlock *chain;
	unsigned	chain_count;
	uint64_t	epoch;
	TlStanding	standing;
	SimBytes   *certificates;	/* of the chain's blocks, likewise */
	unsigned	certificate_count;
	uint8_t    *certificate;
	size_t		certificate_size;
	TlHash	   *bodies;
	unsigned	body_count;
	SimRow	   *replies[SIM_NODES_MAX];
	uint8_t		closed[SIM_NODES_MAX][TL_NONCE_SIZE];
	struct SimSummary *summaries;
	unsigned	summary_blocks;
	bool		rejoining;
	uint8_t		nonce[TL_NONCE_SIZE];
} SimBackup;

static const SimBackup nothing;

static void forget(SimWorld *world, SimNode *node, const SimBackup *backup,
				   bool with_wire);
static void restore(SimWorld *world, SimNode *node, const SimBackup *backup,
					bool with_wire);
static void save_certificates(SimBackup *backup, const SimNode *node);
static void copy_log(SimLog *to, const SimLog *from);
static void recount(SimWorld *world, SimNode *node);
static uint32_t tickets(const SimNode *node, uint32_t asker);
static void cut_log(SimWorld *world, SimNode *node, const TlHash *after);
static void choose_nonce(SimWorld *world, SimNode *node);
static void copy_disk(SimWorld *world);
static bool may_forget(const SimWorld *world, const SimNode *node);
static bool was_asked_for(const SimNode *node, const SimRow *row,
						  const TlRejoin *rejoin);
static bool two_of_three(const SimWorld *world, uint64_t epoch);
static bool others_came(const SimWorld *world, uint64_t epoch);
static bool is_unanimous(const SimWorld *world, const SimNode *node);
static SimRow *tail(const SimLog *log);
static bool lacks_wire(const SimNode *node);
static void give_loose(SimWorld *world, SimNode *node, TlInputKind kind,
					   const SimRow *row);
static SimRow *lie(SimWorld *world, const SimRow *row);

/* A backup, or a disk that fails. */
void
sim_memory_event(SimWorld *world)
{
	SimNode    *node = &world->nodes[sim_random(world, world->node_count)];
	unsigned	kind = (unsigned) sim_random(world, 6);
	bool		with_wire;

	sim_later(world, (int64_t) sim_random(world, 4000 * SIM_MS /
										  world->plan.forget_weight),
			  (SimEvent) {.kind = SIM_FORGET});
	if (world->plan.forget == SIM_FORGET_COPY)
	{
		copy_disk(world);
		return;
	}
	if (world->plan.same_backup)
		node = &world->nodes[world->member_count - 1];
	if (!sim_is_honest(node) || !node->up || sim_state_diverges(world, node))
		return;
	if (world->plan.forget != SIM_FORGET_ANY && node->backup != NULL)
		kind = 1 + (unsigned) world->plan.forget;
	else if (world->plan.forget == SIM_FORGET_ALL)
		kind = 2;
	if (kind < 2 || !may_forget(world, node))
	{
		if (!node->forgot && (node->backup == NULL ||
							  (kind == 0 && !world->plan.same_backup)))
			sim_memory_save(world, node);
		return;
	}
	with_wire = (kind != 3 || node->backup == NULL);
	if (kind == 2 || node->backup == NULL)
		forget(world, node, &nothing, true);
	else
	{
		world->seen[SIM_SEEN_SAME_BACKUP] += (node->restored++ > 0);
		forget(world, node, node->backup, with_wire);
	}
}

/* Everything of it. */
void
sim_memory_lose(SimWorld *world, SimNode *node)
{
	forget(world, node, &nothing, true);
}

/* Its operator does not know that the backup is old. */
void
sim_memory_restore(SimWorld *world, SimNode *node)
{
	forget(world, node, node->backup, true);
	sim_check_forgotten(world, node, NULL);
	node->forgot = node->forgot_wire = node->rejoining = false;
}

static void
forget(SimWorld *world, SimNode *node, const SimBackup *backup, bool with_wire)
{
	sim_node_crash(world, node);
	restore(world, node, backup, with_wire);
	world->forgotten = true;
	/* Who may lie, and what is on its way for hours, tells too late. */
	if (with_wire && (world->plan.hold_weight > 0 ||
					  two_of_three(world, node->epoch) ||
					  others_came(world, node->epoch) ||
					  world->plan.liars + world->plan.twins +
					  world->plan.silent > 0))
		choose_nonce(world, node);
	/* Who was no founder has to copy the chain once more. */
	node->joined = sim_govern_member(world, node->number, node->epoch) != NULL;
	sim_later(world, DOWN_US + (int64_t) sim_random(world, 1500 * SIM_MS),
			  (SimEvent) {.kind = node->joined ? SIM_RESTART : SIM_JOIN,
			  .node = node->id});
}

/*
 * The double of a twin is what its original was a moment ago.  The original of a
 * second double may be the first.
 */
static void
copy_disk(SimWorld *world)
{
	unsigned	one = world->member_count +
		(unsigned) sim_random(world, 1 + world->plan.more_copies);

	for (unsigned i = world->member_count; i < world->node_count; i++)
	{
		SimNode    *copy = &world->nodes[i];
		SimNode    *original = &world->nodes[copy->number - 1];
		bool		second = world->nodes[i - 1].number == copy->number &&
			i > world->member_count;

		if (second && world->plan.copies_of_copies)
			original = &world->nodes[i - 1];
		if (!copy->up || !original->up || (world->plan.more_copies > 0 && i != one))
			continue;
		sim_memory_save(world, original);
		sim_node_crash(world, copy);
		restore(world, copy, original->backup, true);
		copy->forgot = copy->forgot_wire = false;
		sim_check_forgotten(world, copy, NULL); /* another copy's votes */
		sim_node_start(world, copy);
		world->seen[SIM_SEEN_COPY]++;
		world->seen[SIM_SEEN_COPIES] += second && world->nodes[i - 1].up;
	}
}

/*
 * One at a time where nobody may be at fault; else at most f.  Who is still to
 * join has no memory either.
 */
static bool
may_forget(const SimWorld *world, const SimNode *node)
{
	unsigned	least = sim_govern_least(world);
	unsigned	faults = tl_consensus_faults(least);
	unsigned	bad = world->plan.liars + world->plan.twins + world->plan.silent;
	uint64_t	epoch = world->epoch_count - 1;

	if (least <= 1 || sim_govern_member(world, node->number, epoch) == NULL)
		return false;
	/* Back in an epoch that it had for itself it would ask nobody. */
	for (uint64_t before = 0; before < epoch; before++)
	{
		if (sim_govern_validators(world, before) == 1)
			return false;
	}
	for (unsigned i = 0; i < world->node_count; i++)
		bad += world->nodes[i].forgot ||
			(!world->nodes[i].joined &&
			 sim_govern_member(world, world->nodes[i].number, epoch) != NULL);
	return (faults == 0) ? bad == 0 : bad < faults;
}

void
sim_memory_save(SimWorld *world, SimNode *node)
{
	SimBackup  *backup = node->backup;

	if (backup == NULL)
		node->backup = backup = calloc(1, sizeof(SimBackup));
	node->restored = 0;
	for (unsigned i = 0; i < world->member_count; i++)
	{
		copy_log(&backup->logs[i], &node->logs[i]);
		/* Only what no crash can take: others may have been told that it is not here. */
		if (i + 1 != node->number && backup->logs[i].count > node->safe[i])
			backup->logs[i].count = node->safe[i];
	}
	copy_log(&backup->loose, &node->loose);
	copy_log(&backup->wire, &node->wire);
	backup->chain_count = node->chain_count;
	backup->epoch = node->epoch;
	backup->standing = node->standing;
	backup->chain = realloc(backup->chain, node->chain_count *
							sizeof(TlConsensusBlock));
	memcpy(backup->chain, node->chain, node->chain_count *
		   sizeof(TlConsensusBlock));
	save_certificates(backup, node);
	/* That of a block in a transaction may be there already: it serves both. */
	backup->certificate_size = node->certificate_size;
	backup->certificate = realloc(backup->certificate,
								  node->certificate_size + 1);
	memcpy(backup->certificate, node->certificate, node->certificate_size);
	backup->body_count = node->body_count;
	backup->bodies = realloc(backup->bodies, (node->body_count + 1) *
							 sizeof(TlHash));
	memcpy(backup->bodies, node->bodies, node->body_count * sizeof(TlHash));
	memcpy(backup->replies, node->replies, sizeof(backup->replies));
	memcpy(backup->closed, node->closed, sizeof(backup->closed));
	free(backup->summaries);
	backup->summaries = sim_summary_copy(node->summaries);
	backup->summary_blocks = node->summary_blocks;
	backup->rejoining = node->rejoining;
	memcpy(backup->nonce, node->nonce, TL_NONCE_SIZE);
}

static void
save_certificates(SimBackup *backup, const SimNode *node)
{
	for (unsigned i = 0; i < backup->certificate_count; i++)
		free(backup->certificates[i].bytes);
	backup->certificates = realloc(backup->certificates, node->chain_count * sizeof(SimBytes));
	backup->certificate_count = node->chain_count;
	for (unsigned i = 0; i < node->chain_count; i++)
	{
		const SimBytes *kept = &node->certificates[i];

		backup->certificates[i].size = kept->size;
		backup->certificates[i].bytes = malloc(kept->size + 1);
		if (kept->size > 0)
			memcpy(backup->certificates[i].bytes, kept->bytes, kept->size);
	}
}

static void
restore(SimWorld *world, SimNode *node, const SimBackup *backup,
		bool with_wire)
{
	TlSpan		certificate = {backup->certificate, backup->certificate_size};

	for (unsigned i = 0; i < world->member_count; i++)
	{
		copy_log(&node->logs[i], &backup->logs[i]);
		node->safe[i] = backup->logs[i].count;
	}
	copy_log(&node->loose, &backup->loose);
	if (with_wire)
		copy_log(&node->wire, &backup->wire);
	node->epoch = node->epoch_pending = backup->epoch;
	node->standing = backup->standing;
	node->stated_row = 0;
	memset(&node->checkpoint, 0, sizeof(node->checkpoint));
	node->chain_count = node->final_pending = 0;
	for (unsigned i = 0; i < backup->chain_count; i++)
	{
		TlSpan		own = {backup->certificates[i].bytes, backup->certificates[i].size};

		sim_disk_add_block(node, &backup->chain[i],
						   (i + 1 < backup->chain_count) ? own : certificate);
	}
	node->chain_count = node->final_pending;
	node->final_pending = 0;
	node->body_count = 0;
	for (unsigned i = 0; i < backup->body_count; i++)
		sim_disk_add_body(node, &backup->bodies[i]);
	memcpy(node->replies, backup->replies, sizeof(node->replies));
	memcpy(node->closed, backup->closed, sizeof(node->closed));
	free(node->summaries);
	node->summaries = sim_summary_copy(backup->summaries);
	node->summary_blocks = backup->summary_blocks;
	node->rejoining = backup->rejoining;
	memcpy(node->nonce, backup->nonce, TL_NONCE_SIZE);
	node->forgot = true;
	node->forgot_blocks = 0;
	for (unsigned i = 0; i < world->node_count; i++)
	{
		if (world->nodes[i].chain_count > node->forgot_blocks)
			node->forgot_blocks = world->nodes[i].chain_count;
	}
	node->forgot_wire = with_wire;
	/* What had not left when it fell nobody has seen. */
	if (!with_wire && node->voted_epoch == node->epoch)
		sim_check_forgotten(world, node, &node->wire);
	recount(world, node);
}

static void
copy_log(SimLog *to, const SimLog *from)
{
	to->count = 0;
	to->sparse = from->sparse;
	for (unsigned i = 0; i < from->count; i++)
		sim_log_add(to, from->rows[i]);
}

/* What follows from the rows that are left. */
static void
recount(SimWorld *world, SimNode *node)
{
	uint64_t	bit = UINT64_C(1) << node->id;

	for (SimRow *row = world->rows; row != NULL; row = row->next)
		row->holders &= ~bit;
	for (unsigned i = 0; i < world->member_count; i++)
	{
		for (unsigned j = 0; j < node->logs[i].count; j++)
			node->logs[i].rows[j]->holders |= bit;
	}
	for (unsigned j = 0; j < node->loose.count; j++)
		node->loose.rows[j]->holders |= bit;
	sim_memory_recount(world, node);
}

/* A REJOIN is durable. */
void
sim_memory_witness(SimWorld *world, const SimNode *node)
{
	if (!sim_is_honest(node))
		return;
	world->seen[SIM_SEEN_REJOIN]++;
	world->seen[SIM_SEEN_REJOIN_LATER] += (node->request_epoch > 0 &&
										   node->epoch >= node->request_epoch);
	for (unsigned i = 0; i < world->node_count; i++)
	{
		const SimNode *other = &world->nodes[i];
		const SimRow *last = tail(&other->logs[other->number - 1]);

		world->seen[SIM_SEEN_SEQUENCE] += (other != node && sim_is_honest(other) &&
										   last != NULL && last->row.nonce[0] != 0);
	}
}

/* How far the own lane is: batches of the incarnation that goes on. */
void
sim_memory_recount(SimWorld *world, SimNode *node)
{
	const SimLog *own = &node->logs[node->number - 1];
	SimRow	   *last = tail(own);

	node->lane_head = 0;
	for (unsigned i = 0; i < own->count; i++)
	{
		if (own->rows[i]->row.kind == TL_LOG_BATCH &&
			memcmp(own->rows[i]->row.nonce, last->row.nonce, TL_NONCE_SIZE) == 0)
		{
			node->lane_head++;
			node->lane_digest = own->rows[i]->subject;
		}
	}
}

/* Before the core of a node begins to act. */
void
sim_memory_open(SimWorld *world, SimNode *node, bool start)
{
	TlInput		input = {.kind = TL_INPUT_START};

	for (unsigned i = 0; i < world->member_count; i++)
	{
		if (node->replies[i] != NULL)
			give_loose(world, node, TL_INPUT_REPLIED, node->replies[i]);
	}
	/* The node itself compares its own log with its wire. */
	if (start && sim_is_honest(node) && lacks_wire(node) && !node->rejoining)
		sim_memory_rejoin(world, node);
	else if (node->rejoining)
		sim_memory_rejoin(world, node);
	else if (sim_is_honest(node))
		copy_log(&node->wire, &node->logs[node->number - 1]);	/* the rest leaves */
	/* Nobody has signed anything when the world begins. */
	input.fresh = start && world->now_us > 0 &&
		(sim_is_honest(node) || node->role == SIM_FORGETFUL ||
		 (node->role == SIM_TWIN && world->plan.twins_ask));
	sim_node_step(world, node, &input, false);
}

/* Rows of an incarnation that an own REJOIN has ended say nothing here, of whatever epoch (R31). */
static bool
lacks_wire(const SimNode *node)
{
	const SimLog *own = &node->logs[node->number - 1];
	const SimRow *last = tail(&node->wire);

	for (unsigned i = 0; last != NULL && i < own->count; i++)
	{
		const TlLogRow *row = &own->rows[i]->row;
		TlRejoin	rejoin;

		if (row->kind == TL_LOG_REJOIN &&
			tl_consensus_rejoin_decode(&rejoin, row->payload.data, row->payload.size) == TL_OK &&
			memcmp(rejoin.nonce_before, last->row.nonce, TL_NONCE_SIZE) == 0)
			return false;
	}
	return last != NULL && !sim_log_has(own, own->count, last) &&
		!(own->sparse && sim_prune_next(own, last) < own->count);
}

/* The operator lets it go on: a nonce, which is kept until the REJOIN is. */
void
sim_memory_rejoin(SimWorld *world, SimNode *node)
{
	TlInput		input = {.kind = TL_INPUT_REJOIN};
	static const char reason[] = "a disk of the simulator";

	if (!node->rejoining)
		choose_nonce(world, node);
	input.rejoin.cause = TL_REJOIN_ROLLED_BACK;
	memcpy(input.rejoin.nonce, node->nonce, TL_NONCE_SIZE);
	input.rejoin.reason.data = (const uint8_t *) reason;
	input.rejoin.reason.size = sizeof(reason) - 1;
	sim_node_step(world, node, &input, true);
}

static void
choose_nonce(SimWorld *world, SimNode *node)
{
	for (int i = 0; i < TL_NONCE_SIZE; i++)
		node->nonce[i] = (uint8_t) (1 + sim_random(world, 255));
	node->rejoining = true;
	node->request_epoch = 0;
}

/* Everybody is asked for the newest row of this node that he stores. */
void
sim_memory_ask(SimWorld *world, SimNode *node)
{
	for (unsigned i = 0; i < world->node_count; i++)
	{
		SimNode    *peer = &world->nodes[i];
		SimEvent	event = {.kind = SIM_LAST_SEEN, .node = node->id, .peer = i,
		.life = node->life, .row = tail(&peer->logs[node->number - 1])};

		if (peer->number == node->number || !peer->up ||
			peer->role == SIM_SILENT ||
			!sim_wire_linked(world, i, node->id) ||
			!sim_wire_linked(world, node->id, i) ||
			sim_chance(world, world->plan.loss_percent))
			continue;
		event.ticket = tickets(peer, node->number);
		if (peer->role == SIM_LIAR && sim_chance(world, 50))
			event.row = NULL;
		sim_later(world, 2 * sim_wire_delay(world, i, node->id), event);
	}
}

/* How often it has replied to that member. */
static uint32_t
tickets(const SimNode *node, uint32_t asker)
{
	const SimRow *row = node->replies[asker - 1];
	TlReply		reply;

	if (row == NULL ||
		tl_consensus_reply_decode(&reply, row->row.payload.data,
								  row->row.payload.size) != TL_OK)
		return 0;
	return reply.ticket + 1;
}

void
sim_memory_request(SimWorld *world, SimNode *node, const TlAction *action)
{
	SimRow	   *row = sim_row(world, &action->row);

	if (node->request_epoch == 0)
		node->request_epoch = row->row.epoch + 1;
	for (unsigned i = 0; i < world->node_count; i++)
	{
		if (world->nodes[i].number == action->member &&
			sim_wire_linked(world, node->id, i))
			sim_later(world, sim_wire_delay(world, node->id, i),
					  (SimEvent) {.kind = SIM_REQUEST, .node = i,
					  .life = world->nodes[i].life, .row = row});
	}
}

void
sim_memory_reply(SimWorld *world, SimNode *node, const TlAction *action)
{
	sim_log_add(&node->answers, sim_row(world, &action->row));
}

/*
 * The transaction with these replies is durable.  What came from the asker and
 * was not read yet is not taken any more.
 */
void
sim_memory_commit(SimWorld *world, SimNode *node, bool send)
{
	for (unsigned i = 0; i < node->answers.count; i++)
	{
		SimRow	   *row = node->answers.rows[i];
		TlReply		reply;
		SimLog	   *log;

		if (tl_consensus_reply_decode(&reply, row->row.payload.data,
									  row->row.payload.size) != TL_OK)
			sim_fail(world, "node %u: its own reply cannot be read", node->id);
		log = &node->logs[reply.asker - 1];
		while (log->count > node->read[reply.asker - 1] && !SIM_FORGOTTEN(34))
			log->rows[--log->count]->holders &= ~(UINT64_C(1) << node->id);
		if (node->safe[reply.asker - 1] > log->count)
			node->safe[reply.asker - 1] = log->count;
		node->replies[reply.asker - 1] = row;
		memset(node->closed[reply.asker - 1], 0, TL_NONCE_SIZE);
		if (log->count > 0)
			memcpy(node->closed[reply.asker - 1], tail(log)->row.nonce,
				   TL_NONCE_SIZE);
		if (node->role == SIM_LIAR &&
			(world->plan.lie == SIM_LIE_SCRIPT || sim_chance(world, 50)))
			row = lie(world, row);
		for (unsigned j = 0; send && j < world->node_count; j++)
		{
			if (world->nodes[j].number == reply.asker &&
				node->role != SIM_SILENT && sim_wire_linked(world, node->id, j))
				sim_later(world, sim_wire_delay(world, node->id, j),
						  (SimEvent) {.kind = SIM_REPLY, .node = j,
						  .life = world->nodes[j].life, .row = row});
		}
	}
	node->answers.count = 0;
}

/* Says that it is in the first view, and has seen nothing. */
static SimRow *
lie(SimWorld *world, const SimRow *row)
{
	TlLogRow	said = row->row;
	TlReply		reply;
	uint8_t		bytes[TL_REPLY_SIZE_FIXED];
	TlWriter	writer;

	(void) tl_consensus_reply_decode(&reply, said.payload.data,
									 said.payload.size);
	reply.reason = TL_REPLY_FIRST;
	reply.seen = false;
	reply.certificate.size = 0;
	reply.final_height = sim_random(world, 2) * 1000000;
	said.view = 1;
	tl_writer_init(&writer, bytes, sizeof(bytes));
	(void) tl_consensus_reply_encode(&writer, &reply);
	said.payload.data = bytes;
	said.payload.size = writer.size;
	return sim_row(world, &said);
}

/* Past its floor, or nothing was lost: at fault no longer. */
void
sim_memory_settle(SimWorld *world, SimNode *node)
{
	TlConsensusStatus status;

	if (!node->forgot || node->busy || node->rejoining)
		return;
	tl_consensus_status(node->core, &status);
	if (status.lost || status.asking)
		return;
	/* What nobody has seen never was. */
	if (node->forgot_wire)
		sim_check_forgotten(world, node, NULL);
	node->forgot_wire = false;
	/* A block after those of then: what was lost is here again. */
	if (status.view > status.floor &&
		node->chain_count > node->forgot_blocks && status.numbered)
		node->forgot = false;
}

/* Kept until the node is not busy. */
void
sim_memory_deliver(SimWorld *world, SimNode *node, const SimEvent *event)
{
	if (node->mail_count == node->mail_capacity)
	{
		node->mail_capacity = node->mail_capacity * 2 + 8;
		node->mail = realloc(node->mail, node->mail_capacity * sizeof(SimEvent));
	}
	node->mail[node->mail_count++] = *event;
	sim_node_ask(world, node);
}

/* Give the core what others have answered or ask. */
void
sim_memory_read(SimWorld *world, SimNode *node)
{
	if (node->cut)
	{
		node->cut = false;
		if (node->pending.count == 0 && node->final_pending == 0)
			cut_log(world, node, &node->cut_after);
		return;
	}
	for (unsigned i = 0; i < node->mail_count; i++)
	{
		const SimEvent *event = &node->mail[i];
		TlInput		input = {.kind = TL_INPUT_LAST_SEEN};

		if (event->kind == SIM_REJOIN && !node->rejoining)
			sim_memory_rejoin(world, node);
		if (event->kind == SIM_REQUEST)
			give_loose(world, node, TL_INPUT_REQUEST, event->row);
		if (event->kind == SIM_REPLY)
			give_loose(world, node, TL_INPUT_REPLY, event->row);
		if (event->kind != SIM_LAST_SEEN)
			continue;
		input.member = world->nodes[event->peer].number;
		input.ticket = event->ticket;
		if (event->row != NULL)
		{
			input.row = event->row->row;
			input.held = sim_log_has(&node->logs[node->number - 1],
									   node->logs[node->number - 1].count, event->row) ||
				sim_prune_had(&node->logs[node->number - 1], event->row);
		}
		sim_node_step(world, node, &input, true);
	}
	node->mail_count = 0;
}

static void
give_loose(SimWorld *world, SimNode *node, TlInputKind kind, const SimRow *row)
{
	TlInput		input = {.kind = kind, .row = row->row};
	bool		later = (row->row.epoch > node->epoch);

	/*
	 * Answered in an earlier epoch, or said by somebody who has left.  What this
	 * node has promised holds in each.
	 */
	if ((row->row.epoch < node->epoch && kind == TL_INPUT_REPLY) ||
		sim_govern_member(world, row->row.member, node->epoch) == NULL)
		return;
	if (!later &&
		tl_consensus_judge(node->core, &row->row, sim_check_signature, NULL,
						   &input.certificates_valid) != TL_OK)
		sim_fail(world, "node %u cannot check a row of member %u", node->id,
				 row->row.member);
	sim_node_step(world, node, &input, true);
}

/*
 * Would this node store the row as the next of its log?  The next one of the
 * incarnation that is taken, unless that was ended; one that follows across a gap;
 * or a REJOIN that comes after it.
 */
bool
sim_memory_takes(const SimWorld *world, const SimNode *node, const SimEvent *event)
{
	const SimRow *row = event->row;
	unsigned	member = row->row.member - 1;
	const SimLog *log = &node->logs[member];
	const SimRow *last = tail(log);
	const SimRow *first;
	TlRejoin	rejoin;
	static const uint8_t zeros[TL_NONCE_SIZE];
	const uint8_t *nonce = (last != NULL) ? last->row.nonce : zeros;

	if (row->row.kind != TL_LOG_REJOIN)
	{
		if (node->replies[member] != NULL && !SIM_FORGOTTEN(34) &&
			memcmp(node->closed[member], row->row.nonce, TL_NONCE_SIZE) == 0)
			return false;
		if (memcmp(nonce, row->row.nonce, TL_NONCE_SIZE) != 0)
			return false;
		if (last != NULL && row->row.epoch < last->row.epoch && !SIM_FORGOTTEN(49))
			return false;
		return sim_prune_follows(world, node, event) ||
			(row->row.sequence == (last ? last->row.sequence : 0) + 1 &&
			 (last == NULL || sim_same(&row->row.previous, &last->digest)));
	}
	if (sim_memory_find(log, row->row.nonce, 1) != NULL ||
		tl_consensus_rejoin_decode(&rejoin, row->row.payload.data,
								   row->row.payload.size) != TL_OK)
		return false;
	/* The own log is taken back whole, but for what nobody has any more. */
	if (row->row.member == node->number)
		return ((last == NULL) ? rejoin.sequence == 0 :
				sim_same(&rejoin.digest, &last->digest)) ||
			((last == NULL || node->own_returned) &&
			 tl_consensus_may_begin_with(node->core, &row->row));
	if (is_unanimous(world, node) && node->replies[member] != NULL &&
		memcmp(node->closed[member], nonce, TL_NONCE_SIZE) == 0 &&
		!was_asked_for(node, row, &rejoin))
		return false;
	if (last != NULL && last->row.epoch > row->row.epoch)
		return false;			/* its author has forgotten an epoch */
	if (memcmp(rejoin.nonce_before, nonce, TL_NONCE_SIZE) == 0)
		return true;
	first = sim_memory_find(log, nonce, 1);
	if (first == NULL || first->row.kind != TL_LOG_REJOIN)
		return true;
	if (row->row.view != first->row.view)
		return row->row.view > first->row.view;
	return memcmp(row->row.nonce, first->row.nonce, TL_NONCE_SIZE) > 0;
}

/* Is that REJOIN the answer to the newest REPLY of this node, lost or not? */
static bool
was_asked_for(const SimNode *node, const SimRow *row, const TlRejoin *rejoin)
{
	const TlSpan *newest = &node->replies[row->row.member - 1]->row.payload;
	TlReader	reader;
	TlReply		reply;

	if (tl_consensus_reply_decode(&reply, newest->data, newest->size) != TL_OK)
		return false;
	if (memcmp(reply.request, row->row.nonce, TL_NONCE_SIZE) == 0)
		return true;
	tl_reader_init(&reader, rejoin->replies.data, rejoin->replies.size);
	for (unsigned i = 0; i < rejoin->reply_count; i++)
	{
		TlLogRow	said;

		if (tl_consensus_rejoin_next_reply(&said, &reader) == TL_OK &&
			said.member == node->number &&
			tl_consensus_reply_decode(&reply, said.payload.data,
									  said.payload.size) == TL_OK)
			return reply.ticket >= tickets(node, row->row.member);
	}
	return false;
}

/* Were two of three members a quorum in that epoch, or later? */
static bool
two_of_three(const SimWorld *world, uint64_t epoch)
{
	for (; epoch < world->epoch_count; epoch++)
	{
		if (sim_govern_validators(world, epoch) == 3 &&
			world->epochs[epoch].quorum_of_three == 2)
			return true;
	}
	return false;
}

/* Are there members whom those of that epoch do not know, and do not ask? */
static bool
others_came(const SimWorld *world, uint64_t epoch)
{
	const TlConsensusConfig *newest = &world->epochs[world->epoch_count - 1];

	for (unsigned i = 0; i < newest->member_count; i++)
	{
		if (sim_govern_member(world, newest->members[i].number, epoch) == NULL)
			return true;
	}
	return false;
}

/* Does every certificate of its epoch need everybody? */
static bool
is_unanimous(const SimWorld *world, const SimNode *node)
{
	unsigned	validators = sim_govern_validators(world, node->epoch);

	return tl_consensus_quorum(validators,
							   world->epochs[node->epoch].quorum_of_three) == validators;
}

/* The row at that place of that incarnation, if it is stored. */
const SimRow *
sim_memory_find(const SimLog *log, const uint8_t *nonce, uint64_t sequence)
{
	for (unsigned i = log->count; i-- > 0;)
	{
		if (log->rows[i]->row.sequence == sequence &&
			memcmp(log->rows[i]->row.nonce, nonce, TL_NONCE_SIZE) == 0)
			return log->rows[i];
	}
	return NULL;
}

/*
 * An own REJOIN comes back that followed an earlier row: what an old backup has
 * beyond that was never seen by anybody.
 */
void
sim_memory_returns(SimWorld *world, SimNode *node, const SimRow *row)
{
	const SimLog *own = &node->logs[node->number - 1];
	TlRejoin	rejoin;
	const SimRow *head = sim_memory_find(own, row->row.nonce, row->row.sequence);

	/* What stands here instead is a branch that nobody has seen. */
	if (!node->busy && head != NULL && !sim_same(&head->digest, &row->digest))
		cut_log(world, node, &row->row.previous);
	if (row->row.kind != TL_LOG_REJOIN || node->busy ||
		sim_memory_find(own, row->row.nonce, 1) != NULL ||
		tl_consensus_rejoin_decode(&rejoin, row->row.payload.data,
								   row->row.payload.size) != TL_OK)
		return;
	/* It may follow nothing, where those who replied had lost all of it. */
	if (rejoin.sequence == 0 && own->count > 0)
		cut_log(world, node, &rejoin.digest);
	head = sim_memory_find(own, rejoin.nonce_before, rejoin.sequence);
	if (head != NULL && sim_same(&head->digest, &rejoin.digest))
	{
		if (head != tail(own))
			cut_log(world, node, &head->digest);
	}
	/* It is not here: what is, is read from others first. */
	else if (own->count > 0 && !node->own_returned &&
			 tl_consensus_may_begin_with(node->core, &row->row))
	{
		TlHash		none = {0};

		cut_log(world, node, &none);
		node->own_returned = true;
	}
}

/*
 * What is beyond that row is gone, and the core knows nothing of it.  What blocks here
 * order stays outside of the log, as others may have lost it: that stands for a node's own
 * wire, of which nothing is ever cut, and which answers them.
 */
static void
cut_log(SimWorld *world, SimNode *node, const TlHash *after)
{
	SimLog	   *own = &node->logs[node->number - 1];

	while (own->count > 0 && !sim_same(&tail(own)->digest, after))
	{
		SimRow	   *row = own->rows[--own->count];

		if (sim_disk_is_ordered(world, node, row))
			sim_log_add(&node->loose, row);
		else
			row->holders &= ~(UINT64_C(1) << node->id);
	}
	node->stated_row = 0;		/* may have been among them */
	sim_memory_recount(world, node);
	sim_disk_open(world, node, false);
}

/* The place in source from which its rows continue this log. */
unsigned
sim_memory_after(const SimLog *source, const SimLog *log, bool own)
{
	const SimRow *last = tail(log);

	if (last == NULL)
		return 0;
	for (unsigned i = source->count; own && i-- > 0;)
	{
		if (sim_log_has(log, log->count, source->rows[i]))
			return i + 1;
	}
	if (own)
		return 0;				/* all of it is another branch */
	for (unsigned i = source->count; i-- > 0;)
	{
		if (source->rows[i] == last)
			return i + 1;
	}
	for (unsigned i = source->count; i-- > 0;)
	{
		if (source->rows[i]->row.kind == TL_LOG_REJOIN)
		{
			if (sim_memory_find(log, source->rows[i]->row.nonce, 1) == NULL)
				return i;
			break;
		}
	}
	return source->sparse ? sim_prune_next(source, last) : log->count;
}

void
sim_memory_free(SimNode *node)
{
	SimBackup  *backup = node->backup;

	free(node->wire.rows);
	free(node->answers.rows);
	free(node->mail);
	free(node->summaries);
	if (backup == NULL)
		return;
	free(backup->summaries);
	for (unsigned i = 0; i < SIM_NODES_MAX; i++)
		free(backup->logs[i].rows);
	free(backup->loose.rows);
	free(backup->wire.rows);
	free(backup->chain);
	for (unsigned i = 0; i < backup->certificate_count; i++)
		free(backup->certificates[i].bytes);
	free(backup->certificates);
	free(backup->certificate);
	free(backup->bodies);
	free(backup);
}

static SimRow *
tail(const SimLog *log)
{
	return (log->count > 0) ? log->rows[log->count - 1] : NULL;
}
