/*-------------------------------------------------------------------------
 *
 * proof_step.c
 *	  The steps from a row's bytes up to the members' signatures.
 *
 * proof_check.c takes them for one row with its paths, proof_bundle.c for many
 * rows that share what is above them.
 *
 * Pure code: no PostgreSQL, no allocation.
 *
 *-------------------------------------------------------------------------
 */
#include "proof_step.h"

#include "chain_restart.h"
#include "consensus_certificate.h"
#include "merkle_hash.h"
#include "merkle_proof.h"
#include "merkle_range.h"
#include "proof_text.h"

#include <string.h>

static const char *check_restart(TlProofChain *chain, TlSpan header, TlSpan body,
								 const TlReceiptRestart *restart);
static const char *check_certificate(const TlProofChain *chain,
									 TlSpan certificate);
static const char *check_consistency(const TlProofChain *chain,
									 const TlCheckpoint *checkpoint,
									 const TlConsistency *consistency);
static bool batch_is_listed(TlHash *root, const TlHash *digest, TlSpan digests);
static uint32_t find_column(const TlReceiptColumn *columns, uint32_t count,
							uint32_t start, TlSpan name);
static bool shows_string(TlSpan shown, TlSpan value);
static bool same_hash(const TlHash *left, const TlHash *right);

const char *
tl_proof_step_genesis(TlProofChain *chain, TlSpan chain_id, TlSpan purpose,
					  TlSpan header, TlSpan body,
					  const TlReceiptRestart *restart)
{
	const char *problem;
	const char *wanted;

	if (chain_id.size != TL_HASH_SIZE)
		return "the chain id does not have 32 bytes";
	memcpy(chain->chain_id.bytes, chain_id.data, TL_HASH_SIZE);
	chain->restarted = restart->present;
	if (restart->present)
	{
		problem = check_restart(chain, header, body, restart);
		if (problem != NULL)
			return problem;
	}
	else if (tl_chain_genesis_check(&chain->genesis, &chain->chain_id, header.data,
									header.size, body.data, body.size) != TL_OK)
		return "the genesis block is not that of the chain id";
	wanted = chain->genesis.purpose == TL_PURPOSE_TEST ? "test" : "production";
	if (purpose.size != strlen(wanted) ||
		memcmp(purpose.data, wanted, purpose.size) != 0)
		return "the purpose shown is not that of the genesis block";
	return NULL;
}

/*
 * The genesis block holds what was signed when the old ledger was ended, and so
 * does the chain id (X5).  Who signed it is no part of either.
 */
static const char *
check_restart(TlProofChain *chain, TlSpan header, TlSpan body,
			  const TlReceiptRestart *restart)
{
	TlRestart	statement = {.last = restart->last, .genesis = body,
	.reason = restart->reason};
	TlBlockHeader genesis;
	TlBlockHeader last;
	TlHash		named;

	if (restart->chain.size != TL_HASH_SIZE)
		return "the chain id of the ledger that ended does not have 32 bytes";
	memcpy(statement.chain_id.bytes, restart->chain.data, TL_HASH_SIZE);
	if (tl_chain_block_decode(&last, restart->last.data,
							  restart->last.size) != TL_OK)
		return "the last block of the ledger that ended is not a block header";
	tl_chain_block_chain_id(&named, &last);
	if (!same_hash(&named, &statement.chain_id))
		return "the last block is not one of the ledger that ended";
	if (tl_chain_block_decode(&genesis, header.data, header.size) != TL_OK)
		return "the genesis block is not that of the chain id";
	statement.founder = genesis.proposer;
	statement.time = genesis.time;
	if (tl_chain_restart_check(&chain->genesis, &chain->chain_id, header.data,
							   header.size, &statement, 0) != TL_OK)
		return "the genesis block is not the one that this restart demands";
	chain->chain_before = statement.chain_id;
	chain->height_before = last.height;
	return NULL;
}

