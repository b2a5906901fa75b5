/*-------------------------------------------------------------------------
 *
 * test_consensus_govern.c
 *	  Motions, approvals, the set that follows, and the proof of it.
 *
 * How many members decide is for the simulator (test/sim); here one does.
 *
 *-------------------------------------------------------------------------
 */
#include "consensus_core.h"
#include "consensus_epoch.h"
#include "consensus_evidence.h"
#include "merkle_hash.h"
#include "unit.h"
#include "unit_consensus.h"

#include <stdlib.h>
#include <string.h>

#define MEMBERS		3

static TlConsensusConfig config;
static TlActions actions;
static uint8_t secret[TL_SECRET_SIZE] = {[31] = 1};
static uint8_t leaf_bytes[8][TL_MEMBER_LEAF_SIZE_MAX];
static int	vectors_used;

static void
use_vector(const UnitRecord *record)
{
	static uint8_t bytes[8192];
	static uint8_t again[8192];
	const char *kind = unit_text(record, "kind");
	TlWriter	writer;
	TlSpan		span = {bytes, 0};
	TlHash		wanted;
	TlHash		hash;
	TlMotion	motion;
	TlGovern	govern;
	uint8_t		key[TL_XONLY_KEY_SIZE];

	tl_writer_init(&writer, again, sizeof(again));
	if (strcmp(kind, "motion") == 0)
	{
		span.size = unit_bytes(bytes, sizeof(bytes), record, "motion");
		unit_bytes(wanted.bytes, sizeof(wanted), record, "digest");
		UNIT_CHECK(tl_consensus_motion_decode(&motion, bytes, span.size) == TL_OK);
		UNIT_CHECK(tl_consensus_motion_encode(&writer, &motion) == TL_OK);
		tl_consensus_motion_digest(&hash, span);
		for (size_t cut = 0; cut < span.size; cut++)
			UNIT_CHECK(tl_consensus_motion_decode(&motion, bytes, cut) != TL_OK);
		UNIT_CHECK(tl_consensus_motion_decode(&motion, bytes, span.size + 1) == TL_TRAILING_BYTES);
	}
	else if (strcmp(kind, "govern") == 0)
	{
		TlHash		chain_id;

		span.size = unit_bytes(bytes, sizeof(bytes), record, "payload");
		unit_bytes(wanted.bytes, sizeof(wanted), record, "approval_digest");
		unit_bytes(chain_id.bytes, sizeof(chain_id), record, "chain_id");
		unit_bytes(key, sizeof(key), record, "key");
		UNIT_CHECK(tl_consensus_govern_decode(&govern, bytes, span.size) == TL_OK);
		UNIT_CHECK(tl_consensus_govern_encode(&writer, &govern) == TL_OK);
		UNIT_CHECK(govern.number == 2);
		tl_consensus_motion_digest(&hash, govern.motion);
		tl_consensus_approval_digest(&hash, &chain_id, 2, 5, govern.number, &hash);
		UNIT_CHECK(tl_crypto_schnorr_verify(govern.approval, hash.bytes,
											TL_HASH_SIZE, key));
		for (size_t cut = 0; cut < span.size; cut++)
			UNIT_CHECK(tl_consensus_govern_decode(&govern, bytes, cut) != TL_OK);
	}
	else if (strcmp(kind, "member") == 0)
	{
		TlMember	member;

		span.size = unit_bytes(bytes, sizeof(bytes), record, "leaf");
		unit_bytes(wanted.bytes, sizeof(wanted), record, "hash");
		UNIT_CHECK(tl_chain_member_decode(&member, bytes, span.size) == TL_OK);
		UNIT_CHECK(tl_chain_member_encode(&writer, &member) == TL_OK);
		UNIT_CHECK(member.has_keys && member.number == 5 &&
				   member.governance_key[0] != member.row_key[0]);
		tl_merkle_leaf_hash(&hash, bytes, span.size);
		UNIT_CHECK(tl_chain_member_decode(&member, bytes, span.size - 97) != TL_OK);
	}
	else
		return;
	UNIT_CHECK(writer.size == span.size && memcmp(bytes, again, span.size) == 0);
	UNIT_CHECK(memcmp(&hash, &wanted, sizeof(hash)) == 0);
	vectors_used++;
}

