/*-------------------------------------------------------------------------
 *
 * sim_check.c
 *	  What must hold in every run, checked after every step.
 *
 * Numbers as in README.md:
 *	  V1 agreement, V2 validity, V3 own log, V4 the final chain, V5 cuts,
 *	  V6 certificates, V7 availability, V8 nobody honest is accused,
 *	  V9 liveness once faults have stopped, V10 what a final block's proposal
 *	  says (its leader, its parent's certificate, those of the views it skips,
 *	  its batches, its time), V11 an idle chain writes nothing, V12 a fork
 *	  convicts enough, V18 nothing leaves that is not durable
 *
 * V1, V2, V4 to V7 and V10 are in sim_check_block.c, V12 in sim_check_fork.c.
 *
 *-------------------------------------------------------------------------
 */
#include "sim.h"

#include "consensus_evidence.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#define BATCHES_MAX		65536

typedef struct CastVotes
{
	bool		propose;
	bool		notarize;
	bool		finalize;
	bool		nullify;
} CastVotes;

static CastVotes cast[SIM_NODES_MAX][SIM_VIEWS_MAX / 16];
static TlHash batches[BATCHES_MAX];
static unsigned batch_count;

static bool all_are_convicted(SimWorld *world, const SimNode *node);
static const char *unfinished(SimWorld *world, unsigned *who);
static bool signed_both(SimWorld *world, const TlLogRow *row,
						TlEvidence *evidence);
static void check_evidence(SimWorld *world, const SimNode *node,
						   const TlLogRow *row);
static void count_votes(const SimNode *node, const SimLog *log);
static bool is_memory_full(const SimWorld *world);
static bool is_asked_for_tip(const SimWorld *world);
static void check_view(SimWorld *world, SimNode *node, const TlLogRow *row);
static void check_floor(SimWorld *world, const SimNode *node,
						const TlLogRow *row);
static bool needs_everybody(const SimWorld *world, uint64_t epoch);

void
sim_check_reset(SimWorld *world)
{
	sim_check_block_reset();
	memset(cast, 0, sizeof(cast));
	batch_count = 0;
}

void
sim_fail(SimWorld *world, const char *format,...)
{
	va_list		arguments;

	fflush(stdout);
	fprintf(stderr, "FAILED  SEED=%llu STEPS=%llu NODES=%u VIEWS=%u LIARS=%u DISKS=%u%s%s%s%s  at %llu events, %lld ms: ",
			(unsigned long long) world->seed,
			(unsigned long long) world->steps_max, world->command_nodes,
			world->command_views, world->command_liars, world->command_disks,
			world->plain ? " PLAIN=1" : "",
			world->keeps_memory ? " KEEP=1" : "",
			world->scenario != NULL ? " SCENARIO=" : "",
			world->scenario != NULL ? world->scenario->name : "",
			(unsigned long long) world->events_done,
			(long long) (world->now_us / SIM_MS));
	va_start(arguments, format);
	vfprintf(stderr, format, arguments);
	va_end(arguments);
	fprintf(stderr, "\n");
	exit(1);
}

/* V3: rows are of the epoch in which their author is; each begins anew. */
static void
check_epoch(SimWorld *world, SimNode *node, const TlLogRow *row)
{
	if (row->epoch > node->voted_epoch)
	{
		memset(cast[node->id], 0, sizeof(cast[node->id]));
		node->voted_epoch = row->epoch;
		node->voted_view = 0;
	}
	if (row->epoch != node->voted_epoch || row->epoch != node->epoch)
		sim_fail(world, "V3: node %u signs in epoch %llu", node->id,
				 (unsigned long long) row->epoch);
}

