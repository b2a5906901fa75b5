/*-------------------------------------------------------------------------
 *
 * sim_disk.c
 *	  What a node keeps, and the core that it opens on that.
 *
 *-------------------------------------------------------------------------
 */
#include "sim.h"

#include "chain_batch.h"

#include <stdlib.h>
#include <string.h>

static void make_room(SimNode *node, size_t size);
static bool is_loose(const SimNode *node, const SimRow *row);
static bool orders(SimWorld *world, const TlConsensusBlock *block,
				   const TlConsensusBlock *parent, const SimRow *row);

void
sim_disk_open(SimWorld *world, SimNode *node, bool start)
{
	TlConsensusConfig config = world->epochs[node->epoch];
	TlInput		input = {.kind = TL_INPUT_TIME};
	TlConsensusStatus status;
	size_t		size;

	config.member = node->number;
	config.protocol_max = (uint16_t) node->protocol_max;
	/* Each boot of a server is another instance. */
	config.instance[0] = (uint8_t) (node->id + 1);
	config.instance[1] = (uint8_t) node->life;
	config.instance[2] = (uint8_t) (node->life >> 8);
	if (node->chain_count == 0)
	{
		TlSpan		none = {NULL, 0};

		sim_disk_add_block(node, &world->config.base, none);
		node->chain_count = 1;
		node->final_pending = 0;
	}
	config.base = node->chain[node->chain_count - 1];
	config.standing = node->standing;
	config.certificate.data = node->certificate;
	config.certificate.size = node->certificate_size;
	/* What the core waited for, or knew to be lost, the next one has to ask. */
	if (!start && node->core != NULL)
	{
		tl_consensus_status(node->core, &status);
		start = status.asking || status.lost;
	}
	if (node->forgot_wire)
		config.pace.start_wait_us = SIM_FOREVER_US;
	size = tl_consensus_size(&config);
	make_room(node, size);
	node->core = tl_consensus_init(node->memory, size, &config);
	if (node->core == NULL)
		sim_fail(world, "node %u: no core from its own disk", node->id);
	memset(node->read, 0, sizeof(node->read));
	sim_check_copy_forget(node);
	sim_retain_open(world, node);
	sim_summary_start(world, node, &config);
	for (unsigned i = 0; i < node->loose.count; i++)
		(void) sim_read_give(world, node, node->loose.rows[i], TL_INPUT_LOOSE_ROW);
	sim_state_open(world, node);
	node->due_told = 0;
	node->told_busy = false;
	node->rests_us = 0;
	node->decided_view = 0;
	node->begun = (node->chain_count > 1) ? node->chain_count : 0;
	sim_due_give(world, node);
	if (node->pending.count > 0)
		sim_fail(world, "node %u: the core signs before it was started",
				 node->id);
	sim_memory_open(world, node, start);
	while (node->actions->more)
		sim_node_step(world, node, &input, false);
	if (node->pending.count > 0 || node->final_pending > 0 ||
		node->epoch_pending > node->epoch)
	{
		node->busy = true;
		sim_later(world, sim_fault_commit_us(world),
				  (SimEvent) {.kind = SIM_COMMIT, .node = node->id,
				  .life = node->life});
	}
}

/* For a core of that size, and for what it wants. */
static void
make_room(SimNode *node, size_t size)
{
	if (size > node->memory_size)
	{
		free(node->memory);
		node->memory = malloc(size);
		node->memory_size = size;
	}
	if (node->actions == NULL)
		node->actions = malloc(sizeof(TlActions));
}

/* The final blocks of a peer, and what goes with them. */
void
sim_disk_copy(SimWorld *world, SimNode *node, const SimNode *peer)
{
	for (unsigned i = node->chain_count; i < peer->chain_count; i++)
	{
		TlSpan		certificate = {peer->certificates[i].bytes, peer->certificates[i].size};

		if (i + 1 == peer->chain_count)
			certificate = (TlSpan) {peer->certificate, peer->certificate_size};
		if (i > 0 && !sim_same(&peer->chain[i].header.parent,
							   &node->chain[i - 1].hash))
			sim_fail(world, "node %u: the chain of node %u does not fit",
					 node->id, peer->id);
		sim_disk_add_block(node, &peer->chain[i], certificate);
	}
	node->chain_count += node->final_pending;
	node->final_pending = 0;
	node->standing = peer->standing;
	node->epoch = node->epoch_pending = peer->epoch;
	for (unsigned i = 0; i < peer->body_count; i++)
		sim_disk_add_body(node, &peer->bodies[i]);
}