static void
vectors(void)
{
	unit_vectors("chain.txt", use_vector);
	UNIT_CHECK(vectors_used == 4);
}

/* A leaf of that member; generation makes another row key. */
static TlSpan
leaf(unsigned place, uint32_t number, TlMemberKind kind, uint8_t generation)
{
	TlMember	member = {.number = number, .kind = (uint8_t) kind, .has_keys = true,
		.name = {(const uint8_t *) "member", 6}};
	TlWriter	writer;

	member.row_key[0] = (uint8_t) number;
	member.row_key[1] = generation;
	if (number == 1 && generation == 0)
		UNIT_CHECK(tl_crypto_xonly_key(member.row_key, secret) == TL_OK);
	memcpy(member.governance_key, member.row_key, TL_XONLY_KEY_SIZE);
	tl_writer_init(&writer, leaf_bytes[place], sizeof(leaf_bytes[place]));
	UNIT_CHECK(tl_chain_member_encode(&writer, &member) == TL_OK);
	return (TlSpan) {leaf_bytes[place], writer.size};
}

/* One validator and two participants. */
static void
configure(void)
{
	unit_consensus_config(&config, MEMBERS);
	for (unsigned i = 0; i < MEMBERS; i++)
		UNIT_CHECK(tl_consensus_epoch_member(&config.members[i],
											 leaf(i, i + 1, i == 0 ? TL_MEMBER_VALIDATOR :
												  TL_MEMBER_PARTICIPANT, 0)) == TL_OK);
	unit_consensus_genesis(&config);
}

/* A change: what is removed, and the leaves that are set. */
static TlMotion
motion_of(unsigned removed_count, const uint32_t *removed, unsigned set_count,
		  const TlSpan *leaves)
{
	static uint8_t numbers[64];
	static uint8_t set[8192];
	TlMotion	motion = {.kind = TL_MOTION_CHANGE, .quorum_of_three = 3,
		.drift_ms = 2000, .checkpoint_interval = 32, .protocol = 1,
	.removed_count = (uint8_t) removed_count, .set_count = (uint8_t) set_count};
	TlWriter	writer;

	tl_writer_init(&writer, numbers, sizeof(numbers));
	for (unsigned i = 0; i < removed_count; i++)
		tl_put_u32(&writer, removed[i]);
	motion.removed = (TlSpan) {numbers, writer.size};
	tl_writer_init(&writer, set, sizeof(set));
	for (unsigned i = 0; i < set_count; i++)
	{
		tl_put_u16(&writer, (uint16_t) leaves[i].size);
		tl_put_bytes(&writer, leaves[i].data, leaves[i].size);
	}
	motion.set = (TlSpan) {set, writer.size};
	return motion;
}