/*
 * The head is a block of the chain with a certificate of its members, who follow
 * from those in genesis.
 */
const char *
tl_proof_step_head(TlProofChain *chain, TlSpan header, TlSpan certificate,
				   TlSpan epochs)
{
	TlBlockHeader *head = &chain->head;
	TlProofMembers *members = &chain->members;
	const char *problem;
	TlHash		members_hash;

	if (tl_chain_block_decode(head, header.data, header.size) != TL_OK)
		return "the head is not a block header";
	if (head->height == 0 || !same_hash(&head->chain_id, &chain->chain_id))
		return "the head is not a block of this chain";
	chain->epochs = epochs;
	tl_proof_epoch_begin(members, &chain->genesis);
	problem = tl_proof_epoch_follow(members, &chain->chain_id, epochs);
	if (problem != NULL)
		return problem;
	if (tl_chain_members_hash(&members_hash, members->set.members,
							  members->set.member_count) != TL_OK ||
		!same_hash(&head->members_hash, &members_hash))
		return epochs.size == 0 ?
			"the head's members are not those of the genesis block" :
			"the head's members are not those that the changes lead to";
	if (head->epoch != members->epoch || head->height <= members->height)
		return "the head is of another epoch than its members";
	tl_chain_block_hash(&chain->head_hash, head);
	return check_certificate(chain, certificate);
}

static const char *
check_certificate(const TlProofChain *chain, TlSpan certificate)
{
	TlCertificate read;

	if (tl_consensus_certificate_decode(&read, certificate.data,
										certificate.size) != TL_OK)
		return "the certificate is not one";
	if (read.kind != TL_LOG_FINALIZE || read.epoch != chain->head.epoch ||
		read.view != chain->head.view ||
		!same_hash(&read.block, &chain->head_hash))
		return "the certificate is not one of the head's finality";
	if (!tl_proof_step_is_signed(&chain->members.set, &chain->chain_id, &read))
		return "the head is not signed by a quorum of the members";
	return NULL;
}

bool
tl_proof_step_is_signed(const TlGenesis *set, const TlHash *chain_id,
						const TlCertificate *certificate)
{
	TlValidator validators[TL_MEMBER_COUNT_MAX];
	unsigned	count = 0;

	for (int i = 0; i < set->member_count; i++)
	{
		if (set->members[i].kind != TL_MEMBER_VALIDATOR)
			continue;
		validators[count].member = set->members[i].number;
		memcpy(validators[count].row_key, set->members[i].row_key,
			   TL_XONLY_KEY_SIZE);
		count++;
	}
	return tl_consensus_certificate_verify(certificate, chain_id, validators, count,
										   set->quorum_of_three);
}

const char *
tl_proof_step_row(TlRowHeader *out, TlHash *leaf, TlSpan bytes)
{
	TlRowDecoder decoder;

	if (tl_table_row_check(bytes.data, bytes.size) != TL_OK ||
		tl_table_row_open(&decoder, out, bytes.data, bytes.size) != TL_OK)
		return "the row's bytes are not a row";
	tl_merkle_leaf_hash(leaf, bytes.data, bytes.size);
	return NULL;
}

const char *
tl_proof_step_section(TlSectionLeaf *out, TlHash *leaf, TlSpan bytes,
					  TlSpan random)
{
	if (tl_chain_section_decode(out, bytes.data, bytes.size) != TL_OK)
		return "the section leaf is not one";
	if (random.size != 0 && random.size != TL_SECTION_RANDOM_SIZE)
		return "the section's random value does not have 16 bytes";
	if (tl_chain_section_leaf_hash(leaf, out,
								   random.size == 0 ? NULL : random.data) != TL_OK)
		return "a private section needs its random value and no other has one";
	return NULL;
}

