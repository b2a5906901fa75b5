/*-------------------------------------------------------------------------
 *
 * consensus_restart.c
 *	  RESTART: a ledger goes on after more than f members are lost.
 *
 * With fewer than a quorum left nothing can become final any more.  Then those
 * who are left agree outside the ledger where it ends and with whom it goes on,
 * and sign that with keys that they keep offline.  A new ledger begins, whose
 * genesis holds what they signed; receipts of the old one are checked under the
 * old chain id as before.
 *
 *		offset	size	field
 *		0		1		format, 1
 *		1		32		chain id of the ledger that ends
 *		33		4 + h	header of its last final block, after its size
 *		...		4 + g	genesis body of the ledger that begins, after its size
 *		...		4		its founder, a member
 *		...		8		time of its genesis, us since 1970 UTC
 *		...		4 + r	the reason, UTF-8, after its size, at most 1,024
 *		...		2		signature count s
 *		...		68 s	per signer, ascending: member u32, signature 64
 *
 * Signed is Hash("telco_ledger/1/restart" || all before the signature count).
 * The new genesis holds that digest, so whoever signs besides changes nothing.
 *
 * Invariants
 *	  X1  it names the ledger and a block of it
 *	  X2  the block is of the set that signs
 *	  X3  a quorum of that set has signed, each member once; of two members one
 *	  X4  (chain_restart.c) the new genesis is later than the last block, and a
 *		  single one of two who signs is a validator of the new set
 *
 * Pure code: no PostgreSQL, no allocation, no clock.
 *
 *-------------------------------------------------------------------------
 */
#include "consensus_restart.h"

#include "crypto_hash.h"

#include <string.h>

#define RESTART_FORMAT			1
#define RESTART_TAG				"telco_ledger/1/restart"
#define STATEMENT_PIECES		6
#define STATEMENT_SIZE_SMALL	57	/* without header, genesis and reason */

static void lay_out(TlSpan pieces[STATEMENT_PIECES],
					uint8_t small[STATEMENT_SIZE_SMALL],
					const TlRestart *restart);
static TlSpan written_since(const TlWriter *writer, const uint8_t *start);
static TlStatus check_restart(const TlRestart *restart);
static const uint8_t *find_key(const TlRecoveryMember *validators,
							   unsigned count, uint32_t member);

TlStatus
tl_consensus_restart_encode(TlWriter *writer, const TlRestart *restart)
{
	uint8_t		small[STATEMENT_SIZE_SMALL];
	TlSpan		pieces[STATEMENT_PIECES];
	TlStatus	status = check_restart(restart);

	if (status != TL_OK)
		return status;
	lay_out(pieces, small, restart);
	for (int i = 0; i < STATEMENT_PIECES; i++)
		tl_put_bytes(writer, pieces[i].data, pieces[i].size);
	tl_put_u16(writer, restart->signature_count);
	tl_put_bytes(writer, restart->signatures.data, restart->signatures.size);
	return tl_writer_finish(writer);
}

TlStatus
tl_consensus_restart_decode(TlRestart *out, const void *data, size_t size)
{
	TlReader	reader;
	TlStatus	status;

	memset(out, 0, sizeof(*out));
	if (size > TL_LOG_PAYLOAD_SIZE_MAX)
		return TL_TOO_LARGE;
	tl_reader_init(&reader, data, size);
	if (tl_get_u8(&reader) != RESTART_FORMAT)
		return reader.truncated ? TL_TRUNCATED : TL_BAD_VERSION;
	tl_get_hash(&reader, &out->chain_id);
	out->last = tl_get_span(&reader, tl_get_u32(&reader));
	out->genesis = tl_get_span(&reader, tl_get_u32(&reader));
	out->founder = tl_get_u32(&reader);
	out->time = tl_get_i64(&reader);
	out->reason = tl_get_span(&reader, tl_get_u32(&reader));
	out->signature_count = tl_get_u16(&reader);
	out->signatures = tl_get_span(&reader, (size_t) out->signature_count *
								  TL_RESTART_SIGNATURE_SIZE);
	status = tl_reader_finish(&reader);
	if (status != TL_OK)
		return status;
	return check_restart(out);
}

TlStatus
tl_consensus_restart_digest(TlHash *out, const TlRestart *restart)
{
	uint8_t		small[STATEMENT_SIZE_SMALL];
	TlSpan		pieces[STATEMENT_PIECES];
	TlSha256	hash;

	if (restart->reason.size > TL_RESTART_REASON_SIZE_MAX)
		return TL_TOO_LARGE;
	lay_out(pieces, small, restart);
	tl_crypto_sha256_init(&hash);
	tl_crypto_sha256_update(&hash, RESTART_TAG, strlen(RESTART_TAG));
	for (int i = 0; i < STATEMENT_PIECES; i++)
	{
		if (pieces[i].size > 0)
			tl_crypto_sha256_update(&hash, pieces[i].data, pieces[i].size);
	}
	tl_crypto_sha256_final(&hash, out);
	return TL_OK;
}

void
tl_consensus_restart_put_signature(TlWriter *writer, uint32_t member,
								   const uint8_t signature[TL_SIGNATURE_SIZE])
{
	tl_put_u32(writer, member);
	tl_put_bytes(writer, signature, TL_SIGNATURE_SIZE);
}

