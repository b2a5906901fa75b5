/*-------------------------------------------------------------------------
 *
 * consensus_payload.c
 *	  Payloads of log rows beyond votes and proposals.
 *
 * Integers big-endian.  ACK:
 *
 *		offset	size	field
 *		0		1		format, 1
 *		1		16		instance: random, of the running copy of the node
 *		17		16		the instance that this one replaced, zeros if none
 *		33		8		height of the last final block handed over
 *		41		32		its hash
 *		73		4		size n of the lanes
 *		77		n		lanes that moved since the last ACK (chain_block.c, cut)
 *
 * STATE:
 *
 *		offset	size	field
 *		0		1		format, 1
 *		1		8		height of a block, from 1
 *		9		32		its hash
 *		41		32		state root after it
 *		73		32		root over outcomes, events and rejections since the
 *						checkpoint that the block's header names
 *		105
 *
 * Pure code: no PostgreSQL, no allocation.
 *
 *-------------------------------------------------------------------------
 */
#include "consensus_payload.h"

#include <string.h>

#define ACK_FORMAT		1
#define STATE_FORMAT	1

TlStatus
tl_consensus_ack_encode(TlWriter *writer, const TlAck *ack)
{
	tl_put_u8(writer, ACK_FORMAT);
	tl_put_bytes(writer, ack->instance, TL_NONCE_SIZE);
	tl_put_bytes(writer, ack->replaced, TL_NONCE_SIZE);
	tl_put_u64(writer, ack->final_height);
	tl_put_hash(writer, &ack->final_block);
	tl_put_u32(writer, (uint32_t) ack->lanes.size);
	tl_put_bytes(writer, ack->lanes.data, ack->lanes.size);
	return tl_writer_finish(writer);
}

TlStatus
tl_consensus_ack_decode(TlAck *out, const void *data, size_t size)
{
	TlReader	reader;

	memset(out, 0, sizeof(*out));
	tl_reader_init(&reader, data, size);
	if (tl_get_u8(&reader) != ACK_FORMAT)
		return reader.truncated ? TL_TRUNCATED : TL_BAD_VERSION;
	tl_get_bytes(&reader, out->instance, TL_NONCE_SIZE);
	tl_get_bytes(&reader, out->replaced, TL_NONCE_SIZE);
	out->final_height = tl_get_u64(&reader);
	tl_get_hash(&reader, &out->final_block);
	out->lanes = tl_get_span(&reader, tl_get_u32(&reader));
	return tl_reader_finish(&reader);
}

TlStatus
tl_consensus_state_encode(TlWriter *writer, const TlState *state)
{
	if (state->height == 0)
		return TL_BAD_FORMAT;
	tl_put_u8(writer, STATE_FORMAT);
	tl_put_u64(writer, state->height);
	tl_put_hash(writer, &state->block);
	tl_put_hash(writer, &state->state_root);
	tl_put_hash(writer, &state->outcome_root);
	return tl_writer_finish(writer);
}

TlStatus
tl_consensus_state_decode(TlState *out, const void *data, size_t size)
{
	TlReader	reader;
	TlStatus	status;

	memset(out, 0, sizeof(*out));
	tl_reader_init(&reader, data, size);
	if (tl_get_u8(&reader) != STATE_FORMAT)
		return reader.truncated ? TL_TRUNCATED : TL_BAD_VERSION;
	out->height = tl_get_u64(&reader);
	tl_get_hash(&reader, &out->block);
	tl_get_hash(&reader, &out->state_root);
	tl_get_hash(&reader, &out->outcome_root);
	status = tl_reader_finish(&reader);
	if (status == TL_OK && out->height == 0)
		status = TL_BAD_FORMAT;
	return status;
}
