/*-------------------------------------------------------------------------
 *
 * test_proof_bundle.c
 *	  Many receipts in one document: what is refused, and of which rows.
 *
 * The document is the one that make_chain.py wrote: rows 0, 1 and 3 of a private
 * section, and the definition of their table.
 *
 *-------------------------------------------------------------------------
 */
#include "proof_bundle.h"

#include "unit.h"
#include "unit_json.h"

#include <stdio.h>
#include <string.h>

#define TEXT_SIZE_MAX	(64 * 1024)

static char text[TEXT_SIZE_MAX];
static char changed[TEXT_SIZE_MAX];
static TlBundleChecker checker;
static TlCheckpoint checkpoint;
static TlConsistency consistency;
static unsigned valid_count;
static unsigned invalid_count;
static const char *first_reason;
static TlTrust trust;

static void
count_row(void *context, const TlBundleVerdict *verdict)
{
	(void) context;
	if (verdict->valid)
		valid_count++;
	else if (invalid_count++ == 0)
		first_reason = verdict->reason;
	trust = verdict->trust;
	UNIT_CHECK(verdict->reason != NULL && (!verdict->valid || verdict->ref.member == 2));
	UNIT_CHECK(verdict->valid == (verdict->member.size > 0));
}

/* The problem of the document, NULL if it is one of rows or of none. */
static const char *
check_text(const char *source, const TlCheckpoint *head, const TlConsistency *proof)
{
	static char copy[TEXT_SIZE_MAX];
	TlJsonNode	root;

	valid_count = invalid_count = 0;
	first_reason = NULL;
	snprintf(copy, sizeof(copy), "%s", source);
	root = unit_json_parse(copy);
	UNIT_CHECK(tl_proof_json_is_bundle(&root));
	return tl_proof_bundle_check(&checker, &root, head, proof, count_row, NULL);
}

/* Replace the last occurrence: that is one of the rows, not of definitions. */
static void
change(const char *from, const char *to)
{
	const char *at = NULL;

	for (const char *next = strstr(text, from); next != NULL; next = strstr(next + 1, from))
		at = next;
	unit_context("%s -> %s", from, to);
	if (!UNIT_CHECK(at != NULL))
		return;
	snprintf(changed, sizeof(changed), "%.*s%s%s", (int) (at - text), text, to,
			 at + strlen(from));
}

/* All rows but `invalid` are valid, these for this reason. */
static void
rows_refused(unsigned invalid, const char *reason)
{
	const char *problem = check_text(changed, NULL, NULL);

	UNIT_CHECK(problem == NULL);
	UNIT_CHECK(invalid_count == invalid && valid_count == 3 - invalid);
	unit_context("%s, wanted %s", first_reason, reason);
	UNIT_CHECK(first_reason != NULL && strcmp(first_reason, reason) == 0);
}

static void
document_refused(const char *reason)
{
	const char *problem = check_text(changed, NULL, NULL);

	unit_context("%s, wanted %s", problem, reason);
	UNIT_CHECK(problem != NULL && strcmp(problem, reason) == 0);
}

static void
read_text(char *out, const char *path)
{
	FILE	   *file = fopen(path, "r");
	size_t		size = 0;

	if (UNIT_CHECK(file != NULL))
	{
		size = fread(out, 1, TEXT_SIZE_MAX - 1, file);
		fclose(file);
	}
	out[size] = '\0';
}

static void
read_heads(void)
{
	static char buffer[TEXT_SIZE_MAX];
	static uint8_t hashes[16 * TL_HASH_SIZE];
	TlJsonNode	root;

	read_text(buffer, "../vectors/larger.checkpoint");
	UNIT_CHECK(tl_proof_checkpoint_decode(&checkpoint, buffer, strlen(buffer)) == TL_OK);
	read_text(buffer, "../vectors/consistency.json");
	root = unit_json_parse(buffer);
	UNIT_CHECK(tl_proof_json_consistency(&consistency, &root) == NULL);

	/* the nodes' room is used again by the next document */
	UNIT_CHECK(consistency.hashes.size <= sizeof(hashes));
	memcpy(hashes, consistency.hashes.data, consistency.hashes.size);
	consistency.hashes.data = hashes;
}