static void
motions_that_are_none(void)
{
	static uint8_t bytes[TL_MOTION_SIZE_MAX];
	const TlSpan leaves[2] = {leaf(0, 4, TL_MEMBER_VALIDATOR, 0),
	leaf(1, 5, TL_MEMBER_VALIDATOR, 0)};
	const TlSpan back[2] = {leaves[1], leaves[0]};
	TlMotion	good = motion_of(2, (uint32_t[]) {2, 3}, 2, leaves);
	TlMotion	motion;
	TlWriter	writer;

	tl_writer_init(&writer, bytes, sizeof(bytes));
	UNIT_CHECK(tl_consensus_motion_encode(&writer, &good) == TL_OK);
	motion = good;
	motion.kind = 0;
	UNIT_CHECK(tl_consensus_motion_encode(&writer, &motion) == TL_BAD_FORMAT);
	motion = good;
	motion.quorum_of_three = 4;
	UNIT_CHECK(tl_consensus_motion_encode(&writer, &motion) == TL_BAD_FORMAT);
	motion = good;
	motion.drift_ms = TL_MOTION_DRIFT_MS_MAX + 1;
	UNIT_CHECK(tl_consensus_motion_encode(&writer, &motion) == TL_TOO_LARGE);
	motion = good;
	motion.protocol = 0;
	UNIT_CHECK(tl_consensus_motion_encode(&writer, &motion) == TL_BAD_FORMAT);
	motion = good;
	motion.text.size = TL_MOTION_TEXT_SIZE_MAX + 1;
	UNIT_CHECK(tl_consensus_motion_encode(&writer, &motion) == TL_TOO_LARGE);
	motion = good;
	motion.removed.size--;
	UNIT_CHECK(tl_consensus_motion_encode(&writer, &motion) != TL_OK);
	motion = motion_of(2, (uint32_t[]) {3, 3}, 0, NULL);
	UNIT_CHECK(tl_consensus_motion_encode(&writer, &motion) == TL_BAD_ORDER);
	motion = motion_of(0, NULL, 2, back);
	UNIT_CHECK(tl_consensus_motion_encode(&writer, &motion) == TL_BAD_ORDER);
	motion = motion_of(0, NULL, 1, leaves);
	motion.set_count = 0;
	UNIT_CHECK(tl_consensus_motion_encode(&writer, &motion) == TL_BAD_FORMAT);
	UNIT_CHECK(tl_consensus_motion_decode(&motion, bytes, sizeof(bytes) + 1) == TL_TOO_LARGE);
}

static TlStatus
check(unsigned removed_count, const uint32_t *removed, unsigned set_count,
	  const TlSpan *leaves)
{
	TlMotion	motion = motion_of(removed_count, removed, set_count, leaves);
	TlHash		hash;

	return tl_consensus_epoch_check(&config, &motion, &hash);
}

/* W1, W2: which sets may follow. */
static void
next_sets(void)
{
	TlMotion	motion;
	TlHash		hash;
	TlHash		wanted;
	TlMember	members[3];
	TlSpan		one;

	configure();
	one = leaf(3, 4, TL_MEMBER_VALIDATOR, 0);
	UNIT_CHECK(check(0, NULL, 1, &one) == TL_OK);
	UNIT_CHECK(check(1, (uint32_t[]) {2}, 1, &one) == TL_OK);
	UNIT_CHECK(check(1, (uint32_t[]) {7}, 0, NULL) == TL_BAD_FORMAT);
	UNIT_CHECK(check(1, (uint32_t[]) {1}, 0, NULL) == TL_BAD_FORMAT);	/* nobody votes */
	UNIT_CHECK(check(1, (uint32_t[]) {1}, 1, &one) == TL_OK);
	/* a number that was given before */
	config.number_max = 4;
	UNIT_CHECK(check(0, NULL, 1, &one) == TL_BAD_ORDER);
	config.number_max = 0;
	one = leaf(3, 2, TL_MEMBER_VALIDATOR, 0);
	UNIT_CHECK(check(1, (uint32_t[]) {2}, 1, &one) == TL_BAD_ORDER);
	UNIT_CHECK(check(0, NULL, 1, &one) == TL_OK);
	/* a key that another member has */
	one = leaf(3, 4, TL_MEMBER_VALIDATOR, 0);
	leaf_bytes[3][14] = 2;
	UNIT_CHECK(check(0, NULL, 1, &one) == TL_BAD_KEY);
	/* of another epoch */
	motion = motion_of(0, NULL, 0, NULL);
	motion.epoch = 1;
	UNIT_CHECK(tl_consensus_epoch_check(&config, &motion, &hash) == TL_BAD_FORMAT);
	/* the hash is that of chain_member.c */
	one = leaf(3, 5, TL_MEMBER_OBSERVER, 0);
	motion = motion_of(1, (uint32_t[]) {2}, 1, &one);
	UNIT_CHECK(tl_consensus_epoch_check(&config, &motion, &hash) == TL_OK);
	for (int i = 0; i < 3; i++)
	{
		static const int places[] = {0, 2, 3};
		TlSpan		bytes = leaf(places[i], (uint32_t[]) {1, 3, 5}[i],
								 i == 0 ? TL_MEMBER_VALIDATOR : i == 1 ?
								 TL_MEMBER_PARTICIPANT : TL_MEMBER_OBSERVER, 0);

		UNIT_CHECK(tl_chain_member_decode(&members[i], bytes.data, bytes.size) == TL_OK);
	}
	UNIT_CHECK(tl_chain_members_hash(&wanted, members, 3) == TL_OK);
	UNIT_CHECK(memcmp(&hash, &wanted, sizeof(hash)) == 0);
}

