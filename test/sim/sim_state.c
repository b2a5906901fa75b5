/*-------------------------------------------------------------------------
 *
 * sim_state.c
 *	  What the ledger's state is after each block, for those who apply it
 *	  right and for those who do not; checkpoints, checked.
 *
 * The state after a block is a digest of the state before and the block's hash.
 * A node that diverges gets another one from some height on, the same as others
 * that do.  Numbers as in README.md: V20 checkpoints, V21 what may be pruned.
 *
 *-------------------------------------------------------------------------
 */
#include "sim.h"

#include "crypto_hash.h"

#include <string.h>

static void state_after(SimWorld *world, const SimNode *node, uint64_t height,
						TlState *out);
static bool is_right(SimWorld *world, const SimNode *node,
					 const TlState *state);
static unsigned count_right(const SimWorld *world);

/* From a stream of chance of its own, so that older seeds keep their story. */
void
sim_state_plan(SimWorld *world)
{
	uint64_t	random = world->random;
	SimPlan    *plan = &world->plan;
	unsigned	faults = tl_consensus_faults(plan->nodes);

	world->random = world->seed * UINT64_C(0xd1342543de82ef95) + 7;
	plan->checkpoint_interval = 1u << sim_random(world, 5);
	if (plan->nodes > 1 && sim_chance(world, 30))
		plan->diverged = 1 + (unsigned) sim_random(world, faults + 1);
	if (plan->diverged > plan->nodes / 2)
		plan->diverged = plan->nodes / 2;
	if (plan->diverged > plan->nodes - plan->liars - plan->twins - plan->silent)
		plan->diverged = 0;
	plan->diverges_at = 1 + sim_random(world, 40);
	world->random = random;
}

/* The last members: the first ones may be liars. */
bool
sim_state_diverges(const SimWorld *world, const SimNode *node)
{
	return node->number > world->founder_count - world->plan.diverged &&
		node->number <= world->founder_count;
}

/*
 * Blocks that became durable were applied: tell the core.  Also when it has been
 * told that its state is wrong: the core has to know by itself when to say no
 * more.
 */
void
sim_state_give(SimWorld *world, SimNode *node)
{
	while (node->stated + 1 < node->chain_count)
	{
		TlInput		input = {.kind = TL_INPUT_STATE};

		node->stated++;
		state_after(world, node, node->stated, &input.state);
		input.view = node->chain[node->stated].header.view;
		sim_node_step(world, node, &input, true);
	}
}

/* A core that was made anew: what was applied last, once more. */
void
sim_state_open(SimWorld *world, SimNode *node)
{
	unsigned	newest = node->chain_count - 1;
	uint64_t	founding = world->epochs[node->epoch].base.header.height;
	uint64_t	certified = node->chain[newest].header.checkpoint_height;
	TlInput		input = {.kind = TL_INPUT_STATE};

	/* If that is another one, it says no more. */
	if (certified > 0)
	{
		state_after(world, node, certified, &input.state);
		input.view = node->chain[certified].header.view;
		sim_node_step(world, node, &input, true);
	}
	/* Of this epoch, and the block that founds it. */
	node->stated = (newest > 8) ? newest - 8 : 0;
	if (founding > 0 && node->stated < founding - 1)
		node->stated = (unsigned) founding - 1;
	sim_state_give(world, node);
}

/* V20: a stable checkpoint is a quorum of signed STATE rows, and right. */
void
sim_state_checkpoint(SimWorld *world, SimNode *node, const TlAction *action)
{
	TlCertificate certificate;

	if (!sim_is_honest(node))
		return;
	if (!sim_check_certificate(world, action->certificate, &certificate) ||
		certificate.kind != TL_LOG_STATE ||
		certificate.height != action->state.height ||
		certificate.view != action->view ||
		!sim_same(&certificate.state_root, &action->state.state_root))
		sim_fail(world, "V20: node %u: the checkpoint at %llu is not certified",
				 node->id, (unsigned long long) action->state.height);
	if (action->state.height < node->chain_count &&
		!is_right(world, node, &action->state))
		sim_fail(world, "V20: node %u: the checkpoint at %llu is wrong",
				 node->id, (unsigned long long) action->state.height);
	node->checkpoint = action->state;
}

/* V20: what a final block's header says was certified, and is right. */
void
sim_state_header(SimWorld *world, const SimNode *node,
				 const TlBlockHeader *header)
{
	TlState		right;

	if (header->checkpoint_height == 0 || sim_check_too_many(world))
		return;
	state_after(world, NULL, header->checkpoint_height, &right);
	if (!sim_same(&right.state_root, &header->checkpoint_state_root))
		sim_fail(world, "V20: node %u: block %llu names a checkpoint that is none",
				 node->id, (unsigned long long) header->height);
}

/* V21 */
void
sim_state_prune(SimWorld *world, SimNode *node, const TlAction *action)
{
	uint64_t	height = action->state.height;
	unsigned	known = node->chain_count + node->final_pending;

	if (!sim_is_honest(node))
		return;
	if (height >= known || height > node->checkpoint.height ||
		action->view != node->chain[height].header.view)
		sim_fail(world, "V21: node %u would prune at %llu, beyond what it has",
				 node->id, (unsigned long long) height);
	sim_retain_prune(world, node, height);
}

