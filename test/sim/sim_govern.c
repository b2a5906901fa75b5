/*-------------------------------------------------------------------------
 *
 * sim_govern.c
 *	  Members decide, come and go: motions, approvals, epochs.
 *
 * For each epoch there are two motions that change its members, or one and a
 * deployment; the officers of all members approve of both, in any order, so that
 * they compete.  The
 * core counts; whoever meets TL_ACT_EPOCH opens the next core.  New members
 * copy the chain of a peer and check the certificates of all its epochs.
 *
 *-------------------------------------------------------------------------
 */
#include "sim.h"

#include "consensus_epoch.h"

#include <stdlib.h>
#include <string.h>

#define SEED_OF_EPOCHS	UINT64_C(0x5bd1e9955bd1e995)	/* a stream of its own */

static void put_leaf(TlWriter *writer, uint32_t number, TlMemberKind kind,
					 unsigned generation);
static unsigned most_versions(const SimWorld *world);
static void make_motion(SimWorld *world, uint64_t epoch, unsigned which);
static void make_deployment(TlMotion *motion);
static uint8_t put_newcomers(SimWorld *world, const TlConsensusConfig *config,
							 TlWriter *leaves);
static void choose_removed(SimWorld *world, const TlConsensusConfig *config,
						   unsigned which, bool *removed);
static unsigned bad_validators(SimWorld *world, const TlConsensusConfig *config,
							   const bool *removed);
static bool has_approved(const SimWorld *world, const SimNode *node,
						 const SimMotion *motion);
static void register_epoch(SimWorld *world, const TlConsensusConfig *next,
						   TlSpan certificate);
static void witness(SimWorld *world, const TlConsensusConfig *next,
					const TlStanding *standing);
static void check_same(SimWorld *world, const SimNode *node,
					   const TlConsensusConfig *next);
static void check_certificate(SimWorld *world, uint64_t epoch);
static void check_shown(SimWorld *world, const SimNode *node, TlSpan bytes);

/* Who joins later, and how often the members change. */
void
sim_govern_plan(SimWorld *world)
{
	SimPlan    *plan = &world->plan;
	uint64_t	random = world->random;

	world->random = (world->seed ^ SEED_OF_EPOCHS) * UINT64_C(0x9e3779b97f4a7c15);
	if (world->command_liars == 0 &&
		sim_chance(world, 40))
	{
		plan->epochs = 1 + (unsigned) sim_random(world, 3);
		plan->joiners = (unsigned) sim_random(world, 5);
		plan->clock_weight = 0; /* f may become less than it was */
		plan->diverged = 0;
		plan->deploys = sim_chance(world, 20);
	}
	while (plan->joiners > 0 &&
		   plan->nodes + plan->twins + plan->joiners > SIM_NODES_MAX)
		plan->joiners--;
	world->random = random;
}

/* The founders, with leaves and keys. */
void
sim_govern_found(SimWorld *world)
{
	TlConsensusConfig *config = &world->config;
	TlMember	members[SIM_NODES_MAX];
	uint8_t		leaves[SIM_NODES_MAX][TL_MEMBER_LEAF_SIZE_MAX];

	for (unsigned i = 0; i < config->member_count; i++)
	{
		TlWriter	writer;
		TlSpan		leaf;

		tl_writer_init(&writer, leaves[i], sizeof(leaves[i]));
		put_leaf(&writer, i + 1, TL_MEMBER_VALIDATOR, 0);
		leaf.data = leaves[i];
		leaf.size = writer.size;
		if (tl_chain_member_decode(&members[i], leaf.data, leaf.size) != TL_OK ||
			tl_consensus_epoch_member(&config->members[i], leaf) != TL_OK)
			sim_fail(world, "the simulator's member leaf is wrong");
	}
	if (tl_chain_members_hash(&config->members_hash, members,
							  config->member_count) != TL_OK)
		sim_fail(world, "the simulator's members are wrong");
	config->base.header.members_hash = config->members_hash;
}

void
sim_govern_free(SimWorld *world)
{
	for (unsigned i = 0; i < SIM_EPOCHS_MAX; i++)
	{
		free(world->proofs[i].bytes);
		for (unsigned which = 0; which < 2; which++)
			free(world->motions[i][which].bytes);
	}
}

