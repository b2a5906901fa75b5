/*-------------------------------------------------------------------------
 *
 * proof_check.c
 *	  The verdict on a receipt, from its own bytes.
 *
 * The way up, each step a hash of the one before:
 *
 *		row bytes			leaf of the section's root
 *		section leaf		leaf of the batch's root (private: committed)
 *		batch header		leaf of the block's batch root
 *		block header		leaf of the head's history root, or the head itself
 *		head				signed by a quorum of the members
 *		members				in the genesis body, bound by the genesis header
 *		genesis header		its hash is the chain id
 *
 * The row's definition goes the same way, so that nobody can give the columns
 * other names later.
 *
 * Invariants
 *	  P1  nothing in a receipt is outside a hash or a signature: what people
 *		  read is recomputed from what is proved and compared byte for byte
 *	  P2  sizes of trees come from bytes that are bound themselves: the row
 *		  count from the section, the section count from the batch, the history
 *		  from the head; the digests of a block's batches are all there
 *	  P3  a receipt proves who ordered what, not that he told the truth
 *
 * Pure code: no PostgreSQL, no allocation.
 * Used by ledger.verify_receipt() and by contrib/verifier.
 *
 *-------------------------------------------------------------------------
 */
#include "proof_check.h"

#include "chain_batch.h"
#include "chain_genesis.h"
#include "chain_section.h"
#include "consensus_certificate.h"
#include "merkle_hash.h"
#include "merkle_proof.h"
#include "merkle_range.h"
#include "proof_definition.h"
#include "proof_text.h"
#include "table_row.h"

#include <string.h>

/* What the steps learn and later steps compare. */
typedef struct Checker
{
	const TlReceipt *receipt;
	TlVerdict  *verdict;
	TlHash		chain_id;
	TlGenesis	genesis;
	TlBlockHeader head;
	TlHash		head_hash;
	TlDefinition definition;
} Checker;

/* What a proved row says about itself. */
typedef struct ProvedRow
{
	TlRowHeader header;
	TlBlockHeader block;
} ProvedRow;

static const char *check_all(Checker *checker, const TlCheckpoint *checkpoint);
static const char *check_genesis(Checker *checker);
static const char *check_head(Checker *checker);
static const char *check_row(Checker *checker, ProvedRow *out,
							 const TlReceiptRow *row);
static const char *check_section(TlHash *leaf, const TlReceiptRow *row,
								 const TlRowHeader *header);
static const char *check_batch(Checker *checker, TlHash *digest,
							   const TlReceiptRow *row, const TlHash *leaf,
							   const TlRef *ref);
static const char *check_block(Checker *checker, TlBlockHeader *out,
							   const TlReceiptRow *row, const TlHash *digest);
static const char *check_definition(Checker *checker, const ProvedRow *row,
									uint64_t *height);
static const char *check_shown(Checker *checker, const ProvedRow *row);
static const char *check_columns(Checker *checker);
static const char *check_names(Checker *checker);
static const char *check_checkpoint(Checker *checker,
									const TlCheckpoint *checkpoint,
									uint64_t height_max);
static bool verify_path(const TlHash *leaf, uint64_t index, uint64_t size,
						TlSpan path, const TlHash *root);
static bool batch_is_listed(TlHash *root, const TlHash *digest, TlSpan digests);
static const TlReceiptColumn *find_column(const TlReceipt *receipt, TlSpan name);
static bool shows_string(TlSpan shown, TlSpan value);
static bool same_bytes(TlSpan left, const void *right, size_t size);

void
tl_proof_check(TlVerdict *out, const TlReceipt *receipt,
			   const TlCheckpoint *checkpoint)
{
	Checker		checker;
	const char *problem;

	memset(out, 0, sizeof(*out));
	memset(&checker, 0, sizeof(checker));
	checker.receipt = receipt;
	checker.verdict = out;
	problem = check_all(&checker, checkpoint);
	out->valid = (problem == NULL);
	if (problem != NULL)
		out->reason = problem;
	else if (checkpoint != NULL)
		out->reason = "a quorum ordered this row, under the checkpoint's root";
	else
		out->reason = "a quorum of the members in genesis ordered this row";
}

