/*-------------------------------------------------------------------------
 *
 * test_consensus_message.c
 *	  Log rows and payloads: vectors, every bit, and what is refused.
 *
 *-------------------------------------------------------------------------
 */
#include "consensus_message.h"

#include "unit.h"

#include <string.h>

static int	vectors_used;
static int	proposals_used;

static void
use_vector(const UnitRecord *record)
{
	uint8_t		bytes[2048];
	uint8_t		again[2048];
	uint8_t		key[TL_XONLY_KEY_SIZE];
	TlHash		chain_id;
	TlHash		wanted;
	TlHash		hash;
	TlLogRow	row;
	TlWriter	writer;
	size_t		size;

	if (strcmp(unit_text(record, "kind"), "log") != 0)
		return;
	vectors_used++;
	size = unit_bytes(bytes, sizeof(bytes), record, "row");
	unit_bytes(chain_id.bytes, sizeof(chain_id), record, "chain_id");
	unit_bytes(key, sizeof(key), record, "key");
	UNIT_CHECK(tl_consensus_row_decode(&row, bytes, size) == TL_OK);
	tl_writer_init(&writer, again, sizeof(again));
	UNIT_CHECK(tl_consensus_row_encode(&writer, &row) == TL_OK);
	UNIT_CHECK(writer.size == size && memcmp(bytes, again, size) == 0);
	UNIT_CHECK(size == TL_LOG_ROW_SIZE_FIXED + row.payload.size);
	unit_bytes(wanted.bytes, sizeof(wanted), record, "payload_digest");
	tl_consensus_payload_digest(&hash, row.kind, row.payload);
	UNIT_CHECK(memcmp(&hash, &wanted, sizeof(hash)) == 0);
	unit_bytes(wanted.bytes, sizeof(wanted), record, "digest");
	tl_consensus_row_digest(&hash, &chain_id, &row);
	UNIT_CHECK(memcmp(&hash, &wanted, sizeof(hash)) == 0);
	UNIT_CHECK(tl_consensus_row_verify(&row, &chain_id, key));

	/* L1, L2: every bit of the row counts, and the chain */
	for (size_t bit = 0; bit < size * 8; bit++)
	{
		bytes[bit / 8] ^= (uint8_t) (1 << bit % 8);
		UNIT_CHECK(tl_consensus_row_decode(&row, bytes, size) != TL_OK ||
				   !tl_consensus_row_verify(&row, &chain_id, key));
		bytes[bit / 8] ^= (uint8_t) (1 << bit % 8);
	}
	UNIT_CHECK(tl_consensus_row_decode(&row, bytes, size) == TL_OK);
	chain_id.bytes[7] ^= 1;
	UNIT_CHECK(!tl_consensus_row_verify(&row, &chain_id, key));
	for (size_t cut = 0; cut < size; cut++)
		UNIT_CHECK(tl_consensus_row_decode(&row, bytes, cut) == TL_TRUNCATED);
	bytes[size] = 0;
	UNIT_CHECK(tl_consensus_row_decode(&row, bytes, size + 1) == TL_TRAILING_BYTES);
}

static void
use_proposal(const UnitRecord *record)
{
	uint8_t		bytes[4096];
	uint8_t		again[4096];
	uint8_t		part[1024];
	TlProposal	proposal;
	TlWriter	writer;
	size_t		size;

	if (strcmp(unit_text(record, "kind"), "proposal") != 0)
		return;
	proposals_used++;
	size = unit_bytes(bytes, sizeof(bytes), record, "payload");
	UNIT_CHECK(tl_consensus_proposal_decode(&proposal, bytes, size) == TL_OK);
	UNIT_CHECK(proposal.gap_count == 1 && proposal.entry_count == 1);
	size = unit_bytes(part, sizeof(part), record, "checkpoint");
	UNIT_CHECK(proposal.checkpoint.size == size &&
			   memcmp(proposal.checkpoint.data, part, size) == 0);
	size = unit_bytes(part, sizeof(part), record, "cut");
	UNIT_CHECK(proposal.cut.size == size &&
			   memcmp(proposal.cut.data, part, size) == 0);
	tl_writer_init(&writer, again, sizeof(again));
	UNIT_CHECK(tl_consensus_proposal_encode(&writer, &proposal) == TL_OK);
	UNIT_CHECK(memcmp(bytes, again, writer.size) == 0);
}

static void
vectors(void)
{
	unit_vectors("chain.txt", use_vector);
	UNIT_CHECK(vectors_used == 10);
	unit_vectors("chain.txt", use_proposal);
	UNIT_CHECK(proposals_used == 1);
}

static TlLogRow
some_row(void)
{
	TlLogRow	row = {.member = 1,.sequence = 1,.kind = TL_LOG_NULLIFY,.view = 3};

	return row;
}

static TlStatus
sign(TlLogRow *row)
{
	static const TlHash chain_id = {{1}};
	static const uint8_t secret[TL_SECRET_SIZE] = {5};

	return tl_consensus_row_sign(row, &chain_id, secret, NULL);
}

