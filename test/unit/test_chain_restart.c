/*-------------------------------------------------------------------------
 *
 * test_chain_restart.c
 *	  RESTART: bytes, who has to sign, the genesis that it makes, a core on it.
 *
 *-------------------------------------------------------------------------
 */
#include "chain_restart.h"

#include "chain_batch.h"
#include "merkle_hash.h"
#include "unit.h"

#include <stdlib.h>
#include <string.h>

#define MEMBERS		4

static int	vectors_used;
static TlRecoveryMember last_set[MEMBERS];
static uint8_t secrets[MEMBERS][TL_SECRET_SIZE];
static uint8_t last_bytes[TL_BLOCK_HEADER_SIZE];
static uint8_t body[TL_GENESIS_BODY_SIZE_MAX];
static uint8_t signature_bytes[MEMBERS * TL_RESTART_SIGNATURE_SIZE];
static TlBlockHeader last;
static TlHash old_chain;
static TlRestart restart;
static TlGenesis opened;
static TlBlockHeader header;

static void
use_vector(const UnitRecord *record)
{
	static uint8_t bytes[8192];
	static uint8_t again[8192];
	uint8_t		keys[MEMBERS * TL_XONLY_KEY_SIZE];
	uint8_t		header_bytes[TL_BLOCK_HEADER_SIZE];
	TlRecoveryMember set[MEMBERS];
	TlHash		chain_id;
	TlHash		members_hash;
	TlHash		new_chain;
	TlHash		wanted;
	TlHash		digest;
	TlWriter	writer;
	size_t		size;
	size_t		statement;

	if (strcmp(unit_text(record, "kind"), "restart") != 0)
		return;
	vectors_used++;
	size = unit_bytes(bytes, sizeof(bytes), record, "payload");
	unit_bytes(chain_id.bytes, TL_HASH_SIZE, record, "chain_id");
	unit_bytes(members_hash.bytes, TL_HASH_SIZE, record, "members_hash");
	unit_bytes(keys, sizeof(keys), record, "recovery_keys");
	unit_bytes(wanted.bytes, TL_HASH_SIZE, record, "digest");
	unit_bytes(new_chain.bytes, TL_HASH_SIZE, record, "new_chain_id");
	unit_bytes(header_bytes, sizeof(header_bytes), record, "header");
	for (unsigned i = 0; i < MEMBERS; i++)
	{
		set[i].member = i + 1;
		memcpy(set[i].recovery_key, keys + i * TL_XONLY_KEY_SIZE, TL_XONLY_KEY_SIZE);
	}
	UNIT_CHECK(tl_consensus_restart_decode(&restart, bytes, size) == TL_OK);
	tl_writer_init(&writer, again, sizeof(again));
	UNIT_CHECK(tl_consensus_restart_encode(&writer, &restart) == TL_OK);
	UNIT_CHECK(writer.size == size && memcmp(bytes, again, size) == 0);
	UNIT_CHECK(tl_consensus_restart_digest(&digest, &restart) == TL_OK);
	UNIT_CHECK(memcmp(&digest, &wanted, TL_HASH_SIZE) == 0);
	UNIT_CHECK(tl_consensus_restart_judge(&restart, &chain_id, &members_hash, set, MEMBERS, 3,
										  tl_consensus_check_signature, NULL) == TL_OK);
	UNIT_CHECK(tl_chain_restart_check(&opened, &new_chain, header_bytes, sizeof(header_bytes),
									  &restart, MEMBERS) == TL_OK);
	for (size_t cut = 0; cut < size; cut++)
		UNIT_CHECK(tl_consensus_restart_decode(&restart, bytes, cut) != TL_OK);
	UNIT_CHECK(tl_consensus_restart_decode(&restart, bytes, size + 1) == TL_TRAILING_BYTES);
	/* X5: of what was signed every bit counts, for signatures and chain id. */
	statement = size - 2 - restart.signatures.size;
	for (size_t bit = 0; bit < size * 8; bit += (bit < statement * 8) ? 13 : 7)
	{
		bytes[bit / 8] ^= (uint8_t) (1 << bit % 8);
		UNIT_CHECK(tl_consensus_restart_decode(&restart, bytes, size) != TL_OK ||
				   tl_consensus_restart_judge(&restart, &chain_id, &members_hash, set, MEMBERS, 3,
											  tl_consensus_check_signature, NULL) != TL_OK);
		UNIT_CHECK(bit >= statement * 8 ||
				   tl_consensus_restart_decode(&restart, bytes, size) != TL_OK ||
				   tl_chain_restart_check(&opened, &new_chain, header_bytes, sizeof(header_bytes),
										  &restart, MEMBERS) != TL_OK);
		bytes[bit / 8] ^= (uint8_t) (1 << bit % 8);
	}
}

