/*-------------------------------------------------------------------------
 *
 * sim_liar.c
 *	  A member that tells each peer another story.
 *
 * It runs an unmodified core to know what is going on; what that core writes
 * is turned, for each peer, into a log of that peer's own: rows left out, a
 * second proposal with another time for some, votes for either, votes that
 * contradict, votes for what is not notarized.  Every story is validly signed
 * and chained in itself.
 *
 *-------------------------------------------------------------------------
 */
#include "sim.h"

#include "consensus_evidence.h"
#include "merkle_hash.h"

#include <string.h>

/* What is wrong with a proposal, one thing at a time. */
typedef enum SimTwist
{
	TWIST_TIME,					/* nothing: a second one, a microsecond later */
	TWIST_NO_PARENT,
	TWIST_NO_GAP,
	TWIST_GRANDPARENT,
	TWIST_HISTORY,
	TWIST_CUT_BACK,
	TWIST_CUT_UNKNOWN,
	TWIST_BATCH_ROOT,
	TWIST_FUTURE,
	TWIST_FORGED,
	TWIST_SHORT,
	TWIST_ENTRY_AGAIN,
	TWIST_ENTRY_KIND,
	TWIST_ENTRY_UNKNOWN,
	TWISTS
} SimTwist;

static void tell(SimWorld *world, SimNode *node, unsigned target,
				 TlLogRow row);
static void tell_proposal(SimWorld *world, SimNode *node, unsigned target,
						  const TlLogRow *row, SimTwist twist);
static void twist_cut(SimWorld *world, SimNode *node, SimTwist twist,
					  TlBlockHeader *header, TlProposal *proposal,
					  uint8_t *bytes);
static void twist_rest(SimWorld *world, SimTwist twist, TlBlockHeader *header,
					   TlProposal *proposal, TlWriter *scratch);
static void twist_grandparent(SimWorld *world, TlBlockHeader *header,
							  TlProposal *proposal);
static void twist_entries(SimWorld *world, SimNode *node, SimTwist twist,
						  TlBlockHeader *header, TlProposal *proposal,
						  uint8_t *bytes);
static bool some_entry(SimWorld *world, SimNode *node, SimTwist twist,
					   TlBlockEntry *entry);
static void tell_accusation(SimWorld *world, SimNode *node, unsigned target);
static void tell_vote(SimWorld *world, SimNode *node, unsigned target,
					  uint8_t kind, uint64_t view, const TlHash *block);
static const TlHash *other_block(SimWorld *world, uint64_t view,
								 const TlHash *block);

void
sim_liar_send(SimWorld *world, SimNode *node, SimRow *row)
{
	unsigned	mood = (unsigned) sim_random(world, 4);
	SimTwist	twist = sim_chance(world, 40) ? TWIST_TIME :
	(SimTwist) sim_random(world, TWISTS);
	unsigned	share = sim_chance(world, 50) ? 50 : 100;
	const SimRow *theirs = NULL;

	/* Out of turn: the leader's proposal as an own one. */
	if (row->row.kind == TL_LOG_NOTARIZE && sim_chance(world, 20))
	{
		TlHash		block;

		(void) tl_consensus_vote_decode(&block, row->row.payload.data,
										row->row.payload.size);
		theirs = sim_find(world, &block);
	}

	for (unsigned i = 0; i < world->node_count; i++)
	{
		const TlLogRow *told = &row->row;
		uint8_t		kind = told->kind;
		TlHash		block;
		const TlHash *other;

		if (world->nodes[i].number == node->number)
			continue;
		if (kind == TL_LOG_ACK && sim_chance(world, 3))
			tell_accusation(world, node, i);
		if (kind != TL_LOG_NOTARIZE && kind != TL_LOG_FINALIZE &&
			kind != TL_LOG_NULLIFY)
		{
			if (kind == TL_LOG_PROPOSE && sim_chance(world, share))
				tell_proposal(world, node, i, told, twist);
			else if (kind != TL_LOG_PROPOSE || !sim_chance(world, 20))
				tell(world, node, i, *told);
			continue;
		}
		if (theirs != NULL)
			tell_proposal(world, node, i, &theirs->row, TWIST_TIME);
		if (mood == 0 && sim_chance(world, 60))
			continue;			/* withheld */
		memset(&block, 0, sizeof(block));
		if (kind != TL_LOG_NULLIFY)
			(void) tl_consensus_vote_decode(&block, told->payload.data,
											told->payload.size);
		other = other_block(world, told->view, &block);
		if (mood != 1 || sim_chance(world, 50))
			tell_vote(world, node, i, kind, told->view, &block);
		if (other != NULL && sim_chance(world, 60))
			tell_vote(world, node, i, TL_LOG_NOTARIZE, told->view, other);
		if (other != NULL && sim_chance(world, 40))
			tell_vote(world, node, i, TL_LOG_FINALIZE, told->view, other);
		if (sim_chance(world, 30))
			tell_vote(world, node, i, TL_LOG_NULLIFY, told->view, NULL);
		if (kind == TL_LOG_NOTARIZE && sim_chance(world, 30))
			tell_vote(world, node, i, TL_LOG_FINALIZE, told->view, &block);
	}
}

