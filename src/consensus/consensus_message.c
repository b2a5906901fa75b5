/*-------------------------------------------------------------------------
 *
 * consensus_message.c
 *	  Rows of a member's log: bytes, digests, signature, payloads.
 *
 * A row, integers big-endian:
 *
 *		offset	size	field
 *		0		1		format, 1
 *		1		4		member
 *		5		16		nonce of the incarnation, zeros in the first
 *		21		8		sequence, from 1; 0 in REPLY and REQUEST, which are
 *						outside the log
 *		29		32		digest of the row before, zeros at sequences 0 and 1
 *		61		1		kind
 *		62		8		epoch
 *		70		8		view
 *		78		4		size n of the payload
 *		82		n		payload
 *		82 + n	64		signature, BIP-340 over the row digest
 *
 * payload digest = Hash("telco_ledger/1/" || kind || payload)
 * row digest	  = Hash("telco_ledger/1/row" || chain id || member || nonce ||
 *					sequence || previous || kind || epoch || view ||
 *					payload digest)
 *
 * No kind is the letter r, so the two tags cannot meet.
 *
 * Payloads: BATCH is a batch header (chain_batch.c); NOTARIZE and FINALIZE are
 * a block hash, 32 bytes; NULLIFY is empty; PROPOSE is
 *
 *		size	field
 *		1		format, 1
 *		4 + n	block header (chain_block.c)
 *		4 + n	notarization or finalization of the parent, empty when the parent
 *				is the block that founds the epoch
 *		2		number of skipped views since, g
 *		...		per view, g times: size u32, nullification
 *		4 + n	STATE certificate of the header's checkpoint, empty if that is
 *				the parent's
 *		4 + n	cut (chain_block.c)
 *		4		entry count e
 *		33 * e	entries (chain_block.c)
 *
 * Invariants
 *	  L1  one row has one encoding
 *	  L2  the digest covers all of a row but its signature, and the chain
 *	  L3  previous is zeros exactly at sequences 0 and 1
 *
 * Pure code: no PostgreSQL, no allocation, no clock, no randomness.
 * Used by the worker and by certificates (consensus_certificate.c).
 *
 *-------------------------------------------------------------------------
 */
#include "consensus_message.h"

#include "crypto_curve.h"
#include "crypto_hash.h"

#include <string.h>

#define ROW_FORMAT			1
#define PROPOSAL_FORMAT		1
#define PAYLOAD_TAG			"telco_ledger/1/"
#define ROW_TAG				"telco_ledger/1/row"

static TlStatus check_row(const TlLogRow *row);
static TlStatus to_sign(TlHash *out, const TlLogRow *row, const TlHash *chain_id);
static TlStatus check_proposal(const TlProposal *proposal);
static void put_sized(TlWriter *writer, TlSpan span);
static TlSpan get_sized(TlReader *reader);

TlStatus
tl_consensus_row_encode(TlWriter *writer, const TlLogRow *row)
{
	TlStatus	status = check_row(row);

	if (status != TL_OK)
		return status;
	tl_put_u8(writer, ROW_FORMAT);
	tl_put_u32(writer, row->member);
	tl_put_bytes(writer, row->nonce, TL_NONCE_SIZE);
	tl_put_u64(writer, row->sequence);
	tl_put_hash(writer, &row->previous);
	tl_put_u8(writer, row->kind);
	tl_put_u64(writer, row->epoch);
	tl_put_u64(writer, row->view);
	put_sized(writer, row->payload);
	tl_put_bytes(writer, row->signature, TL_SIGNATURE_SIZE);
	return tl_writer_finish(writer);
}

TlStatus
tl_consensus_row_decode(TlLogRow *out, const void *data, size_t size)
{
	TlReader	reader;
	TlStatus	status;

	memset(out, 0, sizeof(*out));
	tl_reader_init(&reader, data, size);
	if (tl_get_u8(&reader) != ROW_FORMAT)
		return reader.truncated ? TL_TRUNCATED : TL_BAD_VERSION;
	out->member = tl_get_u32(&reader);
	tl_get_bytes(&reader, out->nonce, TL_NONCE_SIZE);
	out->sequence = tl_get_u64(&reader);
	tl_get_hash(&reader, &out->previous);
	out->kind = tl_get_u8(&reader);
	out->epoch = tl_get_u64(&reader);
	out->view = tl_get_u64(&reader);
	out->payload = get_sized(&reader);
	tl_get_bytes(&reader, out->signature, TL_SIGNATURE_SIZE);
	status = tl_reader_finish(&reader);
	if (status != TL_OK)
		return status;
	return check_row(out);
}

