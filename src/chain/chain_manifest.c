/*-------------------------------------------------------------------------
 *
 * chain_manifest.c
 *	  Which rows a section holds: their refs and fingerprints, packed.
 *
 * The manifest is this node's own memory of a batch, outside every hash: the
 * section's root is over the rows, and the manifest tells where to look for
 * them.  Entries in order of ref:
 *
 *		size	field
 *		1-10	varint: word = incarnation u16 << 48 | transaction u48, minus
 *				the word of the entry before (minus 0 in the first)
 *		1-5		varint: row, minus the row of the entry before if the word is
 *				the same
 *		4		first bytes of the row's leaf hash
 *
 * A varint is LEB128: seven bits a byte, low ones first, top bit set while more
 * follow; the shortest form only.
 *
 * Invariants
 *	  F1  refs ascend strictly, so no row stands twice
 *	  F2  one list of rows has one encoding
 *
 * Pure code: no PostgreSQL, no allocation.
 * Used by the worker (writes), receipts and verification (read).
 *
 *-------------------------------------------------------------------------
 */
#include "chain_manifest.h"

#include <string.h>

static inline TlStatus read_entry(TlManifestReader *manifest,
								  const uint8_t **fingerprint);
static inline void entry_ref(TlRef *ref, const TlManifestReader *manifest);
static void put_varint(TlWriter *writer, uint64_t value);
static TlStatus get_varint(TlReader *reader, uint64_t *value);

void
tl_chain_manifest_init(TlManifestWriter *manifest, TlWriter *writer)
{
	memset(manifest, 0, sizeof(*manifest));
	manifest->writer = writer;
}

TlStatus
tl_chain_manifest_put(TlManifestWriter *manifest, const TlRef *ref,
					  const TlHash *leaf_hash)
{
	uint64_t	word = ((uint64_t) ref->incarnation << 48) | ref->transaction;
	bool		same = (manifest->count > 0 && word == manifest->word);

	if (ref->transaction > TL_TRANSACTION_MAX || ref->row == 0)
		return TL_BAD_REF;
	if (word < manifest->word || (same && ref->row <= manifest->row))
		return TL_BAD_ORDER;
	put_varint(manifest->writer, word - manifest->word);
	put_varint(manifest->writer, same ? ref->row - manifest->row : ref->row);
	tl_put_bytes(manifest->writer, leaf_hash->bytes, TL_FINGERPRINT_SIZE);
	manifest->word = word;
	manifest->row = ref->row;
	manifest->count++;
	return TL_OK;
}

void
tl_chain_manifest_open(TlManifestReader *manifest, const void *data,
					   size_t size, uint32_t member)
{
	memset(manifest, 0, sizeof(*manifest));
	tl_reader_init(&manifest->reader, data, size);
	manifest->member = member;
}

TlStatus
tl_chain_manifest_next(TlManifestReader *manifest, bool *found, TlRef *ref,
					   uint8_t fingerprint[TL_FINGERPRINT_SIZE])
{
	const uint8_t *bytes;
	TlStatus	status;

	*found = false;
	if (!manifest->reader.truncated && tl_reader_left(&manifest->reader) == 0)
		return TL_OK;
	status = read_entry(manifest, &bytes);
	if (status != TL_OK)
		return status;
	memcpy(fingerprint, bytes, TL_FINGERPRINT_SIZE);
	entry_ref(ref, manifest);
	*found = true;
	return TL_OK;
}

TlStatus
tl_chain_manifest_skip(TlManifestReader *manifest, uint32_t count, TlRef *last)
{
	const uint8_t *bytes;
	TlStatus	status = TL_OK;

	for (uint32_t i = 0; status == TL_OK && i < count; i++)
		status = read_entry(manifest, &bytes);
	entry_ref(last, manifest);
	return status;
}

/* One entry, and where its fingerprint is.  Most are two bytes and that. */
static inline TlStatus
read_entry(TlManifestReader *manifest, const uint8_t **fingerprint)
{
	TlReader   *reader = &manifest->reader;
	const uint8_t *data = reader->data + reader->offset;
	uint64_t	word_delta;
	uint64_t	row;
	TlStatus	status;

	if (!reader->truncated &&
		reader->size - reader->offset >= 2 + TL_FINGERPRINT_SIZE &&
		data[0] < 0x80 && data[1] < 0x80)
	{
		word_delta = data[0];
		row = data[1];
		*fingerprint = data + 2;
		reader->offset += 2 + TL_FINGERPRINT_SIZE;
	}
	else
	{
		status = get_varint(reader, &word_delta);
		if (status == TL_OK)
			status = get_varint(reader, &row);
		if (status != TL_OK)
			return status;
		*fingerprint = tl_get_span(reader, TL_FINGERPRINT_SIZE).data;
		if (reader->truncated)
			return TL_TRUNCATED;
	}
	if (word_delta > UINT64_MAX - manifest->word || row == 0)
		return TL_BAD_FORMAT;
	if (manifest->count > 0 && word_delta == 0)
		row = row > UINT32_MAX ? row : row + manifest->row;
	if (row > UINT32_MAX)
		return TL_BAD_FORMAT;
	manifest->word += word_delta;
	manifest->row = (uint32_t) row;
	manifest->count++;
	return TL_OK;
}

static inline void
entry_ref(TlRef *ref, const TlManifestReader *manifest)
{
	ref->member = manifest->member;
	ref->incarnation = (uint16_t) (manifest->word >> 48);
	ref->transaction = manifest->word & TL_TRANSACTION_MAX;
	ref->row = manifest->row;
}

static void
put_varint(TlWriter *writer, uint64_t value)
{
	while (value >= 0x80)
	{
		tl_put_u8(writer, (uint8_t) (value | 0x80));
		value >>= 7;
	}
	tl_put_u8(writer, (uint8_t) value);
}

static TlStatus
get_varint(TlReader *reader, uint64_t *value)
{
	uint8_t		byte = 0;

	*value = 0;
	for (unsigned shift = 0; shift < 64; shift += 7)
	{
		byte = tl_get_u8(reader);
		if (reader->truncated)
			return TL_TRUNCATED;
		if (shift == 63 && byte > 1)
			return TL_BAD_FORMAT;	/* more than 64 bits */
		*value |= (uint64_t) (byte & 0x7f) << shift;
		if ((byte & 0x80) == 0)
			return (byte == 0 && shift > 0) ? TL_BAD_FORMAT : TL_OK;
	}
	return TL_BAD_FORMAT;
}