void
sim_disk_add_block(SimNode *node, const TlConsensusBlock *block, TlSpan certificate)
{
	unsigned	place = node->chain_count + node->final_pending++;
	unsigned	before = node->chain_capacity;

	if (place + 1 > node->chain_capacity)
	{
		node->chain_capacity = node->chain_capacity * 2 + 16;
		node->chain = realloc(node->chain, node->chain_capacity *
							  sizeof(TlConsensusBlock));
		node->certificates = realloc(node->certificates, node->chain_capacity *
									 sizeof(SimBytes));
		memset(node->certificates + before, 0, (node->chain_capacity - before) *
			   sizeof(SimBytes));
	}
	node->chain[place] = *block;
	sim_offer_keep(node, place, certificate);
	node->certificate = realloc(node->certificate, certificate.size + 1);
	memcpy(node->certificate, certificate.data, certificate.size);
	node->certificate_size = certificate.size;
}

/*
 * What came and was in no transaction yet may be gone, and will come again.
 * All that the core took in when it asked for a row is durable with that row.
 */
void
sim_disk_forget_arrivals(SimWorld *world, SimNode *node)
{
	for (unsigned i = 0; i < world->member_count; i++)
	{
		SimLog	   *log = &node->logs[i];

		while (i + 1 != node->number && log->count > node->safe[i])
		{
			SimRow	   *row = log->rows[--log->count];

			if (!is_loose(node, row))
				row->holders &= ~(UINT64_C(1) << node->id);
		}
	}
}

/* Is it here for another reason as well? */
static bool
is_loose(const SimNode *node, const SimRow *row)
{
	for (unsigned i = 0; i < node->loose.count; i++)
	{
		if (node->loose.rows[i] == row)
			return true;
	}
	return false;
}

/* Does a block of this chain order the row? */
bool
sim_disk_is_ordered(SimWorld *world, const SimNode *node, const SimRow *row)
{
	for (unsigned i = 1; i < node->chain_count; i++)
	{
		if (orders(world, &node->chain[i], &node->chain[i - 1], row))
			return true;
	}
	return false;
}

/* As an entry, or as a batch between the two cuts. */
static bool
orders(SimWorld *world, const TlConsensusBlock *block, const TlConsensusBlock *parent,
	   const SimRow *row)
{
	const TlLane *to = sim_lane(block->cut, block->lane_count, row->row.member);
	const TlLane *from = sim_lane(parent->cut, parent->lane_count, row->row.member);
	TlHash		digest;

	for (unsigned i = 0; i < block->entry_count; i++)
	{
		if (sim_same(&block->entries[i].digest, &row->digest))
			return true;
	}
	if (row->row.kind != TL_LOG_BATCH || to == NULL)
		return false;
	digest = to->digest;
	while (from == NULL || !sim_same(&digest, &from->digest))
	{
		const SimRow *batch = sim_find(world, &digest);
		TlBatchHeader header;

		if (sim_same(&digest, &row->subject))
			return true;
		if (batch == NULL ||
			tl_chain_batch_decode(&header, batch->row.payload.data,
								  batch->row.payload.size) != TL_OK || header.batch == 1)
			return false;
		digest = header.previous;
	}
	return false;
}

void
sim_disk_store(SimNode *node, unsigned log, SimRow *row)
{
	sim_log_add(&node->logs[log], row);
	row->holders |= UINT64_C(1) << node->id;
}

void
sim_disk_add_body(SimNode *node, const TlHash *digest)
{
	if (!sim_disk_has_body(node, digest))
	{
		if (node->body_count == node->body_capacity)
		{
			node->body_capacity = node->body_capacity * 2 + 64;
			node->bodies = realloc(node->bodies,
								   node->body_capacity * sizeof(TlHash));
		}
		node->bodies[node->body_count++] = *digest;
	}
	if (node->held_count == node->held_capacity)
	{
		node->held_capacity = node->held_capacity * 2 + 16;
		node->held = realloc(node->held, node->held_capacity * sizeof(TlHash));
	}
	node->held[node->held_count++] = *digest;
}

bool
sim_disk_has_body(const SimNode *node, const TlHash *digest)
{
	for (unsigned i = node->body_count; i-- > 0;)
	{
		if (sim_same(&node->bodies[i], digest))
			return true;
	}
	return false;
}