/* The key with which a member signs rows of that epoch: a stand-in. */
void
sim_govern_key(const SimWorld *world, uint32_t member, uint64_t epoch,
			   uint8_t key[TL_XONLY_KEY_SIZE])
{
	const TlConsensusConfig *config;

	if (epoch >= world->epoch_count)
		epoch = world->epoch_count - 1;
	config = &world->epochs[epoch];
	memset(key, 0, TL_XONLY_KEY_SIZE);
	key[0] = (uint8_t) member;
	for (unsigned i = 0; i < config->member_count; i++)
	{
		if (config->members[i].number == member)
			memcpy(key, config->members[i].row_key, TL_XONLY_KEY_SIZE);
	}
}

/* The member in that epoch, or NULL. */
const TlConsensusMember *
sim_govern_member(const SimWorld *world, uint32_t number, uint64_t epoch)
{
	const TlConsensusConfig *config = &world->epochs[epoch];

	for (unsigned i = 0; epoch < world->epoch_count &&
		 i < config->member_count; i++)
	{
		if (config->members[i].number == number)
			return &config->members[i];
	}
	return NULL;
}

unsigned
sim_govern_validators(const SimWorld *world, uint64_t epoch)
{
	unsigned	count = 0;

	for (unsigned i = 0; i < world->epochs[epoch].member_count; i++)
		count += world->epochs[epoch].members[i].validator;
	return count;
}

/* Validators of the newest epoch, or fewer if one of its motions leaves fewer. */
unsigned
sim_govern_least(const SimWorld *world)
{
	uint64_t	epoch = world->epoch_count - 1;
	unsigned	least = sim_govern_validators(world, epoch);

	for (unsigned which = 0; which < 2; which++)
	{
		const SimMotion *made = &world->motions[epoch][which];
		TlConsensusConfig next = world->epochs[epoch];
		TlSpan		bytes = {made->bytes, made->size};
		unsigned	count = 0;

		if (made->bytes == NULL ||
			tl_consensus_epoch_next(&next, &next.base, &next.standing,
									bytes) != TL_OK)
			continue;
		for (unsigned i = 0; i < next.member_count; i++)
			count += next.members[i].validator;
		if (count < least)
			least = count;
	}
	return least;
}

/* The officer of a member approves of a motion of its epoch, or once more. */
void
sim_govern_approve(SimWorld *world, SimNode *node)
{
	uint64_t	epoch = node->epoch;
	unsigned	which = (unsigned) sim_random(world, 2);
	SimMotion  *motion;
	TlConsensusStatus status;
	TlGovern	govern = {0};
	TlHash		digest;
	TlHash		approval;
	TlInput		input = {.kind = TL_INPUT_MAKE_APPROVAL};
	TlWriter	writer;
	const TlConsensusMember *member;
	bool		wrong;
	static uint8_t bytes[TL_GOVERN_SIZE_MAX];

	if (epoch >= world->plan.epochs ||
		sim_govern_member(world, node->number, epoch) == NULL)
		return;
	tl_consensus_status(node->core, &status);
	if (status.view < world->plan.approve_view)
		return;
	make_motion(world, epoch, which);
	motion = &world->motions[epoch][which];
	if (has_approved(world, node, motion) && !sim_chance(world, 10))
	{
		motion = &world->motions[epoch][1 - which];
		make_motion(world, epoch, 1 - which);
		if (has_approved(world, node, motion))
			return;
	}
	govern.number = status.approvals + 1;
	govern.motion.data = motion->bytes;
	govern.motion.size = motion->size;
	tl_consensus_motion_digest(&digest, govern.motion);
	tl_consensus_approval_digest(&approval, &world->config.chain_id,
								 node->number, epoch, govern.number, &digest);
	memcpy(govern.approval, approval.bytes, TL_HASH_SIZE);
	member = sim_govern_member(world, node->number, epoch);
	wrong = node->role == SIM_LIAR && world->plan.lie == SIM_LIE_KEY;
	world->seen[SIM_SEEN_KEY] += wrong;
	memcpy(govern.approval + TL_HASH_SIZE,
		   wrong ? member->row_key : member->governance_key, TL_XONLY_KEY_SIZE);
	tl_writer_init(&writer, bytes, sizeof(bytes));
	if (tl_consensus_govern_encode(&writer, &govern) != TL_OK)
		sim_fail(world, "the simulator's approval is wrong");
	input.payload.data = bytes;
	input.payload.size = writer.size;
	sim_node_step(world, node, &input, false);
}

