/*-------------------------------------------------------------------------
 *
 * receipt_fixture.h
 *	  A small ledger in memory and a receipt from it, for tests.
 *
 * Chain: genesis, block 1 with the definitions, block 2 with the rows, then
 * empty blocks up to the head.  What a test wants otherwise it sets in the
 * options, or changes in the receipt's bytes.
 *
 *-------------------------------------------------------------------------
 */
#ifndef RECEIPT_FIXTURE_H
#define RECEIPT_FIXTURE_H

#include "chain_batch.h"
#include "chain_genesis.h"
#include "chain_restart.h"
#include "chain_section.h"
#include "chain_state.h"
#include "consensus_certificate.h"
#include "consensus_epoch.h"
#include "merkle_hash.h"
#include "merkle_proof.h"
#include "merkle_range.h"
#include "proof_definition.h"
#include "proof_show.h"
#include "table_row.h"
#include "unit.h"

#include <stdlib.h>
#include <string.h>

#define FIXTURE_ROWS_MAX	300
#define FIXTURE_BLOCKS_MAX	20
#define FIXTURE_COLUMNS		3
#define FIXTURE_LEAVES		4

typedef struct FixtureOptions
{
	unsigned	members;		/* validators, from 1 */
	uint64_t	signers;		/* bit n - 1: member n signs the head */
	unsigned	quorum_of_three;
	unsigned	rows;
	unsigned	row;			/* the one that is proved */
	unsigned	head;			/* height, from 2 */
	bool		is_private;
	bool		of_definition;	/* the receipt is one of the definition */
	const char *names[FIXTURE_COLUMNS];
	uint32_t	numbers[FIXTURE_COLUMNS];	/* of the definition's columns */
	bool		foreign_definition; /* the definition is of another version */
	unsigned	definer;		/* the member whose it is */
	unsigned	outcome;		/* height of the checkpoint, 0: none */
	unsigned	outcome_after;	/* of the one that it names */
	uint64_t	outcome_signers;
	bool		rejected;
	bool		elsewhere;		/* in another batch of the block */
	bool		refused;		/* the batch is, as a whole */
	unsigned	body_sizes[2];	/* of the chunks that the batch names for the rows'
								 * section, if it is public; 0: none */
	unsigned	body_section;	/* which section these are said to be of */
	bool		restarted;		/* the ledger goes on from another one */
	bool		changes;		/* block 3 decides that 5 comes in place of 2 */
	uint64_t	change_signers; /* who signs block 3 */
	unsigned	other_quorum;	/* of three, in the motion of member 4, if not 0 */
} FixtureOptions;

typedef struct Fixture
{
	TlReceipt	receipt;
	TlReceiptColumn columns[TL_COLUMN_COUNT_MAX];
	TlCheckpoint checkpoint;
	uint64_t	checkpoint_named;	/* by blocks from 4 on */
	TlHash		chain_id;
	TlGenesis	genesis;
	uint8_t		secrets[TL_MEMBER_COUNT_MAX][TL_SECRET_SIZE];
	TlSpan		approvals[3];	/* GOVERN rows, in the order of their digests */
	unsigned	entry_count;	/* of block 3 */
	TlBlockEntry entries[4];
	TlHash		next_members;
	TlBlockHeader headers[FIXTURE_BLOCKS_MAX];
	TlHash		hashes[FIXTURE_BLOCKS_MAX];
	uint8_t		arena[4 * 1024 * 1024];
	size_t		used;
} Fixture;

static Fixture fixture;

/* Room for a writer; what was written is kept by fixture_take. */
static TlWriter
fixture_writer(void)
{
	TlWriter	writer;

	tl_writer_init(&writer, fixture.arena + fixture.used,
				   sizeof(fixture.arena) - fixture.used);
	return writer;
}

static TlSpan
fixture_take(const TlWriter *writer)
{
	TlSpan		span = {writer->data, writer->size};

	if (tl_writer_finish(writer) != TL_OK)
		abort();
	fixture.used += writer->size;
	return span;
}

static void
fixture_must(TlStatus status)
{
	if (status != TL_OK)
		abort();
}