/* What the next configuration keeps, and what begins anew. */
static void
next_configuration(void)
{
	static uint8_t bytes[4096];
	TlConsensusBlock founding = {.hash = {{9}}};
	TlStanding	standing;
	TlSpan		leaves[2];
	TlMotion	motion;
	TlWriter	writer;

	configure();
	memset(&standing, 0, sizeof(standing));
	standing.changed = true;
	standing.members[2].convicted = 7;
	standing.members[2].incarnation = 3;
	standing.members[2].approvals = 2;
	standing.members[2].approved[1].bytes[0] = 1;
	leaves[0] = leaf(3, 3, TL_MEMBER_VALIDATOR, 9);
	leaves[1] = leaf(4, 6, TL_MEMBER_VALIDATOR, 0);
	motion = motion_of(1, (uint32_t[]) {2}, 2, leaves);
	motion.quorum_of_three = 2;
	tl_writer_init(&writer, bytes, sizeof(bytes));
	UNIT_CHECK(tl_consensus_motion_encode(&writer, &motion) == TL_OK);
	UNIT_CHECK(tl_consensus_epoch_next(&config, &founding, &standing,
									   (TlSpan) {bytes, writer.size - 1}) != TL_OK);
	UNIT_CHECK(config.epoch == 0);
	UNIT_CHECK(tl_consensus_epoch_next(&config, &founding, &standing,
									   (TlSpan) {bytes, writer.size}) == TL_OK);
	UNIT_CHECK(config.epoch == 1 && config.member_count == 3 &&
			   config.number_max == 6 && config.quorum_of_three == 2 &&
			   config.founding.bytes[0] == 9 && config.base.hash.bytes[0] == 9);
	UNIT_CHECK(config.members[1].number == 3 && config.members[1].validator &&
			   config.members[1].row_key[1] == 9 &&
			   config.members[1].before_count == 1 &&
			   tl_consensus_epoch_key(&config.members[1], 0)[1] == 0 &&
			   tl_consensus_epoch_key(&config.members[1], 1)[1] == 9);
	UNIT_CHECK(config.members[2].number == 6 && config.members[2].before_count == 0);
	UNIT_CHECK(config.standing.members[1].convicted == 7 &&
			   config.standing.members[1].incarnation == 3 &&
			   config.standing.members[1].approvals == 0 &&
			   config.standing.members[1].approved[1].bytes[0] == 0 &&
			   config.standing.members[2].convicted == 0 &&
			   !config.standing.changed);
	/* The number of the one who left is not given again. */
	config.member_count = 2;
	UNIT_CHECK(config.number_max == 6);
}

/* The status of a change that gives member 3 the key of that generation. */
static TlStatus
rekey(uint8_t generation)
{
	static TlStanding standing;
	TlConsensusBlock founding = {.header.height = 1};
	uint8_t		bytes[1024];
	TlSpan		leaves[] = {leaf(3, 3, TL_MEMBER_PARTICIPANT, generation)};
	TlMotion	motion = motion_of(0, NULL, 1, leaves);
	TlWriter	writer;

	motion.epoch = config.epoch;
	tl_writer_init(&writer, bytes, sizeof(bytes));
	UNIT_CHECK(tl_consensus_motion_encode(&writer, &motion) == TL_OK);
	return tl_consensus_epoch_next(&config, &founding, &standing,
								   (TlSpan) {bytes, writer.size});
}

