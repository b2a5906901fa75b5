/*-------------------------------------------------------------------------
 *
 * verifier.c
 *	  Check a receipt without a database.
 *
 *		telco_verifier [--checkpoint FILE] RECEIPT
 *
 * Exit status: 0 valid, 1 not valid, 2 wrong usage or unreadable files.
 * The verdict is that of ledger.verify_receipt(): both run proof_check.c.
 *
 *-------------------------------------------------------------------------
 */
#include "verifier_json.h"

#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define EXIT_VALID		0
#define EXIT_INVALID	1
#define EXIT_USAGE		2

static int	usage(FILE *out);
static char *read_file(const char *path, size_t *size, size_t size_max);
static int	read_checkpoint(TlCheckpoint *out, const char *path);
static int	check(const char *text, size_t size, const TlCheckpoint *checkpoint);
static void print_verdict(const TlReceipt *receipt, const TlVerdict *verdict);
static void print_row(const TlReceipt *receipt);
static void print_printable(TlSpan text);

int
main(int argc, char **argv)
{
	static const struct option options[] = {
		{"checkpoint", required_argument, NULL, 'c'},
		{"help", no_argument, NULL, 'h'},
		{NULL, 0, NULL, 0}
	};
	const char *checkpoint_path = NULL;
	TlCheckpoint checkpoint;
	char	   *text;
	size_t		size;
	int			option;
	int			status;

	while ((option = getopt_long(argc, argv, "c:h", options, NULL)) != -1)
	{
		switch (option)
		{
			case 'c':
				checkpoint_path = optarg;
				break;
			case 'h':
				usage(stdout);
				return EXIT_SUCCESS;
			default:
				return usage(stderr);
		}
	}
	if (argc - optind != 1)
		return usage(stderr);
	if (checkpoint_path != NULL)
	{
		status = read_checkpoint(&checkpoint, checkpoint_path);
		if (status != EXIT_VALID)
			return status;
	}
	text = read_file(argv[optind], &size, TL_RECEIPT_SIZE_MAX);
	if (text == NULL)
		return EXIT_USAGE;
	status = check(text, size, checkpoint_path == NULL ? NULL : &checkpoint);
	free(text);
	return status;
}

static int
usage(FILE *out)
{
	fprintf(out,
			"usage: telco_verifier [--checkpoint FILE] RECEIPT\n"
			"\n"
			"RECEIPT is the JSON document of ledger.receipt(), - for standard input.\n"
			"FILE is the text of ledger.tree_head() that you kept.\n"
			"Exit status: 0 valid, 1 not valid, 2 wrong usage or unreadable files.\n");
	return EXIT_USAGE;
}

/* All of a file; NULL after a message. */
static char *
read_file(const char *path, size_t *size, size_t size_max)
{
	FILE	   *file = strcmp(path, "-") == 0 ? stdin : fopen(path, "rb");
	size_t		capacity = 65536;
	char	   *text = malloc(capacity);

	*size = 0;
	while (file != NULL && text != NULL)
	{
		char	   *larger;

		*size += fread(text + *size, 1, capacity - *size, file);
		if (*size < capacity)
			break;
		if (capacity > size_max)
		{
			fprintf(stderr, "telco_verifier: %s: larger than %zu bytes\n", path,
					size_max);
			free(text);
			return NULL;
		}
		capacity *= 2;
		larger = realloc(text, capacity);
		if (larger == NULL)
			free(text);
		text = larger;
	}
	if (file == NULL || text == NULL || ferror(file))
	{
		fprintf(stderr, "telco_verifier: %s: %s\n", path, strerror(errno));
		free(text);
		text = NULL;
	}
	if (file != NULL && file != stdin)
		fclose(file);
	return text;
}

static int
read_checkpoint(TlCheckpoint *out, const char *path)
{
	size_t		size;
	char	   *text = read_file(path, &size, TL_CHECKPOINT_SIZE_MAX);
	TlStatus	status;

	if (text == NULL)
		return EXIT_USAGE;
	status = tl_proof_checkpoint_decode(out, text, size);
	free(text);
	if (status == TL_OK)
		return EXIT_VALID;
	fprintf(stderr, "telco_verifier: %s: not a checkpoint: %s\n", path,
			tl_status_text(status));
	return EXIT_USAGE;
}

static int
check(const char *text, size_t size, const TlCheckpoint *checkpoint)
{
	static TlReceiptColumn columns[TL_COLUMN_COUNT_MAX];
	VerifierDocument document;
	TlReceipt	receipt;
	TlVerdict	verdict = {0};

	verdict.reason = verifier_json_parse(&document, text, size);
	if (verdict.reason == NULL)
		verdict.reason = tl_proof_json_read(&receipt, columns, &document.root);
	if (verdict.reason == NULL)
		tl_proof_check(&verdict, &receipt, checkpoint, NULL);
	if (verdict.valid)
		print_verdict(&receipt, &verdict);
	else
		printf("NOT VALID: %s\n", verdict.reason);
	verifier_json_free(&document);
	return verdict.valid ? EXIT_VALID : EXIT_INVALID;
}

static void
print_verdict(const TlReceipt *receipt, const TlVerdict *verdict)
{
	printf("valid: %s\n", verdict->reason);
	printf("ledger: ");
	for (int i = 0; i < TL_HASH_SIZE; i++)
		printf("%02x", verdict->chain_id.bytes[i]);
	printf(verdict->test ? " (a test ledger)\n" : "\n");
	printf("member: ");
	print_printable(receipt->member);
	printf("\ntable: ");
	print_printable(receipt->schema);
	printf(".");
	print_printable(receipt->table);
	printf("\nref: %.*s\n", (int) receipt->ref.size, receipt->ref.data);
	printf("block: %" PRIu64 " of %.*s\n", verdict->height,
		   (int) receipt->time.size, receipt->time.data);
	print_row(receipt);
	if (verdict->trust == TL_TRUST_CHECKPOINT)
		printf("trust: your checkpoint at %" PRIu64 "\n", verdict->head_height);
	else
		printf("trust: genesis only. This is what the founder says; compare the"
			   " chain id, and use --checkpoint to rule out a second history.\n");
}

static void
print_row(const TlReceipt *receipt)
{
	for (uint32_t i = 0; i < receipt->column_count; i++)
	{
		printf("    ");
		print_printable(receipt->columns[i].name);
		if (receipt->columns[i].is_null)
			printf(" is null\n");
		else
		{
			printf(" = ");
			print_printable(receipt->columns[i].text);
			printf("\n");
		}
	}
}

/* A receipt comes from a stranger: nothing in it may move the cursor. */
static void
print_printable(TlSpan text)
{
	for (size_t i = 0; i < text.size; i++)
	{
		bool		control = (text.data[i] < 0x20 || text.data[i] == 0x7f ||
							   (text.data[i] == 0xc2 && i + 1 < text.size &&
								text.data[i + 1] < 0xa0));

		if (control)
			printf("\\x%02x", text.data[i]);
		else
			putchar(text.data[i]);
	}
}
