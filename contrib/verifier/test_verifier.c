/*-------------------------------------------------------------------------
 *
 * test_verifier.c
 *	  Every bit of a receipt's text matters, and so does every byte.
 *
 *		test_verifier RECEIPT CHECKPOINT
 *
 * Takes a valid receipt and its checkpoint and checks that the receipt is
 * refused with any one bit changed, any one byte left out or written twice,
 * and at any shorter length; and that any change of the checkpoint is noticed.
 *
 *-------------------------------------------------------------------------
 */
#include "verifier_json.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SIZE_MAX_HERE 65536

static unsigned long checks;
static unsigned long failures;

static void test_bits(char *text, size_t size, const TlCheckpoint *checkpoint);
static void test_bytes(const char *text, size_t size);
static void test_checkpoint(const char *text, size_t size, char *kept,
							size_t kept_size);
static bool is_valid(const char *text, size_t size,
					 const TlCheckpoint *checkpoint);
static void all_valid(void *context, const TlBundleVerdict *verdict);
static bool is_white(const char *text, size_t size, size_t offset);
static void expect(bool passed, const char *what, size_t where);
static size_t read_file(char *text, const char *path);

int
main(int argc, char **argv)
{
	static char text[SIZE_MAX_HERE];
	static char kept[SIZE_MAX_HERE];
	TlCheckpoint checkpoint;
	size_t		size;
	size_t		kept_size;

	if (argc != 3)
	{
		fprintf(stderr, "usage: test_verifier RECEIPT CHECKPOINT\n");
		return 2;
	}
	size = read_file(text, argv[1]);
	kept_size = read_file(kept, argv[2]);
	expect(tl_proof_checkpoint_decode(&checkpoint, kept, kept_size) == TL_OK,
		   "the checkpoint is none", 0);
	expect(is_valid(text, size, NULL), "the receipt is refused", 0);
	expect(is_valid(text, size, &checkpoint),
		   "the receipt is refused with its checkpoint", 0);
	if (failures == 0)
	{
		test_bits(text, size, NULL);
		test_bytes(text, size);
		test_checkpoint(text, size, kept, kept_size);
	}
	printf("%s test_verifier (%lu checks, %lu failed)\n",
		   failures == 0 ? "ok" : "FAILED", checks, failures);
	return failures == 0 ? 0 : 1;
}

static void
test_bits(char *text, size_t size, const TlCheckpoint *checkpoint)
{
	for (size_t bit = 0; bit < size * 8; bit++)
	{
		text[bit / 8] ^= (char) (1 << bit % 8);
		expect(!is_valid(text, size, checkpoint), "a changed bit passes", bit);
		text[bit / 8] ^= (char) (1 << bit % 8);
	}
}

/* White space between tokens says nothing and may come and go. */
static void
test_bytes(const char *text, size_t size)
{
	static char changed[SIZE_MAX_HERE + 1];

	for (size_t offset = 0; offset < size; offset++)
	{
		expect(!is_valid(text, offset, NULL), "a cut receipt passes", offset);
		if (is_white(text, size, offset))
			continue;
		memcpy(changed, text, offset);
		memcpy(changed + offset, text + offset + 1, size - offset - 1);
		expect(!is_valid(changed, size - 1, NULL), "a byte left out passes",
			   offset);
		memcpy(changed, text, offset + 1);
		memcpy(changed + offset + 1, text + offset, size - offset);
		expect(!is_valid(changed, size + 1, NULL), "a doubled byte passes",
			   offset);
	}
}

static void
test_checkpoint(const char *text, size_t size, char *kept, size_t kept_size)
{
	for (size_t bit = 0; bit < kept_size * 8; bit++)
	{
		TlCheckpoint checkpoint;

		kept[bit / 8] ^= (char) (1 << bit % 8);
		expect(tl_proof_checkpoint_decode(&checkpoint, kept, kept_size) != TL_OK ||
			   !is_valid(text, size, &checkpoint),
			   "another checkpoint passes", bit);
		kept[bit / 8] ^= (char) (1 << bit % 8);
	}
}

static bool
is_valid(const char *text, size_t size, const TlCheckpoint *checkpoint)
{
	static TlReceiptColumn columns[TL_COLUMN_COUNT_MAX];
	static TlBundleChecker checker;
	VerifierDocument document;
	TlReceipt	receipt;
	TlVerdict	verdict = {0};

	if (verifier_json_parse(&document, text, size) != NULL)
		verdict.valid = false;
	else if (tl_proof_json_is_bundle(&document.root))
	{
		verdict.valid = true;
		if (tl_proof_bundle_check(&checker, &document.root, checkpoint, NULL,
								  all_valid, &verdict.valid) != NULL)
			verdict.valid = false;
	}
	else if (tl_proof_json_read(&receipt, columns, &document.root) == NULL)
		tl_proof_check(&verdict, &receipt, checkpoint, NULL);
	verifier_json_free(&document);
	return verdict.valid;
}

static void
all_valid(void *context, const TlBundleVerdict *verdict)
{
	*(bool *) context &= verdict->valid;
}

/* A blank outside of strings: the one after a colon or comma. */
static bool
is_white(const char *text, size_t size, size_t offset)
{
	return offset > 0 && offset + 1 < size && text[offset] == ' ' &&
		(text[offset - 1] == ':' || text[offset - 1] == ',');
}

static void
expect(bool passed, const char *what, size_t where)
{
	checks++;
	if (!passed && failures++ < 20)
		printf("%s, at %zu\n", what, where);
}

static size_t
read_file(char *text, const char *path)
{
	FILE	   *file = fopen(path, "rb");
	size_t		size;

	if (file == NULL)
	{
		perror(path);
		exit(2);
	}
	size = fread(text, 1, SIZE_MAX_HERE, file);
	fclose(file);
	return size;
}