/* Until an officer looks again whether there is something to approve of. */
int64_t
sim_govern_pause(SimWorld *world)
{
	int64_t		most = (world->plan.approve_us > 0) ? world->plan.approve_us :
	2000 * SIM_MS;

	return most / 20 + (int64_t) sim_random(world, (uint64_t) most / SIM_MS) * SIM_MS;
}

/* The core has retired: the next one gets what the motion says. */
void
sim_govern_epoch(SimWorld *world, SimNode *node, const TlAction *action)
{
	const TlConsensusBlock *founding =
	&node->chain[node->chain_count + node->final_pending - 1];
	const SimRow *row = sim_find(world, &action->hash);
	TlConsensusConfig next = world->epochs[node->epoch];
	TlGovern	govern;

	check_shown(world, node, action->certificate);
	if (row == NULL || row->row.kind != TL_LOG_GOVERN ||
		tl_consensus_govern_decode(&govern, row->row.payload.data,
								   row->row.payload.size) != TL_OK)
		sim_fail(world, "V15: node %u: no motion ends the epoch", node->id);
	if (tl_consensus_epoch_next(&next, founding, node->actions->standing,
								govern.motion) != TL_OK)
		sim_fail(world, "V15: node %u: the motion changes nothing", node->id);
	if (next.epoch >= SIM_EPOCHS_MAX)
		sim_fail(world, "more epochs than the checks can hold");
	node->standing_pending = next.standing;
	node->epoch_pending = next.epoch;
	if (next.epoch < world->epoch_count && sim_is_honest(node))
		check_same(world, node, &next);
	if (next.epoch == world->epoch_count)
	{
		witness(world, &next, node->actions->standing);
		register_epoch(world, &next, action->certificate);
	}
}

/* P17: the end of an epoch is shown by no later finalization than its last block. */
static void
check_shown(SimWorld *world, const SimNode *node, TlSpan bytes)
{
	TlEpochCertificate proof;
	TlCertificate last;
	TlCertificate shown;

	if (tl_consensus_epoch_decode(&proof, bytes.data, bytes.size) != TL_OK ||
		tl_consensus_certificate_decode(&shown, proof.certificate.data,
										proof.certificate.size) != TL_OK ||
		tl_consensus_certificate_decode(&last, node->certificate,
										node->certificate_size) != TL_OK ||
		shown.view > last.view)
		sim_fail(world, "V15: node %u ends its epoch with a later finalization than that of its last block",
				 node->id);
}

/* How many versions of the protocol there are. */
static unsigned
most_versions(const SimWorld *world)
{
	return (world->plan.versions > 0) ? world->plan.versions : 2;
}

/* The server starts, perhaps with a newer program. */
void
sim_govern_upgrade(SimWorld *world, SimNode *node)
{
	if (world->plan.versions == 0 || world->calm)
		node->protocol_max = most_versions(world);
	else if (node->protocol_max == 0)
		node->protocol_max = 1 + (unsigned) sim_random(world, world->plan.versions);
	else if (node->protocol_max < world->plan.versions && sim_chance(world, 15))
		node->protocol_max++;
}

/* V32: nothing is signed that asks for a version which the program lacks. */
void
sim_govern_own_row(SimWorld *world, const SimNode *node, const TlLogRow *row)
{
	TlGovern	govern;
	TlMotion	motion;

	if (world->epochs[row->epoch].protocol > node->protocol_max)
		sim_fail(world, "V32: node %u signs in an epoch of version %u", node->id,
				 world->epochs[row->epoch].protocol);
	if (row->kind == TL_LOG_GOVERN &&
		tl_consensus_govern_decode(&govern, row->payload.data,
								   row->payload.size) == TL_OK &&
		tl_consensus_motion_decode(&motion, govern.motion.data,
								   govern.motion.size) == TL_OK &&
		motion.protocol > node->protocol_max)
		sim_fail(world, "V32: node %u approves of version %u", node->id,
				 motion.protocol);
}