static TlStatus
fixture_node(void *context, TlHash *out, unsigned level, uint64_t index)
{
	const TlHash *leaves = context;
	TlMerkleRange range;

	tl_merkle_range_init(&range);
	for (uint64_t i = index << level; i < (index + 1) << level; i++)
		fixture_must(tl_merkle_range_append(&range, &leaves[i]));
	tl_merkle_range_root(&range, out);
	return TL_OK;
}

static TlSpan
fixture_path(uint64_t index, const TlHash *leaves, uint64_t count)
{
	TlHash		path[TL_MERKLE_PATH_MAX];
	unsigned	path_count = TL_MERKLE_PATH_MAX;
	TlWriter	writer = fixture_writer();

	fixture_must(tl_merkle_inclusion_path(path, &path_count, index, count,
										  fixture_node, (void *) leaves));
	tl_put_bytes(&writer, path, path_count * sizeof(TlHash));
	return fixture_take(&writer);
}

static void
fixture_root(TlHash *out, const TlHash *leaves, uint64_t count)
{
	TlMerkleRange range;

	tl_merkle_range_init(&range);
	for (uint64_t i = 0; i < count; i++)
		fixture_must(tl_merkle_range_append(&range, &leaves[i]));
	tl_merkle_range_root(&range, out);
}

static void
fixture_put_column(TlWriter *writer, uint16_t number, uint32_t tag,
				   const void *data, size_t size)
{
	TlRowColumn column = {number, TL_COLUMN_PLAIN, tag, {data, size}};

	tl_table_row_put_column(writer, &column);
}

static void
fixture_put_array(TlWriter *writer, uint16_t number, uint32_t tag,
				  const FixtureOptions *options)
{
	uint8_t		bytes[1024];
	TlWriter	array;

	tl_writer_init(&array, bytes, sizeof(bytes));
	tl_put_u8(&array, 1);
	tl_put_u32(&array, 1);
	tl_put_u32(&array, FIXTURE_COLUMNS);
	for (int i = 0; i < FIXTURE_COLUMNS; i++)
	{
		static const uint32_t tags[FIXTURE_COLUMNS] = {20, 25, 1700};
		const char *text = (tag == 1009 && number == 7) ? options->names[i] : "a type";

		tl_put_u32(&array, tag == 1007 ? 4 : tag == 1016 ? 8 :
				   (uint32_t) strlen(text));
		if (tag == 1007)
			tl_put_u32(&array, options->numbers[i]);
		else if (tag == 1016)
			tl_put_u64(&array, tags[i]);
		else
			tl_put_bytes(&array, text, strlen(text));
	}
	fixture_put_column(writer, number, tag, bytes, array.size);
}

static TlSpan
fixture_definition(const FixtureOptions *options, const uint8_t *table_id)
{
	TlRowHeader header = {.ref = {options->definer, 0, 700, 1},.table_version = 1,
	.column_count = 9};
	uint8_t		version[4] = {0, 0, 0, options->foreign_definition ? 2 : 1};
	TlWriter	writer = fixture_writer();

	tl_proof_definition_table_id(header.table_id);
	tl_table_row_put_header(&writer, &header);
	fixture_put_column(&writer, 1, 2950, table_id, TL_TABLE_ID_SIZE);
	fixture_put_column(&writer, 2, 23, version, 4);
	fixture_put_column(&writer, 3, 25, "create", 6);
	fixture_put_column(&writer, 4, 25, "public", 6);
	fixture_put_column(&writer, 5, 25, "cdr", 3);
	fixture_put_array(&writer, 6, 1007, options);
	fixture_put_array(&writer, 7, 1009, options);
	fixture_put_array(&writer, 8, 1009, options);
	fixture_put_array(&writer, 9, 1016, options);
	return fixture_take(&writer);
}

/* Columns 1 and 3; column 2 is null, and 3 only in every second row. */
static TlSpan
fixture_row(const uint8_t *table_id, unsigned number)
{
	TlRowHeader header = {.ref = {1, 0, 800, number + 1},.table_version = 1,
	.column_count = 1 + number % 2};
	uint8_t		value[8] = {0, 0, 0, 0, 0, 0, (uint8_t) (number >> 8), (uint8_t) number};
	TlWriter	writer = fixture_writer();

	memcpy(header.table_id, table_id, TL_TABLE_ID_SIZE);
	memset(header.blinding, (int) number, sizeof(header.blinding));
	tl_table_row_put_header(&writer, &header);
	fixture_put_column(&writer, 1, 20, value, sizeof(value));
	if (number % 2 == 1)
		fixture_put_column(&writer, 3, 1700, "12.50", 5);
	return fixture_take(&writer);
}