/* W4: each row is checked with the key of its epoch, whatever keys came later. */
static void
keys_of_epochs(void)
{
	configure();
	UNIT_CHECK(rekey(0) == TL_OK && config.members[2].before_count == 0);
	for (uint8_t i = 1; i < TL_MEMBER_KEYS_MAX; i++)
		UNIT_CHECK(rekey(i) == TL_OK);
	UNIT_CHECK(config.epoch == TL_MEMBER_KEYS_MAX);
	for (uint8_t i = 0; i < TL_MEMBER_KEYS_MAX; i++)
		UNIT_CHECK(tl_consensus_epoch_key(&config.members[2], i + 1u)[1] == i);
	UNIT_CHECK(tl_consensus_epoch_key(&config.members[2], 0)[1] == 0 &&
			   tl_consensus_epoch_key(&config.members[2], 1000)[1] == TL_MEMBER_KEYS_MAX - 1);
	UNIT_CHECK(rekey(TL_MEMBER_KEYS_MAX) == TL_TOO_LARGE);
	UNIT_CHECK(rekey(0) == TL_BAD_KEY);
	UNIT_CHECK(rekey(TL_MEMBER_KEYS_MAX - 1) == TL_OK);
}

/* A row of member 3 in that epoch, signed with that secret; at one place. */
static void
row_of_three(TlEvidenceRow *out, uint64_t epoch, uint8_t salt, const uint8_t with[32])
{
	TlLogRow	row = {.member = 3, .sequence = 2, .kind = TL_LOG_ACK, .epoch = epoch,
		.previous = {{salt}}};
	TlHash		digest;

	tl_consensus_row_digest(&digest, &config.chain_id, &row);
	UNIT_CHECK(tl_crypto_schnorr_sign(row.signature, digest.bytes, TL_HASH_SIZE, with,
									  digest.bytes) == TL_OK);
	tl_consensus_evidence_row(out, &row);
}

/* Does an accusation of these two rows of member 3 hold?  Member 1 makes it. */
static bool
accusation_holds(const TlConsensus *core, const TlEvidenceRow *left, const TlEvidenceRow *right)
{
	uint8_t		payload[TL_EVIDENCE_SIZE];
	TlEvidence	evidence;
	TlLogRow	row = {.member = 1, .sequence = 1, .kind = TL_LOG_EVIDENCE, .epoch = 1};
	TlHash		digest;
	TlWriter	writer;
	bool		valid;

	UNIT_CHECK(tl_consensus_evidence_make(&evidence, &config.chain_id, left, right) ==
			   TL_EVIDENCE_FORK);
	tl_writer_init(&writer, payload, sizeof(payload));
	UNIT_CHECK(tl_consensus_evidence_encode(&writer, &evidence) == TL_OK);
	row.payload = (TlSpan) {payload, writer.size};
	tl_consensus_row_digest(&digest, &config.chain_id, &row);
	UNIT_CHECK(tl_crypto_schnorr_sign(row.signature, digest.bytes, TL_HASH_SIZE, secret,
									  digest.bytes) == TL_OK);
	UNIT_CHECK(tl_consensus_judge(core, &row, tl_consensus_check_signature, NULL, &valid) == TL_OK);
	return valid;
}

