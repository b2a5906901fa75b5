/*-------------------------------------------------------------------------
 *
 * consensus_certificate.c
 *	  A quorum of equal votes, judged by its own bytes; what a quorum is.
 *
 * Integers big-endian:
 *
 *		offset	size	field
 *		0		1		format, 1
 *		1		1		kind: 4 NOTARIZE, 5 FINALIZE, 6 NULLIFY, 8 STATE
 *		2		8		epoch
 *		10		8		view
 *		18		32		block hash, zeros for NULLIFY
 *		50		2		vote count v
 *		52		124 * v	per vote, ascending by member: member u32, nonce 16,
 *						sequence u64, digest of the row before 32, signature 64
 *
 * One of STATE has height u64, state root 32 and outcome root 32 before the vote
 * count, which then stands at 122; its view is that of the block.
 *
 * Each vote is a row of its author's log; kind, epoch, view and payload are the
 * certificate's, so the row digest can be computed and the signature checked
 * long after the logs are gone.
 *
 * Invariants
 *	  C1  one member counts once
 *	  C2  every vote in it is valid, also those beyond the quorum
 *	  C3  nothing but these bytes and the members decides: a certificate is
 *		  never refused for what this node saw elsewhere
 *
 * Pure code: no PostgreSQL, no allocation.
 * Used by the worker, by proof and by contrib/verifier.
 *
 *-------------------------------------------------------------------------
 */
#include "consensus_certificate.h"

#include "consensus_payload.h"
#include "consensus_rule.h"

#include <string.h>

#define CERTIFICATE_FORMAT	1

static TlStatus check_certificate(const TlCertificate *certificate);
static bool verify_vote(const TlCertificate *certificate, const TlVote *vote,
						const TlHash *chain_id, const uint8_t *row_key);
static const uint8_t *find_key(const TlValidator *validators, unsigned count,
							   uint32_t member);

unsigned
tl_consensus_faults(unsigned validator_count)
{
	return (validator_count == 0) ? 0 : (validator_count - 1) / 3;
}

unsigned
tl_consensus_quorum(unsigned validator_count, unsigned quorum_of_three)
{
	if (validator_count == 3)
		return (quorum_of_three == 2) ? 2 : 3;
	return (validator_count + tl_consensus_faults(validator_count)) / 2 + 1;
}

TlStatus
tl_consensus_certificate_encode(TlWriter *writer,
								const TlCertificate *certificate)
{
	TlStatus	status = check_certificate(certificate);

	if (status != TL_OK)
		return status;
	tl_put_u8(writer, CERTIFICATE_FORMAT);
	tl_put_u8(writer, certificate->kind);
	tl_put_u64(writer, certificate->epoch);
	tl_put_u64(writer, certificate->view);
	tl_put_hash(writer, &certificate->block);
	if (certificate->kind == TL_LOG_STATE)
	{
		tl_put_u64(writer, certificate->height);
		tl_put_hash(writer, &certificate->state_root);
		tl_put_hash(writer, &certificate->outcome_root);
	}
	tl_put_u16(writer, certificate->vote_count);
	tl_put_bytes(writer, certificate->votes.data, certificate->votes.size);
	return tl_writer_finish(writer);
}

TlStatus
tl_consensus_certificate_decode(TlCertificate *out,
								const void *data, size_t size)
{
	TlReader	reader;
	TlStatus	status;

	memset(out, 0, sizeof(*out));
	tl_reader_init(&reader, data, size);
	if (tl_get_u8(&reader) != CERTIFICATE_FORMAT)
		return reader.truncated ? TL_TRUNCATED : TL_BAD_VERSION;
	out->kind = tl_get_u8(&reader);
	out->epoch = tl_get_u64(&reader);
	out->view = tl_get_u64(&reader);
	tl_get_hash(&reader, &out->block);
	if (out->kind == TL_LOG_STATE)
	{
		out->height = tl_get_u64(&reader);
		tl_get_hash(&reader, &out->state_root);
		tl_get_hash(&reader, &out->outcome_root);
	}
	out->vote_count = tl_get_u16(&reader);
	out->votes = tl_get_span(&reader, (size_t) out->vote_count *
							 TL_CERTIFICATE_VOTE_SIZE);
	status = tl_reader_finish(&reader);
	if (status != TL_OK)
		return status;
	return check_certificate(out);
}

void
tl_consensus_certificate_put_vote(TlWriter *writer, const TlVote *vote)
{
	tl_put_u32(writer, vote->member);
	tl_put_bytes(writer, vote->nonce, TL_NONCE_SIZE);
	tl_put_u64(writer, vote->sequence);
	tl_put_hash(writer, &vote->previous);
	tl_put_bytes(writer, vote->signature, TL_SIGNATURE_SIZE);
}

TlStatus
tl_consensus_certificate_get_vote(TlVote *out,
								  const TlCertificate *certificate,
								  unsigned index)
{
	TlReader	reader;

	memset(out, 0, sizeof(*out));
	if (index >= certificate->vote_count ||
		certificate->votes.size / TL_CERTIFICATE_VOTE_SIZE !=
		certificate->vote_count)
		return TL_BUG;
	tl_reader_init(&reader, certificate->votes.data +
				   (size_t) index * TL_CERTIFICATE_VOTE_SIZE,
				   TL_CERTIFICATE_VOTE_SIZE);
	out->member = tl_get_u32(&reader);
	tl_get_bytes(&reader, out->nonce, TL_NONCE_SIZE);
	out->sequence = tl_get_u64(&reader);
	tl_get_hash(&reader, &out->previous);
	tl_get_bytes(&reader, out->signature, TL_SIGNATURE_SIZE);
	return tl_reader_finish(&reader);
}

