/*-------------------------------------------------------------------------
 *
 * test_proof_check.c
 *	  Valid receipts pass, and no changed one.
 *
 *-------------------------------------------------------------------------
 */
#include "proof_check.h"

#include "receipt_fixture.h"

#include <stdio.h>

static bool
passes(const TlCheckpoint *checkpoint)
{
	TlVerdict	verdict;

	tl_proof_check(&verdict, &fixture.receipt, checkpoint, NULL);
	unit_context("%s", verdict.reason);
	return verdict.valid;
}

/* Refused for this reason and no other. */
static bool
refused(const TlCheckpoint *checkpoint, const char *reason)
{
	TlVerdict	verdict;

	tl_proof_check(&verdict, &fixture.receipt, checkpoint, NULL);
	unit_context("wanted \"%s\", got \"%s\"", reason, verdict.reason);
	return !verdict.valid && strcmp(verdict.reason, reason) == 0;
}

static void
all_shapes_of_trees(void)
{
	FixtureOptions options = fixture_defaults();

	for (options.rows = 1; options.rows <= 9; options.rows++)
	{
		for (options.row = 0; options.row < options.rows; options.row++)
		{
			options.head = 2 + (options.row + options.rows) % 8;
			options.is_private = options.row % 2 == 0;
			fixture_build(&options);
			UNIT_CHECK(passes(NULL));
			UNIT_CHECK(passes(&fixture.checkpoint) == (options.head > 2));
		}
	}
	options.rows = 300;
	options.row = 299;
	fixture_build(&options);
	UNIT_CHECK(passes(&fixture.checkpoint));
}

/* Every bit of these bytes matters. */
static void
flip_all(TlSpan span, const char *what)
{
	uint8_t    *bytes = (uint8_t *) span.data;

	for (size_t bit = 0; bit < span.size * 8; bit++)
	{
		TlVerdict	verdict;

		bytes[bit / 8] ^= (uint8_t) (1 << bit % 8);
		tl_proof_check(&verdict, &fixture.receipt, NULL, NULL);
		unit_context("bit %zu of %s", bit, what);
		UNIT_CHECK(!verdict.valid);
		bytes[bit / 8] ^= (uint8_t) (1 << bit % 8);
	}
}

static TlSpan
writable(TlSpan span)
{
	TlWriter	writer = fixture_writer();

	tl_put_bytes(&writer, span.data, span.size);
	return fixture_take(&writer);
}

static void
flip_row(TlReceiptRow *row)
{
	row->section_random = writable(row->section_random);
	flip_all(row->bytes, "row");
	flip_all(row->path, "path");
	flip_all(row->section, "section");
	flip_all(row->section_random, "random value");
	flip_all(row->section_path, "section path");
	flip_all(row->batch, "batch");
	flip_all(row->batch_digests, "digests");
	flip_all(row->block, "block");
	flip_all(row->block_path, "block path");
}

static void
flip_numbers(uint64_t *number)
{
	for (int bit = 0; bit < 64; bit++)
	{
		*number ^= UINT64_C(1) << bit;
		UNIT_CHECK(!passes(NULL));
		*number ^= UINT64_C(1) << bit;
	}
}

static void
every_bit(void)
{
	FixtureOptions options = fixture_defaults();
	TlReceipt  *receipt = &fixture.receipt;

	options.members = 4;
	options.signers = 7;
	fixture_build(&options);
	UNIT_CHECK(passes(NULL));
	receipt->purpose = writable(receipt->purpose);
	flip_row(&receipt->row);
	flip_row(&receipt->definition);
	flip_all(receipt->head, "head");
	flip_all(receipt->certificate, "certificate");
	flip_all(receipt->genesis_header, "genesis header");
	flip_all(receipt->genesis_body, "genesis body");
	flip_all(receipt->chain, "chain");
	flip_all(receipt->purpose, "purpose");
	flip_all(receipt->member, "member");
	flip_all(receipt->schema, "schema");
	flip_all(receipt->table, "table");
	flip_all(receipt->ref, "ref");
	flip_all(receipt->time, "time");
	for (uint32_t i = 0; i < receipt->column_count; i++)
	{
		flip_all(receipt->columns[i].name, "column name");
		flip_all(receipt->columns[i].text, "column text");
	}
	flip_numbers(&receipt->height);
	flip_numbers(&receipt->row.index);
	flip_numbers(&receipt->row.section_index);
	flip_numbers(&receipt->definition.index);
	flip_numbers(&receipt->definition.section_index);
	UNIT_CHECK(passes(NULL));
}

