/*-------------------------------------------------------------------------
 *
 * sim_check.c
 *	  What must hold in every run, checked after every step.
 *
 * Numbers as in README.md:
 *	  V1 agreement, V2 validity, V3 own log, V4 the final chain, V5 cuts,
 *	  V6 certificates, V7 availability, V8 nobody honest is accused,
 *	  V9 liveness once faults have stopped, V11 an idle chain writes nothing, V10 what a final block's proposal
 *	  says: its leader, its parent's certificate, those of the views it skips,
 *	  its batches, its time
 *
 *-------------------------------------------------------------------------
 */
#include "sim.h"

#include "chain_batch.h"
#include "consensus_evidence.h"
#include "crypto_hash.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#define HEIGHTS_MAX		65536
#define BATCHES_MAX		65536

typedef struct CastVotes
{
	bool		propose;
	bool		notarize;
	bool		finalize;
	bool		nullify;
} CastVotes;

static TlHash final_hash[HEIGHTS_MAX];
static bool final_known[HEIGHTS_MAX];
static CastVotes cast[SIM_NODES_MAX][SIM_VIEWS_MAX / 16];
static TlHash batches[BATCHES_MAX];
static unsigned batch_count;

static void check_finalization(SimWorld *world, SimNode *node,
							   const TlAction *action);
static bool accuses(SimWorld *world, const SimLog *log, uint32_t member);
static bool contradicts(SimWorld *world, const SimLog *left,
						const SimLog *right);
static void check_evidence(SimWorld *world, const SimNode *node,
						   const TlLogRow *row);
static bool check_certificate(SimWorld *world, TlSpan span,
							  TlCertificate *certificate);
static void check_proposal(SimWorld *world, const TlConsensusBlock *block);
static void check_batches(SimWorld *world, const TlConsensusBlock *block,
						  const TlConsensusBlock *parent);
static uint32_t leader_of(SimWorld *world, uint64_t view);
static void check_cut(SimWorld *world, SimNode *node,
					  const TlConsensusBlock *block,
					  const TlConsensusBlock *parent);

static const char *unfinished(SimWorld *world, unsigned *who);

void
sim_check_reset(SimWorld *world)
{
	memset(final_known, 0, sizeof(final_known));
	memset(cast, 0, sizeof(cast));
	batch_count = 0;
}

void
sim_fail(SimWorld *world, const char *format,...)
{
	va_list		arguments;

	fflush(stdout);
	fprintf(stderr, "FAILED  SEED=%llu STEPS=%llu NODES=%u VIEWS=%u LIARS=%u  at %llu events, %lld ms: ",
			(unsigned long long) world->seed,
			(unsigned long long) world->steps_max, world->command_nodes,
			world->command_views, world->command_liars,
			(unsigned long long) world->events_done,
			(long long) (world->now_us / SIM_MS));
	va_start(arguments, format);
	vfprintf(stderr, format, arguments);
	va_end(arguments);
	fprintf(stderr, "\n");
	exit(1);
}

/* V3: what a node that follows the rules never signs. */
void
sim_check_own_row(SimWorld *world, SimNode *node, const TlLogRow *row)
{
	const SimLog *log = &node->logs[node->number - 1];
	CastVotes  *votes;
	bool		twice = false;

	if (row->sequence != log->count ||
		(log->count > 1 &&
		 !sim_same(&row->previous, &log->rows[log->count - 2]->digest)))
		sim_fail(world, "V3: node %u: own log is not a chain at %llu", node->id,
				 (unsigned long long) row->sequence);
	if (row->view >= SIM_VIEWS_MAX / 16)
		sim_fail(world, "more views than the checks can hold");
	votes = &cast[node->id][row->view];
	switch (row->kind)
	{
		case TL_LOG_PROPOSE:
			twice = votes->propose;
			votes->propose = true;
			break;
		case TL_LOG_NOTARIZE:
			twice = votes->notarize;
			votes->notarize = true;
			break;
		case TL_LOG_FINALIZE:
			twice = votes->finalize || votes->nullify;
			votes->finalize = true;
			break;
		case TL_LOG_NULLIFY:
			twice = votes->finalize || votes->nullify;
			votes->nullify = true;
			break;
		case TL_LOG_EVIDENCE:
			check_evidence(world, node, row);
			return;
		default:
			return;
	}
	if (twice)
		sim_fail(world, "V3: node %u contradicts itself in view %llu, kind %d",
				 node->id, (unsigned long long) row->view, row->kind);
	if (row->kind != TL_LOG_FINALIZE && row->view < node->voted_view)
		sim_fail(world, "V3: node %u votes in view %llu after %llu", node->id,
				 (unsigned long long) row->view,
				 (unsigned long long) node->voted_view);
	if (row->kind != TL_LOG_FINALIZE)
		node->voted_view = row->view;
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
	check_finalization(world, node, action);
	if (!final_known[height])
	{
		check_proposal(world, block);
		check_batches(world, block, last);
	}
	final_known[height] = true;
	final_hash[height] = block->hash;
}

