/*-------------------------------------------------------------------------
 *
 * test_chain_manifest.c
 *	  Manifests: both ways, at the edges, and what is refused.
 *
 *-------------------------------------------------------------------------
 */
#include "chain_manifest.h"

#include "merkle_hash.h"
#include "table_row.h"
#include "unit.h"

#include <stdio.h>
#include <string.h>

static int	vectors_used;

static void
use_vector(const UnitRecord *record)
{
	uint8_t		wanted[256];
	uint8_t		bytes[256];
	size_t		size;
	TlManifestWriter manifest;
	TlWriter	writer;

	if (strcmp(unit_text(record, "kind"), "manifest") != 0)
		return;
	vectors_used++;
	size = unit_bytes(wanted, sizeof(wanted), record, "manifest");
	tl_writer_init(&writer, bytes, sizeof(bytes));
	tl_chain_manifest_init(&manifest, &writer);
	for (int i = 0; i < 5; i++)
	{
		char		name[16];
		uint8_t		row[1024];
		size_t		row_size;
		TlRowDecoder decoder;
		TlRowHeader header;
		TlHash		hash;

		snprintf(name, sizeof(name), "row%d", i);
		row_size = unit_bytes(row, sizeof(row), record, name);
		UNIT_CHECK(tl_table_row_open(&decoder, &header, row, row_size) == TL_OK);
		tl_merkle_leaf_hash(&hash, row, row_size);
		UNIT_CHECK(tl_chain_manifest_put(&manifest, &header.ref, &hash) == TL_OK);
	}
	UNIT_CHECK(writer.size == size && memcmp(bytes, wanted, size) == 0);
}

static void
vectors(void)
{
	unit_vectors("chain.txt", use_vector);
	UNIT_CHECK(vectors_used == 1);
}

static bool
same_ref(const TlRef *left, const TlRef *right)
{
	return left->member == right->member && left->row == right->row &&
		left->incarnation == right->incarnation &&
		left->transaction == right->transaction;
}

/* Random ascending refs, with jumps of every size. */
static void
round_trips(void)
{
	static uint8_t bytes[200 * TL_MANIFEST_ENTRY_SIZE_MAX];

	for (int round = 0; round < 200; round++)
	{
		TlRef		refs[200];
		TlRef		ref = {7, 0, unit_random() >> 30 >> (unit_random() % 34), 0};
		TlManifestWriter manifest;
		TlManifestReader reader;
		TlWriter	writer;
		uint8_t		fingerprint[TL_FINGERPRINT_SIZE];
		bool		found;

		tl_writer_init(&writer, bytes, sizeof(bytes));
		tl_chain_manifest_init(&manifest, &writer);
		for (int i = 0; i < 200; i++)
		{
			TlHash		hash = {{(uint8_t) i, 1, 2, 3}};

			if (unit_random() % 3 == 0)
			{
				ref.transaction += unit_random() >> (24 + unit_random() % 40);
				if (ref.transaction > TL_TRANSACTION_MAX || unit_random() % 50 == 0)
				{
					ref.incarnation++;
					ref.transaction = unit_random() % 1000;
				}
				else if (i > 0 && ref.transaction == refs[i - 1].transaction)
					ref.transaction++;
				ref.row = 0;
			}
			ref.row += 1 + (unit_random() % 5 == 0 ? (uint32_t) unit_random() >> 12 : 0);
			refs[i] = ref;
			UNIT_CHECK(tl_chain_manifest_put(&manifest, &ref, &hash) == TL_OK);
		}
		tl_chain_manifest_open(&reader, bytes, writer.size, 7);
		for (int i = 0; i < 200; i++)
		{
			UNIT_CHECK(tl_chain_manifest_next(&reader, &found, &ref, fingerprint) == TL_OK);
			UNIT_CHECK(found && same_ref(&ref, &refs[i]) && fingerprint[0] == i);
		}
		ref = refs[199];
		UNIT_CHECK(tl_chain_manifest_next(&reader, &found, &refs[0], fingerprint) == TL_OK);
		UNIT_CHECK(!found);
	}
}