void
tl_consensus_payload_digest(TlHash *out, uint8_t kind, TlSpan payload)
{
	TlSha256	hash;

	tl_crypto_sha256_init(&hash);
	tl_crypto_sha256_update(&hash, PAYLOAD_TAG, strlen(PAYLOAD_TAG));
	tl_crypto_sha256_update(&hash, &kind, 1);
	if (payload.size > 0)
		tl_crypto_sha256_update(&hash, payload.data, payload.size);
	tl_crypto_sha256_final(&hash, out);
}

void
tl_consensus_row_digest(TlHash *out, const TlHash *chain_id,
						const TlLogRow *row)
{
	TlHash		payload_digest;

	tl_consensus_payload_digest(&payload_digest, row->kind, row->payload);
	tl_consensus_row_digest_of(out, chain_id, row, &payload_digest);
}

void
tl_consensus_row_digest_of(TlHash *out, const TlHash *chain_id,
						   const TlLogRow *row, const TlHash *payload_digest)
{
	uint8_t		bytes[160];
	TlWriter	writer;

	tl_writer_init(&writer, bytes, sizeof(bytes));
	tl_put_bytes(&writer, ROW_TAG, strlen(ROW_TAG));
	tl_put_hash(&writer, chain_id);
	tl_put_u32(&writer, row->member);
	tl_put_bytes(&writer, row->nonce, TL_NONCE_SIZE);
	tl_put_u64(&writer, row->sequence);
	tl_put_hash(&writer, &row->previous);
	tl_put_u8(&writer, row->kind);
	tl_put_u64(&writer, row->epoch);
	tl_put_u64(&writer, row->view);
	tl_put_hash(&writer, payload_digest);
	tl_crypto_sha256(out, bytes, writer.size);
}

static TlStatus
to_sign(TlHash *out, const TlLogRow *row, const TlHash *chain_id)
{
	TlStatus	status = check_row(row);

	if (status == TL_OK)
		tl_consensus_row_digest(out, chain_id, row);
	return status;
}

TlStatus
tl_consensus_row_sign(TlLogRow *row, const TlHash *chain_id,
					  const uint8_t secret[TL_SECRET_SIZE], const uint8_t *aux)
{
	TlHash		digest;
	TlStatus	status = to_sign(&digest, row, chain_id);

	return status != TL_OK ? status :
		tl_crypto_schnorr_sign(row->signature, digest.bytes, TL_HASH_SIZE, secret, aux);
}

TlStatus
tl_consensus_row_sign_by(TlLogRow *row, const TlHash *chain_id, TlSigner *signer,
						 const uint8_t *aux)
{
	TlHash		digest;
	TlStatus	status = to_sign(&digest, row, chain_id);

	return status != TL_OK ? status :
		tl_crypto_signer_sign(signer, row->signature, digest.bytes, TL_HASH_SIZE, aux);
}

bool
tl_consensus_row_verify(const TlLogRow *row, const TlHash *chain_id,
						const uint8_t row_key[TL_XONLY_KEY_SIZE])
{
	TlHash		digest;

	if (check_row(row) != TL_OK)
		return false;
	tl_consensus_row_digest(&digest, chain_id, row);
	return tl_crypto_schnorr_verify(row->signature, digest.bytes, TL_HASH_SIZE,
									row_key);
}

void
tl_consensus_vote_encode(TlWriter *writer, const TlHash *block)
{
	tl_put_hash(writer, block);
}

TlStatus
tl_consensus_vote_decode(TlHash *out, const void *data, size_t size)
{
	TlReader	reader;

	tl_reader_init(&reader, data, size);
	tl_get_hash(&reader, out);
	return tl_reader_finish(&reader);
}