void
sim_check_batch(SimWorld *world, const TlHash *digest)
{
	if (batch_count == BATCHES_MAX)
		sim_fail(world, "more batches than the checks can hold");
	batches[batch_count++] = *digest;
}

/* V8 */
void
sim_check_alarm(SimWorld *world, SimNode *node, const TlAction *action)
{
	if (!sim_is_honest(node))
		return;
	if (action->alarm == TL_ALARM_FORK && sim_check_too_many(world))
		sim_check_fork(world, node->id);
	else if (action->alarm == TL_ALARM_FORK)
		sim_fail(world, "V1: node %u sees a fork", node->id);
	if (action->alarm == TL_ALARM_OWN_LOG)
		sim_fail(world, "V3: node %u does not know its own log", node->id);
	if (action->alarm == TL_ALARM_ILLEGAL_ROW &&
		sim_is_honest(&world->nodes[action->member - 1]))
		sim_fail(world, "V8: node %u accuses member %u, who is honest",
				 node->id, action->member);
}

/* V9: has everything that must happen happened? */
bool
sim_check_done(SimWorld *world)
{
	unsigned	who;

	return unfinished(world, &who) == NULL;
}

bool
sim_check_too_many(const SimWorld *world)
{
	return world->plan.liars + world->plan.twins + world->plan.silent >
		tl_consensus_faults(world->member_count);
}

/*
 * V12: two final blocks at one height.  What honest members hold, laid side by
 * side, convicts at least 2q - n members, and nobody honest.
 */
void
sim_check_fork(SimWorld *world, unsigned who)
{
	unsigned	quorum = tl_consensus_quorum(world->member_count,
											 world->config.quorum_of_three);
	unsigned	convicted = 0;

	for (unsigned member = 0; member < world->member_count; member++)
	{
		bool		caught = false;

		for (unsigned i = 0; i < world->node_count; i++)
		{
			if (sim_is_honest(&world->nodes[i]))
			{
				const SimNode *node = &world->nodes[i];

				caught |= accuses(world, &node->logs[node->number - 1], member + 1) ||
					accuses(world, &node->pending, member + 1);
			}
			for (unsigned j = 0; j < i; j++)
				caught |= sim_is_honest(&world->nodes[i]) &&
					sim_is_honest(&world->nodes[j]) &&
					contradicts(world, &world->nodes[i].logs[member],
								&world->nodes[j].logs[member]);
		}
		if (caught && sim_is_honest(&world->nodes[member]))
			sim_fail(world, "V8: member %u is honest and convicted", member + 1);
		convicted += caught;
	}
	if (convicted < 2 * quorum - world->member_count)
		sim_fail(world, "V12: node %u sees a fork, and only %u are convicted",
				 who, convicted);
	world->forks++;
}

/* Has this log an EVIDENCE row against that member? */
static bool
accuses(SimWorld *world, const SimLog *log, uint32_t member)
{
	for (unsigned i = 0; i < log->count; i++)
	{
		const TlLogRow *row = &log->rows[i]->row;
		TlEvidence	evidence;

		if (row->kind == TL_LOG_EVIDENCE &&
			tl_consensus_evidence_decode(&evidence, &world->config.chain_id,
										 row->payload.data,
										 row->payload.size) == TL_OK &&
			evidence.rows[0].row.member == member)
			return true;
	}
	return false;
}

/* The first place where two copies of a log differ, as evidence. */
static bool
contradicts(SimWorld *world, const SimLog *left, const SimLog *right)
{
	for (unsigned i = 0; i < left->count && i < right->count; i++)
	{
		TlEvidenceRow rows[2];
		TlEvidence	evidence;

		if (left->rows[i] == right->rows[i])
			continue;
		tl_consensus_evidence_row(&rows[0], &left->rows[i]->row);
		tl_consensus_evidence_row(&rows[1], &right->rows[i]->row);
		return tl_consensus_evidence_make(&evidence, &world->config.chain_id,
										  &rows[0], &rows[1]) != TL_EVIDENCE_NONE;
	}
	return false;
}