static TlStatus
put_pair(const TlRef *first, const TlRef *second)
{
	static const TlHash hash;
	uint8_t		bytes[2 * TL_MANIFEST_ENTRY_SIZE_MAX];
	TlManifestWriter manifest;
	TlWriter	writer;
	TlStatus	status;

	tl_writer_init(&writer, bytes, sizeof(bytes));
	tl_chain_manifest_init(&manifest, &writer);
	status = tl_chain_manifest_put(&manifest, first, &hash);
	return status != TL_OK ? status : tl_chain_manifest_put(&manifest, second, &hash);
}

static void
order(void)
{
	TlRef		a = {1, 0, 5, 7};
	TlRef		b = {1, 0, 5, 8};

	UNIT_CHECK(put_pair(&a, &b) == TL_OK);
	UNIT_CHECK(put_pair(&b, &a) == TL_BAD_ORDER);
	UNIT_CHECK(put_pair(&a, &a) == TL_BAD_ORDER);
	b = (TlRef)
	{
		1, 0, 4, 9
	};
	UNIT_CHECK(put_pair(&a, &b) == TL_BAD_ORDER);
	b = (TlRef)
	{
		1, 1, 0, 1
	};
	UNIT_CHECK(put_pair(&a, &b) == TL_OK);
	b.row = 0;
	UNIT_CHECK(put_pair(&a, &b) == TL_BAD_REF);
	b.row = 1;
	b.transaction = TL_TRANSACTION_MAX + 1;
	UNIT_CHECK(put_pair(&a, &b) == TL_BAD_REF);
	a = (TlRef)
	{
		1, UINT16_MAX, TL_TRANSACTION_MAX, UINT32_MAX - 1
	};
	b = a;
	b.row++;
	UNIT_CHECK(put_pair(&a, &b) == TL_OK);
}

static TlStatus
read_bytes(const char *bytes, size_t size)
{
	TlManifestReader reader;
	uint8_t		fingerprint[TL_FINGERPRINT_SIZE];
	TlRef		ref;
	bool		found;
	TlStatus	status;

	tl_chain_manifest_open(&reader, bytes, size, 1);
	do
		status = tl_chain_manifest_next(&reader, &found, &ref, fingerprint);
	while (status == TL_OK && found);
	return status;
}

static void
bytes_that_are_none(void)
{
	UNIT_CHECK(read_bytes("", 0) == TL_OK);
	UNIT_CHECK(read_bytes("\5\1abcd", 6) == TL_OK);
	UNIT_CHECK(read_bytes("\5\1abc", 5) == TL_TRUNCATED);
	UNIT_CHECK(read_bytes("\5", 1) == TL_TRUNCATED);
	UNIT_CHECK(read_bytes("\205", 1) == TL_TRUNCATED);
	UNIT_CHECK(read_bytes("\5\0abcd", 6) == TL_BAD_FORMAT); /* row 0 */
	UNIT_CHECK(read_bytes("\5\1abcd\0\0abcd", 12) == TL_BAD_FORMAT);	/* the same again */
	UNIT_CHECK(read_bytes("\205\0\1abcd", 7) == TL_BAD_FORMAT); /* not the shortest */
	UNIT_CHECK(read_bytes("\5\377\377\377\377\17abcd", 10) == TL_OK);
	UNIT_CHECK(read_bytes("\5\200\200\200\200\20abcd", 10) == TL_BAD_FORMAT);	/* 2^32 */
	UNIT_CHECK(read_bytes("\5\377\377\377\377\17abcd\0\1abcd", 16) == TL_BAD_FORMAT);
	UNIT_CHECK(read_bytes("\377\377\377\377\377\377\377\377\377\1\1abcd", 15) == TL_OK);
	UNIT_CHECK(read_bytes("\377\377\377\377\377\377\377\377\377\2\1abcd", 15) == TL_BAD_FORMAT);
	UNIT_CHECK(read_bytes("\377\377\377\377\377\377\377\377\377\1\1abcd\1\1abcd", 21) == TL_BAD_FORMAT);
	UNIT_CHECK(read_bytes("\377\377\377\377\377\377\377\377\377\377\1\1abcd", 16) == TL_BAD_FORMAT);
}

UNIT_MAIN(UNIT_CASE(vectors), UNIT_CASE(round_trips), UNIT_CASE(order),
		  UNIT_CASE(bytes_that_are_none))