/* V3: what a node that follows the rules never signs. */
void
sim_check_own_row(SimWorld *world, SimNode *node, const TlLogRow *row)
{
	const SimLog *log = &node->logs[node->number - 1];
	TlCertificate certificate;
	CastVotes  *votes;
	bool		twice = false;

	/* A contradiction may come to light late, and is written once. */
	if (sim_is_honest(node) && row->kind != TL_LOG_EVIDENCE)
		world->written_us = world->now_us;
	if (row->kind == TL_LOG_REJOIN ? row->sequence != 1 :
		(log->count == 1 ? row->sequence != 1 :
		 row->sequence != log->rows[log->count - 2]->row.sequence + 1 ||
		 !sim_same(&row->previous, &log->rows[log->count - 2]->digest)))
		sim_fail(world, "V3: node %u: own log is not a chain at %llu", node->id,
				 (unsigned long long) row->sequence);
	if (row->view >= SIM_VIEWS_MAX / 16)
		sim_fail(world, "more views than the checks can hold");
	if (sim_is_honest(node) && row->kind == TL_LOG_CERT &&
		!sim_check_certificate(world, row->payload, &certificate))
		sim_fail(world, "V6: node %u sends a certificate that is none", node->id);
	if (sim_is_honest(node) && row->kind == TL_LOG_NULLIFY &&
		sim_is_honest(&world->nodes[sim_check_leader(world, row->epoch, row->view) - 1]))
	{
		world->lost_views++;
		world->lost_late += (!world->calm && world->events_done > world->steps_max / 2);
	}
	world->seen[SIM_SEEN_NULLIFIED] += (row->kind == TL_LOG_NULLIFY);
	check_epoch(world, node, row);
	if (sim_is_honest(node))
		sim_check_copy_row(world, node, row);
	sim_govern_own_row(world, node, row);
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
			sim_check_vote(world, node, row);
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
		case TL_LOG_STATE:
			sim_state_own_row(world, node, row);
			return;
		default:
			return;
	}
	if (twice)
		sim_fail(world, "V3: node %u contradicts itself in view %llu, kind %d",
				 node->id, (unsigned long long) row->view, row->kind);
	check_view(world, node, row);
	check_floor(world, node, row);
}

/* V3: the views of votes do not go back; only FINALIZE may be late. */
static void
check_view(SimWorld *world, SimNode *node, const TlLogRow *row)
{
	if (row->kind == TL_LOG_FINALIZE)
		return;
	if (row->view < node->voted_view)
		sim_fail(world, "V3: node %u votes in view %llu after %llu", node->id,
				 (unsigned long long) row->view,
				 (unsigned long long) node->voted_view);
	node->voted_view = row->view;
}

/* V3: no vote lies below the REJOIN that opened its incarnation (R6, R36). */
static void
check_floor(SimWorld *world, const SimNode *node, const TlLogRow *row)
{
	const SimLog *log = &node->logs[node->number - 1];

	if (needs_everybody(world, row->epoch))
		return;
	for (unsigned i = log->count; i-- > 0;)
	{
		const TlLogRow *rejoin = &log->rows[i]->row;

		if (rejoin->epoch != row->epoch)
			return;
		if (rejoin->kind != TL_LOG_REJOIN)
			continue;
		if (row->view < rejoin->view)
			sim_fail(world, "V3: node %u votes in view %llu, its REJOIN forbids views below %llu",
					 node->id, (unsigned long long) row->view,
					 (unsigned long long) rejoin->view);
		return;
	}
}

/* Does each certificate of that epoch need all of its validators? */
static bool
needs_everybody(const SimWorld *world, uint64_t epoch)
{
	unsigned	validators = sim_govern_validators(world, epoch);

	return tl_consensus_quorum(validators,
							   world->epochs[epoch].quorum_of_three) == validators;
}

/* V18: what somebody sees of an honest member is durable in its own log. */
void
sim_check_arrival(SimWorld *world, const SimRow *row)
{
	const SimNode *author = &world->nodes[row->row.member - 1];

	if (sim_is_honest(author) && !world->forgotten && !row->forged &&
		!((row->holders | row->droppers) >> author->id & 1))
		sim_fail(world, "V18: a row of node %u left before it was durable",
				 author->id);
}

void
sim_check_batch(SimWorld *world, const TlHash *digest)
{
	if (batch_count == BATCHES_MAX)
		sim_fail(world, "more batches than the checks can hold");
	batches[batch_count++] = *digest;
}

bool
sim_check_was_made(const TlHash *digest)
{
	for (unsigned i = batch_count; i-- > 0;)
	{
		if (sim_same(&batches[i], digest))
			return true;
	}
	return false;
}