/* q = floor((n + f) / 2) + 1 signatures, and not one less. */
static void
quorums(void)
{
	for (unsigned members = 1; members <= 7; members++)
	{
		FixtureOptions options = fixture_defaults();
		unsigned	quorum = tl_consensus_quorum(members, 3);

		options.members = members;
		for (unsigned signers = 0; signers <= members; signers++)
		{
			options.signers = (UINT64_C(1) << signers) - 1;
			fixture_build(&options);
			UNIT_CHECK(passes(NULL) == (signers >= quorum));
		}
	}
}

static void
certificates_of_something_else(void)
{
	FixtureOptions options = fixture_defaults();
	const char *other = "the certificate is not one of the head's finality";

	fixture_build(&options);
	fixture.receipt.certificate = fixture_certificate(TL_LOG_NOTARIZE, 6, 1);
	UNIT_CHECK(refused(NULL, other));
	fixture.receipt.certificate = fixture_certificate(TL_LOG_FINALIZE, 5, 1);
	UNIT_CHECK(refused(NULL, other));
	memset(fixture.secrets[0], 77, TL_SECRET_SIZE);
	fixture.receipt.certificate = fixture_certificate(TL_LOG_FINALIZE, 6, 1);
	UNIT_CHECK(refused(NULL, "the head is not signed by a quorum of the members"));
}

static void
checkpoints(void)
{
	FixtureOptions options = fixture_defaults();
	TlCheckpoint checkpoint;

	fixture_build(&options);
	UNIT_CHECK(passes(&fixture.checkpoint));
	checkpoint = fixture.checkpoint;
	checkpoint.size--;
	UNIT_CHECK(refused(&checkpoint, "the receipt's head is not at the checkpoint's size"));
	checkpoint = fixture.checkpoint;
	checkpoint.root.bytes[31] ^= 1;
	UNIT_CHECK(refused(&checkpoint, "the checkpoint has another root: the chain was forked"));
	checkpoint = fixture.checkpoint;
	checkpoint.chain_id.bytes[0] ^= 1;
	UNIT_CHECK(refused(&checkpoint, "the checkpoint is of another chain"));
	options.head = 2;
	fixture_build(&options);
	UNIT_CHECK(passes(NULL));
	UNIT_CHECK(refused(&fixture.checkpoint, "the row's block is newer than the checkpoint"));
}

static void
definitions(void)
{
	FixtureOptions options = fixture_defaults();

	options.of_definition = true;
	fixture_build(&options);
	UNIT_CHECK(passes(NULL));
	UNIT_CHECK(fixture.receipt.column_count == 9);
	fixture.receipt.has_definition = true;
	UNIT_CHECK(refused(NULL, "a definition is missing, or is there where none can be"));

	options = fixture_defaults();
	fixture_build(&options);
	fixture.receipt.has_definition = false;
	UNIT_CHECK(refused(NULL, "a definition is missing, or is there where none can be"));
	fixture_build(&options);
	fixture.receipt.definition = fixture.receipt.row;
	UNIT_CHECK(refused(NULL, "the definition is not a row of ledger.table_version"));
	options.foreign_definition = true;
	fixture_build(&options);
	UNIT_CHECK(refused(NULL, "the definition is of another table or version than the row"));
}

/* Of a shared table, whose sections are public, another member may say what it is. */
static void
definers(void)
{
	FixtureOptions options = fixture_defaults();
	const char *reason = "the definition is another member's than the row";
	TlVerdict	verdict;

	options.members = 4;
	options.signers = 7;
	options.is_private = false;
	fixture_build(&options);
	tl_proof_check(&verdict, &fixture.receipt, NULL, NULL);
	UNIT_CHECK(verdict.valid && verdict.definer.size == 0);
	UNIT_CHECK(strcmp(verdict.reason, "a quorum of the members in genesis ordered this row; whether it was rejected is not certified yet") == 0);
	options.definer = 3;
	fixture_build(&options);
	tl_proof_check(&verdict, &fixture.receipt, NULL, NULL);
	UNIT_CHECK(verdict.valid && verdict.definer.size == 8);
	UNIT_CHECK(strstr(verdict.reason, "names from another member's definition") != NULL);
	options.is_private = true;
	fixture_build(&options);
	UNIT_CHECK(refused(NULL, reason));
	options.is_private = false;
	options.definer = 5;
	fixture_build(&options);
	UNIT_CHECK(refused(NULL, reason));
}