/* A batch of one section with these rows, ordered by block `height`. */
static void
fixture_batch(TlReceiptRow *out, const FixtureOptions *options, const TlSpan *rows,
			  unsigned count, unsigned index, bool is_private, unsigned height,
			  const TlHash *previous, TlHash *digest)
{
	static const uint8_t random[TL_SECTION_RANDOM_SIZE] = {1, 2, 3};
	TlHash		leaves[FIXTURE_ROWS_MAX];
	TlSectionLeaf section = {.kind = is_private ? TL_SECTION_PRIVATE : TL_SECTION_PUBLIC,
	.table_version = 1,.row_count = count};
	TlBatchHeader batch = {.chain_id = fixture.chain_id,.batch = height,.section_count = 2};
	TlRowDecoder decoder;
	TlRowHeader first;
	TlHash		section_leaves[2];
	TlWriter	writer;

	fixture_must(tl_table_row_open(&decoder, &first, rows[0].data, rows[0].size));
	batch.member = first.ref.member;
	for (unsigned i = 0; i < count; i++)
		tl_merkle_leaf_hash(&leaves[i], rows[i].data, rows[i].size);
	fixture_root(&section.root, leaves, count);
	memcpy(section.table_id, rows[0].data + 2, TL_TABLE_ID_SIZE);
	fixture_must(tl_chain_section_leaf_hash(&section_leaves[0], &section,
											is_private ? random : NULL));
	section_leaves[1] = leaves[0];
	fixture_root(&batch.root, section_leaves, 2);
	batch.previous = *previous;

	out->bytes = rows[index];
	out->index = index;
	out->path = fixture_path(index, leaves, count);
	writer = fixture_writer();
	fixture_must(tl_chain_section_encode(&writer, &section));
	out->section = fixture_take(&writer);
	out->section_random.data = random;
	out->section_random.size = is_private ? sizeof(random) : 0;
	out->section_index = 0;
	out->section_path = fixture_path(0, section_leaves, 2);
	writer = fixture_writer();
	for (int i = 0; i < 2 && !is_private && options->body_sizes[i] > 0; i++)
	{
		TlBatchChunk chunk = {.section = (uint16_t) options->body_section,
		.size = options->body_sizes[i]};

		tl_chain_batch_put_chunk(&writer, &chunk);
		batch.chunk_count++;
	}
	batch.chunks = fixture_take(&writer);
	writer = fixture_writer();
	fixture_must(tl_chain_batch_encode(&writer, &batch));
	out->batch = fixture_take(&writer);
	tl_chain_batch_digest(digest, out->batch.data, out->batch.size);
	writer = fixture_writer();
	tl_put_hash(&writer, digest);
	out->batch_digests = fixture_take(&writer);
}

/* After block 7 of a ledger that nobody knows any more. */
static void
fixture_restart(void)
{
	TlReceiptRestart *shown = &fixture.receipt.restart;
	TlBlockHeader last = {.chain_id = {{5}},.height = 7,.view = 9,.parent = {{6}},
	.parent_view = 8,.proposer = 2,.time = 900000};
	TlRestart	restart = {.chain_id = last.chain_id,.founder = 1,.time = 1000000};
	TlWriter	writer = fixture_writer();
	TlGenesis	opened;

	fixture_must(tl_chain_block_encode(&writer, &last));
	shown->present = true;
	shown->last = fixture_take(&writer);
	writer = fixture_writer();
	tl_put_hash(&writer, &last.chain_id);
	shown->chain = fixture_take(&writer);
	shown->reason.data = (const uint8_t *) "fire";
	shown->reason.size = 4;
	restart.last = shown->last;
	restart.reason = shown->reason;
	restart.genesis = fixture.receipt.genesis_body;
	fixture_must(tl_chain_restart_open(&opened, &fixture.headers[0], &restart, 0));
}