static void
vectors(void)
{
	unit_vectors("chain.txt", use_vector);
	UNIT_CHECK(vectors_used == 1);
}

/* A new set of members 2 and up, so many, after block 7 of the old ledger. */
static void
prepare(unsigned new_count)
{
	TlGenesis	genesis;
	TlWriter	writer;

	memset(&last, 0, sizeof(last));
	old_chain.bytes[0] = 1;
	last.chain_id = old_chain;
	last.height = 7;
	last.view = 9;
	last.parent.bytes[0] = 2;
	last.proposer = 1;
	last.time = 1000;
	last.members_hash.bytes[0] = 3;
	tl_writer_init(&writer, last_bytes, sizeof(last_bytes));
	UNIT_CHECK(tl_chain_block_encode(&writer, &last) == TL_OK);
	tl_chain_genesis_init(&genesis, TL_PURPOSE_TEST);
	genesis.member_count = (uint16_t) new_count;
	for (unsigned i = 0; i < new_count; i++)
	{
		TlMember   *member = &genesis.members[i];

		member->number = i + 2;
		member->kind = TL_MEMBER_VALIDATOR;
		member->name.data = (const uint8_t *) "name";
		member->name.size = 4;
		secrets[i][31] = (uint8_t) (i + 1);
		UNIT_CHECK(tl_crypto_xonly_key(member->row_key, secrets[i]) == TL_OK);
	}
	for (unsigned i = 0; i < MEMBERS; i++)
	{
		secrets[i][31] = (uint8_t) (i + 1);
		last_set[i].member = i + 1;
		UNIT_CHECK(tl_crypto_xonly_key(last_set[i].recovery_key, secrets[i]) == TL_OK);
	}
	memset(&restart, 0, sizeof(restart));
	restart.chain_id = old_chain;
	restart.last.data = last_bytes;
	restart.last.size = sizeof(last_bytes);
	tl_writer_init(&writer, body, sizeof(body));
	UNIT_CHECK(tl_chain_genesis_encode(&writer, &genesis) == TL_OK);
	restart.genesis.data = body;
	restart.genesis.size = writer.size;
	restart.founder = 2;
	restart.time = 2000;
	restart.reason.data = (const uint8_t *) "fire";
	restart.reason.size = 4;
}

static void
sign_by(const uint32_t *members, unsigned count)
{
	TlHash		digest;
	TlWriter	writer;

	UNIT_CHECK(tl_consensus_restart_digest(&digest, &restart) == TL_OK);
	tl_writer_init(&writer, signature_bytes, sizeof(signature_bytes));
	for (unsigned i = 0; i < count; i++)
	{
		uint8_t		signature[TL_SIGNATURE_SIZE];

		UNIT_CHECK(tl_crypto_schnorr_sign(signature, digest.bytes, TL_HASH_SIZE,
										  secrets[members[i] - 1], NULL) == TL_OK);
		tl_consensus_restart_put_signature(&writer, members[i], signature);
	}
	restart.signature_count = (uint16_t) count;
	restart.signatures.data = signature_bytes;
	restart.signatures.size = writer.size;
}

static TlStatus
judge(unsigned set_size, unsigned quorum_of_three)
{
	return tl_consensus_restart_judge(&restart, &old_chain, &last.members_hash,
									  last_set, set_size, quorum_of_three,
									  tl_consensus_check_signature, NULL);
}