/* The next row of the story for this target. */
static void
tell(SimWorld *world, SimNode *node, unsigned target, TlLogRow row)
{
	SimLog	   *story = &node->stories[target];
	SimRow	   *made;
	SimEvent	event = {.kind = SIM_ARRIVE,.node = target,
	.life = world->nodes[target].life};

	row.member = node->number;
	row.sequence = story->count + 1;
	memset(&row.previous, 0, sizeof(row.previous));
	if (story->count > 0)
		row.previous = story->rows[story->count - 1]->digest;
	made = sim_row(world, &row);
	sim_node_note_subject(made);
	event.hash = made->subject;
	made->holders |= UINT64_C(1) << node->id;
	sim_log_add(story, made);
	if (!sim_wire_linked(world, node->id, target) ||
		sim_chance(world, world->plan.loss_percent))
		return;
	event.row = made;
	sim_later(world, sim_wire_delay(world), event);
	if (row.kind == TL_LOG_BATCH)
	{
		event.kind = SIM_BODY;
		sim_later(world, sim_wire_delay(world), event);
	}
}

/* The proposal with something changed, validly signed. */
static void
tell_proposal(SimWorld *world, SimNode *node, unsigned target,
			  const TlLogRow *row, SimTwist twist)
{
	static uint8_t bytes[1024 * 1024];
	static uint8_t scratch[256 * 1024];
	uint8_t		header_bytes[TL_BLOCK_HEADER_SIZE];
	uint8_t		cut_bytes[TL_MEMBER_COUNT_MAX * TL_BLOCK_LANE_SIZE];
	uint8_t		entry_bytes[TL_CONSENSUS_ENTRIES_MAX * TL_BLOCK_ENTRY_SIZE];
	TlProposal	proposal;
	TlBlockHeader header;
	TlWriter	writer;
	TlLogRow	varied = *row;

	if (tl_consensus_proposal_decode(&proposal, row->payload.data,
									 row->payload.size) != TL_OK ||
		tl_chain_block_decode(&header, proposal.header.data,
							  proposal.header.size) != TL_OK)
		return;
	header.time++;
	header.proposer = node->number;
	tl_writer_init(&writer, scratch, sizeof(scratch));
	if (twist == TWIST_CUT_BACK || twist == TWIST_CUT_UNKNOWN)
		twist_cut(world, node, twist, &header, &proposal, cut_bytes);
	else if (twist >= TWIST_ENTRY_AGAIN)
		twist_entries(world, node, twist, &header, &proposal, entry_bytes);
	else
		twist_rest(world, twist, &header, &proposal, &writer);
	tl_writer_init(&writer, header_bytes, sizeof(header_bytes));
	(void) tl_chain_block_encode(&writer, &header);
	proposal.header.data = header_bytes;
	proposal.header.size = writer.size;
	tl_writer_init(&writer, bytes, sizeof(bytes));
	if (tl_consensus_proposal_encode(&writer, &proposal) != TL_OK)
		return;
	varied.kind = TL_LOG_PROPOSE;
	varied.payload.data = bytes;
	varied.payload.size = writer.size;
	tell(world, node, target, varied);
}

