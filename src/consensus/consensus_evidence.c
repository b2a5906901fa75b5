/*-------------------------------------------------------------------------
 *
 * consensus_evidence.c
 *	  Two signed rows that contradict each other.
 *
 * Payload of EVIDENCE, integers big-endian:
 *
 *		offset	size	field
 *		0		1		format, 1
 *		1		1		kind, 1 to 5 (consensus_evidence.h)
 *		2		173		a row: member u32, nonce 16, sequence u64, digest of the
 *						row before 32, kind u8, epoch u64, view u64, payload
 *						digest 32, signature 64
 *		175		173		the other row
 *
 * Rows ascend by digest, so that one contradiction has one encoding.  A row's
 * digest covers its payload by the payload's digest, therefore the payload is
 * not needed to convict: a PROPOSE of a megabyte is evidence in 173 bytes.
 *
 * Invariants
 *	  E0  both rows are of one member and one chain, and differ
 *	  E6  nothing but these bytes and the member's key decides
 *
 * Pure code: no PostgreSQL, no allocation.
 * Used by the core, and by whoever judges.
 *
 *-------------------------------------------------------------------------
 */
#include "consensus_evidence.h"

#include <string.h>

#define EVIDENCE_FORMAT		1

static TlEvidenceKind contradict(const TlEvidenceRow *left,
								 const TlEvidenceRow *right);
static void put_row(TlWriter *writer, const TlEvidenceRow *row);
static void get_row(TlReader *reader, TlEvidenceRow *row);

void
tl_consensus_evidence_row(TlEvidenceRow *out, const TlLogRow *row)
{
	out->row = *row;
	tl_consensus_payload_digest(&out->payload_digest, row->kind, row->payload);
	out->row.payload.data = NULL;
	out->row.payload.size = 0;
}

TlEvidenceKind
tl_consensus_evidence_make(TlEvidence *out, const TlHash *chain_id,
						   const TlEvidenceRow *left,
						   const TlEvidenceRow *right)
{
	TlHash		digests[2];
	int			order;

	memset(out, 0, sizeof(*out));
	tl_consensus_row_digest_of(&digests[0], chain_id, &left->row,
							   &left->payload_digest);
	tl_consensus_row_digest_of(&digests[1], chain_id, &right->row,
							   &right->payload_digest);
	order = memcmp(digests[0].bytes, digests[1].bytes, TL_HASH_SIZE);
	if (order == 0)
		return TL_EVIDENCE_NONE;
	out->kind = (uint8_t) contradict(left, right);
	out->rows[0] = (order < 0) ? *left : *right;
	out->rows[1] = (order < 0) ? *right : *left;
	return (TlEvidenceKind) out->kind;
}

TlStatus
tl_consensus_evidence_encode(TlWriter *writer, const TlEvidence *evidence)
{
	if (evidence->kind == TL_EVIDENCE_NONE ||
		evidence->kind > TL_EVIDENCE_FINALIZE)
		return TL_BAD_FORMAT;
	tl_put_u8(writer, EVIDENCE_FORMAT);
	tl_put_u8(writer, evidence->kind);
	put_row(writer, &evidence->rows[0]);
	put_row(writer, &evidence->rows[1]);
	return tl_writer_finish(writer);
}

TlStatus
tl_consensus_evidence_decode(TlEvidence *out, const TlHash *chain_id,
							 const void *data, size_t size)
{
	TlEvidence	again;
	TlReader	reader;
	TlStatus	status;

	memset(out, 0, sizeof(*out));
	tl_reader_init(&reader, data, size);
	if (tl_get_u8(&reader) != EVIDENCE_FORMAT)
		return reader.truncated ? TL_TRUNCATED : TL_BAD_VERSION;
	out->kind = tl_get_u8(&reader);
	get_row(&reader, &out->rows[0]);
	get_row(&reader, &out->rows[1]);
	status = tl_reader_finish(&reader);
	if (status != TL_OK)
		return status;
	if (tl_consensus_evidence_make(&again, chain_id, &out->rows[0],
								   &out->rows[1]) != out->kind ||
		again.kind == TL_EVIDENCE_NONE)
		return TL_BAD_PROOF;
	if (memcmp(again.rows[0].row.signature, out->rows[0].row.signature,
			   TL_SIGNATURE_SIZE) != 0)
		return TL_BAD_ORDER;
	return TL_OK;
}

/* NOTARIZE and NULLIFY in one view do not: R4 allows it. */
static TlEvidenceKind
contradict(const TlEvidenceRow *left, const TlEvidenceRow *right)
{
	const TlLogRow *a = &left->row;
	const TlLogRow *b = &right->row;
	bool		same_payload = memcmp(left->payload_digest.bytes,
									  right->payload_digest.bytes,
									  TL_HASH_SIZE) == 0;

	if (a->member != b->member)
		return TL_EVIDENCE_NONE;
	if (a->sequence == b->sequence &&
		memcmp(a->nonce, b->nonce, TL_NONCE_SIZE) == 0)
		return TL_EVIDENCE_FORK;
	if (a->epoch != b->epoch || a->view != b->view)
		return TL_EVIDENCE_NONE;
	if ((a->kind == TL_LOG_FINALIZE && b->kind == TL_LOG_NULLIFY) ||
		(a->kind == TL_LOG_NULLIFY && b->kind == TL_LOG_FINALIZE))
		return TL_EVIDENCE_PHASE;
	if (a->kind != b->kind)
		return TL_EVIDENCE_NONE;
	if (a->kind == TL_LOG_PROPOSE)
		return TL_EVIDENCE_PROPOSE;
	if (a->kind == TL_LOG_NOTARIZE && !same_payload)
		return TL_EVIDENCE_NOTARIZE;
	if (a->kind == TL_LOG_FINALIZE && !same_payload)
		return TL_EVIDENCE_FINALIZE;
	return TL_EVIDENCE_NONE;
}

static void
put_row(TlWriter *writer, const TlEvidenceRow *row)
{
	tl_put_u32(writer, row->row.member);
	tl_put_bytes(writer, row->row.nonce, TL_NONCE_SIZE);
	tl_put_u64(writer, row->row.sequence);
	tl_put_hash(writer, &row->row.previous);
	tl_put_u8(writer, row->row.kind);
	tl_put_u64(writer, row->row.epoch);
	tl_put_u64(writer, row->row.view);
	tl_put_hash(writer, &row->payload_digest);
	tl_put_bytes(writer, row->row.signature, TL_SIGNATURE_SIZE);
}

static void
get_row(TlReader *reader, TlEvidenceRow *row)
{
	row->row.member = tl_get_u32(reader);
	tl_get_bytes(reader, row->row.nonce, TL_NONCE_SIZE);
	row->row.sequence = tl_get_u64(reader);
	tl_get_hash(reader, &row->row.previous);
	row->row.kind = tl_get_u8(reader);
	row->row.epoch = tl_get_u64(reader);
	row->row.view = tl_get_u64(reader);
	tl_get_hash(reader, &row->payload_digest);
	tl_get_bytes(reader, row->row.signature, TL_SIGNATURE_SIZE);
}
