/*-------------------------------------------------------------------------
 *
 * dialogue_set.c
 *	  What is settled before the first row: who the members are, who the core is.
 *
 *-------------------------------------------------------------------------
 */
#include "dialogue.h"

#include "chain_member.h"
#include "consensus_epoch.h"
#include "crypto_hash.h"
#include "merkle_range.h"

#include <stdlib.h>
#include <string.h>

static void forget(Dialogue *dialogue);
static bool set(Dialogue *dialogue, const char *word, const char *value);
static void choose_keys(Dialogue *dialogue);
static unsigned place(const TlConsensusConfig *config, const uint8_t *key,
					  unsigned parts);
static void make_member(Dialogue *dialogue, unsigned index, uint8_t kind,
						const uint8_t *key);

/*
 * So many members, a genesis block, and nothing said yet.  Who leads follows from
 * the genesis block, which here does not name the members: they are chosen so
 * that they lead in the order of the alphabet.
 */
void
dialogue_members(Dialogue *dialogue, unsigned members)
{
	TlConsensusConfig *config = &dialogue->config;
	TlConsensusBlock *genesis = &config->base;
	NamedBlock *named = &dialogue->blocks[0];

	forget(dialogue);
	config->member = members;
	config->member_count = members;
	config->quorum_of_three = 3;
	config->drift_us = 2000 * MS;
	config->view_count = 8;
	config->lane_length = 4;
	config->pace.timer_us = 1000 * MS;
	config->pace.timer_max_us = 10000 * MS;
	config->pace.dead_us = 400 * MS;
	config->pace.active_us = 10000 * MS;
	config->pace.fetch_us = 1000 * MS;
	config->pace.start_wait_us = 10000 * MS;
	genesis->header.proposer = 1;
	(void) tl_chain_cut_hash(&genesis->header.cut_hash, NULL, 0);
	tl_chain_block_hash(&genesis->hash, &genesis->header);
	tl_merkle_range_init(&genesis->history);
	(void) tl_merkle_range_append(&genesis->history, &genesis->hash);
	config->chain_id = genesis->hash;
	config->founding = genesis->hash;
	for (unsigned i = 0; i < members; i++)
	{
		config->members[i].number = i + 1;
		config->members[i].validator = true;
	}
	choose_keys(dialogue);
	strcpy(named->name, "G");
	named->block = *genesis;
	dialogue->block_count = 1;
}

static void
forget(Dialogue *dialogue)
{
	TlActions  *actions = dialogue->actions;

	memset(dialogue, 0, sizeof(*dialogue));
	dialogue->actions = actions;
}

/* So that A leads view 1, B view 2, and so on, round and round. */
static void
choose_keys(Dialogue *dialogue)
{
	TlConsensusConfig *config = &dialogue->config;
	unsigned	validators = 0;
	unsigned	turn = 0;

	for (unsigned i = 0; i < config->member_count; i++)
		validators += config->members[i].validator;
	for (unsigned i = 0; i < config->member_count; i++)
	{
		bool		validator = config->members[i].validator;
		uint8_t		key[TL_XONLY_KEY_SIZE] = {0};

		turn += validator;
		for (unsigned number = 1; number < 256 * 256; number++)
		{
			key[0] = (uint8_t) number;
			key[1] = (uint8_t) (number >> 8);
			key[2] = (uint8_t) i;
			if (place(config, key, validators) == turn % validators)
				break;
		}
		make_member(dialogue, i, validator ? TL_MEMBER_VALIDATOR :
					TL_MEMBER_PARTICIPANT, key);
	}
}

/* In which part of all hashes does that of the key lie? */
static unsigned
place(const TlConsensusConfig *config, const uint8_t *key, unsigned parts)
{
	TlSha256	state;
	TlHash		hash;

	tl_crypto_sha256_init(&state);
	tl_crypto_sha256_update(&state, config->founding.bytes, TL_HASH_SIZE);
	tl_crypto_sha256_update(&state, key, TL_XONLY_KEY_SIZE);
	tl_crypto_sha256_final(&state, &hash);
	return hash.bytes[0] * parts / 256;
}

static void
make_member(Dialogue *dialogue, unsigned index, uint8_t kind,
			const uint8_t *key)
{
	TlConsensusMember *member = &dialogue->config.members[index];

	if (tl_consensus_epoch_member(member, dialogue_leaf(index + 1, kind, key)) != TL_OK)
		fail("no member %u", index + 1);
}

const TlConsensusMember *
dialogue_member(const Dialogue *dialogue, uint32_t number)
{
	for (unsigned i = 0; i < dialogue->config.member_count; i++)
	{
		if (dialogue->config.members[i].number == number)
			return &dialogue->config.members[i];
	}
	fail("%c is no member", 'A' + (int) number - 1);
}

/* His governance key is not his row key. */
TlSpan
dialogue_leaf(uint32_t member, uint8_t kind, const uint8_t *row_key)
{
	uint8_t		bytes[TL_MEMBER_LEAF_SIZE_MAX];
	uint8_t		letter = (uint8_t) ('A' + member - 1);
	TlMember	leaf = {.number = member, .kind = kind, .has_keys = true,
	.name = {&letter, 1}};
	TlWriter	writer;

	memcpy(leaf.row_key, row_key, TL_XONLY_KEY_SIZE);
	memcpy(leaf.governance_key, row_key, TL_XONLY_KEY_SIZE);
	leaf.governance_key[TL_XONLY_KEY_SIZE - 1] ^= 1;
	tl_writer_init(&writer, bytes, sizeof(bytes));
	if (tl_chain_member_encode(&writer, &leaf) != TL_OK)
		fail("no leaf");
	return dialogue_keep(bytes, writer.size);
}

/*
 * members 4 me D, and so on in pairs of words; false if the line is about
 * something else.
 */
bool
dialogue_set(Dialogue *dialogue, const Line *line)
{
	if (line->count % 2 != 0)
		return false;
	for (unsigned i = 0; i < line->count; i += 2)
	{
		if (!set(dialogue, line->words[i], line->words[i + 1]))
			return false;
		if (dialogue->core != NULL)
			fail("too late for %s", line->words[i]);
	}
	return true;
}

static bool
set(Dialogue *dialogue, const char *word, const char *value)
{
	TlConsensusConfig *config = &dialogue->config;
	unsigned	number = (unsigned) atoi(value);
	uint32_t	member = line_member(dialogue, value);

	if (strcmp(word, "members") == 0 && number > 0 &&
		number <= TL_MEMBER_COUNT_MAX)
		dialogue_members(dialogue, number);
	else if (strcmp(word, "me") == 0 && member != 0)
		config->member = member;
	else if (strcmp(word, "participant") == 0 && member != 0)
	{
		config->members[member - 1].validator = false;
		choose_keys(dialogue);
	}
	else if (strcmp(word, "views") == 0)
		config->view_count = number;
	else if (strcmp(word, "slots") == 0)
		config->lane_length = number;
	else if (strcmp(word, "checkpoints") == 0)
		config->checkpoint_interval = number;
	else if (strcmp(word, "asks") == 0)
		config->pace.ask_us = number * MS;
	else if (strcmp(word, "retains") == 0)
		config->pace.retain_us = number * MS;
	else if (strcmp(word, "behind") == 0)
		config->pace.retain_count = number;
	else if (strcmp(word, "acks") == 0)
		config->pace.ack_wait_us = number * MS;
	else if (strcmp(word, "patience") == 0)
		config->pace.busy_us = number * MS;
	else if (strcmp(word, "least") == 0)
		config->pace.timer_min_us = number * MS;
	else
		return false;
	return true;
}