static void
fixture_genesis(const FixtureOptions *options)
{
	TlWriter	writer;

	tl_chain_genesis_init(&fixture.genesis, TL_PURPOSE_TEST);
	fixture.genesis.quorum_of_three = (uint8_t) options->quorum_of_three;
	fixture.genesis.member_count = (uint16_t) options->members;
	for (unsigned i = 0; i < options->members; i++)
	{
		TlMember   *member = &fixture.genesis.members[i];

		member->number = i + 1;
		member->kind = TL_MEMBER_VALIDATOR;
		member->name.data = (const uint8_t *) "Operator";
		member->name.size = 8;
		memset(fixture.secrets[i], (int) i + 1, TL_SECRET_SIZE);
		fixture_must(tl_crypto_xonly_key(member->row_key, fixture.secrets[i]));
	}
	writer = fixture_writer();
	fixture_must(tl_chain_genesis_encode(&writer, &fixture.genesis));
	fixture.receipt.genesis_body = fixture_take(&writer);
	fixture_must(tl_chain_genesis_header(&fixture.headers[0], &fixture.genesis, 1,
										 1000000));
	if (options->restarted)
		fixture_restart();
	tl_chain_block_hash(&fixture.chain_id, &fixture.headers[0]);
	fixture.hashes[0] = fixture.chain_id;
	writer = fixture_writer();
	fixture_must(tl_chain_block_encode(&writer, &fixture.headers[0]));
	fixture.receipt.genesis_header = fixture_take(&writer);
}

/* Member 5 in place of member 2, with that quorum of three. */
static TlSpan
fixture_motion(unsigned quorum_of_three)
{
	TlMotion	motion = {.kind = TL_MOTION_CHANGE, .quorum_of_three = (uint8_t) quorum_of_three,
		.drift_ms = 2000, .checkpoint_interval = 32, .protocol = 1,
	.removed_count = 1, .set_count = 1};
	TlMember	joins = {.number = 5, .kind = TL_MEMBER_VALIDATOR,
	.name = {(const uint8_t *) "Joiner", 6}};
	uint8_t		leaf[TL_MEMBER_LEAF_SIZE_MAX];
	uint8_t		removed[4];
	uint8_t		set[2 + TL_MEMBER_LEAF_SIZE_MAX];
	TlWriter	writer;
	TlWriter	member;

	memset(fixture.secrets[4], 5, TL_SECRET_SIZE);
	fixture_must(tl_crypto_xonly_key(joins.row_key, fixture.secrets[4]));
	tl_writer_init(&member, leaf, sizeof(leaf));
	fixture_must(tl_chain_member_encode(&member, &joins));
	tl_writer_init(&writer, set, sizeof(set));
	tl_put_u16(&writer, (uint16_t) member.size);
	tl_put_bytes(&writer, leaf, member.size);
	motion.set = (TlSpan) {set, writer.size};
	tl_writer_init(&writer, removed, sizeof(removed));
	tl_put_u32(&writer, 2);
	motion.removed = (TlSpan) {removed, writer.size};
	writer = fixture_writer();
	fixture_must(tl_consensus_motion_encode(&writer, &motion));
	return fixture_take(&writer);
}

/* His approval of that motion, as a row of his log. */
static TlSpan
fixture_approval(TlHash *digest, uint32_t member, TlSpan motion)
{
	TlGovern	govern = {.number = 1, .motion = motion};
	TlLogRow	row = {.member = member, .sequence = 20, .previous = {{1}},
	.kind = TL_LOG_GOVERN, .view = 2};
	TlWriter	writer = fixture_writer();

	fixture_must(tl_consensus_govern_encode(&writer, &govern));
	row.payload = fixture_take(&writer);
	fixture_must(tl_consensus_row_sign(&row, &fixture.chain_id,
									   fixture.secrets[member - 1], NULL));
	tl_consensus_row_digest(digest, &fixture.chain_id, &row);
	writer = fixture_writer();
	fixture_must(tl_consensus_row_encode(&writer, &row));
	return fixture_take(&writer);
}

/* In order of digest. */
static void
fixture_entry(uint8_t kind, const TlHash *digest)
{
	unsigned	place = fixture.entry_count++;

	for (; place > 0 && memcmp(&fixture.entries[place - 1].digest, digest,
							   sizeof(*digest)) > 0; place--)
		fixture.entries[place] = fixture.entries[place - 1];
	fixture.entries[place].kind = kind;
	fixture.entries[place].digest = *digest;
}

