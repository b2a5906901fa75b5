/*-------------------------------------------------------------------------
 *
 * fuzz_message.c
 *	  Every decoder of the chain's and the log's formats, and its encoder.
 *
 * Input: one byte that chooses the format, then the bytes.  What a decoder
 * takes its encoder must write again, byte for byte: one thing has one
 * encoding, and no two byte strings mean the same.
 *
 *-------------------------------------------------------------------------
 */
#include "chain_batch.h"
#include "chain_genesis.h"
#include "chain_manifest.h"
#include "chain_section.h"
#include "consensus_certificate.h"
#include "consensus_rejoin.h"
#include "proof_checkpoint.h"
#include "proof_definition.h"

#include <stdlib.h>
#include <string.h>

extern int	LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
require(bool condition)
{
	if (!condition)
		abort();
}

/* Decode into value and, if that worked, encode and compare. */
#define ROUND_TRIP(type, decode, encode) \
	do { \
		static type value; \
		if (decode(&value, data, size) == TL_OK) \
		{ \
			require(encode(&writer, &value) == TL_OK); \
			require(writer.size == size && memcmp(copy, data, size) == 0); \
		} \
	} while (0)

static TlStatus
encode_checkpoint(TlWriter *writer, const TlCheckpoint *checkpoint)
{
	tl_proof_checkpoint_encode(writer, checkpoint);
	return TL_OK;
}

/* Signature lines are skipped, so that only the three lines must come back. */
static void
checkpoint(TlWriter *writer, const uint8_t *data, size_t size)
{
	TlCheckpoint value;

	if (tl_proof_checkpoint_decode(&value, data, size) != TL_OK)
		return;
	require(encode_checkpoint(writer, &value) == TL_OK);
	require(writer->size <= size && memcmp(writer->data, data, writer->size) == 0);
}

static void
manifest(TlWriter *writer, const uint8_t *data, size_t size)
{
	TlManifestReader reader;
	TlManifestWriter again;
	TlRef		ref;
	TlHash		hash = {{0}};
	bool		found;
	TlStatus	status;

	tl_chain_manifest_open(&reader, data, size, 1);
	tl_chain_manifest_init(&again, writer);
	while ((status = tl_chain_manifest_next(&reader, &found, &ref, hash.bytes)) == TL_OK && found)
		require(tl_chain_manifest_put(&again, &ref, &hash) == TL_OK);
	require(writer->size <= size && memcmp(writer->data, data, writer->size) == 0);
	require(status != TL_OK || writer->size == size);
}

static void
cut(TlWriter *writer, const uint8_t *data, size_t size)
{
	TlLane		lanes[TL_MEMBER_COUNT_MAX];
	unsigned	count;

	if (tl_chain_cut_decode(lanes, &count, TL_MEMBER_COUNT_MAX, data, size) != TL_OK)
		return;
	require(tl_chain_cut_encode(writer, lanes, count) == TL_OK);
	require(writer->size == size && memcmp(writer->data, data, size) == 0);
}

/* A list of entries, and the payload of a vote. */
static void
entries(TlWriter *writer, const uint8_t *data, size_t size)
{
	TlBlockEntry list[TL_MEMBER_COUNT_MAX];
	TlHash		block;
	unsigned	count;

	if (tl_consensus_vote_decode(&block, data, size) == TL_OK)
		require(size == TL_HASH_SIZE && memcmp(&block, data, size) == 0);
	if (tl_chain_entries_decode(list, &count, TL_MEMBER_COUNT_MAX, data, size) != TL_OK)
		return;
	require(tl_chain_entries_encode(writer, list, count) == TL_OK);
	require(writer->size == size && memcmp(writer->data, data, size) == 0);
}

/* No encoder; walking must give as many columns as it says. */
static void
definition(const uint8_t *data, size_t size)
{
	TlDefinition value;
	TlDefinitionReader reader;
	TlDefinitionColumn column;
	uint32_t	count = 0;
	uint16_t	last = 0;

	if (tl_proof_definition_decode(&value, data, size) != TL_OK)
		return;
	tl_proof_definition_open(&reader, &value);
	while (tl_proof_definition_next(&reader, &column))
	{
		require(column.attribute_number > last && column.type_tag != 0);
		last = column.attribute_number;
		count++;
	}
	require(count == value.column_count);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	uint8_t		choice;
	uint8_t    *copy;
	TlWriter	writer;

	if (size == 0)
		return 0;
	choice = *data++;
	size--;
	copy = malloc(size + 1024);
	tl_writer_init(&writer, copy, size + 1024);
	switch (choice % 12)
	{
		case 0:
			ROUND_TRIP(TlSectionLeaf, tl_chain_section_decode, tl_chain_section_encode);
			break;
		case 1:
			ROUND_TRIP(TlBatchHeader, tl_chain_batch_decode, tl_chain_batch_encode);
			break;
		case 2:
			ROUND_TRIP(TlBlockHeader, tl_chain_block_decode, tl_chain_block_encode);
			break;
		case 3:
			ROUND_TRIP(TlMember, tl_chain_member_decode, tl_chain_member_encode);
			break;
		case 4:
			ROUND_TRIP(TlGenesis, tl_chain_genesis_decode, tl_chain_genesis_encode);
			break;
		case 5:
			ROUND_TRIP(TlLogRow, tl_consensus_row_decode, tl_consensus_row_encode);
			break;
		case 6:
			ROUND_TRIP(TlCertificate, tl_consensus_certificate_decode,
					   tl_consensus_certificate_encode);
			break;
		case 7:
			ROUND_TRIP(TlProposal, tl_consensus_proposal_decode,
					   tl_consensus_proposal_encode);
			break;
		case 8:
			checkpoint(&writer, data, size);
			break;
		case 9:
			manifest(&writer, data, size);
			break;
		case 10:
			definition(data, size);
			tl_writer_init(&writer, copy, size + 1024);
			cut(&writer, data, size);
			tl_writer_init(&writer, copy, size + 1024);
			entries(&writer, data, size);
			break;
		case 11:
			ROUND_TRIP(TlRejoin, tl_consensus_rejoin_decode, tl_consensus_rejoin_encode);
			break;
	}
	free(copy);
	return 0;
}