/* V8 */
void
sim_check_alarm(SimWorld *world, SimNode *node, const TlAction *action)
{
	if (action->alarm == TL_ALARM_MEMORY)
	{
		if (sim_is_honest(node) && !node->forgot)
			sim_fail(world, "V30: node %u forgot nothing", node->id);
		sim_later(world, (int64_t) sim_random(world, 500 * SIM_MS),
				  (SimEvent) {.kind = SIM_REJOIN, .node = node->id,
				  .life = node->life});
		return;
	}
	if (!sim_is_honest(node))
		return;
	/* Where forgetful ones fork it, chains are compared in the end. */
	if (action->alarm == TL_ALARM_FORK && world->plan.forgetful > 0)
		return;
	if (action->alarm == TL_ALARM_FORK && sim_check_too_many(world))
		sim_check_fork(world, node->id);
	else if (action->alarm == TL_ALARM_FORK)
		sim_fail(world, "V1: node %u sees a fork", node->id);
	if (action->alarm == TL_ALARM_OWN_LOG)
		sim_fail(world, "V3: node %u does not know its own log", node->id);
	sim_state_alarm(world, node, action);
	if (action->alarm == TL_ALARM_INSTANCES)
	{
		world->seen[SIM_SEEN_DOUBLE]++;
		sim_check_copy_alarm(world, node, action->member);
	}
	if (action->alarm == TL_ALARM_PROTOCOL)
		world->seen[SIM_SEEN_OUTDATED]++;
	/* What somebody saw who has left, he was not asked about (R30). */
	if (action->alarm == TL_ALARM_INSTANCES &&
		sim_govern_member(world, node->number, node->epoch) != NULL &&
		sim_is_honest(&world->nodes[action->member - 1]))
		sim_fail(world, "V8: node %u sees two of member %u, who is one",
				 node->id, action->member);
	if (action->alarm == TL_ALARM_ILLEGAL_ROW &&
		sim_is_honest(&world->nodes[action->member - 1]))
		sim_fail(world, "V8: node %u accuses member %u, who is honest",
				 node->id, action->member);
}

/*
 * A REJOIN is durable.  Where everybody's vote is needed only those count that
 * somebody has seen; they are in the own log again.
 */
void
sim_check_rejoined(SimWorld *world, SimNode *node)
{
	if (needs_everybody(world, node->epoch))
		sim_check_forgotten(world, node, NULL);
}

/* Of what the node signed only the rows in its log count, and on that wire. */
void
sim_check_forgotten(SimWorld *world, SimNode *node, const SimLog *wire)
{
	memset(cast[node->id], 0, sizeof(cast[node->id]));
	node->voted_view = 0;
	node->voted_epoch = node->epoch;
	count_votes(node, &node->logs[node->number - 1]);
	if (wire != NULL)
		count_votes(node, wire);
}

static void
count_votes(const SimNode *node, const SimLog *log)
{
	for (unsigned i = 0; i < log->count; i++)
	{
		const TlLogRow *row = &log->rows[i]->row;
		CastVotes  *votes = &cast[node->id][row->view];

		if (row->epoch != node->epoch)
			continue;
		votes->propose |= (row->kind == TL_LOG_PROPOSE);
		votes->notarize |= (row->kind == TL_LOG_NOTARIZE);
		votes->finalize |= (row->kind == TL_LOG_FINALIZE);
		votes->nullify |= (row->kind == TL_LOG_NULLIFY);
	}
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
	return world->plan.liars + world->plan.twins + world->plan.silent +
		world->plan.forgetful >
		tl_consensus_faults(world->founder_count);
}

/* Are more off than f, liars or not, so that nothing may go on? */
bool
sim_check_may_halt(const SimWorld *world)
{
	return (sim_check_too_many(world) && !is_asked_for_tip(world)) ||
		(world->scenario != NULL &&
		 (world->scenario->expect & SIM_EXPECT_SAFETY) != 0);
}

/* What a scenario promises while its faults last; they end now. */
void
sim_check_faults(SimWorld *world)
{
	const SimScenario *scenario = world->scenario;
	unsigned	blocks = 0;

	sim_tip_check(world);
	sim_retain_check(world);
	for (unsigned i = 0; i < world->node_count; i++)
	{
		if (sim_is_honest(&world->nodes[i]) &&
			world->nodes[i].chain_count - 1 > blocks)
			blocks = world->nodes[i].chain_count - 1;
	}
	world->seen[SIM_SEEN_BLOCK] += blocks;
	world->seen[SIM_SEEN_HALT] += (blocks == 0);
	if (scenario != NULL && (scenario->expect & SIM_EXPECT_HALT) &&
		blocks > 0 && world->founder_count - world->plan.wrong_clocks <
		tl_consensus_quorum(world->founder_count, world->config.quorum_of_three))
		sim_fail(world, "V9: %u blocks are final without a quorum of right clocks",
				 blocks);
	if (scenario == NULL || sim_check_too_many(world))
		return;
	if ((scenario->expect & SIM_EXPECT_BLOCKS) && blocks < 3)
		sim_fail(world, "V9: while the fault lasts only %u blocks are final", blocks);
	if ((scenario->expect & SIM_EXPECT_PACE) &&
		blocks * 500 * SIM_MS < world->now_us)
		sim_fail(world, "V9: only %u blocks are final", blocks);
	if ((scenario->expect & SIM_EXPECT_SETTLED) && world->lost_late > 0)
		sim_fail(world, "V24: timers follow the rows, and in the second half of the run honest members left views of honest leaders %u times",
				 world->lost_late);
	if ((scenario->expect & SIM_EXPECT_VIEWS) && world->lost_views > 0)
		sim_fail(world, "V9: honest members left views of honest leaders, %u times",
				 world->lost_views);
}

