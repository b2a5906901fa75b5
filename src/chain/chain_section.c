/*-------------------------------------------------------------------------
 *
 * chain_section.c
 *	  The leaf of a batch's tree: which table, how many rows, which root.
 *
 * Integers big-endian:
 *
 *		offset	size	field
 *		0		1		leaf kind, 0x02
 *		1		1		format, 1
 *		2		1		kind: 0 public, 1 sealed, 2 private
 *		3		16		table id
 *		19		4		table version, from 1
 *		23		2		reader count r: 0 unless sealed
 *		25		4 * r	readers, members in ascending order
 *		25 + 4r	4		row count, 1 to TL_BATCH_ROWS_MAX
 *		29 + 4r	32		root over the rows in order of ref
 *
 * The leaf of a private section is the commitment 0x06 || Hash(0x06 || 16
 * random bytes || the bytes above), so that neither table nor row count can be
 * read or guessed from it.
 *
 * Invariants
 *	  S1  one section has one encoding: the decoder takes nothing that the
 *		  encoder would not write
 *	  S2  a private section never enters a tree uncommitted
 *
 * Pure code: no PostgreSQL, no allocation.
 * Used by the worker (writes), proof (checks) and contrib/verifier.
 *
 *-------------------------------------------------------------------------
 */
#include "chain_section.h"

#include "crypto_hash.h"
#include "merkle_hash.h"

#include <string.h>

#define LEAF_SECTION		0x02
#define LEAF_COMMITMENT		0x06
#define SECTION_FORMAT		1

static TlStatus check_section(const TlSectionLeaf *section);
static void commit_leaf(TlHash *out, const uint8_t *random,
						const uint8_t *leaf, size_t size);

TlStatus
tl_chain_section_encode(TlWriter *writer, const TlSectionLeaf *section)
{
	TlStatus	status = check_section(section);

	if (status != TL_OK)
		return status;
	tl_put_u8(writer, LEAF_SECTION);
	tl_put_u8(writer, SECTION_FORMAT);
	tl_put_u8(writer, section->kind);
	tl_put_bytes(writer, section->table_id, TL_TABLE_ID_SIZE);
	tl_put_u32(writer, section->table_version);
	tl_put_u16(writer, section->reader_count);
	for (int i = 0; i < section->reader_count; i++)
		tl_put_u32(writer, section->readers[i]);
	tl_put_u32(writer, section->row_count);
	tl_put_hash(writer, &section->root);
	return tl_writer_finish(writer);
}

TlStatus
tl_chain_section_decode(TlSectionLeaf *out, const void *data, size_t size)
{
	TlReader	reader;
	TlStatus	status;

	memset(out, 0, sizeof(*out));
	tl_reader_init(&reader, data, size);
	if (tl_get_u8(&reader) != LEAF_SECTION)
		return reader.truncated ? TL_TRUNCATED : TL_BAD_FORMAT;
	if (tl_get_u8(&reader) != SECTION_FORMAT)
		return reader.truncated ? TL_TRUNCATED : TL_BAD_VERSION;
	out->kind = tl_get_u8(&reader);
	tl_get_bytes(&reader, out->table_id, TL_TABLE_ID_SIZE);
	out->table_version = tl_get_u32(&reader);
	out->reader_count = tl_get_u16(&reader);
	if (out->reader_count > TL_READER_COUNT_MAX)
		return TL_TOO_LARGE;
	for (int i = 0; i < out->reader_count; i++)
		out->readers[i] = tl_get_u32(&reader);
	out->row_count = tl_get_u32(&reader);
	tl_get_hash(&reader, &out->root);
	status = tl_reader_finish(&reader);
	if (status != TL_OK)
		return status;
	return check_section(out);
}

TlStatus
tl_chain_section_leaf_hash(TlHash *out, const TlSectionLeaf *section,
						   const uint8_t *commitment_random)
{
	uint8_t		leaf[TL_SECTION_SIZE_MAX];
	TlWriter	writer;
	TlStatus	status;

	if ((section->kind == TL_SECTION_PRIVATE) != (commitment_random != NULL))
		return TL_BAD_FORMAT;
	tl_writer_init(&writer, leaf, sizeof(leaf));
	status = tl_chain_section_encode(&writer, section);
	if (status != TL_OK)
		return status;
	if (commitment_random == NULL)
		tl_merkle_leaf_hash(out, leaf, writer.size);
	else
		commit_leaf(out, commitment_random, leaf, writer.size);
	return TL_OK;
}

static TlStatus
check_section(const TlSectionLeaf *section)
{
	if (section->kind > TL_SECTION_PRIVATE)
		return TL_BAD_FORMAT;
	if ((section->kind == TL_SECTION_SEALED) != (section->reader_count > 0))
		return TL_BAD_FORMAT;
	if (section->reader_count > TL_READER_COUNT_MAX)
		return TL_TOO_LARGE;
	for (int i = 1; i < section->reader_count; i++)
	{
		if (section->readers[i] <= section->readers[i - 1])
			return TL_BAD_ORDER;
	}
	if (section->table_version == 0 || section->row_count == 0)
		return TL_BAD_FORMAT;
	if (section->row_count > TL_BATCH_ROWS_MAX)
		return TL_TOO_LARGE;
	return TL_OK;
}

static void
commit_leaf(TlHash *out, const uint8_t *random,
			const uint8_t *leaf, size_t size)
{
	const uint8_t kind = LEAF_COMMITMENT;
	uint8_t		commitment[1 + TL_HASH_SIZE];
	TlSha256	hash;
	TlHash		digest;

	tl_crypto_sha256_init(&hash);
	tl_crypto_sha256_update(&hash, &kind, 1);
	tl_crypto_sha256_update(&hash, random, TL_SECTION_RANDOM_SIZE);
	tl_crypto_sha256_update(&hash, leaf, size);
	tl_crypto_sha256_final(&hash, &digest);

	commitment[0] = LEAF_COMMITMENT;
	memcpy(commitment + 1, digest.bytes, TL_HASH_SIZE);
	tl_merkle_leaf_hash(out, commitment, sizeof(commitment));
}