TlStatus
tl_consensus_certificate_payload(TlWriter *writer,
								 const TlCertificate *certificate)
{
	TlState		state;

	if (certificate->kind == TL_LOG_NULLIFY)
		return TL_OK;
	if (certificate->kind != TL_LOG_STATE)
	{
		tl_consensus_vote_encode(writer, &certificate->block);
		return tl_writer_finish(writer);
	}
	state.height = certificate->height;
	state.block = certificate->block;
	state.state_root = certificate->state_root;
	state.outcome_root = certificate->outcome_root;
	return tl_consensus_state_encode(writer, &state);
}

void
tl_consensus_certificate_row_vote(TlVote *out, const TlLogRow *row)
{
	memset(out, 0, sizeof(*out));
	out->member = row->member;
	memcpy(out->nonce, row->nonce, TL_NONCE_SIZE);
	out->sequence = row->sequence;
	out->previous = row->previous;
	memcpy(out->signature, row->signature, TL_SIGNATURE_SIZE);
}

TlStatus
tl_consensus_certificate_vote_row(TlLogRow *out,
								  const TlCertificate *certificate,
								  const TlVote *vote,
								  uint8_t payload[TL_CERTIFICATE_PAYLOAD_SIZE_MAX])
{
	TlWriter	writer;
	TlStatus	status;

	memset(out, 0, sizeof(*out));
	tl_writer_init(&writer, payload, TL_CERTIFICATE_PAYLOAD_SIZE_MAX);
	status = tl_consensus_certificate_payload(&writer, certificate);
	if (status != TL_OK)
		return status;
	out->member = vote->member;
	memcpy(out->nonce, vote->nonce, TL_NONCE_SIZE);
	out->sequence = vote->sequence;
	out->previous = vote->previous;
	out->kind = certificate->kind;
	out->epoch = certificate->epoch;
	out->view = certificate->view;
	out->payload.data = payload;
	out->payload.size = writer.size;
	memcpy(out->signature, vote->signature, TL_SIGNATURE_SIZE);
	return TL_OK;
}

bool
tl_consensus_certificate_verify(const TlCertificate *certificate,
								const TlHash *chain_id,
								const TlValidator *validators,
								unsigned validator_count,
								unsigned quorum_of_three)
{
	if (check_certificate(certificate) != TL_OK)
		return false;
	if (certificate->vote_count < tl_consensus_quorum(validator_count,
													  quorum_of_three))
		return false;
	for (unsigned i = 0; i < certificate->vote_count; i++)
	{
		TlVote		vote;
		const uint8_t *row_key;

		if (tl_consensus_certificate_get_vote(&vote, certificate, i) != TL_OK)
			return false;
		row_key = find_key(validators, validator_count, vote.member);
		if (row_key == NULL)
			return false;
		if (!verify_vote(certificate, &vote, chain_id, row_key))
			return false;
	}
	return true;
}

static TlStatus
check_certificate(const TlCertificate *certificate)
{
	static const TlHash zeros;
	uint32_t	member = 0;

	if (certificate->kind != TL_LOG_NOTARIZE &&
		certificate->kind != TL_LOG_FINALIZE &&
		certificate->kind != TL_LOG_NULLIFY &&
		certificate->kind != TL_LOG_STATE)
		return TL_BAD_FORMAT;
	if ((certificate->kind == TL_LOG_STATE) != (certificate->height > 0))
		return TL_BAD_FORMAT;
	if ((certificate->kind == TL_LOG_NULLIFY) !=
		(memcmp(&certificate->block, &zeros, sizeof(zeros)) == 0))
		return TL_BAD_FORMAT;
	if (certificate->vote_count > TL_MEMBER_COUNT_MAX)
		return TL_TOO_LARGE;
	if (certificate->votes.size !=
		(size_t) certificate->vote_count * TL_CERTIFICATE_VOTE_SIZE)
		return TL_BAD_FORMAT;
	for (unsigned i = 0; i < certificate->vote_count; i++)
	{
		TlVote		vote;
		TlStatus	status = tl_consensus_certificate_get_vote(&vote,
															   certificate, i);

		if (status != TL_OK)
			return status;
		if (vote.member < member || !TL_RULE(201, vote.member != member))
			return TL_BAD_ORDER;
		member = vote.member;
	}
	return TL_OK;
}

static bool
verify_vote(const TlCertificate *certificate, const TlVote *vote,
			const TlHash *chain_id, const uint8_t *row_key)
{
	uint8_t		payload[TL_CERTIFICATE_PAYLOAD_SIZE_MAX];
	TlLogRow	row;

	return tl_consensus_certificate_vote_row(&row, certificate, vote,
											 payload) == TL_OK &&
		tl_consensus_row_verify(&row, chain_id, row_key);
}

static const uint8_t *
find_key(const TlValidator *validators, unsigned count, uint32_t member)
{
	for (unsigned i = 0; i < count; i++)
	{
		if (validators[i].member == member)
			return validators[i].row_key;
	}
	return NULL;
}