/* P9: does somebody stand in the last view that he remembers?  There all may stand still. */
static bool
is_memory_full(const SimWorld *world)
{
	for (unsigned i = 0; i < world->node_count; i++)
	{
		const SimNode *node = &world->nodes[i];
		TlConsensusStatus status;

		if (node->core == NULL)
			continue;
		tl_consensus_status(node->core, &status);
		if (status.view + 1 >= node->chain[node->chain_count - 1].header.view +
			world->config.view_count)
			return true;
	}
	return false;
}

/* Does the scenario promise V9 whatever is off? */
static bool
is_asked_for_tip(const SimWorld *world)
{
	return world->scenario != NULL &&
		(world->scenario->expect & SIM_EXPECT_TIP) != 0;
}

void
sim_check_end(SimWorld *world)
{
	unsigned	who = 0;
	const char *what = unfinished(world, &who);
	TlConsensusStatus status;

	sim_script_end(world);
	if (what == NULL || world->safety_only ||
		(world->scenario != NULL && (world->scenario->expect & SIM_EXPECT_ROOM) != 0 &&
		 is_memory_full(world)) ||
		(sim_check_too_many(world) && !is_asked_for_tip(world)))
		return;
	if (world->verbose)
		sim_show(world);
	memset(&status, 0, sizeof(status));
	if (world->nodes[who].core != NULL)
		tl_consensus_status(world->nodes[who].core, &status);
	sim_fail(world, "V9: node %u %s (view %llu, final height %llu)", who, what,
			 (unsigned long long) status.view,
			 (unsigned long long) status.final_height);
}

/* Is all evidence that honest members wrote ordered in this node's chain? */
static bool
all_are_convicted(SimWorld *world, const SimNode *node)
{
	for (unsigned i = 0; i < world->node_count; i++)
	{
		const SimNode *author = &world->nodes[i];
		const SimLog *log = &author->logs[author->number - 1];

		for (unsigned j = 0; sim_is_honest(author) && j < log->count; j++)
		{
			TlEvidence	evidence;

			if (log->rows[j]->row.kind == TL_LOG_EVIDENCE &&
				sim_govern_member(world, author->number, node->epoch) != NULL &&
				tl_consensus_evidence_decode(&evidence, &world->config.chain_id,
											 log->rows[j]->row.payload.data,
											 log->rows[j]->row.payload.size) == TL_OK &&
				sim_govern_member(world, evidence.rows[0].row.member,
								  node->epoch) != NULL &&
				/* What one row convicts its own epoch has to decide. */
				(evidence.kind != TL_EVIDENCE_ILLEGAL ||
				 log->rows[j]->row.epoch == node->epoch) &&
				!sim_check_entry_convicted(world, node,
										   evidence.rows[0].row.member,
										   evidence.rows[0].row.epoch))
				return false;
		}
	}
	return true;
}

