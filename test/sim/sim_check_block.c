/*-------------------------------------------------------------------------
 *
 * sim_check_block.c
 *	  What must hold of each block that is handed over.
 *
 *-------------------------------------------------------------------------
 */
#include "sim.h"

#include "chain_batch.h"
#include "crypto_hash.h"

#include <string.h>

#define HEIGHTS_MAX		65536

static TlHash final_hash[HEIGHTS_MAX];
static bool final_known[HEIGHTS_MAX];

static bool is_late(const SimWorld *world, const TlLane *lane);
static const TlLane *find_lane(const TlConsensusBlock *block, uint32_t member);
static void check_cut(SimWorld *world, SimNode *node,
					  const TlConsensusBlock *block, const TlConsensusBlock *parent);
static void check_finalization(SimWorld *world, SimNode *node,
							   const TlAction *action);
static const char *what_is_wrong(SimWorld *world, const TlLogRow *row,
								 const TlBlockHeader *header);
static void check_proposal(SimWorld *world, const TlConsensusBlock *block);
static void check_batches(SimWorld *world, const TlConsensusBlock *block,
						  const TlConsensusBlock *parent);

void
sim_check_block_reset(void)
{
	memset(final_known, 0, sizeof(final_known));
}

/* V1, V2, V4 to V7: a block is handed over. */
void
sim_check_final(SimWorld *world, SimNode *node, const TlAction *action)
{
	const TlConsensusBlock *block = action->block;
	const TlConsensusBlock *last;
	uint64_t	height = block->header.height;
	TlHash		history;

	if (!sim_is_honest(node))
		return;
	if (height >= HEIGHTS_MAX)
		sim_fail(world, "more blocks than the checks can hold");
	last = &node->chain[node->chain_count + node->final_pending - 1];
	tl_merkle_range_root(&last->history, &history);
	if (tl_chain_block_follows(&last->header, &block->header) != TL_OK ||
		!sim_same(&history, &block->header.history_root))
		sim_fail(world, "V4: node %u: block %llu does not follow", node->id,
				 (unsigned long long) height);
	if (final_known[height] && !sim_same(&final_hash[height], &block->hash) &&
		sim_check_too_many(world))
	{
		sim_check_fork(world, node->id);
		return;
	}
	if (final_known[height] && !sim_same(&final_hash[height], &block->hash))
		sim_fail(world, "V1: node %u has another final block at height %llu",
				 node->id, (unsigned long long) height);
	check_cut(world, node, block, last);
	sim_check_epoch(world, node, block, &action->hash);
	sim_check_entry(world, node, block);
	check_finalization(world, node, action);
	sim_state_header(world, node, &block->header);
	if (!final_known[height])
	{
		check_proposal(world, block);
		check_batches(world, block, last);
	}
	final_known[height] = true;
	final_hash[height] = block->hash;
}

/* Has the owner of that batch rejoined since he made it? */
static bool
is_late(const SimWorld *world, const TlLane *lane)
{
	const SimNode *owner = &world->nodes[lane->member - 1];
	TlConsensusStatus status;

	tl_consensus_status(owner->core, &status);
	return sim_is_honest(owner) && owner->up && !status.lost &&
		(!status.numbered || status.incarnation > lane->incarnation);
}

static const TlLane *
find_lane(const TlConsensusBlock *block, uint32_t member)
{
	for (unsigned i = 0; i < block->lane_count; i++)
	{
		if (block->cut[i].member == member)
			return &block->cut[i];
	}
	return NULL;
}

/*
 * V7, V13: how many honest nodes hold what a block orders.  q voted for it, and
 * those of them who follow the rules hold it: f + 1 at least, if f do not.  Where disks forget beyond f nothing is promised.
 */