/* What a quorum has signed of a row of a shared table, and what nobody has. */
static void
outcomes(void)
{
	FixtureOptions options = fixture_defaults();
	TlReceiptOutcome *outcome = &fixture.receipt.outcome;
	TlReceiptOutcome kept;
	TlVerdict	verdict;

	options.members = 4;
	options.signers = options.outcome_signers = 7;
	options.is_private = false;
	for (options.outcome = 2; options.outcome <= options.head; options.outcome++)
	{
		for (int i = 0; i < 2; i++)
		{
			options.rejected = (i == 1);
			fixture_build(&options);
			tl_proof_check(&verdict, &fixture.receipt, NULL, NULL);
			unit_context("%u: %s", options.outcome, verdict.reason);
			UNIT_CHECK(verdict.valid);
			UNIT_CHECK(verdict.outcome == (i == 1 ? TL_OUTCOME_REJECTED : TL_OUTCOME_ACCEPTED));
			UNIT_CHECK(strcmp(verdict.sqlstate, i == 1 ? "23514" : "") == 0);
			UNIT_CHECK(passes(&fixture.checkpoint) == (options.outcome < options.head));
		}
	}
	options.outcome = 4;
	fixture_build(&options);
	kept = *outcome;
	flip_all(outcome->certificate, "certificate of the outcome");
	flip_all(outcome->block, "block of the outcome");
	flip_all(outcome->path, "path of the outcome");
	flip_all(outcome->leaves, "leaves");
	fixture.receipt.outcome_text = writable(fixture.receipt.outcome_text);
	flip_all(fixture.receipt.outcome_text, "outcome shown");

	/* that the row was rejected cannot be left out, nor said of an accepted one */
	outcome->leaves.size -= TL_OUTCOME_LEAF_SIZE;
	UNIT_CHECK(refused(NULL, "the outcomes are not those that were certified"));
	*outcome = kept;
	outcome->leaves.size--;
	UNIT_CHECK(refused(NULL, "there are too many outcomes, or they are cut off"));
	outcome->present = false;
	UNIT_CHECK(refused(NULL, "the outcome shown is not the row's"));
	fixture.receipt.outcome_text.size = 0;
	UNIT_CHECK(refused(NULL, "the outcome shown is not the row's"));
	fixture_build(&options);
	outcome->path.size = 0;
	UNIT_CHECK(refused(NULL, "the path of the outcomes' block does not lead to the head"));

	options.outcome = 1;
	fixture_build(&options);
	UNIT_CHECK(refused(NULL, "the outcomes are not those of the row's block"));
	options.outcome = 4;
	options.outcome_after = 2;
	fixture_build(&options);
	UNIT_CHECK(refused(NULL, "the outcomes are not those of the row's block"));
	options.outcome_after = 1;
	fixture_build(&options);
	UNIT_CHECK(passes(NULL));
	options.outcome_signers = 3;
	fixture_build(&options);
	UNIT_CHECK(refused(NULL, "the outcomes are not signed by a quorum of the members"));
	outcome->certificate = fixture_certificate(TL_LOG_FINALIZE, 4, 7);
	UNIT_CHECK(refused(NULL, "the certificate of the outcomes is not one of their block's state"));
	options.outcome_signers = 7;
	options.is_private = true;
	fixture_build(&options);
	UNIT_CHECK(refused(NULL, "an outcome is there where none can be"));
}