/* R11: the parent's lanes are gone.  R12: a batch that nobody has. */
static void
twist_cut(SimWorld *world, SimNode *node, SimTwist twist,
		  TlBlockHeader *header, TlProposal *proposal, uint8_t *bytes)
{
	const SimRow *parent = sim_find(world, &header->parent);
	TlProposal	before;
	TlLane		lanes[TL_MEMBER_COUNT_MAX];
	unsigned	count = 0;
	TlWriter	writer;

	if (parent == NULL ||
		tl_consensus_proposal_decode(&before, parent->row.payload.data,
									 parent->row.payload.size) != TL_OK ||
		tl_chain_cut_decode(lanes, &count, TL_MEMBER_COUNT_MAX - 1,
							before.cut.data, before.cut.size) != TL_OK)
		return;
	if (twist == TWIST_CUT_BACK && count > 0)
		count--;
	if (twist == TWIST_CUT_UNKNOWN)
	{
		unsigned	place = 0;

		while (place < count && lanes[place].member < node->number)
			place++;
		if (place == count || lanes[place].member != node->number)
		{
			memmove(&lanes[place + 1], &lanes[place],
					(count - place) * sizeof(TlLane));
			memset(&lanes[place], 0, sizeof(TlLane));
			lanes[place].member = node->number;
			count++;
		}
		lanes[place].batch++;
		lanes[place].digest.bytes[0]++;
	}
	tl_merkle_empty_root(&header->batch_root);
	tl_writer_init(&writer, bytes, TL_MEMBER_COUNT_MAX * TL_BLOCK_LANE_SIZE);
	(void) tl_chain_cut_encode(&writer, lanes, count);
	(void) tl_chain_cut_hash(&header->cut_hash, lanes, count);
	proposal->cut.data = bytes;
	proposal->cut.size = writer.size;
}

static void
twist_rest(SimWorld *world, SimTwist twist, TlBlockHeader *header,
		   TlProposal *proposal, TlWriter *scratch)
{
	TlSpan		certificate = proposal->parent_certificate;
	TlCertificate decoded;

	if (twist == TWIST_NO_PARENT)
		proposal->parent_certificate.size = 0;
	if (twist == TWIST_NO_GAP)
	{
		proposal->gap_count = 0;
		proposal->gaps.size = 0;
	}
	if (twist == TWIST_GRANDPARENT)
		twist_grandparent(world, header, proposal);
	if (twist == TWIST_HISTORY)
		header->history_root.bytes[0]++;
	if (twist == TWIST_BATCH_ROOT)
		header->batch_root.bytes[0]++;
	if (twist == TWIST_FUTURE)
		header->time += INT64_C(86400) * 1000 * SIM_MS;
	if ((twist == TWIST_FORGED || twist == TWIST_SHORT) &&
		tl_consensus_certificate_decode(&decoded, certificate.data,
										certificate.size) == TL_OK &&
		certificate.size < 128 * 1024)
	{
		memcpy(scratch->data, certificate.data, certificate.size);
		if (twist == TWIST_FORGED)
			scratch->data[certificate.size - 1] ^= 1;
		else
		{
			scratch->data[51]--;	/* the vote count's lower byte */
			certificate.size -= TL_CERTIFICATE_VOTE_SIZE;
		}
		proposal->parent_certificate.data = scratch->data;
		proposal->parent_certificate.size = certificate.size;
	}
}