/* R48, and that a row of the new epoch by the old key is nobody's. */
static void
two_keys(void)
{
	uint8_t		before[32] = {[31] = 7};
	uint8_t		after[32] = {[31] = 8};
	uint8_t		key[TL_XONLY_KEY_SIZE];
	TlEvidenceRow rows[4];
	TlConsensus *core;
	TlLogRow	row;
	void	   *memory;
	bool		valid;

	configure();
	UNIT_CHECK(tl_crypto_xonly_key(config.members[2].row_key, before) == TL_OK);
	UNIT_CHECK(rekey(1) == TL_OK);
	UNIT_CHECK(tl_crypto_xonly_key(key, after) == TL_OK);
	memcpy(config.members[2].row_key, key, sizeof(key));
	core = unit_consensus_open(&config, &memory);
	row_of_three(&rows[0], 0, 1, before);
	row_of_three(&rows[1], 0, 2, before);
	row_of_three(&rows[2], 1, 3, after);
	row_of_three(&rows[3], 1, 4, after);
	UNIT_CHECK(accusation_holds(core, &rows[0], &rows[1]));
	UNIT_CHECK(accusation_holds(core, &rows[2], &rows[3]));
	UNIT_CHECK(!accusation_holds(core, &rows[0], &rows[2]));
	row = rows[2].row;
	row.payload = (TlSpan) {NULL, 0};
	UNIT_CHECK(tl_consensus_judge(core, &row, tl_consensus_check_signature, NULL, &valid) == TL_OK);
	row_of_three(&rows[2], 1, 3, before);
	row = rows[2].row;
	UNIT_CHECK(tl_consensus_judge(core, &row, tl_consensus_check_signature, NULL, &valid) ==
			   TL_BAD_SIGNATURE);
	row_of_three(&rows[0], 0, 3, after);
	row = rows[0].row;
	UNIT_CHECK(tl_consensus_judge(core, &row, tl_consensus_check_signature, NULL, &valid) ==
			   TL_BAD_SIGNATURE);
	free(memory);
}

/* Sign an approval of these motion bytes; in out. */
static TlSpan
approval(uint32_t number, TlSpan motion, uint64_t epoch, uint8_t *out)
{
	TlGovern	govern = {.number = number, .motion = motion};
	TlHash		hash;
	TlWriter	writer;

	tl_consensus_motion_digest(&hash, motion);
	tl_consensus_approval_digest(&hash, &config.chain_id, 1, epoch, number, &hash);
	UNIT_CHECK(tl_crypto_schnorr_sign(govern.approval, hash.bytes, TL_HASH_SIZE,
									  secret, NULL) == TL_OK);
	tl_writer_init(&writer, out, 4096);
	UNIT_CHECK(tl_consensus_govern_encode(&writer, &govern) == TL_OK);
	return (TlSpan) {out, writer.size};
}

/* Sign what the core asked for and give it back, until it asks for nothing. */
static const TlAction *
finish(TlConsensus *core, TlActionKind wanted)
{
	static uint8_t payloads[TL_CONSENSUS_ACTIONS_MAX][4096];
	static TlActions kept;
	TlLogRow	rows[TL_CONSENSUS_ACTIONS_MAX];
	const TlAction *found = NULL;
	unsigned	count = 1;

	while (count > 0)
	{
		count = 0;
		kept = actions;
		for (unsigned i = 0; i < kept.count; i++)
		{
			if (kept.list[i].kind == wanted)
				found = &kept.list[i];
			if (kept.list[i].kind != TL_ACT_APPEND)
				continue;
			rows[count] = kept.list[i].row;
			memcpy(payloads[count], rows[count].payload.data,
				   rows[count].payload.size);
			rows[count].payload.data = payloads[count];
			UNIT_CHECK(tl_consensus_row_sign(&rows[count], &config.chain_id,
											 secret, NULL) == TL_OK);
			count++;
		}
		if (found != NULL)
			return found;
		for (unsigned i = 0; i < count; i++)
		{
			TlInput		input = {.kind = TL_INPUT_ROW, .now_us = 4, .clock_us = 4,
				.row = rows[i], .more = (i + 1 < count)};

			UNIT_CHECK(tl_consensus_judge(core, &rows[i],
										  tl_consensus_check_signature, NULL,
										  &input.certificates_valid) == TL_OK);
			UNIT_CHECK(input.certificates_valid);
			UNIT_CHECK(tl_consensus_step(core, &actions, &input) == TL_OK);
		}
	}
	return NULL;
}

static TlConsensus *
start(void **memory)
{
	TlInput		input = {.kind = TL_INPUT_START, .now_us = 1, .clock_us = 1};
	TlConsensus *core = unit_consensus_open(&config, memory);

	UNIT_CHECK(tl_consensus_step(core, &actions, &input) == TL_OK);
	return core;
}

