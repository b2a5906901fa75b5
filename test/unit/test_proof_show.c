/*-------------------------------------------------------------------------
 *
 * test_proof_show.c
 *	  The shown part of a receipt, and sizes learnt by counting.
 *
 *-------------------------------------------------------------------------
 */
#include "proof_show.h"

#include "receipt_fixture.h"

static bool
is_text(TlSpan span, const char *text)
{
	return span.size == strlen(text) && memcmp(span.data, text, span.size) == 0;
}

static void
shows(void)
{
	FixtureOptions options = fixture_defaults();
	const TlReceipt *receipt = &fixture.receipt;

	fixture_build(&options);
	UNIT_CHECK(receipt->chain.size == TL_HASH_SIZE);
	UNIT_CHECK(memcmp(receipt->chain.data, &fixture.chain_id, TL_HASH_SIZE) == 0);
	UNIT_CHECK(is_text(receipt->purpose, "test"));
	UNIT_CHECK(is_text(receipt->member, "Operator"));
	UNIT_CHECK(is_text(receipt->schema, "public"));
	UNIT_CHECK(is_text(receipt->table, "cdr"));
	UNIT_CHECK(is_text(receipt->ref, "1.0.800.4"));
	UNIT_CHECK(is_text(receipt->time, "1970-01-01T00:00:01.000010Z"));
	UNIT_CHECK(receipt->height == 2 && receipt->column_count == 3);
	UNIT_CHECK(is_text(receipt->columns[0].name, "id"));
	UNIT_CHECK(is_text(receipt->columns[0].text, "3"));
	UNIT_CHECK(receipt->columns[1].is_null && receipt->columns[1].text.size == 0);
	UNIT_CHECK(is_text(receipt->columns[2].text, "12.50"));
}

static void
counts(void)
{
	FixtureOptions options = fixture_defaults();
	uint8_t		bytes[1024];
	TlWriter	counter;
	TlWriter	writer;

	fixture_build(&options);
	tl_writer_init(&counter, NULL, 0);
	UNIT_CHECK(tl_proof_show(&fixture.receipt, fixture.columns, &counter) == TL_OK);
	UNIT_CHECK(fixture.receipt.member.size == 0);
	tl_writer_init(&writer, bytes, counter.size);
	UNIT_CHECK(tl_proof_show(&fixture.receipt, fixture.columns, &writer) == TL_OK);
	UNIT_CHECK(is_text(fixture.receipt.member, "Operator"));
	tl_writer_init(&writer, bytes, counter.size - 1);
	UNIT_CHECK(tl_proof_show(&fixture.receipt, fixture.columns, &writer) == TL_TOO_LARGE);
}

static void
damaged(void)
{
	FixtureOptions options = fixture_defaults();
	TlWriter	counter;

#define REFUSED(field) \
	do { \
		fixture_build(&options); \
		fixture.receipt.field.size--; \
		tl_writer_init(&counter, NULL, 0); \
		UNIT_CHECK(tl_proof_show(&fixture.receipt, fixture.columns, &counter) != TL_OK); \
	} while (0)

	REFUSED(row.block);
	REFUSED(definition.bytes);
	REFUSED(genesis_body);
	REFUSED(genesis_header);
	REFUSED(row.bytes);
}

UNIT_MAIN(UNIT_CASE(shows), UNIT_CASE(counts), UNIT_CASE(damaged))