/* V8 for states: nobody who is right is called diverged. */
void
sim_state_alarm(SimWorld *world, SimNode *node, const TlAction *action)
{
	if (action->alarm == TL_ALARM_SPLIT)
	{
		node->split_at = action->state.height;
		world->seen[SIM_SEEN_STATE_SPLIT]++;
	}
	if (action->alarm == TL_ALARM_SPLIT && world->plan.diverged == 0 &&
		world->plan.liars + world->plan.twins + world->plan.silent == 0)
		sim_fail(world, "V20: node %u sees states that differ, and none do",
				 node->id);
	if (action->alarm != TL_ALARM_DIVERGED)
		return;
	if (action->member == node->number)
	{
		node->halted_at = action->state.height;
		world->seen[SIM_SEEN_DIVERGED]++;
	}
	/* More than f liars are a quorum together with one who was led astray. */
	if (!sim_check_too_many(world) &&
		sim_is_honest(&world->nodes[action->member - 1]) &&
		!sim_state_diverges(world, &world->nodes[action->member - 1]))
		sim_fail(world, "V8: node %u calls member %u diverged, who is not",
				 node->id, action->member);
}

/* V3: heights of STATE rows rise, and end with a certified difference. */
void
sim_state_own_row(SimWorld *world, SimNode *node, const TlLogRow *row)
{
	TlState		state;

	if (!sim_is_honest(node))
		return;
	if (tl_consensus_state_decode(&state, row->payload.data,
								  row->payload.size) != TL_OK ||
		(state.height <= node->stated_row && row->epoch == node->stated_epoch))
		sim_fail(world, "V3: node %u states height %llu after %llu", node->id,
				 (unsigned long long) state.height,
				 (unsigned long long) node->stated_row);
	node->stated_row = state.height;
	node->stated_epoch = row->epoch;
	if (node->halted_at != 0 && state.height > node->halted_at)
		sim_fail(world, "V3: node %u has diverged and states height %llu",
				 node->id, (unsigned long long) state.height);
}

/*
 * Lies of a liar, from time to time and without the stream of chance: a state of
 * his own for each that he tells, a checkpoint that nobody certified.
 */
void
sim_state_lie(const SimWorld *world, unsigned target, const TlLogRow *row,
			  uint8_t *bytes)
{
	if (row->kind != TL_LOG_STATE || row->payload.size != TL_STATE_SIZE)
		return;
	memcpy(bytes, row->payload.data, TL_STATE_SIZE);
	if (world->plan.lie != SIM_LIE_BELOW &&
		(world->seed + row->view + target) % 3 == 0)
		bytes[50] ^= (uint8_t) (1 + target);
}

void
sim_state_lie_header(const SimWorld *world, TlBlockHeader *header)
{
	if ((world->seed + header->view) % 7 != 0 ||
		header->checkpoint_height + 1 >= header->height)
		return;
	header->checkpoint_height++;
	header->checkpoint_state_root.bytes[3] ^= 1;
}

/* V9: an idle chain has a stable checkpoint at its tip, or is known to be split. */
const char *
sim_state_unfinished(SimWorld *world, const SimNode *node)
{
	TlConsensusStatus status;
	unsigned	right = count_right(world);
	unsigned	bad = world->plan.liars + world->plan.twins + world->plan.silent;
	uint64_t	epoch = world->epoch_count - 1;
	unsigned	quorum = tl_consensus_quorum(sim_govern_validators(world, epoch),
											 world->epochs[epoch].quorum_of_three);
	uint64_t	tip = node->chain_count - 1;

	if (tip == 0 || bad > tl_consensus_faults(world->founder_count))
		return NULL;
	tl_consensus_status(node->core, &status);
	if (right >= quorum)
	{
		if (status.checkpoint_height != tip)
			return "has no stable checkpoint at its tip";
		if (sim_state_diverges(world, node) && tip >= world->plan.diverges_at &&
			!status.diverged)
			return "does not know that its state is wrong";
	}
	else if (right + bad < quorum && tip >= world->plan.diverges_at &&
			 world->plan.diverged + bad < quorum && node->split_at == 0)
		return "does not know that states are split";
	return NULL;
}

/* NULL: the right one, of the blocks that the first honest node has. */
static void
state_after(SimWorld *world, const SimNode *node, uint64_t height,
			TlState *out)
{
	const SimNode *source = node;
	TlSha256	hash;

	for (unsigned i = 0; source == NULL && i < world->node_count; i++)
	{
		if (sim_is_honest(&world->nodes[i]) &&
			world->nodes[i].chain_count > height)
			source = &world->nodes[i];
	}
	memset(out, 0, sizeof(*out));
	out->height = height;
	if (source == NULL)
		return;
	out->block = source->chain[height].hash;
	/* A function of the prefix: the history root binds all of it. */
	tl_crypto_sha256_init(&hash);
	tl_crypto_sha256_update(&hash, out->block.bytes, TL_HASH_SIZE);
	if (node != NULL && sim_state_diverges(world, node) &&
		height >= world->plan.diverges_at)
		tl_crypto_sha256_update(&hash, "diverged", 8);
	tl_crypto_sha256_final(&hash, &out->state_root);
	tl_crypto_sha256_init(&hash);
	tl_crypto_sha256_update(&hash, out->block.bytes, TL_HASH_SIZE);
	tl_crypto_sha256_update(&hash, &source->chain[height].header.checkpoint_height, 8);
	tl_crypto_sha256_final(&hash, &out->outcome_root);
}

static bool
is_right(SimWorld *world, const SimNode *node, const TlState *state)
{
	TlState		right;

	if (sim_check_too_many(world))
		return true;
	state_after(world, NULL, state->height, &right);
	return sim_same(&right.state_root, &state->state_root);
}

static unsigned
count_right(const SimWorld *world)
{
	unsigned	right = 0;

	for (unsigned i = 0; i < world->member_count; i++)
	{
		const TlConsensusMember *member = sim_govern_member(world, i + 1,
															world->epoch_count - 1);

		right += (member != NULL && member->validator &&
				  sim_is_honest(&world->nodes[i]) &&
				  !sim_state_diverges(world, &world->nodes[i]));
	}
	return right;
}