unsigned
sim_check_holders(const SimWorld *world, uint64_t epoch)
{
	unsigned	validators = sim_govern_validators(world, epoch);
	unsigned	quorum = tl_consensus_quorum(validators,
											 world->epochs[epoch].quorum_of_three);
	unsigned	bad = world->plan.liars + world->plan.twins + world->plan.silent +
		world->plan.forgetful;

	if (!sim_check_too_many(world))
		return sim_check_may_halt(world) ? 0 : tl_consensus_faults(validators) + 1;
	return (world->forgotten || bad > quorum) ? 0 : quorum - bad;
}

/* V5 and V2: cuts only grow, and name batches that somebody made; V7. */
static void
check_cut(SimWorld *world, SimNode *node, const TlConsensusBlock *block,
		  const TlConsensusBlock *parent)
{
	for (unsigned i = 0; i < parent->lane_count; i++)
	{
		bool		kept = sim_govern_member(world, parent->cut[i].member,
											 block->header.epoch) == NULL;

		for (unsigned j = 0; j < block->lane_count; j++)
		{
			if (block->cut[j].member == parent->cut[i].member &&
				(block->cut[j].incarnation > parent->cut[i].incarnation ||
				 (block->cut[j].incarnation == parent->cut[i].incarnation &&
				  block->cut[j].batch >= parent->cut[i].batch)))
				kept = true;
		}
		if (!kept)
			sim_fail(world, "V5: node %u: the cut of block %llu goes back",
					 node->id, (unsigned long long) block->header.height);
	}
	for (unsigned i = 0; i < block->lane_count; i++)
	{
		const TlLane *from = find_lane(parent, block->cut[i].member);
		unsigned	holders = 0;

		if (from == NULL || !sim_same(&from->digest, &block->cut[i].digest))
			world->seen[SIM_SEEN_LATE_BATCH] += is_late(world, &block->cut[i]);
		if (!sim_check_was_made(&block->cut[i].digest))
			sim_fail(world, "V2: node %u: block %llu orders a batch that nobody made",
					 node->id, (unsigned long long) block->header.height);
		if (block->cut[i].incarnation > 0 && block->cut[i].incarnation >
			sim_check_entry_rejoins(world, node, block->cut[i].member))
			sim_fail(world, "V16: node %u: block %llu orders a batch of an incarnation that no block before has numbered",
					 node->id, (unsigned long long) block->header.height);
		if (!sim_disk_has_body(node, &block->cut[i].digest))
			sim_fail(world, "V7: node %u: a body of block %llu is not here",
					 node->id, (unsigned long long) block->header.height);
		for (unsigned j = 0; j < world->node_count; j++)
		{
			if (sim_is_honest(&world->nodes[j]) &&
				sim_disk_has_body(&world->nodes[j], &block->cut[i].digest))
				holders++;
		}
		if (holders < sim_check_holders(world, block->header.epoch))
			sim_fail(world, "V7: a body of block %llu is held by %u only",
					 (unsigned long long) block->header.height, holders);
	}
}

/* V6: the finalization of the block or of a descendant. */
static void
check_finalization(SimWorld *world, SimNode *node, const TlAction *action)
{
	TlCertificate certificate;

	if (!sim_check_certificate(world, action->certificate, &certificate) ||
		certificate.kind != TL_LOG_FINALIZE ||
		certificate.view < action->block->header.view)
		sim_fail(world, "V6: node %u: no finalization of block %llu", node->id,
				 (unsigned long long) action->block->header.height);
}