/* R9: the parent's place once more, as if its view had been nullified. */
static void
twist_grandparent(SimWorld *world, TlBlockHeader *header, TlProposal *proposal)
{
	const SimRow *parent = sim_find(world, &header->parent);
	TlProposal	before;
	TlBlockHeader copied;

	if (parent == NULL ||
		tl_consensus_proposal_decode(&before, parent->row.payload.data,
									 parent->row.payload.size) != TL_OK ||
		tl_chain_block_decode(&copied, before.header.data,
							  before.header.size) != TL_OK)
		return;
	copied.view = header->view;
	copied.proposer = header->proposer;
	copied.time = header->time;
	*header = copied;
	proposal->parent_certificate = before.parent_certificate;
	proposal->gaps = before.gaps;
	proposal->gap_count = before.gap_count;
	proposal->cut = before.cut;
}

/* R19: a row that was ordered before, one of another kind, one of nobody. */
static void
twist_entries(SimWorld *world, SimNode *node, SimTwist twist,
			  TlBlockHeader *header, TlProposal *proposal, uint8_t *bytes)
{
	TlBlockEntry entries[TL_CONSENSUS_ENTRIES_MAX];
	TlBlockEntry extra;
	unsigned	count = 0;
	unsigned	place;
	TlWriter	writer;

	if (!some_entry(world, node, twist, &extra) ||
		tl_chain_entries_decode(entries, &count, TL_CONSENSUS_ENTRIES_MAX - 1,
								proposal->entries.data,
								proposal->entries.size) != TL_OK)
		return;
	place = count++;
	while (place > 0 && memcmp(&entries[place - 1].digest, &extra.digest,
							   TL_HASH_SIZE) > 0)
	{
		entries[place] = entries[place - 1];
		place--;
	}
	entries[place] = extra;
	tl_writer_init(&writer, bytes, sizeof(entries));
	if (tl_chain_entries_encode(&writer, entries, count) != TL_OK ||
		tl_chain_entries_root(&header->entries_root, entries, count) != TL_OK)
		return;
	proposal->entry_count = count;
	proposal->entries.data = bytes;
	proposal->entries.size = writer.size;
}

static bool
some_entry(SimWorld *world, SimNode *node, SimTwist twist, TlBlockEntry *entry)
{
	for (unsigned i = node->chain_count; twist == TWIST_ENTRY_AGAIN && i-- > 0;)
	{
		if (node->chain[i].entry_count == 0)
			continue;
		*entry = node->chain[i].entries[0];
		return true;
	}
	entry->kind = (twist == TWIST_ENTRY_KIND) ? TL_LOG_REJOIN : TL_LOG_EVIDENCE;
	for (SimRow *row = world->rows; row != NULL; row = row->next)
	{
		if (row->row.kind != TL_LOG_EVIDENCE)
			continue;
		entry->digest = row->digest;
		return twist != TWIST_ENTRY_AGAIN;
	}
	entry->digest = world->rows->digest;
	return twist == TWIST_ENTRY_UNKNOWN;
}

/* R18: two rows of another member, one of which he never signed. */
static void
tell_accusation(SimWorld *world, SimNode *node, unsigned target)
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
	tl_consensus_evidence_row(&rows[0], &log->rows[sim_random(world, log->count)]->row);
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
	row.epoch = world->config.epoch;
	row.payload.data = bytes;
	row.payload.size = writer.size;
	tell(world, node, target, row);
}

static void
tell_vote(SimWorld *world, SimNode *node, unsigned target, uint8_t kind,
		  uint64_t view, const TlHash *block)
{
	TlLogRow	row;

	memset(&row, 0, sizeof(row));
	row.member = node->number;
	row.kind = kind;
	row.view = view;
	row.epoch = world->config.epoch;
	if (kind != TL_LOG_NULLIFY)
	{
		if (block == NULL)
			return;
		row.payload.data = block->bytes;
		row.payload.size = TL_HASH_SIZE;
	}
	tell(world, node, target, row);
}

/* Another block that was proposed in this view by anybody, if there is one. */
static const TlHash *
other_block(SimWorld *world, uint64_t view, const TlHash *block)
{
	unsigned	looked = 0;

	for (const SimRow *row = world->rows; row != NULL && looked < 2000;
		 row = row->next, looked++)
	{
		if (row->row.kind == TL_LOG_PROPOSE && row->row.view == view &&
			!sim_same(&row->subject, block))
			return &row->subject;
	}
	return NULL;
}
