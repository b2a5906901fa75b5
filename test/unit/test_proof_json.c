/*-------------------------------------------------------------------------
 *
 * test_proof_json.c
 *	  Receipts as JSON: both ways, the committed one, and what is refused.
 *
 *-------------------------------------------------------------------------
 */
#include "proof_json.h"

#include "receipt_fixture.h"
#include "unit_json.h"

#include <stdio.h>

#define TEXT_SIZE_MAX	(256 * 1024)

static char text[TEXT_SIZE_MAX];
static char copy[TEXT_SIZE_MAX];
static TlReceiptColumn columns[TL_COLUMN_COUNT_MAX];
static TlReceipt receipt;

static size_t
write_text(char *out, const TlReceipt *source)
{
	TlWriter	writer;

	tl_writer_init(&writer, out, TEXT_SIZE_MAX);
	tl_proof_json_write(&writer, source);
	tl_put_u8(&writer, 0);
	UNIT_CHECK(tl_writer_finish(&writer) == TL_OK);
	return writer.size;
}

/* Read the text, which is left as it is. */
static const char *
read_text(const char *source)
{
	TlJsonNode	root;

	snprintf(copy, sizeof(copy), "%s", source);
	root = unit_json_parse(copy);
	return tl_proof_json_read(&receipt, columns, &root);
}

static bool
is_valid(void)
{
	TlVerdict	verdict;

	tl_proof_check(&verdict, &receipt, NULL, NULL);
	unit_context("%s", verdict.reason);
	return verdict.valid;
}

static void
both_ways(void)
{
	FixtureOptions options = fixture_defaults();

	for (int round = 0; round < 4; round++)
	{
		static char again[TEXT_SIZE_MAX];

		options.of_definition = (round == 1);
		options.restarted = (round == 2);
		if (round == 3)
		{
			options.members = 4;
			options.changes = true;
			options.change_signers = 7;
			options.signers = 0x1c;
		}
		fixture_build(&options);
		write_text(text, &fixture.receipt);
		UNIT_CHECK(read_text(text) == NULL);
		UNIT_CHECK(receipt.has_definition == (round != 1));
		UNIT_CHECK(receipt.restart.present == (round == 2));
		UNIT_CHECK((receipt.epochs.size > 0) == (round == 3));
		UNIT_CHECK(is_valid());
		write_text(again, &receipt);
		UNIT_CHECK(strcmp(text, again) == 0);
	}
}

/* The receipts that make_chain.py wrote. */
static void
committed(void)
{
	static const char *const paths[] = {"../vectors/receipt.json", "../vectors/restarted.json",
	"../vectors/changed.json"};

	for (int i = 0; i < 3; i++)
	{
		FILE	   *file = fopen(paths[i], "r");
		size_t		size;

		if (!UNIT_CHECK(file != NULL))
			return;
		size = fread(text, 1, sizeof(text) - 1, file);
		text[size] = '\0';
		fclose(file);
		UNIT_CHECK(read_text(text) == NULL);
		UNIT_CHECK(is_valid());
		UNIT_CHECK(receipt.restart.present == (i == 1));
		UNIT_CHECK((receipt.epochs.size > 0) == (i == 2));
	}
}

/* Replace the first occurrence and read. */
static bool
refuses(const char *from, const char *to)
{
	static char changed[TEXT_SIZE_MAX];
	const char *at = strstr(text, from);
	const char *problem;

	unit_context("%s -> %s", from, to);
	if (!UNIT_CHECK(at != NULL))
		return false;
	snprintf(changed, sizeof(changed), "%.*s%s%s", (int) (at - text), text, to,
			 at + strlen(from));
	problem = read_text(changed);
	return problem != NULL && strlen(problem) > 10;
}