/*
 * How many rows the honest members have written, evidence not counted: a
 * contradiction may come to light late, and is written once.
 */
uint64_t
sim_check_rows(SimWorld *world)
{
	uint64_t	rows = 0;

	for (unsigned i = 0; i < world->node_count; i++)
	{
		const SimNode *node = &world->nodes[i];

		if (!sim_is_honest(node))
			continue;
		for (unsigned j = 0; j < node->logs[node->number - 1].count; j++)
			rows += (node->logs[node->number - 1].rows[j]->row.kind !=
					 TL_LOG_EVIDENCE);
	}
	return rows;
}

void
sim_check_end(SimWorld *world)
{
	unsigned	who = 0;
	const char *what = unfinished(world, &who);
	TlConsensusStatus status;

	if (what == NULL || world->safety_only || sim_check_too_many(world))
		return;
	if (world->verbose)
		sim_show(world);
	tl_consensus_status(world->nodes[who].core, &status);
	sim_fail(world, "V9: node %u %s (view %llu, final height %llu)", who, what,
			 (unsigned long long) status.view,
			 (unsigned long long) status.final_height);
}

static const char *
unfinished(SimWorld *world, unsigned *who)
{
	const SimNode *first = NULL;

	for (unsigned i = 0; i < world->node_count; i++)
	{
		const SimNode *node = &world->nodes[i];
		const TlConsensusBlock *tip;

		*who = i;
		if (!sim_is_honest(node))
			continue;
		if (!node->up || node->busy || node->asked)
			return "is busy without end";
		if (first == NULL)
			first = node;
		tip = &node->chain[node->chain_count - 1];
		if (node->chain_count != first->chain_count ||
			!sim_same(&tip->hash, &first->chain[first->chain_count - 1].hash))
			return "has not the final tip of the others";
		for (unsigned j = 0; j < world->member_count; j++)
		{
			const SimNode *owner = &world->nodes[j];
			bool		found = (owner->lane_head == 0);

			for (unsigned k = 0; k < tip->lane_count; k++)
			{
				if (tip->cut[k].member == owner->number &&
					tip->cut[k].batch == owner->lane_head)
					found = true;
			}
			if (sim_is_honest(owner) && !found)
				return "has not all batches of honest members in its chain";
		}
	}
	return NULL;
}

/* Where everybody stands: the last rows of each log. */
void
sim_show(SimWorld *world)
{
	static const char *const kinds[] = {
		"", "batch", "ack", "propose", "notarize", "finalize", "nullify", "cert",
		"state", "govern", "evidence", "rejoin", "restart", "reply"
	};

	for (unsigned i = 0; i < world->node_count; i++)
	{
		const SimNode *node = &world->nodes[i];
		const SimLog *log = &node->logs[node->number - 1];
		TlConsensusStatus status;

		tl_consensus_status(node->core, &status);
		printf("node %u, member %u, role %d: view %llu, final %llu (known %llu), lane %llu%s\n",
			   node->id, node->number, (int) node->role,
			   (unsigned long long) status.view,
			   (unsigned long long) status.final_height,
			   (unsigned long long) status.final_view,
			   (unsigned long long) node->lane_head,
			   status.works ? ", works" : "");
		printf("   knows");
		for (unsigned j = 0; j < world->member_count; j++)
			printf(" %u", node->logs[j].count);
		printf("; cut");
		for (unsigned j = 0; j < node->chain[node->chain_count - 1].lane_count; j++)
			printf(" %u:%llu", node->chain[node->chain_count - 1].cut[j].member,
				   (unsigned long long) node->chain[node->chain_count - 1].cut[j].batch);
		printf("\n  ");
		for (unsigned j = (log->count > 20) ? log->count - 20 : 0; j < log->count; j++)
			printf(" %s/%llu", kinds[log->rows[j]->row.kind],
				   (unsigned long long) log->rows[j]->row.view);
		printf("\n");
	}
}

