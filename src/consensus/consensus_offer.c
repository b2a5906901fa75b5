/*-------------------------------------------------------------------------
 *
 * consensus_offer.c
 *	  Final blocks that a member shows another one: bytes.
 *
 * Nothing in them is signed but the finalizations: a block is bound by its hash,
 * which the block above it or a finalization names, and cut and entries by its
 * header.
 *
 * Pure code: no PostgreSQL, no allocation, no clock.
 *
 *-------------------------------------------------------------------------
 */
#include "consensus_offer.h"
#include "consensus_state.h"

#include <string.h>

#define FORMAT				1
#define PARTS				4	/* of a block, each after its size */
#define PART_SIZE_MAX		UINT16_MAX

static bool put_part(TlWriter *writer, TlSpan part);
static TlSpan get_part(TlReader *reader);

size_t
tl_consensus_offered_size(const TlOfferedBlock *block)
{
	return PARTS * sizeof(uint16_t) + block->header.size + block->cut.size +
		block->entries.size + block->certificate.size;
}

TlStatus
tl_consensus_offer_encode(TlWriter *writer, const TlOffer *offer)
{
	if (offer->count == 0 || offer->count > TL_OFFER_BLOCKS_MAX)
		return TL_BAD_FORMAT;
	tl_put_u8(writer, FORMAT);
	tl_put_u16(writer, (uint16_t) offer->count);
	for (unsigned i = 0; i < offer->count; i++)
	{
		const TlOfferedBlock *block = &offer->blocks[i];

		if (!put_part(writer, block->header) || !put_part(writer, block->cut) ||
			!put_part(writer, block->entries) || !put_part(writer, block->certificate))
			return TL_TOO_LARGE;
	}
	return (writer->size > TL_OFFER_SIZE_MAX) ? TL_TOO_LARGE : tl_writer_finish(writer);
}

TlStatus
tl_consensus_offer_decode(TlOffer *out, const void *data, size_t size)
{
	TlReader	reader;
	uint8_t		format;

	memset(out, 0, sizeof(*out));
	if (size > TL_OFFER_SIZE_MAX)
		return TL_TOO_LARGE;
	tl_reader_init(&reader, data, size);
	format = tl_get_u8(&reader);
	out->count = tl_get_u16(&reader);
	if (out->count > TL_OFFER_BLOCKS_MAX)
	{
		out->count = 0;
		return TL_TOO_LARGE;
	}
	for (unsigned i = 0; i < out->count; i++)
	{
		out->blocks[i].header = get_part(&reader);
		out->blocks[i].cut = get_part(&reader);
		out->blocks[i].entries = get_part(&reader);
		out->blocks[i].certificate = get_part(&reader);
	}
	if (tl_reader_finish(&reader) != TL_OK)
		return tl_reader_finish(&reader);
	return (format != FORMAT || out->count == 0) ? TL_BAD_FORMAT : TL_OK;
}

TlStatus
tl_consensus_offered_read(TlConsensusBlock *out, const TlOfferedBlock *block)
{
	TlStatus	status = tl_consensus_proposal_decode_block(out, block->header, block->cut);

	return status == TL_OK ? tl_consensus_proposal_decode_entries(out, block->entries) : status;
}

static bool
put_part(TlWriter *writer, TlSpan part)
{
	if (part.size > PART_SIZE_MAX)
		return false;
	tl_put_u16(writer, (uint16_t) part.size);
	tl_put_bytes(writer, part.data, part.size);
	return true;
}

static TlSpan
get_part(TlReader *reader)
{
	return tl_get_span(reader, tl_get_u16(reader));
}