static void
refusals(void)
{
	FixtureOptions options = fixture_defaults();

	fixture_build(&options);
	write_text(text, &fixture.receipt);
	UNIT_CHECK(refuses("receipt 1\"", "receipt 2\""));
	UNIT_CHECK(refuses("\"format\"", "\"fromat\""));
	UNIT_CHECK(refuses("\"chain\"", "\"extra\": \"\", \"chain\""));
	UNIT_CHECK(refuses("\"purpose\": \"test\", ", ""));
	UNIT_CHECK(refuses("\"purpose\": \"test\"", "\"purpose\": 1"));
	UNIT_CHECK(refuses("\"height\": 2", "\"height\": \"2\""));
	UNIT_CHECK(refuses("\"height\": 2", "\"height\": 02"));
	UNIT_CHECK(refuses("\"height\": 2", "\"height\": -2"));
	UNIT_CHECK(refuses("\"height\": 2", "\"height\": 2.0"));
	UNIT_CHECK(refuses("\"height\": 2", "\"height\": 2e0"));
	UNIT_CHECK(refuses("\"height\": 2", "\"height\": 9223372036854775808"));
	UNIT_CHECK(!refuses("\"height\": 2", "\"height\": 9223372036854775807"));
	UNIT_CHECK(refuses("\"height\": 2", "\"height\": 18446744073709551618"));
	UNIT_CHECK(refuses("\"height\": 2", "\"height\": null"));
	UNIT_CHECK(refuses("\"bytes\": \"0101", "\"bytes\": \"010"));
	UNIT_CHECK(refuses("\"bytes\": \"0101", "\"bytes\": \"01g1"));
	UNIT_CHECK(refuses("\"leaf\": \"02", "\"leaf\": \"0A"));
	UNIT_CHECK(refuses("\"path\": [\"", "\"path\": [\"00"));
	UNIT_CHECK(refuses("\"path\": [\"", "\"path\": [1, \""));
	UNIT_CHECK(refuses("\"digests\": ", "\"digests\": 7, \"x\": "));
	UNIT_CHECK(refuses("\"id\": \"3\"", "\"id\": 3"));
	UNIT_CHECK(refuses("\"id\": \"3\"", "\"id\": [\"3\"]"));
	UNIT_CHECK(refuses("\"id\": \"3\"", "\"id\": true"));
	UNIT_CHECK(refuses("\"definition\": {", "\"definition\": null, \"x\": {"));
	UNIT_CHECK(refuses("\"row\": {\"id\"", "\"row\": null, \"x\": {\"id\""));
	UNIT_CHECK(refuses("\"genesis\": {", "\"genesis\": {\"restart\": null, "));
	UNIT_CHECK(refuses("\"genesis\": {", "\"genesis\": {\"restart\": {}, "));
	UNIT_CHECK(refuses("\"head\": {", "\"head\": {\"restart\": {}, "));
	UNIT_CHECK(refuses("\"head\": {", "\"head\": {\"epochs\": null, "));
	UNIT_CHECK(refuses("\"head\": {", "\"head\": {\"epochs\": \"\", "));
	UNIT_CHECK(!refuses("\"head\": {", "\"head\": {\"epochs\": \"00\", "));
	UNIT_CHECK(refuses("\"time\": ", "\"outcome\": \"\", \"time\": "));
	UNIT_CHECK(refuses("\"time\": ", "\"outcome\": null, \"time\": "));
	UNIT_CHECK(!refuses("\"time\": ", "\"outcome\": \"accepted\", \"time\": "));
	options.restarted = true;
	fixture_build(&options);
	write_text(text, &fixture.receipt);
	UNIT_CHECK(refuses("\"restart\": {", "\"restart\": {\"more\": 1, "));
	UNIT_CHECK(refuses(", \"reason\": \"fire\"", ""));
	UNIT_CHECK(refuses("\"reason\": \"fire\"", "\"reason\": null"));
	UNIT_CHECK(read_text("[]") != NULL);
	UNIT_CHECK(read_text("null") != NULL);
	UNIT_CHECK(read_text("{}") != NULL);
}

/* An object for a definition whose bytes are empty is still an object. */
static void
empty_definition(void)
{
	FixtureOptions options = fixture_defaults();

	fixture_build(&options);
	memset(&fixture.receipt.definition, 0, sizeof(TlReceiptRow));
	write_text(text, &fixture.receipt);
	UNIT_CHECK(read_text(text) == NULL);
	UNIT_CHECK(receipt.has_definition && receipt.definition.bytes.size == 0);
	UNIT_CHECK(!is_valid());
}

static void
strings(void)
{
	FixtureOptions options = fixture_defaults();
	static const char name[] = "a\"\\\b\f\n\r\tz";

	fixture_build(&options);
	fixture.receipt.member.data = (const uint8_t *) name;
	fixture.receipt.member.size = strlen(name);
	write_text(text, &fixture.receipt);
	UNIT_CHECK(strstr(text, "\"a\\\"\\\\\\b\\f\\n\\r\\tz\"") != NULL);
	UNIT_CHECK(read_text(text) == NULL);
	UNIT_CHECK(receipt.member.size == strlen(name) &&
			   memcmp(receipt.member.data, name, strlen(name)) == 0);
	fixture.receipt.member.data = (const uint8_t *) "\1\x1f";
	fixture.receipt.member.size = 2;
	write_text(text, &fixture.receipt);
	UNIT_CHECK(strstr(text, "\"\\u0001\\u001f\"") != NULL);
}

UNIT_MAIN(UNIT_CASE(both_ways), UNIT_CASE(committed), UNIT_CASE(refusals),
		  UNIT_CASE(empty_definition), UNIT_CASE(strings))