/* X1 to X3. */
static void
who_signs(void)
{
	TlHash		other = {{9}};
	TlHash		hash;

	prepare(3);
	sign_by((uint32_t[]) {2, 3, 4}, 3);
	UNIT_CHECK(judge(4, 3) == TL_OK);
	sign_by((uint32_t[]) {2, 3}, 2);
	UNIT_CHECK(judge(4, 3) == TL_BAD_ORDER);	/* q is 3 */
	UNIT_CHECK(judge(3, 3) == TL_BAD_ORDER);
	UNIT_CHECK(judge(3, 2) == TL_OK);
	sign_by((uint32_t[]) {2, 3, 4}, 3);
	UNIT_CHECK(judge(3, 3) == TL_BAD_ORDER);	/* 4 is not of the set */
	sign_by((uint32_t[]) {2, 2, 3}, 3); /* one counts once */
	UNIT_CHECK(judge(4, 3) == TL_BAD_ORDER);
	sign_by((uint32_t[]) {3, 2, 4}, 3);
	UNIT_CHECK(judge(4, 3) == TL_BAD_ORDER);
	sign_by((uint32_t[]) {2, 3, 4}, 3);
	restart.reason.size--;		/* not what they signed */
	UNIT_CHECK(judge(4, 3) == TL_BAD_SIGNATURE);
	restart.reason.size++;
	last_set[2].recovery_key[5] ^= 1;
	UNIT_CHECK(judge(4, 3) == TL_BAD_SIGNATURE);
	last_set[2].recovery_key[5] ^= 1;
	UNIT_CHECK(judge(4, 3) == TL_OK);
	UNIT_CHECK(tl_consensus_restart_judge(&restart, &other, &last.members_hash, last_set, 4, 3,
										  tl_consensus_check_signature, NULL) == TL_CHAIN_DAMAGED);
	UNIT_CHECK(tl_consensus_restart_judge(&restart, &old_chain, &other, last_set, 4, 3,
										  tl_consensus_check_signature, NULL) == TL_CHAIN_DAMAGED);
	restart.chain_id = other;	/* says one chain, shows a block of another */
	UNIT_CHECK(judge(4, 3) == TL_CHAIN_DAMAGED);
	restart.chain_id = old_chain;
	UNIT_CHECK(tl_consensus_restart_quorum(1, 3) == 1 && tl_consensus_restart_quorum(2, 3) == 1 &&
			   tl_consensus_restart_quorum(4, 3) == 3);
	restart.founder = 0;
	UNIT_CHECK(judge(4, 3) == TL_BAD_FORMAT);
	restart.founder = 2;
	restart.reason.size = TL_RESTART_REASON_SIZE_MAX + 1;
	UNIT_CHECK(judge(4, 3) == TL_TOO_LARGE);
	UNIT_CHECK(tl_consensus_restart_digest(&hash, &restart) == TL_TOO_LARGE);
}

/* X4, and that the chain id is of the statement, not of the signers. */
static void
opens(void)
{
	uint8_t		bytes[TL_BLOCK_HEADER_SIZE];
	TlBlockHeader plain;
	TlHash		chain_id;
	TlHash		again;
	TlWriter	writer;

	prepare(1);
	sign_by((uint32_t[]) {2}, 1);
	UNIT_CHECK(judge(2, 3) == TL_OK);
	UNIT_CHECK(tl_chain_restart_open(&opened, &header, &restart, 2) == TL_OK);
	UNIT_CHECK(opened.member_count == 1 && header.height == 0 && header.time == 2000);
	tl_chain_block_hash(&chain_id, &header);
	sign_by((uint32_t[]) {1, 2}, 2);
	UNIT_CHECK(tl_chain_restart_open(&opened, &header, &restart, 2) == TL_OK);
	tl_chain_block_hash(&again, &header);
	UNIT_CHECK(memcmp(&chain_id, &again, TL_HASH_SIZE) == 0);
	tl_writer_init(&writer, bytes, sizeof(bytes));
	UNIT_CHECK(tl_chain_block_encode(&writer, &header) == TL_OK);
	UNIT_CHECK(tl_chain_restart_check(&opened, &chain_id, bytes, sizeof(bytes), &restart, 2) == TL_OK);
	UNIT_CHECK(tl_chain_restart_check(&opened, &old_chain, bytes, sizeof(bytes), &restart, 2) == TL_CHAIN_DAMAGED);
	/* A genesis of the same body that no RESTART is in is another ledger. */
	UNIT_CHECK(tl_chain_genesis_header(&plain, &opened, 2, 2000) == TL_OK);
	tl_writer_init(&writer, bytes, sizeof(bytes));
	UNIT_CHECK(tl_chain_block_encode(&writer, &plain) == TL_OK);
	tl_chain_block_hash(&again, &plain);
	UNIT_CHECK(memcmp(&chain_id, &again, TL_HASH_SIZE) != 0);
	UNIT_CHECK(tl_chain_restart_check(&opened, &again, bytes, sizeof(bytes), &restart, 2) == TL_CHAIN_DAMAGED);
	sign_by((uint32_t[]) {1}, 1);	/* who alone signs, and leaves */
	UNIT_CHECK(judge(2, 3) == TL_OK);
	UNIT_CHECK(tl_chain_restart_open(&opened, &header, &restart, 2) == TL_BAD_ORDER);
	UNIT_CHECK(tl_chain_restart_open(&opened, &header, &restart, 3) == TL_OK);
	sign_by((uint32_t[]) {2}, 1);
	restart.time = 1000;		/* not after the last block */
	UNIT_CHECK(tl_chain_restart_open(&opened, &header, &restart, 2) == TL_BAD_ORDER);
	restart.time = 2000;
	restart.founder = 3;		/* is no member */
	UNIT_CHECK(tl_chain_restart_open(&opened, &header, &restart, 2) == TL_BAD_FORMAT);
	restart.founder = 2;
	body[0] ^= 1;
	UNIT_CHECK(tl_chain_restart_open(&opened, &header, &restart, 2) != TL_OK);
	body[0] ^= 1;
}

