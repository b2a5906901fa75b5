/*-------------------------------------------------------------------------
 *
 * sim_liar_lane.c
 *	  Lies beside the votes: lanes without end, bodies for few, forged
 *	  accusations, payloads that are none.
 *
 *-------------------------------------------------------------------------
 */
#include "sim.h"

#include "chain_batch.h"
#include "consensus_evidence.h"

#include <string.h>

#define FLOOD_BATCHES	8		/* at a time */
#define PAYLOAD_MAX		65536	/* that is made wrong */

static void make_header(SimWorld *world, SimNode *node, TlWriter *writer);

/*
 * Far more batches than anybody remembers, the same to everybody; or such of an
 * incarnation that no REJOIN has opened (R39).
 */
void
sim_liar_flood(SimWorld *world, SimNode *node)
{
	for (unsigned i = 0; i < FLOOD_BATCHES; i++)
	{
		uint8_t		bytes[TL_BATCH_SIZE_FIXED + TL_BATCH_CHUNK_SIZE];
		TlLogRow	row;
		TlWriter	writer;

		tl_writer_init(&writer, bytes, sizeof(bytes));
		make_header(world, node, &writer);
		node->flood_head++;
		tl_chain_batch_digest(&node->flood_digest, bytes, writer.size);
		sim_check_batch(world, &node->flood_digest);
		sim_disk_add_body(node, &node->flood_digest);
		memset(&row, 0, sizeof(row));
		row.kind = TL_LOG_BATCH;
		row.payload.data = bytes;
		row.payload.size = writer.size;
		for (unsigned j = 0; j < world->node_count; j++)
		{
			if (world->nodes[j].number != node->number)
				sim_liar_tell(world, node, j, row);
		}
		world->seen[SIM_SEEN_FLOOD]++;
	}
}

/* Bodies may go to one member only, or to none: who has none cannot vote. */
bool
sim_liar_gives_body(SimWorld *world, const SimNode *node, unsigned target)
{
	bool		gives = true;

	if (world->plan.lie == SIM_LIE_BODIES)
		gives = (target == world->member_count - 1);
	if (world->plan.lie == SIM_LIE_NO_BODIES)
		gives = (world->nodes[target].role == SIM_LIAR);
	if (world->plan.lie == SIM_LIE_FLOOD)
		gives = (node->flood_head % 2 == 0);
	if (!gives)
		world->seen[SIM_SEEN_LIE]++;
	return gives;
}

/*
 * R46, R47: a row of another member that he has signed and that is legal, with its
 * parent if it proposes a block; or one that he has not signed.
 */
static void
accuse_of_illegal(SimWorld *world, SimNode *node, unsigned target,
				  const TlLogRow *accused)
{
	static uint8_t bytes[512 * 1024];
	static uint8_t row_bytes[512 * 1024];
	TlEvidence	evidence = {.kind = TL_EVIDENCE_ILLEGAL};
	TlLogRow	row = *accused;
	const SimRow *parent = NULL;
	TlProposal	proposal;
	TlBlockHeader header;
	TlWriter	writer;

	if (accused->sequence % 4 == 0 && row.payload.size > 0)
		row.payload.size--;		/* no longer what he signed */
	tl_writer_init(&writer, row_bytes, sizeof(row_bytes));
	if (tl_consensus_row_encode(&writer, &row) != TL_OK)
		return;
	evidence.row.data = row_bytes;
	evidence.row.size = writer.size;
	if (row.kind == TL_LOG_PROPOSE &&
		tl_consensus_proposal_decode(&proposal, row.payload.data,
									 row.payload.size) == TL_OK &&
		tl_chain_block_decode(&header, proposal.header.data,
							  proposal.header.size) == TL_OK)
		parent = sim_find(world, &header.parent);
	if (parent != NULL &&
		tl_consensus_proposal_decode(&proposal, parent->row.payload.data,
									 parent->row.payload.size) == TL_OK)
	{
		evidence.parent_header = proposal.header;
		evidence.parent_cut = proposal.cut;
	}
	tl_writer_init(&writer, bytes, sizeof(bytes));
	if (tl_consensus_evidence_encode(&writer, &evidence) != TL_OK)
		return;
	memset(&row, 0, sizeof(row));
	row.kind = TL_LOG_EVIDENCE;
	row.epoch = world->config.epoch;
	row.payload.data = bytes;
	row.payload.size = writer.size;
	sim_liar_tell(world, node, target, row);
}

/* R18: two rows of another member, one of which he never signed. */
void
sim_liar_accuse(SimWorld *world, SimNode *node, unsigned target)
{
	unsigned	accused = (unsigned) sim_random(world, world->member_count);
	const SimLog *log = &node->logs[accused];
	TlEvidenceRow rows[2];
	TlEvidence	evidence;
	TlLogRow	row;
	uint8_t		bytes[TL_EVIDENCE_SIZE];
	TlWriter	writer;

	if (log->count == 0 || accused + 1 == node->number)
		return;
	row = log->rows[sim_random(world, log->count)]->row;
	if ((row.sequence + target) % 2 == 0)
	{
		accuse_of_illegal(world, node, target, &row);
		return;
	}
	tl_consensus_evidence_row(&rows[0], &row);
	rows[1] = rows[0];
	rows[1].payload_digest.bytes[0]++;
	tl_writer_init(&writer, bytes, sizeof(bytes));
	if (tl_consensus_evidence_make(&evidence, &world->config.chain_id,
								   &rows[0], &rows[1]) == TL_EVIDENCE_NONE ||
		tl_consensus_evidence_encode(&writer, &evidence) != TL_OK)
		sim_fail(world, "the simulator's accusation is wrong");
	memset(&row, 0, sizeof(row));
	row.member = node->number;
	row.kind = TL_LOG_EVIDENCE;
	row.epoch = node->epoch;
	row.payload.data = bytes;
	row.payload.size = writer.size;
	sim_liar_tell(world, node, target, row);
}