static void
the_vector(void)
{
	read_text(text, "../vectors/receipts.json");
	read_heads();
	UNIT_CHECK(check_text(text, NULL, NULL) == NULL);
	UNIT_CHECK(valid_count == 3 && invalid_count == 0);
	UNIT_CHECK(trust == TL_TRUST_GENESIS);
	UNIT_CHECK(checker.definition_count == 1 && checker.row_count == 3);
}

/* What is wrong with one row says nothing of the others. */
static void
one_row(void)
{
	change("\"mood\": \"fine\"", "\"mood\": \"good\"");
	rows_refused(1, "a column's value shown is not the one in the row");
	change("\"mood\": \"fine\"", "\"mood\": null");
	rows_refused(1, "a column's value shown is not the one in the row");
	change("\"mood\": null", "\"mood\": \"fine\"");
	rows_refused(1, "a column that is null in the row is shown with a value");
	change("\"mood\": \"fine\"", "\"food\": \"fine\"");
	rows_refused(1, "a column of the definition is not shown");
	change("\"mood\": \"fine\"", "\"mood\": \"fine\", \"more\": \"x\"");
	rows_refused(1, "more columns are shown than the definition has");
	change("\"ref\": \"2.2.801.1\"", "\"ref\": \"2.2.801.2\"");
	rows_refused(1, "the ref shown is not the row's");
}

/* What is wrong above is so of every row below. */
static void
what_rows_share(void)
{
	change("\"index\": 3", "\"index\": 2");
	rows_refused(3, "the rows do not lead to their section");
	change("\"index\": 3", "\"index\": 1");
	rows_refused(3, "the rows do not lead to their section");
	change("\"index\": 3", "\"index\": 5");
	rows_refused(3, "the rows do not lead to their section");
	change("\"random\": \"000102", "\"random\": \"000103");
	rows_refused(3, "the sections do not lead to their batch");
	change("\"random\": \"000102030405060708090a0b0c0d0e0f\"", "\"random\": \"\"");
	rows_refused(3, "a private section needs its random value and no other has one");
	change("\"random\": \"0001", "\"random\": \"");
	rows_refused(3, "the section's random value does not have 16 bytes");
	change("\"definition\": 0, \"index\": 1", "\"definition\": 0, \"index\": 0");
	rows_refused(3, "the sections do not lead to their batch");
	change("\"definition\": 0, \"index\": 1", "\"definition\": 0, \"index\": 7");
	rows_refused(3, "the sections do not lead to their batch");
	change("\"table\": \"call_record\"", "\"table\": \"call_records\"");
	rows_refused(3, "the table shown is not the row's");
	change("\"schema\": \"public\"", "\"schema\": \"private\"");
	rows_refused(3, "the table shown is not the row's");
	change("\"member\": \"Operator Two\"", "\"member\": \"Operator Three\"");
	rows_refused(3, "the member shown is not the row's");
	change("\"height\": 3", "\"height\": 4");
	rows_refused(3, "the height shown is not the block's");
	change("20.003000Z", "20.003001Z");
	rows_refused(3, "the time shown is not the block's");
	change("\"digests\": [\"", "\"digests\": [\"0000000000000000000000000000000000000000000000000000000000000000\", \"");
	rows_refused(3, "the batch is not one of the block's");
	change("\"mood\": \"fine\"}, \"index\": 3, \"bytes\": \"0101", "\"mood\": \"fine\"}, \"index\": 3, \"bytes\": \"0102");
	rows_refused(3, "the row's bytes are not a row");
}