static const char *
unfinished(SimWorld *world, unsigned *who)
{
	const SimNode *first = NULL;

	for (unsigned i = 0; i < world->node_count; i++)
	{
		const SimNode *node = &world->nodes[i];
		const TlConsensusBlock *tip;
		TlConsensusStatus status;

		*who = i;
		if (!sim_is_honest(node))
			continue;
		if (!node->joined && sim_govern_member(world, node->number,
											   world->epoch_count - 1) == NULL)
			continue;
		if (!node->joined)
			return "has not joined";
		if (node->epoch < world->plan.epochs)
			return "is not in the last epoch";
		/* Who has left may hold a branch of a log that nobody else knows. */
		if (world->forgotten &&
			sim_govern_member(world, node->number, node->epoch) == NULL)
			continue;
		if (!node->up || node->busy || node->asked)
			return "is busy without end";
		tl_consensus_status(node->core, &status);
		if (sim_govern_member(world, node->number, node->epoch) != NULL &&
			(node->rejoining || status.lost || status.asking ||
			 !status.numbered))
			return "has not rejoined";
		if (first == NULL)
			first = node;
		tip = &node->chain[node->chain_count - 1];
		if (node->chain_count != first->chain_count ||
			!sim_same(&tip->hash, &first->chain[first->chain_count - 1].hash))
			return "has not the final tip of the others";
		if (!all_are_convicted(world, node))
			return "has not all evidence of honest members in its chain";
		for (unsigned j = 0; j < world->member_count; j++)
		{
			const SimNode *owner = &world->nodes[j];
			bool		found = (owner->lane_head == 0);

			if (!owner->joined)
				continue;
			tl_consensus_status(owner->core, &status);
			for (unsigned k = 0; k < tip->lane_count; k++)
			{
				if (tip->cut[k].member == owner->number &&
					tip->cut[k].incarnation == status.incarnation &&
					tip->cut[k].batch == owner->lane_head)
					found = true;
			}
			if (sim_is_honest(owner) && !found &&
				sim_govern_member(world, owner->number, node->epoch) != NULL)
				return "has not all batches of honest members in its chain";
		}
		if (sim_state_unfinished(world, node) != NULL)
			return sim_state_unfinished(world, node);
		if (sim_due_unfinished(world, node) != NULL)
			return sim_due_unfinished(world, node);
	}
	if (sim_check_unaccused(world) != 0)
		return "and the others accuse nobody of what they hold of his log (V14)";
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

		if (node->core == NULL)
			continue;
		tl_consensus_status(node->core, &status);
		printf("node %u, member %u, role %d: epoch %llu, view %llu, final %llu (known %llu), lane %llu%s%s%s%s%s\n",
			   node->id, node->number, (int) node->role,
			   (unsigned long long) node->epoch,
			   (unsigned long long) status.view,
			   (unsigned long long) status.final_height,
			   (unsigned long long) status.final_view,
			   (unsigned long long) node->lane_head,
			   status.works ? ", works" : "", status.lost ? ", lost" : "",
			   status.asking ? ", asking" : "",
			   node->rejoining ? ", rejoining" : "",
			   status.numbered ? "" : ", without number");
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

/* V8: whom an honest member accuses has signed both rows, and is not honest. */
static void
check_evidence(SimWorld *world, const SimNode *node, const TlLogRow *row)
{
	TlEvidence	evidence;

	if (!sim_is_honest(node))
		return;
	if (!signed_both(world, row, &evidence))
		sim_fail(world, "V8: node %u: evidence that was not signed", node->id);
	if (sim_is_honest(&world->nodes[evidence.rows[0].row.member - 1]))
		sim_fail(world, "V8: node %u accuses member %u, who is honest",
				 node->id, evidence.rows[0].row.member);
	world->evidence[evidence.kind]++;
	world->seen[SIM_SEEN_EVIDENCE]++;
	world->seen[SIM_SEEN_ILLEGAL] += (evidence.kind == TL_EVIDENCE_ILLEGAL);
}

/* V8: an accusation by a liar is believed if its rows are signed, only then. */
void
sim_check_accusation(SimWorld *world, const SimNode *node,
					 const TlLogRow *row, bool believed)
{
	TlEvidence	evidence;
	bool		signed_rows = signed_both(world, row, &evidence);

	if (sim_govern_member(world, evidence.rows[0].row.member,
						  node->epoch) == NULL)
		return;
	/* Of kind 6 a liar's row may be legal as well. */
	if (believed ? !signed_rows :
		signed_rows && evidence.kind != TL_EVIDENCE_ILLEGAL)
		sim_fail(world, "V8: node %u: an accusation with forged rows is believed",
				 node->id);
	world->seen[SIM_SEEN_FORGED] += !signed_rows;
}

static bool
signed_both(SimWorld *world, const TlLogRow *row, TlEvidence *evidence)
{
	if (tl_consensus_evidence_decode(evidence, &world->config.chain_id,
									 row->payload.data,
									 row->payload.size) != TL_OK)
		return false;
	/* What honest members write is legal: that it is not convicts no one of them. */
	if (evidence->kind == TL_EVIDENCE_ILLEGAL &&
		(evidence->rows[0].row.member > world->member_count ||
		 sim_is_honest(&world->nodes[evidence->rows[0].row.member - 1])))
		return false;
	for (int i = 0; i < (evidence->kind == TL_EVIDENCE_ILLEGAL ? 1 : 2); i++)
	{
		const TlEvidenceRow *part = &evidence->rows[i];
		uint8_t		key[TL_XONLY_KEY_SIZE] = {0};
		TlHash		digest;

		sim_govern_key(world, part->row.member, part->row.epoch, key);
		tl_consensus_row_digest_of(&digest, &world->config.chain_id, &part->row,
								   &part->payload_digest);
		if (part->row.member == 0 || part->row.member > world->member_count ||
			!sim_check_signature(NULL, part->row.signature, &digest, key))
			return false;
	}
	return true;
}