/* V5 and V2: cuts only grow, and name batches that somebody made; V7. */
static void
check_cut(SimWorld *world, SimNode *node, const TlConsensusBlock *block,
		  const TlConsensusBlock *parent)
{
	for (unsigned i = 0; i < parent->lane_count; i++)
	{
		bool		kept = false;

		for (unsigned j = 0; j < block->lane_count; j++)
		{
			if (block->cut[j].member == parent->cut[i].member &&
				block->cut[j].batch >= parent->cut[i].batch)
				kept = true;
		}
		if (!kept)
			sim_fail(world, "V5: node %u: the cut of block %llu goes back",
					 node->id, (unsigned long long) block->header.height);
	}
	for (unsigned i = 0; i < block->lane_count; i++)
	{
		bool		made = false;
		unsigned	holders = 0;

		for (unsigned j = 0; j < batch_count; j++)
			made |= sim_same(&batches[j], &block->cut[i].digest);
		if (!made)
			sim_fail(world, "V2: node %u: block %llu orders a batch that nobody made",
					 node->id, (unsigned long long) block->header.height);
		if (!sim_node_has_body(node, &block->cut[i].digest))
			sim_fail(world, "V7: node %u: a body of block %llu is not here",
					 node->id, (unsigned long long) block->header.height);
		for (unsigned j = 0; j < world->node_count; j++)
		{
			if (sim_is_honest(&world->nodes[j]) &&
				sim_node_has_body(&world->nodes[j], &block->cut[i].digest))
				holders++;
		}
		if (!sim_check_too_many(world) && holders < tl_consensus_faults(world->member_count) + 1)
			sim_fail(world, "V7: a body of block %llu is held by %u only",
					 (unsigned long long) block->header.height, holders);
	}
}

/* V6: the finalization of the block or of a descendant. */
static void
check_finalization(SimWorld *world, SimNode *node, const TlAction *action)
{
	TlCertificate certificate;

	if (!check_certificate(world, action->certificate, &certificate) ||
		certificate.kind != TL_LOG_FINALIZE ||
		certificate.view < action->block->header.view)
		sim_fail(world, "V6: node %u: no finalization of block %llu", node->id,
				 (unsigned long long) action->block->header.height);
}

/* Judged by its own bytes: a quorum of distinct members, each signature. */
static bool
check_certificate(SimWorld *world, TlSpan span, TlCertificate *certificate)
{
	unsigned	quorum = tl_consensus_quorum(world->member_count,
											 world->config.quorum_of_three);

	if (tl_consensus_certificate_decode(certificate, span.data,
										span.size) != TL_OK ||
		certificate->vote_count < quorum)
		return false;
	for (unsigned i = 0; i < certificate->vote_count; i++)
	{
		TlVote		vote;
		TlLogRow	row;
		TlHash		digest;
		uint8_t		key[TL_XONLY_KEY_SIZE] = {0};

		(void) tl_consensus_certificate_get_vote(&vote, certificate, i);
		memset(&row, 0, sizeof(row));
		row.member = vote.member;
		row.sequence = vote.sequence;
		row.previous = vote.previous;
		row.kind = certificate->kind;
		row.epoch = certificate->epoch;
		row.view = certificate->view;
		if (row.kind != TL_LOG_NULLIFY)
		{
			row.payload.data = certificate->block.bytes;
			row.payload.size = TL_HASH_SIZE;
		}
		tl_consensus_row_digest(&digest, &world->config.chain_id, &row);
		key[0] = (uint8_t) vote.member;
		if (vote.member > world->member_count ||
			!sim_check_signature(NULL, vote.signature, &digest, key))
			return false;
	}
	return true;
}

/* V8: whom an honest member accuses has signed both rows, and is not honest. */
static void
check_evidence(SimWorld *world, const SimNode *node, const TlLogRow *row)
{
	TlEvidence	evidence;

	if (!sim_is_honest(node))
		return;
	if (tl_consensus_evidence_decode(&evidence, &world->config.chain_id,
									 row->payload.data,
									 row->payload.size) != TL_OK)
		sim_fail(world, "V8: node %u writes evidence of nothing", node->id);
	for (int i = 0; i < 2; i++)
	{
		TlHash		digest;
		uint8_t		key[TL_XONLY_KEY_SIZE] = {0};
		uint32_t	accused = evidence.rows[i].row.member;

		key[0] = (uint8_t) accused;
		tl_consensus_row_digest_of(&digest, &world->config.chain_id,
								   &evidence.rows[i].row,
								   &evidence.rows[i].payload_digest);
		if (!sim_check_signature(NULL, evidence.rows[i].row.signature, &digest,
								 key))
			sim_fail(world, "V8: node %u: evidence that was not signed", node->id);
		if (sim_is_honest(&world->nodes[accused - 1]))
			sim_fail(world, "V8: node %u accuses member %u, who is honest",
					 node->id, accused);
	}
	world->evidence[evidence.kind]++;
}