/* What block 3 orders: approvals of members 1, 3 and 4, and the next set. */
static void
fixture_decide(const FixtureOptions *options)
{
	TlSpan		motion = fixture_motion(3);
	TlMember	next[TL_MEMBER_COUNT_MAX];
	unsigned	count = 0;
	TlMotion	read;
	TlSpan		rows[3];
	TlHash		digests[3];

	for (unsigned i = 0; i < options->members; i++)
	{
		if (fixture.genesis.members[i].number != 2)
			next[count++] = fixture.genesis.members[i];
	}
	fixture_must(tl_consensus_motion_decode(&read, motion.data, motion.size));
	fixture_must(tl_chain_member_decode(&next[count++], read.set.data + 2,
										read.set.size - 2));
	fixture_must(tl_chain_members_hash(&fixture.next_members, next, count));
	for (unsigned i = 0; i < 3; i++)
	{
		if (i == 2 && options->other_quorum != 0)
			motion = fixture_motion(options->other_quorum);
		rows[i] = fixture_approval(&digests[i], (uint32_t[]) {1, 3, 4}[i], motion);
		fixture_entry(TL_LOG_GOVERN, &digests[i]);
	}
	fixture_entry(TL_ENTRY_MEMBERS, &fixture.next_members);
	count = 0;
	for (unsigned i = 0; i < fixture.entry_count; i++)
	{
		for (unsigned j = 0; j < 3; j++)
		{
			if (memcmp(&fixture.entries[i].digest, &digests[j], TL_HASH_SIZE) == 0)
				fixture.approvals[count++] = rows[j];
		}
	}
}

static void
fixture_block(unsigned height, const TlHash *digest)
{
	const TlBlockHeader *parent = &fixture.headers[height - 1];
	TlBlockHeader *header = &fixture.headers[height];

	*header = fixture.headers[0];
	header->chain_id = fixture.chain_id;
	header->height = height;
	header->view = parent->view + 1;
	header->parent = fixture.hashes[height - 1];
	header->parent_view = parent->view;
	header->time = parent->time + 5;
	if (height > 3)
		header->checkpoint_height = fixture.checkpoint_named;
	if (digest != NULL)
		header->batch_root = *digest;
	fixture_must(tl_chain_entries_root(&header->entries_root, fixture.entries,
									   height == 3 ? fixture.entry_count : 0));
	if (height > 3 && fixture.entry_count > 0)
	{
		header->epoch = 1;
		header->parent_epoch = parent->epoch;
		header->members_hash = fixture.next_members;
	}
	fixture_root(&header->history_root, fixture.hashes, height);
	tl_chain_block_hash(&fixture.hashes[height], header);
}

static TlSpan
fixture_block_bytes(unsigned height)
{
	TlWriter	writer = fixture_writer();

	fixture_must(tl_chain_block_encode(&writer, &fixture.headers[height]));
	return fixture_take(&writer);
}

static void
fixture_vote(TlWriter *writer, TlLogKind kind, unsigned member,
			 const TlBlockHeader *header, const TlHash *block)
{
	TlLogRow	row = {.member = member,.sequence = 1,.kind = (uint8_t) kind,
		.epoch = header->epoch,.view = header->view,
	.payload = {block->bytes, TL_HASH_SIZE}};
	TlVote		vote;

	if (kind == TL_LOG_NULLIFY)
		row.payload.size = 0;
	fixture_must(tl_consensus_row_sign(&row, &fixture.chain_id,
									   fixture.secrets[member - 1], NULL));
	tl_consensus_certificate_row_vote(&vote, &row);
	tl_consensus_certificate_put_vote(writer, &vote);
}

static TlSpan
fixture_certificate(TlLogKind kind, unsigned height, uint64_t signers)
{
	TlCertificate certificate = {.kind = (uint8_t) kind,
		.epoch = fixture.headers[height].epoch,.view = fixture.headers[height].view,
	.block = fixture.hashes[height]};
	TlWriter	writer = fixture_writer();

	for (unsigned i = 0; i < TL_MEMBER_COUNT_MAX && signers >> i != 0; i++)
	{
		if ((signers >> i & 1) == 0)
			continue;
		fixture_vote(&writer, kind, i + 1, &fixture.headers[height],
					 &fixture.hashes[height]);
		certificate.vote_count++;
	}
	certificate.votes = fixture_take(&writer);
	writer = fixture_writer();
	fixture_must(tl_consensus_certificate_encode(&writer, &certificate));
	return fixture_take(&writer);
}