const char *
tl_proof_step_batch(TlBatchHeader *out, TlHash *digest,
					const TlProofChain *chain, TlSpan bytes)
{
	if (tl_chain_batch_decode(out, bytes.data, bytes.size) != TL_OK)
		return "the batch header is not one";
	if (!same_hash(&out->chain_id, &chain->chain_id))
		return "the batch is of another chain";
	tl_chain_batch_digest(digest, bytes.data, bytes.size);
	return NULL;
}

const char *
tl_proof_step_block(TlBlockHeader *out, TlHash *hash,
					const TlProofChain *chain, TlSpan bytes)
{
	if (tl_chain_block_decode(out, bytes.data, bytes.size) != TL_OK)
		return "the block header is not one";
	if (out->height == 0 || !same_hash(&out->chain_id, &chain->chain_id))
		return "the block is not one of this chain";
	tl_chain_block_hash(hash, out);
	if (out->height == chain->head.height &&
		!same_hash(hash, &chain->head_hash))
		return "the block is not the head, whose height it has";
	return NULL;
}

const char *
tl_proof_step_row_section(const TlRowHeader *row, const TlSectionLeaf *section)
{
	if (memcmp(section->table_id, row->table_id, TL_TABLE_ID_SIZE) != 0 ||
		section->table_version != row->table_version)
		return "the row is of another table or version than its section";
	return NULL;
}

const char *
tl_proof_step_row_batch(const TlRowHeader *row, const TlBatchHeader *batch)
{
	if (batch->member != row->ref.member ||
		batch->incarnation < row->ref.incarnation)
		return "the batch is another member's than the row";
	return NULL;
}

/*
 * Chunks stand in order of section (chain_batch.c), so that the first one is found
 * by halves; 33 bytes are reached after 33 of them at most.
 */
const char *
tl_proof_step_body(const TlSectionLeaf *section, uint64_t index, const TlBatchHeader *batch)
{
	TlBatchChunk chunk;
	uint32_t	first = 0;
	uint32_t	end = batch->chunk_count;
	uint64_t	size = 0;

	if (section->kind != TL_SECTION_PUBLIC)
		return NULL;
	while (first < end)
	{
		uint32_t	middle = first + (end - first) / 2;

		if (tl_chain_batch_get_chunk(&chunk, batch, middle) != TL_OK)
			return "the batch header is not one";
		if (chunk.section < index)
			first = middle + 1;
		else
			end = middle;
	}
	for (; size <= TL_HASH_SIZE && first < batch->chunk_count; first++)
	{
		if (tl_chain_batch_get_chunk(&chunk, batch, first) != TL_OK)
			return "the batch header is not one";
		if (chunk.section != index)
			break;
		size += chunk.size;
	}
	return size > TL_HASH_SIZE ? NULL :
		"the batch does not name the bytes of the row's section, so nobody has seen them";
}

const char *
tl_proof_step_row_definition(const TlRowHeader *row,
							 const TlDefinition *definition)
{
	if (memcmp(definition->table_id, row->table_id, TL_TABLE_ID_SIZE) != 0 ||
		definition->version != row->table_version)
		return "the definition is of another table or version than the row";
	return NULL;
}

const char *
tl_proof_step_definer(TlSpan *definer, const TlProofChain *chain, uint32_t member,
					  const TlRowHeader *row, uint8_t section_kind)
{
	const TlMember *found;

	definer->size = 0;
	if (member == row->ref.member)
		return NULL;
	found = tl_proof_epoch_find(&chain->members, member);
	if (section_kind != TL_SECTION_PUBLIC || found == NULL)
		return "the definition is another member's than the row";
	*definer = found->name;
	return NULL;
}

const char *
tl_proof_step_digests(const TlBlockHeader *block, const TlHash *digest,
					  TlSpan digests)
{
	TlHash		root;

	if (!batch_is_listed(&root, digest, digests) ||
		!same_hash(&root, &block->batch_root))
		return "the batch is not one of the block's";
	return NULL;
}

