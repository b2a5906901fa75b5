/*-------------------------------------------------------------------------
 *
 * sim_liar_proposal.c
 *	  A leader's proposal with one thing wrong.
 *
 * Everything else in it is right and the row is validly signed, so that only
 * the rule that forbids this one thing stands against it.
 *
 *-------------------------------------------------------------------------
 */
#include "sim.h"

#include "merkle_hash.h"

#include <string.h>

static void twist_cut(SimWorld *world, SimNode *node, SimTwist twist,
					  TlBlockHeader *header, TlProposal *proposal,
					  uint8_t *bytes);
static void cut_everything(SimWorld *world, TlLane *lanes, unsigned *count,
						   TlHash *root);
static void twist_rest(SimWorld *world, SimTwist twist, TlBlockHeader *header,
					   TlProposal *proposal, TlWriter *scratch);
static void twist_certificate(SimWorld *world, SimTwist twist, TlSpan *span,
							  TlWriter *scratch);
static size_t add_vote(SimWorld *world, const TlCertificate *certificate,
					   TlWriter *scratch);
static void twist_entries(SimWorld *world, SimNode *node, SimTwist twist,
						  TlBlockHeader *header, TlProposal *proposal,
						  uint8_t *bytes);
static bool some_entry(SimWorld *world, SimNode *node, SimTwist twist,
					   TlBlockEntry *entry);
static void twist_grandparent(SimWorld *world, TlBlockHeader *header,
							  TlProposal *proposal);

/* False if nothing was told; block is what was proposed. */
bool
sim_liar_propose(SimWorld *world, SimNode *node, unsigned target,
				 const TlLogRow *row, SimTwist twist, TlHash *block)
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
		return false;
	header.time++;
	header.proposer = node->number;
	tl_writer_init(&writer, scratch, sizeof(scratch));
	if (twist == SIM_TWIST_CUT_BACK || twist == SIM_TWIST_CUT_UNKNOWN ||
		twist == SIM_TWIST_GIANT)
		twist_cut(world, node, twist, &header, &proposal, cut_bytes);
	else if (twist == SIM_TWIST_ENTRY_AGAIN || twist == SIM_TWIST_ENTRY_KIND ||
			 twist == SIM_TWIST_ENTRY_UNKNOWN)
		twist_entries(world, node, twist, &header, &proposal, entry_bytes);
	else
		twist_rest(world, twist, &header, &proposal, &writer);
	tl_writer_init(&writer, header_bytes, sizeof(header_bytes));
	sim_state_lie_header(world, &header);
	(void) tl_chain_block_encode(&writer, &header);
	proposal.header.data = header_bytes;
	proposal.header.size = writer.size;
	tl_writer_init(&writer, bytes, sizeof(bytes));
	if (tl_consensus_proposal_encode(&writer, &proposal) != TL_OK)
		return false;
	varied.kind = TL_LOG_PROPOSE;
	varied.payload.data = bytes;
	varied.payload.size = writer.size;
	tl_chain_block_hash(block, &header);
	sim_liar_tell(world, node, target, varied);
	world->seen[SIM_SEEN_TWIST]++;
	return true;
}

/*
 * R11: the parent's lanes are gone.  R12: a batch that nobody has.  R14: all
 * that there is, whatever its size.
 */
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
	if (twist == SIM_TWIST_CUT_BACK && count > 0)
		count--;
	if (twist == SIM_TWIST_CUT_UNKNOWN)
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
	if (twist == SIM_TWIST_GIANT)
		cut_everything(world, lanes, &count, &header->batch_root);
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
	if (twist == SIM_TWIST_NO_PARENT)
		proposal->parent_certificate.size = 0;
	if (twist == SIM_TWIST_NO_GAP)
	{
		proposal->gap_count = 0;
		proposal->gaps.size = 0;
	}
	if (twist == SIM_TWIST_GRANDPARENT)
		twist_grandparent(world, header, proposal);
	if (twist == SIM_TWIST_HISTORY)
		header->history_root.bytes[0]++;
	if (twist == SIM_TWIST_BATCH_ROOT)
		header->batch_root.bytes[0]++;
	if (twist == SIM_TWIST_FUTURE)
		header->time += 24 * SIM_HOUR_US;
	if (twist == SIM_TWIST_PAST)
		header->time -= 3 * 24 * SIM_HOUR_US;
	if (twist == SIM_TWIST_HEIGHT)
		header->height++;
	if (twist == SIM_TWIST_MEMBERS)
		header->members_hash.bytes[0]++;
	if (twist == SIM_TWIST_CHECKPOINT)
		header->checkpoint_height++;
	if (twist == SIM_TWIST_FORGED || twist == SIM_TWIST_SHORT ||
		twist == SIM_TWIST_REPEATED || twist == SIM_TWIST_BESIDE)
		twist_certificate(world, twist, &proposal->parent_certificate, scratch);
}