/*
 * A rejection in another block, that of the row if there is one, of another row; then
 * a batch that was refused: the row's, or another one.
 */
static TlSpan
fixture_leaves(const FixtureOptions *options, const TlReceiptRow *row)
{
	TlRejection rejection = {.height = 2,.sqlstate = {'2', '3', '5', '1', '4'}};
	TlRefusedBatch refused = {.height = 2,.sqlstate = {'T', 'L', '0', '0', '6'}};
	uint8_t		leaf[TL_OUTCOME_LEAF_SIZE];
	TlWriter	writer = fixture_writer();

	memcpy(rejection.ref, row->bytes.data + TL_ROW_REF_OFFSET, TL_REF_SIZE);
	tl_merkle_leaf_hash(&rejection.row, row->bytes.data, row->bytes.size);
	tl_chain_batch_digest(&rejection.batch, row->batch.data, row->batch.size);
	refused.batch = rejection.batch;
	for (int i = 0; i < 3; i++)
	{
		TlRejection other = rejection;

		if (i == 0)
			other.height++;
		if (i == 2)
			other.row.bytes[0] ^= 1;
		if (i == 1 && !options->rejected)
			other.ref[15] ^= 1;
		if (i == 1 && options->elsewhere)
			other.batch.bytes[0] ^= 1;
		fixture_must(tl_chain_state_rejection(leaf, &other));
		tl_put_bytes(&writer, leaf, sizeof(leaf));
	}
	if (!options->refused && options->elsewhere)
		refused.height++;
	else if (!options->refused)
		refused.batch.bytes[0] ^= 1;
	fixture_must(tl_chain_state_refused_batch(leaf, &refused));
	tl_put_bytes(&writer, leaf, sizeof(leaf));
	return fixture_take(&writer);
}

/* What a quorum has signed of the state after a block. */
static void
fixture_outcome(const FixtureOptions *options, TlReceipt *receipt)
{
	unsigned	height = options->outcome;
	TlCertificate certificate = {.kind = TL_LOG_STATE,.epoch = fixture.headers[height].epoch,
		.view = fixture.headers[height].view,.block = fixture.hashes[height],
	.height = height,.state_root = {{7}}};
	TlReceiptOutcome *outcome = &receipt->outcome;
	TlHash		leaves[FIXTURE_LEAVES];
	uint8_t		payload[TL_CERTIFICATE_PAYLOAD_SIZE_MAX];
	size_t		payload_size;
	TlWriter	writer;

	outcome->present = true;
	outcome->leaves = fixture_leaves(options, &receipt->row);
	for (int i = 0; i < FIXTURE_LEAVES; i++)
		tl_merkle_leaf_hash(&leaves[i], outcome->leaves.data + i * TL_OUTCOME_LEAF_SIZE,
							TL_OUTCOME_LEAF_SIZE);
	fixture_root(&certificate.outcome_root, leaves, FIXTURE_LEAVES);
	tl_writer_init(&writer, payload, sizeof(payload));
	fixture_must(tl_consensus_certificate_payload(&writer, &certificate));
	payload_size = writer.size;
	writer = fixture_writer();
	for (unsigned i = 0; i < TL_MEMBER_COUNT_MAX && options->outcome_signers >> i != 0; i++)
	{
		TlLogRow	row = {.member = i + 1,.sequence = 1,.kind = TL_LOG_STATE,
			.epoch = certificate.epoch,.view = certificate.view,
		.payload = {payload, payload_size}};
		TlVote		vote;

		if ((options->outcome_signers >> i & 1) == 0)
			continue;
		fixture_must(tl_consensus_row_sign(&row, &fixture.chain_id, fixture.secrets[i], NULL));
		tl_consensus_certificate_row_vote(&vote, &row);
		tl_consensus_certificate_put_vote(&writer, &vote);
		certificate.vote_count++;
	}
	certificate.votes = fixture_take(&writer);
	writer = fixture_writer();
	fixture_must(tl_consensus_certificate_encode(&writer, &certificate));
	outcome->certificate = fixture_take(&writer);
	outcome->block = fixture_block_bytes(height);
	outcome->path.size = 0;
	if (height < options->head)
		outcome->path = fixture_path(height, fixture.hashes, options->head);
}