/* Judged by its own bytes: a quorum of distinct members, each signature. */
bool
sim_check_certificate(SimWorld *world, TlSpan span, TlCertificate *certificate)
{
	TlVote		vote = {0};

	if (tl_consensus_certificate_decode(certificate, span.data,
										span.size) != TL_OK ||
		certificate->epoch >= world->epoch_count ||
		certificate->vote_count <
		tl_consensus_quorum(sim_govern_validators(world, certificate->epoch),
							world->epochs[certificate->epoch].quorum_of_three))
		return false;
	for (unsigned i = 0; i < certificate->vote_count; i++)
	{
		uint32_t	last = (i > 0) ? vote.member : 0;
		TlLogRow	row;
		TlHash		digest;
		const TlConsensusMember *member;
		uint8_t		payload[TL_CERTIFICATE_PAYLOAD_SIZE_MAX];
		TlWriter	writer;

		(void) tl_consensus_certificate_get_vote(&vote, certificate, i);
		memset(&row, 0, sizeof(row));
		row.member = vote.member;
		memcpy(row.nonce, vote.nonce, TL_NONCE_SIZE);
		row.sequence = vote.sequence;
		row.previous = vote.previous;
		row.kind = certificate->kind;
		row.epoch = certificate->epoch;
		row.view = certificate->view;
		tl_writer_init(&writer, payload, sizeof(payload));
		if (tl_consensus_certificate_payload(&writer, certificate) != TL_OK)
			return false;
		row.payload.data = payload;
		row.payload.size = writer.size;
		tl_consensus_row_digest(&digest, &world->config.chain_id, &row);
		member = sim_govern_member(world, vote.member, certificate->epoch);
		if (member == NULL || !member->validator || vote.member <= last ||
			!sim_check_signature(NULL, vote.signature, &digest, member->row_key))
			return false;
	}
	return true;
}

/* V10.  A liar may have told one block twice, with other certificates. */
static void
check_proposal(SimWorld *world, const TlConsensusBlock *block)
{
	const TlBlockHeader *header = &block->header;
	const char *wrong = "was proposed by nobody";

	for (const SimRow *row = *sim_bucket(world, &block->hash);
		 row != NULL && wrong != NULL; row = row->near)
	{
		if (row->row.kind == TL_LOG_PROPOSE &&
			sim_same(&row->subject, &block->hash))
			wrong = what_is_wrong(world, &row->row, header);
	}
	if (wrong != NULL)
		sim_fail(world, "V10: block %llu %s",
				 (unsigned long long) header->height, wrong);
	if (header->time > SIM_CLOCK_BASE_US + world->now_us +
		world->config.drift_us + world->plan.skew_us)
		sim_fail(world, "V10: block %llu is from the future",
				 (unsigned long long) header->height);
}

/* With a proposal, by what it says itself; NULL if nothing is. */
static const char *
what_is_wrong(SimWorld *world, const TlLogRow *row, const TlBlockHeader *header)
{
	uint64_t	view = header->parent_view;
	TlProposal	proposal;
	TlCertificate certificate;
	TlReader	reader;

	if (tl_consensus_proposal_decode(&proposal, row->payload.data,
									 row->payload.size) != TL_OK)
		return "cannot be read";
	if (row->member != sim_check_leader(world, header->epoch, header->view))
		return "is not by the leader of its view";
	if (!sim_same(&header->parent, &world->epochs[header->epoch].founding) &&
		(!sim_check_certificate(world, proposal.parent_certificate, &certificate) ||
		 certificate.kind == TL_LOG_NULLIFY || certificate.view != view ||
		 !sim_same(&certificate.block, &header->parent)))
		return "has a parent that is not notarized";
	tl_reader_init(&reader, proposal.gaps.data, proposal.gaps.size);
	while (++view < header->view)
	{
		TlSpan		span = tl_get_span(&reader, tl_get_u32(&reader));

		if (!sim_check_certificate(world, span, &certificate) ||
			certificate.kind != TL_LOG_NULLIFY || certificate.view != view)
			return "skips a view that was not nullified";
	}
	return NULL;
}