TlStatus
tl_consensus_proposal_encode(TlWriter *writer, const TlProposal *proposal)
{
	TlStatus	status = check_proposal(proposal);

	if (status != TL_OK)
		return status;
	tl_put_u8(writer, PROPOSAL_FORMAT);
	put_sized(writer, proposal->header);
	put_sized(writer, proposal->parent_certificate);
	tl_put_u16(writer, proposal->gap_count);
	tl_put_bytes(writer, proposal->gaps.data, proposal->gaps.size);
	put_sized(writer, proposal->checkpoint);
	put_sized(writer, proposal->cut);
	tl_put_u32(writer, proposal->entry_count);
	tl_put_bytes(writer, proposal->entries.data, proposal->entries.size);
	return tl_writer_finish(writer);
}

TlStatus
tl_consensus_proposal_decode(TlProposal *out, const void *data, size_t size)
{
	TlReader	reader;
	size_t		start;
	TlStatus	status;

	memset(out, 0, sizeof(*out));
	if (size > TL_LOG_PAYLOAD_SIZE_MAX)
		return TL_TOO_LARGE;
	tl_reader_init(&reader, data, size);
	if (tl_get_u8(&reader) != PROPOSAL_FORMAT)
		return reader.truncated ? TL_TRUNCATED : TL_BAD_VERSION;
	out->header = get_sized(&reader);
	out->parent_certificate = get_sized(&reader);
	out->gap_count = tl_get_u16(&reader);
	start = reader.offset;
	for (int i = 0; i < out->gap_count && !reader.truncated; i++)
		(void) get_sized(&reader);
	out->gaps.data = reader.data + start;
	out->gaps.size = reader.offset - start;
	out->checkpoint = get_sized(&reader);
	out->cut = get_sized(&reader);
	out->entry_count = tl_get_u32(&reader);
	out->entries = tl_get_span(&reader,
							   (size_t) out->entry_count * TL_BLOCK_ENTRY_SIZE);
	status = tl_reader_finish(&reader);
	if (status != TL_OK)
		return status;
	return check_proposal(out);
}

static TlStatus
check_row(const TlLogRow *row)
{
	static const TlHash zeros;
	bool		outside = (row->sequence == 0);
	bool		first = (row->sequence <= 1);

	if (row->member == 0)
		return TL_BAD_FORMAT;
	if (row->kind < TL_LOG_BATCH || row->kind > TL_LOG_REQUEST)
		return TL_BAD_FORMAT;
	if (outside != (row->kind == TL_LOG_REPLY || row->kind == TL_LOG_REQUEST))
		return TL_BAD_FORMAT;
	if (first != (memcmp(&row->previous, &zeros, sizeof(zeros)) == 0))
		return TL_BAD_FORMAT;
	if (row->payload.size > TL_LOG_PAYLOAD_SIZE_MAX)
		return TL_TOO_LARGE;
	return TL_OK;
}

static TlStatus
check_proposal(const TlProposal *proposal)
{
	TlReader	reader;
	const uint8_t *entries = proposal->entries.data;

	tl_reader_init(&reader, proposal->gaps.data, proposal->gaps.size);
	for (int i = 0; i < proposal->gap_count && !reader.truncated; i++)
		(void) get_sized(&reader);
	if (tl_reader_finish(&reader) != TL_OK)
		return TL_BAD_FORMAT;
	if (proposal->entries.size !=
		(size_t) proposal->entry_count * TL_BLOCK_ENTRY_SIZE)
		return TL_BAD_FORMAT;
	for (uint32_t i = 1; i < proposal->entry_count; i++)
	{
		if (memcmp(entries + (size_t) (i - 1) * TL_BLOCK_ENTRY_SIZE + 1,
				   entries + (size_t) i * TL_BLOCK_ENTRY_SIZE + 1,
				   TL_HASH_SIZE) >= 0)
			return TL_BAD_ORDER;
	}
	return TL_OK;
}

static void
put_sized(TlWriter *writer, TlSpan span)
{
	tl_put_u32(writer, (uint32_t) span.size);
	tl_put_bytes(writer, span.data, span.size);
}

static TlSpan
get_sized(TlReader *reader)
{
	return tl_get_span(reader, tl_get_u32(reader));
}
