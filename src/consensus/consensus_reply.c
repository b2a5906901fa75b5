/*-------------------------------------------------------------------------
 *
 * consensus_reply.c
 *	  Payloads of REQUEST and REPLY: what a member asks who has lost memory.
 *
 * Both are rows outside their author's log (sequence 0): they are kept apart,
 * and a member who has lost his log can still sign the first of them.
 *
 * REQUEST; the row has the nonce of the incarnation that shall begin:
 *
 *		offset	size	field
 *		0		1		format, 1
 *		1		16		nonce of the incarnation that ends, as the one who is
 *						asked has shown it
 *		17		4		how often he has replied to this member, as he has shown
 *
 * REPLY; the row has the epoch and view in which its author is:
 *
 *		offset	size	field
 *		0		1		format, 1
 *		1		4		member who asks
 *		5		16		nonce of his REQUEST row
 *		21		4		how often its author had replied to him before
 *		25		8		height of the last final block handed over
 *		33		1		1 if a block that changes the members is notarized and
 *						not final, else 0
 *		34		1		reason for the view: 0 it is the first of the epoch, 1 the
 *						certificate below, 2 the author's own REJOIN
 *		35		1		1 if a row of the asker follows
 *		36		0, 173	the newest row of the asker that is stored, as in
 *						EVIDENCE
 *		.		4		size n of the certificate
 *		.		n		of the view before, of any kind; empty unless reason is 1
 *
 * Pure code: no PostgreSQL, no allocation.
 *
 *-------------------------------------------------------------------------
 */
#include "consensus_reply.h"

#include <string.h>

#define REQUEST_FORMAT	1
#define REPLY_FORMAT	1

static TlStatus check_reply(const TlReply *reply);

TlStatus
tl_consensus_request_encode(TlWriter *writer,
							const TlRequest *request)
{
	tl_put_u8(writer, REQUEST_FORMAT);
	tl_put_bytes(writer, request->before, TL_NONCE_SIZE);
	tl_put_u32(writer, request->ticket);
	return tl_writer_finish(writer);
}

TlStatus
tl_consensus_request_decode(TlRequest *out, const void *data, size_t size)
{
	TlReader	reader;

	memset(out, 0, sizeof(*out));
	tl_reader_init(&reader, data, size);
	if (tl_get_u8(&reader) != REQUEST_FORMAT)
		return reader.truncated ? TL_TRUNCATED : TL_BAD_VERSION;
	tl_get_bytes(&reader, out->before, TL_NONCE_SIZE);
	out->ticket = tl_get_u32(&reader);
	return tl_reader_finish(&reader);
}

TlStatus
tl_consensus_reply_encode(TlWriter *writer, const TlReply *reply)
{
	TlStatus	status = check_reply(reply);

	if (status != TL_OK)
		return status;
	tl_put_u8(writer, REPLY_FORMAT);
	tl_put_u32(writer, reply->asker);
	tl_put_bytes(writer, reply->request, TL_NONCE_SIZE);
	tl_put_u32(writer, reply->ticket);
	tl_put_u64(writer, reply->final_height);
	tl_put_u8(writer, reply->changing);
	tl_put_u8(writer, reply->reason);
	tl_put_u8(writer, reply->seen);
	if (reply->seen)
		tl_consensus_evidence_put_row(writer, &reply->last);
	tl_put_u32(writer, (uint32_t) reply->certificate.size);
	tl_put_bytes(writer, reply->certificate.data, reply->certificate.size);
	return tl_writer_finish(writer);
}

TlStatus
tl_consensus_reply_decode(TlReply *out, const void *data, size_t size)
{
	TlReader	reader;
	uint8_t		changing;
	uint8_t		seen;
	TlStatus	status;

	memset(out, 0, sizeof(*out));
	tl_reader_init(&reader, data, size);
	if (tl_get_u8(&reader) != REPLY_FORMAT)
		return reader.truncated ? TL_TRUNCATED : TL_BAD_VERSION;
	out->asker = tl_get_u32(&reader);
	tl_get_bytes(&reader, out->request, TL_NONCE_SIZE);
	out->ticket = tl_get_u32(&reader);
	out->final_height = tl_get_u64(&reader);
	changing = tl_get_u8(&reader);
	out->reason = tl_get_u8(&reader);
	seen = tl_get_u8(&reader);
	if (changing > 1 || seen > 1)
		return TL_BAD_FORMAT;
	out->changing = (changing == 1);
	out->seen = (seen == 1);
	if (out->seen)
		tl_consensus_evidence_get_row(&reader, &out->last);
	out->certificate = tl_get_span(&reader, tl_get_u32(&reader));
	status = tl_reader_finish(&reader);
	if (status != TL_OK)
		return status;
	return check_reply(out);
}

static TlStatus
check_reply(const TlReply *reply)
{
	if (reply->asker == 0 || reply->reason > TL_REPLY_REJOINED ||
		reply->ticket == UINT32_MAX)
		return TL_BAD_FORMAT;
	if ((reply->reason == TL_REPLY_CERTIFIED) != (reply->certificate.size > 0))
		return TL_BAD_FORMAT;
	if (reply->seen && (reply->last.row.member != reply->asker ||
						reply->last.row.sequence == 0))
		return TL_BAD_FORMAT;
	if (reply->certificate.size > TL_LOG_PAYLOAD_SIZE_MAX)
		return TL_TOO_LARGE;
	return TL_OK;
}