static TlStatus
approve(TlConsensus *core, TlSpan payload)
{
	TlInput		input = {.kind = TL_INPUT_MAKE_APPROVAL, .now_us = 2, .clock_us = 2,
		.payload = payload};

	return tl_consensus_step(core, &actions, &input);
}

/* The epoch certificate is valid, and nothing of it can be another one. */
static void
prove(const TlAction *action, TlHash *founding, TlHash *members_hash)
{
	static uint8_t bytes[8192];
	TlValidator validator = {.member = 1};
	TlEpochCertificate proof;
	TlCertificate certificate;
	TlWriter	writer;

	UNIT_CHECK(tl_consensus_epoch_decode(&proof, action->certificate.data,
										 action->certificate.size) == TL_OK);
	tl_writer_init(&writer, bytes, sizeof(bytes));
	UNIT_CHECK(tl_consensus_epoch_encode(&writer, &proof) == TL_OK);
	UNIT_CHECK(writer.size == action->certificate.size &&
			   memcmp(bytes, action->certificate.data, writer.size) == 0);
	UNIT_CHECK(tl_consensus_epoch_read(&proof, founding, members_hash,
									   &certificate) == TL_OK);
	memcpy(validator.row_key, config.members[0].row_key, TL_XONLY_KEY_SIZE);
	UNIT_CHECK(tl_consensus_certificate_verify(&certificate, &config.chain_id,
											   &validator, 1, 3));
	UNIT_CHECK(proof.carrier_count == 0 && proof.entry_count == 2);
	for (size_t i = 0; i < writer.size; i++)
	{
		TlHash		other;
		TlHash		other_members;

		bytes[i] ^= 1;
		UNIT_CHECK(tl_consensus_epoch_decode(&proof, bytes, writer.size) != TL_OK ||
				   tl_consensus_epoch_read(&proof, &other, &other_members,
										   &certificate) != TL_OK ||
				   !tl_consensus_certificate_verify(&certificate, &config.chain_id,
													&validator, 1, 3));
		bytes[i] ^= 1;
	}
}

/*
 * One validator decides alone: a deployment, which changes nothing here, then
 * a change.  The core retires, and its epoch certificate proves the next set.
 */
static void
decides(void)
{
	static uint8_t change_bytes[4096];
	static uint8_t deploy_bytes[4096];
	static uint8_t payload[4096];
	TlMotion	deploy = {.kind = TL_MOTION_DEPLOY, .subject = {{5}}};
	TlMotion	motion;
	TlSpan		change;
	TlSpan		one;
	TlWriter	writer;
	TlConsensusStatus status;
	TlConsensusBlock founding = {.hash = {{0}}};
	TlStanding	standing;
	TlHash		members_hash;
	const TlAction *action;
	TlConsensus *core;
	void	   *memory;
	TlInput		time = {.kind = TL_INPUT_TIME, .now_us = 9, .clock_us = 9};

	configure();
	one = leaf(3, 4, TL_MEMBER_VALIDATOR, 0);
	motion = motion_of(1, (uint32_t[]) {2}, 1, &one);
	tl_writer_init(&writer, change_bytes, sizeof(change_bytes));
	UNIT_CHECK(tl_consensus_motion_encode(&writer, &motion) == TL_OK);
	change = (TlSpan) {change_bytes, writer.size};
	tl_writer_init(&writer, deploy_bytes, sizeof(deploy_bytes));
	UNIT_CHECK(tl_consensus_motion_encode(&writer, &deploy) == TL_OK);
	core = start(&memory);
	/* out of order, of another epoch, of nothing */
	UNIT_CHECK(approve(core, approval(2, change, 0, payload)) == TL_BAD_ORDER);
	change_bytes[9]++;
	UNIT_CHECK(approve(core, approval(1, change, 0, payload)) == TL_BAD_ORDER);
	change_bytes[9]--;
	UNIT_CHECK(approve(core, (TlSpan) {payload, 10}) == TL_BAD_ORDER);
	UNIT_CHECK(approve(core, approval(1, (TlSpan) {deploy_bytes, writer.size}, 0, payload)) == TL_OK);
	action = finish(core, TL_ACT_FINAL);
	UNIT_CHECK(action != NULL && action->block->entry_count == 1 &&
			   !actions.standing->changed &&
			   actions.standing->members[0].approvals == 1);
	UNIT_CHECK(action != NULL &&
			   memcmp(&action->hash, &action->block->entries[0].digest, TL_HASH_SIZE) == 0);
	UNIT_CHECK(approve(core, approval(2, change, 0, payload)) == TL_OK);
	action = finish(core, TL_ACT_EPOCH);
	UNIT_CHECK(action != NULL);
	if (action == NULL)
		return;
	standing = *actions.standing;
	UNIT_CHECK(standing.changed);
	prove(action, &founding.hash, &members_hash);
	/* It does nothing any more. */
	tl_consensus_status(core, &status);
	UNIT_CHECK(status.retired && status.epoch == 0);
	UNIT_CHECK(approve(core, approval(3, change, 0, payload)) == TL_BAD_ORDER);
	UNIT_CHECK(tl_consensus_step(core, &actions, &time) == TL_OK && actions.count == 0);
	UNIT_CHECK(tl_consensus_epoch_next(&config, &founding, &standing, change) == TL_OK);
	UNIT_CHECK(memcmp(&config.members_hash, &members_hash, sizeof(members_hash)) == 0);
	free(memory);
}