/* NULL, or the sentence that says what is wrong. */
static const char *
check_all(Checker *checker, const TlCheckpoint *checkpoint)
{
	ProvedRow	row;
	uint64_t	height_max;
	const char *problem;

	problem = check_genesis(checker);
	if (problem == NULL)
		problem = check_head(checker);
	if (problem == NULL)
		problem = check_row(checker, &row, &checker->receipt->row);
	if (problem == NULL)
		problem = check_definition(checker, &row, &height_max);
	if (problem == NULL)
		problem = check_shown(checker, &row);
	if (problem == NULL)
		problem = check_columns(checker);
	if (problem == NULL)
		problem = check_names(checker);
	if (problem == NULL && checkpoint != NULL)
	{
		if (row.block.height > height_max)
			height_max = row.block.height;
		problem = check_checkpoint(checker, checkpoint, height_max);
	}
	return problem;
}

static const char *
check_genesis(Checker *checker)
{
	const TlReceipt *receipt = checker->receipt;
	const char *purpose;

	if (receipt->chain.size != TL_HASH_SIZE)
		return "the chain id does not have 32 bytes";
	memcpy(checker->chain_id.bytes, receipt->chain.data, TL_HASH_SIZE);
	if (tl_chain_genesis_check(&checker->genesis, &checker->chain_id,
							   receipt->genesis_header.data,
							   receipt->genesis_header.size,
							   receipt->genesis_body.data,
							   receipt->genesis_body.size) != TL_OK)
		return "the genesis block is not that of the chain id";
	checker->verdict->chain_id = checker->chain_id;
	checker->verdict->test = (checker->genesis.purpose == TL_PURPOSE_TEST);
	purpose = checker->verdict->test ? "test" : "production";
	if (!same_bytes(receipt->purpose, purpose, strlen(purpose)))
		return "the purpose shown is not that of the genesis block";
	return NULL;
}

/* The head is a block of the chain with a certificate of its members. */
static const char *
check_head(Checker *checker)
{
	const TlReceipt *receipt = checker->receipt;
	const TlGenesis *genesis = &checker->genesis;
	TlBlockHeader *head = &checker->head;
	TlValidator validators[TL_MEMBER_COUNT_MAX];
	unsigned	validator_count = 0;
	TlCertificate certificate;
	TlHash		members_hash;

	if (tl_chain_block_decode(head, receipt->head.data,
							  receipt->head.size) != TL_OK)
		return "the head is not a block header";
	if (head->height == 0 ||
		memcmp(&head->chain_id, &checker->chain_id, sizeof(TlHash)) != 0)
		return "the head is not a block of this chain";
	if (tl_chain_members_hash(&members_hash, genesis->members,
							  genesis->member_count) != TL_OK ||
		memcmp(&head->members_hash, &members_hash, sizeof(TlHash)) != 0)
		return "the head's members are not those of the genesis block";
	tl_chain_block_hash(&checker->head_hash, head);

	if (tl_consensus_certificate_decode(&certificate,
										receipt->certificate.data,
										receipt->certificate.size) != TL_OK)
		return "the certificate is not one";
	if (certificate.kind != TL_LOG_FINALIZE ||
		certificate.epoch != head->epoch || certificate.view != head->view ||
		memcmp(&certificate.block, &checker->head_hash, sizeof(TlHash)) != 0)
		return "the certificate is not one of the head's finality";
	for (int i = 0; i < genesis->member_count; i++)
	{
		if (genesis->members[i].kind != TL_MEMBER_VALIDATOR)
			continue;
		validators[validator_count].member = genesis->members[i].number;
		memcpy(validators[validator_count].row_key,
			   genesis->members[i].row_key, TL_XONLY_KEY_SIZE);
		validator_count++;
	}
	if (!tl_consensus_certificate_verify(&certificate, &checker->chain_id,
										 validators, validator_count,
										 genesis->quorum_of_three))
		return "the head is not signed by a quorum of the members";
	checker->verdict->head_height = head->height;
	return NULL;
}

/* One row, from its bytes up to the head. */
static const char *
check_row(Checker *checker, ProvedRow *out, const TlReceiptRow *row)
{
	TlRowDecoder decoder;
	TlHash		leaf;
	TlHash		digest;
	const char *problem;

	if (tl_table_row_check(row->bytes.data, row->bytes.size) != TL_OK ||
		tl_table_row_open(&decoder, &out->header, row->bytes.data,
						  row->bytes.size) != TL_OK)
		return "the row's bytes are not a row";
	problem = check_section(&leaf, row, &out->header);
	if (problem == NULL)
		problem = check_batch(checker, &digest, row, &leaf, &out->header.ref);
	if (problem == NULL)
		problem = check_block(checker, &out->block, row, &digest);
	return problem;
}