/* The change that block 3 has made, as a receipt holds it. */
static TlSpan
fixture_changes(const FixtureOptions *options)
{
	TlEpochCertificate epoch = {.founding = fixture_block_bytes(3),
	.entry_count = (uint16_t) fixture.entry_count};
	uint8_t		entries[4 * TL_BLOCK_ENTRY_SIZE];
	uint8_t		bytes[4096];
	TlWriter	writer;
	TlWriter	list;

	tl_writer_init(&list, entries, sizeof(entries));
	fixture_must(tl_chain_entries_encode(&list, fixture.entries, fixture.entry_count));
	epoch.entries = (TlSpan) {entries, list.size};
	epoch.certificate = fixture_certificate(TL_LOG_FINALIZE, 3, options->change_signers);
	tl_writer_init(&list, bytes, sizeof(bytes));
	fixture_must(tl_consensus_epoch_encode(&list, &epoch));
	writer = fixture_writer();
	tl_put_u32(&writer, (uint32_t) list.size);
	tl_put_bytes(&writer, bytes, list.size);
	for (unsigned i = 0; i < 3; i++)
	{
		tl_put_u32(&writer, (uint32_t) fixture.approvals[i].size);
		tl_put_bytes(&writer, fixture.approvals[i].data, fixture.approvals[i].size);
	}
	return fixture_take(&writer);
}

static FixtureOptions
fixture_defaults(void)
{
	FixtureOptions options = {.members = 1,.signers = 1,.quorum_of_three = 3,
		.rows = 5,.row = 3,.head = 6,.is_private = true,
	.body_sizes = {33},.names = {"id", "note", "amount"},.numbers = {1, 2, 3},.definer = 1};

	return options;
}

/* Recompute what the receipt shows. */
static void
fixture_show(void)
{
	TlWriter	writer = fixture_writer();

	fixture_must(tl_proof_show(&fixture.receipt, fixture.columns, &writer));
	(void) fixture_take(&writer);
}

static void
fixture_build(const FixtureOptions *options)
{
	static const TlHash zeros;
	static const uint8_t table_id[TL_TABLE_ID_SIZE] = {9, 9, 9};
	TlSpan		rows[FIXTURE_ROWS_MAX];
	TlReceipt  *receipt = &fixture.receipt;
	TlSpan		definition;
	TlHash		digests[2];

	memset(&fixture, 0, sizeof(fixture));
	fixture.checkpoint_named = options->outcome_after;
	fixture_genesis(options);
	definition = fixture_definition(options, table_id);
	for (unsigned i = 0; i < options->rows; i++)
		rows[i] = fixture_row(table_id, i);
	fixture_batch(&receipt->definition, options, &definition, 1, 0, options->is_private, 1,
				  &zeros, &digests[0]);
	fixture_batch(&receipt->row, options, rows, options->rows, options->row,
				  options->is_private, 2, &digests[0], &digests[1]);
	if (options->changes)
		fixture_decide(options);
	for (unsigned height = 1; height <= options->head; height++)
		fixture_block(height, height <= 2 ? &digests[height - 1] : NULL);
	receipt->definition.block = fixture_block_bytes(1);
	receipt->row.block = fixture_block_bytes(2);
	receipt->definition.block_path = fixture_path(1, fixture.hashes, options->head);
	if (options->head > 2)
		receipt->row.block_path = fixture_path(2, fixture.hashes, options->head);
	receipt->has_definition = true;
	if (options->of_definition)
	{
		receipt->row = receipt->definition;
		memset(&receipt->definition, 0, sizeof(receipt->definition));
		receipt->has_definition = false;
	}
	receipt->head = fixture_block_bytes(options->head);
	receipt->certificate = fixture_certificate(TL_LOG_FINALIZE, options->head,
											   options->signers);
	if (options->outcome > 0)
		fixture_outcome(options, receipt);
	fixture_show();
	if (options->changes)
		receipt->epochs = fixture_changes(options);
	fixture.checkpoint.chain_id = fixture.chain_id;
	fixture.checkpoint.size = options->head;
	fixture.checkpoint.root = fixture.headers[options->head].history_root;
}

#endif							/* RECEIPT_FIXTURE_H */
