/*-------------------------------------------------------------------------
 *
 * test_chain_section.c
 *	  Section leaves: both ways, against vectors, and what is refused.
 *
 *-------------------------------------------------------------------------
 */
#include "chain_section.h"

#include "unit.h"

#include <string.h>

static int	vectors_used;

static void
use_vector(const UnitRecord *record)
{
	uint8_t		bytes[TL_SECTION_SIZE_MAX];
	uint8_t		again[TL_SECTION_SIZE_MAX];
	uint8_t		random[TL_SECTION_RANDOM_SIZE];
	TlHash		wanted;
	TlHash		hash;
	TlSectionLeaf section;
	TlWriter	writer;
	size_t		size;

	if (strcmp(unit_text(record, "kind"), "section") != 0)
		return;
	vectors_used++;
	size = unit_bytes(bytes, sizeof(bytes), record, "leaf");
	unit_bytes(wanted.bytes, sizeof(wanted), record, "leaf_hash");
	if (unit_has(record, "random"))
		unit_bytes(random, sizeof(random), record, "random");
	UNIT_CHECK(tl_chain_section_decode(&section, bytes, size) == TL_OK);
	tl_writer_init(&writer, again, sizeof(again));
	UNIT_CHECK(tl_chain_section_encode(&writer, &section) == TL_OK);
	UNIT_CHECK(writer.size == size && memcmp(bytes, again, size) == 0);
	UNIT_CHECK(tl_chain_section_leaf_hash(&hash, &section,
										  unit_has(record, "random") ? random : NULL) == TL_OK);
	UNIT_CHECK(memcmp(&hash, &wanted, sizeof(hash)) == 0);
}

static void
vectors(void)
{
	unit_vectors("chain.txt", use_vector);
	UNIT_CHECK(vectors_used == 3);
}

static TlSectionLeaf
sealed(void)
{
	TlSectionLeaf section = {.kind = TL_SECTION_SEALED,.table_version = 1,
	.reader_count = 2,.readers = {3, 5},.row_count = 1};

	return section;
}

static TlStatus
encode(const TlSectionLeaf *section)
{
	uint8_t		bytes[TL_SECTION_SIZE_MAX];
	TlWriter	writer;

	tl_writer_init(&writer, bytes, sizeof(bytes));
	return tl_chain_section_encode(&writer, section);
}

static void
refusals(void)
{
	TlSectionLeaf section = sealed();

	UNIT_CHECK(encode(&section) == TL_OK);
	section.kind = 3;
	UNIT_CHECK(encode(&section) == TL_BAD_FORMAT);
	section = sealed();
	section.kind = TL_SECTION_PUBLIC;
	UNIT_CHECK(encode(&section) == TL_BAD_FORMAT);
	section.kind = TL_SECTION_PRIVATE;
	UNIT_CHECK(encode(&section) == TL_BAD_FORMAT);
	section = sealed();
	section.reader_count = 0;
	UNIT_CHECK(encode(&section) == TL_BAD_FORMAT);
	section = sealed();
	section.readers[1] = 3;
	UNIT_CHECK(encode(&section) == TL_BAD_ORDER);
	section.readers[1] = 2;
	UNIT_CHECK(encode(&section) == TL_BAD_ORDER);
	section = sealed();
	section.reader_count = TL_READER_COUNT_MAX + 1;
	UNIT_CHECK(encode(&section) == TL_TOO_LARGE);
	section = sealed();
	section.row_count = 0;
	UNIT_CHECK(encode(&section) == TL_BAD_FORMAT);
	section.row_count = TL_BATCH_ROWS_MAX;
	UNIT_CHECK(encode(&section) == TL_OK);
	section.row_count++;
	UNIT_CHECK(encode(&section) == TL_TOO_LARGE);
	section = sealed();
	section.table_version = 0;
	UNIT_CHECK(encode(&section) == TL_BAD_FORMAT);
}

static void
bytes_that_are_none(void)
{
	uint8_t		bytes[TL_SECTION_SIZE_MAX + 1];
	TlSectionLeaf section = sealed();
	TlWriter	writer;

	tl_writer_init(&writer, bytes, sizeof(bytes));
	UNIT_CHECK(tl_chain_section_encode(&writer, &section) == TL_OK);
	for (size_t size = 0; size < writer.size; size++)
		UNIT_CHECK(tl_chain_section_decode(&section, bytes, size) == TL_TRUNCATED);
	bytes[writer.size] = 0;
	UNIT_CHECK(tl_chain_section_decode(&section, bytes, writer.size + 1) == TL_TRAILING_BYTES);
	bytes[0] = 1;
	UNIT_CHECK(tl_chain_section_decode(&section, bytes, writer.size) == TL_BAD_FORMAT);
	bytes[0] = 2;
	bytes[1] = 2;
	UNIT_CHECK(tl_chain_section_decode(&section, bytes, writer.size) == TL_BAD_VERSION);
	bytes[1] = 1;
	bytes[23] = 0xff;
	UNIT_CHECK(tl_chain_section_decode(&section, bytes, writer.size) == TL_TOO_LARGE);
}

/* S2: no private leaf without its random value, no other with one. */
static void
commitments(void)
{
	static const uint8_t random[TL_SECTION_RANDOM_SIZE];
	TlSectionLeaf section = sealed();
	TlHash		hash;
	TlHash		other;

	UNIT_CHECK(tl_chain_section_leaf_hash(&hash, &section, random) == TL_BAD_FORMAT);
	UNIT_CHECK(tl_chain_section_leaf_hash(&hash, &section, NULL) == TL_OK);
	section.kind = TL_SECTION_PRIVATE;
	section.reader_count = 0;
	UNIT_CHECK(tl_chain_section_leaf_hash(&hash, &section, NULL) == TL_BAD_FORMAT);
	UNIT_CHECK(tl_chain_section_leaf_hash(&hash, &section, random) == TL_OK);
	section.row_count++;
	UNIT_CHECK(tl_chain_section_leaf_hash(&other, &section, random) == TL_OK);
	UNIT_CHECK(memcmp(&hash, &other, sizeof(hash)) != 0);
}

UNIT_MAIN(UNIT_CASE(vectors), UNIT_CASE(refusals),
		  UNIT_CASE(bytes_that_are_none), UNIT_CASE(commitments))