static const char *
check_section(TlHash *leaf, const TlReceiptRow *row, const TlRowHeader *header)
{
	const uint8_t *random = NULL;
	TlSectionLeaf section;
	TlHash		row_hash;

	if (tl_chain_section_decode(&section, row->section.data,
								row->section.size) != TL_OK)
		return "the section leaf is not one";
	if (memcmp(section.table_id, header->table_id, TL_TABLE_ID_SIZE) != 0 ||
		section.table_version != header->table_version)
		return "the row is of another table or version than its section";
	tl_merkle_leaf_hash(&row_hash, row->bytes.data, row->bytes.size);
	if (!verify_path(&row_hash, row->index, section.row_count, row->path,
					 &section.root))
		return "the row's path does not lead to its section";
	if (row->section_random.size == TL_SECTION_RANDOM_SIZE)
		random = row->section_random.data;
	else if (row->section_random.size != 0)
		return "the section's random value does not have 16 bytes";
	if (tl_chain_section_leaf_hash(leaf, &section, random) != TL_OK)
		return "a private section needs its random value and no other has one";
	return NULL;
}

static const char *
check_batch(Checker *checker, TlHash *digest, const TlReceiptRow *row,
			const TlHash *leaf, const TlRef *ref)
{
	TlBatchHeader batch;

	if (tl_chain_batch_decode(&batch, row->batch.data,
							  row->batch.size) != TL_OK)
		return "the batch header is not one";
	if (memcmp(&batch.chain_id, &checker->chain_id, sizeof(TlHash)) != 0)
		return "the batch is of another chain";
	if (batch.member != ref->member || batch.incarnation < ref->incarnation)
		return "the batch is another member's than the row";
	if (!verify_path(leaf, row->section_index, batch.section_count,
					 row->section_path, &batch.root))
		return "the section's path does not lead to its batch";
	tl_chain_batch_digest(digest, row->batch.data, row->batch.size);
	return NULL;
}

static const char *
check_block(Checker *checker, TlBlockHeader *out, const TlReceiptRow *row,
			const TlHash *digest)
{
	const TlBlockHeader *head = &checker->head;
	TlHash		root;
	TlHash		hash;

	if (tl_chain_block_decode(out, row->block.data, row->block.size) != TL_OK)
		return "the block header is not one";
	if (out->height == 0 ||
		memcmp(&out->chain_id, &checker->chain_id, sizeof(TlHash)) != 0)
		return "the block is not one of this chain";
	if (!batch_is_listed(&root, digest, row->batch_digests) ||
		memcmp(&root, &out->batch_root, sizeof(TlHash)) != 0)
		return "the batch is not one of the block's";
	tl_chain_block_hash(&hash, out);
	if (out->height == head->height)
	{
		if (row->block_path.size != 0 ||
			memcmp(&hash, &checker->head_hash, sizeof(TlHash)) != 0)
			return "the block is not the head, whose height it has";
		return NULL;
	}
	if (!verify_path(&hash, out->height, head->height, row->block_path,
					 &head->history_root))
		return "the block's path does not lead to the head";
	return NULL;
}

/*
 * Find the definition of the row's table: in a proved row of the same member,
 * or, for definitions themselves, fixed.  *height is that of its block.
 */
static const char *
check_definition(Checker *checker, const ProvedRow *row, uint64_t *height)
{
	const TlReceiptRow *definition_row = &checker->receipt->definition;
	TlDefinition *definition = &checker->definition;
	ProvedRow	proved;
	const char *problem;
	uint8_t		table_id[TL_TABLE_ID_SIZE];
	bool		is_fixed;

	*height = 0;
	tl_proof_definition_table_id(table_id);
	is_fixed = (memcmp(row->header.table_id, table_id, TL_TABLE_ID_SIZE) == 0);
	if (is_fixed == checker->receipt->has_definition)
		return "a definition is missing, or is there where none can be";
	if (is_fixed)
		tl_proof_definition_fixed(definition);
	else
	{
		problem = check_row(checker, &proved, definition_row);
		if (problem != NULL)
			return problem;
		if (tl_proof_definition_decode(definition, definition_row->bytes.data,
									   definition_row->bytes.size) != TL_OK)
			return "the definition is not a row of ledger.table_version";
		if (proved.header.ref.member != row->header.ref.member)
			return "the definition is another member's than the row";
		*height = proved.block.height;
	}
	if (memcmp(definition->table_id, row->header.table_id,
			   TL_TABLE_ID_SIZE) != 0 ||
		definition->version != row->header.table_version)
		return "the definition is of another table or version than the row";
	return NULL;
}