/* R25: the approval is the officer's; R21: of a validator, the next one. */
static void
approvals_that_are_none(void)
{
	static uint8_t bytes[4096];
	static uint8_t payload[4096];
	TlMotion	deploy = {.kind = TL_MOTION_DEPLOY, .subject = {{5}}};
	TlConsensusStatus status;
	TlLogRow	row = {.member = 1, .kind = TL_LOG_GOVERN, .sequence = 1};
	TlWriter	writer;
	TlConsensus *core;
	void	   *memory;
	bool		valid;

	configure();
	config.member = 0;
	core = start(&memory);
	tl_writer_init(&writer, bytes, sizeof(bytes));
	UNIT_CHECK(tl_consensus_motion_encode(&writer, &deploy) == TL_OK);
	row.payload = approval(1, (TlSpan) {bytes, writer.size}, 0, payload);
	payload[10] ^= 1;
	UNIT_CHECK(tl_consensus_row_sign(&row, &config.chain_id, secret, NULL) == TL_OK);
	UNIT_CHECK(tl_consensus_judge(core, &row, tl_consensus_check_signature, NULL,
								  &valid) == TL_OK && !valid);
	payload[10] ^= 1;
	UNIT_CHECK(tl_consensus_row_sign(&row, &config.chain_id, secret, NULL) == TL_OK);
	UNIT_CHECK(tl_consensus_judge(core, &row, tl_consensus_check_signature, NULL,
								  &valid) == TL_OK && valid);
	/* A node that follows keeps it; numbers far ahead have no place. */
	for (uint32_t number = 1; number <= 40; number++)
	{
		TlInput		input = {.kind = TL_INPUT_ROW, .now_us = 3, .row = row,
			.certificates_valid = true};

		input.row.sequence = number;
		input.row.previous.bytes[0] = (number > 1);
		input.row.payload = approval(number, (TlSpan) {bytes, writer.size}, 0, payload);
		UNIT_CHECK(tl_consensus_step(core, &actions, &input) == TL_OK);
		tl_consensus_status(core, &status);
		UNIT_CHECK(status.entries == (number < 8 ? number : 8));
	}
	/* Of an epoch that is still to come it cannot be judged. */
	row.epoch = 1;
	UNIT_CHECK(tl_consensus_judge(core, &row, tl_consensus_check_signature, NULL,
								  &valid) == TL_NOT_FINAL);
	free(memory);
}

UNIT_MAIN(UNIT_CASE(vectors), UNIT_CASE(motions_that_are_none),
		  UNIT_CASE(next_sets), UNIT_CASE(next_configuration),
		  UNIT_CASE(keys_of_epochs), UNIT_CASE(two_keys),
		  UNIT_CASE(decides), UNIT_CASE(approvals_that_are_none))