/* Copy the chain of a peer, and see that each of its sets was decided. */
void
sim_govern_join(SimWorld *world, SimNode *node)
{
	SimNode    *peer = &world->nodes[sim_random(world, world->node_count)];

	if (node->joined)
		return;
	if (!sim_is_honest(peer) || !peer->up || !peer->joined ||
		sim_govern_member(world, node->number, peer->epoch) == NULL ||
		!sim_wire_linked(world, peer->id, node->id))
	{
		/* Removed before he came, or nobody is there to ask. */
		if (sim_govern_member(world, node->number, world->epoch_count - 1) != NULL ||
			!world->calm)
			sim_later(world, (100 + (int64_t) sim_random(world, 500)) * SIM_MS,
					  (SimEvent) {.kind = SIM_JOIN, .node = node->id});
		return;
	}
	for (uint64_t epoch = 1; epoch <= peer->epoch; epoch++)
		check_certificate(world, epoch);
	node->joined = true;
	sim_disk_copy(world, node, peer);
	sim_node_start(world, node);
	world->seen[SIM_SEEN_JOIN]++;
}

static void
put_leaf(TlWriter *writer, uint32_t number, TlMemberKind kind,
		 unsigned generation)
{
	char		name[32];
	TlMember	member = {.number = number, .kind = (uint8_t) kind, .has_keys = true};

	snprintf(name, sizeof(name), "member %u", number);
	member.name.data = (const uint8_t *) name;
	member.name.size = strlen(name);
	member.row_key[0] = (uint8_t) number;
	member.row_key[1] = (uint8_t) generation;
	member.governance_key[0] = (uint8_t) number;
	member.governance_key[2] = 1;
	(void) tl_chain_member_encode(writer, &member);
}

/* Once per epoch and place; the same for everybody. */
static void
make_motion(SimWorld *world, uint64_t epoch, unsigned which)
{
	const TlConsensusConfig *config = &world->epochs[epoch];
	SimMotion  *made = &world->motions[epoch][which];
	bool		removed[SIM_NODES_MAX] = {false};
	static uint8_t numbers[4 * SIM_NODES_MAX];
	static uint8_t set[SIM_NODES_MAX * (TL_MEMBER_LEAF_SIZE_MAX + 2)];
	TlMotion	motion = {.kind = TL_MOTION_CHANGE, .epoch = epoch};
	TlWriter	writer;
	TlWriter	leaves;
	unsigned	rotated = sim_chance(world, world->plan.rekeys ? 100 : 30) ?
	(unsigned) sim_random(world, config->member_count) : SIM_NODES_MAX;

	if (made->bytes != NULL)
		return;
	choose_removed(world, config, which, removed);
	motion.text.data = (const uint8_t *) (which ? "this" : "that");
	motion.text.size = 4;
	motion.quorum_of_three = (uint8_t) (2 + sim_random(world, 2));
	motion.drift_ms = 2000;
	motion.checkpoint_interval = world->plan.checkpoint_interval;
	motion.protocol = (uint16_t) (1 + sim_random(world, most_versions(world)));
	tl_writer_init(&writer, numbers, sizeof(numbers));
	tl_writer_init(&leaves, set, sizeof(set));
	for (unsigned i = 0; i < config->member_count; i++)
	{
		const TlConsensusMember *member = &config->members[i];
		uint8_t		leaf[TL_MEMBER_LEAF_SIZE_MAX];
		TlWriter	one;

		if (removed[i])
		{
			tl_put_u32(&writer, member->number);
			motion.removed_count++;
		}
		if (removed[i] || i != rotated)
			continue;
		tl_writer_init(&one, leaf, sizeof(leaf));
		put_leaf(&one, member->number, member->validator ? TL_MEMBER_VALIDATOR :
				 TL_MEMBER_PARTICIPANT, (unsigned) epoch + 1);
		tl_put_u16(&leaves, (uint16_t) one.size);
		tl_put_bytes(&leaves, leaf, one.size);
		motion.set_count++;
	}
	motion.set_count += put_newcomers(world, config, &leaves);
	motion.removed.data = numbers;
	motion.removed.size = writer.size;
	motion.set.data = set;
	motion.set.size = leaves.size;
	if (world->plan.deploys && which == 1)
		make_deployment(&motion);
	made->bytes = malloc(TL_MOTION_SIZE_MAX);
	tl_writer_init(&writer, made->bytes, TL_MOTION_SIZE_MAX);
	if (tl_consensus_motion_encode(&writer, &motion) != TL_OK)
		sim_fail(world, "the simulator's motion is wrong");
	made->size = writer.size;
}