/* What stands above the row for people to read. */
static const char *
check_shown(Checker *checker, const ProvedRow *row)
{
	const TlReceipt *receipt = checker->receipt;
	const TlGenesis *genesis = &checker->genesis;
	const TlMember *member;
	TlTextSink	sink;

	member = tl_chain_member_find(genesis->members, genesis->member_count,
								  row->header.ref.member);
	if (member == NULL)
		return "the row's member is not one of the ledger";
	if (!shows_string(receipt->member, member->name))
		return "the member shown is not the row's";
	if (!shows_string(receipt->schema, checker->definition.schema) ||
		!shows_string(receipt->table, checker->definition.table))
		return "the table shown is not the row's";
	tl_proof_text_against(&sink, receipt->ref);
	tl_proof_text_ref(&sink, &row->header.ref);
	if (!tl_proof_text_equal(&sink))
		return "the ref shown is not the row's";
	if (receipt->height != row->block.height)
		return "the height shown is not the block's";
	tl_proof_text_against(&sink, receipt->time);
	tl_proof_text_block_time(&sink, row->block.time);
	if (!tl_proof_text_equal(&sink))
		return "the time shown is not the block's";
	checker->verdict->member = receipt->member;
	checker->verdict->ref = row->header.ref;
	checker->verdict->height = row->block.height;
	return NULL;
}

/* Each column of the definition is shown, with the value in the row. */
static const char *
check_columns(Checker *checker)
{
	const TlReceipt *receipt = checker->receipt;
	TlDefinitionReader reader;
	TlDefinitionColumn column;
	TlRowDecoder decoder;
	TlRowHeader header;
	TlRowColumn value = {0};
	TlTextSink	sink;
	uint32_t	matched = 0;

	if (tl_table_row_open(&decoder, &header, receipt->row.bytes.data,
						  receipt->row.bytes.size) != TL_OK)
		return "the row's bytes are not a row";
	tl_proof_definition_open(&reader, &checker->definition);
	while (tl_proof_definition_next(&reader, &column))
	{
		const TlReceiptColumn *shown = find_column(receipt, column.name);

		if (shown == NULL)
			return "a column of the definition is not shown";
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
	return NULL;
}

/* Nothing is shown that the definition does not name. */
static const char *
check_names(Checker *checker)
{
	const TlReceipt *receipt = checker->receipt;

	if (receipt->column_count != checker->definition.column_count)
		return "more columns are shown than the definition has";
	for (uint32_t i = 0; i < receipt->column_count; i++)
	{
		TlDefinitionReader reader;
		TlDefinitionColumn column;
		bool		found = false;

		tl_proof_definition_open(&reader, &checker->definition);
		while (!found && tl_proof_definition_next(&reader, &column))
			found = shows_string(receipt->columns[i].name, column.name);
		if (!found)
			return "a column is shown that the definition does not name";
	}
	return NULL;
}

static const char *
check_checkpoint(Checker *checker, const TlCheckpoint *checkpoint,
				 uint64_t height_max)
{
	checker->verdict->trust = TL_TRUST_CHECKPOINT;
	if (memcmp(&checkpoint->chain_id, &checker->chain_id, sizeof(TlHash)) != 0)
		return "the checkpoint is of another chain";
	if (checkpoint->size != checker->head.height)
		return "the receipt's head is not at the checkpoint's size";
	if (memcmp(&checkpoint->root, &checker->head.history_root,
			   sizeof(TlHash)) != 0)
		return "the checkpoint has another root: the chain was forked";
	if (height_max >= checkpoint->size)
		return "the row's block is newer than the checkpoint";
	return NULL;
}

static bool
verify_path(const TlHash *leaf, uint64_t index, uint64_t size, TlSpan path,
			const TlHash *root)
{
	TlHash		hashes[TL_MERKLE_PATH_MAX];
	size_t		count = path.size / TL_HASH_SIZE;

	if (path.size % TL_HASH_SIZE != 0 || count > TL_MERKLE_PATH_MAX)
		return false;
	if (path.size > 0)
		memcpy(hashes, path.data, path.size);
	return tl_merkle_inclusion_verify(leaf, index, size, hashes,
									  (unsigned) count, root);
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

static const TlReceiptColumn *
find_column(const TlReceipt *receipt, TlSpan name)
{
	for (uint32_t i = 0; i < receipt->column_count; i++)
	{
		if (shows_string(receipt->columns[i].name, name))
			return &receipt->columns[i];
	}
	return NULL;
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
same_bytes(TlSpan left, const void *right, size_t size)
{
	return left.size == size && memcmp(left.data, right, size) == 0;
}
