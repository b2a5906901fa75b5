/*-------------------------------------------------------------------------
 *
 * proof_checkpoint.c
 *	  A tree head as text that outsiders keep (C2SP tlog-checkpoint).
 *
 *		telco_ledger/<chain id, 64 hex digits>
 *		<size, decimal>
 *		<root, base64>
 *
 * Each line ends with a line feed.  An empty line and signature lines of a
 * signed note (an em dash, a space, a name, a space, base64) may follow: they
 * are skipped, for a checkpoint is believed because of where its keeper got it.
 *
 * Invariant
 *	  K1  one tree head has one text, signatures apart
 *
 * Pure code: no PostgreSQL, no allocation.
 * Used by ledger.tree_head() and by contrib/verifier.
 *
 *-------------------------------------------------------------------------
 */
#include "proof_checkpoint.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define ORIGIN			"telco_ledger/"
#define ROOT_TEXT_SIZE	44
#define SIGNATURE_DASH	"\xe2\x80\x94 "

static const char hex_digits[] = "0123456789abcdef";
static const char base64_digits[] =
"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

static TlSpan next_line(TlReader *reader);
static TlStatus check_signatures(TlReader *reader);
static void put_text(TlWriter *writer, const char *text);
static bool read_origin(TlHash *out, TlSpan line);
static bool read_size(uint64_t *out, TlSpan line);
static bool read_root(TlHash *out, TlSpan line);
static void format_root(char text[ROOT_TEXT_SIZE], const TlHash *root);

void
tl_proof_checkpoint_encode(TlWriter *writer, const TlCheckpoint *checkpoint)
{
	char		text[ROOT_TEXT_SIZE];
	char		number[32];

	put_text(writer, ORIGIN);
	for (int i = 0; i < TL_HASH_SIZE; i++)
	{
		tl_put_u8(writer, hex_digits[checkpoint->chain_id.bytes[i] >> 4]);
		tl_put_u8(writer, hex_digits[checkpoint->chain_id.bytes[i] & 15]);
	}
	snprintf(number, sizeof(number), "\n%" PRIu64 "\n", checkpoint->size);
	put_text(writer, number);
	format_root(text, &checkpoint->root);
	tl_put_bytes(writer, text, sizeof(text));
	put_text(writer, "\n");
}

TlStatus
tl_proof_checkpoint_decode(TlCheckpoint *out, const void *data, size_t size)
{
	TlReader	reader;

	memset(out, 0, sizeof(*out));
	if (size > TL_CHECKPOINT_SIZE_MAX)
		return TL_TOO_LARGE;
	tl_reader_init(&reader, data, size);
	if (!read_origin(&out->chain_id, next_line(&reader)) ||
		!read_size(&out->size, next_line(&reader)) ||
		!read_root(&out->root, next_line(&reader)))
		return reader.truncated ? TL_TRUNCATED : TL_BAD_FORMAT;
	return check_signatures(&reader);
}

/* The line without its line feed; truncated if there is none. */
static TlSpan
next_line(TlReader *reader)
{
	const uint8_t *start = reader->data + reader->offset;
	size_t		left = tl_reader_left(reader);
	const uint8_t *end = (left == 0) ? NULL : memchr(start, '\n', left);
	TlSpan		line;

	if (end == NULL)
		return tl_get_span(reader, left + 1);
	line = tl_get_span(reader, (size_t) (end - start));
	(void) tl_get_u8(reader);
	return line;
}

static TlStatus
check_signatures(TlReader *reader)
{
	if (tl_reader_left(reader) == 0)
		return TL_OK;
	if (next_line(reader).size != 0 || reader->truncated)
		return TL_BAD_FORMAT;
	while (tl_reader_left(reader) > 0)
	{
		TlSpan		line = next_line(reader);

		if (line.size <= strlen(SIGNATURE_DASH) ||
			memcmp(line.data, SIGNATURE_DASH, strlen(SIGNATURE_DASH)) != 0)
			return TL_BAD_FORMAT;
	}
	return tl_reader_finish(reader);
}

static void
put_text(TlWriter *writer, const char *text)
{
	tl_put_bytes(writer, text, strlen(text));
}

static bool
read_origin(TlHash *out, TlSpan line)
{
	size_t		start = strlen(ORIGIN);

	if (line.size != start + 2 * TL_HASH_SIZE ||
		memcmp(line.data, ORIGIN, start) != 0)
		return false;
	for (size_t i = 0; i < 2 * TL_HASH_SIZE; i++)
	{
		const char *digit = strchr(hex_digits, line.data[start + i]);

		if (digit == NULL || *digit == '\0')
			return false;
		out->bytes[i / 2] = (uint8_t) (out->bytes[i / 2] << 4 |
									   (digit - hex_digits));
	}
	return true;
}

static bool
read_size(uint64_t *out, TlSpan line)
{
	if (line.size == 0 || line.size > 19 ||
		(line.data[0] == '0' && line.size > 1))
		return false;
	for (size_t i = 0; i < line.size; i++)
	{
		if (line.data[i] < '0' || line.data[i] > '9')
			return false;
		*out = *out * 10 + (line.data[i] - '0');
	}
	return true;
}

/* Decode, encode again and compare: base64 has spare bits. */
static bool
read_root(TlHash *out, TlSpan line)
{
	char		text[ROOT_TEXT_SIZE];
	uint32_t	bits = 0;
	size_t		size = 0;

	if (line.size != ROOT_TEXT_SIZE)
		return false;
	for (size_t i = 0; i < ROOT_TEXT_SIZE - 1; i++)
	{
		const char *digit = strchr(base64_digits, line.data[i]);

		if (digit == NULL || *digit == '\0')
			return false;
		bits = bits << 6 | (uint32_t) (digit - base64_digits);
		if (i % 4 != 0 && size < TL_HASH_SIZE)
			out->bytes[size++] = (uint8_t) (bits >> (6 - 2 * (i % 4)));
	}
	format_root(text, out);
	return memcmp(text, line.data, ROOT_TEXT_SIZE) == 0;
}

static void
format_root(char text[ROOT_TEXT_SIZE], const TlHash *root)
{
	for (size_t i = 0; i < ROOT_TEXT_SIZE; i++)
	{
		size_t		byte = i * 6 / 8;
		uint32_t	pair = (uint32_t) root->bytes[byte] << 8;

		if (byte + 1 < TL_HASH_SIZE)
			pair |= root->bytes[byte + 1];
		text[i] = base64_digits[pair >> (10 - i * 6 % 8) & 63];
		if (byte + 1 >= TL_HASH_SIZE && i == ROOT_TEXT_SIZE - 2)
			break;
	}
	text[ROOT_TEXT_SIZE - 1] = '=';
}