TlStatus
tl_consensus_restart_get_signature(uint32_t *member,
								   uint8_t signature[TL_SIGNATURE_SIZE],
								   const TlRestart *restart, unsigned index)
{
	TlReader	reader;

	if (index >= restart->signature_count ||
		restart->signatures.size / TL_RESTART_SIGNATURE_SIZE !=
		restart->signature_count)
		return TL_BUG;
	tl_reader_init(&reader, restart->signatures.data +
				   (size_t) index * TL_RESTART_SIGNATURE_SIZE,
				   TL_RESTART_SIGNATURE_SIZE);
	*member = tl_get_u32(&reader);
	tl_get_bytes(&reader, signature, TL_SIGNATURE_SIZE);
	return tl_reader_finish(&reader);
}

unsigned
tl_consensus_restart_quorum(unsigned validator_count,
							unsigned quorum_of_three)
{
	if (validator_count == 2)
		return 1;
	return tl_consensus_quorum(validator_count, quorum_of_three);
}

TlStatus
tl_consensus_restart_judge(const TlRestart *restart, const TlHash *chain_id,
						   const TlHash *members_hash,
						   const TlRecoveryMember *validators,
						   unsigned validator_count,
						   unsigned quorum_of_three,
						   TlSignatureCheck check, void *context)
{
	TlBlockHeader last;
	TlHash		named;
	TlHash		digest;
	TlStatus	status = check_restart(restart);

	if (status == TL_OK)
		status = tl_chain_block_decode(&last, restart->last.data,
									   restart->last.size);
	if (status == TL_OK)
		status = tl_consensus_restart_digest(&digest, restart);
	if (status != TL_OK)
		return status;
	tl_chain_block_chain_id(&named, &last);
	if (memcmp(&restart->chain_id, chain_id, TL_HASH_SIZE) != 0 ||
		memcmp(&named, chain_id, TL_HASH_SIZE) != 0 ||
		memcmp(&last.members_hash, members_hash, TL_HASH_SIZE) != 0)
		return TL_CHAIN_DAMAGED;
	if (restart->signature_count <
		tl_consensus_restart_quorum(validator_count, quorum_of_three))
		return TL_BAD_ORDER;
	for (unsigned i = 0; i < restart->signature_count; i++)
	{
		uint8_t		signature[TL_SIGNATURE_SIZE];
		const uint8_t *key;
		uint32_t	member;

		status = tl_consensus_restart_get_signature(&member, signature, restart,
													i);
		if (status != TL_OK)
			return status;
		key = find_key(validators, validator_count, member);
		if (key == NULL)
			return TL_BAD_ORDER;
		if (!check(context, signature, &digest, key))
			return TL_BAD_SIGNATURE;
	}
	return TL_OK;
}

/*
 * All before the signature count, in pieces: a genesis body may be too large for
 * a copy.  What is no span of its own goes into small.
 */
static void
lay_out(TlSpan pieces[STATEMENT_PIECES], uint8_t small[STATEMENT_SIZE_SMALL],
		const TlRestart *restart)
{
	TlWriter	writer;

	tl_writer_init(&writer, small, STATEMENT_SIZE_SMALL);
	tl_put_u8(&writer, RESTART_FORMAT);
	tl_put_hash(&writer, &restart->chain_id);
	tl_put_u32(&writer, (uint32_t) restart->last.size);
	pieces[0] = written_since(&writer, small);
	tl_put_u32(&writer, (uint32_t) restart->genesis.size);
	pieces[2] = written_since(&writer, pieces[0].data + pieces[0].size);
	tl_put_u32(&writer, restart->founder);
	tl_put_i64(&writer, restart->time);
	tl_put_u32(&writer, (uint32_t) restart->reason.size);
	pieces[4] = written_since(&writer, pieces[2].data + pieces[2].size);
	pieces[1] = restart->last;
	pieces[3] = restart->genesis;
	pieces[5] = restart->reason;
}

static TlSpan
written_since(const TlWriter *writer, const uint8_t *start)
{
	TlSpan		span;

	span.data = start;
	span.size = (size_t) (writer->data + writer->size - start);
	return span;
}

static TlStatus
check_restart(const TlRestart *restart)
{
	uint32_t	before = 0;

	if (restart->founder == 0 || restart->last.size != TL_BLOCK_HEADER_SIZE ||
		restart->genesis.size == 0)
		return TL_BAD_FORMAT;
	if (restart->reason.size > TL_RESTART_REASON_SIZE_MAX ||
		restart->genesis.size > TL_LOG_PAYLOAD_SIZE_MAX / 2 ||
		restart->signature_count > TL_MEMBER_COUNT_MAX)
		return TL_TOO_LARGE;
	if (restart->signatures.size !=
		(size_t) restart->signature_count * TL_RESTART_SIGNATURE_SIZE)
		return TL_BAD_FORMAT;
	for (unsigned i = 0; i < restart->signature_count; i++)
	{
		uint8_t		signature[TL_SIGNATURE_SIZE];
		uint32_t	member;
		TlStatus	status = tl_consensus_restart_get_signature(&member,
																signature,
																restart, i);

		if (status != TL_OK)
			return status;
		if (member <= before)
			return TL_BAD_ORDER;
		before = member;
	}
	return TL_OK;
}

static const uint8_t *
find_key(const TlRecoveryMember *validators, unsigned count, uint32_t member)
{
	for (unsigned i = 0; i < count; i++)
	{
		if (validators[i].member == member)
			return validators[i].recovery_key;
	}
	return NULL;
}