const char *
tl_proof_step_member(const TlProofChain *chain, uint32_t number, TlSpan shown)
{
	const TlMember *member;

	member = tl_proof_epoch_find(&chain->members, number);
	if (member == NULL)
		return "the row's member is not one of the ledger";
	if (!shows_string(shown, member->name))
		return "the member shown is not the row's";
	return NULL;
}

const char *
tl_proof_step_table(const TlDefinition *definition, TlSpan schema, TlSpan table)
{
	if (!shows_string(schema, definition->schema) ||
		!shows_string(table, definition->table))
		return "the table shown is not the row's";
	return NULL;
}

const char *
tl_proof_step_ref(const TlRef *ref, TlSpan shown)
{
	TlTextSink	sink;

	tl_proof_text_against(&sink, shown);
	tl_proof_text_ref(&sink, ref);
	return tl_proof_text_equal(&sink) ? NULL : "the ref shown is not the row's";
}

const char *
tl_proof_step_height(const TlBlockHeader *block, uint64_t height, TlSpan time)
{
	TlTextSink	sink;

	if (height != block->height)
		return "the height shown is not the block's";
	tl_proof_text_against(&sink, time);
	tl_proof_text_block_time(&sink, block->time);
	return tl_proof_text_equal(&sink) ? NULL : "the time shown is not the block's";
}

/*
 * Each column of the definition is shown with the value in the row, and no
 * other: as many are shown as there are, and no shown one counts twice.
 */
const char *
tl_proof_step_columns(const TlDefinition *definition, TlSpan bytes,
					  const TlReceiptColumn *columns, uint32_t column_count)
{
	TlDefinitionReader reader;
	TlDefinitionColumn column;
	TlRowDecoder decoder;
	TlRowHeader header;
	TlRowColumn value = {0};
	TlTextSink	sink;
	bool		used[TL_COLUMN_COUNT_MAX] = {false};
	uint32_t	matched = 0;
	uint32_t	next = 0;

	if (column_count > TL_COLUMN_COUNT_MAX)
		return "more columns are shown than a table can have";
	if (tl_table_row_open(&decoder, &header, bytes.data, bytes.size) != TL_OK)
		return "the row's bytes are not a row";
	tl_proof_definition_open(&reader, definition);
	while (tl_proof_definition_next(&reader, &column))
	{
		uint32_t	at = find_column(columns, column_count, next, column.name);
		const TlReceiptColumn *shown;

		if (at == column_count)
			return "a column of the definition is not shown";
		shown = &columns[at];
		next = at + 1;
		if (used[at])
			return "a column is shown that the definition does not name";
		used[at] = true;
		if (value.attribute_number < column.attribute_number &&
			decoder.columns_left > 0 &&
			tl_table_row_next(&decoder, &value) != TL_OK)
			return "the row's bytes are not a row";
		if (value.attribute_number != column.attribute_number)
		{
			if (!shown->is_null)
				return "a column that is null in the row is shown with a value";
			continue;
		}
		matched++;
		if (value.type_tag != column.type_tag)
			return "a column has another type than in the definition";
		tl_proof_text_against(&sink, shown->text);
		tl_proof_text_column(&sink, &value);
		if (shown->is_null || !tl_proof_text_equal(&sink))
			return "a column's value shown is not the one in the row";
	}
	if (matched != header.column_count)
		return "the row has a column that its definition does not name";
	if (column_count != definition->column_count)
		return "more columns are shown than the definition has";
	return NULL;
}

/*
 * A head of the checkpoint's size must have its root.  One of another size is
 * compared through a consistency proof: the smaller tree is the beginning of
 * the larger.
 */
