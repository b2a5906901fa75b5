/*-------------------------------------------------------------------------
 *
 * sim_read.c
 *	  What a node has stored, given to its core.
 *
 *-------------------------------------------------------------------------
 */
#include "sim.h"

#include "chain_batch.h"

static bool waits(const SimWorld *world, const SimNode *node, const SimRow *row);

/*
 * The stored rows that the core has not seen.  At a restart own log first;
 * afterwards one of each log in turn, as they would have come.
 */
void
sim_read_rows(SimWorld *world, SimNode *node, bool restart)
{
	bool		moved = true;

	while (moved)
	{
		moved = false;
		for (unsigned i = 0; i < world->member_count; i++)
		{
			unsigned	log = restart ? (node->number - 1 + i) % world->member_count : i;

			while (node->read[log] < node->logs[log].count)
			{
				if (!sim_summary_passes(node, log) &&
					!sim_read_give(world, node,
								   node->logs[log].rows[node->read[log]],
								   TL_INPUT_ROW))
					break;
				node->read[log]++;
				sim_summary_give(world, node, log);
				moved = true;
				if (!restart)
					break;
			}
		}
	}
}

/* The stored BATCH rows of a lane once more, when the core has room for them. */
void
sim_read_lane(SimWorld *world, SimNode *node, const TlLane *beyond)
{
	const SimLog *log = &node->logs[beyond->member - 1];

	for (unsigned i = 0; i < log->count; i++)
	{
		TlBatchHeader header;
		const TlSpan *payload = &log->rows[i]->row.payload;

		if (log->rows[i]->row.kind == TL_LOG_BATCH &&
			tl_chain_batch_decode(&header, payload->data,
								  payload->size) == TL_OK &&
			(header.incarnation > beyond->incarnation ||
			 (header.incarnation == beyond->incarnation &&
			  header.batch > beyond->batch)))
			sim_log_add(&node->again, log->rows[i]);
	}
	sim_node_ask(world, node);
}

/* A row that a block orders, if the disk has it. */
bool
sim_read_row(SimWorld *world, SimNode *node, const TlHash *subject)
{
	for (unsigned i = 0; i <= world->member_count; i++)
	{
		const SimLog *log = (i < world->member_count) ? &node->logs[i] : &node->loose;

		for (unsigned j = log->count; j-- > 0;)
		{
			if (!sim_same(&log->rows[j]->subject, subject))
				continue;
			sim_log_add(&node->inbox, log->rows[j]);
			sim_node_ask(world, node);
			return true;
		}
	}
	return false;
}

bool
sim_read_give(SimWorld *world, SimNode *node, const SimRow *row, TlInputKind kind)
{
	TlInput		input = {.kind = kind};
	TlStatus	status;

	/* Those who left have said what they had to say. */
	if (sim_govern_member(world, row->row.member, node->epoch) == NULL)
		return true;
	if (kind == TL_INPUT_ROW && waits(world, node, row))
	{
		node->waits = true;
		return false;
	}
	input.row = row->row;
	input.more = true;
	input.now_us = world->now_us + 1;
	input.clock_us = sim_fault_clock(world, node);
	status = tl_consensus_judge(node->core, &row->row, sim_check_signature,
								NULL, &input.certificates_valid);
	/* Of an epoch to come: what ended this one may be gone as well. */
	node->waits |= (status == TL_NOT_FINAL && world->plan.waits);
	if (status == TL_NOT_FINAL)
		return false;
	if (status != TL_OK)
		sim_fail(world, "node %u cannot check a row of member %u", node->id,
				 row->row.member);
	if (row->row.kind == TL_LOG_EVIDENCE &&
		world->nodes[row->row.member - 1].role == SIM_LIAR)
		sim_check_accusation(world, node, &row->row, input.certificates_valid);
	status = tl_consensus_step(node->core, node->actions, &input);
	world->core_steps++;
	if (status == TL_NOT_FINAL)
	{
		if (row->row.member == node->number)
			node->refused = row;
		return false;
	}
	if (row == node->refused)
	{
		node->refused = NULL;
		world->seen[SIM_SEEN_WAITED]++;
	}
	if (status == TL_OK && kind == TL_INPUT_ROW)
	{
		sim_check_reply_row(world, node, &row->row);
		sim_retain_row(world, node, &row->row);
	}
	sim_node_obey(world, node);
	if (row->row.kind == TL_LOG_BATCH &&
		sim_disk_has_body(node, &row->subject))
		sim_read_give_held(world, node, &row->subject);
	return true;
}

/*
 * Is it about a view beyond those that the core remembers?  Then it is kept until final
 * blocks have come nearer; of its own rows the core says so itself.
 */
static bool
waits(const SimWorld *world, const SimNode *node, const SimRow *row)
{
	const TlConsensusBlock *base = &node->chain[node->chain_count + node->final_pending - 1];

	switch (row->row.kind)
	{
		case TL_LOG_PROPOSE:
		case TL_LOG_NOTARIZE:
		case TL_LOG_FINALIZE:
		case TL_LOG_NULLIFY:
		case TL_LOG_CERT:
			return world->plan.waits && row->row.member != node->number &&
				row->row.epoch == node->epoch &&
				row->row.view >= base->header.view + world->config.view_count;
		default:
			return false;
	}
}

void
sim_read_give_held(SimWorld *world, SimNode *node, const TlHash *digest)
{
	for (unsigned i = 0; i < world->member_count; i++)
	{
		TlInput		input = {.kind = TL_INPUT_HELD};

		input.lane.member = i + 1;
		input.lane.digest = *digest;
		sim_node_step(world, node, &input, true);
	}
}