/* In place of the change; it competes with the other one, and ends no epoch. */
static void
make_deployment(TlMotion *motion)
{
	TlMotion	deployment = {.kind = TL_MOTION_DEPLOY,.epoch = motion->epoch,
	.text = motion->text};

	deployment.subject.bytes[0] = 1;
	deployment.subject.bytes[1] = (uint8_t) motion->epoch;
	*motion = deployment;
}

/* Those of a motion that fails may come with the next one. */
static uint8_t
put_newcomers(SimWorld *world, const TlConsensusConfig *config,
			  TlWriter *leaves)
{
	unsigned	number = config->number_max;
	uint8_t		count = 0;

	if (number < world->founder_count)
		number = world->founder_count;
	for (unsigned more = world->plan.third ? config->member_count / 3 :
		 (unsigned) sim_random(world, 5); more > 0 && number < world->member_count; more--)
	{
		uint8_t		leaf[TL_MEMBER_LEAF_SIZE_MAX];
		TlWriter	one;

		number++;
		tl_writer_init(&one, leaf, sizeof(leaf));
		put_leaf(&one, number, sim_chance(world, 80) ? TL_MEMBER_VALIDATOR :
				 TL_MEMBER_PARTICIPANT, 0);
		tl_put_u16(leaves, (uint16_t) one.size);
		tl_put_bytes(leaves, leaf, one.size);
		count++;
	}
	return count;
}

/* So many that those who lie stay few enough, and somebody is left. */
static void
choose_removed(SimWorld *world, const TlConsensusConfig *config,
			   unsigned which, bool *removed)
{
	unsigned	most = 1 + config->member_count / 3;

	unsigned	tries = world->plan.third ? most - 1 :
	(unsigned) sim_random(world, most + 1);

	for (; tries > 0; tries--)
	{
		unsigned	place = (unsigned) sim_random(world, config->member_count);
		unsigned	left = 0;

		if (removed[place])
			continue;
		removed[place] = true;
		for (unsigned i = 0; i < config->member_count; i++)
			left += config->members[i].validator && !removed[i];
		if (left == 0 || bad_validators(world, config, removed) >
			tl_consensus_faults(left))
			removed[place] = false;
	}
}

static unsigned
bad_validators(SimWorld *world, const TlConsensusConfig *config,
			   const bool *removed)
{
	unsigned	count = 0;

	for (unsigned i = 0; i < config->member_count; i++)
	{
		const SimNode *node = &world->nodes[config->members[i].number - 1];

		count += !removed[i] && config->members[i].validator &&
			(!sim_is_honest(node) || node->forgot);
	}
	return count;
}

/* In this epoch, durable or about to be? */
static bool
has_approved(const SimWorld *world, const SimNode *node,
			 const SimMotion *motion)
{
	const SimLog *logs[2] = {&node->logs[node->number - 1], &node->pending};

	for (int which = 0; which < 2; which++)
	{
		for (unsigned i = logs[which]->count; i-- > 0;)
		{
			const TlLogRow *row = &logs[which]->rows[i]->row;
			TlGovern	govern;

			if (row->kind == TL_LOG_GOVERN && row->epoch == node->epoch &&
				tl_consensus_govern_decode(&govern, row->payload.data,
										   row->payload.size) == TL_OK &&
				govern.motion.size == motion->size &&
				memcmp(govern.motion.data, motion->bytes, motion->size) == 0)
				return true;
		}
	}
	return false;
}

/* The first to end the epoch says what the next one is. */
static void
register_epoch(SimWorld *world, const TlConsensusConfig *next, TlSpan certificate)
{
	uint64_t	epoch = next->epoch;

	world->epochs[epoch] = *next;
	world->proofs[epoch].bytes = malloc(certificate.size);
	memcpy(world->proofs[epoch].bytes, certificate.data, certificate.size);
	world->proofs[epoch].size = certificate.size;
	world->epoch_count++;
	check_certificate(world, epoch);
	world->seen[SIM_SEEN_EPOCH]++;
	for (unsigned i = 0; i < next->member_count; i++)
	{
		SimNode    *node = &world->nodes[next->members[i].number - 1];

		if (!node->joined)
			sim_later(world, (int64_t) sim_random(world, 2000) * SIM_MS,
					  (SimEvent) {.kind = SIM_JOIN, .node = node->id});
	}
	for (unsigned i = 0; i < world->member_count; i++)
		world->seen[SIM_SEEN_LEAVE] +=
			sim_govern_member(world, i + 1, epoch - 1) != NULL &&
			sim_govern_member(world, i + 1, epoch) == NULL;
}