static void
rows_that_are_none(void)
{
	static const TlHash chain_id = {{1}};
	static const uint8_t zero_secret[TL_SECRET_SIZE];
	TlLogRow	row = some_row();

	UNIT_CHECK(sign(&row) == TL_OK);
	row.member = 0;
	UNIT_CHECK(sign(&row) == TL_BAD_FORMAT);
	row = some_row();
	row.kind = 0;
	UNIT_CHECK(sign(&row) == TL_BAD_FORMAT);
	row.kind = TL_LOG_REPLY + 1;
	UNIT_CHECK(sign(&row) == TL_BAD_FORMAT);
	row = some_row();
	row.sequence = 0;
	UNIT_CHECK(sign(&row) == TL_BAD_FORMAT);
	row.sequence = 2;			/* L3 */
	UNIT_CHECK(sign(&row) == TL_BAD_FORMAT);
	row.previous.bytes[0] = 1;
	UNIT_CHECK(sign(&row) == TL_OK);
	row.sequence = 1;
	UNIT_CHECK(sign(&row) == TL_BAD_FORMAT);
	row = some_row();
	row.payload.size = TL_LOG_PAYLOAD_SIZE_MAX + 1;
	UNIT_CHECK(sign(&row) == TL_TOO_LARGE);
	row = some_row();
	UNIT_CHECK(tl_consensus_row_sign(&row, &chain_id, zero_secret, NULL) == TL_BAD_KEY);
}

static void
proposals(void)
{
	static const uint8_t entries[66] = {[0] = 10,[32] = 1,[33] = 11,[65] = 2};
	static const uint8_t gaps[] = {0, 0, 0, 1, 'g', 0, 0, 0, 0};
	TlProposal	proposal = {.header = {entries, 10},.parent_certificate = {entries, 5},
		.gap_count = 2,.gaps = {gaps, sizeof(gaps)},.checkpoint = {entries, 7},.cut = {entries, 3},
	.entry_count = 2,.entries = {entries, 66}};
	uint8_t		bytes[256] = {0};
	uint8_t		again[256];
	TlProposal	read;
	TlWriter	writer;
	TlWriter	rewriter;

	tl_writer_init(&writer, bytes, sizeof(bytes));
	UNIT_CHECK(tl_consensus_proposal_encode(&writer, &proposal) == TL_OK);
	UNIT_CHECK(tl_consensus_proposal_decode(&read, bytes, writer.size) == TL_OK);
	UNIT_CHECK(read.gap_count == 2 && read.entry_count == 2 && read.cut.size == 3 && read.checkpoint.size == 7);
	tl_writer_init(&rewriter, again, sizeof(again));
	UNIT_CHECK(tl_consensus_proposal_encode(&rewriter, &read) == TL_OK);
	UNIT_CHECK(rewriter.size == writer.size && memcmp(bytes, again, writer.size) == 0);
	for (size_t cut = 0; cut < writer.size; cut++)
		UNIT_CHECK(tl_consensus_proposal_decode(&read, bytes, cut) != TL_OK);
	UNIT_CHECK(tl_consensus_proposal_decode(&read, bytes, writer.size + 1) == TL_TRAILING_BYTES);
	bytes[0] = 2;
	UNIT_CHECK(tl_consensus_proposal_decode(&read, bytes, writer.size) == TL_BAD_VERSION);

	proposal.gap_count = 1;
	UNIT_CHECK(tl_consensus_proposal_encode(&rewriter, &proposal) == TL_BAD_FORMAT);
	proposal.gap_count = 2;
	proposal.entry_count = 1;
	UNIT_CHECK(tl_consensus_proposal_encode(&rewriter, &proposal) == TL_BAD_FORMAT);
	proposal.entry_count = 2;
	proposal.entries.data = bytes + 128;	/* two equal ones */
	UNIT_CHECK(tl_consensus_proposal_encode(&rewriter, &proposal) == TL_BAD_ORDER);
}

static void
votes(void)
{
	uint8_t		bytes[TL_HASH_SIZE + 1] = {1, 2, 3};
	TlHash		hash;
	TlWriter	writer;
	uint8_t		again[TL_HASH_SIZE];

	UNIT_CHECK(tl_consensus_vote_decode(&hash, bytes, TL_HASH_SIZE) == TL_OK);
	tl_writer_init(&writer, again, sizeof(again));
	tl_consensus_vote_encode(&writer, &hash);
	UNIT_CHECK(writer.size == TL_HASH_SIZE && memcmp(again, bytes, TL_HASH_SIZE) == 0);
	UNIT_CHECK(tl_consensus_vote_decode(&hash, bytes, TL_HASH_SIZE - 1) == TL_TRUNCATED);
	UNIT_CHECK(tl_consensus_vote_decode(&hash, bytes, TL_HASH_SIZE + 1) == TL_TRAILING_BYTES);
}

UNIT_MAIN(UNIT_CASE(vectors), UNIT_CASE(rows_that_are_none),
		  UNIT_CASE(proposals), UNIT_CASE(votes))
