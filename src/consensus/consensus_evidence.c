/*-------------------------------------------------------------------------
 *
 * consensus_evidence.c
 *	  Signed rows that contradict each other, or the rules.
 *
 * Payload of EVIDENCE, integers big-endian:
 *
 *		offset	size	field
 *		0		1		format, 1
 *		1		1		kind, 1 to 5 or 7 (consensus_evidence.h)
 *		2		173		a row: member u32, nonce 16, sequence u64, digest of the
 *						row before 32, kind u8, epoch u64, view u64, payload
 *						digest 32, signature 64
 *		175		173		the other row
 *
 * Rows ascend by digest, so that one contradiction has one encoding.  A row's
 * digest covers its payload by the payload's digest, therefore the payload is
 * not needed to convict: a PROPOSE of a megabyte is evidence in 173 bytes.
 *
 * Of kind 6:
 *
 *		2		4 + n	a row (consensus_message.c), after its size
 *		6 + n	4 + h	header of the parent of the block that it proposes, after
 *						its size; empty if the row convicts itself
 *		...		4 + c	the parent's cut, after its size
 *
 * Invariants
 *	  N14 both rows are of one member and one chain, and differ
 *	  N15 nothing but these bytes and the member's key decides
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
static TlEvidenceKind below_floor(const TlLogRow *rejoin, const TlLogRow *vote);
static TlStatus encode_illegal(TlWriter *writer, const TlEvidence *evidence);
static TlStatus decode_illegal(TlEvidence *out, TlReader *reader);

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
		evidence->kind > TL_EVIDENCE_FLOOR)
		return TL_BAD_FORMAT;
	if (evidence->kind == TL_EVIDENCE_ILLEGAL)
		return encode_illegal(writer, evidence);
	tl_put_u8(writer, EVIDENCE_FORMAT);
	tl_put_u8(writer, evidence->kind);
	tl_consensus_evidence_put_row(writer, &evidence->rows[0]);
	tl_consensus_evidence_put_row(writer, &evidence->rows[1]);
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
	if (out->kind == TL_EVIDENCE_ILLEGAL)
		return decode_illegal(out, &reader);
	tl_consensus_evidence_get_row(&reader, &out->rows[0]);
	tl_consensus_evidence_get_row(&reader, &out->rows[1]);
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
	/* Outside of the log one place has many rows, and none of them is a vote. */
	if (a->sequence == 0 || b->sequence == 0)
		return TL_EVIDENCE_NONE;
	if (a->sequence == b->sequence &&
		memcmp(a->nonce, b->nonce, TL_NONCE_SIZE) == 0)
		return TL_EVIDENCE_FORK;
	if (a->kind == TL_LOG_REJOIN || b->kind == TL_LOG_REJOIN)
		return (a->kind == TL_LOG_REJOIN) ? below_floor(a, b) : below_floor(b, a);
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

/* R6: an incarnation votes in the view of its REJOIN and later. */
static TlEvidenceKind
below_floor(const TlLogRow *rejoin, const TlLogRow *vote)
{
	if (memcmp(rejoin->nonce, vote->nonce, TL_NONCE_SIZE) != 0 ||
		vote->kind < TL_LOG_PROPOSE || vote->kind > TL_LOG_NULLIFY)
		return TL_EVIDENCE_NONE;
	if (vote->epoch > rejoin->epoch ||
		(vote->epoch == rejoin->epoch && vote->view >= rejoin->view))
		return TL_EVIDENCE_NONE;
	return TL_EVIDENCE_FLOOR;
}

static TlStatus
encode_illegal(TlWriter *writer, const TlEvidence *evidence)
{
	if (evidence->row.size == 0 ||
		(evidence->parent_header.size == 0 && evidence->parent_cut.size > 0))
		return TL_BAD_FORMAT;
	tl_put_u8(writer, EVIDENCE_FORMAT);
	tl_put_u8(writer, evidence->kind);
	tl_put_u32(writer, (uint32_t) evidence->row.size);
	tl_put_bytes(writer, evidence->row.data, evidence->row.size);
	tl_put_u32(writer, (uint32_t) evidence->parent_header.size);
	tl_put_bytes(writer, evidence->parent_header.data,
				 evidence->parent_header.size);
	tl_put_u32(writer, (uint32_t) evidence->parent_cut.size);
	tl_put_bytes(writer, evidence->parent_cut.data, evidence->parent_cut.size);
	return tl_writer_finish(writer);
}

/* Format and kind are read.  The row has to be one, nothing more. */
static TlStatus
decode_illegal(TlEvidence *out, TlReader *reader)
{
	TlLogRow	row;
	TlStatus	status;

	out->row = tl_get_span(reader, tl_get_u32(reader));
	out->parent_header = tl_get_span(reader, tl_get_u32(reader));
	out->parent_cut = tl_get_span(reader, tl_get_u32(reader));
	status = tl_reader_finish(reader);
	if (status != TL_OK)
		return status;
	if (out->parent_header.size == 0 && out->parent_cut.size > 0)
		return TL_BAD_FORMAT;
	status = tl_consensus_row_decode(&row, out->row.data, out->row.size);
	if (status != TL_OK)
		return status;
	tl_consensus_evidence_row(&out->rows[0], &row);
	return TL_OK;
}

void
tl_consensus_evidence_put_row(TlWriter *writer, const TlEvidenceRow *row)
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

void
tl_consensus_evidence_get_row(TlReader *reader, TlEvidenceRow *row)
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