const char *
tl_proof_step_trust(TlTrust *out, const TlProofChain *chain,
					const TlCheckpoint *checkpoint,
					const TlConsistency *consistency, uint64_t height_max)
{
	const char *problem;

	*out = TL_TRUST_CHECKPOINT;
	if (!same_hash(&checkpoint->chain_id, &chain->chain_id))
		return "the checkpoint is of another chain";
	if (consistency != NULL)
	{
		problem = check_consistency(chain, checkpoint, consistency);
		if (problem != NULL)
			return problem;
	}
	else if (checkpoint->size != chain->head.height)
		return "the receipt's head is not at the checkpoint's size";
	else if (!same_hash(&checkpoint->root, &chain->head.history_root))
		return "the checkpoint has another root: the chain was forked";
	if (height_max < checkpoint->size && height_max < chain->head.height)
		return NULL;
	if (checkpoint->size < chain->head.height)
	{
		*out = TL_TRUST_CONTINUED;
		return NULL;
	}
	return checkpoint->size == chain->head.height ?
		"the row's block is newer than the checkpoint" :
		"the row's block is the receipt's head, which the consistency proof does not cover";
}

static const char *
check_consistency(const TlProofChain *chain, const TlCheckpoint *checkpoint,
				  const TlConsistency *consistency)
{
	bool		is_older = checkpoint->size <= chain->head.height;
	uint64_t	old_size = is_older ? checkpoint->size : chain->head.height;
	uint64_t	new_size = is_older ? chain->head.height : checkpoint->size;
	const TlHash *old_root = is_older ? &checkpoint->root : &chain->head.history_root;
	const TlHash *new_root = is_older ? &chain->head.history_root : &checkpoint->root;
	TlHash		hashes[TL_MERKLE_PATH_MAX];
	size_t		count = consistency->hashes.size / TL_HASH_SIZE;

	if ((consistency->old_size != 0 && consistency->old_size != old_size) ||
		(consistency->new_size != 0 && consistency->new_size != new_size))
		return "the consistency proof is between tree heads of other sizes";
	if (consistency->hashes.size % TL_HASH_SIZE != 0 || count > TL_MERKLE_PATH_MAX)
		return "the consistency proof is too long";
	if (count > 0)
		memcpy(hashes, consistency->hashes.data, consistency->hashes.size);
	if (!tl_merkle_consistency_verify(old_size, new_size, hashes,
									  (unsigned) count, old_root, new_root))
		return "the consistency proof does not lead from the one tree head to the other: the chain was forked, or the proof is another's";
	return NULL;
}


/* Is the digest in the list, and what is the root over the list? */
static bool
batch_is_listed(TlHash *root, const TlHash *digest, TlSpan digests)
{
	TlMerkleRange range;
	bool		found = false;

	if (digests.size % TL_HASH_SIZE != 0 ||
		digests.size / TL_HASH_SIZE > TL_BLOCK_BATCHES_MAX)
		return false;
	tl_merkle_range_init(&range);
	for (size_t offset = 0; offset < digests.size; offset += TL_HASH_SIZE)
	{
		TlHash		hash;

		memcpy(hash.bytes, digests.data + offset, TL_HASH_SIZE);
		if (memcmp(&hash, digest, sizeof(hash)) == 0)
			found = true;
		if (tl_merkle_range_append(&range, &hash) != TL_OK)
			return false;
	}
	tl_merkle_range_root(&range, root);
	return found;
}

/* column_count if none; asked in the order of the receipt it looks once. */
static uint32_t
find_column(const TlReceiptColumn *columns, uint32_t count, uint32_t start,
			TlSpan name)
{
	for (uint32_t i = 0; i < count; i++)
	{
		uint32_t	at = (start + i) % count;

		if (shows_string(columns[at].name, name))
			return at;
	}
	return count;
}

static bool
shows_string(TlSpan shown, TlSpan value)
{
	TlTextSink	sink;

	tl_proof_text_against(&sink, shown);
	tl_proof_text_string(&sink, value);
	return tl_proof_text_equal(&sink);
}

static bool
same_hash(const TlHash *left, const TlHash *right)
{
	return memcmp(left, right, sizeof(TlHash)) == 0;
}