/* V10: the root over the batches between two cuts, and how much they are. */
static void
check_batches(SimWorld *world, const TlConsensusBlock *block,
			  const TlConsensusBlock *parent)
{
	TlHash		root;
	uint64_t	size;
	unsigned	count = sim_check_root(world, parent->cut, parent->lane_count,
									   block->cut, block->lane_count, &root,
									   &size);

	if (count == UINT32_MAX)
		sim_fail(world, "V2: a batch of block %llu is unknown, or leaves its lane",
				 (unsigned long long) block->header.height);
	if (!sim_same(&root, &block->header.batch_root))
		sim_fail(world, "V10: the batch root of block %llu is wrong",
				 (unsigned long long) block->header.height);
	if (count > 1 && (count > TL_BLOCK_BATCHES_MAX || size > TL_BLOCK_BODY_SIZE_MAX))
		sim_fail(world, "V10: block %llu is too large: %u batches, %llu bytes",
				 (unsigned long long) block->header.height, count,
				 (unsigned long long) size);
	if (size > TL_BLOCK_BODY_SIZE_MAX / 2)
		world->seen[SIM_SEEN_LARGE]++;
}

/*
 * By the rows themselves.  Returns how many batches lie between the cuts,
 * UINT32_MAX if one is unknown or does not descend from the first cut.
 */
unsigned
sim_check_root(SimWorld *world, const TlLane *from, unsigned from_count,
			   const TlLane *to, unsigned to_count, TlHash *root,
			   uint64_t *size)
{
	TlMerkleRange range;
	unsigned	batches = 0;

	*size = 0;
	tl_merkle_range_init(&range);
	for (unsigned i = 0; i < to_count; i++)
	{
		TlHash		digests[TL_CONSENSUS_LANE_MAX];
		TlHash		digest = to[i].digest;
		TlLane		start = {0};
		uint64_t	count;

		for (unsigned j = 0; j < from_count; j++)
		{
			if (from[j].member == to[i].member &&
				from[j].incarnation == to[i].incarnation)
				start = from[j];
		}
		count = to[i].batch - start.batch;
		if (count > TL_CONSENSUS_LANE_MAX)
			return UINT32_MAX;
		for (uint64_t j = count; j-- > 0;)
		{
			const SimRow *row = sim_find(world, &digest);
			TlBatchHeader header;
			TlBatchChunk chunk;

			if (row == NULL ||
				tl_chain_batch_decode(&header, row->row.payload.data,
									  row->row.payload.size) != TL_OK)
				return UINT32_MAX;
			for (unsigned k = 0; k < header.chunk_count; k++)
			{
				if (tl_chain_batch_get_chunk(&chunk, &header, k) == TL_OK)
					*size += chunk.size;
			}
			digests[j] = digest;
			digest = header.previous;
		}
		if (count > 0 && !sim_same(&digest, &start.digest))
			return UINT32_MAX;
		for (uint64_t j = 0; j < count; j++)
			(void) tl_merkle_range_append(&range, &digests[j]);
		batches += (unsigned) count;
	}
	tl_merkle_range_root(&range, root);
	return batches;
}

/* Who leads: members by Hash(founding block || key), worked out once more. */
uint32_t
sim_check_leader(SimWorld *world, uint64_t epoch, uint64_t view)
{
	const TlConsensusConfig *config;
	TlHash		places[SIM_NODES_MAX];
	unsigned	validators;

	/* A liar may speak of epochs that are not. */
	if (epoch >= world->epoch_count)
		return 1;
	config = &world->epochs[epoch];
	validators = sim_govern_validators(world, epoch);
	for (unsigned i = 0; i < config->member_count; i++)
	{
		uint8_t		bytes[TL_HASH_SIZE + TL_XONLY_KEY_SIZE];

		memcpy(bytes, config->founding.bytes, TL_HASH_SIZE);
		memcpy(bytes + TL_HASH_SIZE, config->members[i].row_key,
			   TL_XONLY_KEY_SIZE);
		tl_crypto_sha256(&places[i], bytes, sizeof(bytes));
	}
	for (unsigned i = 0; i < config->member_count; i++)
	{
		unsigned	before = 0;

		if (!config->members[i].validator)
			continue;
		for (unsigned j = 0; j < config->member_count; j++)
			before += config->members[j].validator &&
				memcmp(places[j].bytes, places[i].bytes, TL_HASH_SIZE) < 0;
		if (before == view % validators)
			return config->members[i].number;
	}
	return 0;
}