/* What kind of a change it is; the standing is that after its block. */
static void
witness(SimWorld *world, const TlConsensusConfig *next,
		const TlStanding *standing)
{
	uint64_t	epoch = next->epoch - 1;
	const TlConsensusConfig *config = &world->epochs[epoch];
	unsigned	validators = sim_govern_validators(world, epoch);
	unsigned	left = 0;

	for (unsigned i = 0; i < config->member_count; i++)
	{
		bool		stays = false;

		for (unsigned j = 0; j < next->member_count; j++)
			stays |= (next->members[j].number == config->members[i].number);
		left += !stays;
		if (config->members[i].number == next->base.header.proposer)
			world->seen[SIM_SEEN_LEADER_LEFT] += !stays;
	}
	world->seen[SIM_SEEN_THIRD] += (left > 0 && left >= config->member_count / 3 &&
									next->member_count == config->member_count);
	world->seen[SIM_SEEN_BACK_TO_BACK] += (epoch > 0 && next->base.header.height ==
										   config->base.header.height + 1);
	for (unsigned which = 0; which < 2; which++)
	{
		TlSpan		motion = {world->motions[epoch][which].bytes,
		world->motions[epoch][which].size};
		unsigned	count = 0;
		TlHash		digest;

		tl_consensus_motion_digest(&digest, motion);
		for (unsigned i = 0; i < config->member_count; i++)
		{
			bool		approves = false;

			for (unsigned j = 0; j < TL_CONSENSUS_APPROVALS_MAX; j++)
				approves |= sim_same(&standing->members[i].approved[j], &digest);
			count += approves && config->members[i].validator;
		}
		/* Those of the motion that was decided are gone. */
		world->seen[SIM_SEEN_RIVALS] +=
			(count + 1 == tl_consensus_quorum(validators, config->quorum_of_three));
	}
}

/* S8: everybody has the same next epoch. */
static void
check_same(SimWorld *world, const SimNode *node, const TlConsensusConfig *next)
{
	const TlConsensusConfig *known = &world->epochs[next->epoch];

	if (!sim_same(&known->founding, &next->founding) ||
		!sim_same(&known->members_hash, &next->members_hash) ||
		known->member_count != next->member_count ||
		memcmp(known->members, next->members,
			   next->member_count * sizeof(TlConsensusMember)) != 0 ||
		memcmp(&known->standing, &next->standing, sizeof(TlStanding)) != 0 ||
		known->quorum_of_three != next->quorum_of_three ||
		known->drift_us != next->drift_us || known->protocol != next->protocol ||
		known->checkpoint_interval != next->checkpoint_interval)
		sim_fail(world, "V15: node %u has another epoch %llu than others",
				 node->id, (unsigned long long) next->epoch);
}

/* The proof that a newcomer gets: by the members of the epoch before. */
static void
check_certificate(SimWorld *world, uint64_t epoch)
{
	const TlConsensusConfig *config = &world->epochs[epoch];
	TlSpan		bytes = {world->proofs[epoch].bytes, world->proofs[epoch].size};
	TlEpochCertificate proof;
	TlCertificate certificate;
	TlHash		founding;
	TlHash		members_hash;

	if (tl_consensus_epoch_decode(&proof, bytes.data, bytes.size) != TL_OK ||
		tl_consensus_epoch_read(&proof, &founding, &members_hash,
								&certificate) != TL_OK ||
		certificate.epoch + 1 != epoch ||
		!sim_check_certificate(world, proof.certificate, &certificate) ||
		!sim_same(&founding, &config->founding) ||
		!sim_same(&members_hash, &config->members_hash))
		sim_fail(world, "V15: the certificate of epoch %llu proves nothing",
				 (unsigned long long) epoch);
}