/* V10 */
static void
check_proposal(SimWorld *world, const TlConsensusBlock *block)
{
	const SimRow *row = sim_find(world, &block->hash);
	const TlBlockHeader *header = &block->header;
	unsigned long long height = header->height;
	TlProposal	proposal;
	TlCertificate certificate;
	TlReader	reader;
	uint64_t	view = header->parent_view;

	if (row == NULL ||
		tl_consensus_proposal_decode(&proposal, row->row.payload.data,
									 row->row.payload.size) != TL_OK)
		sim_fail(world, "V2: nobody proposed block %llu", height);
	if (row->row.member != leader_of(world, header->view))
		sim_fail(world, "V10: block %llu is not by the leader of view %llu",
				 height, (unsigned long long) header->view);
	if (height > 1 &&
		(!check_certificate(world, proposal.parent_certificate, &certificate) ||
		 certificate.kind == TL_LOG_NULLIFY || certificate.view != view ||
		 !sim_same(&certificate.block, &header->parent)))
		sim_fail(world, "V10: the parent of block %llu is not notarized", height);
	tl_reader_init(&reader, proposal.gaps.data, proposal.gaps.size);
	while (++view < header->view)
	{
		TlSpan		span = tl_get_span(&reader, tl_get_u32(&reader));

		if (!check_certificate(world, span, &certificate) ||
			certificate.kind != TL_LOG_NULLIFY || certificate.view != view)
			sim_fail(world, "V10: block %llu skips view %llu, which was not nullified",
					 height, (unsigned long long) view);
	}
	if (header->time > SIM_CLOCK_BASE_US + world->now_us +
		world->config.drift_us + world->plan.skew_us)
		sim_fail(world, "V10: block %llu is from the future", height);
}

/* V10: the root over the batches between two cuts, by the rows themselves. */
static void
check_batches(SimWorld *world, const TlConsensusBlock *block,
			  const TlConsensusBlock *parent)
{
	TlMerkleRange range;
	TlHash		root;

	tl_merkle_range_init(&range);
	for (unsigned i = 0; i < block->lane_count; i++)
	{
		const TlLane *lane = &block->cut[i];
		TlHash		digests[TL_CONSENSUS_LANE_MAX];
		TlHash		digest = lane->digest;
		uint64_t	from = 0;
		uint64_t	count;

		for (unsigned j = 0; j < parent->lane_count; j++)
		{
			if (parent->cut[j].member == lane->member)
				from = parent->cut[j].batch;
		}
		count = lane->batch - from;
		if (count > TL_CONSENSUS_LANE_MAX)
			sim_fail(world, "V10: too many batches in one block");
		for (uint64_t j = count; j-- > 0;)
		{
			const SimRow *row = sim_find(world, &digest);
			TlBatchHeader header;

			if (row == NULL ||
				tl_chain_batch_decode(&header, row->row.payload.data,
									  row->row.payload.size) != TL_OK)
				sim_fail(world, "V2: a batch of block %llu is unknown",
						 (unsigned long long) block->header.height);
			digests[j] = digest;
			digest = header.previous;
		}
		for (uint64_t j = 0; j < count; j++)
			(void) tl_merkle_range_append(&range, &digests[j]);
	}
	tl_merkle_range_root(&range, &root);
	if (!sim_same(&root, &block->header.batch_root))
		sim_fail(world, "V10: the batch root of block %llu is wrong",
				 (unsigned long long) block->header.height);
}

/* Who leads: members by Hash(founding block || key), worked out once more. */
static uint32_t
leader_of(SimWorld *world, uint64_t view)
{
	TlHash		places[SIM_NODES_MAX];

	for (unsigned i = 0; i < world->member_count; i++)
	{
		uint8_t		bytes[TL_HASH_SIZE + TL_XONLY_KEY_SIZE];

		memcpy(bytes, world->config.founding.bytes, TL_HASH_SIZE);
		memcpy(bytes + TL_HASH_SIZE, world->config.members[i].row_key,
			   TL_XONLY_KEY_SIZE);
		tl_crypto_sha256(&places[i], bytes, sizeof(bytes));
	}
	for (unsigned i = 0; i < world->member_count; i++)
	{
		unsigned	before = 0;

		for (unsigned j = 0; j < world->member_count; j++)
			before += (memcmp(places[j].bytes, places[i].bytes,
							  TL_HASH_SIZE) < 0);
		if (before == view % world->member_count)
			return i + 1;
	}
	return 0;
}