/* A vote of it is forged, left out, there twice; or a forged one is added. */
static void
twist_certificate(SimWorld *world, SimTwist twist, TlSpan *span, TlWriter *scratch)
{
	uint8_t    *bytes = scratch->data;
	TlCertificate decoded;

	if (tl_consensus_certificate_decode(&decoded, span->data, span->size) != TL_OK ||
		span->size >= 128 * 1024 || decoded.vote_count < 2)
		return;
	memcpy(bytes, span->data, span->size);
	if (twist == SIM_TWIST_FORGED)
		bytes[span->size - 1] ^= 1;
	else if (twist == SIM_TWIST_REPEATED)
		memcpy(bytes + span->size - TL_CERTIFICATE_VOTE_SIZE,
			   bytes + span->size - 2 * TL_CERTIFICATE_VOTE_SIZE,
			   TL_CERTIFICATE_VOTE_SIZE);
	else if (twist == SIM_TWIST_SHORT)
	{
		bytes[51]--;			/* the vote count's lower byte */
		span->size -= TL_CERTIFICATE_VOTE_SIZE;
	}
	else
		span->size = add_vote(world, &decoded, scratch);
	span->data = bytes;
}

/* The certificate, and the first that is not in it signs as well; not really. */
static size_t
add_vote(SimWorld *world, const TlCertificate *certificate, TlWriter *scratch)
{
	const TlConsensusConfig *config = &world->epochs[certificate->epoch];
	TlCertificate more = *certificate;
	uint8_t		votes[SIM_NODES_MAX * TL_CERTIFICATE_VOTE_SIZE];
	TlWriter	writer;
	unsigned	taken = 0;

	tl_writer_init(&writer, votes, sizeof(votes));
	for (unsigned i = 0; i < config->member_count; i++)
	{
		TlVote		vote = {0};

		if (taken < certificate->vote_count)
			(void) tl_consensus_certificate_get_vote(&vote, certificate, taken);
		if (vote.member == config->members[i].number)
			taken++;
		else if (config->members[i].validator && more.vote_count == certificate->vote_count)
		{
			more.vote_count++;
			vote = (TlVote) {.member = config->members[i].number, .sequence = 2};
		}
		else
			continue;
		tl_consensus_certificate_put_vote(&writer, &vote);
	}
	more.votes.data = votes;
	more.votes.size = writer.size;
	tl_writer_init(&writer, scratch->data, 128 * 1024);
	if (tl_consensus_certificate_encode(&writer, &more) != TL_OK)
		sim_fail(world, "the simulator's certificate is wrong");
	return writer.size;
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

/* The furthest batches of honest members beyond the parent's cut, and the root. */
static void
cut_everything(SimWorld *world, TlLane *lanes, unsigned *count, TlHash *root)
{
	TlLane		from[TL_MEMBER_COUNT_MAX];
	unsigned	from_count = *count;
	uint64_t	size;

	memcpy(from, lanes, from_count * sizeof(TlLane));
	*count = 0;
	for (unsigned i = 0; i < world->member_count; i++)
	{
		const SimNode *owner = &world->nodes[i];
		TlLane		lane = {.member = i + 1};

		for (unsigned j = 0; j < from_count; j++)
		{
			if (from[j].member == lane.member)
				lane = from[j];
		}
		if (sim_is_honest(owner) && owner->lane_head > lane.batch)
		{
			lane.batch = owner->lane_head;
			lane.digest = owner->lane_digest;
		}
		if (lane.batch > 0)
			lanes[(*count)++] = lane;
	}
	(void) sim_check_root(world, from, from_count, lanes, *count, root, &size);
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
	for (unsigned i = node->chain_count; twist == SIM_TWIST_ENTRY_AGAIN && i-- > 0;)
	{
		if (node->chain[i].entry_count == 0)
			continue;
		*entry = node->chain[i].entries[0];
		return true;
	}
	entry->kind = (twist == SIM_TWIST_ENTRY_KIND) ? TL_LOG_REJOIN : TL_LOG_EVIDENCE;
	for (SimRow *row = world->rows; row != NULL; row = row->next)
	{
		if (row->row.kind != TL_LOG_EVIDENCE)
			continue;
		entry->digest = row->digest;
		return twist != SIM_TWIST_ENTRY_AGAIN;
	}
	entry->digest = world->rows->digest;
	return twist == SIM_TWIST_ENTRY_UNKNOWN;
}