/*
 * A row of an epoch that is over, in another member's name, signed with the key
 * that he had then: after the newest row of his that the target has, or in its place.
 * The newest is of this epoch, so its author did not sign that.
 */
void
sim_liar_forge(SimWorld *world, const SimNode *node, unsigned target)
{
	const SimNode *victim = &world->nodes[target];
	const TlConsensusConfig *config = &world->epochs[node->epoch];
	SimEvent	event = {.kind = SIM_ARRIVE, .node = target, .life = victim->life};
	TlAck		ack = {.instance = {0xee}};
	uint8_t		bytes[TL_ACK_SIZE_MAX];
	TlWriter	writer;

	tl_writer_init(&writer, bytes, sizeof(bytes));
	if (tl_consensus_ack_encode(&writer, &ack) != TL_OK)
		sim_fail(world, "the simulator's ACK is wrong");
	for (unsigned i = 0; i < config->member_count; i++)
	{
		const TlConsensusMember *member = &config->members[i];
		const SimLog *log = &victim->logs[member->number - 1];
		TlLogRow	row;

		if (member->before_count == 0 || member->number == victim->number ||
			!sim_is_honest(&world->nodes[member->number - 1]) ||
			!sim_is_honest(victim) || log->count == 0)
			continue;
		row = log->rows[log->count - 1]->row;
		if (row.epoch != config->epoch)
			continue;
		if (sim_chance(world, 50))
		{
			row.sequence++;
			row.previous = log->rows[log->count - 1]->digest;
		}
		row.epoch = member->before[member->before_count - 1].until - 1;
		row.kind = sim_chance(world, 50) ? TL_LOG_ACK : TL_LOG_NULLIFY;
		row.payload = (TlSpan) {bytes, row.kind == TL_LOG_ACK ? writer.size : 0};
		event.row = sim_row(world, &row);
		event.row->forged = true;
		sim_later(world, 1, event);
		world->seen[SIM_SEEN_OLD_KEY]++;
	}
}

/*
 * In place of one row in three of these kinds: cut, longer, empty, of another
 * format; and now and then a REJOIN of nothing.  False if it was let be.
 */
bool
sim_liar_malform(SimWorld *world, SimNode *node, unsigned target,
				 const TlLogRow *told)
{
	static uint8_t bytes[PAYLOAD_MAX + 1];
	TlLogRow	row = *told;

	if (row.kind == TL_LOG_NOTARIZE && sim_chance(world, 2))
	{
		row.kind = TL_LOG_REJOIN;
		row.view += 2;
		row.nonce[0] = (uint8_t) (1 + sim_random(world, 255));
		sim_liar_tell(world, node, target, row);
		world->seen[SIM_SEEN_LIE]++;
		return true;
	}
	if ((row.kind != TL_LOG_BATCH && row.kind != TL_LOG_ACK &&
		 row.kind != TL_LOG_CERT && row.kind != TL_LOG_GOVERN) ||
		row.payload.size == 0 || row.payload.size > PAYLOAD_MAX ||
		!sim_chance(world, 30))
		return false;
	memcpy(bytes, row.payload.data, row.payload.size);
	bytes[row.payload.size] = 0;
	row.payload.data = bytes;
	switch (sim_random(world, 4))
	{
		case 0:
			row.payload.size = sim_random(world, row.payload.size);
			break;
		case 1:
			row.payload.size++;
			break;
		case 2:
			row.payload.size = 0;
			break;
		default:
			bytes[0] ^= 0x80;
			break;
	}
	sim_liar_tell(world, node, target, row);
	world->seen[SIM_SEEN_LIE]++;
	return true;
}

static void
make_header(SimWorld *world, SimNode *node, TlWriter *writer)
{
	TlBatchHeader header = {0};
	TlBatchChunk chunk = {.size = 1000};
	uint8_t		chunk_bytes[TL_BATCH_CHUNK_SIZE];
	TlWriter	chunks;

	header.chain_id = world->config.chain_id;
	header.member = node->number;
	header.incarnation = (world->plan.lie == SIM_LIE_NUMBER);
	header.batch = node->flood_head + 1;
	if (node->flood_head > 0)
		header.previous = node->flood_digest;
	header.section_count = 1;
	header.snapshot_time = world->now_us;
	chunk.hash.bytes[0] = (uint8_t) sim_random(world, 256);
	tl_writer_init(&chunks, chunk_bytes, sizeof(chunk_bytes));
	tl_chain_batch_put_chunk(&chunks, &chunk);
	header.chunk_count = 1;
	header.chunks.data = chunk_bytes;
	header.chunks.size = chunks.size;
	if (tl_chain_batch_encode(writer, &header) != TL_OK)
		sim_fail(world, "the simulator's batch header is wrong");
}