/* Leaves are about the row in its batch, in its block; or about that batch as a whole. */
static void
outcomes_of_batches(void)
{
	FixtureOptions options = fixture_defaults();
	TlVerdict	verdict;

	options.members = 4;
	options.signers = options.outcome_signers = 7;
	options.is_private = false;
	options.outcome = 4;
	for (int i = 0; i < 8; i++)
	{
		options.rejected = (i & 1) != 0;
		options.elsewhere = (i & 2) != 0;
		options.refused = (i & 4) != 0;
		fixture_build(&options);
		tl_proof_check(&verdict, &fixture.receipt, NULL, NULL);
		unit_context("%d: %s", i, verdict.reason);
		UNIT_CHECK(verdict.valid);
		UNIT_CHECK(verdict.outcome == ((i >= 4 || i == 1) ? TL_OUTCOME_REJECTED : TL_OUTCOME_ACCEPTED));
		UNIT_CHECK(strcmp(verdict.sqlstate, i % 4 == 1 ? "23514" : i >= 4 ? "TL006" : "") == 0);
	}
}

/* Rows of a shared table whose bytes the batch does not name: nobody has seen them. */
static void
bodies(void)
{
	static const unsigned sizes[][3] = {
		{0, 0, 0}, {32, 0, 0}, {16, 16, 0}, {31, 1, 0}, {100, 0, 1}, {100, 100, 1}
	};
	FixtureOptions options = fixture_defaults();

	options.members = 4;
	options.signers = options.outcome_signers = 7;
	for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++)
	{
		for (options.outcome = 0; options.outcome <= 4; options.outcome += 4)
		{
			memcpy(options.body_sizes, sizes[i], sizeof(options.body_sizes));
			options.body_section = sizes[i][2];
			options.is_private = false;
			fixture_build(&options);
			UNIT_CHECK(refused(NULL, "the batch does not name the bytes of the row's section, so nobody has seen them"));
		}
		options.is_private = true;
		options.outcome = 0;
		fixture_build(&options);
		UNIT_CHECK(passes(NULL));
	}
	options.is_private = false;
	options.body_section = 0;
	options.body_sizes[0] = 32;
	options.body_sizes[1] = 1;
	fixture_build(&options);
	UNIT_CHECK(passes(NULL));
}

/* A row with a value that the definition does not name must not pass. */
static void
columns(void)
{
	FixtureOptions options = fixture_defaults();

	/* rows have columns 1 and 3; these definitions name others */
	static const uint32_t hidden[][FIXTURE_COLUMNS] = {
		{2, 3, 4}, {1, 2, 4}, {4, 5, 6}, {1, 4, 5}, {3, 4, 5}
	};

	for (size_t i = 0; i < sizeof(hidden) / sizeof(hidden[0]); i++)
	{
		memcpy(options.numbers, hidden[i], sizeof(options.numbers));
		fixture_build(&options);
		UNIT_CHECK(!passes(NULL));
	}
	options = fixture_defaults();
	options.row = 2;			/* columns 2 and 3 are null */
	options.names[1] = options.names[2] = "note";
	fixture_build(&options);
	fixture.columns[2].name.data = (const uint8_t *) "more";
	UNIT_CHECK(refused(NULL, "a column is shown that the definition does not name"));

	options = fixture_defaults();
	fixture_build(&options);
	fixture.receipt.column_count = 2;
	UNIT_CHECK(refused(NULL, "a column of the definition is not shown"));
	fixture_build(&options);
	fixture.columns[3].name.data = (const uint8_t *) "more";
	fixture.columns[3].name.size = 4;
	fixture.receipt.column_count = 4;
	UNIT_CHECK(refused(NULL, "more columns are shown than the definition has"));
	fixture_build(&options);
	fixture.columns[1].is_null = false;
	UNIT_CHECK(refused(NULL, "a column that is null in the row is shown with a value"));
	fixture_build(&options);
	fixture.columns[0].is_null = true;
	UNIT_CHECK(refused(NULL, "a column's value shown is not the one in the row"));
}

/* The commitment of a private section is demanded, and given to no other. */
static void
commitments(void)
{
	FixtureOptions options = fixture_defaults();
	const char *reason = "a private section needs its random value and no other has one";

	fixture_build(&options);
	fixture.receipt.row.section_random.size = 0;
	UNIT_CHECK(refused(NULL, reason));
	options.is_private = false;
	fixture_build(&options);
	UNIT_CHECK(passes(NULL));
	fixture.receipt.row.section_random.size = TL_SECTION_RANDOM_SIZE;
	UNIT_CHECK(refused(NULL, reason));
	fixture.receipt.row.section_random.size = 15;
	UNIT_CHECK(refused(NULL, "the section's random value does not have 16 bytes"));
}