/* The one who stays goes on alone: his first batch is final at once. */
static void
core_goes_on(void)
{
	static TlActions actions;
	TlConsensusConfig config;
	TlConsensus *core;
	TlConsensusStatus status;
	TlInput		input = {.kind = TL_INPUT_START, .now_us = 1};
	uint8_t		bytes[TL_BATCH_SIZE_FIXED];
	TlBatchHeader batch = {.member = 2, .batch = 1, .section_count = 1};
	TlWriter	writer;
	TlLogRow	rows[4];
	uint8_t		payloads[4][2048];
	unsigned	count = 0;
	void	   *memory;

	prepare(1);
	sign_by((uint32_t[]) {2}, 1);
	UNIT_CHECK(tl_chain_restart_open(&opened, &header, &restart, 2) == TL_OK);
	/* What the old ledger left there must not matter. */
	memset(&config, 0xff, sizeof(config));
	memset(config.instance, 0, TL_NONCE_SIZE);
	memset(config.replaced, 0, TL_NONCE_SIZE);
	config.member = 2;
	config.view_count = 8;
	config.lane_length = 4;
	config.pace.timer_us = config.pace.fetch_us = 1000;
	UNIT_CHECK(tl_chain_restart_config(&config, &opened, &header) == TL_OK);
	UNIT_CHECK(config.lenient_until == 0 && config.number_max == 0 && config.protocol == 0);
	UNIT_CHECK(config.member_count == 1 && memcmp(&config.members[0].leaf, &header.members_hash, TL_HASH_SIZE) == 0 &&
			   config.members[0].validator && config.checkpoint_interval == 32 &&
			   config.drift_us == 2000000 && config.quorum_of_three == 3);
	memory = malloc(tl_consensus_size(&config));
	core = tl_consensus_init(memory, tl_consensus_size(&config), &config);
	UNIT_CHECK(core != NULL);
	UNIT_CHECK(tl_consensus_step(core, &actions, &input) == TL_OK);
	batch.chain_id = config.chain_id;
	tl_writer_init(&writer, bytes, sizeof(bytes));
	UNIT_CHECK(tl_chain_batch_encode(&writer, &batch) == TL_OK);
	input.kind = TL_INPUT_MAKE_BATCH;
	input.payload.data = bytes;
	input.payload.size = writer.size;
	UNIT_CHECK(tl_consensus_step(core, &actions, &input) == TL_OK);
	for (unsigned i = 0; i < actions.count && count < 4; i++)
	{
		if (actions.list[i].kind != TL_ACT_APPEND)
			continue;
		rows[count] = actions.list[i].row;
		memcpy(payloads[count], rows[count].payload.data, rows[count].payload.size);
		rows[count].payload.data = payloads[count];
		count++;
	}
	UNIT_CHECK(count == 4);
	for (unsigned i = 0; i < count; i++)
	{
		TlInput		back = {.kind = TL_INPUT_ROW, .now_us = 2, .certificates_valid = true};

		back.row = rows[i];
		UNIT_CHECK(tl_consensus_step(core, &actions, &back) == TL_OK);
	}
	tl_consensus_status(core, &status);
	UNIT_CHECK(status.final_height == 1 && !status.stopped);
	free(memory);
}

UNIT_MAIN(UNIT_CASE(vectors), UNIT_CASE(who_signs), UNIT_CASE(opens),
		  UNIT_CASE(core_goes_on))
