/*-------------------------------------------------------------------------
 *
 * consensus_summary.c
 *	  What the rows of a member's log up to one of them amount to, so that a core
 *	  which is made anew need not be given all of them ("A start" in README.md).
 *
 * An ACK names the lanes that moved, so how far a member holds each lane is the sum
 * of all his ACKs, and no row has it alone; nor which of his copies live.  All else
 * that a core makes of rows below its base it makes of few of them.
 *
 * A summary is of the last row that the core has taken of that log.  The next core
 * is given it behind that row: before it other rows of the log may be given
 * once more, which say less.
 *
 * Pure code: no PostgreSQL, no allocation, no clock.
 *
 *-------------------------------------------------------------------------
 */
#include "consensus_state.h"

#include "consensus_summary.h"

#include <string.h>

#define FORMAT		1
#define KNOWN		1			/* flags */
#define DOUBLED		2

static bool is_of_last_row(const TlConsensus *core, const TlPeer *peer,
						   const TlLogSummary *summary);
static void put_lanes(TlWriter *writer, const TlLogSummary *summary);
static TlStatus get_lanes(TlReader *reader, TlLogSummary *out);

/* False if no row of another's log was taken. */
bool
tl_consensus_summary(const TlConsensus *core, uint32_t member, TlLogSummary *out)
{
	unsigned	count = core->config.member_count;
	unsigned	index = tl_consensus_index(core, member);
	const TlPeer *peer = &core->peers[index];

	if (index >= count || index == core->own.index || !peer->has_last)
		return false;
	memset(out, 0, sizeof(*out));
	out->member = member;
	memcpy(out->nonce, peer->last.row.nonce, TL_NONCE_SIZE);
	out->sequence = peer->last.row.sequence;
	tl_consensus_row_digest_of(&out->digest, &core->config.chain_id, &peer->last.row,
							   &peer->last.payload_digest);
	out->final_height = peer->final_height;
	out->known = peer->known;
	out->doubled = peer->doubled;
	memcpy(out->incarnation, peer->incarnation, TL_NONCE_SIZE);
	memcpy(out->instance, peer->instance, TL_NONCE_SIZE);
	if (peer->doubled)
		memcpy(out->other, peer->other, TL_NONCE_SIZE);
	for (unsigned lane = 0; lane < count; lane++)
	{
		const TlLane *ack = &core->acks[index * count + lane];

		if (ack->member != 0)
			out->lanes[out->lane_count++] = *ack;
	}
	return true;
}

/* TL_BAD_ORDER if its row is not the last that was taken of that log. */
TlStatus
tl_consensus_summary_input(TlConsensus *core, const TlLogSummary *summary)
{
	unsigned	count = core->config.member_count;
	unsigned	index = tl_consensus_index(core, summary->member);
	TlPeer	   *peer = &core->peers[index];

	if (index >= count || index == core->own.index ||
		!is_of_last_row(core, peer, summary))
		return TL_BAD_ORDER;
	peer->known = summary->known;
	peer->doubled = summary->doubled;
	memcpy(peer->incarnation, summary->incarnation, TL_NONCE_SIZE);
	memcpy(peer->instance, summary->instance, TL_NONCE_SIZE);
	memcpy(peer->other, summary->other, TL_NONCE_SIZE);
	for (unsigned i = 0; i < summary->lane_count; i++)
	{
		unsigned	lane = tl_consensus_index(core, summary->lanes[i].member);

		if (lane < count)		/* not of one who has left since */
			core->acks[index * count + lane] = summary->lanes[i];
	}
	for (unsigned lane = 0; lane < count; lane++)
		core->lanes[lane].stale = true;
	if (summary->final_height > peer->final_height)
	{
		peer->final_height = summary->final_height;
		tl_consensus_pace_acked(core, index);
	}
	return TL_OK;
}

static bool
is_of_last_row(const TlConsensus *core, const TlPeer *peer,
			   const TlLogSummary *summary)
{
	TlHash		digest;

	if (!peer->has_last)
		return false;
	tl_consensus_row_digest_of(&digest, &core->config.chain_id, &peer->last.row,
							   &peer->last.payload_digest);
	return tl_consensus_same(&digest, &summary->digest);
}

TlStatus
tl_consensus_summary_encode(TlWriter *writer, const TlLogSummary *summary)
{
	tl_put_u8(writer, FORMAT);
	tl_put_u32(writer, summary->member);
	tl_put_bytes(writer, summary->nonce, TL_NONCE_SIZE);
	tl_put_u64(writer, summary->sequence);
	tl_put_hash(writer, &summary->digest);
	tl_put_u64(writer, summary->final_height);
	tl_put_u8(writer, (uint8_t) ((summary->known ? KNOWN : 0) |
								 (summary->doubled ? DOUBLED : 0)));
	tl_put_bytes(writer, summary->incarnation, TL_NONCE_SIZE);
	tl_put_bytes(writer, summary->instance, TL_NONCE_SIZE);
	tl_put_bytes(writer, summary->other, TL_NONCE_SIZE);
	put_lanes(writer, summary);
	return tl_writer_finish(writer);
}

TlStatus
tl_consensus_summary_decode(TlLogSummary *out, const void *data, size_t size)
{
	static const uint8_t nobody[TL_NONCE_SIZE];
	TlReader	reader;
	TlStatus	status;
	uint8_t		flags;

	memset(out, 0, sizeof(*out));
	tl_reader_init(&reader, data, size);
	if (tl_get_u8(&reader) != FORMAT)
		return (size == 0) ? TL_TRUNCATED : TL_BAD_VERSION;
	out->member = tl_get_u32(&reader);
	tl_get_bytes(&reader, out->nonce, TL_NONCE_SIZE);
	out->sequence = tl_get_u64(&reader);
	tl_get_hash(&reader, &out->digest);
	out->final_height = tl_get_u64(&reader);
	flags = tl_get_u8(&reader);
	tl_get_bytes(&reader, out->incarnation, TL_NONCE_SIZE);
	tl_get_bytes(&reader, out->instance, TL_NONCE_SIZE);
	tl_get_bytes(&reader, out->other, TL_NONCE_SIZE);
	status = get_lanes(&reader, out);
	if (status == TL_OK)
		status = tl_reader_finish(&reader);
	if (status == TL_OK && ((flags & ~(KNOWN | DOUBLED)) != 0 ||
							((flags & DOUBLED) == 0 &&
							 memcmp(out->other, nobody, TL_NONCE_SIZE) != 0)))
		status = TL_BAD_FORMAT;
	out->known = (flags & KNOWN) != 0;
	out->doubled = (flags & DOUBLED) != 0;
	return status;
}

static void
put_lanes(TlWriter *writer, const TlLogSummary *summary)
{
	tl_put_u32(writer, summary->lane_count * TL_BLOCK_LANE_SIZE);
	(void) tl_chain_cut_encode(writer, summary->lanes, summary->lane_count);
}

static TlStatus
get_lanes(TlReader *reader, TlLogSummary *out)
{
	TlSpan		lanes = tl_get_span(reader, tl_get_u32(reader));

	return tl_chain_cut_decode(out->lanes, &out->lane_count, TL_MEMBER_COUNT_MAX,
							   lanes.data, lanes.size);
}