/* A part of one receipt does not fit into another ledger's. */
static void
other_ledgers(void)
{
	FixtureOptions options = fixture_defaults();
	uint8_t		header[TL_BLOCK_HEADER_SIZE];
	uint8_t		body[TL_GENESIS_BODY_SIZE_MAX];
	TlReceipt	mine;

	options.members = 2;
	options.signers = 3;
	fixture_build(&options);
	mine = fixture.receipt;
	memcpy(header, mine.genesis_header.data, mine.genesis_header.size);
	memcpy(body, mine.genesis_body.data, mine.genesis_body.size);
	options.members = 1;
	options.signers = 1;
	fixture_build(&options);
	fixture.receipt.genesis_header.data = header;
	fixture.receipt.genesis_body.data = body;
	fixture.receipt.genesis_body.size = mine.genesis_body.size;
	UNIT_CHECK(refused(NULL, "the genesis block is not that of the chain id"));
	fixture.receipt.chain = writable(fixture.receipt.chain);
	tl_merkle_leaf_hash((TlHash *) fixture.receipt.chain.data, header, sizeof(header));
	UNIT_CHECK(refused(NULL, "the head is not a block of this chain"));
}

/* Of a ledger that goes on from another one: what the genesis block binds of it. */
static void
restarted(void)
{
	FixtureOptions options = fixture_defaults();
	TlReceiptRestart *restart = &fixture.receipt.restart;
	const char *reason = "the genesis block is not the one that this restart demands";
	TlVerdict	verdict;

	options.members = 4;
	options.signers = 7;
	options.restarted = true;
	fixture_build(&options);
	UNIT_CHECK(passes(NULL) && passes(&fixture.checkpoint));
	tl_proof_check(&verdict, &fixture.receipt, NULL, NULL);
	UNIT_CHECK(verdict.restarted && verdict.height_before == 7 &&
			   verdict.chain_before.bytes[0] == 5);
	restart->reason = writable(restart->reason);
	flip_all(restart->chain, "chain before");
	flip_all(restart->last, "last block");
	flip_all(restart->reason, "reason");
	flip_all(fixture.receipt.genesis_header, "genesis header");
	flip_all(fixture.receipt.genesis_body, "genesis body");
	UNIT_CHECK(passes(NULL));

	/* As if it had been begun anew. */
	restart->present = false;
	UNIT_CHECK(refused(NULL, "the genesis block is not that of the chain id"));
	restart->present = true;
	restart->reason.size--;
	UNIT_CHECK(refused(NULL, reason));
	restart->reason.size++;
	restart->chain.size--;
	UNIT_CHECK(refused(NULL, "the chain id of the ledger that ended does not have 32 bytes"));
	restart->chain.size++;
	restart->last.size--;
	UNIT_CHECK(refused(NULL, "the last block of the ledger that ended is not a block header"));
	restart->last.size++;
	((uint8_t *) restart->chain.data)[0] ^= 1;
	UNIT_CHECK(refused(NULL, "the last block is not one of the ledger that ended"));
	((uint8_t *) restart->chain.data)[0] ^= 1;
	UNIT_CHECK(passes(NULL));

	/* Two of four, however the ledger began. */
	options.signers = 3;
	fixture_build(&options);
	UNIT_CHECK(refused(NULL, "the head is not signed by a quorum of the members"));
	options.signers = 7;

	/* A restart that the genesis block knows nothing of. */
	fixture_build(&options);
	{
		TlReceiptRestart kept = *restart;

		options.restarted = false;
		fixture_build(&options);
		fixture.receipt.restart = kept;
		UNIT_CHECK(!passes(NULL));
	}
}

UNIT_MAIN(UNIT_CASE(all_shapes_of_trees), UNIT_CASE(every_bit),
		  UNIT_CASE(quorums), UNIT_CASE(certificates_of_something_else),
		  UNIT_CASE(checkpoints), UNIT_CASE(definitions), UNIT_CASE(definers), UNIT_CASE(outcomes),
		  UNIT_CASE(outcomes_of_batches), UNIT_CASE(bodies),
		  UNIT_CASE(columns),
		  UNIT_CASE(commitments), UNIT_CASE(other_ledgers),
		  UNIT_CASE(restarted))