/* What is wrong with the whole. */
static void
the_document(void)
{
	change("\"definition\": 0", "\"definition\": null");
	document_refused("a definition is there that no row was written under");
	UNIT_CHECK(invalid_count == 3);
	change("\"definition\": 0", "\"definition\": 1");
	document_refused("a definition is there that no row was written under");
	UNIT_CHECK(invalid_count == 3);
	change("\"purpose\": \"test\"", "\"purpose\": \"production\"");
	document_refused("the purpose shown is not that of the genesis block");
	change("\"certificate\": \"01", "\"certificate\": \"02");
	document_refused("the certificate is not one");
	change("\"history\": [\"", "\"history\": [\"0000000000000000000000000000000000000000000000000000000000000000\", \"");
	document_refused("the blocks' history does not lead to the head");
	change("\"table_name\": \"call_record\"", "\"table_name\": \"other\"");
	document_refused("a column's value shown is not the one in the row");
	change("\"format\"", "\"fromat\": null, \"format\"");
	document_refused("an object has a key too many or too few");
	change("\"rows\": [{\"ref\"", "\"rows\": [], \"bows\": [{\"ref\"");
	document_refused("an object has a key too many or too few");
}

/* Lists without members and lists that repeat themselves. */
static void
lists(void)
{
	const char *begin = strstr(text, "{\"height\": 3");
	const char *end = begin + strlen(begin) - 4;

	UNIT_CHECK(strcmp(end, "}]}}") == 0);
	snprintf(changed, sizeof(changed), "%.*s%.*s, %s", (int) (end + 1 - text), text,
			 0, "", begin);
	document_refused("the blocks are not in order of height, or newer than the head");
	snprintf(changed, sizeof(changed), "%.*s]}}", (int) (begin - text), text);
	document_refused("a list is missing or empty");
}

/* Tree heads that were kept. */
static void
tree_heads(void)
{
	TlCheckpoint other;

	UNIT_CHECK(check_text(text, &checkpoint, NULL) == NULL);
	UNIT_CHECK(invalid_count == 3);
	UNIT_CHECK(check_text(text, &checkpoint, &consistency) == NULL);
	UNIT_CHECK(valid_count == 3 && trust == TL_TRUST_CHECKPOINT);
	UNIT_CHECK(check_text(text, NULL, &consistency) != NULL);
	other = checkpoint;
	other.root.bytes[5] ^= 1;
	UNIT_CHECK(check_text(text, &other, &consistency) == NULL);
	UNIT_CHECK(invalid_count == 3);
	other = checkpoint;
	other.chain_id.bytes[5] ^= 1;
	UNIT_CHECK(check_text(text, &other, &consistency) == NULL);
	UNIT_CHECK(invalid_count == 3);
}

/* Of a ledger that goes on from another one; and of one that does not. */
static void
restarted(void)
{
	static char good[TEXT_SIZE_MAX];

	read_text(good, "../vectors/receipts.json");
	read_text(text, "../vectors/restarted_many.json");
	UNIT_CHECK(check_text(text, NULL, NULL) == NULL);
	UNIT_CHECK(valid_count == 3 && invalid_count == 0);
	UNIT_CHECK(checker.chain.restarted && checker.chain.height_before == 7);
	change("\"reason\": \"R", "\"reason\": \"r");
	document_refused("the genesis block is not the one that this restart demands");
	change("\"restart\": {", "\"start\": {");
	document_refused("an object has a key too many or too few");
	memcpy(text, good, sizeof(text));
	change("\"genesis\": {", "\"genesis\": {\"restart\": {\"chain\": \"\", \"last\": \"\", \"reason\": \"\"}, ");
	document_refused("the chain id of the ledger that ended does not have 32 bytes");
	UNIT_CHECK(check_text(text, NULL, NULL) == NULL && valid_count == 3);
	UNIT_CHECK(!checker.chain.restarted);
}

UNIT_MAIN(UNIT_CASE(the_vector),
		  UNIT_CASE(one_row),
		  UNIT_CASE(what_rows_share),
		  UNIT_CASE(the_document),
		  UNIT_CASE(lists),
		  UNIT_CASE(tree_heads),
		  UNIT_CASE(restarted))
